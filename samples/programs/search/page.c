// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pages that the search shows */
#include <stdio.h>
#include <stdlib.h>

#include "common/template.h"
#include "search/page.h"

static const char page[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>\n"
	"body { font: 16px sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em }\n"
	"code { display: block; white-space: pre-wrap; overflow-wrap: anywhere; color: #444 }\n"
	"li { margin: .6em 0 }\n"
	"</style></head><body>\n"
	"<form action=\"/search\">\n"
	"<input name=\"q\" value=\"{query}\" placeholder=\"search for\" required>\n"
	"<input name=\"timeout\" value=\"{timeout}\" placeholder=\"timeout, such as 2s\">\n"
	"<button>Search</button></form>\n"
	"{results}</body></html>\n";

static const char results_of_a_query[] =
	"<p id=\"summary\">{count} results in {elapsed} ms; timeout {timeout}</p>\n"
	"<ol>\n{items}</ol>\n";

static const char item[] = "<li>{place} <code>{text}</code></li>\n";

/* A template with its values, to be freed; NULL where there is no memory. */
static char *fill(const char *template, const struct template_value *values)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	template_write(out, template, values);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static char *items(const struct answer *answers, unsigned int nr)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (unsigned int i = 0; i < nr; i++) {
		for (unsigned int j = 0; j < answers[i].nr; j++) {
			template_write(out, item, (struct template_value []){
				{ "place", .text = answers[i].result[j].place },
				{ "text", .text = answers[i].result[j].text },
				{ },
			});
		}
	}
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

char *page_form(void)
{
	return fill(page, (struct template_value []){ { "title", .text = "Search" }, { } });
}

char *page_results(const char *query, const char *timeout, double ms,
		   const struct answer *answers, unsigned int nr)
{
	char *list = items(answers, nr), *results = NULL, *all = NULL;
	char count[16], elapsed[32];
	unsigned int sum = 0;

	for (unsigned int i = 0; i < nr; i++)
		sum += answers[i].nr;
	snprintf(count, sizeof(count), "%u", sum);
	snprintf(elapsed, sizeof(elapsed), "%.1f", ms);
	if (list) {
		results = fill(results_of_a_query, (struct template_value []){
			{ "items", .html = list },
			{ "count", .text = count },
			{ "elapsed", .text = elapsed },
			{ "timeout", .text = timeout ?: "none" },
			{ },
		});
	}
	if (results) {
		all = fill(page, (struct template_value []){
			{ "title", .text = query },
			{ "query", .text = query },
			{ "timeout", .text = timeout },
			{ "results", .html = results },
			{ },
		});
	}
	free(results);
	free(list);
	return all;
}
