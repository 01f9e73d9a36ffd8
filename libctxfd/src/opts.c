// SPDX-License-Identifier: LGPL-2.1-or-later
/* Options whose structures can grow. */

#include <errno.h>
#include <string.h>

#include "internal.h"

static bool is_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

int ctxfd_copy_opts(void *ours, size_t our_size, size_t first, const void *opts, size_t size)
{
	size_t known = size < our_size ? size : our_size;

	memset(ours, 0, our_size);
	if (size < first) {
		errno = EINVAL;
		return -1;
	}
	if (!opts)
		return 0;
	if (!is_zero((const char *)opts + known, size - known)) {
		errno = E2BIG;
		return -1;
	}
	memcpy(ours, opts, known);
	return 0;
}
