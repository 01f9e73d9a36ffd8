/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The deadline of a context passes, while its last descriptor is closed and the module
 * is removed.
 */
#define CONTEXTS	1

#define STOPPED		0	/* ctx_clocks_stopped */
#define FREED		1
#define LOCATIONS	2

/* The lock of a clock */
#define CLOCK		1

byte refs = 1;
bool clocked = true, armed = true, expiring;
/* In the queue: the clock, the context. Then its work, and how far flush_work() is. */
bool late, queued, pending, working, gone;
byte flush;
int refs_view, timer_view, work_view, flush_view;

#include "memory.pml"

inline queue_work()
{
	d_step { pending = true; work_view = work_view | view }
}

/* clock.c */
inline clock_arm()
{
	v = 0;
	if
	:: ORDER(stopped_look) -> read(STOPPED, v)
	:: else
	fi;
	armed = armed || !v
}

/* What comes after CTX_BATCH of them is left to the queue. */
inline clock_run()
{
	got = false;
	if
	:: atomic {
			lock(CLOCK);
			if
			:: clocked ->
				clocked = false;
				got = refs > 0;
				refs = refs + got
			:: clocked -> clock_arm()
			:: !clocked
			fi;
			unlock(CLOCK)
		}
	:: late = true;
		queue_work()
	fi;
	/* ctx_put_any() */
	if
	:: got ->
		d_step {
			v = refs != 1;
			refs = refs - v;
			refs_view = refs_view | view
		}
		if
		:: !v -> queued = true; queue_work()
		:: else
		fi
	:: else
	fi
}

proctype timer()
{
	THREAD;
	bool got;

end:	do
	:: d_step { armed && !expiring; armed = false; expiring = true; view = view | timer_view }
		clock_run();
		ENSURE(9, !gone);
		d_step { expiring = false; timer_view = view }
	od
}

inline retire()
{
	atomic { lock(CLOCK); clocked = false; unlock(CLOCK) }
}

inline put()
{
	d_step {
		refs--;
		refs_view = refs_view | view;
		v = refs;
		view = (v -> view : refs_view)
	}
	if
	:: !v -> retire(); write(FREED, 1)
	:: else
	fi
}

/* queue.c: ctx_queue_run() */
proctype worker()
{
	THREAD;
	bool got;

end:	do
	:: d_step {
			pending;
			pending = false;
			working = true;
			view = view | work_view;
			flush = (flush == 1 -> 2 : flush)
		}
		do
		:: d_step { late; late = false; ENSURE(9, !gone) }
			clock_run()
		:: d_step { queued; queued = false; ENSURE(9, !gone); v = refs }
			if
			:: v -> put()
			:: else -> write(FREED, 1)
			fi
		:: !late && !queued -> break
		od;
		atomic {
			working = false;
			flush_view = view;
			flush = (flush == 2 -> 3 : flush)
		}
	od
}

/* ctx_release(), ctx_exit() */
proctype remover()
{
	THREAD;

	/*
	 * What removes a module comes after the end of the module's last file, which may
	 * leave the context to the queue.
	 */
	if
	:: refs++;
		queued = true;
		queue_work()
	:: skip
	fi;
	d_step {
		refs--;
		refs_view = refs_view | view;
		v = refs;
		view = (v -> view : refs_view)
	}
	if
	:: !v ->
		retire();
		if
		:: write(FREED, 1)
		:: queued = true; queue_work()	/* ctx_queue_dead() */
		fi
	:: else
	fi;
	/* ctx_clocks_stop() */
	write(STOPPED, 1);
	if
	:: ORDER(stop_lock) -> atomic { lock(CLOCK); unlock(CLOCK) }
	:: else
	fi;
	if
	:: ORDER(timer_cancel) ->
		d_step { !expiring; armed = false; view = view | timer_view }
	:: else
	fi;
	/* ctx_queue_drain(): waits for the work that was queued last */
	if
	:: ORDER(queue_drain) ->
		flush = (pending -> 1 : (working -> 2 : 3));
		d_step { flush == 3; view = view | flush_view }
	:: else
	fi;
	gone = true;
	ENSURE(9, !armed && !late && !queued);
	ENSURE(9, view & BIT(FREED))
}

init {
	SETUP;
	atomic {
		run timer();
		run worker();
		run remover()
	}
}
