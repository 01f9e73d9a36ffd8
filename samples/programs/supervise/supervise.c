// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Supervisors: a tree of processes, each of which watches over those that it has started.
 *
 * What it shows: a supervisor makes a context below its own for each child. It alone holds its own
 * writable, so that kill -9 cancels that, and with it all below, at one instant: exactly its
 * subtree ends, however deep that is, and nobody has to find the processes. The context of a child
 * has a deadline, which the child moves with each heartbeat. One that hangs or is stopped misses
 * it, and ends with all that it has started: the kernel is the watchdog, and it barks where the
 * supervisor hangs, too.
 *
 * To run it:
 *
 *	build/programs/supervise/supervise 2 2 1
 *	build/programs/supervise/supervise -w 2s -r 3 2 2 1
 *
 * That is a top with 2 supervisors, of which each has 2 more, of which each has 1 worker. They say
 * their names and pids; `ctx tree` shows them, too. Then kill -9 one of them, or stop it by
 * kill -STOP, or have a worker hang by kill -USR1. With -r 3 each is started again up to 3 times.
 * Ctrl-C ends all.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beside.h"
#include "common/duration.h"
#include "supervise/supervised.h"

#define WIDTH_MAX	99
#define DEPTH_MAX	6
#define PROCESSES_MAX	1000

/* A child may take its time until its first beat. */
static const struct timespec a_minute = { .tv_sec = 60 };

struct child {
	int ctx;	/* -1 where there is no process */
	int pidfd;
	unsigned int restarts;
};

struct supervisor {
	struct supervised self;
	int ctx;			/* its own: all that it starts is below */
	struct timespec watchdog;	/* of its children */
	unsigned int restarts;		/* of each child, at most */
	unsigned int nr;
	struct child children[WIDTH_MAX];
	char **argv;			/* of the children */
};

static void child_name(const struct supervisor *sup, unsigned int i, char name[CTX_NAME_LEN])
{
	snprintf(name, CTX_NAME_LEN, "%.20s.%u", sup->self.name, i + 1);
}

/* Its context is detached: where this process ends, it is its own that ends all, at once. */
static int start(const struct supervisor *sup, unsigned int i, struct child *child)
{
	struct ctxfd_pair value = supervised_value(&sup->watchdog);
	char name[CTX_NAME_LEN];

	child_name(sup, i, name);
	child->ctx = ctxfd_create_opts(sup->ctx, &(struct ctxfd_create_opts){
		.name = name,
		.timeout = &a_minute,
		.flags = CTX_CREATE_DETACHED,
		.values = &value,
		.nr_values = 1,
	});
	/* SIGURG does nothing: the child itself sees to it that it ends. */
	child->pidfd = ctxfd_spawn(child->ctx, sup->argv, &(struct ctxfd_spawn_opts){
		.sig = SIGURG,
	});
	return child->pidfd < 0 ? -1 : 0;
}

/* Ends its context, if that has not ended, and closes what there is of it. */
static void forget(struct child *child)
{
	if (child->pidfd >= 0)
		close(child->pidfd);
	if (child->ctx >= 0) {
		ctxfd_cancel(child->ctx);
		close(child->ctx);
	}
	child->pidfd = -1;
	child->ctx = -1;
}

static void start_child(struct supervisor *sup, unsigned int i)
{
	struct child *child = &sup->children[i];

	if (!start(sup, i, child))
		return;
	if (!ctxfd_err(sup->ctx))
		warn("%s: cannot start child %u, %s", sup->self.name, i + 1, sup->argv[0]);
	forget(child);
}

static siginfo_t wait_for(const struct child *child)
{
	siginfo_t end = { };

	while (waitid(P_PIDFD, (id_t)child->pidfd, &end, WEXITED) && errno == EINTR)
		;
	return end;
}

static bool is_to_restart(const struct supervisor *sup, const struct child *child,
			  const siginfo_t *end, const struct ctx_info *info)
{
	bool is_clean = end->si_code == CLD_EXITED && !end->si_status && !info->err;

	return !is_clean && child->restarts < sup->restarts && !ctxfd_err(sup->ctx);
}

/* Such as "top: top.1 was killed by signal 9; its context: timed out". */
static void say_ended(const struct supervisor *sup, unsigned int i, const siginfo_t *end,
		      const struct ctx_info *info)
{
	char name[CTX_NAME_LEN], why[200] = "";

	child_name(sup, i, name);
	if (info->err)
		ctxfd_describe(info, why, sizeof(why));
	fprintf(stderr, "%s: %s %s %d%s%s\n", sup->self.name, name,
		end->si_code == CLD_EXITED ? "exited with" : "was killed by signal",
		end->si_status, info->err ? "; its context: " : "", why);
}

static void child_ended(struct supervisor *sup, unsigned int i)
{
	struct child *child = &sup->children[i];
	siginfo_t end = wait_for(child);
	struct ctx_info info = { };
	bool is_again;

	ctxfd_info(child->ctx, &info);
	if (!ctxfd_err(sup->ctx))
		say_ended(sup, i, &end, &info);
	is_again = is_to_restart(sup, child, &end, &info);
	forget(child);
	if (!is_again)
		return;
	child->restarts++;
	fprintf(stderr, "%s: starts it again, for time %u of %u\n", sup->self.name, child->restarts,
		sup->restarts);
	start_child(sup, i);
}

/* Watches until its context ends. Where nobody watches over this one, it has no need to wake. */
static void watch(struct supervisor *sup, bool is_supervised)
{
	const struct timespec *interval = is_supervised ? &sup->self.interval : NULL;
	struct pollfd fds[WIDTH_MAX] = { };

	do {
		if (is_supervised)
			supervised_beat(&sup->self);
		for (unsigned int i = 0; i < sup->nr; i++) {
			if (fds[i].revents && sup->children[i].pidfd >= 0)
				child_ended(sup, i);
			fds[i] = (struct pollfd){ sup->children[i].pidfd, POLLIN, 0 };
		}
	} while (ctxfd_poll(sup->ctx, fds, sup->nr, interval) >= 0);
}

static unsigned int parse_number(const char *text, unsigned int min, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < min || n > max)
		errx(2, "%s is no number from %u to %u", text, min, max);
	return (unsigned int)n;
}

static void check_widths(char **widths)
{
	unsigned int processes = 1, level = 1, depth = 0;

	for (; widths[depth]; depth++) {
		level *= parse_number(widths[depth], 1, WIDTH_MAX);
		processes += level;
		if (processes > PROCESSES_MAX || depth == DEPTH_MAX)
			errx(2, "that is over %u processes, or over %u deep", PROCESSES_MAX,
			     DEPTH_MAX);
	}
}

/* The children get the same options, and one number less; the last are the workers. */
static void parse(struct supervisor *sup, int argc, char **argv)
{
	static const char usage[] = "usage: supervise [-w DURATION] [-r TIMES] NUMBER...";
	int opt;

	while ((opt = getopt(argc, argv, "w:r:")) != -1) {
		if (opt == 'w')
			sup->watchdog = duration_argument(optarg);
		else if (opt == 'r')
			sup->restarts = parse_number(optarg, 0, 1000);
		else
			errx(2, "%s", usage);
	}
	if (optind == argc)
		errx(2, "%s", usage);
	if (sup->watchdog.tv_sec == 0 && sup->watchdog.tv_nsec < 1000000)
		errx(2, "a watchdog of less than 1ms is none");
	check_widths(argv + optind);
	sup->nr = parse_number(argv[optind], 1, WIDTH_MAX);
	memmove(argv + optind, argv + optind + 1, (size_t)(argc - optind) * sizeof(*argv));
	argv[0] = path_beside(optind == argc - 1 ? "worker" : "supervise");
	sup->argv = argv;
}

int main(int argc, char **argv)
{
	static struct supervisor sup = { .watchdog.tv_sec = 10, .self.name = "top" };
	struct ctxfd_after *signals;
	bool is_supervised;

	parse(&sup, argc, argv);
	is_supervised = supervised_begin(&sup.self);
	sup.ctx = ctxfd_create_opts(sup.self.ctx, &(struct ctxfd_create_opts){
		.name = sup.self.name,
	});
	signals = ctxfd_cancel_on_signal(sup.ctx, 0);
	if (!signals)
		err(1, "%s: no context", sup.self.name);
	fprintf(stderr, "%s: supervises %u (pid %d)\n", sup.self.name, sup.nr, getpid());
	for (unsigned int i = 0; i < sup.nr; i++)
		start_child(&sup, i);
	watch(&sup, is_supervised);

	supervised_say_end(&sup.self, sup.ctx);
	for (unsigned int i = 0; i < sup.nr; i++) {
		if (sup.children[i].pidfd >= 0)
			wait_for(&sup.children[i]);
		forget(&sup.children[i]);
	}
	ctxfd_after_stop(signals);
	close(sup.ctx);
	free(argv[0]);	/* parse() has made it */
	return 0;
}
