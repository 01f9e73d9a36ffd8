/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the module share: struct ctx, and the rules for its life,
 * its locks and its memory order. selftests/model/ verifies these: "Model:"
 * and its name stand where the code takes a step of it.
 *
 * Cancelled or not
 * ================
 * @origin points to the context whose cancellation reached this one. It is set
 * once, by cmpxchg(), to the context itself where its own cancellation did it
 * and otherwise to what a parent's @origin points to. A context is cancelled
 * when its @origin or that of any context above it (by @up) is set: so one
 * cmpxchg() cancels a whole subtree in one instant, and no one need be stopped
 * meanwhile.
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
 * A cancellation passes an edge to a further parent (merge.c) when a walk comes
 * there: the walk sets the @origin of the child, which is from then on like any.
 *
 * Telling
 * =======
 * What remains of a cancellation is to tell the subtree: set status words, wake
 * waiters, send signals, run callbacks. ctx_wake_subtree() does it in process
 * context: parent before child, one context at a time, with nothing held but a
 * reference on the one it stands at. It leaves a finished context by taking it
 * off the lists of its parents. That makes
 *
 *   a context is on its parents' lists until all of its subtree was told
 *
 * and lets any number of tasks walk overlapping subtrees: each takes the first
 * child, again and again, until the lists are empty, and then knows that all of
 * it was told, by whomever. Whatever takes CTX_IOC_CANCEL walks, also where it
 * came too late to cancel: so its return always means that everyone was woken.
 * The walk ends because nothing is put on the lists of a cancelled context.
 *
 * The word that a context's status page shows is set before any child inherits
 * its @origin: so it is never seen alive after a child of it was seen cancelled.
 *
 * From a finished context the walk goes up to its parent. A context with several
 * does not show by which of them the walk came. The walk remembers that of the
 * last such context, which is enough but where they are nested: from there it
 * begins anew at its top. What was finished is on no list any more, so this costs
 * but the way down.
 *
 * Nothing is lost although neither side takes the other's lock:
 *
 *   waiter                               walk
 *   ------                               ----
 *   joins ctx->wait                      sets ctx->origin or an ancestor's
 *   smp_mb()                             smp_mb()
 *   looks at @origin, here and above     looks at ctx->wait
 *
 * One of them sees the other. The same holds for all else that can join: for a
 * child on the list of a context, because whoever waits on the child looks at
 * the parent's @origin after that; and for status pages, signals, callbacks and
 * edges, which set @joined, pass a barrier and look at @origin (ctx_join()). Of
 * callbacks a walk can only know that they were begun: another may be running one.
 *
 * Locks
 * =====
 * One lock in each context, never two at a time, taken by the deadline's soft
 * timer too. It is taken with interrupts off, which is shorter than with bottom
 * halves off. The lock of a context protects its lists of children and hooks and
 * the numbers of children; and, of each child, its place on the list, its record
 * until that is published, and its deadline. Where there is no parent the
 * context's own lock does the latter: ctx_outer_lock(). So creation,
 * cancellation, a new deadline and the end of a child are one critical section
 * each, and the number of children that are alive is exact.
 *
 * ctx->wait.lock is taken with no lock of ours held.
 *
 * Under a lock there is no loop but that over CTX_BATCH children, and over hooks
 * of children that other tasks are freeing just now.
 *
 * Life
 * ====
 * A reference on a context is held by each file, each child and each child over
 * a further edge, each walk for as long as it stands there, the work of an
 * expired deadline, and whoever got one from ctx_from_fd(). Ancestors are thus
 * always there to be looked at, without a lock. The lists of children and hooks
 * hold none: the last ctx_put() takes the context off them, under the parents'
 * locks, before it frees, and a walk that finds a child there whose references
 * are gone passes it by. The timer holds none either: the last ctx_put() stops
 * it.
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
struct ctx_merge;
struct ctx_values;
struct fasync_struct;
struct seq_file;
struct vm_area_struct;

/* Children that a walk handles before it lets go of the lock. */
#define CTX_BATCH	64

/**
 * struct ctx_message - what a cancellation says to people
 * @len: bytes at @text, 1 to CTX_MESSAGE_MAX
 * @text: as the caller gave it
 */
struct ctx_message {
	u32	len;
	char	text[];
};

/**
 * struct ctx - a cancellation context
 * @up: never changes; whose cancellation reaches this one: @parent, but NULL for
 *	CTX_CREATE_WITHOUT_CANCEL
 * @origin: the context whose cancellation reached this one; set once, cmpxchg()
 * @id: never changes; over 0, and 0 for the background
 * @depth: never changes; 0 for a root
 * @flags: never change; CTX_CREATE_*
 * @wait: whoever waits for the cancellation
 * @parent: never changes, a reference; NULL for a root
 * @name: never changes; NULL where there is none
 * @values: never change; NULL where there are none
 * @merge: never changes; the edges to further parents, NULL where there are none
 * @refs: see "Life" above
 * @lock: see "Locks" above
 * @nr_children: those that are alive and @up of which is this one; @lock
 * @nr_kept: those that are alive and made CTX_CREATE_WITHOUT_CANCEL; @lock
 * @children: the alive, and those whose subtrees are still to be told; @lock
 * @hooks: edges and callbacks that are still to be told; @lock
 * @sibling: on @parent's @children; the outer lock
 * @counted: in @parent's @nr_children or @nr_kept; the outer lock
 * @joined: set, for ever, once there was anything but waiters to tell
 * @told: set, for ever, once all was told but children and hooks
 * @born: never changes; whole seconds of CLOCK_MONOTONIC
 * @seen: the last search for a deadline that came by; ctx_merge_mutex
 * @fasync: whom to signal
 * @status: the page that mmap shows; NULL until then, and set once
 * @deadline: NULL until there is one for the first time; set once
 * @err: of the cancellation that began here, and nothing where none did; the
 *	outer lock until @origin is published, and never changed after that
 * @cause: likewise
 * @message: likewise; NULL where there is none
 * @cancelled_at: likewise, CLOCK_MONOTONIC
 */
struct ctx {
	struct ctx		*up;
	struct ctx		*origin;
	u64			id;
	u32			depth;
	u32			flags;
	wait_queue_head_t	wait;
	struct ctx		*parent;

	refcount_t		refs;
	spinlock_t		lock;	/* of the children, see "Locks" */
	struct hlist_head	children;
	struct hlist_head	hooks;
	struct hlist_node	sibling;
	u32			nr_children;
	u32			nr_kept;
	bool			counted;
	bool			joined;
	bool			told;
	u32			born;
	u64			seen;

	char			*name;
	struct ctx_values	*values;
	struct ctx_merge	*merge;
	struct fasync_struct	*fasync;
	struct ctx_status	*status;
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

/* Whole seconds of CLOCK_MONOTONIC */
static inline u32 ctx_seconds(void)
{
	/* Read plainly, while a tick may write them: one second is as good as the next. */
	return data_race(ktime_get_seconds());
}

/* tree.c: the life of a context and its place in the tree */
extern struct ctx *ctx_background;

int ctx_tree_init(void);
void ctx_tree_exit(void);
int ctx_set_depth(struct ctx *ctx, const struct ctx *parent);
struct ctx *ctx_alloc(struct ctx *parent, u32 flags, const char *name);
void ctx_link(struct ctx *ctx);
void ctx_unlink(struct ctx *ctx);
void ctx_uncount(struct ctx *ctx);

/*
 * Takes a child or a hook off its list, as hlist_del_init() does. Who finds the list
 * empty without its lock sees all that whoever emptied it did, or had seen, before.
 */
static inline void ctx_list_del(struct hlist_node *node)
{
	struct hlist_node *next = node->next, **pprev = node->pprev;

	if (!pprev)
		return;
	/* Model: list_release. Pairs with the acquire in ctx_list_empty(). */
	smp_store_release(pprev, next);
	if (next)
		WRITE_ONCE(next->pprev, pprev);
	INIT_HLIST_NODE(node);
}

/* Whether a list of children or hooks is empty, as far as is seen without its lock. */
static inline bool ctx_list_empty(const struct hlist_head *list)
{
	/* Model: list_acquire. Pairs with the release in ctx_list_del(). */
	return !smp_load_acquire(&list->first);
}

/* cancel.c: being cancelled, and telling whoever waits for it */
struct ctx *ctx_origin(struct ctx *ctx);
bool ctx_join(struct ctx *ctx);
void ctx_inherit_from(struct ctx *ctx, struct ctx *parent);
bool ctx_mark(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message);
bool ctx_mark_locked(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message);
bool ctx_cancel(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message);
bool ctx_tell(struct ctx *ctx);
void ctx_wake_subtree(struct ctx *top);

/* callback.c: the hooks that a walk comes by */
bool ctx_hook_add(struct ctx *ctx, struct ctx_hook *hook);
bool ctx_hook_remove(struct ctx *ctx, struct ctx_hook *hook);
struct ctx *ctx_next_hook(struct ctx *ctx);

/* merge.c: further parents */

/**
 * struct ctx_edge - that a context is the child of a further parent
 * @hook: on the parent's @hooks, with the child
 * @parent: a reference
 */
struct ctx_edge {
	struct ctx_hook		hook;
	struct ctx		*parent;
};

/**
 * struct ctx_merge - the edges of a context to its further parents
 * @next: still to be searched; ctx_merge_mutex
 * @nr: edges
 * @edges: never change but for their hooks
 */
struct ctx_merge {
	struct ctx_merge	*next;
	unsigned int		nr;
	struct ctx_edge		edges[];
};

int ctx_merge_read(struct ctx *ctx, const struct ctx_create_args *args);
void ctx_merge_link(struct ctx *ctx);
void ctx_merge_unlink(struct ctx *ctx);
int ctx_merge_earliest(struct ctx *ctx, ktime_t *earliest);

/* values.c */
int ctx_values_read(struct ctx *ctx, const struct ctx_create_args *args);
int ctx_values_get(struct ctx *ctx, const struct ctx_value *value);

/* status.c: the word that mmap shows */
int ctx_status_mmap(struct file *file, struct vm_area_struct *vma);
void ctx_status_set(struct ctx *ctx);
void ctx_status_free(struct ctx *ctx);

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

/* The earlier of two deadlines, of which 0 is never. */
static inline ktime_t ctx_earlier(ktime_t a, ktime_t b)
{
	if (!a || !b)
		return a ?: b;
	return min(a, b);
}

int ctx_deadline_init(void);
void ctx_deadline_drain(void);
void ctx_deadline_exit(void);
int ctx_when_read(struct ctx_when *when, u64 deadline, s32 clockid, bool timeout);
int ctx_deadline_prepare(struct ctx *ctx, const struct ctx_when *when);
int ctx_deadline_set(struct ctx *ctx, const struct ctx_when *when);
void ctx_deadline_free(struct ctx *ctx);
ktime_t ctx_deadline_own(struct ctx *ctx);
int ctx_deadline_earliest(struct ctx *ctx, ktime_t *earliest);
u64 ctx_time_for_caller(ktime_t mono);

/* file.c: descriptors */
extern const struct file_operations ctx_dev_fops;

bool ctx_file_writable(const struct file *file);
int ctx_open_fd(struct ctx *ctx, int mode, u32 fd_flags, struct file **filep);

/* ioctl.c */
long ctx_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* info.c: what a context is like, to programs and to people */
int ctx_get_info(struct ctx *ctx, struct ctx_info *info);
void ctx_show_info(struct seq_file *m, struct ctx *ctx);

#endif /* _CTX_CTX_H */
