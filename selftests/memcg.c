// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: it is charged to the cgroup of whoever creates, where a limit makes
 * creation fail and nothing else.
 */
#include "ctx_selftest.h"
#include <sys/resource.h>

#define CGROUP		"/sys/fs/cgroup"
#define MAX_FDS		32768

/* Descriptors whose cost is measured: many, for it is not told exactly. */
#define COUNT		8000

/* What a limit leaves, and how many contexts cannot fit in there. */
#define ROOM		(1 << 20)
#define TOO_MANY	(ROOM / 64)
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

/* The bytes of all kinds charged to it. */
static long all_bytes(const char *path)
{
	char name[128];
	long bytes = -1;
	FILE *file;

	snprintf(name, sizeof(name), "%s/memory.current", path);
	file = fopen(name, "r");
	if (!file || fscanf(file, "%ld", &bytes) != 1)
		return -1;
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

/* Makes room for descriptors, and moves into the cgroup. */
static int enter(const char *path)
{
	struct rlimit limit = { MAX_FDS, MAX_FDS };

	return setrlimit(RLIMIT_NOFILE, &limit) ? -1 :
	       write_text(path, "cgroup.procs", "0");
}

/*
 * What one of COUNT descriptors made by @make costs a process in the cgroup
 * @path, of which they are the first charge; -1 where that was not found out.
 */
static long bytes_each(const char *path, int fd, int (*make)(int fd))
{
	long bytes = -1;
	int end[2], i;
	pid_t pid;

	if (mkdir(path, 0755) && errno != EEXIST)
		return -1;
	if (pipe(end))
		return -1;
	pid = ctx_fork();
	if (!pid) {
		int ret = enter(path);

		for (i = 0; i < COUNT; i++)
			if (make(fd) < 0)
				ret = -1;
		bytes = ret ? -1 : slab_bytes(path);
		_exit(write(end[1], &bytes, sizeof(bytes)) != sizeof(bytes));
	}
	close(end[1]);
	if (read(end[0], &bytes, sizeof(bytes)) != sizeof(bytes))
		bytes = -1;
	close(end[0]);
	waitpid(pid, NULL, 0);
	return bytes < 0 ? -1 : bytes / COUNT;
}

/* The same in a cgroup of its own, in which nothing is left from before. */
#define bytes_of(make) ({						\
	char __path[96];						\
	long __bytes;							\
									\
	snprintf(__path, sizeof(__path), "%s-%s", self->path, #make);	\
	__bytes = bytes_each(__path, self->root, (make));		\
	rmdir(__path);							\
	EXPECT_LT(0, __bytes);						\
	__bytes;							\
})

/* The parent of them all is not theirs. A watch descriptor is a file alone. */
TEST_F_TIMEOUT(memcg, contexts_are_charged_to_whoever_creates_them, 120)
{
	EXPECT_LE(bytes_of(new_watch) + 64, bytes_of(ctx_new));
}

TEST_F_TIMEOUT(memcg, names_and_deadlines_are_charged_as_well, 120)
{
	long plain = bytes_of(ctx_new);

	EXPECT_LE(plain + 16, bytes_of(new_named));
	EXPECT_LE(plain + 48, bytes_of(new_timed));
}

TEST_F_TIMEOUT(memcg, the_charge_ends_with_the_contexts, 120)
{
	int i;

	EXPECT_LE(64, bytes_each(self->path, self->root, ctx_new));
	/* Memory may be given back some time after the last descriptor. */
	for (i = 0; i < CTX_WAIT_MS; i++) {
		if (slab_bytes(self->path) < 16 * COUNT)
			break;
		usleep(1000);
	}
	EXPECT_GT(16 * COUNT, slab_bytes(self->path));
}

/*
 * At the limit the process can neither open a file nor touch a new page, so it
 * has what it needs beforehand, and looks at what it found afterwards.
 */
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

/* Creates until that fails, for which it returns errno. */
static int fill(int fd)
{
	int i;

	for (i = 0; i < TOO_MANY; i++)
		if (ctx_new(fd) < 0)
			return errno;
	return 0;
}

static void find_limit(struct at_limit *found, const char *path, int root)
{
	int parent = ctx_new(root), children[CHILDREN], max, i;
	char name[128], limit[32], stack[65536];

	explicit_bzero(stack, sizeof(stack));
	for (i = 0; i < CHILDREN; i++)
		children[i] = ctx_new(parent);
	/* The table of descriptors is to grow now. */
	close(fcntl(root, F_DUPFD, MAX_FDS - 1));
	snprintf(name, sizeof(name), "%s/memory.max", path);
	max = open(name, O_WRONLY | O_CLOEXEC);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	snprintf(limit, sizeof(limit), "%ld", all_bytes(path) + ROOM);
	if (write(max, limit, strlen(limit)) < 0)
		return;

	/*
	 * Of what needs less there may be room for some, and memory that was
	 * freed before may be given back in between.
	 */
	found->create = fill(root);
	for (i = 0; i < CHILDREN && ctx_watch(parent, 0) >= 0; i++)
		if (i % 50 == 49)
			fill(root);
	found->watch = i < CHILDREN ? errno : 0;
	for (i = 0; i < CHILDREN && !ctx_set_timeout(children[i], HOUR); i++)
		if (i % 50 == 49)
			fill(root);
	found->deadline = i < CHILDREN ? errno : 0;
	ctx_info(parent, &found->parent);

	found->cancel = ctx_cancel(parent, EIO, "no room");
	found->poll = ctx_poll(children[CHILDREN - 1], 0);
	if (found->poll)
		found->read = read(children[CHILDREN - 1], &found->event,
				   sizeof(found->event));
	ctx_info(children[CHILDREN - 1], &found->child);
	if (write(max, "max", 3) < 0)
		found->cancel = -1;
}

TEST_F_TIMEOUT(memcg, a_limit_gives_ENOMEM_and_spares_cancel, 120)
{
	struct at_limit found = {};
	pid_t pid;

	ASSERT_EQ(0, mkdir(self->path, 0755));
	in_child(pid) {
		/* Or it would be killed instead, as by any allocation. */
		ASSERT_EQ(0, write_text("/proc/self", "oom_score_adj", "-1000"));
		ASSERT_EQ(0, enter(self->path));
		find_limit(&found, self->path, self->root);
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

TEST_HARNESS_MAIN
