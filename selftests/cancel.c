// SPDX-License-Identifier: GPL-2.0-only
/*
 * CTX_IOC_CANCEL: what it says of the context, whom it reaches, whom it wakes
 * and that nothing changes afterwards.
 */
#include "ctx_selftest.h"
#include <limits.h>
#include <sys/select.h>

FIXTURE(cancel) {
	int dev;
	int root;
	__u64 id;
};

FIXTURE_SETUP(cancel)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
	self->id = ctx_id(self->root);
}

FIXTURE_TEARDOWN(cancel)
{
	close(self->root);
	close(self->dev);
}

TEST_F(cancel, returns_0_where_it_cancelled_and_1_afterwards)
{
	check_alive(self->root);
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	EXPECT_EQ(1, ctx_cancel(self->root, 0, NULL));
	EXPECT_EQ(1, ctx_cancel(self->root, EIO, "again"));
}

TEST_F(cancel, cause_0_stands_for_ECANCELED)
{
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_cancelled(self->root, ECANCELED, ECANCELED, self->id);
}

TEST_F(cancel, the_error_is_ECANCELED_whatever_the_cause)
{
	const int causes[] = {
		1, EIO, ECANCELED, ETIMEDOUT, EOWNERDEAD, 4095, 4096, 1000000,
		INT_MAX,
	};
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(causes); i++) {
		fd = ctx_new(self->root);
		EXPECT_EQ(0, ctx_cancel(fd, causes[i], NULL));
		check_cancelled(fd, ECANCELED, causes[i], ctx_id(fd));
		close(fd);
	}
}

TEST_F(cancel, a_negative_cause_gives_EINVAL)
{
	check_refused(self->root, EINVAL, ctx_cancel(self->root, -1, NULL));
	check_refused(self->root, EINVAL, ctx_cancel(self->root, -EIO, NULL));
	check_refused(self->root, EINVAL, ctx_cancel(self->root, INT_MIN, NULL));
	check_alive(self->root);
}

TEST_F(cancel, cancelled_at_lies_between_the_clock_before_and_after)
{
	__u64 before = ctx_clock(CLOCK_MONOTONIC), after;
	struct ctx_info info;

	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	after = ctx_clock(CLOCK_MONOTONIC);
	ASSERT_EQ(0, ctx_info(self->root, &info));
	EXPECT_LE(before, info.cancelled_at);
	EXPECT_GE(after, info.cancelled_at);
}

/* Whom it reaches. */

TEST_F(cancel, reaches_every_descendant_at_one_instant)
{
	int fds[1 + 3 + 9 + 27] = { self->root };
	struct ctx_info info;
	unsigned int i;
	__u64 when;

	for (i = 1; i < ARRAY_SIZE(fds); i++) {
		fds[i] = ctx_new(fds[(i - 1) / 3]);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, "all of it"));
	ASSERT_EQ(0, ctx_info(self->root, &info));
	when = info.cancelled_at;
	/* From the leaves upwards: none was left to be found on the way. */
	while (i--) {
		check_cancelled(fds[i], ECANCELED, EIO, self->id);
		check_message(fds[i], "all of it");
		check_info(fds[i], cancelled_at, when);
		EXPECT_EQ(1, ctx_cancel(fds[i], 0, NULL));
	}
	for (i = 1; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

TEST_F(cancel, reaches_neither_parent_nor_sibling)
{
	int child = ctx_new(self->root), sibling = ctx_new(self->root);
	int nephew = ctx_new(sibling), stranger = ctx_new(self->dev);

	EXPECT_EQ(0, ctx_cancel(child, EIO, NULL));
	check_cancelled(child, ECANCELED, EIO, ctx_id(child));
	check_alive(self->root);
	check_alive(sibling);
	check_alive(nephew);
	check_alive(stranger);
	close(stranger);
	close(nephew);
	close(sibling);
	close(child);
}

TEST_F(cancel, reaches_below_a_context_whose_descriptors_are_closed)
{
	int child = ctx_new_detached(self->root), grandchild = ctx_new(child);

	close(child);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_cancelled(grandchild, ECANCELED, EIO, self->id);
	close(grandchild);
}

TEST_F(cancel, works_through_a_duplicate)
{
	int copy = dup(self->root);

	EXPECT_EQ(0, ctx_cancel(copy, EIO, NULL));
	EXPECT_EQ(1, ctx_cancel(self->root, EIO, NULL));
	check_cancelled(self->root, ECANCELED, EIO, self->id);
	close(copy);
}

TEST_F(cancel, works_through_a_descriptor_received_over_a_socket)
{
	int sock[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, ctx_send_fd(sock[0], self->root));
	in_child(pid) {
		fd = ctx_recv_fd(sock[1]);
		EXPECT_EQ(self->id, ctx_id(fd));
		EXPECT_EQ(0, ctx_cancel(fd, EIO, NULL));
	}
	check_child(pid);
	check_cancelled(self->root, ECANCELED, EIO, self->id);
	close(sock[0]);
	close(sock[1]);
}

/* Final. */

TEST_F(cancel, a_second_cancel_changes_nothing)
{
	struct ctx_info before, after;

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, "first"));
	EXPECT_EQ(0, ctx_info(self->root, &before));
	EXPECT_EQ(1, ctx_cancel(self->root, EPIPE, "second, and longer"));
	EXPECT_EQ(0, ctx_info(self->root, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	check_cancelled(self->root, ECANCELED, EIO, self->id);
	check_message(self->root, "first");
}

TEST_F(cancel, a_later_cancel_of_the_parent_changes_nothing)
{
	int child = ctx_new(self->root), grandchild = ctx_new(child);
	struct ctx_info before[2], after;
	__u64 id = ctx_id(child);

	EXPECT_EQ(0, ctx_cancel(child, EIO, "child"));
	EXPECT_EQ(0, ctx_info(child, &before[0]));
	EXPECT_EQ(0, ctx_info(grandchild, &before[1]));
	EXPECT_EQ(0, ctx_cancel(self->root, EPIPE, "root"));
	EXPECT_EQ(0, ctx_info(child, &after));
	EXPECT_EQ(0, memcmp(&before[0], &after, sizeof(after)));
	EXPECT_EQ(0, ctx_info(grandchild, &after));
	EXPECT_EQ(0, memcmp(&before[1], &after, sizeof(after)));
	check_cancelled(child, ECANCELED, EIO, id);
	check_cancelled(grandchild, ECANCELED, EIO, id);
	check_message(grandchild, "child");
	check_cancelled(self->root, ECANCELED, EPIPE, self->id);
	close(grandchild);
	close(child);
}

TEST_F(cancel, a_later_cancel_of_the_child_changes_nothing)
{
	int child = ctx_new(self->root);

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, "root"));
	EXPECT_EQ(1, ctx_cancel(child, EPIPE, "child"));
	check_cancelled(child, ECANCELED, EIO, self->id);
	check_message(child, "root");
	close(child);
}

TEST_F(cancel, an_origin_stays_though_its_context_is_gone)
{
	int child = ctx_new(self->root);
	int watch = ctx_watch(child, 0);

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, "gone"));
	close(self->root);
	close(child);
	check_cancelled(watch, ECANCELED, EIO, self->id);
	check_message(watch, "gone");
	close(watch);
}

/* The message. */

TEST_F(cancel, without_a_message_there_is_none)
{
	static const char none[CTX_MESSAGE_MAX] = "";
	struct ctx_info info;

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(0, ctx_info(self->root, &info));
	EXPECT_EQ(0, info.message_len);
	EXPECT_EQ(0, memcmp(none, info.message, sizeof(none)));
}

TEST_F(cancel, a_message_has_up_to_128_bytes)
{
	struct ctx_cancel_args args = { .cause = EIO };
	char message[CTX_MESSAGE_MAX];
	struct ctx_info info;
	unsigned int i;

	for (i = 0; i < sizeof(message); i++)
		message[i] = 'a' + i % 26;
	args.message = (uintptr_t)message;
	args.message_len = sizeof(message);
	EXPECT_EQ(0, ioctl(self->root, CTX_IOC_CANCEL, &args));
	ASSERT_EQ(0, ctx_info(self->root, &info));
	EXPECT_EQ(CTX_MESSAGE_MAX, info.message_len);
	EXPECT_EQ(0, memcmp(message, info.message, sizeof(message)));
}

TEST_F(cancel, no_byte_after_a_message_shows)
{
	struct ctx_cancel_args args = { .cause = EIO, .message_len = 5 };
	static const char shown[CTX_MESSAGE_MAX] = "short";
	struct ctx_info info;

	args.message = (uintptr_t)"shorter than this";
	EXPECT_EQ(0, ioctl(self->root, CTX_IOC_CANCEL, &args));
	ASSERT_EQ(0, ctx_info(self->root, &info));
	EXPECT_EQ(5, info.message_len);
	EXPECT_EQ(0, memcmp(shown, info.message, sizeof(shown)));
}

TEST_F(cancel, a_message_over_128_bytes_gives_EINVAL)
{
	char message[4096];
	struct ctx_cancel_args args = { .message = (uintptr_t)message };
	const __u32 lens[] = { CTX_MESSAGE_MAX + 1, sizeof(message), ~0U };
	unsigned int i;

	memset(message, 'a', sizeof(message));
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		args.message_len = lens[i];
		check_refused(self->root, EINVAL,
			      ioctl(self->root, CTX_IOC_CANCEL, &args));
	}
	check_alive(self->root);
}

TEST_F(cancel, a_message_at_a_bad_address_gives_EFAULT)
{
	char *page = mmap(NULL, 2 * getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ctx_cancel_args args = { .message_len = 10 };
	unsigned int i;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + getpagesize(), getpagesize()));
	{
		/* None, one nowhere, one that ends nowhere, the kernel's. */
		const __u64 bad[] = {
			0, (uintptr_t)page + getpagesize(),
			(uintptr_t)page + getpagesize() - 9, -4096ULL,
		};

		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			args.message = bad[i];
			check_refused(self->root, EFAULT,
				      ioctl(self->root, CTX_IOC_CANCEL, &args));
		}
	}
	check_alive(self->root);
	/* The whole message before the end of the page is no error. */
	args.message = (uintptr_t)page + getpagesize() - 10;
	EXPECT_EQ(0, ioctl(self->root, CTX_IOC_CANCEL, &args));
	check_info(self->root, message_len, 10);
	munmap(page, getpagesize());
}

/* Whom it wakes. */

TEST_F(cancel, wakes_reads_on_the_context_and_far_below)
{
	int child = ctx_new(self->root), grandchild = ctx_new(child);
	int fds[] = {
		self->root, ctx_watch(self->root, 0), child, grandchild,
		ctx_watch(grandchild, 0), grandchild,
	};
	struct ctx_reader readers[ARRAY_SIZE(fds)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		ASSERT_EQ(0, ctx_reader_start(&readers[i], fds[i]));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_EQ(0, ctx_reader_join(&readers[i]));
		EXPECT_EQ(sizeof(struct ctx_event), readers[i].ret);
		EXPECT_EQ(ECANCELED, readers[i].event.err);
		EXPECT_EQ(EIO, readers[i].event.cause);
		EXPECT_EQ(self->id, readers[i].event.origin_id);
	}
}

TEST_F(cancel, leaves_waiters_elsewhere_asleep)
{
	int child = ctx_new(self->root), sibling = ctx_new(self->root);
	struct ctx_reader above, beside, here;

	ASSERT_EQ(0, ctx_reader_start(&above, self->root));
	ASSERT_EQ(0, ctx_reader_start(&beside, sibling));
	ASSERT_EQ(0, ctx_reader_start(&here, child));
	EXPECT_EQ(0, ctx_cancel(child, EIO, NULL));
	ASSERT_EQ(0, ctx_reader_join(&here));
	EXPECT_EQ(ctx_id(child), here.event.origin_id);
	EXPECT_EQ(0, ctx_wait_in_syscall(getpid(), above.tid, SYS_read));
	EXPECT_EQ(0, ctx_wait_in_syscall(getpid(), beside.tid, SYS_read));
	EXPECT_EQ(0, ctx_cancel(self->root, EPIPE, NULL));
	ASSERT_EQ(0, ctx_reader_join(&above));
	ASSERT_EQ(0, ctx_reader_join(&beside));
	EXPECT_EQ(EPIPE, above.event.cause);
	EXPECT_EQ(EPIPE, beside.event.cause);
}

/* A process that waits in its own way, told apart by the system call. */
TEST_F(cancel, wakes_poll_select_and_epoll_in_other_processes)
{
	int child = ctx_new(self->root), watch = ctx_watch(child, 0);
	const long calls[] = { SYS_ppoll, SYS_pselect6, SYS_epoll_pwait };
	struct epoll_event event = { .events = EPOLLIN };
	struct timespec limit = { .tv_sec = CTX_WAIT_MS / 1000 };
	struct pollfd pfd = { .fd = watch, .events = POLLIN };
	pid_t pids[ARRAY_SIZE(calls)];
	unsigned int i;
	fd_set fds;
	int ep;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		in_child(pids[i]) {
			close(self->root);
			close(child);
			switch (calls[i]) {
			case SYS_ppoll:
				EXPECT_EQ(1, syscall(SYS_ppoll, &pfd, 1, &limit,
						     NULL, 0));
				EXPECT_EQ(POLLIN, pfd.revents);
				break;
			case SYS_pselect6:
				FD_ZERO(&fds);
				FD_SET(watch, &fds);
				EXPECT_EQ(1, syscall(SYS_pselect6, watch + 1,
						     &fds, NULL, NULL, &limit,
						     NULL));
				break;
			case SYS_epoll_pwait:
				ep = epoll_create1(0);
				EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, watch,
						       &event));
				EXPECT_EQ(1, syscall(SYS_epoll_pwait, ep, &event,
						     1, CTX_WAIT_MS, NULL, 0));
				break;
			}
			check_cancelled(watch, ECANCELED, EIO, self->id);
		}
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		EXPECT_EQ(0, ctx_wait_in_syscall(pids[i], pids[i], calls[i]));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		check_child(pids[i]);
}

/*
 * An edge-triggered item is reported where it was woken and not otherwise, so
 * that epoll_wait() without a timeout tells whom the call had woken when it
 * returned.
 */
TEST_F(cancel, has_woken_everyone_below_when_it_returns)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct epoll_event seen[64];
	int ep = epoll_create1(0), fds[64] = { self->root };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (i)
			fds[i] = ctx_new(fds[(i - 1) / 2]);
		event.data.u32 = i;
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event));
	}
	EXPECT_EQ(0, epoll_wait(ep, seen, ARRAY_SIZE(seen), 0));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	EXPECT_EQ(ARRAY_SIZE(fds), epoll_wait(ep, seen, ARRAY_SIZE(seen), 0));
	close(ep);
}

/* What lies below a part that was cancelled before is not left out. */
TEST_F(cancel, reaches_past_a_part_that_was_cancelled_before)
{
	int a = ctx_new(self->root), b = ctx_new(a), c = ctx_new(b);
	int d = ctx_new(a);
	__u64 id = ctx_id(b);

	EXPECT_EQ(0, ctx_cancel(b, EPIPE, NULL));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_cancelled(c, ECANCELED, EPIPE, id);
	check_cancelled(b, ECANCELED, EPIPE, id);
	check_cancelled(d, ECANCELED, EIO, self->id);
	check_cancelled(a, ECANCELED, EIO, self->id);
	close(d);
	close(c);
	close(b);
	close(a);
}

TEST_HARNESS_MAIN
