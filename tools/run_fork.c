// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a process was stopped, by /proc/PID/syscall.
 *
 * Fork gives way to a signal that waits, SIGSTOP as any, and is made again once that has been
 * dealt with. The file names the call then, and also where it is done and the process on
 * the way out of it. Only what it returned tells which, and for that the process has to be
 * traced for a moment.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run_process.h"

/* Of the kernel's own, which no system call returns to its caller. */
#define ERESTARTNOINTR	513

static bool is_fork(long number)
{
	switch (number) {
#ifdef SYS_fork
	case SYS_fork:
	case SYS_vfork:
#endif
	case SYS_clone:
	case SYS_clone3:
#ifdef __x86_64__
	/* Those of a 32-bit program. Where they are other calls, those have returned. */
	case 2:
	case 120:
	case 190:
#endif
		return true;
	default:
		return false;
	}
}

/* What the call has left for its caller. Returns 0, or -1 where that cannot be read. */
static int get_result(pid_t tid, long *result)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (!ptrace(PTRACE_GETREGS, tid, NULL, &regs)) {
		*result = (long)regs.rax;
		return 0;
	}
#else
	(void)tid;
	(void)result;
#endif
	return -1;
}

/* The stop goes on. One that runs, as somebody else let it go on, has to be stopped for that. */
static void end_trace(pid_t tid)
{
	siginfo_t info;

	while (ptrace(PTRACE_DETACH, tid, NULL, NULL)) {
		/* It is dead, and reaped as any child. */
		if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL))
			return;
		waitid(P_PID, (id_t)tid, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL);
	}
}

/* Where it may not be traced, it is to be made again for all that is known. */
static bool is_to_be_made_again(pid_t tid)
{
	long result = -ERESTARTNOINTR;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL))
		return true;
	get_result(tid, &result);
	end_trace(tid);
	return result == -ERESTARTNOINTR;
}

/* Where there is no such file, or it may not be read, the answer is IN_CALL. */
static enum stopped_in thread_stopped_in(const struct procdir *process, const char *tid,
					 bool can_trace)
{
	char text[256], *end;
	ssize_t len;
	long number;
	int fd;

	snprintf(text, sizeof(text), "task/%s/syscall", tid);
	fd = openat(process->dir, text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return IN_CALL;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	/* The first thread has stopped, this one will. */
	if (!strncmp(text, "running", strlen("running")))
		return IN_FORK;
	number = strtol(text, &end, 10);
	if (end == text)
		return IN_CALL;
	if (number < 0)
		return IN_PROGRAM;
	if (is_fork(number) &&
	    (!can_trace || is_to_be_made_again((pid_t)strtol(tid, NULL, 10))))
		return IN_FORK;
	return IN_CALL;
}

enum stopped_in process_stopped_in(const struct procdir *process, const struct proc *proc)
{
	int fd = openat(process->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	enum stopped_in most = IN_CALL, in;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return IN_CALL;
	}
	while (most != IN_FORK && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		in = thread_stopped_in(process, entry->d_name, proc->same_numbers);
		if (in > most)
			most = in;
	}
	closedir(dir);
	return most;
}
