// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of contexts: in any order, many at once, while their neighbours are
 * cancelled. What goes wrong here shows less in a check than in the kernel log:
 * as a use after free, a corrupted list, or a context that is left over when the
 * module is removed.
 */
#include "ctx_selftest.h"
#include "race.h"

#include <sys/resource.h>

#define CAUSE		81
#define DEEP		1000

FIXTURE(free) {
	int		dev;
	struct race	race;
};

FIXTURE_SETUP(free)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(free)
{
	close(self->dev);
}

/* A line of @nr contexts, each below the one before. */
static bool line_make(int *fd, int nr, int dev, __u32 flags)
{
	int i;

	for (i = 0; i < nr; i++) {
		fd[i] = ctx_create(i ? fd[i - 1] : dev, &(struct ctx_create_args){
			.flags = flags,
		});
		if (fd[i] < 0)
			return false;
	}
	return true;
}

static bool raise_nofile(rlim_t nr)
{
	struct rlimit limit = { .rlim_cur = nr, .rlim_max = nr };

	return !setrlimit(RLIMIT_NOFILE, &limit);
}

TEST_F_TIMEOUT(free, descendant_works_when_all_ancestors_are_closed, 300)
{
	unsigned int i;
	int fd[DEEP];

	ASSERT_TRUE(raise_nofile(DEEP + 100));
	for (i = 0; i < rounds(5); i++) {
		__u64 parent;
		int n;

		ASSERT_TRUE(line_make(fd, DEEP, self->dev, CTX_CREATE_DETACHED));
		parent = ctx_id(fd[DEEP - 2]);
		for (n = 0; n < DEEP - 1; n++)
			close(fd[n]);
		check_alive(fd[DEEP - 1]);
		check_info(fd[DEEP - 1], parent_id, parent);
		check_info(fd[DEEP - 1], depth, DEEP - 1);
		ASSERT_EQ(0, ctx_cancel(fd[DEEP - 1], CAUSE, NULL));
		check_cancelled(fd[DEEP - 1], ECANCELED, CAUSE, ctx_id(fd[DEEP - 1]));
		ASSERT_TRUE(_metadata->passed);
		/* This frees a thousand contexts, which recursion would not survive. */
		close(fd[DEEP - 1]);
	}
}

TEST_F_TIMEOUT(free, watch_of_the_last_keeps_its_ancestors, 300)
{
	unsigned int i;
	int fd[DEEP];

	ASSERT_TRUE(raise_nofile(DEEP + 100));
	for (i = 0; i < rounds(5); i++) {
		int watch, n;
		__u64 origin;

		ASSERT_TRUE(line_make(fd, DEEP, self->dev, 0));
		watch = ctx_watch(fd[DEEP - 1], 0);
		ASSERT_LE(0, watch);
		/* The root's release is what cancels it. */
		origin = ctx_id(fd[0]);
		for (n = 0; n < DEEP; n++)
			close(fd[n]);
		check_cancelled(watch, ECANCELED, EOWNERDEAD, origin);
		ASSERT_TRUE(_metadata->passed);
		close(watch);
	}
}

/* A line that one closes from the root down and another from the end up. */
struct line {
	int	*fd;
	int	nr;
	int	root;		/* another descriptor of the first */
};

static void close_downwards(void *data)
{
	struct line *l = data;
	int n;

	for (n = 0; n < l->nr; n += 2)
		close(l->fd[n]);
}

static void close_upwards(void *data)
{
	struct line *l = data;
	int n;

	for (n = l->nr - 1; n >= 0; n -= 2)
		close(l->fd[n]);
}

static void cancel_first(void *data)
{
	ctx_cancel(((struct line *)data)->root, CAUSE, NULL);
}

static void race_line(struct __test_metadata *_metadata, FIXTURE_DATA(free) *self,
		      int nr, __u32 flags, racer_fn *third, unsigned int turns)
{
	int fd[DEEP];
	struct line l = { .fd = fd, .nr = nr };
	unsigned int i;

	ASSERT_TRUE(raise_nofile(DEEP + 100));
	ASSERT_TRUE(race_start(&self->race, &l, close_downwards, close_upwards, third));
	for (i = 0; i < rounds(turns); i++) {
		ASSERT_TRUE(line_make(fd, nr, self->dev, flags));
		l.root = dup(fd[0]);
		ASSERT_TRUE(race_round(&self->race));
		check_info(l.root, nr_children, 0);
		ASSERT_TRUE(_metadata->passed);
		close(l.root);
	}
	race_stop(&self->race);
}

TEST_F_TIMEOUT(free, line_closed_from_both_ends, 300)
{
	race_line(_metadata, self, DEEP, 0, NULL, 10);
}

TEST_F_TIMEOUT(free, detached_line_closed_from_both_ends, 300)
{
	race_line(_metadata, self, DEEP, CTX_CREATE_DETACHED, NULL, 10);
}

TEST_F_TIMEOUT(free, line_closed_from_both_ends_while_it_is_cancelled, 300)
{
	race_line(_metadata, self, 40, 0, cancel_first, 200);
}

TEST_F_TIMEOUT(free, detached_line_closed_from_both_ends_while_it_is_cancelled, 300)
{
	race_line(_metadata, self, 40, CTX_CREATE_DETACHED, cancel_first, 200);
}

/*
 * The two last children of a parent that has no descriptor left: whichever goes
 * last takes it along, and the line above.
 */
struct siblings {
	int left, right;
};

static void close_left(void *data)
{
	close(((struct siblings *)data)->left);
}

static void close_right(void *data)
{
	close(((struct siblings *)data)->right);
}

TEST_F_TIMEOUT(free, two_last_children_closed_at_once, 300)
{
	struct siblings s;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &s, close_left, close_right));
	for (i = 0; i < rounds(800); i++) {
		int fd[4], n;

		ASSERT_TRUE(line_make(fd, 4, self->dev, i % 2 ? CTX_CREATE_DETACHED : 0));
		s.left = ctx_new(fd[3]);
		s.right = ctx_new(fd[3]);
		ASSERT_LE(0, s.right);
		for (n = 0; n < 4; n++)
			close(fd[n]);
		ASSERT_TRUE(race_round(&self->race));
	}
	race_stop(&self->race);
}

/*
 * Threads that do to each other's contexts whatever there is to be done. A slot
 * holds a descriptor, and taking it out makes it the taker's, so that no call is
 * made on a number which has come to mean another file.
 */
#define SLOTS		48
#define STEPS		600

struct churn {
	int		root;
	unsigned int	next;
	unsigned int	failed;
	int		slot[SLOTS];
};

static int churn_take(struct churn *c, __u32 *random)
{
	return __atomic_exchange_n(&c->slot[race_random(random) % SLOTS], -1, __ATOMIC_ACQ_REL);
}

static void churn_put(struct churn *c, __u32 *random, int fd)
{
	int old = __atomic_exchange_n(&c->slot[race_random(random) % SLOTS], fd,
				      __ATOMIC_ACQ_REL);

	if (old >= 0)
		close(old);
}

static void churn_step(struct churn *c, __u32 *random)
{
	int fd = churn_take(c, random), new = -1;
	__u32 action = race_random(random) % 16;
	struct ctx_info info;

	switch (action) {
	case 0 ... 4:
		new = ctx_create(fd < 0 ? c->root : fd, &(struct ctx_create_args){
			.flags = action % 2 ? CTX_CREATE_DETACHED : 0,
		});
		break;
	case 5:
		new = ctx_new_timeout(fd < 0 ? c->root : fd, race_random(random) % 400000);
		break;
	case 6:
		new = ctx_watch(fd < 0 ? c->root : fd, 0);
		break;
	case 7 ... 8:
		if (fd >= 0)
			ctx_cancel(fd, CAUSE, "churn");
		break;
	case 9:
		if (fd >= 0)
			ctx_set_timeout(fd, race_random(random) % 400000);
		break;
	case 10:
		if (fd >= 0 && ctx_info(fd, &info))
			__atomic_add_fetch(&c->failed, 1, __ATOMIC_RELAXED);
		break;
	default:
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	if (action <= 6 && new < 0 && errno != ELOOP)
		__atomic_add_fetch(&c->failed, 1, __ATOMIC_RELAXED);
	if (new >= 0)
		churn_put(c, random, new);
	if (fd >= 0)
		churn_put(c, random, fd);
}

static void churn_run(void *data)
{
	struct churn *c = data;
	__u32 random = __atomic_add_fetch(&c->next, 1, __ATOMIC_ACQ_REL);
	int i;

	for (i = 0; i < STEPS; i++)
		churn_step(c, &random);
}

static void churn_cancel(void *data)
{
	struct churn *c = data;

	spin(100000);
	ctx_cancel(c->root, CAUSE, NULL);
}

/* Whatever is left is cancelled with the root, and then closed. */
static void churn_end(struct __test_metadata *_metadata, struct churn *c)
{
	int i;

	ASSERT_EQ(0, c->failed);
	ASSERT_LE(0, ctx_cancel(c->root, CAUSE, NULL));
	for (i = 0; i < SLOTS; i++) {
		if (c->slot[i] < 0)
			continue;
		ASSERT_EQ(POLLIN | POLLRDNORM, ctx_poll(c->slot[i], 0));
		check_info(c->slot[i], nr_children, 0);
	}
	check_info(c->root, nr_children, 0);
	for (i = 0; i < SLOTS; i++)
		if (c->slot[i] >= 0)
			close(c->slot[i]);
	close(c->root);
	ASSERT_TRUE(_metadata->passed);
}

static bool churn_begin(struct churn *c, int dev)
{
	int i;

	c->root = ctx_new(dev);
	for (i = 0; i < SLOTS; i++)
		c->slot[i] = -1;
	return c->root >= 0;
}

TEST_F_TIMEOUT(free, any_order_by_three_threads, 300)
{
	struct churn c = { };
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &c, churn_run, churn_run, churn_run));
	for (i = 0; i < rounds(40); i++) {
		ASSERT_TRUE(churn_begin(&c, self->dev));
		ASSERT_TRUE(race_round(&self->race));
		churn_end(_metadata, &c);
	}
	race_stop(&self->race);
}

TEST_F_TIMEOUT(free, any_order_by_two_threads_while_the_root_is_cancelled, 300)
{
	struct churn c = { };
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &c, churn_run, churn_run, churn_cancel));
	for (i = 0; i < rounds(60); i++) {
		ASSERT_TRUE(churn_begin(&c, self->dev));
		ASSERT_TRUE(race_round(&self->race));
		churn_end(_metadata, &c);
	}
	race_stop(&self->race);
}

/* Each process has the descriptors it inherits, of contexts that all share. */
TEST_F_TIMEOUT(free, any_order_by_three_processes, 300)
{
	struct churn c = { };
	unsigned int i, k;
	__u32 random = 1;
	int n;

	for (i = 0; i < rounds(15); i++) {
		struct gate *gate = gate_new();
		pid_t pid[3];

		ASSERT_TRUE(gate);
		ASSERT_TRUE(churn_begin(&c, self->dev));
		for (n = 0; n < 100; n++)
			churn_step(&c, &random);
		for (k = 0; k < 3; k++) {
			__u32 other = 3 * i + k + 1;

			pid[k] = ctx_fork();
			ASSERT_LE(0, pid[k]);
			if (pid[k])
				continue;
			gate_pass(gate, &other);
			for (n = 0; n < STEPS; n++)
				churn_step(&c, &other);
			/* What it still has goes with its exit. */
			_exit(c.failed != 0);
		}
		EXPECT_TRUE(gate_open(gate, 3));
		for (k = 0; k < 3; k++)
			EXPECT_EQ(0, race_reap(pid[k]));
		churn_end(_metadata, &c);
		gate_free(gate);
	}
}

TEST_HARNESS_MAIN
