// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the other calls do, what processes do to each other, and which of all that an operation is.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "model_step.h"

#define ASYNC_MAX	64	/* descriptors of a context with O_ASYNC */

/* Where several things are wrong with a call, any of their errors will do. */
void may_fail(struct expect *expect, int error)
{
	expect->errors[error / 64] |= (uint64_t)1 << error % 64;
}

bool must_fail(const struct expect *expect)
{
	return expect->errors[0] || expect->errors[1] || expect->errors[2];
}

/*
 * The other calls
 */

static void step_read(const struct model *m, const struct op *op, struct expect *expect)
{
	const struct description *d = &m->descriptions[description_of_slot(m, op->slot)];
	int origin = m->contexts[d->context].origin;

	if (op->cmd < sizeof(struct ctx_event))
		may_fail(expect, EINVAL);
	else if (origin == NOBODY)
		may_fail(expect, EAGAIN);
	if (program_writable(op, op->arg) < sizeof(struct ctx_event))
		may_fail(expect, EFAULT);
	expect->skipped = origin == NOBODY && !d->nonblock;
	if (must_fail(expect))
		return;
	expect->event.err = m->contexts[origin].err;
	expect->event.cause = m->contexts[origin].cause;
	expect->about = origin;
	expect->out_len = sizeof(struct ctx_event);
	expect->ret = sizeof(struct ctx_event);
}

static void step_mmap(struct model *m, const struct op *op, struct expect *expect)
{
	if (m->maps[op->index] != NOBODY)
		may_fail(expect, EINVAL);
	if (op->cmd & (PROT_WRITE | PROT_EXEC))
		may_fail(expect, EACCES);
	/* Nothing on such a file system may be executed. */
	if (op->cmd & PROT_EXEC)
		may_fail(expect, EPERM);
	if (must_fail(expect))
		return;
	m->maps[op->index] = description_of_slot(m, op->slot);
	m->descriptions[m->maps[op->index]].refs++;
}

static void step_munmap(struct model *m, const struct op *op, struct expect *expect)
{
	int description = m->maps[op->index];

	if (description == NOBODY) {
		may_fail(expect, EINVAL);
		return;
	}
	m->maps[op->index] = NOBODY;
	put_description(m, description);
}

/* Two that wait for one context know of each other from here on. */
static void share(const struct model *m, struct waiter *waiter, struct waiter *other)
{
	if (other == waiter || other->description == NOBODY ||
	    m->descriptions[other->description].context !=
	    m->descriptions[waiter->description].context)
		return;
	waiter->shared = true;
	other->shared = true;
}

static void step_wait(struct model *m, const struct op *op, struct expect *expect)
{
	struct waiter *waiter = &m->waiters[op->index], *other;
	int context = model_context(m, op->slot);

	if (waiter->description != NOBODY) {
		may_fail(expect, EBUSY);
		return;
	}
	waiter->description = description_of_slot(m, op->slot);
	waiter->in_time = !cancelled(m, context);
	waiter->shared = false;
	for (other = m->waiters; other < m->waiters + WAITERS; other++)
		share(m, waiter, other);
	m->descriptions[waiter->description].refs++;
	expect->ret = waiter->in_time ? 0 : POLLIN | POLLRDNORM;
}

static void step_unwait(struct model *m, const struct op *op, struct expect *expect)
{
	int description = m->waiters[op->index].description;

	if (description == NOBODY) {
		may_fail(expect, EINVAL);
		return;
	}
	m->waiters[op->index].description = NOBODY;
	put_description(m, description);
}

static void step_dup(struct model *m, const struct op *op, struct expect *expect)
{
	if (lowest_free_fd(m) == NOBODY)
		may_fail(expect, EMFILE);
	else
		install(m, op->out, description_of_slot(m, op->slot), false, expect);
}

/*
 * Processes
 */

/* What is done now is not done when the call returns. */
void model_slow(struct model *m)
{
	m->slow = true;
	m->late = true;
}

/* Or what comes to the children of further parents is not: the kernel's queue tells those. */
void model_queued(struct model *m)
{
	if (!model_merges(m))
		return;
	m->queued = true;
	m->late = true;
}

/* Whether @process is there and does not wait. */
bool model_may_run(const struct model *m, unsigned int process)
{
	return m->processes[process].exists && m->processes[process].blocked == NOBODY;
}

/* Whether who waits on @description is done. */
bool model_is_over(const struct model *m, int description)
{
	return cancelled(m, m->descriptions[description].context);
}

/* Gives @process a copy of the descriptors that it shares with others, or would. */
static void copy_table(struct model *m, unsigned int process)
{
	const struct table *from = table_of(m, process);
	struct table *to = m->tables;
	int fd;

	while (to->users)
		to++;
	*to = *from;
	to->users = 1;
	for (fd = 0; fd < FDS_MAX; fd++)
		if (to->fds[fd] != NOBODY)
			m->descriptions[to->fds[fd]].refs++;
	m->processes[process].table = to - m->tables;
}

/* Its parent has them, too: so this ends none. */
static void close_writable(struct model *m)
{
	int fd, description;

	for (fd = 0; fd < FDS_MAX; fd++) {
		description = description_of_fd(m, fd);
		if (description != NOBODY && (m->descriptions[description].writable ||
					      m->descriptions[description].control))
			close_fd(m, fd);
	}
}

static void step_fork(struct model *m, const struct op *op, struct expect *expect)
{
	expect->skipped = m->processes[op->index].exists;
	if (expect->skipped)
		return;
	m->processes[op->index] = m->processes[m->self];
	m->processes[op->index].id = m->now;
	if (op->cmd == SHARES)
		table_of(m, m->self)->users++;
	else
		copy_table(m, op->index);
	if (op->cmd == WATCHES) {
		m->self = op->index;
		close_writable(m);
	}
}

/* The kernel closes the highest last, but lets go of the files in the reverse order. */
static void close_many(struct model *m, bool all)
{
	int fd;

	for (fd = 0; fd < FDS_MAX; fd++)
		if (all || table_of(m, m->self)->cloexec[fd])
			flush_fd(m, fd);
	for (fd = FDS_MAX - 1; fd >= 0; fd--)
		if (all || table_of(m, m->self)->cloexec[fd])
			drop_fd(m, fd);
}

static uint64_t ring_bit(int op)
{
	return (uint64_t)1 << op;
}

/* A worker lets go of what a ring has, or had, while others close what is beside it in @table. */
static bool ends_race(const struct model *m, const struct table *table, bool all)
{
	bool ring = false, dropped = false;
	unsigned int beside = 0;
	int i;

	for (i = 0; i < OPS_MAX; i++)
		ring |= table->rings & ring_bit(i) && m->requests[i] != NOBODY &&
			m->descriptions[m->requests[i]].refs == 1 && is_owner(m, m->requests[i]);
	for (i = 0; i < FDS_MAX; i++) {
		if (table->fds[i] == NOBODY || !(all || table->cloexec[i]) ||
		    !is_owner(m, table->fds[i]))
			continue;
		beside++;
		/* This one is closed here, but may end there. */
		if (m->descriptions[table->fds[i]].dropped)
			dropped = true;
	}
	return (ring && beside) || (dropped && beside > 1);
}

/* The new program has descriptors of its own. */
static void step_exec(struct model *m, struct expect *expect)
{
	struct table *table = table_of(m, m->self);

	expect->skipped = ends_race(m, table, false);
	if (expect->skipped)
		return;
	if (table->users > 1) {
		copy_table(m, m->self);
		table->users--;
	}
	close_many(m, false);
	table_of(m, m->self)->rings = 0;
}

static bool by_uring(enum manner manner)
{
	return manner == BY_URING_READ || manner == BY_URING_POLL;
}

static bool by_signal(enum manner manner)
{
	return manner == BY_SIGNAL || manner == BY_GROUP_SIGNAL;
}

static void end_request(struct model *m, int op)
{
	int description = m->requests[op];

	m->requests[op] = NOBODY;
	put_description(m, description);
}

/* By a worker: where others have it still, nobody sees when. */
static void drop_request(struct model *m, int op)
{
	m->descriptions[m->requests[op]].dropped = true;
	model_slow(m);
	end_request(m, op);
}

/* @process no longer waits. */
void model_unblock(struct model *m, unsigned int process)
{
	struct process *p = &m->processes[process];
	int description = p->blocked;

	p->blocked = NOBODY;
	if (description == NOBODY)
		return;
	if (by_signal(p->manner))
		m->descriptions[description].async = false;
	if (p->holds)
		put_description(m, description);
	if (by_uring(p->manner)) {
		end_request(m, p->since);
		table_of(m, process)->rings &= ~ring_bit(p->since);
	}
}

/* Whether somebody waits for the request of operation @op. */
static bool is_awaited(const struct model *m, int op)
{
	const struct process *p;

	for (p = m->processes; p < m->processes + PROCESSES; p++)
		if (p->exists && p->blocked != NOBODY && by_uring(p->manner) && p->since == op)
			return true;
	return false;
}

static bool ring_is_open(const struct model *m, int op)
{
	const struct table *t;

	for (t = m->tables; t < m->tables + PROCESSES; t++)
		if (t->users && t->rings & ring_bit(op))
			return true;
	return false;
}

/*
 * A request outlives the process that made it, as long as another has the ring. What it keeps is
 * let go of when it completes or the ring goes, by a worker of the kernel in either case.
 */
void model_settle(struct model *m)
{
	int op;

	for (op = 0; op < OPS_MAX; op++) {
		if (m->requests[op] == NOBODY || is_awaited(m, op) ||
		    (ring_is_open(m, op) && !model_is_over(m, m->requests[op])))
			continue;
		drop_request(m, op);
	}
}

static unsigned int count_cancelled(const struct model *m)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i < m->nr_contexts; i++)
		n += cancelled(m, i);
	return n;
}

/* Who exits leaves to the queue what it would take long to tell. */
static void step_kill(struct model *m, const struct op *op, struct expect *expect)
{
	struct process *p = &m->processes[op->index];
	unsigned int before = count_cancelled(m);

	expect->skipped = !p->exists ||
			  (table_of(m, op->index)->users == 1 &&
			   ends_race(m, table_of(m, op->index), true));
	if (expect->skipped)
		return;
	m->self = op->index;
	/* Neither a request of io_uring nor O_ASYNC goes with it. */
	if (p->blocked != NOBODY && p->holds)
		put_description(m, p->blocked);
	p->blocked = NOBODY;
	p->exists = false;
	if (table_of(m, op->index)->users == 1)
		close_many(m, true);
	table_of(m, op->index)->users--;
	if (count_cancelled(m) != before)
		model_queued(m);
}

static void step_send(struct model *m, const struct op *op, struct expect *expect)
{
	struct queue *queue = &m->queues[op->index];

	expect->skipped = queue->nr == QUEUE_MAX;
	if (expect->skipped)
		return;
	queue->descriptions[queue->nr++] = description_of_slot(m, op->slot);
	m->descriptions[description_of_slot(m, op->slot)].refs++;
}

/* Where there is no room for it, what was sent is lost. */
static void step_receive(struct model *m, const struct op *op, struct expect *expect)
{
	struct queue *queue = &m->queues[op->index];
	int description;

	if (!queue->nr) {
		may_fail(expect, EAGAIN);
		return;
	}
	description = queue->descriptions[0];
	memmove(queue->descriptions, queue->descriptions + 1, --queue->nr * sizeof(int));
	if (lowest_free_fd(m) == NOBODY)
		may_fail(expect, EMFILE);
	else
		install(m, op->out, description, false, expect);
	put_description(m, description);
}

static const struct table *table_of_self(const struct model *m)
{
	return &m->tables[m->processes[m->self].table];
}

static bool has_request(const struct model *m, const struct table *table)
{
	int op;

	for (op = 0; op < OPS_MAX; op++)
		if (table->rings & ring_bit(op) && m->requests[op] != NOBODY)
			return true;
	return false;
}

/* A signal goes to one owner of the description alone, and a read is not to return at once. */
static bool may_block(const struct model *m, const struct op *op)
{
	int description = description_of_slot(m, op->slot);
	unsigned int i;

	/* Where two rings go at once, nobody knows whose request ends first. */
	if (by_uring(op->cmd) && has_request(m, table_of_self(m)))
		return false;
	/*
	 * Where another thread closes the descriptor, neither epoll nor O_ASYNC keeps what it was,
	 * and poll and select look at what has its number by then.
	 */
	if (table_of_self(m)->users > 1 && op->cmd != BY_READ && !by_uring(op->cmd))
		return false;
	if ((op->cmd == BY_READ || op->cmd == BY_URING_READ) &&
	    m->descriptions[description].nonblock)
		return false;
	for (i = 0; i < PROCESSES; i++)
		if (by_signal(op->cmd) && m->processes[i].exists &&
		    m->processes[i].blocked == description && by_signal(m->processes[i].manner))
			return false;
	return true;
}

static unsigned int count_async(const struct model *m, int context)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i < m->nr_descriptions; i++)
		n += m->descriptions[i].refs && m->descriptions[i].async &&
		     m->descriptions[i].context == context;
	return n;
}

/* More descriptors than may have O_ASYNC, and how many got it. */
static void step_async(const struct model *m, const struct op *op, struct expect *expect)
{
	const struct description *d = &m->descriptions[description_of_slot(m, op->slot)];

	/* What a worker has yet to let go of counts, too; and /dev/ctx is everybody's. */
	expect->skipped = m->late || !d->context;
	if (d->watch_only)
		may_fail(expect, EPERM);
	expect->ret = ASYNC_MAX - count_async(m, d->context);
}

static void step_block(struct model *m, const struct op *op, struct expect *expect)
{
	struct process *p = &m->processes[m->self];
	struct description *d = &m->descriptions[description_of_slot(m, op->slot)];

	expect->skipped = !m->self || !may_block(m, op);
	expect->ret = 1;
	if (expect->skipped)
		return;
	if (by_signal(op->cmd)) {
		d->async = false;
		if (d->watch_only)
			may_fail(expect, EPERM);
	}
	if (must_fail(expect) || cancelled(m, d->context))
		return;
	d->async = by_signal(op->cmd);
	expect->blocks = true;
	p->blocked = description_of_slot(m, op->slot);
	p->manner = op->cmd;
	p->since = m->now;
	p->holds = op->cmd == BY_READ;
	if (p->holds || by_uring(op->cmd))
		m->descriptions[p->blocked].refs++;
	if (by_uring(op->cmd)) {
		m->requests[m->now] = p->blocked;
		table_of(m, m->self)->rings |= ring_bit(m->now);
	}
}

/* Operations that are not about a slot of the process. Returns whether @op is one. */
static bool step_without_slot(struct model *m, const struct op *op, struct expect *expect)
{
	switch (op->kind) {
	case OP_MUNMAP:
		step_munmap(m, op, expect);
		return true;
	case OP_UNWAIT:
		step_unwait(m, op, expect);
		return true;
	case OP_FORK:
		step_fork(m, op, expect);
		return true;
	case OP_EXEC:
		step_exec(m, expect);
		return true;
	case OP_KILL:
		step_kill(m, op, expect);
		return true;
	case OP_RECEIVE:
		step_receive(m, op, expect);
		return true;
	default:
		return false;
	}
}

static void step_on_slot(struct model *m, const struct op *op, struct expect *expect)
{
	switch (op->kind) {
	case OP_IOCTL:
		step_ioctl(m, op, expect);
		break;
	case OP_PURGE:
		/* By the collection of sockets, where it is in a cycle. */
		if (op->cmd)
			model_slow(m);
		close_fd(m, model_fd(m, op->slot));
		break;
	case OP_CLOSE:
		close_fd(m, model_fd(m, op->slot));
		break;
	case OP_OPEN:
		step_open(m, op, expect);
		break;
	case OP_LIST:
		step_list(m, op, expect);
		break;
	case OP_DUP:
		step_dup(m, op, expect);
		break;
	case OP_POLL:
		expect->ret = cancelled(m, model_context(m, op->slot)) ? POLLIN | POLLRDNORM : 0;
		break;
	case OP_READ:
		step_read(m, op, expect);
		break;
	case OP_MMAP:
		step_mmap(m, op, expect);
		break;
	case OP_WAIT:
		step_wait(m, op, expect);
		break;
	case OP_SEND:
		step_send(m, op, expect);
		break;
	case OP_BLOCK:
		step_block(m, op, expect);
		break;
	case OP_ASYNC:
		step_async(m, op, expect);
		break;
	default:
		step_set_deadline(m, op, expect);
		break;
	}
}

/* Where the process of @op is not there, or waits, it is for the first one to do. */
unsigned int model_actor(const struct model *m, const struct op *op)
{
	return model_may_run(m, op->process) ? op->process : 0;
}

/* Does @op to the model, and says what must come of it. */
void model_step(struct model *m, const struct op *op, struct expect *expect)
{
	*expect = (struct expect) { .about = NOBODY };
	m->self = model_actor(m, op);

	if (step_without_slot(m, op, expect)) {
		return;
	} else if (description_of_slot(m, op->slot) == NOBODY) {
		may_fail(expect, EBADF);
	} else {
		step_on_slot(m, op, expect);
		expect->on_context = !expect->skipped;
	}
}
