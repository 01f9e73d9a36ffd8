// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context in libevent: an event that waits to read from its descriptor. */
#include <ctxfd.h>
#include <err.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	puts("tick");
}

static void cancelled(evutil_socket_t fd, short what, void *base)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(base);
}

int main(void)
{
	int parent = ctxfd_from_env();
	int ctx = parent < 0 ? -1 : ctxfd_with_timeout(parent, &(struct timespec){ 60, 0 });
	static const struct timeval interval = { .tv_usec = 100000 };
	struct event *canceller, *ticker;
	struct event_base *base;
	struct ctx_info info;

	if (ctx < 0)
		err(1, "no context");
	base = event_base_new();
	if (!base)
		errx(1, "no event base");
	setlinebuf(stdout);

	canceller = event_new(base, ctx, EV_READ, cancelled, base);
	ticker = event_new(base, -1, EV_PERSIST, tick, NULL);
	if (!canceller || event_add(canceller, NULL) ||
	    !ticker || event_add(ticker, &interval))
		errx(1, "no events");
	if (event_base_dispatch(base))
		errx(1, "the loop failed");

	if (ctxfd_info(ctx, &info))
		err(1, "ctxfd_info");
	printf("stops: %s: %s\n", strerror((int)info.err), strerror(info.cause));
	event_free(ticker);
	event_free(canceller);
	event_base_free(base);
	close(ctx);
	return 0;
}
