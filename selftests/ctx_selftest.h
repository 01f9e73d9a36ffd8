/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of cancellation contexts share: the calls, one line each, and
 * checks that read as facts. A check_*() belongs in the body of a test, or of
 * in_child(), where its failure is the test's.
 */
#ifndef CTX_SELFTEST_H
#define CTX_SELFTEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/ctx.h>
#include <kselftest_harness.h>

/* How long to wait for what must come. Only a failure ever waits so long. */
#define CTX_WAIT_MS	20000

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL
#define HOUR		(3600 * NSEC_PER_SEC)

/* The calls. All return what the system call does. */

static inline int ctx_background(void)
{
	return open("/dev/ctx", O_RDWR | O_CLOEXEC);
}

static inline int ctx_create(int parent, const struct ctx_create_args *args)
{
	return ioctl(parent, CTX_IOC_CREATE, args);
}

/* A plain root, where @parent is the background context, or child. */
static inline int ctx_new(int parent)
{
	return ctx_create(parent, &(struct ctx_create_args){});
}

static inline int ctx_new_detached(int parent)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_DETACHED,
	});
}

static inline int ctx_new_named(int parent, const char *name)
{
	struct ctx_create_args args = {};

	/* Without its NUL where it is too long. */
	memcpy(args.name, name, strnlen(name, sizeof(args.name)));
	return ctx_create(parent, &args);
}

static inline int ctx_new_deadline(int parent, clockid_t clockid, __u64 deadline)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.clockid = clockid,
		.deadline = deadline,
	});
}

static inline int ctx_new_timeout(int parent, __u64 timeout)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.deadline = timeout,
	});
}

/* @message may be NULL. */
static inline int ctx_cancel(int fd, int cause, const char *message)
{
	return ioctl(fd, CTX_IOC_CANCEL, &(struct ctx_cancel_args){
		.cause = cause,
		.message_len = message ? strlen(message) : 0,
		.message = (uintptr_t)message,
	});
}

static inline int ctx_watch(int fd, __u32 fd_flags)
{
	return ioctl(fd, CTX_IOC_WATCH, &fd_flags);
}

static inline int ctx_set_deadline(int fd, clockid_t clockid, __u64 deadline)
{
	return ioctl(fd, CTX_IOC_SET_DEADLINE, &(struct ctx_deadline_args){
		.deadline = deadline,
		.clockid = clockid,
	});
}

static inline int ctx_set_timeout(int fd, __u64 timeout)
{
	return ioctl(fd, CTX_IOC_SET_DEADLINE, &(struct ctx_deadline_args){
		.deadline = timeout,
		.clockid = CLOCK_MONOTONIC,
		.flags = CTX_CREATE_TIMEOUT,
	});
}

/* The buffer is poisoned first, so that a byte left out shows. */
static inline int ctx_info(int fd, struct ctx_info *info)
{
	memset(info, 0xa5, sizeof(*info));
	return ioctl(fd, CTX_IOC_INFO, info);
}

/* The id, or 0 where @fd has none. */
static inline __u64 ctx_id(int fd)
{
	struct ctx_info info;

	return ctx_info(fd, &info) ? 0 : info.id;
}

/* The poll events of @fd, 0 where none come within @timeout_ms. */
static inline int ctx_poll(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = ~POLLNVAL };

	return poll(&pfd, 1, timeout_ms) < 0 ? -errno : pfd.revents;
}

static inline __u64 ctx_clock(clockid_t clockid)
{
	struct timespec ts;

	clock_gettime(clockid, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* Passes @fd over the socket @sock, with one byte. */
static inline int ctx_send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* The descriptor that comes over the socket @sock, or -1. */
static inline int ctx_recv_fd(int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	int fd = -1;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* How many descriptors this process has open. */
static inline int ctx_nr_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/*
 * Returns once thread @tid of process @pid sleeps in system call @nr, or -1
 * where it does not come to that.
 */
static inline int ctx_wait_in_syscall(pid_t pid, pid_t tid, long nr)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + CTX_WAIT_MS * NSEC_PER_MSEC;
	char path[64], text[256];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	do {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -1;
		len = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[len > 0 ? len : 0] = '\0';
		/* "running" while it does not sleep. */
		if (text[0] >= '0' && text[0] <= '9' && atol(text) == nr)
			return 0;
		usleep(1000);
	} while (ctx_clock(CLOCK_MONOTONIC) < end);
	return -1;
}

/* A thread that does one blocking read of a context. */
struct ctx_reader {
	pthread_t thread;
	int fd;
	pid_t tid;
	ssize_t ret;
	int err;
	struct ctx_event event;
};

static inline void *ctx_reader_main(void *arg)
{
	struct ctx_reader *reader = arg;

	__atomic_store_n(&reader->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	reader->ret = read(reader->fd, &reader->event, sizeof(reader->event));
	reader->err = errno;
	return NULL;
}

/* Returns 0 once the thread sleeps in its read. */
static inline int ctx_reader_start(struct ctx_reader *reader, int fd)
{
	pid_t tid;

	memset(reader, 0, sizeof(*reader));
	reader->fd = fd;
	if (pthread_create(&reader->thread, NULL, ctx_reader_main, reader))
		return -1;
	while (!(tid = __atomic_load_n(&reader->tid, __ATOMIC_ACQUIRE)))
		usleep(1000);
	return ctx_wait_in_syscall(getpid(), tid, SYS_read);
}

/* Returns 0 once the thread has ended. */
static inline int ctx_thread_join(pthread_t thread)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += CTX_WAIT_MS / 1000;
	return pthread_timedjoin_np(thread, NULL, &end);
}

static inline int ctx_reader_join(struct ctx_reader *reader)
{
	return ctx_thread_join(reader->thread);
}

/* The file to load the module from: $CTX_MODULE, or where it is installed. */
static inline int module_open(void)
{
	const char *path = getenv("CTX_MODULE");
	struct utsname uts;
	char text[256];

	if (!path) {
		uname(&uts);
		snprintf(text, sizeof(text), "/lib/modules/%s/extra/ctx.ko", uts.release);
		path = text;
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}

static inline int module_load(int file)
{
	return syscall(SYS_finit_module, file, "", 0);
}

/* rmmod does the same. It does not wait for the last descriptor to be closed. */
static inline int module_remove(void)
{
	return syscall(SYS_delete_module, "ctx", O_NONBLOCK);
}

/* A fork whose child does not outlive a test that fails. */
static inline pid_t ctx_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

/*
 * Runs the block that follows in a child process; its failed checks make the
 * child's exit status 1, which check_child() finds.
 */
#define in_child(pid) \
	for ((pid) = ctx_fork(); (pid) == 0; _exit(_metadata->passed ? 0 : 1))

#define check_child(pid) ({						\
	int __status = -1;						\
									\
	EXPECT_EQ((pid), waitpid((pid), &__status, 0));			\
	EXPECT_EQ(0, __status);						\
})

/* @call fails with @error. */
#define check_errno(error, call) ({					\
	errno = 0;							\
	EXPECT_EQ(-1, (call));						\
	EXPECT_EQ((error), errno);					\
})

/* @call fails with @error, and changes neither @fd nor the open descriptors. */
#define check_refused(fd, error, call) ({				\
	struct ctx_info __before, __after;				\
	int __fds;							\
									\
	EXPECT_EQ(0, ctx_info((fd), &__before));			\
	__fds = ctx_nr_fds();						\
	check_errno((error), (call));					\
	EXPECT_EQ(__fds, ctx_nr_fds());					\
	EXPECT_EQ(0, ctx_info((fd), &__after));				\
	EXPECT_EQ(0, memcmp(&__before, &__after, sizeof(__after)));	\
})

/* The context is alive by every means of asking that does not block. */
#define check_alive(fd) ({						\
	struct ctx_info __info;						\
									\
	EXPECT_EQ(0, ctx_poll((fd), 0));				\
	EXPECT_EQ(0, ctx_info((fd), &__info));				\
	EXPECT_EQ(0, __info.err);					\
	EXPECT_EQ(0, __info.cause);					\
	EXPECT_EQ(0, __info.origin_id);					\
	EXPECT_EQ(0, __info.cancelled_at);				\
	EXPECT_EQ(0, __info.message_len);				\
})

/* It is cancelled now, and poll, read and INFO agree on how. */
#define check_cancelled(fd, error, why, origin) ({			\
	struct ctx_event __event = {};					\
	struct ctx_info __info;						\
	__u64 __origin = (origin);					\
									\
	EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll((fd), 0));		\
	if (ctx_poll((fd), 0))						\
		EXPECT_EQ(sizeof(__event),				\
			  read((fd), &__event, sizeof(__event)));	\
	EXPECT_EQ((error), __event.err);				\
	EXPECT_EQ((why), __event.cause);				\
	EXPECT_EQ(__origin, __event.origin_id);				\
	EXPECT_EQ(0, ctx_info((fd), &__info));				\
	EXPECT_EQ((error), __info.err);					\
	EXPECT_EQ((why), __info.cause);					\
	EXPECT_EQ(__origin, __info.origin_id);				\
	EXPECT_NE(0, __info.cancelled_at);				\
})

/* The same, of a cancellation that is still to come. */
#define check_becomes_cancelled(fd, error, why, origin) ({		\
	EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll((fd), CTX_WAIT_MS));	\
	check_cancelled((fd), (error), (why), (origin));		\
})

/* One field of INFO. */
#define check_info(fd, field, value) ({					\
	struct ctx_info __info;						\
									\
	EXPECT_EQ(0, ctx_info((fd), &__info));				\
	EXPECT_EQ((value), __info.field);				\
})

/* The message of INFO, a string. */
#define check_message(fd, text) ({					\
	struct ctx_info __info;						\
									\
	EXPECT_EQ(0, ctx_info((fd), &__info));				\
	EXPECT_EQ(strlen(text), __info.message_len);			\
	EXPECT_EQ(0, memcmp(__info.message, (text), strlen(text)));	\
})

#endif /* CTX_SELFTEST_H */
