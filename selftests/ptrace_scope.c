// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ctx command where ptrace_scope keeps everybody from taking descriptors of other
 * processes: one's own contexts are reached all the same, somebody else's are not.
 * ptrace_scope.sh sets the value.
 */
#include "ctx_command.h"

FIXTURE(scope) {
	int dev;
	pid_t maker;	/* a process of nobody, no ancestor of the command */
	char *id;	/* of its context */
	char *by_fd;
	char *by_watch;	/* the descriptor that is read-only */
	char *name;
	int sock;	/* closing it ends the maker */
};

struct made {
	__u64 id;
	int fd;
	int watch;
};

/* Makes a context, tells what it is, and stays until the socket ends. */
static void make(int sock, const char *name)
{
	struct made made = { .fd = -1 };

	if (become_nobody())
		made.fd = new(ctx_background(), name);
	if (made.fd >= 0) {
		made.id = ctx_id(made.fd);
		made.watch = ctx_watch(made.fd, CTX_CLOEXEC);
	}
	if (write(sock, &made, sizeof(made)) == sizeof(made))
		read(sock, &made, 1);
	_exit(0);
}

FIXTURE_SETUP(scope)
{
	struct made made = {};
	int socks[2];

	unsetenv("CTX_FD");
	if (geteuid())
		SKIP(return, "needs root");
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	self->name = format("job-%d", getpid());
	self->sock = socks[0];
	self->maker = ctx_fork();
	if (!self->maker) {
		close(socks[0]);
		make(socks[1], self->name);
	}
	close(socks[1]);
	ASSERT_EQ(sizeof(made), read(self->sock, &made, sizeof(made)));
	ASSERT_LT(0, made.id);
	self->id = format("%llu", made.id);
	self->by_fd = format("%d:%d", self->maker, made.fd);
	self->by_watch = format("%d:%d", self->maker, made.watch);
}

FIXTURE_TEARDOWN(scope)
{
	close(self->sock);
	waitpid(self->maker, NULL, 0);
}

/* What forbids is there: or else the tests show nothing. */
TEST_F(scope, keeps_descriptors_from_being_taken)
{
	pid_t user;

	in_child(user) {
		int pidfd;

		ASSERT_TRUE(become_nobody());
		pidfd = syscall(SYS_pidfd_open, self->maker, 0);
		ASSERT_LE(0, pidfd);
		check_errno(EPERM, syscall(SYS_pidfd_getfd, pidfd, 0, 0));
	}
	check_child(user);
}

TEST_F(scope, cancels_ones_own)
{
	pid_t user;

	in_child(user) {
		ASSERT_TRUE(become_nobody());
		check_tool(0, "", "", "cancel", self->name);
		check_tool(1, "", format("ctx cancel: %s: was cancelled before\n", self->id), "cancel",
			   self->id);
		check_tool(1, "", format("ctx cancel: %s: was cancelled before\n", self->by_fd), "cancel",
			   self->by_fd);
	}
	check_child(user);
}

/* As where it could be taken. */
TEST_F(scope, cancels_nothing_through_what_may_only_watch)
{
	pid_t user;

	in_child(user) {
		ASSERT_TRUE(become_nobody());
		check_tool(2, "", format("ctx cancel: %s: held read-only there; give the id\n",
					 self->by_watch), "cancel", self->by_watch);
		check_tool(1, "", "", "wait", "-t0", self->by_watch);
		check_tool(2, "", format("ctx cancel: %d:0: that is no context; 'ctx tree --holders' "
					 "shows who holds what\n", self->maker), "cancel",
			   format("%d:0", self->maker));
	}
	check_child(user);
}

TEST_F(scope, waits_for_ones_own)
{
	pid_t user;

	in_child(user) {
		ASSERT_TRUE(become_nobody());
		check_tool(1, "", "", "wait", "-t0", self->name, self->id, self->by_fd);
		check_tool(0, "", "", "cancel", self->by_fd);
		check_tool(0, format("#%s %s  cancelled\n", self->id, self->name), "", "wait", self->id);
	}
	check_child(user);
}

TEST_F(scope, moves_deadlines_of_ones_own)
{
	pid_t user;

	in_child(user) {
		ASSERT_TRUE(become_nobody());
		check_tool(0, "", "", "deadline", self->name, "+0");
		check_tool(0, "", "", "wait", "-q", "-t", "1min", self->id);
	}
	check_child(user);
}

TEST_F(scope, shows_ones_own)
{
	struct tool tool;
	pid_t user;

	in_child(user) {
		ASSERT_TRUE(become_nobody());
		tool_run(&tool, "info", self->name, self->id, self->by_fd);
		EXPECT_EQ(0, tool.status);
		check_text("", tool.err);
		check_has(tool.out, format("\nmaker:      %d\n", self->maker));
		tool_free(&tool);
		tool_run(&tool, "tree");
		EXPECT_EQ(0, tool.status);
		check_has(tool.out, self->name);
		tool_free(&tool);
	}
	check_child(user);
}

TEST_F(scope, reaches_nothing_of_another_user)
{
	static char *const commands[] = { "cancel", "wait", "info", "deadline" };
	int fd = new(self->dev, format("root-%d", getpid()));
	struct tool tool;
	unsigned int i;
	pid_t user;

	in_child(user) {
		char *ways[] = { format("root-%d", getppid()), by_id(fd), format("%d:%d", getppid(), fd) };

		close(fd);
		ASSERT_TRUE(become_nobody());
		for (i = 0; i < 12; i++) {
			tool_run(&tool, commands[i / 3], ways[i % 3]);
			EXPECT_EQ(2, tool.status);
			check_text("", tool.out);
			tool_free(&tool);
		}
		tool_run(&tool, "tree");
		EXPECT_EQ(NULL, strstr(tool.out, ways[0]));
		tool_free(&tool);
	}
	check_child(user);
	check_alive(fd);
}

TEST_HARNESS_MAIN
