// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Shelf: a product catalogue in kernel memory, read by applications at memory
 * speed while it is being updated.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "shelf.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * netlink comes last and goes first: it is the one door through which shelves
 * are made, so before it opens all they need is there, and once it is closed
 * no new one can come. Every shelf holds a reference on the module until it is
 * gone, so exit finds none.
 */
static int __init shelf_init(void)
{
	int ret;

	zero_block_init();
	ret = cdev_init_module();
	if (ret)
		goto err_zero_block;
	ret = registry_init();
	if (ret)
		goto err_cdev;
	ret = upkeep_init();
	if (ret)
		goto err_registry;
	ret = netlink_init();
	if (ret)
		goto err_upkeep;
	return 0;

err_upkeep:
	upkeep_exit();
err_registry:
	registry_exit();
err_cdev:
	cdev_exit_module();
err_zero_block:
	zero_block_exit();
	return ret;
}

static void __exit shelf_exit(void)
{
	netlink_exit();
	upkeep_exit();
	registry_exit();
	cdev_exit_module();
	zero_block_exit();
}

module_init(shelf_init);
module_exit(shelf_exit);

MODULE_DESCRIPTION("Product catalogue in kernel memory");
MODULE_AUTHOR("The Shelf authors");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("Dual MIT/GPL");
