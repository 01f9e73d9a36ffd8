/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The id of a request, as a value of its context. It is in each line that trace_log() writes, in
 * whatever process; the names of the contexts begin with it, and by that it is in `ctx log` and
 * in the kernel's tracepoints.
 */
#ifndef TRACE_H
#define TRACE_H

#include <ctxfd.h>

struct trace {
	char id[17];	/* 16 hexadecimal digits */
};

/* A new id. */
struct trace trace_new(void);

/* A name for a context: the id, and which one it is. */
struct trace_name {
	char text[CTX_NAME_LEN];
};

struct trace_name trace_name(const struct trace *trace, const char *what);

/* What to create a context with that carries @trace, which stays until then. */
struct ctxfd_pair trace_value(const struct trace *trace);

/* Where @ctx carries none, it is 0000000000000000. */
struct trace trace_from_context(int ctx);

/* Writes a line to stderr, with the time, this program's name and the id. */
__attribute__((format(printf, 2, 3)))
void trace_log(int ctx, const char *format, ...);

#endif /* TRACE_H */
