// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: reads that need no worker thread, and polls.
 */
#include "ctx_features.h"
#include "uring.h"
#include <sys/eventfd.h>
#include <sys/uio.h>

FIXTURE(io_uring) {
	int dev;
	int root;
	int child;
	struct uring ring;
	int none;	/* why there is no io_uring */
};

FIXTURE_SETUP(io_uring)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
	self->child = ctx_new(self->root);
	ASSERT_LE(0, self->child);
	/* Who has none skips in the test: the harness goes on after a setup. */
	if (uring_open(&self->ring, 256))
		self->none = errno;
}

FIXTURE_TEARDOWN(io_uring)
{
	uring_close(&self->ring);
	close(self->child);
	close(self->root);
	close(self->dev);
}

#define needs_io_uring(self) do {					\
	if ((self)->none)						\
		SKIP(return, "there is no io_uring: %s", strerror((self)->none)); \
} while (0)

/* That the request @tag completes, with @result. */
#define check_completed(self, tag, result) ({				\
	struct io_uring_cqe __cqe = {};					\
									\
	EXPECT_TRUE(uring_complete(&(self)->ring, &__cqe, CTX_WAIT_MS));	\
	EXPECT_EQ((tag), __cqe.user_data);				\
	EXPECT_EQ((result), __cqe.res);					\
	__cqe.flags;							\
})

#define check_not_completed(self) ({					\
	struct io_uring_cqe __cqe;					\
									\
	EXPECT_FALSE(uring_complete(&(self)->ring, &__cqe, 0));		\
})

TEST_F(io_uring, a_read_completes_upon_cancellation)
{
	struct ctx_event event = {};

	needs_io_uring(self);
	ASSERT_EQ(1, uring_read(&self->ring, self->child, &event, sizeof(event), 1));
	check_not_completed(self);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_completed(self, 1, (int)sizeof(event));
	EXPECT_EQ(ECANCELED, event.err);
	EXPECT_EQ(EIO, event.cause);
	EXPECT_EQ(ctx_id(self->root), event.origin_id);
}

TEST_F(io_uring, a_read_needs_no_worker_thread)
{
	struct ctx_event event[100];
	int i;

	needs_io_uring(self);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(1, uring_read(&self->ring, self->child, &event[i],
					sizeof(event[i]), i));
	/* Where it needed one it would have been started by the submission. */
	EXPECT_EQ(0, uring_workers());
	check_not_completed(self);
	EXPECT_EQ(0, uring_workers());
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	for (i = 0; i < 100; i++) {
		struct io_uring_cqe cqe = {};

		ASSERT_TRUE(uring_complete(&self->ring, &cqe, CTX_WAIT_MS));
		EXPECT_EQ((int)sizeof(*event), cqe.res);
	}
	EXPECT_EQ(0, uring_workers());
}

/* The count of the others means something. */
TEST_F(io_uring, a_read_that_asks_for_a_worker_thread_has_one)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ,
		.flags = IOSQE_ASYNC,
		.fd = self->child,
		.off = (__u64)-1,
	};
	struct ctx_event event = {};
	int turns;

	needs_io_uring(self);
	sqe.addr = (uintptr_t)&event;
	sqe.len = sizeof(event);
	ASSERT_EQ(1, uring_submit(&self->ring, &sqe));
	for (turns = 0; turns < CTX_WAIT_MS && !uring_workers(); turns++)
		usleep(1000);
	EXPECT_LT(0, uring_workers());
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_completed(self, 0, (int)sizeof(event));
	EXPECT_EQ(EIO, event.cause);
}

TEST_F(io_uring, a_read_of_a_cancelled_context_completes_at_once)
{
	struct ctx_event event = {};

	needs_io_uring(self);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(1, uring_read(&self->ring, self->child, &event, sizeof(event), 1));
	check_completed(self, 1, (int)sizeof(event));
	EXPECT_EQ(EIO, event.cause);
	EXPECT_EQ(0, uring_workers());
}

TEST_F(io_uring, a_read_completes_upon_a_deadline)
{
	struct ctx_event event = {};

	needs_io_uring(self);
	ASSERT_EQ(1, uring_read(&self->ring, self->child, &event, sizeof(event), 1));
	EXPECT_EQ(0, ctx_set_timeout(self->root, NSEC_PER_MSEC));
	check_completed(self, 1, (int)sizeof(event));
	EXPECT_EQ(ETIMEDOUT, event.err);
	EXPECT_EQ(0, uring_workers());
}

TEST_F(io_uring, a_read_completes_upon_a_cancellation_in_another_process)
{
	struct ctx_event event = {};
	pid_t pid;

	needs_io_uring(self);
	ASSERT_EQ(1, uring_read(&self->ring, self->child, &event, sizeof(event), 1));
	in_child(pid)
		EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_completed(self, 1, (int)sizeof(event));
	EXPECT_EQ(EIO, event.cause);
	check_child(pid);
}

/* Kernels differ in what io_uring makes of O_NONBLOCK; not by what it reads from. */
TEST_F(io_uring, a_read_of_a_non_blocking_descriptor_does_what_an_eventfds_does)
{
	int fd = ctx_create(self->root, &(struct ctx_create_args){ .fd_flags = CTX_NONBLOCK });
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct io_uring_cqe cqe = {};
	struct ctx_event event;
	__u64 count;

	needs_io_uring(self);
	ASSERT_EQ(1, uring_read(&self->ring, efd, &count, sizeof(count), 1));
	if (uring_complete(&self->ring, &cqe, 0)) {
		EXPECT_EQ(-EAGAIN, cqe.res);
		ASSERT_EQ(1, uring_read(&self->ring, fd, &event, sizeof(event), 2));
		check_completed(self, 2, -EAGAIN);
	} else {
		ASSERT_EQ(1, uring_read(&self->ring, fd, &event, sizeof(event), 2));
		check_not_completed(self);
		EXPECT_EQ(0, uring_workers());
		EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
		check_completed(self, 2, (int)sizeof(event));
	}
	close(efd);
	close(fd);
}

TEST_F(io_uring, a_read_that_may_not_wait_gives_eagain)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ,
		.fd = self->child,
		.off = (__u64)-1,
		.rw_flags = RWF_NOWAIT,
	};
	struct ctx_event event;

	needs_io_uring(self);
	sqe.addr = (uintptr_t)&event;
	sqe.len = sizeof(event);
	ASSERT_EQ(1, uring_submit(&self->ring, &sqe));
	check_completed(self, 0, -EAGAIN);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(1, uring_submit(&self->ring, &sqe));
	check_completed(self, 0, (int)sizeof(event));
}

TEST_F(io_uring, a_read_into_too_small_a_buffer_gives_einval)
{
	struct ctx_event event;

	needs_io_uring(self);
	ASSERT_EQ(1, uring_read(&self->ring, self->child, &event, sizeof(event) - 1, 1));
	check_completed(self, 1, -EINVAL);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(1, uring_read(&self->ring, self->child, &event, sizeof(event) - 1, 2));
	check_completed(self, 2, -EINVAL);
}

TEST_F(io_uring, a_read_that_waits_can_be_taken_back)
{
	struct io_uring_cqe cqe;
	struct ctx_event event;
	int i, found = 0;

	needs_io_uring(self);
	ASSERT_EQ(1, uring_read(&self->ring, self->child, &event, sizeof(event), 1));
	ASSERT_EQ(1, uring_cancel(&self->ring, 1, 2));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(uring_complete(&self->ring, &cqe, CTX_WAIT_MS));
		EXPECT_EQ(cqe.user_data == 1 ? -ECANCELED : 0, cqe.res);
		found |= cqe.user_data;
	}
	EXPECT_EQ(3, found);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_not_completed(self);
}

TEST_F(io_uring, a_poll_completes_upon_cancellation)
{
	needs_io_uring(self);
	ASSERT_EQ(1, uring_poll(&self->ring, self->child, 0, 1));
	check_not_completed(self);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	EXPECT_EQ(0, IORING_CQE_F_MORE & check_completed(self, 1, POLLIN));
	check_not_completed(self);
}

TEST_F(io_uring, a_poll_of_a_cancelled_context_completes_at_once)
{
	needs_io_uring(self);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(1, uring_poll(&self->ring, self->child, 0, 1));
	check_completed(self, 1, POLLIN);
}

TEST_F(io_uring, a_poll_completes_upon_a_deadline)
{
	needs_io_uring(self);
	ASSERT_EQ(1, uring_poll(&self->ring, self->child, 0, 1));
	EXPECT_EQ(0, ctx_set_timeout(self->root, NSEC_PER_MSEC));
	check_completed(self, 1, POLLIN);
}

TEST_F(io_uring, a_multishot_poll_tells_of_a_cancellation_once)
{
	needs_io_uring(self);
	ASSERT_EQ(1, uring_poll(&self->ring, self->child, IORING_POLL_ADD_MULTI, 1));
	check_not_completed(self);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	/* It goes on, and nothing else ever comes. */
	EXPECT_EQ(IORING_CQE_F_MORE, IORING_CQE_F_MORE & check_completed(self, 1, POLLIN));
	EXPECT_EQ(1, ctx_cancel(self->child, EIO, NULL));
	check_not_completed(self);
	ASSERT_EQ(1, uring_cancel(&self->ring, 1, 2));
}

TEST_F(io_uring, a_multishot_poll_of_a_cancelled_context_tells_at_once)
{
	needs_io_uring(self);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(1, uring_poll(&self->ring, self->child, IORING_POLL_ADD_MULTI, 1));
	check_completed(self, 1, POLLIN);
}

TEST_F(io_uring, a_poll_on_a_merged_context_completes_upon_the_further_parents_cancellation)
{
	int merged = ctx_new_merged2(self->dev, self->child);

	needs_io_uring(self);
	ASSERT_EQ(1, uring_poll(&self->ring, merged, 0, 1));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_completed(self, 1, POLLIN);
	close(merged);
}

TEST_F(io_uring, a_request_keeps_the_description_open)
{
	int watch = ctx_watch(self->child, 0);
	struct ctx_event event = {};

	needs_io_uring(self);
	ASSERT_EQ(1, uring_read(&self->ring, self->child, &event, sizeof(event), 1));
	close(self->child);
	self->child = -1;
	check_alive(watch);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_completed(self, 1, (int)sizeof(event));
	EXPECT_EQ(EIO, event.cause);
	close(watch);
}

TEST_F(io_uring, the_end_of_a_process_with_requests_releases_its_contexts)
{
	struct ctx_event event;
	int sock[2], watch;
	pid_t pid;

	needs_io_uring(self);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	in_child(pid) {
		struct uring ring = {};
		int fd = ctx_new(self->dev);

		EXPECT_EQ(0, uring_open(&ring, 8));
		EXPECT_EQ(1, uring_read(&ring, fd, &event, sizeof(event), 1));
		EXPECT_EQ(1, uring_poll(&ring, fd, IORING_POLL_ADD_MULTI, 2));
		EXPECT_EQ(0, ctx_send_fd(sock[1], ctx_watch(fd, 0)));
		pause();
	}
	watch = ctx_recv_fd(sock[0]);
	ASSERT_LE(0, watch);
	check_alive(watch);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	check_becomes_cancelled(watch, ECANCELED, EOWNERDEAD, ctx_id(watch));
	close(watch);
}

TEST_HARNESS_MAIN
