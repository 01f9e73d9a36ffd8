// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages of HTML with holes */
#include <string.h>

#include "common/template.h"

static void write_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static void write_value(FILE *out, const char *name, size_t len,
			const struct template_value *value)
{
	for (; value->name; value++) {
		if (strlen(value->name) != len || memcmp(value->name, name, len) != 0)
			continue;
		if (value->html)
			fputs(value->html, out);
		else if (value->text)
			write_escaped(out, value->text);
		return;
	}
}

/* The length of the name of the hole that begins at @open; 0 where none does, as in a style. */
static size_t hole(const char *open)
{
	size_t len = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz");

	return open[1 + len] == '}' ? len : 0;
}

void template_write(FILE *out, const char *template, const struct template_value *values)
{
	const char *open;
	size_t len;

	while ((open = strchr(template, '{'))) {
		len = hole(open);
		fwrite(template, 1, (size_t)(open - template) + !len, out);
		template = open + 1;
		if (!len)
			continue;
		write_value(out, open + 1, len, values);
		template += len + 1;
	}
	fputs(template, out);
}
