// SPDX-License-Identifier: LGPL-2.1-or-later
/* Contexts by their ids. */

#include <limits.h>

#include "internal.h"

int ctxfd_open(uint64_t id, unsigned int flags)
{
	int background = ctxfd_background();

	if (background < 0)
		return -1;
	return ctxfd_ioctl(background, CTX_IOC_OPEN, &(struct ctx_open_args){
		.id = id,
		.flags = flags,
		.fd_flags = CTX_CLOEXEC,
	});
}

ssize_t ctxfd_list(uint64_t after, uint64_t *ids, size_t n)
{
	int background = ctxfd_background();

	if (background < 0)
		return -1;
	return ctxfd_ioctl(background, CTX_IOC_LIST, &(struct ctx_list_args){
		.after = after,
		.ids = (__u64)(uintptr_t)ids,
		/* What ioctl can return. */
		.nr = n < INT_MAX ? (__u32)n : INT_MAX,
	});
}
