/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two make what a context has once, a status page or a deadline, and what its user has
 * once, clocks: ctx_status_prepare(), ctx_deadline_prepare(), ctx_clocks_prepare(). Each
 * then uses those that are there.
 */
#define CONTEXTS	1

#define PAGE		0
#define PAGE_READY	1	/* zeroed */
#define DEADLINE	2
#define DEADLINE_READY	3	/* with its node set up */
#define CLOCKS		4
#define CLOCKS_READY	5	/* with their timers set up */
#define LOCATIONS	6

#include "memory.pml"

inline publish(step, l, ready)
{
	atomic {
		read(l, old);
		if
		:: !old ->
			/* Of two, one is freed: it is never seen as ready. */
			d_step { if :: !mem[l] -> WRITE(ready, 1, 0) :: else fi }
			cmpxchg(step, l, 1)
		:: else
		fi
	}
}

/* An address dependency: what the pointer leads to is read after it, and no more than that. */
inline use(l, ready)
{
	read(l, v);
	ENSURE(8, v && with[l] & BIT(ready))
}

proctype user()
{
	THREAD;

	publish(page_release, PAGE, PAGE_READY);
	use(PAGE, PAGE_READY);
	acquire(deadline_acquire, DEADLINE, v);
	if
	:: !v ->
		publish(clocks_release, CLOCKS, CLOCKS_READY);
		publish(deadline_release, DEADLINE, DEADLINE_READY)
	:: else
	fi;
	/* ctx_deadline_try_set(), ctx_clock_add() */
	use(DEADLINE, DEADLINE_READY);
	use(CLOCKS, CLOCKS_READY)
}

init {
	SETUP;
	atomic {
		run user();
		run user()
	}
}
