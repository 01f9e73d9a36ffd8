// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens to deadlines when somebody sets CLOCK_REALTIME. The clock is put
 * back by what CLOCK_MONOTONIC says it would have come to.
 */
#include "ctx_selftest.h"

/* What two readings of the clocks, one after the other, may be apart. */
#define SLACK	(60 * NSEC_PER_SEC)

FIXTURE(settime) {
	int dev;
	__u64 offset;
};

static int set_realtime(__u64 now)
{
	return clock_settime(CLOCK_REALTIME, &(struct timespec){
		.tv_sec = now / NSEC_PER_SEC,
		.tv_nsec = now % NSEC_PER_SEC,
	});
}

FIXTURE_SETUP(settime)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->offset = ctx_clock(CLOCK_REALTIME) - ctx_clock(CLOCK_MONOTONIC);
}

FIXTURE_TEARDOWN(settime)
{
	EXPECT_EQ(0, set_realtime(ctx_clock(CLOCK_MONOTONIC) + self->offset));
	close(self->dev);
}

TEST_F(settime, forwards_brings_a_deadline_on_that_clock)
{
	int fd = ctx_new_deadline(self->dev, CLOCK_REALTIME,
				  ctx_clock(CLOCK_REALTIME) + HOUR);
	int child = ctx_new(fd);

	check_alive(child);
	ASSERT_EQ(0, set_realtime(ctx_clock(CLOCK_REALTIME) + 2 * HOUR));
	check_becomes_cancelled(child, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	close(child);
	close(fd);
}

TEST_F(settime, forwards_leaves_other_clocks_and_timeouts_alone)
{
	int mono = ctx_new_deadline(self->dev, CLOCK_MONOTONIC,
				    ctx_clock(CLOCK_MONOTONIC) + HOUR);
	int boot = ctx_new_deadline(self->dev, CLOCK_BOOTTIME,
				    ctx_clock(CLOCK_BOOTTIME) + HOUR);
	int timeout = ctx_create(self->dev, &(struct ctx_create_args){
		.flags = CTX_CREATE_TIMEOUT,
		.clockid = CLOCK_REALTIME,
		.deadline = HOUR,
	});
	int real = ctx_new_deadline(self->dev, CLOCK_REALTIME,
				    ctx_clock(CLOCK_REALTIME) + HOUR);
	int later;

	ASSERT_EQ(0, set_realtime(ctx_clock(CLOCK_REALTIME) + 2 * HOUR));
	/* By then, any of the others would have come as well. */
	check_becomes_cancelled(real, ETIMEDOUT, ETIMEDOUT, ctx_id(real));
	later = ctx_new_timeout(self->dev, 5 * NSEC_PER_MSEC);
	check_becomes_cancelled(later, ETIMEDOUT, ETIMEDOUT, ctx_id(later));
	check_alive(mono);
	check_alive(boot);
	check_alive(timeout);
	close(later);
	close(real);
	close(timeout);
	close(boot);
	close(mono);
}

TEST_F(settime, moves_what_info_tells_of_a_deadline_on_that_clock)
{
	__u64 now = ctx_clock(CLOCK_REALTIME);
	int real = ctx_new_deadline(self->dev, CLOCK_REALTIME, now + 3 * HOUR);
	int timeout = ctx_create(self->dev, &(struct ctx_create_args){
		.flags = CTX_CREATE_TIMEOUT,
		.clockid = CLOCK_REALTIME,
		.deadline = 3 * HOUR,
	});
	struct ctx_info before[2], after[2];

	EXPECT_EQ(0, ctx_info(real, &before[0]));
	EXPECT_EQ(0, ctx_info(timeout, &before[1]));
	ASSERT_EQ(0, set_realtime(ctx_clock(CLOCK_REALTIME) + 2 * HOUR));
	EXPECT_EQ(0, ctx_info(real, &after[0]));
	EXPECT_EQ(0, ctx_info(timeout, &after[1]));
	EXPECT_LE(before[0].deadline - 2 * HOUR - SLACK, after[0].deadline);
	EXPECT_GE(before[0].deadline - 2 * HOUR + SLACK, after[0].deadline);
	EXPECT_EQ(before[1].deadline, after[1].deadline);
	check_alive(real);
	close(timeout);
	close(real);
}

TEST_F(settime, backwards_puts_a_deadline_on_that_clock_off)
{
	__u64 now = ctx_clock(CLOCK_REALTIME);
	int real = ctx_new_deadline(self->dev, CLOCK_REALTIME, now + HOUR);
	struct ctx_info before, after;

	EXPECT_EQ(0, ctx_info(real, &before));
	ASSERT_EQ(0, set_realtime(now - HOUR));
	EXPECT_EQ(0, ctx_info(real, &after));
	EXPECT_LE(before.deadline + HOUR - SLACK, after.deadline);
	EXPECT_GE(before.deadline + HOUR + SLACK, after.deadline);
	/* And brought back, it is where it was. */
	ASSERT_EQ(0, set_realtime(ctx_clock(CLOCK_REALTIME) + 3 * HOUR));
	check_becomes_cancelled(real, ETIMEDOUT, ETIMEDOUT, ctx_id(real));
	close(real);
}

TEST_HARNESS_MAIN
