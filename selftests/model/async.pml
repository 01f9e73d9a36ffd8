/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One turns O_ASYNC of a descriptor on, another turns it off, and it is closed after that. A
 * walk, which leaves the signal to the queue, comes at any time. What the context's list, the
 * queue and the kernel have is of the descriptor: nothing of it may be there once that is closed.
 *
 * Each step here is under a lock of its own, so there is no weak memory in it.
 */
#define CONTEXTS	1
#define LOCATIONS	1

#include "memory.pml"

bool entry;		/* it is on the context's list */
bool signal;		/* it is on the kernel's, by fasync_helper() */
bool sent, queued, off, closed;
byte ended;

/* signal.c, ctx_signal_remove() */
inline signal_remove()
{
	if
	:: ORDER(off_first) -> entry = false; signal = false
	:: else -> signal = false; entry = false
	fi;
	/* ctx_unqueue_signal() */
	d_step {
		if
		:: ORDER(unqueue) -> off = true; queued = false
		:: else
		fi
	}
}

/* ctx_signal_fasync() that turns it off */
inline turn_off()
{
	if
	:: entry -> signal_remove()
	:: else
	fi
}

/* ctx_signal_on() */
proctype asker()
{
	entry = true;
	signal = true;
	if
	:: ORDER(on_look) && !entry -> signal_remove()
	:: else
	fi;
	ended++
}

proctype other()
{
	turn_off();
	ended++
}

/* ctx_release(): both have returned. */
proctype closer()
{
	ended == 2;
	turn_off();
	d_step {
		closed = true;
		ENSURE(8, !entry && !signal && !queued)
	}
}

/* ctx_signal_all() */
proctype walker()
{
	bool claimed;

	/* ctx_signal_next() */
	d_step {
		claimed = entry && signal && !sent;
		sent = sent || claimed
	}
	/* ctx_queue_signal() */
	if
	:: claimed ->
		d_step {
			queued = !off || !ORDER(off_look);
			ENSURE(8, !queued || !closed)
		}
	:: else
	fi
}

/* ctx_turn_signals() */
proctype worker()
{
end:	do
	:: d_step { queued -> queued = false }
	od
}

init {
	SETUP;
	atomic {
		run asker();
		run other();
		run closer();
		run walker();
		run worker()
	}
}
