// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file system that the descriptors of contexts are of: one inode and one
 * dentry for all, since nothing tells them apart but what the file has. So a
 * descriptor costs a file alone.
 *
 * It is opened by ctx_open_file() and by nobody else: it is mounted nowhere, and
 * what opens by a path, as /proc/PID/fd has them, is asked for permission, which
 * nobody gets.
 */
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/string.h>

#include "ctx.h"

#define CTX_FS_MAGIC	0x637478	/* "ctx" */

static struct path ctx_path;

/* The text that the link in /proc/PID/fd has. */
static char *ctx_dname(struct dentry *dentry, char *buffer, int size)
{
	static const char name[] = "anon_inode:[ctx]";

	if (size < (int)sizeof(name))
		return ERR_PTR(-ENAMETOOLONG);
	return memcpy(buffer + size - sizeof(name), name, sizeof(name));
}

static const struct dentry_operations ctx_dentry_operations = {
	.d_dname	= ctx_dname,
};

/* Of a context's descriptor there is no second one by its name, as with any anonymous inode. */
static int ctx_permission(struct mnt_idmap *idmap, struct inode *inode, int mask)
{
	return mask & MAY_OPEN ? -ENXIO : -EACCES;
}

static const struct inode_operations ctx_inode_operations = {
	.permission	= ctx_permission,
};

static int ctx_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *pseudo = init_pseudo(fc, CTX_FS_MAGIC);

	if (!pseudo)
		return -ENOMEM;
	pseudo->dops = &ctx_dentry_operations;
	fc->s_iflags |= SB_I_NOEXEC | SB_I_NODEV;
	return 0;
}

/* No owner: its only mount, which would hold the module, goes with the module. */
static struct file_system_type ctx_fs = {
	.name			= "ctxfs",
	.init_fs_context	= ctx_init_fs_context,
	.kill_sb		= kill_anon_super,
};

/**
 * ctx_fs_init - make it
 * @fops: of the files
 *
 * Return: 0 or a negative errno
 */
int __init ctx_fs_init(const struct file_operations *fops)
{
	struct inode *inode;

	ctx_path.mnt = kern_mount(&ctx_fs);
	if (IS_ERR(ctx_path.mnt))
		return PTR_ERR(ctx_path.mnt);
	inode = alloc_anon_inode(ctx_path.mnt->mnt_sb);
	if (IS_ERR(inode)) {
		kern_unmount(ctx_path.mnt);
		return PTR_ERR(inode);
	}
	inode->i_op = &ctx_inode_operations;
	inode->i_fop = fops;
	ctx_path.dentry = d_alloc_anon(ctx_path.mnt->mnt_sb);
	if (!ctx_path.dentry) {
		iput(inode);
		kern_unmount(ctx_path.mnt);
		return -ENOMEM;
	}
	d_instantiate(ctx_path.dentry, inode);
	return 0;
}

void ctx_fs_exit(void)
{
	dput(ctx_path.dentry);
	kern_unmount(ctx_path.mnt);
}

/**
 * ctx_open_file - make a file of a context
 * @flags: O_RDWR or O_RDONLY, O_NONBLOCK
 *
 * Return: it, or an ERR_PTR() of -ENFILE or -ENOMEM
 */
struct file *ctx_open_file(int flags)
{
	struct file *file = dentry_open(&ctx_path, flags, current_cred());

	/* It has no position, as it would be taken to have. */
	if (!IS_ERR(file))
		file->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE | FMODE_ATOMIC_POS);
	return file;
}
