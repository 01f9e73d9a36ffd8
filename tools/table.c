// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts as a table, a tree, raw lines or JSON: libsmartcols draws them.
 */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

#define RED	"\033[31m"
#define GREEN	"\033[32m"
#define YELLOW	"\033[33m"

/* What the library returned. */
static void check(int error)
{
	if (error)
		die("cannot draw: %s", strerror(-error));
}

/* As locale_is_utf8() has it: a terminal may know more than this system has installed. */
static void set_locale(void)
{
	if (locale_is_utf8() && !setlocale(LC_CTYPE, ""))
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

/* What the cells are written to, one after the other. */
struct cells {
	FILE *out;
	char *text;
	size_t size;
};

static char *cell_text(struct cells *cells, const struct column *column, struct view *view,
		       const struct node *node, const struct look *look)
{
	rewind(cells->out);
	column->put(cells->out, view, node, look);
	/* So that the fields of all raw lines are as many. */
	if (look->form == FORM_RAW && !ftell(cells->out))
		putc('-', cells->out);
	putc('\0', cells->out);
	if (fflush(cells->out))
		need(NULL);
	return need(strdup(cells->text));
}

static const char *state_colour(const struct ctx_info *info)
{
	return !info->err ? GREEN : info->err == ETIMEDOUT ? YELLOW : RED;
}

static void fill_line(struct libscols_line *line, struct cells *cells, struct view *view,
		      const struct node *node, const struct look *look)
{
	unsigned int i;

	for (i = 0; i < look->nr; i++) {
		const struct column *column = look->columns[i];

		check(scols_line_refer_data(line, i, cell_text(cells, column, view, node, look)));
		if (look->colour && !strcmp(column->name, "STATE"))
			check(scols_cell_set_color(scols_line_get_cell(line, i),
						   state_colour(node->info)));
	}
}

static void add_lines(struct libscols_table *table, struct view *view, const struct look *look)
{
	struct libscols_line **lines = need(calloc(view->nr + 1, sizeof(struct libscols_line *)));
	struct cells cells = {};
	size_t i;

	cells.out = need(open_memstream(&cells.text, &cells.size));
	for (i = 0; i < view->nr; i++) {
		const struct node *node = &view->nodes[i];
		struct libscols_line *parent = NULL;

		if (!node->shown)
			continue;
		if (look->tree && node->parent != NOWHERE)
			parent = lines[node->parent];
		lines[i] = need(scols_table_new_line(table, parent));
		fill_line(lines[i], &cells, view, node, look);
	}
	if (fclose(cells.out))
		need(NULL);
	free(cells.text);
	free(lines);
}

static void add_columns(struct libscols_table *table, const struct look *look)
{
	unsigned int i;

	for (i = 0; i < look->nr; i++) {
		const struct column *column = look->columns[i];
		int flags = column->flags;
		struct libscols_column *added;

		if (look->tree && !i)
			flags |= SCOLS_FL_TREE;
		added = need(scols_table_new_column(table, column->name, 0, flags));
		/* The library writes a number as it is: its own quoting lets some controls pass. */
		check(scols_column_set_json_type(added, SCOLS_JSON_NUMBER));
	}
}

void table_print(FILE *out, struct view *view, const struct look *look)
{
	struct libscols_table *table;

	set_locale();
	table = need(scols_new_table());
	check(scols_table_set_name(table, "contexts"));
	check(scols_table_set_stream(table, out));
	check(scols_table_enable_json(table, look->form == FORM_JSON));
	check(scols_table_enable_raw(table, look->form == FORM_RAW));
	check(scols_table_enable_noheadings(table, look->no_headings));
	check(scols_table_enable_colors(table, look->colour));
	/* It is escaped already. */
	check(scols_table_enable_noencoding(table, 1));
	/* No blanks at the ends of lines. */
	check(scols_table_enable_minout(table, 1));
	/* Columns that do not fit are left out, the last first. */
	check(scols_table_enable_nowrap(table, 1));
	add_columns(table, look);
	add_lines(table, view, look);
	check(scols_print_table(table));
	scols_unref_table(table);
}
