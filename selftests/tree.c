// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree: what CTX_IOC_CREATE makes of a root and of a child, what it refuses
 * to make, and what the background context is.
 */
#include "ctx_selftest.h"
#include <sys/resource.h>

#define MAX_DEPTH	"/sys/module/ctx/parameters/max_depth"
#define FILE_MAX	"/proc/sys/fs/file-max"

static long read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long number = -1;

	if (!file || fscanf(file, "%ld", &number) != 1)
		return -1;
	fclose(file);
	return number;
}

static int write_number(const char *path, long number)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = dprintf(fd, "%ld", number) > 0 ? 0 : -1;

	close(fd);
	return ret;
}

FIXTURE(tree) {
	int dev;
	int root;
};

FIXTURE_SETUP(tree)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
}

FIXTURE_TEARDOWN(tree)
{
	close(self->root);
	close(self->dev);
}

TEST_F(tree, create_on_the_device_makes_a_root)
{
	struct ctx_info info;

	check_alive(self->root);
	ASSERT_EQ(0, ctx_info(self->root, &info));
	EXPECT_LT(0, info.id);
	EXPECT_EQ(0, info.parent_id);
	EXPECT_EQ(0, info.depth);
	EXPECT_EQ(0, info.deadline);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(0, info.nr_children);
}

TEST_F(tree, the_device_creates_whatever_it_was_opened_for)
{
	const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	unsigned int i;
	int dev, fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		dev = open("/dev/ctx", modes[i] | O_CLOEXEC);
		ASSERT_LE(0, dev);
		fd = ctx_new(dev);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, ctx_cancel(fd, 0, NULL));
		close(fd);
		close(dev);
	}
}

TEST_F(tree, create_on_a_context_makes_a_child)
{
	int child = ctx_new(self->root);
	struct ctx_info info;

	ASSERT_LE(0, child);
	check_alive(child);
	ASSERT_EQ(0, ctx_info(child, &info));
	EXPECT_LT(0, info.id);
	EXPECT_NE(ctx_id(self->root), info.id);
	EXPECT_EQ(ctx_id(self->root), info.parent_id);
	EXPECT_EQ(1, info.depth);
	EXPECT_EQ(0, info.deadline);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(0, info.nr_children);
	close(child);
}

TEST_F(tree, create_on_a_read_only_descriptor_makes_a_writable_child)
{
	int watch = ctx_watch(self->root, 0);
	int child = ctx_new(watch);
	__u64 id = ctx_id(child);

	ASSERT_LE(0, child);
	check_info(child, parent_id, ctx_id(self->root));
	EXPECT_EQ(0, ctx_cancel(child, EIO, NULL));
	check_cancelled(child, ECANCELED, EIO, id);
	check_alive(self->root);
	close(child);
	close(watch);
}

TEST_F(tree, ids_are_never_reused)
{
	__u64 ids[500];
	unsigned int i, j;
	int fd;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		/* Roots and children, all gone before the next. */
		fd = ctx_new(i & 1 ? self->root : self->dev);
		ASSERT_LE(0, fd);
		ids[i] = ctx_id(fd);
		EXPECT_NE(0, ids[i]);
		EXPECT_NE(ctx_id(self->root), ids[i]);
		close(fd);
	}
	for (i = 0; i < ARRAY_SIZE(ids); i++)
		for (j = 0; j < i; j++)
			ASSERT_NE(ids[i], ids[j]);
}

TEST_F(tree, depth_counts_the_ancestors)
{
	int chain[20] = { self->root };
	unsigned int i;

	for (i = 1; i < ARRAY_SIZE(chain); i++) {
		chain[i] = ctx_new(chain[i - 1]);
		ASSERT_LE(0, chain[i]);
		check_info(chain[i], depth, i);
		check_info(chain[i], parent_id, ctx_id(chain[i - 1]));
	}
	while (--i)
		close(chain[i]);
}

TEST_F(tree, nr_children_counts_children_not_grandchildren)
{
	int a = ctx_new(self->root), b = ctx_new(self->root);
	int grandchild = ctx_new(a);

	ASSERT_LE(0, grandchild);
	check_info(self->root, nr_children, 2);
	check_info(a, nr_children, 1);
	check_info(b, nr_children, 0);
	close(grandchild);
	close(a);
	close(b);
}

TEST_F(tree, nr_children_leaves_out_the_cancelled)
{
	int a = ctx_new(self->root), b = ctx_new(self->root);
	int grandchild = ctx_new(a);

	check_info(self->root, nr_children, 2);
	EXPECT_EQ(0, ctx_cancel(b, 0, NULL));
	check_info(self->root, nr_children, 1);
	/* This one cancels the grandchild as well. */
	EXPECT_EQ(0, ctx_cancel(a, 0, NULL));
	check_info(self->root, nr_children, 0);
	check_info(a, nr_children, 0);
	/* Once cancelled, its end does not count a second time. */
	close(b);
	check_info(self->root, nr_children, 0);
	close(grandchild);
	close(a);
}

TEST_F(tree, nr_children_leaves_out_those_that_are_gone)
{
	int child = ctx_new_detached(self->root);

	check_info(self->root, nr_children, 1);
	close(child);
	check_info(self->root, nr_children, 0);
}

TEST_F(tree, a_detached_child_exists_as_long_as_its_own_child)
{
	int child = ctx_new_detached(self->root);
	int grandchild = ctx_new(child);
	__u64 id = ctx_id(child);

	ASSERT_LE(0, grandchild);
	close(child);
	check_alive(grandchild);
	check_info(grandchild, parent_id, id);
	check_info(grandchild, depth, 2);
	check_info(self->root, nr_children, 1);
	close(grandchild);
	check_info(self->root, nr_children, 0);
}

TEST_F(tree, a_detached_child_exists_as_long_as_a_watch_descriptor)
{
	int child = ctx_new_detached(self->root);
	int watch = ctx_watch(child, 0);

	close(child);
	check_alive(watch);
	check_info(self->root, nr_children, 1);
	close(watch);
	check_info(self->root, nr_children, 0);
}

TEST_F(tree, a_child_of_a_cancelled_context_is_created_cancelled_as_that)
{
	__u64 origin = ctx_id(self->root);
	int child, grandchild;

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, "disk on fire"));
	child = ctx_new(self->root);
	ASSERT_LE(0, child);
	check_cancelled(child, ECANCELED, EIO, origin);
	check_message(child, "disk on fire");
	grandchild = ctx_new(child);
	ASSERT_LE(0, grandchild);
	check_cancelled(grandchild, ECANCELED, EIO, origin);
	check_info(grandchild, depth, 2);
	EXPECT_EQ(1, ctx_cancel(child, EPIPE, NULL));
	check_cancelled(child, ECANCELED, EIO, origin);
	check_info(self->root, nr_children, 0);
	close(grandchild);
	close(child);
}

TEST_F(tree, a_child_of_an_expired_context_is_created_expired)
{
	int parent = ctx_new_timeout(self->root, 0);
	int child = ctx_new(parent);

	ASSERT_LE(0, child);
	check_cancelled(child, ETIMEDOUT, ETIMEDOUT, ctx_id(parent));
	close(child);
	close(parent);
}

TEST_F(tree, a_cancelled_parent_outweighs_a_deadline_that_has_passed)
{
	__u64 origin = ctx_id(self->root);
	int child;

	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	child = ctx_new_timeout(self->root, 0);
	ASSERT_LE(0, child);
	check_cancelled(child, ECANCELED, EIO, origin);
	close(child);
}

TEST_F(tree, info_tells_the_flags_it_was_made_with)
{
	struct ctx_create_args args = {
		.clockid = CLOCK_MONOTONIC,
		.deadline = HOUR,
	};
	const __u32 flags[] = {
		0, CTX_CREATE_DETACHED, CTX_CREATE_TIMEOUT,
		CTX_CREATE_DETACHED | CTX_CREATE_TIMEOUT,
	};
	unsigned int i;
	int fd;

	args.deadline += ctx_clock(CLOCK_MONOTONIC);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		args.flags = flags[i];
		fd = ctx_create(self->root, &args);
		ASSERT_LE(0, fd);
		check_info(fd, flags, flags[i]);
		close(fd);
	}
}

TEST_F(tree, a_name_is_kept_and_not_inherited)
{
	int fd = ctx_new_named(self->root, "r\303\251sum\303\251 service");
	int child = ctx_new(fd);
	static const char none[CTX_NAME_LEN] = "";
	struct ctx_info info;

	ASSERT_LE(0, child);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_STREQ("r\303\251sum\303\251 service", info.name);
	ASSERT_EQ(0, ctx_info(child, &info));
	EXPECT_EQ(0, memcmp(none, info.name, sizeof(none)));
	close(child);
	close(fd);
}

TEST_F(tree, a_name_has_up_to_31_bytes)
{
	int fd = ctx_new_named(self->root, "0123456789abcdef0123456789abcde");
	struct ctx_info info;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_STREQ("0123456789abcdef0123456789abcde", info.name);
	close(fd);
}

TEST_F(tree, a_name_without_its_nul_gives_EINVAL)
{
	check_refused(self->root, EINVAL,
		      ctx_new_named(self->root,
				    "0123456789abcdef0123456789abcdef"));
}

TEST_F(tree, bytes_after_the_nul_of_a_name_show_nowhere)
{
	struct ctx_create_args args = { .name = "ab\0secret" };
	static const char name[CTX_NAME_LEN] = "ab";
	struct ctx_info info;
	int fd;

	args.name[CTX_NAME_LEN - 1] = 'x';
	fd = ctx_create(self->root, &args);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(0, memcmp(name, info.name, sizeof(name)));
	close(fd);
}

TEST_F_TIMEOUT(tree, a_tree_deeper_than_max_depth_gives_ELOOP, 120)
{
	unsigned int max_depth = read_number(MAX_DEPTH), depth;
	int fd = dup(self->root), child;

	EXPECT_EQ(1024, max_depth);
	for (depth = 1; depth <= max_depth; depth++) {
		/* Detached, so that one descriptor at a time is enough. */
		child = ctx_new_detached(fd);
		ASSERT_LE(0, child);
		close(fd);
		fd = child;
	}
	check_info(fd, depth, max_depth);
	check_refused(fd, ELOOP, ctx_new(fd));
	check_refused(fd, ELOOP, ctx_new_timeout(fd, 0));
	/* The whole depth is one tree. */
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	check_cancelled(fd, ECANCELED, EIO, ctx_id(self->root));
	close(fd);
}

TEST_F(tree, a_full_descriptor_table_gives_EMFILE)
{
	struct rlimit limit;
	int fd, last;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	last = open("/dev/null", O_RDONLY);
	fd = dup(self->root);
	limit.rlim_cur = last + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	check_errno(EMFILE, ctx_new(fd));
	check_errno(EMFILE, ctx_watch(fd, 0));
	check_info(fd, nr_children, 0);
	check_alive(fd);
	close(last);
	last = ctx_new(fd);
	EXPECT_LE(0, last);
	close(last);
	close(fd);
}

TEST_F(tree, an_unprivileged_user_creates_and_cancels)
{
	struct stat st;
	pid_t pid;
	int fd;

	ASSERT_EQ(0, stat("/dev/ctx", &st));
	EXPECT_EQ(S_IFCHR | 0666, st.st_mode);
	in_child(pid) {
		ASSERT_EQ(0, setgid(65534));
		ASSERT_EQ(0, setuid(65534));
		fd = ctx_new(ctx_background());
		EXPECT_LE(0, fd);
		check_alive(fd);
		EXPECT_EQ(0, ctx_cancel(fd, EIO, NULL));
		check_cancelled(fd, ECANCELED, EIO, ctx_id(fd));
	}
	check_child(pid);
}

/* Numbers of the system's, which are put back. */
FIXTURE(limit) {
	long file_max;
	long max_depth;
	int root;
};

FIXTURE_SETUP(limit)
{
	self->file_max = read_number(FILE_MAX);
	ASSERT_LT(0, self->file_max);
	self->max_depth = read_number(MAX_DEPTH);
	ASSERT_LT(0, self->max_depth);
	self->root = ctx_new(ctx_background());
	ASSERT_LE(0, self->root);
}

FIXTURE_TEARDOWN(limit)
{
	EXPECT_EQ(0, write_number(FILE_MAX, self->file_max));
	EXPECT_EQ(0, write_number(MAX_DEPTH, self->max_depth));
	close(self->root);
}

TEST_F(limit, max_depth_is_a_parameter_of_the_module)
{
	int child = ctx_new(self->root), grandchild = ctx_new(child), fd;

	ASSERT_EQ(0, write_number(MAX_DEPTH, 1));
	check_refused(child, ELOOP, ctx_new(child));
	check_refused(grandchild, ELOOP, ctx_new(grandchild));
	fd = ctx_new(self->root);
	check_alive(fd);
	/* What is there stays. */
	check_alive(grandchild);
	close(fd);
	close(grandchild);
	close(child);
}

TEST_F(limit, max_depth_is_at_most_4096)
{
	EXPECT_EQ(0, write_number(MAX_DEPTH, 4096));
	check_errno(EINVAL, write_number(MAX_DEPTH, 4097));
	EXPECT_EQ(4096, read_number(MAX_DEPTH));
}

/* Root may exceed this limit. */
TEST_F(limit, a_full_file_table_gives_ENFILE)
{
	int go[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(go));
	in_child(pid) {
		close(go[1]);
		EXPECT_EQ(0, setuid(65534));
		EXPECT_EQ(1, read(go[0], &byte, 1));
		check_errno(ENFILE, ctx_new(self->root));
		check_errno(ENFILE, ctx_watch(self->root, 0));
	}
	EXPECT_EQ(0, write_number(FILE_MAX, 0));
	EXPECT_EQ(1, write(go[1], "", 1));
	check_child(pid);
	EXPECT_EQ(0, write_number(FILE_MAX, self->file_max));
	check_info(self->root, nr_children, 0);
	check_alive(self->root);
}

/* The background context: what /dev/ctx itself stands for. */

TEST_F(tree, the_background_is_all_zeros_in_info)
{
	const struct ctx_info zero = {};
	struct ctx_info info;

	ASSERT_EQ(0, ctx_info(self->dev, &info));
	EXPECT_EQ(0, memcmp(&zero, &info, sizeof(info)));
}

TEST_F(tree, the_background_cannot_be_cancelled)
{
	check_refused(self->dev, EBADF, ctx_cancel(self->dev, 0, NULL));
	EXPECT_EQ(0, ctx_poll(self->dev, 0));
	check_alive(self->root);
}

TEST_F(tree, the_background_takes_no_deadline)
{
	check_refused(self->dev, EBADF, ctx_set_timeout(self->dev, 0));
	check_refused(self->dev, EBADF,
		      ctx_set_deadline(self->dev, CLOCK_MONOTONIC, 1));
	EXPECT_EQ(0, ctx_poll(self->dev, 0));
	check_alive(self->root);
}

TEST_F(tree, the_background_is_never_ready)
{
	int dev = open("/dev/ctx", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct ctx_event event;

	/* Not with the end of a root either. */
	EXPECT_EQ(0, ctx_cancel(self->root, EIO, NULL));
	EXPECT_EQ(0, ctx_poll(dev, 0));
	check_errno(EAGAIN, read(dev, &event, sizeof(event)));
	close(dev);
}

TEST_HARNESS_MAIN
