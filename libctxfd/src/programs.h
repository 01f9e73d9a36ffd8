/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that run under a context, for who is told of their end. */
#ifndef CTXFD_PROGRAMS_H
#define CTXFD_PROGRAMS_H

#include "ctxfd.h"

/* Called on the hub's thread, once, when the process has ended and nobody has waited yet. */
struct ctxfd_spawn_end {
	void (*fn)(void *arg, int pidfd);
	void *arg;
};

/* As ctxfd_spawn_sized(); @end may be NULL. */
int ctxfd_spawn_then(int ctx, char *const argv[], const struct ctxfd_spawn_opts *opts,
		     size_t size, const struct ctxfd_spawn_end *end);

#endif /* CTXFD_PROGRAMS_H */
