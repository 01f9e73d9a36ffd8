// SPDX-License-Identifier: LGPL-2.1-or-later
/* A function that is called once the context is cancelled. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

/* Left once, for one of the others. */
enum { ARMED, RUN, STOPPED };

struct ctxfd_after {
	void (*fn)(void *arg);
	void *arg;
	int ctx;		/* read-only, the library's own */
	int wake;		/* eventfd, readable once it is to stop */
	pid_t pid;		/* of the process that has the thread */
	pthread_t thread;
	bool left;		/* stopped by the function: the thread's to free */
	/*
	 * No lock, which a fork could leave locked; no more order than the one
	 * word needs: pthread_create and pthread_join order all else.
	 */
	atomic_int state;
};

/* What this thread is running. */
static _Thread_local struct ctxfd_after *running;

static bool leave_armed(struct ctxfd_after *after, int state)
{
	int armed = ARMED;

	return atomic_compare_exchange_strong_explicit(&after->state, &armed, state,
						       memory_order_relaxed,
						       memory_order_relaxed);
}

static void free_after(struct ctxfd_after *after)
{
	int err = errno;

	if (after->ctx >= 0)
		close(after->ctx);
	if (after->wake >= 0)
		close(after->wake);
	free(after);
	errno = err;
}

static void *thread_main(void *arg)
{
	struct ctxfd_after *after = arg;
	struct pollfd pfds[] = {
		{ .fd = after->ctx, .events = POLLIN },
		{ .fd = after->wake, .events = POLLIN },
	};

	while (ppoll(pfds, 2, NULL, NULL) < 0)
		;
	if (!leave_armed(after, RUN))
		return NULL;
	running = after;
	after->fn(after->arg);
	running = NULL;
	if (after->left)
		free_after(after);
	return NULL;
}

/* The thread takes no signal that is meant for the program. */
static int start_thread(struct ctxfd_after *after)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&after->thread, NULL, thread_main, after);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		return 0;
	errno = err;
	return -1;
}

/*
 * A read-only descriptor, also of what is fit for strangers, and of the background,
 * which there is none to watch.
 */
static int open_watch(int ctx)
{
	struct ctx_info info;
	int fd = ctxfd_watch(ctx);

	if (fd < 0 && errno == EPERM)
		fd = ctxfd_watch_only(ctx);
	if (fd < 0 && errno == ENOTTY && !ctxfd_info(ctx, &info))
		fd = fcntl(ctx, F_DUPFD_CLOEXEC, 0);
	return fd;
}

struct ctxfd_after *ctxfd_after_func(int ctx, void (*fn)(void *), void *arg)
{
	struct ctxfd_after *after;

	if (ctxfd_failed(ctx))
		return NULL;
	if (!fn) {
		errno = EINVAL;
		return NULL;
	}
	after = malloc(sizeof(*after));
	if (!after)
		return NULL;
	*after = (struct ctxfd_after){
		.fn = fn,
		.arg = arg,
		.ctx = open_watch(ctx),
		.wake = -1,
		.pid = getpid(),
	};
	if (after->ctx < 0)
		goto fail;
	after->wake = eventfd(0, EFD_CLOEXEC);
	if (after->wake < 0 || start_thread(after))
		goto fail;
	return after;
fail:
	free_after(after);
	return NULL;
}

int ctxfd_after_stop(struct ctxfd_after *after)
{
	int stopped;

	if (!after)
		return 0;
	if (running == after) {
		/* In a child that the function forked, too, where all goes on as here. */
		pthread_detach(pthread_self());
		after->left = true;
		return 0;
	}
	stopped = leave_armed(after, STOPPED);
	if (after->pid == getpid()) {
		if (stopped)
			eventfd_write(after->wake, 1);
		pthread_join(after->thread, NULL);
	}
	free_after(after);
	return stopped;
}
