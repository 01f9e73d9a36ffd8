// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a round from its seed. The programs are short, because the interesting part of a round is
 * over once its roots are cancelled.
 */
#include "race_op.h"

/*
 * How the actors go about it: each as it likes, all through the contexts at one pace, or in a duel
 * of one that ends contexts or of two.
 */
enum manner {
	APART, TOGETHER, DUEL, DOUBLE, MANNERS
};

static bool is_duel(enum manner manner)
{
	return manner == DUEL || manner == DOUBLE;
}

/* Parts of what a seed determines, after those of the actors. */
enum { FOREST_PART = RACE_ACTORS, ROUND_PART, DUEL_PART };

/* How often each is done, to each other. */
static const unsigned char themes[][OP_NR] = {
	/* cre can clo dup wat dea pol inf rea val wai unw mma mun vie chu asy beh */
	{   8,  5,  5,  2,  2,  4,  4,  6,  3,  2,  6,  2,  4,  1,  4,  2,  1,  1 },	/* all */
	{  20,  3, 16,  1,  1,  2,  1,  4,  0,  0,  3,  0,  3,  1,  2, 10,  1,  2 },	/* come and go */
	{   2,  3,  1,  0,  2,  0,  2,  2,  0,  0, 20,  4, 12,  1,  4,  0,  6,  2 },	/* join */
	{   2, 20,  4,  0,  0,  0,  0,  2,  0,  0,  2,  0,  0,  0,  6,  0,  4,  4 },	/* cancel */
	{   6,  2,  2,  0,  0, 20,  3,  8,  0,  0,  4,  0,  0,  0,  3,  0,  0,  2 },	/* deadlines */
	{   2,  1,  1,  1,  1,  0, 10, 16,  8,  3,  1,  0,  1,  0,  4,  0,  1,  0 },	/* look */
	{   2,  8,  2,  1,  2,  2,  0,  1,  0,  0,  4,  0,  2,  0,  3,  0, 20,  0 },	/* signals */
};

#define THEMES (sizeof(themes) / sizeof(*themes))

static enum race_op pick_op(struct making *m, const unsigned char *theme)
{
	unsigned int sum = 0, op, n;

	for (op = 0; op < OP_NR; op++)
		sum += theme[op];
	n = rnd_below(&m->rnd, sum);
	for (op = 0; n >= theme[op]; op++)
		n -= theme[op];
	return op;
}

static void make_race(struct making *m, bool together)
{
	const unsigned char *theme = themes[rnd_below(&m->rnd, THEMES)];
	unsigned int nr = 10 + rnd_below(&m->rnd, 51), i;

	for (i = 0; i < nr && race_room(m, 5); i++) {
		if (together && rnd_one_in(&m->rnd, 2))
			m->together = (m->together + 1) % m->round->nr_built;
		race_op(m, pick_op(m, theme));
	}
}

/*
 * A duel of two: one ends a context after the other, the lower ones first, so that each is alive
 * until then. The other does at the same moment something with it that must be told of the end, or
 * must not miss it.
 */
static void make_duel(struct making *m)
{
	/* With the time that it takes until it matters; the one that ends is as late. */
	static const struct {
		enum race_op	op;
		unsigned int	ns;
	} others[] = {
		{ OP_WAIT, 300 }, { OP_MMAP, 3000 }, { OP_MMAP, 3000 }, { OP_CREATE, 2000 },
		{ OP_CHURN, 300 }, { OP_INFO, 300 }, { OP_ASYNC, 1000 }, { OP_BEHIND, 3000 },
	};
	struct rnd rnd = rnd_part(m->round->seed, DUEL_PART);
	unsigned int other = rnd_below(&rnd, sizeof(others) / sizeof(*others));
	bool keeper = m->round->keeper[0] == m->actor;
	enum { CANCELS, CLOSES, EXPIRES, ENDS } ends = rnd_below(&m->rnd, ENDS);

	m->duel = true;
	for (m->together = m->round->nr_built - 1; m->together >= 0; m->together--) {
		/* What comes and goes meets on its way out. */
		if (keeper || others[other].op != OP_CHURN)
			race_meet(m, keeper ? others[other].ns : 200);
		if (!keeper)
			race_op(m, others[other].op);
		else if (ends == CLOSES)
			race_close(m, RACE_WRITABLE(m->together));
		else if (ends == EXPIRES)
			race_expire(m, RACE_WRITABLE(m->together));
		else
			race_cancel(m, RACE_WRITABLE(m->together));
	}
	race_view(m, true);
}

static void make_setup(struct making *m, enum manner manner)
{
	unsigned int ctx, nr;

	for (ctx = 0; ctx < m->round->nr_built; ctx++) {
		race_begin(m, BATCH_SET, -1)->out = RACE_WATCH(ctx);
		race_end(m);
	}
	for (ctx = 0; ctx < m->round->nr_built; ctx++) {
		if (m->round->keeper[ctx] != m->actor)
			continue;
		race_begin(m, BATCH_SET, -1)->out = RACE_WRITABLE(ctx);
		race_end(m);
	}
	for (nr = is_duel(manner) ? 0 : rnd_below(&m->rnd, 12); nr; nr--)
		race_place_op(m, rnd_one_in(&m->rnd, 3) ? OP_MMAP : OP_WAIT);
}

/* Both end contexts at one moment, that have others below both of them, and may be so themselves. */
static void make_double(struct making *m)
{
	int own;

	m->duel = true;
	for (m->together = m->round->nr_built - 1; m->together > 0; m->together -= 2) {
		own = m->together - (m->round->keeper[m->together] != m->actor);
		race_meet(m, 1000);
		if (rnd_one_in(&m->rnd, 3))
			race_close(m, RACE_WRITABLE(own));
		else
			race_cancel(m, RACE_WRITABLE(own));
		/* What the return promises */
		race_view(m, true);
	}
}

/* What is told comes first: to look at a descriptor may tell what was left untold. */
static void make_last(struct making *m)
{
	int slot;

	race_view(m, true);
	for (slot = RACE_WATCH(0); slot < BATCH_SLOTS; slot++)
		if (m->hand.slot[slot].ctx >= 0)
			race_info(m, slot);
	race_view(m, false);
}

static void make_actor(struct race_round *round, unsigned int actor, enum manner manner)
{
	struct race_actor *part = &round->actor[actor];
	struct making m = {
		.rnd = rnd_part(round->seed, actor), .round = round, .actor = actor,
		.made = RACE_MADE, .together = -1,
	};

	race_hand_init(&m.hand);
	part->setup.nr = part->race.nr = part->last.nr = 0;
	m.program = &part->setup;
	make_setup(&m, manner);
	m.program = &part->race;
	if (manner == DUEL)
		make_duel(&m);
	else if (manner == DOUBLE)
		make_double(&m);
	else
		make_race(&m, manner == TOGETHER);
	m.program = &part->last;
	make_last(&m);
	part->delay = rnd_one_in(&m.rnd, 2) ? rnd_below(&m.rnd, 1 << rnd_below(&m.rnd, 13)) : 0;
}

enum shape { CHAIN, BUSH, RANDOM, MERGED, NESTED, SHAPES };

/* The slot of its first parent, of which the builder has the descriptor. */
static int first_parent(struct making *m, enum shape kind, int ctx)
{
	if (!ctx || rnd_one_in(&m->rnd, 10))
		return RACE_BACKGROUND;
	switch (kind) {
	case CHAIN:
		return RACE_WATCH(ctx - 1);
	case BUSH:
		return RACE_WATCH(0);
	case NESTED:
		return rnd_one_in(&m->rnd, 3) ? RACE_BACKGROUND :
						RACE_WATCH(rnd_below(&m->rnd, ctx));
	default:
		return RACE_WATCH(rnd_below(&m->rnd, ctx));
	}
}

static unsigned int further_parents(struct making *m, enum shape kind, int ctx)
{
	if (!ctx || (kind < MERGED && !rnd_one_in(&m->rnd, 10)))
		return 0;
	if (kind == NESTED)
		return 1;
	return rnd_below(&m->rnd, 1 + HISTORY_FURTHER);
}

/* Whether the first context is above @ctx by first parents alone. */
static bool below_first(const struct race_round *round, int ctx)
{
	while (ctx > 0 && !(round->ctx[ctx].flags & CTX_CREATE_WITHOUT_CANCEL))
		ctx = round->ctx[ctx].parent;
	return !ctx;
}

/* In few rounds: all below the first context ends in them before the last look. */
static void make_nap(struct making *m)
{
	struct race_round *round = m->round;

	round->nap.how = rnd_one_in(&m->rnd, 8) ? 1 + rnd_below(&m->rnd, SLEEPS - 1) : SLEEP_NOT;
	if (!round->nap.how)
		return;
	round->keeper[0] = RACE_BUILDER;
	round->nap.ctx = rnd_below(&m->rnd, round->nr_built);
	if (!below_first(round, round->nap.ctx))
		round->nap.ctx = 0;
	race_ioctl(m, RACE_WATCH(round->nap.ctx), CTX_IOC_WATCH)->out = RACE_BED;
	race_step_of(m)->fd_flags = 0;
	race_end(m);

	m->program = &round->wake;
	m->together = 0;
	if (rnd_one_in(&m->rnd, 2) && !(round->ctx[0].flags & CTX_CREATE_DETACHED)) {
		race_begin(m, BATCH_CLOSE, RACE_WRITABLE(0));
		race_end(m);
	} else {
		race_cancel(m, RACE_WRITABLE(0));
	}
}

/* Somebody who is not among the actors has a part, in some rounds. */
static void make_absent(struct making *m)
{
	struct race_round *round = m->round;

	if (rnd_one_in(&m->rnd, 16)) {
		round->victim = rnd_below(&m->rnd, round->nr_built);
		round->keeper[round->victim] = RACE_BUILDER;
		round->victim_delay = rnd_below(&m->rnd, 1 << rnd_below(&m->rnd, 18));
	} else {
		make_nap(m);
	}
}

static void make_forest(struct race_round *round, enum manner manner)
{
	struct making m = {
		.rnd = rnd_part(round->seed, FOREST_PART), .round = round, .program = &round->build,
		.actor = RACE_BUILDER, .together = -1,
	};
	enum shape shape = rnd_below(&m.rnd, SHAPES);
	unsigned int one = rnd_below(&m.rnd, (manner == DUEL ? 1 : 2) * round->nr_actors);
	unsigned int nr = 4 + rnd_below(&m.rnd, 13);

	race_hand_init(&m.hand);
	round->build.nr = round->wake.nr = 0;
	round->nap.how = SLEEP_NOT;
	round->victim = -1;
	while (round->nr_built < nr) {
		int ctx = round->nr_built++;
		struct ctx_create_args args = { };

		if (rnd_one_in(&m.rnd, 4))
			args.flags |= CTX_CREATE_DETACHED;
		if (rnd_one_in(&m.rnd, 16))
			args.flags |= CTX_CREATE_WITHOUT_CANCEL;
		/* Nested ones often hang below the one before. */
		m.together = shape == NESTED ? ctx - 1 : -1;
		race_child(&m, first_parent(&m, shape, ctx), RACE_WRITABLE(ctx),
			   further_parents(&m, shape, ctx), args);
		race_ioctl(&m, RACE_WRITABLE(ctx), CTX_IOC_WATCH)->out = RACE_WATCH(ctx);
		race_step_of(&m)->fd_flags = CTX_NONBLOCK;
		race_end(&m);
		/* By one actor, or each by any. */
		round->keeper[ctx] = one < round->nr_actors ? one :
							      rnd_below(&m.rnd, round->nr_actors);
		if (manner == DOUBLE)
			round->keeper[ctx] = ctx % 2;
	}
	if (!is_duel(manner))
		make_absent(&m);
}

void race_make(struct race_round *round, uint64_t seed)
{
	struct rnd rnd = rnd_part(seed, ROUND_PART);
	enum manner manner = rnd_below(&rnd, MANNERS);
	unsigned int i;

	round->seed = seed;
	round->nr_ctxs = round->nr_built = 0;
	/* More than there are processors, now and then: then some stop in the middle of a call. */
	round->nr_actors = 2;
	if (!is_duel(manner) && rnd_one_in(&rnd, 3))
		round->nr_actors += rnd_below(&rnd, RACE_ACTORS - 1);
	round->met[0] = round->met[1] = 0;
	make_forest(round, manner);
	for (i = 0; i < round->nr_actors; i++)
		make_actor(round, i, manner);
}
