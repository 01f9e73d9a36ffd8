// SPDX-License-Identifier: GPL-2.0-only
/* What it costs to tell: one who waits, many contexts, deep ones. */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>

#define WAKES	500
#define MANY	10000
#define DEEP	1000
#define TREES	20

/* wake: from before the call until a blocked read in another thread returned */

struct reader {
	int		fd;
	pid_t		tid;
	uint64_t	begin;
	double		took;
};

static void *reader_main(void *arg)
{
	struct reader *reader = arg;
	struct ctx_event event;

	__atomic_store_n(&reader->tid, gettid(), __ATOMIC_RELEASE);
	must(read(reader->fd, &event, sizeof(event)));
	reader->took = bench_end(reader->begin);
	return NULL;
}

static bool sleeps_in_read(pid_t tid)
{
	char path[64], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(fd, text, sizeof(text) - 1));
	close(fd);
	return text[0] >= '0' && text[0] <= '9' && atol(text) == SYS_read;
}

static double wake(int fd, void (*call)(int fd))
{
	struct reader reader = { .fd = fd };
	pthread_t thread;

	errno = pthread_create(&thread, NULL, reader_main, &reader);
	if (errno)
		err(1, "pthread_create");
	do
		usleep(1000);
	while (!__atomic_load_n(&reader.tid, __ATOMIC_ACQUIRE) || !sleeps_in_read(reader.tid));
	reader.begin = bench_begin();
	call(fd);
	pthread_join(thread, NULL);
	close(fd);
	return reader.took;
}

static double ctx_wake(void)
{
	return wake(bench_root(), bench_cancel_now);
}

static double take_ctx_wake(void)
{
	return bench_median(WAKES, ctx_wake);
}

static double peer_wake(void)
{
	return wake(bench_eventfd(), bench_write);
}

static double take_peer_wake(void)
{
	return bench_median(WAKES, peer_wake);
}

/*
 * What each of @nr costs, contexts or eventfds. @ep is a set that has all of them, or -1. @shape
 * makes the @n-th of @fds below @top or what stands before it.
 */

int bench_flat(int top, const int *fds, int n)
{
	(void)fds;
	(void)n;
	return bench_child(top);
}

static int nested(int top, const int *fds, int n)
{
	return bench_child(n ? fds[n - 1] : top);
}

double bench_tell_ctx(int nr, int ep, int (*shape)(int top, const int *fds, int n))
{
	int top = bench_root(), *fds = calloc(nr, sizeof(*fds)), n;
	uint64_t begin;
	double took;

	for (n = 0; n < nr; n++) {
		fds[n] = shape(top, fds, n);
		if (ep >= 0)
			bench_join(ep, fds[n]);
	}
	bench_settle();
	begin = bench_begin();
	bench_cancel_now(top);
	took = bench_end(begin);
	bench_close(fds, nr);
	free(fds);
	close(top);
	return took / nr;
}

double bench_tell_eventfds(int nr, int ep)
{
	int *fds = calloc(nr, sizeof(*fds)), n;
	uint64_t begin;
	double took;

	for (n = 0; n < nr; n++) {
		fds[n] = bench_eventfd();
		if (ep >= 0)
			bench_join(ep, fds[n]);
	}
	bench_settle();
	begin = bench_begin();
	for (n = 0; n < nr; n++)
		bench_write(fds[n]);
	took = bench_end(begin);
	bench_close(fds, nr);
	free(fds);
	return took / nr;
}

static double ctx_fan_out(void)
{
	return bench_tell_ctx(MANY, -1, bench_flat);
}

static double take_ctx_fan_out(void)
{
	return bench_median(3, ctx_fan_out);
}

static double take_peer_fan_out(void)
{
	return bench_tell_eventfds(MANY, -1);
}

static double take_ctx_fan_out_epoll(void)
{
	return bench_tell_ctx(MANY, must(epoll_create1(EPOLL_CLOEXEC)), bench_flat);
}

static double take_peer_fan_out_epoll(void)
{
	return bench_tell_eventfds(MANY, must(epoll_create1(EPOLL_CLOEXEC)));
}

static double ctx_chain(void)
{
	return bench_tell_ctx(DEEP, -1, nested);
}

static double take_ctx_chain(void)
{
	return bench_median(5, ctx_chain);
}

static double peer_chain(void)
{
	return bench_tell_eventfds(DEEP, -1);
}

static double take_peer_chain(void)
{
	return bench_median(5, peer_chain);
}

/* million: whether many cost more each than some do */

static double take_million(void)
{
	return bench_tell_ctx(1000000, -1, bench_flat);
}

static double plain_layer(void)
{
	return bench_tell_ctx(DEEP, -1, bench_flat);
}

static double take_thousand(void)
{
	return bench_median(5, plain_layer);
}

/* merge-chain: each in a layer is below one in the layer above by way of a further parent */

#define LAYERS	16
#define WIDTH	(DEEP / LAYERS)

static int layered(int top, const int *fds, int n)
{
	return bench_merged(n < WIDTH ? top : fds[n - WIDTH]);
}

static double merge_chain(void)
{
	return bench_tell_ctx(LAYERS * WIDTH, -1, layered);
}

static double take_merge_chain(void)
{
	return bench_median(5, merge_chain);
}

/* go-tree: a chain from its beginning to its end */

static double take_ctx_go_tree(void)
{
	int fds[1 + DEEP], n, d;
	uint64_t begin;

	begin = bench_begin();
	for (n = 0; n < TREES; n++) {
		fds[0] = bench_root();
		for (d = 0; d < DEEP; d++)
			fds[d + 1] = bench_child(fds[d]);
		bench_cancel_now(fds[0]);
		bench_close(fds, 1 + DEEP);
	}
	return bench_end(begin) / TREES;
}

static double take_peer_go_tree(void)
{
	return bench_go("go-tree");
}

const struct bench_row bench_cancel[] = {
	{ "wake", take_ctx_wake, take_peer_wake, NULL },
	{ "fan-out", take_ctx_fan_out, take_peer_fan_out, NULL },
	{ "fan-out-epoll", take_ctx_fan_out_epoll, take_peer_fan_out_epoll, NULL },
	{ "chain", take_ctx_chain, take_peer_chain, NULL },
	{ "merge-chain", take_merge_chain, take_thousand, NULL },
	{ "million", take_million, take_thousand, NULL },
	{ "go-tree", take_ctx_go_tree, take_peer_go_tree, NULL },
	{},
};
