// SPDX-License-Identifier: LGPL-2.1-or-later
/* read and write that the context ends. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

static bool is_write(const struct ctxfd_call *call)
{
	return call->events == POLLOUT;
}

static ssize_t attempt_plain(struct ctxfd_call *call)
{
	return is_write(call) ? write(call->fd, call->buf, call->size) :
				read(call->fd, call->buf, call->size);
}

static ssize_t attempt_socket(struct ctxfd_call *call)
{
	return is_write(call) ? send(call->fd, call->buf, call->size, call->flags) :
				recv(call->fd, call->buf, call->size, call->flags);
}

static void close_both(const int fds[2])
{
	int err = errno;

	close(fds[0]);
	close(fds[1]);
	errno = err;
}

static ssize_t splice_now(int from, int to, size_t size)
{
	return splice(from, NULL, to, NULL, size, SPLICE_F_NONBLOCK);
}

/*
 * The private pipe has room for one buffer: those behind it may be packets of
 * their own, which the reader's end does not tell.
 */
static ssize_t read_through(const struct ctxfd_call *call, const int private[2])
{
	ssize_t n;

	if (fcntl(private[1], F_SETPIPE_SZ, PIPE_BUF) < 0)
		return -1;
	n = splice_now(call->fd, private[1], call->size);
	return n > 0 ? read(private[0], call->buf, call->size) : n;
}

/* At most PIPE_BUF bytes are one buffer, which is moved as a whole or not. */
static ssize_t write_through(const struct ctxfd_call *call, const int private[2])
{
	size_t size = call->size < PIPE_BUF ? call->size : PIPE_BUF;
	ssize_t n = write(private[1], call->buf, size);

	return n > 0 ? splice_now(private[0], call->fd, (size_t)n) : n;
}

/*
 * Before Linux 6.4 pipes know no RWF_NOWAIT, but do know SPLICE_F_NONBLOCK. Each
 * write takes a page of the pipe's room then, however small it is.
 */
static ssize_t attempt_pipe(struct ctxfd_call *call)
{
	int packets = fcntl(call->fd, F_GETFL) & O_DIRECT;
	int private[2];
	ssize_t n;

	if (!ctxfd_call_ready(call)) {
		errno = EAGAIN;
		return -1;
	}
	if (pipe2(private, O_CLOEXEC | packets))
		return -1;
	n = is_write(call) ? write_through(call, private) : read_through(call, private);
	close_both(private);
	return n;
}

static ssize_t attempt_device(struct ctxfd_call *call)
{
	return ctxfd_ring_attempt(call, &(struct io_uring_sqe){
		.opcode = is_write(call) ? IORING_OP_WRITE : IORING_OP_READ,
		/* From 6.9 on it is tried here first, as a plain call, which waits. */
		.flags = IOSQE_ASYNC,
		.fd = call->fd,
		.addr = (__u64)(uintptr_t)call->buf,
		.len = call->size < INT_MAX ? (__u32)call->size : INT_MAX,
		.off = (__u64)-1,
	}, attempt_plain);
}

/*
 * A signal for one thread is invisible to the threads of io_uring. Kernels from
 * 6.10 do not come here: they know RWF_NOWAIT.
 */
static bool is_signalfd(int fd)
{
	static const char signalfd[] = "anon_inode:[signalfd]";
	char path[40], target[sizeof(signalfd)];
	ssize_t n;

	/* Not self, which shows none once the first thread has ended. */
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	return n == sizeof(signalfd) - 1 && !memcmp(target, signalfd, sizeof(signalfd) - 1);
}

static ssize_t attempt_signalfd(struct ctxfd_call *call)
{
	if (!ctxfd_call_ready(call)) {
		errno = EAGAIN;
		return -1;
	}
	return attempt_plain(call);
}

/* For what knows no RWF_NOWAIT. */
static int choose_other_attempt(struct ctxfd_call *call)
{
	int flags = fcntl(call->fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(call->fd, &st))
		return -1;
	if (flags & O_NONBLOCK)
		call->attempt = attempt_plain;
	else if (S_ISFIFO(st.st_mode))
		call->attempt = attempt_pipe;
	else if (is_signalfd(call->fd))
		call->attempt = attempt_signalfd;
	else
		call->attempt = attempt_device;
	return 0;
}

static ssize_t attempt_nowait(struct ctxfd_call *call)
{
	struct iovec iov = { .iov_base = call->buf, .iov_len = call->size };
	ssize_t n = is_write(call) ? pwritev2(call->fd, &iov, 1, -1, RWF_NOWAIT) :
				     preadv2(call->fd, &iov, 1, -1, RWF_NOWAIT);

	if (n >= 0 || errno != EOPNOTSUPP)
		return n;
	return choose_other_attempt(call) ? -1 : call->attempt(call);
}

static int choose_socket(struct ctxfd_call *call)
{
	int type;

	if (getsockopt(call->fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }))
		return -1;
	call->attempt = attempt_socket;
	if (!is_write(call) && ctxfd_may_end_early(call->fd))
		call->attempt = ctxfd_attempt_packet;
	call->flags = MSG_DONTWAIT;
	/* As the kernel adds for write. */
	if (is_write(call) && type == SOCK_SEQPACKET)
		call->flags |= MSG_EOR;
	return 0;
}

static int choose_attempt(struct ctxfd_call *call)
{
	struct stat st;

	if (fstat(call->fd, &st))
		return -1;
	if (S_ISSOCK(st.st_mode) && (call->size || is_write(call)))
		return choose_socket(call);
	/* None of these waits for others, but for a few, which the header names. */
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) || !call->size)
		call->attempt = attempt_plain;
	else
		call->attempt = attempt_nowait;
	return 0;
}

static ssize_t run(struct ctxfd_call *call)
{
	return ctxfd_failed(call->ctx) || choose_attempt(call) ? -1 : ctxfd_call_run(call);
}

ssize_t ctxfd_read(int ctx, int fd, void *buf, size_t size)
{
	return run(&(struct ctxfd_call){
		.ctx = ctx,
		.fd = fd,
		.events = POLLIN,
		.buf = buf,
		.size = size,
	});
}

ssize_t ctxfd_write(int ctx, int fd, const void *buf, size_t size)
{
	return run(&(struct ctxfd_call){
		.ctx = ctx,
		.fd = fd,
		.events = POLLOUT,
		.buf = (void *)(uintptr_t)buf,
		.size = size,
	});
}
