// SPDX-License-Identifier: LGPL-2.1-or-later
/* Services, for those who are asked */
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/service.h"

struct question {
	service_handler *handler;
	void *arg;
	int sock;
};

/* The asker may have given it up while it waited here for a thread: then nobody wants to know. */
static void answer(const struct question *question, int ctx)
{
	char text[SERVICE_QUESTION_MAX + 1];
	ssize_t len = ctxfd_recv(ctx, question->sock, text, sizeof(text), 0);

	if (len <= 0 || ctxfd_err(ctx))
		return;
	text[len - 1] = '\0';
	question->handler(question->arg, ctx, question->sock, text);
}

/* Returns 0 in any case: one that fails is no reason for others to end. */
static int question_thread(int ctx, void *arg)
{
	struct question *question = arg;
	struct pollfd pfd = { .fd = question->sock, .events = POLLIN };
	int its_own = -1;

	if (ctxfd_poll(ctx, &pfd, 1, NULL) == 1)
		its_own = ctxfd_recv_fd(question->sock);
	if (its_own >= 0) {
		answer(question, its_own);
		close(its_own);
	}
	close(question->sock);
	free(question);
	return 0;
}

/* An address without a file has no permissions: this asks who connects. */
static bool is_ours(int sock)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.uid == geteuid();
}

static void begin(struct ctxfd_group *group, service_handler *handler, void *arg, int sock)
{
	struct question *question = is_ours(sock) ? malloc(sizeof(*question)) : NULL;

	if (question) {
		*question = (struct question){ handler, arg, sock };
		if (!ctxfd_group_go(group, question_thread, question))
			return;
		warn("a question is left unanswered");
	}
	free(question);
	close(sock);
}

void service_run(unsigned int at_once, service_handler *handler, void *arg)
{
	int ctx = ctxfd_from_env(), sock;
	struct ctxfd_group *group = ctxfd_group_new(ctx, at_once);

	if (!group)
		err(1, "no context (is the module loaded?)");
	while (!ctxfd_err(ctx)) {
		sock = ctxfd_accept(ctx, STDIN_FILENO, NULL, NULL);
		if (sock >= 0)
			begin(group, handler, arg, sock);
		else	/* such as EMFILE, which passes */
			ctxfd_sleep(ctx, &(struct timespec){ .tv_nsec = 10000000 });
	}
	ctxfd_group_free(group);
}
