/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Want of memory: each allocation on the way of a call fails once, in the module
 * or elsewhere in the kernel. The call then fails with ENOMEM and has changed
 * nothing, or does without.
 *
 * /proc/thread-self/fail-nth has the kernel fail the n-th allocation of this
 * thread from now on, and tells what is left of n. What a call leaks shows when
 * the module is removed, and to kmemleak.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "ctx_selftest.h"
#include <sys/mman.h>

#define DEBUGFS		"/sys/kernel/debug/"

/*
 * By default only the rarest allocations fail. Each failure is not logged: the
 * log would be of nothing else.
 */
static const struct attribute {
	const char *path;
	const char *value;
} attributes[] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "0" },
	{ DEBUGFS "failslab/verbose", "0" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "0" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "0" },
	{ DEBUGFS "fail_page_alloc/min-order", "0" },
	{ DEBUGFS "fail_page_alloc/verbose", "0" },
};

#define NR_ATTRIBUTES	ARRAY_SIZE(attributes)

/*
 * How often n counts up until the call passes without. Now and then an allocation takes a further
 * one, of a page for its kind: then the next call makes one less, and one of them is left out.
 */
#define SWEEPS		4

struct faults {
	char attribute[NR_ATTRIBUTES][16];	/* as they were */
	unsigned int n;		/* the allocation that fails now */
	bool hit;		/* whether the call came to it */
	unsigned int sweeps;	/* that are over */
	unsigned int lost;	/* calls that did not give what was asked for */
};

static void __attribute__((constructor)) need_fault_injection(void)
{
	unsigned int i;

	if (access("/proc/thread-self/fail-nth", W_OK))
		ksft_exit_skip("this kernel has no fault injection\n");
	for (i = 0; i < NR_ATTRIBUTES; i++)
		if (access(attributes[i].path, R_OK | W_OK))
			ksft_exit_skip("needs %s\n", attributes[i].path);
}

static inline ssize_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, size - 1);

	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len;
}

static inline ssize_t write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = write(fd, text, strlen(text));

	close(fd);
	return len;
}

static int nth;		/* fail-nth of this thread */

static inline void nth_open(void)
{
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		abort();
}

/* From now on allocations fail where this thread asks for it. */
static inline struct faults *faults_begin(void)
{
	struct faults *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	nth_open();
	for (i = 0; i < NR_ATTRIBUTES; i++)
		if (read_text(attributes[i].path, f->attribute[i], sizeof(f->attribute[i])) <= 0 ||
		    write_text(attributes[i].path, attributes[i].value) <= 0)
			abort();
	return f;
}

static inline void faults_end(struct faults *f)
{
	unsigned int i;

	for (i = 0; i < NR_ATTRIBUTES; i++)
		if (write_text(attributes[i].path, f->attribute[i]) <= 0)
			abort();
	munmap(f, sizeof(*f));
	close(nth);
}

static inline void fail_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(nth, text, len, 0) != len)
		abort();
}

/* What is left of n: 0 where that allocation has failed. None is to from now on. */
static inline unsigned int fail_nth_end(void)
{
	char text[16] = "";

	if (pread(nth, text, sizeof(text) - 1, 0) <= 0)
		abort();
	fail_nth(0);
	return strtoul(text, NULL, 10);
}

/* Makes @call, of which the allocation whose turn it is fails. */
#define faulty(f, call) ({						\
	struct faults *__f = (f);					\
	__typeof__(call) __ret;						\
	int __errno;							\
									\
	fail_nth(__f->n);						\
	errno = 0;							\
	__ret = (call);							\
	__errno = errno;						\
	__f->hit = !fail_nth_end();					\
	errno = __errno;						\
	__ret;								\
})

#endif /* FAULTS_H */
