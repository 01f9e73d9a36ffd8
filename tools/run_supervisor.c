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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"
#include "run.h"

/* Between two looks at what is left, once the reaper is gone. */
#define KILL_PAUSE_MIN_MS	5
#define KILL_PAUSE_MAX_MS	500

/* How ctx run is to end. */
struct end {
	int status;
	int signal;		/* by that, where it is not 0 */
};

/* After the command ended as @status tells, after @err if that is not 0. */
static struct end end_of(const struct run_options *options, int status, int err)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (err == ETIMEDOUT && signal != SIGKILL && !options->preserve_status)
		return (struct end){ .status = STATUS_TIMED_OUT };
	if (!signal)
		return (struct end){ .status = WEXITSTATUS(status) };
	/* As timeout does: a caller who asks knows of it. */
	return (struct end){
		.status = STATUS_SIGNAL + signal,
		.signal = err == ETIMEDOUT ? 0 : signal,
	};
}

/* ctx timeout ends by its own rules. */
static int end_as(const struct run_options *options, struct end end)
{
	return end.signal && !options->timeout_end ? end_by_signal(end.signal) : end.status;
}

static int fail(const char *what)
{
	complain("%s: %s", what, strerror(errno));
	return STATUS_FAILED;
}

/* More than strerror() says. */
static void complain_not_created(const struct run_options *options)
{
	const char *why = strerror(errno);

	if (errno == ELOOP)
		why = "it is nested too deep";
	else if (errno == ENOSPC)
		why = "the user has as many as max_user_contexts allows";
	if (errno == EPERM)
		complain("cannot create the context: the context of %s can be no parent",
			 options->under ? options->under : "CTX_FD");
	else
		complain("cannot create the context: %s", why);
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

static void set_deadline(struct ctx_create_args *args, const struct run_options *options)
{
	struct timespec now;
	int64_t begin = 0;

	if (options->timeout == NEVER)
		return;
	args->clockid = options->clock;
	if (options->clock == CLOCK_REALTIME && options->timeout) {
		/* A time of day, which comes sooner or later where the clock is set. */
		clock_gettime(CLOCK_REALTIME, &now);
		begin = now.tv_sec * (int64_t)NSEC_PER_SEC + now.tv_nsec;
		if (options->timeout > NEVER - begin)
			return;
	} else {
		args->flags |= CTX_CREATE_TIMEOUT;
	}
	args->deadline = (uint64_t)(begin + options->timeout);
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
	set_deadline(&args, options);
	if (options->name)
		memcpy(args.name, options->name, strnlen(options->name, CTX_NAME_LEN - 1));
	else
		default_name(&args, options->command[0]);
	run->ctx = ctxfd_create(parent, &args);
	if (run->ctx < 0) {
		complain_not_created(options);
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

struct supervisor {
	struct run *run;
	pid_t reaper;
	int signals;
	int report;
	int orders;
	int signal;		/* that cancelled the context */
	bool ended;		/* the command */
	struct end end;		/* for it */
	bool reaped;		/* the reaper */
	bool killed;		/* the same, by a signal */
	struct tree *tree;
};

static void cancel_for(struct supervisor *supervisor, int signal)
{
	char name[16];

	snprintf(name, sizeof(name), "SIG%s", sigabbrev_np(signal) ?: "RT");
	/* What is cancelled already has ended for another reason. */
	if (!ctxfd_cancel_cause(supervisor->run->ctx, EINTR, name))
		supervisor->signal = signal;
}

static void read_signals(struct supervisor *supervisor)
{
	struct run_end *end = supervisor->run->options->timeout_end;
	int signal;

	while ((signal = next_signal(supervisor->run, supervisor->signals, supervisor->orders))) {
		if (end && signal == SIGALRM)
			end->timed_out = true;
		else if (end && !ctxfd_err(supervisor->run->ctx))
			/* The command gets what came. */
			*supervisor->run->signal = signal;
		cancel_for(supervisor, signal);
	}
}

static void read_reports(struct supervisor *supervisor)
{
	const struct run_options *options = supervisor->run->options;
	struct report report;

	while (read(supervisor->report, &report, sizeof(report)) == sizeof(report)) {
		if (report.refused) {
			cancel_for(supervisor, report.signal);
			continue;
		}
		supervisor->ended = true;
		supervisor->end = end_of(options, report.status, report.err);
		if (options->timeout_end) {
			options->timeout_end->known = true;
			options->timeout_end->status = report.status;
			options->timeout_end->timed_out |= report.err == ETIMEDOUT;
		}
		if (!options->detach)
			ctxfd_cancel_cause(supervisor->run->ctx, 0, "the command has ended");
	}
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
		{ .fd = supervisor->report, .events = POLLIN },
	};

	/* The pipe's end comes with that of the reaper. */
	poll(fds, 2, timeout);
}

/* The reaper was killed: what it had came to this process, a subreaper as well. */
static void kill_all(struct supervisor *supervisor)
{
	struct cgroup *cgroup = &supervisor->run->cgroup;
	int pause = KILL_PAUSE_MIN_MS;

	complain("somebody killed process %d, the reaper: killing what the command has started",
		 supervisor->reaper);
	ctxfd_cancel_cause(supervisor->run->ctx, 0, "the reaper was killed");
	/* Nobody writes to it any more: poll would return at once, for ever. */
	supervisor->report = -1;
	for (;;) {
		cgroup_kill(cgroup);
		read_signals(supervisor);
		reap(supervisor);
		if (!tree_signal(supervisor->tree, SIGKILL))
			break;
		wait_for_event(supervisor, pause);
		if (pause < KILL_PAUSE_MAX_MS)
			pause *= 2;
	}
	cgroup_remove(cgroup);
}

static int supervise(struct supervisor *supervisor)
{
	const struct run *run = supervisor->run;

	do {
		wait_for_event(supervisor, -1);
		read_signals(supervisor);
		/* In this order: who has ended has reported before. */
		reap(supervisor);
		read_reports(supervisor);
		if (supervisor->ended && run->options->detach && !supervisor->signal)
			return end_as(run->options, supervisor->end);
	} while (!supervisor->reaped);
	if (supervisor->killed)
		kill_all(supervisor);
	if (supervisor->signal && !run->options->timeout_end)
		return end_by_signal(supervisor->signal);
	if (!supervisor->ended)
		return STATUS_SIGNAL + SIGKILL;
	return end_as(run->options, supervisor->end);
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

/* What takes this process from its place. Returns 0, or -1 after having said why not. */
static int prepare(struct supervisor *supervisor)
{
	struct run *run = supervisor->run;
	int reports[2], orders[2];

	supervisor->tree = tree_new(false);
	if (!supervisor->tree && errno == ENOENT) {
		complain("there is no /proc to find what the command starts; mount it");
		return -1;
	}
	if (!supervisor->tree)
		return fail("cannot begin");
	if (!tree_can_signal(supervisor->tree))
		return fail("no system call that sends signals may be used");
	run->signal = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	if (run->signal == MAP_FAILED)
		return fail("cannot begin");
	*run->signal = run->options->signal;
	supervisor->signals = take_signals(run);
	/* Without waiting: one event may stand for another. */
	if (supervisor->signals < 0 || pipe2(reports, O_CLOEXEC | O_NONBLOCK) ||
	    pipe2(orders, O_CLOEXEC | O_NONBLOCK))
		return fail("cannot begin");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || tree_except_children(supervisor->tree))
		return fail("cannot keep what the command starts");
	supervisor->report = reports[0];
	run->report = reports[1];
	run->orders = orders[0];
	supervisor->orders = orders[1];
	return 0;
}

/* The command's is another one. */
static void close_ambient(void)
{
	int ambient = ctxfd_from_env();

	if (ambient >= 0 && ambient != ctxfd_background())
		close(ambient);
}

static _Noreturn void become_reaper(struct supervisor *supervisor)
{
	struct run *run = supervisor->run;

	/* First of all: from here on the supervisor alone holds it. */
	if (!run->options->detach)
		close(run->ctx);
	close_ambient();
	close(supervisor->signals);
	close(supervisor->report);
	close(supervisor->orders);
	reaper(run);
}

int run_command(const struct run_options *options)
{
	struct run run = { .options = options, .supervisor = getpid() };
	struct supervisor supervisor = { .run = &run };

	fill_standard_descriptors();
	if (create(&run))
		return STATUS_FAILED;
	/* Time that has passed already is no reason for ctx timeout not to begin. */
	if (ctxfd_err(run.ctx) && (!options->timeout_end || ctxfd_err(run.ctx) == ECANCELED))
		return end_as(options, end_of(options, options->signal, ctxfd_err(run.ctx)));
	if (prepare(&supervisor))
		return STATUS_FAILED;
	cgroup_make(&run.cgroup, run.id);
	supervisor.reaper = fork_reaper(options);
	if (supervisor.reaper < 0)
		return STATUS_FAILED;
	if (!supervisor.reaper)
		become_reaper(&supervisor);
	close(run.report);
	close(run.orders);
	close(run.watch);
	drop_inherited(true);
	return supervise(&supervisor);
}
