// SPDX-License-Identifier: GPL-2.0-only
/*
 * The axioms of cause: what must have happened for something to be seen, and what each call may
 * give. As in history_order.c.
 */
#include "history_look.h"

static bool deadline_was_set(const struct history_event *e, int ctx)
{
	return e->ctx == ctx && ((e->what == HISTORY_DEADLINE && !e->ret) ||
				 (e->what == HISTORY_CREATE && e->ret >= 0));
}

/* Whether another deadline, or none, had taken the place of @set by the time @at. */
static bool replaced(struct look *look, const struct history_event *set, uint64_t at)
{
	const struct history_event *e;

	for_each_event(look, e)
		if (deadline_was_set(e, set->ctx) && before(set, e) && e->end < at)
			return true;
	return false;
}

/* @a: alive at the end. @b: its deadline, which had passed. */
bool axiom_on_time(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		if (!a->last || !says_alive(a))
			continue;
		for_each_event(look, b)
			if (deadline_was_set(b, a->ctx) && b->latest && b->latest < a->begin &&
			    !replaced(look, b, UINT64_MAX))
				return broken(look, a, b);
	}
	return true;
}

/* Whether @set counted at some instant of @a; @surely: at every instant. */
static bool in_force(struct look *look, const struct history_event *set,
		     const struct history_event *a, bool surely)
{
	const struct history_event *e;

	if (surely ? !before(set, a) : before(a, set))
		return false;
	for_each_event(look, e)
		if (e != set && deadline_was_set(e, set->ctx) && !before(e, set) &&
		    (surely ? !before(a, e) : before(e, a)))
			return false;
	return true;
}

/* @a: shows a deadline that there was not, or not one that there was, @b. */
bool axiom_deadlines(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		bool found = !a->earliest;

		if (a->what != HISTORY_SEEN || a->cancelled || a->known < KNOWN_ALL)
			continue;
		for_each_event(look, b) {
			if (!(look->above[a->ctx] & bit(b->ctx)) || !b->earliest ||
			    !deadline_was_set(b, b->ctx) || !in_force(look, b, a, false))
				continue;
			if (b->earliest <= a->earliest && a->earliest <= b->latest)
				found = true;
			else if ((!a->earliest || b->latest < a->earliest) &&
				 in_force(look, b, a, true))
				return broken(look, a, b);
		}
		if (!found)
			return broken(look, a, NULL);
	}
	return true;
}

/* Whether @ctx had at the time @at a deadline of its own that had passed. */
static bool expired(struct look *look, int ctx, uint64_t at)
{
	const struct history_event *e;

	for_each_event(look, e)
		if (deadline_was_set(e, ctx) && e->earliest && e->earliest <= at &&
		    e->begin <= at && !replaced(look, e, at))
			return true;
	return false;
}

/* Whether @what of @ctx was under way at the time @at. */
static bool under_way(struct look *look, enum history_what what, int ctx, uint64_t at)
{
	const struct history_event *e;

	for_each_event(look, e)
		if (e->what == what && e->ctx == ctx && e->begin <= at && at <= e->end)
			return true;
	return false;
}

/* The call that says it was the one. */
static const struct history_event *winner_of(struct look *look, int ctx)
{
	const struct history_event *e;

	for_each_event(look, e)
		if (e->what == HISTORY_CANCEL && e->ctx == ctx && !e->ret)
			return e;
	return NULL;
}

/* @a: cancelled, by something that did not happen. */
bool axiom_explained(struct look *look)
{
	const struct history_event *a;

	for_each_event(look, a) {
		bool good;

		if (!tells_origin(a))
			continue;
		if (a->origin < 0 || !(look->above[a->ctx] & bit(a->origin)))
			return broken(look, a, NULL);
		if (a->known < KNOWN_ALL)
			continue;
		if (a->cause == ETIMEDOUT)
			good = a->err == ETIMEDOUT && !a->message_len &&
			       expired(look, a->origin, a->at);
		else if (a->cause == EOWNERDEAD)
			good = a->err == ECANCELED && !a->message_len &&
			       !(ctx_of(look, a->origin)->flags & CTX_CREATE_DETACHED) &&
			       under_way(look, HISTORY_RELEASE, a->origin, a->at);
		else
			good = a->err == ECANCELED && winner_of(look, a->origin) &&
			       under_way(look, HISTORY_CANCEL, a->origin, a->at);
		if (!good)
			return broken(look, a, winner_of(look, a->origin));
	}
	return true;
}

/* @a: a call that cancelled. @b: what was seen of that, or another such call. */
bool axiom_winner(struct look *look)
{
	const struct history_event *a, *b;

	for_each_event(look, a) {
		if (a->what != HISTORY_CANCEL || a->ret)
			continue;
		for_each_event(look, b) {
			if (b->what == HISTORY_CANCEL && b != a && b->ctx == a->ctx && !b->ret)
				return broken(look, a, b);
			if (!tells_origin(b))
				continue;
			/* It is the origin of itself, and of whatever says so. */
			if (b->ctx == a->ctx && b->origin != a->ctx)
				return broken(look, a, b);
			if (b->origin == a->ctx &&
			    (b->err != ECANCELED || b->cause != a->cause ||
			     (b->known == KNOWN_ALL &&
			      (b->at < a->begin || b->at > a->end ||
			       b->message_len != a->message_len ||
			       memcmp(b->message, a->message, a->message_len)))))
				return broken(look, a, b);
		}
	}
	return true;
}

/* At the end: 1 where @ctx is alive, 0 where it is cancelled, -1 where it was not looked at. */
static int alive_at_end(struct look *look, int ctx)
{
	const struct history_event *e;
	int alive = -1;

	for_each_event(look, e) {
		if (e->ctx != ctx)
			continue;
		if (says_cancelled(e))
			return 0;
		if (e->last && says_alive(e))
			alive = 1;
	}
	return alive;
}

/* Bits of the contexts that something needs: a descriptor, or a child that something needs. */
static uint64_t existing(struct look *look)
{
	uint64_t set = 0;
	unsigned int i, j;

	/* Children stand after their parents. */
	for (i = look->history->nr_ctxs; i--;) {
		const struct history_ctx *ctx = ctx_of(look, i);

		if (ctx->held)
			set |= bit(i);
		if (!(set & bit(i)))
			continue;
		if (ctx->parent >= 0)
			set |= bit(ctx->parent);
		for (j = 0; j < ctx->nr_further; j++)
			set |= bit(ctx->further[j]);
	}
	return set;
}

/* How many children @ctx has, that are alive, at the end; -1 where that is not known. */
static int children_of(struct look *look, int ctx, bool cancelled, uint64_t exist)
{
	int nr = 0;
	unsigned int i;

	for (i = 0; i < look->history->nr_ctxs; i++) {
		const struct history_ctx *child = ctx_of(look, i);
		int alive;

		if (child->parent != ctx || !(exist & bit(i)) ||
		    (cancelled && !(child->flags & CTX_CREATE_WITHOUT_CANCEL)))
			continue;
		alive = alive_at_end(look, i);
		if (alive < 0)
			return -1;
		nr += alive;
	}
	return nr;
}

/* @a: a number of children at the end, and not theirs. */
bool axiom_counted(struct look *look)
{
	const struct history_event *a;
	uint64_t exist = existing(look);

	for_each_event(look, a) {
		int nr;

		if (!a->last || a->what != HISTORY_SEEN || a->children < 0)
			continue;
		nr = children_of(look, a->ctx, a->cancelled, exist);
		if (nr >= 0 && nr != a->children)
			return broken(look, a, NULL);
	}
	return true;
}

/* @a: done by a descriptor that may not, or not by one that may. */
bool axiom_rights(struct look *look)
{
	const struct history_event *a;

	for_each_event(look, a)
		if ((a->what == HISTORY_CANCEL || a->what == HISTORY_DEADLINE) &&
		    a->writable != (a->ret != -EBADF))
			return broken(look, a, NULL);
	return true;
}

/* @a: such an answer there is not. */
bool axiom_answers(struct look *look)
{
	const struct history_event *a;

	for_each_event(look, a)
		if (a->strange)
			return broken(look, a, NULL);
	return true;
}
