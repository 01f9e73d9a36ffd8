// SPDX-License-Identifier: GPL-2.0-only
/*
 * How another module honours contexts: /dev/ctx-sample is a pipe. A read of it
 * gives up, and poll says so, when the context that user space handed over is
 * cancelled.
 */
#include <linux/fs.h>
#include <linux/kfifo.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/ctx.h>

#include "ctx_sample.h"

#define SAMPLE_SIZE	64

static DEFINE_KFIFO(sample_fifo, char, SAMPLE_SIZE);
static DEFINE_SPINLOCK(sample_lock);	/* of sample_fifo */
static DECLARE_WAIT_QUEUE_HEAD(sample_wait);

/**
 * struct sample - an open file
 * @ctx: set once; NULL until then
 * @callback: of @ctx
 * @called_back: whether @callback was added
 */
struct sample {
	struct ctx		*ctx;
	struct ctx_callback	callback;
	bool			called_back;
};

static int sample_open(struct inode *inode, struct file *file)
{
	struct sample *sample = kzalloc(sizeof(*sample), GFP_KERNEL_ACCOUNT);

	if (!sample)
		return -ENOMEM;
	file->private_data = sample;
	return stream_open(inode, file);
}

static int sample_release(struct inode *inode, struct file *file)
{
	struct sample *sample = file->private_data;

	if (sample->called_back)
		ctx_callback_remove(sample->ctx, &sample->callback);
	if (sample->ctx)
		ctx_put(sample->ctx);
	kfree(sample);
	return 0;
}

/* Those who poll wait on sample_wait alone, which nothing else would wake now. */
static void sample_wake(struct work_struct *work)
{
	wake_up_interruptible(&sample_wait);
}

static DECLARE_WORK(sample_work, sample_wake);

/* A callback may sleep, and wait for works. With this one's end no work of ours is left. */
static void sample_cancelled(struct ctx_callback *callback)
{
	schedule_work(&sample_work);
	flush_work(&sample_work);
}

static __poll_t sample_poll(struct file *file, poll_table *wait)
{
	struct sample *sample = file->private_data;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;
	struct ctx *ctx;

	poll_wait(file, &sample_wait, wait);
	/* Looks at the context only after that; the wake-up takes the queue's lock. */
	smp_mb();
	ctx = READ_ONCE(sample->ctx);
	if (!kfifo_is_empty(&sample_fifo))
		events |= EPOLLIN | EPOLLRDNORM;
	if (ctx && ctx_err(ctx))
		events |= EPOLLERR;
	return events;
}

static int sample_take(char *buf, size_t size)
{
	return kfifo_out_spinlocked(&sample_fifo, buf, size, &sample_lock);
}

/* Returns how many bytes it took, at least one, or an error. */
static int sample_wait_and_take(struct sample *sample, char *buf, size_t size)
{
	int n, ret;

	/* Until there is a context, what ends the wait may also be that one comes. */
	ret = wait_event_interruptible(sample_wait, (n = sample_take(buf, size)) ||
				       READ_ONCE(sample->ctx));
	if (!ret && !n)
		ret = ctx_wait_event_interruptible(READ_ONCE(sample->ctx), sample_wait,
						   (n = sample_take(buf, size)));
	return ret ?: n;
}

static ssize_t sample_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	struct sample *sample = file->private_data;
	char buf[SAMPLE_SIZE];
	int n;

	size = min(size, sizeof(buf));
	if (!size)
		return 0;
	n = sample_wait_and_take(sample, buf, size);
	if (n < 0)
		return n;
	return copy_to_user(to, buf, n) ? -EFAULT : n;
}

static ssize_t sample_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	char buf[SAMPLE_SIZE];
	int n;

	size = min(size, sizeof(buf));
	if (!size)
		return 0;
	if (copy_from_user(buf, from, size))
		return -EFAULT;
	n = kfifo_in_spinlocked(&sample_fifo, buf, size, &sample_lock);
	wake_up_interruptible(&sample_wait);
	return n ?: -EAGAIN;
}

static long sample_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct sample *sample = file->private_data;
	struct ctx *ctx;

	if (cmd != CTX_SAMPLE_SET_CTX)
		return -ENOTTY;
	ctx = ctx_from_fd(arg);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	/* Once only, so that a read need not hold a reference of its own. */
	if (cmpxchg(&sample->ctx, NULL, ctx)) {
		ctx_put(ctx);
		return -EBUSY;
	}
	sample->called_back = !ctx_callback_add(ctx, &sample->callback, sample_cancelled);
	/* Who waits is to know of it; and where it is cancelled already, nobody calls. */
	wake_up_interruptible(&sample_wait);
	return 0;
}

static const struct file_operations sample_fops = {
	.owner		= THIS_MODULE,
	.open		= sample_open,
	.release	= sample_release,
	.poll		= sample_poll,
	.read		= sample_read,
	.write		= sample_write,
	.unlocked_ioctl	= sample_ioctl,
	.compat_ioctl	= sample_ioctl,
};

static struct miscdevice sample_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "ctx-sample",
	.fops	= &sample_fops,
	.mode	= 0666,
};
module_misc_device(sample_device);

MODULE_DESCRIPTION("How a module honours cancellation contexts");
MODULE_AUTHOR("The ctx authors");
MODULE_LICENSE("GPL");
