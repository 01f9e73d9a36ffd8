// SPDX-License-Identifier: GPL-2.0-only
/*
 * Supervisors that people use, under ctx run: however it ends, with the supervisor it
 * leaves none of what that has started.
 *
 * Each test is a process of its own and a child subreaper: whatever a run leaves
 * behind becomes a child of the test.
 */
#include "ctx_command.h"

#include <sys/stat.h>

/* Each client starts as many jobs, each of which says that it is there. */
#define NR_JOBS	3

/* In a folder of the test's own, in which the client is started. */
#define JOB	"echo up >jobs; exec sleep 1000"

struct file {
	const char *name;
	const char *text;
};

static const struct file supervisord = {
	"supervisord.conf",
	"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
	"pidfile=supervisord.pid\n"
	"[program:job]\ncommand=sh -c '" JOB "'\n"
	"process_name=%(program_name)s_%(process_num)d\nnumprocs=3\n",
};

/* A worker of its own for each, which has a child. */
static const struct file gunicorn = {
	"app.py",
	"import subprocess\n"
	"subprocess.Popen(['sh', '-c', '" JOB "'], start_new_session=True)\n"
	"def app(environ, start):\n"
	"    start('200 OK', [])\n"
	"    return []\n",
};

static const struct file parallel = { "job", JOB "\n" };

/* A job server, and a make below the make. */
static const struct file make = {
	"Makefile",
	"all:\n\t+$(MAKE) one two three\n"
	"one two three:\n\t" JOB "\n",
};

/* Who leave their parents: they are the init's. */
static const struct file tini = {
	"start",
	"for i in 1 2 3; do (setsid sh -c '" JOB "' &); done; sleep 1000\n",
};

FIXTURE(clients) {
	char dir[32];
	int jobs;
	pid_t command;
	struct tool tool;
};

FIXTURE_VARIANT(clients) {
	const struct file *file;
	char *argv[12];
};

FIXTURE_VARIANT_ADD(clients, supervisord) {
	.file = &supervisord,
	.argv = { "python3", "-m", "supervisor.supervisord", "-c", "supervisord.conf" },
};

FIXTURE_VARIANT_ADD(clients, gunicorn) {
	.file = &gunicorn,
	.argv = { "python3", "-c", "from gunicorn.app.wsgiapp import run; run()", "-w", "3", "-b",
		  "unix:socket", "app:app" },
};

FIXTURE_VARIANT_ADD(clients, parallel) {
	.file = &parallel,
	.argv = { "parallel", "-j", "3", "sh", "job", ":::", "1", "2", "3" },
};

FIXTURE_VARIANT_ADD(clients, make) {
	.file = &make,
	.argv = { "make", "-j", "4" },
};

FIXTURE_VARIANT_ADD(clients, tini) {
	.file = &tini,
	.argv = { "tini", "-s", "--", "sh", "start" },
};

static bool write_file(const struct file *file)
{
	FILE *out = fopen(file->name, "we");

	return out && fputs(file->text, out) >= 0 && !fclose(out);
}

/* The child of ctx run's reaper, which is its child. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	FILE *file;
	int child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%d", &child) != 1)
		child = 0;
	if (file)
		fclose(file);
	return child;
}

/* As tool_start(), and as a shell starts a job. */
static void start_in_group(struct tool *tool, char *const argv[])
{
	*tool = (struct tool){
		.out_fd = memfd_create("out", MFD_CLOEXEC),
		.err_fd = memfd_create("err", MFD_CLOEXEC),
	};
	tool->pid = ctx_fork();
	if (tool->pid)
		return;
	if (!setpgid(0, 0) && dup2(tool->out_fd, 1) == 1 && dup2(tool->err_fd, 2) == 2)
		execv(tool_path(), argv);
	_exit(127);
}

FIXTURE_SETUP(clients)
{
	char *argv[16] = { "ctx", "run" }, text[3 * NR_JOBS + 1] = "";
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	size_t have = 0;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_TRUE(become_nobody());
	strcpy(self->dir, "/tmp/clients.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chdir(self->dir));
	ASSERT_EQ(0, mkfifo("jobs", 0600));
	ASSERT_TRUE(write_file(variant->file));
	self->jobs = open("jobs", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->jobs);
	setenv("HOME", self->dir, 1);
	setenv("PARALLEL_SHELL", "/bin/sh", 1);
	unsetenv("CTX_FD");
	unsetenv("CTX_ID");

	memcpy(argv + 2, variant->argv, sizeof(variant->argv));
	start_in_group(&self->tool, argv);
	fds[0].fd = self->jobs;
	fds[1].fd = syscall(SYS_pidfd_open, self->tool.pid, 0);
	ASSERT_LE(0, fds[1].fd);
	while (have < 3 * NR_JOBS) {
		/* These are interpreted languages on emulated processors. */
		ASSERT_LT(0, poll(fds, 2, TOOL_WAIT_MS));
		ASSERT_EQ(POLLIN, fds[0].revents) {
			TH_LOG("'%s', '%s'", tool_text(self->tool.out_fd), tool_text(self->tool.err_fd));
		}
		have += read(self->jobs, text + have, 3 * NR_JOBS - have);
	}
	ASSERT_STREQ("up\nup\nup\n", text);
	close(fds[1].fd);
	self->command = child_of(child_of(self->tool.pid));
	ASSERT_LT(0, self->command);
}

FIXTURE_TEARDOWN(clients)
{
	static const char *const files[] = {
		"jobs", "supervisord.pid", "socket", "job",
	};

	/* Whatever else a client has made stays: the guest ends. */
	for (unsigned int i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(files[i]);
	unlink(variant->file->name);
}

/* All that was started becomes this process's, or ctx run's, and ends. */
#define check_all_ends() ({						\
	while (waitpid(-1, NULL, __WALL) > 0)				\
		;							\
	EXPECT_EQ(ECHILD, errno);					\
})

TEST_F_TIMEOUT(clients, leave_nothing_once_cancelled, 600)
{
	ASSERT_EQ(0, kill(self->tool.pid, SIGTERM));
	tool_end(&self->tool);
	EXPECT_EQ(128 + SIGTERM, self->tool.status);
	check_nothing_left();
}

TEST_F_TIMEOUT(clients, leave_nothing_once_killed, 600)
{
	ASSERT_EQ(0, kill(self->command, SIGKILL));
	tool_end(&self->tool);
	EXPECT_EQ(128 + SIGKILL, self->tool.status);
	check_nothing_left();
}

TEST_F_TIMEOUT(clients, leave_nothing_once_ctx_run_is_killed, 600)
{
	ASSERT_EQ(0, kill(self->tool.pid, SIGKILL));
	check_all_ends();
}

/* By the group, as a shell does: the client goes with it, what the client has started does not. */
TEST_F_TIMEOUT(clients, leave_nothing_once_the_group_is_killed, 600)
{
	ASSERT_EQ(0, kill(-self->tool.pid, SIGKILL));
	check_all_ends();
}

TEST_HARNESS_MAIN
