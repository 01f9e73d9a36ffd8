/* SPDX-License-Identifier: GPL-2.0-only */
/* samples/programs/pipeline, with prices in a file, and orders that the test writes to a pipe */
#ifndef PIPELINE_H
#define PIPELINE_H

#include "programs.h"

enum { VALIDATE, TRANSFORM, ENRICH, NR_STAGES };

FIXTURE(pipeline) {
	struct program program;
	char prices[32];
	int orders;		/* where to write them; -1 once they have ended */
	pid_t stages[NR_STAGES];
};

static inline int write_file(char path[32], const char *text)
{
	int fd;

	strcpy(path, "/tmp/pipeline.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || dprintf(fd, "%s", text) < 0)
		return -1;
	return close(fd);
}

FIXTURE_SETUP(pipeline)
{
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_NE(SIG_ERR, signal(SIGPIPE, SIG_IGN));
	ASSERT_EQ(0, write_file(self->prices, "moon 250\nsun 999\n"));
	self->orders = -1;
}

/* Whatever the test has done, nothing stays, and the orders have never ended meanwhile. */
FIXTURE_TEARDOWN(pipeline)
{
	if (self->program.pid > 0)
		kill(self->program.pid, SIGTERM);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	if (!_metadata->passed)
		program_show(&self->program);
	unlink(self->prices);
}

/* Starts it with a pipe as its input, of which only it has the end to read. */
#define start(...) ({							\
	int __ends[2];							\
									\
	ASSERT_EQ(0, pipe2(__ends, O_CLOEXEC));				\
	ASSERT_EQ(STDIN_FILENO, dup2(__ends[0], STDIN_FILENO));		\
	close(__ends[0]);						\
	ASSERT_EQ(0, program_start(&self->program, "pipeline/pipeline",	\
				   (char *[]){ "pipeline", __VA_ARGS__, NULL })); \
	close(STDIN_FILENO);						\
	ASSERT_EQ(STDIN_FILENO, open("/dev/null", O_RDONLY));		\
	self->orders = __ends[1];					\
})

#endif /* PIPELINE_H */
