// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares what the kernel gave with what the model says.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "run.h"

/* Notes the first difference. */
int failed(struct run *run, unsigned int i, const char *format, ...)
{
	va_list args;
	int n;

	if (*run->failure)
		return -1;
	n = snprintf(run->failure, sizeof(run->failure), "operation %u: ", run->number[i]);
	va_start(args, format);
	vsnprintf(run->failure + n, sizeof(run->failure) - n, format, args);
	va_end(args);
	return -1;
}

static bool allowed(const struct expect *expect, int error)
{
	return error > 0 && error < 192 && expect->errors[error / 64] >> error % 64 & 1;
}

/* Clocks show what is in their range; CLOCK_MONOTONIC does so from its first nanosecond on. */
static int64_t add(int64_t at, int64_t offset)
{
	int64_t sum;

	if (__builtin_add_overflow(at, offset, &sum))
		return offset > 0 ? INT64_MAX : 1;
	return sum > 1 ? sum : 1;
}

/* When @at is on CLOCK_MONOTONIC, as far as that is known */
static struct span instant_span(const struct run *run, const struct instant *at)
{
	const struct span *ahead = at->clock == CLOCK_REALTIME ? &run->real : &run->boot;
	struct span span = { at->ns, at->ns };

	if (at->after) {
		span.from = add(run->span[at->op].from, at->ns);
		span.to = add(run->span[at->op].to, at->ns);
		/* It was reckoned on its own clock. */
		if (at->clock == CLOCK_BOOTTIME) {
			span.from = add(span.from, ahead->from - ahead->to);
			span.to = add(span.to, ahead->to - ahead->from);
		}
	} else if (at->clock != CLOCK_MONOTONIC) {
		span.from = add(at->ns, -ahead->to);
		span.to = add(at->ns, -ahead->from);
	}
	return span;
}

static int check_deadline(struct run *run, unsigned int i, uint64_t deadline)
{
	const struct look *look = &run->look[i];
	struct span earliest = { INT64_MAX, INT64_MAX };
	unsigned int n;

	if (!look->nr_deadlines)
		return deadline ? failed(run, i, "INFO has a deadline, there is none") : 0;
	for (n = 0; n < look->nr_deadlines; n++) {
		struct span span = instant_span(run, &look->deadlines[n]);

		if (span.from < earliest.from)
			earliest.from = span.from;
		if (span.to < earliest.to)
			earliest.to = span.to;
	}
	if (deadline < (uint64_t)earliest.from || deadline > (uint64_t)earliest.to)
		return failed(run, i, "INFO has the deadline %llu, not %lld to %lld",
			      (unsigned long long)deadline, (long long)earliest.from,
			      (long long)earliest.to);
	return 0;
}

/* Ids grow as contexts are made, here and elsewhere; that of the background is 0. */
static int check_id(struct run *run, unsigned int i, int context, uint64_t id)
{
	int other;

	if (context == NOBODY || !context)
		return id ? failed(run, i, "id %llu, not 0", (unsigned long long)id) : 0;
	if (run->ids[context])
		return id == run->ids[context] ? 0 :
		       failed(run, i, "context %d has the id %llu, had %llu", context,
			      (unsigned long long)id, (unsigned long long)run->ids[context]);
	for (other = 0; other < run->model.nr_contexts; other++)
		if (other < context ? run->ids[other] >= id : run->ids[other] && run->ids[other] <= id)
			return failed(run, i, "context %d has the id %llu, and %d the id %llu",
				      context, (unsigned long long)id, other,
				      (unsigned long long)run->ids[other]);
	run->ids[context] = id;
	return 0;
}

/* All that a cancellation reached have it from the same instant. */
static int check_cancelled_at(struct run *run, unsigned int i, int origin, uint64_t at)
{
	int op = run->model.contexts[origin].cancelled;
	struct span span = run->span[op];

	/* A deadline that is about to come does not come before its time. */
	if (run->ops[op].kind == OP_EXPIRE || run->ops[op].kind == OP_LAPSE)
		span.from += ((const struct ctx_deadline_args *)run->ops[op].memory->args)->deadline;
	if (at < (uint64_t)span.from || at > (uint64_t)span.to)
		return failed(run, i, "cancelled at %llu, not %lld to %lld", (unsigned long long)at,
			      (long long)span.from, (long long)span.to);
	if (run->cancelled_at[origin] && run->cancelled_at[origin] != at)
		return failed(run, i, "cancelled at %llu, was %llu", (unsigned long long)at,
			      (unsigned long long)run->cancelled_at[origin]);
	run->cancelled_at[origin] = at;
	return 0;
}

static int check_cancellation(struct run *run, unsigned int i, const struct ctx_info *info)
{
	static const char zero[CTX_MESSAGE_MAX];
	int origin = run->look[i].origin;
	const struct context *c = origin == NOBODY ? NULL : &run->model.contexts[origin];
	uint32_t err = c ? c->err : 0, len = c ? c->message_len : 0;

	if (info->err != err)
		return failed(run, i, "INFO has err %u, not %u", info->err, err);
	if (info->cause != (c ? c->cause : 0))
		return failed(run, i, "INFO has cause %d, not %d", info->cause, c ? c->cause : 0);
	if (info->message_len != len)
		return failed(run, i, "INFO has message_len %u, not %u", info->message_len, len);
	if (len && memcmp(info->message, c->message, len))
		return failed(run, i, "INFO has another message");
	if (memcmp(info->message + len, zero, sizeof(zero) - len))
		return failed(run, i, "INFO has something after the message");
	if (check_id(run, i, origin, info->origin_id))
		return -1;
	if (!c)
		return info->cancelled_at ? failed(run, i, "alive, and has cancelled_at") : 0;
	return check_cancelled_at(run, i, origin, info->cancelled_at);
}

static int check_parents(struct run *run, unsigned int i, const struct context *c,
			 const struct ctx_info *info)
{
	unsigned int n;

	if (info->nr_parents != c->nr_parents)
		return failed(run, i, "INFO has %u further parents, not %u", info->nr_parents,
			      c->nr_parents);
	for (n = 0; n < c->nr_parents; n++)
		if (check_id(run, i, c->parents[n], info->parents[n]))
			return -1;
	for (; n < CTX_PARENTS_MAX; n++)
		if (info->parents[n])
			return failed(run, i, "INFO has something after the further parents");
	return info->reserved ? failed(run, i, "INFO has a reserved field set") : 0;
}

static int check_info(struct run *run, unsigned int i, const struct ctx_info *info)
{
	const struct look *look = &run->look[i];
	const struct context *c = &run->model.contexts[look->context];

	if (check_id(run, i, look->context, info->id) ||
	    check_id(run, i, c->parent, info->parent_id) ||
	    check_parents(run, i, c, info) ||
	    check_cancellation(run, i, info) || check_deadline(run, i, info->deadline))
		return -1;
	if (info->flags != c->flags)
		return failed(run, i, "INFO has flags 0x%x, not 0x%x", info->flags, c->flags);
	if (info->depth != c->depth)
		return failed(run, i, "INFO has depth %u, not %u", info->depth, c->depth);
	if (info->nr_children != look->children)
		return failed(run, i, "INFO has %u children, not %u", info->nr_children,
			      look->children);
	if (memcmp(info->name, c->name, sizeof(c->name)))
		return failed(run, i, "INFO has another name");
	return 0;
}

/* What a call wrote, and that it wrote no more */
static int check_out(struct run *run, unsigned int i)
{
	const struct expect *expect = &run->expect[i];
	const unsigned char *out = run->ops[i].memory->out;
	struct ctx_event event = expect->event;
	size_t n, known = expect->out_len < sizeof(*run->info) ? expect->out_len : sizeof(*run->info);

	if (expect->out && memcmp(out, expect->out, expect->out_len))
		return failed(run, i, "another value");
	if (!expect->out && run->ops[i].kind == OP_READ && expect->out_len) {
		event.origin_id = ((const struct ctx_event *)out)->origin_id;
		if (memcmp(out, &event, sizeof(event)))
			return failed(run, i, "another event");
		if (check_id(run, i, expect->about, event.origin_id))
			return -1;
	} else if (run->ops[i].kind == OP_LIST && expect->out_len) {
		if (check_id(run, i, expect->about, *(const uint64_t *)out))
			return -1;
	} else if (!expect->out && expect->out_len) {
		for (n = known; n < expect->out_len; n++)
			if (out[n])
				return failed(run, i, "byte %zu of INFO is 0x%x, not 0", n, out[n]);
		/* The look that follows is checked byte by byte, and must be the same. */
		if (expect->about == run->look[i].context && memcmp(out, &run->info[i], known))
			return failed(run, i, "two INFOs differ");
	}
	for (n = expect->out_len; n < expect->out_len + 64 && n < OUT_SIZE; n++)
		if (out[n] != UNTOUCHED)
			return failed(run, i, "wrote byte %zu", n);
	return 0;
}

static bool has_out(const struct op *op)
{
	return op->kind == OP_READ || op->kind == OP_LIST ||
	       (op->kind == OP_IOCTL && (ANY_SIZE(op->cmd) == ANY_SIZE(CTX_IOC_INFO) ||
					 ANY_SIZE(op->cmd) == ANY_SIZE(CTX_IOC_GET_VALUE)));
}

int check_op(struct run *run, unsigned int i)
{
	const struct expect *expect = &run->expect[i];
	int64_t ret = run->calls[CALLS_PER_OP * i].ret;

	if (expect->errors[0] || expect->errors[1] || expect->errors[2]) {
		if (ret >= 0)
			return failed(run, i, "returned %lld, must fail", (long long)ret);
		if (!allowed(expect, -ret))
			return failed(run, i, "failed with %s", strerror(-ret));
	} else if (ret != expect->ret) {
		return failed(run, i, "returned %lld, not %lld", (long long)ret,
			      (long long)expect->ret);
	}
	return has_out(&run->ops[i]) ? check_out(run, i) : 0;
}

/* The one context that is looked at */
int check_look(struct run *run, unsigned int i)
{
	int64_t ret = run->calls[CALLS_PER_OP * i + 1].ret;

	if (run->look[i].context == NOBODY)
		return ret == -EBADF ? 0 : failed(run, i, "INFO of nothing gave %lld", (long long)ret);
	if (ret)
		return failed(run, i, "INFO gave %lld", (long long)ret);
	return check_info(run, i, &run->info[i]);
}

static bool woken_as_foreseen(uint32_t seen, uint32_t foreseen)
{
	if (foreseen == WOKEN_SOMETIMES)
		return seen;
	return foreseen == WOKEN_OR_NOT || seen == foreseen;
}

/* All that can be seen */
int check_view(struct run *run, unsigned int i)
{
	const struct batch_view *view = &run->view[i], *seen = &run->seen[i];
	unsigned int n;

	if (run->calls[CALLS_PER_OP * i + 2].ret)
		return failed(run, i, "the view failed");
	if (seen->readable != view->readable)
		return failed(run, i, "slots 0x%llx poll readable, not 0x%llx",
			      (unsigned long long)seen->readable,
			      (unsigned long long)view->readable);
	for (n = 0; n < MAPS; n++)
		if (seen->status[n] != view->status[n])
			return failed(run, i, "mapping %u reads %u, not %u", n, seen->status[n],
				      view->status[n]);
	for (n = 0; n < WAITERS; n++)
		if (!woken_as_foreseen(seen->woken[n], view->woken[n]))
			return failed(run, i, "waiter %u was woken %u times, not %u", n,
				      seen->woken[n], view->woken[n]);
	return 0;
}
