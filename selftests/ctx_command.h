/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the commands have in common: contexts, others who hold them,
 * and others who run the command.
 */
#ifndef CTX_COMMAND_H
#define CTX_COMMAND_H

#include "ctx_tool.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>

#define CAUSE	EPIPE
#define NOBODY	65534

static inline char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Tests are short: what this returns is not freed. */
static inline char *format(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	return text;
}

/* Descriptors that the command does not inherit. */
static inline int new_with(int parent, const char *name, __u32 flags)
{
	struct ctx_create_args args = { .flags = flags, .fd_flags = CTX_CLOEXEC };

	memcpy(args.name, name, strlen(name));
	return ctx_create(parent, &args);
}

static inline int new(int parent, const char *name)
{
	return new_with(parent, name, 0);
}

/* A child of all of them. */
static inline int merged(int parent, const int *further, unsigned int nr)
{
	__s32 fds[CTX_PARENTS_MAX];
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC, .parents = (uintptr_t)fds, .nr_parents = nr,
	};

	memcpy(fds, further, nr * sizeof(*fds));
	return ctx_create(parent, &args);
}

/* "PID:FD" of this process, and "ID". */
static inline char *by_fd(int fd)
{
	return format("%d:%d", getpid(), fd);
}

static inline char *by_id(int fd)
{
	return format("%llu", ctx_id(fd));
}

/* A child process that has nothing but the descriptors of @keep, and its name. */
static inline pid_t holder(const char *name, int keep)
{
	pid_t pid = ctx_fork();

	if (pid)
		return pid;
	dup2(keep, 0);
	syscall(SYS_close_range, 1, ~0U, 0);
	prctl(PR_SET_NAME, name);
	for (;;)
		pause();
}

/* Returns 0 once the process has closed what it does not keep. */
static inline int wait_for_holder(pid_t pid)
{
	return ctx_wait_in_syscall(pid, pid, SYS_pause);
}

static inline void end_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static inline bool become_nobody(void)
{
	/* Dumpable, as after exec: or else nobody may look into this process itself. */
	return !setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
	       !setresuid(NOBODY, NOBODY, NOBODY) && !prctl(PR_SET_DUMPABLE, 1);
}

static inline bool hide(const char *path)
{
	return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("tmpfs", path, "tmpfs", 0, NULL);
}

/* What a module from before CTX_IOC_OPEN and CTX_IOC_LIST does, and the rest as it is. */
static inline int forget_ids(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CTX_IOC_OPEN, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CTX_IOC_LIST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter),
		.filter = filter,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static inline unsigned int count(const char *text, const char *part)
{
	unsigned int n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

/* Waits until the output of a tool that runs has @n of @part. */
static inline bool wait_for_output(const struct tool *tool, const char *part, unsigned int n)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + CTX_WAIT_MS * NSEC_PER_MSEC;
	bool found = false;
	char *text;

	while (!found && ctx_clock(CLOCK_MONOTONIC) < end) {
		text = tool_text(tool->out_fd);
		found = count(text, part) >= n;
		free(text);
		usleep(1000);
	}
	return found;
}

/* What the environment says to the command. */
static inline void forget_variables(void)
{
	static const char *const variables[] = {
		"LC_ALL", "LC_CTYPE", "LANG", "NO_COLOR", "TERM", "COLUMNS", "CTX_FD",
	};
	unsigned int i;

	for (i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		unsetenv(variables[i]);
}

#define check_has(text, part) ({					\
	if (!strstr((text), (part)))					\
		check_text((part), (text));				\
})

#endif /* CTX_COMMAND_H */
