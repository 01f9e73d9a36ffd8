// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/pipeline, of which kill -9 ends one process at a random moment, a hundred
 * times; CTX_ROUNDS is a factor for that.
 */
#include "pipeline.h"
#include "race.h"

/* A child that writes orders for as long as anybody reads them */
static void write_orders(int fd)
{
	while (dprintf(fd, "moon 1\nsun 2\n") > 0)
		;
	_exit(0);
}

/* In half of the rounds no order comes, in the others more than anybody takes the results of. */
TEST_F_TIMEOUT(pipeline, a_kill_of_any_process_ends_all, 15 * SECONDS)
{
	__u32 random = getpid();
	pid_t pids[1 + NR_STAGES], victim;

	for (unsigned int round = rounds(100); round && _metadata->passed; round--) {
		start(self->prices);
		if (race_random(&random) % 2 && !ctx_fork())
			write_orders(self->orders);
		usleep(race_random(&random) % 30000);
		victim = pids[race_random(&random) %
			      process_tree(self->program.pid, pids, 1 + NR_STAGES)];
		kill(victim, SIGKILL);
		EXPECT_EQ(victim == self->program.pid ? 128 + SIGKILL : 1,
			  program_wait(&self->program));
		if (victim != self->program.pid)
			EXPECT_TRUE(program_says(&self->program, ": signal 9 (Killed))\n"));
		check_all_goes();
		EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
		close(self->orders);
		close(self->program.out);
		close(self->program.log);
	}
}

TEST_HARNESS_MAIN
