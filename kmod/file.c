// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors: of contexts, and /dev/ctx as that of the background.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uio.h>

#include "ctx.h"

static int ctx_release(struct inode *inode, struct file *file)
{
	struct ctx *ctx = file->private_data;

	/*
	 * The end of the owner cancels, and every waiter below has been woken
	 * when this returns. With the last reference there is no one to tell.
	 */
	if (ctx_file_writable(file) && !(ctx->flags & CTX_CREATE_DETACHED) &&
	    refcount_read(&ctx->refs) > 1)
		ctx_cancel(ctx, ECANCELED, EOWNERDEAD, NULL);
	ctx_put(ctx);
	return 0;
}

static __poll_t ctx_poll(struct file *file, poll_table *wait)
{
	struct ctx *ctx = file->private_data;

	poll_wait(file, &ctx->wait, wait);
	/* Pairs with those of ctx_wake() and ctx_mark_children(). */
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
	*filep = file;
	return fd;
}
