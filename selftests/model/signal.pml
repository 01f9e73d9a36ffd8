/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One asks for a signal while the context is cancelled, by two who tell: one of them is
 * brief, maybe, and walks where something is left.
 */
#define CONTEXTS	1
#define UP(c)		0
#define BELOW(p, c)	1
#define CHILD(c)	0

#define ORIGIN(c)	0
#define RECORD(c)	1
#define TOLD(c)		2
#define JOINED(c)	3
#define ENTRY(c)	4	/* on the context's list */
#define SIGNAL(c)	5	/* on that of the kernel */
#define UNLINK(c)	6
#define LOCATIONS	7
#define BRIEF

bool sent[2], armed;
byte signalled[2], ended;

#include "ctx.pml"

proctype canceller(bool brief)
{
	THREAD;
	bool won;

	mark(1);
	v = 0;
	if
	:: brief && won -> tell_briefly(1)
	:: else
	fi;
	if
	:: !v -> wake_subtree(1)
	:: else
	fi;
	ENSURE(3, !armed || signalled[1]);
	ended++
}

/* signal.c, ctx_signal_on() */
proctype asker()
{
	THREAD;

	atomic {
		lock(1);
		write(ENTRY(1), 1);
		unlock(1)
	}
	write(SIGNAL(1), 1);	/* fasync_helper() */
	join(1);
	armed = !o;
	if
	:: o ->
		signal_claim(1);
		signalled[1] = signalled[1] + v
	:: else
	fi;
	ended == 2;
	ENSURE(3, signalled[1] == 1)
}

init {
	SETUP;
	atomic {
		/* Something else has joined. */
		if
		:: PRESET(JOINED(1))
		:: skip
		fi;
		run canceller(true);
		run canceller(false);
		run asker()
	}
}
