// SPDX-License-Identifier: GPL-2.0-only
/*
 * The supervisor of ctx run: owns the context, and ends once nothing is left of
 * what the command has started.
 */
#include <ctxfd.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"
#include "run.h"

/* The exit status where the command ended as @status tells, after @err if that is not 0. */
static int exit_status(int status, int err)
{
	if (err == ETIMEDOUT && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		return STATUS_TIMED_OUT;
	return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static int fail(const char *what)
{
	complain("%s: %s", what, strerror(errno));
	return STATUS_FAILED;
}

/* More than strerror() says. */
static const char *why_not_created(void)
{
	switch (errno) {
	case ELOOP:
		return "it is nested too deep";
	case ENOSPC:
		return "the user has as many as max_user_contexts allows";
	case EPERM:
		return "the context of CTX_FD can be no parent";
	default:
		return strerror(errno);
	}
}

/* The command's base name, cut to what fits between two characters of UTF-8. */
static void default_name(struct ctx_create_args *args, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash && slash[1] ? slash + 1 : path;
	size_t len = strnlen(name, CTX_NAME_LEN);

	if (len == CTX_NAME_LEN)
		for (len--; len && (name[len] & 0xc0) == 0x80; len--)
			;
	memcpy(args->name, name, len);
}

/* Returns -1 after having said why there is none. */
static int open_parent(const struct run_options *options)
{
	char *text = (char *)options->under;
	struct forest forest = {};
	struct target target;
	int parent;

	if (!text)
		return ambient_open();
	if (!targets_parse(&target, &text, 1))
		return -1;
	parent = target_open(&target, &forest, false);
	forest_free(&forest);
	return parent;
}

static int create(struct run *run)
{
	const struct run_options *options = run->options;
	struct ctx_create_args args = {
		.flags = options->detach ? CTX_CREATE_DETACHED : 0,
		.nr_values = options->nr_values,
		.values = (uintptr_t)options->values,
	};
	struct ctx_info info;
	int parent = open_parent(options);

	if (parent < 0)
		return -1;
	if (options->timeout != NEVER) {
		args.flags |= CTX_CREATE_TIMEOUT;
		args.clockid = CLOCK_MONOTONIC;
		args.deadline = (uint64_t)options->timeout;
	}
	if (options->name)
		memcpy(args.name, options->name, strnlen(options->name, CTX_NAME_LEN - 1));
	else
		default_name(&args, options->command[0]);
	run->ctx = ctxfd_create(parent, &args);
	if (run->ctx < 0) {
		complain("cannot create the context: %s", why_not_created());
		return -1;
	}
	if (options->under)
		close(parent);
	run->watch = ctxfd_watch(run->ctx);
	if (run->watch < 0 || ctxfd_info(run->ctx, &info)) {
		fail("cannot watch the context");
		return -1;
	}
	run->id = info.id;
	return 0;
}

/* Signals that are to end the command rather than leave it behind. */
static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

/* Returns a descriptor for signals, which are blocked from here on. */
static int take_signals(struct run *run)
{
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		/* Not what nohup, or a shell in the background, has it ignore. */
		if (!sigaction(ends[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, &run->mask);
	/* Where children are not waited for, there is no status to learn. */
	action = (struct sigaction){ .sa_handler = SIG_DFL };
	sigaction(SIGCHLD, &action, &run->child_action);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

struct supervisor {
	struct run *run;
	pid_t reaper;
	int signals;
	int report;
	int signal;		/* that cancelled the context */
	bool ended;		/* the command */
	int status;		/* exit status for it */
	bool reaped;		/* the reaper */
	bool killed;		/* the same, by a signal */
	struct tree *tree;
};

static void read_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;
	char name[16];

	while (read(supervisor->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		snprintf(name, sizeof(name), "SIG%s", sigabbrev_np((int)info.ssi_signo));
		/* What is cancelled already has ended for another reason. */
		if (!ctxfd_cancel_cause(supervisor->run->ctx, EINTR, name))
			supervisor->signal = (int)info.ssi_signo;
	}
}

static void read_report(struct supervisor *supervisor)
{
	struct report report;

	if (supervisor->ended ||
	    read(supervisor->report, &report, sizeof(report)) != sizeof(report))
		return;
	supervisor->ended = true;
	supervisor->status = exit_status(report.status, report.err);
	if (!supervisor->run->options->detach)
		ctxfd_cancel_cause(supervisor->run->ctx, 0, "the command has ended");
}

/* Reaps; besides the reaper, whom this process has only from a program before it. */
static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		tree_reaped(supervisor->tree, pid);
		if (pid != supervisor->reaper)
			continue;
		supervisor->reaped = true;
		supervisor->killed = WIFSIGNALED(status);
	}
}

static void wait_for_event(const struct supervisor *supervisor, int timeout)
{
	struct pollfd fds[] = {
		{ .fd = supervisor->signals, .events = POLLIN },
		{ .fd = supervisor->ended ? -1 : supervisor->report, .events = POLLIN },
	};

	poll(fds, 2, timeout);
}

/* The reaper was killed: what it had came to this process, a subreaper as well. */
static void kill_all(struct supervisor *supervisor)
{
	struct cgroup cgroup;

	complain("somebody killed process %d, the reaper: killing what the command has started",
		 supervisor->reaper);
	ctxfd_cancel_cause(supervisor->run->ctx, 0, "the reaper was killed");
	cgroup_find(&cgroup, supervisor->run->id);
	/* Nobody writes to it any more: poll would return at once, for ever. */
	supervisor->report = -1;
	for (;;) {
		cgroup_kill(&cgroup);
		read_signals(supervisor);
		reap(supervisor);
		if (tree_signal(supervisor->tree, SIGKILL) <= 0)
			break;
		wait_for_event(supervisor, 5);
	}
	cgroup_remove(&cgroup);
}

static int supervise(struct supervisor *supervisor)
{
	const struct run *run = supervisor->run;

	do {
		wait_for_event(supervisor, -1);
		read_signals(supervisor);
		/* In this order: who has ended has reported before. */
		reap(supervisor);
		read_report(supervisor);
		if (supervisor->ended && run->options->detach && !supervisor->signal)
			return supervisor->status;
	} while (!supervisor->reaped);
	if (supervisor->killed)
		kill_all(supervisor);
	if (supervisor->signal)
		return STATUS_SIGNAL + supervisor->signal;
	return supervisor->ended ? supervisor->status : STATUS_SIGNAL + SIGKILL;
}

/* Whatever is opened later does not take the place of one that is closed. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* The command's is another one. */
static void close_ambient(void)
{
	int ambient = ctxfd_from_env();

	if (ambient >= 0 && ambient != ctxfd_background())
		close(ambient);
}

int run_command(const struct run_options *options)
{
	struct run the_run = { .options = options }, *run = &the_run;
	struct supervisor supervisor = { .run = run };
	int report_pipe[2];

	fill_standard_descriptors();
	if (create(run))
		return STATUS_FAILED;
	if (ctxfd_err(run->ctx))
		return exit_status(run->options->signal, ctxfd_err(run->ctx));

	supervisor.signals = take_signals(run);
	supervisor.tree = tree_new(false);
	/* Without waiting: other events than a report lead to read_report() as well. */
	if (supervisor.signals < 0 || !supervisor.tree ||
	    pipe2(report_pipe, O_CLOEXEC | O_NONBLOCK))
		return fail("cannot begin");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	tree_except_children(supervisor.tree);
	supervisor.report = report_pipe[0];
	run->report = report_pipe[1];
	supervisor.reaper = fork();
	if (supervisor.reaper < 0)
		return fail("cannot fork");
	if (!supervisor.reaper) {
		/* First of all: from here on the supervisor alone holds it. */
		if (!run->options->detach)
			close(run->ctx);
		close_ambient();
		close(supervisor.signals);
		close(supervisor.report);
		reaper(run);
	}
	close(run->report);
	close(run->watch);
	return supervise(&supervisor);
}
