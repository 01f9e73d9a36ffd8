// SPDX-License-Identifier: GPL-2.0-only
/*
 * The columns of ctx tree and ctx ls.
 *
 * Texts of others are escaped here for a table, and quoted for JSON. For raw lines
 * libsmartcols writes all that is not printable as \xNN.
 */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>
#include <strings.h>

#include "view.h"

static void put_bytes(FILE *out, const struct look *look, const char *text, size_t len)
{
	if (look->form == FORM_JSON)
		json_string(out, text, len);
	else if (look->form == FORM_RAW)
		fwrite(text, 1, len, out);
	else
		put_text(out, text, len);
}

static void put_time(FILE *out, const struct look *look, uint64_t ns, bool fine)
{
	if (look->form != FORM_JSON)
		put_duration(out, ns, fine);
	else if (fine)
		fprintf(out, "%" PRIu64 ".%09" PRIu64, (uint64_t)(ns / NSEC_PER_SEC),
			(uint64_t)(ns % NSEC_PER_SEC));
	else
		fprintf(out, "%" PRIu64, (uint64_t)(ns / NSEC_PER_SEC));
}

static void put_ids(FILE *out, const struct look *look, const __u64 *ids, unsigned int nr)
{
	const char *gap = look->form == FORM_TABLE ? " " : ",";
	unsigned int i;

	if (look->form == FORM_JSON)
		putc('[', out);
	for (i = 0; i < nr; i++)
		fprintf(out, "%s%llu", i ? gap : "", ids[i]);
	if (look->form == FORM_JSON)
		putc(']', out);
}

static unsigned int nr_parents(const struct ctx_info *info)
{
	return info->nr_parents < CTX_PARENTS_MAX ? info->nr_parents : CTX_PARENTS_MAX;
}

static void put_id(FILE *out, struct view *, const struct node *node, const struct look *)
{
	fprintf(out, "%llu", node->info->id);
}

static void put_column_name(FILE *out, struct view *, const struct node *node,
			    const struct look *look)
{
	const char *name = node->info->name;

	if (look->form == FORM_TABLE)
		put_name(out, name);
	else
		put_bytes(out, look, name, strnlen(name, sizeof(node->info->name)));
}

static void put_state(FILE *out, struct view *, const struct node *node, const struct look *look)
{
	const char *name = state_name(node->info);

	put_bytes(out, look, name, strlen(name));
}

static void put_maker(FILE *out, struct view *, const struct node *node, const struct look *)
{
	if (node->info->maker > 0)
		fprintf(out, "%d", node->info->maker);
}

static void put_command(FILE *out, struct view *view, const struct node *node,
			const struct look *look)
{
	const struct label *name;

	if (node->info->maker <= 0)
		return;
	name = view_command(view, node->info->maker);
	if (name->len)
		put_bytes(out, look, name->text, name->len);
}

/* Each process once, however many descriptors it has. */
static void put_holders(FILE *out, struct view *view, const struct node *node,
			const struct look *look)
{
	const struct holder *holder = node->holders;
	struct json json = { .out = out };
	const struct process *process;
	bool writable, first = true;

	if (look->form == FORM_JSON && view->held)
		json_holders(&json, NULL, holder);
	while (holder && look->form != FORM_JSON) {
		process = holder->process;
		for (writable = false; holder && holder->process == process; holder = holder->next)
			writable |= holder->writable;
		if (!first)
			putc(look->form == FORM_RAW ? ',' : ' ', out);
		first = false;
		fprintf(out, "%d(", process->pid);
		put_bytes(out, look, process->name, process->len);
		fputs(writable ? ")*" : ")", out);
	}
}

static void put_left(FILE *out, struct view *view, const struct node *node, const struct look *look)
{
	uint64_t deadline = node->info->deadline;

	if (deadline && !node->info->err)
		put_time(out, look, deadline > view->now ? deadline - view->now : 0, true);
}

static void put_under(FILE *out, struct view *, const struct node *node, const struct look *look)
{
	const struct ctx_info *info = node->info;
	__u64 ids[1 + CTX_PARENTS_MAX];
	unsigned int nr = 0;

	if (info->parent_id && (!look->tree || node->parent == NOWHERE))
		ids[nr++] = info->parent_id;
	memcpy(ids + nr, info->parents, nr_parents(info) * sizeof(*ids));
	put_ids(out, look, ids, nr + nr_parents(info));
}

static void put_cause(FILE *out, struct view *, const struct node *node, const struct look *look)
{
	const struct ctx_info *info = node->info;
	const char *name = cause_name(info->cause);
	char number[16];

	/* The state has said it already. */
	if (!info->err || (look->form == FORM_TABLE && info->cause == (int)info->err))
		return;
	snprintf(number, sizeof(number), "%d", info->cause);
	if (!name)
		name = number;
	put_bytes(out, look, name, strlen(name));
}

static void put_message(FILE *out, struct view *, const struct node *node, const struct look *look)
{
	if (node->info->message_len)
		put_bytes(out, look, node->info->message, node->info->message_len);
}

static void put_origin(FILE *out, struct view *, const struct node *node, const struct look *)
{
	if (node->info->origin_id)
		fprintf(out, "%llu", node->info->origin_id);
}

static void put_ended(FILE *out, struct view *view, const struct node *node,
		      const struct look *look)
{
	uint64_t time = node->info->cancelled_at;

	if (time)
		put_time(out, look, time < view->now ? view->now - time : 0, true);
}

static void put_age(FILE *out, struct view *, const struct node *node, const struct look *look)
{
	if (node->age >= 0)
		put_time(out, look, (uint64_t)node->age * NSEC_PER_SEC, false);
}

/* Of what /proc alone tells of, the maker is not known. */
static bool knows_user(const struct node *node)
{
	return node->info->maker || node->info->uid;
}

static void put_user(FILE *out, struct view *view, const struct node *node, const struct look *look)
{
	const struct label *user;

	if (!knows_user(node))
		return;
	user = view_user(view, node->info->uid);
	if (user->len)
		put_bytes(out, look, user->text, user->len);
	else
		fprintf(out, look->form == FORM_JSON ? "\"%u\"" : "%u", node->info->uid);
}

static void put_uid(FILE *out, struct view *, const struct node *node, const struct look *)
{
	if (knows_user(node))
		fprintf(out, "%u", node->info->uid);
}

static void put_parent(FILE *out, struct view *, const struct node *node, const struct look *)
{
	if (node->info->parent_id)
		fprintf(out, "%llu", node->info->parent_id);
}

static void put_parents(FILE *out, struct view *, const struct node *node, const struct look *look)
{
	put_ids(out, look, node->info->parents, nr_parents(node->info));
}

static void put_depth(FILE *out, struct view *, const struct node *node, const struct look *)
{
	fprintf(out, "%u", node->info->depth);
}

static void put_flags(FILE *out, struct view *, const struct node *node, const struct look *look)
{
	const char *gap = "", *comma = look->form == FORM_TABLE ? " " : ",";
	unsigned int bit;

	if (look->form == FORM_JSON)
		putc('[', out);
	for (bit = 0; flag_name(bit); bit++) {
		if (!(node->info->flags & 1U << bit))
			continue;
		fputs(gap, out);
		put_bytes(out, look, flag_name(bit), strlen(flag_name(bit)));
		gap = comma;
	}
	if (look->form == FORM_JSON)
		putc(']', out);
}

static void put_children(FILE *out, struct view *, const struct node *node, const struct look *)
{
	fprintf(out, "%u", node->info->nr_children);
}

static const struct column columns[] = {
	{ "ID", 0, put_id, "the number that it keeps" },
	{ "NAME", SCOLS_FL_TRUNC, put_column_name, "what its maker called it" },
	{ "STATE", 0, put_state, "alive, cancelled or timed out" },
	{ "MAKER", SCOLS_FL_RIGHT, put_maker, "the process that made it" },
	{ "COMMAND", SCOLS_FL_TRUNC, put_command, "what that process is called now" },
	{ "HOLDERS", SCOLS_FL_TRUNC, put_holders,
	  "who has it open, with a * who may cancel it; from /proc" },
	{ "LEFT", SCOLS_FL_RIGHT, put_left, "the time until its deadline" },
	{ "UNDER", 0, put_under, "its parents to which no line leads" },
	{ "CAUSE", 0, put_cause, "why it was cancelled" },
	{ "MESSAGE", SCOLS_FL_TRUNC, put_message, "what the canceller said" },
	{ "ORIGIN", SCOLS_FL_RIGHT, put_origin, "the context whose cancellation reached it" },
	{ "ENDED", SCOLS_FL_RIGHT, put_ended, "how long ago it was cancelled" },
	{ "AGE", SCOLS_FL_RIGHT, put_age, "how long ago it was made" },
	{ "USER", SCOLS_FL_TRUNC, put_user, "the user who made it" },
	{ "UID", SCOLS_FL_RIGHT, put_uid, "the number of that user" },
	{ "PARENT", SCOLS_FL_RIGHT, put_parent, "its first parent" },
	{ "PARENTS", 0, put_parents, "its further parents" },
	{ "DEPTH", SCOLS_FL_RIGHT, put_depth, "how many first parents are above it" },
	{ "FLAGS", 0, put_flags, "timeout, detached, without-cancel, owned: how it was made" },
	{ "CHILDREN", SCOLS_FL_RIGHT, put_children, "how many children are alive" },
};

#define NR_COLUMNS	(sizeof(columns) / sizeof(*columns))

static const struct column *find_column(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		if (strlen(columns[i].name) == len && !strncasecmp(columns[i].name, name, len))
			return &columns[i];
	return NULL;
}

static bool has(const struct look *look, const struct column *column)
{
	unsigned int i;

	for (i = 0; i < look->nr; i++)
		if (look->columns[i] == column)
			return true;
	return false;
}

bool columns_have(const struct look *look, const char *name)
{
	return has(look, find_column(name, strlen(name)));
}

bool columns_choose(struct look *look, const char *names)
{
	const struct column *column;
	size_t len;

	if (*names == '+')
		names++;
	else
		look->nr = 0;
	do {
		len = strcspn(names, ",");
		column = find_column(names, len);
		if (!column) {
			bad_usage("'%.*s' is not a column", (int)len, names);
			return false;
		}
		if (!has(look, column))
			look->columns[look->nr++] = column;
		names += len;
	} while (*names++ == ',');
	return true;
}

void columns_choose_all(struct look *look)
{
	for (look->nr = 0; look->nr < NR_COLUMNS; look->nr++)
		look->columns[look->nr] = &columns[look->nr];
}

void columns_help(void)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		printf("  %-8s  %s\n", columns[i].name, columns[i].what);
}
