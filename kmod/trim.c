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

/* Touches of one batch; fewer where there is no room for so much. */
#define TRIM_OPS	8192U
#define TRIM_OPS_MIN	128U
/* Pages looked at for one batch, whatever is found there. */
#define TRIM_LOOK	(64 * CHUNK_PAGES)
/* A stop to what should end by itself; and to waiting for room. */
#define TRIM_PASSES	16U
#define TRIM_TRIES	8U

struct staging {
	const struct store *st;
	struct batch *batch;
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

/* How many chunks there are of each number of live pages. */
static void count_chunks(const struct arena *a, u16 *count)
{
	u32 i;

	for (i = 1; i < a->max_chunks; i++)
		if (open_chunk(a, i))
			count[chunk_live(a->meta[i])]++;
}

/* The sparsest, the highest first; never the one that page 0 is in. */
static void close_chunks(struct arena *a)
{
	u32 needed = chunks_needed(a), is_open = a->chunks - a->closed;
	u32 surplus = is_open > needed ? is_open - needed : 0, live, i;
	u16 count[CHUNK_PAGES + 1] = { 0 };

	count_chunks(a, count);
	for (live = 0; live < CHUNK_PAGES && count[live] < surplus; live++)
		surplus -= count[live];
	for (i = a->max_chunks; --i && live < CHUNK_PAGES;) {
		u32 n = open_chunk(a, i) ? chunk_live(a->meta[i]) : CHUNK_PAGES;

		if (n < live || (n == live && surplus)) {
			surplus -= n == live;
			arena_close(a, i);
		}
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
static void touch(struct staging *t, u8 kind, s64 id, const s64 *member)
{
	if (!t->error)
		t->error = batch_touch(t->batch, kind, id, member);
}

static u8 leaf_touch(u32 kind)
{
	switch (kind) {
	case SHELF_KIND_PRODUCTS:
		return OP_TOUCH;
	case SHELF_KIND_CATALOGS:
		return OP_CATALOG_TOUCH;
	default:
		return OP_SOURCE_TOUCH;
	}
}

static void touch_leaf(struct staging *t, u32 page)
{
	const struct shelf_record *leaf = arena_page(&t->st->arena, page);
	const struct shelf_page_header *h = (const struct shelf_page_header *)leaf;
	u32 slot;

	for (slot = 1; slot <= SHELF_LEAF_SLOTS; slot++) {
		if (!leaf[slot].state)
			continue;
		touch(t, leaf_touch(h->kind), leaf[slot].id, NULL);
		return;
	}
}

/* Some leaf below a node: what is written anew takes the path to it along. */
static void touch_node(struct staging *t, u32 page)
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

static void touch_set(struct staging *t, u32 page)
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
static void touch_slot(struct staging *t, u32 ref)
{
	const struct shelf_product *p;
	const struct shelf_catalog *c;
	const struct shelf_source *s;
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
	s = shelf_view_source(&t->view, id);
	if (s && s->name_ref == ref)
		touch(t, OP_SOURCE_TOUCH, id, NULL);
}

static void touch_slab(struct staging *t, u32 page)
{
	const struct shelf_page_header *h = arena_page(&t->st->arena, page);
	u32 i;

	for (i = 0; i < slab_slots(h); i++)
		if (h->writer[i / 64] >> i % 64 & 1)
			touch_slot(t, slot_ref_of(page, i, h->count));
}

/* A root moves with every commit. */
static void touch_page(struct staging *t, u32 page)
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
	case SHELF_KIND_SOURCES:
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

/* Chooses what is to be emptied: once in a pass, or what moved would move again. */
static void plan(struct store *st)
{
	struct arena *a = &st->arena;
	u32 i;

	for (i = 1; i < SLOT_CLASSES; i++)
		close_slabs(a, i);
	close_chunks(a);
	st->trim.page = a->max_chunks * CHUNK_PAGES;
	/* What is in quarantine does not count, but slabs that have a slot there do. */
	st->trim.again = !st->trim.passes && st->quarantined_slot_bytes;
	if (!st->trim.ops)
		st->trim.ops = TRIM_OPS;
}

/* What is to be emptied lies in closed chunks, or in closed slabs of others. */
static bool chunk_empties(const struct arena *a, u32 index)
{
	return a->meta[index] && (a->meta[index]->closed || a->meta[index]->slabs_closed);
}

int trim_stage(struct store *st, struct batch *b)
{
	struct staging t = { .st = st, .batch = b };
	const struct arena *a = &st->arena;
	u32 page, looked = 0;

	if (!st->trim.page)
		plan(st);
	b->trims = true;
	store_view(st, &t.view);
	page = st->trim.page;
	while (page && !t.error && b->ops < st->trim.ops && looked++ < TRIM_LOOK) {
		if (!chunk_empties(a, (page - 1) / CHUNK_PAGES))
			page = (page - 1) / CHUNK_PAGES * CHUNK_PAGES;
		else if (page_closed(a, --page))
			touch_page(&t, page);
	}
	st->trim.staged = page;
	st->trim.moves = b->ops;
	return t.error;
}

/*
 * When quarantine is over slabs are gone that were left by all that was live in them,
 * by moving or before the first pass, and fewer chunks will do: so there is another
 * pass, until one moves nothing. Or there was no room to move to, which there may be then.
 */
static enum trim_next pass_over(struct trim *t, int ret)
{
	bool again = t->again;

	t->page = 0;
	t->ops = TRIM_OPS;
	if (ret == -ENOSPC)
		again |= t->tries++ < TRIM_TRIES;
	if ((!ret || ret == -ENOSPC) && again && t->passes++ < TRIM_PASSES)
		return TRIM_WAIT;
	*t = (struct trim){ .page = 0 };
	return TRIM_OVER;
}

enum trim_next trim_next(struct store *st, int ret)
{
	struct trim *t = &st->trim;

	if (ret == -ENOSPC && t->ops > TRIM_OPS_MIN) {
		t->ops = max(t->ops / 4, TRIM_OPS_MIN);
		return TRIM_STEP;
	}
	if (!ret) {
		t->page = t->staged;
		t->again |= t->moves;
	}
	return ret || !t->page ? pass_over(t, ret) : TRIM_STEP;
}

bool trim_wanted(const struct store *st)
{
	u64 all = (u64)st->arena.chunks * CHUNK_PAGES, is_free = st->arena.free_pages;

	return is_free > WANTED_PAGES && is_free > all / 3 * 2;
}
