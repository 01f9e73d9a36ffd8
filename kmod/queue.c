// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is left to tell and to free when nobody waits for it: deadlines, ends of
 * owners that no system call reports, signals to groups. One worker does it all,
 * like any task, and gives each user a turn: so what one user has made delays
 * another's by a turn, and takes no more of a processor than a task would.
 *
 * A user's contexts take turns, too. A walk that has used up its turn begins
 * anew at its top in the next: what was told is on no list any more. Where it ended
 * among many waiters of one context, it is with them that the next turn begins.
 */
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "ctx.h"

/*
 * Contexts that are told, finished or freed in a turn, and waiters; but it lasts no longer
 * than CTX_TURN_NS, and a little. Many enough, against the way down to where a walk was,
 * which can be as long as max_depth, and does not count.
 */
#define CTX_TURN	512

/*
 * Protects the lists of users and of what they have in the queue. Raw, because all users
 * share it: who holds it is not to be preempted, also where others are.
 */
static DEFINE_RAW_SPINLOCK(ctx_queue_lock);
static LIST_HEAD(ctx_turns);

static void ctx_queue_run(struct work_struct *work);
static DECLARE_WORK(ctx_queue_work, ctx_queue_run);
static struct workqueue_struct *ctx_queue_wq;

int __init ctx_queue_init(void)
{
	/*
	 * Memory may not be free before a cancellation was told: hence a rescuer. How
	 * nice the one work is, and where it runs, is the administrator's (WQ_SYSFS).
	 */
	ctx_queue_wq = alloc_workqueue("ctx_tell", WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_SYSFS, 0);
	return ctx_queue_wq ? 0 : -ENOMEM;
}

/**
 * ctx_queue_drain - wait until the queue is empty
 *
 * Context: process; nothing but the queue itself adds to it
 */
void ctx_queue_drain(void)
{
	flush_work(&ctx_queue_work);
}

void ctx_queue_exit(void)
{
	destroy_workqueue(ctx_queue_wq);
}

/* Gives @user, which has something in the queue now, a turn. */
static void ctx_queue_user(struct ctx_user *user)
{
	lockdep_assert_held(&ctx_queue_lock);

	/* Model: user_ref. He may be going, where it is a timer of his that has expired. */
	if (list_empty(&user->turn) && refcount_inc_not_zero(&user->refs))
		list_add_tail(&user->turn, &ctx_turns);
}

static void ctx_queue_start(void)
{
	queue_work(ctx_queue_wq, &ctx_queue_work);
}

static void ctx_queue_append(struct ctx *ctx)
{
	struct ctx_user *user = ctx->user;

	lockdep_assert_held(&ctx_queue_lock);

	ctx->queued = true;
	ctx->next = NULL;
	*user->last = ctx;
	user->last = &ctx->next;
	ctx_queue_user(user);
}

/**
 * ctx_queue - have a subtree told
 * @ctx: its top, the own @origin of which is set; a reference, which this takes over
 *
 * Context: any, no context's lock held
 */
void ctx_queue(struct ctx *ctx)
{
	scoped_guard(raw_spinlock_irqsave, &ctx_queue_lock) {
		/* Model: queued_put. The queue has a reference, which it takes under this lock. */
		if (ctx->queued)
			refcount_dec(&ctx->refs);
		else
			ctx_queue_append(ctx);
	}
	ctx_queue_start();
}

/**
 * ctx_queue_dead - have contexts without references freed
 * @dead: them, by @next
 *
 * Context: process
 */
void ctx_queue_dead(struct ctx *dead)
{
	struct ctx *next;

	for (; dead; dead = next) {
		next = dead->next;
		scoped_guard(raw_spinlock_irqsave, &ctx_queue_lock)
			ctx_queue_append(dead);
	}
	ctx_queue_start();
}

/**
 * ctx_queue_clock - have deadlines strike that are due
 * @clock: on which
 *
 * Context: any
 */
void ctx_queue_clock(struct ctx_clock *clock)
{
	scoped_guard(raw_spinlock_irqsave, &ctx_queue_lock) {
		if (list_empty(&clock->late))
			list_add_tail(&clock->late, &clock->user->late);
		ctx_queue_user(clock->user);
	}
	ctx_queue_start();
}

/**
 * ctx_queue_signal - have a signal sent, unless its descriptor is closed
 * @signal: a reference, which this takes over; was never queued
 *
 * Context: process
 */
void ctx_queue_signal(struct ctx_signal *signal)
{
	bool off;

	scoped_guard(raw_spinlock_irqsave, &ctx_queue_lock) {
		/* Model: off_look. */
		off = signal->off;
		if (!off) {
			list_add_tail(&signal->queue, &signal->user->signals);
			ctx_queue_user(signal->user);
		}
	}
	if (off)
		ctx_signal_put(signal);
	else
		ctx_queue_start();
}

/**
 * ctx_unqueue_signal - have a signal sent no more
 * @signal: any
 *
 * Context: any
 * Return: whether it was in the queue, the reference of which is the caller's then
 */
bool ctx_unqueue_signal(struct ctx_signal *signal)
{
	guard(raw_spinlock_irqsave)(&ctx_queue_lock);
	signal->off = true;
	if (list_empty(&signal->queue))
		return false;
	list_del_init(&signal->queue);
	return true;
}

static struct ctx_clock *ctx_next_clock(struct ctx_user *user)
{
	struct ctx_clock *clock;

	guard(raw_spinlock_irq)(&ctx_queue_lock);
	clock = list_first_entry_or_null(&user->late, struct ctx_clock, late);
	if (clock)
		list_del_init(&clock->late);
	return clock;
}

static struct ctx_signal *ctx_next_signal(struct ctx_user *user)
{
	struct ctx_signal *signal;

	guard(raw_spinlock_irq)(&ctx_queue_lock);
	signal = list_first_entry_or_null(&user->signals, struct ctx_signal, queue);
	if (signal)
		list_del_init(&signal->queue);
	return signal;
}

static struct ctx *ctx_next_queued(struct ctx_user *user)
{
	struct ctx *ctx;

	guard(raw_spinlock_irq)(&ctx_queue_lock);
	ctx = user->first;
	if (!ctx)
		return NULL;
	user->first = ctx->next;
	if (!user->first)
		user->last = &user->first;
	ctx->queued = false;
	return ctx;
}

static bool ctx_budget_is_over(const struct ctx_budget *budget)
{
	return budget->left <= 0 || ktime_get() >= budget->until;
}

/* What is half of what is left of @budget */
static struct ctx_budget ctx_budget_half(const struct ctx_budget *budget)
{
	ktime_t now = ktime_get();

	return (struct ctx_budget){
		.left = max(budget->left / 2, 1L),
		.until = now + max_t(ktime_t, budget->until - now, 0) / 2,
	};
}

/* Tells or frees one that was queued. What it did is taken from @budget. */
static void ctx_queue_one(struct ctx_user *user, struct ctx *ctx, struct ctx_budget *budget)
{
	/* What it takes to let go of one, and to free as many as there may be with it. */
	long cost = CTX_BATCH;

	if (!refcount_read(&ctx->refs)) {
		ctx_free_dead(ctx, CTX_BATCH);
	} else if (READ_ONCE(ctx->origin) && !ctx_walk(ctx, budget, user)) {
		ctx_queue(ctx);
	} else if (refcount_dec_not_one(&ctx->refs)) {
		cost = 1;
	} else {
		/* Not cancelled, and in the queue by ctx_put_any(), or told: it goes. */
		ctx_put(ctx);
	}
	budget->left -= cost;
}

static void ctx_turn_clocks(struct ctx_user *user, struct ctx_budget *budget)
{
	struct ctx_budget half = ctx_budget_half(budget);
	struct ctx_clock *clock;

	/* Half of it, for there may be no end to them. */
	while (!ctx_budget_is_over(&half) && (clock = ctx_next_clock(user))) {
		if (ctx_clock_run(clock))
			ctx_queue_clock(clock);
		half.left -= CTX_BATCH;
		budget->left -= CTX_BATCH;
		cond_resched();
	}
}

static void ctx_turn_signals(struct ctx_user *user, struct ctx_budget *budget)
{
	struct ctx_signal *signal;
	bool group = false;
	unsigned int n;

	/* One to a group, which may be large. */
	for (n = 0; n < CTX_BATCH && !group && (signal = ctx_next_signal(user)); n++) {
		group = signal->group;
		ctx_signal_send(signal);
		cond_resched();
	}
	budget->left -= n;
}

/* Half of what is left: who waits on one context is not to delay all others. */
static void ctx_turn_waiters(struct ctx_user *user, struct ctx_budget *budget)
{
	struct ctx_budget half = ctx_budget_half(budget);

	budget->left -= half.left;
	ctx_walk_resume(user, &half);
	budget->left += half.left;
}

/* Does some of what @user has in the queue, and of each kind some. */
static void ctx_turn(struct ctx_user *user)
{
	struct ctx_budget budget;
	struct ctx *ctx;

	ctx_budget_init(&budget, CTX_TURN);
	ctx_turn_clocks(user, &budget);
	ctx_turn_signals(user, &budget);
	ctx_turn_waiters(user, &budget);
	/* One at least, however long the others took. */
	while ((ctx = ctx_next_queued(user))) {
		ctx_queue_one(user, ctx, &budget);
		if (ctx_budget_is_over(&budget))
			break;
		cond_resched();
	}
}

/* The user whose turn it is, with a reference. */
static struct ctx_user *ctx_next_user(void)
{
	struct ctx_user *user;

	guard(raw_spinlock_irq)(&ctx_queue_lock);
	user = list_first_entry_or_null(&ctx_turns, struct ctx_user, turn);
	if (user)
		list_del_init(&user->turn);
	return user;
}

/* After a turn: @user has another where something is left. */
static void ctx_queue_again(struct ctx_user *user)
{
	guard(raw_spinlock_irq)(&ctx_queue_lock);
	if (user->first || user->waking || !list_empty(&user->late) ||
	    !list_empty(&user->signals))
		ctx_queue_user(user);
}

static void ctx_queue_run(struct work_struct *work)
{
	struct ctx_user *user;

	while ((user = ctx_next_user())) {
		ctx_turn(user);
		ctx_queue_again(user);
		ctx_user_put(user);
		cond_resched();
	}
}
