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

/* Whether @text has a digit where @shape has a 0, and what @shape has elsewhere. */
static bool has_shape(const char *text, const char *shape)
{
	for (; *text && *shape; text++, shape++)
		if (*shape == '0' ? *text < '0' || *text > '9' : *text != *shape)
			return false;
	return !*text && !*shape;
}

/* For strptime(), which alone takes much else: blanks, signs, single digits. Or NULL. */
static const char *date_format(const char *text)
{
	static const struct {
		const char *shape, *format;
	} dates[] = {
		{ "0000-00-00 00:00:00",	"%Y-%m-%d %H:%M:%S" },
		{ "0000-00-00T00:00:00",	"%Y-%m-%dT%H:%M:%S" },
		{ "0000-00-00 00:00",		"%Y-%m-%d %H:%M" },
		{ "0000-00-00T00:00",		"%Y-%m-%dT%H:%M" },
		{ "0000-00-00",			"%Y-%m-%d" },
		{ "00:00:00",			"%H:%M:%S" },
		{ "00:00",			"%H:%M" },
	};
	size_t i;

	for (i = 0; i < sizeof(dates) / sizeof(*dates); i++)
		if (has_shape(text, dates[i].shape))
			return dates[i].format;
	return NULL;
}

/* What mktime() makes of a time that the calendar or the clocks leave out is another. */
static bool is_same(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday &&
	       a->tm_hour == b->tm_hour && a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

/*
 * A date without a time is its midnight, a time without a date is today's. Returns
 * NULL, or what is wrong with @text, which is to follow it in a line.
 */
static const char *parse_date(const char *text, const char *format, time_t *then)
{
	time_t now = time(NULL);
	struct tm tm, same;

	localtime_r(&now, &tm);
	tm.tm_hour = 0;
	tm.tm_min = 0;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	if (!strptime(text, format, &tm))
		return "is a time that never comes";
	same = tm;
	*then = mktime(&same);
	if (!is_same(&tm, &same))
		return "is a time that never comes";
	if (*then < 0)
		return "is before 1970";
	/* Tomorrow's may be meant, and what is cancelled stays so. */
	if (text[2] == ':' && *then <= now)
		return "is over for today; give the date, or +0 for at once";
	return NULL;
}

static const char *parse_instant(const char *text, struct when *when)
{
	const char *format = date_format(text);

	when->clock = CLOCK_REALTIME;
	if (format)
		return parse_date(text, format, &when->time.tv_sec);
	if (*text != '@')
		return "is no time: +5m, none, 18:30, 2027-01-31 18:30 or @SECONDS is meant";
	if (text[1 + strspn(text + 1, "0123456789.")] || duration_parse(text + 1, &when->time))
		return "is no time: @SECONDS since 1970 is meant";
	return NULL;
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
