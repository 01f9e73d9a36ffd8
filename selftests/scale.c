// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hundred thousand contexts: all of them are woken, and nobody else waits
 * meanwhile, on the canceller's processor or on another.
 */
#include "ctx_selftest.h"
#include "race.h"

#include <sys/resource.h>

#define CAUSE		85
#define MANY		100000
#define PROCESSES	8
#define DEEP		1000

FIXTURE(scale) {
	int	dev;
	int	root;
};

FIXTURE_SETUP(scale)
{
	struct rlimit limit = { .rlim_cur = MANY + 100, .rlim_max = MANY + 100 };

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit)) {
		TH_LOG("needs the privilege to open %d files", MANY);
	}
	self->dev = ctx_background();
	self->root = ctx_new(self->dev);
	ASSERT_LE(0, self->root);
}

FIXTURE_TEARDOWN(scale)
{
	close(self->root);
	close(self->dev);
}

/* The shapes of a tree: for the @n-th context, which earlier one is its parent. */

static int shape_flat(int n __attribute__((unused)))
{
	return 0;
}

static int shape_lines(int n)
{
	return n % DEEP ? n - 1 : 0;
}

static int shape_binary(int n)
{
	return (n - 1) / 2;
}

static int shape_random(int n)
{
	__u32 state = n + 1;

	race_random(&state);
	return race_random(&state) % n;
}

/*
 * Less than @nr where rounds() is: what is compared with how long a cancellation
 * takes needs no more than that on a slower kernel.
 */
static int scaled(int nr)
{
	int less = rounds(nr);

	return less < nr ? less : nr;
}

#define SETS		16

struct shape {
	int	(*parent)(int n);
	int	nr;
	int	sets;		/* that each context wakes, at most SETS */
	int	*fd;
	int	ep[SETS];
};

/* Plants @s->nr contexts below @top, each a member of the first set, for which the others wait. */
static bool shape_plant(struct shape *s, int top)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int n, i;

	s->fd = malloc(s->nr * sizeof(*s->fd));
	for (i = 0; i < s->sets; i++) {
		s->ep[i] = epoll_create1(EPOLL_CLOEXEC);
		if (i && epoll_ctl(s->ep[i], EPOLL_CTL_ADD, s->ep[0], &event))
			return false;
	}
	for (n = 0; n < s->nr; n++) {
		s->fd[n] = ctx_new(n ? s->fd[s->parent(n)] : top);
		if (s->sets && epoll_ctl(s->ep[0], EPOLL_CTL_ADD, s->fd[n], &event))
			return false;
	}
	return true;
}

static void shape_fell(struct shape *s)
{
	int n;

	for (n = 0; n < s->nr; n++)
		close(s->fd[n]);
	for (n = 0; n < s->sets; n++)
		close(s->ep[n]);
	free(s->fd);
}

/* Waits, at the first set, for all members. Returns how many were woken. */
static int shape_wait(struct shape *s)
{
	struct epoll_event all[1000];
	int woken = 0, got;

	while (woken < s->nr) {
		got = epoll_wait(s->ep[0], all, 1000, 3 * CTX_WAIT_MS);
		if (got <= 0)
			break;
		woken += got;
	}
	return woken;
}

/*
 * Each process waits for an eighth of them. It tells by its exit whether all its
 * members woke it, and whether they name the right context.
 */
static void wait_for_an_eighth(struct shape *s, int root, int told)
{
	bool planted = shape_plant(s, root);
	struct ctx_info info;

	if (write(told, &planted, sizeof(planted)) != sizeof(planted) || !planted)
		_exit(1);
	/* It sleeps long, while the others still plant. */
	if (!(ctx_poll(s->fd[0], -1) & POLLIN))
		_exit(2);
	if (shape_wait(s) != s->nr)
		_exit(3);
	if (ctx_info(s->fd[s->nr - 1], &info) || info.origin_id != ctx_id(root))
		_exit(4);
	_exit(0);
}

/*
 * As many on every kernel but those that check each access: they take minutes to
 * make that many, and get a share of them.
 */
TEST_F_TIMEOUT(scale, hundred_thousand_descendants_in_eight_processes_are_woken, 600)
{
	static int (*const shapes[])(int n) = {
		shape_flat, shape_lines, shape_binary, shape_random,
	};
	pid_t pid[PROCESSES];
	int told[2], k;

	ASSERT_EQ(0, pipe(told));
	for (k = 0; k < PROCESSES; k++) {
		struct shape s = { .parent = shapes[k % 4], .nr = scaled(MANY) / PROCESSES,
				   .sets = 1 };

		pid[k] = ctx_fork();
		ASSERT_LE(0, pid[k]);
		if (!pid[k])
			wait_for_an_eighth(&s, self->root, told[1]);
	}
	for (k = 0; k < PROCESSES; k++) {
		bool planted = false;

		ASSERT_EQ(sizeof(planted), read(told[0], &planted, sizeof(planted)));
		ASSERT_TRUE(planted);
	}
	check_info(self->root, nr_children, PROCESSES);
	EXPECT_EQ(0, ctx_cancel(self->root, CAUSE, NULL));
	for (k = 0; k < PROCESSES; k++)
		EXPECT_EQ(0, race_reap(pid[k]));
	check_info(self->root, nr_children, 0);
	close(told[0]);
	close(told[1]);
}

/*
 * Stalls
 *
 * A sleeper shares the processor of what cancels, and wakes in short steps. Of
 * its gaps those count that touch the cancellation. A walk during which the
 * processor cannot be had, with preemption or interrupts off or holding a lock
 * that the sleeper needs, makes one gap as long as the cancellation itself. A
 * walk that can be preempted makes gaps of such a step and the latency of the
 * machine. So the limit is a quarter of what the cancellation took: that is the
 * same on a machine that is a hundred times slower, and far from either side,
 * given that there are so many contexts that it takes much longer than a
 * scheduling latency: see shape_size().
 *
 * A noisy host can stop a guest for as long as it likes, and then a gap is the
 * host's. It does not do that each time, but a walk that cannot be preempted
 * does: hence up to eight attempts, of which one must be good.
 *
 * The sleeper runs at a real-time priority, so that what is measured is whether
 * the processor can be had and not how fair shares of it are reckoned.
 */
#define ATTEMPTS	8
#define LIMIT(took)	((took) / 4)
#define STALL		25000	/* contexts at most, where each wakes SETS */
#define SAMPLE		500

enum { BEFORE, DURING, AFTER };

struct sleeper {
	pthread_t	thread;
	int		cpu;
	int		fd;		/* a context that it asks about, or -1 */
	__u64		step;
	int		state;
	bool		ready;
	__u64		gap;
};

static void sleeper_sleep(__u64 *until, __u64 step)
{
	struct timespec ts;

	/* After a long gap, which is counted, it does not try to catch up. */
	if (*until < ctx_clock(CLOCK_MONOTONIC))
		*until = ctx_clock(CLOCK_MONOTONIC);
	*until += step;
	ts.tv_sec = *until / NSEC_PER_SEC;
	ts.tv_nsec = *until % NSEC_PER_SEC;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* What others use contexts for, in trees that have nothing to do with it. */
static void sleeper_uses(int dev)
{
	int root = ctx_new(dev), child = ctx_new(root);

	ctx_id(child);
	ctx_cancel(root, CAUSE, NULL);
	close(child);
	close(root);
}

static void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;
	struct sched_param param = { .sched_priority = 1 };
	int before = BEFORE, after;
	__u64 last, now, until;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(s->cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	last = until = ctx_clock(CLOCK_MONOTONIC);
	while (before != AFTER) {
		sleeper_sleep(&until, s->step);
		if (s->fd >= 0)
			sleeper_uses(s->fd);
		now = ctx_clock(CLOCK_MONOTONIC);
		after = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
		/* It touches unless it ended too early or began too late. */
		if (after != BEFORE && now - last > s->gap)
			s->gap = now - last;
		last = now;
		before = after;
		__atomic_store_n(&s->ready, true, __ATOMIC_RELEASE);
	}
	return NULL;
}

static bool sleeper_start(struct sleeper *s, int cpu, int fd, __u64 step)
{
	*s = (struct sleeper){ .cpu = cpu, .fd = fd, .step = step };
	if (pthread_create(&s->thread, NULL, sleeper_run, s))
		return false;
	while (!__atomic_load_n(&s->ready, __ATOMIC_ACQUIRE))
		sched_yield();
	return true;
}

static __u64 sleeper_gap(struct sleeper *s)
{
	__atomic_store_n(&s->state, AFTER, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
	return s->gap;
}

/* Ends the subtree below @fd, one way or the other; returns whether it did. */

static bool end_by_cancel(int fd)
{
	return ctx_cancel(fd, CAUSE, NULL) == 0;
}

static bool end_by_close(int fd)
{
	return close(fd) == 0;
}

/* The walk is a worker's. A cancel that comes second returns when it is over. */
static bool end_by_deadline(int fd)
{
	return ctx_set_timeout(fd, NSEC_PER_MSEC) == 0 &&
	       (ctx_poll(fd, CTX_WAIT_MS) & POLLIN) && ctx_cancel(fd, CAUSE, NULL) == 1;
}

/*
 * One attempt: contexts of @shape are ended while sleepers sleep on processors 0
 * to @cpus - 1, of which 0 is the canceller's. They also use contexts if @dev is
 * not -1.
 */
static bool attempt(struct __test_metadata *_metadata, struct shape *s, int dev, int root,
		    bool (*end)(int fd), int first, int cpus)
{
	/* Where there is nobody to wake, all is over in a few milliseconds. */
	__u64 step = s->sets ? NSEC_PER_MSEC : NSEC_PER_MSEC / 10;
	struct sleeper sleeper[2];
	__u64 took, gap = 0;
	bool ended;
	int cpu;

	for (cpu = first; cpu < cpus; cpu++)
		ASSERT_TRUE(sleeper_start(&sleeper[cpu], cpu, dev, step));
	for (cpu = first; cpu < cpus; cpu++)
		__atomic_store_n(&sleeper[cpu].state, DURING, __ATOMIC_RELEASE);
	took = ctx_clock(CLOCK_MONOTONIC);
	ended = end(root);
	took = ctx_clock(CLOCK_MONOTONIC) - took;
	for (cpu = first; cpu < cpus; cpu++) {
		__u64 its = sleeper_gap(&sleeper[cpu]);

		if (its > gap)
			gap = its;
	}
	ASSERT_TRUE(ended);
	TH_LOG("%d contexts took %llu us, the greatest gap was %llu us", s->nr,
	       took / 1000, gap / 1000);
	return gap <= LIMIT(took);
}

/* So many that to cancel them takes about a tenth of a second; 0 where that fails. */
static int shape_size(struct shape s, int root, int most)
{
	__u64 took, best = NSEC_PER_SEC;
	int i, top, nr;

	s.nr = SAMPLE;
	for (i = 0; i < 3; i++) {
		top = ctx_new(root);
		if (!shape_plant(&s, top))
			return 0;
		took = ctx_clock(CLOCK_MONOTONIC);
		ctx_cancel(top, CAUSE, NULL);
		took = ctx_clock(CLOCK_MONOTONIC) - took;
		shape_fell(&s);
		close(top);
		best = took < best ? took : best;
	}
	/* Those for which nobody waits take much longer to make: fewer will do. */
	nr = SAMPLE * (NSEC_PER_SEC / (s.sets ? 10 : 50)) / best;
	return nr > most ? most : nr < SAMPLE ? SAMPLE : nr;
}

static void bounded(struct __test_metadata *_metadata, FIXTURE_DATA(scale) *self,
		    struct shape shape, bool (*end)(int fd), bool uses, int first, int cpus)
{
	cpu_set_t one;
	bool good;
	int i;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	shape.nr = shape_size(shape, self->root, shape.nr);
	ASSERT_LT(0, shape.nr);
	for (i = 0, good = false; i < ATTEMPTS && !good; i++) {
		struct shape s = shape;
		int top = ctx_new(self->root);

		ASSERT_TRUE(shape_plant(&s, top));
		good = attempt(_metadata, &s, uses ? self->dev : -1, top, end, first, cpus);
		shape_fell(&s);
		if (end != end_by_close)
			close(top);
	}
	ASSERT_TRUE(good);
}

static struct shape woken(int (*parent)(int n))
{
	return (struct shape){ .parent = parent, .nr = STALL, .sets = SETS };
}

TEST_F_TIMEOUT(scale, cancel_does_not_stall_its_processor, 600)
{
	bounded(_metadata, self, woken(shape_random), end_by_cancel, false, 0, 1);
}

TEST_F_TIMEOUT(scale, cancel_of_children_side_by_side_does_not_stall_its_processor, 600)
{
	bounded(_metadata, self, woken(shape_flat), end_by_cancel, false, 0, 1);
}

/* The walk goes over them without a pause to wake anybody. */
TEST_F_TIMEOUT(scale, cancel_of_what_nobody_waits_for_does_not_stall_its_processor, 600)
{
	struct shape shape = { .parent = shape_flat, .nr = MANY };

	bounded(_metadata, self, shape, end_by_cancel, false, 0, 1);
}

TEST_F_TIMEOUT(scale, cancel_of_deep_lines_does_not_stall_its_processor, 600)
{
	bounded(_metadata, self, woken(shape_lines), end_by_cancel, false, 0, 1);
}

TEST_F_TIMEOUT(scale, release_does_not_stall_its_processor, 600)
{
	bounded(_metadata, self, woken(shape_binary), end_by_close, false, 0, 1);
}

TEST_F_TIMEOUT(scale, expiry_stalls_no_processor, 600)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);

	bounded(_metadata, self, woken(shape_random), end_by_deadline, false, 0,
		cpus > 2 ? 2 : cpus);
}

/* They would wait if the walk held a lock of more than a few contexts. */
TEST_F_TIMEOUT(scale, cancel_stalls_no_other_user_of_contexts, 600)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs a second processor");
	bounded(_metadata, self, woken(shape_random), end_by_cancel, true, 1, 2);
}

/*
 * What a context costs to cancel may not grow with the number of the others. The
 * same number of contexts is cancelled in many small groups and in one large
 * group; only their relation counts. It would be as the sizes are, 1 to 40, if
 * the walk looked at others for each, and is near 1.
 */
#define GROUP		500
#define GROUPS		40

static bool grows(struct __test_metadata *_metadata, int root, int (*parent)(int n))
{
	int group = scaled(GROUP);
	struct shape small[GROUPS], large = {
		.parent = parent, .nr = group * GROUPS, .sets = 1,
	};
	__u64 small_took, large_took;
	int top[GROUPS + 1], i;

	for (i = 0; i < GROUPS; i++) {
		top[i] = ctx_new(root);
		small[i] = (struct shape){ .parent = parent, .nr = group, .sets = 1 };
		ASSERT_TRUE(shape_plant(&small[i], top[i]));
	}
	top[GROUPS] = ctx_new(root);
	ASSERT_TRUE(shape_plant(&large, top[GROUPS]));

	small_took = ctx_clock(CLOCK_MONOTONIC);
	for (i = 0; i < GROUPS; i++)
		ASSERT_EQ(0, ctx_cancel(top[i], CAUSE, NULL));
	large_took = ctx_clock(CLOCK_MONOTONIC);
	small_took = large_took - small_took;
	ASSERT_EQ(0, ctx_cancel(top[GROUPS], CAUSE, NULL));
	large_took = ctx_clock(CLOCK_MONOTONIC) - large_took;

	for (i = 0; i < GROUPS; i++) {
		shape_fell(&small[i]);
		close(top[i]);
	}
	shape_fell(&large);
	close(top[GROUPS]);
	TH_LOG("%d groups of %d took %llu us, one of %d took %llu us", GROUPS, group,
	       small_took / 1000, large.nr, large_took / 1000);
	return large_took > 8 * small_took;
}

TEST_F_TIMEOUT(scale, cost_of_a_cancel_does_not_grow_with_the_siblings, 600)
{
	bool grew = true;
	int i;

	for (i = 0; i < ATTEMPTS && grew; i++)
		grew = grows(_metadata, self->root, shape_flat);
	ASSERT_FALSE(grew);
}

/* Children that leave a large family by themselves, in no order. */
#define FAMILY		20000

TEST_F_TIMEOUT(scale, children_of_a_large_family_are_counted, 600)
{
	static int child[FAMILY];
	int n, left, family = scaled(FAMILY);
	__u32 random = 6765;

	for (n = 0; n < family; n++) {
		child[n] = ctx_new(self->root);
		ASSERT_LE(0, child[n]);
	}
	check_info(self->root, nr_children, family);
	for (left = family; left; left--) {
		n = race_random(&random) % left;
		if (left % 2)
			ctx_cancel(child[n], CAUSE, NULL);
		close(child[n]);
		child[n] = child[left - 1];
		if (left % 1000 == 1)
			check_info(self->root, nr_children, left - 1);
	}
	check_info(self->root, nr_children, 0);
	check_alive(self->root);
}

TEST_HARNESS_MAIN
