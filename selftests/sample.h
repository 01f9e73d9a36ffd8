/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sample module, which tests use to have a callback in the kernel.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <libgen.h>

#include "ctx_selftest.h"

/* As in samples/kmod/ctx_sample.h */
#define CTX_SAMPLE_SET_CTX	_IO(0xC7, 0x80)

/* NULL where the module is in, else why not */
static inline char *load_sample(void)
{
	static char why[300], path[256];
	const char *ctx = getenv("CTX_MODULE"), *sample = getenv("CTX_SAMPLE_MODULE");
	int fd;

	if (!access("/dev/ctx-sample", F_OK))
		return NULL;
	if (!ctx && !sample)
		return "neither CTX_SAMPLE_MODULE nor CTX_MODULE says where it is";
	if (sample) {
		snprintf(path, sizeof(path), "%s", sample);
	} else {
		snprintf(why, sizeof(why), "%s", ctx);
		snprintf(path, sizeof(path), "%s/ctx_sample.ko", dirname(why));
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0)) {
		snprintf(why, sizeof(why), "%s: %s", path, strerror(errno));
		close(fd);
		return why;
	}
	close(fd);
	return NULL;
}

static inline int unload_sample(void)
{
	return syscall(SYS_delete_module, "ctx_sample", O_NONBLOCK);
}

#endif /* SAMPLE_H */
