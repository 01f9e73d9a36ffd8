/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each process does that a supervisor has started */
#ifndef SUPERVISED_H
#define SUPERVISED_H

#include <ctxfd.h>

/* How long a process may take to end after its context has */
#define GRACE		10	/* seconds */

struct supervised {
	int ctx;			/* as its supervisor gave it: it can wait, not cancel */
	int control;			/* the same, to move the deadline of */
	char name[CTX_NAME_LEN];	/* the context's */
	struct timespec watchdog;	/* how long without a beat */
	struct timespec interval;	/* between two beats */
};

/* The value of the context of a process that is to beat */
struct ctxfd_pair supervised_value(const struct timespec *watchdog);

/*
 * Begins: from now on this process beats, leaves Ctrl-C to the top, and is killed where it still
 * runs GRACE after the end of its context. Returns false where no supervisor has started it:
 * then @self has the context alone.
 */
bool supervised_begin(struct supervised *self);

/* A heartbeat: the deadline of the context moves. */
void supervised_beat(const struct supervised *self);

/* Says "NAME: stops: why", as @ctx tells it. */
void supervised_say_end(const struct supervised *self, int ctx);

#endif /* SUPERVISED_H */
