// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx - cancellation contexts: /dev/ctx, and the module's start and end
 */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "ctx.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static struct miscdevice ctx_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "ctx",
	.fops	= &ctx_dev_fops,
	.mode	= 0666,
};

static int __init ctx_init(void)
{
	int ret;

	ctx_user_init();
	ctx_registry_init();
	ret = ctx_deadlines_init();
	if (ret)
		return ret;
	ret = ctx_callback_init();
	if (ret)
		goto err_deadline;
	ret = ctx_queue_init();
	if (ret)
		goto err_callback;
	ret = ctx_tree_init();
	if (ret)
		goto err_queue;
	ret = ctx_anon_init();
	if (ret)
		goto err_tree;
	ret = misc_register(&ctx_device);
	if (ret)
		goto err_anon;
	return 0;

err_anon:
	ctx_anon_exit();
err_tree:
	ctx_tree_exit();
	ctx_user_exit();
err_queue:
	ctx_queue_exit();
err_callback:
	ctx_callback_exit();
err_deadline:
	ctx_deadlines_exit();
	return ret;
}

static void __exit ctx_exit(void)
{
	misc_deregister(&ctx_device);
	ctx_anon_exit();
	/*
	 * No file is open, so the contexts that are left are the queue's. The timers are
	 * stopped first: after that nothing but the queue itself adds to it.
	 */
	ctx_clocks_stop();
	/* Model: queue_drain. */
	ctx_queue_drain();
	ctx_tree_exit();
	ctx_user_exit();
	ctx_queue_exit();
	ctx_callback_exit();
	ctx_deadlines_exit();
}

module_init(ctx_init);
module_exit(ctx_exit);

MODULE_DESCRIPTION("Cancellation contexts");
MODULE_AUTHOR("The ctx authors");
MODULE_LICENSE("GPL");
