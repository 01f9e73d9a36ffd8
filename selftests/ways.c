// SPDX-License-Identifier: GPL-2.0-only
/*
 * How far further parents may branch: a context has at most 1,024 different ways
 * up, and at most 16 edges to further parents in a row.
 */
#include "bounds.h"

#define WAYS		1024
#define DOUBLINGS	10	/* 2^10 ways */
#define EDGES		16

FIXTURE(ways) {
	int	dev;
	int	root;
	int	other;	/* root */
	int	doubled[DOUBLINGS + 1];	/* the n-th has 2^n ways up */
};

FIXTURE_SETUP(ways)
{
	int i;

	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	self->other = ctx_new(self->dev);
	self->doubled[0] = ctx_new(self->root);
	for (i = 1; i <= DOUBLINGS; i++) {
		/* The same parent twice is two ways. */
		self->doubled[i] = ctx_new_merged2(self->doubled[i - 1], self->doubled[i - 1]);
		ASSERT_LE(0, self->doubled[i]);
	}
}

FIXTURE_TEARDOWN(ways)
{
	close_all(self->doubled, DOUBLINGS + 1);
	close(self->other);
	close(self->root);
	close(self->dev);
}

TEST_F(ways, one_way_more_than_1024_gives_ELOOP)
{
	const int widest = self->doubled[DOUBLINGS];
	int other = ctx_new(self->dev), child;

	check_refused(widest, ELOOP, ctx_new_merged2(widest, other));
	check_refused(other, ELOOP, ctx_new_merged2(other, widest));
	check_refused(widest, ELOOP, ctx_new_merged2(widest, widest));
	/* A child has no more ways than its parent. */
	child = ctx_new(widest);
	ASSERT_LE(0, child);
	check_refused(child, ELOOP, ctx_new_merged2(child, other));
	close(child);
	close(other);
}

TEST_F(ways, 1024_of_them_are_possible)
{
	int parents[8], fd, all, i;

	/* 512 by the first parent, and 256 + ... + 4 + 2 */
	for (i = 0; i < 8; i++)
		parents[i] = self->doubled[DOUBLINGS - 2 - i];
	fd = ctx_new_merged(self->doubled[DOUBLINGS - 1], parents, 8);
	ASSERT_LE(0, fd);
	close(fd);
	parents[0] = self->doubled[DOUBLINGS - 1];
	parents[1] = self->root;
	check_refused(self->root, ELOOP,
		      ctx_new_merged(self->doubled[DOUBLINGS - 1], parents, 2));
	all = ctx_new_merged(self->doubled[DOUBLINGS - 1], parents, 1);
	ASSERT_LE(0, all);
	close(all);
}

TEST_F(ways, the_ways_of_all_parents_count_together)
{
	int parents[CTX_PARENTS_MAX], fd, i;

	/* 8 times 128, and one by the first parent */
	for (i = 0; i < CTX_PARENTS_MAX; i++)
		parents[i] = self->doubled[7];
	check_refused(self->root, ELOOP, ctx_new_merged(self->root, parents, CTX_PARENTS_MAX));
	fd = ctx_new_merged(self->root, parents, CTX_PARENTS_MAX - 1);
	ASSERT_LE(0, fd);
	close(fd);
	/* The background as the first parent is no way. */
	fd = ctx_new_merged(self->dev, parents, CTX_PARENTS_MAX);
	ASSERT_LE(0, fd);
	check_refused(fd, ELOOP, ctx_new_merged2(fd, self->root));
	close(fd);
}

/* CTX_CREATE_WITHOUT_CANCEL: what its parent is below of does not reach it. */
TEST_F(ways, a_parent_whose_cancellation_is_not_taken_is_no_way)
{
	int widest = self->doubled[DOUBLINGS], other = ctx_new(self->dev);
	struct ctx_create_args args = {
		.flags = CTX_CREATE_WITHOUT_CANCEL,
		.parents = (uintptr_t)&other,
		.nr_parents = 1,
	};
	int kept = ctx_create(widest, &args), below;

	ASSERT_LE(0, kept);
	args.parents = (uintptr_t)&widest;
	below = ctx_create(widest, &args);
	ASSERT_LE(0, below);
	check_refused(below, ELOOP, ctx_new_merged2(below, other));
	close(below);
	close(kept);
	close(other);
}

/* Contexts one over a further edge below another; @nr of them below @root. */
static bool row_make(int *row, int root, int dev, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		row[i] = ctx_new_merged2(dev, i ? row[i - 1] : root);
		if (row[i] < 0)
			return false;
	}
	return true;
}

TEST_F(ways, more_than_16_edges_in_a_row_give_ELOOP)
{
	int row[EDGES], child, merged;

	ASSERT_TRUE(row_make(row, self->root, self->dev, EDGES));
	check_refused(self->root, ELOOP, ctx_new_merged2(self->dev, row[EDGES - 1]));
	check_refused(self->root, ELOOP, ctx_new_merged2(self->root, row[EDGES - 1]));
	/* Contexts in between make it no shorter. */
	child = ctx_new(row[EDGES - 1]);
	ASSERT_LE(0, child);
	check_refused(child, ELOOP, ctx_new_merged2(self->dev, child));
	/* This row is not longer, but the second by its side is as long. */
	merged = ctx_new_merged2(child, row[EDGES - 2]);
	ASSERT_LE(0, merged);
	check_refused(merged, ELOOP, ctx_new_merged2(self->dev, merged));
	close(merged);
	close(child);
	close_all(row, EDGES);
}

TEST_F(ways, an_edge_below_a_row_by_the_first_parent_is_no_part_of_it)
{
	int row[EDGES], chain[100], other = ctx_new(self->dev), i;

	ASSERT_TRUE(row_make(row, self->root, self->dev, EDGES));
	for (i = 0; i < 100; i++) {
		chain[i] = ctx_new_merged2(i ? chain[i - 1] : row[EDGES - 1], other);
		ASSERT_LE(0, chain[i]);
	}
	EXPECT_EQ(0, ctx_cancel(other, EIO, NULL));
	for (i = 0; i < 100; i++)
		check_cancelled(chain[i], ECANCELED, EIO, ctx_id(other));
	check_alive(row[EDGES - 1]);
	close_all(chain, 100);
	close(other);
	close_all(row, EDGES);
}

TEST_F(ways, the_background_as_a_further_parent_is_neither_way_nor_edge)
{
	int parents[CTX_PARENTS_MAX], last = ctx_new_detached(self->dev), next, i;

	for (i = 0; i < CTX_PARENTS_MAX; i++)
		parents[i] = self->dev;
	for (i = 0; i < 200; i++) {
		next = ctx_create(last, &(struct ctx_create_args){
			.flags = CTX_CREATE_DETACHED,
			.parents = (uintptr_t)parents,
			.nr_parents = CTX_PARENTS_MAX,
		});
		ASSERT_LE(0, next);
		close(last);
		last = next;
	}
	check_info(last, depth, 200);
	/* All but one of the ways, and the row, are still to be had. */
	next = ctx_new_merged2(last, self->doubled[DOUBLINGS - 1]);
	ASSERT_LE(0, next);
	close(next);
	check_refused(last, ELOOP, ctx_new_merged2(last, self->doubled[DOUBLINGS]));
	close(last);
}

TEST_F(ways, the_deadline_of_every_way_is_told)
{
	const __u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;
	int child = ctx_new(self->doubled[DOUBLINGS]), i;

	EXPECT_EQ(0, ctx_set_deadline(self->root, CLOCK_MONOTONIC, when));
	check_info(child, deadline, when);
	for (i = 0; i <= DOUBLINGS; i++) {
		EXPECT_EQ(0, ctx_set_deadline(self->doubled[i], CLOCK_MONOTONIC, when - i - 1));
		check_info(child, deadline, when - i - 1);
	}
	close(child);
}

TEST_F(ways, a_row_of_edges_is_cancelled_whole)
{
	int row[EDGES], i;

	ASSERT_TRUE(row_make(row, self->root, self->dev, EDGES));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	for (i = 0; i < EDGES; i++)
		check_cancelled(row[i], ECANCELED, EIO, ctx_id(self->root));
	for (i = 0; i <= DOUBLINGS; i++)
		check_cancelled(self->doubled[i], ECANCELED, EIO, ctx_id(self->root));
	close_all(row, EDGES);
}

/*
 * A turn of the queue begins at the top, and passes all edges of a row again: however deep
 * their children stand by their first parents, it comes further each time.
 */
TEST_F_TIMEOUT(ways, a_row_of_edges_to_deep_contexts_is_told_by_the_queue, 120)
{
	char before[16];
	int row[EDGES], last, first, i;

	snprintf(before, sizeof(before), "%ld", ctx_max_depth());
	if (ctx_write_file("/sys/module/ctx/parameters", "max_depth", "4096"))
		SKIP(return, "needs the privilege to set max_depth");
	last = chain_make(self->root, 3000);
	ASSERT_LE(0, last);
	for (i = 0; i < EDGES; i++) {
		/* No two have the same first parent, a look up from which is spared. */
		first = chain_make(last, 1);
		row[i] = ctx_new_merged2(first, i ? row[i - 1] : self->other);
		EXPECT_LE(0, row[i]);
		close(first);
	}
	ctx_write_file("/sys/module/ctx/parameters", "max_depth", before);
	EXPECT_EQ(0, ctx_set_timeout(self->other, NSEC_PER_MSEC));
	check_becomes_cancelled(row[EDGES - 1], ETIMEDOUT, ETIMEDOUT, ctx_id(self->other));
	check_alive(last);
	/* Where it was not told, the queue would be at it for ever. */
	ctx_cancel(self->other, EIO, NULL);
	close(last);
	close_all(row, EDGES);
}

/* From the middle: what is above lives on. */
TEST_F(ways, the_widest_web_is_cancelled_from_its_middle)
{
	int i, middle = DOUBLINGS / 2;

	EXPECT_EQ(0, ctx_cancel(self->doubled[middle], EIO, NULL));
	for (i = 0; i <= DOUBLINGS; i++)
		if (i < middle)
			check_alive(self->doubled[i]);
		else
			check_cancelled(self->doubled[i], ECANCELED, EIO,
					ctx_id(self->doubled[middle]));
	check_alive(self->root);
}

TEST_HARNESS_MAIN
