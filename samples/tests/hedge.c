// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/hedge: who wins, and who stops */
#include "hedge.h"

#define check_stopped(replica)						\
	EXPECT_TRUE(program_says(&self->replicas[replica],		\
				 "stopped: cancelled: Connection reset by peer"))

TEST_F_TIMEOUT(hedge, the_first_answer_wins_and_the_others_stop, SECONDS)
{
	start_hedge(self->urls[0], self->urls[1], self->urls[2]);
	check_ends(0, "moon from replica 0\n");
	EXPECT_TRUE(program_says(&self->hedge, "/moon was faster)"));
	check_stopped(0);
	check_stopped(1);
	EXPECT_TRUE(comes_true(nr_contexts("replica request") == 0));
}

TEST_F_TIMEOUT(hedge, asks_the_next_only_after_a_time, SECONDS)
{
	start_hedge("-a", "1h", self->urls[2], self->urls[1]);
	check_ends(0, "moon from replica 0\n");
	EXPECT_TRUE(program_says(&self->hedge, "/moon: was not asked; cancelled"));
}

TEST_F_TIMEOUT(hedge, asks_the_next_after_that_time, SECONDS)
{
	start_hedge("-a", "50ms", self->urls[0], self->urls[2]);
	check_ends(0, "moon from replica 0\n");
	check_stopped(0);
}

TEST_F_TIMEOUT(hedge, a_timeout_stops_all, SECONDS)
{
	start_hedge("-t", "300ms", self->urls[0], self->urls[1]);
	check_ends(1, "");
	EXPECT_TRUE(program_says(&self->hedge, "timed out"));
	EXPECT_TRUE(program_says(&self->hedge, "hedge: no answer\n"));
	EXPECT_TRUE(comes_true(nr_contexts("replica request") == 0));
}

TEST_F_TIMEOUT(hedge, its_death_stops_all, SECONDS)
{
	start_hedge(self->urls[0], self->urls[1]);
	ASSERT_TRUE(comes_true(nr_contexts("replica request") == 2));
	kill(self->hedge.pid, SIGKILL);
	check_ends(128 + SIGKILL, "");
	check_stopped(0);
	check_stopped(1);
}

TEST_F_TIMEOUT(hedge, ctrl_c_stops_all, SECONDS)
{
	start_hedge(self->urls[0], self->urls[1]);
	ASSERT_TRUE(comes_true(nr_contexts("replica request") == 2));
	kill(self->hedge.pid, SIGINT);
	check_ends(1, "");
	EXPECT_TRUE(program_says(&self->hedge, "cancelled: Interrupted system call (SIGINT)"));
	check_stopped(0);
	check_stopped(1);
}

TEST_F_TIMEOUT(hedge, goes_on_without_a_replica_that_fails, SECONDS)
{
	start_hedge("http://127.0.0.1:1/moon", self->urls[2]);
	check_ends(0, "moon from replica 0\n");
}

TEST_F_TIMEOUT(hedge, goes_on_without_a_replica_that_is_killed, SECONDS)
{
	start_hedge(self->urls[0], self->urls[1]);
	ASSERT_TRUE(comes_true(nr_contexts("replica request") == 2));
	kill(self->replicas[0].pid, SIGKILL);
	EXPECT_TRUE(program_says(&self->hedge, self->urls[0]));
	EXPECT_EQ(0, waitpid(self->hedge.pid, NULL, WNOHANG));
	kill(self->replicas[1].pid, SIGTERM);
	check_ends(1, "");
	EXPECT_TRUE(program_says(&self->hedge, "hedge: no answer\n"));
}

TEST_F_TIMEOUT(hedge, tells_why_all_failed, SECONDS)
{
	start_hedge("http://127.0.0.1:1/", "ftp://127.0.0.1/");
	check_ends(1, "");
	EXPECT_TRUE(program_says(&self->hedge, "http://127.0.0.1:1/: Couldn't connect to server\n"));
	EXPECT_TRUE(program_says(&self->hedge, "ftp://127.0.0.1/: Unsupported protocol\n"));
}

TEST_F_TIMEOUT(hedge, refuses_bad_arguments, SECONDS)
{
	start_hedge("-t", "soon", self->urls[2]);
	check_ends(2, "");
	EXPECT_TRUE(program_says(&self->hedge, "soon is no duration such as 2s or 250ms\n"));
	start_hedge("-t", "1s");
	check_ends(2, "");
	EXPECT_TRUE(program_says(&self->hedge, "usage: hedge"));
}

TEST_HARNESS_MAIN
