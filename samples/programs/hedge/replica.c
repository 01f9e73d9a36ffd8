// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A replica for hedge: answers any path after a time, which stands for its work.
 *
 * It stops when its client hangs up, and then says so. SIGTERM ends it, and what it works at.
 */
#include <ctxfd.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/duration.h"
#include "common/http.h"

struct replica {
	int ctx;
	const char *name;
	struct timespec delay;
};

/* Works under @ctx, and answers. */
static enum MHD_Result work(const struct replica *replica, struct MHD_Connection *conn,
			    const char *path, int ctx)
{
	struct ctx_info info;
	char why[256], *body;

	if (!ctxfd_sleep(ctx, &replica->delay)) {
		if (asprintf(&body, "%s from replica %s\n", path + 1, replica->name) < 0)
			return HTTP_HANG_UP;
		return http_answer(conn, MHD_HTTP_OK, "text/plain; charset=utf-8", body);
	}
	ctxfd_info(ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	fprintf(stderr, "replica %s: stopped: %s\n", replica->name, why);
	return HTTP_HANG_UP;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *conn, const char *path)
{
	const struct replica *replica = arg;
	int ctx = ctxfd_create_opts(replica->ctx, &(struct ctxfd_create_opts){
		.name = "replica request",
	});
	struct ctxfd_after *hangup = ctxfd_cancel_on(ctx, http_socket(conn), POLLRDHUP);
	enum MHD_Result result;

	if (hangup)
		result = work(replica, conn, path, ctx);
	else
		result = http_fail(conn, MHD_HTTP_SERVICE_UNAVAILABLE, "no context: %s",
				   strerror(errno));
	ctxfd_after_stop(hangup);
	if (ctx >= 0)
		close(ctx);
	return result;
}

int main(int argc, char **argv)
{
	struct replica replica = { };
	struct http_server http;
	struct ctxfd_after *signals;

	if (argc != 3)
		errx(2, "usage: replica [ADDRESS:]PORT DURATION");
	replica.name = argv[1];
	replica.delay = duration_argument(argv[2]);
	replica.ctx = ctxfd_create_opts(ctxfd_background(), &(struct ctxfd_create_opts){
		.name = "replica",
	});
	signals = ctxfd_cancel_on_signal(replica.ctx, 0);
	if (!signals)
		err(1, "no context (is the module loaded?)");
	http_start(&http, argv[1], handle, &replica);
	ctxfd_wait(replica.ctx, NULL);
	http_stop(&http);
	ctxfd_after_stop(signals);
	return 0;
}
