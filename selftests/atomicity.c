// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guarantees 1, 4 and 5 as those see them who look on: a cancellation comes for
 * a whole subtree at one instant, for no one before its ancestors, and is final.
 *
 * The observers share a flag. It says that one of them has seen any of the
 * contexts cancelled, and from then on each of them must see all so.
 */
#include "ctx_selftest.h"
#include "race.h"

#include <sys/resource.h>

#define CAUSE		84
#define TREE		60
#define LOOKS		24	/* of each observer after the flag */

/* Contexts of which each has an earlier one for its parent. */
struct tree {
	int		nr;
	int		top;		/* the one that is cancelled */
	int		owner;		/* its writable descriptor, where that is another */
	int		waited;		/* by an intruder, below one of them */
	int		*fd;
	int		*parent;
	__u64		*id;
	struct expiry	x;
};

static int new_nonblock(int parent)
{
	return ctx_create(parent, &(struct ctx_create_args){ .fd_flags = CTX_NONBLOCK });
}

/* Whether the context is seen cancelled, by one means or another. */
static bool look(int fd, unsigned int how)
{
	struct ctx_event event;
	struct ctx_info info;

	switch (how % 3) {
	case 0:
		return ctx_poll(fd, 0) & POLLIN;
	case 1:
		return read(fd, &event, sizeof(event)) == sizeof(event);
	default:
		return !ctx_info(fd, &info) && info.err;
	}
}

struct sight {
	struct tree	*tree;
	unsigned int	seen;		/* the flag */
	unsigned int	wrong;		/* how often somebody saw what must not be */
	unsigned int	next;		/* a number for each observer in each round */
};

static void is_wrong(struct sight *s)
{
	__atomic_add_fetch(&s->wrong, 1, __ATOMIC_RELAXED);
}

static void observe_tree(struct sight *s, __u32 *random)
{
	struct tree *t = s->tree;
	int span = t->nr - t->top, i;

	while (!__atomic_load_n(&s->seen, __ATOMIC_ACQUIRE) &&
	       !look(t->fd[t->top + race_random(random) % span], race_random(random)))
		;
	__atomic_store_n(&s->seen, 1, __ATOMIC_RELEASE);
	for (i = 0; i < LOOKS; i++)
		if (!look(t->fd[t->top + race_random(random) % span], race_random(random)))
			is_wrong(s);
}

static void observe(void *data)
{
	struct sight *s = data;
	__u32 random = __atomic_add_fetch(&s->next, 1, __ATOMIC_ACQ_REL) * 2654435761U;

	observe_tree(s, &random);
}

FIXTURE(atomic) {
	int		dev;
	struct sight	sight;
	struct tree	tree;
	int		fd[TREE];
	int		parent[TREE];
	__u64		id[TREE];
	struct race	race;
};

FIXTURE_SETUP(atomic)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->tree = (struct tree){
		.nr = TREE, .fd = self->fd, .parent = self->parent, .id = self->id,
		.x = { .random = 1234567, .ahead = expiry_ahead() },
	};
	self->sight.tree = &self->tree;
}

FIXTURE_TEARDOWN(atomic)
{
	close(self->dev);
}

/* Plants a random tree, in which the top has all others below it. */
static bool tree_plant(struct tree *t, int dev)
{
	int i;

	for (i = 0; i < t->nr; i++) {
		/* Of the last eight, which makes it deep as well as wide. */
		t->parent[i] = i ? i - 1 - (int)(race_random(&t->x.random) % (i < 8 ? i : 8)) : -1;
		t->fd[i] = new_nonblock(i ? t->fd[t->parent[i]] : dev);
		t->id[i] = ctx_id(t->fd[i]);
		if (!t->id[i])
			return false;
	}
	return true;
}

static void tree_fell(struct tree *t)
{
	int i;

	for (i = 0; i < t->nr; i++)
		close(t->fd[i]);
}

static void cancel_top(void *data)
{
	struct tree *t = ((struct sight *)data)->tree;

	ctx_cancel(t->fd[t->top], CAUSE, "the top");
}

static void expire_top(void *data)
{
	struct tree *t = ((struct sight *)data)->tree;

	ctx_set_timeout(t->fd[t->top], 10000 + race_random(&t->x.random) % 30000);
}

static void expire_top_at_once(void *data)
{
	struct tree *t = ((struct sight *)data)->tree;

	ctx_set_deadline(t->fd[t->top], CLOCK_BOOTTIME, 1);
}

static void close_top(void *data)
{
	close(((struct sight *)data)->tree->owner);
}

static void race_tree(struct __test_metadata *_metadata, FIXTURE_DATA(atomic) *self,
		      racer_fn *cancel, racer_fn *observer, unsigned int observers,
		      unsigned int turns)
{
	struct tree *t = &self->tree;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &self->sight, cancel, observer,
			       observers > 1 ? observer : NULL));
	for (i = 0; i < rounds(turns); i++) {
		ASSERT_TRUE(tree_plant(t, self->dev));
		if (cancel == close_top) {
			t->owner = t->fd[0];
			t->fd[0] = ctx_watch(t->owner, CTX_NONBLOCK);
		}
		self->sight.seen = 0;
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(0, self->sight.wrong);
		tree_fell(t);
	}
	race_stop(&self->race);
}

TEST_F_TIMEOUT(atomic, cancel_is_seen_everywhere_at_once, 300)
{
	race_tree(_metadata, self, cancel_top, observe, 1, 200);
}

TEST_F_TIMEOUT(atomic, cancel_is_seen_everywhere_at_once_by_two_observers, 300)
{
	race_tree(_metadata, self, cancel_top, observe, 2, 200);
}

TEST_F_TIMEOUT(atomic, expiry_is_seen_everywhere_at_once, 300)
{
	race_tree(_metadata, self, expire_top, observe, 1, 150);
}

TEST_F_TIMEOUT(atomic, expiry_on_setting_is_seen_everywhere_at_once, 300)
{
	race_tree(_metadata, self, expire_top_at_once, observe, 1, 150);
}

TEST_F_TIMEOUT(atomic, release_is_seen_everywhere_at_once, 300)
{
	race_tree(_metadata, self, close_top, observe, 2, 150);
}

/* Who was woken from sleep has seen it, too. */
static void observe_asleep(void *data)
{
	struct sight *s = data;
	struct tree *t = s->tree;
	__u32 random = __atomic_add_fetch(&s->next, 1, __ATOMIC_ACQ_REL) * 2654435761U;
	int i;

	if (!(ctx_poll(t->fd[race_random(&random) % t->nr], CTX_WAIT_MS) & POLLIN))
		is_wrong(s);
	for (i = 0; i < LOOKS; i++)
		if (!look(t->fd[race_random(&random) % t->nr], race_random(&random)))
			is_wrong(s);
}

TEST_F_TIMEOUT(atomic, whoever_is_woken_sees_all_others_cancelled, 300)
{
	race_tree(_metadata, self, cancel_top, observe_asleep, 2, 200);
}

TEST_F_TIMEOUT(atomic, whoever_is_woken_by_an_expiry_sees_all_others_cancelled, 300)
{
	race_tree(_metadata, self, expire_top, observe_asleep, 2, 150);
}

/* A child is never seen so before its parent, nor by another origin. */
static void observe_upwards(void *data)
{
	struct sight *s = data;
	struct tree *t = s->tree;
	__u32 random = __atomic_add_fetch(&s->next, 1, __ATOMIC_ACQ_REL) * 2654435761U;
	struct ctx_info info;
	int i;

	do {
		i = race_random(&random) % t->nr;
		ctx_info(t->fd[i], &info);
		if (!info.err)
			continue;
		for (; i > 0; i = t->parent[i]) {
			ctx_info(t->fd[t->parent[i]], &info);
			if (info.err != ECANCELED || info.origin_id != t->id[0])
				is_wrong(s);
		}
	} while (!info.err);
}

TEST_F_TIMEOUT(atomic, parent_is_seen_cancelled_before_its_child, 300)
{
	race_tree(_metadata, self, cancel_top, observe_upwards, 2, 250);
}

/* Whatever is asked of any of them is answered as of a cancelled context. */
static void observe_answer(struct sight *s, int at)
{
	struct tree *t = s->tree;
	struct ctx_info info;
	int fd;

	if (!ctx_set_timeout(t->fd[at], HOUR))
		is_wrong(s);
	ctx_info(t->fd[at], &info);
	if (info.nr_children)
		is_wrong(s);
	fd = ctx_new(t->fd[at]);
	ctx_info(fd, &info);
	if (info.origin_id != t->id[0])
		is_wrong(s);
	close(fd);
}

static void observe_answers(void *data)
{
	struct sight *s = data;
	struct tree *t = s->tree;
	__u32 random = __atomic_add_fetch(&s->next, 1, __ATOMIC_ACQ_REL) * 2654435761U;
	int i;

	while (!look(t->fd[race_random(&random) % t->nr], race_random(&random)))
		;
	for (i = 0; i < LOOKS / 3; i++) {
		if (ctx_cancel(t->fd[race_random(&random) % t->nr], CAUSE + 1, "late") != 1)
			is_wrong(s);
		observe_answer(s, race_random(&random) % t->nr);
	}
}

TEST_F_TIMEOUT(atomic, no_call_is_answered_as_alive_once_one_is_seen_cancelled, 300)
{
	race_tree(_metadata, self, cancel_top, observe_answers, 1, 250);
}

/*
 * The one who is woken first looks at those who are not yet, in the middle of the
 * walk. One way to ask for each: an answer may make the context what it should
 * have been.
 */
static void intrude_with_looks(void *data)
{
	struct sight *s = data;
	int i;

	for (i = s->tree->nr; i--;)
		if (!look(s->tree->fd[i], i + s->next))
			is_wrong(s);
	s->next++;
}

static void intrude_with_cancels(void *data)
{
	struct sight *s = data;
	int i;

	for (i = s->tree->nr; i--;)
		if (ctx_cancel(s->tree->fd[i], CAUSE + 1, "late") != 1)
			is_wrong(s);
}

static void intrude_with_calls(void *data)
{
	struct sight *s = data;
	int i;

	for (i = s->tree->nr; i--;)
		observe_answer(s, i);
}

static void race_intruder(struct __test_metadata *_metadata, FIXTURE_DATA(atomic) *self,
			  racer_fn *cancel, racer_fn *intrude, unsigned int turns)
{
	struct tree *t = &self->tree;
	struct intruder in;
	unsigned int i;

	for (i = 0; i < rounds(turns); i++) {
		ASSERT_TRUE(tree_plant(t, self->dev));
		if (cancel == close_top) {
			t->owner = t->fd[0];
			t->fd[0] = ctx_watch(t->owner, CTX_NONBLOCK);
		}
		/* It blocks on one of its own below any of them. */
		t->waited = ctx_new(t->fd[race_random(&t->x.random) % t->nr]);
		ASSERT_TRUE(intruder_start(&in, t->waited, intrude, &self->sight));
		cancel(&self->sight);
		ASSERT_TRUE(intruder_join(&in));
		ASSERT_EQ(0, self->sight.wrong);
		close(t->waited);
		tree_fell(t);
	}
}

TEST_F_TIMEOUT(atomic, first_to_be_woken_sees_all_others_cancelled, 300)
{
	race_intruder(_metadata, self, cancel_top, intrude_with_looks, 100);
}

TEST_F_TIMEOUT(atomic, first_to_be_woken_cancels_none_of_the_others, 300)
{
	race_intruder(_metadata, self, cancel_top, intrude_with_cancels, 100);
}

TEST_F_TIMEOUT(atomic, first_to_be_woken_gets_no_answer_as_of_the_living, 300)
{
	race_intruder(_metadata, self, cancel_top, intrude_with_calls, 100);
}

TEST_F_TIMEOUT(atomic, first_to_be_woken_by_a_release_sees_all_others_cancelled, 300)
{
	race_intruder(_metadata, self, close_top, intrude_with_looks, 60);
}

TEST_F_TIMEOUT(atomic, first_to_be_woken_by_an_expiry_cancels_none_of_the_others, 300)
{
	race_intruder(_metadata, self, expire_top, intrude_with_cancels, 60);
}

/* The observers are processes of their own, and share no more than the flag. */
TEST_F_TIMEOUT(atomic, cancel_is_seen_everywhere_at_once_by_other_processes, 300)
{
	struct tree *t = &self->tree;
	unsigned int i, k;

	for (i = 0; i < rounds(40); i++) {
		struct gate *gate = gate_new();
		struct sight *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		pid_t pid[3];

		ASSERT_TRUE(gate && s != MAP_FAILED);
		s->tree = t;
		ASSERT_TRUE(tree_plant(t, self->dev));
		for (k = 0; k < 3; k++) {
			__u32 random = 3 * i + k + 1;

			pid[k] = ctx_fork();
			ASSERT_LE(0, pid[k]);
			if (pid[k])
				continue;
			gate_pass(gate, &random);
			observe_tree(s, &random);
			_exit(s->wrong != 0);
		}
		EXPECT_TRUE(gate_open(gate, 3));
		spin_randomly(&t->x.random);
		EXPECT_EQ(0, ctx_cancel(t->fd[0], CAUSE, NULL));
		for (k = 0; k < 3; k++)
			EXPECT_EQ(0, race_reap(pid[k]));
		ASSERT_TRUE(_metadata->passed);
		tree_fell(t);
		munmap(s, sizeof(*s));
		gate_free(gate);
	}
}

/*
 * A thousand deep. It is cancelled from the end upwards, a part at a time, so
 * that one line serves many rounds; what is above a part must stay alive.
 */
#define DEEP		1000
#define PART		40

TEST_F_TIMEOUT(atomic, cancel_is_seen_at_once_at_every_depth, 300)
{
	static int fd[DEEP], parent[DEEP];
	static __u64 id[DEEP];
	struct tree line = { .nr = DEEP, .fd = fd, .parent = parent, .id = id };
	struct rlimit limit = { .rlim_cur = DEEP + 100, .rlim_max = DEEP + 100 };
	unsigned int i;
	int n;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	self->sight.tree = &line;
	ASSERT_TRUE(race_start(&self->race, &self->sight, cancel_top, observe, observe));
	for (i = 0; i < rounds(5); i++) {
		for (n = 0; n < DEEP; n++)
			fd[n] = new_nonblock(n ? fd[n - 1] : self->dev);
		ASSERT_LE(0, fd[DEEP - 1]);
		line.nr = DEEP;
		for (line.top = DEEP - PART; line.top >= 0; line.top -= PART) {
			self->sight.seen = 0;
			ASSERT_TRUE(race_round(&self->race));
			ASSERT_EQ(0, self->sight.wrong);
			if (line.top)
				check_alive(fd[line.top - 1]);
			check_info(fd[line.nr - 1], origin_id, ctx_id(fd[line.top]));
			ASSERT_TRUE(_metadata->passed);
			line.nr = line.top;
		}
		for (n = 0; n < DEEP; n++)
			close(fd[n]);
	}
	race_stop(&self->race);
}

/*
 * Two cancellations that overlap, as they are seen from below and from above.
 */
struct overlap {
	int		root, middle, leaf;
	__u64		root_id, middle_id;
	unsigned int	wrong;
};

static void overlap_root(void *data)
{
	ctx_cancel(((struct overlap *)data)->root, CAUSE, NULL);
}

static void overlap_middle(void *data)
{
	ctx_cancel(((struct overlap *)data)->middle, CAUSE + 1, NULL);
}

static void overlap_observe(void *data)
{
	struct overlap *o = data;
	struct ctx_info root, middle, leaf;
	unsigned int turn = 0;

	do {
		if (++turn % 2) {
			ctx_info(o->leaf, &leaf);
			ctx_info(o->middle, &middle);
			ctx_info(o->root, &root);
			/* The leaf by the middle's origin, and the middle by the root's. */
			if ((leaf.err && leaf.origin_id != middle.origin_id) ||
			    (middle.origin_id == o->root_id && !root.err))
				o->wrong++;
		} else {
			ctx_info(o->root, &root);
			ctx_info(o->middle, &middle);
			ctx_info(o->leaf, &leaf);
			if ((root.err && !middle.err) ||
			    (middle.err && leaf.origin_id != middle.origin_id))
				o->wrong++;
		}
	} while (!root.err);
}

TEST_F_TIMEOUT(atomic, overlapping_cancels_are_seen_in_one_order, 300)
{
	struct overlap o = { };
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &o, overlap_root, overlap_observe, overlap_middle));
	for (i = 0; i < rounds(500); i++) {
		o.root = ctx_new(self->dev);
		o.middle = ctx_new(o.root);
		o.leaf = ctx_new(o.middle);
		o.root_id = ctx_id(o.root);
		ASSERT_TRUE(o.root_id);
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(0, o.wrong);
		close(o.leaf);
		close(o.middle);
		close(o.root);
	}
	race_stop(&self->race);
}

/*
 * What was seen stays so: every look at a context is compared with the first one
 * at which it was cancelled, and is whole from that first one on.
 */
#define RECORDS		12

struct record {
	int		fd[RECORDS];
	unsigned int	next;
	unsigned int	wrong;
	struct expiry	x;
};

/* Messages of different lengths, each of one letter that tells the cause. */
static void record_cancel_one(struct record *r, int at, unsigned int who)
{
	char message[CTX_MESSAGE_MAX + 1] = { };

	memset(message, 'a' + who, who ? CTX_MESSAGE_MAX : 40);
	ctx_cancel(r->fd[at], CAUSE + who, message);
}

static void record_cancel(void *data)
{
	struct record *r = data;
	unsigned int me = __atomic_fetch_add(&r->next, 1, __ATOMIC_ACQ_REL) % 2;

	record_cancel_one(r, me ? 0 : RECORDS / 2, me);
}

static bool record_is_whole(const struct ctx_info *info)
{
	unsigned int who = info->cause - CAUSE, len = who ? CTX_MESSAGE_MAX : 40, i;

	if (!info->err)
		return !info->cause && !info->origin_id && !info->cancelled_at &&
		       !info->message_len && !info->message[0];
	if (!info->origin_id || !info->cancelled_at)
		return false;
	if (info->err == ETIMEDOUT)
		return info->cause == ETIMEDOUT && !info->message_len && !info->message[0];
	if (who > 1 || info->err != ECANCELED || info->message_len != len)
		return false;
	for (i = 0; i < CTX_MESSAGE_MAX; i++)
		if (info->message[i] != (i < len ? 'a' + (char)who : 0))
			return false;
	return true;
}

static void record_observe(void *data)
{
	struct record *r = data;
	struct ctx_info first[RECORDS] = { }, info;
	int seen = 0, i, again = 0;

	/* Once more over all of them after the last was seen cancelled. */
	for (i = 0; again <= RECORDS; i = (i + 1) % RECORDS) {
		ctx_info(r->fd[i], &info);
		/* An ancestor may still have been given another deadline. */
		first[i].deadline = info.deadline;
		if (!record_is_whole(&info) ||
		    (first[i].err && memcmp(&first[i], &info, sizeof(info))))
			r->wrong++;
		if (info.err && !first[i].err) {
			first[i] = info;
			seen++;
		}
		again += seen == RECORDS;
	}
}

static void race_record(struct __test_metadata *_metadata, FIXTURE_DATA(atomic) *self,
			racer_fn *first, racer_fn *second, unsigned int turns)
{
	struct record r = { .x = self->tree.x };
	unsigned int i;
	int n;

	ASSERT_TRUE(race_start(&self->race, &r, first, record_observe, second));
	for (i = 0; i < rounds(turns); i++) {
		for (n = 0; n < RECORDS; n++)
			r.fd[n] = ctx_new(n ? r.fd[n - 1] : self->dev);
		ASSERT_LE(0, r.fd[RECORDS - 1]);
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(0, r.wrong);
		for (n = 0; n < RECORDS; n++)
			close(r.fd[n]);
	}
	race_stop(&self->race);
}

TEST_F_TIMEOUT(atomic, record_of_a_cancellation_is_whole_and_final, 300)
{
	race_record(_metadata, self, record_cancel, record_cancel, 300);
}

/*
 * The root's deadline interrupts one who cancels what is below it: after the look
 * at the ancestors, say, and before the cancellation itself. Whoever looked on
 * from another processor in that moment must not see the origin change.
 */
static void record_expire(void *data)
{
	struct record *r = data;
	int n;

	ctx_set_timeout(r->fd[0], race_random(&r->x.random) % r->x.ahead);
	for (n = RECORDS - 1; n; n--)
		record_cancel_one(r, n, 0);
}

TEST_F_TIMEOUT(atomic, record_is_final_when_a_deadline_interrupts_a_cancel, 300)
{
	race_record(_metadata, self, record_expire, NULL, 2500);
}

TEST_HARNESS_MAIN
