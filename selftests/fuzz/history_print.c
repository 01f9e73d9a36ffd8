// SPDX-License-Identifier: GPL-2.0-only
/*
 * A history for people: the contexts, and the events by the time at which they began.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <linux/ctx.h>

#include "history.h"

static void print_ctx(FILE *out, const struct history_ctx *ctx, unsigned int nr)
{
	unsigned int i;

	fprintf(out, "# c%u: id %" PRIu64, nr, ctx->id);
	if (ctx->parent >= 0)
		fprintf(out, ", below c%d", ctx->parent);
	for (i = 0; i < ctx->nr_further; i++)
		fprintf(out, "%s c%d", i ? "" : ", further parents", ctx->further[i]);
	if (ctx->flags & CTX_CREATE_DETACHED)
		fprintf(out, ", detached");
	if (ctx->flags & CTX_CREATE_WITHOUT_CANCEL)
		fprintf(out, ", without cancel");
	fprintf(out, "%s\n", ctx->held ? "" : ", held by nothing at the end");
}

static void print_record(FILE *out, const struct history_event *e, uint64_t start)
{
	if (!e->cancelled) {
		fprintf(out, " alive");
	} else {
		fprintf(out, " cancelled");
		if (e->known >= KNOWN_ERR)
			fprintf(out, " err %d", e->err);
		if (e->known >= KNOWN_ORIGIN)
			fprintf(out, " cause %d by c%d", e->cause, e->origin);
		if (e->known >= KNOWN_ALL)
			fprintf(out, " at %.3f \"%.*s\"", (int64_t)(e->at - start) / 1000.,
				(int)e->message_len, e->message);
	}
	if (e->children >= 0)
		fprintf(out, ", %d children", e->children);
	if (e->earliest)
		fprintf(out, ", deadline %.3f", (int64_t)(e->earliest - start) / 1000.);
}

static void print_deadline(FILE *out, const struct history_event *e, uint64_t start)
{
	if (e->earliest)
		fprintf(out, " deadline %.3f to %.3f", (int64_t)(e->earliest - start) / 1000.,
			(int64_t)(e->latest - start) / 1000.);
	else
		fprintf(out, " no deadline");
}

static void print_event(FILE *out, const struct history_event *e, uint64_t start)
{
	fprintf(out, "%10.3f %10.3f  actor %d  %-8s c%d%s", (e->begin - start) / 1000.,
		(e->end - start) / 1000., e->actor, e->how, e->ctx, e->writable ? "w" : "");
	switch (e->what) {
	case HISTORY_CANCEL:
		fprintf(out, " cause %d \"%.*s\"", e->cause, (int)e->message_len, e->message);
		break;
	case HISTORY_CREATE:
	case HISTORY_DEADLINE:
		print_deadline(out, e, start);
		break;
	case HISTORY_RELEASE:
		fprintf(out, " releases it");
		break;
	case HISTORY_SEEN:
	case HISTORY_WORD:
		print_record(out, e, start);
		break;
	case HISTORY_WAITER:
		fprintf(out, " woken%s", e->cancelled ? ", was cancelled when it began" : "");
		break;
	case HISTORY_OTHER:
		break;
	}
	fprintf(out, " = %" PRId64 "%s\n", e->ret, e->last ? " (at the end)" : "");
}

static int by_begin(const void *a, const void *b)
{
	const struct history_event *x = *(const struct history_event *const *)a;
	const struct history_event *y = *(const struct history_event *const *)b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return x < y ? -1 : x > y;
}

void history_print(FILE *out, const struct history *history, const struct history_verdict *verdict)
{
	const struct history_event **order;
	unsigned int i;

	order = malloc((history->nr_events + 1) * sizeof(*order));
	if (!order)
		return;
	for (i = 0; i < history->nr_events; i++)
		order[i] = &history->event[i];
	qsort(order, history->nr_events, sizeof(*order), by_begin);

	fprintf(out, "# axiom %s is broken: %s\n", verdict->axiom, verdict->says);
	fprintf(out, "# by the events that are marked, a and b\n");
	for (i = 0; i < history->nr_ctxs; i++)
		if (history->ctx[i].id)
			print_ctx(out, &history->ctx[i], i);
	fprintf(out, "# microseconds from, to\n");
	for (i = 0; i < history->nr_events; i++) {
		fprintf(out, "%c%c ", order[i] == verdict->a ? 'a' : ' ',
			order[i] == verdict->b ? 'b' : ' ');
		print_event(out, order[i], order[0]->begin);
	}
	free(order);
}
