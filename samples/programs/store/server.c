// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A server and its slow store: the program by which "Learn Go with tests" explains contexts.
 *
 * What it shows: the handler of a request passes the context on to the store, and has no more to do
 * for the store to stop when the client goes away. It knows both by a small interface, and was
 * written test by test, with spies for the two: samples/tests/store.c has them in their order. Here
 * are the real ones: a response of libmicrohttpd, and a store in a process of its own, which gets
 * the context over a Unix socket.
 *
 * To run it, with a file of lines "KEY VALUE":
 *
 *	echo 'moon The moon is a harsh mistress.' >poems
 *	build/programs/store/server -l 200ms 8080 poems
 *	curl http://127.0.0.1:8080/moon
 *
 * The answer takes 200 ms a letter. Give up with Ctrl-C: the store says after how many letters it
 * has stopped. Then try -t 1s, a key that there is not, and `kill -9` of either process.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/duration.h"
#include "common/http.h"
#include "common/service.h"
#include "store/handler.h"
#include "store/protocol.h"

struct server {
	int ctx;
	struct timespec timeout;
	const char *letter;
	struct service slow;
};

/* The store behind the interface: another process */
struct remote_store {
	struct store store;
	const struct server *server;
};

static char *receive(int ctx, int sock)
{
	char message[1 + VALUE_MAX + 1];
	ssize_t len = service_receive(ctx, sock, message, sizeof(message) - 1);

	if (len > 0 && !message[0])
		return strndup(message + 1, (size_t)len - 1);
	if (len >= 0)
		errno = len ? (unsigned char)message[0] : ECONNRESET;
	return NULL;
}

static char *remote_fetch(struct store *store, int ctx, const char *key)
{
	const struct server *server = ((struct remote_store *)store)->server;
	char question[SERVICE_QUESTION_MAX], *value;
	int sock, error;

	snprintf(question, sizeof(question), "%s %s", server->letter, key);
	sock = service_ask(ctx, &server->slow, question);
	if (sock < 0)
		return NULL;
	value = receive(ctx, sock);
	error = errno;
	close(sock);
	errno = error;
	return value;
}

/* The response behind the interface: what is never written is a client that gets no answer */
struct http_response {
	struct response response;
	struct MHD_Connection *conn;
	enum MHD_Result result;
	unsigned int status;
};

static void http_write(struct response *response, unsigned int status, const char *text)
{
	struct http_response *http = (struct http_response *)response;
	char *body;

	http->status = status;
	if (status != MHD_HTTP_OK)
		http->result = http_fail(http->conn, status, "%s", text);
	else if (asprintf(&body, "%s\n", text) >= 0)
		http->result = http_answer(http->conn, status, "text/plain; charset=utf-8", body);
}

static void say(int ctx, const char *key, unsigned int status)
{
	struct ctx_info info = { };
	char why[200];

	ctxfd_info(ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	if (status)
		fprintf(stderr, "server: %s: %u\n", key, status);
	else
		fprintf(stderr, "server: %s: no answer: %s\n", key, why);
}

/* Between spaces in the question, and in lines of the logs */
static bool is_key(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return *text && strlen(text) <= KEY_MAX;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *conn, const char *path)
{
	const struct server *server = arg;
	struct remote_store store = { { remote_fetch }, server };
	struct http_response response = { { http_write }, conn, HTTP_HANG_UP, 0 };
	struct ctxfd_after *hangup;
	int ctx;

	if (!is_key(path + 1))
		return http_fail(conn, MHD_HTTP_BAD_REQUEST,
				 "there is /KEY, at most %d bytes of it", KEY_MAX);
	ctx = ctxfd_create_opts(server->ctx, &(struct ctxfd_create_opts){
		.name = "store request",
		.timeout = &server->timeout,
	});
	hangup = ctxfd_cancel_on(ctx, http_socket(conn), POLLRDHUP);
	if (hangup) {
		handle_request(ctx, &store.store, path + 1, &response.response);
		say(ctx, path + 1, response.status);
	} else {
		response.result = http_fail(conn, MHD_HTTP_SERVICE_UNAVAILABLE, "no context: %s",
					    strerror(errno));
	}
	ctxfd_after_stop(hangup);
	if (ctx >= 0)
		close(ctx);
	return response.result;
}

static void serve(struct server *server, const char *where)
{
	struct http_server http;
	struct ctx_info info = { };
	char why[200];

	http_start(&http, where, handle, server);
	ctxfd_wait(server->ctx, NULL);
	ctxfd_info(server->ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	fprintf(stderr, "server: stops: %s\n", why);
	http_stop(&http);
}

/* Returns the first of what follows the options. */
static char **parse(int argc, char **argv, struct server *server)
{
	static const char usage[] =
		"usage: server [-l DURATION] [-t DURATION] [ADDRESS:]PORT FILE";
	int opt;

	while ((opt = getopt(argc, argv, "l:t:")) != -1) {
		switch (opt) {
		case 'l':
			duration_argument(optarg);
			server->letter = optarg;
			break;
		case 't':
			server->timeout = duration_argument(optarg);
			break;
		default:
			errx(2, "%s", usage);
		}
	}
	if (argc != optind + 2)
		errx(2, "%s", usage);
	return argv + optind;
}

/* So that who starts it learns of a wrong file, not the first client. */
static void check_file(const char *path)
{
	FILE *file = fopen(path, "re");
	bool is_bad = !file || (getc(file) == EOF && ferror(file));

	if (is_bad)
		err(1, "%s (a file of lines \"KEY VALUE\")", path);
	(void)fclose(file);
}

int main(int argc, char **argv)
{
	struct server server = { .timeout.tv_sec = 60, .letter = "100ms" };
	char **args = parse(argc, argv, &server);
	struct ctxfd_after *signals;

	check_file(args[1]);
	server.ctx = ctxfd_create_opts(ctxfd_background(), &(struct ctxfd_create_opts){
		.name = "store server",
	});
	signals = ctxfd_cancel_on_signal(server.ctx, 0);
	if (!signals)
		err(1, "no context (is the module loaded?)");
	service_start(&server.slow, server.ctx, (char *[]){ "slow", args[1], NULL });
	serve(&server, args[0]);
	service_wait(&server.slow);
	ctxfd_after_stop(signals);
	return 0;
}
