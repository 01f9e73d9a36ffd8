// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx top: the contexts that there are, by user and by name, and which ends next.
 */
#include "ctx_features.h"
#include "ctx_screen.h"

#include <sched.h>
#include <termios.h>

#define SOMEBODY	1000
/* As many as an operator may well have. */
#define MANY		5000
/* Tells a day and an hour for half an hour. */
#define DAY_AND_HOUR	((25 * 3600 + 1800) * NSEC_PER_SEC)

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Tests are short: what this returns is not freed. */
static char *format(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	return text;
}

FIXTURE(top) {
	int dev;
};

/* Users of our own, in a mount namespace of our own. Returns 0, or -1. */
static int make_users(void)
{
	static const char users[] = "root:x:0:0::/:\nsomebody:x:1000:1000::/:\n";
	int fd, ret;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	mkdir("/etc", 0755);
	if (mount("etc", "/etc", "tmpfs", 0, NULL))
		return -1;
	fd = open("/etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ret = write(fd, users, strlen(users)) == (ssize_t)strlen(users) ? 0 : -1;
	close(fd);
	return ret;
}

FIXTURE_SETUP(top)
{
	static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG", "TERMINFO" };
	unsigned int i;

	for (i = 0; i < ctx_array_size(variables); i++)
		unsetenv(variables[i]);
	setenv("TERM", "vt100", 1);
	if (make_users())
		SKIP(return, "there is no mount namespace to have: %s", strerror(errno));
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(top)
{
	close(self->dev);
}

/* A context that the command does not inherit; a @timeout of 0 is none. */
static int new(int parent, const char *name, __u64 timeout)
{
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC,
		.flags = timeout ? CTX_CREATE_TIMEOUT : 0,
		.deadline = timeout,
		.clockid = CLOCK_MONOTONIC,
	};

	memcpy(args.name, name, strlen(name));
	return ctx_create(parent, &args);
}

/* The same, of another user. */
static int new_of(uid_t uid, int parent, const char *name, __u64 timeout)
{
	int fd;

	if (seteuid(uid))
		return -1;
	fd = new(parent, name, timeout);
	return seteuid(0) ? -1 : fd;
}

/* Contexts of two users, of which one is cancelled. Returns the id of the first. */
static __u64 make_some(int dev)
{
	int job = new(dev, "job", DAY_AND_HOUR), done;

	new(job, "step", 0);
	new(job, "step", 0);
	new_of(SOMEBODY, dev, "request \033[2J\u8cc7\u6599", DAY_AND_HOUR + 24 * HOUR);
	new_of(SOMEBODY, dev, "", 0);
	done = new(dev, "done", 0);
	ctx_cancel(done, 0, NULL);
	return ctx_id(job);
}

#define check_top(expected, ...)					\
	check_tool(0, (expected), "", "top", ##__VA_ARGS__)

TEST_F(top, nothing_is_told_of_nothing)
{
	check_top("0 contexts: 0 alive, 0 cancelled\n"
		  "a second: - new, - ended, - gone\n"
		  "\n"
		  "  ALIVE  CANCELLED     NEW/S   ENDED/S     NEXT  USER\n"
		  "\n"
		  "  ALIVE  CANCELLED     NEW/S   ENDED/S     NEXT  NAME\n"
		  "\n"
		  "   LEFT         ID  USER      NAME\n");
}

TEST_F(top, contexts_are_counted_by_user_and_by_name_and_the_next_to_end_is_told)
{
	__u64 id = make_some(self->dev);

	/* The children have the deadline of the job. */
	check_top(format("6 contexts: 5 alive, 1 cancelled\n"
			 "a second: - new, - ended, - gone\n"
			 "\n"
			 "  ALIVE  CANCELLED     NEW/S   ENDED/S     NEXT  USER\n"
			 "      3          1         -         -     1d1h  root\n"
			 "      2          0         -         -     2d1h  somebody\n"
			 "\n"
			 "  ALIVE  CANCELLED     NEW/S   ENDED/S     NEXT  NAME\n"
			 "      2          0         -         -     1d1h  step\n"
			 "      1          0         -         -        -  -\n"
			 "      1          0         -         -     1d1h  job\n"
			 "      1          0         -         -     2d1h  "
			 "\"request \\033[2J\\350\\263\\207\\346\\226\\231\"\n"
			 "      0          1         -         -        -  done\n"
			 "\n"
			 "   LEFT         ID  USER      NAME\n"
			 "   1d1h  %9llu  root      job\n"
			 "   1d1h  %9llu  root      step\n"
			 "   1d1h  %9llu  root      step\n"
			 "   2d1h  %9llu  somebody  "
			 "\"request \\033[2J\\350\\263\\207\\346\\226\\231\"\n",
			 id, id + 1, id + 2, id + 3));
}

TEST_F(top, users_see_their_own)
{
	struct tool tool;
	pid_t pid;

	make_some(self->dev);
	in_child(pid) {
		ASSERT_EQ(0, setresuid(SOMEBODY, SOMEBODY, SOMEBODY));
		tool_run(&tool, "top");
		check_text("", tool.err);
		EXPECT_EQ(0, tool.status);
		EXPECT_EQ(tool.out, strstr(tool.out, "2 contexts: 2 alive, 0 cancelled\n"));
		EXPECT_EQ(NULL, strstr(tool.out, "root"));
		tool_free(&tool);
	}
	check_child(pid);
}

TEST_F(top, rates_are_those_since_the_time_before)
{
	int fd = new(self->dev, "old", 0), gone = new(self->dev, "gone", 0);
	struct tool tool;

	tool_start(&tool, (char *[]){ "ctx", "top", "-b", "-n3", "-d2s", NULL });
	ASSERT_TRUE(tool_says(&tool, "NAME\n\n"));
	new(self->dev, "new", 0);
	close(gone);
	ctx_cancel(fd, 0, NULL);
	tool_end(&tool);
	EXPECT_EQ(0, tool.status);
	/* One of each in two seconds; and then none. */
	EXPECT_NE(NULL, strstr(tool.out, "\na second: 0.5 new, 0.5 ended, 0.5 gone\n"))
		TH_LOG("%s", tool.out);
	EXPECT_NE(NULL, strstr(tool.out, "\na second: 0.0 new, 0.0 ended, 0.0 gone\n"))
		TH_LOG("%s", tool.out);
	EXPECT_NE(NULL, strstr(tool.out, "      1          0       0.5       0.0        -  new\n"));
	EXPECT_NE(NULL, strstr(tool.out, "      0          1       0.0       0.5        -  old\n"));
	tool_free(&tool);
}

TEST_F(top, of_many_some_are_shown)
{
	struct tool tool;
	int i;

	for (i = 0; i < 12; i++)
		new(self->dev, format("n%02d", i), DAY_AND_HOUR + i * NSEC_PER_SEC);
	tool_run(&tool, "top");
	EXPECT_NE(NULL, strstr(tool.out, "NAME (10 of 12)\n"));
	EXPECT_NE(NULL, strstr(tool.out, "  n09\n"));
	EXPECT_EQ(NULL, strstr(tool.out, "  n10\n"));
	tool_free(&tool);
}

TEST_F(top, five_thousand_are_looked_at_in_no_time)
{
	__u64 begin, time, plain;
	struct tool tool;
	int i, fd;

	for (i = 0; i < MANY; i++)
		ASSERT_LE(0, new(self->dev, format("n%d", i % 100), (1 + i) * HOUR));
	/* What three calls for each of them take is the measure: this machine may be slow. */
	begin = ctx_clock(CLOCK_MONOTONIC);
	for (i = 0; i < MANY; i++) {
		fd = ctx_new(self->dev);
		ctx_id(fd);
		close(fd);
	}
	plain = ctx_clock(CLOCK_MONOTONIC) - begin;
	begin = ctx_clock(CLOCK_MONOTONIC);
	tool_run(&tool, "top");
	time = ctx_clock(CLOCK_MONOTONIC) - begin;
	EXPECT_EQ(tool.out, strstr(tool.out, "5000 contexts: 5000 alive, 0 cancelled\n"));
	EXPECT_GT(5 * plain + 200 * NSEC_PER_MSEC, time);
	TH_LOG("%d contexts: %llu ms; to make and close as many: %llu ms", MANY,
	       time / NSEC_PER_MSEC, plain / NSEC_PER_MSEC);
	tool_free(&tool);
}

TEST_F(top, what_comes_and_goes_meanwhile_is_no_error)
{
	struct tool tool;
	pid_t pid = ctx_fork();
	int status;

	if (!pid) {
		for (;;)
			close(ctx_new(self->dev));
	}
	tool_run(&tool, "top", "-b", "-n20", "-d1ms");
	check_text("", tool.err);
	EXPECT_EQ(0, tool.status);
	tool_free(&tool);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

TEST_F(top, older_module_is_told)
{
	/* It knows none of the calls. */
	ASSERT_EQ(0, mount("/dev/null", "/dev/ctx", NULL, MS_BIND, NULL));
	check_tool(2, "", "ctx top: the module is older than this command and lists no contexts; "
		   "'ctx tree' finds those that processes hold\n", "top");
	umount("/dev/ctx");
}

TEST_F(top, mistakes_are_told)
{
	check_tool(2, "", "ctx top: --delay: '0' is no time to wait; try 'ctx top --help'\n",
		   "top", "-d0");
	check_tool(2, "", "ctx top: --iterations: 'x' is no number over 0; try 'ctx top --help'\n",
		   "top", "-nx");
	check_tool(2, "", "ctx top: 'job' is too much: it takes options alone; "
		   "try 'ctx top --help'\n", "top", "job");
}

/* A terminal, and what is on it. */
struct shown {
	struct screen screen;
	int terminal;
	pid_t pid;
};

static void show(struct shown *shown, unsigned int rows, unsigned int columns)
{
	shown->terminal = screen_terminal(rows, columns);
	shown->screen.rows = rows;
	shown->screen.columns = columns;
	shown->pid = screen_run(shown->terminal,
				(char *[]){ "ctx", "top", "--delay=1h", NULL });
}

/* Shows what comes next. Returns false where nothing does. */
static bool show_more(struct shown *shown)
{
	struct pollfd pfd = { .fd = shown->terminal, .events = POLLIN };
	char bytes[4096];
	ssize_t n;

	if (poll(&pfd, 1, CTX_WAIT_MS) != 1)
		return false;
	n = read(shown->terminal, bytes, sizeof(bytes));
	if (n <= 0)
		return false;
	screen_feed(&shown->screen, bytes, n);
	return true;
}

/* Shows what comes until @part is there. */
static bool wait_for_screen(struct shown *shown, const char *part)
{
	bool found = false;
	char *text;

	while (!found && show_more(shown)) {
		text = screen_text(&shown->screen);
		found = strstr(text, part);
		free(text);
	}
	return found;
}

/* Its exit status; what it writes at the end is of no interest. */
static int end_of(struct shown *shown)
{
	struct pollfd pfd = { .fd = shown->terminal, .events = POLLIN };
	int status = -1;
	char bytes[4096];

	while (poll(&pfd, 1, TOOL_WAIT_MS) == 1)
		if (read(shown->terminal, bytes, sizeof(bytes)) <= 0)
			break;
	kill(shown->pid, SIGKILL);
	waitpid(shown->pid, &status, 0);
	return status;
}

/* The text with ids from 40 in the place of those from @first. */
static char *with_ids(char *text, __u64 first)
{
	char *at;
	int i;

	for (i = 0; i < 4; i++) {
		at = strstr(text, format("  %9llu  ", first + i));
		if (at)
			memcpy(at, format("  %9d  ", 40 + i), 13);
	}
	return text;
}

#define KEYS	"q quit\n"

/* The screen of the size, until a q ends it. */
#define check_shown(rows, columns, name) do {				\
	struct shown *__shown = calloc(1, sizeof(*__shown));		\
	__u64 __id;							\
									\
	if (access("/lib/terminfo/v/vt100", F_OK))			\
		SKIP(return, "nobody knows what a vt100 can do");	\
	__id = make_some(self->dev);					\
	show(__shown, (rows), (columns));				\
	ASSERT_LE(0, __shown->terminal);				\
	EXPECT_TRUE(wait_for_screen(__shown, KEYS));			\
	check_screen((name), with_ids(screen_text(&__shown->screen), __id)); \
	EXPECT_EQ(1, write(__shown->terminal, "q", 1));			\
	EXPECT_EQ(0, end_of(__shown));					\
	free(__shown);							\
} while (0)

TEST_F(top, it_fills_the_screen_of_44_columns)
{
	check_shown(24, 44, "top-44.txt");
}

TEST_F(top, it_fills_the_screen_of_80_columns)
{
	check_shown(24, 80, "top-80.txt");
}

TEST_F(top, names_are_shown_as_the_locale_has_them)
{
	setenv("LC_ALL", "C.UTF-8", 1);
	check_shown(24, 80, "top-80-utf8.txt");
}

TEST_F(top, it_fills_the_screen_of_200_columns)
{
	check_shown(50, 200, "top-200.txt");
}

#define USERS_HEADING	"NEXT  USER\n"
#define NAMES_HEADING	"NEXT  NAME\n"
#define LEFT_HEADING	"ID  USER      NAME\n"

static void press(struct shown *shown, const char *key)
{
	if (write(shown->terminal, key, 1) != 1)
		abort();
}

/* Shows what comes until all three headings are there, or not, as @which says in bits. */
static bool wait_for_headings(struct shown *shown, unsigned int which)
{
	static const char *const headings[] = { USERS_HEADING, NAMES_HEADING, LEFT_HEADING };
	unsigned int i, seen;
	char *text;

	do {
		text = screen_text(&shown->screen);
		for (i = seen = 0; i < 3; i++)
			seen |= (strstr(text, headings[i]) ? 1U : 0) << i;
		if (seen == which && strstr(text, KEYS))
			return true;
	} while (show_more(shown));
	fprintf(stderr, "# %s", text);
	return false;
}

/* A terminal of the size that shows the contexts of make_some(), of which the first has the id. */
#define start_shown(nr_rows, nr_columns, id) ({				\
	struct shown *__shown = calloc(1, sizeof(*__shown));		\
									\
	if (access("/lib/terminfo/v/vt100", F_OK))			\
		SKIP(return, "nobody knows what a vt100 can do");	\
	*(id) = make_some(self->dev);					\
	show(__shown, (nr_rows), (nr_columns));				\
	ASSERT_LE(0, __shown->terminal);				\
	__shown;							\
})

/* What lines are edited with is as it was, also where nobody has the terminal open any more. */
#define check_sane(shown) ({						\
	struct termios __modes = {};					\
									\
	EXPECT_EQ(0, tcgetattr((shown)->terminal, &__modes));		\
	EXPECT_EQ(ICANON | ECHO | ISIG, __modes.c_lflag & (ICANON | ECHO | ISIG)); \
	EXPECT_EQ(ICRNL, __modes.c_iflag & ICRNL);			\
	EXPECT_EQ(OPOST | ONLCR, __modes.c_oflag & (OPOST | ONLCR));	\
})

TEST_F(top, keys_choose_what_is_shown)
{
	static const struct {
		const char *key;
		unsigned int headings;
	} keys[] = {
		{ "d", 4 }, { "u", 1 }, { "n", 2 }, { "x", 2 }, { "a", 7 }, { "d", 4 }, { "n", 2 },
	};
	struct shown *shown;
	unsigned int i;
	__u64 id;

	shown = start_shown(24, 80, &id);
	ASSERT_TRUE(wait_for_headings(shown, 7));
	for (i = 0; i < ctx_array_size(keys); i++) {
		press(shown, keys[i].key);
		EXPECT_TRUE(wait_for_headings(shown, keys[i].headings))
			TH_LOG("after %s", keys[i].key);
	}
	press(shown, "q");
	EXPECT_EQ(0, end_of(shown));
	check_sane(shown);
	free(shown);
}

/* Shows what comes until all of the screen is as the file has it: parts are there before. */
#define check_becomes(name, shown, id) ({				\
	char *__kept = screen_expected(name);				\
									\
	while (strcmp(__kept, with_ids(screen_text(&(shown)->screen), (id))) && \
	       show_more(shown))					\
		;							\
	check_screen((name), with_ids(screen_text(&(shown)->screen), (id))); \
})

TEST_F(top, what_others_wrote_is_cleared_on_request)
{
	struct shown *shown;
	__u64 id;

	shown = start_shown(24, 80, &id);
	ASSERT_TRUE(wait_for_headings(shown, 7));
	screen_feed(&shown->screen, "\033[H\033[JX", 7);
	press(shown, "\f");
	check_becomes("top-80.txt", shown, id);
	press(shown, "q");
	EXPECT_EQ(0, end_of(shown));
	free(shown);
}

static void resize(struct shown *shown, unsigned int rows, unsigned int columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };

	shown->screen.rows = rows;
	shown->screen.columns = columns;
	ioctl(shown->terminal, TIOCSWINSZ, &size);
}

TEST_F(top, it_fills_a_terminal_that_changes_its_size)
{
	struct shown *shown;
	__u64 id;

	shown = start_shown(24, 80, &id);
	ASSERT_TRUE(wait_for_headings(shown, 7));
	resize(shown, 24, 44);
	check_becomes("top-44.txt", shown, id);
	resize(shown, 50, 200);
	check_becomes("top-200.txt", shown, id);
	press(shown, "q");
	EXPECT_EQ(0, end_of(shown));
	free(shown);
}

TEST_F(top, small_terminal_has_what_comes_first)
{
	static const struct {
		unsigned int rows, columns;
		const char *text;
	} sizes[] = {
		{ 1, 20, "6 contexts: 5 alive\n" },
		{ 3, 20, "6 contexts: 5 alive\na second: - new, -\n" },
		{ 4, 8, "6 conte\na secon\n\n  ALIVE\n" },
		{ 2, 2, "6\na\n" },
	};
	struct shown *shown;
	unsigned int i;
	__u64 id;

	for (i = 0; i < ctx_array_size(sizes); i++) {
		shown = start_shown(sizes[i].rows, sizes[i].columns, &id);
		while (strcmp(screen_text(&shown->screen), sizes[i].text) && show_more(shown))
			;
		press(shown, "q");
		EXPECT_EQ(0, end_of(shown));
		check_text(sizes[i].text, screen_text(&shown->screen));
		free(shown);
		ASSERT_EQ(0, close_range(self->dev + 1, ~0U, 0));
	}
}

TEST_F(top, signals_end_it)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGQUIT };
	struct shown *shown;
	unsigned int i;
	__u64 id;

	for (i = 0; i < ctx_array_size(signals); i++) {
		shown = start_shown(24, 80, &id);
		ASSERT_TRUE(wait_for_screen(shown, KEYS));
		kill(shown->pid, signals[i]);
		EXPECT_EQ(signals[i], end_of(shown));
		check_sane(shown);
		free(shown);
	}
}

TEST_F(top, signals_end_it_while_the_terminal_takes_nothing)
{
	struct shown *shown;
	__u64 id;

	shown = start_shown(24, 80, &id);
	ASSERT_TRUE(wait_for_screen(shown, KEYS));
	/* ^S */
	press(shown, "\023");
	press(shown, "d");
	EXPECT_EQ(0, ctx_wait_in_syscall(shown->pid, shown->pid, SYS_write));
	kill(shown->pid, SIGTERM);
	EXPECT_EQ(SIGTERM, end_of(shown));
	check_sane(shown);
	free(shown);
}

TEST_F(top, it_ends_with_the_terminal)
{
	struct shown *shown;
	__u64 id;
	int status;

	shown = start_shown(24, 80, &id);
	ASSERT_TRUE(wait_for_screen(shown, KEYS));
	close(shown->terminal);
	EXPECT_EQ(shown->pid, waitpid(shown->pid, &status, 0));
	EXPECT_EQ(SIGHUP, status);
	free(shown);
}

TEST_F(top, it_ends_with_the_terminal_where_hangups_are_ignored)
{
	struct shown *shown;
	__u64 id;
	int status;

	signal(SIGHUP, SIG_IGN);
	shown = start_shown(24, 80, &id);
	ASSERT_TRUE(wait_for_screen(shown, KEYS));
	close(shown->terminal);
	EXPECT_EQ(shown->pid, waitpid(shown->pid, &status, 0));
	EXPECT_EQ(0, status);
	free(shown);
}

/* A shell with one job, which it says is stopped, and puts into the foreground on SIGUSR1. */
static void run_job(void)
{
	pid_t pid = fork();
	sigset_t set;
	int sig, status;

	if (!pid) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(0, getpid());
		signal(SIGTTOU, SIG_DFL);
		execv(tool_path(), (char *[]){ "ctx", "top", "--delay=1h", NULL });
		_exit(127);
	}
	signal(SIGTTOU, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
		tcsetpgrp(0, getpid());
		printf("\033[H\033[JSTOPPED BY %d\n", WSTOPSIG(status));
		fflush(stdout);
		sigwait(&set, &sig);
		tcsetpgrp(0, pid);
		kill(-pid, SIGCONT);
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 126);
}

/* The same as show(), below a shell. */
static void show_job(struct shown *shown)
{
	int fd, i;

	shown->terminal = screen_terminal(24, 80);
	shown->screen.rows = 24;
	shown->screen.columns = 80;
	shown->pid = ctx_fork();
	if (shown->pid)
		return;
	setsid();
	fd = ioctl(shown->terminal, TIOCGPTPEER, O_RDWR);
	ioctl(fd, TIOCSCTTY, 0);
	for (i = 0; i < 3; i++)
		dup2(fd, i);
	close_range(3, ~0U, 0);
	run_job();
}

TEST_F(top, it_stops_and_goes_on)
{
	struct shown *shown = calloc(1, sizeof(*shown));
	int i;

	if (access("/lib/terminfo/v/vt100", F_OK))
		SKIP(return, "nobody knows what a vt100 can do");
	make_some(self->dev);
	show_job(shown);
	ASSERT_TRUE(wait_for_headings(shown, 7));
	for (i = 0; i < 2; i++) {
		/* ^Z */
		press(shown, "\032");
		ASSERT_TRUE(wait_for_screen(shown, format("STOPPED BY %d\n", SIGTSTP)));
		check_sane(shown);
		kill(shown->pid, SIGUSR1);
		ASSERT_TRUE(wait_for_screen(shown, "6 contexts: "));
		press(shown, "d");
		EXPECT_TRUE(wait_for_headings(shown, 4));
		press(shown, "a");
		EXPECT_TRUE(wait_for_headings(shown, 7));
	}
	press(shown, "q");
	EXPECT_EQ(0, end_of(shown));
	check_sane(shown);
	free(shown);
}

TEST_HARNESS_MAIN
