/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one thread that waits for all that is to come. */
#ifndef CTXFD_HUB_H
#define CTXFD_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "ctxfd.h"

struct ctxfd_hub;

/* Where an item stands. Each is left once, for one below it. */
enum ctxfd_state { CTXFD_ARMED, CTXFD_RUNNING, CTXFD_DONE };

/* What is to be done once a descriptor is ready. */
struct ctxfd_item {
	/* Called on the thread, without a lock, with what poll said. */
	void (*run)(struct ctxfd_item *item, uint32_t revents);
	/* Gives the memory back, after all else. */
	void (*release)(struct ctxfd_item *item);
	int fd;			/* the item's own; closed by the hub once it is not waited for */
	uint32_t events;	/* of epoll */

	struct ctxfd_hub *hub;
	enum ctxfd_state state;	/* by the hub's lock */
	bool left;		/* stopped while it runs, by who does not wait */
	struct ctxfd_item *next, *before;	/* of those that are waited for */
};

/* Waits for @item, which is filled in up to @events: 0, or -1 and @item is the caller's. */
int ctxfd_hub_add(struct ctxfd_item *item);

/*
 * Ends @item and releases it: 1 where it has not run and never will. Where it runs, the
 * call waits for its end if @wait is set and it is not the thread itself that calls.
 */
int ctxfd_hub_stop(struct ctxfd_item *item, bool wait);

#endif /* CTXFD_HUB_H */
