// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx tree and ctx ls: the contexts there are.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "view.h"

struct query {
	struct target start;
	struct view_options options;
	struct look look;
	const char *output;	/* as it was given, or NULL */
	bool fitted;		/* the depth is what fits on the terminal */
	bool watch;
	struct timespec interval;
};

static void print(FILE *out, struct view *view, const struct query *query)
{
	struct look look = query->look;

	/* Where the module is too old, holders are what there is to tell. */
	if (view->held && !query->output)
		columns_choose(&look, "+HOLDERS");
	if (look.form == FORM_DOT)
		dot_print(out, view);
	else
		table_print(out, view, &look);
}

/* A document a line. In JSON no text has a line's end in it. */
static void print_line(FILE *out, struct view *view, const struct query *query)
{
	size_t len, i;
	char *text;
	FILE *lines = need(open_memstream(&text, &len));

	print(lines, view, query);
	if (fclose(lines))
		need(NULL);
	for (i = 0; i < len; i++)
		if (text[i] != '\n')
			putc(text[i], out);
	putc('\n', out);
	free(text);
}

static void say_what_is_missing(const struct view *view, const struct query *query)
{
	unsigned long hidden = view->held ? view->forest.nr_hidden : 0;

	if (hidden)
		complain("%lu process%s cannot be looked into; try as root", hidden,
			 hidden == 1 ? "" : "es");
	if (view->too_deep && query->fitted)
		complain("%zu more lie deeper than fits here; --depth shows them", view->too_deep);
}

/* Returns false after having said what is wrong. */
static bool show(FILE *out, const struct query *query)
{
	struct view view;

	if (!view_take(&view, &query->options))
		return false;
	if (query->watch && query->look.form == FORM_JSON)
		print_line(out, &view, query);
	else
		print(out, &view, query);
	if (!query->watch)
		say_what_is_missing(&view, query);
	view_free(&view);
	return true;
}

/* What fits on the terminal, from its top. */
static bool show_on_terminal(const struct query *query)
{
	struct winsize size = { .ws_row = 24 };
	size_t len, row = 0;
	char *text, *line, *rest;
	FILE *out = need(open_memstream(&text, &len));
	bool shown = show(out, query);

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
	return shown;
}

static int show_for_ever(const struct query *query)
{
	static char frame[1 << 16];
	bool shown, one_line = query->look.form == FORM_JSON;
	bool terminal = isatty(STDOUT_FILENO) && !one_line;
	struct timespec left;

	/* A frame at once: who stops this has a terminal that wraps its lines again. */
	(void)setvbuf(stdout, frame, _IOFBF, sizeof(frame));
	for (;;) {
		shown = terminal ? show_on_terminal(query) : show(stdout, query);
		if (!terminal && !one_line)
			putchar('\n');
		if (!flush_output() || !shown)
			return STATUS_ERROR;
		left = query->interval;
		while (nanosleep(&left, &left) && errno == EINTR)
			;
	}
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

/* Returns false after having said what is wrong. */
static bool choose_number(const char *option, const char *text, unsigned long least,
			  unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno && *number >= least &&
	    *number <= INT_MAX)
		return true;
	bad_usage("%s: '%s' is no number from %lu on", option, text, least);
	return false;
}

/* Options that have no letter. */
enum { COLOUR = 256, HOLDERS, ALIVE, PID, DEPTH, DOT };

static const struct option options[] = {
	{ "output",	required_argument,	NULL, 'o' },
	{ "output-all",	no_argument,		NULL, 'O' },
	{ "json",	no_argument,		NULL, 'J' },
	{ "json",	no_argument,		NULL, 'j' },
	{ "raw",	no_argument,		NULL, 'r' },
	{ "noheadings",	no_argument,		NULL, 'n' },
	{ "dot",	no_argument,		NULL, DOT },
	{ "holders",	no_argument,		NULL, HOLDERS },
	{ "alive",	no_argument,		NULL, ALIVE },
	{ "pid",	required_argument,	NULL, PID },
	{ "depth",	required_argument,	NULL, DEPTH },
	{ "watch",	optional_argument,	NULL, 'w' },
	{ "color",	optional_argument,	NULL, COLOUR },
	{ "help",	no_argument,		NULL, 'h' },
	{},
};

static void help(bool tree)
{
	printf("Usage: ctx %s [OPTION]... [NAME|ID|PID:FD]\n", tree ? "tree" : "ls");
	puts(tree ? "Draw the contexts you could open, children below parents: your own, or for" :
		    "List the contexts you could open by their ids: your own, or for");
	puts("root all. With a NAME, ID or PID:FD, that context and all below it.\n\n"
	     "  -o, --output=LIST         these columns, as in ID,NAME; or more of them: +AGE\n"
	     "  -O, --output-all          all columns\n"
	     "  -J, --json                one JSON document\n"
	     "  -r, --raw                 blanks and the like as \\x20, - for nothing\n"
	     "  -n, --noheadings          no line of headings");
	if (tree)
		puts("      --dot                 a graph, to be drawn by graphviz's dot");
	puts("      --holders             who has them open, as PID(COMMAND)\n"
	     "      --alive               only what is not cancelled\n"
	     "      --pid=PID             only what this process made or holds\n"
	     "      --depth=N             at most so many levels below the first\n"
	     "  -w, --watch[=SECONDS]     again and again, every second without SECONDS\n"
	     "      --color[=WHEN]        always, never or auto: on a terminal, unless\n"
	     "                            NO_COLOR is set\n"
	     "  -h, --help                this text\n\n"
	     "Columns:");
	columns_help();
}

static bool choose_form(struct query *query, enum form form)
{
	if (query->look.form && query->look.form != form) {
		bad_usage("--json, --raw and --dot exclude each other");
		return false;
	}
	query->look.form = form;
	return true;
}

/* Returns false after having said what is wrong. */
static bool choose(struct query *query, int c)
{
	unsigned long number;

	switch (c) {
	case 'J':
	case 'j':
		return choose_form(query, FORM_JSON);
	case 'r':
		return choose_form(query, FORM_RAW);
	case DOT:
		return choose_form(query, FORM_DOT);
	case 'o':
		query->output = optarg;
		return true;
	case 'O':
		query->output = "";
		return true;
	case 'n':
		query->look.no_headings = true;
		return true;
	case HOLDERS:
		query->options.holders = true;
		return true;
	case ALIVE:
		query->options.alive = true;
		return true;
	case PID:
		if (!choose_number("--pid", optarg, 1, &number))
			return false;
		query->options.pid = (pid_t)number;
		return true;
	case DEPTH:
		if (!choose_number("--depth", optarg, 0, &number))
			return false;
		query->options.depth = (unsigned int)number;
		return true;
	case 'w':
		query->watch = true;
		return choose_interval(optarg, &query->interval);
	default: /* COLOUR */
		if (choose_colour(optarg, &query->look.colour))
			return true;
		bad_usage("--color: '%s' is not always, never or auto", optarg);
		return false;
	}
}

/* Returns false after having said what is wrong. */
static bool choose_columns(struct query *query, bool tree)
{
	columns_choose(&query->look, tree ? "ID,NAME,STATE,MAKER,COMMAND" :
		       "ID,NAME,STATE,USER,MAKER,COMMAND");
	if (query->options.holders)
		columns_choose(&query->look, "+HOLDERS");
	columns_choose(&query->look, tree ? "+LEFT,UNDER,CAUSE,MESSAGE" : "+LEFT,CAUSE,MESSAGE");
	if (query->output && !*query->output)
		columns_choose_all(&query->look);
	else if (query->output && !columns_choose(&query->look, query->output))
		return false;
	query->options.holders |= columns_have(&query->look, "HOLDERS");
	query->options.ages = columns_have(&query->look, "AGE");
	query->look.tree = tree && query->look.form == FORM_TABLE;
	return true;
}

/* Lines that lead deeper would leave no room for anything else. */
static void fit_depth(struct query *query)
{
	struct winsize size;

	if (query->options.depth != UINT_MAX || !query->look.tree ||
	    !isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return;
	query->options.depth = size.ws_col / 5U;
	query->fitted = true;
}

static int command(int argc, char **argv, bool tree)
{
	struct query query = { .options.depth = UINT_MAX, .interval.tv_sec = 1 };
	int c;

	choose_colour("auto", &query.look.colour);
	while ((c = getopt_long(argc, argv, ":o:OJjrnw::h", options, NULL)) != -1) {
		if (c == 'h') {
			help(tree);
			return STATUS_YES;
		}
		if (c == '?' || c == ':')
			return bad_option(c, argv, options);
		if (c == DOT && !tree)
			return bad_usage("--dot is for ctx tree");
		if (!choose(&query, c))
			return STATUS_ERROR;
	}
	if (argc - optind > 1)
		return bad_usage("'%s' is too much: one context at a time", argv[optind + 1]);
	if (!targets_parse(&query.start, argv + optind, argc - optind) ||
	    !choose_columns(&query, tree))
		return STATUS_ERROR;
	if (optind < argc)
		query.options.start = &query.start;
	fit_depth(&query);
	if (query.watch)
		return show_for_ever(&query);
	return show(stdout, &query) ? STATUS_YES : STATUS_ERROR;
}

int cmd_tree(int argc, char **argv)
{
	return command(argc, argv, true);
}

int cmd_ls(int argc, char **argv)
{
	return command(argc, argv, false);
}
