// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cgroup for the command: all in it are killed in one step, however fast they
 * fork. Only with cgroup v2, and where the caller may; nothing here fails the run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		/* A path that leads out of the namespace of cgroups begins with /.. */
		if (strncmp(line, "0::/", 4) || !strncmp(line, "0::/..", 6) || is_deep(line))
			continue;
		snprintf(path, sizeof(path), "%s%s", mount, line + 3);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	(void)fclose(file);
	return fd;
}

static void locate(struct cgroup *cgroup, uint64_t id)
{
	cgroup->fd = -1;
	cgroup->parent = own_cgroup();
	snprintf(cgroup->name, sizeof(cgroup->name), PREFIX "%" PRIu64, id);
}

/* Removes the folder @name of @parent with the folders in it. */
/* NOLINTNEXTLINE(misc-no-recursion): each level holds a descriptor */
static void remove_tree(int parent, const char *name)
{
	struct dirent *entry;
	DIR *dir;
	int fd;

	if (!unlinkat(parent, name, AT_REMOVEDIR) || errno != EBUSY)
		return;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") &&
		    strcmp(entry->d_name, ".."))
			remove_tree(fd, entry->d_name);
	closedir(dir);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static void open_it(struct cgroup *cgroup)
{
	cgroup->fd = openat(cgroup->parent, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup->fd >= 0)
		return;
	close(cgroup->parent);
	cgroup->parent = -1;
}

void cgroup_make(struct cgroup *cgroup, uint64_t id)
{
	locate(cgroup, id);
	if (cgroup->parent < 0)
		return;
	/* An empty one of that name is left of a context of another day. */
	remove_tree(cgroup->parent, cgroup->name);
	if (mkdirat(cgroup->parent, cgroup->name, 0755)) {
		close(cgroup->parent);
		cgroup->parent = -1;
		return;
	}
	open_it(cgroup);
}

void cgroup_find(struct cgroup *cgroup, uint64_t id)
{
	locate(cgroup, id);
	if (cgroup->parent >= 0)
		open_it(cgroup);
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
