// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each ioctl asks of its arguments, and does.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "model_step.h"

#define CREATE_FLAGS	(CTX_CREATE_TIMEOUT | CTX_CREATE_DETACHED | CTX_CREATE_WITHOUT_CANCEL | \
			 CTX_CREATE_OWNED)
#define NOT_TOGETHER	(CTX_CREATE_DETACHED | CTX_CREATE_OWNED)
#define NO_ID		((uint64_t)1 << 32)	/* more than there will be, or over */
#define WAYS_MAX	1024	/* up from a context */
#define EDGES_MAX	16	/* in a row */

/*
 * What the caller gives
 */

/*
 * Reads a structure as it is read from a program that may know more bytes of it: what is unknown
 * must be zero.
 */
static bool get_args(const struct op *op, void *args, size_t known, struct expect *expect)
{
	size_t i, size = _IOC_SIZE(op->cmd), readable = program_readable(op, op->arg);
	const unsigned char *from = (const void *)(uintptr_t)op->arg;

	for (i = known; i < size && i < readable; i++)
		if (from[i])
			may_fail(expect, E2BIG);
	if (readable < size)
		may_fail(expect, EFAULT);
	else
		memcpy(args, from, known);
	return !must_fail(expect);
}

static bool clock_valid(int32_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME;
}

/* What is too near for the model to say whether it has come. */
#define SOON	1000000000000
#define LONG_AGO	1000000

static bool deadline_clear(uint64_t deadline, bool timeout)
{
	if (timeout)
		return !deadline || deadline >= INT64_MAX ||
		       (deadline >= SOON && deadline < (uint64_t)1 << 62);
	return deadline <= LONG_AGO || deadline >= (uint64_t)1 << 61;
}

/*
 * A timeout on CLOCK_REALTIME does not notice that the clock is set, and one that ends beyond the
 * clock's range never comes.
 */
static struct instant read_deadline(const struct model *m, uint64_t deadline, int32_t clock,
				    bool timeout, struct expect *expect)
{
	struct instant at = { .clock = clock, .ns = deadline, .after = timeout, .op = m->now };

	if (!clock_valid(clock) || (!timeout && deadline > INT64_MAX))
		may_fail(expect, EINVAL);
	at.set = timeout ? deadline < INT64_MAX : deadline;
	if (timeout && clock == CLOCK_REALTIME)
		at.clock = CLOCK_MONOTONIC;
	return at;
}

static bool has_passed(const struct instant *at)
{
	return at->set && (at->after ? !at->ns : at->ns <= LONG_AGO);
}

/*
 * The ioctls
 */

static int read_key(const struct op *op, uint64_t key)
{
	size_t readable = program_readable(op, key), len;

	len = strnlen((const char *)(uintptr_t)key, readable > CTX_KEY_MAX ? CTX_KEY_MAX + 1 : readable);
	if (len == readable)
		return -EFAULT;
	return len < 1 || len > CTX_KEY_MAX ? -EINVAL : (int)len;
}

static bool same_key(const struct ctx_value *a, const struct ctx_value *b)
{
	return !strcmp((const char *)(uintptr_t)a->key, (const char *)(uintptr_t)b->key);
}

static void read_values(struct context *c, const struct op *op,
			const struct ctx_create_args *args, struct expect *expect)
{
	const struct ctx_value *values = (const void *)(uintptr_t)args->values;
	unsigned int i, j;
	int ret;

	if (args->nr_values > CTX_VALUES_MAX) {
		may_fail(expect, EINVAL);
		return;
	}
	if (program_readable(op, args->values) < args->nr_values * sizeof(*values)) {
		may_fail(expect, EFAULT);
		return;
	}
	for (i = 0; i < args->nr_values; i++) {
		ret = read_key(op, values[i].key);
		if (ret < 0)
			may_fail(expect, -ret);
		if (values[i].size > CTX_VALUE_MAX || values[i].reserved)
			may_fail(expect, EINVAL);
		if (program_readable(op, values[i].data) < values[i].size)
			may_fail(expect, EFAULT);
		for (j = 0; j < i && !must_fail(expect); j++)
			if (same_key(&values[i], &values[j]))
				may_fail(expect, EINVAL);
		c->values[i] = values[i];
	}
	c->nr_values = args->nr_values;
}

static void below(const struct model *m, struct context *c, int parent, struct expect *expect)
{
	uint32_t depth = m->contexts[parent].depth + 1;

	if (depth > m->max_depth)
		may_fail(expect, ELOOP);
	if (c->depth < depth)
		c->depth = depth;
}

/* The descriptors of further parents are known only now. */
static void bind_parents(const struct model *m, const struct op *op)
{
	unsigned int i;

	for (i = 0; i <= CTX_PARENTS_MAX; i++)
		op->memory->parents[i] = op->parents[i] >= 0 ? model_fd(m, op->parents[i]) :
					 op->parents[i] == PARENT_OTHER ? m->other : FDS_MAX;
}

static void read_parents(const struct model *m, struct context *c, const struct op *op,
			 const struct ctx_create_args *args, struct expect *expect)
{
	const int32_t *fds = (const void *)(uintptr_t)args->parents;
	unsigned int i;
	int parent;

	if (args->nr_parents > CTX_PARENTS_MAX) {
		may_fail(expect, EINVAL);
		return;
	}
	if (program_readable(op, args->parents) < args->nr_parents * sizeof(*fds)) {
		may_fail(expect, EFAULT);
		return;
	}
	for (i = 0; i < args->nr_parents; i++) {
		int description = description_of_fd(m, fds[i]);

		if (description == NOBODY) {
			may_fail(expect, fds[i] == m->other ? EINVAL : EBADF);
			continue;
		}
		if (m->descriptions[description].watch_only)
			may_fail(expect, EPERM);
		parent = m->descriptions[description].context;
		/* The background adds nothing. */
		if (!parent)
			continue;
		c->parents[c->nr_parents++] = parent;
		below(m, c, parent, expect);
	}
}

/* Ways up are many where edges meet again. */
static void count_ways(const struct model *m, struct context *c, struct expect *expect)
{
	int ups[CTX_PARENTS_MAX + 1];
	unsigned int i, n = list_ups(c, ups);

	c->ways = n ? 0 : 1;
	for (i = 0; i < n; i++) {
		const struct context *up = &m->contexts[ups[i]];
		/* The further ones come last. */
		unsigned int edges = up->edges + (i >= n - c->nr_parents);

		c->ways += up->ways;
		if (c->edges < edges)
			c->edges = edges;
	}
	if (c->ways > WAYS_MAX || c->edges > EDGES_MAX)
		may_fail(expect, ELOOP);
}

#define VALUES_SPARE	192	/* bytes of them that do not count */
#define VALUES_COST	640	/* bytes that count as a context */

static unsigned int count_bytes(size_t size)
{
	return size > VALUES_SPARE ? (size - VALUES_SPARE + VALUES_COST - 1) / VALUES_COST : 0;
}

/* What is taken at most for @size bytes: memory is handed out in powers of two. */
static size_t taken(size_t size)
{
	size_t power = 1;

	while (power < size)
		power *= 2;
	return power;
}

/*
 * A context counts as one, and as more where its values are large or its edges many. What the
 * kernel needs for each of these is its own affair: so it adds to @least and @most.
 */
static void count_context(const struct context *c, unsigned int *least, unsigned int *most)
{
	size_t size = 0;
	unsigned int i;

	for (i = 0; i < c->nr_values; i++)
		size += strlen((const char *)(uintptr_t)c->values[i].key) + c->values[i].size;
	*least += 1 + count_bytes(size);
	*most += 1 + count_bytes(taken(size + 64 * (1 + c->nr_values))) +
		 count_bytes(taken(64 * (1 + c->nr_parents)));
}

/* A user may have so many contexts, until their memory is free. */
static void count_user(const struct model *m, const struct context *c, struct expect *expect)
{
	bool exists[CONTEXTS_MAX] = { };
	unsigned int least = 0, most = 0;
	int i;

	if (!m->limit)
		return;
	if (must_fail(expect)) {
		may_fail(expect, ENOSPC);
		return;
	}
	model_find_existing(m, exists);
	for (i = 1; i < m->nr_contexts; i++)
		if (exists[i])
			count_context(&m->contexts[i], &least, &most);
	count_context(c, &least, &most);
	if (least > m->limit)
		may_fail(expect, ENOSPC);
	else if (most > m->limit)
		expect->skipped = true;
}

/* A child of a cancelled context is created cancelled. */
static void inherit(struct model *m, int context)
{
	struct context *c = &m->contexts[context];
	int ups[CTX_PARENTS_MAX + 1];
	unsigned int i, n = list_ups(c, ups);

	for (i = 0; i < n && c->origin == NOBODY; i++)
		c->origin = m->contexts[ups[i]].origin;
}

static void step_create(struct model *m, const struct op *op, struct expect *expect)
{
	struct context *c = &m->contexts[m->nr_contexts];
	struct ctx_create_args args;
	int above = model_context(m, op->slot);
	struct instant at;

	bind_parents(m, op);
	if (m->descriptions[description_of_slot(m, op->slot)].watch_only)
		may_fail(expect, EPERM);
	if (!get_args(op, &args, sizeof(args), expect))
		return;
	*c = (struct context) {
		.parent = above ? above : NOBODY, .flags = args.flags, .origin = NOBODY,
		.maker = m->processes[m->self].id,
	};
	if (args.flags & ~CREATE_FLAGS || !(~args.flags & NOT_TOGETHER) ||
	    args.fd_flags & ~(CTX_CLOEXEC | CTX_NONBLOCK) || args.reserved ||
	    !memchr(args.name, 0, sizeof(args.name)))
		may_fail(expect, EINVAL);
	at = read_deadline(m, args.deadline, args.clockid, args.flags & CTX_CREATE_TIMEOUT, expect);
	if (above)
		below(m, c, above, expect);
	read_values(c, op, &args, expect);
	read_parents(m, c, op, &args, expect);
	count_ways(m, c, expect);
	if (lowest_free_fd(m) == NOBODY)
		may_fail(expect, EMFILE);
	count_user(m, c, expect);
	if (!must_fail(expect) && !deadline_clear(args.deadline, args.flags & CTX_CREATE_TIMEOUT))
		expect->skipped = true;
	if (must_fail(expect) || expect->skipped)
		return;

	strcpy(c->name, args.name);
	inherit(m, m->nr_contexts++);
	if (c->origin == NOBODY) {
		c->deadline = at;
		if (has_passed(&at))
			model_cancel(m, m->nr_contexts - 1, ETIMEDOUT, ETIMEDOUT, NULL, 0);
	}
	install(m, op->out, open_description(m, m->nr_contexts - 1, true, args.fd_flags),
		args.fd_flags & CTX_CLOEXEC, expect);
}

static void need_writable(const struct model *m, const struct op *op, struct expect *expect)
{
	const struct description *d = &m->descriptions[description_of_slot(m, op->slot)];

	if (!d->writable && !d->control)
		may_fail(expect, EBADF);
}

static void step_cancel(struct model *m, const struct op *op, struct expect *expect)
{
	int context = model_context(m, op->slot);
	struct ctx_cancel_args args;

	need_writable(m, op, expect);
	if (!get_args(op, &args, sizeof(args), expect))
		return;
	if (args.cause < 0 || args.message_len > CTX_MESSAGE_MAX)
		may_fail(expect, EINVAL);
	else if (program_readable(op, args.message) < args.message_len)
		may_fail(expect, EFAULT);
	if (must_fail(expect))
		return;
	expect->ret = cancelled(m, context);
	model_cancel(m, context, ECANCELED, args.cause ? args.cause : ECANCELED,
		     (const void *)(uintptr_t)args.message, args.message_len);
}

static void step_watch(struct model *m, const struct op *op, struct expect *expect)
{
	uint32_t fd_flags;

	if (!get_args(op, &fd_flags, sizeof(fd_flags), expect))
		return;
	if (fd_flags & ~(CTX_CLOEXEC | CTX_NONBLOCK | CTX_WATCH_ONLY))
		may_fail(expect, EINVAL);
	if (m->descriptions[description_of_slot(m, op->slot)].watch_only &&
	    !(fd_flags & CTX_WATCH_ONLY))
		may_fail(expect, EPERM);
	if (lowest_free_fd(m) == NOBODY)
		may_fail(expect, EMFILE);
	if (!must_fail(expect))
		install(m, op->out, open_description(m, model_context(m, op->slot), false, fd_flags),
			fd_flags & CTX_CLOEXEC, expect);
}

void step_set_deadline(struct model *m, const struct op *op, struct expect *expect)
{
	int context = model_context(m, op->slot);
	struct ctx_deadline_args args;
	struct instant at;

	need_writable(m, op, expect);
	if (!get_args(op, &args, sizeof(args), expect))
		return;
	if (args.flags & ~CTX_CREATE_TIMEOUT)
		may_fail(expect, EINVAL);
	at = read_deadline(m, args.deadline, args.clockid, args.flags & CTX_CREATE_TIMEOUT, expect);
	if (cancelled(m, context))
		may_fail(expect, ECANCELED);
	if (must_fail(expect))
		return;
	if (op->kind == OP_IOCTL && !deadline_clear(args.deadline, args.flags & CTX_CREATE_TIMEOUT)) {
		expect->skipped = true;
		return;
	}
	m->contexts[context].deadline = at;
	if (has_passed(&at))
		model_cancel(m, context, ETIMEDOUT, ETIMEDOUT, NULL, 0);
}

static const struct ctx_value *find_value(const struct model *m, int context, uint64_t key)
{
	const struct ctx_value wanted = { .key = key };
	const struct context *c;
	unsigned int i;

	for (; context != NOBODY; context = c->parent) {
		c = &m->contexts[context];
		for (i = 0; i < c->nr_values; i++)
			if (same_key(&c->values[i], &wanted))
				return &c->values[i];
	}
	return NULL;
}

static void step_get_value(const struct model *m, const struct op *op, struct expect *expect)
{
	const struct ctx_value *value;
	struct ctx_value args;
	int ret;

	if (!get_args(op, &args, sizeof(args), expect))
		return;
	ret = read_key(op, args.key);
	if (ret < 0)
		may_fail(expect, -ret);
	if (args.size > CTX_VALUE_MAX || args.reserved)
		may_fail(expect, EINVAL);
	if (ret < 0)
		return;
	value = find_value(m, model_context(m, op->slot), args.key);
	if (!value)
		may_fail(expect, ENODATA);
	else if (args.size && args.size < value->size)
		may_fail(expect, ERANGE);
	else if (args.size && program_writable(op, args.data) < value->size)
		may_fail(expect, EFAULT);
	if (must_fail(expect))
		return;
	expect->ret = value->size;
	if (args.size) {
		expect->out = (const void *)(uintptr_t)value->data;
		expect->out_len = value->size;
	}
}

static void step_info(const struct model *m, const struct op *op, struct expect *expect)
{
	size_t size = _IOC_SIZE(op->cmd);

	if (program_writable(op, op->arg) < size) {
		may_fail(expect, EFAULT);
		return;
	}
	expect->about = model_context(m, op->slot);
	expect->out_len = size;
}

/*
 * Ids are the kernel's affair, and other programs have contexts, too: here are those that no
 * context has; OP_OPEN and OP_LIST have the others.
 */
static void step_raw_open(const struct op *op, struct expect *expect)
{
	struct ctx_open_args args;

	if (!get_args(op, &args, sizeof(args), expect))
		return;
	if (args.flags & ~CTX_OPEN_CONTROL || args.fd_flags & ~(CTX_CLOEXEC | CTX_NONBLOCK))
		may_fail(expect, EINVAL);
	else if (!args.id || args.id >= NO_ID)
		may_fail(expect, ENOENT);
	else
		expect->skipped = true;
}

static void step_raw_list(const struct op *op, struct expect *expect)
{
	struct ctx_list_args args;

	if (!get_args(op, &args, sizeof(args), expect))
		return;
	if (args.reserved)
		may_fail(expect, EINVAL);
	else
		expect->skipped = args.nr && args.after < NO_ID;
}

static bool is_by_id(uint32_t cmd)
{
	return ANY_SIZE(cmd) == ANY_SIZE(CTX_IOC_OPEN) || ANY_SIZE(cmd) == ANY_SIZE(CTX_IOC_LIST);
}

/* Bytes of each structure in the first version of the ABI: nobody knows fewer. */
static size_t first_size(uint32_t cmd)
{
	switch (ANY_SIZE(cmd)) {
	case ANY_SIZE(CTX_IOC_CREATE):
		return 80;
	case ANY_SIZE(CTX_IOC_CANCEL):
	case ANY_SIZE(CTX_IOC_SET_DEADLINE):
	case ANY_SIZE(CTX_IOC_OPEN):
		return 16;
	case ANY_SIZE(CTX_IOC_WATCH):
		return 4;
	case ANY_SIZE(CTX_IOC_INFO):
		return 224;
	case ANY_SIZE(CTX_IOC_GET_VALUE):
	case ANY_SIZE(CTX_IOC_LIST):
		return 24;
	default:
		return 0;
	}
}

void step_ioctl(struct model *m, const struct op *op, struct expect *expect)
{
	/* The device's own description is the first. */
	if (is_by_id(op->cmd) && description_of_slot(m, op->slot)) {
		may_fail(expect, ENOTTY);
		return;
	}
	if (_IOC_SIZE(op->cmd) < first_size(op->cmd)) {
		may_fail(expect, EINVAL);
		return;
	}
	switch (ANY_SIZE(op->cmd)) {
	case ANY_SIZE(CTX_IOC_CREATE):
		step_create(m, op, expect);
		break;
	case ANY_SIZE(CTX_IOC_CANCEL):
		step_cancel(m, op, expect);
		break;
	case ANY_SIZE(CTX_IOC_WATCH):
		step_watch(m, op, expect);
		break;
	case ANY_SIZE(CTX_IOC_SET_DEADLINE):
		step_set_deadline(m, op, expect);
		break;
	case ANY_SIZE(CTX_IOC_GET_VALUE):
		step_get_value(m, op, expect);
		break;
	case ANY_SIZE(CTX_IOC_INFO):
		step_info(m, op, expect);
		break;
	case ANY_SIZE(CTX_IOC_OPEN):
		step_raw_open(op, expect);
		break;
	case ANY_SIZE(CTX_IOC_LIST):
		step_raw_list(op, expect);
		break;
	default:
		may_fail(expect, ENOTTY);
		break;
	}
}
