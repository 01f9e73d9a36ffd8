// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command's process, from fork to exec: it is to find all as without ctx run,
 * but for the context.
 */
#include <ctxfd.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ctx.h"
#include "run.h"

/* Where systemd has put the number of the process that it started. */
static const char *const pid_variables[] = { "LISTEN_PID", "WATCHDOG_PID", "SYSTEMD_EXEC_PID" };

/* What was meant for the process that the user started is for the command. */
static int set_pids(pid_t supervisor)
{
	char old[16], own[16];
	const char *value;

	snprintf(old, sizeof(old), "%d", supervisor);
	snprintf(own, sizeof(own), "%d", getpid());
	for (size_t i = 0; i < sizeof(pid_variables) / sizeof(*pid_variables); i++) {
		value = getenv(pid_variables[i]);
		if (!value || strcmp(value, old))
			continue;
		if (setenv(pid_variables[i], own, 1))
			return -1;
		/* The same as LISTEN_PID in another form, which may be left out. */
		if (!i)
			unsetenv("LISTEN_PIDFDID");
	}
	return 0;
}

/*
 * The signal that is to end the command is to reach it, whatever the caller had
 * done with it.
 */
static void give_back_signals(const struct run *run)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t mask = run->mask;

	sigaction(SIGCHLD, &run->child_action, NULL);
	if (run->options->timeout_end) {
		/* That has seen to it already. */
		sigprocmask(SIG_SETMASK, &mask, NULL);
		return;
	}
	if (run->options->signal != SIGKILL && run->options->signal != SIGSTOP)
		sigaction(run->options->signal, &action, NULL);
	sigdelset(&mask, run->options->signal);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

_Noreturn void become_command(const struct run *run, pid_t reaper, bool *never_ran)
{
	char **command = run->options->command, id[24];
	int err;

	/*
	 * Who kills the reaper has the supervisor kill all the rest. Who kills
	 * both at once is not to get away with the command, at least.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != reaper)
		_exit(STATUS_FAILED);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)run->id);
	if (ctxfd_to_env(run->watch) || setenv("CTX_ID", id, 1) || set_pids(run->supervisor)) {
		complain("cannot pass on the context: %s", strerror(errno));
		_exit(STATUS_FAILED);
	}
	give_back_signals(run);
	/* Who is cancelled from here on is sent a signal. */
	if (ctxfd_err(run->watch) && !run->options->timeout_end) {
		*never_ran = true;
		_exit(STATUS_FAILED);
	}
	execvp(command[0], command);
	err = errno;
	if (run->options->timeout_end)
		timeout_say_not_run(command[0], err);
	else
		complain("cannot run '%s': %s", command[0], strerror(err));
	_exit(err == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXEC);
}
