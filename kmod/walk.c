// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling: the walk over the subtree of a cancelled context. The rules are in
 * ctx.h.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "ctx.h"
#include "trace.h"

/* Steps that a walk without a budget makes between looks whether it is to stop. */
#define CTX_STEPS	8

/* Waiters of a context that an interrupt wakes, which comes by CTX_BATCH contexts. */
#define CTX_FEW_WAITERS	4

/* Nobody is woken by what stands in a queue for a place in it. */
static int ctx_place_func(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	return 0;
}

/**
 * ctx_wake_init - be about to wake a queue
 * @wake: in no queue
 */
void ctx_wake_init(struct ctx_wake *wake)
{
	init_waitqueue_func_entry(&wake->from, ctx_place_func);
	init_waitqueue_func_entry(&wake->to, ctx_place_func);
	INIT_LIST_HEAD(&wake->from.entry);
	INIT_LIST_HEAD(&wake->to.entry);
}

/*
 * Wakes up to @max waiters, from the first or from where the last call ended.
 * Exclusive ones, too: all are to go. Whoever joins the end of a long queue
 * meanwhile, and looks at @origin after that, is not waited for.
 *
 * Return: whether some are left
 */
static bool ctx_wake_some(wait_queue_head_t *queue, struct ctx_wake *wake, unsigned int max)
{
	wait_queue_entry_t *entry, *next;
	unsigned int n = 0;

	guard(spinlock_irqsave)(&queue->lock);
	if (list_empty(&wake->from.entry)) {
		entry = list_first_entry(&queue->head, wait_queue_entry_t, entry);
	} else {
		entry = list_next_entry(&wake->from, entry);
		list_del_init(&wake->from.entry);
	}
	list_for_each_entry_safe_from(entry, next, &queue->head, entry) {
		if (entry == &wake->to)
			break;
		if (n++ == max) {
			list_add_tail(&wake->from.entry, &entry->entry);
			if (list_empty(&wake->to.entry))
				list_add_tail(&wake->to.entry, &queue->head);
			return true;
		}
		entry->func(entry, TASK_NORMAL, 0, poll_to_key(EPOLLIN | EPOLLRDNORM));
	}
	list_del_init(&wake->to.entry);
	return false;
}

/*
 * Wakes up to @max waiters.
 *
 * Return: false where there are more
 */
static bool ctx_wake_few(wait_queue_head_t *queue, unsigned int max)
{
	wait_queue_entry_t *entry, *next;

	guard(spinlock_irqsave)(&queue->lock);
	list_for_each_entry_safe(entry, next, &queue->head, entry) {
		if (!max--)
			return false;
		entry->func(entry, TASK_NORMAL, 0, poll_to_key(EPOLLIN | EPOLLRDNORM));
	}
	return true;
}

/* Leaves the queue, where some are not woken yet. */
static void ctx_wake_stop(wait_queue_head_t *queue, struct ctx_wake *wake)
{
	guard(spinlock_irqsave)(&queue->lock);
	list_del_init(&wake->from.entry);
	list_del_init(&wake->to.entry);
}

/*
 * Sets the status word. After that, who is at @ctx can be looked at without a lock.
 *
 * Return: whether there is anything but waiters
 */
static bool ctx_tell_begin(struct ctx *ctx)
{
	/*
	 * Model: tell_mb. Pairs with those of ctx_poll(), ctx_join(), prepare_to_wait().
	 * Also for the children, which ctx_has_someone_to_tell() looks at next: who
	 * joins one looks up to here after joining.
	 */
	smp_mb();
	if (!READ_ONCE(ctx->joined))
		return false;
	ctx_status_set(ctx);
	return true;
}

static void ctx_tell_end(struct ctx *ctx)
{
	/* Model: told_release. Pairs with the acquire in ctx_is_told(). */
	smp_store_release(&ctx->told, true);
}

/**
 * ctx_tell_briefly - tell what can be told without delay
 * @ctx: its own @origin is set
 *
 * Context: any, no context's lock held
 * Return: whether that was all, and nothing is below @ctx; if not, a walk is to come
 */
bool ctx_tell_briefly(struct ctx *ctx)
{
	ctx_tell_begin(ctx);
	/*
	 * An empty queue: who joins it now looks at @origin after that (poll_mb, tell_mb).
	 * Model: brief_told. Where some are left, another walk must not pass them by.
	 */
	if (waitqueue_active(&ctx->wait) && !ctx_wake_few(&ctx->wait, CTX_FEW_WAITERS))
		return false;
	if (ctx_has_signals(ctx))
		return false;
	ctx_tell_end(ctx);
	/* Model: brief_left. */
	return ctx_list_empty(&ctx->children) && ctx_list_empty(&ctx->hooks);
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

/**
 * struct ctx_walk - where a walk is
 * @top: where it began
 * @cur: where it stands, a reference
 * @done: a child of @cur of which all was told, a reference; or NULL
 * @user: whose turn it is, where it is one of the queue's; or NULL
 * @brief: it must not be kept: it has a budget, and leaves callbacks to a queue
 * @stopped: at @cur, or at @top, not all of which was told: it must not leave it upwards
 * @budget: contexts that it may still tell or finish, and waiters
 * @reached: contexts that it finished
 * @woken: of those, how many had someone to tell
 * @alive: the first parent of the child at the last edge that was passed, alive then
 * @alive_from: the further parent at that edge
 * @nr_crossed: edges to further parents by which it came to @cur
 * @crossed: the children at those edges; they are above @cur, and so are there
 * @from: the parents at those edges, which the children hold
 */
struct ctx_walk {
	struct ctx	*top;
	struct ctx	*cur;
	struct ctx	*done;
	struct ctx_user	*user;
	bool		brief;
	bool		stopped;
	unsigned long	budget;
	unsigned long	reached;
	unsigned long	woken;
	struct ctx	*alive;
	struct ctx	*alive_from;
	unsigned int	nr_crossed;
	struct ctx	*crossed[CTX_CHAIN_MAX];
	struct ctx	*from[CTX_CHAIN_MAX];
};

static void ctx_walk_spend(struct ctx_walk *walk, unsigned long n)
{
	if (walk->brief)
		walk->budget -= min(n, walk->budget);
}

/* Whether a walk may not go on. */
static bool ctx_walk_is_over(const struct ctx_walk *walk)
{
	if (walk->brief)
		return walk->stopped || !walk->budget;
	return walk->stopped || fatal_signal_pending(current);
}

/* Has told all that is at @ctx itself but signals. */
static void ctx_walk_told(struct ctx_walk *walk, struct ctx *ctx)
{
	if (READ_ONCE(ctx->joined))
		ctx_walk_spend(walk, ctx_signal_all(ctx));
	ctx_tell_end(ctx);
}

/*
 * Wakes many. What a turn of the queue does not come to, the next one does
 * (ctx_walk_resume()); other walks that stop leave it all to the queue.
 *
 * Return: whether none is left
 */
static bool ctx_walk_wake(struct ctx_walk *walk, struct ctx *ctx, struct ctx_wake *wake)
{
	struct ctx_user *user = walk->user;

	while (ctx_wake_some(&ctx->wait, wake, CTX_BATCH)) {
		ctx_walk_spend(walk, CTX_BATCH);
		if (ctx_walk_is_over(walk)) {
			if (user && wake == &user->wake)
				user->waking = ctx_get(ctx);
			else
				ctx_wake_stop(&ctx->wait, wake);
			return false;
		}
		cond_resched();
	}
	return true;
}

/* Where there are more waiters than are woken in one go. Return: as ctx_walk_wake() */
static noinline bool ctx_walk_wake_many(struct ctx_walk *walk, struct ctx *ctx)
{
	struct ctx_user *user = walk->user;
	struct ctx_wake wake;

	ctx_walk_spend(walk, CTX_BATCH);
	if (ctx_walk_is_over(walk))
		return false;
	if (user && !user->waking)
		return ctx_walk_wake(walk, ctx, &user->wake);
	ctx_wake_init(&wake);
	return ctx_walk_wake(walk, ctx, &wake);
}

/* Tells all that is at @ctx itself, the own @origin of which is set; unless it stops. */
static void ctx_walk_tell(struct ctx_walk *walk, struct ctx *ctx)
{
	bool any;

	if (ctx_is_told(ctx))
		return;
	if (walk->user && walk->user->waking == ctx) {
		/* The next turn goes on with its waiters, and this one can but repeat. */
		walk->budget = 0;
		walk->stopped = true;
		return;
	}
	ctx_walk_spend(walk, 1);
	any = ctx_tell_begin(ctx);
	/* An empty queue: who joins it now looks at @origin after that (poll_mb, tell_mb). */
	if (waitqueue_active(&ctx->wait)) {
		any = true;
		/* Model: stop_told. Where some are left, another walk must not pass them by. */
		if (!ctx_wake_few(&ctx->wait, CTX_BATCH) && !ctx_walk_wake_many(walk, ctx)) {
			walk->stopped = true;
			return;
		}
	}
	ctx_walk_told(walk, ctx);
	walk->woken += any;
}

/*
 * Marks children of @walk->cur, and drops those that have nobody to tell and no
 * children of their own, until it finds one that has.
 *
 * Return: that child, with a reference; NULL where all children are done with;
 *	ERR_PTR(-EAGAIN) after CTX_BATCH of them
 */
static struct ctx *ctx_mark_children(struct ctx_walk *walk)
{
	struct ctx *ctx = walk->cur;
	/* Model: walk_acquire. What is passed on may be read by whoever gets it from there. */
	struct ctx *origin = smp_load_acquire(&ctx->origin), *child;
	unsigned int n;

	guard(spinlock_irq)(&ctx->lock);
	/* Model: list_last. All of @done was told before. */
	if (walk->done)
		ctx_list_del(&walk->done->sibling);
	for (n = 0; n < CTX_BATCH; n++) {
		child = hlist_entry_safe(ctx->children.first, struct ctx, sibling);
		if (!child)
			break;
		ctx_inherit(child, origin);
		/* Model: ref_not_zero. */
		if (ctx_has_someone_to_tell(child) && refcount_inc_not_zero(&child->refs))
			break;
		/* It has nobody to tell, or lost its last reference and is going. */
		ctx_list_del(&child->sibling);
	}
	walk->reached += n;
	ctx_walk_spend(walk, n);
	return n < CTX_BATCH ? child : ERR_PTR(-EAGAIN);
}

/* Goes down to @next, a reference, which holds @walk->cur. */
static void ctx_walk_down(struct ctx_walk *walk, struct ctx *next)
{
	ctx_walk_tell(walk, next);
	/* Not the last one: see above. */
	refcount_dec(&walk->cur->refs);
	walk->cur = next;
}

/*
 * Passes the cancellation over an edge. The look at what is above @next is spared where
 * it is what was seen alive before: @walk->alive is but compared, and is what it was,
 * because no edge to a cancelled context was made since.
 */
static void ctx_walk_pass(struct ctx_walk *walk, struct ctx *next)
{
	if (next->up && next->up == walk->alive && walk->cur == walk->alive_from) {
		ctx_inherit_over(next, walk->cur);
		return;
	}
	ctx_walk_spend(walk, next->depth / CTX_BATCH);
	ctx_inherit_from(next, walk->cur);
	if (READ_ONCE(next->origin) == READ_ONCE(walk->cur->origin)) {
		walk->alive = next->up;
		walk->alive_from = walk->cur;
	}
}

/* Goes down over an edge, which it remembers: there are at most CTX_CHAIN_MAX in a row. */
static void ctx_walk_cross(struct ctx_walk *walk, struct ctx *next)
{
	ctx_walk_pass(walk, next);
	walk->crossed[walk->nr_crossed] = next;
	walk->from[walk->nr_crossed++] = walk->cur;
	ctx_walk_down(walk, next);
}

/* Goes up from @walk->cur, all of the subtree of which was told, to where it came from. */
static void ctx_walk_up(struct ctx_walk *walk)
{
	struct ctx *cur = walk->cur;

	walk->reached++;
	ctx_walk_spend(walk, 1);
	if (walk->nr_crossed && walk->crossed[walk->nr_crossed - 1] == cur) {
		/* Model: walk_ref. */
		walk->cur = ctx_get(walk->from[--walk->nr_crossed]);
		ctx_unlink(cur);
		ctx_put(cur);
		return;
	}
	/* Model: walk_ref. */
	walk->cur = ctx_get(cur->up);
	if (cur->merge)
		ctx_merge_unlink(cur);
	walk->done = cur;
}

/* Return: whether something is left to do */
static bool ctx_walk_step(struct ctx_walk *walk)
{
	struct ctx *next = ctx_mark_children(walk);

	if (walk->done)
		ctx_put(walk->done);
	walk->done = NULL;
	if (IS_ERR(next))
		return true;
	if (next) {
		ctx_walk_down(walk, next);
		return true;
	}
	next = ctx_next_hook(walk->cur, walk->brief);
	if (next) {
		ctx_walk_cross(walk, next);
		return true;
	}
	if (walk->cur == walk->top)
		return false;
	ctx_walk_up(walk);
	return true;
}

static void ctx_walk_init(struct ctx_walk *walk, struct ctx *top, const unsigned long *budget,
			  struct ctx_user *user)
{
	/* Not what it need not be: the kernel may be one that clears the stack. */
	walk->top = top;
	walk->cur = top;
	walk->done = NULL;
	walk->user = user;
	walk->brief = budget;
	walk->stopped = false;
	walk->budget = budget ? *budget : ULONG_MAX;
	walk->reached = 1;
	walk->woken = 0;
	walk->alive = NULL;
	walk->alive_from = NULL;
	walk->nr_crossed = 0;
}

/**
 * ctx_walk - tell whoever waits on a context or on any below it
 * @top: its own @origin is set
 * @budget: contexts to tell or finish at most, and waiters, from which it takes what it
 *	did; where there are more it stops. NULL for all that there are, unless the
 *	task is killed
 * @user: whose turn of the queue it is; or NULL
 *
 * Context: process, no lock held; can be preempted anywhere but in a batch
 * Return: whether all were told, by this walk or by another
 */
bool ctx_walk(struct ctx *top, unsigned long *budget, struct ctx_user *user)
{
	u64 start = trace_ctx_wake_enabled() ? ktime_get_ns() : 0;
	struct ctx_walk walk;
	bool left = true;
	unsigned int n;

	might_sleep();

	ctx_walk_init(&walk, top, budget, user);
	ctx_get(top);
	ctx_walk_tell(&walk, top);
	while (left && !ctx_walk_is_over(&walk)) {
		cond_resched();
		for (n = walk.brief ? 1 : CTX_STEPS; left && n && !walk.stopped; n--)
			left = ctx_walk_step(&walk);
	}
	/* Where it stops, nothing that was finished is left on a list. */
	if (walk.done) {
		ctx_unlink(walk.done);
		ctx_put(walk.done);
	}
	/* Model: whole_unlink. Else a walk from above would pass by what is left. */
	if (!left)
		ctx_unlink(top);
	if (start)
		trace_ctx_wake(top, walk.reached, walk.woken, ktime_get_ns() - start);
	ctx_put(walk.cur);
	if (budget)
		*budget = walk.budget;
	return !left;
}

/**
 * ctx_walk_resume - go on where the last turn of a user ended among waiters
 * @user: who
 * @budget: as ctx_walk()
 *
 * Context: the queue
 */
void ctx_walk_resume(struct ctx_user *user, unsigned long *budget)
{
	struct ctx *ctx = user->waking;
	struct ctx_walk walk;

	if (!ctx)
		return;
	user->waking = NULL;
	ctx_walk_init(&walk, ctx, budget, user);
	if (!ctx_is_told(ctx) && ctx_walk_wake(&walk, ctx, &user->wake))
		ctx_walk_told(&walk, ctx);
	/* Model: resume_stop. Somebody else may have told it, also just now. */
	if (!user->waking)
		ctx_wake_stop(&ctx->wait, &user->wake);
	*budget = walk.budget;
	ctx_put(ctx);
}

/**
 * ctx_is_hurried - whether the current task must not be delayed by what there is to do
 *
 * It exits, is being killed, or is a kernel thread, which has other work to do.
 *
 * Context: process
 */
bool ctx_is_hurried(void)
{
	return (current->flags & (PF_KTHREAD | PF_EXITING)) || fatal_signal_pending(current);
}

/**
 * ctx_is_strange - whether the current task has nothing to do with a context
 * @ctx: the context, of another user; or the task is a kernel thread
 *
 * It may have been sent many, and let go of one after the other.
 *
 * Context: process
 */
bool ctx_is_strange(const struct ctx *ctx)
{
	return (current->flags & PF_KTHREAD) || !uid_eq(current_uid(), ctx->user->uid);
}

/**
 * ctx_wake_later - tell what is at a context where that is little, the rest by the queue
 * @top: its own @origin is set
 *
 * Context: process, no lock held
 */
void ctx_wake_later(struct ctx *top)
{
	if (ctx_tell_briefly(top))
		ctx_unlink(top);
	else
		ctx_queue(ctx_get(top));
}

/**
 * ctx_wake_subtree - tell whoever waits on a context or on any below it
 * @top: its own @origin is set
 *
 * When it returns all of them have been told, by this walk or by another. A task that
 * must not be delayed, or is killed meanwhile, leaves what is much to the queue.
 *
 * Context: process, no lock held
 */
void ctx_wake_subtree(struct ctx *top)
{
	unsigned long budget = CTX_BATCH;

	if (current->flags & PF_KTHREAD)
		ctx_wake_later(top);
	else if (!ctx_walk(top, ctx_is_hurried() ? &budget : NULL, NULL))
		ctx_queue(ctx_get(top));
}

/**
 * ctx_cancel - cancel a context and tell all that this reaches
 * @ctx: the context
 * @err: ECANCELED or ETIMEDOUT
 * @cause: over 0
 * @message: NULL, or the context's from now on where this returns true
 *
 * Context: process, no lock held
 * Return: whether this call cancelled it. All have been told in either case; see
 *	ctx_wake_subtree().
 */
bool ctx_cancel(struct ctx *ctx, u32 err, s32 cause, struct ctx_message *message)
{
	bool won = ctx_mark(ctx, err, cause, message);

	ctx_wake_subtree(ctx);
	return won;
}
