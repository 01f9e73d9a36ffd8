// SPDX-License-Identifier: GPL-2.0-only
/*
 * The axioms of order: what may be seen after what. Each is a function that looks for two events
 * that do not go together, written to be read as what a guarantee means; history.c names them.
 */
#include "history_look.h"

/* @a: cancelled by some origin. @b: later alive, although plainly below that origin. */
bool axiom_atomic(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		int origin = origin_of(look, a->ctx);

		if (origin < 0 || !says_cancelled(a))
			continue;
		for_each_event(look, b)
			if (says_alive(b) && (look->plain[b->ctx] & bit(origin)) && before(a, b))
				return broken(look, a, b);
	}
	return true;
}

/*
 * @a: cancels, or releases, or came too late to. @b: later alive or untold, although below. Who was
 * in a hurry may not have come over an edge to a further parent, nor told anybody.
 */
bool axiom_complete(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		bool cancels = a->what == HISTORY_CANCEL && a->ret >= 0;
		bool releases = a->what == HISTORY_RELEASE &&
				!(ctx_of(look, a->ctx)->flags & CTX_CREATE_DETACHED);

		if (!cancels && !releases)
			continue;
		for_each_event(look, b)
			if (((a->brief ? look->plain : look->above)[b->ctx] & bit(a->ctx)) &&
			    (says_alive(b) || (!a->brief && says_untold(b))) && before(a, b))
				return broken(look, a, b);
	}
	return true;
}

/* @a: untold at the end. @b: had been cancelled before. */
bool axiom_nothing_lost(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		if (!a->last || !says_untold(a))
			continue;
		for_each_event(look, b)
			if (b->ctx == a->ctx && says_cancelled(b) && before(b, a))
				return broken(look, a, b);
	}
	return true;
}

/* @a: woken, or its word set. @b: alive after that, or at the end. */
bool axiom_nothing_spurious(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		if ((a->what != HISTORY_WAITER && a->what != HISTORY_WORD) || !says_cancelled(a))
			continue;
		for_each_event(look, b)
			if (b->ctx == a->ctx && says_alive(b) &&
			    (before(a, b) || (b->last && !a->last)))
				return broken(look, a, b);
	}
	return true;
}

/* @a: cancelled. @b: the same context alive later, or cancelled otherwise. */
bool axiom_final(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		const struct history_event *record = look->record[a->ctx];

		if (!says_cancelled(a))
			continue;
		if (record && (a->what == HISTORY_SEEN || a->what == HISTORY_WORD) &&
		    !same_record(a, record))
			return broken(look, a, record);
		for_each_event(look, b)
			if (b->ctx == a->ctx && says_alive(b) && before(a, b))
				return broken(look, a, b);
	}
	return true;
}

/* @a, @b: cancelled by the same origin, which is said to have been cancelled in two ways. */
bool axiom_one_record(struct look *look)
{
	unsigned int i, j;

	for (i = 0; i < look->history->nr_ctxs; i++)
		for (j = 0; j < i; j++)
			if (look->record[i] && look->record[j] &&
			    look->record[i]->origin == look->record[j]->origin &&
			    !same_record(look->record[i], look->record[j]))
				return broken(look, look->record[i], look->record[j]);
	return true;
}

/* Nobody says that @ctx was ever cancelled otherwise than by @origin, or alive after @a. */
static bool may_have_been(struct look *look, int ctx, int origin, const struct history_event *a,
			  const struct history_event **b)
{
	const struct history_event *e;

	if (look->record[ctx] && look->record[ctx]->origin != origin) {
		*b = look->record[ctx];
		return false;
	}
	for_each_event(look, e)
		if (e->ctx == ctx && says_alive(e) && before(a, e)) {
			*b = e;
			return false;
		}
	return true;
}

/* @a: cancelled by an ancestor. @b: of none of its parents could it have that. */
bool axiom_parent_first(struct look *look)
{
	const struct history_event *a, *b = NULL;

	for_each_event(look, a) {
		const struct history_ctx *ctx = ctx_of(look, a->ctx);
		bool found = false;
		unsigned int i;

		if (!tells_origin(a) || a->origin == a->ctx)
			continue;
		if (ctx->parent >= 0 && !(ctx->flags & CTX_CREATE_WITHOUT_CANCEL))
			found = may_have_been(look, ctx->parent, a->origin, a, &b);
		for (i = 0; !found && i < ctx->nr_further; i++)
			found = may_have_been(look, ctx->further[i], a->origin, a, &b);
		if (!found)
			return broken(look, a, b);
	}
	return true;
}

/*
 * @ctx, the way up from it to its origin where only one leads there, and the origin. Whoever sees
 * @ctx cancelled, or is woken there, finds all their words set.
 */
static uint64_t words_set(struct look *look, int ctx)
{
	int origin = origin_of(look, ctx);
	uint64_t set = bit(ctx);

	if (origin < 0)
		return set;
	for (; ctx != origin && !ctx_of(look, ctx)->nr_further; ctx = ctx_of(look, ctx)->parent)
		set |= bit(ctx);
	return set | bit(origin);
}

/* @a: cancelled. @b: a word that is later not set, there or above. */
bool axiom_words(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		uint64_t set;

		if ((a->what != HISTORY_SEEN && a->what != HISTORY_WORD &&
		     a->what != HISTORY_WAITER) || !says_cancelled(a))
			continue;
		set = words_set(look, a->ctx);
		for_each_event(look, b)
			if (b->what == HISTORY_WORD && !b->cancelled && (set & bit(b->ctx)) &&
			    before(a, b))
				return broken(look, a, b);
	}
	return true;
}

/* @a: alive at the end. @b: something above it had been cancelled. */
bool axiom_no_survivor(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		if (!a->last || !says_alive(a))
			continue;
		for_each_event(look, b)
			if ((look->above[a->ctx] & bit(b->ctx)) && says_cancelled(b) && before(b, a))
				return broken(look, a, b);
	}
	return true;
}
