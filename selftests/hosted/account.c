// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where every page and slot of a store is: marks what snapshots reach, each thing
 * once, and compares with what the store believes.
 */
#include "account.h"

#define UNITS	(SHELF_PAGE_BYTES / SHELF_SLOT_UNIT)

#define FAIL(...) do {							\
	fprintf(stderr, "account: " __VA_ARGS__);			\
	fputc('\n', stderr);						\
	abort();							\
} while (0)

/* @page: a byte for each; @slot: a bit for each unit at which a slot begins. */
struct reach {
	const struct arena *a;
	u8 *page;
	u64 *slot;
	u64 pages;
	u64 slabs;		/* of @pages */
	u64 slot_bytes;
};

static struct reach reach_begin(const struct arena *a)
{
	size_t pages = (size_t)a->max_chunks * CHUNK_PAGES;

	return (struct reach){
		.a = a,
		.page = calloc(pages + 1, 1),
		.slot = calloc(pages * UNITS / 64 + 1, sizeof(u64)),
	};
}

static void reach_end(struct reach *r)
{
	free(r->page);
	free(r->slot);
}

/* False if it was there before, with all below it. */
static bool reach_page(struct reach *r, u32 page)
{
	if (r->page[page])
		return false;
	r->page[page] = 1;
	r->pages++;
	return true;
}

static void reach_slot(struct reach *r, u32 ref)
{
	const struct shelf_page_header *h = arena_page(r->a, ref / UNITS);
	u64 *word = &r->slot[ref / 64], bit = 1ULL << ref % 64;

	if (reach_page(r, ref / UNITS))
		r->slabs++;
	if (*word & bit)
		return;
	*word |= bit;
	r->slot_bytes += h->count;
}

static void reach_set(struct reach *r, u32 page, u32 level)
{
	const struct shelf_page_header *h = arena_page(r->a, page);
	const struct shelf_fence *f = (const void *)(h + 1);
	u32 i;

	if (!reach_page(r, page))
		return;
	if (h->kind != SHELF_KIND_SET || h->level != level || !h->count)
		FAIL("page %u is no set page of level %u", page, level);
	for (i = 0; level && i < h->count; i++)
		reach_set(r, f[i].page, level - 1);
}

static void reach_product(struct reach *r, const struct shelf_product *p)
{
	const u32 *data;
	u32 at;

	if (!p->attrs_len)
		return;
	reach_slot(r, p->attrs_ref);
	data = (u32 *)((u8 *)arena_slot(r->a, p->attrs_ref) + SHELF_SLOT_KEY);
	for (at = 0; p->attrs_len > SHELF_ATTRS_INLINE && at < p->attrs_len;
	     at += SHELF_PAGE_BYTES)
		reach_page(r, *data++);
}

static void reach_catalog(struct reach *r, const struct shelf_catalog *c)
{
	if (c->set == SHELF_SET_SLOT)
		reach_slot(r, c->set_ref);
	if (c->set == SHELF_SET_TREE)
		reach_set(r, c->set_ref, c->level);
}

/* Sources are laid out as products are. */
static void reach_leaf(struct reach *r, const struct shelf_record *leaf, bool catalogs)
{
	u32 slot;

	for (slot = 1; slot <= SHELF_LEAF_SLOTS; slot++) {
		if (!leaf[slot].state)
			continue;
		if (catalogs)
			reach_catalog(r, (const void *)&leaf[slot]);
		else
			reach_product(r, (const void *)&leaf[slot]);
	}
}

static void reach_table(struct reach *r, const u32 *dir, u32 page, u32 bits, bool catalogs)
{
	u32 i, last = 0;
	bool any = !page;

	for (i = 0; i < 1U << bits; i++) {
		u32 entry = dir[page ? shelf_node_index(page, i) : i];
		u32 below = shelf_entry_page(entry);

		any |= entry;
		if (!entry || entry == last)
			continue;
		last = entry;
		if (!reach_page(r, below))
			continue;
		if (shelf_entry_tag(entry) >= SHELF_TAG_NODE)
			reach_table(r, arena_page(r->a, below), below,
				    shelf_node_bits(entry), catalogs);
		else
			reach_leaf(r, arena_page(r->a, below), catalogs);
	}
	if (!any)
		FAIL("node %u of %u bits has nothing", page, bits);
}

static void reach_snapshot(struct reach *r, u32 root_page)
{
	const struct shelf_root *root = arena_page(r->a, root_page);

	if (!reach_page(r, root_page))
		return;
	reach_table(r, root->product_dir, 0, SHELF_PRODUCT_DIR_BITS, false);
	reach_table(r, root->catalog_dir, 0, SHELF_CATALOG_DIR_BITS, true);
	reach_table(r, root->source_dir, 0, SHELF_SOURCE_DIR_BITS, false);
}

/* Bytes as the store counts them for pins: a slab page by its slots. */
static u64 reach_bytes(const struct reach *r)
{
	return (r->pages - r->slabs) * SHELF_PAGE_BYTES + r->slot_bytes;
}

/* What a pinned generation has and the newest has not. */
static u64 bytes_beside(const struct store *st, u32 root_page)
{
	struct reach r = reach_begin(&st->arena);
	u64 newest;

	reach_snapshot(&r, st->root_page);
	newest = reach_bytes(&r);
	reach_snapshot(&r, root_page);
	newest = reach_bytes(&r) - newest;
	reach_end(&r);
	return newest;
}

/* All is as the newest snapshot and the pinned ones say. */
static void account_pins(const struct store *st, struct reach *r)
{
	const struct pins *pins = st->pins;
	u64 newest = reach_bytes(r), bytes;
	u32 i;

	for (i = 0; i < pins->count; i++) {
		bytes = bytes_beside(st, pins->of[i]->root_page);
		if (!pins->of[i]->pins || bytes != pins->of[i]->covered)
			FAIL("generation %llu keeps %llu bytes, not %llu",
			     pins->generation[i], bytes, pins->of[i]->covered);
		reach_snapshot(r, pins->of[i]->root_page);
	}
	if (reach_bytes(r) - newest != st->retained_bytes)
		FAIL("pins keep %llu bytes, not %llu", reach_bytes(r) - newest,
		     st->retained_bytes);
}

/* What is closed is counted. */
static void account_closed(const struct arena *a)
{
	u32 i, j, closed = 0;

	for (i = 0; i < a->max_chunks; i++) {
		const struct chunk_meta *chunk = a->meta[i];
		u32 slabs = 0;

		for (j = 0; chunk && j < CHUNK_PAGES; j++) {
			slabs += chunk->page[j].closed;
			if (chunk->page[j].closed && chunk->page[j].kind != SHELF_KIND_SLAB)
				FAIL("page %u of chunk %u is closed, but no slab", j, i);
		}
		if (chunk && slabs != chunk->slabs_closed)
			FAIL("chunk %u: %u slabs closed, not %u", i, slabs, chunk->slabs_closed);
		closed += chunk && chunk->closed;
	}
	if (closed != a->closed)
		FAIL("%u chunks closed, not %u", closed, a->closed);
}

/* What the newest snapshot has is not retired; what is, is counted. */
static void account_retired(const struct reach *r)
{
	u32 i, j;

	for (i = 0; i < r->a->max_chunks; i++) {
		const struct chunk_meta *chunk = r->a->meta[i];
		u32 retired = 0;

		for (j = 0; chunk && j < CHUNK_PAGES; j++) {
			retired += chunk->page[j].retired;
			if (chunk->page[j].retired && r->page[i * CHUNK_PAGES + j])
				FAIL("page %u of chunk %u is retired, but in use", j, i);
		}
		if (chunk && retired != chunk->retired)
			FAIL("chunk %u: %u pages retired, not %u", i, retired, chunk->retired);
	}
}

/* One generation at a time is revoked, and lets go with the next reclaim. */
static void settle(struct store *st)
{
	u64 before, quarantine_ns = st->quarantine_ns;

	st->quarantine_ns = 0;
	do {
		before = st->revocations;
		while (store_reclaim(st) == RECLAIM_MORE)
			;
	} while (st->revocations != before);
	st->quarantine_ns = quarantine_ns;
}

/* What is in use, but not reachable. */
static void name_lost(const struct reach *r)
{
	u32 page;

	for (page = 1; page < r->a->max_chunks * CHUNK_PAGES; page++) {
		const struct page_meta *m;

		if (!r->a->meta[page / CHUNK_PAGES] || r->page[page])
			continue;
		m = page_meta(r->a, page);
		if (m->kind != SHELF_KIND_FREE)
			fprintf(stderr, "account: page %u of kind %u, born by %llu with key %llx, level %u\n",
				page, m->kind, m->birth, m->key, m->level);
	}
}

void store_account(struct store *st)
{
	struct arena *a = &st->arena;
	struct reach r = reach_begin(a);
	u64 used;

	settle(st);
	reach_snapshot(&r, st->root_page);
	account_retired(&r);
	account_pins(st, &r);
	used = (u64)a->chunks * CHUNK_PAGES - a->free_pages - 1;	/* page 0 */
	if (used != r.pages || a->slot_bytes != r.slot_bytes) {
		name_lost(&r);
		FAIL("%llu pages in use, %llu reachable; %llu and %llu slot bytes",
		     used, r.pages, a->slot_bytes, r.slot_bytes);
	}
	if (st->quarantined_pages || st->quarantined_slot_bytes)
		FAIL("quarantine is empty but counts");
	account_closed(a);
	reach_end(&r);
}
