// SPDX-License-Identifier: LGPL-2.1-or-later
/* The calls of sockets that the context ends. */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/* With these, recv does not wait, whatever the mode. */
#define NEVER_WAIT	(MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

/* How long to leave a peer alone whose backlog is full; nothing tells of room. */
#define BACKLOG_NAP	(&(struct timespec){ .tv_nsec = 20 * NSEC_PER_SEC / 1000 })

/* How long to leave alone whoever is changing the timeout of a socket. */
#define OWNER_NAP	(&(struct timespec){ .tv_nsec = NSEC_PER_SEC / 1000 })

static ssize_t attempt_recv(struct ctxfd_call *call)
{
	return recv(call->fd, call->buf, call->size, call->flags | MSG_DONTWAIT);
}

bool ctxfd_may_end_early(int sock)
{
	int domain, type;

	return !getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }) &&
	       type == SOCK_SEQPACKET &&
	       !getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof(domain) }) &&
	       domain == AF_UNIX;
}

int ctxfd_look_for_packet(int sock, int flags)
{
	return recv(sock, NULL, 0, MSG_PEEK | MSG_TRUNC | flags) < 0 ? -1 : 0;
}

ssize_t ctxfd_attempt_packet(struct ctxfd_call *call)
{
	return ctxfd_look_for_packet(call->fd, MSG_DONTWAIT) ? -1 : attempt_recv(call);
}

static ssize_t attempt_send(struct ctxfd_call *call)
{
	return send(call->fd, call->buf, call->size, call->flags | MSG_DONTWAIT);
}

static ssize_t run_once(struct ctxfd_call *call)
{
	ssize_t n;

	if (ctxfd_call_begin(call))
		return -1;
	do {
		n = call->attempt(call);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN && call->err)
		errno = call->err;
	return n;
}

ssize_t ctxfd_recv(int ctx, int sock, void *buf, size_t size, int flags)
{
	struct ctxfd_call call = {
		.ctx = ctx,
		.fd = sock,
		.events = POLLIN,
		.attempt = attempt_recv,
		.buf = buf,
		.size = size,
		.flags = flags,
	};

	if (ctxfd_failed(ctx))
		return -1;
	if (flags & MSG_WAITALL) {
		errno = EINVAL;
		return -1;
	}
	if (!(flags & (MSG_OOB | MSG_ERRQUEUE)) && ctxfd_may_end_early(sock))
		call.attempt = ctxfd_attempt_packet;
	return flags & NEVER_WAIT ? run_once(&call) : ctxfd_call_run(&call);
}

ssize_t ctxfd_send(int ctx, int sock, const void *buf, size_t size, int flags)
{
	struct ctxfd_call call = {
		.ctx = ctx,
		.fd = sock,
		.events = POLLOUT,
		.attempt = attempt_send,
		.buf = (void *)(uintptr_t)buf,
		.size = size,
		.flags = flags,
	};

	return flags & MSG_DONTWAIT ? run_once(&call) : ctxfd_call_run(&call);
}

static ssize_t accept_plain(struct ctxfd_call *call)
{
	return accept4(call->fd, call->addr, call->len, SOCK_CLOEXEC);
}

static struct io_uring_sqe accept_op(const struct ctxfd_call *call)
{
	return (struct io_uring_sqe){
		.opcode = IORING_OP_ACCEPT,
		.fd = call->fd,
		.addr = (__u64)(uintptr_t)call->addr,
		.addr2 = (__u64)(uintptr_t)call->len,
		.accept_flags = SOCK_CLOEXEC,
	};
}

static ssize_t accept_blocking(struct ctxfd_call *call)
{
	struct io_uring_sqe op = accept_op(call);

	return ctxfd_ring_attempt(call, &op, accept_plain);
}

/* Waits for an operation of which nothing else tells, or for the context. */
static int wait_for_ring(struct ctxfd_call *call, struct ctxfd_ring *ring)
{
	struct pollfd pfds[] = {
		{ .fd = ring->fd, .events = POLLIN },
		{ .fd = call->ctx, .events = POLLIN },
	};
	int res;

	while (!ctxfd_ring_done(ring) && !call->err) {
		if (ppoll(pfds, 2, NULL, NULL) > 0 && pfds[1].revents)
			ctxfd_call_look(call);
	}
	res = ctxfd_ring_end(ring);
	if (res >= 0)
		return res;
	errno = call->err && (res == -ECANCELED || res == -EINTR) ? call->err : -res;
	return -1;
}

/* The kernel says at once that nothing listens there, or it does in some way of its own. */
static ssize_t accept_unknown(struct ctxfd_call *call)
{
	struct io_uring_sqe op = accept_op(call);
	struct ctxfd_ring ring;
	int none = ctxfd_ring_begin(&ring, &op);

	if (none)
		return none < 0 ? -1 : accept_plain(call);
	return wait_for_ring(call, &ring);
}

int ctxfd_accept(int ctx, int sock, struct sockaddr *addr, socklen_t *len)
{
	struct ctxfd_call call = {
		.ctx = ctx,
		.fd = sock,
		.events = POLLIN,
		.attempt = accept_blocking,
		.addr = addr,
		.len = len,
	};
	int listens, flags;

	if (ctxfd_failed(ctx))
		return -1;
	if (getsockopt(sock, SOL_SOCKET, SO_ACCEPTCONN, &listens,
		       &(socklen_t){ sizeof(listens) }))
		return -1;
	flags = fcntl(sock, F_GETFL);
	if (flags < 0)
		return -1;
	if (flags & O_NONBLOCK)
		call.attempt = accept_plain;
	else if (!listens)
		call.attempt = accept_unknown;
	return (int)ctxfd_call_run(&call);
}

static int connect_plain(struct ctxfd_call *call)
{
	return connect(call->fd, call->addr, *call->len);
}

/*
 * Who may change the timeout of a socket: the process of that number, in one of
 * its threads; 0 for nobody. One word for many sockets. The number of another
 * process was copied by a fork, which has left that thread behind.
 */
static atomic_int timeout_owner[64];

static atomic_int *own_timeout(struct ctxfd_call *call)
{
	atomic_int *owner;
	struct stat st;
	int self = getpid(), other;

	if (fstat(call->fd, &st))
		return NULL;
	owner = &timeout_owner[st.st_ino % (sizeof(timeout_owner) / sizeof(*timeout_owner))];
	other = atomic_load_explicit(owner, memory_order_relaxed);
	/* Acquire: pairs with the release of whoever owned it before. */
	while (other == self ||
	       !atomic_compare_exchange_weak_explicit(owner, &other, self, memory_order_acquire,
						      memory_order_relaxed)) {
		if (ctxfd_sleep(call->ctx, OWNER_NAP))
			return NULL;
		other = atomic_load_explicit(owner, memory_order_relaxed);
	}
	return owner;
}

/*
 * Without io_uring. A socket that waits for a moment at most gives up the wait,
 * not the connection; a Unix socket gives up both, and is tried again.
 */
static int connect_for_a_moment(struct ctxfd_call *call)
{
	const struct timeval moment = { .tv_usec = 1 };
	struct timeval own;
	atomic_int *owner = own_timeout(call);
	int ret, err;

	if (!owner)
		return -1;
	ret = getsockopt(call->fd, SOL_SOCKET, SO_SNDTIMEO, &own, &(socklen_t){ sizeof(own) });
	if (!ret)
		ret = setsockopt(call->fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment));
	if (!ret) {
		ret = connect_plain(call);
		err = errno;
		setsockopt(call->fd, SOL_SOCKET, SO_SNDTIMEO, &own, sizeof(own));
		errno = err;
	}
	/* Pairs with the acquire of the next: all that is done. */
	atomic_store_explicit(owner, 0, memory_order_release);
	return ret;
}

/*
 * The error of a connection is told once: another call, which waited for the same
 * one, may have taken it. Then there is none, and nothing connected either.
 */
static int check_connected(const struct ctxfd_call *call)
{
	struct sockaddr_storage peer;

	/* That is a request to be connected no more. */
	if (call->addr->sa_family == AF_UNSPEC ||
	    !getpeername(call->fd, (struct sockaddr *)&peer, &(socklen_t){ sizeof(peer) }) ||
	    errno != ENOTCONN)
		return 0;
	errno = ECONNABORTED;
	return -1;
}

/* 0, or -1 with errno set. */
static int connect_blocking(struct ctxfd_call *call)
{
	const struct io_uring_sqe op = {
		.opcode = IORING_OP_CONNECT,
		.fd = call->fd,
		.addr = (__u64)(uintptr_t)call->addr,
		.off = *call->len,
	};
	struct ctxfd_ring ring;
	int none = ctxfd_ring_begin(&ring, &op);

	if (none)
		return none < 0 ? -1 : connect_for_a_moment(call);
	return wait_for_ring(call, &ring) ? -1 : check_connected(call);
}

/* The end of a connection that has begun. */
static int wait_connected(struct ctxfd_call *call)
{
	int err;

	if (ctxfd_call_wait(call))
		return -1;
	if (getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) }))
		return -1;
	if (!err)
		return check_connected(call);
	errno = err;
	return -1;
}

int ctxfd_connect(int ctx, int sock, const struct sockaddr *addr, socklen_t len)
{
	struct ctxfd_call call = {
		.ctx = ctx,
		.fd = sock,
		.events = POLLOUT,
		.addr = (struct sockaddr *)(uintptr_t)addr,
		.len = &len,
	};

	if (ctxfd_failed(ctx))
		return -1;
	call.flags = fcntl(sock, F_GETFL);
	if (call.flags < 0 || ctxfd_call_begin(&call))
		return -1;
	/* Nothing is to begin under a context that has ended. */
	if (call.err) {
		errno = call.err;
		return -1;
	}
	for (;;) {
		if (!(call.flags & O_NONBLOCK ? connect_plain(&call) : connect_blocking(&call)))
			return 0;
		/* This call has begun it, or an earlier one. */
		if (errno == EINPROGRESS || errno == EALREADY)
			return wait_connected(&call);
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || addr->sa_family != AF_UNIX)
			return -1;
		if (ctxfd_sleep(ctx, BACKLOG_NAP))
			return -1;
	}
}
