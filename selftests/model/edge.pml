/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The third is made below the first, with the second for a further parent, and given
 * to a user, who waits on it or only looks at it. The other two are cancelled.
 */
#define CONTEXTS	3
#define UP(c)		((c) == 3)
#define BELOW(p, c)	3
#define CHILD(c)	0
#define EDGE(c)		(((c) == 2) * 3)
#define FURTHER(c)	(((c) == 3) * 2)

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define WAIT(c)		(3 * CONTEXTS + (c) - 1)
#define JOINED(c)	(4 * CONTEXTS + (c) - 1)
#define LINK(c)		(5 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(6 * CONTEXTS + (c) - 1)
#define HOOK(c)		(7 * CONTEXTS + (c) - 1)
#define UNHOOK(c)	(8 * CONTEXTS + (c) - 1)
#define LOCATIONS	(9 * CONTEXTS)

bool asleep[CONTEXTS + 1], woken[CONTEXTS + 1], made;
int given;

#include "ctx.pml"

/* That of the first is told by nobody here. */
proctype marker()
{
	THREAD;
	bool won;

	mark(1)
}

proctype canceller()
{
	THREAD;
	bool won, late;

	/* Somebody told it that the first is cancelled. */
	if
	:: read(ORIGIN(1), v);
		late = (v != 0)
	:: skip
	fi;
	mark(2);
	wake_subtree(2);
	if
	:: made ->
		ENSURE(2, !asleep[3] || woken[3]);
		view = view | given;
		origin(3);
		ENSURE(6, o);
		READ_RECORD(o);
		ENSURE(1, !late || o == 1)
	:: !made
	fi
}

proctype maker()
{
	THREAD;
	bool late;

	/* Somebody told it that the second is cancelled. */
	if
	:: read(ORIGIN(2), v);
		late = (v != 0)
	:: skip
	fi;
	link(3);
	merge_link(3);
	/* Else the hooks of what is cancelled could grow for ever, and no walk end. */
	ENSURE(2, !late || !mem[HOOK(3)]);
	d_step { given = view; made = true }
}

proctype user(bool waits)
{
	THREAD;

	d_step { made; view = given }
	if
	:: waits ->
		write(WAIT(3), 1);
		barrier(poll_mb)
	:: else
	fi;
	origin(3);
	if
	:: o -> READ_RECORD(o)
	:: !o && waits ->
		asleep[3] = true;
		woken[3]
	:: else
	fi
}

init {
	SETUP;
	atomic {
		run marker();
		run canceller();
		run maker();
		if
		:: run user(true)
		:: run user(false)
		fi
	}
}
