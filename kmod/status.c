// SPDX-License-Identifier: GPL-2.0-only
/*
 * The status word that mmap shows: a page for each context, once it is mapped.
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/personality.h>
#include <linux/sched.h>

#include "ctx.h"

/**
 * ctx_status_set - set the status word, where there is one
 * @ctx: cancelled
 *
 * Whoever comes at once sets it to the same.
 *
 * Context: any
 */
void ctx_status_set(struct ctx *ctx)
{
	struct ctx *origin = READ_ONCE(ctx->origin);
	struct ctx_status *status;

	/*
	 * Model: status_mb. Pairs with that of ctx_join(): who makes the page sees
	 * @origin there, or the page is seen here, before the caller passes @origin
	 * on. The record is read after it, too.
	 */
	smp_mb();
	status = READ_ONCE(ctx->status);
	if (!status)
		return;
	WRITE_ONCE(status->cause, origin->cause);
	/* Model: err_release. Pairs with user space's acquire: who sees @err may read @cause. */
	smp_store_release(&status->err, origin->err);
	flush_dcache_page(virt_to_page(status));
}

/* Makes the page, unless there is one. It counts among what the context's user has. */
static int ctx_status_prepare(struct ctx *ctx)
{
	const unsigned int count = ctx == ctx_background ? 0 : DIV_ROUND_UP(PAGE_SIZE, CTX_COST);
	unsigned long page;
	int ret;

	if (READ_ONCE(ctx->status))
		return 0;
	ret = ctx_user_charge(ctx->user, count);
	if (ret)
		return ret;
	page = get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!page) {
		ctx_user_uncharge(ctx->user, count);
		return -ENOMEM;
	}
	/* Model: page_release. Pairs with the address dependency in ctx_status_set(). */
	if (cmpxchg(&ctx->status, NULL, (struct ctx_status *)page)) {
		free_page(page);
		ctx_user_uncharge(ctx->user, count);
	} else {
		ctx->count += count;
	}
	return 0;
}

/* Again, where the caller's memory was told to forget it. */
static vm_fault_t ctx_status_fault(struct vm_fault *vmf)
{
	struct ctx *ctx = vmf->vma->vm_file->private_data;

	vmf->page = virt_to_page(READ_ONCE(ctx->status));
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct ctx_status_ops = {
	.fault	= ctx_status_fault,
};

/**
 * ctx_status_mmap - map the status word into the caller's memory
 * @file: a context's descriptor; while it is mapped, it is not closed
 * @vma: where to; read-only for ever
 *
 * Return: 0, -EACCES for a writable or executable mapping, -EINVAL for one that
 *	is not one shared page at offset 0, -ENOMEM, or -ENOSPC where the context's
 *	user has what he may have
 */
int ctx_status_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ctx *ctx = file->private_data;
	int ret;

	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	/* Where every mapping is to be executable, this one is read-only all the same. */
	if ((vma->vm_flags & VM_EXEC) && !(current->personality & READ_IMPLIES_EXEC))
		return -EACCES;
	/* Not VM_SHARED, which the core clears where the file is read-only. */
	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	ret = ctx_status_prepare(ctx);
	if (ret)
		return ret;

	/* Where @ctx is cancelled this sets the word, before it can be seen. */
	ctx_join(ctx);
	vm_flags_mod(vma, VM_DONTEXPAND, VM_MAYWRITE | VM_EXEC | VM_MAYEXEC);
	vma->vm_ops = &ctx_status_ops;
	return vm_insert_page(vma, vma->vm_start, virt_to_page(READ_ONCE(ctx->status)));
}

/**
 * ctx_status_free - let go of the page
 * @ctx: without references, and so without a mapping
 */
void ctx_status_free(struct ctx *ctx)
{
	free_page((unsigned long)ctx->status);
}
