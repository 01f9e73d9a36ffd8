// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/orchestrate, of which kill -9 ends one process at a random moment, a hundred
 * times; CTX_ROUNDS is a factor for that.
 */
#include "orchestrate.h"
#include "race.h"

/* Two tasks, and one that is an orchestrate with two: one of each ignores SIGTERM. */
TEST_F_TIMEOUT(orchestrate, a_kill_of_any_process_ends_all, 15 * SECONDS)
{
	static const char *const below[] = { FOREVER, DEAF, NULL };
	char nested[PATH_MAX + 32];
	__u32 random = getpid();
	pid_t pids[64], victim;

	snprintf(nested, sizeof(nested), "exec %s -j 2 -g 50ms below",
		 program_path("orchestrate/orchestrate"));
	ASSERT_EQ(0, write_tasks("below", below));
	tasks(FOREVER, nested, DEAF);
	for (unsigned int round = rounds(100); round && _metadata->passed; round--) {
		start("-j", "3", "-g", "50ms", "tasks");
		usleep(race_random(&random) % 50000);
		victim = pids[race_random(&random) % process_tree(self->program.pid, pids, 64)];
		kill(victim, SIGKILL);
		EXPECT_EQ(victim == self->program.pid ? 128 + SIGKILL : 1,
			  program_wait(&self->program));
		check_all_goes();
		EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
		close(self->program.out);
		close(self->program.log);
	}
}

TEST_HARNESS_MAIN
