// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx run: what the command gets, how it ends, and that nothing which it has
 * started outlives its context.
 *
 * Each test is a process of its own and a child subreaper: whatever a run leaves
 * behind becomes a child of the test.
 */
#include "ctx_tool.h"
#include <ctxfd.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define NOBODY		65534

/* What commands write to when they have come to the point. */
#define READY_FD	9

#define CGROUP		"/sys/fs/cgroup"

/* This program as a command: ctx run PROGRAM --as WHAT [ARGUMENT] */

static void show_descriptors(void)
{
	const char *number = getenv("CTX_FD");

	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf(number && fd == atoi(number) ? "ctx\n" : "%d\n", fd);
}

static void show_value(const char *key)
{
	char value[CTX_VALUE_MAX + 1];
	ssize_t len = ctxfd_value(ctxfd_from_env(), key, value, CTX_VALUE_MAX);

	printf("%.*s\n", len < 0 ? 4 : (int)len, len < 0 ? "none" : value);
}

static void show_context(void)
{
	struct ctx_info info;
	int ctx = ctxfd_from_env();

	if (ctxfd_info(ctx, &info))
		exit(1);
	printf("name %s, parent %llu, detached %d, deadline %d, cancel %s\n", info.name,
	       info.parent_id, !!(info.flags & CTX_CREATE_DETACHED), !!info.deadline,
	       ctxfd_cancel(ctx) ? strerrorname_np(errno) : "works");
}

/* Lives on until its context is cancelled, and says why that was. */
static void show_end(void)
{
	struct ctx_info info;
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (write(READY_FD, "", 1) != 1 || ctxfd_wait(ctxfd_from_env(), NULL) != 1 ||
	    ctxfd_info(ctxfd_from_env(), &info))
		exit(1);
	printf("%s: %s: '%.*s'\n", strerrorname_np(info.err), strerrorname_np(info.cause),
	       (int)info.message_len, info.message);
}

static void __attribute__((constructor)) command_main(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "--as"))
		return;
	if (!strcmp(argv[2], "descriptors"))
		show_descriptors();
	else if (!strcmp(argv[2], "value"))
		show_value(argv[3]);
	else if (!strcmp(argv[2], "context"))
		show_context();
	else if (!strcmp(argv[2], "end"))
		show_end();
	exit(0);
}

/* As a user who may make cgroups, and as one who may not. */
FIXTURE(run) {
	int ready;		/* what READY_FD leads to */
	int go;			/* to the standard input of commands */
	char program[PATH_MAX];	/* this one */
	struct tool tool;
};

FIXTURE_VARIANT(run) {
	uid_t user;
};

FIXTURE_VARIANT_ADD(run, with_cgroup) {
	.user = 0,
};

FIXTURE_VARIANT_ADD(run, without_cgroup) {
	.user = NOBODY,
};

FIXTURE_SETUP(run)
{
	char path[PATH_MAX + 512];
	int ready[2], go[2];
	ssize_t len;

	ASSERT_EQ(0, close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	self->ready = ready[0];
	ASSERT_EQ(READY_FD, dup2(ready[1], READY_FD));
	close(ready[1]);
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	self->go = go[1];
	ASSERT_EQ(STDIN_FILENO, dup2(go[0], STDIN_FILENO));
	close(go[0]);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	len = readlink("/proc/self/exe", self->program, sizeof(self->program) - 1);
	ASSERT_LT(0, len);
	self->program[len] = '\0';
	/* For scripts, which say "ctx run". */
	snprintf(path, sizeof(path), "%s", tool_path());
	*strrchr(path, '/') = '\0';
	snprintf(path + strlen(path), 512, ":%.500s", getenv("PATH") ?: "/bin");
	ASSERT_EQ(0, setenv("PATH", path, 1));
	ASSERT_EQ(0, chdir("/"));
	if (variant->user) {
		ASSERT_EQ(0, setgid(variant->user));
		ASSERT_EQ(0, setuid(variant->user));
		/* Files in /proc are its own again. */
		ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	}
}

FIXTURE_TEARDOWN(run)
{
	close(self->ready);
	close(self->go);
}

/* Starts ctx run with the arguments. What the commands say at READY_FD is theirs alone. */
#define start(...) ({							\
	tool_start(&self->tool, (char *[]){ "ctx", "run", ##__VA_ARGS__, NULL });\
	close(READY_FD);						\
})

/* A command has written a byte to READY_FD. */
#define wait_ready() ({							\
	char __byte;							\
									\
	ASSERT_EQ(POLLIN, ctx_poll(self->ready, CTX_WAIT_MS) & POLLIN);	\
	ASSERT_EQ(1, read(self->ready, &__byte, 1));			\
})

/* ctx run ends with @code; what else it says may be looked at. */
#define check_end(code) ({						\
	tool_end(&self->tool);						\
	EXPECT_EQ((code), self->tool.status);				\
})

/* A whole run. */
#define check_run(code, stdout_text, stderr_text, ...)			\
	check_tool(code, stdout_text, stderr_text, "run", ##__VA_ARGS__)

#define check_sh(code, stdout_text, script) \
	check_run(code, stdout_text, "", "sh", "-c", script)

/* How many children @pid has, the first @n of which are put at @children, oldest first. */
static int children_of(pid_t pid, pid_t *children, int n)
{
	char path[64];
	int found = 0;
	pid_t child;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	for (; fscanf(file, "%d", &child) == 1; found++)
		if (found < n)
			children[found] = child;
	fclose(file);
	return found;
}

/* The only child of @pid, or 0. */
static pid_t child_of(pid_t pid)
{
	pid_t child;

	return children_of(pid, &child, 1) == 1 ? child : 0;
}

/* Makes what is started from here on find a context; returns it. */
static int give_context(int ctx)
{
	return ctx < 0 || ctxfd_to_env(ctxfd_watch(ctx)) ? -1 : ctx;
}

/* Options */

TEST_F(run, says_how_it_is_used)
{
	struct tool tool;

	tool_run(&tool, "run", "--help");
	EXPECT_EQ(0, tool.status);
	EXPECT_EQ(tool.out, strstr(tool.out, "Usage: ctx run "));
	check_text("", tool.err);
	check_run(0, tool.out, "", "-h");
	tool_free(&tool);
}

#define check_bad_usage(what, ...) \
	check_run(125, "", "ctx run: " what "; try 'ctx run --help'\n", ##__VA_ARGS__)

TEST_F(run, refuses_bad_usage)
{
	char many[2 * CTX_VALUES_MAX + 2][8], *argv[2 * CTX_VALUES_MAX + 6];
	char text[CTX_VALUE_MAX + 8], line[256];
	int argc = 0;

	check_bad_usage("which command?");
	check_bad_usage("which command?", "-t", "1", "--");
	check_bad_usage("-x is not an option", "-x", "true");
	check_bad_usage("--timeout: 'soon' is no duration, such as 5s, 1h30m, 100ms or inf",
			"-t", "soon", "true");
	check_bad_usage("--timeout: '-1' is negative", "-t", "-1", "true");
	check_bad_usage("--kill-after: '5x' is no duration, such as 5s, 1h30m, 100ms or inf",
			"--kill-after=5x", "true");
	check_bad_usage("--signal: 'NONE' is no signal", "-s", "NONE", "true");
	check_bad_usage("--signal: '0' is no signal", "-s", "0", "true");
	check_bad_usage("--signal: '65' is no signal", "-s", "65", "true");
	check_bad_usage("--signal: 'RTMIN+99' is no signal", "-s", "RTMIN+99", "true");
	check_bad_usage("--name: '12345678901234567890123456789012' has over 31 bytes",
			"--name", "12345678901234567890123456789012", "true");
	check_bad_usage("--value: 'a' has no '=': KEY=VALUE is meant", "--value", "a", "true");
	check_bad_usage("--value: the key of '=b' is to have 1 to 63 bytes",
			"--value", "=b", "true");
	check_bad_usage("--value: 'a' is given twice",
			"--value", "a=1", "--value", "a=2", "true");

	memset(text, 'k', sizeof(text));
	strcpy(text + CTX_KEY_MAX + 1, "=");
	snprintf(line, sizeof(line), "ctx run: --value: the key of '%.80s' is to have 1 to 63 bytes%s",
		 text, "; try 'ctx run --help'\n");
	check_run(125, "", line, "--value", text, "true");
	memset(text, 'v', sizeof(text));
	memcpy(text, "k=", 2);
	text[2 + CTX_VALUE_MAX + 1] = '\0';
	check_bad_usage("--value: the value of 'k' has over 4096 bytes",
			"--value", text, "true");

	argv[argc++] = "ctx";
	argv[argc++] = "run";
	for (int i = 0; i <= CTX_VALUES_MAX; i++) {
		snprintf(many[i], sizeof(many[i]), "k%d=v", i);
		argv[argc++] = "--value";
		argv[argc++] = many[i];
	}
	argv[argc++] = "true";
	argv[argc] = NULL;
	tool_start(&self->tool, argv);
	check_end(125);
	check_text("ctx run: --value: a context has at most 16 values; try 'ctx run --help'\n",
		   self->tool.err);
}

TEST_F(run, options_end_at_the_command)
{
	check_run(0, "-t 1 --help\n", "", "echo", "-t", "1", "--help");
	check_run(0, "-t\n", "", "-t", "9", "--", "echo", "-t");
}

TEST_F(run, takes_its_options_as_words)
{
	int ctx;

	check_run(124, "", "", "--timeout=0.1", "sleep", "1000");
	ctx = give_context(ctxfd_with_cancel(ctxfd_background()));
	start("--kill-after=0.1", "--signal=USR1", "sh", "-c",
	      "trap '' USR1; echo >&9; exec sleep 1000");
	wait_ready();
	ctxfd_cancel(ctx);
	check_end(128 + SIGKILL);
	check_nothing_left();
}

/* What the command gets */

/* ID is @ctx's. */
#define check_context(ctx, text, ...) ({				\
	char __text[256];						\
									\
	snprintf(__text, sizeof(__text), text ", cancel EBADF\n", ctx_id(ctx));\
	check_run(0, __text, "", ##__VA_ARGS__);			\
})

TEST_F(run, gives_a_context_to_watch)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	ASSERT_LE(0, ctx);
	check_context(ctx, "name ctx_run, parent %llu, detached 0, deadline 0",
		      self->program, "--as", "context");
	check_context(ctx, "name a name, parent %llu, detached 0, deadline 0",
		      "--name", "a name", self->program, "--as", "context");
	check_context(ctx, "name , parent %llu, detached 0, deadline 0",
		      "--name=", self->program, "--as", "context");
	check_context(ctx, "name ctx_run, parent %llu, detached 0, deadline 1",
		      "-t", "1h", self->program, "--as", "context");
	check_context(ctx, "name ctx_run, parent %llu, detached 1, deadline 0",
		      "--detach", self->program, "--as", "context");
	check_alive(ctx);
}

TEST_F(run, gives_a_root_where_there_is_no_context)
{
	check_run(0, "name ctx_run, parent 0, detached 0, deadline 0, cancel EBADF\n", "",
		  self->program, "--as", "context");
}

TEST_F(run, cuts_a_long_name_between_characters)
{
	/* 30 bytes and one of two bytes. */
	char path[] = "/tmp/123456789012345678901234567890\xc3\xa4";

	unlink(path);
	ASSERT_EQ(0, symlink(self->program, path));
	check_run(0, "name 123456789012345678901234567890, parent 0, detached 0, deadline 0, cancel EBADF\n",
		  "", path, "--as", "context");
	unlink(path);
}

TEST_F(run, gives_values)
{
	check_run(0, "b=c\n", "", "--value", "a=b=c", self->program, "--as", "value", "a");
	check_run(0, "\n", "", "--value", "a=", self->program, "--as", "value", "a");
	check_run(0, "none\n", "", "--value", "a=b", self->program, "--as", "value", "b");
	check_run(0, "outer\n", "", "--value", "a=outer",
		  (char *)tool_path(), "run", "--value", "b=inner",
		  self->program, "--as", "value", "a");
}

TEST_F(run, leaves_nothing_else_open)
{
	close(READY_FD);
	check_run(0, "0\n1\n2\nctx\n", "", self->program, "--as", "descriptors");
}

TEST_F(run, leaves_closed_what_was_closed)
{
	check_run(0, "1\n2\nctx\n", "", "sh", "-c",
		  "exec 9>&- 0>&-; exec ctx run $0 --as descriptors", self->program);
}

TEST_F(run, passes_on_what_was_opened_for_the_command)
{
	start("sh", "-c", "echo x >&9");
	wait_ready();
	check_end(0);
}

TEST_F(run, passes_input_and_output_through)
{
	check_sh(0, "in\n", "echo in | ctx run cat");
}

TEST_F(run, gives_back_blocked_and_ignored_signals)
{
	char before[128] = "", line[128];
	FILE *file;
	sigset_t set;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_SETMASK, &set, NULL);
	file = fopen("/proc/self/status", "re");
	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "SigBlk", 6) || !strncmp(line, "SigIgn", 6))
			strcat(before, line);
	fclose(file);
	/* But for that which is to end the command. */
	signal(SIGTERM, SIG_IGN);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	start("grep", "-E", "SigBlk|SigIgn", "/proc/self/status");
	signal(SIGCHLD, SIG_DFL);
	check_end(0);
	EXPECT_NE('\0', before[0]);
	check_text(before, self->tool.out);
}

TEST_F(run, keeps_the_command_in_the_group_of_its_own)
{
	/* The supervisor's, so that the terminal's ^C and ^Z reach it. */
	check_sh(0, "yes\n", "set -- $(cat /proc/self/stat); a=$5; "
		 "set -- $(ctx run cat /proc/self/stat); [ $5 = $a ] && echo yes");
}

TEST_F(run, keeps_the_command_in_a_group_that_has_no_number_there)
{
	pid_t group = 0;

	if (variant->user)
		SKIP(return, "takes root");
	start("unshare", "-fp", "ctx", "run", "cat", "/proc/self/stat");
	check_end(0);
	check_text("", self->tool.err);
	ASSERT_EQ(1, sscanf(self->tool.out, "%*d (cat) %*c %*d %d", &group));
	EXPECT_EQ(getpgrp(), group);
}

/* Exit statuses */

TEST_F(run, ends_as_the_command_does)
{
	check_sh(0, "", "true");
	check_sh(7, "", "exit 7");
	check_sh(128 + SIGKILL, "", "kill -KILL $$");
	check_sh(128 + SIGUSR1, "", "kill -USR1 $$");
	check_nothing_left();
}

TEST_F(run, says_that_there_is_no_such_command)
{
	check_run(127, "", "ctx run: cannot run 'no-such-thing': No such file or directory\n",
		  "no-such-thing");
	check_run(127, "", "ctx run: cannot run '/no/such': No such file or directory\n",
		  "/no/such");
	check_nothing_left();
}

TEST_F(run, says_that_a_command_cannot_be_run)
{
	check_run(126, "", "ctx run: cannot run '/proc/self/status': Permission denied\n",
		  "/proc/self/status");
	check_run(126, "", "ctx run: cannot run '/': Permission denied\n", "/");
	check_nothing_left();
}

TEST_F(run, says_that_the_module_is_not_loaded)
{
	if (variant->user)
		SKIP(return, "takes root");
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/dev", "tmpfs", 0, NULL));
	check_run(125, "",
		  "ctx run: there is no /dev/ctx: load the module, with 'modprobe ctx'\n",
		  "true");
}

TEST_F(run, says_that_ctx_fd_is_no_descriptor)
{
	setenv("CTX_FD", "three", 1);
	check_run(125, "", "ctx run: CTX_FD=three in the environment is no descriptor's number; "
		  "unset it\n", "true");
}

TEST_F(run, says_that_it_is_nested_too_deep)
{
	int ctx = ctxfd_with_cancel(ctxfd_background()), next;

	while ((next = ctxfd_with_cancel(ctx)) >= 0) {
		close(ctx);
		ctx = next;
	}
	ASSERT_EQ(ELOOP, errno);
	ASSERT_EQ(0, ctxfd_to_env(ctx));
	check_run(125, "", "ctx run: cannot create the context: it is nested too deep\n", "true");
}

TEST_F(run, says_that_it_was_given_a_context_for_strangers)
{
	int ctx = ctxfd_with_cancel(ctxfd_background());

	ASSERT_EQ(0, ctxfd_to_env(ctxfd_watch_only(ctx)));
	check_run(125, "", "ctx run: cannot create the context: "
		  "the context of CTX_FD can be no parent\n", "true");
}

TEST_F(run, ends_with_124_after_a_timeout)
{
	start("-t", "0.1", "sleep", "1000");
	check_end(124);
	check_text("", self->tool.err);
	check_nothing_left();
}

TEST_F(run, ends_with_124_after_a_timeout_whatever_the_command_says)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	start("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & echo >&9; wait");
	wait_ready();
	ASSERT_EQ(0, ctxfd_set_timeout(ctx, &(struct timespec){ 0 }));
	check_end(124);
	check_nothing_left();
}

/* On one processor, which wakes it before the reaper or after. */
TEST_F(run, ends_with_124_where_the_command_heeds_its_context)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	for (int i = 0; i < 10; i++) {
		int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

		tool_start(&self->tool, (char *[]){ "ctx", "run", self->program, "--as", "end",
						    NULL });
		wait_ready();
		ASSERT_EQ(0, ctxfd_set_timeout(ctx, &(struct timespec){ 0 }));
		check_end(124);
		check_text("ETIMEDOUT: ETIMEDOUT: ''\n", self->tool.out);
		close(ctx);
	}
}

TEST_F(run, ends_with_124_after_an_inherited_deadline)
{
	struct timespec soon = { .tv_nsec = 100000000 };

	ASSERT_LE(0, give_context(ctxfd_with_timeout(ctxfd_background(), &soon)));
	start("-t", "1h", "sleep", "1000");
	check_end(124);
	check_nothing_left();
}

TEST_F(run, ends_with_137_where_a_timeout_took_kill)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	start("-k", "0.1", "sh", "-c", "trap '' TERM; echo >&9; sleep 1000");
	wait_ready();
	ASSERT_EQ(0, ctxfd_set_timeout(ctx, &(struct timespec){ 0 }));
	check_end(137);
	check_nothing_left();
}

TEST_F(run, ends_with_137_where_the_signal_is_kill)
{
	start("-t", "0.1", "-s", "KILL", "sh", "-c", "trap '' TERM; sleep 1000");
	check_end(137);
	check_nothing_left();
}

TEST_F(run, ends_with_the_signal_after_a_cancellation)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	ASSERT_LE(0, ctx);
	start("-s", "int", "sh", "-c", "echo >&9; exec sleep 1000");
	wait_ready();
	ctxfd_cancel(ctx);
	check_end(128 + SIGINT);
	check_nothing_left();
}

TEST_F(run, sends_the_signal_that_it_is_told)
{
	static const char *const names[] = { "USR1", "sigusr1", "SIGUSR1", "10" };
	int ctx;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		ctx = give_context(ctxfd_with_cancel(ctxfd_background()));
		tool_start(&self->tool, (char *[]){ "ctx", "run", "-s", (char *)names[i],
			   "sh", "-c", "trap 'exit 42' USR1; echo >&9; sleep 1000 & wait", NULL });
		wait_ready();
		ctxfd_cancel(ctx);
		check_end(42);
		check_nothing_left();
	}
}

TEST_F(run, never_starts_what_is_cancelled_before)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	ASSERT_LE(0, ctx);
	ctxfd_cancel(ctx);
	check_run(128 + SIGTERM, "", "", "echo", "ran");
	check_run(128 + SIGHUP, "", "", "-s", "HUP", "echo", "ran");
}

TEST_F(run, with_a_timeout_of_0_is_late_from_the_start)
{
	check_run(124, "", "", "-t", "0", "echo", "ran");
	check_run(124, "", "", "-t", "1h", (char *)tool_path(), "run", "-t", "0", "echo", "ran");
}

TEST_F(run, ends_with_the_signal_that_it_is_sent)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	char text[64];

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		tool_start(&self->tool, (char *[]){ "ctx", "run",
			   self->program, "--as", "end", NULL });
		wait_ready();
		ASSERT_EQ(0, kill(self->tool.pid, signals[i]));
		check_end(128 + signals[i]);
		snprintf(text, sizeof(text), "ECANCELED: EINTR: 'SIG%s'\n",
			 sigabbrev_np(signals[i]));
		check_text(text, self->tool.out);
		check_text("", self->tool.err);
		check_nothing_left();
	}
}

TEST_F(run, leaves_ignored_signals_ignored)
{
	signal(SIGHUP, SIG_IGN);
	start("sh", "-c", "echo >&9; exec sleep 1000");
	wait_ready();
	ASSERT_EQ(0, kill(self->tool.pid, SIGHUP));
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	check_end(128 + SIGTERM);
	check_nothing_left();
}

/* The terminal: a session of its own, with ctx run in front; its leader says 's' for a stop. */
static void session_main(int terminal)
{
	pid_t pid;
	int status;

	setsid();
	if (ioctl(terminal, TIOCSCTTY, 0))
		_exit(1);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(terminal, getpid());
		signal(SIGTTOU, SIG_DFL);
		dup2(terminal, STDIN_FILENO);
		execlp("ctx", "ctx", "run", "sh", "-c", "echo >&9; exec sleep 1000", NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status) ||
	    write(READY_FD, "s", 1) != 1)
		_exit(2);
	kill(-pid, SIGCONT);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		_exit(3);
	_exit(128 + WTERMSIG(status));
}

TEST_F(run, stops_and_ends_from_the_terminal)
{
	int master, terminal, status;
	pid_t pid;

	if (variant->user)
		SKIP(return, "takes root");
	mkdir("/dev/pts", 0755);
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	if (mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666"))
		SKIP(return, "this kernel has no pseudo-terminals");
	master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, master);
	ASSERT_EQ(0, ioctl(master, TIOCSPTLCK, &(int){ 0 }));
	terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_LE(0, terminal);
	pid = ctx_fork();
	if (!pid)
		session_main(terminal);
	wait_ready();
	ASSERT_EQ(1, write(master, "\x1a", 1));	/* ^Z */
	wait_ready();
	ASSERT_EQ(1, write(master, "\x03", 1));	/* ^C */
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(128 + SIGINT, WEXITSTATUS(status));
	check_nothing_left();
}

/* All that the command has started */

TEST_F(run, leaves_no_process_after_a_timeout)
{
	start("-t", "1s", "-k", "1s", "sh", "-c",
	      "setsid sh -c 'sleep 1000 & sleep 1000' & sleep 1000");
	check_end(124);
	check_nothing_left();
}

/* Forked twice, in a session of its own, and without a parent that knows it. */
#define DAEMON(what)	"(setsid sh -c '" what "' &) "

TEST_F(run, ends_those_that_forked_twice)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	ASSERT_LE(0, ctx);
	start("sh", "-c", DAEMON("(sleep 1000 &); echo >&9; sleep 1000") "; sleep 1000");
	wait_ready();
	ctxfd_cancel(ctx);
	check_end(128 + SIGTERM);
	check_nothing_left();
}

TEST_F(run, ends_what_the_command_leaves_behind)
{
	start("sh", "-c", DAEMON("sleep 1000 & echo >&9; sleep 1000") "; read x; exit 3");
	wait_ready();
	ASSERT_EQ(1, write(self->go, "\n", 1));
	check_end(3);
	check_nothing_left();
}

TEST_F(run, kills_what_ignores_the_signal)
{
	start("-k", "0.1", "sh", "-c",
	      "trap '' TERM; " DAEMON("(sleep 1000 &); echo >&9; sleep 1000") "; read x; exit 3");
	wait_ready();
	ASSERT_EQ(1, write(self->go, "\n", 1));
	check_end(3);
	check_nothing_left();
}

TEST_F(run, sends_the_signal_before_a_kill_without_delay)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	/* What ends a process is the first that it does not handle. */
	start("-k", "0", "-s", "USR1", "sh", "-c", "echo >&9; exec sleep 1000");
	wait_ready();
	ctxfd_cancel(ctx);
	check_end(128 + SIGUSR1);
	check_nothing_left();
}

TEST_F(run, waits_for_those_that_take_their_time)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	/* And leaves alone what they start to end well. */
	start("-k", "1h", "sh", "-c",
	      "trap 'sleep 1 && echo well; exit 0' TERM; sleep 1000 & echo >&9; wait");
	wait_ready();
	ASSERT_EQ(0, ctxfd_set_timeout(ctx, &(struct timespec){ 0 }));
	check_end(124);
	check_text("well\n", self->tool.out);
	check_nothing_left();
}

TEST_F(run, continues_what_is_stopped)
{
	start("-t", "0.2", "sh", "-c", "kill -STOP $$");
	check_end(124);
	check_nothing_left();
}

/* No more than 200 processes below this one. Returns 0, or -1 where that cannot be. */
static int limit_processes(uid_t user)
{
	struct rlimit limit = { .rlim_cur = 200, .rlim_max = 200 };
	FILE *file;

	/* Which does not count for root. */
	if (user)
		return setrlimit(RLIMIT_NPROC, &limit);
	mkdir(CGROUP "/limit", 0755);
	file = fopen(CGROUP "/limit/pids.max", "r+e");
	if (!file)
		return -1;
	fputs("200", file);
	if (fclose(file))
		return -1;
	file = fopen(CGROUP "/limit/cgroup.procs", "r+e");
	if (!file)
		return -1;
	fputs("0", file);
	return fclose(file);
}

TEST_F(run, ends_a_fork_bomb)
{
	if (limit_processes(variant->user))
		SKIP(return, "there is no limit to the processes of root");
	start("-t", "0.5", "-s", "KILL", "sh", "-c", "f() { f & f & }; f; sleep 1000");
	check_end(137);
	check_nothing_left();
}

/* Whoever is killed */

TEST_F(run, ends_when_the_supervisor_is_killed)
{
	start("sh", "-c", DAEMON("(sleep 1000 &); echo >&9; sleep 1000") "; sleep 1000");
	wait_ready();
	kill(self->tool.pid, SIGKILL);
	check_all_goes();
}

TEST_F(run, ends_when_its_whole_group_is_killed)
{
	static char script[] = DAEMON("(sleep 1000 &); echo >&9; sleep 1000") "; sleep 1000";
	pid_t pid = ctx_fork();

	if (!pid) {
		setpgid(0, 0);
		execv(tool_path(), (char *[]){ "ctx", "run", "sh", "-c", script, NULL });
		_exit(127);
	}
	wait_ready();
	ASSERT_EQ(0, kill(-pid, SIGKILL));
	check_all_goes();
}

TEST_F(run, is_killed_with_its_reaper)
{
	char text[128];
	pid_t reaper;

	start("sh", "-c", DAEMON("(trap \"\" TERM; sleep 1000 &); echo >&9; sleep 1000")
	      "; trap '' TERM; sleep 1000");
	wait_ready();
	reaper = child_of(self->tool.pid);
	ASSERT_LT(0, reaper);
	kill(reaper, SIGKILL);
	check_end(137);
	snprintf(text, sizeof(text), "ctx run: somebody killed process %d, the reaper: %s\n",
		 reaper, "killing what the command has started");
	check_text(text, self->tool.err);
	check_nothing_left();
}

TEST_F(run, loses_the_command_with_both_killed)
{
	pid_t reaper;

	start("sh", "-c", "trap '' TERM; echo >&9; exec sleep 1000");
	wait_ready();
	reaper = child_of(self->tool.pid);
	ASSERT_LT(0, reaper);
	kill(self->tool.pid, SIGSTOP);
	kill(reaper, SIGKILL);
	kill(self->tool.pid, SIGKILL);
	check_all_goes();
}

TEST_F(run, spares_children_that_it_had_before)
{
	static char script[] = "sleep 1000 & exec ctx run sh -c 'echo >&9; exec sleep 1000'";
	pid_t pid = ctx_fork(), children[2];

	if (!pid) {
		execlp("sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	wait_ready();
	ASSERT_EQ(2, children_of(pid, children, 2));
	kill(children[1], SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, waitpid(-1, NULL, WNOHANG));
	kill(children[0], SIGKILL);
	EXPECT_EQ(children[0], waitpid(-1, NULL, 0));
	check_nothing_left();
}

TEST_F(run, hears_signals_when_a_child_that_it_had_before_has_ended)
{
	static char script[] = "sleep 1000 & exec ctx run sh -c 'echo >&9; exec sleep 1000'";
	pid_t pid = ctx_fork(), children[2];
	int status;

	if (!pid) {
		execlp("sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	wait_ready();
	ASSERT_EQ(2, children_of(pid, children, 2));
	kill(children[0], SIGKILL);
	/* Until it is reaped. */
	while (!kill(children[0], 0))
		usleep(1000);
	kill(pid, SIGTERM);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGTERM, WTERMSIG(status));
	check_nothing_left();
}

/* Signals that are not its own */

TEST_F(run, passes_on_signals_that_are_not_its_own)
{
	start("sh", "-c", "trap 'echo told; exit 3' USR1; echo >&9; while :; do sleep 0.1; done");
	wait_ready();
	ASSERT_EQ(0, kill(self->tool.pid, SIGUSR1));
	check_end(3);
	check_text("told\n", self->tool.out);
	check_nothing_left();
}

TEST_F(run, ends_what_was_to_be_deaf)
{
	signal(SIGTERM, SIG_IGN);
	start("-t", "0.1", "sleep", "1000");
	signal(SIGTERM, SIG_DFL);
	check_end(124);
	check_nothing_left();
}

TEST_F(run, preserves_the_status)
{
	check_run(143, "", "", "--preserve-status", "-t", "0.1", "sleep", "1000");
	check_run(7, "", "", "--preserve-status", "-t", "0.1", "sh", "-c",
		  "trap 'exit 7' TERM; sleep 1000 & wait");
}

TEST_F(run, counts_by_any_clock)
{
	static const char *const clocks[] = { "monotonic", "boottime", "realtime" };

	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		check_run(124, "", "", "--clock", (char *)clocks[i], "-t", "0.1", "sleep", "1000");
		check_run(0, "", "", "--clock", (char *)clocks[i], "-t", "1h", "true");
	}
	check_run(0, "", "", "-t", "inf", "-k", "inf", "true");
}

TEST_F(run, gives_the_pids_of_socket_activation)
{
	check_sh(0, "own\nother\n", "export LISTEN_PID=$$ WATCHDOG_PID=1; "
		 "exec ctx run sh -c '[ $LISTEN_PID = $$ ] && echo own; "
		 "[ $WATCHDOG_PID = 1 ] && echo other'");
}

/* --detach */

TEST_F(run, detached_ends_with_the_command)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));

	ASSERT_LE(0, ctx);
	start("--detach", "sh", "-c", "sh -c 'echo >&9; exec sleep 1000' & exit 3");
	check_end(3);
	wait_ready();
	/* The reaper and what is below it. */
	EXPECT_EQ(0, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(0, ctx_poll(self->ready, 0));
	ctxfd_cancel(ctx);
	check_all_goes();
}

TEST_F(run, detached_obeys_its_deadline)
{
	start("--detach", "-t", "1", "-k", "0.1", "sh", "-c",
	      "trap '' TERM; sh -c 'echo >&9; sleep 1000; true' & exit 3");
	check_end(3);
	wait_ready();
	check_all_goes();
}

TEST_F(run, detached_outlives_the_supervisor)
{
	int ctx = give_context(ctxfd_with_cancel(ctxfd_background()));
	char byte;

	ASSERT_LE(0, ctx);
	start("--detach", self->program, "--as", "end");
	wait_ready();
	kill(self->tool.pid, SIGKILL);
	ASSERT_EQ(self->tool.pid, waitpid(self->tool.pid, NULL, 0));
	EXPECT_EQ(0, ctx_poll(self->ready, 200));
	ctxfd_cancel(ctx);
	EXPECT_EQ(0, read(self->ready, &byte, 1));
	check_all_goes();
	self->tool.out = tool_text(self->tool.out_fd);
	check_text("ECANCELED: ECANCELED: ''\n", self->tool.out);
}

/* ctx run in ctx run */

TEST_F(run, nested_ends_as_the_command_does)
{
	check_sh(5, "", "ctx run ctx run sh -c 'exit 5'");
	check_sh(124, "", "ctx run -t 0.1 sleep 1000; exit $?");
	check_sh(0, "yes\n", "ctx run -t 0.1 sleep 1000; echo yes");
	check_nothing_left();
}

#define NESTED	"ctx run sh -c '(setsid sh -c \"echo >&9; sleep 1000\" &); sleep 1000'"

TEST_F(run, nested_ends_with_the_outer)
{
	start("-k", "1h", "sh", "-c", NESTED " & sleep 1000");
	wait_ready();
	kill(self->tool.pid, SIGTERM);
	check_end(128 + SIGTERM);
	check_nothing_left();
}

TEST_F(run, nested_ends_with_its_own_signal)
{
	start("sh", "-c", "trap '' TERM; "
	      "ctx run -s HUP sh -c 'trap \"echo told; exit\" HUP; echo >&9; sleep 1000 & wait'");
	wait_ready();
	kill(self->tool.pid, SIGTERM);
	check_end(128 + SIGTERM);
	check_text("told\n", self->tool.out);
	check_nothing_left();
}

TEST_F(run, nested_with_a_context_of_its_own_ends_with_the_outer)
{
	start("sh", "-c", "unset CTX_FD; " NESTED);
	wait_ready();
	kill(self->tool.pid, SIGTERM);
	check_end(128 + SIGTERM);
	check_nothing_left();
}

TEST_F(run, nested_and_detached_ends_with_the_outer)
{
	start("sh", "-c", "unset CTX_FD; ctx run --detach sh -c 'sleep 1000 & exit'; "
	      "echo >&9; sleep 1000");
	wait_ready();
	kill(self->tool.pid, SIGTERM);
	check_end(128 + SIGTERM);
	check_nothing_left();
}

TEST_F(run, nested_is_killed_with_the_outer)
{
	start("-k", "0.1", "sh", "-c", "trap '' TERM; " NESTED);
	wait_ready();
	kill(self->tool.pid, SIGTERM);
	check_end(128 + SIGTERM);
	check_nothing_left();
}

#define MANY	100

/* Fewer where CTX_ROUNDS tells of a kernel that checks every access. */
static int many(void)
{
	return getenv("CTX_ROUNDS") ? MANY / 10 : MANY;
}

/*
 * Milliseconds that @n processes take to end, one after the other, each of which
 * waits for its child and does nothing else. -1 for never.
 */
static int time_of_ends(int n)
{
	int ready[2], go[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		close(go[1]);
		while (--n && !(pid = fork()))
			;
		if (n)
			_exit(waitpid(pid, NULL, 0) != pid);
		_exit(write(ready[1], "", 1) != 1 || read(go[0], &byte, 1));
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		return -1;
	close(ready[0]);
	close(go[1]);
	return wait_all_gone();
}

/* A second, or what emulation makes of that: @n times ctx run are 2 * @n processes. */
#define check_time(n, what) ({						\
	int __ms = wait_all_gone(), __bare = time_of_ends(2 * (n));	\
									\
	ksft_print_msg("%d " what ": gone after %d ms; their bare ends take %d ms\n", \
		       (n), __ms, __bare);				\
	fflush(stdout);							\
	EXPECT_LE(0, __ms);						\
	EXPECT_LE(0, __bare);						\
	EXPECT_GE(1000 + 4 * __bare, __ms);				\
})

TEST_F(run, hundred_in_each_other_end_with_the_outermost)
{
	char *argv[2 * MANY + 4];
	int argc = 0;

	for (int i = 0; i < many(); i++) {
		argv[argc++] = "ctx";
		argv[argc++] = "run";
	}
	argv[argc++] = "sh";
	argv[argc++] = "-c";
	argv[argc++] = "echo >&9; exec sleep 1000";
	argv[argc] = NULL;
	tool_start(&self->tool, argv);
	wait_ready();
	kill(self->tool.pid, SIGKILL);
	check_time(many(), "in each other");
}

TEST_F(run, hundred_beside_each_other_end_with_the_outer)
{
	char script[128];

	snprintf(script, sizeof(script), "for i in $(seq %d); do ctx run sh -c %s & done; wait",
		 many(), "'echo >&9; exec sleep 1000'");
	start("sh", "-c", script);
	for (int i = 0; i < many(); i++)
		wait_ready();
	kill(self->tool.pid, SIGKILL);
	check_time(many(), "beside each other");
}

/* The cgroup */

TEST_F(run, makes_a_cgroup_where_it_may)
{
	char path[PATH_MAX];

	start("cat", "/proc/self/cgroup");
	check_end(0);
	if (variant->user) {
		EXPECT_EQ(NULL, strstr(self->tool.out, "/ctx-"));
		return;
	}
	ASSERT_NE(NULL, strstr(self->tool.out, "/ctx-"));
	*strchr(self->tool.out, '\n') = '\0';
	snprintf(path, sizeof(path), CGROUP "%s", self->tool.out + strlen("0::"));
	check_errno(ENOENT, access(path, F_OK));
}

TEST_F(run, makes_no_more_than_two_cgroups_in_each_other)
{
	int n = 0;

	start("ctx", "run", "ctx", "run", "ctx", "run", "cat", "/proc/self/cgroup");
	check_end(0);
	for (char *p = self->tool.out; (p = strstr(p, "/ctx-")); p++)
		n++;
	EXPECT_EQ(variant->user ? 0 : 2, n);
	check_nothing_left();
}

TEST_F(run, removes_the_cgroups_below_its_own)
{
	struct tool *tool = &self->tool;

	if (variant->user)
		SKIP(return, "takes root");
	start("sh", "-c", "set -e; p=" CGROUP "$(sed s/0::// /proc/self/cgroup); echo $p; "
	      "mkdir -p $p/a/b; echo 0 >$p/a/b/cgroup.procs; exit 4");
	check_end(4);
	*strchrnul(tool->out, '\n') = '\0';
	ASSERT_NE(NULL, strstr(tool->out, "/ctx-"));
	check_errno(ENOENT, access(tool->out, F_OK));
}

TEST_HARNESS_MAIN
