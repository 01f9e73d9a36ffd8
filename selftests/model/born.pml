/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of two, to which a third is added while the first is cancelled. The status
 * word of the second is mapped; the maker maps that of the third.
 */
#define CONTEXTS	3
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)
#define CHILD(c)	(((c) < CONTEXTS) * ((c) + 1))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define LINK(c)		(3 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(4 * CONTEXTS + (c) - 1)
#define JOINED(c)	(5 * CONTEXTS + (c) - 1)
#define PAGE(c)		(6 * CONTEXTS + (c) - 1)
#define ZERO(c)		(7 * CONTEXTS + (c) - 1)
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

	link(3);
	mmap(3);
	acquire(err_acquire, ERR(3), v);
	if
	:: v -> ENSURE(5, view & BIT(ERR(2)))
	:: else
	fi
}

init {
	SETUP;
	atomic {
		PRESET(LINK(2));
		PRESET(JOINED(2));
		PRESET(PAGE(2));
		run canceller();
		run maker()
	}
}
