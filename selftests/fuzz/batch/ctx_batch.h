/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/ctx_batch: an array of calls on descriptors, all made from one entry into the kernel. For
 * tests alone: where a system call costs ten times what it does, as under User Mode Linux, a
 * fuzzer that pays for each gets nowhere.
 *
 * An open file has slots, which stand for descriptors of the caller and spare a program from
 * knowing their numbers before it runs; places for mappings; and waiters, which hang on the wait
 * queue of a descriptor's file as epoll does and count how often they are woken.
 */
#ifndef _CTX_BATCH_H
#define _CTX_BATCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BATCH_SLOTS	64
#define BATCH_MAPS	16
#define BATCH_WAITERS	16

enum batch_what {
	BATCH_SET,	/* @out becomes the descriptor @arg, which the caller has made */
	BATCH_IOCTL,	/* ioctl(@slot, @cmd, @arg); a descriptor that it returns goes to @out */
	BATCH_CLOSE,	/* close(@slot), and all that follows from it, before the next call */
	BATCH_DUP,	/* dup(@slot), to @out */
	BATCH_POLL,	/* poll of @slot; returns its events */
	BATCH_READ,	/* read(@slot, @arg, @cmd) */
	BATCH_MMAP,	/* a page of @slot, @cmd its protection, becomes the mapping @index */
	BATCH_MUNMAP,	/* of @index; the array is left, so that what it let go of goes */
	BATCH_WAIT,	/* the waiter @index waits at @slot; returns the events of now */
	BATCH_UNWAIT,	/* no longer */
	BATCH_VIEW,	/* writes a struct batch_view to @arg; @cmd 1: without the descriptors */
	BATCH_FD,	/* writes the number of @slot's descriptor, an __s32, to @arg */
	BATCH_ASYNC,	/* O_ASYNC of @slot, on where @cmd */
	BATCH_ASKED,	/* ioctl(@slot, @cmd, @arg) about another slot, see BATCH_ASKED_SLOT */
	BATCH_MEET,	/* meets another task, see BATCH_MEET_NS */
};

/*
 * BATCH_MEET is for two tasks that are to make their next calls at one moment. Each writes @cmd to
 * its word of the __u32[2] at @arg, which they share, and spins until the other's is as high, and
 * then for @slot nanoseconds. @index is 0 for one and 1 for the other.
 *
 * It waits no longer than this: long enough for a host to give both their processors.
 */
#define BATCH_MEET_NS	1000000

/*
 * BATCH_ASKED first has CTX_IOC_INFO of the slot BATCH_ASKED_SLOT(@index) write to @arg +
 * BATCH_ASKED_ROOM, and puts the 8 bytes that stand at BATCH_ASKED_AT(@index) there at @arg: an
 * id, say, which nobody knows before it runs.
 */
#define BATCH_ASKED_SLOT(index)	((index) & 0xff)
#define BATCH_ASKED_AT(index)	((index) >> 8)
#define BATCH_ASKED_ROOM	128

/* @flags of a call */
#define BATCH_STAMP	0x1	/* @begin and @end are wanted */
#define BATCH_BEFORE	0x2	/* of BATCH_ASKED: the number before that one */

/**
 * struct batch_call - a call, and what came of it
 * @what: enum batch_what
 * @flags: BATCH_STAMP, BATCH_BEFORE
 * @slot: whose descriptor it is about; beyond the slots, or an empty one, is EBADF
 * @out: for the descriptor that it returns; what was there is closed. -1 for none: then the
 *	caller has it
 * @index: of a mapping or waiter
 * @cmd: see enum batch_what
 * @arg: likewise
 * @ret: what the system call would return, or a negative errno
 * @begin: CLOCK_MONOTONIC before the call
 * @end: and after it
 */
struct batch_call {
	__u16	what;
	__u16	flags;
	__s16	slot;
	__s16	out;
	__u32	index;
	__u32	cmd;
	__u64	arg;
	__s64	ret;
	__u64	begin;
	__u64	end;
};

/**
 * struct batch_view - what can be seen of everything
 * @readable: a bit for each slot whose descriptor polls readable
 * @status: the first word of each mapping; 0 where there is none
 * @woken: how often each waiter was woken since it began to wait
 *
 * The mappings are looked at first, the waiters next and the descriptors at last, in the order of
 * their numbers: poll of a descriptor may well do what somebody has left undone.
 */
struct batch_view {
	__u64	readable;
	__u32	status[BATCH_MAPS];
	__u32	woken[BATCH_WAITERS];
};

/**
 * struct batch_run - argument of BATCH_RUN
 * @calls: pointer to struct batch_call[@nr]
 * @nr: how many
 * @reserved: 0
 *
 * Returns how many were made: fewer than @nr after a BATCH_MUNMAP that succeeded or where a signal
 * is pending.
 */
struct batch_run {
	__u64	calls;
	__u32	nr;
	__u32	reserved;
};

#define BATCH_RUN	_IOW(0xC8, 0, struct batch_run)

#endif /* _CTX_BATCH_H */
