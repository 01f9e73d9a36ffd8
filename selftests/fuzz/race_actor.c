// SPDX-License-Identifier: GPL-2.0-only
/*
 * An actor of race mode, and what it shares with the process that leads.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "race_actor.h"

/* Sleep while *@word is @value, or for a while. */
void race_sleep(const uint32_t *word, uint32_t value)
{
	struct timespec while_ = { .tv_sec = 1 };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &while_, NULL, 0);
}

void race_wake(const uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void run_calls(int batch, struct batch_call *call, unsigned int nr)
{
	struct batch_run run;
	unsigned int done = 0;
	int n;

	while (done < nr) {
		run = (struct batch_run){ .calls = (uintptr_t)&call[done], .nr = nr - done };
		n = ioctl(batch, BATCH_RUN, &run);
		if (n <= 0) {
			perror("race: BATCH_RUN");
			_exit(RACE_BROKEN);
		}
		done += n;
	}
}

void race_program_run(int batch, struct race_program *program)
{
	run_calls(batch, program->call, program->nr);
}

/*
 * Lets go of everything but the background and the slot @keep. Most of it is not there, which does
 * no harm.
 */
void race_program_clean(int batch, int keep)
{
	struct batch_call call[BATCH_WAITERS + BATCH_SLOTS + BATCH_MAPS];
	unsigned int nr = 0, i;

	memset(call, 0, sizeof(call));
	for (i = 0; i < BATCH_WAITERS; i++)
		call[nr++] = (struct batch_call){ .what = BATCH_UNWAIT, .index = i };
	for (i = RACE_BACKGROUND + 1; i < BATCH_SLOTS; i++)
		if ((int)i != keep)
			call[nr++] = (struct batch_call){ .what = BATCH_CLOSE, .slot = i };
	for (i = 0; i < BATCH_MAPS; i++)
		call[nr++] = (struct batch_call){ .what = BATCH_MUNMAP, .index = i };
	run_calls(batch, call, nr);
}

/* An open file of /dev/ctx_batch, with the background in its slot. */
int race_open_batch(void)
{
	struct batch_call set = { .what = BATCH_SET, .out = RACE_BACKGROUND };
	int batch = open("/dev/ctx_batch", O_RDWR | O_CLOEXEC);
	int dev = open("/dev/ctx", O_RDWR | O_CLOEXEC);

	if (batch < 0 || dev < 0) {
		perror(batch < 0 ? "race: /dev/ctx_batch" : "race: /dev/ctx");
		_exit(RACE_BROKEN);
	}
	set.arg = dev;
	run_calls(batch, &set, 1);
	return batch;
}

union control {
	struct cmsghdr	header;
	char		room[CMSG_SPACE(2 * RACE_BUILT * sizeof(int))];
};

void race_send(int sock, const int *fds, unsigned int nr)
{
	char byte = 0;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	union control control = { };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, nr * sizeof(int));
	if (sendmsg(sock, &message, 0) != 1) {
		perror("race: sendmsg");
		_exit(RACE_BROKEN);
	}
}

/* Room for as many as race_send() may send. Returns how many there are. */
unsigned int race_receive(int sock, int *fds)
{
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	union control control;
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	unsigned int nr;

	if (recvmsg(sock, &message, 0) != 1 || (message.msg_flags & MSG_CTRUNC)) {
		perror("race: recvmsg");
		_exit(RACE_BROKEN);
	}
	if (!message.msg_controllen)
		return 0; /* all contexts were left out */
	nr = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(&control.header), nr * sizeof(int));
	return nr;
}

/* Turns that are worth it: to be woken takes longer than these, and than what is to be hit. */
#define SPIN	20000

static bool spin_until(const uint32_t *word, uint32_t value)
{
	unsigned int turns = SPIN;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		if (!turns--)
			return false;
	return true;
}

/* Wait until @nr have come here. */
static void meet(uint32_t *word, uint32_t nr)
{
	uint32_t came = __atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);

	if (came == nr) {
		race_wake(word);
		return;
	}
	if (spin_until(word, nr))
		return;
	while ((came = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != nr)
		race_sleep(word, came);
}

static void spin(unsigned int turns)
{
	while (turns--)
		__asm__ __volatile__("" ::: "memory");
}

static void run(struct race_shared *shared, struct race_actor *part, int batch, int sock)
{
	uint32_t nr_actors = shared->round.nr_actors;
	int fds[2 * RACE_BUILT];
	unsigned int nr, i, n = 0;

	race_program_clean(batch, RACE_BACKGROUND);
	nr = race_receive(sock, fds);
	/* The calls that take them stand first, among those that were left out. */
	for (i = 0; n < nr; i++)
		if (part->setup.call[i].what == BATCH_SET)
			part->setup.call[i].arg = fds[n++];
	race_program_run(batch, &part->setup);
	meet(&shared->ready, nr_actors);
	/* All are here. Those that slept are a little late: so this again, for a moment. */
	__atomic_add_fetch(&shared->start, 1, __ATOMIC_ACQ_REL);
	spin_until(&shared->start, nr_actors);
	spin(part->delay);
	race_program_run(batch, &part->race);
	/* Where somebody sleeps he is woken first. */
	if (shared->round.nap.how)
		return;
	meet(&shared->finish, nr_actors);
	race_program_run(batch, &part->last);
}

enum race_order race_next_order(struct race_desk *desk, uint32_t *nr)
{
	while (__atomic_load_n(&desk->nr, __ATOMIC_ACQUIRE) == *nr)
		race_sleep(&desk->nr, *nr);
	++*nr;
	return desk->order;
}

void race_actor_main(struct race_shared *shared, unsigned int actor, int sock)
{
	struct race_actor *part = &shared->round.actor[actor];
	enum race_order order;
	uint32_t nr = 0;
	int batch;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	batch = race_open_batch();
	while ((order = race_next_order(&shared->desk[actor], &nr)) != RACE_QUIT) {
		if (order == RACE_RUN)
			run(shared, part, batch, sock);
		else
			race_program_run(batch, &part->last);
		if (__atomic_add_fetch(&shared->done, 1, __ATOMIC_ACQ_REL) ==
		    shared->round.nr_actors)
			race_wake(&shared->done);
	}
	_exit(0);
}
