/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the module, for spin. `make model` searches every order in which the
 * threads of a scenario may run, and every value that their loads may give, for
 * one that breaks a guarantee. Then it leaves out one ordering step after the
 * other: each time its scenario must fail.
 *
 *   memory.pml	weak memory, and ENSURE(), which names the guarantee
 *   ctx.pml	the functions of kmod/ on which the guarantees rest, each named as
 *		there without ctx_
 *   steps	the ordering steps, and where they are in the code
 *   all others	a scenario each: a small tree, and the threads that meet there
 *
 * A context is a number from 1, and 0 is NULL. A scenario says which there are and
 * which of their words it needs: what it does not name is never written there.
 *
 * Not modelled: the end of the owner (ctx_release(), which looks at @refs), and how many
 * contexts a walk tells before it stops: it may stop anywhere.
 *
 * Loads may be delayed to just before what the same thread does next that others
 * can see: the old value can still be had then. So they share an atomic step with
 * that, which spares most of the states. So does the taking of a lock with what is
 * done first under it, and its release with what is done last.
 */
#include "memory.pml"

#define OUTER(c)	(UP(c) + !UP(c) * (c))

#ifndef SIBLING
#define SIBLING(c)	0
#endif

/* The record of the cancellation that began at @c is read. */
#define READ_RECORD(c)	ENSURE(4, view & BIT(RECORD(c)))

/* status.c */
#ifdef PAGE
inline status_set(step, c)
{
	if
	:: ORDER(step) ->
		atomic {
			read(ORIGIN(c), v);
			barrier(status_mb)
		}
		atomic {
			read(PAGE(c), old);
			if
			:: old ->
				READ_RECORD(v);
				write(CAUSE(c), 1)
			:: else
			fi
		}
		if
		:: old -> release(err_release, ERR(c), 1)
		:: else
		fi
	:: else
	fi
}
#else
#define status_set(step, c)
#endif

#ifdef ZERO
/* ctx_status_prepare(): the page is zeroed, then published. */
inline status_prepare(c)
{
	atomic {
		read(PAGE(c), old);
		if
		:: !old ->
			d_step { WRITE(ZERO(c), 1, 0) }
			cmpxchg(page_release, PAGE(c), 1)
		:: else
		fi
	}
}

/* ctx_status_mmap(). After it the caller can see the word. */
inline mmap(c)
{
	status_prepare(c);
	join(c)
}
#endif

/* cancel.c; @o becomes the origin that @c then has */
inline inherit(c)
{
	atomic {
		cmpxchg(inherit_release, ORIGIN(c), o);
		if
		:: old -> acquire(inherit_acquire, ORIGIN(c), o)
		:: else
		fi
	}
}

inline copy_down(c)
{
	do
	:: p != c ->
		status_set(word_first, p);
		p = (ORDER(parent_first) -> BELOW(p, c) : c);
		inherit(p)
	:: else -> break
	od;
	status_set(word_told, c)
}

/* @o becomes the origin, or 0. */
inline origin(c)
{
	atomic {
		p = c;
		do
		:: p -> read(ORIGIN(p), o);
			if
			:: o -> break
			:: else -> p = UP(p)
			fi
		:: else -> break
		od;
		if
		:: o ->
			p = c;
			do
			:: acquire((p == c -> own_acquire : copy_down_acquire), ORIGIN(p), o);
				if
				:: o -> break
				:: else -> p = UP(p)
				fi
			od
		:: else
		fi
	}
	if
	:: o -> copy_down(c)
	:: else
	fi
}

#ifdef JOINED
inline join(c)
{
	write(JOINED(c), 1);
	barrier(join_mb);
	origin(c)
}
#endif

/* ctx_mark_locked(); @won becomes whether it was cancelled here */
inline mark_locked(c)
{
	read(ORIGIN(c), v);
	if
	:: !v ->
		d_step { ENSURE(4, mem[ORIGIN(c)] != c); WRITE(RECORD(c), 1, 0) }
		cmpxchg(origin_release, ORIGIN(c), c);
		won = !old
	:: else -> won = false
	fi
}

inline mark(c)
{
	if
	:: ORDER(mark_look) -> origin(c)
	:: else -> o = 0
	fi;
	if
	:: o -> won = false
	:: else ->
		atomic {
			lock(OUTER(c));
			mark_locked(c);
			unlock(OUTER(c))
		}
	fi
}

#ifdef SIGNAL
/* signal.c. @sent[c] is once true; what the kernel has on its list is SIGNAL(c). */
inline signal_claim(c)
{
	atomic {
		lock(c);
		v = !sent[c];
		sent[c] = true;
		unlock(c)
	}
}

inline signal_all(c)
{
	atomic {
		lock(c);
		v = 0;
		if
		:: mem[ENTRY(c)] && !sent[c] ->
			read(SIGNAL(c), v);
			sent[c] = v || !ORDER(signal_look)
		:: else
		fi;
		/* kill_fasync() */
		signalled[c] = signalled[c] + v;
		unlock(c)
	}
}
#endif

#ifdef TOLD
/* walk.c. Where it stops, and waiters are left, @waking is the context on which they wait. */
#ifdef JOINED
inline tell_word(c)
{
	read(JOINED(c), v);
	if
	:: v -> status_set(always, c)
	:: else
	fi
}
#else
#define tell_word(c)	skip
#endif

inline tell(c)
{
	atomic {
		acquire(told_acquire, TOLD(c), told);
		if
		:: !told -> barrier(tell_mb)
		:: else
		fi
	}
	if
	:: !told ->
		tell_word(c);
#ifdef WAIT
		atomic {
			read(WAIT(c), v);
			if
			:: v -> woken[c] = true
#ifdef MAY_STOP
			:: v && MAY_STOP -> left = 1
#endif
			:: else
			fi
		}
#endif
#ifdef SIGNAL
		read(JOINED(c), v);
		if
		:: v -> signal_all(c)
		:: else
		fi;
#endif
#ifdef MAY_STOP
		if
		:: left && ORDER(stop_told) -> waking = c
		:: else -> release(told_release, TOLD(c), 1)
		fi
#else
		release(told_release, TOLD(c), 1)
#endif
	:: else
	fi
}

#ifdef LINK
#define LINKED(c)	(mem[LINK(c)] && !mem[UNLINK(c)])
#else
#define LINKED(c)	(!mem[UNLINK(c)])
#endif

/* ctx_list_empty(&child->children); @v becomes its opposite */
inline has_children(c)
{
	child = CHILD(c);
	do
	:: child ->
		v = 1;
#ifdef LINK
		read(LINK(child), v);
#endif
		if
		:: v ->
			acquire(list_acquire, UNLINK(child), v);
			v = !v
		:: else
		fi;
		if
		:: v -> break
		:: else -> child = SIBLING(child)
		fi
	:: else -> break
	od
}

/* But for the barrier. @someone becomes the result, and @v whether a walk must go there. */
inline has_someone_to_tell(c)
{
	v = 0;
#ifdef WAIT
	read(WAIT(c), v);
#endif
#ifdef JOINED
	if
	:: !v -> read(JOINED(c), v)
	:: else
	fi;
#endif
	someone = v;
	if
	:: !v -> has_children(c)
	:: else
	fi
}

/* ctx_list_del(), of a child */
inline list_del(c)
{
	release(list_release, UNLINK(c), 1);
#ifdef GONE
	release(next_release, GONE(c), 1)
#endif
}

#ifdef BRIEF
/* ctx_tell_briefly(); @v becomes whether that was all. Of waiters, there may be too many. */
inline tell_briefly(c)
{
	barrier(tell_mb);
	tell_word(c);
	left = 0;
#ifdef WAIT
	atomic {
		read(WAIT(c), v);
		if
		:: v -> woken[c] = true
		:: v -> left = 1
		:: else
		fi
	}
#endif
#ifdef SIGNAL
	if
	:: !left -> read(ENTRY(c), left)
	:: else
	fi;
#endif
	if
	:: !left || !ORDER(brief_told) -> release(told_release, TOLD(c), 1)
	:: else
	fi;
	if
	:: !left && ORDER(brief_left) ->
		has_children(c);
		v = !v
	:: else -> v = !left
	fi
}
#endif

inline first_child(c)
{
	d_step {
		next = CHILD(c);
		do
		:: next && !LINKED(next) ->
			view = view | (mem[UNLINK(next)] && ORDER(first_acquire) -> with[UNLINK(next)] : 0);
			next = SIBLING(next)
		:: else -> break
		od;
		skip
	}
}

/* The child becomes @next. */
inline mark_children(c)
{
	atomic {
		/* What is not used any more makes no two states of one. */
		d_step { p = 0; v = 0; old = 0; child = 0; told = 0 }
		acquire(walk_acquire, ORIGIN(c), o);
		lock(c);
		if
		:: done -> list_del(done)
		:: else
		fi;
		first_child(c);
		if
		:: !next -> unlock(c)
		:: else
		fi
	}
	do
	:: next ->
		inherit(next);
		atomic {
			has_someone_to_tell(next);
			if
			:: v && ORDER(list_last) -> unlock(c); break
			:: v && !ORDER(list_last) -> list_del(next); unlock(c); break
			:: else
			fi;
			list_del(next);
			first_child(c);
			if
			:: !next -> unlock(c)
			:: else
			fi
		}
	:: else -> break
	od
}

#ifdef RAN
/* callback.c, of the callback at the only context. @v becomes whether it is to be run. */
inline take_callback(c)
{
	atomic {
		read(HOOK(c), v);
		if
		:: v ->
			acquire(list_acquire, UNHOOK(c), v);
			v = !v
		:: else
		fi;
		if
		:: v ->
			lock(c);
			v = !mem[UNHOOK(c)];
			if
			:: v ->
				release(list_release, UNHOOK(c), 1);
				if
				:: ORDER(callback_begun) -> write(BEGUN(c), 1)
				:: else
				fi
			:: else
			fi;
			unlock(c)
		:: else
		fi
	}
}

inline run_callback(c)
{
	write(RAN(c), 1);
	release(callback_release, RETURNED(c), 1);
	barrier(callback_mb);
	atomic {
		read(REMOVER(c), v);
		if
		:: v -> woken = true; given = view
		:: else
		fi
	}
	ENSURE(3, !asleep || woken)
}

inline hook_remove(c)
{
	atomic {
		lock(c);
		v = mem[HOOK(c)] && !mem[UNHOOK(c)];
		if
		:: v -> release(list_release, UNHOOK(c), 1)
		:: else
		fi;
		unlock(c)
	}
}
#endif

#ifdef EDGE
/* callback.c, for edges; the child becomes @next. */
inline next_hook(c)
{
	atomic {
		next = EDGE(c);
		if
		:: next ->
			v = 1;
#ifdef HOOK
			read(HOOK(next), v);
#endif
			if
			:: v ->
				acquire(list_acquire, UNHOOK(next), v);
				v = !v
			:: else
			fi;
			if
			:: v ->
				lock(c);
				next = (mem[UNHOOK(next)] -> 0 : next);
				unlock(c)
			:: else -> next = 0
			fi
		:: else
		fi
	}
}

inline inherit_from(c, parent)
{
	if
	:: ORDER(merge_look) -> origin(c)
	:: else -> o = 0
	fi;
	if
	:: !o ->
		atomic {
			lock(OUTER(c));
			acquire(merge_acquire, ORIGIN(parent), o);
			cmpxchg(origin_release, ORIGIN(c), o);
			unlock(OUTER(c))
		}
	:: else
	fi
}

#ifdef SETTLES
/*
 * merge.c. Whoever is above another has the lower number, and all are above @c: so they are
 * come by in the order in which the climb ends their edges, those above the parent first.
 */
inline settle(c)
{
	q = (ORDER(settle_first) -> 1 : c);
	do
	:: q >= 1 && q <= c ->
		if
		:: FURTHER(q) ->
			origin(FURTHER(q));
			if
			:: o -> inherit_from(q, FURTHER(q))
			:: else
			fi
		:: else
		fi;
		q = (ORDER(settle_first) -> q + 1 : q - 1)
	:: else -> break
	od;
	q = 0
}
#endif

#ifdef HOOK
/* merge.c, ctx_merge_link() */
inline merge_link(c)
{
	origin(c);
	if
	:: !o ->
#ifdef SETTLES
		if
		:: ORDER(settle_merge) -> settle(FURTHER(c))
		:: else
		fi;
#endif
		if
		:: ORDER(merge_link_look) -> origin(FURTHER(c))
		:: else
		fi;
		if
		:: !o ->
			atomic {
				lock(FURTHER(c));
				write(HOOK(c), 1);
				unlock(FURTHER(c))
			}
			join(FURTHER(c))
		:: else
		fi;
		if
		:: o -> inherit_from(c, FURTHER(c))
		:: else
		fi
	:: else
	fi
}
#endif

inline merge_unlink(c)
{
	if
	:: FURTHER(c) ->
		atomic {
			lock(FURTHER(c));
			release(list_release, UNHOOK(c), 1);
			unlock(FURTHER(c))
		}
	:: else
	fi
}
#else
#define merge_unlink(c)	skip
#endif

/* tree.c */
inline unlink(c)
{
	merge_unlink(c);
	atomic {
		lock(OUTER(c));
		list_del(c);
		unlock(OUTER(c))
	}
}

/*
 * ctx_walk_leave(). @v becomes whether it left: the others on the list are lost then, if there
 * are any.
 */
inline leave(c)
{
	child = SIBLING(c);
	v = 1;
	if
	:: child ->
		acquire(only_acquire, UNLINK(child), v);
#ifdef GONE
		if
		:: !v -> acquire(only_acquire, GONE(c), v)
		:: else
		fi
#endif
	:: else
	fi;
	child = CHILD(UP(c));
	do
	:: v && child && child != c ->
		read(UNLINK(child), v);
		child = SIBLING(child)
	:: else -> break
	od;
	if
	:: v ->
		read(UNLINK(c), v);
		v = !v
	:: else
	fi;
	if
	:: v ->
		child = SIBLING(c);
		do
		:: child ->
			if
			:: LINKED(child) -> release(only_release, UNLINK(child), 1)
			:: else
			fi;
			child = SIBLING(child)
		:: else -> break
		od;
		release(only_release, UNLINK(c), 1)
	:: else
	fi
}

/* walk.c. @left becomes whether it stopped; @via has a bit for each edge by which it went. */
inline walk(top)
{
	cur = top;
	done = 0;
	left = 0;
	tell(top);
	do
#ifdef MAY_STOP
	:: MAY_STOP ->
		left = 1;
		if
		:: done -> unlink(done)
		:: else
		fi;
		done = 0;
		cur = 0;
		via = 0;
		break
	:: !left ->
#else
	::
#endif
		v = done;
		someone = 1;
		next = 0;
		if
		:: !v -> has_children(cur)
		:: else
		fi;
		if
		:: v -> mark_children(cur)
		:: else
		fi;
		done = 0;
#ifdef EDGE
		if
		:: !next ->
			next_hook(cur);
			if
			:: next ->
				someone = 1;
				inherit_from(next, cur);
				via = via | BIT(next)
			:: else
			fi
		:: else
		fi;
#endif
		if
		:: next ->
			if
			:: someone -> tell(next)
			:: else
			fi;
			cur = next
		:: !next && cur == top -> break
#ifdef EDGE
		:: !next && cur != top && via & BIT(cur) ->
			unlink(cur);
			via = via & ~BIT(cur);
			cur = FURTHER(cur)
		:: !next && cur != top && !(via & BIT(cur)) ->
			merge_unlink(cur);
#else
		:: else ->
#endif
			/* A leaf that was told it takes off under the lock. */
			if
			:: leave(cur)
			:: v = 0
			fi;
			done = (v -> 0 : cur);
			cur = UP(cur)
		fi
	od;
#if defined EDGE || defined MAY_STOP
	/* Elsewhere nobody comes by it. */
	if
	:: !left || !ORDER(whole_unlink) -> unlink(top)
	:: else
	fi
#else
	skip
#endif
}

/* By a task that may be kept. */
inline wake_subtree(top)
{
	walk(top)
}
#endif

#ifdef LINK
/* tree.c, ctx_link_parent(). The guarantees do not need the look to be under the lock. */
inline link(c)
{
#ifdef SETTLES
	if
	:: ORDER(settle_link) -> settle(UP(c))
	:: else
	fi;
#endif
	if
	:: ORDER(link_look) -> origin(UP(c))
	:: else
	fi;
	atomic {
		lock(UP(c));
		acquire(link_acquire, ORIGIN(UP(c)), o);
		if
		:: !o -> write(LINK(c), 1); unlock(UP(c))
		:: else
		fi
	}
	if
	:: o ->
		status_set(word_linked, UP(c));
		write(ORIGIN(c), o);
		unlock(UP(c))
	:: else
	fi
}
#endif
