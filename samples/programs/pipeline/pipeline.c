// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A pipeline: three stages, processes that are joined by pipes. Orders come in; validate refuses
 * what is none, transform writes all in the same way, enrich adds the price.
 *
 * What it shows: all stages have one context, and stop with it at once, wherever they wait. It ends
 * when the last has enough, when nobody reads the results any more, when a stage fails or is
 * killed, with a timeout, and with this program, by kill -9, too: it is made with
 * CTX_CREATE_OWNED. Pipes alone do less: a stage that waits for its input learns of none of that,
 * which is why `tail -f log | head -n 1` goes on; and to the next stage the end of one that was
 * killed looks like the end of its work.
 *
 * To run it:
 *
 *	printf 'moon 250\nsun 999\n' >prices
 *	printf 'Moon 2\nsun 1\n' | build/programs/pipeline/pipeline prices
 *
 * It prints what the orders cost, in cents. Then type the orders, with -n 1: after one line it is
 * done, where `cat | head -n 1` would wait for another. Or order something that has no price, or
 * kill one of the stages while they wait.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/duration.h"
#include "pipeline/orders.h"
#include "pipeline/stream.h"

/* A cause of our own: the end of the context is no failure then. */
#define ENOUGH	1000

enum { VALIDATE, TRANSFORM, ENRICH, NR_STAGES };

struct pipeline {
	int ctx;
	int in;
	unsigned long limit;		/* of results; 0 for none */
	struct prices prices;
	pid_t pids[NR_STAGES];
	unsigned long *done;		/* orders, of each stage: memory that all share */
	struct timespec start;
};

/* In its process */
struct stage {
	const struct pipeline *pipeline;
	int nr;
	struct stream stream;
};

/* What a stage does to an order. Returns 0, or -1 where that failed, and all ends. */
typedef int work(struct stage *stage, const char *line);
static work validate, transform, enrich;

static const struct {
	const char *name;
	work *work;
} stages[NR_STAGES] = {
	[VALIDATE] = { "validate", validate },
	[TRANSFORM] = { "transform", transform },
	[ENRICH] = { "enrich", enrich },
};

/* Ends all. The first who does is whose cause and message are reported. */
__attribute__((format(printf, 3, 4)))
static int stage_fail(const struct stage *stage, int cause, const char *format, ...)
{
	char message[CTX_MESSAGE_MAX + 1];
	int len = snprintf(message, sizeof(message), "%s: order %lu: ", stages[stage->nr].name,
			   stage->pipeline->done[stage->nr] + 1);
	va_list args;

	va_start(args, format);
	vsnprintf(message + len, sizeof(message) - (size_t)len, format, args);
	va_end(args);
	ctxfd_cancel_cause(stage->pipeline->ctx, cause, message);
	return -1;
}

static int validate(struct stage *stage, const char *line)
{
	struct order order;

	if (order_parse(&order, line))
		return stage_fail(stage, EINVAL, "is none \"ITEM QUANTITY\": %.40s", line);
	return stream_write(&stage->stream, "%s %lu", order.item, order.quantity);
}

static int transform(struct stage *stage, const char *line)
{
	struct order order;

	if (order_parse(&order, line))
		return stage_fail(stage, EBADMSG, "is garbled");
	for (char *p = order.item; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return stream_write(&stage->stream, "%s %lu", order.item, order.quantity);
}

static int enrich(struct stage *stage, const char *line)
{
	struct order order;
	unsigned long price;

	if (order_parse(&order, line))
		return stage_fail(stage, EBADMSG, "is garbled");
	price = prices_find(&stage->pipeline->prices, order.item);
	if (!price)
		return stage_fail(stage, ENODATA, "%s has no price", order.item);
	return stream_write(&stage->stream, "%s %lu %lu %lu", order.item, order.quantity, price,
			    order.quantity * price);
}

/* The last that there is to do. */
static int stage_enough(struct stage *stage)
{
	if (stream_flush(&stage->stream))
		return -1;
	ctxfd_cancel_cause(stage->pipeline->ctx, ENOUGH, "enough");
	return 0;
}

static int stage_work(struct stage *stage)
{
	unsigned long *done = &stage->pipeline->done[stage->nr];
	unsigned long limit = stage->nr == ENRICH ? stage->pipeline->limit : 0;
	const char *line;
	int got;

	while ((got = stream_read(&stage->stream, &line)) > 0) {
		if (stages[stage->nr].work(stage, line))
			return -1;
		if (__atomic_add_fetch(done, 1, __ATOMIC_RELAXED) == limit)
			return stage_enough(stage);
	}
	return got ? -1 : stream_end(&stage->stream);
}

/* The process of a stage. Its failure is one unless all had to end. */
static _Noreturn void stage_run(const struct pipeline *pipeline, int nr, int in, int out)
{
	static struct stage stage;

	stage = (struct stage){
		.pipeline = pipeline,
		.nr = nr,
		.stream = {
			.ctx = pipeline->ctx,
			.status = ctxfd_map(pipeline->ctx),
			.in = in,
			.out = out,
			.is_first = nr == VALIDATE,
			.is_last = nr == ENRICH,
		},
	};
	prctl(PR_SET_NAME, stages[nr].name);
	/* At Ctrl-C and at a broken pipe it is the context that ends it. */
	if (stage.stream.status && signal(SIGINT, SIG_IGN) != SIG_ERR &&
	    signal(SIGPIPE, SIG_IGN) != SIG_ERR && !stage_work(&stage))
		_exit(0);
	if (!ctxfd_err(pipeline->ctx))
		stage_fail(&stage, errno, "%s", strerror(errno));
	_exit(0);
}

/* Each stage has the end of one pipe and the begin of the next, and nobody else has. */
static void start_stages(struct pipeline *pipeline)
{
	int in = pipeline->in, next[2] = { -1, STDOUT_FILENO };

	for (int nr = 0; nr < NR_STAGES; nr++) {
		bool is_last = nr == NR_STAGES - 1;

		next[1] = STDOUT_FILENO;
		if (!is_last && pipe2(next, O_CLOEXEC))
			err(1, "pipe");
		pipeline->pids[nr] = fork();
		if (pipeline->pids[nr] < 0)
			err(1, "fork");
		if (!pipeline->pids[nr]) {
			if (!is_last)
				close(next[0]);
			if (nr)
				close(pipeline->in);
			stage_run(pipeline, nr, in, next[1]);
		}
		if (nr)
			close(in);
		if (!is_last)
			close(next[1]);
		in = next[0];
	}
}

/* Says each second how far it is. */
static int progress(int ctx, void *arg)
{
	const struct pipeline *pipeline = arg;

	while (!ctxfd_sleep(ctx, &(struct timespec){ .tv_sec = 1 })) {
		fprintf(stderr, "pipeline: after %.0f s:",
			milliseconds_since(&pipeline->start) / 1000);
		for (int nr = 0; nr < NR_STAGES; nr++)
			fprintf(stderr, "%s %s %lu", nr ? "," : "", stages[nr].name,
				__atomic_load_n(&pipeline->done[nr], __ATOMIC_RELAXED));
		fputc('\n', stderr);
	}
	return 0;
}

/* Waits for all; one that was killed ends the others. */
static void wait_for_stages(const struct pipeline *pipeline)
{
	char message[CTX_MESSAGE_MAX + 1] = "";
	siginfo_t info;

	for (int left = NR_STAGES; left; left--) {
		if (TEMP_FAILURE_RETRY(waitid(P_ALL, 0, &info, WEXITED)))
			err(1, "wait");
		if (info.si_code == CLD_EXITED)
			continue;
		for (int nr = 0; nr < NR_STAGES; nr++)
			if (pipeline->pids[nr] == info.si_pid)
				snprintf(message, sizeof(message), "%s: signal %d (%s)",
					 stages[nr].name, info.si_status,
					 strsignal(info.si_status));
		ctxfd_cancel_cause(pipeline->ctx, ESRCH, message);
	}
}

/* Runs it. Beside the stages, who reads the results may end it: that is EPIPE. */
static void run(struct pipeline *pipeline)
{
	struct ctxfd_group *clock;
	struct ctxfd_after *reader;

	start_stages(pipeline);
	reader = ctxfd_cancel_on(pipeline->ctx, STDOUT_FILENO, 0);
	if (!reader && errno != EPERM)	/* a file has no reader */
		err(1, "stdout");
	clock = ctxfd_group_new(ctxfd_background(), 0);
	if (!clock || ctxfd_group_go(clock, progress, pipeline))
		err(1, "progress");
	wait_for_stages(pipeline);
	ctxfd_group_free(clock);
	ctxfd_after_stop(reader);
}

/* Returns 0 where it has done all, or enough. */
static int report(const struct pipeline *pipeline)
{
	struct ctx_info info = { };
	char why[256];

	ctxfd_info(pipeline->ctx, &info);
	if (!info.err)
		return 0;
	if (info.cause == ENOUGH || info.cause == EPIPE) {
		fprintf(stderr, "pipeline: enough, after %lu\n", pipeline->done[ENRICH]);
		return 0;
	}
	ctxfd_describe(&info, why, sizeof(why));
	fprintf(stderr, "pipeline: %s\n", why);
	return 1;
}

static unsigned long limit_argument(const char *text)
{
	char *end;
	unsigned long limit = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !limit || limit > NUMBER_MAX)
		errx(2, "%s is no number of results from 1 to %d", text, NUMBER_MAX);
	return limit;
}

static void parse(int argc, char **argv, struct pipeline *pipeline)
{
	static const char usage[] = "usage: pipeline [-n NUMBER] [-t DURATION] PRICES [ORDERS]";
	static struct timespec timeout;
	bool has_timeout = false;
	int opt;

	while ((opt = getopt(argc, argv, "n:t:")) != -1) {
		switch (opt) {
		case 'n':
			pipeline->limit = limit_argument(optarg);
			break;
		case 't':
			timeout = duration_argument(optarg);
			has_timeout = true;
			break;
		default:
			errx(2, "%s", usage);
		}
	}
	if (argc < optind + 1 || argc > optind + 2)
		errx(2, "%s", usage);
	prices_read(&pipeline->prices, argv[optind]);
	if (argc == optind + 2)
		pipeline->in = open(argv[optind + 1], O_RDONLY | O_CLOEXEC);
	if (pipeline->in < 0)
		err(1, "%s", argv[optind + 1]);
	pipeline->ctx = ctxfd_create_opts(ctxfd_from_env(), &(struct ctxfd_create_opts){
		.name = "pipeline",
		.timeout = has_timeout ? &timeout : NULL,
		.flags = CTX_CREATE_OWNED,
	});
}

/* Zeros that processes share which are forked later; or NULL */
static void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int main(int argc, char **argv)
{
	struct pipeline pipeline = { .in = STDIN_FILENO };
	struct ctxfd_after *signals;
	int ret;

	parse(argc, argv, &pipeline);
	clock_gettime(CLOCK_MONOTONIC, &pipeline.start);
	signals = ctxfd_cancel_on_signal(pipeline.ctx, 0);
	if (!signals)
		err(1, "no context (is the module loaded?)");
	pipeline.done = shared_memory(NR_STAGES * sizeof(*pipeline.done));
	/* Where SIGCHLD is ignored, nobody knows how a stage ended. */
	if (!pipeline.done || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		err(1, "pipeline");
	run(&pipeline);
	ret = report(&pipeline);
	ctxfd_after_stop(signals);
	prices_free(&pipeline.prices);
	return ret;
}
