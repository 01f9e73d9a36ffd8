/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cancellation contexts for other modules: take one from the descriptor that a
 * user of yours gave, and give up what you do for them once it is cancelled.
 */
#ifndef _LINUX_CTX_H
#define _LINUX_CTX_H

#include <linux/sched/signal.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/ctx.h>

struct ctx;
struct ctx_callback;

/**
 * typedef ctx_callback_fn - what to call once a context is cancelled
 * @callback: as given to ctx_callback_add()
 *
 * Context: process, no lock held. In the task that cancels, which waits for it; or,
 *	where that must not be kept or it was a deadline, in a worker, for which nothing
 *	of ctx waits. It may sleep, but not remove itself nor wait for whoever cancels.
 */
typedef void (*ctx_callback_fn)(struct ctx_callback *callback);

/**
 * struct ctx_hook - a place on the list of what a cancellation reaches
 * @node: for ctx itself
 * @child: for ctx itself
 */
struct ctx_hook {
	struct hlist_node	node;
	struct ctx		*child;
};

/**
 * struct ctx_callback - a callback, to be embedded in what it is about; not on a stack
 * @hook: for ctx itself
 * @func: for ctx itself
 * @runner: for ctx itself
 * @work: for ctx itself
 * @begun: for ctx itself
 */
struct ctx_callback {
	struct ctx_hook		hook;
	ctx_callback_fn		func;
	struct task_struct	*runner;
	struct work_struct	work;
	bool			begun;
};

struct ctx *ctx_from_fd(int fd);
struct ctx *ctx_get(struct ctx *ctx);
void ctx_put(struct ctx *ctx);
int ctx_err(struct ctx *ctx);
int ctx_callback_add(struct ctx *ctx, struct ctx_callback *callback, ctx_callback_fn func);
bool ctx_callback_remove(struct ctx *ctx, struct ctx_callback *callback);
wait_queue_head_t *ctx_wait_queue(struct ctx *ctx);

/**
 * ctx_wait_event_interruptible - wait for an event, a cancellation or a signal
 * @context: a struct ctx *, to which the caller has a reference
 * @wq_head: the queue that is woken for the event
 * @condition: whether the event came; is evaluated as in wait_event()
 *
 * The event wins where it comes together with the cancellation.
 *
 * Context: process, may sleep
 * Return: 0 where @condition was true, -ECANCELED or -ETIMEDOUT where @context was
 *	cancelled, -ERESTARTSYS for a signal
 */
#define ctx_wait_event_interruptible(context, wq_head, condition)		\
({										\
	wait_queue_head_t *__event_queue = &(wq_head);				\
	wait_queue_head_t *__ctx_queue;						\
	struct ctx *__ctx = (context);						\
	DEFINE_WAIT(__ctx_wait);						\
	DEFINE_WAIT(__event_wait);						\
	int __ret;								\
										\
	might_sleep();								\
	__ctx_queue = ctx_wait_queue(__ctx);					\
	for (;;) {								\
		prepare_to_wait(__ctx_queue, &__ctx_wait, TASK_INTERRUPTIBLE);	\
		prepare_to_wait(__event_queue, &__event_wait, TASK_INTERRUPTIBLE); \
		__ret = 0;							\
		if (condition)							\
			break;							\
		__ret = ctx_err(__ctx);						\
		if (!__ret && signal_pending(current))				\
			__ret = -ERESTARTSYS;					\
		if (__ret)							\
			break;							\
		schedule();							\
	}									\
	finish_wait(__event_queue, &__event_wait);				\
	finish_wait(__ctx_queue, &__ctx_wait);					\
	__ret;									\
})

#endif /* _LINUX_CTX_H */
