/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the three kinds of process of the search share. */
#ifndef SEARCH_H
#define SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ctxfd.h>

#define WORKERS		4
#define WORKER_SOCKET	3	/* a worker's descriptor of its supervisor */

/*
 * So that a strike comes in the middle for certain, however fast the machine
 * and however late the strike, each worker is allowed three quarters of its
 * part at first. Nobody strikes before half of all files were searched, and
 * the last quarter is given to none that is to be struck.
 */
#define QUOTA(n)	((n) / 4 * 3)
#define MIDDLE(n)	((n) / 2)

enum strike {
	STRIKE_NONE,
	STRIKE_TIMEOUT,
	STRIKE_KILL,
};

/* Paths of regular files; a part of them is a slice of the same array. */
struct files {
	char **path;
	size_t n;
};

struct job {
	struct files files;
	const char *string;
	enum strike strike;
	int reports;		/* where all processes write struct report */
	int orders;		/* one byte comes when it is time to strike */
};

enum report_kind {
	REPORT_ROOT,		/* the supervisor's context, in origin_id of @why */
	REPORT_READY,		/* a worker has its context */
	REPORT_PROGRESS,
	REPORT_DONE,		/* has searched all of its part */
	REPORT_WOKEN,		/* was told to stop: the last three fields say why */
};

/* Fits into PIPE_BUF, so that the reports of several processes do not mix. */
struct report {
	enum report_kind kind;
	unsigned int worker;
	pid_t pid;
	size_t searched;
	size_t found;
	bool idle;		/* was waiting when it was woken, not searching */
	struct ctx_event why;
	uint64_t cancelled_at;	/* CLOCK_MONOTONIC, ns */
	uint64_t woken_at;
};

/* The slice of all files that is worker number @worker's, from 0. */
struct files part_of(const struct files *all, unsigned int worker);

void send_report(int fd, const struct report *report);
uint64_t now_ns(void);

/* The processes; what they return is the exit status. */
int supervise(const struct job *job);
int work(unsigned int worker, const char *string);

#endif /* SEARCH_H */
