/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Race mode: rounds in which several processes do to the same contexts what they like, all at once.
 * What each did and saw makes a history, which is held against the axioms of history.c.
 */
#ifndef FUZZ_RACE_H
#define FUZZ_RACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Runs rounds for @seconds: those that follow from @seed, or again and again the one that has this
 * seed, of which @only may list the parts that are to be in it. Prints what was done, or what axiom
 * was broken and how, and the round that race_shrink() makes of it.
 *
 * Return: 0; 1 where an axiom was broken or a process did not come back; 2 where it could not run
 */
int race_run(uint64_t seed, double seconds, bool again, const char *only);

/**
 * struct race_attempt - a round again and again until it breaks something, in processes of its own
 * @seed: of the round
 * @out: the parts that are left out
 * @rounds: how often, at most
 * @seconds: how long, at most
 * @print: what it breaks is printed, too
 * @played: how often it was played
 * @broken: what it broke at last; NULL where it broke nothing
 */
struct race_attempt {
	uint64_t	seed;
	const bool	*out;
	uint64_t	rounds;
	double		seconds;
	bool		print;
	uint64_t	played;
	const char	*broken;
};

/* @a is in memory that processes share. */
void race_attempt(struct race_attempt *a);

/* race_shrink.c: looks for a smaller round that breaks the same, and prints what it finds. */
void race_shrink(uint64_t seed, const char *broken, const bool *out);

#endif /* FUZZ_RACE_H */
