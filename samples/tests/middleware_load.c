// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/middleware under load: 200 clients for some seconds, of which half hang up at
 * random. CTX_ROUNDS is a factor for that: 10 makes it a minute.
 */
#define LOAD_THREADS	"gateway", "accounts", "greeter", "MHD-connection"

#include "load.h"
#include "middleware.h"

/* A request is known by the id in its name, with which each line begins that is logged for it. */
static void see(const struct load_event *event)
{
	struct load_thread *thread = load_thread(event->tid);
	char program[32], id[17];
	const char *name;
	int rest = 0;

	if (!strcmp(event->name, "ctx_cancel")) {
		name = strstr(event->rest, "name=\"");
		if (name && strspn(name + 6, "0123456789abcdef") == 16 &&
		    !strncmp(name + 6 + 16, " request\"", 9))
			load_cancelled(strtoull(name + 6, NULL, 16), event->time);
	} else if (!strcmp(event->name, "sched_process_exit") && !thread->answers) {
		thread->end = event->time;
	} else if (sscanf(event->rest, "%*f %31[a-z]: %16[0-9a-f] %n", program, id, &rest) == 2) {
		if (strcmp(program, "gateway")) {
			thread->key = strtoull(id, NULL, 16);
		} else if (!strncmp(event->rest + rest, "200, after ", 11)) {
			thread->answers = true;
			thread->key = strtoull(id, NULL, 16);
			thread->end = event->time;
		}
	}
}

TEST_F_TIMEOUT(middleware, bears_clients_of_which_half_hang_up, 15 * SECONDS)
{
	static const struct load_path paths[] = {
		{ "/hello", ALICE, 200, true },
		{ "/hello?work=100ms", ALICE, 200, true },
		{ "/hello", WRONG, 401, true },
		{ ENDLESS, ALICE, 504, false },
	};
	struct client clients = {
		.paths = paths,
		.nr_paths = 4,
		.hurry = 300000,
		.thinks = 20000000,
	};
	int fds[3], i;

	start("5s");
	clients.port = self->port;
	check_get_with(self->port, "/hello", ALICE, 200, "hello");
	ASSERT_TRUE(comes_true(nr_contexts(NULL) == 3));
	for (i = 0; i < 3; i++)
		fds[i] = process_count(i < 2 ? self->services[i] : self->gateway.pid, "fd");
	ASSERT_EQ(0, load_pace_start());
	ASSERT_EQ(0, run_clients(&clients));
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(comes_true(process_count(self->services[i], "task") == 1));
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 3));
	check_load(&clients, see);
	/* What waits has some descriptors: of hundreds of requests nothing is left. */
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(comes_true(process_count(i < 2 ? self->services[i] : self->gateway.pid,
						     "fd") < fds[i] + 5));
	check_load_ends(&self->gateway);
}

TEST_HARNESS_MAIN
