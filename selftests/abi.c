// SPDX-License-Identifier: GPL-2.0-only
/*
 * The binary interface: structures and numbers that never change, structures
 * that grow, and what each call refuses. Compiled twice, for a program of
 * the kernel's own word size and, as abi32, for a 32-bit program.
 */
#include "ctx_selftest.h"
#include <stddef.h>

/* The number of a call whose caller knows a structure of another size. */
#define WITH_SIZE(cmd, size) \
	_IOC(_IOC_DIR(cmd), _IOC_TYPE(cmd), _IOC_NR(cmd), (size))

#define MAX_SIZE	((1 << _IOC_SIZEBITS) - 1)

/* Above the calls that there are and those that there may be soon. */
#define UNKNOWN_NR	8

/*
 * @page ends at an address where nothing is, so that at_end() of it gives an
 * object of which the kernel cannot touch one byte too many.
 */
FIXTURE(abi) {
	int dev;
	int fd;
	int watch;
	char *page;
	size_t size;
};

FIXTURE_SETUP(abi)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->fd = ctx_new(self->dev);
	ASSERT_LE(0, self->fd);
	self->watch = ctx_watch(self->fd, 0);
	ASSERT_LE(0, self->watch);
	self->size = 2 * MAX_SIZE + 2;
	self->page = mmap(NULL, self->size + getpagesize(),
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, munmap(self->page + self->size, getpagesize()));
}

FIXTURE_TEARDOWN(abi)
{
	munmap(self->page, self->size);
	close(self->watch);
	close(self->fd);
	close(self->dev);
}

/* The first @size bytes of @object, as far as there are so many, then zeros. */
#define at_end(object, len) ({						\
	char *__at = self->page + self->size - (len);			\
									\
	memset(__at, 0, (len));						\
	memcpy(__at, &(object),						\
	       (len) < sizeof(object) ? (len) : sizeof(object));	\
	__at;								\
})

TEST_F(abi, structures_have_the_same_layout_everywhere)
{
	EXPECT_EQ(80, sizeof(struct ctx_create_args));
	EXPECT_EQ(0, offsetof(struct ctx_create_args, flags));
	EXPECT_EQ(4, offsetof(struct ctx_create_args, fd_flags));
	EXPECT_EQ(8, offsetof(struct ctx_create_args, deadline));
	EXPECT_EQ(16, offsetof(struct ctx_create_args, clockid));
	EXPECT_EQ(20, offsetof(struct ctx_create_args, nr_values));
	EXPECT_EQ(24, offsetof(struct ctx_create_args, values));
	EXPECT_EQ(32, offsetof(struct ctx_create_args, parents));
	EXPECT_EQ(40, offsetof(struct ctx_create_args, nr_parents));
	EXPECT_EQ(44, offsetof(struct ctx_create_args, reserved));
	EXPECT_EQ(48, offsetof(struct ctx_create_args, name));

	EXPECT_EQ(16, sizeof(struct ctx_cancel_args));
	EXPECT_EQ(0, offsetof(struct ctx_cancel_args, cause));
	EXPECT_EQ(4, offsetof(struct ctx_cancel_args, message_len));
	EXPECT_EQ(8, offsetof(struct ctx_cancel_args, message));

	EXPECT_EQ(16, sizeof(struct ctx_deadline_args));
	EXPECT_EQ(0, offsetof(struct ctx_deadline_args, deadline));
	EXPECT_EQ(8, offsetof(struct ctx_deadline_args, clockid));
	EXPECT_EQ(12, offsetof(struct ctx_deadline_args, flags));

	EXPECT_EQ(304, sizeof(struct ctx_info));
	EXPECT_EQ(0, offsetof(struct ctx_info, id));
	EXPECT_EQ(8, offsetof(struct ctx_info, parent_id));
	EXPECT_EQ(16, offsetof(struct ctx_info, origin_id));
	EXPECT_EQ(24, offsetof(struct ctx_info, deadline));
	EXPECT_EQ(32, offsetof(struct ctx_info, cancelled_at));
	EXPECT_EQ(40, offsetof(struct ctx_info, err));
	EXPECT_EQ(44, offsetof(struct ctx_info, cause));
	EXPECT_EQ(48, offsetof(struct ctx_info, flags));
	EXPECT_EQ(52, offsetof(struct ctx_info, depth));
	EXPECT_EQ(56, offsetof(struct ctx_info, nr_children));
	EXPECT_EQ(60, offsetof(struct ctx_info, message_len));
	EXPECT_EQ(64, offsetof(struct ctx_info, name));
	EXPECT_EQ(96, offsetof(struct ctx_info, message));
	EXPECT_EQ(224, offsetof(struct ctx_info, uid));
	EXPECT_EQ(228, offsetof(struct ctx_info, maker));
	EXPECT_EQ(232, offsetof(struct ctx_info, nr_parents));
	EXPECT_EQ(236, offsetof(struct ctx_info, reserved));
	EXPECT_EQ(240, offsetof(struct ctx_info, parents));

	EXPECT_EQ(16, sizeof(struct ctx_open_args));
	EXPECT_EQ(0, offsetof(struct ctx_open_args, id));
	EXPECT_EQ(8, offsetof(struct ctx_open_args, flags));
	EXPECT_EQ(12, offsetof(struct ctx_open_args, fd_flags));

	EXPECT_EQ(24, sizeof(struct ctx_list_args));
	EXPECT_EQ(0, offsetof(struct ctx_list_args, after));
	EXPECT_EQ(8, offsetof(struct ctx_list_args, ids));
	EXPECT_EQ(16, offsetof(struct ctx_list_args, nr));
	EXPECT_EQ(20, offsetof(struct ctx_list_args, reserved));

	EXPECT_EQ(16, sizeof(struct ctx_event));
	EXPECT_EQ(0, offsetof(struct ctx_event, err));
	EXPECT_EQ(4, offsetof(struct ctx_event, cause));
	EXPECT_EQ(8, offsetof(struct ctx_event, origin_id));
}

TEST_F(abi, numbers_are_the_same_everywhere)
{
	EXPECT_EQ(_IOW(0xC7, 0, char[80]), CTX_IOC_CREATE);
	EXPECT_EQ(_IOW(0xC7, 1, char[16]), CTX_IOC_CANCEL);
	EXPECT_EQ(_IOW(0xC7, 2, char[4]), CTX_IOC_WATCH);
	EXPECT_EQ(_IOW(0xC7, 3, char[16]), CTX_IOC_SET_DEADLINE);
	EXPECT_EQ(_IOR(0xC7, 4, char[304]), CTX_IOC_INFO);
	EXPECT_EQ(_IOW(0xC7, 6, char[16]), CTX_IOC_OPEN);
	EXPECT_EQ(_IOW(0xC7, 7, char[24]), CTX_IOC_LIST);
	EXPECT_EQ(1, CTX_CLOEXEC);
	EXPECT_EQ(2, CTX_NONBLOCK);
	EXPECT_EQ(4, CTX_WATCH_ONLY);
	EXPECT_EQ(1, CTX_CREATE_TIMEOUT);
	EXPECT_EQ(2, CTX_CREATE_DETACHED);
	EXPECT_EQ(4, CTX_CREATE_WITHOUT_CANCEL);
	EXPECT_EQ(8, CTX_CREATE_OWNED);
	EXPECT_EQ(1, CTX_OPEN_CONTROL);
	EXPECT_EQ(32, CTX_NAME_LEN);
	EXPECT_EQ(128, CTX_MESSAGE_MAX);
}

/* The whole of a context's life, with every field in use. */
TEST_F(abi, every_call_carries_every_field)
{
	struct ctx_create_args create = {
		.flags = CTX_CREATE_DETACHED,
		.fd_flags = CTX_CLOEXEC | CTX_NONBLOCK,
		.deadline = ctx_clock(CLOCK_MONOTONIC) + HOUR,
		.clockid = CLOCK_MONOTONIC,
		.name = "every field",
	};
	static const char message[] = "message";
	struct ctx_cancel_args cancel = {
		.cause = 0x12345678,
		.message_len = sizeof(message) - 1,
		.message = (uintptr_t)message,
	};
	int fd = ctx_create(self->fd, &create);
	struct ctx_info info;

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDWR | O_NONBLOCK,
		  fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(create.deadline, info.deadline);
	EXPECT_EQ(CTX_CREATE_DETACHED, info.flags);
	EXPECT_EQ(0, memcmp(create.name, info.name, sizeof(info.name)));
	EXPECT_EQ(0, ctx_set_deadline(fd, CLOCK_MONOTONIC, create.deadline + 1));
	check_info(fd, deadline, create.deadline + 1);
	EXPECT_EQ(0, ioctl(fd, CTX_IOC_CANCEL, &cancel));
	check_cancelled(fd, ECANCELED, 0x12345678, info.id);
	check_message(fd, message);
	close(fd);
}

/*
 * Structures that grow: a caller that knows less than what the first version had is
 * none that there ever was.
 */

/* Each size below that of @object, the first version, with what would be taken. */
#define check_too_small(cmd, object) ({					\
	size_t __size;							\
									\
	for (__size = 0; __size < sizeof(object); __size++) {		\
		check_refused(self->fd, EINVAL,				\
			      ioctl(self->fd, WITH_SIZE((cmd), __size),	\
				    at_end((object), __size)));		\
		/* Nor does it look at the pointer. */			\
		check_errno(EINVAL, ioctl(self->fd, WITH_SIZE((cmd), __size), NULL));\
	}								\
	check_alive(self->fd);						\
})

TEST_F(abi, a_structure_smaller_than_its_first_version_gives_EINVAL)
{
	const struct ctx_create_args create = {};
	const struct ctx_cancel_args cancel = { .cause = EIO };
	const struct ctx_deadline_args deadline = { .deadline = HOUR };
	const struct ctx_value value = { .key = (uintptr_t)"key" };
	const char info[224] = "";
	const __u32 watch = 0;

	check_too_small(CTX_IOC_CREATE, create);
	check_too_small(CTX_IOC_CANCEL, cancel);
	check_too_small(CTX_IOC_WATCH, watch);
	check_too_small(CTX_IOC_SET_DEADLINE, deadline);
	check_too_small(CTX_IOC_INFO, info);
	check_too_small(CTX_IOC_GET_VALUE, value);
}

/* A caller that knows more. */

TEST_F(abi, zeros_at_the_end_of_a_larger_structure_are_taken)
{
	const size_t more[] = { 1, 4, 8, 100, 4096, 8191 };
	const struct ctx_deadline_args deadline = {
		.deadline = HOUR,
		.clockid = CLOCK_MONOTONIC,
		.flags = CTX_CREATE_TIMEOUT,
	};
	const struct ctx_create_args create = { .name = "larger" };
	const struct ctx_cancel_args cancel = { .cause = EIO };
	const __u32 watch = CTX_NONBLOCK;
	struct ctx_info info;
	unsigned int i;
	size_t size;
	int fd, ro;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		size = sizeof(create) + more[i];
		fd = ioctl(self->fd, WITH_SIZE(CTX_IOC_CREATE, size),
			   at_end(create, size));
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, ctx_info(fd, &info));
		EXPECT_STREQ("larger", info.name);
		size = sizeof(watch) + more[i];
		ro = ioctl(fd, WITH_SIZE(CTX_IOC_WATCH, size), at_end(watch, size));
		ASSERT_LE(0, ro);
		EXPECT_EQ(O_NONBLOCK, fcntl(ro, F_GETFL) & O_NONBLOCK);
		size = sizeof(deadline) + more[i];
		EXPECT_EQ(0, ioctl(fd, WITH_SIZE(CTX_IOC_SET_DEADLINE, size),
				   at_end(deadline, size)));
		EXPECT_EQ(0, ctx_info(ro, &info));
		EXPECT_NE(0, info.deadline);
		size = sizeof(cancel) + more[i];
		EXPECT_EQ(0, ioctl(fd, WITH_SIZE(CTX_IOC_CANCEL, size),
				   at_end(cancel, size)));
		check_cancelled(ro, ECANCELED, EIO, ctx_id(fd));
		close(ro);
		close(fd);
	}
}

/* @cmd with each of @more bytes that it does not know set in turn, or some. */
#define check_unknown_bytes(cmd, object, more, step) ({			\
	const size_t __size = sizeof(object) + (more);			\
	char *__arg = at_end((object), __size);				\
	size_t __at;							\
									\
	for (__at = sizeof(object); __at < __size; __at += (step)) {	\
		__arg[__at] = 0x80;					\
		check_errno(E2BIG, ioctl(self->fd,			\
					 WITH_SIZE((cmd), __size), __arg));\
		__arg[__at] = 0;					\
	}								\
	__arg[__size - 1] = 1;						\
	check_refused(self->fd, E2BIG,					\
		      ioctl(self->fd, WITH_SIZE((cmd), __size), __arg));\
})

#define check_all_unknown_bytes(cmd, object) ({				\
	check_unknown_bytes((cmd), (object), 1, 1);			\
	check_unknown_bytes((cmd), (object), 64, 1);			\
	check_unknown_bytes((cmd), (object), MAX_SIZE - sizeof(object), 1021);\
})

TEST_F(abi, unknown_bytes_that_are_not_zero_give_E2BIG)
{
	const struct ctx_create_args create = {};
	const struct ctx_cancel_args cancel = {};
	const struct ctx_deadline_args deadline = { .deadline = HOUR };
	const __u32 watch = 0;

	check_all_unknown_bytes(CTX_IOC_CREATE, create);
	check_all_unknown_bytes(CTX_IOC_CANCEL, cancel);
	check_all_unknown_bytes(CTX_IOC_WATCH, watch);
	check_all_unknown_bytes(CTX_IOC_SET_DEADLINE, deadline);
	check_alive(self->fd);
}

TEST_F(abi, info_fills_a_larger_structure_with_zeros)
{
	const size_t more[] = { 1, 8, 100, 4096, MAX_SIZE - sizeof(struct ctx_info) };
	struct ctx_info info;
	unsigned int i;
	size_t size, j;
	char *at;

	ASSERT_EQ(0, ctx_info(self->fd, &info));
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		size = sizeof(info) + more[i];
		at = self->page + self->size - size;
		memset(self->page, 0x5a, self->size);
		EXPECT_EQ(0, ioctl(self->fd, WITH_SIZE(CTX_IOC_INFO, size), at));
		EXPECT_EQ(0, memcmp(&info, at, sizeof(info)));
		for (j = sizeof(info); j < size; j++)
			ASSERT_EQ(0, at[j]);
		EXPECT_EQ(0x5a, at[-1]);
	}
}

/* What was there before the maker was told. */
TEST_F(abi, info_fills_the_first_version_for_callers_that_know_no_more)
{
	const size_t first = offsetof(struct ctx_info, uid);
	struct ctx_info info;
	char *at = self->page + self->size - first;

	ASSERT_EQ(0, ctx_info(self->fd, &info));
	memset(self->page, 0x5a, self->size);
	EXPECT_EQ(0, ioctl(self->fd, WITH_SIZE(CTX_IOC_INFO, first), at));
	EXPECT_EQ(0, memcmp(&info, at, first));
}

/* What is refused. */

static const unsigned int commands[] = {
	CTX_IOC_CREATE, CTX_IOC_CANCEL, CTX_IOC_WATCH, CTX_IOC_SET_DEADLINE,
	CTX_IOC_INFO,
};

TEST_F(abi, bad_pointers_give_EFAULT)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		unsigned int cmd = commands[i];
		char *end = self->page + self->size;
		/* None, nowhere, one that ends nowhere, the kernel's. */
		char *const bad[] = {
			NULL, (char *)1, end, end - _IOC_SIZE(cmd) + 1,
			(char *)-4096L,
		};

		memset(self->page, 0, self->size);
		for (j = 0; j < ARRAY_SIZE(bad); j++)
			check_refused(self->fd, EFAULT,
				      ioctl(self->fd, cmd, bad[j]));
		/* What it does not know of a structure it has to look at. */
		check_refused(self->fd, EFAULT,
			      ioctl(self->fd,
				    WITH_SIZE(cmd, _IOC_SIZE(cmd) + 8),
				    end - _IOC_SIZE(cmd)));
	}
	check_alive(self->fd);
}

TEST_F(abi, info_to_memory_that_is_read_only_gives_EFAULT)
{
	ASSERT_EQ(0, mprotect(self->page, self->size, PROT_READ));
	check_refused(self->fd, EFAULT,
		      ioctl(self->fd, CTX_IOC_INFO, self->page));
}

TEST_F(abi, unknown_calls_give_ENOTTY)
{
	const int fds[] = { self->dev, self->fd, self->watch };
	const unsigned int dirs[] = {
		_IOC_NONE, _IOC_READ, _IOC_WRITE, _IOC_READ | _IOC_WRITE,
	};
	unsigned int i, j, nr;

	memset(self->page, 0, self->size);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		for (nr = UNKNOWN_NR; nr < 256; nr++)
			check_errno(ENOTTY, ioctl(fds[i], _IOW(CTX_IOC_MAGIC, nr, __u64),
						  self->page));
		for (j = 0; j < ARRAY_SIZE(commands); j++) {
			unsigned int cmd = commands[j];

			/* Another magic number, and another direction. */
			check_refused(fds[i], ENOTTY,
				      ioctl(fds[i], cmd ^ _IOC(0, 1, 0, 0),
					    self->page));
			for (nr = 0; nr < ARRAY_SIZE(dirs); nr++)
				if (dirs[nr] != _IOC_DIR(cmd))
					check_refused(fds[i], ENOTTY,
						      ioctl(fds[i],
							    _IOC(dirs[nr], CTX_IOC_MAGIC,
								 _IOC_NR(cmd),
								 _IOC_SIZE(cmd)),
							    self->page));
		}
	}
	check_alive(self->fd);
}

TEST_F(abi, unknown_flags_of_create_give_EINVAL)
{
	struct ctx_create_args args = {};
	int bit;

	for (bit = 0; bit < 32; bit++) {
		args.flags = 1U << bit;
		if (args.flags & (CTX_CREATE_TIMEOUT | CTX_CREATE_DETACHED |
				  CTX_CREATE_WITHOUT_CANCEL | CTX_CREATE_OWNED))
			continue;
		check_refused(self->fd, EINVAL, ctx_create(self->fd, &args));
	}
}

TEST_F(abi, unknown_fd_flags_give_EINVAL)
{
	struct ctx_create_args args = {};
	int bit;

	for (bit = 0; bit < 32; bit++) {
		args.fd_flags = 1U << bit;
		if (args.fd_flags & (CTX_CLOEXEC | CTX_NONBLOCK))
			continue;
		check_refused(self->fd, EINVAL, ctx_create(self->fd, &args));
		if (args.fd_flags != CTX_WATCH_ONLY)
			check_refused(self->fd, EINVAL, ctx_watch(self->fd, args.fd_flags));
	}
}

TEST_F(abi, unknown_flags_of_set_deadline_give_EINVAL)
{
	struct ctx_deadline_args args = {
		.deadline = HOUR,
		.clockid = CLOCK_MONOTONIC,
	};
	int bit;

	for (bit = 0; bit < 32; bit++) {
		args.flags = CTX_CREATE_TIMEOUT | 1U << bit;
		if (args.flags == CTX_CREATE_TIMEOUT)
			continue;
		check_refused(self->fd, EINVAL,
			      ioctl(self->fd, CTX_IOC_SET_DEADLINE, &args));
	}
}

TEST_F(abi, a_reserved_field_that_is_not_zero_gives_EINVAL)
{
	struct ctx_create_args args = {};
	int bit;

	for (bit = 0; bit < 32; bit++) {
		args.reserved = 1U << bit;
		check_refused(self->fd, EINVAL, ctx_create(self->fd, &args));
	}
}

/* Contained: what is not said is zero, and nothing is left over in between. */
TEST_F(abi, info_has_no_byte_that_was_not_written)
{
	struct ctx_info zeros, ones;
	int fd;

	fd = ctx_new_named(self->fd, "x");
	EXPECT_EQ(0, ctx_cancel(fd, EIO, "y"));
	memset(&zeros, 0, sizeof(zeros));
	memset(&ones, 0xff, sizeof(ones));
	EXPECT_EQ(0, ioctl(fd, CTX_IOC_INFO, &zeros));
	EXPECT_EQ(0, ioctl(fd, CTX_IOC_INFO, &ones));
	EXPECT_EQ(0, memcmp(&zeros, &ones, sizeof(ones)));
	EXPECT_EQ(1, strnlen(ones.name, sizeof(ones.name)));
	memset(&zeros, 0, sizeof(zeros));
	EXPECT_EQ(0, memcmp(zeros.name, ones.name + 1, sizeof(ones.name) - 1));
	EXPECT_EQ(0, memcmp(zeros.message, ones.message + 1,
			    sizeof(ones.message) - 1));
	close(fd);
}

TEST_HARNESS_MAIN
