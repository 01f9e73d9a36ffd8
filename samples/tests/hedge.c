// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/hedge: three replicas, of which the last is the fast one */
#include "programs.h"

#define REPLICAS	3

FIXTURE(hedge) {
	struct program replicas[REPLICAS];
	char urls[REPLICAS][64];
	struct program hedge;
	char out[256];
};

static int start_replica(struct program *replica, char *url, size_t size, const char *delay)
{
	unsigned int port;

	if (program_start(replica, "hedge/replica", (char *[]){ "replica", "0", (char *)delay, NULL }))
		return -1;
	port = program_port(replica);
	snprintf(url, size, "http://127.0.0.1:%u/moon", port);
	return port ? 0 : -1;
}

FIXTURE_SETUP(hedge)
{
	static const char *const delays[REPLICAS] = { "1h", "1h", "1ms" };

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < REPLICAS; i++)
		ASSERT_EQ(0, start_replica(&self->replicas[i], self->urls[i], sizeof(self->urls[i]),
					   delays[i]));
}

FIXTURE_TEARDOWN(hedge)
{
	for (int i = 0; i < REPLICAS; i++)
		kill(self->replicas[i].pid, SIGTERM);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	if (!_metadata->passed)
		program_show(&self->hedge);
}

#define start_hedge(...) \
	ASSERT_EQ(0, program_start(&self->hedge, "hedge/hedge", \
				   (char *[]){ "hedge", __VA_ARGS__, NULL }))

/* It ends with @status and has printed @text. */
#define check_ends(status, text) ({					\
	ssize_t __len;							\
									\
	EXPECT_EQ((status), program_wait(&self->hedge));		\
	__len = read(self->hedge.out, self->out, sizeof(self->out) - 1); \
	self->out[__len > 0 ? __len : 0] = '\0';			\
	EXPECT_STREQ((text), self->out);				\
})

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
