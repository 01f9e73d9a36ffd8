// SPDX-License-Identifier: GPL-2.0-only
/* What it costs to look at a context, in ways that poll-idle does not. */
#include "bench.h"

#include <poll.h>
#include <sys/mman.h>

#define CALLS	4000
#define CHECKS	10000000

static int fd;

static int descendant(int ancestor, int depth)
{
	while (depth--)
		ancestor = bench_child(ancestor);
	return ancestor;
}

/* check, check-syscall: the mapped word */

static double take_check(void)
{
	const struct ctx_status *status;
	uint64_t begin;
	int n;

	status = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, bench_root(), 0);
	if (status == MAP_FAILED)
		err(1, "mmap");
	begin = bench_begin();
	/* The loop is not the look's. */
#pragma GCC unroll 16
	for (n = 0; n < CHECKS; n++)
		if (__atomic_load_n(&status->err, __ATOMIC_ACQUIRE))
			errx(1, "the word reads cancelled");
	return bench_end(begin) / CHECKS;
}

static double take_check_by_go(void)
{
	return bench_go("check");
}

static void check_by_poll(void)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, 0))
		errx(1, "poll finds an event");
}

static double take_check_by_poll(void)
{
	fd = bench_root();
	return bench_per_call(CALLS, check_by_poll);
}

/* value: that of the root, from below */

static const char key[] = "user", user[] = "alice@example.org";

static void look_up(void)
{
	char data[64];
	struct ctx_value value = {
		.key = (uintptr_t)key,
		.data = (uintptr_t)data,
		.size = sizeof(data),
	};

	if (must(ioctl(fd, CTX_IOC_GET_VALUE, &value)) != sizeof(user))
		errx(1, "another value");
}

static double take_value(int depth)
{
	struct ctx_value value = {
		.key = (uintptr_t)key,
		.data = (uintptr_t)user,
		.size = sizeof(user),
	};
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC,
		.nr_values = 1,
		.values = (uintptr_t)&value,
	};

	fd = descendant(must(ioctl(bench_root(), CTX_IOC_CREATE, &args)), depth - 1);
	return bench_per_call(CALLS, look_up);
}

static double take_value_deep(void)
{
	return take_value(50);
}

static double take_value_near(void)
{
	return 50 * take_value(1);
}

/* info-web: as many ways up as there may be, each as long as it may be */

#define LONG		1000
#define DOUBLINGS	10

static void inform(void)
{
	struct ctx_info info;

	must(ioctl(fd, CTX_IOC_INFO, &info));
	if (info.err)
		errx(1, "INFO says that it is cancelled");
}

/* A parent that is a further parent, too, has two ways up for each of its own. */
static int doubled(int parent)
{
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC,
		.parents = (uintptr_t)&parent,
		.nr_parents = 1,
	};

	return must(ioctl(parent, CTX_IOC_CREATE, &args));
}

static double take_info_web(void)
{
	int n;

	fd = descendant(bench_root(), LONG);
	for (n = 0; n < DOUBLINGS; n++)
		fd = doubled(fd);
	return bench_per_call(10, inform);
}

static double take_info_plain(void)
{
	fd = bench_child(bench_root());
	return bench_per_call(CALLS, inform);
}

const struct bench_row bench_looks[] = {
	{ "check", take_check, take_check_by_go, NULL },
	{ "check-syscall", take_check, take_check_by_poll, NULL },
	{ "value", take_value_deep, take_value_near, NULL },
	{ "info-web", take_info_web, take_info_plain, NULL },
	{},
};
