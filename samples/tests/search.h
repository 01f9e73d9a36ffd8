/* SPDX-License-Identifier: GPL-2.0-only */
/* A server of samples/programs/search, with a back end for each of two directories */
#ifndef SEARCH_H
#define SEARCH_H

#include "programs.h"
#include <ftw.h>

FIXTURE(search) {
	struct program server;
	unsigned int port;
	pid_t backends[2];
	char dir[32];
	char one[64];
	char two[64];
};

static inline int search_write(const char *dir, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	if (!file || fputs(text, file) == EOF)
		return -1;
	return fclose(file);
}

/* From now on a search goes on until it is cancelled: 4 TB of zeros, which take no room. */
static inline int search_make_endless(const char *dir)
{
	char path[128];

	if (search_write(dir, "zeros", ""))
		return -1;
	snprintf(path, sizeof(path), "%s/zeros", dir);
	return truncate(path, 4LL << 40);
}

FIXTURE_SETUP(search)
{
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	strcpy(self->dir, "/tmp/search.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->one, sizeof(self->one), "%s/one", self->dir);
	snprintf(self->two, sizeof(self->two), "%s/two", self->dir);
	ASSERT_EQ(0, mkdir(self->one, 0755));
	ASSERT_EQ(0, mkdir(self->two, 0755));
	ASSERT_EQ(0, search_write(self->one, "poem", "A line\nand a Nightingale\n"));
	ASSERT_EQ(0, search_write(self->two, "tags", "\t<b>\"nightingale\" & co</b>\n"));
	ASSERT_EQ(0, program_start(&self->server, "search/server",
				   (char *[]){ "server", "0", self->one, self->two, NULL }));
	self->port = program_port(&self->server);
	ASSERT_NE(0, self->port);
	ASSERT_EQ(2, program_children(&self->server, self->backends, 2));
}

static inline int search_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* It ends at SIGTERM, whatever the test has done to it, and nothing stays. */
FIXTURE_TEARDOWN(search)
{
	kill(self->server.pid, SIGTERM);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	nftw(self->dir, search_remove, 8, FTW_DEPTH | FTW_PHYS);
	if (!_metadata->passed)
		program_show(&self->server);
}

/* A client whose search is under way in the endless back end */
#define start_endless(requests) ({					\
	int __client = http_request(self->port, "GET", ENDLESS);	\
									\
	ASSERT_LE(0, __client);						\
	ASSERT_TRUE(comes_true(nr_contexts("search request") == (requests)));	\
	ASSERT_TRUE(comes_true(process_has_open(self->backends[1], "zeros") == (requests))); \
	__client;							\
})

/* No search has a thread any more. */
#define check_idle() ({							\
	EXPECT_TRUE(comes_true(process_count(self->backends[0], "task") == 1));	\
	EXPECT_TRUE(comes_true(process_count(self->backends[1], "task") == 1));	\
	EXPECT_TRUE(comes_true(nr_contexts("search request") == 0));	\
})

#endif /* SEARCH_H */
