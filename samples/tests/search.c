// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/search: what its requests get, and what ends with what */
#include "search.h"

#define ENDLESS		"/search?q=nowhere"

TEST_F_TIMEOUT(search, answers_with_what_each_back_end_finds, SECONDS)
{
	check_get(self->port, "/search?q=nightingale", 200, "/one/poem:2 <code>and a Nightingale<");
	check_get(self->port, "/search?q=nightingale&timeout=1m", 200, "/two/tags:1 <code>");
	check_get(self->port, "/search?q=nightingale&timeout=1m", 200, ">2 results in ");
	check_get(self->port, "/search?q=nobody", 200, ">0 results in ");
}

TEST_F_TIMEOUT(search, escapes_what_comes_from_others, SECONDS)
{
	check_get(self->port, "/search?q=nightingale", 200,
		  "&lt;b&gt;&quot;nightingale&quot; &amp; co&lt;/b&gt;");
	check_get(self->port, "/search?q=%3Cscript%3E", 200, "value=\"&lt;script&gt;\"");
}

TEST_F_TIMEOUT(search, shows_a_form, SECONDS)
{
	check_get(self->port, "/", 200, "<form action=\"/search\">");
	check_get(self->port, "/", 200, "\nli { margin: .6em 0 }\n");
}

TEST_F_TIMEOUT(search, refuses_a_bad_request, SECONDS)
{
	static const char *const bad[] = { "2", "s", "-1s", "1x", "1s2", "inf", "0x1s", "1..2s",
					   "%20", "1e9s", "99999999999999h" };
	char path[64], text[1024];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(path, sizeof(path), "/search?q=x&timeout=%s", bad[i]);
		check_get(self->port, path, 400, "400: the timeout is none such as 2s or 250ms\n");
	}
	check_get(self->port, "/search", 400, "400: there is no query");
	check_get(self->port, "/search?q=", 400, "400: there is no query");
	check_get(self->port, "/search?q=a%0Ab", 400, "400: the query has control characters");
	check_get(self->port, "/nothing", 404, "404: there is /search?q=WORDS");
	EXPECT_EQ(405, http_read(http_request(self->port, "DELETE", "/search?q=x"),
				 text, sizeof(text)));
}

TEST_F_TIMEOUT(search, answers_504_at_the_timeout, SECONDS)
{
	check_get(self->port, "/search?q=nightingale&timeout=0s", 504, "504: no answer within 0s");
	ASSERT_EQ(0, search_make_endless(self->two));
	check_get(self->port, ENDLESS "&timeout=2s", 504, "504: no answer within 2s");
	EXPECT_TRUE(program_says(&self->server, "server: 127.0.0.1 asked for \"nowhere\": timed out"));
	EXPECT_TRUE(program_says(&self->server, "\"nowhere\" for 127.0.0.1: 0 found; stopped"));
	check_idle();
}

TEST_F_TIMEOUT(search, a_client_that_hangs_up_cancels_only_its_own, SECONDS)
{
	int first, second;

	ASSERT_EQ(0, search_make_endless(self->two));
	first = start_endless(1);
	second = start_endless(2);
	close(first);
	EXPECT_TRUE(comes_true(nr_contexts("search request") == 1));
	EXPECT_TRUE(comes_true(process_count(self->backends[1], "task") == 2));
	EXPECT_TRUE(program_says(&self->server, "cancelled: Connection reset by peer"));
	EXPECT_EQ(0, recv(second, &(char){ 0 }, 1, MSG_DONTWAIT) >= 0);
	close(second);
	check_idle();
}

TEST_F_TIMEOUT(search, sigterm_cancels_all_and_answers_none, SECONDS)
{
	int client[3], i;
	char text[64];

	ASSERT_EQ(0, search_make_endless(self->two));
	for (i = 0; i < 3; i++)
		client[i] = start_endless(i + 1);
	kill(self->server.pid, SIGTERM);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, http_read(client[i], text, sizeof(text)));
	EXPECT_EQ(0, program_wait(&self->server));
	EXPECT_TRUE(program_says(&self->server, "server: stops: cancelled: Interrupted system call"));
}

TEST_F_TIMEOUT(search, its_death_ends_the_back_ends, SECONDS)
{
	ASSERT_EQ(0, search_make_endless(self->two));
	start_endless(1);
	kill(self->server.pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, program_wait(&self->server));
}

TEST_F_TIMEOUT(search, tells_of_a_back_end_that_is_gone, SECONDS)
{
	char text[1024];
	int client;

	ASSERT_EQ(0, search_make_endless(self->two));
	client = start_endless(1);
	ASSERT_EQ(0, process_kill(self->backends[1]));
	EXPECT_EQ(502, http_read(client, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "/two failed: Connection reset by peer\n"));
	check_get(self->port, "/search?q=nightingale", 502, "/two failed: Connection refused\n");
}

/*
 * Of requests that end in each way neither descriptors nor threads nor contexts are left. A call
 * that waits has some descriptors meanwhile: five rounds are to leave less than one each.
 */
TEST_F_TIMEOUT(search, leaves_nothing_of_a_request, SECONDS)
{
	int fds[3], i;

	check_get(self->port, "/search?q=nightingale&timeout=1m", 200, "poem");
	ASSERT_TRUE(comes_true(nr_contexts("search request") == 0));
	ASSERT_TRUE(comes_true(process_count(self->backends[1], "task") == 1));
	usleep(100000);
	for (i = 0; i < 3; i++)
		fds[i] = process_count(i < 2 ? self->backends[i] : self->server.pid, "fd");
	ASSERT_EQ(0, search_make_endless(self->two));
	for (i = 0; i < 5; i++) {
		close(start_endless(1));
		check_idle();
		check_get(self->port, ENDLESS "&timeout=20ms", 504, "504");
		check_idle();
	}
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(comes_true(process_count(i < 2 ? self->backends[i] : self->server.pid,
						     "fd") < fds[i] + 5));
}

TEST_HARNESS_MAIN
