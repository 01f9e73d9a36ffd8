// SPDX-License-Identifier: LGPL-2.1-or-later
/* Searches files, with a back end for each tree of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "search/files.h"

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

static int receive(int ctx, int sock, struct answer *answer)
{
	char message[MESSAGE_MAX + 1];
	ssize_t len;

	while ((len = service_receive(ctx, sock, message, sizeof(message) - 1)) > 0) {
		message[len] = '\0';
		if (message[0] == NO_MORE)
			return 0;
		if (answer_add(answer, message, (size_t)len))
			return -1;
	}
	/* The back end closes it also where the search was cancelled. */
	if (!len)
		errno = ctxfd_err(ctx) ?: ECONNRESET;
	return -1;
}

struct question {
	const struct service *backend;
	const char *query;
	struct answer *answer;
};

static int ask(int ctx, void *arg)
{
	const struct question *question = arg;
	int sock = service_ask(ctx, question->backend, question->query);
	int ret = sock < 0 ? -1 : receive(ctx, sock, question->answer);

	if (ret)
		question->answer->error = errno;
	if (sock >= 0)
		close(sock);
	errno = question->answer->error;
	return ret;
}

int files_search(int ctx, const struct service *backends, unsigned int nr, const char *query,
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
