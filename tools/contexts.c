// SPDX-License-Identifier: GPL-2.0-only
/*
 * All contexts that the user could open: listed, opened and asked.
 */
#include <ctxfd.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contexts.h"
#include "ctx.h"

/* Ids that are asked for at a time. */
#define LISTED	4096

/*
 * Descriptors that are closed at a time, with one call where they follow each other: calls are
 * most of what this costs. Far below what a process may have.
 */
#define OPEN_AT_ONCE	128

struct batch {
	int fd[OPEN_AT_ONCE];
	unsigned int nr;
};

static void batch_close(struct batch *batch)
{
	unsigned int i, n;

	for (i = 0; i < batch->nr; i += n) {
		for (n = 1; i + n < batch->nr; n++)
			if (batch->fd[i + n] != batch->fd[i] + (int)n)
				break;
		close_range((unsigned int)batch->fd[i], (unsigned int)batch->fd[i] + n - 1, 0);
	}
	batch->nr = 0;
}

/* As ctxfd_open(). The descriptor is closed with the batch. */
static int batch_open(struct batch *batch, uint64_t id)
{
	int fd = ctxfd_open(id, 0);

	if (fd < 0 && errno == EMFILE && batch->nr) {
		batch_close(batch);
		fd = ctxfd_open(id, 0);
	}
	if (fd >= 0)
		batch->fd[batch->nr++] = fd;
	return fd;
}

/* Tells of the context, unless it is gone. */
static void ask(struct batch *batch, uint64_t id, bool age, contexts_fn *each, void *arg)
{
	int fd = batch_open(batch, id);
	struct descriptor descriptor;
	struct listed listed;

	if (fd < 0 && errno != ENOENT && errno != EPERM)
		die("cannot open context %llu: %s", (unsigned long long)id, strerror(errno));
	if (fd < 0)
		return;
	if (ctxfd_info(fd, &listed.info))
		die("cannot ask context %llu: %s", (unsigned long long)id, strerror(errno));
	listed.age = age && descriptor_look(getpid(), fd, &descriptor) ? descriptor.age : -1;
	if (batch->nr == OPEN_AT_ONCE)
		batch_close(batch);
	each(arg, &listed);
}

int contexts_each(bool ages, contexts_fn *each, void *arg)
{
	struct batch batch = { .nr = 0 };
	uint64_t ids[LISTED] = {}, last = 0;
	ssize_t i, n;

	do {
		n = ctxfd_list(last, ids, LISTED);
		for (i = 0; i < n; i++)
			ask(&batch, ids[i], ages, each, arg);
		if (n > 0)
			last = ids[n - 1];
	} while (n == LISTED);
	batch_close(&batch);
	return n < 0 ? -1 : 0;
}

static void append(void *arg, const struct listed *listed)
{
	struct contexts *contexts = arg;

	if (contexts->nr == contexts->room) {
		contexts->room = contexts->room ? 2 * contexts->room : 64;
		contexts->list = need(reallocarray(contexts->list, contexts->room,
						   sizeof(*contexts->list)));
	}
	contexts->list[contexts->nr++] = *listed;
}

int contexts_read(struct contexts *contexts, bool ages)
{
	contexts_free(contexts);
	return contexts_each(ages, append, contexts);
}

void contexts_append(struct contexts *contexts, const struct ctx_info *info, int64_t age)
{
	append(contexts, &(struct listed){ .info = *info, .age = age });
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct listed *)a)->info.id, y = ((const struct listed *)b)->info.id;

	return x < y ? -1 : x > y;
}

void contexts_sort(struct contexts *contexts)
{
	if (contexts->nr)
		qsort(contexts->list, contexts->nr, sizeof(*contexts->list), by_id);
}

size_t contexts_find(const struct contexts *contexts, uint64_t id)
{
	struct listed key = { .info.id = id };
	const struct listed *found = NULL;

	if (contexts->nr)
		found = bsearch(&key, contexts->list, contexts->nr, sizeof(key), by_id);
	return found ? (size_t)(found - contexts->list) : contexts->nr;
}

void contexts_free(struct contexts *contexts)
{
	free(contexts->list);
	*contexts = (struct contexts){};
}
