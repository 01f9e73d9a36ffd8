// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors: of contexts, and /dev/ctx as that of the background.
 */
#include <linux/anon_inodes.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uio.h>

#include "ctx.h"
#include "trace.h"

static int ctx_release(struct inode *inode, struct file *file)
{
	struct ctx *ctx = file->private_data;

	if (ctx_file_writable(file)) {
		trace_ctx_release(ctx);
		/*
		 * The end of the owner cancels, and all below have been told when
		 * this returns. With the last reference there is no one to tell.
		 */
		if (!(ctx->flags & CTX_CREATE_DETACHED) && refcount_read(&ctx->refs) > 1)
			ctx_cancel(ctx, ECANCELED, EOWNERDEAD, NULL);
	}
	ctx_put(ctx);
	return 0;
}

static __poll_t ctx_poll(struct file *file, poll_table *wait)
{
	struct ctx *ctx = file->private_data;

	poll_wait(file, &ctx->wait, wait);
	/* Model: poll_mb. Pairs with that of ctx_tell(). Older kernels' poll_wait() has none. */
	smp_mb();
	return ctx_origin(ctx) ? EPOLLIN | EPOLLRDNORM : 0;
}

static ssize_t ctx_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct ctx *ctx = file->private_data, *origin;
	struct ctx_event event;
	int ret;

	if (iov_iter_count(to) < sizeof(event))
		return -EINVAL;
	if (((file->f_flags & O_NONBLOCK) || (iocb->ki_flags & IOCB_NOWAIT)) &&
	    !ctx_origin(ctx))
		return -EAGAIN;
	ret = wait_event_interruptible(ctx->wait, (origin = ctx_origin(ctx)));
	if (ret)
		return ret;

	event = (struct ctx_event) {
		.err		= origin->err,
		.cause		= origin->cause,
		.origin_id	= origin->id,
	};
	if (copy_to_iter(&event, sizeof(event), to) != sizeof(event))
		return -EFAULT;
	return sizeof(event);
}

/* Not by fasync_helper(): FASYNC in f_flags stands for a place on ctx->fasync. */
static void ctx_signal_file(int fd, struct file *file)
{
	struct fasync_struct alone = {
		.magic		= FASYNC_MAGIC,
		.fa_fd		= fd,
		.fa_file	= file,
	}, *list = &alone;

	rwlock_init(&alone.fa_lock);
	kill_fasync(&list, SIGIO, POLL_IN);
}

static int ctx_fasync(int fd, struct file *file, int on)
{
	struct ctx *ctx = file->private_data;
	int ret;

	ret = fasync_helper(fd, file, on, &ctx->fasync);
	if (ret < 0 || !on)
		return ret;
	/* Who asks too late is told at once, and alone: the others have been told. */
	if (!ctx_join(ctx))
		ctx_signal_file(fd, file);
	return ret;
}

#ifdef CONFIG_PROC_FS
static void ctx_show_fdinfo(struct seq_file *m, struct file *file)
{
	ctx_show_info(m, file->private_data);
}
#endif

static const struct file_operations ctx_fops = {
	.owner		= THIS_MODULE,
	.release	= ctx_release,
	.poll		= ctx_poll,
	.read_iter	= ctx_read_iter,
	.mmap		= ctx_status_mmap,
	.fasync		= ctx_fasync,
	.unlocked_ioctl	= ctx_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
#ifdef CONFIG_PROC_FS
	.show_fdinfo	= ctx_show_fdinfo,
#endif
};

static int ctx_dev_open(struct inode *inode, struct file *file)
{
	file->private_data = ctx_get(ctx_background);
	return stream_open(inode, file);
}

const struct file_operations ctx_dev_fops = {
	.owner		= THIS_MODULE,
	.open		= ctx_dev_open,
	.release	= ctx_release,
	.poll		= ctx_poll,
	.read_iter	= ctx_read_iter,
	.mmap		= ctx_status_mmap,
	.fasync		= ctx_fasync,
	.unlocked_ioctl	= ctx_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
#ifdef CONFIG_PROC_FS
	.show_fdinfo	= ctx_show_fdinfo,
#endif
};

/**
 * ctx_file_writable - whether a descriptor may cancel and move the deadline
 * @file: of a context, or /dev/ctx, which may not however it was opened
 */
bool ctx_file_writable(const struct file *file)
{
	return file->f_op == &ctx_fops && (file->f_mode & FMODE_WRITE);
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
	struct ctx *ctx = ERR_PTR(-EINVAL);
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &ctx_fops || file->f_op == &ctx_dev_fops)
		ctx = ctx_get(file->private_data);
	fput(file);
	return ctx;
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
 * @mode: O_RDWR or O_RDONLY
 * @fd_flags: CTX_CLOEXEC, CTX_NONBLOCK
 * @filep: the file, to be given to fd_install()
 *
 * Return: the descriptor, or -EMFILE, -ENFILE or -ENOMEM with nothing changed
 */
int ctx_open_fd(struct ctx *ctx, int mode, u32 fd_flags, struct file **filep)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(fd_flags & CTX_CLOEXEC ? O_CLOEXEC : 0);
	if (fd < 0)
		return fd;
	if (fd_flags & CTX_NONBLOCK)
		mode |= O_NONBLOCK;
	file = anon_inode_getfile("[ctx]", &ctx_fops, ctx, mode);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	/* IOCB_NOWAIT is honoured: io_uring then polls, and needs no worker. */
	file->f_mode |= FMODE_NOWAIT;
	*filep = file;
	return fd;
}
