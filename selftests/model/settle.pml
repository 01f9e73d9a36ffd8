/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first is a further parent of the second, and that of the third. A fourth is made below
 * the third, in one way or the other, and given to a user, who waits on it or only looks
 * at it. The first is cancelled.
 */
#define CONTEXTS	4
#define UP(c)		(((c) == 4 && !crosses) * 3)
#define BELOW(p, c)	4
#define CHILD(c)	(((c) == 3 && !crosses) * 4)
#define EDGE(c)		(((c) < 3 || (c) == 3 && crosses) * ((c) + 1))
#define FURTHER(c)	(((c) == 2 || (c) == 3 || (c) == 4 && crosses) * ((c) - 1))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define WAIT(c)		(3 * CONTEXTS + ((c) == 4))
#define JOINED(c)	(3 * CONTEXTS + 2 + ((c) == 3))
#define LINK(c)		(3 * CONTEXTS + 4)
#define UNLINK(c)	(3 * CONTEXTS + 4 + (c))
#define HOOK(c)		(4 * CONTEXTS + 5 + ((c) == 4))
#define UNHOOK(c)	(4 * CONTEXTS + 6 + (c))
#define LOCATIONS	(5 * CONTEXTS + 7)
#define SETTLES

bool crosses, asleep[CONTEXTS + 1], woken[CONTEXTS + 1], made;
int given;

#include "ctx.pml"

proctype canceller()
{
	THREAD;
	bool won;

	mark(1);
	wake_subtree(1);
	if
	:: made ->
		ENSURE(2, !asleep[4] || woken[4]);
		view = view | given;
		origin(4);
		ENSURE(6, o);
		READ_RECORD(o)
	:: !made
	fi
}

proctype maker()
{
	THREAD;
	bool late;

	/* Somebody told it that the first is cancelled. */
	if
	:: read(ORIGIN(1), v);
		late = (v != 0)
	:: skip
	fi;
	if
	:: crosses -> merge_link(4)
	:: else -> link(4)
	fi;
	/* Else the lists of what is cancelled could grow for ever, and no walk end. */
	ENSURE(2, !late || (crosses -> !mem[HOOK(4)] : !mem[LINK(4)]));
	d_step { given = view; made = true }
}

proctype user(bool waits)
{
	THREAD;

	d_step { made; view = given }
	if
	:: waits ->
		write(WAIT(4), 1);
		barrier(poll_mb)
	:: else
	fi;
	origin(4);
	if
	:: o -> READ_RECORD(o)
	:: !o && waits ->
		asleep[4] = true;
		woken[4]
	:: else
	fi
}

init {
	SETUP;
	atomic {
		PRESET(HOOK(2));
		if
		:: crosses = true
		:: skip
		fi;
		run canceller();
		run maker();
		if
		:: run user(true)
		:: run user(false)
		fi
	}
}
