// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/pipeline: what comes out of it, and what stops it. */
#include "pipeline.h"

#define order(text) \
	ASSERT_LT(0, dprintf(self->orders, "%s\n", (text)))

#define end_orders() ({							\
	close(self->orders);						\
	self->orders = -1;						\
})

/* The next line that it prints */
static const char *result(const struct program *program)
{
	struct pollfd pfd = { .fd = program->out, .events = POLLIN };
	static char line[256];
	size_t got = 0;

	while (got < sizeof(line) - 1 && poll(&pfd, 1, PROGRAM_WAIT_MS) == 1 &&
	       read(program->out, line + got, 1) == 1 && line[got] != '\n')
		got++;
	line[got] = '\0';
	return line;
}

/* The orders have not ended: it waits for more of them. */
#define start_and_wait(...) ({						\
	start(__VA_ARGS__);						\
	order("moon 1");						\
	EXPECT_STREQ("moon 1 250 250", result(&self->program));		\
	ASSERT_EQ(NR_STAGES, program_children(&self->program, self->stages, NR_STAGES)); \
})

#define check_ends(status) \
	EXPECT_EQ((status), program_wait(&self->program))

#define check_says(text) \
	EXPECT_TRUE(program_says(&self->program, (text))) TH_LOG("it does not say: %s", (text))

TEST_F_TIMEOUT(pipeline, does_all_stages_with_each_order, SECONDS)
{
	start(self->prices);
	order("Moon 2");
	order("SUN   10");
	end_orders();
	EXPECT_STREQ("moon 2 250 500", result(&self->program));
	EXPECT_STREQ("sun 10 999 9990", result(&self->program));
	EXPECT_STREQ("", result(&self->program));
	check_ends(0);
}

TEST_F_TIMEOUT(pipeline, reads_orders_from_a_file_without_a_last_newline, SECONDS)
{
	char orders[32];

	ASSERT_EQ(0, write_file(orders, "moon 1\nsun 1"));
	start(self->prices, orders);
	EXPECT_STREQ("moon 1 250 250", result(&self->program));
	EXPECT_STREQ("sun 1 999 999", result(&self->program));
	EXPECT_STREQ("", result(&self->program));
	check_ends(0);
	unlink(orders);
}

/* More than all pipes hold, in order */
TEST_F_TIMEOUT(pipeline, does_many_orders, SECONDS)
{
	char expected[64], line[64];
	int bad = 0, i;
	FILE *file;
	pid_t pid;

	start(self->prices);
	pid = ctx_fork();
	if (!pid) {
		file = fdopen(self->orders, "w");
		for (i = 1; i <= 50000; i++)
			fprintf(file, "moon %d\n", i);
		_exit(fclose(file));
	}
	end_orders();
	file = fdopen(self->program.out, "r");
	for (i = 1; fgets(line, sizeof(line), file); i++) {
		snprintf(expected, sizeof(expected), "moon %d 250 %d\n", i, 250 * i);
		bad += !!strcmp(expected, line);
	}
	EXPECT_EQ(50001, i);
	EXPECT_EQ(0, bad);
	check_ends(0);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F_TIMEOUT(pipeline, an_order_does_not_wait_for_the_next, SECONDS)
{
	start_and_wait(self->prices);
	order("sun 1");
	EXPECT_STREQ("sun 1 999 999", result(&self->program));
}

/* The first stage waits for an order that never comes. */
TEST_F_TIMEOUT(pipeline, stops_when_the_last_has_enough, SECONDS)
{
	start("-n", "2", self->prices);
	order("moon 1\nsun 1\nmoon 3");
	EXPECT_STREQ("moon 1 250 250", result(&self->program));
	EXPECT_STREQ("sun 1 999 999", result(&self->program));
	EXPECT_STREQ("", result(&self->program));
	check_ends(0);
	check_says("pipeline: enough, after 2\n");
}

TEST_F_TIMEOUT(pipeline, stops_when_nobody_reads_the_results_any_more, SECONDS)
{
	start_and_wait(self->prices);
	close(self->program.out);
	check_ends(0);
	check_says("pipeline: enough, after 1\n");
}

TEST_F_TIMEOUT(pipeline, stops_when_the_first_stage_fails, SECONDS)
{
	start_and_wait(self->prices);
	order("moon many");
	check_ends(1);
	check_says("pipeline: cancelled: Invalid argument "
		   "(validate: order 2: is none \"ITEM QUANTITY\": moon many)\n");
}

TEST_F_TIMEOUT(pipeline, stops_when_the_last_stage_fails, SECONDS)
{
	start_and_wait(self->prices);
	order("sun 1\nmars 1\nmoon 1");
	check_ends(1);
	check_says("pipeline: cancelled: No data available (enrich: order 3: mars has no price)\n");
}

TEST_F_TIMEOUT(pipeline, stops_when_a_stage_is_killed, 3 * SECONDS)
{
	static const char *const said[NR_STAGES] = {
		"pipeline: cancelled: No such process (validate: signal 9 (Killed))\n",
		"pipeline: cancelled: No such process (transform: signal 9 (Killed))\n",
		"pipeline: cancelled: No such process (enrich: signal 9 (Killed))\n",
	};

	for (int i = 0; i < NR_STAGES; i++) {
		start_and_wait(self->prices);
		kill(self->stages[i], SIGKILL);
		check_ends(1);
		check_says(said[i]);
		EXPECT_STREQ("", result(&self->program));
		close(self->orders);
	}
}

TEST_F_TIMEOUT(pipeline, its_death_stops_all, SECONDS)
{
	start_and_wait(self->prices);
	kill(self->program.pid, SIGKILL);
	check_ends(128 + SIGKILL);
	check_all_goes();
}

TEST_F_TIMEOUT(pipeline, a_timeout_stops_all, SECONDS)
{
	start("-t", "200ms", self->prices);
	check_ends(1);
	check_says("pipeline: timed out\n");
}

TEST_F_TIMEOUT(pipeline, ctrl_c_stops_all, SECONDS)
{
	start_and_wait(self->prices);
	kill(self->stages[VALIDATE], SIGINT);
	kill(self->stages[TRANSFORM], SIGINT);
	kill(self->stages[ENRICH], SIGINT);
	order("sun 1");
	EXPECT_STREQ("sun 1 999 999", result(&self->program));
	kill(self->program.pid, SIGINT);
	check_ends(1);
	check_says("pipeline: cancelled: Interrupted system call (SIGINT)\n");
}

/* Writes orders for as long as there is room. Whether there is none, and the results wait, too. */
static bool is_full(int orders, int results)
{
	int size = 0;

	while (write(orders, "moon 1\n", 7) == 7)
		;
	return !ioctl(results, FIONREAD, &size) && size > 20000;
}

TEST_F_TIMEOUT(pipeline, stops_while_nobody_takes_the_results, SECONDS)
{
	start(self->prices);
	ASSERT_EQ(0, fcntl(self->orders, F_SETFL, O_NONBLOCK));
	ASSERT_TRUE(comes_true(is_full(self->orders, self->program.out)));
	kill(self->program.pid, SIGTERM);
	check_ends(1);
	check_says("pipeline: cancelled: Interrupted system call (SIGTERM)\n");
}

TEST_F_TIMEOUT(pipeline, says_how_far_it_is, SECONDS)
{
	start_and_wait(self->prices);
	check_says(" s: validate 1, transform 1, enrich 1\n");
}

TEST_F_TIMEOUT(pipeline, refuses_what_is_no_line, SECONDS)
{
	static char text[5000];

	start_and_wait(self->prices);
	memset(text, 'a', sizeof(text) - 1);
	order(text);
	check_ends(1);
	check_says("(validate: order 2: Message too long)\n");
	close(self->orders);
	start_and_wait(self->prices);
	ASSERT_EQ(8, write(self->orders, "moon\0 1\n", 8));
	check_ends(1);
	check_says("(validate: order 2: Bad message)\n");
}

/* pipeline with the arguments ends with @status and says @text. */
#define check_refuses(status, text, ...) ({				\
	start(__VA_ARGS__);						\
	check_ends(status);						\
	check_says(text);						\
	close(self->orders);						\
})

TEST_F_TIMEOUT(pipeline, refuses_bad_arguments, SECONDS)
{
	char bad[32];

	ASSERT_EQ(0, write_file(bad, "moon 250\nsun free\n"));
	check_refuses(2, "usage: pipeline", "-n", "1");
	check_refuses(2, "usage: pipeline", self->prices, "a", "b");
	check_refuses(2, "0 is no number of results from 1 to ", "-n", "0", self->prices);
	check_refuses(2, "-1 is no number of results from 1 to ", "-n", "-1", self->prices);
	check_refuses(2, "soon is no duration such as 2s or 250ms\n", "-t", "soon", self->prices);
	check_refuses(1, "/nowhere: No such file or directory\n", "/nowhere");
	check_refuses(1, ": line 2 is no price \"ITEM CENTS\"\n", bad);
	check_refuses(1, "/nowhere: No such file or directory\n", self->prices, "/nowhere");
	check_refuses(1, "(validate: order 1: Is a directory)\n", self->prices, "/");
	unlink(bad);
}

TEST_HARNESS_MAIN
