// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Optimistic sections, as a program would write them over the mapping.
 */
#include "reader.h"

/* Of so many lookups of a section one takes the attributes along. */
#define ATTRS_EVERY	16U

/* @n: of r->which; the clock and the root's generation go along. */
struct products {
	u32 n;
	bool has_clock;
	u64 batch;
	u64 root_generation;
};

static void take_attrs(struct reader *r, const struct shelf_view *v, u32 j)
{
	u8 *to = r->attrs + (size_t)(j / ATTRS_EVERY) * WORLD_ATTRS;
	struct shelf_product *p = &r->product[j];

	/* What is shorter than it says is garbage, and differs. */
	if (shelf_view_attrs(v, p, to, WORLD_ATTRS) < p->attrs_len)
		p->attrs_len = ~0U;
}

static void take_products(struct reader *r, const struct shelf_view *v, struct products *a)
{
	const struct shelf_product *p = shelf_view_product(v, clock_id());
	u32 j;

	a->has_clock = p;
	a->batch = p ? (u64)SHELF_LOAD(p->price) : 0;
	a->root_generation = SHELF_LOAD(v->root->generation);
	for (j = 0; j < a->n; j++) {
		p = shelf_view_product(v, world_product_id(r->which[j]));
		r->found[j] = p;
		if (!p)
			continue;
		shelf_copy(&r->product[j], p, sizeof(*p));
		if (j % ATTRS_EVERY == 0)
			take_attrs(r, v, j);
		if (j == a->n / 2)
			stall(r);
	}
}

static void check_products(struct reader *r, const struct products *a, u64 generation)
{
	const struct world *w = &r->mapped.world;
	u32 j;

	for (j = 0; j < a->n; j++) {
		u32 i = r->which[j];

		if (!check_product(r, w, i, r->found[j] ? &r->product[j] : NULL, generation))
			return;
		if (r->found[j] && j % ATTRS_EVERY == 0 &&
		    !check_attrs(r, w, i, r->attrs + (size_t)(j / ATTRS_EVERY) * WORLD_ATTRS))
			return;
	}
}

static bool section_saw(struct reader *r, const struct moment *m, u64 generation,
			u64 root_generation, bool has_clock, u64 batch)
{
	if (root_generation != generation || !has_clock) {
		fault(r->tally, STALE, "generation %llu has the root of %llu, %s clock",
		      generation, root_generation, has_clock ? "and a" : "without a");
		return false;
	}
	return saw_clock(r, &r->mapped, m, generation, batch);
}

void section_products(struct reader *r)
{
	struct products a = { .n = 1 + draw(r, draw(r, 4) ? LOOKUPS_MAX : 8) };
	struct moment m = moment_begin(&r->mapped);
	struct shelf_section c;
	u32 j;

	for (j = 0; j < a.n; j++)
		r->which[j] = draw(r, WORLD_PRODUCTS);
	shelf_begin(r->mapped.s, &c);
	/* Nothing of the arena was looked at yet: see log_write(). */
	log_read(c.generation);
	take_products(r, &c.view, &a);
	if (shelf_retry(r->mapped.s, &c)) {
		bump(&r->tally->events[RETRIES], 1);
		return;
	}
	if (!section_saw(r, &m, c.generation, a.root_generation, a.has_clock, a.batch))
		return;
	check_products(r, &a, c.generation);
	count_reads(r, &r->mapped, SECTION, a.n, c.generation);
}

/* A page of a catalog, and whether a few are members. */
struct sets {
	struct answer page;
	struct answer has;
	bool has_catalog;
	bool member[16];
	struct shelf_catalog catalog;
	struct products clock;
};

static void take_sets(struct reader *r, const struct shelf_view *v, struct sets *a)
{
	u32 c = a->page.i, j;
	const struct shelf_catalog *k = shelf_view_catalog(v, world_catalog_id(c));
	s64 after = world_member_id(c, a->page.place) - 1;

	a->has_catalog = k;
	take_products(r, v, &a->clock);
	if (!k)
		return;
	shelf_copy(&a->catalog, k, sizeof(a->catalog));
	stall(r);
	a->page.n = shelf_catalog_copy(v, &a->catalog, !a->page.place, after, r->ids,
				       a->page.n, &a->page.more);
	for (j = 0; j < a->has.n; j++)
		a->member[j] = shelf_catalog_has(v, &a->catalog,
						 world_member_id(c, a->has.place + j));
}

static void check_sets(struct reader *r, struct sets *a, u64 generation)
{
	const struct world *w = &r->mapped.world;

	if (a->has_catalog != !!w->catalog[a->page.i].len)
		fault(r->tally, MIXED, "generation %llu: catalog %u is %sthere", generation,
		      a->page.i, a->has_catalog ? "" : "not ");
	if (!a->has_catalog)
		return;
	a->page.ids = r->ids;
	a->page.total = a->catalog.count;
	a->has.has = a->member;
	if (!same_total(w, &a->page))
		fault(r->tally, MIXED, "generation %llu: catalog %u has %llu, not %u",
		      generation, a->page.i, a->page.total, w->catalog[a->page.i].len);
	else if (!same_page(w, &a->page) || !same_members(w, &a->has))
		fault(r->tally, TORN, "generation %llu, batch %llu: members of catalog %u",
		      generation, w->batch, a->page.i);
}

void section_catalogs(struct reader *r)
{
	u32 c = draw(r, WORLD_CATALOGS);
	struct sets a = {
		.page = { .i = c, .n = 1 + draw(r, 900) },
		.has = { .i = c, .n = 16, .place = draw(r, world_places(c)) },
	};
	struct moment m = moment_begin(&r->mapped);
	struct shelf_section s;

	if (draw(r, 2))
		a.page.place = draw(r, world_places(c));
	shelf_begin(r->mapped.s, &s);
	take_sets(r, &s.view, &a);
	if (shelf_retry(r->mapped.s, &s)) {
		bump(&r->tally->events[RETRIES], 1);
		return;
	}
	if (!section_saw(r, &m, s.generation, a.clock.root_generation, a.clock.has_clock,
			 a.clock.batch))
		return;
	check_sets(r, &a, s.generation);
	count_reads(r, &r->mapped, SECTION, 1 + a.has.n, s.generation);
}
