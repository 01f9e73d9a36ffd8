/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An error with its story. Where it began it gets a cause and a text; each layer that passes it on
 * puts in front what it was about, and leaves the cause: as errors that are wrapped with %w in Go.
 */
#ifndef FAILURE_H
#define FAILURE_H

struct failure {
	int cause;		/* an errno */
	char text[512];		/* one line, cut where it is longer */
};

/* Both return -1, so that a function that fails can return them. */
__attribute__((format(printf, 3, 4)))
int failure_set(struct failure *failure, int cause, const char *format, ...);

/* "what it was about: what there was before" */
__attribute__((format(printf, 2, 3)))
int failure_wrap(struct failure *failure, const char *format, ...);

#endif /* FAILURE_H */
