/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second is below the first, and the fourth below the second, with the third for a further
 * parent. The first and the third are cancelled. A walk from the third passes that on, where
 * it saw what is above the fourth alive, or somebody else noted at the second that he did.
 */
#define CONTEXTS	4
#define UP(c)		((c) == 2) + ((c) == 4) * 2
#define BELOW(p, c)	((p) + 1 + ((p) == 2))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define LOCATIONS	(2 * CONTEXTS)

byte looks, noted;
int looks_view;

#include "ctx.pml"

/* cancel.c: ctx_look(), which notes what it saw. @v becomes whether all was alive. */
inline note(when)
{
	atomic {
		lock(1);
		read(ORIGIN(2), v);
		if
		:: !v && noted < when -> noted = when
		:: else
		fi;
		unlock(1)
	}
}

inline look(when)
{
	d_step {
		when = looks;
		if
		:: ORDER(look_acquire) -> view = view | looks_view
		:: else
		fi
	}
	if
	:: !ORDER(look_all) -> note(when)
	:: else
	fi;
	atomic {
		read(ORIGIN(2), o);
		if
		:: !o -> read(ORIGIN(1), o)
		:: else
		fi
	}
	if
	:: !o && ORDER(look_all) -> note(when)
	:: else
	fi
}

proctype marker()
{
	THREAD;
	bool won;

	mark(1)
}

/* Another walk, wherever it came from */
proctype looker()
{
	THREAD;
	byte when;

	look(when)
}

proctype canceller()
{
	THREAD;
	bool won, late, known;
	byte since, when;

	/* Somebody told it that the first is cancelled. */
	if
	:: read(ORIGIN(1), v);
		late = (v != 0)
	:: skip
	fi;
	mark(3);
	d_step {
		looks++;
		since = looks;
		looks_view = looks_view | (ORDER(look_begin) -> view : 0)
	}
	atomic {
		lock(1);
		read(ORIGIN(2), v);
		known = !v && noted >= since;
		unlock(1)
	}
	if
	:: !known ->
		look(when);
		known = !o
	:: else
	fi;
	if
	:: known ->
		atomic {
			acquire(merge_acquire, ORIGIN(3), o);
			cmpxchg(origin_release, ORIGIN(4), o)
		}
	:: else
	fi;
	origin(4);
	ENSURE(6, o);
	READ_RECORD(o);
	ENSURE(1, !late || o == 1)
}

init {
	SETUP;
	atomic {
		run marker();
		run looker();
		run canceller()
	}
}
