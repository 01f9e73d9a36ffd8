// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contexts that there are at a moment, and what they add up to.
 */
#include <ctxfd.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "top.h"

/* How many ids are listed at a time. */
#define CHUNK	4096

/* All ids, in *@ids, which is to be freed. Returns how many, or -1. */
static ssize_t list_all(uint64_t **ids)
{
	uint64_t *list = NULL, *more;
	size_t nr = 0;
	ssize_t n;

	do {
		more = realloc(list, (nr + CHUNK) * sizeof(*list));
		if (!more)
			break;
		list = more;
		memset(list + nr, 0, CHUNK * sizeof(*list));
		n = ctxfd_list(nr ? list[nr - 1] : 0, list + nr, CHUNK);
		if (n < 0)
			break;
		nr += (size_t)n;
		if (n < CHUNK) {
			*ids = list;
			return (ssize_t)nr;
		}
	} while (true);
	free(list);
	return -1;
}

/* Returns 1 for a context, 0 where it is gone or out of reach by now, -1 for another error. */
static int look_at(uint64_t id, struct top_context *context)
{
	int fd = ctxfd_open(id, 0), ret;
	struct ctx_info info = {};

	if (fd < 0)
		return errno == ENOENT || errno == EPERM ? 0 : -1;
	ret = ctxfd_info(fd, &info);
	close(fd);
	if (ret)
		return -1;
	*context = (struct top_context){
		.id = id,
		.deadline = info.deadline,
		.cancelled_at = info.cancelled_at,
		.uid = info.uid,
	};
	memcpy(context->name, info.name, CTX_NAME_LEN - 1);
	return 1;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Both are in the order of the ids. */
static void compare(struct snapshot *snapshot, const struct snapshot *before)
{
	struct top_context *context = snapshot->contexts, *end = context + snapshot->nr;
	size_t i = 0;

	snapshot->time_before = before->time;
	if (!before->time)
		return;
	for (; context < end; context++) {
		for (; i < before->nr && before->contexts[i].id < context->id; i++)
			snapshot->nr_gone++;
		if (i < before->nr && before->contexts[i].id == context->id)
			i++;
		else
			context->created = true;
	}
	snapshot->nr_gone += before->nr - i;
}

bool snapshot_take(struct snapshot *snapshot, const struct snapshot *before)
{
	uint64_t *ids = NULL;
	ssize_t nr, i;
	int ret = 0;

	*snapshot = (struct snapshot){ .time = monotonic_ns() };
	nr = list_all(&ids);
	if (nr < 0)
		return false;
	snapshot->contexts = calloc((size_t)nr + 1, sizeof(*snapshot->contexts));
	for (i = 0; snapshot->contexts && i < nr; i++) {
		ret = look_at(ids[i], &snapshot->contexts[snapshot->nr]);
		if (ret < 0)
			break;
		snapshot->nr += (size_t)ret;
	}
	free(ids);
	if (!snapshot->contexts || ret < 0)
		return false;
	compare(snapshot, before);
	return true;
}

void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->contexts);
	*snapshot = (struct snapshot){};
}

/* Orders of pointers to contexts */

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static const struct top_context *context_at(const void *element)
{
	return *(const struct top_context *const *)element;
}

static int order_by_user(const void *a, const void *b)
{
	return order(context_at(a)->uid, context_at(b)->uid);
}

static int order_by_name(const void *a, const void *b)
{
	return strcmp(context_at(a)->name, context_at(b)->name);
}

static int order_by_deadline(const void *a, const void *b)
{
	return order(context_at(a)->deadline, context_at(b)->deadline) ?:
	       order(context_at(a)->id, context_at(b)->id);
}

/* Of groups: the largest first, and then by what they are called. */
static int order_of_groups(const void *a, const void *b)
{
	const struct top_group *one = a, *other = b;

	return order(other->nr_alive, one->nr_alive) ?:
	       order(other->nr_cancelled, one->nr_cancelled) ?:
	       order(one->uid, other->uid) ?: strcmp(one->name, other->name);
}

typedef int (*order_fn)(const void *a, const void *b);

/* The contexts in another order, to be freed. */
static const struct top_context **in_order(const struct snapshot *snapshot, order_fn order_by)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the array holds pointers */
	const struct top_context **contexts = calloc(snapshot->nr + 1, sizeof(*contexts));
	size_t i;

	if (!contexts)
		return NULL;
	for (i = 0; i < snapshot->nr; i++)
		contexts[i] = &snapshot->contexts[i];
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the array holds pointers */
	qsort(contexts, snapshot->nr, sizeof(*contexts), order_by);
	return contexts;
}

static void count(struct top_group *group, const struct top_context *context, uint64_t before)
{
	if (!context->cancelled_at) {
		group->nr_alive++;
		if (context->deadline && (!group->deadline || context->deadline < group->deadline))
			group->deadline = context->deadline;
	} else {
		group->nr_cancelled++;
		group->nr_ended += before && context->cancelled_at > before;
	}
	group->nr_created += context->created;
}

/* Those that @order_by finds equal are one group. */
static ssize_t make_groups(const struct snapshot *snapshot, order_fn order_by, bool named,
			   struct top_group **groups)
{
	const struct top_context **contexts = in_order(snapshot, order_by);
	struct top_group *group = calloc(snapshot->nr + 1, sizeof(*group));
	size_t i, nr = 0;

	*groups = group;
	if (!contexts || !group) {
		free(contexts);
		return -1;
	}
	for (i = 0; i < snapshot->nr; i++) {
		if (!i || order_by(&contexts[i - 1], &contexts[i]))
			group[nr++] = (struct top_group){
				.uid = named ? 0 : contexts[i]->uid,
				.name = named ? contexts[i]->name : "",
			};
		count(&group[nr - 1], contexts[i], snapshot->time_before);
	}
	free(contexts);
	qsort(group, nr, sizeof(*group), order_of_groups);
	return (ssize_t)nr;
}

ssize_t snapshot_by_user(const struct snapshot *snapshot, struct top_group **groups)
{
	return make_groups(snapshot, order_by_user, false, groups);
}

ssize_t snapshot_by_name(const struct snapshot *snapshot, struct top_group **groups)
{
	return make_groups(snapshot, order_by_name, true, groups);
}

ssize_t snapshot_by_deadline(const struct snapshot *snapshot, const struct top_context ***contexts)
{
	const struct top_context **all = in_order(snapshot, order_by_deadline);
	size_t i, nr = 0;

	*contexts = all;
	if (!all)
		return -1;
	for (i = 0; i < snapshot->nr; i++)
		if (all[i]->deadline && !all[i]->cancelled_at)
			all[nr++] = all[i];
	return (ssize_t)nr;
}
