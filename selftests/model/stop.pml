/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of three. The status word of the third is mapped. One who must not be kept cancels
 * the first or the second, or its deadline passes: he leaves the rest to the queue, which
 * takes turns. One cancels the first or the second, too, and stays until all were told.
 * Whoever returns without having stopped knows that all were.
 */
#define CONTEXTS	3
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)
#define CHILD(c)	(((c) < CONTEXTS) * ((c) + 1))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(3 * CONTEXTS + (c) - 1)
#define NEVER		(4 * CONTEXTS)
#define JOINED(c)	(NEVER + ((c) == 3))
#define PAGE(c)		(NEVER + ((c) == 3) * 2)
#define CAUSE(c)	(NEVER + 3)
#define ERR(c)		(NEVER + 4)
#define WAIT(c)		(NEVER + ((c) == 2) * 5)
#define LOCATIONS	(NEVER + 6)
#define BRIEF
#define MAY_STOP	brief

bool woken[CONTEXTS + 1];
byte queued;
int queued_view;

#include "ctx.pml"

inline all_told(c)
{
	ENSURE(2, woken[2]);
	acquire(err_acquire, ERR(3), v);
	ENSURE(2, v)
}

/* ctx_walk_resume(), where @placed is the context in the wait queue of which we have places */
inline resume(c)
{
	if
	:: !ORDER(resume_stop) ->
		acquire(told_acquire, TOLD(c), told);
		placed = (told -> 0 : placed)
	:: else
	fi;
	if
	:: ORDER(resume_stop) || !told ->
		tell(c);
		placed = (!told || ORDER(resume_stop) -> 0 : placed)
	:: else
	fi;
	ENSURE(8, !placed)
}

inline queue(c)
{
	d_step { queued_view = view; queued = c }
}

/* ctx_wake_subtree(), or ctx_wake_subtree_briefly() */
proctype canceller(byte c; bool brief)
{
	THREAD;
	bool won;
	byte waking;

	mark(c);
	walk(c);
	if
	:: left -> queue(c)
	:: else -> all_told(c)
	fi
}

/* ctx_deadlines_strike(), but for the look at the deadline */
proctype timer(byte c)
{
	THREAD;
	bool won;

	atomic {
		p = c;
		do
		:: p && !o -> read(ORIGIN(p), o); p = UP(p)
		:: else -> break
		od
	}
	if
	:: !o ->
		atomic {
			lock(OUTER(c));
			mark_locked(c);
			unlock(OUTER(c))
		}
		if
		:: won ->
			tell_briefly(c);
			if
			:: v -> unlink(c); all_told(c)
			:: else -> queue(c)
			fi
		:: else
		fi
	:: else
	fi
}

/* ctx_turn(), ctx_queue_one(): once with little to do in a turn */
proctype worker()
{
	THREAD;
	bool brief = true;
	byte placed, waking;

end:	d_step { queued; view = queued_view }
	do
	:: walk(queued);
		brief = false;
		if
		:: left ->
			left = 0;
			placed = waking;
			if
			:: placed -> resume(placed)
			:: else
			fi
		:: else -> break
		fi
	od;
	all_told(queued)
}

init {
	SETUP;
	atomic {
		PRESET(WAIT(2));
		PRESET(JOINED(3));
		PRESET(PAGE(3));
		if
		:: run canceller(1, true)
		:: run canceller(2, true)
		:: run timer(2)
		fi;
		run worker();
		if
		:: run canceller(1, false)
		:: run canceller(2, false)
		fi
	}
}
