// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many calls from one entry into the kernel; see ctx_batch.h. Each call does what the system call
 * of its name does to the file, whatever that is; only BATCH_ASKED knows of contexts.
 */
#include <linux/ctx.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "ctx_batch.h"

/* Calls that are copied at once, and after which others may run. */
#define BATCH_CHUNK	32

/**
 * struct batch_waiter - one that waits as epoll does
 * @table: what poll is called with
 * @entry: on @queue
 * @queue: NULL where it does not wait
 * @file: a reference, which keeps @queue
 * @woken: how often
 */
struct batch_waiter {
	poll_table		table;
	wait_queue_entry_t	entry;
	wait_queue_head_t	*queue;
	struct file		*file;
	atomic_t		woken;
};

/**
 * struct batch - an open file
 * @slots: descriptors; -1 where there is none
 * @maps: addresses; 0 where there is none
 * @lock: of @waiters
 * @waiters: see there
 *
 * Tasks that share the file race for @slots and @maps, as they do for descriptors.
 */
struct batch {
	int			slots[BATCH_SLOTS];
	unsigned long		maps[BATCH_MAPS];
	struct mutex		lock;	/* of the waiters */
	struct batch_waiter	waiters[BATCH_WAITERS];
};

static const struct file_operations batch_dev_fops;

static int batch_slot(struct batch *batch, int slot)
{
	return slot >= 0 && slot < BATCH_SLOTS ? READ_ONCE(batch->slots[slot]) : -1;
}

static int batch_close_fd(int fd)
{
	struct file *file = fd < 0 ? NULL : file_close_fd(fd);
	int ret;

	if (!file)
		return -EBADF;
	get_file(file);
	ret = filp_close(file, current->files);
	__fput_sync(file);
	return ret;
}

/* Puts @fd into the slot @out, in place of what is there. */
static void batch_keep(struct batch *batch, int out, long fd)
{
	int old;

	if (fd < 0 || out < 0 || out >= BATCH_SLOTS)
		return;
	old = xchg(&batch->slots[out], (int)fd);
	if (old >= 0 && old != fd)
		batch_close_fd(old);
}

static long batch_close(struct batch *batch, int slot)
{
	if (slot < 0 || slot >= BATCH_SLOTS)
		return -EBADF;
	return batch_close_fd(xchg(&batch->slots[slot], -1));
}

static long batch_dup(struct file *file)
{
	int fd = get_unused_fd_flags(0);

	if (fd >= 0)
		fd_install(fd, get_file(file));
	return fd;
}

static long batch_ioctl(struct file *file, const struct batch_call *call)
{
	if (!file->f_op->unlocked_ioctl)
		return -ENOTTY;
	return file->f_op->unlocked_ioctl(file, call->cmd, call->arg);
}

/* Puts what BATCH_ASKED asks for at @call->arg. */
static long batch_ask(struct batch *batch, const struct batch_call *call)
{
	u64 room = call->arg + BATCH_ASKED_ROOM, value;
	int fd = batch_slot(batch, BATCH_ASKED_SLOT(call->index));
	struct file *file = fd < 0 ? NULL : fget(fd);
	long ret;

	if (!file)
		return -EBADF;
	ret = batch_ioctl(file, &(struct batch_call){ .cmd = CTX_IOC_INFO, .arg = room });
	__fput_sync(file);
	if (ret)
		return ret;
	if (BATCH_ASKED_AT(call->index) > sizeof(struct ctx_info) - sizeof(value))
		return -EINVAL;
	if (get_user(value, (u64 __user *)u64_to_user_ptr(room + BATCH_ASKED_AT(call->index))))
		return -EFAULT;
	if (call->flags & BATCH_BEFORE)
		value--;
	return put_user(value, (u64 __user *)u64_to_user_ptr(call->arg));
}

static long batch_read(struct file *file, const struct batch_call *call)
{
	struct iov_iter iter;
	struct kiocb kiocb;
	int ret;

	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (!file->f_op->read_iter)
		return -EINVAL;
	ret = import_ubuf(ITER_DEST, u64_to_user_ptr(call->arg), call->cmd, &iter);
	if (ret)
		return ret;
	init_sync_kiocb(&kiocb, file);
	return file->f_op->read_iter(&kiocb, &iter);
}

static long batch_munmap(struct batch *batch, unsigned int index)
{
	unsigned long address;

	if (index >= BATCH_MAPS)
		return -EINVAL;
	address = xchg(&batch->maps[index], 0);
	return address ? vm_munmap(address, PAGE_SIZE) : -EINVAL;
}

static long batch_mmap(struct batch *batch, struct file *file, const struct batch_call *call)
{
	unsigned long address;

	if (call->index >= BATCH_MAPS || READ_ONCE(batch->maps[call->index]))
		return -EINVAL;
	address = vm_mmap(file, 0, PAGE_SIZE, call->cmd, MAP_SHARED, 0);
	if (IS_ERR_VALUE(address))
		return address;
	if (cmpxchg(&batch->maps[call->index], 0, address)) {
		vm_munmap(address, PAGE_SIZE);
		return -EINVAL;
	}
	return 0;
}

static int batch_woken(wait_queue_entry_t *entry, unsigned int mode, int sync, void *key)
{
	struct batch_waiter *waiter = container_of(entry, struct batch_waiter, entry);

	if (!key || (key_to_poll(key) & EPOLLIN))
		atomic_inc(&waiter->woken);
	return 0;
}

static void batch_queue(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	struct batch_waiter *waiter = container_of(table, struct batch_waiter, table);

	/* Of a file that has several, the first: there is one entry. */
	if (waiter->queue)
		return;
	waiter->queue = queue;
	add_wait_queue(queue, &waiter->entry);
}

static long batch_unwait(struct batch *batch, unsigned int index)
{
	struct batch_waiter *waiter;
	struct file *file;

	if (index >= BATCH_WAITERS)
		return -EINVAL;
	waiter = &batch->waiters[index];
	scoped_guard(mutex, &batch->lock) {
		file = waiter->file;
		if (!file)
			return -EINVAL;
		if (waiter->queue)
			remove_wait_queue(waiter->queue, &waiter->entry);
		waiter->queue = NULL;
		waiter->file = NULL;
		atomic_set(&waiter->woken, 0);
	}
	__fput_sync(file);
	return 0;
}

static long batch_wait(struct batch *batch, struct file *file, unsigned int index)
{
	struct batch_waiter *waiter;

	if (index >= BATCH_WAITERS)
		return -EINVAL;
	waiter = &batch->waiters[index];
	guard(mutex)(&batch->lock);
	if (waiter->file)
		return -EBUSY;
	waiter->file = get_file(file);
	atomic_set(&waiter->woken, 0);
	init_poll_funcptr(&waiter->table, batch_queue);
	init_waitqueue_func_entry(&waiter->entry, batch_woken);
	return (__force u32)vfs_poll(file, &waiter->table);
}

static long batch_view(struct batch *batch, u64 arg, bool descriptors)
{
	struct batch_view view = { };
	unsigned int i;

	for (i = 0; i < BATCH_MAPS; i++) {
		unsigned long address = READ_ONCE(batch->maps[i]);

		if (address && get_user(view.status[i], (u32 __user *)address))
			return -EFAULT;
	}
	for (i = 0; i < BATCH_WAITERS; i++)
		view.woken[i] = atomic_read(&batch->waiters[i].woken);
	for (i = 0; descriptors && i < BATCH_SLOTS; i++) {
		int fd = READ_ONCE(batch->slots[i]);
		struct file *file = fd < 0 ? NULL : fget(fd);

		if (!file)
			continue;
		if (vfs_poll(file, NULL) & EPOLLIN)
			view.readable |= BIT_ULL(i);
		__fput_sync(file);
	}
	return copy_to_user(u64_to_user_ptr(arg), &view, sizeof(view)) ? -EFAULT : 0;
}

/* Returns whether they met. */
static long batch_meet(const struct batch_call *call)
{
	u32 __user *words = u64_to_user_ptr(call->arg);
	u64 end = ktime_get_ns() + BATCH_MEET_NS;
	u32 other;

	if (call->index > 1)
		return -EINVAL;
	if (put_user(call->cmd, &words[call->index]))
		return -EFAULT;
	do {
		if (get_user(other, &words[!call->index]))
			return -EFAULT;
		cpu_relax();
	} while (other < call->cmd && ktime_get_ns() < end);
	end = ktime_get_ns() + call->slot;
	while (ktime_get_ns() < end)
		cpu_relax();
	return other >= call->cmd;
}

static long batch_on_file(struct batch *batch, const struct batch_call *call)
{
	int fd = batch_slot(batch, call->slot);
	struct file *file = fd < 0 ? NULL : fget(fd);
	long ret = -EINVAL;

	if (!file)
		return -EBADF;
	/* It might run itself without end, or keep itself open. */
	if (file->f_op == &batch_dev_fops)
		goto out;
	switch (call->what) {
	case BATCH_IOCTL:
		ret = batch_ioctl(file, call);
		break;
	case BATCH_ASKED:
		ret = batch_ask(batch, call) ?: batch_ioctl(file, call);
		break;
	case BATCH_DUP:
		ret = batch_dup(file);
		break;
	case BATCH_POLL:
		ret = (__force u32)vfs_poll(file, NULL);
		break;
	case BATCH_READ:
		ret = batch_read(file, call);
		break;
	case BATCH_MMAP:
		ret = batch_mmap(batch, file, call);
		break;
	case BATCH_WAIT:
		ret = batch_wait(batch, file, call->index);
		break;
	case BATCH_ASYNC:
		ret = file->f_op->fasync ? file->f_op->fasync(fd, file, !!call->cmd) : -EINVAL;
		break;
	case BATCH_FD:
		ret = put_user(fd, (s32 __user *)u64_to_user_ptr(call->arg));
		break;
	}
out:
	__fput_sync(file);
	return ret;
}

static long batch_call(struct batch *batch, const struct batch_call *call)
{
	long ret;

	switch (call->what) {
	case BATCH_SET:
		if (call->arg > INT_MAX || call->out < 0 || call->out >= BATCH_SLOTS)
			return -EINVAL;
		batch_keep(batch, call->out, (int)call->arg);
		return 0;
	case BATCH_CLOSE:
		return batch_close(batch, call->slot);
	case BATCH_MUNMAP:
		return batch_munmap(batch, call->index);
	case BATCH_UNWAIT:
		return batch_unwait(batch, call->index);
	case BATCH_VIEW:
		return batch_view(batch, call->arg, !call->cmd);
	case BATCH_MEET:
		return batch_meet(call);
	default:
		ret = batch_on_file(batch, call);
		if (call->out >= 0)
			batch_keep(batch, call->out, ret);
		return ret;
	}
}

static bool batch_make(struct batch *batch, struct batch_call *call)
{
	if (call->flags & BATCH_STAMP)
		call->begin = ktime_get_ns();
	call->ret = batch_call(batch, call);
	if (call->flags & BATCH_STAMP)
		call->end = ktime_get_ns();
	return (call->what != BATCH_MUNMAP || call->ret) && !signal_pending(current);
}

static long batch_run(struct batch *batch, struct batch_call __user *calls, u32 nr)
{
	struct batch_call *chunk;
	u32 done, n, i;
	bool on = true;

	chunk = kmalloc_array(BATCH_CHUNK, sizeof(*chunk), GFP_KERNEL);
	if (!chunk)
		return -ENOMEM;
	for (done = 0; on && done < nr; done += i) {
		n = min_t(u32, nr - done, BATCH_CHUNK);
		if (copy_from_user(chunk, calls + done, n * sizeof(*chunk)))
			break;
		for (i = 0; on && i < n; i++)
			on = batch_make(batch, &chunk[i]);
		/* What came of them is lost, and making them again would be worse. */
		if (copy_to_user(calls + done, chunk, i * sizeof(*chunk))) {
			kfree(chunk);
			return -EFAULT;
		}
		cond_resched();
	}
	kfree(chunk);
	return done;
}

static long batch_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct batch_run run;

	if (cmd != BATCH_RUN)
		return -ENOTTY;
	if (copy_from_user(&run, (void __user *)arg, sizeof(run)))
		return -EFAULT;
	if (run.reserved || run.nr > INT_MAX)
		return -EINVAL;
	return batch_run(file->private_data, u64_to_user_ptr(run.calls), run.nr);
}

static int batch_dev_open(struct inode *inode, struct file *file)
{
	struct batch *batch = kvzalloc(sizeof(*batch), GFP_KERNEL);

	if (!batch)
		return -ENOMEM;
	memset32(batch->slots, -1, BATCH_SLOTS);
	mutex_init(&batch->lock);
	file->private_data = batch;
	return 0;
}

static int batch_dev_release(struct inode *inode, struct file *file)
{
	struct batch *batch = file->private_data;
	unsigned int i;

	for (i = 0; i < BATCH_WAITERS; i++)
		batch_unwait(batch, i);
	kvfree(batch);
	return 0;
}

static const struct file_operations batch_dev_fops = {
	.owner		= THIS_MODULE,
	.open		= batch_dev_open,
	.release	= batch_dev_release,
	.unlocked_ioctl	= batch_dev_ioctl,
};

static struct miscdevice batch_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "ctx_batch",
	.fops	= &batch_dev_fops,
};

module_misc_device(batch_device);

MODULE_DESCRIPTION("Calls in batches, for the fuzzer of ctx alone");
MODULE_AUTHOR("The ctx authors");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
