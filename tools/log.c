// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx log: who cancels what, why, and how far that reaches, as it happens.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contexts.h"
#include "ctx.h"
#include "endings.h"
#include "trace.h"

#define TICK_MS		1000
/* How long a cancellation waits for its walk to end, before it is told without. */
#define PATIENCE	(1 * NSEC_PER_SEC)
/* So many cancellations may be under way at a time; one more is told without the walk. */
#define SLOTS		1024
/* So many events at most between two looks at the signals. */
#define BATCH		4096

/* A cancellation, of which the kernel tells in pieces, on any processors. */
struct slot {
	struct trace_event event;	/* with what the walks add up to */
	uint64_t since;
	bool known;			/* the cancellation was seen */
	bool told;
	bool walked;			/* since it was told, if it was */
};

struct log {
	struct trace *trace;
	int endings;
	FILE *out;			/* to stdout, but never in the way of a signal */
	int error;			/* of writing to it */
	char **filters;			/* names and ids; none are all */
	int nr_filters;
	bool json;
	bool all;
	bool lost;			/* it is yet to be told that events were */
	unsigned long left;		/* lines, where @limited */
	bool limited;
	int64_t to_wall;		/* what CLOCK_REALTIME is ahead of the trace's clock */
	struct slot slots[SLOTS];
};

static int64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * (int64_t)NSEC_PER_SEC + now.tv_nsec;
}

/* The kernel writes a name into the trace with a ? for what could forge a line. */
static bool same_name(const char *filter, const char *traced)
{
	for (; *filter && *traced; filter++, traced++)
		if (*filter != *traced &&
		    (*traced != '?' || ((unsigned char)*filter >= ' ' &&
					!strchr("\"\\\177", *filter))))
			return false;
	return !*filter && !*traced;
}

static bool is_wanted(const struct log *log, const struct trace_event *event)
{
	char id[24];
	int i;

	snprintf(id, sizeof(id), "#%" PRIu64, event->id);
	for (i = 0; i < log->nr_filters; i++)
		if (!strcmp(log->filters[i], id) || !strcmp(log->filters[i], id + 1) ||
		    (*event->name && same_name(log->filters[i], event->name)))
			return true;
	return !log->nr_filters;
}

static void put_time(FILE *out, const struct log *log, const struct trace_event *event)
{
	int64_t wall = (int64_t)event->time + log->to_wall;
	time_t seconds = wall / (int64_t)NSEC_PER_SEC;
	struct tm tm;
	char text[16] = "";

	if (localtime_r(&seconds, &tm))
		(void)strftime(text, sizeof(text), "%H:%M:%S", &tm);
	fprintf(out, "%s.%06u  ", text, (unsigned int)(wall % (int64_t)NSEC_PER_SEC / 1000));
}

/* "12us", "3.4ms", "2.0s" */
static void put_short(FILE *out, uint64_t ns)
{
	if (ns < 1000000)
		fprintf(out, "%" PRIu64 "us", ns / 1000);
	else if (ns < NSEC_PER_SEC)
		fprintf(out, "%.1fms", (double)ns / 1e6);
	else
		fprintf(out, "%.1fs", (double)ns / 1e9);
}

static void put_process(FILE *out, pid_t pid, const char *comm)
{
	fprintf(out, "  by %d", pid);
	if (*comm) {
		putc('(', out);
		put_text(out, comm, strlen(comm));
		putc(')', out);
	}
}

static void put_walk(FILE *out, const struct trace_event *event)
{
	fprintf(out, "  %" PRIu64 " context%s, %" PRIu64 " waited for, ", event->reached,
		event->reached == 1 ? "" : "s", event->woken);
	put_short(out, event->ns);
}

/* As what the commands that look at a context print. */
static void put_why(FILE *out, const struct trace_event *event)
{
	struct ctx_info info = {
		.err = event->err,
		.cause = event->cause,
		.message_len = (uint32_t)strnlen(event->message, CTX_MESSAGE_MAX),
	};

	memcpy(info.message, event->message, info.message_len);
	fputs(state_name(&info), out);
	put_reason(out, &info);
}

static void print_text(const struct log *log, const struct trace_event *event, bool walked)
{
	FILE *out = log->out;

	put_time(out, log, event);
	fprintf(out, "#%" PRIu64 " ", event->id);
	put_name(out, event->name);
	fputs("  ", out);
	switch (event->kind) {
	case TRACE_CREATE:
		fputs("created", out);
		if (event->parent)
			fprintf(out, " below #%" PRIu64, event->parent);
		put_process(out, event->thread, event->comm);
		break;
	case TRACE_RELEASE:
		fputs("released", out);
		put_process(out, event->thread, event->comm);
		break;
	case TRACE_CANCEL:
		put_why(out, event);
		if (event->origin != event->id)
			fprintf(out, "  with #%" PRIu64, event->origin);
		if (event->canceller)
			put_process(out, event->canceller, event->comm);
		if (walked)
			put_walk(out, event);
		break;
	default:
		fputs("reached", out);
		put_walk(out, event);
	}
	putc('\n', out);
}

static void json_process(struct json *json, const char *key, pid_t pid, const char *comm)
{
	if (!pid) {
		json_null(json, key);
		return;
	}
	json_open(json, key, '{');
	json_number(json, "pid", pid);
	if (*comm)
		json_text(json, "command", comm, strlen(comm));
	else
		json_null(json, "command");
	json_close(json, '}');
}

static void json_cancel(struct json *json, const struct trace_event *event)
{
	const char *name = cause_name(event->cause);

	json_unsigned(json, "origin", event->origin);
	json_unsigned(json, "err", event->err);
	json_number(json, "cause", event->cause);
	if (name)
		json_text(json, "cause_name", name, strlen(name));
	else
		json_null(json, "cause_name");
	json_text(json, "message", event->message, strlen(event->message));
	json_process(json, "canceller", event->canceller, event->comm);
}

static void json_walk(struct json *json, const struct trace_event *event)
{
	json_unsigned(json, "reached", event->reached);
	json_unsigned(json, "woken", event->woken);
	json_seconds(json, "took", (int64_t)event->ns);
}

static void print_json(const struct log *log, const struct trace_event *event, bool walked)
{
	static const char *const names[] = {
		[TRACE_CREATE]	= "create",
		[TRACE_CANCEL]	= "cancel",
		[TRACE_WAKE]	= "reach",
		[TRACE_RELEASE]	= "release",
		[TRACE_LOST]	= "lost",
	};
	struct json json = { .out = log->out };

	json_open(&json, NULL, '{');
	json_text(&json, "event", names[event->kind], strlen(names[event->kind]));
	json_seconds(&json, "time", (int64_t)event->time + log->to_wall);
	if (event->kind != TRACE_LOST) {
		json_unsigned(&json, "id", event->id);
		json_text(&json, "name", event->name, strlen(event->name));
	}
	if (event->kind == TRACE_CREATE)
		json_unsigned(&json, "parent", event->parent);
	if (event->kind == TRACE_CREATE || event->kind == TRACE_RELEASE)
		json_process(&json, "thread", event->thread, event->comm);
	if (event->kind == TRACE_CANCEL)
		json_cancel(&json, event);
	if (walked)
		json_walk(&json, event);
	json_close(&json, '}');
	putc('\n', log->out);
}

/* One line, unless there have been enough. */
static void print(struct log *log, const struct trace_event *event, bool walked)
{
	if (log->limited && !log->left)
		return;
	log->to_wall = realtime_ns() - (int64_t)trace_now(log->trace);
	if (log->json)
		print_json(log, event, walked);
	else
		print_text(log, event, walked);
	log->left -= log->limited;
}

struct reached {
	struct log *log;
	const struct trace_event *origin;
};

static void tell_reached(void *arg, const struct listed *listed)
{
	const struct ctx_info *info = &listed->info;
	struct reached *reached = arg;
	struct trace_event event = *reached->origin;

	if (info->origin_id != event.id || info->id == event.id)
		return;
	event.id = info->id;
	memcpy(event.name, info->name, sizeof(event.name));
	if (is_wanted(reached->log, &event))
		print(reached->log, &event, false);
}

/*
 * What was cancelled with it is no event of the trace. Who asks for some contexts alone is told
 * of those that are still there to be found.
 */
static void tell_all_reached(struct log *log, const struct slot *slot)
{
	struct reached reached = { .log = log, .origin = &slot->event };

	if (log->nr_filters && !(slot->walked && slot->event.reached <= 1))
		(void)contexts_each(false, tell_reached, &reached);
}

/* Tells what there is to tell of a cancellation now. */
static void tell(struct log *log, struct slot *slot)
{
	/* What a walk reaches later, or of a cancellation before our time, has its own line. */
	slot->event.kind = slot->known && !slot->told ? TRACE_CANCEL : TRACE_WAKE;
	if (is_wanted(log, &slot->event))
		print(log, &slot->event, slot->walked);
	if (slot->event.kind == TRACE_CANCEL)
		tell_all_reached(log, slot);
	slot->told = true;
	slot->walked = false;
	slot->event.reached = 0;
	slot->event.woken = 0;
	slot->event.ns = 0;
}

static bool has_news(const struct slot *slot)
{
	return slot->walked || (slot->known && !slot->told);
}

/* That of the event's cancellation. What was there of another, long ago, is told now. */
static struct slot *slot_of(struct log *log, const struct trace_event *event)
{
	struct slot *slot = &log->slots[event->origin % SLOTS];

	if (slot->event.id != event->origin) {
		if (has_news(slot))
			tell(log, slot);
		*slot = (struct slot){ .event.id = event->origin };
	}
	slot->since = event->time;
	return slot;
}

static void take_cancel(struct log *log, const struct trace_event *event)
{
	struct slot *slot;
	struct trace_event walks;

	/* What it reaches is counted by the walk. */
	if (event->id != event->origin)
		return;
	slot = slot_of(log, event);
	walks = slot->event;
	slot->event = *event;
	slot->event.reached = walks.reached;
	slot->event.woken = walks.woken;
	slot->event.ns = walks.ns;
	slot->known = true;
	if (slot->walked)
		tell(log, slot);
}

static void take_walk(struct log *log, const struct trace_event *event)
{
	struct slot *slot;

	/* It came upon nothing but what others had told. */
	if (!event->reached)
		return;
	slot = slot_of(log, event);
	slot->event.reached += event->reached;
	slot->event.woken += event->woken;
	slot->event.ns += event->ns;
	slot->walked = true;
	if (slot->known && !slot->told)
		tell(log, slot);
	else
		slot->event.time = event->time;
}

static void take(struct log *log, const struct trace_event *event)
{
	switch (event->kind) {
	case TRACE_CANCEL:
		take_cancel(log, event);
		break;
	case TRACE_WAKE:
		take_walk(log, event);
		break;
	case TRACE_LOST:
		log->lost = true;
		if (log->json)
			print(log, event, false);
		break;
	default:
		if (is_wanted(log, event))
			print(log, event, false);
	}
}

/* Tells of what has waited long enough, or of all. */
static void tell_late(struct log *log, bool all)
{
	uint64_t now = trace_now(log->trace);
	struct slot *slot;

	for (slot = log->slots; slot < log->slots + SLOTS; slot++)
		if (has_news(slot) && (all || now - slot->since > PATIENCE))
			tell(log, slot);
}

/* Returns whether there may be more. */
static bool take_batch(struct log *log)
{
	struct trace_event event;
	int i;

	for (i = 0; i < BATCH; i++) {
		if (!trace_next(log->trace, &event))
			return false;
		take(log, &event);
	}
	return true;
}

static bool is_over(const struct log *log)
{
	return (log->limited && !log->left) || log->error;
}

/* Whoever reads that may be slow, as with the output. */
static void tell_lost(struct log *log)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (log->lost && poll(&fd, 1, 0) == 1) {
		complain("events were lost: there are more than can be read");
		log->lost = false;
	}
}

/*
 * Waits until there is something to read, or a tick has passed. Returns whether it is over: by
 * a signal, or because nobody reads what is written.
 */
static bool wait_for_more(struct log *log, bool more)
{
	struct pollfd others[TRACE_OTHERS] = {
		{ .fd = log->endings, .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};

	trace_poll(log->trace, others, more ? 0 : TICK_MS);
	if (others[1].revents & (POLLERR | POLLHUP))
		log->error = EPIPE;
	return log->error || others[0].revents;
}

static int follow(struct log *log)
{
	bool more = false, gone = false, ended = false;
	int sig;

	while (!ended && !gone && !is_over(log)) {
		gone = !more && !trace_has_events(log->trace);
		ended = wait_for_more(log, more || gone);
		more = take_batch(log);
		gone = gone && !more;
		tell_late(log, ended || gone);
		fflush(log->out);
		tell_lost(log);
	}
	trace_close(log->trace);
	sig = log->error == EPIPE ? SIGPIPE : endings_take(log->endings);
	if (sig)
		endings_die(sig);
	endings_close(log->endings);
	if (log->error)
		complain("cannot write the output: %s", strerror(log->error));
	else if (gone)
		complain("the module was unloaded");
	return log->error || gone ? STATUS_ERROR : STATUS_YES;
}

static ssize_t write_out(void *cookie, const char *text, size_t size)
{
	struct log *log = cookie;
	size_t n = endings_write(log->endings, STDOUT_FILENO, text, size);

	if (n < size)
		log->error = errno;
	return (ssize_t)n;
}

static void help(void)
{
	puts("Usage: ctx log [OPTION]... [NAME|ID]...\n"
	     "Print a line for each cancellation as it happens: time, id, name, state, cause,\n"
	     "message, who cancelled, how many contexts that reached, how many of those were\n"
	     "waited for, and how long it took to tell them. With arguments, of those contexts\n"
	     "alone, also where they are cancelled with one above them.\n\n"
	     "  -a, --all                 creations and releases, too\n"
	     "  -c, --count=N             end after N lines\n"
	     "  -J, --json                one JSON object a line\n"
	     "  -h, --help                this text\n\n"
	     "It traces the kernel, which takes root. SIGKILL leaves an instance of tracefs\n"
	     "behind, which the next ctx log removes.");
}

/* Returns false after having said what is wrong. */
static bool choose_count(struct log *log, const char *text)
{
	char *end;

	errno = 0;
	log->left = strtoul(text, &end, 10);
	log->limited = true;
	if (*text >= '0' && *text <= '9' && !*end && !errno && log->left)
		return true;
	bad_usage("--count: '%s' is no number over 0", text);
	return false;
}

int cmd_log(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all",	no_argument,		NULL, 'a' },
		{ "count",	required_argument,	NULL, 'c' },
		{ "json",	no_argument,		NULL, 'J' },
		{ "help",	no_argument,		NULL, 'h' },
		{},
	};
	struct log *log = need(calloc(1, sizeof(*log)));
	int c, status;

	while ((c = getopt_long(argc, argv, ":ac:Jh", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			log->all = true;
			break;
		case 'c':
			if (!choose_count(log, optarg))
				return STATUS_ERROR;
			break;
		case 'J':
			log->json = true;
			break;
		case 'h':
			help();
			return STATUS_YES;
		default:
			return bad_option(c, argv, options);
		}
	}
	log->filters = argv + optind;
	log->nr_filters = argc - optind;
	log->out = need(fopencookie(log, "w", (cookie_io_functions_t){ .write = write_out }));
	log->endings = endings_block();
	log->trace = trace_open(1U << TRACE_CANCEL | 1U << TRACE_WAKE |
				(log->all ? 1U << TRACE_CREATE | 1U << TRACE_RELEASE : 0));
	status = follow(log);
	(void)fclose(log->out);
	free(log);
	return status;
}
