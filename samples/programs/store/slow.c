// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The slow store: has the values of a file, and builds each letter by letter.
 *
 * A service that the server starts, see common/service.h. Each answer has a thread, which waits
 * for the next letter by ctxfd_sleep(): so it notices in the middle of its work that the context
 * of the question has ended, and stops.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "common/service.h"
#include "store/protocol.h"

#define AT_ONCE	16	/* answers; others wait */

struct answer {
	char message[1 + VALUE_MAX + 1];	/* see protocol.h; with a NUL */
	size_t done;				/* letters of it */
};

/* The value in the line "KEY VALUE", which is to be freed; or NULL with errno set */
static char *look_up(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	size_t len = strlen(key), size = 0;
	char *line = NULL, *value = NULL;

	if (!file)
		return NULL;
	while (!value && getline(&line, &size, file) > 0)
		if (!strncmp(line, key, len) && line[len] == ' ')
			value = strndup(line + len + 1, strcspn(line + len + 1, "\n"));
	free(line);
	(void)fclose(file);
	errno = ENODATA;
	return value;
}

/* Builds the answer, and once a second says how far it is. Returns 0, or -1 where @ctx ended. */
static int spell(int ctx, const char *key, const char *value, const struct timespec *letter,
		 struct answer *answer)
{
	struct timespec said;

	fprintf(stderr, "slow: %s: begins with %zu letters\n", key, strlen(value));
	clock_gettime(CLOCK_MONOTONIC, &said);
	while (value[answer->done]) {
		if (ctxfd_sleep(ctx, letter))
			return -1;
		answer->message[1 + answer->done] = value[answer->done];
		answer->done++;
		if (milliseconds_since(&said) < 1000)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &said);
		fprintf(stderr, "slow: %s: %zu of %zu letters\n", key, answer->done, strlen(value));
	}
	return 0;
}

static void say_stopped(int ctx, const char *key, size_t done, size_t length)
{
	struct ctx_info info = { };
	char why[200];

	ctxfd_info(ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	fprintf(stderr, "slow: %s: stopped after %zu of %zu letters: %s\n", key, done, length, why);
}

/* Where the context has ended there is nobody to send to. */
static void handle(void *path, int ctx, int sock, const char *question)
{
	struct answer answer = { };
	const char *key = strchr(question, ' ');
	char *pace = key ? strndup(question, (size_t)(key - question)) : NULL, *value = NULL;
	struct timespec letter;

	if (!pace || !duration_parse(pace, &letter)) {
		answer.message[0] = EPROTO;
	} else {
		value = look_up(path, ++key);
		if (!value)
			answer.message[0] = (char)errno;
		else if (strlen(value) > VALUE_MAX)
			answer.message[0] = EFBIG;
		else if (spell(ctx, key, value, &letter, &answer))
			say_stopped(ctx, key, answer.done, strlen(value));
		else
			fprintf(stderr, "slow: %s: done\n", key);
	}
	ctxfd_send(ctx, sock, answer.message, 1 + answer.done, MSG_NOSIGNAL);
	free(value);
	free(pace);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: slow FILE, as the server starts it");
	service_run(AT_ONCE, handle, argv[1]);
	return 0;
}
