// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_create_opts(): contexts with all that they can have, in the caller's own terms. */
#include "libctxfd.h"

#define create(...) \
	ctxfd_create_opts(ctxfd_background(), &(struct ctxfd_create_opts){ __VA_ARGS__ })

#define check_info_is(fd, field, value) ({				\
	struct ctx_info __info = {};					\
									\
	EXPECT_EQ(0, ctxfd_info((fd), &__info));			\
	EXPECT_EQ((value), __info.field);				\
})

TEST(none_is_a_plain_child)
{
	int root = new_root(), fds[] = {
		ctxfd_create_opts(root, NULL),
		ctxfd_create_opts(root, &(struct ctxfd_create_opts){}),
	};

	for (int i = 0; i < 2; i++) {
		ASSERT_LE(0, fds[i]);
		check_cloexec(fds[i]);
		check_info_is(fds[i], parent_id, ctx_id(root));
		check_info_is(fds[i], deadline, 0);
		check_info_is(fds[i], flags, 0);
		check_info_is(fds[i], name[0], 0);
	}
}

TEST(name_is_as_long_as_fits)
{
	char name[CTX_NAME_LEN + 1] = "build";
	struct ctx_info info = {};

	ASSERT_EQ(0, ctxfd_info(create(.name = name), &info));
	EXPECT_STREQ("build", info.name);
	memset(name, 'x', CTX_NAME_LEN);
	check_errno(EINVAL, create(.name = name));
	name[CTX_NAME_LEN - 1] = '\0';
	ASSERT_EQ(0, ctxfd_info(create(.name = name), &info));
	EXPECT_STREQ(name, info.name);
	EXPECT_LE(0, create(.name = ""));
}

TEST(timeout_counts_from_now)
{
	__u64 before = ctx_clock(CLOCK_MONOTONIC);
	struct timespec deadline;
	int ctx = create(.timeout = SEC(3600));

	ASSERT_EQ(1, ctxfd_deadline(ctx, &deadline));
	EXPECT_LE(before + HOUR, deadline.tv_sec * NSEC_PER_SEC + deadline.tv_nsec);
	EXPECT_EQ(ETIMEDOUT, ctxfd_err(create(.timeout = PASSED)));
}

TEST(deadline_is_on_its_clock)
{
	struct timespec now, got;
	int ctx;

	ASSERT_EQ(0, clock_gettime(CLOCK_MONOTONIC, &now));
	now.tv_sec += 3600;
	ctx = create(.deadline = &now, .clock = CLOCK_MONOTONIC);
	ASSERT_EQ(1, ctxfd_deadline(ctx, &got));
	EXPECT_EQ(now.tv_sec, got.tv_sec);
	EXPECT_EQ(now.tv_nsec, got.tv_nsec);
	EXPECT_EQ(ETIMEDOUT, ctxfd_err(create(.deadline = PASSED)));
}

TEST(one_way_to_say_until_when)
{
	check_errno(EINVAL, create(.timeout = LONG, .deadline = LONG));
	check_errno(EINVAL, create(.timeout = LONG, .flags = CTX_CREATE_TIMEOUT));
	check_errno(EINVAL, create(.timeout = &bad_times[0]));
	check_errno(EINVAL, create(.deadline = LONG, .clock = CLOCK_TAI));
}

TEST(flags_are_the_kernels)
{
	check_info_is(create(.flags = CTX_CREATE_DETACHED), flags, CTX_CREATE_DETACHED);
	check_info_is(create(.flags = CTX_CREATE_WITHOUT_CANCEL), flags,
		      CTX_CREATE_WITHOUT_CANCEL);
	check_errno(EINVAL, create(.flags = 1U << 31));
}

TEST(values_are_looked_up)
{
	const struct ctxfd_pair values[] = {
		{ "user", "ada", 3 },
		{ "empty", NULL, 0 },
	};
	int ctx = create(.values = values, .nr_values = 2);
	char data[3] = {};

	EXPECT_EQ(3, ctxfd_value(ctx, "user", data, 3));
	EXPECT_EQ(0, memcmp("ada", data, 3));
	EXPECT_EQ(0, ctxfd_value(ctx, "empty", NULL, 0));
	check_errno(EINVAL, create(.values = values, .nr_values = CTX_VALUES_MAX + 1));
	check_errno(EFAULT, create(.values = (struct ctxfd_pair[]){ { NULL, "v", 1 } },
				   .nr_values = 1));
}

TEST(parents_cancel_it)
{
	int parents[] = { new_root(), new_root() };
	int ctx = create(.parents = parents, .nr_parents = 2);

	EXPECT_EQ(0, ctxfd_err(ctx));
	EXPECT_EQ(0, ctxfd_cancel(parents[1]));
	EXPECT_EQ(ECANCELED, ctxfd_err(ctx));
	check_errno(EINVAL, create(.parents = parents, .nr_parents = CTX_PARENTS_MAX + 1));
}

TEST(all_at_once)
{
	const struct ctxfd_pair value = { "key", "value", 5 };
	int other = new_root();
	int ctx = create(.name = "all", .timeout = LONG, .flags = CTX_CREATE_DETACHED,
			 .values = &value, .nr_values = 1, .parents = &other, .nr_parents = 1);
	struct ctx_info info = {};

	ASSERT_EQ(0, ctxfd_info(ctx, &info));
	EXPECT_STREQ("all", info.name);
	EXPECT_NE(0, info.deadline);
	EXPECT_EQ(5, ctxfd_value(ctx, "key", NULL, 0));
	EXPECT_EQ(0, ctxfd_cancel(other));
	EXPECT_EQ(ECANCELED, ctxfd_err(ctx));
}

TEST(failed_parents_leave_errno_alone)
{
	errno = EXDEV;
	EXPECT_EQ(-1, ctxfd_create_opts(-1, &(struct ctxfd_create_opts){ .nr_values = 99 }));
	EXPECT_EQ(EXDEV, errno);
	errno = EXDEV;
	EXPECT_EQ(-1, create(.parents = &(int){ -1 }, .nr_parents = 1));
	EXPECT_EQ(EXDEV, errno);
}

/* Programs of another time */

TEST(options_of_a_later_version_are_taken_while_they_are_zero)
{
	struct {
		struct ctxfd_create_opts opts;
		long more;
	} later = { .opts.name = "later" };
	struct ctx_info info = {};
	int ctx = ctxfd_create_opts_sized(ctxfd_background(), &later.opts, sizeof(later));

	ASSERT_EQ(0, ctxfd_info(ctx, &info));
	EXPECT_STREQ("later", info.name);
	later.more = 1;
	check_errno(E2BIG, ctxfd_create_opts_sized(ctxfd_background(), &later.opts,
						   sizeof(later)));
}

TEST(options_that_are_smaller_than_ever_are_refused)
{
	struct ctxfd_create_opts opts = {};

	check_errno(EINVAL, ctxfd_create_opts_sized(ctxfd_background(), &opts,
						    sizeof(opts) - 1));
}

/* A program that inherited it does not keep it alive. */
TEST(owned_ends_with_its_process)
{
	int ctx, watch, sock[2], go[2];
	pid_t pid, heir;
	char byte;

	ctx = create(.flags = CTX_CREATE_OWNED);
	if (ctx < 0 && errno == EINVAL)
		SKIP(return, "the module knows no CTX_CREATE_OWNED");
	ASSERT_EQ(0, close(ctx));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, pipe(go));
	in_child(pid) {
		ctx = create(.flags = CTX_CREATE_OWNED);
		EXPECT_EQ(0, ctxfd_send_fd(sock[0], ctxfd_watch(ctx)));
		heir = fork();
		if (!heir) {
			close(go[1]);
			_exit(read(go[0], &byte, 1) != 0);
		}
	}
	watch = ctxfd_recv_fd(sock[1]);
	ASSERT_LE(0, watch);
	check_child(pid);
	EXPECT_EQ(1, ctxfd_wait(watch, LONG));
	check_info_is(watch, cause, EOWNERDEAD);
	close(go[1]);
}

TEST_HARNESS_MAIN
