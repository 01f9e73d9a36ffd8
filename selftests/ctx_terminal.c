// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx run at a terminal, between a shell and programs that handle ^C themselves: as
 * without ctx run.
 */
#include "ctx_command.h"
#include "ctx_screen.h"

#define CTRL_C	"\x03"

FIXTURE(terminal) {
	int fd;
	pid_t pid;
	char said[16384];	/* what came of it since the last wait_said() */
	size_t len;
};

FIXTURE_SETUP(terminal)
{
	char path[PATH_MAX + 512];

	self->fd = screen_terminal(24, 80);
	if (self->fd < 0)
		SKIP(return, "this kernel has no pseudo-terminals, or that is not root");
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	snprintf(path, sizeof(path), "%s", tool_path());
	*strrchr(path, '/') = '\0';
	snprintf(path + strlen(path), 512, ":%.500s", getenv("PATH") ?: "/bin");
	ASSERT_EQ(0, setenv("PATH", path, 1));
	setenv("TERM", "vt100", 1);
	unsetenv("CTX_FD");
	unsetenv("CTX_ID");
}

FIXTURE_TEARDOWN(terminal)
{
	close(self->fd);
}

/* In front of the terminal, in a session of its own. */
static pid_t run_in_front(int terminal, char *const argv[])
{
	pid_t pid = ctx_fork();
	int fd, i;

	if (pid)
		return pid;
	setsid();
	fd = ioctl(terminal, TIOCGPTPEER, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0))
		_exit(127);
	for (i = 0; i < 3; i++)
		dup2(fd, i);
	syscall(SYS_close_range, 3, ~0U, 0);
	execvp(argv[0], argv);
	_exit(127);
}

#define run(...) ({							\
	self->pid = run_in_front(self->fd, (char *[]){ __VA_ARGS__, NULL });	\
	ASSERT_LT(0, self->pid);					\
})

static bool read_some(int fd, char *said, size_t *len, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n = poll(&pfd, 1, TOOL_WAIT_MS) == 1 ? read(fd, said + *len, size - 1 - *len) : 0;

	if (n > 0)
		*len += n;
	said[*len] = '\0';
	return n > 0;
}

/* The program has written @text, and maybe more before it. */
#define wait_said(text) ({						\
	char *__end;							\
									\
	while (!(__end = strstr(self->said, (text))))			\
		ASSERT_TRUE(read_some(self->fd, self->said, &self->len, sizeof(self->said))) {	\
			TH_LOG("'%s' does not come: '%s'", (text), self->said);	\
		}							\
	__end += strlen(text);						\
	self->len -= __end - self->said;				\
	memmove(self->said, __end, self->len + 1);			\
})

#define type(text) ASSERT_EQ((ssize_t)strlen(text), write(self->fd, (text), strlen(text)))

/* What the shell, or who else was started, has ended with, as of waitpid(); and nobody is left. */
#define wait_end() ({							\
	int __status = -1;						\
									\
	ASSERT_EQ(self->pid, waitpid(self->pid, &__status, 0));		\
	check_nothing_left();						\
	__status;							\
})

#define LOOP	"for i in 1 2 3; do echo step $i; ctx run sh -c 'echo begun; exec sleep 1000'; done"

TEST_F_TIMEOUT(terminal, ends_a_loop_of_bash, 120)
{
	int status;

	run("/bin/bash", "-c", LOOP);
	wait_said("step 1");
	wait_said("begun");
	type(CTRL_C);
	status = wait_end();
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGINT, WTERMSIG(status));
}

/*
 * One that handles ^C is at the prompt again, and goes on. It has to wait already: what comes just
 * before, Python notices after that alone.
 */
TEST_F_TIMEOUT(terminal, leaves_python_to_handle_it, 120)
{
	pid_t python;

	run("ctx", "run", "python3", "-I", "-S", "-q", "-i");
	wait_said(">>> ");
	type("import posix, _signal; print('be' + 'gun', posix.getpid(), 'now'); _signal.pause()\n");
	wait_said("begun ");
	while (!strstr(self->said, "now"))
		ASSERT_TRUE(read_some(self->fd, self->said, &self->len, sizeof(self->said)));
	python = atoi(self->said);
	ASSERT_LT(0, python);
	ASSERT_EQ(0, ctx_wait_in_syscall(python, python, SYS_pause));
	type(CTRL_C);
	wait_said("KeyboardInterrupt");
	wait_said(">>> ");
	type("print(6 * 7)\n");
	wait_said("42");
	type("raise SystemExit(3)\n");
	EXPECT_EQ(3 << 8, wait_end());
}

TEST_F_TIMEOUT(terminal, leaves_less_to_handle_it, 120)
{
	run("ctx", "run", "/usr/bin/less", "/proc/self/status");
	wait_said("Name:");
	/* It waits for what is added to the file, until ^C. */
	type("F");
	wait_said("(interrupt to abort)");
	type(CTRL_C);
	type("=");
	wait_said("lines");
	type("q");
	EXPECT_EQ(0, wait_end());
}

/* A shell below ctx run has its own jobs, and ends only those. */
TEST_F_TIMEOUT(terminal, leaves_the_jobs_of_a_shell_to_it, 120)
{
	run("ctx", "run", "/bin/bash", "--norc", "-i");
	type("sh -c 'echo be''gun; exec sleep 1000'\n");
	wait_said("begun");
	type(CTRL_C);
	type("echo status $?\n");
	wait_said("status 130");
	type("exit 4\n");
	EXPECT_EQ(4 << 8, wait_end());
}

TEST_HARNESS_MAIN
