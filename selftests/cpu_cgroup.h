/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cgroup the tasks of which are let on no processor once they had their part of
 * one: wherever they are in the kernel, where it lets them be preempted.
 */
#ifndef CPU_CGROUP_H
#define CPU_CGROUP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctx_features.h"

struct cpu_cgroup {
	char	root[64];
	char	path[128];
	bool	mounted;	/* at @root, by us */
};

static inline int cpu_cgroup_mount(struct cpu_cgroup *cg)
{
	char controllers[96];

	snprintf(cg->root, sizeof(cg->root), "%s", CTX_CGROUP_ROOT);
	snprintf(controllers, sizeof(controllers), "%s/cgroup.controllers", cg->root);
	if (!access(controllers, F_OK))
		return 0;
	snprintf(cg->root, sizeof(cg->root), "/tmp/ctx-cgroup-XXXXXX");
	if (!mkdtemp(cg->root))
		return -1;
	if (mount("cgroup2", cg->root, "cgroup2", 0, NULL)) {
		rmdir(cg->root);
		return -1;
	}
	cg->mounted = true;
	return 0;
}

static inline void cpu_cgroup_free(struct cpu_cgroup *cg)
{
	if (cg->path[0])
		rmdir(cg->path);
	if (!cg->mounted)
		return;
	umount(cg->root);
	rmdir(cg->root);
}

/*
 * Makes one with @max, "QUOTA PERIOD" in microseconds. Returns NULL, or why it cannot;
 * cpu_cgroup_free() is to be called in either case.
 */
static inline const char *cpu_cgroup_make(struct cpu_cgroup *cg, const char *max)
{
	memset(cg, 0, sizeof(*cg));
	if (cpu_cgroup_mount(cg))
		return "there is no cgroup2, and none can be mounted";
	if (ctx_write_file(cg->root, "cgroup.subtree_control", "+cpu"))
		return "there is no cpu controller of cgroup2";
	snprintf(cg->path, sizeof(cg->path), "%s/ctx-selftest-cpu-%d", cg->root, getpid());
	if (mkdir(cg->path, 0755)) {
		cg->path[0] = '\0';
		return "a cgroup cannot be made";
	}
	if (ctx_write_file(cg->path, "cpu.max", max))
		return "the kernel has no CONFIG_CFS_BANDWIDTH";
	return NULL;
}

static inline int cpu_cgroup_move(const char *folder, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return ctx_write_file(folder, "cgroup.procs", text);
}

/* Moves all threads of @pid into it; and out again, to end as fast as others do. */
static inline int cpu_cgroup_add(const struct cpu_cgroup *cg, pid_t pid)
{
	return cpu_cgroup_move(cg->path, pid);
}

static inline int cpu_cgroup_remove(const struct cpu_cgroup *cg, pid_t pid)
{
	return cpu_cgroup_move(cg->root, pid);
}

/* The same for all that is in it. Returns whether nothing is, any more. */
static inline bool cpu_cgroup_clear(const struct cpu_cgroup *cg)
{
	char path[160];
	bool empty = true;
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cg->path);
	file = fopen(path, "r");
	while (file && fscanf(file, "%d", &pid) == 1) {
		empty = false;
		cpu_cgroup_remove(cg, pid);
	}
	if (file)
		fclose(file);
	return empty;
}

/* In how many periods its tasks have been stopped, or -1. */
static inline long cpu_cgroup_throttled(const struct cpu_cgroup *cg)
{
	char path[160], line[64];
	long nr = -1;
	FILE *file;

	snprintf(path, sizeof(path), "%s/cpu.stat", cg->path);
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "nr_throttled %ld", &nr) == 1)
			break;
	fclose(file);
	return nr;
}

#endif /* CPU_CGROUP_H */
