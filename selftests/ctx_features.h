/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of values, further parents, detaching, mapped status words and
 * io_uring share besides ctx_selftest.h.
 */
#ifndef CTX_FEATURES_H
#define CTX_FEATURES_H

#include "ctx_selftest.h"
#include <sys/mman.h>

#define ctx_array_size(array)	(sizeof(array) / sizeof((array)[0]))

/* Values */

static inline struct ctx_value ctx_value_of(const char *key, const void *data, __u32 size)
{
	return (struct ctx_value){
		.key = (uintptr_t)key,
		.data = (uintptr_t)data,
		.size = size,
	};
}

static inline int ctx_new_values(int parent, const struct ctx_value *values, __u32 nr)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.values = (uintptr_t)values,
		.nr_values = nr,
	});
}

/* With one value, the string @text. */
static inline int ctx_new_value(int parent, const char *key, const char *text)
{
	struct ctx_value value = ctx_value_of(key, text, strlen(text));

	return ctx_new_values(parent, &value, 1);
}

static inline int ctx_get_value(int fd, const char *key, void *data, __u32 size)
{
	struct ctx_value value = ctx_value_of(key, data, size);

	return ioctl(fd, CTX_IOC_GET_VALUE, &value);
}

/* The value is the string @text, and nothing behind it is touched. */
#define check_value(fd, key, text) ({					\
	char __data[CTX_VALUE_MAX];					\
	size_t __len = strlen(text);					\
									\
	memset(__data, 0xa5, sizeof(__data));				\
	EXPECT_EQ((int)__len, ctx_get_value((fd), (key), NULL, 0));	\
	EXPECT_EQ((int)__len,						\
		  ctx_get_value((fd), (key), __data, sizeof(__data)));	\
	EXPECT_EQ(0, memcmp(__data, (text), __len));			\
	EXPECT_EQ((char)0xa5, __data[__len]);				\
})

#define check_no_value(fd, key)						\
	check_errno(ENODATA, ctx_get_value((fd), (key), NULL, 0))

/* Further parents */

static inline int ctx_new_merged(int parent, const int *fds, __u32 nr)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.parents = (uintptr_t)fds,
		.nr_parents = nr,
	});
}

/* Two parents, of which @parent is the first. */
static inline int ctx_new_merged2(int parent, int further)
{
	return ctx_new_merged(parent, &further, 1);
}

/* Detaching */

static inline int ctx_new_kept(int parent)
{
	return ctx_create(parent, &(struct ctx_create_args){
		.flags = CTX_CREATE_WITHOUT_CANCEL,
	});
}

/* The mapped status word */

static inline size_t ctx_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* NULL with errno set where that fails. */
static inline const struct ctx_status *ctx_map(int fd)
{
	void *status = mmap(NULL, ctx_page_size(), PROT_READ, MAP_SHARED, fd, 0);

	return status == MAP_FAILED ? NULL : status;
}

static inline void ctx_unmap(const struct ctx_status *status)
{
	munmap((void *)status, ctx_page_size());
}

/* The word, as programs are to read it: err with acquire, and cause after that. */
static inline __u32 ctx_mapped_err(const struct ctx_status *status)
{
	return __atomic_load_n(&status->err, __ATOMIC_ACQUIRE);
}

static inline __s32 ctx_mapped_cause(const struct ctx_status *status)
{
	return __atomic_load_n(&status->cause, __ATOMIC_RELAXED);
}

#define check_mapped(status, error, why) ({				\
	EXPECT_EQ((error), ctx_mapped_err(status));			\
	EXPECT_EQ((why), ctx_mapped_cause(status));			\
})

/* Memory that no one may touch: two pages, of which the first can be written. */
static inline char *ctx_edge_of_memory(void)
{
	size_t page = ctx_page_size();
	char *mem = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED || mprotect(mem + page, page, PROT_NONE))
		return NULL;
	return mem + page;
}

/* A module parameter of ctx, or -1 */
static inline long ctx_max_depth(void)
{
	FILE *file = fopen("/sys/module/ctx/parameters/max_depth", "r");
	long depth = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &depth) != 1)
		depth = -1;
	fclose(file);
	return depth;
}

/* A memory cgroup of the calling process, to see what it is charged. */

#define CTX_CGROUP_ROOT	"/sys/fs/cgroup"

static inline int ctx_write_file(const char *folder, const char *name, const char *text)
{
	char path[192];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return ret;
}

static inline long ctx_memcg_bytes(const char *path)
{
	char name[192];
	long bytes = -1;
	FILE *file;

	snprintf(name, sizeof(name), "%s/memory.current", path);
	file = fopen(name, "r");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &bytes) != 1)
		bytes = -1;
	fclose(file);
	return bytes;
}

/* 0 where the process is in a cgroup of its own, which is @path from then on. */
static inline int ctx_memcg_enter(char *path, size_t size)
{
	snprintf(path, size, CTX_CGROUP_ROOT "/ctx-selftest-%d", getpid());
	ctx_write_file(CTX_CGROUP_ROOT, "cgroup.subtree_control", "+memory");
	if (mkdir(path, 0755))
		return -1;
	if (ctx_memcg_bytes(path) < 0 || ctx_write_file(path, "cgroup.procs", "0")) {
		rmdir(path);
		return -1;
	}
	return 0;
}

static inline void ctx_memcg_leave(const char *path)
{
	ctx_write_file(CTX_CGROUP_ROOT, "cgroup.procs", "0");
	rmdir(path);
}

#endif /* CTX_FEATURES_H */
