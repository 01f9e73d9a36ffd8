// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context in GLib's main loop: a source for its descriptor. */
#include <ctxfd.h>
#include <err.h>
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gboolean tick(gpointer data)
{
	(void)data;
	puts("tick");
	return G_SOURCE_CONTINUE;
}

static gboolean cancelled(gint fd, GIOCondition condition, gpointer loop)
{
	(void)fd;
	(void)condition;
	g_main_loop_quit(loop);
	return G_SOURCE_REMOVE;
}

int main(void)
{
	int parent = ctxfd_from_env();
	int ctx = parent < 0 ? -1 : ctxfd_with_timeout(parent, &(struct timespec){ 60, 0 });
	struct ctx_info info;
	GMainLoop *loop;
	guint ticker;

	if (ctx < 0)
		err(1, "no context");
	setlinebuf(stdout);

	loop = g_main_loop_new(NULL, FALSE);
	g_unix_fd_add(ctx, G_IO_IN, cancelled, loop);
	ticker = g_timeout_add(100, tick, NULL);
	g_main_loop_run(loop);

	if (ctxfd_info(ctx, &info))
		err(1, "ctxfd_info");
	printf("stops: %s: %s\n", strerror((int)info.err), strerror(info.cause));
	g_source_remove(ticker);
	g_main_loop_unref(loop);
	close(ctx);
	return 0;
}
