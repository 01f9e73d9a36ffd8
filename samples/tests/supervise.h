/* SPDX-License-Identifier: GPL-2.0-only */
/* A tree of samples/programs/supervise: a top, 2 supervisors, 2 below each, 1 worker below each */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include "programs.h"

static const char *const names[] = {
	"top", "top.1", "top.2", "top.1.1", "top.1.2", "top.2.1", "top.2.2",
	"top.1.1.1", "top.1.2.1", "top.2.1.1", "top.2.2.1",
};

#define NAMES	((int)(sizeof(names) / sizeof(*names)))

FIXTURE(supervise) {
	struct program top;
};

FIXTURE_SETUP(supervise)
{
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(supervise)
{
	if (self->top.pid > 0)
		kill(self->top.pid, SIGTERM);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	if (!_metadata->passed)
		program_show(&self->top);
}

/* The pid of the last process that has begun by that name, or 0 */
static inline pid_t pid_of(const struct program *top, const char *name)
{
	static char log[1 << 16];
	int pid = 0, len = strlen(name);

	program_log(top, log, sizeof(log));
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, name, len) && line[len] == ':' && strstr(line, " (pid "))
			pid = atoi(strstr(line, " (pid ") + 6);
	return pid;
}

/* Whether it is neither gone nor a zombie */
static inline bool runs(pid_t pid)
{
	char path[32], state = 'X';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	fclose(file);
	return !strchr("ZX", state);
}

static inline bool is_within(const char *name, const char *root)
{
	size_t len = strlen(root);

	return !strncmp(name, root, len) && (!name[len] || name[len] == '.');
}

/* Whether it comes about that @name does not run, if it is within @root, and else that it does */
static inline bool comes_right(const struct program *top, const char *name, const char *root)
{
	bool is_to_run = !is_within(name, root);
	pid_t pid;

	return comes_true((pid = pid_of(top, name)) ? runs(pid) == is_to_run : !is_to_run);
}

/* Exactly what is within @root ends, or has never begun; all else runs. "" is nothing. */
#define check_only_ends(root) ({					\
	for (int __i = 0; __i < NAMES; __i++) {				\
		EXPECT_TRUE(comes_right(&self->top, names[__i], (root))) \
			TH_LOG("%s: wrong", names[__i]);		\
	}								\
})

#define start(...) ({							\
	ASSERT_EQ(0, program_start(&self->top, "supervise/supervise",	\
				   (char *[]){ "supervise", __VA_ARGS__, NULL })); \
})

#endif /* SUPERVISE_H */
