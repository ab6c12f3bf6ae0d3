// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * ioctl: the table of calls, and those that are no lookups. For who can't map,
 * and for what a mapped reader falls back to.
 */
#include <linux/indirect_call_wrapper.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "shelf.h"

/**
 * struct ioctl_op - one row of the table
 * @size: of the struct as this kernel knows it
 * @min: of the oldest struct that makes sense
 * @in_only: nothing goes back
 * @handle: fills in the answer
 * @undo: if set, what the caller couldn't be told of
 */
struct ioctl_op {
	size_t size;
	size_t min;
	bool in_only;
	int (*handle)(struct shelf_file *f, union ioctl_arg *arg);
	void (*undo)(struct shelf_file *f, const union ioctl_arg *arg);
};

static int ioctl_info(struct shelf_file *f, union ioctl_arg *a)
{
	struct shelf *s = f->shelf;
	const struct shelf_control *c = s->store.control;
	struct shelf_ioc_info *arg = &a->info;
	struct shelf_view view;
	int ret;

	if (arg->flags)
		return -EINVAL;
	arg->abi = c->abi;
	arg->dead = READ_ONCE(s->dead);
	arg->oldest = READ_ONCE(c->oldest);
	arg->max_bytes = c->max_bytes;
	arg->arena_bytes = c->arena_bytes;
	strscpy_pad(arg->name, s->name, sizeof(arg->name));
	rcu_read_lock();
	ret = file_view_rcu(f, arg->pin, &view);
	arg->generation = view.root->generation;
	arg->products = view.root->products;
	arg->catalogs = view.root->catalogs;
	arg->memberships = view.root->memberships;
	arg->sources = view.root->sources;
	arg->attrs_bytes = view.root->attrs_bytes;
	arg->committed_ns = view.root->committed_ns;
	rcu_read_unlock();
	return ret;
}

static bool wait_over(const struct shelf *s, u64 generation)
{
	return shelf_generation(s) >= generation || READ_ONCE(s->dead);
}

static int ioctl_wait(struct shelf_file *f, union ioctl_arg *a)
{
	struct shelf *s = f->shelf;
	struct shelf_ioc_wait *arg = &a->wait;
	bool forever = arg->timeout_ns < 0;
	ktime_t time = forever ? KTIME_MAX : ns_to_ktime(arg->timeout_ns);
	u64 awaited = arg->generation;
	int ret;

	if (arg->flags)
		return -EINVAL;
	shelf_count(s, STAT_WAITS, 1);
	ret = wait_event_interruptible_hrtimeout(s->wait, wait_over(s, awaited),
						 time);
	arg->generation = shelf_generation(s);
	if (arg->generation >= awaited)
		return 0;
	if (ret == -ETIME)
		return -ETIMEDOUT;
	/* A wait begun anew after a signal handler would begin its time anew. */
	if (ret == -ERESTARTSYS)
		return forever ? -ERESTARTSYS : -ERESTARTNOHAND;
	return -ENODEV;
}

static int ioctl_report(struct shelf_file *f, union ioctl_arg *a)
{
	struct shelf *s = f->shelf;
	const struct shelf_ioc_report *arg = &a->report;

	if (arg->flags || arg->lookups > SHELF_REPORT_MAX ||
	    arg->hits > SHELF_REPORT_MAX || arg->members > SHELF_REPORT_MAX)
		return -EINVAL;
	shelf_count(s, STAT_REPORTED_LOOKUPS, arg->lookups);
	shelf_count(s, STAT_REPORTED_HITS, arg->hits);
	shelf_count(s, STAT_REPORTED_MEMBERS, arg->members);
	return 0;
}

#define IOCTL_OP(_cmd, _handle, _type, _last)				\
	[_IOC_NR(_cmd)] = {						\
		.size = sizeof(struct _type),				\
		.min = offsetofend(struct _type, _last),		\
		.handle = _handle,					\
	}

static const struct ioctl_op ioctl_ops[] = {
	IOCTL_OP(SHELF_IOC_INFO, ioctl_info, shelf_ioc_info, generation),
	IOCTL_OP(SHELF_IOC_GET, ioctl_get, shelf_ioc_get, product),
	IOCTL_OP(SHELF_IOC_GET_MANY, ioctl_get_many, shelf_ioc_get_many,
		 generation),
	IOCTL_OP(SHELF_IOC_MEMBERS, ioctl_members, shelf_ioc_members,
		 generation),
	IOCTL_OP(SHELF_IOC_IS_MEMBER, ioctl_is_member, shelf_ioc_is_member,
		 generation),
	IOCTL_OP(SHELF_IOC_WAIT, ioctl_wait, shelf_ioc_wait, timeout_ns),
	[_IOC_NR(SHELF_IOC_REPORT)] = {
		.size = sizeof(struct shelf_ioc_report),
		.min = offsetofend(struct shelf_ioc_report, members),
		.in_only = true,
		.handle = ioctl_report,
	},
	[_IOC_NR(SHELF_IOC_PIN)] = {
		.size = sizeof(struct shelf_ioc_pin),
		.min = offsetofend(struct shelf_ioc_pin, reserved),
		.handle = ioctl_pin,
		.undo = ioctl_pin_undo,
	},
	[_IOC_NR(SHELF_IOC_UNPIN)] = {
		.size = sizeof(struct shelf_ioc_unpin),
		.min = offsetofend(struct shelf_ioc_unpin, pin),
		.in_only = true,
		.handle = ioctl_unpin,
	},
	IOCTL_OP(SHELF_IOC_SCAN, ioctl_scan, shelf_ioc_scan, pin),
};

static const struct ioctl_op *find_op(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);
	const struct ioctl_op *op;

	if (nr >= ARRAY_SIZE(ioctl_ops) || cmd != _IO(SHELF_IOC, nr))
		return NULL;
	op = &ioctl_ops[array_index_nospec(nr, ARRAY_SIZE(ioctl_ops))];
	return op->handle ? op : NULL;
}

/* These still tell a generation, and of what is absent that it is. */
static bool is_answer(int ret)
{
	return !ret || ret == -ENOENT || ret == -ETIMEDOUT || ret == -ENODEV;
}

long shelf_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct shelf_file *f = file->private_data;
	const struct ioctl_op *op = find_op(cmd);
	void __user *user = (void __user *)arg;
	union ioctl_arg a = {};
	u32 size;
	int ret;

	if (!op)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < op->min)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&a, op->size, user, size);
	if (ret)
		return ret;
	a.size = size;	/* as checked, whatever it may have become since */
	ret = INDIRECT_CALL_1(op->handle, ioctl_get, f, &a);
	if (op->in_only || !is_answer(ret))
		return ret;
	if (!copy_to_user(user, &a, min_t(size_t, size, op->size)))
		return ret;
	if (op->undo)
		op->undo(f, &a);
	return -EFAULT;
}
