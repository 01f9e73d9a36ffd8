// SPDX-License-Identifier: GPL-2.0-only
/*
 * CTX_CREATE_OWNED: a context that ends with the process that made it, whoever else
 * holds a descriptor of it.
 */
#include "ctx_features.h"
#include <sched.h>
#include <stdbool.h>

/* What the tests of exec run: this program again, which ends at the end of descriptor 0. */
#define EXEC_ENV "CTX_SELFTEST_EXEC"

static void __attribute__((constructor)) exec_main(void)
{
	char byte;

	if (!getenv(EXEC_ENV))
		return;
	if (write(STDOUT_FILENO, "", 1) != 1)
		_exit(1);
	_exit(read(STDIN_FILENO, &byte, 1) ? 1 : 0);
}

static int new_owned(int parent, __u32 fd_flags)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_OWNED,
		.fd_flags = fd_flags,
	});
}

#define check_ended(watch, id) \
	check_cancelled((watch), ECANCELED, EOWNERDEAD, (id))

#define check_ends(watch, id) \
	check_becomes_cancelled((watch), ECANCELED, EOWNERDEAD, (id))

/* Each test has a context of its own, and sees it through a watch descriptor. */
FIXTURE(owned) {
	int dev;
	int fd;
	int watch;
	__u64 id;
};

FIXTURE_SETUP(owned)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->fd = new_owned(self->dev, CTX_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->watch = ctx_watch(self->fd, CTX_CLOEXEC);
	ASSERT_LE(0, self->watch);
	self->id = ctx_id(self->fd);
}

FIXTURE_TEARDOWN(owned)
{
	close(self->watch);
	close(self->fd);
	close(self->dev);
}

/* A child of this process that holds what it inherited, until it is let go of. */
static pid_t start_holder(int *go)
{
	int p[2];
	char byte;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC))
		return -1;
	pid = ctx_fork();
	if (!pid) {
		close(p[1]);
		(void)!read(p[0], &byte, 1);
		_exit(0);
	}
	close(p[0]);
	*go = p[1];
	return pid;
}

static void stop_holder(pid_t pid, int go)
{
	close(go);
	waitpid(pid, NULL, 0);
}

TEST_F(owned, is_told_by_info)
{
	check_info(self->fd, flags, CTX_CREATE_OWNED);
	check_info(self->watch, flags, CTX_CREATE_OWNED);
}

TEST_F(owned, cannot_be_detached_as_well)
{
	check_refused(self->dev, EINVAL, ctx_create(self->dev, &(struct ctx_create_args){
		.flags = CTX_CREATE_OWNED | CTX_CREATE_DETACHED,
	}));
}

TEST_F(owned, close_ends_it_though_a_child_process_holds_it)
{
	int go;
	pid_t holder = start_holder(&go);

	close(self->fd);
	check_ended(self->watch, self->id);
	stop_holder(holder, go);
}

TEST_F(owned, close_ends_all_below_it)
{
	int child = ctx_new(self->fd), grandchild = ctx_new(child);
	int copy = dup(self->watch);

	close(self->fd);
	check_ended(grandchild, self->id);
	check_ended(child, self->id);
	close(copy);
	close(grandchild);
	close(child);
}

TEST_F(owned, close_wakes_those_who_wait)
{
	struct ctx_reader reader;
	int go;
	pid_t holder = start_holder(&go);

	ASSERT_EQ(0, ctx_reader_start(&reader, self->watch));
	close(self->fd);
	ASSERT_EQ(0, ctx_reader_join(&reader));
	EXPECT_EQ(EOWNERDEAD, reader.event.cause);
	stop_holder(holder, go);
}

TEST_F(owned, close_of_one_duplicate_of_two_ends_it)
{
	int copy = dup(self->fd);

	close(copy);
	check_ended(self->watch, self->id);
}

TEST_F(owned, dup2_over_it_ends_it)
{
	int go;
	pid_t holder = start_holder(&go);

	ASSERT_EQ(self->fd, dup2(self->dev, self->fd));
	check_ended(self->watch, self->id);
	stop_holder(holder, go);
}

TEST_F(owned, close_of_a_read_only_descriptor_does_not_end_it)
{
	close(ctx_watch(self->fd, 0));
	close(dup(self->watch));
	check_alive(self->watch);
}

TEST_F(owned, close_of_one_by_id_does_not_end_it)
{
	int fd = ioctl(self->dev, CTX_IOC_OPEN, &(struct ctx_open_args){
		.id = self->id, .flags = CTX_OPEN_CONTROL,
	});

	ASSERT_LE(0, fd);
	close(fd);
	check_alive(self->watch);
}

TEST_F(owned, another_process_may_close_its_own)
{
	pid_t pid;

	in_child(pid) {
		close(dup(self->fd));
		close(self->fd);
		check_alive(self->watch);
	}
	check_child(pid);
	check_alive(self->watch);
}

TEST_F(owned, another_process_may_end)
{
	int go;
	pid_t holder = start_holder(&go);

	stop_holder(holder, go);
	check_alive(self->watch);
}

TEST_F(owned, the_end_of_a_thread_does_not_end_it)
{
	struct ctx_reader reader;
	int child = ctx_new(self->dev);

	ASSERT_EQ(0, ctx_reader_start(&reader, child));
	EXPECT_EQ(0, ctx_cancel(child, 0, NULL));
	ASSERT_EQ(0, ctx_reader_join(&reader));
	check_alive(self->watch);
	close(child);
}

static void *close_it(void *fd)
{
	close(*(int *)fd);
	return NULL;
}

TEST_F(owned, close_by_another_thread_ends_it)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, close_it, &self->fd));
	ASSERT_EQ(0, ctx_thread_join(thread));
	check_ended(self->watch, self->id);
}

/*
 * A process that makes a context of its own, whose child holds it, too, and then ends as
 * @end has it. The watch descriptor comes over @pair.
 */
static pid_t start_owner(int dev, const int pair[2], void (*end)(int fd))
{
	pid_t pid = ctx_fork();
	int fd, go[2];
	char byte;

	if (pid)
		return pid;
	fd = new_owned(dev, CTX_CLOEXEC);
	if (pipe2(go, O_CLOEXEC))
		_exit(1);
	if (!fork()) {
		/* Holds it until the test's end of the socket is closed. */
		close(pair[0]);
		(void)!read(pair[1], &byte, 1);
		_exit(0);
	}
	if (ctx_send_fd(pair[1], ctx_watch(fd, CTX_CLOEXEC)))
		_exit(1);
	end(fd);
	_exit(0);
}

static void end_by_exit(int fd)
{
	(void)fd;
	_exit(0);
}

static void end_by_kill(int fd)
{
	(void)fd;
	kill(getpid(), SIGKILL);
}

static void end_by_exec(int fd)
{
	char *const argv[] = { "owned", NULL }, *const env[] = { EXEC_ENV "=1", NULL };
	int p[2];

	(void)fd;
	if (pipe2(p, O_CLOEXEC) || dup2(p[1], 1) < 0 || dup2(open("/dev/null", O_RDONLY), 0) < 0)
		_exit(1);
	execve("/proc/self/exe", argv, env);
	_exit(1);
}

static void *kill_all(void *arg)
{
	(void)arg;
	kill(getpid(), SIGKILL);
	return NULL;
}

static void end_by_kill_with_threads(int fd)
{
	pthread_t thread;

	(void)fd;
	pthread_create(&thread, NULL, kill_all, NULL);
	pause();
}

static void end_of_the_first_thread(int fd)
{
	pthread_t thread;

	(void)fd;
	if (pthread_create(&thread, NULL, kill_all, NULL))
		_exit(1);
	syscall(SYS_exit, 0);
}

FIXTURE(owner) {
	int dev;
};

FIXTURE_SETUP(owner)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(owner)
{
	close(self->dev);
}

FIXTURE_VARIANT(owner) {
	void (*end)(int fd);
};

FIXTURE_VARIANT_ADD(owner, exit) { .end = end_by_exit };
FIXTURE_VARIANT_ADD(owner, kill) { .end = end_by_kill };
FIXTURE_VARIANT_ADD(owner, exec) { .end = end_by_exec };
FIXTURE_VARIANT_ADD(owner, kill_with_threads) { .end = end_by_kill_with_threads };
FIXTURE_VARIANT_ADD(owner, first_thread) { .end = end_of_the_first_thread };

TEST_F(owner, its_end_is_the_contexts_though_a_child_holds_that)
{
	int pair[2], watch;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = start_owner(self->dev, pair, variant->end);
	close(pair[1]);
	watch = ctx_recv_fd(pair[0]);
	ASSERT_LE(0, watch);
	check_ends(watch, ctx_id(watch));
	close(watch);
	close(pair[0]);
	waitpid(pid, NULL, 0);
}

TEST_F(owned, exec_without_CLOEXEC_keeps_it)
{
	char *const argv[] = { "owned", NULL }, *const env[] = { EXEC_ENV "=1", NULL };
	int in[2], out[2], pair[2], watch;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = ctx_fork();
	if (!pid) {
		ctx_send_fd(pair[1], ctx_watch(new_owned(self->dev, 0), CTX_CLOEXEC));
		dup2(in[0], 0);
		dup2(out[1], 1);
		execve("/proc/self/exe", argv, env);
		_exit(1);
	}
	close(in[0]);
	close(out[1]);
	watch = ctx_recv_fd(pair[0]);
	ASSERT_EQ(1, read(out[0], &byte, 1));
	check_alive(watch);
	/* The same process, by pid, ends. */
	close(in[1]);
	check_child(pid);
	check_ended(watch, ctx_id(watch));
	close(watch);
	close(out[0]);
	close(pair[0]);
	close(pair[1]);
}

/* The maker gave it away, and the last that holds it ends it as any. */
TEST_F(owned, the_last_writable_descriptor_ends_it_as_well)
{
	int pair[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	in_child(pid) {
		int fd = new_owned(self->dev, CTX_CLOEXEC);

		ASSERT_EQ(0, ctx_send_fd(pair[1], fd));
		close(fd);
		fd = ctx_recv_fd(pair[0]);
		check_ended(fd, ctx_id(fd));
	}
	check_child(pid);
	close(pair[0]);
	close(pair[1]);
}

/* Close, exit, exec and fork race with whoever looks: what is to end ends, and nothing else. */

#define RACES	60	/* of forks, and a third as many processes that end */

struct forker {
	bool stop;
	unsigned int forked;
};

/* Children that inherit whatever there is, and hold it for a moment. */
static void *keep_forking(void *arg)
{
	struct forker *forker = arg;
	pid_t pid;

	while (!__atomic_load_n(&forker->stop, __ATOMIC_RELAXED)) {
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid > 0) {
			waitpid(pid, NULL, 0);
			__atomic_add_fetch(&forker->forked, 1, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(owned, close_races_with_fork, 120)
{
	struct forker forker = {};
	pthread_t thread;
	int fd, watch;

	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_forking, &forker));
	while (__atomic_load_n(&forker.forked, __ATOMIC_RELAXED) < RACES) {
		fd = new_owned(self->dev, CTX_CLOEXEC);
		watch = ctx_watch(fd, CTX_CLOEXEC);
		sched_yield();
		check_alive(watch);
		close(fd);
		check_ended(watch, ctx_id(watch));
		close(watch);
	}
	__atomic_store_n(&forker.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, ctx_thread_join(thread));
}

TEST_F_TIMEOUT(owner, its_end_races_with_close_by_a_child, 120)
{
	int pair[2], watch, i;
	pid_t pid;

	for (i = 0; i < RACES / 3; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
		pid = start_owner(self->dev, pair, variant->end);
		close(pair[1]);
		watch = ctx_recv_fd(pair[0]);
		ASSERT_LE(0, watch);
		/* Lets the child go, which then closes, too. */
		close(pair[0]);
		check_ends(watch, ctx_id(watch));
		close(watch);
		waitpid(pid, NULL, 0);
	}
}

TEST_HARNESS_MAIN
