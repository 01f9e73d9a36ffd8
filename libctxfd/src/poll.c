// SPDX-License-Identifier: LGPL-2.1-or-later
/* Waiting for something else, or for the cancellation. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "internal.h"

/* So many descriptors fit on the stack, the context among them. */
#define FEW	16

/* @all has the context behind the @n of the caller. */
static int poll_all(int ctx, struct pollfd *all, nfds_t n, const struct ctxfd_limit *limit)
{
	struct timespec left;
	int ready, err;

	all[n] = (struct pollfd){ .fd = ctx, .events = POLLIN };
	do {
		ready = ppoll(all, n + 1, ctxfd_limit_left(limit, &left), NULL);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0 || !all[n].revents)
		return ready;
	if (ready > 1)
		return ready - 1;
	err = ctxfd_err(ctx);
	if (err > 0)
		errno = err;
	return -1;
}

static struct pollfd *new_array(nfds_t n)
{
	struct rlimit limit;

	/* More than poll takes, with the context; the caller may not have so many. */
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return NULL;
	if (n >= limit.rlim_cur) {
		errno = EINVAL;
		return NULL;
	}
	return reallocarray(NULL, n + 1, sizeof(struct pollfd));
}

int ctxfd_poll(int ctx, struct pollfd *fds, nfds_t n, const struct timespec *timeout)
{
	struct pollfd few[FEW], *all = few;
	struct ctxfd_limit limit;
	int ready;

	if (ctxfd_failed(ctx) || (timeout && ctxfd_check_time(timeout)))
		return -1;
	limit = ctxfd_limit_after(timeout);
	if (ctxfd_err(ctx) < 0)
		return -1;
	if (n && !fds) {
		errno = EFAULT;
		return -1;
	}
	if (n >= FEW) {
		all = new_array(n);
		if (!all)
			return -1;
	}
	if (n)
		memcpy(all, fds, n * sizeof(*fds));
	ready = poll_all(ctx, all, n, &limit);
	if (n && ready >= 0)
		memcpy(fds, all, n * sizeof(*fds));
	if (all != few) {
		int err = errno;

		free(all);
		errno = err;
	}
	return ready;
}

int ctxfd_sleep(int ctx, const struct timespec *duration)
{
	return ctxfd_poll(ctx, NULL, 0, duration);
}
