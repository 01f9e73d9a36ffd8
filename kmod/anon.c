// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inode and the dentry that the descriptors of contexts share: nothing tells
 * them apart but what the file has. So a descriptor costs a file alone. Each
 * processor has a pair, so that two do not count on one cache line.
 *
 * All that a path leads to is the kernel's own, of its file system of anonymous
 * inodes. Whoever has a descriptor's path, as from O_PATH, holds these and not the
 * module: so nothing in them may be the module's. That is also why they are not
 * opened by inode->i_fop, which anybody finds by /proc/PID/fd: nobody, root
 * included, is let in there, because the inode's owner is in no user namespace.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/percpu.h>

#include "ctx.h"

static struct path __percpu *ctx_paths;

static int __init ctx_anon_add(struct path *path, struct vfsmount *mnt)
{
	struct inode *inode = alloc_anon_inode(mnt->mnt_sb);
	struct file *file;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	/* These have neither an owner nor open(). */
	inode->i_fop = &generic_ro_fops;
	inode->i_uid = INVALID_UID;
	inode->i_gid = INVALID_GID;
	file = alloc_file_pseudo(inode, mnt, "[ctx]", O_RDWR, &generic_ro_fops);
	if (IS_ERR(file)) {
		iput(inode);
		return PTR_ERR(file);
	}
	*path = file->f_path;
	path_get(path);
	fput(file);
	return 0;
}

/**
 * ctx_anon_init - make what descriptors share
 *
 * Return: 0, or a negative errno
 */
int __init ctx_anon_init(void)
{
	struct file *file;
	unsigned int cpu;
	int ret = 0;

	ctx_paths = alloc_percpu(struct path);
	if (!ctx_paths)
		return -ENOMEM;
	/* For its mount alone. */
	file = anon_inode_getfile("[ctx]", &generic_ro_fops, NULL, O_RDWR);
	if (IS_ERR(file)) {
		free_percpu(ctx_paths);
		return PTR_ERR(file);
	}
	for_each_possible_cpu(cpu) {
		ret = ctx_anon_add(per_cpu_ptr(ctx_paths, cpu), file->f_path.mnt);
		if (ret)
			break;
	}
	fput(file);
	if (ret)
		ctx_anon_exit();
	return ret;
}

void ctx_anon_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		path_put(per_cpu_ptr(ctx_paths, cpu));
	free_percpu(ctx_paths);
}

/**
 * ctx_anon_open - make a file that no path leads to
 * @fops: of this module
 * @private: for them
 * @flags: O_RDWR or O_RDONLY, O_NONBLOCK
 *
 * Return: the file, or an ERR_PTR() of -ENFILE or -ENOMEM
 */
struct file *ctx_anon_open(const struct file_operations *fops, void *private, int flags)
{
	struct file *file = dentry_open(raw_cpu_ptr(ctx_paths), flags, current_cred());

	if (IS_ERR(file))
		return file;
	__module_get(THIS_MODULE);
	replace_fops(file, fops);
	file->private_data = private;
	/* It has no position, as it would be taken to have. */
	file->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE | FMODE_ATOMIC_POS);
	return file;
}
