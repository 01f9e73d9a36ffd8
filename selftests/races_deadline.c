// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines that come while something else happens to the context. The racer
 * here is the timer: a test makes a context whose deadline is a little ahead,
 * and acts a little before or a little after it.
 */
#include "ctx_selftest.h"
#include "race.h"

#define CAUSE		82

FIXTURE(expiry) {
	int		dev;
	struct expiry	x;
	struct race	race;
};

FIXTURE_SETUP(expiry)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->x.random = 161803398;
	self->x.ahead = expiry_ahead();
}

FIXTURE_TEARDOWN(expiry)
{
	close(self->dev);
}

static void check_timed_out(struct __test_metadata *_metadata, int fd, __u64 origin)
{
	check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, origin);
	ASSERT_TRUE(_metadata->passed);
}

/*
 * @set moves the deadline away just when it comes. Where that succeeded the old
 * deadline must not strike any more; where it failed it must have struck.
 */
static void race_set(struct __test_metadata *_metadata, FIXTURE_DATA(expiry) *self,
		     int (*set)(int fd), unsigned int turns)
{
	unsigned int i, n, nr = 0;
	int alive[64];

	ASSERT_TRUE(expiry_begin(&self->x));
	for (i = 0; i < rounds(turns); i++) {
		ASSERT_TRUE(expiry_set(&self->x, self->dev));
		expiry_approach(&self->x);
		errno = 0;
		if (set(self->x.fd)) {
			ASSERT_EQ(ECANCELED, errno);
			check_timed_out(_metadata, self->x.fd, self->x.id);
			close(self->x.fd);
			continue;
		}
		alive[nr++] = self->x.fd;
		if (nr < ARRAY_SIZE(alive) && i + 1 < rounds(turns))
			continue;
		ASSERT_TRUE(expiry_fence(&self->x, self->dev));
		for (n = 0; n < nr; n++) {
			check_alive(alive[n]);
			close(alive[n]);
		}
		ASSERT_TRUE(_metadata->passed);
		nr = 0;
	}
	for (n = 0; n < nr; n++)
		close(alive[n]);
	expiry_end(&self->x);
}

static int set_far(int fd)
{
	return ctx_set_deadline(fd, CLOCK_MONOTONIC, ctx_clock(CLOCK_MONOTONIC) + HOUR);
}

static int set_far_boottime(int fd)
{
	return ctx_set_deadline(fd, CLOCK_BOOTTIME, ctx_clock(CLOCK_BOOTTIME) + HOUR);
}

static int set_far_timeout(int fd)
{
	return ctx_set_timeout(fd, HOUR);
}

static int set_none(int fd)
{
	return ctx_set_deadline(fd, CLOCK_MONOTONIC, 0);
}

TEST_F_TIMEOUT(expiry, against_a_later_deadline, 300)
{
	race_set(_metadata, self, set_far, 600);
}

TEST_F_TIMEOUT(expiry, against_a_later_deadline_on_another_clock, 300)
{
	race_set(_metadata, self, set_far_boottime, 600);
}

TEST_F_TIMEOUT(expiry, against_a_later_timeout, 300)
{
	race_set(_metadata, self, set_far_timeout, 600);
}

TEST_F_TIMEOUT(expiry, against_the_removal_of_the_deadline, 300)
{
	race_set(_metadata, self, set_none, 600);
}

/*
 * A deadline that is moved on again and again, as a watchdog's, and each time
 * only a little: it must never strike before the instant that was set last.
 */
TEST_F_TIMEOUT(expiry, of_a_deadline_that_is_moved_on_is_never_early, 300)
{
	unsigned int i, turn;

	for (i = 0; i < rounds(400); i++) {
		struct ctx_info info;
		__u64 last = 0, next;

		int fd = ctx_new(self->dev);

		ASSERT_LE(0, fd);
		for (turn = 0; turn < 200; turn++) {
			next = ctx_clock(CLOCK_MONOTONIC) + 4000 +
			       race_random(&self->x.random) % self->x.ahead;
			if (ctx_set_deadline(fd, CLOCK_MONOTONIC, next))
				break;
			last = next;
			spin_randomly(&self->x.random);
		}
		ASSERT_TRUE(ctx_poll(fd, CTX_WAIT_MS) & POLLIN);
		ASSERT_EQ(0, ctx_info(fd, &info));
		ASSERT_EQ(ETIMEDOUT, info.err);
		ASSERT_LE(last, info.cancelled_at);
		close(fd);
	}
}

/* Two threads set the deadline of one context. */

struct setters {
	int	fd;
	int	above;		/* its parent's parent */
	int	cancel_ret;
	int	left_ret;
	int	right_ret;
	int	left_errno;
	int	right_errno;
	__u64	left;		/* CLOCK_MONOTONIC */
	__u64	right;		/* CLOCK_BOOTTIME */
};

static void set_left(void *data)
{
	struct setters *s = data;

	s->left_ret = ctx_set_deadline(s->fd, CLOCK_MONOTONIC, s->left);
	s->left_errno = errno;
}

static void set_right(void *data)
{
	struct setters *s = data;

	s->right_ret = ctx_set_deadline(s->fd, CLOCK_BOOTTIME, s->right);
	s->right_errno = errno;
}

static bool is_near(__u64 a, __u64 b)
{
	return a < b + 60 * NSEC_PER_SEC && b < a + 60 * NSEC_PER_SEC;
}

TEST_F_TIMEOUT(expiry, is_at_one_of_two_deadlines_set_at_once, 300)
{
	struct setters s;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &s, set_left, set_right));
	for (i = 0; i < rounds(1200); i++) {
		__u64 now = ctx_clock(CLOCK_MONOTONIC);
		struct ctx_info info;

		s = (struct setters){ .fd = ctx_new_timeout(self->dev, 3 * HOUR) };
		ASSERT_LE(0, s.fd);
		s.left = now + HOUR;
		s.right = ctx_clock(CLOCK_BOOTTIME) + 2 * HOUR;
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(0, s.left_ret);
		ASSERT_EQ(0, s.right_ret);
		ASSERT_EQ(0, ctx_info(s.fd, &info));
		ASSERT_TRUE(is_near(info.deadline, now + HOUR) ||
			    is_near(info.deadline, now + 2 * HOUR));
		check_alive(s.fd);
		ASSERT_TRUE(_metadata->passed);
		close(s.fd);
	}
	race_stop(&self->race);
}

/* One that is soon, one that is far: INFO tells which it is, and that holds. */
TEST_F_TIMEOUT(expiry, follows_the_one_of_two_deadlines_that_info_tells, 300)
{
	struct setters s;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &s, set_left, set_right));
	for (i = 0; i < rounds(600); i++) {
		struct ctx_info info;
		bool soon;

		s = (struct setters){ .fd = ctx_new(self->dev) };
		ASSERT_LE(0, s.fd);
		s.left = ctx_clock(CLOCK_MONOTONIC) + race_random(&self->x.random) % self->x.ahead;
		s.right = ctx_clock(CLOCK_BOOTTIME) + HOUR;
		ASSERT_TRUE(race_round(&self->race));
		/* Nobody else cancels it: what was set last, or both, took effect. */
		ASSERT_EQ(0, s.left_ret);
		if (s.right_ret)
			ASSERT_EQ(ECANCELED, s.right_errno);
		ASSERT_EQ(0, ctx_info(s.fd, &info));
		soon = info.err || is_near(info.deadline, s.left);
		if (soon || s.right_ret) {
			check_becomes_cancelled(s.fd, ETIMEDOUT, ETIMEDOUT, info.id);
		} else {
			ASSERT_TRUE(timer_fence(self->dev));
			check_alive(s.fd);
		}
		ASSERT_TRUE(_metadata->passed);
		close(s.fd);
	}
	race_stop(&self->race);
}

static void cancel_above(void *data)
{
	struct setters *s = data;

	s->cancel_ret = ctx_cancel(s->above, CAUSE, NULL);
}

/*
 * The timer finds its context cancelled from above while one thread waits for it
 * to end and another finds it ended.
 */
TEST_F_TIMEOUT(expiry, against_two_later_deadlines_and_a_cancel_above, 300)
{
	struct setters s;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &s, set_left, set_right, cancel_above));
	for (i = 0; i < rounds(1500); i++) {
		struct ctx_info info;
		__u64 now;
		int middle;

		s = (struct setters){ .above = ctx_new(self->dev) };
		middle = ctx_new(s.above);
		s.fd = ctx_new(middle);
		ASSERT_LE(0, s.fd);
		now = ctx_clock(CLOCK_MONOTONIC);
		s.left = now + HOUR;
		s.right = ctx_clock(CLOCK_BOOTTIME) + HOUR;
		ASSERT_EQ(0, ctx_set_deadline(s.fd, CLOCK_MONOTONIC,
					      now + race_random(&self->x.random) % NSEC_PER_MSEC));
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_LE(0, s.cancel_ret);
		ASSERT_TRUE(!s.left_ret || s.left_errno == ECANCELED);
		ASSERT_TRUE(!s.right_ret || s.right_errno == ECANCELED);
		ASSERT_EQ(0, ctx_info(s.fd, &info));
		if (info.err == ETIMEDOUT)
			check_cancelled(s.fd, ETIMEDOUT, ETIMEDOUT, info.id);
		else
			check_cancelled(s.fd, ECANCELED, CAUSE, ctx_id(s.above));
		ASSERT_TRUE(_metadata->passed);
		close(s.fd);
		close(middle);
		close(s.above);
	}
	race_stop(&self->race);
}

/* Of several deadlines that have passed one cancels; the others come late. */
static void set_past_left(void *data)
{
	struct setters *s = data;

	s->left_ret = ctx_set_deadline(s->fd, CLOCK_MONOTONIC, 1);
	s->left_errno = errno;
}

static void set_past_right(void *data)
{
	struct setters *s = data;

	s->right_ret = ctx_set_timeout(s->fd, 0);
	s->right_errno = errno;
}

TEST_F_TIMEOUT(expiry, at_once_by_two_threads_succeeds_for_one, 300)
{
	struct setters s;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &s, set_past_left, set_past_right));
	for (i = 0; i < rounds(800); i++) {
		s = (struct setters){ .fd = ctx_new(self->dev) };
		ASSERT_LE(0, s.fd);
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(-1, s.left_ret + s.right_ret);
		ASSERT_EQ(ECANCELED, s.left_ret ? s.left_errno : s.right_errno);
		check_timed_out(_metadata, s.fd, ctx_id(s.fd));
		close(s.fd);
	}
	race_stop(&self->race);
}

static void cancel_right(void *data)
{
	struct setters *s = data;

	s->right_ret = ctx_cancel(s->fd, CAUSE, NULL);
}

TEST_F_TIMEOUT(expiry, at_once_against_a_cancel_has_one_winner, 300)
{
	struct setters s;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &s, set_past_left, cancel_right));
	for (i = 0; i < rounds(800); i++) {
		s = (struct setters){ .fd = ctx_new(self->dev) };
		ASSERT_LE(0, s.fd);
		ASSERT_TRUE(race_round(&self->race));
		if (s.left_ret) {
			ASSERT_EQ(ECANCELED, s.left_errno);
			ASSERT_EQ(0, s.right_ret);
			check_cancelled(s.fd, ECANCELED, CAUSE, ctx_id(s.fd));
		} else {
			ASSERT_EQ(1, s.right_ret);
			check_timed_out(_metadata, s.fd, ctx_id(s.fd));
		}
		ASSERT_TRUE(_metadata->passed);
		close(s.fd);
	}
	race_stop(&self->race);
}

/* A later deadline does not revive what is cancelled, whichever comes first. */
TEST_F_TIMEOUT(expiry, is_not_set_on_a_context_once_it_is_cancelled, 300)
{
	struct setters s;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &s, set_left, cancel_right));
	for (i = 0; i < rounds(800); i++) {
		s = (struct setters){ .fd = ctx_new(self->dev) };
		ASSERT_LE(0, s.fd);
		/* Mostly over by the time at which it could be set. */
		s.left = ctx_clock(CLOCK_MONOTONIC) + (i % 2 ? HOUR : self->x.ahead);
		ASSERT_TRUE(race_round(&self->race));
		if (s.left_ret)
			ASSERT_EQ(ECANCELED, s.left_errno);
		if (s.right_ret == 0)
			check_cancelled(s.fd, ECANCELED, CAUSE, ctx_id(s.fd));
		else
			check_timed_out(_metadata, s.fd, ctx_id(s.fd));
		check_errno(ECANCELED, set_far(s.fd));
		ASSERT_TRUE(_metadata->passed);
		close(s.fd);
	}
	race_stop(&self->race);
}

TEST_HARNESS_MAIN
