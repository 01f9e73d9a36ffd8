/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of two. One polls the second, while two cancel the first or what is below it.
 */
#define CONTEXTS	2
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)
#define CHILD(c)	(((c) < CONTEXTS) * ((c) + 1))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define WAIT(c)		(3 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(4 * CONTEXTS + (c) - 1)
#define LOCATIONS	(5 * CONTEXTS)

bool asleep[CONTEXTS + 1], woken[CONTEXTS + 1];

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c);
	wake_subtree(c);
	atomic {
		for (p : c .. CONTEXTS) {
			ENSURE(2, !asleep[p] || woken[p])
		}
	}
}

proctype waiter(byte c)
{
	THREAD;

	write(WAIT(c), 1);
	barrier(poll_mb);
	origin(c);
	if
	:: o -> READ_RECORD(o)
	:: else ->
		asleep[c] = true;
		woken[c]
	fi
}

init {
	SETUP;
	atomic {
		run canceller(1);
		if
		:: run canceller(1)
		:: run canceller(2)
		fi;
		if
		:: run waiter(2)
		:: run waiter(1)
		fi
	}
}
