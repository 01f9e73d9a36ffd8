// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts by id: CTX_IOC_OPEN, CTX_IOC_LIST, and who may use them on what.
 */
#include "ctx_features.h"
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <linux/capability.h>

#define ONE_USER	1234
#define OTHER_USER	4321
#define MANY		300

static int ctx_open(int dev, __u64 id, __u32 flags)
{
	return ioctl(dev, CTX_IOC_OPEN, &(struct ctx_open_args){
		.id = id, .flags = flags, .fd_flags = CTX_CLOEXEC,
	});
}

static int ctx_list(int dev, __u64 after, __u64 *ids, __u32 nr)
{
	return ioctl(dev, CTX_IOC_LIST, &(struct ctx_list_args){
		.after = after, .ids = (uintptr_t)ids, .nr = nr,
	});
}

/* Whether @id is listed to the caller. */
static bool is_listed(int dev, __u64 id)
{
	__u64 got = 0;

	return ctx_list(dev, id - 1, &got, 1) == 1 && got == id;
}

/* Has no capability outside of its namespaces from here on. */
static int be_user(uid_t uid)
{
	/* The change made its files in /proc root's. */
	return setresgid(uid, uid, uid) || setresuid(uid, uid, uid) ||
	       prctl(PR_SET_DUMPABLE, 1);
}

static int drop_cap(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -1;
	data[0].effective &= ~(1U << cap);
	return syscall(SYS_capset, &header, data);
}

/* Returns how long it is. */
static ssize_t read_fdinfo(int fd, char *text, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return n;
}

/* Opens by @id with every right, and closes again. */
#define check_found(dev, id) ({						\
	int __fd = ctx_open((dev), (id), CTX_OPEN_CONTROL);		\
									\
	EXPECT_LE(0, __fd);						\
	EXPECT_EQ((id), ctx_id(__fd));					\
	close(__fd);							\
	EXPECT_TRUE(is_listed((dev), (id)));				\
})

/* Neither way, nor by its list. */
#define check_not_found(dev, id, error) ({				\
	check_errno((error), ctx_open((dev), (id), 0));			\
	check_errno((error), ctx_open((dev), (id), CTX_OPEN_CONTROL));	\
	EXPECT_FALSE(is_listed((dev), (id)));				\
})

FIXTURE(ids) {
	int dev;
	int fd;		/* a root's */
	__u64 id;
};

FIXTURE_SETUP(ids)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->fd = ctx_new_named(self->dev, "found");
	ASSERT_LE(0, self->fd);
	self->id = ctx_id(self->fd);
}

FIXTURE_TEARDOWN(ids)
{
	close(self->fd);
	close(self->dev);
}

/* The descriptor */

TEST_F(ids, opens_the_context_of_that_id)
{
	int fd = ctx_open(self->dev, self->id, 0);

	ASSERT_LE(0, fd);
	check_alive(fd);
	EXPECT_EQ(self->id, ctx_id(fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	check_cancelled(fd, ECANCELED, EIO, self->id);
	close(fd);
}

TEST_F(ids, without_control_it_is_as_from_watch)
{
	int fd = ctx_open(self->dev, self->id, 0), child;

	check_refused(fd, EBADF, ctx_cancel(fd, EIO, NULL));
	check_refused(fd, EBADF, ctx_set_timeout(fd, HOUR));
	child = ctx_new(fd);
	EXPECT_LE(0, child);
	check_info(child, parent_id, self->id);
	close(child);
	close(fd);
	check_alive(self->fd);
}

TEST_F(ids, with_control_it_cancels)
{
	int fd = ctx_open(self->dev, self->id, CTX_OPEN_CONTROL);

	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(0, ctx_cancel(fd, EPIPE, "by id"));
	check_cancelled(self->fd, ECANCELED, EPIPE, self->id);
	check_message(self->fd, "by id");
	close(fd);
}

TEST_F(ids, with_control_it_moves_the_deadline)
{
	int fd = ctx_open(self->dev, self->id, CTX_OPEN_CONTROL);

	EXPECT_EQ(0, ctx_set_timeout(fd, 0));
	check_becomes_cancelled(self->fd, ETIMEDOUT, ETIMEDOUT, self->id);
	close(fd);
}

TEST_F(ids, its_close_releases_nothing)
{
	int fd = ctx_open(self->dev, self->id, CTX_OPEN_CONTROL);

	close(fd);
	check_alive(self->fd);
}

TEST_F(ids, it_does_not_keep_the_context_from_its_owners_end)
{
	int fd = ctx_open(self->dev, self->id, CTX_OPEN_CONTROL);

	close(self->fd);
	check_cancelled(fd, ECANCELED, EOWNERDEAD, self->id);
	close(fd);
}

TEST_F(ids, it_keeps_the_context)
{
	int fd = ctx_open(self->dev, self->id, 0), again;

	close(self->fd);
	again = ctx_open(self->dev, self->id, 0);
	EXPECT_LE(0, again);
	close(fd);
	close(again);
	check_not_found(self->dev, self->id, ENOENT);
}

TEST_F(ids, a_context_that_only_a_child_needs_is_found)
{
	int child = ctx_create(self->fd, &(struct ctx_create_args){
		.flags = CTX_CREATE_WITHOUT_CANCEL,
	});

	close(self->fd);
	check_found(self->dev, self->id);
	close(child);
	check_not_found(self->dev, self->id, ENOENT);
}

TEST_F(ids, a_descriptor_that_does_not_block_is_one)
{
	struct ctx_event event;
	int fd = ioctl(self->dev, CTX_IOC_OPEN, &(struct ctx_open_args){
		.id = self->id, .fd_flags = CTX_NONBLOCK,
	});

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	check_errno(EAGAIN, read(fd, &event, sizeof(event)));
	close(fd);
}

/* What is refused */

TEST_F(ids, ids_that_nothing_has_give_ENOENT)
{
	static const __u64 ids[] = { 0, 1ULL << 32, 1ULL << 63, ~0ULL };
	unsigned int i;

	for (i = 0; i < ctx_array_size(ids); i++)
		check_refused(self->fd, ENOENT, ctx_open(self->dev, ids[i], 0));
	check_refused(self->fd, ENOENT, ctx_open(self->dev, self->id + (1ULL << 40), 0));
}

TEST_F(ids, unknown_flags_give_EINVAL)
{
	struct ctx_open_args args = { .id = self->id };
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		args.flags = 1U << bit;
		check_refused(self->fd, EINVAL, ioctl(self->dev, CTX_IOC_OPEN, &args));
	}
	args.flags = 0;
	for (bit = 2; bit < 32; bit++) {
		args.fd_flags = 1U << bit;
		check_refused(self->fd, EINVAL, ioctl(self->dev, CTX_IOC_OPEN, &args));
	}
}

TEST_F(ids, a_reserved_field_gives_EINVAL)
{
	__u64 ids[1];
	struct ctx_list_args args = { .ids = (uintptr_t)ids, .nr = 1, .reserved = 1 };

	check_refused(self->fd, EINVAL, ioctl(self->dev, CTX_IOC_LIST, &args));
}

TEST_F(ids, bad_pointers_give_EFAULT)
{
	char *page = mmap(NULL, 2 * ctx_page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u64 *last = (__u64 *)(page + ctx_page_size()) - 1;

	check_refused(self->fd, EFAULT, ioctl(self->dev, CTX_IOC_OPEN, NULL));
	check_refused(self->fd, EFAULT, ioctl(self->dev, CTX_IOC_LIST, NULL));
	check_refused(self->fd, EFAULT, ctx_list(self->dev, 0, NULL, 1));
	ASSERT_EQ(0, munmap(page + ctx_page_size(), ctx_page_size()));
	EXPECT_EQ(1, ctx_list(self->dev, self->id - 1, last, 1));
	EXPECT_EQ(0, ctx_list(self->dev, self->id - 1, NULL, 0));
	munmap(page, ctx_page_size());
}

#define WITH_SIZE(cmd, size)	_IOC(_IOC_DIR(cmd), CTX_IOC_MAGIC, _IOC_NR(cmd), size)

TEST_F(ids, structures_may_grow)
{
	struct { struct ctx_open_args args; __u64 more; } open = { .args.id = self->id };
	struct { struct ctx_list_args args; __u64 more; } list = { };
	size_t size;
	int fd;

	for (size = 0; size < sizeof(open.args); size++)
		check_refused(self->fd, EINVAL,
			      ioctl(self->dev, WITH_SIZE(CTX_IOC_OPEN, size), &open));
	for (size = 0; size < sizeof(list.args); size++)
		check_refused(self->fd, EINVAL,
			      ioctl(self->dev, WITH_SIZE(CTX_IOC_LIST, size), &list));
	fd = ioctl(self->dev, WITH_SIZE(CTX_IOC_OPEN, sizeof(open)), &open);
	EXPECT_EQ(self->id, ctx_id(fd));
	close(fd);
	EXPECT_EQ(0, ioctl(self->dev, WITH_SIZE(CTX_IOC_LIST, sizeof(list)), &list));
	open.more = 1;
	list.more = 1;
	check_refused(self->fd, E2BIG,
		      ioctl(self->dev, WITH_SIZE(CTX_IOC_OPEN, sizeof(open)), &open));
	check_refused(self->fd, E2BIG,
		      ioctl(self->dev, WITH_SIZE(CTX_IOC_LIST, sizeof(list)), &list));
}

TEST_F(ids, a_context_is_not_the_place_to_ask)
{
	int watch = ctx_watch(self->dev, 0);
	__u64 ids[1];

	check_refused(self->fd, ENOTTY, ctx_open(self->fd, self->id, 0));
	check_refused(self->fd, ENOTTY, ctx_list(self->fd, 0, ids, 1));
	/* Nor is a descriptor of the background that is not /dev/ctx. */
	check_refused(self->fd, ENOTTY, ctx_open(watch, self->id, 0));
	check_refused(self->fd, ENOTTY, ctx_list(watch, 0, ids, 1));
	close(watch);
}

TEST_F(ids, any_descriptor_of_the_device_will_do)
{
	int fd = open("/dev/ctx", O_RDONLY | O_CLOEXEC);

	check_found(fd, self->id);
	close(fd);
}

/* The list */

TEST_F(ids, lists_in_order_what_exists)
{
	__u64 ids[MANY], got[MANY + 1];
	int fds[MANY], i, n;

	for (i = 0; i < MANY; i++) {
		fds[i] = ctx_new(self->fd);
		ids[i] = ctx_id(fds[i]);
	}
	n = ctx_list(self->dev, ids[0] - 1, got, MANY + 1);
	ASSERT_LE(MANY, n);
	EXPECT_EQ(0, memcmp(ids, got, sizeof(ids)));
	/* As many as are asked for, the lowest. */
	memset(got, 0, sizeof(got));
	EXPECT_EQ(7, ctx_list(self->dev, ids[10], got, 7));
	EXPECT_EQ(0, memcmp(ids + 11, got, 7 * sizeof(*ids)));
	EXPECT_EQ(0, got[7]);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
}

/* A context that nothing but its child needs takes no descriptor: so each chain takes one. */
static int make_chain(int dev, int nr)
{
	int fd = ctx_new_detached(dev), child;

	while (--nr && fd >= 0) {
		child = ctx_new_detached(fd);
		close(fd);
		fd = child;
	}
	return fd;
}

TEST_F(ids, lists_more_than_it_looks_for_at_once)
{
	enum { CHAINS = 9, DEPTH = 1000, NR = CHAINS * DEPTH };
	__u64 *got = calloc(NR + 1, sizeof(*got)), last;
	int fds[CHAINS], i, n;

	ASSERT_NE(NULL, got);
	for (i = 0; i < CHAINS; i++) {
		fds[i] = make_chain(self->dev, DEPTH);
		ASSERT_LE(0, fds[i]);
	}
	n = ctx_list(self->dev, self->id, got, NR + 1);
	EXPECT_LE(NR, n);
	for (i = 1; i < n; i++)
		ASSERT_LT(got[i - 1], got[i]);
	for (i = 0, n = 0; i < CHAINS; i++) {
		last = ctx_id(fds[i]);
		while (got[n] != last && n < NR)
			n++;
		EXPECT_LE((i + 1) * DEPTH - 1, n);
		close(fds[i]);
	}
	free(got);
}

TEST_F(ids, a_list_that_asks_for_all_there_could_be_ends)
{
	__u64 *got = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int n = ctx_list(self->dev, self->id - 1, got, UINT_MAX);

	EXPECT_LE(1, n);
	EXPECT_EQ(self->id, got[0]);
	munmap(got, 1 << 20);
}

TEST_F(ids, the_background_is_not_listed)
{
	__u64 id;

	ASSERT_EQ(1, ctx_list(self->dev, 0, &id, 1));
	EXPECT_NE(0, id);
	EXPECT_EQ(0, ctx_list(self->dev, ~0ULL, &id, 1));
}

TEST_F(ids, a_cancelled_context_is_found)
{
	ctx_cancel(self->fd, EIO, NULL);
	check_found(self->dev, self->id);
}

/* Rights */

/* A process that makes a context and stays until stop_maker(). */
struct maker {
	uid_t real;
	uid_t effective;
	int namespaces;		/* CLONE_NEWUSER, where it is root, and CLONE_NEWPID */
	pid_t pid;		/* the parent's, where it is in a namespace of pids */
	__u64 id;
};

/* In its process: makes one, tells its id, and stays. */
static void make_and_stay(int dev, int out)
{
	int fd = ctx_new(dev);
	__u64 id = ctx_id(fd);

	if (write(out, &id, sizeof(id)) != sizeof(id))
		_exit(1);
	for (;;)
		pause();
}

static int be_maker(const struct maker *maker)
{
	char map[32];

	if (setresgid(maker->real, maker->effective, maker->effective) ||
	    setresuid(maker->real, maker->effective, maker->effective))
		return -1;
	if (prctl(PR_SET_DUMPABLE, 1) || unshare(maker->namespaces))
		return -1;
	snprintf(map, sizeof(map), "0 %u 1", maker->effective);
	if (maker->namespaces & CLONE_NEWUSER)
		return ctx_write_file("/proc/self", "uid_map", map);
	return 0;
}

/* Returns 0 once the context is there. */
static int start_maker(struct maker *maker, int dev)
{
	int out[2];
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -1;
	maker->pid = ctx_fork();
	if (!maker->pid) {
		if (be_maker(maker))
			_exit(1);
		/* A namespace of pids is that of the children. */
		pid = maker->namespaces & CLONE_NEWPID ? fork() : 0;
		/* For the change of user cleared it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!pid)
			make_and_stay(dev, out[1]);
		close(out[1]);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	close(out[1]);
	if (read(out[0], &maker->id, sizeof(maker->id)) != sizeof(maker->id))
		maker->id = 0;
	close(out[0]);
	return maker->id ? 0 : -1;
}

static void stop_maker(struct maker *maker)
{
	kill(maker->pid, SIGKILL);
	waitpid(maker->pid, NULL, 0);
}

/* Runs the block that follows as another user, without capabilities. */
#define as_user(pid, uid)						\
	in_child(pid)							\
		if (be_user(uid)) {					\
			_exit(1);					\
		} else

/* As another process, the first of a namespace of pids of its own. */
#define in_pid_namespace(pid)						\
	in_child(pid)							\
		for (pid_t __pid = unshare(CLONE_NEWPID) ? -1 : fork(), __status = 1; \
		     !__pid || (waitpid(__pid, &__status, 0), _exit(!!__status), 0); \
		     _exit(_metadata->passed ? 0 : 1))

TEST_F(ids, ones_own_are_found_from_any_process)
{
	struct maker maker = { .real = ONE_USER, .effective = ONE_USER };
	pid_t pid;

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	as_user(pid, ONE_USER)
		check_found(self->dev, maker.id);
	check_child(pid);
	stop_maker(&maker);
}

/* As after sudo, su or cron, and where ptrace may not look. */
TEST_F(ids, ones_own_are_found_though_their_maker_is_not_dumpable)
{
	pid_t pid;

	as_user(pid, ONE_USER) {
		int fd, child;

		ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 0));
		fd = ctx_new(self->dev);
		in_child(child)
			check_found(self->dev, ctx_id(fd));
		check_child(child);
	}
	check_child(pid);
}

TEST_F(ids, another_users_give_EPERM)
{
	struct maker maker = { .real = ONE_USER, .effective = ONE_USER };
	pid_t pid;

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	as_user(pid, OTHER_USER) {
		check_not_found(self->dev, maker.id, EPERM);
		check_not_found(self->dev, self->id, EPERM);
	}
	check_child(pid);
	stop_maker(&maker);
}

TEST_F(ids, CAP_KILL_finds_them_all)
{
	struct maker maker = { .real = ONE_USER, .effective = ONE_USER };

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	check_found(self->dev, maker.id);
	stop_maker(&maker);
}

TEST_F(ids, root_without_CAP_KILL_is_a_user_like_any)
{
	struct maker maker = { .real = ONE_USER, .effective = ONE_USER };
	pid_t pid;

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	in_child(pid) {
		ASSERT_EQ(0, drop_cap(CAP_KILL));
		check_not_found(self->dev, maker.id, EPERM);
		check_found(self->dev, self->id);
	}
	check_child(pid);
	stop_maker(&maker);
}

TEST_F(ids, what_a_set_user_id_program_makes_is_not_its_callers)
{
	struct maker maker = { .real = ONE_USER, .effective = OTHER_USER };
	pid_t pid;

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	as_user(pid, ONE_USER)
		check_not_found(self->dev, maker.id, EPERM);
	check_child(pid);
	as_user(pid, OTHER_USER)
		check_found(self->dev, maker.id);
	check_child(pid);
	stop_maker(&maker);
}

TEST_F(ids, the_real_or_the_effective_uid_will_do)
{
	struct maker maker = { .real = ONE_USER, .effective = ONE_USER };
	pid_t pid;

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	in_child(pid) {
		ASSERT_EQ(0, setresuid(OTHER_USER, ONE_USER, OTHER_USER));
		check_found(self->dev, maker.id);
	}
	check_child(pid);
	in_child(pid) {
		ASSERT_EQ(0, setresuid(ONE_USER, OTHER_USER, OTHER_USER));
		check_found(self->dev, maker.id);
	}
	check_child(pid);
	/* The saved one will not. */
	in_child(pid) {
		ASSERT_EQ(0, setresuid(OTHER_USER, OTHER_USER, ONE_USER));
		check_not_found(self->dev, maker.id, EPERM);
	}
	check_child(pid);
	stop_maker(&maker);
}

TEST_F(ids, a_maker_that_has_ended_counts_as_it_was)
{
	pid_t pid, maker;
	int fd = -1, pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	as_user(maker, ONE_USER)
		ASSERT_EQ(0, ctx_send_fd(pair[1], ctx_new_detached(self->dev)));
	check_child(maker);
	fd = ctx_recv_fd(pair[0]);
	ASSERT_LE(0, fd);
	as_user(pid, ONE_USER)
		check_found(self->dev, ctx_id(fd));
	check_child(pid);
	as_user(pid, OTHER_USER)
		check_not_found(self->dev, ctx_id(fd), EPERM);
	check_child(pid);
	in_pid_namespace(pid)
		check_not_found(self->dev, ctx_id(fd), ENOENT);
	check_child(pid);
	check_info(fd, maker, maker);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

/* Namespaces of pids */

TEST_F(ids, makers_outside_of_ones_namespace_give_ENOENT)
{
	pid_t pid;

	in_pid_namespace(pid) {
		int fd = ctx_new(self->dev);

		check_not_found(self->dev, self->id, ENOENT);
		check_info(self->fd, maker, 0);
		check_found(self->dev, ctx_id(fd));
		check_info(fd, maker, 1);
	}
	check_child(pid);
}

TEST_F(ids, makers_in_a_namespace_below_are_found)
{
	struct maker maker = {
		.real = 0, .effective = 0, .namespaces = CLONE_NEWPID,
	};

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	check_found(self->dev, maker.id);
	stop_maker(&maker);
}

TEST_F(ids, makers_in_a_namespace_beside_ones_own_give_ENOENT)
{
	struct maker maker = {
		.real = 0, .effective = 0, .namespaces = CLONE_NEWPID,
	};
	pid_t pid;

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	in_pid_namespace(pid)
		check_not_found(self->dev, maker.id, ENOENT);
	check_child(pid);
	stop_maker(&maker);
}

/* Whoever was sent a descriptor has what that gives, and no more. */
TEST_F(ids, a_descriptor_from_outside_does_not_make_its_context_visible)
{
	pid_t pid;

	in_pid_namespace(pid) {
		check_alive(self->fd);
		check_not_found(self->dev, ctx_id(self->fd), ENOENT);
	}
	check_child(pid);
}

/* Namespaces of users */

#define needs_user_namespaces()						\
	if (access("/proc/self/ns/user", F_OK))				\
		SKIP(return, "there are no user namespaces")

TEST_F(ids, the_root_of_a_user_namespace_finds_what_is_of_his_uid_alone)
{
	struct maker other = { .real = OTHER_USER, .effective = OTHER_USER };
	struct maker own = { .real = ONE_USER, .effective = ONE_USER };
	pid_t pid;

	needs_user_namespaces();
	ASSERT_EQ(0, start_maker(&other, self->dev));
	ASSERT_EQ(0, start_maker(&own, self->dev));
	as_user(pid, ONE_USER) {
		struct maker root = {
			.real = ONE_USER, .effective = ONE_USER, .namespaces = CLONE_NEWUSER,
		};

		ASSERT_EQ(0, be_maker(&root));
		/* All capabilities there, and none where the makers are. */
		check_not_found(self->dev, other.id, EPERM);
		check_not_found(self->dev, self->id, EPERM);
		check_found(self->dev, own.id);
	}
	check_child(pid);
	stop_maker(&other);
	stop_maker(&own);
}

TEST_F(ids, who_made_a_container_finds_what_is_made_there)
{
	struct maker maker = {
		.real = ONE_USER, .effective = ONE_USER,
		.namespaces = CLONE_NEWUSER | CLONE_NEWPID,
	};
	pid_t pid;

	needs_user_namespaces();
	ASSERT_EQ(0, start_maker(&maker, self->dev));
	check_found(self->dev, maker.id);
	as_user(pid, ONE_USER)
		check_found(self->dev, maker.id);
	check_child(pid);
	as_user(pid, OTHER_USER)
		check_not_found(self->dev, maker.id, EPERM);
	check_child(pid);
	stop_maker(&maker);
}

TEST_F(ids, a_list_asks_for_each_of_many_containers)
{
	struct maker makers[6] = {};
	unsigned int i;
	pid_t pid;

	needs_user_namespaces();
	for (i = 0; i < ctx_array_size(makers); i++) {
		makers[i].real = ONE_USER + i;
		makers[i].effective = ONE_USER + i;
		makers[i].namespaces = CLONE_NEWUSER | CLONE_NEWPID;
		ASSERT_EQ(0, start_maker(&makers[i], self->dev));
	}
	as_user(pid, ONE_USER + 2) {
		__u64 ids[8];

		ASSERT_EQ(1, ctx_list(self->dev, makers[0].id - 1, ids, 8));
		EXPECT_EQ(makers[2].id, ids[0]);
	}
	check_child(pid);
	for (i = 0; i < ctx_array_size(makers); i++)
		check_found(self->dev, makers[i].id);
	for (i = 0; i < ctx_array_size(makers); i++)
		stop_maker(&makers[i]);
}

/* What INFO and fdinfo say of the maker */

TEST_F(ids, info_tells_the_maker_and_its_effective_uid)
{
	struct maker maker = { .real = ONE_USER, .effective = OTHER_USER };
	int fd;

	ASSERT_EQ(0, start_maker(&maker, self->dev));
	fd = ctx_open(self->dev, maker.id, 0);
	check_info(fd, uid, OTHER_USER);
	check_info(fd, maker, maker.pid);
	check_info(self->fd, uid, 0);
	check_info(self->fd, maker, getpid());
	close(fd);
	stop_maker(&maker);
}

TEST_F(ids, info_tells_uids_of_the_callers_namespace)
{
	struct maker maker = {
		.real = ONE_USER, .effective = ONE_USER, .namespaces = CLONE_NEWUSER,
	};
	pid_t pid;

	needs_user_namespaces();
	as_user(pid, ONE_USER) {
		int fd = ctx_new(self->dev);

		ASSERT_EQ(0, be_maker(&maker));
		check_info(fd, uid, 0);
		/* That of who is not there: overflowuid. */
		check_info(self->fd, uid, 65534);
	}
	check_child(pid);
}

TEST_F(ids, a_child_has_the_maker_that_made_it)
{
	pid_t pid;

	in_child(pid) {
		int fd = ctx_new(self->fd);

		check_info(fd, maker, getpid());
		close(fd);
	}
	check_child(pid);
	check_info(self->fd, maker, getpid());
}

TEST_F(ids, a_thread_makes_for_its_process)
{
	struct ctx_reader reader;
	int child = ctx_new(self->fd);

	/* Any thread will do. */
	ASSERT_EQ(0, ctx_reader_start(&reader, child));
	check_info(child, maker, getpid());
	ctx_cancel(child, 0, NULL);
	ASSERT_EQ(0, ctx_reader_join(&reader));
	close(child);
}

TEST_F(ids, info_tells_the_further_parents)
{
	int other = ctx_new(self->dev), parents[] = { other, self->dev, self->fd };
	struct ctx_info info;
	int fd = ctx_create(self->dev, &(struct ctx_create_args){
		.parents = (uintptr_t)parents,
		.nr_parents = ctx_array_size(parents),
	});

	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(2, info.nr_parents);
	EXPECT_EQ(ctx_id(other), info.parents[0]);
	EXPECT_EQ(self->id, info.parents[1]);
	EXPECT_EQ(0, info.parents[2]);
	close(fd);
	close(other);
}

TEST_F(ids, fdinfo_tells_maker_and_parents)
{
	int other = ctx_new(self->dev), parents[] = { other, self->fd };
	int fd = ctx_create(self->dev, &(struct ctx_create_args){
		.parents = (uintptr_t)parents,
		.nr_parents = ctx_array_size(parents),
	});
	char text[2048], line[128];

	ASSERT_LT(0, read_fdinfo(fd, text, sizeof(text)));
	snprintf(line, sizeof(line), "\nctx-uid:\t0\nctx-maker:\t%d\nctx-parents:\t%llu %llu\n",
		 getpid(), ctx_id(other), self->id);
	EXPECT_NE(NULL, strstr(text, line))
		TH_LOG("%s", text);
	ASSERT_LT(0, read_fdinfo(other, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "\nctx-parents:\n"))
		TH_LOG("%s", text);
	close(fd);
	close(other);
}

TEST_HARNESS_MAIN
