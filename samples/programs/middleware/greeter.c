// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The service behind the gateway: greets the user whom it finds in the context, after a time that
 * stands for its work, and which the question names.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "common/duration.h"
#include "common/service.h"
#include "middleware/trace.h"

static void greet(void *arg, int ctx, int sock, const char *work)
{
	char user[CTX_VALUE_MAX + 1] = "", text[512], why[200];
	ssize_t len = ctxfd_value(ctx, "user", user, sizeof(user) - 1);
	struct trace trace = trace_from_context(ctx);
	struct ctx_info info = { };
	struct timespec duration;

	(void)arg;
	if (len < 0 || !duration_parse(work, &duration)) {
		trace_log(ctx, "refused: there is no user, or \"%s\" is no time", work);
		return;
	}
	user[len] = '\0';
	trace_log(ctx, "works %s for %s", work, user);
	if (ctxfd_sleep(ctx, &duration)) {
		ctxfd_info(ctx, &info);
		ctxfd_describe(&info, why, sizeof(why));
		trace_log(ctx, "stopped: %s", why);
		return;
	}
	snprintf(text, sizeof(text), "hello, %.200s; this was request %s\n", user, trace.id);
	ctxfd_send(ctx, sock, text, strlen(text), MSG_NOSIGNAL);
}

int main(void)
{
	service_run(16, greet, NULL);
	return 0;
}
