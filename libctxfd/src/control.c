// SPDX-License-Identifier: LGPL-2.1-or-later
/* Contexts that the library is to cancel later. */

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "control.h"
#include "internal.h"

int ctxfd_control_begin(struct ctxfd_control *control, int ctx)
{
	struct ctx_info info = {};
	int flags;

	if (ctxfd_info(ctx, &info))
		return -1;
	flags = fcntl(ctx, F_GETFL);
	if (flags < 0)
		return -1;
	/* The background has no id. */
	if (!info.id || (flags & O_ACCMODE) != O_RDWR) {
		errno = EBADF;
		return -1;
	}
	*control = (struct ctxfd_control){ .ctx = ctx, .id = info.id };
	return 0;
}

void ctxfd_control_cancel(const struct ctxfd_control *control, const struct ctx_cancel_args *args)
{
	struct ctx_info info = {};

	if (!ioctl(control->ctx, CTX_IOC_INFO, &info) && info.id == control->id)
		ioctl(control->ctx, CTX_IOC_CANCEL, args);
}
