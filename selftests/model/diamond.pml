/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first has the second and the third for children, and the third has the
 * second for a further parent. One sleeps on a child of the third. Two cancel, and
 * none of them may return before the sleeper was woken, whoever wakes him. All loads
 * give the newest value here: it is about the way of the walk, not about memory.
 */
#define CONTEXTS	4
#define UP(c)		((c) - 1 - ((c) == 3))
#define BELOW(p, c)	((p) + 1 + ((p) == 1 && (c) > 2))
#define CHILD(c)	(((c) == 1) * 2 + ((c) == 3) * 4)
#define SIBLING(c)	(((c) == 2) * 3)
#define EDGE(c)		(((c) == 2) * 3)
#define FURTHER(c)	(((c) == 3) * 2)

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define WAIT(c)		(3 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(4 * CONTEXTS + (c) - 1)
#define UNHOOK(c)	(5 * CONTEXTS + (c) - 1)
#define LOCATIONS	(6 * CONTEXTS)

bool woken[CONTEXTS + 1];

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c);
	wake_subtree(c);
	ENSURE(2, woken[4])
}

init {
	SETUP;
	atomic {
		start = -1;
		PRESET(WAIT(4));
		if
		:: run canceller(1)
		:: run canceller(2)
		:: run canceller(3)
		fi;
		if
		:: run canceller(1)
		:: run canceller(2)
		fi
	}
}
