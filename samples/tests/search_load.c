// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/search under load: 200 clients for some seconds, of which half hang up at random.
 * CTX_ROUNDS is a factor for that: 10 makes it a minute.
 */
#define LOAD_THREADS	"backend", "server", "MHD-connection"

#include "load.h"
#include "search.h"

/* A tree in which ten lines are found before the search comes to what is endless. */
static int make_load(const char *dir)
{
	char name[16];

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (search_write(dir, name, "a nightingale\n"))
			return -1;
	}
	return search_make_endless(dir);
}

/*
 * A request is known by the id of its context: the server's thread makes that, and a back end that
 * has stopped says by which context.
 */
static void see(const struct load_event *event)
{
	struct load_thread *thread = load_thread(event->tid);
	const char *stopped;

	if (!strcmp(event->name, "ctx_create") && strstr(event->rest, "\"search request\"")) {
		thread->context = (__u64)load_number(event->rest, "id=");
	} else if (!strcmp(event->name, "ctx_cancel")) {
		load_cancelled((__u64)load_number(event->rest, "id="), event->time);
	} else if (!strcmp(event->name, "sched_process_exit") && !thread->answers) {
		thread->end = event->time;
	} else if (!strncmp(event->rest, "server: ", 8) && strstr(event->rest, ": answered")) {
		thread->answers = true;
		thread->key = thread->context;
		thread->end = event->time;
	} else if (!strncmp(event->rest, "backend ", 8)) {
		stopped = strstr(event->rest, "; stopped ");
		if (stopped && strstr(stopped, "context "))
			thread->key = (__u64)load_number(stopped, "context ");
	}
}

TEST_F_TIMEOUT(search, bears_clients_of_which_half_hang_up, 15 * SECONDS)
{
	static const struct load_path paths[] = {
		{ "/search?q=nightingale", "", 200, false },
		{ "/search?q=nowhere&timeout=100ms", "", 504, false },
	};
	struct client clients = {
		.port = self->port,
		.paths = paths,
		.nr_paths = 2,
		.hurry = 100000,
		.thinks = 10000000,
	};
	int fds[3], i;

	ASSERT_EQ(0, make_load(self->two));
	ASSERT_EQ(0, make_load(self->one));
	check_get(self->port, "/search?q=nightingale", 200, "");
	check_idle();
	for (i = 0; i < 3; i++)
		fds[i] = process_count(i < 2 ? self->backends[i] : self->server.pid, "fd");
	ASSERT_EQ(0, load_pace_start());
	ASSERT_EQ(0, run_clients(&clients));
	check_idle();
	check_load(&clients, see);
	/* What waits has some descriptors: of hundreds of requests nothing is left. */
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(comes_true(process_count(i < 2 ? self->backends[i] : self->server.pid,
						     "fd") < fds[i] + 5));
	check_load_ends(&self->server);
}

TEST_HARNESS_MAIN
