// SPDX-License-Identifier: GPL-2.0-only
/* What it costs to cancel many, each, by how many there are, in trees of several shapes. */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>

#define DEEP	1000	/* a context may not be much deeper */
#define LAYERS	10	/* in a web: each doubles the ways up, of which there may be 1,024 */

/*
 * The shapes: for the @n-th of @nr, its parents among those before it; -1 is what stands above all.
 * Return: how many
 */
typedef int shape_fn(int n, int nr, int parents[2]);

static int shape_flat(int n, int nr, int parents[2])
{
	(void)n;
	(void)nr;
	parents[0] = -1;
	return 1;
}

static int shape_lines(int n, int nr, int parents[2])
{
	(void)nr;
	parents[0] = n % DEEP ? n - 1 : -1;
	return 1;
}

static int shape_binary(int n, int nr, int parents[2])
{
	(void)nr;
	parents[0] = n ? (n - 1) / 2 : -1;
	return 1;
}

static int shape_web(int n, int nr, int parents[2])
{
	int width = nr > 2 * LAYERS ? (nr + LAYERS - 1) / LAYERS : 2;

	if (n < width)
		return shape_flat(n, nr, parents);
	parents[0] = n - width;
	parents[1] = (n + 1) % width + n / width * width - width;
	return 2;
}

/* Contexts */

static shape_fn *shape;
static int nr_all;

static int make_ctx(int top, const int *fds, int n)
{
	int parents[2], nr = shape(n, nr_all, parents), i;
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC,
		.parents = (uintptr_t)parents,
		.nr_parents = nr,
	};

	for (i = 0; i < nr; i++)
		parents[i] = parents[i] < 0 ? top : fds[parents[i]];
	if (nr == 1)
		return bench_child(parents[0]);
	return must(ioctl(bench_background(), CTX_IOC_CREATE, &args));
}

static double tell_ctx(shape_fn *fn, int nr)
{
	shape = fn;
	nr_all = nr;
	return bench_tell_ctx(nr, -1, make_ctx);
}

/*
 * The peer: eventfds in a graph that user space keeps. Each node is told once; those that are to
 * be told are in a queue, for a recursion could be too deep.
 */
struct edge {
	struct node	*child;
	struct edge	*next;
};

struct node {
	int		fd;
	bool		cancelled;
	struct edge	*edges;
	struct node	*queued;
	struct edge	parents[2];
};

static pthread_mutex_t graph_lock = PTHREAD_MUTEX_INITIALIZER;

static void node_cancel(struct node *node)
{
	struct node *last = node;
	struct edge *edge;

	pthread_mutex_lock(&graph_lock);
	for (node->cancelled = true; node; node = node->queued) {
		if (node->fd >= 0)
			bench_write(node->fd);
		for (edge = node->edges; edge; edge = edge->next) {
			if (edge->child->cancelled)
				continue;
			edge->child->cancelled = true;
			last->queued = edge->child;
			last = edge->child;
		}
	}
	pthread_mutex_unlock(&graph_lock);
}

static void node_add(struct node *all, struct node *node, int *parents, int nr)
{
	struct edge *edge;
	struct node *parent;

	while (nr--) {
		edge = &node->parents[nr];
		parent = &all[parents[nr]];
		*edge = (struct edge){ .child = node, .next = parent->edges };
		parent->edges = edge;
	}
}

/* As bench_tell_ctx() */
static double tell_graph(shape_fn *fn, int nr, int ep)
{
	struct node *nodes = calloc(nr + 1, sizeof(*nodes)), *all = nodes + 1;
	int parents[2], n;
	uint64_t begin;
	double took;

	nodes->fd = -1;
	for (n = 0; n < nr; n++) {
		all[n].fd = bench_eventfd();
		node_add(all, &all[n], parents, fn(n, nr, parents));
		if (ep >= 0)
			bench_join(ep, all[n].fd);
	}
	bench_settle();
	begin = bench_begin();
	node_cancel(nodes);
	took = bench_end(begin);
	while (n)
		close(all[--n].fd);
	free(nodes);
	return took / nr;
}

/* Small ones are over so soon that a tick would be much of it. */
static double median(double (*take)(int nr), int nr)
{
	double figures[5];
	int n, times = nr > 1000 ? 1 : 5;

	for (n = 0; n < times; n++)
		figures[n] = take(nr);
	bench_sort(figures, times);
	return figures[times / 2];
}

#define CURVE(name, call)					\
static double name##_once(int nr) { return call; }		\
static double name(int nr) { return median(name##_once, nr); }

CURVE(flat_ctx, tell_ctx(shape_flat, nr))
CURVE(flat_eventfds, bench_tell_eventfds(nr, -1))
CURVE(flat_graph, tell_graph(shape_flat, nr, -1))
CURVE(chain_ctx, tell_ctx(shape_lines, nr))
CURVE(chain_graph, tell_graph(shape_lines, nr, -1))
CURVE(tree_ctx, tell_ctx(shape_binary, nr))
CURVE(tree_graph, tell_graph(shape_binary, nr, -1))
CURVE(web_ctx, tell_ctx(shape_web, nr))
CURVE(web_graph, tell_graph(shape_web, nr, -1))

/* All that wait are in one set of epoll. */

static int epoll(void)
{
	return must(epoll_create1(EPOLL_CLOEXEC));
}

CURVE(epoll_ctx, bench_tell_ctx(nr, epoll(), bench_flat))
CURVE(epoll_graph, tell_graph(shape_flat, nr, epoll()))

/* One pipe that all have an end of: to close the other tells them. */
static double tell_pipe(int nr, int ep)
{
	int *fds = calloc(nr, sizeof(*fds)), ends[2], n;
	uint64_t begin;
	double took;

	must(pipe2(ends, O_CLOEXEC));
	for (n = 0; n < nr; n++) {
		fds[n] = must(dup(ends[0]));
		bench_join(ep, fds[n]);
	}
	bench_settle();
	begin = bench_begin();
	close(ends[1]);
	took = bench_end(begin);
	bench_close(fds, nr);
	free(fds);
	close(ends[0]);
	return took / nr;
}

CURVE(epoll_pipe, tell_pipe(nr, epoll()))

const struct bench_curve bench_curves[] = {
	{ "flat", "contexts", flat_ctx },
	{ "flat", "eventfds", flat_eventfds },
	{ "flat", "tree-of-eventfds", flat_graph },
	{ "chain", "contexts", chain_ctx },
	{ "chain", "tree-of-eventfds", chain_graph },
	{ "tree", "contexts", tree_ctx },
	{ "tree", "tree-of-eventfds", tree_graph },
	{ "web", "contexts", web_ctx },
	{ "web", "web-of-eventfds", web_graph },
	{ "epoll", "contexts", epoll_ctx },
	{ "epoll", "tree-of-eventfds", epoll_graph },
	{ "epoll", "ends-of-a-pipe", epoll_pipe },
	{ "deadline", "contexts-below-one", bench_expire_ctx },
	{ "deadline", "timerfd-and-eventfds", bench_expire_eventfds },
	{ "deadline", "timerfds", bench_expire_timerfds },
	{},
};
