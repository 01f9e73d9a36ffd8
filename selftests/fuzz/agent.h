/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzer and its agents share: memory that stands at the same address in all of them,
 * and descriptors that exec leaves open.
 */
#ifndef FUZZ_AGENT_H
#define FUZZ_AGENT_H

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <linux/futex.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

enum agent_state {
	AGENT_GONE,	/* there is no such process */
	AGENT_IDLE,	/* has done what it was told */
	AGENT_TOLD,	/* is to do @op, or to look where @looks */
	AGENT_WAITS,	/* is about to wait, or does */
};

/**
 * struct agent - a process that does what it is told
 * @state: enum agent_state, a futex
 * @pid: of the process
 * @looks: it is to look, not to do @op
 * @op: what to do
 * @fds: the descriptor of each slot
 * @ret: what came of it, or a negative errno
 * @span: when it was done
 * @info: of the slot @op.look
 * @info_ret: of that ioctl
 * @readable: a bit for each slot that polls readable
 */
struct agent {
	_Atomic uint32_t	state;
	pid_t			pid;
	bool			looks;
	struct op		op;
	int			fds[SLOTS];
	int64_t			ret;
	struct span		span;
	struct ctx_info		info;
	int64_t			info_ret;
	uint64_t		readable;
};

struct arena {
	struct agent		agents[PROCESSES];
	struct op_memory	memory[OPS_MAX];
};

#define ARENA	((struct arena *)(PROGRAM_ADDRESS + (1 << 20)))

/* Descriptors beyond those that programs use */
enum { FD_ARENA = 32, FD_QUEUES = 33, FD_END = FD_QUEUES + 2 * QUEUES };

/* More than any machine needs for anything that is waited for, in seconds */
#define BOUND	60

static inline void agent_set(struct agent *agent, uint32_t state)
{
	atomic_store(&agent->state, state);
	syscall(SYS_futex, &agent->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Waits while the state is @state, for BOUND at most; -1 where it still is then. */
static inline int agent_wait(struct agent *agent, uint32_t state)
{
	struct timespec bound = { .tv_sec = BOUND };

	while (atomic_load(&agent->state) == state)
		if (syscall(SYS_futex, &agent->state, FUTEX_WAIT, state, &bound, NULL, 0) &&
		    errno == ETIMEDOUT)
			return -1;
	return 0;
}

int agent_map(void);
void agent_limit(bool own);
int64_t send_fd(int socket, int fd);
int64_t receive_fd(int socket);

#endif /* FUZZ_AGENT_H */
