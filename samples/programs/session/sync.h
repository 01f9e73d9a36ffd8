/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Go's package sync has, for processes that share memory: each wait ends with a context, and
 * none is for a process that is dead. All zero is ready for use, as in Go.
 *
 * Who holds a lock has a context for that, and its id stands in the lock. To wait for the lock is
 * to wait for the end of that context: its owner closes it to unlock, and the kernel ends it when
 * its owner is killed. Then the next holder goes on; what the lock protects may be half changed,
 * unless each change takes effect with one store, as all do in store.c.
 *
 * All processes must be the same user's, and in one pid namespace; who cancels such a context from
 * outside breaks the lock. Each returns 0, or -1 with the error of @ctx, or another.
 */
#ifndef SYNC_H
#define SYNC_H

#include <ctxfd.h>

#define READERS_MAX	8

/* For one at a time */
struct mutex {
	uint64_t owner;		/* the id of the holder's context; 0 for nobody */
};

/* For one, or for several who only read */
struct rwmutex {
	struct mutex writer;	/* also of who is about to read */
	uint64_t readers[READERS_MAX];
};

/* For what is to be done once */
struct once {
	struct mutex mutex;	/* of who does it */
	uint32_t is_done;
};

/* For who waits until something has changed */
struct cond {
	uint64_t waiting;	/* the id of a context that the next broadcast ends */
};

/* That this process holds a lock */
struct hold {
	int ctx;
	uint64_t id;
};

int mutex_lock(int ctx, struct mutex *mutex, struct hold *hold);
void mutex_unlock(struct mutex *mutex, struct hold *hold);

/* Readers share it; who wants to write lets no new ones in. */
int rwmutex_lock(int ctx, struct rwmutex *rwmutex, struct hold *hold);
void rwmutex_unlock(struct rwmutex *rwmutex, struct hold *hold);
int rwmutex_read_lock(int ctx, struct rwmutex *rwmutex, struct hold *hold);
void rwmutex_read_unlock(struct rwmutex *rwmutex, struct hold *hold);

/*
 * Calls @fn unless it was done; whoever comes meanwhile waits for that. Where @fn fails, or is
 * killed, it was not done: the next one calls it anew.
 */
int once_do(int ctx, struct once *once, int (*fn)(int ctx, void *arg), void *arg);

/*
 * Unlocks, and waits for a broadcast. It does not lock again: the caller does, looks whether what
 * it waits for is there, and waits again if not.
 */
int cond_wait(int ctx, struct cond *cond, struct mutex *mutex, struct hold *hold);

/*
 * Wakes all who wait. To be called with the mutex held, and before the change that they wait for:
 * they see that when they have the mutex. Who is killed between the two has woken for nothing; the
 * other way round it would have changed something and woken nobody.
 */
int cond_broadcast(struct cond *cond);

#endif /* SYNC_H */
