// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals to all descendants of this process, which is a child subreaper, so
 * that nobody leaves the tree: not by a double fork, not by setsid.
 *
 * A number may be another process by the time it is used. So a process is its
 * folder in /proc, open: what is read there is read of that one process, and
 * what is sent there reaches it or nobody. It is a descendant where it names as
 * its parent a process that was verified before and is there still.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

/* A growing list of processes. */
struct pids {
	struct pid {
		pid_t pid;
		pid_t parent;
	} *list;
	size_t n, room;
};

/* In the flags of a process: forked, but no exec since. */
#define PF_FORKNOEXEC	0x40

struct process {
	pid_t pid;
	pid_t parent;
	int dir;
	bool forked;		/* and no exec since */
	bool threads;		/* more than one */
	char name[17];
	uint64_t start;		/* in ticks of CLOCK_BOOTTIME */
	uint64_t told_at;	/* the same; 0 for not told */
};

/* A process that was sent the signal. */
struct told {
	pid_t pid;
	uint64_t start;
	uint64_t at;
	bool reaper;
	bool forked;
};

struct tree {
	bool scan;
	void *told;		/* of tsearch */
	struct pids except;
	struct pids all;	/* of a scan */
	struct stat exe;	/* of this program */
	pid_t self;
	int signal;
	int count;
};

static void visit(struct tree *tree, pid_t pid, const struct process *parent);

static void add(struct pids *pids, pid_t pid, pid_t parent)
{
	if (pids->n == pids->room) {
		size_t room = pids->room ? 2 * pids->room : 64;
		struct pid *list = realloc(pids->list, room * sizeof(*list));

		/* The next call will do better. */
		if (!list)
			return;
		pids->list = list;
		pids->room = room;
	}
	pids->list[pids->n++] = (struct pid){ pid, parent };
}

static bool contains(const struct pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->n; i++)
		if (pids->list[i].pid == pid)
			return true;
	return false;
}

static void clear(struct pids *pids)
{
	free(pids->list);
	*pids = (struct pids){};
}

static uint64_t ticks(void)
{
	static uint64_t per_second;
	struct timespec ts;

	if (!per_second)
		per_second = (uint64_t)sysconf(_SC_CLK_TCK);
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * per_second +
	       (uint64_t)ts.tv_nsec / (1000000000 / per_second);
}

/* What follows @n words of @text, each with the blank before it. */
static const char *word(const char *text, int n)
{
	for (; n && *text; n--)
		text += 1 + strcspn(text + 1, " ");
	return text;
}

/* Opens /proc/@name. Returns 0, or -1 where there is no such process. */
static int process_open(struct process *process, const char *name)
{
	char text[1024], *after, *name_end;
	ssize_t len;
	int fd;

	snprintf(text, sizeof(text), "/proc/%s", name);
	process->dir = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process->dir < 0)
		return -1;
	fd = openat(process->dir, "stat", O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[len < 0 ? 0 : len] = '\0';
	/* "PID (NAME) STATE PARENT ...", and the name may be anything. */
	process->pid = (pid_t)strtol(text, &after, 10);
	name_end = strrchr(text, ')');
	if (!name_end || strncmp(after, " (", 2)) {
		close(process->dir);
		return -1;
	}
	*name_end = '\0';
	snprintf(process->name, sizeof(process->name), "%.16s", after + 2);
	process->parent = (pid_t)strtol(word(name_end + 1, 4 - 3), NULL, 10);
	process->forked = strtoul(word(name_end + 1, 9 - 3), NULL, 10) & PF_FORKNOEXEC;
	process->threads = strtol(word(name_end + 1, 20 - 3), NULL, 10) > 1;
	process->start = strtoull(word(name_end + 1, 22 - 3), NULL, 10);
	process->told_at = 0;
	return 0;
}

static int process_kill(const struct process *process, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, process->dir, signal, NULL, 0);
}

/* As one that is stopped ends only once it goes on. */
static void deliver(const struct process *process, int signal)
{
	process_kill(process, signal);
	process_kill(process, SIGCONT);
}

/* Dead or not, it is not reaped, and its number is its own. */
static bool process_exists(const struct process *process)
{
	return !process_kill(process, 0) || errno != ESRCH;
}

/*
 * Another reaper, who takes SIGTERM for a request to end what it has, with the
 * signal that it was told to use, and does not fail to. Leaving its tree to it
 * keeps many that are nested from each walking over all below it.
 */
static bool is_reaper(struct tree *tree, const struct process *process)
{
	struct stat exe;

	if (strcmp(process->name, REAPER_NAME))
		return false;
	if (!tree->exe.st_ino && stat("/proc/self/exe", &tree->exe))
		return false;
	return !fstatat(process->dir, "exe", &exe, 0) &&
	       exe.st_dev == tree->exe.st_dev && exe.st_ino == tree->exe.st_ino;
}

static int compare_told(const void *a, const void *b)
{
	const struct told *one = a, *other = b;

	if (one->pid != other->pid)
		return one->pid < other->pid ? -1 : 1;
	return (one->start > other->start) - (one->start < other->start);
}

static struct told *find_told(struct tree *tree, const struct process *process)
{
	struct told key = { .pid = process->pid, .start = process->start };
	void *node = tfind(&key, &tree->told, compare_told);

	return node ? *(struct told **)node : NULL;
}

static void remember(struct tree *tree, const struct process *process, bool reaper)
{
	struct told *told = malloc(sizeof(*told));

	if (!told)
		return;
	*told = (struct told){
		.pid = process->pid,
		.start = process->start,
		.at = ticks(),
		.reaper = reaper,
		.forked = process->forked,
	};
	if (!tsearch(told, &tree->told, compare_told))
		free(told);
}

/*
 * Returns whether there is something to do below @process, whose told_at is left
 * at 0 where it was told only now: what it had started by then is told as well.
 */
static bool tell(struct tree *tree, struct process *process, const struct process *parent,
		 struct told *told)
{
	bool reaper;

	if (told) {
		/*
		 * The handler that it had from its parent took the signal, and is
		 * gone: the program that it runs now has not seen any.
		 */
		if (told->forked && !process->forked)
			deliver(process, tree->signal);
		told->forked = process->forked;
		process->told_at = told->at;
		return true;
	}
	/* Started by one who had been told, in answer to that; so is all below it. */
	if (parent->told_at && process->start >= parent->told_at) {
		process->told_at = parent->told_at;
		return true;
	}
	reaper = is_reaper(tree, process);
	remember(tree, process, reaper);
	deliver(process, reaper ? SIGTERM : tree->signal);
	return !reaper;
}

/* The children of one thread. Returns -1 where the kernel has no such list. */
static int list_thread(const struct process *process, const char *tid, struct pids *children)
{
	char text[1024], *number, *end;
	size_t have = 0;
	ssize_t len;
	int fd;

	snprintf(text, sizeof(text), "task/%s/children", tid);
	fd = openat(process->dir, text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* A blank follows each number; what has none yet comes with the next read. */
	while ((len = read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
		have += (size_t)len;
		text[have] = '\0';
		for (number = text; (end = strchr(number, ' ')); number = end + 1)
			add(children, (pid_t)strtol(number, NULL, 10), process->pid);
		have = strlen(number);
		memmove(text, number, have);
	}
	close(fd);
	return 0;
}

static void list_threads(const struct process *process, struct pids *children)
{
	struct dirent *entry;
	char tid[16];
	DIR *dir;
	int fd;

	if (!process->threads) {
		snprintf(tid, sizeof(tid), "%d", process->pid);
		list_thread(process, tid, children);
		return;
	}
	fd = openat(process->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			list_thread(process, entry->d_name, children);
	closedir(dir);
}

static void list_all(struct pids *all)
{
	DIR *dir = opendir("/proc");
	struct process process;
	struct dirent *entry;

	clear(all);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		if (!process_open(&process, entry->d_name)) {
			add(all, process.pid, process.parent);
			close(process.dir);
		}
	}
	closedir(dir);
}

static void list_children(const struct tree *tree, const struct process *process,
			  struct pids *children)
{
	if (!tree->scan) {
		list_threads(process, children);
		return;
	}
	for (size_t i = 0; i < tree->all.n; i++)
		if (tree->all.list[i].parent == process->pid)
			add(children, tree->all.list[i].pid, process->pid);
}

/* @process, which is open, and all below it. */
/* NOLINTNEXTLINE(misc-no-recursion): each level holds a descriptor */
static void signal_tree(struct tree *tree, struct process *process, const struct process *parent)
{
	struct told *told = tree->signal == SIGKILL ? NULL : find_told(tree, process);
	struct pids children = {};
	bool down = true;

	tree->count++;
	if (told && told->reaper)
		return;
	/* Before the signal: what it starts then may be its answer. */
	list_children(tree, process, &children);
	if (tree->signal == SIGKILL)
		process_kill(process, SIGKILL);
	else
		down = tell(tree, process, parent, told);
	for (size_t i = 0; down && i < children.n; i++)
		visit(tree, children.list[i].pid, process);
	clear(&children);
}

/* @pid, which was seen as a child of @parent. */
/* NOLINTNEXTLINE(misc-no-recursion): each level holds a descriptor */
static void visit(struct tree *tree, pid_t pid, const struct process *parent)
{
	struct process process;
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	if (process_open(&process, name))
		return;
	/* The end of its parent may have made it a child of ours meanwhile. */
	if (process.parent == tree->self ||
	    (process.parent == parent->pid && process_exists(parent)))
		signal_tree(tree, &process, parent);
	close(process.dir);
}

/* This process, by the number that it has in /proc, and its children. */
static int open_self(struct tree *tree, struct process *self, struct pids *children)
{
	char tid[16];

	if (process_open(self, "self"))
		return -1;
	snprintf(tid, sizeof(tid), "%d", self->pid);
	if (!tree->scan && !list_thread(self, tid, children))
		return 0;
	/* A kernel without CONFIG_PROC_CHILDREN. */
	tree->scan = true;
	list_all(&tree->all);
	list_children(tree, self, children);
	return 0;
}

struct tree *tree_new(bool scan)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (tree)
		tree->scan = scan;
	return tree;
}

int tree_except_children(struct tree *tree)
{
	struct process self;

	if (open_self(tree, &self, &tree->except))
		return -1;
	close(self.dir);
	return 0;
}

void tree_reaped(struct tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->except.n; i++)
		if (tree->except.list[i].pid == pid)
			tree->except.list[i].pid = 0;
}

int tree_signal(struct tree *tree, int signal)
{
	struct pids children = {};
	struct process self;

	if (open_self(tree, &self, &children))
		return -1;
	tree->self = self.pid;
	tree->signal = signal;
	tree->count = 0;
	for (size_t i = 0; i < children.n; i++)
		if (!contains(&tree->except, children.list[i].pid))
			visit(tree, children.list[i].pid, &self);
	clear(&children);
	close(self.dir);
	return tree->count;
}
