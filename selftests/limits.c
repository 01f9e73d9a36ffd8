// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module parameter max_user_contexts: how many contexts a user may have, what
 * counts, for how long and for whom.
 */
#include "bounds.h"

#include <linux/capability.h>
#include <sched.h>

#define LIMIT		100

FIXTURE(limits) {
	int	dev;
	int	param;		/* the parameter's file */
	long	before;		/* what it was */
	uid_t	user, other;
};

FIXTURE_SETUP(limits)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->user = USER_A;
	self->other = USER_B;
	self->before = limit_get();
	ASSERT_LT(0, self->before) {
		TH_LOG("there is no limit");
	}
	self->param = open(LIMIT_FILE, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->param);
	ASSERT_EQ(0, limit_write(self->param, LIMIT));
}

FIXTURE_TEARDOWN(limits)
{
	EXPECT_EQ(0, limit_write(self->param, self->before));
	close(self->param);
	close(self->dev);
}

/* The body that follows is run by a process of @uid. */
#define as_user(pid, uid)						\
	in_child(pid)							\
		if (be_user(uid))					\
			_metadata->passed = 0;				\
		else

/* Exactly @nr more can be made; they are closed again. */
#define check_room(nr) ({						\
	int __fd[2 * LIMIT], __made = fill(self->dev, __fd, 2 * LIMIT);	\
									\
	EXPECT_EQ(ENOSPC, errno);					\
	EXPECT_EQ((nr), __made);					\
	close_all(__fd, __made);					\
})

/* The same, as soon as what is on its way out is free. */
#define check_room_comes(nr) ({						\
	int __held[2 * LIMIT], __nr;					\
									\
	for (__nr = 0; __nr < (nr); __nr++) {				\
		__held[__nr] = new_when_free(self->dev);		\
		if (__held[__nr] < 0)					\
			break;						\
	}								\
	EXPECT_EQ((nr), __nr);						\
	check_errno(ENOSPC, ctx_new(self->dev));			\
	close_all(__held, __nr);					\
})

TEST_F(limits, by_default_they_take_four_percent_of_the_memory)
{
	long pages = sysconf(_SC_PHYS_PAGES) * (ctx_page_size() / 1024);
	long part = pages * 1024 / 640 / 25;

	EXPECT_LT(part * 3 / 4, self->before);
	EXPECT_GT(part * 5 / 4, self->before);
}

TEST_F(limits, a_user_may_have_so_many_and_not_one_more)
{
	pid_t pid;

	as_user(pid, self->user)
		check_room(LIMIT);
	check_child(pid);
}

TEST_F(limits, one_more_gives_ENOSPC_and_changes_nothing)
{
	int fd[LIMIT];
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT, fill(self->dev, fd, LIMIT));
		check_refused(fd[0], ENOSPC, ctx_new(self->dev));
		check_refused(fd[0], ENOSPC, ctx_new(fd[0]));
		check_refused(fd[0], ENOSPC, ctx_new_timeout(fd[0], HOUR));
		check_refused(fd[0], ENOSPC, ctx_new_merged2(fd[0], fd[1]));
		check_refused(fd[0], ENOSPC, ctx_new_value(fd[0], "key", "value"));
		/* It costs nothing to cancel, to watch and to have a deadline. */
		EXPECT_LE(0, ctx_watch(fd[0], 0));
		EXPECT_EQ(0, ctx_set_timeout(fd[0], HOUR));
		EXPECT_EQ(0, ctx_cancel(fd[0], EIO, "one too many"));
		check_cancelled(fd[0], ECANCELED, EIO, ctx_id(fd[0]));
	}
	check_child(pid);
}

/*
 * A process of @uid that has @nr contexts until it is killed. Returns 0 where it could
 * not have them.
 */
static pid_t holder_start(int dev, uid_t uid, int nr)
{
	pid_t pid = ctx_fork();
	int fd[2 * LIMIT];

	if (!pid) {
		if (be_user(uid) || fill(dev, fd, nr) != nr)
			_exit(1);
		for (;;)
			pause();
	}
	return ctx_wait_in_syscall(pid, pid, SYS_pause) ? 0 : pid;
}

static void holder_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST_F(limits, each_user_has_his_own)
{
	pid_t holder = holder_start(self->dev, self->user, LIMIT), pid;

	ASSERT_LT(0, holder);
	as_user(pid, self->other)
		check_room(LIMIT);
	check_child(pid);
	holder_end(holder);
}

TEST_F(limits, all_processes_of_a_user_share_it)
{
	pid_t holder = holder_start(self->dev, self->user, LIMIT - 7), pid;

	ASSERT_LT(0, holder);
	as_user(pid, self->user)
		check_room(7);
	check_child(pid);
	holder_end(holder);
}

/* Two processes that make the first contexts of a user */
struct beginners {
	struct gate	gate;
	unsigned int	done;
};

/* Returns 0 once both have one, and neither can have another. */
static int begin(struct beginners *both, int dev, uid_t uid, __u32 random)
{
	bool made;

	if (be_user(uid))
		return 1;
	gate_pass(&both->gate, &random);
	made = ctx_new_timeout(dev, HOUR) >= 0;
	__atomic_add_fetch(&both->done, 1, __ATOMIC_ACQ_REL);
	if (!made || !spin_until(&both->done, 2) || ctx_new(dev) >= 0 || errno != ENOSPC)
		return 1;
	/* Nor may what the other has be gone before he has tried. */
	__atomic_add_fetch(&both->done, 1, __ATOMIC_ACQ_REL);
	return !spin_until(&both->done, 4);
}

/* What there is once for each user, both of them are about to make. */
TEST_F(limits, two_processes_that_begin_at_once_are_counted_together)
{
	/* As USER_A: ids that no other test has. */
	uid_t first = 100000000U + 1000 * getpid();
	unsigned int i, n, nr = rounds(400);
	struct beginners *both;
	pid_t pid[2];

	ASSERT_EQ(0, limit_write(self->param, 2));
	both = mmap(NULL, sizeof(*both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, both);
	for (i = 0; i < nr; i++) {
		memset(both, 0, sizeof(*both));
		for (n = 0; n < 2; n++) {
			pid[n] = ctx_fork();
			if (!pid[n])
				_exit(begin(both, self->dev, first + i, 2 * i + n + 1));
		}
		EXPECT_TRUE(gate_open(&both->gate, 2));
		EXPECT_EQ(0, race_reap(pid[0]));
		EXPECT_EQ(0, race_reap(pid[1]));
	}
	munmap(both, sizeof(*both));
}

TEST_F(limits, a_child_counts_for_its_maker_not_for_the_maker_of_its_parent)
{
	pid_t holder = holder_start(self->dev, self->user, LIMIT), pid;
	int parent = ctx_new(self->dev), fd[LIMIT + 1];

	ASSERT_LT(0, holder);
	as_user(pid, self->other) {
		EXPECT_EQ(LIMIT, fill(parent, fd, LIMIT + 1));
		EXPECT_EQ(ENOSPC, errno);
	}
	check_child(pid);
	holder_end(holder);
	close(parent);
}

/* A program that has the effective uid of another user counts for who started it. */
TEST_F(limits, the_real_uid_counts)
{
	pid_t holder = holder_start(self->dev, self->user, LIMIT), pid;

	ASSERT_LT(0, holder);
	in_child(pid) {
		ASSERT_EQ(0, setresuid(self->user, self->other, self->other));
		check_errno(ENOSPC, ctx_new(self->dev));
	}
	check_child(pid);
	in_child(pid) {
		ASSERT_EQ(0, setresuid(self->other, self->user, self->user));
		check_room(LIMIT);
	}
	check_child(pid);
	holder_end(holder);
}

TEST_F(limits, what_is_closed_makes_room)
{
	int fd[LIMIT];
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT, fill(self->dev, fd, LIMIT));
		check_room(0);
		close_all(fd, 10);
		check_room_comes(10);
		close_all(fd + 10, LIMIT - 10);
		check_room_comes(LIMIT);
	}
	check_child(pid);
}

TEST_F(limits, what_is_cancelled_counts_until_it_is_closed)
{
	int fd[LIMIT];
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT, fill(self->dev, fd, LIMIT));
		EXPECT_EQ(0, ctx_cancel(fd[0], EIO, NULL));
		check_room(0);
		close(fd[0]);
		check_room_comes(1);
	}
	check_child(pid);
}

TEST_F(limits, a_context_counts_while_a_child_keeps_it)
{
	int fd[LIMIT], root, child;
	pid_t pid;

	as_user(pid, self->user) {
		root = ctx_new_detached(self->dev);
		child = ctx_new_detached(root);
		ASSERT_EQ(LIMIT - 2, fill(self->dev, fd, LIMIT));
		close(root);
		check_room(0);
		close(child);
		check_room_comes(2);
	}
	check_child(pid);
}

TEST_F(limits, a_context_counts_while_an_edge_keeps_it)
{
	int fd[LIMIT], further, merged;
	pid_t pid;

	as_user(pid, self->user) {
		further = ctx_new_detached(self->dev);
		merged = ctx_new_merged2(self->dev, further);
		ASSERT_EQ(LIMIT - 2, fill(self->dev, fd, LIMIT));
		close(further);
		check_room(0);
		close(merged);
		check_room_comes(2);
	}
	check_child(pid);
}

TEST_F(limits, a_context_counts_while_a_watch_keeps_it)
{
	int fd[LIMIT], watch;
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT, fill(self->dev, fd, LIMIT));
		watch = ctx_watch(fd[0], 0);
		close(fd[0]);
		check_room(0);
		close(watch);
		check_room_comes(1);
	}
	check_child(pid);
}

TEST_F(limits, a_context_counts_while_a_message_keeps_it)
{
	int fd[LIMIT], sock[2];
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sock));
		ASSERT_EQ(LIMIT, fill(self->dev, fd, LIMIT));
		ASSERT_EQ(0, ctx_send_fd(sock[0], fd[0]));
		close(fd[0]);
		check_room(0);
		close(ctx_recv_fd(sock[1]));
		check_room_comes(1);
	}
	check_child(pid);
}

/* However few descriptors hold them: so RLIMIT_NOFILE bounds nothing. */
TEST_F(limits, a_chain_that_one_descriptor_holds_counts_whole)
{
	int last, next, n = 0;
	pid_t pid;

	as_user(pid, self->user) {
		for (last = self->dev; (next = ctx_new_detached(last)) >= 0; n++) {
			if (n)
				close(last);
			last = next;
		}
		EXPECT_EQ(ENOSPC, errno);
		EXPECT_EQ(LIMIT, n);
		close(last);
		check_room_comes(LIMIT);
	}
	check_child(pid);
}

TEST_F(limits, it_is_the_maker_whom_the_end_makes_room_for)
{
	int fd[LIMIT], sock[2], other;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT, fill(self->dev, fd, LIMIT));
		ASSERT_EQ(0, ctx_send_fd(sock[1], fd[0]));
		close(fd[0]);
		/* Until the other one has closed it: then it counts for nobody. */
		ASSERT_LE(0, ctx_recv_fd(sock[1]));
		check_room_comes(1);
	}
	other = ctx_recv_fd(sock[0]);
	EXPECT_LE(0, other);
	close(other);
	EXPECT_EQ(0, ctx_send_fd(sock[0], self->dev));
	check_child(pid);
	close(sock[0]);
	close(sock[1]);
}

TEST_F(limits, names_deadlines_a_few_edges_messages_and_watches_do_not_count)
{
	int fd[2 * LIMIT], further[4];
	struct ctx_create_args args = {
		.deadline = ctx_clock(CLOCK_MONOTONIC) + HOUR,
		.clockid = CLOCK_MONOTONIC,
		.parents = (uintptr_t)further,
		.nr_parents = ctx_array_size(further),
		.name = "as long as a name may be, or so",
	};
	char message[CTX_MESSAGE_MAX + 1] = "";
	pid_t pid;
	int i, rich;

	memset(message, 'm', CTX_MESSAGE_MAX);
	as_user(pid, self->user) {
		ASSERT_EQ(4, fill(self->dev, further, 4));
		rich = ctx_create(further[0], &args);
		ASSERT_LE(0, rich);
		for (i = 0; i < 10; i++)
			ASSERT_LE(0, ctx_watch(rich, 0));
		EXPECT_EQ(0, ctx_cancel(rich, EIO, message));
		EXPECT_EQ(LIMIT - 4 - 1, fill(self->dev, fd, 2 * LIMIT));
	}
	check_child(pid);
}

/* A context with @nr values of @size bytes each, or -1 */
static int new_with_values(int parent, int nr, __u32 size)
{
	static char data[CTX_VALUE_MAX], key[CTX_VALUES_MAX][8];
	struct ctx_value value[CTX_VALUES_MAX];
	int i;

	for (i = 0; i < nr; i++) {
		snprintf(key[i], sizeof(key[i]), "key%d", i);
		value[i] = ctx_value_of(key[i], data, size);
	}
	return ctx_new_values(parent, value, nr);
}

/* What a context counts as with values that take @size bytes: 192 are its own */
static int count_of(size_t size)
{
	return size <= 192 ? 1 : 1 + (size - 192 + 639) / 640;
}

/* A page counts likewise, but has none of its own. */
static int count_of_page(void)
{
	return (ctx_page_size() + 639) / 640;
}

TEST_F(limits, values_count_by_the_memory_that_they_take)
{
	static const struct {
		int	nr;
		__u32	size;
		size_t	takes;	/* as the kernel hands out memory */
	} values[] = {
		{ 1, 100, 192 }, { 1, 3000, 4096 }, { 1, 4096, 8192 }, { 2, 4096, 16384 },
		{ 4, 4096, 32768 }, { CTX_VALUES_MAX, 8, 512 },
	};
	unsigned int i;
	pid_t pid;
	int fd;

	for (i = 0; i < ctx_array_size(values); i++) {
		as_user(pid, self->user) {
			fd = new_with_values(self->dev, values[i].nr, values[i].size);
			ASSERT_LE(0, fd);
			check_room(LIMIT - count_of(values[i].takes));
			close(fd);
			check_room_comes(LIMIT);
		}
		check_child(pid);
	}
}

TEST_F(limits, values_for_which_there_is_no_room_give_ENOSPC)
{
	const int count = count_of(8192);
	int fd[LIMIT];
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT - count + 1, fill(self->dev, fd, LIMIT - count + 1));
		check_refused(fd[0], ENOSPC, new_with_values(fd[0], 1, CTX_VALUE_MAX));
		check_room(count - 1);
		close(fd[1]);
		check_room_comes(count);
		EXPECT_LE(0, new_with_values(fd[0], 1, CTX_VALUE_MAX));
		check_room(0);
	}
	check_child(pid);
}

TEST_F(limits, a_page_counts_by_its_size_and_once)
{
	const int page = count_of_page();
	const struct ctx_status *status;
	int fd, watch;
	pid_t pid;

	as_user(pid, self->user) {
		fd = ctx_new(self->dev);
		watch = ctx_watch(fd, 0);
		status = ctx_map(fd);
		ASSERT_NE(NULL, status);
		check_room(LIMIT - 1 - page);
		ASSERT_NE(NULL, ctx_map(fd));
		ASSERT_NE(NULL, ctx_map(watch));
		check_room(LIMIT - 1 - page);
		ctx_unmap(status);
		check_room(LIMIT - 1 - page);
	}
	check_child(pid);
}

TEST_F(limits, a_page_counts_until_the_context_is_gone)
{
	const struct ctx_status *status;
	int fd;
	pid_t pid;

	as_user(pid, self->user) {
		fd = ctx_new(self->dev);
		status = ctx_map(fd);
		ASSERT_NE(NULL, status);
		close(fd);
		check_room(LIMIT - 1 - count_of_page());
		ctx_unmap(status);
		check_room_comes(LIMIT);
	}
	check_child(pid);
}

TEST_F(limits, a_page_for_which_there_is_no_room_gives_ENOSPC)
{
	const int page = count_of_page();
	int fd[LIMIT];
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT - page + 1, fill(self->dev, fd, LIMIT - page + 1));
		errno = 0;
		EXPECT_EQ(NULL, ctx_map(fd[0]));
		EXPECT_EQ(ENOSPC, errno);
		check_alive(fd[0]);
		check_room(page - 1);
		close(fd[1]);
		check_room_comes(page);
		EXPECT_NE(NULL, ctx_map(fd[0]));
		check_room(0);
	}
	check_child(pid);
}

TEST_F(limits, a_call_that_fails_leaves_nothing_counted)
{
	struct ctx_create_args no_clock = { .deadline = HOUR, .clockid = 12345 };
	struct ctx_create_args no_parents = { .nr_parents = 2 };
	struct ctx_create_args no_values = { .nr_values = 2 };
	struct rlimit fds, none = {};
	pid_t pid;
	int i;

	as_user(pid, self->user) {
		for (i = 0; i < LIMIT; i++) {
			check_errno(EINVAL, ctx_create(self->dev, &no_clock));
			check_errno(EFAULT, ctx_create(self->dev, &no_parents));
			check_errno(EFAULT, ctx_create(self->dev, &no_values));
			check_errno(EBADF, ctx_new_merged2(self->dev, -1));
		}
		ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &fds));
		none.rlim_max = fds.rlim_max;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		for (i = 0; i < LIMIT; i++)
			check_errno(EMFILE, ctx_new(self->dev));
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &fds));
		check_room(LIMIT);
	}
	check_child(pid);
}

TEST_F(limits, the_end_of_a_process_makes_room_for_all_it_had)
{
	pid_t holder = holder_start(self->dev, self->user, LIMIT), pid;

	ASSERT_LT(0, holder);
	holder_end(holder);
	as_user(pid, self->user)
		check_room_comes(LIMIT);
	check_child(pid);
}

/* A deadline is told after the process has gone, and what it is told to counts till then. */
TEST_F(limits, deadlines_that_strike_leave_nothing_counted)
{
	int fd[LIMIT], i;
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT, fill(self->dev, fd, LIMIT));
		for (i = 0; i < LIMIT; i++)
			ASSERT_EQ(0, ctx_set_timeout(fd[i], NSEC_PER_MSEC));
		close_all(fd, LIMIT);
		check_room_comes(LIMIT);
	}
	check_child(pid);
}

/* Capabilities */

static int set_caps(__u64 caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = caps, .permitted = caps },
		{ .effective = caps >> 32, .permitted = caps >> 32 },
	};

	return syscall(SYS_capset, &header, data);
}

/* Becomes @uid, but keeps CAP_SYS_RESOURCE. */
static int be_user_with_resources(uid_t uid)
{
	if (prctl(PR_SET_KEEPCAPS, 1) || be_user(uid))
		return -1;
	return set_caps(1ULL << CAP_SYS_RESOURCE);
}

TEST_F(limits, CAP_SYS_RESOURCE_is_exempt_but_counted)
{
	int fd[LIMIT + 10];
	pid_t pid;

	in_child(pid) {
		ASSERT_EQ(0, be_user_with_resources(self->user));
		EXPECT_EQ(LIMIT + 10, fill(self->dev, fd, LIMIT + 10));
		EXPECT_NE(NULL, ctx_map(fd[LIMIT + 9]));
		EXPECT_EQ(0, set_caps(0));
		check_room(0);
		close(fd[LIMIT + 9]);
		close_all(fd, 8);
		check_room(0);
		/* But for the page, which is still mapped. */
		close_all(fd + 8, 1 + count_of_page() + 2);
		check_room_comes(1);
	}
	check_child(pid);
}

TEST_F(limits, root_without_CAP_SYS_RESOURCE_is_not_exempt)
{
	int fd[LIMIT + 1];
	pid_t pid;

	in_child(pid) {
		EXPECT_EQ(LIMIT + 1, fill(self->dev, fd, LIMIT + 1));
		EXPECT_EQ(0, set_caps(~(1ULL << CAP_SYS_RESOURCE) & 0xffffffff));
		check_errno(ENOSPC, ctx_new(self->dev));
	}
	check_child(pid);
}

TEST_F(limits, any_other_capability_does_not_exempt)
{
	pid_t pid;

	in_child(pid) {
		ASSERT_EQ(0, prctl(PR_SET_KEEPCAPS, 1));
		ASSERT_EQ(0, be_user(self->user));
		ASSERT_EQ(0, set_caps(~(1ULL << CAP_SYS_RESOURCE) & 0xffffffff));
		check_room(LIMIT);
	}
	check_child(pid);
}

/* This process is root in a user namespace of its own, with every capability there. */
static int be_root_of_a_namespace(uid_t uid)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (unshare(CLONE_NEWUSER) || ctx_write_file("/proc/self", "uid_map", map))
		return -1;
	return setresuid(0, 0, 0);
}

TEST_F(limits, the_root_of_a_user_namespace_is_not_exempt)
{
	int fd[LIMIT];
	pid_t pid;

	if (access("/proc/self/ns/user", F_OK))
		SKIP(return, "there are no user namespaces");
	as_user(pid, self->user) {
		ASSERT_EQ(10, fill(self->dev, fd, 10));
		ASSERT_EQ(0, be_root_of_a_namespace(self->user));
		/* Nor does he have a limit of his own there. */
		check_room(LIMIT - 10);
	}
	check_child(pid);
}

/* The parameter */

TEST_F(limits, a_limit_below_what_is_there_takes_nothing_away)
{
	int fd[LIMIT];
	pid_t pid;

	as_user(pid, self->user) {
		ASSERT_EQ(LIMIT, fill(self->dev, fd, LIMIT));
		ASSERT_EQ(0, limit_write(self->param, LIMIT / 2));
		check_alive(fd[LIMIT - 1]);
		EXPECT_EQ(0, ctx_set_timeout(fd[LIMIT - 1], HOUR));
		close_all(fd, LIMIT / 2);
		check_room(0);
		close(fd[LIMIT / 2]);
		check_room_comes(1);
		ASSERT_EQ(0, limit_write(self->param, LIMIT));
		check_room_comes(LIMIT / 2 + 1);
	}
	check_child(pid);
}

TEST_F(limits, a_limit_of_0_allows_none)
{
	pid_t pid;

	ASSERT_EQ(0, limit_write(self->param, 0));
	as_user(pid, self->user)
		check_errno(ENOSPC, ctx_new(self->dev));
	check_child(pid);
	in_child(pid)
		EXPECT_LE(0, ctx_new(self->dev));
	check_child(pid);
}

TEST_F(limits, what_is_no_number_is_no_limit)
{
	EXPECT_EQ(-1, limit_write(self->param, -1));
	EXPECT_EQ(-1, limit_write(self->param, 1L << 32));
	EXPECT_EQ(LIMIT, limit_get());
}

/* Several at once */

#define PROCESSES	4

struct counted {
	struct gate	gate;
	unsigned int	made;
	unsigned int	over;
};

/* Each of them makes as many as it can, and keeps them until told. */
static void take_a_share(int dev, uid_t uid, struct counted *c, __u32 random)
{
	int fd[LIMIT + 1];

	if (be_user(uid))
		_exit(1);
	gate_pass(&c->gate, &random);
	__atomic_add_fetch(&c->made, fill(dev, fd, LIMIT + 1), __ATOMIC_ACQ_REL);
	if (errno != ENOSPC)
		_exit(1);
	__atomic_add_fetch(&c->over, 1, __ATOMIC_ACQ_REL);
	spin_until(&c->over, PROCESSES);
	_exit(0);
}

TEST_F_TIMEOUT(limits, processes_that_fill_it_at_once_have_no_more_together, 300)
{
	struct counted *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[PROCESSES];
	unsigned int i, k;

	ASSERT_NE(MAP_FAILED, c);
	for (i = 0; i < rounds(30) && _metadata->passed; i++) {
		memset(c, 0, sizeof(*c));
		for (k = 0; k < PROCESSES; k++) {
			pid[k] = ctx_fork();
			ASSERT_LE(0, pid[k]);
			if (!pid[k])
				take_a_share(self->dev, self->user, c, k + 1);
		}
		EXPECT_TRUE(gate_open(&c->gate, PROCESSES));
		for (k = 0; k < PROCESSES; k++)
			EXPECT_EQ(0, race_reap(pid[k]));
		/* Two who meet at the last one may both be refused it. */
		EXPECT_GE(LIMIT, c->made);
		EXPECT_LE(LIMIT - PROCESSES, c->made);
		as_user(pid[0], self->user)
			check_room_comes(LIMIT);
		check_child(pid[0]);
	}
	munmap(c, sizeof(*c));
}

/* Makes and closes some at a time, never more than a @PROCESSES-th of the limit. */
static void come_and_go(int dev, uid_t uid, struct counted *c, unsigned int times, __u32 random)
{
	int fd[LIMIT / PROCESSES], nr;

	if (be_user(uid))
		_exit(1);
	gate_pass(&c->gate, &random);
	while (times--) {
		nr = 1 + race_random(&random) % (LIMIT / PROCESSES);
		if (fill(dev, fd, nr) != nr)
			_exit(2);
		close_all(fd, nr);
	}
	_exit(0);
}

/* None is refused what there is room for, and the count is right when they have gone. */
TEST_F_TIMEOUT(limits, processes_that_come_and_go_are_not_miscounted, 300)
{
	struct counted *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[PROCESSES];
	unsigned int k;

	ASSERT_NE(MAP_FAILED, c);
	for (k = 0; k < PROCESSES; k++) {
		pid[k] = ctx_fork();
		ASSERT_LE(0, pid[k]);
		if (!pid[k])
			come_and_go(self->dev, self->user, c, rounds(200), k + 1);
	}
	EXPECT_TRUE(gate_open(&c->gate, PROCESSES));
	for (k = 0; k < PROCESSES; k++)
		EXPECT_EQ(0, race_reap(pid[k]));
	as_user(pid[0], self->user)
		check_room_comes(LIMIT);
	check_child(pid[0]);
	munmap(c, sizeof(*c));
}

/* Makes on one processor what another closes: the counts of both are off, not their sum. */
TEST_F_TIMEOUT(limits, what_another_processor_closes_is_counted_right, 300)
{
	int sock[2], fd[10], i, n;
	cpu_set_t one;
	pid_t pid;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs a second processor");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	as_user(pid, self->user) {
		CPU_CLR(0, &one);
		CPU_SET(1, &one);
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(10, fill(self->dev, fd, 10));
			for (n = 0; n < 10; n++) {
				ASSERT_EQ(0, ctx_send_fd(sock[1], fd[n]));
				close(fd[n]);
			}
			/* It has closed them. */
			ASSERT_LE(0, ctx_recv_fd(sock[1]));
		}
		check_room_comes(LIMIT);
	}
	for (i = 0; i < 20; i++) {
		for (n = 0; n < 10; n++)
			close(ctx_recv_fd(sock[0]));
		EXPECT_EQ(0, ctx_send_fd(sock[0], self->dev));
	}
	check_child(pid);
	close(sock[0]);
	close(sock[1]);
}

TEST_HARNESS_MAIN
