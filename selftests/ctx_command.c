// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ctx command, all but its run: what each subcommand and option does, and
 * what it says where it cannot.
 */
#include "ctx_command.h"
#include "ctx_json.h"
#include "race.h"
#include "../tools/ctx.h"

#include <sys/resource.h>

FIXTURE(ctx) {
	int dev;
};

FIXTURE_SETUP(ctx)
{
	forget_variables();
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
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
		"tree", "ls", "cancel", "wait", "info", "deadline", "value",
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
	check_tool(0, "", "", "cancel", by_id(fd));
	check_tool(0, format("#%llu a  cancelled\n", ctx_id(fd)), "", "wait", by_id(fd));
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
		check_tool(2, "", format("ctx %s: %s: that is no context; 'ctx tree --holders' "
					 "shows who holds what\n", command, text), command, text);
		text = by_fd(none);
		check_tool(2, "", format("ctx %s: %s: process %d has no descriptor %d; 'ctx tree "
					 "--holders' shows who holds what\n", command, text, getpid(), none),
			   command, text);
		text = format("%d:3", pid);
		check_tool(2, "", format("ctx %s: %s: there is no process %d; 'ctx tree "
					 "--holders' shows who holds what\n", command, text, pid), command, text);
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

/* The line of --json that tells of the context. */
static char *json_of(const struct tool *tool, __u64 id)
{
	char *line = strstr(tool->out, format("{\"id\":%llu,", id));

	return line ? strndup(line, strcspn(line, "\n")) : "";
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
