/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weak memory. Every word that the parts of the module share without a lock is
 * written once: so a location is not written yet (0) or holds what was written.
 *
 * A thread's @view is the set of writes that it must see. Of a location that is
 * not in it a load may give the old value however long ago it was written. A
 * write carries a view with it (@with), which whoever loads it by acquire adds
 * to his own. A full barrier exchanges views with all full barriers before it
 * (@sc); a lock hands over the view of whoever held it.
 *
 * This allows more than the kernel's memory model (LKMM) does: a cmpxchg() that
 * succeeds is a release here and not a full barrier, a full barrier orders no
 * earlier relaxed load but that of the same location, and a release takes with
 * it what its thread acquired, not what it loaded otherwise. A cmpxchg() that
 * fails orders nothing, as there. An unlock and a lock after it order nothing for
 * those who do not take that lock.
 *
 * Nor does an address dependency order anything, but in publish.pml. So that a record
 * is read too early where an acquire of an origin is left out shows no more than that
 * the origin must be read once: LKMM orders what is read through the pointer after it.
 *
 * A scenario that sets @start to -1 (diamond.pml) is sequentially consistent.
 *
 * It has one thing less: a thread's stores do not overtake its own loads.
 * Stores that follow a load in the code depend on it, release, are under a
 * lock, or come before a full barrier.
 */

/* The step that is left out: run sets it. 0 is none. */
hidden byte omitted;
#define always		255
#define ORDER(step)	(omitted != step)

#define SETUP		c_code { omitted = getenv("OMIT") ? atoi(getenv("OMIT")) : 0; }

/* What must hold, with the number of the guarantee that it is part of. */
#define ENSURE(guarantee, condition)	assert(guarantee && (condition))

#define BIT(l)		(1 << (l))

byte mem[LOCATIONS];
int with[LOCATIONS] = -1;	/* all, as long as nothing is written */
int sc, start;
bool held[CONTEXTS + 1];
int handed[CONTEXTS + 1];

#define THREAD	int view = start; byte o, v, p, q, old, child, next, cur, done, via, left, told, someone

inline read(l, value)
{
	if
	:: d_step { mem[l] -> value = mem[l]; view = view | BIT(l) }
	:: d_step { !mem[l] || !(view & BIT(l)) -> value = 0 }
	fi
}

inline acquire(step, l, value)
{
	if
	:: d_step {
		mem[l] -> value = mem[l];
		view = view | BIT(l) | (ORDER(step) -> with[l] : 0)
	}
	:: d_step { !mem[l] || !(view & BIT(l)) -> value = 0 }
	fi
}

/* Of two writes of the same value, whoever loads it may see either. */
#define WRITE(l, value, carried)						\
	with[l] = BIT(l) | (with[l] & (carried));				\
	mem[l] = value;								\
	view = view | BIT(l)

inline write(l, value)
{
	d_step { WRITE(l, value, 0) }
}

inline release(step, l, value)
{
	d_step { WRITE(l, value, (ORDER(step) -> view : 0)) }
}

/* @old is 0 where it succeeds. */
inline cmpxchg(step, l, value)
{
	if
	:: d_step { !mem[l] -> old = 0; WRITE(l, value, (ORDER(step) -> view : 0)) }
	:: d_step { mem[l] && ORDER(once) -> old = mem[l]; view = view | BIT(l) }
	:: d_step { mem[l] && !ORDER(once) -> old = 0; WRITE(l, value, view) }
	fi
}

inline barrier(step)
{
	d_step { if :: ORDER(step) -> view = view | sc; sc = view :: else fi }
}

/* To be followed by what is done first under the lock, in one atomic step. */
inline lock(c)
{
	d_step { !held[c] -> held[c] = true; view = view | handed[c] }
}

inline unlock(c)
{
	d_step { held[c] = false; handed[c] = view }
}

/* For init: what was written before, and all know of it. */
#define PRESET(l)	d_step { mem[l] = 1; with[l] = BIT(l); start = start | BIT(l) }
