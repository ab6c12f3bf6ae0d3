// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Lookups: optimistic over the mapping, and after a few refusals, or where
 * there is no mapping, by ioctl.
 *
 * P3. Each answer is put together between shelf_begin() and shelf_retry(), in the
 * caller's buffers, and returned only once it has been validated. Nothing read
 * in between is acted upon but by walk.h, which bounds everything.
 */
#include "lookup.h"

struct get_arg {
	__s64 id;
	struct shelf_product *product;
	void *attrs;
	__u32 room;
};

static __always_inline long get_once(const struct shelf_view *v, void *arg)
{
	struct get_arg *g = arg;
	const struct shelf_product *p = shelf_view_product(v, g->id);

	if (!p)
		return 0;
	shelf_copy(g->product, p, sizeof(*p));
	if (g->room)
		copy_attrs(v, g->product, g->attrs, g->room);
	strip(g->product);
	return 1;
}

int shelf_get_by_ioctl(const struct shelf *s, __s64 id, struct shelf_product *p,
		       void *attrs, __u32 room, __u64 *generation)
{
	struct shelf_ioc_get q = {
		.size = sizeof(q),
		.id = id,
		.attrs = (__u64)(uintptr_t)attrs,
		.attrs_size = room < SHELF_ATTRS_MAX ? room : SHELF_ATTRS_MAX,
	};
	int ret = by_ioctl(s, SHELF_IOC_GET, &q);

	if (ret && ret != -ENOENT)
		return ret;
	if (!ret)
		*p = q.product;
	if (generation)
		*generation = q.generation;
	return !ret;
}

int shelf_get(const struct shelf *s, __s64 id, struct shelf_product *p)
{
	struct get_arg g = { .id = id, .product = p };
	long found;

	if (optimistic(s, get_once, &g, NULL, &found)) {
		count_mapped(s, 1, (__u64)found, 0);
		return (int)found;
	}
	return shelf_get_by_ioctl(s, id, p, NULL, 0, NULL);
}

int shelf_get_attrs(const struct shelf *s, __s64 id, struct shelf_product *p,
		    void *attrs, __u32 room, __u64 *generation)
{
	struct get_arg g = { id, p, attrs, room };
	long found;

	if (optimistic(s, get_once, &g, generation, &found)) {
		count_mapped(s, 1, (__u64)found, 0);
		return (int)found;
	}
	return shelf_get_by_ioctl(s, id, p, attrs, room, generation);
}

struct member_arg {
	__s64 catalog;
	__s64 product;
};

static long member_once(const struct shelf_view *v, void *arg)
{
	const struct member_arg *m = arg;
	const struct shelf_catalog *c = shelf_view_catalog(v, m->catalog);
	struct shelf_catalog copy;

	if (!c)
		return 0;
	shelf_copy(&copy, c, sizeof(copy));
	return shelf_catalog_has(v, &copy, m->product);
}

int shelf_is_member(const struct shelf *s, __s64 catalog, __s64 product)
{
	struct member_arg m = { catalog, product };
	struct shelf_ioc_is_member q = {
		.size = sizeof(q), .catalog = catalog, .product = product,
	};
	long has;
	int ret;

	if (optimistic(s, member_once, &m, NULL, &has)) {
		count_mapped(s, 1, (__u64)has, 0);
		return (int)has;
	}
	ret = by_ioctl(s, SHELF_IOC_IS_MEMBER, &q);
	return ret ? ret : (int)q.member;
}

struct members_arg {
	struct shelf_cursor *cursor;
	__s64 *ids;
	__u32 room;
	__u64 total;
	bool more;
};

static long members_once(const struct shelf_view *v, void *arg)
{
	struct members_arg *m = arg;
	const struct shelf_catalog *c = shelf_view_catalog(v, m->cursor->catalog);
	struct shelf_catalog copy;

	if (!c)
		return -ENOENT;
	shelf_copy(&copy, c, sizeof(copy));
	m->total = copy.count;
	m->more = false;
	if (!m->room)
		return 0;
	return (long)shelf_catalog_copy(v, &copy, !m->cursor->started,
					m->cursor->after, m->ids, m->room,
					&m->more);
}

static long members_by_ioctl(const struct shelf *s, struct members_arg *m,
			     __u64 *generation)
{
	struct shelf_ioc_members q = {
		.size = sizeof(q),
		.flags = m->cursor->started ? SHELF_MEMBERS_AFTER : 0,
		.catalog = m->cursor->catalog,
		.after = m->cursor->after,
		.ids = (__u64)(uintptr_t)m->ids,
		.count = m->room < SHELF_PAGE_MEMBERS_MAX ?
			 m->room : SHELF_PAGE_MEMBERS_MAX,
	};
	int ret = by_ioctl(s, SHELF_IOC_MEMBERS, &q);

	if (ret)
		return ret;
	m->total = q.total;
	m->more = q.more;
	*generation = q.generation;
	return q.count;
}

static long members(const struct shelf *s, struct members_arg *m, __u64 *generation)
{
	long n;

	if (optimistic(s, members_once, m, generation, &n)) {
		count_mapped(s, 0, 0, n > 0 ? (__u64)n : 0);
		return n;
	}
	return members_by_ioctl(s, m, generation);
}

int shelf_catalog_count(const struct shelf *s, __s64 catalog, __u64 *count)
{
	struct shelf_cursor cursor = { .catalog = catalog };
	struct members_arg m = { .cursor = &cursor };
	__u64 generation;
	long ret = members(s, &m, &generation);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return (int)ret;
	*count = m.total;
	return 1;
}

long shelf_catalog_next(const struct shelf *s, struct shelf_cursor *cursor,
			__s64 *ids, size_t room)
{
	struct members_arg m = { .cursor = cursor, .ids = ids };
	long n;

	if (!room)
		return -EINVAL;
	if (cursor->done)
		return 0;
	/* More at once would only make a retry cost more. */
	m.room = room < SHELF_PAGE_MEMBERS_MAX ? (__u32)room : SHELF_PAGE_MEMBERS_MAX;
	n = members(s, &m, &cursor->generation);
	if (n < 0)
		return n;
	cursor->total = m.total;
	/* Only a damaged file goes backwards; to follow it might never end. */
	if (n && (ids[n - 1] < ids[0] || (cursor->started && ids[0] <= cursor->after)))
		return -EINVAL;
	cursor->done = !m.more || !n;
	cursor->started = true;
	if (n)
		cursor->after = ids[n - 1];
	return n;
}
