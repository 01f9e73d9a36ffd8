// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_recv(), ctxfd_send(), ctxfd_accept() and ctxfd_connect(). */
#include "libctxfd.h"
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/un.h>

static long call_recv(struct caller *caller)
{
	return ctxfd_recv(caller->ctx, caller->fd, caller->buf, caller->size, 0);
}

static long call_send(struct caller *caller)
{
	return ctxfd_send(caller->ctx, caller->fd, caller->buf, caller->size, 0);
}

static long call_accept(struct caller *caller)
{
	return ctxfd_accept(caller->ctx, caller->fd, NULL, NULL);
}

static long call_connect(struct caller *caller)
{
	return ctxfd_connect(caller->ctx, caller->fd, caller->buf, caller->size);
}

/* recv and send */

FIXTURE(pair) {
	int fds[2];
	int ctx;
};

FIXTURE_VARIANT(pair) {
	int type;
};

FIXTURE_VARIANT_ADD(pair, stream) { SOCK_STREAM };
FIXTURE_VARIANT_ADD(pair, stream_nonblock) { SOCK_STREAM | SOCK_NONBLOCK };
FIXTURE_VARIANT_ADD(pair, datagram) { SOCK_DGRAM };
FIXTURE_VARIANT_ADD(pair, datagram_nonblock) { SOCK_DGRAM | SOCK_NONBLOCK };
FIXTURE_VARIANT_ADD(pair, seqpacket) { SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(pair, seqpacket_nonblock) { SOCK_SEQPACKET | SOCK_NONBLOCK };

FIXTURE_SETUP(pair)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, socketpair(AF_UNIX, variant->type, 0, self->fds));
}

FIXTURE_TEARDOWN(pair)
{
}

static int fill(int sock)
{
	char page[4096] = {};

	for (size_t size = sizeof(page); size; size /= 2)
		while (send(sock, page, size, MSG_DONTWAIT) > 0)
			;
	return errno == EAGAIN ? 0 : -1;
}

static int drain(int sock)
{
	char page[4096];

	while (recv(sock, page, sizeof(page), MSG_DONTWAIT) > 0)
		;
	return errno == EAGAIN ? 0 : -1;
}

TEST_F(pair, recv_and_send_do_not_wait_where_they_need_not)
{
	int ctx = new_cancelled();
	char byte = 0;

	EXPECT_EQ(1, ctxfd_send(self->ctx, self->fds[1], "a", 1, 0));
	EXPECT_EQ(1, ctxfd_send(ctx, self->fds[1], "b", 1, 0));
	EXPECT_EQ(1, ctxfd_recv(self->ctx, self->fds[0], &byte, 1, MSG_PEEK));
	EXPECT_EQ(1, ctxfd_recv(self->ctx, self->fds[0], &byte, 1, 0));
	EXPECT_EQ('a', byte);
	EXPECT_EQ(1, ctxfd_recv(ctx, self->fds[0], &byte, 1, 0));
	EXPECT_EQ('b', byte);
}

TEST_F(pair, recv_waits_and_ends_with_the_context)
{
	char byte;
	struct caller caller = { call_recv, .ctx = self->ctx, .fd = self->fds[0], .buf = &byte, .size = 1 };
	struct caller second = caller;
	int mode = fcntl(self->fds[0], F_GETFL);

	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_EQ(mode, fcntl(self->fds[0], F_GETFL));
	ASSERT_EQ(0, interrupt_thread(caller.thread));
	ASSERT_EQ(0, caller_asleep(&caller));
	ASSERT_EQ(1, send(self->fds[1], "a", 1, 0));
	check_returned(&caller, 1);

	ASSERT_EQ(0, caller_start(&second));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&second, ECANCELED);
	check_errno(ETIMEDOUT, ctxfd_recv(new_short(), self->fds[0], &byte, 1, 0));
	EXPECT_EQ(mode, fcntl(self->fds[0], F_GETFL));
}

TEST_F(pair, send_waits_and_ends_with_the_context)
{
	struct caller caller = { call_send, .ctx = self->ctx, .fd = self->fds[1], .buf = "a", .size = 1 };
	struct caller second = caller;
	int mode = fcntl(self->fds[1], F_GETFL);

	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, fill(self->fds[1]));
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_EQ(mode, fcntl(self->fds[1], F_GETFL));
	ASSERT_EQ(0, interrupt_thread(caller.thread));
	ASSERT_EQ(0, caller_asleep(&caller));
	ASSERT_EQ(0, drain(self->fds[0]));
	check_returned(&caller, 1);

	ASSERT_EQ(0, fill(self->fds[1]));
	ASSERT_EQ(0, caller_start(&second));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&second, ECANCELED);
	check_errno(ETIMEDOUT, ctxfd_send(new_short(), self->fds[1], "a", 1, 0));
	EXPECT_EQ(mode, fcntl(self->fds[1], F_GETFL));
}

TEST_F(pair, flags_of_the_caller_that_forbid_to_wait_hold)
{
	char byte;

	check_errno(EAGAIN, ctxfd_recv(self->ctx, self->fds[0], &byte, 1, MSG_DONTWAIT));
	check_errno(EAGAIN, ctxfd_recv(self->ctx, self->fds[0], &byte, 1, MSG_ERRQUEUE));
	ASSERT_EQ(0, fill(self->fds[1]));
	check_errno(EAGAIN, ctxfd_send(self->ctx, self->fds[1], "a", 1, MSG_DONTWAIT));
	ASSERT_EQ(0, drain(self->fds[0]));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_errno(ECANCELED, ctxfd_recv(self->ctx, self->fds[0], &byte, 1, MSG_DONTWAIT));
}

TEST_F(pair, errors_are_those_of_the_calls)
{
	char byte;
	int fds[2];

	check_errno(EINVAL, ctxfd_recv(self->ctx, self->fds[0], &byte, 1, MSG_WAITALL));
	ASSERT_EQ(0, pipe(fds));
	check_errno(ENOTSOCK, ctxfd_recv(self->ctx, fds[0], &byte, 1, 0));
	check_errno(ENOTSOCK, ctxfd_send(self->ctx, fds[1], "a", 1, 0));
	check_errno(EBADF, ctxfd_recv(self->ctx, -1, &byte, 1, 0));
	check_errno(EBADF, ctxfd_send(self->ctx, -1, "a", 1, 0));
	check_errno(EBADF, ctxfd_recv(-1, self->fds[0], &byte, 1, 0));
	check_errno(EBADF, ctxfd_send(-1, self->fds[0], "a", 1, 0));
	check_errno(ENOTTY, ctxfd_recv(fds[0], self->fds[0], &byte, 1, 0));
	check_errno(ENOTTY, ctxfd_send(fds[0], self->fds[0], "a", 1, 0));
}

TEST(recv_finds_the_end_and_send_the_broken_pipe)
{
	int fds[2], ctx = new_root();
	struct caller caller;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	caller = (struct caller){ call_recv, .ctx = ctx, .fd = fds[0], .buf = &byte, .size = 1 };
	ASSERT_EQ(0, caller_start(&caller));
	close(fds[1]);
	check_returned(&caller, 0);
	check_errno(EPIPE, ctxfd_send(ctx, fds[0], "a", 1, MSG_NOSIGNAL));
}

TEST(a_big_send_is_cut_to_the_room_there_is)
{
	static char data[4 << 20];
	int fds[2];
	ssize_t n;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	n = ctxfd_send(new_root(), fds[0], data, sizeof(data), 0);
	EXPECT_LT(0, n);
	EXPECT_GT((ssize_t)sizeof(data), n);
}

/* accept and connect */

/* As in a container that is not trusted with it. */
static int forbid_io_uring(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -1 :
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

FIXTURE(listener) {
	int ctx;
	int sock;		/* listens, with a short backlog */
	struct sockaddr_storage addr;
	socklen_t len;
};

FIXTURE_VARIANT(listener) {
	int family;
	int mode;
	bool no_io_uring;
};

FIXTURE_VARIANT_ADD(listener, unix_block) { AF_UNIX, 0 };
FIXTURE_VARIANT_ADD(listener, unix_nonblock) { AF_UNIX, SOCK_NONBLOCK };
FIXTURE_VARIANT_ADD(listener, tcp_block) { AF_INET, 0 };
FIXTURE_VARIANT_ADD(listener, tcp_nonblock) { AF_INET, SOCK_NONBLOCK };
FIXTURE_VARIANT_ADD(listener, unix_block_no_io_uring) { AF_UNIX, 0, true };
FIXTURE_VARIANT_ADD(listener, tcp_block_no_io_uring) { AF_INET, 0, true };

/* In a network of its own, whose loopback is down at first. */
static int new_network(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int sock, ret;

	if (unshare(CLONE_NEWNET))
		return -1;
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	ret = ioctl(sock, SIOCSIFFLAGS, &ifr);
	close(sock);
	return ret;
}

FIXTURE_SETUP(listener)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, new_network());
	self->sock = socket(variant->family, SOCK_STREAM | variant->mode, 0);
	ASSERT_LE(0, self->sock);
	self->addr.ss_family = variant->family;
	self->len = variant->family == AF_UNIX ? sizeof(sa_family_t) : sizeof(struct sockaddr_in);
	ASSERT_EQ(0, bind(self->sock, (void *)&self->addr, self->len));
	ASSERT_EQ(0, listen(self->sock, 1));
	self->len = sizeof(self->addr);
	ASSERT_EQ(0, getsockname(self->sock, (void *)&self->addr, &self->len));
	if (variant->no_io_uring)
		ASSERT_EQ(0, forbid_io_uring());
}

FIXTURE_TEARDOWN(listener)
{
}

#define new_socket()	socket(variant->family, SOCK_STREAM | variant->mode, 0)
#define do_connect(ctx, sock) \
	ctxfd_connect((ctx), (sock), (void *)&self->addr, self->len)

/* Connects without end until nobody takes it up any more. */
#define fill_backlog() ({						\
	int __sock, __ret;						\
									\
	do {								\
		__sock = new_socket();					\
		__ret = ctxfd_connect(new_short(), __sock,		\
				      (void *)&self->addr, self->len);	\
	} while (!__ret);						\
	close(__sock);							\
	EXPECT_EQ(ETIMEDOUT, errno);					\
})

TEST_F(listener, accept_takes_a_connection)
{
	struct sockaddr_storage addr = {};
	socklen_t len = sizeof(addr);
	int sock = new_socket(), fd;
	char byte;

	ASSERT_EQ(0, do_connect(self->ctx, sock));
	/* TCP connects before the listener has heard the last of it. */
	ASSERT_TRUE(becomes_readable(self->sock, CTX_WAIT_MS));
	fd = ctxfd_accept(new_cancelled(), self->sock, (void *)&addr, &len);
	ASSERT_LE(0, fd);
	EXPECT_EQ(variant->family, addr.ss_family);
	EXPECT_LT(0, len);
	check_cloexec(fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(1, write(fd, "a", 1));
	EXPECT_EQ(1, ctxfd_recv(self->ctx, sock, &byte, 1, 0));
}

TEST_F(listener, accept_waits_for_a_connection)
{
	struct caller caller = { call_accept, .ctx = self->ctx, .fd = self->sock };
	int mode = fcntl(self->sock, F_GETFL);

	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_EQ(mode, fcntl(self->sock, F_GETFL));
	ASSERT_EQ(0, interrupt_thread(caller.thread));
	ASSERT_EQ(0, caller_asleep(&caller));
	ASSERT_EQ(0, do_connect(self->ctx, new_socket()));
	ASSERT_EQ(0, ctx_thread_join(caller.thread));
	EXPECT_LE(0, caller.ret);
	EXPECT_EQ(mode, fcntl(self->sock, F_GETFL));
}

TEST_F(listener, accept_ends_with_the_context)
{
	struct caller caller = { call_accept, .ctx = self->ctx, .fd = self->sock };
	int fds;

	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&caller, ECANCELED);
	check_errno(ETIMEDOUT, ctxfd_accept(new_short(), self->sock, NULL, NULL));
	fds = ctx_nr_fds();
	check_errno(ECANCELED, ctxfd_accept(self->ctx, self->sock, NULL, NULL));
	EXPECT_EQ(fds, ctx_nr_fds());
}

TEST_F(listener, acceptors_compete_and_the_loser_can_be_cancelled)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + NSEC_PER_SEC;

	if (variant->no_io_uring)
		SKIP(return, "then the loser waits for the next connection, as the header says");
	for (int i = 0; i < 100 && ctx_clock(CLOCK_MONOTONIC) < end; i++) {
		struct caller callers[2] = {};
		int ctx = new_root(), sock = new_socket(), lost = -1;

		for (int n = 0; n < 2; n++) {
			callers[n] = (struct caller){ call_accept, .ctx = ctx, .fd = self->sock };
			ASSERT_EQ(0, caller_start(&callers[n]));
		}
		ASSERT_EQ(0, do_connect(self->ctx, sock));
		while (lost < 0)
			for (int n = 0; n < 2 && lost < 0; n++)
				if (!pthread_tryjoin_np(callers[n].thread, NULL))
					lost = !n;
				else
					usleep(100);
		EXPECT_LE(0, callers[!lost].ret);
		EXPECT_EQ(0, ctxfd_cancel(ctx));
		check_failed(&callers[lost], ECANCELED);
		close(callers[!lost].ret);
		close(sock);
		close(ctx);
	}
}

TEST_F(listener, accept_refuses_at_once_what_does_not_listen)
{
	int fds[2];

	check_errno(EINVAL, ctxfd_accept(self->ctx, new_socket(), NULL, NULL));
	check_errno(EOPNOTSUPP, ctxfd_accept(self->ctx, socket(AF_UNIX, SOCK_DGRAM, 0), NULL,
					     NULL));
	ASSERT_EQ(0, pipe(fds));
	check_errno(ENOTSOCK, ctxfd_accept(self->ctx, fds[0], NULL, NULL));
	check_errno(EBADF, ctxfd_accept(self->ctx, -1, NULL, NULL));
	check_errno(EBADF, ctxfd_accept(-1, self->sock, NULL, NULL));
	check_errno(ENOTTY, ctxfd_accept(fds[0], self->sock, NULL, NULL));
}

TEST_F(listener, accept_without_room_gives_emfile)
{
	int sock = new_socket(), last;

	ASSERT_EQ(0, do_connect(self->ctx, sock));
	last = use_up_descriptors();
	ASSERT_LE(0, last);
	check_errno(EMFILE, ctxfd_accept(self->ctx, self->sock, NULL, NULL));
}

TEST_F(listener, connect_connects)
{
	int sock = new_socket(), mode = fcntl(sock, F_GETFL), fds = ctx_nr_fds();
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	EXPECT_EQ(0, do_connect(self->ctx, sock));
	EXPECT_EQ(mode, fcntl(sock, F_GETFL));
	EXPECT_EQ(fds, ctx_nr_fds());
	EXPECT_EQ(0, getpeername(sock, (void *)&addr, &len));
}

TEST_F(listener, connect_begins_nothing_under_a_cancelled_context)
{
	check_errno(ECANCELED, do_connect(new_cancelled(), new_socket()));
	EXPECT_FALSE(becomes_readable(self->sock, 0));
}

TEST_F(listener, connect_that_waits_ends_with_the_context)
{
	struct caller caller = {
		call_connect, .ctx = self->ctx, .fd = new_socket(),
		.buf = &self->addr, .size = self->len,
	};
	int mode = fcntl(caller.fd, F_GETFL);

	fill_backlog();
	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_EQ(mode, fcntl(caller.fd, F_GETFL));
	ASSERT_EQ(0, interrupt_thread(caller.thread));
	ASSERT_EQ(0, caller_asleep(&caller));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&caller, ECANCELED);
	EXPECT_EQ(mode, fcntl(caller.fd, F_GETFL));
}

TEST_F(listener, connect_that_waits_gets_through)
{
	struct caller caller = {
		call_connect, .ctx = self->ctx, .fd = new_socket(),
		.buf = &self->addr, .size = self->len,
	};

	fill_backlog();
	ASSERT_EQ(0, caller_start(&caller));
	do {
		if (becomes_readable(self->sock, 10))
			ASSERT_LE(0, accept(self->sock, NULL, NULL));
	} while (pthread_tryjoin_np(caller.thread, NULL));
	EXPECT_EQ(0, caller.ret);
}

TEST_F(listener, connect_keeps_the_timeout_of_its_socket)
{
	struct timeval timeout = { .tv_sec = 7 };
	int sock = new_socket();

	ASSERT_EQ(0, setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	EXPECT_EQ(0, do_connect(self->ctx, sock));
	timeout.tv_sec = 0;
	EXPECT_EQ(0, getsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout,
				&(socklen_t){ sizeof(timeout) }));
	EXPECT_EQ(7, timeout.tv_sec);
}

TEST_F(listener, connect_waits_for_what_another_has_begun)
{
	int sock = new_socket();

	fill_backlog();
	check_errno(ETIMEDOUT, do_connect(new_short(), sock));
	check_errno(ETIMEDOUT, do_connect(new_short(), sock));
}

TEST_F(listener, connects_of_one_socket_at_once_end_and_keep_its_timeout)
{
	fill_backlog();
	for (int i = 0; i < 20; i++) {
		struct timeval timeout = { .tv_sec = 7 };
		struct caller callers[2] = {};
		int ctx = new_root(), sock = new_socket();

		for (int n = 0; n < 2; n++) {
			callers[n] = (struct caller){
				call_connect, .ctx = ctx, .fd = sock,
				.buf = &self->addr, .size = self->len,
			};
			ASSERT_EQ(0, caller_go(&callers[n]));
			usleep(500 * (i % 10));
		}
		EXPECT_EQ(0, ctxfd_cancel(ctx));
		for (int n = 0; n < 2; n++)
			check_failed(&callers[n], ECANCELED);
		EXPECT_EQ(0, getsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout,
					&(socklen_t){ sizeof(timeout) }));
		EXPECT_EQ(0, timeout.tv_sec);
		EXPECT_EQ(0, timeout.tv_usec);
		close(sock);
		close(ctx);
	}
}

TEST_F(listener, connects_of_one_socket_at_once_are_both_refused)
{
	struct caller callers[2] = {};
	int sock = new_socket();

	fill_backlog();
	for (int n = 0; n < 2; n++) {
		callers[n] = (struct caller){
			call_connect, .ctx = self->ctx, .fd = sock,
			.buf = &self->addr, .size = self->len,
		};
		ASSERT_EQ(0, caller_start(&callers[n]));
	}
	close(self->sock);
	for (int n = 0; n < 2; n++) {
		ASSERT_EQ(0, ctx_thread_join(callers[n].thread));
		EXPECT_EQ(-1, callers[n].ret);
		EXPECT_TRUE(callers[n].err == ECONNREFUSED || callers[n].err == ECONNABORTED);
	}
}

TEST_F(listener, connect_to_nobody_is_refused)
{
	int sock = new_socket();

	close(self->sock);
	check_errno(ECONNREFUSED, do_connect(self->ctx, sock));
}

TEST_F(listener, connect_passes_on_errors)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	check_errno(ENOTSOCK, do_connect(self->ctx, fds[0]));
	check_errno(EBADF, do_connect(self->ctx, -1));
	check_errno(EBADF, do_connect(-1, new_socket()));
	check_errno(ENOTTY, do_connect(fds[0], new_socket()));
	check_errno(EFAULT, ctxfd_connect(self->ctx, new_socket(), NULL, self->len));
	check_errno(EINVAL, ctxfd_connect(self->ctx, new_socket(), (void *)&self->addr, 1));
}

TEST(connect_of_datagram_sockets_is_immediate)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int modes[] = { 0, SOCK_NONBLOCK };

	ASSERT_EQ(0, new_network());
	for (int i = 0; i < 2; i++) {
		int sock = socket(AF_INET, SOCK_DGRAM | modes[i], 0);

		EXPECT_EQ(0, ctxfd_connect(new_root(), sock, (void *)&addr, sizeof(addr)));
		EXPECT_EQ(0, ctxfd_connect(new_root(), sock, &none, sizeof(none)));
		check_errno(ENOTCONN, getpeername(sock, (void *)&addr, &(socklen_t){ 16 }));
	}
}

TEST_HARNESS_MAIN
