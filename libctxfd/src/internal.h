/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library share and programs do not see. */
#ifndef CTXFD_INTERNAL_H
#define CTXFD_INTERNAL_H

#include <stdint.h>

#include "ctxfd.h"

#define NSEC_PER_SEC	1000000000L

/* 0, or -1 with EINVAL. */
int ctxfd_check_time(const struct timespec *ts);

/* The two ways to say until when; both fill in what the ioctls share. */
int ctxfd_fill_timeout(const struct timespec *timeout, struct ctx_deadline_args *args);
int ctxfd_fill_deadline(clockid_t clock, const struct timespec *deadline,
			struct ctx_deadline_args *args);

#endif /* CTXFD_INTERNAL_H */
