// SPDX-License-Identifier: GPL-2.0-only
/*
 * No cancellable call loses a cancellation, at whatever moment that comes: before
 * the call, between its look at the context and its wait, or in the wait. And none
 * loses what is sent at the moment of its attempt.
 */
#include "libctxfd.h"
#include "race.h"
#include <sys/eventfd.h>

struct call {
	int ctx, fd;
	long (*run)(struct call *call);
	long ret;
	int err;
};

static char byte;

/* Each opens what its call waits for in vain, and returns the descriptor. */

static int open_pipe(void)
{
	int fds[2];

	return pipe(fds) ? -1 : fds[0];
}

static int open_full_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_NONBLOCK))
		return -1;
	while (write(fds[1], &byte, 1) > 0)
		;
	return fcntl(fds[1], F_SETFL, O_WRONLY) ? -1 : fds[1];
}

static int open_eventfd(void)
{
	return eventfd(0, 0);
}

static int open_socket(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ? -1 : fds[0];
}

static int open_full_socket(void)
{
	int fd = open_socket();

	while (send(fd, &byte, 1, MSG_DONTWAIT) > 0)
		;
	return fd;
}

static int open_listener_in(int mode)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | mode, 0);

	return bind(sock, (void *)&addr, sizeof(sa_family_t)) || listen(sock, 1) ? -1 : sock;
}

static int open_listener(void)
{
	return open_listener_in(0);
}

static int open_nonblocking_listener(void)
{
	return open_listener_in(SOCK_NONBLOCK);
}

static int open_child(void)
{
	pid_t pid = ctx_fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static int open_nothing(void)
{
	return 0;
}

static long run_read(struct call *call)
{
	return ctxfd_read(call->ctx, call->fd, &(__u64){ 0 }, sizeof(__u64));
}

static long run_write(struct call *call)
{
	return ctxfd_write(call->ctx, call->fd, &byte, 1);
}

static long run_recv(struct call *call)
{
	return ctxfd_recv(call->ctx, call->fd, &byte, 1, 0);
}

static long run_send(struct call *call)
{
	return ctxfd_send(call->ctx, call->fd, &byte, 1, 0);
}

static long run_accept(struct call *call)
{
	return ctxfd_accept(call->ctx, call->fd, NULL, NULL);
}

static long run_poll(struct call *call)
{
	return ctxfd_poll(call->ctx, &(struct pollfd){ .fd = call->fd, .events = POLLIN }, 1, NULL);
}

static long run_sleep(struct call *call)
{
	return ctxfd_sleep(call->ctx, NULL);
}

static long run_waitid(struct call *call)
{
	return ctxfd_waitid(call->ctx, P_PID, (id_t)call->fd, NULL, WEXITED);
}

static long run_waitid_any(struct call *call)
{
	return ctxfd_waitid(call->ctx, P_ALL, 0, NULL, WEXITED);
}

FIXTURE(race) {
	struct call call;
};

FIXTURE_VARIANT(race) {
	int (*open)(void);
	long (*run)(struct call *call);
};

FIXTURE_VARIANT_ADD(race, read_of_a_pipe) { open_pipe, run_read };
FIXTURE_VARIANT_ADD(race, read_of_an_eventfd) { open_eventfd, run_read };
FIXTURE_VARIANT_ADD(race, read_of_a_socket) { open_socket, run_read };
FIXTURE_VARIANT_ADD(race, write_to_a_pipe) { open_full_pipe, run_write };
FIXTURE_VARIANT_ADD(race, write_to_a_socket) { open_full_socket, run_write };
FIXTURE_VARIANT_ADD(race, recv) { open_socket, run_recv };
FIXTURE_VARIANT_ADD(race, send) { open_full_socket, run_send };
FIXTURE_VARIANT_ADD(race, accept) { open_listener, run_accept };
FIXTURE_VARIANT_ADD(race, accept_nonblocking) { open_nonblocking_listener, run_accept };
FIXTURE_VARIANT_ADD(race, poll) { open_pipe, run_poll };
FIXTURE_VARIANT_ADD(race, sleep) { open_nothing, run_sleep };
FIXTURE_VARIANT_ADD(race, waitid) { open_child, run_waitid };
FIXTURE_VARIANT_ADD(race, waitid_of_any) { open_child, run_waitid_any };

FIXTURE_SETUP(race)
{
	self->call = (struct call){ .fd = variant->open(), .run = variant->run };
	ASSERT_LE(0, self->call.fd);
}

FIXTURE_TEARDOWN(race)
{
}

static void race_cancel(void *data)
{
	ctxfd_cancel(((struct call *)data)->ctx);
}

static void race_call(void *data)
{
	struct call *call = data;

	call->ret = call->run(call);
	call->err = errno;
}

TEST_F_TIMEOUT(race, a_cancellation_at_any_moment_ends_the_call, 300)
{
	struct race race;

	ASSERT_TRUE(race_start(&race, &self->call, race_cancel, race_call));
	for (unsigned int i = 0; i < rounds(200); i++) {
		self->call.ctx = new_root();
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(-1, self->call.ret);
		ASSERT_EQ(ECANCELED, self->call.err);
		close(self->call.ctx);
	}
	race_stop(&race);
}

/* A socket of packets, and what is sent on it just before it is closed */
FIXTURE(last) {
	int fds[2];
	bool is_context;
	long (*run)(struct call *call);
	struct call call;
};

static long run_recv_fd(struct call *call)
{
	int fd = ctxfd_recv_fd(call->fd);

	close(fd);
	return fd < 0 ? -1 : 1;
}

FIXTURE_VARIANT(last) {
	long (*run)(struct call *call);
};

FIXTURE_VARIANT_ADD(last, recv) { run_recv };
FIXTURE_VARIANT_ADD(last, read) { run_read };
FIXTURE_VARIANT_ADD(last, recv_fd) { run_recv_fd };

FIXTURE_SETUP(last)
{
	self->run = variant->run;
	self->is_context = variant->run == run_recv_fd;
}

FIXTURE_TEARDOWN(last)
{
}

static void race_last_words(void *data)
{
	FIXTURE_DATA(last) *self = data;

	if (self->is_context)
		ctxfd_send_fd(self->fds[1], ctxfd_background());
	else
		send(self->fds[1], &byte, 1, 0);
	close(self->fds[1]);
}

static void race_hear(void *data)
{
	FIXTURE_DATA(last) *self = data;

	self->call.fd = self->fds[0];
	self->call.ret = self->run(&self->call);
}

TEST_F_TIMEOUT(last, words_before_the_end_are_heard, 300)
{
	struct race race;

	self->call.ctx = new_root();
	ASSERT_TRUE(race_start(&race, self, race_hear, race_last_words));
	for (unsigned int i = 0; i < rounds(5000); i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->fds));
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(1, self->call.ret);
		close(self->fds[0]);
	}
	race_stop(&race);
}

TEST_HARNESS_MAIN
