// SPDX-License-Identifier: GPL-2.0-only
/*
 * stall: by how much a thread of SCHED_FIFO that wants the processor each millisecond gets it too
 * late, at most, while a million contexts are cancelled and then closed.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>

#define MANY		1000000
#define TOLERATED	100000	/* ns */

struct watch {
	pthread_t	thread;
	bool		stop;
	uint64_t	longest;
};

static void *watch_main(void *arg)
{
	struct sched_param param = { .sched_priority = 50 };
	struct watch *watch = arg;
	struct timespec when;
	uint64_t next, late;

	must(sched_setscheduler(0, SCHED_FIFO, &param));
	next = bench_now();
	while (!__atomic_load_n(&watch->stop, __ATOMIC_RELAXED)) {
		next += NSEC_PER_MSEC;
		when = bench_timespec(next);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL))
			;
		late = bench_now() - next;
		next += late;
		if (late > watch->longest)
			watch->longest = late;
	}
	return NULL;
}

static void watch_start(struct watch *watch)
{
	*watch = (struct watch){};
	errno = pthread_create(&watch->thread, NULL, watch_main, watch);
	if (errno)
		err(1, "pthread_create");
	usleep(10000);
}

static uint64_t watch_stop(struct watch *watch)
{
	__atomic_store_n(&watch->stop, true, __ATOMIC_RELAXED);
	pthread_join(watch->thread, NULL);
	return watch->longest;
}

static double take_ctx_stall(void)
{
	int top = bench_root(), *fds = calloc(MANY, sizeof(*fds)), n;
	struct watch watch;
	uint64_t cancel, closes;

	for (n = 0; n < MANY; n++)
		fds[n] = bench_child(top);
	bench_settle();
	watch_start(&watch);
	bench_cancel_now(top);
	cancel = watch_stop(&watch);
	watch_start(&watch);
	for (n = 0; n < MANY; n++)
		close(fds[n]);
	/* What is freed later stalls, too. */
	bench_settle();
	closes = watch_stop(&watch);
	return cancel > closes ? cancel : closes;
}

/* Somebody else computes meanwhile. */
static double take_peer_stall(void)
{
	struct watch watch;
	uint64_t end;

	/* What the row had open is being freed. */
	sleep(5);
	watch_start(&watch);
	end = bench_now() + NSEC_PER_SEC;
	while (bench_now() < end)
		;
	return watch_stop(&watch) + TOLERATED;
}

const struct bench_row bench_stall[] = {
	{ "stall", take_ctx_stall, take_peer_stall, NULL },
	{},
};
