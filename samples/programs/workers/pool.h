/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool of worker processes, before which there is a queue that can be full */
#ifndef POOL_H
#define POOL_H

#include <ctxfd.h>

#include "workers/job.h"

#define POOL_WORKERS_MAX	64
#define POOL_QUEUE_MAX		10000

struct pool;

/* What the pool calls, from within the functions below. */
struct pool_calls {
	/*
	 * A job has ended. @problem is NULL, or why it has not come to its end; @counts is NULL
	 * where it was not begun, and else what was counted, until the function returns.
	 */
	void (*ended)(void *arg, const char *path, const char *problem,
		      const struct counts *counts);
	/* Something may have changed. Called ten times a second at least. */
	void (*tick)(void *arg);
	void *arg;
};

struct pool_state {
	unsigned int queued;
	unsigned int in_hand;
	unsigned int buffers;	/* that were ever in use */
	uint64_t bytes;		/* that those in hand have counted */
};

/* Starts @nr workers below @ctx, or ends this program. */
struct pool *pool_new(int ctx, unsigned int nr, unsigned int queue, const struct pool_calls *calls);

/*
 * Has a worker count the bytes of the file @path. Where the queue is full, it waits for room.
 * Returns 0, or -1 with the error of @ctx.
 */
int pool_submit(struct pool *pool, int ctx, const char *path);

/* Waits until all is done. Returns 0, or -1 with the error of @ctx. */
int pool_wait(struct pool *pool, int ctx);

/* Begins no more of the jobs, gives those in hand so long to end, then cancels them. */
void pool_shut_down(struct pool *pool, const struct timespec *grace);

void pool_get_state(const struct pool *pool, struct pool_state *state);

/* To be called when all is done. */
void pool_free(struct pool *pool);

#endif /* POOL_H */
