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

/* Steps that a walk makes at most between looks whether it is to stop, and down in one. */
#define CTX_STEPS	8

/* Waiters of a context that an interrupt wakes, which comes by CTX_BATCH contexts. */
#define CTX_FEW_WAITERS	4

/*
 * How long waiters are woken in one go, with interrupts off. One may be an epoll set for
 * which others wait: so it is the time that counts, too, from the second of them on.
 */
#define CTX_WAKE_NS	(50 * NSEC_PER_USEC)

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

static void ctx_wake_one(wait_queue_entry_t *entry)
{
	entry->func(entry, TASK_NORMAL, 0, poll_to_key(EPOLLIN | EPOLLRDNORM));
}

/* Whether others are to have the lock, the interrupts or the processor now. */
static bool ctx_wake_is_long(u64 until)
{
	return need_resched() || ktime_get_ns() >= until;
}

/*
 * Wakes up to CTX_BATCH waiters, from the first or from where the last call ended, and
 * at least one. Exclusive ones, too: all are to go. Whoever joins the end of a long queue
 * meanwhile, and looks at @origin after that, is not waited for.
 *
 * Return: whether some are left; @n is how many were woken
 */
static bool ctx_wake_some(wait_queue_head_t *queue, struct ctx_wake *wake, unsigned int *n)
{
	u64 until = ktime_get_ns() + CTX_WAKE_NS;
	wait_queue_entry_t *entry, *next;

	*n = 0;
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
		if (*n && (*n == CTX_BATCH || ctx_wake_is_long(until))) {
			list_add_tail(&wake->from.entry, &entry->entry);
			if (list_empty(&wake->to.entry))
				list_add_tail(&wake->to.entry, &queue->head);
			return true;
		}
		++*n;
		ctx_wake_one(entry);
	}
	list_del_init(&wake->to.entry);
	return false;
}

/* Wakes the one who waits. Return: false where there is not one alone */
static __always_inline bool ctx_wake_alone(wait_queue_head_t *queue)
{
	struct list_head *first;
	bool alone;

	spin_lock_irq(&queue->lock);
	first = queue->head.next;
	alone = first->next == &queue->head && first != &queue->head;
	if (alone)
		ctx_wake_one(list_entry(first, wait_queue_entry_t, entry));
	spin_unlock_irq(&queue->lock);
	return alone;
}

/*
 * Wakes up to @max waiters, fewer where that takes long, but one at least.
 *
 * Return: false where there are more; @n is how many were woken
 */
static noinline bool ctx_wake_few(wait_queue_head_t *queue, unsigned int max, unsigned int *n)
{
	u64 until = ktime_get_ns() + CTX_WAKE_NS;
	wait_queue_entry_t *entry, *next;

	*n = 0;
	guard(spinlock_irqsave)(&queue->lock);
	list_for_each_entry_safe(entry, next, &queue->head, entry) {
		if (*n && (*n == max || ctx_wake_is_long(until)))
			return false;
		++*n;
		ctx_wake_one(entry);
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
	/* Of whoever makes the page now the same holds as of the others. */
	if (READ_ONCE(ctx->status))
		ctx_status_set(ctx);
	return true;
}

static void ctx_tell_end(struct ctx *ctx)
{
	/* Model: told_release. Pairs with the acquire in ctx_is_told(). */
	smp_store_release(&ctx->told, true);
}

/* Whether nothing is below @ctx, which was told. */
static bool ctx_is_leaf(const struct ctx *ctx)
{
	return ctx_list_empty(&ctx->children) && ctx_list_empty(&ctx->hooks);
}

/* Wakes the one who waits, or @few. Return: false where there are more */
static bool ctx_wake_briefly(wait_queue_head_t *queue, bool few)
{
	unsigned int n;

	return ctx_wake_alone(queue) || (few && ctx_wake_few(queue, CTX_FEW_WAITERS, &n));
}

/**
 * ctx_tell_briefly - tell what can be told without delay
 * @ctx: its own @origin is set
 * @few: where more than one waits, that is a few
 *
 * Context: process or soft interrupt, interrupts on, no context's lock held
 * Return: whether that was all, and nothing is below @ctx; if not, a walk is to come
 */
bool ctx_tell_briefly(struct ctx *ctx, bool few)
{
	if (!ctx_is_told(ctx)) {
		ctx_tell_begin(ctx);
		/*
		 * An empty queue: who joins it now looks at @origin after that (poll_mb, tell_mb).
		 * Model: brief_told. Where some are left, another walk must not pass them by.
		 */
		if (waitqueue_active(&ctx->wait) && !ctx_wake_briefly(&ctx->wait, few))
			return false;
		if (ctx_has_signals(ctx))
			return false;
		ctx_tell_end(ctx);
	}
	/* Model: brief_left. */
	return ctx_is_leaf(ctx);
}

/*
 * Whether anybody is to be told at @child, the @origin of which is set. Who joins later
 * looks, after joining, at the @origin of the context from which the walk came down, after
 * which it has passed a barrier there or above (ctx_tell_begin()): so there is none here.
 */
static bool ctx_has_someone_to_tell(struct ctx *child)
{
	/* No lock for it: see above. */
	return waitqueue_active(&child->wait) || READ_ONCE(child->joined);
}

/**
 * struct ctx_seen - what a walk saw above the children at edges
 * @origin: by its id, the context whose cancellation it passes on
 * @since: when it came by that, as ctx_look_begin() has it; 0 where it has not looked yet
 * @alive: the first parent of the last child, alive after that
 */
struct ctx_seen {
	u64		origin;
	u64		since;
	struct ctx	*alive;
};

/**
 * struct ctx_walk - where a walk is
 * @top: where it began
 * @cur: where it stands. It has a reference on this, and on all between it and @top, the way
 *	by which it came
 * @done: a child of @cur of which all was told, a reference; or NULL
 * @user: whose turn it is, where it is one of the queue's; or NULL
 * @brief: it must not be kept: it has a budget, and leaves callbacks to a queue
 * @stopped: at @cur, or at @top, not all of which was told: it must not leave it upwards
 * @budget: contexts that it may still tell or finish, and waiters; 0 or less where it is over
 * @had: what @budget was when it began
 * @until: when it is over in any case
 * @reached: contexts that it finished
 * @woken: of those, how many had someone to tell
 * @seen: of the cancellation of @top, and of another that it came by last
 * @nr_crossed: edges to further parents by which it came to @cur
 * @crossed: these edges; their children are above @cur, and so are there
 */
struct ctx_walk {
	struct ctx	*top;
	struct ctx	*cur;
	struct ctx	*done;
	struct ctx_user	*user;
	bool		brief;
	bool		stopped;
	long		budget;
	long		had;
	ktime_t		until;
	unsigned long	reached;
	unsigned long	woken;
	struct ctx_seen	seen[2];
	unsigned int	nr_crossed;
	struct ctx_edge	*crossed[CTX_CHAIN_MAX];
};

/* Whether a walk may not go on. */
static bool ctx_walk_is_over(const struct ctx_walk *walk)
{
	if (walk->stopped || walk->budget <= 0)
		return true;
	if (!walk->brief)
		return fatal_signal_pending(current);
	/* Whatever it takes to come to where the last one ended: each does something. */
	return walk->budget < walk->had && ktime_get() >= walk->until;
}

/* Has told all that is at @ctx itself but signals, which it sends. */
static void ctx_walk_told(struct ctx_walk *walk, struct ctx *ctx)
{
	/* Who comes later looks at @origin after that (join_mb, tell_mb). */
	if (ctx_has_signals(ctx))
		walk->budget -= ctx_signal_all(ctx);
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
	unsigned int n;

	while (ctx_wake_some(&ctx->wait, wake, &n)) {
		walk->budget -= n;
		if (ctx_walk_is_over(walk)) {
			if (user && wake == &user->wake)
				user->waking = ctx_get(ctx);
			else
				ctx_wake_stop(&ctx->wait, wake);
			return false;
		}
		cond_resched();
	}
	walk->budget -= n;
	return true;
}

/* Where there are more waiters than one. Return: as ctx_walk_wake() */
static noinline bool ctx_walk_wake_many(struct ctx_walk *walk, struct ctx *ctx)
{
	struct ctx_user *user = walk->user;
	struct ctx_wake wake;
	unsigned int n;
	bool all;

	if (user && user->waking == ctx) {
		/* The next turn goes on with its waiters, and this one can but repeat. */
		walk->budget = 0;
		return false;
	}
	all = ctx_wake_few(&ctx->wait, CTX_BATCH, &n);
	/* One costs no more than the context does. */
	walk->budget -= n;
	if (all)
		return true;
	if (ctx_walk_is_over(walk))
		return false;
	cond_resched();
	if (user && !user->waking)
		return ctx_walk_wake(walk, ctx, &user->wake);
	ctx_wake_init(&wake);
	return ctx_walk_wake(walk, ctx, &wake);
}

/* Wakes all who wait for @ctx. Return: as ctx_walk_wake() */
static bool ctx_walk_wake_all(struct ctx_walk *walk, struct ctx *ctx)
{
	return ctx_wake_alone(&ctx->wait) || ctx_walk_wake_many(walk, ctx);
}

/*
 * Tells all that is at @ctx itself, the own @origin of which is set; unless it stops. Inline:
 * a call is a tenth of what it takes.
 */
static __always_inline void ctx_walk_tell(struct ctx_walk *walk, struct ctx *ctx)
{
	bool any;

	if (ctx_is_told(ctx))
		return;
	walk->budget--;
	any = ctx_tell_begin(ctx);
	/* An empty queue: who joins it now looks at @origin after that (poll_mb, tell_mb). */
	if (waitqueue_active(&ctx->wait)) {
		any = true;
		/* Model: stop_told. Where some are left, another walk must not pass them by. */
		if (!ctx_walk_wake_all(walk, ctx)) {
			walk->stopped = true;
			return;
		}
	}
	ctx_walk_told(walk, ctx);
	walk->woken += any;
}

/*
 * Takes @done, all of which was told, off the list of @ctx. Marks children, and drops those
 * that have nobody to tell and no children of their own, until it finds one that has.
 *
 * Return: that child, with a reference; @someone is whether somebody is to be told there.
 *	NULL where all children are done with; ERR_PTR(-EAGAIN) after CTX_BATCH of them
 */
static struct ctx *ctx_mark_children(struct ctx_walk *walk, struct ctx *ctx, struct ctx *done,
				     bool *someone)
{
	/* Model: walk_acquire. What is passed on may be read by whoever gets it from there. */
	struct ctx *origin = smp_load_acquire(&ctx->origin), *child;
	struct hlist_node *first;
	unsigned int n = 0;
	bool any = false;

	spin_lock_irq(&ctx->lock);
	/* Model: list_last. All of @done was told before. */
	if (done)
		ctx_list_del(&done->sibling);
	for (;;) {
		/*
		 * Model: first_acquire. The last one may be taken off just now without the lock:
		 * pairs with the release in ctx_walk_leave(), as ctx_list_empty() does.
		 */
		first = smp_load_acquire(&ctx->children.first);
		child = hlist_entry_safe(first, struct ctx, sibling);
		if (!child)
			break;
		ctx_inherit(child, origin);
		any = ctx_has_someone_to_tell(child);
		/* Model: ref_not_zero. */
		if ((any || !ctx_list_empty(&child->children)) &&
		    refcount_inc_not_zero(&child->refs))
			break;
		/* It has nobody to tell, or lost its last reference and is going. */
		ctx_list_take(first, &ctx->children.first);
		if (++n == CTX_BATCH) {
			child = ERR_PTR(-EAGAIN);
			break;
		}
	}
	spin_unlock_irq(&ctx->lock);
	*someone = any;
	if (n) {
		walk->reached += n;
		walk->budget -= n;
	}
	return child;
}

/*
 * Goes down from @ctx by first children for as long as there is nobody to tell, but more below.
 *
 * Return: where it came to, a reference, and on all between
 */
static struct ctx *ctx_walk_dive(struct ctx *ctx)
{
	/* Model: dive_acquire. As in ctx_mark_children(). */
	struct ctx *origin = smp_load_acquire(&ctx->origin), *child;
	unsigned int n = 2 * CTX_STEPS;
	struct hlist_node *first;

	do {
		spin_lock_irq(&ctx->lock);
		first = READ_ONCE(ctx->children.first);
		if (!first)
			break;
		child = hlist_entry(first, struct ctx, sibling);
		origin = ctx_inherit(child, origin);
		if (ctx_has_someone_to_tell(child) || ctx_list_empty(&child->children) ||
		    !refcount_inc_not_zero(&child->refs))
			break;
		spin_unlock_irq(&ctx->lock);
		ctx = child;
	} while (--n);
	if (n)
		spin_unlock_irq(&ctx->lock);
	return ctx;
}

/*
 * Goes down from @walk->cur, until it comes to somebody who is to be told that has more below
 * him, or there are no more children.
 *
 * Return: false where there are none
 */
static bool ctx_walk_down(struct ctx_walk *walk)
{
	struct ctx *cur = walk->cur, *done = walk->done, *next;
	unsigned int n = CTX_STEPS;
	bool someone;

	do {
		next = ctx_mark_children(walk, cur, done, &someone);
		if (done) {
			ctx_drop(done);
			done = NULL;
		}
		if (IS_ERR_OR_NULL(next))
			break;
		if (!someone) {
			cur = ctx_walk_dive(next);
			continue;
		}
		ctx_walk_tell(walk, next);
		if (walk->stopped || !ctx_is_leaf(next)) {
			cur = next;
			break;
		}
		/* And up again. */
		if (next->merge)
			ctx_merge_unlink(next);
		done = next;
		walk->reached++;
		if (--walk->budget <= 0 || need_resched())
			break;
	} while (--n);
	walk->cur = cur;
	walk->done = done;
	return next;
}

/*
 * Whether what is above the child at an edge to @walk->cur was alive after the walk came by
 * the cancellation that is to be passed on. Each cancellation has a time of its own: one that
 * came later than that of @walk->top may have come later than one above the child, too.
 */
static noinline bool ctx_walk_sees_alive(struct ctx_walk *walk, struct ctx *first)
{
	u64 origin = READ_ONCE(walk->cur->origin)->id;
	struct ctx_seen *seen = &walk->seen[origin != walk->seen[0].origin];

	if (seen->origin != origin) {
		seen->origin = origin;
		seen->since = 0;
	}
	/*
	 * But compared: it is what it was, because no edge to a cancelled context was made
	 * since.
	 */
	if (seen->since && seen->alive == first)
		return true;
	if (!seen->since)
		seen->since = ctx_look_begin();
	walk->budget -= first->depth / CTX_BATCH;
	if (!ctx_look(first, seen->since))
		return false;
	seen->alive = first;
	return true;
}

/* As ctx_inherit_over(), for one without a parent that counts it: so there is no lock. */
static void ctx_inherit_alone(struct ctx *ctx, struct ctx *parent)
{
	/* Model: alone_acquire. As in ctx_inherit_over(). */
	struct ctx *origin = smp_load_acquire(&parent->origin);

	/* Model: alone_release. As in ctx_inherit(). */
	if (!cmpxchg(&ctx->origin, NULL, origin))
		trace_ctx_cancel(ctx, origin);
}

/* Goes down over an edge, which it remembers: there are at most CTX_CHAIN_MAX in a row. */
static void ctx_walk_cross(struct ctx_walk *walk, struct ctx_edge *edge)
{
	struct ctx *next = edge->hook.child;

	/* Not where that was done before: a walk that begins anew has but to come by. */
	if (!READ_ONCE(next->origin)) {
		if (!next->parent)
			ctx_inherit_alone(next, walk->cur);
		else if (!next->up || ctx_walk_sees_alive(walk, next->up))
			ctx_inherit_over(next, walk->cur);
		else
			ctx_inherit_from(next, walk->cur);
	}
	walk->crossed[walk->nr_crossed++] = edge;
	walk->cur = next;
	ctx_walk_tell(walk, next);
}

/* From where it came to @walk->cur where that was over an edge, or NULL */
static struct ctx *ctx_walk_back(const struct ctx_walk *walk)
{
	const struct ctx_edge *edge;

	if (!walk->nr_crossed)
		return NULL;
	edge = walk->crossed[walk->nr_crossed - 1];
	return edge->hook.child == walk->cur ? edge->parent : NULL;
}

/*
 * Takes @ctx off the list of @parent, which it is the only one on, without the lock.
 * Nothing is added there any more: who would do so finds @parent cancelled, under the
 * lock, which was taken after that by whoever came down from there. So the list but gets
 * shorter; and where it is @ctx alone that is on it, that can but be taken off by another
 * walk just now. Its @pprev stays, and leads to the empty list until it is freed.
 *
 * Return: false where others are on the list, or were until now
 */
static bool ctx_walk_leave(struct ctx *ctx, struct ctx *parent)
{
	/*
	 * Model: only_acquire. None is behind it. Pairs with the release in ctx_list_del():
	 * where it was taken off with one behind it, the list is seen not to begin with it.
	 */
	if (smp_load_acquire(&ctx->sibling.next))
		return false;
	if (READ_ONCE(parent->children.first) != &ctx->sibling)
		return false;
	/* Model: only_release. As in ctx_list_del(). */
	smp_store_release(&parent->children.first, NULL);
	return true;
}

/*
 * Goes up from @walk->cur over the edge by which it came, to @from, and on for as long as
 * there are edges alone on the way.
 */
static void ctx_walk_up_over(struct ctx_walk *walk, struct ctx *from)
{
	struct ctx *cur = walk->cur;
	unsigned int n = 0;

	do {
		n++;
		walk->nr_crossed--;
		if (cur->parent || cur->merge->nr > 1) {
			ctx_unlink(cur);
		} else {
			spin_lock_irq(&from->lock);
			ctx_list_del(&cur->merge->edges[0].hook.node);
			spin_unlock_irq(&from->lock);
		}
		ctx_drop(cur);
		cur = from;
		walk->cur = cur;
		if (cur == walk->top || !ctx_is_leaf(cur))
			break;
		from = ctx_walk_back(walk);
	} while (from);
	walk->reached += n;
	walk->budget -= n;
}

/*
 * Goes up from @walk->cur, all of the subtree of which was told, to where it came from: by
 * only children for as long as there is nothing else on the way.
 */
static void ctx_walk_up(struct ctx_walk *walk)
{
	struct ctx *cur = walk->cur, *from = ctx_walk_back(walk), *stop;
	unsigned int n = 0;

	if (from) {
		ctx_walk_up_over(walk, from);
		return;
	}
	stop = walk->nr_crossed ? walk->crossed[walk->nr_crossed - 1]->hook.child : walk->top;
	do {
		from = cur->up;
		n++;
		if (unlikely(cur->merge))
			ctx_merge_unlink(cur);
		if (!ctx_walk_leave(cur, from)) {
			walk->done = cur;
			cur = from;
			break;
		}
		ctx_drop(cur);
		cur = from;
	} while (cur != stop && n < CTX_BATCH && ctx_list_empty(&cur->hooks));
	walk->cur = cur;
	walk->reached += n;
	walk->budget -= n;
}

/* Return: whether something is left to do */
static bool ctx_walk_step(struct ctx_walk *walk)
{
	struct ctx *cur = walk->cur;
	struct ctx_hook *hook;
	unsigned int n;

	/* Who adds a child to an empty list now looks up to here after that (tell_mb). */
	if ((walk->done || !ctx_list_empty(&cur->children)) && ctx_walk_down(walk))
		return true;
	/* Who adds one to an empty list now looks at @origin after that (join_mb, tell_mb). */
	for (n = CTX_STEPS; !ctx_list_empty(&walk->cur->hooks); ) {
		hook = ctx_first_edge(walk->cur) ?: ctx_next_hook(walk->cur, walk->brief);
		if (!hook)
			break;
		ctx_walk_cross(walk, container_of(hook, struct ctx_edge, hook));
		if (!--n || walk->stopped || walk->budget <= 0 || need_resched() ||
		    !ctx_list_empty(&walk->cur->children))
			return true;
	}
	if (walk->cur == walk->top)
		return false;
	ctx_walk_up(walk);
	return true;
}

static void ctx_walk_init(struct ctx_walk *walk, struct ctx *top, const struct ctx_budget *budget,
			  struct ctx_user *user)
{
	/* Not what it need not be: the kernel may be one that clears the stack. */
	walk->top = top;
	walk->cur = top;
	walk->done = NULL;
	walk->user = user;
	walk->brief = budget;
	walk->stopped = false;
	walk->budget = budget ? budget->left : LONG_MAX;
	walk->had = walk->budget;
	walk->until = budget ? budget->until : 0;
	walk->reached = 1;
	walk->woken = 0;
	walk->seen[0].origin = READ_ONCE(top->origin)->id;
	walk->seen[0].since = 0;
	walk->seen[1].origin = 0;
	walk->nr_crossed = 0;
}

/* Lets go of where it is, and of all between that and the top. */
static void ctx_walk_end(struct ctx_walk *walk)
{
	struct ctx *cur, *from;

	/* Where it stops, nothing that was finished is left on a list. */
	if (walk->done) {
		ctx_unlink(walk->done);
		ctx_drop(walk->done);
	}
	while ((cur = walk->cur) != walk->top) {
		from = ctx_walk_back(walk);
		walk->nr_crossed -= !!from;
		walk->cur = from ?: cur->up;
		ctx_drop(cur);
		cond_resched();
	}
}

/**
 * ctx_walk - tell whoever waits on a context or on any below it
 * @top: its own @origin is set; a reference
 * @budget: what it may do, from which it takes what it did; where there is more it stops.
 *	NULL for all that there is, unless the task is killed
 * @user: whose turn of the queue it is; or NULL
 *
 * Context: process, no lock held; can be preempted anywhere but in a batch
 * Return: whether all were told, by this walk or by another
 */
bool ctx_walk(struct ctx *top, struct ctx_budget *budget, struct ctx_user *user)
{
	u64 start = trace_ctx_wake_enabled() ? ktime_get_ns() : 0;
	struct ctx_walk walk;
	bool left = true;
	unsigned int n;

	might_sleep();

	ctx_walk_init(&walk, top, budget, user);
	ctx_walk_tell(&walk, top);
	while (left && !ctx_walk_is_over(&walk)) {
		cond_resched();
		n = CTX_STEPS;
		do {
			left = ctx_walk_step(&walk);
		} while (left && --n && !walk.stopped && walk.budget > 0 && !need_resched());
	}
	ctx_walk_end(&walk);
	/* Model: whole_unlink. Else a walk from above would pass by what is left. */
	if (!left)
		ctx_unlink(top);
	if (start)
		trace_ctx_wake(top, walk.reached, walk.woken, ktime_get_ns() - start);
	if (budget)
		budget->left = walk.budget;
	return !left;
}

/**
 * ctx_walk_resume - go on where the last turn of a user ended among waiters
 * @user: who
 * @budget: as ctx_walk()
 *
 * Context: the queue
 */
void ctx_walk_resume(struct ctx_user *user, struct ctx_budget *budget)
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
	budget->left = walk.budget;
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
	if (ctx_tell_briefly(top, true))
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
 * Context: process, but no kernel thread, no lock held
 */
void ctx_wake_subtree(struct ctx *top)
{
	struct ctx_budget budget;
	bool hurried;

	/* Most often that is all. A trace tells of it as of the others. */
	if (!trace_ctx_wake_enabled() && ctx_tell_briefly(top, false)) {
		if (top->parent || top->merge)
			ctx_unlink(top);
		return;
	}
	hurried = ctx_is_hurried();
	if (hurried)
		ctx_budget_init(&budget, CTX_BATCH);
	if (!ctx_walk(top, hurried ? &budget : NULL, NULL))
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
