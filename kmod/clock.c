// SPDX-License-Identifier: GPL-2.0-only
/*
 * The deadlines of a user, by time: a queue with one timer for each clock and
 * processor. So a timer's interrupt has a bound, CTX_BATCH contexts, whatever
 * the number of deadlines at one instant. The rest of what is due then takes
 * its turn with what else there is to tell (queue.c).
 *
 * A soft timer runs when it has nothing to do where the deadline that it was
 * armed for is gone: less work than to arm it anew for each. Then it is armed for
 * what there is: so this comes once for many deadlines that come and go in between.
 */
#include <linux/hrtimer.h>
#include <linux/percpu.h>

#include "ctx.h"

/* The clocks of one processor */
struct ctx_clocks {
	struct ctx_clock clock[3];
};

/* No timer is armed any more: the module is going. */
static bool ctx_clocks_stopped;

static unsigned int ctx_clock_index(clockid_t id)
{
	return id == CLOCK_BOOTTIME ? 2 : id == CLOCK_REALTIME;
}

/*
 * Whether the timer will run by a time. Where it is about to run just now, it has yet to
 * take the lock, and so finds what is in the queue.
 */
static bool ctx_clock_is_armed(struct ctx_clock *clock, ktime_t by)
{
	lockdep_assert_held(&clock->lock);

	/* Model: armed_look. */
	return hrtimer_is_queued(&clock->timer) && hrtimer_get_expires(&clock->timer) <= by;
}

static void ctx_clock_arm(struct ctx_clock *clock)
{
	struct timerqueue_node *first = timerqueue_getnext(&clock->queue);

	lockdep_assert_held(&clock->lock);

	if (!first || clock->behind || ctx_clock_is_armed(clock, first->expires))
		return;
	/* Model: stopped_look. */
	if (!READ_ONCE(ctx_clocks_stopped))
		hrtimer_start(&clock->timer, first->expires, HRTIMER_MODE_ABS_SOFT);
}

/**
 * ctx_clock_add - have a deadline strike
 * @dl: @when is on a clock's time; its context's outer lock is held
 * @user: whose context it is; ctx_clocks_prepare() was called for it
 */
void ctx_clock_add(struct ctx_deadline *dl, struct ctx_user *user)
{
	struct ctx_clocks *clocks = raw_cpu_ptr(user->clocks);
	struct ctx_clock *clock = &clocks->clock[ctx_clock_index(dl->when.clock)];

	lockdep_assert_held(ctx_outer_lock(dl->ctx));

	guard(spinlock)(&clock->lock);
	dl->clock = clock;
	dl->node.expires = dl->when.at;
	if (timerqueue_add(&clock->queue, &dl->node))
		ctx_clock_arm(clock);
}

/**
 * ctx_clock_remove - have a deadline strike no more
 * @dl: its context's outer lock is held, or the context has no references
 *
 * Does nothing where it was not to.
 *
 * Context: any
 */
void ctx_clock_remove(struct ctx_deadline *dl)
{
	if (!dl->clock)
		return;
	guard(spinlock_irqsave)(&dl->clock->lock);
	if (!RB_EMPTY_NODE(&dl->node.node))
		timerqueue_del(&dl->clock->queue, &dl->node);
}

/*
 * Takes the first deadlines that are due @now off the queue, up to CTX_DUE, or fewer where they
 * are deep, because a look up a long way takes its time. @due are references to the @nr of
 * their contexts that have not lost their last and are going.
 *
 * Return: how many were taken, or what that is like. Where it is less than CTX_DUE, there
 *	are no more, and the timer is armed for the next.
 */
static unsigned int ctx_clock_take(struct ctx_clock *clock, ktime_t now, struct ctx **due,
				   unsigned int *nr)
{
	struct timerqueue_node *node;
	struct ctx_deadline *dl;
	unsigned int n;

	*nr = 0;
	guard(spinlock_irq)(&clock->lock);
	for (n = 0; n < CTX_DUE; n += 1 + dl->ctx->depth / CTX_BATCH) {
		node = timerqueue_getnext(&clock->queue);
		if (!node || node->expires > now) {
			clock->behind = false;
			ctx_clock_arm(clock);
			break;
		}
		timerqueue_del(&clock->queue, node);
		dl = container_of(node, struct ctx_deadline, node);
		/*
		 * Model: due_ref. It is there: the last ctx_put() comes by this lock before it
		 * frees.
		 */
		if (refcount_inc_not_zero(&dl->ctx->refs))
			due[(*nr)++] = dl->ctx;
	}
	return n;
}

/**
 * ctx_clock_run - cancel contexts whose deadlines have passed
 * @clock: of which
 *
 * Context: process or soft interrupt, interrupts on
 * Return: whether some may be left after CTX_BATCH of them: the caller sees to it
 *	that this is called again
 */
bool ctx_clock_run(struct ctx_clock *clock)
{
	ktime_t now = ctx_now(clock->id), mono = ktime_get();
	struct ctx *due[CTX_DUE];
	unsigned int n, nr, taken;

	for (n = 0; n < CTX_BATCH; n += taken) {
		taken = ctx_clock_take(clock, now, due, &nr);
		ctx_deadlines_strike(due, nr, mono);
		if (taken < CTX_DUE)
			return false;
	}
	scoped_guard(spinlock_irq, &clock->lock)
		clock->behind = true;
	return true;
}

static enum hrtimer_restart ctx_clock_expired(struct hrtimer *timer)
{
	struct ctx_clock *clock = container_of(timer, struct ctx_clock, timer);

	if (ctx_clock_run(clock))
		ctx_queue_clock(clock);
	return HRTIMER_NORESTART;
}

static void ctx_clock_init(struct ctx_clock *clock, struct ctx_user *user, clockid_t id)
{
	spin_lock_init(&clock->lock);
	clock->id = id;
	clock->behind = false;
	clock->user = user;
	timerqueue_init_head(&clock->queue);
	INIT_LIST_HEAD(&clock->late);
	hrtimer_setup(&clock->timer, ctx_clock_expired, id, HRTIMER_MODE_ABS_SOFT);
}

/* What ctx_clocks_prepare() does once for each user. */
int ctx_clocks_alloc(struct ctx_user *user)
{
	static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
	struct ctx_clocks __percpu *clocks;
	unsigned int cpu, i;

	clocks = alloc_percpu_gfp(struct ctx_clocks, GFP_KERNEL_ACCOUNT);
	if (!clocks)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		for (i = 0; i < ARRAY_SIZE(ids); i++)
			ctx_clock_init(&per_cpu_ptr(clocks, cpu)->clock[i], user, ids[i]);
	/* Model: clocks_release. Likewise, see ctx_deadline_prepare(). */
	if (cmpxchg(&user->clocks, NULL, clocks))
		free_percpu(clocks);
	return 0;
}

static void ctx_clock_stop(struct ctx_clock *clock)
{
	/* Model: stop_lock. Whoever arms it has done so, or will see that it is not to. */
	spin_lock_irq(&clock->lock);
	spin_unlock_irq(&clock->lock);
	/* Model: timer_cancel. */
	hrtimer_cancel(&clock->timer);
}

static void ctx_clocks_cancel(struct ctx_user *user)
{
	unsigned int cpu, i;

	if (!user->clocks)
		return;
	for_each_possible_cpu(cpu)
		for (i = 0; i < ARRAY_SIZE(per_cpu_ptr(user->clocks, cpu)->clock); i++)
			ctx_clock_stop(&per_cpu_ptr(user->clocks, cpu)->clock[i]);
}

/**
 * ctx_clocks_stop - let no deadline strike any more
 *
 * Context: process; nobody sets deadlines, but the queue may be running
 */
void ctx_clocks_stop(void)
{
	WRITE_ONCE(ctx_clocks_stopped, true);
	ctx_user_each(ctx_clocks_cancel);
}

/**
 * ctx_clocks_free - end the timers of a user
 * @user: has no context
 *
 * Context: process, may sleep
 */
void ctx_clocks_free(struct ctx_user *user)
{
	ctx_clocks_cancel(user);
	free_percpu(user->clocks);
}
