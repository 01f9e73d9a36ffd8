/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rows of the benchmark share. A row is a pair of functions, one for contexts and one for
 * their peer, each of which returns a figure: in nanoseconds, which are instructions where QEMU
 * counts them, or in bytes. Some have a third, for a descriptor that does nothing, which is what
 * the machine takes in any case. Each runs in a process of its own.
 */
#ifndef BENCH_H
#define BENCH_H

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <linux/ctx.h>

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL
#define HOUR		(3600 * NSEC_PER_SEC)

struct bench_row {
	const char	*name;
	double		(*ctx)(void);
	double		(*peer)(void);
	double		(*plain)(void);
};

extern const struct bench_row bench_calls[], bench_cancel[], bench_expiry[];
extern const struct bench_row bench_looks[], bench_memory[], bench_share[];
extern const struct bench_row bench_stall[];

/* The result of a system call that does not fail. */
#define must(call) ({							\
	long __ret = (call);						\
									\
	if (__ret < 0)							\
		err(1, "%s", #call);					\
	__ret;								\
})

static inline uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline struct timespec bench_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };
}

/* How a figure grows: what one costs of @nr, as a curve in a picture. */
struct bench_curve {
	const char	*picture;
	const char	*name;
	double		(*take)(int nr);
};

extern const struct bench_curve bench_curves[];

uint64_t bench_begin(void);
double bench_end(uint64_t begin);
double bench_per_call(int nr, void (*call)(void));
double bench_median(int nr, double (*take)(void));
void bench_sort(double *figures, int nr);
void bench_settle(void);
double bench_go(const char *row);

int bench_background(void);
int bench_root(void);
int bench_child(int parent);
int bench_merged(int parent);
int bench_timeout(int parent, uint64_t timeout);
void bench_cancel_now(int fd);
int bench_eventfd(void);
int bench_timerfd(int flags, uint64_t at);
int bench_plain(void);
void bench_join(int ep, int fd);
void bench_write(int fd);
void bench_close(int *fds, int nr);

int bench_flat(int top, const int *fds, int n);
double bench_tell_ctx(int nr, int ep, int (*shape)(int top, const int *fds, int n));
double bench_tell_eventfds(int nr, int ep);
double bench_expire_ctx(int nr);
double bench_expire_eventfds(int nr);
double bench_expire_timerfds(int nr);

#endif /* BENCH_H */
