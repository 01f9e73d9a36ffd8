// SPDX-License-Identifier: LGPL-2.1-or-later
/* Times: the nanoseconds of the kernel, and how long a call still waits. */

#include <errno.h>

#include "internal.h"

int ctxfd_check_time(const struct timespec *ts)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

/*
 * UINT64_MAX for what does not fit. The kernel knows it as beyond every clock:
 * it refuses it as a deadline, and never lets it come as a timeout.
 */
static __u64 to_ns(const struct timespec *ts)
{
	__u64 ns;

	if (__builtin_mul_overflow((__u64)ts->tv_sec, (__u64)NSEC_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, (__u64)ts->tv_nsec, &ns))
		return UINT64_MAX;
	return ns;
}

int ctxfd_fill_timeout(const struct timespec *timeout, struct ctx_deadline_args *args)
{
	*args = (struct ctx_deadline_args){ .clockid = CLOCK_MONOTONIC };
	if (!timeout)
		return 0;
	if (ctxfd_check_time(timeout))
		return -1;
	args->flags = CTX_CREATE_TIMEOUT;
	args->deadline = to_ns(timeout);
	return 0;
}

int ctxfd_fill_deadline(clockid_t clock, const struct timespec *deadline,
			struct ctx_deadline_args *args)
{
	*args = (struct ctx_deadline_args){ .clockid = clock };
	if (!deadline)
		return 0;
	if (ctxfd_check_time(deadline))
		return -1;
	args->deadline = to_ns(deadline);
	/* Zero is none to the kernel. To the caller it is long ago; so is 1 ns. */
	if (!args->deadline)
		args->deadline = 1;
	return 0;
}

struct ctxfd_limit ctxfd_limit_after(const struct timespec *timeout)
{
	struct ctxfd_limit limit = { .never = !timeout };

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

const struct timespec *ctxfd_limit_left(const struct ctxfd_limit *limit, struct timespec *left)
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
