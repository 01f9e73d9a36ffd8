// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reaper of ctx run: starts the command, and ends all that the command has
 * started once the context is cancelled.
 */
#include <ctxfd.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"
#include "run.h"

#define MSEC		1000000LL

/* Between two looks at what is left. */
#define PAUSE_MIN	(5 * MSEC)
#define PAUSE_MAX	(500 * MSEC)
#define PAUSE_LOOKS	64	/* as long as that many looks take */

struct reaper {
	struct run *run;
	pid_t command;		/* 0 once it has ended */
	bool *never_ran;	/* shared with the command's process before its exec */
	bool alone;		/* no descendant is left */
	bool asked;		/* to end the tree, by a signal */
	bool stopping;
	bool warned;		/* the signal was sent */
	int signals;
	int64_t kill_at;
	int64_t next;		/* when to send signals again to those that are new */
	int64_t pause;
	struct tree *tree;
	struct cgroup cgroup;
};

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MSEC + ts.tv_nsec;
}

/* In the command's process. */
static _Noreturn void become_command(const struct run *run, pid_t reaper, bool *never_ran)
{
	int err;

	/*
	 * Who kills the reaper has the supervisor kill all the rest. Who kills
	 * both at once is not to get away with the command, at least.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != reaper)
		_exit(STATUS_FAILED);
	if (ctxfd_to_env(run->watch)) {
		complain("cannot pass on the context: %s", strerror(errno));
		_exit(STATUS_FAILED);
	}
	sigaction(SIGCHLD, &run->child_action, NULL);
	sigprocmask(SIG_SETMASK, &run->mask, NULL);
	/* Who is cancelled from here on is sent a signal. */
	if (ctxfd_err(run->watch)) {
		*never_ran = true;
		_exit(STATUS_FAILED);
	}
	execvp(run->options->command[0], run->options->command);
	err = errno;
	complain("cannot run '%s': %s", run->options->command[0], strerror(err));
	_exit(err == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXEC);
}

static void report(const struct reaper *reaper, int status, int err)
{
	struct report report = { .status = status, .err = err };

	/* The supervisor may be gone, and nobody interested. */
	while (write(reaper->run->report, &report, sizeof(report)) < 0 && errno == EINTR)
		;
}

/* The command did not run, as the context was cancelled before. */
static void report_cancelled(const struct reaper *reaper)
{
	report(reaper, reaper->run->options->signal, ctxfd_err(reaper->run->watch));
}

/*
 * What the user's shell gave to the command is not for the reaper, who may
 * outlive the command: it would keep pipes open. All of our own is close-on-exec.
 */
static void drop_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd, null;

	while (dir && (entry = readdir(dir))) {
		/* NOLINTNEXTLINE(cert-err34-c): a name in /proc, of digits; "." is no descriptor */
		fd = atoi(entry->d_name);
		if (fd > STDERR_FILENO && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			close(fd);
	}
	if (dir)
		closedir(dir);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fd != null && dup2(null, fd) < 0)
			close(fd);
	if (null > STDERR_FILENO)
		close(null);
	/* Nor does it keep a file system from being unmounted. */
	(void)!chdir("/");
}

static void allow_many_descriptors(void)
{
	struct rlimit limit;

	/* As many as the tree of processes is deep. */
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int prepare(struct reaper *reaper)
{
	sigset_t set;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Nothing but SIGKILL and SIGSTOP takes it from its work. */
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTERM);
	reaper->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	reaper->tree = tree_new(false);
	reaper->never_ran = mmap(NULL, sizeof(bool), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reaper->signals < 0 || !reaper->tree || reaper->never_ran == MAP_FAILED)
		return -1;
	cgroup_make(&reaper->cgroup, reaper->run->id);
	return 0;
}

/* Returns whether there is a command to wait for. */
static bool start(struct reaper *reaper)
{
	const struct run *run = reaper->run;
	pid_t self = getpid();

	if (prepare(reaper)) {
		complain("cannot begin: %s", strerror(errno));
		report(reaper, W_EXITCODE(STATUS_FAILED, 0), 0);
		return false;
	}
	if (ctxfd_err(run->watch)) {
		report_cancelled(reaper);
		return false;
	}
	reaper->command = cgroup_fork(&reaper->cgroup);
	if (!reaper->command)
		become_command(run, self, reaper->never_ran);
	if (reaper->command < 0) {
		complain("cannot fork: %s", strerror(errno));
		report(reaper, W_EXITCODE(STATUS_FAILED, 0), 0);
		return false;
	}
	/* Now: the command's process keeps the supervisor's group, and never has this name. */
	setpgid(0, 0);
	prctl(PR_SET_NAME, REAPER_NAME);
	drop_inherited();
	allow_many_descriptors();
	return true;
}

static void reap(struct reaper *reaper)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (pid != reaper->command)
			continue;
		reaper->command = 0;
		if (*reaper->never_ran)
			report_cancelled(reaper);
		else
			/* It may have heard of the cancellation before this process. */
			report(reaper, status, ctxfd_err(reaper->run->watch));
	}
	reaper->alone = pid < 0 && errno == ECHILD;
}

static void stop_pass(struct reaper *reaper)
{
	int64_t begin = now(), end;
	/* Not before the signal was sent once, however soon KILL is to follow. */
	bool kill_all = begin >= reaper->kill_at &&
			(reaper->warned || reaper->run->options->signal == SIGKILL);

	reaper->warned = true;
	if (kill_all)
		cgroup_kill(&reaper->cgroup);
	if (tree_signal(reaper->tree, kill_all ? SIGKILL : reaper->run->options->signal) < 0 &&
	    reaper->command)
		/* There is no /proc: what the command leaves behind is not found. */
		kill(reaper->command, kill_all ? SIGKILL : reaper->run->options->signal);
	/*
	 * Again and again, as the tree may change under the eye of the walk, but
	 * never for long: many reapers may be at work.
	 */
	end = now();
	if (reaper->pause < PAUSE_LOOKS * (end - begin))
		reaper->pause = PAUSE_LOOKS * (end - begin);
	if (reaper->pause > PAUSE_MAX)
		reaper->pause = PAUSE_MAX;
	reaper->next = end + reaper->pause;
	reaper->pause *= 2;
	if (!kill_all && reaper->next > reaper->kill_at) {
		reaper->next = reaper->kill_at;
		reaper->pause = PAUSE_MIN;
	}
}

static void begin_to_stop(struct reaper *reaper)
{
	const struct run *run = reaper->run;
	int64_t begin = now();

	reaper->stopping = true;
	reaper->pause = PAUSE_MIN;
	reaper->kill_at = run->options->kill_after > NEVER - begin ? NEVER : begin + run->options->kill_after;
	if (run->options->signal == SIGKILL)
		reaper->kill_at = begin;
	reaper->next = begin;
}

static void wait_for_event(struct reaper *reaper)
{
	struct pollfd fds[] = {
		{ .fd = reaper->signals, .events = POLLIN },
		{ .fd = reaper->stopping ? -1 : reaper->run->watch, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	struct timespec timeout = {};
	int64_t left = reaper->next - now();

	if (left > 0) {
		timeout.tv_sec = left / (1000 * MSEC);
		timeout.tv_nsec = left % (1000 * MSEC);
	}
	ppoll(fds, 2, reaper->stopping ? &timeout : NULL, NULL);
	while (read(reaper->signals, &info, sizeof(info)) == sizeof(info))
		/* What the terminal sends is the supervisor's, in whose group this was at first. */
		if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
			reaper->asked = true;
}

_Noreturn void reaper(struct run *run)
{
	struct reaper reaper = { .run = run, .cgroup = { .parent = -1, .fd = -1 } };

	if (start(&reaper)) {
		for (;;) {
			/* First: what has ended needs no signal. */
			reap(&reaper);
			if (reaper.alone)
				break;
			if (!reaper.stopping && (reaper.asked || ctxfd_err(run->watch)))
				begin_to_stop(&reaper);
			if (reaper.stopping && now() >= reaper.next)
				stop_pass(&reaper);
			wait_for_event(&reaper);
		}
	}
	cgroup_remove(&reaper.cgroup);
	if (run->options->detach)
		ctxfd_cancel_cause(run->ctx, 0, "nothing of the command is left");
	_exit(0);
}
