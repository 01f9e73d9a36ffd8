/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running a program in the kernel and in the model, and comparing the two.
 */
#ifndef FUZZ_RUN_H
#define FUZZ_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "batch/ctx_batch.h"
#include "model.h"
#include "program.h"

/* An operation, a look at one context, and one at all that can be seen */
#define CALLS_PER_OP	3

struct span {
	int64_t		from;
	int64_t		to;
};

/**
 * struct run - a process that fuzzes
 * @batch: descriptor of /dev/ctx_batch
 * @background: descriptor of /dev/ctx
 * @model: where the program has come to
 * @nr: operations of the program
 * @number: their places in the program that the seed stands for
 * @ops: the operations
 * @memory: theirs
 * @expect: what must come of them
 * @look: what must be seen of one context after each
 * @view: what must be seen of everything after each
 * @info: what is seen
 * @seen: likewise
 * @calls: of all that
 * @span: when each operation was made
 * @lapsed: end of the last deadline that was removed in time; 0 for none
 * @ids: of the contexts; 0 while unknown
 * @cancelled_at: of the contexts whose own cancellation it was; 0 while unknown
 * @real: what CLOCK_REALTIME is ahead of CLOCK_MONOTONIC
 * @boot: likewise CLOCK_BOOTTIME
 * @total: calls that were made on open contexts
 * @apart: programs run in several processes
 * @uid: of those of them who have a limit of contexts
 * @waits_in: the operation in which each process waits
 * @waits_on: the description on which it does
 * @failure: what was different; empty where nothing was
 */
struct run {
	int			batch;
	int			background;
	struct model		model;

	unsigned int		nr;
	unsigned int		number[OPS_MAX];
	struct op		ops[OPS_MAX];
	struct op_memory	*memory;
	struct expect		expect[OPS_MAX];
	struct look		look[OPS_MAX];
	struct batch_view	view[OPS_MAX];
	struct ctx_info		info[OPS_MAX];
	struct batch_view	seen[OPS_MAX];
	struct batch_call	calls[CALLS_PER_OP * OPS_MAX];
	struct span		span[OPS_MAX];
	int64_t			lapsed;

	uint64_t		ids[CONTEXTS_MAX];
	uint64_t		cancelled_at[CONTEXTS_MAX];
	struct span		real;
	struct span		boot;
	uint64_t		total;
	bool			apart;
	uid_t			uid;
	unsigned int		waits_in[PROCESSES];
	int			waits_on[PROCESSES];
	char			failure[512];
};

struct run *run_open(unsigned int max_depth, bool apart);
int run_program(struct run *run, uint64_t seed, const unsigned int *keep, unsigned int nr);
void run_print(const struct run *run);
void run_foresee(struct run *run, unsigned int i);
int run_compare(struct run *run, unsigned int i);
void run_pause(struct run *run);

/* check.c */
int check_op(struct run *run, unsigned int i);
int check_look(struct run *run, unsigned int i);
int check_view(struct run *run, unsigned int i);
int failed(struct run *run, unsigned int i, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* FUZZ_RUN_H */
