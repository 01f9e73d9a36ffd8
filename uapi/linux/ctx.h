/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Cancellation contexts: whether a piece of work should go on, until when.
 *
 * /dev/ctx stands for the background context, which is never cancelled.
 * CTX_IOC_CREATE on it gives the descriptor of a new root; on the descriptor
 * of a context, that of a child. A descriptor polls readable once its context
 * is cancelled, by CTX_IOC_CANCEL, by a deadline or by the end of whoever held
 * it writable, on the context itself or on any of its ancestors.
 *
 * Every call returns -1 with errno set where it fails, and has then changed
 * nothing. Errors that all of them share: EFAULT for a bad pointer, EINVAL for
 * an unknown flag or a reserved field that is not zero, E2BIG for a structure
 * with unknown bytes that are not zero, ENOTTY for a call that is not here.
 *
 * The structures may grow at their end. The kernel knows the caller's size
 * from the ioctl number and takes the bytes that are missing for zero.
 */
#ifndef _UAPI_LINUX_CTX_H
#define _UAPI_LINUX_CTX_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CTX_NAME_LEN	32	/* bytes of a name, its NUL among them */
#define CTX_MESSAGE_MAX	128	/* bytes of a message, which has no NUL */
#define CTX_VALUES_MAX	16	/* values of one context */
#define CTX_PARENTS_MAX	8	/* further parents of one context */

/* What a new descriptor is like: fd_flags of CTX_IOC_CREATE, CTX_IOC_WATCH. */
#define CTX_CLOEXEC	0x1	/* closed on exec */
#define CTX_NONBLOCK	0x2	/* read gives EAGAIN, does not wait */

/* What a new context is like: flags of CTX_IOC_CREATE. */
#define CTX_CREATE_TIMEOUT		0x1
#define CTX_CREATE_DETACHED		0x2
#define CTX_CREATE_WITHOUT_CANCEL	0x4

/**
 * struct ctx_create_args - argument of CTX_IOC_CREATE
 * @flags: CTX_CREATE_TIMEOUT: @deadline counts from now, and 0 is now;
 *	CTX_CREATE_DETACHED: the context outlives its last writable descriptor
 * @fd_flags: CTX_CLOEXEC, CTX_NONBLOCK
 * @deadline: when to cancel the context, in nanoseconds of @clockid as the
 *	caller's time namespace counts them; 0 for never
 * @clockid: CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME; a timeout on
 *	CLOCK_REALTIME does not notice that the clock is set
 * @nr_values: not used yet: 0
 * @values: not used yet: 0
 * @parents: not used yet: 0
 * @nr_parents: not used yet: 0
 * @reserved: 0
 * @name: text for people, NUL-terminated, may be empty
 *
 * The call returns a descriptor, open read-write. A child of a cancelled
 * context is created cancelled, as that was. A deadline that has passed
 * creates the context cancelled with ETIMEDOUT.
 *
 * Errors: EINVAL for a clock that is not one of the three, a deadline over
 * 2^63 - 1 ns or a name without its NUL; ELOOP for a depth over the module's
 * max_depth; EMFILE, ENFILE, ENOMEM.
 */
struct ctx_create_args {
	__u32	flags;
	__u32	fd_flags;
	__u64	deadline;
	__s32	clockid;
	__u32	nr_values;
	__u64	values;
	__u64	parents;
	__u32	nr_parents;
	__u32	reserved;
	char	name[CTX_NAME_LEN];
};

/**
 * struct ctx_cancel_args - argument of CTX_IOC_CANCEL
 * @cause: why, over 0: an errno or the application's own; 0 is ECANCELED
 * @message_len: bytes at @message, at most CTX_MESSAGE_MAX
 * @message: pointer to UTF-8 text for people; NULL where @message_len is 0
 *
 * The call returns 0 where it cancelled the context and 1 where that was
 * cancelled before; every waiter below has then been woken. It never fails for
 * want of memory: then the message alone is lost.
 *
 * Errors: EBADF where the descriptor is not writable; EINVAL for a cause under
 * 0 or a message that is too long.
 */
struct ctx_cancel_args {
	__s32	cause;
	__u32	message_len;
	__u64	message;
};

/**
 * struct ctx_deadline_args - argument of CTX_IOC_SET_DEADLINE
 * @deadline: as in struct ctx_create_args; 0 for none
 * @clockid: as in struct ctx_create_args
 * @flags: CTX_CREATE_TIMEOUT, or 0
 *
 * Replaces the context's own deadline, whether that makes it earlier or later.
 * One that has passed cancels the context. What it inherits stays.
 *
 * Errors: EBADF where the descriptor is not writable; ECANCELED where the
 * context is cancelled; EINVAL as CTX_IOC_CREATE; ENOMEM.
 */
struct ctx_deadline_args {
	__u64	deadline;
	__s32	clockid;
	__u32	flags;
};

/**
 * struct ctx_info - result of CTX_IOC_INFO
 * @id: over 0 and never used twice while the module is loaded; 0 for /dev/ctx
 * @parent_id: 0 for a root
 * @origin_id: the context whose cancellation reached this one; 0 while alive
 * @deadline: the earliest of its own and its ancestors', in nanoseconds of
 *	CLOCK_MONOTONIC; 0 for none
 * @cancelled_at: nanoseconds of CLOCK_MONOTONIC; 0 while alive
 * @err: 0, ECANCELED or ETIMEDOUT
 * @cause: of the origin; ETIMEDOUT for a deadline, EOWNERDEAD for a release
 * @flags: CTX_CREATE_* that the context was made with
 * @depth: 0 for a root
 * @nr_children: that exist and are not cancelled
 * @message_len: bytes at @message
 * @name: as it was created with
 * @message: of the cancellation; no NUL
 *
 * Clock values are those of the caller's time namespace.
 */
struct ctx_info {
	__u64	id;
	__u64	parent_id;
	__u64	origin_id;
	__u64	deadline;
	__u64	cancelled_at;
	__u32	err;
	__s32	cause;
	__u32	flags;
	__u32	depth;
	__u32	nr_children;
	__u32	message_len;
	char	name[CTX_NAME_LEN];
	char	message[CTX_MESSAGE_MAX];
};

/**
 * struct ctx_event - what read gives once the context is cancelled
 * @err: ECANCELED or ETIMEDOUT
 * @cause: as in struct ctx_info
 * @origin_id: as in struct ctx_info
 *
 * A read does not consume it. Errors: EAGAIN while the context is alive, where
 * the descriptor is non-blocking; EINVAL for a buffer that it does not fit in.
 */
struct ctx_event {
	__u32	err;
	__s32	cause;
	__u64	origin_id;
};

#define CTX_IOC_MAGIC		0xC7

/* A new root, where called on /dev/ctx, or a child; returns its descriptor. */
#define CTX_IOC_CREATE		_IOW(CTX_IOC_MAGIC, 0, struct ctx_create_args)
/* Cancels the context and all below it. */
#define CTX_IOC_CANCEL		_IOW(CTX_IOC_MAGIC, 1, struct ctx_cancel_args)
/*
 * Takes fd_flags; returns a read-only descriptor of the same context, which can
 * wait, read and be a parent, but never cancel or move the deadline.
 */
#define CTX_IOC_WATCH		_IOW(CTX_IOC_MAGIC, 2, __u32)
/* Replaces the context's own deadline. */
#define CTX_IOC_SET_DEADLINE	_IOW(CTX_IOC_MAGIC, 3, struct ctx_deadline_args)
/* Tells what the context is like now. */
#define CTX_IOC_INFO		_IOR(CTX_IOC_MAGIC, 4, struct ctx_info)

#endif /* _UAPI_LINUX_CTX_H */
