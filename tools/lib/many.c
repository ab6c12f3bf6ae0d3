// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Many lookups at once, all from one snapshot: the pipelines of many.h, and
 * what stands for them where there is no mapping.
 */
#include "../../kmod/many.h"
#include "lookup.h"

/* Answers by ioctl that take several calls must come out of one generation. */
#define IOCTL_TRIES	64U

struct get_many_arg {
	const __s64 *ids;
	size_t count;
	struct shelf_product *products;
	long found;
};

static __always_inline void answer(void *arg, size_t i, const struct shelf_record *r)
{
	struct get_many_arg *g = arg;
	struct shelf_product *to = &g->products[i];

	if (r) {
		shelf_copy(to, r, sizeof(*to));
		strip(to);
		g->found++;
	} else {
		memset(to, 0, sizeof(*to));
		to->id = g->ids[i];
	}
}

static long get_many_once(const struct shelf_view *v, void *arg)
{
	struct get_many_arg *g = arg;

	g->found = 0;
	shelf_find_many(v, v->root->product_dir, SHELF_PRODUCT_DIR_BITS, g->ids,
			g->count, answer, g);
	return g->found;
}

/* One pass over all ids; *@torn if a commit came in between. */
static long many_pass(const struct shelf *s, const struct get_many_arg *g,
		      __u64 *generation, bool *torn)
{
	struct shelf_ioc_get_many q;
	long found = 0;
	size_t at = 0;
	int ret;

	*torn = false;
	do {
		size_t n = g->count - at;

		q = (struct shelf_ioc_get_many){
			.size = sizeof(q),
			.ids = (__u64)(uintptr_t)(g->ids + at),
			.products = (__u64)(uintptr_t)(g->products + at),
			.count = n < SHELF_GET_MANY_MAX ? (__u32)n : SHELF_GET_MANY_MAX,
		};
		ret = by_ioctl(s, SHELF_IOC_GET_MANY, &q);
		if (ret)
			return ret;
		*torn |= at && q.generation != *generation;
		*generation = q.generation;
		found += q.found;
		at += q.count;
	} while (at < g->count && !*torn);
	return found;
}

long shelf_get_many(const struct shelf *s, const __s64 *ids, size_t count,
		    struct shelf_product *products, __u64 *generation)
{
	struct get_many_arg g = { ids, count, products, 0 };
	__u64 unused, *at = generation ? generation : &unused;
	unsigned int tries;
	bool torn = true;
	long found;

	if (optimistic(s, get_many_once, &g, at, &found)) {
		count_mapped(s, g.count, (__u64)found, 0);
		return found;
	}
	for (tries = 0; tries < IOCTL_TRIES; tries++) {
		found = many_pass(s, &g, at, &torn);
		if (found < 0 || !torn)
			return found;
	}
	return -EAGAIN;
}

struct attrs_arg {
	const __s64 *ids;
	size_t count;
	struct shelf_product *products;
	__u8 *attrs;
	__u32 room;
	long found;
};

/* The record as it is in the arena, so with the place of its attributes. */
static __always_inline void take_record(void *arg, size_t i, const struct shelf_record *r)
{
	struct shelf_product *to = &((struct attrs_arg *)arg)->products[i];

	if (r)
		shelf_copy(to, r, sizeof(*to));
	else
		memset(to, 0, sizeof(*to));
}

/* Records first, asking for the attributes; then these. */
static void attrs_block(const struct shelf_view *v, struct attrs_arg *a, size_t at, __u32 n)
{
	struct attrs_arg block = { .products = a->products + at };
	__u32 i, room;

	shelf_find_many(v, v->root->product_dir, SHELF_PRODUCT_DIR_BITS, a->ids + at, n,
			take_record, &block);
	for (i = 0; i < n; i++)
		if (block.products[i].attrs_len)
			shelf_prefetch(shelf_view_slot(v, block.products[i].attrs_ref, &room));
	for (i = 0; i < n; i++) {
		struct shelf_product *p = &block.products[i];

		if (p->state) {
			copy_attrs(v, p, a->attrs + (at + i) * a->room, a->room);
			a->found++;
		} else {
			p->id = a->ids[at + i];
		}
		strip(p);
	}
}

static long get_many_attrs_once(const struct shelf_view *v, void *arg)
{
	struct attrs_arg *a = arg;
	size_t at;
	__u32 n;

	a->found = 0;
	for (at = 0; at < a->count; at += n) {
		n = a->count - at < SHELF_RING ? (__u32)(a->count - at) : SHELF_RING;
		attrs_block(v, a, at, n);
	}
	return a->found;
}

/* One by one; *@torn if a commit came in between. */
static long attrs_pass(const struct shelf *s, const struct attrs_arg *a, __u64 *generation,
		       bool *torn)
{
	long found = 0;
	__u64 of;
	size_t i;
	int ret;

	*torn = false;
	for (i = 0; i < a->count && !*torn; i++) {
		ret = shelf_get_by_ioctl(s, a->ids[i], &a->products[i],
					 a->attrs + i * a->room, a->room, &of);
		if (ret < 0)
			return ret;
		if (!ret)
			a->products[i] = (struct shelf_product){ .id = a->ids[i] };
		found += ret;
		*torn = i && of != *generation;
		*generation = of;
	}
	return found;
}

long shelf_get_many_attrs(const struct shelf *s, const __s64 *ids, size_t count,
			  struct shelf_product *products, void *attrs, __u32 room,
			  __u64 *generation)
{
	struct attrs_arg a = { ids, count, products, attrs, room, 0 };
	__u64 unused, *at = generation ? generation : &unused;
	unsigned int tries;
	bool torn = true;
	long found;

	if (!count || !room)
		return shelf_get_many(s, ids, count, products, generation);
	if (optimistic(s, get_many_attrs_once, &a, at, &found)) {
		count_mapped(s, count, (__u64)found, 0);
		return found;
	}
	for (tries = 0; tries < IOCTL_TRIES; tries++) {
		found = attrs_pass(s, &a, at, &torn);
		if (found < 0 || !torn)
			return found;
	}
	return -EAGAIN;
}

struct are_arg {
	__s64 catalog;
	const __s64 *products;
	size_t count;
	bool *member;
};

static long are_members_once(const struct shelf_view *v, void *arg)
{
	const struct are_arg *a = arg;
	const struct shelf_catalog *c = shelf_view_catalog(v, a->catalog);
	struct shelf_catalog copy;
	long found = 0;
	size_t at;
	__u32 i, n;

	memset(a->member, 0, a->count * sizeof(*a->member));
	if (!c)
		return 0;
	shelf_copy(&copy, c, sizeof(copy));
	for (at = 0; at < a->count; at += n) {
		n = a->count - at < SHELF_RING ? (__u32)(a->count - at) : SHELF_RING;
		shelf_has_many(v, &copy, a->products + at, n, a->member + at);
		for (i = 0; i < n; i++)
			found += a->member[at + i];
	}
	return found;
}

static long are_members_pass(const struct shelf *s, const struct are_arg *a,
			     __u64 *generation, bool *torn)
{
	struct shelf_ioc_is_member q;
	long found = 0;
	size_t i;
	int ret;

	*torn = false;
	for (i = 0; i < a->count && !*torn; i++) {
		q = (struct shelf_ioc_is_member){
			.size = sizeof(q), .catalog = a->catalog, .product = a->products[i],
		};
		ret = by_ioctl(s, SHELF_IOC_IS_MEMBER, &q);
		if (ret)
			return ret;
		a->member[i] = q.member;
		found += q.member;
		*torn = i && q.generation != *generation;
		*generation = q.generation;
	}
	return found;
}

long shelf_are_members(const struct shelf *s, __s64 catalog, const __s64 *products,
		       size_t count, bool *member, __u64 *generation)
{
	struct are_arg a = { catalog, products, count, member };
	__u64 unused, *at = generation ? generation : &unused;
	unsigned int tries;
	bool torn = true;
	long found;

	if (!count)
		return shelf_get_many(s, NULL, 0, NULL, generation);
	if (optimistic(s, are_members_once, &a, at, &found)) {
		count_mapped(s, count, (__u64)found, 0);
		return found;
	}
	for (tries = 0; tries < IOCTL_TRIES; tries++) {
		found = are_members_pass(s, &a, at, &torn);
		if (found < 0 || !torn)
			return found;
	}
	return -EAGAIN;
}
