// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_describe(): one line for each way in which a context can end. */
#include "libctxfd.h"

#define check_line(text, info) ({					\
	char __buf[1024];						\
									\
	memset(__buf, 'x', sizeof(__buf));				\
	EXPECT_EQ((int)strlen(text), ctxfd_describe((info), __buf, sizeof(__buf))); \
	EXPECT_STREQ((text), __buf);					\
})

#define check_fd_line(text, fd) ({					\
	struct ctx_info __info;						\
									\
	ASSERT_EQ(0, ctxfd_info((fd), &__info));			\
	check_line((text), &__info);					\
})

TEST(alive)
{
	check_fd_line("alive", new_root());
	check_fd_line("alive", ctxfd_background());
}

TEST(alive_until_a_deadline)
{
	struct ctx_info info;
	char line[80];
	double left;
	char end;

	ASSERT_EQ(0, ctxfd_info(ctxfd_with_timeout(ctxfd_background(), SEC(3600)), &info));
	ASSERT_LT(0, ctxfd_describe(&info, line, sizeof(line)));
	ASSERT_EQ(2, sscanf(line, "alive, %lf s lef%c", &left, &end));
	EXPECT_GE(3600.0, left);
	EXPECT_LT(3600.0 - CTX_WAIT_MS / 1000, left);
	EXPECT_EQ('t', end);
}

/* Between the deadline and the look at it, none is under zero. */
TEST(alive_at_its_deadline)
{
	check_line("alive, 0.0 s left", (&(struct ctx_info){ .deadline = 1 }));
}

TEST(cancelled_for_no_reason)
{
	check_fd_line("cancelled", new_cancelled());
}

TEST(cancelled_with_a_cause)
{
	int ctx = new_root();

	ASSERT_EQ(0, ctxfd_cancel_cause(ctx, ECONNRESET, NULL));
	check_fd_line("cancelled: Connection reset by peer", ctx);
}

TEST(cancelled_with_a_message)
{
	int ctx = new_root();

	ASSERT_EQ(0, ctxfd_cancel_cause(ctx, 0, "no longer needed"));
	check_fd_line("cancelled (no longer needed)", ctx);
}

TEST(cancelled_with_a_cause_of_the_applications_own)
{
	int ctx = new_root();

	ASSERT_EQ(0, ctxfd_cancel_cause(ctx, 4711, "quota"));
	check_fd_line("cancelled: cause 4711 (quota)", ctx);
}

TEST(cancelled_by_an_ancestor)
{
	char text[80];
	int root = new_root(), ctx = ctxfd_with_cancel(root);

	ASSERT_EQ(0, ctxfd_cancel_cause(root, EIO, "disk 3"));
	snprintf(text, sizeof(text), "cancelled: Input/output error (disk 3) by context %llu",
		 ctx_id(root));
	check_fd_line(text, ctx);
}

TEST(timed_out)
{
	char text[80];
	int root = ctxfd_with_timeout(ctxfd_background(), PASSED);

	check_fd_line("timed out", root);
	snprintf(text, sizeof(text), "timed out with context %llu", ctx_id(root));
	check_fd_line(text, ctxfd_with_cancel(root));
}

TEST(owner_ended)
{
	char text[80];
	int root = new_root(), child = ctxfd_with_cancel(root), watch = ctxfd_watch(root);

	close(root);
	check_fd_line("its owner ended", watch);
	snprintf(text, sizeof(text), "the owner of context %llu ended", ctx_id(watch));
	check_fd_line(text, child);
}

TEST(a_line_is_one_line_and_gives_a_terminal_no_orders)
{
	int ctx = new_root();

	ASSERT_EQ(0, ctxfd_cancel_cause(ctx, 0, "a\nb\t\x1b[31m\x7f\xc2\x9b \xc3\xa9"));
	check_fd_line("cancelled (a\\012b\\011\\033[31m\\177\\302\\233 \xc3\xa9)", ctx);
}

TEST(a_message_may_fill_its_field)
{
	struct ctx_info info = {
		.id = 1,
		.err = ECANCELED,
		.cause = ECANCELED,
		.message_len = CTX_MESSAGE_MAX,
	};
	char line[CTX_MESSAGE_MAX + 20];

	memset(info.message, 'm', sizeof(info.message));
	EXPECT_EQ(CTX_MESSAGE_MAX + 12, ctxfd_describe(&info, line, sizeof(line)));
	/* Nor does it believe more. */
	info.message_len = UINT_MAX;
	EXPECT_EQ(CTX_MESSAGE_MAX + 12, ctxfd_describe(&info, line, sizeof(line)));
}

TEST(what_does_not_fit_is_cut_and_counted)
{
	const struct ctx_info info = { .id = 1, .err = ECANCELED, .cause = EIO };
	const int whole = sizeof("cancelled: Input/output error") - 1;
	char line[12] = "xxxxxxxxxxx";

	EXPECT_EQ(whole, ctxfd_describe(&info, NULL, 0));
	EXPECT_EQ(whole, ctxfd_describe(&info, line, 10));
	EXPECT_STREQ("cancelled", line);
	EXPECT_EQ('x', line[10]);
	EXPECT_EQ(whole, ctxfd_describe(&info, line, 1));
	EXPECT_STREQ("", line);
}

TEST(bad_pointers_are_refused)
{
	check_errno(EFAULT, ctxfd_describe(NULL, NULL, 0));
	check_errno(EFAULT, ctxfd_describe(&(struct ctx_info){}, NULL, 1));
}

TEST_HARNESS_MAIN
