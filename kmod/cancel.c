// SPDX-License-Identifier: GPL-2.0-only
/*
 * Being cancelled, and telling whoever waits for it. The rules are in ctx.h.
 */
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched.h>

#include "ctx.h"
#include "trace.h"

/* Contexts of a path that one pass of ctx_copy_down() handles. */
#define CTX_PATH	32

/*
 * Gives @ctx the @origin of its parent, unless it has one. The parent's status
 * word is set.
 *
 * Return: the origin that it then has, the record of which may be read
 */
static struct ctx *ctx_inherit(struct ctx *ctx, struct ctx *origin)
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

/*
 * Copies the origin of the nearest cancelled ancestor down to @ctx, parent
 * before child. The path can be as long as max_depth, and can only be climbed:
 * so each pass climbs it all and handles the CTX_PATH contexts at its top.
 */
static struct ctx *ctx_copy_down(struct ctx *ctx)
{
	struct ctx *path[CTX_PATH], *origin, *p;
	unsigned int n, i;

	do {
		n = 0;
		/* Model: copy_down_acquire. Whoever has an origin from us may read its record. */
		for (p = ctx; !(origin = smp_load_acquire(&p->origin)); p = p->up)
			path[n++ % CTX_PATH] = p;
		/* Model: parent_first, word_first. */
		for (i = min(n, CTX_PATH); i; i--) {
			ctx_status_set(p);
			p = path[--n % CTX_PATH];
			origin = ctx_inherit(p, origin);
		}
	} while (n);
	/* Model: word_told. Who is told by a descriptor finds the word set, too. */
	ctx_status_set(ctx);
	return origin;
}

/**
 * ctx_origin - whose cancellation reached a context
 * @ctx: the context
 *
 * Context: any
 * Return: the context whose cancellation it was, which lives as long as @ctx
 *	and whose record may be read; NULL while @ctx is alive
 */
struct ctx *ctx_origin(struct ctx *ctx)
{
	struct ctx *p;

	for (p = ctx; p; p = p->up)
		if (unlikely(READ_ONCE(p->origin)))
			return ctx_copy_down(ctx);
	return NULL;
}

/**
 * ctx_err - whether a context is cancelled
 * @ctx: a reference to it
 *
 * Context: any
 * Return: 0 while it is alive, then -ECANCELED or -ETIMEDOUT for ever
 */
int ctx_err(struct ctx *ctx)
{
	struct ctx *origin = ctx_origin(ctx);

	return origin ? -(int)origin->err : 0;
}
EXPORT_SYMBOL_GPL(ctx_err);

/**
 * ctx_join - join those that are told of a cancellation
 * @ctx: the context; the caller has put what is to be told where a walk looks
 *
 * Return: whether @ctx is alive; if not, the walk may or may not have told it
 */
bool ctx_join(struct ctx *ctx)
{
	WRITE_ONCE(ctx->joined, true);
	/* Model: join_mb. Pairs with those of ctx_tell() and ctx_status_set(). */
	smp_mb();
	return !ctx_origin(ctx);
}

/* Cancels @ctx, the outer lock of which is held, unless somebody did. */
static bool ctx_set_origin(struct ctx *ctx, struct ctx *origin)
{
	lockdep_assert_held(ctx_outer_lock(ctx));

	/* Model: once, origin_release. Publishes the record; pairs with ctx_copy_down(). */
	if (cmpxchg(&ctx->origin, NULL, origin))
		return false;
	ctx_uncount(ctx);
	trace_ctx_cancel(ctx, origin);
	return true;
}

/**
 * ctx_mark_locked - cancel a context, but tell nobody yet
 * @ctx: the context, whose outer lock is held; the caller has seen its ancestors
 *	alive since it was asked to cancel
 * @err: ECANCELED or ETIMEDOUT
 * @cause: over 0
 * @message: NULL, or the context's from now on where it was cancelled
 *
 * An ancestor that is cancelled between the caller's look and the cmpxchg()
 * counts as cancelled after this one: nobody has seen otherwise, because whoever
 * looks at this context or below copies down to it first, and the cmpxchg()
 * fails.
 *
 * Return: whether this call cancelled it
 */
bool ctx_mark_locked(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message)
{
	lockdep_assert_held(ctx_outer_lock(ctx));

	if (READ_ONCE(ctx->origin))
		return false;

	ctx->err = err;
	ctx->cause = cause;
	ctx->message = message;
	ctx->cancelled_at = ktime_get();
	if (ctx_set_origin(ctx, ctx))
		return true;
	ctx->message = NULL;
	return false;
}

/**
 * ctx_mark - cancel a context, but tell nobody yet
 * @ctx: the context
 * @err: as ctx_mark_locked()
 * @cause: as ctx_mark_locked()
 * @message: as ctx_mark_locked()
 *
 * Context: any with interrupts on, no context's lock held
 * Return: whether this call cancelled it
 */
bool ctx_mark(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message)
{
	/* Model: mark_look. */
	if (ctx_origin(ctx))
		return false;

	guard(spinlock_irq)(ctx_outer_lock(ctx));
	return ctx_mark_locked(ctx, err, cause, message);
}

/**
 * ctx_inherit_from - cancel a context with a further parent, but tell nobody yet
 * @ctx: the context
 * @parent: a further parent, whose own @origin and status word are set
 *
 * Context: any with interrupts on, no context's lock held
 */
void ctx_inherit_from(struct ctx *ctx, struct ctx *parent)
{
	/* Model: merge_look. Those above by @up may have been cancelled before. */
	if (ctx_origin(ctx))
		return;

	guard(spinlock_irq)(ctx_outer_lock(ctx));
	/* Model: merge_acquire. As in ctx_copy_down(). */
	ctx_set_origin(ctx, smp_load_acquire(&parent->origin));
}

/**
 * ctx_tell - tell all that is at a context itself
 * @ctx: its own @origin is set
 *
 * Context: any, no context's lock held
 * Return: whether there was someone to tell
 */
bool ctx_tell(struct ctx *ctx)
{
	bool any = false;

	/* Model: told_acquire. Pairs with the release below. Who joined later saw @origin. */
	if (smp_load_acquire(&ctx->told))
		return false;

	/*
	 * Model: tell_mb. Pairs with those of ctx_poll(), ctx_join(), prepare_to_wait().
	 * Also for the children, which ctx_has_someone_to_tell() looks at next: who
	 * joins one looks up to here after joining.
	 */
	smp_mb();
	if (READ_ONCE(ctx->joined)) {
		any = true;
		ctx_status_set(ctx);
	}
	/* An empty queue: who joins it now looks at @origin after that (poll_mb, tell_mb). */
	if (waitqueue_active(&ctx->wait)) {
		any = true;
		__wake_up(&ctx->wait, TASK_NORMAL, 0, /* exclusive waiters, too */
			  poll_to_key(EPOLLIN | EPOLLRDNORM));
	}
	if (READ_ONCE(ctx->joined))
		kill_fasync(&ctx->fasync, SIGIO, POLL_IN);
	/* Model: told_release. Pairs with the acquire above. */
	smp_store_release(&ctx->told, true);
	return any;
}

/*
 * Whether a walk must go to @child, the @origin of which is set. Who joins later
 * looks, after joining, at the @origin of the context from which the walk came
 * down, where ctx_tell() has passed a barrier: so there is none here.
 */
static bool ctx_has_someone_to_tell(struct ctx *child)
{
	/* No lock for it: see above. */
	return waitqueue_active(&child->wait) || !ctx_list_empty(&child->children) ||
	       READ_ONCE(child->joined);
}

/*
 * Marks children of @ctx, which is cancelled, and drops those that have nobody
 * to tell and no children of their own, until it finds one that has. @done is
 * one that the walk has finished, or NULL. Adds to @reached how many it dropped.
 *
 * Return: that child, with a reference; NULL where all children are done with;
 *	ERR_PTR(-EAGAIN) after CTX_BATCH of them
 */
static struct ctx *ctx_mark_children(struct ctx *ctx, struct ctx *done, unsigned long *reached)
{
	/* Model: walk_acquire. What is passed on may be read by whoever gets it from there. */
	struct ctx *origin = smp_load_acquire(&ctx->origin);
	unsigned int n;

	guard(spinlock_irq)(&ctx->lock);
	/* Model: list_last. All of @done was told before. */
	if (done)
		ctx_list_del(&done->sibling);
	for (n = 0; n < CTX_BATCH; n++, ++*reached) {
		struct ctx *child = hlist_entry_safe(ctx->children.first, struct ctx, sibling);

		if (!child)
			return NULL;
		ctx_inherit(child, origin);
		/* Model: ref_not_zero. */
		if (ctx_has_someone_to_tell(child) && refcount_inc_not_zero(&child->refs))
			return child;
		/* It has nobody to tell, or lost its last reference and is going. */
		ctx_list_del(&child->sibling);
	}
	return ERR_PTR(-EAGAIN);
}

/**
 * ctx_wake_subtree - tell whoever waits on a context or on any below it
 * @top: its own @origin is set
 *
 * When it returns all of them have been told, by this walk or by another.
 *
 * Context: process, no lock held; can be preempted anywhere but in a batch
 */
void ctx_wake_subtree(struct ctx *top)
{
	u64 start = trace_ctx_wake_enabled() ? ktime_get_ns() : 0;
	struct ctx *cur = ctx_get(top), *done = NULL, *next;
	struct ctx *via = NULL, *crossed = NULL;
	unsigned long reached = 1, woken;

	might_sleep();

	woken = ctx_tell(top);
	for (;;) {
		cond_resched();
		next = ctx_mark_children(cur, done, &reached);
		if (done)
			ctx_put(done);
		done = NULL;
		if (IS_ERR(next))
			continue;
		if (!next) {
			next = ctx_next_hook(cur);
			if (next)
				ctx_inherit_from(next, cur);
		}
		if (next) {
			woken += ctx_tell(next);
			if (next->merge) {
				if (via)
					ctx_put(via);
				via = cur;
				crossed = next;
			} else {
				/* Not the last one: @next holds its parent. */
				refcount_dec(&cur->refs);
			}
			cur = next;
			continue;
		}
		if (cur == top)
			break;
		reached++;
		done = cur;
		if (!cur->merge) {
			/* Model: walk_ref. */
			cur = ctx_get(cur->up);
			continue;
		}
		/* It does not show by which parent we came. */
		ctx_unlink(cur);
		if (via && cur == crossed) {
			cur = via;
			via = NULL;
		} else {
			cur = ctx_get(top);
		}
		ctx_put(done);
		done = NULL;
	}
	if (via)
		ctx_put(via);
	ctx_unlink(top);
	if (start)
		trace_ctx_wake(top, reached, woken, ktime_get_ns() - start);
	ctx_put(top);
}

/**
 * ctx_cancel - cancel a context and tell all that this reaches
 * @ctx: the context
 * @err: ECANCELED or ETIMEDOUT
 * @cause: over 0
 * @message: NULL, or the context's from now on where this returns true
 *
 * Context: process, no lock held
 * Return: whether this call cancelled it. All have been told in either case.
 */
bool ctx_cancel(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message)
{
	bool won = ctx_mark(ctx, err, cause, message);

	ctx_wake_subtree(ctx);
	return won;
}
