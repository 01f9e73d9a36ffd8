/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One adds a callback and removes it, while the context is cancelled.
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
#define RAN(c)		6	/* what the function did */
#define RETURNED(c)	7	/* @runner is NULL again */
#define REMOVER(c)	8	/* waits for that */
#define UNLINK(c)	9
#define LOCATIONS	10

bool added, removed, asleep, woken;
int given;

#include "ctx.pml"

proctype canceller()
{
	THREAD;
	bool won;

	mark(1);
	wake_subtree(1);
	run_callback(1);
	ENSURE(3, !added || removed || mem[UNHOOK(1)])
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
		removed = v;
		if
		:: !v ->
			write(REMOVER(1), 1);
			barrier(always);	/* prepare_to_wait() */
			acquire(callback_acquire, RETURNED(1), v);
			if
			:: !v ->
				asleep = true;
				d_step { woken; view = view | given }
				acquire(callback_acquire, RETURNED(1), v)
			:: else
			fi;
			ENSURE(3, view & BIT(RAN(1)))
		:: else
		fi
	:: else
	fi
}

init {
	SETUP;
	atomic {
		run canceller();
		run adder()
	}
}
