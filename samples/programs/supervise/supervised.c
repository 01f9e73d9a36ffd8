// SPDX-License-Identifier: LGPL-2.1-or-later
/* The heartbeat, and an end for a process that hangs */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervise/supervised.h"

#define KEY	"supervise.watchdog"

struct ctxfd_pair supervised_value(const struct timespec *watchdog)
{
	return (struct ctxfd_pair){ KEY, watchdog, sizeof(*watchdog) };
}

static void on_continue(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_code == POLL_IN)	/* not from kill(1) */
		alarm(GRACE);
}

/*
 * When the context ends, the kernel sends SIGCONT: a process that was stopped goes on, and an
 * alarm kills one that does not see to its end. That needs no supervisor who is alive.
 */
static int end_with(int ctx)
{
	struct sigaction action = {
		.sa_sigaction = on_continue,
		.sa_flags = SA_RESTART | SA_SIGINFO,
	};

	if (sigaction(SIGCONT, &action, NULL) || fcntl(ctx, F_SETSIG, SIGCONT) ||
	    fcntl(ctx, F_SETOWN, getpid()))
		return -1;
	return fcntl(ctx, F_SETFL, fcntl(ctx, F_GETFL) | O_ASYNC);
}

static struct timespec quarter(const struct timespec *time)
{
	long long ns = time->tv_sec % 4 * 1000000000LL + time->tv_nsec;

	return (struct timespec){ .tv_sec = time->tv_sec / 4, .tv_nsec = (long)(ns / 4) };
}

bool supervised_begin(struct supervised *self)
{
	struct ctx_info info;

	self->ctx = ctxfd_from_env();
	if (ctxfd_info(self->ctx, &info))
		err(1, "no context (is the module loaded?)");
	if (ctxfd_value(self->ctx, KEY, &self->watchdog, sizeof(self->watchdog)) !=
	    sizeof(self->watchdog))
		return false;
	memcpy(self->name, info.name, sizeof(self->name));
	self->interval = quarter(&self->watchdog);
	self->control = ctxfd_open(info.id, CTX_OPEN_CONTROL);
	if (self->control < 0 || end_with(self->ctx) || signal(SIGINT, SIG_IGN) == SIG_ERR)
		err(1, "%s", self->name);
	supervised_beat(self);
	return true;
}

/* Where it fails, the context has ended, which shows elsewhere. */
void supervised_beat(const struct supervised *self)
{
	ctxfd_set_timeout(self->control, &self->watchdog);
}

void supervised_say_end(const struct supervised *self, int ctx)
{
	struct ctx_info info = { };
	char why[256];

	ctxfd_info(ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	fprintf(stderr, "%s: stops: %s\n", self->name, why);
}
