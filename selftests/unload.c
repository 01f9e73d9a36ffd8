// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guarantee 9: the module can be removed whenever no descriptor is open, whatever
 * was pending, and not before. Each test leaves it loaded.
 */
#include "ctx_selftest.h"
#include "race.h"

#define CAUSE		86

FIXTURE(unload) {
	int file;
	int dev;
};

FIXTURE_SETUP(unload)
{
	self->file = module_open();
	self->dev = -1;
	if (self->file < 0)
		SKIP(return, "no module file: set CTX_MODULE");
	if (module_load(self->file) && errno == EPERM)
		SKIP(return, "needs the privilege to load modules");
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(unload)
{
	close(self->dev);
	if (module_load(self->file))
		EXPECT_EQ(EEXIST, errno);
	close(self->file);
}

/* Nothing of ours is open: it goes at once, and can come again. */
#define check_reload() ({						\
	EXPECT_EQ(0, module_remove());					\
	EXPECT_EQ(0, module_load(self->file));				\
	self->dev = ctx_background();					\
	ASSERT_LE(0, self->dev);					\
})

TEST_F(unload, fails_while_the_device_is_open)
{
	check_errno(EWOULDBLOCK, module_remove());
	close(self->dev);
	check_reload();
}

TEST_F(unload, takes_the_limit_that_it_is_loaded_with)
{
	char text[16] = "";
	int file;

	close(self->dev);
	ASSERT_EQ(0, module_remove());
	ASSERT_EQ(0, syscall(SYS_finit_module, self->file, "max_user_contexts=1234", 0));
	file = open("/sys/module/ctx/parameters/max_user_contexts", O_RDONLY | O_CLOEXEC);
	EXPECT_LT(0, read(file, text, sizeof(text) - 1));
	close(file);
	EXPECT_STREQ("1234\n", text);
	check_reload();
}

TEST_F(unload, fails_while_a_context_is_open)
{
	int fd = ctx_new(self->dev);

	close(self->dev);
	check_errno(EWOULDBLOCK, module_remove());
	close(fd);
	check_reload();
}

/* What has the name of a descriptor alone keeps nothing, and is nothing once that is gone. */
TEST_F(unload, works_while_somebody_has_the_path_of_a_descriptor)
{
	int fd = ctx_new(self->dev), path;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = open(name, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, path);
	close(fd);
	close(self->dev);
	EXPECT_EQ(0, module_remove());
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
	check_errno(EACCES, open(name, O_RDWR));
	close(path);
	EXPECT_EQ(0, module_load(self->file));
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

TEST_F(unload, fails_while_a_watch_is_open)
{
	int fd = ctx_new(self->dev), watch = ctx_watch(fd, 0);

	close(self->dev);
	close(fd);
	check_errno(EWOULDBLOCK, module_remove());
	close(watch);
	check_reload();
}

TEST_F(unload, fails_while_a_descriptor_is_in_flight)
{
	int fd = ctx_new(self->dev), sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sock));
	ASSERT_EQ(0, ctx_send_fd(sock[0], fd));
	close(self->dev);
	close(fd);
	check_errno(EWOULDBLOCK, module_remove());
	close(sock[0]);
	close(sock[1]);
	check_reload();
}

TEST_F(unload, fails_while_another_process_has_a_descriptor)
{
	pid_t pid = ctx_fork();

	ASSERT_LE(0, pid);
	if (!pid)
		for (;;)
			pause();
	close(self->dev);
	check_errno(EWOULDBLOCK, module_remove());
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, race_reap(pid));
	check_reload();
}

TEST_F(unload, that_failed_has_changed_nothing)
{
	int fd = ctx_new(self->dev), late = ctx_new_timeout(fd, 20 * NSEC_PER_MSEC);
	int child = ctx_new(late);

	check_errno(EWOULDBLOCK, module_remove());
	check_becomes_cancelled(child, ETIMEDOUT, ETIMEDOUT, ctx_id(late));
	check_alive(fd);
	EXPECT_EQ(0, ctx_cancel(fd, CAUSE, NULL));
	check_cancelled(fd, ECANCELED, CAUSE, ctx_id(fd));
	close(child);
	close(late);
	close(fd);
	close(self->dev);
	check_reload();
}

/* Contexts in a small tree, from CREATE calls that all share @flags. */
#define TREE		40

static bool tree_make(int *fd, int dev, __u32 flags)
{
	int n;

	for (n = 0; n < TREE; n++) {
		fd[n] = ctx_create(n ? fd[(n - 1) / 2] : dev, &(struct ctx_create_args){
			.flags = flags,
		});
		if (fd[n] < 0)
			return false;
	}
	return true;
}

static void tree_close(int *fd)
{
	int n;

	for (n = 0; n < TREE; n++)
		close(fd[n]);
}

TEST_F_TIMEOUT(unload, works_right_after_the_last_close, 300)
{
	unsigned int i;
	int fd[TREE];

	for (i = 0; i < rounds(10) && _metadata->passed; i++) {
		ASSERT_TRUE(tree_make(fd, self->dev, i % 2 ? CTX_CREATE_DETACHED : 0));
		if (i % 4 < 2)
			ctx_cancel(fd[0], CAUSE, "the last words");
		close(self->dev);
		tree_close(fd);
		check_reload();
	}
}

/* Timers an hour away must not stay behind. */
TEST_F_TIMEOUT(unload, works_with_deadlines_far_ahead, 300)
{
	static const clockid_t clock[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
	unsigned int i;
	int fd[TREE], n;

	for (i = 0; i < rounds(6) && _metadata->passed; i++) {
		ASSERT_TRUE(tree_make(fd, self->dev, CTX_CREATE_DETACHED));
		for (n = 0; n < TREE; n++)
			ASSERT_EQ(0, ctx_set_deadline(fd[n], clock[n % 3],
						      ctx_clock(clock[n % 3]) + HOUR));
		/* One of them is of a context that was cancelled since. */
		ctx_cancel(fd[TREE / 2], CAUSE, NULL);
		close(self->dev);
		tree_close(fd);
		check_reload();
	}
}

/*
 * Deadlines strike from a little before the last close until a little after it.
 * Each has children, and so leaves work to be done after the timer.
 */
TEST_F_TIMEOUT(unload, works_while_deadlines_strike, 300)
{
	__u32 random = 112358;
	unsigned int i;
	int fd[TREE], n;

	for (i = 0; i < rounds(30) && _metadata->passed; i++) {
		__u64 when;

		ASSERT_TRUE(tree_make(fd, self->dev, CTX_CREATE_DETACHED));
		when = ctx_clock(CLOCK_MONOTONIC) + 200000;
		/* From the leaves upwards, so that no call finds it cancelled. */
		for (n = TREE; n--;)
			ctx_set_deadline(fd[n], CLOCK_MONOTONIC,
					 when + race_random(&random) % 200000);
		close(self->dev);
		while (ctx_clock(CLOCK_MONOTONIC) < when)
			;
		tree_close(fd);
		check_reload();
	}
}

/* The root strikes, and its walk holds the whole tree when all else is gone. */
TEST_F_TIMEOUT(unload, works_while_a_walk_is_under_way, 300)
{
	__u32 random = 132134;
	unsigned int i;
	int fd[TREE];

	for (i = 0; i < rounds(30) && _metadata->passed; i++) {
		ASSERT_TRUE(tree_make(fd, self->dev, CTX_CREATE_DETACHED));
		ASSERT_EQ(0, ctx_set_timeout(fd[0], 20000));
		close(self->dev);
		EXPECT_TRUE(ctx_poll(fd[0], CTX_WAIT_MS) & POLLIN);
		spin_randomly(&random);
		tree_close(fd);
		check_reload();
	}
}

/* This thread runs on @cpu alone, where no ordinary task runs until it sleeps. */
static bool hog(int cpu)
{
	struct sched_param param = { .sched_priority = 1 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return !sched_setaffinity(0, sizeof(one), &one) &&
	       !pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
}

struct hogs {
	pthread_t	thread[64];
	int		nr;		/* processors but the first */
	int		ready;
	bool		over;
};

static void *hogs_run(void *arg)
{
	struct hogs *hogs = arg;
	bool good = hog(__atomic_add_fetch(&hogs->nr, 1, __ATOMIC_ACQ_REL));

	__atomic_add_fetch(&hogs->ready, good, __ATOMIC_ACQ_REL);
	while (good && !__atomic_load_n(&hogs->over, __ATOMIC_ACQUIRE))
		;
	return NULL;
}

/*
 * The timer has struck and no worker gets a processor until the removal waits for
 * it: all processors are taken by threads of a higher class.
 */
TEST_F_TIMEOUT(unload, waits_for_the_work_of_a_deadline_that_has_not_begun, 300)
{
	int others = sysconf(_SC_NPROCESSORS_ONLN) - 1, fd[TREE], i;
	struct hogs hogs = {};
	struct ctx_info info;

	if (others > 64)
		SKIP(return, "too many processors to take them all");
	if (!access("/sys/kernel/realtime", F_OK))
		SKIP(return, "timers strike in a thread here, which would not run either");
	ASSERT_TRUE(tree_make(fd, self->dev, CTX_CREATE_DETACHED));
	close(self->dev);
	for (i = 0; i < others; i++)
		ASSERT_EQ(0, pthread_create(&hogs.thread[i], NULL, hogs_run, &hogs));
	while (__atomic_load_n(&hogs.ready, __ATOMIC_ACQUIRE) < others)
		usleep(1000);
	ASSERT_TRUE(hog(0));
	ASSERT_EQ(0, ctx_set_timeout(fd[0], 1));
	do {
		ASSERT_EQ(0, ctx_info(fd[0], &info));
	} while (!info.err);
	tree_close(fd);
	EXPECT_EQ(0, module_remove());
	__atomic_store_n(&hogs.over, true, __ATOMIC_RELEASE);
	for (i = 0; i < others; i++)
		ASSERT_EQ(0, ctx_thread_join(hogs.thread[i]));
	EXPECT_EQ(0, module_load(self->file));
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

TEST_F_TIMEOUT(unload, works_right_after_its_users_were_killed, 300)
{
	unsigned int i, k, n;
	pid_t pid[3];

	for (i = 0; i < rounds(8) && _metadata->passed; i++) {
		struct gate *gate = gate_new();
		int root = ctx_new(self->dev);

		ASSERT_TRUE(gate);
		for (k = 0; k < 3; k++) {
			pid[k] = ctx_fork();
			ASSERT_LE(0, pid[k]);
			if (pid[k])
				continue;
			for (n = 0; n < 60; n++)
				ctx_new_timeout(n % 2 ? root : self->dev, 10000 * n);
			__atomic_add_fetch(&gate->ready, 1, __ATOMIC_ACQ_REL);
			for (;;)
				ctx_cancel(ctx_new(self->dev), CAUSE, NULL);
		}
		EXPECT_TRUE(gate_open(gate, 3));
		close(root);
		close(self->dev);
		for (k = 0; k < 3; k++)
			kill(pid[k], SIGKILL);
		for (k = 0; k < 3; k++)
			EXPECT_EQ(128 + SIGKILL, race_reap(pid[k]));
		check_reload();
		gate_free(gate);
	}
}

/*
 * Under load: processes open, create, wait and close as fast as they can, with
 * moments between at which they have nothing, and put up with a device that
 * comes and goes. What has been opened works, or the removal was at fault.
 */
static bool is_gone(int error)
{
	return error == ENOENT || error == ENXIO || error == ENODEV;
}

static void use_for_a_while(__u32 *random)
{
	int dev = ctx_background(), fd[4], n;

	if (dev < 0) {
		if (!is_gone(errno))
			_exit(2);
		return;
	}
	for (n = 0; n < 4; n++) {
		fd[n] = ctx_new_timeout(n ? fd[n / 2] : dev, race_random(random) % 300000);
		if (fd[n] < 0)
			_exit(3);
	}
	close(dev);
	switch (race_random(random) % 4) {
	case 0:
		if (ctx_cancel(fd[1], CAUSE, "load") < 0)
			_exit(4);
		break;
	case 1:
		if (!(ctx_poll(fd[3], CTX_WAIT_MS) & POLLIN))
			_exit(5);
		break;
	}
	for (n = 0; n < 4; n++)
		close(fd[n]);
}

static void use_until_told(const struct gate *gate, __u32 random)
{
	while (!__atomic_load_n(&gate->go, __ATOMIC_ACQUIRE)) {
		use_for_a_while(&random);
		/* As long without descriptors as with them. */
		spin(race_random(&random) % 100000);
		sched_yield();
	}
	_exit(0);
}

TEST_F_TIMEOUT(unload, works_under_load, 300)
{
	unsigned int removals = rounds(40), removed = 0, k, tries = 0;
	struct gate *gate = gate_new();
	pid_t pid[3];

	ASSERT_TRUE(gate);
	close(self->dev);
	self->dev = -1;
	for (k = 0; k < 3; k++) {
		pid[k] = ctx_fork();
		ASSERT_LE(0, pid[k]);
		if (!pid[k])
			use_until_told(gate, k + 1);
	}
	while (removed < removals && _metadata->passed) {
		if (module_remove()) {
			ASSERT_EQ(EWOULDBLOCK, errno);
			/* It is used nearly always; but not by all without a pause. */
			ASSERT_GT(10000000, ++tries);
			sched_yield();
			continue;
		}
		removed++;
		ASSERT_EQ(0, module_load(self->file));
	}
	gate_open(gate, 0);
	for (k = 0; k < 3; k++)
		EXPECT_EQ(0, race_reap(pid[k]));
	gate_free(gate);
	check_reload();
}

/* A removal while a process opens the device: it gets it whole, or not at all. */
TEST_F_TIMEOUT(unload, against_opening_the_device, 300)
{
	__u32 random = 4181;
	unsigned int i;

	for (i = 0; i < rounds(40) && _metadata->passed; i++) {
		struct gate *gate = gate_new();
		pid_t pid;
		int ret;

		ASSERT_TRUE(gate);
		close(self->dev);
		pid = ctx_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			__u32 other = i + 1;
			int dev, fd;

			gate_pass(gate, &other);
			dev = ctx_background();
			if (dev < 0)
				_exit(is_gone(errno) ? 0 : 1);
			fd = ctx_new(dev);
			_exit(fd < 0 || ctx_cancel(fd, CAUSE, NULL) ? 2 : 0);
		}
		EXPECT_TRUE(gate_open(gate, 1));
		spin_randomly(&random);
		ret = module_remove();
		if (ret)
			EXPECT_EQ(EWOULDBLOCK, errno);
		EXPECT_EQ(0, race_reap(pid));
		if (ret)
			EXPECT_EQ(0, module_remove());
		EXPECT_EQ(0, module_load(self->file));
		self->dev = ctx_background();
		ASSERT_LE(0, self->dev);
		gate_free(gate);
	}
}

TEST_HARNESS_MAIN
