// SPDX-License-Identifier: GPL-2.0-only
/* memory: bytes of slabs for a context and its descriptor, with what is lost between objects */
#include "bench.h"

#include <fcntl.h>

#define BEFORE	2000	/* take what room the slabs of others still have */
#define MANY	10000

/* Pages of all slabs, in bytes. */
static double slab_bytes(void)
{
	unsigned long pages, slabs;
	double bytes = 0;
	char line[512];
	FILE *file = fopen("/proc/slabinfo", "re");

	if (!file)
		err(1, "/proc/slabinfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %*u %*u %*u %*u %lu : tunables %*u %*u %*u "
			   ": slabdata %*u %lu", &pages, &slabs) == 2)
			bytes += (double)pages * slabs * sysconf(_SC_PAGESIZE);
	fclose(file);
	return bytes;
}

static double take(int (*open_one)(void))
{
	double before;
	int n;

	/* The table of descriptors is as large from here as it will be. */
	close(must(dup2(STDOUT_FILENO, 3 * MANY)));
	slab_bytes();
	for (n = 0; n < BEFORE; n++)
		open_one();
	bench_settle();
	before = slab_bytes();
	for (n = 0; n < MANY; n++)
		open_one();
	return (slab_bytes() - before) / MANY;
}

static int top;

static int open_child(void)
{
	return bench_child(top);
}

static double take_ctx_memory(void)
{
	top = bench_root();
	return take(open_child);
}

static double take_peer_memory(void)
{
	return take(bench_eventfd);
}

static double take_plain_memory(void)
{
	return take(bench_plain);
}

const struct bench_row bench_memory[] = {
	{ "memory", take_ctx_memory, take_peer_memory, take_plain_memory },
	{},
};
