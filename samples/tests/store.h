/* SPDX-License-Identifier: GPL-2.0-only */
/* A server of samples/programs/store, with its slow store and a file of what that has */
#ifndef STORE_H
#define STORE_H

#include "programs.h"

#define LONG_VALUE	8000	/* letters */

FIXTURE(server) {
	char file[32];
	struct program program;
	unsigned int port;
	pid_t slow;
};

static inline int write_values(char path[32])
{
	int fd;
	FILE *file;

	strcpy(path, "/tmp/store.XXXXXX");
	fd = mkstemp(path);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return -1;
	fprintf(file, "sun The sun also rises.\nmoon The moon is a harsh mistress.\nlong ");
	for (int i = 0; i < LONG_VALUE; i++)
		putc('a', file);
	fprintf(file, "\nlonger ");
	for (int i = 0; i < 9000; i++)
		putc('a', file);
	return fclose(file);
}

FIXTURE_SETUP(server)
{
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, write_values(self->file));
}

/* It ends at SIGTERM, whatever the test has done to it, and nothing stays. */
FIXTURE_TEARDOWN(server)
{
	if (self->program.pid > 0)
		kill(self->program.pid, SIGTERM);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	if (!_metadata->passed)
		program_show(&self->program);
	unlink(self->file);
}

#define start(letter, timeout) ({					\
	ASSERT_EQ(0, program_start(&self->program, "store/server",	\
				   (char *[]){ "server", "-l", (letter), "-t", (timeout), "0", \
					       self->file, NULL }));	\
	self->port = program_port(&self->program);			\
	ASSERT_NE(0, self->port);					\
	ASSERT_EQ(1, program_children(&self->program, &self->slow, 1));	\
})

/* A client whose request is with the store, where there are then so many */
#define start_request(path, requests) ({				\
	int __client = http_request(self->port, "GET", (path));		\
									\
	ASSERT_LE(0, __client);						\
	ASSERT_TRUE(comes_true(process_count(self->slow, "task") > (requests))); \
	__client;							\
})

#endif /* STORE_H */
