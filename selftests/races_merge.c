// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races over edges to further parents, with values, detaching and status words
 * mixed in. Over such an edge a cancellation has passed when the call returns.
 */
#include "ctx_features.h"
#include "race.h"

#define CAUSE		80
#define SIDES		4	/* parents of the merged context, the first among them */
#define LEAVES		12
#define DEEP		1000	/* contexts above a parent */

FIXTURE(races_merge) {
	int dev;
};

FIXTURE_SETUP(races_merge)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(races_merge)
{
	close(self->dev);
}

/* What one racer does, and what it found when its call had returned */
struct side {
	int		fd;		/* that it cancels */
	int		ret;
	int		ep;		/* all of the delta, edge-triggered */
	int		woken;
	unsigned int	unset;		/* status words that read alive */
	struct ctx_info	merged;
	struct ctx_info	leaf;
};

/*
 * Several roots, a context below all of them, and leaves below that: a third of
 * them by a child between, and a third by a second edge.
 */
struct delta {
	int			parent[SIDES];
	int			merged;
	int			middle;
	int			leaf[LEAVES];
	const struct ctx_status	*status[LEAVES];
	struct side		side[SIDES + 1];
	unsigned int		next;		/* hands each racer its number */
	int			made[8];
	unsigned int		nr_made;
	unsigned int		amid;		/* how many are made before the cancel, */
	__u64			late;		/* and for how long the next one is */
};

static bool delta_make(struct delta *d, int dev, bool mapped)
{
	struct ctx_value value = ctx_value_of("key", "value", 5);
	int i, s;

	memset(d, 0, sizeof(*d));
	for (i = 0; i < SIDES; i++)
		d->parent[i] = i ? ctx_new(dev) : ctx_new_values(dev, &value, 1);
	d->merged = ctx_new_merged(d->parent[0], d->parent + 1, SIDES - 1);
	d->middle = ctx_new(d->merged);
	for (i = 0; i < LEAVES; i++) {
		if (i % 3 == 0)
			d->leaf[i] = ctx_new(d->merged);
		else if (i % 3 == 1)
			d->leaf[i] = ctx_new(d->middle);
		else
			d->leaf[i] = ctx_new_merged2(d->middle, d->merged);
		if (d->leaf[i] < 0)
			return false;
		if (mapped)
			d->status[i] = ctx_map(d->leaf[i]);
		if (mapped && !d->status[i])
			return false;
	}
	for (s = 0; s <= SIDES; s++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLET };

		d->side[s].fd = s < SIDES ? d->parent[s] : d->merged;
		d->side[s].ep = epoll_create1(EPOLL_CLOEXEC);
		for (i = 0; i < LEAVES; i++)
			if (epoll_ctl(d->side[s].ep, EPOLL_CTL_ADD, d->leaf[i], &event))
				return false;
	}
	return true;
}

static void delta_close(struct delta *d)
{
	int i;

	for (i = 0; i <= SIDES; i++)
		close(d->side[i].ep);
	for (i = 0; i < LEAVES; i++) {
		if (d->status[i])
			ctx_unmap(d->status[i]);
		close(d->leaf[i]);
	}
	close(d->middle);
	if (d->merged >= 0)
		close(d->merged);
	for (i = 0; i < SIDES; i++)
		if (d->parent[i] >= 0)
			close(d->parent[i]);
}

/* Asks what the end of the racer's call promises. */
static void side_look(struct delta *d, struct side *s)
{
	struct epoll_event event[LEAVES];
	int i;

	s->woken = epoll_wait(s->ep, event, LEAVES, 0);
	for (i = 0; i < LEAVES; i++)
		s->unset += d->status[i] && !ctx_mapped_err(d->status[i]);
	ctx_info(d->leaf[2], &s->leaf);
	ctx_info(d->merged, &s->merged);
}

static struct side *side_take(struct delta *d)
{
	return &d->side[__atomic_fetch_add(&d->next, 1, __ATOMIC_ACQ_REL)];
}

static void cancel_side(void *data)
{
	struct delta *d = data;
	struct side *s = side_take(d);

	s->ret = ctx_cancel(s->fd, CAUSE + (int)(s - d->side), NULL);
	side_look(d, s);
}

/* All that the first @nr sides saw agrees, and with what there is now. */
static void check_sides(struct __test_metadata *_metadata, struct delta *d, int nr)
{
	struct ctx_info merged, info;
	int i, s, origin = -1;

	ASSERT_EQ(0, ctx_info(d->merged, &merged));
	ASSERT_NE(0, merged.err);
	for (s = 0; s < nr; s++) {
		ASSERT_LE(0, d->side[s].ret);
		ASSERT_EQ(LEAVES, d->side[s].woken);
		ASSERT_EQ(0, d->side[s].unset);
		ASSERT_EQ(0, memcmp(&merged, &d->side[s].merged, sizeof(merged)));
		ASSERT_EQ(merged.origin_id, d->side[s].leaf.origin_id);
		if (ctx_id(d->side[s].fd) == merged.origin_id)
			origin = s;
	}
	/* It is that of one who cancelled, with what that one gave. */
	ASSERT_LE(0, origin);
	ASSERT_EQ(0, d->side[origin].ret);
	ASSERT_EQ(CAUSE + origin, merged.cause);
	for (i = 0; i < LEAVES; i++) {
		ASSERT_EQ(0, ctx_info(d->leaf[i], &info));
		ASSERT_EQ(merged.origin_id, info.origin_id);
		ASSERT_EQ(merged.cancelled_at, info.cancelled_at);
		if (d->status[i])
			check_mapped(d->status[i], ECANCELED, CAUSE + origin);
	}
	ASSERT_TRUE(_metadata->passed);
}

static void race_sides(struct __test_metadata *_metadata, int dev, int nr, bool mapped,
		       unsigned int turns)
{
	racer_fn *third = nr > 2 ? cancel_side : NULL;
	struct delta d;
	struct race race;
	unsigned int i;
	int s;

	ASSERT_TRUE(race_start(&race, &d, cancel_side, cancel_side, third, third, third));
	for (i = 0; i < rounds(turns); i++) {
		ASSERT_TRUE(delta_make(&d, dev, mapped));
		/* Which of them run first differs: the first parent, the last, itself. */
		for (s = 0; s <= SIDES; s++)
			d.side[s].fd = (s + i) % (SIDES + 1) < SIDES ?
				       d.parent[(s + i) % (SIDES + 1)] : d.merged;
		ASSERT_TRUE(race_round(&race));
		check_sides(_metadata, &d, nr);
		delta_close(&d);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(races_merge, two_parents_cancelled_at_once_give_one_origin, 300)
{
	race_sides(_metadata, self->dev, 2, false, 100);
}

TEST_F_TIMEOUT(races_merge, four_parents_and_itself_cancelled_at_once_give_one_origin, 300)
{
	race_sides(_metadata, self->dev, 5, false, 40);
}

TEST_F_TIMEOUT(races_merge, status_words_are_set_whichever_cancel_returns_first, 300)
{
	race_sides(_metadata, self->dev, 2, true, 50);
}

static void close_side(void *data)
{
	struct delta *d = data;
	struct side *s = side_take(d);

	s->ret = close(s->fd);
	s->fd = -1;
	side_look(d, s);
}

/* A close that releases promises as much as a cancel. */
TEST_F_TIMEOUT(races_merge, a_release_and_a_cancel_of_two_parents_wake_all, 300)
{
	struct delta d;
	struct race race;
	unsigned int i;
	int s;

	ASSERT_TRUE(race_start(&race, &d, close_side, cancel_side));
	for (i = 0; i < rounds(60); i++) {
		ASSERT_TRUE(delta_make(&d, self->dev, true));
		d.side[0].fd = dup(d.parent[i % SIDES]);
		d.side[1].fd = dup(d.parent[(i + 1) % SIDES]);
		close(d.parent[i % SIDES]);
		close(d.parent[(i + 1) % SIDES]);
		d.parent[i % SIDES] = d.parent[(i + 1) % SIDES] = -1;
		ASSERT_TRUE(race_round(&race));
		for (s = 0; s < 2; s++) {
			ASSERT_EQ(0, d.side[s].ret);
			ASSERT_EQ(LEAVES, d.side[s].woken);
			ASSERT_EQ(0, d.side[s].unset);
			if (d.side[s].fd >= 0)
				close(d.side[s].fd);
		}
		ASSERT_EQ(d.side[0].merged.origin_id, d.side[1].merged.origin_id);
		ASSERT_EQ(d.side[0].merged.cause, d.side[1].merged.cause);
		delta_close(&d);
	}
	race_stop(&race);
}

static void create_merged(void *data)
{
	struct delta *d = data;
	unsigned int i;

	for (i = 0; i < ctx_array_size(d->made); i++) {
		d->made[i] = ctx_new_merged2(d->side[1].fd, d->parent[1]);
		__atomic_add_fetch(&d->nr_made, 1, __ATOMIC_ACQ_REL);
	}
}

static void cancel_second(void *data)
{
	struct delta *d = data;

	d->side[0].ret = ctx_cancel(d->parent[1], CAUSE, NULL);
}

/* At any point while any of them is made: it would else be over before the first one's look. */
static void cancel_amid(void *data)
{
	struct delta *d = data;
	__u64 until;

	spin_until(&d->nr_made, d->amid);
	until = ctx_clock(CLOCK_MONOTONIC) + d->late;
	while (ctx_clock(CLOCK_MONOTONIC) < until)
		;
	cancel_second(d);
}

/* What it takes to make all that create_merged() does. */
static __u64 create_cost(struct delta *d)
{
	__u64 start = ctx_clock(CLOCK_MONOTONIC), took;
	unsigned int i;

	create_merged(d);
	took = ctx_clock(CLOCK_MONOTONIC) - start;
	for (i = 0; i < ctx_array_size(d->made); i++)
		close(d->made[i]);
	return took;
}

/* A further parent below @above is cancelled while contexts are made below it, too. */
static void race_create(struct __test_metadata *_metadata, int dev, int above,
			unsigned int turns)
{
	struct delta d = { .parent[1] = above, .side[1].fd = dev };
	__u64 cost = create_cost(&d) / ctx_array_size(d.made);
	__u32 random = 141421356;
	struct race race;
	unsigned int i, j;

	ASSERT_TRUE(race_start(&race, &d, cancel_amid, create_merged));
	for (i = 0; i < rounds(turns); i++) {
		d.parent[1] = ctx_new(above);
		/* The first parent: the background, or a context that stays alive. */
		d.side[1].fd = i % 2 ? ctx_new(dev) : dup(dev);
		d.nr_made = 0;
		d.amid = i % ctx_array_size(d.made);
		d.late = race_random(&random) % cost;
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(0, d.side[0].ret);
		for (j = 0; j < ctx_array_size(d.made); j++) {
			check_cancelled(d.made[j], ECANCELED, CAUSE, ctx_id(d.parent[1]));
			close(d.made[j]);
		}
		check_info(d.side[1].fd, nr_children, 0);
		ASSERT_TRUE(_metadata->passed);
		close(d.side[1].fd);
		close(d.parent[1]);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(races_merge, what_is_merged_during_the_cancel_of_a_further_parent_is_cancelled, 300)
{
	race_create(_metadata, self->dev, self->dev, 250);
}

/*
 * Whether a context is alive is looked up at itself first, and then all the way up.
 * Where that is long, a cancel can begin and end within a look that does not see it.
 */
TEST_F_TIMEOUT(races_merge, what_is_merged_during_the_cancel_of_a_deep_parent_is_cancelled, 300)
{
	int above = self->dev, next;
	unsigned int i;

	for (i = 0; i < DEEP; i++) {
		next = ctx_new_detached(above);
		ASSERT_LE(0, next);
		if (i)
			close(above);
		above = next;
	}
	race_create(_metadata, self->dev, above, 1000);
	close(above);
}

/* Made on the spot, by an edge in a chain of edges, and waited for at its end. */
static void wait_merged(void *data)
{
	struct delta *d = data;
	int chain[4], i;

	for (i = 0; i < 4; i++)
		chain[i] = ctx_new_merged2(d->parent[0], i ? chain[i - 1] : d->parent[1]);
	d->side[1].woken = ctx_poll(chain[3], CTX_WAIT_MS) & POLLIN;
	ctx_info(chain[3], &d->side[1].leaf);
	for (i = 0; i < 4; i++)
		close(chain[i]);
}

TEST_F_TIMEOUT(races_merge, whoever_waits_on_what_is_merged_meanwhile_is_woken, 300)
{
	struct delta d = {};
	struct race race;
	unsigned int i;

	ASSERT_TRUE(race_start(&race, &d, cancel_second, wait_merged));
	d.parent[0] = ctx_new(self->dev);
	for (i = 0; i < rounds(250); i++) {
		d.parent[1] = ctx_new(self->dev);
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(POLLIN, d.side[1].woken);
		ASSERT_EQ(ctx_id(d.parent[1]), d.side[1].leaf.origin_id);
		check_info(d.parent[0], nr_children, 0);
		close(d.parent[1]);
	}
	race_stop(&race);
	close(d.parent[0]);
}

static void close_merged(void *data)
{
	struct delta *d = data;
	unsigned int i;

	for (i = 0; i < ctx_array_size(d->made); i++)
		close(d->made[i]);
}

TEST_F_TIMEOUT(races_merge, merged_contexts_are_closed_while_a_parent_is_cancelled, 300)
{
	struct delta d = {};
	struct race race;
	unsigned int i, j;

	ASSERT_TRUE(race_start(&race, &d, cancel_second, close_merged));
	d.side[1].fd = ctx_new(self->dev);
	for (i = 0; i < rounds(250); i++) {
		d.parent[1] = ctx_new(self->dev);
		for (j = 0; j < ctx_array_size(d.made); j++) {
			/* Some below others; some that keep their parent alive. */
			d.made[j] = ctx_new_merged2(j % 3 == 2 ? d.made[j - 1] : d.side[1].fd,
						    d.parent[1]);
			ASSERT_LE(0, d.made[j]);
		}
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(0, d.side[0].ret);
		check_info(d.side[1].fd, nr_children, 0);
		check_alive(d.side[1].fd);
		ASSERT_TRUE(_metadata->passed);
		close(d.parent[1]);
	}
	race_stop(&race);
}

/* In the middle of the walk of @parent[1], before it passes the edge */
static void intrude(void *data)
{
	struct delta *d = data;
	struct side *s = &d->side[2];

	s->ret = ctx_cancel(s->fd, CAUSE + 2, NULL);
	side_look(d, s);
	d->made[0] = ctx_new_merged2(d->parent[3], d->parent[1]);
	d->made[1] = ctx_poll(d->made[0], 0);
}

/* Another walk by another edge, or by the same one, does not rely on the first. */
TEST_F_TIMEOUT(races_merge, a_cancel_in_the_middle_of_anothers_walk_wakes_all_itself, 300)
{
	struct intruder in;
	struct delta d;
	unsigned int i;

	for (i = 0; i < 30; i++) {
		ASSERT_TRUE(delta_make(&d, self->dev, true));
		d.side[2].fd = d.parent[i % 3];
		ASSERT_TRUE(intruder_start(&in, d.parent[1], intrude, &d));
		ASSERT_EQ(0, ctx_cancel(d.parent[1], CAUSE + 1, NULL));
		side_look(&d, &d.side[1]);
		ASSERT_TRUE(intruder_join(&in));
		EXPECT_EQ(i % 3 == 1, d.side[2].ret);
		EXPECT_EQ(LEAVES, d.side[1].woken);
		EXPECT_EQ(LEAVES, d.side[2].woken);
		EXPECT_EQ(0, d.side[1].unset);
		EXPECT_EQ(0, d.side[2].unset);
		EXPECT_EQ(0, memcmp(&d.side[1].merged, &d.side[2].merged,
				    sizeof(struct ctx_info)));
		/* What it merged below the cancelled was so at once. */
		EXPECT_EQ(POLLIN | POLLRDNORM, d.made[1]);
		check_cancelled(d.made[0], ECANCELED, CAUSE + 1, ctx_id(d.parent[1]));
		ASSERT_TRUE(_metadata->passed);
		close(d.made[0]);
		delta_close(&d);
	}
}

static void close_in_the_middle(void *data)
{
	struct delta *d = data;
	int i;

	/* The merged context with all that is below: the walk is on its way there. */
	for (i = 0; i < LEAVES; i++) {
		ctx_unmap(d->status[i]);
		close(d->leaf[i]);
		d->status[i] = NULL;
		d->leaf[i] = -1;
	}
	d->side[0].ret = close(d->middle) | close(d->merged);
	d->middle = d->merged = -1;
}

TEST_F_TIMEOUT(races_merge, a_close_in_the_middle_of_a_walk_takes_nothing_from_it, 300)
{
	struct intruder in;
	struct delta d;
	unsigned int i;
	int j;

	for (i = 0; i < 30; i++) {
		ASSERT_TRUE(delta_make(&d, self->dev, true));
		/* The epoll sets would keep descriptions that are closed. */
		for (j = 0; j <= SIDES; j++)
			close(d.side[j].ep);
		ASSERT_TRUE(intruder_start(&in, d.parent[1], close_in_the_middle, &d));
		ASSERT_EQ(0, ctx_cancel(d.parent[1], CAUSE, NULL));
		ASSERT_TRUE(intruder_join(&in));
		EXPECT_EQ(0, d.side[0].ret);
		for (j = 0; j < SIDES; j++) {
			check_info(d.parent[j], nr_children, 0);
			close(d.parent[j]);
		}
	}
}

TEST_HARNESS_MAIN
