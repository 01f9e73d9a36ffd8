// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A worker of the search: a program of its own, with the paths of its part on
 * stdin, the reports on stdout and a socket to its supervisor. Over that come
 * first its context, then how many files it may search.
 *
 * Nothing but the context ends it early. It is no signal's business, and when
 * the supervisor dies it is the context that says so, not the socket.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "search.h"

#define SLICE		65536	/* bytes searched between two looks at the context */
#define PROGRESS	32	/* files searched between two reports */

/* The file that is being searched. */
struct scan {
	char *path;
	size_t path_size;
	int fd;			/* -1 between files */
	size_t kept;		/* bytes of the last slice at the start of @buf */
	char *buf;
};

struct worker {
	const char *string;
	size_t length;
	int ctx;
	int epoll;
	size_t quota;
	struct scan scan;
	struct report report;	/* what it would say now */
};

static void report(struct worker *w, enum report_kind kind)
{
	w->report.kind = kind;
	send_report(STDOUT_FILENO, &w->report);
}

static void wait_for(struct worker *w, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event))
		err(1, "worker: epoll_ctl");
}

static void take_quota(struct worker *w)
{
	ssize_t n = recv(WORKER_SOCKET, &w->quota, sizeof(w->quota), 0);

	if (n == (ssize_t)sizeof(w->quota))
		return;
	/* The supervisor is gone. Whether to stop is for the context to say. */
	if (epoll_ctl(w->epoll, EPOLL_CTL_DEL, WORKER_SOCKET, NULL))
		err(1, "worker: epoll_ctl");
}

static void file_ends(struct worker *w)
{
	size_t searched = ++w->report.searched;

	if (w->scan.fd >= 0)
		close(w->scan.fd);
	w->scan.fd = -1;
	w->scan.kept = 0;
	if (searched % PROGRESS == 0 || searched == w->quota)
		report(w, REPORT_PROGRESS);
}

/* False where the part has no more files. */
static bool next_file(struct worker *w)
{
	struct scan *scan = &w->scan;

	if (getdelim(&scan->path, &scan->path_size, '\0', stdin) < 0)
		return false;
	scan->fd = open(scan->path, O_RDONLY | O_CLOEXEC);
	if (scan->fd < 0) {
		warn("%s", scan->path);
		file_ends(w);
	}
	return true;
}

/*
 * The bytes before the slice that could be the start of the string are kept,
 * so that it is found where it spans two slices.
 */
static void search_slice(struct worker *w)
{
	struct scan *scan = &w->scan;
	size_t held, keep = w->length - 1;
	ssize_t n;

	n = read(scan->fd, scan->buf + scan->kept, SLICE);
	if (n < 0)
		warn("%s", scan->path);
	if (n <= 0) {
		file_ends(w);
		return;
	}
	held = scan->kept + (size_t)n;
	if (memmem(scan->buf, held, w->string, w->length)) {
		w->report.found++;
		file_ends(w);
		return;
	}
	scan->kept = held < keep ? held : keep;
	memmove(scan->buf, scan->buf + held - scan->kept, scan->kept);
}

/* A little work, after which the context is looked at. False at the end. */
static bool search_a_little(struct worker *w)
{
	if (w->scan.fd < 0)
		return next_file(w);
	search_slice(w);
	return true;
}

/* Tells why it stops, in the words of both calls that can tell. */
static void report_woken(struct worker *w)
{
	struct ctx_event *why = &w->report.why;
	struct ctx_info info;

	if (read(w->ctx, why, sizeof(*why)) != (ssize_t)sizeof(*why))
		err(1, "worker: read of the context");
	if (ctxfd_info(w->ctx, &info))
		err(1, "worker: ctxfd_info");
	if (info.err != why->err || info.cause != why->cause ||
	    info.origin_id != why->origin_id)
		errx(1, "worker: read and info differ");
	w->report.cancelled_at = info.cancelled_at;
	report(w, REPORT_WOKEN);
}

/* The event loop: to search is what it does while nothing else happens. */
static int loop(struct worker *w)
{
	struct epoll_event events[2];

	for (;;) {
		bool idle = w->report.searched >= w->quota;
		int n = epoll_wait(w->epoll, events, 2, idle ? -1 : 0);

		if (n < 0 && errno != EINTR)
			err(1, "worker: epoll_wait");
		w->report.woken_at = now_ns();
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == w->ctx) {
				w->report.idle = idle;
				report_woken(w);
				return 0;
			}
			take_quota(w);
		}
		if (n == 0 && !search_a_little(w)) {
			report(w, REPORT_DONE);
			return 0;
		}
	}
}

int work(unsigned int worker, const char *string)
{
	struct worker w = {
		.string = string,
		.length = strlen(string),
		.scan.fd = -1,
		.report = { .worker = worker, .pid = getpid() },
	};
	int status;

	w.scan.buf = malloc(SLICE + w.length);
	if (!w.scan.buf)
		err(1, "worker");
	w.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w.epoll < 0)
		err(1, "worker: epoll_create1");
	w.ctx = ctxfd_recv_fd(WORKER_SOCKET);
	if (w.ctx < 0)
		err(1, "worker: ctxfd_recv_fd");
	wait_for(&w, w.ctx);
	wait_for(&w, WORKER_SOCKET);
	report(&w, REPORT_READY);

	status = loop(&w);

	free(w.scan.path);
	free(w.scan.buf);
	return status;
}
