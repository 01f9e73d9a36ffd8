// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values: set at creation, inherited, shadowed by nearer ones, never changed.
 */
#include "ctx_features.h"
#include <stddef.h>

/* The layout is the same for every program, 32-bit ones too. */
_Static_assert(sizeof(struct ctx_value) == 24, "struct ctx_value has no holes");
_Static_assert(offsetof(struct ctx_value, size) == 16, "pointers take 64 bits");
_Static_assert(offsetof(struct ctx_create_args, values) == 24, "pointers take 64 bits");

FIXTURE(values) {
	int dev;
	int root;	/* user=bob, trace=abcdef */
};

FIXTURE_SETUP(values)
{
	const struct ctx_value values[] = {
		ctx_value_of("user", "bob", 3),
		ctx_value_of("trace", "abcdef", 6),
	};

	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new_values(self->dev, values, 2);
	ASSERT_LE(0, self->root);
}

FIXTURE_TEARDOWN(values)
{
	close(self->root);
	close(self->dev);
}

TEST_F(values, a_context_has_the_values_it_was_made_with)
{
	check_value(self->root, "user", "bob");
	check_value(self->root, "trace", "abcdef");
	check_alive(self->root);
}

TEST_F(values, a_child_inherits_and_adds)
{
	int child = ctx_new_value(self->root, "span", "17");

	ASSERT_LE(0, child);
	check_value(child, "span", "17");
	check_value(child, "user", "bob");
	check_value(child, "trace", "abcdef");
	check_no_value(self->root, "span");
	close(child);
}

TEST_F(values, the_nearest_value_shadows_those_above)
{
	int child = ctx_new_value(self->root, "user", "alice");
	int grandchild = ctx_new(child);
	int sibling = ctx_new(self->root);

	ASSERT_LE(0, sibling);
	check_value(grandchild, "user", "alice");
	check_value(child, "user", "alice");
	check_value(sibling, "user", "bob");
	check_value(self->root, "user", "bob");
	close(sibling);
	close(grandchild);
	close(child);
}

TEST_F(values, values_are_found_through_fifty_levels)
{
	int chain[51] = { self->root };
	char key[16], text[16];
	unsigned int i;

	for (i = 1; i < ctx_array_size(chain); i++) {
		snprintf(key, sizeof(key), "key%u", i);
		snprintf(text, sizeof(text), "value%u", i);
		chain[i] = ctx_new_value(chain[i - 1], key, text);
		ASSERT_LE(0, chain[i]);
	}
	check_info(chain[50], depth, 50);
	check_value(chain[50], "user", "bob");
	check_value(chain[1], "user", "bob");
	for (i = 1; i < ctx_array_size(chain); i++) {
		snprintf(key, sizeof(key), "key%u", i);
		snprintf(text, sizeof(text), "value%u", i);
		check_value(chain[50], key, text);
		check_value(chain[i], key, text);
		check_no_value(chain[i - 1], key);
	}
	while (--i)
		close(chain[i]);
}

TEST_F(values, the_same_key_on_each_of_fifty_levels_is_found_at_each)
{
	int chain[51] = { self->root };
	char text[16];
	unsigned int i;

	for (i = 1; i < ctx_array_size(chain); i++) {
		snprintf(text, sizeof(text), "%u", i);
		chain[i] = ctx_new_value(chain[i - 1], "user", text);
		ASSERT_LE(0, chain[i]);
	}
	for (i = 1; i < ctx_array_size(chain); i++) {
		snprintf(text, sizeof(text), "%u", i);
		check_value(chain[i], "user", text);
	}
	while (--i)
		close(chain[i]);
}

/* @nr values, each of @size bytes that differ from those of all others. */
struct many {
	char key[CTX_VALUES_MAX + 1][16];
	char data[CTX_VALUES_MAX + 1][CTX_VALUE_MAX];
	struct ctx_value value[CTX_VALUES_MAX + 1];
};

static struct many *many_new(__u32 size)
{
	struct many *many = calloc(1, sizeof(*many));
	unsigned int i, j;

	for (i = 0; i <= CTX_VALUES_MAX; i++) {
		snprintf(many->key[i], sizeof(many->key[i]), "key%u", i);
		for (j = 0; j < CTX_VALUE_MAX; j++)
			many->data[i][j] = i * 7 + j + j / 256;
		many->value[i] = ctx_value_of(many->key[i], many->data[i], size);
	}
	return many;
}

TEST_F(values, sixteen_values_of_4096_bytes_fit)
{
	struct many *many = many_new(CTX_VALUE_MAX);
	char data[CTX_VALUE_MAX];
	int fd, i;

	fd = ctx_new_values(self->dev, many->value, CTX_VALUES_MAX);
	ASSERT_LE(0, fd);
	for (i = 0; i < CTX_VALUES_MAX; i++) {
		memset(data, 0, sizeof(data));
		EXPECT_EQ(CTX_VALUE_MAX, ctx_get_value(fd, many->key[i], data, sizeof(data)));
		EXPECT_EQ(0, memcmp(data, many->data[i], sizeof(data)));
	}
	close(fd);
	free(many);
}

TEST_F(values, seventeen_values_are_refused)
{
	struct many *many = many_new(1);

	check_refused(self->root, EINVAL,
		      ctx_new_values(self->root, many->value, CTX_VALUES_MAX + 1));
	check_refused(self->root, EINVAL, ctx_new_values(self->root, NULL, ~0U));
	free(many);
}

TEST_F(values, a_value_over_4096_bytes_is_refused)
{
	struct many *many = many_new(1);

	many->value[1].size = CTX_VALUE_MAX + 1;
	check_refused(self->root, EINVAL, ctx_new_values(self->root, many->value, 2));
	many->value[1].size = ~0U;
	check_refused(self->root, EINVAL, ctx_new_values(self->root, many->value, 2));
	free(many);
}

TEST_F(values, a_key_has_1_to_63_bytes)
{
	char longest[CTX_KEY_MAX + 1] = "";
	int shortest;

	shortest = ctx_new_value(self->root, "k", "short");
	ASSERT_LE(0, shortest);
	memset(longest, 'k', CTX_KEY_MAX);
	check_no_value(shortest, longest);

	int fd = ctx_new_value(shortest, longest, "long");

	ASSERT_LE(0, fd);
	check_value(fd, longest, "long");
	check_value(fd, "k", "short");
	/* A prefix is another key. */
	longest[CTX_KEY_MAX - 1] = '\0';
	check_no_value(fd, longest);
	close(fd);
	close(shortest);
}

TEST_F(values, a_key_of_0_or_64_bytes_is_refused)
{
	char key[CTX_KEY_MAX + 2] = "";

	check_refused(self->root, EINVAL, ctx_new_value(self->root, "", "data"));
	check_refused(self->root, EINVAL, ctx_get_value(self->root, "", NULL, 0));
	memset(key, 'k', CTX_KEY_MAX + 1);
	check_refused(self->root, EINVAL, ctx_new_value(self->root, key, "data"));
	check_refused(self->root, EINVAL, ctx_get_value(self->root, key, NULL, 0));
}

TEST_F(values, keys_are_compared_byte_by_byte)
{
	const struct ctx_value values[] = {
		ctx_value_of("a", "1", 1),
		ctx_value_of("A", "2", 1),
		ctx_value_of("aa", "3", 1),
		ctx_value_of("\xff\x80 \t", "4", 1),
	};
	int fd = ctx_new_values(self->root, values, ctx_array_size(values));

	ASSERT_LE(0, fd);
	check_value(fd, "a", "1");
	check_value(fd, "A", "2");
	check_value(fd, "aa", "3");
	check_value(fd, "\xff\x80 \t", "4");
	check_no_value(fd, "AA");
	check_no_value(fd, "\xff\x80 ");
	close(fd);
}

TEST_F(values, a_key_twice_in_one_call_is_refused)
{
	struct many *many = many_new(1);

	/* The first and the last of them, and two that stand together. */
	strcpy(many->key[CTX_VALUES_MAX - 1], many->key[0]);
	check_refused(self->root, EINVAL,
		      ctx_new_values(self->root, many->value, CTX_VALUES_MAX));
	EXPECT_LE(0, ctx_new_values(self->root, many->value, CTX_VALUES_MAX - 1));
	many->value[1].key = many->value[0].key;
	check_refused(self->root, EINVAL, ctx_new_values(self->root, many->value, 2));
	free(many);
}

TEST_F(values, a_key_that_nobody_has_gives_enodata)
{
	int child = ctx_new(self->root);
	char data[8];

	check_errno(ENODATA, ctx_get_value(child, "nobody", data, sizeof(data)));
	check_errno(ENODATA, ctx_get_value(child, "nobody", NULL, 0));
	check_errno(ENODATA, ctx_get_value(child, "use", data, sizeof(data)));
	check_errno(ENODATA, ctx_get_value(child, "users", data, sizeof(data)));
	close(child);
}

TEST_F(values, the_background_has_no_values)
{
	int plain = ctx_new(self->dev);

	check_no_value(self->dev, "user");
	check_no_value(plain, "user");
	close(plain);
}

TEST_F(values, a_buffer_that_is_too_small_gives_erange_and_stays)
{
	char data[8];

	memset(data, 0xa5, sizeof(data));
	check_errno(ERANGE, ctx_get_value(self->root, "trace", data, 5));
	check_errno(ERANGE, ctx_get_value(self->root, "trace", data, 1));
	EXPECT_EQ((char)0xa5, data[0]);
	EXPECT_EQ(6, ctx_get_value(self->root, "trace", data, 6));
	EXPECT_EQ(0, memcmp(data, "abcdef\xa5\xa5", sizeof(data)));
}

TEST_F(values, size_0_asks_for_the_length_alone)
{
	/* The pointer is not looked at. */
	EXPECT_EQ(6, ctx_get_value(self->root, "trace", ctx_edge_of_memory(), 0));
	EXPECT_EQ(3, ctx_get_value(self->root, "user", NULL, 0));
}

TEST_F(values, a_buffer_over_4096_bytes_is_refused)
{
	char data[CTX_VALUE_MAX + 1];

	check_refused(self->root, EINVAL,
		      ctx_get_value(self->root, "user", data, CTX_VALUE_MAX + 1));
	check_refused(self->root, EINVAL, ctx_get_value(self->root, "user", data, ~0U));
	EXPECT_EQ(3, ctx_get_value(self->root, "user", data, CTX_VALUE_MAX));
}

TEST_F(values, an_empty_value_is_there)
{
	struct ctx_value empty = ctx_value_of("user", NULL, 0);
	int child = ctx_new_values(self->root, &empty, 1);
	char data[4] = "\xa5";

	ASSERT_LE(0, child);
	/* It shadows what is above. */
	EXPECT_EQ(0, ctx_get_value(child, "user", NULL, 0));
	EXPECT_EQ(0, ctx_get_value(child, "user", data, sizeof(data)));
	EXPECT_EQ((char)0xa5, data[0]);
	close(child);
}

TEST_F(values, a_value_is_bytes_of_any_kind)
{
	const char bytes[] = "\0\0a\xff\0\x80";
	struct ctx_value value = ctx_value_of("bytes", bytes, sizeof(bytes));
	int fd = ctx_new_values(self->root, &value, 1);
	char data[sizeof(bytes)];

	ASSERT_LE(0, fd);
	EXPECT_EQ(sizeof(bytes), ctx_get_value(fd, "bytes", data, sizeof(data)));
	EXPECT_EQ(0, memcmp(data, bytes, sizeof(bytes)));
	close(fd);
}

TEST_F(values, what_the_caller_does_with_its_memory_later_changes_nothing)
{
	char key[] = "key", data[] = "data";
	int fd = ctx_new_value(self->root, key, data);

	memset(key, 'x', sizeof(key) - 1);
	memset(data, 'x', sizeof(data) - 1);
	check_value(fd, "key", "data");
	check_no_value(fd, "xxx");
	close(fd);
}

TEST_F(values, bad_pointers_at_creation_give_efault)
{
	char *edge = ctx_edge_of_memory();
	struct ctx_value value[2] = {
		ctx_value_of("good", "data", 4), ctx_value_of("bad", "data", 4),
	};

	ASSERT_NE(NULL, edge);
	/* The array: all of it, and its last entry. */
	check_refused(self->root, EFAULT,
		      ctx_new_values(self->root, (struct ctx_value *)edge, 2));
	memcpy(edge - sizeof(*value), value, sizeof(*value));
	check_refused(self->root, EFAULT,
		      ctx_new_values(self->root, (struct ctx_value *)edge - 1, 2));
	/* The key: all of it, and its NUL. */
	value[1].key = (uintptr_t)edge;
	check_refused(self->root, EFAULT, ctx_new_values(self->root, value, 2));
	memcpy(edge - 3, "bad", 3);
	value[1].key = (uintptr_t)(edge - 3);
	check_refused(self->root, EFAULT, ctx_new_values(self->root, value, 2));
	value[1].key = 0;
	check_refused(self->root, EFAULT, ctx_new_values(self->root, value, 2));
	/* The data: all of it, and its last byte. */
	value[1].key = (uintptr_t)"bad";
	value[1].data = (uintptr_t)edge;
	check_refused(self->root, EFAULT, ctx_new_values(self->root, value, 2));
	value[1].data = (uintptr_t)(edge - 3);
	check_refused(self->root, EFAULT, ctx_new_values(self->root, value, 2));
}

TEST_F(values, bad_pointers_at_lookup_give_efault)
{
	char *edge = ctx_edge_of_memory();

	ASSERT_NE(NULL, edge);
	check_refused(self->root, EFAULT, ctx_get_value(self->root, edge, NULL, 0));
	check_refused(self->root, EFAULT, ctx_get_value(self->root, NULL, NULL, 0));
	check_refused(self->root, EFAULT, ctx_get_value(self->root, "trace", edge, 6));
	check_refused(self->root, EFAULT, ctx_get_value(self->root, "trace", edge - 5, 6));
	check_refused(self->root, EFAULT, ioctl(self->root, CTX_IOC_GET_VALUE, edge));
	check_refused(self->root, EFAULT, ioctl(self->root, CTX_IOC_GET_VALUE, NULL));
	/* What is longer than the value need not be there. */
	EXPECT_EQ(6, ctx_get_value(self->root, "trace", edge - 6, 4096));
}

TEST_F(values, the_reserved_field_must_be_0)
{
	struct ctx_value value[2] = {
		ctx_value_of("a", "data", 4), ctx_value_of("b", "data", 4),
	};

	value[1].reserved = 1;
	check_refused(self->root, EINVAL, ctx_new_values(self->root, value, 2));
	value[0] = ctx_value_of("user", NULL, 0);
	value[0].reserved = 0x80000000;
	check_refused(self->root, EINVAL, ioctl(self->root, CTX_IOC_GET_VALUE, &value[0]));
}

TEST_F(values, the_structure_of_a_lookup_can_grow)
{
	struct {
		struct ctx_value value;
		__u64 more;
	} grown = { .value = ctx_value_of("user", NULL, 0) };
	const unsigned int grown_cmd = _IOC(_IOC_WRITE, CTX_IOC_MAGIC, 5, sizeof(grown));
	const unsigned int shrunk_cmd = _IOC(_IOC_WRITE, CTX_IOC_MAGIC, 5,
					     offsetof(struct ctx_value, reserved));

	EXPECT_EQ(3, ioctl(self->root, grown_cmd, &grown));
	grown.more = 1;
	check_refused(self->root, E2BIG, ioctl(self->root, grown_cmd, &grown));
	grown.more = 0;
	check_refused(self->root, EINVAL, ioctl(self->root, shrunk_cmd, &grown));
}

TEST_F(values, a_watch_descriptor_looks_them_up)
{
	int child = ctx_new_value(self->root, "span", "17");
	int watch = ctx_watch(child, 0);

	ASSERT_LE(0, watch);
	check_value(watch, "span", "17");
	check_value(watch, "user", "bob");
	close(child);
	check_value(watch, "span", "17");
	close(watch);
}

TEST_F(values, another_process_looks_them_up)
{
	pid_t pid;

	in_child(pid)
		check_value(self->root, "trace", "abcdef");
	check_child(pid);
}

TEST_F(values, values_outlive_the_cancellation)
{
	int child = ctx_new_value(self->root, "span", "17"), late;

	ASSERT_LE(0, child);
	EXPECT_EQ(0, ctx_cancel(self->root, 0, NULL));
	check_value(self->root, "user", "bob");
	check_value(child, "user", "bob");
	check_value(child, "span", "17");
	/* A child that is made cancelled has its own and those above. */
	late = ctx_new_value(child, "late", "yes");
	ASSERT_LE(0, late);
	check_value(late, "late", "yes");
	check_value(late, "span", "17");
	check_value(late, "trace", "abcdef");
	close(late);
	close(child);
}

TEST_F(values, values_outlive_the_descriptors_of_the_ancestors)
{
	int top = ctx_new_value(self->dev, "top", "1");
	int middle = ctx_new_value(top, "middle", "2");
	int bottom = ctx_new(middle);

	ASSERT_LE(0, bottom);
	close(top);
	close(middle);
	check_value(bottom, "top", "1");
	check_value(bottom, "middle", "2");
	close(bottom);
}

/* What a create with 16 values of 4096 bytes that fails may leave behind. */
#define FAILURES	300

TEST_F_TIMEOUT(values, a_create_that_fails_leaves_no_memory_behind, 120)
{
	struct many *many = many_new(CTX_VALUE_MAX);
	long before, after;
	char path[64];
	int i;

	if (ctx_memcg_enter(path, sizeof(path)))
		SKIP(return, "there is no memory controller at " CTX_CGROUP_ROOT);
	/* Of each thing that is kept for reuse, the first. */
	close(ctx_new_values(self->root, many->value, CTX_VALUES_MAX));
	before = ctx_memcg_bytes(path);
	for (i = 0; i < FAILURES; i++) {
		/* At the last value, at a further parent. */
		many->value[CTX_VALUES_MAX - 1].data = 1;
		check_errno(EFAULT,
			    ctx_new_values(self->root, many->value, CTX_VALUES_MAX));
		many->value[CTX_VALUES_MAX - 1].data = (uintptr_t)many->data[0];
		check_errno(EBADF, ctx_create(self->root, &(struct ctx_create_args){
			.values = (uintptr_t)many->value,
			.nr_values = CTX_VALUES_MAX,
			.parents = (uintptr_t)(int []){ self->root, -1 },
			.nr_parents = 2,
		}));
		/* And what does not fail leaves nothing once it is closed. */
		EXPECT_EQ(0, close(ctx_new_values(self->root, many->value, CTX_VALUES_MAX)));
	}
	after = ctx_memcg_bytes(path);
	/* A leak of one kind would be 18 MiB. */
	EXPECT_GT(8L << 20, after - before);
	check_info(self->root, nr_children, 0);
	ctx_memcg_leave(path);
	free(many);
}

TEST_F(values, values_are_charged_to_whoever_creates)
{
	struct many *many = many_new(CTX_VALUE_MAX);
	long before, after;
	char path[64];
	int fds[64], i;

	if (ctx_memcg_enter(path, sizeof(path)))
		SKIP(return, "there is no memory controller at " CTX_CGROUP_ROOT);
	before = ctx_memcg_bytes(path);
	for (i = 0; i < (int)ctx_array_size(fds); i++) {
		fds[i] = ctx_new_values(self->root, many->value, CTX_VALUES_MAX);
		ASSERT_LE(0, fds[i]);
	}
	after = ctx_memcg_bytes(path);
	/* 4 MiB of values; the charge counts in steps of less than one. */
	EXPECT_LT(3L << 20, after - before);
	for (i = 0; i < (int)ctx_array_size(fds); i++)
		close(fds[i]);
	EXPECT_GT(2L << 20, ctx_memcg_bytes(path) - before);
	ctx_memcg_leave(path);
	free(many);
}

TEST_HARNESS_MAIN
