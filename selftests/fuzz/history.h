/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A history: what several processes, the actors, did to a few contexts at once, and what they saw
 * of them. history_check() tells whether the guarantees of the ABI allow it. It knows of no kernel
 * and no descriptor: so it can be tested with histories that are written by hand.
 *
 * Each event took effect at an instant between its beginning and its end. One came before another
 * where it ended before that began, or where one actor made both in this order. Nothing else is
 * known of their order, and where it is not known the axioms ask for nothing.
 */
#ifndef FUZZ_HISTORY_H
#define FUZZ_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define HISTORY_CTXS	64	/* the bits of a word */
#define HISTORY_FURTHER	3

/**
 * struct history_ctx - a context, which stands after its parents, and its place in the tree
 * @id: as CTX_IOC_INFO gives it
 * @parent: -1 for a root
 * @further: its further parents
 * @nr_further: how many
 * @flags: CTX_CREATE_*
 * @held: something but its children needs it at the end: a descriptor, a mapping, a waiter
 */
struct history_ctx {
	uint64_t	id;
	int		parent;
	int		further[HISTORY_FURTHER];
	unsigned int	nr_further;
	uint32_t	flags;
	bool		held;
};

enum history_what {
	HISTORY_CREATE,		/* with a deadline or none */
	HISTORY_CANCEL,
	HISTORY_DEADLINE,	/* a deadline is set or removed */
	HISTORY_RELEASE,	/* the last writable descriptor is closed */
	HISTORY_SEEN,		/* what a descriptor shows */
	HISTORY_WORD,		/* what a mapped status word shows */
	HISTORY_WAITER,		/* how often a waiter has been woken */
	HISTORY_OTHER,		/* nothing that the axioms ask for, but @strange */
};

/* How much is known of a cancellation that was seen. */
enum history_known {
	KNOWN_WHETHER,		/* poll */
	KNOWN_ERR,		/* the status word */
	KNOWN_ORIGIN,		/* read: the cause, too */
	KNOWN_ALL,		/* CTX_IOC_INFO: also the time and the message */
};

/**
 * struct history_event - a call, or what was learnt by it
 * @what: of which kind
 * @actor: who made it; the events of one actor stand in the order in which it made them
 * @ctx: of which context
 * @how: a word more for people
 * @begin: CLOCK_MONOTONIC
 * @end: likewise
 * @ret: what the call returned, or a negative errno; of HISTORY_WAITER how often it was woken
 * @strange: the answer is one that the ABI never gives to this call
 * @writable: the descriptor was
 * @brief: what there is to tell may be told later
 * @last: it was made when all actors had finished, and nothing was under way but deadlines
 * @cancelled: HISTORY_SEEN, HISTORY_WORD: so it reads; HISTORY_WAITER: so it read when it began
 * @known: of the fields from @err to @message
 * @err: of the cancellation that was seen, or that HISTORY_CANCEL asks for
 * @cause: likewise
 * @origin: likewise; -1 where there is no such context
 * @at: likewise
 * @message: likewise
 * @message_len: likewise
 * @earliest: HISTORY_CREATE, HISTORY_DEADLINE, and HISTORY_SEEN where all is known: CLOCK_MONOTONIC
 *	of the deadline, 0 for none
 * @latest: likewise; it differs where a timeout counts from an unknown instant of the call
 * @children: CTX_IOC_INFO's number of them; -1 elsewhere
 */
struct history_event {
	enum history_what	what;
	int			actor;
	int			ctx;
	const char		*how;
	uint64_t		begin;
	uint64_t		end;
	int64_t			ret;
	bool			strange;
	bool			writable;
	bool			brief;
	bool			last;
	bool			cancelled;
	enum history_known	known;
	int			err;
	int			cause;
	int			origin;
	uint64_t		at;
	const char		*message;
	unsigned int		message_len;
	uint64_t		earliest;
	uint64_t		latest;
	int			children;
};

struct history {
	struct history_ctx	*ctx;
	unsigned int		nr_ctxs;
	struct history_event	*event;
	unsigned int		nr_events;
};

/**
 * struct history_verdict - what a history breaks
 * @axiom: its name; NULL where it breaks none
 * @says: the guarantee
 * @a: an event that it is about, and that @b does not fit to
 * @b: may be NULL, for the same event
 */
struct history_verdict {
	const char			*axiom;
	const char			*says;
	const struct history_event	*a;
	const struct history_event	*b;
};

/*
 * Whether all axioms hold. Some of them speak of the end alone, when all was told; these are what
 * history_settled() asks for. While deadlines are under way they may not hold yet.
 */
bool history_check(const struct history *history, struct history_verdict *verdict);
bool history_settled(const struct history *history);
void history_print(FILE *out, const struct history *history, const struct history_verdict *verdict);

#endif /* FUZZ_HISTORY_H */
