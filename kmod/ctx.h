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
 * waiters, send signals, run callbacks. ctx_walk() does it in process context:
 * parent before child, one context at a time, with nothing held but references
 * on the one it stands at and those by which it came. It leaves a finished context
 * by taking it off the lists of its parents. That makes
 *
 *   a context is on its parents' lists until all of its subtree was told
 *
 * and lets any number of tasks walk overlapping subtrees: each takes the first
 * child, again and again, until the lists are empty, and then knows that all of
 * it was told, by whomever. Whatever takes CTX_IOC_CANCEL walks, also where it
 * came too late to cancel: so its return always means that everyone was woken.
 *
 * A walk can stop anywhere and begin anew at its top: what was finished is on no
 * list any more, and so is not come by again. So a task that must not be delayed,
 * because it exits or is being killed, tells CTX_BATCH contexts and leaves the rest to
 * the queue (queue.c), which gives each user a turn. A deadline's timer (clock.c), a
 * kernel thread, and whoever closes what another user made tell what is at the context
 * itself, where that is little.
 *
 * The walk ends because nothing is put on the lists of a cancelled context; and
 * below one that a cancellation has yet to reach over an edge, nothing is put
 * either, because whoever would looks up all ways and passes it on (ctx_settle()).
 *
 * The word that a context's status page shows is set before any child inherits
 * its @origin: so it is never seen alive after a child of it was seen cancelled.
 *
 * From a finished context the walk goes up to its parent: @up, or where it came by
 * an edge the parent at that edge. It remembers the edges on its way, of which
 * there are CTX_CHAIN_MAX at most: so it costs what the contexts cost, whatever
 * their shape.
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
 * callbacks and signals a walk can only know that they were begun: another may be at one.
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
 * ctx->wait.lock is taken with no lock of ours held. The lock of a clock (clock.c)
 * is taken within an outer lock, that of the queue (queue.c) within none; nothing is
 * taken within those but what the kernel's timers and wake-ups need. A user has a
 * lock: where his contexts are nearly as many as he may have, they are summed up and
 * counted under it (user.c).
 *
 * Under a lock there is no loop but over CTX_BATCH children, waiters or signals.
 *
 * Life
 * ====
 * A reference on a context is held by each file, each child and each child over
 * a further edge, each walk for as long as it stands there, the queue, and whoever
 * got one from ctx_from_fd(). Ancestors are thus
 * always there to be looked at, without a lock. The lists of children and hooks
 * hold none: the last ctx_put() takes the context off them, under the parents'
 * locks, before it frees, and a walk that finds a child there whose references
 * are gone passes it by. The queue of deadlines holds none either, and is handled
 * likewise: the last ctx_put() takes the deadline off it. What a soft interrupt has
 * a reference on is let go of by ctx_put_any(), which leaves the last one to the queue.
 *
 * A user (user.c) is there for as long as it has contexts: each holds it, or holds a
 * parent of the same user. It counts them until their memory is free.
 *
 * The owner's file of a context is one: only CTX_IOC_CREATE makes it, and nothing opens
 * the inode again (anon.c). Its release is the owner's end. What CTX_IOC_OPEN makes
 * may be writable, but is not the owner's.
 */
#ifndef _CTX_CTX_H
#define _CTX_CTX_H

#include <linux/cred.h>
#include <linux/ctx.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/list_bl.h>
#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include "compat.h"

struct ctx_clocks;
struct ctx_deadline;
struct ctx_merge;
struct ctx_values;
struct ctx_when;
struct fasync_struct;
struct pid;
struct seq_file;
struct vm_area_struct;

/* What is done at once: before a lock is let go of, in one interrupt, by a task in a hurry. */
#define CTX_BATCH	64

/* How long a turn of the queue lasts, or what a task in a hurry does. */
#define CTX_TURN_NS	NSEC_PER_MSEC

/* Different ways up from a context, and edges to further parents on one of them */
#define CTX_WAYS_MAX	1024
#define CTX_CHAIN_MAX	16

/* Bytes that count as a context: what one takes with its descriptor and a little more */
#define CTX_COST	640
/* Bytes of values or edges that it may have besides; for more it counts as several */
#define CTX_SPARE	192
/* What one counts as at most: all its values, of CTX_VALUE_MAX, and a page of 64 KiB */
#define CTX_COUNT_MAX	320

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
 * struct ctx_wake - which waiters of a queue are to be woken
 * @from: stands before the first of them; in no list before the first call
 * @to: stands behind the last of them; in no list where all can be woken in one go
 */
struct ctx_wake {
	wait_queue_entry_t	from;
	wait_queue_entry_t	to;
};

/**
 * struct ctx_count - how many contexts a user has
 * @lock: protects @total; raw, for it is short and taken wherever a context ends
 * @total: without what is left @here
 * @here: what each processor has counted by itself, about CTX_COUNT_BATCH at most
 */
struct ctx_count {
	raw_spinlock_t	lock;	/* of the total */
	long		total;
	s32 __percpu	*here;
};

/**
 * struct ctx_user - what a user has, and what is to be done for him
 * @uid: never changes
 * @refs: of contexts that do not hold a parent of the same user, pages, signals, a place
 *	on the list of turns; see user.c
 * @rcu: for kfree_rcu()
 * @count: of contexts, see ctx_user_charge()
 * @clocks: NULL until there is a deadline; set once
 * @turn: among those who have something in the queue; the queue's lock, as all below
 * @late: clocks that are behind
 * @signals: that are to be sent
 * @first: contexts that are to be told or freed, by @next
 * @last: where the next one goes
 * @waking: a context not all waiters of which were woken, a reference, or NULL; the
 *	queue's alone
 * @wake: which of them are left; the queue's alone
 */
struct ctx_user {
	kuid_t			uid;
	refcount_t		refs;
	struct rcu_head		rcu;
	struct ctx_count	count;
	struct ctx_clocks __percpu *clocks;

	struct list_head	turn;
	struct list_head	late;
	struct list_head	signals;
	struct ctx		*first;
	struct ctx		**last;
	struct ctx		*waking;
	struct ctx_wake		wake;
};

/**
 * struct ctx - a cancellation context
 * @up: never changes; whose cancellation reaches this one: @parent, but NULL for
 *	CTX_CREATE_WITHOUT_CANCEL
 * @origin: the context whose cancellation reached this one; set once, cmpxchg()
 * @id: never changes; over 0, and 0 for the background
 * @user: never changes; whose it is
 * @depth: never changes; 0 for a root
 * @ways: never changes; different ways up, CTX_WAYS_MAX at most
 * @chain: never changes; edges to further parents in a row, CTX_CHAIN_MAX at most
 * @flags: never change; CTX_CREATE_*
 * @count: contexts that it counts as; changes with @status alone
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
 * @queued: to be told by the queue; the queue's lock
 * @uid: never changes; effective, of whoever made it
 * @maker: never changes; the process that made it, a reference unless @parent has the same;
 *	NULL for the background
 * @entry: in the table of ids; the lock of its list
 * @born: never changes; whole seconds of CLOCK_MONOTONIC
 * @next: in the queue; its lock. Without references: whoever frees it
 * @signals: descriptors with O_ASYNC; @lock
 * @status: the page that mmap shows; NULL until then, and set once
 * @deadline: NULL until there is one for the first time; set once
 * @err: of the cancellation that began here, and nothing where none did; the
 *	outer lock until @origin is published, and never changed after that
 * @timed: never changes; @deadline is part of the same object
 * @cause: as @err
 * @message: likewise; NULL where there is none
 * @cancelled_at: likewise, CLOCK_MONOTONIC
 * @looked: as long as @origin is NULL: when this one and all above were last seen alive, as
 *	ctx_look() has it; the outer lock
 */
struct ctx {
	struct ctx		*up;
	struct ctx		*origin;
	u64			id;
	u16			depth;
	u16			ways;
	u8			chain;
	u8			flags;
	u16			count;
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
	bool			queued;
	u32			born;
	struct ctx_user		*user;
	struct ctx		*next;
	struct hlist_bl_node	entry;
	struct pid		*maker;

	char			*name;
	struct ctx_values	*values;
	struct ctx_merge	*merge;
	struct hlist_head	signals;
	struct ctx_status	*status;
	struct ctx_deadline	*deadline;

	u16			err;
	bool			timed;
	s32			cause;
	kuid_t			uid;
	struct ctx_message	*message;
	union {
		ktime_t		cancelled_at;
		u64		looked;
	};
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

/* user.c: users, and what they may have */
void ctx_user_init(void);
void ctx_user_exit(void);
void ctx_user_each(void (*func)(struct ctx_user *user));
struct ctx_user *ctx_user_find(void);
void ctx_user_put(struct ctx_user *user);
int ctx_user_charge(struct ctx_user *user, unsigned int n);

/* count.c: counting them */

/* What a processor counts by itself before others see it. */
#define CTX_COUNT_BATCH	32

void ctx_count_setup(void);
int ctx_count_init(struct ctx_count *count);
void ctx_count_free(struct ctx_count *count);
void ctx_count_fold(struct ctx_count *count);
bool ctx_count_try(struct ctx_count *count, unsigned int n, s64 max);

/* Counts @n more, or less where it is under 0. Context: any */
static inline void ctx_count_add(struct ctx_count *count, int n)
{
	if (unlikely(abs(this_cpu_add_return(*count->here, n)) >= CTX_COUNT_BATCH))
		ctx_count_fold(count);
}

/**
 * ctx_user_uncharge - count what a user no longer has
 * @user: who
 * @n: as given to ctx_user_charge()
 *
 * Context: any
 */
static inline void ctx_user_uncharge(struct ctx_user *user, unsigned int n)
{
	ctx_count_add(&user->count, -(int)n);
}

/**
 * ctx_user_get - the user that the current task runs for
 * @near: one that it may well be, or NULL
 *
 * Return: a reference, to be given to ctx_user_put(); @near without one; NULL
 *	where there is no memory
 */
static inline struct ctx_user *ctx_user_get(struct ctx_user *near)
{
	return near && uid_eq(near->uid, current_uid()) ? near : ctx_user_find();
}

/* tree.c: the life of a context and its place in the tree */
extern struct ctx *ctx_background;

int ctx_tree_init(void);
void ctx_tree_exit(void);
int ctx_set_depth(struct ctx *ctx, const struct ctx *parent);
struct ctx *ctx_alloc(struct ctx *parent, u32 flags, const char *name, bool timed);
void ctx_link(struct ctx *ctx, const struct ctx_when *when);
void ctx_unlink(struct ctx *ctx);
void ctx_end(struct ctx *ctx);
void ctx_free_dead(struct ctx *ctx, unsigned int few);
int ctx_charge(struct ctx *ctx, unsigned int n);
int ctx_charge_bytes(struct ctx *ctx, size_t size);

/**
 * ctx_uncount - count a context no longer among those of its parent
 * @ctx: its outer lock is held; it is cancelled, or about to be freed
 */
static inline void ctx_uncount(struct ctx *ctx)
{
	lockdep_assert_held(ctx_outer_lock(ctx));

	if (!ctx->counted)
		return;
	ctx->counted = false;
	if (ctx->up)
		ctx->parent->nr_children--;
	else
		ctx->parent->nr_kept--;
}

/* As ctx_put(), where it is not likely to be the last. */
static inline void ctx_drop(struct ctx *ctx)
{
	if (unlikely(refcount_dec_and_test(&ctx->refs)))
		ctx_end(ctx);
}

/*
 * Takes a child or a hook off its list, where @pprev points to it. Who finds the list empty
 * without its lock sees all that whoever emptied it did, or had seen, before.
 */
static inline void ctx_list_take(struct hlist_node *node, struct hlist_node **pprev)
{
	struct hlist_node *next = node->next;

	/* Model: list_release. Pairs with the acquire in ctx_list_empty(). */
	smp_store_release(pprev, next);
	if (next)
		WRITE_ONCE(next->pprev, pprev);
	/* Model: next_release. After the former: pairs with the acquire in ctx_walk_leave(). */
	smp_store_release(&node->next, NULL);
	node->pprev = NULL;
}

/* Likewise, unless it is off, as hlist_del_init(). */
static inline void ctx_list_del(struct hlist_node *node)
{
	if (node->pprev)
		ctx_list_take(node, node->pprev);
}

/* Whether a list of children or hooks is empty, as far as is seen without its lock. */
static inline bool ctx_list_empty(const struct hlist_head *list)
{
	/* Model: list_acquire. Pairs with the release in ctx_list_take(). */
	return !smp_load_acquire(&list->first);
}

/* registry.c: contexts by id */
void ctx_registry_init(void);
struct ctx *ctx_find(u64 id);
long ctx_list(u64 after, u64 __user *ids, size_t nr);

/* Lists of contexts, as a power of two */
#define CTX_TABLE_BITS	15

extern struct hlist_bl_head ctx_table[1 << CTX_TABLE_BITS];
extern u64 ctx_table_multiplier;

static inline struct hlist_bl_head *ctx_table_list(u64 id)
{
	return ctx_table + (id * ctx_table_multiplier >> (64 - CTX_TABLE_BITS));
}

/*
 * For what is done to a list under its lock, which is a bit of the first pointer: who waits
 * for that sets the bit again and again while it is set, which changes nothing, and
 * ctx_scan_table() looks whether a list is empty and may miss what is just coming.
 */
#define ctx_table_do(action)	((void)data_race(((action), 0)))

static inline struct hlist_bl_node *ctx_table_first(struct hlist_bl_head *list)
{
	/* See ctx_table_do(). */
	return data_race(hlist_bl_first(list));
}

/**
 * ctx_register - let a context be found from now on
 * @ctx: the caller has a reference
 *
 * Context: process
 */
static inline void ctx_register(struct ctx *ctx)
{
	struct hlist_bl_head *list = ctx_table_list(ctx->id);

	hlist_bl_lock(list);
	ctx_table_do(hlist_bl_add_head(&ctx->entry, list));
	ctx_table_do(hlist_bl_unlock(list));
}

/**
 * ctx_unregister - let a context be found no longer
 * @ctx: without references; it may never have been registered
 *
 * Context: process
 */
static inline void ctx_unregister(struct ctx *ctx)
{
	struct hlist_bl_head *list = ctx_table_list(ctx->id);

	if (hlist_bl_unhashed(&ctx->entry))
		return;
	hlist_bl_lock(list);
	ctx_table_do(__hlist_bl_del(&ctx->entry));
	ctx_table_do(hlist_bl_unlock(list));
}

/* cancel.c: being cancelled */
struct ctx *ctx_origin(struct ctx *ctx);
bool ctx_join(struct ctx *ctx);
void ctx_inherit_from(struct ctx *ctx, struct ctx *parent);
void ctx_inherit_over(struct ctx *ctx, struct ctx *parent);
u64 ctx_look_begin(void);
bool ctx_look(struct ctx *ctx, u64 since);
bool ctx_mark(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message);
bool ctx_mark_locked(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message,
		     ktime_t now);

/**
 * ctx_is_cancelled - whether a context is cancelled, for those who tell nobody
 * @ctx: the context
 *
 * Context: any
 */
static inline bool ctx_is_cancelled(const struct ctx *ctx)
{
	const struct ctx *up;

	/* Two at a time: this is most of what it costs to poll. */
	while ((up = ctx->up)) {
		if (unlikely((long)READ_ONCE(ctx->origin) | (long)READ_ONCE(up->origin)))
			return true;
		ctx = up->up;
		if (!ctx)
			return false;
	}
	return READ_ONCE(ctx->origin);
}

/**
 * ctx_inherit - give a context the origin of its parent, unless it has one
 * @ctx: the context
 * @origin: its parent's, whose status word is set
 *
 * Context: any
 * Return: the origin that it then has, the record of which may be read
 */
static inline struct ctx *ctx_inherit(struct ctx *ctx, struct ctx *origin)
{
	/*
	 * Model: once, inherit_release. Whoever finds @origin here finds it above,
	 * too, and the record.
	 */
	if (!cmpxchg(&ctx->origin, NULL, origin))
		return origin;
	/* Model: inherit_acquire. A failed cmpxchg() orders only what depends on the value. */
	return smp_load_acquire(&ctx->origin);
}

/* walk.c: telling whoever waits for it */

/* Whether all at a cancelled context was told but what is below it, its status word first. */
static inline bool ctx_is_told(const struct ctx *ctx)
{
	/* Model: told_acquire. Pairs with ctx_tell_end(). Who joined later saw @origin. */
	return smp_load_acquire(&ctx->told);
}

/**
 * struct ctx_budget - what may be done before others have their turn
 * @left: contexts to tell, finish or free, and waiters to wake; none where it is 0 or less
 * @until: CLOCK_MONOTONIC: when it is over in any case
 */
struct ctx_budget {
	long	left;
	ktime_t	until;
};

static inline void ctx_budget_init(struct ctx_budget *budget, long n)
{
	budget->left = n;
	budget->until = ktime_get() + CTX_TURN_NS;
}

bool ctx_is_hurried(void);
bool ctx_is_strange(const struct ctx *ctx);
bool ctx_tell_briefly(struct ctx *ctx, bool few);
void ctx_wake_init(struct ctx_wake *wake);
bool ctx_walk(struct ctx *top, struct ctx_budget *budget, struct ctx_user *user);
void ctx_walk_resume(struct ctx_user *user, struct ctx_budget *budget);
void ctx_wake_subtree(struct ctx *top);
void ctx_wake_later(struct ctx *top);
bool ctx_cancel(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message);

/* queue.c: what is left to tell and to free when nobody waits for it */
struct ctx_clock;
struct ctx_signal;

int ctx_queue_init(void);
void ctx_queue_drain(void);
void ctx_queue_exit(void);
void ctx_queue(struct ctx *ctx);
void ctx_queue_dead(struct ctx *dead);
void ctx_queue_clock(struct ctx_clock *clock);
void ctx_queue_signal(struct ctx_signal *signal);
bool ctx_unqueue_signal(struct ctx_signal *signal);

/**
 * ctx_put_any - let go of a context, wherever that is
 * @ctx: a reference to it
 *
 * Context: any, no context's lock held
 */
static inline void ctx_put_any(struct ctx *ctx)
{
	/* Model: put_not_last. The last one frees, which may sleep: the queue lets go of it. */
	if (!refcount_dec_not_one(&ctx->refs))
		ctx_queue(ctx);
}

/* callback.c: the hooks that a walk comes by */
int ctx_callback_init(void);
void ctx_callback_exit(void);
bool ctx_hook_add(struct ctx *ctx, struct ctx_hook *hook);
bool ctx_hook_remove(struct ctx *ctx, struct ctx_hook *hook);
struct ctx_hook *ctx_next_hook(struct ctx *ctx, bool brief);

/*
 * The first hook of @ctx where that is an edge the child of which is there, as most are, with a
 * reference on the child; else NULL, and ctx_next_hook() tells what there is.
 */
static inline struct ctx_hook *ctx_first_edge(struct ctx *ctx)
{
	struct ctx_hook *hook;

	guard(spinlock_irq)(&ctx->lock);
	hook = hlist_entry_safe(ctx->hooks.first, struct ctx_hook, node);
	/* Model: ref_not_zero. As in ctx_mark_children(). */
	return hook && hook->child && refcount_inc_not_zero(&hook->child->refs) ? hook : NULL;
}

/* signal.c: O_ASYNC */

/**
 * struct ctx_signal - that a descriptor is to be signalled
 * @node: on its context's @signals; the context's lock, as @sent
 * @sent: or is being sent
 * @group: it is to a process group, or was when it was to be sent
 * @holds_user: @user is a reference
 * @refs: of the context's list, the queue, whoever sends it
 * @file: whose it is; is there as long as @node is on the list, for its end takes it off
 * @list: what kill_fasync() goes through: this one, until the descriptor is closed
 * @user: who asked for it
 * @queue: on @user's @signals; the queue's lock
 * @off: not to be queued any more; the queue's lock
 */
struct ctx_signal {
	struct hlist_node	node;
	bool			sent;
	bool			group;
	bool			holds_user;
	refcount_t		refs;
	struct file		*file;
	struct fasync_struct	*list;
	struct ctx_user		*user;
	struct list_head	queue;
	bool			off;
};

/* Whether there are any, as far as is seen without the lock of @ctx. */
static inline bool ctx_has_signals(const struct ctx *ctx)
{
	return READ_ONCE(ctx->signals.first);
}

int ctx_signal_fasync(int fd, struct file *file, int on);
void ctx_signal_put(struct ctx_signal *signal);
void ctx_signal_send(struct ctx_signal *signal);
unsigned int ctx_signal_all(struct ctx *ctx);

/* merge.c: further parents */

/**
 * struct ctx_edge - that a context is the child of a further parent
 * @hook: on the parent's @hooks, with the child
 * @parent: held by this edge, or by another of the child
 * @holds: whether by this one
 */
struct ctx_edge {
	struct ctx_hook		hook;
	struct ctx		*parent;
	bool			holds;
};

/**
 * struct ctx_merge - the edges of a context to its further parents
 * @nr: edges
 * @edges: never change but for their hooks
 */
struct ctx_merge {
	unsigned int		nr;
	struct ctx_edge		edges[];
};

int ctx_merge_read(struct ctx *ctx, const struct ctx_create_args *args);
void ctx_merge_link(struct ctx *ctx);
void ctx_merge_unlink(struct ctx *ctx);
void ctx_settle_all(struct ctx *ctx);
int ctx_merge_earliest(struct ctx *ctx, ktime_t *earliest);

/**
 * ctx_settle - pass cancellations on to a context and all above it
 * @ctx: the context
 *
 * A cancellation passes an edge to a further parent when its walk comes there. Where
 * something is to be added below, it is not waited for: else a walk could be fed.
 *
 * Context: process, no lock held, may sleep
 */
static inline void ctx_settle(struct ctx *ctx)
{
	if (unlikely(ctx->chain))
		ctx_settle_all(ctx);
}

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
 * @passed: it had when the caller asked for it
 * @at: 0 for never
 */
struct ctx_when {
	clockid_t	clock;
	bool		passed;
	ktime_t		at;
};

/* The earlier of two deadlines, of which 0 is never. */
static inline ktime_t ctx_earlier(ktime_t a, ktime_t b)
{
	if (!a || !b)
		return a ?: b;
	return min(a, b);
}

/**
 * struct ctx_deadline - a context's own deadline
 * @node: on @clock's queue; its lock
 * @ctx: whose it is; no reference
 * @clock: on the queue of which it was put last, or NULL; the outer lock of @ctx
 * @when: the outer lock of @ctx
 */
struct ctx_deadline {
	struct timerqueue_node	node;
	struct ctx		*ctx;
	struct ctx_clock	*clock;
	struct ctx_when		when;
};

/* @dl: of @ctx, zeroed */
static inline void ctx_deadline_init(struct ctx_deadline *dl, struct ctx *ctx)
{
	timerqueue_init(&dl->node);
	dl->ctx = ctx;
}

/* Deadlines that strike together */
#define CTX_DUE	8

int ctx_deadlines_init(void);
void ctx_deadlines_exit(void);
ktime_t ctx_now(clockid_t clock);
void ctx_deadlines_strike(struct ctx **due, unsigned int nr, ktime_t now);
int ctx_when_read(struct ctx_when *when, u64 deadline, s32 clockid, bool timeout);
int ctx_deadline_prepare(struct ctx *ctx, const struct ctx_when *when);
int ctx_deadline_set(struct ctx *ctx, const struct ctx_when *when);
void ctx_deadline_start(struct ctx *ctx, const struct ctx_when *when);
void ctx_deadline_free(struct ctx *ctx);
ktime_t ctx_deadline_own(struct ctx *ctx);
int ctx_deadline_earliest(struct ctx *ctx, ktime_t *earliest);
u64 ctx_time_for_caller(ktime_t mono);

/* clock.c: the timers of a user's deadlines */

/**
 * struct ctx_clock - the deadlines of a user on one clock, set on one processor
 * @lock: protects @queue, @behind and the start of @timer; within an outer lock
 * @id: never changes
 * @behind: more is due than an interrupt may handle: ctx_clock_run() is to be called
 * @queue: deadlines
 * @timer: for the first of them, or earlier
 * @user: never changes; whose
 * @late: on @user's @late; the queue's lock
 */
struct ctx_clock {
	spinlock_t		lock;	/* of the queue and the timer */
	clockid_t		id;
	bool			behind;
	struct timerqueue_head	queue;
	struct hrtimer		timer;
	struct ctx_user		*user;
	struct list_head	late;
};

int ctx_clocks_alloc(struct ctx_user *user);
/**
 * ctx_clocks_prepare - make sure that a user has what ctx_clock_add() needs
 * @user: who
 *
 * Return: 0 or -ENOMEM
 */
static inline int ctx_clocks_prepare(struct ctx_user *user)
{
	return likely(READ_ONCE(user->clocks)) ? 0 : ctx_clocks_alloc(user);
}

void ctx_clocks_stop(void);
void ctx_clocks_free(struct ctx_user *user);
void ctx_clock_add(struct ctx_deadline *dl, struct ctx_user *user);
void ctx_clock_remove(struct ctx_deadline *dl);
bool ctx_clock_run(struct ctx_clock *clock);

/**
 * ctx_clock_has - whether a deadline is yet to pass
 * @dl: ctx_clock_add() was called for it; its context's outer lock is held
 *
 * Where it has passed, that holds also if somebody has set the clock back since.
 *
 * Context: any
 */
static inline bool ctx_clock_has(struct ctx_deadline *dl)
{
	lockdep_assert_held(ctx_outer_lock(dl->ctx));

	/* Without the clock's lock it may but be taken off as due, again, just now. */
	return !data_race(RB_EMPTY_NODE(&dl->node.node));
}

/* anon.c: what descriptors share */
int ctx_anon_init(void);
void ctx_anon_exit(void);
struct file *ctx_anon_open(const struct file_operations *fops, void *private, int flags);

/* file.c: descriptors, of which there are these kinds */
extern const struct file_operations ctx_fops;		/* from CTX_IOC_CREATE, CTX_IOC_WATCH */
extern const struct file_operations ctx_owned_fops;	/* of CTX_CREATE_OWNED */
extern const struct file_operations ctx_watch_only_fops;	/* of CTX_WATCH_ONLY */
extern const struct file_operations ctx_control_fops;	/* of CTX_OPEN_CONTROL */
extern const struct file_operations ctx_dev_fops;	/* /dev/ctx */

/**
 * ctx_file_writable - whether a descriptor may cancel and move the deadline
 * @file: of a context, or /dev/ctx, which may not however it was opened
 */
static inline bool ctx_file_writable(const struct file *file)
{
	return (file->f_mode & FMODE_WRITE) && file->f_op != &ctx_dev_fops;
}

/**
 * ctx_file_watch_only - whether a descriptor is one for strangers
 * @file: of a context, or /dev/ctx
 */
static inline bool ctx_file_watch_only(const struct file *file)
{
	return file->f_op == &ctx_watch_only_fops;
}

struct ctx *ctx_parent_from_fd(int fd);
int ctx_open_fd(struct ctx *ctx, const struct file_operations *fops, int mode, u32 fd_flags,
		struct file **filep);

/* ioctl.c */
long ctx_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* info.c: what a context is like, to programs and to people */
int ctx_get_info(struct ctx *ctx, struct ctx_info *info);
void ctx_show_info(struct seq_file *m, struct ctx *ctx);

#endif /* _CTX_CTX_H */
