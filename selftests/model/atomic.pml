/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of three. The first and the second are cancelled at once, while two
 * look at contexts, one after the other.
 */
#define CONTEXTS	3
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define LOCATIONS	(2 * CONTEXTS)

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c);
	/* That of ctx_mark_children() which others see at once. */
	cur = c;
	do
	:: cur < CONTEXTS ->
		acquire(walk_acquire, ORIGIN(cur), o);
		inherit(cur + 1);
		cur++
	:: else -> break
	od
}

proctype observer()
{
	THREAD;
	byte first, second, seen;
	bool won;

	if
	:: first = 1
	:: first = 2
	:: first = 3
	fi;
	if
	:: second = 1
	:: second = 2
	:: second = 3
	fi;
	origin(first);
	if
	:: o == 1 && second == 2 -> /* too late to cancel */
		mark(2);
		ENSURE(1, !won)
	:: o ->
		seen = o;
		READ_RECORD(seen);
		origin(second);
		if
		:: second == first -> ENSURE(4, o == seen)
		:: second < first && second >= seen -> ENSURE(5, o == seen)
		:: second > first -> ENSURE(1, o >= seen && o <= second)
		:: else
		fi;
		if
		:: o -> READ_RECORD(o)
		:: else
		fi
	:: else
	fi
}

/* Passes on what it sees. */
proctype teller()
{
	THREAD;

	origin(3)
}

init {
	SETUP;
	atomic {
		run canceller(1);
		run canceller(2);
		run observer();
		run teller()
	}
}
