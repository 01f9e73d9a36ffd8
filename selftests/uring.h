/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As little of io_uring as the tests need, by its system calls alone.
 */
#ifndef URING_H
#define URING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include "ctx_selftest.h"

struct uring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

/* 0; or -1 with errno set, of which ENOSYS and EPERM mean that there is none. */
static inline int uring_open(struct uring *ring, unsigned int entries)
{
	struct io_uring_params p = {};
	char *sq, *cq;

	ring->fd = syscall(__NR_io_uring_setup, entries, &p);
	if (ring->fd < 0)
		return -1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned int),
		  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
		  IORING_OFF_CQ_RING);
	ring->sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe),
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			  IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || ring->sqes == MAP_FAILED)
		return -1;
	ring->sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	ring->sq_mask = (unsigned int *)(sq + p.sq_off.ring_mask);
	ring->sq_array = (unsigned int *)(sq + p.sq_off.array);
	ring->cq_head = (unsigned int *)(cq + p.cq_off.head);
	ring->cq_tail = (unsigned int *)(cq + p.cq_off.tail);
	ring->cq_mask = (unsigned int *)(cq + p.cq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return 0;
}

/* Submits one request; the number that the kernel took. */
static inline int uring_submit(struct uring *ring, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *ring->sq_tail, i = tail & *ring->sq_mask;

	ring->sqes[i] = *sqe;
	ring->sq_array[i] = i;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	return syscall(__NR_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0);
}

/* The next completion, within @timeout_ms. */
static inline bool uring_complete(struct uring *ring, struct io_uring_cqe *cqe, int timeout_ms)
{
	unsigned int head = *ring->cq_head;
	struct pollfd pfd = { .fd = ring->fd, .events = POLLIN };
	struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * NSEC_PER_MSEC };
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		if (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) != head)
			break;
		/* Runs what the kernel has put off to the task. */
		syscall(__NR_io_uring_enter, ring->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
		if (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) != head)
			break;
		if (ctx_clock(CLOCK_MONOTONIC) >= end)
			return false;
		ppoll(&pfd, 1, &timeout, NULL);
	}
	*cqe = ring->cqes[head & *ring->cq_mask];
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

static inline int uring_read(struct uring *ring, int fd, void *buf, unsigned int size, __u64 tag)
{
	return uring_submit(ring, &(struct io_uring_sqe){
		.opcode = IORING_OP_READ,
		.fd = fd,
		.addr = (uintptr_t)buf,
		.len = size,
		.off = (__u64)-1,
		.user_data = tag,
	});
}

/* With IORING_POLL_ADD_MULTI in @flags it goes on after its first event. */
static inline int uring_poll(struct uring *ring, int fd, unsigned int flags, __u64 tag)
{
	return uring_submit(ring, &(struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.len = flags,
		/* Two 16-bit halves, the lower first; swapped on big endian. */
		.poll32_events = htons(1) == 1 ? POLLIN << 16 : POLLIN,
		.user_data = tag,
	});
}

static inline int uring_cancel(struct uring *ring, __u64 target, __u64 tag)
{
	return uring_submit(ring, &(struct io_uring_sqe){
		.opcode = IORING_OP_ASYNC_CANCEL,
		.fd = -1,
		.addr = target,
		.user_data = tag,
	});
}

static inline void uring_close(struct uring *ring)
{
	close(ring->fd);
}

/* The worker threads of io_uring in this process, which it names iou-wrk-PID. */
static inline int uring_workers(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], comm[32];
	int nr = 0;
	FILE *file;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strncmp(comm, "iou-wrk", 7))
			nr++;
		fclose(file);
	}
	closedir(dir);
	return nr;
}

#endif /* URING_H */
