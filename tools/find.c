// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts by their names, among all that the user could open.
 */
#include <ctxfd.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contexts.h"
#include "ctx.h"

/* How many are listed where a name has many: it is to stay a line. */
#define SHOWN	8

bool can_find(void)
{
	uint64_t id;

	return ctxfd_list(0, &id, 1) >= 0;
}

static void add(struct found *found, const struct ctx_info *info)
{
	/* Twice as much where it is full: at a power of two. */
	if (!(found->nr & (found->nr - 1)))
		found->info = need(reallocarray(found->info, found->nr ? 2 * found->nr : 1,
						sizeof(*found->info)));
	found->info[found->nr++] = *info;
}

void find_listed(struct found *found, const char *name)
{
	struct contexts contexts = {};
	size_t i;

	if (contexts_read(&contexts, false))
		die("cannot list the contexts: %s", strerror(errno));
	for (i = 0; i < contexts.nr; i++)
		if (!strcmp(contexts.list[i].info.name, name))
			add(found, &contexts.list[i].info);
	contexts_free(&contexts);
}

void find_held(struct found *found, const struct forest *forest, const char *name)
{
	size_t i;

	for (i = 0; i < forest->nr; i++)
		if (forest->contexts[i]->visible && !strcmp(forest->contexts[i]->info.name, name))
			add(found, &forest->contexts[i]->info);
}

static size_t count_alive(const struct found *found)
{
	size_t i, n = 0;

	for (i = 0; i < found->nr; i++)
		n += !found->info[i].err;
	return n;
}

/* "#12 (make, process 345)" */
static void put_candidate(FILE *out, const struct ctx_info *info)
{
	char comm[16 + 1] = "", path[32];
	FILE *file = NULL;

	fprintf(out, "#%llu (", (unsigned long long)info->id);
	if (info->maker > 0) {
		snprintf(path, sizeof(path), "/proc/%d/comm", info->maker);
		file = fopen(path, "re");
	}
	if (file) {
		if (fgets(comm, sizeof(comm), file))
			comm[strcspn(comm, "\n")] = '\0';
		(void)fclose(file);
	}
	if (*comm)
		fprintf(out, "%s, ", comm);
	if (info->maker > 0)
		fprintf(out, "process %d)", info->maker);
	else
		fprintf(out, "%s)", state_name(info));
}

static void complain_ambiguous(const struct found *found, const char *text, bool alive)
{
	size_t i, shown = 0, nr = alive ? count_alive(found) : found->nr, size;
	char *list = NULL;
	FILE *out = need(open_memstream(&list, &size));

	for (i = 0; i < found->nr && shown < SHOWN; i++) {
		if (alive && found->info[i].err)
			continue;
		fputs(shown++ ? ", " : "", out);
		put_candidate(out, &found->info[i]);
	}
	if (shown < nr)
		fprintf(out, " and %zu more", nr - shown);
	if (fclose(out))
		die("out of memory");
	complain("%s: %zu contexts have this name, so give an id: %s", text, nr, list);
	free(list);
}

uint64_t found_one(const struct found *found, const char *text)
{
	size_t i, nr_alive = count_alive(found);

	if (found->nr > 1 && nr_alive != 1) {
		complain_ambiguous(found, text, nr_alive > 0);
		return 0;
	}
	for (i = 0; i < found->nr; i++)
		if (found->nr == 1 || !found->info[i].err)
			return found->info[i].id;
	complain("%s: there is no context of this name; 'ctx tree' lists them", text);
	return 0;
}
