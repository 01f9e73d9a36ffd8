// SPDX-License-Identifier: GPL-2.0-only
/*
 * Further parents: a context with several is cancelled with the first of them.
 *
 * Edges are made at creation alone, from a new context to those that are there:
 * so there is no cycle. The child holds its parents, not they the child: the end
 * of the child takes its edges off their lists.
 *
 * The ways from a context up to roots, each by one of the parents at each step,
 * and the edges to further parents on one of them have limits, as the nesting of
 * epoll has. So all ways can be climbed without a lock and without a mark in
 * what was seen.
 */
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "ctx.h"

/* Steps along a line without edges between looks whether it has been climbed */
#define CTX_CLIMB_LOOK		32
/* Contexts that a climb remembers, as a power of two */
#define CTX_CLIMB_BITS		6

/* Whether @ctx, or an edge of it before @i, holds a reference on @parent already. */
static bool ctx_merge_holds(const struct ctx *ctx, unsigned int i, const struct ctx *parent)
{
	if (ctx->parent == parent)
		return true;
	while (i--)
		if (ctx->merge->edges[i].parent == parent)
			return true;
	return false;
}

/* Adds an edge from @ctx to @parent, a reference, which this takes over. */
static int ctx_merge_add(struct ctx *ctx, struct ctx *parent)
{
	struct ctx_edge *edge = &ctx->merge->edges[ctx->merge->nr];
	unsigned int ways;

	edge->parent = parent;
	edge->hook.child = ctx;
	/* One for each parent: so edges cannot make references overflow. */
	edge->holds = !ctx_merge_holds(ctx, ctx->merge->nr, parent);
	if (!edge->holds)
		refcount_dec(&parent->refs);
	/* Those of a root that has none yet are no way to anywhere. */
	ways = parent->ways + (ctx->up || ctx->merge->nr ? ctx->ways : 0);
	ctx->merge->nr++;
	if (ways > CTX_WAYS_MAX || parent->chain >= CTX_CHAIN_MAX)
		return -ELOOP;
	ctx->ways = ways;
	ctx->chain = max_t(u8, ctx->chain, parent->chain + 1);
	return ctx_set_depth(ctx, parent);
}

/* Makes room for @nr edges, unless that was done. */
static int ctx_merge_prepare(struct ctx *ctx, unsigned int nr)
{
	size_t size = struct_size(ctx->merge, edges, nr);
	int ret;

	if (ctx->merge)
		return 0;
	ret = ctx_charge_bytes(ctx, size);
	if (ret)
		return ret;
	ctx->merge = kzalloc(size, GFP_KERNEL_ACCOUNT);
	return ctx->merge ? 0 : -ENOMEM;
}

/**
 * ctx_merge_read - read the further parents that a caller asks for
 * @ctx: fresh from ctx_alloc(); gets @merge, and a place below all its parents
 * @args: the caller's
 *
 * Return: 0, -EBADF, -EFAULT, -EINVAL, -ELOOP, -ENOMEM, -ENOSPC or -EPERM; ctx_put() undoes it
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

	for (i = 0; i < args->nr_parents; i++) {
		struct ctx *parent = ctx_parent_from_fd(fds[i]);

		if (IS_ERR(parent))
			return PTR_ERR(parent);
		/* The background is never cancelled: to be below it changes nothing. */
		if (parent == ctx_background) {
			ctx_put(parent);
			continue;
		}
		ret = ctx_merge_prepare(ctx, args->nr_parents - i);
		if (ret) {
			ctx_put(parent);
			return ret;
		}
		ret = ctx_merge_add(ctx, parent);
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
		/* Model: settle_merge. */
		ctx_settle(edge->parent);
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

/**
 * struct ctx_climb - a climb of all ways up from a context
 * @nr: edges by which it went up to where it is
 * @below: the children at those edges
 * @edge: which of the edges of each
 * @settle: contexts with a further parent that is cancelled are, too, once it has
 *	come by all that is above that parent
 * @seen: some of the contexts that it came by, each where its hash says
 *
 * Where ways meet again, what is above has been climbed: so it looks in @seen at both
 * ends of each edge, and now and then between. That is but to save time.
 */
struct ctx_climb {
	unsigned int		nr;
	struct ctx		*below[CTX_CHAIN_MAX];
	u8			edge[CTX_CHAIN_MAX];
	bool			settle;
	const struct ctx	*seen[1 << CTX_CLIMB_BITS];
};

static void ctx_climb_begin(struct ctx_climb *climb, bool settle)
{
	climb->nr = 0;
	climb->settle = settle;
	memset(climb->seen, 0, sizeof(climb->seen));
}

/* Whether the climb is known to have come by @ctx before; it has now. */
static bool ctx_climb_seen(struct ctx_climb *climb, const struct ctx *ctx)
{
	const struct ctx **seen = &climb->seen[hash_ptr(ctx, CTX_CLIMB_BITS)];

	if (*seen == ctx)
		return true;
	*seen = ctx;
	return false;
}

/*
 * The first edge of @ctx from number @i on, or the number of edges. One to a parent that
 * it has besides leads nowhere else; but a first parent made CTX_CREATE_WITHOUT_CANCEL is
 * not above it.
 */
static unsigned int ctx_climb_edge(const struct ctx *ctx, unsigned int i)
{
	const struct ctx_edge *edges = ctx->merge->edges;

	while (i < ctx->merge->nr && !edges[i].holds && (ctx->up || edges[i].parent != ctx->parent))
		i++;
	return i;
}

/*
 * At the end of a way: where the next one goes up from the last edge's child. NULL
 * where that has no more parents.
 */
static struct ctx *ctx_climb_back(struct ctx_climb *climb)
{
	unsigned int i = climb->nr - 1;
	struct ctx *ctx = climb->below[i], *parent;

	parent = ctx->merge->edges[climb->edge[i]].parent;
	/* Model: settle_first. All above @parent was settled. */
	if (climb->settle && ctx_origin(parent))
		ctx_inherit_from(ctx, parent);
	climb->edge[i] = ctx_climb_edge(ctx, climb->edge[i] + 1);
	if (climb->edge[i] < ctx->merge->nr)
		return ctx->merge->edges[climb->edge[i]].parent;
	/* The first parent at last: so there is nothing to remember for it. */
	climb->nr--;
	return ctx->up;
}

/* As ctx_climb_next(), from a context with edges, at the end of a line, or now and then. */
static noinline struct ctx *ctx_climb_on(struct ctx_climb *climb, struct ctx *ctx)
{
	unsigned int i = ctx->merge ? ctx_climb_edge(ctx, 0) : 0;
	struct ctx *next = ctx->up;

	cond_resched();
	if (ctx->merge && i < ctx->merge->nr) {
		climb->below[climb->nr] = ctx;
		climb->edge[climb->nr++] = i;
		next = ctx->merge->edges[i].parent;
	}
	/* Above what has no edge above there is nothing to settle. */
	while (!next || (climb->settle && !next->chain) || ctx_climb_seen(climb, next)) {
		if (!climb->nr)
			return NULL;
		next = ctx_climb_back(climb);
	}
	return next;
}

/*
 * The context that comes after @ctx: what is above an edge right after the child.
 * NULL where the climb is over.
 *
 * Context: process, may sleep
 */
static struct ctx *ctx_climb_next(struct ctx_climb *climb, struct ctx *ctx)
{
	if (ctx->merge || !ctx->up || ctx->depth % CTX_CLIMB_LOOK == 0)
		return ctx_climb_on(climb, ctx);
	return ctx->up;
}

/* What ctx_settle() does for a context with an edge at it or above. */
void ctx_settle_all(struct ctx *ctx)
{
	struct ctx_climb climb;

	ctx_climb_begin(&climb, true);
	while (ctx && !fatal_signal_pending(current))
		ctx = ctx_climb_next(&climb, ctx);
}

/**
 * ctx_merge_earliest - the earliest deadline of a context with further parents
 * @ctx: the context
 * @earliest: the result: CLOCK_MONOTONIC, over 0; 0 where there is none
 *
 * Context: process, may sleep
 * Return: 0, or -EINTR where the task is being killed
 */
int ctx_merge_earliest(struct ctx *ctx, ktime_t *earliest)
{
	struct ctx_climb climb;

	ctx_climb_begin(&climb, false);
	for (*earliest = 0; ctx && !fatal_signal_pending(current);
	     ctx = ctx_climb_next(&climb, ctx))
		*earliest = ctx_earlier(*earliest, ctx_deadline_own(ctx));
	return ctx ? -EINTR : 0;
}
