// SPDX-License-Identifier: GPL-2.0-only
/*
 * The descriptor of a context: poll, select, epoll, read, its flags, its name
 * and fdinfo in /proc, and all that it does not do.
 */
#include "ctx_selftest.h"
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/select.h>
#include <sys/uio.h>

FIXTURE(descriptor) {
	int dev;
	int fd;
	__u64 id;
};

FIXTURE_SETUP(descriptor)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->fd = ctx_new(self->dev);
	ASSERT_LE(0, self->fd);
	self->id = ctx_id(self->fd);
}

FIXTURE_TEARDOWN(descriptor)
{
	close(self->fd);
	close(self->dev);
}

/* poll, select, epoll. */

TEST_F(descriptor, poll_tells_POLLIN_and_POLLRDNORM_for_ever)
{
	struct ctx_event event;
	int i;

	EXPECT_EQ(0, ctx_poll(self->fd, 0));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(self->fd, 0));
		EXPECT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	}
}

TEST_F(descriptor, poll_tells_only_what_was_asked_for)
{
	struct pollfd pfd = { .fd = self->fd, .events = POLLOUT | POLLPRI };

	EXPECT_EQ(0, poll(&pfd, 1, 0));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	pfd.events = POLLRDNORM;
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLRDNORM, pfd.revents);
}

TEST_F(descriptor, select_tells_it_readable_and_nothing_else)
{
	struct timeval now = {};
	fd_set in, out, pri;

	FD_ZERO(&in);
	FD_SET(self->fd, &in);
	EXPECT_EQ(0, select(self->fd + 1, &in, NULL, NULL, &now));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&pri);
	FD_SET(self->fd, &in);
	FD_SET(self->fd, &out);
	FD_SET(self->fd, &pri);
	EXPECT_EQ(1, select(self->fd + 1, &in, &out, &pri, &now));
	EXPECT_TRUE(FD_ISSET(self->fd, &in));
	EXPECT_FALSE(FD_ISSET(self->fd, &out));
	EXPECT_FALSE(FD_ISSET(self->fd, &pri));
}

static int epoll_with(int fd, __u32 events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) ? -1 : ep;
}

TEST_F(descriptor, epoll_by_level_tells_it_again_and_again)
{
	int ep = epoll_with(self->fd, EPOLLIN | EPOLLRDNORM), i;
	struct epoll_event event;

	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
		EXPECT_EQ(EPOLLIN | EPOLLRDNORM, event.events);
		EXPECT_EQ(self->fd, event.data.fd);
	}
	close(ep);
}

TEST_F(descriptor, epoll_by_edge_tells_it_once)
{
	int ep = epoll_with(self->fd, EPOLLIN | EPOLLET);
	struct epoll_event event;

	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	/* There is no second edge: it was cancelled before. */
	EXPECT_EQ(1, ctx_cancel(self->fd, EIO, NULL));
	EXPECT_EQ(1, ctx_poll(self->fd, 0) & POLLIN);
	close(ep);
}

TEST_F(descriptor, epoll_tells_at_once_what_was_cancelled_before)
{
	struct epoll_event event;
	int level, edge;

	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	level = epoll_with(self->fd, EPOLLIN);
	edge = epoll_with(self->fd, EPOLLIN | EPOLLET);
	EXPECT_EQ(1, epoll_wait(level, &event, 1, 0));
	EXPECT_EQ(1, epoll_wait(edge, &event, 1, 0));
	close(level);
	close(edge);
}

TEST_F(descriptor, epoll_nested_in_epoll_tells_it)
{
	int inner = epoll_with(self->fd, EPOLLIN);
	int outer = epoll_with(inner, EPOLLIN);
	struct epoll_event event;

	ASSERT_LE(0, outer);
	EXPECT_EQ(0, epoll_wait(outer, &event, 1, 0));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	EXPECT_EQ(1, epoll_wait(outer, &event, 1, 0));
	EXPECT_EQ(inner, event.data.fd);
	close(outer);
	close(inner);
}

/* A thread that sleeps in epoll_wait(). */
struct epoll_waiter {
	pthread_t thread;
	int ep;
	pid_t tid;
	int ret;
};

static void *epoll_waiter_main(void *arg)
{
	struct epoll_waiter *waiter = arg;
	struct epoll_event event;

	__atomic_store_n(&waiter->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	waiter->ret = syscall(SYS_epoll_pwait, waiter->ep, &event, 1,
			      CTX_WAIT_MS, NULL, 0);
	return NULL;
}

TEST_F(descriptor, epoll_wakes_all_who_wait_with_EPOLLEXCLUSIVE)
{
	struct epoll_waiter waiters[5] = {};
	struct ctx_reader reader;
	unsigned int i;
	pid_t tid;

	for (i = 0; i < ARRAY_SIZE(waiters); i++) {
		waiters[i].ep = epoll_with(self->fd, EPOLLIN | EPOLLEXCLUSIVE);
		ASSERT_LE(0, waiters[i].ep);
		ASSERT_EQ(0, pthread_create(&waiters[i].thread, NULL,
					    epoll_waiter_main, &waiters[i]));
		while (!(tid = __atomic_load_n(&waiters[i].tid, __ATOMIC_ACQUIRE)))
			usleep(1000);
		ASSERT_EQ(0, ctx_wait_in_syscall(getpid(), tid, SYS_epoll_pwait));
	}
	ASSERT_EQ(0, ctx_reader_start(&reader, self->fd));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	for (i = 0; i < ARRAY_SIZE(waiters); i++) {
		ASSERT_EQ(0, ctx_thread_join(waiters[i].thread));
		EXPECT_EQ(1, waiters[i].ret);
		close(waiters[i].ep);
	}
	ASSERT_EQ(0, ctx_reader_join(&reader));
}

/* read. */

TEST_F(descriptor, read_gives_the_event_and_does_not_consume_it)
{
	struct ctx_event event;
	int i;

	EXPECT_EQ(0, ctx_cancel(self->fd, 1234567, NULL));
	for (i = 0; i < 3; i++) {
		memset(&event, 0xa5, sizeof(event));
		EXPECT_EQ(16, read(self->fd, &event, sizeof(event)));
		EXPECT_EQ(ECANCELED, event.err);
		EXPECT_EQ(1234567, event.cause);
		EXPECT_EQ(self->id, event.origin_id);
	}
}

TEST_F(descriptor, read_gives_16_bytes_to_a_larger_buffer)
{
	struct ctx_event event[3];
	unsigned char *bytes = (unsigned char *)event;
	unsigned int i;

	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	memset(event, 0xa5, sizeof(event));
	EXPECT_EQ(16, read(self->fd, event, sizeof(event)));
	for (i = 16; i < sizeof(event); i++)
		EXPECT_EQ(0xa5, bytes[i]);
}

TEST_F(descriptor, read_into_less_than_16_bytes_gives_EINVAL)
{
	char buf[16];
	size_t size;

	for (size = 0; size < 16; size++)
		check_refused(self->fd, EINVAL, read(self->fd, buf, size));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	for (size = 0; size < 16; size++)
		check_refused(self->fd, EINVAL, read(self->fd, buf, size));
}

TEST_F(descriptor, readv_scatters_the_event)
{
	struct ctx_event event = {};
	struct iovec iov[] = {
		{ &event, 3 }, { (char *)&event + 3, sizeof(event) - 3 },
	};

	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	EXPECT_EQ(16, readv(self->fd, iov, ARRAY_SIZE(iov)));
	EXPECT_EQ(ECANCELED, event.err);
	EXPECT_EQ(EIO, event.cause);
	EXPECT_EQ(self->id, event.origin_id);
}

TEST_F(descriptor, read_to_a_bad_address_gives_EFAULT)
{
	char *page = mmap(NULL, 2 * getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	munmap(page + getpagesize(), getpagesize());
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	check_refused(self->fd, EFAULT, read(self->fd, page + getpagesize(), 16));
	check_refused(self->fd, EFAULT,
		      read(self->fd, page + getpagesize() - 15, 16));
	EXPECT_EQ(16, read(self->fd, page + getpagesize() - 16, 16));
	munmap(page, getpagesize());
}

TEST_F(descriptor, read_gives_EAGAIN_where_it_would_wait_and_may_not)
{
	int fd = ctx_create(self->fd, &(struct ctx_create_args){
		.fd_flags = CTX_NONBLOCK,
	});
	struct ctx_event event;

	ASSERT_LE(0, fd);
	check_refused(fd, EAGAIN, read(fd, &event, sizeof(event)));
	/* The flag is the description's, and can be set later as well. */
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	check_refused(self->fd, EAGAIN, read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	EXPECT_EQ(16, read(fd, &event, sizeof(event)));
	EXPECT_EQ(16, read(self->fd, &event, sizeof(event)));
	close(fd);
}

/* The caller's flag for one call, on a context and on the background alike */
TEST_F(descriptor, read_gives_EAGAIN_with_RWF_NOWAIT)
{
	const int fds[] = {
		self->fd, ctx_watch(self->fd, 0), self->dev, ctx_watch(self->dev, 0),
	};
	struct ctx_event event;
	struct iovec iov = { .iov_base = &event, .iov_len = sizeof(event) };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		check_errno(EAGAIN, preadv2(fds[i], &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	EXPECT_EQ(16, preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	close(fds[1]);
	close(fds[3]);
}

static int nr_signals;

static void count_signal(int sig)
{
	(void)sig;
	__atomic_fetch_add(&nr_signals, 1, __ATOMIC_RELAXED);
}

/* Sends a signal to a reader that sleeps; returns 0 once it was handled. */
static int interrupt(const struct ctx_reader *reader, int flags)
{
	struct sigaction action = {
		.sa_handler = count_signal,
		.sa_flags = flags,
	};
	int i;

	__atomic_store_n(&nr_signals, 0, __ATOMIC_RELAXED);
	if (sigaction(SIGUSR1, &action, NULL) ||
	    syscall(SYS_tgkill, getpid(), reader->tid, SIGUSR1))
		return -1;
	for (i = 0; i < CTX_WAIT_MS; i++) {
		if (__atomic_load_n(&nr_signals, __ATOMIC_RELAXED))
			return 0;
		usleep(1000);
	}
	return -1;
}

TEST_F(descriptor, read_is_interrupted_by_a_signal_with_EINTR)
{
	struct ctx_reader reader;

	ASSERT_EQ(0, ctx_reader_start(&reader, self->fd));
	EXPECT_EQ(0, interrupt(&reader, 0));
	ASSERT_EQ(0, ctx_reader_join(&reader));
	EXPECT_EQ(-1, reader.ret);
	EXPECT_EQ(EINTR, reader.err);
	check_alive(self->fd);
}

TEST_F(descriptor, read_is_restarted_after_a_signal_with_SA_RESTART)
{
	struct ctx_reader reader;

	ASSERT_EQ(0, ctx_reader_start(&reader, self->fd));
	EXPECT_EQ(0, interrupt(&reader, SA_RESTART));
	ASSERT_EQ(0, ctx_wait_in_syscall(getpid(), reader.tid, SYS_read));
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	ASSERT_EQ(0, ctx_reader_join(&reader));
	EXPECT_EQ(16, reader.ret);
	EXPECT_EQ(EIO, reader.event.cause);
}

TEST_F(descriptor, read_of_the_background_is_interrupted_with_EINTR)
{
	struct ctx_reader reader;

	ASSERT_EQ(0, ctx_reader_start(&reader, self->dev));
	EXPECT_EQ(0, interrupt(&reader, 0));
	ASSERT_EQ(0, ctx_reader_join(&reader));
	EXPECT_EQ(-1, reader.ret);
	EXPECT_EQ(EINTR, reader.err);
}

/* What kind of descriptor it is. */

TEST_F(descriptor, create_opens_read_write_with_the_flags_asked_for)
{
	const __u32 flags[] = {
		0, CTX_CLOEXEC, CTX_NONBLOCK, CTX_CLOEXEC | CTX_NONBLOCK,
	};
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		fd = ctx_create(self->fd, &(struct ctx_create_args){
			.fd_flags = flags[i],
		});
		ASSERT_LE(0, fd);
		EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(flags[i] & CTX_NONBLOCK ? O_NONBLOCK : 0,
			  fcntl(fd, F_GETFL) & O_NONBLOCK);
		EXPECT_EQ(flags[i] & CTX_CLOEXEC ? FD_CLOEXEC : 0,
			  fcntl(fd, F_GETFD));
		close(fd);
	}
}

TEST_F(descriptor, is_named_ctx_in_proc)
{
	char path[32], name[64] = "";
	int watch = ctx_watch(self->fd, 0);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_LT(0, readlink(path, name, sizeof(name) - 1));
	EXPECT_STREQ("anon_inode:[ctx]", name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", watch);
	EXPECT_LT(0, readlink(path, name, sizeof(name) - 1));
	EXPECT_STREQ("anon_inode:[ctx]", name);
	close(watch);
}

TEST_F(descriptor, does_nothing_that_an_eventfd_would_not)
{
	int out[2], null = open("/dev/null", O_RDWR), value = 0;
	int event = eventfd(0, 0);
	char buf[16] = "";

	ASSERT_EQ(0, pipe(out));
	check_refused(self->fd, EINVAL, write(self->fd, buf, sizeof(buf)));
	check_refused(self->fd, ESPIPE, lseek(self->fd, 0, SEEK_SET));
	check_refused(self->fd, ESPIPE, lseek(self->fd, 1, SEEK_CUR));
	check_refused(self->fd, ESPIPE, pread(self->fd, buf, sizeof(buf), 0));
	check_refused(self->fd, ESPIPE, pwrite(self->fd, buf, sizeof(buf), 0));
	/* EOPNOTSUPP where the kernel takes anonymous inodes for files. */
	EXPECT_EQ(-1, ftruncate(event, 0));
	value = errno;
	check_refused(self->fd, value, ftruncate(self->fd, 0));
	check_refused(self->fd, EINVAL, fsync(self->fd));
	check_refused(self->fd, EINVAL, sendfile(null, self->fd, NULL, 16));
	check_refused(self->fd, EINVAL, splice(self->fd, NULL, out[1], NULL, 16, 0));
	check_refused(self->fd, ENOTTY, ioctl(self->fd, FIONREAD, &value));
	check_refused(self->fd, ENOTTY, ioctl(self->fd, TIOCGWINSZ, buf));
	check_alive(self->fd);
	close(event);
	close(out[0]);
	close(out[1]);
	close(null);
}

TEST_F(descriptor, the_device_does_not_either)
{
	char buf[16] = "";

	check_errno(EINVAL, write(self->dev, buf, sizeof(buf)));
	check_errno(ESPIPE, lseek(self->dev, 0, SEEK_SET));
	check_errno(ESPIPE, pread(self->dev, buf, sizeof(buf), 0));
	check_errno(EINVAL, ftruncate(self->dev, 0));
}

/* fdinfo. */

/* The value of @key in the fdinfo of @fd, a string until the next call. */
static const char *line_of(int fd, const char *key)
{
	static char text[4096];
	char path[64], *line, *end;
	size_t len = strlen(key);
	ssize_t size;
	int file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	size = read(file, text, sizeof(text) - 1);
	close(file);
	text[size > 0 ? size : 0] = '\0';
	for (line = text; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		if (!strncmp(line, key, len) && !strncmp(line + len, ":\t", 2)) {
			*end = '\0';
			return line + len + 2;
		}
		if (!*end)
			break;
	}
	return "(no such line)";
}

#define check_fdinfo(fd, key, value) \
	EXPECT_STREQ((value), line_of((fd), (key)))

#define check_fdinfo_number(fd, key, value) ({				\
	const char *__text = line_of((fd), (key));			\
	char *__end;							\
									\
	EXPECT_EQ((__u64)(value), strtoull(__text, &__end, 0));		\
	EXPECT_STREQ("", __end);					\
	EXPECT_NE(0, *__text);						\
})

TEST_F(descriptor, fdinfo_tells_of_a_context_that_is_alive)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;
	struct ctx_create_args args = {
		.flags = CTX_CREATE_DETACHED,
		.deadline = when,
		.clockid = CLOCK_MONOTONIC,
		.name = "build job 7",
	};
	int fd = ctx_create(self->fd, &args), child = ctx_new(fd);

	ASSERT_LE(0, child);
	check_fdinfo_number(fd, "ctx-id", ctx_id(fd));
	check_fdinfo_number(fd, "ctx-parent", self->id);
	check_fdinfo_number(fd, "ctx-origin", 0);
	check_fdinfo(fd, "ctx-name", "build job 7");
	check_fdinfo_number(fd, "ctx-depth", 1);
	check_fdinfo_number(fd, "ctx-children", 1);
	check_fdinfo_number(fd, "ctx-err", 0);
	check_fdinfo_number(fd, "ctx-cause", 0);
	check_fdinfo_number(fd, "ctx-deadline", when);
	check_fdinfo_number(fd, "ctx-flags", CTX_CREATE_DETACHED);
	check_fdinfo(fd, "ctx-message", "");
	close(child);
	close(fd);
}

static void sleep_until(__u64 when)
{
	struct timespec ts = { .tv_sec = when / NSEC_PER_SEC, .tv_nsec = when % NSEC_PER_SEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* In seconds of a clock that ticks, so that each end may be a second off. */
TEST_F(descriptor, fdinfo_tells_how_old_a_context_is)
{
	__u64 before = ctx_clock(CLOCK_MONOTONIC);
	int fd = ctx_new(self->fd);
	__u64 after = ctx_clock(CLOCK_MONOTONIC), age, end;

	sleep_until(after + 2 * NSEC_PER_SEC);
	age = strtoull(line_of(fd, "ctx-age"), NULL, 10);
	end = ctx_clock(CLOCK_MONOTONIC);
	EXPECT_LE(1, age);
	EXPECT_GE((end - before) / NSEC_PER_SEC + 1, age);
	EXPECT_EQ(0, ctx_cancel(fd, 0, NULL));
	EXPECT_LE(age, strtoull(line_of(fd, "ctx-age"), NULL, 10));
	close(fd);
}

TEST_F(descriptor, fdinfo_tells_of_a_context_that_is_cancelled)
{
	int fd = ctx_new(self->fd), watch = ctx_watch(fd, 0);

	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, "the disk is full"));
	check_fdinfo_number(watch, "ctx-id", ctx_id(fd));
	check_fdinfo_number(watch, "ctx-parent", self->id);
	check_fdinfo_number(watch, "ctx-origin", self->id);
	check_fdinfo(watch, "ctx-name", "");
	check_fdinfo_number(watch, "ctx-depth", 1);
	check_fdinfo_number(watch, "ctx-children", 0);
	check_fdinfo_number(watch, "ctx-err", ECANCELED);
	check_fdinfo_number(watch, "ctx-cause", EIO);
	check_fdinfo_number(watch, "ctx-deadline", 0);
	check_fdinfo_number(watch, "ctx-flags", 0);
	check_fdinfo(watch, "ctx-message", "the disk is full");
	check_fdinfo_number(self->fd, "ctx-children", 0);
	close(watch);
	close(fd);
}

/* Undoes the escapes, \ooo or \\, in place. */
static const char *unescape(const char *value)
{
	static char text[1024];
	char *to = text;

	for (; *value && to < text + sizeof(text) - 1; to++) {
		if (value[0] != '\\') {
			*to = *value++;
		} else if (value[1] == '\\') {
			*to = '\\';
			value += 2;
		} else {
			*to = (value[1] - '0') * 64 + (value[2] - '0') * 8 +
			      value[3] - '0';
			value += 4;
		}
	}
	*to = '\0';
	return text;
}

#define check_fdinfo_escaped(fd, key, text) ({				\
	const char *__value = line_of((fd), (key)), *__p;		\
									\
	for (__p = __value; *__p; __p++)				\
		EXPECT_TRUE(*__p >= ' ' && *__p <= '~');		\
	EXPECT_STREQ((text), unescape(__value));			\
})

TEST_F(descriptor, fdinfo_escapes_text_so_that_it_forges_no_line)
{
	static const char name[] = "a\nctx-err:\t7\r\033[2J\177\\012";
	static const char message[] = "\\ \001\002\n\nctx-id:\t1\nctx-cause:\t2\n\303\251";
	int fd = ctx_new_named(self->fd, name);

	ASSERT_LE(0, fd);
	check_fdinfo_escaped(fd, "ctx-name", name);
	check_fdinfo_number(fd, "ctx-err", 0);
	EXPECT_EQ(0, ctx_cancel(fd, EIO, message));
	check_fdinfo_escaped(fd, "ctx-message", message);
	check_fdinfo_escaped(fd, "ctx-name", name);
	check_fdinfo_number(fd, "ctx-id", ctx_id(fd));
	check_fdinfo_number(fd, "ctx-cause", EIO);
	check_fdinfo_number(fd, "ctx-err", ECANCELED);
	close(fd);
}

TEST_HARNESS_MAIN
