/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of four, all but the last of which are cancelled, and were told. The status
 * word of the last is mapped. Three cancel, too late: whoever returns reads the word as
 * cancelled, also where his walk found a list empty that a second had emptied, which had
 * found empty what a third had.
 */
#define CONTEXTS	4
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)
#define CHILD(c)	(((c) < CONTEXTS) * ((c) + 1))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(3 * CONTEXTS + (c) - 1)
#define NEVER		(4 * CONTEXTS)
#define JOINED(c)	(NEVER + ((c) == 4))
#define PAGE(c)		(NEVER + ((c) == 4) * 2)
#define CAUSE(c)	(NEVER + 3)
#define ERR(c)		(NEVER + 4)
#define LOCATIONS	(NEVER + 5)

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c);
	wake_subtree(c);
	acquire(err_acquire, ERR(4), v);
	ENSURE(2, v)
}

init {
	SETUP;
	atomic {
		PRESET(RECORD(1));
		PRESET(ORIGIN(1));
		PRESET(ORIGIN(2));
		PRESET(ORIGIN(3));
		PRESET(TOLD(1));
		PRESET(TOLD(2));
		PRESET(TOLD(3));
		PRESET(JOINED(4));
		PRESET(PAGE(4));
		run canceller(1);
		run canceller(2);
		run canceller(3)
	}
}
