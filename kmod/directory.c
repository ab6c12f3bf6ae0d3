// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The directory of a trie: a top table in the root page and nodes of 2 to 1024
 * entries, each growing alone. An entry names a leaf, a node or nothing; a leaf
 * of fewer bits than its table has fills several entries. Nodes that have nodes
 * below them are of full size and stay so, since a node counts its bits from
 * where its parent's end; the top table is of full size always.
 */
#include "core.h"

/* A table on the way down; @link is the entry that names it. */
struct dir {
	u32 *entries;
	u32 *link;
	u32 page;	/* 0: the top table */
	u32 bits;
	u32 consumed;	/* bits of the place before this table */
};

static u32 dir_prefix(const struct dir *dir, u64 place)
{
	return dir->consumed > 63 ? 0 :
	       shelf_prefix(place << dir->consumed, dir->bits);
}

static u32 *dir_entry(const struct dir *dir, u32 index)
{
	return &dir->entries[dir->page ? shelf_node_index(dir->page, index) : index];
}

static struct dir dir_top(const struct table *t)
{
	return (struct dir){ .entries = t->dir, .bits = t->bits };
}

static struct dir dir_below(const struct arena *a, const struct dir *dir, u32 *entry)
{
	return (struct dir){
		.entries = arena_page(a, shelf_entry_page(*entry)),
		.link = entry,
		.page = shelf_entry_page(*entry),
		.bits = shelf_node_bits(*entry),
		.consumed = dir->consumed + dir->bits,
	};
}

static bool dir_full(const struct dir *dir)
{
	return !dir->page || dir->bits == min(SHELF_NODE_BITS + 0U, 64 - dir->consumed);
}

/* The bits of the largest aligned block of empty entries around @index. */
static u32 empty_depth(const struct dir *dir, u32 index)
{
	u32 free_bits = 0, i;

	for (; free_bits < dir->bits; free_bits++) {
		u32 buddy = (index >> free_bits ^ 1) << free_bits;

		for (i = 0; i < 1U << free_bits; i++)
			if (*dir_entry(dir, buddy + i))
				return dir->consumed + dir->bits - free_bits;
	}
	return dir->consumed;
}

/* The entry at the end of the way to @place, which names no node; @dir: its table. */
static u32 *dir_last(const struct arena *a, const struct table *t, u64 place, struct dir *dir)
{
	u32 *entry;

	*dir = dir_top(t);
	for (;;) {
		entry = dir_entry(dir, dir_prefix(dir, place));
		if (shelf_entry_tag(*entry) < SHELF_TAG_NODE)
			return entry;
		*dir = dir_below(a, dir, entry);
	}
}

u32 table_find(const struct draft *d, const struct table *t, u64 place, u32 *depth)
{
	const struct arena *a = &d->store->arena;
	const struct shelf_page_header *leaf;
	struct dir dir;
	u32 *entry = dir_last(a, t, place, &dir);

	if (!*entry) {
		*depth = empty_depth(&dir, dir_prefix(&dir, place));
		return 0;
	}
	leaf = arena_page(a, shelf_entry_page(*entry));
	*depth = leaf->level;
	return *entry;
}

/* Copies a node's lines to where the new page's number turns them. */
static void copy_node(u32 *to, u32 to_page, const u32 *from, u32 from_page, u32 bits)
{
	const u32 last = SHELF_LINE / sizeof(u32) - 1;
	u32 i;

	arena_zero(to, SHELF_PAGE_BYTES);
	/* A line begins with the word of its last entry. */
	for (i = last; i - last < 1U << bits; i += last + 1)
		arena_put(&to[shelf_node_index(to_page, i)],
			  &from[shelf_node_index(from_page, i)], SHELF_LINE);
}

/* Makes the node behind @entry the draft's own. */
static int node_own(struct draft *d, u32 *entry, u64 place, u32 level)
{
	struct arena *a = &d->store->arena;
	u32 old = shelf_entry_page(*entry), tag = shelf_entry_tag(*entry);
	int error;
	u32 page;

	if (draft_owns(d, old))
		return 0;
	page = draft_alloc_page(d, SHELF_KIND_NODE, place, (u8)level, &error);
	if (!page)
		return error;
	copy_node(arena_page(a, page), page, arena_page(a, old), old,
		  shelf_node_bits(tag));
	draft_retire_page(d, old);
	arena_put_u32(entry, page << SHELF_TAG_BITS | tag);
	return 0;
}

/* Puts a node of one bit in the place of a leaf, and the leaf into it, twice. */
static int node_new(struct draft *d, u32 *entry, u64 place, u32 level)
{
	struct arena *a = &d->store->arena;
	struct dir dir = { .bits = 1 };
	int error;

	dir.page = draft_alloc_page(d, SHELF_KIND_NODE, place, (u8)level, &error);
	if (!dir.page)
		return error;
	dir.entries = arena_page(a, dir.page);
	arena_zero(dir.entries, SHELF_PAGE_BYTES);
	arena_put_u32(dir_entry(&dir, 0), *entry);
	arena_put_u32(dir_entry(&dir, 1), *entry);
	arena_put_u32(entry, dir.page << SHELF_TAG_BITS | shelf_node_tag(1));
	return 0;
}

/* Doubles a node that is the draft's own. */
static void dir_grow(struct dir *dir)
{
	u32 i;

	for (i = 1U << dir->bits; i--;) {
		u32 entry = *dir_entry(dir, i);

		arena_put_u32(dir_entry(dir, 2 * i + 1), entry);
		arena_put_u32(dir_entry(dir, 2 * i), entry);
	}
	dir->bits++;
	arena_put_u32(dir->link, dir->page << SHELF_TAG_BITS | shelf_node_tag(dir->bits));
}

static void dir_fill(const struct dir *dir, u64 place, u32 depth, u32 entry)
{
	u32 n = 1U << (dir->consumed + dir->bits - depth);
	u32 first = dir_prefix(dir, place) & ~(n - 1), i;

	for (i = 0; i < n; i++)
		arena_put_u32(dir_entry(dir, first + i), entry);
}

/* Recursion is as deep as the trie. */
static void nodes_retire(struct draft *d, const struct dir *dir, u32 *entry)
{
	struct dir below;
	u32 i;

	if (shelf_entry_tag(*entry) < SHELF_TAG_NODE)
		return;
	below = dir_below(&d->store->arena, dir, entry);
	for (i = 0; i < 1U << below.bits; i++)
		nodes_retire(d, &below, dir_entry(&below, i));
	draft_retire_page(d, below.page);
}

/* Retires the nodes of a stretch that one entry of a table above is to fill. */
void table_prune(struct draft *d, const struct table *t, u64 base, u32 depth)
{
	struct dir dir = dir_top(t);
	u32 first, n, i;

	while (depth > dir.consumed + dir.bits) {
		u32 *entry = dir_entry(&dir, dir_prefix(&dir, base));

		if (shelf_entry_tag(*entry) < SHELF_TAG_NODE)
			return;
		dir = dir_below(&d->store->arena, &dir, entry);
	}
	n = 1U << (dir.consumed + dir.bits - depth);
	first = dir_prefix(&dir, base) & ~(n - 1);
	for (i = 0; i < n; i++)
		nodes_retire(d, &dir, dir_entry(&dir, first + i));
}

/*
 * Makes @entry what is found for every place whose first @depth bits are those
 * of @place. What nodes were there have been retired.
 */
int table_set(struct draft *d, struct table *t, u64 place, u32 depth, u32 entry)
{
	struct dir dir = dir_top(t);
	u32 *e;
	int ret;

	while (depth > dir.consumed + dir.bits) {
		e = dir_entry(&dir, dir_prefix(&dir, place));
		if (shelf_entry_tag(*e) < SHELF_TAG_NODE && !dir_full(&dir)) {
			dir_grow(&dir);
			continue;
		}
		if (shelf_entry_tag(*e) >= SHELF_TAG_NODE)
			ret = node_own(d, e, place, dir.consumed + dir.bits);
		else
			ret = node_new(d, e, place, dir.consumed + dir.bits);
		if (ret)
			return ret;
		dir = dir_below(&d->store->arena, &dir, e);
	}
	dir_fill(&dir, place, depth, entry);
	return 0;
}

/*
 * Takes out the node at the end of the way to @place if it has nothing left, and then
 * perhaps those above: who puts something into an empty stretch takes all of it, and
 * would lose them. What was emptied is the draft's own, up to the top.
 */
void table_prune_empty(struct draft *d, const struct table *t, u64 place)
{
	struct dir dir;
	u32 *entry;

	for (;;) {
		entry = dir_last(&d->store->arena, t, place, &dir);
		if (*entry || !dir.page ||
		    empty_depth(&dir, dir_prefix(&dir, place)) != dir.consumed)
			return;
		draft_retire_page(d, dir.page);
		arena_put_u32(dir.link, 0);
	}
}
