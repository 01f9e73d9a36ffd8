/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints of contexts, read as they come, from an instance of tracefs of our own.
 */
#ifndef CTX_TRACE_H
#define CTX_TRACE_H

#include <poll.h>

#include "ctx.h"

enum trace_kind {
	TRACE_CREATE,
	TRACE_CANCEL,
	TRACE_WAKE,
	TRACE_RELEASE,
	TRACE_LOST,		/* what the buffer had no room for; no other field is set */
	TRACE_KINDS = TRACE_LOST,
};

/* What a kind of event, or an older module, does not tell is 0. */
struct trace_event {
	enum trace_kind kind;
	uint64_t time;		/* ns of CLOCK_MONOTONIC, as the initial time namespace counts */
	pid_t thread;		/* in which it came about; pids are the initial namespace's */
	uint64_t id;
	uint64_t parent;
	uint64_t origin;
	uint32_t err;
	int32_t cause;
	pid_t canceller;	/* a process; 0 for a timer or the kernel */
	uint64_t reached;
	uint64_t woken;
	uint64_t ns;		/* how long the walk took */
	char name[CTX_NAME_LEN];
	char message[CTX_MESSAGE_MAX + 1];
	char comm[16];		/* of the canceller, or else of the thread */
};

struct trace;

/*
 * An instance that sees all events of the kinds in @kinds, a bit each. Ends the program
 * where there is none to be had. It is gone with the program, in whatever way that exits.
 */
struct trace *trace_open(unsigned int kinds);

/* CLOCK_MONOTONIC, as the times of events. */
uint64_t trace_now(const struct trace *trace);

/* How many descriptors trace_poll() takes. */
#define TRACE_OTHERS	2

/*
 * Waits until there are events, or what @others, TRACE_OTHERS of them, wait for, or so many
 * milliseconds have passed. Sets their @revents, to 0 where it was interrupted.
 */
void trace_poll(struct trace *trace, struct pollfd *others, int timeout);

/*
 * The next event of those that there were when trace_poll() was called, in the order of their
 * times. Returns false where there is none.
 */
bool trace_next(struct trace *trace, struct trace_event *event);

/* Whether the module is there yet: its events go with it. */
bool trace_has_events(const struct trace *trace);

void trace_close(struct trace *trace);

#endif /* CTX_TRACE_H */
