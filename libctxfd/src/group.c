// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads and processes that are one piece of work: the first that fails ends the others. */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"
#include "programs.h"

struct ctxfd_group {
	unsigned long process;	/* whose it is; a child has a copy, and nothing that runs */
	int ctx;
	int slots;		/* semaphore, or -1 for no limit */
	pthread_mutex_t lock;	/* of all that follows */
	pthread_cond_t idle;
	unsigned int running;
	int cause;		/* of the first that failed, or 0 */
	/* The last thread that ended. Each joins the one before it. */
	bool ended;
	pthread_t thread;
};

/* One thread, or one process. */
struct member {
	struct ctxfd_group *group;
	int (*fn)(int ctx, void *arg);
	void *arg;
	int err;		/* 0, or why it failed */
	char name[32];		/* of the program */
};

static bool is_ours(const struct ctxfd_group *group)
{
	return group->process == ctxfd_process();
}

static struct ctxfd_group *new_group(int parent, unsigned int limit)
{
	struct ctxfd_group *group;
	int err;

	if (ctxfd_failed(parent))
		return NULL;
	group = malloc(sizeof(*group));
	if (!group)
		return NULL;
	*group = (struct ctxfd_group){
		.process = ctxfd_process(),
		.ctx = ctxfd_with_cancel(parent),
		.slots = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.idle = PTHREAD_COND_INITIALIZER,
	};
	if (group->ctx < 0)
		goto fail;
	if (limit) {
		group->slots = eventfd(limit, EFD_CLOEXEC | EFD_SEMAPHORE);
		if (group->slots < 0)
			goto fail;
	}
	errno = ENOMEM;
	if (group->process)
		return group;
fail:
	err = errno;
	if (group->ctx >= 0)
		close(group->ctx);
	if (group->slots >= 0)
		close(group->slots);
	free(group);
	errno = err;
	return NULL;
}

struct ctxfd_group *ctxfd_group_new(int parent, unsigned int limit)
{
	int state = ctxfd_hold_cancel();
	struct ctxfd_group *group = new_group(parent, limit);

	ctxfd_release_cancel(state);
	return group;
}

int ctxfd_group_ctx(const struct ctxfd_group *group)
{
	return group->ctx;
}

static void give_slot(struct ctxfd_group *group)
{
	if (group->slots >= 0)
		eventfd_write(group->slots, 1);
}

/* Waits until another may run, and counts it. */
static int begin(struct ctxfd_group *group)
{
	eventfd_t one;
	int err;

	if (!is_ours(group)) {
		errno = EPERM;
		return -1;
	}
	if (group->slots >= 0 && ctxfd_read(group->ctx, group->slots, &one, sizeof(one)) < 0)
		return -1;
	err = ctxfd_err(group->ctx);
	if (err) {
		give_slot(group);
		if (err > 0)
			errno = err;
		return -1;
	}
	pthread_mutex_lock(&group->lock);
	group->running++;
	pthread_mutex_unlock(&group->lock);
	return 0;
}

/* With the lock, after which the group may be gone. */
static void end(struct ctxfd_group *group)
{
	give_slot(group);
	if (!--group->running)
		pthread_cond_broadcast(&group->idle);
}

static void take_back(struct ctxfd_group *group)
{
	int err = errno;

	pthread_mutex_lock(&group->lock);
	end(group);
	pthread_mutex_unlock(&group->lock);
	errno = err;
}

/* Before it counts as ended: who waits then sees why. */
static void fail(struct ctxfd_group *group, int err, const char *message)
{
	bool first;

	if (!err)
		return;
	pthread_mutex_lock(&group->lock);
	first = !group->cause;
	if (first)
		group->cause = err;
	pthread_mutex_unlock(&group->lock);
	if (first)
		ctxfd_cancel_cause(group->ctx, err, message);
}

/* Threads */

static void end_thread(void *arg)
{
	struct member *member = arg;
	struct ctxfd_group *group = member->group;
	int err = member->err;
	pthread_t before;
	bool ended;

	free(member);
	/* A child that the function forked */
	if (!is_ours(group))
		return;
	fail(group, err, NULL);
	pthread_mutex_lock(&group->lock);
	ended = group->ended;
	before = group->thread;
	group->ended = true;
	group->thread = pthread_self();
	end(group);
	pthread_mutex_unlock(&group->lock);
	if (ended)
		pthread_join(before, NULL);
}

static void *thread_main(void *arg)
{
	struct member *member = arg;

	/* Where the function ends the thread, too. */
	pthread_cleanup_push(end_thread, member);
	errno = 0;
	if (!member->fn(member->group->ctx, member->arg))
		member->err = 0;
	else if (errno > 0)
		member->err = errno;
	ctxfd_hold_cancel();
	pthread_cleanup_pop(1);
	return NULL;
}

int ctxfd_group_go(struct ctxfd_group *group, int (*fn)(int ctx, void *arg), void *arg)
{
	struct member *member;
	pthread_t thread;

	if (!fn) {
		errno = EINVAL;
		return -1;
	}
	if (begin(group))
		return -1;
	member = malloc(sizeof(*member));
	if (!member)
		goto fail;
	*member = (struct member){ .group = group, .fn = fn, .arg = arg, .err = ECANCELED };
	errno = pthread_create(&thread, NULL, thread_main, member);
	if (!errno)
		return 0;
fail:
	free(member);
	take_back(group);
	return -1;
}

/* Processes */

static int why_failed(const struct ctxfd_group *group, const siginfo_t *info)
{
	int err;

	if (info->si_code == CLD_EXITED && !info->si_status)
		return 0;
	/* The signal that the cancellation sent, most likely */
	err = ctxfd_err(group->ctx);
	return err > 0 ? err : ECANCELED;
}

static void end_process(void *arg, int pidfd)
{
	struct member *member = arg;
	struct ctxfd_group *group = member->group;
	siginfo_t info = {};
	char message[CTX_MESSAGE_MAX];

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED))
		snprintf(message, sizeof(message), "%s: somebody else waited", member->name);
	else if (info.si_code == CLD_EXITED)
		snprintf(message, sizeof(message), "%s: exit status %d", member->name,
			 info.si_status);
	else
		snprintf(message, sizeof(message), "%s: signal %d", member->name, info.si_status);
	free(member);
	fail(group, why_failed(group, &info), message);
	take_back(group);
}

static void set_name(struct member *member, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(member->name, sizeof(member->name), "%s", slash ? slash + 1 : path);
}

int ctxfd_group_spawn_sized(struct ctxfd_group *group, char *const argv[],
			    const struct ctxfd_spawn_opts *opts, size_t size)
{
	struct ctxfd_spawn_end ending = { .fn = end_process };
	struct member *member;
	int pidfd;

	if (!argv || !argv[0]) {
		errno = EFAULT;
		return -1;
	}
	if (begin(group))
		return -1;
	member = malloc(sizeof(*member));
	if (!member)
		goto fail;
	*member = (struct member){ .group = group };
	set_name(member, argv[0]);
	ending.arg = member;
	pidfd = ctxfd_spawn_then(group->ctx, argv, opts, size, &ending);
	if (pidfd >= 0) {
		close(pidfd);
		return 0;
	}
fail:
	free(member);
	take_back(group);
	return -1;
}

int ctxfd_group_wait(struct ctxfd_group *group)
{
	pthread_t thread;
	bool ended;
	int cause, state;

	if (!is_ours(group)) {
		errno = EPERM;
		return -1;
	}
	state = ctxfd_hold_cancel();
	pthread_mutex_lock(&group->lock);
	while (group->running)
		pthread_cond_wait(&group->idle, &group->lock);
	ended = group->ended;
	thread = group->thread;
	group->ended = false;
	cause = group->cause;
	pthread_mutex_unlock(&group->lock);
	if (ended)
		pthread_join(thread, NULL);
	ctxfd_release_cancel(state);
	if (!cause)
		return 0;
	errno = cause;
	return -1;
}

void ctxfd_group_free(struct ctxfd_group *group)
{
	int err = errno, state;

	if (!group)
		return;
	state = ctxfd_hold_cancel();
	if (is_ours(group)) {
		ctxfd_cancel(group->ctx);
		ctxfd_group_wait(group);
		pthread_cond_destroy(&group->idle);
		pthread_mutex_destroy(&group->lock);
	}
	close(group->ctx);
	if (group->slots >= 0)
		close(group->slots);
	free(group);
	ctxfd_release_cancel(state);
	errno = err;
}
