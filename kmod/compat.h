/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The only place that tests kernel versions. It writes the new kernel's API
 * for the old one, so that the rest reads as if only the newest existed. 6.1
 * and 6.12 are built and tested.
 */
#ifndef SHELF_COMPAT_H
#define SHELF_COMPAT_H

#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <net/genetlink.h>

/* class->devnode() is given a device that it may, or may not, change. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define compat_devnode_const
#else
#define compat_devnode_const	const
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#undef class_create
#define class_create(name)						\
({									\
	static struct lock_class_key __key;				\
									\
	__class_create(THIS_MODULE, name, &__key);			\
})
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
static inline unsigned long
mm_get_unmapped_area(struct mm_struct *mm, struct file *file,
		     unsigned long addr, unsigned long len,
		     unsigned long pgoff, unsigned long flags)
{
	return mm->get_unmapped_area(file, addr, len, pgoff, flags);
}

/* The kernel redefines __assign_str() stage by stage, so it gets a new name. */
#define shelf_assign_str(field, value)	__assign_str(field, value)
#else
#define shelf_assign_str(field, value)	__assign_str(field)
#endif

/*
 * Refuses one operation of a batch. The index also travels as the extack's
 * cookie, for programs, and because before 6.2 an extack can only point at
 * constant text. @why: constant text, of which 6.2 and later send 56 bytes.
 */
static inline void compat_extack_op(struct netlink_ext_ack *extack, u64 index,
				    const char *why)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	extack->_msg = why;
#else
	NL_SET_ERR_MSG_FMT(extack, "operation %llu: %.56s", index, why);
#endif
	nl_set_extack_cookie_u64(extack, index);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *compat_shrinker_alloc(const char *name)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (s)
		s->seeks = DEFAULT_SEEKS;
	return s;
}

static inline int compat_shrinker_register(struct shrinker *s)
{
	int ret = register_shrinker(s, "shelf");

	if (ret)
		kfree(s);
	return ret;
}

static inline void compat_shrinker_free(struct shrinker *s)
{
	unregister_shrinker(s);
	kfree(s);
}
#else
#define compat_shrinker_alloc(name)	shrinker_alloc(0, name)
#define compat_shrinker_free(s)		shrinker_free(s)

static inline int compat_shrinker_register(struct shrinker *s)
{
	shrinker_register(s);
	return 0;
}
#endif

/* The attributes of a dump's request. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define compat_dump_attrs(dump)		((dump)->attrs)
#else
#define compat_dump_attrs(dump)		((dump)->info.attrs)
#endif

#endif /* SHELF_COMPAT_H */
