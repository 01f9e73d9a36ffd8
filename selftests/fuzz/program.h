/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs: what the fuzzer does to contexts. Each operation follows from the seed and its place
 * alone, and names descriptors by slots that may be empty: so a program without some of its
 * operations is a program, too, which is what shrinking needs.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <linux/ctx.h>

#define OPS_MAX		64	/* of a program */
#define SLOTS		9
#define BACKGROUND	0	/* the slot of /dev/ctx, which stays */
#define TOWER		1	/* the slot of what is built on, in programs that do so */
#define MAPS		4
#define WAITERS		6
#define PROCESSES	4	/* of a program that runs in several */
#define QUEUES		2	/* of descriptors that are sent */
#define QUEUE_MAX	3
#define USER_CONTEXTS	10	/* that a user may have */

enum op_kind {
	OP_IOCTL,	/* any, with any bytes */
	OP_CLOSE,
	OP_DUP,
	OP_POLL,
	OP_READ,
	OP_MMAP,
	OP_MUNMAP,
	OP_WAIT,	/* a waiter joins, as epoll's do */
	OP_UNWAIT,
	OP_OPEN,	/* by the id of the context of a slot, or of its parent */
	OP_LIST,	/* the first id from that of the context of a slot on */
	OP_EXPIRE,	/* a deadline strikes: waits for that */
	OP_LAPSE,	/* a deadline is set and removed: must not strike */
	/* In programs of several processes alone */
	OP_FORK,	/* into process @index, which @cmd says how it is related to */
	OP_EXEC,
	OP_KILL,	/* process @index, by SIGKILL */
	OP_SEND,	/* over socket @index */
	OP_RECEIVE,
	OP_PURGE,	/* closes it while it is in flight over a socket that nobody reads */
	OP_BLOCK,	/* waits, in the manner of @cmd */
	OP_ASYNC,	/* has as many descriptors signalled as can be, and then none */
	OP_KINDS,
};

/* What a process gets of its parent's descriptors: copies, the same, or copies of read-only ones */
enum kin { COPIES, SHARES, WATCHES, KINS };

/* The ways of OP_BLOCK to wait */
enum manner {
	BY_READ, BY_POLL, BY_SELECT, BY_EPOLL, BY_EPOLL_ET, BY_EPOLL_ONESHOT, BY_EPOLL_EXCLUSIVE,
	BY_URING_READ, BY_URING_POLL, BY_SIGNAL, BY_GROUP_SIGNAL,
	MANNERS,
};

/* What stands in @parents of an operation in place of a slot */
enum { PARENT_NONE = -1, PARENT_CLOSED = -2, PARENT_OTHER = -3 };

/**
 * struct op - an operation
 * @kind: which
 * @process: that makes it
 * @viewer: process that looks at things after it
 * @slot: whose descriptor it is about
 * @out: the slot for a descriptor that it makes
 * @index: of a mapping, waiter, process or socket; whose id, as BATCH_ASKED has it
 * @cmd: the ioctl's number; bytes of a read; protection of a mapping
 * @arg: address that the call gets
 * @look: slot that is looked at after it
 * @parents: slots or PARENT_*, of which @memory->parents becomes the descriptors
 * @memory: what the call may read and write
 */
struct op {
	enum op_kind		kind;
	unsigned int		process;
	unsigned int		viewer;
	int			slot;
	int			out;
	unsigned int		index;
	uint32_t		cmd;
	uint64_t		arg;
	int			look;
	int			parents[CTX_PARENTS_MAX + 1];
	struct op_memory	*memory;
};

#define ARGS_SIZE	640	/* of an ioctl's structure that has grown, or of random bytes */
#define OUT_SIZE	(CTX_VALUE_MAX + 64)

/* Multiples of 8 bytes, so that what stands there is aligned. */
struct op_memory {
	unsigned char		args[ARGS_SIZE];
	struct ctx_value	values[CTX_VALUES_MAX + 1];
	int32_t			parents[CTX_PARENTS_MAX + 1];
	int32_t			align;
	unsigned char		out[OUT_SIZE];
};

/* What is not written to @out of struct op_memory keeps this. */
#define UNTOUCHED	0xa5

/*
 * Bytes for values and messages, in front of a page that cannot be read; and keys, some of which
 * are too long, or not there.
 */
#define POOL_SIZE	8192
#define KEYS		8

/* Addresses are the same in all processes, those that were exec'ed among them. */
#define PROGRAM_ADDRESS	0x10000000000

int program_init(void);
const unsigned char *program_pool(void);
const char *program_key(unsigned int i);
size_t program_readable(const struct op *op, uint64_t address);
size_t program_writable(const struct op *op, uint64_t address);

bool program_is_limited(uint64_t seed);
void op_make(struct op *op, uint64_t seed, unsigned int i, bool apart);
void op_print(FILE *to, const struct op *op);

/* An ioctl whatever size its structure has */
#define ANY_SIZE(cmd)	((cmd) & ~(uint32_t)IOCSIZE_MASK)

#endif /* FUZZ_PROGRAM_H */
