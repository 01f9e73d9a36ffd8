/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the tests of races let several threads or processes go at one moment.
 *
 * A race is a number of functions, the racers, and a number of rounds. The test
 * makes what a round needs, calls race_round(), which has every racer run its
 * function once, all let go together, and checks what came out:
 *
 *	ASSERT_TRUE(race_start(&race, &data, do_cancel, do_create));
 *	for (i = 0; i < rounds(500); i++) {
 *		...
 *		ASSERT_TRUE(race_round(&race));
 *		...
 *	}
 *	race_stop(&race);
 *
 * The first racer is the calling thread, so that a race of two keeps both
 * processors of a small machine busy with the two sides of it. The others are
 * called to the line when a round begins, and wait there spinning: a sleeping
 * barrier lets its last arrival run a scheduling latency ahead of all others,
 * which is longer than any window worth hitting.
 *
 * After the line each racer spins for a random while, short or long with equal
 * chance at every scale, so that each side comes first in half of the rounds and
 * windows of any width are entered at any point. The numbers come from a
 * generator with a fixed seed: what differs between runs is the machine alone.
 */
#ifndef RACE_H
#define RACE_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "ctx_selftest.h"

#define RACERS_MAX	8

/*
 * How long to wait for what must come at once. It is far longer than any delay
 * that a loaded, emulated machine with KASAN adds, so that only what was lost
 * for good runs into it.
 */
#define RACE_PATIENCE	20	/* seconds */

typedef void racer_fn(void *data);

struct race {
	unsigned int	nr;
	unsigned int	call;		/* the round for which to come to the line */
	unsigned int	go;		/* the round that may run */
	unsigned int	ready;		/* racers that came to the line, summed */
	unsigned int	done;		/* racers that ran, summed */
	bool		stop;
	cpu_set_t	affinity;	/* of the caller, before the race */
	struct racer {
		struct race	*race;
		racer_fn	*run;
		void		*data;
		__u32	random;
		pthread_t	thread;
	} racer[RACERS_MAX];
};

/* What it costs to make a context and ask for its id, in nanoseconds, at best. */
static inline __u64 race_cost(void)
{
	__u64 start, took, best = NSEC_PER_SEC;
	int dev = ctx_background(), i, fd;

	for (i = 0; i < 20; i++) {
		start = ctx_clock(CLOCK_MONOTONIC);
		fd = ctx_new(dev);
		ctx_id(fd);
		took = ctx_clock(CLOCK_MONOTONIC) - start;
		close(fd);
		if (took < best)
			best = took;
	}
	close(dev);
	return best;
}

/*
 * The number of rounds: @nr, or less on a kernel that checks every access and is
 * ten times slower for it. That finds with one round what another needs many for.
 * CTX_ROUNDS is a factor that applies instead; it may be a fraction.
 */
static inline unsigned int rounds(unsigned int nr)
{
	const char *env = getenv("CTX_ROUNDS");
	static double factor;

	if (!factor && env)
		factor = strtod(env, NULL);
	if (!factor) {
		/* 20 us is what an emulator of today needs for an ordinary kernel. */
		factor = 20000. / race_cost();
		factor = factor > 1 ? 1 : factor < 0.08 ? 0.08 : factor;
	}
	return nr * factor < 3 ? 3 : nr * factor;
}

static inline __u32 race_random(__u32 *state)
{
	/* Marsaglia's xorshift: its state is never 0 unless it began so. */
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static inline void spin(unsigned int turns)
{
	while (turns--)
		__asm__ __volatile__("" ::: "memory");
}

/*
 * Spin for 0 to 8191 turns, some 10 us; the logarithm is what is spread evenly.
 * In half of the cases it is nothing at all, so that the others have a racer to
 * be compared with that went at once.
 */
static inline void spin_randomly(__u32 *state)
{
	__u32 bits = race_random(state) % 28;

	if (bits < 14)
		spin(race_random(state) & ((1U << bits) - 1));
}

/* Is *@count @target? Waits for it, spinning; false where it never comes. */
static inline bool spin_until(const unsigned int *count, unsigned int target)
{
	struct timespec start, now;
	unsigned int turns = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while ((int)(__atomic_load_n(count, __ATOMIC_ACQUIRE) - target) < 0) {
		if (++turns % 512)
			continue;
		/* There may be more racers than processors. */
		sched_yield();
		if (turns % 65536)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > RACE_PATIENCE)
			return false;
	}
	return true;
}

/*
 * The same without a limit, and asleep after a while: between two rounds, when a
 * thread that spins would keep others from preparing the next.
 */
static inline void sleep_until(const unsigned int *count, unsigned int target)
{
	unsigned int turns = 0;

	while ((int)(__atomic_load_n(count, __ATOMIC_ACQUIRE) - target) < 0)
		if (++turns > 2000)
			usleep(50);
}

static inline void *race_thread(void *arg)
{
	struct racer *racer = arg;
	struct race *race = racer->race;
	unsigned int round;

	for (round = 1;; round++) {
		sleep_until(&race->call, round);
		__atomic_add_fetch(&race->ready, 1, __ATOMIC_ACQ_REL);
		while (!spin_until(&race->go, round))
			;
		if (__atomic_load_n(&race->stop, __ATOMIC_ACQUIRE))
			return NULL;
		spin_randomly(&racer->random);
		racer->run(racer->data);
		__atomic_add_fetch(&race->done, 1, __ATOMIC_ACQ_REL);
	}
}

/* Keep the @nth racer to a processor of its own while there are enough. */
static inline void race_pin(const cpu_set_t *all, pthread_t thread, unsigned int nth)
{
	cpu_set_t one;
	int cpu;

	if (nth >= (unsigned int)CPU_COUNT(all))
		return;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, all) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(thread, sizeof(one), &one);
		return;
	}
}

/*
 * Starts the racers of @run, which NULL ends. Returns whether it could; each of
 * them gets @data.
 */
static inline bool race_start_all(struct race *race, void *data, racer_fn *const run[])
{
	unsigned int i;

	memset(race, 0, sizeof(*race));
	sched_getaffinity(0, sizeof(race->affinity), &race->affinity);
	for (i = 0; run[i]; i++) {
		race->racer[i].race = race;
		race->racer[i].run = run[i];
		race->racer[i].data = data;
		race->racer[i].random = 0x9e3779b9U * (i + 1);
		if (i && pthread_create(&race->racer[i].thread, NULL, race_thread,
					&race->racer[i]))
			return false;
	}
	race->nr = i;
	/* Only now: a thread inherits the processors of the one that starts it. */
	while (--i)
		race_pin(&race->affinity, race->racer[i].thread, i);
	race_pin(&race->affinity, pthread_self(), 0);
	return true;
}

/* race_start(&race, &data, first, second, ...) */
#define race_start(race, data, ...) \
	race_start_all((race), (data), (racer_fn *const []){ __VA_ARGS__, NULL })

/* Give the @nth racer @data of its own. */
static inline void race_data(struct race *race, unsigned int nth, void *data)
{
	race->racer[nth].data = data;
}

/* Run one round. False where a racer does not come back: it was never woken. */
static inline bool race_round(struct race *race)
{
	unsigned int others = race->nr - 1;
	unsigned int round = race->go + 1;

	__atomic_store_n(&race->call, round, __ATOMIC_RELEASE);
	if (!spin_until(&race->ready, round * others))
		return false;
	__atomic_store_n(&race->go, round, __ATOMIC_RELEASE);
	spin_randomly(&race->racer[0].random);
	race->racer[0].run(race->racer[0].data);
	return spin_until(&race->done, round * others);
}

static inline void race_stop(struct race *race)
{
	unsigned int i;

	__atomic_store_n(&race->stop, true, __ATOMIC_RELEASE);
	__atomic_add_fetch(&race->go, 1, __ATOMIC_ACQ_REL);
	__atomic_add_fetch(&race->call, 1, __ATOMIC_ACQ_REL);
	for (i = 1; i < race->nr; i++)
		pthread_join(race->racer[i].thread, NULL);
	sched_setaffinity(0, sizeof(race->affinity), &race->affinity);
}

/* Keep the calling thread on the processor where it is. */
static inline void race_stay(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/*
 * The line of a race of processes. It stands in memory that they share, from
 * gate_new(), and each of them passes it once.
 */
struct gate {
	unsigned int	ready;
	unsigned int	go;
};

static inline struct gate *gate_new(void)
{
	void *gate = mmap(NULL, sizeof(struct gate), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return gate == MAP_FAILED ? NULL : gate;
}

static inline void gate_free(struct gate *gate)
{
	munmap(gate, sizeof(*gate));
}

/* Wait at the line for gate_open(). */
static inline void gate_pass(struct gate *gate, __u32 *random)
{
	__atomic_add_fetch(&gate->ready, 1, __ATOMIC_ACQ_REL);
	spin_until(&gate->go, 1);
	spin_randomly(random);
}

/* Let them go once @nr wait at the line; false where they do not come. */
static inline bool gate_open(struct gate *gate, unsigned int nr)
{
	bool came = spin_until(&gate->ready, nr);

	__atomic_store_n(&gate->go, 1, __ATOMIC_RELEASE);
	return came;
}

/*
 * A thread that waits for a context, and runs as soon as it is woken: in the
 * middle of the walk of the one who wakes it, whose processor it takes by a
 * real-time priority. What it does there no luck is needed for.
 */
struct intruder {
	pthread_t	thread;
	pid_t		tid;
	int		fd;		/* what it waits for */
	racer_fn	*run;
	void		*data;
};

static inline void *intruder_main(void *arg)
{
	struct sched_param param = { .sched_priority = 1 };
	struct intruder *in = arg;
	struct ctx_event event;

	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	__atomic_store_n(&in->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	if (read(in->fd, &event, sizeof(event)) == sizeof(event))
		in->run(in->data);
	return NULL;
}

/*
 * Returns whether it sleeps. The caller stays on its processor from now on, and
 * so does the thread.
 */
static inline bool intruder_start(struct intruder *in, int fd, racer_fn *run, void *data)
{
	pid_t tid;

	race_stay();
	*in = (struct intruder){ .fd = fd, .run = run, .data = data };
	if (pthread_create(&in->thread, NULL, intruder_main, in))
		return false;
	while (!(tid = __atomic_load_n(&in->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	return !ctx_wait_in_syscall(getpid(), tid, SYS_read);
}

/* Returns whether it was woken, and has run. */
static inline bool intruder_join(struct intruder *in)
{
	return !ctx_thread_join(in->thread);
}

/* The exit status of the child @pid, or 128 and the signal that ended it. */
static inline int race_reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * A race against the timer: a context that expires soon, and a deed that is done
 * a little before or a little after that.
 *
 * A timer runs on the processor that started it. In half of the cases that is
 * the one of the deed, which it interrupts; in the others it is another's, by a
 * thread that does nothing else, and both run at once.
 */
struct expiry {
	__u32		random;		/* not 0 */
	__u64		ahead;		/* ns from its creation to its deadline */
	__u64		when;		/* CLOCK_MONOTONIC */
	int		fd;
	__u64		id;
	bool		alone;		/* there is one processor */
	clockid_t	clockid;
	__u64		at;		/* the same on @clockid */
	unsigned int	asked;		/* deadlines that the thread was asked to set */
	unsigned int	armed;		/* those that it has set */
	cpu_set_t	affinity;
	pthread_t	thread;
};

/* What is left after a context was made must be some time, on any machine. */
static inline __u64 expiry_ahead(void)
{
	return 20000 + 3 * race_cost();
}

static inline void *expiry_thread(void *arg)
{
	struct expiry *x = arg;

	for (;;) {
		sleep_until(&x->asked, x->armed + 1);
		if (x->fd < 0)
			return NULL;
		ctx_set_deadline(x->fd, x->clockid, x->at);
		__atomic_add_fetch(&x->armed, 1, __ATOMIC_ACQ_REL);
		/* An idle processor would take its time to run the timer. */
		while (ctx_clock(CLOCK_MONOTONIC) < x->when + x->ahead)
			;
	}
}

/* The caller keeps to one processor until expiry_end(). */
static inline bool expiry_begin(struct expiry *x)
{
	*x = (struct expiry){ .random = 161803398, .ahead = expiry_ahead() };
	sched_getaffinity(0, sizeof(x->affinity), &x->affinity);
	x->alone = CPU_COUNT(&x->affinity) < 2;
	if (!x->alone && pthread_create(&x->thread, NULL, expiry_thread, x))
		return false;
	race_pin(&x->affinity, pthread_self(), 0);
	if (!x->alone)
		race_pin(&x->affinity, x->thread, 1);
	return true;
}

static inline void expiry_end(struct expiry *x)
{
	x->fd = -1;
	__atomic_add_fetch(&x->asked, 1, __ATOMIC_ACQ_REL);
	if (!x->alone)
		pthread_join(x->thread, NULL);
	sched_setaffinity(0, sizeof(x->affinity), &x->affinity);
}

/* Makes the context below @parent, on any of the three clocks. */
static inline bool expiry_set(struct expiry *x, int parent)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };

	x->fd = ctx_new(parent);
	x->id = ctx_id(x->fd);
	x->clockid = clocks[race_random(&x->random) % 3];
	x->at = ctx_clock(x->clockid) + x->ahead;
	/* A little late, by the time between the two looks at the clocks. */
	x->when = ctx_clock(CLOCK_MONOTONIC) + x->ahead;
	if (x->alone || race_random(&x->random) % 2)
		return x->id && !ctx_set_deadline(x->fd, x->clockid, x->at);
	__atomic_add_fetch(&x->asked, 1, __ATOMIC_ACQ_REL);
	return spin_until(&x->armed, x->asked) && x->id;
}

/*
 * Returns once every timer of this processor that was to run before now has.
 * They run in the order of their time, and this sets one more and waits for it.
 */
static inline bool timer_fence(int dev)
{
	int fd = ctx_new_timeout(dev, 1000);
	bool passed = ctx_poll(fd, CTX_WAIT_MS) & POLLIN;

	close(fd);
	return passed;
}

/* The same for both processors of @x. */
static inline bool expiry_fence(struct expiry *x, int dev)
{
	bool passed = true;

	if (!x->alone) {
		x->fd = ctx_new(dev);
		x->clockid = CLOCK_MONOTONIC;
		x->at = ctx_clock(CLOCK_MONOTONIC) + 1000;
		__atomic_add_fetch(&x->asked, 1, __ATOMIC_ACQ_REL);
		passed = ctx_poll(x->fd, CTX_WAIT_MS) & POLLIN;
		close(x->fd);
	}
	return passed && timer_fence(dev);
}

/* Spins until the deadline is near, or has just passed. */
static inline void expiry_approach(struct expiry *x)
{
	__u64 until = x->when - x->ahead / 2 + race_random(&x->random) % x->ahead;

	while (ctx_clock(CLOCK_MONOTONIC) < until)
		;
	spin_randomly(&x->random);
}

#endif /* RACE_H */
