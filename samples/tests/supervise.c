// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/supervise */
#include "supervise.h"

#define NO_WATCHDOG	"1h"
/* Four times as long as between two beats, which is longer than a slow machine stalls */
#define WATCHDOG	"20s"

#define start_tree(...) ({						\
	start(__VA_ARGS__, "2", "2", "1");				\
	check_only_ends("");						\
})

TEST_F_TIMEOUT(supervise, a_kill_ends_exactly_its_subtree, SECONDS)
{
	start_tree("-w", NO_WATCHDOG);
	kill(pid_of(&self->top, "top.2"), SIGKILL);
	check_only_ends("top.2");
	EXPECT_TRUE(program_says(&self->top, "top: top.2 was killed by signal 9\n"));
	EXPECT_TRUE(program_says(&self->top, "top.2.1.1: stops: the owner of context "));
	EXPECT_TRUE(program_says(&self->top, "top.2.1: stops: the owner of context "));
}

TEST_F_TIMEOUT(supervise, a_kill_of_the_top_ends_all, SECONDS)
{
	start_tree("-w", NO_WATCHDOG);
	kill(self->top.pid, SIGKILL);
	check_only_ends("top");
}

TEST_F_TIMEOUT(supervise, a_worker_that_hangs_is_ended_by_the_watchdog, SECONDS)
{
	start_tree("-w", WATCHDOG);
	kill(pid_of(&self->top, "top.1.2.1"), SIGUSR1);
	EXPECT_TRUE(program_says(&self->top, "top.1.2: top.1.2.1 was killed by signal 14; "
				 "its context: timed out"));
	check_only_ends("top.1.2.1");
}

TEST_F_TIMEOUT(supervise, a_supervisor_that_is_stopped_is_ended_with_its_subtree, SECONDS)
{
	start_tree("-w", WATCHDOG);
	kill(pid_of(&self->top, "top.1"), SIGSTOP);
	EXPECT_TRUE(program_says(&self->top, "top: top.1 exited with 0; its context: timed out"));
	check_only_ends("top.1");
}

TEST_F_TIMEOUT(supervise, a_worker_that_hangs_ends_without_its_supervisor, SECONDS)
{
	pid_t hung;

	start_tree("-w", NO_WATCHDOG);
	hung = pid_of(&self->top, "top.2.2.1");
	kill(hung, SIGUSR1);
	kill(pid_of(&self->top, "top.2"), SIGKILL);
	EXPECT_TRUE(comes_true(!runs(hung)));
	check_only_ends("top.2");
}

TEST_F_TIMEOUT(supervise, what_is_killed_is_started_again_so_often, SECONDS)
{
	pid_t first, second;

	start_tree("-w", NO_WATCHDOG, "-r", "1");
	first = pid_of(&self->top, "top.1");
	kill(first, SIGKILL);
	ASSERT_TRUE(comes_true((second = pid_of(&self->top, "top.1")) != first));
	EXPECT_TRUE(program_says(&self->top, "top: starts it again, for time 1 of 1\n"));
	EXPECT_TRUE(comes_true(!runs(first)));
	check_only_ends("");
	kill(second, SIGKILL);
	check_only_ends("top.1");
}

TEST_F_TIMEOUT(supervise, sigterm_ends_its_subtree_for_good, SECONDS)
{
	start_tree("-w", NO_WATCHDOG, "-r", "9");
	kill(pid_of(&self->top, "top.1"), SIGTERM);
	EXPECT_TRUE(program_says(&self->top, "top: top.1 exited with 0\n"));
	check_only_ends("top.1");
	EXPECT_TRUE(program_says(&self->top, "top.1.1.1: stops: cancelled: Interrupted system call "
				 "(SIGTERM)"));
}

TEST_F_TIMEOUT(supervise, ctrl_c_ends_all, SECONDS)
{
	start_tree("-w", NO_WATCHDOG, "-r", "9");
	for (int i = 0; i < NAMES; i++)
		kill(pid_of(&self->top, names[i]), SIGINT);
	EXPECT_EQ(0, program_wait(&self->top));
	check_only_ends("top");
}

TEST_F_TIMEOUT(supervise, its_own_context_ends_all, SECONDS)
{
	int ctx = ctxfd_with_cancel(ctxfd_background());

	ASSERT_LE(0, ctx);
	ASSERT_EQ(0, ctxfd_to_env(ctx));
	start_tree("-w", NO_WATCHDOG);
	ctxfd_cancel(ctx);
	EXPECT_EQ(0, program_wait(&self->top));
	check_only_ends("top");
	close(ctx);
	unsetenv("CTX_FD");
}

/* The deadline of the context that a process of that name was given; 0 where there is none */
static __u64 deadline_of(const char *name)
{
	uint64_t ids[1024], deadline = 0;
	ssize_t n = ctxfd_list(0, ids, 1024);
	struct ctx_info info;

	for (ssize_t i = 0; i < n && !deadline; i++) {
		int fd = ctxfd_open(ids[i], 0);

		if (!ctxfd_info(fd, &info) && !strcmp(info.name, name))
			deadline = info.deadline;
		close(fd);
	}
	return deadline;
}

TEST_F_TIMEOUT(supervise, a_heartbeat_moves_the_deadline, SECONDS)
{
	static const char *const beating[] = { "top.1", "top.1.1", "top.1.1.1" };

	start_tree("-w", WATCHDOG);
	for (int i = 0; i < 3; i++) {
		__u64 first = deadline_of(beating[i]);

		EXPECT_NE(0, first);
		EXPECT_TRUE(comes_true(deadline_of(beating[i]) > first));
	}
	check_only_ends("");
}

#define check_refuses(text, ...) ({					\
	start(__VA_ARGS__);						\
	EXPECT_EQ(2, program_wait(&self->top));				\
	EXPECT_TRUE(program_says(&self->top, (text)));			\
})

TEST_F_TIMEOUT(supervise, refuses_bad_arguments, SECONDS)
{
	check_refuses("usage: supervise", "-w", "1s");
	check_refuses("usage: supervise", "-x");
	check_refuses("0 is no number from 1 to 99\n", "2", "0");
	check_refuses("two is no number from 1 to 99\n", "two");
	check_refuses("-1 is no number from 0 to 1000\n", "-r", "-1", "2");
	check_refuses("soon is no duration such as 2s or 250ms\n", "-w", "soon", "2");
	check_refuses("a watchdog of less than 1ms is none\n", "-w", "0s", "2");
	check_refuses("that is over 1000 processes, or over 6 deep\n", "99", "99");
	check_refuses("that is over 1000 processes, or over 6 deep\n",
		      "1", "1", "1", "1", "1", "1", "1");
	ASSERT_EQ(0, program_start(&self->top, "supervise/worker", (char *[]){ "worker", NULL }));
	EXPECT_EQ(2, program_wait(&self->top));
	EXPECT_TRUE(program_says(&self->top, "the program supervise starts it\n"));
}

TEST_HARNESS_MAIN
