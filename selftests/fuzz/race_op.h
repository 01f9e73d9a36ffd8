/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Single calls, and the few that make one operation, at the end of a program that is being made.
 */
#ifndef FUZZ_RACE_OP_H
#define FUZZ_RACE_OP_H

#include "race_round.h"
#include "random.h"

enum race_op {
	OP_CREATE, OP_CANCEL, OP_CLOSE, OP_DUP, OP_WATCH, OP_DEADLINE, OP_POLL, OP_INFO, OP_READ,
	OP_VALUE, OP_WAIT, OP_UNWAIT, OP_MMAP, OP_MUNMAP, OP_VIEW, OP_CHURN, OP_ASYNC,
	OP_BEHIND, OP_NR
};

/**
 * struct making - a program that is being made
 * @hand: what its actor has by then
 * @made: slots that were used
 * @together: which context all turn to; -1 for any
 * @duel: it is part of one
 */
struct making {
	struct rnd		rnd;
	struct race_round	*round;
	struct race_program	*program;
	struct race_hand	hand;
	unsigned int		actor;
	int			made;
	int			together;
	bool			duel;
};

/* Whether so many calls still fit in. */
bool race_room(const struct making *m, unsigned int calls);

/* A call, which race_end() ends, and what belongs to it. */
struct batch_call *race_begin(struct making *m, enum batch_what what, int slot);
struct batch_call *race_ioctl(struct making *m, int slot, uint32_t cmd);
struct race_step *race_step_of(struct making *m);
void race_end(struct making *m);

void race_meet(struct making *m, unsigned int spread);
void race_view(struct making *m, bool told);
void race_info(struct making *m, int slot);
void race_child(struct making *m, int slot, int out, unsigned int nr_further,
		struct ctx_create_args args);
void race_cancel(struct making *m, int slot);
void race_close(struct making *m, int slot);
void race_expire(struct making *m, int slot);
void race_place_op(struct making *m, enum race_op op);
void race_op(struct making *m, enum race_op op);

#endif /* FUZZ_RACE_OP_H */
