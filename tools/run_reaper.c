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
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"
#include "run.h"
#include "run_process.h"
#include "run_talk.h"

#define MSEC		1000000LL

/* Between two looks at what is left. */
#define PAUSE_MIN	(5 * MSEC)
#define PAUSE_MAX	(500 * MSEC)
#define PAUSE_LOOKS	64

/* Where /proc does not tell, no higher ones are looked at. */
#define FDS_MAX		65536

/* So long a signal may take to be taken by who is to be killed next. */
#define TAKE_MAX	(1000 * MSEC)

enum stage {
	RUNNING,
	STOPPING,		/* the signal is to be sent */
	WAITING,
	KILLING,
};

struct reaper {
	struct run *run;
	enum stage stage;
	pid_t group;		/* the supervisor's */
	pid_t command;		/* 0 once it has ended */
	bool *never_ran;	/* shared with the command's process before its exec */
	bool alone;		/* no descendant is left */
	bool asked;		/* to end the tree, by a signal */
	int signals;
	int64_t sent_at;
	int64_t kill_at;
	int64_t next;		/* when there is something to do */
	int64_t pause;
	struct talk talk;
	int said;		/* the last signal that ctx timeout told of */
	struct tree *tree;
};

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MSEC + ts.tv_nsec;
}

static void report(const struct reaper *reaper, const struct report *report)
{
	/* The supervisor may be gone, and nobody interested. */
	while (write(reaper->run->report, report, sizeof(*report)) < 0 && errno == EINTR)
		;
}

/* A signal of the terminal did not reach the command. */
static void report_refused(const struct reaper *reaper, int signal)
{
	struct report refused = { .refused = true, .signal = signal };

	report(reaper, &refused);
}

static void report_end(const struct reaper *reaper, int status)
{
	/* It may have heard of the cancellation before this process. */
	int err = ctxfd_err(reaper->run->watch);

	report(reaper, &(struct report){ .status = status, .err = err });
}

static void report_failure(const struct reaper *reaper)
{
	report(reaper, &(struct report){ .status = W_EXITCODE(STATUS_FAILED, 0) });
}

/* The command did not run, as the context was cancelled before. */
static void report_cancelled(const struct reaper *reaper)
{
	report_end(reaper, *reaper->run->signal);
}

static void close_one(int fd)
{
	int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;

	/* All of our own is close-on-exec. */
	if (flags >= 0 && !(flags & FD_CLOEXEC))
		close(fd);
}

static void close_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	for (int fd = 0; !dir && fd < sysconf(_SC_OPEN_MAX) && fd < FDS_MAX; fd++)
		close_one(fd);
	while (dir && (entry = readdir(dir)))
		/* NOLINTNEXTLINE(cert-err34-c): a name in /proc, of digits; "." is no descriptor */
		close_one(atoi(entry->d_name));
	if (dir)
		closedir(dir);
}

void drop_inherited(bool keep_stderr)
{
	int fd, null;

	close_inherited();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (fd = STDIN_FILENO; fd <= (keep_stderr ? STDOUT_FILENO : STDERR_FILENO); fd++)
		if (fd != null && dup2(null, fd) < 0)
			close(fd);
	if (null > STDERR_FILENO)
		close(null);
	/* Nor is a file system kept from being unmounted. */
	(void)!chdir("/");
}

static int prepare(struct reaper *reaper)
{
	sigset_t set;

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
	if (reaper->signals < 0 || !reaper->tree || reaper->never_ran == MAP_FAILED ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1))
		return -1;
	reaper->group = getpgrp();
	return 0;
}

/*
 * Until it has a group of its own, the terminal tells this process what it tells the
 * command, and what comes before there is a command does not reach that.
 */
static void read_signals(struct reaper *reaper, bool before_command)
{
	struct signalfd_siginfo info;

	while (read(reaper->signals, &info, sizeof(info)) == sizeof(info)) {
		/* What comes to ctx timeout, the command gets; the supervisor tells. */
		if (info.ssi_signo == SIGCHLD || reaper->run->options->timeout_end)
			continue;
		if (info.ssi_code != SI_KERNEL)
			reaper->asked = true;
		else if (before_command)
			report_refused(reaper, (int)info.ssi_signo);
	}
}

/* Returns whether there is a command to wait for. */
static bool start(struct reaper *reaper)
{
	struct run *run = reaper->run;
	pid_t self = getpid();

	if (prepare(reaper)) {
		complain("cannot begin: %s", strerror(errno));
		report_failure(reaper);
		return false;
	}
	read_signals(reaper, true);
	if (ctxfd_err(run->watch) && !run->options->timeout_end) {
		report_cancelled(reaper);
		return false;
	}
	reaper->command = cgroup_fork(&run->cgroup);
	if (!reaper->command)
		become_command(run, self, reaper->never_ran);
	if (reaper->command < 0) {
		complain("cannot fork: %s", strerror(errno));
		report_failure(reaper);
		return false;
	}
	/* Now: the command's process keeps the supervisor's group, and never has this name. */
	setpgid(0, 0);
	prctl(PR_SET_NAME, REAPER_NAME);
	drop_inherited(!run->options->detach);
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
			report_end(reaper, status);
	}
	reaper->alone = pid < 0 && errno == ECHILD;
}

static void obey(const struct reaper *reaper, const struct order *order)
{
	siginfo_t info = {
		.si_signo = order->signal,
		.si_code = SI_QUEUE,
	};

	/* Nobody but this process reaps the command: the number is its own. */
	if (order->terminal) {
		if (!reaper->command || getpgid(reaper->command) != reaper->group)
			report_refused(reaper, order->signal);
		return;
	}
	/* What is being ended is sent one signal. */
	if (!reaper->command || reaper->stage != RUNNING || ctxfd_err(reaper->run->watch))
		return;
	info.si_pid = order->pid;
	info.si_uid = order->uid;
	info.si_value = order->value;
	if (!order->queued ||
	    syscall(SYS_rt_sigqueueinfo, reaper->command, order->signal, &info))
		pid_kill(reaper->command, order->signal);
}

static void read_orders(struct reaper *reaper)
{
	struct order order;
	ssize_t len;

	while ((len = read(reaper->run->orders, &order, sizeof(order))) == sizeof(order))
		obey(reaper, &order);
	/* The supervisor is gone, and poll is not to return for that for ever. */
	if (!len) {
		close(reaper->run->orders);
		reaper->run->orders = -1;
	}
}

static void begin_to_stop(struct reaper *reaper)
{
	const struct run_options *options = reaper->run->options;
	int64_t begin = now();

	reaper->stage = *reaper->run->signal == SIGKILL ? KILLING : STOPPING;
	reaper->sent_at = begin;
	reaper->pause = PAUSE_MIN;
	reaper->kill_at = options->kill_after > NEVER - begin ? NEVER :
			  begin + options->kill_after;
	reaper->next = begin;
}

/* The next step comes after a while, which grows, and is as long as that many looks take. */
static void pause_from(struct reaper *reaper, int64_t begin)
{
	int64_t end = now();

	if (reaper->pause < PAUSE_LOOKS * (end - begin))
		reaper->pause = PAUSE_LOOKS * (end - begin);
	if (reaper->pause > PAUSE_MAX)
		reaper->pause = PAUSE_MAX;
	reaper->next = end + reaper->pause;
	reaper->pause *= 2;
}

/* Before it is sent, and once for each signal. */
static void say_as_timeout(struct reaper *reaper, int signal)
{
	const struct run_options *options = reaper->run->options;

	if (!options->timeout_end || !options->verbose || !reaper->command ||
	    reaper->said == signal)
		return;
	reaper->said = signal;
	timeout_say_signal(signal, options->command[0]);
}

static void say_sent(struct reaper *reaper, int signal, int n)
{
	if (!reaper->run->options->timeout_end)
		talk_sent(&reaper->talk, reaper->tree, signal, n);
}

static void say_waiting(struct reaper *reaper, int64_t ns)
{
	if (!reaper->run->options->timeout_end)
		talk_waiting(&reaper->talk, reaper->tree, ns);
}

static void send_signal(struct reaper *reaper)
{
	int signal = *reaper->run->signal, n;
	int64_t begin = now();

	say_as_timeout(reaper, signal);
	n = tree_signal(reaper->tree, signal);
	reaper->sent_at = now();
	say_sent(reaper, signal, n);
	if (n >= 0) {
		reaper->stage = WAITING;
		reaper->pause = PAUSE_MIN;
	}
	pause_from(reaper, begin);
}

/* What was sent before by so little that it may not be taken yet is to come first. */
static bool may_kill(const struct reaper *reaper)
{
	int64_t time = now();

	return time >= reaper->kill_at &&
	       (time >= reaper->sent_at + TAKE_MAX ||
		tree_has_taken(reaper->tree, *reaper->run->signal));
}

static void wait_on(struct reaper *reaper)
{
	int64_t begin = now();

	if (may_kill(reaper)) {
		reaper->stage = KILLING;
		reaper->sent_at = begin;
		reaper->pause = PAUSE_MIN;
		reaper->next = begin;
		return;
	}
	tree_signal_orphans(reaper->tree, *reaper->run->signal);
	say_waiting(reaper, begin - reaper->sent_at);
	pause_from(reaper, begin);
	if (reaper->next > reaper->kill_at)
		reaper->next = begin < reaper->kill_at ? reaper->kill_at : begin + MSEC;
}

static void kill_tree(struct reaper *reaper)
{
	int64_t begin = now();
	int n;

	say_as_timeout(reaper, SIGKILL);
	cgroup_kill(&reaper->run->cgroup);
	n = tree_signal(reaper->tree, SIGKILL);
	say_sent(reaper, SIGKILL, n);
	say_waiting(reaper, begin - reaper->sent_at);
	pause_from(reaper, begin);
}

static void stop_pass(struct reaper *reaper)
{
	switch (reaper->stage) {
	case RUNNING:
		break;
	case STOPPING:
		send_signal(reaper);
		break;
	case WAITING:
		wait_on(reaper);
		break;
	case KILLING:
		kill_tree(reaper);
		break;
	}
}

static void wait_for_event(struct reaper *reaper)
{
	struct pollfd fds[] = {
		{ .fd = reaper->signals, .events = POLLIN },
		{ .fd = reaper->run->orders, .events = POLLIN },
		{ .fd = reaper->stage == RUNNING ? reaper->run->watch : -1, .events = POLLIN },
	};
	struct timespec timeout = {};
	int64_t left = reaper->next - now();
	bool forever = reaper->stage == RUNNING || reaper->next == NEVER;

	if (left > 0) {
		timeout.tv_sec = left / (1000 * MSEC);
		timeout.tv_nsec = left % (1000 * MSEC);
	}
	ppoll(fds, 3, forever ? NULL : &timeout, NULL);
	read_signals(reaper, false);
}

_Noreturn void reaper(struct run *run)
{
	struct reaper reaper = { .run = run, .talk = { .run = run }, .said = -1 };

	if (start(&reaper)) {
		for (;;) {
			/* First: what has ended needs no signal. */
			reap(&reaper);
			read_orders(&reaper);
			if (reaper.alone)
				break;
			if (reaper.stage == RUNNING && (reaper.asked || ctxfd_err(run->watch)))
				begin_to_stop(&reaper);
			if (reaper.stage != RUNNING && now() >= reaper.next)
				stop_pass(&reaper);
			wait_for_event(&reaper);
		}
	}
	cgroup_remove(&run->cgroup);
	if (run->options->detach)
		ctxfd_cancel_cause(run->ctx, 0, "nothing of the command is left");
	_exit(0);
}
