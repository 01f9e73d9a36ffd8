// SPDX-License-Identifier: GPL-2.0-only
/*
 * Want of memory where a context or a descriptor is made or sent; see faults.h.
 */
#include "faults_world.h"

/* Open, create, watch. */

static void check_values(struct __test_metadata *_metadata, int fd,
			 const struct ctx_create_args *args)
{
	const struct ctx_value *values = (void *)(uintptr_t)args->values;
	char data[CTX_VALUE_MAX];
	struct ctx_value value;
	unsigned int i;

	for (i = 0; i < args->nr_values; i++) {
		value = values[i];
		value.data = (uintptr_t)data;
		EXPECT_EQ(value.size, ioctl(fd, CTX_IOC_GET_VALUE, &value));
		EXPECT_EQ(0, memcmp(data, (void *)(uintptr_t)values[i].data, value.size));
	}
}

static void check_created(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
			  int fd, int parent, const struct ctx_create_args *args)
{
	struct ctx_info info, above;

	EXPECT_EQ(0, ctx_info(parent, &above));
	EXPECT_EQ(0, ctx_info(fd, &info));
	EXPECT_LT(self->id, info.id);
	self->id = info.id;
	EXPECT_EQ(above.id, info.parent_id);
	EXPECT_EQ(args->flags, info.flags);
	EXPECT_STREQ(args->name, info.name);
	if (args->deadline)
		EXPECT_NE(0, info.deadline);
	check_values(_metadata, fd, args);
}

static void create(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self, int parent,
		   const struct ctx_create_args *args)
{
	int fd;

	while (next_fault(self)) {
		fd = faulty(self->f, ctx_create(parent, args));
		if (fd < 0)
			check_enomem();
		else
			check_created(_metadata, self, fd, parent, args);
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, open)
{
	int fd;

	while (next_fault(self)) {
		fd = faulty(self->f, ctx_background());
		if (fd < 0)
			check_enomem();
		else
			EXPECT_EQ(0, ctx_poll(fd, 0));
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

/* What there is once for each user is made with it. */
TEST_F(faults, create_the_first_of_a_user)
{
	uid_t uid = 2000000U + MOST * getpid();
	int fd;

	while (next_fault(self)) {
		ASSERT_EQ(0, syscall(SYS_setresuid, uid++, -1, -1));
		fd = faulty(self->f, ctx_create(self->root, &child_args));
		if (fd < 0)
			check_enomem();
		else
			check_created(_metadata, self, fd, self->root, &child_args);
		ASSERT_EQ(0, syscall(SYS_setresuid, 0, -1, -1));
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, create_root)
{
	create(_metadata, self, self->dev, &(struct ctx_create_args){});
}

TEST_F(faults, create_child)
{
	create(_metadata, self, self->root, &(struct ctx_create_args){});
}

TEST_F(faults, create_child_without_cancel)
{
	create(_metadata, self, self->child, &(struct ctx_create_args){
		.flags = CTX_CREATE_WITHOUT_CANCEL,
	});
}

TEST_F(faults, create_with_a_name)
{
	create(_metadata, self, self->root, &(struct ctx_create_args){ .name = "name" });
}

TEST_F(faults, create_with_a_deadline)
{
	create(_metadata, self, self->root, &(struct ctx_create_args){
		.clockid = CLOCK_MONOTONIC,
		.deadline = ctx_clock(CLOCK_MONOTONIC) + HOUR,
	});
}

TEST_F(faults, create_with_a_value)
{
	create(_metadata, self, self->root, &(struct ctx_create_args){
		.nr_values = 1,
		.values = child_args.values,
	});
}

/* Of them all there is more than kmalloc() has to give. */
static void fill_values(struct ctx_value *values, char (*keys)[2])
{
	static char data[CTX_VALUE_MAX];
	int i;

	memset(data, 'd', sizeof(data));
	for (i = 0; i < CTX_VALUES_MAX; i++) {
		keys[i][0] = 'a' + i;
		keys[i][1] = '\0';
		values[i] = (struct ctx_value){
			.key = (uintptr_t)keys[i],
			.data = (uintptr_t)data,
			.size = sizeof(data),
		};
	}
}

TEST_F(faults, create_with_the_most_values)
{
	struct ctx_value values[CTX_VALUES_MAX];
	char keys[CTX_VALUES_MAX][2];

	fill_values(values, keys);
	create(_metadata, self, self->root, &(struct ctx_create_args){
		.nr_values = CTX_VALUES_MAX,
		.values = (uintptr_t)values,
	});
}

TEST_F(faults, create_with_further_parents)
{
	__s32 parents[] = { self->other, self->child, self->other };

	create(_metadata, self, self->root, &(struct ctx_create_args){
		.nr_parents = 3,
		.parents = (uintptr_t)parents,
	});
}

TEST_F(faults, create_with_everything)
{
	__s32 parents[] = { self->other, self->dev, self->root };
	struct ctx_value values[CTX_VALUES_MAX];
	char keys[CTX_VALUES_MAX][2];

	fill_values(values, keys);
	create(_metadata, self, self->child, &(struct ctx_create_args){
		.flags = CTX_CREATE_TIMEOUT | CTX_CREATE_DETACHED,
		.fd_flags = CTX_CLOEXEC | CTX_NONBLOCK,
		.clockid = CLOCK_BOOTTIME,
		.deadline = HOUR,
		.nr_values = CTX_VALUES_MAX,
		.values = (uintptr_t)values,
		.nr_parents = 3,
		.parents = (uintptr_t)parents,
		.name = "everything",
	});
}

/* It is created cancelled, or not at all. */
TEST_F(faults, create_with_a_deadline_that_has_passed)
{
	int fd;

	while (next_fault(self)) {
		fd = faulty(self->f, ctx_new_timeout(self->root, 0));
		if (fd < 0)
			check_enomem();
		else
			check_cancelled(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd));
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

TEST_F(faults, create_below_a_cancelled_parent)
{
	int parent = ctx_new(self->dev), fd;

	EXPECT_EQ(0, ctx_cancel(parent, CAUSE, NULL));
	while (next_fault(self)) {
		fd = faulty(self->f, ctx_create(parent, &child_args));
		if (fd < 0)
			check_enomem();
		else
			check_cancelled(fd, ECANCELED, CAUSE, ctx_id(parent));
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
	close(parent);
}

TEST_F(faults, watch)
{
	int fd;

	while (next_fault(self)) {
		fd = faulty(self->f, ctx_watch(self->root, CTX_CLOEXEC));
		if (fd < 0)
			check_enomem();
		else
			EXPECT_EQ(ctx_id(self->root), ctx_id(fd));
		close(fd);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

/* The table of descriptors, which grows where it is full. A child process has a small one. */

#define MAX_FULL	4096

static int full[MAX_FULL], nr_full;

/* In a child process, whose next descriptor does not fit into the table. */
static void fill_table(FIXTURE_DATA(faults) *self)
{
	char text[4096], *line;
	int size;

	read_text("/proc/self/status", text, sizeof(text));
	line = strstr(text, "FDSize:");
	size = line ? atoi(line + strlen("FDSize:")) : 0;
	for (nr_full = 0; nr_full < MAX_FULL; ) {
		full[nr_full] = fcntl(self->dev, F_DUPFD_CLOEXEC, 0);
		if (full[nr_full] < 0 || full[nr_full++] >= size - 1)
			break;
	}
}

static void empty_table(void)
{
	while (nr_full)
		close(full[--nr_full]);
}

/* Runs @call, which calls fill_table() before it calls faulty(), in a child for each fault. */
static void with_full_table(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self,
			    void (*call)(struct __test_metadata *_metadata,
					 FIXTURE_DATA(faults) *self))
{
	pid_t pid;

	while (next_fault(self)) {
		in_child(pid) {
			nth_open();
			look(self, &self->before);
			call(_metadata, self);
			empty_table();
			check_world(_metadata, self);
		}
		check_child(pid);
		check_unchanged(_metadata, self);
	}
	check_faults();
}

static void full_create(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self)
{
	int fd;

	fill_table(self);
	fd = faulty(self->f, ctx_create(self->root, &child_args));
	if (fd < 0)
		check_enomem();
	else
		check_created(_metadata, self, fd, self->root, &child_args);
	close(fd);
}

TEST_F(faults, create_where_the_table_is_full)
{
	with_full_table(_metadata, self, full_create);
}

static void full_watch(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self)
{
	int fd;

	fill_table(self);
	fd = faulty(self->f, ctx_watch(self->root, 0));
	if (fd < 0)
		check_enomem();
	else
		EXPECT_EQ(ctx_id(self->root), ctx_id(fd));
	close(fd);
}

TEST_F(faults, watch_where_the_table_is_full)
{
	with_full_table(_metadata, self, full_watch);
}

/* One that was not made is no end of the owner. */
static void full_dup(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self)
{
	int fd;

	fill_table(self);
	fd = faulty(self->f, dup(self->root));
	if (fd < 0)
		check_enomem();
	else
		EXPECT_EQ(ctx_id(self->root), ctx_id(fd));
	close(fd);
}

TEST_F(faults, dup_where_the_table_is_full)
{
	with_full_table(_metadata, self, full_dup);
}

/* Sockets. */

TEST_F(faults, send)
{
	int sock[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sock));
	while (next_fault(self)) {
		if (!faulty(self->f, ctx_send_fd(sock[0], self->root))) {
			fd = ctx_recv_fd(sock[1]);
			EXPECT_EQ(ctx_id(self->root), ctx_id(fd));
			close(fd);
		} else {
			/* A socket's word for it. */
			if (errno == ENOBUFS)
				errno = ENOMEM;
			check_enomem();
		}
		check_unchanged(_metadata, self);
	}
	check_faults();
	close(sock[0]);
	close(sock[1]);
}

/* The message comes without the descriptor, which was the last: that is the owner's end. */
static void full_receive(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self)
{
	int sock[2], fd, watch;
	__u64 id;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sock));
	fd = ctx_new(self->root);
	id = ctx_id(fd);
	watch = ctx_watch(fd, 0);
	EXPECT_EQ(0, ctx_send_fd(sock[0], fd));
	close(fd);
	fill_table(self);
	fd = faulty(self->f, ctx_recv_fd(sock[1]));
	if (fd < 0) {
		EXPECT_EQ(0, errno);
		EXPECT_TRUE(self->f->hit);
		self->f->lost++;
	} else {
		check_alive(watch);
	}
	close(fd);
	check_cancelled(watch, ECANCELED, EOWNERDEAD, id);
	close(watch);
	close(sock[0]);
	close(sock[1]);
}

TEST_F(faults, receive_where_the_table_is_full)
{
	with_full_table(_metadata, self, full_receive);
}

TEST_HARNESS_MAIN
