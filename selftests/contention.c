// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of one user while others call as fast as they can, on contexts that he has shared
 * with them: they wait for no lock that somebody else holds for long.
 */
#include "bounds.h"
#include "cpu_cgroup.h"

#define CAUSE		94

FIXTURE(contention) {
	int			dev;
	int			top;		/* the user's */
	int			watch;		/* what the others have of it */
	struct bounds_limits	before;
};

FIXTURE_SETUP(contention)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, bounds_lift(&self->before)) {
		TH_LOG("needs the privilege to open files without a limit");
	}
	self->top = ctx_new(self->dev);
	self->watch = ctx_watch(self->top, 0);
	ASSERT_LE(0, self->watch);
	/* Who asks for a deadline looks at this one, too. */
	ASSERT_EQ(0, ctx_set_timeout(self->top, HOUR));
}

FIXTURE_TEARDOWN(contention)
{
	bounds_restore(&self->before);
	close(self->watch);
	close(self->top);
	close(self->dev);
}

/* The calls that are to be short. Each returns false where it fails. */

static bool ask_info(int dev, int top)
{
	struct ctx_info info;

	(void)dev;
	return !ctx_info(top, &info);
}

static bool ask_fdinfo(int dev, int top)
{
	char path[64], text[1024];
	int fd;
	bool got;

	(void)dev;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", top);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = read(fd, text, sizeof(text)) > 0;
	close(fd);
	return got;
}

static bool make_and_cancel(int dev, int top)
{
	int fd = ctx_new(top);
	bool done = fd >= 0 && !ctx_cancel(fd, CAUSE, NULL);

	(void)dev;
	close(fd);
	return done;
}

static bool make_merged_and_close(int dev, int top)
{
	int fd = ctx_new_merged2(dev, top);

	return fd >= 0 && !close(fd);
}

static bool move_deadline(int dev, int top)
{
	(void)dev;
	return !ctx_set_timeout(top, HOUR);
}

static bool watch_and_poll(int dev, int top)
{
	int fd = ctx_watch(top, 0);
	bool alive = fd >= 0 && !ctx_poll(fd, 0);

	(void)dev;
	close(fd);
	return alive;
}

/* Something of a user who has nothing to do with the others */
static bool make_own_and_cancel(int dev, int top)
{
	(void)top;
	return make_and_cancel(dev, dev);
}

static bool (*const calls[])(int dev, int top) = {
	ask_info, ask_fdinfo, make_and_cancel, make_merged_and_close, move_deadline,
	watch_and_poll, make_own_and_cancel,
};

/* How long the call @nr takes, or 0 where it fails. */
static __u64 time_call(int nr, int dev, int top)
{
	__u64 start = ctx_clock(CLOCK_MONOTONIC);
	bool done = calls[nr](dev, top);

	start = ctx_clock(CLOCK_MONOTONIC) - start;
	return done ? start : 0;
}

/*
 * INFO below a web of as many ways as there can be, on all of which that other user's context
 * stands at the top. Who calls has a real-time priority: so he waits for locks alone.
 */
#define ASKERS		16
#define ROUNDS		50

#define LAYERS		3
#define LENGTH		20

static __u64 time_info(int fd)
{
	struct ctx_info info;
	__u64 start = ctx_clock(CLOCK_MONOTONIC);

	ctx_info(fd, &info);
	return ctx_clock(CLOCK_MONOTONIC) - start;
}

/* Makes a web, and has askers ask. Tells how long that takes alone. */
static void ask_run(int top, uid_t uid, int told)
{
	__u64 took, best = ~0ULL;
	int web, i;

	if (be_user(uid))
		_exit(1);
	web = web_of_chains(top, LAYERS, LENGTH);
	if (web < 0)
		_exit(2);
	for (i = 0; i < 20; i++) {
		took = time_info(web);
		best = took < best ? took : best;
	}
	for (i = 0; i < ASKERS; i++) {
		if (ctx_fork())
			continue;
		for (;;) {
			time_info(web);
			ask_fdinfo(web, web);
		}
	}
	if (write(told, &best, sizeof(best)) != sizeof(best))
		_exit(3);
	for (;;)
		pause();
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What is exceeded by one call in ten, or ~0 where one fails */
static __u64 time_calls(int nr, int dev, int top)
{
	__u64 took[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		took[i] = time_call(nr, dev, top);
		if (!took[i])
			return ~0ULL;
		/* A real-time task that never sleeps is stopped now and then. */
		usleep(200);
	}
	qsort(took, ROUNDS, sizeof(*took), compare);
	return took[ROUNDS * 9 / 10];
}

TEST_F_TIMEOUT(contention, calls_do_not_wait_for_those_who_ask_about_the_widest_web, 300)
{
	struct sched_param param = { .sched_priority = 1 }, normal = { };
	__u64 alone[ctx_array_size(calls)], late[ctx_array_size(calls)], web, took;
	int told[2], status;
	unsigned int i, n;
	pid_t asker;

	for (n = 0; n < ctx_array_size(calls); n++) {
		alone[n] = time_calls(n, self->dev, self->top);
		ASSERT_NE(~0ULL, alone[n]);
		late[n] = ~0ULL;
	}
	ASSERT_EQ(0, pipe(told));
	asker = ctx_fork();
	if (!asker)
		ask_run(self->watch, USER_A, told[1]);
	ASSERT_EQ(sizeof(web), read(told[0], &web, sizeof(web)));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &param));
	for (i = 0; i < ATTEMPTS; i++) {
		for (n = 0; n < ctx_array_size(calls); n++) {
			took = time_calls(n, self->dev, self->top);
			late[n] = took < late[n] ? took : late[n];
		}
	}
	sched_setscheduler(0, SCHED_OTHER, &normal);
	kill(asker, SIGKILL);
	waitpid(asker, &status, 0);
	for (n = 0; n < ctx_array_size(calls); n++) {
		TH_LOG("call %u took %llu us, alone %llu us; INFO of the web %llu us", n,
		       late[n] / 1000, alone[n] / 1000, web / 1000);
		/* Behind all of them, or half of one of them on average, were it a lock. */
		EXPECT_GE(3 * alone[n] + web / 4, late[n]);
	}
	close(told[0]);
	close(told[1]);
}

/*
 * Who has had his part of a processor is let on none until the period is over, a second:
 * wherever that meets him in a call. He makes calls of all kinds without end, by as many
 * processes as there are processors and more.
 */
#define PERIOD		NSEC_PER_SEC
#define QUOTA		"10000 1000000"
#define CALLERS		6
#define STOPS		4	/* periods in which they were stopped, of one attempt */
#define POLLED		1000

static void call_forever(int dev, int watch)
{
	int web = web_of_chains(watch, 2, LENGTH), ep = epoll_create1(EPOLL_CLOEXEC), fd, i;
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd *fds = calloc(POLLED, sizeof(*fds));
	unsigned int n;

	for (i = 0; i < POLLED; i++)
		fds[i] = (struct pollfd){ .fd = watch, .events = POLLIN };
	for (;;) {
		for (n = 0; n < ctx_array_size(calls); n++)
			calls[n](dev, watch);
		ask_info(dev, web);
		close(ctx_new_timeout(watch, 0));
		/* One that waits, and so stands in the queue */
		poll(fds, POLLED, 1);
		fd = ctx_watch(watch, 0);
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
		close(fd);
	}
}

static pid_t callers_start(int dev, int watch, uid_t uid, const struct cpu_cgroup *cg)
{
	int sock[2], i;
	char byte = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return -1;
	pid = ctx_fork();
	if (!pid) {
		/* In the cgroup already */
		if (read(sock[1], &byte, 1) != 1 || be_user(uid))
			_exit(1);
		for (i = 1; i < CALLERS && ctx_fork(); i++)
			;
		call_forever(dev, watch);
	}
	if (cpu_cgroup_add(cg, pid) || write(sock[0], &byte, 1) != 1) {
		kill(pid, SIGKILL);
		pid = -1;
	}
	close(sock[0]);
	close(sock[1]);
	return pid;
}

/* The longest of all calls until the others have been stopped STOPS times; 0 where one fails. */
static __u64 longest_call(int dev, int top, const struct cpu_cgroup *cg, int *which)
{
	long stops = cpu_cgroup_throttled(cg) + STOPS;
	__u64 took, most = 0;
	unsigned int n;

	while (cpu_cgroup_throttled(cg) < stops) {
		for (n = 0; n < ctx_array_size(calls); n++) {
			took = time_call(n, dev, top);
			if (!took)
				return 0;
			if (took > most)
				*which = n;
			most = took > most ? took : most;
		}
	}
	return most;
}

/*
 * Where the locks of the kernel sleep, cpu.max stopped their holders too, until 6.18: then
 * eventfds are held up by seconds as well, also those that nobody shares.
 */
static bool stops_holders_of_locks(void)
{
	int major = 0, minor = 0;
	struct utsname uts;

	uname(&uts);
	return strstr(uts.version, "PREEMPT_RT") &&
	       sscanf(uts.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 18));
}

TEST_F_TIMEOUT(contention, calls_do_not_wait_for_a_caller_who_has_had_his_part_of_a_processor, 300)
{
	struct cpu_cgroup cg;
	__u64 most, least = ~0ULL;
	const char *none;
	int i, which = 0;
	pid_t callers;

	if (stops_holders_of_locks())
		SKIP(return, "this kernel stops tasks that hold its locks");
	none = cpu_cgroup_make(&cg, QUOTA);
	if (none) {
		cpu_cgroup_free(&cg);
		SKIP(return, "%s", none);
	}
	callers = callers_start(self->dev, self->watch, USER_A, &cg);
	ASSERT_LT(0, callers);
	for (i = 0; i < ATTEMPTS && (!i || least > PERIOD / 4); i++) {
		most = longest_call(self->dev, self->top, &cg, &which);
		EXPECT_LT(0, most);
		TH_LOG("a call took %llu us at most, number %d", most / 1000, which);
		least = most < least ? most : least;
	}
	EXPECT_GE(PERIOD / 4, least);
	/* The others end with the first, and as fast as anybody once they are out of there. */
	kill(callers, SIGKILL);
	while (!cpu_cgroup_clear(&cg))
		usleep(1000);
	waitpid(callers, NULL, 0);
	cpu_cgroup_free(&cg);
}

TEST_HARNESS_MAIN
