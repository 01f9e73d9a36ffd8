// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts by id: who may find which, and how.
 *
 * A table of lists, each with a lock that is a bit of its head: so creations on two
 * processors seldom meet. Ids are spread over the lists by a multiplier that nobody
 * knows (multiply-shift hashing, Dietzfelbinger et al. 1997): else a user could keep
 * those contexts alone that stand on one list, and make it long for others.
 *
 * The lists hold no references. Whoever finds a context takes one under the list's
 * lock, where it is not the last that goes; the last ctx_put() takes the context off.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "ctx.h"

/* Ids that one pass over the table finds for CTX_IOC_LIST. */
#define CTX_LIST_BATCH		((size_t)4096)

struct hlist_bl_head ctx_table[1 << CTX_TABLE_BITS];
u64 ctx_table_multiplier;

void __init ctx_registry_init(void)
{
	ctx_table_multiplier = get_random_u64() | 1;
}

/* Whether the caller is in the pid namespace of the maker's process, or in one above it. */
static bool ctx_is_visible(const struct ctx *ctx)
{
	return pid_nr_ns(ctx->maker, task_active_pid_ns(current));
}

/* Whether it is the caller's own, as kill(2) has it but for saved ids. */
static bool ctx_is_own(const struct ctx *ctx)
{
	return uid_eq(ctx->uid, current_euid()) || uid_eq(ctx->uid, current_uid());
}

/* Whose capabilities count for contexts that are not the caller's own. */
static struct user_namespace *ctx_user_ns(const struct ctx *ctx)
{
	return ns_of_pid(ctx->maker)->user_ns;
}

static struct ctx *ctx_lookup(u64 id)
{
	struct hlist_bl_head *list = ctx_table_list(id);
	struct ctx *ctx, *found = NULL;
	struct hlist_bl_node *pos;

	hlist_bl_lock(list);
	for (pos = ctx_table_first(list); pos; pos = pos->next) {
		ctx = hlist_bl_entry(pos, struct ctx, entry);
		if (ctx->id != id)
			continue;
		/* Model: ref_not_zero. As in ctx_mark_children(). */
		if (refcount_inc_not_zero(&ctx->refs))
			found = ctx;
		break;
	}
	ctx_table_do(hlist_bl_unlock(list));
	return found;
}

/**
 * ctx_find - find a context by its id
 * @id: any number
 *
 * Context: process, may sleep
 * Return: a reference, or an ERR_PTR() of -ENOENT where there is none that the caller
 *	can see, or -EPERM
 */
struct ctx *ctx_find(u64 id)
{
	struct ctx *ctx = ctx_lookup(id);
	int ret;

	if (!ctx)
		return ERR_PTR(-ENOENT);
	if (!ctx_is_visible(ctx))
		ret = -ENOENT;
	else if (!ctx_is_own(ctx) && !ns_capable(ctx_user_ns(ctx), CAP_KILL))
		ret = -EPERM;
	else
		return ctx;
	ctx_put(ctx);
	return ERR_PTR(ret);
}

/**
 * struct ctx_scan - a pass over the table, for the lowest ids that the caller may open
 * @after: ids over this one
 * @below: and under this one, because enough lower ones were found
 * @ids: that were found, in no order
 * @nr: of them
 * @want: how many are wanted
 * @room: at @ids, for so many twice and a batch
 * @asked: the user namespace that was last asked for CAP_KILL, a reference, or NULL
 * @granted: what it said
 * @at: the context at which a list was left, a reference, or NULL
 */
struct ctx_scan {
	u64			after;
	u64			below;
	u64			*ids;
	size_t			nr;
	size_t			want;
	size_t			room;
	struct user_namespace	*asked;
	bool			granted;
	struct ctx		*at;
};

enum ctx_verdict { CTX_NO, CTX_YES, CTX_ASK };

static enum ctx_verdict ctx_scan_judge(const struct ctx_scan *scan, const struct ctx *ctx)
{
	if (ctx->id <= scan->after || ctx->id >= scan->below || !ctx_is_visible(ctx))
		return CTX_NO;
	if (ctx_is_own(ctx))
		return CTX_YES;
	if (ctx_user_ns(ctx) != scan->asked)
		return CTX_ASK;
	return scan->granted ? CTX_YES : CTX_NO;
}

/* Goes on in a list, after @from where there is one, to its end or to @scan->at. */
static void ctx_scan_list(struct ctx_scan *scan, struct hlist_bl_head *list, struct ctx *from)
{
	enum ctx_verdict verdict;
	struct hlist_bl_node *pos;
	unsigned int n = 0;
	struct ctx *ctx;

	hlist_bl_lock(list);
	pos = from ? from->entry.next : ctx_table_first(list);
	for (; pos; pos = pos->next) {
		ctx = hlist_bl_entry(pos, struct ctx, entry);
		verdict = ctx_scan_judge(scan, ctx);
		if (++n >= CTX_BATCH || verdict == CTX_ASK) {
			/* Model: ref_not_zero. Held, it stays on the list; else it goes. */
			if (!refcount_inc_not_zero(&ctx->refs))
				continue;
			scan->at = ctx;
		}
		if (verdict == CTX_YES)
			scan->ids[scan->nr++] = ctx->id;
		if (scan->at)
			break;
	}
	ctx_table_do(hlist_bl_unlock(list));
}

/* Without a lock: security modules that are asked may sleep. */
static void ctx_scan_ask(struct ctx_scan *scan, struct ctx *ctx)
{
	struct user_namespace *ns = ctx_user_ns(ctx);

	if (scan->asked)
		put_user_ns(scan->asked);
	scan->asked = get_user_ns(ns);
	scan->granted = ns_capable_noaudit(ns, CAP_KILL);
	if (scan->granted)
		scan->ids[scan->nr++] = ctx->id;
}

static int ctx_compare_ids(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Leaves the lowest of those that were found, sorted. */
static void ctx_scan_sort(struct ctx_scan *scan)
{
	sort(scan->ids, scan->nr, sizeof(*scan->ids), ctx_compare_ids, NULL);
	if (scan->nr < scan->want)
		return;
	scan->nr = scan->want;
	scan->below = scan->ids[scan->nr - 1];
}

/* Return: 0, or -EINTR where the task is being killed; @scan->ids are sorted */
static int ctx_scan_table(struct ctx_scan *scan)
{
	struct hlist_bl_head *list;
	struct ctx *from;

	scan->nr = 0;
	scan->below = U64_MAX;
	for (list = ctx_table; list < ctx_table + ARRAY_SIZE(ctx_table); list++) {
		if (hlist_bl_empty(list))
			continue;
		from = NULL;
		do {
			scan->at = NULL;
			ctx_scan_list(scan, list, from);
			if (from)
				ctx_put(from);
			from = scan->at;
			if (from && ctx_scan_judge(scan, from) == CTX_ASK)
				ctx_scan_ask(scan, from);
			if (scan->room - scan->nr <= CTX_BATCH)
				ctx_scan_sort(scan);
			cond_resched();
		} while (from);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	ctx_scan_sort(scan);
	return 0;
}

/* As ctx_list(); the rest of @scan is set. */
static long ctx_list_scanned(struct ctx_scan *scan, u64 __user *ids, size_t nr)
{
	size_t done = 0;
	int ret;

	do {
		scan->want = min(nr - done, CTX_LIST_BATCH);
		ret = ctx_scan_table(scan);
		if (ret)
			return ret;
		if (copy_to_user(ids + done, scan->ids, scan->nr * sizeof(*ids)))
			return -EFAULT;
		done += scan->nr;
		scan->after = scan->below;
	} while (scan->nr == scan->want && done < nr);
	return done;
}

/**
 * ctx_list - tell the ids of contexts that the caller may open
 * @after: ids over this one
 * @ids: where to
 * @nr: as many at most, the lowest
 *
 * Context: process, may sleep
 * Return: how many, or -EFAULT, -ENOMEM, or -EINTR where the task is being killed
 */
long ctx_list(u64 after, u64 __user *ids, size_t nr)
{
	struct ctx_scan scan = { .after = after };
	long ret;

	if (!nr)
		return 0;
	scan.room = 2 * min(nr, CTX_LIST_BATCH) + CTX_BATCH;
	scan.ids = kvmalloc_array(scan.room, sizeof(*scan.ids), GFP_KERNEL_ACCOUNT);
	if (!scan.ids)
		return -ENOMEM;
	ret = ctx_list_scanned(&scan, ids, nr);
	if (scan.asked)
		put_user_ns(scan.asked);
	kvfree(scan.ids);
	return ret;
}
