// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: it is charged to the cgroup of whoever creates, where a limit makes
 * creation fail and nothing else.
 */
#include "ctx_selftest.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define CGROUP		"/sys/fs/cgroup"
#define MAX_FDS		16384

/* Enough for a process and some thousand descriptors, but not for MAX_FDS. */
#define LIMIT		(3L << 20)

#define COUNT		2000
#define CHILDREN	200

FIXTURE(memcg) {
	int dev;
	int root;
	char path[64];
};

static int write_text(const char *folder, const char *name, const char *text)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return ret;
}

static void __attribute__((constructor)) need_memory_controller(void)
{
	if (write_text(CGROUP, "cgroup.subtree_control", "+memory"))
		ksft_exit_skip("there is no memory controller at " CGROUP "\n");
}

FIXTURE_SETUP(memcg)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
	snprintf(self->path, sizeof(self->path), CGROUP "/ctx-selftest-%d", getpid());
}

FIXTURE_TEARDOWN(memcg)
{
	rmdir(self->path);
	close(self->root);
	close(self->dev);
}

/* The bytes of slab objects charged to the cgroup @path. */
static long slab_bytes(const char *path)
{
	char name[128], line[128];
	long bytes = -1;
	FILE *file;

	snprintf(name, sizeof(name), "%s/memory.stat", path);
	file = fopen(name, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "slab %ld", &bytes) == 1)
			break;
	fclose(file);
	return bytes;
}

/* What a descriptor can be made of, to compare what they cost. */
static int new_watch(int fd)
{
	return ctx_watch(fd, 0);
}

static int new_named(int fd)
{
	return ctx_new_named(fd, "over twenty bytes long");
}

static int new_timed(int fd)
{
	return ctx_new_timeout(fd, HOUR);
}

/*
 * Moves into the cgroup @path, to work there at its limit: without the means to
 * open a file or to touch a new page, and without being killed for it.
 *
 * Returns a descriptor of memory.max, or -1.
 */
static int enter(const char *path)
{
	struct rlimit limit = { MAX_FDS, MAX_FDS };
	char name[128], stack[65536];

	explicit_bzero(stack, sizeof(stack));
	/* The table of descriptors is to grow there, and now. */
	if (write_text("/proc/self", "oom_score_adj", "-1000") ||
	    write_text(path, "cgroup.procs", "0") ||
	    setrlimit(RLIMIT_NOFILE, &limit) ||
	    close(fcntl(STDERR_FILENO, F_DUPFD, MAX_FDS - 1)) ||
	    mlockall(MCL_CURRENT | MCL_FUTURE))
		return -1;
	snprintf(name, sizeof(name), "%s/memory.max", path);
	return open(name, O_WRONLY | O_CLOEXEC);
}

static int set_limit(int max, long bytes)
{
	char text[32] = "max";

	if (bytes)
		snprintf(text, sizeof(text), "%ld", bytes);
	return write(max, text, strlen(text)) < 0 ? -1 : 0;
}

/* Calls @make until that fails. Returns errno. */
static int fill(int fd, int (*make)(int fd), long *count)
{
	for (*count = 0; *count < MAX_FDS; ++*count)
		if (make(fd) < 0)
			return errno;
	return 0;
}

/*
 * What one descriptor made by @make costs, found by how many of them there can
 * be in a cgroup of its own that is limited: memory.current and memory.stat are
 * not exact.
 */
#define cost_of(make) ({						\
	long *__count = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE,\
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);	\
	char __path[96];						\
	pid_t __pid;							\
									\
	ASSERT_NE(MAP_FAILED, __count);					\
	snprintf(__path, sizeof(__path), "%s-%s", self->path, #make);	\
	ASSERT_EQ(0, mkdir(__path, 0755));				\
	in_child(__pid) {						\
		int __error, __max = enter(__path);			\
									\
		ASSERT_EQ(0, set_limit(__max, LIMIT));			\
		__error = fill(self->root, (make), __count);		\
		ASSERT_EQ(0, set_limit(__max, 0));			\
		EXPECT_EQ(ENOMEM, __error);				\
	}								\
	check_child(__pid);						\
	EXPECT_EQ(0, rmdir(__path));					\
	ASSERT_LT(0, *__count);						\
	LIMIT / *__count;						\
})

/* The parent of them all is not theirs. A watch descriptor is a file alone. */
TEST_F_TIMEOUT(memcg, contexts_are_charged_to_whoever_creates_them, 300)
{
	long file = cost_of(new_watch);

	EXPECT_LE(file + 64, cost_of(ctx_new));
}

TEST_F_TIMEOUT(memcg, names_and_deadlines_are_charged_as_well, 300)
{
	long plain = cost_of(ctx_new);

	EXPECT_LE(plain + 16, cost_of(new_named));
	EXPECT_LE(plain + 48, cost_of(new_timed));
}

TEST_F_TIMEOUT(memcg, the_charge_ends_with_the_contexts, 300)
{
	long least = 64 * COUNT;
	pid_t pid;
	int i;

	ASSERT_EQ(0, mkdir(self->path, 0755));
	in_child(pid) {
		ASSERT_LE(0, enter(self->path));
		for (i = 0; i < COUNT; i++)
			ASSERT_LE(0, ctx_new(self->root));
		EXPECT_LE(least, slab_bytes(self->path));
	}
	check_child(pid);
	/* It is told, and may be given back, some time after the end. */
	for (i = 0; i < CTX_WAIT_MS && slab_bytes(self->path) >= least; i++)
		usleep(1000);
	EXPECT_GT(least, slab_bytes(self->path));
}

/* What was found at the limit, to be looked at where there is memory again. */
struct at_limit {
	int create;			/* errno of what failed in the end */
	int watch;
	int deadline;
	int cancel;			/* result of CTX_IOC_CANCEL */
	int poll;			/* events of a descendant after that */
	ssize_t read;			/* result of a read from it */
	struct ctx_event event;
	struct ctx_info parent;		/* before the cancel */
	struct ctx_info child;		/* after it */
};

static void find_limit(struct at_limit *found, int root)
{
	int parent = ctx_new(root), children[CHILDREN], i;
	long count;

	for (i = 0; i < CHILDREN; i++)
		children[i] = ctx_new(parent);

	/*
	 * Of what needs less there may be room for some, and memory that was
	 * freed before may be given back in between.
	 */
	found->create = fill(root, ctx_new, &count);
	for (i = 0; i < CHILDREN && ctx_watch(parent, 0) >= 0; i++)
		if (i % 50 == 49)
			fill(root, ctx_new, &count);
	found->watch = i < CHILDREN ? errno : 0;
	for (i = 0; i < CHILDREN && !ctx_set_timeout(children[i], HOUR); i++)
		if (i % 50 == 49)
			fill(root, ctx_new, &count);
	found->deadline = i < CHILDREN ? errno : 0;
	ctx_info(parent, &found->parent);

	found->cancel = ctx_cancel(parent, EIO, "no room");
	found->poll = ctx_poll(children[CHILDREN - 1], 0);
	if (found->poll)
		found->read = read(children[CHILDREN - 1], &found->event,
				   sizeof(found->event));
	ctx_info(children[CHILDREN - 1], &found->child);
}

TEST_F_TIMEOUT(memcg, a_limit_gives_ENOMEM_and_spares_cancel, 300)
{
	struct at_limit found = {};
	pid_t pid;

	ASSERT_EQ(0, mkdir(self->path, 0755));
	in_child(pid) {
		int max = enter(self->path);

		ASSERT_EQ(0, set_limit(max, LIMIT));
		find_limit(&found, self->root);
		ASSERT_EQ(0, set_limit(max, 0));
		EXPECT_EQ(ENOMEM, found.create);
		EXPECT_EQ(ENOMEM, found.watch);
		EXPECT_EQ(ENOMEM, found.deadline);
		EXPECT_EQ(CHILDREN, found.parent.nr_children);
		EXPECT_EQ(0, found.parent.err);

		EXPECT_EQ(0, found.cancel);
		EXPECT_EQ(POLLIN | POLLRDNORM, found.poll);
		EXPECT_EQ(sizeof(found.event), found.read);
		EXPECT_EQ(ECANCELED, found.event.err);
		EXPECT_EQ(EIO, found.event.cause);
		EXPECT_EQ(found.parent.id, found.event.origin_id);
		EXPECT_EQ(found.parent.id, found.child.origin_id);
		EXPECT_EQ(ECANCELED, found.child.err);
		EXPECT_EQ(EIO, found.child.cause);
		EXPECT_EQ(0, found.child.deadline);
		/* The message alone may be lost, and then the whole of it. */
		EXPECT_TRUE(found.child.message_len == 0 ||
			    found.child.message_len == strlen("no room"));
	}
	check_child(pid);
	/* What it cost was the cgroup's alone, and is gone with the process. */
	check_alive(self->root);
	check_info(self->root, nr_children, 0);
}

/*
 * Who is killed for want of memory
 *
 * He has others wait for him, and is at it: one thread makes and cancels contexts, and
 * another uses up what there is.
 */
#define ROOM		(24L << 20)
#define KILLED		5	/* times */

static void *eat(void *arg)
{
	size_t size = 1 << 20;
	void *mem;

	for (;;) {
		mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem != MAP_FAILED)
			memset(mem, 1, size);
	}
	return arg;
}

static void run_out_of_memory(int root, int sock)
{
	struct rlimit limit = { MAX_FDS, MAX_FDS };
	int top = ctx_new(root), below = -1, branch, i;
	pthread_t thread;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < COUNT; i++)
		below = ctx_new_detached(top);
	if (ctx_send_fd(sock, ctx_watch(top, 0)) || ctx_send_fd(sock, ctx_watch(below, 0)) ||
	    pthread_create(&thread, NULL, eat, NULL))
		_exit(1);
	for (;;) {
		branch = ctx_new(top);
		for (i = 0; i < CHILDREN; i++)
			close(ctx_new_detached(branch));
		ctx_cancel(branch, EIO, "for want of memory");
		close(branch);
	}
}

static long oom_kills(const char *path)
{
	char name[128], line[64];
	long kills = -1;
	FILE *file;

	snprintf(name, sizeof(name), "%s/memory.events", path);
	file = fopen(name, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "oom_kill %ld", &kills) == 1)
			break;
	fclose(file);
	return kills;
}

TEST_F_TIMEOUT(memcg, who_is_killed_for_want_of_memory_leaves_nobody_waiting, 300)
{
	int sock[2], top, below, status, i;
	char room[32];
	pid_t pid;

	snprintf(room, sizeof(room), "%ld", ROOM);
	ASSERT_EQ(0, mkdir(self->path, 0755));
	ASSERT_EQ(0, write_text(self->path, "memory.max", room));
	/* Where there is swap */
	write_text(self->path, "memory.swap.max", "0");
	for (i = 0; i < KILLED; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
		pid = ctx_fork();
		if (!pid) {
			if (write_text(self->path, "cgroup.procs", "0"))
				_exit(1);
			run_out_of_memory(self->root, sock[1]);
		}
		close(sock[1]);
		top = ctx_recv_fd(sock[0]);
		below = ctx_recv_fd(sock[0]);
		ASSERT_LE(0, below);
		check_becomes_cancelled(below, ECANCELED, EOWNERDEAD, ctx_id(top));
		check_cancelled(top, ECANCELED, EOWNERDEAD, ctx_id(top));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
		EXPECT_LE(i + 1, oom_kills(self->path));
		close(top);
		close(below);
		close(sock[0]);
	}
	/* All that it had is free again, some time after the end. */
	for (i = 0; i < CTX_WAIT_MS && slab_bytes(self->path) >= 64 * COUNT; i++)
		usleep(1000);
	EXPECT_GT(64 * COUNT, slab_bytes(self->path));
	check_alive(self->root);
	check_info(self->root, nr_children, 0);
}

TEST_HARNESS_MAIN
