/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walk comes to a parent, while the last descriptors of its child and of itself are
 * closed, the child's deadline passes, and somebody finds the child by its id. Some of it is
 * left to the queue. Nothing is touched once it is free, and all is freed.
 */
#define CONTEXTS	2
#define LOCATIONS	1

#include "memory.pml"

byte refs[CONTEXTS + 1] = 1, ended;
bool freed[CONTEXTS + 1], queued[CONTEXTS + 1];
bool listed, clocked, tabled, busy;

#define TOUCH(c)	ENSURE(8, !freed[c])

/* queue.c: ctx_queue(), which takes over a reference */
inline queue(c)
{
	d_step {
		TOUCH(c);
		twice = queued[c];
		queued[c] = true;
		if
		:: twice && ORDER(queued_put) ->
			refs[c]--;
			ENSURE(8, refs[c])
		:: else
		fi
	}
	if
	:: twice && !ORDER(queued_put) ->
		d_step { TOUCH(c); refs[c]--; ENSURE(8, refs[c]) }
	:: else
	fi
}

inline put_any(c)
{
	d_step {
		TOUCH(c);
		twice = refs[c] != 1 || !ORDER(put_not_last);
		refs[c] = refs[c] - twice;
		/* It would be freed in an interrupt. */
		ENSURE(7, refs[c])
	}
	if
	:: !twice -> queue(c)
	:: else
	fi
}

/* tree.c: ctx_free_dead(), which may leave something to the queue */
inline free_dead(c)
{
	TOUCH(c);
	if
	:: c == 2 ->
		d_step { refs[1]--; last = !refs[1] }
		if
		:: last -> freed[1] = true
		:: last -> queued[1] = true
		:: else
		fi
	:: else
	fi;
	d_step { TOUCH(c); freed[c] = true }
}

inline put(c)
{
	d_step { TOUCH(c); ENSURE(8, refs[c]); refs[c]--; last = !refs[c] }
	if
	:: last && c == 2 ->
		/* ctx_unregister() */
		if
		:: ORDER(unregister) -> tabled = false
		:: else
		fi;
		/* ctx_deadline_free() */
		if
		:: ORDER(timer_stop) -> clocked = false
		:: else
		fi;
		/* ctx_unlink() */
		if
		:: ORDER(unlink_dead) ->
			atomic { lock(1); listed = false; unlock(1) }
		:: else
		fi
	:: else
	fi;
	if
	:: last -> free_dead(c)
	:: else
	fi
}

/* ctx_walk() */
proctype walk()
{
	THREAD;
	bool last, twice, got;

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
		TOUCH(2);			/* ctx_walk_tell() */
		/* ctx_walk_leave(), or with the lock */
		if
		:: d_step { TOUCH(1); TOUCH(2); listed = false }
		:: atomic { TOUCH(1); lock(1); TOUCH(2); listed = false; unlock(1) }
		fi;
		put(2);
		TOUCH(1)			/* its other children */
	:: else
	fi;
	if
	:: put(1)
	:: queue(1)
	fi;
	ended++
}

proctype closer()
{
	THREAD;
	bool last, twice;

	if
	:: refs[2]++;
		queue(2)
	:: skip
	fi;
	put(2);
	put(1);
	ended++
}

/* ctx_clock_take(), ctx_deadlines_strike() */
proctype timer()
{
	THREAD;
	bool twice, got;

	d_step {
		if
		:: clocked ->
			TOUCH(2);
			clocked = false;
			got = refs[2] || !ORDER(due_ref);
			refs[2] = refs[2] + got
		:: else
		fi
	}
	if
	:: got ->
		TOUCH(2);
		if
		:: queue(2)
		:: atomic { lock(1); listed = false; unlock(1) }
			put_any(2)
		fi
	:: else
	fi;
	ended++
}

/* registry.c: ctx_lookup() or ctx_scan_list(), and what is done with it */
proctype finder()
{
	THREAD;
	bool last, twice, got;

	d_step {
		if
		:: tabled ->
			TOUCH(2);
			got = refs[2] || !ORDER(ref_not_zero);
			refs[2] = refs[2] + got
		:: else
		fi
	}
	if
	:: got -> put(2)
	:: else
	fi;
	ended++
}

inline queue_one(c)
{
	d_step { queued[c] = false; busy = true }
	TOUCH(c);
	if
	:: !refs[c] -> free_dead(c)
	:: refs[c] -> put(c)
	:: refs[c] -> queue(c)
	fi;
	busy = false
}

proctype worker()
{
	THREAD;
	bool last, twice;

end:	do
	:: queued[1] -> queue_one(1)
	:: queued[2] -> queue_one(2)
	od
}

proctype end_of_all()
{
end:	ended == 4 && !queued[1] && !queued[2] && !busy;
	ENSURE(8, freed[1] && freed[2])
}

init {
	SETUP;
	atomic {
		refs[1] = 3;	/* the file, the child, the walk */
		listed = true;
		clocked = true;
		tabled = true;
		run walk();
		run closer();
		run timer();
		run finder();
		run worker();
		run end_of_all()
	}
}
