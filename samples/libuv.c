// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context in libuv: a uv_poll_t on its descriptor, which libuv makes non-blocking. */
#include <ctxfd.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static uv_poll_t canceller;
static uv_timer_t ticker;

static void tick(uv_timer_t *timer)
{
	(void)timer;
	puts("tick");
}

/* The loop ends with its last handle. */
static void cancelled(uv_poll_t *poll, int status, int events)
{
	(void)events;
	if (status)
		errx(1, "uv_poll: %s", uv_strerror(status));
	uv_close((uv_handle_t *)poll, NULL);
	uv_close((uv_handle_t *)&ticker, NULL);
}

static void check(int status, const char *what)
{
	if (status)
		errx(1, "%s: %s", what, uv_strerror(status));
}

int main(void)
{
	int parent = ctxfd_from_env();
	int ctx = parent < 0 ? -1 : ctxfd_with_timeout(parent, &(struct timespec){ 60, 0 });
	struct ctx_info info;
	uv_loop_t *loop;

	if (ctx < 0)
		err(1, "no context");
	loop = uv_default_loop();
	if (!loop)
		errx(1, "no loop");
	setlinebuf(stdout);

	check(uv_poll_init(loop, &canceller, ctx), "uv_poll_init");
	check(uv_poll_start(&canceller, UV_READABLE, cancelled), "uv_poll_start");
	check(uv_timer_init(loop, &ticker), "uv_timer_init");
	check(uv_timer_start(&ticker, tick, 0, 100), "uv_timer_start");
	check(uv_run(loop, UV_RUN_DEFAULT), "uv_run");
	check(uv_loop_close(loop), "uv_loop_close");

	if (ctxfd_info(ctx, &info))
		err(1, "ctxfd_info");
	printf("stops: %s: %s\n", strerror((int)info.err), strerror(info.cause));
	close(ctx);
	return 0;
}
