/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many clients of a server, of which half hang up at random, and what the kernel's trace says of the
 * work that was done for them.
 *
 * What stands in the trace, all with one clock: when each context was cancelled; what the programs
 * say, as their errors go to trace_marker; when their threads run, wait for a processor, sleep and
 * end. A service has a thread for each question, so that the end of the thread is the last that was
 * done for it.
 *
 * How long a thread goes on that has been cancelled is counted without two things that no program
 * can help. One is the time in which it could have run and others had the processors: of those there
 * are two, emulated, for hundreds of threads. What it spends asleep counts, as it is to be woken at
 * once, and what it runs counts, as it is to look. The other is the time in which a processor of the
 * guest stood still because the machine below had it: a thread with the highest priority on each
 * processor asks for it every few milliseconds, and gets it late then.
 */
#ifndef LOAD_H
#define LOAD_H

/* For programs.h; a test has one program that begins the trace, by its start. */
#define PROGRAM_LOG	load_log()
static inline int load_log(void);

#include "programs.h"
#include "race.h"
#include "ctx_features.h"

#define LOAD_TRACE	"/sys/kernel/tracing/instances/load"

#define CLIENTS		200
#define LATEST		(100 * NSEC_PER_MSEC)	/* after the cancellation */

/* The trace */

/* Of the threads that LOAD_THREADS names. Returns 0, or -1. */
static inline int load_trace_start(void)
{
	static const char *const comms[] = { LOAD_THREADS, NULL };
	static const struct {
		const char *event;
		const char *fields[2];
	} events[] = {
		{ "sched/sched_switch", { "prev_comm", "next_comm" } },
		{ "sched/sched_waking", { "comm" } },
		{ "sched/sched_process_exit", { "comm" } },
	};
	char filter[1024], path[64];
	size_t i, len;

	rmdir(LOAD_TRACE);	/* of a test that failed */
	if (mkdir(LOAD_TRACE, 0700) || ctx_write_file(LOAD_TRACE, "trace_clock", "mono") ||
	    ctx_write_file(LOAD_TRACE, "buffer_size_kb", "32768") ||
	    ctx_write_file(LOAD_TRACE, "events/ctx/ctx_create/enable", "1") ||
	    ctx_write_file(LOAD_TRACE, "events/ctx/ctx_cancel/enable", "1"))
		return -1;
	for (i = 0; i < sizeof(events) / sizeof(*events); i++) {
		len = 0;
		for (int f = 0; f < 2 && events[i].fields[f]; f++)
			for (int c = 0; comms[c]; c++)
				len += snprintf(filter + len, sizeof(filter) - len, "%s%s == \"%s\"",
						len ? " || " : "", events[i].fields[f], comms[c]);
		snprintf(path, sizeof(path), "events/%s/filter", events[i].event);
		if (ctx_write_file(LOAD_TRACE, path, filter))
			return -1;
		snprintf(path, sizeof(path), "events/%s/enable", events[i].event);
		if (ctx_write_file(LOAD_TRACE, path, "1"))
			return -1;
	}
	return 0;
}

/* Where the program is to write its errors, or -1 */
static inline int load_log(void)
{
	return load_trace_start() ? -1 : open(LOAD_TRACE "/trace_marker", O_WRONLY | O_CLOEXEC);
}

/* How many events there was no room for */
static inline int load_trace_lost(void)
{
	char path[128], line[128];
	int lost = 0, n;
	FILE *file;

	for (int cpu = 0; cpu < 64; cpu++) {
		snprintf(path, sizeof(path), LOAD_TRACE "/per_cpu/cpu%d/stats", cpu);
		file = fopen(path, "re");
		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, "overrun: %d", &n) == 1)
				lost += n;
		if (file)
			fclose(file);
	}
	return lost;
}

/* Time in which a processor stood still */

#define PACE		(2 * NSEC_PER_MSEC)
#define GAPS_MAX	65536

struct gap {
	__u64 from, to;
};

static struct {
	struct gap gap[GAPS_MAX];
	unsigned int nr;
	bool over;
	pthread_t thread[64];
	int threads;
} load_pace;

static inline void *load_pace_main(void *arg)
{
	const struct sched_param highest = { .sched_priority = 99 };
	__u64 due = ctx_clock(CLOCK_MONOTONIC), now;
	unsigned int i;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((intptr_t)arg, &one);
	if (sched_setaffinity(0, sizeof(one), &one) || sched_setscheduler(0, SCHED_FIFO, &highest))
		return (void *)1;
	while (!__atomic_load_n(&load_pace.over, __ATOMIC_RELAXED)) {
		due += PACE;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){
			.tv_sec = (time_t)(due / NSEC_PER_SEC),
			.tv_nsec = (long)(due % NSEC_PER_SEC),
		}, NULL);
		now = ctx_clock(CLOCK_MONOTONIC);
		if (now < due + NSEC_PER_MSEC)
			continue;
		i = __atomic_fetch_add(&load_pace.nr, 1, __ATOMIC_RELAXED);
		if (i < GAPS_MAX)
			load_pace.gap[i] = (struct gap){ due, now };
		due = now;
	}
	return NULL;
}

static inline int load_pace_start(void)
{
	cpu_set_t all;

	sched_getaffinity(0, sizeof(all), &all);
	for (intptr_t cpu = 0; cpu < 64; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		if (pthread_create(&load_pace.thread[load_pace.threads], NULL, load_pace_main,
				   (void *)cpu))
			return -1;
		load_pace.threads++;
	}
	return 0;
}

static inline int load_by_begin(const void *a, const void *b)
{
	const struct gap *one = a, *two = b;

	return one->from < two->from ? -1 : one->from > two->from;
}

/* Returns 0, or -1 where a thread had no such priority or there were too many gaps. */
static inline int load_pace_stop(void)
{
	struct gap *gap = load_pace.gap, *last = gap;
	void *ret;
	int err = 0;

	__atomic_store_n(&load_pace.over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < load_pace.threads; i++) {
		pthread_join(load_pace.thread[i], &ret);
		err |= ret != NULL;
	}
	if (err || load_pace.nr > GAPS_MAX)
		return -1;
	/* Those that overlap become one. */
	qsort(gap, load_pace.nr, sizeof(*gap), load_by_begin);
	for (unsigned int i = 1; i < load_pace.nr; i++) {
		if (gap[i].from > last->to)
			*++last = gap[i];
		else if (gap[i].to > last->to)
			last->to = gap[i].to;
	}
	if (load_pace.nr)
		load_pace.nr = (unsigned int)(last - gap) + 1;
	return 0;
}

/* What is left of a time without the gaps */
static inline __u64 load_without_gaps(__u64 from, __u64 to)
{
	unsigned int low = 0, high = load_pace.nr, mid;
	__u64 left, begin, end;

	if (to <= from)
		return 0;
	left = to - from;
	while (low < high) {
		mid = (low + high) / 2;
		if (load_pace.gap[mid].to <= from)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < load_pace.nr && load_pace.gap[low].from < to; low++) {
		begin = load_pace.gap[low].from > from ? load_pace.gap[low].from : from;
		end = load_pace.gap[low].to < to ? load_pace.gap[low].to : to;
		left -= end - begin;
	}
	return left;
}

/* What the trace says: see at the top. */

/* A request, as the test finds it out. */
struct load_request {
	__u64 key;	/* whatever tells it from the others; 0 where there is none */
	__u64 cancelled;
};

struct load_thread {
	int tid;
	bool answers;	/* its work is an answer */
	__u64 context;	/* that it made, for who finds the request by that */
	__u64 key;	/* of the request that it works for */
	__u64 end;	/* of its work */
	__u64 since;	/* it is in this state */
	enum { LOAD_RUNS, LOAD_WAITS, LOAD_SLEEPS } state;
	__u64 late;
	bool has_begun;	/* there was an event of it */
};

#define LOAD_SLOTS	(1 << 16)

static struct {
	struct load_request request[LOAD_SLOTS];
	struct load_thread thread[LOAD_SLOTS];
} load_seen;

/* The slot of one, or an empty one. Neither table is ever full. */
static inline struct load_request *load_request(__u64 key)
{
	unsigned int i = (unsigned int)(key * 0x9e3779b97f4a7c15ULL >> 48);

	while (load_seen.request[i].key && load_seen.request[i].key != key)
		i = (i + 1) % LOAD_SLOTS;
	return &load_seen.request[i];
}

static inline struct load_thread *load_thread(int tid)
{
	static struct load_thread idle;
	unsigned int i = (unsigned int)tid % LOAD_SLOTS;

	if (tid <= 0)
		return &idle;
	while (load_seen.thread[i].tid && load_seen.thread[i].tid != tid)
		i = (i + 1) % LOAD_SLOTS;
	load_seen.thread[i].tid = tid;
	return &load_seen.thread[i];
}

static inline void load_cancelled(__u64 key, __u64 now)
{
	struct load_request *request = load_request(key);

	request->key = key;
	if (!request->cancelled)
		request->cancelled = now;
}

/* A line of the trace */
struct load_event {
	int tid;
	__u64 time;
	const char *name;
	char *rest;	/* behind the name */
};

/* "COMM-TID [CPU] FLAGS SECONDS.MICROSECONDS: NAME: REST"; a COMM may have any of these. */
static inline bool load_parse(char *line, struct load_event *event)
{
	unsigned long long s, us;
	char *cpu = strstr(line, " ["), *dash, *colon;
	int skip = 0;

	if (*line == '#' || !cpu)
		return false;
	*cpu = '\0';
	dash = strrchr(line, '-');
	if (!dash || sscanf(cpu + 1, "[%*d] %*s %llu.%6llu: %n", &s, &us, &skip) != 2 || !skip)
		return false;
	event->tid = atoi(dash + 1);
	event->time = s * NSEC_PER_SEC + us * 1000;
	event->name = cpu + 1 + skip;
	colon = strstr(event->name, ": ");
	if (!colon)
		return false;
	*colon = '\0';
	event->rest = colon + 2;
	event->rest[strcspn(event->rest, "\n")] = '\0';
	return true;
}

/* The number behind the last @name in @text, or -1 */
static inline long long load_number(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? atoll(at + strlen(name)) : -1;
}

/* Calls @see with each event. Returns 0, or -1. */
static inline int load_read(void (*see)(const struct load_event *event))
{
	FILE *file = fopen(LOAD_TRACE "/trace", "re");
	static char line[8192];
	struct load_event event;

	while (file && fgets(line, sizeof(line), file))
		if (load_parse(line, &event))
			see(&event);
	return file ? fclose(file) : -1;
}

/* The time up to @now, in which the state was that which it is yet */
static inline void load_account(struct load_thread *thread, __u64 now, int next)
{
	const struct load_request *request = load_request(thread->key);
	__u64 from = thread->since, to = now < thread->end ? now : thread->end;

	if (thread->key && request->cancelled && thread->has_begun && thread->state != LOAD_WAITS) {
		if (from < request->cancelled)
			from = request->cancelled;
		thread->late += load_without_gaps(from, to);
	}
	thread->since = now;
	thread->state = next;
	thread->has_begun = true;
}

/* Once it is known whose threads they are: what they did when */
static inline void load_see_states(const struct load_event *event)
{
	struct load_thread *thread;

	if (!strcmp(event->name, "sched_switch")) {
		thread = load_thread((int)load_number(event->rest, "prev_pid="));
		load_account(thread, event->time,
			     strstr(event->rest, "prev_state=R") ? LOAD_WAITS : LOAD_SLEEPS);
		load_account(load_thread((int)load_number(event->rest, "next_pid=")), event->time,
			     LOAD_RUNS);
	} else if (!strcmp(event->name, "sched_waking")) {
		thread = load_thread((int)load_number(event->rest, " pid="));
		if (thread->state == LOAD_SLEEPS)
			load_account(thread, event->time, LOAD_WAITS);
	} else if (!strcmp(event->name, "sched_process_exit")) {
		load_account(load_thread(event->tid), event->time, LOAD_RUNS);
	}
}

struct load_verdict {
	int cancelled;		/* threads that worked for a request when it was cancelled */
	int too_late;
	int unseen;		/* of which there is no event: the filter leaves them out */
	double latest;		/* ms, as counted at the top */
	double longest;		/* ms, with all that it waited for */
};

/* Of the threads whose work is an answer, or of the others */
static inline void load_judge(struct load_verdict *verdict, bool answers)
{
	const struct load_thread *thread;
	const struct load_request *request;
	double ms;

	for (unsigned int i = 0; i < LOAD_SLOTS; i++) {
		thread = &load_seen.thread[i];
		request = load_request(thread->key);
		if (!thread->key || thread->answers != answers || !request->cancelled ||
		    request->cancelled >= thread->end)
			continue;
		verdict->cancelled++;
		verdict->unseen += !thread->has_begun;
		verdict->too_late += thread->late > LATEST;
		ms = (double)thread->late / NSEC_PER_MSEC;
		if (ms > verdict->latest)
			verdict->latest = ms;
		ms = (double)(thread->end - request->cancelled) / NSEC_PER_MSEC;
		if (ms > verdict->longest)
			verdict->longest = ms;
	}
}

/* The clients */

struct load_path {
	const char *path;
	const char *headers;
	int status;		/* that it gives whom stays */
	bool may_time_out;	/* a slow machine may come to the timeout instead */
};

struct client {
	pthread_t thread;
	unsigned int port;
	unsigned int seed;
	__u64 end;
	const struct load_path *paths;
	int nr_paths;
	unsigned int hurry;	/* us within which one hangs up */
	unsigned int thinks;	/* us at most between two requests */
	int answered;
	int timed_out;
	int hung_up;
	int wrong;
};

static inline void client_request(struct client *client)
{
	const struct load_path *path = &client->paths[rand_r(&client->seed) % client->nr_paths];
	int sock = http_request_with(client->port, "GET", path->path, path->headers), status;
	char text[8192];

	if (rand_r(&client->seed) % 2) {
		usleep(rand_r(&client->seed) % client->hurry);
		close(sock);
		client->hung_up++;
		return;
	}
	status = http_read(sock, text, sizeof(text));
	client->answered += status == 200;
	client->timed_out += status == 504;
	if (status != path->status && !(status == 504 && path->may_time_out)) {
		client->wrong++;
		fprintf(stderr, "# %s: %d: %s\n", path->path, status, text);
	}
}

static inline void *client_main(void *arg)
{
	struct client *client = arg;

	for (;;) {
		usleep(rand_r(&client->seed) % client->thinks);
		if (ctx_clock(CLOCK_MONOTONIC) > client->end)
			return NULL;
		client_request(client);
	}
}

/* Runs as many as there are to be, each like @client. Adds what they saw to that. */
static inline int run_clients(struct client *sum)
{
	static struct client clients[CLIENTS];

	/* A few seconds; CTX_ROUNDS=10 makes it a minute. */
	sum->end = ctx_clock(CLOCK_MONOTONIC) + rounds(6) * NSEC_PER_SEC;
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = *sum;
		clients[i].seed = (unsigned int)i;
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

/*
 * What must come of it: those who stayed got what they were to get, the work for those who hung up
 * or came to their timeout stopped, and nothing was answered that was cancelled.
 */
#define check_load(sum, see) ({						\
	struct load_verdict __work = {}, __answers = {};		\
									\
	ASSERT_EQ(0, ctx_write_file(LOAD_TRACE, "tracing_on", "0"));	\
	ASSERT_EQ(0, load_pace_stop());					\
	ASSERT_EQ(0, load_trace_lost());				\
	ASSERT_EQ(0, load_read(see));					\
	ASSERT_EQ(0, load_read(load_see_states));			\
	load_judge(&__work, false);					\
	load_judge(&__answers, true);					\
	TH_LOG("%d answered, %d timed out, %d hung up", (sum)->answered, (sum)->timed_out, \
	       (sum)->hung_up);						\
	TH_LOG("%d works cancelled; the latest went on for %.1f ms, or %.1f with all that it waited", \
	       __work.cancelled, __work.latest, __work.longest);	\
	TH_LOG("%d cancelled while they were answered, %.1f ms before at most", \
	       __answers.cancelled, __answers.latest);			\
	EXPECT_EQ(0, (sum)->wrong);					\
	EXPECT_LT(0, (sum)->answered);					\
	EXPECT_LT(0, (sum)->timed_out);					\
	EXPECT_LT(0, (sum)->hung_up);					\
	EXPECT_LT(0, __work.cancelled);					\
	EXPECT_EQ(0, __work.unseen + __answers.unseen);			\
	EXPECT_EQ(0, __work.too_late);					\
	EXPECT_EQ(0, __answers.too_late);				\
})

/* The program ends, and the trace with it. */
#define check_load_ends(program) ({					\
	EXPECT_EQ(0, kill((program)->pid, SIGTERM));			\
	EXPECT_EQ(0, program_wait(program));				\
	close((program)->log);						\
	EXPECT_TRUE(comes_true(!rmdir(LOAD_TRACE)));			\
})

#endif /* LOAD_H */
