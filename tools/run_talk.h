/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the reaper of ctx run says: with --verbose all that it does, and whom it waits
 * for; without, whom it cannot end.
 */
#ifndef RUN_TALK_H
#define RUN_TALK_H

#include "run.h"

struct talk {
	const struct run *run;
	int signal;		/* that was sent last */
	int64_t next;		/* when to say again whom it waits for */
};

/* @signal was sent to @n of @tree, -1 for not all. */
void talk_sent(struct talk *talk, struct tree *tree, int signal, int n);

/* @ns after that. */
void talk_waiting(struct talk *talk, struct tree *tree, int64_t ns);

#endif /* RUN_TALK_H */
