// SPDX-License-Identifier: GPL-2.0-only
/*
 * CTX_WATCH_ONLY: a descriptor for strangers. It can wait, read, be mapped and look
 * up values, and adds nothing to what the owner's cancellation costs.
 */
#include "bounds.h"

#include <sys/ioctl.h>

FIXTURE(watch_only) {
	int	dev;
	int	fd;
	int	only;
	__u64	id;
};

FIXTURE_SETUP(watch_only)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->fd = ctx_new_value(self->dev, "key", "value");
	ASSERT_LE(0, self->fd);
	self->only = ctx_watch(self->fd, CTX_WATCH_ONLY);
	ASSERT_LE(0, self->only) {
		TH_LOG("CTX_WATCH_ONLY is refused");
	}
	self->id = ctx_id(self->fd);
}

FIXTURE_TEARDOWN(watch_only)
{
	close(self->only);
	close(self->fd);
	close(self->dev);
}

/* All that @only may not do */
#define check_fit_for_strangers(self, only) ({				\
	int __on = 1;							\
									\
	check_refused((only), EPERM, ctx_new(only));			\
	check_refused((only), EPERM, ctx_new_kept(only));		\
	check_refused((only), EPERM, ctx_new_merged2((self)->dev, (only)));\
	check_refused((only), EPERM, ctx_watch((only), 0));		\
	check_refused((only), EPERM, ctx_watch((only), CTX_CLOEXEC | CTX_NONBLOCK));\
	check_refused((only), EPERM,					\
		      fcntl((only), F_SETFL, fcntl((only), F_GETFL) | O_ASYNC));\
	check_refused((only), EPERM, ioctl((only), FIOASYNC, &__on));	\
	check_refused((only), EBADF, ctx_cancel((only), EIO, NULL));	\
	check_refused((only), EBADF, ctx_set_timeout((only), HOUR));	\
})

/* All that it may */
#define check_of_use_to_strangers(self, only) ({			\
	char __value[8] = "";						\
	int __again = ctx_watch((only), CTX_WATCH_ONLY);		\
									\
	check_alive(only);						\
	EXPECT_EQ((self)->id, ctx_id(only));				\
	EXPECT_EQ(5, ctx_get_value((only), "key", __value, sizeof(__value)));\
	EXPECT_STREQ("value", __value);					\
	EXPECT_LE(0, __again);						\
	EXPECT_EQ((self)->id, ctx_id(__again));				\
	close(__again);							\
})

TEST_F(watch_only, is_open_read_only_with_the_flags_asked_for)
{
	int fd = ctx_watch(self->fd, CTX_WATCH_ONLY | CTX_CLOEXEC | CTX_NONBLOCK);
	struct ctx_event event;

	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDONLY | O_NONBLOCK, fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	check_errno(EAGAIN, read(fd, &event, sizeof(event)));
	EXPECT_EQ(O_RDONLY, fcntl(self->only, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	EXPECT_EQ(0, fcntl(self->only, F_GETFD));
	close(fd);
}

TEST_F(watch_only, is_no_parent)
{
	check_refused(self->only, EPERM, ctx_new(self->only));
	check_refused(self->only, EPERM, ctx_new_detached(self->only));
	check_refused(self->only, EPERM, ctx_new_kept(self->only));
	check_refused(self->only, EPERM, ctx_new_timeout(self->only, HOUR));
	check_info(self->fd, nr_children, 0);
}

TEST_F(watch_only, is_no_further_parent)
{
	int root = ctx_new(self->dev);

	check_refused(root, EPERM, ctx_new_merged2(root, self->only));
	check_refused(root, EPERM, ctx_new_merged2(self->dev, self->only));
	check_refused(root, EPERM,
		      ctx_new_merged(root, (int []){ root, root, self->only }, 3));
	/* Also where it has been cancelled. */
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	check_refused(root, EPERM, ctx_new_merged2(root, self->only));
	check_refused(root, EPERM, ctx_new(self->only));
	close(root);
}

TEST_F(watch_only, cannot_be_watched_without_the_flag)
{
	int again = ctx_watch(self->only, CTX_WATCH_ONLY);

	check_refused(self->only, EPERM, ctx_watch(self->only, 0));
	check_refused(self->only, EPERM, ctx_watch(self->only, CTX_CLOEXEC));
	ASSERT_LE(0, again);
	check_fit_for_strangers(self, again);
	close(again);
}

TEST_F(watch_only, has_no_signals)
{
	int on = 1, off = 0;

	EXPECT_EQ(0, fcntl(self->only, F_SETOWN, getpid()));
	check_errno(EPERM, fcntl(self->only, F_SETFL, O_ASYNC));
	check_errno(EPERM, ioctl(self->only, FIOASYNC, &on));
	EXPECT_EQ(0, fcntl(self->only, F_GETFL) & O_ASYNC);
	/* To ask for none changes nothing. */
	EXPECT_EQ(0, ioctl(self->only, FIOASYNC, &off));
	EXPECT_EQ(0, fcntl(self->only, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(O_NONBLOCK, fcntl(self->only, F_GETFL) & (O_NONBLOCK | O_ASYNC));
}

TEST_F(watch_only, cannot_cancel_or_move_the_deadline)
{
	check_refused(self->only, EBADF, ctx_cancel(self->only, EIO, NULL));
	check_refused(self->only, EBADF, ctx_set_timeout(self->only, 0));
	check_alive(self->fd);
}

TEST_F(watch_only, looks_up_values_and_info)
{
	char value[8] = "";
	struct ctx_info info;

	EXPECT_EQ(5, ctx_get_value(self->only, "key", value, sizeof(value)));
	EXPECT_STREQ("value", value);
	EXPECT_EQ(0, ctx_info(self->only, &info));
	EXPECT_EQ(self->id, info.id);
	check_alive(self->only);
}

TEST_F(watch_only, is_told_of_the_cancellation)
{
	struct ctx_reader reader;

	ASSERT_EQ(0, ctx_reader_start(&reader, self->only));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, "why"));
	ASSERT_EQ(0, ctx_reader_join(&reader));
	EXPECT_EQ(sizeof(reader.event), reader.ret);
	EXPECT_EQ(EIO, reader.event.cause);
	check_cancelled(self->only, ECANCELED, EIO, self->id);
	check_message(self->only, "why");
}

TEST_F(watch_only, is_told_of_it_by_epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->only, &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
	close(ep);
}

TEST_F(watch_only, can_be_mapped)
{
	const struct ctx_status *status = ctx_map(self->only);

	ASSERT_NE(NULL, status);
	check_mapped(status, 0, 0);
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	check_mapped(status, ECANCELED, EIO);
	ctx_unmap(status);
}

TEST_F(watch_only, keeps_neither_the_owner_nor_his_end)
{
	close(self->fd);
	self->fd = -1;
	check_cancelled(self->only, ECANCELED, EOWNERDEAD, self->id);
}

/* It is the descriptor that is so, not the context. */
TEST_F(watch_only, leaves_the_other_descriptors_as_they_are)
{
	int watch = ctx_watch(self->fd, 0), child = ctx_new(watch);

	EXPECT_LE(0, child);
	EXPECT_EQ(0, fcntl(watch, F_SETFL, O_ASYNC));
	EXPECT_LE(0, ctx_new_merged2(self->dev, watch));
	EXPECT_LE(0, ctx_watch(watch, 0));
	check_info(self->fd, nr_children, 1);
	close(child);
	close(watch);
}

TEST_F(watch_only, stays_so_as_a_duplicate)
{
	int copy = dup(self->only), third = fcntl(copy, F_DUPFD_CLOEXEC, 100);

	check_fit_for_strangers(self, copy);
	check_fit_for_strangers(self, third);
	check_of_use_to_strangers(self, third);
	close(third);
	close(copy);
}

TEST_F(watch_only, cannot_be_opened_again)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->only);
	check_refused(self->only, EACCES, open(path, O_RDONLY));
	check_refused(self->only, EACCES, open(path, O_RDWR));
}

TEST_F(watch_only, stays_so_in_the_hands_of_another_user)
{
	int sock[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	in_child(pid) {
		close(self->fd);
		close(self->only);
		ASSERT_EQ(0, be_user(USER_A));
		fd = ctx_recv_fd(sock[1]);
		ASSERT_LE(0, fd);
		check_fit_for_strangers(self, fd);
		check_of_use_to_strangers(self, fd);
		EXPECT_EQ(0, ctx_send_fd(sock[1], fd));
		check_becomes_cancelled(fd, ECANCELED, EIO, self->id);
	}
	ASSERT_EQ(0, ctx_send_fd(sock[0], self->only));
	fd = ctx_recv_fd(sock[0]);
	check_fit_for_strangers(self, fd);
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	check_child(pid);
	close(fd);
	close(sock[0]);
	close(sock[1]);
}

TEST_F(watch_only, is_no_flag_of_create)
{
	struct ctx_create_args args = { .fd_flags = CTX_WATCH_ONLY };

	check_refused(self->fd, EINVAL, ctx_create(self->fd, &args));
	args.fd_flags |= CTX_CLOEXEC;
	check_refused(self->fd, EINVAL, ctx_create(self->dev, &args));
}

TEST_F(watch_only, of_the_background_is_no_parent_either)
{
	int fd = ctx_watch(self->dev, CTX_WATCH_ONLY);

	ASSERT_LE(0, fd);
	check_refused(fd, EPERM, ctx_new(fd));
	check_refused(fd, EPERM, ctx_watch(fd, 0));
	EXPECT_EQ(0, ctx_poll(fd, 0));
	close(fd);
}

TEST_HARNESS_MAIN
