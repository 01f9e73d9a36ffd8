// SPDX-License-Identifier: LGPL-2.1-or-later
/* A new context by what programs have at hand: strings, times, arrays. */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "internal.h"

#define FIRST_SIZE	(offsetof(struct ctxfd_create_opts, nr_parents) + sizeof(unsigned int))

static int bad(void)
{
	errno = EINVAL;
	return -1;
}

static int fill_until(const struct ctxfd_create_opts *opts, struct ctx_create_args *args)
{
	struct ctx_deadline_args until;

	if (opts->timeout && opts->deadline)
		return bad();
	if (opts->deadline ? ctxfd_fill_deadline(opts->clock, opts->deadline, &until) :
			     ctxfd_fill_timeout(opts->timeout, &until))
		return -1;
	args->flags |= until.flags;
	args->deadline = until.deadline;
	args->clockid = until.clockid;
	return 0;
}

static int fill_name(const struct ctxfd_create_opts *opts, struct ctx_create_args *args)
{
	size_t length = opts->name ? strnlen(opts->name, CTX_NAME_LEN) : 0;

	if (length == CTX_NAME_LEN)
		return bad();
	if (length)
		memcpy(args->name, opts->name, length);
	return 0;
}

static int fill_values(const struct ctxfd_create_opts *opts, struct ctx_create_args *args,
		       struct ctx_value values[CTX_VALUES_MAX])
{
	if (opts->nr_values > CTX_VALUES_MAX)
		return bad();
	for (unsigned int i = 0; i < opts->nr_values; i++)
		values[i] = ctxfd_to_value(opts->values[i].key, opts->values[i].data,
					   opts->values[i].size);
	args->values = (__u64)(uintptr_t)values;
	args->nr_values = opts->nr_values;
	return 0;
}

static int fill_parents(const struct ctxfd_create_opts *opts, struct ctx_create_args *args)
{
	if (opts->nr_parents > CTX_PARENTS_MAX)
		return bad();
	for (unsigned int i = 0; i < opts->nr_parents; i++)
		if (ctxfd_failed(opts->parents[i]))
			return -1;
	args->parents = (__u64)(uintptr_t)opts->parents;
	args->nr_parents = opts->nr_parents;
	return 0;
}

int ctxfd_create_opts_sized(int parent, const struct ctxfd_create_opts *opts, size_t size)
{
	struct ctx_value values[CTX_VALUES_MAX];
	struct ctxfd_create_opts ours;
	struct ctx_create_args args = {};

	if (ctxfd_failed(parent) ||
	    ctxfd_copy_opts(&ours, sizeof(ours), FIRST_SIZE, opts, size))
		return -1;
	if (ours.flags & CTX_CREATE_TIMEOUT)
		return bad();
	args.flags = ours.flags;
	if (fill_parents(&ours, &args) || fill_until(&ours, &args) || fill_name(&ours, &args) ||
	    fill_values(&ours, &args, values))
		return -1;
	return ctxfd_create(parent, &args);
}
