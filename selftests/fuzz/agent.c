// SPDX-License-Identifier: GPL-2.0-only
/*
 * An agent: does one operation after the other, by the system calls that programs use.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "../uring.h"
#include "agent.h"
#include "apart.h"

int agent_map(void)
{
	return mmap(ARENA, sizeof(*ARENA), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		    FD_ARENA, 0) == ARENA ? 0 : -1;
}

/* Descriptors of the agent's own stand beyond what programs may have. */
void agent_limit(bool own)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = own ? FD_END + 128 : FDS_MAX;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int64_t now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Moves a descriptor, made with the agent's own limit, beyond those that programs may have. */
static int own_fd(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, FD_END);

	agent_limit(false);
	close(fd);
	return own;
}

static int64_t result(int64_t ret)
{
	return ret < 0 ? -errno : ret;
}

/* Puts a new descriptor into its slot. */
static int64_t keep(struct agent *agent, int64_t fd)
{
	int old = agent->fds[agent->op.out];

	if (fd < 0)
		return -errno;
	if (old >= 0)
		close(old);
	return fd;
}

static int64_t poll_now(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLRDNORM };

	return poll(&pfd, 1, 0) < 0 ? -errno : pfd.revents;
}

static void close_writable(const struct agent *agent)
{
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (agent->fds[slot] >= 0 &&
		    (fcntl(agent->fds[slot], F_GETFL) & O_ACCMODE) == O_RDWR)
			close(agent->fds[slot]);
}

/* The process becomes two, siblings; the new one is agent @op.index. */
static int64_t do_fork(struct agent *agent)
{
	unsigned int number = agent->op.index;
	unsigned long flags = CLONE_PARENT | SIGCHLD | (agent->op.cmd == SHARES ? CLONE_FILES : 0);
	pid_t pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

	if (!pid) {
		if (agent->op.cmd == WATCHES)
			close_writable(agent);
		apart_agent(number);
	}
	if (pid > 0)
		ARENA->agents[number].pid = pid;
	return pid < 0 ? -errno : 0;
}

/* Another program comes in this one's place, and does what is left of the operation. */
static int64_t do_exec(unsigned int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	execl("/proc/self/exe", "fuzz", "-A", text, NULL);
	return -errno;
}

/*
 * Over sockets
 */

union control {
	char		space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr	header;
};

int64_t send_fd(int socket, int fd)
{
	union control control = { };
	struct iovec byte = { .iov_base = "", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_DONTWAIT) < 0 ? -errno : 0;
}

int64_t receive_fd(int socket)
{
	union control control = { };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control.space),
	};
	int fd;

	if (recvmsg(socket, &message, MSG_DONTWAIT) < 0)
		return -1;
	if (!CMSG_FIRSTHDR(&message)) {
		errno = EMFILE;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* Has the kernel collect sockets: one that is in flight over itself goes. */
static void collect_sockets(void)
{
	int pair[2];

	agent_limit(true);
	if (!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) {
		send_fd(pair[0], pair[1]);
		close(pair[0]);
		close(pair[1]);
	}
	agent_limit(false);
}

/*
 * Waits until nobody has the other end of a pipe. A collection that others began may have come by
 * too early, and the kernel begins none by itself.
 */
static int64_t wait_for_end_of(int pipe)
{
	struct pollfd pfd = { .fd = pipe, .events = POLLIN };
	int tries = BOUND * 10;

	while (tries--) {
		if (poll(&pfd, 1, 100) == 1)
			return 0;
		collect_sockets();
	}
	return -EPROTO;
}

/*
 * In a cycle, which the kernel collects when it comes to it. Other descriptors go before and
 * after it, so that both are gone only when it is, whichever way round that is done.
 */
static int64_t purge_cycle(const int *pair, int fd)
{
	int first[2], last[2];
	int64_t ret;

	agent_limit(true);
	ret = pipe(first) || pipe(last) ? -errno : 0;
	agent_limit(false);
	if (ret)
		return ret;
	ret = send_fd(pair[0], first[1]) ?: send_fd(pair[0], fd) ?: send_fd(pair[0], pair[1]) ?:
	      send_fd(pair[0], last[1]);
	close(first[1]);
	close(last[1]);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	ret = ret ?: wait_for_end_of(first[0]) ?: wait_for_end_of(last[0]);
	close(first[0]);
	close(last[0]);
	return ret;
}

/* In flight over a socket that nobody can receive from any more; in a cycle, where @cycle. */
static int64_t do_purge(int fd, bool cycle)
{
	int pair[2];
	int64_t ret;

	agent_limit(true);
	ret = socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) ? -errno : 0;
	agent_limit(false);
	if (ret)
		return ret;
	if (cycle)
		return purge_cycle(pair, fd);
	ret = send_fd(pair[0], fd);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	return ret;
}

/*
 * Waiting: what it takes is made first, beyond the descriptors that programs may have.
 */

static int64_t by_read(struct agent *agent, int fd)
{
	const struct op *op = &agent->op;

	agent_set(agent, AGENT_WAITS);
	return read(fd, (void *)(uintptr_t)op->arg, sizeof(struct ctx_event)) ==
	       sizeof(struct ctx_event) ? 1 : -EPROTO;
}

static int64_t by_poll(struct agent *agent, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	agent_set(agent, AGENT_WAITS);
	return poll(&pfd, 1, -1) == 1 && pfd.revents == POLLIN ? 1 : -EPROTO;
}

static int64_t by_select(struct agent *agent, int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	agent_set(agent, AGENT_WAITS);
	return select(fd + 1, &set, NULL, NULL, NULL) == 1 && FD_ISSET(fd, &set) ? 1 : -EPROTO;
}

static int64_t by_epoll(struct agent *agent, int fd, uint32_t flags)
{
	struct epoll_event event = { .events = EPOLLIN | flags, .data.fd = fd }, got = { };
	int epoll, n = -1;

	agent_limit(true);
	epoll = own_fd(epoll_create1(EPOLL_CLOEXEC));
	agent_set(agent, AGENT_WAITS);
	if (!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		n = epoll_wait(epoll, &got, 1, -1);
	/* Level-triggered it is still there, and else not. */
	if (n == 1 && epoll_wait(epoll, &got, 1, 0) != !(flags & (EPOLLET | EPOLLONESHOT)))
		n = -1;
	close(epoll);
	return n == 1 && got.data.fd == fd ? 1 : -EPROTO;
}

static int64_t by_uring(struct agent *agent, int fd)
{
	const struct op *op = &agent->op;
	struct io_uring_cqe cqe = { };
	struct uring ring = { };
	int64_t ret;

	agent_limit(true);
	ret = uring_open(&ring, 4) ? -errno : 0;
	ring.fd = own_fd(ring.fd);
	if (ret)
		return ret;
	agent_set(agent, AGENT_WAITS);
	if (op->cmd == BY_URING_READ)
		ret = uring_read(&ring, fd, (void *)(uintptr_t)op->arg, sizeof(struct ctx_event), 0);
	else
		ret = uring_poll(&ring, fd, 0, 0);
	if (ret != 1 || !uring_complete(&ring, &cqe, INT_MAX))
		ret = -EPROTO;
	else if (op->cmd == BY_URING_READ)
		ret = cqe.res == sizeof(struct ctx_event) ? 1 : cqe.res;
	else
		ret = cqe.res & POLLIN ? 1 : -EPROTO;
	uring_close(&ring);
	return ret;
}

static int64_t by_signal(struct agent *agent, int fd, pid_t owner)
{
	int flags = fcntl(fd, F_GETFL);
	siginfo_t info = { };
	sigset_t set;
	int64_t ret;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Somebody who was killed meanwhile may have left it on. */
	fcntl(fd, F_SETFL, flags & ~O_ASYNC);
	if (fcntl(fd, F_SETOWN, owner) || fcntl(fd, F_SETSIG, SIGRTMIN) ||
	    fcntl(fd, F_SETFL, flags | O_ASYNC))
		return -errno;
	agent_set(agent, AGENT_WAITS);
	ret = sigwaitinfo(&set, &info);
	fcntl(fd, F_SETFL, flags & ~O_ASYNC);
	return ret == SIGRTMIN && info.si_fd == fd && info.si_code == POLL_IN ? 1 : -EPROTO;
}

static int64_t do_block(struct agent *agent, int fd)
{
	switch (agent->op.cmd) {
	case BY_READ:
		return by_read(agent, fd);
	case BY_POLL:
		return by_poll(agent, fd);
	case BY_SELECT:
		return by_select(agent, fd);
	case BY_EPOLL:
		return by_epoll(agent, fd, 0);
	case BY_EPOLL_ET:
		return by_epoll(agent, fd, EPOLLET);
	case BY_EPOLL_ONESHOT:
		return by_epoll(agent, fd, EPOLLONESHOT);
	case BY_EPOLL_EXCLUSIVE:
		return by_epoll(agent, fd, EPOLLEXCLUSIVE);
	case BY_SIGNAL:
		return by_signal(agent, fd, getpid());
	case BY_GROUP_SIGNAL:
		return by_signal(agent, fd, -getpid());
	default:
		return by_uring(agent, fd);
	}
}

/* As BATCH_ASKED has it. */
static int64_t do_asked(struct agent *agent, int fd)
{
	const struct op *op = &agent->op;
	struct ctx_info info;
	uint64_t value;
	int64_t ret;

	if (ioctl(agent->fds[BATCH_ASKED_SLOT(op->index)], CTX_IOC_INFO, &info))
		return -errno;
	memcpy(&value, (char *)&info + BATCH_ASKED_AT(op->index), sizeof(value));
	if (op->kind == OP_LIST)
		value--;
	memcpy((void *)(uintptr_t)op->arg, &value, sizeof(value));
	ret = ioctl(fd, op->cmd, op->arg);
	return op->out < 0 ? result(ret) : keep(agent, ret);
}

/* A deadline that is about to come, and its coming */
static int64_t do_expire(struct agent *agent, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (ioctl(fd, agent->op.cmd, agent->op.arg))
		return -errno;
	agent->span.to = now();
	return poll(&pfd, 1, BOUND * 1000) == 1 ? 0 : -EPROTO;
}

#define ASYNC_TRIES	70

static bool set_async(int fd, bool on)
{
	return !fcntl(fd, F_SETFL, on ? O_ASYNC : 0);
}

/* Returns how many of @fds, which are many, can be signalled. */
static int64_t count_async(const int *fds)
{
	int64_t n = 0;
	int copy;

	while (n < ASYNC_TRIES && set_async(fds[n], true))
		n++;
	if (n == ASYNC_TRIES || errno != ENOSPC)
		return -EPROTO;
	if (!n)
		return 0;
	/* A copy is not one more, and where one goes there is room for one. */
	copy = dup(fds[0]);
	if (!set_async(copy, true) || set_async(fds[n], true) || !set_async(copy, false) ||
	    !set_async(fds[n], true) || set_async(copy, true))
		n = -EPROTO;
	close(copy);
	return n;
}

static int64_t do_async(int fd)
{
	int fds[ASYNC_TRIES], n;
	uint32_t fd_flags = 0;
	int64_t ret;

	agent_limit(true);
	for (n = 0; n < ASYNC_TRIES; n++) {
		fds[n] = ioctl(fd, CTX_IOC_WATCH, &fd_flags);
		if (fds[n] < 0)
			break;
	}
	ret = n == ASYNC_TRIES ? count_async(fds) : -errno;
	while (n--)
		close(fds[n]);
	agent_limit(false);
	return ret;
}

static int64_t do_on_slot(struct agent *agent, int fd)
{
	const struct op *op = &agent->op;
	int64_t ret;

	switch (op->kind) {
	case OP_IOCTL:
		ret = ioctl(fd, op->cmd, op->arg);
		return op->out < 0 ? result(ret) : keep(agent, ret);
	case OP_CLOSE:
		return result(close(fd));
	case OP_DUP:
		return keep(agent, dup(fd));
	case OP_POLL:
		return poll_now(fd);
	case OP_READ:
		return result(read(fd, (void *)(uintptr_t)op->arg, op->cmd));
	case OP_SEND:
		return send_fd(FD_QUEUES + 2 * op->index, fd);
	case OP_PURGE:
		return do_purge(fd, op->cmd);
	case OP_BLOCK:
		return do_block(agent, fd);
	case OP_OPEN:
	case OP_LIST:
		return do_asked(agent, fd);
	case OP_EXPIRE:
		return do_expire(agent, fd);
	case OP_ASYNC:
		return do_async(fd);
	default:
		return -EPROTO;
	}
}

static int64_t do_op(struct agent *agent, unsigned int number)
{
	int fd = agent->fds[agent->op.slot];

	switch (agent->op.kind) {
	case OP_FORK:
		return do_fork(agent);
	case OP_EXEC:
		return do_exec(number);
	case OP_RECEIVE:
		return keep(agent, receive_fd(FD_QUEUES + 2 * agent->op.index + 1));
	default:
		return fd < 0 ? -EBADF : do_on_slot(agent, fd);
	}
}

static void look(struct agent *agent)
{
	unsigned int slot;

	agent->info_ret = result(ioctl(agent->fds[agent->op.look], CTX_IOC_INFO, &agent->info));
	agent->readable = 0;
	for (slot = 0; slot < SLOTS; slot++)
		if (agent->fds[slot] >= 0 && poll_now(agent->fds[slot]) == (POLLIN | POLLRDNORM))
			agent->readable |= (uint64_t)1 << slot;
}

void apart_agent(unsigned int number)
{
	struct agent *agent = &ARENA->agents[number];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A group of its own, to be signalled. */
	setpgid(0, 0);
	agent_set(agent, AGENT_IDLE);
	for (;;) {
		if (agent_wait(agent, AGENT_IDLE))
			continue;
		if (agent->looks) {
			look(agent);
		} else {
			agent->span = (struct span) { now(), 0 };
			agent->ret = do_op(agent, number);
			agent->span.to = now();
		}
		agent_set(agent, AGENT_IDLE);
	}
}
