// SPDX-License-Identifier: LGPL-2.1-or-later
/* The little that the servers here need beside libmicrohttpd */
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http.h"

/* libmicrohttpd calls once with the headers, and once more with all of the request. */
static enum MHD_Result handle(void *cls, struct MHD_Connection *conn, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *size, void **seen)
{
	struct http_server *server = cls;

	(void)version;
	(void)data;
	if (!*seen) {
		*seen = server;
		return MHD_YES;
	}
	if (*size) {
		*size = 0;	/* nobody wants a body */
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET))
		return http_fail(conn, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET is known here");
	return server->handler(server->arg, conn, url);
}

static struct sockaddr_in parse_address(const char *where)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	const char *colon = strchr(where, ':');
	const char *port = colon ? colon + 1 : where;
	char *end, *host = strndup(where, colon ? (size_t)(colon - where) : 0);
	unsigned long number = strtoul(port, &end, 10);

	if (!host)
		err(1, "%s", where);
	if (*port < '0' || *port > '9' || *end || number > 65535 ||
	    !inet_aton(colon ? host : "127.0.0.1", &addr.sin_addr))
		errx(2, "%s is no [ADDRESS:]PORT such as 8080 or 10.0.0.1:8080", where);
	addr.sin_port = htons((in_port_t)number);
	free(host);
	return addr;
}

void http_start(struct http_server *server, const char *where, http_handler *handler, void *arg)
{
	struct sockaddr_in addr = parse_address(where);
	char host[INET_ADDRSTRLEN];

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		err(1, "SIGPIPE");
	server->handler = handler;
	server->arg = arg;
	/* ITC: what a connection leaves is cleaned up at once, not when the next one comes. */
	server->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
					  MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC,
					  0, NULL, NULL, handle, server,
					  MHD_OPTION_SOCK_ADDR, &addr, MHD_OPTION_END);
	if (!server->daemon)
		err(1, "cannot listen at %s", where);
	printf("listening at http://%s:%u/\n",
	       inet_ntop(AF_INET, &addr.sin_addr, host, sizeof(host)),
	       MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
}

void http_stop(struct http_server *server)
{
	MHD_stop_daemon(server->daemon);
}

enum MHD_Result http_answer(struct MHD_Connection *conn, unsigned int status, const char *type,
			    char *body)
{
	struct MHD_Response *response;
	enum MHD_Result result = MHD_NO;

	if (!body)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(body);
		return MHD_NO;
	}
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES)
		result = MHD_queue_response(conn, status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result http_fail(struct MHD_Connection *conn, unsigned int status,
			  const char *format, ...)
{
	char *text, *body;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		return MHD_NO;
	len = asprintf(&body, "%u: %s\n", status, text);
	free(text);
	return len < 0 ? MHD_NO : http_answer(conn, status, "text/plain; charset=utf-8", body);
}

const char *http_argument(struct MHD_Connection *conn, const char *name)
{
	return MHD_lookup_connection_value(conn, MHD_GET_ARGUMENT_KIND, name);
}

int http_socket(struct MHD_Connection *conn)
{
	return MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

const struct sockaddr *http_client(struct MHD_Connection *conn)
{
	return MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}
