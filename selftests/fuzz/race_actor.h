/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processes of race mode, and how they are told what to do: by words in memory that all share,
 * on which they sleep.
 */
#ifndef FUZZ_RACE_ACTOR_H
#define FUZZ_RACE_ACTOR_H

#include "race_round.h"

enum race_order {
	RACE_RUN,	/* take the descriptors, run the program against the others, then look */
	RACE_LAST,	/* look at everything again */
	RACE_SLEEP,	/* take the descriptor, wait for it */
	RACE_QUIT,
};

/**
 * struct race_desk - where an actor is told what to do
 * @nr: counts the orders
 * @order: the newest
 */
struct race_desk {
	uint32_t	nr;
	enum race_order	order;
};

/**
 * struct race_shared - the memory
 * @ready: actors that are ready to start
 * @start: actors that are about to
 * @finish: actors that have come in
 * @done: orders that have been carried out
 * @awake: the sleeper is
 */
struct race_shared {
	struct race_round	round;
	struct race_desk	desk[RACE_SLEEPER + 1];
	uint32_t		ready;
	uint32_t		start;
	uint32_t		finish;
	uint32_t		done;
	uint32_t		awake;
};

/* What an actor ends with where it cannot go on. */
#define RACE_BROKEN	70

void race_sleep(const uint32_t *word, uint32_t value);
void race_wake(const uint32_t *word);
int race_open_batch(void);
void race_program_run(int batch, struct race_program *program);
void race_program_clean(int batch, int keep);
void race_send(int sock, const int *fds, unsigned int nr);
unsigned int race_receive(int sock, int *fds);
enum race_order race_next_order(struct race_desk *desk, uint32_t *nr);
void race_actor_main(struct race_shared *shared, unsigned int actor, int sock);

/* race_sleeper.c */
void race_sleeper_main(struct race_shared *shared, int sock);

#endif /* FUZZ_RACE_ACTOR_H */
