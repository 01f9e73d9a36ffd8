/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the pool and its workers say to each other. Each worker has a SOCK_SEQPACKET socket as its
 * input, over which come the context of a job and then the job; it answers with an errno, or 0.
 * What it counts goes into a buffer in memory that all share, its output.
 */
#ifndef JOB_H
#define JOB_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct counts {
	uint64_t bytes;			/* so far: the pool looks on, see counts_bytes() */
	uint64_t of[UCHAR_MAX + 1];	/* how many there are of each byte */
};

struct job {
	uint32_t buffer;
	char path[PATH_MAX];
};

#define JOB_SIZE(path_len) (offsetof(struct job, path) + (path_len) + 1)

static inline uint64_t counts_bytes(const struct counts *counts)
{
	return __atomic_load_n(&counts->bytes, __ATOMIC_RELAXED);
}

#endif /* JOB_H */
