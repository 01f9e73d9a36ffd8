// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals: F_SETOWN, F_SETOWN_EX, F_SETSIG and O_ASYNC on a context.
 *
 * A signal that must come is waited for. One that must not come is told from one
 * that is late by order: what would send it has returned, and the signals of one
 * call to another are queued before that.
 */
#include "ctx_features.h"

FIXTURE(signals) {
	int dev;
	int root;
	int child;
	sigset_t set;	/* SIGIO and the real-time signals, which are blocked */
};

FIXTURE_SETUP(signals)
{
	int signo;

	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
	self->child = ctx_new(self->root);
	ASSERT_LE(0, self->child);
	sigemptyset(&self->set);
	sigaddset(&self->set, SIGIO);
	for (signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		sigaddset(&self->set, signo);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->set, NULL));
}

FIXTURE_TEARDOWN(signals)
{
	close(self->child);
	close(self->root);
	close(self->dev);
}

/* Have @fd signal: @signo, or the ordinary SIGIO where that is 0. */
static int set_async(int fd, pid_t owner, int signo)
{
	if (fcntl(fd, F_SETOWN, owner) || (signo && fcntl(fd, F_SETSIG, signo)))
		return -1;
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
}

/* The signal that is pending now or comes soon, or -1. */
static int take(const sigset_t *set, siginfo_t *info, int timeout_ms)
{
	struct timespec timeout = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * NSEC_PER_MSEC,
	};
	int signo;

	do {
		signo = sigtimedwait(set, info, &timeout);
	} while (signo < 0 && errno == EINTR);
	return signo;
}

/* That @signo comes for @fd; more of them may come, which are one and the same. */
#define check_signal(self, signo, fd) ({				\
	siginfo_t __si = {};						\
									\
	EXPECT_EQ((signo), take(&(self)->set, &__si, CTX_WAIT_MS));	\
	if ((signo) != SIGIO) {						\
		EXPECT_EQ((fd), __si.si_fd);				\
		EXPECT_EQ(POLL_IN, __si.si_code);			\
		EXPECT_EQ(POLLIN | POLLRDNORM, __si.si_band);		\
	}								\
})

#define check_no_signal(self) ({					\
	siginfo_t __si;							\
									\
	EXPECT_EQ(-1, take(&(self)->set, &__si, 0));			\
})

TEST_F(signals, o_async_gives_sigio_to_the_owner)
{
	ASSERT_EQ(0, set_async(self->root, getpid(), 0));
	check_no_signal(self);
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	/* It is there when the call returns: no need to wait. */
	EXPECT_EQ(SIGIO, take(&self->set, NULL, 0));
}

TEST_F(signals, f_setsig_chooses_the_signal_and_gives_the_descriptor)
{
	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN + 3));
	EXPECT_EQ(0, ctx_cancel(self->child, 0, NULL));
	check_signal(self, SIGRTMIN + 3, self->child);
}

TEST_F(signals, a_cancellation_from_above_signals)
{
	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_signal(self, SIGRTMIN, self->child);
	check_no_signal(self);
}

TEST_F(signals, a_cancellation_by_a_further_parent_signals)
{
	int merged = ctx_new_merged2(self->dev, self->child);

	ASSERT_EQ(0, set_async(merged, getpid(), SIGRTMIN));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_signal(self, SIGRTMIN, merged);
	check_no_signal(self);
	close(merged);
}

TEST_F(signals, a_deadline_signals)
{
	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN));
	EXPECT_EQ(0, ctx_set_timeout(self->root, NSEC_PER_MSEC));
	check_signal(self, SIGRTMIN, self->child);
	check_cancelled(self->child, ETIMEDOUT, ETIMEDOUT, ctx_id(self->root));
}

TEST_F(signals, a_release_signals)
{
	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN));
	close(self->root);
	self->root = -1;
	check_signal(self, SIGRTMIN, self->child);
}

TEST_F(signals, a_cancellation_in_another_process_signals)
{
	pid_t pid;

	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN));
	in_child(pid)
		EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_signal(self, SIGRTMIN, self->child);
	check_child(pid);
}

TEST_F(signals, it_comes_once)
{
	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN));
	EXPECT_EQ(0, ctx_cancel(self->child, 0, NULL));
	check_signal(self, SIGRTMIN, self->child);
	EXPECT_EQ(1, ctx_cancel(self->child, 0, NULL));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_no_signal(self);
}

TEST_F(signals, a_watch_descriptor_signals)
{
	int watch = ctx_watch(self->child, 0);

	ASSERT_EQ(0, set_async(watch, getpid(), SIGRTMIN));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_signal(self, SIGRTMIN, watch);
	close(watch);
}

TEST_F(signals, each_descriptor_of_a_context_signals)
{
	int watch[4], i, signo;
	siginfo_t info;
	unsigned int came = 0;

	for (i = 0; i < 4; i++) {
		watch[i] = ctx_watch(self->child, 0);
		ASSERT_EQ(0, set_async(watch[i], getpid(), SIGRTMIN + i));
	}
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	for (i = 0; i < 4; i++) {
		signo = take(&self->set, &info, 0);
		ASSERT_LE(SIGRTMIN, signo);
		EXPECT_EQ(watch[signo - SIGRTMIN], info.si_fd);
		came |= 1 << (signo - SIGRTMIN);
	}
	EXPECT_EQ(0xf, came);
	for (i = 0; i < 4; i++)
		close(watch[i]);
}

TEST_F(signals, o_async_on_a_cancelled_context_signals_at_once)
{
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	ASSERT_EQ(0, set_async(self->root, getpid(), SIGRTMIN));
	check_signal(self, SIGRTMIN, self->root);
	/* One whose cancellation nobody had looked at. */
	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN + 1));
	check_signal(self, SIGRTMIN + 1, self->child);
}

/* So many that the walk has not come to the last when its first waiter runs */
#define CHILDREN	600

/* The deadline's own waiter is woken before all below: he sets O_ASYNC at the far end. */
TEST_F(signals, o_async_while_a_walk_is_on_its_way_there_signals_once)
{
	int root, last, fd[CHILDREN], i, round;

	for (round = 0; round < 10; round++) {
		root = ctx_new(self->dev);
		last = ctx_new(root);
		for (i = 0; i < CHILDREN; i++) {
			fd[i] = ctx_new(root);
			ASSERT_LE(0, fd[i]);
			ctx_unmap(ctx_map(fd[i]));
		}
		EXPECT_EQ(0, ctx_set_timeout(root, NSEC_PER_MSEC));
		EXPECT_LT(0, ctx_poll(root, CTX_WAIT_MS));
		EXPECT_EQ(0, set_async(last, getpid(), SIGRTMIN));
		check_signal(self, SIGRTMIN, last);
		/* When this returns the walk has been there. */
		EXPECT_EQ(1, ctx_cancel(root, 0, NULL));
		check_no_signal(self);
		for (i = 0; i < CHILDREN; i++)
			close(fd[i]);
		close(last);
		close(root);
	}
}

TEST_F(signals, who_comes_late_does_not_have_the_others_signalled_again)
{
	int watch = ctx_watch(self->child, 0);

	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN));
	EXPECT_EQ(0, ctx_cancel(self->child, 0, NULL));
	check_signal(self, SIGRTMIN, self->child);
	ASSERT_EQ(0, set_async(watch, getpid(), SIGRTMIN + 1));
	check_signal(self, SIGRTMIN + 1, watch);
	check_no_signal(self);
	close(watch);
}

TEST_F(signals, no_signal_comes_without_o_async)
{
	EXPECT_EQ(0, fcntl(self->child, F_SETOWN, getpid()));
	EXPECT_EQ(0, fcntl(self->child, F_SETSIG, SIGRTMIN));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_no_signal(self);
}

TEST_F(signals, no_signal_comes_after_o_async_was_cleared)
{
	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN));
	EXPECT_EQ(0, fcntl(self->child, F_SETFL, fcntl(self->child, F_GETFL) & ~O_ASYNC));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_no_signal(self);
}

TEST_F(signals, no_signal_comes_for_a_descriptor_that_was_closed)
{
	int watch = ctx_watch(self->child, 0);

	ASSERT_EQ(0, set_async(watch, getpid(), SIGRTMIN));
	close(watch);
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_no_signal(self);
}

TEST_F(signals, the_release_of_the_descriptor_itself_signals_nobody)
{
	int watch = ctx_watch(self->child, 0);

	/* Its own end is what cancels: there is no descriptor to tell of. */
	ASSERT_EQ(0, set_async(self->child, getpid(), SIGRTMIN));
	close(self->child);
	self->child = -1;
	check_no_signal(self);
	EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(watch, 0));
	close(watch);
}

TEST_F(signals, the_background_never_signals)
{
	ASSERT_EQ(0, set_async(self->dev, getpid(), SIGRTMIN));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_no_signal(self);
}

TEST_F(signals, another_process_may_be_the_owner)
{
	int end[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe2(end, O_CLOEXEC));
	in_child(pid) {
		EXPECT_EQ(0, fcntl(self->child, F_GETOWN));
		EXPECT_EQ(1, write(end[1], "r", 1));
		check_signal(self, SIGRTMIN, self->child);
	}
	ASSERT_EQ(1, read(end[0], &byte, 1));
	ASSERT_EQ(0, set_async(self->child, pid, SIGRTMIN));
	EXPECT_EQ(pid, fcntl(self->child, F_GETOWN));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_child(pid);
	check_no_signal(self);
}

struct waiter {
	const sigset_t *set;
	pid_t tid;
	int signo;
	siginfo_t info;
};

static void *wait_for_signal(void *arg)
{
	struct waiter *waiter = arg;

	__atomic_store_n(&waiter->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	waiter->signo = take(waiter->set, &waiter->info, CTX_WAIT_MS);
	return NULL;
}

TEST_F(signals, a_thread_may_be_the_owner)
{
	struct waiter waiter = { .set = &self->set };
	struct f_owner_ex owner = { .type = F_OWNER_TID };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_signal, &waiter));
	while (!(owner.pid = __atomic_load_n(&waiter.tid, __ATOMIC_ACQUIRE)))
		usleep(1000);
	ASSERT_EQ(0, fcntl(self->child, F_SETOWN_EX, &owner));
	ASSERT_EQ(0, fcntl(self->child, F_SETSIG, SIGRTMIN));
	ASSERT_EQ(0, fcntl(self->child, F_SETFL, O_ASYNC));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	/* It is that thread's own: this one cannot take it. */
	check_no_signal(self);
	ASSERT_EQ(0, ctx_thread_join(thread));
	EXPECT_EQ(SIGRTMIN, waiter.signo);
	EXPECT_EQ(self->child, waiter.info.si_fd);
}

#define GROUP	3

TEST_F(signals, a_process_group_may_be_the_owner)
{
	pid_t pid[GROUP];
	int end[2], i;
	char byte;

	ASSERT_EQ(0, pipe2(end, O_CLOEXEC));
	for (i = 0; i < GROUP; i++) {
		in_child(pid[i]) {
			EXPECT_EQ(0, setpgid(0, i ? pid[0] : 0));
			EXPECT_EQ(1, write(end[1], "r", 1));
			check_signal(self, SIGRTMIN, self->child);
		}
		/* Its group is there before the next joins it. */
		ASSERT_EQ(1, read(end[0], &byte, 1));
	}
	ASSERT_EQ(0, set_async(self->child, -pid[0], SIGRTMIN));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	for (i = 0; i < GROUP; i++)
		check_child(pid[i]);
	check_no_signal(self);
}

#define NOBODY	65534

/*
 * Whom a descriptor signals is for its owner's permissions, as they were when it
 * was set: a process without them cannot have root's processes signalled. The
 * signal of the second descriptor, which root set, shows that the walk is over.
 */
TEST_F(signals, who_may_not_kill_a_process_cannot_have_it_signalled)
{
	int watch = ctx_watch(self->child, 0);
	pid_t tester = getpid(), pid;

	if (geteuid())
		SKIP(return, "needs root, to become another user");
	in_child(pid) {
		EXPECT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
		check_errno(EPERM, kill(tester, 0));
		EXPECT_EQ(0, set_async(watch, tester, SIGRTMIN + 1));
	}
	check_child(pid);
	EXPECT_EQ(tester, fcntl(watch, F_GETOWN));
	ASSERT_EQ(0, set_async(self->child, tester, SIGRTMIN + 2));
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_signal(self, SIGRTMIN + 2, self->child);
	check_no_signal(self);
	close(watch);
}

TEST_F(signals, nor_by_setting_o_async_on_a_cancelled_context)
{
	pid_t tester = getpid(), pid;

	if (geteuid())
		SKIP(return, "needs root, to become another user");
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	in_child(pid) {
		EXPECT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
		EXPECT_EQ(0, set_async(self->child, tester, SIGRTMIN + 1));
	}
	check_child(pid);
	check_no_signal(self);
	/* Itself it may. */
	in_child(pid) {
		EXPECT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
		EXPECT_EQ(0, set_async(self->root, getpid(), SIGRTMIN + 1));
		check_signal(self, SIGRTMIN + 1, self->root);
	}
	check_child(pid);
	check_no_signal(self);
}

/* Descriptors of one context that signal: 64 */
#define MOST		64

TEST_F(signals, sixty_four_descriptors_of_a_context_signal_and_no_more)
{
	int fd[MOST], late = ctx_watch(self->child, 0), i;

	for (i = 0; i < MOST; i++) {
		fd[i] = ctx_watch(self->child, 0);
		ASSERT_EQ(0, set_async(fd[i], getpid(), SIGRTMIN));
	}
	check_refused(late, ENOSPC, set_async(late, getpid(), SIGRTMIN));
	EXPECT_EQ(0, fcntl(late, F_GETFL) & O_ASYNC);
	/* Who has it may ask for it again, and another context has as many. */
	EXPECT_EQ(0, set_async(fd[0], getpid(), SIGRTMIN));
	EXPECT_EQ(0, set_async(self->root, getpid(), SIGRTMIN + 1));
	EXPECT_EQ(0, ctx_cancel(self->child, 0, NULL));
	for (i = 0; i < MOST; i++) {
		siginfo_t info = {};

		EXPECT_EQ(SIGRTMIN, take(&self->set, &info, CTX_WAIT_MS));
		EXPECT_NE(late, info.si_fd);
	}
	check_no_signal(self);
	while (i--)
		close(fd[i]);
	close(late);
}

TEST_F(signals, a_descriptor_that_is_closed_or_cleared_makes_room_for_another)
{
	int fd[MOST], late = ctx_watch(self->child, 0), i;

	for (i = 0; i < MOST; i++) {
		fd[i] = ctx_watch(self->child, 0);
		ASSERT_EQ(0, set_async(fd[i], getpid(), SIGRTMIN));
	}
	close(fd[0]);
	EXPECT_EQ(0, set_async(late, getpid(), SIGRTMIN));
	EXPECT_EQ(0, fcntl(fd[1], F_SETFL, 0));
	fd[0] = ctx_watch(self->child, 0);
	EXPECT_EQ(0, set_async(fd[0], getpid(), SIGRTMIN));
	check_refused(fd[1], ENOSPC, set_async(fd[1], getpid(), SIGRTMIN));
	while (i--)
		close(fd[i]);
	close(late);
}

TEST_F(signals, two_hundred_contexts_signal)
{
	int fds[200], i, nr = ctx_array_size(fds);
	siginfo_t info;
	bool came[4096] = {};

	/* Fewer than the signals that may be queued. */
	for (i = 0; i < nr; i++) {
		fds[i] = ctx_new(self->child);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, set_async(fds[i], getpid(), SIGRTMIN));
	}
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(SIGRTMIN, take(&self->set, &info, 0));
		EXPECT_FALSE(came[info.si_fd]);
		came[info.si_fd] = true;
	}
	for (i = 0; i < nr; i++) {
		EXPECT_TRUE(came[fds[i]]);
		close(fds[i]);
	}
	check_no_signal(self);
}

TEST_HARNESS_MAIN
