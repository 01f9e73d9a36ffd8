// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cgroup for the command: all in it are killed in one step, however fast they
 * fork. Only with cgroup v2, and where the caller may; nothing here fails the run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "run.h"

#define PREFIX		"ctx-"

/* How many of those that are made here are one in another. */
#define NEST_MAX	2

/* The mount of cgroup v2, alone or beside those of version 1. */
static const char *mount_point(void)
{
	static const char *const points[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;

	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++)
		if (!statfs(points[i], &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
			return points[i];
	return NULL;
}

/*
 * Whether @path is deep enough in those that are made here. The kernel's work for
 * whatever a process does grows with each; without, a walk still finds them all.
 */
static bool is_deep(const char *path)
{
	int n = 0;

	while ((path = strstr(path, "/" PREFIX))) {
		path++;
		n++;
	}
	return n >= NEST_MAX;
}

/* Whether the folder @fd, of whatever mount, is that of the cgroup which the caller is in. */
static bool lists_self(int fd)
{
	int procs = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *file = procs < 0 ? NULL : fdopen(procs, "r");
	bool found = false;
	int pid;

	if (!file) {
		if (procs >= 0)
			close(procs);
		return false;
	}
	/* NOLINTNEXTLINE(cert-err34-c): a file of the kernel's, of numbers */
	while (!found && fscanf(file, "%d", &pid) == 1)
		found = pid == getpid();
	(void)fclose(file);
	return found;
}

/*
 * Not where a namespace or a mount makes the path that of another cgroup, and not
 * one that was not made for this user: it may be somebody else's to arrange.
 */
static bool is_own(int fd)
{
	struct statfs fs;
	struct stat st;

	return !fstatfs(fd, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC &&
	       !fstat(fd, &st) && st.st_uid == geteuid() &&
	       !faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) && lists_self(fd);
}

/* The folder of the caller's own cgroup, or -1. */
static int own_cgroup(void)
{
	const char *mount = mount_point();
	char line[4096], path[sizeof(line) + 64];
	int fd = -1;
	FILE *file;

	file = mount ? fopen("/proc/self/cgroup", "re") : NULL;
	if (!file)
		return -1;
	while (fd < 0 && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		/* A path that leads out of the namespace of cgroups begins with /.. */
		if (strncmp(line, "0::/", 4) || !strncmp(line, "0::/..", 6) || is_deep(line))
			continue;
		snprintf(path, sizeof(path), "%s%s", mount, line + 3);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	(void)fclose(file);
	if (fd < 0 || is_own(fd))
		return fd;
	close(fd);
	return -1;
}

/*
 * The name of a folder in @fd, into @name: that with the number @inode, or any where
 * that is 0. Returns whether there is one.
 */
static bool find_folder(int fd, ino_t inode, char name[NAME_MAX + 1])
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;
	bool found = false;

	if (!dir) {
		if (again >= 0)
			close(again);
		return false;
	}
	while (!found && (entry = readdir(dir))) {
		found = entry->d_type == DT_DIR && strcmp(entry->d_name, ".") &&
			strcmp(entry->d_name, "..") && (!inode || entry->d_ino == inode);
		if (found)
			snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
	}
	closedir(dir);
	return found;
}

/* Goes from the folder *@fd to another. Returns 0, or -1. */
static int go(int *fd, const char *name)
{
	int next = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (next < 0)
		return -1;
	close(*fd);
	*fd = next;
	return 0;
}

/*
 * Removes the folder @name of @parent with those in it, however deep: down to one that
 * has none in it, up, and that one is removed. Gives up at one that is in use.
 */
static void remove_tree(int parent, const char *name)
{
	char sub[NAME_MAX + 1];
	struct stat top, st;
	int fd;

	if (!unlinkat(parent, name, AT_REMOVEDIR) || errno != EBUSY)
		return;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &top))
		goto out;
	for (;;) {
		if (find_folder(fd, 0, sub)) {
			if (unlinkat(fd, sub, AT_REMOVEDIR) && go(&fd, sub))
				break;
			continue;
		}
		if (fstat(fd, &st) || st.st_ino == top.st_ino || go(&fd, "..") ||
		    !find_folder(fd, st.st_ino, sub) || unlinkat(fd, sub, AT_REMOVEDIR))
			break;
	}
	unlinkat(parent, name, AT_REMOVEDIR);
out:
	if (fd >= 0)
		close(fd);
}

void cgroup_make(struct cgroup *cgroup, uint64_t id)
{
	cgroup->fd = -1;
	cgroup->parent = own_cgroup();
	if (cgroup->parent < 0)
		return;
	snprintf(cgroup->name, sizeof(cgroup->name), PREFIX "%" PRIu64, id);
	/* An empty one of that name is left of a context of another day. */
	remove_tree(cgroup->parent, cgroup->name);
	if (!mkdirat(cgroup->parent, cgroup->name, 0755))
		cgroup->fd = openat(cgroup->parent, cgroup->name,
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup->fd >= 0)
		return;
	close(cgroup->parent);
	cgroup->parent = -1;
}

pid_t cgroup_fork(struct cgroup *cgroup)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (__u64)cgroup->fd,
	};
	pid_t pid;

	if (cgroup->fd >= 0) {
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		if (pid >= 0)
			return pid;
		/* The caller may not enter it, or the kernel cannot. */
		cgroup_remove(cgroup);
	}
	return fork();
}

static void write_one(const struct cgroup *cgroup, const char *name)
{
	int fd = openat(cgroup->fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* Whoever stays where that fails is found by other means. */
	(void)!write(fd, "1", 1);
	close(fd);
}

void cgroup_kill(const struct cgroup *cgroup)
{
	if (cgroup->fd >= 0)
		write_one(cgroup, "cgroup.kill");
}

void cgroup_remove(struct cgroup *cgroup)
{
	if (cgroup->fd < 0)
		return;
	close(cgroup->fd);
	remove_tree(cgroup->parent, cgroup->name);
	close(cgroup->parent);
	cgroup->parent = -1;
	cgroup->fd = -1;
}
