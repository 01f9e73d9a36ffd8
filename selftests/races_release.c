// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of descriptors, by close, exit, SIGKILL or with the socket on which
 * they travel, against everything that happens at the same time.
 */
#include "ctx_selftest.h"
#include "race.h"

#define CAUSE		80

FIXTURE(release) {
	int		dev;
	int		fd;		/* a root, writable */
	int		watch;		/* of the same */
	struct race	race;
};

FIXTURE_SETUP(release)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(release)
{
	close(self->dev);
}

/* A new root for the next round. */
static bool open_root(FIXTURE_DATA(release) *self)
{
	self->fd = ctx_new(self->dev);
	self->watch = ctx_watch(self->fd, CTX_CLOEXEC);
	return self->watch >= 0;
}

/* What two racers do to one or two descriptors. */
struct pair {
	int first, second;
	int first_ret, second_ret;
	int first_errno;
};

static void first_close(void *data)
{
	struct pair *p = data;

	p->first_ret = close(p->first);
}

static void second_close(void *data)
{
	struct pair *p = data;

	p->second_ret = close(p->second);
}

static void first_cancel(void *data)
{
	struct pair *p = data;

	p->first_ret = ctx_cancel(p->first, CAUSE, NULL);
	p->first_errno = errno;
}

static void first_create(void *data)
{
	struct pair *p = data;

	p->first_ret = ctx_new(p->first);
}

/*
 * The call holds the file that it works on, so that the release is either over
 * before the descriptor was looked up or comes after the cancellation.
 */
TEST_F_TIMEOUT(release, cancel_against_the_close_of_its_descriptor, 300)
{
	struct pair p;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &p, first_cancel, second_close));
	for (i = 0; i < rounds(1000); i++) {
		ASSERT_TRUE(open_root(self));
		p = (struct pair){ .first = self->fd, .second = self->fd };
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(0, p.second_ret);
		if (p.first_ret) {
			ASSERT_EQ(-1, p.first_ret);
			ASSERT_EQ(EBADF, p.first_errno);
		}
		check_cancelled(self->watch, ECANCELED, p.first_ret ? EOWNERDEAD : CAUSE,
				ctx_id(self->watch));
		ASSERT_TRUE(_metadata->passed);
		close(self->watch);
	}
	race_stop(&self->race);
}

TEST_F_TIMEOUT(release, close_against_close_of_a_duplicate, 300)
{
	struct pair p;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &p, first_close, second_close));
	for (i = 0; i < rounds(1000); i++) {
		ASSERT_TRUE(open_root(self));
		p = (struct pair){ .first = self->fd, .second = dup(self->fd) };
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_EQ(0, p.first_ret);
		ASSERT_EQ(0, p.second_ret);
		check_cancelled(self->watch, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
		ASSERT_TRUE(_metadata->passed);
		close(self->watch);
	}
	race_stop(&self->race);
}

/* The watch goes at the same time, and with it what there was to be told. */
TEST_F_TIMEOUT(release, close_against_close_of_a_watch, 300)
{
	struct pair p;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &p, first_close, second_close));
	for (i = 0; i < rounds(1000); i++) {
		int child;

		ASSERT_TRUE(open_root(self));
		p = (struct pair){ .first = self->fd, .second = self->watch };
		child = i % 2 ? ctx_new(self->watch) : -1;
		ASSERT_TRUE(race_round(&self->race));
		if (child >= 0) {
			check_info(child, cause, EOWNERDEAD);
			close(child);
		}
		ASSERT_TRUE(_metadata->passed);
	}
	race_stop(&self->race);
}

TEST_F_TIMEOUT(release, close_of_ancestor_against_close_of_descendant, 300)
{
	struct pair p;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &p, first_close, second_close));
	for (i = 0; i < rounds(800); i++) {
		struct ctx_info middle_info;
		int middle, middle_watch, leaf;
		__u64 root_id, middle_id;

		ASSERT_TRUE(open_root(self));
		middle = ctx_new(self->fd);
		middle_watch = ctx_watch(middle, 0);
		leaf = ctx_new(middle);
		root_id = ctx_id(self->fd);
		middle_id = ctx_id(middle);
		p = (struct pair){ .first = self->fd, .second = middle };
		ASSERT_TRUE(race_round(&self->race));
		check_cancelled(self->watch, ECANCELED, EOWNERDEAD, root_id);
		ASSERT_EQ(0, ctx_info(middle_watch, &middle_info));
		ASSERT_TRUE(middle_info.origin_id == root_id ||
			    middle_info.origin_id == middle_id);
		check_cancelled(leaf, ECANCELED, EOWNERDEAD, middle_info.origin_id);
		ASSERT_TRUE(_metadata->passed);
		close(leaf);
		close(middle_watch);
		close(self->watch);
	}
	race_stop(&self->race);
}

/* A watch can be a parent while the owner goes. */
TEST_F_TIMEOUT(release, child_created_on_a_watch_while_the_owner_closes, 300)
{
	struct pair p;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &p, first_create, second_close));
	for (i = 0; i < rounds(800); i++) {
		ASSERT_TRUE(open_root(self));
		p = (struct pair){ .first = self->watch, .second = self->fd };
		ASSERT_TRUE(race_round(&self->race));
		ASSERT_LE(0, p.first_ret);
		check_cancelled(p.first_ret, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
		ASSERT_TRUE(_metadata->passed);
		close(p.first_ret);
		close(self->watch);
	}
	race_stop(&self->race);
}

/* Both have the descriptor; who is last cannot be told, and must not matter. */
TEST_F_TIMEOUT(release, close_against_exit, 300)
{
	__u32 random = 99;
	unsigned int i;

	for (i = 0; i < rounds(120); i++) {
		struct gate *gate = gate_new();
		pid_t pid;

		ASSERT_TRUE(gate);
		ASSERT_TRUE(open_root(self));
		pid = ctx_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			__u32 other = i + 1;

			gate_pass(gate, &other);
			_exit(0);
		}
		ASSERT_TRUE(gate_open(gate, 1));
		/* An exit takes long, compared with a close. */
		spin_randomly(&random);
		spin_randomly(&random);
		ASSERT_EQ(0, close(self->fd));
		ASSERT_EQ(0, race_reap(pid));
		check_cancelled(self->watch, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
		ASSERT_TRUE(_metadata->passed);
		close(self->watch);
		gate_free(gate);
	}
}

/*
 * Many processes get the descriptor by fork and exit all at once. One of them
 * stays: while it does, the context is alive, and no longer.
 */
TEST_F_TIMEOUT(release, fork_storm_keeps_it_alive_until_the_last_exit, 300)
{
	unsigned int i, k;

	for (i = 0; i < rounds(12); i++) {
		struct gate *gate = gate_new();
		pid_t last, pid[6];

		ASSERT_TRUE(gate);
		ASSERT_TRUE(open_root(self));
		last = ctx_fork();
		ASSERT_LE(0, last);
		if (!last)
			for (;;)
				pause();
		for (k = 0; k < 6; k++) {
			__u32 random = 6 * i + k + 1;

			pid[k] = ctx_fork();
			ASSERT_LE(0, pid[k]);
			if (pid[k])
				continue;
			/* Two of it each, of which the second reaps the first. */
			pid[k] = ctx_fork();
			gate_pass(gate, &random);
			_exit(pid[k] > 0 ? race_reap(pid[k]) : pid[k] < 0);
		}
		close(self->fd);
		EXPECT_TRUE(gate_open(gate, 12));
		for (k = 0; k < 6; k++)
			EXPECT_EQ(0, race_reap(pid[k]));
		check_alive(self->watch);
		kill(last, SIGKILL);
		EXPECT_EQ(128 + SIGKILL, race_reap(last));
		check_cancelled(self->watch, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
		ASSERT_TRUE(_metadata->passed);
		close(self->watch);
		gate_free(gate);
	}
}

/* The threads of the victim: each is inside one of the calls nearly always. */

struct victim {
	struct gate	*gate;
	int		root;
	int		read_from;
};

/* Told to the one who kills once every thread has been through its loop. */
static void victim_is_ready(struct victim *v, unsigned int *turn)
{
	if (++*turn == 4)
		__atomic_add_fetch(&v->gate->ready, 1, __ATOMIC_ACQ_REL);
}

static void *victim_creates(void *arg)
{
	struct victim *v = arg;
	unsigned int turn = 0;
	int fd[16], i;

	for (;;) {
		for (i = 0; i < 16; i++)
			fd[i] = ctx_new(i % 4 ? fd[i - 1] : v->root);
		for (i = 0; i < 16; i++)
			close(fd[i]);
		victim_is_ready(v, &turn);
	}
	return NULL;
}

static void *victim_cancels(void *arg)
{
	struct victim *v = arg;
	unsigned int turn = 0;
	int fd[16], i;

	for (;;) {
		for (i = 0; i < 16; i++)
			fd[i] = ctx_new(i ? fd[i / 2] : v->root);
		ctx_cancel(fd[0], CAUSE, "from one that is killed");
		for (i = 0; i < 16; i++)
			close(fd[i]);
		victim_is_ready(v, &turn);
	}
	return NULL;
}

static void *victim_reads(void *arg)
{
	struct victim *v = arg;
	struct ctx_event event;

	__atomic_add_fetch(&v->gate->ready, 1, __ATOMIC_ACQ_REL);
	/* It sleeps until it is killed: nobody cancels this one before. */
	return read(v->read_from, &event, sizeof(event)) < 0 ? NULL : v;
}

static void victim_run(struct victim *v)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, victim_reads, v) ||
	    pthread_create(&thread, NULL, victim_creates, v))
		_exit(1);
	victim_cancels(v);
}

static void race_victim(struct __test_metadata *_metadata, FIXTURE_DATA(release) *self,
			int signal, unsigned int turns)
{
	__u32 random = 271828;
	unsigned int i;

	for (i = 0; i < rounds(turns); i++) {
		struct victim v = { .gate = gate_new() };
		int child;
		pid_t pid;

		ASSERT_TRUE(v.gate);
		ASSERT_TRUE(open_root(self));
		v.root = self->fd;
		v.read_from = child = ctx_new(self->fd);
		ASSERT_LE(0, child);
		pid = ctx_fork();
		ASSERT_LE(0, pid);
		if (!pid)
			victim_run(&v);
		close(child);
		close(self->fd);
		EXPECT_TRUE(gate_open(v.gate, 3));
		spin_randomly(&random);
		spin(race_random(&random) % 20000);
		kill(pid, signal);
		EXPECT_EQ(128 + signal, race_reap(pid));
		check_cancelled(self->watch, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
		check_info(self->watch, nr_children, 0);
		ASSERT_TRUE(_metadata->passed);
		close(self->watch);
		gate_free(v.gate);
	}
}

TEST_F_TIMEOUT(release, sigkill_of_a_process_inside_all_of_the_calls, 300)
{
	race_victim(_metadata, self, SIGKILL, 60);
}

TEST_F_TIMEOUT(release, end_by_a_signal_of_a_process_inside_all_of_the_calls, 300)
{
	race_victim(_metadata, self, SIGTERM, 40);
}

/*
 * The process that is killed is in the middle of the cancellation of a large
 * tree. All of it is cancelled when it is gone, and the waiters, here, are told soon.
 */
#define LARGE		400

TEST_F_TIMEOUT(release, sigkill_in_the_middle_of_a_cancel_loses_no_wakeup, 300)
{
	__u32 random = 577215;
	unsigned int i;

	for (i = 0; i < rounds(25); i++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLET }, all[LARGE];
		int ep = epoll_create1(EPOLL_CLOEXEC), fd[LARGE], n, woken;
		struct gate *gate = gate_new();
		pid_t pid;

		ASSERT_TRUE(gate);
		ASSERT_TRUE(open_root(self));
		for (n = 0; n < LARGE; n++) {
			fd[n] = ctx_new(n ? fd[n / 4] : self->watch);
			ASSERT_LE(0, fd[n]);
			ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd[n], &event));
		}
		pid = ctx_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			gate_pass(gate, &random);
			ctx_cancel(self->fd, CAUSE, NULL);
			pause();
		}
		close(self->fd);
		EXPECT_TRUE(gate_open(gate, 1));
		spin_randomly(&random);
		spin(race_random(&random) % 4000);
		kill(pid, SIGKILL);
		EXPECT_EQ(128 + SIGKILL, race_reap(pid));
		for (n = 0; n < LARGE; n++)
			ASSERT_TRUE(ctx_poll(fd[n], 0) & POLLIN);
		for (woken = 0; woken < LARGE; woken += n) {
			n = epoll_wait(ep, all, LARGE, CTX_WAIT_MS);
			ASSERT_LT(0, n);
		}
		for (n = 0; n < LARGE; n++)
			close(fd[n]);
		close(ep);
		close(self->watch);
		gate_free(gate);
	}
}

/* The descriptor is on its way through a socket. */

static void first_receive(void *data)
{
	struct pair *p = data;

	p->first_ret = ctx_recv_fd(p->first);
}

/* Either it was received, and is the owner's, or it went with the socket. */
TEST_F_TIMEOUT(release, receipt_against_the_close_of_the_socket, 300)
{
	struct pair p;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &p, first_receive, second_close));
	for (i = 0; i < rounds(500); i++) {
		int sock[2];

		ASSERT_TRUE(open_root(self));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sock));
		ASSERT_EQ(0, ctx_send_fd(sock[0], self->fd));
		close(self->fd);
		check_alive(self->watch);
		p = (struct pair){ .first = sock[1], .second = sock[1] };
		ASSERT_TRUE(race_round(&self->race));
		if (p.first_ret >= 0) {
			check_alive(self->watch);
			close(p.first_ret);
		}
		check_cancelled(self->watch, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
		ASSERT_TRUE(_metadata->passed);
		close(sock[0]);
		close(self->watch);
	}
	race_stop(&self->race);
}

static void first_send(void *data)
{
	struct pair *p = data;

	p->first_ret = ctx_send_fd(p->first_errno, p->first);
	close(p->first);
}

TEST_F_TIMEOUT(release, sending_against_the_close_of_the_other_end, 300)
{
	struct pair p;
	unsigned int i;

	ASSERT_TRUE(race_start(&self->race, &p, first_send, second_close));
	for (i = 0; i < rounds(500); i++) {
		int sock[2];

		ASSERT_TRUE(open_root(self));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
		p = (struct pair){ .first = self->fd, .first_errno = sock[0], .second = sock[1] };
		ASSERT_TRUE(race_round(&self->race));
		check_cancelled(self->watch, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
		ASSERT_TRUE(_metadata->passed);
		close(sock[0]);
		close(self->watch);
	}
	race_stop(&self->race);
}

/* A socket that holds itself in flight is found by the garbage collector alone. */
TEST_F_TIMEOUT(release, descriptor_in_a_cycle_of_sockets_is_collected, 300)
{
	unsigned int i;

	for (i = 0; i < rounds(20); i++) {
		int sock[2], other[2];

		ASSERT_TRUE(open_root(self));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sock));
		ASSERT_EQ(0, ctx_send_fd(sock[0], self->fd));
		ASSERT_EQ(0, ctx_send_fd(sock[0], sock[1]));
		close(self->fd);
		close(sock[1]);
		check_alive(self->watch);
		close(sock[0]);
		/* The collector runs when some socket is closed. */
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, other));
		close(other[0]);
		close(other[1]);
		check_becomes_cancelled(self->watch, ECANCELED, EOWNERDEAD, ctx_id(self->watch));
		ASSERT_TRUE(_metadata->passed);
		close(self->watch);
	}
}

TEST_HARNESS_MAIN
