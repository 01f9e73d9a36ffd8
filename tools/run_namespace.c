// SPDX-License-Identifier: GPL-2.0-only
/*
 * A namespace of processes for the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ctx.h"
#include "run.h"

#define NAMESPACES	(CLONE_NEWPID | CLONE_NEWNS)

static pid_t fork_into(unsigned long namespaces)
{
	return (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, 0, NULL, NULL, 0);
}

static int write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	bool written;

	if (fd < 0)
		return -1;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	return close(fd) || !written ? -1 : 0;
}

/* The user and the group that the caller was. */
static int map_user(uid_t uid, gid_t gid)
{
	char text[64];

	if (write_file("/proc/self/setgroups", "deny"))
		return -1;
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	if (write_file("/proc/self/gid_map", text))
		return -1;
	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	return write_file("/proc/self/uid_map", text);
}

/* In the child: a /proc that shows what is in there. */
static int mount_proc(void)
{
	return mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	       mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ? -1 : 0;
}

static pid_t fork_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	bool user = false;
	pid_t pid = fork_into(NAMESPACES);

	if (pid < 0 && errno == EPERM) {
		user = true;
		pid = fork_into(NAMESPACES | CLONE_NEWUSER);
	}
	if (pid < 0) {
		complain("cannot make a namespace of processes: %s", strerror(errno));
		return -1;
	}
	if (!pid && ((user && map_user(uid, gid)) || mount_proc())) {
		complain("cannot mount /proc in a namespace of processes: %s", strerror(errno));
		_exit(STATUS_FAILED);
	}
	return pid;
}

pid_t fork_reaper(const struct run_options *options)
{
	pid_t pid;

	if (options->pid_namespace)
		return fork_namespace();
	pid = fork();
	if (pid < 0)
		complain("cannot fork: %s", strerror(errno));
	return pid;
}
