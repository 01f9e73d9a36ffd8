// SPDX-License-Identifier: LGPL-2.1-or-later
/* New contexts, and new descriptors of old ones. */

#include <errno.h>

#include "internal.h"

int ctxfd_create(int parent, const struct ctx_create_args *args)
{
	struct ctx_create_args copy;

	if (ctxfd_failed(parent))
		return -1;
	if (!args) {
		errno = EFAULT;
		return -1;
	}
	copy = *args;
	copy.fd_flags |= CTX_CLOEXEC;
	return ctxfd_ioctl(parent, CTX_IOC_CREATE, &copy);
}

static int create_until(int parent, const struct ctx_deadline_args *until)
{
	struct ctx_create_args args = {
		.flags = until->flags,
		.deadline = until->deadline,
		.clockid = until->clockid,
	};

	return ctxfd_create(parent, &args);
}

int ctxfd_with_cancel(int parent)
{
	return ctxfd_with_timeout(parent, NULL);
}

int ctxfd_with_timeout(int parent, const struct timespec *timeout)
{
	struct ctx_deadline_args until;

	if (ctxfd_failed(parent) || ctxfd_fill_timeout(timeout, &until))
		return -1;
	return create_until(parent, &until);
}

int ctxfd_with_deadline(int parent, clockid_t clock, const struct timespec *deadline)
{
	struct ctx_deadline_args until;

	if (ctxfd_failed(parent) || ctxfd_fill_deadline(clock, deadline, &until))
		return -1;
	return create_until(parent, &until);
}

struct ctx_value ctxfd_to_value(const char *key, const void *data, size_t size)
{
	return (struct ctx_value){
		.key = (__u64)(uintptr_t)key,
		.data = (__u64)(uintptr_t)data,
		/* What the field cannot hold is as bad as the first size that is refused. */
		.size = size > CTX_VALUE_MAX ? CTX_VALUE_MAX + 1 : (__u32)size,
	};
}

int ctxfd_with_value(int parent, const char *key, const void *data, size_t size)
{
	struct ctx_value value = ctxfd_to_value(key, data, size);

	return ctxfd_create(parent, &(struct ctx_create_args){
		.nr_values = 1,
		.values = (__u64)(uintptr_t)&value,
	});
}

int ctxfd_without_cancel(int parent)
{
	return ctxfd_create(parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_WITHOUT_CANCEL,
	});
}

int ctxfd_merge(const int *parents, unsigned int n)
{
	if (!n) {
		errno = EINVAL;
		return -1;
	}
	if (!parents) {
		errno = EFAULT;
		return -1;
	}
	for (unsigned int i = 0; i < n && i <= CTX_PARENTS_MAX; i++)
		if (ctxfd_failed(parents[i]))
			return -1;
	return ctxfd_create(parents[0], &(struct ctx_create_args){
		.parents = (__u64)(uintptr_t)(parents + 1),
		.nr_parents = n - 1,
	});
}

int ctxfd_watch(int ctx)
{
	__u32 fd_flags = CTX_CLOEXEC;

	return ctxfd_ioctl(ctx, CTX_IOC_WATCH, &fd_flags);
}

int ctxfd_watch_only(int ctx)
{
	__u32 fd_flags = CTX_CLOEXEC | CTX_WATCH_ONLY;

	return ctxfd_ioctl(ctx, CTX_IOC_WATCH, &fd_flags);
}
