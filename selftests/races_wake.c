// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiters that come while the context is cancelled, by whatever means they wait
 * and whatever cancels it. A wake-up that is lost shows as a wait that ends only
 * with its generous timeout, or as a racer that does not come back.
 */
#include "ctx_selftest.h"
#include "race.h"

#include <sys/select.h>

#define CAUSE		78

/* The ways to wait. Each says whether it was told of the cancellation. */

static bool wait_poll(int fd)
{
	return ctx_poll(fd, CTX_WAIT_MS) & POLLIN;
}

static bool wait_select(int fd)
{
	struct timeval timeout = { .tv_sec = CTX_WAIT_MS / 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &timeout) == 1;
}

static bool wait_read(int fd)
{
	struct ctx_event event = { };

	return read(fd, &event, sizeof(event)) == sizeof(event) && event.err;
}

static bool epoll_once(int fd, __u32 events, int nested)
{
	struct epoll_event event = { .events = events };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	bool ret;

	ret = !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	if (nested)
		ret = ret && epoll_once(ep, events, nested - 1);
	else
		ret = ret && epoll_wait(ep, &event, 1, CTX_WAIT_MS) == 1 &&
		      (event.events & EPOLLIN);
	close(ep);
	return ret;
}

static bool wait_epoll(int fd)
{
	return epoll_once(fd, EPOLLIN, 0);
}

static bool wait_epoll_edge(int fd)
{
	return epoll_once(fd, EPOLLIN | EPOLLET | EPOLLONESHOT, 0);
}

static bool wait_epoll_nested(int fd)
{
	return epoll_once(fd, EPOLLIN, 2);
}

/* A child of its own, made on the spot, is what it waits for. */
static bool wait_child(int fd)
{
	int child = ctx_new(fd);
	bool ret;

	ret = child >= 0 && wait_read(child);
	close(child);
	return ret;
}

FIXTURE(waiter) {
	int dev;
};

FIXTURE_VARIANT(waiter) {
	bool (*wait)(int fd);
};

FIXTURE_VARIANT_ADD(waiter, poll) { .wait = wait_poll };
FIXTURE_VARIANT_ADD(waiter, select) { .wait = wait_select };
FIXTURE_VARIANT_ADD(waiter, read) { .wait = wait_read };
FIXTURE_VARIANT_ADD(waiter, epoll) { .wait = wait_epoll };
FIXTURE_VARIANT_ADD(waiter, epoll_edge) { .wait = wait_epoll_edge };
FIXTURE_VARIANT_ADD(waiter, epoll_nested) { .wait = wait_epoll_nested };
FIXTURE_VARIANT_ADD(waiter, child) { .wait = wait_child };

FIXTURE_SETUP(waiter)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(waiter)
{
	close(self->dev);
}

/* Three generations, of which the youngest is waited for. */
struct scene {
	bool	(*wait)(int fd);
	int	root;
	int	middle;
	int	leaf;
	int	waited;		/* the descriptor that is waited for */
	bool	woken;
};

static void scene_wait(void *data)
{
	struct scene *s = data;

	s->woken = s->wait(s->waited);
}

static void scene_cancel_leaf(void *data)
{
	ctx_cancel(((struct scene *)data)->leaf, CAUSE, NULL);
}

static void scene_cancel_middle(void *data)
{
	ctx_cancel(((struct scene *)data)->middle, CAUSE, NULL);
}

static void scene_cancel_root(void *data)
{
	ctx_cancel(((struct scene *)data)->root, CAUSE, NULL);
}

static void scene_close_leaf(void *data)
{
	close(((struct scene *)data)->leaf);
}

static void scene_close_root(void *data)
{
	close(((struct scene *)data)->root);
}

static void scene_expire(void *data)
{
	ctx_set_timeout(((struct scene *)data)->middle, 50000);
}

/* The means of waiting against @first, and against @second if there is one. */
static void race_waiter(struct __test_metadata *_metadata, int dev, bool (*wait)(int fd),
			racer_fn *first, racer_fn *second, unsigned int turns)
{
	struct scene s = { .wait = wait };
	struct race race;
	unsigned int i;

	ASSERT_TRUE(race_start(&race, &s, scene_wait, first, second));
	for (i = 0; i < rounds(turns); i++) {
		s.root = ctx_new(dev);
		s.middle = ctx_new(s.root);
		s.leaf = ctx_new(s.middle);
		s.waited = ctx_watch(s.leaf, 0);
		ASSERT_LE(0, s.waited);
		s.woken = false;
		ASSERT_TRUE(race_round(&race));
		ASSERT_TRUE(s.woken);
		close(s.waited);
		if (first != scene_close_leaf)
			close(s.leaf);
		close(s.middle);
		if (first != scene_close_root)
			close(s.root);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(waiter, is_woken_by_a_cancel, 300)
{
	race_waiter(_metadata, self->dev, variant->wait, scene_cancel_leaf, NULL, 300);
}

TEST_F_TIMEOUT(waiter, is_woken_by_a_cancel_of_an_ancestor, 300)
{
	race_waiter(_metadata, self->dev, variant->wait, scene_cancel_root, NULL, 300);
}

TEST_F_TIMEOUT(waiter, is_woken_by_two_cancels_that_overlap, 300)
{
	race_waiter(_metadata, self->dev, variant->wait, scene_cancel_root, scene_cancel_middle,
		    150);
}

TEST_F_TIMEOUT(waiter, is_woken_by_a_release, 300)
{
	race_waiter(_metadata, self->dev, variant->wait, scene_close_leaf, NULL, 200);
}

TEST_F_TIMEOUT(waiter, is_woken_by_a_release_of_an_ancestor, 300)
{
	race_waiter(_metadata, self->dev, variant->wait, scene_close_root, NULL, 200);
}

TEST_F_TIMEOUT(waiter, is_woken_by_a_deadline_of_an_ancestor, 300)
{
	race_waiter(_metadata, self->dev, variant->wait, scene_expire, NULL, 150);
}

/*
 * Several waiters of one context, which joined and leave in any order.
 */
#define READERS		6

struct readers {
	int		fd;
	unsigned int	woken;
};

static void readers_read(void *data)
{
	struct readers *r = data;

	if (wait_read(r->fd))
		__atomic_add_fetch(&r->woken, 1, __ATOMIC_ACQ_REL);
}

static void readers_cancel(void *data)
{
	ctx_cancel(((struct readers *)data)->fd, CAUSE, NULL);
}

FIXTURE(waiters) {
	int dev;
};

FIXTURE_SETUP(waiters)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(waiters)
{
	close(self->dev);
}

TEST_F_TIMEOUT(waiters, of_one_context_are_all_woken, 300)
{
	racer_fn *run[READERS + 2] = { readers_cancel };
	struct readers r = { };
	struct race race;
	unsigned int i;

	for (i = 1; i <= READERS; i++)
		run[i] = readers_read;
	ASSERT_TRUE(race_start_all(&race, &r, run));
	for (i = 0; i < rounds(150); i++) {
		r.fd = ctx_new(self->dev);
		ASSERT_LE(0, r.fd);
		r.woken = 0;
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(READERS, r.woken);
		close(r.fd);
	}
	race_stop(&race);
}

/*
 * Readers that sleep for certain, spread over a deep tree, are woken by one
 * call; each thread has its own context.
 */
TEST_F_TIMEOUT(waiters, that_sleep_at_every_depth_are_all_woken, 300)
{
	struct ctx_reader reader[16];
	unsigned int i, n;

	for (i = 0; i < rounds(6); i++) {
		int fd[16];

		for (n = 0; n < 16; n++) {
			fd[n] = ctx_new(n ? fd[n - 1] : self->dev);
			ASSERT_LE(0, fd[n]);
			ASSERT_EQ(0, ctx_reader_start(&reader[n], fd[n]));
		}
		ASSERT_EQ(0, ctx_cancel(fd[0], CAUSE, NULL));
		for (n = 0; n < 16; n++) {
			ASSERT_EQ(0, ctx_reader_join(&reader[n]));
			ASSERT_EQ(sizeof(struct ctx_event), reader[n].ret);
			ASSERT_EQ(CAUSE, reader[n].event.cause);
			ASSERT_EQ(ctx_id(fd[0]), reader[n].event.origin_id);
		}
		for (n = 0; n < 16; n++)
			close(fd[n]);
	}
}

/*
 * A waiter that was interrupted, or gave up, must not take the wake-up with it.
 */
static void handle_nothing(int sig __attribute__((unused)))
{
}

struct interrupted {
	int		fd;
	pthread_t	waiter;
	bool		woken;
};

static void interrupted_wait(void *data)
{
	struct interrupted *s = data;
	struct ctx_event event;
	ssize_t ret;

	do {
		ret = read(s->fd, &event, sizeof(event));
	} while (ret < 0 && errno == EINTR);
	s->woken = ret == sizeof(event);
}

static void interrupted_kill(void *data)
{
	struct interrupted *s = data;
	int i;

	for (i = 0; i < 8; i++)
		pthread_kill(s->waiter, SIGUSR1);
}

static void interrupted_cancel(void *data)
{
	ctx_cancel(((struct interrupted *)data)->fd, CAUSE, NULL);
}

TEST_F_TIMEOUT(waiters, are_woken_although_signals_interrupt_them, 300)
{
	struct sigaction action = { .sa_handler = handle_nothing };
	struct interrupted s = { .waiter = pthread_self() };
	struct race race;
	unsigned int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_TRUE(race_start(&race, &s, interrupted_wait, interrupted_cancel,
			       interrupted_kill));
	for (i = 0; i < rounds(200); i++) {
		s.fd = ctx_new(self->dev);
		ASSERT_LE(0, s.fd);
		s.woken = false;
		ASSERT_TRUE(race_round(&race));
		ASSERT_TRUE(s.woken);
		close(s.fd);
	}
	race_stop(&race);
}

TEST_HARNESS_MAIN
