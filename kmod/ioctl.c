// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reading by ioctl: for those who can't map, and for what a mapped reader
 * falls back to.
 *
 * P1, P3: each answer comes from one root, walked in one rcu_read_lock()
 * section, into a buffer of ours; user memory is touched outside of it. Only
 * the attribute bytes of a get go straight from the arena to the caller, as long
 * as no page has to be faulted in for them: nothing sleeps in the section.
 * P8: user memory is read once, then the copy is used; what goes back is zeroed
 * first, and holds no reference into the arena.
 */
#include <linux/indirect_call_wrapper.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "many.h"
#include "shelf.h"
#include "trace.h"

union ioctl_arg {
	u32 size;
	struct shelf_ioc_info info;
	struct shelf_ioc_get get;
	struct shelf_ioc_get_many get_many;
	struct shelf_ioc_members members;
	struct shelf_ioc_is_member is_member;
	struct shelf_ioc_wait wait;
	struct shelf_ioc_report report;
};

/**
 * struct ioctl_op - one row of the table
 * @size: of the struct as this kernel knows it
 * @min: of the oldest struct that makes sense
 * @in_only: nothing goes back
 * @handle: fills in the answer
 */
struct ioctl_op {
	size_t size;
	size_t min;
	bool in_only;
	int (*handle)(struct shelf *s, union ioctl_arg *arg);
};

void shelf_view_rcu(const struct shelf *s, struct shelf_view *view)
{
	/* Chunks come before the root that needs them; see arena_grow(). */
	view->root = rcu_dereference(s->store.root);
	view->chunks = s->store.arena.chunk;
	view->seed = s->store.seed;
}

u64 shelf_generation(const struct shelf *s)
{
	/*
	 * P1. Pairs with the release in draft_publish(): who is told of a
	 * generation finds it, or a newer one, behind the root.
	 */
	return smp_load_acquire(&s->store.control->current_word) >>
	       SHELF_ROOT_BITS;
}

static void count_lookups(struct shelf *s, unsigned int cmd, u32 ids, u32 found)
{
	shelf_count(s, STAT_LOOKUPS, ids);
	shelf_count(s, STAT_HITS, found);
	shelf_count(s, STAT_MISSES, ids - found);
	trace_shelf_lookup(s->name, _IOC_NR(cmd), ids, found);
}

static int ioctl_info(struct shelf *s, union ioctl_arg *a)
{
	const struct shelf_control *c = s->store.control;
	struct shelf_ioc_info *arg = &a->info;
	struct shelf_view view;

	if (arg->flags)
		return -EINVAL;
	arg->abi = c->abi;
	arg->dead = READ_ONCE(s->dead);
	arg->oldest = READ_ONCE(c->oldest);
	arg->max_bytes = c->max_bytes;
	arg->arena_bytes = c->arena_bytes;
	strscpy_pad(arg->name, s->name, sizeof(arg->name));
	rcu_read_lock();
	shelf_view_rcu(s, &view);
	arg->generation = view.root->generation;
	arg->products = view.root->products;
	arg->catalogs = view.root->catalogs;
	arg->memberships = view.root->memberships;
	arg->attrs_bytes = view.root->attrs_bytes;
	arg->committed_ns = view.root->committed_ns;
	rcu_read_unlock();
	return 0;
}

/* The record as answers give it: zeros but for the id if there is none. */
static bool record_to_answer(const struct shelf_product *p, s64 id,
			     struct shelf_product *to)
{
	if (!p) {
		*to = (struct shelf_product){ .id = id };
		return false;
	}
	*to = *p;
	return true;
}

static bool copy_product(const struct shelf_view *view, s64 id,
			 struct shelf_product *to)
{
	return record_to_answer(shelf_view_product(view, id), id, to);
}

static void hide_refs(struct shelf_product *p)
{
	p->attrs_ref = 0;
	p->next = 0;
}

static u32 attrs_wanted(const struct shelf_ioc_get *arg)
{
	return min3(arg->product.attrs_len, arg->attrs_size, SHELF_ATTRS_MAX);
}

/*
 * No copy_to_user(): its hardening would look up the page, one more cache miss,
 * or take a lock where the chunk is mapped by vmap(). What @from points at is
 * bounded by the walk.
 */
static bool run_to_user(void __user *to, const void *from, u32 n)
{
	if (!user_access_begin(to, n))
		return false;
	unsafe_copy_to_user(to, from, n, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

/* False if a page isn't there, or is not the caller's to write. */
static bool attrs_to_user(const struct shelf_view *view,
			  const struct shelf_ioc_get *arg)
{
	u8 __user *to = u64_to_user_ptr(arg->attrs);
	u32 len = attrs_wanted(arg), done, n;
	const void *from;

	for (done = 0; done < len; done += n) {
		from = shelf_attrs_run(view, &arg->product, done, len - done, &n);
		if (!n)
			break;
		if (!run_to_user(to + done, from, n))
			return false;
	}
	return true;
}

/* The record, still with its reference, and the view that it is of. */
static bool look_product_rcu(struct shelf *s, struct shelf_ioc_get *arg,
			     struct shelf_view *view)
{
	shelf_view_rcu(s, view);
	arg->generation = view->root->generation;
	return copy_product(view, arg->id, &arg->product);
}

/* False if the attributes did not get there; @arg then tells how many they were. */
static bool get_direct(struct shelf *s, struct shelf_ioc_get *arg, bool *found)
{
	struct shelf_view view;
	bool done;

	rcu_read_lock();
	*found = look_product_rcu(s, arg, &view);
	pagefault_disable();
	done = attrs_to_user(&view, arg);
	pagefault_enable();
	rcu_read_unlock();
	return done;
}

/*
 * All of it once more, from a newer root perhaps, with the attributes by way of
 * a buffer; they may grow as we allocate.
 */
static noinline int get_bounced(struct shelf *s, struct shelf_ioc_get *arg,
				bool *found)
{
	u32 room = 0, len = 0;
	struct shelf_view view;
	u8 *attrs = NULL;
	int ret = 0;

	while (attrs_wanted(arg) > room) {
		kvfree(attrs);
		room = attrs_wanted(arg);
		attrs = kvmalloc(room, GFP_KERNEL);
		if (!attrs)
			return -ENOMEM;
		rcu_read_lock();
		*found = look_product_rcu(s, arg, &view);
		len = shelf_view_attrs(&view, &arg->product, attrs, room);
		rcu_read_unlock();
	}
	if (copy_to_user(u64_to_user_ptr(arg->attrs), attrs, len))
		ret = -EFAULT;
	kvfree(attrs);
	return ret;
}

static int ioctl_get(struct shelf *s, union ioctl_arg *a)
{
	struct shelf_ioc_get *arg = &a->get;
	bool found;
	int ret = 0;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	if (!get_direct(s, arg, &found))
		ret = get_bounced(s, arg, &found);
	hide_refs(&arg->product);
	count_lookups(s, SHELF_IOC_GET, 1, found);
	if (!ret && !found)
		ret = -ENOENT;
	return ret;
}

struct many {
	const s64 *ids;
	struct shelf_product *products;
	u32 found;
};

static __always_inline void many_found(void *arg, size_t i, const struct shelf_record *r)
{
	struct many *m = arg;

	m->found += record_to_answer((const struct shelf_product *)r, m->ids[i],
				     &m->products[i]);
	hide_refs(&m->products[i]);
}

static u32 look_products(struct shelf *s, struct shelf_ioc_get_many *arg,
			 const s64 *ids, struct shelf_product *products)
{
	struct many m = { .ids = ids, .products = products };
	struct shelf_view view;

	rcu_read_lock();
	shelf_view_rcu(s, &view);
	arg->generation = view.root->generation;
	shelf_find_many(&view, view.root->product_dir, SHELF_PRODUCT_DIR_BITS,
			ids, arg->count, many_found, &m);
	rcu_read_unlock();
	return m.found;
}

static int get_many(struct shelf *s, struct shelf_ioc_get_many *arg, s64 *ids,
		    struct shelf_product *products)
{
	if (copy_from_user(ids, u64_to_user_ptr(arg->ids),
			   array_size(arg->count, sizeof(*ids))))
		return -EFAULT;
	arg->found = look_products(s, arg, ids, products);
	count_lookups(s, SHELF_IOC_GET_MANY, arg->count, arg->found);
	if (copy_to_user(u64_to_user_ptr(arg->products), products,
			 array_size(arg->count, sizeof(*products))))
		return -EFAULT;
	return 0;
}

static int ioctl_get_many(struct shelf *s, union ioctl_arg *a)
{
	struct shelf_ioc_get_many *arg = &a->get_many;
	struct shelf_product *products;
	s64 *ids;
	int ret = -ENOMEM;

	if (arg->flags || arg->count > SHELF_GET_MANY_MAX)
		return -EINVAL;
	ids = kvmalloc_array(arg->count, sizeof(*ids), GFP_KERNEL);
	products = kvmalloc_array(arg->count, sizeof(*products), GFP_KERNEL);
	if (ids && products)
		ret = get_many(s, arg, ids, products);
	kvfree(products);
	kvfree(ids);
	return ret;
}

static int look_members(struct shelf *s, struct shelf_ioc_members *arg, s64 *ids,
			u32 room)
{
	bool from_start = !(arg->flags & SHELF_MEMBERS_AFTER);
	const struct shelf_catalog *c;
	struct shelf_catalog copy;
	struct shelf_view view;
	bool more = false;

	arg->count = 0;
	arg->total = 0;
	rcu_read_lock();
	shelf_view_rcu(s, &view);
	arg->generation = view.root->generation;
	c = shelf_view_catalog(&view, arg->catalog);
	if (c) {
		copy = *c;
		arg->total = copy.count;
		arg->count = shelf_catalog_copy(&view, &copy, from_start,
						arg->after, ids, room, &more);
	}
	rcu_read_unlock();
	arg->more = more;
	return c ? 0 : -ENOENT;
}

static int ioctl_members(struct shelf *s, union ioctl_arg *a)
{
	struct shelf_ioc_members *arg = &a->members;
	u32 room = arg->count;
	s64 *ids;
	int ret;

	if (arg->flags & ~SHELF_MEMBERS_AFTER || room > SHELF_PAGE_MEMBERS_MAX)
		return -EINVAL;
	ids = kvmalloc_array(room, sizeof(*ids), GFP_KERNEL);
	if (!ids)
		return -ENOMEM;
	ret = look_members(s, arg, ids, room);
	shelf_count(s, STAT_MEMBERS, arg->count);
	trace_shelf_lookup(s->name, _IOC_NR(SHELF_IOC_MEMBERS), room, arg->count);
	if (!ret && copy_to_user(u64_to_user_ptr(arg->ids), ids,
				 array_size(arg->count, sizeof(*ids))))
		ret = -EFAULT;
	kvfree(ids);
	return ret;
}

static int ioctl_is_member(struct shelf *s, union ioctl_arg *a)
{
	struct shelf_ioc_is_member *arg = &a->is_member;
	const struct shelf_catalog *c;
	struct shelf_catalog copy;
	struct shelf_view view;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	arg->member = 0;
	rcu_read_lock();
	shelf_view_rcu(s, &view);
	arg->generation = view.root->generation;
	c = shelf_view_catalog(&view, arg->catalog);
	if (c) {
		copy = *c;
		arg->member = shelf_catalog_has(&view, &copy, arg->product);
	}
	rcu_read_unlock();
	count_lookups(s, SHELF_IOC_IS_MEMBER, 1, arg->member);
	return 0;
}

static bool wait_over(const struct shelf *s, u64 generation)
{
	return shelf_generation(s) >= generation || READ_ONCE(s->dead);
}

static int ioctl_wait(struct shelf *s, union ioctl_arg *a)
{
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

static int ioctl_report(struct shelf *s, union ioctl_arg *a)
{
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
	ret = INDIRECT_CALL_1(op->handle, ioctl_get, f->shelf, &a);
	if (op->in_only || !is_answer(ret))
		return ret;
	if (copy_to_user(user, &a, min_t(size_t, size, op->size)))
		return -EFAULT;
	return ret;
}
