// SPDX-License-Identifier: LGPL-2.1-or-later
/* The one descriptor of /dev/ctx. */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/*
 * Set once, from -1, and no lock guards it: a child that was forked by another
 * thread in the middle of a call finds it usable.
 */
static atomic_int background = -1;

/*
 * The number alone is no use to another thread: what counts is that its next
 * system call finds the file in the kernel's table. The kernel stored that
 * entry before open() returned, so the release orders it before the number,
 * and the acquire orders the number before that thread's own system call.
 *
 * Two threads may both open. One number gets in; the other thread closes its
 * own, which nobody has seen, and takes that one.
 */
int ctxfd_background(void)
{
	int fd = atomic_load_explicit(&background, memory_order_acquire);
	int seen = -1;

	if (fd >= 0)
		return fd;
	fd = open("/dev/ctx", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (atomic_compare_exchange_strong_explicit(&background, &seen, fd,
						    memory_order_acq_rel,
						    memory_order_acquire))
		return fd;
	close(fd);
	return seen;
}

bool ctxfd_is_the_kernels(int fd)
{
	struct statx stx;

	/* From what is known already: a server that is asked may not answer. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx))
		return false;
	/* An anonymous inode, as no file system has it, or a device. */
	return !(stx.stx_mode & S_IFMT) || S_ISCHR(stx.stx_mode);
}

bool ctxfd_failed(int ctx)
{
	if (ctx >= 0)
		return false;
	/* Nobody has set it: the -1 was kept from elsewhere. */
	if (!errno) {
		int state = ctxfd_hold_cancel();

		if (ctxfd_background() >= 0)
			errno = EBADF;
		ctxfd_release_cancel(state);
	}
	return true;
}

int ctxfd_ioctl(int fd, unsigned long request, const void *arg)
{
	return ctxfd_failed(fd) ? -1 : ioctl(fd, request, arg);
}
