/* SPDX-License-Identifier: GPL-2.0-only */
/* samples/programs/workers, with files to count that the test lets end when it likes */
#ifndef WORKERS_H
#define WORKERS_H

#include "programs.h"

#define FILES	4

FIXTURE(workers) {
	struct program count;
	char dir[32];
	char file[FILES][64];
	int ends[FILES];	/* the test's, of pipes */
};

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* From now on it takes hours to read: 4 TB of zeros, which take no room. */
static inline int make_endless(const char *path)
{
	return write_file(path, "") ? -1 : truncate(path, 4LL << 40);
}

FIXTURE_SETUP(workers)
{
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	strcpy(self->dir, "/tmp/workers.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	for (int i = 0; i < FILES; i++) {
		snprintf(self->file[i], sizeof(self->file[i]), "%s/%d", self->dir, i);
		self->ends[i] = -1;
	}
}

FIXTURE_TEARDOWN(workers)
{
	if (self->count.pid > 0)
		kill(self->count.pid, SIGKILL);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	for (int i = 0; i < FILES; i++)
		remove(self->file[i]);
	remove(self->dir);
	if (!_metadata->passed)
		program_show(&self->count);
}

#define start(...) ({							\
	ASSERT_EQ(0, program_start(&self->count, "workers/count",	\
				   (char *[]){ "count", __VA_ARGS__, NULL })); \
})

#define ALL_FILES	self->file[0], self->file[1], self->file[2], self->file[3]

#define says(text) \
	EXPECT_TRUE(program_says(&self->count, (text)))

#endif /* WORKERS_H */
