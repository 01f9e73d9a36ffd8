/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions that the library calls later, and that tell of themselves. */
#ifndef LIBCTXFD_NOTE_H
#define LIBCTXFD_NOTE_H

#include "libctxfd.h"
#include <sys/eventfd.h>

/* The threads of this process. */
static inline int nr_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int nr = -2;

	if (!dir)
		return -1;
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* Whoever was joined may be on its way out of the kernel's table yet. */
#define becomes(condition) ({						\
	__u64 __end = ctx_clock(CLOCK_MONOTONIC) + CTX_WAIT_MS * NSEC_PER_MSEC; \
									\
	while (!(condition) && ctx_clock(CLOCK_MONOTONIC) < __end)	\
		usleep(1000);						\
	(condition);							\
})

static inline bool is_gone(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	return access(path, F_OK);
}

static inline void *tell_tid(void *tid)
{
	*(pid_t *)tid = gettid();
	return NULL;
}

/* Once there has been another: a checker may have one of its own from then on. */
static inline int nr_threads_at_rest(void)
{
	pthread_t thread;
	pid_t tid;

	if (pthread_create(&thread, NULL, tell_tid, &tid) || pthread_join(thread, NULL) ||
	    !becomes(is_gone(tid)))
		return -1;
	return nr_threads();
}

/* read and write, which ThreadSanitizer knows, not what glibc makes of them. */
static inline int put_event(int fd)
{
	return write(fd, &(__u64){ 1 }, 8) == 8 ? 0 : -1;
}

static inline int take_event(int fd)
{
	__u64 value;

	return read(fd, &value, 8) == 8 ? 0 : -1;
}

/* What a function does, and what it tells of itself. */
struct note {
	int begun, go;		/* eventfds: it runs; it may go on */
	bool waits;		/* for @go */
	bool stops;		/* @after, which may be itself */
	struct ctxfd_after *after;
	int stopped;
	unsigned int runs, ends;
	pthread_t thread;
	sigset_t mask;
};

static inline void note_init(struct note *note)
{
	*note = (struct note){ .begun = eventfd(0, 0), .go = eventfd(0, 0), .stopped = -1 };
}

static inline void run(void *arg)
{
	struct note *note = arg;

	note->runs++;
	note->thread = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &note->mask);
	put_event(note->begun);
	if (note->waits)
		take_event(note->go);
	if (note->stops)
		note->stopped = ctxfd_after_stop(note->after);
	__atomic_add_fetch(&note->ends, 1, __ATOMIC_RELEASE);
	put_event(note->begun);
}

/* Waits until the function has begun, or ended. */
#define check_event(note) ({						\
	ASSERT_TRUE(becomes_readable((note)->begun, CTX_WAIT_MS));	\
	ASSERT_EQ(0, take_event((note)->begun));			\
})

#define check_null(error, call) ({					\
	errno = 0;							\
	EXPECT_EQ(NULL, (call));					\
	EXPECT_EQ((error), errno);					\
})

#endif /* LIBCTXFD_NOTE_H */
