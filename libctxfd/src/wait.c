// SPDX-License-Identifier: LGPL-2.1-or-later
/* Waiting for the cancellation. */

#include <errno.h>
#include <poll.h>

#include "internal.h"

static int poll_until(int ctx, const struct ctxfd_limit *limit)
{
	struct pollfd pfd = { .fd = ctx, .events = POLLIN };
	struct timespec left;
	int n;

	do {
		n = ppoll(&pfd, 1, ctxfd_limit_left(limit, &left), NULL);
	} while (n < 0 && errno == EINTR);

	if (n > 0 && (pfd.revents & POLLNVAL)) {
		errno = EBADF;
		return -1;
	}
	return n;
}

int ctxfd_wait(int ctx, const struct timespec *timeout)
{
	struct ctxfd_limit limit;
	int err;

	if (ctxfd_failed(ctx) || (timeout && ctxfd_check_time(timeout)))
		return -1;
	limit = ctxfd_limit_after(timeout);

	/* Poll takes every descriptor; this tells whether it is a context. */
	err = ctxfd_err(ctx);
	if (err)
		return err < 0 ? -1 : 1;
	return poll_until(ctx, &limit);
}
