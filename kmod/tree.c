// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a context and its place in the tree. The rules are in ctx.h.
 */
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "ctx.h"
#include "trace.h"

/* What ctx_copy_down() does for the deepest takes a moment, not the processor. */
#define CTX_DEPTH_LIMIT	4096

static int ctx_set_max_depth(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, CTX_DEPTH_LIMIT);
}

static const struct kernel_param_ops ctx_max_depth_ops = {
	.set = ctx_set_max_depth,
	.get = param_get_uint,
};

static unsigned int max_depth = 1024;
module_param_cb(max_depth, &ctx_max_depth_ops, &max_depth, 0644);
__MODULE_PARM_TYPE(max_depth, "uint");
MODULE_PARM_DESC(max_depth, "How deep below its root a context may be (default 1024, at most 4096)");

struct ctx *ctx_background;

/* A context that is made with a deadline, as most are that ever have one */
struct ctx_timed {
	struct ctx		ctx;
	struct ctx_deadline	deadline;
};

static struct kmem_cache *ctx_cache, *ctx_timed_cache;
static atomic64_t ctx_next_id = ATOMIC64_INIT(0);

int __init ctx_tree_init(void)
{
	ctx_cache = KMEM_CACHE(ctx, SLAB_ACCOUNT);
	if (!ctx_cache)
		return -ENOMEM;
	ctx_timed_cache = KMEM_CACHE(ctx_timed, SLAB_ACCOUNT);
	if (!ctx_timed_cache)
		goto err_cache;

	/* The first one, so that its id is 0. */
	ctx_background = ctx_alloc(NULL, 0, "", false);
	if (!IS_ERR(ctx_background))
		return 0;

	ctx_user_exit();
	kmem_cache_destroy(ctx_timed_cache);
err_cache:
	kmem_cache_destroy(ctx_cache);
	return -ENOMEM;
}

void ctx_tree_exit(void)
{
	ctx_put(ctx_background);
	kmem_cache_destroy(ctx_timed_cache);
	kmem_cache_destroy(ctx_cache);
}

/**
 * ctx_set_depth - put a new context below a parent
 * @ctx: fresh from ctx_alloc()
 * @parent: one of its parents
 *
 * Return: 0, or -ELOOP where that is too deep
 */
int ctx_set_depth(struct ctx *ctx, const struct ctx *parent)
{
	if (parent->depth >= READ_ONCE(max_depth))
		return -ELOOP;
	ctx->depth = max_t(u16, ctx->depth, parent->depth + 1);
	return 0;
}

/**
 * ctx_charge - count what a context takes
 * @ctx: nobody else is about to do it
 * @n: contexts that it counts as, or as many more; at most CTX_COUNT_MAX in all
 *
 * It is counted until the context is freed.
 *
 * Return: 0, or -ENOSPC where its user may not have as many
 */
int ctx_charge(struct ctx *ctx, unsigned int n)
{
	int ret = ctx_user_charge(ctx->user, n);

	if (!ret)
		ctx->count += n;
	return ret;
}

/**
 * ctx_charge_bytes - count memory that a context has besides, where it is more than little
 * @ctx: as ctx_charge()
 * @size: bytes that are about to be allocated
 *
 * Return: as ctx_charge()
 */
int ctx_charge_bytes(struct ctx *ctx, size_t size)
{
	size = kmalloc_size_roundup(size);
	return size <= CTX_SPARE ? 0 : ctx_charge(ctx, DIV_ROUND_UP(size - CTX_SPARE, CTX_COST));
}

/*
 * Counts a new context, which has @parent. It needs no reference on the user where
 * @parent has the same: it holds @parent.
 */
static int ctx_set_user(struct ctx *ctx, const struct ctx *parent)
{
	int ret;

	ctx->user = ctx_user_get(parent ? parent->user : NULL);
	if (!ctx->user)
		return -ENOMEM;
	ret = ctx_charge(ctx, 1);
	if (ret && (!parent || parent->user != ctx->user))
		ctx_user_put(ctx->user);
	return ret;
}

/* Before @ctx lets go of its parents. */
static void ctx_unset_user(struct ctx *ctx)
{
	ctx_user_uncharge(ctx->user, ctx->count);
	if (!ctx->parent || ctx->parent->user != ctx->user)
		ctx_user_put(ctx->user);
}

/*
 * Says who makes @ctx, which has its parent. A child of a context of the same process needs
 * no reference: so that threads who make many do not count on one cache line.
 */
static void ctx_set_maker(struct ctx *ctx)
{
	ctx->uid = current_euid();
	ctx->maker = task_tgid(current);
	if (!ctx->parent || ctx->parent->maker != ctx->maker)
		get_pid(ctx->maker);
}

/* Before @ctx lets go of its parents. */
static void ctx_unset_maker(struct ctx *ctx)
{
	if (!ctx->parent || ctx->parent->maker != ctx->maker)
		put_pid(ctx->maker);
}

static struct ctx *ctx_alloc_object(bool timed)
{
	struct ctx_timed *object;

	if (!timed)
		return kmem_cache_zalloc(ctx_cache, GFP_KERNEL);
	object = kmem_cache_zalloc(ctx_timed_cache, GFP_KERNEL);
	if (!object)
		return NULL;
	object->ctx.timed = true;
	ctx_deadline_init(&object->deadline, &object->ctx);
	object->ctx.deadline = &object->deadline;
	return &object->ctx;
}

static void ctx_free_object(struct ctx *ctx)
{
	if (ctx->timed)
		kmem_cache_free(ctx_timed_cache, container_of(ctx, struct ctx_timed, ctx));
	else
		kmem_cache_free(ctx_cache, ctx);
}

/**
 * ctx_alloc - make a context that nobody can see yet
 * @parent: its parent, of which it takes a reference; NULL for a root
 * @flags: CTX_CREATE_*
 * @name: may be empty
 * @timed: it is to have a deadline, as by ctx_deadline_prepare()
 *
 * Return: the context, with one reference, or an ERR_PTR() of -ELOOP, -ENOMEM or
 *	-ENOSPC
 */
struct ctx *ctx_alloc(struct ctx *parent, u32 flags, const char *name, bool timed)
{
	struct ctx *ctx;
	int ret;

	ctx = ctx_alloc_object(timed);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	ret = ctx_set_user(ctx, parent);
	if (ret) {
		ctx_free_object(ctx);
		return ERR_PTR(ret);
	}
	init_waitqueue_head(&ctx->wait);
	refcount_set(&ctx->refs, 1);
	spin_lock_init(&ctx->lock);
	ctx->id = atomic64_fetch_inc(&ctx_next_id);
	ctx->flags = flags;
	ctx->born = ctx_seconds();
	ctx->ways = 1;

	ctx->parent = parent ? ctx_get(parent) : NULL;
	/* The background is the kernel's own. */
	if (likely(ctx->id))
		ctx_set_maker(ctx);
	if (parent) {
		ret = ctx_set_depth(ctx, parent);
		if (ret) {
			ctx_put(ctx);
			return ERR_PTR(ret);
		}
		if (!(flags & CTX_CREATE_WITHOUT_CANCEL)) {
			ctx->up = parent;
			ctx->ways = parent->ways;
			ctx->chain = parent->chain;
		}
	}
	if (*name) {
		ctx->name = kstrdup(name, GFP_KERNEL_ACCOUNT);
		if (!ctx->name) {
			ctx_put(ctx);
			return ERR_PTR(-ENOMEM);
		}
	}
	return ctx;
}

static void ctx_link_parent(struct ctx *ctx, const struct ctx_when *when)
{
	struct ctx *parent = ctx->parent;

	/*
	 * Model: settle_link, link_look. Copies down to @parent: so nothing joins a tree
	 * that is walked.
	 */
	if (ctx->up) {
		ctx_settle(parent);
		ctx_origin(parent);
	}

	guard(spinlock_irq)(&parent->lock);
	if (ctx->up) {
		/* Model: link_acquire. As in ctx_copy_down(). */
		ctx->origin = smp_load_acquire(&parent->origin);
		if (ctx->origin) {
			/* Model: word_linked. */
			ctx_status_set(parent);
			return;
		}
		hlist_add_head(&ctx->sibling, &parent->children);
		parent->nr_children++;
	} else {
		parent->nr_kept++;
	}
	ctx->counted = true;
	/* One with edges yet to be made must not be told of yet. */
	if (when->at && !when->passed && !ctx->merge)
		ctx_deadline_start(ctx, when);
}

/**
 * ctx_link - give a new context its place below its parents
 * @ctx: fresh from ctx_alloc(), ctx_values_read() and ctx_merge_read()
 * @when: its deadline; ctx_clocks_prepare() has been called where it has one
 *
 * Where a parent is cancelled, @ctx is from now on, too: nobody waits on it yet.
 */
void ctx_link(struct ctx *ctx, const struct ctx_when *when)
{
	/* Before it can be cancelled. */
	trace_ctx_create(ctx);
	if (ctx->parent)
		ctx_link_parent(ctx, when);
	if (ctx->merge)
		ctx_merge_link(ctx);
	if (when->at && (!ctx->parent || ctx->merge || when->passed))
		ctx_deadline_set(ctx, when);
	ctx_register(ctx);
}

/**
 * ctx_unlink - take a context off the lists of its parents
 * @ctx: all of its subtree was told, or it is about to be freed
 *
 * Does nothing where it is done already.
 *
 * Context: any with interrupts on, no context's lock held
 */
void ctx_unlink(struct ctx *ctx)
{
	if (ctx->merge)
		ctx_merge_unlink(ctx);
	if (!ctx->parent)
		return;

	guard(spinlock_irq)(ctx_outer_lock(ctx));
	ctx_list_del(&ctx->sibling);
	ctx_uncount(ctx);
}

/**
 * ctx_get - take another reference
 * @ctx: a reference to it
 *
 * Context: any
 * Return: @ctx
 */
struct ctx *ctx_get(struct ctx *ctx)
{
	refcount_inc(&ctx->refs);
	return ctx;
}
EXPORT_SYMBOL_GPL(ctx_get);

/* Takes @ctx, without references, from where it can be found. */
static void ctx_retire(struct ctx *ctx)
{
	/* Model: unregister, timer_stop, unlink_dead. All before @ctx is freed. */
	ctx_unregister(ctx);
	if (ctx->deadline)
		ctx_deadline_free(ctx);
	ctx_unlink(ctx);
}

static noinline void ctx_free_parts(struct ctx *ctx)
{
	kvfree(ctx->values);
	kfree(ctx->merge);
	kfree(ctx->message);
	kfree(ctx->name);
}

static void ctx_free(struct ctx *ctx)
{
	if (ctx->status)
		ctx_status_free(ctx);
	if (ctx->values || ctx->merge || ctx->message || ctx->name)
		ctx_free_parts(ctx);
	ctx_free_object(ctx);
}

/* Lets go of @parent, which @ctx held: where that was the last, it is added to @dead. */
static void ctx_let_go(struct ctx *parent, struct ctx **dead)
{
	if (!refcount_dec_and_test(&parent->refs))
		return;
	ctx_retire(parent);
	parent->next = *dead;
	*dead = parent;
}

/**
 * ctx_free_dead - free a context without references, and what it alone held
 * @ctx: retired
 * @few: as many are freed in any case. A task that must not be delayed leaves the rest
 *	to the queue, and any task what another user made.
 *
 * Context: process, no lock held, may sleep
 */
void ctx_free_dead(struct ctx *ctx, unsigned int few)
{
	struct ctx *dead = ctx;
	unsigned int i, n;

	ctx->next = NULL;
	for (n = 0; dead; n++) {
		if (n >= few && (ctx_is_hurried() || ctx_is_strange(dead))) {
			ctx_queue_dead(dead);
			return;
		}
		ctx = dead;
		dead = ctx->next;
		ctx_unset_user(ctx);
		ctx_unset_maker(ctx);
		for (i = 0; ctx->merge && i < ctx->merge->nr; i++)
			if (ctx->merge->edges[i].holds)
				ctx_let_go(ctx->merge->edges[i].parent, &dead);
		if (ctx->parent)
			ctx_let_go(ctx->parent, &dead);
		ctx_free(ctx);
		if (dead)
			cond_resched();
	}
}

/**
 * ctx_end - what ctx_put() does where it was the last
 * @ctx: without references
 *
 * Context: process, no lock held, may sleep
 */
void ctx_end(struct ctx *ctx)
{
	ctx_retire(ctx);
	ctx_free_dead(ctx, ctx_is_strange(ctx) ? 1 : CTX_BATCH);
}

/**
 * ctx_put - let go of a context
 * @ctx: a reference to it
 *
 * Frees it, and then those of its ancestors that nothing else needs.
 *
 * Context: process, no lock held, may sleep
 */
void ctx_put(struct ctx *ctx)
{
	might_sleep();

	ctx_drop(ctx);
}
EXPORT_SYMBOL_GPL(ctx_put);
