// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals that the supervisor of ctx run is sent: some end the run, the others
 * are for the command.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "run.h"

/* Signals that are to end the command rather than leave it behind. */
static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

/* They do to the supervisor what they do to any program. */
static const int own[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

#define array_size(array)	(sizeof(array) / sizeof(*(array)))

/* Those of GNU timeout. The terminal is not to stop it, which has it in the background. */
static void set_of_timeout(sigset_t *set, int signal)
{
	static const int signals[] = { SIGCHLD, SIGALRM, SIGTTIN, SIGTTOU };

	sigemptyset(set);
	for (size_t i = 0; i < array_size(signals); i++)
		sigaddset(set, signals[i]);
	for (size_t i = 0; i < array_size(ends); i++)
		sigaddset(set, ends[i]);
	if (signal)
		sigaddset(set, signal);
}

static bool ends_timeout(int signal)
{
	return signal != SIGCHLD && signal != SIGTTIN && signal != SIGTTOU;
}

static bool ends_run(int signal)
{
	for (size_t i = 0; i < array_size(ends); i++)
		if (ends[i] == signal)
			return true;
	return false;
}

int take_signals(struct run *run)
{
	struct sigaction action;
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < array_size(own); i++)
		sigdelset(&set, own[i]);
	if (run->options->timeout_end)
		set_of_timeout(&set, run->options->signal);
	sigprocmask(SIG_BLOCK, &set, &run->mask);
	for (size_t i = 0; i < array_size(ends); i++)
		/* Not what nohup, or a shell in the background, has it ignore. */
		if (!sigaction(ends[i], NULL, &action) && action.sa_handler == SIG_IGN)
			sigdelset(&set, ends[i]);
	/* Where children are not waited for, there is no status to learn. */
	action = (struct sigaction){ .sa_handler = SIG_DFL };
	sigaction(SIGCHLD, &action, &run->child_action);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The terminal tells the group in front; but a session's leader alone that it hangs up. */
static bool is_terminals(const struct signalfd_siginfo *info)
{
	return info->ssi_code == SI_KERNEL &&
	       !(info->ssi_signo == SIGHUP && getsid(0) == getpid());
}

/* Whether it is about this process, and not about what the user has started. */
static bool is_about_self(const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGCHLD:
		return true;
	case SIGWINCH:		/* of the terminal, which tells the group */
	case SIGXCPU:
	case SIGXFSZ:
		return info->ssi_code == SI_KERNEL;
	default:
		return info->ssi_pid == (uint32_t)getpid();
	}
}

static void pass_on(int orders, const struct signalfd_siginfo *info)
{
	struct order order = {
		.signal = (int)info->ssi_signo,
		.terminal = ends_run((int)info->ssi_signo),
		.queued = info->ssi_code == SI_QUEUE,
		.pid = (pid_t)info->ssi_pid,
		.uid = info->ssi_uid,
		.value.sival_ptr = (void *)(uintptr_t)info->ssi_ptr,
	};

	/* Where the reaper is gone, or far behind, it is lost. */
	(void)!write(orders, &order, sizeof(order));
}

int next_signal(const struct run *run, int signals, int orders)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (run->options->timeout_end) {
			if (ends_timeout((int)info.ssi_signo))
				return (int)info.ssi_signo;
			continue;
		}
		if (ends_run((int)info.ssi_signo) && !is_terminals(&info))
			return (int)info.ssi_signo;
		if (!is_about_self(&info))
			pass_on(orders, &info);
	}
	return 0;
}

int end_by_signal(int signal)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	struct rlimit none = {};
	sigset_t set;

	setrlimit(RLIMIT_CORE, &none);
	/* Where the core goes to a program, the limit does not hold. */
	prctl(PR_SET_DUMPABLE, 0);
	sigaction(signal, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(signal);
	/* The first process of a namespace does not end that way. */
	return STATUS_SIGNAL + signal;
}
