/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the axioms share: a look at a history, and what an event says.
 */
#ifndef FUZZ_HISTORY_LOOK_H
#define FUZZ_HISTORY_LOOK_H

#include <errno.h>
#include <string.h>

#include <linux/ctx.h>

#include "history.h"

/**
 * struct look - a history, and what follows from the whole of it
 * @above: bits of the contexts whose cancellation reaches one, and its own
 * @plain: those of them that lie on the way up by first parents
 * @record: the event that tells most of a context's cancellation; NULL where none tells its origin
 */
struct look {
	const struct history		*history;
	struct history_verdict		*verdict;
	uint64_t			above[HISTORY_CTXS];
	uint64_t			plain[HISTORY_CTXS];
	const struct history_event	*record[HISTORY_CTXS];
};

#define for_each_event(look, e) \
	for ((e) = (look)->history->event; \
	     (e) < (look)->history->event + (look)->history->nr_events; (e)++)

static inline uint64_t bit(int ctx)
{
	return (uint64_t)1 << ctx;
}

static inline const struct history_ctx *ctx_of(const struct look *look, int ctx)
{
	return &look->history->ctx[ctx];
}

static inline bool before(const struct history_event *a, const struct history_event *b)
{
	return a->actor == b->actor ? a < b : a->end < b->begin;
}

/* Cancelling, or setting a deadline, where that took place. */
static inline bool says_alive(const struct history_event *e)
{
	switch (e->what) {
	case HISTORY_CANCEL:
	case HISTORY_DEADLINE:
		return !e->ret;
	case HISTORY_SEEN:
		return !e->cancelled;
	default:
		return false;
	}
}

static inline bool says_cancelled(const struct history_event *e)
{
	switch (e->what) {
	case HISTORY_CANCEL:
		return e->ret >= 0;
	case HISTORY_DEADLINE:
		return e->ret == -ECANCELED;
	case HISTORY_SEEN:
	case HISTORY_WORD:
		return e->cancelled;
	case HISTORY_WAITER:
		return e->ret > 0;
	default:
		return false;
	}
}

/* A word that was not set, a waiter that was not woken: somebody is still to be told. */
static inline bool says_untold(const struct history_event *e)
{
	return (e->what == HISTORY_WORD && !e->cancelled) ||
	       (e->what == HISTORY_WAITER && !e->cancelled && !e->ret);
}

static inline bool tells_origin(const struct history_event *e)
{
	return e->what == HISTORY_SEEN && e->cancelled && e->known >= KNOWN_ORIGIN;
}

/* -1 where it is not known, or the context alive. */
static inline int origin_of(const struct look *look, int ctx)
{
	return look->record[ctx] ? look->record[ctx]->origin : -1;
}

static inline bool broken(struct look *look, const struct history_event *a,
			  const struct history_event *b)
{
	look->verdict->a = a;
	look->verdict->b = b;
	return false;
}

static inline bool same_record(const struct history_event *a, const struct history_event *b)
{
	enum history_known known = a->known < b->known ? a->known : b->known;

	if (known >= KNOWN_ERR && a->err != b->err)
		return false;
	if (known >= KNOWN_ORIGIN && (a->cause != b->cause || a->origin != b->origin))
		return false;
	return known < KNOWN_ALL || (a->at == b->at && a->message_len == b->message_len &&
				     !memcmp(a->message, b->message, a->message_len));
}

/* history_order.c */
bool axiom_atomic(struct look *look);
bool axiom_complete(struct look *look);
bool axiom_nothing_lost(struct look *look);
bool axiom_nothing_spurious(struct look *look);
bool axiom_final(struct look *look);
bool axiom_one_record(struct look *look);
bool axiom_parent_first(struct look *look);
bool axiom_words(struct look *look);
bool axiom_no_survivor(struct look *look);

/* history_cause.c */
bool axiom_on_time(struct look *look);
bool axiom_deadlines(struct look *look);
bool axiom_explained(struct look *look);
bool axiom_winner(struct look *look);
bool axiom_counted(struct look *look);
bool axiom_rights(struct look *look);
bool axiom_answers(struct look *look);

#endif /* FUZZ_HISTORY_LOOK_H */
