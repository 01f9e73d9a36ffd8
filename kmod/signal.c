// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals on cancellation: F_SETOWN, F_SETSIG and O_ASYNC.
 *
 * The kernel's list of whom to signal is gone through in one go, with preemption
 * off. So there is a list for each descriptor, with that alone on it, and a list
 * of those that a context has: CTX_SIGNALS_MAX at most.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "ctx.h"

/* O_ASYNC descriptors of one context */
#define CTX_SIGNALS_MAX		64

/**
 * ctx_signal_put - let go of a signal
 * @signal: a reference to it
 *
 * Context: process, may sleep
 */
void ctx_signal_put(struct ctx_signal *signal)
{
	if (!refcount_dec_and_test(&signal->refs))
		return;
	if (signal->holds_user)
		ctx_user_put(signal->user);
	kfree(signal);
}

static struct ctx_signal *ctx_signal_alloc(struct ctx *ctx, struct file *file)
{
	struct ctx_signal *signal = kzalloc(sizeof(*signal), GFP_KERNEL_ACCOUNT);

	if (!signal)
		return NULL;
	signal->user = ctx_user_get(ctx->user);
	if (!signal->user) {
		kfree(signal);
		return NULL;
	}
	signal->holds_user = signal->user != ctx->user;
	signal->file = file;
	INIT_LIST_HEAD(&signal->queue);
	refcount_set(&signal->refs, 1);
	return signal;
}

static struct ctx_signal *ctx_signal_find(struct ctx *ctx, const struct file *file)
{
	struct ctx_signal *signal;

	guard(spinlock_irq)(&ctx->lock);
	hlist_for_each_entry(signal, &ctx->signals, node) {
		if (signal->file == file) {
			refcount_inc(&signal->refs);
			return signal;
		}
	}
	return NULL;
}

/* Adds @signal, with a reference, or takes a reference on that of the same file. */
static struct ctx_signal *ctx_signal_add(struct ctx *ctx, struct ctx_signal *signal)
{
	struct ctx_signal *other;
	unsigned int n = 0;

	guard(spinlock_irq)(&ctx->lock);
	hlist_for_each_entry(other, &ctx->signals, node) {
		if (other->file == signal->file) {
			refcount_inc(&other->refs);
			return other;
		}
		n++;
	}
	if (n >= CTX_SIGNALS_MAX)
		return ERR_PTR(-ENOSPC);
	/* A walk sets @origin before it comes here: so it finds those alone that came before. */
	signal->sent = READ_ONCE(ctx->origin);
	refcount_inc(&signal->refs);
	hlist_add_head(&signal->node, &ctx->signals);
	return signal;
}

/*
 * Off the list first, then off that of fasync_helper(); who turns it on does the
 * reverse, and then looks whether it is on the list: so one of two that do both at
 * once sees the other. What is in the queue has an open descriptor.
 */
static int ctx_signal_remove(struct ctx *ctx, struct ctx_signal *signal, int fd,
			     struct file *file)
{
	bool was_on = false;
	int ret;

	scoped_guard(spinlock_irq, &ctx->lock) {
		if (!hlist_unhashed(&signal->node)) {
			hlist_del_init(&signal->node);
			was_on = true;
		}
	}
	/* Model: off_first. */
	ret = fasync_helper(fd, file, 0, &signal->list);
	/* Model: unqueue. */
	if (ctx_unqueue_signal(signal))
		ctx_signal_put(signal);
	if (was_on)
		ctx_signal_put(signal);
	return ret;
}

static bool ctx_signal_is_on(struct ctx *ctx, const struct ctx_signal *signal)
{
	guard(spinlock_irq)(&ctx->lock);
	return !hlist_unhashed(&signal->node);
}

/* Whether @signal is to be sent, which it is once. */
static bool ctx_signal_claim(struct ctx *ctx, struct ctx_signal *signal)
{
	guard(spinlock_irq)(&ctx->lock);
	if (signal->sent)
		return false;
	signal->sent = true;
	return true;
}

/**
 * ctx_signal_send - send a signal
 * @signal: a reference, which this takes over
 *
 * Nothing comes of it where its descriptor has been closed.
 *
 * Context: process
 */
void ctx_signal_send(struct ctx_signal *signal)
{
	kill_fasync(&signal->list, SIGIO, POLL_IN);
	ctx_signal_put(signal);
}

/*
 * Has a new @signal sent once @ctx is cancelled; at once where it came @late for any walk.
 * Takes over a reference.
 */
static int ctx_signal_start(struct ctx *ctx, struct ctx_signal *signal, bool late, int fd,
			    struct file *file)
{
	int ret = fasync_helper(fd, file, 1, &signal->list);

	/*
	 * Model: on_look. Another thread may have turned it off before it was on; or on, before
	 * this failed.
	 */
	if ((ret < 0 && !READ_ONCE(signal->list)) || !ctx_signal_is_on(ctx, signal))
		ctx_signal_remove(ctx, signal, -1, file);
	if (ret < 0) {
		ctx_signal_put(signal);
		return ret;
	}
	/* Who asks too late is told at once. */
	if (!ctx_join(ctx) && (late || ctx_signal_claim(ctx, signal)))
		ctx_signal_send(signal);
	else
		ctx_signal_put(signal);
	return ret;
}

static int ctx_signal_on(struct ctx *ctx, int fd, struct file *file)
{
	struct ctx_signal *new = ctx_signal_alloc(ctx, file), *signal;
	bool late;

	if (!new)
		return -ENOMEM;
	signal = ctx_signal_add(ctx, new);
	late = signal == new && new->sent;
	if (signal != new)
		ctx_signal_put(new);
	if (IS_ERR(signal))
		return PTR_ERR(signal);
	return ctx_signal_start(ctx, signal, late, fd, file);
}

/**
 * ctx_signal_fasync - have a signal sent on cancellation, or no more
 * @fd: the descriptor
 * @file: what it is of
 * @on: whether it is to be sent
 *
 * Context: process, may sleep
 * Return: over 0 where this changed anything, 0, -ENOMEM, or -ENOSPC where the
 *	context has CTX_SIGNALS_MAX
 */
int ctx_signal_fasync(int fd, struct file *file, int on)
{
	struct ctx *ctx = file->private_data;
	struct ctx_signal *signal;
	int ret;

	/* It is never cancelled, and is everybody's: nothing of it is to be used up. */
	if (ctx == ctx_background)
		return 0;
	if (on)
		return ctx_signal_on(ctx, fd, file);
	signal = ctx_signal_find(ctx, file);
	if (!signal)
		return 0;
	ret = ctx_signal_remove(ctx, signal, fd, file);
	ctx_signal_put(signal);
	return ret;
}

/*
 * The next that is to be sent, with a reference. Its file is there for as long as
 * it is on the list.
 */
static struct ctx_signal *ctx_signal_next(struct ctx *ctx)
{
	struct ctx_signal *signal;

	guard(spinlock_irq)(&ctx->lock);
	hlist_for_each_entry(signal, &ctx->signals, node) {
		/* Model: signal_look. Who is not on @list yet looks at @origin once he is. */
		if (signal->sent || !READ_ONCE(signal->list))
			continue;
		signal->sent = true;
		refcount_inc(&signal->refs);
		signal->group = file_owner_type(signal->file) == PIDTYPE_PGID;
		return signal;
	}
	return NULL;
}

/**
 * ctx_signal_all - send all signals that a cancellation is to send
 * @ctx: cancelled
 *
 * Those to process groups, which may be large, and those that another user asked for,
 * who may make it one meanwhile, are sent by the queue.
 *
 * Context: process, no lock held
 * Return: how many
 */
unsigned int ctx_signal_all(struct ctx *ctx)
{
	struct ctx_signal *signal;
	unsigned int n;

	for (n = 0; (signal = ctx_signal_next(ctx)); n++) {
		if (signal->group || !uid_eq(signal->user->uid, current_uid()))
			ctx_queue_signal(signal);
		else
			ctx_signal_send(signal);
		cond_resched();
	}
	return n;
}
