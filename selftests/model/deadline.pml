/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of two. The deadline of the second passes, while its owner removes it and
 * the first or the second is cancelled.
 */
#define CONTEXTS	2
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define LOCATIONS	(2 * CONTEXTS)

/* What the timers of a processor have in common, its lock and view: 0 is no context. */
#define BASE		0

bool armed = true, running, struck, queued, worked, removed;
int queued_view, worked_view;

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c)
}

/* ctx_deadline_expired(), at once or by ctx_deadline_defer() */
proctype timer()
{
	THREAD;
	bool won;

	atomic {
		lock(BASE);
		running = armed;
		armed = false;
		unlock(BASE)
	}
	if
	:: running ->
		if
		:: mark(2);
			ENSURE(4, !won || !removed)
		:: atomic {
				lock(OUTER(2));
				read(ORIGIN(2), v);
				struck = !v;
				unlock(OUTER(2))
			}
			d_step { queued = struck; queued_view = view }
		fi;
		atomic {
			lock(BASE);
			running = false;
			unlock(BASE)
		}
	:: else
	fi
}

/* ctx_deadline_work() */
proctype work()
{
	THREAD;
	bool won;

end:	d_step { queued; view = queued_view }
	mark(2);
	ENSURE(4, !won || !removed);
	d_step { worked_view = view; worked = true }
}

/* ctx_deadline_set(), which removes the deadline */
proctype setter()
{
	THREAD;
	bool cancelled, again;

	origin(2);
	cancelled = (o != 0);
	if
	:: !cancelled ->
		atomic {
			lock(OUTER(2));
			read(ORIGIN(2), v);
			cancelled = (v != 0);
			if
			:: !cancelled ->
				again = struck && ORDER(struck_look);
				lock(BASE);
				if
				:: running -> again = true
				:: !running && !again -> armed = false
				:: else
				fi;
				unlock(BASE)
			:: else
			fi
		}
		atomic {
			if
			:: !cancelled && !again && ORDER(deadline_look) ->
				read(ORIGIN(2), v);
				cancelled = (v != 0)
			:: else
			fi;
			/* The owner was told that it lives: then he has not heard otherwise. */
			ENSURE(4, cancelled || again || !(view & BIT(ORIGIN(2))));
			removed = !cancelled && !again;
			unlock(OUTER(2))
		}
	:: else
	fi;
	if
	:: again ->
		atomic {
			!running;
			lock(BASE);
			unlock(BASE)
		}
		if
		:: struck -> d_step { worked; view = view | worked_view }
		:: else
		fi;
		cancelled = true
	:: else
	fi;
	if
	:: cancelled -> origin(2); ENSURE(4, o)
	:: else
	fi
}

init {
	SETUP;
	atomic {
		run timer();
		run work();
		run setter();
		if
		:: run canceller(1)
		:: run canceller(2)
		fi
	}
}
