// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A context in a transfer with libcurl, whose descriptors it is waited for with.
 * usage: libcurl URL [SOCKET], where SOCKET is a path and replaces the network
 */
#include <ctxfd.h>
#include <curl/curl.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void check(CURLMcode code, const char *what)
{
	if (code)
		errx(1, "%s: %s", what, curl_multi_strerror(code));
}

/* Returns whether the transfer came to its end. */
static bool transfer(CURLM *multi, int ctx)
{
	struct curl_waitfd canceller = { .fd = ctx, .events = CURL_WAIT_POLLIN };
	struct CURLMsg *msg;
	int n;

	for (;;) {
		check(curl_multi_perform(multi, &n), "curl_multi_perform");
		if (!n)
			break;
		check(curl_multi_poll(multi, &canceller, 1, 60000, NULL), "curl_multi_poll");
		if (canceller.revents)
			return false;
	}
	msg = curl_multi_info_read(multi, &n);
	if (msg && msg->data.result)
		errx(1, "%s", curl_easy_strerror(msg->data.result));
	return true;
}

int main(int argc, char **argv)
{
	int parent = ctxfd_from_env();
	int ctx = parent < 0 ? -1 : ctxfd_with_timeout(parent, &(struct timespec){ 60, 0 });
	struct ctx_info info;
	CURLM *multi;
	CURL *easy;
	bool done;

	if (argc < 2)
		errx(2, "usage: libcurl URL [SOCKET]");
	if (ctx < 0)
		err(1, "no context");
	multi = curl_multi_init();
	easy = curl_easy_init();
	if (!multi || !easy || curl_easy_setopt(easy, CURLOPT_URL, argv[1]) ||
	    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, argv[2]))
		errx(1, "no libcurl");
	setlinebuf(stdout);

	check(curl_multi_add_handle(multi, easy), "curl_multi_add_handle");
	done = transfer(multi, ctx);
	check(curl_multi_remove_handle(multi, easy), "curl_multi_remove_handle");
	curl_easy_cleanup(easy);
	check(curl_multi_cleanup(multi), "curl_multi_cleanup");

	if (ctxfd_info(ctx, &info))
		err(1, "ctxfd_info");
	if (!done)
		printf("stops: %s: %s\n", strerror((int)info.err), strerror(info.cause));
	close(ctx);
	return 0;
}
