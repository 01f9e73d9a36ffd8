// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/middleware, of which kill -9 ends one process at a random moment, a hundred times;
 * CTX_ROUNDS is a factor for that.
 */
#include "middleware.h"
#include "race.h"

enum { ACCOUNTS, GREETER, GATEWAY };

/*
 * Without the greeter all of three requests fail; without the accounts those do that have not asked
 * them yet, and the others go on until their clients hang up; without the gateway nothing goes on.
 */
TEST_F_TIMEOUT(middleware, a_kill_stops_what_should_stop_and_nothing_else, 15 * SECONDS)
{
	__u32 random = getpid();
	int client[3], status, i;
	char text[1024];
	pid_t victim;

	for (unsigned int round = rounds(100); round && _metadata->passed; round--) {
		start("1h");
		for (i = 0; i < 3; i++)
			client[i] = http_request_with(self->port, "GET", ENDLESS, ALICE);
		usleep(race_random(&random) % 100000);
		i = race_random(&random) % 3;
		victim = i == GATEWAY ? self->gateway.pid : self->services[i];
		ASSERT_EQ(0, process_kill(victim));
		for (int c = 0; c < 3; c++) {
			if (i == ACCOUNTS) {
				close(client[c]);
				continue;
			}
			status = http_read(client[c], text, sizeof(text));
			EXPECT_TRUE(i == GREETER ? status == 502 : status <= 0) {
				TH_LOG("%d: %d: %s", i, status, text);
			}
		}
		if (i != GATEWAY) {
			/* The gateway's and that of the service that is left */
			EXPECT_TRUE(comes_true(nr_contexts(NULL) == 2));
			EXPECT_EQ(0, waitpid(self->gateway.pid, NULL, WNOHANG));
			kill(self->gateway.pid, SIGTERM);
		}
		EXPECT_EQ(i == GATEWAY ? 128 + SIGKILL : 0, program_wait(&self->gateway));
		check_all_goes();
		EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
		close(self->gateway.out);
		if (_metadata->passed)
			close(self->gateway.log);
	}
}

TEST_HARNESS_MAIN
