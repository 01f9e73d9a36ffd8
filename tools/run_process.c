// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes as /proc shows them, and signals to them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "run_process.h"

/* In the flags of a process: forked, but no exec since. */
#define PF_FORKNOEXEC	0x40

/* As deep as the kernel nests namespaces of processes, and a 0. */
#define MAX_LEVELS	34

int pids_add(struct pids *pids, pid_t pid)
{
	if (pids->n == pids->room) {
		size_t room = pids->room ? 2 * pids->room : 64;
		pid_t *list = realloc(pids->list, room * sizeof(*list));

		if (!list)
			return -1;
		pids->list = list;
		pids->room = room;
	}
	pids->list[pids->n++] = pid;
	return 0;
}

void pids_free(struct pids *pids)
{
	free(pids->list);
	*pids = (struct pids){};
}

/* Returns how many bytes of the file are in @text, which ends with a NUL; or -1. */
static ssize_t read_file(int dir, const char *name, char *text, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), saved;
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, text, size - 1);
	saved = errno;
	close(fd);
	errno = saved;
	text[len < 0 ? 0 : len] = '\0';
	return len;
}

/* What follows @n words of @text, each with the blank before it. */
static const char *word(const char *text, int n)
{
	for (; n && *text; n--)
		text += 1 + strcspn(text + 1, " ");
	return text;
}

struct status {
	struct signal_masks masks;
	pid_t numbers[MAX_LEVELS];	/* in one namespace after the other, 0 after the last */
};

static void parse_numbers(struct status *status, char *text)
{
	char *end;

	for (int i = 0; i < MAX_LEVELS - 1; i++, text = end) {
		status->numbers[i] = (pid_t)strtol(text, &end, 10);
		if (end == text)
			break;
	}
}

/* As a file of lines, since a list of groups may make it long. */
static int read_status(int dir, struct status *status)
{
	int fd = openat(dir, "status", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL, *value;
	size_t size = 0;

	*status = (struct status){};
	if (!file) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (getline(&line, &size, file) > 0) {
		value = strchr(line, ':');
		if (!value)
			continue;
		*value++ = '\0';
		if (!strcmp(line, "NSpid"))
			parse_numbers(status, value);
		else if (!strcmp(line, "SigPnd") || !strcmp(line, "ShdPnd"))
			status->masks.pending |= strtoull(value, NULL, 16);
		else if (!strcmp(line, "SigBlk"))
			status->masks.blocked = strtoull(value, NULL, 16);
		else if (!strcmp(line, "SigCgt"))
			status->masks.caught = strtoull(value, NULL, 16);
	}
	free(line);
	return fclose(file);
}

/* Fills the rest of @proc. Returns 0, or -1 where the caller is not in it. */
static int learn_numbers(struct proc *proc)
{
	struct status status;
	int dir = openat(proc->fd, "self", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (dir < 0)
		return -1;
	ret = read_status(dir, &status);
	close(dir);
	if (ret)
		return -1;
	proc->level = 0;
	while (proc->level < MAX_LEVELS - 1 && status.numbers[proc->level + 1])
		proc->level++;
	proc->same_numbers = !proc->level;
	return status.numbers[proc->level] == getpid() ? 0 : -1;
}

/* What is mounted nowhere else, and takes the right to mount. */
static int mount_proc(void)
{
	int fs = fsopen("proc", FSOPEN_CLOEXEC), fd = -1;

	if (fs < 0)
		return -1;
	if (!fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return fd;
}

int proc_open(struct proc *proc)
{
	struct statfs fs;

	proc->fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc->fd >= 0) {
		if (!fstatfs(proc->fd, &fs) && fs.f_type == PROC_SUPER_MAGIC &&
		    !learn_numbers(proc))
			return 0;
		close(proc->fd);
	}
	proc->fd = mount_proc();
	if (proc->fd < 0)
		return -1;
	if (!learn_numbers(proc))
		return 0;
	proc_close(proc);
	return -1;
}

void proc_close(struct proc *proc)
{
	if (proc->fd >= 0)
		close(proc->fd);
	proc->fd = -1;
}

static int parse_stat(struct procdir *process, char *text)
{
	/* "PID (NAME) STATE PARENT ...", and the name may be anything. */
	char *after, *end = strrchr(text, ')');
	const char *rest;
	long threads;

	process->pid = (pid_t)strtol(text, &after, 10);
	if (!end || strncmp(after, " (", 2))
		return -1;
	*end = '\0';
	rest = end + 1;
	snprintf(process->name, sizeof(process->name), "%.16s", after + 2);
	threads = strtol(word(rest, 20 - 3), NULL, 10);
	process->threads = threads > 1;
	/* The first thread may have ended before the others. */
	process->dead = threads <= 1 && strchr("ZX", rest[0] ? rest[1] : 'X');
	process->stopped = rest[0] && rest[1] == 'T';
	process->busy = rest[0] && rest[1] == 'D';
	process->sleeping = rest[0] && rest[1] == 'S';
	process->parent = (pid_t)strtol(word(rest, 4 - 3), NULL, 10);
	process->forked = strtoul(word(rest, 9 - 3), NULL, 10) & PF_FORKNOEXEC;
	process->start = strtoull(word(rest, 22 - 3), NULL, 10);
	return 0;
}

int process_open(struct procdir *process, const struct proc *proc, const char *name)
{
	char text[1024];

	process->dir = openat(proc->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process->dir < 0)
		return -1;
	if (read_file(process->dir, "stat", text, sizeof(text)) < 0) {
		int saved = errno;

		process_close(process);
		errno = saved;
		return -1;
	}
	if (!parse_stat(process, text))
		return 0;
	process_close(process);
	errno = ESRCH;
	return -1;
}

void process_close(struct procdir *process)
{
	close(process->dir);
	process->dir = -1;
}

bool process_exists(const struct procdir *process)
{
	return !faccessat(process->dir, "stat", F_OK, 0);
}

/* Whether a system call was refused, and not what it was to do. */
static bool is_refused(void)
{
	return errno == ENOSYS || errno == EPERM || errno == EACCES;
}

int pid_kill(pid_t pid, int signal)
{
	siginfo_t info = { .si_signo = signal, .si_code = SI_QUEUE };

	if (!kill(pid, signal))
		return 0;
	if (!is_refused())
		return -1;
	info.si_pid = getpid();
	info.si_uid = getuid();
	if (!syscall(SYS_rt_sigqueueinfo, pid, signal, &info))
		return 0;
	if (!is_refused())
		return -1;
	return (int)syscall(SYS_tgkill, pid, pid, signal);
}

/* The number that kill(2) has for it, or 0. */
static pid_t own_number(const struct procdir *process, const struct proc *proc)
{
	struct status status;

	if (proc->same_numbers)
		return process->pid;
	return read_status(process->dir, &status) ? 0 : status.numbers[proc->level];
}

int process_kill(const struct procdir *process, const struct proc *proc, int signal)
{
	pid_t pid;

	if (!syscall(SYS_pidfd_send_signal, process->dir, signal, NULL, 0))
		return 0;
	if (!is_refused())
		return -1;
	/* Nobody waits between this look and the signal, or next to nobody. */
	pid = own_number(process, proc);
	if (pid <= 0 || !process_exists(process)) {
		errno = pid <= 0 ? EPERM : ESRCH;
		return -1;
	}
	return pid_kill(pid, signal);
}

/* The children of one thread. */
static int list_thread(const struct procdir *process, const char *tid, struct pids *children)
{
	char text[16384], *number, *end;
	size_t have = 0;
	ssize_t len;
	int fd, ret = 0;

	snprintf(text, sizeof(text), "task/%s/children", tid);
	fd = openat(process->dir, text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* A blank follows each number; what has none yet comes with the next read. */
	while (!ret && (len = read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
		have += (size_t)len;
		text[have] = '\0';
		for (number = text; !ret && (end = strchr(number, ' ')); number = end + 1)
			ret = pids_add(children, (pid_t)strtol(number, NULL, 10));
		have = strlen(number);
		memmove(text, number, have);
	}
	close(fd);
	return ret;
}

int process_children(const struct procdir *process, struct pids *children)
{
	struct dirent *entry;
	char tid[16];
	DIR *dir;
	int fd, ret = 0;

	if (!process->threads) {
		snprintf(tid, sizeof(tid), "%d", process->pid);
		return list_thread(process, tid, children);
	}
	fd = openat(process->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (!ret && (entry = readdir(dir)))
		/* A thread that ended meanwhile has left its children to another. */
		if (entry->d_name[0] != '.' && list_thread(process, entry->d_name, children))
			ret = errno == ENOENT || errno == ESRCH ? 0 : -1;
	closedir(dir);
	return ret;
}

int process_masks(const struct procdir *process, struct signal_masks *masks)
{
	struct status status;
	int ret = read_status(process->dir, &status);

	*masks = status.masks;
	return ret;
}
