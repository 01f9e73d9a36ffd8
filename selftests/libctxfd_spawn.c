// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_spawn(): programs under a context. */
#include "libctxfd_roles.h"

FIXTURE(spawn) {
	int ctx, fds, threads;
	char id[24];
};

FIXTURE_SETUP(spawn)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, unsetenv("CTX_FD"));
	snprintf(self->id, sizeof(self->id), "%llu", ctx_id(self->ctx));
	self->fds = ctx_nr_fds();
	self->threads = nr_threads_at_rest();
}

FIXTURE_TEARDOWN(spawn)
{
}

#define check_end(pidfd, code, status) ({				\
	siginfo_t __info = {};						\
									\
	ASSERT_LE(0, (pidfd));						\
	ASSERT_EQ(0, ctxfd_waitid(ctxfd_background(), P_PIDFD, (pidfd), &__info, WEXITED)); \
	EXPECT_EQ((code), __info.si_code);				\
	EXPECT_EQ((status), __info.si_status);				\
	close(pidfd);							\
})

#define check_succeeds(argv, ...) ({					\
	int __pidfd = ctxfd_spawn(self->ctx, (argv),			\
				  &(struct ctxfd_spawn_opts){ __VA_ARGS__ }); \
									\
	check_end(__pidfd, CLD_EXITED, 0);				\
})

TEST_F(spawn, has_three_descriptors_and_its_context)
{
	/* Neither those that are open over exec. */
	ASSERT_LE(0, dup2(self->ctx, 77));
	check_succeeds(role("descriptors"));
}

TEST_F(spawn, finds_its_context_and_cannot_cancel_it)
{
	check_succeeds(role("context", self->id));
	EXPECT_EQ(NULL, getenv("CTX_FD"));
}

TEST_F(spawn, blocks_and_ignores_no_signal_that_the_caller_does)
{
	sigset_t all;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigfillset(&all);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &all, NULL));
	check_succeeds(role("signals", "0"));
}

TEST_F(spawn, ignores_the_hangup_that_nohup_has_it_ignore)
{
	signal(SIGHUP, SIG_IGN);
	check_succeeds(role("signals", "1"));
}

TEST_F(spawn, starts_in_its_directory)
{
	check_succeeds(role("directory", "/proc"), .dir = "/proc");
}

TEST_F(spawn, has_its_environment_and_its_own_CTX_FD)
{
	char *env[] = { "CTX_FD=99", "ROLE=actor", NULL };

	check_succeeds(role("environment", "actor"), .env = env);
	ASSERT_EQ(0, setenv("CTX_FD", "99", 1));
	ASSERT_EQ(0, setenv("ROLE", "understudy", 1));
	check_succeeds(role("environment", "understudy"));
	EXPECT_STREQ("99", getenv("CTX_FD"));
}

TEST_F(spawn, has_the_descriptors_it_is_given)
{
	int in[2], out[2], errors[2], pidfd;
	char got[4] = {};

	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(errors, O_CLOEXEC));
	pidfd = ctxfd_spawn(self->ctx, role("copy"), &(struct ctxfd_spawn_opts){
		.fds = (int[]){ in[0], out[1], errors[1] },
	});
	ASSERT_EQ(3, write(in[1], "abc", 3));
	/* The program has no copy of this end. */
	close(in[1]);
	check_end(pidfd, CLD_EXITED, 0);
	EXPECT_EQ(3, read(out[0], got, sizeof(got)));
	EXPECT_STREQ("abc", got);
	EXPECT_EQ(3, read(errors[0], got, sizeof(got)));
}

TEST_F(spawn, descriptors_may_change_places)
{
	int in[2], pidfd, saved = fcntl(1, F_DUPFD_CLOEXEC, 10);
	char got[4] = {};

	/* Its input and its output are what the caller has for output. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in));
	ASSERT_EQ(1, dup2(in[0], 1));
	pidfd = ctxfd_spawn(self->ctx, role("copy"), &(struct ctxfd_spawn_opts){
		.fds = (int[]){ 1, 1, -1 },
	});
	ASSERT_EQ(1, dup2(saved, 1));
	close(in[0]);
	ASSERT_EQ(3, write(in[1], "abc", 3));
	ASSERT_EQ(0, shutdown(in[1], SHUT_WR));
	check_end(pidfd, CLD_EXITED, 0);
	EXPECT_EQ(3, recv(in[1], got, 3, MSG_WAITALL));
	EXPECT_STREQ("abc", got);
}

TEST_F(spawn, gets_a_signal_with_the_cancellation)
{
	int pidfd = ctxfd_spawn(self->ctx, role("sleep"), NULL);

	ASSERT_LE(0, pidfd);
	check_cloexec(pidfd);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_end(pidfd, CLD_KILLED, SIGTERM);
}

TEST_F(spawn, gets_the_signal_that_is_asked_for)
{
	int pidfd = ctxfd_spawn(self->ctx, role("sleep"),
				&(struct ctxfd_spawn_opts){ .sig = SIGUSR2 });

	ASSERT_LE(0, pidfd);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_end(pidfd, CLD_KILLED, SIGUSR2);
}

TEST_F(spawn, gets_a_signal_with_the_deadline)
{
	int pidfd = ctxfd_spawn(new_short(), role("sleep"), NULL);

	check_end(pidfd, CLD_KILLED, SIGTERM);
}

TEST_F(spawn, leaves_nothing_behind)
{
	int pidfd = ctxfd_spawn(self->ctx, role("exit", "7"), NULL);

	check_end(pidfd, CLD_EXITED, 7);
	EXPECT_TRUE(becomes(ctx_nr_fds() == self->fds));
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
	check_alive(self->ctx);
}

TEST_F(spawn, nothing_starts_under_what_has_ended)
{
	check_errno(ECANCELED, ctxfd_spawn(new_cancelled(), role("exit", "0"), NULL));
	check_errno(ETIMEDOUT, ctxfd_spawn(ctxfd_with_timeout(self->ctx, PASSED),
					   role("exit", "0"), NULL));
}

TEST_F(spawn, under_the_background_it_is_never_signalled)
{
	int pidfd = ctxfd_spawn(ctxfd_background(), role("exit", "0"), NULL);

	check_end(pidfd, CLD_EXITED, 0);
}

TEST_F(spawn, errors_are_told)
{
	struct {
		struct ctxfd_spawn_opts opts;
		long more;
	} later = { .more = 1 };
	char *none[] = { NULL };

	check_errno(ENOENT, ctxfd_spawn(self->ctx, (char *[]){ "/no/such/program", NULL }, NULL));
	check_errno(EACCES, ctxfd_spawn(self->ctx, (char *[]){ "/proc/version", NULL }, NULL));
	check_errno(ENOENT, ctxfd_spawn(self->ctx, role("exit", "0"),
					&(struct ctxfd_spawn_opts){ .dir = "/no/such" }));
	check_errno(EBADF, ctxfd_spawn(self->ctx, role("exit", "0"), &(struct ctxfd_spawn_opts){
		.fds = (int[]){ 0, 1, 999 } }));
	check_errno(EFAULT, ctxfd_spawn(self->ctx, NULL, NULL));
	check_errno(EFAULT, ctxfd_spawn(self->ctx, none, NULL));
	check_errno(EINVAL, ctxfd_spawn(self->ctx, role("exit", "0"),
					&(struct ctxfd_spawn_opts){ .flags = 1 }));
	check_errno(EINVAL, ctxfd_spawn(self->ctx, role("exit", "0"),
					&(struct ctxfd_spawn_opts){ .sig = NSIG }));
	check_errno(E2BIG, ctxfd_spawn_sized(self->ctx, role("exit", "0"), &later.opts,
					     sizeof(later)));
	check_errno(EINVAL, ctxfd_spawn_sized(self->ctx, role("exit", "0"), &later.opts, 1));
	check_errno(ENOTTY, ctxfd_spawn(STDIN_FILENO, role("exit", "0"), NULL));
	errno = EXDEV;
	EXPECT_EQ(-1, ctxfd_spawn(-1, NULL, NULL));
	EXPECT_EQ(EXDEV, errno);
	EXPECT_TRUE(becomes(ctx_nr_fds() == self->fds));
	signal(SIGCHLD, SIG_IGN);
	check_errno(ECHILD, ctxfd_spawn(self->ctx, role("exit", "0"), NULL));
	signal(SIGCHLD, SIG_DFL);
	/* There is no child of any that failed. */
	check_errno(ECHILD, waitpid(-1, NULL, 0));
}

/* With each number of descriptors that is left: no program runs that the caller does not know. */
TEST_F(spawn, without_descriptors_it_fails_whole)
{
	int last = use_up_descriptors(), pidfd = -1;

	ASSERT_LE(0, last);
	for (int n = 0; n < 12 && pidfd < 0; n++) {
		pidfd = ctxfd_spawn(self->ctx, role("sleep"), NULL);
		if (pidfd >= 0)
			break;
		EXPECT_EQ(EMFILE, errno);
		check_errno(ECHILD, waitpid(-1, NULL, WNOHANG));
		close(last - n);
	}
	ASSERT_LE(0, pidfd);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_end(pidfd, CLD_KILLED, SIGTERM);
}

TEST_F_TIMEOUT(spawn, many_at_a_time, 120)
{
	int pidfds[20];

	for (int i = 0; i < 20; i++) {
		pidfds[i] = ctxfd_spawn(self->ctx, role("sleep"), NULL);
		ASSERT_LE(0, pidfds[i]);
	}
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	for (int i = 0; i < 20; i++)
		check_end(pidfds[i], CLD_KILLED, SIGTERM);
	EXPECT_TRUE(becomes(ctx_nr_fds() == self->fds));
}

TEST_HARNESS_MAIN
