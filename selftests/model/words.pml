/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of three. The status word of the third is mapped. Two cancel at once:
 * whichever returns first, his caller reads the word as cancelled.
 */
#define CONTEXTS	3
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)
#define CHILD(c)	(((c) < CONTEXTS) * ((c) + 1))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(3 * CONTEXTS + (c) - 1)
#define JOINED(c)	(4 * CONTEXTS + (c) - 1)
#define PAGE(c)		(5 * CONTEXTS + (c) - 1)
#define CAUSE(c)	(6 * CONTEXTS + (c) - 1)
#define ERR(c)		(7 * CONTEXTS + (c) - 1)
#define LOCATIONS	(8 * CONTEXTS)

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c);
	wake_subtree(c);
	acquire(err_acquire, ERR(3), v);
	ENSURE(2, v);
	ENSURE(4, view & BIT(CAUSE(3)))
}

init {
	SETUP;
	atomic {
		PRESET(JOINED(3));
		PRESET(PAGE(3));
		run canceller(1);
		if
		:: run canceller(1)
		:: run canceller(2)
		:: run canceller(3)
		fi
	}
}
