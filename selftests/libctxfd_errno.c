// SPDX-License-Identifier: GPL-2.0-only
/* Calls in calls: what is given the -1 of one that failed shows why that failed. */
#include "libctxfd.h"

/* @call fails, and leaves errno as it was. */
#define check_left(call) ({						\
	errno = EXDEV;							\
	EXPECT_EQ(-1, (call));						\
	EXPECT_EQ(EXDEV, errno);					\
})

static const struct timespec *bad_time = &bad_times[0];

TEST(error_of_the_inner_call_shows)
{
	check_errno(EINVAL, ctxfd_watch(ctxfd_with_timeout(ctxfd_background(), bad_time)));
	check_errno(ENOTTY, ctxfd_watch(ctxfd_with_cancel(STDIN_FILENO)));
	check_errno(ENOTTY, ctxfd_wait(ctxfd_watch(ctxfd_with_cancel(STDIN_FILENO)), NULL));
}

/* Nor do those that find something else wrong besides. */
TEST(new_contexts_leave_errno_alone)
{
	int parents[] = { new_root(), -1 };

	check_left(ctxfd_create(-1, NULL));
	check_left(ctxfd_with_cancel(-1));
	check_left(ctxfd_with_timeout(-1, bad_time));
	check_left(ctxfd_with_deadline(-1, CLOCK_REALTIME, bad_time));
	check_left(ctxfd_with_value(-1, NULL, NULL, 0));
	check_left(ctxfd_without_cancel(-1));
	check_left(ctxfd_merge(parents, 2));
	check_left(ctxfd_watch(-1));
	check_left(ctxfd_watch_only(-1));
}

TEST(questions_and_orders_leave_errno_alone)
{
	check_left(ctxfd_cancel(-1));
	check_left(ctxfd_cancel_cause(-1, -1, NULL));
	check_left(ctxfd_set_deadline(-1, CLOCK_REALTIME, bad_time));
	check_left(ctxfd_set_timeout(-1, bad_time));
	check_left(ctxfd_err(-1));
	check_left(ctxfd_info(-1, NULL));
	check_left(ctxfd_deadline(-1, NULL));
	check_left(ctxfd_value(-1, "key", NULL, 0));
	check_left(ctxfd_wait(-1, bad_time));
	errno = EXDEV;
	EXPECT_EQ(NULL, ctxfd_map(-1));
	EXPECT_EQ(EXDEV, errno);
	check_left(ctxfd_send_fd(-1, -1));
	check_left(ctxfd_to_env(-1));
}

TEST(cancellable_calls_leave_errno_alone)
{
	char byte;

	check_left(ctxfd_poll(-1, NULL, 1, bad_time));
	check_left(ctxfd_sleep(-1, bad_time));
	check_left(ctxfd_read(-1, -1, &byte, 1));
	check_left(ctxfd_write(-1, -1, &byte, 1));
	check_left(ctxfd_recv(-1, -1, &byte, 1, MSG_WAITALL));
	check_left(ctxfd_send(-1, -1, &byte, 1, 0));
	check_left(ctxfd_accept(-1, -1, NULL, NULL));
	check_left(ctxfd_connect(-1, -1, NULL, 0));
	check_left(ctxfd_waitid(-1, P_PID, 0, NULL, 0));
}

static void ignore(void *arg)
{
	(void)arg;
}

TEST(what_is_to_come_leaves_errno_alone)
{
	errno = EXDEV;
	EXPECT_EQ(NULL, ctxfd_after_func(-1, ignore, NULL));
	EXPECT_EQ(EXDEV, errno);
	errno = EXDEV;
	EXPECT_EQ(NULL, ctxfd_after_func(-1, NULL, NULL));
	EXPECT_EQ(EXDEV, errno);
}

/* A failure tells something in any case. */
TEST(where_errno_is_zero_it_is_a_bad_descriptor)
{
	check_errno(EBADF, ctxfd_watch(-1));
	check_errno(EBADF, ctxfd_wait(-2, NULL));
}

TEST(version_is_that_of_the_header)
{
	EXPECT_EQ(CTXFD_VERSION, ctxfd_version());
	EXPECT_EQ(CTXFD_VERSION_NUMBER(CTXFD_VERSION_MAJOR, CTXFD_VERSION_MINOR,
				       CTXFD_VERSION_PATCH), ctxfd_version());
}

TEST_HARNESS_MAIN
