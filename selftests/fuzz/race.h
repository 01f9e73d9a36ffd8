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
 * seed. Prints what was done, or what axiom was broken and how.
 *
 * Return: 0; 1 where an axiom was broken or a process did not come back; 2 where it could not run
 */
int race_run(uint64_t seed, double seconds, bool again);

#endif /* FUZZ_RACE_H */
