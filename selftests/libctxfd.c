// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library: what each function makes of its arguments, and what it adds to
 * the system call below it. What the kernel does is tested elsewhere.
 *
 * Each test is a process of its own, in which nobody has called the library.
 */
#include "libctxfd.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD	76	/* since 6.5 */
#endif

/* ctxfd_background() */

TEST(background_is_opened_once)
{
	int fds = ctx_nr_fds();
	int fd = ctxfd_background();

	ASSERT_LE(0, fd);
	EXPECT_EQ(fd, ctxfd_background());
	EXPECT_EQ(fds + 1, ctx_nr_fds());
	check_cloexec(fd);
}

TEST(background_is_no_context_that_ends)
{
	struct ctx_info info;

	memset(&info, 0xa5, sizeof(info));
	EXPECT_EQ(0, ctxfd_info(ctxfd_background(), &info));
	EXPECT_EQ(0, info.id);
	EXPECT_EQ(0, ctxfd_err(ctxfd_background()));
	EXPECT_EQ(0, ctxfd_deadline(ctxfd_background(), NULL));
	EXPECT_EQ(0, ctxfd_wait(ctxfd_background(), MSEC(10)));
}

TEST(background_that_failed_to_open_is_tried_again)
{
	int last = use_up_descriptors();

	ASSERT_LE(0, last);
	check_errno(EMFILE, ctxfd_background());
	close(last);
	EXPECT_EQ(last, ctxfd_background());
}

TEST(background_is_inherited_by_fork)
{
	int fd = ctxfd_background();
	pid_t pid;

	ASSERT_LE(0, fd);
	in_child(pid) {
		EXPECT_EQ(fd, ctxfd_background());
		EXPECT_LE(0, new_root());
	}
	check_child(pid);
}

#define RACERS	4

static pthread_barrier_t start;

static void *race_to_background(void *arg)
{
	int *fd = arg;

	pthread_barrier_wait(&start);
	*fd = ctxfd_background();
	return NULL;
}

TEST(background_is_opened_once_by_racing_threads)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + 5 * NSEC_PER_SEC;

	/* Once in a process, so that each round is one; fewer where that is slow. */
	for (int round = 0; round < 100 && ctx_clock(CLOCK_MONOTONIC) < end; round++) {
		pid_t pid;

		in_child(pid) {
			pthread_t threads[RACERS];
			int fds[RACERS], before;

			ASSERT_EQ(0, pthread_barrier_init(&start, NULL, RACERS));
			before = ctx_nr_fds();
			for (int i = 0; i < RACERS; i++)
				ASSERT_EQ(0, pthread_create(&threads[i], NULL,
							    race_to_background, &fds[i]));
			for (int i = 0; i < RACERS; i++)
				ASSERT_EQ(0, ctx_thread_join(threads[i]));
			for (int i = 0; i < RACERS; i++)
				EXPECT_EQ(ctxfd_background(), fds[i]);
			EXPECT_EQ(before + 1, ctx_nr_fds());
		}
		check_child(pid);
	}
}

/* New contexts */

TEST(create_passes_on_all_arguments)
{
	struct ctx_create_args args = {
		.flags = CTX_CREATE_DETACHED,
		.fd_flags = CTX_NONBLOCK,
		.name = "library",
	};
	struct ctx_event event;
	struct ctx_info info;
	int ctx;

	ctx = ctxfd_create(ctxfd_background(), &args);
	ASSERT_LE(0, ctx);
	ASSERT_EQ(0, ctxfd_info(ctx, &info));
	EXPECT_EQ(CTX_CREATE_DETACHED, info.flags);
	EXPECT_STREQ("library", info.name);
	check_errno(EAGAIN, read(ctx, &event, sizeof(event)));
}

TEST(create_sets_close_on_exec_and_leaves_the_arguments_alone)
{
	struct ctx_create_args args = {}, before = args;
	int ctx = ctxfd_create(ctxfd_background(), &args);

	ASSERT_LE(0, ctx);
	check_cloexec(ctx);
	EXPECT_EQ(0, memcmp(&before, &args, sizeof(args)));
}

TEST(create_passes_on_errors)
{
	struct ctx_create_args args = { .flags = ~0U };

	check_errno(EINVAL, ctxfd_create(ctxfd_background(), &args));
	check_errno(EFAULT, ctxfd_create(ctxfd_background(), NULL));
	args.flags = 0;
	check_errno(EBADF, ctxfd_create(-1, &args));
	check_errno(ENOTTY, ctxfd_create(STDIN_FILENO, &args));
}

TEST(with_cancel_makes_a_child)
{
	int root = new_root(), child = ctxfd_with_cancel(root);
	struct ctx_info info;

	ASSERT_EQ(0, ctxfd_info(child, &info));
	EXPECT_EQ(ctx_id(root), info.parent_id);
	EXPECT_EQ(0, info.deadline);
	check_cloexec(child);
	EXPECT_EQ(0, ctxfd_cancel(child));
	EXPECT_EQ(0, ctxfd_err(root));
}

TEST(with_timeout_counts_from_now)
{
	__u64 before = ctx_clock(CLOCK_MONOTONIC);
	int ctx = ctxfd_with_timeout(ctxfd_background(), SEC(3600));
	__u64 after = ctx_clock(CLOCK_MONOTONIC);
	struct ctx_info info;

	ASSERT_EQ(0, ctxfd_info(ctx, &info));
	EXPECT_LE(before + HOUR, info.deadline);
	EXPECT_GE(after + HOUR, info.deadline);
	check_cloexec(ctx);
}

TEST(with_timeout_ends_the_context)
{
	int ctx = ctxfd_with_timeout(ctxfd_background(), MSEC(20));

	EXPECT_EQ(1, ctxfd_wait(ctx, LONG));
	check_cancelled(ctx, ETIMEDOUT, ETIMEDOUT, ctx_id(ctx));
}

TEST(with_timeout_of_zero_is_created_cancelled)
{
	EXPECT_EQ(ETIMEDOUT, ctxfd_err(ctxfd_with_timeout(ctxfd_background(), PASSED)));
}

TEST(with_timeout_beyond_the_clock_never_comes)
{
	const struct timespec *beyond[] = {
		NULL, BEYOND, SEC(INT64_MAX), SEC(INT64_MAX / 1000000000),
		/* times 10^9 this is 2^64 + 290448384, which must not wrap */
		SEC(18446744074),
	};

	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
		int ctx = ctxfd_with_timeout(ctxfd_background(), beyond[i]);

		ASSERT_LE(0, ctx) TH_LOG("row %zu: %m", i);
		EXPECT_EQ(0, ctxfd_err(ctx));
		EXPECT_EQ(0, ctxfd_deadline(ctx, NULL)) TH_LOG("row %zu", i);
	}
}

TEST(with_deadline_reads_the_clock_it_is_given)
{
	const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct timespec deadline;
		int ctx;

		ASSERT_EQ(0, clock_gettime(clocks[i], &deadline));
		ctx = ctxfd_with_deadline(ctxfd_background(), clocks[i], &deadline);
		EXPECT_EQ(ETIMEDOUT, ctxfd_err(ctx));
		deadline.tv_sec += 3600;
		ctx = ctxfd_with_deadline(ctxfd_background(), clocks[i], &deadline);
		EXPECT_EQ(0, ctxfd_err(ctx));
		EXPECT_EQ(1, ctxfd_deadline(ctx, NULL));
		check_cloexec(ctx);
	}
}

TEST(with_deadline_null_has_none)
{
	int ctx = ctxfd_with_deadline(ctxfd_background(), CLOCK_REALTIME, NULL);

	EXPECT_EQ(0, ctxfd_err(ctx));
	EXPECT_EQ(0, ctxfd_deadline(ctx, NULL));
}

/* The kernel takes 0 for none; a caller who says when has not said never. */
TEST(deadline_at_the_start_of_the_clock_has_passed)
{
	int ctx = new_root();

	EXPECT_EQ(ETIMEDOUT, ctxfd_err(ctxfd_with_deadline(ctx, CLOCK_MONOTONIC, PASSED)));
	EXPECT_EQ(ETIMEDOUT, ctxfd_err(ctxfd_with_deadline(ctx, CLOCK_REALTIME, PASSED)));
	EXPECT_EQ(0, ctxfd_set_deadline(ctx, CLOCK_REALTIME, PASSED));
	EXPECT_EQ(ETIMEDOUT, ctxfd_err(ctx));
}

TEST(deadline_beyond_the_clock_is_refused)
{
	int ctx = new_root();

	check_refused(ctx, EINVAL, ctxfd_with_deadline(ctx, CLOCK_REALTIME, BEYOND));
	check_refused(ctx, EINVAL, ctxfd_with_deadline(ctx, CLOCK_REALTIME, SEC(18446744074)));
	check_refused(ctx, EINVAL, ctxfd_set_deadline(ctx, CLOCK_MONOTONIC, BEYOND));
	check_refused(ctx, EINVAL, ctxfd_with_deadline(ctx, CLOCK_TAI, LONG));
	check_refused(ctx, EINVAL, ctxfd_set_deadline(ctx, CLOCK_TAI, LONG));
}

TEST(times_that_are_none_are_refused)
{
	int ctx = new_root();

	for (size_t i = 0; i < ARRAY_SIZE(bad_times); i++) {
		const struct timespec *bad = &bad_times[i];

		check_refused(ctx, EINVAL, ctxfd_with_timeout(ctx, bad));
		check_refused(ctx, EINVAL, ctxfd_with_deadline(ctx, CLOCK_MONOTONIC, bad));
		check_refused(ctx, EINVAL, ctxfd_set_timeout(ctx, bad));
		check_refused(ctx, EINVAL, ctxfd_set_deadline(ctx, CLOCK_MONOTONIC, bad));
		check_refused(ctx, EINVAL, ctxfd_wait(ctx, bad));
	}
}

TEST(watch_waits_and_asks_but_cannot_cancel)
{
	int ctx = new_root(), watch = ctxfd_watch(ctx), child;

	ASSERT_LE(0, watch);
	check_cloexec(watch);
	check_refused(watch, EBADF, ctxfd_cancel(watch));
	check_refused(watch, EBADF, ctxfd_set_timeout(watch, PASSED));
	check_refused(watch, EBADF, ctxfd_set_deadline(watch, CLOCK_REALTIME, NULL));
	child = ctxfd_with_cancel(watch);
	EXPECT_EQ(0, ctxfd_wait(watch, PASSED));

	EXPECT_EQ(0, ctxfd_cancel(ctx));
	EXPECT_EQ(1, ctxfd_wait(watch, PASSED));
	EXPECT_EQ(ECANCELED, ctxfd_err(watch));
	EXPECT_EQ(ECANCELED, ctxfd_err(child));
	check_errno(EBADF, ctxfd_watch(-1));
}

TEST(watch_only_waits_and_asks_but_is_no_parent)
{
	int ctx = new_root(), only = ctxfd_watch_only(ctx), again;

	ASSERT_LE(0, only);
	check_cloexec(only);
	check_refused(only, EBADF, ctxfd_cancel(only));
	check_refused(only, EPERM, ctxfd_with_cancel(only));
	check_refused(only, EPERM, ctxfd_merge((int[]){ ctx, only }, 2));
	check_refused(only, EPERM, ctxfd_watch(only));
	again = ctxfd_watch_only(only);
	ASSERT_LE(0, again);
	check_refused(again, EPERM, ctxfd_with_cancel(again));
	EXPECT_EQ(0, ctxfd_wait(only, PASSED));

	EXPECT_EQ(0, ctxfd_cancel(ctx));
	EXPECT_EQ(1, ctxfd_wait(only, PASSED));
	EXPECT_EQ(ECANCELED, ctxfd_err(again));
	check_errno(EBADF, ctxfd_watch_only(-1));
	check_errno(ENOTTY, ctxfd_watch_only(STDIN_FILENO));
}

/* The end of a context */

TEST(cancel_tells_whether_it_was_the_first)
{
	int ctx = new_root();

	EXPECT_EQ(0, ctxfd_cancel(ctx));
	EXPECT_EQ(1, ctxfd_cancel(ctx));
	EXPECT_EQ(1, ctxfd_cancel_cause(ctx, EIO, "late"));
	check_cancelled(ctx, ECANCELED, ECANCELED, ctx_id(ctx));
	check_message(ctx, "");
	check_errno(EBADF, ctxfd_cancel(-1));
	check_errno(ENOTTY, ctxfd_cancel(STDIN_FILENO));
}

TEST(cancel_cause_is_seen_below)
{
	int ctx = new_root(), child = ctxfd_with_cancel(ctx);

	EXPECT_EQ(0, ctxfd_cancel_cause(ctx, ENOSPC, "the disk is full"));
	check_cancelled(child, ECANCELED, ENOSPC, ctx_id(ctx));
	check_message(child, "the disk is full");
}

TEST(cancel_cause_needs_no_message)
{
	int ctx = new_root();

	EXPECT_EQ(0, ctxfd_cancel_cause(ctx, 4711, NULL));
	check_cancelled(ctx, ECANCELED, 4711, ctx_id(ctx));
	check_message(ctx, "");
}

TEST(cancel_cause_refuses_what_does_not_fit)
{
	char message[CTX_MESSAGE_MAX + 2];
	int ctx = new_root();

	memset(message, 'm', sizeof(message));
	message[CTX_MESSAGE_MAX + 1] = '\0';
	check_refused(ctx, EINVAL, ctxfd_cancel_cause(ctx, EIO, message));
	check_refused(ctx, EINVAL, ctxfd_cancel_cause(ctx, -1, NULL));

	message[CTX_MESSAGE_MAX] = '\0';
	EXPECT_EQ(0, ctxfd_cancel_cause(ctx, EIO, message));
	check_message(ctx, message);
}

TEST(set_timeout_moves_the_deadline)
{
	int ctx = ctxfd_with_timeout(ctxfd_background(), SEC(3600));

	EXPECT_EQ(0, ctxfd_set_timeout(ctx, MSEC(20)));
	EXPECT_EQ(1, ctxfd_wait(ctx, LONG));
	EXPECT_EQ(ETIMEDOUT, ctxfd_err(ctx));
	check_errno(ECANCELED, ctxfd_set_timeout(ctx, SEC(3600)));
	check_errno(ECANCELED, ctxfd_set_deadline(ctx, CLOCK_MONOTONIC, NULL));
}

TEST(set_deadline_moves_the_deadline)
{
	int ctx = ctxfd_with_timeout(ctxfd_background(), SEC(3600));
	struct timespec at, seen;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += 7200;
	EXPECT_EQ(0, ctxfd_set_deadline(ctx, CLOCK_MONOTONIC, &at));
	EXPECT_EQ(1, ctxfd_deadline(ctx, &seen));
	EXPECT_EQ(at.tv_sec, seen.tv_sec);
	EXPECT_EQ(at.tv_nsec, seen.tv_nsec);
}

TEST(null_removes_the_deadline)
{
	int ctx = ctxfd_with_timeout(ctxfd_background(), SEC(3600));

	EXPECT_EQ(0, ctxfd_set_timeout(ctx, NULL));
	EXPECT_EQ(0, ctxfd_deadline(ctx, NULL));
	EXPECT_EQ(0, ctxfd_set_timeout(ctx, SEC(3600)));
	EXPECT_EQ(1, ctxfd_deadline(ctx, NULL));
	EXPECT_EQ(0, ctxfd_set_deadline(ctx, CLOCK_REALTIME, NULL));
	EXPECT_EQ(0, ctxfd_deadline(ctx, NULL));
	EXPECT_EQ(0, ctxfd_err(ctx));
}

/* Questions */

TEST(err_tells_what_is_no_context)
{
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(1, write(pipes[1], "", 1));
	check_errno(ENOTTY, ctxfd_err(pipes[0]));
	check_errno(ENOTTY, ctxfd_wait(pipes[0], NULL));
	check_errno(ENOTTY, ctxfd_deadline(pipes[0], NULL));
	check_errno(EBADF, ctxfd_err(-1));
	check_errno(EBADF, ctxfd_wait(-1, NULL));
	check_errno(EFAULT, ctxfd_info(new_root(), NULL));
}

TEST(deadline_is_the_earliest_on_the_monotonic_clock)
{
	int root = new_root(), child, grandchild;
	struct timespec deadline = { .tv_sec = 4711 };
	__u64 before, after, seen;

	EXPECT_EQ(0, ctxfd_deadline(root, &deadline));
	EXPECT_EQ(4711, deadline.tv_sec);

	before = ctx_clock(CLOCK_MONOTONIC);
	child = ctxfd_with_timeout(root, SEC(3600));
	after = ctx_clock(CLOCK_MONOTONIC);
	grandchild = ctxfd_with_timeout(child, SEC(7200));
	EXPECT_EQ(1, ctxfd_deadline(grandchild, &deadline));
	seen = deadline.tv_sec * NSEC_PER_SEC + deadline.tv_nsec;
	EXPECT_LE(before + HOUR, seen);
	EXPECT_GE(after + HOUR, seen);
	EXPECT_GT(1000000000, deadline.tv_nsec);
}

/* ctxfd_wait() */

static long call_wait(struct caller *caller)
{
	return ctxfd_wait(caller->ctx, caller->timeout);
}

TEST(wait_returns_one_once_cancelled)
{
	struct caller ever = { call_wait, .ctx = new_root() };
	struct caller long_enough = { call_wait, .ctx = ctxfd_watch(ever.ctx), .timeout = LONG };
	struct caller past_time = { call_wait, .ctx = ctxfd_with_cancel(ever.ctx), .timeout = BEYOND };

	ASSERT_EQ(0, caller_start(&ever));
	ASSERT_EQ(0, caller_start(&long_enough));
	ASSERT_EQ(0, caller_start(&past_time));
	EXPECT_EQ(0, ctxfd_cancel(ever.ctx));
	ASSERT_EQ(0, ctx_thread_join(ever.thread));
	ASSERT_EQ(0, ctx_thread_join(long_enough.thread));
	ASSERT_EQ(0, ctx_thread_join(past_time.thread));
	EXPECT_EQ(1, ever.ret);
	EXPECT_EQ(1, long_enough.ret);
	EXPECT_EQ(1, past_time.ret);
}

TEST(wait_returns_zero_where_the_time_passes_first)
{
	int ctx = new_root();
	__u64 start = ctx_clock(CLOCK_MONOTONIC);

	EXPECT_EQ(0, ctxfd_wait(ctx, PASSED));
	EXPECT_EQ(0, ctxfd_wait(ctx, MSEC(50)));
	EXPECT_LE(start + 50 * NSEC_PER_MSEC, ctx_clock(CLOCK_MONOTONIC));
	EXPECT_EQ(0, ctxfd_err(ctx));
}

TEST(wait_looks_before_it_counts)
{
	int ctx = new_root();

	EXPECT_EQ(0, ctxfd_cancel(ctx));
	EXPECT_EQ(1, ctxfd_wait(ctx, PASSED));
	EXPECT_EQ(1, ctxfd_wait(ctx, NULL));
}

TEST(wait_waits_on_a_nonblocking_descriptor)
{
	struct ctx_create_args args = { .fd_flags = CTX_NONBLOCK };
	struct caller caller = { call_wait, .ctx = ctxfd_create(ctxfd_background(), &args) };

	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_EQ(0, ctxfd_cancel(caller.ctx));
	ASSERT_EQ(0, ctx_thread_join(caller.thread));
	EXPECT_EQ(1, caller.ret);
}

TEST(wait_goes_on_after_a_signal)
{
	/* SA_RESTART does not restart ppoll; without it nothing would. */
	struct caller caller = { call_wait, .ctx = new_root() };

	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&caller));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, interrupt_thread(caller.thread));
		ASSERT_EQ(0, caller_asleep(&caller));
	}
	EXPECT_EQ(0, ctxfd_cancel(caller.ctx));
	ASSERT_EQ(0, ctx_thread_join(caller.thread));
	EXPECT_EQ(1, caller.ret);
}

/*
 * Interrupted more often than it is long: were each signal to start the time
 * anew, it would never end, and the test's own time would.
 */
TEST(wait_takes_no_more_time_for_signals)
{
	struct caller caller = { call_wait, .ctx = new_root(), .timeout = MSEC(300) };

	if (under_valgrind())
		SKIP(return, "valgrind hands signals on too late");
	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&caller));
	check_outlasts_signals(&caller, 300 * NSEC_PER_MSEC);
	EXPECT_LT(0, nr_signals);
}

/* Over sockets */

static const int socket_types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

/* Sends @len bytes with @n copies of @fd, as another program might. */
static int send_raw(int sock, size_t len, int fd, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(253 * sizeof(int))];
	} control = {};
	char data[16] = {};
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (n) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (size_t i = 0; i < n; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(int));
	}
	return sendmsg(sock, &msg, 0) == (ssize_t)len ? 0 : -1;
}

FIXTURE(pass) {
	int ctx;
	int sock[2];
};

FIXTURE_SETUP(pass)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->sock));
}

FIXTURE_TEARDOWN(pass)
{
	close(self->ctx);
	close(self->sock[0]);
	close(self->sock[1]);
}

TEST_F(pass, context_arrives_over_every_type_of_socket)
{
	for (size_t i = 0; i < ARRAY_SIZE(socket_types); i++) {
		int sock[2], got;

		ASSERT_EQ(0, socketpair(AF_UNIX, socket_types[i], 0, sock));
		EXPECT_EQ(0, ctxfd_send_fd(sock[0], self->ctx));
		got = ctxfd_recv_fd(sock[1]);
		ASSERT_LE(0, got);
		EXPECT_NE(self->ctx, got);
		EXPECT_EQ(ctx_id(self->ctx), ctx_id(got));
		check_cloexec(got);
		close(sock[0]);
		close(sock[1]);
	}
}

TEST_F(pass, contexts_arrive_one_by_one_in_order)
{
	int other = new_root();

	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], self->ctx));
	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], other));
	EXPECT_EQ(ctx_id(self->ctx), ctx_id(ctxfd_recv_fd(self->sock[1])));
	EXPECT_EQ(ctx_id(other), ctx_id(ctxfd_recv_fd(self->sock[1])));
}

TEST_F(pass, watch_descriptor_arrives_read_only)
{
	int got;

	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], ctxfd_watch(self->ctx)));
	got = ctxfd_recv_fd(self->sock[1]);
	check_errno(EBADF, ctxfd_cancel(got));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	EXPECT_EQ(1, ctxfd_wait(got, PASSED));
}

TEST_F(pass, background_arrives)
{
	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], ctxfd_background()));
	EXPECT_LE(0, ctxfd_with_cancel(ctxfd_recv_fd(self->sock[1])));
}

TEST_F(pass, send_refuses_what_is_no_context)
{
	char byte;

	check_errno(ENOTTY, ctxfd_send_fd(self->sock[0], self->sock[0]));
	check_errno(EBADF, ctxfd_send_fd(self->sock[0], -1));
	check_errno(EAGAIN, recv(self->sock[1], &byte, 1, MSG_DONTWAIT));
}

TEST_F(pass, send_to_nobody_gives_epipe_and_no_signal)
{
	close(self->sock[1]);
	check_errno(EPIPE, ctxfd_send_fd(self->sock[0], self->ctx));
}

TEST_F(pass, recv_from_nobody_gives_econnreset)
{
	close(self->sock[0]);
	check_errno(ECONNRESET, ctxfd_recv_fd(self->sock[1]));
}

TEST_F(pass, recv_does_not_wait_on_a_nonblocking_socket)
{
	ASSERT_EQ(0, fcntl(self->sock[1], F_SETFL, O_NONBLOCK));
	check_errno(EAGAIN, ctxfd_recv_fd(self->sock[1]));
}

static long call_recv_fd(struct caller *caller)
{
	return ctxfd_recv_fd(caller->fd);
}

TEST_F(pass, recv_goes_on_after_a_signal)
{
	struct caller caller = {
		.call = call_recv_fd,
		.syscall = SYS_recvmsg,
		.fd = self->sock[1],
	};

	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&caller));
	ASSERT_EQ(0, interrupt_thread(caller.thread));
	ASSERT_EQ(0, caller_asleep(&caller));
	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], self->ctx));
	ASSERT_EQ(0, ctx_thread_join(caller.thread));
	EXPECT_EQ(ctx_id(self->ctx), ctx_id(caller.ret));
}

/* Each is used up by the refusal: the context behind it arrives. */
TEST_F(pass, recv_rejects_what_is_not_one_context)
{
	static const struct {
		size_t n;
		bool context;
	} rows[] = {
		{ 0, false },		/* only a byte */
		{ 1, false },		/* a descriptor that is no context */
		{ 2, true },		/* one too many, for which there is room */
		{ 253, true },		/* and for which there is none */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = rows[i].context ? self->ctx : STDIN_FILENO;
		int fds = ctx_nr_fds(), got;

		ASSERT_EQ(0, send_raw(self->sock[0], 1, fd, rows[i].n));
		EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], self->ctx));
		check_errno(EBADMSG, ctxfd_recv_fd(self->sock[1]));
		EXPECT_EQ(fds, ctx_nr_fds()) TH_LOG("row %zu leaks", i);
		got = ctxfd_recv_fd(self->sock[1]);
		EXPECT_EQ(ctx_id(self->ctx), ctx_id(got)) TH_LOG("after row %zu", i);
		close(got);
	}
}

TEST_F(pass, recv_rejects_a_longer_datagram)
{
	int sock[2], fds;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock));
	fds = ctx_nr_fds();
	ASSERT_EQ(0, send_raw(sock[0], 2, self->ctx, 1));
	check_errno(EBADMSG, ctxfd_recv_fd(sock[1]));
	EXPECT_EQ(fds, ctx_nr_fds());
}

TEST_F(pass, recv_finds_the_context_beside_credentials)
{
	int one = 1;

	ASSERT_EQ(0, setsockopt(self->sock[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], self->ctx));
	EXPECT_EQ(ctx_id(self->ctx), ctx_id(ctxfd_recv_fd(self->sock[1])));
}

TEST_F(pass, recv_closes_the_pidfd_that_comes_with_it)
{
	int one = 1, fds, got;

	if (setsockopt(self->sock[1], SOL_SOCKET, SO_PASSPIDFD, &one, sizeof(one))) {
		ASSERT_EQ(ENOPROTOOPT, errno);
		SKIP(return, "SO_PASSPIDFD came with 6.5");
	}
	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], self->ctx));
	fds = ctx_nr_fds();
	got = ctxfd_recv_fd(self->sock[1]);
	EXPECT_EQ(ctx_id(self->ctx), ctx_id(got));
	EXPECT_EQ(fds + 1, ctx_nr_fds());
}

TEST_F(pass, recv_without_room_gives_emfile)
{
	int last;

	if (under_valgrind())
		SKIP(return, "valgrind hides the limit of descriptors from the kernel");
	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], self->ctx));
	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], self->ctx));
	last = use_up_descriptors();
	ASSERT_LE(0, last);
	check_errno(EMFILE, ctxfd_recv_fd(self->sock[1]));
	close(last);
	EXPECT_EQ(last, ctxfd_recv_fd(self->sock[1]));
}

TEST_F(pass, recv_rejects_two_where_there_is_room_for_one)
{
	int last;

	ASSERT_EQ(0, send_raw(self->sock[0], 1, self->ctx, 2));
	EXPECT_EQ(0, ctxfd_send_fd(self->sock[0], self->ctx));
	last = use_up_descriptors();
	ASSERT_LE(0, last);
	close(last);
	check_errno(EBADMSG, ctxfd_recv_fd(self->sock[1]));
	EXPECT_EQ(last, ctxfd_recv_fd(self->sock[1]));
}

TEST_HARNESS_MAIN
