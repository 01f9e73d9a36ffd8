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
 * from the ioctl number and takes the bytes that are missing for zero. A size
 * under that of the first version gives EINVAL.
 *
 * Each user, by the real uid, may have as many contexts as the module's
 * max_user_contexts says. One that takes more memory than most counts as several:
 * more than 192 bytes of values, or of edges to further parents, and the status
 * page, as one more for each 640 bytes. All count until the context is gone.
 * CAP_SYS_RESOURCE in the initial user namespace is exempt.
 */
#ifndef _UAPI_LINUX_CTX_H
#define _UAPI_LINUX_CTX_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CTX_NAME_LEN	32	/* bytes of a name, its NUL among them */
#define CTX_MESSAGE_MAX	128	/* bytes of a message, which has no NUL */
#define CTX_VALUES_MAX	16	/* values of one context */
#define CTX_KEY_MAX	63	/* bytes of a value's key, without its NUL */
#define CTX_VALUE_MAX	4096	/* bytes of a value */
#define CTX_PARENTS_MAX	8	/* further parents of one context */

/* What a new descriptor is like: fd_flags of CTX_IOC_CREATE, CTX_IOC_WATCH, CTX_IOC_OPEN. */
#define CTX_CLOEXEC	0x1	/* closed on exec */
#define CTX_NONBLOCK	0x2	/* read gives EAGAIN, does not wait */
#define CTX_WATCH_ONLY	0x4	/* fit for strangers; CTX_IOC_WATCH alone */

/* What a new context is like: flags of CTX_IOC_CREATE. */
#define CTX_CREATE_TIMEOUT		0x1
#define CTX_CREATE_DETACHED		0x2
#define CTX_CREATE_WITHOUT_CANCEL	0x4
#define CTX_CREATE_OWNED		0x8

/* What a descriptor by id may do: flags of CTX_IOC_OPEN. */
#define CTX_OPEN_CONTROL	0x1	/* cancel, and move the deadline */

/**
 * struct ctx_create_args - argument of CTX_IOC_CREATE
 * @flags: CTX_CREATE_TIMEOUT: @deadline counts from now, and 0 is now;
 *	CTX_CREATE_DETACHED: the context outlives its last writable descriptor;
 *	CTX_CREATE_WITHOUT_CANCEL: it takes its parent's values, but neither its
 *	cancellation nor its deadline;
 *	CTX_CREATE_OWNED: it is the process's that makes it, and is cancelled with cause
 *	EOWNERDEAD when that process closes a descriptor of it that is open read-write, by
 *	close, dup2 or exec, or ends, whoever else holds one; not with CTX_CREATE_DETACHED
 * @fd_flags: CTX_CLOEXEC, CTX_NONBLOCK
 * @deadline: when to cancel the context, in nanoseconds of @clockid as the
 *	caller's time namespace counts them; 0 for never
 * @clockid: CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME; a timeout on
 *	CLOCK_REALTIME does not notice that the clock is set
 * @nr_values: at @values, at most CTX_VALUES_MAX
 * @values: pointer to an array of struct ctx_value
 * @parents: pointer to an array of __s32, descriptors of further parents
 * @nr_parents: at @parents, at most CTX_PARENTS_MAX
 * @reserved: 0
 * @name: text for people, NUL-terminated, may be empty
 *
 * The call returns a descriptor, open read-write. A child of a cancelled
 * context is created cancelled, as that was. A deadline that has passed
 * creates the context cancelled with ETIMEDOUT. A context with further parents
 * is cancelled with the first of all its parents to be cancelled, and takes its
 * values from the one it was created on.
 *
 * Errors: EINVAL for a clock that is not one of the three, a deadline over
 * 2^63 - 1 ns, a name without its NUL, a key twice, of no or too many bytes, a
 * value of too many bytes, or a further parent that is no context; EBADF for one
 * that is no descriptor; EPERM where a parent's descriptor is CTX_WATCH_ONLY;
 * ELOOP for a depth over the module's max_depth, for further parents by which the
 * context would have over 1024 different ways up, and for over 16 edges to further
 * parents in a row; ENOSPC where the user may have no more contexts; EMFILE,
 * ENFILE, ENOMEM.
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
 * cancelled before; every waiter below has then been woken, unless the caller is
 * being killed: then the kernel wakes those that are left. It never fails for want
 * of memory: then the message alone is lost.
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
 * struct ctx_value - a value to create a context with, or to look up
 * @key: pointer to a string of 1 to CTX_KEY_MAX bytes and a NUL
 * @data: pointer to @size bytes, from or to which the value is copied
 * @size: bytes at @data, at most CTX_VALUE_MAX; 0 only asks for the length
 * @reserved: 0
 *
 * CTX_IOC_GET_VALUE returns the length of the value that the nearest context,
 * upwards from this one, has under the key.
 *
 * Errors: ENODATA where none has it; ERANGE where it is longer than @size, which
 * is not 0; EINVAL for a key of no or too many bytes or a @size that is too
 * large.
 */
struct ctx_value {
	__u64	key;
	__u64	data;
	__u32	size;
	__u32	reserved;
};

/**
 * struct ctx_open_args - argument of CTX_IOC_OPEN
 * @id: as in struct ctx_info
 * @flags: CTX_OPEN_CONTROL: the descriptor may also cancel and move the deadline
 * @fd_flags: CTX_CLOEXEC, CTX_NONBLOCK
 *
 * On /dev/ctx. The call returns a descriptor of the context, read-only as from
 * CTX_IOC_WATCH, or with CTX_OPEN_CONTROL one that is read-write but not the owner's: its
 * close cancels nothing.
 *
 * The caller must see the process that made the context, in its own pid namespace or in
 * one below it, whether or not that has ended; and must have the context's @uid as its
 * effective or real uid, or CAP_KILL in the user namespace of that process's pid namespace.
 *
 * Errors: ENOENT where there is no such context, or the caller does not see its maker;
 * EPERM; EMFILE, ENFILE, ENOMEM.
 */
struct ctx_open_args {
	__u64	id;
	__u32	flags;
	__u32	fd_flags;
};

/**
 * struct ctx_list_args - argument of CTX_IOC_LIST
 * @after: ids over this one are listed
 * @ids: pointer to an array of @nr __u64
 * @nr: ids that are written at most
 * @reserved: 0
 *
 * On /dev/ctx. The call returns how many ids it has written, the lowest first, of the
 * contexts that the caller could open. Others come and go meanwhile: what exists throughout is
 * listed once. Whoever lists them all goes on after the last until there are less than @nr.
 *
 * Errors: ENOMEM; EINTR where the caller is being killed.
 */
struct ctx_list_args {
	__u64	after;
	__u64	ids;
	__u32	nr;
	__u32	reserved;
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
 * @uid: effective, of whoever made it, in the caller's user namespace
 * @maker: the process that made it, in the caller's pid namespace; 0 where it is not visible
 *	there. It may have ended.
 * @nr_parents: further parents, at @parents
 * @reserved: 0
 * @parents: ids of the further parents
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
	__u32	uid;
	__s32	maker;
	__u32	nr_parents;
	__u32	reserved;
	__u64	parents[CTX_PARENTS_MAX];
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

/**
 * struct ctx_status - what mmap shows: PROT_READ, MAP_SHARED, offset 0, one page
 * @err: 0 while alive, then ECANCELED or ETIMEDOUT
 * @cause: as in struct ctx_info, once @err was seen to be set
 *
 * Load @err with acquire before @cause. It is set before those that wait on the
 * context are woken.
 *
 * mmap gives EACCES for a mapping to write to, EINVAL for any other than the one
 * above, ENOSPC where the context was not mapped before and its user may have no
 * more, ENOMEM.
 */
struct ctx_status {
	__u32	err;
	__s32	cause;
};

#define CTX_IOC_MAGIC		0xC7

/* A new root, where called on /dev/ctx, or a child; returns its descriptor. */
#define CTX_IOC_CREATE		_IOW(CTX_IOC_MAGIC, 0, struct ctx_create_args)
/* Cancels the context and all below it. */
#define CTX_IOC_CANCEL		_IOW(CTX_IOC_MAGIC, 1, struct ctx_cancel_args)
/*
 * Takes fd_flags; returns a read-only descriptor of the same context, which can
 * wait, read and be a parent, but never cancel or move the deadline. With
 * CTX_WATCH_ONLY it can be no parent either, and gives EPERM for that, for
 * O_ASYNC, and for CTX_IOC_WATCH without the flag: whoever has no other adds to
 * what the context's cancellation costs nothing but the wake-ups of those who
 * wait on it.
 */
#define CTX_IOC_WATCH		_IOW(CTX_IOC_MAGIC, 2, __u32)
/* Replaces the context's own deadline. */
#define CTX_IOC_SET_DEADLINE	_IOW(CTX_IOC_MAGIC, 3, struct ctx_deadline_args)
/* Tells what the context is like now. */
#define CTX_IOC_INFO		_IOR(CTX_IOC_MAGIC, 4, struct ctx_info)
/* Looks a value up; returns its length. */
#define CTX_IOC_GET_VALUE	_IOW(CTX_IOC_MAGIC, 5, struct ctx_value)
/* Opens a context by its id; on /dev/ctx. */
#define CTX_IOC_OPEN		_IOW(CTX_IOC_MAGIC, 6, struct ctx_open_args)
/* Lists the ids of contexts that the caller may open; on /dev/ctx. */
#define CTX_IOC_LIST		_IOW(CTX_IOC_MAGIC, 7, struct ctx_list_args)

#endif /* _UAPI_LINUX_CTX_H */
