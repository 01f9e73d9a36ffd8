// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library: values, contexts with several parents or without their parent's
 * cancellation, and the mapped status.
 */
#include "libctxfd.h"
#include <sys/mman.h>

#define check_text(ctx, key, text) ({					\
	char __data[CTX_VALUE_MAX] = {};				\
									\
	EXPECT_EQ((ssize_t)strlen(text),				\
		  ctxfd_value((ctx), (key), __data, sizeof(__data)));	\
	EXPECT_EQ(0, memcmp(__data, (text), strlen(text)));		\
})

TEST(with_value_makes_a_child_that_has_it)
{
	int root = new_root(), child = ctxfd_with_value(root, "user", "bob", 3);
	struct ctx_info info;

	ASSERT_EQ(0, ctxfd_info(child, &info));
	EXPECT_EQ(ctx_id(root), info.parent_id);
	check_cloexec(child);
	check_text(child, "user", "bob");
	check_text(ctxfd_with_value(child, "user", "eve", 3), "user", "eve");
	check_text(ctxfd_with_value(child, "other", "", 0), "user", "bob");
	check_errno(ENODATA, ctxfd_value(root, "user", NULL, 0));
	EXPECT_EQ(0, ctxfd_cancel(child));
	EXPECT_EQ(0, ctxfd_err(root));
}

TEST(with_value_of_no_bytes_needs_no_data)
{
	int ctx = ctxfd_with_value(ctxfd_background(), "empty", NULL, 0);

	ASSERT_LE(0, ctx);
	EXPECT_EQ(0, ctxfd_value(ctx, "empty", NULL, 0));
}

TEST(with_value_takes_the_longest_key_and_value)
{
	char key[CTX_KEY_MAX + 1] = {}, data[CTX_VALUE_MAX] = {}, got[CTX_VALUE_MAX + 1] = {};
	int ctx;

	memset(key, 'k', CTX_KEY_MAX);
	data[CTX_VALUE_MAX - 1] = 'v';
	ctx = ctxfd_with_value(ctxfd_background(), key, data, sizeof(data));
	ASSERT_LE(0, ctx);
	EXPECT_EQ(CTX_VALUE_MAX, ctxfd_value(ctx, key, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(data, got, sizeof(data)));
}

TEST(with_value_refuses_what_is_out_of_range)
{
	static char data[CTX_VALUE_MAX + 1];
	char key[CTX_KEY_MAX + 2] = {};
	int ctx = new_root();

	memset(key, 'k', CTX_KEY_MAX + 1);
	check_refused(ctx, EINVAL, ctxfd_with_value(ctx, key, "", 1));
	check_refused(ctx, EINVAL, ctxfd_with_value(ctx, "", "", 1));
	check_refused(ctx, EINVAL, ctxfd_with_value(ctx, "key", data, sizeof(data)));
	/* In 32 bits this is 1. */
	check_refused(ctx, EINVAL, ctxfd_with_value(ctx, "key", data, (1ULL << 32) + 1));
	check_refused(ctx, EINVAL, ctxfd_with_value(ctx, "key", data, SIZE_MAX));
	check_refused(ctx, EFAULT, ctxfd_with_value(ctx, NULL, "", 1));
	check_refused(ctx, EFAULT, ctxfd_with_value(ctx, "key", NULL, 1));
	check_errno(EBADF, ctxfd_with_value(-1, "key", "", 1));
	check_errno(ENOTTY, ctxfd_with_value(STDIN_FILENO, "key", "", 1));
}

TEST(value_tells_the_length_and_copies)
{
	int ctx = ctxfd_with_value(ctxfd_background(), "user", "bob", 3);
	char data[8] = "xxxxxxx";

	EXPECT_EQ(3, ctxfd_value(ctx, "user", NULL, 0));
	EXPECT_EQ(3, ctxfd_value(ctx, "user", data, 3));
	EXPECT_EQ(0, memcmp(data, "bobxxxx", 8));
	EXPECT_EQ(3, ctxfd_value(ctx, "user", data, SIZE_MAX));
	check_errno(ERANGE, ctxfd_value(ctx, "user", data, 2));
	check_errno(ENODATA, ctxfd_value(ctx, "users", data, 8));
	check_errno(ENODATA, ctxfd_value(ctxfd_background(), "user", data, 8));
	check_errno(EINVAL, ctxfd_value(ctx, "", data, 8));
	check_errno(EFAULT, ctxfd_value(ctx, NULL, data, 8));
	check_errno(EFAULT, ctxfd_value(ctx, "user", NULL, 8));
	check_errno(EBADF, ctxfd_value(-1, "user", data, 8));
	check_errno(ENOTTY, ctxfd_value(STDIN_FILENO, "user", data, 8));
}

TEST(value_is_found_by_a_watcher_after_the_cancellation)
{
	int ctx = ctxfd_with_value(ctxfd_background(), "user", "bob", 3);
	int watch = ctxfd_watch(ctx);

	EXPECT_EQ(0, ctxfd_cancel(ctx));
	check_text(watch, "user", "bob");
}

TEST(without_cancel_takes_values_alone)
{
	int parent = ctxfd_with_value(ctxfd_background(), "user", "bob", 3), ctx, late;

	ASSERT_EQ(0, ctxfd_set_timeout(parent, SEC(3600)));
	ctx = ctxfd_without_cancel(parent);
	ASSERT_LE(0, ctx);
	check_cloexec(ctx);
	EXPECT_EQ(0, ctxfd_deadline(ctx, NULL));
	EXPECT_EQ(0, ctxfd_cancel(parent));
	EXPECT_EQ(0, ctxfd_err(ctx));
	late = ctxfd_without_cancel(parent);
	EXPECT_EQ(0, ctxfd_err(late));
	check_text(late, "user", "bob");
	EXPECT_EQ(0, ctxfd_cancel(ctx));
	EXPECT_EQ(ECANCELED, ctxfd_err(ctx));
	check_errno(EBADF, ctxfd_without_cancel(-1));
	check_errno(ENOTTY, ctxfd_without_cancel(STDIN_FILENO));
}

TEST(without_cancel_ends_with_its_last_writable_descriptor)
{
	int ctx = ctxfd_without_cancel(new_root()), watch = ctxfd_watch(ctx);

	EXPECT_EQ(0, ctxfd_err(watch));
	close(ctx);
	check_becomes_cancelled(watch, ECANCELED, EOWNERDEAD, ctx_id(watch));
}

/* The first of all, whichever it is, with as many as there can be. */
TEST(merge_ends_with_the_first_of_its_parents)
{
	for (unsigned int n = 1; n <= 1 + CTX_PARENTS_MAX; n++) {
		for (unsigned int first = 0; first < n; first++) {
			int parents[1 + CTX_PARENTS_MAX], ctx;

			for (unsigned int i = 0; i < n; i++)
				parents[i] = new_root();
			ctx = ctxfd_merge(parents, n);
			ASSERT_LE(0, ctx);
			check_cloexec(ctx);
			EXPECT_EQ(0, ctxfd_err(ctx));
			EXPECT_EQ(0, ctxfd_cancel_cause(parents[first], EIO, NULL));
			check_cancelled(ctx, ECANCELED, EIO, ctx_id(parents[first]));
			close(ctx);
			for (unsigned int i = 0; i < n; i++) {
				EXPECT_EQ(i == first ? ECANCELED : 0, ctxfd_err(parents[i]));
				close(parents[i]);
			}
		}
	}
}

TEST(merge_takes_values_of_the_first_and_the_earliest_deadline)
{
	int parents[] = {
		ctxfd_with_value(ctxfd_background(), "user", "bob", 3),
		ctxfd_with_value(ctxfd_background(), "trace", "abc", 3),
		ctxfd_with_timeout(ctxfd_background(), SEC(3600)),
	};
	int ctx = ctxfd_merge(parents, 3);

	check_text(ctx, "user", "bob");
	check_errno(ENODATA, ctxfd_value(ctx, "trace", NULL, 0));
	EXPECT_EQ(1, ctxfd_deadline(ctx, NULL));
	EXPECT_EQ(0, ctxfd_set_timeout(parents[2], PASSED));
	EXPECT_EQ(ETIMEDOUT, ctxfd_err(ctx));
}

TEST(merge_refuses_what_is_wrong)
{
	int parents[2 + CTX_PARENTS_MAX], ctx = new_root();

	for (unsigned int i = 0; i < ARRAY_SIZE(parents); i++)
		parents[i] = ctx;
	check_refused(ctx, EINVAL, ctxfd_merge(parents, 0));
	check_refused(ctx, EINVAL, ctxfd_merge(parents, ARRAY_SIZE(parents)));
	check_refused(ctx, EFAULT, ctxfd_merge(NULL, 1));
	check_refused(ctx, EFAULT, ctxfd_merge(NULL, 2));
	parents[1] = STDIN_FILENO;
	check_refused(ctx, EINVAL, ctxfd_merge(parents, 2));
	parents[1] = -1;
	check_refused(ctx, EBADF, ctxfd_merge(parents, 2));
	parents[0] = STDIN_FILENO;
	check_refused(ctx, ENOTTY, ctxfd_merge(parents, 1));
	parents[0] = -1;
	check_refused(ctx, EBADF, ctxfd_merge(parents, 1));
}

TEST(map_shows_the_cancellation)
{
	int ctx = new_root(), watch = ctxfd_watch(ctx);
	const struct ctx_status *own = ctxfd_map(ctx), *theirs = ctxfd_map(watch);

	ASSERT_NE(NULL, own);
	ASSERT_NE(NULL, theirs);
	EXPECT_FALSE(ctxfd_cancelled(own));
	EXPECT_FALSE(ctxfd_cancelled(theirs));
	EXPECT_EQ(0, ctxfd_cancel_cause(ctx, EIO, NULL));
	EXPECT_TRUE(ctxfd_cancelled(own));
	EXPECT_TRUE(ctxfd_cancelled(theirs));
	EXPECT_EQ(ECANCELED, (int)theirs->err);
	EXPECT_EQ(EIO, theirs->cause);
	EXPECT_EQ(0, ctxfd_unmap(own));
	EXPECT_EQ(0, ctxfd_unmap(theirs));
}

TEST(map_outlives_the_descriptor_and_is_inherited)
{
	int ctx = new_root(), watch = ctxfd_watch(ctx);
	const struct ctx_status *status = ctxfd_map(watch);
	pid_t pid;

	ASSERT_NE(NULL, status);
	close(watch);
	in_child(pid) {
		EXPECT_FALSE(ctxfd_cancelled(status));
		EXPECT_EQ(0, ctxfd_cancel(ctx));
		EXPECT_TRUE(ctxfd_cancelled(status));
		EXPECT_EQ(0, ctxfd_unmap(status));
	}
	check_child(pid);
	EXPECT_TRUE(ctxfd_cancelled(status));
}

#define check_no_map(error, call) ({					\
	errno = 0;							\
	EXPECT_EQ(NULL, (call));					\
	EXPECT_EQ((error), errno);					\
})

TEST(map_refuses_what_is_no_context)
{
	int file = open("/proc/self/exe", O_RDONLY);

	check_no_map(ENOTTY, ctxfd_map(file));
	check_no_map(EBADF, ctxfd_map(-1));
}

TEST(map_fails_for_want_of_memory)
{
	struct rlimit limit = {};
	int ctx = new_root();

	if (under_valgrind())
		SKIP(return, "valgrind itself needs more");
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	check_no_map(ENOMEM, ctxfd_map(ctx));
}

TEST(map_of_the_background_shows_a_context_that_never_ends)
{
	const struct ctx_status *status = ctxfd_map(ctxfd_background());

	ASSERT_NE(NULL, status);
	EXPECT_FALSE(ctxfd_cancelled(status));
	EXPECT_EQ(0, ctxfd_unmap(status));
}

TEST(unmap_of_nothing_is_nothing)
{
	EXPECT_EQ(0, ctxfd_unmap(NULL));
	check_errno(EINVAL, ctxfd_unmap((void *)1));
}

TEST_HARNESS_MAIN
