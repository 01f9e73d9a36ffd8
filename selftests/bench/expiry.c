// SPDX-License-Identifier: GPL-2.0-only
/* How late they learn of a deadline, where many wait for it. */
#include "bench.h"

#include <pthread.h>

#define MANY	10000
#define EVENTS	64
/* It takes less to prepare all. */
#define SOON	(1000 * NSEC_PER_MSEC)

static void join(int ep, int fd)
{
	/* Edge-triggered: an event comes once, though nobody takes it away. */
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

/* Waits in @ep for MANY events. @late: by how much each came after @at, ascending */
static void wait_for_all(int ep, uint64_t at, double *late)
{
	struct epoll_event events[EVENTS];
	uint64_t now = bench_begin();
	int n = 0, got;

	if (now > at)
		errx(1, "prepared too late, by %llu ms",
		     (unsigned long long)(now - at) / NSEC_PER_MSEC);
	while (n < MANY) {
		got = must(epoll_wait(ep, events, EVENTS, -1));
		now = bench_now();
		while (got--)
			late[n++] = now - at;
	}
	bench_end(at);
}

/* expiry: deadlines that come together, the 99th percentile */

static int ctx_at(int parent, uint64_t at)
{
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC,
		.deadline = at,
		.clockid = CLOCK_MONOTONIC,
	};

	return must(ioctl(parent, CTX_IOC_CREATE, &args));
}

static double take_ctx_expiry(void)
{
	int ep = must(epoll_create1(EPOLL_CLOEXEC)), top = bench_root(), n;
	uint64_t at = bench_now() + SOON;
	static double late[MANY];

	for (n = 0; n < MANY; n++)
		join(ep, ctx_at(top, at));
	wait_for_all(ep, at, late);
	return late[MANY * 99 / 100];
}

static double take_peer_expiry(void)
{
	int ep = must(epoll_create1(EPOLL_CLOEXEC)), n;
	uint64_t at = bench_now() + SOON;
	static double late[MANY];

	for (n = 0; n < MANY; n++)
		join(ep, bench_timerfd(TFD_TIMER_ABSTIME, at));
	wait_for_all(ep, at, late);
	return late[MANY * 99 / 100];
}

/* expiry-tree: one deadline above all, until the last has come */

static double take_ctx_expiry_tree(void)
{
	int ep = must(epoll_create1(EPOLL_CLOEXEC)), top, n;
	uint64_t at = bench_now() + SOON;
	static double late[MANY];

	top = ctx_at(bench_root(), at);
	for (n = 0; n < MANY; n++)
		join(ep, bench_child(top));
	wait_for_all(ep, at, late);
	return late[MANY - 1];
}

static int timer, fds[MANY];

static void *tell_all(void *arg)
{
	uint64_t ticks;
	int n;

	must(read(timer, &ticks, sizeof(ticks)));
	for (n = 0; n < MANY; n++)
		bench_write(fds[n]);
	return arg;
}

static double take_peer_expiry_tree(void)
{
	int ep = must(epoll_create1(EPOLL_CLOEXEC)), n;
	uint64_t at = bench_now() + SOON;
	static double late[MANY];
	pthread_t thread;

	timer = bench_timerfd(TFD_TIMER_ABSTIME, at);
	for (n = 0; n < MANY; n++) {
		fds[n] = bench_eventfd();
		join(ep, fds[n]);
	}
	errno = pthread_create(&thread, NULL, tell_all, NULL);
	if (errno)
		err(1, "pthread_create");
	wait_for_all(ep, at, late);
	return late[MANY - 1];
}

const struct bench_row bench_expiry[] = {
	{ "expiry", take_ctx_expiry, take_peer_expiry, NULL },
	{ "expiry-tree", take_ctx_expiry_tree, take_peer_expiry_tree, NULL },
	{},
};
