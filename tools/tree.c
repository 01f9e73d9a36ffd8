// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx tree: the contexts and who holds them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctx.h"

#define RED	"\033[31m"
#define GREEN	"\033[32m"
#define YELLOW	"\033[33m"
#define FAINT	"\033[2m"
#define PLAIN	"\033[m"

struct style {
	bool json;
	bool colour;
	bool watch;
	struct timespec interval;
};

/* What stands to the left of a context: a piece for each of its ancestors. */
struct margin {
	char *text;
	size_t len;
	size_t room;
	/* Pieces: a child, the last child, and what goes on below each. */
	const char *child, *last_child, *below, *below_last;
};

static void margin_init(struct margin *margin)
{
	*margin = (struct margin){
		.text = need(malloc(64)), .room = 64,
		.child = "|- ", .last_child = "`- ", .below = "|  ", .below_last = "   ",
	};
	if (locale_is_utf8()) {
		margin->child = "├─ ";
		margin->last_child = "└─ ";
		margin->below = "│  ";
	}
}

static void margin_add(struct margin *margin, const char *piece)
{
	size_t len = strlen(piece);

	if (margin->len + len > margin->room) {
		margin->room = 2 * (margin->len + len);
		margin->text = need(realloc(margin->text, margin->room));
	}
	memcpy(margin->text + margin->len, piece, len);
	margin->len += len;
}

/* Contexts come parent first, so that the parent's margin is always known. */
static void put_margin(FILE *out, struct margin *margin, struct context *context)
{
	const struct context *parent = context->parent;

	margin->len = parent ? parent->indent : 0;
	if (parent && parent->parent)
		margin_add(margin, parent->sibling ? margin->below : margin->below_last);
	context->indent = margin->len;
	fwrite(margin->text, 1, margin->len, out);
	if (parent)
		fputs(context->sibling ? margin->child : margin->last_child, out);
}

static void put_state(FILE *out, const struct ctx_info *info, bool colour)
{
	const char *name = state_name(info);

	if (colour)
		fputs(!info->err ? GREEN : info->err == ETIMEDOUT ? YELLOW : RED, out);
	fputs(name, out);
	if (colour)
		fputs(PLAIN, out);
}

static void put_times(FILE *out, const struct context *context)
{
	uint64_t deadline = context->info.deadline, ns;
	struct timespec now;

	fputs("  age ", out);
	if (context->age < 0)
		putc('-', out);
	else
		put_duration(out, (uint64_t)context->age * NSEC_PER_SEC, false);
	if (!deadline || context->info.err)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
	fputs("  left ", out);
	put_duration(out, deadline > ns ? deadline - ns : 0, true);
}

/* Each process once, however many descriptors it has. */
static void put_holders(FILE *out, const struct holder *holder)
{
	const struct process *process;
	const char *gap = "  ";
	bool writable;

	while (holder) {
		process = holder->process;
		for (writable = false; holder && holder->process == process; holder = holder->next)
			writable |= holder->writable;
		fprintf(out, "%s%d(", gap, process->pid);
		put_text(out, process->name, process->len);
		fputs(writable ? ")*" : ")", out);
		gap = " ";
	}
}

static void put_context(FILE *out, const struct context *context, bool colour)
{
	const struct ctx_info *info = &context->info;

	if (!context->visible) {
		fprintf(out, "%s#%llu (not visible)%s\n", colour ? FAINT : "", info->id,
			colour ? PLAIN : "");
		return;
	}
	fprintf(out, "#%llu ", info->id);
	put_name(out, info->name);
	fputs("  ", out);
	put_state(out, info, colour);
	put_reason(out, info);
	put_times(out, context);
	put_holders(out, context->holders);
	putc('\n', out);
}

static void draw(FILE *out, const struct forest *forest, const struct style *style)
{
	struct context *context;
	struct margin margin;

	margin_init(&margin);
	for (context = forest->root; context; context = forest_next(context)) {
		put_margin(out, &margin, context);
		put_context(out, context, style->colour);
	}
	free(margin.text);
	if (forest->nr_hidden)
		fprintf(out, "(%lu process%s cannot be looked into)\n", forest->nr_hidden,
			forest->nr_hidden == 1 ? "" : "es");
}

/* Flat, since parsers have a limit for what is inside of each other. */
static void write_json(FILE *out, const struct forest *forest, bool one_line)
{
	struct json json = { .out = out };
	const struct context *context;

	json_open(&json, NULL, '{');
	json_open(&json, "contexts", '[');
	for (context = forest->root; context; context = forest_next(context)) {
		if (!one_line)
			json_line(&json);
		json_open(&json, NULL, '{');
		json_context(&json, context);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_unsigned(&json, "hidden_processes", forest->nr_hidden);
	json_close(&json, '}');
	putc('\n', out);
}

static void show(FILE *out, const struct style *style)
{
	struct forest forest;

	forest_scan(&forest);
	if (!forest.nr)
		need_module();
	forest_plant(&forest);
	if (style->json)
		write_json(out, &forest, style->watch);
	else
		draw(out, &forest, style);
	forest_free(&forest);
}

/* What fits on the terminal, from its top; the terminal cuts long lines. */
static void show_on_terminal(const struct style *style)
{
	struct winsize size = { .ws_row = 24 };
	size_t len, row = 0;
	char *text, *line, *rest;
	FILE *out = need(open_memstream(&text, &len));

	show(out, style);
	if (fclose(out))
		need(NULL);
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	/* Home, and no wrapping; behind each line the old one is cleared. */
	fputs("\033[H\033[?7l", stdout);
	for (rest = text; (line = strsep(&rest, "\n")) && rest; row++) {
		if (size.ws_row > 1 && row + 2 > size.ws_row) {
			fputs("...", stdout);
			break;
		}
		printf("%s\033[K\n", line);
	}
	fputs("\033[?7h\033[J", stdout);
	free(text);
}

static int show_for_ever(const struct style *style)
{
	static char frame[1 << 16];
	bool terminal = isatty(STDOUT_FILENO);
	struct timespec left;

	/* A frame at once: who stops this has a terminal that wraps its lines again. */
	(void)setvbuf(stdout, frame, _IOFBF, sizeof(frame));
	for (;;) {
		if (terminal && !style->json)
			show_on_terminal(style);
		else
			show(stdout, style);
		if (!terminal && !style->json)
			putchar('\n');
		if (fflush(stdout))
			return STATUS_ERROR;
		left = style->interval;
		while (nanosleep(&left, &left) && errno == EINTR)
			;
	}
}

static void help(void)
{
	puts("Usage: ctx tree [OPTION]...\n"
	     "Draw the contexts that processes hold descriptors of, children below parents:\n"
	     "id, name, state, cause, message, age, time left and holders. A * marks a holder\n"
	     "that may cancel the context.\n\n"
	     "  -j, --json                one JSON document, a context a line\n"
	     "  -w, --watch[=SECONDS]     again and again, every second without SECONDS\n"
	     "      --color[=WHEN]        always, never or auto: on a terminal, unless\n"
	     "                            NO_COLOR is set\n"
	     "  -h, --help                this text\n\n"
	     "Processes that you may not look into are left out; root sees all.");
}

/* Returns false where @when is none of the words. */
static bool choose_colour(const char *when, bool *colour)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!when || !strcmp(when, "always"))
		*colour = true;
	else if (!strcmp(when, "never"))
		*colour = false;
	else if (!strcmp(when, "auto"))
		*colour = isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
			  term && strcmp(term, "dumb");
	else
		return false;
	return true;
}

/* Returns false after having said what is wrong. */
static bool choose_interval(const char *text, struct timespec *interval)
{
	const char *wrong = text ? duration_parse(text, interval) : NULL;

	if (wrong)
		bad_usage("--watch: '%s' %s", text, wrong);
	else if (!interval->tv_sec && !interval->tv_nsec)
		bad_usage("--watch: '%s' is no time to wait", text);
	else
		return true;
	return false;
}

/* An option that has no letter. */
#define COLOUR	256

int cmd_tree(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json",	no_argument,		NULL, 'j' },
		{ "watch",	optional_argument,	NULL, 'w' },
		{ "color",	optional_argument,	NULL, COLOUR },
		{ "help",	no_argument,		NULL, 'h' },
		{},
	};
	struct style style = { .interval.tv_sec = 1 };
	int c;

	choose_colour("auto", &style.colour);
	while ((c = getopt_long(argc, argv, ":jw::h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			style.json = true;
			break;
		case 'w':
			style.watch = true;
			if (!choose_interval(optarg, &style.interval))
				return STATUS_ERROR;
			break;
		case COLOUR:
			if (!choose_colour(optarg, &style.colour))
				return bad_usage("--color: '%s' is not always, never or auto",
						 optarg);
			break;
		case 'h':
			help();
			return STATUS_YES;
		default:
			return bad_option(c, argv, options);
		}
	}
	if (optind < argc)
		return bad_usage("'%s' is too much: it takes options alone", argv[optind]);
	if (style.watch)
		return show_for_ever(&style);
	show(stdout, &style);
	return STATUS_YES;
}
