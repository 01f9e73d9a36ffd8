/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of two, of which the first is cancelled. The second is a further parent of
 * the third, and the status words of both are mapped. Whoever reads the third's as
 * cancelled reads the second's so, whether the walk or the maker of the edge
 * crossed it.
 */
#define CONTEXTS	3
#define UP(c)		((c) == 2)
#define BELOW(p, c)	2
#define CHILD(c)	(((c) == 1) * 2)
#define EDGE(c)		(((c) == 2) * 3)
#define FURTHER(c)	(((c) == 3) * 2)

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define HOOK(c)		(3 * CONTEXTS + (c) - 1)
#define UNHOOK(c)	(4 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(5 * CONTEXTS + (c) - 1)
#define JOINED(c)	(6 * CONTEXTS + (c) - 1)
#define PAGE(c)		(7 * CONTEXTS + (c) - 1)
#define CAUSE(c)	(8 * CONTEXTS + (c) - 1)
#define ERR(c)		(9 * CONTEXTS + (c) - 1)
#define LOCATIONS	(10 * CONTEXTS)

#include "ctx.pml"

proctype canceller()
{
	THREAD;
	bool won;

	mark(1);
	wake_subtree(1)
}

proctype maker()
{
	THREAD;

	merge_link(3);
	origin(3)
}

proctype reader()
{
	THREAD;

	acquire(err_acquire, ERR(3), v);
	if
	:: v -> ENSURE(5, view & BIT(ERR(2)))
	:: else
	fi
}

init {
	SETUP;
	atomic {
		PRESET(JOINED(3));
		PRESET(PAGE(3));
		PRESET(PAGE(2));
		if
		:: PRESET(JOINED(2))
		:: PRESET(JOINED(2)); PRESET(HOOK(3))
		fi;
		run canceller();
		run maker();
		run reader()
	}
}
