// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Sparse leaves become one. A stretch of the trie whose records are few is
 * widened to twice its size as long as the other half is a leaf, or empty, and
 * both fit into one leaf and leave room in it, so that it does not split again
 * with the next few records. Nodes that are left with one leaf go.
 */
#include "core.h"

/* Three quarters of SHELF_LEAF_FULL: what splits a leaf again is a quarter. */
#define LEAF_SPARSE	45U

/*
 * A stretch that is being widened.
 *
 * @page: leaves that it had
 * @n: their records, in the draft's items
 */
struct widening {
	u64 base;
	u32 depth;
	u32 seed;
	u32 n;
	u32 pages;
	u32 page[LEAF_SPARSE];
};

/* Takes a leaf's records along. False if they are too many. */
static bool take_leaf(struct draft *d, struct widening *w, u32 entry)
{
	u32 page = shelf_entry_page(entry), slot;
	const struct shelf_record *leaf = arena_page(&d->store->arena, page);
	const struct shelf_page_header *h = (const struct shelf_page_header *)leaf;

	if (w->n + h->count > LEAF_SPARSE || w->pages == LEAF_SPARSE)
		return false;
	w->seed = shelf_entry_tag(entry);
	w->page[w->pages++] = page;
	for (slot = 1; slot <= SHELF_LEAF_SLOTS; slot++) {
		if (!leaf[slot].state)
			continue;
		d->item[w->n++] = (struct leaf_item){
			.hash = shelf_hash(leaf[slot].id, d->store->seed),
			.record = leaf[slot],
		};
	}
	return true;
}

/* Takes the other half along. False if the stretch stays as it is. */
static bool widen(struct draft *d, const struct table *t, struct widening *w)
{
	u64 half = 1ULL << (64 - w->depth);
	u32 depth, entry = table_find(d, t, w->base ^ half, &depth);

	if (entry ? depth != w->depth : depth > w->depth)
		return false;
	if (entry && !take_leaf(d, w, entry))
		return false;
	w->base &= ~half;
	w->depth--;
	return true;
}

static int write_widened(struct draft *d, struct table *t, const struct widening *w)
{
	int error = 0;
	u32 entry = 0, i;

	if (w->n)
		entry = leaf_write(d, t->kind, d->item, w->n, w->base, w->depth, w->seed,
				   &error);
	if (error)
		return error;
	table_prune(d, t, w->base, w->depth);
	error = table_set(d, t, w->base, w->depth, entry);
	for (i = 0; !error && i < w->pages; i++)
		draft_retire_page(d, w->page[i]);
	return error;
}

/*
 * Widens what covers @place. @next, if not NULL, is the place of the next
 * operation: up to there all is settled, so nothing is widened twice.
 */
int table_merge(struct draft *d, struct table *t, u64 place, const u64 *next)
{
	struct widening w = { .n = 0 };
	u32 entry = table_find(d, t, place, &w.depth), depth = w.depth;
	int ret = 0;

	w.base = place & ~stretch_last(0, depth);
	if (entry && !take_leaf(d, &w, entry))
		return 0;
	while (w.depth) {
		u64 pair = w.base & ~stretch_last(0, w.depth - 1);

		if (next && *next <= stretch_last(pair, w.depth - 1))
			break;
		if (!widen(d, t, &w))
			break;
	}
	if (w.depth != depth)
		ret = write_widened(d, t, &w);
	if (!ret)
		table_prune_empty(d, t, place);
	return ret;
}
