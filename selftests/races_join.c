// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever joins those that are told of a cancellation, while it is under way, by
 * whatever means and whichever of several parents it comes from. What is lost
 * shows as a wait that ends with its generous timeout alone.
 */
#include "ctx_features.h"
#include "race.h"
#include "uring.h"

#define CAUSE		82

/* What joins, and what is told to it */
struct join {
	int			(*join)(struct join *j);
	int			first, further;		/* the parents of @merged */
	int			merged, below;
	int			fd;			/* what is joined */
	int			source;			/* what is cancelled */
	int			ret;
	int			told;
	const struct ctx_status	*status;
	struct uring		ring;
	sigset_t		set;
};

static int join_poll(struct join *j)
{
	return ctx_poll(j->fd, CTX_WAIT_MS) & POLLIN;
}

static int join_read(struct join *j)
{
	struct ctx_event event = {};

	return read(j->fd, &event, sizeof(event)) == sizeof(event) && event.cause == CAUSE;
}

static int join_epoll(struct join *j)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC), ret;

	ret = !epoll_ctl(ep, EPOLL_CTL_ADD, j->fd, &event) &&
	      epoll_wait(ep, &event, 1, CTX_WAIT_MS) == 1;
	close(ep);
	return ret;
}

/* The check follows when both sides have returned. */
static int join_map(struct join *j)
{
	j->status = ctx_map(j->fd);
	return !!j->status;
}

static int join_async(struct join *j)
{
	struct timespec timeout = { .tv_sec = CTX_WAIT_MS / 1000 };
	siginfo_t info;

	if (fcntl(j->fd, F_SETOWN, getpid()) || fcntl(j->fd, F_SETSIG, SIGRTMIN) ||
	    fcntl(j->fd, F_SETFL, O_ASYNC))
		return 0;
	return sigtimedwait(&j->set, &info, &timeout) == SIGRTMIN && info.si_fd == j->fd;
}

/* What is told is then looked for, while the descriptor is not yet on the kernel's list. */
static int join_mapped_async(struct join *j)
{
	return join_map(j) && join_async(j);
}

static int join_uring_poll(struct join *j)
{
	struct io_uring_cqe cqe = {};

	return uring_poll(&j->ring, j->fd, 0, 1) == 1 &&
	       uring_complete(&j->ring, &cqe, CTX_WAIT_MS) && cqe.res == POLLIN;
}

static int join_uring_read(struct join *j)
{
	struct io_uring_cqe cqe = {};
	struct ctx_event event = {};

	return uring_read(&j->ring, j->fd, &event, sizeof(event), 1) == 1 &&
	       uring_complete(&j->ring, &cqe, CTX_WAIT_MS) && cqe.res == sizeof(event);
}

static int join_as_a_parent(struct join *j)
{
	int child = ctx_new_merged2(j->first, j->fd), ret;
	struct ctx_event event = {};

	ret = read(child, &event, sizeof(event)) == sizeof(event) && event.cause == CAUSE;
	close(child);
	return ret;
}

FIXTURE(races_join) {
	int dev;
	struct join join;
	bool none;		/* there is no io_uring */
};

FIXTURE_VARIANT(races_join) {
	int (*join)(struct join *j);
	bool uring;
};

FIXTURE_VARIANT_ADD(races_join, poll) { .join = join_poll };
FIXTURE_VARIANT_ADD(races_join, read) { .join = join_read };
FIXTURE_VARIANT_ADD(races_join, epoll) { .join = join_epoll };
FIXTURE_VARIANT_ADD(races_join, map) { .join = join_map };
FIXTURE_VARIANT_ADD(races_join, async) { .join = join_async };
FIXTURE_VARIANT_ADD(races_join, mapped_async) { .join = join_mapped_async };
FIXTURE_VARIANT_ADD(races_join, uring_poll) { .join = join_uring_poll, .uring = true };
FIXTURE_VARIANT_ADD(races_join, uring_read) { .join = join_uring_read, .uring = true };
FIXTURE_VARIANT_ADD(races_join, as_a_parent) { .join = join_as_a_parent };

FIXTURE_SETUP(races_join)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->join.join = variant->join;
	self->none = variant->uring && uring_open(&self->join.ring, 8);
	sigemptyset(&self->join.set);
	sigaddset(&self->join.set, SIGRTMIN);
	sigaddset(&self->join.set, SIGIO);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->join.set, NULL));
}

FIXTURE_TEARDOWN(races_join)
{
	close(self->dev);
}

static void do_cancel(void *data)
{
	struct join *j = data;

	j->ret = ctx_cancel(j->source, CAUSE, NULL);
}

static void do_join(void *data)
{
	struct join *j = data;

	j->told = j->join(j);
}

static void race_join(struct __test_metadata *_metadata, FIXTURE_DATA(races_join) *self,
		      unsigned int turns)
{
	struct timespec none = {};
	struct join *j = &self->join;
	struct race race;
	unsigned int i;
	int sources[4];

	ASSERT_TRUE(race_start(&race, j, do_cancel, do_join));
	for (i = 0; i < rounds(turns); i++) {
		j->first = ctx_new(self->dev);
		j->further = ctx_new(self->dev);
		j->merged = ctx_new_merged2(j->first, j->further);
		j->below = ctx_new(j->merged);
		ASSERT_LE(0, j->below);
		sources[0] = sources[1] = j->further;
		sources[2] = j->first;
		sources[3] = j->merged;
		j->source = sources[i % 4];
		j->fd = i / 4 % 2 ? j->below : j->merged;
		j->status = NULL;
		ASSERT_TRUE(race_round(&race));
		ASSERT_EQ(0, j->ret);
		ASSERT_TRUE(j->told);
		if (j->status) {
			check_mapped(j->status, ECANCELED, CAUSE);
			ctx_unmap(j->status);
		}
		/* Who joins just now may be signalled twice. */
		while (sigtimedwait(&j->set, NULL, &none) > 0)
			;
		check_cancelled(j->fd, ECANCELED, CAUSE, ctx_id(j->source));
		ASSERT_TRUE(_metadata->passed);
		close(j->below);
		close(j->merged);
		close(j->further);
		close(j->first);
	}
	race_stop(&race);
}

TEST_F_TIMEOUT(races_join, whoever_joins_during_a_cancellation_is_told, 300)
{
	if (self->none)
		SKIP(return, "there is no io_uring");
	race_join(_metadata, self, 300);
}

TEST_HARNESS_MAIN
