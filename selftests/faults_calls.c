// SPDX-License-Identifier: GPL-2.0-only
/*
 * Want of memory where a context is cancelled, changed or asked; see faults.h.
 */
#include "faults_world.h"
#include <sys/select.h>

#define MESSAGE		"no message is worth a cancellation"

#define MANY_FDS	64

/* Cancel, close, deadlines. */

TEST_F(faults, cancel_needs_no_memory)
{
	int top = ctx_new(self->dev), fd = ctx_create(top, &child_args);
	__s32 parents[] = { fd };
	int merged = ctx_create(self->root, &(struct ctx_create_args){
		.nr_parents = 1,
		.parents = (uintptr_t)parents,
	});
	struct ctx_reader reader;

	ASSERT_EQ(0, ctx_reader_start(&reader, merged));
	check_needs_no_memory(0, ctx_cancel(top, CAUSE, NULL));
	EXPECT_EQ(0, ctx_reader_join(&reader));
	check_cancelled(fd, ECANCELED, CAUSE, ctx_id(top));
	check_cancelled(merged, ECANCELED, CAUSE, ctx_id(top));
	check_needs_no_memory(1, ctx_cancel(top, CAUSE, NULL));
	close(merged);
	close(fd);
	close(top);
}

TEST_F(faults, cancel_loses_its_message_alone)
{
	struct ctx_info info;
	int fd;

	while (next_fault(self)) {
		fd = ctx_new(self->root);
		EXPECT_EQ(0, faulty(self->f, ctx_cancel(fd, CAUSE, MESSAGE)));
		check_cancelled(fd, ECANCELED, CAUSE, ctx_id(fd));
		EXPECT_EQ(0, ctx_info(fd, &info));
		if (!info.message_len) {
			EXPECT_TRUE(self->f->hit);
			self->f->lost++;
		} else {
			check_message(fd, MESSAGE);
		}
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, cancel_that_comes_too_late)
{
	int fd = ctx_new(self->dev);

	EXPECT_EQ(0, ctx_cancel(fd, CAUSE, NULL));
	while (next_fault(self)) {
		EXPECT_EQ(1, faulty(self->f, ctx_cancel(fd, EIO, MESSAGE)));
		self->f->lost += self->f->hit;
		check_cancelled(fd, ECANCELED, CAUSE, ctx_id(fd));
		check_message(fd, "");
	}
	check_faults();
	close(fd);
}

/* The kernel has SIGIO instead, where it has no memory for a signal that is queued. */
TEST_F(faults, cancel_does_not_lose_its_signal)
{
	struct timespec now = {};
	int fd, number;

	while (next_fault(self)) {
		fd = ctx_new(self->dev);
		EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
		EXPECT_EQ(0, fcntl(fd, F_SETSIG, SIGRTMIN));
		EXPECT_EQ(0, fcntl(fd, F_SETFL, O_ASYNC));
		EXPECT_EQ(0, faulty(self->f, ctx_cancel(fd, CAUSE, NULL)));
		number = sigtimedwait(&self->signals, NULL, &now);
		if (number != SIGRTMIN) {
			EXPECT_EQ(SIGIO, number);
			EXPECT_TRUE(self->f->hit);
			self->f->lost++;
		}
		check_cancelled(fd, ECANCELED, CAUSE, ctx_id(fd));
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

/* Debugging of the kernel's may want memory for what is freed, and does without. */
TEST_F(faults, close_always_releases)
{
	struct ctx_info info;
	int fd, child;

	while (next_fault(self)) {
		fd = ctx_create(self->dev, &child_args);
		child = ctx_new(fd);
		EXPECT_EQ(0, ctx_info(fd, &info));
		EXPECT_EQ(0, faulty(self->f, close(fd)));
		check_cancelled(child, ECANCELED, EOWNERDEAD, info.id);
		close(child);
		check_unchanged(_metadata, self);
	}
}

TEST_F(faults, close_always_frees)
{
	int fd;

	while (next_fault(self)) {
		fd = ctx_create(self->root, &child_args);
		EXPECT_EQ(0, faulty(self->f, close(fd)));
		check_unchanged(_metadata, self);
	}
}

TEST_F(faults, the_first_deadline)
{
	int fd;

	while (next_fault(self)) {
		fd = ctx_new(self->root);
		if (faulty(self->f, ctx_set_timeout(fd, HOUR))) {
			check_enomem();
			check_info(fd, deadline, 0);
		}
		check_alive(fd);
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, a_first_deadline_that_has_passed)
{
	int fd;

	while (next_fault(self)) {
		fd = ctx_new(self->root);
		if (faulty(self->f, ctx_set_timeout(fd, 0))) {
			check_enomem();
			check_alive(fd);
		} else {
			check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
		}
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

/* Debugging of the kernel's may want memory for a timer, and does without. */
TEST_F(faults, a_deadline_is_always_moved)
{
	struct ctx_info info;
	int fd = ctx_new_timeout(self->dev, HOUR);

	while (next_fault(self)) {
		__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;

		EXPECT_EQ(0, faulty(self->f, ctx_set_deadline(fd, CLOCK_MONOTONIC, when)));
		EXPECT_EQ(0, ctx_info(fd, &info));
		EXPECT_EQ(when, info.deadline);
	}
	close(fd);
}

TEST_F(faults, removing_a_deadline_needs_no_memory)
{
	int fd = ctx_new_timeout(self->dev, HOUR);

	check_needs_no_memory(0, ctx_set_deadline(fd, CLOCK_MONOTONIC, 0));
	check_info(fd, deadline, 0);
	check_needs_no_memory(0, ctx_set_deadline(self->root, CLOCK_MONOTONIC, 0));
	close(fd);
}

/* To be told, and to be told no more. */

TEST_F(faults, info_needs_no_memory)
{
	__s32 parents[] = { self->child, self->other };
	int fd = ctx_create(self->root, &(struct ctx_create_args){
		.nr_parents = 2,
		.parents = (uintptr_t)parents,
	});
	struct ctx_info info;

	check_needs_no_memory(0, ctx_info(self->child, &info));
	check_needs_no_memory(0, ctx_info(fd, &info));
	close(fd);
}

TEST_F(faults, get_value_needs_no_memory)
{
	char data[4];
	struct ctx_value value = {
		.key = (uintptr_t)"key",
		.data = (uintptr_t)data,
		.size = sizeof(data),
	};

	check_needs_no_memory(4, ioctl(self->child, CTX_IOC_GET_VALUE, &value));
	check_needs_no_memory(-1, ioctl(self->root, CTX_IOC_GET_VALUE, &value));
}

TEST_F(faults, read_needs_no_memory)
{
	int fd = ctx_create(self->dev, &(struct ctx_create_args){
		.fd_flags = CTX_NONBLOCK,
	});
	struct ctx_event event;

	check_needs_no_memory(-1, read(fd, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, ctx_cancel(fd, CAUSE, NULL));
	check_needs_no_memory(sizeof(event), read(fd, &event, sizeof(event)));
	EXPECT_EQ(0, fcntl(fd, F_SETFL, 0));
	check_needs_no_memory(sizeof(event), read(fd, &event, sizeof(event)));
	close(fd);
}

TEST_F(faults, read_that_waits_needs_no_memory)
{
	int fd = ctx_new_timeout(self->dev, 20 * NSEC_PER_MSEC);
	struct ctx_event event;

	check_needs_no_memory(sizeof(event), read(fd, &event, sizeof(event)));
	EXPECT_EQ(ETIMEDOUT, event.err);
	close(fd);
}

/* Each at a place of its own, which has no page table. */
#define MAP_STEP	(2UL << 20)

TEST_F(faults, mmap)
{
	char *place = mmap(NULL, MOST * MAP_STEP, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	const struct ctx_status *status;
	int fd;

	ASSERT_NE(MAP_FAILED, place);
	while (next_fault(self)) {
		fd = ctx_new(self->root);
		place += MAP_STEP;
		status = faulty(self->f, mmap(place, getpagesize(), PROT_READ, MAP_SHARED | MAP_FIXED,
				     fd, 0));
		if (status == MAP_FAILED) {
			check_enomem();
			status = mmap(NULL, getpagesize(), PROT_READ, MAP_SHARED, fd, 0);
			ASSERT_NE(MAP_FAILED, status);
		}
		EXPECT_EQ(0, status->err);
		EXPECT_EQ(0, ctx_cancel(fd, CAUSE, NULL));
		EXPECT_EQ(ECANCELED, status->err);
		EXPECT_EQ(CAUSE, status->cause);
		munmap((void *)status, getpagesize());
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, poll)
{
	struct pollfd pfd[MANY_FDS];
	int i, ret;

	for (i = 0; i < MANY_FDS; i++)
		pfd[i] = (struct pollfd){ .fd = self->root, .events = POLLIN };
	while (next_fault(self)) {
		ret = faulty(self->f, poll(pfd, MANY_FDS, 1));
		if (ret)
			check_enomem();
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, select)
{
	int first = fcntl(self->root, F_DUPFD, FD_SETSIZE - MANY_FDS), i, ret;
	struct timeval timeout;
	fd_set set;

	ASSERT_EQ(FD_SETSIZE - MANY_FDS, first);
	for (i = 1; i < MANY_FDS; i++)
		ASSERT_EQ(first + i, dup2(self->root, first + i));
	while (next_fault(self)) {
		FD_ZERO(&set);
		for (i = 0; i < MANY_FDS; i++)
			FD_SET(first + i, &set);
		timeout = (struct timeval){ .tv_usec = 1000 };
		ret = faulty(self->f, select(FD_SETSIZE, &set, NULL, NULL, &timeout));
		if (ret)
			check_enomem();
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, epoll_ctl)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd, ep;

	while (next_fault(self)) {
		fd = ctx_new(self->root);
		ep = epoll_create1(0);
		if (faulty(self->f, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event))) {
			check_enomem();
			EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
		}
		EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
		EXPECT_EQ(0, ctx_cancel(fd, CAUSE, NULL));
		EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
		close(ep);
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, async)
{
	struct timespec now = {};
	int fd, ret;

	while (next_fault(self)) {
		fd = ctx_new(self->root);
		EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
		ret = faulty(self->f, fcntl(fd, F_SETFL, O_ASYNC));
		if (ret)
			check_enomem();
		EXPECT_EQ(ret ? 0 : O_ASYNC, fcntl(fd, F_GETFL) & O_ASYNC);
		EXPECT_EQ(0, ctx_cancel(fd, CAUSE, NULL));
		EXPECT_EQ(ret ? -1 : SIGIO, sigtimedwait(&self->signals, NULL, &now));
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

/* A signal counts to whoever has it sent: he may have had nothing to do with contexts before. */
TEST_F(faults, async_the_first_of_a_user)
{
	uid_t uid = 3000000U + MOST * getpid();
	int fd, ret;

	while (next_fault(self)) {
		fd = ctx_new(self->root);
		ASSERT_EQ(0, syscall(SYS_setresuid, uid++, -1, -1));
		ret = faulty(self->f, fcntl(fd, F_SETFL, O_ASYNC));
		if (ret)
			check_enomem();
		EXPECT_EQ(ret ? 0 : O_ASYNC, fcntl(fd, F_GETFL) & O_ASYNC);
		ASSERT_EQ(0, syscall(SYS_setresuid, 0, -1, -1));
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, async_is_turned_off_without_memory)
{
	int fd = ctx_new(self->dev);

	EXPECT_EQ(0, fcntl(fd, F_SETFL, O_ASYNC));
	check_needs_no_memory(0, fcntl(fd, F_SETFL, 0));
	close(fd);
}

/* Newer kernels have memory for the owner of a descriptor only once it has one. */
TEST_F(faults, setown)
{
	int fd, ret;

	while (next_fault(self)) {
		fd = ctx_new(self->root);
		ret = faulty(self->f, fcntl(fd, F_SETOWN, getpid()));
		if (ret)
			check_enomem();
		EXPECT_EQ(ret ? 0 : getpid(), fcntl(fd, F_GETOWN));
		close(fd);
		check_unchanged(_metadata, self);
	}
	EXPECT_FALSE(self->f->hit);
}

TEST_F(faults, setsig)
{
	int fd, ret;

	while (next_fault(self)) {
		fd = ctx_new(self->root);
		ret = faulty(self->f, fcntl(fd, F_SETSIG, SIGRTMIN));
		if (ret)
			check_enomem();
		EXPECT_EQ(ret ? 0 : SIGRTMIN, fcntl(fd, F_GETSIG));
		close(fd);
		check_unchanged(_metadata, self);
	}
	EXPECT_FALSE(self->f->hit);
}

TEST_F(faults, fdinfo)
{
	char path[64], text[4096];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->child);
	while (next_fault(self)) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ret = faulty(self->f, read(fd, text, sizeof(text) - 1));
		if (ret < 0) {
			check_enomem();
		} else {
			text[ret] = '\0';
			EXPECT_NE(NULL, strstr(text, "\nctx-name:\tchild\n"));
		}
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_HARNESS_MAIN
