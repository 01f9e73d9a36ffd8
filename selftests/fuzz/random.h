/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that a seed determines: splitmix64, which Sebastiano Vigna placed in the public domain.
 */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct rnd {
	uint64_t	state;
};

static inline uint64_t rnd_next(struct rnd *rnd)
{
	uint64_t z = rnd->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* 0 to @n - 1 */
static inline uint32_t rnd_below(struct rnd *rnd, uint32_t n)
{
	return (uint32_t)(((rnd_next(rnd) >> 32) * n) >> 32);
}

/* True once in @n times. */
static inline bool rnd_one_in(struct rnd *rnd, uint32_t n)
{
	return !rnd_below(rnd, n);
}

/* Numbers that belong to part @part of what @seed determines, whatever the other parts are. */
static inline struct rnd rnd_part(uint64_t seed, uint64_t part)
{
	struct rnd rnd = { .state = seed };

	rnd.state = rnd_next(&rnd) ^ (part + 1) * 0xda942042e4dd58b5;
	rnd_next(&rnd);
	return rnd;
}

#endif /* FUZZ_RANDOM_H */
