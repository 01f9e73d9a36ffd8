// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/middleware: a gateway, whose chain asks two services, and their database */
#include "programs.h"
#include "ctx_features.h"

#define ALICE	"Authorization: Basic YWxpY2U6MTIzNA==\r\n"	/* alice:1234 */
#define WRONG	"Authorization: Basic YWxpY2U6MTIzNQ==\r\n"	/* alice:1235 */
#define BOB	"Authorization: Basic Ym9iOjEyMzQ=\r\n"		/* bob:1234 */
#define ENDLESS	"/hello?work=1h"
#define TRACES	"/sys/kernel/tracing/instances/middleware"

FIXTURE(middleware) {
	char database[32];
	struct program gateway;
	unsigned int port;
	pid_t services[2];	/* accounts, greeter */
};

/* Returns the exit status of accounts DATABASE add NAME with that input. */
static int add_account(const char *database, const char *name, const char *input)
{
	char command[PATH_MAX + 256];
	int status;

	snprintf(command, sizeof(command), "printf '%s' | %s %s add '%s' 2>/dev/null", input,
		 program_path("middleware/accounts"), database, name);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

FIXTURE_SETUP(middleware)
{
	int fd;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	strcpy(self->database, "/tmp/accounts.XXXXXX");
	fd = mkstemp(self->database);
	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, add_account(self->database, "alice", "1234\\n"));
}

FIXTURE_TEARDOWN(middleware)
{
	if (self->gateway.pid > 0)
		kill(self->gateway.pid, SIGTERM);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	if (!_metadata->passed)
		program_show(&self->gateway);
	unlink(self->database);
}

#define start(timeout) ({						\
	ASSERT_EQ(0, program_start(&self->gateway, "middleware/gateway", \
				   (char *[]){ "gateway", "-t", (timeout), "0", \
					       self->database, NULL }));	\
	self->port = program_port(&self->gateway);			\
	ASSERT_NE(0, self->port);					\
	ASSERT_EQ(2, program_children(&self->gateway, self->services, 2)); \
})

/* A client whose request is with the greeter, of which there are then so many */
#define start_endless(requests) ({					\
	int __client = http_request_with(self->port, "GET", ENDLESS, ALICE); \
									\
	ASSERT_LE(0, __client);						\
	ASSERT_TRUE(comes_true(process_count(self->services[1], "task") > (requests))); \
	__client;							\
})

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
	kill(self->services[1], SIGKILL);
	EXPECT_EQ(502, http_read(client, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "502: greeter: Connection reset by peer\n"));
	EXPECT_TRUE(comes_true(process_has_ended(self->services[1])));
	check_get_with(self->port, "/hello", ALICE, 502, "502: greeter: Connection refused\n");
	kill(self->services[0], SIGKILL);
	EXPECT_TRUE(comes_true(process_has_ended(self->services[0])));
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
