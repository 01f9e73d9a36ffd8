// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interface for other modules, by way of the sample module: a read of
 * /dev/ctx-sample waits for data and gives up with the context of its open file.
 */
#include "ctx_features.h"
#include "sample.h"
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>

FIXTURE(kernel_api) {
	int dev;
	int root;
	int child;
	int sample;		/* with @child as its context */
	char *none;		/* why there is no sample module */
	long tainted;		/* by what, before */
};

/* A kernel that has warned is tainted. */
static long kernel_tainted(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	long tainted = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &tainted) != 1)
		tainted = -1;
	fclose(file);
	return tainted;
}

FIXTURE_SETUP(kernel_api)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
	self->child = ctx_new(self->root);
	ASSERT_LE(0, self->child);
	self->sample = -1;
	self->none = load_sample();
	if (self->none)
		return;
	self->tainted = kernel_tainted();
	self->sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->sample);
	ASSERT_EQ(0, ioctl(self->sample, CTX_SAMPLE_SET_CTX, self->child));
}

FIXTURE_TEARDOWN(kernel_api)
{
	close(self->sample);
	close(self->child);
	close(self->root);
	close(self->dev);
	/* It would keep ctx itself in; and each test is to see it come and go. */
	if (self->none)
		return;
	EXPECT_EQ(0, unload_sample());
	EXPECT_EQ(self->tainted, kernel_tainted());
}

#define needs_sample(self) do {						\
	if ((self)->none)						\
		SKIP(return, "there is no sample module: %s", (self)->none); \
} while (0)

/* A thread that does one blocking read of the device */
struct sample_reader {
	pthread_t thread;
	int fd;
	pid_t tid;
	ssize_t ret;
	int err;
	char buf[16];
};

static void *sample_reader_main(void *arg)
{
	struct sample_reader *reader = arg;

	__atomic_store_n(&reader->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	reader->ret = read(reader->fd, reader->buf, sizeof(reader->buf));
	reader->err = errno;
	return NULL;
}

/* Returns 0 once the thread sleeps in its read */
static int sample_reader_start(struct sample_reader *reader, int fd)
{
	pid_t tid;

	memset(reader, 0, sizeof(*reader));
	reader->fd = fd;
	if (pthread_create(&reader->thread, NULL, sample_reader_main, reader))
		return -1;
	while (!(tid = __atomic_load_n(&reader->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	return ctx_wait_in_syscall(getpid(), tid, SYS_read);
}

TEST_F(kernel_api, a_read_of_the_module_gives_up_upon_cancellation)
{
	struct sample_reader reader;

	needs_sample(self);
	ASSERT_EQ(0, sample_reader_start(&reader, self->sample));
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(-1, reader.ret);
	EXPECT_EQ(ECANCELED, reader.err);
}

TEST_F(kernel_api, a_read_gives_up_upon_a_cancellation_above_in_another_process)
{
	struct sample_reader reader;
	pid_t pid;

	needs_sample(self);
	ASSERT_EQ(0, sample_reader_start(&reader, self->sample));
	in_child(pid)
		EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(ECANCELED, reader.err);
	check_child(pid);
}

TEST_F(kernel_api, a_read_gives_up_upon_a_deadline)
{
	struct sample_reader reader;

	needs_sample(self);
	ASSERT_EQ(0, sample_reader_start(&reader, self->sample));
	EXPECT_EQ(0, ctx_set_timeout(self->root, NSEC_PER_MSEC));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(-1, reader.ret);
	EXPECT_EQ(ETIMEDOUT, reader.err);
}

TEST_F(kernel_api, a_read_gives_up_upon_the_cancellation_of_a_further_parent)
{
	int merged = ctx_new_merged2(self->dev, self->child);
	int sample = -1;
	struct sample_reader reader;

	needs_sample(self);
	sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, merged));
	ASSERT_EQ(0, sample_reader_start(&reader, sample));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(ECANCELED, reader.err);
	close(sample);
	close(merged);
}

TEST_F(kernel_api, every_reader_gives_up)
{
	struct sample_reader reader[6];
	int i;

	needs_sample(self);
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, sample_reader_start(&reader[i], self->sample));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, ctx_thread_join(reader[i].thread));
		EXPECT_EQ(ECANCELED, reader[i].err);
	}
}

TEST_F(kernel_api, a_read_of_a_cancelled_context_gives_up_at_once)
{
	char byte;

	needs_sample(self);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_errno(ECANCELED, read(self->sample, &byte, 1));
}

TEST_F(kernel_api, data_that_are_there_win_over_a_cancellation)
{
	char buf[4];

	needs_sample(self);
	EXPECT_EQ(3, write(self->sample, "abc", 3));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	EXPECT_EQ(3, read(self->sample, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
	check_errno(ECANCELED, read(self->sample, buf, sizeof(buf)));
}

TEST_F(kernel_api, a_read_that_waits_takes_data)
{
	struct sample_reader reader;

	needs_sample(self);
	ASSERT_EQ(0, sample_reader_start(&reader, self->sample));
	EXPECT_EQ(3, write(self->sample, "abc", 3));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(3, reader.ret);
	EXPECT_EQ(0, memcmp(reader.buf, "abc", 3));
	check_alive(self->child);
}

TEST_F(kernel_api, an_open_file_without_a_context_waits_on)
{
	int sample = -1;
	struct sample_reader reader;

	needs_sample(self);
	sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, sample_reader_start(&reader, sample));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	EXPECT_EQ(3, write(sample, "abc", 3));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(3, reader.ret);
	close(sample);
}

TEST_F(kernel_api, a_read_gives_up_with_a_context_that_comes_later)
{
	int sample = -1;
	struct sample_reader reader;

	needs_sample(self);
	sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, sample_reader_start(&reader, sample));
	ASSERT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, self->child));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(-1, reader.ret);
	EXPECT_EQ(ECANCELED, reader.err);
	close(sample);
}

TEST_F(kernel_api, poll_notices_a_context_that_comes_later)
{
	struct pollfd pfd = { .fd = -1 };
	pid_t pid;

	needs_sample(self);
	pfd.fd = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	in_child(pid) {
		ASSERT_EQ(1, poll(&pfd, 1, CTX_WAIT_MS));
		EXPECT_EQ(POLLERR, pfd.revents);
	}
	ASSERT_EQ(0, ctx_wait_in_syscall(pid, pid, SYS_poll));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(0, ioctl(pfd.fd, CTX_SAMPLE_SET_CTX, self->child));
	check_child(pid);
	close(pfd.fd);
}

TEST_F(kernel_api, the_errors_of_the_sample_are_no_lengths)
{
	char *bad = mmap(NULL, 64, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buf[64] = {};

	needs_sample(self);
	EXPECT_EQ(0, write(self->sample, buf, 0));
	EXPECT_EQ(64, write(self->sample, buf, sizeof(buf)));
	check_errno(EAGAIN, write(self->sample, buf, 1));
	check_errno(EFAULT, write(self->sample, bad, 1));
	check_errno(EFAULT, read(self->sample, bad, sizeof(buf)));
}

TEST_F(kernel_api, the_background_never_makes_it_give_up)
{
	int sample = -1;
	struct sample_reader reader;

	needs_sample(self);
	sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, self->dev));
	ASSERT_EQ(0, sample_reader_start(&reader, sample));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	EXPECT_EQ(3, write(sample, "abc", 3));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(3, reader.ret);
	close(sample);
}

TEST_F(kernel_api, what_is_no_context_is_refused)
{
	int sample = -1;

	needs_sample(self);
	sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	check_errno(EBADF, ioctl(sample, CTX_SAMPLE_SET_CTX, -1));
	check_errno(EBADF, ioctl(sample, CTX_SAMPLE_SET_CTX, 1 << 20));
	check_errno(EINVAL, ioctl(sample, CTX_SAMPLE_SET_CTX, sample));
	/* A watch is one. */
	EXPECT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, ctx_watch(self->child, 0)));
	close(sample);
}

TEST_F(kernel_api, the_module_keeps_the_context_but_not_its_owner)
{
	__u64 id = ctx_id(self->child);
	int watch = ctx_watch(self->child, 0);
	struct sample_reader reader;

	needs_sample(self);
	ASSERT_EQ(0, sample_reader_start(&reader, self->sample));
	/* A module's reference is not a writable descriptor. */
	close(self->child);
	self->child = -1;
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(ECANCELED, reader.err);
	check_cancelled(watch, ECANCELED, EOWNERDEAD, id);
	close(watch);
}

TEST_F(kernel_api, ctx_stays_while_a_module_uses_it)
{
	needs_sample(self);
	check_errno(EWOULDBLOCK, syscall(SYS_delete_module, "ctx", O_NONBLOCK));
}

/* Those who poll the device are woken by its callback alone. */

#define POLL_BOUND	20000	/* ms */

struct sample_poller {
	pthread_t thread;
	int fd;
	pid_t tid;
	short revents;
};

static void *sample_poller_main(void *arg)
{
	struct sample_poller *poller = arg;
	struct pollfd pfd = { .fd = poller->fd, .events = POLLIN };

	__atomic_store_n(&poller->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	if (syscall(SYS_poll, &pfd, 1, POLL_BOUND) == 1)
		poller->revents = pfd.revents;
	return NULL;
}

static int sample_poller_start(struct sample_poller *poller, int fd)
{
	pid_t tid;

	memset(poller, 0, sizeof(*poller));
	poller->fd = fd;
	if (pthread_create(&poller->thread, NULL, sample_poller_main, poller))
		return -1;
	while (!(tid = __atomic_load_n(&poller->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	return ctx_wait_in_syscall(getpid(), tid, SYS_poll);
}

static short sample_revents(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 ? pfd.revents : 0;
}

TEST_F(kernel_api, a_callback_runs_upon_a_cancellation)
{
	struct sample_poller poller;

	needs_sample(self);
	EXPECT_EQ(0, sample_revents(self->sample));
	ASSERT_EQ(0, sample_poller_start(&poller, self->sample));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(0, ctx_thread_join(poller.thread));
	EXPECT_EQ(POLLERR, poller.revents);
}

TEST_F(kernel_api, a_callback_runs_upon_a_deadline)
{
	struct sample_poller poller;

	needs_sample(self);
	ASSERT_EQ(0, sample_poller_start(&poller, self->sample));
	EXPECT_EQ(0, ctx_set_timeout(self->child, NSEC_PER_MSEC));
	ASSERT_EQ(0, ctx_thread_join(poller.thread));
	EXPECT_EQ(POLLERR, poller.revents);
}

/*
 * Where nobody else can, a queue runs it. It waits for a work of the kernel's own queue, of
 * which a queue that frees memory must not: the kernel would warn, which the fixture sees.
 */
TEST_F(kernel_api, a_callback_may_wait_for_a_work_whoever_runs_it)
{
	struct sample_poller poller;
	int child, sample, i;
	pid_t pid;

	needs_sample(self);
	for (i = 0; i < 3; i++) {
		in_child(pid) {
			child = ctx_new(self->dev);
			sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
			ASSERT_LE(0, sample);
			ASSERT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, child));
			ASSERT_EQ(0, sample_poller_start(&poller, sample));
			switch (i) {
			case 0:
				EXPECT_EQ(0, ctx_set_timeout(child, NSEC_PER_MSEC));
				break;
			case 1:
				EXPECT_EQ(0, close(child));
				break;
			default:
				kill(getpid(), SIGKILL);
			}
			ASSERT_EQ(0, ctx_thread_join(poller.thread));
			EXPECT_EQ(POLLERR, poller.revents);
		}
		if (i < 2)
			check_child(pid);
		else
			EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	}
}

TEST_F(kernel_api, a_callback_runs_upon_the_cancellation_of_a_further_parent)
{
	int merged = ctx_new_merged2(self->dev, self->root);
	struct sample_poller poller;
	int sample;

	needs_sample(self);
	sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, sample);
	ASSERT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, merged));
	ASSERT_EQ(0, sample_poller_start(&poller, sample));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	ASSERT_EQ(0, ctx_thread_join(poller.thread));
	EXPECT_EQ(POLLERR, poller.revents);
	close(sample);
	close(merged);
}

/* A walk comes first by what came last: here by a callback, an edge, and another callback. */
TEST_F(kernel_api, callbacks_keep_no_walk_from_a_merged_context_between_them)
{
	int merged = ctx_new_merged2(self->dev, self->child), sample;

	needs_sample(self);
	sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, sample);
	ASSERT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, self->child));
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	EXPECT_EQ(POLLERR, sample_revents(sample));
	EXPECT_EQ(POLLERR, sample_revents(self->sample));
	check_cancelled(merged, ECANCELED, EIO, ctx_id(self->root));
	close(sample);
	close(merged);
}

TEST_F(kernel_api, a_callback_is_refused_where_the_context_is_cancelled)
{
	int sample;

	needs_sample(self);
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, sample);
	EXPECT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, self->child));
	EXPECT_EQ(POLLERR, sample_revents(sample));
	close(sample);
}

/* Its memory is freed with the open file: a walk that came by it would tell. */
TEST_F(kernel_api, a_callback_that_was_removed_is_not_run)
{
	int sample[8], i;

	needs_sample(self);
	for (i = 0; i < 8; i++) {
		sample[i] = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, sample[i]);
		ASSERT_EQ(0, ioctl(sample[i], CTX_SAMPLE_SET_CTX, self->child));
	}
	for (i = 0; i < 8; i += 2)
		close(sample[i]);
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	for (i = 1; i < 8; i += 2) {
		EXPECT_EQ(POLLERR, sample_revents(sample[i]));
		close(sample[i]);
	}
}

struct canceller {
	int fd;
	pthread_barrier_t *together;
};

static void *canceller_main(void *arg)
{
	struct canceller *canceller = arg;

	pthread_barrier_wait(canceller->together);
	ctx_cancel(canceller->fd, EIO, NULL);
	return NULL;
}

TEST_F_TIMEOUT(kernel_api, callbacks_are_removed_while_they_are_run, 120)
{
	pthread_barrier_t together;
	struct canceller canceller = { .together = &together };
	pthread_t thread;
	int round, sample;

	needs_sample(self);
	ASSERT_EQ(0, pthread_barrier_init(&together, NULL, 2));
	for (round = 0; round < 200; round++) {
		canceller.fd = ctx_new(self->root);
		ASSERT_LE(0, canceller.fd);
		sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, sample);
		ASSERT_EQ(0, ioctl(sample, CTX_SAMPLE_SET_CTX, canceller.fd));
		ASSERT_EQ(0, pthread_create(&thread, NULL, canceller_main, &canceller));
		pthread_barrier_wait(&together);
		EXPECT_EQ(0, close(sample));
		ASSERT_EQ(0, ctx_thread_join(thread));
		close(canceller.fd);
	}
	pthread_barrier_destroy(&together);
}

static void ignore(int signo)
{
	(void)signo;
}

TEST_F(kernel_api, a_signal_interrupts_the_wait)
{
	struct sigaction action = { .sa_handler = ignore };
	struct sample_reader reader;

	needs_sample(self);
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, sample_reader_start(&reader, self->sample));
	ASSERT_EQ(0, pthread_kill(reader.thread, SIGUSR1));
	ASSERT_EQ(0, ctx_thread_join(reader.thread));
	EXPECT_EQ(-1, reader.ret);
	EXPECT_EQ(EINTR, reader.err);
}

TEST_HARNESS_MAIN
