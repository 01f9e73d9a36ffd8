// SPDX-License-Identifier: GPL-2.0-only
/*
 * CTX_IOC_WATCH: a read-only descriptor can wait, read and be a parent, and
 * there is no way in which it could do more.
 */
#include "ctx_selftest.h"

FIXTURE(watch) {
	int dev;
	int fd;
	int watch;
	__u64 id;
};

FIXTURE_SETUP(watch)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->fd = ctx_new_named(self->dev, "watched");
	ASSERT_LE(0, self->fd);
	self->watch = ctx_watch(self->fd, 0);
	ASSERT_LE(0, self->watch);
	self->id = ctx_id(self->fd);
}

FIXTURE_TEARDOWN(watch)
{
	close(self->watch);
	close(self->fd);
	close(self->dev);
}

TEST_F(watch, is_a_descriptor_of_the_same_context)
{
	struct ctx_info info, same;

	EXPECT_NE(self->fd, self->watch);
	ASSERT_EQ(0, ctx_info(self->fd, &info));
	ASSERT_EQ(0, ctx_info(self->watch, &same));
	EXPECT_EQ(0, memcmp(&info, &same, sizeof(info)));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, "why"));
	check_cancelled(self->watch, ECANCELED, EIO, self->id);
	check_message(self->watch, "why");
}

TEST_F(watch, is_open_read_only_with_the_flags_asked_for)
{
	const __u32 flags[] = {
		0, CTX_CLOEXEC, CTX_NONBLOCK, CTX_CLOEXEC | CTX_NONBLOCK,
	};
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		fd = ctx_watch(self->fd, flags[i]);
		ASSERT_LE(0, fd);
		EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(flags[i] & CTX_NONBLOCK ? O_NONBLOCK : 0,
			  fcntl(fd, F_GETFL) & O_NONBLOCK);
		EXPECT_EQ(flags[i] & CTX_CLOEXEC ? FD_CLOEXEC : 0,
			  fcntl(fd, F_GETFD));
		close(fd);
	}
}

TEST_F(watch, reads_with_EAGAIN_where_it_is_non_blocking)
{
	int fd = ctx_watch(self->fd, CTX_NONBLOCK);
	struct ctx_event event;

	check_refused(fd, EAGAIN, read(fd, &event, sizeof(event)));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	check_cancelled(fd, ECANCELED, EIO, self->id);
	close(fd);
}

TEST_F(watch, can_be_watched_again)
{
	int again = ctx_watch(self->watch, 0);

	ASSERT_LE(0, again);
	EXPECT_EQ(self->id, ctx_id(again));
	EXPECT_EQ(O_RDONLY, fcntl(again, F_GETFL) & O_ACCMODE);
	check_refused(again, EBADF, ctx_cancel(again, EIO, NULL));
	close(self->watch);
	check_alive(again);
	close(again);
}

TEST_F(watch, of_a_cancelled_context_tells_of_it)
{
	int late;

	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	late = ctx_watch(self->fd, 0);
	ASSERT_LE(0, late);
	check_cancelled(late, ECANCELED, EIO, self->id);
	close(late);
}

TEST_F(watch, is_not_counted_as_a_child)
{
	check_info(self->fd, nr_children, 0);
}

TEST_F(watch, is_a_parent_whose_child_cancels_itself_alone)
{
	int child = ctx_new(self->watch);

	ASSERT_LE(0, child);
	check_info(child, parent_id, self->id);
	check_info(self->fd, nr_children, 1);
	EXPECT_EQ(0, ctx_cancel(child, EIO, NULL));
	check_alive(self->watch);
	close(child);
	child = ctx_new(self->watch);
	EXPECT_EQ(0, ctx_cancel(self->fd, EPIPE, NULL));
	check_cancelled(child, ECANCELED, EPIPE, self->id);
	close(child);
}

TEST_F(watch, cannot_cancel)
{
	check_refused(self->watch, EBADF, ctx_cancel(self->watch, 0, NULL));
	check_refused(self->watch, EBADF, ctx_cancel(self->watch, EIO, "no"));
	check_alive(self->fd);
	/* Nor can it ask whether that was done before. */
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	check_refused(self->watch, EBADF, ctx_cancel(self->watch, 0, NULL));
}

TEST_F(watch, cannot_move_the_deadline)
{
	EXPECT_EQ(0, ctx_set_timeout(self->fd, HOUR));
	check_refused(self->watch, EBADF, ctx_set_timeout(self->watch, 0));
	check_refused(self->watch, EBADF,
		      ctx_set_deadline(self->watch, CLOCK_MONOTONIC, 0));
	check_refused(self->watch, EBADF,
		      ctx_set_deadline(self->watch, CLOCK_MONOTONIC, 1));
	check_alive(self->fd);
}

TEST_F(watch, cannot_be_opened_again)
{
	const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	unsigned int i;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->watch);
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		check_refused(self->watch, EACCES, open(path, modes[i]));
	/* Nor the writable one, so that there is one description to release. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		check_refused(self->fd, EACCES, open(path, modes[i]));
}

TEST_F(watch, cannot_be_made_writable_by_F_SETFL)
{
	EXPECT_EQ(0, fcntl(self->watch, F_SETFL, O_RDWR));
	EXPECT_EQ(O_RDONLY, fcntl(self->watch, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(0, fcntl(self->watch, F_SETFL, O_WRONLY | O_NONBLOCK));
	EXPECT_EQ(O_RDONLY, fcntl(self->watch, F_GETFL) & O_ACCMODE);
	check_refused(self->watch, EBADF, ctx_cancel(self->watch, 0, NULL));
	check_refused(self->watch, EBADF, ctx_set_timeout(self->watch, 0));
	check_alive(self->fd);
}

TEST_F(watch, stays_read_only_as_a_duplicate_and_over_a_socket)
{
	int copy = dup(self->watch), sock[2];
	pid_t pid;
	int fd;

	check_refused(copy, EBADF, ctx_cancel(copy, 0, NULL));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	in_child(pid) {
		close(self->fd);
		close(self->watch);
		close(copy);
		fd = ctx_recv_fd(sock[1]);
		EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
		check_refused(fd, EBADF, ctx_cancel(fd, 0, NULL));
		check_refused(fd, EBADF, ctx_set_timeout(fd, 0));
		check_alive(fd);
	}
	EXPECT_EQ(0, ctx_send_fd(sock[0], self->watch));
	check_child(pid);
	check_alive(self->fd);
	close(sock[0]);
	close(sock[1]);
	close(copy);
}

TEST_F(watch, of_the_background_is_the_background)
{
	int fd = ctx_watch(self->dev, CTX_NONBLOCK), root;
	const struct ctx_info zero = {};
	struct ctx_event event;
	struct ctx_info info;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(0, memcmp(&zero, &info, sizeof(info)));
	check_refused(fd, EBADF, ctx_cancel(fd, 0, NULL));
	check_errno(EAGAIN, read(fd, &event, sizeof(event)));
	root = ctx_new(fd);
	check_info(root, parent_id, 0);
	check_info(root, depth, 0);
	close(root);
	close(fd);
}

TEST_HARNESS_MAIN
