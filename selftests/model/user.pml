/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last context of a user is freed, while a timer of his expires and two tasks of the
 * same uid make contexts. All of the same uid count on the same user, and none is touched
 * once he is free.
 */
#define CONTEXTS	3
#define LOCATIONS	1

#include "memory.pml"

/* Users, like contexts, are numbers from 1. @slot is what the array has for the uid. */
byte refs[CONTEXTS + 1], slot = 1, readers;
bool freed[CONTEXTS + 1];
bool armed = true, expiring, late, turn;

#define TOUCH(u)	ENSURE(8, !freed[u])

/* user.c */
inline user_put(u)
{
	d_step { TOUCH(u); refs[u]--; last = !refs[u] }
	if
	:: last ->
		d_step { if :: slot == u || !ORDER(user_remove) -> slot = 0 :: else fi }
		/* ctx_user_free() */
		if
		:: u == 1 && ORDER(user_stop) -> d_step { !expiring; armed = false }
		:: else
		fi;
		if
		:: ORDER(user_rcu) -> !readers
		:: else
		fi;
		freed[u] = true
	:: else
	fi
}

proctype maker(byte new)
{
	byte user, old;
	bool last;

	/* ctx_user_get() */
	d_step { readers++; old = slot }
	if
	:: old ->
		d_step {
			TOUCH(old);
			if
			:: refs[old] || !ORDER(user_look) -> refs[old]++; user = old
			:: else
			fi
		}
	:: else
	fi;
	readers--;
	/* ctx_user_insert(). It lets go of the lock where nothing stands there. */
	do
	:: user -> break
	:: else ->
		d_step {
			old = slot;
			if
			:: old && refs[old] -> TOUCH(old); refs[old]++; user = old
			:: old && !refs[old] -> refs[new] = 1; slot = new; user = new
			:: else
			fi
		}
		d_step {
			if
			:: !user && (!slot || !ORDER(user_insert)) ->
				refs[new] = 1;
				slot = new;
				user = new
			:: else
			fi
		}
	od;
	/* Else there were two, and each might have what one may. */
	ENSURE(7, slot == user);
	user_put(user)
}

/* Of the first, as the worker below: ctx_clock_expired(), ctx_queue_clock() */
proctype timer()
{
end:	d_step { armed; armed = false; expiring = true }
	TOUCH(1);
	d_step {
		late = true;
		if
		:: !turn && (refs[1] || !ORDER(user_ref)) -> refs[1]++; turn = true
		:: else
		fi
	}
	expiring = false
}

/* ctx_queue_run() */
proctype worker()
{
	bool last;

end:	do
	:: turn ->
		d_step { TOUCH(1); turn = false }
		d_step { TOUCH(1); late = false }
		d_step {
			TOUCH(1);
			if
			:: late && !turn -> refs[1]++; turn = true
			:: else
			fi
		}
		user_put(1)
	od
}

/* Frees the last context: ctx_unset_user() */
proctype closer()
{
	bool last;

	user_put(1)
}

init {
	SETUP;
	atomic {
		refs[1] = 1;
		run maker(2);
		run maker(3);
		run timer();
		run worker();
		run closer()
	}
}
