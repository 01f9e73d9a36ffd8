// SPDX-License-Identifier: LGPL-2.1-or-later
/* A function that is called once the context is cancelled. */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "after.h"
#include "hub.h"
#include "internal.h"

struct func {
	struct ctxfd_after after;
	struct ctxfd_item item;
	void (*fn)(void *arg);
	void *arg;
};

static struct func *func_of(struct ctxfd_item *item)
{
	return (struct func *)((char *)item - offsetof(struct func, item));
}

static void run(struct ctxfd_item *item, uint32_t revents)
{
	(void)revents;
	func_of(item)->fn(func_of(item)->arg);
}

static void release(struct ctxfd_item *item)
{
	free(func_of(item));
}

static int stop(struct ctxfd_after *after, bool wait)
{
	return ctxfd_hub_stop(&((struct func *)after)->item, wait);
}

/* Of the background, too, which there is none to watch. */
int ctxfd_open_watch(int ctx)
{
	struct ctx_info info;
	int fd = ctxfd_watch(ctx);

	if (fd < 0 && errno == EPERM)
		fd = ctxfd_watch_only(ctx);
	if (fd < 0 && errno == ENOTTY && !ctxfd_info(ctx, &info))
		fd = fcntl(ctx, F_DUPFD_CLOEXEC, 0);
	return fd;
}

static struct func *new_func(int ctx, void (*fn)(void *), void *arg)
{
	struct func *func = malloc(sizeof(*func));

	if (!func)
		return NULL;
	*func = (struct func){
		.after.stop = stop,
		.item = {
			.run = run,
			.release = release,
			.fd = ctxfd_open_watch(ctx),
			.events = EPOLLIN,
		},
		.fn = fn,
		.arg = arg,
	};
	return func;
}

static struct ctxfd_after *begin(int ctx, void (*fn)(void *), void *arg)
{
	struct func *func;
	int err;

	if (ctxfd_failed(ctx))
		return NULL;
	if (!fn) {
		errno = EINVAL;
		return NULL;
	}
	func = new_func(ctx, fn, arg);
	if (!func)
		return NULL;
	if (func->item.fd >= 0 && !ctxfd_hub_add(&func->item))
		return &func->after;
	err = errno;
	if (func->item.fd >= 0)
		close(func->item.fd);
	free(func);
	errno = err;
	return NULL;
}

struct ctxfd_after *ctxfd_after_func(int ctx, void (*fn)(void *), void *arg)
{
	int state = ctxfd_hold_cancel();
	struct ctxfd_after *after = begin(ctx, fn, arg);

	ctxfd_release_cancel(state);
	return after;
}

int ctxfd_after_stop(struct ctxfd_after *after)
{
	return after ? after->stop(after, true) : 0;
}

int ctxfd_after_abandon(struct ctxfd_after *after)
{
	return after ? after->stop(after, false) : 0;
}
