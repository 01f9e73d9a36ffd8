// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ctx command, all but its run: what each subcommand and option does, and
 * what it says where it cannot.
 */
#include "ctx_command.h"
#include "ctx_json.h"
#include "race.h"
#include "../tools/ctx.h"

#include <cpuid.h>
#include <sys/resource.h>

/* Takes "  age 3s" out of each line, and checks nothing of it. */
static char *without_ages(char *text)
{
	char *age, *end;

	while ((age = strstr(text, "  age "))) {
		end = age + strlen("  age ");
		end += strcspn(end, "\n ");
		memmove(age, end, strlen(end) + 1);
	}
	return text;
}

static unsigned int count(const char *text, const char *part)
{
	unsigned int n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

/* ctx tree, with the ages left out. */
#define check_tree(expected, ...) ({					\
	struct tool __tool;						\
									\
	tool_run(&__tool, "tree", ##__VA_ARGS__);			\
	check_text("", __tool.err);					\
	check_text((expected), without_ages(__tool.out));		\
	EXPECT_EQ(0, __tool.status);					\
	tool_free(&__tool);						\
})

FIXTURE(ctx) {
	int dev;
	const char *self;	/* "PID(COMMAND)" */
};

FIXTURE_SETUP(ctx)
{
	static const char *const variables[] = {
		"LC_ALL", "LC_CTYPE", "LANG", "NO_COLOR", "TERM", "CTX_FD",
	};
	unsigned int i;

	for (i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		unsetenv(variables[i]);
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->self = format("%d(tester)", getpid());
	prctl(PR_SET_NAME, "tester");
}

FIXTURE_TEARDOWN(ctx)
{
}

/* The command itself. */

TEST(says_its_version)
{
	check_tool(0, "ctx " CTX_VERSION "\n", "", "--version");
	check_tool(0, "ctx " CTX_VERSION "\n", "", "-V");
}

TEST(explains_itself)
{
	static char *const commands[] = {
		"tree", "cancel", "wait", "info", "deadline", "value",
	};
	struct tool tool;
	unsigned int i;

	tool_run(&tool, "--help");
	EXPECT_EQ(0, tool.status);
	EXPECT_EQ(0, strncmp(tool.out, "Usage: ctx COMMAND", 18));
	check_tool(0, tool.out, "", "-h");
	check_tool(0, tool.out, "", "help");
	check_tool(2, "", "ctx help: there is no command 'dance'; try 'ctx help --help'\n", "help",
		   "dance");
	check_tool(2, "", "ctx help: one command at a time; try 'ctx help --help'\n", "help", "tree",
		   "wait");
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		struct tool help;

		EXPECT_TRUE(strstr(tool.out, format("\n  %s ", commands[i])));
		tool_run(&help, commands[i], "--help");
		EXPECT_EQ(0, help.status);
		EXPECT_EQ(help.out, strstr(help.out, format("Usage: ctx %s ", commands[i])));
		check_text("", help.err);
		check_tool(0, help.out, "", commands[i], "-h");
		check_tool(0, help.out, "", "help", commands[i]);
		tool_free(&help);
		check_tool(2, "", format("ctx %s: --dance is not an option; try 'ctx %s --help'\n",
					 commands[i], commands[i]), commands[i], "--dance");
	}
	tool_free(&tool);
}

TEST(refuses_what_is_no_command)
{
	check_tool(2, "", "ctx: which command?; try 'ctx --help'\n");
	check_tool(2, "", "ctx: there is no command 'dance'; try 'ctx --help'\n", "dance");
	check_tool(2, "", "ctx: --dance is not an option; try 'ctx --help'\n", "--dance", "tree");
	check_tool(2, "", "ctx: -x is not an option; try 'ctx --help'\n", "-x");
	check_tool(2, "", "ctx: --help takes no argument; try 'ctx --help'\n", "--help=me");
}

TEST(fails_where_its_output_is_lost)
{
	struct tool tool = { .status = -1 };

	tool.out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, tool.out_fd);
	tool.err_fd = memfd_create("err", MFD_CLOEXEC);
	tool_exec(&tool, (char *[]){ "ctx", "--help", NULL });
	tool_end(&tool);
	EXPECT_EQ(2, tool.status);
	check_text("ctx: cannot write the output: No space left on device\n", tool.err);
}

/* Durations */

#define check_duration(text, sec, nsec) ({				\
	struct timespec __ts = {};					\
									\
	check_text("", duration_parse((text), &__ts));			\
	EXPECT_EQ((sec), __ts.tv_sec);					\
	EXPECT_EQ((nsec), __ts.tv_nsec);				\
})

TEST(reads_durations)
{
	check_duration("0", 0, 0);
	check_duration("5", 5, 0);
	check_duration("5s", 5, 0);
	check_duration("1.5h", 5400, 0);
	check_duration("100ms", 0, 100000000);
	check_duration("1500ms", 1, 500000000);
	check_duration("2m", 120, 0);
	check_duration("1d", 86400, 0);
	check_duration("7us", 0, 7000);
	check_duration("7ns", 0, 7);
	check_duration("0.1", 0, 100000000);
	check_duration(".5", 0, 500000000);
	check_duration("5.", 5, 0);
	check_duration("0.123456789", 0, 123456789);
	check_duration("0.1234567891", 0, 123456789);
	check_duration("0.000000000000000000000000000000000000001d", 0, 0);
	check_duration("9223372036854775807", INT64_MAX, 0);
	check_duration("9223372036854775807.999999999s", INT64_MAX, 999999999);
	check_duration("106751991167300.6d", 9223372036854771840, 0);
	check_duration("000000000000000000000000000000000000000000000001", 1, 0);
}

/* As systemd.time(7) has them. */
TEST(reads_durations_of_several_units)
{
	check_duration("1h30m", 5400, 0);
	check_duration("1h 30min", 5400, 0);
	check_duration(" 2 weeks 1 hour 3 msec ", 14 * 86400 + 3600, 3000000);
	check_duration("5 5s", 10, 0);
	check_duration("1.5 hours 100usec", 5400, 100000);
	check_duration("1sec1second2seconds", 4, 0);
	check_duration("1minute2minutes", 180, 0);
	check_duration("1hr1hour2hours", 4 * 3600, 0);
	check_duration("1day2days1w1week2weeks", 3 * 86400 + 4 * 7 * 86400, 0);
	check_duration("1M1month2months", 4 * 2629800, 0);
	check_duration("1y1year2years", 4LL * 31557600, 0);
	check_duration("1nsec1us1\u00b5s1\u03bcs1ms", 0, 1003001);
	check_duration("inf", INT64_MAX, 0);
	check_duration("infinity", INT64_MAX, 0);
}

TEST_F(ctx, refuses_other_durations)
{
	static const struct {
		const char *text;
		const char *wrong;
	} cases[] = {
		{ "",	"is empty: a duration is meant, such as 5s, 1h30m, 100ms or inf" },
		{ "-1",	"is negative" },
		{ "-0",	"is negative" },
		{ "  ",	"is empty: a duration is meant, such as 5s, 1h30m, 100ms or inf" },
		{ "5x",	"is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "5S",	"is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "+5",	"is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "5 -5",	"is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "5s,3s",	"is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "1inf",	"is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "s",	"is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ ".",	"is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "1.2.3", "is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "1e3", "is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "0x5", "is no duration, such as 5s, 1h30m, 100ms or inf" },
		{ "9223372036854775808", "is too long a duration" },
		{ "106751991167301d", "is too long a duration" },
		{ "292471208678years", "is too long a duration" },
		{ "106751991167300d 1d", "is too long a duration" },
		{ "99999999999999999999999999999999999999999999999999ns", "is too long a duration" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_tool(2, "", format("ctx wait: --timeout: '%s' %s; try 'ctx wait --help'\n",
					 cases[i].text, cases[i].wrong),
			   "wait", "-t", (char *)cases[i].text);
}

/* tree */

TEST_F(ctx, tree_of_nothing_is_empty)
{
	check_tree("");
	check_tool(0, "{\"contexts\":[],\"hidden_processes\":0}\n", "", "tree", "--json");
}

TEST_F(ctx, tree_draws_children_below_parents)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b"), c = new(a, "c"), d = new(a, "d");
	int e = new(c, "e"), f = new(c, "f"), g = new(d, "g");

	check_tree(format("#%llu a  alive  %s*\n"
			  "|- #%llu c  alive  %s*\n"
			  "|  |- #%llu e  alive  %s*\n"
			  "|  `- #%llu f  alive  %s*\n"
			  "`- #%llu d  alive  %s*\n"
			  "   `- #%llu g  alive  %s*\n"
			  "#%llu b  alive  %s*\n",
			  ctx_id(a), self->self, ctx_id(c), self->self, ctx_id(e), self->self,
			  ctx_id(f), self->self, ctx_id(d), self->self, ctx_id(g), self->self,
			  ctx_id(b), self->self));
}

TEST_F(ctx, tree_draws_lines_where_the_locale_has_them)
{
	int a = new(self->dev, "a"), b = new(a, "b"), c = new(a, "c"), d = new(b, "d");
	char *expected = format("#%llu a  alive  %s*\n├─ #%llu b  alive  %s*\n"
				"│  └─ #%llu d  alive  %s*\n└─ #%llu c  alive  %s*\n",
				ctx_id(a), self->self, ctx_id(b), self->self, ctx_id(d),
				self->self, ctx_id(c), self->self);

	setenv("LANG", "C.UTF-8", 1);
	check_tree(expected);
	setenv("LANG", "C", 1);
	setenv("LC_CTYPE", "en_GB.utf8", 1);
	check_tree(expected);
	setenv("LC_ALL", "C", 1);
	setenv("LANG", "C.UTF-8", 1);
	close(b);
	close(c);
	close(d);
	check_tree(format("#%llu a  alive  %s*\n", ctx_id(a), self->self));
}

TEST_F(ctx, tree_shows_holders)
{
	int fd = new(self->dev, "job"), watch = ctx_watch(fd, CTX_CLOEXEC);
	pid_t owner = holder("owner", fd), guest = holder("guest", watch);

	ASSERT_EQ(0, wait_for_holder(owner));
	ASSERT_EQ(0, wait_for_holder(guest));
	check_tree(format("#%llu job  alive  %s* %d(owner)* %d(guest)\n", ctx_id(fd), self->self,
			  owner, guest));
	close(fd);
	check_tree(format("#%llu job  alive  %s %d(owner)* %d(guest)\n", ctx_id(watch), self->self,
			  owner, guest));
	end_holder(owner);
	check_tree(format("#%llu job  cancelled EOWNERDEAD  %s %d(guest)\n", ctx_id(watch),
			  self->self, guest));
	end_holder(guest);
}

TEST_F(ctx, tree_shows_what_its_own_process_inherited)
{
	struct tool tool;
	int fd = ctx_new(self->dev);

	tool_run(&tool, "tree");
	check_text(format("#%llu -  alive  %s* %d(ctx)*\n", ctx_id(fd), self->self, tool.pid),
		   without_ages(tool.out));
	tool_free(&tool);
}

TEST_F(ctx, tree_shows_the_parent_that_nobody_holds)
{
	int top = new_with(self->dev, "top", CTX_CREATE_DETACHED), a = new(top, "a");
	int b = new(top, "b"), c = new(b, "c");
	__u64 id = ctx_id(top);

	close(top);
	check_tree(format("#%llu (not visible)\n|- #%llu a  alive  %s*\n`- #%llu b  alive  %s*\n"
			  "   `- #%llu c  alive  %s*\n", id, ctx_id(a), self->self, ctx_id(b),
			  self->self, ctx_id(c), self->self));
}

TEST_F(ctx, tree_shows_why_it_ended)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b"), c = new(self->dev, "c");
	int d = ctx_create(self->dev, &(struct ctx_create_args){
		.flags = CTX_CREATE_TIMEOUT, .fd_flags = CTX_CLOEXEC, .name = "d",
	});

	ctx_cancel(a, CAUSE, "client gone");
	ctx_cancel(b, 0, NULL);
	ctx_cancel(c, 70000, NULL);
	check_tree(format("#%llu a  cancelled EPIPE \"client gone\"  %s*\n"
			  "#%llu b  cancelled  %s*\n"
			  "#%llu c  cancelled 70000  %s*\n"
			  "#%llu d  timed out  %s*\n",
			  ctx_id(a), self->self, ctx_id(b), self->self, ctx_id(c), self->self,
			  ctx_id(d), self->self));
}

TEST_F(ctx, tree_shows_the_time_left)
{
	int fd = new(self->dev, "a"), child = new(fd, "b");
	struct tool tool;

	ASSERT_EQ(0, ctx_set_timeout(fd, 2 * HOUR + 1800 * NSEC_PER_SEC));
	ASSERT_EQ(0, ctx_set_timeout(child, 40 * 24 * HOUR));
	tool_run(&tool, "tree");
	EXPECT_EQ(2, count(tool.out, "  left 2h29m  "));
	tool_free(&tool);
	ASSERT_EQ(0, ctx_set_timeout(fd, 41 * 24 * HOUR));
	tool_run(&tool, "tree");
	EXPECT_EQ(1, count(tool.out, "  left 40d23h  "));
	EXPECT_EQ(1, count(tool.out, "  left 39d23h  "));
	tool_free(&tool);
	ctx_cancel(fd, 0, NULL);
	tool_run(&tool, "tree");
	EXPECT_EQ(0, count(tool.out, "left"));
	tool_free(&tool);
}

/* Where the module tells it: whole seconds, and never more than have passed. */
TEST_F(ctx, tree_shows_the_age)
{
	__u64 start = ctx_clock(CLOCK_MONOTONIC);
	int fd = new(self->dev, "a");
	char path[64], text[4096] = "", unit;
	unsigned long age;
	struct tool tool;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	ASSERT_TRUE(file);
	ASSERT_LT(0, fread(text, 1, sizeof(text) - 1, file));
	fclose(file);
	tool_run(&tool, "tree");
	if (!strstr(text, "\nctx-age:\t")) {
		EXPECT_TRUE(strstr(tool.out, "  alive  age -  "));
	} else {
		ASSERT_TRUE(strstr(tool.out, "  alive  age "));
		EXPECT_EQ(2, sscanf(strstr(tool.out, "age "), "age %lu%c ", &age, &unit));
		EXPECT_EQ('s', unit);
		/* It counts the seconds that have begun since. */
		EXPECT_GE((ctx_clock(CLOCK_MONOTONIC) - start) / NSEC_PER_SEC + 1, age);
	}
	tool_free(&tool);
}

TEST_F(ctx, tree_prints_no_control_characters)
{
	int a = new(self->dev, "\033[2J\n\\\t"), b = new(self->dev, "two words");
	int c = new(self->dev, "-"), d = new(self->dev, ""), e = new(self->dev, "q\"q");

	ctx_cancel(a, 0, "\033]0;title\a");
	prctl(PR_SET_NAME, "e\033v\nil)");
	check_tree(format("#%llu \\033[2J\\012\\\\\\011  cancelled \"\\033]0;title\\007\"  %d(e\\033v\\012il))*\n"
			  "#%llu \"two words\"  alive  %d(e\\033v\\012il))*\n"
			  "#%llu \"-\"  alive  %d(e\\033v\\012il))*\n"
			  "#%llu -  alive  %d(e\\033v\\012il))*\n"
			  "#%llu \"q\\\"q\"  alive  %d(e\\033v\\012il))*\n",
			  ctx_id(a), getpid(), ctx_id(b), getpid(), ctx_id(c), getpid(), ctx_id(d),
			  getpid(), ctx_id(e), getpid()));
}

TEST_F(ctx, tree_prints_the_characters_of_the_locale)
{
	/* A letter; a control of 8 bits; half a letter; a right-to-left override. */
	int a = new(self->dev, "\xc3\xa9"), b = new(self->dev, "\xc2\x9b");
	int c = new(self->dev, "x\xc3"), d = new(self->dev, "\xe2\x80\xae");

	check_tree(format("#%llu \\303\\251  alive  %s*\n#%llu \\302\\233  alive  %s*\n"
			  "#%llu x\\303  alive  %s*\n#%llu \\342\\200\\256  alive  %s*\n",
			  ctx_id(a), self->self, ctx_id(b), self->self, ctx_id(c), self->self,
			  ctx_id(d), self->self));
	setenv("LC_ALL", "C.UTF-8", 1);
	check_tree(format("#%llu \xc3\xa9  alive  %s*\n#%llu \\302\\233  alive  %s*\n"
			  "#%llu x\\303  alive  %s*\n#%llu \\342\\200\\256  alive  %s*\n",
			  ctx_id(a), self->self, ctx_id(b), self->self, ctx_id(c), self->self,
			  ctx_id(d), self->self));
}

/* Many descriptors, for those that can have them. */
static bool allow_fds(rlim_t n)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur >= n;
}

TEST_F_TIMEOUT(ctx, tree_may_be_a_thousand_deep, 120)
{
	const char *line;
	struct tool tool;
	int fd, n;

	if (!allow_fds(1100))
		SKIP(return, "needs 1100 descriptors");
	fd = self->dev;
	for (n = 0; n < 1000; n++)
		fd = new(fd, "");
	ASSERT_LE(0, fd);
	tool_run(&tool, "tree");
	EXPECT_EQ(0, tool.status);
	EXPECT_EQ(1000, count(tool.out, "\n"));
	tool.out[strlen(tool.out) - 1] = '\0';
	line = strrchr(tool.out, '\n') + 1;
	EXPECT_EQ(998 * 3, strspn(line, " "));
	EXPECT_EQ(0, strncmp(line + 998 * 3, format("`- #%llu -  alive", ctx_id(fd)), 8));
	tool_free(&tool);
	tool_run(&tool, "tree", "--json");
	EXPECT_TRUE(json_is_valid(tool.out));
	EXPECT_TRUE(strstr(tool.out, "\"depth\":999,"));
	tool_free(&tool);
}

/* The line of --json that tells of the context. */
static char *json_of(const struct tool *tool, __u64 id)
{
	char *line = strstr(tool->out, format("{\"id\":%llu,", id));

	return line ? strndup(line, strcspn(line, "\n")) : "";
}

TEST_F(ctx, tree_is_json_where_asked)
{
	int top = new_with(self->dev, "top", CTX_CREATE_DETACHED), a = new(top, "a");
	int b = new(a, "b"), watch = ctx_watch(b, CTX_CLOEXEC);
	__u64 left, id = ctx_id(top);
	struct tool tool;
	char *line;

	close(top);
	ASSERT_EQ(0, ctx_set_timeout(b, HOUR));
	tool_run(&tool, "tree", "--json");
	EXPECT_EQ(0, tool.status);
	EXPECT_TRUE(json_is_valid(tool.out));
	check_has(tool.out, ",\"hidden_processes\":0}\n");
	check_text(format("{\"id\":%llu,\"visible\":false,\"parent\":null},", id),
		   json_of(&tool, id));

	line = json_of(&tool, ctx_id(a));
	check_has(line, format("\"visible\":true,\"parent\":%llu,\"depth\":1,\"name\":\"a\",", id));
	check_has(line, "\"state\":\"alive\",\"err\":0,\"cause\":0,\"cause_name\":null,"
		  "\"message\":\"\",\"origin\":0,\"deadline\":null,\"left\":null,\"flags\":0,"
		  "\"children\":1,");
	check_has(line, format("\"holders\":[{\"pid\":%d,\"fd\":%d,\"writable\":true,"
			       "\"command\":\"tester\"}]}", getpid(), a));

	line = json_of(&tool, ctx_id(b));
	check_has(line, format("{\"pid\":%d,\"fd\":%d,\"writable\":false,\"command\":\"tester\"}]",
			       getpid(), watch));
	EXPECT_EQ(1, sscanf(strstr(line, "\"left\":") ?: "", "\"left\":%llu.", &left));
	EXPECT_LE(3500, left);
	EXPECT_GE(3600, left);
	tool_free(&tool);

	ctx_cancel(a, CAUSE, "gone");
	tool_run(&tool, "tree", "-j");
	EXPECT_TRUE(json_is_valid(tool.out));
	check_has(json_of(&tool, ctx_id(b)),
		  format("\"state\":\"cancelled\",\"err\":%d,\"cause\":%d,\"cause_name\":\"EPIPE\","
			 "\"message\":\"gone\",\"origin\":%llu,", ECANCELED, CAUSE, ctx_id(a)));
	tool_free(&tool);
}

TEST_F(ctx, json_is_utf8_whatever_the_names_are)
{
	int a = new(self->dev, "\"\\\n\x7f\xc3\xa9"), b = new(self->dev, "x\xff\xc3");
	int c = new(self->dev, "\xed\xa0\x80"), d = new(self->dev, "\xf0\x9f\x98\x80\xe2\x80\xae");
	struct tool tool;

	prctl(PR_SET_NAME, "\xc0\x80");
	tool_run(&tool, "tree", "--json");
	EXPECT_TRUE(json_is_valid(tool.out));
	check_has(json_of(&tool, ctx_id(a)), "\"name\":\"\\\"\\\\\\u000a\\u007f\xc3\xa9\",\"age\"");
	check_has(json_of(&tool, ctx_id(b)),
		  "\"name\":\"x\\ufffd\\ufffd\",\"name_hex\":\"78ffc3\",\"age\"");
	check_has(json_of(&tool, ctx_id(c)),
		  "\"name\":\"\\ufffd\\ufffd\\ufffd\",\"name_hex\":\"eda080\",");
	check_has(json_of(&tool, ctx_id(d)), "\"name\":\"\xf0\x9f\x98\x80\\u202e\",");
	check_has(json_of(&tool, ctx_id(a)),
		  "\"command\":\"\\ufffd\\ufffd\",\"command_hex\":\"c080\"}");
	tool_free(&tool);
}

TEST_F(ctx, tree_has_colours_where_asked)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b");
	char *plain, *colour;

	ctx_cancel(b, 0, NULL);
	plain = format("#%llu a  alive  %s*\n#%llu b  cancelled  %s*\n", ctx_id(a), self->self,
		       ctx_id(b), self->self);
	colour = format("#%llu a  \033[32malive\033[m  %s*\n#%llu b  \033[31mcancelled\033[m  %s*\n",
			ctx_id(a), self->self, ctx_id(b), self->self);
	setenv("TERM", "xterm", 1);
	check_tree(plain);
	check_tree(plain, "--color=auto");
	check_tree(plain, "--color=never");
	check_tree(colour, "--color=always");
	check_tree(colour, "--color");
	setenv("NO_COLOR", "1", 1);
	check_tree(colour, "--color=always");
	check_tool(2, "", "ctx tree: --color: 'red' is not always, never or auto; "
		   "try 'ctx tree --help'\n", "tree", "--color=red");
	check_tool(2, "", "ctx tree: 'x' is too much: it takes options alone; "
		   "try 'ctx tree --help'\n", "tree", "x");
}

/* A terminal of 10 lines, in a mount namespace of our own. -1 where there can be none. */
static int terminal(int *user)
{
	struct winsize size = { .ws_row = 10, .ws_col = 40 };
	int fd;

	if (access("/dev/pts/ptmx", F_OK)) {
		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
			return -1;
		mkdir("/dev/pts", 0755);
		if (mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666"))
			return -1;
	}
	fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || unlockpt(fd) || ioctl(fd, TIOCSWINSZ, &size))
		return -1;
	*user = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return fd;
}

/* Reads until @n of @part have come. */
static bool read_until(int fd, const char *part, unsigned int n)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char text[65536];
	size_t len = 0;
	ssize_t ret;

	while (len < sizeof(text) - 1 && poll(&pfd, 1, CTX_WAIT_MS) == 1) {
		ret = read(fd, text + len, sizeof(text) - 1 - len);
		if (ret <= 0)
			break;
		len += ret;
		text[len] = '\0';
		if (count(text, part) >= n)
			return true;
	}
	text[len] = '\0';
	fprintf(stderr, "# no %s in: %s\n", part, text);
	return false;
}

/* Runs it on a terminal and waits for @part to be there @n times. */
#define check_on_terminal(n, part, ...) ({				\
	struct tool __tool = { .status = -1 };				\
	int __fd = terminal(&__tool.out_fd);				\
									\
	if (__fd < 0)							\
		SKIP(return, "no pseudo terminals");			\
	__tool.err_fd = memfd_create("err", MFD_CLOEXEC);		\
	tool_exec(&__tool, (char *[]){ "ctx", __VA_ARGS__, NULL });	\
	EXPECT_TRUE(read_until(__fd, (part), (n)));			\
	kill(__tool.pid, SIGTERM);					\
	tool_end(&__tool);						\
	check_text("", __tool.err);					\
	close(__fd);							\
})

TEST_F(ctx, tree_has_colours_on_a_terminal)
{
	int fd = new(self->dev, "a");

	EXPECT_LE(0, fd);
	setenv("TERM", "xterm", 1);
	check_on_terminal(1, " a  \033[32malive\033[m  ", "tree");
	check_on_terminal(1, " a  alive  ", "tree", "--color=never");
	setenv("NO_COLOR", "", 1);
	check_on_terminal(1, " a  \033[32malive\033[m  ", "tree");
	setenv("NO_COLOR", "1", 1);
	check_on_terminal(1, " a  alive  ", "tree");
	check_on_terminal(1, " a  \033[32malive\033[m  ", "tree", "--color=always");
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	check_on_terminal(1, " a  alive  ", "tree");
}

TEST_F(ctx, tree_watches_on_a_terminal)
{
	int fd[12], n;

	for (n = 0; n < 12; n++)
		fd[n] = new(self->dev, format("n%d", n));
	ASSERT_LE(0, fd[11]);
	/* Home again and again; nine lines at most, and what stands for the others. */
	check_on_terminal(3, "\033[H\033[?7l#", "tree", "--watch=0.01");
	check_on_terminal(2, " n8  alive", "tree", "--watch=0.01");
	check_on_terminal(2, "\n...\033[?7h\033[J", "tree", "--watch=0.01");
}

/* Waits until the output of a tool that runs has @n of @part. */
static bool wait_for_output(const struct tool *tool, const char *part, unsigned int n)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + CTX_WAIT_MS * NSEC_PER_MSEC;
	bool found = false;
	char *text;

	while (!found && ctx_clock(CLOCK_MONOTONIC) < end) {
		text = tool_text(tool->out_fd);
		found = count(text, part) >= n;
		free(text);
		usleep(1000);
	}
	return found;
}

TEST_F(ctx, tree_watches_without_a_terminal)
{
	struct tool tool;
	int fd = new(self->dev, "a");

	tool_start(&tool, (char *[]){ "ctx", "tree", "--watch=10ms", NULL });
	EXPECT_TRUE(wait_for_output(&tool, "  alive  ", 2));
	ctx_cancel(fd, 0, NULL);
	EXPECT_TRUE(wait_for_output(&tool, "  cancelled  ", 2));
	kill(tool.pid, SIGINT);
	tool_end(&tool);
	EXPECT_EQ(128 + SIGINT, tool.status);
	check_has(tool.out, "*\n\n#");
	EXPECT_FALSE(strchr(tool.out, '\033'));
	tool_free(&tool);
}

TEST_F(ctx, tree_watches_as_json_a_document_a_line)
{
	char *line, *rest;
	struct tool tool;
	int fd = new(self->dev, "a");

	EXPECT_LE(0, fd);
	tool_start(&tool, (char *[]){ "ctx", "tree", "-j", "-w0.01", NULL });
	EXPECT_TRUE(wait_for_output(&tool, "\n", 3));
	kill(tool.pid, SIGINT);
	tool_end(&tool);
	for (rest = tool.out; (line = strsep(&rest, "\n")) && rest;)
		EXPECT_TRUE(json_is_valid(line));
	tool_free(&tool);
}

TEST_F(ctx, tree_refuses_to_watch_without_a_pause)
{
	check_tool(2, "", "ctx tree: --watch: '0' is no time to wait; try 'ctx tree --help'\n",
		   "tree", "--watch=0");
	check_tool(2, "", "ctx tree: --watch: '-1' is negative; try 'ctx tree --help'\n",
		   "tree", "--watch=-1");
}

/* Processes with contexts come and go as fast as they can. */
struct churn {
	int dev;
	bool stop;
};

static void *churn(void *data)
{
	struct churn *churn = data;
	unsigned int n = 0;
	pid_t pid;

	while (!__atomic_load_n(&churn->stop, __ATOMIC_ACQUIRE)) {
		pid = fork();
		if (!pid) {
			int fd[16], i;

			for (i = 0; i < 16; i++)
				fd[i] = new(i ? fd[i / 2] : churn->dev, "churn");
			for (;;)
				for (i = 15; i; i--) {
					close(fd[i]);
					fd[i] = new(fd[i / 2], "again");
				}
		}
		usleep(n++ % 8 * 1000);
		end_holder(pid);
	}
	return NULL;
}

TEST_F_TIMEOUT(ctx, tree_bears_with_processes_that_vanish, 120)
{
	struct churn data = { .dev = self->dev };
	int fd = new(self->dev, "stays"), child = new(fd, "too");
	unsigned int i, n = rounds(40);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, churn, &data));
	for (i = 0; i < n && _metadata->passed; i++) {
		struct tool tool;

		tool_run(&tool, "tree");
		check_text("", tool.err);
		EXPECT_EQ(0, tool.status);
		check_has(without_ages(tool.out), format("#%llu stays  alive  ", ctx_id(fd)));
		check_has(tool.out, format("- #%llu too  alive  ", ctx_id(child)));
		tool_free(&tool);
		tool_run(&tool, "tree", "--json");
		EXPECT_TRUE(json_is_valid(tool.out));
		tool_free(&tool);
	}
	__atomic_store_n(&data.stop, true, __ATOMIC_RELEASE);
	EXPECT_EQ(0, ctx_thread_join(thread));
}

/*
 * A second under KVM, 20 s without. A kernel that checks every access takes many
 * times as long for all that it does.
 */
static __u64 time_limit(void)
{
	__u64 limit = 20 * NSEC_PER_SEC, ordinary = 20000, cost = race_cost();
	unsigned int regs[4] = {};

	__cpuid(0x40000000, regs[0], regs[1], regs[2], regs[3]);
	if (!memcmp(&regs[1], "KVMKVMKVM\0\0\0", 12)) {
		limit = NSEC_PER_SEC;
		ordinary = 4000;
	}
	return cost > ordinary ? limit / ordinary * cost : limit;
}

#define PROCESSES	100
#define CONTEXTS	100	/* in each */

TEST_F_TIMEOUT(ctx, tree_of_ten_thousand_in_a_hundred_processes, 300)
{
	struct gate *gate = gate_new();
	pid_t pid[PROCESSES];
	struct tool tool;
	__u64 took;
	int i, n, fd;

	ASSERT_TRUE(gate);
	for (i = 0; i < PROCESSES; i++) {
		pid[i] = ctx_fork();
		ASSERT_LE(0, pid[i]);
		if (pid[i])
			continue;
		for (n = 0, fd = self->dev; n < CONTEXTS; n++)
			fd = new(n % 10 ? fd : self->dev, "one of many");
		__atomic_add_fetch(&gate->ready, 1, __ATOMIC_ACQ_REL);
		for (;;)
			pause();
	}
	ASSERT_TRUE(gate_open(gate, PROCESSES));
	took = ctx_clock(CLOCK_MONOTONIC);
	tool_run(&tool, "tree");
	took = ctx_clock(CLOCK_MONOTONIC) - took;
	TH_LOG("ctx tree took %llu ms", took / NSEC_PER_MSEC);
	EXPECT_EQ(0, tool.status);
	EXPECT_EQ(PROCESSES * CONTEXTS, count(tool.out, "\n"));
	EXPECT_EQ(PROCESSES * CONTEXTS, count(tool.out, "\"one of many\"  alive"));
	EXPECT_GT(time_limit(), took);
	tool_free(&tool);
	for (i = 0; i < PROCESSES; i++)
		end_holder(pid[i]);
	gate_free(gate);
}

/* Without rights */

/* The rest of the test is as a user who is not root. */
TEST_F(ctx, tree_shows_what_the_user_may_see)
{
	int theirs = new(self->dev, "theirs"), ours = new(theirs, "ours");
	struct tool tool;
	unsigned long n;
	pid_t user;
	char *head;

	if (geteuid())
		SKIP(return, "needs root");
	in_child(user) {
		head = format("#%llu (not visible)\n`- #%llu ours  alive  %d(tester)*\n",
			      ctx_id(theirs), ctx_id(ours), getpid());
		close(theirs);
		ASSERT_TRUE(become_nobody());
		tool_run(&tool, "tree");
		EXPECT_EQ(0, tool.status);
		check_text("", tool.err);
		EXPECT_EQ(0, strncmp(without_ages(tool.out), head, strlen(head)));
		/* This test, the harness and its parents; no kernel thread. */
		EXPECT_EQ(1, sscanf(tool.out + strlen(head),
				    "(%lu processes cannot be looked into)\n", &n));
		EXPECT_LE(3, n);
		EXPECT_GE(15, n);
		tool_free(&tool);
		tool_run(&tool, "tree", "--json");
		EXPECT_TRUE(json_is_valid(tool.out));
		check_has(tool.out, format("],\"hidden_processes\":%lu}\n", n));
		tool_free(&tool);
	}
	check_child(user);
}

TEST_F(ctx, takes_nothing_that_the_user_may_not_see)
{
	int fd = new(self->dev, "theirs");
	char *id = by_id(fd), *there = by_fd(fd);
	unsigned int i;
	pid_t user;

	if (geteuid())
		SKIP(return, "needs root");
	in_child(user) {
		close(fd);
		ASSERT_TRUE(become_nobody());
		for (i = 0; i < 3; i++) {
			char *command = (char *[]){ "cancel", "wait", "info" }[i];

			check_tool(2, "", format("ctx %s: %s: you may not trace process %d, so take "
						 "no descriptor of it; try as root\n", command,
						 there, getppid()), command, there);
			check_tool(2, "", format("ctx %s: %s: this context is another user's; try as "
						 "root\n", command, id), command, id);
		}
	}
	check_child(user);
	check_alive(fd);
}

/* Without the module, or /proc */

#define NO_MODULE "there is no /dev/ctx: load the module, with 'modprobe ctx'\n"

TEST_F(ctx, says_that_the_module_is_not_loaded)
{
	if (!hide("/dev"))
		SKIP(return, "needs root");
	check_tool(2, "", "ctx tree: " NO_MODULE, "tree");
	check_tool(2, "", "ctx tree: " NO_MODULE, "tree", "--json");
	check_tool(2, "", "ctx cancel: " NO_MODULE, "cancel", "5");
	check_tool(2, "", "ctx wait: " NO_MODULE, "wait", "5");
	check_tool(2, "", "ctx wait: " NO_MODULE, "wait");
	check_tool(2, "", "ctx info: " NO_MODULE, "info");
}

/* In a container that was given no device. */
TEST_F(ctx, needs_no_device_where_there_are_contexts)
{
	int fd = new(self->dev, "a");

	if (!hide("/dev"))
		SKIP(return, "needs root");
	check_tree(format("#%llu a  alive  %s*\n", ctx_id(fd), self->self));
	check_tool(0, "", "", "cancel", by_id(fd));
	check_tool(0, format("#%llu a  cancelled\n", ctx_id(fd)), "", "wait", by_id(fd));
}

TEST_F(ctx, says_that_proc_is_not_mounted)
{
	if (!hide("/proc"))
		SKIP(return, "needs root");
	setenv("CTX", "./ctx", 0);
	check_tool(2, "", "ctx tree: there are no processes in /proc: mount it, "
		   "with 'mount -t proc none /proc'\n", "tree");
}

/* cancel */

TEST_F(ctx, cancel_by_descriptor)
{
	int fd = new(self->dev, "a");

	check_tool(0, "", "", "cancel", by_fd(fd));
	check_cancelled(fd, ECANCELED, ECANCELED, ctx_id(fd));
	check_message(fd, "");
}

TEST_F(ctx, cancel_by_id)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b");

	check_tool(0, "", "", "cancel", by_id(a));
	check_cancelled(a, ECANCELED, ECANCELED, ctx_id(a));
	check_alive(b);
	check_tool(0, "", "", "cancel", format("#%s", by_id(b)));
	check_cancelled(b, ECANCELED, ECANCELED, ctx_id(b));
}

TEST_F(ctx, cancel_finds_the_holder_that_may)
{
	int fd = new(self->dev, "a"), watch = ctx_watch(fd, CTX_CLOEXEC);
	pid_t owner = holder("owner", fd);

	ASSERT_EQ(0, wait_for_holder(owner));
	close(fd);
	check_tool(0, "", "", "cancel", by_id(watch));
	check_cancelled(watch, ECANCELED, ECANCELED, ctx_id(watch));
	end_holder(owner);
}

TEST_F(ctx, cancel_says_why)
{
	static const struct {
		char *text;
		int cause;
	} cases[] = {
		{ "EPIPE", EPIPE }, { "epipe", EPIPE }, { "32", 32 }, { "70000", 70000 },
		{ "2147483647", INT_MAX }, { "EWOULDBLOCK", EAGAIN }, { "EDEADLOCK", EDEADLK },
		{ "ENOTSUP", EOPNOTSUPP }, { "EHWPOISON", EHWPOISON },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int fd = new(self->dev, "a");

		check_tool(0, "", "", "cancel", "-c", cases[i].text, "-m", "client gone", by_id(fd));
		check_cancelled(fd, ECANCELED, cases[i].cause, ctx_id(fd));
		check_message(fd, "client gone");
		close(fd);
	}
}

TEST_F(ctx, cancel_takes_the_longest_message)
{
	char *text = format("%0128d", 1);
	int fd = new(self->dev, "a");

	check_tool(2, "", "ctx cancel: --message: over 128 bytes; try 'ctx cancel --help'\n",
		   "cancel", "--message", format("%0129d", 1), by_id(fd));
	check_alive(fd);
	check_tool(0, "", "", "cancel", by_fd(fd), "--cause=EIO", "--message", text);
	check_message(fd, text);
}

TEST_F(ctx, cancel_says_where_it_was_before)
{
	int fd = new(self->dev, "a");

	ctx_cancel(fd, CAUSE, NULL);
	check_tool(1, "", format("ctx cancel: %s: was cancelled before\n", by_fd(fd)),
		   "cancel", "-c", "EIO", by_fd(fd));
	check_cancelled(fd, ECANCELED, CAUSE, ctx_id(fd));
}

TEST_F(ctx, cancel_needs_a_writable_descriptor)
{
	int fd = new(self->dev, "a"), watch = ctx_watch(fd, CTX_CLOEXEC);

	check_tool(2, "", format("ctx cancel: %s: held read-only there; give the id\n",
				 by_fd(watch)), "cancel", by_fd(watch));
	check_alive(fd);
}

TEST_F(ctx, refuses_what_is_no_context)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), none = 999;
	unsigned int i;
	pid_t pid;

	pid = ctx_fork();
	if (!pid)
		_exit(0);
	EXPECT_EQ(0, race_reap(pid));
	for (i = 0; i < 3; i++) {
		char *command = (char *[]){ "cancel", "wait", "info" }[i];
		char *text;

		text = by_fd(null);
		check_tool(2, "", format("ctx %s: %s: that is no context; 'ctx tree' shows who holds "
					 "what\n", command, text), command, text);
		text = by_fd(none);
		check_tool(2, "", format("ctx %s: %s: process %d has no descriptor %d; 'ctx tree' "
					 "shows who holds what\n", command, text, getpid(), none),
			   command, text);
		text = format("%d:3", pid);
		check_tool(2, "", format("ctx %s: %s: there is no process %d; 'ctx tree' shows who "
					 "holds what\n", command, text, pid), command, text);
		check_tool(2, "", format("ctx %s: 123456789: there is no such context; 'ctx tree' "
					 "lists them\n", command), command, "123456789");
	}
	check_tool(2, "", format("ctx cancel: %s: that is /dev/ctx, the background, which is never "
				 "cancelled\n", by_fd(self->dev)), "cancel", by_fd(self->dev));
}

TEST_F(ctx, refuses_what_names_no_context)
{
	static char *const cases[] = {
		"x", "-", "0", "#0", "#", "+5", " 5", "5 ", "5:", ":5", "5:x", "5:6:7", "#5:6",
		"0:5", "5:-6", "5:2147483648", "2147483648:5", "18446744073709551616", "0x5",
		"a name that is longer than any name of a context may be",
	};
	unsigned int i, k;

	for (k = 0; k < 3; k++) {
		char *command = (char *[]){ "cancel", "wait", "info" }[k];

		for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
			check_tool(2, "", format("ctx %s: %s: there is no context of this name; 'ctx "
						 "tree' lists them\n", command, cases[i]),
				   command, "--", cases[i]);
		check_tool(2, "", format("ctx %s: '' names no context; try 'ctx %s --help'\n", command,
					 command), command, "");
	}
}

TEST_F(ctx, complains_in_one_line_without_controls)
{
	check_tool(2, "", "ctx info: \\033[2J\\012\\177: there is no context of this name; 'ctx tree' "
		   "lists them\n", "info", "\033[2J\n\177");
}

/* fdinfo tells of each lock, and before all else. */
TEST_F(ctx, finds_contexts_behind_any_number_of_locks)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
	int fd = new(self->dev, "locked");

	for (int i = 0; i < 300; i++) {
		lock.l_start = 2 * i;
		ASSERT_EQ(0, fcntl(fd, F_SETLK, &lock));
	}
	check_tool(0, "", "", "cancel", by_id(fd));
	check_cancelled(fd, ECANCELED, ECANCELED, ctx_id(fd));
}

TEST_F(ctx, cancel_refuses_other_arguments)
{
	static char *const causes[] = { "", "0", "-1", "E", "EPIPES", "1x", "2147483648", " 1" };
	unsigned int i;

	for (i = 0; i < sizeof(causes) / sizeof(*causes); i++)
		check_tool(2, "", format("ctx cancel: --cause: '%s' is no errno and no number over 0; "
					 "try 'ctx cancel --help'\n", causes[i]),
			   "cancel", "-c", causes[i], "1");
	check_tool(2, "", "ctx cancel: which context?; try 'ctx cancel --help'\n", "cancel");
	check_tool(2, "", "ctx cancel: one context at a time; try 'ctx cancel --help'\n",
		   "cancel", "1", "2");
	check_tool(2, "", "ctx cancel: --cause needs an argument; try 'ctx cancel --help'\n",
		   "cancel", "1", "-c");
	check_tool(2, "", "ctx cancel: -x is not an option; try 'ctx cancel --help'\n",
		   "cancel", "--message=--", "-x", "1");
}

/* wait */

/* Starts ctx wait with the arguments; returns once it waits. */
#define wait_start(tool, ...) ({					\
	tool_start((tool), (char *[]){ "ctx", "wait", ##__VA_ARGS__, NULL }); \
	ASSERT_EQ(0, ctx_wait_in_syscall((tool)->pid, (tool)->pid, SYS_ppoll)); \
})

/* Beside whom it waited for. */
#define check_wait_end(tool, code, text) ({				\
	tool_end(tool);							\
	EXPECT_EQ((tool)->err, strstr((tool)->err, "ctx wait: waiting for #")); \
	check_text((text), (tool)->out);				\
	EXPECT_EQ((code), (tool)->status);				\
	tool_free(tool);						\
})

TEST_F(ctx, wait_tells_of_the_cancellation)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b");
	struct tool first, second;

	wait_start(&first, by_id(a));
	wait_start(&second, by_fd(b));
	ctx_cancel(a, CAUSE, "client gone");
	check_wait_end(&first, 0, format("#%llu a  cancelled EPIPE \"client gone\"\n", ctx_id(a)));
	ctx_cancel(b, 0, NULL);
	check_wait_end(&second, 0, format("#%llu b  cancelled\n", ctx_id(b)));
}

TEST_F(ctx, wait_does_not_keep_the_context_alive)
{
	int fd = new(self->dev, "a");
	__u64 id = ctx_id(fd);
	struct tool tool;

	wait_start(&tool, by_fd(fd));
	close(fd);
	check_wait_end(&tool, 0, format("#%llu a  cancelled EOWNERDEAD\n", id));
}

TEST_F(ctx, wait_is_for_all)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b");
	struct tool tool;

	wait_start(&tool, by_id(a), by_fd(b));
	ctx_cancel(b, 0, NULL);
	/* It tells of each as it comes. */
	EXPECT_TRUE(wait_for_output(&tool, "cancelled\n", 1));
	EXPECT_EQ(0, ctx_wait_in_syscall(tool.pid, tool.pid, SYS_ppoll));
	ctx_cancel(a, 0, NULL);
	check_wait_end(&tool, 0, format("#%llu b  cancelled\n#%llu a  cancelled\n", ctx_id(b),
					ctx_id(a)));
}

TEST_F(ctx, wait_is_for_any_where_asked)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b");
	struct tool tool;

	wait_start(&tool, "--any", by_id(a), by_fd(b));
	ctx_cancel(b, 0, NULL);
	check_wait_end(&tool, 0, format("#%llu b  cancelled\n", ctx_id(b)));
	check_alive(a);
}

TEST_F(ctx, wait_is_quiet_where_asked)
{
	int fd = new(self->dev, "a");

	ctx_cancel(fd, 0, NULL);
	check_tool(0, "", "", "wait", "-q", by_id(fd));
	check_tool(0, "", "", "wait", "--quiet", by_fd(fd));
}

TEST_F(ctx, wait_ends_with_its_timeout)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b");
	__u64 start = ctx_clock(CLOCK_MONOTONIC);

	check_tool(1, "", format("ctx wait: waiting for #%llu 'a', made by process %d\n", ctx_id(a),
				 getpid()), "wait", "-t", "100ms", by_id(a));
	EXPECT_LE(100 * NSEC_PER_MSEC, ctx_clock(CLOCK_MONOTONIC) - start);
	check_tool(1, "", "", "wait", "--timeout=0", by_fd(a));
	ctx_cancel(b, 0, NULL);
	check_tool(1, format("#%llu b  cancelled\n", ctx_id(b)), "", "wait", "-t0", by_id(a),
		   by_id(b));
	check_tool(0, format("#%llu b  cancelled\n", ctx_id(b)), "", "wait", "-at0", by_id(a),
		   by_id(b));
}

/* Longer than any clock counts is as good as for ever. */
TEST_F(ctx, wait_takes_the_longest_timeout)
{
	int fd = new(self->dev, "a");
	struct tool tool;

	wait_start(&tool, "-t", "9223372036854775807.9s", by_id(fd));
	ctx_cancel(fd, 0, NULL);
	check_wait_end(&tool, 0, format("#%llu a  cancelled\n", ctx_id(fd)));
}

TEST_F(ctx, wait_is_for_the_ambient_context)
{
	int fd = ctx_new_named(self->dev, "ambient"), watch = ctx_watch(fd, 0);
	struct tool tool;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setenv("CTX_FD", format("%d", watch), 1);
	wait_start(&tool);
	ctx_cancel(fd, CAUSE, NULL);
	check_wait_end(&tool, 0, format("#%llu ambient  cancelled EPIPE\n", ctx_id(fd)));
	setenv("CTX_FD", "x", 1);
	check_tool(2, "", "ctx wait: CTX_FD=x in the environment is no descriptor's number; unset "
		   "it\n", "wait");
	unsetenv("CTX_FD");
	/* The background: never. */
	check_tool(1, "", "ctx wait: waiting for the background, which is never cancelled\n",
		   "wait", "-t", "10ms");
}

TEST_F(ctx, wait_holds_nothing_that_it_cannot_wait_for)
{
	int fd = new(self->dev, "a");

	check_tool(2, "", "ctx wait: 123456789: there is no such context; 'ctx tree' lists them\n",
		   "wait", by_id(fd), "123456789");
	check_tool(2, "", "ctx wait: --timeout needs an argument; try 'ctx wait --help'\n",
		   "wait", "-t");
}

/* info */

TEST_F(ctx, info_tells_all)
{
	int top = new(self->dev, "top"), fd = new_with(top, "a job", CTX_CREATE_DETACHED);
	int child = new(fd, "child"), watch = ctx_watch(fd, CTX_CLOEXEC);
	char *alive = format("id:         %llu\n"
			     "name:       \"a job\"\n"
			     "state:      alive\n"
			     "cause:      -\n"
			     "message:    -\n"
			     "origin:     -\n"
			     "cancelled:  -\n"
			     "deadline:   in 2h29m\n"
			     "parent:     %llu\n"
			     "depth:      1\n"
			     "children:   1\n"
			     "parents:    -\n"
			     "flags:      detached\n"
			     "user:       %u\n"
			     "maker:      %d\n", ctx_id(fd), ctx_id(top), geteuid(), getpid());
	char *holders = format("holders:    %d:%d(tester)* %d:%d(tester)\n", getpid(), fd, getpid(),
			       watch);
	struct tool tool;

	EXPECT_LE(0, child);
	/* Far from the next minute, on a slow machine too. */
	ASSERT_EQ(0, ctx_set_timeout(fd, 2 * HOUR + 1800 * NSEC_PER_SEC));
	tool_run(&tool, "info", by_id(fd));
	EXPECT_EQ(0, tool.status);
	check_text("", tool.err);
	check_has(tool.out, alive);
	check_has(tool.out, "\nage:        ");
	check_has(tool.out, holders);
	tool_free(&tool);

	ctx_cancel(top, CAUSE, "client gone");
	tool_run(&tool, "info", by_fd(watch));
	EXPECT_EQ(0, tool.status);
	check_has(tool.out, "\nstate:      cancelled\n"
		  "cause:      EPIPE (32, Broken pipe)\n"
		  "message:    client gone\n");
	check_has(tool.out, format("\norigin:     %llu\ncancelled:  ", ctx_id(top)));
	check_has(tool.out, "s ago\n");
	check_has(tool.out, holders);
	tool_free(&tool);
}

TEST_F(ctx, info_tells_of_several)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b");
	struct tool tool;

	tool_run(&tool, "info", by_id(b), by_fd(a));
	EXPECT_EQ(0, tool.status);
	EXPECT_EQ(tool.out, strstr(tool.out, format("id:         %llu\n", ctx_id(b))));
	check_has(tool.out, format("\n\nid:         %llu\n", ctx_id(a)));
	tool_free(&tool);
	check_tool(2, "", "ctx info: 123456789: there is no such context; 'ctx tree' lists them\n",
		   "info", by_id(a), "123456789", by_id(b));
}

TEST_F(ctx, info_is_json_where_asked)
{
	int a = new_with(self->dev, "a", CTX_CREATE_DETACHED), b = new(a, "b");
	struct tool tool;

	tool_run(&tool, "info", "--json", by_id(a), by_fd(b));
	EXPECT_EQ(0, tool.status);
	EXPECT_TRUE(json_is_valid(tool.out));
	check_has(json_of(&tool, ctx_id(a)), format("\"fd\":%d,\"writable\":true,"
		  "\"command\":\"tester\"}],\"cancelled_at\":null,\"flag_names\":[\"detached\"]}", a));
	check_has(json_of(&tool, ctx_id(b)), "\"flag_names\":[]}");
	tool_free(&tool);
	ctx_cancel(a, 0, NULL);
	tool_run(&tool, "info", "-j", by_id(b));
	EXPECT_TRUE(json_is_valid(tool.out));
	check_has(json_of(&tool, ctx_id(b)), format("\"origin\":%llu,", ctx_id(a)));
	EXPECT_FALSE(strstr(tool.out, "\"cancelled_at\":null"));
	tool_free(&tool);
}

TEST_F(ctx, info_tells_of_the_ambient_context)
{
	int fd = ctx_new_named(self->dev, "ambient");
	struct tool tool;

	setenv("CTX_FD", format("%d", fd), 1);
	tool_run(&tool, "info");
	EXPECT_EQ(0, tool.status);
	check_has(tool.out, format("id:         %llu\nname:       ambient\n", ctx_id(fd)));
	check_has(tool.out, format("holders:    %d:%d(tester)* %d:%d(ctx)*\n", getpid(), fd, tool.pid,
				   fd));
	tool_free(&tool);
	unsetenv("CTX_FD");
	tool_run(&tool, "info");
	EXPECT_EQ(0, tool.status);
	check_has(tool.out, "id:         0 (the background)\nname:       -\nstate:      alive\n");
	tool_free(&tool);
}

TEST_HARNESS_MAIN
