/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A round of race mode, in memory that all its processes share: a small forest of contexts, and a
 * program for each actor. All of it follows from the seed. The results come to stand in it, too: so
 * it becomes a history once the actors have run.
 *
 * Each actor has an open file of /dev/ctx_batch and a descriptor table of its own, and a slot is
 * filled once in a round: it means one context, and no number is used again under a call that runs.
 * Of each context that was built before the start every actor has a watch descriptor, and one
 * of them, its keeper, the writable one.
 */
#ifndef FUZZ_RACE_ROUND_H
#define FUZZ_RACE_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/ctx.h>

#include "batch/ctx_batch.h"
#include "history.h"

#define RACE_ACTORS	4
#define RACE_BUILDER	RACE_ACTORS	/* the process that leads, and builds the forest */
#define RACE_SLEEPER	(RACE_ACTORS + 1)	/* that waits for a context in a system call */
#define RACE_BUILT	16		/* contexts that are there at the start, at most */
#define RACE_VICTIM	(RACE_SLEEPER + 1)	/* that is killed */
#define RACE_STEPS	160
#define RACE_WAYS	1024	/* up from a context, at most */
#define RACE_EDGES	16	/* in a row, at most */
#define RACE_PARTS	(RACE_BUILT + 2 * RACE_ACTORS * RACE_STEPS)	/* see race_parts() */

#define RACE_BACKGROUND		0	/* slots */
#define RACE_WATCH(ctx)		(1 + (ctx))
#define RACE_WRITABLE(ctx)	(1 + RACE_BUILT + (ctx))
#define RACE_MADE		(1 + 2 * RACE_BUILT)
#define RACE_BED		RACE_MADE	/* what the sleeper waits for, to the builder */

/**
 * struct race_step - what belongs to a call
 * @child: the context that it makes, or -1
 * @fds: descriptors of further parents, which BATCH_FD fills in
 * @text: a message, or the data of a value
 */
struct race_step {
	int	child;
	int32_t	fds[HISTORY_FURTHER];
	char	text[24];
	union {
		struct ctx_create_args		create;
		struct ctx_cancel_args		cancel;
		struct ctx_deadline_args	deadline;
		struct ctx_info			info;
		struct ctx_event		event;
		struct ctx_value		value;
		struct batch_view		view;
		uint32_t			fd_flags;
	};
	struct ctx_value	given;
};

struct race_program {
	unsigned int		nr;
	struct batch_call	call[RACE_STEPS];
	struct race_step	step[RACE_STEPS];
};

/**
 * struct race_actor - the part of an actor
 * @setup: takes the descriptors that it was sent, and what is to be there at the start
 * @race: runs against those of the others
 * @last: looks at everything when all have finished
 * @delay: turns that it waits at the start
 */
struct race_actor {
	struct race_program	setup;
	struct race_program	race;
	struct race_program	last;
	unsigned int		delay;
};

enum race_sleep {
	SLEEP_NOT, SLEEP_READ, SLEEP_POLL, SLEEP_EPOLL, SLEEP_SIGNAL, SLEEP_GROUP_SIGNAL, SLEEPS
};

/**
 * struct race_nap - a system call that waits for a context, until the builder ends all at last
 * @how: which
 * @ctx: the context, which is below the first or is that
 * @call: what came of it, as if it were a call of a batch
 * @event: what was read
 */
struct race_nap {
	enum race_sleep		how;
	int			ctx;
	struct batch_call	call;
	struct ctx_event	event;
};

/**
 * struct race_round - all of a round
 * @seed: all follows from it
 * @nr_actors: at most RACE_ACTORS
 * @nr_built: contexts that are there at the start
 * @nr_ctxs: contexts that are ever made
 * @ctx: their places in the tree
 * @depth: their depths
 * @ways: different ways up from them
 * @edges: to further parents on that of them with most
 * @valued: the contexts that have a value, which is their number
 * @keeper: the actor that has a context's writable descriptor at the start
 * @build: makes the forest
 * @nap: a process that sleeps meanwhile; the builder keeps the first context then
 * @wake: ends that
 * @victim: a context the writable descriptor of which is a process's that is killed; or -1
 * @victim_delay: turns until it is
 * @killed: the kill, as if it were a call of a batch
 * @met: for the meetings of a duel
 */
struct race_round {
	uint64_t		seed;
	unsigned int		nr_actors;
	unsigned int		nr_built;
	unsigned int		nr_ctxs;
	struct history_ctx	ctx[HISTORY_CTXS];
	unsigned int		depth[HISTORY_CTXS];
	unsigned int		ways[HISTORY_CTXS];
	unsigned int		edges[HISTORY_CTXS];
	bool			valued[HISTORY_CTXS];
	unsigned int		keeper[RACE_BUILT];
	struct race_program	build;
	struct race_nap		nap;
	struct race_program	wake;
	int			victim;
	unsigned int		victim_delay;
	struct batch_call	killed;
	uint32_t		met[2];
	struct race_actor	actor[RACE_ACTORS];
};

/**
 * struct race_place - what stands in a slot, or is a mapping or waiter
 * @ctx: -1 for nothing
 * @writable: it keeps the writable file of the context
 * @readable: the waiter's context was cancelled when it began
 */
struct race_place {
	int	ctx;
	bool	writable;
	bool	readable;
};

/**
 * struct race_hand - what an actor has
 * @writers: of each context, how much here keeps its writable file
 */
struct race_hand {
	struct race_place	slot[BATCH_SLOTS];
	struct race_place	map[BATCH_MAPS];
	struct race_place	waiter[BATCH_WAITERS];
	unsigned int		writers[HISTORY_CTXS];
};

/* race_hand.c */
void race_hand_init(struct race_hand *hand);
bool race_hand_apply(struct race_hand *hand, const struct batch_call *call, int child);
bool race_hand_holds(const struct race_hand *hand, int ctx);

/* race_make.c: the name that a context is made with */
#define RACE_KEY "k"
void race_name(char name[CTX_NAME_LEN], int ctx);
void race_make(struct race_round *round, uint64_t seed);

/* race_less.c */

/*
 * What can be left out of a round: each context that is built, with all that is done to it, and
 * each call of an actor. Writes the numbers of the parts of @round to @parts. Returns how many.
 */
unsigned int race_parts(const struct race_round *round, unsigned int *parts);

/*
 * Leaves the parts for which @out is true out of a round that was just made, and what cannot be
 * done without them. False where that leaves nothing to sleep on or to kill with.
 */
bool race_leave_out(struct race_round *round, const bool *out);

/* race_collect.c */

/**
 * struct race_events - room for the history of a round
 * @history: refers to the round
 */
#define RACE_EVENTS	32768
struct race_events {
	struct history		history;
	struct history_event	event[RACE_EVENTS];
};

void race_collect(struct race_events *events, struct race_round *round);

#endif /* FUZZ_RACE_ROUND_H */
