/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the module share: struct ctx, and the rules for its life,
 * its locks and its memory order.
 *
 * Cancelled or not
 * ================
 * @origin points to the context whose cancellation reached this one. It is set
 * once, by cmpxchg(), to the context itself where its own cancellation did it
 * and otherwise to what the parent's @origin points to. A context is cancelled
 * when its @origin or that of any ancestor is set: so one cmpxchg() cancels a
 * whole subtree in one instant, and no one need be stopped meanwhile.
 *
 * Whoever finds an ancestor's set copies it down the path, parent before child,
 * before telling anyone (ctx_origin()). Hence, at any time:
 *
 *   a context with an inherited @origin has a parent with that same @origin.
 *
 * Without this order two tellers could disagree: one sees a grandchild
 * cancelled by the root, while the child in between, whose @origin is still
 * NULL, cancels itself, and so has never been cancelled by the root.
 *
 * What a cancellation says, its record (@err, @cause, @message, @cancelled_at),
 * stands in the origin alone. It is written before the cmpxchg(), and is read
 * only through a pointer loaded from an @origin with acquire.
 *
 * Waking
 * ======
 * What remains of a cancellation is to wake the waiters of the subtree, which
 * ctx_wake_subtree() does in process context: parent before child, one context
 * at a time, with nothing held but a reference on the one it stands at. It
 * leaves a finished context by taking it off its parent's list. That makes
 *
 *   a context is on its parent's list until all of its subtree was woken
 *
 * and lets any number of tasks walk overlapping subtrees: each takes the first
 * child, again and again, until the list is empty, and then knows that all of
 * it was woken, by whomever. Whatever takes CTX_IOC_CANCEL walks, also where it
 * came too late to cancel: so its return always means that everyone was woken.
 * The walk ends because nothing is put on the list of a cancelled context.
 *
 * No wake-up is lost although neither side takes the other's lock:
 *
 *   waiter                               waker
 *   ------                               -----
 *   joins ctx->wait                      sets ctx->origin or an ancestor's
 *   smp_mb()                             smp_mb()
 *   looks at @origin, here and above     looks at ctx->wait
 *
 * One of them sees the other. The same holds for a child that is put on the
 * list of a context while the walk finds that list empty: whoever waits on the
 * child looks at the parent's @origin after that.
 *
 * Locks
 * =====
 * One lock in each context, never two at a time, taken by the deadline's soft
 * timer too. It is taken with interrupts off, which is shorter than with bottom
 * halves off. The lock of a context protects its list
 * of children and their number; and, of each child, its place on that list, its
 * record until that is published, and its deadline. Where there is no parent
 * the context's own lock does the latter: ctx_outer_lock(). So creation,
 * cancellation, a new deadline and the end of a child are one critical section
 * each, and the number of children that are alive is exact.
 *
 * ctx->wait.lock is taken by wake-ups alone, with no lock of ours held.
 *
 * Under a lock there is no loop but the one over CTX_BATCH children.
 *
 * Life
 * ====
 * A reference on a context is held by each file, each child, each walk for as
 * long as it stands there, and the work of an expired deadline. Ancestors are
 * thus always there to be looked at, without a lock. The list of children holds
 * none: the last ctx_put() takes the context off it, under the parent's lock,
 * before it frees, and a walk that finds a child there whose references are
 * gone passes it by. The timer holds none either: the last ctx_put() stops it.
 *
 * The writable file of a context is one: only CTX_IOC_CREATE opens writable, and
 * an anonymous inode cannot be opened again. Its release is the owner's end.
 */
#ifndef _CTX_CTX_H
#define _CTX_CTX_H

#include <linux/ctx.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "compat.h"

struct ctx_deadline;

/* Children that a walk handles before it lets go of the lock. */
#define CTX_BATCH	64

/**
 * struct ctx_message - what a cancellation says to people
 * @len: bytes at @text, 1 to CTX_MESSAGE_MAX
 * @text: UTF-8, no NUL
 */
struct ctx_message {
	u32	len;
	char	text[];
};

/**
 * struct ctx - a cancellation context
 * @parent: never changes, a reference; NULL for a root
 * @origin: the context whose cancellation reached this one; set once, cmpxchg()
 * @id: never changes; over 0, and 0 for the background
 * @depth: never changes; 0 for a root
 * @flags: never change; CTX_CREATE_*
 * @wait: whoever waits for the cancellation
 * @name: never changes; NULL where there is none
 * @refs: see "Life" above
 * @lock: see "Locks" above
 * @nr_children: how many are alive; @lock
 * @children: the alive, and those whose subtrees are still to be woken; @lock
 * @sibling: on @parent's @children; the outer lock
 * @deadline: NULL until there is one for the first time; the outer lock
 * @err: of the cancellation that began here, until then 0; the outer lock until
 *	@origin is published, and never changed after that
 * @cause: likewise
 * @message: likewise; NULL where there is none
 * @cancelled_at: likewise, CLOCK_MONOTONIC
 */
struct ctx {
	struct ctx		*parent;
	struct ctx		*origin;
	u64			id;
	u32			depth;
	u32			flags;
	wait_queue_head_t	wait;
	char			*name;

	refcount_t		refs;
	spinlock_t		lock;	/* of the children, see "Locks" */
	u32			nr_children;
	struct hlist_head	children;
	struct hlist_node	sibling;

	struct ctx_deadline	*deadline;

	u32			err;
	s32			cause;
	struct ctx_message	*message;
	ktime_t			cancelled_at;
};

/* The lock of @ctx's place among its siblings, its record and its deadline. */
static inline spinlock_t *ctx_outer_lock(struct ctx *ctx)
{
	return ctx->parent ? &ctx->parent->lock : &ctx->lock;
}

/* tree.c: the life of a context and its place in the tree */
extern struct ctx *ctx_background;

int ctx_tree_init(void);
void ctx_tree_exit(void);
struct ctx *ctx_alloc(struct ctx *parent, u32 flags, const char *name);
void ctx_link(struct ctx *ctx);
void ctx_unlink(struct ctx *ctx);
void ctx_put(struct ctx *ctx);

static inline struct ctx *ctx_get(struct ctx *ctx)
{
	refcount_inc(&ctx->refs);
	return ctx;
}

/* cancel.c: being cancelled, and waking whoever waits for it */
struct ctx *ctx_origin(struct ctx *ctx);
bool ctx_mark(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message);
bool ctx_mark_locked(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message);
bool ctx_cancel(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message);
void ctx_wake(struct ctx *ctx);
void ctx_wake_subtree(struct ctx *top);

/* deadline.c: clocks, time namespaces and timers */

/**
 * struct ctx_when - an instant on one of the three clocks, as the host has it
 * @clock: CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME
 * @at: 0 for never
 */
struct ctx_when {
	clockid_t	clock;
	ktime_t		at;
};

int ctx_deadline_init(void);
void ctx_deadline_drain(void);
void ctx_deadline_exit(void);
int ctx_when_read(struct ctx_when *when, u64 deadline, s32 clockid, bool timeout);
int ctx_deadline_prepare(struct ctx *ctx, const struct ctx_when *when);
int ctx_deadline_set(struct ctx *ctx, const struct ctx_when *when);
void ctx_deadline_free(struct ctx *ctx);
ktime_t ctx_deadline_earliest(struct ctx *ctx);
u64 ctx_time_for_caller(ktime_t mono);

/* file.c: descriptors */
extern const struct file_operations ctx_dev_fops;

bool ctx_file_writable(const struct file *file);
int ctx_open_fd(struct ctx *ctx, int mode, u32 fd_flags, struct file **filep);

/* ioctl.c */
long ctx_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* info.c: what a context is like, to programs and to people */
void ctx_get_info(struct ctx *ctx, struct ctx_info *info);
void ctx_show_info(struct seq_file *m, struct ctx *ctx);

#endif /* _CTX_CTX_H */
