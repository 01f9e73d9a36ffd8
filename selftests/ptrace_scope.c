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
	char *name;
	int sock;	/* closing it ends the maker */
};

/* Makes a context, tells its id and descriptor, and stays until the socket ends. */
static void make(int sock, const char *name)
{
	__u64 id_and_fd[2];
	int fd = -1;

	if (become_nobody())
		fd = new(ctx_background(), name);
	id_and_fd[0] = fd < 0 ? 0 : ctx_id(fd);
	id_and_fd[1] = fd;
	if (write(sock, id_and_fd, sizeof(id_and_fd)) == sizeof(id_and_fd))
		read(sock, &fd, 1);
	_exit(0);
}

FIXTURE_SETUP(scope)
{
	__u64 id_and_fd[2] = {};
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
	ASSERT_EQ(sizeof(id_and_fd), read(self->sock, id_and_fd, sizeof(id_and_fd)));
	ASSERT_LT(0, id_and_fd[0]);
	self->id = format("%llu", id_and_fd[0]);
	self->by_fd = format("%d:%llu", self->maker, id_and_fd[1]);
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
