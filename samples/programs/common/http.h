/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The little that the servers here need beside libmicrohttpd */
#ifndef HTTP_H
#define HTTP_H

#include <microhttpd.h>

/* What answers a GET. Runs on a thread of the connection's own and may wait. */
typedef enum MHD_Result http_handler(void *arg, struct MHD_Connection *conn, const char *path);

/* No answer at all: the connection is closed. */
#define HTTP_HANG_UP	MHD_NO

struct http_server {
	struct MHD_Daemon *daemon;
	http_handler *handler;
	void *arg;
};

/*
 * Listens at @where, "[ADDRESS:]PORT", on the loopback address where it names none, and
 * says so on stdout. Ends the program where it cannot. @server stays where it is.
 */
void http_start(struct http_server *server, const char *where, http_handler *handler, void *arg);

/* Returns once all handlers have. Who wants them to hurry cancels their contexts before. */
void http_stop(struct http_server *server);

/* An answer with @body, which is freed. */
enum MHD_Result http_answer(struct MHD_Connection *conn, unsigned int status, const char *type,
			    char *body);

/* An answer of one line of text, which begins with the status. */
__attribute__((format(printf, 3, 4)))
enum MHD_Result http_fail(struct MHD_Connection *conn, unsigned int status,
			  const char *format, ...);

/* The argument ?NAME= of the URL, or NULL */
const char *http_argument(struct MHD_Connection *conn, const char *name);

/* The connection's socket, and the address of its other end */
int http_socket(struct MHD_Connection *conn);
const struct sockaddr *http_client(struct MHD_Connection *conn);

#endif /* HTTP_H */
