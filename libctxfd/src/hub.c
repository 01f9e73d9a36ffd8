// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The one thread that waits for all that is to come. It begins with the first item
 * and ends with the last that is waited for.
 *
 * A child that was forked has no such thread, and may have got the lock locked. It finds
 * by ctxfd_process() that the hub is another's, touches neither its lock nor its epoll
 * set, which it shares with the parent, and makes one of its own where it needs one. The
 * set stays open there until it execs: as fork copies the table of descriptors first and
 * the memory then, a number in that may by now be another file's.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hub.h"
#include "internal.h"

struct ctxfd_hub {
	unsigned long process;	/* whose it is */
	struct ctxfd_hub *parents;	/* kept: items of the parent process know it */
	pthread_mutex_t lock;	/* of all that follows, and of the items */
	pthread_cond_t changed;	/* an item has ended, or the thread */
	int epoll;
	int wake;		/* eventfd in the set: look again whether to end */
	bool alive;		/* the thread */
	bool ended;		/* the thread, and nobody has joined it */
	bool lost;		/* the program has closed the set: nobody can wake the thread */
	pthread_t thread;
	unsigned int armed;	/* items that are waited for */
	unsigned int items;	/* that are not stopped yet */
	unsigned int joiners;	/* calls that wait for the end of the thread */
	struct ctxfd_item *running;
	/* Else only the kernel would know them: leaks, to a checker that looks at the end. */
	struct ctxfd_item *first;
};

/* Replaced by a child, once: its parent's by its own. */
static struct ctxfd_hub *_Atomic the_hub;

/* That this thread is the thread of. */
static _Thread_local struct ctxfd_hub *my_hub;

static bool is_ours(const struct ctxfd_hub *hub)
{
	return hub && hub->process == ctxfd_process();
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_set(struct ctxfd_hub *hub)
{
	close_fd(&hub->epoll);
	close_fd(&hub->wake);
}

static struct ctxfd_hub *new_hub(struct ctxfd_hub *parents)
{
	struct ctxfd_hub *hub = malloc(sizeof(*hub));

	if (!hub)
		return NULL;
	*hub = (struct ctxfd_hub){
		.process = ctxfd_process(),
		.parents = parents,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.epoll = -1,
		.wake = -1,
	};
	if (hub->process)
		return hub;
	free(hub);
	errno = ENOMEM;
	return NULL;
}

static struct ctxfd_hub *get_hub(void)
{
	struct ctxfd_hub *seen = atomic_load_explicit(&the_hub, memory_order_acquire), *new;

	if (is_ours(seen))
		return seen;
	new = new_hub(seen);
	if (!new)
		return NULL;
	if (atomic_compare_exchange_strong_explicit(&the_hub, &seen, new, memory_order_acq_rel,
						    memory_order_acquire))
		return new;
	free(new);
	return seen;
}

static int lock_hub(struct ctxfd_hub *hub)
{
	int state = ctxfd_hold_cancel();

	pthread_mutex_lock(&hub->lock);
	return state;
}

static void unlock_hub(struct ctxfd_hub *hub, int state)
{
	pthread_mutex_unlock(&hub->lock);
	ctxfd_release_cancel(state);
}

static void link_item(struct ctxfd_hub *hub, struct ctxfd_item *item)
{
	item->before = NULL;
	item->next = hub->first;
	if (item->next)
		item->next->before = item;
	hub->first = item;
}

static void unlink_item(struct ctxfd_hub *hub, struct ctxfd_item *item)
{
	if (item->next)
		item->next->before = item->before;
	if (item->before)
		item->before->next = item->next;
	else
		hub->first = item->next;
}

/* From here on it can run no more. */
static void disarm(struct ctxfd_hub *hub, struct ctxfd_item *item)
{
	/* By hand: the close ends it only where no child has a copy of the descriptor. */
	epoll_ctl(hub->epoll, EPOLL_CTL_DEL, item->fd, NULL);
	close_fd(&item->fd);
	unlink_item(hub, item);
	if (--hub->armed)
		return;
	if (eventfd_write(hub->wake, 1))
		hub->lost = true;
	pthread_cond_broadcast(&hub->changed);
}

static void after_run(struct ctxfd_hub *hub, struct ctxfd_item *item)
{
	hub->running = NULL;
	item->state = CTXFD_DONE;
	if (item->left)
		item->release(item);
	pthread_cond_broadcast(&hub->changed);
}

static void *thread_main(void *arg);

static int start_thread(struct ctxfd_hub *hub)
{
	sigset_t all, old;
	int err;

	/* The thread takes no signal that is meant for the program. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&hub->thread, NULL, thread_main, hub);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	hub->alive = !err;
	hub->lost = false;
	errno = err;
	return err ? -1 : 0;
}

static void end_thread(struct ctxfd_hub *hub)
{
	close_set(hub);
	hub->alive = false;
	/* Whoever stops an item joins it. */
	if (hub->items || hub->joiners)
		hub->ended = true;
	else
		pthread_detach(pthread_self());
	pthread_cond_broadcast(&hub->changed);
}

/* A function has left by pthread_exit(): the others are to run all the same. */
static void thread_lost(void *arg)
{
	struct ctxfd_hub *hub = arg;

	if (!is_ours(hub))
		return;
	pthread_mutex_lock(&hub->lock);
	after_run(hub, hub->running);
	/* Without another thread, what is armed is lost; who stops it need not wait. */
	if (hub->armed && !start_thread(hub))
		pthread_detach(pthread_self());
	else
		end_thread(hub);
	pthread_mutex_unlock(&hub->lock);
}

/* Returns false in a child that @item has forked. */
static bool run_item(struct ctxfd_hub *hub, struct ctxfd_item *item, uint32_t revents)
{
	item->state = CTXFD_RUNNING;
	hub->running = item;
	disarm(hub, item);
	pthread_mutex_unlock(&hub->lock);

	pthread_cleanup_push(thread_lost, hub);
	item->run(item, revents);
	pthread_cleanup_pop(0);

	if (!is_ours(hub))
		return false;
	pthread_mutex_lock(&hub->lock);
	after_run(hub, item);
	return true;
}

/* Runs what is ready. Returns false in a child that an item has forked. */
static bool run_ready(struct ctxfd_hub *hub)
{
	struct epoll_event event;
	eventfd_t value;
	int n = 1;

	/*
	 * Taken with the lock, and one at a time: what is stopped is in the set no more, so
	 * that the item of an event is there.
	 */
	while (hub->armed && n > 0) {
		n = epoll_wait(hub->epoll, &event, 1, 0);
		if (n <= 0)
			break;
		if (!event.data.ptr)
			eventfd_read(hub->wake, &value);
		else if (!run_item(hub, event.data.ptr, event.events))
			return false;
	}
	/* Nothing will come any more, see @lost. */
	if (n < 0 && errno != EINTR) {
		hub->epoll = -1;
		hub->wake = -1;
		while (hub->armed)
			pthread_cond_wait(&hub->changed, &hub->lock);
	}
	return true;
}

static void *thread_main(void *arg)
{
	struct ctxfd_hub *hub = arg;
	struct pollfd pfd;

	ctxfd_hold_cancel();
	pthread_setname_np(pthread_self(), "ctxfd");
	my_hub = hub;
	pthread_mutex_lock(&hub->lock);
	while (hub->armed) {
		pfd = (struct pollfd){ .fd = hub->epoll, .events = POLLIN };
		pthread_mutex_unlock(&hub->lock);
		poll(&pfd, 1, -1);
		pthread_mutex_lock(&hub->lock);
		if (!run_ready(hub))
			return NULL;
	}
	end_thread(hub);
	pthread_mutex_unlock(&hub->lock);
	return NULL;
}

static void join_ended(struct ctxfd_hub *hub)
{
	pthread_t thread = hub->thread;

	if (!hub->ended)
		return;
	hub->ended = false;
	/* It does nothing more but to unlock and return. */
	pthread_mutex_unlock(&hub->lock);
	pthread_join(thread, NULL);
	pthread_mutex_lock(&hub->lock);
}

static int open_set(struct ctxfd_hub *hub)
{
	struct epoll_event event = { .events = EPOLLIN };

	hub->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (hub->epoll < 0)
		return -1;
	hub->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return hub->wake < 0 ? -1 : epoll_ctl(hub->epoll, EPOLL_CTL_ADD, hub->wake, &event);
}

static int add_locked(struct ctxfd_hub *hub, struct ctxfd_item *item)
{
	struct epoll_event event = { .events = item->events, .data.ptr = item };
	int err;

	if (!hub->alive && open_set(hub))
		goto fail;
	if (epoll_ctl(hub->epoll, EPOLL_CTL_ADD, item->fd, &event))
		goto fail;
	hub->armed++;
	if (hub->alive || !start_thread(hub)) {
		hub->items++;
		link_item(hub, item);
		/* It stays: nobody need wait for its end. */
		if (hub->joiners)
			pthread_cond_broadcast(&hub->changed);
		return 0;
	}
	hub->armed--;
fail:
	err = errno;
	if (!hub->alive)
		close_set(hub);
	errno = err;
	return -1;
}

int ctxfd_hub_add(struct ctxfd_item *item)
{
	struct ctxfd_hub *hub = get_hub();
	int state, ret, err;

	if (!hub)
		return -1;
	item->hub = hub;
	item->state = CTXFD_ARMED;
	item->left = false;
	state = lock_hub(hub);
	join_ended(hub);
	ret = add_locked(hub, item);
	err = errno;
	unlock_hub(hub, state);
	errno = err;
	return ret;
}

/* Nobody will come to join it. */
static void detach_ended(struct ctxfd_hub *hub)
{
	hub->ended = false;
	pthread_detach(hub->thread);
}

/* The thread goes with the last item, unless it is busy with another. */
static void wait_for_thread(struct ctxfd_hub *hub)
{
	hub->joiners++;
	while (hub->alive && !hub->armed && !hub->running && !hub->lost)
		pthread_cond_wait(&hub->changed, &hub->lock);
	hub->joiners--;
	join_ended(hub);
}

static int stop_locked(struct ctxfd_hub *hub, struct ctxfd_item *item, bool wait)
{
	int stopped = item->state == CTXFD_ARMED;

	if (my_hub == hub)
		wait = false;
	if (stopped)
		disarm(hub, item);
	while (wait && item->state == CTXFD_RUNNING)
		pthread_cond_wait(&hub->changed, &hub->lock);
	hub->items--;
	if (item->state == CTXFD_RUNNING)
		item->left = true;
	else
		item->release(item);
	if (wait)
		wait_for_thread(hub);
	else if (hub->ended && !hub->items && !hub->joiners)
		detach_ended(hub);
	return stopped;
}

/* A child has copies of the descriptor and of the memory, and nothing that runs. */
static int drop_parents(struct ctxfd_item *item)
{
	int stopped = item->state == CTXFD_ARMED;

	close_fd(&item->fd);
	item->release(item);
	return stopped;
}

int ctxfd_hub_stop(struct ctxfd_item *item, bool wait)
{
	struct ctxfd_hub *hub = item->hub;
	int stopped, state, err = errno;

	if (!is_ours(hub)) {
		state = ctxfd_hold_cancel();
		stopped = drop_parents(item);
		ctxfd_release_cancel(state);
	} else {
		state = lock_hub(hub);
		stopped = stop_locked(hub, item, wait);
		unlock_hub(hub, state);
	}
	errno = err;
	return stopped;
}
