// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench ROW ctx|peer|plain: takes one figure and prints it, or nothing where the row has none.
 * bench: prints the names of the rows.
 * bench PICTURE CURVE NR: takes what each of so many costs. bench curves: prints what there is.
 */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>

static const struct bench_row *const areas[] = {
	bench_calls, bench_cancel, bench_expiry, bench_looks, bench_memory, bench_share,
	bench_stall,
};

/* What a figure is taken of lies between these two, whose no-ops the profiler knows. */

uint64_t bench_begin(void)
{
	asm volatile("nopl 0x6e676562(%rax)");
	return bench_now();
}

double bench_end(uint64_t begin)
{
	uint64_t end = bench_now();

	asm volatile("nopl 0x20646e65(%rax)");
	return end - begin;
}

/* What a call costs, once all that it needs for the first time is there. */
double bench_per_call(int nr, void (*call)(void))
{
	uint64_t begin;
	int n;

	for (n = 0; n < nr / 10; n++)
		call();
	bench_settle();
	begin = bench_begin();
	for (n = 0; n < nr; n++)
		call();
	return bench_end(begin) / nr;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void bench_sort(double *figures, int nr)
{
	qsort(figures, nr, sizeof(*figures), compare);
}

double bench_median(int nr, double (*take)(void))
{
	double *figures = calloc(nr, sizeof(*figures)), median;
	int n;

	for (n = 0; n < nr; n++)
		figures[n] = take();
	bench_sort(figures, nr);
	median = figures[nr / 2];
	free(figures);
	return median;
}

/* What was freed and is on its way out should not be in the figure. */
void bench_settle(void)
{
	usleep(100000);
}

/* That of Go's contexts, which go/context.go takes and prints */
double bench_go(const char *row)
{
	return must(execl("/bench-go", "bench-go", row, NULL));
}

int bench_background(void)
{
	static int dev = -1;

	if (dev < 0)
		dev = must(open("/dev/ctx", O_RDWR | O_CLOEXEC));
	return dev;
}

int bench_root(void)
{
	return bench_child(bench_background());
}

int bench_child(int parent)
{
	struct ctx_create_args args = { .fd_flags = CTX_CLOEXEC };

	return must(ioctl(parent, CTX_IOC_CREATE, &args));
}

/* A root but for its further parent. */
int bench_merged(int parent)
{
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC,
		.parents = (uintptr_t)&parent,
		.nr_parents = 1,
	};

	return must(ioctl(bench_background(), CTX_IOC_CREATE, &args));
}

int bench_timeout(int parent, uint64_t timeout)
{
	struct ctx_create_args args = {
		.flags = CTX_CREATE_TIMEOUT,
		.fd_flags = CTX_CLOEXEC,
		.deadline = timeout,
		.clockid = CLOCK_MONOTONIC,
	};

	return must(ioctl(parent, CTX_IOC_CREATE, &args));
}

void bench_cancel_now(int fd)
{
	struct ctx_cancel_args args = {};

	must(ioctl(fd, CTX_IOC_CANCEL, &args));
}

int bench_eventfd(void)
{
	return must(eventfd(0, EFD_CLOEXEC));
}

/* @flags: TFD_TIMER_ABSTIME, or 0 where @at counts from now */
int bench_timerfd(int flags, uint64_t at)
{
	struct itimerspec when = { .it_value = bench_timespec(at) };
	int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));

	must(timerfd_settime(fd, flags, &when, NULL));
	return fd;
}

/* A descriptor, and that is all: the signals that it has are none. */
int bench_plain(void)
{
	sigset_t none;

	sigemptyset(&none);
	return must(signalfd(-1, &none, SFD_CLOEXEC));
}

/* Edge-triggered: an event comes once, though nobody takes it away. */
void bench_join(int ep, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

void bench_write(int fd)
{
	uint64_t one = 1;

	must(write(fd, &one, sizeof(one)));
}

void bench_close(int *fds, int nr)
{
	while (nr)
		close(fds[--nr]);
}

static int print(const struct bench_row *row, const char *side)
{
	double (*take)(void) = row->plain;

	if (!strcmp(side, "ctx"))
		take = row->ctx;
	else if (!strcmp(side, "peer"))
		take = row->peer;
	return take && printf("%.2f\n", take()) < 0;
}

/* Those of PICTURE, CURVE, NR, or of none */
static int curves(char **args)
{
	const struct bench_curve *curve;

	for (curve = bench_curves; curve->picture; curve++) {
		if (!args)
			printf("%s %s\n", curve->picture, curve->name);
		else if (!strcmp(args[0], curve->picture) && !strcmp(args[1], curve->name))
			return printf("%.2f\n", curve->take(atoi(args[2]))) < 0;
	}
	return args != NULL;
}

int main(int argc, char **argv)
{
	const struct bench_row *row;
	unsigned int n;

	if (argc == 4 || (argc == 2 && !strcmp(argv[1], "curves")))
		return curves(argc == 4 ? argv + 1 : NULL);
	for (n = 0; n < sizeof(areas) / sizeof(*areas); n++) {
		for (row = areas[n]; row->name; row++) {
			if (argc < 3)
				puts(row->name);
			else if (!strcmp(argv[1], row->name))
				return print(row, argv[2]);
		}
	}
	return argc >= 3;
}
