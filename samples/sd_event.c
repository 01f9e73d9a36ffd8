// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context in systemd's event loop: an I/O source for its descriptor. */
#include <ctxfd.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static int tick(sd_event_source *source, uint64_t usec, void *data)
{
	int r;

	(void)usec;
	(void)data;
	puts("tick");
	r = sd_event_source_set_time_relative(source, 100000);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int cancelled(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	(void)fd;
	(void)revents;
	(void)data;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void check(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, strerror(-result));
}

int main(void)
{
	int parent = ctxfd_from_env();
	int ctx = parent < 0 ? -1 : ctxfd_with_timeout(parent, &(struct timespec){ 60, 0 });
	sd_event *loop = NULL;
	struct ctx_info info;

	if (ctx < 0)
		err(1, "no context");
	setlinebuf(stdout);

	check(sd_event_new(&loop), "sd_event_new");
	check(sd_event_add_io(loop, NULL, ctx, EPOLLIN, cancelled, NULL), "sd_event_add_io");
	check(sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, 0, 1000, tick, NULL),
	      "sd_event_add_time_relative");
	check(sd_event_loop(loop), "sd_event_loop");

	if (ctxfd_info(ctx, &info))
		err(1, "ctxfd_info");
	printf("stops: %s: %s\n", strerror((int)info.err), strerror(info.cause));
	sd_event_unref(loop);
	close(ctx);
	return 0;
}
