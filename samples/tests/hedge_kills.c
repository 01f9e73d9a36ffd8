// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/hedge, of which kill -9 ends one process at a random moment, a hundred times;
 * CTX_ROUNDS is a factor for that.
 */
#define FASTEST		"20ms"

#include "hedge.h"
#include "race.h"

#define HEDGE	REPLICAS	/* the victim that is none of them */

/* Where hedge has not ended by itself, or by the kill, it is interrupted: in each case all stop. */
TEST_F_TIMEOUT(hedge, a_kill_stops_what_should_stop_and_nothing_else, 15 * SECONDS)
{
	__u32 random = getpid();
	int victim, status, i;

	for (unsigned int round = rounds(100); round && _metadata->passed; round--) {
		start_hedge(self->urls[0], self->urls[1], self->urls[2]);
		usleep(race_random(&random) % 200000);
		victim = race_random(&random) % (REPLICAS + 1);
		kill(victim == HEDGE ? self->hedge.pid : self->replicas[victim].pid, SIGKILL);
		kill(self->hedge.pid, SIGINT);
		status = program_wait(&self->hedge);
		EXPECT_TRUE(status == 0 || status == 1 || status == 128 + SIGINT ||
			    (victim == HEDGE && status == 128 + SIGKILL)) {
			TH_LOG("%d", status);
		}
		close(self->hedge.out);
		close(self->hedge.log);
		EXPECT_TRUE(comes_true(nr_contexts("replica request") == 0));
		EXPECT_TRUE(comes_true(nr_contexts("hedged request") == 0));
		for (i = 0; i < REPLICAS; i++)
			if (i != victim)
				EXPECT_EQ(0, waitpid(self->replicas[i].pid, NULL, WNOHANG));
		if (victim == HEDGE)
			continue;
		EXPECT_EQ(128 + SIGKILL, program_wait(&self->replicas[victim]));
		close(self->replicas[victim].out);
		close(self->replicas[victim].log);
		ASSERT_EQ(0, start_replica(&self->replicas[victim], self->urls[victim],
					   sizeof(self->urls[victim]),
					   victim == REPLICAS - 1 ? FASTEST : "1h"));
	}
}

TEST_HARNESS_MAIN
