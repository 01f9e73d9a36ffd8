// SPDX-License-Identifier: GPL-2.0-only
/*
 * Want of memory: each allocation on the way of a call fails once, in the module
 * or elsewhere in the kernel. The call then fails with ENOMEM and has changed
 * nothing, or does without.
 *
 * /proc/thread-self/fail-nth has the kernel fail the n-th allocation of this
 * thread from now on, and tells what is left of n. What a call leaks shows when
 * the module is removed, and to kmemleak.
 */
#include "ctx_selftest.h"
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/utsname.h>

#define CAUSE		91
#define MESSAGE		"no message is worth a cancellation"

/* More allocations than any of the calls makes. */
#define MOST		500

#define MANY_FDS	64

#define DEBUGFS		"/sys/kernel/debug/"

/*
 * By default only the rarest allocations fail. Each failure is not logged: the
 * log would be of nothing else.
 */
static const struct attribute {
	const char *path;
	const char *value;
} attributes[] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "0" },
	{ DEBUGFS "failslab/verbose", "0" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "0" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "0" },
	{ DEBUGFS "fail_page_alloc/min-order", "0" },
	{ DEBUGFS "fail_page_alloc/verbose", "0" },
};

#define NR_ATTRIBUTES	ARRAY_SIZE(attributes)

/* What there is besides that which a call is about, and must not change with it. */
struct world {
	struct ctx_info root;
	struct ctx_info child;
	struct ctx_info other;
	int fds;		/* how many there are */
	int next;		/* the number that comes next */
};

struct faults {
	char attribute[NR_ATTRIBUTES][16];	/* as they were */
	unsigned int n;		/* the allocation that fails now */
	bool hit;		/* whether the call came to it */
	unsigned int lost;	/* calls that did not give what was asked for */
};

FIXTURE(faults) {
	struct faults *f;	/* which child processes share */
	int dev;
	int root;
	int child;		/* of root, with a name, a value and a deadline */
	int other;		/* a root to be a further parent */
	struct ctx_reader reader;	/* of child */
	sigset_t signals;	/* SIGIO and SIGRTMIN, blocked */
	__u64 id;		/* the last one seen */
	struct world before;
};

static void __attribute__((constructor)) need_fault_injection(void)
{
	unsigned int i;

	if (access("/proc/thread-self/fail-nth", W_OK))
		ksft_exit_skip("this kernel has no fault injection\n");
	for (i = 0; i < NR_ATTRIBUTES; i++)
		if (access(attributes[i].path, R_OK | W_OK))
			ksft_exit_skip("needs %s\n", attributes[i].path);
}

static ssize_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, size - 1);

	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len;
}

static ssize_t write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = write(fd, text, strlen(text));

	close(fd);
	return len;
}

static int nth;		/* fail-nth of this thread */

static void nth_open(void)
{
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		abort();
}

/* From now on allocations fail where this thread asks for it. */
static struct faults *faults_begin(void)
{
	struct faults *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	nth_open();
	for (i = 0; i < NR_ATTRIBUTES; i++)
		if (read_text(attributes[i].path, f->attribute[i], sizeof(f->attribute[i])) <= 0 ||
		    write_text(attributes[i].path, attributes[i].value) <= 0)
			abort();
	return f;
}

static void faults_end(struct faults *f)
{
	unsigned int i;

	for (i = 0; i < NR_ATTRIBUTES; i++)
		if (write_text(attributes[i].path, f->attribute[i]) <= 0)
			abort();
	munmap(f, sizeof(*f));
	close(nth);
}

static void fail_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(nth, text, len, 0) != len)
		abort();
}

/* What is left of n: 0 where that allocation has failed. None is to from now on. */
static unsigned int fail_nth_end(void)
{
	char text[16] = "";

	if (pread(nth, text, sizeof(text) - 1, 0) <= 0)
		abort();
	fail_nth(0);
	return strtoul(text, NULL, 10);
}

/* Makes @call, of which the allocation whose turn it is fails. */
#define faulty(f, call) ({						\
	struct faults *__f = (f);					\
	__typeof__(call) __ret;						\
	int __errno;							\
									\
	fail_nth(__f->n);						\
	errno = 0;							\
	__ret = (call);							\
	__errno = errno;						\
	__f->hit = !fail_nth_end();					\
	errno = __errno;						\
	__ret;								\
})

static const struct ctx_create_args child_args = {
	.flags = CTX_CREATE_TIMEOUT,
	.clockid = CLOCK_MONOTONIC,
	.deadline = HOUR,
	.nr_values = 1,
	.values = (uintptr_t)&(const struct ctx_value){
		.key = (uintptr_t)"key",
		.data = (uintptr_t)"data",
		.size = 4,
	},
	.name = "child",
};

FIXTURE_SETUP(faults)
{
	sigemptyset(&self->signals);
	sigaddset(&self->signals, SIGIO);
	sigaddset(&self->signals, SIGRTMIN);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->signals, NULL));
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	self->child = ctx_create(self->root, &child_args);
	self->other = ctx_new(self->dev);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, ctx_reader_start(&self->reader, self->child));
	self->f = faults_begin();
}

/* The contexts do their work yet. */
FIXTURE_TEARDOWN(faults)
{
	faults_end(self->f);
	EXPECT_EQ(0, ctx_cancel(self->root, CAUSE, NULL));
	EXPECT_EQ(0, ctx_cancel(self->other, CAUSE, NULL));
	EXPECT_EQ(0, ctx_reader_join(&self->reader));
	EXPECT_EQ(CAUSE, self->reader.event.cause);
	close(self->other);
	close(self->child);
	close(self->root);
	close(self->dev);
}

static void look(FIXTURE_DATA(faults) *self, struct world *world)
{
	ctx_info(self->root, &world->root);
	ctx_info(self->child, &world->child);
	ctx_info(self->other, &world->other);
	world->fds = ctx_nr_fds();
	world->next = dup(self->dev);
	close(world->next);
}

static void check_world(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self)
{
	struct world now;

	look(self, &now);
	EXPECT_EQ(self->before.fds, now.fds);
	EXPECT_EQ(self->before.next, now.next);
	EXPECT_EQ(0, memcmp(&self->before.root, &now.root, sizeof(now.root)));
	EXPECT_EQ(0, memcmp(&self->before.child, &now.child, sizeof(now.child)));
	EXPECT_EQ(0, memcmp(&self->before.other, &now.other, sizeof(now.other)));
}

/* Not in a child process, which does not have the reader. */
static void check_unchanged(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self)
{
	check_world(_metadata, self);
	EXPECT_EQ(EBUSY, pthread_tryjoin_np(self->reader.thread, NULL));
}

/* Whether the faulty() call of the loop has a further allocation to fail. */
static bool next_fault(FIXTURE_DATA(faults) *self)
{
	if (self->f->n && !self->f->hit)
		return false;
	self->f->hit = false;
	look(self, &self->before);
	return ++self->f->n <= MOST;
}

/* The call has failed, but its caller has made what must go before check_unchanged(). */
#define check_enomem() ({						\
	EXPECT_EQ(ENOMEM, errno);					\
	EXPECT_TRUE(self->f->hit);						\
	self->f->lost++;							\
})

/* The loop has come to its end, and was not in vain. */
#define check_faults() ({						\
	EXPECT_FALSE(self->f->hit);					\
	EXPECT_LT(0, self->f->lost);					\
	check_unchanged(_metadata, self);				\
})

/* @call gives @result, and has made no allocation that could fail. */
#define check_needs_no_memory(result, call) ({				\
	self->f->n = 1;							\
	EXPECT_EQ((result), faulty(self->f, call));				\
	EXPECT_FALSE(self->f->hit);					\
})

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

/* The module itself. Which of its parts was made already must go again. */

static int module_open(void)
{
	const char *path = getenv("CTX_MODULE");
	struct utsname uts;
	char text[256];

	if (!path) {
		uname(&uts);
		snprintf(text, sizeof(text), "/lib/modules/%s/extra/ctx.ko", uts.release);
		path = text;
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int module_load(int file)
{
	return syscall(SYS_finit_module, file, "", 0);
}

static int module_remove(void)
{
	return syscall(SYS_delete_module, "ctx", O_NONBLOCK);
}

#define EXPEDITED	"/sys/kernel/rcu_expedited"

FIXTURE(load) {
	struct faults *f;
	int file;
};

FIXTURE_SETUP(load)
{
	self->file = module_open();
	if (self->file < 0)
		SKIP(return, "no module file: set CTX_MODULE");
	self->f = faults_begin();
	ASSERT_EQ(0, module_remove());
	/* Else most of the time is spent in waits for RCU. */
	write_text(EXPEDITED, "1");
}

FIXTURE_TEARDOWN(load)
{
	write_text(EXPEDITED, "0");
	faults_end(self->f);
	close(self->file);
}

#define UNLIMITED	1000000

/* Of which a slow machine makes no more in this time. */
#define LOAD_MS		90000

/*
 * What the module allocates comes last, long after the half: before that trace events are set
 * up, and the kernel warns where it cannot.
 */
TEST_F_TIMEOUT(load, insmod, 300)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + LOAD_MS * NSEC_PER_MSEC;
	struct faults *f = self->f;
	unsigned int nr;

	fail_nth(UNLIMITED);
	ASSERT_EQ(0, module_load(self->file));
	nr = UNLIMITED - fail_nth_end();
	for (f->n = nr; f->n > nr / 2 && ctx_clock(CLOCK_MONOTONIC) < end; f->n--) {
		ASSERT_EQ(0, module_remove());
		if (faulty(f, module_load(self->file))) {
			EXPECT_EQ(ENOMEM, errno);
			EXPECT_TRUE(f->hit);
			EXPECT_NE(0, access("/dev/ctx", F_OK));
			ASSERT_EQ(0, module_load(self->file));
			f->lost++;
		}
	}
	EXPECT_LT(0, f->lost);
}

TEST_HARNESS_MAIN
