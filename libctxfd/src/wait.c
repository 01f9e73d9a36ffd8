// SPDX-License-Identifier: LGPL-2.1-or-later
/* Waiting for the cancellation. */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "internal.h"

/* When the waiting ends. */
struct limit {
	bool never;
	struct timespec at;	/* CLOCK_MONOTONIC */
};

static struct limit limit_after(const struct timespec *timeout)
{
	struct limit limit = { .never = !timeout };

	if (limit.never)
		return limit;
	clock_gettime(CLOCK_MONOTONIC, &limit.at);
	limit.at.tv_nsec += timeout->tv_nsec;
	if (limit.at.tv_nsec >= NSEC_PER_SEC) {
		limit.at.tv_nsec -= NSEC_PER_SEC;
		limit.at.tv_sec++;
	}
	/* Beyond what time_t can count: nobody will see that day. */
	limit.never = __builtin_add_overflow(limit.at.tv_sec, timeout->tv_sec,
					     &limit.at.tv_sec);
	return limit;
}

/* What is left for ppoll: never under zero, NULL for no limit. */
static const struct timespec *limit_left(const struct limit *limit, struct timespec *left)
{
	if (limit->never)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, left);
	left->tv_sec = limit->at.tv_sec - left->tv_sec;
	left->tv_nsec = limit->at.tv_nsec - left->tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_nsec += NSEC_PER_SEC;
		left->tv_sec--;
	}
	if (left->tv_sec < 0)
		*left = (struct timespec){ 0 };
	return left;
}

static int poll_until(int ctx, const struct limit *limit)
{
	struct pollfd pfd = { .fd = ctx, .events = POLLIN };
	struct timespec left;
	int n;

	do {
		n = ppoll(&pfd, 1, limit_left(limit, &left), NULL);
	} while (n < 0 && errno == EINTR);

	if (n > 0 && (pfd.revents & POLLNVAL)) {
		errno = EBADF;
		return -1;
	}
	return n;
}

int ctxfd_wait(int ctx, const struct timespec *timeout)
{
	struct limit limit;
	int err;

	if (timeout && ctxfd_check_time(timeout))
		return -1;
	limit = limit_after(timeout);

	/* Poll takes every descriptor; this tells whether it is a context. */
	err = ctxfd_err(ctx);
	if (err)
		return err < 0 ? -1 : 1;
	return poll_until(ctx, &limit);
}
