// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaving out of a round that broke an axiom what that does not take. Luck has its part in it: so a
 * part stays unless the round without it breaks the same within so many attempts that chance alone
 * would seldom keep it from that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "race.h"
#include "race_round.h"

#define SHRINK_SECONDS	150	/* all of it, and what is left is shown in */
#define SHOW_SECONDS	60
#define ONCE_SECONDS	15	/* until it breaks again */
#define SAMPLES		4	/* of how often it breaks */
#define TIMES		4	/* so often it is played in which it should have broken once */

/**
 * struct shrinking - a round that is to be smaller
 * @attempt: shared with those who play it
 * @broken: what it breaks
 * @out: the parts that are left out
 * @left: those that are not, which are @nr
 * @rounds: how often it is played at most
 * @end: when to stop
 */
struct shrinking {
	struct race_attempt	*attempt;
	const char		*broken;
	bool			out[RACE_PARTS];
	unsigned int		left[RACE_PARTS];
	unsigned int		nr;
	uint64_t		rounds;
	double			end;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static bool still_breaks(struct shrinking *s, const bool *out, bool print)
{
	s->attempt->out = out;
	s->attempt->rounds = s->rounds;
	s->attempt->seconds = print ? SHOW_SECONDS : ONCE_SECONDS;
	s->attempt->print = print;
	race_attempt(s->attempt);
	/* The axioms' names are the same in all processes. */
	return s->attempt->broken == s->broken;
}

/* Learns how often it has to be played. Returns whether it breaks again at all. */
static bool sample(struct shrinking *s)
{
	uint64_t played = 0;
	unsigned int i;

	s->rounds = UINT64_MAX;
	for (i = 0; i < SAMPLES; i++) {
		if (!still_breaks(s, s->out, false))
			return false;
		played += s->attempt->played;
	}
	s->rounds = TIMES * (played / SAMPLES + 1);
	return true;
}

/* Tries without the parts @from to before @to of those that are left. */
static bool shrink_by(struct shrinking *s, unsigned int from, unsigned int to)
{
	bool out[RACE_PARTS];
	unsigned int i;

	if (to > s->nr)
		to = s->nr;
	memcpy(out, s->out, sizeof(out));
	for (i = from; i < to; i++)
		out[s->left[i]] = true;
	if (!still_breaks(s, out, false))
		return false;
	memcpy(s->out, out, sizeof(out));
	memmove(&s->left[from], &s->left[to], (s->nr - to) * sizeof(*s->left));
	s->nr -= to - from;
	return true;
}

static void list_parts(struct shrinking *s, uint64_t seed)
{
	struct race_round *round = calloc(1, sizeof(*round));
	unsigned int all[RACE_PARTS], nr, i;

	if (!round)
		return;
	race_make(round, seed);
	nr = race_parts(round, all);
	for (i = 0; i < nr; i++)
		if (!s->out[all[i]])
			s->left[s->nr++] = all[i];
	free(round);
}

static void print_again(const struct shrinking *s, uint64_t seed, unsigned int all)
{
	unsigned int i;

	printf("again: make fuzz FUZZ=\"-R -s %" PRIu64 " -t 60", seed);
	for (i = 0; s->nr < all && i < s->nr; i++)
		printf("%s%u", i ? "," : " -k ", s->left[i]);
	printf("\"\n");
}

void race_shrink(uint64_t seed, const char *broken, const bool *out)
{
	static struct shrinking s;
	unsigned int size, from, all;

	s = (struct shrinking){ .broken = broken, .end = now() + SHRINK_SECONDS };
	memcpy(s.out, out, sizeof(s.out));
	list_parts(&s, seed);
	all = s.nr;
	s.attempt = mmap(NULL, sizeof(*s.attempt), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.attempt == MAP_FAILED)
		return;
	s.attempt->seed = seed;
	if (!sample(&s)) {
		printf("# race: it is not shrunk: it does not break again within %d s\n",
		       ONCE_SECONDS);
	} else {
		for (size = s.nr / 2; size; size /= 2)
			for (from = 0; from < s.nr && now() < s.end;)
				if (!shrink_by(&s, from, from + size))
					from += size;
		printf("# race: %u of its %u parts are left, with which it breaks:\n", s.nr, all);
		s.rounds = UINT64_MAX;
		if (!still_breaks(&s, s.out, true))
			printf("# race: not this time\n");
	}
	print_again(&s, seed, all);
	munmap(s.attempt, sizeof(*s.attempt));
}
