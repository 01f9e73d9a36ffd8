/* SPDX-License-Identifier: GPL-2.0-only */
/* samples/programs/orchestrate in a directory of its own, with its tasks in a file there */
#ifndef ORCHESTRATE_H
#define ORCHESTRATE_H

#include "programs.h"
#include <ftw.h>

#define FOREVER		"sleep 1000; exit 1"
/* In the shell and in what that runs */
#define DEAF		"trap '' TERM; " FOREVER

FIXTURE(orchestrate) {
	struct program program;
	char dir[32];
};

FIXTURE_SETUP(orchestrate)
{
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	strcpy(self->dir, "/tmp/tasks.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chdir(self->dir));
}

static inline int orchestrate_remove(const char *path, const struct stat *st, int flag,
				     struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* Whatever the test has done, nothing stays. */
FIXTURE_TEARDOWN(orchestrate)
{
	if (self->program.pid > 0)
		kill(self->program.pid, SIGTERM);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	if (!_metadata->passed)
		program_show(&self->program);
	nftw(self->dir, orchestrate_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int write_tasks(const char *path, const char *const *tasks)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return -1;
	for (; *tasks; tasks++)
		fprintf(file, "%s\n", *tasks);
	return fclose(file);
}

#define tasks(...) \
	ASSERT_EQ(0, write_tasks("tasks", (const char *const []){ __VA_ARGS__, NULL }))

#define start(...) \
	ASSERT_EQ(0, program_start(&self->program, "orchestrate/orchestrate", \
				   (char *[]){ "orchestrate", __VA_ARGS__, NULL }))

#endif /* ORCHESTRATE_H */
