// SPDX-License-Identifier: LGPL-2.1-or-later
/* A transfer with libcurl that a context ends: one more descriptor to wait for */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include <ctxfd.h>

#include "hedge/fetch.h"

struct sink {
	FILE *file;
	size_t size;
};

static size_t receive(char *data, size_t one, size_t n, void *arg)
{
	struct sink *sink = arg;

	(void)one;	/* is 1 */
	sink->size += n;
	return sink->size > FETCH_MAX ? 0 : fwrite(data, 1, n, sink->file);
}

static CURL *new_transfer(const char *url, struct sink *sink)
{
	CURL *easy = curl_easy_init();

	if (easy && !curl_easy_setopt(easy, CURLOPT_URL, url) &&
	    !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") &&
	    !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
	    !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive) &&
	    !curl_easy_setopt(easy, CURLOPT_WRITEDATA, sink))
		return easy;
	curl_easy_cleanup(easy);
	return NULL;
}

/* Returns NULL, or what went wrong. */
static const char *transfer(int ctx, CURLM *multi)
{
	struct curl_waitfd canceller = { .fd = ctx, .events = CURL_WAIT_POLLIN };
	struct CURLMsg *msg;
	CURLMcode code;
	int n;

	for (;;) {
		code = curl_multi_perform(multi, &n);
		if (code)
			return curl_multi_strerror(code);
		if (!n)
			break;
		code = curl_multi_poll(multi, &canceller, 1, 60000, NULL);
		if (code)
			return curl_multi_strerror(code);
		if (canceller.revents)
			return "cancelled";
	}
	msg = curl_multi_info_read(multi, &n);
	return msg && msg->data.result ? curl_easy_strerror(msg->data.result) : NULL;
}

static const char *fetch_to(int ctx, const char *url, struct sink *sink, long *status)
{
	CURLM *multi = curl_multi_init();
	CURL *easy = new_transfer(url, sink);
	const char *problem = "libcurl does not begin the transfer";

	if (multi && easy && !curl_multi_add_handle(multi, easy)) {
		problem = transfer(ctx, multi);
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
		curl_multi_remove_handle(multi, easy);
	}
	curl_easy_cleanup(easy);
	curl_multi_cleanup(multi);
	return problem;
}

void fetch(int ctx, const char *url, struct fetched *fetched)
{
	struct sink sink = { };

	*fetched = (struct fetched){ .problem = "no memory" };
	sink.file = open_memstream(&fetched->body, &fetched->size);
	if (!sink.file)
		return;
	fetched->problem = fetch_to(ctx, url, &sink, &fetched->status);
	if (fclose(sink.file))
		fetched->problem = "no memory";
	if (!fetched->problem && fetched->status != 200)
		fetched->problem = "the server answers that it failed";
}
