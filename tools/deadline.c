// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx deadline: move or show the deadline of a context.
 */
#include <ctxfd.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"

struct when {
	bool none;
	clockid_t clock;	/* of an instant; a timeout has CLOCK_MONOTONIC */
	bool from_now;
	struct timespec time;
};

/* Whole text, by one of the formats. A date without a time is its midnight. */
static bool parse_date(const char *text, struct tm *tm)
{
	static const char *const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d",
	};
	const char *end;
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		*tm = (struct tm){ .tm_isdst = -1 };
		end = strptime(text, formats[i], tm);
		if (end && !*end)
			return true;
	}
	return false;
}

/* A time of the day: today's. */
static bool parse_time_of_day(const char *text, struct tm *tm)
{
	static const char *const formats[] = { "%H:%M:%S", "%H:%M" };
	time_t now = time(NULL);
	const char *end;
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		localtime_r(&now, tm);
		tm->tm_sec = 0;
		tm->tm_isdst = -1;
		end = strptime(text, formats[i], tm);
		if (end && !*end)
			return true;
	}
	return false;
}

/* Returns NULL, or what is wrong with @text, which is to follow it in a line. */
static const char *parse_instant(const char *text, struct when *when)
{
	const char *wrong;
	struct tm tm;

	when->clock = CLOCK_REALTIME;
	if (*text == '@') {
		wrong = duration_parse(text + 1, &when->time);
		return wrong ? "is no time: @SECONDS since 1970 is meant" : NULL;
	}
	if (!parse_date(text, &tm) && !parse_time_of_day(text, &tm))
		return "is no time: +5m, none, 18:30, 2027-01-31 18:30 or @SECONDS is meant";
	errno = 0;
	when->time.tv_sec = mktime(&tm);
	return when->time.tv_sec == -1 && errno ? "is no time that there is" : NULL;
}

static const char *parse_when(const char *text, struct when *when)
{
	const char *wrong;

	*when = (struct when){ .clock = CLOCK_MONOTONIC };
	if (!strcmp(text, "none")) {
		when->none = true;
		return NULL;
	}
	if (*text != '+')
		return parse_instant(text, when);
	when->from_now = true;
	wrong = duration_parse(text + 1, &when->time);
	/* For ever is as good as none, and an ancestor's holds as with none. */
	when->none = !wrong && when->time.tv_sec == INT64_MAX;
	return wrong;
}

static int move(int fd, const struct when *when)
{
	if (when->none)
		return ctxfd_set_deadline(fd, CLOCK_MONOTONIC, NULL);
	return when->from_now ? ctxfd_set_timeout(fd, &when->time) :
				ctxfd_set_deadline(fd, when->clock, &when->time);
}

static int set(const struct target *target, const struct when *when)
{
	struct forest forest = {};
	int fd = target_open(target, &forest, true), status = STATUS_ERROR;

	forest_free(&forest);
	if (fd < 0)
		return status;
	if (!move(fd, when)) {
		status = STATUS_YES;
	} else if (errno == ECANCELED) {
		complain("%s: was cancelled before", target->text);
		status = STATUS_NO;
	} else if (errno == EINVAL) {
		complain("%s: the deadline is beyond what the clock can tell", target->text);
	} else {
		complain("%s: cannot move the deadline: %s", target->text, strerror(errno));
	}
	close(fd);
	return status;
}

/* How long until then, or since. */
static void print_deadline(const struct ctx_info *info)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	if (!info->deadline) {
		fputs("none", stdout);
	} else if (info->deadline > now) {
		putchar('+');
		put_duration(stdout, info->deadline - now, true);
	} else {
		put_duration(stdout, now - info->deadline, true);
		fputs(" ago", stdout);
	}
	putchar('\n');
}

static int show(const struct target *target)
{
	struct forest forest = {};
	int fd = target_open(target, &forest, false), status = STATUS_ERROR;
	struct ctx_info info;

	forest_free(&forest);
	if (fd < 0)
		return status;
	if (ctxfd_info(fd, &info)) {
		complain("%s: cannot ask: %s", target->text, strerror(errno));
	} else {
		print_deadline(&info);
		status = STATUS_YES;
	}
	close(fd);
	return status;
}

static void help(void)
{
	puts("Usage: ctx deadline NAME|ID|PID:FD [+DURATION|none|TIME]\n"
	     "Move the deadline of a context, earlier or later, or take it away; without a\n"
	     "time, tell how long it is until then. A deadline of a context above counts, too,\n"
	     "and stays.\n\n"
	     "  +DURATION                 from now: +5m, +1h30m, +100ms; +0 is at once\n"
	     "  none                      no deadline of its own\n"
	     "  TIME                      18:30, 18:30:15 (today), 2027-01-31, 2027-01-31\n"
	     "                            18:30 or @SECONDS since 1970\n"
	     "  -h, --help                this text\n\n"
	     "Exit status: 0 where it did, 1 where the context was cancelled before, 2 where\n"
	     "it could not.");
}

int cmd_deadline(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help",	no_argument,	NULL, 'h' },
		{},
	};
	struct target target;
	const char *wrong;
	struct when when;
	int c;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c != 'h')
			return bad_option(c, argv, options);
		help();
		return STATUS_YES;
	}
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > 2)
		return bad_usage(argc ? "one context and one time at most" : "which context?");
	if (!targets_parse(&target, argv, 1))
		return STATUS_ERROR;
	if (argc == 1)
		return show(&target);
	wrong = parse_when(argv[1], &when);
	return wrong ? bad_usage("'%s' %s", argv[1], wrong) : set(&target, &when);
}
