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

void template_write(FILE *out, const char *template, const struct template_value *values)
{
	const char *open, *close;

	while ((open = strchr(template, '{')) && (close = strchr(open, '}'))) {
		fwrite(template, 1, (size_t)(open - template), out);
		write_value(out, open + 1, (size_t)(close - open - 1), values);
		template = close + 1;
	}
	fputs(template, out);
}
