// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts by their names, among all that the user could open.
 */
#include <ctxfd.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

struct search {
	struct found *found;
	const char *name;
};

static void add_if_named(void *arg, const struct listed *listed)
{
	const struct search *search = arg;

	if (!strcmp(listed->info.name, search->name))
		add(search->found, &listed->info);
}

void find_listed(struct found *found, const char *name)
{
	struct search search = { .found = found, .name = name };

	found->has_uids = true;
	if (contexts_each(false, add_if_named, &search))
		die("cannot list the contexts: %s", strerror(errno));
}

void find_held(struct found *found, const struct forest *forest, const char *name)
{
	size_t i;

	for (i = 0; i < forest->nr; i++)
		if (forest->contexts[i]->visible && !strcmp(forest->contexts[i]->info.name, name))
			add(found, &forest->contexts[i]->info);
}

/*
 * Whether the user made it, maybe before becoming root. Anybody may give any name: what
 * root could open besides must not come between a name and what it is meant for.
 */
static bool is_own(const struct ctx_info *info)
{
	const char *sudo_uid = geteuid() ? NULL : getenv("SUDO_UID");

	return info->uid == geteuid() || info->uid == getuid() ||
	       (sudo_uid && *sudo_uid && info->uid == (uid_t)strtoul(sudo_uid, NULL, 10));
}

static bool is_alive(const struct ctx_info *info)
{
	return !info->err;
}

/* Leaves only those of which that is true. Where it is of none, leaves all and returns false. */
static bool narrow(struct found *found, bool (*is)(const struct ctx_info *info))
{
	size_t i, nr = 0;

	for (i = 0; i < found->nr; i++)
		if (is(&found->info[i]))
			found->info[nr++] = found->info[i];
	if (nr)
		found->nr = nr;
	return nr;
}

/* In seconds; -1 where it cannot be told. */
static int64_t age_of(uint64_t id)
{
	struct descriptor descriptor = { .age = -1 };
	int fd = ctxfd_open(id, 0);

	if (fd < 0)
		return -1;
	descriptor_look(getpid(), fd, &descriptor);
	close(fd);
	return descriptor.age;
}

/* "make, ", unless the pid may be another's by now */
static void put_maker(FILE *out, const struct ctx_info *info)
{
	int64_t age = age_of(info->id);
	char name[64];
	size_t len = 0;

	if (age >= 0 && process_is_older(info->maker, age))
		len = process_name(info->maker, name, sizeof(name));
	if (len)
		fprintf(out, "%.*s, ", (int)len, name);
	fprintf(out, "process %d", info->maker);
}

/* "#12 (make, process 345)" */
static void put_candidate(FILE *out, const struct ctx_info *info)
{
	fprintf(out, "#%llu (", (unsigned long long)info->id);
	if (info->maker > 0)
		put_maker(out, info);
	else
		fputs(state_name(info), out);
	putc(')', out);
}

static void complain_with_candidates(const struct found *found, const char *text, const char *what)
{
	size_t i, size;
	char *list = NULL;
	FILE *out = need(open_memstream(&list, &size));

	for (i = 0; i < found->nr && i < SHOWN; i++) {
		fputs(i ? ", " : "", out);
		put_candidate(out, &found->info[i]);
	}
	if (i < found->nr)
		fprintf(out, " and %zu more", found->nr - i);
	if (fclose(out))
		die("out of memory");
	complain("%s: %s, so give an id: %s", text, what, list);
	free(list);
}

uint64_t found_one(struct found *found, const char *text)
{
	char what[64];

	if (!found->nr) {
		complain("%s: there is no context of this name; 'ctx tree' lists them", text);
		return 0;
	}
	if (found->has_uids && !narrow(found, is_own)) {
		complain_with_candidates(found, text,
					 "only contexts of other users have this name");
		return 0;
	}
	narrow(found, is_alive);
	if (found->nr == 1)
		return found->info->id;
	snprintf(what, sizeof(what), "%zu contexts have this name", found->nr);
	complain_with_candidates(found, text, what);
	return 0;
}
