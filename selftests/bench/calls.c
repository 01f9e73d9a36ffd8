// SPDX-License-Identifier: GPL-2.0-only
/* What single calls cost, where nobody waits. */
#include "bench.h"

#include <poll.h>
#include <sys/mman.h>

#define CALLS	4000

static int top;

/* create: a child and its end */

static void ctx_create(void)
{
	close(bench_child(top));
}

static double take_ctx_create(void)
{
	top = bench_root();
	return bench_per_call(CALLS, ctx_create);
}

static void peer_create(void)
{
	close(bench_eventfd());
}

static double take_peer_create(void)
{
	return bench_per_call(CALLS, peer_create);
}

/* What there is no way round: a descriptor that does nothing. */
static void plain_create(void)
{
	close(bench_plain());
}

static double take_plain_create(void)
{
	return bench_per_call(CALLS, plain_create);
}

/* create-timeout: the same with a timeout that is far */

static void ctx_create_timeout(void)
{
	close(bench_timeout(top, HOUR));
}

static double take_ctx_create_timeout(void)
{
	top = bench_root();
	return bench_per_call(CALLS, ctx_create_timeout);
}

static void peer_create_timeout(void)
{
	close(bench_timerfd(0, HOUR));
}

static double take_peer_create_timeout(void)
{
	return bench_per_call(CALLS, peer_create_timeout);
}

/* request: what a server does for each request, which carries the name of who asks */

static const char key[] = "user", user[] = "alice@example.org";

static void check_idle(struct pollfd *fds, int nr)
{
	if (poll(fds, nr, 0))
		errx(1, "poll finds an event");
}

static void ctx_request(void)
{
	struct ctx_value value = {
		.key = (uintptr_t)key,
		.data = (uintptr_t)user,
		.size = sizeof(user),
	};
	struct ctx_create_args args = {
		.flags = CTX_CREATE_TIMEOUT,
		.fd_flags = CTX_CLOEXEC,
		.deadline = HOUR,
		.clockid = CLOCK_MONOTONIC,
		.nr_values = 1,
		.values = (uintptr_t)&value,
	};
	struct pollfd fds = { .events = POLLIN };

	fds.fd = must(ioctl(top, CTX_IOC_CREATE, &args));
	check_idle(&fds, 1);
	bench_cancel_now(fds.fd);
	close(fds.fd);
}

static double take_ctx_request(void)
{
	top = bench_root();
	return bench_per_call(CALLS, ctx_request);
}

struct request {
	struct pollfd	fds[2];
	char		*key;
	char		*user;
};

static void peer_request(void)
{
	struct request *request = calloc(1, sizeof(*request));

	request->key = strdup(key);
	request->user = strdup(user);
	request->fds[0] = (struct pollfd){ .fd = bench_eventfd(), .events = POLLIN };
	request->fds[1] = (struct pollfd){ .fd = bench_timerfd(0, HOUR), .events = POLLIN };
	check_idle(request->fds, 2);
	bench_write(request->fds[0].fd);
	close(request->fds[0].fd);
	close(request->fds[1].fd);
	free(request->user);
	free(request->key);
	free(request);
}

static double take_peer_request(void)
{
	return bench_per_call(CALLS, peer_request);
}

static void plain_request(void)
{
	struct pollfd fds = { .fd = bench_plain(), .events = POLLIN };

	check_idle(&fds, 1);
	must(ioctl(fds.fd, FIONCLEX));
	close(fds.fd);
}

static double take_plain_request(void)
{
	return bench_per_call(CALLS, plain_request);
}

/* poll-idle: at depth 4 */

static struct pollfd idle = { .events = POLLIN };

static void poll_idle(void)
{
	check_idle(&idle, 1);
}

static double take_ctx_poll_idle(void)
{
	int n;

	idle.fd = bench_root();
	for (n = 0; n < 4; n++)
		idle.fd = bench_child(idle.fd);
	return bench_per_call(CALLS, poll_idle);
}

static double take_peer_poll_idle(void)
{
	idle.fd = bench_eventfd();
	return bench_per_call(CALLS, poll_idle);
}

/* A file that has nothing to say to poll */
static double take_plain_poll_idle(void)
{
	idle = (struct pollfd){ .fd = must(memfd_create("", 0)), .events = POLLPRI };
	return bench_per_call(CALLS, poll_idle);
}

const struct bench_row bench_calls[] = {
	{ "create", take_ctx_create, take_peer_create, take_plain_create },
	{ "create-timeout", take_ctx_create_timeout, take_peer_create_timeout, take_plain_create },
	{ "request", take_ctx_request, take_peer_request, take_plain_request },
	{ "poll-idle", take_ctx_poll_idle, take_peer_poll_idle, take_plain_poll_idle },
	{},
};
