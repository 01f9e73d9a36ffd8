// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a context and its place in the tree. The rules are in ctx.h.
 */
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "ctx.h"

static unsigned int max_depth = 1024;
module_param(max_depth, uint, 0644);
MODULE_PARM_DESC(max_depth, "How deep below its root a context may be (default 1024)");

struct ctx *ctx_background;

static struct kmem_cache *ctx_cache;
static atomic64_t ctx_next_id = ATOMIC64_INIT(0);

int ctx_tree_init(void)
{
	ctx_cache = KMEM_CACHE(ctx, SLAB_ACCOUNT);
	if (!ctx_cache)
		return -ENOMEM;

	/* The first one, so that its id is 0. */
	ctx_background = ctx_alloc(NULL, 0, "");
	if (IS_ERR(ctx_background)) {
		kmem_cache_destroy(ctx_cache);
		return PTR_ERR(ctx_background);
	}
	return 0;
}

void ctx_tree_exit(void)
{
	ctx_put(ctx_background);
	kmem_cache_destroy(ctx_cache);
}

/**
 * ctx_alloc - make a context that nobody can see yet
 * @parent: its parent, of which it takes a reference; NULL for a root
 * @flags: CTX_CREATE_*
 * @name: may be empty
 *
 * Return: the context, with one reference, or an ERR_PTR() of -ELOOP or -ENOMEM
 */
struct ctx *ctx_alloc(struct ctx *parent, u32 flags, const char *name)
{
	struct ctx *ctx;

	if (parent && parent->depth >= READ_ONCE(max_depth))
		return ERR_PTR(-ELOOP);

	ctx = kmem_cache_zalloc(ctx_cache, GFP_KERNEL);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	if (*name) {
		ctx->name = kstrdup(name, GFP_KERNEL_ACCOUNT);
		if (!ctx->name) {
			kmem_cache_free(ctx_cache, ctx);
			return ERR_PTR(-ENOMEM);
		}
	}

	if (parent) {
		ctx->parent = ctx_get(parent);
		ctx->depth = parent->depth + 1;
	}
	ctx->id = atomic64_fetch_inc(&ctx_next_id);
	ctx->flags = flags;
	init_waitqueue_head(&ctx->wait);
	refcount_set(&ctx->refs, 1);
	spin_lock_init(&ctx->lock);
	return ctx;
}

/**
 * ctx_link - give a new context its place below its parent
 * @ctx: fresh from ctx_alloc()
 *
 * Where the parent is cancelled, @ctx is from now on, too, and needs no place:
 * nobody waits on it yet.
 */
void ctx_link(struct ctx *ctx)
{
	struct ctx *parent = ctx->parent;

	if (!parent)
		return;

	/* Copies down to @parent: so nothing joins a tree that is being walked. */
	ctx_origin(parent);

	guard(spinlock_irq)(&parent->lock);
	/* Acquire: as in ctx_copy_down(). */
	ctx->origin = smp_load_acquire(&parent->origin);
	if (ctx->origin)
		return;
	hlist_add_head(&ctx->sibling, &parent->children);
	parent->nr_children++;
}

/**
 * ctx_unlink - take a context off its parent's list
 * @ctx: all of its subtree was woken, or it is about to be freed
 *
 * Context: any. Does nothing where it is done already.
 */
void ctx_unlink(struct ctx *ctx)
{
	struct ctx *parent = ctx->parent;

	if (!parent)
		return;

	guard(spinlock_irqsave)(&parent->lock);
	if (hlist_unhashed(&ctx->sibling))
		return;
	hlist_del_init(&ctx->sibling);
	if (!READ_ONCE(ctx->origin))
		parent->nr_children--;
}

static void ctx_free(struct ctx *ctx)
{
	ctx_deadline_free(ctx);
	/* After the timer, which may still have marked it: then it counts no more. */
	ctx_unlink(ctx);
	kfree(ctx->message);
	kfree(ctx->name);
	kmem_cache_free(ctx_cache, ctx);
}

/**
 * ctx_put - let go of a context
 * @ctx: a reference to it
 *
 * Frees it, and then those of its ancestors that nothing else needs.
 *
 * Context: process, no lock held
 */
void ctx_put(struct ctx *ctx)
{
	might_sleep();

	while (ctx && refcount_dec_and_test(&ctx->refs)) {
		struct ctx *parent = ctx->parent;

		ctx_free(ctx);
		ctx = parent;
	}
}
