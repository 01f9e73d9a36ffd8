// SPDX-License-Identifier: GPL-2.0-only
/*
 * Release: the end of the last writable open file description cancels the
 * context, in whatever way it comes, and nothing less does.
 */
#include "ctx_selftest.h"

/*
 * What the tests of exec run: this program again, which tells that it is there
 * by a byte to descriptor 1, and ends at the end of file of descriptor 0.
 */
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

/* The context was released: cancelled as its last writer went. */
#define check_released(watch, id) \
	check_cancelled((watch), ECANCELED, EOWNERDEAD, (id))

/* The same, where a process has yet to go. */
#define check_becomes_released(watch, id) \
	check_becomes_cancelled((watch), ECANCELED, EOWNERDEAD, (id))

/* Each test has a context and sees it through a watch descriptor. */
FIXTURE(release) {
	int dev;
	int fd;
	int watch;
	__u64 id;
};

FIXTURE_SETUP(release)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->fd = ctx_create(self->dev, &(struct ctx_create_args){
		.fd_flags = CTX_CLOEXEC,
	});
	ASSERT_LE(0, self->fd);
	self->watch = ctx_watch(self->fd, CTX_CLOEXEC);
	ASSERT_LE(0, self->watch);
	self->id = ctx_id(self->fd);
}

FIXTURE_TEARDOWN(release)
{
	close(self->watch);
	close(self->fd);
	close(self->dev);
}

TEST_F(release, close_of_the_last_writable_descriptor_cancels)
{
	check_alive(self->watch);
	close(self->fd);
	check_released(self->watch, self->id);
	check_info(self->watch, message_len, 0);
}

TEST_F(release, reaches_every_descendant)
{
	int child = ctx_new(self->fd), grandchild = ctx_new(child);
	int detached = ctx_new_detached(grandchild);

	close(self->fd);
	check_released(detached, self->id);
	check_released(grandchild, self->id);
	check_released(child, self->id);
	close(detached);
	close(grandchild);
	close(child);
}

TEST_F(release, of_a_child_leaves_the_parent_alone)
{
	int child = ctx_new(self->fd), sibling = ctx_new(self->fd);

	close(child);
	check_alive(self->fd);
	check_alive(sibling);
	check_info(self->fd, nr_children, 1);
	close(sibling);
}

TEST_F(release, wakes_those_who_wait_on_a_watch_descriptor)
{
	int child = ctx_new(self->fd), ep = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct ctx_reader here, below;

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->watch, &event));
	ASSERT_EQ(0, ctx_reader_start(&here, self->watch));
	ASSERT_EQ(0, ctx_reader_start(&below, child));
	close(self->fd);
	/* Woken when the call returns. */
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(0, ctx_reader_join(&here));
	ASSERT_EQ(0, ctx_reader_join(&below));
	EXPECT_EQ(EOWNERDEAD, here.event.cause);
	EXPECT_EQ(EOWNERDEAD, below.event.cause);
	EXPECT_EQ(self->id, below.event.origin_id);
	close(ep);
	close(child);
}

TEST_F(release, waits_for_the_last_duplicate)
{
	int copy = dup(self->fd), other = fcntl(self->fd, F_DUPFD, 100);

	close(self->fd);
	check_alive(self->watch);
	close(other);
	check_alive(self->watch);
	close(copy);
	check_released(self->watch, self->id);
}

TEST_F(release, comes_with_dup2_over_the_descriptor)
{
	EXPECT_EQ(self->fd, dup2(self->dev, self->fd));
	check_released(self->watch, self->id);
}

TEST_F(release, does_not_wait_for_watch_descriptors_and_children)
{
	int watch = ctx_watch(self->watch, 0), child = ctx_new(self->watch);

	check_alive(child);
	close(self->fd);
	check_released(watch, self->id);
	check_released(child, self->id);
	close(child);
	close(watch);
}

TEST_F(release, of_a_watch_descriptor_cancels_nothing)
{
	int watch = ctx_watch(self->fd, 0);

	close(watch);
	check_alive(self->fd);
	close(self->watch);
	check_alive(self->fd);
}

TEST_F(release, after_a_cancel_changes_nothing)
{
	struct ctx_info before, after;

	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, "why"));
	EXPECT_EQ(0, ctx_info(self->watch, &before));
	close(self->fd);
	EXPECT_EQ(0, ctx_info(self->watch, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	check_cancelled(self->watch, ECANCELED, EIO, self->id);
}

TEST_F(release, after_a_cancel_of_the_parent_changes_nothing)
{
	int child = ctx_new(self->fd), watch = ctx_watch(child, 0);

	EXPECT_EQ(0, ctx_cancel(self->fd, EIO, NULL));
	close(child);
	check_cancelled(watch, ECANCELED, EIO, self->id);
	close(watch);
}

TEST_F(release, after_a_deadline_changes_nothing)
{
	int fd = ctx_new_timeout(self->fd, 0), watch = ctx_watch(fd, 0);
	__u64 id = ctx_id(fd);

	close(fd);
	check_cancelled(watch, ETIMEDOUT, ETIMEDOUT, id);
	close(watch);
}

/* DETACHED. */

TEST_F(release, spares_a_detached_context)
{
	int fd = ctx_new_detached(self->fd), watch = ctx_watch(fd, 0);
	int child = ctx_new(fd);

	close(fd);
	check_alive(watch);
	check_alive(child);
	/* It is alive in every respect. */
	fd = ctx_new(watch);
	check_alive(fd);
	close(fd);
	close(child);
	close(watch);
}

TEST_F(release, of_the_parent_reaches_a_detached_context)
{
	int fd = ctx_new_detached(self->fd), watch = ctx_watch(fd, 0);

	close(fd);
	check_alive(watch);
	close(self->fd);
	check_released(watch, self->id);
	close(watch);
}

TEST_F(release, cancels_a_child_of_a_detached_context)
{
	int fd = ctx_new_detached(self->fd), child = ctx_new(fd);
	int watch = ctx_watch(child, 0);
	__u64 id = ctx_id(child);

	close(child);
	check_released(watch, id);
	check_alive(fd);
	close(watch);
	close(fd);
}

/* Processes. */

TEST_F(release, waits_for_a_forked_copy)
{
	int pipefd[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(pipefd));
	in_child(pid) {
		close(pipefd[1]);
		EXPECT_EQ(0, read(pipefd[0], &byte, 1));
		check_alive(self->watch);
	}
	close(self->fd);
	check_alive(self->watch);
	/* The child holds it until it comes to its end. */
	close(pipefd[1]);
	check_child(pid);
	check_becomes_released(self->watch, self->id);
	close(pipefd[0]);
}

TEST_F(release, does_not_come_with_a_copy_that_others_outlive)
{
	pid_t pid;

	in_child(pid)
		close(self->fd);
	check_child(pid);
	in_child(pid)
		check_alive(self->fd);
	check_child(pid);
	check_alive(self->watch);
}

/*
 * Starts a process that alone holds a new child of self->fd, detached where
 * @flags say so, and passes a watch descriptor of it.
 */
#define start_owner(pid, sock, watch, create_flags) ({			\
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, (sock)));	\
	in_child(pid) {							\
		int __fd = ctx_create(self->fd,				\
				      &(struct ctx_create_args){	\
					      .flags = (create_flags),	\
				      });				\
		char __byte;						\
									\
		close((sock)[0]);					\
		EXPECT_EQ(0, ctx_send_fd((sock)[1], ctx_watch(__fd, 0)));\
		EXPECT_EQ(0, read((sock)[1], &__byte, 1));		\
	}								\
	close((sock)[1]);						\
	(watch) = ctx_recv_fd((sock)[0]);				\
	ASSERT_LE(0, (watch));						\
	check_alive(watch);						\
})

TEST_F(release, comes_with_exit)
{
	int sock[2], watch;
	pid_t pid;

	start_owner(pid, sock, watch, 0);
	close(sock[0]);
	check_child(pid);
	check_becomes_released(watch, ctx_id(watch));
	check_alive(self->fd);
	close(watch);
}

TEST_F(release, comes_with_SIGKILL)
{
	int sock[2], watch, child, status;
	pid_t pid;

	start_owner(pid, sock, watch, 0);
	child = ctx_new(watch);
	check_alive(child);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	check_becomes_released(watch, ctx_id(watch));
	check_released(child, ctx_id(watch));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	close(child);
	close(watch);
	close(sock[0]);
}

TEST_F(release, of_a_process_spares_its_detached_context)
{
	int sock[2], watch, status;
	pid_t pid;

	start_owner(pid, sock, watch, CTX_CREATE_DETACHED);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	check_alive(watch);
	close(watch);
	close(sock[0]);
}

TEST_F(release, comes_with_SIGKILL_in_the_midst_of_a_read)
{
	int status;
	pid_t pid;

	in_child(pid) {
		struct ctx_event event;

		EXPECT_EQ(-1, read(self->fd, &event, sizeof(event)));
	}
	close(self->fd);
	EXPECT_EQ(0, ctx_wait_in_syscall(pid, pid, SYS_read));
	check_alive(self->watch);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	check_becomes_released(self->watch, self->id);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

static void *create_in_thread(void *arg)
{
	int *fd = arg;

	*fd = ctx_new(*fd);
	return NULL;
}

TEST_F(release, does_not_come_with_the_end_of_the_thread_that_created)
{
	int fd = self->fd;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, create_in_thread, &fd));
	ASSERT_EQ(0, ctx_thread_join(thread));
	ASSERT_LE(0, fd);
	check_alive(fd);
	close(fd);
}

/* Becomes this program anew, with pipes for descriptors 0 and 1. */
static void exec_again(int in, int out)
{
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	close(in);
	close(out);
	setenv(EXEC_ENV, "1", 1);
	execl("/proc/self/exe", "exec", NULL);
	_exit(1);
}

#define start_exec(pid, in, out) ({					\
	ASSERT_EQ(0, pipe2((in), O_CLOEXEC));				\
	ASSERT_EQ(0, pipe2((out), O_CLOEXEC));				\
	in_child(pid)							\
		exec_again((in)[0], (out)[1]);				\
	close((in)[0]);							\
	close((out)[1]);						\
})

TEST_F(release, comes_with_exec_where_it_closes_the_descriptor)
{
	int in[2], out[2];
	pid_t pid;
	char byte;

	start_exec(pid, in, out);
	close(self->fd);
	/* The new program is there, and waits. */
	EXPECT_EQ(1, read(out[0], &byte, 1));
	check_released(self->watch, self->id);
	close(in[1]);
	check_child(pid);
	close(out[0]);
}

TEST_F(release, does_not_come_with_exec_that_keeps_the_descriptor)
{
	int in[2], out[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, 0));
	start_exec(pid, in, out);
	close(self->fd);
	EXPECT_EQ(1, read(out[0], &byte, 1));
	check_alive(self->watch);
	close(in[1]);
	check_child(pid);
	check_becomes_released(self->watch, self->id);
	close(out[0]);
}

/* Descriptors in flight. */

TEST_F(release, waits_for_a_descriptor_in_flight)
{
	int sock[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, ctx_send_fd(sock[0], self->fd));
	close(self->fd);
	close(sock[0]);
	check_alive(self->watch);
	fd = ctx_recv_fd(sock[1]);
	ASSERT_LE(0, fd);
	close(sock[1]);
	check_alive(self->watch);
	EXPECT_EQ(self->id, ctx_id(fd));
	close(fd);
	check_released(self->watch, self->id);
}

TEST_F(release, comes_with_the_purge_of_a_socket)
{
	int sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, ctx_send_fd(sock[0], self->fd));
	close(self->fd);
	check_alive(self->watch);
	close(sock[0]);
	check_alive(self->watch);
	close(sock[1]);
	check_becomes_released(self->watch, self->id);
}

TEST_F(release, comes_with_SIGKILL_of_the_receiver_of_one_in_flight)
{
	int sock[2], hold[2], status;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, pipe(hold));
	in_child(pid) {
		close(self->fd);
		close(sock[0]);
		EXPECT_EQ(1, write(hold[1], "", 1));
		pause();
	}
	close(sock[1]);
	EXPECT_EQ(1, read(hold[0], &byte, 1));
	ASSERT_EQ(0, ctx_send_fd(sock[0], self->fd));
	close(self->fd);
	check_alive(self->watch);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	check_becomes_released(self->watch, self->id);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	close(sock[0]);
}

/* A socket that is in flight on itself is found by a garbage collector. */
TEST_F(release, comes_with_the_collection_of_a_socket_cycle)
{
	int sock[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, ctx_send_fd(sock[0], self->fd));
	ASSERT_EQ(0, ctx_send_fd(sock[0], sock[0]));
	ASSERT_EQ(0, ctx_send_fd(sock[0], sock[1]));
	close(self->fd);
	check_alive(self->watch);
	close(sock[0]);
	close(sock[1]);
	/* It starts with the end of any Unix socket. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	close(sock[0]);
	close(sock[1]);
	check_becomes_released(self->watch, self->id);
}

/* The module. */

static int delete_module(void)
{
	return syscall(SYS_delete_module, "ctx", O_NONBLOCK);
}

TEST_F(release, the_module_stays_while_a_descriptor_is_open)
{
	if (access("/sys/module/ctx/refcnt", F_OK))
		SKIP(return, "ctx is not a module");
	close(self->watch);
	close(self->fd);
	check_errno(EWOULDBLOCK, delete_module());
	self->fd = ctx_new_detached(self->dev);
	close(self->dev);
	check_errno(EWOULDBLOCK, delete_module());
	self->watch = ctx_watch(self->fd, 0);
	close(self->fd);
	check_errno(EWOULDBLOCK, delete_module());
	check_alive(self->watch);
}

TEST_HARNESS_MAIN
