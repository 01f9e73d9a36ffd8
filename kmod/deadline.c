// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines: clocks, time namespaces and timers. The rules are in ctx.h.
 *
 * A context has a timer for its own deadline alone. What it inherits reaches it
 * as the ancestor's cancellation, and is looked up where somebody asks.
 */
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/workqueue.h>

#include "ctx.h"
#include "trace.h"

/**
 * struct ctx_deadline - a context's own deadline
 * @timer: runs ctx_deadline_expired()
 * @work: does after that what would take too long for a timer
 * @ctx: whose it is; no reference
 * @when: the outer lock of @ctx
 * @struck: whether @work is to cancel; the outer lock of @ctx
 */
struct ctx_deadline {
	struct hrtimer		timer;
	struct work_struct	work;
	struct ctx		*ctx;
	struct ctx_when		when;
	bool			struck;
};

/* Ancestors that a timer may look at; deeper contexts are left to a work. */
#define CTX_SHALLOW	32

static struct kmem_cache *ctx_deadline_cache;
static struct workqueue_struct *ctx_deadline_wq;
/* Works that are queued or run, or about to be: each holds its context. */
static atomic_t ctx_deadline_works = ATOMIC_INIT(0);

int __init ctx_deadline_init(void)
{
	ctx_deadline_cache = KMEM_CACHE(ctx_deadline, SLAB_ACCOUNT);
	if (!ctx_deadline_cache)
		return -ENOMEM;

	/* A cancellation must not wait for memory: hence a rescuer. */
	ctx_deadline_wq = alloc_workqueue("ctx_deadline", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ctx_deadline_wq) {
		kmem_cache_destroy(ctx_deadline_cache);
		return -ENOMEM;
	}
	return 0;
}

/**
 * ctx_deadline_drain - wait until no deadline's work holds a context
 *
 * Such a context's ancestors may have timers, which may queue further works
 * until it is gone: so one flush may not be enough.
 *
 * Context: process; no context has a descriptor any more
 */
void ctx_deadline_drain(void)
{
	/* Model: works_acquire. Pairs with the release in ctx_deadline_work(). */
	while (atomic_read_acquire(&ctx_deadline_works))
		flush_workqueue(ctx_deadline_wq);
}

void ctx_deadline_exit(void)
{
	destroy_workqueue(ctx_deadline_wq);
	kmem_cache_destroy(ctx_deadline_cache);
}

static ktime_t ctx_now(clockid_t clock)
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
	if (timeout) {
		if (clockid == CLOCK_REALTIME)
			when->clock = CLOCK_MONOTONIC;
		now = ctx_now(when->clock);
		if (deadline <= KTIME_MAX - now)
			when->at = now + deadline;
	} else if (deadline > KTIME_MAX) {
		return -EINVAL;
	} else if (deadline) {
		when->at = ctx_shift(deadline, -ctx_timens_offset(clockid));
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

static void ctx_deadline_work(struct work_struct *work)
{
	struct ctx *ctx = container_of(work, struct ctx_deadline, work)->ctx;

	ctx_cancel(ctx, ETIMEDOUT, ETIMEDOUT, NULL);
	ctx_put(ctx);
	/* Model: works_release. Pairs with ctx_deadline_drain(): all is freed before. */
	(void)atomic_fetch_dec_release(&ctx_deadline_works);
}

/* A context strikes once, and so is queued once. */
static void ctx_deadline_queue(struct ctx_deadline *dl)
{
	atomic_inc(&ctx_deadline_works);
	/*
	 * Model: works_mb. Counted first: from the reference on, ctx_deadline_drain() must wait.
	 * Pairs with what orders the removal of the module after the ctx_put()
	 * that found the reference.
	 */
	smp_mb__after_atomic();
	if (refcount_inc_not_zero(&dl->ctx->refs))
		queue_work(ctx_deadline_wq, &dl->work);
	else
		atomic_dec(&ctx_deadline_works);
}

/*
 * Leaves the cancellation to the work, where it might take long: where the way to
 * the root is, or there may be a process group to signal. From now on no
 * CTX_IOC_SET_DEADLINE can prevent it.
 */
static void ctx_deadline_defer(struct ctx_deadline *dl)
{
	scoped_guard(spinlock_irq, ctx_outer_lock(dl->ctx)) {
		if (READ_ONCE(dl->ctx->origin))
			return;
		dl->struck = true;
	}
	ctx_deadline_queue(dl);
}

/*
 * A soft timer, so that many deadlines at one instant keep no interrupt waiting.
 * The context is there, reference or not, because the last ctx_put() waits for
 * its timer. When this has run it is cancelled, or @struck is set.
 */
static enum hrtimer_restart ctx_deadline_expired(struct hrtimer *timer)
{
	struct ctx_deadline *dl = container_of(timer, struct ctx_deadline, timer);
	struct ctx *ctx = dl->ctx;
	bool woken;

	if (ctx->depth > CTX_SHALLOW || READ_ONCE(ctx->joined)) {
		ctx_deadline_defer(dl);
		return HRTIMER_NORESTART;
	}
	if (!ctx_mark(ctx, ETIMEDOUT, ETIMEDOUT, NULL))
		return HRTIMER_NORESTART;

	woken = ctx_tell(ctx);
	if (!ctx_list_empty(&ctx->children) || !ctx_list_empty(&ctx->hooks)) {
		ctx_deadline_queue(dl);
		return HRTIMER_NORESTART;
	}
	/* With none of them now, it will have none that a walk must see. */
	ctx_unlink(ctx);
	if (trace_ctx_wake_enabled())
		trace_ctx_wake(ctx, 1, woken, ktime_get_ns() - ktime_to_ns(ctx->cancelled_at));
	return HRTIMER_NORESTART;
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

	if (!when->at || READ_ONCE(ctx->deadline))
		return 0;

	dl = kmem_cache_zalloc(ctx_deadline_cache, GFP_KERNEL);
	if (!dl)
		return -ENOMEM;
	hrtimer_setup(&dl->timer, ctx_deadline_expired, when->clock, HRTIMER_MODE_ABS_SOFT);
	INIT_WORK(&dl->work, ctx_deadline_work);
	dl->ctx = ctx;

	/* Model: deadline_release. Pairs with the address dependency of whoever reads it. */
	if (cmpxchg(&ctx->deadline, NULL, dl))
		kmem_cache_free(ctx_deadline_cache, dl);
	return 0;
}

/*
 * Return: 0; 1 where @when has passed and this call has cancelled @ctx;
 *	-ECANCELED; -EAGAIN where the old deadline is striking just now
 */
static int ctx_deadline_try_set(struct ctx *ctx, struct ctx_deadline *dl,
				const struct ctx_when *when)
{
	if (ctx_origin(ctx))
		return -ECANCELED;

	guard(spinlock_irq)(ctx_outer_lock(ctx));
	if (READ_ONCE(ctx->origin))
		return -ECANCELED;
	if (!dl)
		return 0;
	/* Model: struck_look. */
	if (dl->struck || hrtimer_try_to_cancel(&dl->timer) < 0)
		return -EAGAIN;
	/*
	 * Model: deadline_look. Until now it may have run, and given @ctx the origin of
	 * an ancestor without the lock.
	 */
	if (READ_ONCE(ctx->origin))
		return -ECANCELED;

	dl->when = *when;
	if (!when->at)
		return 0;
	if (when->at <= ctx_now(when->clock))
		return ctx_mark_locked(ctx, ETIMEDOUT, ETIMEDOUT, NULL) ? 1 : -ECANCELED;

	/*
	 * Anew, because the clock may be another. Nobody waits for the timer to
	 * end: it would have been running, and have left @ctx cancelled or @struck.
	 */
	hrtimer_setup(&dl->timer, ctx_deadline_expired, when->clock, HRTIMER_MODE_ABS_SOFT);
	hrtimer_start(&dl->timer, when->at, HRTIMER_MODE_ABS_SOFT);
	return 0;
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
	struct ctx_deadline *dl = READ_ONCE(ctx->deadline);
	int ret;

	ret = ctx_deadline_try_set(ctx, dl, when);
	if (ret == 1) {
		ctx_wake_subtree(ctx);
		return 0;
	}
	if (ret == -EAGAIN) {
		/* @ctx is cancelled once the timer has run, and the work where that left it. */
		hrtimer_cancel(&dl->timer);
		if (READ_ONCE(dl->struck))
			flush_work(&dl->work);
		return -ECANCELED;
	}
	return ret;
}

/**
 * ctx_deadline_free - end a context's deadline together with the context
 * @ctx: without references
 *
 * Context: process, no lock held
 */
void ctx_deadline_free(struct ctx *ctx)
{
	if (!ctx->deadline)
		return;
	hrtimer_cancel(&ctx->deadline->timer);
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
	ktime_t above = 0;
	int ret;

	for (*earliest = 0; ctx && !ctx->merge; ctx = ctx->up)
		*earliest = ctx_earlier(*earliest, ctx_deadline_own(ctx));
	if (!ctx)
		return 0;
	ret = ctx_merge_earliest(ctx, &above);
	*earliest = ctx_earlier(*earliest, above);
	return ret;
}
