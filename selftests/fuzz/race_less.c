// SPDX-License-Identifier: GPL-2.0-only
/*
 * A round with parts left out, to find those that a failure takes. Everything else stays what and
 * where it was: a call that is left out becomes one that does nothing.
 */
#include "race_round.h"

/* How many calls from @i on go together: those for a child, from its further parents on. */
static unsigned int length_of(const struct race_program *program, unsigned int i)
{
	unsigned int n = i;

	while (program->call[n].what == BATCH_FD)
		n++;
	return n - i + (program->step[n].child < 0 ? 1 : 2);
}

/* The number of the part that the call @i of an actor's program begins. */
static unsigned int part_of(unsigned int actor, bool race, unsigned int i)
{
	return RACE_BUILT + (2 * actor + race) * RACE_STEPS + i;
}

unsigned int race_parts(const struct race_round *round, unsigned int *parts)
{
	unsigned int nr = 0, which, i;

	for (which = 0; which < 2 * round->nr_actors; which++) {
		const struct race_actor *actor = &round->actor[which / 2];
		const struct race_program *program = which % 2 ? &actor->race : &actor->setup;

		for (i = 0; i < program->nr; i += length_of(program, i))
			/* What an actor is sent goes with the context. */
			if (program->call[i].what != BATCH_SET)
				parts[nr++] = part_of(which / 2, which % 2, i);
	}
	for (i = 0; i < round->nr_built; i++)
		parts[nr++] = i;
	return nr;
}

/* Whether a call can be made by who has what is in @hand. @built: what the builder has. */
static bool possible(const struct race_hand *hand, const struct race_hand *built,
		     const struct batch_call *call)
{
	const struct race_place *place;

	switch (call->what) {
	case BATCH_SET:
		return built->slot[call->out].ctx >= 0;
	case BATCH_VIEW:
	case BATCH_MEET:
		return true;
	case BATCH_MUNMAP:
		place = &hand->map[call->index];
		/* See race_place_op(). */
		return place->ctx >= 0 && !(place->writable && hand->writers[place->ctx] == 1);
	case BATCH_UNWAIT:
		return hand->waiter[call->index].ctx >= 0;
	case BATCH_MMAP:
		if (hand->map[call->index].ctx >= 0)
			return false;
		break;
	case BATCH_WAIT:
		if (hand->waiter[call->index].ctx >= 0)
			return false;
		break;
	}
	return call->slot == RACE_BACKGROUND || hand->slot[call->slot].ctx >= 0;
}

static bool all_possible(const struct race_hand *hand, const struct race_hand *built,
			 const struct batch_call *call, unsigned int nr)
{
	while (nr--)
		if (!possible(hand, built, call++))
			return false;
	return true;
}

static void drop(struct race_program *program, unsigned int i)
{
	program->call[i] = (struct batch_call){ .what = BATCH_POLL, .slot = -1, .out = -1 };
	program->step[i].child = -1;
}

/* @out: of the calls that begin a part; NULL where only what has become impossible goes. */
static void thin(struct race_program *program, struct race_hand *hand,
		 const struct race_hand *built, const bool *out)
{
	unsigned int i, n, length;

	for (i = 0; i < program->nr; i += length) {
		bool keep;

		length = length_of(program, i);
		/* The look at a child is possible once that is made. */
		keep = !(out && out[i]) && all_possible(hand, built, &program->call[i],
							length > 1 ? length - 1 : 1);
		for (n = i; n < i + length; n++) {
			if (keep)
				race_hand_apply(hand, &program->call[n], program->step[n].child);
			else
				drop(program, n);
		}
	}
}

static void thin_forest(struct race_round *round, struct race_hand *built, const bool *out)
{
	struct race_program *build = &round->build;
	bool out_calls[RACE_STEPS] = { };
	unsigned int i, length;

	for (i = 0; i < build->nr; i += length) {
		length = length_of(build, i);
		if (length > 1)
			out_calls[i] = out[build->step[i + length - 2].child];
	}
	race_hand_init(built);
	thin(build, built, built, out_calls);
}

bool race_leave_out(struct race_round *round, const bool *out)
{
	struct race_hand built, hand;
	unsigned int i;

	thin_forest(round, &built, out);
	if (round->nap.how &&
	    (built.slot[RACE_BED].ctx < 0 || built.slot[RACE_WRITABLE(0)].ctx < 0))
		return false;
	if (round->victim >= 0 && built.slot[RACE_WRITABLE(round->victim)].ctx < 0)
		return false;
	for (i = 0; i < round->nr_actors; i++) {
		struct race_actor *actor = &round->actor[i];

		race_hand_init(&hand);
		thin(&actor->setup, &hand, &built, &out[part_of(i, false, 0)]);
		thin(&actor->race, &hand, &built, &out[part_of(i, true, 0)]);
		thin(&actor->last, &hand, &built, NULL);
	}
	return true;
}
