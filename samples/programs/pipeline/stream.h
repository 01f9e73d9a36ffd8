/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines that a stage reads and writes, under a context */
#ifndef STREAM_H
#define STREAM_H

#include <ctxfd.h>

#define STREAM_LINE	4096	/* bytes of the longest line */

struct stream {
	int ctx;
	const struct ctx_status *status;	/* of that, mapped */
	int in;
	int out;
	/* Between stages a last line says that all is there: the end of a pipe does not. */
	bool is_first;
	bool is_last;
	size_t start, end;			/* of what was read and not yet taken */
	size_t used;				/* of what is to be written */
	char input[STREAM_LINE];
	char output[STREAM_LINE];
};

/*
 * All return -1 with errno set where they fail: that is the error of the context where it has
 * ended. Where the process at the other end of the pipe is gone they wait for that: who saw it
 * go says why.
 */

/* Returns 1 with the next @line, or 0 after the last. Writes what there is, before it waits. */
int stream_read(struct stream *stream, const char **line);

/* Adds a line. */
__attribute__((format(printf, 2, 3)))
int stream_write(struct stream *stream, const char *format, ...);

int stream_flush(struct stream *stream);

/* There is no more. */
int stream_end(struct stream *stream);

#endif /* STREAM_H */
