// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Iterating: everything that a pinned snapshot holds, each record once, and nothing
 * else.
 */
#include "reader.h"

struct scan {
	struct reader *r;
	struct held *h;
	u32 seen[WORLD_RECORDS];
	u32 records;
};

/* False: to be given up, for it has been revoked or is at fault. */
static bool go_on(struct scan *c, const char *call, long n)
{
	if (n >= 0)
		return true;
	if (n != -ESTALE)
		refused(c->r, call, n);
	return false;
}

static bool scan_product(struct scan *c, const struct shelf_product *p)
{
	u32 i = world_product_of(p->id);
	long n;

	if (i == WORLD_RECORDS || c->seen[i]++) {
		fault(c->r->tally, LOST, "product %lld is %s", p->id,
		      i == WORLD_RECORDS ? "an invention" : "there twice");
		return false;
	}
	if (!check_product(c->r, &c->h->world, i, p, c->h->pin.generation))
		return false;
	if (draw(c->r, 16))
		return true;
	n = shelf_pin_attrs(&c->h->pin, p, c->r->attrs, WORLD_ATTRS);
	if (!go_on(c, "shelf_pin_attrs", n))
		return false;
	return n == p->attrs_len && check_attrs(c->r, &c->h->world, i, c->r->attrs);
}

static bool scan_products(struct scan *c)
{
	u32 room = SHELF_LEAF_SLOTS + draw(c->r, SHELF_GET_MANY_MAX - SHELF_LEAF_SLOTS);
	struct shelf_scan cursor = { 0 };
	long n, j;

	do {
		n = shelf_pin_products(&c->h->pin, &cursor, c->r->product, room);
		if (!go_on(c, "shelf_pin_products", n))
			return false;
		for (j = 0; j < n; j++)
			if (!scan_product(c, &c->r->product[j]))
				return false;
		c->records += (u32)n;
		stall(c->r);
	} while (n);
	if (c->records != c->h->world.products)
		fault(c->r->tally, LOST, "%u of %llu products", c->records,
		      c->h->world.products);
	return true;
}

/* All pages of one catalog; false, as above. */
static bool scan_members(struct scan *c, u32 k)
{
	struct answer a = { .i = k, .ids = c->r->ids };
	struct shelf_cursor cursor = { .catalog = world_catalog_id(k) };
	u32 room = 1 + draw(c->r, IDS_MAX);
	long n;

	do {
		n = shelf_pin_members(&c->h->pin, &cursor, c->r->ids, room);
		if (!go_on(c, "shelf_pin_members", n))
			return false;
		a.n = (u32)n;
		a.total = cursor.total;
		a.more = !cursor.done;
		if (!same_page(&c->h->world, &a)) {
			fault(c->r->tally, LOST, "pinned %llu, batch %llu: members of catalog %u",
			      c->h->pin.generation, c->h->world.batch, k);
			return false;
		}
		if (n)
			a.place = world_behind(k, c->r->ids[n - 1]);
	} while (!cursor.done);
	return true;
}

static bool scan_catalogs(struct scan *c)
{
	struct shelf_scan cursor = { 0 };
	u32 records = 0, k;
	long n, j;

	do {
		n = shelf_pin_catalogs(&c->h->pin, &cursor, c->r->catalog, SHELF_LEAF_SLOTS);
		if (!go_on(c, "shelf_pin_catalogs", n))
			return false;
		for (j = 0; j < n; j++, records++) {
			k = world_catalog_of(c->r->catalog[j].id);
			if (k == WORLD_CATALOGS ||
			    c->r->catalog[j].count != c->h->world.catalog[k].len) {
				fault(c->r->tally, LOST, "catalog %lld with %llu members",
				      c->r->catalog[j].id, c->r->catalog[j].count);
				return false;
			}
			if (!scan_members(c, k))
				return false;
		}
	} while (n);
	if (records != c->h->world.catalogs)
		fault(c->r->tally, LOST, "%u of %llu catalogs", records, c->h->world.catalogs);
	c->records += records;
	return true;
}

static bool scan_totals(struct scan *c)
{
	struct shelf_ioc_info info;
	const struct answer a = { .info = &info };
	int ret = shelf_pin_info(&c->h->pin, &info);

	if (!go_on(c, "shelf_pin_info", ret))
		return false;
	if (info.generation != c->h->pin.generation || !same_info(&c->h->world, &a))
		fault(c->r->tally, LOST, "pinned %llu, batch %llu: totals",
		      c->h->pin.generation, c->h->world.batch);
	return true;
}

void scan(struct reader *r)
{
	struct scan c = { .r = r, .h = pin_any(r) };

	if (!c.h)
		return;
	if (!scan_totals(&c) || !scan_products(&c) || !scan_catalogs(&c)) {
		bump(&r->tally->events[REVOKED_SEEN],
		     !c.h->weak && !shelf_pin_valid(&c.h->pin));
		pin_drop(r, c.h);
		return;
	}
	bump(&r->tally->events[SCANS], 1);
	count_reads(r, c.h->from, SCAN, c.records, c.h->pin.generation);
}
