/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that the module is built for, 6.1 to
 * 7.3. The code is written for the newest; what the older lack stands here.
 */
#ifndef _CTX_COMPAT_H
#define _CTX_COMPAT_H

#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags |= set;
	vma->vm_flags &= ~clear;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}

static inline int copy_struct_to_user(void __user *dst, size_t usize,
				      const void *src, size_t ksize,
				      bool *ignored_trailing)
{
	size_t size = min(ksize, usize);

	if (ignored_trailing)
		*ignored_trailing = ksize > usize && memchr_inv(src + size, 0, ksize - size);
	if (usize > ksize && clear_user(dst + size, usize - ksize))
		return -EFAULT;
	if (copy_to_user(dst, src, size))
		return -EFAULT;
	return 0;
}
#endif

/* Whom a descriptor's signals go to, as F_SETOWN set it. */
static inline enum pid_type file_owner_type(const struct file *file)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	return READ_ONCE(file->f_owner.pid_type);
#else
	const struct fown_struct *owner = file_f_owner(file);

	return owner ? READ_ONCE(owner->pid_type) : PIDTYPE_PID;
#endif
}

#endif /* _CTX_COMPAT_H */
