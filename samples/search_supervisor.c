// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The supervisor of the search: creates the context of the whole, starts a
 * worker for each part, hands each a context of its own, and sees them end.
 *
 * Only the supervisor holds the context writable. Its workers are exec'ed, and
 * every descriptor of the library is close-on-exec, so that none takes it along;
 * what they are sent is read-only. That is why its death cancels the search.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "search.h"

/* How long a search may take, and how long it still may after the order. */
static const struct timespec an_hour = { .tv_sec = 3600 };
static const struct timespec a_moment = { .tv_nsec = 20000000 };

/* The context of the whole search, with the hour that it has. */
static int create_root(const struct job *job)
{
	struct report report = { .kind = REPORT_ROOT, .pid = getpid() };
	struct ctx_info info;
	int root;

	root = ctxfd_with_timeout(ctxfd_background(), &an_hour);
	if (root < 0 || ctxfd_info(root, &info))
		err(1, "supervisor: context");
	report.why.origin_id = info.id;
	send_report(job->reports, &report);
	return root;
}

/*
 * A watch descriptor of a new child of @root. The child is detached: it ends
 * with the search, not with the writable descriptor that is closed here.
 */
static int create_child(int root, unsigned int worker)
{
	struct ctx_create_args args = { .flags = CTX_CREATE_DETACHED };
	int child, watch;

	snprintf(args.name, sizeof(args.name), "worker %u", worker + 1);
	child = ctxfd_create(root, &args);
	if (child < 0)
		err(1, "supervisor: ctxfd_create");
	watch = ctxfd_watch(child);
	if (watch < 0)
		err(1, "supervisor: ctxfd_watch");
	close(child);
	return watch;
}

/* The paths of @part, NUL-terminated, in a file without a name. */
static int list_of(const struct files *part)
{
	int fd = memfd_create("part", MFD_CLOEXEC);
	FILE *list;

	if (fd < 0)
		err(1, "supervisor: memfd_create");
	list = fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 0), "w");
	if (!list)
		err(1, "supervisor: part");
	for (size_t i = 0; i < part->n; i++)
		fwrite(part->path[i], 1, strlen(part->path[i]) + 1, list);
	if (ferror(list) || fclose(list) || lseek(fd, 0, SEEK_SET))
		err(1, "supervisor: part");
	return fd;
}

/* Gives @fd the number @to, for the program that is exec'ed next. */
static void place(int fd, int to)
{
	if (fd == to ? fcntl(fd, F_SETFD, 0) : dup2(fd, to) < 0)
		err(1, "worker: descriptors");
}

static void exec_worker(const struct job *job, unsigned int worker, int list, int sock)
{
	char number[12];

	/* None is in the way of another: no descriptor that comes in is under 3. */
	place(list, STDIN_FILENO);
	place(job->reports, STDOUT_FILENO);
	place(sock, WORKER_SOCKET);
	snprintf(number, sizeof(number), "%u", worker);
	execl("/proc/self/exe", "search", "--worker", number, job->string, NULL);
	err(1, "worker: exec of /proc/self/exe");
}

/* Returns this end of the worker's socket. */
static int start_worker(const struct job *job, unsigned int worker, const struct files *part)
{
	int list = list_of(part);
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		err(1, "supervisor: socketpair");
	switch (fork()) {
	case -1:
		err(1, "supervisor: fork");
	case 0:
		exec_worker(job, worker, list, sock[1]);
	}
	close(list);
	close(sock[1]);
	return sock[0];
}

static void set_to_work(const struct job *job, int root, unsigned int worker)
{
	struct files part = part_of(&job->files, worker);
	size_t quota = job->strike == STRIKE_NONE ? part.n + 1 : QUOTA(part.n);
	int sock = start_worker(job, worker, &part);
	int watch = create_child(root, worker);

	if (ctxfd_send_fd(sock, watch))
		err(1, "supervisor: ctxfd_send_fd");
	close(watch);
	if (send(sock, &quota, sizeof(quota), MSG_NOSIGNAL) < 0)
		err(1, "supervisor: send");
	/* @sock stays open: the worker may hear more over it. */
}

/*
 * Waits for what makes an end. The driver sends an order where that is to be a
 * timeout; where it is to be a SIGKILL, nothing comes before that. Should the
 * driver be gone, the supervisor goes too, and the search with it.
 */
static void await_strike(const struct job *job, int root)
{
	char order;

	if (read(job->orders, &order, 1) != 1)
		errx(1, "supervisor: the driver is gone");
	if (ctxfd_set_timeout(root, &a_moment))
		err(1, "supervisor: ctxfd_set_timeout");
}

static int reap_workers(void)
{
	int status, failed = 0;

	for (;;) {
		if (wait(&status) > 0)
			failed |= status;
		else if (errno == ECHILD)
			return failed ? 1 : 0;
		else if (errno != EINTR)
			err(1, "supervisor: wait");
	}
}

int supervise(const struct job *job)
{
	int root = create_root(job);

	for (unsigned int i = 0; i < WORKERS; i++)
		set_to_work(job, root, i);
	if (job->strike != STRIKE_NONE)
		await_strike(job, root);
	return reap_workers();
}
