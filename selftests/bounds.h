/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of bounds share: to be another user, and what one user builds
 * that might cost another one time.
 */
#ifndef BOUNDS_H
#define BOUNDS_H

#include "ctx_features.h"
#include "race.h"

#include <sys/resource.h>

/*
 * Two users who have nothing, not even what another test has left to be freed:
 * ids that no other test of this run has.
 */
#define USER_A		(1000000U + 2 * getpid())
#define USER_B		(USER_A + 1)

/* Returns 0 once this process is @uid's, without a capability. */
static inline int be_user(uid_t uid)
{
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -1;
	/* Both are lost with the change of user: its own /proc, and its end with the test. */
	prctl(PR_SET_DUMPABLE, 1);
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* The module parameter max_user_contexts */

#define LIMIT_FILE	"/sys/module/ctx/parameters/max_user_contexts"

static inline long limit_get(void)
{
	FILE *file = fopen(LIMIT_FILE, "r");
	long limit = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &limit) != 1)
		limit = -1;
	fclose(file);
	return limit;
}

/* Returns 0, or -1 with errno set. @fd is open for writing. */
static inline int limit_write(int fd, long limit)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", limit);

	return pwrite(fd, text, len, 0) == len ? 0 : -1;
}

static inline int limit_set(long limit)
{
	int fd = open(LIMIT_FILE, O_WRONLY | O_CLOEXEC), ret, error;

	if (fd < 0)
		return -1;
	ret = limit_write(fd, limit);
	error = errno;
	close(fd);
	errno = error;
	return ret;
}

/* Makes contexts on @parent until that fails, or @max. Returns how many. */
static inline int fill(int parent, int *fd, int max)
{
	int n;

	for (n = 0; n < max; n++) {
		fd[n] = ctx_new_detached(parent);
		if (fd[n] < 0)
			break;
	}
	return n;
}

static inline void close_all(const int *fd, int nr)
{
	while (nr--)
		close(fd[nr]);
}

/* A context on @parent, as soon as the user may have one more; or -1. */
static inline int new_when_free(int parent)
{
	int i, fd;

	for (i = 0; i < CTX_WAIT_MS; i++) {
		fd = ctx_new_detached(parent);
		if (fd >= 0 || errno != ENOSPC)
			return fd;
		usleep(1000);
	}
	return -1;
}

/* The number of descriptors that a process may open. */
static inline int allow_fds(rlim_t nr)
{
	struct rlimit limit = { .rlim_cur = nr, .rlim_max = nr };

	return setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * A crowd: contexts that take long to tell, but not as long to make. All wait in an epoll
 * set, for which further ones wait: each context wakes all of them. Nobody sleeps there.
 */
#define CROWD_SETS	40
#define CROWD_QUICK	8	/* of them, where it is so MANY or AT a context */
#define CROWD_MOST	25000
#define CROWD_LEAST	200
#define CROWD_TAKES	(100 * NSEC_PER_MSEC)	/* and CROWD_MOST will do for that */

struct crowd {
	int	nr;
	int	*fd;
	int	sets;
	int	ep[1 + CROWD_SETS];
};

/* A child that has the background for a further parent, too: which adds nothing to it. */
static inline int ctx_new_with_background(int dev, int parent)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_DETACHED,
		.parents = (uintptr_t)&dev,
		.nr_parents = 1,
	});
}

/* A child with two more between, both of them with several parents */
static inline int ctx_new_third(int dev, int parent)
{
	int first = ctx_new_with_background(dev, parent);
	int second = ctx_new_with_background(dev, first);
	int third = ctx_new_detached(second);

	close(first);
	close(second);
	return third;
}

/* Where the crowd of a context stands */
enum crowd_place {
	BELOW,		/* it is children */
	FAR_BELOW,	/* it is made by ctx_new_third() */
	AT,		/* it is no contexts: as many more waiters wait at the context itself */
	MANY,		/* it is as many more children as each takes less to tell */
};

/* The sets wait for the first one, but where one file has so many waiters: then for that. */
static inline bool crowd_sets(struct crowd *c, enum crowd_place place)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int i;

	c->sets = 1 + (place == MANY || place == AT ? CROWD_QUICK : CROWD_SETS);
	for (i = 0; i < c->sets; i++) {
		c->ep[i] = epoll_create1(EPOLL_CLOEXEC);
		if (i && place != AT && epoll_ctl(c->ep[i], EPOLL_CTL_ADD, c->ep[0], &event))
			return false;
	}
	return true;
}

static inline bool crowd_plant(struct crowd *c, int dev, int top, int nr, enum crowd_place place)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int n, i;

	if (place == MANY || place == AT)
		nr = nr * CROWD_SETS / CROWD_QUICK;
	c->nr = nr < CROWD_MOST ? nr : CROWD_MOST;
	c->fd = malloc(c->nr * sizeof(*c->fd));
	if (!crowd_sets(c, place))
		return false;
	for (n = 0; n < c->nr; n++) {
		if (place == AT)
			c->fd[n] = dup(top);
		else
			c->fd[n] = place == FAR_BELOW ? ctx_new_third(dev, top) :
							ctx_new_detached(top);
		event.data.u32 = n;
		for (i = 0; i < (place == AT ? c->sets : 1); i++)
			if (epoll_ctl(c->ep[i], EPOLL_CTL_ADD, c->fd[n], &event))
				return false;
	}
	return true;
}

static inline void crowd_close(struct crowd *c)
{
	close_all(c->fd, c->nr);
	close_all(c->ep, c->sets);
	free(c->fd);
}

/*
 * Whether all of them are told in time, once or more than that. It looks now and then: to
 * be woken by each would cost more than to tell it.
 */
static inline bool crowd_told(struct crowd *c)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + 3 * CTX_WAIT_MS * NSEC_PER_MSEC;
	bool *seen = calloc(c->nr, sizeof(*seen));
	struct epoll_event all[1000];
	int told = 0, got = 0, i;

	while (seen && got >= 0 && told < c->nr && ctx_clock(CLOCK_MONOTONIC) < end) {
		got = epoll_wait(c->ep[0], all, 1000, 0);
		for (i = 0; i < got; i++) {
			told += !seen[all[i].data.u32];
			seen[all[i].data.u32] = true;
		}
		if (!got)
			usleep(1000);
	}
	free(seen);
	return told == c->nr;
}

/* How long it takes to cancel a crowd of @nr, or 0 where that fails. */
static inline __u64 crowd_cancel(int dev, int nr, enum crowd_place place)
{
	int top = ctx_new(dev), watch = ctx_watch(top, 0);
	struct crowd c;
	__u64 took;

	if (!crowd_plant(&c, dev, watch, nr, place))
		return 0;
	took = ctx_clock(CLOCK_MONOTONIC);
	ctx_cancel(top, EIO, NULL);
	took = ctx_clock(CLOCK_MONOTONIC) - took;
	crowd_close(&c);
	close(watch);
	close(top);
	return took;
}

/* So many that they take CROWD_TAKES to tell here, or 0 where that fails. */
static inline int crowd_size(int dev)
{
	__u64 took, best = NSEC_PER_SEC, nr;
	int i;

	for (i = 0; i < 5; i++) {
		took = crowd_cancel(dev, CROWD_LEAST, BELOW);
		if (!took)
			return 0;
		best = took < best ? took : best;
	}
	nr = CROWD_LEAST * CROWD_TAKES / best;
	return nr > CROWD_MOST ? CROWD_MOST : nr < CROWD_LEAST ? CROWD_LEAST : nr;
}

/*
 * How late something may be while somebody else's crowd is told, which takes long. Who has
 * to wait until that is over is late by all of it, on any machine. A busy host can stop a
 * guest for as long as it likes, but not each time: hence several attempts, of which the
 * best of both counts.
 */
#define ATTEMPTS	5

struct best {
	__u64	late;
	__u64	took;
};

#define BEST		(struct best){ ~0ULL, ~0ULL }

/* Returns whether it was in time now. */
static inline bool best_add(struct best *best, __u64 late, __u64 took)
{
	best->late = late < best->late ? late : best->late;
	best->took = took < best->took ? took : best->took;
	return best->late <= best->took / 4;
}

/* A chain of @nr contexts below @from, of which only the last has a descriptor */
static inline int chain_make(int from, int nr)
{
	int last = from, next;

	while (nr--) {
		next = ctx_new_detached(last);
		if (last != from)
			close(last);
		if (next < 0)
			return -1;
		last = next;
	}
	return last;
}

/*
 * A web of @layers of nine to one below @from: each of its ways, of which there are 9 to
 * the power of @layers, is of chains of its own, of @nr contexts.
 */
static inline int web_of_chains(int from, int layers, int nr)
{
	int part[1 + CTX_PARENTS_MAX], fd = -1, last, i;

	if (!layers)
		return chain_make(from, nr);
	for (i = 0; i < 1 + CTX_PARENTS_MAX; i++) {
		part[i] = web_of_chains(from, layers - 1, nr);
		if (part[i] < 0)
			break;
	}
	if (i > CTX_PARENTS_MAX)
		fd = ctx_create(part[0], &(struct ctx_create_args){
			.flags = CTX_CREATE_DETACHED,
			.parents = (uintptr_t)(part + 1),
			.nr_parents = CTX_PARENTS_MAX,
		});
	close_all(part, i);
	if (fd < 0)
		return -1;
	last = chain_make(fd, nr);
	close(fd);
	return last;
}

/* All that a test of bounds needs and that an administrator may have limited. */
struct bounds_limits {
	long	contexts;
	char	watches[32];
};

#define EPOLL_LIMITS	"/proc/sys/fs/epoll"

static inline int bounds_lift(struct bounds_limits *before)
{
	FILE *file = fopen(EPOLL_LIMITS "/max_user_watches", "r");
	int ret = file && fscanf(file, "%31s", before->watches) == 1 ? 0 : -1;

	if (file)
		fclose(file);
	before->contexts = limit_get();
	if (before->contexts >= 0 && limit_set(4 * CROWD_MOST))
		return -1;
	if (ret || ctx_write_file(EPOLL_LIMITS, "max_user_watches", "10000000"))
		return -1;
	return allow_fds(4 * CROWD_MOST);
}

static inline void bounds_restore(const struct bounds_limits *before)
{
	ctx_write_file(EPOLL_LIMITS, "max_user_watches", before->watches);
	if (before->contexts >= 0)
		limit_set(before->contexts);
}

/*
 * A thread on processor @cpu that sleeps for a millisecond again and again, at a
 * real-time priority: how long it had to wait for the processor.
 */
struct pacer {
	pthread_t	thread;
	int		cpu;
	bool		ready;
	bool		over;
	__u64		gap;
};

static inline void *pacer_run(void *arg)
{
	struct sched_param param = { .sched_priority = 1 };
	struct pacer *p = arg;
	__u64 last, now;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(p->cpu, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	last = ctx_clock(CLOCK_MONOTONIC);
	while (!__atomic_load_n(&p->over, __ATOMIC_ACQUIRE)) {
		usleep(1000);
		now = ctx_clock(CLOCK_MONOTONIC);
		if (__atomic_load_n(&p->ready, __ATOMIC_ACQUIRE) && now - last > p->gap)
			p->gap = now - last;
		last = now;
		__atomic_store_n(&p->ready, true, __ATOMIC_RELEASE);
	}
	return NULL;
}

static inline bool pacer_start(struct pacer *p, int cpu)
{
	*p = (struct pacer){ .cpu = cpu };
	if (pthread_create(&p->thread, NULL, pacer_run, p))
		return false;
	while (!__atomic_load_n(&p->ready, __ATOMIC_ACQUIRE))
		usleep(1000);
	return true;
}

static inline __u64 pacer_gap(struct pacer *p)
{
	__atomic_store_n(&p->over, true, __ATOMIC_RELEASE);
	pthread_join(p->thread, NULL);
	return p->gap;
}

static inline int stay_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

#endif /* BOUNDS_H */
