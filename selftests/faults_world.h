/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts that the calls of the tests are about, and others that no call may
 * change when it fails.
 */
#ifndef FAULTS_WORLD_H
#define FAULTS_WORLD_H

#include "faults.h"

#define CAUSE		91

/* More allocations than any of the calls makes. */
#define MOST		500

/* What there is besides that which a call is about, and must not change with it. */
struct world {
	struct ctx_info root;
	struct ctx_info child;
	struct ctx_info other;
	int fds;		/* how many there are */
	int next;		/* the number that comes next */
};

FIXTURE(faults) {
	struct faults *f;	/* which child processes share */
	int dev;
	int root;
	int child;		/* of root, with a name, a value and a deadline */
	int other;		/* a root to be a further parent */
	struct ctx_reader reader;	/* of child */
	sigset_t signals;	/* SIGIO and SIGRTMIN, blocked */
	__u64 id;		/* the last one seen */
	struct world before;
};

static const struct ctx_create_args child_args = {
	.flags = CTX_CREATE_TIMEOUT,
	.clockid = CLOCK_MONOTONIC,
	.deadline = HOUR,
	.nr_values = 1,
	.values = (uintptr_t)&(const struct ctx_value){
		.key = (uintptr_t)"key",
		.data = (uintptr_t)"data",
		.size = 4,
	},
	.name = "child",
};

FIXTURE_SETUP(faults)
{
	sigemptyset(&self->signals);
	sigaddset(&self->signals, SIGIO);
	sigaddset(&self->signals, SIGRTMIN);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &self->signals, NULL));
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->root = ctx_new(self->dev);
	self->child = ctx_create(self->root, &child_args);
	self->other = ctx_new(self->dev);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, ctx_reader_start(&self->reader, self->child));
	self->f = faults_begin();
}

/* The contexts do their work yet. */
FIXTURE_TEARDOWN(faults)
{
	faults_end(self->f);
	EXPECT_EQ(0, ctx_cancel(self->root, CAUSE, NULL));
	EXPECT_EQ(0, ctx_cancel(self->other, CAUSE, NULL));
	EXPECT_EQ(0, ctx_reader_join(&self->reader));
	EXPECT_EQ(CAUSE, self->reader.event.cause);
	close(self->other);
	close(self->child);
	close(self->root);
	close(self->dev);
}

static inline void look(FIXTURE_DATA(faults) *self, struct world *world)
{
	ctx_info(self->root, &world->root);
	ctx_info(self->child, &world->child);
	ctx_info(self->other, &world->other);
	world->fds = ctx_nr_fds();
	world->next = dup(self->dev);
	close(world->next);
}

static inline void check_world(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self)
{
	struct world now;

	look(self, &now);
	EXPECT_EQ(self->before.fds, now.fds);
	EXPECT_EQ(self->before.next, now.next);
	EXPECT_EQ(0, memcmp(&self->before.root, &now.root, sizeof(now.root)));
	EXPECT_EQ(0, memcmp(&self->before.child, &now.child, sizeof(now.child)));
	EXPECT_EQ(0, memcmp(&self->before.other, &now.other, sizeof(now.other)));
}

/* Not in a child process, which does not have the reader. */
static inline void check_unchanged(struct __test_metadata *_metadata, FIXTURE_DATA(faults) *self)
{
	check_world(_metadata, self);
	EXPECT_EQ(EBUSY, pthread_tryjoin_np(self->reader.thread, NULL));
}

/* Whether the faulty() call of the loop has a further allocation to fail. */
static inline bool next_fault(FIXTURE_DATA(faults) *self)
{
	if (self->f->n && !self->f->hit) {
		if (++self->f->sweeps == SWEEPS)
			return false;
		self->f->n = 0;
	}
	self->f->hit = false;
	look(self, &self->before);
	return ++self->f->n <= MOST;
}

/* The call has failed, but its caller has made what must go before check_unchanged(). */
#define check_enomem() ({						\
	EXPECT_EQ(ENOMEM, errno);					\
	EXPECT_TRUE(self->f->hit);					\
	self->f->lost++;							\
})

/* The loop has come to its end, and was not in vain. */
#define check_faults() ({						\
	EXPECT_FALSE(self->f->hit);					\
	EXPECT_LT(0, self->f->lost);					\
	check_unchanged(_metadata, self);				\
})

/* @call gives @result, and has made no allocation that could fail. */
#define check_needs_no_memory(result, call) ({				\
	self->f->n = 1;							\
	EXPECT_EQ((result), faulty(self->f, call));				\
	EXPECT_FALSE(self->f->hit);					\
})

#endif /* FAULTS_WORLD_H */
