// SPDX-License-Identifier: LGPL-2.1-or-later
/* The status of a context in memory. */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

const struct ctx_status *ctxfd_map(int ctx)
{
	void *page;

	/* Many a descriptor can be mapped; this tells whether it is a context. */
	if (ctxfd_err(ctx) < 0)
		return NULL;
	page = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, ctx, 0);
	return page == MAP_FAILED ? NULL : page;
}

int ctxfd_unmap(const struct ctx_status *status)
{
	return status ? munmap((void *)(uintptr_t)status, page_size()) : 0;
}
