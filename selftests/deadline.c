// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines and timeouts: when they come, when they never do, who inherits
 * them, how CTX_IOC_SET_DEADLINE moves them, what INFO tells of them.
 *
 * No test measures how long anything takes. That a deadline did not come is
 * found by waiting for one that is due later.
 */
#include "ctx_selftest.h"
#include <limits.h>
#include <sched.h>

/* What the vDSO and the kernel may differ by when they read one clock. */
#define CLOCK_SLACK	1000

/* Returns once a deadline set now has passed, and all that were due before. */
#define wait_for_a_later_deadline(dev) ({				\
	int __later = ctx_new_timeout((dev), 5 * NSEC_PER_MSEC);	\
									\
	check_becomes_cancelled(__later, ETIMEDOUT, ETIMEDOUT,		\
				ctx_id(__later));			\
	close(__later);							\
})

FIXTURE(deadline) {
	int dev;
	int root;
};

FIXTURE_SETUP(deadline)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
}

FIXTURE_TEARDOWN(deadline)
{
	close(self->root);
	close(self->dev);
}

/* What holds for each of the clocks. */
FIXTURE(clock) {
	int dev;
	int root;
};

FIXTURE_VARIANT(clock) {
	clockid_t id;
};

FIXTURE_VARIANT_ADD(clock, realtime) { .id = CLOCK_REALTIME };
FIXTURE_VARIANT_ADD(clock, monotonic) { .id = CLOCK_MONOTONIC };
FIXTURE_VARIANT_ADD(clock, boottime) { .id = CLOCK_BOOTTIME };

FIXTURE_SETUP(clock)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
}

FIXTURE_TEARDOWN(clock)
{
	close(self->root);
	close(self->dev);
}

static int new_timeout(int parent, clockid_t id, __u64 timeout)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_TIMEOUT,
		.clockid = id,
		.deadline = timeout,
	});
}

TEST_F(clock, a_deadline_cancels_with_ETIMEDOUT_and_not_before)
{
	__u64 when = ctx_clock(variant->id) + 20 * NSEC_PER_MSEC;
	int fd = ctx_new_deadline(self->root, variant->id, when);

	ASSERT_LE(0, fd);
	check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	EXPECT_LE(when, ctx_clock(variant->id));
	check_info(fd, message_len, 0);
	EXPECT_EQ(1, ctx_cancel(fd, EIO, NULL));
	check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	check_alive(self->root);
	close(fd);
}

TEST_F(clock, a_timeout_cancels_with_ETIMEDOUT_and_not_before)
{
	__u64 from = ctx_clock(variant->id);
	int fd = new_timeout(self->root, variant->id, 20 * NSEC_PER_MSEC);

	ASSERT_LE(0, fd);
	check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	EXPECT_LE(from + 20 * NSEC_PER_MSEC, ctx_clock(variant->id));
	check_alive(self->root);
	close(fd);
}

TEST_F(clock, a_deadline_that_has_passed_creates_it_cancelled)
{
	const __u64 passed[] = { 1, ctx_clock(variant->id) };
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		fd = ctx_new_deadline(self->root, variant->id, passed[i]);
		ASSERT_LE(0, fd);
		check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
		close(fd);
	}
	check_info(self->root, nr_children, 0);
}

TEST_F(clock, a_timeout_of_0_is_now)
{
	int fd = new_timeout(self->root, variant->id, 0);

	ASSERT_LE(0, fd);
	check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	close(fd);
}

TEST_F(clock, a_deadline_of_0_is_none)
{
	int fd = ctx_new_deadline(self->root, variant->id, 0);

	ASSERT_LE(0, fd);
	wait_for_a_later_deadline(self->dev);
	check_alive(fd);
	check_info(fd, deadline, 0);
	close(fd);
}

TEST_F(clock, a_deadline_beyond_its_range_gives_EINVAL)
{
	const __u64 beyond[] = { 1ULL << 63, (1ULL << 63) + 1, ~0ULL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		check_refused(self->root, EINVAL,
			      ctx_new_deadline(self->root, variant->id,
					       beyond[i]));
		check_refused(self->root, EINVAL,
			      ctx_set_deadline(self->root, variant->id,
					       beyond[i]));
	}
	check_alive(self->root);
}

TEST_F(clock, the_last_deadline_of_its_range_never_comes)
{
	int fd = ctx_new_deadline(self->root, variant->id, LLONG_MAX);

	ASSERT_LE(0, fd);
	wait_for_a_later_deadline(self->dev);
	check_alive(fd);
	EXPECT_EQ(0, ctx_set_deadline(fd, variant->id, LLONG_MAX));
	wait_for_a_later_deadline(self->dev);
	check_alive(fd);
	close(fd);
}

TEST_F(clock, a_timeout_beyond_its_range_never_comes)
{
	const __u64 timeouts[] = {
		~0ULL, ~0ULL - 1, (1ULL << 63) + 1, 1ULL << 63, LLONG_MAX,
		-ctx_clock(variant->id), LLONG_MAX - ctx_clock(variant->id) + 1,
	};
	int fds[ARRAY_SIZE(timeouts)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = new_timeout(self->root, variant->id, timeouts[i]);
		ASSERT_LE(0, fds[i]);
	}
	wait_for_a_later_deadline(self->dev);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		check_alive(fds[i]);
		close(fds[i]);
	}
}

/* The clocks do not drift apart here: no one sets them meanwhile. */
TEST_F(clock, info_tells_the_deadline_in_monotonic_time)
{
	__u64 before = ctx_clock(CLOCK_MONOTONIC);
	__u64 now = ctx_clock(variant->id);
	__u64 after = ctx_clock(CLOCK_MONOTONIC);
	int fd = ctx_new_deadline(self->root, variant->id, now + HOUR);
	struct ctx_info info;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_LE(before + HOUR - CLOCK_SLACK, info.deadline);
	EXPECT_GE(after + HOUR + CLOCK_SLACK, info.deadline);
	if (variant->id == CLOCK_MONOTONIC)
		EXPECT_EQ(now + HOUR, info.deadline);
	close(fd);
}

TEST_F(clock, info_tells_the_end_of_a_timeout)
{
	__u64 before = ctx_clock(CLOCK_MONOTONIC), after;
	int fd = new_timeout(self->root, variant->id, HOUR);
	struct ctx_info info;

	after = ctx_clock(CLOCK_MONOTONIC);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_LE(before + HOUR - CLOCK_SLACK, info.deadline);
	EXPECT_GE(after + HOUR + CLOCK_SLACK, info.deadline);
	close(fd);
}

TEST_F(clock, set_deadline_brings_it)
{
	__u64 when = ctx_clock(variant->id) + 20 * NSEC_PER_MSEC;

	EXPECT_EQ(0, ctx_set_deadline(self->root, variant->id, when));
	check_becomes_cancelled(self->root, ETIMEDOUT, ETIMEDOUT,
				ctx_id(self->root));
	EXPECT_LE(when, ctx_clock(variant->id));
}

TEST_F(deadline, a_clock_that_is_not_one_of_the_three_gives_EINVAL)
{
	int id;

	for (id = -8; id < 40; id++) {
		if (id == CLOCK_REALTIME || id == CLOCK_MONOTONIC ||
		    id == CLOCK_BOOTTIME)
			continue;
		check_refused(self->root, EINVAL,
			      ctx_new_deadline(self->root, id, HOUR));
		check_refused(self->root, EINVAL,
			      new_timeout(self->root, id, HOUR));
		check_refused(self->root, EINVAL,
			      ctx_set_deadline(self->root, id, HOUR));
	}
}

/* Whom a deadline reaches. */

TEST_F(deadline, wakes_everyone_below)
{
	int child = ctx_new(self->root), grandchild = ctx_new(child);
	int watch = ctx_watch(grandchild, 0), ep = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	__u64 id = ctx_id(self->root);
	struct ctx_reader reader;

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, watch, &event));
	ASSERT_EQ(0, ctx_reader_start(&reader, grandchild));
	EXPECT_EQ(0, ctx_set_timeout(self->root, 20 * NSEC_PER_MSEC));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, CTX_WAIT_MS));
	ASSERT_EQ(0, ctx_reader_join(&reader));
	EXPECT_EQ(sizeof(struct ctx_event), reader.ret);
	EXPECT_EQ(ETIMEDOUT, reader.event.err);
	EXPECT_EQ(ETIMEDOUT, reader.event.cause);
	EXPECT_EQ(id, reader.event.origin_id);
	check_cancelled(grandchild, ETIMEDOUT, ETIMEDOUT, id);
	check_cancelled(child, ETIMEDOUT, ETIMEDOUT, id);
	check_cancelled(self->root, ETIMEDOUT, ETIMEDOUT, id);
	close(ep);
	close(watch);
	close(grandchild);
	close(child);
}

/* So many that the queue, which wakes them, takes several turns */
#define MANY		900

#define QUEUE_CPUS	"/sys/devices/virtual/workqueue/ctx_tell/cpumask"

/* The queue keeps to @cpus from now on; returns 0, and where it was before in @before. */
static int queue_move(const char *cpus, char *before, size_t size)
{
	int file = open(QUEUE_CPUS, O_RDWR | O_CLOEXEC), ret;
	ssize_t len = read(file, before, size - 1);

	before[len > 0 ? len : 0] = '\0';
	ret = len > 0 && write(file, cpus, strlen(cpus)) > 0 ? 0 : -1;
	close(file);
	return ret;
}

/* The caller keeps to the first processor, and comes first there. */
static int come_first(void)
{
	struct sched_param first = { .sched_priority = 1 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	return sched_setaffinity(0, sizeof(one), &one) ?:
	       sched_setscheduler(0, SCHED_FIFO, &first);
}

/*
 * By one who is woken in the midst of them. Edge-triggered: an epoll set tells of what has
 * woken it, and of nothing else.
 */
TEST_F(deadline, that_is_still_waking_many_is_overtaken_by_a_cancel)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = ctx_new(self->dev), ep[MANY], i;
	char cpus[4096], ours[4096];

	if (come_first() || queue_move("1", cpus, sizeof(cpus)))
		SKIP(return, "needs the privilege to choose processors");
	for (i = 0; i < MANY; i++) {
		ep[i] = epoll_create1(EPOLL_CLOEXEC);
		EXPECT_EQ(0, epoll_ctl(ep[i], EPOLL_CTL_ADD, fd, &event));
	}
	EXPECT_EQ(0, ctx_set_timeout(fd, NSEC_PER_MSEC));
	EXPECT_EQ(1, epoll_wait(ep[MANY / 2], &event, 1, CTX_WAIT_MS));
	EXPECT_EQ(1, ctx_cancel(fd, EIO, NULL));
	for (i = 0; i < MANY; i++) {
		if (i != MANY / 2)
			EXPECT_EQ(1, epoll_wait(ep[i], &event, 1, 0));
		close(ep[i]);
	}
	check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	close(fd);
	EXPECT_EQ(0, queue_move(cpus, ours, sizeof(ours)));
}

TEST_F(deadline, reaches_neither_parent_nor_sibling)
{
	int child = ctx_new_timeout(self->root, NSEC_PER_MSEC);
	int sibling = ctx_new(self->root);

	check_becomes_cancelled(child, ETIMEDOUT, ETIMEDOUT, ctx_id(child));
	check_alive(self->root);
	check_alive(sibling);
	close(sibling);
	close(child);
}

TEST_F(deadline, cancelled_at_is_not_before_the_deadline)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + 5 * NSEC_PER_MSEC;
	int fd = ctx_new_deadline(self->root, CLOCK_MONOTONIC, when);
	struct ctx_info info;

	check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_LE(when, info.cancelled_at);
	EXPECT_GE(ctx_clock(CLOCK_MONOTONIC), info.cancelled_at);
	close(fd);
}

TEST_F(deadline, of_the_parent_comes_first_where_it_is_earlier)
{
	int child = ctx_new_timeout(self->root, HOUR);

	EXPECT_EQ(0, ctx_set_timeout(self->root, NSEC_PER_MSEC));
	check_becomes_cancelled(child, ETIMEDOUT, ETIMEDOUT, ctx_id(self->root));
	close(child);
}

TEST_F(deadline, outlasts_the_descriptors_of_a_detached_context)
{
	int parent = ctx_create(self->root, &(struct ctx_create_args){
		.flags = CTX_CREATE_DETACHED | CTX_CREATE_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.deadline = 20 * NSEC_PER_MSEC,
	});
	__u64 id = ctx_id(parent);
	int child = ctx_new(parent);

	ASSERT_LE(0, child);
	close(parent);
	check_becomes_cancelled(child, ETIMEDOUT, ETIMEDOUT, id);
	close(child);
}

/* Final. */

TEST_F(deadline, changes_nothing_after_a_cancel)
{
	__u64 timeout = 10 * NSEC_PER_MSEC, when;
	struct ctx_info before, after;
	int fd;

	/* Should the deadline win on a slow machine, the next try gives more. */
	for (;; timeout *= 4) {
		when = ctx_clock(CLOCK_MONOTONIC) + timeout;
		fd = ctx_new_deadline(self->root, CLOCK_MONOTONIC, when);
		ASSERT_LE(0, fd);
		if (!ctx_cancel(fd, EIO, "first"))
			break;
		close(fd);
	}
	check_cancelled(fd, ECANCELED, EIO, ctx_id(fd));
	EXPECT_EQ(0, ctx_info(fd, &before));
	while (ctx_clock(CLOCK_MONOTONIC) <= when)
		wait_for_a_later_deadline(self->dev);
	wait_for_a_later_deadline(self->dev);
	EXPECT_EQ(0, ctx_info(fd, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	check_cancelled(fd, ECANCELED, EIO, ctx_id(fd));
	close(fd);
}

TEST_F(deadline, is_not_outdone_by_a_later_cancel)
{
	int parent = ctx_new(self->root), child = ctx_new_timeout(parent, 0);
	struct ctx_info before, after;

	EXPECT_EQ(0, ctx_info(child, &before));
	EXPECT_EQ(1, ctx_cancel(child, EIO, "child"));
	EXPECT_EQ(0, ctx_cancel(parent, EIO, "parent"));
	EXPECT_EQ(0, ctx_info(child, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	check_cancelled(child, ETIMEDOUT, ETIMEDOUT, ctx_id(child));
	close(child);
	close(parent);
}

/* Moving it. */

TEST_F(deadline, can_be_moved_earlier)
{
	int fd = ctx_new_timeout(self->root, HOUR);

	EXPECT_EQ(0, ctx_set_timeout(fd, NSEC_PER_MSEC));
	check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	close(fd);
}

/*
 * Moves the deadline of a new child by @call before it comes, however slow the
 * machine is, and waits until it would have come.
 */
#define check_moved_away(child, call) ({				\
	struct ctx_info __info;						\
	__u64 __timeout = 10 * NSEC_PER_MSEC;				\
									\
	(child) = ctx_new_timeout(self->root, __timeout);		\
	EXPECT_EQ(0, ctx_info((child), &__info));			\
	while ((call)) {						\
		ASSERT_EQ(ECANCELED, errno);				\
		close(child);						\
		__timeout *= 4;						\
		(child) = ctx_new_timeout(self->root, __timeout);	\
		EXPECT_EQ(0, ctx_info((child), &__info));		\
	}								\
	while (ctx_clock(CLOCK_MONOTONIC) <= __info.deadline)		\
		wait_for_a_later_deadline(self->dev);			\
	wait_for_a_later_deadline(self->dev);				\
	check_alive(child);						\
})

TEST_F(deadline, can_be_moved_later)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;
	int fd;

	check_moved_away(fd, ctx_set_deadline(fd, CLOCK_MONOTONIC, when));
	check_info(fd, deadline, when);
	close(fd);
}

TEST_F(deadline, can_be_removed)
{
	int fd;

	check_moved_away(fd, ctx_set_deadline(fd, CLOCK_MONOTONIC, 0));
	check_info(fd, deadline, 0);
	close(fd);
}

TEST_F(deadline, can_be_moved_to_another_clock)
{
	int fd;

	check_moved_away(fd, ctx_set_deadline(fd, CLOCK_REALTIME,
					      ctx_clock(CLOCK_REALTIME) + HOUR));
	EXPECT_EQ(0, ctx_set_deadline(fd, CLOCK_BOOTTIME,
				      ctx_clock(CLOCK_BOOTTIME) + NSEC_PER_MSEC));
	check_becomes_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
	close(fd);
}

TEST_F(deadline, set_to_a_time_that_has_passed_cancels_at_once)
{
	int a = ctx_new(self->root), b = ctx_new(self->root), below = ctx_new(a);

	EXPECT_EQ(0, ctx_set_timeout(a, 0));
	check_cancelled(a, ETIMEDOUT, ETIMEDOUT, ctx_id(a));
	check_cancelled(below, ETIMEDOUT, ETIMEDOUT, ctx_id(a));
	EXPECT_EQ(0, ctx_set_deadline(b, CLOCK_MONOTONIC, 1));
	check_cancelled(b, ETIMEDOUT, ETIMEDOUT, ctx_id(b));
	check_info(self->root, nr_children, 0);
	close(below);
	close(b);
	close(a);
}

TEST_F(deadline, of_a_cancelled_context_cannot_be_set)
{
	int child = ctx_new(self->root);

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_refused(self->root, ECANCELED, ctx_set_timeout(self->root, HOUR));
	check_refused(self->root, ECANCELED,
		      ctx_set_deadline(self->root, CLOCK_MONOTONIC, 0));
	/* Cancelled by an ancestor, and by a deadline. */
	check_refused(child, ECANCELED, ctx_set_timeout(child, HOUR));
	close(child);
	child = ctx_new_timeout(self->dev, 0);
	check_refused(child, ECANCELED, ctx_set_timeout(child, HOUR));
	close(child);
}

TEST_F(deadline, stays_where_a_call_that_would_set_it_fails)
{
	struct ctx_deadline_args args = { .deadline = 2 * HOUR };
	int fd = ctx_new_timeout(self->root, HOUR);
	int watch = ctx_watch(fd, 0);

	check_refused(fd, EINVAL, ctx_set_deadline(fd, 99, HOUR));
	check_refused(fd, EINVAL, ctx_set_deadline(fd, CLOCK_MONOTONIC, ~0ULL));
	check_refused(fd, EBADF, ctx_set_timeout(watch, 2 * HOUR));
	check_refused(fd, EFAULT, ioctl(fd, CTX_IOC_SET_DEADLINE, NULL));
	args.clockid = CLOCK_MONOTONIC;
	args.flags = CTX_CREATE_DETACHED;
	check_refused(fd, EINVAL, ioctl(fd, CTX_IOC_SET_DEADLINE, &args));
	close(watch);
	close(fd);
}

/* What is inherited, as INFO tells it. */

TEST_F(deadline, is_inherited_by_all_below)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;
	int parent = ctx_new_deadline(self->root, CLOCK_MONOTONIC, when);
	int child = ctx_new(parent), grandchild = ctx_new(child);

	check_info(grandchild, deadline, when);
	check_info(child, deadline, when);
	check_info(parent, deadline, when);
	check_info(self->root, deadline, 0);
	close(grandchild);
	close(child);
	close(parent);
}

TEST_F(deadline, told_is_the_earliest_on_the_way_up)
{
	__u64 now = ctx_clock(CLOCK_MONOTONIC);
	int a = ctx_new_deadline(self->root, CLOCK_MONOTONIC, now + 2 * HOUR);
	int b = ctx_new_deadline(a, CLOCK_MONOTONIC, now + HOUR);
	int c = ctx_new_deadline(b, CLOCK_MONOTONIC, now + 3 * HOUR);

	check_info(a, deadline, now + 2 * HOUR);
	check_info(b, deadline, now + HOUR);
	check_info(c, deadline, now + HOUR);
	close(c);
	close(b);
	close(a);
}

TEST_F(deadline, told_is_the_earliest_whatever_the_clocks)
{
	__u64 before = ctx_clock(CLOCK_MONOTONIC);
	int a = ctx_new_deadline(self->root, CLOCK_REALTIME,
				 ctx_clock(CLOCK_REALTIME) + HOUR);
	int b = ctx_new_deadline(a, CLOCK_BOOTTIME,
				 ctx_clock(CLOCK_BOOTTIME) + 2 * HOUR);
	int c = ctx_new_deadline(b, CLOCK_MONOTONIC, before + 3 * HOUR);
	__u64 after = ctx_clock(CLOCK_MONOTONIC);
	struct ctx_info info;

	ASSERT_LE(0, c);
	ASSERT_EQ(0, ctx_info(c, &info));
	EXPECT_LE(before + HOUR - CLOCK_SLACK, info.deadline);
	EXPECT_GE(after + HOUR + CLOCK_SLACK, info.deadline);
	close(c);
	close(b);
	close(a);
}

TEST_F(deadline, below_follows_the_parents_at_once)
{
	__u64 now = ctx_clock(CLOCK_MONOTONIC);
	int child = ctx_new(self->root);
	int own = ctx_new_deadline(child, CLOCK_MONOTONIC, now + 2 * HOUR);

	check_info(own, deadline, now + 2 * HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->root, CLOCK_MONOTONIC, now + HOUR));
	check_info(child, deadline, now + HOUR);
	check_info(own, deadline, now + HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->root, CLOCK_MONOTONIC,
				      now + 3 * HOUR));
	check_info(child, deadline, now + 3 * HOUR);
	check_info(own, deadline, now + 2 * HOUR);
	EXPECT_EQ(0, ctx_set_deadline(self->root, CLOCK_MONOTONIC, 0));
	check_info(child, deadline, 0);
	check_info(own, deadline, now + 2 * HOUR);
	/* Its own alone is what the call replaces. */
	EXPECT_EQ(0, ctx_set_deadline(self->root, CLOCK_MONOTONIC, now + HOUR));
	EXPECT_EQ(0, ctx_set_deadline(own, CLOCK_MONOTONIC, 0));
	check_info(own, deadline, now + HOUR);
	close(own);
	close(child);
}

TEST_F(deadline, moved_later_on_the_parent_spares_the_child)
{
	int child, grandchild;

	check_moved_away(child, (grandchild = ctx_new(child),
				 ctx_set_timeout(child, HOUR)));
	check_alive(grandchild);
	close(grandchild);
	close(child);
}

TEST_HARNESS_MAIN
