// SPDX-License-Identifier: GPL-2.0-only
/*
 * Further parents: a context with several is cancelled with the first of them.
 */
#include "ctx_features.h"

FIXTURE(merge) {
	int dev;
	int parent[4];	/* roots; the first is the one to create on */
	int merged;	/* below all four */
	int child;	/* of @merged */
};

FIXTURE_SETUP(merge)
{
	int i;

	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	for (i = 0; i < 4; i++) {
		self->parent[i] = ctx_new(self->dev);
		ASSERT_LE(0, self->parent[i]);
	}
	self->merged = ctx_new_merged(self->parent[0], self->parent + 1, 3);
	ASSERT_LE(0, self->merged);
	self->child = ctx_new(self->merged);
	ASSERT_LE(0, self->child);
}

FIXTURE_TEARDOWN(merge)
{
	int i;

	close(self->child);
	close(self->merged);
	for (i = 0; i < 4; i++)
		close(self->parent[i]);
	close(self->dev);
}

TEST_F(merge, a_merged_context_is_alive_while_all_its_parents_are)
{
	int i;

	check_alive(self->merged);
	check_alive(self->child);
	check_info(self->merged, parent_id, ctx_id(self->parent[0]));
	check_info(self->merged, depth, 1);
	check_info(self->merged, deadline, 0);
	check_info(self->child, depth, 2);
	for (i = 0; i < 4; i++)
		check_alive(self->parent[i]);
}

/* The parent at each position, with its cause and message. */
static void cancelled_with(struct __test_metadata *_metadata, FIXTURE_DATA(merge) *self, int nth)
{
	int i;

	EXPECT_EQ(0, ctx_cancel(self->parent[nth], 100 + nth, "this one"));
	check_cancelled(self->merged, ECANCELED, 100 + nth, ctx_id(self->parent[nth]));
	check_cancelled(self->child, ECANCELED, 100 + nth, ctx_id(self->parent[nth]));
	check_message(self->merged, "this one");
	check_message(self->child, "this one");
	for (i = 0; i < 4; i++) {
		if (i == nth)
			continue;
		check_alive(self->parent[i]);
		/* It is final: those that come later change nothing. */
		EXPECT_EQ(0, ctx_cancel(self->parent[i], 200 + i, "too late"));
		check_cancelled(self->merged, ECANCELED, 100 + nth, ctx_id(self->parent[nth]));
		check_cancelled(self->parent[i], ECANCELED, 200 + i, ctx_id(self->parent[i]));
	}
	check_message(self->merged, "this one");
}

TEST_F(merge, the_parent_it_was_created_on_cancels_it)
{
	cancelled_with(_metadata, self, 0);
}

TEST_F(merge, the_first_further_parent_cancels_it)
{
	cancelled_with(_metadata, self, 1);
}

TEST_F(merge, a_further_parent_in_the_middle_cancels_it)
{
	cancelled_with(_metadata, self, 2);
}

TEST_F(merge, the_last_further_parent_cancels_it)
{
	cancelled_with(_metadata, self, 3);
}

TEST_F(merge, its_own_cancellation_reaches_none_of_its_parents)
{
	int i;

	EXPECT_EQ(0, ctx_cancel(self->merged, EIO, NULL));
	check_cancelled(self->child, ECANCELED, EIO, ctx_id(self->merged));
	for (i = 0; i < 4; i++)
		check_alive(self->parent[i]);
	EXPECT_EQ(0, ctx_cancel(self->parent[2], EPERM, NULL));
	check_cancelled(self->merged, ECANCELED, EIO, ctx_id(self->merged));
}

TEST_F(merge, an_ancestor_of_a_further_parent_cancels_it)
{
	int chain[5] = { ctx_new(self->dev) }, merged, i;

	for (i = 1; i < 5; i++)
		chain[i] = ctx_new(chain[i - 1]);
	merged = ctx_new_merged2(self->parent[0], chain[4]);
	ASSERT_LE(0, merged);
	EXPECT_EQ(0, ctx_cancel(chain[0], EIO, NULL));
	check_cancelled(merged, ECANCELED, EIO, ctx_id(chain[0]));
	close(merged);
	for (i = 0; i < 5; i++)
		close(chain[i]);
}

TEST_F(merge, eight_further_parents_are_possible_and_nine_are_not)
{
	int parents[CTX_PARENTS_MAX + 1], merged, i, nth;

	for (nth = 0; nth < CTX_PARENTS_MAX; nth++) {
		for (i = 0; i <= CTX_PARENTS_MAX; i++)
			parents[i] = ctx_new(self->dev);
		merged = ctx_new_merged(self->dev, parents, CTX_PARENTS_MAX);
		ASSERT_LE(0, merged);
		check_refused(self->parent[0], EINVAL,
			      ctx_new_merged(self->parent[0], parents, CTX_PARENTS_MAX + 1));
		EXPECT_EQ(0, ctx_cancel(parents[CTX_PARENTS_MAX], 0, NULL));
		check_alive(merged);
		EXPECT_EQ(0, ctx_cancel(parents[nth], EIO, NULL));
		check_cancelled(merged, ECANCELED, EIO, ctx_id(parents[nth]));
		close(merged);
		for (i = 0; i <= CTX_PARENTS_MAX; i++)
			close(parents[i]);
	}
	check_refused(self->parent[0], EINVAL, ctx_new_merged(self->parent[0], parents, ~0U));
}

TEST_F(merge, what_is_no_context_is_no_further_parent)
{
	int parents[] = { self->parent[1], -1 }, end[2];

	ASSERT_EQ(0, pipe(end));
	check_refused(self->parent[0], EBADF, ctx_new_merged(self->parent[0], parents, 2));
	parents[1] = 1 << 20;
	check_refused(self->parent[0], EBADF, ctx_new_merged(self->parent[0], parents, 2));
	parents[1] = end[0];
	check_refused(self->parent[0], EINVAL, ctx_new_merged(self->parent[0], parents, 2));
	parents[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	check_refused(self->parent[0], EINVAL, ctx_new_merged(self->parent[0], parents, 2));
	close(parents[1]);
	/* What was taken before the bad one was let go: so its end is its end. */
	check_info(self->parent[1], nr_children, 0);
}

TEST_F(merge, a_descriptor_open_for_its_path_alone_is_no_further_parent)
{
	int path = open("/dev/ctx", O_PATH | O_CLOEXEC);

	ASSERT_LE(0, path);
	check_refused(self->parent[0], EBADF, ctx_new_merged2(self->parent[0], path));
	close(path);
}

TEST_F(merge, a_bad_pointer_to_the_further_parents_gives_efault)
{
	int *edge = (int *)ctx_edge_of_memory();

	ASSERT_NE(NULL, edge);
	check_refused(self->parent[0], EFAULT, ctx_new_merged(self->parent[0], edge, 1));
	edge[-1] = self->parent[1];
	check_refused(self->parent[0], EFAULT, ctx_new_merged(self->parent[0], edge - 1, 2));
	check_refused(self->parent[0], EFAULT, ctx_new_merged(self->parent[0], NULL, 1));
	EXPECT_LE(0, ctx_new_merged(self->parent[0], edge - 1, 1));
}

TEST_F(merge, the_background_as_a_further_parent_changes_nothing)
{
	int merged = ctx_new_merged2(self->parent[0], self->dev);

	ASSERT_LE(0, merged);
	check_alive(merged);
	check_info(merged, depth, 1);
	check_info(merged, deadline, 0);
	EXPECT_EQ(0, ctx_cancel(self->parent[0], EIO, NULL));
	check_cancelled(merged, ECANCELED, EIO, ctx_id(self->parent[0]));
	close(merged);
}

TEST_F(merge, a_root_may_have_further_parents)
{
	int merged = ctx_new_merged(self->dev, self->parent, 2);

	ASSERT_LE(0, merged);
	check_alive(merged);
	check_info(merged, parent_id, 0);
	EXPECT_EQ(0, ctx_cancel(self->parent[1], EIO, NULL));
	check_cancelled(merged, ECANCELED, EIO, ctx_id(self->parent[1]));
	close(merged);
}

TEST_F(merge, the_same_parent_may_be_given_more_than_once)
{
	int same[] = { self->parent[1], self->parent[0], self->parent[1] };
	int merged = ctx_new_merged(self->parent[0], same, 3);

	ASSERT_LE(0, merged);
	check_alive(merged);
	EXPECT_EQ(0, ctx_cancel(self->parent[1], EIO, NULL));
	check_cancelled(merged, ECANCELED, EIO, ctx_id(self->parent[1]));
	close(merged);
	/* And once more from the side of the first. */
	same[0] = same[2] = self->parent[2];
	merged = ctx_new_merged(self->parent[0], same, 3);
	EXPECT_EQ(0, ctx_cancel(self->parent[0], EPERM, NULL));
	check_cancelled(merged, ECANCELED, EPERM, ctx_id(self->parent[0]));
	close(merged);
}

TEST_F(merge, a_cancelled_further_parent_makes_it_cancelled)
{
	int merged;

	EXPECT_EQ(0, ctx_cancel(self->parent[3], EIO, "over"));
	merged = ctx_new_merged(self->parent[0], (int []){ self->parent[1], self->parent[3] }, 2);
	ASSERT_LE(0, merged);
	check_cancelled(merged, ECANCELED, EIO, ctx_id(self->parent[3]));
	check_message(merged, "over");
	check_alive(self->parent[0]);
	close(merged);
}

TEST_F(merge, a_context_below_a_cancelled_further_parent_makes_it_cancelled)
{
	int below = ctx_new(self->parent[3]), merged;

	/* Nobody has told, nor asked, @below yet. */
	EXPECT_EQ(0, ctx_cancel(self->parent[3], EIO, NULL));
	merged = ctx_new_merged2(self->dev, below);
	check_cancelled(merged, ECANCELED, EIO, ctx_id(self->parent[3]));
	close(merged);
	close(below);
}

TEST_F(merge, a_watch_descriptor_is_a_further_parent)
{
	int watch = ctx_watch(self->parent[1], 0);
	int merged = ctx_new_merged2(self->parent[0], watch);

	ASSERT_LE(0, merged);
	close(watch);
	check_alive(merged);
	EXPECT_EQ(0, ctx_cancel(self->parent[1], EIO, NULL));
	check_cancelled(merged, ECANCELED, EIO, ctx_id(self->parent[1]));
	close(merged);
}

TEST_F(merge, values_come_from_the_first_parent_alone)
{
	int first = ctx_new_value(self->dev, "first", "1");
	int further = ctx_new_value(self->dev, "further", "2");
	int merged = ctx_new_merged2(first, further);
	int child = ctx_new(merged);

	ASSERT_LE(0, child);
	check_value(merged, "first", "1");
	check_value(child, "first", "1");
	check_no_value(merged, "further");
	check_no_value(child, "further");
	close(child);
	close(merged);
	close(further);
	close(first);
}

TEST_F(merge, the_deadline_is_the_earliest_of_all_parents_and_its_own)
{
	__u64 now = ctx_clock(CLOCK_MONOTONIC);

	EXPECT_EQ(0, ctx_set_deadline(self->parent[0], CLOCK_MONOTONIC, now + 5 * HOUR));
	check_info(self->merged, deadline, now + 5 * HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->parent[2], CLOCK_MONOTONIC, now + 4 * HOUR));
	check_info(self->merged, deadline, now + 4 * HOUR);
	check_info(self->child, deadline, now + 4 * HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->merged, CLOCK_MONOTONIC, now + 3 * HOUR));
	check_info(self->merged, deadline, now + 3 * HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->child, CLOCK_MONOTONIC, now + 6 * HOUR));
	check_info(self->child, deadline, now + 3 * HOUR);
	/* And at once back to what is left. */
	EXPECT_EQ(0, ctx_set_deadline(self->merged, CLOCK_MONOTONIC, 0));
	check_info(self->merged, deadline, now + 4 * HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->parent[2], CLOCK_MONOTONIC, now + 7 * HOUR));
	check_info(self->merged, deadline, now + 5 * HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->parent[0], CLOCK_MONOTONIC, 0));
	check_info(self->merged, deadline, now + 7 * HOUR);
	check_info(self->child, deadline, now + 6 * HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->parent[2], CLOCK_MONOTONIC, 0));
	check_info(self->merged, deadline, 0);
}

TEST_F(merge, the_deadline_of_a_further_parents_ancestor_counts)
{
	int below = ctx_new(self->parent[1]);
	int merged = ctx_new_merged2(self->dev, below);
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;

	ASSERT_LE(0, merged);
	EXPECT_EQ(0, ctx_set_deadline(self->parent[1], CLOCK_MONOTONIC, when));
	check_info(merged, deadline, when);
	close(merged);
	close(below);
}

TEST_F(merge, the_deadline_of_a_further_parent_cancels_it)
{
	struct ctx_reader reader;

	ASSERT_EQ(0, ctx_reader_start(&reader, self->child));
	EXPECT_EQ(0, ctx_set_timeout(self->parent[3], NSEC_PER_MSEC));
	ASSERT_EQ(0, ctx_reader_join(&reader));
	EXPECT_EQ(ETIMEDOUT, reader.event.err);
	check_becomes_cancelled(self->merged, ETIMEDOUT, ETIMEDOUT, ctx_id(self->parent[3]));
	check_cancelled(self->child, ETIMEDOUT, ETIMEDOUT, ctx_id(self->parent[3]));
	check_alive(self->parent[0]);
}

TEST_F(merge, its_own_deadline_reaches_none_of_its_parents)
{
	int merged = ctx_new_merged2(self->parent[0], self->parent[1]);

	EXPECT_EQ(0, ctx_set_timeout(merged, NSEC_PER_MSEC));
	check_becomes_cancelled(merged, ETIMEDOUT, ETIMEDOUT, ctx_id(merged));
	check_alive(self->parent[0]);
	check_alive(self->parent[1]);
	EXPECT_EQ(0, ctx_cancel(self->parent[1], EIO, NULL));
	check_cancelled(merged, ETIMEDOUT, ETIMEDOUT, ctx_id(merged));
	close(merged);
}

/* So many that nobody is through with them at once. */
#define MANY		600

/* Whoever is woken by a deadline cancels above it, while what is merged below is yet to be told. */
TEST_F(merge, a_cancellation_from_above_leaves_what_a_deadline_has_reached)
{
	int root, late, i, round, merged[MANY];
	__u64 id;

	for (round = 0; round < 10; round++) {
		root = ctx_new(self->dev);
		late = ctx_new(root);
		id = ctx_id(late);
		for (i = 0; i < MANY; i++) {
			merged[i] = ctx_new_merged2(self->parent[0], late);
			ASSERT_LE(0, merged[i]);
			ctx_unmap(ctx_map(merged[i]));
		}
		EXPECT_EQ(0, ctx_set_timeout(late, NSEC_PER_MSEC));
		EXPECT_LT(0, ctx_poll(late, CTX_WAIT_MS));
		EXPECT_EQ(0, ctx_cancel(root, EIO, NULL));
		check_cancelled(root, ECANCELED, EIO, ctx_id(root));
		check_cancelled(late, ETIMEDOUT, ETIMEDOUT, id);
		for (i = 0; i < MANY; i++) {
			check_cancelled(merged[i], ETIMEDOUT, ETIMEDOUT, id);
			close(merged[i]);
		}
		close(late);
		close(root);
	}
	check_alive(self->parent[0]);
}

TEST_F(merge, the_release_of_a_further_parent_cancels_it)
{
	__u64 id = ctx_id(self->parent[2]);

	close(self->parent[2]);
	self->parent[2] = -1;
	check_cancelled(self->merged, ECANCELED, EOWNERDEAD, id);
	check_cancelled(self->child, ECANCELED, EOWNERDEAD, id);
}

TEST_F(merge, the_end_of_the_process_that_has_a_further_parent_cancels_it)
{
	int sock[2], further, merged;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	in_child(pid) {
		/* It gives away a watch alone, and waits for its end. */
		further = ctx_new(self->dev);
		EXPECT_EQ(0, ctx_send_fd(sock[1], ctx_watch(further, 0)));
		pause();
	}
	further = ctx_recv_fd(sock[0]);
	ASSERT_LE(0, further);
	merged = ctx_new_merged2(self->parent[0], further);
	ASSERT_LE(0, merged);
	check_alive(merged);
	kill(pid, SIGKILL);
	check_becomes_cancelled(merged, ECANCELED, EOWNERDEAD, ctx_id(further));
	waitpid(pid, NULL, 0);
	close(merged);
	close(further);
}

TEST_F(merge, its_own_release_leaves_its_parents_alone)
{
	int i;

	close(self->merged);
	self->merged = -1;
	check_cancelled(self->child, ECANCELED, EOWNERDEAD,
			({ struct ctx_info info; ctx_info(self->child, &info); info.parent_id; }));
	for (i = 0; i < 4; i++)
		check_alive(self->parent[i]);
}

TEST_F(merge, the_merged_context_keeps_a_closed_parent_alive)
{
	int further = ctx_new_detached(self->dev), watch = ctx_watch(further, 0), merged;
	__u64 id = ctx_id(further);

	merged = ctx_new_merged2(self->parent[0], further);
	ASSERT_LE(0, merged);
	EXPECT_EQ(0, ctx_set_timeout(further, 50 * NSEC_PER_MSEC));
	/* No descriptor of it is left; its deadline still comes. */
	close(further);
	close(watch);
	check_becomes_cancelled(merged, ETIMEDOUT, ETIMEDOUT, id);
	close(merged);
}

TEST_F(merge, when_cancel_returns_the_subtree_below_a_further_parent_was_woken)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fds[60], i, nr;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got[60];

	/* Three under the merged context, and so on: some levels. */
	for (i = 0; i < 60; i++) {
		fds[i] = ctx_new(i < 3 ? self->merged : fds[i / 3 - 1]);
		ASSERT_LE(0, fds[i]);
		event.data.u32 = i;
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event));
	}
	EXPECT_EQ(0, epoll_wait(ep, got, 60, 0));
	EXPECT_EQ(0, ctx_cancel(self->parent[3], EIO, NULL));
	/* Edge-triggered: what a wake-up put there, and nothing else. */
	nr = epoll_wait(ep, got, 60, 0);
	EXPECT_EQ(60, nr);
	for (i = 0; i < 60; i++) {
		check_cancelled(fds[i], ECANCELED, EIO, ctx_id(self->parent[3]));
		close(fds[i]);
	}
	close(ep);
}

TEST_F(merge, a_merge_of_merges_is_cancelled_from_each_end)
{
	int nth, i, ends[8], middle[2], top, leaf;

	for (nth = 0; nth < 8; nth++) {
		for (i = 0; i < 8; i++)
			ends[i] = ctx_new(self->dev);
		middle[0] = ctx_new_merged(ends[0], ends + 1, 3);
		middle[1] = ctx_new_merged(ends[4], ends + 5, 3);
		top = ctx_new_merged2(middle[0], middle[1]);
		leaf = ctx_new(top);
		ASSERT_LE(0, leaf);
		check_info(leaf, depth, 3);
		EXPECT_EQ(0, ctx_cancel(ends[nth], EIO, NULL));
		check_cancelled(leaf, ECANCELED, EIO, ctx_id(ends[nth]));
		check_cancelled(top, ECANCELED, EIO, ctx_id(ends[nth]));
		check_cancelled(middle[nth / 4], ECANCELED, EIO, ctx_id(ends[nth]));
		check_alive(middle[!(nth / 4)]);
		close(leaf);
		close(top);
		close(middle[0]);
		close(middle[1]);
		for (i = 0; i < 8; i++)
			close(ends[i]);
	}
}

TEST_F(merge, a_diamond_is_cancelled_from_its_top_and_its_sides)
{
	int nth, top, side[2], bottom, leaf, cancelled;

	for (nth = 0; nth < 3; nth++) {
		top = ctx_new(self->dev);
		side[0] = ctx_new(top);
		side[1] = ctx_new(top);
		bottom = ctx_new_merged2(side[0], side[1]);
		leaf = ctx_new(bottom);
		ASSERT_LE(0, leaf);
		cancelled = nth == 2 ? top : side[nth];
		EXPECT_EQ(0, ctx_cancel(cancelled, EIO, NULL));
		check_cancelled(bottom, ECANCELED, EIO, ctx_id(cancelled));
		check_cancelled(leaf, ECANCELED, EIO, ctx_id(cancelled));
		if (nth == 2) {
			check_cancelled(side[0], ECANCELED, EIO, ctx_id(top));
			check_cancelled(side[1], ECANCELED, EIO, ctx_id(top));
		} else {
			check_alive(side[!nth]);
			check_alive(top);
		}
		close(leaf);
		close(bottom);
		close(side[0]);
		close(side[1]);
		close(top);
	}
}

/* Each level is merged of the level above, twice: 2^10 ways to the top. */
TEST_F(merge, diamonds_on_diamonds_are_cancelled_from_their_top)
{
	int left[11] = { ctx_new(self->dev) }, right[11] = { ctx_new(left[0]) }, i;
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;

	for (i = 1; i < 11; i++) {
		left[i] = ctx_new_merged2(left[i - 1], right[i - 1]);
		right[i] = ctx_new_merged2(right[i - 1], left[i - 1]);
		ASSERT_LE(0, right[i]);
	}
	EXPECT_EQ(0, ctx_set_deadline(left[0], CLOCK_MONOTONIC, when));
	check_info(left[10], deadline, when);
	check_info(right[10], deadline, when);
	EXPECT_EQ(0, ctx_cancel(left[0], EIO, NULL));
	for (i = 0; i < 11; i++) {
		check_cancelled(left[i], ECANCELED, EIO, ctx_id(left[0]));
		check_cancelled(right[i], ECANCELED, EIO, ctx_id(left[0]));
	}
	while (i--) {
		close(left[i]);
		close(right[i]);
	}
}

TEST_F(merge, it_is_deeper_than_each_of_its_parents)
{
	int deep = ctx_new(self->dev), next, merged, i;

	for (i = 0; i < 10; i++) {
		next = ctx_new_detached(deep);
		close(i ? deep : -1);
		deep = next;
	}
	check_info(deep, depth, 10);
	merged = ctx_new_merged2(self->parent[0], deep);
	check_info(merged, depth, 11);
	check_info(merged, parent_id, ctx_id(self->parent[0]));
	close(merged);
	merged = ctx_new_merged2(deep, self->parent[0]);
	check_info(merged, depth, 11);
	close(merged);
	close(deep);
}

TEST_F(merge, a_further_parent_that_is_too_deep_gives_eloop)
{
	long max_depth = ctx_max_depth();
	int deep = ctx_new(self->dev), root = deep, above = -1, next;
	struct ctx_info info;

	ASSERT_LT(1, max_depth);
	for (;;) {
		next = ctx_new_detached(deep);
		if (next < 0)
			break;
		if (above != root)
			close(above);
		above = deep;
		deep = next;
	}
	EXPECT_EQ(ELOOP, errno);
	ASSERT_EQ(0, ctx_info(deep, &info));
	EXPECT_EQ(max_depth, info.depth);
	check_refused(self->parent[0], ELOOP, ctx_new_merged2(self->parent[0], deep));
	check_refused(self->parent[0], ELOOP,
		      ctx_new_merged(self->parent[0], (int []){ self->parent[1], deep }, 2));
	check_refused(self->parent[0], ELOOP, ctx_new_merged2(self->dev, deep));
	/* One level up there is room for one. */
	next = ctx_new_merged2(self->parent[0], above);
	ASSERT_LE(0, next);
	check_info(next, depth, max_depth);
	check_errno(ELOOP, ctx_new(next));
	EXPECT_EQ(0, ctx_cancel(root, EIO, NULL));
	check_cancelled(next, ECANCELED, EIO, ctx_id(root));
	close(next);
	close(above);
	close(deep);
	close(root);
}

TEST_F(merge, only_the_parent_it_was_created_on_counts_it_as_a_child)
{
	check_info(self->parent[0], nr_children, 1);
	check_info(self->parent[1], nr_children, 0);
	EXPECT_EQ(0, ctx_cancel(self->parent[1], 0, NULL));
	check_info(self->parent[0], nr_children, 0);
}

/* The lists of long-lived parents must not grow, nor the memory that stays. */
#define TURNS	5000

TEST_F_TIMEOUT(merge, what_was_merged_leaves_nothing_at_long_lived_parents, 300)
{
	long before = 0, after;
	char path[64];
	int merged, i;

	if (ctx_memcg_enter(path, sizeof(path)))
		SKIP(return, "there is no memory controller at " CTX_CGROUP_ROOT);
	/* After the first, which take what is kept for reuse. */
	for (i = 0; i < TURNS; i++) {
		if (i == TURNS / 10)
			before = ctx_memcg_bytes(path);
		merged = ctx_new_merged2(self->parent[0], self->parent[1]);
		if (i % 3 == 0)
			ctx_cancel(merged, 0, NULL);
		if (merged < 0 || close(merged))
			break;
	}
	ASSERT_EQ(TURNS, i);
	after = ctx_memcg_bytes(path);
	/* A leak would be some 2 MiB. */
	EXPECT_GT(1L << 20, after - before);
	check_info(self->parent[0], nr_children, 1);
	EXPECT_EQ(0, ctx_cancel(self->parent[1], 0, NULL));
	check_cancelled(self->merged, ECANCELED, ECANCELED, ctx_id(self->parent[1]));
	ctx_memcg_leave(path);
}

TEST_HARNESS_MAIN
