/* SPDX-License-Identifier: GPL-2.0-only */
/* A gateway of samples/programs/middleware, with its two services and their database */
#ifndef MIDDLEWARE_H
#define MIDDLEWARE_H

#include "programs.h"

#define ALICE	"Authorization: Basic YWxpY2U6MTIzNA==\r\n"	/* alice:1234 */
#define WRONG	"Authorization: Basic YWxpY2U6MTIzNQ==\r\n"	/* alice:1235 */
#define BOB	"Authorization: Basic Ym9iOjEyMzQ=\r\n"		/* bob:1234 */
#define ENDLESS	"/hello?work=1h"

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

#endif /* MIDDLEWARE_H */
