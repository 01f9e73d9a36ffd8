// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one user builds costs the others no time: their deadlines, calls, closes and
 * processors, and the ends of their processes.
 *
 * In all tests a crowd of one user is told while another does something short, and
 * only their relation counts: see best_add().
 */
#include "bounds.h"
#include "cpu_cgroup.h"
#include "sample.h"

#define CAUSE		92

FIXTURE(fair) {
	int			dev;
	int			nr;		/* of a crowd */
	struct bounds_limits	before;
};

FIXTURE_SETUP(fair)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, bounds_lift(&self->before)) {
		TH_LOG("needs the privilege to open files without a limit");
	}
	self->nr = crowd_size(self->dev);
	ASSERT_LT(0, self->nr);
}

FIXTURE_TEARDOWN(fair)
{
	bounds_restore(&self->before);
	close(self->dev);
}

/*
 * The owner's end, at somebody else's hands: another user has made a context, with a
 * crowd below it, and has passed its only writable descriptor on.
 */
struct stranger {
	pid_t	pid;
	int	sock;
	__u64	took;		/* to cancel such a crowd */
	int	fd;		/* of the context */
	int	watch;		/* likewise */
};

static void stranger_run(int dev, int nr, enum crowd_place place, uid_t uid, int sock)
{
	__u64 took = crowd_cancel(dev, nr, place);
	struct crowd c;
	int top, watch;

	if (!took || be_user(uid))
		_exit(1);
	top = ctx_new(dev);
	watch = ctx_watch(top, 0);
	if (!crowd_plant(&c, dev, watch, nr, place))
		_exit(2);
	if (ctx_send_fd(sock, top) || ctx_send_fd(sock, watch) ||
	    write(sock, &took, sizeof(took)) != sizeof(took))
		_exit(3);
	close(top);
	_exit(crowd_told(&c) ? 0 : 4);
}

static bool stranger_start(struct stranger *s, int dev, int nr, enum crowd_place place,
			   uid_t uid)
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return false;
	s->pid = ctx_fork();
	if (!s->pid)
		stranger_run(dev, nr, place, uid, sock[1]);
	close(sock[1]);
	s->sock = sock[0];
	s->fd = ctx_recv_fd(s->sock);
	s->watch = ctx_recv_fd(s->sock);
	return s->fd >= 0 && s->watch >= 0 &&
	       read(s->sock, &s->took, sizeof(s->took)) == sizeof(s->took);
}

/* Returns 0 where all of the crowd was told in the end. */
static int stranger_end(struct stranger *s)
{
	close(s->watch);
	close(s->sock);
	return race_reap(s->pid);
}

/* What ends the descriptor. Each returns how long that took, or 0 where it failed. */

static __u64 by_close(int fd)
{
	__u64 start = ctx_clock(CLOCK_MONOTONIC);

	close(fd);
	return ctx_clock(CLOCK_MONOTONIC) - start;
}

static __u64 by_dup2(int fd)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	__u64 start = ctx_clock(CLOCK_MONOTONIC);

	dup2(null, fd);
	start = ctx_clock(CLOCK_MONOTONIC) - start;
	close(null);
	close(fd);
	return start;
}

/* A message that nobody has received goes with the socket. */
static __u64 by_purge(int fd)
{
	__u64 start;
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, sock) || ctx_send_fd(sock[0], fd))
		return 0;
	close(fd);
	start = ctx_clock(CLOCK_MONOTONIC);
	close(sock[1]);
	start = ctx_clock(CLOCK_MONOTONIC) - start;
	close(sock[0]);
	return start;
}

static __u64 end_holder(int fd, uid_t uid, int signo)
{
	pid_t pid = ctx_fork();
	__u64 start;

	if (!pid) {
		if (be_user(uid))
			_exit(1);
		signal(SIGTERM, _exit);
		for (;;)
			pause();
	}
	close(fd);
	if (ctx_wait_in_syscall(pid, pid, SYS_pause))
		return 0;
	start = ctx_clock(CLOCK_MONOTONIC);
	kill(pid, signo);
	if (race_reap(pid) != (signo == SIGKILL ? 128 + SIGKILL : SIGTERM))
		return 0;
	return ctx_clock(CLOCK_MONOTONIC) - start;
}

static __u64 by_kill(int fd)
{
	return end_holder(fd, USER_B, SIGKILL);
}

static __u64 by_exit(int fd)
{
	return end_holder(fd, USER_B, SIGTERM);
}

/* The maker himself */
static __u64 by_kill_of_the_user(int fd)
{
	return end_holder(fd, USER_A, SIGKILL);
}

static __u64 by_exit_of_the_user(int fd)
{
	return end_holder(fd, USER_A, SIGTERM);
}

/* Only a socket that only its own message holds still holds @fd. */
static bool litter(int fd)
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, sock) || ctx_send_fd(sock[0], fd) ||
	    ctx_send_fd(sock[0], sock[1]))
		return false;
	close(fd);
	close(sock[1]);
	close(sock[0]);
	return true;
}

/* The collector runs when a socket is closed. */
static bool collect(void)
{
	int sock[2];

	return !socketpair(AF_UNIX, SOCK_DGRAM, 0, sock) && !close(sock[0]) && !close(sock[1]);
}

/* How long it takes until the end of a pipe that is litter is seen, or 0 */
static __u64 pipe_collected(void)
{
	__u64 start = ctx_clock(CLOCK_MONOTONIC);
	int ends[2];
	char byte;

	if (pipe(ends) || !litter(ends[1]) || !collect() || read(ends[0], &byte, 1))
		return 0;
	close(ends[0]);
	return ctx_clock(CLOCK_MONOTONIC) - start;
}

/*
 * The collector ends what it finds on a queue that all of the kernel shares. So the time
 * counts by which a pipe of somebody else is collected later, and the time in the calls.
 */
static __u64 by_collection(int fd)
{
	__u64 alone = pipe_collected(), took, later;
	int watch = ctx_watch(fd, 0);

	took = ctx_clock(CLOCK_MONOTONIC);
	if (!litter(fd) || !collect())
		return 0;
	took = ctx_clock(CLOCK_MONOTONIC) - took;
	/* What is cancelled is told first. */
	if (!alone || !(ctx_poll(watch, CTX_WAIT_MS) & POLLIN))
		return 0;
	later = pipe_collected();
	close(watch);
	if (!later)
		return 0;
	return took + (later > alone ? later - alone : 0);
}

/*
 * How long an empty work of somebody else takes on the processor @cpu, or 0: the callback of
 * the sample module starts one there and waits for it, in the call that cancels.
 */
static __u64 empty_work_on(int dev, int cpu)
{
	int sample = open("/dev/ctx-sample", O_RDWR | O_CLOEXEC), fd = ctx_new(dev);
	bool done = !stay_on(cpu) && !ioctl(sample, CTX_SAMPLE_SET_CTX, fd);
	__u64 took = ctx_clock(CLOCK_MONOTONIC);

	done = done && !ctx_cancel(fd, CAUSE, NULL);
	took = ctx_clock(CLOCK_MONOTONIC) - took;
	close(fd);
	close(sample);
	return done ? took : 0;
}

/* The longest of all processors */
static __u64 empty_works(int dev)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), cpu;
	__u64 took, most = 0;

	for (cpu = 0; cpu < cpus; cpu++) {
		took = empty_work_on(dev, cpu);
		if (!took)
			return 0;
		most = took > most ? took : most;
	}
	return most;
}

/* The same of a work of somebody else, on each processor */
static __u64 by_collection_beside_works(int fd)
{
	int dev = ctx_background(), watch = ctx_watch(fd, 0);
	__u64 alone = empty_works(dev), later;

	if (!alone || !litter(fd) || !collect() || !(ctx_poll(watch, CTX_WAIT_MS) & POLLIN))
		return 0;
	later = empty_works(dev);
	close(watch);
	close(dev);
	if (!later)
		return 0;
	return later > alone ? later - alone : 1;
}

static void end_of_a_strangers_descriptor(struct __test_metadata *_metadata,
					  FIXTURE_DATA(fair) *self, enum crowd_place place,
					  __u64 (*end)(int fd))
{
	struct best best = BEST;
	struct stranger s;
	bool good = false;
	__u64 took;
	int i;

	for (i = 0; i < ATTEMPTS && !good; i++) {
		ASSERT_TRUE(stranger_start(&s, self->dev, self->nr, place, USER_A));
		took = end(s.fd);
		ASSERT_LT(0, took);
		/* It is cancelled at once, or as soon as a collector has come by. */
		EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(s.watch, CTX_WAIT_MS));
		check_cancelled(s.watch, ECANCELED, EOWNERDEAD, ctx_id(s.watch));
		EXPECT_EQ(0, stranger_end(&s));
		TH_LOG("it took %llu us, and a cancellation %llu us", took / 1000,
		       s.took / 1000);
		good = best_add(&best, took, s.took);
	}
	EXPECT_TRUE(good);
}

#define TEST_END(how)							\
	TEST_F_TIMEOUT(fair, the_end_of_a_strangers_descriptor_ ## how ## _is_short, 300)\
	{								\
		end_of_a_strangers_descriptor(_metadata, self, BELOW, how);\
	}

TEST_END(by_close)
TEST_END(by_dup2)
TEST_END(by_purge)
TEST_END(by_kill)
TEST_END(by_exit)
TEST_END(by_kill_of_the_user)
TEST_END(by_exit_of_the_user)
TEST_END(by_collection)

/* All processors, one after the other: the caller goes to each. */
static void beside_works(struct __test_metadata *_metadata, FIXTURE_DATA(fair) *self,
			 void (*attack)(struct __test_metadata *_metadata,
					FIXTURE_DATA(fair) *self))
{
	char *none = load_sample();
	cpu_set_t all;

	if (none)
		SKIP(return, "there is no sample module: %s", none);
	sched_getaffinity(0, sizeof(all), &all);
	attack(_metadata, self);
	sched_setaffinity(0, sizeof(all), &all);
	EXPECT_EQ(0, unload_sample());
}

static void collection_beside_works(struct __test_metadata *_metadata, FIXTURE_DATA(fair) *self)
{
	end_of_a_strangers_descriptor(_metadata, self, BELOW, by_collection_beside_works);
}

TEST_F_TIMEOUT(fair, a_strangers_descriptor_that_is_collected_delays_no_empty_work, 300)
{
	beside_works(_metadata, self, collection_beside_works);
}

TEST_F_TIMEOUT(fair, the_end_of_a_strangers_context_with_many_waiters_is_short_by_close, 300)
{
	end_of_a_strangers_descriptor(_metadata, self, AT, by_close);
}

TEST_F_TIMEOUT(fair, the_end_of_a_strangers_context_with_many_waiters_is_short_by_kill, 300)
{
	end_of_a_strangers_descriptor(_metadata, self, AT, by_kill);
}

TEST_F_TIMEOUT(fair, the_end_of_a_strangers_context_with_many_waiters_is_short_by_collection, 300)
{
	end_of_a_strangers_descriptor(_metadata, self, AT, by_collection);
}

/* A call that is under way when its process is killed: the rest is told without it. */
static void killed_while_he_cancels(struct __test_metadata *_metadata, FIXTURE_DATA(fair) *self,
				    enum crowd_place place)
{
	struct best best = BEST;
	bool good = false;
	struct stranger s;
	__u64 took;
	pid_t pid;
	int i;

	for (i = 0; i < ATTEMPTS && !good; i++) {
		ASSERT_TRUE(stranger_start(&s, self->dev, self->nr, place, USER_A));
		pid = ctx_fork();
		if (!pid) {
			ctx_cancel(s.fd, CAUSE, NULL);
			for (;;)
				pause();
		}
		/* What was cancelled is told first, and all the others after that. */
		EXPECT_EQ(POLLIN | POLLRDNORM, ctx_poll(s.watch, CTX_WAIT_MS));
		took = ctx_clock(CLOCK_MONOTONIC);
		kill(pid, SIGKILL);
		EXPECT_EQ(128 + SIGKILL, race_reap(pid));
		took = ctx_clock(CLOCK_MONOTONIC) - took;
		close(s.fd);
		EXPECT_EQ(0, stranger_end(&s));
		TH_LOG("it was gone after %llu us, and a cancellation takes %llu us", took / 1000,
		       s.took / 1000);
		good = best_add(&best, took, s.took);
	}
	EXPECT_TRUE(good);
}

TEST_F_TIMEOUT(fair, who_is_killed_while_he_cancels_is_gone_soon, 300)
{
	killed_while_he_cancels(_metadata, self, BELOW);
}

TEST_F_TIMEOUT(fair, who_is_killed_while_he_wakes_many_waiters_leaves_none_waiting, 300)
{
	killed_while_he_cancels(_metadata, self, AT);
}

/*
 * Deadlines
 *
 * Many deadlines of one user at one instant, each over the whole of a crowd: there is
 * a chain, and the crowd below it. More than any queue of the kernel has workers.
 */
#define CHAIN		400

struct attack {
	pid_t	pid;
	int	sock;
	__u64	when;
};

static __u64 attack_prepare(int dev, int nr, uid_t uid, struct crowd *c)
{
	int chain[CHAIN], i;
	__u64 when;

	if (be_user(uid) || setpriority(PRIO_PROCESS, 0, 19))
		_exit(1);
	for (i = 0; i < CHAIN; i++)
		chain[i] = ctx_new_with_background(dev, i ? chain[i - 1] : dev);
	if (!crowd_plant(c, dev, chain[CHAIN - 1], nr, FAR_BELOW))
		_exit(2);
	when = ctx_clock(CLOCK_MONOTONIC) + NSEC_PER_SEC;
	for (i = 0; i < CHAIN; i++)
		if (ctx_set_deadline(chain[i], CLOCK_MONOTONIC, when))
			_exit(3);
	return when;
}

static void attack_tell(int sock, __u64 when)
{
	if (write(sock, &when, sizeof(when)) != sizeof(when))
		_exit(4);
}

static void attack_look_on(struct crowd *c, int sock)
{
	if (!crowd_told(c))
		_exit(5);
	attack_tell(sock, ctx_clock(CLOCK_MONOTONIC));
	_exit(0);
}

static void attack_run(int dev, int nr, uid_t uid, int sock)
{
	struct crowd c;

	attack_tell(sock, attack_prepare(dev, nr, uid, &c));
	attack_look_on(&c, sock);
}

/*
 * The same from processor 0, and what little he is let do he does there, too: deadlines
 * again. Somebody else looks on for him.
 */
static void attack_run_in_cgroup(int dev, int nr, uid_t uid, int sock)
{
	struct crowd c;
	__u64 when;
	pid_t pid;

	if (stay_on(0))
		_exit(1);
	when = attack_prepare(dev, nr, uid, &c);
	pid = ctx_fork();
	if (!pid) {
		if (stay_on(1))
			_exit(1);
		attack_look_on(&c, sock);
	}
	attack_tell(sock, when);
	while (!waitpid(pid, NULL, WNOHANG))
		close(ctx_new_deadline(dev, CLOCK_MONOTONIC, when));
	_exit(0);
}

/* It strikes at @a->when. */
static bool attack_start(struct attack *a, int dev, int nr, uid_t uid,
			 void (*run)(int dev, int nr, uid_t uid, int sock))
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return false;
	a->pid = ctx_fork();
	if (!a->pid)
		run(dev, nr, uid, sock[1]);
	close(sock[1]);
	a->sock = sock[0];
	return read(a->sock, &a->when, sizeof(a->when)) == sizeof(a->when);
}

/* How long it took until all were told, once that is so; 0 before. */
static __u64 attack_over(struct attack *a)
{
	__u64 over;

	if (recv(a->sock, &over, sizeof(over), MSG_DONTWAIT) != sizeof(over))
		return 0;
	return over - a->when;
}

static int attack_end(struct attack *a)
{
	close(a->sock);
	return race_reap(a->pid);
}

static void sleep_till(__u64 when)
{
	struct timespec ts = {
		.tv_sec = when / NSEC_PER_SEC,
		.tv_nsec = when % NSEC_PER_SEC,
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* How late are those told that wait for a deadline? Each returns that. */

static __u64 late_for_a_waiter(int dev)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + 5 * NSEC_PER_MSEC;
	int fd = ctx_new_deadline(dev, CLOCK_MONOTONIC, when);

	ctx_poll(fd, CTX_WAIT_MS);
	when = ctx_clock(CLOCK_MONOTONIC) - when;
	close(fd);
	return when;
}

static __u64 late_for_a_waiter_below(int dev)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + 5 * NSEC_PER_MSEC;
	int fd = ctx_new_deadline(dev, CLOCK_MONOTONIC, when), child = ctx_new(fd);

	ctx_poll(child, CTX_WAIT_MS);
	when = ctx_clock(CLOCK_MONOTONIC) - when;
	close(child);
	close(fd);
	return when;
}

/* Over a further edge, below a chain */
static __u64 late_for_a_waiter_far_below(int dev)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + 10 * NSEC_PER_MSEC;
	int fd = ctx_new_deadline(dev, CLOCK_MONOTONIC, when), chain[40], i;

	for (i = 0; i < 40; i++)
		chain[i] = i == 20 ? ctx_new_merged2(dev, chain[19]) :
				     ctx_new(i ? chain[i - 1] : fd);
	ctx_poll(chain[39], CTX_WAIT_MS);
	when = ctx_clock(CLOCK_MONOTONIC) - when;
	close_all(chain, 40);
	close(fd);
	return when;
}

static __u64 late_for_a_signal(int dev)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + 5 * NSEC_PER_MSEC;
	int fd = ctx_new_deadline(dev, CLOCK_MONOTONIC, when);
	struct timespec limit = { .tv_sec = CTX_WAIT_MS / 1000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, O_ASYNC);
	sigtimedwait(&set, NULL, &limit);
	when = ctx_clock(CLOCK_MONOTONIC) - when;
	close(fd);
	return when;
}

static __u64 late_for_a_mapped_word(int dev)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + 5 * NSEC_PER_MSEC;
	int fd = ctx_new_deadline(dev, CLOCK_MONOTONIC, when);
	const struct ctx_status *status = ctx_map(fd);

	sleep_till(when);
	while (!ctx_mapped_err(status) &&
	       ctx_clock(CLOCK_MONOTONIC) < when + CTX_WAIT_MS * NSEC_PER_MSEC)
		usleep(100);
	when = ctx_clock(CLOCK_MONOTONIC) - when;
	ctx_unmap(status);
	close(fd);
	return when;
}

/* A context that has more to tell than its deadline's timer may look at. */
static __u64 late_for_who_asks(int dev)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + 10 * NSEC_PER_MSEC;
	int chain[40], i;

	for (i = 0; i < 40; i++)
		chain[i] = ctx_new(i ? chain[i - 1] : dev);
	ctx_set_deadline(chain[38], CLOCK_MONOTONIC, when);
	sleep_till(when);
	while (!ctx_poll(chain[39], 0) &&
	       ctx_clock(CLOCK_MONOTONIC) < when + CTX_WAIT_MS * NSEC_PER_MSEC)
		usleep(100);
	when = ctx_clock(CLOCK_MONOTONIC) - when;
	close_all(chain, 40);
	return when;
}

/* A deadline that strikes while it is moved: the call does not wait for all to be told. */
static __u64 late_for_who_moves_it(int dev)
{
	__u64 when = ctx_clock(CLOCK_MONOTONIC) + 5 * NSEC_PER_MSEC;
	int fd = ctx_new_deadline(dev, CLOCK_MONOTONIC, when);
	const struct ctx_status *status = ctx_map(fd);

	sleep_till(when + NSEC_PER_MSEC);
	ctx_set_timeout(fd, HOUR);
	when = ctx_clock(CLOCK_MONOTONIC) - when;
	ctx_unmap(status);
	close(fd);
	return when;
}

static void late_while(struct __test_metadata *_metadata, FIXTURE_DATA(fair) *self,
		       void (*attack)(int dev, int nr, uid_t uid, int sock),
		       __u64 (*late)(int dev))
{
	struct best best = BEST;
	__u64 most, one, took;
	struct attack a;
	bool good = false;
	int i;

	for (i = 0; i < ATTEMPTS && !good; i++) {
		ASSERT_TRUE(attack_start(&a, self->dev, self->nr, USER_A, attack));
		sleep_till(a.when);
		for (most = 0; !(took = attack_over(&a));) {
			one = late(self->dev);
			most = one > most ? one : most;
			ASSERT_GT(CTX_WAIT_MS * NSEC_PER_MSEC, one);
		}
		EXPECT_EQ(0, attack_end(&a));
		TH_LOG("at most %llu us late, while a crowd was told in %llu us", most / 1000,
		       took / 1000);
		good = best_add(&best, most, took);
	}
	EXPECT_TRUE(good);
}

static void late_meanwhile(struct __test_metadata *_metadata, FIXTURE_DATA(fair) *self,
			   __u64 (*late)(int dev))
{
	late_while(_metadata, self, attack_run, late);
}

#define TEST_LATE(whom)							\
	TEST_F_TIMEOUT(fair, deadlines_of_a_stranger_make_none_ ## whom, 300)\
	{								\
		late_meanwhile(_metadata, self, whom);			\
	}

TEST_LATE(late_for_a_waiter)
TEST_LATE(late_for_a_waiter_below)
TEST_LATE(late_for_a_waiter_far_below)
TEST_LATE(late_for_a_signal)
TEST_LATE(late_for_a_mapped_word)
TEST_LATE(late_for_who_asks)
TEST_LATE(late_for_who_moves_it)

/*
 * Few contexts, each of which many epoll sets wait for, with more sets waiting for those: what
 * counts in a turn as a waiter takes as long to wake as many do.
 */
#define HUBS		64
#define BEHIND		50
#define HUBBED		600

static void attack_run_by_hubs(int dev, int nr, uid_t uid, int sock)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd[HUBBED], ep[HUBS], i, k;
	struct crowd c = { .nr = HUBBED };
	__u64 when;

	(void)nr;
	if (be_user(uid))
		_exit(1);
	for (k = 0; k < HUBS; k++) {
		ep[k] = epoll_create1(EPOLL_CLOEXEC);
		for (i = 0; i < BEHIND; i++)
			if (epoll_ctl(epoll_create1(EPOLL_CLOEXEC), EPOLL_CTL_ADD, ep[k], &event))
				_exit(2);
	}
	c.ep[0] = ep[0];
	for (i = 0; i < HUBBED; i++) {
		fd[i] = ctx_new_detached(dev);
		event.data.u32 = i;
		/* By a descriptor each, for which the kernel counts the ways to sets */
		for (k = 0; k < HUBS; k++)
			if (epoll_ctl(ep[k], EPOLL_CTL_ADD, ctx_watch(fd[i], 0), &event))
				_exit(3);
	}
	when = ctx_clock(CLOCK_MONOTONIC) + NSEC_PER_SEC;
	for (i = 0; i < HUBBED; i++)
		ctx_set_deadline(fd[i], CLOCK_MONOTONIC, when);
	attack_tell(sock, when);
	attack_look_on(&c, sock);
}

TEST_F_TIMEOUT(fair, deadlines_for_which_sets_of_sets_wait_make_none_late_for_a_signal, 300)
{
	late_while(_metadata, self, attack_run_by_hubs, late_for_a_signal);
}

static void deadlines_beside_works(struct __test_metadata *_metadata, FIXTURE_DATA(fair) *self)
{
	late_meanwhile(_metadata, self, empty_works);
}

TEST_F_TIMEOUT(fair, deadlines_of_a_stranger_delay_no_empty_work, 300)
{
	beside_works(_metadata, self, deadlines_beside_works);
}

/*
 * The processors of all unbound work of the kernel: so that its share can be compared
 * with that of a thread on the same processor.
 */
#define WORK_CPUS	"/sys/devices/virtual/workqueue"

/* As one can write it back; false where it cannot be read. */
static bool work_cpus(char *mask, size_t size)
{
	int fd = open(WORK_CPUS "/cpumask", O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, mask, size - 1);

	close(fd);
	mask[len > 0 ? len : 0] = '\0';
	return len > 0;
}

static double share_meanwhile(struct attack *a)
{
	__u64 cpu, wall, over;

	sleep_till(a->when);
	cpu = ctx_clock(CLOCK_THREAD_CPUTIME_ID);
	wall = ctx_clock(CLOCK_MONOTONIC);
	while (!(over = attack_over(a)))
		spin(10000);
	cpu = ctx_clock(CLOCK_THREAD_CPUTIME_ID) - cpu;
	wall = ctx_clock(CLOCK_MONOTONIC) - wall;
	return (double)cpu / wall;
}

/* Half, where there is one work at a time that has no priority. */
TEST_F_TIMEOUT(fair, a_task_keeps_its_share_of_the_processor_while_deadlines_are_told, 300)
{
	struct attack a;
	double share = 0;
	char all[512];
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs a second processor");
	if (access(WORK_CPUS "/cpumask", W_OK))
		SKIP(return, "needs the privilege to choose the processor of unbound work");
	ASSERT_TRUE(work_cpus(all, sizeof(all)));
	for (i = 0; i < ATTEMPTS && share < 0.4; i++) {
		/* The attacker looks on from another processor. */
		ASSERT_EQ(0, stay_on(1));
		ASSERT_TRUE(attack_start(&a, self->dev, self->nr, USER_A, attack_run));
		ASSERT_EQ(0, stay_on(0));
		ASSERT_EQ(0, ctx_write_file(WORK_CPUS, "cpumask", "1"));
		share = share_meanwhile(&a);
		EXPECT_EQ(0, ctx_write_file(WORK_CPUS, "cpumask", all));
		EXPECT_EQ(0, attack_end(&a));
		TH_LOG("it had %d percent of the processor", (int)(100 * share));
	}
	EXPECT_LE(0.4, share);
}

/*
 * Nor can the attacker be told by his own share of the processor: he has next to none, and
 * the kernel works for him.
 */
TEST_F_TIMEOUT(fair, an_attacker_who_may_have_1_percent_leaves_a_task_its_half, 300)
{
	struct cpu_cgroup cg;
	const char *none;
	struct attack a;
	double share = 0;
	char all[512];
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs a second processor");
	if (access(WORK_CPUS "/cpumask", W_OK))
		SKIP(return, "needs the privilege to choose the processor of unbound work");
	none = cpu_cgroup_make(&cg, "1000 100000");
	if (none) {
		cpu_cgroup_free(&cg);
		SKIP(return, "%s", none);
	}
	ASSERT_TRUE(work_cpus(all, sizeof(all)));
	ASSERT_EQ(0, stay_on(0));
	for (i = 0; i < ATTEMPTS && share < 0.45; i++) {
		ASSERT_TRUE(attack_start(&a, self->dev, self->nr, USER_A, attack_run_in_cgroup));
		ASSERT_EQ(0, cpu_cgroup_add(&cg, a.pid));
		ASSERT_EQ(0, ctx_write_file(WORK_CPUS, "cpumask", "1"));
		share = share_meanwhile(&a);
		EXPECT_EQ(0, ctx_write_file(WORK_CPUS, "cpumask", all));
		EXPECT_LT(0, cpu_cgroup_throttled(&cg));
		/* To end as fast as others do. */
		EXPECT_EQ(0, cpu_cgroup_remove(&cg, a.pid));
		EXPECT_EQ(0, attack_end(&a));
		TH_LOG("it had %d percent of the processor", (int)(100 * share));
	}
	EXPECT_LE(0.45, share);
	cpu_cgroup_free(&cg);
}

/* Many timers that expire at one instant: they do not keep a processor until the last. */
TEST_F_TIMEOUT(fair, deadlines_at_one_instant_do_not_stall_a_processor, 300)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), i, n;
	__u64 when, took, ahead = NSEC_PER_SEC;
	struct best best = BEST;
	bool good = false, set;
	struct pacer pacer;
	struct crowd c;

	for (i = 0; i < ATTEMPTS && !good; i++) {
		ASSERT_EQ(0, stay_on(0));
		ASSERT_TRUE(crowd_plant(&c, self->dev, self->dev, self->nr, MANY));
		when = ctx_clock(CLOCK_MONOTONIC) + ahead;
		for (n = 0; n < c.nr; n++)
			ctx_set_deadline(c.fd[n], CLOCK_MONOTONIC, when);
		set = ctx_clock(CLOCK_MONOTONIC) < when;
		ASSERT_TRUE(pacer_start(&pacer, 0));
		ASSERT_EQ(0, stay_on(cpus > 1));
		sleep_till(when);
		EXPECT_TRUE(crowd_told(&c));
		took = ctx_clock(CLOCK_MONOTONIC) - when;
		pacer_gap(&pacer);
		for (n = 0; n < c.nr && _metadata->passed; n += 97)
			check_cancelled(c.fd[n], ETIMEDOUT, ETIMEDOUT, ctx_id(c.fd[n]));
		crowd_close(&c);
		TH_LOG("%d deadlines took %llu us, the greatest gap was %llu us", c.nr,
		       took / 1000, pacer.gap / 1000);
		good = best_add(&best, set ? pacer.gap : took, took);
		ahead *= set ? 1 : 4;
	}
	EXPECT_TRUE(good);
}

/*
 * Chains each context of which has a deadline, and each of which two descriptors hold: one of
 * its end and one of its root. From the end up they pass one nanosecond apart, so that each
 * has to look up the whole way; the root is told last.
 */
#define FEW_CHAINS	8
#define FEW_DEEP	1000

struct timed_chain {
	int	root;
	int	end;
};

static bool timed_chain_plant(struct timed_chain *chain, int dev, __u64 when)
{
	int last = dev, next, i;

	for (i = 0; i < FEW_DEEP; i++) {
		next = ctx_create(last, &(struct ctx_create_args){
			.flags = CTX_CREATE_DETACHED,
			.clockid = CLOCK_MONOTONIC,
			.deadline = when + FEW_DEEP - i,
		});
		if (next < 0)
			return false;
		if (i > 1)
			close(last);
		if (!i)
			chain->root = next;
		last = next;
	}
	chain->end = last;
	return true;
}

static bool timed_chain_struck(struct timed_chain *chain)
{
	struct ctx_info root, end;
	bool both = ctx_poll(chain->root, CTX_WAIT_MS) & POLLIN &&
		    !ctx_info(chain->root, &root) && !ctx_info(chain->end, &end) &&
		    root.err == ETIMEDOUT && end.origin_id == end.id;

	close(chain->end);
	close(chain->root);
	return both;
}

TEST_F_TIMEOUT(fair, deadlines_by_few_descriptors_do_not_stall_a_processor, 300)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), i, n;
	struct timed_chain chain[FEW_CHAINS];
	__u64 when, took, ahead = NSEC_PER_SEC;
	struct best best = BEST;
	bool good = false, set;
	struct pacer pacer;

	for (i = 0; i < ATTEMPTS && !good; i++) {
		ASSERT_EQ(0, stay_on(0));
		when = ctx_clock(CLOCK_MONOTONIC) + ahead;
		for (n = 0; n < FEW_CHAINS; n++)
			ASSERT_TRUE(timed_chain_plant(&chain[n], self->dev, when));
		set = ctx_clock(CLOCK_MONOTONIC) < when;
		ASSERT_TRUE(pacer_start(&pacer, 0));
		ASSERT_EQ(0, stay_on(cpus > 1));
		for (n = 0; n < FEW_CHAINS; n++)
			EXPECT_TRUE(timed_chain_struck(&chain[n]));
		took = ctx_clock(CLOCK_MONOTONIC) - when;
		pacer_gap(&pacer);
		TH_LOG("%d deadlines by %d descriptors took %llu us, the greatest gap was %llu us",
		       FEW_CHAINS * FEW_DEEP, 2 * FEW_CHAINS, took / 1000, pacer.gap / 1000);
		good = best_add(&best, set ? pacer.gap : took, took);
		ahead *= set ? 1 : 4;
	}
	EXPECT_TRUE(good);
}

/* Who runs in the middle of a walk, and adds to what it has not reached */

struct feeder {
	int	parent;
	int	fd;
	bool	alive;
};

static void feed(void *data)
{
	struct feeder *f = data;

	f->fd = ctx_new_detached(f->parent);
	f->alive = !ctx_poll(f->fd, 0);
}

/* @far: over two edges and a child */
static void cannot_be_fed(struct __test_metadata *_metadata, FIXTURE_DATA(fair) *self, bool far)
{
	int top = ctx_new(self->dev), below = ctx_new_merged2(self->dev, top), child = -1, i;
	struct feeder feeder = { .parent = below };
	struct intruder in;
	int crowd[CROWD_LEAST];
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (far) {
		child = ctx_new_detached(below);
		feeder.parent = ctx_new_merged2(self->dev, child);
	}
	/* The walk takes a moment to come to the edge. */
	ASSERT_EQ(CROWD_LEAST, fill(top, crowd, CROWD_LEAST));
	for (i = 0; i < CROWD_LEAST; i++)
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, crowd[i], &event));
	ASSERT_TRUE(intruder_start(&in, top, feed, &feeder));
	EXPECT_EQ(0, ctx_cancel(top, CAUSE, NULL));
	ASSERT_TRUE(intruder_join(&in));
	EXPECT_FALSE(feeder.alive);
	check_cancelled(feeder.fd, ECANCELED, CAUSE, ctx_id(top));
	check_cancelled(feeder.parent, ECANCELED, CAUSE, ctx_id(top));
	close_all(crowd, CROWD_LEAST);
	close(feeder.fd);
	if (far)
		close(feeder.parent);
	close(child);
	close(below);
	close(top);
	close(ep);
}

TEST_F_TIMEOUT(fair, a_walk_cannot_be_fed_below_an_edge_that_it_has_not_reached, 120)
{
	cannot_be_fed(_metadata, self, false);
}

TEST_F_TIMEOUT(fair, a_walk_cannot_be_fed_far_below_an_edge_that_it_has_not_reached, 120)
{
	cannot_be_fed(_metadata, self, true);
}

TEST_HARNESS_MAIN
