// SPDX-License-Identifier: GPL-2.0-only
/*
 * Of several processes of samples/programs/session, kill -9 ends one at a random moment, a hundred
 * times; CTX_ROUNDS is a factor for that. The others do what they were to do.
 */
#include "session.h"
#include "race.h"

TEST_F_TIMEOUT(session, a_kill_holds_up_nobody, 15 * SECONDS)
{
	__u32 random = getpid();
	int victim, status, i;
	char text[256];

	for (unsigned int round = rounds(100); round && _metadata->passed; round--) {
		new_store();
		close(self->process[0].log);
		start_slow(0, "3ms", "show", self->token);
		start_slow(1, "3ms", "login", "bob");
		start_slow(2, "3ms", "lines", self->file);
		start_slow(3, "3ms", "put", "first");
		start_slow(4, "3ms", "take");
		usleep(race_random(&random) % 20000);
		victim = race_random(&random) % PROCESSES;
		kill(self->process[victim].pid, SIGKILL);
		close(self->process[victim].out);
		close(self->process[victim].log);
		/* For who takes, where it was the other that was killed */
		start(victim, "put", "second");
		for (i = 0; i < PROCESSES; i++) {
			session_end(&self->process[i], &status, text, sizeof(text));
			EXPECT_EQ(0, status)
				TH_LOG("process %d, when %d was killed", i, victim);
			EXPECT_TRUE(i != 4 || i == victim || !strcmp(text, "first\n") ||
				    !strcmp(text, "second\n"))
				TH_LOG("took: %s", text);
			if (status)
				program_show(&self->process[i]);
			close(self->process[i].log);
		}
		check_all_goes();
		EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	}
}

TEST_HARNESS_MAIN
