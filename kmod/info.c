// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a context is like now, to programs and to people.
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

#include "ctx.h"

/* Who made @ctx, as the caller's namespaces have it, and its further parents. */
static void ctx_get_makers(struct ctx *ctx, struct ctx_info *info)
{
	unsigned int i;

	info->uid = from_kuid_munged(current_user_ns(), ctx->uid);
	info->maker = pid_nr_ns(ctx->maker, task_active_pid_ns(current));
	if (!ctx->merge)
		return;
	info->nr_parents = ctx->merge->nr;
	for (i = 0; i < info->nr_parents; i++)
		info->parents[i] = ctx->merge->edges[i].parent->id;
}

/**
 * ctx_get_info - fill in what CTX_IOC_INFO gives
 * @ctx: the context
 * @info: is written whole
 *
 * Context: process, may sleep
 * Return: 0, or -EINTR where the task is being killed
 */
int ctx_get_info(struct ctx *ctx, struct ctx_info *info)
{
	struct ctx *origin;
	ktime_t deadline;
	u32 nr_kept;
	int ret;

	memset(info, 0, sizeof(*info));
	info->id = ctx->id;
	info->parent_id = ctx->parent ? ctx->parent->id : 0;
	info->flags = ctx->flags;
	info->depth = ctx->depth;
	if (ctx->name)
		strscpy(info->name, ctx->name, sizeof(info->name));
	ctx_get_makers(ctx, info);
	ret = ctx_deadline_earliest(ctx, &deadline);
	if (ret)
		return ret;
	if (deadline)
		info->deadline = ctx_time_for_caller(deadline);

	/* The numbers first: where @ctx is alive after that, it was with them. */
	scoped_guard(spinlock_irq, &ctx->lock) {
		nr_kept = ctx->nr_kept;
		info->nr_children = ctx->nr_children + nr_kept;
	}
	origin = ctx_origin(ctx);
	if (!origin)
		return 0;

	info->nr_children = nr_kept;
	info->origin_id = origin->id;
	info->cancelled_at = ctx_time_for_caller(origin->cancelled_at);
	info->err = origin->err;
	info->cause = origin->cause;
	if (origin->message) {
		info->message_len = origin->message->len;
		memcpy(info->message, origin->message->text, info->message_len);
	}
	return 0;
}

/* A line that holds text from user space, all but plain ASCII escaped. */
static void ctx_show_text(struct seq_file *m, const char *key, const char *text, size_t len)
{
	seq_printf(m, "%s:\t", key);
	seq_escape_mem(m, text, len, ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND, "\\");
	seq_putc(m, '\n');
}

/**
 * ctx_show_info - print the lines of fdinfo
 * @m: where to
 * @ctx: the context
 */
void ctx_show_info(struct seq_file *m, struct ctx *ctx)
{
	struct ctx_info info;
	unsigned int i;

	if (ctx_get_info(ctx, &info))
		return;
	seq_printf(m, "ctx-id:\t%llu\n", info.id);
	seq_printf(m, "ctx-parent:\t%llu\n", info.parent_id);
	seq_printf(m, "ctx-origin:\t%llu\n", info.origin_id);
	ctx_show_text(m, "ctx-name", info.name, strlen(info.name));
	seq_printf(m, "ctx-depth:\t%u\n", info.depth);
	seq_printf(m, "ctx-children:\t%u\n", info.nr_children);
	seq_printf(m, "ctx-err:\t%u\n", info.err);
	seq_printf(m, "ctx-cause:\t%d\n", info.cause);
	seq_printf(m, "ctx-deadline:\t%llu\n", info.deadline);
	seq_printf(m, "ctx-flags:\t0x%x\n", info.flags);
	ctx_show_text(m, "ctx-message", info.message, info.message_len);
	seq_printf(m, "ctx-age:\t%u\n", ctx_seconds() - ctx->born);
	seq_printf(m, "ctx-uid:\t%u\n", info.uid);
	seq_printf(m, "ctx-maker:\t%d\n", info.maker);
	seq_puts(m, "ctx-parents:");
	for (i = 0; i < info.nr_parents; i++)
		seq_printf(m, "%c%llu", i ? ' ' : '\t', info.parents[i]);
	seq_putc(m, '\n');
}
