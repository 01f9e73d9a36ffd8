// SPDX-License-Identifier: LGPL-2.1-or-later
/* waitid that the context ends. */

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* How often to look where there is nothing to poll. */
#define STEP	(&(struct timespec){ .tv_nsec = 20 * NSEC_PER_SEC / 1000 })

struct child {
	struct ctxfd_call call;
	idtype_t idtype;
	id_t id;
	siginfo_t *info;
	int options;
};

static ssize_t attempt_waitid(struct ctxfd_call *call)
{
	struct child *child = (struct child *)call;
	siginfo_t info;

	if (waitid(child->idtype, child->id, &info, child->options | WNOHANG))
		return -1;
	if (!info.si_pid && !(child->options & WNOHANG)) {
		errno = EAGAIN;
		return -1;
	}
	if (child->info)
		*child->info = info;
	return 0;
}

static int wait_in_steps(struct ctxfd_call *call)
{
	if (ctxfd_call_begin(call))
		return -1;
	for (;;) {
		if (!attempt_waitid(call))
			return 0;
		if (errno != EAGAIN)
			return -1;
		if (call->err) {
			errno = call->err;
			return -1;
		}
		/* What comes together with the cancellation is still to be found. */
		if (ctxfd_sleep(call->ctx, STEP))
			call->err = errno;
	}
}

/* A pidfd becomes readable with the end of its process, and with nothing else. */
static bool has_pidfd(idtype_t idtype, int options)
{
	return (idtype == P_PID || idtype == P_PIDFD) && (options & ~WNOWAIT) == WEXITED;
}

int ctxfd_waitid(int ctx, idtype_t idtype, id_t id, siginfo_t *info, int options)
{
	struct child child = {
		.call = {
			.ctx = ctx,
			.fd = -1,
			.events = POLLIN,
			.attempt = attempt_waitid,
		},
		.idtype = idtype,
		.id = id,
		.info = info,
		.options = options,
	};
	int ret, err;

	if (ctxfd_failed(ctx))
		return -1;
	/*
	 * Opened before the first look: once that finds the child alive, this was
	 * no other process that has got its number.
	 */
	if (has_pidfd(idtype, options))
		child.call.fd = idtype == P_PIDFD ? (int)id : (int)syscall(SYS_pidfd_open, id, 0);
	if (child.call.fd < 0)
		return wait_in_steps(&child.call);
	ret = (int)ctxfd_call_run(&child.call);
	if (idtype == P_PID) {
		err = errno;
		close(child.call.fd);
		errno = err;
	}
	return ret;
}
