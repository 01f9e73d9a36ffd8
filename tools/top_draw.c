// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lines of ctx top, as wide as the screen.
 */
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "top.h"

/* Narrower than this, the rates are left out. */
#define WIDE		60
#define USER_COLUMNS	8

/* Text that grows, and is cut where it is put. */
struct line {
	char *text;
	size_t len;
	FILE *out;
};

/* A line to write to, or none where there is no memory. */
static bool line_open(struct line *line)
{
	*line = (struct line){};
	line->out = open_memstream(&line->text, &line->len);
	return line->out;
}

/*
 * Ends @text before what is beyond so many columns, 0 for no such limit; returns how many it
 * takes. A character of no known width becomes a question mark.
 */
static size_t cut(char *text, size_t limit)
{
	const char *at;
	char *to = text;
	size_t used = 0, n;
	uint32_t code;
	int width;

	for (at = text; *at; at += n) {
		n = utf8_decode(at, strlen(at), &code);
		width = n ? wcwidth((wchar_t)code) : -1;
		n = n ?: 1;
		if (limit && used + (width < 0 ? 1 : (size_t)width) > limit)
			break;
		if (width < 0)
			*to++ = '?';
		else
			to = (char *)memmove(to, at, n) + n;
		used += width < 0 ? 1 : (size_t)width;
	}
	*to = '\0';
	return used;
}

static bool line_put(struct line *line, const struct top_page *page, bool heading)
{
	bool good = !fclose(line->out);

	if (good) {
		cut(line->text, page->width);
		page->put(line->text, heading);
	}
	free(line->text);
	return good;
}

static bool put_heading(const struct top_page *page, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	cut(copy, page->width);
	page->put(copy, true);
	free(copy);
	return true;
}

/* The name of a user, which is asked for once: it may come from far. */
static const char *user_name(uid_t uid)
{
	static struct user {
		struct user *next;
		uid_t uid;
		char name[];
	} *users;
	const struct passwd *entry;
	struct user *user;
	char number[16];
	const char *name;
	size_t size;

	for (user = users; user; user = user->next)
		if (user->uid == uid)
			return user->name;
	entry = getpwuid(uid);
	snprintf(number, sizeof(number), "%u", uid);
	name = entry && *entry->pw_name ? entry->pw_name : number;
	size = strlen(name) + 1;
	user = malloc(sizeof(*user) + size);
	if (!user)
		return "?";
	user->uid = uid;
	memcpy(user->name, name, size);
	user->next = users;
	users = user;
	return user->name;
}

/* "4.2s" in so many columns, or "-" */
static void put_left(FILE *out, const struct snapshot *snapshot, uint64_t deadline, int columns)
{
	char text[32] = "-";
	FILE *to = fmemopen(text, sizeof(text), "w");

	if (to && deadline)
		put_duration(to, deadline > snapshot->time ? deadline - snapshot->time : 0, true);
	if (to)
		(void)fclose(to);
	fprintf(out, "%*s", columns, deadline ? text : "-");
}

/* So many since the snapshot before, a second */
static void put_rate(FILE *out, const struct snapshot *snapshot, size_t nr, int columns)
{
	uint64_t ns = snapshot->time - snapshot->time_before;

	if (snapshot->time_before && ns)
		fprintf(out, "%*.1f", columns, (double)nr * (double)NSEC_PER_SEC / (double)ns);
	else
		fprintf(out, "%*s", columns, "-");
}

static bool is_wide(const struct top_page *page)
{
	return !page->width || page->width >= WIDE;
}

static bool draw_group(const struct top_page *page, const struct snapshot *snapshot,
		       const struct top_group *group, bool named)
{
	struct line line;

	if (!line_open(&line))
		return false;
	fprintf(line.out, "%7zu  %9zu", group->nr_alive, group->nr_cancelled);
	if (is_wide(page)) {
		fputs("  ", line.out);
		put_rate(line.out, snapshot, group->nr_created, 8);
		fputs("  ", line.out);
		put_rate(line.out, snapshot, group->nr_ended, 8);
	}
	fputs("  ", line.out);
	put_left(line.out, snapshot, group->deadline, 7);
	fputs("  ", line.out);
	put_name(line.out, named ? group->name : user_name(group->uid));
	return line_put(&line, page, false);
}

static bool draw_deadline(const struct top_page *page, const struct snapshot *snapshot,
			  const struct top_context *context)
{
	struct line line, user;
	size_t columns;

	if (!line_open(&user))
		return false;
	put_name(user.out, user_name(context->uid));
	if (fclose(user.out) || !line_open(&line)) {
		free(user.text);
		return false;
	}
	columns = cut(user.text, USER_COLUMNS);
	put_left(line.out, snapshot, context->deadline, 7);
	fprintf(line.out, "  %9" PRIu64 "  %s%*s  ", context->id, user.text,
		(int)(USER_COLUMNS - columns), "");
	free(user.text);
	put_name(line.out, context->name);
	return line_put(&line, page, false);
}

/* A heading, and how many of how many rows there are below it. */
static bool draw_heading(const struct top_page *page, const char *narrow, const char *wide,
			 const char *what, size_t rows, size_t nr)
{
	struct line line;

	page->put("", false);
	if (!line_open(&line))
		return false;
	fprintf(line.out, "%s%s", is_wide(page) ? wide : narrow, what);
	if (rows < nr)
		fprintf(line.out, " (%zu of %zu)", rows, nr);
	return line_put(&line, page, true);
}

static bool draw_groups(const struct top_page *page, const struct snapshot *snapshot,
			const struct top_group *groups, size_t rows, size_t nr, bool named)
{
	size_t i;

	if (!draw_heading(page, "  ALIVE  CANCELLED     NEXT  ",
			  "  ALIVE  CANCELLED     NEW/S   ENDED/S     NEXT  ",
			  named ? "NAME" : "USER", rows, nr))
		return false;
	for (i = 0; i < rows; i++)
		if (!draw_group(page, snapshot, &groups[i], named))
			return false;
	return true;
}

static bool draw_deadlines(const struct top_page *page, const struct snapshot *snapshot,
			   const struct top_context **contexts, size_t rows, size_t nr)
{
	static const char heading[] = "   LEFT         ID  USER      ";
	size_t i;

	if (!draw_heading(page, heading, heading, "NAME", rows, nr))
		return false;
	for (i = 0; i < rows; i++)
		if (!draw_deadline(page, snapshot, contexts[i]))
			return false;
	return true;
}

static bool draw_sums(const struct top_page *page, const struct snapshot *snapshot)
{
	size_t i, nr_alive = 0, nr_created = 0, nr_ended = 0;
	const struct top_context *context;
	struct line line;

	for (i = 0; i < snapshot->nr; i++) {
		context = &snapshot->contexts[i];
		nr_alive += !context->cancelled_at;
		nr_created += context->created;
		nr_ended += snapshot->time_before && context->cancelled_at > snapshot->time_before;
	}
	if (!line_open(&line))
		return false;
	fprintf(line.out, "%zu contexts: %zu alive, %zu cancelled", snapshot->nr, nr_alive,
		snapshot->nr - nr_alive);
	if (!line_put(&line, page, false) || !line_open(&line))
		return false;
	fputs("a second: ", line.out);
	put_rate(line.out, snapshot, nr_created, 0);
	fputs(" new, ", line.out);
	put_rate(line.out, snapshot, nr_ended, 0);
	fputs(" ended, ", line.out);
	put_rate(line.out, snapshot, snapshot->nr_gone, 0);
	fputs(" gone", line.out);
	return line_put(&line, page, false);
}

/* What there is to show: how much of it, and how much of that is on the page. */
struct sizes {
	size_t nr[3];
	size_t rows[3];
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Shares out the rows: what one block leaves is for those that follow. */
static void share(const struct top_page *page, struct sizes *sizes)
{
	/* Two lines of sums, one of keys, and two above each block */
	size_t nr = page->view == TOP_ALL ? 3 : 1, taken = 3 + 2 * nr;
	size_t left = page->rows > taken ? page->rows - taken : 0, i;

	for (i = 0; i < 3; i++) {
		if (page->view != TOP_ALL && i != page->view - TOP_USERS)
			continue;
		sizes->rows[i] = least(sizes->nr[i], page->rows ? left / nr : TOP_PLAIN_ROWS);
		left -= page->rows ? sizes->rows[i] : 0;
		nr--;
	}
}

static bool draw_blocks(const struct top_page *page, const struct snapshot *snapshot,
			const struct top_group *users, const struct top_group *names,
			const struct top_context **deadlines, struct sizes *sizes)
{
	bool all = page->view == TOP_ALL;

	share(page, sizes);
	return draw_sums(page, snapshot) &&
	       ((!all && page->view != TOP_USERS) ||
		draw_groups(page, snapshot, users, sizes->rows[0], sizes->nr[0], false)) &&
	       ((!all && page->view != TOP_NAMES) ||
		draw_groups(page, snapshot, names, sizes->rows[1], sizes->nr[1], true)) &&
	       ((!all && page->view != TOP_DEADLINES) ||
		draw_deadlines(page, snapshot, deadlines, sizes->rows[2], sizes->nr[2])) &&
	       (!page->rows || put_heading(page, "u users n names d deadlines a all q quit"));
}

bool top_draw(const struct top_page *page, const struct snapshot *snapshot)
{
	struct top_group *users = NULL, *names = NULL;
	const struct top_context **deadlines = NULL;
	ssize_t nr_users = snapshot_by_user(snapshot, &users);
	ssize_t nr_names = snapshot_by_name(snapshot, &names);
	ssize_t nr_deadlines = snapshot_by_deadline(snapshot, &deadlines);
	struct sizes sizes = {
		.nr = { (size_t)nr_users, (size_t)nr_names, (size_t)nr_deadlines },
	};
	bool good = nr_users >= 0 && nr_names >= 0 && nr_deadlines >= 0 &&
		    draw_blocks(page, snapshot, users, names, deadlines, &sizes);

	free(users);
	free(names);
	free(deadlines);
	return good;
}
