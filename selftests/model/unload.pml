/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The deadline of a context passes, while its last descriptor is closed and the module
 * is removed.
 */
#define CONTEXTS	1

#define COUNTED		0	/* ctx_deadline_works is 1 */
#define UNCOUNTED	1	/* and 0 again */
#define FREED		2
#define LOCATIONS	3

byte refs = 1;
int refs_view, work_view;
bool queued, expired, gone;

#include "memory.pml"

/* ctx_deadline_queue() */
proctype timer()
{
	THREAD;
	bool got;

	write(COUNTED, 1);
	d_step {
		got = refs > 0;
		if
		:: got -> refs++; refs_view = refs_view | (ORDER(works_mb) -> view : 0)
		:: else
		fi
	}
	if
	:: got -> d_step { work_view = view; queued = true }
	:: else -> write(UNCOUNTED, 1)
	fi;
	ENSURE(9, !gone);
	expired = true
}

/* ctx_deadline_work(), the ctx_put() in it, and the end of the context */
proctype work()
{
	THREAD;

end:	d_step { queued; view = work_view }
	d_step {
		refs--;
		v = refs;
		view = view | refs_view;
		refs_view = view
	}
	if
	:: !v -> expired; write(FREED, 1)
	:: else
	fi;
	ENSURE(9, !gone);
	release(works_release, UNCOUNTED, 1)
}

/* ctx_release(), ctx_exit() */
proctype remover()
{
	THREAD;

	/* What removes a module comes after the end of the module's last file. */
	d_step {
		refs--;
		v = refs;
		view = view | refs_view;
		refs_view = view
	}
	if
	:: !v -> expired; write(FREED, 1)
	:: else
	fi;
	/* ctx_deadline_drain() */
	do
	:: read(COUNTED, v);
		if
		:: v -> acquire(works_acquire, UNCOUNTED, v)
		:: else -> break
		fi;
		if
		:: v -> break
		:: else
		fi
	od;
	gone = true;
	ENSURE(9, view & BIT(FREED))
}

init {
	SETUP;
	atomic {
		run timer();
		run work();
		run remover()
	}
}
