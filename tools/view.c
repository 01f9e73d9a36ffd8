// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which contexts are shown, and below which.
 *
 * The module tells of all that the user could open. /proc knows the holders, and has
 * to do where the module is too old. Nothing here recurses: parents have lower ids
 * than their children, so one pass finds what each is below.
 */
#include <ctxfd.h>
#include <errno.h>
#include <pwd.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "view.h"

/* One line a run, however often it is shown. @why is an errno. */
static void say_once(int why)
{
	static bool said;

	if (said)
		return;
	said = true;
	if (why == ENOTTY)
		complain("the module is too old to list contexts; searching /proc");
	else
		complain("cannot open /dev/ctx: %s; searching /proc", strerror(why));
}

static void read_contexts(struct view *view, const struct view_options *options)
{
	int why;

	if (!contexts_read(&view->contexts, options->ages)) {
		view->held = options->holders;
		if (options->holders)
			forest_scan(&view->forest);
		else if (options->pid)
			forest_scan_process(&view->forest, options->pid);
		return;
	}
	why = errno;
	view->held = true;
	forest_scan(&view->forest);
	if (!view->forest.nr)
		need_module();
	/* Who gave a name or an id was told already. */
	if (why != ENOTTY || !options->start || options->start->pid)
		say_once(why);
}

/* Those too that were passed on by another user, who alone could open them. */
static void add_held(struct view *view)
{
	struct contexts listed = view->contexts;
	const struct context *held;
	size_t i;

	for (i = 0; i < view->forest.nr; i++) {
		held = view->forest.contexts[i];
		listed.list = view->contexts.list;
		if (contexts_find(&listed, held->info.id) == listed.nr)
			contexts_append(&view->contexts, &held->info, held->age);
	}
	contexts_sort(&view->contexts);
}

static void add_start(struct view *view, const struct listed *start)
{
	if (!start->info.id ||
	    contexts_find(&view->contexts, start->info.id) < view->contexts.nr)
		return;
	contexts_append(&view->contexts, &start->info, start->age);
	contexts_sort(&view->contexts);
}

/* Returns false after having said what is wrong. */
static bool find_start(struct target *target, struct listed *start)
{
	struct forest forest = {};
	int fd = target_open(target, &forest, false);
	struct descriptor descriptor;
	bool found;

	forest_free(&forest);
	if (fd < 0)
		return false;
	found = !ctxfd_info(fd, &start->info);
	if (!found)
		complain("%s: cannot ask: %s", target->text, strerror(errno));
	start->age = descriptor_look(getpid(), fd, &descriptor) ? descriptor.age : -1;
	close(fd);
	if (found && !start->info.id) {
		complain("%s: that is /dev/ctx, the background; leave it out to see all",
			 target->text);
		return false;
	}
	/* A name that is another context's later is not what was meant. */
	if (!target->pid)
		target->id = start->info.id;
	return found;
}

static bool holds(const struct holder *holder, pid_t pid)
{
	for (; holder; holder = holder->next)
		if (holder->process->pid == pid)
			return true;
	return false;
}

static bool is_wanted(const struct node *node, const struct view_options *options)
{
	if (options->alive && node->info->err)
		return false;
	return !options->pid || node->info->maker == options->pid ||
	       holds(node->holders, options->pid);
}

/* What its parent is decided of already. */
static void place(struct view *view, struct node *node, const struct view_options *options,
		  uint64_t start)
{
	size_t at = contexts_find(&view->contexts, node->info->parent_id);
	const struct node *parent = at < view->nr ? &view->nodes[at] : NULL;

	node->inside = !start || node->info->id == start || (parent && parent->inside);
	node->chosen = node->inside && is_wanted(node, options);
	node->parent = NOWHERE;
	if (parent && parent->chosen) {
		node->parent = at;
		node->level = parent->level + 1;
	}
	node->shown = node->chosen && node->level <= options->depth;
	view->too_deep += node->chosen && !node->shown;
}

static void make_nodes(struct view *view, const struct view_options *options, uint64_t start)
{
	const struct context *held;
	size_t i;

	view->nr = view->contexts.nr;
	view->nodes = need(calloc(view->nr + 1, sizeof(*view->nodes)));
	for (i = 0; i < view->nr; i++) {
		struct node *node = &view->nodes[i];

		node->info = &view->contexts.list[i].info;
		node->age = view->contexts.list[i].age;
		held = forest_find(&view->forest, node->info->id);
		if (held)
			node->holders = held->holders;
		place(view, node, options, start);
	}
}

bool view_take(struct view *view, const struct view_options *options)
{
	struct listed start = {};
	struct timespec now;

	*view = (struct view){};
	if (options->start && !find_start(options->start, &start))
		return false;
	read_contexts(view, options);
	add_held(view);
	add_start(view, &start);
	clock_gettime(CLOCK_MONOTONIC, &now);
	view->now = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
	make_nodes(view, options, start.info.id);
	return true;
}

void view_free(struct view *view)
{
	free(view->nodes);
	contexts_free(&view->contexts);
	forest_free(&view->forest);
	tdestroy(view->commands, free);
	tdestroy(view->users, free);
	*view = (struct view){};
}

static int by_key(const void *a, const void *b)
{
	uint32_t x = ((const struct label *)a)->key, y = ((const struct label *)b)->key;

	return x < y ? -1 : x > y;
}

/* NULL where it was not looked up yet. */
static const struct label *find_label(void *const *root, uint32_t key)
{
	struct label wanted = { .key = key };
	struct label **found = tfind(&wanted, root, by_key);

	return found ? *found : NULL;
}

static const struct label *add_label(void **root, uint32_t key, const char *text, size_t len)
{
	struct label *label = need(calloc(1, sizeof(*label) + len + 1));

	label->key = key;
	label->len = len;
	memcpy(label->text, text, len);
	need(tsearch(label, root, by_key));
	return label;
}

const struct label *view_command(struct view *view, pid_t pid)
{
	const struct label *label = find_label(&view->commands, (uint32_t)pid);
	char name[256] = "";

	if (!label)
		label = add_label(&view->commands, (uint32_t)pid, name,
				  process_name(pid, name, sizeof(name)));
	return label;
}

const struct label *view_user(struct view *view, uid_t uid)
{
	const struct label *label = find_label(&view->users, uid);
	const struct passwd *user;

	if (label)
		return label;
	user = getpwuid(uid);
	return user ? add_label(&view->users, uid, user->pw_name, strlen(user->pw_name)) :
		      add_label(&view->users, uid, "", 0);
}
