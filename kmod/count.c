// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many contexts a user has: counted by each processor by itself, and exactly where
 * that may be too many. As percpu_counter, but short enough for what comes with each
 * context; and a limit can be held to.
 */
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/preempt.h>

#include "ctx.h"

/* What the processors have not told yet, and what each is about to count */
static s64 ctx_count_slack __ro_after_init;

void __init ctx_count_setup(void)
{
	ctx_count_slack = (s64)(CTX_COUNT_BATCH + CTX_COUNT_MAX) * num_possible_cpus();
}

int ctx_count_init(struct ctx_count *count)
{
	raw_spin_lock_init(&count->lock);
	count->total = 0;
	count->here = alloc_percpu_gfp(s32, GFP_KERNEL_ACCOUNT);
	return count->here ? 0 : -ENOMEM;
}

void ctx_count_free(struct ctx_count *count)
{
	free_percpu(count->here);
}

/* What this processor has counted becomes part of the total. */
void ctx_count_fold(struct ctx_count *count)
{
	guard(raw_spinlock_irqsave)(&count->lock);
	WRITE_ONCE(count->total, count->total + this_cpu_xchg(*count->here, 0));
}

/* Counts @n more, unless that might be too many. Most often it is far from it. */
static bool ctx_count_far(struct ctx_count *count, unsigned int n, s64 max)
{
	/* So that each processor keeps to its part of the slack. */
	guard(preempt)();
	if (READ_ONCE(count->total) + ctx_count_slack > max)
		return false;
	ctx_count_add(count, n);
	return true;
}

static bool ctx_count_near(struct ctx_count *count, unsigned int n, s64 max)
{
	unsigned int cpu;
	s64 sum = n;

	guard(raw_spinlock_irqsave)(&count->lock);
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(count->here, cpu));
	if (count->total + sum > max)
		return false;
	WRITE_ONCE(count->total, count->total + n);
	return true;
}

/**
 * ctx_count_try - count contexts unless there are too many
 * @count: where
 * @n: contexts, at most CTX_COUNT_MAX
 * @max: so many there may be
 *
 * Context: process
 * Return: whether it has counted them
 */
bool ctx_count_try(struct ctx_count *count, unsigned int n, s64 max)
{
	return likely(ctx_count_far(count, n, max)) || ctx_count_near(count, n, max);
}
