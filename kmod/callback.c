// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hooks: what a walk comes by at a context besides its waiters and children.
 * Those with a child are edges to it (merge.c), the others callbacks.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "ctx.h"

/*
 * Runs callbacks for walks that must not be kept. They may wait for anything: so
 * this queue has no part in freeing memory, and nothing else of ours waits in it.
 */
static struct workqueue_struct *ctx_callback_wq;

int __init ctx_callback_init(void)
{
	ctx_callback_wq = alloc_workqueue("ctx_callback", WQ_UNBOUND, 0);
	return ctx_callback_wq ? 0 : -ENOMEM;
}

void ctx_callback_exit(void)
{
	destroy_workqueue(ctx_callback_wq);
}

/**
 * ctx_hook_add - put a hook on the list of a context
 * @ctx: the context
 * @hook: which is not on a list
 *
 * Return: whether @ctx is alive; if not, a walk may or may not come by the hook
 */
bool ctx_hook_add(struct ctx *ctx, struct ctx_hook *hook)
{
	scoped_guard(spinlock_irq, &ctx->lock)
		hlist_add_head(&hook->node, &ctx->hooks);
	return ctx_join(ctx);
}

/**
 * ctx_hook_remove - take a hook off the list of a context
 * @ctx: the context
 * @hook: which was added to it
 *
 * Return: whether it was still there
 */
bool ctx_hook_remove(struct ctx *ctx, struct ctx_hook *hook)
{
	guard(spinlock_irq)(&ctx->lock);
	if (hlist_unhashed(&hook->node))
		return false;
	ctx_list_del(&hook->node);
	return true;
}

/*
 * Takes the first hook of @ctx: a callback is off the list then, and an edge
 * stays until its child is finished, so that each walk comes by it. The child of
 * an edge is there, or is going: then its hook is passed by.
 *
 * Return: NULL where no hook is left; ERR_PTR(-EAGAIN) for one that was passed by
 */
static struct ctx_hook *ctx_first_hook(struct ctx *ctx)
{
	struct ctx_hook *hook;

	guard(spinlock_irq)(&ctx->lock);
	hook = hlist_entry_safe(ctx->hooks.first, struct ctx_hook, node);
	if (!hook)
		return NULL;
	/* Model: ref_not_zero. */
	if (hook->child && refcount_inc_not_zero(&hook->child->refs))
		return hook;
	ctx_list_del(&hook->node);
	if (hook->child)
		return ERR_PTR(-EAGAIN);
	/* Model: callback_begun. Who finds it off the list, under this lock, waits for it. */
	WRITE_ONCE(container_of(hook, struct ctx_callback, hook)->begun, true);
	return hook;
}

static void ctx_callback_run(struct ctx_callback *callback)
{
	WRITE_ONCE(callback->runner, current);
	callback->func(callback);
	WRITE_ONCE(callback->runner, NULL);
	/* Model: callback_release. Ends its life, as ctx_callback_remove() sees it. */
	smp_store_release(&callback->begun, false);
	/* Model: callback_mb. Pairs with that of prepare_to_wait() in wait_var_event(). */
	smp_mb();
	wake_up_var(&callback->begun);
}

static void ctx_callback_work(struct work_struct *work)
{
	ctx_callback_run(container_of(work, struct ctx_callback, work));
}

/**
 * ctx_next_hook - run callbacks up to the next edge
 * @ctx: cancelled
 * @brief: leave them to a queue
 *
 * Context: process, no lock held
 * Return: the hook of the edge, with a reference on its child; NULL where none is left
 */
struct ctx_hook *ctx_next_hook(struct ctx *ctx, bool brief)
{
	struct ctx_callback *callback;
	struct ctx_hook *hook;

	for (; (hook = ctx_first_hook(ctx)); cond_resched()) {
		if (IS_ERR(hook))
			continue;
		if (hook->child)
			return hook;
		callback = container_of(hook, struct ctx_callback, hook);
		if (brief)
			queue_work(ctx_callback_wq, &callback->work);
		else
			ctx_callback_run(callback);
	}
	return NULL;
}

/**
 * ctx_callback_add - have a function called once a context is cancelled
 * @ctx: the context; where this returns 0 the caller keeps its reference until
 *	ctx_callback_remove(), which it must call
 * @callback: stays where it is for as long
 * @func: what to call; it is called once at most
 *
 * Context: process
 * Return: 0, or -ECANCELED or -ETIMEDOUT where @ctx is cancelled already: @func is
 *	not called then, and @callback is not in use
 */
int ctx_callback_add(struct ctx *ctx, struct ctx_callback *callback, ctx_callback_fn func)
{
	int ret = ctx_err(ctx);

	if (ret)
		return ret;

	callback->hook = (struct ctx_hook) { };
	callback->func = func;
	callback->runner = NULL;
	callback->begun = false;
	INIT_WORK(&callback->work, ctx_callback_work);
	if (ctx_hook_add(ctx, &callback->hook) || !ctx_hook_remove(ctx, &callback->hook))
		return 0;
	return ctx_err(ctx);
}
EXPORT_SYMBOL_GPL(ctx_callback_add);

/**
 * ctx_callback_remove - have a function no longer called
 * @ctx: the context
 * @callback: as given to ctx_callback_add()
 *
 * Waits until the function returns, where it has been called. @callback and what
 * it is embedded in may be freed after that.
 *
 * Context: process, may sleep; not in the callback itself
 * Return: true where it will not have been called; false where it was
 */
bool ctx_callback_remove(struct ctx *ctx, struct ctx_callback *callback)
{
	might_sleep();

	if (ctx_hook_remove(ctx, &callback->hook) || cancel_work(&callback->work))
		return true;
	WARN_ON_ONCE(READ_ONCE(callback->runner) == current);
	/* Model: callback_acquire. Pairs with the release in ctx_callback_run(). */
	wait_var_event(&callback->begun, !smp_load_acquire(&callback->begun));
	return false;
}
EXPORT_SYMBOL_GPL(ctx_callback_remove);
