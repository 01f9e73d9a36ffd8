// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines, as callers give and see them and as a context has one. What a
 * context inherits reaches it as the ancestor's cancellation, and is looked up
 * where somebody asks. Their timers are in clock.c.
 */
#include <linux/init.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>

#include "ctx.h"
#include "trace.h"

static struct kmem_cache *ctx_deadline_cache;

int __init ctx_deadlines_init(void)
{
	ctx_deadline_cache = KMEM_CACHE(ctx_deadline, SLAB_ACCOUNT);
	return ctx_deadline_cache ? 0 : -ENOMEM;
}

void ctx_deadlines_exit(void)
{
	kmem_cache_destroy(ctx_deadline_cache);
}

/* Time on one of the three clocks */
ktime_t ctx_now(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
		return ktime_get_real();
	case CLOCK_BOOTTIME:
		return ktime_get_boottime();
	default:
		return ktime_get();
	}
}

/* Keeps an instant in what a clock can show; 0 would stand for never. */
static ktime_t ctx_clamp(ktime_t at)
{
	return max_t(ktime_t, at, 1);
}

/* What the caller's time namespace adds to what @clock shows. */
static ktime_t ctx_timens_offset(clockid_t clock)
{
#ifdef CONFIG_TIME_NS
	const struct timens_offsets *offsets = &current->nsproxy->time_ns->offsets;

	if (clock == CLOCK_MONOTONIC)
		return timespec64_to_ktime(offsets->monotonic);
	if (clock == CLOCK_BOOTTIME)
		return timespec64_to_ktime(offsets->boottime);
#endif
	return 0;
}

/* @at + @offset, which may be under 0, kept in the range of a clock. */
static ktime_t ctx_shift(ktime_t at, ktime_t offset)
{
	ktime_t sum;

	if (check_add_overflow(at, offset, &sum))
		return offset > 0 ? KTIME_MAX : 1;
	return ctx_clamp(sum);
}

/**
 * ctx_time_for_caller - an instant as the caller's time namespace shows it
 * @mono: CLOCK_MONOTONIC, over 0
 *
 * Return: nanoseconds, over 0
 */
u64 ctx_time_for_caller(ktime_t mono)
{
	return ctx_shift(mono, ctx_timens_offset(CLOCK_MONOTONIC));
}

/**
 * ctx_when_read - read the deadline that a caller asks for
 * @when: the result
 * @deadline: nanoseconds
 * @clockid: of which clock
 * @timeout: @deadline counts from now, and 0 is now; else 0 is never
 *
 * A timeout on CLOCK_REALTIME becomes one on CLOCK_MONOTONIC, as it does with
 * every other timer of the kernel: to set the clock does not change it.
 *
 * Return: 0, or -EINVAL for a clock that will not do or a deadline beyond it
 */
int ctx_when_read(struct ctx_when *when, u64 deadline, s32 clockid, bool timeout)
{
	ktime_t now;

	if (clockid != CLOCK_REALTIME && clockid != CLOCK_MONOTONIC &&
	    clockid != CLOCK_BOOTTIME)
		return -EINVAL;

	when->clock = clockid;
	when->at = 0;
	when->passed = false;
	if (timeout) {
		if (clockid == CLOCK_REALTIME)
			when->clock = CLOCK_MONOTONIC;
		now = ctx_now(when->clock);
		if (deadline <= KTIME_MAX - now)
			when->at = now + deadline;
		when->passed = !deadline;
	} else if (deadline > KTIME_MAX) {
		return -EINVAL;
	} else if (deadline) {
		when->at = ctx_shift(deadline, -ctx_timens_offset(clockid));
		when->passed = when->at <= ctx_now(clockid);
	}
	return 0;
}

/* @when on CLOCK_MONOTONIC, as the clocks stand to each other now. */
static ktime_t ctx_when_mono(const struct ctx_when *when)
{
	switch (when->clock) {
	case CLOCK_REALTIME:
		return ctx_clamp(when->at - ktime_mono_to_any(0, TK_OFFS_REAL));
	case CLOCK_BOOTTIME:
		return ctx_clamp(when->at - ktime_mono_to_any(0, TK_OFFS_BOOT));
	default:
		return when->at;
	}
}

/* Those of @due from @i on that share an outer lock. Return: where they end */
static unsigned int ctx_due_end(struct ctx **due, unsigned int i, unsigned int nr)
{
	spinlock_t *lock = ctx_outer_lock(due[i]);

	while (++i < nr && ctx_outer_lock(due[i]) == lock)
		;
	return i;
}

/* Lets go of those of @due that are not in @keep. Return: how many it keeps */
static unsigned int ctx_due_keep(struct ctx **due, unsigned int nr, unsigned long keep)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++) {
		if (keep & BIT(i))
			due[n++] = due[i];
		else
			ctx_put_any(due[i]);
	}
	return n;
}

/*
 * When @dl has passed, as this expiry is to tell, which began at @now. Where it was moved
 * meanwhile and has passed again, another expiry has it, too; and @now is too early.
 */
static noinline ktime_t ctx_due_time(const struct ctx_deadline *dl, ktime_t now)
{
	return ctx_when_mono(&dl->when) <= now ? now : ktime_get();
}

/* Cancels those the deadlines of which have passed. Return: how many are left in @due */
static unsigned int ctx_due_mark(struct ctx **due, unsigned int nr, ktime_t now)
{
	unsigned long keep = 0;
	unsigned int i, end;

	/* Model: strike_look. Nothing is copied down: that might take long, and tells nobody. */
	for (i = 0; i < nr; i++)
		keep |= ctx_is_cancelled(due[i]) ? 0 : BIT(i);
	if (unlikely(keep != BIT(nr) - 1))
		nr = ctx_due_keep(due, nr, keep);

	keep = 0;
	for (i = 0; i < nr; ) {
		end = ctx_due_end(due, i, nr);
		guard(spinlock_irq)(ctx_outer_lock(due[i]));
		for (; i < end; i++) {
			struct ctx_deadline *dl = due[i]->deadline;

			/* Model: due_look. It may have been moved since the clock let go of it. */
			if (dl->when.at && !ctx_clock_has(dl) &&
			    ctx_mark_locked(due[i], ETIMEDOUT, ETIMEDOUT, NULL,
					    /* No other clock is behind this one. */
					    likely(dl->when.at <= now) ? now :
					    ctx_due_time(dl, now)))
				keep |= BIT(i);
		}
	}
	return keep == BIT(nr) - 1 ? nr : ctx_due_keep(due, nr, keep);
}

/* Tells what is short to tell, and leaves the rest to the queue. Return: whether that was all */
static bool ctx_due_tell(struct ctx *ctx)
{
	bool woken = false;

	if (trace_ctx_wake_enabled())
		/* For people: whoever joins just now may be counted or not. */
		woken = waitqueue_active(&ctx->wait) || READ_ONCE(ctx->joined);
	if (!ctx_tell_briefly(ctx, true)) {
		ctx_queue(ctx);
		return false;
	}
	if (trace_ctx_wake_enabled())
		trace_ctx_wake(ctx, 1, woken, ktime_get_ns() - ktime_to_ns(ctx->cancelled_at));
	return true;
}

/* With nobody below them now, they will have none that a walk must see. */
static void ctx_due_unlink(struct ctx **due, unsigned int nr)
{
	unsigned int i, end;

	for (i = 0; i < nr; ) {
		if (due[i]->merge)
			ctx_merge_unlink(due[i]);
		end = due[i]->merge ? i + 1 : ctx_due_end(due, i, nr);
		guard(spinlock_irq)(ctx_outer_lock(due[i]));
		for (; i < end; i++)
			ctx_list_del(&due[i]->sibling);
	}
}

/**
 * ctx_deadlines_strike - cancel contexts the deadlines of which have passed
 * @due: references, which this takes over
 * @nr: how many, at most CTX_DUE
 * @now: CLOCK_MONOTONIC
 *
 * What is short to tell is told here, the rest is left to the queue. Several at a
 * time, because siblings share a lock.
 *
 * Context: process or soft interrupt, interrupts on, no context's lock held
 */
void ctx_deadlines_strike(struct ctx **due, unsigned int nr, ktime_t now)
{
	unsigned int i, n = 0;

	nr = ctx_due_mark(due, nr, now);
	for (i = 0; i < nr; i++)
		if (ctx_due_tell(due[i]))
			due[n++] = due[i];
	ctx_due_unlink(due, n);
	for (i = 0; i < n; i++)
		ctx_put_any(due[i]);
}

/**
 * ctx_deadline_prepare - make sure that ctx_deadline_set() has what it needs
 * @ctx: the context
 * @when: what it will be set to
 *
 * Return: 0 or -ENOMEM
 */
int ctx_deadline_prepare(struct ctx *ctx, const struct ctx_when *when)
{
	struct ctx_deadline *dl;
	int ret;

	if (!when->at)
		return 0;
	/* Model: deadline_acquire. Who finds it finds @clocks of the user, too. */
	if (smp_load_acquire(&ctx->deadline))
		return 0;

	ret = ctx_clocks_prepare(ctx->user);
	if (ret)
		return ret;
	dl = kmem_cache_zalloc(ctx_deadline_cache, GFP_KERNEL);
	if (!dl)
		return -ENOMEM;
	ctx_deadline_init(dl, ctx);

	/* Model: deadline_release. Pairs with the address dependency of whoever reads it. */
	if (cmpxchg(&ctx->deadline, NULL, dl))
		kmem_cache_free(ctx_deadline_cache, dl);
	return 0;
}

/* Return: 0; 1 where @when has passed and this call has cancelled @ctx; -ECANCELED */
static int ctx_deadline_try_set(struct ctx *ctx, struct ctx_deadline *dl,
				const struct ctx_when *when)
{
	if (ctx_origin(ctx))
		return -ECANCELED;

	guard(spinlock_irq)(ctx_outer_lock(ctx));
	/*
	 * Model: deadline_look. A deadline strikes under this lock: so the old one has, or
	 * will not any more.
	 */
	if (READ_ONCE(ctx->origin))
		return -ECANCELED;
	if (!dl)
		return 0;
	ctx_clock_remove(dl);
	dl->when = *when;
	if (!when->at)
		return 0;
	if (!when->passed) {
		ctx_clock_add(dl, ctx->user);
		return 0;
	}
	return ctx_mark_locked(ctx, ETIMEDOUT, ETIMEDOUT, NULL, ktime_get()) ? 1 : -ECANCELED;
}

/**
 * ctx_deadline_set - replace a context's own deadline
 * @ctx: the context
 * @when: ctx_deadline_prepare() has been called with it; one that has passed
 *	cancels @ctx
 *
 * Once it has returned 0 the old deadline cannot strike any more.
 *
 * Context: process, no lock held, may sleep
 * Return: 0, or -ECANCELED where @ctx was cancelled before
 */
int ctx_deadline_set(struct ctx *ctx, const struct ctx_when *when)
{
	int ret = ctx_deadline_try_set(ctx, READ_ONCE(ctx->deadline), when);

	if (ret != 1)
		return ret;
	ctx_wake_subtree(ctx);
	return 0;
}

/**
 * ctx_deadline_start - give a new context its deadline
 * @ctx: fresh from ctx_alloc(), which was told of it; its outer lock is held
 * @when: has not passed
 */
void ctx_deadline_start(struct ctx *ctx, const struct ctx_when *when)
{
	ctx->deadline->when = *when;
	ctx_clock_add(ctx->deadline, ctx->user);
}

/**
 * ctx_deadline_free - end a context's deadline together with the context
 * @ctx: without references; has one
 *
 * Context: any, no lock held
 */
void ctx_deadline_free(struct ctx *ctx)
{
	ctx_clock_remove(ctx->deadline);
	if (!ctx->timed)
		kmem_cache_free(ctx_deadline_cache, ctx->deadline);
}

/**
 * ctx_deadline_own - a context's own deadline
 * @ctx: the context
 *
 * Return: CLOCK_MONOTONIC, over 0; 0 where there is none
 */
ktime_t ctx_deadline_own(struct ctx *ctx)
{
	struct ctx_deadline *dl = READ_ONCE(ctx->deadline);
	struct ctx_when when;

	if (!dl)
		return 0;
	scoped_guard(spinlock_irq, ctx_outer_lock(ctx))
		when = dl->when;
	return when.at ? ctx_when_mono(&when) : 0;
}

/**
 * ctx_deadline_earliest - the earliest of a context's deadlines
 * @ctx: the context, whose own counts and those that it inherits
 * @earliest: the result: CLOCK_MONOTONIC, over 0; 0 where there is none
 *
 * Context: process, may sleep
 * Return: 0, or -EINTR where the task is being killed
 */
int ctx_deadline_earliest(struct ctx *ctx, ktime_t *earliest)
{
	if (ctx->chain)
		return ctx_merge_earliest(ctx, earliest);
	for (*earliest = 0; ctx; ctx = ctx->up)
		*earliest = ctx_earlier(*earliest, ctx_deadline_own(ctx));
	return 0;
}
