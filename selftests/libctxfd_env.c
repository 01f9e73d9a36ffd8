// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library: the context of a program, which it inherits over exec; and what
 * each call says where there are no contexts.
 *
 * Exec'ed as "inherits ID", this program is the one that inherits: it exits 0
 * where it has the context with that id.
 */
#include "libctxfd.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#define VARIABLE	"CTX_FD"

/* Before the harness sees the arguments. */
static void __attribute__((constructor)) inherits(int argc, char **argv)
{
	int ctx;

	if (argc != 2 || strcmp(argv[0], "inherits"))
		return;
	ctx = ctxfd_from_env();
	_exit(ctx < 0 || ctx_id(ctx) != strtoull(argv[1], NULL, 10) ||
	      fcntl(ctx, F_GETFD) != FD_CLOEXEC);
}

/* The status of a program that is exec'ed and asked for the context @id. */
static int exec_status(__u64 id)
{
	char path[4096] = {}, text[24];
	int status;
	pid_t pid;

	snprintf(text, sizeof(text), "%llu", id);
	/* By its own name: under valgrind, what runs is valgrind. */
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return -1;
	pid = ctx_fork();
	if (!pid) {
		execl(path, "inherits", text, NULL);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

FIXTURE(env) {
	int ctx;
};

FIXTURE_SETUP(env)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, unsetenv(VARIABLE));
}

FIXTURE_TEARDOWN(env)
{
}

TEST_F(env, context_is_inherited_over_exec)
{
	EXPECT_EQ(0, ctxfd_to_env(self->ctx));
	EXPECT_EQ(0, fcntl(self->ctx, F_GETFD));
	EXPECT_EQ(self->ctx, atoi(getenv(VARIABLE)));
	EXPECT_EQ(0, exec_status(ctx_id(self->ctx)));
}

TEST_F(env, watch_descriptor_is_inherited_over_exec)
{
	int watch = ctxfd_watch(self->ctx);

	EXPECT_EQ(0, ctxfd_to_env(watch));
	EXPECT_EQ(0, exec_status(ctx_id(self->ctx)));
}

TEST_F(env, last_context_counts)
{
	int other = new_root();

	EXPECT_EQ(0, ctxfd_to_env(self->ctx));
	EXPECT_EQ(0, ctxfd_to_env(other));
	EXPECT_EQ(0, exec_status(ctx_id(other)));
}

TEST_F(env, background_stays_the_background)
{
	EXPECT_EQ(0, ctxfd_to_env(ctxfd_background()));
	EXPECT_EQ(ctxfd_background(), ctxfd_from_env());
}

TEST_F(env, without_the_variable_it_is_the_background)
{
	EXPECT_EQ(ctxfd_background(), ctxfd_from_env());
	ASSERT_EQ(0, setenv(VARIABLE, "", 1));
	EXPECT_EQ(ctxfd_background(), ctxfd_from_env());
}

/* Of a process that closed it, or took the number for something else. */
TEST_F(env, stale_number_is_the_background)
{
	char text[16];
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	snprintf(text, sizeof(text), "%d", fds[0]);
	ASSERT_EQ(0, setenv(VARIABLE, text, 1));
	EXPECT_EQ(ctxfd_background(), ctxfd_from_env());
	/* What is no context stays as it is. */
	EXPECT_EQ(0, fcntl(fds[0], F_GETFD));
	close(fds[0]);
	EXPECT_EQ(ctxfd_background(), ctxfd_from_env());
}

TEST_F(env, what_is_no_number_is_refused)
{
	const char *bad[] = {
		"x", "3x", " 3", "3 ", "+3", "-1", "0x3", "2147483648", "99999999999999999999",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(0, setenv(VARIABLE, bad[i], 1));
		check_errno(EINVAL, ctxfd_from_env());
	}
}

TEST_F(env, to_env_refuses_what_is_no_context)
{
	check_errno(EBADF, ctxfd_to_env(-1));
	check_errno(ENOTTY, ctxfd_to_env(STDIN_FILENO));
	EXPECT_EQ(NULL, getenv(VARIABLE));
}

/* Without /dev/ctx */

static int hide_dev(void)
{
	/* Empty strings for what does not matter: valgrind takes a NULL there amiss. */
	return unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, "") ||
	       mount("tmpfs", "/dev", "tmpfs", 0, "") ? -1 : 0;
}

static void ignore(void *arg)
{
	(void)arg;
}

/* Every call that makes or takes a context, with the descriptor there is not. */
#define check_all(error) ({						\
	int __ctx = ctxfd_background();					\
	int __sock = socket(AF_UNIX, SOCK_STREAM, 0);			\
	struct ctx_info __info;						\
	struct pollfd __pfd = { .fd = STDIN_FILENO };			\
	struct sockaddr __addr = { .sa_family = AF_UNIX };		\
	char __byte = 0;						\
									\
	EXPECT_EQ(-1, __ctx);						\
	check_errno((error), ctxfd_background());			\
	check_errno((error), ctxfd_from_env());				\
	check_errno((error), ctxfd_create(__ctx, &(struct ctx_create_args){})); \
	check_errno((error), ctxfd_with_cancel(__ctx));			\
	check_errno((error), ctxfd_with_timeout(__ctx, LONG));		\
	check_errno((error), ctxfd_with_deadline(__ctx, CLOCK_REALTIME, LONG)); \
	check_errno((error), ctxfd_with_value(__ctx, "k", "v", 1));	\
	check_errno((error), ctxfd_without_cancel(__ctx));		\
	check_errno((error), ctxfd_merge(&__ctx, 1));			\
	check_errno((error), ctxfd_watch(__ctx));				\
	check_errno((error), ctxfd_cancel(__ctx));			\
	check_errno((error), ctxfd_cancel_cause(__ctx, EIO, "m"));	\
	check_errno((error), ctxfd_set_deadline(__ctx, CLOCK_REALTIME, NULL)); \
	check_errno((error), ctxfd_set_timeout(__ctx, LONG));		\
	check_errno((error), ctxfd_err(__ctx));				\
	check_errno((error), ctxfd_info(__ctx, &__info));			\
	check_errno((error), ctxfd_deadline(__ctx, NULL));		\
	check_errno((error), ctxfd_value(__ctx, "k", NULL, 0));		\
	check_errno((error), ctxfd_wait(__ctx, NULL));			\
	errno = 0;							\
	EXPECT_EQ(NULL, ctxfd_map(__ctx));				\
	EXPECT_EQ((error), errno);					\
	check_errno((error), ctxfd_poll(__ctx, &__pfd, 1, NULL));		\
	check_errno((error), ctxfd_read(__ctx, STDIN_FILENO, &__byte, 1)); \
	check_errno((error), ctxfd_write(__ctx, STDOUT_FILENO, &__byte, 1)); \
	check_errno((error), ctxfd_recv(__ctx, STDIN_FILENO, &__byte, 1, 0)); \
	check_errno((error), ctxfd_send(__ctx, STDOUT_FILENO, &__byte, 1, 0)); \
	ASSERT_EQ(0, bind(__sock, &__addr, sizeof(sa_family_t)));	\
	ASSERT_EQ(0, listen(__sock, 1));				\
	check_errno((error), ctxfd_accept(__ctx, __sock, NULL, NULL));	\
	check_errno((error), ctxfd_connect(__ctx, __sock, &__addr, sizeof(__addr))); \
	close(__sock);							\
	check_errno((error), ctxfd_sleep(__ctx, NULL));			\
	check_errno((error), ctxfd_waitid(__ctx, P_ALL, 0, NULL, WEXITED)); \
	errno = 0;							\
	EXPECT_EQ(NULL, ctxfd_after_func(__ctx, ignore, NULL));		\
	EXPECT_EQ((error), errno);					\
	check_errno((error), ctxfd_send_fd(STDIN_FILENO, __ctx));		\
	check_errno((error), ctxfd_to_env(__ctx));			\
})

TEST(without_the_node_every_call_fails)
{
	ASSERT_EQ(0, hide_dev());
	ASSERT_EQ(0, unsetenv(VARIABLE));
	check_all(ENOENT);
}

/* A node that was left behind: of no driver at all, as after rmmod. */
TEST(without_the_driver_every_call_fails)
{
	ASSERT_EQ(0, hide_dev());
	ASSERT_EQ(0, unsetenv(VARIABLE));
	ASSERT_EQ(0, mknod("/dev/ctx", S_IFCHR | 0666, makedev(10, 250)));
	check_all(ENODEV);
	ASSERT_EQ(0, unlink("/dev/ctx"));
	ASSERT_EQ(0, mknod("/dev/ctx", S_IFCHR | 0666, makedev(511, 1)));
	check_all(ENXIO);
}

TEST_HARNESS_MAIN
