// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/workers, of which kill -9 ends one process at a random moment, a hundred times;
 * CTX_ROUNDS is a factor for that.
 */
#include "workers.h"
#include "race.h"

TEST_F_TIMEOUT(workers, a_kill_stops_what_should_stop_and_nothing_else, 15 * SECONDS)
{
	__u32 random = getpid();
	pid_t pids[4];
	int nr;

	for (int i = 0; i < FILES; i++)
		ASSERT_EQ(0, make_endless(self->file[i]));
	for (unsigned int round = rounds(100); round && _metadata->passed; round--) {
		start("-p", "-n", "2", "-q", "1", "-g", "0s", ALL_FILES);
		ASSERT_TRUE(comes_true(nr_contexts("submitting") == 1));
		usleep(race_random(&random) % 20000);
		nr = program_children(&self->count, pids, 3);
		pids[nr++] = self->count.pid;
		nr = race_random(&random) % nr;
		kill(pids[nr], SIGKILL);
		if (pids[nr] != self->count.pid) {
			says("2 in hand, 1 in the queue");
			EXPECT_TRUE(comes_true(program_children(&self->count, pids, 3) == 2));
			kill(self->count.pid, SIGTERM);
			EXPECT_EQ(1, program_wait(&self->count));
			says("0 files counted, 4 not");
		}
		check_all_goes();
		EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
		if (_metadata->passed) {
			close(self->count.out);
			close(self->count.log);
		}
	}
	self->count.pid = 0;
}

TEST_HARNESS_MAIN
