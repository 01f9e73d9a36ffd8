// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/store: first the steps in which its handler came about, each a test that the
 * handler of the step before does not pass, with spies for the store and the response; then the
 * same with the real ones.
 */
#include "store.h"
#include "store/handler.h"

#define VALUE		"hello, world"
#define MIDDLE		5		/* letters */

/* A store that builds its answer letter by letter, and sees what it is told meanwhile */
struct spy_store {
	struct store store;
	const char *value;		/* NULL fails with @error */
	int error;
	int client;			/* hangs up after MIDDLE letters; -1 stays */
	bool is_deaf;			/* goes on when it is told to stop */
	bool was_told;			/* to stop, while it worked */
	size_t letters;			/* that it has built */
};

static char *spy_fetch(struct store *store, int ctx, const char *key)
{
	struct spy_store *spy = (struct spy_store *)store;

	(void)key;
	if (!spy->value) {
		errno = spy->error;
		return NULL;
	}
	while (spy->value[spy->letters]) {
		if (ctxfd_err(ctx)) {
			spy->was_told = true;
			errno = ctxfd_err(ctx);
			if (!spy->is_deaf)
				return NULL;
		}
		if (++spy->letters == MIDDLE)
			ctxfd_cancel(spy->client);
	}
	return strdup(spy->value);
}

struct spy_response {
	struct response response;
	unsigned int writes;
	unsigned int status;
	char text[64];
};

static void spy_write(struct response *response, unsigned int status, const char *text)
{
	struct spy_response *spy = (struct spy_response *)response;

	spy->writes++;
	spy->status = status;
	snprintf(spy->text, sizeof(spy->text), "%s", text);
}

FIXTURE(handler) {
	int request;			/* its context */
	struct spy_store store;
	struct spy_response response;
};

FIXTURE_SETUP(handler)
{
	self->request = ctxfd_with_cancel(ctxfd_background());
	ASSERT_LE(0, self->request);
	self->store = (struct spy_store){ .store.fetch = spy_fetch, .value = VALUE, .client = -1 };
	self->response = (struct spy_response){ .response.write = spy_write };
}

FIXTURE_TEARDOWN(handler)
{
	close(self->request);
}

#define handle() \
	handle_request(self->request, &self->store.store, "key", &self->response.response)

#define check_response(its_status, its_text) ({				\
	EXPECT_EQ(1, self->response.writes);				\
	EXPECT_EQ((its_status), self->response.status);			\
	EXPECT_STREQ((its_text), self->response.text);			\
})

/* Step 1 */
TEST_F(handler, returns_the_data_of_the_store)
{
	handle();
	check_response(200, VALUE);
}

/* Step 2 */
TEST_F(handler, tells_the_store_to_stop_when_the_client_goes_away)
{
	self->store.client = self->request;
	handle();
	EXPECT_TRUE(self->store.was_told);
}

/* Step 3 */
TEST_F(handler, does_not_tell_it_so_otherwise)
{
	handle();
	EXPECT_FALSE(self->store.was_told);
	EXPECT_EQ(0, ctxfd_err(self->request));
}

/* Step 4, also where the store has a value by then */
TEST_F(handler, writes_no_response_after_a_cancellation)
{
	self->store.client = self->request;
	handle();
	EXPECT_EQ(0, self->response.writes);
	self->store.letters = 0;
	self->store.is_deaf = true;
	handle();
	EXPECT_EQ(strlen(VALUE), self->store.letters);
	EXPECT_EQ(0, self->response.writes);
}

/* Step 5 */
TEST_F(handler, has_a_store_that_builds_letter_by_letter_notice_in_the_middle)
{
	self->store.client = self->request;
	handle();
	EXPECT_EQ(MIDDLE, self->store.letters);
}

/* What is left: a client that waits is told why there is nothing. */
TEST_F(handler, says_that_there_was_no_time)
{
	ASSERT_EQ(0, ctxfd_set_timeout(self->request, &(struct timespec){ }));
	handle();
	check_response(504, "the store took too long");
	EXPECT_EQ(0, self->store.letters);
}

TEST_F(handler, says_that_there_is_no_such_key)
{
	self->store.value = NULL;
	self->store.error = ENODATA;
	handle();
	check_response(404, "the store has no such key");
}

TEST_F(handler, says_why_the_store_failed)
{
	self->store.value = NULL;
	self->store.error = ECONNREFUSED;
	handle();
	check_response(502, "Connection refused");
}

TEST_F_TIMEOUT(server, returns_the_data_of_the_store, SECONDS)
{
	start("1ms", "1h");
	check_get(self->port, "/moon", 200, "\r\n\r\nThe moon is a harsh mistress.\n");
	EXPECT_TRUE(program_says(&self->program, "server: moon: 200\n"));
}

/* The letters after which the store says that it has stopped; or -1 */
static int letters_done(const struct program *program)
{
	static char log[1 << 16];
	const char *at;
	int done;

	if (!program_says(program, "slow: long: stopped after "))
		return -1;
	program_log(program, log, sizeof(log));
	at = strstr(log, "stopped after ");
	return sscanf(at, "stopped after %d of", &done) == 1 ? done : -1;
}

TEST_F_TIMEOUT(server, stops_in_the_middle_when_the_client_goes_away, SECONDS)
{
	int client;

	start("20ms", "1h");
	client = start_request("/long", 1);
	ASSERT_TRUE(program_says(&self->program, " of 8000 letters\n"));
	close(client);
	EXPECT_LT(0, letters_done(&self->program));
	EXPECT_GT(LONG_VALUE, letters_done(&self->program));
	EXPECT_TRUE(program_says(&self->program, "server: long: no answer: cancelled: "
				 "Connection reset by peer"));
}

TEST_F_TIMEOUT(server, a_client_that_goes_away_stops_only_its_own, SECONDS)
{
	int first, second;

	start("1h", "1h");
	first = start_request("/moon", 1);
	second = start_request("/sun", 2);
	ASSERT_TRUE(program_says(&self->program, "slow: moon: begins with 29 letters\n"));
	close(first);
	EXPECT_TRUE(program_says(&self->program, "slow: moon: stopped after 0 of 29 letters"));
	EXPECT_TRUE(comes_true(nr_contexts("store request") == 1));
	EXPECT_EQ(-1, recv(second, &(char){ 0 }, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	close(second);
	EXPECT_TRUE(comes_true(process_count(self->slow, "task") == 1));
}

TEST_F_TIMEOUT(server, answers_504_at_the_timeout, SECONDS)
{
	start("1h", "300ms");
	check_get(self->port, "/moon", 504, "504: the store took too long\n");
	EXPECT_TRUE(comes_true(process_count(self->slow, "task") == 1));
}

TEST_F_TIMEOUT(server, sigterm_cancels_all_and_answers_none, SECONDS)
{
	char text[64];
	int client;

	start("1h", "1h");
	client = start_request("/moon", 1);
	kill(self->program.pid, SIGTERM);
	EXPECT_EQ(0, http_read(client, text, sizeof(text)));
	EXPECT_EQ(0, program_wait(&self->program));
	EXPECT_TRUE(program_says(&self->program, "server: stops: cancelled: Interrupted"));
}

TEST_F_TIMEOUT(server, its_death_ends_the_store, SECONDS)
{
	start("1h", "1h");
	start_request("/moon", 1);
	kill(self->program.pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, program_wait(&self->program));
}

TEST_F_TIMEOUT(server, tells_of_a_store_that_is_gone, SECONDS)
{
	char text[1024];
	int client;

	start("1h", "1h");
	client = start_request("/moon", 1);
	ASSERT_EQ(0, process_kill(self->slow));
	EXPECT_EQ(502, http_read(client, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "502: Connection reset by peer\n"));
	check_get(self->port, "/moon", 502, "502: Connection refused\n");
}

/* A call that waits has some descriptors meanwhile: five rounds leave less than one each. */
TEST_F_TIMEOUT(server, leaves_nothing_of_a_request, SECONDS)
{
	int fds[2], i;

	start("1ms", "1h");
	check_get(self->port, "/moon", 200, "harsh");
	ASSERT_TRUE(comes_true(nr_contexts(NULL) == 2));
	fds[0] = process_count(self->program.pid, "fd");
	fds[1] = process_count(self->slow, "fd");
	for (i = 0; i < 5; i++) {
		close(start_request("/long", 1));
		ASSERT_TRUE(comes_true(process_count(self->slow, "task") == 1));
		check_get(self->port, "/nothing", 404, "404");
	}
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 2));
	EXPECT_TRUE(comes_true(process_count(self->program.pid, "fd") < fds[0] + 5));
	EXPECT_TRUE(comes_true(process_count(self->slow, "fd") < fds[1] + 5));
}

TEST_F_TIMEOUT(server, says_what_is_wrong_with_a_request, SECONDS)
{
	char path[256] = "/";

	start("1ms", "1h");
	check_get(self->port, "/", 400, "400: there is /KEY");
	check_get(self->port, "/a%20b", 400, "400: there is /KEY");
	check_get(self->port, "/a%0Ab", 400, "400: there is /KEY");
	memset(path + 1, 'a', 201);
	check_get(self->port, path, 400, "400: there is /KEY, at most 200 bytes of it");
	check_get(self->port, "/nothing", 404, "404: the store has no such key");
	check_get(self->port, "/longer", 502, "502: File too large");
	unlink(self->file);
	check_get(self->port, "/moon", 502, "502: No such file or directory");
}

/* server with the arguments ends with @status and says @text. */
#define check_says(status, text, ...) ({				\
	ASSERT_EQ(0, program_start(&self->program, "store/server",	\
				   (char *[]){ "server", __VA_ARGS__, NULL })); \
	EXPECT_EQ((status), program_wait(&self->program));		\
	EXPECT_TRUE(program_says(&self->program, (text)));		\
})

TEST_F_TIMEOUT(server, refuses_bad_arguments, SECONDS)
{
	check_says(2, "soon is no duration such as 2s or 250ms\n", "-t", "soon", "0", self->file);
	check_says(2, "slow is no duration such as 2s or 250ms\n", "-l", "slow", "0", self->file);
	check_says(2, "usage: server", "0");
	check_says(2, "port is no [ADDRESS:]PORT such as", "port", self->file);
	check_says(1, "/nowhere (a file of lines \"KEY VALUE\"): No such file or directory\n",
		      "0", "/nowhere");
	check_says(1, "/tmp (a file of lines \"KEY VALUE\"): Is a directory\n", "0", "/tmp");
}

TEST_HARNESS_MAIN
