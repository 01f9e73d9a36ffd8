// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_open() and ctxfd_list(). Who may do what is tested with the kernel, in ids.c. */
#include "libctxfd.h"

FIXTURE(ids) {
	int ctx;
	__u64 id;
};

FIXTURE_SETUP(ids)
{
	self->ctx = new_root();
	self->id = ctx_id(self->ctx);
	ASSERT_LT(0, self->id);
}

FIXTURE_TEARDOWN(ids)
{
}

#define needs_ids() ({							\
	if (ctxfd_list(0, NULL, 0) < 0 && errno == ENOTTY)		\
		SKIP(return, "the module knows no CTX_IOC_LIST");	\
})

TEST_F(ids, opens_to_wait_for)
{
	int fd = ctxfd_open(self->id, 0);

	needs_ids();
	ASSERT_LE(0, fd);
	check_cloexec(fd);
	EXPECT_EQ(self->id, ctx_id(fd));
	check_errno(EBADF, ctxfd_cancel(fd));
	check_errno(EBADF, ctxfd_set_timeout(fd, LONG));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	EXPECT_EQ(1, ctxfd_wait(fd, LONG));
}

TEST_F(ids, opens_to_control)
{
	int fd = ctxfd_open(self->id, CTX_OPEN_CONTROL);

	needs_ids();
	ASSERT_LE(0, fd);
	check_cloexec(fd);
	EXPECT_EQ(0, ctxfd_set_timeout(fd, LONG));
	EXPECT_EQ(0, ctxfd_cancel(fd));
	EXPECT_EQ(ECANCELED, ctxfd_err(self->ctx));
}

TEST_F(ids, close_of_what_was_opened_releases_nothing)
{
	int fd = ctxfd_open(self->id, CTX_OPEN_CONTROL);

	needs_ids();
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(0, ctxfd_err(self->ctx));
}

TEST_F(ids, what_is_not_there_cannot_be_opened)
{
	needs_ids();
	check_errno(ENOENT, ctxfd_open(0, 0));
	check_errno(ENOENT, ctxfd_open(UINT64_MAX, CTX_OPEN_CONTROL));
	check_errno(EINVAL, ctxfd_open(self->id, 1U << 31));
}

TEST_F(ids, list_has_all_in_order)
{
	__u64 made[5] = { self->id };
	uint64_t ids[16] = {};

	needs_ids();
	for (int i = 1; i < 5; i++)
		made[i] = ctx_id(new_root());
	ASSERT_EQ(5, ctxfd_list(self->id - 1, ids, 16));
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(made[i], ids[i]);
}

TEST_F(ids, list_goes_on_after_what_did_not_fit)
{
	__u64 second = ctx_id(new_root()), third = ctx_id(new_root());
	uint64_t ids[2] = {};

	needs_ids();
	EXPECT_EQ(2, ctxfd_list(self->id - 1, ids, 2));
	EXPECT_EQ(self->id, ids[0]);
	EXPECT_EQ(second, ids[1]);
	EXPECT_EQ(1, ctxfd_list(ids[1], ids, 2));
	EXPECT_EQ(third, ids[0]);
	EXPECT_EQ(0, ctxfd_list(third, ids, 2));
}

TEST_F(ids, list_into_nothing_gives_EFAULT)
{
	needs_ids();
	check_errno(EFAULT, ctxfd_list(0, NULL, 1));
}

TEST_HARNESS_MAIN
