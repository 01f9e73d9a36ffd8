// SPDX-License-Identifier: LGPL-2.1-or-later
/* A worker of the pool: counts the bytes of one file after the other, each under its context */
#include <ctxfd.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/job.h"

#define SLICE	65536	/* bytes between two looks at the context */

/* ctxfd_read() ends where a pipe has nothing, the loop where a file does not end. */
static int count(int ctx, const struct ctx_status *status, int fd, struct counts *counts)
{
	static unsigned char slice[SLICE];
	ssize_t n;

	while (!ctxfd_cancelled(status)) {
		n = ctxfd_read(ctx, fd, slice, sizeof(slice));
		if (n <= 0)
			return n ? errno : 0;
		for (ssize_t i = 0; i < n; i++)
			counts->of[slice[i]]++;
		__atomic_store_n(&counts->bytes, counts->bytes + (uint64_t)n, __ATOMIC_RELAXED);
	}
	return (int)status->err;
}

/* Returns 0, or what went wrong. */
static int run(int ctx, const char *path, struct counts *counts)
{
	const struct ctx_status *status = ctxfd_map(ctx);
	int fd, error;

	if (!status)
		return errno;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	error = fd < 0 ? errno : count(ctx, status, fd, counts);
	if (fd >= 0)
		close(fd);
	ctxfd_unmap(status);
	return error;
}

/* Receives a job, whose context has come already, and does it. Returns 0, or -1 at the end. */
static int serve(int self, int ctx, struct counts *buffers, size_t nr)
{
	static struct job job;
	ssize_t len = ctxfd_recv(self, STDIN_FILENO, &job, sizeof(job), 0);
	int error;

	if (len <= (ssize_t)JOB_SIZE(0) || job.buffer >= nr)
		return -1;
	((char *)&job)[len - 1] = '\0';
	error = run(ctx, job.path, &buffers[job.buffer]);
	return send(STDIN_FILENO, &error, sizeof(error), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int main(void)
{
	struct pollfd jobs = { .fd = STDIN_FILENO, .events = POLLIN };
	int self = ctxfd_from_env(), ctx, ret = 0;
	struct counts *buffers;
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) || !S_ISREG(st.st_mode))
		errx(2, "the program count starts it");
	buffers = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       STDOUT_FILENO, 0);
	/* Ctrl-C is for the pool. */
	if (buffers == MAP_FAILED || signal(SIGINT, SIG_IGN) == SIG_ERR)
		err(1, "worker");
	while (!ret && ctxfd_poll(self, &jobs, 1, NULL) == 1) {
		ctx = ctxfd_recv_fd(STDIN_FILENO);
		if (ctx < 0)
			break;
		ret = serve(self, ctx, buffers, (size_t)st.st_size / sizeof(*buffers));
		close(ctx);
	}
	return 0;
}
