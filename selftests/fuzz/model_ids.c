// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts that are found by their ids. All are of one user, whose processes see each other: so
 * what exists is found, whoever made it and whatever became of him.
 */
#include <errno.h>

#include "batch/ctx_batch.h"
#include "model_step.h"

/* The context whose id the operation is about; NOBODY for the id 0. */
static int asked_for(const struct model *m, const struct op *op, struct expect *expect)
{
	int context = model_context(m, BATCH_ASKED_SLOT(op->index));

	if (context == NOBODY)
		may_fail(expect, EBADF);
	else if (BATCH_ASKED_AT(op->index) == offsetof(struct ctx_info, parent_id))
		context = m->contexts[context].parent;
	return context ? context : NOBODY;
}

/* Its close ends nothing, whatever it can do. */
void step_open(struct model *m, const struct op *op, struct expect *expect)
{
	const struct ctx_open_args *args = (const void *)op->memory->args;
	int context = asked_for(m, op, expect), description;

	if (args->flags & ~CTX_OPEN_CONTROL || args->fd_flags & ~(CTX_CLOEXEC | CTX_NONBLOCK))
		may_fail(expect, EINVAL);
	if (context == NOBODY)
		may_fail(expect, ENOENT);
	if (lowest_free_fd(m) == NOBODY)
		may_fail(expect, EMFILE);
	if (must_fail(expect))
		return;
	description = open_description(m, context, false, args->fd_flags);
	m->descriptions[description].control = args->flags & CTX_OPEN_CONTROL;
	install(m, op->out, description, args->fd_flags & CTX_CLOEXEC, expect);
}

/* The first from its own id on is that context. */
void step_list(const struct model *m, const struct op *op, struct expect *expect)
{
	int context = asked_for(m, op, expect);

	if (context == NOBODY)
		return;
	expect->about = context;
	expect->out_len = sizeof(uint64_t);
	expect->ret = 1;
}
