/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walk comes to a parent, while the last descriptors of its child and of itself are
 * closed and the child's deadline passes. Nothing is touched once it is free.
 */
#define CONTEXTS	2
#define LOCATIONS	1

#include "memory.pml"

byte refs[CONTEXTS + 1] = 1;
bool freed[CONTEXTS + 1], listed, expired;

#define TOUCH(c)	ENSURE(8, !freed[c])

/* tree.c: ctx_put(), ctx_destroy() */
inline put(c)
{
	d_step { TOUCH(c); refs[c]--; last = !refs[c] }
	if
	:: last && c == 2 ->
		/* ctx_deadline_free() */
		if
		:: ORDER(timer_stop) -> expired
		:: else
		fi;
		/* ctx_unlink() */
		if
		:: ORDER(unlink_dead) ->
			atomic { lock(1); listed = false; unlock(1) }
		:: else
		fi;
		freed[2] = true;
		d_step { refs[1]--; freed[1] = !refs[1] }
	:: last && c == 1 -> freed[1] = true
	:: else
	fi
}

/* ctx_wake_subtree() */
proctype walk()
{
	THREAD;
	bool last, got;

	/* ctx_mark_children() */
	lock(1);
	if
	:: listed ->
		d_step {
			TOUCH(2);
			got = refs[2] || !ORDER(ref_not_zero);
			if
			:: got -> refs[2]++
			:: else
			fi
		}
		if
		:: !got -> TOUCH(2); listed = false
		:: else
		fi
	:: else
	fi;
	unlock(1);
	if
	:: got ->
		TOUCH(2);			/* ctx_tell() */
		d_step { refs[1]--; ENSURE(8, refs[1]) }
		/* ctx_get(cur->up) */
		d_step { TOUCH(1); refs[1] = refs[1] + ORDER(walk_ref) }
		atomic { TOUCH(1); lock(1); TOUCH(2); listed = false; unlock(1) }
		put(2);
		TOUCH(1)			/* its other children */
	:: else
	fi;
	if
	:: !got || ORDER(walk_ref) -> put(1)
	:: else
	fi
}

proctype closer()
{
	THREAD;
	bool last;

	put(2);
	put(1)
}

/* ctx_deadline_expired() */
proctype timer()
{
	TOUCH(2);
	TOUCH(2);
	expired = true
}

init {
	SETUP;
	atomic {
		refs[1] = 3;	/* the file, the child, the walk */
		listed = true;
		run walk();
		run closer();
		run timer()
	}
}
