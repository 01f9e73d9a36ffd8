// SPDX-License-Identifier: GPL-2.0-only
/*
 * Want of memory where the module is loaded: which of its parts was made
 * already must go again. See faults.h.
 */
#include "faults.h"

#define EXPEDITED	"/sys/kernel/rcu_expedited"

FIXTURE(load) {
	struct faults *f;
	int file;
};

FIXTURE_SETUP(load)
{
	self->file = module_open();
	if (self->file < 0)
		SKIP(return, "no module file: set CTX_MODULE");
	self->f = faults_begin();
	ASSERT_EQ(0, module_remove());
	/* Else most of the time is spent in waits for RCU. */
	write_text(EXPEDITED, "1");
}

FIXTURE_TEARDOWN(load)
{
	write_text(EXPEDITED, "0");
	faults_end(self->f);
	close(self->file);
}

#define UNLIMITED	1000000

/* Of which a slow machine makes no more in this time. */
#define LOAD_MS		90000

/*
 * What the module allocates comes last, long after the half: before that trace events are set
 * up, and the kernel warns where it cannot.
 */
TEST_F_TIMEOUT(load, insmod, 300)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + LOAD_MS * NSEC_PER_MSEC;
	struct faults *f = self->f;
	unsigned int nr;

	fail_nth(UNLIMITED);
	ASSERT_EQ(0, module_load(self->file));
	nr = UNLIMITED - fail_nth_end();
	for (f->n = nr; f->n > nr / 2 && ctx_clock(CLOCK_MONOTONIC) < end; f->n--) {
		ASSERT_EQ(0, module_remove());
		if (faulty(f, module_load(self->file))) {
			EXPECT_EQ(ENOMEM, errno);
			EXPECT_TRUE(f->hit);
			EXPECT_NE(0, access("/dev/ctx", F_OK));
			ASSERT_EQ(0, module_load(self->file));
			f->lost++;
		}
	}
	EXPECT_LT(0, f->lost);
}

TEST_HARNESS_MAIN
