// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hooks: what a walk comes by at a context besides its waiters and children.
 * Those with a child are edges to it (merge.c), the others callbacks.
 */
#include <linux/export.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "ctx.h"

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
 * stays until its child is finished, so that each walk comes by it.
 */
static struct ctx_hook *ctx_first_hook(struct ctx *ctx)
{
	struct ctx_hook *hook;

	guard(spinlock_irq)(&ctx->lock);
	for (;;) {
		hook = hlist_entry_safe(ctx->hooks.first, struct ctx_hook, node);
		if (!hook)
			return NULL;
		if (!hook->child) {
			ctx_list_del(&hook->node);
			container_of(hook, struct ctx_callback, hook)->runner = current;
			return hook;
		}
		if (refcount_inc_not_zero(&hook->child->refs))
			return hook;
		/* Of a child that is being freed: few, CTX_PARENTS_MAX for each task that frees. */
		ctx_list_del(&hook->node);
	}
}

/**
 * ctx_next_hook - run callbacks up to the next edge
 * @ctx: cancelled
 *
 * Context: process, no lock held
 * Return: the child at the edge, with a reference; NULL where no hook is left
 */
struct ctx *ctx_next_hook(struct ctx *ctx)
{
	struct ctx_callback *callback;
	struct ctx_hook *hook;

	/* Who adds one to an empty list now looks at @origin after that (join_mb, tell_mb). */
	if (ctx_list_empty(&ctx->hooks))
		return NULL;

	while ((hook = ctx_first_hook(ctx)) && !hook->child) {
		callback = container_of(hook, struct ctx_callback, hook);
		callback->func(callback);
		/* Model: callback_release. Ends its life, as ctx_callback_remove() sees it. */
		smp_store_release(&callback->runner, NULL);
		/* Model: callback_mb. Pairs with that of prepare_to_wait() in wait_var_event(). */
		smp_mb();
		wake_up_var(&callback->runner);
		cond_resched();
	}
	return hook ? hook->child : NULL;
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

	if (ctx_hook_remove(ctx, &callback->hook))
		return true;
	WARN_ON_ONCE(READ_ONCE(callback->runner) == current);
	/* Model: callback_acquire. Pairs with the release in ctx_next_hook(). */
	wait_var_event(&callback->runner, !smp_load_acquire(&callback->runner));
	return false;
}
EXPORT_SYMBOL_GPL(ctx_callback_remove);
