// SPDX-License-Identifier: LGPL-2.1-or-later
/* A program that runs under a context, and gets a signal with its end. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "after.h"
#include "hub.h"
#include "internal.h"
#include "programs.h"

#define FIRST_SIZE	(offsetof(struct ctxfd_spawn_opts, flags) + sizeof(unsigned int))

/* Where the program finds its context, behind the three that every program has. */
#define CTX_NUMBER	3
#define CTX_VARIABLE	"CTX_FD=3"
#define CTX_PREFIX	7	/* bytes of the name and its = */

/* A process that is to be signalled: until it ends, the hub's. */
struct process {
	struct ctxfd_item ending;	/* its descriptor is a pidfd */
	struct ctxfd_after *cancelling;
	struct ctxfd_spawn_end end;
	atomic_int pidfd;		/* -1 until there is one */
	atomic_bool cancelled;		/* the context */
	atomic_flag signalled;
	int sig;
};

static struct process *process_of(struct ctxfd_item *item)
{
	return (struct process *)((char *)item - offsetof(struct process, ending));
}

/* Once, by whoever comes second: the cancellation, or the process. */
static void signal_process(struct process *process)
{
	int pidfd = atomic_load(&process->pidfd);

	if (pidfd >= 0 && atomic_load(&process->cancelled) &&
	    !atomic_flag_test_and_set(&process->signalled))
		syscall(SYS_pidfd_send_signal, pidfd, process->sig, NULL, 0);
}

static void on_cancel(void *arg)
{
	struct process *process = arg;

	atomic_store(&process->cancelled, true);
	signal_process(process);
}

static void on_end(struct ctxfd_item *item, uint32_t revents)
{
	struct process *process = process_of(item);
	int pidfd = atomic_load(&process->pidfd);

	(void)revents;
	ctxfd_after_abandon(process->cancelling);
	if (process->end.fn)
		process->end.fn(process->end.arg, pidfd);
	close(pidfd);
	ctxfd_hub_stop(item, false);
}

static void release(struct ctxfd_item *item)
{
	free(process_of(item));
}

static struct process *new_process(int ctx, int sig, const struct ctxfd_spawn_end *end)
{
	struct process *process = malloc(sizeof(*process));

	if (!process)
		return NULL;
	*process = (struct process){
		.ending = {
			.run = on_end,
			.release = release,
			.events = EPOLLIN,
		},
		.pidfd = -1,
		.signalled = ATOMIC_FLAG_INIT,
		.sig = sig ? sig : SIGTERM,
	};
	if (end)
		process->end = *end;
	process->cancelling = ctxfd_after_func(ctx, on_cancel, process);
	if (process->cancelling)
		return process;
	free(process);
	return NULL;
}

static void drop_process(struct process *process)
{
	int err = errno;

	/* The function may be running: it uses what is freed here. */
	ctxfd_after_stop(process->cancelling);
	free(process);
	errno = err;
}

/* What is there for one call of posix_spawn. */
struct plan {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char **env;
	int fds[CTX_NUMBER + 1];	/* copies above all that they are to become */
};

static bool is_context(const char *variable)
{
	return !strncmp(variable, CTX_VARIABLE, CTX_PREFIX);
}

static int plan_env(struct plan *plan, char *const *env)
{
	size_t n = 0, kept = 0;

	if (!env)
		env = environ;
	while (env && env[n])
		n++;
	plan->env = reallocarray(NULL, n + 2, sizeof(*plan->env));
	if (!plan->env)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (!is_context(env[i]))
			plan->env[kept++] = env[i];
	plan->env[kept++] = (char *)(uintptr_t)CTX_VARIABLE;
	plan->env[kept] = NULL;
	return 0;
}

/* A copy that no dup2 of the others overwrites. */
static int copy_above(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, CTX_NUMBER + 1);
}

static int plan_fd(struct plan *plan, int i, int fd)
{
	int own = -1, err;

	if (i == CTX_NUMBER)
		own = ctxfd_open_watch(fd);
	else if (fd == -1)
		own = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (i == CTX_NUMBER || fd == -1)
		fd = own;
	/* What could not be opened has errno set, too. */
	if (fd != -1)
		plan->fds[i] = copy_above(fd);
	err = errno;
	if (own >= 0)
		close(own);
	errno = err;
	if (plan->fds[i] < 0)
		return -1;
	errno = posix_spawn_file_actions_adddup2(&plan->actions, plan->fds[i], i);
	return errno ? -1 : 0;
}

static int plan_fds(struct plan *plan, int ctx, const struct ctxfd_spawn_opts *opts)
{
	for (int i = 0; opts->fds && i < CTX_NUMBER; i++)
		if (plan_fd(plan, i, opts->fds[i]))
			return -1;
	if (plan_fd(plan, CTX_NUMBER, ctx))
		return -1;
	errno = posix_spawn_file_actions_addclosefrom_np(&plan->actions, CTX_NUMBER + 1);
	if (!errno && opts->dir)
		errno = posix_spawn_file_actions_addchdir_np(&plan->actions, opts->dir);
	return errno ? -1 : 0;
}

/* nohup and a shell that runs it in the background have programs ignore these, for good. */
static void keep_ignored(sigset_t *defaults)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT };
	struct sigaction now;

	for (int i = 0; i < 3; i++)
		if (!sigaction(signals[i], NULL, &now) && now.sa_handler == SIG_IGN)
			sigdelset(defaults, signals[i]);
}

static int plan_signals(struct plan *plan)
{
	sigset_t none, defaults;

	sigemptyset(&none);
	sigfillset(&defaults);
	keep_ignored(&defaults);
	errno = posix_spawnattr_setsigmask(&plan->attr, &none);
	if (!errno)
		errno = posix_spawnattr_setsigdefault(&plan->attr, &defaults);
	if (!errno)
		errno = posix_spawnattr_setflags(&plan->attr, POSIX_SPAWN_SETSIGMASK |
						 POSIX_SPAWN_SETSIGDEF);
	return errno ? -1 : 0;
}

static pid_t run_plan(struct plan *plan, int ctx, char *const argv[],
		      const struct ctxfd_spawn_opts *opts)
{
	pid_t pid;

	if (plan_env(plan, opts->env) || plan_fds(plan, ctx, opts) || plan_signals(plan))
		return -1;
	errno = posix_spawnp(&pid, argv[0], &plan->actions, &plan->attr, argv, plan->env);
	return errno ? -1 : pid;
}

/* The pid, or -1 with errno set. */
static pid_t start(int ctx, char *const argv[], const struct ctxfd_spawn_opts *opts)
{
	struct plan plan = { .fds = { -1, -1, -1, -1 } };
	pid_t pid = -1;
	int err;

	errno = posix_spawn_file_actions_init(&plan.actions);
	if (errno)
		return -1;
	errno = posix_spawnattr_init(&plan.attr);
	if (!errno) {
		pid = run_plan(&plan, ctx, argv, opts);
		err = errno;
		posix_spawnattr_destroy(&plan.attr);
		errno = err;
	}
	err = errno;
	posix_spawn_file_actions_destroy(&plan.actions);
	for (int i = 0; i <= CTX_NUMBER; i++)
		if (plan.fds[i] >= 0)
			close(plan.fds[i]);
	free(plan.env);
	errno = err;
	return pid;
}

/* The caller's pidfd; from here on @process is the hub's. */
static int follow(struct process *process, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), own = -1, err;

	if (pidfd < 0)
		return -1;
	process->ending.fd = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
	if (process->ending.fd < 0)
		goto fail;
	own = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		goto fail;
	atomic_store(&process->pidfd, own);
	/* Before the hub has it: the end would free it. */
	signal_process(process);
	if (!ctxfd_hub_add(&process->ending))
		return pidfd;
fail:
	err = errno;
	/* Else the function would use the number once it is another's. */
	ctxfd_after_stop(process->cancelling);
	process->cancelling = NULL;
	if (own >= 0)
		close(own);
	if (process->ending.fd >= 0)
		close(process->ending.fd);
	close(pidfd);
	errno = err;
	return -1;
}

/* Of what could not be followed, no process is left. */
static void undo(pid_t pid)
{
	int err = errno;

	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = err;
}

static bool children_wait_for_us(void)
{
	struct sigaction now;

	return !sigaction(SIGCHLD, NULL, &now) && !(now.sa_flags & SA_NOCLDWAIT) &&
	       now.sa_handler != SIG_IGN;
}

static int check_args(int ctx, char *const argv[], const struct ctxfd_spawn_opts *opts)
{
	int err = ctxfd_err(ctx);

	if (err < 0)
		return -1;
	if (!argv || !argv[0])
		err = EFAULT;
	else if (opts->flags || opts->sig < 0 || opts->sig >= NSIG)
		err = EINVAL;
	else if (!children_wait_for_us())
		err = ECHILD;
	if (!err)
		return 0;
	errno = err;
	return -1;
}

static int spawn(int ctx, char *const argv[], const struct ctxfd_spawn_opts *theirs,
		 size_t size, const struct ctxfd_spawn_end *end)
{
	struct ctxfd_spawn_opts opts;
	struct process *process;
	int pidfd;
	pid_t pid;

	if (ctxfd_failed(ctx) ||
	    ctxfd_copy_opts(&opts, sizeof(opts), FIRST_SIZE, theirs, size) ||
	    check_args(ctx, argv, &opts))
		return -1;
	process = new_process(ctx, opts.sig, end);
	if (!process)
		return -1;
	pid = start(ctx, argv, &opts);
	if (pid < 0) {
		drop_process(process);
		return -1;
	}
	pidfd = follow(process, pid);
	if (pidfd < 0) {
		undo(pid);
		drop_process(process);
	}
	return pidfd;
}

int ctxfd_spawn_then(int ctx, char *const argv[], const struct ctxfd_spawn_opts *opts,
		     size_t size, const struct ctxfd_spawn_end *end)
{
	int state = ctxfd_hold_cancel();
	int pidfd = spawn(ctx, argv, opts, size, end);

	ctxfd_release_cancel(state);
	return pidfd;
}

int ctxfd_spawn_sized(int ctx, char *const argv[], const struct ctxfd_spawn_opts *opts,
		      size_t size)
{
	return ctxfd_spawn_then(ctx, argv, opts, size, NULL);
}
