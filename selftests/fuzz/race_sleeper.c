// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sleeper of race mode: a process that waits for a context in a system call, while the actors
 * race and until the one that leads has cancelled it. If nobody wakes it, it never comes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "race_actor.h"

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static int64_t wait_by_poll(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLRDNORM };

	return poll(&pfd, 1, -1) == 1 ? pfd.revents : -errno;
}

static int64_t wait_by_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDNORM };
	int epoll = epoll_create1(EPOLL_CLOEXEC), ret = -1;

	if (epoll >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		ret = epoll_wait(epoll, &event, 1, -1);
	if (ret < 0)
		ret = -errno;
	close(epoll);
	return ret == 1 ? (int64_t)event.events : ret;
}

/* Turns it on and off while the actors are at work, and then leaves it on. */
static int64_t wait_by_signal(int fd, pid_t owner)
{
	struct timespec moment = { .tv_nsec = 1000 };
	sigset_t set;
	int turns = 100, signal = -1;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (fcntl(fd, F_SETOWN, owner))
		return -errno;
	while (signal < 0 && turns--) {
		if (fcntl(fd, F_SETFL, O_ASYNC))
			return -errno;
		signal = sigtimedwait(&set, NULL, &moment);
		if (signal < 0 && turns)
			fcntl(fd, F_SETFL, 0);
	}
	while (signal < 0)
		signal = sigwaitinfo(&set, NULL);
	fcntl(fd, F_SETFL, 0);
	/* One that came as it was turned off is none of the next round's. */
	while (sigtimedwait(&set, NULL, &(struct timespec){ }) > 0)
		;
	return signal == SIGIO ? POLLIN | POLLRDNORM : -EPROTO;
}

static int64_t wait_for(struct race_nap *nap, int fd)
{
	ssize_t n;

	switch (nap->how) {
	case SLEEP_POLL:
		return wait_by_poll(fd);
	case SLEEP_EPOLL:
		return wait_by_epoll(fd);
	case SLEEP_SIGNAL:
		return wait_by_signal(fd, getpid());
	case SLEEP_GROUP_SIGNAL:
		return wait_by_signal(fd, -getpid());
	default:
		n = read(fd, &nap->event, sizeof(nap->event));
		return n < 0 ? -errno : n;
	}
}

void race_sleeper_main(struct race_shared *shared, int sock)
{
	struct race_nap *nap = &shared->round.nap;
	int fds[2 * RACE_BUILT];
	uint32_t nr = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	while (race_next_order(&shared->desk[RACE_SLEEPER], &nr) != RACE_QUIT) {
		race_receive(sock, fds);
		nap->call.begin = clock_ns();
		nap->call.ret = wait_for(nap, fds[0]);
		nap->call.end = clock_ns();
		close(fds[0]);
		__atomic_store_n(&shared->awake, 1, __ATOMIC_RELEASE);
		race_wake(&shared->awake);
	}
	_exit(0);
}
