// SPDX-License-Identifier: GPL-2.0-only
/*
 * The axioms by name, with the guarantees that they stand for; the numbers are those of the
 * documentation. They are asked one after the other, what is simple to understand first.
 */
#include "history_look.h"

static const struct axiom {
	const char	*name;
	bool		(*holds)(struct look *look);
	bool		of_end;
	const char	*says;
} axioms[] = {
	{ "answers", axiom_answers, false,
	  "Each call gives what the ABI says it may, and what never changes stays." },
	{ "rights", axiom_rights, false,
	  "8. No descriptor gives more than its mode says." },
	{ "nothing-spurious", axiom_nothing_spurious, false,
	  "Nobody is told of a cancellation that is not." },
	{ "final", axiom_final, false,
	  "4. Error, cause, origin, message and time never change once seen." },
	{ "one-record", axiom_one_record, false,
	  "4. All that one cancellation reached say the same of it." },
	{ "winner", axiom_winner, false,
	  "A CTX_IOC_CANCEL that returns 0 is the one that cancelled, while it ran." },
	{ "explained", axiom_explained, false,
	  "A context is cancelled by itself or from above, by a call, a deadline or a release." },
	{ "deadlines", axiom_deadlines, false,
	  "CTX_IOC_INFO shows the earliest of a context's own deadline and those that it inherits." },
	{ "atomic", axiom_atomic, false,
	  "1. Once anyone has seen any of them cancelled by it, everyone sees all of them cancelled." },
	{ "parent-first", axiom_parent_first, false,
	  "5. No one sees a context cancelled by an ancestor while that ancestor reads alive." },
	{ "words", axiom_words, false,
	  "5. Nor does the status word of what was seen cancelled, or of its origin, read alive." },
	{ "complete", axiom_complete, false,
	  "2. When CTX_IOC_CANCEL or the close that releases returns, all below have been told." },
	{ "nothing-lost", axiom_nothing_lost, true,
	  "3. Whoever waits on a context that is or becomes cancelled is woken." },
	{ "no-survivor", axiom_no_survivor, true,
	  "6. A child that is created while its parent is being cancelled ends up cancelled." },
	{ "on-time", axiom_on_time, true,
	  "A deadline that has passed cancels." },
	{ "counted", axiom_counted, true,
	  "The number of children is that of those that exist and are alive." },
};

static void learn_ways(struct look *look)
{
	unsigned int i, j;

	for (i = 0; i < look->history->nr_ctxs; i++) {
		const struct history_ctx *ctx = ctx_of(look, i);

		look->plain[i] = look->above[i] = bit(i);
		if (ctx->parent >= 0 && !(ctx->flags & CTX_CREATE_WITHOUT_CANCEL)) {
			look->plain[i] |= look->plain[ctx->parent];
			look->above[i] |= look->above[ctx->parent];
		}
		for (j = 0; j < ctx->nr_further; j++)
			look->above[i] |= look->above[ctx->further[j]];
	}
}

static void learn_records(struct look *look)
{
	const struct history_event *e;

	for_each_event(look, e)
		if (tells_origin(e) &&
		    (!look->record[e->ctx] || look->record[e->ctx]->known < e->known))
			look->record[e->ctx] = e;
}

static bool check(const struct history *history, struct history_verdict *verdict, bool all)
{
	struct look look = { .history = history, .verdict = verdict };
	unsigned int i;

	memset(verdict, 0, sizeof(*verdict));
	learn_ways(&look);
	learn_records(&look);
	for (i = 0; i < sizeof(axioms) / sizeof(*axioms); i++) {
		if ((!all && !axioms[i].of_end) || axioms[i].holds(&look))
			continue;
		verdict->axiom = axioms[i].name;
		verdict->says = axioms[i].says;
		return false;
	}
	return true;
}

bool history_check(const struct history *history, struct history_verdict *verdict)
{
	return check(history, verdict, true);
}

bool history_settled(const struct history *history)
{
	struct history_verdict verdict;

	return check(history, &verdict, false);
}
