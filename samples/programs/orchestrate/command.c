// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A shell command that ends with a context, whatever becomes of who started it.
 *
 * Each command is a process group of its own, and holds two descriptors of contexts with O_ASYNC
 * on: the kernel sends the group a signal when those end. So there is no process whose death would
 * leave it running: a context ends with its owner, at the latest.
 */
#include <ctxfd.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "orchestrate/command.h"

/* What main() has put into CTX_FD for the commands, and the one behind it */
enum { CTX_NUMBER = 3, LAST_NUMBER = 4 };

/* O_ASYNC last: where the context has ended already, the signal comes at once. */
static int signal_at_end(int ctx, int sig)
{
	return fcntl(ctx, F_SETOWN, -getpid()) || fcntl(ctx, F_SETSIG, sig) ||
	       fcntl(ctx, F_SETFL, fcntl(ctx, F_GETFL) | O_ASYNC);
}

/* A descriptor of its own, which can cancel nothing, out of the way of those two */
static int own_watch(int ctx)
{
	int watch = ctxfd_watch(ctx);

	return watch < 0 ? -1 : fcntl(watch, F_DUPFD_CLOEXEC, LAST_NUMBER + 1);
}

/* The child, in which only what is safe after fork among threads may be called. */
static void become(const char *line, int ctx, int last)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ctx = own_watch(ctx);
	last = own_watch(last);
	if (setpgid(0, 0) || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(ctx, CTX_NUMBER) < 0 || dup2(last, LAST_NUMBER) < 0 ||
	    signal_at_end(CTX_NUMBER, SIGTERM) || signal_at_end(LAST_NUMBER, SIGKILL))
		return;
	execl("/bin/sh", "sh", "-c", line, NULL);
}

/* Returns the pid, or -1 with errno set. An exec that succeeds closes the pipe. */
static pid_t start(const char *line, int ctx, int last)
{
	int error = 0, pipe[2];
	pid_t pid;

	if (pipe2(pipe, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		become(line, ctx, last);
		error = errno;
		_exit(write(pipe[1], &error, sizeof(error)) != sizeof(error));
	}
	if (pid < 0)
		error = errno;
	close(pipe[1]);
	if (pid > 0 && TEMP_FAILURE_RETRY(read(pipe[0], &error, sizeof(error))) > 0) {
		TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
		pid = -1;
	}
	close(pipe[0]);
	errno = error;
	return pid;
}

/* While it is not reaped, no other group can have its number. */
static void wait_for(pid_t pid, siginfo_t *info)
{
	TEMP_FAILURE_RETRY(waitid(P_PID, (id_t)pid, info, WEXITED | WNOWAIT));
	kill(-pid, SIGKILL);
	TEMP_FAILURE_RETRY(waitid(P_PID, (id_t)pid, info, WEXITED));
}

int command_run(const char *line, int ctx, int last, struct failure *failure)
{
	pid_t pid = start(line, ctx, last);
	siginfo_t info = { };

	if (pid < 0)
		return failure_set(failure, errno, "cannot be started: %s", strerror(errno));
	wait_for(pid, &info);
	if (info.si_code != CLD_EXITED)
		return failure_set(failure, ECANCELED, "signal %d (%s)", info.si_status,
				   strsignal(info.si_status));
	if (info.si_status)
		return failure_set(failure, ECANCELED, "exit status %d", info.si_status);
	return 0;
}
