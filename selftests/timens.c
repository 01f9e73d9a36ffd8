// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time namespaces: a caller's deadlines are read, and the times that INFO
 * tells are written, as the clocks of the caller's namespace have them.
 */
#include "ctx_selftest.h"
#include <limits.h>
#include <sched.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x00000080
#endif

/* What the clocks of the namespace are ahead by, in seconds. */
#define MONOTONIC_AHEAD	100000
#define BOOTTIME_AHEAD	300000

/* What the vDSO and the kernel may differ by when they read one clock. */
#define CLOCK_SLACK	1000

static void __attribute__((constructor)) need_time_namespaces(void)
{
	if (access("/proc/self/ns/time_for_children", F_OK))
		ksft_exit_skip("the kernel has no time namespaces\n");
}

/* Whoever is forked from here on is in a time namespace of its own. */
static int new_timens(long monotonic, long boottime)
{
	int fd, ret;

	if (unshare(CLONE_NEWTIME))
		return -1;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	ret = dprintf(fd, "monotonic %ld 0\nboottime %ld 0\n", monotonic, boottime);
	close(fd);
	return ret > 0 ? 0 : -1;
}

/* The test itself stays outside; in_child() is inside. */
FIXTURE(timens) {
	int dev;
	int root;
};

FIXTURE_SETUP(timens)
{
	ASSERT_EQ(0, new_timens(MONOTONIC_AHEAD, BOOTTIME_AHEAD));
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
}

FIXTURE_TEARDOWN(timens)
{
	close(self->root);
	close(self->dev);
}

TEST_F(timens, the_test_is_set_up_right)
{
	__u64 outside = ctx_clock(CLOCK_MONOTONIC);
	pid_t pid;

	in_child(pid) {
		EXPECT_LE(outside + MONOTONIC_AHEAD * NSEC_PER_SEC,
			  ctx_clock(CLOCK_MONOTONIC));
		EXPECT_LE(outside + BOOTTIME_AHEAD * NSEC_PER_SEC,
			  ctx_clock(CLOCK_BOOTTIME));
	}
	check_child(pid);
}

TEST_F(timens, a_deadline_is_on_the_callers_clock)
{
	const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };
	unsigned int i;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		in_child(pid) {
			__u64 when = ctx_clock(ids[i]) + 20 * NSEC_PER_MSEC;
			int fd = ctx_new_deadline(self->root, ids[i], when);

			ASSERT_LE(0, fd);
			check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
			EXPECT_LE(when, ctx_clock(ids[i]));
		}
		check_child(pid);
	}
}

TEST_F(timens, set_deadline_is_on_the_callers_clock)
{
	const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };
	unsigned int i;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		in_child(pid) {
			int fd = ctx_new(self->root);
			__u64 when = ctx_clock(ids[i]) + 20 * NSEC_PER_MSEC;

			EXPECT_EQ(0, ctx_set_deadline(fd, ids[i], when));
			check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
			EXPECT_LE(when, ctx_clock(ids[i]));
		}
		check_child(pid);
	}
}

/* Outside, these would lie before the start of the clock. */
TEST_F(timens, a_deadline_from_before_the_namespace_has_passed)
{
	pid_t pid;

	in_child(pid) {
		/* The last is 0 outside, which is not to be taken for none. */
		const __u64 passed[] = {
			1, MONOTONIC_AHEAD / 2 * NSEC_PER_SEC,
			MONOTONIC_AHEAD * NSEC_PER_SEC,
		};
		unsigned int i;
		int fd;

		for (i = 0; i < ARRAY_SIZE(passed); i++) {
			fd = ctx_new_deadline(self->root, CLOCK_MONOTONIC, passed[i]);
			ASSERT_LE(0, fd);
			check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
			close(fd);
			fd = ctx_new_deadline(self->root, CLOCK_BOOTTIME, passed[i]);
			ASSERT_LE(0, fd);
			check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
			close(fd);
		}
	}
	check_child(pid);
}

TEST_F(timens, info_tells_a_deadline_on_the_callers_clock)
{
	pid_t pid;

	in_child(pid) {
		const clockid_t ids[] = {
			CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME,
		};
		struct ctx_info info;
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(ids); i++) {
			__u64 before = ctx_clock(CLOCK_MONOTONIC);
			__u64 when = ctx_clock(ids[i]) + HOUR;
			__u64 after = ctx_clock(CLOCK_MONOTONIC);
			int fd = ctx_new_deadline(self->root, ids[i], when);

			ASSERT_EQ(0, ctx_info(fd, &info));
			EXPECT_LE(before + HOUR - CLOCK_SLACK, info.deadline);
			EXPECT_GE(after + HOUR + CLOCK_SLACK, info.deadline);
			if (ids[i] == CLOCK_MONOTONIC)
				EXPECT_EQ(when, info.deadline);
			close(fd);
		}
	}
	check_child(pid);
}

TEST_F(timens, a_timeout_is_the_same_everywhere)
{
	pid_t pid;

	in_child(pid) {
		__u64 before = ctx_clock(CLOCK_MONOTONIC);
		int fd = ctx_new_timeout(self->root, HOUR);
		__u64 after = ctx_clock(CLOCK_MONOTONIC);
		struct ctx_info info;

		ASSERT_EQ(0, ctx_info(fd, &info));
		EXPECT_LE(before + HOUR - CLOCK_SLACK, info.deadline);
		EXPECT_GE(after + HOUR + CLOCK_SLACK, info.deadline);
		EXPECT_EQ(0, ctx_set_timeout(fd, 20 * NSEC_PER_MSEC));
		check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	}
	check_child(pid);
}

TEST_F(timens, a_deadline_from_outside_is_told_inside_as_there)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;
	pid_t pid;

	EXPECT_EQ(0, ctx_set_deadline(self->root, CLOCK_MONOTONIC, when));
	check_info(self->root, deadline, when);
	in_child(pid)
		check_info(self->root, deadline,
			   when + MONOTONIC_AHEAD * NSEC_PER_SEC);
	check_child(pid);
}

TEST_F(timens, a_deadline_from_inside_is_told_outside_as_there)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;
	pid_t pid;

	in_child(pid)
		EXPECT_EQ(0, ctx_set_deadline(self->root, CLOCK_MONOTONIC,
					      when + MONOTONIC_AHEAD * NSEC_PER_SEC));
	check_child(pid);
	check_info(self->root, deadline, when);
}

TEST_F(timens, no_deadline_is_none_everywhere)
{
	pid_t pid;

	in_child(pid) {
		check_info(self->root, deadline, 0);
		check_info(self->root, cancelled_at, 0);
	}
	check_child(pid);
}

TEST_F(timens, info_tells_cancelled_at_on_the_callers_clock)
{
	struct ctx_info outside;
	__u64 before, after;
	pid_t pid;

	before = ctx_clock(CLOCK_MONOTONIC);
	in_child(pid) {
		__u64 from = ctx_clock(CLOCK_MONOTONIC);
		struct ctx_info inside;

		EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
		ASSERT_EQ(0, ctx_info(self->root, &inside));
		EXPECT_LE(from, inside.cancelled_at);
		EXPECT_GE(ctx_clock(CLOCK_MONOTONIC), inside.cancelled_at);
	}
	check_child(pid);
	after = ctx_clock(CLOCK_MONOTONIC);
	ASSERT_EQ(0, ctx_info(self->root, &outside));
	EXPECT_LE(before, outside.cancelled_at);
	EXPECT_GE(after, outside.cancelled_at);
	in_child(pid)
		check_info(self->root, cancelled_at, outside.cancelled_at +
			   MONOTONIC_AHEAD * NSEC_PER_SEC);
	check_child(pid);
}

/* A namespace whose clocks are behind: its range ends beyond the kernel's. */
TEST(a_deadline_beyond_what_the_kernel_can_count_never_comes)
{
	pid_t pid;

	ASSERT_EQ(0, new_timens(-1, -1));
	in_child(pid) {
		int dev = ctx_background();
		int a = ctx_new_deadline(dev, CLOCK_MONOTONIC, LLONG_MAX);
		int b = ctx_new_deadline(dev, CLOCK_BOOTTIME, LLONG_MAX - 1);
		int later = ctx_new_timeout(dev, 5 * NSEC_PER_MSEC);

		ASSERT_LE(0, a);
		ASSERT_LE(0, b);
		check_becomes_cancelled(later, ETIMEDOUT, ETIMEDOUT, ctx_id(later));
		check_alive(a);
		check_alive(b);
	}
	check_child(pid);
}

TEST_HARNESS_MAIN
