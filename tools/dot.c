// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts as a graph in the language of graphviz.
 */
#include <stdlib.h>
#include <string.h>

#include "view.h"

/*
 * In a label of graphviz, too, a backslash escapes: what is escaped is escaped again. An
 * ampersand begins an entity of HTML.
 */
static void put_label(FILE *out, const struct ctx_info *info)
{
	size_t len, i;
	char *text;
	FILE *line = need(open_memstream(&text, &len));

	fprintf(line, "%llu ", info->id);
	put_name(line, info->name);
	if (fclose(line))
		need(NULL);
	for (i = 0; i < len; i++) {
		if (text[i] == '\\' || text[i] == '"')
			putc('\\', out);
		putc(text[i], out);
		if (text[i] == '&')
			fputs("amp;", out);
	}
	fprintf(out, "\\n%s", state_name(info));
	free(text);
}

static void put_edge(FILE *out, uint64_t parent, uint64_t child, const char *how)
{
	fprintf(out, "\t\"%llu\" -> \"%llu\"%s;\n", (unsigned long long)parent,
		(unsigned long long)child, how);
}

void dot_print(FILE *out, const struct view *view)
{
	const struct ctx_info *info;
	unsigned int n;
	size_t i;

	fputs("digraph contexts {\n\tnode [shape=box];\n", out);
	for (i = 0; i < view->nr; i++) {
		if (!view->nodes[i].shown)
			continue;
		info = view->nodes[i].info;
		fprintf(out, "\t\"%llu\" [label=\"", info->id);
		put_label(out, info);
		fputs("\"];\n", out);
		if (info->parent_id)
			put_edge(out, info->parent_id, info->id, "");
		for (n = 0; n < info->nr_parents && n < CTX_PARENTS_MAX; n++)
			put_edge(out, info->parents[n], info->id, " [style=dashed]");
	}
	fputs("}\n", out);
}
