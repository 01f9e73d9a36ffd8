// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Counts the lines, the bytes and the different bytes of files, with a pool of worker processes.
 *
 * What it shows: each job has a context of its own, below one for all jobs. The queue before the
 * workers is bounded: when it is full, who submits waits, under a context that SIGTERM and Ctrl-C
 * cancel. That ends the submitting only; the jobs in hand get a deadline, which is one call on the
 * context of all jobs, and are cancelled when that has passed. What they count goes into buffers
 * in shared memory, of which there is a pool: a job takes one and gives it back. A worker that is
 * killed takes down its job and no other; kill -9 of this process ends all workers.
 *
 * To run it:
 *
 *	build/programs/workers/count /usr/bin/[a-m]*
 *	build/programs/workers/count -n 2 -q 1 -g 2s /dev/zero /dev/zero /dev/zero /dev/zero
 *
 * The second one never ends: see its progress, press Ctrl-C, and see two of its jobs cancelled
 * after 2 s and the others not begun. A second Ctrl-C ends it at once.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/duration.h"
#include "workers/pool.h"

struct run {
	struct pool *pool;
	unsigned int total;
	unsigned int counted;
	unsigned int failed;
	uint64_t lines;
	uint64_t bytes;
	bool has_terminal;
	bool has_progress;
	char shown[128];
};

static unsigned int different(const struct counts *counts)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i <= UCHAR_MAX; i++)
		n += counts->of[i] != 0;
	return n;
}

static void clear_progress(struct run *run)
{
	if (run->has_terminal && *run->shown)
		fputs("\r\033[K", stderr);
	*run->shown = '\0';
}

static void ended(void *arg, const char *path, const char *problem, const struct counts *counts)
{
	struct run *run = arg;

	clear_progress(run);
	if (problem) {
		run->failed++;
		if (counts)
			warnx("%s: %s, after %llu bytes", path, problem,
			      (unsigned long long)counts_bytes(counts));
		else
			warnx("%s: %s", path, problem);
		return;
	}
	run->counted++;
	run->lines += counts->of['\n'];
	run->bytes += counts->bytes;
	printf("%10llu %14llu %4u %s\n", (unsigned long long)counts->of['\n'],
	       (unsigned long long)counts->bytes, different(counts), path);
}

/* A bar at the terminal; with -p elsewhere, a line whenever something has changed */
static void show_progress(void *arg)
{
	static const char marks[] = "##############################";
	struct run *run = arg;
	unsigned int done = run->counted + run->failed, marked;
	struct pool_state state;
	unsigned long long megabytes;
	char text[sizeof(run->shown)];

	if (!run->has_progress)
		return;
	pool_get_state(run->pool, &state);
	marked = (unsigned int)((sizeof(marks) - 1) * (size_t)done / run->total);
	megabytes = (run->bytes + state.bytes) >> 20;
	snprintf(text, sizeof(text), "[%-30.*s] %u of %u, %llu MB; %u in hand, %u in the queue",
		 (int)marked, marks, done, run->total, megabytes, state.in_hand, state.queued);
	if (!strcmp(text, run->shown))
		return;
	memcpy(run->shown, text, sizeof(text));
	fflush(stdout);
	fprintf(stderr, run->has_terminal ? "\r%s\033[K" : "%s\n", text);
}

/* Returns 0, or -1 where a signal, or the context that this program was started under, ends it. */
static int submit_all(struct run *run, int ctx, char **paths)
{
	for (; *paths; paths++)
		if (pool_submit(run->pool, ctx, *paths))
			return -1;
	return pool_wait(run->pool, ctx);
}

static void say_why(int ctx, const struct timespec *grace)
{
	struct ctx_info info = { };
	char why[200];

	ctxfd_info(ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	warnx("stops: %s; the jobs in hand have %g s", why,
	      (double)grace->tv_sec + (double)grace->tv_nsec / 1e9);
}

static void count(struct run *run, int ctx, char **paths, const struct timespec *grace)
{
	struct ctxfd_after *signals = ctxfd_cancel_on_signal(ctx, 0);
	struct pool_state state;

	if (!signals)
		err(1, "no context (is the module loaded?)");
	if (submit_all(run, ctx, paths)) {
		clear_progress(run);
		say_why(ctx, grace);
		ctxfd_after_stop(signals);	/* a second signal is for all */
		signals = NULL;
		pool_shut_down(run->pool, grace);
	}
	ctxfd_after_stop(signals);
	clear_progress(run);
	pool_get_state(run->pool, &state);
	printf("%10llu %14llu total\n", (unsigned long long)run->lines,
	       (unsigned long long)run->bytes);
	if (fflush(stdout))
		err(1, "output");
	warnx("%u files counted, %u not, in %u buffers", run->counted, run->total - run->counted,
	      state.buffers);
}

static unsigned int parse_number(const char *text, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > max)
		errx(2, "%s is no number from 1 to %u", text, max);
	return (unsigned int)n;
}

int main(int argc, char **argv)
{
	static const char usage[] =
		"usage: count [-n WORKERS] [-q QUEUE] [-g DURATION] [-p] FILE...";
	struct timespec grace = { .tv_sec = 5 };
	unsigned int workers = 4, queue = 8;
	struct run run = { };
	int opt, root, submitting;

	while ((opt = getopt(argc, argv, "n:q:g:p")) != -1) {
		if (opt == 'n')
			workers = parse_number(optarg, POOL_WORKERS_MAX);
		else if (opt == 'q')
			queue = parse_number(optarg, POOL_QUEUE_MAX);
		else if (opt == 'g')
			grace = duration_argument(optarg);
		else if (opt == 'p')
			run.has_progress = true;
		else
			errx(2, "%s", usage);
	}
	if (optind == argc)
		errx(2, "%s", usage);
	for (int i = optind; i < argc; i++)
		if (!*argv[i] || strlen(argv[i]) >= PATH_MAX)
			errx(2, "an argument is empty, or too long for a path");
	run.total = (unsigned int)(argc - optind);
	run.has_terminal = isatty(STDERR_FILENO);
	run.has_progress |= run.has_terminal;
	root = ctxfd_create_opts(ctxfd_from_env(), &(struct ctxfd_create_opts){ .name = "count" });
	submitting = ctxfd_create_opts(root, &(struct ctxfd_create_opts){ .name = "submitting" });
	if (submitting < 0)
		err(1, "no context (is the module loaded?)");
	run.pool = pool_new(root, workers, queue,
			    &(struct pool_calls){ ended, show_progress, &run });
	count(&run, submitting, argv + optind, &grace);
	pool_free(run.pool);
	close(submitting);
	close(root);
	return run.counted == run.total ? 0 : 1;
}
