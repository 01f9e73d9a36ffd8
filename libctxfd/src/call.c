// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the cancellable calls have in common. */

#include <errno.h>
#include <poll.h>

#include "internal.h"

/* So often a descriptor may be ready for nothing before the call takes a rest. */
#define PATIENCE	16

void ctxfd_call_look(struct ctxfd_call *call)
{
	call->err = ctxfd_err(call->ctx);
	if (call->err < 0)
		call->err = errno;
}

int ctxfd_call_begin(struct ctxfd_call *call)
{
	/* Poll takes every descriptor; this tells whether it is a context. */
	call->err = ctxfd_err(call->ctx);
	return call->err < 0 ? -1 : 0;
}

bool ctxfd_call_ready(const struct ctxfd_call *call)
{
	struct pollfd pfd = { .fd = call->fd, .events = call->events };

	return poll(&pfd, 1, 0) != 0;
}

int ctxfd_call_wait(struct ctxfd_call *call)
{
	struct pollfd pfds[] = {
		{ .fd = call->fd, .events = call->events },
		{ .fd = call->ctx, .events = POLLIN },
	};

	/* The attempt came after the cancellation, and there was nothing. */
	if (call->err) {
		errno = call->err;
		return -1;
	}
	/*
	 * Somebody else is always faster, or poll speaks of less room than this
	 * write needs: do not spin.
	 */
	if (call->lost++ >= PATIENCE)
		ctxfd_sleep(call->ctx, &(struct timespec){ .tv_nsec = NSEC_PER_SEC / 1000 });

	while (ppoll(pfds, 2, NULL, NULL) < 0)
		if (errno != EINTR)
			return -1;
	if (pfds[1].revents)
		ctxfd_call_look(call);
	if (pfds[0].revents)
		return 0;
	errno = call->err;
	return -1;
}

ssize_t ctxfd_call_run(struct ctxfd_call *call)
{
	ssize_t n;

	if (ctxfd_call_begin(call))
		return -1;
	for (;;) {
		n = call->attempt(call);
		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || ctxfd_call_wait(call))
			return -1;
	}
}
