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

/* What each of @nr costs, children or eventfds; @ep is a set that has all of them, or -1 */

static void join(int ep, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (ep >= 0)
		must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

static double ctx_tell(int nr, int ep, bool nested)
{
	int top = bench_root(), *fds = calloc(nr, sizeof(*fds)), n;
	uint64_t begin;
	double took;

	for (n = 0; n < nr; n++) {
		fds[n] = bench_child(nested && n ? fds[n - 1] : top);
		join(ep, fds[n]);
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

static double peer_tell(int nr, int ep)
{
	int *fds = calloc(nr, sizeof(*fds)), n;
	uint64_t begin;
	double took;

	for (n = 0; n < nr; n++) {
		fds[n] = bench_eventfd();
		join(ep, fds[n]);
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
	return ctx_tell(MANY, -1, false);
}

static double take_ctx_fan_out(void)
{
	return bench_median(3, ctx_fan_out);
}

static double take_peer_fan_out(void)
{
	return peer_tell(MANY, -1);
}

static double take_ctx_fan_out_epoll(void)
{
	return ctx_tell(MANY, must(epoll_create1(EPOLL_CLOEXEC)), false);
}

static double take_peer_fan_out_epoll(void)
{
	return peer_tell(MANY, must(epoll_create1(EPOLL_CLOEXEC)));
}

static double ctx_chain(void)
{
	return ctx_tell(DEEP, -1, true);
}

static double take_ctx_chain(void)
{
	return bench_median(5, ctx_chain);
}

static double peer_chain(void)
{
	return peer_tell(DEEP, -1);
}

static double take_peer_chain(void)
{
	return bench_median(5, peer_chain);
}

/* million: whether many cost more each than some do */

static double take_million(void)
{
	return ctx_tell(1000000, -1, false);
}

static double plain_layer(void)
{
	return ctx_tell(DEEP, -1, false);
}

static double take_thousand(void)
{
	return bench_median(5, plain_layer);
}

/* merge-chain: each in a layer is below one in the layer above by way of a further parent */

#define LAYERS	16
#define WIDTH	(DEEP / LAYERS)

static double merge_chain(void)
{
	int top = bench_root(), fds[LAYERS * WIDTH], n;
	uint64_t begin;
	double took;

	for (n = 0; n < LAYERS * WIDTH; n++)
		fds[n] = bench_merged(n < WIDTH ? top : fds[n - WIDTH]);
	bench_settle();
	begin = bench_begin();
	bench_cancel_now(top);
	took = bench_end(begin);
	bench_close(fds, LAYERS * WIDTH);
	close(top);
	return took / (LAYERS * WIDTH);
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
