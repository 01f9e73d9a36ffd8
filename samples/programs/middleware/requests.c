// SPDX-License-Identifier: LGPL-2.1-or-later
/* The requests that are alive and those that ended last */
#include <stdio.h>
#include <stdlib.h>

#include "common/duration.h"
#include "common/template.h"
#include "middleware/requests.h"

static const char page[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Requests</title><style>\n"
	"body { font: 16px sans-serif; margin: 2em }\n"
	"td, th { text-align: left; padding: .2em 1em .2em 0 }\n"
	"td:nth-child(3) { text-align: right }\n"
	"</style></head><body>\n"
	"<h1>Alive</h1>\n<table id=\"alive\">\n{alive}</table>\n"
	"<h1>Ended</h1>\n<table id=\"ended\">\n{ended}</table>\n"
	"</body></html>\n";

static const char row[] =
	"<tr><td><code>{id}</code></td><td>{path}</td><td>{ms} ms</td><td>{why}</td></tr>\n";

uint64_t requests_begin(struct requests *requests, const struct trace *trace, const char *path)
{
	struct entry *entry;
	uint64_t number;

	pthread_mutex_lock(&requests->lock);
	number = requests->nr++;
	entry = &requests->entry[number % REQUESTS_KEPT];
	*entry = (struct entry){ .number = number, .trace = *trace };
	snprintf(entry->path, sizeof(entry->path), "%s", path);
	clock_gettime(CLOCK_MONOTONIC, &entry->start);
	pthread_mutex_unlock(&requests->lock);
	return number;
}

double requests_end(struct requests *requests, uint64_t number, const char *why)
{
	struct entry *entry = &requests->entry[number % REQUESTS_KEPT];
	double ms = 0;

	pthread_mutex_lock(&requests->lock);
	if (entry->number == number) {	/* else a later one has its place */
		ms = milliseconds_since(&entry->start);
		entry->ms = ms;
		entry->has_ended = true;
		snprintf(entry->why, sizeof(entry->why), "%s", why);
	}
	pthread_mutex_unlock(&requests->lock);
	return ms;
}

static void write_entry(FILE *out, const struct entry *entry)
{
	char ms[32];

	snprintf(ms, sizeof(ms), "%.1f",
		 entry->has_ended ? entry->ms : milliseconds_since(&entry->start));
	template_write(out, row, (struct template_value []){
		{ "id", .text = entry->trace.id },
		{ "path", .text = entry->path },
		{ "ms", .text = ms },
		{ "why", .text = entry->why },
		{ },
	});
}

/* The rows of those that have ended, or of the others: the latest first. To be freed, or NULL */
static char *rows(const struct requests *requests, bool has_ended)
{
	uint64_t kept = requests->nr < REQUESTS_KEPT ? requests->nr : REQUESTS_KEPT;
	const struct entry *entry;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (uint64_t i = 1; i <= kept; i++) {
		entry = &requests->entry[(requests->nr - i) % REQUESTS_KEPT];
		if (entry->has_ended == has_ended)
			write_entry(out, entry);
	}
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

char *requests_page(struct requests *requests)
{
	char *text = NULL, *alive, *ended;
	size_t size;
	FILE *out;

	pthread_mutex_lock(&requests->lock);
	alive = rows(requests, false);
	ended = rows(requests, true);
	pthread_mutex_unlock(&requests->lock);
	out = alive && ended ? open_memstream(&text, &size) : NULL;
	if (out) {
		template_write(out, page, (struct template_value []){
			{ "alive", .html = alive }, { "ended", .html = ended }, { },
		});
		if (fclose(out)) {
			free(text);
			text = NULL;
		}
	}
	free(alive);
	free(ended);
	return text;
}
