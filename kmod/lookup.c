// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Lookups by ioctl.
 *
 * P1, P3: each answer comes from one root, the newest or that of a pin, walked
 * in one rcu_read_lock() section, into a buffer of ours; user memory is touched
 * outside of it. Only the attribute bytes of a get go straight from the arena to
 * the caller, as long as no page has to be faulted in for them: nothing sleeps in
 * the section.
 * P8: user memory is read once, then the copy is used; what goes back is zeroed
 * first, and holds no reference into the arena.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "many.h"
#include "scan.h"
#include "shelf.h"
#include "trace.h"

void shelf_view_rcu(const struct shelf *s, struct shelf_view *view)
{
	/* Chunks come before the root that needs them; see arena_add(). */
	view->root = rcu_dereference(s->store.root);
	view->chunks = s->store.arena.chunk;
	view->seed = s->store.seed;
}

u64 shelf_generation(const struct shelf *s)
{
	return store_generation(&s->store);
}

static void count_lookups(struct shelf *s, unsigned int cmd, u32 ids, u32 found)
{
	shelf_count(s, STAT_LOOKUPS, ids);
	shelf_count(s, STAT_HITS, found);
	shelf_count(s, STAT_MISSES, ids - found);
	trace_shelf_lookup(s->name, _IOC_NR(cmd), ids, found);
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

/* What a get is about: a source is laid out as a product whose attributes are its name. */
static const struct shelf_product *find_asked(const struct shelf_view *view,
					      const struct shelf_ioc_get *arg)
{
	if (arg->flags & SHELF_GET_SOURCE)
		return (const struct shelf_product *)shelf_view_source(view, arg->id);
	return shelf_view_product(view, arg->id);
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

/*
 * The record, still with its reference, and the view that it is of: 0, ENOENT
 * or ESTALE.
 */
static int look_product_rcu(const struct shelf_file *f, struct shelf_ioc_get *arg,
			    struct shelf_view *view)
{
	int ret = file_view_rcu(f, arg->pin, view);

	if (ret)
		return ret;
	arg->generation = view->root->generation;
	return record_to_answer(find_asked(view, arg), arg->id, &arg->product) ?
	       0 : -ENOENT;
}

/*
 * EFAULT if the attributes did not get there; @arg then tells how many they
 * were.
 */
static int get_direct(const struct shelf_file *f, struct shelf_ioc_get *arg)
{
	struct shelf_view view;
	int ret;

	rcu_read_lock();
	ret = look_product_rcu(f, arg, &view);
	pagefault_disable();
	if (!ret && !attrs_to_user(&view, arg))
		ret = -EFAULT;
	pagefault_enable();
	rcu_read_unlock();
	return ret;
}

/*
 * All of it once more, from a newer root perhaps, with the attributes by way of
 * a buffer; they may grow as we allocate.
 */
static noinline int get_bounced(const struct shelf_file *f, struct shelf_ioc_get *arg)
{
	u32 room = 0, len = 0;
	struct shelf_view view;
	u8 *attrs = NULL;
	int ret = 0;

	while (!ret && attrs_wanted(arg) > room) {
		kvfree(attrs);
		room = attrs_wanted(arg);
		attrs = kvmalloc(room, GFP_KERNEL);
		if (!attrs)
			return -ENOMEM;
		rcu_read_lock();
		ret = look_product_rcu(f, arg, &view);
		if (!ret)
			len = shelf_view_attrs(&view, &arg->product, attrs, room);
		rcu_read_unlock();
	}
	if (!ret && copy_to_user(u64_to_user_ptr(arg->attrs), attrs, len))
		ret = -EFAULT;
	kvfree(attrs);
	return ret;
}

int ioctl_get(struct shelf_file *f, union ioctl_arg *a)
{
	struct shelf_ioc_get *arg = &a->get;
	int ret;

	if (arg->flags & ~SHELF_GET_SOURCE || arg->reserved)
		return -EINVAL;
	ret = get_direct(f, arg);
	if (unlikely(ret == -EFAULT))
		ret = get_bounced(f, arg);
	hide_refs(&arg->product);
	if (likely(ret != -ESTALE))
		count_lookups(f->shelf, SHELF_IOC_GET, 1, !ret || ret == -EFAULT);
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

static int look_products(const struct shelf_file *f, struct shelf_ioc_get_many *arg,
			 const s64 *ids, struct shelf_product *products)
{
	struct many m = { .ids = ids, .products = products };
	struct shelf_view view;
	int ret;

	rcu_read_lock();
	ret = file_view_rcu(f, arg->pin, &view);
	if (!ret) {
		arg->generation = view.root->generation;
		shelf_find_many(&view, view.root->product_dir, SHELF_PRODUCT_DIR_BITS,
				ids, arg->count, many_found, &m);
	}
	rcu_read_unlock();
	arg->found = m.found;
	return ret;
}

static int get_many(struct shelf_file *f, struct shelf_ioc_get_many *arg, s64 *ids,
		    struct shelf_product *products)
{
	int ret;

	if (copy_from_user(ids, u64_to_user_ptr(arg->ids),
			   array_size(arg->count, sizeof(*ids))))
		return -EFAULT;
	ret = look_products(f, arg, ids, products);
	if (ret)
		return ret;
	count_lookups(f->shelf, SHELF_IOC_GET_MANY, arg->count, arg->found);
	if (copy_to_user(u64_to_user_ptr(arg->products), products,
			 array_size(arg->count, sizeof(*products))))
		return -EFAULT;
	return 0;
}

int ioctl_get_many(struct shelf_file *f, union ioctl_arg *a)
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
		ret = get_many(f, arg, ids, products);
	kvfree(products);
	kvfree(ids);
	return ret;
}

static int copy_members(const struct shelf_view *view, struct shelf_ioc_members *arg,
			s64 *ids, u32 room)
{
	const struct shelf_catalog *c = shelf_view_catalog(view, arg->catalog);
	struct shelf_catalog copy;
	bool more;

	if (!c)
		return -ENOENT;
	copy = *c;
	arg->total = copy.count;
	arg->count = shelf_catalog_copy(view, &copy,
					!(arg->flags & SHELF_MEMBERS_AFTER),
					arg->after, ids, room, &more);
	arg->more = more;
	return 0;
}

static int look_members(const struct shelf_file *f, struct shelf_ioc_members *arg,
			s64 *ids, u32 room)
{
	struct shelf_view view;
	int ret;

	arg->count = 0;
	arg->total = 0;
	arg->more = 0;
	rcu_read_lock();
	ret = file_view_rcu(f, arg->pin, &view);
	if (!ret) {
		arg->generation = view.root->generation;
		ret = copy_members(&view, arg, ids, room);
	}
	rcu_read_unlock();
	return ret;
}

int ioctl_members(struct shelf_file *f, union ioctl_arg *a)
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
	ret = look_members(f, arg, ids, room);
	shelf_count(f->shelf, STAT_MEMBERS, arg->count);
	trace_shelf_lookup(f->shelf->name, _IOC_NR(SHELF_IOC_MEMBERS), room,
			   arg->count);
	if (!ret && copy_to_user(u64_to_user_ptr(arg->ids), ids,
				 array_size(arg->count, sizeof(*ids))))
		ret = -EFAULT;
	kvfree(ids);
	return ret;
}

static bool has_member(const struct shelf_view *view, s64 catalog, s64 product)
{
	const struct shelf_catalog *c = shelf_view_catalog(view, catalog);
	struct shelf_catalog copy;

	if (!c)
		return false;
	copy = *c;
	return shelf_catalog_has(view, &copy, product);
}

int ioctl_is_member(struct shelf_file *f, union ioctl_arg *a)
{
	struct shelf_ioc_is_member *arg = &a->is_member;
	struct shelf_view view;
	int ret;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	rcu_read_lock();
	ret = file_view_rcu(f, arg->pin, &view);
	if (!ret) {
		arg->generation = view.root->generation;
		arg->member = has_member(&view, arg->catalog, arg->product);
	}
	rcu_read_unlock();
	if (!ret)
		count_lookups(f->shelf, SHELF_IOC_IS_MEMBER, 1, arg->member);
	return ret;
}

/* Of catalogs what is told of them here; the rest concerns the arena alone. */
static void strip_scanned(struct shelf_record *r, u32 n, bool catalogs)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct shelf_catalog c = *(struct shelf_catalog *)&r[i];

		if (!catalogs)
			hide_refs((struct shelf_product *)&r[i]);
		else
			*(struct shelf_catalog *)&r[i] = (struct shelf_catalog){
				.id = c.id, .generation = c.generation,
				.count = c.count, .state = c.state,
			};
	}
}

/* So many stretches of a trie in one section; each is a leaf, or empty. */
#define SCAN_STEPS	64U

static int look_scan(const struct shelf_file *f, struct shelf_ioc_scan *arg,
		     struct shelf_record *records, u32 room)
{
	struct shelf_scan at = { .place = arg->cursor };
	struct shelf_view view;
	const u32 *dir;
	u32 bits;
	int ret;

	arg->count = 0;
	rcu_read_lock();
	ret = file_view_rcu(f, arg->pin, &view);
	if (!ret) {
		arg->generation = view.root->generation;
		dir = shelf_scan_dir(view.root, arg->flags, &bits);
		arg->count = shelf_scan_copy(&view, dir, bits, &at, records, room,
					     SCAN_STEPS);
	}
	rcu_read_unlock();
	arg->cursor = at.place;
	arg->done = at.done;
	strip_scanned(records, arg->count, arg->flags & SHELF_SCAN_CATALOGS);
	return ret;
}

int ioctl_scan(struct shelf_file *f, union ioctl_arg *a)
{
	struct shelf_ioc_scan *arg = &a->scan;
	struct shelf_record *records;
	u32 room = arg->count;
	int ret;

	if (arg->flags > SHELF_SCAN_SOURCES ||	/* one of the two at most */
	    room < SHELF_LEAF_SLOTS || room > SHELF_GET_MANY_MAX)
		return -EINVAL;
	records = kvmalloc_array(room, sizeof(*records), GFP_KERNEL);
	if (!records)
		return -ENOMEM;
	ret = look_scan(f, arg, records, room);
	trace_shelf_lookup(f->shelf->name, _IOC_NR(SHELF_IOC_SCAN), room, arg->count);
	if (!ret && copy_to_user(u64_to_user_ptr(arg->records), records,
				 array_size(arg->count, sizeof(*records))))
		ret = -EFAULT;
	kvfree(records);
	return ret;
}

/* The leaf's record whose hash is least, but not below *@hash, or NULL. */
static const struct shelf_record *least(const struct shelf_view *v, u64 *hash,
					const struct shelf_record **found, u32 n)
{
	const struct shelf_record *first = NULL;
	u64 best = U64_MAX;
	u32 i;

	for (i = 0; i < n; i++) {
		u64 at = shelf_hash(found[i]->id, v->seed);

		if (at < *hash || at > best)
			continue;
		best = at;
		first = found[i];
	}
	if (first)
		*hash = best;
	return first;
}

bool shelf_source_next(const struct shelf *s, u64 *hash, struct source_info *info)
{
	const struct shelf_record *found[SHELF_LEAF_SLOTS], *r = NULL;
	struct shelf_scan at = { .place = shelf_place(*hash) };
	struct shelf_view view;
	u32 n;

	rcu_read_lock();
	shelf_view_rcu(s, &view);
	while (!r && !at.done) {
		n = shelf_scan_next(&view, view.root->source_dir, SHELF_SOURCE_DIR_BITS,
				    &at, found);
		r = least(&view, hash, found, n);
	}
	if (r) {
		info->record = *(const struct shelf_source *)r;
		shelf_view_attrs(&view, (const struct shelf_product *)&info->record,
				 info->name, sizeof(info->name));
	}
	rcu_read_unlock();
	return r;
}
