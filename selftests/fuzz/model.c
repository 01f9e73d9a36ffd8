// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts and descriptors: how cancellation spreads, what lets go of what, and what can be seen.
 */
#include <errno.h>
#include <string.h>

#include "model_step.h"

/*
 * Being cancelled
 */

bool cancelled(const struct model *m, int context)
{
	return m->contexts[context].origin != NOBODY;
}

/* Lists the contexts whose cancellation is that of @c, too. */
unsigned int list_ups(const struct context *c, int ups[CTX_PARENTS_MAX + 1])
{
	unsigned int i, n = 0;

	if (c->parent != NOBODY && !(c->flags & CTX_CREATE_WITHOUT_CANCEL))
		ups[n++] = c->parent;
	for (i = 0; i < c->nr_parents; i++)
		ups[n++] = c->parents[i];
	return n;
}

/* Whether first parents alone lead from @description's context up to what cancelled it. */
bool model_is_at_once(const struct model *m, int description)
{
	int context = m->descriptions[description].context, origin = m->contexts[context].origin;

	while (context != NOBODY && context != origin)
		context = m->contexts[context].flags & CTX_CREATE_WITHOUT_CANCEL ?
			  NOBODY : m->contexts[context].parent;
	return context != NOBODY;
}

/* Whether any context has further parents, to which no cancellation comes at once. */
bool model_merges(const struct model *m)
{
	int i;

	for (i = 0; i < m->nr_contexts; i++)
		if (m->contexts[i].nr_parents)
			return true;
	return false;
}

/* It takes effect on a context and on every descendant at one instant. */
void model_cancel(struct model *m, int context, uint32_t err, int32_t cause,
		  const unsigned char *message, uint32_t message_len)
{
	struct context *c = &m->contexts[context];
	bool reached[CONTEXTS_MAX] = { };
	int i, ups[CTX_PARENTS_MAX + 1];
	unsigned int n;

	if (cancelled(m, context))
		return;
	c->err = err;
	c->cause = cause;
	c->message = message;
	c->message_len = message_len;
	c->cancelled = m->now;
	c->origin = context;
	reached[context] = true;
	/* A context is made after its parents. */
	for (i = context + 1; i < m->nr_contexts; i++) {
		if (cancelled(m, i))
			continue;
		for (n = list_ups(&m->contexts[i], ups); n && !reached[i]; n--)
			reached[i] = reached[ups[n - 1]];
		if (reached[i])
			m->contexts[i].origin = context;
	}
}

/*
 * Descriptors
 */

struct table *table_of(struct model *m, unsigned int process)
{
	return &m->tables[m->processes[process].table];
}

const int *model_slots(const struct model *m, unsigned int process)
{
	return m->tables[m->processes[process].table].slots;
}

int model_fd(const struct model *m, int slot)
{
	return model_slots(m, m->self)[slot];
}

int description_of_fd(const struct model *m, int fd)
{
	return fd >= 0 && fd < FDS_MAX ? m->tables[m->processes[m->self].table].fds[fd] : NOBODY;
}

int description_of_slot(const struct model *m, int slot)
{
	return description_of_fd(m, model_fd(m, slot));
}

/* The context of a slot's descriptor; NOBODY where there is none. */
int model_context(const struct model *m, int slot)
{
	int description = description_of_slot(m, slot);

	return description == NOBODY ? NOBODY : m->descriptions[description].context;
}

int lowest_free_fd(const struct model *m)
{
	int fd;

	for (fd = 0; fd < FDS_MAX; fd++)
		if (description_of_fd(m, fd) == NOBODY && !m->used[fd])
			return fd;
	return NOBODY;
}

/* Whether the end of @description would be that of an owner. */
bool is_owner(const struct model *m, int description)
{
	const struct description *d = &m->descriptions[description];

	return d->writable && !cancelled(m, d->context) &&
	       !(m->contexts[d->context].flags & CTX_CREATE_DETACHED);
}

int open_description(struct model *m, int context, bool writable, uint32_t fd_flags)
{
	m->descriptions[m->nr_descriptions] = (struct description) {
		.context = context, .writable = writable,
		.watch_only = fd_flags & CTX_WATCH_ONLY, .nonblock = fd_flags & CTX_NONBLOCK,
	};
	m->contexts[context].descriptions++;
	return m->nr_descriptions++;
}

/* The end of the writable description is that of the owner. */
void put_description(struct model *m, int description)
{
	struct description *d = &m->descriptions[description];

	if (--d->refs)
		return;
	m->contexts[d->context].descriptions--;
	if (!is_owner(m, description))
		return;
	if (d->dropped)
		model_slow(m);
	model_cancel(m, d->context, ECANCELED, EOWNERDEAD, NULL, 0);
}

/* What the process that made it closes is the end of an owned context, whoever else holds it. */
void flush_fd(struct model *m, int fd)
{
	int description = description_of_fd(m, fd);
	const struct context *c;

	if (description == NOBODY || !m->descriptions[description].writable)
		return;
	c = &m->contexts[m->descriptions[description].context];
	if (c->flags & CTX_CREATE_OWNED && c->maker == m->processes[m->self].id)
		model_cancel(m, m->descriptions[description].context, ECANCELED, EOWNERDEAD,
			     NULL, 0);
}

/* The descriptor goes, and what it was of with the last of them. */
void drop_fd(struct model *m, int fd)
{
	struct table *table = table_of(m, m->self);
	int slot, description = description_of_fd(m, fd);

	if (description == NOBODY)
		return;
	for (slot = 0; slot < SLOTS; slot++)
		if (table->slots[slot] == fd)
			table->slots[slot] = NOBODY;
	table->fds[fd] = NOBODY;
	put_description(m, description);
}

void close_fd(struct model *m, int fd)
{
	flush_fd(m, fd);
	drop_fd(m, fd);
}

/* A new descriptor takes the place of what its slot held. */
void install(struct model *m, int slot, int description, bool cloexec,
	     struct expect *expect)
{
	struct table *table = table_of(m, m->self);
	int fd = lowest_free_fd(m);

	m->descriptions[description].refs++;
	table->fds[fd] = description;
	table->cloexec[fd] = cloexec;
	expect->ret = fd;
	close_fd(m, table->slots[slot]);
	table->slots[slot] = fd;
}

/*
 * What can be seen
 */

/* A bit for each slot that polls readable. */
uint64_t model_readable(const struct model *m)
{
	uint64_t readable = 0;
	int slot, context;

	for (slot = 0; slot < SLOTS; slot++) {
		context = model_context(m, slot);
		if (context != NOBODY && cancelled(m, context))
			readable |= (uint64_t)1 << slot;
	}
	return readable;
}

uint32_t model_status(const struct model *m, unsigned int map)
{
	int context, origin;

	if (m->maps[map] == NOBODY)
		return 0;
	context = m->descriptions[m->maps[map]].context;
	origin = m->contexts[context].origin;
	return origin == NOBODY ? 0 : m->contexts[origin].err;
}

/*
 * A waiter that came in time is woken, and once where it was the only one: where it takes
 * long to wake several, who goes on begins anew. Who came late knew already.
 */
uint32_t model_woken(const struct model *m, unsigned int waiter)
{
	const struct waiter *w = &m->waiters[waiter];

	if (w->description == NOBODY || !model_is_over(m, w->description))
		return 0;
	if (!w->in_time)
		return WOKEN_OR_NOT;
	return w->shared ? WOKEN_SOMETIMES : 1;
}

/* A context exists as long as a descriptor or a context below needs it. */
void model_find_existing(const struct model *m, bool *exists)
{
	unsigned int p;
	int i;

	for (i = m->nr_contexts - 1; i >= 0; i--) {
		const struct context *c = &m->contexts[i];

		exists[i] |= c->descriptions;
		if (!exists[i])
			continue;
		if (c->parent != NOBODY)
			exists[c->parent] = true;
		for (p = 0; p < c->nr_parents; p++)
			exists[c->parents[p]] = true;
	}
}

static uint32_t count_children(const struct model *m, int context)
{
	bool exists[CONTEXTS_MAX] = { };
	uint32_t n = 0;
	int i;

	model_find_existing(m, exists);
	for (i = context + 1; i < m->nr_contexts; i++)
		n += exists[i] && m->contexts[i].parent == context && !cancelled(m, i);
	return n;
}

/* Its own, and those of whatever it takes the cancellation from. */
static void collect_deadlines(const struct model *m, int context, struct look *look)
{
	bool above[CONTEXTS_MAX] = { };
	int i, ups[CTX_PARENTS_MAX + 1];
	unsigned int n;

	above[context] = true;
	for (i = context; i > 0; i--) {
		if (!above[i])
			continue;
		if (m->contexts[i].deadline.set)
			look->deadlines[look->nr_deadlines++] = m->contexts[i].deadline;
		for (n = list_ups(&m->contexts[i], ups); n; n--)
			above[ups[n - 1]] = true;
	}
}

void model_look(const struct model *m, int slot, struct look *look)
{
	look->context = model_context(m, slot);
	look->nr_deadlines = 0;
	if (look->context == NOBODY)
		return;
	look->origin = m->contexts[look->context].origin;
	look->children = look->context ? count_children(m, look->context) : 0;
	collect_deadlines(m, look->context, look);
}

/* @m->used, @m->other, @m->max_depth and @m->limit are set, and stay. */
void model_init(struct model *m, int background_fd)
{
	struct table *first = &m->tables[0];
	int i;

	m->now = 0;
	m->nr_contexts = 1;
	m->contexts[0] = (struct context) { .parent = NOBODY, .origin = NOBODY, .ways = 1 };
	for (i = 0; i < PROCESSES; i++) {
		m->tables[i].users = 0;
		m->processes[i].exists = false;
		m->processes[i].blocked = NOBODY;
	}
	for (i = 0; i < QUEUES; i++)
		m->queues[i].nr = 0;
	for (i = 0; i < OPS_MAX; i++)
		m->requests[i] = NOBODY;
	m->slow = false;
	m->queued = false;
	m->late = false;
	for (i = 0; i < MAPS; i++)
		m->maps[i] = NOBODY;
	for (i = 0; i < WAITERS; i++)
		m->waiters[i].description = NOBODY;
	m->processes[0].exists = true;
	m->processes[0].id = NOBODY;
	m->processes[0].table = 0;
	first->users = 1;
	first->rings = 0;
	for (i = 0; i < FDS_MAX; i++)
		first->fds[i] = NOBODY;
	memset(first->cloexec, 0, sizeof(first->cloexec));
	for (i = 0; i < SLOTS; i++)
		first->slots[i] = NOBODY;
	m->self = 0;
	m->nr_descriptions = 0;
	first->fds[background_fd] = open_description(m, 0, false, CTX_NONBLOCK);
	m->descriptions[0].refs = 1;
	first->slots[BACKGROUND] = background_fd;
}
