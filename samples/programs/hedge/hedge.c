// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A hedged request: the same to each of several replicas. The first answer wins, and the others
 * are cancelled.
 *
 * What it shows: a group with one context, a thread for each replica. The first who has an answer
 * cancels the context, and ctxfd_cancel_cause() returns 0 to it alone, however many have one at
 * the same moment. The others close their connections; by that a replica knows that nobody waits
 * for it any more, and stops, on whatever machine it is. With -a the second replica is asked only
 * if the first has not answered within that time, and so on: that costs little more than one
 * request, and cuts off the slow ones.
 *
 * To run it:
 *
 *	build/programs/hedge/replica 8081 50ms &
 *	build/programs/hedge/replica 8082 1s &
 *	build/programs/hedge/replica 8083 2s &
 *	build/programs/hedge/hedge -t 5s http://127.0.0.1:808{1,2,3}/moon
 *
 * It prints the first replica's answer; the others say that they have stopped. Then end the first
 * replica, or add -a 100ms, or ask with -t 10ms.
 */
#include <ctxfd.h>
#include <curl/curl.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/duration.h"
#include "hedge/fetch.h"

struct attempt {
	const char *url;
	struct timespec wait;	/* before it begins */
	struct timespec start;
	struct fetched fetched;
	bool has_begun;
	bool has_won;
	bool has_failed;
};

/* Returns 0 also where it fails: that does not end the others. */
static int attempt_run(int ctx, void *arg)
{
	struct attempt *attempt = arg;
	char message[CTX_MESSAGE_MAX + 1];

	if (ctxfd_sleep(ctx, &attempt->wait))
		return 0;
	attempt->has_begun = true;
	clock_gettime(CLOCK_MONOTONIC, &attempt->start);
	fetch(ctx, attempt->url, &attempt->fetched);
	if (attempt->fetched.problem) {
		attempt->has_failed = !ctxfd_err(ctx);
		if (attempt->has_failed)
			fprintf(stderr, "hedge: %s: %s\n", attempt->url, attempt->fetched.problem);
		return 0;
	}
	snprintf(message, sizeof(message), "%s was faster", attempt->url);
	attempt->has_won = !ctxfd_cancel_cause(ctx, ECANCELED, message);
	if (attempt->has_won)
		fprintf(stderr, "hedge: %s: answered after %.1f ms\n", attempt->url,
			milliseconds_since(&attempt->start));
	return 0;
}

/* What each of the attempts is that the cancellation ended */
static void say_why(int ctx, const struct attempt *attempts, int nr)
{
	struct ctx_info info = { };
	char why[256];

	if (ctxfd_info(ctx, &info) || !info.err)
		return;
	ctxfd_describe(&info, why, sizeof(why));
	for (int i = 0; i < nr; i++)
		if (!attempts[i].has_won && !attempts[i].has_failed)
			fprintf(stderr, "hedge: %s: %s%s\n", attempts[i].url,
				attempts[i].has_begun ? "" : "was not asked; ", why);
}

/* Prints the first answer. Returns 0, or 1 where there is none. */
static int hedge(int ctx, struct attempt *attempts, int nr)
{
	struct ctxfd_group *group = ctxfd_group_new(ctx, 0);
	int ret = 1;

	if (!group)
		err(1, "no group");
	for (int i = 0; i < nr; i++)
		if (ctxfd_group_go(group, attempt_run, &attempts[i]) && !ctxfd_err(ctx))
			warn("%s", attempts[i].url);
	ctxfd_group_wait(group);
	say_why(ctxfd_group_ctx(group), attempts, nr);
	for (int i = 0; i < nr; i++) {
		if (attempts[i].has_won)
			ret = fwrite(attempts[i].fetched.body, 1, attempts[i].fetched.size,
				     stdout) != attempts[i].fetched.size;
		free(attempts[i].fetched.body);
	}
	ctxfd_group_free(group);
	return ret;
}

struct options {
	struct timespec after;
	struct timespec timeout;
	bool has_timeout;
};

static void parse(int argc, char **argv, struct options *options)
{
	int opt;

	while ((opt = getopt(argc, argv, "a:t:")) != -1) {
		switch (opt) {
		case 'a':
			options->after = duration_argument(optarg);
			break;
		case 't':
			options->timeout = duration_argument(optarg);
			options->has_timeout = true;
			break;
		default:
			errx(2, "usage: hedge [-a DURATION] [-t DURATION] URL...");
		}
	}
	if (optind == argc)
		errx(2, "usage: hedge [-a DURATION] [-t DURATION] URL...");
}

/* @nr times @time */
static struct timespec times(struct timespec time, int nr)
{
	long long ns = time.tv_nsec * (long long)nr;

	return (struct timespec){
		.tv_sec = time.tv_sec * nr + ns / 1000000000,
		.tv_nsec = ns % 1000000000,
	};
}

int main(int argc, char **argv)
{
	struct options options = { };
	struct ctxfd_after *signals;
	struct attempt *attempts;
	int ctx, nr, ret;

	parse(argc, argv, &options);
	nr = argc - optind;
	attempts = calloc((size_t)nr, sizeof(*attempts));
	if (!attempts || curl_global_init(CURL_GLOBAL_DEFAULT))
		errx(1, "no memory");
	for (int i = 0; i < nr; i++) {
		attempts[i].url = argv[optind + i];
		attempts[i].wait = times(options.after, i);
	}
	ctx = ctxfd_create_opts(ctxfd_from_env(), &(struct ctxfd_create_opts){
		.name = "hedged request",
		.timeout = options.has_timeout ? &options.timeout : NULL,
	});
	signals = ctxfd_cancel_on_signal(ctx, 0);
	if (!signals)
		err(1, "no context (is the module loaded?)");
	ret = hedge(ctx, attempts, nr);
	if (ret)
		warnx("no answer");
	ctxfd_after_stop(signals);
	close(ctx);
	free(attempts);
	curl_global_cleanup();
	return ret;
}
