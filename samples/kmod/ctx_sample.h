/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _CTX_SAMPLE_H
#define _CTX_SAMPLE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Takes the descriptor of a context, by value: reads through this open file give
 * up once it is cancelled. EBUSY where the file has one already; EBADF, EINVAL
 * where it is none.
 */
#define CTX_SAMPLE_SET_CTX	_IO(0xC7, 0x80)

#endif /* _CTX_SAMPLE_H */
