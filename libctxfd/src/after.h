/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ctxfd_after_stop() takes, whoever made it. */
#ifndef CTXFD_AFTER_H
#define CTXFD_AFTER_H

#include <stdbool.h>

#include "ctxfd.h"

struct ctxfd_after {
	/* As ctxfd_after_stop(), or where not to @wait, ctxfd_after_abandon(). */
	int (*stop)(struct ctxfd_after *after, bool wait);
};

/* A read-only descriptor to wait with, of whatever the caller may wait for. */
int ctxfd_open_watch(int ctx);

#endif /* CTXFD_AFTER_H */
