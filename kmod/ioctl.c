// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls: what the caller gave is checked here, before anything is changed.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "ctx.h"

#define CTX_FD_FLAGS		(CTX_CLOEXEC | CTX_NONBLOCK)
#define CTX_CREATE_FLAGS	(CTX_CREATE_TIMEOUT | CTX_CREATE_DETACHED | \
				 CTX_CREATE_WITHOUT_CANCEL | CTX_CREATE_OWNED)

/* As copy_struct_from_user(), where the caller's structure is not as large as ours. */
static noinline int ctx_read_other_size(void *args, size_t ksize, void __user *argp, size_t size)
{
	return copy_struct_from_user(args, ksize, argp, size);
}

/* Reads a structure. Most callers know ours, and a copy of a constant size costs less. */
static __always_inline int ctx_read_args(void *args, size_t ksize, void __user *argp, size_t size)
{
	if (unlikely(size != ksize))
		return ctx_read_other_size(args, ksize, argp, size);
	return copy_from_user(args, argp, ksize) ? -EFAULT : 0;
}

static bool ctx_create_args_valid(const struct ctx_create_args *args)
{
	return !(args->flags & ~CTX_CREATE_FLAGS) &&
	       (~args->flags & (CTX_CREATE_DETACHED | CTX_CREATE_OWNED)) &&
	       !(args->fd_flags & ~CTX_FD_FLAGS) &&
	       !args->reserved &&
	       memchr(args->name, '\0', sizeof(args->name));
}

static long ctx_ioctl_create(struct file *file, void __user *argp, size_t size)
{
	struct ctx *parent = file->private_data, *ctx;
	struct ctx_create_args args;
	struct ctx_when when;
	struct file *new;
	int ret;

	if (ctx_file_watch_only(file))
		return -EPERM;
	ret = ctx_read_args(&args, sizeof(args), argp, size);
	if (ret)
		return ret;
	if (!ctx_create_args_valid(&args))
		return -EINVAL;
	ret = ctx_when_read(&when, args.deadline, args.clockid,
			    args.flags & CTX_CREATE_TIMEOUT);
	if (ret)
		return ret;

	ctx = ctx_alloc(parent == ctx_background ? NULL : parent, args.flags, args.name, when.at);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	if (args.nr_values)
		ret = ctx_values_read(ctx, &args);
	if (!ret && args.nr_parents)
		ret = ctx_merge_read(ctx, &args);
	if (!ret && when.at)
		ret = ctx_clocks_prepare(ctx->user);
	if (!ret)
		ret = ctx_open_fd(ctx, args.flags & CTX_CREATE_OWNED ? &ctx_owned_fops : &ctx_fops,
				  O_RDWR, args.fd_flags, &new);
	if (ret < 0) {
		ctx_put(ctx);
		return ret;
	}

	/* Nothing fails from here on. */
	ctx_link(ctx, &when);
	fd_install(ret, new);
	return ret;
}

/*
 * Return: the message; NULL where there is no memory for it, which must not keep
 *	anyone from cancelling; an ERR_PTR() of -EINVAL or -EFAULT
 */
static noinline struct ctx_message *ctx_read_message(const struct ctx_cancel_args *args)
{
	char text[CTX_MESSAGE_MAX];
	struct ctx_message *message;

	if (args->message_len > sizeof(text))
		return ERR_PTR(-EINVAL);
	if (copy_from_user(text, u64_to_user_ptr(args->message), args->message_len))
		return ERR_PTR(-EFAULT);

	/* Rather no message than a wait for memory, or a victim of its want. */
	message = kmalloc(struct_size(message, text, args->message_len),
			  GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN);
	if (message) {
		message->len = args->message_len;
		memcpy(message->text, text, args->message_len);
	}
	return message;
}

static long ctx_ioctl_cancel(struct file *file, void __user *argp, size_t size)
{
	struct ctx_message *message = NULL;
	struct ctx_cancel_args args;
	int ret;

	if (!ctx_file_writable(file))
		return -EBADF;
	ret = ctx_read_args(&args, sizeof(args), argp, size);
	if (ret)
		return ret;
	if (args.cause < 0)
		return -EINVAL;
	if (args.message_len)
		message = ctx_read_message(&args);
	if (IS_ERR(message))
		return PTR_ERR(message);

	if (ctx_cancel(file->private_data, ECANCELED, args.cause ?: ECANCELED, message))
		return 0;
	kfree(message);
	return 1;
}

/* Makes a descriptor, which takes over the caller's reference on @ctx, also where that fails. */
static long ctx_install_fd(struct ctx *ctx, const struct file_operations *fops, int mode,
			   u32 fd_flags)
{
	struct file *file;
	int fd;

	fd = ctx_open_fd(ctx, fops, mode, fd_flags, &file);
	if (fd < 0)
		ctx_put(ctx);
	else
		fd_install(fd, file);
	return fd;
}

static long ctx_ioctl_watch(struct file *file, void __user *argp, size_t size)
{
	struct ctx *ctx = file->private_data;
	u32 fd_flags;
	int ret;

	ret = ctx_read_args(&fd_flags, sizeof(fd_flags), argp, size);
	if (ret)
		return ret;
	if (fd_flags & ~(CTX_FD_FLAGS | CTX_WATCH_ONLY))
		return -EINVAL;
	if (ctx_file_watch_only(file) && !(fd_flags & CTX_WATCH_ONLY))
		return -EPERM;

	return ctx_install_fd(ctx_get(ctx),
			      fd_flags & CTX_WATCH_ONLY ? &ctx_watch_only_fops : &ctx_fops,
			      O_RDONLY, fd_flags);
}

static long ctx_ioctl_set_deadline(struct file *file, void __user *argp, size_t size)
{
	struct ctx *ctx = file->private_data;
	struct ctx_deadline_args args;
	struct ctx_when when;
	int ret;

	if (!ctx_file_writable(file))
		return -EBADF;
	ret = ctx_read_args(&args, sizeof(args), argp, size);
	if (ret)
		return ret;
	if (args.flags & ~CTX_CREATE_TIMEOUT)
		return -EINVAL;
	ret = ctx_when_read(&when, args.deadline, args.clockid,
			    args.flags & CTX_CREATE_TIMEOUT);
	if (ret)
		return ret;
	ret = ctx_deadline_prepare(ctx, &when);
	if (ret)
		return ret;
	return ctx_deadline_set(ctx, &when);
}

static long ctx_ioctl_info(struct file *file, void __user *argp, size_t size)
{
	struct ctx_info info;
	int ret;

	ret = ctx_get_info(file->private_data, &info);
	if (ret)
		return ret;
	return copy_struct_to_user(argp, size, &info, sizeof(info), NULL);
}

static long ctx_ioctl_get_value(struct file *file, void __user *argp, size_t size)
{
	struct ctx_value value;
	int ret;

	ret = ctx_read_args(&value, sizeof(value), argp, size);
	if (ret)
		return ret;
	return ctx_values_get(file->private_data, &value);
}

static long ctx_ioctl_open(struct file *file, void __user *argp, size_t size)
{
	struct ctx_open_args args;
	struct ctx *ctx;
	int ret;

	ret = ctx_read_args(&args, sizeof(args), argp, size);
	if (ret)
		return ret;
	if ((args.flags & ~CTX_OPEN_CONTROL) || (args.fd_flags & ~CTX_FD_FLAGS))
		return -EINVAL;
	ctx = ctx_find(args.id);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	if (args.flags & CTX_OPEN_CONTROL)
		return ctx_install_fd(ctx, &ctx_control_fops, O_RDWR, args.fd_flags);
	return ctx_install_fd(ctx, &ctx_fops, O_RDONLY, args.fd_flags);
}

static long ctx_ioctl_list(struct file *file, void __user *argp, size_t size)
{
	struct ctx_list_args args;
	int ret;

	ret = ctx_read_args(&args, sizeof(args), argp, size);
	if (ret)
		return ret;
	if (args.reserved)
		return -EINVAL;
	/* What is returned is an int to user space. */
	return ctx_list(args.after, u64_to_user_ptr(args.ids), min_t(u32, args.nr, INT_MAX));
}

/* An ioctl whatever size of structure its caller knows. */
#define CTX_IOC_ANY_SIZE(cmd)	((cmd) & ~IOCSIZE_MASK)

/*
 * @size is that of the caller's structure. Nobody knows less of it than the first version
 * had, up to @last.
 */
#define CTX_HAS(type, last)	(size >= offsetofend(type, last))

long ctx_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);

	switch (CTX_IOC_ANY_SIZE(cmd)) {
	case CTX_IOC_ANY_SIZE(CTX_IOC_CREATE):
		if (CTX_HAS(struct ctx_create_args, name))
			return ctx_ioctl_create(file, argp, size);
		break;
	case CTX_IOC_ANY_SIZE(CTX_IOC_CANCEL):
		if (CTX_HAS(struct ctx_cancel_args, message))
			return ctx_ioctl_cancel(file, argp, size);
		break;
	case CTX_IOC_ANY_SIZE(CTX_IOC_WATCH):
		if (size >= sizeof(u32))
			return ctx_ioctl_watch(file, argp, size);
		break;
	case CTX_IOC_ANY_SIZE(CTX_IOC_SET_DEADLINE):
		if (CTX_HAS(struct ctx_deadline_args, flags))
			return ctx_ioctl_set_deadline(file, argp, size);
		break;
	case CTX_IOC_ANY_SIZE(CTX_IOC_INFO):
		if (CTX_HAS(struct ctx_info, message))
			return ctx_ioctl_info(file, argp, size);
		break;
	case CTX_IOC_ANY_SIZE(CTX_IOC_GET_VALUE):
		if (CTX_HAS(struct ctx_value, reserved))
			return ctx_ioctl_get_value(file, argp, size);
		break;
	case CTX_IOC_ANY_SIZE(CTX_IOC_OPEN):
		if (file->f_op != &ctx_dev_fops)
			return -ENOTTY;
		if (CTX_HAS(struct ctx_open_args, fd_flags))
			return ctx_ioctl_open(file, argp, size);
		break;
	case CTX_IOC_ANY_SIZE(CTX_IOC_LIST):
		if (file->f_op != &ctx_dev_fops)
			return -ENOTTY;
		if (CTX_HAS(struct ctx_list_args, reserved))
			return ctx_ioctl_list(file, argp, size);
		break;
	default:
		return -ENOTTY;
	}
	return -EINVAL;
}
