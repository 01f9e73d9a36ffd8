// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts by name and by id in the ctx command, and what it does with one that is
 * found so: cancel, wait, info, deadline, value.
 */
#include "ctx_command.h"
#include "race.h"

#include <linux/sched.h>

FIXTURE(names) {
	int dev;
};

FIXTURE_SETUP(names)
{
	unsetenv("CTX_FD");
	setenv("TZ", "UTC", 1);
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	prctl(PR_SET_NAME, "tester");
}

FIXTURE_TEARDOWN(names)
{
}

/* A name that no other test's context has. */
static char *own_name(const char *what)
{
	return format("%s-%d", what, getpid());
}

/* "#12 (tester, process 345)" */
static char *candidate(int fd)
{
	return format("#%llu (tester, process %d)", ctx_id(fd), getpid());
}

TEST_F(names, cancels_by_name)
{
	char *name = own_name("build");
	int fd = new(self->dev, name), other = new(self->dev, own_name("builds"));

	check_tool(0, "", "", "cancel", "-m", "enough", name);
	check_cancelled(fd, ECANCELED, ECANCELED, ctx_id(fd));
	check_message(fd, "enough");
	check_alive(other);
}

TEST_F(names, waits_by_name)
{
	char *name = own_name("build");
	int fd = new(self->dev, name);
	struct tool tool;

	tool_start(&tool, (char *[]){ "ctx", "wait", name, NULL });
	ASSERT_EQ(0, ctx_wait_in_syscall(tool.pid, tool.pid, SYS_ppoll));
	ctx_cancel(fd, EPIPE, NULL);
	tool_end(&tool);
	EXPECT_EQ(0, tool.status);
	check_text(format("ctx wait: waiting for #%llu '%s', made by process %d\n", ctx_id(fd), name,
			  getpid()), tool.err);
	check_text(format("#%llu %s  cancelled EPIPE\n", ctx_id(fd), name), tool.out);
	tool_free(&tool);
}

TEST_F(names, tells_all_by_name)
{
	char *name = own_name("build");
	int fd = new(self->dev, name);
	struct tool tool;

	tool_run(&tool, "info", name);
	EXPECT_EQ(0, tool.status);
	check_has(tool.out, format("id:         %llu\nname:       %s\n", ctx_id(fd), name));
	tool_free(&tool);
}

TEST_F(names, lists_the_candidates_of_an_ambiguous_name)
{
	static char *const commands[] = { "cancel", "wait", "info", "deadline" };
	char *name = own_name("twice");
	int a = new(self->dev, name), b = new(self->dev, name);
	unsigned int i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		check_tool(2, "", format("ctx %s: %s: 2 contexts have this name, so give an id: %s, %s\n",
					 commands[i], name, candidate(a), candidate(b)),
			   commands[i], name);
	check_alive(a);
	check_alive(b);
	check_tool(0, "", "", "cancel", format("#%llu", ctx_id(a)));
	check_cancelled(a, ECANCELED, ECANCELED, ctx_id(a));
	check_alive(b);
}

/* A fork that has this pid. */
static pid_t fork_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

/* In whole seconds, as fdinfo tells it. */
static int age_of(int fd)
{
	char *path = format("/proc/self/fdinfo/%d", fd), line[256];
	FILE *file = fopen(path, "re");
	int age = -1;

	while (file && age < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, "ctx-age:", strlen("ctx-age:")))
			age = atoi(line + strlen("ctx-age:"));
	fclose(file);
	return age;
}

TEST_F(names, takes_nobody_for_the_maker_who_has_its_pid_now)
{
	char *name = own_name("orphan");
	int pair[2], a, b;
	pid_t maker, other;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	in_child(maker) {
		EXPECT_EQ(0, ctx_send_fd(pair[1], new(self->dev, name)));
		EXPECT_EQ(0, ctx_send_fd(pair[1], new(self->dev, name)));
	}
	check_child(maker);
	a = ctx_recv_fd(pair[0]);
	b = ctx_recv_fd(pair[0]);
	/* Ages are told in seconds. */
	while (age_of(b) < 2)
		usleep(10000);
	other = fork_as(maker);
	if (other < 0)
		SKIP(return, "no pid can be chosen: %s", strerror(errno));
	if (!other) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	check_tool(2, "", format("ctx cancel: %s: 2 contexts have this name, so give an id: "
				 "#%llu (process %d), #%llu (process %d)\n", name, ctx_id(a), maker,
				 ctx_id(b), maker), "cancel", name);
	end_holder(other);
}

TEST_F(names, takes_the_only_one_that_is_alive)
{
	char *name = own_name("again");
	int before = new(self->dev, name), now = new(self->dev, name);

	ctx_cancel(before, 0, NULL);
	check_tool(0, "", "", "cancel", name);
	check_cancelled(now, ECANCELED, ECANCELED, ctx_id(now));
	/* None is alive any more. */
	check_tool(2, "", format("ctx cancel: %s: 2 contexts have this name, so give an id: %s, %s\n",
				 name, candidate(before), candidate(now)), "cancel", name);
	close(before);
	check_tool(1, "", format("ctx cancel: %s: was cancelled before\n", name), "cancel", name);
}

TEST_F(names, lists_some_of_many_candidates)
{
	char *name = own_name("many");
	struct tool tool;
	int i;

	for (i = 0; i < 20; i++)
		ASSERT_LE(0, new(self->dev, name));
	tool_run(&tool, "cancel", name);
	EXPECT_EQ(2, tool.status);
	check_has(tool.err, "20 contexts have this name, so give an id: #");
	check_has(tool.err, " and 12 more\n");
	EXPECT_EQ(tool.err + strlen(tool.err) - 1, strchr(tool.err, '\n'));
	tool_free(&tool);
}

TEST_F(names, finds_names_that_look_otherwise)
{
	static const char *const names[] = { "12:x", "#x", "-5", "a b", "\u00e4", "0", "x:1" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int fd = new(self->dev, names[i]);

		check_tool(0, "", "", "cancel", "--", (char *)names[i]);
		check_cancelled(fd, ECANCELED, ECANCELED, ctx_id(fd));
		close(fd);
	}
}

TEST_F(names, finds_one_among_thousands)
{
	char *name = own_name("needle");
	int top = new(self->dev, "hay"), fd, i;

	for (i = 0; i < 900; i++)
		ASSERT_LE(0, new(top, "hay"));
	fd = new(top, name);
	for (i = 0; i < 900 / 9; i++)
		ASSERT_LE(0, new(top, "hay"));
	check_tool(0, "", "", "cancel", name);
	check_cancelled(fd, ECANCELED, ECANCELED, ctx_id(fd));
	check_alive(top);
}

/* Nobody but the maker, which has ended, and a child of it that cannot cancel. */
TEST_F(names, cancels_what_everybody_holds_read_only)
{
	int fd = new_with(self->dev, own_name("lost"), CTX_CREATE_DETACHED);
	int watch = ctx_watch(fd, CTX_CLOEXEC);

	close(fd);
	check_tool(0, "", "", "cancel", by_id(watch));
	check_cancelled(watch, ECANCELED, ECANCELED, ctx_id(watch));
}

TEST_F(names, needs_no_processes)
{
	char *name = own_name("build");
	int fd = new(self->dev, name);
	struct tool tool;

	if (!hide("/proc"))
		SKIP(return, "needs root");
	setenv("CTX", "./ctx", 0);
	tool_run(&tool, "info", name);
	EXPECT_EQ(0, tool.status);
	check_text("", tool.err);
	check_has(tool.out, "holders:    -\n");
	tool_free(&tool);
	check_tool(0, "", "", "cancel", name);
	check_tool(0, format("#%llu %s  cancelled\n", ctx_id(fd), name), "", "wait", by_id(fd));
	check_tool(2, "", "ctx wait: 123456789: there is no such context; 'ctx tree' lists them\n",
		   "wait", "123456789");
}

TEST_F(names, does_not_find_those_of_other_users)
{
	char *name = own_name("theirs");
	int fd = new(self->dev, name);
	pid_t user;

	if (geteuid())
		SKIP(return, "needs root");
	in_child(user) {
		__u64 id = ctx_id(fd);

		close(fd);
		ASSERT_TRUE(become_nobody());
		check_tool(2, "", format("ctx cancel: %s: there is no context of this name; 'ctx tree' "
					 "lists them\n", name), "cancel", name);
		check_tool(2, "", format("ctx deadline: %llu: this context is another user's; try as "
					 "root\n", id), "deadline", format("%llu", id), "+1s");
	}
	check_child(user);
	check_alive(fd);
}

/* The context of another user with this name; the process that has it ends with @sock. */
static pid_t theirs(const char *name, int *sock)
{
	int socks[2], fd;
	char byte = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks))
		return -1;
	pid = ctx_fork();
	if (!pid) {
		close(socks[0]);
		fd = become_nobody() ? new(ctx_background(), name) : -1;
		if (fd >= 0 && write(socks[1], &byte, 1) == 1)
			(void)!read(socks[1], &byte, 1);
		_exit(0);
	}
	close(socks[1]);
	*sock = socks[0];
	return read(*sock, &byte, 1) == 1 ? pid : -1;
}

/* Who takes a name that is root's own comes not between. */
TEST_F(names, finds_only_what_one_made)
{
	char *name = own_name("backup");
	struct tool tool;
	int fd, sock;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	unsetenv("SUDO_UID");
	pid = theirs(name, &sock);
	ASSERT_LT(0, pid);
	fd = new(self->dev, name);
	check_tool(0, "", "", "cancel", name);
	check_cancelled(fd, ECANCELED, ECANCELED, ctx_id(fd));
	close(fd);
	tool_run(&tool, "cancel", name);
	EXPECT_EQ(2, tool.status);
	check_has(tool.err, format("ctx cancel: %s: only contexts of other users have this name, so "
				   "give an id: #", name));
	check_has(tool.err, format("process %d)\n", pid));
	tool_free(&tool);
	close(sock);
	waitpid(pid, NULL, 0);
}

TEST_F(names, finds_what_one_made_before_sudo)
{
	char *name = own_name("backup");
	pid_t pid;
	int sock;

	if (geteuid())
		SKIP(return, "needs root");
	pid = theirs(name, &sock);
	ASSERT_LT(0, pid);
	setenv("SUDO_UID", format("%d", NOBODY), 1);
	check_tool(0, "none\n", "", "deadline", name);
	close(sock);
	waitpid(pid, NULL, 0);
}

/* Who was handed another user's context has a right to it that ids know nothing of. */
TEST_F(names, takes_what_one_holds_of_another_user)
{
	int fd = new(self->dev, own_name("lent"));
	pid_t user;

	if (geteuid())
		SKIP(return, "needs root");
	in_child(user) {
		ASSERT_TRUE(become_nobody());
		check_tool(0, "", "", "cancel", by_id(fd));
	}
	check_child(user);
	check_cancelled(fd, ECANCELED, ECANCELED, ctx_id(fd));
}

TEST_F(names, serves_with_an_older_module)
{
	static const char too_old[] =
		"the module is too old to find contexts by id or name; searching /proc\n";
	char *name = own_name("old");
	int fd = new(self->dev, name), other = new(self->dev, "other");
	struct tool tool;
	pid_t pid;

	in_child(pid) {
		ASSERT_EQ(0, forget_ids());
		tool_run(&tool, "info", name, by_id(other));
		EXPECT_EQ(0, tool.status);
		/* Once, however many there are. */
		check_text(format("ctx info: %s", too_old), tool.err);
		check_has(tool.out, format("id:         %llu\nname:       %s\n", ctx_id(fd), name));
		tool_free(&tool);
		check_tool(0, "", format("ctx cancel: %s", too_old), "cancel", name);
		check_tool(0, "none\n", format("ctx deadline: %s", too_old), "deadline",
			   by_id(other));
		check_tool(2, "", format("ctx cancel: %sctx cancel: 123456789: nobody holds such a "
					 "context; 'ctx tree' lists them\n", too_old), "cancel",
			   "123456789");
	}
	check_child(pid);
	check_cancelled(fd, ECANCELED, ECANCELED, ctx_id(fd));
	check_alive(other);
}

/* wait */

TEST_F(names, tells_what_is_no_more_from_a_mistake)
{
	int fd = new(self->dev, own_name("short"));
	char *id = by_id(fd), *later = format("%llu", ctx_id(fd) + 1000000);

	close(fd);
	check_tool(0, "", format("ctx wait: %s: this context is no more\n", id), "wait", id);
	check_tool(2, "", format("ctx info: %s: this context is no more\n", id), "info", id);
	check_tool(2, "", format("ctx wait: %s: there is no such context; 'ctx tree' lists them\n",
				 later), "wait", later);
}

TEST_F(names, waits_for_the_rest_where_one_is_no_more)
{
	int gone = new(self->dev, own_name("short")), fd = new(self->dev, own_name("long"));
	char *id = by_id(gone);
	struct tool tool;

	close(gone);
	tool_start(&tool, (char *[]){ "ctx", "wait", id, by_id(fd), NULL });
	ASSERT_EQ(0, ctx_wait_in_syscall(tool.pid, tool.pid, SYS_ppoll));
	ctx_cancel(fd, 0, NULL);
	tool_end(&tool);
	EXPECT_EQ(0, tool.status);
	check_text(format("#%llu %s  cancelled\n", ctx_id(fd), own_name("long")), tool.out);
	tool_free(&tool);
}

TEST_F(names, takes_no_mistake_for_what_is_no_more)
{
	int gone = new(self->dev, own_name("short"));
	char *id = by_id(gone), *name = own_name("nobody"), *twice = own_name("twice");
	int a = new(self->dev, twice), b = new(self->dev, twice);
	char *others[] = { name, twice };
	struct tool tool;
	unsigned int i;

	close(gone);
	for (i = 0; i < 2; i++) {
		tool_run(&tool, "wait", id, others[i]);
		EXPECT_EQ(2, tool.status);
		tool_free(&tool);
		tool_run(&tool, "wait", "--any", others[i], id);
		EXPECT_EQ(2, tool.status);
		tool_free(&tool);
	}
	check_alive(a);
	check_alive(b);
}

TEST_F(names, is_done_with_any_where_one_is_no_more)
{
	int gone = new(self->dev, own_name("short")), fd = new(self->dev, own_name("long"));
	char *id = by_id(gone);

	close(gone);
	check_tool(0, "", format("ctx wait: %s: this context is no more\n", id), "wait", "--any", id,
		   by_id(fd));
}

TEST_F(names, cannot_tell_in_a_container)
{
	int fd = new(self->dev, own_name("outside"));
	char *id = by_id(fd);
	struct tool tool;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		SKIP(return, "needs root");
	/* Not by ctx_fork(): its parent is nobody there. */
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		EXPECT_EQ(0, unshare(CLONE_NEWNS));
		EXPECT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
		EXPECT_EQ(0, mount("proc", "/proc", "proc", 0, NULL));
		close(fd);
		tool_run(&tool, "wait", id);
		EXPECT_EQ(2, tool.status);
		check_text(format("ctx wait: %s: this context is no more, or is of another "
				  "container; 'ctx tree' lists them\n", id), tool.err);
		_exit(_metadata->passed ? 0 : 1);
	}
	check_child(pid);
	check_alive(fd);
}

/* run --under */

/* What env -i and sudo leave of it: nothing. */
TEST_F(names, runs_under_a_context)
{
	char *name = own_name("day"), *line;
	int fd = new(self->dev, name);
	char *ways[] = { name, by_id(fd), by_fd(fd) };
	struct tool tool;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		tool_run(&tool, "run", "--under", ways[i], (char *)tool_path(), "info");
		EXPECT_EQ(0, tool.status);
		check_text("", tool.err);
		line = format("\nparent:     %llu\n", ctx_id(fd));
		check_has(tool.out, line);
		tool_free(&tool);
	}
	check_alive(fd);
}

TEST_F(names, runs_nothing_under_what_may_only_be_watched)
{
	int fd = new(self->dev, "sealed"), watch;

	watch = ctx_watch(fd, CTX_CLOEXEC | CTX_WATCH_ONLY);
	ASSERT_LE(0, watch);
	check_tool(125, "", format("ctx run: cannot create the context: the context of %s can be no "
				   "parent\n", by_fd(watch)), "run", "--under", by_fd(watch), "true");
}

TEST_F(names, ends_what_runs_under_a_context)
{
	char *name = own_name("day");
	int fd = new(self->dev, name), ready[2];
	struct tool tool;
	char byte;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	ASSERT_EQ(9, dup2(ready[1], 9));
	close(ready[1]);
	tool_start(&tool, (char *[]){ "ctx", "run", "--under", name, "sh", "-c",
				      "echo >&9; exec sleep 1000", NULL });
	close(9);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ctx_cancel(fd, 0, NULL);
	tool_end(&tool);
	EXPECT_EQ(128 + SIGTERM, tool.status);
	tool_free(&tool);
}

TEST_F(names, runs_nothing_under_what_is_not_there)
{
	char *name = own_name("nothing");

	check_tool(125, "", format("ctx run: %s: there is no context of this name; 'ctx tree' lists "
				   "them\n", name), "run", "--under", name, "true");
	check_tool(125, "", "ctx run: '' names no context; try 'ctx run --help'\n", "run", "--under",
		   "", "true");
}

/* deadline */

/* 0 for none. */
static __u64 deadline_of(int fd)
{
	struct ctx_info info;

	return ctx_info(fd, &info) ? 0 : info.deadline;
}

static __u64 left(int fd)
{
	__u64 deadline = deadline_of(fd), now = ctx_clock(CLOCK_MONOTONIC);

	return deadline > now ? deadline - now : 0;
}

TEST_F(names, sets_a_deadline_from_now)
{
	char *name = own_name("job");
	int fd = new(self->dev, name);

	check_tool(0, "", "", "deadline", name, "+1h30m");
	EXPECT_GE(5400 * NSEC_PER_SEC, left(fd));
	EXPECT_LT(5000 * NSEC_PER_SEC, left(fd));
	check_tool(0, "", "", "deadline", by_fd(fd), "+3h");
	EXPECT_LT(10000 * NSEC_PER_SEC, left(fd));
	check_tool(0, "", "", "deadline", by_id(fd), "none");
	EXPECT_EQ(0, deadline_of(fd));
	check_tool(0, "", "", "deadline", by_id(fd), "+inf");
	EXPECT_EQ(0, deadline_of(fd));
	check_tool(0, "", "", "deadline", by_id(fd), "+0");
	EXPECT_LT(0, ctx_poll(fd, CTX_WAIT_MS));
	check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
}

/* A day off at most, whatever the hour is. */
TEST_F(names, sets_a_deadline_at_a_time)
{
	static const char *const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "@%s",
	};
	time_t then = time(NULL) + 7200;
	int fd = new(self->dev, "a");
	char text[64];
	unsigned int i;

	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		strftime(text, sizeof(text), formats[i], gmtime(&then));
		check_tool(0, "", "", "deadline", by_id(fd), text);
		EXPECT_GE(7200 * NSEC_PER_SEC, left(fd));
		EXPECT_LT(6900 * NSEC_PER_SEC, left(fd));
		check_tool(0, "", "", "deadline", by_id(fd), "none");
	}
	then += 86400;
	strftime(text, sizeof(text), "%Y-%m-%d", gmtime(&then));
	check_tool(0, "", "", "deadline", by_id(fd), text);
	EXPECT_GE(26 * 3600 * NSEC_PER_SEC, left(fd));
	EXPECT_LT(NSEC_PER_SEC, left(fd));
}

/* Makes it noon, give or take an hour, so that no test is run at the end of a day. */
static void make_it_noon(void)
{
	time_t now = time(NULL);
	struct tm tm;

	setenv("TZ", format("NOON%d", gmtime_r(&now, &tm)->tm_hour - 12), 1);
}

TEST_F(names, sets_a_deadline_at_a_time_of_the_day)
{
	int fd = new(self->dev, "a");

	make_it_noon();
	check_tool(0, "", "", "deadline", by_id(fd), "18:30");
	EXPECT_GE(7 * HOUR, left(fd));
	EXPECT_LT(5 * HOUR, left(fd));
	check_tool(0, "", "", "deadline", by_id(fd), "23:59:59");
	EXPECT_GE(12 * HOUR, left(fd));
	EXPECT_LT(10 * HOUR, left(fd));
}

TEST_F(names, takes_no_time_of_the_day_that_is_over)
{
	int fd = new(self->dev, "a");

	make_it_noon();
	check_tool(2, "", "ctx deadline: '10:30' is over for today; give the date, or +0 for at "
		   "once; try 'ctx deadline --help'\n", "deadline", by_id(fd), "10:30");
	EXPECT_EQ(0, deadline_of(fd));
}

TEST_F(names, takes_no_time_that_never_comes)
{
	static char *const never[] = {
		"2027-02-30", "2027-13-01", "2027-02-29 12:00", "2027-00-10", "23:59:60", "24:00",
		/* The clocks skip it. */
		"2027-03-28 02:30",
	};
	int fd = new(self->dev, "a");
	char *says;
	unsigned int i;

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	for (i = 0; i < sizeof(never) / sizeof(*never); i++) {
		says = format("ctx deadline: '%s' is a time that never comes; try 'ctx deadline "
			      "--help'\n", never[i]);
		check_tool(2, "", says, "deadline", by_id(fd), never[i]);
	}
	EXPECT_EQ(0, deadline_of(fd));
	check_tool(0, "", "", "deadline", by_id(fd), "2028-02-29 02:30");
	EXPECT_NE(0, deadline_of(fd));
}

TEST_F(names, shows_the_deadline)
{
	int fd = new(self->dev, "a");

	check_tool(0, "none\n", "", "deadline", by_id(fd));
	ASSERT_EQ(0, ctx_set_timeout(fd, 2 * HOUR + 1800 * NSEC_PER_SEC));
	check_tool(0, "+2h29m\n", "", "deadline", by_id(fd));
}

TEST_F(names, moves_no_deadline_of_what_is_cancelled)
{
	int fd = new(self->dev, "a");

	ctx_cancel(fd, 0, NULL);
	check_tool(1, "", format("ctx deadline: %s: was cancelled before\n", by_id(fd)), "deadline",
		   by_id(fd), "+5m");
}

TEST_F(names, refuses_other_deadlines)
{
	static char *const times[] = {
		"", "5m", "+", "25:00", "now", "2027-13-01", "2027-01-31 18:30 x", "@", "@x", "18",
		"+-5", "+5x", "@1h", "@1 2", "2027-1-31", "2027-01-3118:30", " 18:30",
		"1969-12-31",
	};
	int fd = new(self->dev, "a");
	struct tool tool;
	unsigned int i;

	for (i = 0; i < sizeof(times) / sizeof(*times); i++) {
		tool_run(&tool, "deadline", by_id(fd), times[i]);
		EXPECT_EQ(2, tool.status);
		check_has(tool.err, format("ctx deadline: '%s' is ", times[i]));
		check_has(tool.err, "; try 'ctx deadline --help'\n");
		tool_free(&tool);
	}
	EXPECT_EQ(0, deadline_of(fd));
	check_tool(2, "", "ctx deadline: which context?; try 'ctx deadline --help'\n", "deadline");
}

/* value */

static int new_with_value(int parent, const char *key, const char *data)
{
	struct ctx_value value = {
		.key = (uintptr_t)key,
		.data = (uintptr_t)data,
		.size = strlen(data),
	};
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC,
		.nr_values = 1,
		.values = (uintptr_t)&value,
	};

	return ctx_create(parent, &args);
}

TEST_F(names, prints_a_value)
{
	char *name = own_name("job");
	int top = new_with_value(self->dev, "trace", "4bf9\n"), fd = new(top, name);

	check_tool(0, "4bf9\\012\n", "", "value", name, "trace");
	check_tool(0, "4bf9\n", "", "value", "--raw", by_id(fd), "trace");
	check_tool(1, "", "ctx value: there is no value 'user', here or above\n", "value", by_fd(fd),
		   "user");
	check_tool(2, "", "ctx value: a key has 1 to 63 bytes; try 'ctx value --help'\n", "value",
		   by_fd(fd), "");
	check_tool(2, "", "ctx value: which key?; try 'ctx value --help'\n", "value");
}

TEST_F(names, prints_a_value_of_the_ambient_context)
{
	int fd = new_with_value(self->dev, "trace", "4bf9");

	ASSERT_EQ(0, fcntl(fd, F_SETFD, 0));
	setenv("CTX_FD", format("%d", fd), 1);
	check_tool(0, "4bf9\n", "", "value", "trace");
	unsetenv("CTX_FD");
	check_tool(1, "", "ctx value: there is no value 'trace', here or above\n", "value", "trace");
}

TEST_HARNESS_MAIN
