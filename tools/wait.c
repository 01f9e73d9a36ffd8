// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx wait: wait until contexts are cancelled.
 */
#include <ctxfd.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"

struct wait {
	struct pollfd *fds;	/* -1 for those that have been cancelled */
	nfds_t nr;
	nfds_t nr_left;
	bool any;
	bool quiet;
	const struct timespec *timeout;
};

/*
 * What the owner holds writable keeps the context from being released, and so
 * would a copy of it that is kept here. A watch does not. Where the owner ends
 * before the copy is closed, that close releases the context in its place.
 */
static int open_watch(const struct target *target, struct forest *forest)
{
	int fd = target_open(target, forest, false), watch;

	if (fd < 0)
		return -1;
	watch = ctxfd_watch(fd);
	if (watch < 0 && errno == EPERM)	/* It is one for strangers. */
		watch = ctxfd_watch_only(fd);
	if (watch < 0)
		complain("%s: cannot watch it: %s", target->text, strerror(errno));
	close(fd);
	return watch;
}

/*
 * A watch of each target, or the ambient context where there is none. One that is no
 * more has ended.
 */
static bool open_all(struct wait *wait, const struct target *targets, int n)
{
	struct forest forest = {};
	int i, fd;

	wait->nr = n ? (nfds_t)n : 1;
	wait->fds = need(calloc(wait->nr, sizeof(*wait->fds)));
	for (i = 0; i < (int)wait->nr; i++) {
		fd = n ? open_watch(&targets[i], &forest) : ambient_open();
		if (fd < 0 && errno != ESTALE)
			break;
		wait->fds[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
		wait->nr_left += fd >= 0;
	}
	forest_free(&forest);
	return i == (int)wait->nr;
}

static void say_whom(int fd)
{
	char name[CTX_NAME_LEN + sizeof(" ''")] = "";
	struct ctx_info info;

	if (ctxfd_info(fd, &info))
		die("cannot ask: %s", strerror(errno));
	if (*info.name)
		snprintf(name, sizeof(name), " '%s'", info.name);
	if (!info.id)
		complain("waiting for the background, which is never cancelled");
	else if (info.maker)
		complain("waiting for #%llu%s, made by process %d", info.id, name, info.maker);
	else
		complain("waiting for #%llu%s", info.id, name);
}

/* Those that it has to wait for. */
static void say_all(const struct wait *wait)
{
	nfds_t i;

	for (i = 0; i < wait->nr; i++)
		if (wait->fds[i].fd >= 0)
			say_whom(wait->fds[i].fd);
}

static void tell(int fd)
{
	struct ctx_info info;

	if (ctxfd_info(fd, &info))
		die("cannot ask: %s", strerror(errno));
	printf("#%llu ", info.id);
	put_name(stdout, info.name);
	printf("  %s", state_name(&info));
	put_reason(stdout, &info);
	putchar('\n');
}

static void collect(struct wait *wait)
{
	nfds_t i;

	for (i = 0; i < wait->nr; i++) {
		if (!wait->fds[i].revents)
			continue;
		if (!wait->quiet)
			tell(wait->fds[i].fd);
		wait->fds[i].fd = -1;
		wait->fds[i].revents = 0;
		wait->nr_left--;
	}
	/* Who reads the lines acts on each as it comes. */
	flush_output();
}

/*
 * The end of a timeout that begins now. NULL where no clock gets there. A context
 * with that timeout would do, but takes a /dev/ctx, which nothing else here does.
 */
static const struct timespec *end_of(const struct timespec *timeout, struct timespec *end)
{
	if (!timeout)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, end);
	end->tv_nsec += timeout->tv_nsec;
	if (end->tv_nsec >= (long)NSEC_PER_SEC) {
		end->tv_nsec -= (long)NSEC_PER_SEC;
		end->tv_sec++;
	}
	return __builtin_add_overflow(end->tv_sec, timeout->tv_sec, &end->tv_sec) ? NULL : end;
}

/* What is left until @end, not under zero. NULL for ever. */
static const struct timespec *left_until(const struct timespec *end, struct timespec *left)
{
	if (!end)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, left);
	left->tv_sec = end->tv_sec - left->tv_sec;
	left->tv_nsec = end->tv_nsec - left->tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_nsec += (long)NSEC_PER_SEC;
		left->tv_sec--;
	}
	if (left->tv_sec < 0)
		*left = (struct timespec){};
	return left;
}

static bool is_zero(const struct timespec *timeout)
{
	return timeout && !timeout->tv_sec && !timeout->tv_nsec;
}

static int wait_for_all(struct wait *wait)
{
	const struct timespec *end, at_once = {};
	struct timespec end_buf, left;
	/* Whom it waits for, which it does not where it only looks. */
	bool said = wait->quiet || is_zero(wait->timeout);
	int n;

	end = end_of(wait->timeout, &end_buf);
	for (;;) {
		/* The first time it only looks. */
		n = ppoll(wait->fds, wait->nr, said ? left_until(end, &left) : &at_once, NULL);
		if (n > 0)
			collect(wait);
		if (!wait->nr_left || (wait->any && wait->nr_left < wait->nr))
			return STATUS_YES;
		if (!n && said)
			return STATUS_NO;
		if (n < 0 && errno != EINTR) {
			complain("cannot wait: %s", strerror(errno));
			return STATUS_ERROR;
		}
		if (!said)
			say_all(wait);
		said = true;
	}
}

static void help(void)
{
	puts("Usage: ctx wait [OPTION]... [NAME|ID|PID:FD]...\n"
	     "Wait until all of the contexts are cancelled, and print a line for each as it\n"
	     "comes: id, name, state, cause and message. Without arguments, wait for the\n"
	     "context that this command runs under. A context that is no more, as an id\n"
	     "shows, has ended.\n\n"
	     "  -t, --timeout=DURATION    at most so long: 5, 5s, 1h30m, 100ms, inf; 0 only\n"
	     "                            looks\n"
	     "  -a, --any                 until one of them is cancelled\n"
	     "  -q, --quiet               print no lines, nor whom it waits for\n"
	     "  -h, --help                this text\n\n"
	     "Exit status: 0 where they were cancelled, 1 where the timeout passed before,\n"
	     "2 where it could not wait.");
}

int cmd_wait(int argc, char **argv)
{
	static const struct option options[] = {
		{ "timeout",	required_argument,	NULL, 't' },
		{ "any",	no_argument,		NULL, 'a' },
		{ "quiet",	no_argument,		NULL, 'q' },
		{ "help",	no_argument,		NULL, 'h' },
		{},
	};
	struct wait wait = {};
	struct target *targets;
	struct timespec timeout;
	const char *wrong;
	int c, status;

	while ((c = getopt_long(argc, argv, ":t:aqh", options, NULL)) != -1) {
		switch (c) {
		case 't':
			wrong = duration_parse(optarg, &timeout);
			if (wrong)
				return bad_usage("--timeout: '%s' %s", optarg, wrong);
			wait.timeout = &timeout;
			break;
		case 'a':
			wait.any = true;
			break;
		case 'q':
			wait.quiet = true;
			break;
		case 'h':
			help();
			return STATUS_YES;
		default:
			return bad_option(c, argv, options);
		}
	}
	argc -= optind;
	argv += optind;
	targets = need(calloc((size_t)argc + 1, sizeof(*targets)));
	status = STATUS_ERROR;
	if (targets_parse(targets, argv, argc) && open_all(&wait, targets, argc))
		status = wait_for_all(&wait);
	free(targets);
	free(wait.fds);
	return status;
}
