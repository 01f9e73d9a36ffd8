/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of two. The first is cancelled, and its status word is mapped meanwhile;
 * that of the second was before. Somebody looks at the second. Whoever reads its
 * word as cancelled reads that of the first so.
 */
#define CONTEXTS	2
#define UP(c)		((c) - 1)
#define BELOW(p, c)	((p) + 1)
#define CHILD(c)	(((c) < CONTEXTS) * ((c) + 1))

#define ORIGIN(c)	((c) - 1)
#define RECORD(c)	(CONTEXTS + (c) - 1)
#define TOLD(c)		(2 * CONTEXTS + (c) - 1)
#define UNLINK(c)	(3 * CONTEXTS + (c) - 1)
#define JOINED(c)	(4 * CONTEXTS + (c) - 1)
#define PAGE(c)		(5 * CONTEXTS + (c) - 1)
#define ZERO(c)		(6 * CONTEXTS + (c) - 1)
#define CAUSE(c)	(7 * CONTEXTS + (c) - 1)
#define ERR(c)		(8 * CONTEXTS + (c) - 1)
#define LOCATIONS	(9 * CONTEXTS)

bool mapped[CONTEXTS + 1];

#include "ctx.pml"

proctype canceller(byte c)
{
	THREAD;
	bool won;

	mark(c);
	wake_subtree(c);
	atomic {
		ENSURE(2, view & BIT(ERR(2)));
		ENSURE(2, !mapped[1] || view & BIT(ERR(1)))
	}
}

proctype observer(byte c)
{
	THREAD;

	origin(c);
	if
	:: o -> ENSURE(1, view & BIT(ERR(c)))
	:: else
	fi
}

proctype mapper()
{
	THREAD;

	mmap(1);
	mapped[1] = !o;
	acquire(err_acquire, ERR(2), v);
	if
	:: v ->
		ENSURE(4, view & BIT(CAUSE(2)));
		ENSURE(5, view & BIT(ERR(1)))
	:: else
	fi
}

init {
	SETUP;
	atomic {
		PRESET(JOINED(2));
		PRESET(PAGE(2));
		run canceller(1);
		run observer(2);
		run mapper()
	}
}
