// SPDX-License-Identifier: GPL-2.0-only
/*
 * The samples that wait for a context in an event loop. Each is started below
 * a context, in CTX_FD, and prints "tick" while it works and at its end the line
 * that says why. They are looked for in the folder samples.
 */
#include "ctx_selftest.h"
#include <ctxfd.h>
#include <sys/un.h>

/* Time for a program that loads much, on a slow machine. */
#define SECONDS		120

FIXTURE(integration)
{
	char sock_path[32];
	pid_t server;
	pid_t pid;
	int out;
};

FIXTURE_VARIANT(integration)
{
	const char *program;
	bool is_client;
};

FIXTURE_VARIANT_ADD(integration, epoll) { .program = "epoll" };
FIXTURE_VARIANT_ADD(integration, libuv) { .program = "libuv" };
FIXTURE_VARIANT_ADD(integration, libevent) { .program = "libevent" };
FIXTURE_VARIANT_ADD(integration, glib) { .program = "glib" };
FIXTURE_VARIANT_ADD(integration, sd_event) { .program = "sd_event" };
FIXTURE_VARIANT_ADD(integration, liburing) { .program = "liburing" };
FIXTURE_VARIANT_ADD(integration, libcurl) { .program = "libcurl", .is_client = true };
FIXTURE_VARIANT_ADD(integration, asyncio) { .program = "ctx_asyncio.py" };

/* Answers one request, without end. Returns 0 once the client has gone. */
static int serve(int listener)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\n\r\ntick\n";
	char request[1024];
	size_t got = 0;
	ssize_t n;
	int sock = accept(listener, NULL, NULL);

	if (sock < 0)
		return 1;
	do {
		n = read(sock, request + got, sizeof(request) - 1 - got);
		if (n <= 0)
			return 1;
		got += n;
		request[got] = '\0';
	} while (!strstr(request, "\r\n\r\n"));
	if (write(sock, answer, sizeof(answer) - 1) != sizeof(answer) - 1)
		return 1;
	return read(sock, request, 1) != 0;
}

FIXTURE_SETUP(integration)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener;

	self->pid = self->server = -1;
	if (!variant->is_client)
		return;
	snprintf(self->sock_path, sizeof(self->sock_path), "/tmp/integration.%d", getpid());
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", self->sock_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(listener, 1));
	self->server = ctx_fork();
	ASSERT_LE(0, self->server);
	if (!self->server)
		_exit(serve(listener));
	close(listener);
}

/* The server has seen that the client closed the connection. */
FIXTURE_TEARDOWN(integration)
{
	if (self->server < 0)
		return;
	if (!_metadata->passed)
		kill(self->server, SIGKILL);
	check_child(self->server);
	unlink(self->sock_path);
}

/* Starts the program below @watch. Returns what it prints to, or -1. */
static int start(pid_t *pid, int watch, const char *program, const char *sock_path)
{
	char path[64];
	int out[2];

	if (pipe2(out, O_CLOEXEC))
		return -1;
	snprintf(path, sizeof(path), "samples/%s", program);
	*pid = ctx_fork();
	if (!*pid) {
		dup2(out[1], STDOUT_FILENO);
		if (!ctxfd_to_env(watch))
			execl(path, path, *sock_path ? "http://localhost/" : NULL, sock_path, NULL);
		perror(path);
		_exit(127);
	}
	close(out[1]);
	return *pid < 0 ? -1 : out[0];
}

/* The next line of @fd, without its end; "" at the end and where none comes. */
static const char *next_line(int fd)
{
	static char line[256];
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t got = 0;

	while (got < sizeof(line) - 1) {
		if (poll(&pfd, 1, SECONDS * 1000 / 2) <= 0 || read(fd, line + got, 1) != 1)
			break;
		if (line[got] == '\n')
			break;
		got++;
	}
	line[got] = '\0';
	return line;
}

#define check_works_under(watch) ({					\
	self->out = start(&self->pid, (watch), variant->program,	\
			  self->sock_path);				\
	ASSERT_LE(0, self->out);					\
	ASSERT_STREQ("tick", next_line(self->out));			\
})

#define check_stops(why) ({						\
	const char *__line = next_line(self->out);			\
									\
	while (!strcmp(__line, "tick"))					\
		__line = next_line(self->out);				\
	EXPECT_STREQ("stops: " why, __line);				\
	EXPECT_STREQ("", next_line(self->out));				\
	check_child(self->pid);						\
})

TEST_F_TIMEOUT(integration, stops_when_cancelled_by_another, SECONDS)
{
	int ctx = ctxfd_with_cancel(ctxfd_background());

	check_works_under(ctxfd_watch(ctx));
	ASSERT_EQ(0, ctxfd_cancel_cause(ctx, EDQUOT, NULL));
	check_stops("Operation canceled: Disk quota exceeded");
}

/* The deadline is set when the program is at work, however long that took. */
TEST_F_TIMEOUT(integration, stops_at_the_deadline, SECONDS)
{
	int ctx = ctxfd_with_cancel(ctxfd_background());

	check_works_under(ctxfd_watch(ctx));
	ASSERT_EQ(0, ctxfd_set_timeout(ctx, &(struct timespec){ .tv_nsec = 20000000 }));
	check_stops("Connection timed out: Connection timed out");
}

TEST_F_TIMEOUT(integration, stops_when_the_owner_is_killed, SECONDS)
{
	int sock[2], watch;
	pid_t owner;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	in_child(owner) {
		int ctx = ctxfd_with_cancel(ctxfd_background());

		ASSERT_EQ(0, ctxfd_send_fd(sock[1], ctxfd_watch(ctx)));
		pause();
	}
	watch = ctxfd_recv_fd(sock[0]);
	check_works_under(watch);
	ASSERT_EQ(0, kill(owner, SIGKILL));
	check_stops("Operation canceled: Owner died");
}

/* The program of README.md, which makes a context of its own. Returns once its worker is there. */
static int start_hello(pid_t *pid)
{
	int out = start(pid, ctxfd_background(), "hello", "");
	char path[64], worker[16];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", *pid, *pid);
	for (int ms = 0; n <= 0 && ms < SECONDS * 1000 / 2; ms++) {
		usleep(1000);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = read(fd, worker, sizeof(worker));
		close(fd);
	}
	return n > 0 ? out : -1;
}

TEST(hello_stops_when_its_owner_is_killed)
{
	pid_t pid;
	int out = start_hello(&pid);

	ASSERT_LE(0, out);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_STREQ("worker stops: Operation canceled: Owner died", next_line(out));
	EXPECT_STREQ("", next_line(out));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

/* Its minute is over at once. */
TEST(hello_stops_at_its_deadline)
{
	int pidfd, fd, moved = 0;
	pid_t pid;
	int out = start_hello(&pid);

	ASSERT_LE(0, out);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	for (int i = 0; i < 16; i++) {
		fd = syscall(SYS_pidfd_getfd, pidfd, i, 0);
		if (fd >= 0 && !ctxfd_set_timeout(fd, &(struct timespec){}))
			moved++;
	}
	EXPECT_EQ(1, moved);
	EXPECT_STREQ("worker stops: Connection timed out: Connection timed out", next_line(out));
	check_child(pid);
}

TEST_HARNESS_MAIN
