/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the ctx command share: running it, and what came of that.
 */
#ifndef CTX_TOOL_H
#define CTX_TOOL_H

#include "ctx_selftest.h"
#include <limits.h>
#include <sys/mman.h>

/* A tree of thousands takes a kernel that checks every access longer than CTX_WAIT_MS. */
#define TOOL_WAIT_MS	(10 * CTX_WAIT_MS)

/* A run of it. The texts end with a NUL; tool_free() frees them. */
struct tool {
	pid_t pid;
	int status;	/* of exit, or 128 + the signal; -1 where it did not end */
	char *out;
	char *err;
	int out_fd;
	int err_fd;
};

/* $CTX, or what lies beside this program. */
static inline const char *tool_path(void)
{
	static char path[PATH_MAX];
	ssize_t len;

	if (getenv("CTX"))
		return getenv("CTX");
	len = readlink("/proc/self/exe", path, sizeof(path) - 8);
	if (len < 0)
		return "./ctx";
	path[len] = '\0';
	strcpy(strrchr(path, '/'), "/ctx");
	return path;
}

/* All of a file that nobody writes to any more. */
static inline char *tool_text(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = size < 0 ? NULL : calloc(1, size + 1);

	if (text && pread(fd, text, size, 0) != size)
		text[0] = '\0';
	return text;
}

/* Runs it with the outputs that @tool has. */
static inline void tool_exec(struct tool *tool, char *const argv[])
{
	tool->out = NULL;
	tool->err = NULL;
	tool->status = -1;
	tool->pid = ctx_fork();
	if (tool->pid)
		return;
	if (dup2(tool->out_fd, 1) == 1 && dup2(tool->err_fd, 2) == 2)
		execv(tool_path(), argv);
	_exit(127);
}

/* Its outputs are files, so that it never waits for the test. argv[0] is "ctx". */
static inline void tool_start(struct tool *tool, char *const argv[])
{
	tool->out_fd = memfd_create("out", MFD_CLOEXEC);
	tool->err_fd = memfd_create("err", MFD_CLOEXEC);
	tool_exec(tool, argv);
}

/* Waits for its end. One that hangs is killed, and its status is -1. */
static inline void tool_end(struct tool *tool)
{
	struct pollfd pfd = { .events = POLLIN };
	int status;

	pfd.fd = syscall(SYS_pidfd_open, tool->pid, 0);
	if (poll(&pfd, 1, TOOL_WAIT_MS) != 1)
		kill(tool->pid, SIGKILL);
	else
		tool->status = 0;
	close(pfd.fd);
	if (waitpid(tool->pid, &status, 0) != tool->pid)
		tool->status = -1;
	else if (!tool->status)
		tool->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	tool->out = tool_text(tool->out_fd);
	tool->err = tool_text(tool->err_fd);
	close(tool->out_fd);
	close(tool->err_fd);
}

/* Waits until the output of one that runs has @part. */
static inline int tool_says(const struct tool *tool, const char *part)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + TOOL_WAIT_MS * NSEC_PER_MSEC;
	int found = 0;
	char *text;

	while (!found && ctx_clock(CLOCK_MONOTONIC) < end) {
		text = tool_text(tool->out_fd);
		found = text && strstr(text, part);
		free(text);
		usleep(1000);
	}
	return found;
}

static inline void tool_free(struct tool *tool)
{
	free(tool->out);
	free(tool->err);
}

/* Runs ctx with the arguments, strings, and waits for its end. */
#define tool_run(tool, ...) ({						\
	tool_start((tool), (char *[]){ "ctx", ##__VA_ARGS__, NULL });	\
	tool_end(tool);							\
})

#define check_text(expected, seen)					\
	EXPECT_STREQ((expected), (seen) ?: "")

/* ctx with the arguments ends with @code and prints exactly that. */
#define check_tool(code, stdout_text, stderr_text, ...) ({		\
	struct tool __tool;						\
									\
	tool_run(&__tool, ##__VA_ARGS__);				\
	check_text((stderr_text), __tool.err);				\
	check_text((stdout_text), __tool.out);				\
	EXPECT_EQ((code), __tool.status);				\
	tool_free(&__tool);						\
})

/* No descendant of the test is left, not even a dead one. */
#define check_nothing_left() \
	check_errno(ECHILD, waitpid(-1, NULL, WNOHANG | __WALL))

/* Milliseconds until no descendant of the test was left; -1 for never. */
static inline int wait_all_gone(void)
{
	__u64 begin = ctx_clock(CLOCK_MONOTONIC), time;
	pid_t pid;

	do {
		pid = waitpid(-1, NULL, WNOHANG | __WALL);
		time = ctx_clock(CLOCK_MONOTONIC) - begin;
		if (pid < 0)
			return errno == ECHILD ? (int)(time / NSEC_PER_MSEC) : -1;
		if (!pid)
			usleep(1000);
	} while (time < CTX_WAIT_MS * NSEC_PER_MSEC);
	return -1;
}

#define check_all_goes() \
	EXPECT_LE(0, wait_all_gone())

#endif /* CTX_TOOL_H */
