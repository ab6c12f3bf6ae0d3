// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a writer knows of its pages is in its own memory and dies with it. The
 * next one finds it again: whatever the newest snapshot reaches is in use, and
 * all else is free, drafts of the dead and their quarantine included.
 *
 * P5. Everything is checked before anything is adopted. A file that a writer
 * of ours has not left like this is refused, so that the pure part, which
 * trusts its own bytes, can go on trusting them.
 */
#include "hosted.h"

#define UNITS		(SHELF_PAGE_BYTES / SHELF_SLOT_UNIT)
#define UNIT_WORDS	(UNITS / 64)

/**
 * struct census - what has been found so far
 * @kind: of each page, SHELF_KIND_FREE until something names it
 * @key: of each data page, its product
 * @slots: a bit for each unit of 16 bytes at which a slot begins
 * @top: the highest page in use
 */
struct census {
	struct shelf_view view;
	u64 generation;
	u32 pages;
	u32 top;
	u8 *kind;
	u64 *key;
	u64 *slots;
	u64 products;
	u64 sources;
	u64 catalogs;
	u64 memberships;
	u64 attrs_bytes;
};

/* A table of the trie: the top one or a node. */
struct level {
	const u32 *dir;		/* of the trie's top */
	u32 dir_bits;
	u32 kind;		/* of its leaves */
	const u32 *entries;
	u32 page;		/* 0: the top */
	u32 bits;
	u32 consumed;
	u64 base;
};

/* Each page has one owner. */
static bool claim(struct census *c, u32 page, u8 kind)
{
	if (!page || page >= c->pages || c->kind[page])
		return false;
	c->kind[page] = kind;
	c->top = max(c->top, page);
	return true;
}

static bool claim_slab(struct census *c, u32 page)
{
	const struct shelf_page_header *h = shelf_view_page(&c->view, page);

	if (page < c->pages && c->kind[page] == SHELF_KIND_SLAB)
		return true;
	return claim(c, page, SHELF_KIND_SLAB) && h->kind == SHELF_KIND_SLAB &&
	       h->count && h->count <= SHELF_SLOT_MAX &&
	       h->count % SHELF_SLOT_UNIT == 0;
}

/* The slot's bytes behind the key, or NULL. */
static const void *claim_slot(struct census *c, u32 ref, u32 bytes, s64 owner)
{
	u32 page = ref / UNITS, unit = ref % UNITS;
	u32 offset = unit * SHELF_SLOT_UNIT, size = slot_class_bytes(bytes);
	const u8 *at = shelf_view_page(&c->view, page);
	u64 *word = &c->slots[(size_t)page * UNIT_WORDS + unit / 64];

	if (!claim_slab(c, page) ||
	    ((const struct shelf_page_header *)at)->count != size)
		return NULL;
	if (offset < SHELF_LINE || (offset - SHELF_LINE) % size ||
	    offset + size > SHELF_PAGE_BYTES || *word >> unit % 64 & 1)
		return NULL;
	if (memcmp(at + offset, &owner, sizeof(owner)))
		return NULL;
	*word |= 1ULL << unit % 64;
	return at + offset + SHELF_SLOT_KEY;
}

static bool check_product(struct census *c, const struct shelf_product *p)
{
	u32 pages = p->attrs_len > SHELF_ATTRS_INLINE ?
		    DIV_ROUND_UP(p->attrs_len, SHELF_PAGE_BYTES) : 0;
	const u32 *page;
	u32 i;

	c->products++;
	c->attrs_bytes += p->attrs_len;
	if (p->attrs_len > SHELF_ATTRS_MAX)
		return false;
	if (!p->attrs_len)
		return true;
	page = claim_slot(c, p->attrs_ref, SHELF_SLOT_KEY +
			  (pages ? pages * 4 : p->attrs_len), p->id);
	for (i = 0; page && i < pages; i++) {
		if (!claim(c, page[i], SHELF_KIND_DATA))
			return false;
		c->key[page[i]] = (u64)p->id;
	}
	return page;
}

static bool check_source(struct census *c, const struct shelf_source *s)
{
	const void *name;

	c->sources++;
	if (!s->name_len || s->name_len > SHELF_SOURCE_MAX)
		return false;
	name = claim_slot(c, s->name_ref, SHELF_SLOT_KEY + s->name_len, s->id);
	return name && shelf_source_id(name, s->name_len) == s->id;
}

/* Ascending, from @first to @last. */
static bool check_members(const s64 *members, u32 n, s64 first, s64 last)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (members[i] < first || members[i] > last ||
		    (i && members[i] <= members[i - 1]))
			return false;
	return true;
}

/* A page of a set, all of its members from @first to @last; counts them. */
static bool check_set(struct census *c, u32 page, u32 level, s64 catalog,
		      s64 first, s64 last, u64 *count)
{
	const struct shelf_page_header *h = shelf_view_page(&c->view, page);
	const struct shelf_fence *f = (const struct shelf_fence *)(h + 1);
	u32 i;

	if (!claim(c, page, SHELF_KIND_SET) || h->kind != SHELF_KIND_SET ||
	    h->level != level || h->key != (u64)catalog || !h->count ||
	    h->count > (level ? SHELF_SET_PAGE_FENCES : SHELF_SET_PAGE_MEMBERS))
		return false;
	if (!level) {
		*count += h->count;
		return check_members((const s64 *)(h + 1), h->count, first, last);
	}
	for (i = 0; i < h->count; i++) {
		bool end = i + 1 == h->count;

		if (f[i].first < first || f[i].first > last ||
		    (!end && f[i + 1].first <= f[i].first))
			return false;
		if (!check_set(c, f[i].page, level - 1, catalog, f[i].first,
			       end ? last : f[i + 1].first - 1, count))
			return false;
	}
	return true;
}

static bool check_catalog(struct census *c, const struct shelf_catalog *r)
{
	const s64 *members = r->members;
	u64 count = 0;

	c->catalogs++;
	c->memberships += r->count;
	switch (r->set) {
	case SHELF_SET_INLINE:
		return r->count && r->count <= SHELF_INLINE_MEMBERS &&
		       check_members(members, (u32)r->count, SHELF_ID_MIN, INT64_MAX);
	case SHELF_SET_SLOT:
		if (!r->count || r->count > SHELF_SLOT_MEMBERS)
			return false;
		members = claim_slot(c, r->set_ref,
				     SHELF_SLOT_KEY + (u32)r->count * 8, r->id);
		return members && check_members(members, (u32)r->count,
						SHELF_ID_MIN, INT64_MAX);
	case SHELF_SET_TREE:
		return r->level <= SHELF_SET_LEVELS &&
		       check_set(c, r->set_ref, r->level, r->id, SHELF_ID_MIN,
				 INT64_MAX, &count) && count == r->count;
	default:
		return false;
	}
}

/* The writer follows next without a bound. */
static bool check_chain(const struct shelf_record *leaf, u32 slot)
{
	u32 steps;

	for (steps = 0; steps < SHELF_LEAF_SLOTS; steps++) {
		if (!leaf[slot].next)
			return true;
		slot ^= leaf[slot].next;
		if (!slot || slot > SHELF_LEAF_SLOTS)
			return false;
	}
	return false;
}

/* A record must also be where a reader looks for it. */
static bool check_record(struct census *c, const struct level *l,
			 const struct shelf_record *r)
{
	if (!r->state)
		return true;
	if (r->state != SHELF_PRESENT || r->generation > c->generation ||
	    shelf_find(&c->view, l->dir, l->dir_bits, r->id) != r)
		return false;
	switch (l->kind) {
	case SHELF_KIND_PRODUCTS:
		return check_product(c, (const struct shelf_product *)r);
	case SHELF_KIND_CATALOGS:
		return check_catalog(c, (const struct shelf_catalog *)r);
	default:
		return check_source(c, (const struct shelf_source *)r);
	}
}

static u64 level_place(const struct level *l, u32 index)
{
	u32 used = l->consumed + l->bits;

	return l->base | (u64)index << (64 - used);
}

/*
 * A leaf may fill several entries, which are then all the same: returns how
 * many, or 0.
 */
static u32 check_leaf(struct census *c, const struct level *l, u32 index, u32 entry)
{
	u32 page = shelf_entry_page(entry), used = l->consumed + l->bits, n = 0, i;
	const struct shelf_page_header *h = shelf_view_page(&c->view, page);
	const struct shelf_record *leaf = (const struct shelf_record *)h;

	if (!claim(c, page, (u8)l->kind) || h->kind != l->kind ||
	    h->level < l->consumed || h->level > used ||
	    index % (1U << (used - h->level)) || h->key != level_place(l, index))
		return 0;
	if (leaf->state || !check_chain(leaf, 0))
		return 0;
	for (i = 1; i <= SHELF_LEAF_SLOTS; i++) {
		n += leaf[i].state != 0;
		if (!check_chain(leaf, i) || !check_record(c, l, &leaf[i]))
			return 0;
	}
	return n && n == h->count ? 1U << (used - h->level) : 0;
}

static bool check_table(struct census *c, const struct level *l);

/* Only a table that is full may have nodes, and a node has bits of its own. */
static bool check_node(struct census *c, const struct level *l, u32 index, u32 entry)
{
	u32 used = l->consumed + l->bits, left = 64 - used;
	bool full = !l->page || l->bits == min(SHELF_NODE_BITS + 0U, 64 - l->consumed);
	struct level node = *l;

	node.page = shelf_entry_page(entry);
	node.bits = shelf_node_bits(entry);
	node.consumed = used;
	node.base = level_place(l, index);
	if (!full || !node.bits || node.bits > SHELF_NODE_BITS ||
	    node.bits > left || !claim(c, node.page, SHELF_KIND_NODE))
		return false;
	node.entries = shelf_view_page(&c->view, node.page);
	return check_table(c, &node);
}

static u32 level_entry(const struct level *l, u32 index)
{
	return l->entries[l->page ? shelf_node_index(l->page, index) : index];
}

/*
 * Recursion is as deep as the trie, at most SHELF_LEVELS. A node that has nothing
 * would be written over by the next put, and lost.
 */
static bool check_table(struct census *c, const struct level *l)
{
	bool any = !l->page;
	u32 index = 0, n, i;

	while (index < 1U << l->bits) {
		u32 entry = level_entry(l, index);

		n = 1;
		any |= entry;
		if (shelf_entry_tag(entry) >= SHELF_TAG_NODE) {
			if (!check_node(c, l, index, entry))
				return false;
		} else if (entry) {
			n = check_leaf(c, l, index, entry);
			if (!n)
				return false;
		}
		for (i = 1; i < n; i++)
			if (level_entry(l, index + i) != entry)
				return false;
		index += n;
	}
	return any;
}

static bool check_trie(struct census *c, const u32 *dir, u32 bits, u32 kind)
{
	const struct level top = {
		.dir = dir, .dir_bits = bits, .kind = kind, .entries = dir, .bits = bits,
	};

	return check_table(c, &top);
}

static bool page_is_zero(const void *page)
{
	const u64 *word = page;
	u32 i;

	for (i = 0; i < SHELF_PAGE_BYTES / 8; i++)
		if (word[i])
			return false;
	return true;
}

static bool check_snapshot(struct census *c, u32 root_page)
{
	const struct shelf_root *r = c->view.root;

	return page_is_zero(c->view.arena) && c->generation &&
	       claim(c, root_page, SHELF_KIND_ROOT) &&
	       r->magic == SHELF_ROOT_MAGIC && r->generation == c->generation &&
	       check_trie(c, r->product_dir, SHELF_PRODUCT_DIR_BITS,
			  SHELF_KIND_PRODUCTS) &&
	       check_trie(c, r->catalog_dir, SHELF_CATALOG_DIR_BITS,
			  SHELF_KIND_CATALOGS) &&
	       check_trie(c, r->source_dir, SHELF_SOURCE_DIR_BITS,
			  SHELF_KIND_SOURCES) &&
	       c->products == r->products && c->catalogs == r->catalogs &&
	       c->sources == r->sources &&
	       c->memberships == r->memberships &&
	       c->attrs_bytes == r->attrs_bytes;
}

static void adopt_slab(struct census *c, struct arena *a, u32 page)
{
	const u64 *word = &c->slots[(size_t)page * UNIT_WORDS];
	u32 unit;

	for (unit = 0; unit < UNITS; unit++)
		if (word[unit / 64] >> unit % 64 & 1)
			slab_adopt_slot(a, page * UNITS + unit);
	slab_adopt_done(a, page);
}

static int adopt_pages(struct census *c, struct store *st)
{
	u32 page;
	int ret;

	for (page = 0; page <= c->top; page++) {
		if (!c->kind[page] || st->arena.meta[page / CHUNK_PAGES])
			continue;
		ret = arena_add(st, page / CHUNK_PAGES);
		if (ret)
			return ret;
	}
	for (page = 1; page <= c->top; page++) {
		if (c->kind[page] == SHELF_KIND_SLAB)
			adopt_slab(c, &st->arena, page);
		else if (c->kind[page])
			arena_adopt_page(&st->arena, page, c->kind[page], c->key[page]);
	}
	return 0;
}

static int census_take(struct census *c, struct store *st)
{
	u32 root_page = (u32)(st->control->current_word & SHELF_ROOT_MASK);
	int ret;

	if (!check_snapshot(c, root_page) || st->control->oldest > c->generation)
		return -EINVAL;
	ret = adopt_pages(c, st);
	if (ret)
		return ret;
	st->root_page = root_page;
	st->root = arena_page(&st->arena, root_page);
	st->generation = c->generation;
	st->content = c->generation;
	st->pins->roots[c->generation % ROOTS_KEPT] = root_page;
	return 0;
}

int store_adopt(struct store *st)
{
	const struct shelf_control *control = st->control;
	struct census c = {
		.generation = control->current_word >> SHELF_ROOT_BITS,
		.pages = (u32)(control->max_bytes >> SHELF_PAGE_SHIFT),
	};
	int ret = -ENOMEM;

	c.view.arena = (const u8 *)control + SHELF_MMAP_ARENA;
	c.view.mask = control->arena_bytes - SHELF_PAGE_BYTES;
	c.view.seed = control->seed;
	c.view.root = shelf_view_page(&c.view, (u32)(control->current_word &
						     SHELF_ROOT_MASK));
	/* Untouched parts of these large zeroed areas cost nothing. */
	c.kind = kvzalloc(c.pages, GFP_KERNEL);
	c.key = kvcalloc(c.pages, sizeof(u64), GFP_KERNEL);
	c.slots = kvcalloc(c.pages, UNIT_WORDS * sizeof(u64), GFP_KERNEL);
	if (c.kind && c.key && c.slots)
		ret = census_take(&c, st);
	kvfree(c.kind);
	kvfree(c.key);
	kvfree(c.slots);
	return ret;
}
