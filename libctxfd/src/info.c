// SPDX-License-Identifier: LGPL-2.1-or-later
/* Questions that are answered at once. */

#include <stddef.h>

#include "internal.h"

int ctxfd_info(int ctx, struct ctx_info *info)
{
	return ctxfd_ioctl(ctx, CTX_IOC_INFO, info);
}

#ifdef CTXFD_SHARED
/* For programs whose struct ctx_info ends before uid. */
#pragma GCC visibility push(default)
int ctxfd_info_0_1(int ctx, void *info);
#pragma GCC visibility pop

int ctxfd_info_0_1(int ctx, void *info)
{
	const size_t size = offsetof(struct ctx_info, uid);

	return ctxfd_ioctl(ctx, _IOC(_IOC_READ, CTX_IOC_MAGIC, _IOC_NR(CTX_IOC_INFO), size), info);
}

__asm__(".symver ctxfd_info, ctxfd_info@@@LIBCTXFD_0.4");
__asm__(".symver ctxfd_info_0_1, ctxfd_info@LIBCTXFD_0.1");
#endif

/*
 * Poll and read would copy less, but take two system calls where the context
 * is cancelled, and would take any descriptor for a context.
 */
int ctxfd_err(int ctx)
{
	struct ctx_info info = {};

	if (ctxfd_info(ctx, &info))
		return -1;
	return (int)info.err;
}

int ctxfd_deadline(int ctx, struct timespec *deadline)
{
	struct ctx_info info = {};

	if (ctxfd_info(ctx, &info))
		return -1;
	if (!info.deadline)
		return 0;
	if (deadline) {
		deadline->tv_sec = (time_t)(info.deadline / NSEC_PER_SEC);
		deadline->tv_nsec = (long)(info.deadline % NSEC_PER_SEC);
	}
	return 1;
}

ssize_t ctxfd_value(int ctx, const char *key, void *data, size_t size)
{
	return ctxfd_ioctl(ctx, CTX_IOC_GET_VALUE, &(struct ctx_value){
		.key = (__u64)(uintptr_t)key,
		.data = (__u64)(uintptr_t)data,
		/* No value needs more room than the largest. */
		.size = size > CTX_VALUE_MAX ? CTX_VALUE_MAX : (__u32)size,
	});
}
