/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of two, to which a third is added while the first is cancelled. Its
 * maker gives it to a user, who waits on it or only looks at it.
 */
#define CONTEXTS	3
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)
#define CHILD(c)	(((c) < CONTEXTS) * ((c) + 1))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define WAIT(c)		(3 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(4 * CONTEXTS + (c) - 1)
#define LINK(c)		(5 * CONTEXTS + (c) - 1)
#define LOCATIONS	(6 * CONTEXTS)

bool asleep[CONTEXTS + 1], woken[CONTEXTS + 1], made;
int given;

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c);
	wake_subtree(c);
	if
	:: made ->
		ENSURE(2, !asleep[3] || woken[3]);
		view = view | given;
		origin(3);
		ENSURE(6, o)
	:: !made
	fi
}

proctype maker(byte c)
{
	THREAD;
	bool late;

	/* Somebody told it that the first is cancelled. */
	if
	:: read(ORIGIN(1), v);
		late = (v != 0)
	:: skip
	fi;
	link(c);
	/* Else the lists of what is cancelled could grow for ever, and no walk end. */
	ENSURE(2, !late || !LINKED(c));
	if
	:: late -> origin(c); ENSURE(6, o)
	:: else
	fi;
	d_step { given = view; made = true }
}

proctype user(byte c; bool waits)
{
	THREAD;

	d_step { made; view = given }
	if
	:: waits ->
		write(WAIT(c), 1);
		barrier(poll_mb)
	:: else
	fi;
	origin(c);
	if
	:: o -> READ_RECORD(o)
	:: !o && waits ->
		asleep[c] = true;
		woken[c]
	:: else
	fi
}

init {
	SETUP;
	atomic {
		PRESET(LINK(2));
		run canceller(1);
		run maker(3);
		if
		:: run user(3, true)
		:: run user(3, false)
		fi
	}
}
