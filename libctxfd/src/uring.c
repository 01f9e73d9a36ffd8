// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One operation of io_uring on a ring of its own: the only call on a blocking
 * descriptor that can be taken back. The kernel knows no accept, connect or
 * read of a terminal that does not wait, but for O_NONBLOCK, which belongs to
 * all who share the descriptor.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* user_data of the operation; that of its cancellation is 0. */
#define OPERATION	1

/* Of poll, while an operation is given the time to take what is there. */
#define STEP		20	/* ms */
#define STEPS		5

static int enter(const struct ctxfd_ring *ring, unsigned int submit, unsigned int flags)
{
	return (int)syscall(SYS_io_uring_enter, ring->fd, submit, 0, flags, NULL, 0);
}

static void *map(const struct ctxfd_ring *ring, size_t size, off_t what)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			ring->fd, what);

	return at == MAP_FAILED ? NULL : at;
}

static void close_ring(struct ctxfd_ring *ring)
{
	int err = errno;

	if (ring->sqes)
		munmap(ring->sqes, ring->sqes_size);
	if (ring->queues)
		munmap(ring->queues, ring->queues_size);
	close(ring->fd);
	errno = err;
}

static int open_ring(struct ctxfd_ring *ring)
{
	struct io_uring_params p = { 0 };
	size_t sq_size, cq_size;
	char *queues;

	*ring = (struct ctxfd_ring){ 0 };
	ring->fd = (int)syscall(SYS_io_uring_setup, 2, &p);
	if (ring->fd < 0)
		return -1;
	/* Every kernel that has contexts has IORING_FEAT_SINGLE_MMAP. */
	sq_size = p.sq_off.array + p.sq_entries * sizeof(unsigned int);
	cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	ring->queues_size = sq_size > cq_size ? sq_size : cq_size;
	ring->sqes_size = p.sq_entries * sizeof(struct io_uring_sqe);
	ring->queues = map(ring, ring->queues_size, IORING_OFF_SQ_RING);
	ring->sqes = map(ring, ring->sqes_size, IORING_OFF_SQES);
	if (!ring->queues || !ring->sqes) {
		close_ring(ring);
		return -1;
	}
	queues = ring->queues;
	ring->sq_tail = (unsigned int *)(queues + p.sq_off.tail);
	ring->sq_mask = (unsigned int *)(queues + p.sq_off.ring_mask);
	ring->sq_array = (unsigned int *)(queues + p.sq_off.array);
	ring->cq_head = (unsigned int *)(queues + p.cq_off.head);
	ring->cq_tail = (unsigned int *)(queues + p.cq_off.tail);
	ring->cq_mask = (unsigned int *)(queues + p.cq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(queues + p.cq_off.cqes);
	return 0;
}

static int submit(struct ctxfd_ring *ring, const struct io_uring_sqe *op)
{
	unsigned int tail = *ring->sq_tail, i = tail & *ring->sq_mask;

	((struct io_uring_sqe *)ring->sqes)[i] = *op;
	ring->sq_array[i] = i;
	/* Pairs with the kernel's acquire of the tail, before it reads the entry. */
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	return enter(ring, 1, 0) == 1 ? 0 : -1;
}

int ctxfd_ring_begin(struct ctxfd_ring *ring, const struct io_uring_sqe *op)
{
	struct io_uring_sqe sqe = *op;

	/* All else: no such call, a sandbox, a sysctl, a limit of locked memory. */
	if (open_ring(ring))
		return errno == EMFILE || errno == ENFILE ? -1 : 1;
	sqe.user_data = OPERATION;
	if (!submit(ring, &sqe))
		return 0;
	close_ring(ring);
	return 1;
}

bool ctxfd_ring_done(struct ctxfd_ring *ring)
{
	unsigned int head = *ring->cq_head;

	/* Pairs with the kernel's release of the tail, after the entries. */
	while (head != __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) {
		const struct io_uring_cqe *cqe = &ring->cqes[head++ & *ring->cq_mask];

		if (cqe->user_data == OPERATION) {
			ring->done = true;
			ring->res = cqe->res;
		}
		/* Pairs with the kernel's acquire, before it fills the entry anew. */
		__atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
	}
	return ring->done;
}

/* Waits until it has ended, but no longer than a step. */
static void wait_step(struct ctxfd_ring *ring)
{
	struct pollfd pfd = { .fd = ring->fd, .events = POLLIN };

	poll(&pfd, 1, STEP);
	/* Lets the kernel do what it has put off to this thread. */
	enter(ring, 0, IORING_ENTER_GETEVENTS);
}

int ctxfd_ring_end(struct ctxfd_ring *ring)
{
	/* One may come while the kernel hands the operation on, and find nothing. */
	while (!ctxfd_ring_done(ring)) {
		submit(ring, &(struct io_uring_sqe){
			.opcode = IORING_OP_ASYNC_CANCEL,
			.fd = -1,
			.addr = OPERATION,
		});
		if (!ctxfd_ring_done(ring))
			wait_step(ring);
	}
	close_ring(ring);
	return ring->res;
}

/*
 * The operation may wait for a thread of the kernel's, so it is given time, as
 * long as poll promises success: what is there is to win over the cancellation.
 * A write may wait for more room than poll speaks of; what was written by then is
 * its result.
 */
ssize_t ctxfd_ring_attempt(struct ctxfd_call *call, const struct io_uring_sqe *op,
			   ssize_t (*plain)(struct ctxfd_call *call))
{
	struct ctxfd_ring ring;
	int none, res, late = 0;

	if (!ctxfd_call_ready(call)) {
		errno = EAGAIN;
		return -1;
	}
	none = ctxfd_ring_begin(&ring, op);
	if (none)
		return none < 0 ? -1 : plain(call);
	while (!ctxfd_ring_done(&ring) && ctxfd_call_ready(call) && late < STEPS) {
		wait_step(&ring);
		late += call->events == POLLOUT || ctxfd_err(call->ctx);
	}
	res = ctxfd_ring_end(&ring);
	if (res >= 0)
		return res;
	/* Taken back, or stopped by a signal in the attempt to. */
	errno = res == -ECANCELED || res == -EINTR ? EAGAIN : -res;
	return -1;
}
