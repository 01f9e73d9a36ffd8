// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_cancel_on(): contexts that end with something else. */
#include "libctxfd_note.h"

FIXTURE(cancel_on) {
	int ctx, watch;
};

FIXTURE_SETUP(cancel_on)
{
	self->ctx = new_root();
	self->watch = ctxfd_watch(self->ctx);
	ASSERT_LE(0, self->watch);
}

FIXTURE_TEARDOWN(cancel_on)
{
}

#define check_ends(why, text) ({					\
	struct ctx_info __info;						\
									\
	EXPECT_EQ(1, ctxfd_wait(self->watch, LONG));			\
	EXPECT_EQ(0, ctxfd_info(self->watch, &__info));			\
	EXPECT_EQ(ECANCELED, __info.err);				\
	EXPECT_EQ((why), __info.cause);					\
	EXPECT_NE(NULL, memmem(__info.message, __info.message_len, (text), strlen(text))); \
})

TEST_F(cancel_on, a_descriptor_that_is_readable)
{
	int event = eventfd(0, 0);
	struct ctxfd_after *after = ctxfd_cancel_on(self->ctx, event, POLLIN);

	ASSERT_NE(NULL, after);
	EXPECT_EQ(0, ctxfd_wait(self->watch, MSEC(20)));
	ASSERT_EQ(0, put_event(event));
	check_ends(ECANCELED, "is ready");
	EXPECT_EQ(0, ctxfd_after_stop(after));
	/* Nothing was read. */
	EXPECT_EQ(0, take_event(event));
}

TEST_F(cancel_on, a_descriptor_that_is_ready_already)
{
	struct ctxfd_after *after = ctxfd_cancel_on(self->ctx, eventfd(1, 0), POLLIN);

	ASSERT_NE(NULL, after);
	check_ends(ECANCELED, "is ready");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(cancel_on, a_client_that_hangs_up)
{
	struct ctxfd_after *after;
	int sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	after = ctxfd_cancel_on(self->ctx, sock[0], POLLRDHUP);
	ASSERT_NE(NULL, after);
	/* What it sends is no reason. */
	ASSERT_EQ(1, write(sock[1], "x", 1));
	EXPECT_EQ(0, ctxfd_wait(self->watch, MSEC(20)));
	close(sock[1]);
	check_ends(ECONNRESET, "hung up");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(cancel_on, a_reader_that_goes)
{
	struct ctxfd_after *after;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	after = ctxfd_cancel_on(self->ctx, fds[1], 0);
	ASSERT_NE(NULL, after);
	close(fds[0]);
	check_ends(EPIPE, "hung up");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(cancel_on, a_process_that_ends)
{
	struct ctxfd_after *after;
	pid_t pid = ctx_fork();
	int pidfd;

	if (!pid) {
		pause();
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0 && under_valgrind())
		SKIP(return, "valgrind does not know pidfd_open()");
	ASSERT_LE(0, pidfd);
	after = ctxfd_cancel_on(self->ctx, pidfd, POLLIN);
	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	check_ends(ESRCH, "process");
	EXPECT_EQ(0, ctxfd_after_stop(after));
	/* It is the caller's to wait for. */
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

/* Whose close would be its end. */
TEST_F(cancel_on, the_stop_does_not_end_a_context_that_is_owned)
{
	struct ctxfd_create_opts opts = { .flags = CTX_CREATE_OWNED };
	int ctx = ctxfd_create_opts(self->ctx, &opts), event = eventfd(0, 0);
	struct ctxfd_after *after;

	if (ctx < 0 && errno == EINVAL)
		SKIP(return, "the module knows no CTX_CREATE_OWNED");
	after = ctxfd_cancel_on(ctx, event, POLLIN);
	ASSERT_NE(NULL, after);
	EXPECT_EQ(1, ctxfd_after_stop(after));
	check_alive(ctx);
	after = ctxfd_cancel_on(ctx, event, POLLIN);
	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, put_event(event));
	EXPECT_EQ(1, ctxfd_wait(ctx, LONG));
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(cancel_on, a_context_by_its_id)
{
	int ctx = ctxfd_open(ctx_id(self->ctx), CTX_OPEN_CONTROL);
	struct ctxfd_after *after;

	if (ctx < 0 && errno == ENOTTY)
		SKIP(return, "the module knows no CTX_IOC_OPEN");
	after = ctxfd_cancel_on(ctx, eventfd(1, 0), POLLIN);
	ASSERT_NE(NULL, after);
	check_ends(ECANCELED, "is ready");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(cancel_on, another_context)
{
	int other = new_root();
	struct ctxfd_after *after = ctxfd_cancel_on(self->ctx, other, POLLIN);

	ASSERT_NE(NULL, after);
	EXPECT_EQ(0, ctxfd_cancel(other));
	check_ends(ECANCELED, "is ready");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(cancel_on, stopped_in_time_cancels_nothing)
{
	int event = eventfd(0, 0), fds = ctx_nr_fds();
	struct ctxfd_after *after = ctxfd_cancel_on(self->ctx, event, POLLIN);

	ASSERT_NE(NULL, after);
	EXPECT_EQ(1, ctxfd_after_stop(after));
	ASSERT_EQ(0, put_event(event));
	check_alive(self->ctx);
	EXPECT_EQ(fds, ctx_nr_fds());
}

TEST_F(cancel_on, several_of_one_descriptor)
{
	int event = eventfd(0, 0), other = new_root();
	struct ctxfd_after *afters[] = {
		ctxfd_cancel_on(self->ctx, event, POLLIN),
		ctxfd_cancel_on(other, event, POLLIN),
	};

	ASSERT_EQ(0, put_event(event));
	check_ends(ECANCELED, "is ready");
	EXPECT_EQ(1, ctxfd_wait(other, LONG));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, ctxfd_after_stop(afters[i]));
}

/* The release is as ever. */
TEST_F(cancel_on, keeps_the_context_from_nothing)
{
	struct ctxfd_after *after = ctxfd_cancel_on(self->ctx, eventfd(0, 0), POLLIN);

	ASSERT_NE(NULL, after);
	close(self->ctx);
	check_becomes_cancelled(self->watch, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
	EXPECT_EQ(1, ctxfd_after_stop(after));
}

/* One that has got its number is another. */
TEST_F(cancel_on, a_context_that_was_closed_is_not_mistaken_for_another)
{
	int event = eventfd(0, 0), other = new_root(), last = new_root();
	struct ctxfd_after *after = ctxfd_cancel_on(self->ctx, event, POLLIN), *behind;
	struct note note;

	ASSERT_NE(NULL, after);
	note_init(&note);
	behind = ctxfd_after_func(last, run, &note);
	ASSERT_NE(NULL, behind);
	ASSERT_EQ(self->ctx, dup2(other, self->ctx));
	ASSERT_EQ(0, put_event(event));
	/* What comes later runs later. */
	EXPECT_EQ(0, ctxfd_cancel(last));
	check_event(&note);
	EXPECT_EQ(0, ctxfd_after_stop(after));
	check_alive(other);
	EXPECT_EQ(0, ctxfd_after_stop(behind));
}

TEST_F(cancel_on, a_descriptor_that_was_closed_is_waited_for_yet)
{
	int event = eventfd(0, 0), copy = dup(event);
	struct ctxfd_after *after = ctxfd_cancel_on(self->ctx, event, POLLIN);

	ASSERT_NE(NULL, after);
	close(event);
	ASSERT_EQ(0, put_event(copy));
	check_ends(ECANCELED, "is ready");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(cancel_on, errors_are_told)
{
	int event = eventfd(0, 0), file = open("/proc/self/exe", O_RDONLY), fds = ctx_nr_fds();

	check_null(EBADF, ctxfd_cancel_on(self->watch, event, POLLIN));
	check_null(EBADF, ctxfd_cancel_on(ctxfd_background(), event, POLLIN));
	check_null(ENOTTY, ctxfd_cancel_on(event, event, POLLIN));
	check_null(EBADF, ctxfd_cancel_on(self->ctx, -1, POLLIN));
	check_null(EPERM, ctxfd_cancel_on(self->ctx, file, POLLIN));
	check_null(EINVAL, ctxfd_cancel_on(self->ctx, event, POLLNVAL));
	errno = EXDEV;
	EXPECT_EQ(NULL, ctxfd_cancel_on(-1, -1, POLLNVAL));
	EXPECT_EQ(EXDEV, errno);
	EXPECT_EQ(fds, ctx_nr_fds());
}

TEST_HARNESS_MAIN
