// SPDX-License-Identifier: LGPL-2.1-or-later
/* Contexts over Unix sockets. */

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD	0x04
#endif

int ctxfd_send_fd(int sock, int ctx)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	/* A stream carries descriptors with data alone. */
	struct iovec iov = { .iov_base = &(char){ 0 }, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	/* Better refused here than by the other end, which cannot tell why. */
	if (ctxfd_err(ctx) < 0)
		return -1;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &ctx, sizeof(int));

	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

/*
 * Keeps the first descriptor that was sent, closes all others: those beyond
 * it, and the pidfd that a socket with SO_PASSPIDFD adds. Returns how many were
 * sent.
 */
static size_t take_first(struct msghdr *msg, int *first)
{
	struct cmsghdr *cmsg;
	size_t sent = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET ||
		    (cmsg->cmsg_type != SCM_RIGHTS && cmsg->cmsg_type != SCM_PIDFD))
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (cmsg->cmsg_type == SCM_RIGHTS && !sent++)
				*first = fd;
			else if (fd >= 0)
				close(fd);
		}
	}
	return sent;
}

/* Sets errno to what is wrong with a message of @len bytes and @sent descriptors. */
static bool is_one_context(const struct msghdr *msg, ssize_t len, size_t sent, int fd)
{
	bool truncated = msg->msg_flags & MSG_CTRUNC;

	if (!sent && truncated)
		/* There was room for it, so no number was free. */
		errno = EMFILE;
	else if (!sent && !len)
		errno = ECONNRESET;
	else if (sent != 1 || truncated || (msg->msg_flags & MSG_TRUNC) ||
		 !ctxfd_is_the_kernels(fd) || ctxfd_err(fd) < 0)
		errno = EBADMSG;
	else
		return true;
	return false;
}

int ctxfd_recv_fd(int sock)
{
	/* More than one descriptor needs: sockets can be told to add to it. */
	union {
		struct cmsghdr align;
		char bytes[512];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	bool packets = ctxfd_may_end_early(sock);
	int fd = -1, err;
	size_t sent;
	ssize_t len;

	do {
		len = packets && ctxfd_look_for_packet(sock, 0) ?
		      -1 : recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -1;

	sent = take_first(&msg, &fd);
	if (is_one_context(&msg, len, sent, fd))
		return fd;
	err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return -1;
}
