// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context in io_uring: a read of it, which ends when it is cancelled and says why. */
#include <ctxfd.h>
#include <err.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TICK, CANCELLED };

static struct io_uring ring;

static struct io_uring_sqe *new_request(__u64 what)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe)
		errx(1, "the ring is full");
	io_uring_sqe_set_data64(sqe, what);
	return sqe;
}

static void request_tick(void)
{
	static struct __kernel_timespec interval = { .tv_nsec = 100000000 };

	io_uring_prep_timeout(new_request(TICK), &interval, 0, 0);
}

static void check(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, strerror(-result));
}

/* Returns the result of what ends next, and which it is. */
static int wait_for_one(__u64 *what)
{
	struct io_uring_cqe *cqe;
	int result;

	check(io_uring_submit(&ring), "io_uring_submit");
	do
		result = io_uring_wait_cqe(&ring, &cqe);
	while (result == -EINTR);
	check(result, "io_uring_wait_cqe");
	result = cqe->res;
	*what = io_uring_cqe_get_data64(cqe);
	io_uring_cqe_seen(&ring, cqe);
	return result;
}

int main(void)
{
	int parent = ctxfd_from_env();
	int ctx = parent < 0 ? -1 : ctxfd_with_timeout(parent, &(struct timespec){ 60, 0 });
	struct ctx_event event = {};
	int result;
	__u64 what;

	if (ctx < 0)
		err(1, "no context");
	setlinebuf(stdout);

	check(io_uring_queue_init(4, &ring, 0), "io_uring_queue_init");
	io_uring_prep_read(new_request(CANCELLED), ctx, &event, sizeof(event), 0);
	request_tick();
	while (result = wait_for_one(&what), what == TICK) {
		puts("tick");
		request_tick();
	}
	check(result, "read of the context");
	printf("stops: %s: %s\n", strerror((int)event.err), strerror(event.cause));
	io_uring_queue_exit(&ring);
	close(ctx);
	return 0;
}
