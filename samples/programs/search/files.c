// SPDX-License-Identifier: LGPL-2.1-or-later
/* Searches files, with a back end for each tree of them. */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "search/files.h"

/* The program beside this one */
static void backend_path(char path[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - sizeof("backend"));

	if (len < 0)
		err(1, "/proc/self/exe");
	path[len] = '\0';
	strcpy(strrchr(path, '/') + 1, "backend");
}

/*
 * The back end's input is a socket that listens at an address of the kernel's choice. The
 * server keeps none of it, so that connect() tells when the back end is gone.
 */
void backend_start(struct backend *backend, int ctx, const char *dir)
{
	char path[PATH_MAX];
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	backend->dir = dir;
	backend->addr.sun_family = AF_UNIX;
	backend->addr_len = sizeof(backend->addr);
	if (sock < 0 || bind(sock, (struct sockaddr *)&backend->addr, sizeof(sa_family_t)) ||
	    getsockname(sock, (struct sockaddr *)&backend->addr, &backend->addr_len) ||
	    listen(sock, SOMAXCONN))
		err(1, "socket of the back end for %s", dir);
	backend_path(path);
	backend->pidfd = ctxfd_spawn(ctx, (char *[]){ path, (char *)dir, NULL },
				     &(struct ctxfd_spawn_opts){
		.fds = (int []){ sock, STDERR_FILENO, STDERR_FILENO },
	});
	if (backend->pidfd < 0)
		err(1, "%s", path);
	close(sock);
}

void backend_wait(struct backend *backend)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)backend->pidfd, &info, WEXITED) && errno == EINTR)
		;
	close(backend->pidfd);
}

/* Keeps a message of @len bytes; it ends with a NUL behind that. */
static int answer_add(struct answer *answer, const char *message, size_t len)
{
	size_t place = strlen(message + 1);
	struct result *result = &answer->result[answer->nr];

	if (message[0] != RESULT || answer->nr == RESULTS_MAX || 1 + place >= len) {
		errno = EBADMSG;
		return -1;
	}
	result->place = strdup(message + 1);
	result->text = strdup(message + 1 + place + 1);
	answer->nr++;
	return result->place && result->text ? 0 : -1;
}

/*
 * The next message. The kernel looks for one, and then whether the other end was closed: what was
 * sent between the two shows when asked once more.
 */
static ssize_t receive_message(int ctx, int sock, char *message, size_t size)
{
	ssize_t len = ctxfd_recv(ctx, sock, message, size, 0);

	return len ? len : ctxfd_recv(ctx, sock, message, size, 0);
}

static int receive(int ctx, int sock, struct answer *answer)
{
	char message[MESSAGE_MAX + 1];
	ssize_t len;

	while ((len = receive_message(ctx, sock, message, sizeof(message) - 1)) > 0) {
		message[len] = '\0';
		if (message[0] == NO_MORE)
			return 0;
		if (answer_add(answer, message, (size_t)len))
			return -1;
	}
	if (!len)
		errno = ECONNRESET;
	return -1;
}

struct question {
	const struct backend *backend;
	const char *query;
	struct answer *answer;
};

/* The back end gets a descriptor that can wait for the context, not cancel it. */
static int ask(int ctx, void *arg)
{
	const struct question *question = arg;
	const struct sockaddr *addr = (const struct sockaddr *)&question->backend->addr;
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int watch = ctxfd_watch(ctx);
	int ret = -1;

	if (sock >= 0 && watch >= 0 &&
	    !ctxfd_connect(ctx, sock, addr, question->backend->addr_len) &&
	    !ctxfd_send_fd(sock, watch) &&
	    ctxfd_send(ctx, sock, question->query, strlen(question->query), MSG_NOSIGNAL) >= 0)
		ret = receive(ctx, sock, question->answer);
	if (ret)
		question->answer->error = errno;
	if (watch >= 0)
		close(watch);
	if (sock >= 0)
		close(sock);
	errno = question->answer->error;
	return ret;
}

int files_search(int ctx, const struct backend *backends, unsigned int nr, const char *query,
		 struct answer *answers)
{
	struct question *questions = calloc(nr, sizeof(*questions));
	struct ctxfd_group *group = questions ? ctxfd_group_new(ctx, 0) : NULL;
	int ret = group ? 0 : -1, error;

	for (unsigned int i = 0; !ret && i < nr; i++) {
		questions[i] = (struct question){ &backends[i], query, &answers[i] };
		ret = ctxfd_group_go(group, ask, &questions[i]);
	}
	if (group && ctxfd_group_wait(group))
		ret = -1;
	error = errno;
	ctxfd_group_free(group);
	free(questions);
	errno = error;
	return ret;
}

void answers_free(struct answer *answers, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		for (unsigned int j = 0; j < answers[i].nr; j++) {
			free(answers[i].result[j].place);
			free(answers[i].result[j].text);
		}
	}
	free(answers);
}
