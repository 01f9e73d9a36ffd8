// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx timeout: its reach. That its results are those of GNU timeout is for
 * timeout_gnu.sh, which compares them, and for timeout_coreutils.sh.
 *
 * Each test is a process of its own and a child subreaper: whatever a run leaves
 * behind becomes a child of the test.
 */
#include "ctx_tool.h"

FIXTURE(timeout) {
};

FIXTURE_SETUP(timeout)
{
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(timeout)
{
}

#define TREE	"setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &) ;"

/* Through the command's own name; see works_through_a_link for the other. */
#define check_timeout(code, stdout_text, stderr_text, ...)			\
	check_tool(code, stdout_text, stderr_text, "timeout", ##__VA_ARGS__)

TEST_F(timeout, ends_all_that_the_command_started)
{
	check_timeout(124, "", "", "1", "sh", "-c", TREE "sleep 1000");
	check_nothing_left();
}

TEST_F(timeout, ends_what_the_command_leaves_behind)
{
	check_timeout(3, "", "", "1000", "sh", "-c", TREE "exit 3");
	check_nothing_left();
}

TEST_F(timeout, ends_all_in_the_foreground_too)
{
	check_timeout(124, "", "", "--foreground", "1", "sh", "-c", TREE "sleep 1000");
	check_nothing_left();
}

TEST_F(timeout, kills_all_that_ignores_the_signal)
{
	check_timeout(137, "", "", "-k", ".1", "1", "sh", "-c",
		      "trap '' TERM; " TREE "sleep 1000");
	check_nothing_left();
}

TEST_F(timeout, says_which_signals_it_sends)
{
	check_timeout(137, "",
		      "timeout: sending signal TERM to command 'sh'\n"
		      "timeout: sending signal KILL to command 'sh'\n",
		      "-v", "-k", ".1", "1", "sh", "-c", "trap '' TERM; " TREE "sleep 1000");
	check_nothing_left();
}

TEST_F(timeout, leaves_nothing_where_it_is_killed)
{
	struct tool tool;
	int ready[2];
	char byte;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(9, dup2(ready[1], 9));
	close(ready[1]);
	tool_start(&tool, (char *[]){ "ctx", "timeout", "1000", "sh", "-c",
		   TREE "echo >&9; sleep 1000", NULL });
	ASSERT_EQ(POLLIN, ctx_poll(ready[0], CTX_WAIT_MS) & POLLIN);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, kill(tool.pid, SIGKILL));
	tool_end(&tool);
	EXPECT_EQ(137, tool.status);
	tool_free(&tool);
	check_all_goes();
}

TEST_F(timeout, works_through_a_link)
{
	char dir[] = "/tmp/ctx_timeout.XXXXXX", path[64], program[PATH_MAX];
	struct tool tool;

	ASSERT_NE(NULL, realpath(tool_path(), program));
	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/timeout", dir);
	ASSERT_EQ(0, symlink(program, path));
	setenv("CTX", path, 1);
	tool_start(&tool, (char *[]){ path, ".1", "sleep", "1000", NULL });
	tool_end(&tool);
	unlink(path);
	rmdir(dir);
	check_text("", tool.err);
	EXPECT_EQ(124, tool.status);
	tool_free(&tool);
}

TEST_HARNESS_MAIN
