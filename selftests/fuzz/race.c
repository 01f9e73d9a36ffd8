// SPDX-License-Identifier: GPL-2.0-only
/*
 * Race mode: the process that leads. It makes the rounds, sends the descriptors to the actors,
 * tells them when to run and judges what came of it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "race.h"
#include "race_actor.h"
#include "random.h"

/*
 * Seconds to wait for what must come at once. It is far longer than any delay that a loaded,
 * emulated machine with KASAN adds, so that only what was lost for good runs into it.
 */
#define PATIENCE	30
static double patience = PATIENCE;	/* until a process comes back */
static double rest = PATIENCE;		/* until all has settled */

#define PROGRESS	5	/* seconds between two lines */

static const char no_return[] = "comes-back: a process does not";

#define RACE_PROCESSES	(RACE_SLEEPER + 1)	/* RACE_BUILDER, which is this one, is left out */

/**
 * struct race - the processes and the figures
 * @batch: an open file of /dev/ctx_batch, to build with
 * @sock: through which each process gets descriptors
 * @said: when there was a line last
 * @victim: a process that is to be killed when the actors run; 0 for none
 */
struct race {
	struct race_shared	*shared;
	struct race_events	*events;
	int			batch;
	int			sock[RACE_PROCESSES];
	pid_t			pid[RACE_PROCESSES];
	uint64_t		rounds;
	uint64_t		calls;
	double			said;
	pid_t			victim;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* To a processor of its own, while there are enough. */
static void pin(unsigned int nth)
{
	long nr = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(nth % nr, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static bool start_actor(struct race *race, unsigned int actor)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
		return false;
	race->pid[actor] = fork();
	if (race->pid[actor] < 0)
		return false;
	if (!race->pid[actor] && actor == RACE_SLEEPER)
		race_sleeper_main(race->shared, pair[1]);
	if (!race->pid[actor]) {
		pin(actor);
		race_actor_main(race->shared, actor, pair[1]);
	}
	close(pair[1]);
	race->sock[actor] = pair[0];
	return true;
}

static bool start(struct race *race)
{
	unsigned int i;

	race->shared = mmap(NULL, sizeof(*race->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	race->events = malloc(sizeof(*race->events));
	if (race->shared == MAP_FAILED || !race->events)
		return false;
	fflush(NULL);
	for (i = 0; i < RACE_PROCESSES; i++)
		if (i != RACE_BUILDER && !start_actor(race, i))
			return false;
	race->batch = race_open_batch();
	return true;
}

static void give(struct race *race, unsigned int actor, enum race_order order)
{
	struct race_desk *desk = &race->shared->desk[actor];

	desk->order = order;
	__atomic_add_fetch(&desk->nr, 1, __ATOMIC_RELEASE);
	race_wake(&desk->nr);
}

/* Somebody who has nothing but one descriptor, the builder's own of the victim, and no end. */
static bool start_victim(struct race *race)
{
	const struct race_round *round = &race->shared->round;
	int fd = -1, pipe[2];
	unsigned int i;
	char byte;

	if (round->victim < 0)
		return true;
	for (i = 0; i < round->build.nr; i++)
		if (round->build.call[i].out == RACE_WRITABLE(round->victim))
			fd = round->build.call[i].ret;
	if (pipe2(pipe, O_CLOEXEC))
		return false;
	race->victim = fork();
	if (!race->victim) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(0, fd - 1, 0);
		close_range(fd + 1, ~0U, 0);
		for (;;)
			pause();
	}
	close(pipe[1]);
	/* Closed there, too: it has let go of all else. */
	if (race->victim > 0 && read(pipe[0], &byte, 1))
		return false;
	close(pipe[0]);
	return race->victim > 0;
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void kill_victim(struct race *race)
{
	struct race_round *round = &race->shared->round;
	unsigned int turns = round->victim_delay;

	if (race->victim <= 0)
		return;
	while (turns--)
		__asm__ __volatile__("" ::: "memory");
	round->killed = (struct batch_call){ .begin = clock_ns() };
	kill(race->victim, SIGKILL);
	waitpid(race->victim, NULL, 0);
	round->killed.end = clock_ns();
	race->victim = 0;
}

/* Has the actors of the round carry out @what. False where one does not come back. */
static bool order(struct race *race, enum race_order what)
{
	struct race_shared *shared = race->shared;
	unsigned int nr = shared->round.nr_actors, i;
	double start = now();
	uint32_t done;

	shared->ready = shared->start = shared->finish = shared->done = 0;
	for (i = 0; i < nr; i++)
		give(race, i, what);
	kill_victim(race);
	while ((done = __atomic_load_n(&shared->done, __ATOMIC_ACQUIRE)) < nr) {
		race_sleep(&shared->done, done);
		if (now() - start > patience || waitpid(-1, NULL, WNOHANG) > 0)
			return false;
	}
	return true;
}

static void stop(struct race *race)
{
	unsigned int i;

	for (i = 0; i < RACE_PROCESSES; i++)
		give(race, i, RACE_QUIT);
	for (i = 0; i < RACE_PROCESSES; i++) {
		if (i == RACE_BUILDER)
			continue;
		waitpid(race->pid[i], NULL, 0);
		close(race->sock[i]);
	}
	close(race->batch);
	munmap(race->shared, sizeof(*race->shared));
	free(race->events);
}

/* Sends each actor a watch descriptor of every context, and the writable ones that it keeps. */
static void hand_out(struct race *race)
{
	const struct race_round *round = &race->shared->round;
	int fd[BATCH_SLOTS], sent[2 * RACE_BUILT];
	unsigned int actor, ctx, nr, i;

	/* Of what was left out there is none. */
	memset(fd, -1, sizeof(fd));
	for (i = 0; i < round->build.nr; i++)
		if (round->build.call[i].out >= 0)
			fd[round->build.call[i].out] = round->build.call[i].ret;
	for (actor = 0; actor < round->nr_actors; actor++) {
		nr = 0;
		for (ctx = 0; ctx < round->nr_built; ctx++)
			if (fd[RACE_WATCH(ctx)] >= 0)
				sent[nr++] = fd[RACE_WATCH(ctx)];
		for (ctx = 0; ctx < round->nr_built; ctx++)
			if (round->keeper[ctx] == actor && fd[RACE_WRITABLE(ctx)] >= 0)
				sent[nr++] = fd[RACE_WRITABLE(ctx)];
		race_send(race->sock[actor], sent, nr);
	}
	if (round->nap.how)
		race_send(race->sock[RACE_SLEEPER], &fd[RACE_BED], 1);
	/* They hold them from now on, in flight or not. */
	race_program_clean(race->batch, round->nap.how ? RACE_WRITABLE(0) : RACE_BACKGROUND);
}

static void let_sleep(struct race *race)
{
	if (!race->shared->round.nap.how)
		return;
	race->shared->awake = 0;
	give(race, RACE_SLEEPER, RACE_SLEEP);
}

/* Ends what the sleeper waits for. False where it does not come back. */
static bool wake_up(struct race *race)
{
	struct race_shared *shared = race->shared;
	double start = now();

	if (!shared->round.nap.how)
		return true;
	race_program_run(race->batch, &shared->round.wake);
	while (!__atomic_load_n(&shared->awake, __ATOMIC_ACQUIRE)) {
		race_sleep(&shared->awake, 0);
		if (now() - start > patience)
			return false;
	}
	race_program_clean(race->batch, RACE_BACKGROUND);
	return true;
}

static void count(struct race *race)
{
	const struct race_round *round = &race->shared->round;
	unsigned int i;

	race->rounds++;
	race->calls += round->build.nr + round->wake.nr;
	for (i = 0; i < round->nr_actors; i++)
		race->calls += round->actor[i].setup.nr + round->actor[i].race.nr +
			       round->actor[i].last.nr;
}

/* All look at everything again while a deadline's work may be under way. */
static bool settle(struct race *race)
{
	double start = now();
	bool looked = !race->shared->round.nap.how;

	for (;; looked = true) {
		if (looked) {
			race_collect(race->events, &race->shared->round);
			if (history_settled(&race->events->history) || now() - start > rest)
				return true;
		}
		if (!order(race, RACE_LAST))
			return false;
	}
}

/*
 * The round that follows from @seed, without the parts for which @out is true. Returns what it
 * broke, or NULL; prints that if @print.
 */
static const char *play(struct race *race, uint64_t seed, const bool *out, bool print)
{
	struct race_round *round = &race->shared->round;
	struct history_verdict verdict;

	race_make(round, seed);
	if (out && !race_leave_out(round, out))
		return NULL;
	race_program_run(race->batch, &round->build);
	if (!start_victim(race)) {
		printf("# race: no victim: %m\n");
		return "victim: there is none";
	}
	hand_out(race);
	let_sleep(race);
	if (!order(race, RACE_RUN) || !wake_up(race) || !settle(race)) {
		if (print)
			printf("# race: round %" PRIu64 ": a process does not come back\n", seed);
		return no_return;
	}
	count(race);
	if (history_check(&race->events->history, &verdict))
		return NULL;
	if (print) {
		printf("# race: round %" PRIu64 " is broken after %" PRIu64 " rounds\n", seed,
		       race->rounds);
		history_print(stdout, &race->events->history, &verdict);
	}
	return verdict.axiom;
}

/* A line each few seconds: where a kernel dies, the last one says what to begin with. */
static void print_progress(struct race *race, uint64_t seed)
{
	if (now() - race->said < PROGRESS)
		return;
	race->said = now();
	printf("# race: %" PRIu64 " rounds, %" PRIu64 " calls, next seed %" PRIu64 "\n", race->rounds,
	       race->calls, seed);
	fflush(stdout);
}

/* Processes that do not come back must not stand in the way of others. */
static void abandon(struct race *race)
{
	unsigned int i;

	for (i = 0; i < RACE_PROCESSES; i++)
		if (race->pid[i] > 0)
			kill(race->pid[i], SIGKILL);
	if (race->victim > 0)
		kill(race->victim, SIGKILL);
}

static void attempt(struct race_attempt *a)
{
	double begin = now();
	struct race race = { };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* What is only late may mislead who leaves parts out, but not who prints what is left. */
	if (!a->print) {
		patience = PATIENCE / 6;
		rest = PATIENCE / 30;
	}
	if (!start(&race))
		return;
	while (!a->broken && race.rounds < a->rounds && now() - begin < a->seconds) {
		a->broken = play(&race, a->seed, a->out, a->print);
		/* A round that was not played counts, too. */
		race.rounds = ++a->played;
	}
	fflush(stdout);
}

void race_attempt(struct race_attempt *a)
{
	pid_t pid;

	a->broken = NULL;
	a->played = 0;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		attempt(a);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* What differs from the parts that @only lists. */
static void read_parts(uint64_t seed, const char *only, bool *out)
{
	struct race_round *round = calloc(1, sizeof(*round));
	unsigned int part[RACE_PARTS], nr;
	char *end;

	if (!round)
		return;
	race_make(round, seed);
	nr = race_parts(round, part);
	free(round);
	while (nr--)
		out[part[nr]] = true;
	for (; *only; only = *end ? end + 1 : end) {
		unsigned long number = strtoul(only, &end, 10);

		if (number < RACE_PARTS)
			out[number] = false;
		if (end == only)
			return;
	}
}

int race_run(uint64_t seed, double seconds, bool again, const char *only)
{
	static bool parts_out[RACE_PARTS];
	struct rnd rnd = { .state = seed };
	const char *broken = NULL;
	double begin = now(), took;
	uint64_t round = seed;
	struct race race = { };

	if (!start(&race)) {
		perror("race");
		return 2;
	}
	if (again && only)
		read_parts(seed, only, parts_out);
	while (!broken && now() - begin < seconds) {
		print_progress(&race, rnd.state);
		round = again ? seed : rnd_next(&rnd);
		broken = play(&race, round, again && only ? parts_out : NULL, true);
	}
	took = now() - begin;
	printf("# total: seed %" PRIu64 ": %" PRIu64 " rounds, %" PRIu64 " calls, ", seed, race.rounds,
	       race.calls);
	printf("%.0f rounds/s, %.0f calls/s\n", race.rounds / took, race.calls / took);
	if (!broken) {
		stop(&race);
		return 0;
	}
	printf("FAIL round %" PRIu64 ": %s\n", round, broken);
	fflush(stdout);
	abandon(&race);
	race_shrink(round, broken, parts_out);
	/* Last, so that it stands in a log that was cut, too. */
	printf("FAIL round %" PRIu64 ": %s\n", round, broken);
	fflush(stdout);
	return 1;
}
