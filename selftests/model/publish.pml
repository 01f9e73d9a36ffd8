/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two make what a context has once, a status page or a deadline: ctx_status_alloc(),
 * ctx_deadline_prepare(). Each then uses the one that is there.
 */
#define CONTEXTS	1

#define PAGE		0
#define PAGE_READY	1	/* zeroed */
#define DEADLINE	2
#define DEADLINE_READY	3	/* with its timer and work set up */
#define LOCATIONS	4

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
	/* An address dependency: what the pointer leads to is read after it. */
	acquire(always, l, v);
	ENSURE(8, view & BIT(ready))
}

proctype user()
{
	THREAD;

	publish(page_release, PAGE, PAGE_READY);
	publish(deadline_release, DEADLINE, DEADLINE_READY)
}

init {
	SETUP;
	atomic {
		run user();
		run user()
	}
}
