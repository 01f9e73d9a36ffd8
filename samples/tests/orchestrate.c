// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/orchestrate: what becomes of tasks when one fails, and of all in the end */
#include "orchestrate.h"

/* It ends with @status. */
#define check_ends(status) \
	EXPECT_EQ((status), program_wait(&self->program))

#define check_says(text) \
	EXPECT_TRUE(program_says(&self->program, (text))) TH_LOG("it does not say: %s", (text))

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

TEST_F_TIMEOUT(orchestrate, runs_all_tasks, SECONDS)
{
	tasks("echo 1 >one", "", "  # not this one", "	echo 2 >two");
	start("tasks");
	check_ends(0);
	check_says("orchestrate: tasks: 2 tasks done after ");
	EXPECT_TRUE(exists("one"));
	EXPECT_TRUE(exists("two"));
}

TEST_F_TIMEOUT(orchestrate, reads_tasks_from_its_input, SECONDS)
{
	int in;

	tasks("echo 1 >one; cat >input");
	in = open("tasks", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(STDIN_FILENO, dup2(in, STDIN_FILENO));
	start("-");
	check_ends(0);
	EXPECT_TRUE(exists("one"));
}

/* An error in three layers: the process, its task, and the file of tasks */
TEST_F_TIMEOUT(orchestrate, the_first_failure_cancels_the_others_and_is_reported, SECONDS)
{
	tasks("touch up; " FOREVER, "while [ ! -e up ]; do sleep 0.01; done; exit 3");
	start("-j", "2", "tasks");
	check_ends(1);
	check_says("orchestrate: tasks: line 2: while [ ! -e up ]; do sleep 0.01; done; exit 3: "
		   "exit status 3\n");
	check_says("orchestrate: line 1: stopped: cancelled (line 2: while ");
}

TEST_F_TIMEOUT(orchestrate, tells_of_a_task_that_is_killed, SECONDS)
{
	tasks("kill -9 $$");
	start("tasks");
	check_ends(1);
	check_says("orchestrate: tasks: line 1: kill -9 $$: signal 9 (Killed)\n");
}

TEST_F_TIMEOUT(orchestrate, a_long_command_leaves_room_for_what_went_wrong, SECONDS)
{
	tasks("exit 7; # \303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	      "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	      "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251");
	start("tasks");
	check_ends(1);
	check_says("\303\251\303\251: exit status 7\n");
}

TEST_F_TIMEOUT(orchestrate, what_waits_for_its_turn_never_begins_after_a_failure, SECONDS)
{
	tasks("exit 1", "touch begun");
	start("-j", "1", "tasks");
	check_ends(1);
	EXPECT_FALSE(exists("begun"));
}

/* The most that stand between a + and their - in the file */
static int most_at_once(const char *path)
{
	int c, now = 0, most = 0;
	FILE *file = fopen(path, "re");

	while (file && (c = getc(file)) != EOF) {
		now += c == '+' ? 1 : c == '-' ? -1 : 0;
		most = now > most ? now : most;
	}
	if (file)
		fclose(file);
	return most;
}

TEST_F_TIMEOUT(orchestrate, runs_no_more_at_once_than_it_may, SECONDS)
{
	char *task = "echo + >>all; sleep 0.05; echo - >>all";

	tasks(task, task, task, task, task, task, task, task);
	start("-j", "2", "tasks");
	check_ends(0);
	EXPECT_GE(2, most_at_once("all"));
	EXPECT_LE(1, most_at_once("all"));
}

TEST_F_TIMEOUT(orchestrate, runs_as_many_at_once_as_it_may, SECONDS)
{
	tasks("touch one; while [ ! -e two ]; do sleep 0.01; done",
	      "touch two; while [ ! -e three ]; do sleep 0.01; done",
	      "touch three; while [ ! -e one ]; do sleep 0.01; done");
	start("-j", "3", "tasks");
	check_ends(0);
}

TEST_F_TIMEOUT(orchestrate, collects_many_errors_where_asked, SECONDS)
{
	tasks("exit 3", "touch two", "kill -9 $$", "touch four");
	start("-k", "-j", "1", "tasks");
	check_ends(1);
	check_says("orchestrate: tasks: line 1: exit 3: exit status 3\n"
		   "orchestrate: tasks: line 3: kill -9 $$: signal 9 (Killed)\n"
		   "orchestrate: tasks: 2 of 4 tasks failed\n");
	EXPECT_TRUE(exists("two"));
	EXPECT_TRUE(exists("four"));
}

TEST_F_TIMEOUT(orchestrate, tells_of_the_errors_collected_so_far, SECONDS)
{
	tasks("exit 3", FOREVER);
	start("-k", "-j", "2", "tasks");
	check_says("orchestrate: line 1: exit 3: exit status 3\n");
	kill(self->program.pid, SIGTERM);
	check_ends(1);
	check_says("orchestrate: tasks: line 1: exit 3: exit status 3\n"
		   "orchestrate: tasks: cancelled: Interrupted system call (SIGTERM)");
	check_says("; 0 of 2 tasks done\n");
}

TEST_F_TIMEOUT(orchestrate, a_timeout_stops_all, SECONDS)
{
	tasks(FOREVER, FOREVER);
	start("-t", "500ms", "-j", "1", "tasks");
	check_ends(1);
	check_says("orchestrate: tasks: timed out");
	check_says("; 0 of 2 tasks done\n");
}

TEST_F_TIMEOUT(orchestrate, ctrl_c_stops_all, SECONDS)
{
	tasks("touch up; " FOREVER);
	start("tasks");
	ASSERT_TRUE(comes_true(exists("up")));
	kill(self->program.pid, SIGINT);
	check_ends(1);
	check_says("orchestrate: tasks: cancelled: Interrupted system call (SIGINT)");
}

TEST_F_TIMEOUT(orchestrate, kills_what_does_not_end_in_time, SECONDS)
{
	tasks("touch up; " DEAF, "while [ ! -e up ]; do sleep 0.01; done; exit 3");
	start("-j", "2", "-g", "50ms", "tasks");
	check_ends(1);
}

TEST_F_TIMEOUT(orchestrate, leaves_time_to_end_in_order, SECONDS)
{
	tasks("trap 'touch cleaned; exit 1' TERM; touch up; while :; do sleep 0.01; done",
	      "while [ ! -e up ]; do sleep 0.01; done; exit 3");
	start("-j", "2", "-g", "1h", "tasks");
	check_ends(1);
	EXPECT_TRUE(exists("cleaned"));
}

TEST_F_TIMEOUT(orchestrate, ends_what_a_task_leaves_behind, SECONDS)
{
	tasks("sleep 1000 & sleep 1000 & exit 0");
	start("tasks");
	check_ends(0);
	check_all_goes();
}

/* Nobody is left who could kill what ignores SIGTERM, but the kernel. */
TEST_F_TIMEOUT(orchestrate, its_death_ends_all, SECONDS)
{
	tasks("touch one; " FOREVER, "touch two; " DEAF);
	start("-j", "2", "-g", "1h", "tasks");
	ASSERT_TRUE(comes_true(exists("one") && exists("two")));
	kill(self->program.pid, SIGKILL);
	check_ends(128 + SIGKILL);
	check_all_goes();
}

/* A task that is an orchestrate, with a task */
#define start_nested() ({						\
	char __line[PATH_MAX + 32];					\
	const char *const __tasks[] = { "touch inner; " DEAF, NULL };	\
									\
	snprintf(__line, sizeof(__line), "exec %s -g 50ms below",	\
		 program_path("orchestrate/orchestrate"));		\
	ASSERT_EQ(0, write_tasks("below", __tasks));			\
	tasks(__line);							\
	start("tasks");							\
	ASSERT_TRUE(comes_true(exists("inner")));			\
})

TEST_F_TIMEOUT(orchestrate, ends_one_below_it_with_what_that_runs, SECONDS)
{
	start_nested();
	kill(self->program.pid, SIGINT);
	check_ends(1);
	check_says("orchestrate: line 1: stopped: cancelled: Interrupted system call (SIGINT)");
	check_all_goes();
}

TEST_F_TIMEOUT(orchestrate, its_death_ends_one_below_it_with_what_that_runs, SECONDS)
{
	start_nested();
	kill(self->program.pid, SIGKILL);
	check_ends(128 + SIGKILL);
	check_all_goes();
}

TEST_F_TIMEOUT(orchestrate, says_how_far_it_is, SECONDS)
{
	tasks("true", FOREVER);
	start("-j", "2", "tasks");
	check_says(" s: 1 of 2 done, 1 running, 0 failed\n");
	kill(self->program.pid, SIGTERM);
	check_ends(1);
}

/* orchestrate with the arguments ends with @status and says @text. */
#define check_refuses(status, text, ...) ({				\
	start(__VA_ARGS__);						\
	check_ends(status);						\
	check_says(text);						\
})

TEST_F_TIMEOUT(orchestrate, refuses_bad_arguments, SECONDS)
{
	tasks("# nothing");
	check_refuses(2, "usage: orchestrate", "-k");
	check_refuses(2, "usage: orchestrate", "tasks", "tasks");
	check_refuses(2, "soon is no duration such as 2s or 250ms\n", "-t", "soon", "tasks");
	check_refuses(2, "soon is no duration such as 2s or 250ms\n", "-g", "soon", "tasks");
	check_refuses(2, "0 is no number of tasks from 1 to 1000\n", "-j", "0", "tasks");
	check_refuses(2, "-1 is no number of tasks from 1 to 1000\n", "-j", "-1", "tasks");
	check_refuses(2, "1x is no number of tasks from 1 to 1000\n", "-j", "1x", "tasks");
	check_refuses(1, "/nowhere: No such file or directory\n", "/nowhere");
	check_refuses(1, "/: Is a directory\n", "/");
	check_refuses(1, "/dev/null: has no tasks, a shell command a line\n", "/dev/null");
	check_refuses(1, "/dev/zero: is no text\n", "/dev/zero");
	check_refuses(1, "tasks: has no tasks, a shell command a line\n", "tasks");
}

TEST_HARNESS_MAIN
