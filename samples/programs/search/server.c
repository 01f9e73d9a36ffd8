// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A search server: the program with which Go's contexts became known.
 *
 * What it shows: each request has a context, child of the server's. It ends with the request's
 * timeout, where the client hangs up, and with the server: by SIGTERM, Ctrl-C or kill -9. The
 * back ends, processes of their own, get it over a Unix socket and stop when it ends. They find
 * the client's address in it as a value.
 *
 * To run it, as root or as who may open /dev/ctx:
 *
 *	build/programs/search/server 8080 /usr/include /usr/share/doc
 *	curl 'http://127.0.0.1:8080/search?q=cancel&timeout=2s'
 *
 * There is a form at http://127.0.0.1:8080/. Give up a long search with Ctrl-C, give one a
 * timeout of 1ms, or end the server while one runs, and see what the back ends say.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/duration.h"
#include "common/http.h"
#include "search/files.h"
#include "search/page.h"
#include "search/userip.h"

struct server {
	int ctx;
	struct service *backends;
	char **dirs;
	unsigned int nr;
};

struct request {
	const char *query;
	const char *timeout;		/* as it was given, or NULL */
	struct timespec duration;
	struct userip ip;
};

/* Returns NULL, or what is wrong with it. */
static const char *request_parse(struct request *request, struct MHD_Connection *conn)
{
	request->query = http_argument(conn, "q");
	request->timeout = http_argument(conn, "timeout");
	if (request->timeout && !*request->timeout)
		request->timeout = NULL;	/* as the form sends it */
	if (!request->query || !*request->query)
		return "there is no query: /search?q=WORDS";
	if (strlen(request->query) > QUERY_MAX)
		return "the query is too long";
	for (const char *p = request->query; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return "the query has control characters";
	if (request->timeout && !duration_parse(request->timeout, &request->duration))
		return "the timeout is none such as 2s or 250ms";
	if (userip_from_request(http_client(conn), &request->ip))
		return "it comes from no internet address";
	return NULL;
}

/* Child of the server's context, with the request's timeout and the user's address. */
static int request_context(const struct server *server, const struct request *request)
{
	struct ctxfd_pair value = userip_value(&request->ip);

	return ctxfd_create_opts(server->ctx, &(struct ctxfd_create_opts){
		.name = "search request",
		.timeout = request->timeout ? &request->duration : NULL,
		.values = &value,
		.nr_values = 1,
	});
}

static void say(const struct request *request, const char *what)
{
	char ip[INET6_ADDRSTRLEN];

	fprintf(stderr, "server: %s asked for \"%s\": %s\n", userip_text(&request->ip, ip),
		request->query, what);
}

/* The first of the back ends that failed with @error */
static const char *failed(const struct server *server, const struct answer *answers, int error)
{
	for (unsigned int i = 0; i < server->nr; i++)
		if (answers[i].error == error)
			return server->dirs[i];
	return "all";
}

/* Why there are no results. A client that is gone, or is to go, gets nothing more. */
static enum MHD_Result request_failed(const struct server *server, const struct request *request,
				      struct MHD_Connection *conn, const struct ctx_info *info,
				      const struct answer *answers, int error)
{
	char why[256];

	if (info->err) {
		ctxfd_describe(info, why, sizeof(why));
		say(request, why);
		if (info->err == ETIMEDOUT)
			return http_fail(conn, MHD_HTTP_GATEWAY_TIMEOUT, "no answer within %s",
					 request->timeout ?: "the server's time");
		return HTTP_HANG_UP;
	}
	snprintf(why, sizeof(why), "the back end for %s failed: %s",
		 failed(server, answers, error), strerror(error));
	say(request, why);
	return http_fail(conn, MHD_HTTP_BAD_GATEWAY, "%s", why);
}

/* Searches under @ctx and answers. */
static enum MHD_Result request_serve(const struct server *server, const struct request *request,
				     struct MHD_Connection *conn, int ctx)
{
	struct answer *answers = calloc(server->nr, sizeof(*answers));
	struct ctx_info info = { };
	struct timespec start;
	enum MHD_Result result;
	int error = 0;

	if (!answers)
		return http_fail(conn, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory");
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (files_search(ctx, server->backends, server->nr, request->query, answers))
		error = errno;
	ctxfd_info(ctx, &info);
	if (error || info.err) {
		result = request_failed(server, request, conn, &info, answers, error);
	} else {
		say(request, "answered");
		result = http_answer(conn, MHD_HTTP_OK, "text/html; charset=utf-8",
				     page_results(request->query, request->timeout,
						  milliseconds_since(&start), answers,
						  server->nr));
	}
	answers_free(answers, server->nr);
	return result;
}

static enum MHD_Result search(const struct server *server, struct MHD_Connection *conn)
{
	enum MHD_Result result;
	struct request request;
	const char *wrong = request_parse(&request, conn);
	struct ctxfd_after *hangup;
	int ctx;

	if (wrong)
		return http_fail(conn, MHD_HTTP_BAD_REQUEST, "%s", wrong);
	ctx = request_context(server, &request);
	hangup = ctxfd_cancel_on(ctx, http_socket(conn), POLLRDHUP);
	if (hangup)
		result = request_serve(server, &request, conn, ctx);
	else
		result = http_fail(conn, MHD_HTTP_SERVICE_UNAVAILABLE, "no context: %s",
				   strerror(errno));
	ctxfd_after_stop(hangup);
	if (ctx >= 0)
		close(ctx);
	return result;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *conn, const char *path)
{
	if (!strcmp(path, "/search"))
		return search(arg, conn);
	if (!strcmp(path, "/"))
		return http_answer(conn, MHD_HTTP_OK, "text/html; charset=utf-8", page_form());
	return http_fail(conn, MHD_HTTP_NOT_FOUND, "there is /search?q=WORDS&timeout=2s");
}

/* Under a context that nobody else holds writable: they end with this process. */
static void start_backends(struct server *server)
{
	struct stat st;

	server->backends = calloc(server->nr, sizeof(*server->backends));
	if (!server->backends)
		err(1, "back ends");
	for (unsigned int i = 0; i < server->nr; i++) {
		if (stat(server->dirs[i], &st))
			err(1, "%s", server->dirs[i]);
		if (!S_ISDIR(st.st_mode))
			errx(1, "%s is no directory", server->dirs[i]);
		service_start(&server->backends[i], server->ctx,
			      (char *[]){ "backend", server->dirs[i], NULL });
	}
}

int main(int argc, char **argv)
{
	struct server server = { .dirs = argv + 2, .nr = (unsigned int)argc - 2 };
	struct http_server http;
	struct ctxfd_after *signals;
	struct ctx_info info;
	char why[256];

	if (argc < 3)
		errx(2, "usage: server [ADDRESS:]PORT DIRECTORY...");
	server.ctx = ctxfd_create_opts(ctxfd_background(), &(struct ctxfd_create_opts){
		.name = "search server",
	});
	signals = ctxfd_cancel_on_signal(server.ctx, 0);
	if (!signals)
		err(1, "no context (is the module loaded?)");
	start_backends(&server);
	http_start(&http, argv[1], handle, &server);

	ctxfd_wait(server.ctx, NULL);
	ctxfd_info(server.ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	fprintf(stderr, "server: stops: %s\n", why);
	http_stop(&http);
	for (unsigned int i = 0; i < server.nr; i++)
		service_wait(&server.backends[i]);
	free(server.backends);
	ctxfd_after_stop(signals);
	return 0;
}
