/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One clock's timer, armed for an early deadline that its owner removes, while another sets a
 * late one, or sets the early one anew: which both arm the timer only where it is not to run by then.
 */
#define CONTEXTS	2
#define LOCATIONS	1

/* The lock of the clock */
#define CLOCK		0

#include "memory.pml"

/* Deadlines are their times; 0 is none. */
bool queued[CONTEXTS + 1];
byte armed = 1;

/* clock.c: ctx_clock_arm(), with what the timer was armed for as far as the caller knows */
inline clock_arm(known)
{
	next = (queued[1] -> 1 : (queued[2] -> 2 : 0));
	p = (ORDER(armed_look) -> armed : known);
	armed = (!next || p && p <= next -> armed : next)
}

/* ctx_clock_expired(), at whatever time it was armed for */
proctype timer()
{
	THREAD;

end:	do
	:: d_step { armed -> q = armed; armed = 0 }
		do
		:: atomic {
				lock(CLOCK);
				v = (queued[1] -> 1 : (queued[2] && q == 2 -> 2 : 0));
				queued[v] = false;
				if
				:: !v -> clock_arm(armed)
				:: else
				fi;
				unlock(CLOCK)
			}
			if
			:: !v -> break
			:: else
			fi
		od
	od
}

inline clock_add(deadline)
{
	old = armed;
	atomic {
		lock(CLOCK);
		queued[deadline] = true;
		clock_arm(old);
		unlock(CLOCK)
	}
}

proctype setter()
{
	THREAD;

	atomic { lock(CLOCK); queued[1] = false; unlock(CLOCK) }
	if
	:: clock_add(1)
	:: skip
	fi
}

proctype other()
{
	THREAD;

	clock_add(2)
}

proctype judge()
{
	timeout;
	ENSURE(3, !queued[1] && !queued[2])
}

init {
	SETUP;
	atomic {
		queued[1] = true;
		run timer();
		run setter();
		run other();
		run judge()
	}
}
