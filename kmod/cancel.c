// SPDX-License-Identifier: GPL-2.0-only
/*
 * Being cancelled, and waking whoever waits for it. The rules are in ctx.h.
 */
#include <linux/poll.h>
#include <linux/sched.h>

#include "ctx.h"

/* Contexts of a path that one pass of ctx_copy_down() handles. */
#define CTX_PATH	32

/*
 * Gives @ctx the @origin of its parent, unless it has one. The cmpxchg()
 * publishes nothing: what @origin points to was published with the parent's.
 *
 * Return: the origin that it then has
 */
static struct ctx *ctx_inherit(struct ctx *ctx, struct ctx *origin)
{
	struct ctx *old = cmpxchg(&ctx->origin, NULL, origin);

	return old ?: origin;
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
		/* Acquire: whoever has an origin from us may read its record. */
		for (p = ctx; !(origin = smp_load_acquire(&p->origin)); p = p->parent)
			path[n++ % CTX_PATH] = p;
		for (i = min(n, CTX_PATH); i; i--)
			origin = ctx_inherit(path[--n % CTX_PATH], origin);
	} while (n);
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

	for (p = ctx; p; p = p->parent)
		if (unlikely(READ_ONCE(p->origin)))
			return ctx_copy_down(ctx);
	return NULL;
}

/**
 * ctx_mark_locked - cancel a context, but wake nobody yet
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
	/* Publishes the record; pairs with the acquire in ctx_copy_down(). */
	if (cmpxchg(&ctx->origin, NULL, ctx)) {
		ctx->message = NULL;
		return false;
	}
	if (ctx->parent)
		ctx->parent->nr_children--;
	return true;
}

/**
 * ctx_mark - cancel a context, but wake nobody yet
 * @ctx: the context
 * @err: as ctx_mark_locked()
 * @cause: as ctx_mark_locked()
 * @message: as ctx_mark_locked()
 *
 * Context: any, no context's lock held
 * Return: whether this call cancelled it
 */
bool ctx_mark(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message)
{
	if (ctx_origin(ctx))
		return false;

	guard(spinlock_irqsave)(ctx_outer_lock(ctx));
	return ctx_mark_locked(ctx, err, cause, message);
}

/**
 * ctx_wake - wake whoever waits on a context
 * @ctx: cancelled
 *
 * Context: any, no context's lock held
 */
void ctx_wake(struct ctx *ctx)
{
	/* Pairs with those of ctx_poll() and of prepare_to_wait() in ctx_read_iter(). */
	smp_mb();
	/* An empty queue: who joins it now will look at @origin after that. */
	if (waitqueue_active(&ctx->wait))
		__wake_up(&ctx->wait, TASK_NORMAL, 0, /* exclusive waiters, too */
			  poll_to_key(EPOLLIN | EPOLLRDNORM));
}

/*
 * Whether a walk must go to @child, whose @origin the caller has just set. Who
 * joins its queue or its list later will look at that @origin after joining.
 */
static bool ctx_has_waiters_or_children(struct ctx *child)
{
	/* Pairs with those of ctx_poll() and of prepare_to_wait() in ctx_read_iter(). */
	smp_mb();
	/* No lock for it: see above. */
	return waitqueue_active(&child->wait) || !hlist_empty(&child->children);
}

/*
 * Marks children of @ctx, which is cancelled, and drops those that have neither
 * waiters nor children of their own, until it finds one that has.
 *
 * Return: that child, with a reference; NULL where all children are done with;
 *	ERR_PTR(-EAGAIN) after CTX_BATCH of them
 */
static struct ctx *ctx_mark_children(struct ctx *ctx)
{
	/* Acquire: what is passed on may be read by whoever gets it from there. */
	struct ctx *origin = smp_load_acquire(&ctx->origin);
	unsigned int n;

	guard(spinlock_irq)(&ctx->lock);
	for (n = 0; n < CTX_BATCH; n++) {
		struct ctx *child = hlist_entry_safe(ctx->children.first, struct ctx, sibling);

		if (!child)
			return NULL;
		ctx_inherit(child, origin);
		if (ctx_has_waiters_or_children(child) && refcount_inc_not_zero(&child->refs))
			return child;
		/* It has nobody to wake, or lost its last reference and is going. */
		hlist_del_init(&child->sibling);
	}
	return ERR_PTR(-EAGAIN);
}

/**
 * ctx_wake_subtree - wake whoever waits on a context or on any below it
 * @top: cancelled
 *
 * When it returns all of them have been woken, by this walk or by another.
 *
 * Context: process, no lock held; can be preempted anywhere but in a batch
 */
void ctx_wake_subtree(struct ctx *top)
{
	struct ctx *cur = ctx_get(top), *next;

	might_sleep();

	ctx_wake(top);
	for (;;) {
		next = ctx_mark_children(cur);
		if (next && !IS_ERR(next)) {
			ctx_wake(next);
			ctx_put(cur);
			cur = next;
		} else if (!next) {
			ctx_unlink(cur);
			if (cur == top)
				break;
			next = ctx_get(cur->parent);
			ctx_put(cur);
			cur = next;
		}
		cond_resched();
	}
	ctx_put(cur);
}

/**
 * ctx_cancel - cancel a context and wake all that this reaches
 * @ctx: the context
 * @err: ECANCELED or ETIMEDOUT
 * @cause: over 0
 * @message: NULL, or the context's from now on where this returns true
 *
 * Context: process, no lock held
 * Return: whether this call cancelled it. All have been woken in either case.
 */
bool ctx_cancel(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message)
{
	bool won = ctx_mark(ctx, err, cause, message);

	ctx_wake_subtree(ctx);
	return won;
}
