// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contexts that processes hold, by what /proc says of their descriptors.
 *
 * Processes and descriptors come and go meanwhile: what is gone when it is looked
 * at is left out. A context that is seen several times is as it was seen last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"

#define PF_KTHREAD	0x00200000	/* in /proc/PID/stat, as the kernel has it */

/* Memory that lasts as long as the forest. */
struct chunk {
	struct chunk *next;
	size_t used;
	max_align_t data[4096];
};

static void *take(struct forest *forest, size_t size)
{
	struct chunk *chunk = forest->chunks;
	void *memory;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t);
	if (!chunk || chunk->used + size > sizeof(chunk->data) / sizeof(*chunk->data)) {
		chunk = need(malloc(sizeof(*chunk)));
		chunk->next = forest->chunks;
		chunk->used = 0;
		forest->chunks = chunk;
	}
	memory = chunk->data + chunk->used;
	chunk->used += size;
	return memset(memory, 0, size * sizeof(max_align_t));
}

void forest_free(struct forest *forest)
{
	struct chunk *chunk;

	while ((chunk = forest->chunks)) {
		forest->chunks = chunk->next;
		free(chunk);
	}
	free(forest->contexts);
	free(forest->hash);
	memset(forest, 0, sizeof(*forest));
}

/* Where the context is in the hash, or else where it is to be. */
static struct context **hash_slot(const struct forest *forest, uint64_t id)
{
	/* Ids are consecutive, which is as good as being hashed. */
	size_t i = (size_t)id & (forest->nr_hash - 1);

	while (forest->hash[i] && forest->hash[i]->info.id != id)
		i = (i + 1) & (forest->nr_hash - 1);
	return &forest->hash[i];
}

struct context *forest_find(const struct forest *forest, uint64_t id)
{
	return forest->nr_hash ? *hash_slot(forest, id) : NULL;
}

static void forest_grow(struct forest *forest)
{
	size_t i, size;

	forest->room = forest->room ? 2 * forest->room : 64;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the array holds pointers */
	size = forest->room * sizeof(*forest->contexts);
	forest->contexts = need(realloc(forest->contexts, size));
	free(forest->hash);
	/* Never more than half full. */
	forest->nr_hash = 2 * forest->room;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the array holds pointers */
	forest->hash = need(calloc(forest->nr_hash, sizeof(*forest->hash)));
	for (i = 0; i < forest->nr; i++)
		*hash_slot(forest, forest->contexts[i]->info.id) = forest->contexts[i];
}

static struct context *forest_add(struct forest *forest, uint64_t id)
{
	struct context *context = forest_find(forest, id);

	if (context)
		return context;
	if (forest->nr == forest->room)
		forest_grow(forest);
	context = take(forest, sizeof(*context));
	context->info.id = id;
	context->age = -1;
	forest->contexts[forest->nr++] = context;
	*hash_slot(forest, id) = context;
	return context;
}

/* All of a small file, with a NUL. Returns its length, or -1. */
static ssize_t read_file(int dir, const char *path, char *text, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, text, size - 1);
	close(fd);
	if (len >= 0)
		text[len] = '\0';
	return len;
}

/* Undoes \ooo in place. Returns the length. */
static size_t unescape(char *text)
{
	char *from, *to;

	for (from = to = text; *from; to++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	return (size_t)(to - text);
}

/* What the lines of fdinfo say. */
struct fdinfo {
	struct ctx_info info;
	int64_t age;
	bool writable;
};

static const struct {
	const char *key;
	size_t offset;
	size_t size;
} numbers[] = {
	{ "ctx-id",	  offsetof(struct ctx_info, id),	  sizeof(__u64) },
	{ "ctx-parent",	  offsetof(struct ctx_info, parent_id),	  sizeof(__u64) },
	{ "ctx-origin",	  offsetof(struct ctx_info, origin_id),	  sizeof(__u64) },
	{ "ctx-depth",	  offsetof(struct ctx_info, depth),	  sizeof(__u32) },
	{ "ctx-children", offsetof(struct ctx_info, nr_children), sizeof(__u32) },
	{ "ctx-err",	  offsetof(struct ctx_info, err),	  sizeof(__u32) },
	{ "ctx-cause",	  offsetof(struct ctx_info, cause),	  sizeof(__u32) },
	{ "ctx-deadline", offsetof(struct ctx_info, deadline),	  sizeof(__u64) },
	{ "ctx-flags",	  offsetof(struct ctx_info, flags),	  sizeof(__u32) },
};

static void parse_line(struct fdinfo *f, const char *key, char *value)
{
	char *field;
	size_t i, len;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		if (strcmp(key, numbers[i].key))
			continue;
		field = (char *)&f->info + numbers[i].offset;
		if (numbers[i].size == sizeof(__u64))
			*(__u64 *)field = strtoull(value, NULL, 0);
		else
			*(__u32 *)field = (__u32)strtoull(value, NULL, 0);
		return;
	}
	if (!strcmp(key, "flags")) {
		f->writable = (strtoul(value, NULL, 8) & O_ACCMODE) == O_RDWR;
	} else if (!strcmp(key, "ctx-age")) {
		f->age = strtoll(value, NULL, 10);
	} else if (!strcmp(key, "ctx-name")) {
		len = unescape(value);
		if (len < sizeof(f->info.name))
			memcpy(f->info.name, value, len);
	} else if (!strcmp(key, "ctx-message")) {
		len = unescape(value);
		if (len <= sizeof(f->info.message)) {
			memcpy(f->info.message, value, len);
			f->info.message_len = (uint32_t)len;
		}
	}
}

/* Whole lines. What is unknown is of a later version. */
static void parse_lines(struct fdinfo *f, char *text)
{
	char *line, *value;

	while ((line = strsep(&text, "\n"))) {
		value = strchr(line, ':');
		if (!value)
			continue;
		*value++ = '\0';
		/* No more than the tab: blanks may be the name's own. */
		parse_line(f, line, value + (*value == '\t'));
	}
}

/* To its end: before our lines come those about locks, as many as a holder likes. */
static int read_fdinfo(struct fdinfo *f, int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char text[4096], *end;
	size_t have = 0;
	ssize_t len;

	if (fd < 0)
		return -1;
	memset(f, 0, sizeof(*f));
	f->age = -1;
	while ((len = read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
		have += (size_t)len;
		text[have] = '\0';
		end = strrchr(text, '\n');
		if (!end)
			continue;
		*end++ = '\0';
		parse_lines(f, text);
		have -= (size_t)(end - text);
		memmove(text, end, have);
	}
	close(fd);
	return len < 0 ? -1 : 0;
}

bool descriptor_look(pid_t pid, int fd, struct descriptor *descriptor)
{
	char path[64];
	struct fdinfo f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	if (read_fdinfo(&f, AT_FDCWD, path))
		return false;
	*descriptor = (struct descriptor){
		.id = f.info.id, .age = f.age, .writable = f.writable,
	};
	errno = 0;
	return f.info.id > 0;
}

/* A process that is being looked at. */
struct look {
	struct forest *forest;
	pid_t pid;
	int dir;			/* /proc/PID: of this very process, as long as it is open */
	const struct process *process;	/* once it is known to hold a context */
};

/* Returns the length, 0 where there is no such process. */
static size_t read_name(int dir, const char *path, char *name, size_t size)
{
	ssize_t len = read_file(dir, path, name, size);

	if (len > 0 && name[len - 1] == '\n')
		len--;
	return len > 0 ? (size_t)len : 0;
}

size_t process_name(pid_t pid, char *name, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	return read_name(AT_FDCWD, path, name, size);
}

bool process_is_older(pid_t pid, int64_t age)
{
	char path[64], text[1024] = "", *rest;
	unsigned long long start;
	struct timespec now;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	len = read_name(AT_FDCWD, path, text, sizeof(text) - 1);
	text[len] = '\0';
	/* The command is in brackets, and may have any in it. */
	rest = strrchr(text, ')');
	/* NOLINTNEXTLINE(cert-err34-c): written by the kernel */
	if (!rest || sscanf(rest, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			    "%*s %*s %*s %*s %llu", &start) != 1)
		return false;
	/* It started on the clock that goes on in suspend, so it may look younger, never older. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)(start / (unsigned long long)sysconf(_SC_CLK_TCK)) <= now.tv_sec - age;
}

static const struct process *the_process(struct look *look)
{
	struct process *process;
	char name[256];

	if (look->process)
		return look->process;
	process = take(look->forest, sizeof(*process));
	process->pid = look->pid;
	process->len = read_name(look->dir, "comm", name, sizeof(name));
	process->name = take(look->forest, process->len + 1);
	memcpy(process->name, name, process->len);
	look->process = process;
	return process;
}

static void add_holder(struct look *look, int fd, const struct fdinfo *f)
{
	struct context *context = forest_add(look->forest, f->info.id);
	struct holder *holder = take(look->forest, sizeof(*holder));

	context->info = f->info;
	context->age = f->age;
	context->visible = true;
	holder->process = the_process(look);
	holder->fd = fd;
	holder->writable = f->writable;
	if (context->last_holder)
		context->last_holder->next = holder;
	else
		context->holders = holder;
	context->last_holder = holder;
}

/* Returns false where the process may not be looked into. */
static bool look_at_fd(struct look *look, int fds, const char *fd)
{
	static const char wanted[] = "anon_inode:[ctx]";
	char link[sizeof(wanted)], path[sizeof("fdinfo/") + NAME_MAX];
	struct fdinfo f;
	ssize_t len;

	len = readlinkat(fds, fd, link, sizeof(link));
	if (len < 0)
		return errno != EACCES && errno != EPERM;
	if ((size_t)len != sizeof(wanted) - 1 || memcmp(link, wanted, sizeof(wanted) - 1))
		return true;
	snprintf(path, sizeof(path), "fdinfo/%s", fd);
	if (read_fdinfo(&f, look->dir, path))
		return true;
	/* The number may stand for another file by now. */
	if (f.info.id)
		/* NOLINTNEXTLINE(cert-err34-c): a name in /proc, of digits */
		add_holder(look, atoi(fd), &f);
	return true;
}

static bool look_at_fds(struct look *look, int fds)
{
	struct dirent64 entries[128];
	const struct dirent64 *entry;
	ssize_t len, at;

	while ((len = getdents64(fds, entries, sizeof(entries))) > 0) {
		for (at = 0; at < len; at += entry->d_reclen) {
			entry = (const void *)((const char *)entries + at);
			if (entry->d_name[0] != '.' && !look_at_fd(look, fds, entry->d_name))
				return false;
		}
	}
	return true;
}

/* Kernel threads and zombies have no descriptors that one could miss. */
static bool has_descriptors(int dir)
{
	unsigned long flags;
	char text[1024], *p, state;

	if (read_file(dir, "stat", text, sizeof(text)) < 0)
		return false;
	/* After the name, which may hold anything. */
	p = strrchr(text, ')');
	/* NOLINTNEXTLINE(cert-err34-c): written by the kernel */
	if (!p || sscanf(p, ") %c %*d %*d %*d %*d %*d %lu", &state, &flags) != 2)
		return true;
	return state != 'Z' && !(flags & PF_KTHREAD);
}

static void look_at_process(struct forest *forest, int proc, const char *pid)
{
	/* NOLINTNEXTLINE(cert-err34-c): a name in /proc, of digits */
	struct look look = { .forest = forest, .pid = atoi(pid) };
	bool hidden;
	int fds;

	look.dir = openat(proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (look.dir < 0)
		return;
	fds = openat(look.dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0) {
		hidden = errno == EACCES || errno == EPERM;
	} else {
		hidden = !look_at_fds(&look, fds);
		close(fds);
	}
	if (hidden && has_descriptors(look.dir))
		forest->nr_hidden++;
	close(look.dir);
}

void forest_scan(struct forest *forest)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	bool found = false;

	memset(forest, 0, sizeof(*forest));
	if (!proc)
		die("cannot read /proc: %s", strerror(errno));
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') {
			look_at_process(forest, dirfd(proc), entry->d_name);
			found = true;
		}
	}
	closedir(proc);
	/* This process at least is to be there. */
	if (!found)
		die("there are no processes in /proc: mount it, with 'mount -t proc none /proc'");
}

void forest_scan_process(struct forest *forest, pid_t pid)
{
	char name[32];
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	memset(forest, 0, sizeof(*forest));
	if (proc < 0)
		return;
	snprintf(name, sizeof(name), "%d", pid);
	look_at_process(forest, proc, name);
	close(proc);
}

void need_module(void)
{
	if (access("/dev/ctx", F_OK))
		die("there is no /dev/ctx: load the module, with 'modprobe ctx'");
}
