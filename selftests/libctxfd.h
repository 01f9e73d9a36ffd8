/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the library share. Each test is a process of its own, in
 * which nobody has called the library.
 */
#ifndef LIBCTXFD_H
#define LIBCTXFD_H

#include "ctx_selftest.h"
#include <ctxfd.h>
#include <limits.h>
#include <sys/resource.h>

#define SEC(n)		(&(struct timespec){ .tv_sec = (n) })
#define MSEC(n)		(&(struct timespec){ .tv_nsec = (n) * 1000000L })
#define PASSED		SEC(0)

/* Later than any clock of the kernel can count, and still a time_t. */
#define BEYOND		(&(struct timespec){ .tv_sec = INT64_MAX, .tv_nsec = 999999999 })

/* Generous, for what must come. */
#define LONG		SEC(CTX_WAIT_MS / 1000)

/* Each in one way no time. */
static const struct timespec bad_times[] = {
	{ .tv_sec = -1 },
	{ .tv_nsec = -1 },
	{ .tv_nsec = 1000000000 },
	{ .tv_sec = INT64_MIN, .tv_nsec = 0 },
	{ .tv_sec = 1, .tv_nsec = LONG_MAX },
};

#define check_cloexec(fd) \
	EXPECT_EQ(FD_CLOEXEC, fcntl((fd), F_GETFD))

static inline int new_root(void)
{
	return ctxfd_with_cancel(ctxfd_background());
}

/* Alive for a moment yet: long enough for a call to begin to wait. */
static inline int new_short(void)
{
	return ctxfd_with_timeout(ctxfd_background(), MSEC(100));
}

static inline int new_cancelled(void)
{
	int ctx = new_root();

	return ctxfd_cancel(ctx) ? -1 : ctx;
}

/* It tells a program of itself by what it has loaded into it. */
static inline bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/*
 * ThreadSanitizer forbids a child threads where the parent has had some, and the lock of
 * AddressSanitizer's memory may stay locked there.
 */
static inline bool knows_no_fork_of_threads(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return true;
#else
	return false;
#endif
}

/* How many descriptors there can be; valgrind lets nobody move the hard limit. */
static inline int limit_descriptors(rlim_t number)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	limit.rlim_cur = number;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Fills every number there is under the limit. Returns one that is in use. */
static inline int use_up_descriptors(void)
{
	int fd, last = -1;

	if (limit_descriptors(64))
		return -1;
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	return errno == EMFILE ? last : -1;
}

static int nr_signals;

static inline void count_signal(int sig)
{
	__atomic_add_fetch(&nr_signals, sig == SIGUSR1, __ATOMIC_SEQ_CST);
}

/* SIGUSR1 counts, and interrupts what can be interrupted. */
static inline int catch_signals(void)
{
	return sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = count_signal }, NULL);
}

/* Returns once the handler has run in the thread, not again asleep yet. */
static inline int interrupt_thread(pthread_t thread)
{
	int before = __atomic_load_n(&nr_signals, __ATOMIC_SEQ_CST);

	if (pthread_kill(thread, SIGUSR1))
		return -1;
	while (__atomic_load_n(&nr_signals, __ATOMIC_SEQ_CST) == before)
		usleep(1000);
	return 0;
}

/* Whether @fd has something to read within @timeout_ms, whatever else it has. */
static inline bool becomes_readable(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) > 0 && (pfd.revents & POLLIN);
}

/* A thread that makes one call. */
struct caller {
	long (*call)(struct caller *caller);
	int ctx, fd;
	void *buf;
	size_t size;
	const struct timespec *timeout;
	long syscall;		/* it waits in; 0 is ppoll */
	pthread_t thread;
	pid_t tid;
	long ret;
	int err;
	__u64 took;
};

static inline void *caller_main(void *arg)
{
	struct caller *caller = arg;
	__u64 start;

	__atomic_store_n(&caller->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	start = ctx_clock(CLOCK_MONOTONIC);
	caller->ret = caller->call(caller);
	caller->err = errno;
	caller->took = ctx_clock(CLOCK_MONOTONIC) - start;
	return NULL;
}

static inline int caller_go(struct caller *caller)
{
	if (pthread_create(&caller->thread, NULL, caller_main, caller))
		return -1;
	while (!__atomic_load_n(&caller->tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	return 0;
}

/* Returns 0 once it sleeps. */
static inline int caller_asleep(struct caller *caller)
{
	return ctx_wait_in_syscall(getpid(), caller->tid,
				   caller->syscall ? caller->syscall : SYS_ppoll);
}

static inline int caller_start(struct caller *caller)
{
	return caller_go(caller) ? -1 : caller_asleep(caller);
}

/*
 * It is interrupted again and again, and returns 0 after @least ns: were each
 * signal to start the time anew, it would never return.
 */
#define check_outlasts_signals(caller, least) ({			\
	__u64 __end = ctx_clock(CLOCK_MONOTONIC) + CTX_WAIT_MS * NSEC_PER_MSEC; \
	int __err;							\
									\
	do {								\
		pthread_kill((caller)->thread, SIGUSR1);		\
		ASSERT_GT(__end, ctx_clock(CLOCK_MONOTONIC));		\
		usleep(1000);						\
		__err = pthread_tryjoin_np((caller)->thread, NULL);	\
	} while (__err == EBUSY);					\
	EXPECT_EQ(0, __err);						\
	EXPECT_EQ(0, (caller)->ret);					\
	EXPECT_LE((least), (caller)->took);				\
})

#define check_returned(caller, value) ({				\
	ASSERT_EQ(0, ctx_thread_join((caller)->thread));		\
	EXPECT_EQ((value), (caller)->ret) {				\
		TH_LOG("%s", strerror((caller)->err));			\
	}								\
})

#define check_failed(caller, error) ({					\
	ASSERT_EQ(0, ctx_thread_join((caller)->thread));		\
	EXPECT_EQ(-1, (caller)->ret);					\
	EXPECT_EQ((error), (caller)->err);				\
})

#endif /* LIBCTXFD_H */
