// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an actor has after each of its calls: known before a round, to make programs that mean
 * something, and followed again after it, to read what came of them.
 */
#include "race_round.h"

static const struct race_place nothing = { .ctx = -1 };

void race_hand_init(struct race_hand *hand)
{
	unsigned int i;

	*hand = (struct race_hand){ };
	for (i = 0; i < BATCH_SLOTS; i++)
		hand->slot[i] = nothing;
	for (i = 0; i < BATCH_MAPS; i++)
		hand->map[i] = nothing;
	for (i = 0; i < BATCH_WAITERS; i++)
		hand->waiter[i] = nothing;
}

static void take(struct race_hand *hand, struct race_place *place, int ctx, bool writable)
{
	*place = (struct race_place){ .ctx = ctx, .writable = writable };
	if (writable)
		hand->writers[ctx]++;
}

/* Returns whether it was the last that kept the writable file. */
static bool drop(struct race_hand *hand, struct race_place *place)
{
	struct race_place old = *place;

	*place = nothing;
	return old.writable && !--hand->writers[old.ctx];
}

static void take_sent(struct race_hand *hand, int slot)
{
	if (slot >= RACE_WRITABLE(0))
		take(hand, &hand->slot[slot], slot - RACE_WRITABLE(0), true);
	else if (slot >= RACE_WATCH(0))
		take(hand, &hand->slot[slot], slot - RACE_WATCH(0), false);
}

/* Follows a @call that succeeded. Returns whether it released the context. */
bool race_hand_apply(struct race_hand *hand, const struct batch_call *call, int child)
{
	struct race_place from = nothing;

	/* A meeting has something else there. */
	if (call->slot >= 0 && call->slot < BATCH_SLOTS)
		from = hand->slot[call->slot];
	switch (call->what) {
	case BATCH_SET:
		take_sent(hand, call->out);
		break;
	case BATCH_IOCTL:
		if (call->cmd == CTX_IOC_CREATE)
			take(hand, &hand->slot[call->out], child, true);
		else if (call->cmd == CTX_IOC_WATCH)
			take(hand, &hand->slot[call->out], from.ctx, false);
		break;
	case BATCH_DUP:
		take(hand, &hand->slot[call->out], from.ctx, from.writable);
		break;
	case BATCH_CLOSE:
		return drop(hand, &hand->slot[call->slot]);
	case BATCH_MMAP:
		take(hand, &hand->map[call->index], from.ctx, from.writable);
		break;
	case BATCH_MUNMAP:
		return drop(hand, &hand->map[call->index]);
	case BATCH_WAIT:
		take(hand, &hand->waiter[call->index], from.ctx, from.writable);
		hand->waiter[call->index].readable = call->ret;
		break;
	case BATCH_UNWAIT:
		return drop(hand, &hand->waiter[call->index]);
	}
	return false;
}

static bool among(const struct race_place *place, unsigned int nr, int ctx)
{
	while (nr--)
		if (place[nr].ctx == ctx)
			return true;
	return false;
}

bool race_hand_holds(const struct race_hand *hand, int ctx)
{
	return among(hand->slot, BATCH_SLOTS, ctx) || among(hand->map, BATCH_MAPS, ctx) ||
	       among(hand->waiter, BATCH_WAITERS, ctx);
}
