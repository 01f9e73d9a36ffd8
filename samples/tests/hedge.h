/* SPDX-License-Identifier: GPL-2.0-only */
/* Three replicas of samples/programs/hedge, of which the last is the fast one */
#ifndef HEDGE_H
#define HEDGE_H

#include "programs.h"

#define REPLICAS	3

#ifndef FASTEST
#define FASTEST		"1ms"
#endif

FIXTURE(hedge) {
	struct program replicas[REPLICAS];
	char urls[REPLICAS][64];
	struct program hedge;
	char out[256];
};

static int start_replica(struct program *replica, char *url, size_t size, const char *delay)
{
	unsigned int port;

	if (program_start(replica, "hedge/replica", (char *[]){ "replica", "0", (char *)delay, NULL }))
		return -1;
	port = program_port(replica);
	snprintf(url, size, "http://127.0.0.1:%u/moon", port);
	return port ? 0 : -1;
}

FIXTURE_SETUP(hedge)
{
	static const char *const delays[REPLICAS] = { "1h", "1h", FASTEST };

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < REPLICAS; i++)
		ASSERT_EQ(0, start_replica(&self->replicas[i], self->urls[i], sizeof(self->urls[i]),
					   delays[i]));
}

FIXTURE_TEARDOWN(hedge)
{
	for (int i = 0; i < REPLICAS; i++)
		kill(self->replicas[i].pid, SIGTERM);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	if (!_metadata->passed)
		program_show(&self->hedge);
}

#define start_hedge(...) \
	ASSERT_EQ(0, program_start(&self->hedge, "hedge/hedge", \
				   (char *[]){ "hedge", __VA_ARGS__, NULL }))

/* It ends with @status and has printed @text. */
#define check_ends(status, text) ({					\
	ssize_t __len;							\
									\
	EXPECT_EQ((status), program_wait(&self->hedge));		\
	__len = read(self->hedge.out, self->out, sizeof(self->out) - 1); \
	self->out[__len > 0 ? __len : 0] = '\0';			\
	EXPECT_STREQ((text), self->out);				\
})

#endif /* HEDGE_H */
