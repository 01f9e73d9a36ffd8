// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctxfd_read() and ctxfd_write() on what programs read and write: in blocking
 * and non-blocking mode, alone and beside others who take what is there.
 */
#include "libctxfd.h"
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sched.h>
#include <termios.h>

/* What an eventfd takes, too. */
static const __u64 message = 1;

static long call_read(struct caller *caller)
{
	return ctxfd_read(caller->ctx, caller->fd, caller->buf, caller->size);
}

static long call_write(struct caller *caller)
{
	return ctxfd_write(caller->ctx, caller->fd, caller->buf, caller->size);
}

/* Each opens two ends: what is written to [1] can be read from [0]. */

static int open_pipe(int fds[2])
{
	return pipe(fds);
}

static int open_packets(int fds[2])
{
	return pipe2(fds, O_DIRECT);
}

static int open_fifo(int fds[2])
{
	char path[] = "/tmp/libctxfd.XXXXXX";

	if (!mkdtemp(path) || chdir(path) || mkfifo("fifo", 0600))
		return -1;
	/* A FIFO that is open both ways waits for nobody. */
	fds[0] = open("fifo", O_RDWR);
	fds[1] = open("fifo", O_WRONLY);
	unlink("fifo");
	rmdir(path);
	return fds[0] < 0 || fds[1] < 0 ? -1 : 0;
}

static int open_stream(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static int open_seqpacket(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds);
}

static int open_datagram(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
}

/* The guest has no /dev/pts, and no other place is needed. */
static int mount_pts(void)
{
	return mkdir("/tmp/pts", 0700) && errno != EEXIST ? -1 :
	       unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("devpts", "/tmp/pts", "devpts", 0, "ptmxmode=0666");
}

static int open_pty(int fds[2])
{
	struct termios raw;

	if (mount_pts())
		return -1;
	fds[1] = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY);
	if (fds[1] < 0 || ioctl(fds[1], TIOCSPTLCK, &(int){ 0 }))
		return -1;
	fds[0] = ioctl(fds[1], TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (fds[0] < 0 || tcgetattr(fds[0], &raw))
		return -1;
	cfmakeraw(&raw);
	return tcsetattr(fds[0], TCSANOW, &raw);
}

static int open_eventfd(int fds[2])
{
	fds[0] = eventfd(0, 0);
	fds[1] = dup(fds[0]);
	return fds[0] < 0 || fds[1] < 0 ? -1 : 0;
}

FIXTURE(io) {
	int fds[2];
	int ctx;
};

FIXTURE_VARIANT(io) {
	int (*open)(int fds[2]);
	int mode;
	bool counts;		/* an eventfd: what is read is all that was written */
	bool ends;		/* the reader is told of the last writer's end */
	bool breaks;		/* the writer gets SIGPIPE after the last reader's */
};

FIXTURE_VARIANT_ADD(io, pipe) {
	.open = open_pipe, .mode = 0, .ends = true, .breaks = true
};

FIXTURE_VARIANT_ADD(io, pipe_nonblock) {
	.open = open_pipe, .mode = O_NONBLOCK, .ends = true, .breaks = true
};

FIXTURE_VARIANT_ADD(io, packets) {
	.open = open_packets, .mode = 0, .ends = true, .breaks = true
};

FIXTURE_VARIANT_ADD(io, packets_nonblock) {
	.open = open_packets, .mode = O_NONBLOCK, .ends = true, .breaks = true
};

FIXTURE_VARIANT_ADD(io, fifo) {
	.open = open_fifo, .mode = 0
};

FIXTURE_VARIANT_ADD(io, fifo_nonblock) {
	.open = open_fifo, .mode = O_NONBLOCK
};

FIXTURE_VARIANT_ADD(io, stream) {
	.open = open_stream, .mode = 0, .ends = true, .breaks = true
};

FIXTURE_VARIANT_ADD(io, stream_nonblock) {
	.open = open_stream, .mode = O_NONBLOCK, .ends = true, .breaks = true
};

FIXTURE_VARIANT_ADD(io, seqpacket) {
	.open = open_seqpacket, .mode = 0, .ends = true
};

FIXTURE_VARIANT_ADD(io, seqpacket_nonblock) {
	.open = open_seqpacket, .mode = O_NONBLOCK, .ends = true
};

FIXTURE_VARIANT_ADD(io, datagram) {
	.open = open_datagram, .mode = 0
};

FIXTURE_VARIANT_ADD(io, datagram_nonblock) {
	.open = open_datagram, .mode = O_NONBLOCK
};

FIXTURE_VARIANT_ADD(io, pty) {
	.open = open_pty, .mode = 0
};

FIXTURE_VARIANT_ADD(io, pty_nonblock) {
	.open = open_pty, .mode = O_NONBLOCK
};

FIXTURE_VARIANT_ADD(io, eventfd) {
	.open = open_eventfd, .mode = 0, .counts = true
};

FIXTURE_VARIANT_ADD(io, eventfd_nonblock) {
	.open = open_eventfd, .mode = O_NONBLOCK, .counts = true
};

FIXTURE_SETUP(io)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, variant->open(self->fds));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, fcntl(self->fds[i], F_SETFL,
				   fcntl(self->fds[i], F_GETFL) | variant->mode));
}

FIXTURE_TEARDOWN(io)
{
}

static int set_mode(int fd, int mode)
{
	return fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) & ~O_NONBLOCK) | mode);
}

/* Until there is no room; 0, or -1. */
static int fill(int fd, bool counts)
{
	const __u64 all = UINT64_MAX - 1;
	int mode = fcntl(fd, F_GETFL) & O_NONBLOCK;
	char page[PIPE_BUF] = {};
	bool more, tty = isatty(fd);

	if (set_mode(fd, O_NONBLOCK))
		return -1;
	if (counts)
		return write(fd, &all, sizeof(all)) < 0 ? -1 : set_mode(fd, mode);
	/* The kernel moves what was written to a terminal on, and there is room again. */
	do {
		more = false;
		usleep(tty ? 20000 : 0);
		for (size_t size = sizeof(page); size; size /= 2)
			while (write(fd, page, size) > 0)
				more = true;
	} while (more && tty);
	return errno == EAGAIN ? set_mode(fd, mode) : -1;
}

/* All that there is. */
static int drain(int fd)
{
	int mode = fcntl(fd, F_GETFL) & O_NONBLOCK;
	char page[PIPE_BUF];

	if (set_mode(fd, O_NONBLOCK))
		return -1;
	while (read(fd, page, sizeof(page)) > 0)
		;
	return errno == EAGAIN ? set_mode(fd, mode) : -1;
}

#define READER(...)	{ call_read, .ctx = self->ctx, .fd = self->fds[0],	\
			  .buf = &(__u64){ 0 }, .size = sizeof(__u64), ##__VA_ARGS__ }
#define WRITER(...)	{ call_write, .ctx = self->ctx, .fd = self->fds[1],	\
			  .buf = (void *)&message, .size = sizeof(message), ##__VA_ARGS__ }

TEST_F(io, read_takes_what_is_there)
{
	__u64 got = 0;

	ASSERT_EQ(8, write(self->fds[1], &message, 8));
	EXPECT_EQ(8, ctxfd_read(self->ctx, self->fds[0], &got, 8));
	EXPECT_EQ(message, got);
}

TEST_F(io, read_waits_for_data)
{
	struct caller reader = READER();

	ASSERT_EQ(0, caller_start(&reader));
	ASSERT_EQ(8, write(self->fds[1], &message, 8));
	check_returned(&reader, 8);
	EXPECT_EQ(message, *(__u64 *)reader.buf);
}

TEST_F(io, read_ends_with_the_context)
{
	struct caller reader = READER();

	ASSERT_EQ(0, caller_start(&reader));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&reader, ECANCELED);
}

TEST_F(io, read_ends_with_the_deadline)
{
	__u64 got;

	check_errno(ETIMEDOUT, ctxfd_read(new_short(), self->fds[0], &got, 8));
}

TEST_F(io, read_ends_where_another_process_cancels)
{
	struct caller reader = READER();
	pid_t pid;

	ASSERT_EQ(0, caller_start(&reader));
	in_child(pid)
		EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_child(pid);
	check_failed(&reader, ECANCELED);
}

TEST_F(io, read_of_a_cancelled_context_takes_what_is_there_and_does_not_wait)
{
	int ctx = new_cancelled();
	__u64 got = 0;

	check_errno(ECANCELED, ctxfd_read(ctx, self->fds[0], &got, 8));
	ASSERT_EQ(8, write(self->fds[1], &message, 8));
	EXPECT_EQ(8, ctxfd_read(ctx, self->fds[0], &got, 8));
	EXPECT_EQ(message, got);
	check_errno(ECANCELED, ctxfd_read(ctx, self->fds[0], &got, 8));
}

TEST_F(io, read_goes_on_after_a_signal)
{
	struct caller reader = READER();

	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, caller_start(&reader));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, interrupt_thread(reader.thread));
		ASSERT_EQ(0, caller_asleep(&reader));
	}
	ASSERT_EQ(8, write(self->fds[1], &message, 8));
	check_returned(&reader, 8);
}

TEST_F(io, the_mode_stays_while_calls_wait)
{
	int modes[] = { fcntl(self->fds[0], F_GETFL), fcntl(self->fds[1], F_GETFL) };
	struct caller reader = READER(), writer = WRITER();

	ASSERT_EQ(0, caller_start(&reader));
	EXPECT_EQ(modes[0], fcntl(self->fds[0], F_GETFL));
	ASSERT_EQ(8, write(self->fds[1], &message, 8));
	check_returned(&reader, 8);
	EXPECT_EQ(modes[0], fcntl(self->fds[0], F_GETFL));

	ASSERT_EQ(0, fill(self->fds[1], variant->counts));
	ASSERT_EQ(0, caller_start(&writer));
	EXPECT_EQ(modes[1], fcntl(self->fds[1], F_GETFL));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&writer, ECANCELED);
	EXPECT_EQ(modes[1], fcntl(self->fds[1], F_GETFL));
}

/* What one takes, both were promised: the other goes on to wait. */
TEST_F(io, readers_compete_and_the_loser_can_be_cancelled)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + NSEC_PER_SEC;

	for (int i = 0; i < 100 && ctx_clock(CLOCK_MONOTONIC) < end; i++) {
		struct caller readers[2] = { READER(), READER() };
		int ctx = new_root(), lost;

		for (int n = 0; n < 2; n++) {
			readers[n].ctx = ctx;
			ASSERT_EQ(0, caller_start(&readers[n]));
		}
		ASSERT_EQ(8, write(self->fds[1], &message, 8));
		/* One ends; the other sleeps again, or for that matter still. */
		do {
			lost = pthread_tryjoin_np(readers[0].thread, NULL) ? 0 : 1;
			if (!lost && !pthread_tryjoin_np(readers[1].thread, NULL))
				break;
		} while (!lost);
		EXPECT_EQ(8, readers[!lost].ret);
		EXPECT_EQ(0, ctxfd_cancel(ctx));
		check_failed(&readers[lost], ECANCELED);
		close(ctx);
	}
}

TEST_F(io, write_writes_where_there_is_room)
{
	__u64 got = 0;

	EXPECT_EQ(8, ctxfd_write(self->ctx, self->fds[1], &message, 8));
	ASSERT_EQ(8, read(self->fds[0], &got, 8));
	EXPECT_EQ(message, got);
}

TEST_F(io, write_waits_for_room)
{
	struct caller writer = WRITER();

	ASSERT_EQ(0, fill(self->fds[1], variant->counts));
	ASSERT_EQ(0, caller_start(&writer));
	ASSERT_EQ(0, drain(self->fds[0]));
	check_returned(&writer, 8);
}

TEST_F(io, write_ends_with_the_context)
{
	struct caller writer = WRITER();

	ASSERT_EQ(0, fill(self->fds[1], variant->counts));
	ASSERT_EQ(0, caller_start(&writer));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&writer, ECANCELED);
}

TEST_F(io, write_ends_with_the_deadline)
{
	ASSERT_EQ(0, fill(self->fds[1], variant->counts));
	check_errno(ETIMEDOUT, ctxfd_write(new_short(), self->fds[1], &message, 8));
}

TEST_F(io, write_under_a_cancelled_context_takes_room_and_does_not_wait)
{
	int ctx = new_cancelled();
	__u64 got = 0;

	EXPECT_EQ(8, ctxfd_write(ctx, self->fds[1], &message, 8));
	ASSERT_EQ(8, read(self->fds[0], &got, 8));
	EXPECT_EQ(message, got);
	ASSERT_EQ(0, fill(self->fds[1], variant->counts));
	check_errno(ECANCELED, ctxfd_write(ctx, self->fds[1], &message, 8));
}

TEST_F(io, write_goes_on_after_a_signal)
{
	struct caller writer = WRITER();

	ASSERT_EQ(0, catch_signals());
	ASSERT_EQ(0, fill(self->fds[1], variant->counts));
	ASSERT_EQ(0, caller_start(&writer));
	ASSERT_EQ(0, interrupt_thread(writer.thread));
	ASSERT_EQ(0, caller_asleep(&writer));
	ASSERT_EQ(0, drain(self->fds[0]));
	check_returned(&writer, 8);
}

TEST_F(io, descriptors_that_are_none_are_refused)
{
	__u64 got;

	check_errno(EBADF, ctxfd_read(self->ctx, -1, &got, 8));
	check_errno(EBADF, ctxfd_write(self->ctx, -1, &message, 8));
	check_errno(EBADF, ctxfd_read(-1, self->fds[0], &got, 8));
	check_errno(EBADF, ctxfd_write(-1, self->fds[1], &message, 8));
	check_errno(ENOTTY, ctxfd_read(self->fds[0], self->fds[0], &got, 8));
	check_errno(ENOTTY, ctxfd_write(self->fds[1], self->fds[1], &message, 8));
	/* None of them was carried out. */
	EXPECT_FALSE(becomes_readable(self->fds[0], 0));
}

TEST_F(io, the_background_never_ends_a_call)
{
	struct caller reader = READER();

	reader.ctx = ctxfd_background();
	ASSERT_EQ(0, caller_start(&reader));
	EXPECT_EQ(8, ctxfd_write(ctxfd_background(), self->fds[1], &message, 8));
	check_returned(&reader, 8);
}

TEST_F(io, nothing_is_left_open)
{
	int fds = ctx_nr_fds(), ctx = new_cancelled();
	__u64 got;

	EXPECT_EQ(8, ctxfd_write(self->ctx, self->fds[1], &message, 8));
	EXPECT_EQ(8, ctxfd_read(self->ctx, self->fds[0], &got, 8));
	check_errno(ECANCELED, ctxfd_read(ctx, self->fds[0], &got, 8));
	EXPECT_EQ(fds + 1, ctx_nr_fds());
}

TEST_F(io, read_finds_the_end)
{
	struct caller reader = READER();
	__u64 got;

	if (!variant->ends)
		return;
	ASSERT_EQ(0, caller_start(&reader));
	close(self->fds[1]);
	check_returned(&reader, 0);
	EXPECT_EQ(0, ctxfd_read(new_cancelled(), self->fds[0], &got, 8));
}

TEST_F(io, write_to_nobody_is_the_signal_and_the_error_of_write)
{
	struct caller writer = WRITER();

	int status;

	if (!variant->breaks)
		return;
	ASSERT_NE(SIG_ERR, signal(SIGPIPE, SIG_IGN));
	ASSERT_EQ(0, fill(self->fds[1], false));
	ASSERT_EQ(0, caller_start(&writer));
	close(self->fds[0]);
	ASSERT_EQ(0, ctx_thread_join(writer.thread));
	EXPECT_EQ(-1, writer.ret);
	/* A stream socket tells first of what was never read. */
	EXPECT_TRUE(writer.err == EPIPE || writer.err == ECONNRESET);
	check_errno(EPIPE, ctxfd_write(self->ctx, self->fds[1], &message, 8));
	ASSERT_NE(SIG_ERR, signal(SIGPIPE, SIG_DFL));
	if (!fork()) {
		ctxfd_write(self->ctx, self->fds[1], &message, 8);
		_exit(0);
	}
	ASSERT_LT(0, wait(&status));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

/* What is only read, or only written, or neither waits. */

TEST(read_of_a_timerfd_waits_for_it)
{
	int modes[] = { 0, TFD_NONBLOCK };

	for (int i = 0; i < 2; i++) {
		int fd = timerfd_create(CLOCK_MONOTONIC, modes[i]);
		struct itimerspec soon = { .it_value.tv_nsec = 50000000 };
		__u64 times = 0;

		ASSERT_LE(0, fd);
		check_errno(ETIMEDOUT, ctxfd_read(new_short(), fd, &times, 8));
		ASSERT_EQ(0, timerfd_settime(fd, 0, &soon, NULL));
		EXPECT_EQ(8, ctxfd_read(new_root(), fd, &times, 8));
		EXPECT_EQ(1, times);
	}
}

/* A signal for the thread is invisible to every other, the kernel's among them. */
TEST(read_of_a_signalfd_takes_the_signal_of_the_thread)
{
	struct signalfd_siginfo info = {};
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &mask, NULL));
	fd = signalfd(-1, &mask, 0);
	ASSERT_LE(0, fd);
	check_errno(ETIMEDOUT, ctxfd_read(new_short(), fd, &info, sizeof(info)));
	ASSERT_EQ(0, pthread_kill(pthread_self(), SIGUSR2));
	EXPECT_EQ((ssize_t)sizeof(info), ctxfd_read(new_root(), fd, &info, sizeof(info)));
	EXPECT_EQ(SIGUSR2, (int)info.ssi_signo);
}

TEST(read_of_a_context_waits_for_its_end)
{
	int modes[] = { 0, CTX_NONBLOCK };

	for (int i = 0; i < 2; i++) {
		struct ctx_create_args args = { .fd_flags = modes[i] };
		int ctx = ctxfd_create(ctxfd_background(), &args);
		struct ctx_event event = {};

		ASSERT_LE(0, ctx);
		check_errno(ETIMEDOUT, ctxfd_read(new_short(), ctx, &event, sizeof(event)));
		EXPECT_EQ(0, ctxfd_cancel(ctx));
		EXPECT_EQ((ssize_t)sizeof(event),
			  ctxfd_read(new_root(), ctx, &event, sizeof(event)));
		EXPECT_EQ(ECANCELED, (int)event.err);
	}
}

TEST(files_are_read_and_written_in_one_piece)
{
	static char data[1 << 20], got[sizeof(data)];
	char path[] = "/tmp/libctxfd.XXXXXX";
	int fd = mkstemp(path), ctx = new_cancelled();

	ASSERT_LE(0, fd);
	unlink(path);
	memset(data, 'd', sizeof(data));
	EXPECT_EQ((ssize_t)sizeof(data), ctxfd_write(ctx, fd, data, sizeof(data)));
	EXPECT_EQ(0, ctxfd_read(ctx, fd, got, sizeof(got)));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ((ssize_t)sizeof(got), ctxfd_read(ctx, fd, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(data, got, sizeof(got)));
	fd = open("/tmp", O_RDONLY);
	check_errno(EISDIR, ctxfd_read(ctx, fd, got, 1));
}

TEST(devices_that_never_wait_are_read_and_written)
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
	int random = open("/dev/urandom", O_RDONLY), ctx = new_root();
	char page[4096];

	EXPECT_EQ(0, ctxfd_read(ctx, null, page, sizeof(page)));
	EXPECT_EQ((ssize_t)sizeof(page), ctxfd_write(ctx, null, page, sizeof(page)));
	EXPECT_EQ((ssize_t)sizeof(page), ctxfd_read(ctx, zero, page, sizeof(page)));
	EXPECT_EQ((ssize_t)sizeof(page), ctxfd_read(ctx, random, page, sizeof(page)));
}

TEST(no_bytes_are_no_wait)
{
	int fds[2], ctx = new_root();
	char byte;

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(0, ctxfd_read(ctx, fds[0], &byte, 0));
	EXPECT_EQ(0, ctxfd_write(ctx, fds[1], &byte, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	EXPECT_EQ(0, ctxfd_read(ctx, fds[0], &byte, 0));
	/* To a datagram socket that is an empty datagram. */
	EXPECT_EQ(0, ctxfd_write(ctx, fds[1], &byte, 0));
	EXPECT_TRUE(becomes_readable(fds[0], 0));
	check_errno(EBADF, ctxfd_read(ctx, -1, &byte, 0));
}

TEST(wrong_ends_are_refused_and_not_waited_for)
{
	int fds[2], ctx = new_root();
	char byte = 0;

	ASSERT_EQ(0, pipe(fds));
	check_errno(EBADF, ctxfd_read(ctx, fds[1], &byte, 1));
	check_errno(EBADF, ctxfd_write(ctx, fds[0], &byte, 1));
}

/* More than there is room for, in blocking mode: what there is room for. */
TEST(a_big_write_is_cut_to_the_room_there_is)
{
	int (*opens[])(int fds[2]) = { open_pipe, open_fifo, open_stream, open_pty };
	static char data[4 << 20];

	for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
		int ctx = new_root(), fds[2];
		ssize_t n;

		ASSERT_EQ(0, opens[i](fds));
		n = ctxfd_write(ctx, fds[1], data, sizeof(data));
		EXPECT_LT(0, n);
		EXPECT_GT((ssize_t)sizeof(data), n) TH_LOG("row %zu", i);
	}
}

static void *drain_all(void *arg)
{
	static char got[65536];
	int fd = *(int *)arg;
	size_t sum = 0;
	ssize_t n;

	while ((n = read(fd, got, sizeof(got))) > 0)
		for (ssize_t i = 0; i < n; i++)
			sum += got[i] == (char)((sum * 2654435761U) >> 24);
	return (void *)sum;
}

/* The parts of a long write arrive complete, in order, none twice. */
TEST(big_writes_lose_nothing)
{
	int (*opens[])(int fds[2]) = { open_pipe, open_stream };
	static char data[1 << 20];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)((i * 2654435761U) >> 24);
	for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
		int ctx = new_root(), fds[2];
		pthread_t reader;
		size_t done = 0;
		void *sum;

		ASSERT_EQ(0, opens[i](fds));
		ASSERT_EQ(0, pthread_create(&reader, NULL, drain_all, &fds[0]));
		while (done < sizeof(data)) {
			ssize_t n = ctxfd_write(ctx, fds[1], data + done, sizeof(data) - done);

			ASSERT_LT(0, n);
			done += n;
		}
		close(fds[1]);
		ASSERT_EQ(0, pthread_join(reader, &sum));
		EXPECT_EQ(sizeof(data), (size_t)sum);
	}
}

TEST(big_reads_take_what_is_there)
{
	int (*opens[])(int fds[2]) = { open_pipe, open_fifo, open_stream };
	static char data[32768], got[1 << 20];

	for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
		int ctx = new_root(), fds[2];

		ASSERT_EQ(0, opens[i](fds));
		ASSERT_EQ((ssize_t)sizeof(data), write(fds[1], data, sizeof(data)));
		for (size_t done = 0; done < sizeof(data);) {
			ssize_t n = ctxfd_read(ctx, fds[0], got + done, sizeof(got) - done);

			/* A buffer at least. */
			ASSERT_LE(PIPE_BUF, n);
			done += n;
		}
		EXPECT_FALSE(becomes_readable(fds[0], 0));
		EXPECT_EQ(0, memcmp(data, got, sizeof(data)));
		close(ctx);
	}
}

/* At most PIPE_BUF bytes go into a pipe as a whole or not at all. */
TEST(writes_of_pipe_buf_are_whole)
{
	char page[PIPE_BUF] = {}, got[PIPE_BUF];
	int fds[2], ctx = new_root();

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, fill(fds[1], false));
	/* Room for less than that. */
	ASSERT_EQ(100, read(fds[0], got, 100));
	check_errno(ETIMEDOUT, ctxfd_write(new_short(), fds[1], page, sizeof(page)));
	ASSERT_EQ(PIPE_BUF - 100, read(fds[0], got, PIPE_BUF - 100));
	EXPECT_EQ(PIPE_BUF, ctxfd_write(ctx, fds[1], page, sizeof(page)));
}

TEST(packets_stay_packets)
{
	int fds[2], ctx = new_root();
	char got[PIPE_BUF];

	ASSERT_EQ(0, open_packets(fds));
	EXPECT_EQ(3, ctxfd_write(ctx, fds[1], "one", 3));
	EXPECT_EQ(3, ctxfd_write(ctx, fds[1], "two", 3));
	EXPECT_EQ(3, ctxfd_read(ctx, fds[0], got, sizeof(got)));
	EXPECT_EQ(0, memcmp("one", got, 3));
	EXPECT_EQ(3, ctxfd_read(ctx, fds[0], got, sizeof(got)));
	EXPECT_EQ(0, memcmp("two", got, 3));
}

/* Poll says that there is room, and there is not enough. */
TEST(a_write_that_never_fits_can_be_cancelled)
{
	const __u64 much = UINT64_MAX - 1;
	int modes[] = { 0, EFD_NONBLOCK };

	for (int i = 0; i < 2; i++) {
		int fd = eventfd(1, modes[i]);

		ASSERT_LE(0, fd);
		check_errno(ETIMEDOUT, ctxfd_write(new_short(), fd, &much, sizeof(much)));
	}
}

TEST(a_read_without_room_for_descriptors_says_so)
{
	int fds[2], ctx = new_root(), last;
	__u64 got;

	ASSERT_EQ(0, open_pty(fds));
	ASSERT_EQ(8, write(fds[1], &message, 8));
	last = use_up_descriptors();
	ASSERT_LE(0, last);
	check_errno(EMFILE, ctxfd_read(ctx, fds[0], &got, 8));
	close(last);
	EXPECT_EQ(8, ctxfd_read(ctx, fds[0], &got, 8));
	EXPECT_EQ(message, got);
}

TEST_HARNESS_MAIN
