// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creation and cancellation that happen at once in one tree.
 */
#include "ctx_selftest.h"
#include "race.h"

#define CAUSE		77
#define LINE		8	/* contexts in a line, the root first */

FIXTURE(races) {
	int dev;
};

FIXTURE_SETUP(races)
{
	self->dev = ctx_background();
	ASSERT_GE(self->dev, 0);
}

FIXTURE_TEARDOWN(races)
{
	close(self->dev);
}

/* A line of contexts, each the child of the one before it. */
struct line {
	int		fd[LINE];
	__u64	id[LINE];
};

static bool line_make(struct line *line, int dev)
{
	int i;

	for (i = 0; i < LINE; i++) {
		line->fd[i] = ctx_new(i ? line->fd[i - 1] : dev);
		line->id[i] = ctx_id(line->fd[i]);
		if (!line->id[i])
			return false;
	}
	return true;
}

static void line_close(struct line *line)
{
	int i;

	for (i = 0; i < LINE; i++)
		close(line->fd[i]);
}

#define BURST		16

struct growth {
	struct line	line;
	int		root;		/* the one that is cancelled */
	int		parent;		/* the one that gets children */
	int		cancelled;	/* what the cancel returned */
	int		nr;		/* children to make */
	int		child[BURST];
};

static void cancel_root(void *data)
{
	struct growth *g = data;

	g->cancelled = ctx_cancel(g->root, CAUSE, NULL);
}

static void create_children(void *data)
{
	struct growth *g = data;
	int i;

	for (i = 0; i < g->nr; i++)
		g->child[i] = ctx_new(g->parent);
}

static void create_descent(void *data)
{
	struct growth *g = data;
	int i;

	for (i = 0; i < g->nr; i++)
		g->child[i] = ctx_new(i ? g->child[i - 1] : g->parent);
}

/* Every child was made, is cancelled by @root and polls so; closes them all. */
static void check_children(struct __test_metadata *_metadata, struct growth *g, __u64 root)
{
	int i;

	ASSERT_EQ(0, g->cancelled);
	for (i = 0; i < g->nr; i++)
		check_cancelled(g->child[i], ECANCELED, CAUSE, root);
	for (i = 0; i < g->nr; i++)
		close(g->child[i]);
	ASSERT_TRUE(_metadata->passed);
}

/* The common body: @create runs against a cancel of the first of a line. */
static void race_growth(struct __test_metadata *_metadata, int dev, racer_fn *create,
			int nr, bool watch, unsigned int turns)
{
	struct growth g = { .nr = nr };
	struct race race;
	unsigned int i;

	ASSERT_TRUE(race_start(&race, &g, cancel_root, create));
	for (i = 0; i < rounds(turns); i++) {
		int at = i % LINE;

		ASSERT_TRUE(line_make(&g.line, dev));
		g.root = g.line.fd[0];
		g.parent = watch ? ctx_watch(g.line.fd[at], 0) : g.line.fd[at];
		ASSERT_LE(0, g.parent);
		ASSERT_TRUE(race_round(&race));
		check_children(_metadata, &g, g.line.id[0]);
		check_info(g.parent, nr_children, 0);
		if (watch)
			close(g.parent);
		line_close(&g.line);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(races, child_created_while_an_ancestor_is_cancelled, 300)
{
	race_growth(_metadata, self->dev, create_children, 1, false, 800);
}

TEST_F_TIMEOUT(races, child_created_on_a_watch_while_an_ancestor_is_cancelled, 300)
{
	race_growth(_metadata, self->dev, create_children, 1, true, 400);
}

TEST_F_TIMEOUT(races, children_created_one_after_another_during_a_cancel, 300)
{
	race_growth(_metadata, self->dev, create_children, BURST, false, 200);
}

/* Each child hangs below one that may itself have been born cancelled. */
TEST_F_TIMEOUT(races, descent_created_during_a_cancel, 300)
{
	race_growth(_metadata, self->dev, create_descent, BURST, false, 200);
}

struct two_growths {
	struct growth left, right;
};

static void cancel_left(void *data)
{
	cancel_root(&((struct two_growths *)data)->left);
}

static void descend_left(void *data)
{
	create_descent(&((struct two_growths *)data)->left);
}

static void widen_right(void *data)
{
	create_children(&((struct two_growths *)data)->right);
}

TEST_F_TIMEOUT(races, subtree_grown_by_two_threads_during_a_cancel, 300)
{
	struct two_growths two = { .left.nr = BURST, .right.nr = BURST };
	struct growth *left = &two.left, *right = &two.right;
	struct race race;
	unsigned int i;

	ASSERT_TRUE(race_start(&race, &two, cancel_left, descend_left, widen_right));
	for (i = 0; i < rounds(150); i++) {
		left->root = ctx_new(self->dev);
		left->parent = ctx_new(left->root);
		right->parent = ctx_new(left->root);
		ASSERT_LE(0, right->parent);
		ASSERT_TRUE(race_round(&race));
		check_children(_metadata, left, ctx_id(left->root));
		check_children(_metadata, right, ctx_id(left->root));
		close(right->parent);
		close(left->parent);
		close(left->root);
	}
	race_stop(&race);
}

struct contest {
	int		fd[LINE];	/* what each canceller cancels */
	int		ret[LINE];	/* what it got */
	unsigned int	next;		/* hands every racer its number */
};

static const char *const contest_message[] = {
	"the first", "another, rather longer than all of the others", "", "4",
};

static void contend(void *data)
{
	struct contest *c = data;
	unsigned int me = __atomic_fetch_add(&c->next, 1, __ATOMIC_ACQ_REL);

	c->ret[me] = ctx_cancel(c->fd[me], CAUSE + me, contest_message[me]);
}

static void check_winner(struct __test_metadata *_metadata, int fd, unsigned int winner)
{
	check_cancelled(fd, ECANCELED, CAUSE + (int)winner, ctx_id(fd));
	check_message(fd, contest_message[winner]);
	ASSERT_TRUE(_metadata->passed);
}

static void race_for_one(struct __test_metadata *_metadata, int dev, unsigned int nr,
			 unsigned int turns)
{
	racer_fn *more = nr == 4 ? contend : NULL;
	struct contest c;
	struct race race;
	unsigned int i;

	ASSERT_TRUE(race_start(&race, &c, contend, contend, more, more));
	for (i = 0; i < rounds(turns); i++) {
		unsigned int me, winner = nr, zeros = 0;
		int fd = ctx_new(dev);

		ASSERT_LE(0, fd);
		c.next = 0;
		for (me = 0; me < nr; me++)
			c.fd[me] = fd;
		ASSERT_TRUE(race_round(&race));
		for (me = 0; me < nr; me++) {
			if (c.ret[me] == 0) {
				winner = me;
				zeros++;
			} else {
				ASSERT_EQ(1, c.ret[me]);
			}
		}
		ASSERT_EQ(1, zeros);
		check_winner(_metadata, fd, winner);
		close(fd);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(races, one_of_two_cancels_wins_with_its_cause_and_message, 300)
{
	race_for_one(_metadata, self->dev, 2, 1500);
}

TEST_F_TIMEOUT(races, one_of_four_cancels_wins_with_its_cause_and_message, 300)
{
	race_for_one(_metadata, self->dev, 4, 300);
}

TEST_F_TIMEOUT(races, one_of_four_processes_wins_with_its_cause_and_message, 300)
{
	unsigned int i;

	for (i = 0; i < rounds(40); i++) {
		unsigned int me, winner = 4, zeros = 0;
		struct gate *gate = gate_new();
		int fd = ctx_new(self->dev);
		pid_t pid[4];

		ASSERT_TRUE(gate);
		ASSERT_LE(0, fd);
		for (me = 0; me < 4; me++) {
			pid[me] = ctx_fork();
			ASSERT_LE(0, pid[me]);
			if (!pid[me]) {
				__u32 random = 4 * i + me + 1;

				gate_pass(gate, &random);
				_exit(ctx_cancel(fd, CAUSE + me, contest_message[me]));
			}
		}
		EXPECT_TRUE(gate_open(gate, 4));
		for (me = 0; me < 4; me++) {
			int ret = race_reap(pid[me]);

			if (ret == 0) {
				winner = me;
				zeros++;
			} else {
				EXPECT_EQ(1, ret);
			}
		}
		ASSERT_EQ(1, zeros);
		check_winner(_metadata, fd, winner);
		close(fd);
		gate_free(gate);
	}
}

/*
 * Whoever was not cancelled by a call of its own, which then returned 0, got its
 * cancellation from where its parent got it. Anything else means that a context
 * was cancelled by an ancestor while one between them was alive or had been
 * cancelled before.
 */
static void check_line(struct __test_metadata *_metadata, struct line *line,
		       const bool own[LINE])
{
	__u64 origin = 0;
	int i;

	for (i = 0; i < LINE; i++) {
		struct ctx_info info;

		ASSERT_EQ(0, ctx_info(line->fd[i], &info));
		if (own[i])
			origin = line->id[i];
		ASSERT_EQ(origin, info.origin_id);
		ASSERT_EQ(origin ? ECANCELED : 0, info.err);
	}
}

static void race_on_line(struct __test_metadata *_metadata, int dev, unsigned int nr,
			 unsigned int turns)
{
	racer_fn *more = nr == 4 ? contend : NULL;
	__u32 random = 20230423;
	struct contest c;
	struct line line;
	struct race race;
	unsigned int i;

	ASSERT_TRUE(race_start(&race, &c, contend, contend, more, more));
	for (i = 0; i < rounds(turns); i++) {
		bool own[LINE] = { };
		unsigned int me, at[4];

		ASSERT_TRUE(line_make(&line, dev));
		c.next = 0;
		for (me = 0; me < nr; me++) {
			at[me] = race_random(&random) % LINE;
			c.fd[me] = line.fd[at[me]];
		}
		ASSERT_TRUE(race_round(&race));
		for (me = 0; me < nr; me++) {
			ASSERT_LE(0, c.ret[me]);
			if (c.ret[me] == 0)
				own[at[me]] = true;
		}
		check_line(_metadata, &line, own);
		line_close(&line);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(races, ancestor_and_descendant_cancelled_at_once, 300)
{
	race_on_line(_metadata, self->dev, 2, 600);
}

TEST_F_TIMEOUT(races, four_contexts_of_one_line_cancelled_at_once, 300)
{
	race_on_line(_metadata, self->dev, 4, 200);
}

struct overlap {
	struct growth	growth;
	int		middle;
	int		middle_cancelled;
};

static void overlap_root(void *data)
{
	cancel_root(&((struct overlap *)data)->growth);
}

static void overlap_middle(void *data)
{
	struct overlap *o = data;

	o->middle_cancelled = ctx_cancel(o->middle, CAUSE + 1, NULL);
}

static void overlap_create(void *data)
{
	create_children(&((struct overlap *)data)->growth);
}

/* A child takes its origin from its parent, whichever of two cancels that was. */
TEST_F_TIMEOUT(races, child_created_during_two_cancels_has_its_parents_origin, 300)
{
	struct overlap o = { .growth.nr = 4 };
	struct growth *g = &o.growth;
	struct race race;
	unsigned int i;

	ASSERT_TRUE(race_start(&race, &o, overlap_root, overlap_middle, overlap_create));
	for (i = 0; i < rounds(250); i++) {
		struct ctx_info root, middle, info;
		int n;

		g->root = ctx_new(self->dev);
		o.middle = ctx_new(g->root);
		g->parent = ctx_new(o.middle);
		ASSERT_LE(0, g->parent);
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(0, g->cancelled);
		ASSERT_EQ(0, ctx_info(g->root, &root));
		ASSERT_EQ(0, ctx_info(o.middle, &middle));
		ASSERT_EQ(o.middle_cancelled ? root.id : middle.id, middle.origin_id);
		for (n = 0; n < g->nr; n++) {
			ASSERT_EQ(0, ctx_info(g->child[n], &info));
			ASSERT_EQ(middle.origin_id, info.origin_id);
			ASSERT_EQ(middle.cause, info.cause);
			close(g->child[n]);
		}
		close(g->parent);
		close(o.middle);
		close(g->root);
	}
	race_stop(&race);
}

#define CROWD		12

struct crowd {
	int		parent;
	int		child[CROWD];
	unsigned int	most;		/* the greatest number an observer saw */
	bool		failed;
};

static void cancel_even(void *data)
{
	struct crowd *c = data;
	int i;

	for (i = 0; i < CROWD; i += 2)
		ctx_cancel(c->child[i], CAUSE, NULL);
}

static void cancel_odd(void *data)
{
	struct crowd *c = data;
	int i;

	for (i = 1; i < CROWD; i += 2)
		ctx_cancel(c->child[i], CAUSE, NULL);
}

static void close_even_backwards(void *data)
{
	struct crowd *c = data;
	int i;

	for (i = CROWD - 2; i >= 0; i -= 2)
		close(c->child[i]);
}

static void cancel_parent(void *data)
{
	struct crowd *c = data;

	ctx_cancel(c->parent, CAUSE, NULL);
}

static void count_children(void *data)
{
	struct crowd *c = data;
	struct ctx_info info;
	int i;

	for (i = 0; i < CROWD; i++) {
		if (ctx_info(c->parent, &info))
			c->failed = true;
		if (info.nr_children > c->most)
			c->most = info.nr_children;
	}
}

static void race_count(struct __test_metadata *_metadata, int dev, racer_fn *first,
		       racer_fn *second, racer_fn *third, unsigned int turns, bool closes)
{
	struct crowd c = { };
	struct race race;
	unsigned int i;
	int n;

	ASSERT_TRUE(race_start(&race, &c, first, second, third));
	for (i = 0; i < rounds(turns); i++) {
		c.parent = ctx_new(dev);
		for (n = 0; n < CROWD; n++)
			c.child[n] = ctx_new(c.parent);
		ASSERT_LE(0, c.child[CROWD - 1]);
		check_info(c.parent, nr_children, CROWD);
		ASSERT_TRUE(race_round(&race));
		ASSERT_FALSE(c.failed);
		ASSERT_GE((unsigned int)CROWD, c.most);
		check_info(c.parent, nr_children, 0);
		for (n = closes ? 1 : 0; n < CROWD; n += closes ? 2 : 1)
			close(c.child[n]);
		check_info(c.parent, nr_children, 0);
		close(c.parent);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(races, children_are_counted_while_two_threads_cancel_them, 300)
{
	race_count(_metadata, self->dev, cancel_even, cancel_odd, count_children, 200, false);
}

TEST_F_TIMEOUT(races, children_are_counted_while_they_are_cancelled_and_closed, 300)
{
	race_count(_metadata, self->dev, close_even_backwards, cancel_odd, count_children, 200,
		   true);
}

/* Neither may count a child twice that goes with its parent and by itself. */
TEST_F_TIMEOUT(races, children_are_counted_while_their_parent_is_cancelled_too, 300)
{
	race_count(_metadata, self->dev, cancel_even, cancel_parent, NULL, 200, false);
}

TEST_F_TIMEOUT(races, children_are_counted_while_closed_under_a_cancelled_parent, 300)
{
	race_count(_metadata, self->dev, close_even_backwards, cancel_parent, NULL, 200, true);
}

static void churn(void *data)
{
	struct crowd *c = data;
	int fd[4], i, n;

	for (i = 0; i < CROWD; i++) {
		for (n = 0; n < 4; n++)
			fd[n] = ctx_new(c->parent);
		for (n = 0; n < 4; n++) {
			if (fd[n] < 0 || (i % 2 && ctx_cancel(fd[n], CAUSE, NULL) < 0))
				c->failed = true;
			close(fd[n]);
		}
	}
}

/* The parent stays alive, so that every count that is lost adds up. */
TEST_F_TIMEOUT(races, children_are_counted_while_two_threads_make_and_close_them, 300)
{
	struct crowd c = { .parent = ctx_new(self->dev) };
	struct race race;
	unsigned int i;

	ASSERT_LE(0, c.parent);
	ASSERT_TRUE(race_start(&race, &c, churn, churn, count_children));
	for (i = 0; i < rounds(200); i++) {
		ASSERT_TRUE(race_round(&race));
		ASSERT_FALSE(c.failed);
		ASSERT_GE(8U, c.most);
		check_info(c.parent, nr_children, 0);
		check_info(c.parent, err, 0);
	}
	race_stop(&race);
	close(c.parent);
}

TEST_HARNESS_MAIN
