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
	int			own;		/* the user's, which he shares with nobody */
	int			top;		/* the user's, too */
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
	self->own = ctx_new(self->dev);
	self->top = ctx_new(self->dev);
	self->watch = ctx_watch(self->top, 0);
	ASSERT_LE(0, self->watch);
	/* Who asks for a deadline looks at this one, too. */
	ASSERT_EQ(0, ctx_set_timeout(self->top, HOUR));
	ASSERT_EQ(0, ctx_set_timeout(self->own, HOUR));
}

FIXTURE_TEARDOWN(contention)
{
	bounds_restore(&self->before);
	close(self->watch);
	close(self->top);
	close(self->own);
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

static bool (*const calls[])(int dev, int top) = {
	ask_info, ask_fdinfo, make_and_cancel, make_merged_and_close, move_deadline,
	watch_and_poll,
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

/* Starts them. @web becomes how long INFO takes one of them alone. */
static pid_t askers_start(int watch, uid_t uid, __u64 *web)
{
	int told[2];
	pid_t pid;

	if (pipe(told))
		return -1;
	pid = ctx_fork();
	if (!pid)
		ask_run(watch, uid, told[1]);
	close(told[1]);
	if (read(told[0], web, sizeof(*web)) != sizeof(*web))
		pid = -1;
	close(told[0]);
	return pid;
}

static void calls_while_others_ask(struct __test_metadata *_metadata,
				   FIXTURE_DATA(contention) *self, int fd)
{
	struct sched_param param = { .sched_priority = 1 }, normal = { };
	__u64 alone[ctx_array_size(calls)], late[ctx_array_size(calls)], web, took;
	unsigned int i, n;
	pid_t asker;

	for (n = 0; n < ctx_array_size(calls); n++) {
		alone[n] = time_calls(n, self->dev, fd);
		ASSERT_NE(~0ULL, alone[n]);
		late[n] = ~0ULL;
	}
	asker = askers_start(self->watch, USER_A, &web);
	ASSERT_LT(0, asker);
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &param));
	for (i = 0; i < ATTEMPTS; i++) {
		for (n = 0; n < ctx_array_size(calls); n++) {
			took = time_calls(n, self->dev, fd);
			late[n] = took < late[n] ? took : late[n];
		}
	}
	sched_setscheduler(0, SCHED_OTHER, &normal);
	kill(asker, SIGKILL);
	waitpid(asker, NULL, 0);
	for (n = 0; n < ctx_array_size(calls); n++) {
		TH_LOG("call %u took %llu us, alone %llu us; INFO of the web %llu us", n,
		       late[n] / 1000, alone[n] / 1000, web / 1000);
		/* Were there a lock: half of an INFO on average, and behind the other askers. */
		EXPECT_GE(3 * alone[n] + web / 4, late[n]);
	}
}

TEST_F_TIMEOUT(contention, calls_do_not_wait_for_those_who_ask_about_the_widest_web, 300)
{
	calls_while_others_ask(_metadata, self, self->own);
}

static bool locks_sleep(void)
{
	struct utsname uts;

	uname(&uts);
	return strstr(uts.version, "PREEMPT_RT");
}

TEST_F_TIMEOUT(contention, nor_do_calls_on_the_context_at_its_top, 300)
{
	if (locks_sleep())
		SKIP(return, "to wait for a lock takes two switches of tasks on this kernel");
	calls_while_others_ask(_metadata, self, self->top);
}

/*
 * Who has had his part of a processor is let on none until the period is over, a second:
 * wherever that meets him in a call. He makes calls of all kinds without end, by as many
 * processes as there are processors and more.
 */
#define PERIOD		NSEC_PER_SEC
#define QUOTA		"10000 1000000"
#define CALLERS		6
#define STOPS		10	/* periods in which they were stopped, of one attempt */
#define POLLED		1000

static void call_all_forever(int dev, int watch)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), fd;
	unsigned int n;

	for (;;) {
		for (n = 0; n < ctx_array_size(calls); n++)
			calls[n](dev, watch);
		close(ctx_new_timeout(watch, 0));
		fd = ctx_watch(watch, 0);
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
		close(fd);
	}
}

static void ask_forever(int web)
{
	for (;;) {
		time_info(web);
		close(ctx_new_detached(web));
	}
}

/* Stands in the queue, again and again */
static void wait_forever(int watch)
{
	struct pollfd *fds = calloc(POLLED, sizeof(*fds));
	int i;

	for (i = 0; i < POLLED; i++)
		fds[i] = (struct pollfd){ .fd = watch, .events = POLLIN };
	for (;;)
		poll(fds, POLLED, 1);
}

/* Makes what takes long, tells, and goes on once it is told. */
static void callers_run(int dev, int watch, uid_t uid, int sock)
{
	char byte = 0;
	int web, i;

	if (be_user(uid))
		_exit(1);
	web = web_of_chains(watch, LAYERS, LENGTH);
	if (web < 0 || write(sock, &byte, 1) != 1 || read(sock, &byte, 1) != 1)
		_exit(2);
	for (i = 1; i < CALLERS && ctx_fork(); i++)
		;
	switch (i % 3) {
	case 0:
		call_all_forever(dev, watch);
		break;
	case 1:
		ask_forever(web);
		break;
	default:
		wait_forever(watch);
	}
}

static pid_t callers_start(int dev, int watch, uid_t uid, const struct cpu_cgroup *cg)
{
	char byte = 0;
	int sock[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return -1;
	pid = ctx_fork();
	if (!pid)
		callers_run(dev, watch, uid, sock[1]);
	close(sock[1]);
	if (read(sock[0], &byte, 1) != 1 || cpu_cgroup_add(cg, pid) ||
	    write(sock[0], &byte, 1) != 1)
		pid = -1;
	close(sock[0]);
	return pid;
}

/* The longest of all calls until the others have been stopped STOPS times; 0 where one fails. */
static __u64 longest_call(int dev, const int tops[2], const struct cpu_cgroup *cg, int *which)
{
	long stops = cpu_cgroup_throttled(cg) + STOPS;
	__u64 took, most = 0;
	unsigned int n;

	while (cpu_cgroup_throttled(cg) < stops) {
		for (n = 0; n < 2 * ctx_array_size(calls); n++) {
			took = time_call(n / 2, dev, tops[n % 2]);
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
	return locks_sleep() && sscanf(uts.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 18));
}

TEST_F_TIMEOUT(contention, calls_do_not_wait_for_a_caller_who_has_had_his_part_of_a_processor, 300)
{
	struct cpu_cgroup cg;
	int short_ones = 0, long_ones = 0, which = 0;
	const char *none;
	pid_t callers;
	__u64 most;

	if (stops_holders_of_locks())
		SKIP(return, "this kernel stops tasks that hold its locks");
	none = cpu_cgroup_make(&cg, QUOTA);
	if (none) {
		cpu_cgroup_free(&cg);
		SKIP(return, "%s", none);
	}
	callers = callers_start(self->dev, self->watch, USER_A, &cg);
	ASSERT_LT(0, callers);
	/* A busy host stops the guest for as long now and then; but not two of three times. */
	while (short_ones < 2 && long_ones < 2) {
		most = longest_call(self->dev, (int []){ self->own, self->top }, &cg, &which);
		EXPECT_LT(0, most);
		TH_LOG("a call took %llu us at most, number %d of %s", most / 1000, which / 2,
		       which % 2 ? "what is shared" : "one's own");
		if (most <= PERIOD / 2)
			short_ones++;
		else
			long_ones++;
	}
	EXPECT_EQ(2, short_ones);
	/* The others end with the first, and as fast as anybody once they are out of there. */
	kill(callers, SIGKILL);
	while (!cpu_cgroup_clear(&cg))
		usleep(1000);
	waitpid(callers, NULL, 0);
	cpu_cgroup_free(&cg);
}

TEST_HARNESS_MAIN
