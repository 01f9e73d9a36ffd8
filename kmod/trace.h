/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: who made, cancelled and ended a context, and what it reached.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ctx

#if !defined(_CTX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _CTX_TRACE_H

#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "ctx.h"

#ifndef _CTX_TRACE_NAME
#define _CTX_TRACE_NAME
/* A text comes from user space: it must not forge a line of the trace. */
static inline void ctx_trace_text(char *to, size_t size, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		to[i] = (u8)text[i] < ' ' || strchr("\"\\\177", text[i]) ? '?' : text[i];
	memset(to + i, 0, size - i);
}

static inline void ctx_trace_name(char *to, const char *name)
{
	ctx_trace_text(to, CTX_NAME_LEN, name, name ? strlen(name) : 0);
}

static inline void ctx_trace_message(char *to, const struct ctx_message *message)
{
	ctx_trace_text(to, CTX_MESSAGE_MAX + 1, message ? message->text : NULL,
		       message ? message->len : 0);
}

/* The process that cancels: none where that is a timer, or the kernel for somebody. */
static inline const struct task_struct *ctx_trace_canceller(void)
{
	return in_task() && !(current->flags & PF_KTHREAD) ? current->group_leader : NULL;
}

/* As it is; no line of the trace has it, which begins with one. */
static inline void ctx_trace_comm(char *to, const struct task_struct *task)
{
	if (!task) {
		memset(to, 0, TASK_COMM_LEN);
		return;
	}
	/* It may be changed meanwhile, but always ends with a NUL. */
	data_race(memcpy(to, task->comm, TASK_COMM_LEN));
}
#endif

TRACE_EVENT(ctx_create,
	TP_PROTO(const struct ctx *ctx),
	TP_ARGS(ctx),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, parent)
		__field(u32, flags)
		__field(u32, depth)
		__array(char, name, CTX_NAME_LEN)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->parent = ctx->parent ? ctx->parent->id : 0;
		__entry->flags = ctx->flags;
		__entry->depth = ctx->depth;
		ctx_trace_name(__entry->name, ctx->name);
		ctx_trace_comm(__entry->comm, current);
	),
	TP_printk("id=%llu parent=%llu flags=0x%x depth=%u name=\"%s\"",
		  __entry->id, __entry->parent, __entry->flags, __entry->depth,
		  __entry->name)
);

/* In the task that cancels; for a deadline, in whatever its timer interrupts. */
TRACE_EVENT(ctx_cancel,
	TP_PROTO(const struct ctx *ctx, const struct ctx *origin),
	TP_ARGS(ctx, origin),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, origin)
		__field(u32, err)
		__field(s32, cause)
		__field(pid_t, canceller)
		__array(char, name, CTX_NAME_LEN)
		__array(char, message, CTX_MESSAGE_MAX + 1)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->origin = origin->id;
		__entry->err = origin->err;
		__entry->cause = origin->cause;
		__entry->canceller = ctx_trace_canceller() ? task_tgid_nr(current) : 0;
		ctx_trace_name(__entry->name, ctx->name);
		ctx_trace_message(__entry->message, origin->message);
		ctx_trace_comm(__entry->comm, ctx_trace_canceller());
	),
	TP_printk("id=%llu origin=%llu err=%u cause=%d canceller=%d name=\"%s\" message=\"%s\"",
		  __entry->id, __entry->origin, __entry->err, __entry->cause,
		  __entry->canceller, __entry->name, __entry->message)
);

/* After a walk: how many contexts it reached, and how many had someone to tell. */
TRACE_EVENT(ctx_wake,
	TP_PROTO(const struct ctx *ctx, unsigned long reached, unsigned long woken, u64 ns),
	TP_ARGS(ctx, reached, woken, ns),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, origin)
		__field(unsigned long, reached)
		__field(unsigned long, woken)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->origin = READ_ONCE(ctx->origin)->id;
		__entry->reached = reached;
		__entry->woken = woken;
		__entry->ns = ns;
	),
	TP_printk("id=%llu origin=%llu reached=%lu woken=%lu ns=%llu",
		  __entry->id, __entry->origin, __entry->reached, __entry->woken,
		  __entry->ns)
);

/* The last writable descriptor is closed. */
TRACE_EVENT(ctx_release,
	TP_PROTO(const struct ctx *ctx),
	TP_ARGS(ctx),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, flags)
		__array(char, name, CTX_NAME_LEN)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->id = ctx->id;
		__entry->flags = ctx->flags;
		ctx_trace_name(__entry->name, ctx->name);
		ctx_trace_comm(__entry->comm, current);
	),
	TP_printk("id=%llu flags=0x%x name=\"%s\"",
		  __entry->id, __entry->flags, __entry->name)
);

#endif /* _CTX_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
