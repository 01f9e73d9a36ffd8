/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The plain model: what cancellation contexts are, without threads, locks, memory order, clocks
 * that go on, or anything that is there to be fast. It is the contract in a form that runs.
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "program.h"

#define NOBODY		(-1)
#define WOKEN_OR_NOT	UINT32_MAX
#define WOKEN_SOMETIMES	(UINT32_MAX - 1)	/* at least once */
#define CONTEXTS_MAX	(OPS_MAX + 1)	/* the background is context 0 */
#define FDS_MAX		14		/* RLIMIT_NOFILE: few enough for EMFILE */

/**
 * struct instant - a time that is known when the program has run
 * @set: whether there is one
 * @after: @ns counts from operation @op, and not from the clock's beginning
 * @clock: on which clock
 * @op: see @after
 * @ns: see @after
 */
struct instant {
	bool		set;
	bool		after;
	int		clock;
	int		op;
	int64_t		ns;
};

/**
 * struct context - a cancellation context
 * @parent: NOBODY for a root
 * @nr_parents: further parents
 * @parents: likewise
 * @flags: CTX_CREATE_*
 * @maker: the process that made it, by its id
 * @depth: 0 for a root
 * @name: as it was created with
 * @nr_values: how many
 * @values: with addresses that stay readable
 * @deadline: its own
 * @descriptions: open file descriptions of it
 * @origin: whose cancellation reached it; NOBODY while alive
 * @err: of its own cancellation
 * @cause: likewise
 * @message: likewise
 * @message_len: likewise
 * @cancelled: the operation that cancelled it
 * @ways: different ways up from it
 * @edges: to further parents on that of them with most
 */
struct context {
	int			parent;
	unsigned int		nr_parents;
	int			parents[CTX_PARENTS_MAX];
	uint32_t		flags;
	int			maker;
	uint32_t		depth;
	char			name[CTX_NAME_LEN];
	unsigned int		nr_values;
	struct ctx_value	values[CTX_VALUES_MAX];
	struct instant		deadline;
	unsigned int		descriptions;

	int			origin;
	uint32_t		err;
	int32_t			cause;
	const unsigned char	*message;
	uint32_t		message_len;
	int			cancelled;
	unsigned int		ways;
	unsigned int		edges;
};

/**
 * struct description - an open file description
 * @context: of which
 * @writable: it is the owner's
 * @control: it can do what the owner's can, and its end is nobody's
 * @watch_only: it is a stranger's
 * @nonblock: O_NONBLOCK
 * @async: O_ASYNC, which who is killed leaves on
 * @dropped: a worker has let go of it, or will soon: nobody sees when
 * @refs: descriptors, mappings and waiters
 */
struct description {
	int		context;
	bool		writable;
	bool		control;
	bool		watch_only;
	bool		nonblock;
	bool		async;
	bool		dropped;
	unsigned int	refs;
};

/* A waiter: of which description, whether it came before the cancellation, and was not alone. */
struct waiter {
	int		description;
	bool		in_time;
	bool		shared;
};

/**
 * struct table - descriptors, of a process or of several as of the threads of one
 * @users: processes
 * @fds: descriptions; NOBODY
 * @cloexec: whether exec closes them
 * @slots: descriptors; NOBODY
 * @rings: a bit for the ring of io_uring of each OP_BLOCK, which exec closes
 */
struct table {
	unsigned int	users;
	int		fds[FDS_MAX];
	bool		cloexec[FDS_MAX];
	int		slots[SLOTS];
	uint64_t	rings;
};

/**
 * struct process - a process
 * @exists: whether there is one
 * @id: no other process has it
 * @table: its descriptors
 * @blocked: the description on which it waits; NOBODY
 * @holds: the wait keeps that, whatever becomes of the descriptor
 * @manner: how it waits
 * @since: the operation
 */
struct process {
	bool		exists;
	int		id;
	unsigned int	table;
	int		blocked;
	bool		holds;
	enum manner	manner;
	int		since;
};

/* Descriptors that were sent and not yet received: descriptions */
struct queue {
	unsigned int	nr;
	int		descriptions[QUEUE_MAX];
};

struct model {
	int			nr_contexts;
	struct context		contexts[CONTEXTS_MAX];
	int			nr_descriptions;
	struct description	descriptions[OPS_MAX + 1];
	struct table		tables[PROCESSES];
	struct process		processes[PROCESSES];
	unsigned int		self;			/* whose descriptors are meant */
	struct queue		queues[QUEUES];
	int			requests[OPS_MAX];	/* descriptions that rings keep; NOBODY */
	bool			slow;			/* the kernel's workers have a part in @now */
	bool			queued;			/* but in what is behind edges alone */
	bool			late;			/* they had in any until now */
	int			maps[MAPS];		/* descriptions; NOBODY */
	struct waiter		waiters[WAITERS];
	bool			used[FDS_MAX];		/* descriptors of the fuzzer's own */
	int			other;			/* one of these */
	int			now;			/* the operation */
	unsigned int		max_depth;
	unsigned int		limit;			/* of contexts; 0 for none */
};

/**
 * struct expect - what must come of an operation
 * @skipped: it is not to be run: it would wait for ever, or there is nobody to run it
 * @blocks: it waits
 * @on_context: it is about a descriptor that is open
 * @errors: a bit for each errno that it may fail with; it must where there is one
 * @ret: what it returns otherwise
 * @out_len: bytes that it writes to @out of its memory
 * @out: these bytes; NULL where they are a struct ctx_event or ctx_info
 * @event: but for its origin_id
 * @about: the context whose id or INFO it gives; NOBODY where it does not
 */
struct expect {
	bool			skipped;
	bool			blocks;
	bool			on_context;
	uint64_t		errors[3];
	int64_t			ret;
	size_t			out_len;
	const unsigned char	*out;
	struct ctx_event	event;
	int			about;
};

/**
 * struct look - what CTX_IOC_INFO must tell of a context
 * @context: of which; NOBODY where the slot is empty
 * @origin: context
 * @children: nr_children
 * @deadlines: @nr_deadlines instants, the earliest of which it is
 */
struct look {
	int			context;
	int			origin;
	uint32_t		children;
	unsigned int		nr_deadlines;
	struct instant		deadlines[CONTEXTS_MAX];
};

void model_init(struct model *m, int background_fd);
void model_step(struct model *m, const struct op *op, struct expect *expect);
void model_look(const struct model *m, int slot, struct look *look);
void model_cancel(struct model *m, int context, uint32_t err, int32_t cause,
		  const unsigned char *message, uint32_t message_len);
int model_fd(const struct model *m, int slot);
int model_context(const struct model *m, int slot);
unsigned int model_actor(const struct model *m, const struct op *op);
void model_find_existing(const struct model *m, bool *exists);
bool model_may_run(const struct model *m, unsigned int process);
bool model_merges(const struct model *m);
void model_slow(struct model *m);
void model_queued(struct model *m);
bool model_is_at_once(const struct model *m, int description);
bool model_is_over(const struct model *m, int description);
void model_unblock(struct model *m, unsigned int process);
void model_settle(struct model *m);
const int *model_slots(const struct model *m, unsigned int process);
uint64_t model_readable(const struct model *m);
uint32_t model_status(const struct model *m, unsigned int map);
uint32_t model_woken(const struct model *m, unsigned int waiter);

#endif /* FUZZ_MODEL_H */
