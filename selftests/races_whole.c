// SPDX-License-Identifier: GPL-2.0-only
/*
 * Complete: when a cancel or a close returns, everyone below has been woken,
 * also where another cancellation of part of that subtree is still under way.
 *
 * Whether a context polls readable tells nothing about that: it does from the
 * instant at which it is cancelled. But the ready list of an epoll set is filled
 * by wake-ups alone, so epoll_wait() without a timeout tells who was woken.
 */
#include "ctx_selftest.h"
#include "race.h"

#define CAUSE		79
#define MIDDLES		4
#define LEAVES		24
#define MEMBERS		(1 + MIDDLES * (1 + LEAVES))

/* A root, its children, and theirs. */
struct grove {
	int	root;
	int	middle[MIDDLES];
	int	leaf[MIDDLES][LEAVES];
};

static bool grove_plant(struct grove *g, int dev)
{
	int m, l;

	g->root = ctx_new(dev);
	for (m = 0; m < MIDDLES; m++) {
		g->middle[m] = ctx_new(g->root);
		for (l = 0; l < LEAVES; l++) {
			g->leaf[m][l] = ctx_new(g->middle[m]);
			if (g->leaf[m][l] < 0)
				return false;
		}
	}
	return true;
}

/* Descriptors that the test has closed are -1. */
static void grove_fell(struct grove *g)
{
	int m, l;

	for (m = 0; m < MIDDLES; m++) {
		for (l = 0; l < LEAVES; l++)
			if (g->leaf[m][l] >= 0)
				close(g->leaf[m][l]);
		if (g->middle[m] >= 0)
			close(g->middle[m]);
	}
	if (g->root >= 0)
		close(g->root);
}

/* An epoll set of a subtree, and what the one who cancels that found in it. */
struct claim {
	int	fd;		/* what is cancelled, or closed */
	int	ret;
	int	ep;
	int	members;
	int	woken;
};

static bool claim_add(struct claim *c, int fd)
{
	/* By edge: nothing but the wake-up itself puts it on the ready list. */
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	c->members++;
	return !epoll_ctl(c->ep, EPOLL_CTL_ADD, fd, &event);
}

/* Claims @g->middle[@m] and what is below it, and closes the set before that. */
static bool claim_middle(struct claim *c, const struct grove *g, int m)
{
	bool added = true;
	int l;

	for (l = 0; l < LEAVES; l++)
		added &= claim_add(c, g->leaf[m][l]);
	return added & claim_add(c, g->middle[m]);
}

static bool claim_open(struct claim *c, int fd)
{
	*c = (struct claim){ .fd = fd, .ep = epoll_create1(EPOLL_CLOEXEC) };
	return c->ep >= 0;
}

static bool claim_root(struct claim *c, const struct grove *g)
{
	bool added = claim_add(c, g->root);
	int m;

	for (m = 0; m < MIDDLES; m++)
		added &= claim_middle(c, g, m);
	return added;
}

static void claim_count(struct claim *c)
{
	struct epoll_event event[MEMBERS];

	c->woken = epoll_wait(c->ep, event, MEMBERS, 0);
}

static void claim_cancel(void *data)
{
	struct claim *c = data;

	c->ret = ctx_cancel(c->fd, CAUSE, NULL);
	claim_count(c);
}

/* Where @fd was not a watch, its own entry goes with it. */
static void claim_close(void *data)
{
	struct claim *c = data;

	c->ret = close(c->fd);
	claim_count(c);
}

static void claim_set_past(void *data)
{
	struct claim *c = data;

	c->ret = ctx_set_deadline(c->fd, CLOCK_MONOTONIC, 1);
	claim_count(c);
}

FIXTURE(whole) {
	int		dev;
	struct grove	grove;
	struct claim	root;		/* the whole grove */
	struct claim	middle;		/* a part of it */
	struct race	race;
};

FIXTURE_SETUP(whole)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(whole)
{
	close(self->dev);
}

/*
 * Race @run_root on the root against @run_middle on a descendant. @closed is the
 * number of members which leave the sets because their descriptor is closed.
 */
static void race_claims(struct __test_metadata *_metadata, FIXTURE_DATA(whole) *self,
			racer_fn *run_root, racer_fn *run_middle, unsigned int turns)
{
	bool closes_root = run_root == claim_close;
	bool closes_middle = run_middle == claim_close;
	struct grove *g = &self->grove;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, NULL, run_root, run_middle));
	race_data(&self->race, 0, &self->root);
	race_data(&self->race, 1, &self->middle);
	for (i = 0; i < rounds(turns); i++) {
		/* The walk comes to one part early and to another late. */
		int m = i % MIDDLES;

		ASSERT_TRUE(grove_plant(g, self->dev));
		ASSERT_TRUE(claim_open(&self->root, g->root));
		ASSERT_TRUE(claim_root(&self->root, g));
		ASSERT_TRUE(claim_open(&self->middle, g->middle[m]));
		ASSERT_TRUE(claim_middle(&self->middle, g, m));
		ASSERT_TRUE(race_round(&self->race));
		/*
		 * A descriptor that either side closed left both sets; whether
		 * before or after the other side counted cannot be told.
		 */
		ASSERT_EQ(0, self->root.ret);
		ASSERT_LE(0, self->middle.ret);
		ASSERT_LE(MEMBERS - closes_root - closes_middle, self->root.woken);
		ASSERT_LE(self->middle.members - closes_middle, self->middle.woken);
		if (closes_root)
			g->root = -1;
		if (closes_middle)
			g->middle[m] = -1;
		close(self->root.ep);
		close(self->middle.ep);
		grove_fell(g);
	}
	race_stop(&self->race);
}

TEST_F_TIMEOUT(whole, all_are_woken_before_each_of_two_overlapping_cancels_returns, 300)
{
	race_claims(_metadata, self, claim_cancel, claim_cancel, 120);
}

TEST_F_TIMEOUT(whole, all_are_woken_before_a_close_during_a_cancel_returns, 300)
{
	race_claims(_metadata, self, claim_cancel, claim_close, 100);
}

TEST_F_TIMEOUT(whole, all_are_woken_before_a_close_of_an_ancestor_returns, 300)
{
	race_claims(_metadata, self, claim_close, claim_cancel, 100);
}

TEST_F_TIMEOUT(whole, all_are_woken_before_each_of_two_overlapping_closes_returns, 300)
{
	race_claims(_metadata, self, claim_close, claim_close, 100);
}

/* A deadline that has passed cancels within the call that sets it. */
static void claim_set_past_late(void *data)
{
	struct claim *c = data;

	claim_set_past(c);
	/* It was cancelled, and who cancelled it does not owe us the wake-ups. */
	if (c->ret < 0) {
		c->ret = 0;
		c->woken = c->members;
	}
}

TEST_F_TIMEOUT(whole, all_are_woken_before_a_cancel_during_an_expiry_returns, 300)
{
	race_claims(_metadata, self, claim_cancel, claim_set_past_late, 100);
}

/* The same context twice: the loser returns 1, and may rely on it as well. */
TEST_F_TIMEOUT(whole, all_are_woken_before_a_cancel_that_came_second_returns, 300)
{
	struct grove *g = &self->grove;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, NULL, claim_cancel, claim_cancel));
	race_data(&self->race, 0, &self->root);
	race_data(&self->race, 1, &self->middle);
	for (i = 0; i < rounds(120); i++) {
		ASSERT_TRUE(grove_plant(g, self->dev));
		ASSERT_TRUE(claim_open(&self->root, g->root));
		ASSERT_TRUE(claim_root(&self->root, g));
		ASSERT_TRUE(claim_open(&self->middle, g->root));
		ASSERT_TRUE(claim_root(&self->middle, g));
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(1, self->root.ret + self->middle.ret);
		ASSERT_EQ(MEMBERS, self->root.woken);
		ASSERT_EQ(MEMBERS, self->middle.woken);
		close(self->root.ep);
		close(self->middle.ep);
		grove_fell(g);
	}
	race_stop(&self->race);
}

/*
 * A timer cancels @timed and whoever comes after it, with CANCEL or the close of
 * the root's last writable descriptor, finds that walk not begun, under way or
 * done.
 */
static void race_timer(struct __test_metadata *_metadata, FIXTURE_DATA(whole) *self,
		       const int *timed, racer_fn *run, unsigned int turns)
{
	struct grove *g = &self->grove;
	bool closes = run == claim_close;
	__u32 random = 4711;
	unsigned int i;

	for (i = 0; i < rounds(turns); i++) {
		__u64 deadline;

		ASSERT_TRUE(grove_plant(g, self->dev));
		ASSERT_TRUE(claim_open(&self->root, g->root));
		ASSERT_TRUE(claim_root(&self->root, g));
		deadline = ctx_clock(CLOCK_MONOTONIC) + 100000;
		ASSERT_EQ(0, ctx_set_deadline(*timed, CLOCK_MONOTONIC, deadline));
		/* From a little before to a little after the timer. */
		deadline += race_random(&random) % 100000;
		while (ctx_clock(CLOCK_MONOTONIC) < deadline - 50000)
			;
		run(&self->root);
		ASSERT_LE(0, self->root.ret);
		ASSERT_EQ(MEMBERS - closes, self->root.woken);
		if (closes)
			g->root = -1;
		close(self->root.ep);
		grove_fell(g);
	}
}

TEST_F_TIMEOUT(whole, all_are_woken_before_a_cancel_after_the_deadline_returns, 300)
{
	race_timer(_metadata, self, &self->grove.root, claim_cancel, 120);
}

TEST_F_TIMEOUT(whole, all_are_woken_before_a_close_after_the_deadline_returns, 300)
{
	race_timer(_metadata, self, &self->grove.root, claim_close, 120);
}

/* The part that expires is only a part, and may be the first or the last. */
TEST_F_TIMEOUT(whole, all_are_woken_before_a_cancel_after_a_descendants_deadline_returns, 300)
{
	race_timer(_metadata, self, &self->grove.middle[0], claim_cancel, 60);
	race_timer(_metadata, self, &self->grove.middle[MIDDLES - 1], claim_cancel, 60);
}

/* Members that are closed while the walk comes to them must not end it. */
struct felling {
	struct claim	claim;
	struct grove	*grove;
	int		m;
};

static void fell_middle(void *data)
{
	struct felling *f = data;
	int l;

	close(f->grove->middle[f->m]);
	f->grove->middle[f->m] = -1;
	for (l = 0; l < LEAVES; l += 2) {
		close(f->grove->leaf[f->m][l]);
		f->grove->leaf[f->m][l] = -1;
	}
}

static void fell_cancel(void *data)
{
	claim_cancel(&((struct felling *)data)->claim);
}

TEST_F_TIMEOUT(whole, all_others_are_woken_while_some_are_closed, 300)
{
	struct felling f = { .grove = &self->grove };
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &f, fell_cancel, fell_middle));
	for (i = 0; i < rounds(120); i++) {
		f.m = i % MIDDLES;
		ASSERT_TRUE(grove_plant(f.grove, self->dev));
		ASSERT_TRUE(claim_open(&f.claim, f.grove->root));
		ASSERT_TRUE(claim_root(&f.claim, f.grove));
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(0, f.claim.ret);
		ASSERT_LE(MEMBERS - 1 - LEAVES / 2, f.claim.woken);
		close(f.claim.ep);
		grove_fell(f.grove);
	}
	race_stop(&self->race);
}

/*
 * In the middle of the walk one of those whom it wakes takes the processor, and
 * cancels a part, or the whole, once more. That call comes second, finds most of
 * the work not done, and may not leave it to the one it has interrupted.
 */
static void race_intruder(struct __test_metadata *_metadata, FIXTURE_DATA(whole) *self,
			  bool whole, bool closes, unsigned int turns)
{
	struct grove *g = &self->grove;
	__u32 random = 27182;
	unsigned int i;

	for (i = 0; i < rounds(turns); i++) {
		struct claim *c = whole ? &self->root : &self->middle;
		int m = race_random(&random) % MIDDLES, at = race_random(&random) % MIDDLES;
		struct intruder in;

		ASSERT_TRUE(grove_plant(g, self->dev));
		ASSERT_TRUE(claim_open(&self->root, g->root));
		ASSERT_TRUE(claim_root(&self->root, g));
		ASSERT_TRUE(claim_open(&self->middle, g->middle[m]));
		ASSERT_TRUE(claim_middle(&self->middle, g, m));
		ASSERT_TRUE(intruder_start(&in, g->leaf[at][race_random(&random) % LEAVES],
					   closes ? claim_close : claim_cancel, c));
		ASSERT_EQ(0, ctx_cancel(g->root, CAUSE, NULL));
		ASSERT_TRUE(intruder_join(&in));
		ASSERT_EQ(closes ? 0 : 1, c->ret);
		ASSERT_EQ(c->members - closes, c->woken);
		if (closes)
			g->middle[m] = -1;
		close(self->root.ep);
		close(self->middle.ep);
		grove_fell(g);
	}
}

TEST_F_TIMEOUT(whole, all_are_woken_before_a_cancel_in_the_middle_of_another_returns, 300)
{
	race_intruder(_metadata, self, true, false, 60);
}

TEST_F_TIMEOUT(whole, part_is_woken_before_its_cancel_in_the_middle_of_another_returns, 300)
{
	race_intruder(_metadata, self, false, false, 100);
}

TEST_F_TIMEOUT(whole, part_is_woken_before_its_close_in_the_middle_of_a_cancel_returns, 300)
{
	race_intruder(_metadata, self, false, true, 100);
}

/* A line in which three cancel at once, each with a set of what is below. */
#define DEEP		120

TEST_F_TIMEOUT(whole, all_are_woken_before_three_cancels_of_a_deep_line_return, 300)
{
	__u32 random = 31415;
	struct claim claim[3];
	unsigned int i, k;
	int fd[DEEP], n;

	ASSERT_TRUE(race_start(&self->race, NULL, claim_cancel, claim_cancel,
			       claim_cancel));
	for (k = 0; k < 3; k++)
		race_data(&self->race, k, &claim[k]);
	for (i = 0; i < rounds(80); i++) {
		for (n = 0; n < DEEP; n++)
			fd[n] = ctx_new(n ? fd[n - 1] : self->dev);
		ASSERT_LE(0, fd[DEEP - 1]);
		for (k = 0; k < 3; k++) {
			int at = race_random(&random) % DEEP;

			ASSERT_TRUE(claim_open(&claim[k], fd[at]));
			/* MEMBERS is what claim_count() has room for. */
			for (n = DEEP - 1; n >= at && claim[k].members < MEMBERS; n--)
				ASSERT_TRUE(claim_add(&claim[k], fd[n]));
		}
		ASSERT_TRUE(race_round(&self->race));
		for (k = 0; k < 3; k++) {
			ASSERT_LE(0, claim[k].ret);
			ASSERT_EQ(claim[k].members, claim[k].woken);
			close(claim[k].ep);
		}
		for (n = 0; n < DEEP; n++)
			close(fd[n]);
	}
	race_stop(&self->race);
}

/*
 * The waiters are in other processes. Each tells what its set held once the
 * canceller's call had returned.
 */
TEST_F_TIMEOUT(whole, waiters_in_other_processes_are_woken_before_a_cancel_returns, 300)
{
	unsigned int i, k;

	for (i = 0; i < rounds(25); i++) {
		struct gate *returned = gate_new(), *ready = gate_new();
		struct grove *g = &self->grove;
		pid_t pid[3];

		ASSERT_TRUE(returned && ready);
		ASSERT_TRUE(grove_plant(g, self->dev));
		for (k = 0; k < 3; k++) {
			pid[k] = ctx_fork();
			ASSERT_LE(0, pid[k]);
			if (pid[k])
				continue;
			if (!claim_open(&self->root, g->root) || !claim_root(&self->root, g))
				_exit(2);
			__atomic_add_fetch(&ready->ready, 1, __ATOMIC_ACQ_REL);
			if (!spin_until(&returned->go, 1))
				_exit(3);
			claim_count(&self->root);
			_exit(self->root.woken != MEMBERS);
		}
		EXPECT_TRUE(gate_open(ready, 3));
		EXPECT_EQ(0, ctx_cancel(g->root, CAUSE, NULL));
		gate_open(returned, 0);
		for (k = 0; k < 3; k++)
			EXPECT_EQ(0, race_reap(pid[k]));
		ASSERT_TRUE(_metadata->passed);
		gate_free(returned);
		gate_free(ready);
		grove_fell(g);
	}
}

TEST_HARNESS_MAIN
