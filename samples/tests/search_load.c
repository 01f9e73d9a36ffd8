// SPDX-License-Identifier: GPL-2.0-only
/*
 * samples/programs/search under load: 200 clients for a minute, of which half hang up at random.
 * CTX_ROUNDS is a factor for the minute.
 */
#include "search.h"
#include "race.h"

#define CLIENTS		200
#define LATEST_MS	100	/* the back ends stop within that */

/* Of a client, in us. All searches together are to leave the processors some time. */
#define HURRY		20000	/* it hangs up within that */
#define THINKS		10000000	/* at most, between two requests */

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

struct client {
	pthread_t thread;
	unsigned int port;
	unsigned int seed;
	__u64 end;
	int answered;
	int timed_out;
	int hung_up;
	int wrong;
};

/* What each request of a client is to give */
static void request(struct client *client)
{
	static const char *const paths[] = {
		"/search?q=nightingale", "/search?q=nowhere&timeout=20ms",
	};
	int which = rand_r(&client->seed) % 2, status;
	int sock = http_request(client->port, "GET", paths[which]);
	char text[8192];

	if (rand_r(&client->seed) % 2) {
		usleep(rand_r(&client->seed) % HURRY);
		close(sock);
		client->hung_up++;
		return;
	}
	status = http_read(sock, text, sizeof(text));
	client->answered += status == 200;
	client->timed_out += status == 504;
	if (status != (which ? 504 : 200)) {
		client->wrong++;
		fprintf(stderr, "# %s: %d: %s\n", paths[which], status, text);
	}
}

static void *client_main(void *arg)
{
	struct client *client = arg;

	for (;;) {
		usleep(rand_r(&client->seed) % THINKS);
		if (ctx_clock(CLOCK_MONOTONIC) > client->end)
			return NULL;
		request(client);
	}
}

/* How long the machine keeps one waiting who would sleep for 1 ms, which is nobody's fault here */
struct pace {
	pthread_t thread;
	bool over;
	double worst;	/* ms */
};

static void *pace_main(void *arg)
{
	__u64 last = ctx_clock(CLOCK_MONOTONIC), now;
	struct pace *pace = arg;

	while (!__atomic_load_n(&pace->over, __ATOMIC_RELAXED)) {
		usleep(1000);
		now = ctx_clock(CLOCK_MONOTONIC);
		if ((double)(now - last) / NSEC_PER_MSEC > pace->worst)
			pace->worst = (double)(now - last) / NSEC_PER_MSEC;
		last = now;
	}
	return NULL;
}

/* Runs all of them. Adds what they saw to @sum. */
static int run_clients(unsigned int port, struct client *sum)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + rounds(60) * NSEC_PER_SEC;
	static struct client clients[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ .port = port, .seed = i, .end = end };
		if (pthread_create(&clients[i].thread, NULL, client_main, &clients[i]))
			return -1;
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		sum->answered += clients[i].answered;
		sum->timed_out += clients[i].timed_out;
		sum->hung_up += clients[i].hung_up;
		sum->wrong += clients[i].wrong;
	}
	return 0;
}

struct lateness {
	int stopped;
	double latest;	/* ms */
};

/* What the back ends said of the searches that they have stopped */
static int read_lateness(const struct program *server, struct lateness *lateness)
{
	char path[64], line[1024];
	const char *at;
	double ms;
	FILE *log;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", server->log);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof(line), log)) {
		at = strstr(line, "; stopped ");
		if (!at || sscanf(at, "; stopped %lf ms after: ", &ms) != 1)
			continue;
		lateness->stopped++;
		if (ms > lateness->latest)
			lateness->latest = ms;
	}
	return log ? fclose(log) : -1;
}

TEST_F_TIMEOUT(search, bears_clients_of_which_half_hang_up, 15 * SECONDS)
{
	struct lateness lateness = { };
	struct client sum = { };
	struct pace pace = { };

	ASSERT_EQ(0, make_load(self->two));
	ASSERT_EQ(0, make_load(self->one));
	ASSERT_EQ(0, pthread_create(&pace.thread, NULL, pace_main, &pace));
	ASSERT_EQ(0, run_clients(self->port, &sum));
	check_idle();
	__atomic_store_n(&pace.over, true, __ATOMIC_RELAXED);
	pthread_join(pace.thread, NULL);
	ASSERT_EQ(0, read_lateness(&self->server, &lateness));
	TH_LOG("%d answered, %d timed out, %d hung up; %d searches stopped, %.1f ms late at most; a sleeper %.1f",
	       sum.answered, sum.timed_out, sum.hung_up, lateness.stopped, lateness.latest,
	       pace.worst);
	EXPECT_EQ(0, sum.wrong);
	EXPECT_LT(0, sum.answered);
	EXPECT_LT(0, sum.timed_out);
	EXPECT_LT(0, lateness.stopped);
	EXPECT_GT(LATEST_MS + pace.worst, lateness.latest);
}

TEST_HARNESS_MAIN
