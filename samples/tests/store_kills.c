// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/store, of which kill -9 ends one process at a random moment, a hundred times;
 * CTX_ROUNDS is a factor for that.
 */
#include "store.h"
#include "race.h"

/* What may follow the death of the server, or of the store, in the midst of three requests */
TEST_F_TIMEOUT(server, a_kill_stops_what_should_stop_and_nothing_else, 15 * SECONDS)
{
	__u32 random = getpid();
	int client[3], i, status;
	char text[1024];
	bool its_store;

	for (unsigned int round = rounds(100); round && _metadata->passed; round--) {
		start("1h", "1h");
		for (i = 0; i < 3; i++)
			client[i] = http_request(self->port, "GET", "/moon");
		usleep(race_random(&random) % 20000);
		its_store = race_random(&random) % 2;
		kill(its_store ? self->slow : self->program.pid, SIGKILL);
		for (i = 0; i < 3; i++) {
			status = http_read(client[i], text, sizeof(text));
			EXPECT_TRUE(its_store ? status == 502 : status == 0 || status == -1)
				TH_LOG("%d: %s", status, text);
		}
		if (its_store) {
			EXPECT_EQ(0, waitpid(self->program.pid, NULL, WNOHANG));
			EXPECT_TRUE(comes_true(nr_contexts("store request") == 0));
			kill(self->program.pid, SIGTERM);
		}
		EXPECT_EQ(its_store ? 0 : 128 + SIGKILL, program_wait(&self->program));
		check_all_goes();
		EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
		close(self->program.out);
		close(self->program.log);
	}
}

TEST_HARNESS_MAIN
