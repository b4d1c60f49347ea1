// SPDX-License-Identifier: GPL-2.0
/* A module that leaks: 3,000 objects of 512 bytes that it links into a list and forgets, and a vmalloc area. */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static void *last, *area;

static int __init leak_init(void)
{
	int i;

	for (i = 0; i < 3000; i++) {
		void **object = kmalloc(512, GFP_KERNEL);

		if (!object)
			return -ENOMEM;
		*object = last;
		last = object;
	}
	area = vmalloc(4 << 20);
	return area ? 0 : -ENOMEM;
}

static void __exit leak_exit(void)
{
}

module_init(leak_init);
module_exit(leak_exit);
MODULE_LICENSE("GPL");
