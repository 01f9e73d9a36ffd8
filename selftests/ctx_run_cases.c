// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx run in situations that users of supervisors report: what is to be ended is being
 * started, cannot be opened or seen, or has to find things as without ctx run; and who
 * asks how it ended is told the truth.
 *
 * Each test is a process of its own and a child subreaper: whatever a run leaves
 * behind becomes a child of the test.
 */
#include "ctx_command.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/resource.h>

/* What commands write to when they have come to the point. */
#define READY_FD	9

#define CGROUP		"/sys/fs/cgroup"

/* This program as a command: ctx run PROGRAM --as WHAT [ARGUMENT] */

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = signal;
}

/* The child of vfork is in the parent's memory until it execs, with the parent's handlers. */
static pid_t start_job(void)
{
	static char *sleep[] = { "sleep", "1000", NULL };
	pid_t pid = vfork();

	if (pid)
		return pid;
	execvp("sleep", sleep);
	_exit(1);
}

/* Starts jobs until SIGTERM, then starts no more and waits for those that run. */
static void start_jobs(void)
{
	struct sigaction action = { .sa_handler = stop };
	int n = 0;

	sigaction(SIGTERM, &action, NULL);
	while (!stopped && n < 300)
		n += start_job() > 0;
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

/* Each starts the next, and all but the last wait for theirs. */
static void start_chain(int n)
{
	signal(SIGTERM, SIG_IGN);
	while (--n > 0)
		if (fork())
			break;
	if (!n)
		dprintf(READY_FD, "x");
	for (;;)
		pause();
}

/* As ssh-agent: nobody of the same user may look into it. */
static void be_secret(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGTERM, SIG_IGN);
	dprintf(READY_FD, "x");
	for (;;)
		pause();
}

static void __attribute__((constructor)) command_main(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "--as"))
		return;
	if (!strcmp(argv[2], "jobs"))
		start_jobs();
	else if (!strcmp(argv[2], "chain"))
		start_chain(atoi(argv[3]));
	else if (!strcmp(argv[2], "secret"))
		be_secret();
	exit(0);
}

FIXTURE(cases) {
	int ready;		/* what READY_FD leads to */
	char program[PATH_MAX];	/* this one */
	struct tool tool;
};

FIXTURE_VARIANT(cases) {
	bool nobody;
};

FIXTURE_VARIANT_ADD(cases, as_root) {
	.nobody = false,
};

FIXTURE_VARIANT_ADD(cases, as_a_user) {
	.nobody = true,
};

FIXTURE_SETUP(cases)
{
	char path[PATH_MAX + 512];
	int ready[2];
	ssize_t len;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	self->ready = ready[0];
	ASSERT_EQ(READY_FD, dup2(ready[1], READY_FD));
	close(ready[1]);
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
	unsetenv("CTX_FD");
	unsetenv("CTX_ID");
}

FIXTURE_TEARDOWN(cases)
{
	close(self->ready);
}

/* As late as possible: a test may have to do something as root first. */
#define be_user() ({							\
	if (variant->nobody)						\
		ASSERT_TRUE(become_nobody());				\
})

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

/* ctx run ends with @code, and leaves nothing. */
#define check_end(code) ({						\
	tool_end(&self->tool);						\
	EXPECT_EQ((code), self->tool.status);				\
	check_all_goes();						\
})

/* As of waitpid(): what a shell makes of it, a caller may tell apart. */
static int wait_status(struct tool *tool)
{
	int status = -1;

	waitpid(tool->pid, &status, 0);
	return status;
}

/* There the number of the call is gone once it is to be made again. */
static bool is_user_mode_linux(void)
{
	char line[256] = "";
	FILE *file = fopen("/proc/cpuinfo", "re");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "User Mode Linux");
	if (file)
		fclose(file);
	return found;
}

/* How it ends */

TEST_F(cases, dies_of_the_signal_that_ended_the_command)
{
	int status;

	be_user();
	start("sh", "-c", "kill -USR1 $$");
	status = wait_status(&self->tool);
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGUSR1, WTERMSIG(status));
	check_all_goes();
}

TEST_F(cases, dies_of_the_signal_that_came_to_itself)
{
	int status;

	be_user();
	start("sh", "-c", "trap 'exit 3' TERM; echo >&9; sleep 1000 & wait");
	wait_ready();
	kill(self->tool.pid, SIGINT);
	status = wait_status(&self->tool);
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGINT, WTERMSIG(status));
	check_all_goes();
}

TEST_F(cases, says_what_it_signals_where_asked)
{
	be_user();
	start("-v", "sh", "-c", "echo >&9; exec sleep 1000");
	wait_ready();
	kill(self->tool.pid, SIGTERM);
	check_end(128 + SIGTERM);
	check_has(self->tool.err, "ctx run: cancelled EINTR, SIGTERM: sending TERM to ");
}

/* Signals */

/* Who cleans up by another program is signalled once. */
TEST_F(cases, lets_those_go_on_who_clean_up_by_another_program)
{
	be_user();
	start("-t", "500ms", "sh", "-c",
	      "(trap 'exec sh -c \"sleep 1; echo cleaned up\"' TERM; sleep 1000 & wait) & wait; wait");
	check_end(124);
	check_text("cleaned up\n", self->tool.out);
}

/* Whatever was started before its parent took the signal has it, too: or else this never ends. */
TEST_F_TIMEOUT(cases, ends_jobs_that_start_as_the_signal_comes, 300)
{
	char timeout[16];

	if (is_user_mode_linux() || access("/proc/self/syscall", R_OK))
		SKIP(return, "this kernel does not say where a process was stopped");
	be_user();
	for (int i = 0; i < 20; i++) {
		snprintf(timeout, sizeof(timeout), "%dms", 20 + 7 * i);
		tool_run(&self->tool, "run", "-t", timeout, self->program, "--as", "jobs");
		ASSERT_EQ(124, self->tool.status);
		check_nothing_left();
		tool_free(&self->tool);
	}
}

/* Reach */

/* Refuses a call, as a sandbox around does. */
static int refuse(long number, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter),
		.filter = filter,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST_F(cases, does_without_calls_that_are_refused)
{
	static const struct {
		long number;
		int error;
	} calls[] = {
		{ SYS_pidfd_send_signal, ENOSYS }, { SYS_pidfd_send_signal, EPERM },
		{ SYS_pidfd_open, ENOSYS }, { SYS_clone3, ENOSYS }, { SYS_kill, EPERM },
		{ SYS_ptrace, EPERM },
	};

	be_user();
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		pid_t pid;

		in_child(pid) {
			ASSERT_EQ(0, refuse(calls[i].number, calls[i].error));
			tool_start(&self->tool, (char *[]){ "ctx", "run", "-t", "50ms", "sleep", "1000",
							    NULL });
			/* Without a pidfd. */
			EXPECT_EQ(124, WEXITSTATUS(wait_status(&self->tool)));
		}
		check_child(pid);
		check_nothing_left();
	}
}

TEST_F(cases, ends_who_may_not_be_looked_into)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("proc", "/proc", "proc", 0, "hidepid=2"));
	be_user();
	start("-t", "500ms", "-k", "100ms", self->program, "--as", "secret");
	wait_ready();
	tool_end(&self->tool);
	EXPECT_EQ(137, self->tool.status);
	check_nothing_left();
}

TEST_F(cases, fails_at_the_start_where_nothing_can_be_found)
{
	if (!variant->nobody)
		SKIP(return, "root mounts a /proc of its own");
	ASSERT_TRUE(hide("/proc"));
	setenv("CTX", "/ctx-selftests/ctx", 0);
	be_user();
	start("true");
	tool_end(&self->tool);
	EXPECT_EQ(125, self->tool.status);
	check_has(self->tool.err, "there is no /proc");
}

/* A chain takes no stack, and its length no descriptors. */
TEST_F_TIMEOUT(cases, ends_a_long_chain, 300)
{
	struct rlimit stack = { 128 << 10, 128 << 10 }, files = { 64, 64 };

	be_user();
	setrlimit(RLIMIT_STACK, &stack);
	setrlimit(RLIMIT_NOFILE, &files);
	start("-t", "inf", "-k", "100ms", self->program, "--as", "chain", "400");
	/* Forks take an emulated machine their time. */
	ASSERT_EQ(POLLIN, ctx_poll(self->ready, TOOL_WAIT_MS) & POLLIN);
	kill(self->tool.pid, SIGTERM);
	check_end(128 + SIGTERM);
}

/* Killed both at once: nobody is left who could end anything. */
TEST_F(cases, nothing_survives_in_a_pid_namespace)
{
	pid_t reaper = 0;
	FILE *file;
	char path[64];

	if (variant->nobody)
		SKIP(return, "not every kernel gives users a namespace");
	start("--pid-namespace", "sh", "-c", "setsid sleep 1000 & echo >&9; sleep 1000");
	wait_ready();
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", self->tool.pid, self->tool.pid);
	file = fopen(path, "re");
	ASSERT_NE(NULL, file);
	ASSERT_EQ(1, fscanf(file, "%d", &reaper));
	fclose(file);
	kill(self->tool.pid, SIGKILL);
	kill(reaper, SIGKILL);
	check_all_goes();
}

/* What the command finds */

TEST_F(cases, finds_its_context_behind_who_closes_descriptors)
{
	be_user();
	start("sh", "-c", "eval \"exec $CTX_FD>&-\"; ctx info | grep -c \"^id: *$CTX_ID$\"");
	check_end(0);
	check_text("1\n", self->tool.out);
	check_has(self->tool.err, "a program in between has closed this descriptor, or used it: going "
		  "on with the context of CTX_ID=");
}

TEST_F(cases, warns_of_a_context_that_is_lost)
{
	be_user();
	start("sh", "-c", "eval \"exec $CTX_FD>&-\"; unset CTX_ID; ctx wait -t0");
	tool_end(&self->tool);
	EXPECT_EQ(1, self->tool.status);
	check_has(self->tool.err, "going on without a context");
}

/* The cgroup */

/* Out of a limit, and out of reach of cgroup.kill, it must not be taken. */
TEST_F(cases, stays_in_a_cgroup_that_it_sees_as_the_first)
{
	char line[256] = "";
	FILE *file;

	if (variant->nobody)
		SKIP(return, "takes root");
	mkdir(CGROUP "/svc", 0755);
	file = fopen(CGROUP "/svc/cgroup.procs", "we");
	if (!file)
		SKIP(return, "there is no cgroup v2");
	fprintf(file, "%d", getpid());
	ASSERT_EQ(0, fclose(file));
	ASSERT_EQ(0, unshare(CLONE_NEWCGROUP));
	start("sh", "-c", "echo $$ >&9; sleep 1000");
	ASSERT_LT(0, read(self->ready, line, sizeof(line) - 1));
	/* This process sees what is outside of its own first as /.. */
	file = fopen(format("/proc/%d/cgroup", atoi(line)), "re");
	ASSERT_NE(NULL, file);
	line[0] = '\0';
	while (fgets(line, sizeof(line), file) && strncmp(line, "0::", 3))
		;
	fclose(file);
	EXPECT_EQ(0, strncmp(line, "0::/", 4));
	EXPECT_NE(0, strncmp(line, "0::/..", 6));
	kill(self->tool.pid, SIGTERM);
	check_end(128 + SIGTERM);
}

TEST_HARNESS_MAIN
