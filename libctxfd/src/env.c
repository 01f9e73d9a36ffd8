// SPDX-License-Identifier: LGPL-2.1-or-later
/* Contexts over exec, in the manner of systemd's LISTEN_FDS. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#define VARIABLE	"CTX_FD"

int ctxfd_to_env(int ctx)
{
	char number[16];
	int flags;

	if (ctxfd_err(ctx) < 0)
		return -1;
	flags = fcntl(ctx, F_GETFD);
	if (flags < 0)
		return -1;
	snprintf(number, sizeof(number), "%d", ctx);
	/* The environment first: it alone may fail. */
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): as its page tells */
	if (setenv(VARIABLE, number, 1))
		return -1;
	return fcntl(ctx, F_SETFD, flags & ~FD_CLOEXEC);
}

/* 0 with the descriptor at @fd; -1 with EINVAL for text that is no number. */
static int to_fd(const char *text, int *fd)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	/* strtol takes blanks and signs, which no descriptor has. */
	if (*text < '0' || *text > '9' || *end || errno || n > INT_MAX) {
		errno = EINVAL;
		return -1;
	}
	*fd = (int)n;
	return 0;
}

int ctxfd_from_env(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else may setenv(), see its page */
	const char *text = getenv(VARIABLE);
	struct ctx_info info;
	int fd, flags;

	if (!text || !*text)
		return ctxfd_background();
	if (to_fd(text, &fd))
		return -1;
	/* Neither something else nor /dev/ctx, which has no id. */
	if (!ctxfd_is_the_kernels(fd) || ctxfd_info(fd, &info) || !info.id)
		return ctxfd_background();
	flags = fcntl(fd, F_GETFD);
	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC))
		return -1;
	return fd;
}
