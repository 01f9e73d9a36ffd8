// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests of Go's context package check, where it has a meaning here. A
 * descriptor is the Context, CTX_IOC_CANCEL its CancelFunc, poll its Done(), INFO
 * its Err(), Cause() and Deadline(), and GET_VALUE its Value().
 */
#include "ctx_features.h"
#include "race.h"

FIXTURE(go_context) {
	int dev;
};

FIXTURE_SETUP(go_context)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(go_context)
{
	close(self->dev);
}

TEST_F(go_context, the_background_is_never_done)
{
	struct ctx_info info;

	check_alive(self->dev);
	ASSERT_EQ(0, ctx_info(self->dev, &info));
	EXPECT_EQ(0, info.deadline);
	check_no_value(self->dev, "any");
}

TEST_F(go_context, cancel_finishes_a_context_and_what_derives_from_it)
{
	int c1 = ctx_new(self->dev), watch = ctx_watch(c1, 0), c2 = ctx_new(watch);
	int all[] = { c1, watch, c2 };
	unsigned int i;

	for (i = 0; i < ctx_array_size(all); i++)
		check_alive(all[i]);
	EXPECT_EQ(0, ctx_cancel(c1, 0, NULL));
	for (i = 0; i < ctx_array_size(all); i++)
		check_cancelled(all[i], ECANCELED, ECANCELED, ctx_id(c1));
}

TEST_F(go_context, a_parent_finishes_children_of_every_kind)
{
	int parent = ctx_new(self->dev);
	int cancel_child = ctx_new(parent);
	int value_child = ctx_new_value(parent, "key", "value");
	int timer_child = ctx_new_timeout(value_child, 10000 * HOUR);
	int all[] = { parent, cancel_child, value_child, timer_child };
	unsigned int i;

	for (i = 0; i < ctx_array_size(all); i++)
		check_alive(all[i]);
	check_info(parent, nr_children, 2);
	check_info(value_child, nr_children, 1);
	EXPECT_EQ(0, ctx_cancel(parent, 0, NULL));
	for (i = 0; i < ctx_array_size(all); i++) {
		check_cancelled(all[i], ECANCELED, ECANCELED, ctx_id(parent));
		check_info(all[i], nr_children, 0);
	}
	/* Derived from what is finished is finished. */
	check_cancelled(ctx_new_value(parent, "key", "value"), ECANCELED, ECANCELED,
			ctx_id(parent));
}

TEST_F(go_context, a_child_that_finishes_first_leaves_its_parent_alone)
{
	int parents[] = { self->dev, ctx_new(self->dev) }, child, i;

	for (i = 0; i < 2; i++) {
		child = ctx_new(parents[i]);
		check_info(parents[i], nr_children, i);
		EXPECT_EQ(0, ctx_cancel(child, 0, NULL));
		check_info(parents[i], nr_children, 0);
		check_cancelled(child, ECANCELED, ECANCELED, ctx_id(child));
		check_alive(parents[i]);
	}
}

/* It ends by a deadline, that of @origin. */
#define check_expires(fd, origin)					\
	check_becomes_cancelled((fd), ETIMEDOUT, ETIMEDOUT, ctx_id(origin))

TEST_F(go_context, a_deadline_finishes_a_context)
{
	__u64 now = ctx_clock(CLOCK_MONOTONIC);
	int c = ctx_new_deadline(self->dev, CLOCK_MONOTONIC, now + 5 * NSEC_PER_MSEC), child;

	check_expires(c, c);
	c = ctx_new_deadline(self->dev, CLOCK_MONOTONIC, now - NSEC_PER_MSEC);
	check_cancelled(c, ETIMEDOUT, ETIMEDOUT, ctx_id(c));
	c = ctx_new_deadline(self->dev, CLOCK_MONOTONIC, ctx_clock(CLOCK_MONOTONIC));
	check_cancelled(c, ETIMEDOUT, ETIMEDOUT, ctx_id(c));
	/* The earlier of two counts, whichever is above. */
	c = ctx_new_timeout(self->dev, 5 * NSEC_PER_MSEC);
	child = ctx_new_timeout(c, 4 * HOUR);
	check_expires(child, c);
	c = ctx_new_timeout(self->dev, 4 * HOUR);
	child = ctx_new_timeout(c, 5 * NSEC_PER_MSEC);
	check_expires(child, child);
	check_alive(c);
}

TEST_F(go_context, a_deadline_is_inherited_and_never_extended)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + HOUR;
	int c = ctx_new_deadline(self->dev, CLOCK_MONOTONIC, when);

	check_info(ctx_new(c), deadline, when);
	check_info(ctx_new_deadline(c, CLOCK_MONOTONIC, when + HOUR), deadline, when);
	check_info(ctx_new_deadline(c, CLOCK_MONOTONIC, when - 1), deadline, when - 1);
	check_info(ctx_new_value(c, "key", "value"), deadline, when);
}

TEST_F(go_context, a_timeout_that_was_cancelled_before_is_cancelled)
{
	int c = ctx_new_timeout(ctx_new_timeout(self->dev, HOUR), 2 * HOUR);

	EXPECT_EQ(0, ctx_cancel(c, 0, NULL));
	check_cancelled(c, ECANCELED, ECANCELED, ctx_id(c));
	/* And stays so when its time has come. */
	c = ctx_new_timeout(self->dev, 20 * NSEC_PER_MSEC);
	if (!ctx_cancel(c, EIO, NULL)) {
		int later = ctx_new_timeout(self->dev, 40 * NSEC_PER_MSEC);

		check_expires(later, later);
		check_cancelled(c, ECANCELED, EIO, ctx_id(c));
	}
}

TEST_F(go_context, values_are_those_of_the_nearest_that_set_the_key)
{
	struct ctx_value none = ctx_value_of("k1", NULL, 0);
	int c1 = ctx_new_value(self->dev, "k1", "c1k1");
	int c2 = ctx_new_value(c1, "k2", "c2k2");
	int c3 = ctx_new_value(c2, "k3", "c3k3");
	int c4 = ctx_new_values(c3, &none, 1);
	int o4 = ctx_watch(c4, 0), c5 = ctx_new_value(o4, "k3", "");

	check_value(c1, "k1", "c1k1");
	check_no_value(c1, "k2");
	check_no_value(c1, "k3");
	check_value(c2, "k1", "c1k1");
	check_value(c2, "k2", "c2k2");
	check_no_value(c2, "k3");
	check_value(c3, "k1", "c1k1");
	check_value(c3, "k2", "c2k2");
	check_value(c3, "k3", "c3k3");
	check_value(c4, "k1", "");
	check_value(o4, "k1", "");
	check_value(c4, "k2", "c2k2");
	check_value(o4, "k3", "c3k3");
	check_value(c5, "k1", "");
	check_value(c5, "k2", "c2k2");
	check_value(c5, "k3", "");
}

TEST_F(go_context, a_value_needs_a_key)
{
	check_errno(EINVAL, ctx_new_value(self->dev, "", "value"));
	check_errno(EFAULT, ctx_new_value(self->dev, NULL, ""));
}

TEST_F(go_context, nothing_derives_from_what_is_no_context)
{
	check_errno(EBADF, ctx_new(-1));
	check_errno(EBADF, ctx_new_timeout(-1, HOUR));
	check_errno(EBADF, ctx_new_value(-1, "key", "value"));
	check_errno(EBADF, ctx_new_kept(-1));
	check_errno(ENOTTY, ctx_new(open("/dev/null", O_RDWR)));
}

#define TREE	85	/* four below each of those above: 1 + 4 + 16 + 64 */

static void *cancel_thread(void *arg)
{
	return (void *)(long)ctx_cancel((int)(long)arg, 0, NULL);
}

TEST_F_TIMEOUT(go_context, simultaneous_cancels_of_a_whole_tree_all_return, 120)
{
	pthread_t thread[TREE];
	int fd[TREE], order[TREE], i, j, swap, turn;
	__u32 random = 20240817;

	for (turn = 0; turn < 5; turn++) {
		for (i = 0; i < TREE; i++) {
			fd[i] = ctx_new(i ? fd[(i - 1) / 4] : self->dev);
			ASSERT_LE(0, fd[i]);
			order[i] = i;
		}
		for (i = TREE - 1; i > 0; i--) {
			j = race_random(&random) % (i + 1);
			swap = order[i];
			order[i] = order[j];
			order[j] = swap;
		}
		for (i = 0; i < TREE; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, cancel_thread,
						    (void *)(long)fd[order[i]]));
		for (i = 0; i < TREE; i++)
			EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(fd[i], CTX_WAIT_MS));
		for (i = 0; i < TREE; i++)
			ASSERT_EQ(0, ctx_thread_join(thread[i]));
		for (i = 0; i < TREE; i++)
			close(fd[i]);
	}
}

TEST_F(go_context, interlocked_cancels_of_parent_and_child_return)
{
	pthread_t thread;
	int parent, child, i;

	for (i = 0; i < 50; i++) {
		parent = ctx_new(self->dev);
		child = ctx_new(parent);
		ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_thread,
					    (void *)(long)child));
		EXPECT_EQ(0, ctx_cancel(parent, 0, NULL));
		EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(child, 0));
		ASSERT_EQ(0, ctx_thread_join(thread));
		close(child);
		close(parent);
	}
}

#define LAYERS	40

/* A line of contexts, each of which has a value, a timeout or nothing of its own. */
struct layers {
	int		fd[LAYERS];
	bool		has_value[LAYERS];
	unsigned int	nr_timers;
};

static void layers_make(struct __test_metadata *_metadata, struct layers *layers, int parent,
			__u32 *random, __u64 timeout)
{
	char key[16];
	int i, nr_merged = 0;

	memset(layers, 0, sizeof(*layers));
	for (i = 0; i < LAYERS; i++, parent = layers->fd[i - 1]) {
		snprintf(key, sizeof(key), "layer%d", i);
		/* The last makes sure that there is a timer. */
		switch (i == LAYERS - 1 ? 2 : race_random(random) % 4) {
		case 0:
			layers->fd[i] = ctx_new_value(parent, key, key);
			layers->has_value[i] = true;
			break;
		case 1:
			layers->fd[i] = ctx_new(parent);
			break;
		case 2:
			layers->fd[i] = ctx_new_timeout(parent, timeout);
			layers->nr_timers++;
			break;
		case 3:
			/* Each doubles the ways up, which 1,024 may be. */
			layers->fd[i] = nr_merged++ < 10 ? ctx_new_merged2(parent, parent) :
							   ctx_new(parent);
			break;
		}
		ASSERT_LE(0, layers->fd[i]);
	}
}

static void layers_check_values(struct __test_metadata *_metadata, struct layers *layers)
{
	char key[16];
	int i;

	for (i = 0; i < LAYERS; i++) {
		snprintf(key, sizeof(key), "layer%d", i);
		if (layers->has_value[i])
			check_value(layers->fd[LAYERS - 1], key, key);
		else
			check_no_value(layers->fd[LAYERS - 1], key);
	}
}

static __u32 layers_seed(struct __test_metadata *_metadata)
{
	const char *env = getenv("CTX_SEED");
	__u32 seed = env ? strtoul(env, NULL, 0) : 0x60c0ffee;

	TH_LOG("CTX_SEED=%#x", seed);
	return seed;
}

TEST_F(go_context, a_cancel_at_a_random_layer_finishes_all_below)
{
	__u32 random = layers_seed(_metadata);
	struct layers layers;
	int turn, at, i;

	for (turn = 0; turn < 10; turn++) {
		layers_make(_metadata, &layers, self->dev, &random, HOUR);
		check_alive(layers.fd[LAYERS - 1]);
		layers_check_values(_metadata, &layers);
		at = race_random(&random) % LAYERS;
		EXPECT_EQ(0, ctx_cancel(layers.fd[at], 0, NULL));
		for (i = LAYERS - 1; i >= 0; i--) {
			if (i < at)
				check_alive(layers.fd[i]);
			else
				check_cancelled(layers.fd[i], ECANCELED, ECANCELED,
						ctx_id(layers.fd[at]));
		}
		layers_check_values(_metadata, &layers);
		for (i = LAYERS - 1; i >= 0; i--)
			close(layers.fd[i]);
	}
}

TEST_F(go_context, timeouts_at_random_layers_finish_all_below)
{
	__u32 random = layers_seed(_metadata);
	struct layers layers;
	struct ctx_info info;
	int turn, i;

	for (turn = 0; turn < 5; turn++) {
		layers_make(_metadata, &layers, self->dev, &random, 20 * NSEC_PER_MSEC);
		EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(layers.fd[LAYERS - 1], CTX_WAIT_MS));
		ASSERT_EQ(0, ctx_info(layers.fd[LAYERS - 1], &info));
		EXPECT_EQ(ETIMEDOUT, info.err);
		EXPECT_EQ(ETIMEDOUT, info.cause);
		layers_check_values(_metadata, &layers);
		for (i = LAYERS - 1; i >= 0; i--)
			close(layers.fd[i]);
	}
}

TEST_F(go_context, a_cancelled_child_is_no_longer_the_parents)
{
	int parent = ctx_new(self->dev), child = ctx_new(parent);

	check_info(parent, nr_children, 1);
	EXPECT_EQ(0, ctx_cancel(child, 0, NULL));
	check_info(parent, nr_children, 0);
	child = ctx_new_timeout(parent, HOUR);
	check_info(parent, nr_children, 1);
	EXPECT_EQ(0, ctx_cancel(child, 0, NULL));
	check_info(parent, nr_children, 0);
}

TEST_F(go_context, a_child_of_a_cancelled_parent_has_its_cause)
{
	int parent = ctx_new(self->dev), child;

	EXPECT_EQ(0, ctx_cancel(parent, 77, "because"));
	child = ctx_new(parent);
	check_cancelled(child, ECANCELED, 77, ctx_id(parent));
	check_message(child, "because");
	EXPECT_EQ(1, ctx_cancel(child, 78, "too late"));
	check_cancelled(child, ECANCELED, 77, ctx_id(parent));
	/* A deadline that has passed is not what ended it. */
	child = ctx_new_timeout(parent, 0);
	check_cancelled(child, ECANCELED, 77, ctx_id(parent));
}

TEST_F(go_context, the_cause_is_that_of_whoever_came_first)
{
	int parent = ctx_new(self->dev), child = ctx_new(parent);

	/* The parent first */
	EXPECT_EQ(0, ctx_cancel(parent, 1, NULL));
	EXPECT_EQ(1, ctx_cancel(child, 2, NULL));
	check_cancelled(child, ECANCELED, 1, ctx_id(parent));
	/* The child first */
	parent = ctx_new(self->dev);
	child = ctx_new(parent);
	EXPECT_EQ(0, ctx_cancel(child, 2, NULL));
	EXPECT_EQ(0, ctx_cancel(parent, 1, NULL));
	check_cancelled(child, ECANCELED, 2, ctx_id(child));
	check_cancelled(parent, ECANCELED, 1, ctx_id(parent));
	/* The timeout of the parent, before the child's cancel */
	parent = ctx_new_timeout(self->dev, 0);
	child = ctx_new(parent);
	EXPECT_EQ(1, ctx_cancel(child, 2, NULL));
	check_cancelled(child, ETIMEDOUT, ETIMEDOUT, ctx_id(parent));
	/* No cause at all is a plain cancellation. */
	child = ctx_new(self->dev);
	EXPECT_EQ(0, ctx_cancel(child, 0, NULL));
	check_cancelled(child, ECANCELED, ECANCELED, ctx_id(child));
}

TEST_F(go_context, the_cause_passes_through_contexts_of_every_kind)
{
	int top = ctx_new(self->dev), c = ctx_new(top);

	c = ctx_new_value(c, "key", "value");
	c = ctx_new_timeout(c, HOUR);
	c = ctx_new_merged2(self->dev, c);
	c = ctx_new(c);
	EXPECT_EQ(0, ctx_cancel(top, 77, NULL));
	check_cancelled(c, ECANCELED, 77, ctx_id(top));
	check_no_value(c, "key");
}

TEST_F(go_context, the_cause_of_a_merged_context_is_the_first_ones)
{
	int a = ctx_new(self->dev), b = ctx_new(self->dev), merged = ctx_new_merged2(a, b);

	EXPECT_EQ(0, ctx_cancel(b, 2, "b"));
	EXPECT_EQ(0, ctx_cancel(a, 1, "a"));
	check_cancelled(merged, ECANCELED, 2, ctx_id(b));
	check_message(merged, "b");
}

TEST_F(go_context, without_cancel_there_is_neither_cause_nor_deadline)
{
	int parent = ctx_new_timeout(ctx_new_value(self->dev, "key", "value"), HOUR);
	int kept = ctx_new_kept(parent);

	EXPECT_EQ(0, ctx_cancel(parent, 77, NULL));
	check_alive(kept);
	check_info(kept, deadline, 0);
	check_value(kept, "key", "value");
}

struct cause_race {
	int fd;
	__u32 err;
	__s32 cause;
};

static void race_cancel(void *data)
{
	ctx_cancel(((struct cause_race *)data)->fd, 77, NULL);
}

static void race_derive(void *data)
{
	struct cause_race *r = data;
	struct ctx_event event = {};
	int child = ctx_new(r->fd);

	if (ctx_poll(child, CTX_WAIT_MS) && read(child, &event, sizeof(event)) > 0) {
		r->err = event.err;
		r->cause = event.cause;
	}
	close(child);
}

static void race_ask(void *data)
{
	struct cause_race *r = data;
	struct ctx_info info;

	do {
		ctx_info(r->fd, &info);
	} while (!info.err);
	r->err = info.err;
	r->cause = info.cause;
}

/* Whoever @asks while the context is being cancelled gets the error and the cause. */
static void check_cause_races(struct __test_metadata *_metadata, int dev, racer_fn *asks)
{
	struct cause_race r;
	struct race race;
	unsigned int i;

	ASSERT_TRUE(race_start(&race, &r, race_cancel, asks));
	for (i = 0; i < rounds(300); i++) {
		r = (struct cause_race){ .fd = ctx_new(dev) };
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(ECANCELED, r.err);
		ASSERT_EQ(77, r.cause);
		close(r.fd);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(go_context, whoever_sees_the_error_sees_the_cause, 120)
{
	check_cause_races(_metadata, self->dev, race_ask);
}

TEST_F_TIMEOUT(go_context, a_child_of_a_parent_that_is_being_cancelled_has_its_cause, 120)
{
	check_cause_races(_metadata, self->dev, race_derive);
}

TEST_F(go_context, whoever_waits_in_another_thread_is_called_back_once)
{
	struct ctx_reader before, after;
	int c = ctx_new(self->dev);

	/* Registered before, and after: both run, the latter at once. */
	ASSERT_EQ(0, ctx_reader_start(&before, c));
	EXPECT_EQ(0, ctx_cancel(c, 77, NULL));
	ASSERT_EQ(0, ctx_reader_join(&before));
	EXPECT_EQ(77, before.event.cause);
	after = (struct ctx_reader){ .fd = c };
	ctx_reader_main(&after);
	EXPECT_EQ(77, after.event.cause);
}

TEST_HARNESS_MAIN
