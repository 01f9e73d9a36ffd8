// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A back end of the search: looks for lines with the query in the files below a directory.
 *
 * A service that the server starts, see common/service.h. Each search has a thread, and ends with
 * the context that came with the query; the back end ends with the server's.
 */
#include <err.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/duration.h"
#include "common/service.h"
#include "search/protocol.h"
#include "search/userip.h"

#define AT_ONCE	4	/* searches; others wait */

struct search {
	const char *dir;
	const char *query;
	int sock;
	int ctx;
	const struct ctx_status *status;
	unsigned int found;
};

/* Sends a result: of the line that @text begins with, as much as there is room for. */
static int search_found(struct search *search, const char *path, unsigned long line,
			const char *text)
{
	char message[MESSAGE_MAX];
	int head = snprintf(message, MESSAGE_MAX - TEXT_MAX, "%c%s:%lu", RESULT, path, line);
	size_t len;

	if (head >= MESSAGE_MAX - TEXT_MAX)
		return 0;	/* nobody could open it by that name either */
	text += strspn(text, " \t");
	len = strcspn(text, "\r\n");
	if (len > TEXT_MAX - 1)
		len = TEXT_MAX - 1;
	memcpy(message + head + 1, text, len);
	search->found++;
	len += (size_t)head + 1;
	return ctxfd_send(search->ctx, search->sock, message, len, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/*
 * The first line of the file that has the query; lines end after 4 KB. One load says whether to
 * go on, so that each line can ask.
 */
static int search_file(struct search *search, const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int ret = 0;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return 0;	/* as grep -s does */
	}
	for (unsigned long line = 1; !ctxfd_cancelled(search->status) &&
	     fgets(text, sizeof(text), file); line++) {
		if (strcasestr(text, search->query)) {
			ret = search_found(search, path, line, text);
			break;
		}
	}
	(void)fclose(file);
	return ret;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int search_tree(struct search *search)
{
	FTS *fts = fts_open((char *[]){ (char *)search->dir, NULL },
			    FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	int ret = 0;

	if (!fts)
		return -1;
	/* fts_close() looks at what is set by the first fts_read() only. */
	while (!ret && search->found < RESULTS_MAX && (entry = fts_read(fts)) &&
	       !ctxfd_cancelled(search->status))
		if (entry->fts_info == FTS_F)
			ret = search_file(search, entry->fts_path);
	fts_close(fts);
	return ret;
}

/* How late the search notices that its context has ended */
static double late(const struct ctx_info *info)
{
	return milliseconds_since(&(struct timespec){
		.tv_sec = (time_t)(info->cancelled_at / 1000000000),
		.tv_nsec = (long)(info->cancelled_at % 1000000000),
	});
}

/* To be called before the last message, with which the server ends the context. */
static void say(const struct search *search)
{
	char text[INET6_ADDRSTRLEN] = "nobody", why[200], end[256] = "done";
	struct ctx_info info = { };
	struct userip ip;

	if (!userip_from_context(search->ctx, &ip))
		userip_text(&ip, text);
	if (!ctxfd_info(search->ctx, &info) && info.err) {
		ctxfd_describe(&info, why, sizeof(why));
		snprintf(end, sizeof(end), "stopped %.1f ms after: %s", late(&info), why);
	}
	fprintf(stderr, "backend %s: \"%s\" for %s: %u found; %s\n", search->dir, search->query,
		text, search->found, end);
}

/* Where anything fails, the connection ends without NO_MORE, and the server knows. */
static void handle(void *dir, int ctx, int sock, const char *query)
{
	struct search search = { .dir = dir, .query = query, .sock = sock, .ctx = ctx };
	int ret;

	search.status = ctxfd_map(ctx);
	if (!search.status) {
		warn("backend %s: ctxfd_map", search.dir);
		return;
	}
	ret = search_tree(&search);
	if (ret && !ctxfd_err(ctx))
		warn("backend %s", search.dir);
	say(&search);
	if (!ret)
		ctxfd_send(ctx, sock, (char []){ NO_MORE }, 1, MSG_NOSIGNAL);
	ctxfd_unmap(search.status);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: backend DIRECTORY, as the server starts it");
	service_run(AT_ONCE, handle, argv[1]);
	return 0;
}
