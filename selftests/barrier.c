// SPDX-License-Identifier: GPL-2.0-only
/*
 * Duels over the barrier that all pass who join those that are told (ctx_join()):
 * that one has joined must be seen before he looks whether the context is alive.
 * Without it a processor may hold back the one until after the other, for less than
 * a microsecond. So there are many duels, each about a context of its own, and both
 * sides begin them inside the kernel, by /dev/ctx_batch.
 *
 * Two processes have them, which share their descriptors: threads do not run beside
 * each other under User Mode Linux. That runs the code as fast as the machine does;
 * emulated, a cancellation takes too long to come to its look at who has joined.
 */
#include "ctx_features.h"
#include <libgen.h>

#include "fuzz/batch/ctx_batch.h"
#include "race.h"

#define CAUSE		83
#define ROW		BATCH_SLOTS	/* contexts that are made and looked at together */
#define LATE_NS		600		/* that either side may be late */

enum side { CANCELLER, JOINER };

/**
 * struct duels - what the two share
 * @came: how often each of them came to the line
 * @met: for BATCH_MEET
 * @rows: how many there are
 * @fd: the contexts of a row
 * @told: those of which the joiner was told
 */
struct duels {
	unsigned int	came[2];
	__u32		met[2];
	unsigned int	rows;
	int		fd[ROW];
	bool		told[ROW];
};

FIXTURE(barrier) {
	int dev;
	struct duels *duels;
	sigset_t set;
	cpu_set_t all;
	bool none;		/* there is no ctx_batch.ko */
};

static int open_batch(void)
{
	return open("/dev/ctx_batch", O_RDWR | O_CLOEXEC);
}

static bool load_batch(void)
{
	char ctx[200] = "", path[256];
	int fd, ret;

	if (getenv("CTX_MODULE"))
		snprintf(ctx, sizeof(ctx), "%s", getenv("CTX_MODULE"));
	snprintf(path, sizeof(path), "%s/ctx_batch.ko", dirname(ctx));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ret = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return !ret;
}

FIXTURE_SETUP(barrier)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->duels = mmap(NULL, sizeof(*self->duels), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->duels);
	sigemptyset(&self->set);
	sigaddset(&self->set, SIGRTMIN);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->set, NULL));
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(self->all), &self->all));
	self->none = !load_batch();
}

FIXTURE_TEARDOWN(barrier)
{
	munmap(self->duels, sizeof(*self->duels));
	close(self->dev);
	if (!self->none)
		EXPECT_EQ(0, syscall(SYS_delete_module, "ctx_batch", O_NONBLOCK));
}

/* False where the other does not come. */
static bool meet(struct duels *d, enum side me)
{
	unsigned int nr = __atomic_add_fetch(&d->came[me], 1, __ATOMIC_ACQ_REL);

	return spin_until(&d->came[!me], nr);
}

static bool run_calls(struct batch_call *calls, unsigned int nr)
{
	/* A new one for each row: its slots would close what they had before. */
	int batch = open_batch(), ret;
	unsigned int i;

	ret = ioctl(batch, BATCH_RUN, &(struct batch_run){ .calls = (uintptr_t)calls, .nr = nr });
	close(batch);
	for (i = 0; i < nr; i++)
		if (calls[i].ret < 0)
			return false;
	return ret == (int)nr;
}

static bool fight_row(struct duels *d, enum side me, unsigned int row, __u32 *random)
{
	struct ctx_cancel_args args = { .cause = CAUSE };
	struct batch_call calls[3 * ROW] = {}, *call = calls;
	unsigned int i;

	for (i = 0; i < ROW; i++) {
		*call++ = (struct batch_call){ .what = BATCH_SET, .arg = d->fd[i], .out = i };
		*call++ = (struct batch_call){
			.what	= BATCH_MEET,
			.slot	= race_random(random) % LATE_NS,
			.out	= -1,
			.index	= me,
			.cmd	= ROW * row + i + 1,
			.arg	= (uintptr_t)d->met,
		};
		*call++ = (struct batch_call){
			.what	= me == CANCELLER ? BATCH_IOCTL : BATCH_ASYNC,
			.slot	= i,
			.out	= -1,
			.cmd	= CTX_IOC_CANCEL,
			.arg	= (uintptr_t)&args,
		};
	}
	return run_calls(calls, call - calls) && meet(d, me);
}

/* All have been cancelled. */
static void take_signals(struct duels *d)
{
	struct timespec none = {};
	siginfo_t info;
	sigset_t set;
	unsigned int i;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	while (sigtimedwait(&set, &info, &none) == SIGRTMIN)
		for (i = 0; i < ROW; i++)
			d->told[i] |= d->fd[i] == info.si_fd;
}

static bool join_all(struct duels *d)
{
	__u32 random = 662607015;
	unsigned int row;

	for (row = 0; row < d->rows; row++) {
		if (!meet(d, JOINER) || !fight_row(d, JOINER, row, &random))
			return false;
		take_signals(d);
		if (!meet(d, JOINER))
			return false;
	}
	return true;
}

static pid_t fork_with_the_same_files(void)
{
	pid_t parent = getpid(), pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

static bool make_row(struct duels *d, int dev, pid_t joiner)
{
	unsigned int i;

	for (i = 0; i < ROW; i++) {
		d->told[i] = false;
		d->fd[i] = ctx_new(dev);
		if (fcntl(d->fd[i], F_SETOWN, joiner) || fcntl(d->fd[i], F_SETSIG, SIGRTMIN))
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(barrier, whoever_sets_o_async_during_the_cancel_is_signalled, 300)
{
	struct duels *d = self->duels;
	__u32 random = 602214076;
	unsigned int row, i;
	pid_t joiner;

	if (self->none)
		SKIP(return, "there is no ctx_batch.ko");
	d->rows = rounds(100);
	joiner = fork_with_the_same_files();
	ASSERT_LE(0, joiner);
	race_pin(&self->all, pthread_self(), joiner ? 0 : 1);
	if (!joiner)
		_exit(!join_all(d));
	for (row = 0; row < d->rows; row++) {
		ASSERT_TRUE(make_row(d, self->dev, joiner));
		ASSERT_TRUE(meet(d, CANCELLER));
		ASSERT_TRUE(fight_row(d, CANCELLER, row, &random));
		/* The joiner has looked. */
		ASSERT_TRUE(meet(d, CANCELLER));
		for (i = 0; i < ROW; i++) {
			ASSERT_TRUE(d->told[i]) TH_LOG("duel %u", ROW * row + i);
			close(d->fd[i]);
		}
	}
	ASSERT_EQ(0, race_reap(joiner));
}

TEST_HARNESS_MAIN
