// SPDX-License-Identifier: GPL-2.0-only
/*
 * The status word that mmap shows.
 */
#include "ctx_features.h"
#include <sys/personality.h>

FIXTURE(status) {
	int dev;
	int root;
	int child;
	const struct ctx_status *status;	/* of @child */
};

FIXTURE_SETUP(status)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
	self->child = ctx_new(self->root);
	ASSERT_LE(0, self->child);
	self->status = ctx_map(self->child);
	ASSERT_NE(NULL, self->status);
}

FIXTURE_TEARDOWN(status)
{
	ctx_unmap(self->status);
	close(self->child);
	close(self->root);
	close(self->dev);
}

TEST_F(status, the_word_is_0_while_the_context_is_alive)
{
	check_mapped(self->status, 0, 0);
	EXPECT_EQ(0, ctx_set_timeout(self->child, HOUR));
	check_mapped(self->status, 0, 0);
}

TEST_F(status, the_word_shows_a_cancellation_when_the_call_returns)
{
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	check_mapped(self->status, ECANCELED, EIO);
}

TEST_F(status, the_word_shows_a_cancellation_from_above_when_the_call_returns)
{
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_mapped(self->status, ECANCELED, EIO);
}

TEST_F(status, the_word_is_final)
{
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	EXPECT_EQ(1, ctx_cancel(self->child, EPERM, NULL));
	EXPECT_EQ(0, ctx_cancel(self->root, ENOENT, NULL));
	check_mapped(self->status, ECANCELED, EIO);
}

TEST_F(status, the_words_of_a_whole_subtree_are_set_when_the_call_returns)
{
	const struct ctx_status *status[60];
	int fds[60], i;

	for (i = 0; i < 60; i++) {
		fds[i] = ctx_new(i < 3 ? self->child : fds[i / 3 - 1]);
		ASSERT_LE(0, fds[i]);
		status[i] = ctx_map(fds[i]);
		ASSERT_NE(NULL, status[i]);
	}
	EXPECT_EQ(0, ctx_cancel(self->root, 77, NULL));
	for (i = 0; i < 60; i++)
		check_mapped(status[i], ECANCELED, 77);
	for (i = 0; i < 60; i++) {
		ctx_unmap(status[i]);
		close(fds[i]);
	}
}

TEST_F(status, the_word_of_a_merged_context_is_set_when_the_call_returns)
{
	int merged = ctx_new_merged2(self->dev, self->child), below = ctx_new(merged);
	const struct ctx_status *status = ctx_map(below);

	ASSERT_NE(NULL, status);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_mapped(status, ECANCELED, EIO);
	ctx_unmap(status);
	close(below);
	close(merged);
}

TEST_F(status, the_word_shows_a_deadline)
{
	EXPECT_EQ(0, ctx_set_timeout(self->root, NSEC_PER_MSEC));
	check_becomes_cancelled(self->child, ETIMEDOUT, ETIMEDOUT, ctx_id(self->root));
	/* It polls so at once; whoever is told comes later, but before this returns. */
	EXPECT_EQ(1, ctx_cancel(self->child, 0, NULL));
	check_mapped(self->status, ETIMEDOUT, ETIMEDOUT);
}

/* Whoever looks at nothing but the word comes to know of a deadline. */
TEST_F(status, the_word_alone_shows_a_deadline)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + CTX_WAIT_MS * NSEC_PER_MSEC;

	EXPECT_EQ(0, ctx_set_timeout(self->root, NSEC_PER_MSEC));
	while (!ctx_mapped_err(self->status) && ctx_clock(CLOCK_MONOTONIC) < end)
		usleep(1000);
	check_mapped(self->status, ETIMEDOUT, ETIMEDOUT);
}

TEST_F(status, the_word_shows_a_release)
{
	close(self->root);
	self->root = -1;
	check_mapped(self->status, ECANCELED, EOWNERDEAD);
}

TEST_F(status, the_word_shows_the_end_of_the_process_above)
{
	int sock[2], above, child;
	const struct ctx_status *status;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	in_child(pid) {
		above = ctx_new(self->dev);
		EXPECT_EQ(0, ctx_send_fd(sock[1], ctx_watch(above, 0)));
		pause();
	}
	above = ctx_recv_fd(sock[0]);
	child = ctx_new(above);
	ASSERT_LE(0, child);
	status = ctx_map(child);
	ASSERT_NE(NULL, status);
	check_mapped(status, 0, 0);
	kill(pid, SIGKILL);
	/* Its descriptors are closed, and so all below told, before it can be reaped. */
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	check_mapped(status, ECANCELED, EOWNERDEAD);
	ctx_unmap(status);
	close(child);
	close(above);
}

TEST_F(status, a_context_that_is_cancelled_is_mapped_as_such)
{
	const struct ctx_status *status;
	int late;

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	status = ctx_map(self->root);
	ASSERT_NE(NULL, status);
	check_mapped(status, ECANCELED, EIO);
	ctx_unmap(status);

	late = ctx_new(self->child);
	status = ctx_map(late);
	ASSERT_NE(NULL, status);
	check_mapped(status, ECANCELED, EIO);
	ctx_unmap(status);
	close(late);
}

TEST_F(status, the_background_is_mapped_as_alive)
{
	const struct ctx_status *status = ctx_map(self->dev);

	ASSERT_NE(NULL, status);
	check_mapped(status, 0, 0);
	ctx_unmap(status);
}

/* A thread that waits, and then looks at the word at once. */
struct looker {
	const struct ctx_status *status;
	int fd;
	bool polls;
	pid_t tid;
	__u32 err;
	__s32 cause;
};

static void *look_after_waiting(void *arg)
{
	struct looker *looker = arg;
	struct pollfd pfd = { .fd = looker->fd, .events = POLLIN };
	struct ctx_event event;

	__atomic_store_n(&looker->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	if (looker->polls)
		ppoll(&pfd, 1, NULL, NULL);
	else if (read(looker->fd, &event, sizeof(event)) != sizeof(event))
		return NULL;
	looker->err = ctx_mapped_err(looker->status);
	looker->cause = ctx_mapped_cause(looker->status);
	return NULL;
}

#define LOOKS	60

/* Each half of the turns another way of waiting; the cancel comes from another process. */
TEST_F_TIMEOUT(status, the_word_is_set_before_the_waiters_are_woken, 120)
{
	struct looker looker;
	pthread_t thread;
	pid_t tid, pid;
	int i, root;

	for (i = 0; i < LOOKS; i++) {
		root = ctx_new(self->dev);
		looker = (struct looker){ .fd = ctx_new(root), .polls = i % 2 };
		looker.status = ctx_map(looker.fd);
		ASSERT_NE(NULL, looker.status);
		ASSERT_EQ(0, pthread_create(&thread, NULL, look_after_waiting, &looker));
		while (!(tid = __atomic_load_n(&looker.tid, __ATOMIC_ACQUIRE)))
			usleep(100);
		ASSERT_EQ(0, ctx_wait_in_syscall(getpid(), tid,
						 looker.polls ? SYS_ppoll : SYS_read));
		in_child(pid)
			EXPECT_EQ(0, ctx_cancel(i % 3 ? root : looker.fd, EIO, NULL));
		ASSERT_EQ(0, ctx_thread_join(thread));
		check_child(pid);
		EXPECT_EQ(ECANCELED, looker.err);
		EXPECT_EQ(EIO, looker.cause);
		ctx_unmap(looker.status);
		close(looker.fd);
		close(root);
	}
}

TEST_F(status, a_watch_descriptor_can_be_mapped)
{
	int watch = ctx_watch(self->child, 0);
	const struct ctx_status *status = ctx_map(watch);

	ASSERT_NE(NULL, status);
	close(watch);
	check_mapped(status, 0, 0);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_mapped(status, ECANCELED, EIO);
	ctx_unmap(status);
}

TEST_F(status, every_mapping_shows_the_same)
{
	const struct ctx_status *again = ctx_map(self->child), *copy;
	int fd = dup(self->child);

	copy = ctx_map(fd);
	ASSERT_NE(NULL, again);
	ASSERT_NE(NULL, copy);
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	check_mapped(self->status, ECANCELED, EIO);
	check_mapped(again, ECANCELED, EIO);
	check_mapped(copy, ECANCELED, EIO);
	ctx_unmap(again);
	/* The others stay. */
	check_mapped(copy, ECANCELED, EIO);
	ctx_unmap(copy);
	close(fd);
}

/* That no mapping of @fd is made so. */
#define check_no_mapping(fd, error, size, prot, flags, offset) ({	\
	errno = 0;							\
	EXPECT_EQ(MAP_FAILED,						\
		  mmap(NULL, (size), (prot), (flags), (fd), (offset)));	\
	EXPECT_EQ((error), errno);					\
})

/* What the kernel takes from a mapping is there again when it is looked at. */
#define forget_page(status)						\
	EXPECT_EQ(0, madvise((void *)(status), ctx_page_size(), MADV_DONTNEED))

TEST_F(status, the_word_comes_back_after_madvise)
{
	forget_page(self->status);
	check_mapped(self->status, 0, 0);
	forget_page(self->status);
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	check_mapped(self->status, ECANCELED, EIO);
	forget_page(self->status);
	check_mapped(self->status, ECANCELED, EIO);
}

TEST_F(status, the_word_comes_back_in_a_child_of_its_process)
{
	pid_t pid;

	forget_page(self->status);
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	in_child(pid) {
		check_mapped(self->status, ECANCELED, EIO);
		forget_page(self->status);
		check_mapped(self->status, ECANCELED, EIO);
	}
	check_child(pid);
}

TEST_F(status, a_writable_mapping_is_refused)
{
	size_t page = ctx_page_size();
	int watch = ctx_watch(self->child, 0);

	check_no_mapping(self->child, EACCES, page, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	check_no_mapping(self->child, EACCES, page, PROT_WRITE, MAP_SHARED, 0);
	check_no_mapping(self->dev, EACCES, page, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	check_no_mapping(watch, EACCES, page, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	check_alive(self->child);
	close(watch);
}

TEST_F(status, a_mapping_never_becomes_writable)
{
	void *status = (void *)self->status;
	size_t page = ctx_page_size();

	check_errno(EACCES, mprotect(status, page, PROT_READ | PROT_WRITE));
	check_errno(EACCES, mprotect(status, page, PROT_WRITE));
	/* Nor by way of another protection. */
	EXPECT_EQ(0, mprotect(status, page, PROT_NONE));
	check_errno(EACCES, mprotect(status, page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, mprotect(status, page, PROT_READ));
	check_mapped(self->status, 0, 0);
}

TEST_F(status, a_mapping_is_never_executable)
{
	size_t page = ctx_page_size();

	/* Newer kernels refuse it for every anonymous inode, with EPERM. */
	errno = 0;
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, self->child, 0));
	EXPECT_TRUE(errno == EACCES || errno == EPERM);
	check_errno(EACCES, mprotect((void *)self->status, page, PROT_READ | PROT_EXEC));
	check_mapped(self->status, 0, 0);
}

/* Old programs map nothing that is not executable, and could not map it otherwise. */
TEST_F(status, where_all_that_is_read_is_executable_it_is_mapped_all_the_same)
{
	const struct ctx_status *status;

	ASSERT_LE(0, personality(READ_IMPLIES_EXEC));
	status = ctx_map(self->child);
	ASSERT_NE(NULL, status);
	check_errno(EACCES, mprotect((void *)status, ctx_page_size(), PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	check_mapped(status, ECANCELED, EIO);
	ctx_unmap(status);
}

/* A debugger's way in, which ignores the protection, finds no private copy to write. */
TEST_F(status, a_write_through_proc_mem_leaves_the_context_alone)
{
	__u64 word = 0x4141414141414141;
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, mem);
	EXPECT_GT(0, pwrite(mem, &word, sizeof(word), (uintptr_t)self->status));
	check_mapped(self->status, 0, 0);
	check_alive(self->child);
	close(mem);
}

TEST_F(status, a_system_call_cannot_write_there)
{
	int end[2];

	ASSERT_EQ(0, pipe(end));
	EXPECT_EQ(8, write(end[1], "AAAAAAAA", 8));
	check_errno(EFAULT, read(end[0], (void *)self->status, 8));
	check_mapped(self->status, 0, 0);
}

TEST_F(status, a_private_mapping_is_refused)
{
	size_t page = ctx_page_size();

	check_no_mapping(self->child, EINVAL, page, PROT_READ, MAP_PRIVATE, 0);
	check_no_mapping(self->dev, EINVAL, page, PROT_READ, MAP_PRIVATE, 0);
}

TEST_F(status, another_offset_or_length_is_refused)
{
	size_t page = ctx_page_size();

	check_no_mapping(self->child, EINVAL, page, PROT_READ, MAP_SHARED, page);
	check_no_mapping(self->child, EINVAL, page, PROT_READ, MAP_SHARED, 16 * page);
	check_no_mapping(self->child, EINVAL, 2 * page, PROT_READ, MAP_SHARED, 0);
	check_no_mapping(self->child, EINVAL, page + 1, PROT_READ, MAP_SHARED, 0);
	check_no_mapping(self->child, EINVAL, 0, PROT_READ, MAP_SHARED, 0);
}

TEST_F(status, a_mapping_can_be_moved_but_never_grows)
{
	size_t page = ctx_page_size();
	void *status = (void *)self->status, *moved;

	errno = 0;
	EXPECT_EQ(MAP_FAILED, mremap(status, page, 2 * page, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
	moved = mremap(status, page, page, MREMAP_MAYMOVE | MREMAP_FIXED,
		       ctx_edge_of_memory() - page);
	ASSERT_NE(MAP_FAILED, moved);
	self->status = moved;
	check_mapped(self->status, ECANCELED, EIO);
}

TEST_F(status, nothing_else_is_on_the_page)
{
	const char *page = (const char *)self->status;
	size_t i, other = 0;

	for (i = 0; i < ctx_page_size(); i++)
		other += page[i] != 0;
	EXPECT_EQ(0, other);
	EXPECT_EQ(0, ctx_cancel(self->child, EIO, "a message"));
	for (i = sizeof(struct ctx_status); i < ctx_page_size(); i++)
		other += page[i] != 0;
	EXPECT_EQ(0, other);
}

TEST_F(status, a_fork_shares_it)
{
	pid_t pid;

	in_child(pid) {
		check_mapped(self->status, 0, 0);
		EXPECT_EQ(0, ctx_cancel(self->child, EIO, NULL));
		check_mapped(self->status, ECANCELED, EIO);
	}
	check_child(pid);
	check_mapped(self->status, ECANCELED, EIO);
	/* And one that is made later sees it, too. */
	in_child(pid)
		check_mapped(self->status, ECANCELED, EIO);
	check_child(pid);
}

TEST_F(status, a_mapping_keeps_the_description_open)
{
	int watch = ctx_watch(self->child, 0);

	close(self->child);
	self->child = -1;
	check_alive(watch);
	check_mapped(self->status, 0, 0);
	/* The mapping was the last that held it: its end is the owner's. */
	ctx_unmap(self->status);
	check_cancelled(watch, ECANCELED, EOWNERDEAD, ctx_id(watch));
	self->status = ctx_map(watch);
	ASSERT_NE(NULL, self->status);
	check_mapped(self->status, ECANCELED, EOWNERDEAD);
	close(watch);
}

TEST_F(status, the_mapping_may_outlive_every_descriptor)
{
	const struct ctx_status *status;
	int watch = ctx_watch(self->child, 0);

	status = ctx_map(watch);
	ASSERT_NE(NULL, status);
	close(watch);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	close(self->child);
	close(self->root);
	self->child = self->root = -1;
	check_mapped(status, ECANCELED, EIO);
	ctx_unmap(status);
	check_mapped(self->status, ECANCELED, EIO);
}

TEST_F(status, the_descriptor_may_outlive_the_mapping)
{
	ctx_unmap(self->status);
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_cancelled(self->child, ECANCELED, EIO, ctx_id(self->root));
	self->status = ctx_map(self->child);
	ASSERT_NE(NULL, self->status);
	check_mapped(self->status, ECANCELED, EIO);
}

#define PAGES	256

TEST_F_TIMEOUT(status, the_page_is_charged_to_whoever_maps_and_freed_with_the_context, 120)
{
	const struct ctx_status *status[PAGES];
	int fds[PAGES], i, turn;
	char path[64];
	long before;

	if (ctx_memcg_enter(path, sizeof(path)))
		SKIP(return, "there is no memory controller at " CTX_CGROUP_ROOT);
	before = ctx_memcg_bytes(path);
	for (turn = 0; turn < 4; turn++) {
		for (i = 0; i < PAGES; i++) {
			fds[i] = ctx_new(self->root);
			status[i] = ctx_map(fds[i]);
			ASSERT_NE(NULL, status[i]);
		}
		/* Pages are charged in batches, and tables come on top of them. */
		EXPECT_LT(PAGES * (long)ctx_page_size() * 3 / 4, ctx_memcg_bytes(path) - before);
		for (i = 0; i < PAGES; i++) {
			close(fds[i]);
			ctx_unmap(status[i]);
		}
	}
	/* Four times the pages would be 4 MiB. */
	EXPECT_GT(2L << 20, ctx_memcg_bytes(path) - before);
	ctx_memcg_leave(path);
}

TEST_HARNESS_MAIN
