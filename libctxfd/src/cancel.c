// SPDX-License-Identifier: LGPL-2.1-or-later
/* The end of a context: now, or when. */

#include <string.h>

#include "internal.h"

int ctxfd_cancel(int ctx)
{
	return ctxfd_cancel_cause(ctx, 0, NULL);
}

int ctxfd_cancel_cause(int ctx, int cause, const char *message)
{
	struct ctx_cancel_args args = { .cause = cause };

	if (message) {
		/* The kernel refuses one byte too many; how many more is no matter. */
		args.message_len = (__u32)strnlen(message, CTX_MESSAGE_MAX + 1);
		args.message = (__u64)(uintptr_t)message;
	}
	return ctxfd_ioctl(ctx, CTX_IOC_CANCEL, &args);
}

int ctxfd_set_deadline(int ctx, clockid_t clock, const struct timespec *deadline)
{
	struct ctx_deadline_args args;

	if (ctxfd_failed(ctx) || ctxfd_fill_deadline(clock, deadline, &args))
		return -1;
	return ctxfd_ioctl(ctx, CTX_IOC_SET_DEADLINE, &args);
}

int ctxfd_set_timeout(int ctx, const struct timespec *timeout)
{
	struct ctx_deadline_args args;

	if (ctxfd_failed(ctx) || ctxfd_fill_timeout(timeout, &args))
		return -1;
	return ctxfd_ioctl(ctx, CTX_IOC_SET_DEADLINE, &args);
}
