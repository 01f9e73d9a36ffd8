/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All contexts that the user could open, as the module tells: no matter who holds
 * them, and without /proc.
 */
#ifndef CONTEXTS_H
#define CONTEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/ctx.h>

struct listed {
	struct ctx_info info;
	int64_t age;		/* in seconds; -1 where it is not told, or nobody asked */
};

typedef void contexts_fn(void *arg, const struct listed *listed);

/*
 * Calls @each for them all, by rising id, with their ages where @ages. What goes
 * meanwhile is left out; what is there throughout comes once.
 *
 * Returns 0, or -1: ENOTTY where the module is too old to list them, or an errno of
 * open where there is no /dev/ctx. Ends the program where it runs out of memory.
 */
int contexts_each(bool ages, contexts_fn *each, void *arg);

/* All zero has none. */
struct contexts {
	struct listed *list;	/* by rising id */
	size_t nr;
	size_t room;
};

/* Reads them all, in place of those that it had. The rest as contexts_each(). */
int contexts_read(struct contexts *contexts, bool ages);

/*
 * Adds one that the user could not open and that is not there, for what is known of
 * it from elsewhere. The order is right again after contexts_sort().
 */
void contexts_append(struct contexts *contexts, const struct ctx_info *info, int64_t age);
void contexts_sort(struct contexts *contexts);

/* Where it is in the list; @nr where it is not there. */
size_t contexts_find(const struct contexts *contexts, uint64_t id);

void contexts_free(struct contexts *contexts);

#endif /* CONTEXTS_H */
