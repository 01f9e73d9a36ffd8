// SPDX-License-Identifier: LGPL-2.1-or-later
/* Locks that are contexts */
#include <err.h>
#include <errno.h>
#include <unistd.h>

#include "session/sync.h"

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static bool replace(uint64_t *word, uint64_t old, uint64_t new)
{
	return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static void close_keeping_errno(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

/*
 * No child of the caller's context, with which the hold would end before its time. OWNED: a child
 * that is forked meanwhile does not prolong it.
 */
static int hold_begin(struct hold *hold)
{
	struct ctx_info info;

	hold->ctx = ctxfd_create_opts(ctxfd_background(), &(struct ctxfd_create_opts){
		.name = "lock",
		.flags = CTX_CREATE_OWNED,
	});
	if (hold->ctx < 0 || ctxfd_info(hold->ctx, &info))
		return -1;
	hold->id = info.id;
	return 0;
}

/* Waits until whoever has the context with that id gives it up, or is dead. */
static int wait_for_end(int ctx, uint64_t id)
{
	struct pollfd pfd = { .fd = ctxfd_open(id, 0), .events = POLLIN };
	struct ctx_info info;
	int ret;

	if (pfd.fd < 0)
		return errno == ENOENT ? 0 : -1;	/* it is over: ids are not used again */
	if (!ctxfd_info(pfd.fd, &info) && !info.err)
		warnx("waits for process %d", info.maker);
	ret = ctxfd_poll(ctx, &pfd, 1, NULL);
	close_keeping_errno(pfd.fd);
	return ret < 0 ? -1 : 0;
}

/* To unlock is to clear the word first: where the id still stands there, the holder is dead. */
int mutex_lock(int ctx, struct mutex *mutex, struct hold *hold)
{
	uint64_t owner;

	if (hold_begin(hold))
		return -1;
	while (!replace(&mutex->owner, 0, hold->id)) {
		owner = load(&mutex->owner);
		if (!owner)
			continue;
		if (wait_for_end(ctx, owner)) {
			close_keeping_errno(hold->ctx);
			return -1;
		}
		if (replace(&mutex->owner, owner, hold->id)) {
			warnx("takes the lock of a process that was killed");
			break;
		}
	}
	return 0;
}

void mutex_unlock(struct mutex *mutex, struct hold *hold)
{
	replace(&mutex->owner, hold->id, 0);
	close_keeping_errno(hold->ctx);
}

/* With the mutex held no reader comes in; those who are in go, or are dead. */
int rwmutex_lock(int ctx, struct rwmutex *rwmutex, struct hold *hold)
{
	uint64_t id;

	if (mutex_lock(ctx, &rwmutex->writer, hold))
		return -1;
	for (unsigned int i = 0; i < READERS_MAX; i++) {
		while ((id = load(&rwmutex->readers[i]))) {
			if (wait_for_end(ctx, id)) {
				mutex_unlock(&rwmutex->writer, hold);
				return -1;
			}
			replace(&rwmutex->readers[i], id, 0);
		}
	}
	return 0;
}

void rwmutex_unlock(struct rwmutex *rwmutex, struct hold *hold)
{
	mutex_unlock(&rwmutex->writer, hold);
}

/* Takes a free place. Where there is none it waits for that of the first. */
static int read_begin(int ctx, struct rwmutex *rwmutex, struct hold *hold)
{
	uint64_t first;

	if (hold_begin(hold))
		return -1;
	for (;;) {
		for (unsigned int i = 0; i < READERS_MAX; i++)
			if (replace(&rwmutex->readers[i], 0, hold->id))
				return 0;
		first = load(&rwmutex->readers[0]);
		if (first && wait_for_end(ctx, first)) {
			close_keeping_errno(hold->ctx);
			return -1;
		}
		replace(&rwmutex->readers[0], first, 0);
	}
}

int rwmutex_read_lock(int ctx, struct rwmutex *rwmutex, struct hold *hold)
{
	struct hold turn;
	int ret;

	if (mutex_lock(ctx, &rwmutex->writer, &turn))
		return -1;
	ret = read_begin(ctx, rwmutex, hold);
	mutex_unlock(&rwmutex->writer, &turn);
	return ret;
}

void rwmutex_read_unlock(struct rwmutex *rwmutex, struct hold *hold)
{
	for (unsigned int i = 0; i < READERS_MAX; i++)
		replace(&rwmutex->readers[i], hold->id, 0);
	close_keeping_errno(hold->ctx);
}

int once_do(int ctx, struct once *once, int (*fn)(int ctx, void *arg), void *arg)
{
	struct hold hold;
	int ret = 0;

	if (__atomic_load_n(&once->is_done, __ATOMIC_ACQUIRE))
		return 0;
	if (mutex_lock(ctx, &once->mutex, &hold))
		return -1;
	if (!__atomic_load_n(&once->is_done, __ATOMIC_ACQUIRE))
		ret = fn(ctx, arg);
	if (!ret)
		__atomic_store_n(&once->is_done, 1, __ATOMIC_RELEASE);
	mutex_unlock(&once->mutex, &hold);
	return ret;
}

/*
 * The first who waits makes the context that the others wait for, too. When it gives up, or is
 * killed, they wake for nothing, and one of them makes the next.
 */
static int cond_join(struct cond *cond)
{
	int fd = ctxfd_open(cond->waiting, 0);
	struct hold own;

	if (fd >= 0 && !ctxfd_err(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	else if (errno != ENOENT)
		return -1;
	if (hold_begin(&own))
		return -1;
	cond->waiting = own.id;
	return own.ctx;
}

int cond_wait(int ctx, struct cond *cond, struct mutex *mutex, struct hold *hold)
{
	struct pollfd pfd = { .fd = cond_join(cond), .events = POLLIN };
	int ret;

	mutex_unlock(mutex, hold);
	if (pfd.fd < 0)
		return -1;
	ret = ctxfd_poll(ctx, &pfd, 1, NULL);
	close_keeping_errno(pfd.fd);
	return ret < 0 ? -1 : 0;
}

int cond_broadcast(struct cond *cond)
{
	int fd = ctxfd_open(cond->waiting, CTX_OPEN_CONTROL);

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;	/* nobody waits */
	ctxfd_cancel(fd);
	close(fd);
	return 0;
}
