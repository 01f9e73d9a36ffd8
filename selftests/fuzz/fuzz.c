// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz: random programs of calls on contexts, in the kernel and in a plain model of it.
 *
 * usage: fuzz [-a | -r | -R] [-t SECONDS] [-n PROGRAMS] [-s SEED] [-j PROCESSES] [-k NUMBER,NUMBER...]
 * -a: each program runs in several processes, by plain system calls
 * -r: rounds in which processes race, which are held against axioms and not the model; -R: again
 *     and again the one round that -s names
 * -j: so many that each run programs of their own
 * -k: these parts of it alone
 *
 * Ends with 0 where nothing differed, 1 where something did, and another status where it could not
 * run. What differed is printed with its seed and the shortest program that was found to show it;
 * -s SEED -n 1 runs it again, -k some of its operations alone.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "apart.h"
#include "race.h"
#include "random.h"
#include "run.h"

#define MAX_DEPTH	18	/* few enough for ELOOP, but more than there may be edges in a row */
#define PROCESSES_MAX	64
#define FIRST_UID	10000	/* each process has one, for whose contexts there is a limit */
#define SHRINK_SECONDS	60

struct options {
	double		seconds;
	uint64_t	programs;
	uint64_t	seed;
	unsigned int	processes;
	bool		apart;
	bool		race;
	bool		again;
	char		*list;
	unsigned int	nr_keep;
	unsigned int	keep[OPS_MAX];
};

/* What the processes share */
struct shared {
	uint64_t	total[PROCESSES_MAX];
	uint64_t	programs[PROCESSES_MAX];
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Sets a parameter of the module. Returns what it was. */
static unsigned int set_parameter(const char *name, unsigned int value)
{
	char path[64];
	unsigned int old;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/ctx/parameters/%s", name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%u", &old) != 1 || fclose(file))
		err(2, "%s", name);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%u", value) < 0 || fclose(file))
		err(2, "%s", name);
	return old;
}

/* Tries without operations @from to before @to. Keeps what still fails. */
static bool shrink_by(struct run *run, uint64_t seed, unsigned int *keep, unsigned int *nr,
		      unsigned int from, unsigned int to)
{
	unsigned int without[OPS_MAX], n = 0, i;

	for (i = 0; i < *nr; i++)
		if (i < from || i >= to)
			without[n++] = keep[i];
	if (!n || !run_program(run, seed, without, n))
		return false;
	memcpy(keep, without, n * sizeof(*keep));
	*nr = n;
	return true;
}

/*
 * Leaves out what is not needed for a failure: halves first, at last single operations. A program
 * that waits in vain takes a minute: then what has been left out until now must do.
 */
static void shrink(struct run *run, uint64_t seed, unsigned int *keep, unsigned int *nr)
{
	double end = seconds() + SHRINK_SECONDS;
	unsigned int size, from;

	for (size = *nr / 2; size; size /= 2)
		for (from = 0; from < *nr && seconds() < end;)
			if (!shrink_by(run, seed, keep, nr, from, from + size))
				from += size;
}

static void report(struct run *run, uint64_t seed, const unsigned int *keep, unsigned int nr)
{
	unsigned int shrunk[OPS_MAX], i;
	char fail[sizeof(run->failure) + 64];

	memcpy(shrunk, keep, nr * sizeof(*keep));
	snprintf(fail, sizeof(fail), "FAIL seed %llu: %s", (unsigned long long)seed, run->failure);
	puts(fail);
	fflush(stdout);
	shrink(run, seed, shrunk, &nr);
	if (!run_program(run, seed, shrunk, nr))
		puts("it does not fail each time");
	run_print(run);
	printf("again: make fuzz FUZZ=\"%s-s %llu -n 1 -k ", run->apart ? "-a " : "",
	       (unsigned long long)seed);
	for (i = 0; i < nr; i++)
		printf("%s%u", i ? "," : "", shrunk[i]);
	puts("\"");
	/* Last, so that it stands in a log that was cut, too. */
	puts(fail);
}

/* The program @n of process @process */
static uint64_t seed_of(const struct options *options, unsigned int process, uint64_t n)
{
	return options->seed + process + n * options->processes;
}

static int fuzz(const struct options *options, unsigned int process, struct shared *shared)
{
	struct run *run = run_open(MAX_DEPTH, options->apart);
	double end = seconds() + options->seconds;
	unsigned int keep[OPS_MAX], nr = options->nr_keep, i;
	uint64_t n;

	if (!run || program_init())
		err(2, "cannot begin");
	run->uid = FIRST_UID + process;
	memcpy(keep, options->keep, sizeof(keep));
	for (i = 0; !options->nr_keep && i < OPS_MAX; i++)
		keep[nr++] = i;
	for (n = 0; n < options->programs && seconds() < end; n++) {
		shared->programs[process] = n;
		shared->total[process] = run->total;
		if (run_program(run, seed_of(options, process, n), keep, nr)) {
			report(run, seed_of(options, process, n), keep, nr);
			return 1;
		}
	}
	shared->programs[process] = n;
	shared->total[process] = run->total;
	return 0;
}

static void sum_up(const struct options *options, const struct shared *shared, uint64_t *total,
		   uint64_t *programs)
{
	unsigned int i;

	*total = *programs = 0;
	for (i = 0; i < options->processes; i++) {
		*total += shared->total[i];
		*programs += shared->programs[i];
	}
}

/* A line each few seconds: where a kernel dies, the last one says what it was about. */
static void print_progress(const struct options *options, const struct shared *shared)
{
	uint64_t total, programs;
	unsigned int i;

	sum_up(options, shared, &total, &programs);
	printf("# fuzz: %llu calls, next seeds", (unsigned long long)total);
	for (i = 0; i < options->processes; i++)
		printf(" %llu", (unsigned long long)seed_of(options, i, shared->programs[i]));
	putchar('\n');
	fflush(stdout);
}

/* Returns whether anything was done. */
static bool print_total(const struct options *options, const struct shared *shared, double took)
{
	uint64_t total, programs;

	sum_up(options, shared, &total, &programs);
	printf("# total: %llu calls on open contexts in %llu programs, %.0f s\n",
	       (unsigned long long)total, (unsigned long long)programs, took);
	fflush(stdout);
	return programs > 0;
}

/* Ends the others where one has found something. */
static int wait_for_all(const struct options *options, const struct shared *shared, pid_t *pids)
{
	unsigned int left = options->processes, i;
	int status, failed = 0;
	pid_t pid;

	while (left) {
		pid = waitpid(-1, &status, WNOHANG);
		if (!pid) {
			struct timespec pause = { .tv_sec = 2 };

			nanosleep(&pause, NULL);
			print_progress(options, shared);
			continue;
		}
		left--;
		if (!status)
			continue;
		if (!failed)
			failed = WIFEXITED(status) ? WEXITSTATUS(status) : 3;
		for (i = 0; i < options->processes; i++)
			if (pids[i] != pid)
				kill(pids[i], SIGTERM);
	}
	return failed;
}

static void read_options(struct options *options, int argc, char **argv)
{
	char *number;
	int c;

	while ((c = getopt(argc, argv, "arRA:t:n:s:j:k:")) != -1) {
		switch (c) {
		case 'a':
			options->apart = true;
			break;
		case 'r':
		case 'R':
			options->race = true;
			options->again = c == 'R';
			break;
		case 'A':
			/* The fuzzer itself: an agent that was told to exec. */
			if (program_init() || agent_map())
				exit(3);
			apart_agent(atoi(optarg) % PROCESSES);
		case 't':
			options->seconds = atof(optarg);
			break;
		case 'n':
			options->programs = strtoull(optarg, NULL, 0);
			break;
		case 's':
			options->seed = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			options->processes = atoi(optarg);
			break;
		case 'k':
			options->list = optarg;
			break;
		default:
			exit(2);
		}
	}
	/* The parts of a round are numbered otherwise. */
	for (number = options->race || !options->list ? NULL : strtok(options->list, ",");
	     number && options->nr_keep < OPS_MAX; number = strtok(NULL, ","))
		options->keep[options->nr_keep++] = atoi(number) % OPS_MAX;
	if (options->processes < 1 || options->processes > PROCESSES_MAX)
		errx(2, "-j is 1 to %d", PROCESSES_MAX);
}

int main(int argc, char **argv)
{
	struct options options = {
		.seconds = 1e9, .programs = UINT64_MAX, .seed = time(NULL) * 1000003ULL, .processes = 1,
	};
	pid_t pids[PROCESSES_MAX];
	struct shared *shared;
	unsigned int i, max_depth, max_contexts = 0;
	double start;
	int ret;

	read_options(&options, argc, argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		err(2, "mmap");
	if (options.race)
		return race_run(options.seed, options.seconds, options.again, options.list);
	max_depth = set_parameter("max_depth", MAX_DEPTH);
	if (options.apart)
		max_contexts = set_parameter("max_user_contexts", USER_CONTEXTS);
	printf("# fuzz: seed %llu, %u processes\n", (unsigned long long)options.seed,
	       options.processes);
	fflush(stdout);
	start = seconds();
	for (i = 0; i < options.processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			err(2, "fork");
		if (!pids[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			ret = fuzz(&options, i, shared);
			fflush(stdout);
			_exit(ret);
		}
	}
	ret = wait_for_all(&options, shared, pids);
	if (!print_total(&options, shared, seconds() - start) && !ret)
		ret = 3;
	set_parameter("max_depth", max_depth);
	if (options.apart)
		set_parameter("max_user_contexts", max_contexts);
	return ret;
}
