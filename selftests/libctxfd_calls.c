// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_poll(), ctxfd_sleep() and ctxfd_waitid(). */
#include "libctxfd.h"

/* poll and sleep */

static long call_poll(struct caller *caller)
{
	struct pollfd pfd = { .fd = caller->fd, .events = POLLIN };

	return ctxfd_poll(caller->ctx, &pfd, 1, caller->timeout);
}

static long call_sleep(struct caller *caller)
{
	return ctxfd_sleep(caller->ctx, caller->timeout);
}

FIXTURE(calls) {
	int fds[2];
	int ctx;
};

FIXTURE_SETUP(calls)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, pipe(self->fds));
}

FIXTURE_TEARDOWN(calls)
{
}

TEST_F(calls, poll_counts_what_is_ready)
{
	struct pollfd pfds[] = {
		{ .fd = self->fds[0], .events = POLLIN },
		{ .fd = self->fds[1], .events = POLLOUT },
		{ .fd = -1, .events = POLLIN, .revents = POLLERR },
		{ .fd = 4711, .events = POLLIN },
	};
	struct pollfd dead = { .fd = self->fds[0], .events = POLLIN };

	EXPECT_EQ(2, ctxfd_poll(self->ctx, pfds, 4, NULL));
	EXPECT_EQ(0, pfds[0].revents);
	EXPECT_EQ(POLLOUT, pfds[1].revents);
	EXPECT_EQ(0, pfds[2].revents);
	EXPECT_EQ(POLLNVAL, pfds[3].revents);
	/* What is ready comes before the cancellation. */
	EXPECT_EQ(2, ctxfd_poll(new_cancelled(), pfds, 4, NULL));
	check_errno(ECANCELED, ctxfd_poll(new_cancelled(), &dead, 1, PASSED));
}

TEST_F(calls, poll_waits)
{
	struct caller caller = { call_poll, .ctx = self->ctx, .fd = self->fds[0] };
	struct caller timed = { call_poll, .ctx = self->ctx, .fd = self->fds[0], .timeout = BEYOND };

	ASSERT_EQ(0, caller_start(&caller));
	ASSERT_EQ(0, caller_start(&timed));
	ASSERT_EQ(1, write(self->fds[1], "a", 1));
	check_returned(&caller, 1);
	check_returned(&timed, 1);
}

TEST_F(calls, poll_ends_with_the_context)
{
	struct caller caller = { call_poll, .ctx = self->ctx, .fd = self->fds[0] };
	struct pollfd pfd = { .fd = self->fds[0], .events = POLLIN, .revents = 99 };

	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&caller, ECANCELED);
	check_errno(ETIMEDOUT, ctxfd_poll(new_short(), &pfd, 1, NULL));
	EXPECT_EQ(99, pfd.revents);
}

TEST_F(calls, poll_returns_zero_where_the_time_passes_first)
{
	struct pollfd pfd = { .fd = self->fds[0], .events = POLLIN, .revents = 99 };
	__u64 start = ctx_clock(CLOCK_MONOTONIC);

	EXPECT_EQ(0, ctxfd_poll(self->ctx, &pfd, 1, PASSED));
	EXPECT_EQ(0, pfd.revents);
	EXPECT_EQ(0, ctxfd_poll(self->ctx, &pfd, 1, MSEC(50)));
	EXPECT_LE(start + 50 * NSEC_PER_MSEC, ctx_clock(CLOCK_MONOTONIC));
}

TEST_F(calls, poll_takes_many)
{
	const nfds_t sizes[] = { 14, 15, 16, 17, 63, 100 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pollfd pfds[100];

		for (nfds_t n = 0; n < sizes[i]; n++)
			pfds[n] = (struct pollfd){ .fd = self->fds[0], .events = POLLIN };
		pfds[sizes[i] - 1] = (struct pollfd){ .fd = self->fds[1], .events = POLLOUT };
		EXPECT_EQ(1, ctxfd_poll(self->ctx, pfds, sizes[i], NULL));
		EXPECT_EQ(POLLOUT, pfds[sizes[i] - 1].revents) TH_LOG("row %zu", i);
	}
}

TEST_F(calls, poll_refuses_what_is_wrong)
{
	struct pollfd pfds[64] = {};

	ASSERT_EQ(0, limit_descriptors(64));
	check_errno(EINVAL, ctxfd_poll(self->ctx, pfds, 64, PASSED));
	check_errno(EINVAL, ctxfd_poll(self->ctx, pfds, ~(nfds_t)0, PASSED));
	check_errno(EINVAL, ctxfd_poll(self->ctx, pfds, ~(nfds_t)0 / sizeof(*pfds), PASSED));
	check_errno(EFAULT, ctxfd_poll(self->ctx, NULL, 1, PASSED));
	check_errno(EBADF, ctxfd_poll(-1, pfds, 1, PASSED));
	check_errno(ENOTTY, ctxfd_poll(self->fds[0], pfds, 1, PASSED));
	for (size_t i = 0; i < ARRAY_SIZE(bad_times); i++)
		check_errno(EINVAL, ctxfd_poll(self->ctx, pfds, 1, &bad_times[i]));
}

TEST_F(calls, sleep_sleeps)
{
	__u64 start = ctx_clock(CLOCK_MONOTONIC);

	EXPECT_EQ(0, ctxfd_sleep(self->ctx, MSEC(50)));
	EXPECT_LE(start + 50 * NSEC_PER_MSEC, ctx_clock(CLOCK_MONOTONIC));
	EXPECT_EQ(0, ctxfd_sleep(self->ctx, PASSED));
	EXPECT_EQ(0, ctxfd_sleep(ctxfd_background(), MSEC(1)));
}

TEST_F(calls, sleep_ends_with_the_context)
{
	struct caller caller = { call_sleep, .ctx = self->ctx, .timeout = LONG };
	struct caller ever = { call_sleep, .ctx = self->ctx };

	ASSERT_EQ(0, caller_start(&caller));
	ASSERT_EQ(0, caller_start(&ever));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&caller, ECANCELED);
	check_failed(&ever, ECANCELED);
	check_errno(ECANCELED, ctxfd_sleep(self->ctx, PASSED));
	check_errno(ETIMEDOUT, ctxfd_sleep(new_short(), NULL));
}

TEST_F(calls, sleep_takes_no_more_time_for_signals)
{
	struct caller caller = { call_sleep, .ctx = self->ctx, .timeout = MSEC(300) };

	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&caller));
	check_outlasts_signals(&caller, 300 * NSEC_PER_MSEC);
}

TEST_F(calls, sleep_refuses_what_is_wrong)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_times); i++)
		check_errno(EINVAL, ctxfd_sleep(self->ctx, &bad_times[i]));
	check_errno(EBADF, ctxfd_sleep(-1, PASSED));
	check_errno(ENOTTY, ctxfd_sleep(self->fds[0], PASSED));
}

/* waitid */

FIXTURE(child) {
	int ctx;
	int end[2];		/* a byte ends the child */
	pid_t pid;
	int pidfd;		/* -1 where there are none */
};

FIXTURE_VARIANT(child) {
	idtype_t type;
	int options;
};

FIXTURE_VARIANT_ADD(child, pid) { P_PID, WEXITED };
FIXTURE_VARIANT_ADD(child, pidfd) { P_PIDFD, WEXITED };
FIXTURE_VARIANT_ADD(child, group) { P_PGID, WEXITED };
FIXTURE_VARIANT_ADD(child, all) { P_ALL, WEXITED };
FIXTURE_VARIANT_ADD(child, pid_and_stops) { P_PID, WEXITED | WSTOPPED | WCONTINUED };

FIXTURE_SETUP(child)
{
	char byte;

	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, pipe(self->end));
	self->pid = ctx_fork();
	if (!self->pid) {
		if (read(self->end[0], &byte, 1) != 1)
			_exit(1);
		_exit(17);
	}
	self->pidfd = syscall(SYS_pidfd_open, self->pid, 0);
}

FIXTURE_TEARDOWN(child)
{
	kill(self->pid, SIGKILL);
}

/* Of the kernels that have contexts, all have pidfds. */
#define skip_without_pidfd() ({						\
	if (variant->type == P_PIDFD && self->pidfd < 0)		\
		SKIP(return, "this valgrind knows no pidfd_open");	\
})

struct waiter {
	struct caller caller;
	idtype_t type;
	id_t id;
	int options;
	siginfo_t info;
};

static long call_waitid(struct caller *caller)
{
	struct waiter *waiter = (struct waiter *)caller;

	return ctxfd_waitid(caller->ctx, waiter->type, waiter->id, &waiter->info,
			    waiter->options);
}

#define WAITER(...) {							\
	.caller = { call_waitid, .ctx = self->ctx },			\
	.type = variant->type,						\
	.id = variant->type == P_PID ? self->pid :			\
	      variant->type == P_PIDFD ? self->pidfd :			\
	      variant->type == P_PGID ? getpgrp() : 0,			\
	.options = variant->options,					\
}

#define check_exited(waiter, status) ({					\
	EXPECT_EQ(self->pid, (waiter)->info.si_pid);			\
	EXPECT_EQ(CLD_EXITED, (waiter)->info.si_code);			\
	EXPECT_EQ((status), (waiter)->info.si_status);			\
})

TEST_F(child, waitid_waits_for_the_end)
{
	struct waiter waiter = WAITER();
	int fds = ctx_nr_fds();

	skip_without_pidfd();
	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&waiter.caller));
	ASSERT_EQ(0, interrupt_thread(waiter.caller.thread));
	ASSERT_EQ(0, caller_asleep(&waiter.caller));
	ASSERT_EQ(1, write(self->end[1], "", 1));
	check_returned(&waiter.caller, 0);
	check_exited(&waiter, 17);
	check_errno(ECHILD, call_waitid(&waiter.caller));
	EXPECT_EQ(fds, ctx_nr_fds());
}

TEST_F(child, waitid_ends_with_the_context)
{
	struct waiter waiter = WAITER();

	skip_without_pidfd();
	ASSERT_EQ(0, caller_start(&waiter.caller));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&waiter.caller, ECANCELED);
	waiter.caller.ctx = new_short();
	check_errno(ETIMEDOUT, call_waitid(&waiter.caller));
	EXPECT_EQ(0, kill(self->pid, 0));
}

TEST_F(child, waitid_under_a_cancelled_context_finds_what_has_ended)
{
	struct waiter waiter = WAITER();

	skip_without_pidfd();
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_errno(ECANCELED, call_waitid(&waiter.caller));
	ASSERT_EQ(1, write(self->end[1], "", 1));
	ASSERT_EQ(0, waitid(P_PID, self->pid, &(siginfo_t){}, WEXITED | WNOWAIT));
	waiter.options |= WNOWAIT;
	EXPECT_EQ(0, call_waitid(&waiter.caller));
	check_exited(&waiter, 17);
	waiter.info = (siginfo_t){};
	waiter.options &= ~WNOWAIT;
	EXPECT_EQ(0, call_waitid(&waiter.caller));
	check_exited(&waiter, 17);
}

TEST_F(child, waitid_with_wnohang_looks_once)
{
	struct waiter waiter = WAITER();

	skip_without_pidfd();
	waiter.options |= WNOHANG;
	waiter.info.si_pid = 99;
	EXPECT_EQ(0, call_waitid(&waiter.caller));
	EXPECT_EQ(0, waiter.info.si_pid);
	ASSERT_EQ(1, write(self->end[1], "", 1));
	ASSERT_EQ(0, waitid(P_PID, self->pid, &(siginfo_t){}, WEXITED | WNOWAIT));
	EXPECT_EQ(0, call_waitid(&waiter.caller));
	check_exited(&waiter, 17);
}

TEST_F(child, waitid_needs_no_room_for_what_it_finds)
{
	struct waiter waiter = WAITER();

	skip_without_pidfd();
	ASSERT_EQ(1, write(self->end[1], "", 1));
	EXPECT_EQ(0, ctxfd_waitid(self->ctx, waiter.type, waiter.id, NULL, WEXITED));
	check_errno(ECHILD, call_waitid(&waiter.caller));
}

TEST_F(child, waitid_refuses_what_is_wrong)
{
	struct waiter waiter = WAITER();

	skip_without_pidfd();
	check_errno(EINVAL, ctxfd_waitid(self->ctx, waiter.type, waiter.id, NULL, 0));
	check_errno(EINVAL, ctxfd_waitid(self->ctx, 99, waiter.id, NULL, WEXITED));
	check_errno(EBADF, ctxfd_waitid(-1, waiter.type, waiter.id, NULL, WEXITED));
	check_errno(ENOTTY, ctxfd_waitid(self->end[0], waiter.type, waiter.id, NULL, WEXITED));
}

TEST_F(child, waitid_without_a_number_for_the_pidfd_waits_all_the_same)
{
	struct waiter waiter = WAITER();

	skip_without_pidfd();
	ASSERT_EQ(0, caller_start(&waiter.caller));
	ASSERT_LE(0, use_up_descriptors());
	ASSERT_EQ(1, write(self->end[1], "", 1));
	check_returned(&waiter.caller, 0);
	check_exited(&waiter, 17);
}

TEST(waitid_finds_no_stranger)
{
	int ctx = new_root(), self = syscall(SYS_pidfd_open, getpid(), 0);

	check_errno(ECHILD, ctxfd_waitid(ctx, P_PID, getpid(), NULL, WEXITED));
	if (self >= 0)
		check_errno(ECHILD, ctxfd_waitid(ctx, P_PIDFD, self, NULL, WEXITED));
	check_errno(ECHILD, ctxfd_waitid(ctx, P_ALL, 0, NULL, WEXITED));
	check_errno(EBADF, ctxfd_waitid(ctx, P_PIDFD, 4711, NULL, WEXITED));
}

TEST(waitid_sees_a_child_stop_and_go_on)
{
	int ctx = new_root();
	siginfo_t info = {};
	pid_t pid = ctx_fork();

	if (!pid)
		for (;;)
			pause();
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	EXPECT_EQ(0, ctxfd_waitid(ctx, P_PID, pid, &info, WSTOPPED));
	EXPECT_EQ(CLD_STOPPED, info.si_code);
	ASSERT_EQ(0, kill(pid, SIGCONT));
	EXPECT_EQ(0, ctxfd_waitid(ctx, P_PID, pid, &info, WCONTINUED | WEXITED));
	EXPECT_EQ(CLD_CONTINUED, info.si_code);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(0, ctxfd_waitid(ctx, P_ALL, 0, &info, WEXITED));
	EXPECT_EQ(CLD_KILLED, info.si_code);
	EXPECT_EQ(pid, info.si_pid);
}

/* pidfds that do not block give EAGAIN to a waitid that would. */
TEST(waitid_waits_on_a_nonblocking_pidfd)
{
	pid_t pid = ctx_fork();
	siginfo_t info = {};
	int fd;

	if (!pid)
		for (;;)
			pause();
	fd = syscall(SYS_pidfd_open, pid, O_NONBLOCK);
	if (fd < 0)
		SKIP(return, "this valgrind knows no pidfd_open");
	check_errno(ETIMEDOUT, ctxfd_waitid(new_short(), P_PIDFD, fd, &info, WEXITED));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(0, ctxfd_waitid(new_root(), P_PIDFD, fd, &info, WEXITED));
	EXPECT_EQ(pid, info.si_pid);
}

TEST_HARNESS_MAIN
