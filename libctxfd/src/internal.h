/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library share and programs do not see. */
#ifndef CTXFD_INTERNAL_H
#define CTXFD_INTERNAL_H

#include <pthread.h>
#include <stdint.h>
#include <linux/io_uring.h>

#include "ctxfd.h"

#define NSEC_PER_SEC	1000000000L

/*
 * Whether @ctx is the -1 of a call that failed, whose errno is left as it is, so that a
 * caller who asks only once learns what is wrong. Comes before all else that may fail.
 */
bool ctxfd_failed(int ctx);

/* As ioctl, with ctxfd_failed() before. */
int ctxfd_ioctl(int fd, unsigned long request, const void *arg);

/*
 * Whether the kernel itself answers an ioctl on @fd, as it does for a context and
 * for /dev/ctx. A file of FUSE says whatever its server likes.
 */
bool ctxfd_is_the_kernels(int fd);

/*
 * A number that no ancestor of this process has, by which a child knows what it only has
 * copies of; 0 where there is no memory.
 */
unsigned long ctxfd_process(void);

/*
 * Copies options of the caller's @size, which may be older or newer than ours: what is
 * missing is zero, NULL is all zero. 0, or -1 with E2BIG where it has what we do not
 * know, or EINVAL where @size is under that of the first version.
 */
int ctxfd_copy_opts(void *ours, size_t our_size, size_t first, const void *opts, size_t size);

/*
 * Between the two the thread is not cancelled: for calls that would lose descriptors,
 * processes or a lock.
 */
static inline int ctxfd_hold_cancel(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void ctxfd_release_cancel(int state)
{
	pthread_setcancelstate(state, &state);
}

/* 0, or -1 with EINVAL. */
int ctxfd_check_time(const struct timespec *ts);

/* A value as the kernel takes it. */
struct ctx_value ctxfd_to_value(const char *key, const void *data, size_t size);

/* The two ways to say until when; both fill in what the ioctls share. */
int ctxfd_fill_timeout(const struct timespec *timeout, struct ctx_deadline_args *args);
int ctxfd_fill_deadline(clockid_t clock, const struct timespec *deadline,
			struct ctx_deadline_args *args);

/* When a call stops waiting. */
struct ctxfd_limit {
	bool never;
	struct timespec at;	/* CLOCK_MONOTONIC */
};

struct ctxfd_limit ctxfd_limit_after(const struct timespec *timeout);

/* What is left for ppoll: never under zero, NULL for no limit. */
const struct timespec *ctxfd_limit_left(const struct ctxfd_limit *limit, struct timespec *left);

/*
 * A call that the context ends. Between two waits for @fd and the context, it
 * makes an attempt, which does not wait: what poll has promised, somebody else
 * may have taken.
 */
struct ctxfd_call {
	int ctx;
	int fd;
	short events;		/* of poll, that promise success */
	/* The result; -1 with EAGAIN where it would wait. */
	ssize_t (*attempt)(struct ctxfd_call *call);
	void *buf;		/* of a write, too, which only reads it */
	size_t size;
	int flags;
	struct sockaddr *addr;
	socklen_t *len;

	int err;		/* of the context, or of asking it, as last seen */
	unsigned int lost;	/* attempts that found nothing */
};

/* The whole call. */
ssize_t ctxfd_call_run(struct ctxfd_call *call);

/* Its parts. The first look at the context: 0 where it is one, or -1. */
int ctxfd_call_begin(struct ctxfd_call *call);

/* Another look, once poll has shown an event of it. */
void ctxfd_call_look(struct ctxfd_call *call);

/* Whether poll promises that an attempt succeeds. */
bool ctxfd_call_ready(const struct ctxfd_call *call);

/* After EAGAIN: 0 to make another attempt, or -1 with the error of the call. */
int ctxfd_call_wait(struct ctxfd_call *call);

/*
 * A Unix socket of packets looks for one, and then, apart, whether the other end is closed. What
 * is sent between the two is in the queue while the call tells of the end. So look first: where
 * that tells of the end, all that was sent is there for the call that follows.
 */
bool ctxfd_may_end_early(int sock);

/* 0, or -1 with errno set: EAGAIN where there is nothing and @flags forbid to wait. */
int ctxfd_look_for_packet(int sock, int flags);

/* An attempt to receive from such a socket. */
ssize_t ctxfd_attempt_packet(struct ctxfd_call *call);

/* An io_uring for one operation. */
struct ctxfd_ring {
	int fd;
	void *queues, *sqes;
	size_t queues_size, sqes_size;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_cqe *cqes;
	bool done;
	int res;		/* of the operation, once @done */
};

/* Begins @op: 0; 1 where this program is to have no ring; -1 with errno set. */
int ctxfd_ring_begin(struct ctxfd_ring *ring, const struct io_uring_sqe *op);

/* Whether the operation has ended. Where not, @fd polls readable once it has. */
bool ctxfd_ring_done(struct ctxfd_ring *ring);

/* Ends the operation, whatever comes of it, and the ring. Returns its result. */
int ctxfd_ring_end(struct ctxfd_ring *ring);

/*
 * An attempt by @op on a descriptor that blocks. Where there is no ring, it is
 * @plain once poll promises success, which holds if nobody else is there.
 */
ssize_t ctxfd_ring_attempt(struct ctxfd_call *call, const struct io_uring_sqe *op,
			   ssize_t (*plain)(struct ctxfd_call *call));

#endif /* CTXFD_INTERNAL_H */
