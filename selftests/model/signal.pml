/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One asks for a signal while the context is cancelled.
 */
#define CONTEXTS	1
#define UP(c)		0
#define BELOW(p, c)	1
#define CHILD(c)	0

#define ORIGIN(c)	0
#define RECORD(c)	1
#define TOLD(c)		2
#define JOINED(c)	3
#define SIGNAL(c)	4
#define UNLINK(c)	5
#define LOCATIONS	6

bool armed, signalled[2];

#include "ctx.pml"

proctype canceller()
{
	THREAD;
	bool won;

	mark(1);
	wake_subtree(1);
	ENSURE(3, !armed || signalled[1])
}

/* file.c, ctx_fasync() */
proctype asker()
{
	THREAD;

	write(SIGNAL(1), 1);
	join(1);
	armed = !o
}

init {
	SETUP;
	atomic {
		run canceller();
		run canceller();
		run asker()
	}
}
