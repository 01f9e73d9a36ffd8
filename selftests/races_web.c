// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races in graphs of contexts with further parents, some of which meet again.
 */
#include "ctx_features.h"
#include "race.h"

#define CAUSE		81
#define CANCELS		3

FIXTURE(races_web) {
	int dev;
};

FIXTURE_SETUP(races_web)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(races_web)
{
	close(self->dev);
}

#define WEB	24	/* contexts of a web, of which the first three are roots */

/* Each context but the roots is below one to three of those before it. */
struct web {
	int		fd[WEB];
	__u64		id[WEB];
	int		parents[WEB][3];
	int		nr_parents[WEB];
	int		at[CANCELS];	/* what the racers cancel */
	int		ret[CANCELS];
	unsigned int	next;
	int		made[3][8];	/* by those who create meanwhile */
};

static bool web_make(struct web *w, int dev, __u32 *random)
{
	int i, p, fds[3];

	memset(w, 0, sizeof(*w));
	for (i = 0; i < WEB; i++) {
		w->nr_parents[i] = i < 3 ? 0 : 1 + race_random(random) % 3;
		for (p = 0; p < w->nr_parents[i]; p++) {
			w->parents[i][p] = race_random(random) % i;
			fds[p] = w->fd[w->parents[i][p]];
		}
		if (!p)
			w->fd[i] = ctx_new(dev);
		else if (p == 1)
			w->fd[i] = ctx_new(fds[0]);
		else
			w->fd[i] = ctx_new_merged(fds[0], fds + 1, p - 1);
		w->id[i] = ctx_id(w->fd[i]);
		if (!w->id[i])
			return false;
	}
	return true;
}

static void web_cancel(void *data)
{
	struct web *w = data;
	unsigned int me = __atomic_fetch_add(&w->next, 1, __ATOMIC_ACQ_REL);

	w->ret[me] = ctx_cancel(w->fd[w->at[me]], CAUSE + me, NULL);
}

static void web_create(void *data)
{
	struct web *w = data;
	int i;

	/* Below the first of those that are cancelled, in three ways. */
	for (i = 0; i < 8; i++) {
		w->made[0][i] = ctx_new(w->fd[w->at[0]]);
		w->made[1][i] = ctx_new_merged2(w->fd[0], w->fd[w->at[0]]);
		w->made[2][i] = ctx_new_kept(w->fd[w->at[0]]);
	}
}

/*
 * Whoever was not cancelled by a call of its own got the cancellation of one of
 * its parents; and whoever has a cancelled parent is cancelled.
 */
static void check_web(struct __test_metadata *_metadata, struct web *w)
{
	struct ctx_info info[WEB];
	bool own, inherited, above;
	int i, p, s;

	for (i = 0; i < WEB; i++) {
		own = inherited = above = false;
		ASSERT_EQ(0, ctx_info(w->fd[i], &info[i]));
		for (s = 0; s < CANCELS; s++)
			own |= w->at[s] == i && w->ret[s] == 0;
		for (p = 0; p < w->nr_parents[i]; p++) {
			above |= info[w->parents[i][p]].err != 0;
			inherited |= info[i].err &&
				     info[i].origin_id == info[w->parents[i][p]].origin_id;
		}
		ASSERT_EQ(own || above, info[i].err != 0);
		ASSERT_TRUE(own ? info[i].origin_id == w->id[i] : above == inherited);
		ASSERT_EQ(info[i].err ? ECANCELED : 0, info[i].err);
	}
}

TEST_F_TIMEOUT(races_web, webs_cancelled_from_several_sides_while_they_grow_are_consistent, 300)
{
	struct race race;
	struct web w;
	__u32 random = 577215664;
	unsigned int i, j;

	ASSERT_TRUE(race_start(&race, &w, web_cancel, web_create, web_cancel, web_cancel));
	for (i = 0; i < rounds(150); i++) {
		ASSERT_TRUE(web_make(&w, self->dev, &random));
		for (j = 0; j < CANCELS; j++)
			w.at[j] = race_random(&random) % (WEB / 2);
		ASSERT_TRUE(race_round(&race));
		check_web(_metadata, &w);
		for (j = 0; j < 8; j++) {
			/* Both have a parent that was cancelled; the last is detached. */
			EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(w.made[0][j], 0));
			EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(w.made[1][j], 0));
			check_alive(w.made[2][j]);
			close(w.made[0][j]);
			close(w.made[1][j]);
		}
		check_info(w.fd[w.at[0]], nr_children, 8);
		for (j = 0; j < 8; j++)
			close(w.made[2][j]);
		check_info(w.fd[w.at[0]], nr_children, 0);
		ASSERT_TRUE(_metadata->passed);
		for (j = 0; j < WEB; j++)
			close(w.fd[j]);
	}
	race_stop(&race);
}

struct watcher {
	int		parent, merged, child;
	int		cancelled;
	unsigned int	wrong;
	char		text[8];
};

static void cancel_watched(void *data)
{
	struct watcher *w = data;

	w->cancelled = ctx_cancel(w->parent, CAUSE, NULL);
}

/* From below to above: whoever is seen cancelled has a cancelled parent. */
static void watch_and_look_up(void *data)
{
	struct watcher *w = data;
	struct ctx_info child, merged, parent, again;

	do {
		ctx_info(w->child, &child);
		ctx_info(w->merged, &merged);
		ctx_info(w->parent, &parent);
		ctx_info(w->child, &again);
		w->wrong += child.err && child.origin_id != merged.origin_id;
		w->wrong += merged.err && merged.origin_id != parent.origin_id;
		w->wrong += child.err && memcmp(&child, &again, sizeof(child));
		w->wrong += ctx_get_value(w->child, "key", w->text, sizeof(w->text)) != 5;
		w->wrong += memcmp(w->text, "value", 5) != 0;
	} while (!child.err && w->wrong == 0);
}

TEST_F_TIMEOUT(races_web, nobody_sees_a_merged_context_cancelled_before_its_parent, 300)
{
	struct watcher w = {};
	struct race race;
	unsigned int i;
	int first;

	ASSERT_TRUE(race_start(&race, &w, cancel_watched, watch_and_look_up));
	for (i = 0; i < rounds(400); i++) {
		first = ctx_new_value(self->dev, "key", "value");
		w.parent = ctx_new(self->dev);
		w.merged = ctx_new_merged2(first, w.parent);
		w.child = ctx_new(w.merged);
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(0, w.cancelled);
		ASSERT_EQ(0, w.wrong);
		close(w.child);
		close(w.merged);
		close(w.parent);
		close(first);
	}
	race_stop(&race);
}

/* The deadline of one parent comes while another is cancelled, and a merge is made. */
TEST_F_TIMEOUT(races_web, a_deadline_of_a_further_parent_against_cancel_and_merge, 300)
{
	struct ctx_info info;
	struct expiry x;
	int other, merged, late;
	unsigned int i;
	__u64 id;

	ASSERT_TRUE(expiry_begin(&x));
	for (i = 0; i < rounds(200); i++) {
		other = ctx_new(self->dev);
		ASSERT_TRUE(expiry_set(&x, self->dev));
		merged = ctx_new_merged2(other, x.fd);
		ASSERT_LE(0, merged);
		id = ctx_id(other);
		expiry_approach(&x);
		if (i % 2)
			ASSERT_EQ(0, ctx_cancel(other, CAUSE, NULL));
		late = ctx_new_merged2(self->dev, x.fd);
		ASSERT_EQ(POLLIN | POLLRDNORM, ctx_poll(merged, CTX_WAIT_MS));
		ASSERT_EQ(0, ctx_info(merged, &info));
		ASSERT_TRUE(info.origin_id == x.id || info.origin_id == id);
		ASSERT_EQ(info.origin_id == x.id ? ETIMEDOUT : ECANCELED, info.err);
		check_becomes_cancelled(late, ETIMEDOUT, ETIMEDOUT, x.id);
		ASSERT_TRUE(_metadata->passed);
		close(late);
		close(merged);
		close(x.fd);
		close(other);
	}
	expiry_end(&x);
}

#define DEPTH	300

struct ends {
	int		fd[2];
	int		ret[2];
};

static void cancel_first_end(void *data)
{
	struct ends *e = data;

	e->ret[0] = ctx_cancel(e->fd[0], CAUSE, NULL);
}

static void cancel_second_end(void *data)
{
	struct ends *e = data;

	e->ret[1] = ctx_cancel(e->fd[1], CAUSE + 1, NULL);
}

TEST_F_TIMEOUT(races_web, long_chains_of_merges_are_cancelled_from_both_ends, 300)
{
	struct ctx_info first, info;
	struct ends e;
	struct race race;
	int chain[DEPTH];
	unsigned int i, j;

	ASSERT_TRUE(race_start(&race, &e, cancel_first_end, cancel_second_end));
	for (i = 0; i < rounds(20); i++) {
		e.fd[0] = ctx_new(self->dev);
		e.fd[1] = ctx_new(self->dev);
		for (j = 0; j < DEPTH; j++) {
			chain[j] = j ? ctx_new_merged2(chain[j - 1], e.fd[1]) :
				       ctx_new_merged2(e.fd[1], e.fd[0]);
			ASSERT_LE(0, chain[j]);
		}
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(0, e.ret[0]);
		ASSERT_EQ(0, e.ret[1]);
		ASSERT_EQ(0, ctx_info(chain[0], &first));
		for (j = 0; j < DEPTH; j++) {
			/* Each has its parent's, or that of the one it is merged with. */
			ASSERT_EQ(0, ctx_info(chain[j], &info));
			ASSERT_EQ(ECANCELED, info.err);
			ASSERT_TRUE(info.origin_id == first.origin_id ||
				    info.origin_id == ctx_id(e.fd[1]));
		}
		while (j--)
			close(chain[j]);
		close(e.fd[1]);
		close(e.fd[0]);
	}
	race_stop(&race);
}

TEST_HARNESS_MAIN
