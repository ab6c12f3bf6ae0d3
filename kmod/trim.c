// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Giving memory back after deletes.
 *
 * What is live in sparse chunks and slabs moves into denser ones, by commits that
 * change nothing but where things are: a batch of touches, each of which has its
 * record written anew, and with it what hangs from it and lies in what is to be
 * emptied. Readers notice such a commit as little as any other. Chunks that have
 * emptied go back to the system (arena_shrink()).
 *
 * Whatever is in a page has the key by which its parent is found: ids in leaves,
 * slots and pages of attributes, the catalog in pages of sets.
 */
#include "core.h"

/* Room to spare in what is kept: an eighth, and these. */
#define TRIM_SPARE	64U
/* What is free without need: two thirds of all, and so many pages. */
#define WANTED_PAGES	2048U

struct trim {
	const struct store *st;
	struct batch *batch;
	u32 limit;
	struct shelf_view view;
	int error;
};

/*
 * What is to be emptied
 * =====================
 */

/* Pages that don't go by themselves; those that a pin keeps don't move either. */
static u32 chunk_live(const struct chunk_meta *chunk)
{
	return CHUNK_PAGES - chunk->free.count - chunk->retired + chunk->pinned;
}

/* How many chunks would do for all that is live. */
static u32 chunks_needed(const struct arena *a)
{
	u64 live = TRIM_SPARE;
	u32 i;

	for (i = 0; i < a->max_chunks; i++)
		if (a->meta[i])
			live += chunk_live(a->meta[i]);
	return (u32)DIV_ROUND_UP(live + live / 8, CHUNK_PAGES);
}

static struct chunk_meta *open_chunk(const struct arena *a, u32 index)
{
	return a->meta[index] && !a->meta[index]->closed ? a->meta[index] : NULL;
}

static void close_live(struct arena *a, u32 live, u32 needed)
{
	u32 i;

	for (i = a->max_chunks; --i && a->chunks - a->closed > needed;)
		if (open_chunk(a, i) && chunk_live(a->meta[i]) == live)
			arena_close(a, i);
}

/* The sparsest, the highest first; never the one that page 0 is in. */
static void close_chunks(struct arena *a)
{
	u32 needed = chunks_needed(a), live;

	for (live = 0; live < CHUNK_PAGES && a->chunks - a->closed > needed; live++) {
		close_live(a, live, needed);
		cond_resched();
	}
}

static bool slab_sparse(const struct arena *a, u32 page)
{
	return page_meta(a, page)->used * 2U <= slab_slots(arena_page(a, page));
}

/*
 * All sparse slabs of a size but one: two of them fit into one, and one alone
 * would only move.
 */
static void close_slabs(struct arena *a, u32 class)
{
	u32 page, next, keep = 0;

	for (page = a->slab[class]; page; page = next) {
		next = page_meta(a, page)->slab_next;
		if (!slab_sparse(a, page))
			continue;
		if (!keep) {
			keep = page;
			continue;
		}
		if (page_meta(a, page)->used > page_meta(a, keep)->used)
			swap(page, keep);
		slab_close(a, page);
	}
}

/*
 * What moves it
 * =============
 */
static void touch(struct trim *t, u8 kind, s64 id, const s64 *member)
{
	if (!t->error)
		t->error = batch_touch(t->batch, kind, id, member);
}

static void touch_leaf(struct trim *t, u32 page)
{
	const struct shelf_record *leaf = arena_page(&t->st->arena, page);
	const struct shelf_page_header *h = (const struct shelf_page_header *)leaf;
	u32 slot;

	for (slot = 1; slot <= SHELF_LEAF_SLOTS; slot++) {
		if (!leaf[slot].state)
			continue;
		touch(t, h->kind == SHELF_KIND_PRODUCTS ? OP_TOUCH : OP_CATALOG_TOUCH,
		      leaf[slot].id, NULL);
		return;
	}
}

/* Some leaf below a node: what is written anew takes the path to it along. */
static void touch_node(struct trim *t, u32 page)
{
	const u32 *node = arena_page(&t->st->arena, page);
	u32 i;

	for (i = 0; i < SHELF_NODE_ENTRIES; i++) {
		if (!node[i])
			continue;
		if (shelf_entry_tag(node[i]) >= SHELF_TAG_NODE)
			touch_node(t, shelf_entry_page(node[i]));
		else
			touch_leaf(t, shelf_entry_page(node[i]));
		return;
	}
}

static void touch_set(struct trim *t, u32 page)
{
	const struct shelf_page_header *h = arena_page(&t->st->arena, page);
	s64 catalog = (s64)h->key;
	s64 member;

	while (h->level)
		h = arena_page(&t->st->arena, ((const struct shelf_fence *)(h + 1))->page);
	memcpy(&member, h + 1, sizeof(member));
	touch(t, OP_CATALOG_TOUCH, catalog, &member);
}

/* A slot that nobody has is one that was retired. */
static void touch_slot(struct trim *t, u32 ref)
{
	const struct shelf_product *p;
	const struct shelf_catalog *c;
	s64 id;

	memcpy(&id, arena_slot(&t->st->arena, ref), sizeof(id));
	p = shelf_view_product(&t->view, id);
	if (p && p->attrs_len && p->attrs_ref == ref) {
		touch(t, OP_TOUCH, id, NULL);
		return;
	}
	c = shelf_view_catalog(&t->view, id);
	if (c && c->set == SHELF_SET_SLOT && c->set_ref == ref)
		touch(t, OP_CATALOG_TOUCH, id, NULL);
}

static void touch_slab(struct trim *t, u32 page)
{
	const struct shelf_page_header *h = arena_page(&t->st->arena, page);
	u32 i;

	for (i = 0; i < slab_slots(h); i++)
		if (h->writer[i / 64] >> i % 64 & 1)
			touch_slot(t, page * (SHELF_PAGE_BYTES / SHELF_SLOT_UNIT) +
				   (SHELF_LINE + i * h->count) / SHELF_SLOT_UNIT);
}

/* A root moves with every commit. */
static void touch_page(struct trim *t, u32 page)
{
	const struct page_meta *m = page_meta(&t->st->arena, page);

	if (m->retired)
		return;
	switch (m->kind) {
	case SHELF_KIND_NODE:
		touch_node(t, page);
		break;
	case SHELF_KIND_PRODUCTS:
	case SHELF_KIND_CATALOGS:
		touch_leaf(t, page);
		break;
	case SHELF_KIND_SET:
		touch_set(t, page);
		break;
	case SHELF_KIND_SLAB:
		touch_slab(t, page);
		break;
	case SHELF_KIND_DATA:
		touch(t, OP_TOUCH, (s64)m->key, NULL);
		break;
	}
}

static bool enough(const struct trim *t)
{
	return t->error || t->batch->ops >= t->limit;
}

static void touch_chunk(struct trim *t, u32 index)
{
	u32 i;

	for (i = 0; i < CHUNK_PAGES && !enough(t); i++)
		touch_page(t, index * CHUNK_PAGES + i);
	cond_resched();
}

void trim_plan(struct store *st)
{
	u32 i;

	for (i = 1; i < SLOT_CLASSES; i++)
		close_slabs(&st->arena, i);
	close_chunks(&st->arena);
}

int trim_stage(struct store *st, struct batch *b, u32 limit)
{
	struct arena *a = &st->arena;
	struct trim t = { .st = st, .batch = b, .limit = limit };
	u32 i, page;

	b->trims = true;
	store_view(st, &t.view);
	for (page = a->slab[0]; page && !enough(&t); page = page_meta(a, page)->slab_next)
		touch_slab(&t, page);
	for (i = a->max_chunks; i-- && !enough(&t);)
		if (a->meta[i] && a->meta[i]->closed)
			touch_chunk(&t, i);
	return t.error;
}

bool trim_wanted(const struct store *st)
{
	u64 all = (u64)st->arena.chunks * CHUNK_PAGES, is_free = st->arena.free_pages;

	return is_free > WANTED_PAGES && is_free > all / 3 * 2;
}
