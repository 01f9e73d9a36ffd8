// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/search, of which kill -9 ends one process at a random moment, a hundred times;
 * CTX_ROUNDS is a factor for that.
 */
#include "search.h"
#include "race.h"

/* What may follow the death of the server, or of a back end, in the midst of three requests */
TEST_F_TIMEOUT(search, a_kill_stops_what_should_stop_and_nothing_else, 15 * SECONDS)
{
	__u32 random = getpid();
	int client[3], i;
	pid_t victim;
	char text[4096];

	ASSERT_EQ(0, search_make_endless(self->two));
	for (unsigned int round = rounds(100); round; round--) {
		for (i = 0; i < 3; i++)
			client[i] = http_request(self->port, "GET", "/search?q=nowhere");
		usleep(race_random(&random) % 20000);
		i = race_random(&random) % 3;
		victim = i < 2 ? self->backends[i] : self->server.pid;
		kill(victim, SIGKILL);
		for (i = 0; i < 3; i++) {
			int status;

			/* It may have had its part done: then the other goes on for who waits. */
			if (victim == self->backends[0]) {
				close(client[i]);
				continue;
			}
			status = http_read(client[i], text, sizeof(text));
			EXPECT_TRUE(status == 0 || status == -1 || status == 502)
				TH_LOG("%d: %s", status, text);
		}
		if (victim == self->server.pid) {
			EXPECT_EQ(128 + SIGKILL, program_wait(&self->server));
		} else {
			EXPECT_EQ(0, waitpid(self->server.pid, NULL, WNOHANG));
			EXPECT_TRUE(comes_true(nr_contexts("search request") == 0));
			kill(self->server.pid, SIGTERM);
			EXPECT_EQ(0, program_wait(&self->server));
		}
		check_all_goes();
		EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
		if (!_metadata->passed)
			break;
		close(self->server.out);
		close(self->server.log);
		ASSERT_EQ(0, program_start(&self->server, "search/server",
					   (char *[]){ "server", "0", self->one, self->two, NULL }));
		self->port = program_port(&self->server);
		ASSERT_NE(0, self->port);
		ASSERT_EQ(2, program_children(&self->server, self->backends, 2));
	}
}

TEST_HARNESS_MAIN
