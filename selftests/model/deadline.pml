/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of two. The deadline of the second passes, and maybe that of the first, while the
 * owner of the second moves or removes its deadline and the first or the second is
 * cancelled.
 */
#define CONTEXTS	2
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define LOCATIONS	(2 * CONTEXTS)

/* The lock of a clock, and its queue: 0 is no context. */
#define CLOCK		0
bool queued[CONTEXTS + 1];

/* The deadline was set anew; the outer lock. */
bool anew, removed;

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c)
}

/* ctx_deadlines_strike() */
inline strike(c)
{
	o = 0;
	if
	:: ORDER(strike_look) ->
		atomic {
			p = c;
			do
			:: p && !o -> read(ORIGIN(p), o); p = UP(p)
			:: else -> break
			od
		}
	:: else
	fi;
	won = false;
	if
	:: !o ->
		atomic {
			lock(OUTER(c));
			if
			:: c == 1 || !anew || !ORDER(due_look) -> mark_locked(c)
			:: else
			fi;
			unlock(OUTER(c))
		}
	:: else
	fi
}

/* ctx_clock_run() */
proctype timer()
{
	THREAD;
	bool won, first;

	do
	:: cur < CONTEXTS ->
		cur++;
		atomic {
			lock(CLOCK);
			next = queued[cur];
			queued[cur] = false;
			unlock(CLOCK)
		}
		if
		:: next && cur == 1 ->
			strike(1);
			first = won
		:: next && cur == 2 ->
			strike(2);
			ENSURE(4, !won || !removed);
			ENSURE(1, !won || !first)
		:: else
		fi
	:: else -> break
	od
}

/* ctx_deadline_set(), to never or to what does not pass here */
proctype setter()
{
	THREAD;

	origin(2);
	if
	:: !o ->
		atomic {
			lock(OUTER(2));
			if
			:: ORDER(deadline_look) -> read(ORIGIN(2), o)
			:: else
			fi;
			if
			:: !o ->
				lock(CLOCK);
				queued[2] = false;
				unlock(CLOCK);
				anew = true;
				removed = true;
				/* The owner is told that it lives: then he has not heard otherwise. */
				ENSURE(4, !(view & BIT(ORIGIN(2))))
			:: else
			fi;
			unlock(OUTER(2))
		}
	:: else
	fi
}

init {
	SETUP;
	atomic {
		queued[2] = true;
		if
		:: queued[1] = true
		:: skip
		fi;
		run timer();
		run setter();
		if
		:: run canceller(1)
		:: run canceller(2)
		fi
	}
}
