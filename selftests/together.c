// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every way to notice a cancellation, side by side on one context, while the
 * cancellation starts in another process, or comes by a deadline.
 */
#include "ctx_features.h"
#include "uring.h"
#include <stdbool.h>
#include <sys/select.h>

FIXTURE(together) {
	int dev;
	int root;
	int child;		/* what all of them wait on */
	bool has_io_uring;
};

FIXTURE_SETUP(together)
{
	struct uring ring;
	sigset_t set;

	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
	self->child = ctx_new(ctx_new(self->root));
	ASSERT_LE(0, self->child);
	/* For all threads: SIGIO and SIGUSR1 are taken, not handled. */
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	self->has_io_uring = !uring_open(&ring, 8);
	if (self->has_io_uring)
		uring_close(&ring);
}

FIXTURE_TEARDOWN(together)
{
	close(self->child);
	close(self->root);
	close(self->dev);
}

/* One who waits, in a thread of its own. */
struct waiter {
	const char *name;
	bool (*notices)(struct waiter *waiter);
	long nr;		/* the system call in which it sleeps */
	int fd;
	int ep;			/* of the epoll waiters; made before they start */
	__u32 events;
	int signo;
	const struct ctx_status *status;
	pthread_t thread;
	pid_t tid;
	bool noticed;
};

static bool by_epoll(struct waiter *waiter)
{
	struct epoll_event got = {};

	return epoll_pwait(waiter->ep, &got, 1, CTX_WAIT_MS, NULL) == 1 &&
	       got.events == EPOLLIN && got.data.fd == waiter->fd;
}

static bool by_poll(struct waiter *waiter)
{
	struct pollfd pfd = { .fd = waiter->fd, .events = POLLIN };

	return ppoll(&pfd, 1, &(struct timespec){ CTX_WAIT_MS / 1000, 0 }, NULL) == 1 &&
	       pfd.revents == POLLIN;
}

static bool by_select(struct waiter *waiter)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(waiter->fd, &set);
	return pselect(waiter->fd + 1, &set, NULL, NULL,
		       &(struct timespec){ CTX_WAIT_MS / 1000, 0 }, NULL) == 1 &&
	       FD_ISSET(waiter->fd, &set);
}

static bool by_read(struct waiter *waiter)
{
	struct ctx_event event;

	return read(waiter->fd, &event, sizeof(event)) == sizeof(event);
}

static bool by_signal(struct waiter *waiter)
{
	struct timespec timeout = { CTX_WAIT_MS / 1000, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, waiter->signo);
	return sigtimedwait(&set, NULL, &timeout) == waiter->signo;
}

/* Looks, and yields between two looks; no system call tells it. */
static bool by_mapped_word(struct waiter *waiter)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + CTX_WAIT_MS * NSEC_PER_MSEC;

	while (!ctx_mapped_err(waiter->status) && ctx_clock(CLOCK_MONOTONIC) < end)
		usleep(500);
	return ctx_mapped_err(waiter->status);
}

/* The thread has a ring of its own: what it waits for is completed in its context. */
static bool by_uring_poll(struct waiter *waiter)
{
	struct uring ring;
	struct io_uring_cqe cqe = {};

	return !uring_open(&ring, 8) && uring_poll(&ring, waiter->fd, 0, 1) == 1 &&
	       uring_complete(&ring, &cqe, CTX_WAIT_MS) && cqe.res == POLLIN;
}

static bool by_uring_multishot_poll(struct waiter *waiter)
{
	struct uring ring;
	struct io_uring_cqe cqe = {};

	return !uring_open(&ring, 8) &&
	       uring_poll(&ring, waiter->fd, IORING_POLL_ADD_MULTI, 1) == 1 &&
	       uring_complete(&ring, &cqe, CTX_WAIT_MS) && cqe.res == POLLIN;
}

static bool by_uring_read(struct waiter *waiter)
{
	struct ctx_event event;
	struct uring ring;
	struct io_uring_cqe cqe = {};

	return !uring_open(&ring, 8) &&
	       uring_read(&ring, waiter->fd, &event, sizeof(event), 1) == 1 &&
	       uring_complete(&ring, &cqe, CTX_WAIT_MS) && cqe.res == sizeof(event);
}

static void *waiter_main(void *arg)
{
	struct waiter *waiter = arg;

	__atomic_store_n(&waiter->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	waiter->noticed = waiter->notices(waiter);
	return NULL;
}

static const struct waiter kinds[] = {
	{ .name = "epoll, level", .notices = by_epoll, .nr = SYS_epoll_pwait, .events = EPOLLIN },
	{ .name = "epoll, edge", .notices = by_epoll, .nr = SYS_epoll_pwait,
	  .events = EPOLLIN | EPOLLET },
	{ .name = "epoll, one-shot", .notices = by_epoll, .nr = SYS_epoll_pwait,
	  .events = EPOLLIN | EPOLLONESHOT },
	{ .name = "epoll, exclusive", .notices = by_epoll, .nr = SYS_epoll_pwait,
	  .events = EPOLLIN | EPOLLEXCLUSIVE },
	{ .name = "epoll, exclusive too", .notices = by_epoll, .nr = SYS_epoll_pwait,
	  .events = EPOLLIN | EPOLLEXCLUSIVE },
	{ .name = "poll", .notices = by_poll, .nr = SYS_ppoll },
	{ .name = "select", .notices = by_select, .nr = SYS_pselect6 },
	{ .name = "read", .notices = by_read, .nr = SYS_read },
	{ .name = "read of a watch", .notices = by_read, .nr = SYS_read },
	{ .name = "SIGIO", .notices = by_signal, .nr = SYS_rt_sigtimedwait, .signo = SIGIO },
	{ .name = "a chosen signal", .notices = by_signal, .nr = SYS_rt_sigtimedwait,
	  .signo = SIGUSR1 },
	{ .name = "mapped word", .notices = by_mapped_word, .nr = -1 },
	{ .name = "io_uring poll", .notices = by_uring_poll, .nr = SYS_ppoll },
	{ .name = "io_uring multishot poll", .notices = by_uring_multishot_poll, .nr = SYS_ppoll },
	{ .name = "io_uring read", .notices = by_uring_read, .nr = SYS_ppoll },
};

#define KINDS	ctx_array_size(kinds)

/* Whether the kernel has what the waiter needs */
static bool is_possible(FIXTURE_DATA(together) *self, const struct waiter *w)
{
	return self->has_io_uring || !strstr(w->name, "io_uring");
}

/* All that a waiter of the @nth kind does before it waits */
static void prepare(struct __test_metadata *_metadata, FIXTURE_DATA(together) *self,
		    struct waiter *w, unsigned int nth)
{
	*w = kinds[nth];
	/* O_ASYNC is that of the description: so they have one of their own. */
	w->fd = w->signo || strstr(w->name, "watch") ? ctx_watch(self->child, 0) : self->child;
	ASSERT_LE(0, w->fd);
	if (w->events) {
		struct epoll_event event = { .events = w->events, .data.fd = w->fd };

		w->ep = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_EQ(0, epoll_ctl(w->ep, EPOLL_CTL_ADD, w->fd, &event));
	}
	if (w->notices == by_mapped_word) {
		w->status = ctx_map(w->fd);
		ASSERT_NE(NULL, w->status);
	}
	if (w->signo) {
		ASSERT_EQ(0, fcntl(w->fd, F_SETOWN, getpid()));
		ASSERT_EQ(0, fcntl(w->fd, F_SETSIG, w->signo == SIGIO ? 0 : w->signo));
		ASSERT_EQ(0, fcntl(w->fd, F_SETFL, O_ASYNC));
	}
}

/* Starts one waiter of each kind; returns once all sleep. */
static void all_wait(struct __test_metadata *_metadata, FIXTURE_DATA(together) *self,
		     struct waiter *waiters)
{
	struct waiter *w;
	pid_t tid;

	for (w = waiters; w < waiters + KINDS; w++) {
		prepare(_metadata, self, w, w - waiters);
		if (!is_possible(self, w))
			continue;
		ASSERT_EQ(0, pthread_create(&w->thread, NULL, waiter_main, w));
		while (!(tid = __atomic_load_n(&w->tid, __ATOMIC_ACQUIRE)))
			usleep(100);
		if (w->nr < 0)
			continue;
		ASSERT_EQ(0, ctx_wait_in_syscall(getpid(), tid, w->nr)) {
			TH_LOG("%s does not wait", w->name);
		}
	}
}

static void all_notice(struct __test_metadata *_metadata, FIXTURE_DATA(together) *self,
		       struct waiter *waiters)
{
	struct waiter *w;

	for (w = waiters; w < waiters + KINDS; w++) {
		if (!is_possible(self, w))
			continue;
		ASSERT_EQ(0, ctx_thread_join(w->thread)) {
			TH_LOG("%s hangs", w->name);
		}
		EXPECT_TRUE(w->noticed) {
			TH_LOG("%s notices nothing", w->name);
		}
	}
}

TEST_F_TIMEOUT(together, all_notice_a_cancellation_in_another_process, 120)
{
	struct waiter waiters[KINDS];
	pid_t pid;

	all_wait(_metadata, self, waiters);
	in_child(pid)
		EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	all_notice(_metadata, self, waiters);
	check_child(pid);
	check_cancelled(self->child, ECANCELED, EIO, ctx_id(self->root));
}

TEST_F_TIMEOUT(together, all_notice_a_deadline, 120)
{
	struct waiter waiters[KINDS];

	all_wait(_metadata, self, waiters);
	EXPECT_EQ(0, ctx_set_timeout(self->root, NSEC_PER_MSEC));
	all_notice(_metadata, self, waiters);
	check_cancelled(self->child, ETIMEDOUT, ETIMEDOUT, ctx_id(self->root));
}

TEST_F_TIMEOUT(together, all_notice_the_end_of_the_process_that_owns_the_root, 120)
{
	struct waiter waiters[KINDS];
	int sock[2], root;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	in_child(pid) {
		EXPECT_EQ(0, ctx_send_fd(sock[1], ctx_watch(ctx_new(self->dev), 0)));
		pause();
	}
	root = ctx_recv_fd(sock[0]);
	close(self->child);
	self->child = ctx_new(ctx_new(root));
	ASSERT_LE(0, self->child);
	all_wait(_metadata, self, waiters);
	kill(pid, SIGKILL);
	all_notice(_metadata, self, waiters);
	check_cancelled(self->child, ECANCELED, EOWNERDEAD, ctx_id(root));
	waitpid(pid, NULL, 0);
}

TEST_F_TIMEOUT(together, all_notice_the_cancellation_of_a_further_parent, 120)
{
	struct waiter waiters[KINDS];
	pid_t pid;

	close(self->child);
	self->child = ctx_new(ctx_new_merged2(self->dev, self->root));
	ASSERT_LE(0, self->child);
	all_wait(_metadata, self, waiters);
	in_child(pid)
		EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	all_notice(_metadata, self, waiters);
	check_child(pid);
	check_cancelled(self->child, ECANCELED, EIO, ctx_id(self->root));
}

TEST_F_TIMEOUT(together, all_who_come_late_notice_too, 120)
{
	struct waiter waiter;
	unsigned int i;

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	for (i = 0; i < KINDS; i++) {
		prepare(_metadata, self, &waiter, i);
		EXPECT_TRUE(!is_possible(self, &waiter) || waiter.notices(&waiter)) {
			TH_LOG("%s notices nothing", waiter.name);
		}
	}
}

TEST_HARNESS_MAIN
