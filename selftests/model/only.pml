/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first has the second and the third for children, on each of which one sleeps. Two cancel
 * the first: what is the only one on the list is taken off it without the lock, and none of
 * them may return before both sleepers were woken, whoever wakes them.
 */
#define CONTEXTS	3
#define UP(c)		((c) > 1)
#define BELOW(p, c)	(c)
#define CHILD(c)	(((c) == 1) * 2)
#define SIBLING(c)	(((c) == 2) * 3)

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define WAIT(c)		(3 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(4 * CONTEXTS + (c) - 1)
#define GONE(c)		(5 * CONTEXTS + (c) - 1)
#define LOCATIONS	(6 * CONTEXTS)

bool woken[CONTEXTS + 1];

#include "ctx.pml"

proctype canceller()
{
	THREAD;
	bool won;

	mark(1);
	wake_subtree(1);
	ENSURE(2, woken[2] && woken[3])
}

init {
	SETUP;
	atomic {
		PRESET(WAIT(2));
		PRESET(WAIT(3));
		run canceller();
		run canceller()
	}
}
