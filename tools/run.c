// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx run: a command under a context.
 */
#include <ctxfd.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"
#include "run.h"

enum { OPT_NAME = 256, OPT_VALUE, OPT_DETACH };

static const struct option options[] = {
	{ "timeout",	required_argument,	NULL, 't' },
	{ "kill-after",	required_argument,	NULL, 'k' },
	{ "signal",	required_argument,	NULL, 's' },
	{ "name",	required_argument,	NULL, OPT_NAME },
	{ "value",	required_argument,	NULL, OPT_VALUE },
	{ "detach",	no_argument,		NULL, OPT_DETACH },
	{ "help",	no_argument,		NULL, 'h' },
	{},
};

static void help(void)
{
	puts("Usage: ctx run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	     "Run a command under a context, a child of the caller's own, that the command\n"
	     "finds in CTX_FD. Once it is cancelled, whatever by, signal every process that\n"
	     "the command has started.\n\n"
	     "  -t, --timeout=DURATION     cancel the context after this time; 0 is at once\n"
	     "  -k, --kill-after=DURATION  send KILL to what is left this long after the signal\n"
	     "  -s, --signal=SIGNAL        the signal to send; TERM without\n"
	     "      --name=NAME            name of the context; the command's without\n"
	     "      --value=KEY=VALUE      a value of the context, up to 16 times\n"
	     "      --detach               let the context and what the command leaves behind\n"
	     "                             outlive ctx run\n"
	     "  -h, --help                 show this\n\n"
	     "A DURATION is a number and ns, us, ms, s, m, h or d; seconds without. Without\n"
	     "--detach, the end of the command cancels the context, and ctx run ends when\n"
	     "nothing that the command started is left.\n\n"
	     "Exit status: 124 where a deadline had passed, 137 where that took KILL;\n"
	     "125 where ctx run failed; 126 where the command cannot be run, 127 where there\n"
	     "is none; 128+N where signal N ended the command or came to ctx run; else the\n"
	     "command's own.");
}

/* The number of "TERM", "sigterm", "15", "RTMIN+1"; 0 for what is no signal. */
static int parse_signal(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) ? text : text + 3;
	const char *abbreviation;
	char *end;
	long n, offset;

	for (int signal = 1; signal < NSIG; signal++) {
		abbreviation = sigabbrev_np(signal);
		if (abbreviation && !strcasecmp(abbreviation, name))
			return signal;
	}
	if (!strncasecmp(name, "RTMIN", 5) || !strncasecmp(name, "RTMAX", 5)) {
		n = strncasecmp(name, "RTMIN", 5) ? SIGRTMAX : SIGRTMIN;
		name += 5;
		if (!*name)
			return (int)n;
		if (*name != '+' && *name != '-')
			return 0;
		offset = strtol(name, &end, 10);
		if (*end || !isdigit((unsigned char)name[1]) || offset > NSIG || offset < -NSIG)
			return 0;
		n += offset;
		return n < SIGRTMIN || n > SIGRTMAX ? 0 : (int)n;
	}
	n = strtol(text, &end, 10);
	return *end || !isdigit((unsigned char)*text) || n >= NSIG ? 0 : (int)n;
}

/* What is to become the context, besides struct run. */
struct request {
	struct ctx_create_args args;
	struct ctx_value values[CTX_VALUES_MAX];
	bool named;
};

static int64_t to_ns(const struct timespec *duration)
{
	__int128 ns = (__int128)duration->tv_sec * 1000000000 + duration->tv_nsec;

	return ns > NEVER ? NEVER : (int64_t)ns;
}

static int set_duration(const char *option, const char *text, int64_t *ns)
{
	struct timespec duration;
	const char *wrong = duration_parse(text, &duration);

	if (wrong)
		return bad_usage("%s: '%s' %s", option, text, wrong);
	*ns = to_ns(&duration);
	return 0;
}

static int add_value(struct request *request, const char *text)
{
	const char *equals = strchr(text, '=');
	struct ctx_value *value = &request->values[request->args.nr_values];
	size_t key_len = equals ? (size_t)(equals - text) : 0;
	char *key;

	if (!equals)
		return bad_usage("--value: '%s' has no '=': KEY=VALUE is meant", text);
	if (!key_len || key_len > CTX_KEY_MAX)
		return bad_usage("--value: the key of '%.80s' is to have 1 to %d bytes", text,
				 CTX_KEY_MAX);
	if (strlen(equals + 1) > CTX_VALUE_MAX)
		return bad_usage("--value: the value of '%.*s' has over %d bytes", (int)key_len,
				 text, CTX_VALUE_MAX);
	if (request->args.nr_values == CTX_VALUES_MAX)
		return bad_usage("--value: a context has at most %d values", CTX_VALUES_MAX);
	key = strndup(text, key_len);
	if (!key) {
		complain("%s", strerror(errno));
		return STATUS_FAILED;
	}
	for (uint32_t i = 0; i < request->args.nr_values; i++)
		if (!strcmp((char *)(uintptr_t)request->values[i].key, key))
			return bad_usage("--value: '%s' is given twice", key);
	value->key = (uintptr_t)key;
	value->data = (uintptr_t)(equals + 1);
	value->size = (uint32_t)strlen(equals + 1);
	request->args.nr_values++;
	return 0;
}

static int set_name(struct request *request, const char *name)
{
	if (strlen(name) >= CTX_NAME_LEN)
		return bad_usage("--name: '%s' has over %d bytes", name, CTX_NAME_LEN - 1);
	memcpy(request->args.name, name, strlen(name) + 1);
	request->named = true;
	return 0;
}

/* The command's base name, cut to what fits between two characters of UTF-8. */
static void default_name(struct request *request, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash && slash[1] ? slash + 1 : path;
	size_t len = strnlen(name, CTX_NAME_LEN);

	if (len == CTX_NAME_LEN)
		for (len--; len && (name[len] & 0xc0) == 0x80; len--)
			;
	memcpy(request->args.name, name, len);
}

static int set_option(int c, char **argv, struct run *run, struct request *request)
{
	int64_t timeout = 0;
	int status = 0;

	switch (c) {
	case 't':
		status = set_duration("--timeout", optarg, &timeout);
		request->args.flags |= CTX_CREATE_TIMEOUT;
		request->args.clockid = CLOCK_MONOTONIC;
		request->args.deadline = (uint64_t)timeout;
		break;
	case 'k':
		status = set_duration("--kill-after", optarg, &run->kill_after);
		break;
	case 's':
		run->signal = parse_signal(optarg);
		if (!run->signal)
			status = bad_usage("--signal: '%s' is no signal", optarg);
		break;
	case OPT_NAME:
		status = set_name(request, optarg);
		break;
	case OPT_VALUE:
		status = add_value(request, optarg);
		break;
	case OPT_DETACH:
		run->detach = true;
		request->args.flags |= CTX_CREATE_DETACHED;
		break;
	default:
		status = bad_option(c, argv, options);
	}
	return status;
}

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

static int create(struct run *run, struct request *request)
{
	struct ctx_info info;
	int parent = ambient_open();

	if (parent < 0)
		return -1;
	run->ctx = ctxfd_create(parent, &request->args);
	if (run->ctx < 0) {
		complain("cannot create the context: %s", why_not_created());
		return -1;
	}
	run->watch = ctxfd_watch(run->ctx);
	if (run->watch < 0 || ctxfd_info(run->ctx, &info)) {
		fail("cannot watch the context");
		return -1;
	}
	run->id = info.id;
	return parent;
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
	if (!supervisor->run->detach)
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
		if (supervisor->ended && run->detach && !supervisor->signal)
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

static int run_command(struct run *run, struct request *request)
{
	struct supervisor supervisor = { .run = run };
	int parent, report_pipe[2];

	fill_standard_descriptors();
	parent = create(run, request);
	if (parent < 0)
		return STATUS_FAILED;
	if (ctxfd_err(run->ctx))
		return exit_status(run->signal, ctxfd_err(run->ctx));

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
		if (!run->detach)
			close(run->ctx);
		if (parent != ctxfd_background())
			close(parent);
		close(supervisor.signals);
		close(supervisor.report);
		reaper(run);
	}
	close(run->report);
	close(run->watch);
	return supervise(&supervisor);
}

int cmd_run(int argc, char **argv)
{
	struct run run = { .signal = SIGTERM, .kill_after = NEVER };
	static struct request request;	/* and what its values point to, until the end */
	int c, status;

	request.args.values = (uintptr_t)request.values;
	while ((c = getopt_long(argc, argv, "+:t:k:s:h", options, NULL)) != -1) {
		if (c == 'h') {
			help();
			return 0;
		}
		status = set_option(c, argv, &run, &request);
		if (status)
			return status;
	}
	if (optind == argc)
		return bad_usage("which command?");
	run.command = argv + optind;
	if (!request.named)
		default_name(&request, argv[optind]);
	return run_command(&run, &request);
}
