/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of four, and a fifth of which the third is a further parent. The first is
 * cancelled, and somebody's look at the third copies that down; a cancellation of
 * the third comes too late, and its walk passes the origin on to the fourth or
 * fifth, at which another looks. What telling orders besides is left out here.
 */
#define CONTEXTS	5
#define UP(c)		(((c) < 5) * ((c) - 1))
#define BELOW(p, c)	((p) + 1)

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define LOCATIONS	(2 * CONTEXTS)

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c);
	if
	:: c == 3 ->
		atomic {
			acquire(walk_acquire, ORIGIN(3), o);
			inherit(4)
		}
	:: c == 3 ->
		atomic {
			acquire(dive_acquire, ORIGIN(3), o);
			inherit(4)
		}
	:: c == 3 ->
		atomic {
			acquire(alone_acquire, ORIGIN(3), o);
			cmpxchg(alone_release, ORIGIN(5), o)
		}
	:: c == 3 ->
		atomic {
			acquire(merge_acquire, ORIGIN(3), o);
			cmpxchg(origin_release, ORIGIN(5), o)
		}
	:: else
	fi
}

proctype observer(byte c)
{
	THREAD;

	origin(c);
	if
	:: o -> READ_RECORD(o)
	:: else
	fi
}

init {
	SETUP;
	atomic {
		run canceller(1);
		run canceller(3);
		run observer(3);
		if
		:: run observer(4)
		:: run observer(5)
		fi
	}
}
