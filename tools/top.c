// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx top: the contexts that there are, by user and by name, and which ends next.
 */
#include <ctxfd.h>
#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "endings.h"
#include "top.h"

struct top {
	struct timespec delay;
	unsigned long left;	/* how often yet; 0 for ever */
	bool plain;
	enum top_view view;
	struct snapshot snapshot;
};

/* Returns false with errno set. */
static bool look(struct top *top)
{
	struct snapshot before = top->snapshot;
	bool good = snapshot_take(&top->snapshot, &before);
	int saved = errno;

	snapshot_free(&before);
	errno = saved;
	return good;
}

static int complain_of_look(void)
{
	int error = errno;

	need_module();
	if (error == ENOTTY)
		complain("the module is older than this command and lists no contexts; "
			 "'ctx tree' finds those that processes hold");
	else
		complain("cannot look at the contexts: %s", strerror(error));
	return STATUS_ERROR;
}

static void put_plain(const char *line, bool heading)
{
	(void)heading;
	puts(line);
}

static int show_plain(struct top *top)
{
	struct top_page page = { .view = top->view, .put = put_plain };
	unsigned long n = top->left ?: 1;

	for (;;) {
		if (!look(top))
			return complain_of_look();
		if (!top_draw(&page, &top->snapshot))
			need(NULL);
		if (!flush_output() || !--n)
			return STATUS_YES;
		putchar('\n');
		clock_nanosleep(CLOCK_MONOTONIC, 0, &top->delay, NULL);
	}
}

/* In the row of the cursor, which is in the last column behind the last one that fits. */
static void put_curses(const char *line, bool heading)
{
	int y, x;

	getyx(stdscr, y, x);
	if (x)
		return;
	if (heading)
		attron(A_BOLD);
	addstr(line);
	attroff(A_BOLD);
	if (move(y + 1, 0) == ERR)
		move(y, COLS - 1);
}

/* To a terminal that may be stopped: signals end that, too. */
static void show_drawn(void)
{
	endings_allow(STDOUT_FILENO);
	refresh();
	endings_forbid();
}

static bool draw(struct top *top)
{
	struct top_page page = {
		.view = top->view,
		.rows = (size_t)LINES,
		/* The last column of the last row would scroll. */
		.width = COLS > 1 ? (size_t)COLS - 1 : 1,
		.put = put_curses,
	};
	bool good;

	erase();
	good = top_draw(&page, &top->snapshot);
	show_drawn();
	return good;
}

/* Returns false where it ends the program. */
static bool take_key(struct top *top, int key)
{
	static const struct {
		char key;
		enum top_view view;
	} views[] = {
		{ 'a', TOP_ALL }, { 'u', TOP_USERS }, { 'n', TOP_NAMES }, { 'd', TOP_DEADLINES },
	};
	size_t i;

	/* ^L, for what others wrote to the terminal. */
	if (key == '\f')
		clearok(curscr, TRUE);
	for (i = 0; i < sizeof(views) / sizeof(*views); i++)
		if (key == views[i].key)
			top->view = views[i].view;
	return key != 'q';
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static void set_next(struct timespec *next, const struct timespec *delay)
{
	clock_gettime(CLOCK_MONOTONIC, next);
	next->tv_nsec += delay->tv_nsec;
	next->tv_sec += next->tv_nsec / (long)NSEC_PER_SEC;
	next->tv_nsec %= (long)NSEC_PER_SEC;
	if (__builtin_add_overflow(next->tv_sec, delay->tv_sec, &next->tv_sec))
		next->tv_sec = INT64_MAX;
}

/* What there is to wait until @next; zero where that has come. */
static struct timespec time_until(const struct timespec *next)
{
	struct timespec now, left = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!is_before(&now, next))
		return left;
	left.tv_sec = next->tv_sec - now.tv_sec;
	left.tv_nsec = next->tv_nsec - now.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_nsec += (long)NSEC_PER_SEC;
		left.tv_sec--;
	}
	return left;
}

enum event { EVENT_TICK, EVENT_KEY, EVENT_QUIT, EVENT_SIGNAL };

/* Waits until @next for what the user does. A new size of the terminal is a key, too. */
static enum event wait_for_user(struct top *top, int endings, const struct timespec *next,
				const sigset_t *mask, int *sig)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = endings, .events = POLLIN },
	};
	struct timespec left = time_until(next);
	int n = ppoll(fds, 2, &left, mask), key;

	if (!n)
		return EVENT_TICK;
	if (n > 0 && fds[1].revents) {
		*sig = endings_take(endings);
		if (*sig)
			return EVENT_SIGNAL;
	}
	while ((key = getch()) != ERR)
		if (!take_key(top, key))
			return EVENT_QUIT;
	/* The terminal is gone. */
	return n > 0 && (fds[0].revents & (POLLHUP | POLLERR)) ? EVENT_QUIT : EVENT_KEY;
}

/* Until the user has enough of it. Returns false with errno set where it cannot go on. */
static bool run_curses(struct top *top, int endings, const sigset_t *mask, int *sig)
{
	enum event event = EVENT_TICK;
	struct timespec next;

	do {
		if (event == EVENT_TICK) {
			if (!look(top))
				return false;
			if (top->left && !--top->left)
				event = EVENT_QUIT;
			set_next(&next, &top->delay);
		}
		if (!draw(top))
			return false;
		if (event != EVENT_QUIT)
			event = wait_for_user(top, endings, &next, mask, sig);
	} while (event == EVENT_TICK || event == EVENT_KEY);
	return true;
}

/* Leaves the terminal as it was found, whatever it takes. */
static void end_curses(SCREEN *screen, const struct termios *before)
{
	endings_allow(STDOUT_FILENO);
	endwin();
	endings_forbid();
	delscreen(screen);
	tcsetattr(STDIN_FILENO, TCSANOW, before);
}

static int show_curses(struct top *top)
{
	int endings = endings_block(), sig = 0, error;
	sigset_t resize, mask;
	struct termios before;
	SCREEN *screen;
	bool good;

	/* It comes while we wait for it, or it would wait for the next key. */
	sigemptyset(&resize);
	sigaddset(&resize, SIGWINCH);
	sigprocmask(SIG_BLOCK, &resize, &mask);
	screen = tcgetattr(STDIN_FILENO, &before) ? NULL : newterm(NULL, stdout, stdin);
	if (!screen) {
		endings_close(endings);
		return show_plain(top);
	}
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	set_escdelay(25);
	nodelay(stdscr, TRUE);
	good = run_curses(top, endings, &mask, &sig);
	error = errno;
	end_curses(screen, &before);
	if (sig)
		endings_die(sig);
	endings_close(endings);
	errno = error;
	return good ? STATUS_YES : complain_of_look();
}

/* A terminal on which text can be put anywhere. */
static bool has_screen(void)
{
	const char *move_to;
	int ret;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    setupterm(NULL, STDOUT_FILENO, &ret) == ERR)
		return false;
	move_to = tigetstr("cup");
	return move_to && move_to != (const char *)-1;
}

/* curses and wcwidth() go by the locale, of which a static program may find no file. */
static void choose_locale(void)
{
	if (locale_is_utf8() && !setlocale(LC_CTYPE, ""))
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

static void help(void)
{
	puts("Usage: ctx top [OPTION]...\n"
	     "Show the contexts that you could open, again and again: how many there are by\n"
	     "user and by name, and which of them end next. Keys: u users, n names,\n"
	     "d deadlines, a all of it, q quit. Without a terminal, print it once.\n\n"
	     "  -d, --delay=DURATION      so long from one time to the next; 1s without\n"
	     "  -n, --iterations=N        N times\n"
	     "  -b, --batch               plain lines, whatever the output is\n"
	     "  -h, --help                this text");
}

/* Both return false after having said what is wrong. */
static bool choose_delay(struct top *top, const char *text)
{
	const char *wrong = duration_parse(text, &top->delay);

	if (wrong)
		bad_usage("--delay: '%s' %s", text, wrong);
	else if (!top->delay.tv_sec && !top->delay.tv_nsec)
		bad_usage("--delay: '%s' is no time to wait", text);
	else
		return true;
	return false;
}

static bool choose_iterations(struct top *top, const char *text)
{
	char *end;

	errno = 0;
	top->left = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno && top->left)
		return true;
	bad_usage("--iterations: '%s' is no number over 0", text);
	return false;
}

int cmd_top(int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay",	required_argument,	NULL, 'd' },
		{ "iterations",	required_argument,	NULL, 'n' },
		{ "batch",	no_argument,		NULL, 'b' },
		{ "help",	no_argument,		NULL, 'h' },
		{},
	};
	struct top top = { .delay.tv_sec = 1 };
	int c, status;

	while ((c = getopt_long(argc, argv, ":d:n:bh", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			if (!choose_delay(&top, optarg))
				return STATUS_ERROR;
			break;
		case 'n':
			if (!choose_iterations(&top, optarg))
				return STATUS_ERROR;
			break;
		case 'b':
			top.plain = true;
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
	choose_locale();
	status = top.plain || !has_screen() ? show_plain(&top) : show_curses(&top);
	snapshot_free(&top.snapshot);
	return status;
}
