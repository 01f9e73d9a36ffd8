/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Contexts that the library is to cancel later. */
#ifndef CTXFD_CONTROL_H
#define CTXFD_CONTROL_H

#include "ctxfd.h"

/*
 * By the caller's own number: a copy would put off the release, and the close of a copy
 * would be the end of a context that is owned. The id tells whether it is still the
 * context that was meant.
 */
struct ctxfd_control {
	int ctx;
	__u64 id;
};

/* 0, or -1: EBADF where @ctx cannot cancel. */
int ctxfd_control_begin(struct ctxfd_control *control, int ctx);

/* Cancels it, where it is there. May be called in a signal handler. */
void ctxfd_control_cancel(const struct ctxfd_control *control, const struct ctx_cancel_args *args);

#endif /* CTXFD_CONTROL_H */
