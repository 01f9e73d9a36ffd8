// SPDX-License-Identifier: GPL-2.0-only
/*
 * What calls cost, whatever somebody has built below or above the context in
 * question: only relations count, of one shape to another of the same number.
 */
#include "bounds.h"

#include <sys/eventfd.h>

#define CAUSE		93

FIXTURE(cost) {
	int			dev;
	int			root;
	int			watch;		/* of @root: what others have of it */
	struct bounds_limits	before;
};

FIXTURE_SETUP(cost)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, bounds_lift(&self->before)) {
		TH_LOG("needs the privilege to open files without a limit");
	}
	self->root = ctx_new(self->dev);
	self->watch = ctx_watch(self->root, 0);
	ASSERT_LE(0, self->watch);
}

FIXTURE_TEARDOWN(cost)
{
	bounds_restore(&self->before);
	close(self->watch);
	close(self->root);
	close(self->dev);
}

/*
 * Shapes, each of NR contexts below @top with nobody who waits. They are held by the
 * descriptors at @fd, which is enough for as many. Each returns how many those are.
 * The contexts are the same whatever @depth is, but for where they stand.
 */
#define NR		4000

typedef int shape_fn(int dev, int top, int depth, int *fd);

/* A chain of contexts with several parents, and the others side by side below its end */
static int nested_in_chain(int dev, int top, int depth, int nr, int *fd,
			   int (*new)(int dev, int parent))
{
	int last = top, next, i;

	for (i = 0; i < depth; i++) {
		next = ctx_new_with_background(dev, last);
		if (next < 0)
			return 0;
		if (i)
			close(last);
		last = next;
	}
	for (i = 0; i < nr; i++) {
		fd[i] = new(dev, last);
		if (fd[i] < 0)
			break;
	}
	close(last);
	return i;
}

static int nested(int dev, int top, int depth, int *fd)
{
	return nested_in_chain(dev, top, depth, NR - depth, fd, ctx_new_with_background);
}

/* A walk has to come back from each of them by two of several parents. */
static int nested_thirds(int dev, int top, int depth, int *fd)
{
	return nested_in_chain(dev, top, depth, (NR - depth) / 3, fd, ctx_new_third);
}

/* A row of edges, and the others over edges below its end */
static int edges(int dev, int top, int depth, int *fd)
{
	int last = top, i;

	for (i = 0; i < NR; i++) {
		fd[i] = ctx_create(dev, &(struct ctx_create_args){
			.flags = CTX_CREATE_DETACHED,
			.parents = (uintptr_t)&last,
			.nr_parents = 1,
		});
		if (fd[i] < 0)
			break;
		if (i + 1 < depth)
			last = fd[i];
	}
	return i;
}

/* Each has @depth edges to the same parent. */
static int manifold(int dev, int top, int depth, int *fd)
{
	const int parents[CTX_PARENTS_MAX] = { top, top, top, top, top, top, top, top };
	int i;

	for (i = 0; i < NR; i++) {
		fd[i] = ctx_create(dev, &(struct ctx_create_args){
			.flags = CTX_CREATE_DETACHED,
			.parents = (uintptr_t)parents,
			.nr_parents = depth,
		});
		if (fd[i] < 0)
			break;
	}
	return i;
}

/*
 * Children of chains' ends in turn, with an edge to the top each. The chains are @depth deep
 * and no part of what is cancelled; but whether they are has to be known.
 */
#define ENDS		20

static int edges_from_afar(int dev, int top, int depth, int *fd)
{
	int end[ENDS], i;

	for (i = 0; i < ENDS; i++) {
		fd[i] = ctx_new_detached(dev);
		end[i] = chain_make(fd[i], depth);
		if (end[i] < 0)
			return 0;
	}
	for (; i < NR; i++) {
		fd[i] = ctx_create(end[i % ENDS], &(struct ctx_create_args){
			.flags = CTX_CREATE_DETACHED,
			.parents = (uintptr_t)&top,
			.nr_parents = 1,
		});
		if (fd[i] < 0)
			break;
	}
	close_all(end, ENDS);
	return i;
}

/* How long it takes to end what is below the top, or 0 where it could not be made. */
static __u64 cost_of(int dev, shape_fn *shape, int depth, bool by_close)
{
	int fd[NR], top = ctx_new(dev), watch = ctx_watch(top, 0);
	int held = shape(dev, watch, depth, fd);
	__u64 took = ctx_clock(CLOCK_MONOTONIC);
	bool told;

	if (by_close)
		close(top);
	else
		ctx_cancel(top, CAUSE, NULL);
	took = ctx_clock(CLOCK_MONOTONIC) - took;
	told = held > 0 && ctx_poll(fd[held - 1], 0);
	close_all(fd, held);
	close(watch);
	if (!by_close)
		close(top);
	return told ? took : 0;
}

/* Contexts that stand deep cost more than flat ones, but not in proportion to the depth. */
#define SHAPE_BOUND	16

static void costs_no_more(struct __test_metadata *_metadata, FIXTURE_DATA(cost) *self,
			  shape_fn *shape, int depth, bool by_close)
{
	__u64 flat, deep, least_flat = ~0ULL, least_deep = ~0ULL;
	int i;

	for (i = 0; i < ATTEMPTS && (!i || least_deep > SHAPE_BOUND * least_flat); i++) {
		flat = cost_of(self->dev, shape, 1, by_close);
		deep = cost_of(self->dev, shape, depth, by_close);
		ASSERT_LT(0, flat);
		ASSERT_LT(0, deep);
		TH_LOG("%d contexts took %llu us, at a depth of %d %llu us", NR, flat / 1000,
		       depth, deep / 1000);
		least_flat = flat < least_flat ? flat : least_flat;
		least_deep = deep < least_deep ? deep : least_deep;
	}
	EXPECT_GE(SHAPE_BOUND * least_flat, least_deep);
}

TEST_F_TIMEOUT(cost, cancel_of_nested_merges_is_linear, 300)
{
	costs_no_more(_metadata, self, nested, 800, false);
}

TEST_F_TIMEOUT(cost, cancel_of_merges_of_merges_below_nested_ones_is_linear, 300)
{
	costs_no_more(_metadata, self, nested_thirds, 800, false);
}

TEST_F_TIMEOUT(cost, close_of_merges_of_merges_below_nested_ones_is_linear, 300)
{
	costs_no_more(_metadata, self, nested_thirds, 800, true);
}

TEST_F_TIMEOUT(cost, cancel_below_a_row_of_edges_is_linear, 300)
{
	costs_no_more(_metadata, self, edges, 16, false);
}

TEST_F_TIMEOUT(cost, cancel_of_contexts_with_eight_edges_is_linear, 300)
{
	costs_no_more(_metadata, self, manifold, CTX_PARENTS_MAX, false);
}

TEST_F_TIMEOUT(cost, cancel_of_edges_to_children_of_deep_chains_is_linear, 300)
{
	costs_no_more(_metadata, self, edges_from_afar, 1000, false);
}

TEST_F_TIMEOUT(cost, close_of_edges_to_children_of_deep_chains_is_linear, 300)
{
	costs_no_more(_metadata, self, edges_from_afar, 1000, true);
}

/*
 * INFO looks at all ways up. What it costs at the most is compared with what it costs
 * at a root, below the largest web that can be built: layers of nine to one, doublings.
 */
#define INFO_BOUND	100

static __u64 cost_of_info(int fd)
{
	__u64 best = ~0ULL, took;
	struct ctx_info info;
	int i;

	for (i = 0; i < 20; i++) {
		took = ctx_clock(CLOCK_MONOTONIC);
		ctx_info(fd, &info);
		took = ctx_clock(CLOCK_MONOTONIC) - took;
		best = took < best ? took : best;
	}
	return best;
}

/* A web of @layers, or -1 where it cannot be built */
static int web_make(int dev, int layers)
{
	int part[1 + CTX_PARENTS_MAX], fd, i;

	if (!layers)
		return ctx_new_detached(dev);
	for (i = 0; i < 1 + CTX_PARENTS_MAX; i++) {
		part[i] = web_make(dev, layers - 1);
		if (part[i] < 0)
			break;
	}
	fd = i <= CTX_PARENTS_MAX ? -1 : ctx_create(part[0], &(struct ctx_create_args){
		.flags = CTX_CREATE_DETACHED,
		.parents = (uintptr_t)(part + 1),
		.nr_parents = CTX_PARENTS_MAX,
	});
	close_all(part, i);
	return fd;
}

static void check_info_cost(struct __test_metadata *_metadata, FIXTURE_DATA(cost) *self, int web)
{
	__u64 plain = cost_of_info(self->root), took = cost_of_info(web);

	if (!access("/sys/kernel/debug/kcsan", F_OK))
		SKIP(return, "KCSAN stops one access in a thousand, and at a root there are few");
	TH_LOG("INFO of a root took %llu ns, below the web %llu ns", plain, took);
	EXPECT_GE(INFO_BOUND * plain, took);
}

TEST_F_TIMEOUT(cost, info_below_the_widest_web_is_short, 120)
{
	int web = -1, next, layers;

	for (layers = 1; layers <= 4; layers++) {
		next = web_make(self->dev, layers);
		if (next < 0)
			break;
		close(web);
		web = next;
	}
	check_info_cost(_metadata, self, web);
	close(web);
}

/* Each of the ways is as long as it may be. */
TEST_F_TIMEOUT(cost, info_below_a_web_that_hangs_on_a_chain_is_short, 120)
{
	int last = ctx_new_detached(self->dev), next, i;

	for (i = 0; i < 900; i++) {
		next = ctx_new_detached(last);
		ASSERT_LE(0, next);
		close(last);
		last = next;
	}
	for (i = 0; i < 10; i++) {
		next = ctx_create(last, &(struct ctx_create_args){
			.flags = CTX_CREATE_DETACHED,
			.parents = (uintptr_t)&last,
			.nr_parents = 1,
		});
		ASSERT_LE(0, next);
		close(last);
		last = next;
	}
	check_info_cost(_metadata, self, last);
	close(last);
}

/*
 * A waiter can be an epoll set in which others wait, in as many as the kernel allows. To wake
 * a batch of such takes as long as to wake all of those: others have the processor between.
 * There are so many that it takes long, and few enough that a batch of 64 would be a quarter.
 */
#define NESTING		160
#define NESTED		400

static bool nested_sets(int watch, int *ep)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd, i, k;

	for (i = 0; i < NESTING; i++) {
		ep[i] = epoll_create1(EPOLL_CLOEXEC);
		for (k = 0; k < NESTED; k++) {
			fd = epoll_create1(EPOLL_CLOEXEC);
			if (epoll_ctl(fd, EPOLL_CTL_ADD, ep[i], &event))
				return false;
		}
		/* A descriptor of its own: what is allowed is counted by that. */
		fd = ctx_watch(watch, CTX_WATCH_ONLY);
		if (epoll_ctl(ep[i], EPOLL_CTL_ADD, fd, &event))
			return false;
	}
	return true;
}

/* What it took to cancel, and the greatest gap meanwhile: by a process that ends with all this. */
static void cancel_nested(int dev, int told)
{
	int top = ctx_new(dev), ep[NESTING];
	struct pacer pacer;
	__u64 both[2];

	if (stay_on(0) || !nested_sets(top, ep) || !pacer_start(&pacer, 0))
		_exit(1);
	both[0] = ctx_clock(CLOCK_MONOTONIC);
	ctx_cancel(top, CAUSE, NULL);
	both[0] = ctx_clock(CLOCK_MONOTONIC) - both[0];
	both[1] = pacer_gap(&pacer);
	_exit(write(told, both, sizeof(both)) != sizeof(both));
}

TEST_F_TIMEOUT(cost, waiters_that_wake_others_do_not_stall_the_processor, 300)
{
	struct best best = BEST;
	bool good = false;
	__u64 both[2];
	int told[2], i;
	pid_t pid;

	ASSERT_EQ(0, pipe(told));
	for (i = 0; i < ATTEMPTS && !good; i++) {
		pid = ctx_fork();
		if (!pid)
			cancel_nested(self->dev, told[1]);
		ASSERT_EQ(0, race_reap(pid));
		ASSERT_EQ(sizeof(both), read(told[0], both, sizeof(both)));
		TH_LOG("it took %llu us, the greatest gap was %llu us", both[0] / 1000,
		       both[1] / 1000);
		good = best_add(&best, both[1], both[0]);
	}
	EXPECT_TRUE(good);
	close(told[0]);
	close(told[1]);
}

/*
 * Poll of many descriptors of deep contexts looks at each of their ancestors: others
 * have the processor in between, though not less than where it looks at an eventfd.
 */
#define CHAINS		4
#define POLLED		400000

static void poll_stalls_no_more(struct __test_metadata *_metadata, const int *fd, int nr,
				struct pacer *pacer, __u64 *took)
{
	struct pollfd *fds = calloc(nr, sizeof(*fds));
	int i;

	ASSERT_NE(NULL, fds);
	for (i = 0; i < nr; i++)
		fds[i] = (struct pollfd){ .fd = fd[i % CHAINS], .events = POLLIN };
	ASSERT_TRUE(pacer_start(pacer, 0));
	*took = ctx_clock(CLOCK_MONOTONIC);
	EXPECT_EQ(0, poll(fds, nr, 0));
	*took = ctx_clock(CLOCK_MONOTONIC) - *took;
	pacer_gap(pacer);
	free(fds);
}

TEST_F_TIMEOUT(cost, poll_of_deep_contexts_does_not_stall_its_processor, 300)
{
	int chain[CHAINS], event[CHAINS], i, k, next, nr = 1000;
	struct pacer pacer, plain;
	__u64 took = 0, unit;
	bool good = false;

	ASSERT_EQ(0, allow_fds(POLLED));
	for (k = 0; k < CHAINS; k++) {
		event[k] = eventfd(0, 0);
		chain[k] = ctx_new_detached(self->dev);
		for (i = 0; i < 1000; i++) {
			next = ctx_new_detached(chain[k]);
			ASSERT_LE(0, next);
			close(chain[k]);
			chain[k] = next;
		}
	}
	ASSERT_EQ(0, stay_on(0));
	for (i = 0; i < ATTEMPTS && !good; i++) {
		while (nr < POLLED / 2 && took < CROWD_TAKES) {
			nr *= 2;
			poll_stalls_no_more(_metadata, chain, nr, &pacer, &took);
		}
		poll_stalls_no_more(_metadata, event, nr, &plain, &unit);
		poll_stalls_no_more(_metadata, chain, nr, &pacer, &took);
		TH_LOG("poll of %d took %llu us, the greatest gap was %llu us; of eventfds %llu us",
		       nr, took / 1000, pacer.gap / 1000, plain.gap / 1000);
		good = pacer.gap <= took / 4 + 2 * plain.gap;
	}
	EXPECT_TRUE(good);
	close_all(chain, CHAINS);
	close_all(event, CHAINS);
}

/*
 * Signals to a process group cost as much as it has members. They are not paid by who
 * cancels, but by who asked for them.
 */
#define MEMBERS		300
#define SIGNALLED	20
#define ASKED		50	/* descriptors of each of those */

/* Another user asks for signals to @owner; then, or where he cannot, he waits. */
static void ask_for_signals(int watch, uid_t uid, pid_t owner, int told)
{
	int fd[SIGNALLED], i, k, asked;
	bool good = true;

	if (be_user(uid))
		_exit(1);
	for (i = 0; i < SIGNALLED; i++) {
		fd[i] = ctx_new_detached(watch);
		for (k = 0; k < ASKED; k++) {
			asked = ctx_watch(fd[i], 0);
			good &= !fcntl(asked, F_SETOWN, owner) && !fcntl(asked, F_SETFL, O_ASYNC);
		}
	}
	if (write(told, &good, sizeof(good)) != sizeof(good))
		_exit(2);
	for (;;)
		pause();
}

/* Its signals remain pending: what is ignored costs nothing. */
static void member_run(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (;;)
		pause();
}

/* A process of @uid that leads a group of MEMBERS, or of none but itself */
static pid_t group_start(uid_t uid, int members)
{
	pid_t pid = ctx_fork(), member;

	if (pid)
		return pid;
	if (setpgid(0, 0) || be_user(uid))
		_exit(1);
	while (--members > 0) {
		member = ctx_fork();
		if (!member)
			member_run();
		ctx_wait_in_syscall(member, member, SYS_pause);
	}
	member_run();
	_exit(0);
}

/* What the canceller pays where a group of @members is to be signalled. */
static __u64 cost_of_signals(struct __test_metadata *_metadata, FIXTURE_DATA(cost) *self,
			     int members)
{
	pid_t leader = group_start(USER_A, members), asker;
	int top = ctx_new(self->dev), told[2];
	bool good = false;
	__u64 took;

	EXPECT_EQ(0, ctx_wait_in_syscall(leader, leader, SYS_pause));
	EXPECT_EQ(0, pipe(told));
	asker = ctx_fork();
	if (!asker)
		ask_for_signals(top, USER_A, members > 1 ? -leader : leader, told[1]);
	EXPECT_EQ(sizeof(good), read(told[0], &good, sizeof(good)));
	EXPECT_TRUE(good);
	took = ctx_clock(CLOCK_MONOTONIC);
	EXPECT_EQ(0, ctx_cancel(top, CAUSE, NULL));
	took = ctx_clock(CLOCK_MONOTONIC) - took;
	kill(asker, SIGKILL);
	kill(-leader, SIGKILL);
	waitpid(asker, NULL, 0);
	waitpid(leader, NULL, 0);
	close(told[0]);
	close(told[1]);
	close(top);
	return took;
}

TEST_F_TIMEOUT(cost, signals_to_a_group_do_not_keep_who_cancels, 300)
{
	__u64 one, group, least = ~0ULL, least_group = ~0ULL;
	int i;

	for (i = 0; i < ATTEMPTS && (!i || least_group > 16 * least); i++) {
		one = cost_of_signals(_metadata, self, 1);
		group = cost_of_signals(_metadata, self, MEMBERS);
		ASSERT_TRUE(_metadata->passed);
		TH_LOG("with signals to a process it took %llu us, to %d of them %llu us",
		       one / 1000, MEMBERS, group / 1000);
		least = one < least ? one : least;
		least_group = group < least_group ? group : least_group;
	}
	/* The queue may have taken the processor in between. In the caller it were 40 times. */
	EXPECT_GE(16 * least, least_group);
}

TEST_HARNESS_MAIN
