// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines that strike while their context is cancelled, closed or given
 * children, and deadlines that strike together.
 */
#include "ctx_selftest.h"
#include "race.h"

#define CAUSE		83

FIXTURE(strike) {
	int		dev;
	struct expiry	x;
	struct race	race;
};

FIXTURE_SETUP(strike)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->x.random = 141421356;
	self->x.ahead = expiry_ahead();
}

FIXTURE_TEARDOWN(strike)
{
	close(self->dev);
}

/* One of the two it was, to the last detail, and with it the child's. */
TEST_F_TIMEOUT(strike, against_a_cancel_has_one_winner, 300)
{
	unsigned int i;

	ASSERT_TRUE(expiry_begin(&self->x));
	for (i = 0; i < rounds(600); i++) {
		int child, ret;

		ASSERT_TRUE(expiry_set(&self->x, self->dev));
		child = ctx_new(self->x.fd);
		ASSERT_LE(0, child);
		expiry_approach(&self->x);
		ret = ctx_cancel(self->x.fd, CAUSE, NULL);
		ASSERT_LE(0, ret);
		check_cancelled(self->x.fd, ret ? ETIMEDOUT : ECANCELED, ret ? ETIMEDOUT : CAUSE,
				self->x.id);
		check_cancelled(child, ret ? ETIMEDOUT : ECANCELED, ret ? ETIMEDOUT : CAUSE,
				self->x.id);
		ASSERT_TRUE(_metadata->passed);
		close(child);
		close(self->x.fd);
	}
	expiry_end(&self->x);
}

TEST_F_TIMEOUT(strike, against_the_close_of_the_owner_has_one_winner, 300)
{
	unsigned int i;

	ASSERT_TRUE(expiry_begin(&self->x));
	for (i = 0; i < rounds(600); i++) {
		struct ctx_info info;
		int watch;

		ASSERT_TRUE(expiry_set(&self->x, self->dev));
		watch = ctx_watch(self->x.fd, 0);
		ASSERT_LE(0, watch);
		expiry_approach(&self->x);
		close(self->x.fd);
		ASSERT_EQ(0, ctx_info(watch, &info));
		if (info.err == ETIMEDOUT)
			check_cancelled(watch, ETIMEDOUT, ETIMEDOUT, self->x.id);
		else
			check_cancelled(watch, ECANCELED, EOWNERDEAD, self->x.id);
		ASSERT_TRUE(_metadata->passed);
		close(watch);
	}
	expiry_end(&self->x);
}

/* The last reference goes while the timer has its hands on the context. */
TEST_F_TIMEOUT(strike, on_a_context_that_is_freed, 300)
{
	unsigned int i;
	int parent, child;

	ASSERT_TRUE(expiry_begin(&self->x));
	for (i = 0; i < rounds(1000); i++) {
		parent = ctx_new(self->dev);
		ASSERT_TRUE(expiry_set(&self->x, i % 2 ? parent : self->dev));
		/* In some rounds it has work for the walk that follows the timer. */
		child = i % 4 < 2 ? ctx_new(self->x.fd) : -1;
		if (child >= 0 && i % 8 < 4)
			close(child);
		expiry_approach(&self->x);
		close(self->x.fd);
		if (child >= 0 && i % 8 >= 4)
			close(child);
		close(parent);
	}
	expiry_end(&self->x);
}

TEST_F_TIMEOUT(strike, against_the_creation_of_a_child, 300)
{
	unsigned int i;

	ASSERT_TRUE(expiry_begin(&self->x));
	for (i = 0; i < rounds(600); i++) {
		int child;

		ASSERT_TRUE(expiry_set(&self->x, self->dev));
		expiry_approach(&self->x);
		child = ctx_new(self->x.fd);
		check_becomes_cancelled(child, ETIMEDOUT, ETIMEDOUT, self->x.id);
		check_info(self->x.fd, nr_children, 0);
		ASSERT_TRUE(_metadata->passed);
		close(child);
		close(self->x.fd);
	}
	expiry_end(&self->x);
}

/* The child has its parent's deadline, whatever becomes of that meanwhile. */
TEST_F_TIMEOUT(strike, against_the_creation_of_descendants_with_deadlines, 300)
{
	unsigned int i, n;

	ASSERT_TRUE(expiry_begin(&self->x));
	for (i = 0; i < rounds(400); i++) {
		__u64 origin = 0;
		int fd[4];

		ASSERT_TRUE(expiry_set(&self->x, self->dev));
		expiry_approach(&self->x);
		for (n = 0; n < 4; n++) {
			fd[n] = ctx_new_deadline(n ? fd[n - 1] : self->x.fd, CLOCK_MONOTONIC,
						 self->x.when + 1000 * n);
			ASSERT_LE(0, fd[n]);
		}
		check_becomes_cancelled(self->x.fd, ETIMEDOUT, ETIMEDOUT, self->x.id);
		origin = self->x.id;
		for (n = 0; n < 4; n++) {
			struct ctx_info info;

			ASSERT_TRUE(ctx_poll(fd[n], CTX_WAIT_MS) & POLLIN);
			ASSERT_EQ(0, ctx_info(fd[n], &info));
			ASSERT_EQ(ETIMEDOUT, info.err);
			/* It came by itself or as its parent did. */
			ASSERT_TRUE(info.origin_id == info.id || info.origin_id == origin);
			origin = info.origin_id;
		}
		for (n = 0; n < 4; n++)
			close(fd[n]);
		close(self->x.fd);
		ASSERT_TRUE(_metadata->passed);
	}
	expiry_end(&self->x);
}

/* An ancestor is cancelled while the descendant's own deadline strikes. */
TEST_F_TIMEOUT(strike, against_a_cancel_of_an_ancestor, 300)
{
	unsigned int i;

	ASSERT_TRUE(expiry_begin(&self->x));
	for (i = 0; i < rounds(500); i++) {
		struct ctx_info info, leaf_info;
		int root = ctx_new(self->dev), middle = ctx_new(root), leaf;

		ASSERT_TRUE(expiry_set(&self->x, middle));
		leaf = ctx_new(self->x.fd);
		ASSERT_LE(0, leaf);
		expiry_approach(&self->x);
		ASSERT_EQ(0, ctx_cancel(root, CAUSE, NULL));
		ASSERT_EQ(0, ctx_info(self->x.fd, &info));
		if (info.err == ETIMEDOUT)
			check_cancelled(self->x.fd, ETIMEDOUT, ETIMEDOUT, self->x.id);
		else
			check_cancelled(self->x.fd, ECANCELED, CAUSE, ctx_id(root));
		ASSERT_EQ(0, ctx_info(leaf, &leaf_info));
		ASSERT_EQ(info.origin_id, leaf_info.origin_id);
		check_cancelled(middle, ECANCELED, CAUSE, ctx_id(root));
		check_info(root, nr_children, 0);
		ASSERT_TRUE(_metadata->passed);
		close(leaf);
		close(self->x.fd);
		close(middle);
		close(root);
	}
	expiry_end(&self->x);
}

/* A descendant is cancelled while an ancestor's deadline strikes. */
TEST_F_TIMEOUT(strike, on_an_ancestor_against_a_cancel, 300)
{
	unsigned int i;

	ASSERT_TRUE(expiry_begin(&self->x));
	for (i = 0; i < rounds(500); i++) {
		struct ctx_info leaf_info;
		int middle, leaf, ret;
		__u64 origin;

		ASSERT_TRUE(expiry_set(&self->x, self->dev));
		middle = ctx_new(self->x.fd);
		leaf = ctx_new(middle);
		ASSERT_LE(0, leaf);
		expiry_approach(&self->x);
		ret = ctx_cancel(middle, CAUSE, NULL);
		ASSERT_LE(0, ret);
		origin = ret ? self->x.id : ctx_id(middle);
		check_cancelled(middle, ret ? ETIMEDOUT : ECANCELED, ret ? ETIMEDOUT : CAUSE,
				origin);
		ASSERT_EQ(0, ctx_info(leaf, &leaf_info));
		ASSERT_EQ(origin, leaf_info.origin_id);
		check_becomes_cancelled(self->x.fd, ETIMEDOUT, ETIMEDOUT, self->x.id);
		ASSERT_TRUE(_metadata->passed);
		close(leaf);
		close(middle);
		close(self->x.fd);
	}
	expiry_end(&self->x);
}

/*
 * Many deadlines at one instant, in a line: each context is cancelled by its own
 * or as its parent was, and never while that is alive.
 */
#define LINE		16

TEST_F_TIMEOUT(strike, at_one_instant_along_a_line, 300)
{
	unsigned int i, n;

	for (i = 0; i < rounds(250); i++) {
		__u64 when = ctx_clock(CLOCK_MONOTONIC) + 8 * self->x.ahead, origin = 0;
		int fd[LINE];

		for (n = 0; n < LINE; n++) {
			fd[n] = ctx_new_deadline(n ? fd[n - 1] : self->dev, CLOCK_MONOTONIC, when);
			ASSERT_LE(0, fd[n]);
		}
		/* From the end, to find the one at the end as early as it can be. */
		for (n = LINE; n--;)
			ASSERT_TRUE(ctx_poll(fd[n], CTX_WAIT_MS) & POLLIN);
		for (n = 0; n < LINE; n++) {
			struct ctx_info info;

			ASSERT_TRUE(ctx_poll(fd[n], CTX_WAIT_MS) & POLLIN);
			ASSERT_EQ(0, ctx_info(fd[n], &info));
			ASSERT_EQ(ETIMEDOUT, info.err);
			ASSERT_EQ(ETIMEDOUT, info.cause);
			ASSERT_LE(when, info.cancelled_at);
			ASSERT_TRUE(info.origin_id == info.id || info.origin_id == origin);
			origin = info.origin_id;
		}
		for (n = 0; n < LINE; n++)
			close(fd[n]);
	}
}

/* Many at one instant, side by side, each with a child that waits. */
#define CROWD		300

TEST_F_TIMEOUT(strike, at_one_instant_on_many_with_children, 300)
{
	unsigned int i, n;

	for (i = 0; i < rounds(8); i++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLET }, all[CROWD];
		__u64 when = ctx_clock(CLOCK_MONOTONIC) + 40 * NSEC_PER_MSEC;
		int root = ctx_new(self->dev), ep = epoll_create1(EPOLL_CLOEXEC);
		int parent[CROWD], child[CROWD], woken = 0, got;

		for (n = 0; n < CROWD; n++) {
			parent[n] = ctx_new_deadline(root, CLOCK_MONOTONIC, when);
			child[n] = ctx_new(parent[n]);
			ASSERT_LE(0, child[n]);
			ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, child[n], &event));
		}
		while (woken < CROWD) {
			got = epoll_wait(ep, all, CROWD, CTX_WAIT_MS);
			ASSERT_LT(0, got);
			woken += got;
		}
		ASSERT_EQ(CROWD, woken);
		for (n = 0; n < CROWD; n++)
			check_cancelled(child[n], ETIMEDOUT, ETIMEDOUT, ctx_id(parent[n]));
		check_info(root, nr_children, 0);
		check_alive(root);
		ASSERT_TRUE(_metadata->passed);
		for (n = 0; n < CROWD; n++) {
			close(child[n]);
			close(parent[n]);
		}
		close(ep);
		close(root);
	}
}

/* The process is killed just when its deadlines strike. */
TEST_F_TIMEOUT(strike, against_sigkill_of_the_owner, 300)
{
	unsigned int i;

	for (i = 0; i < rounds(80); i++) {
		struct gate *gate = gate_new();
		struct ctx_info info;
		int fd, watch, n;
		pid_t pid;

		ASSERT_TRUE(gate);
		fd = ctx_new(self->dev);
		watch = ctx_watch(fd, 0);
		ASSERT_LE(0, watch);
		pid = ctx_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			ctx_set_timeout(fd, self->x.ahead + 5000 * (i % 8));
			for (n = 0; n < 8; n++)
				ctx_new_timeout(fd, self->x.ahead + 5000 * n);
			__atomic_add_fetch(&gate->ready, 1, __ATOMIC_ACQ_REL);
			for (;;)
				pause();
		}
		close(fd);
		EXPECT_TRUE(gate_open(gate, 1));
		spin_randomly(&self->x.random);
		kill(pid, SIGKILL);
		EXPECT_EQ(128 + SIGKILL, race_reap(pid));
		ASSERT_EQ(0, ctx_info(watch, &info));
		if (info.err == ETIMEDOUT)
			check_cancelled(watch, ETIMEDOUT, ETIMEDOUT, info.id);
		else
			check_cancelled(watch, ECANCELED, EOWNERDEAD, info.id);
		ASSERT_TRUE(_metadata->passed);
		close(watch);
		gate_free(gate);
	}
}

/* The parent's deadline becomes earlier while it gets a child. */
struct tighten {
	int	parent;
	int	child;
	int	ret;
	__u64	when;
};

static void tighten_parent(void *data)
{
	struct tighten *t = data;

	t->ret = ctx_set_deadline(t->parent, CLOCK_MONOTONIC, t->when);
}

static void tighten_create(void *data)
{
	struct tighten *t = data;

	t->child = ctx_new_timeout(t->parent, 2 * HOUR);
}

TEST_F_TIMEOUT(strike, is_inherited_by_a_child_created_while_it_is_set, 300)
{
	struct tighten t;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &t, tighten_parent, tighten_create));
	for (i = 0; i < rounds(600); i++) {
		bool soon = i % 4 == 0;

		t = (struct tighten){ .parent = ctx_new(self->dev) };
		ASSERT_LE(0, t.parent);
		t.when = ctx_clock(CLOCK_MONOTONIC) + (soon ? self->x.ahead : HOUR);
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(0, t.ret);
		ASSERT_LE(0, t.child);
		if (soon)
			check_becomes_cancelled(t.child, ETIMEDOUT, ETIMEDOUT, ctx_id(t.parent));
		else
			check_info(t.child, deadline, t.when);
		ASSERT_TRUE(_metadata->passed);
		close(t.child);
		close(t.parent);
	}
	race_stop(&self->race);
}

TEST_HARNESS_MAIN
