// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a history of a round that has run: of each call what it did, or what was learnt by it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "race_round.h"

/**
 * struct collecting - a history that is being made
 * @hand: what the actor had before the call at which it stands
 * @last: the actor looks at everything
 */
struct collecting {
	struct race_events	*events;
	struct race_round	*round;
	struct race_hand	hand;
	int			actor;
	bool			last;
};

/* A history that does not fit shows a fault of this program. */
static struct history_event *add(struct collecting *c, const struct batch_call *call,
				 enum history_what what, const char *how, int ctx)
{
	struct history_event *e = &c->events->event[c->events->history.nr_events++];

	if (c->events->history.nr_events > RACE_EVENTS)
		abort();
	*e = (struct history_event){
		.what		= what,
		.actor		= c->actor,
		.ctx		= ctx,
		.how		= how,
		.begin		= call->begin,
		.end		= call->end,
		.ret		= call->ret,
		.last		= c->last,
		.children	= -1,
	};
	return e;
}

/* The context that has this id; -1 where there is none. One that was left out has none. */
static int find(const struct race_round *round, uint64_t id)
{
	unsigned int i;

	for (i = 0; id && i < round->nr_ctxs; i++)
		if (round->ctx[i].id == id)
			return i;
	return -1;
}

static void read_deadline(struct history_event *e, bool timeout, uint64_t deadline)
{
	e->earliest = timeout ? e->begin + deadline : deadline;
	e->latest = timeout ? e->end + deadline : deadline;
}

static void on_create(struct collecting *c, const struct batch_call *call,
		      const struct race_step *step)
{
	struct history_event *e = add(c, call, HISTORY_CREATE, "create", step->child);

	read_deadline(e, step->create.flags & CTX_CREATE_TIMEOUT, step->create.deadline);
	e->strange = call->ret < 0;
}

static void on_cancel(struct history_event *e, const struct race_step *step)
{
	e->what = HISTORY_CANCEL;
	e->how = "cancel";
	e->cause = step->cancel.cause;
	e->message = step->text;
	e->message_len = step->cancel.message_len;
	e->strange = e->ret != 0 && e->ret != 1 && e->ret != -EBADF;
}

static void on_deadline(struct history_event *e, const struct race_step *step)
{
	e->what = HISTORY_DEADLINE;
	e->how = "deadline";
	read_deadline(e, step->deadline.flags & CTX_CREATE_TIMEOUT, step->deadline.deadline);
	e->strange = e->ret && e->ret != -ECANCELED && e->ret != -EBADF;
}

/* Whether what never changes is as it was made. */
static bool same(const struct race_round *round, int ctx, const struct ctx_info *info)
{
	const struct history_ctx *c = &round->ctx[ctx];
	char name[CTX_NAME_LEN];

	race_name(name, ctx);
	return info->id == c->id && find(round, info->id) == ctx &&
	       info->parent_id == (c->parent < 0 ? 0 : round->ctx[c->parent].id) &&
	       info->flags == c->flags && info->depth == round->depth[ctx] &&
	       !memcmp(info->name, name, sizeof(name));
}

static void on_info(struct history_event *e, const struct race_round *round,
		    const struct ctx_info *info)
{
	e->what = HISTORY_SEEN;
	e->how = "info";
	e->strange = e->ret || !same(round, e->ctx, info) ||
		     !info->err != !info->origin_id || !info->err != !info->cancelled_at ||
		     !info->err != !info->cause || (!info->err && info->message_len) ||
		     info->message_len > CTX_MESSAGE_MAX;
	e->cancelled = info->err;
	e->known = KNOWN_ALL;
	e->err = info->err;
	e->cause = info->cause;
	e->origin = find(round, info->origin_id);
	e->at = info->cancelled_at;
	e->message = info->message;
	e->message_len = info->message_len;
	e->earliest = e->latest = info->deadline;
	e->children = info->nr_children;
}

/* The nearest context upwards that has the value; -1 where none has. */
static int value_of(const struct race_round *round, int ctx)
{
	while (ctx >= 0 && !round->valued[ctx])
		ctx = round->ctx[ctx].parent;
	return ctx;
}

static void on_value(struct history_event *e, const struct race_round *round, const char *text)
{
	int ctx = value_of(round, e->ctx), nr = 0;

	e->how = "value";
	if (ctx < 0) {
		e->strange = e->ret != -ENODATA;
		return;
	}
	e->strange = e->ret != 1 + (ctx > 9);
	while (e->ret-- > 0)
		nr = 10 * nr + *text++ - '0';
	e->ret = nr;
	e->strange |= nr != ctx;
}

static void on_ioctl(struct collecting *c, const struct batch_call *call,
		     const struct race_step *step)
{
	const struct race_place *place = &c->hand.slot[call->slot];
	struct history_event *e;

	if (call->cmd == CTX_IOC_CREATE) {
		on_create(c, call, step);
		return;
	}
	e = add(c, call, HISTORY_OTHER, "watch", place->ctx);
	e->writable = place->writable;
	switch (call->cmd) {
	case CTX_IOC_CANCEL:
		on_cancel(e, step);
		break;
	case CTX_IOC_SET_DEADLINE:
		on_deadline(e, step);
		break;
	case CTX_IOC_INFO:
		on_info(e, c->round, &step->info);
		break;
	case CTX_IOC_GET_VALUE:
		on_value(e, c->round, step->text);
		break;
	default:
		e->strange = e->ret < 0;
	}
}

static void on_poll(struct history_event *e)
{
	e->what = HISTORY_SEEN;
	e->cancelled = e->ret;
	e->strange = e->ret && e->ret != (POLLIN | POLLRDNORM);
}

static void on_read(struct history_event *e, const struct race_round *round,
		    const struct ctx_event *event)
{
	e->what = HISTORY_SEEN;
	e->cancelled = e->ret == sizeof(*event);
	e->strange = !e->cancelled && e->ret != -EAGAIN;
	if (!e->cancelled)
		return;
	e->known = KNOWN_ORIGIN;
	e->err = event->err;
	e->cause = event->cause;
	e->origin = find(round, event->origin_id);
}

static void on_view(struct collecting *c, const struct batch_call *call,
		    const struct batch_view *view)
{
	struct history_event *e;
	int i;

	if (call->ret)
		add(c, call, HISTORY_OTHER, "view", 0)->strange = true;
	for (i = 0; i < BATCH_MAPS; i++) {
		if (c->hand.map[i].ctx < 0)
			continue;
		e = add(c, call, HISTORY_WORD, "word", c->hand.map[i].ctx);
		e->err = view->status[i];
		e->cancelled = e->err;
		e->known = KNOWN_ERR;
	}
	for (i = 0; i < BATCH_WAITERS; i++) {
		if (c->hand.waiter[i].ctx < 0)
			continue;
		e = add(c, call, HISTORY_WAITER, "waiter", c->hand.waiter[i].ctx);
		e->ret = view->woken[i];
		e->cancelled = c->hand.waiter[i].readable;
	}
	for (i = 0; !call->cmd && i < BATCH_SLOTS; i++) {
		if (c->hand.slot[i].ctx < 0)
			continue;
		e = add(c, call, HISTORY_SEEN, "view", c->hand.slot[i].ctx);
		e->cancelled = view->readable >> i & 1;
	}
}

static const char *name_of(const struct batch_call *call)
{
	static const char *const names[] = {
		[BATCH_SET] = "take", [BATCH_CLOSE] = "close", [BATCH_DUP] = "dup",
		[BATCH_POLL] = "poll", [BATCH_READ] = "read", [BATCH_MMAP] = "mmap",
		[BATCH_MUNMAP] = "munmap", [BATCH_WAIT] = "wait", [BATCH_UNWAIT] = "unwait",
		[BATCH_ASYNC] = "async",
	};

	return names[call->what];
}

/* The context that a call is about; -1 where it is about none. */
static int ctx_of(const struct collecting *c, const struct batch_call *call)
{
	if (call->what == BATCH_MUNMAP)
		return c->hand.map[call->index].ctx;
	if (call->what == BATCH_UNWAIT)
		return c->hand.waiter[call->index].ctx;
	return call->slot < 0 || call->slot >= BATCH_SLOTS ? -1 : c->hand.slot[call->slot].ctx;
}

static void on_call(struct collecting *c, const struct batch_call *call,
		    const struct race_step *step, bool released, int ctx)
{
	struct history_event *e;

	if (ctx < 0)
		return;
	e = add(c, call, released ? HISTORY_RELEASE : HISTORY_OTHER, name_of(call), ctx);
	e->strange = call->ret < 0;
	if (call->what == BATCH_POLL || call->what == BATCH_WAIT)
		on_poll(e);
	else if (call->what == BATCH_READ)
		on_read(e, c->round, &step->event);
}

static void on_nap(struct collecting *c)
{
	const struct race_nap *nap = &c->round->nap;
	struct history_event *e = add(c, &nap->call, HISTORY_SEEN, "sleep", nap->ctx);

	e->actor = RACE_SLEEPER;
	if (nap->how == SLEEP_READ)
		on_read(e, c->round, &nap->event);
	else
		on_poll(e);
	/* It waits until there is something to see. */
	e->strange |= !e->cancelled;
}

/* Who is killed leaves to others what would take it long. */
static void on_victim(struct collecting *c)
{
	struct history_event *e = add(c, &c->round->killed, HISTORY_RELEASE, "kill",
				      c->round->victim);

	e->actor = RACE_VICTIM;
	e->brief = true;
}

static void collect(struct collecting *c, const struct race_program *program)
{
	unsigned int i;

	for (i = 0; i < program->nr; i++) {
		const struct batch_call *call = &program->call[i];
		const struct race_step *step = &program->step[i];
		int ctx = ctx_of(c, call);
		bool released;

		switch (call->what) {
		case BATCH_IOCTL:
			on_ioctl(c, call, step);
			race_hand_apply(&c->hand, call, step->child);
			break;
		case BATCH_VIEW:
			on_view(c, call, &step->view);
			break;
		case BATCH_FD:
		case BATCH_MEET:
			break;
		default:
			released = race_hand_apply(&c->hand, call, -1);
			on_call(c, call, step, released, ctx);
		}
	}
}

/* What CTX_IOC_INFO said first: each context is asked for it once it is made. */
static void learn_ids(struct race_round *round, const struct race_program *program)
{
	unsigned int i;

	for (i = 0; i + 1 < program->nr; i++)
		if (program->step[i].child >= 0)
			round->ctx[program->step[i].child].id = program->step[i + 1].info.id;
}

static void settle(struct collecting *c)
{
	unsigned int i;

	for (i = 0; i < c->round->nr_ctxs; i++)
		c->round->ctx[i].held |= race_hand_holds(&c->hand, i);
}

void race_collect(struct race_events *events, struct race_round *round)
{
	struct collecting c = { .events = events, .round = round, .actor = RACE_BUILDER };
	unsigned int i;

	events->history = (struct history){
		.ctx = round->ctx, .nr_ctxs = round->nr_ctxs, .event = events->event,
	};
	learn_ids(round, &round->build);
	for (i = 0; i < round->nr_actors; i++)
		learn_ids(round, &round->actor[i].race);
	for (i = 0; i < round->nr_ctxs; i++)
		round->ctx[i].held = false;

	race_hand_init(&c.hand);
	collect(&c, &round->build);
	collect(&c, &round->wake);
	if (round->nap.how)
		on_nap(&c);
	if (round->victim >= 0)
		on_victim(&c);
	for (c.actor = 0; c.actor < (int)round->nr_actors; c.actor++) {
		race_hand_init(&c.hand);
		c.last = false;
		collect(&c, &round->actor[c.actor].setup);
		collect(&c, &round->actor[c.actor].race);
		c.last = true;
		collect(&c, &round->actor[c.actor].last);
		settle(&c);
	}
}
