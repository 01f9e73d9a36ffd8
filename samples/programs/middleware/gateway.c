// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A chain of handlers before two services: what web frameworks call middleware.
 *
 * What it shows: each handler makes a child context that carries what it has learned, and calls
 * the next one with that. The services, processes of their own, find all of it in the context:
 * the id of the request, which is in every line that any of the three processes logs, and the
 * user, once the accounts have checked the PIN. The names of the contexts begin with the id, so
 * that `ctx log` and the kernel's tracepoints have it, too.
 *
 *	with_trace	gives the request an id, a timeout, and an end when the client hangs up
 *	with_log	logs and keeps how it ends, for the page /debug/requests
 *	with_user	asks the accounts who it is
 *	hello		asks the greeter for the answer
 *
 * To run it:
 *
 *	echo 1234 | build/programs/middleware/accounts accounts.db add alice
 *	build/programs/middleware/gateway -t 5s 8080 accounts.db
 *	curl -u alice:1234 http://127.0.0.1:8080/hello
 *	curl -u alice:1234 'http://127.0.0.1:8080/hello?work=3s'
 *
 * While the last one waits, look at http://127.0.0.1:8080/debug/requests, and at `ctx tree`. Hang
 * up, or hold the database with `sqlite3 accounts.db 'BEGIN EXCLUSIVE' .shell`: who waits for it
 * gives up with the request.
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/duration.h"
#include "common/http.h"
#include "common/service.h"
#include "middleware/requests.h"

struct gateway {
	int ctx;
	struct timespec timeout;
	struct service accounts;
	struct service greeter;
	struct requests requests;
};

/* A request on its way through the chain: each handler calls the next with a context further in. */
struct call {
	struct gateway *gateway;
	struct MHD_Connection *conn;
	const char *path;
	unsigned int *status;	/* of the answer, for who logs it; 0 for none */
	int ctx;
};

struct link;
typedef enum MHD_Result handler(const struct call *call, const struct link *next);

struct link {
	handler *handler;
};

static enum MHD_Result call_next(const struct call *call, int ctx, const struct link *next)
{
	struct call inner = *call;

	inner.ctx = ctx;
	return next->handler(&inner, next + 1);
}

/* An answer of one line that says what went wrong */
static enum MHD_Result fail(const struct call *call, unsigned int status, const char *what,
			    const char *why)
{
	*call->status = status;
	return http_fail(call->conn, status, "%s: %s", what, why);
}

/*
 * What a handler answers that could not do its part, by errno. Where the request was cancelled
 * there is nobody who would read it.
 */
static enum MHD_Result give_up(const struct call *call, const char *what)
{
	int error = errno;

	switch (ctxfd_err(call->ctx)) {
	case 0:
		trace_log(call->ctx, "%s: %s", what, strerror(error));
		return fail(call, MHD_HTTP_BAD_GATEWAY, what, strerror(error));
	case ETIMEDOUT:
		return fail(call, MHD_HTTP_GATEWAY_TIMEOUT, what, "no answer in time");
	default:
		return HTTP_HANG_UP;
	}
}

/* Asks @service under @ctx. Returns 0 with @answer, a string, or -1 with errno set. */
static int ask(int ctx, const struct service *service, const char *question, char *answer,
	       size_t size)
{
	int sock = service_ask(ctx, service, question), error;
	ssize_t len;

	if (sock < 0)
		return -1;
	len = service_receive(ctx, sock, answer, size - 1);
	error = len ? errno : ECONNRESET;
	close(sock);
	if (len > 0) {
		answer[len] = '\0';
		return 0;
	}
	errno = error;
	return -1;
}

static enum MHD_Result with_trace(const struct call *call, const struct link *next)
{
	struct trace trace = trace_new();
	struct trace_name name = trace_name(&trace, "request");
	struct ctxfd_pair value = trace_value(&trace);
	int ctx = ctxfd_create_opts(call->ctx, &(struct ctxfd_create_opts){
		.name = name.text,
		.timeout = &call->gateway->timeout,
		.values = &value,
		.nr_values = 1,
	});
	struct ctxfd_after *hangup = ctxfd_cancel_on(ctx, http_socket(call->conn), POLLRDHUP);
	enum MHD_Result result;

	if (hangup)
		result = call_next(call, ctx, next);
	else
		result = fail(call, MHD_HTTP_SERVICE_UNAVAILABLE, "no context", strerror(errno));
	ctxfd_after_stop(hangup);
	if (ctx >= 0)
		close(ctx);
	return result;
}

static enum MHD_Result with_log(const struct call *call, const struct link *next)
{
	struct requests *requests = &call->gateway->requests;
	struct trace trace = trace_from_context(call->ctx);
	uint64_t number = requests_begin(requests, &trace, call->path);
	struct ctx_info info = { };
	char why[200], end[256];
	enum MHD_Result result;

	trace_log(call->ctx, "GET %s", call->path);
	result = call_next(call, call->ctx, next);
	if (*call->status)
		snprintf(end, sizeof(end), "%u", *call->status);
	else
		strcpy(end, "no answer");
	if (!ctxfd_info(call->ctx, &info) && info.err) {
		ctxfd_describe(&info, why, sizeof(why));
		snprintf(end + strlen(end), sizeof(end) - strlen(end), ": %s", why);
	}
	trace_log(call->ctx, "%s, after %.1f ms", end, requests_end(requests, number, end));
	return result;
}

static enum MHD_Result ask_for_pin(const struct call *call)
{
	static const char body[] =
		"401: who are you? A name and a PIN, as with curl -u NAME:PIN\n";
	struct MHD_Response *response;
	enum MHD_Result result;

	response = MHD_create_response_from_buffer(sizeof(body) - 1, (char *)body,
						   MHD_RESPMEM_PERSISTENT);
	result = MHD_queue_basic_auth_fail_response(call->conn, "gateway", response);
	MHD_destroy_response(response);
	*call->status = MHD_HTTP_UNAUTHORIZED;
	return result;
}

/* No space, and nothing that would garble a log */
static bool is_name(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return *text;
}

/* "NAME PIN", the question to the accounts. False where the client sent none that could be one. */
static bool credentials(struct MHD_Connection *conn, char question[SERVICE_QUESTION_MAX])
{
	char *pin = NULL, *user = MHD_basic_auth_get_username_password(conn, &pin);
	bool is_fine = user && pin && is_name(user) &&
		       snprintf(question, SERVICE_QUESTION_MAX, "%s %s", user, pin) <
		       SERVICE_QUESTION_MAX;

	MHD_free(user);
	MHD_free(pin);
	return is_fine;
}

static enum MHD_Result with_user(const struct call *call, const struct link *next)
{
	struct trace trace = trace_from_context(call->ctx);
	char question[SERVICE_QUESTION_MAX], user[CTX_VALUE_MAX];
	struct trace_name name = trace_name(&trace, "user");
	struct ctxfd_pair value = { .key = "user", .data = user };
	enum MHD_Result result;
	int ctx;

	if (!credentials(call->conn, question))
		return ask_for_pin(call);
	if (ask(call->ctx, &call->gateway->accounts, question, user, sizeof(user)))
		return give_up(call, "accounts");
	if (!strcmp(user, "?"))		/* which is no name */
		return ask_for_pin(call);
	value.size = strlen(user);
	ctx = ctxfd_create_opts(call->ctx, &(struct ctxfd_create_opts){
		.name = name.text,
		.values = &value,
		.nr_values = 1,
	});
	if (ctx < 0)
		return give_up(call, "no context");
	result = call_next(call, ctx, next);
	close(ctx);
	return result;
}

static enum MHD_Result hello(const struct call *call, const struct link *next)
{
	const char *work = http_argument(call->conn, "work") ?: "0s";
	struct timespec duration;
	char answer[512];

	(void)next;	/* it is the last */
	if (!duration_parse(work, &duration))
		return fail(call, MHD_HTTP_BAD_REQUEST, "work", "is no time such as 2s or 250ms");
	if (ask(call->ctx, &call->gateway->greeter, work, answer, sizeof(answer)))
		return give_up(call, "greeter");
	*call->status = MHD_HTTP_OK;
	return http_answer(call->conn, MHD_HTTP_OK, "text/plain; charset=utf-8", strdup(answer));
}

/* It tells who asked for what: for people at this machine. */
static enum MHD_Result debug_requests(struct gateway *gateway, struct MHD_Connection *conn)
{
	const struct sockaddr_in *client = (const struct sockaddr_in *)http_client(conn);

	if (ntohl(client->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return http_fail(conn, MHD_HTTP_FORBIDDEN, "only from the machine itself");
	return http_answer(conn, MHD_HTTP_OK, "text/html; charset=utf-8",
			   requests_page(&gateway->requests));
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *conn, const char *path)
{
	static const struct link chain[] = {
		{ with_trace }, { with_log }, { with_user }, { hello },
	};
	struct gateway *gateway = arg;
	unsigned int status = 0;
	struct call call = { gateway, conn, path, &status, gateway->ctx };

	if (!strcmp(path, "/debug/requests"))
		return debug_requests(gateway, conn);
	if (!strcmp(path, "/hello"))
		return chain->handler(&call, chain + 1);
	return http_fail(conn, MHD_HTTP_NOT_FOUND, "there are /hello and /debug/requests");
}

static void serve(struct gateway *gateway, const char *where)
{
	struct http_server http;
	struct ctx_info info = { };
	char why[200];

	http_start(&http, where, handle, gateway);
	ctxfd_wait(gateway->ctx, NULL);
	ctxfd_info(gateway->ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	fprintf(stderr, "gateway: stops: %s\n", why);
	http_stop(&http);
}

int main(int argc, char **argv)
{
	static const char usage[] = "usage: gateway [-t DURATION] [ADDRESS:]PORT DATABASE";
	static struct gateway gateway = {
		.timeout.tv_sec = 10,
		.requests.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	struct ctxfd_after *signals;
	int opt;

	while ((opt = getopt(argc, argv, "t:")) != -1) {
		if (opt != 't')
			errx(2, "%s", usage);
		gateway.timeout = duration_argument(optarg);
	}
	if (argc != optind + 2)
		errx(2, "%s", usage);
	if (access(argv[optind + 1], R_OK))
		err(1, "%s (accounts DATABASE add NAME makes one)", argv[optind + 1]);
	gateway.ctx = ctxfd_create_opts(ctxfd_background(), &(struct ctxfd_create_opts){
		.name = "gateway",
	});
	signals = ctxfd_cancel_on_signal(gateway.ctx, 0);
	if (!signals)
		err(1, "no context (is the module loaded?)");
	service_start(&gateway.accounts, gateway.ctx,
		      (char *[]){ "accounts", argv[optind + 1], NULL });
	service_start(&gateway.greeter, gateway.ctx, (char *[]){ "greeter", NULL });
	serve(&gateway, argv[optind]);
	service_wait(&gateway.accounts);
	service_wait(&gateway.greeter);
	ctxfd_after_stop(signals);
	return 0;
}
