// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/supervise, of which kill -9 ends one process at a random moment, a hundred
 * times; CTX_ROUNDS is a factor for that.
 */
#include "supervise.h"
#include "race.h"

/* One of the processes that have begun: its name */
static const char *choose(const struct program *top, __u32 *random)
{
	int i = race_random(random) % NAMES;

	while (!pid_of(top, names[i]))
		i = (i + 1) % NAMES;
	return names[i];
}

TEST_F_TIMEOUT(supervise, a_kill_stops_exactly_what_should_stop, 15 * SECONDS)
{
	__u32 random = getpid();
	const char *victim;

	for (unsigned int round = rounds(100); round && _metadata->passed; round--) {
		start("-w", "1h", "2", "2", "1");
		ASSERT_TRUE(comes_true(pid_of(&self->top, "top")));
		usleep(race_random(&random) % 50000);
		victim = choose(&self->top, &random);
		kill(pid_of(&self->top, victim), SIGKILL);
		check_only_ends(victim);
		if (strcmp(victim, "top")) {
			kill(self->top.pid, SIGTERM);
			EXPECT_EQ(0, program_wait(&self->top));
		}
		check_all_goes();
		EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0))
			TH_LOG("contexts are left after %s", victim);
		if (_metadata->passed) {
			close(self->top.out);
			close(self->top.log);
		}
	}
	self->top.pid = 0;
}

TEST_HARNESS_MAIN
