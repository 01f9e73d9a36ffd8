// SPDX-License-Identifier: GPL-2.0-only
/* How late they learn of a deadline, where many wait for it. */
#include "bench.h"

#include <pthread.h>

#define MANY	10000
#define EVENTS	64

/* It takes less to prepare @nr. */
static uint64_t soon(int nr)
{
	return bench_now() + 10 * NSEC_PER_MSEC + nr * 20000ULL;
}

/* Waits in @ep for @nr events. Return: by how much the one before which @nth came was after @at */
static double wait_for_all(int ep, uint64_t at, int nr, int nth)
{
	struct epoll_event events[EVENTS];
	uint64_t now = bench_begin();
	double late = 0;
	int n = 0, got;

	if (now > at)
		errx(1, "prepared too late, by %llu ms",
		     (unsigned long long)(now - at) / NSEC_PER_MSEC);
	while (n < nr) {
		got = must(epoll_wait(ep, events, EVENTS, -1));
		now = bench_now();
		if (n <= nth && nth < n + got)
			late = now - at;
		n += got;
	}
	bench_end(at);
	return late;
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

static double ctx_expiry(int nr, int nth)
{
	int ep = must(epoll_create1(EPOLL_CLOEXEC)), top = bench_root(), n;
	uint64_t at = soon(nr);

	for (n = 0; n < nr; n++)
		bench_join(ep, ctx_at(top, at));
	return wait_for_all(ep, at, nr, nth);
}

static double take_ctx_expiry(void)
{
	return ctx_expiry(MANY, MANY * 99 / 100);
}

static double peer_expiry(int nr, int nth)
{
	int ep = must(epoll_create1(EPOLL_CLOEXEC)), n;
	uint64_t at = soon(nr);

	for (n = 0; n < nr; n++)
		bench_join(ep, bench_timerfd(TFD_TIMER_ABSTIME, at));
	return wait_for_all(ep, at, nr, nth);
}

static double take_peer_expiry(void)
{
	return peer_expiry(MANY, MANY * 99 / 100);
}

/* expiry-tree: one deadline above all, until the last has come */

static double ctx_expiry_tree(int nr)
{
	int ep = must(epoll_create1(EPOLL_CLOEXEC)), top, n;
	uint64_t at = soon(nr);

	top = ctx_at(bench_root(), at);
	for (n = 0; n < nr; n++)
		bench_join(ep, bench_child(top));
	return wait_for_all(ep, at, nr, nr - 1);
}

static double take_ctx_expiry_tree(void)
{
	return ctx_expiry_tree(MANY);
}

static int timer, *fds, nr_fds;

static void *tell_all(void *arg)
{
	uint64_t ticks;
	int n;

	must(read(timer, &ticks, sizeof(ticks)));
	for (n = 0; n < nr_fds; n++)
		bench_write(fds[n]);
	return arg;
}

static double peer_expiry_tree(int nr)
{
	int ep = must(epoll_create1(EPOLL_CLOEXEC)), n;
	uint64_t at = soon(nr);
	pthread_t thread;

	fds = calloc(nr, sizeof(*fds));
	nr_fds = nr;
	timer = bench_timerfd(TFD_TIMER_ABSTIME, at);
	for (n = 0; n < nr; n++) {
		fds[n] = bench_eventfd();
		bench_join(ep, fds[n]);
	}
	errno = pthread_create(&thread, NULL, tell_all, NULL);
	if (errno)
		err(1, "pthread_create");
	return wait_for_all(ep, at, nr, nr - 1);
}

static double take_peer_expiry_tree(void)
{
	return peer_expiry_tree(MANY);
}

/* deadline: what each costs, until the last has come */

double bench_expire_ctx(int nr)
{
	return ctx_expiry_tree(nr) / nr;
}

double bench_expire_eventfds(int nr)
{
	return peer_expiry_tree(nr) / nr;
}

double bench_expire_timerfds(int nr)
{
	return peer_expiry(nr, nr - 1) / nr;
}

const struct bench_row bench_expiry[] = {
	{ "expiry", take_ctx_expiry, take_peer_expiry, NULL },
	{ "expiry-tree", take_ctx_expiry_tree, take_peer_expiry_tree, NULL },
	{},
};
