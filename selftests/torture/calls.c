// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The library's own calls, over the mapping or by ioctl. Each answers from one
 * generation. Where the clock can't be asked for along with the rest, the answer
 * has to be that of some batch there was meanwhile.
 */
#include <sys/ioctl.h>

#include "reader.h"

/* By ioctl, what takes several calls may be refused by commits in between. */
static bool answered(struct reader *r, const struct source *from, const char *call, long ret)
{
	if (ret < 0 && (ret != -EAGAIN || !from->by_ioctl))
		refused(r, call, ret);
	return ret >= 0;
}

static u32 draw_ids(struct reader *r, u32 n)
{
	u32 j;

	r->ids[0] = clock_id();
	for (j = 1; j <= n; j++) {
		r->which[j - 1] = draw(r, WORLD_PRODUCTS);
		r->ids[j] = world_product_id(r->which[j - 1]);
	}
	return n + 1;
}

/* r->product[0] is the clock. */
static void check_many(struct reader *r, struct source *from, const struct moment *m, u32 n,
		       long found, u64 generation, bool with_attrs)
{
	const struct shelf_product *p = r->product;
	long sum = 0;
	u32 j;

	if (!p[0].state) {
		fault(r->tally, LOST, "many: generation %llu without a clock", generation);
		return;
	}
	if (!saw_clock(r, from, m, generation, (u64)p[0].price))
		return;
	for (j = 0; j < n; j++)
		sum += p[j].state;
	if (sum != found)
		fault(r->tally, TORN, "many: %ld found, and %ld", found, sum);
	for (j = 1; j < n; j++) {
		u32 i = r->which[j - 1];

		if (!check_product(r, &from->world, i, p[j].state ? &p[j] : NULL, generation))
			return;
		if (with_attrs && p[j].state &&
		    !check_attrs(r, &from->world, i, r->attrs + (size_t)j * WORLD_ATTRS))
			return;
	}
	count_reads(r, from, CALL, n, generation);
}

static void call_many(struct reader *r, struct source *from)
{
	struct moment m = moment_begin(from);
	u32 n = draw_ids(r, draw(r, LOOKUPS_MAX - 1));
	u64 generation = 0;
	long found = shelf_get_many(from->s, r->ids, n, r->product, &generation);

	if (answered(r, from, "shelf_get_many", found))
		check_many(r, from, &m, n, found, generation, false);
}

static void call_many_attrs(struct reader *r, struct source *from)
{
	struct moment m = moment_begin(from);
	u32 n = draw_ids(r, draw(r, from->by_ioctl ? 4 : MANY_MAX - 1));
	u64 generation = 0;
	long found = shelf_get_many_attrs(from->s, r->ids, n, r->product, r->attrs,
					  WORLD_ATTRS, &generation);

	if (answered(r, from, "shelf_get_many_attrs", found))
		check_many(r, from, &m, n, found, generation, true);
}

static void call_get(struct reader *r, struct source *from)
{
	struct answer a = {
		.same = same_product, .i = draw(r, WORLD_RECORDS), .product = r->product,
	};
	struct moment m = moment_begin(from);
	int ret = shelf_get(from->s, world_product_id(a.i), r->product);

	if (!answered(r, from, "shelf_get", ret))
		return;
	a.found = ret;
	check_answer(r, from, &m, &a, "shelf_get");
	count_reads(r, from, CALL, 1, m.generation);
}

static void call_get_attrs(struct reader *r, struct source *from)
{
	struct answer a = {
		.same = same_product, .i = draw(r, WORLD_RECORDS), .product = r->product,
		.attrs = r->attrs,
	};
	struct moment m = moment_begin(from);
	u64 generation = 0;
	int ret = shelf_get_attrs(from->s, world_product_id(a.i), r->product, r->attrs,
				  WORLD_ATTRS, &generation);

	if (!answered(r, from, "shelf_get_attrs", ret))
		return;
	a.found = ret;
	check_answer(r, from, &m, &a, "shelf_get_attrs");
	if (saw_generation(r, from, &m, generation))
		count_reads(r, from, CALL, 1, generation);
}

static void call_members(struct reader *r, struct source *from)
{
	u32 c = draw(r, WORLD_CATALOGS), j;
	bool has[MANY_MAX];
	struct answer a = {
		.same = same_members, .i = c, .place = draw(r, world_places(c)),
		.n = 1 + draw(r, from->by_ioctl ? 4 : MANY_MAX), .has = has,
	};
	struct moment m = moment_begin(from);
	u64 generation = 0;
	long found, sum = 0;

	for (j = 0; j < a.n; j++)
		r->ids[j] = world_member_id(c, a.place + j);
	found = shelf_are_members(from->s, world_catalog_id(c), r->ids, a.n, has, &generation);
	if (!answered(r, from, "shelf_are_members", found))
		return;
	for (j = 0; j < a.n; j++)
		sum += has[j];
	if (sum != found)
		fault(r->tally, TORN, "members: %ld, and %ld", found, sum);
	check_answer(r, from, &m, &a, "shelf_are_members");
	if (saw_generation(r, from, &m, generation))
		count_reads(r, from, CALL, a.n, generation);
}

static void call_member(struct reader *r, struct source *from)
{
	u32 c = draw(r, WORLD_CATALOGS);
	bool has;
	struct answer a = {
		.same = same_members, .i = c, .place = draw(r, world_places(c)), .n = 1,
		.has = &has,
	};
	struct moment m = moment_begin(from);
	int ret = shelf_is_member(from->s, world_catalog_id(c), world_member_id(c, a.place));

	if (!answered(r, from, "shelf_is_member", ret))
		return;
	has = ret;
	check_answer(r, from, &m, &a, "shelf_is_member");
	count_reads(r, from, CALL, 1, m.generation);
}

/* A page by itself: the walk over all of them may span generations. False: the end. */
static bool call_page(struct reader *r, struct source *from, struct shelf_cursor *cursor,
		      u32 room, u32 *place)
{
	struct answer a = {
		.same = same_page, .i = world_catalog_of(cursor->catalog), .ids = r->ids,
		.place = *place,
	};
	struct moment m = moment_begin(from);
	long n = shelf_catalog_next(from->s, cursor, r->ids, room);

	if (n == -ENOENT)
		a.same = same_total;
	else if (!answered(r, from, "shelf_catalog_next", n))
		return false;
	if (n > 0) {
		a.n = (u32)n;
		a.more = !cursor->done;
		*place = world_behind(a.i, r->ids[n - 1]);
	}
	if (n >= 0)
		a.total = cursor->total;
	check_answer(r, from, &m, &a, "shelf_catalog_next");
	if (n >= 0 && saw_generation(r, from, &m, cursor->generation))
		count_reads(r, from, CALL, 1, cursor->generation);
	return n > 0 && !cursor->done;
}

static void call_pages(struct reader *r, struct source *from)
{
	u32 c = draw(r, WORLD_CATALOGS), room = 1 + draw(r, IDS_MAX), place = 0;
	struct shelf_cursor cursor = { .catalog = world_catalog_id(c) };

	while (call_page(r, from, &cursor, room, &place))
		;
}

static void call_count(struct reader *r, struct source *from)
{
	struct answer a = { .same = same_total, .i = draw(r, WORLD_CATALOGS) };
	struct moment m = moment_begin(from);
	int ret = shelf_catalog_count(from->s, world_catalog_id(a.i), &a.total);

	if (!answered(r, from, "shelf_catalog_count", ret))
		return;
	check_answer(r, from, &m, &a, "shelf_catalog_count");
	count_reads(r, from, CALL, 1, m.generation);
}

/* Of a kernel's shelf this is an ioctl, mapped or not. */
static void call_info(struct reader *r, struct source *from)
{
	struct shelf_ioc_info info;
	struct answer a = { .same = same_info, .info = &info };
	struct moment m = moment_begin(from);
	int ret;

	if (!from->by_ioctl && !options.hosted)
		return;
	ret = shelf_info(from->s, &info);
	if (!answered(r, from, "shelf_info", ret))
		return;
	check_answer(r, from, &m, &a, "shelf_info");
	if (saw_generation(r, from, &m, info.generation))
		count_reads(r, from, CALL, 1, info.generation);
}

/* What has been acknowledged is there, so nobody waits for it. */
static void call_wait(struct reader *r, struct source *from)
{
	struct moment m = moment_begin(from);
	u64 now = 0;
	int ret = shelf_wait(from->s, m.generation, 0, &now);

	if (ret || now < m.generation || shelf_generation(from->s) < m.generation)
		fault(r->tally, OLD, "waited for %llu: %d, and %llu", m.generation, ret, now);
}

/* All products by one ioctl and without a pin: so of one snapshot. */
static void call_scan(struct reader *r, struct source *from)
{
	struct shelf_ioc_scan q = {
		.size = sizeof(q), .records = (u64)(uintptr_t)r->product,
		.count = SHELF_GET_MANY_MAX,
	};
	const struct shelf_product *p;
	struct moment m = moment_begin(from);
	u64 batch = 0;
	u32 j;

	if (!from->by_ioctl)
		return;
	if (ioctl(from->s->fd, SHELF_IOC_SCAN, &q)) {
		refused(r, "SHELF_IOC_SCAN", -errno);
		return;
	}
	for (j = 0; j < q.count; j++)
		if (r->product[j].id == clock_id())
			batch = (u64)r->product[j].price;
	/* One that has no room for another leaf has not seen everything. */
	if (!q.done || !saw_clock(r, from, &m, q.generation, batch))
		return;
	if (q.count != from->world.products)
		fault(r->tally, LOST, "%u of %llu products", q.count, from->world.products);
	for (j = 0; j < q.count; j++) {
		p = &r->product[j];
		if (p->id != clock_id() && world_product_of(p->id) < WORLD_RECORDS)
			check_product(r, &from->world, world_product_of(p->id), p, q.generation);
	}
	count_reads(r, from, CALL, q.count, q.generation);
}

void calls(struct reader *r, struct source *from)
{
	static void (*const call[])(struct reader *, struct source *) = {
		call_many, call_many_attrs, call_get, call_get_attrs, call_members,
		call_member, call_pages, call_count, call_info, call_wait, call_scan,
	};

	call[draw(r, ARRAY_SIZE(call))](r, from);
}
