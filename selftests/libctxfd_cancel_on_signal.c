// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_cancel_on_signal(): contexts that end with a signal, and whose signal it is. */
#include "libctxfd_note.h"
#include "race.h"

FIXTURE(on_signal) {
	int ctx, watch;
};

FIXTURE_SETUP(on_signal)
{
	/* The harness's own. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	ASSERT_EQ(0, catch_signals());
	self->ctx = new_root();
	self->watch = ctxfd_watch(self->ctx);
	ASSERT_LE(0, self->watch);
}

FIXTURE_TEARDOWN(on_signal)
{
}

#define check_ended_by(name) ({						\
	struct ctx_info __info;						\
									\
	EXPECT_EQ(0, ctxfd_info(self->watch, &__info));			\
	EXPECT_EQ(ECANCELED, __info.err);				\
	EXPECT_EQ(EINTR, __info.cause);					\
	EXPECT_EQ(strlen(name), __info.message_len);			\
	EXPECT_EQ(0, memcmp((name), __info.message, strlen(name)));	\
})

TEST_F(on_signal, a_signal_cancels)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, SIGUSR1);

	ASSERT_NE(NULL, after);
	check_alive(self->ctx);
	ASSERT_EQ(0, raise(SIGUSR1));
	check_ended_by("SIGUSR1");
	EXPECT_EQ(0, ctxfd_after_stop(after));
	EXPECT_EQ(0, nr_signals);
}

TEST_F(on_signal, none_named_is_SIGINT)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, 0);

	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, raise(SIGINT));
	check_ended_by("SIGINT");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(on_signal, none_named_is_SIGTERM)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, 0);

	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, raise(SIGTERM));
	check_ended_by("SIGTERM");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(on_signal, further_signals_do_nothing_until_the_stop)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, 0);

	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, raise(SIGINT));
	ASSERT_EQ(0, raise(SIGINT));
	check_ended_by("SIGINT");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F_SIGNAL(on_signal, after_the_stop_a_signal_ends_the_program_again, SIGINT)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, 0);

	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, raise(SIGINT));
	EXPECT_EQ(0, ctxfd_after_stop(after));
	raise(SIGINT);
}

TEST_F(on_signal, stop_puts_the_programs_handler_back)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, SIGUSR1);

	ASSERT_NE(NULL, after);
	EXPECT_EQ(1, ctxfd_after_stop(after));
	ASSERT_EQ(0, raise(SIGUSR1));
	EXPECT_EQ(1, nr_signals);
	check_alive(self->ctx);
}

static void other_handler(int sig)
{
	(void)sig;
}

TEST_F(on_signal, stop_leaves_a_later_handler_alone)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, SIGUSR1);
	struct sigaction now;

	ASSERT_NE(NULL, after);
	signal(SIGUSR1, other_handler);
	EXPECT_EQ(1, ctxfd_after_stop(after));
	ASSERT_EQ(0, sigaction(SIGUSR1, NULL, &now));
	EXPECT_EQ(true, now.sa_handler == other_handler);
}

TEST_F(on_signal, an_ignored_signal_stays_ignored)
{
	struct ctxfd_after *after;

	signal(SIGINT, SIG_IGN);
	after = ctxfd_cancel_on_signal(self->ctx, 0);
	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, raise(SIGINT));
	check_alive(self->ctx);
	ASSERT_EQ(0, raise(SIGTERM));
	check_ended_by("SIGTERM");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

static long call_recv(struct caller *caller)
{
	return recv(caller->fd, caller->buf, caller->size, 0);
}

TEST_F(on_signal, a_call_that_knows_no_contexts_goes_on)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, SIGUSR1);
	char byte;
	struct caller caller = { call_recv, .buf = &byte, .size = 1, .syscall = SYS_recvfrom };
	int fds[2];

#ifdef __SANITIZE_THREAD__
	SKIP(return, "the checker puts signals off until the call returns");
#endif
	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	caller.fd = fds[0];
	ASSERT_EQ(0, caller_start(&caller));
	ASSERT_EQ(0, pthread_kill(caller.thread, SIGUSR1));
	EXPECT_EQ(1, ctxfd_wait(self->watch, LONG));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	check_returned(&caller, 1);
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(on_signal, a_signal_has_one_context)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, SIGTERM);
	struct sigaction now;
	int other = new_root();

	ASSERT_NE(NULL, after);
	check_null(EBUSY, ctxfd_cancel_on_signal(other, SIGTERM));
	/* Nor of two is one taken. */
	check_null(EBUSY, ctxfd_cancel_on_signal(other, 0));
	ASSERT_EQ(0, sigaction(SIGINT, NULL, &now));
	EXPECT_EQ(true, now.sa_handler == SIG_DFL);
	EXPECT_EQ(1, ctxfd_after_stop(after));
	after = ctxfd_cancel_on_signal(other, 0);
	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, raise(SIGTERM));
	EXPECT_EQ(ECANCELED, ctxfd_err(other));
	check_alive(self->ctx);
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(on_signal, a_context_that_was_closed_is_not_mistaken_for_another)
{
	int other = new_root();
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, SIGUSR1);

	ASSERT_NE(NULL, after);
	ASSERT_EQ(self->ctx, dup2(other, self->ctx));
	ASSERT_EQ(0, raise(SIGUSR1));
	check_alive(other);
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(on_signal, errors_are_told)
{
	check_null(EBADF, ctxfd_cancel_on_signal(self->watch, SIGINT));
	check_null(EBADF, ctxfd_cancel_on_signal(ctxfd_background(), SIGINT));
	check_null(ENOTTY, ctxfd_cancel_on_signal(STDIN_FILENO, SIGINT));
	check_null(EINVAL, ctxfd_cancel_on_signal(self->ctx, SIGKILL));
	check_null(EINVAL, ctxfd_cancel_on_signal(self->ctx, SIGSTOP));
	check_null(EINVAL, ctxfd_cancel_on_signal(self->ctx, NSIG));
	check_null(EINVAL, ctxfd_cancel_on_signal(self->ctx, -1));
	check_null(EINVAL, ctxfd_cancel_on_signal(self->ctx, 33));
	errno = EXDEV;
	EXPECT_EQ(NULL, ctxfd_cancel_on_signal(-1, -1));
	EXPECT_EQ(EXDEV, errno);
}

/* Children */

static int status_of(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST_F(on_signal, in_a_child_the_signal_does_what_it_did_before)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, 0);
	pid_t pid;

	ASSERT_NE(NULL, after);
	pid = ctx_fork();
	if (!pid) {
		raise(SIGTERM);
		_exit(1);
	}
	EXPECT_EQ(SIGTERM, status_of(pid));
	check_alive(self->ctx);
	EXPECT_EQ(1, ctxfd_after_stop(after));
}

TEST_F(on_signal, in_a_child_the_programs_handler_is_called)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, SIGUSR1);
	pid_t pid;

	ASSERT_NE(NULL, after);
	in_child(pid) {
		EXPECT_EQ(0, raise(SIGUSR1));
		EXPECT_EQ(1, nr_signals);
		EXPECT_EQ(0, raise(SIGUSR1));
		EXPECT_EQ(2, nr_signals);
		EXPECT_EQ(1, ctxfd_after_stop(after));
	}
	check_child(pid);
	check_alive(self->ctx);
	EXPECT_EQ(1, ctxfd_after_stop(after));
}

TEST_F(on_signal, a_child_can_have_its_own_and_gets_back_what_was_before)
{
	struct ctxfd_after *after = ctxfd_cancel_on_signal(self->ctx, SIGUSR1), *own;
	int ctx;
	pid_t pid;

	ASSERT_NE(NULL, after);
	in_child(pid) {
		ctx = new_root();
		own = ctxfd_cancel_on_signal(ctx, SIGUSR1);
		EXPECT_NE(NULL, own);
		/* That of the parent has no part in it any more. */
		EXPECT_EQ(1, ctxfd_after_stop(after));
		EXPECT_EQ(0, raise(SIGUSR1));
		EXPECT_EQ(ECANCELED, ctxfd_err(ctx));
		EXPECT_EQ(0, ctxfd_after_stop(own));
		EXPECT_EQ(0, raise(SIGUSR1));
		EXPECT_EQ(1, nr_signals);
	}
	check_child(pid);
	check_alive(self->ctx);
	ASSERT_EQ(0, raise(SIGUSR1));
	check_ended_by("SIGUSR1");
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

/* Signal and stop at one moment */

struct contest {
	struct ctxfd_after *after;
	int stopped;
};

static void do_stop(void *data)
{
	struct contest *contest = data;

	contest->stopped = ctxfd_after_stop(contest->after);
}

static void do_signal(void *data)
{
	(void)data;
	raise(SIGUSR1);
}

TEST_F_TIMEOUT(on_signal, each_signal_goes_to_the_context_or_to_the_program, 300)
{
	struct contest contest = {};
	unsigned int n = rounds(1000);
	struct race race;
	int seen = 0;

	ASSERT_TRUE(race_start(&race, &contest, do_stop, do_signal));
	for (unsigned int i = 0; i < n; i++) {
		int ctx = new_root(), now;

		contest.after = ctxfd_cancel_on_signal(ctx, SIGUSR1);
		ASSERT_NE(NULL, contest.after);
		ASSERT_TRUE(race_round(&race));
		now = __atomic_load_n(&nr_signals, __ATOMIC_SEQ_CST);
		EXPECT_EQ(1, (now - seen) + (ctxfd_err(ctx) == ECANCELED));
		EXPECT_EQ(contest.stopped, ctxfd_err(ctx) == 0);
		seen = now;
		close(ctx);
	}
	race_stop(&race);
	TH_LOG("%d of %u to the program", seen, n);
}

TEST_HARNESS_MAIN
