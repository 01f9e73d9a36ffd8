// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context that is cancelled once something else happens to a descriptor. */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "after.h"
#include "control.h"
#include "hub.h"
#include "internal.h"

/* Of poll, and of epoll, which has the same numbers. */
#define EVENTS	(POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | \
		 POLLRDHUP | POLLHUP | POLLERR)

_Static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT &&
	       EPOLLRDHUP == POLLRDHUP && EPOLLHUP == POLLHUP && EPOLLERR == POLLERR,
	       "epoll has other numbers than poll");

enum kind { KIND_OTHER, KIND_SOCKET, KIND_PROCESS };

struct trigger {
	struct ctxfd_after after;
	struct ctxfd_item item;
	struct ctxfd_control control;
	enum kind kind;
	int fd;			/* the caller's number, for people */
};

static struct trigger *trigger_of(struct ctxfd_item *item)
{
	return (struct trigger *)((char *)item - offsetof(struct trigger, item));
}

static void run(struct ctxfd_item *item, uint32_t revents)
{
	struct trigger *trigger = trigger_of(item);
	struct ctx_cancel_args args = {};
	char message[CTX_MESSAGE_MAX];

	if (trigger->kind == KIND_PROCESS) {
		args.cause = ESRCH;
		snprintf(message, sizeof(message), "the process of descriptor %d ended",
			 trigger->fd);
	} else if (revents & (EPOLLHUP | EPOLLRDHUP | EPOLLERR)) {
		args.cause = trigger->kind == KIND_SOCKET ? ECONNRESET : EPIPE;
		snprintf(message, sizeof(message), "descriptor %d hung up", trigger->fd);
	} else {
		snprintf(message, sizeof(message), "descriptor %d is ready", trigger->fd);
	}
	args.message = (__u64)(uintptr_t)message;
	args.message_len = (__u32)strlen(message);
	ctxfd_control_cancel(&trigger->control, &args);
}

static void release(struct ctxfd_item *item)
{
	free(trigger_of(item));
}

static int stop(struct ctxfd_after *after, bool wait)
{
	return ctxfd_hub_stop(&((struct trigger *)after)->item, wait);
}

static enum kind kind_of(int fd)
{
	siginfo_t info;
	int type;

	if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }))
		return KIND_SOCKET;
	/* Of somebody else's child, ECHILD. */
	if (!waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) || errno == ECHILD)
		return KIND_PROCESS;
	return KIND_OTHER;
}

static struct ctxfd_after *begin(int ctx, int fd, short events)
{
	struct ctxfd_control control;
	struct trigger *trigger;
	int copy, err;

	if (ctxfd_failed(ctx) || ctxfd_control_begin(&control, ctx))
		return NULL;
	if (events & ~EVENTS) {
		errno = EINVAL;
		return NULL;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return NULL;
	trigger = malloc(sizeof(*trigger));
	if (!trigger)
		goto fail;
	*trigger = (struct trigger){
		.after.stop = stop,
		.item = {
			.run = run,
			.release = release,
			.fd = copy,
			.events = (uint32_t)(unsigned short)events,
		},
		.control = control,
		.kind = kind_of(fd),
		.fd = fd,
	};
	if (!ctxfd_hub_add(&trigger->item))
		return &trigger->after;
fail:
	err = errno;
	free(trigger);
	close(copy);
	errno = err;
	return NULL;
}

struct ctxfd_after *ctxfd_cancel_on(int ctx, int fd, short events)
{
	int state = ctxfd_hold_cancel();
	struct ctxfd_after *after = begin(ctx, fd, events);

	ctxfd_release_cancel(state);
	return after;
}
