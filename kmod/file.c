// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors: of contexts, and /dev/ctx as that of the background.
 */
#include <linux/export.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "ctx.h"
#include "trace.h"

/*
 * The end of the owner cancels, and all below have been told when a close returns.
 * But what another user has made keeps nobody who was sent it and closes it.
 */
static void ctx_owner_died(struct ctx *ctx)
{
	ctx_mark(ctx, ECANCELED, EOWNERDEAD, NULL);
	if (ctx_is_strange(ctx))
		ctx_wake_later(ctx);
	else
		ctx_wake_subtree(ctx);
}

static int ctx_release(struct inode *inode, struct file *file)
{
	struct ctx *ctx = file->private_data;

	/* Whatever FASYNC in its flags says: threads may have set and cleared it at once. */
	if (ctx_has_signals(ctx))
		ctx_signal_fasync(-1, file, 0);
	if (ctx_file_writable(file) && file->f_op != &ctx_control_fops) {
		trace_ctx_release(ctx);
		/* With the last reference there is no one to tell. */
		if (!(ctx->flags & CTX_CREATE_DETACHED) && refcount_read(&ctx->refs) > 1)
			ctx_owner_died(ctx);
	}
	ctx_drop(ctx);
	return 0;
}

/* A descriptor is closed, whether or not it is the last: by close, dup2, exec or exit. */
static int ctx_owned_flush(struct file *file, fl_owner_t id)
{
	struct ctx *ctx = file->private_data;

	if (task_tgid(current) == ctx->maker)
		ctx_owner_died(ctx);
	return 0;
}

/* A look up no longer way takes no longer than what else a poll does. */
#define CTX_SHALLOW	8

/* One call may look at many contexts, as poll() does: so each look up a long way reschedules. */
static void ctx_resched(const struct ctx *ctx)
{
	if (unlikely(ctx->depth > CTX_SHALLOW))
		cond_resched();
}

static noinline __poll_t ctx_poll_cancelled(struct ctx *ctx)
{
	if (!ctx_is_told(ctx))
		ctx_origin(ctx);
	return EPOLLIN | EPOLLRDNORM;
}

/* As ctx_poll(), where it joins the queue, or looks up a long way. */
static noinline __poll_t ctx_poll_slow(struct file *file, poll_table *wait)
{
	struct ctx *ctx = file->private_data;

	ctx_resched(ctx);
	poll_wait(file, &ctx->wait, wait);
	/* Model: poll_mb. Pairs with tell_mb. Older kernels' poll_wait() has none. */
	smp_mb();
	return ctx_is_cancelled(ctx) ? ctx_poll_cancelled(ctx) : 0;
}

static __poll_t ctx_poll(struct file *file, poll_table *wait)
{
	struct ctx *ctx = file->private_data;

	if ((wait && wait->_qproc) || unlikely(ctx->depth > CTX_SHALLOW))
		return ctx_poll_slow(file, wait);
	if (likely(!ctx_is_cancelled(ctx)))
		return 0;
	return ctx_poll_cancelled(ctx);
}

/* Return: the origin, once there is one; or an ERR_PTR() of -ERESTARTSYS */
static struct ctx *ctx_wait(struct ctx *ctx)
{
	struct ctx *origin;
	DEFINE_WAIT(wait);

	/* Once: what wakes from the queue is the cancellation. */
	prepare_to_wait(&ctx->wait, &wait, TASK_INTERRUPTIBLE);
	while (!(origin = ctx_origin(ctx))) {
		if (signal_pending(current)) {
			origin = ERR_PTR(-ERESTARTSYS);
			break;
		}
		schedule();
		if (!READ_ONCE(ctx->origin))
			set_current_state(TASK_INTERRUPTIBLE);
	}
	finish_wait(&ctx->wait, &wait);
	return origin;
}

static ssize_t ctx_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct ctx *ctx = file->private_data, *origin;
	struct ctx_event event;

	if (iov_iter_count(to) < sizeof(event))
		return -EINVAL;
	ctx_resched(ctx);
	if ((file->f_flags & O_NONBLOCK) || (iocb->ki_flags & IOCB_NOWAIT))
		origin = ctx_origin(ctx) ?: ERR_PTR(-EAGAIN);
	else
		origin = READ_ONCE(ctx->origin) ? ctx_origin(ctx) : ctx_wait(ctx);
	if (IS_ERR(origin))
		return PTR_ERR(origin);

	event = (struct ctx_event) {
		.err		= origin->err,
		.cause		= origin->cause,
		.origin_id	= origin->id,
	};
	if (copy_to_iter(&event, sizeof(event), to) != sizeof(event))
		return -EFAULT;
	return sizeof(event);
}

static int ctx_fasync(int fd, struct file *file, int on)
{
	/* Whoever gets a descriptor of that kind adds nothing to what others tell. */
	if (on && ctx_file_watch_only(file))
		return -EPERM;
	return ctx_signal_fasync(fd, file, on);
}

static void ctx_show_fdinfo(struct seq_file *m, struct file *file)
{
	ctx_show_info(m, file->private_data);
}

/* What all descriptors do. Which of the tables a file has says what may be done by it. */
#define CTX_FOPS(...) {				\
	.owner		= THIS_MODULE,		\
	.release	= ctx_release,		\
	.poll		= ctx_poll,		\
	.read_iter	= ctx_read_iter,	\
	.mmap		= ctx_status_mmap,	\
	.fasync		= ctx_fasync,		\
	.unlocked_ioctl	= ctx_ioctl,		\
	.compat_ioctl	= compat_ptr_ioctl,	\
	.show_fdinfo	= ctx_show_fdinfo,	\
	__VA_ARGS__				\
}

const struct file_operations ctx_fops = CTX_FOPS();
const struct file_operations ctx_owned_fops = CTX_FOPS(.flush = ctx_owned_flush);
const struct file_operations ctx_control_fops = CTX_FOPS();
const struct file_operations ctx_watch_only_fops = CTX_FOPS();

static int ctx_dev_open(struct inode *inode, struct file *file)
{
	file->private_data = ctx_get(ctx_background);
	file->f_mode |= FMODE_NOWAIT;
	return stream_open(inode, file);
}

const struct file_operations ctx_dev_fops = CTX_FOPS(.open = ctx_dev_open);

static bool ctx_file_is_ours(const struct file *file)
{
	return file->f_op->release == ctx_release;
}

/* As ctx_from_fd(); @stranger: also of a descriptor that is for strangers, else -EPERM. */
static struct ctx *ctx_get_from_fd(int fd, bool stranger)
{
	struct ctx *ctx = ERR_PTR(-EINVAL);
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	if (ctx_file_is_ours(file))
		ctx = ctx_file_watch_only(file) && !stranger ? ERR_PTR(-EPERM) :
							       ctx_get(file->private_data);
	fput(file);
	return ctx;
}

/**
 * ctx_parent_from_fd - take a reference on a context to be a further parent
 * @fd: a descriptor of the current process
 *
 * Context: process
 * Return: as ctx_from_fd(); -EPERM where the descriptor is for strangers
 */
struct ctx *ctx_parent_from_fd(int fd)
{
	return ctx_get_from_fd(fd, false);
}

/**
 * ctx_from_fd - take a reference on the context of a descriptor
 * @fd: a descriptor of the current process, of a context or of /dev/ctx, which
 *	stands for one that is never cancelled
 *
 * Context: process
 * Return: the context, or an ERR_PTR() of -EBADF where @fd is no descriptor or
 *	-EINVAL where it is not a context's
 */
struct ctx *ctx_from_fd(int fd)
{
	return ctx_get_from_fd(fd, true);
}
EXPORT_SYMBOL_GPL(ctx_from_fd);

/**
 * ctx_wait_queue - the queue that is woken when a context is cancelled
 * @ctx: a reference to it
 *
 * For ctx_wait_event_interruptible(). Whoever joins it looks at ctx_err() after
 * that, with a full barrier between, as prepare_to_wait() has it.
 *
 * Context: any
 */
wait_queue_head_t *ctx_wait_queue(struct ctx *ctx)
{
	return &ctx->wait;
}
EXPORT_SYMBOL_GPL(ctx_wait_queue);

/**
 * ctx_open_fd - make a descriptor, but do not install it yet
 * @ctx: the context; the file takes over the caller's reference
 * @fops: what the descriptor is to be
 * @mode: O_RDWR or O_RDONLY
 * @fd_flags: CTX_CLOEXEC, CTX_NONBLOCK
 * @filep: the file, to be given to fd_install()
 *
 * Return: the descriptor, or -EMFILE, -ENFILE or -ENOMEM with nothing changed
 */
int ctx_open_fd(struct ctx *ctx, const struct file_operations *fops, int mode, u32 fd_flags,
		struct file **filep)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(fd_flags & CTX_CLOEXEC ? O_CLOEXEC : 0);
	if (fd < 0)
		return fd;
	if (fd_flags & CTX_NONBLOCK)
		mode |= O_NONBLOCK;
	file = ctx_anon_open(fops, ctx, mode);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	/* IOCB_NOWAIT is honoured: io_uring then polls, and needs no worker. */
	file->f_mode |= FMODE_NOWAIT;
	*filep = file;
	return fd;
}
