// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/middleware: a gateway, whose chain asks two services, and their database */
#include "middleware.h"
#include "ctx_features.h"

#define TRACES	"/sys/kernel/tracing/instances/middleware"

/* Copies the id that stands before @text in the log. Returns false where there is none. */
static bool id_before(const struct program *program, const char *text, char id[17])
{
	static char log[1 << 16];
	const char *at;

	if (!program_says(program, text))
		return false;
	program_log(program, log, sizeof(log));
	at = strstr(log, text);
	if (!at || at - log < 17)
		return false;
	memcpy(id, at - 17, 16);
	id[16] = '\0';
	return true;
}

/* Starts to trace contexts. Returns 0, or -1. */
static int trace_start(void)
{
	if (mkdir(TRACES, 0700))
		return -1;
	return ctx_write_file(TRACES, "events/ctx/enable", "1");
}

static bool trace_has(const char *text)
{
	char line[1024];
	bool found = false;
	FILE *file = fopen(TRACES "/trace", "re");

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, text);
	if (file)
		fclose(file);
	return found;
}

TEST_F_TIMEOUT(middleware, greets_who_knows_the_pin, SECONDS)
{
	start("1h");
	check_get_with(self->port, "/hello", ALICE, 200, "hello, alice; this was request ");
	check_get_with(self->port, "/hello?work=soon", ALICE, 400, "400: work: is no time");
	check_get(self->port, "/", 404, "404: there are /hello and /debug/requests");
}

TEST_F_TIMEOUT(middleware, asks_for_a_name_and_a_pin, SECONDS)
{
	start("1h");
	check_get(self->port, "/hello", 401, "WWW-Authenticate: Basic");
	check_get_with(self->port, "/hello", WRONG, 401, "401: who are you?");
	check_get_with(self->port, "/hello", BOB, 401, "401: who are you?");
}

TEST_F_TIMEOUT(middleware, one_id_is_in_all_logs_and_tracepoints, SECONDS)
{
	char id[4][17], text[64];

	if (trace_start())
		SKIP(return, "there is no tracefs");
	start("1h");
	check_get_with(self->port, "/hello", ALICE, 200, "hello, alice");
	ASSERT_TRUE(id_before(&self->gateway, "GET /hello", id[0]));
	ASSERT_TRUE(id_before(&self->gateway, "alice: right PIN", id[1]));
	ASSERT_TRUE(id_before(&self->gateway, "works 0s for alice", id[2]));
	ASSERT_TRUE(id_before(&self->gateway, "200, after ", id[3]));
	for (int i = 1; i < 4; i++)
		EXPECT_STREQ(id[0], id[i]);
	snprintf(text, sizeof(text), "name=\"%s request\"", id[0]);
	EXPECT_TRUE(trace_has(text));
	snprintf(text, sizeof(text), "name=\"%s user\"", id[0]);
	EXPECT_TRUE(trace_has(text));
	ctx_write_file(TRACES, "events/ctx/enable", "0");
	rmdir(TRACES);
}

TEST_F_TIMEOUT(middleware, answers_504_at_the_timeout, SECONDS)
{
	start("1s");
	check_get_with(self->port, ENDLESS, ALICE, 504, ": no answer in time");
	EXPECT_TRUE(program_says(&self->gateway, "504: timed out, after "));
	EXPECT_TRUE(comes_true(process_count(self->services[1], "task") == 1));
}

TEST_F_TIMEOUT(middleware, a_client_that_hangs_up_cancels_only_its_own, SECONDS)
{
	int first, second;

	start("1h");
	first = start_endless(1);
	second = start_endless(2);
	close(first);
	EXPECT_TRUE(comes_true(process_count(self->services[1], "task") == 2));
	EXPECT_TRUE(program_says(&self->gateway, "stopped: cancelled: Connection reset by peer"));
	EXPECT_TRUE(program_says(&self->gateway,
				 "no answer: cancelled: Connection reset by peer"));
	EXPECT_EQ(-1, recv(second, &(char){ 0 }, 1, MSG_DONTWAIT));
	close(second);
	EXPECT_TRUE(comes_true(process_count(self->services[1], "task") == 1));
}

TEST_F_TIMEOUT(middleware, shows_the_requests, SECONDS)
{
	int client;

	start("1h");
	check_get(self->port, "/hello", 401, "");
	client = start_endless(1);
	check_get(self->port, "/debug/requests", 200, "</td><td>401</td></tr>");
	check_get(self->port, "/debug/requests", 200, " ms</td><td></td></tr>\n</table>\n<h1>Ended");
	close(client);
	EXPECT_TRUE(program_says(&self->gateway, "no answer: cancelled"));
	check_get(self->port, "/debug/requests", 200, "<table id=\"alive\">\n</table>");
	check_get(self->port, "/debug/requests", 200,
		  "no answer: cancelled: Connection reset by peer");
}

/* As SQLite locks it who writes. */
static int lock_database(int fd, short type)
{
	return fcntl(fd, F_SETLK, &(struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = 0x40000000,
		.l_len = 512,
	});
}

TEST_F_TIMEOUT(middleware, a_request_that_waits_for_the_database_can_end, SECONDS)
{
	int fd = open(self->database, O_RDWR | O_CLOEXEC), client;

	ASSERT_EQ(0, lock_database(fd, F_WRLCK));
	start("1h");
	client = http_request_with(self->port, "GET", "/hello", ALICE);
	ASSERT_TRUE(program_says(&self->gateway, " waits for the database\n"));
	close(client);
	EXPECT_TRUE(comes_true(process_count(self->services[0], "task") == 1));
	EXPECT_TRUE(program_says(&self->gateway, ": database is locked"));
	client = http_request_with(self->port, "GET", "/hello", ALICE);
	ASSERT_TRUE(comes_true(process_count(self->services[0], "task") == 2));
	ASSERT_EQ(0, lock_database(fd, F_UNLCK));
	EXPECT_EQ(200, http_read(client, (char [1024]){ }, 1024));
}

TEST_F_TIMEOUT(middleware, sigterm_cancels_all_and_answers_none, SECONDS)
{
	int client[2], i;
	char text[64];

	start("1h");
	for (i = 0; i < 2; i++)
		client[i] = start_endless(i + 1);
	kill(self->gateway.pid, SIGTERM);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, http_read(client[i], text, sizeof(text)));
	EXPECT_EQ(0, program_wait(&self->gateway));
	EXPECT_TRUE(program_says(&self->gateway, "gateway: stops: cancelled: Interrupted"));
}

TEST_F_TIMEOUT(middleware, its_death_ends_the_services, SECONDS)
{
	start("1h");
	start_endless(1);
	kill(self->gateway.pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, program_wait(&self->gateway));
}

TEST_F_TIMEOUT(middleware, tells_of_a_service_that_is_gone, SECONDS)
{
	char text[1024];
	int client;

	start("1h");
	client = start_endless(1);
	ASSERT_TRUE(program_says(&self->gateway, "works 1h for alice"));
	ASSERT_EQ(0, process_kill(self->services[1]));
	EXPECT_EQ(502, http_read(client, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "502: greeter: Connection reset by peer\n"));
	check_get_with(self->port, "/hello", ALICE, 502, "502: greeter: Connection refused\n");
	ASSERT_EQ(0, process_kill(self->services[0]));
	check_get_with(self->port, "/hello", ALICE, 502, "502: accounts: Connection refused\n");
}

TEST_F_TIMEOUT(middleware, leaves_nothing_of_a_request, SECONDS)
{
	int fds[3], i;

	start("1h");
	check_get_with(self->port, "/hello", ALICE, 200, "hello");
	ASSERT_TRUE(comes_true(nr_contexts(NULL) == 3));
	for (i = 0; i < 3; i++)
		fds[i] = process_count(i < 2 ? self->services[i] : self->gateway.pid, "fd");
	for (i = 0; i < 5; i++) {
		close(start_endless(1));
		ASSERT_TRUE(comes_true(process_count(self->services[1], "task") == 1));
		check_get_with(self->port, "/hello", WRONG, 401, "401");
	}
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 3));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(comes_true(process_count(i < 2 ? self->services[i] : self->gateway.pid,
						     "fd") < fds[i] + 5));
}

TEST_F_TIMEOUT(middleware, refuses_bad_arguments, SECONDS)
{
	ASSERT_EQ(0, program_start(&self->gateway, "middleware/gateway",
				   (char *[]){ "gateway", "0", "/nowhere", NULL }));
	EXPECT_EQ(1, program_wait(&self->gateway));
	EXPECT_TRUE(program_says(&self->gateway, "/nowhere (accounts DATABASE add NAME makes one): "
				 "No such file or directory\n"));
	EXPECT_EQ(1, add_account(self->database, "a b", "1234\\n"));
	EXPECT_EQ(1, add_account(self->database, "bob", ""));
	EXPECT_EQ(1, add_account("/nowhere/db", "bob", "1234\\n"));
}

TEST_HARNESS_MAIN
