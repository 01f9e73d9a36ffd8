// SPDX-License-Identifier: GPL-2.0-only
/*
 * Being cancelled, which walk.c tells whoever waits for it. The rules are in ctx.h.
 */
#include <linux/export.h>

#include "ctx.h"
#include "trace.h"

/* Contexts of a path that one pass of ctx_copy_down() handles. */
#define CTX_PATH	32

/*
 * Copies the origin of the nearest cancelled ancestor down to @ctx, parent
 * before child. The path can be as long as max_depth, and can only be climbed:
 * so each pass climbs it all and handles the CTX_PATH contexts at its top.
 */
static noinline struct ctx *ctx_copy_down(struct ctx *ctx)
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
	struct ctx *origin;

	if (!ctx_is_cancelled(ctx))
		return NULL;
	/* Model: own_acquire. As in ctx_copy_down(). */
	origin = smp_load_acquire(&ctx->origin);
	if (!origin)
		origin = ctx_copy_down(ctx);
	/* Model: word_told. Who is told by a descriptor finds the word set, too. */
	ctx_status_set(ctx);
	return origin;
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
 * @now: CLOCK_MONOTONIC
 *
 * An ancestor that is cancelled between the caller's look and the cmpxchg()
 * counts as cancelled after this one: nobody has seen otherwise, because whoever
 * looks at this context or below copies down to it first, and the cmpxchg()
 * fails.
 *
 * Return: whether this call cancelled it
 */
bool ctx_mark_locked(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message,
		     ktime_t now)
{
	lockdep_assert_held(ctx_outer_lock(ctx));

	if (READ_ONCE(ctx->origin))
		return false;

	ctx->err = err;
	ctx->cause = cause;
	ctx->message = message;
	ctx->cancelled_at = now;
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
	return ctx_mark_locked(ctx, err, cause, message, ktime_get());
}

/* Contexts of a path between those where a look up it is noted. */
#define CTX_NOTED	16

/* How often ctx_look_begin() was called. */
static atomic64_t ctx_looks = ATOMIC64_INIT(0);

/**
 * ctx_look_begin - be about to look for what is alive
 *
 * Context: any; the caller has seen the cancellation after which it is to be alive
 * Return: when that was, over 0
 */
u64 ctx_look_begin(void)
{
	/*
	 * Model: look_begin. Pairs with the acquire in ctx_look(): who looks after that, whoever
	 * it is, sees what was cancelled before.
	 */
	return atomic64_inc_return(&ctx_looks);
}

/* When all from @ctx up were last seen alive, or 0. */
static u64 ctx_look_known(struct ctx *ctx)
{
	guard(spinlock_irq)(ctx_outer_lock(ctx));
	return READ_ONCE(ctx->origin) ? 0 : ctx->looked;
}

static void ctx_look_note(struct ctx *ctx, u64 when)
{
	guard(spinlock_irq)(ctx_outer_lock(ctx));
	if (!READ_ONCE(ctx->origin))
		ctx->looked = max(ctx->looked, when);
}

/**
 * ctx_look - whether a context and all above it were alive at some time
 * @ctx: the context
 * @since: when, or later, as from ctx_look_begin()
 *
 * What it has seen is noted now and then on the way: so it takes no longer than what has not
 * been come by since, however many there are below.
 *
 * Context: any with interrupts on, no context's lock held
 */
bool ctx_look(struct ctx *ctx, u64 since)
{
	/* Model: look_acquire. Pairs with ctx_look_begin(). */
	u64 when = atomic64_read_acquire(&ctx_looks), known;
	struct ctx *p, *end;
	unsigned int n;

	for (p = ctx, n = 0; p; p = p->up) {
		if (READ_ONCE(p->origin))
			return false;
		if (n++ % CTX_NOTED)
			continue;
		known = ctx_look_known(p);
		if (known < since)
			continue;
		/* What is above was not looked at now. */
		when = min(when, known);
		break;
	}
	/* Model: look_all. Not before all above was seen. */
	for (end = p, p = ctx, n = 0; p != end; p = p->up)
		if (n++ % CTX_NOTED == 0)
			ctx_look_note(p, when);
	return true;
}

/**
 * ctx_inherit_over - cancel a context with a further parent, but tell nobody yet
 * @ctx: the context; those above it by @up were alive after @parent was cancelled, as the
 *	caller has seen or ctx_look() has it
 * @parent: a further parent, whose own @origin and status word are set
 *
 * Context: any with interrupts on, no context's lock held
 */
void ctx_inherit_over(struct ctx *ctx, struct ctx *parent)
{
	/* Model: merge_acquire. As in ctx_copy_down(). */
	struct ctx *origin = smp_load_acquire(&parent->origin);

	guard(spinlock_irq)(ctx_outer_lock(ctx));
	ctx_set_origin(ctx, origin);
}

/**
 * ctx_inherit_from - likewise, whatever is above the context
 * @ctx: the context
 * @parent: as ctx_inherit_over()
 *
 * Context: any with interrupts on, no context's lock held
 */
void ctx_inherit_from(struct ctx *ctx, struct ctx *parent)
{
	/* Model: merge_look. Those above by @up may have been cancelled before. */
	if (!ctx_origin(ctx))
		ctx_inherit_over(ctx, parent);
}
