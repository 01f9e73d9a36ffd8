// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single calls, and the few that make one operation. What an operation turns to is drawn from what
 * the actor has by then; where it has nothing that will do, the operation is left out.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "race_op.h"

void race_name(char name[CTX_NAME_LEN], int ctx)
{
	memset(name, 0, CTX_NAME_LEN);
	if (ctx % 3)
		snprintf(name, CTX_NAME_LEN, "context %d", ctx);
}

bool race_room(const struct making *m, unsigned int calls)
{
	return m->program->nr + calls <= RACE_STEPS;
}

/* The next call, which race_end() ends, and what belongs to it. */
struct batch_call *race_begin(struct making *m, enum batch_what what, int slot)
{
	struct batch_call *call = &m->program->call[m->program->nr];

	*call = (struct batch_call){ .what = what, .flags = BATCH_STAMP, .slot = slot, .out = -1 };
	m->program->step[m->program->nr].child = -1;
	return call;
}

struct race_step *race_step_of(struct making *m)
{
	return &m->program->step[m->program->nr];
}

void race_end(struct making *m)
{
	race_hand_apply(&m->hand, &m->program->call[m->program->nr],
			m->program->step[m->program->nr].child);
	m->program->nr++;
}

struct batch_call *race_ioctl(struct making *m, int slot, uint32_t cmd)
{
	struct batch_call *call = race_begin(m, BATCH_IOCTL, slot);

	call->cmd = cmd;
	call->arg = (uintptr_t)&race_step_of(m)->create; /* where all the arguments stand */
	return call;
}

static int new_slot(struct making *m)
{
	return m->made < BATCH_SLOTS ? m->made++ : -1;
}

/*
 * A slot with a descriptor, a writable one where that is asked for, preferably of the context that
 * all turn to; -1 where there is none.
 */
static int pick(struct making *m, bool writable)
{
	int slot, found = -1, wanted = -1;
	unsigned int nr_found = 0, nr_wanted = 0;

	for (slot = RACE_WATCH(0); slot < BATCH_SLOTS; slot++) {
		const struct race_place *place = &m->hand.slot[slot];

		if (place->ctx < 0 || (writable && !place->writable))
			continue;
		if (rnd_one_in(&m->rnd, ++nr_found))
			found = slot;
		if (place->ctx == m->together && rnd_one_in(&m->rnd, ++nr_wanted))
			wanted = slot;
	}
	return wanted >= 0 ? wanted : found;
}

/*
 * The next call is made when the other actor of a duel makes one about the same context, or up to
 * @spread nanoseconds after that; ten times that for machines which are so much slower.
 */
void race_meet(struct making *m, unsigned int spread)
{
	unsigned int delay = rnd_below(&m->rnd, rnd_one_in(&m->rnd, 4) ? 10 * spread : spread);
	struct batch_call *call = race_begin(m, BATCH_MEET, rnd_one_in(&m->rnd, 4) ? 0 : delay);

	call->flags = 0;
	call->arg = (uintptr_t)m->round->met;
	call->index = m->actor;
	call->cmd = m->round->nr_built - m->together;
	race_end(m);
}

/* Of all that is there, or of that alone which is told without being asked. */
void race_view(struct making *m, bool told)
{
	struct batch_call *call = race_begin(m, BATCH_VIEW, -1);

	call->arg = (uintptr_t)&race_step_of(m)->view;
	call->cmd = told;
	race_end(m);
}

void race_info(struct making *m, int slot)
{
	race_ioctl(m, slot, CTX_IOC_INFO);
	race_end(m);
}

/* 0 to 50 us with equal chance at every scale, which is when the others are at work. */
static uint64_t soon(struct making *m)
{
	return rnd_below(&m->rnd, 1 << rnd_below(&m->rnd, 17)) * 50000ull >> 16;
}

static void make_deadline(struct making *m)
{
	static const int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
	struct ctx_deadline_args args = { .clockid = CLOCK_MONOTONIC };
	int slot = pick(m, !rnd_one_in(&m->rnd, 8));

	if (slot < 0)
		return;
	switch (rnd_below(&m->rnd, 8)) {
	case 0:
	case 1:
		break;
	case 2:
		args.deadline = 1;
		break;
	case 3:
		args.deadline = 1ull << 62;
		break;
	default:
		args.clockid = clocks[rnd_below(&m->rnd, 3)];
		args.flags = CTX_CREATE_TIMEOUT;
		args.deadline = soon(m);
	}
	race_ioctl(m, slot, CTX_IOC_SET_DEADLINE);
	race_step_of(m)->deadline = args;
	race_end(m);
}

/* Puts a child of the context at @slot into the tree. */
static struct history_ctx *plant(struct making *m, int slot, uint32_t flags)
{
	struct race_round *round = m->round;
	unsigned int nr = round->nr_ctxs;
	int parent = m->hand.slot[slot].ctx;
	bool up = parent >= 0 && !(flags & CTX_CREATE_WITHOUT_CANCEL);

	round->ctx[nr] = (struct history_ctx){ .parent = parent, .flags = flags };
	round->depth[nr] = parent < 0 ? 0 : round->depth[parent] + 1;
	round->ways[nr] = up ? round->ways[parent] : 0;
	round->edges[nr] = up ? round->edges[parent] : 0;
	return &round->ctx[nr];
}

/* Unless that gave the newest context more ways up, or edges in a row, than it may have. */
static bool add_parent(struct race_round *round, int parent)
{
	unsigned int nr = round->nr_ctxs;
	struct history_ctx *ctx = &round->ctx[nr];

	if (round->ways[nr] + round->ways[parent] > RACE_WAYS || round->edges[parent] == RACE_EDGES)
		return false;
	ctx->further[ctx->nr_further++] = parent;
	round->ways[nr] += round->ways[parent];
	if (round->edges[nr] < round->edges[parent] + 1)
		round->edges[nr] = round->edges[parent] + 1;
	if (round->depth[nr] < round->depth[parent] + 1)
		round->depth[nr] = round->depth[parent] + 1;
	return true;
}

/* Up to @nr of them. */
static void add_parents(struct making *m, unsigned int nr)
{
	int slots[HISTORY_FURTHER], n = 0, i;
	struct race_step *create;

	while (nr--) {
		slots[n] = pick(m, false);
		n += add_parent(m->round, m->hand.slot[slots[n]].ctx);
	}
	if (!m->round->ways[m->round->nr_ctxs])
		m->round->ways[m->round->nr_ctxs] = 1;
	create = &m->program->step[m->program->nr + n];
	for (i = 0; i < n; i++) {
		struct batch_call *call = race_begin(m, BATCH_FD, slots[i]);

		call->flags = 0;
		call->arg = (uintptr_t)&create->fds[i];
		race_end(m);
	}
}

static void add_value(struct making *m, struct race_step *create)
{
	int ctx = m->round->nr_ctxs;

	m->round->valued[ctx] = rnd_one_in(&m->rnd, 4);
	if (!m->round->valued[ctx])
		return;
	snprintf(create->text, sizeof(create->text), "%d", ctx);
	create->given = (struct ctx_value){
		.key	= (uintptr_t)RACE_KEY,
		.data	= (uintptr_t)create->text,
		.size	= strlen(create->text),
	};
	create->create.nr_values = 1;
	create->create.values = (uintptr_t)&create->given;
}

/* A child of the context at @slot, in the slot @out, with the flags and the deadline of @args. */
void race_child(struct making *m, int slot, int out, unsigned int nr_further,
		       struct ctx_create_args args)
{
	struct history_ctx *ctx = plant(m, slot, args.flags);
	struct race_step *create;

	add_parents(m, nr_further);
	race_ioctl(m, slot, CTX_IOC_CREATE)->out = out;
	create = race_step_of(m);
	create->child = m->round->nr_ctxs;
	create->create = args;
	create->create.fd_flags = CTX_NONBLOCK;
	create->create.nr_parents = ctx->nr_further;
	create->create.parents = (uintptr_t)create->fds;
	race_name(create->create.name, create->child);
	add_value(m, create);
	race_end(m);
	m->round->nr_ctxs++;
	race_info(m, out);
}

static void make_create(struct making *m)
{
	struct ctx_create_args args = { };
	unsigned int nr_further = rnd_one_in(&m->rnd, 4) ? 1 + rnd_below(&m->rnd, 3) : 0;
	/* A root is of more use with further parents. */
	int slot = rnd_one_in(&m->rnd, nr_further ? 4 : 16) ? RACE_BACKGROUND : pick(m, false);
	int out;

	if (m->round->nr_ctxs == HISTORY_CTXS || !race_room(m, 5) || slot < 0)
		return;
	out = new_slot(m);
	if (out < 0)
		return;
	if (pick(m, false) < 0)
		nr_further = 0;
	if (rnd_one_in(&m->rnd, 3))
		args.flags |= CTX_CREATE_DETACHED;
	if (rnd_one_in(&m->rnd, 12))
		args.flags |= CTX_CREATE_WITHOUT_CANCEL;
	if (rnd_one_in(&m->rnd, 4)) {
		args.flags |= CTX_CREATE_TIMEOUT;
		args.deadline = soon(m);
		args.clockid = CLOCK_MONOTONIC;
	}
	race_child(m, slot, out, nr_further, args);
}

/* Cause and message of no other call. */
void race_cancel(struct making *m, int slot)
{
	unsigned int nr = 1000 * (m->actor + 1) + m->program->nr;

	race_ioctl(m, slot, CTX_IOC_CANCEL);
	snprintf(race_step_of(m)->text, sizeof(race_step_of(m)->text), "because of %u", nr);
	race_step_of(m)->cancel = (struct ctx_cancel_args){
		.cause		= nr,
		.message_len	= nr % 3 ? strlen(race_step_of(m)->text) : 0,
		.message	= (uintptr_t)race_step_of(m)->text,
	};
	race_end(m);
}

static void make_cancel(struct making *m)
{
	int slot = pick(m, !rnd_one_in(&m->rnd, 12));

	if (slot < 0)
		return;
	race_cancel(m, slot);
	/* What the return promises is worth a look at once. */
	if (rnd_one_in(&m->rnd, 2) && race_room(m, 1))
		race_view(m, rnd_one_in(&m->rnd, 2));
}

void race_close(struct making *m, int slot)
{
	if (slot < 0)
		return;
	race_begin(m, BATCH_CLOSE, slot);
	race_end(m);
}

/* A child that comes and goes, and has had a child over a further edge meanwhile. */
static void make_churn(struct making *m)
{
	struct ctx_create_args args = { };
	int slot = pick(m, false), child = -1, together = m->together;

	if (m->round->nr_ctxs + 2 <= HISTORY_CTXS && race_room(m, 9) && slot >= 0 &&
	    m->made + 2 <= BATCH_SLOTS) {
		if (rnd_one_in(&m->rnd, 2)) {
			args.deadline = 1ull << 62;
			args.clockid = CLOCK_MONOTONIC;
		}
		child = new_slot(m);
		race_child(m, slot, child, 0, args);
		m->together = m->hand.slot[child].ctx;
		race_child(m, RACE_BACKGROUND, new_slot(m), 1, (struct ctx_create_args){ });
		race_close(m, m->made - 1);
		m->together = together;
	}
	if (m->duel)
		race_meet(m, 200);
	race_close(m, child);
}

/* A deadline that is about to come, and another or none in its place at about that time. */
void race_expire(struct making *m, int slot)
{
	struct ctx_deadline_args args = {
		.flags = CTX_CREATE_TIMEOUT, .deadline = rnd_below(&m->rnd, 10000),
		.clockid = CLOCK_MONOTONIC,
	};

	race_ioctl(m, slot, CTX_IOC_SET_DEADLINE);
	race_step_of(m)->deadline = args;
	race_end(m);
	if (rnd_one_in(&m->rnd, 2))
		args = (struct ctx_deadline_args){ .clockid = CLOCK_REALTIME };
	race_ioctl(m, slot, CTX_IOC_SET_DEADLINE);
	race_step_of(m)->deadline = args;
	race_end(m);
}

/* Of a description that the others have, too: they may do the same. */
static void make_async(struct making *m)
{
	int slot = pick(m, rnd_one_in(&m->rnd, 4));
	bool on = rnd_below(&m->rnd, 3);
	unsigned int i;

	if (slot < 0 || !race_room(m, 2))
		return;
	for (i = 0; i < 2; i++, on = !on) {
		race_begin(m, BATCH_ASYNC, slot)->cmd = on;
		race_end(m);
	}
}

/* A child of a context that has the one that all turn to as a further parent. */
static void make_behind(struct making *m)
{
	const struct race_round *round = m->round;
	unsigned int ctx, i;

	if (!race_room(m, 5) || round->nr_ctxs == HISTORY_CTXS || m->made == BATCH_SLOTS)
		return;
	for (ctx = round->nr_built; ctx--;)
		for (i = 0; i < round->ctx[ctx].nr_further; i++)
			if (round->ctx[ctx].further[i] == m->together &&
			    m->hand.slot[RACE_WATCH(ctx)].ctx >= 0) {
				race_child(m, RACE_WATCH(ctx), new_slot(m), rnd_below(&m->rnd, 2),
					   (struct ctx_create_args){ });
				return;
			}
}

static void make_value(struct making *m)
{
	int slot = pick(m, false);

	if (slot < 0)
		return;
	race_ioctl(m, slot, CTX_IOC_GET_VALUE);
	race_step_of(m)->value = (struct ctx_value){
		.key	= (uintptr_t)RACE_KEY,
		.data	= (uintptr_t)race_step_of(m)->text,
		.size	= sizeof(race_step_of(m)->text),
	};
	race_end(m);
}

static void make_copy(struct making *m, enum race_op op)
{
	int slot = pick(m, rnd_one_in(&m->rnd, 2)), out;

	if (slot < 0)
		return;
	out = new_slot(m);
	if (out < 0)
		return;
	if (op == OP_DUP) {
		race_begin(m, BATCH_DUP, slot)->out = out;
	} else {
		race_ioctl(m, slot, CTX_IOC_WATCH)->out = out;
		race_step_of(m)->fd_flags = CTX_NONBLOCK;
	}
	race_end(m);
}

/* A mapping or waiter: one that is free, or one that is not. -1 where there is none. */
static int pick_index(struct making *m, const struct race_place *place, unsigned int nr, bool free)
{
	unsigned int i = rnd_below(&m->rnd, nr), n;

	for (n = 0; n < nr; n++, i = (i + 1) % nr)
		if ((place[i].ctx < 0) == free)
			return i;
	return -1;
}

void race_place_op(struct making *m, enum race_op op)
{
	bool map = op == OP_MMAP || op == OP_MUNMAP;
	bool join = op == OP_MMAP || op == OP_WAIT;
	const struct race_place *places = map ? m->hand.map : m->hand.waiter;
	int index = pick_index(m, places, map ? BATCH_MAPS : BATCH_WAITERS, join);
	int slot = join ? pick(m, false) : -1;
	struct batch_call *call;

	if (index < 0 || (join && slot < 0))
		return;
	/* What a mapping holds is let go of at a time that the call does not tell. */
	if (op == OP_MUNMAP && places[index].writable &&
	    m->hand.writers[places[index].ctx] == 1)
		return;
	call = race_begin(m, map ? join ? BATCH_MMAP : BATCH_MUNMAP : join ? BATCH_WAIT : BATCH_UNWAIT,
		    slot);
	call->index = index;
	call->cmd = op == OP_MMAP ? PROT_READ : 0;
	race_end(m);
}

static void make_look(struct making *m, enum race_op op)
{
	int slot = pick(m, false);
	struct batch_call *call;

	if (slot < 0)
		return;
	switch (op) {
	case OP_INFO:
		race_info(m, slot);
		return;
	case OP_READ:
		call = race_begin(m, BATCH_READ, slot);
		call->arg = (uintptr_t)&race_step_of(m)->event;
		call->cmd = sizeof(struct ctx_event);
		break;
	default:
		race_begin(m, BATCH_POLL, slot);
	}
	race_end(m);
}

void race_op(struct making *m, enum race_op op)
{
	switch (op) {
	case OP_CREATE:
		make_create(m);
		break;
	case OP_CHURN:
		make_churn(m);
		break;
	case OP_ASYNC:
		make_async(m);
		break;
	case OP_BEHIND:
		make_behind(m);
		break;
	case OP_CANCEL:
		make_cancel(m);
		break;
	case OP_CLOSE:
		race_close(m, pick(m, rnd_one_in(&m->rnd, 2)));
		break;
	case OP_DUP:
	case OP_WATCH:
		make_copy(m, op);
		break;
	case OP_DEADLINE:
		make_deadline(m);
		break;
	case OP_VALUE:
		make_value(m);
		break;
	case OP_WAIT:
	case OP_UNWAIT:
	case OP_MMAP:
	case OP_MUNMAP:
		race_place_op(m, op);
		break;
	case OP_VIEW:
		race_view(m, rnd_one_in(&m->rnd, 3));
		break;
	default:
		make_look(m, op);
	}
}
