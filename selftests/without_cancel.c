// SPDX-License-Identifier: GPL-2.0-only
/*
 * Detaching: a child made CTX_CREATE_WITHOUT_CANCEL has its parent's values, and
 * neither its cancellation nor its deadline.
 */
#include "ctx_features.h"

FIXTURE(without_cancel) {
	int dev;
	int parent;
	int kept;
};

FIXTURE_SETUP(without_cancel)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->parent = ctx_new_value(self->dev, "user", "bob");
	ASSERT_LE(0, self->parent);
	self->kept = ctx_new_kept(self->parent);
	ASSERT_LE(0, self->kept);
}

FIXTURE_TEARDOWN(without_cancel)
{
	close(self->kept);
	close(self->parent);
	close(self->dev);
}

TEST_F(without_cancel, the_parents_cancellation_does_not_reach_it)
{
	EXPECT_EQ(0, ctx_cancel(self->parent, EIO, "stop"));
	check_cancelled(self->parent, ECANCELED, EIO, ctx_id(self->parent));
	check_alive(self->kept);
}

TEST_F(without_cancel, its_own_cancellation_is_its_own)
{
	EXPECT_EQ(0, ctx_cancel(self->kept, EIO, NULL));
	check_cancelled(self->kept, ECANCELED, EIO, ctx_id(self->kept));
	check_alive(self->parent);
}

TEST_F(without_cancel, it_says_so_in_its_flags_parent_and_depth)
{
	check_info(self->kept, flags, CTX_CREATE_WITHOUT_CANCEL);
	check_info(self->kept, parent_id, ctx_id(self->parent));
	check_info(self->kept, depth, 1);
	EXPECT_EQ(0, ctx_cancel(self->parent, 0, NULL));
	check_info(self->kept, parent_id, ctx_id(self->parent));
	check_info(self->kept, depth, 1);
}

TEST_F(without_cancel, it_has_the_parents_values)
{
	int child = ctx_new(self->kept);

	check_value(self->kept, "user", "bob");
	check_value(child, "user", "bob");
	EXPECT_EQ(0, ctx_cancel(self->parent, 0, NULL));
	check_value(self->kept, "user", "bob");
	close(self->parent);
	self->parent = -1;
	check_value(self->kept, "user", "bob");
	check_value(child, "user", "bob");
	close(child);
}

TEST_F(without_cancel, the_parents_deadline_is_not_its_own)
{
	int parent = ctx_new_timeout(self->dev, HOUR);
	int kept = ctx_new_kept(parent);
	int child = ctx_new(kept);

	ASSERT_LE(0, child);
	check_info(kept, deadline, 0);
	check_info(child, deadline, 0);
	EXPECT_EQ(0, ctx_set_timeout(parent, 2 * HOUR));
	check_info(kept, deadline, 0);
	/* The parent's comes. */
	EXPECT_EQ(0, ctx_set_timeout(parent, 0));
	check_becomes_cancelled(parent, ETIMEDOUT, ETIMEDOUT, ctx_id(parent));
	check_alive(kept);
	check_alive(child);
	close(child);
	close(kept);
	close(parent);
}

TEST_F(without_cancel, a_deadline_of_its_own_counts)
{
	int fd = ctx_create(self->parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_WITHOUT_CANCEL | CTX_CREATE_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.deadline = 1,
	});

	ASSERT_LE(0, fd);
	check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	check_alive(self->parent);
	close(fd);

	EXPECT_EQ(0, ctx_set_timeout(self->kept, HOUR));
	check_alive(self->kept);
	EXPECT_EQ(0, ctx_set_timeout(self->kept, 0));
	check_becomes_cancelled(self->kept, ETIMEDOUT, ETIMEDOUT, ctx_id(self->kept));
}

TEST_F(without_cancel, it_is_made_alive_below_a_cancelled_parent)
{
	int kept, child;

	EXPECT_EQ(0, ctx_cancel(self->parent, 0, NULL));
	kept = ctx_new_kept(self->parent);
	ASSERT_LE(0, kept);
	check_alive(kept);
	check_value(kept, "user", "bob");
	child = ctx_new(kept);
	check_alive(child);
	close(child);
	close(kept);
}

TEST_F(without_cancel, the_cancellation_of_a_grandparent_stops_there_too)
{
	int child = ctx_new(self->parent);
	int kept = ctx_new_kept(child);
	int ordinary = ctx_new(kept);
	int grandchild = ctx_new(ordinary);

	ASSERT_LE(0, grandchild);
	EXPECT_EQ(0, ctx_cancel(self->parent, 0, NULL));
	check_cancelled(child, ECANCELED, ECANCELED, ctx_id(self->parent));
	check_alive(kept);
	check_alive(ordinary);
	check_alive(grandchild);
	close(grandchild);
	close(ordinary);
	close(kept);
	close(child);
}

TEST_F(without_cancel, its_children_are_cancelled_with_it)
{
	int child = ctx_new(self->kept), grandchild = ctx_new(child);
	struct ctx_reader reader;

	ASSERT_LE(0, grandchild);
	ASSERT_EQ(0, ctx_reader_start(&reader, grandchild));
	EXPECT_EQ(0, ctx_cancel(self->parent, EPERM, NULL));
	check_alive(grandchild);
	EXPECT_EQ(0, ctx_cancel(self->kept, EIO, NULL));
	check_cancelled(child, ECANCELED, EIO, ctx_id(self->kept));
	check_cancelled(grandchild, ECANCELED, EIO, ctx_id(self->kept));
	ASSERT_EQ(0, ctx_reader_join(&reader));
	EXPECT_EQ(EIO, reader.event.cause);
	check_cancelled(self->parent, ECANCELED, EPERM, ctx_id(self->parent));
	close(grandchild);
	close(child);
}

TEST_F(without_cancel, the_parent_counts_it_after_its_own_cancellation_too)
{
	int plain = ctx_new(self->parent), second;

	check_info(self->parent, nr_children, 2);
	EXPECT_EQ(0, ctx_cancel(self->parent, 0, NULL));
	check_info(self->parent, nr_children, 1);
	second = ctx_new_kept(self->parent);
	check_info(self->parent, nr_children, 2);
	EXPECT_EQ(0, ctx_cancel(self->kept, 0, NULL));
	check_info(self->parent, nr_children, 1);
	close(second);
	check_info(self->parent, nr_children, 0);
	close(plain);
}

TEST_F(without_cancel, the_release_of_the_parent_does_not_reach_it)
{
	close(self->parent);
	self->parent = -1;
	check_alive(self->kept);
}

TEST_F(without_cancel, its_own_release_cancels_it)
{
	int watch = ctx_watch(self->kept, 0), child = ctx_new(self->kept);
	__u64 id = ctx_id(self->kept);

	close(self->kept);
	self->kept = -1;
	check_cancelled(watch, ECANCELED, EOWNERDEAD, id);
	check_cancelled(child, ECANCELED, EOWNERDEAD, id);
	close(child);
	close(watch);
}

TEST_F(without_cancel, with_detached_it_outlives_its_descriptor)
{
	int fd = ctx_create(self->parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_WITHOUT_CANCEL | CTX_CREATE_DETACHED,
	});
	int watch = ctx_watch(fd, 0);

	ASSERT_LE(0, watch);
	check_info(fd, flags, CTX_CREATE_WITHOUT_CANCEL | CTX_CREATE_DETACHED);
	close(fd);
	EXPECT_EQ(0, ctx_cancel(self->parent, 0, NULL));
	check_alive(watch);
	close(watch);
}

TEST_F(without_cancel, as_a_root_it_is_like_any_root)
{
	int root = ctx_new_kept(self->dev);

	ASSERT_LE(0, root);
	check_alive(root);
	check_info(root, parent_id, 0);
	check_info(root, depth, 0);
	EXPECT_EQ(0, ctx_cancel(root, 0, NULL));
	check_cancelled(root, ECANCELED, ECANCELED, ctx_id(root));
	close(root);
}

TEST_F(without_cancel, it_is_made_below_a_watch_descriptor)
{
	int watch = ctx_watch(self->parent, 0);
	int kept = ctx_new_kept(watch);

	ASSERT_LE(0, kept);
	EXPECT_EQ(0, ctx_cancel(self->parent, 0, NULL));
	check_alive(kept);
	EXPECT_EQ(0, ctx_cancel(kept, 0, NULL));
	close(kept);
	close(watch);
}

/* What is detached is the parent it was created on, not the further ones. */
TEST_F(without_cancel, a_further_parent_still_cancels_it)
{
	int further = ctx_new(self->dev);
	int fd = ctx_create(self->parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_WITHOUT_CANCEL,
		.parents = (uintptr_t)&further,
		.nr_parents = 1,
	});

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ctx_cancel(self->parent, 0, NULL));
	check_alive(fd);
	check_value(fd, "user", "bob");
	EXPECT_EQ(0, ctx_cancel(further, EIO, NULL));
	check_cancelled(fd, ECANCELED, EIO, ctx_id(further));
	close(fd);
	close(further);
}

TEST_HARNESS_MAIN
