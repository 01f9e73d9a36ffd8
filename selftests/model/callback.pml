/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One adds a callback and removes it, while the context is cancelled: by one who runs
 * it, or who leaves that to a worker.
 */
#define CONTEXTS	1
#define UP(c)		0
#define BELOW(p, c)	1
#define CHILD(c)	0

#define ORIGIN(c)	0
#define RECORD(c)	1
#define TOLD(c)		2
#define JOINED(c)	3
#define HOOK(c)		4
#define UNHOOK(c)	5
#define BEGUN(c)	6
#define RAN(c)		7	/* what the function did */
#define RETURNED(c)	8	/* @begun is false again */
#define REMOVER(c)	9	/* waits for that */
#define UNLINK(c)	10
#define LOCATIONS	11

bool added, removed, freed, asleep, woken, pending;
int given, work_view;

#include "ctx.pml"

proctype canceller(bool brief)
{
	THREAD;
	bool won;

	mark(1);
	wake_subtree(1);
	take_callback(1);
	if
	:: v ->
		ENSURE(8, !freed);
		if
		:: !ORDER(callback_begun) -> write(BEGUN(1), 1)
		:: else
		fi;
		if
		:: brief -> d_step { work_view = view; pending = true }
		:: else -> run_callback(1)
		fi
	:: else
	fi;
	ENSURE(3, !added || removed || mem[UNHOOK(1)])
}

proctype worker()
{
	THREAD;

end:	d_step { pending; pending = false; view = work_view }
	ENSURE(8, !freed);
	run_callback(1)
}

proctype adder()
{
	THREAD;
	bool ours = true;

	/* ctx_callback_add() */
	atomic {
		lock(1);
		write(HOOK(1), 1);
		unlock(1)
	}
	join(1);
	if
	:: o ->
		hook_remove(1);
		ours = !v
	:: else
	fi;
	added = ours;

	/* ctx_callback_remove() */
	if
	:: ours ->
		hook_remove(1);
		/* cancel_work() */
		d_step {
			if
			:: !v && pending -> pending = false; v = 1
			:: else
			fi
		}
		removed = v;
		if
		:: !v ->
			write(REMOVER(1), 1);
			barrier(always);	/* prepare_to_wait() */
			read(BEGUN(1), v);
			if
			:: v ->
				acquire(callback_acquire, RETURNED(1), v);
				if
				:: !v ->
					asleep = true;
					d_step { woken; view = view | given }
					acquire(callback_acquire, RETURNED(1), v)
				:: else
				fi
			:: else
			fi;
			ENSURE(3, view & BIT(RAN(1)))
		:: else
		fi
	:: else
	fi;
	freed = true
}

init {
	SETUP;
	atomic {
		if
		:: run canceller(false)
		:: run canceller(true)
		fi;
		run worker();
		run adder()
	}
}
