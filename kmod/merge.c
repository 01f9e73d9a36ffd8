// SPDX-License-Identifier: GPL-2.0-only
/*
 * Further parents: a context with several is cancelled with the first of them.
 *
 * Edges are made at creation alone, from a new context to those that are there:
 * so there is no cycle. The child holds its parents, not they the child: the end
 * of the child takes its edges off their lists.
 */
#include <linux/err.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ctx.h"

/* Protects @seen of every context and @next of every struct ctx_merge. */
static DEFINE_MUTEX(ctx_merge_mutex);

/**
 * ctx_merge_read - read the further parents that a caller asks for
 * @ctx: fresh from ctx_alloc(); gets @merge, and a depth below all its parents
 * @args: the caller's
 *
 * Return: 0, -EBADF, -EFAULT, -EINVAL, -ELOOP or -ENOMEM; ctx_put() undoes it
 */
int ctx_merge_read(struct ctx *ctx, const struct ctx_create_args *args)
{
	s32 fds[CTX_PARENTS_MAX];
	unsigned int i;
	int ret;

	if (args->nr_parents > CTX_PARENTS_MAX)
		return -EINVAL;
	if (copy_from_user(fds, u64_to_user_ptr(args->parents),
			   args->nr_parents * sizeof(*fds)))
		return -EFAULT;

	ctx->merge = kzalloc(struct_size(ctx->merge, edges, args->nr_parents),
			     GFP_KERNEL_ACCOUNT);
	if (!ctx->merge)
		return -ENOMEM;

	for (i = 0; i < args->nr_parents; i++) {
		struct ctx *parent = ctx_from_fd(fds[i]);

		if (IS_ERR(parent))
			return PTR_ERR(parent);
		ctx->merge->edges[i].parent = parent;
		ctx->merge->edges[i].hook.child = ctx;
		ctx->merge->nr++;
		/* The background is never cancelled: to be below it changes nothing. */
		if (parent == ctx_background)
			continue;
		ret = ctx_set_depth(ctx, parent);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * ctx_merge_link - make the edges to a new context's further parents
 * @ctx: the context, which has such
 */
void ctx_merge_link(struct ctx *ctx)
{
	struct ctx_edge *edge;
	unsigned int i;

	for (i = 0; i < ctx->merge->nr && !ctx_origin(ctx); i++) {
		edge = &ctx->merge->edges[i];
		if (edge->parent == ctx_background)
			continue;
		/* Model: merge_link_look. Else a walk might never come to the end of a list. */
		if (ctx_origin(edge->parent) || !ctx_hook_add(edge->parent, &edge->hook))
			ctx_inherit_from(ctx, edge->parent);
	}
}

/**
 * ctx_merge_unlink - take a context off its further parents' lists
 * @ctx: the context, which has such
 */
void ctx_merge_unlink(struct ctx *ctx)
{
	unsigned int i;

	for (i = 0; i < ctx->merge->nr; i++)
		ctx_hook_remove(ctx->merge->edges[i].parent, &ctx->merge->edges[i].hook);
}

/*
 * The earliest of @earliest and of the deadlines from @ctx upwards, by first
 * parents, to where this search came by. Contexts with further parents are put
 * on @todo.
 */
static ktime_t ctx_climb(struct ctx *ctx, u64 search, struct ctx_merge **todo, ktime_t earliest)
{
	lockdep_assert_held(&ctx_merge_mutex);

	for (; ctx && ctx->seen != search; ctx = ctx->up) {
		ctx->seen = search;
		if (ctx->merge) {
			ctx->merge->next = *todo;
			*todo = ctx->merge;
		}
		earliest = ctx_earlier(earliest, ctx_deadline_own(ctx));
	}
	return earliest;
}

/**
 * ctx_merge_earliest - the earliest deadline of a context with further parents
 * @ctx: the context
 * @earliest: the result: CLOCK_MONOTONIC, over 0; 0 where there is none
 *
 * The parents of all its ancestors form a graph in which paths meet again: so
 * each context is handled once, and those with further parents one by one.
 *
 * Context: process, may sleep
 * Return: 0, or -EINTR where the task is being killed
 */
int ctx_merge_earliest(struct ctx *ctx, ktime_t *earliest)
{
	static u64 search;
	struct ctx_merge *todo = NULL, *merge;
	unsigned int i;
	int ret;

	ret = mutex_lock_killable(&ctx_merge_mutex);
	if (ret)
		return ret;
	search++;
	*earliest = ctx_climb(ctx, search, &todo, 0);
	while ((merge = todo) && !ret) {
		todo = merge->next;
		for (i = 0; i < merge->nr; i++)
			*earliest = ctx_climb(merge->edges[i].parent, search, &todo, *earliest);
		if (fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	mutex_unlock(&ctx_merge_mutex);
	return ret;
}
