// SPDX-License-Identifier: GPL-2.0-only
/*
 * two-cpus: two processes, each on a processor of its own, make and close. They tell how often they
 * did; a plugin of QEMU counts meanwhile what they do to cache lines that both use.
 */
#include "bench.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAIRS 4000

static void settle_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
}

static void work(int processor, int *ready, void (*pair)(void))
{
	uint64_t begin;
	int n;

	settle_on(processor);
	for (n = 0; n < PAIRS / 10; n++)
		pair();
	__atomic_add_fetch(ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(ready, __ATOMIC_SEQ_CST) < 2)
		sched_yield();
	begin = bench_begin();
	for (n = 0; n < PAIRS; n++)
		pair();
	bench_end(begin);
}

static double share(void (*pair)(void))
{
	int *ready, status;
	pid_t other;

	ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ready == MAP_FAILED)
		err(1, "mmap");
	other = must(fork());
	work(!other, ready, pair);
	if (!other)
		_exit(0);
	must(waitpid(other, &status, 0));
	if (status)
		errx(1, "the other process failed");
	return 2 * PAIRS;
}

static int top;

static void ctx_pair(void)
{
	close(bench_child(top));
}

static double take_ctx_share(void)
{
	top = bench_root();
	return share(ctx_pair);
}

static void peer_pair(void)
{
	close(bench_eventfd());
}

static double take_peer_share(void)
{
	return share(peer_pair);
}

static void plain_pair(void)
{
	close(bench_plain());
}

static double take_plain_share(void)
{
	return share(plain_pair);
}

const struct bench_row bench_share[] = {
	{ "two-cpus", take_ctx_share, take_peer_share, take_plain_share },
	{},
};
