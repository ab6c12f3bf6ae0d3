// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a batch does to one catalog. Its operations become one sorted list of
 * edits, the last word on each member, which is merged into the set. A set of
 * up to 4 is in the record, of up to 447 in a slot, and beyond that a tree; it
 * becomes a slot again at half of that, so that one member more or less does
 * not turn it back and forth.
 */
#include "idset.h"

#define TREE_MIN	(SHELF_SLOT_MEMBERS / 2)

static int edits_reserve(struct draft *d, u64 n)
{
	if (n <= d->edits_room)
		return 0;
	if (n > U32_MAX / 2)
		return -E2BIG;
	kvfree(d->edits);
	kvfree(d->edits_spare);
	d->edits_room = 0;
	d->edits = kvmalloc_array(n, sizeof(*d->edits), DRAFT_GFP);
	d->edits_spare = kvmalloc_array(n, sizeof(*d->edits), DRAFT_GFP);
	if (!d->edits || !d->edits_spare)
		return -ENOMEM;
	d->edits_room = (u32)n;
	return 0;
}

/* Sorts the edits and leaves the last of each member; returns how many. */
static u32 edits_settle(struct draft *d, u32 n, bool ascending)
{
	struct sorter sorter = { d->edits_spare, d->sorter.counts };
	u32 i, out = 0;

	if (ascending)
		return n;
	sort_items(&sorter, d->edits, n);
	for (i = 0; i < n; i++)
		if (i + 1 == n || d->edits[i + 1].key != d->edits[i].key)
			d->edits[out++] = d->edits[i];
	return out;
}

static int edits_gather(struct draft *d, const struct sort_item *ops, u32 n, u32 *out)
{
	bool ascending = true;
	u64 total = 0;
	u32 i, j, at = 0;
	int ret;

	for (i = 0; i < n; i++)
		total += item_op(&ops[i])->len;
	ret = edits_reserve(d, total);
	if (ret)
		return ret;
	for (i = 0; i < n; i++) {
		const struct op *op = item_op(&ops[i]);
		const s64 *members = (const s64 *)op->data;
		enum edit edit = op->kind == SHELF_OP_CATALOG_ADD ? EDIT_ADD :
				 op->kind == OP_CATALOG_TOUCH ? EDIT_TOUCH : EDIT_REMOVE;

		for (j = 0; j < op->len; j++, at++) {
			d->edits[at] = (struct sort_item){
				(u64)members[j] ^ MEMBER_SIGN, edit };
			if (at && d->edits[at].key <= d->edits[at - 1].key)
				ascending = false;
		}
	}
	*out = edits_settle(d, at, ascending);
	return 0;
}

static int set_drop(struct draft *d, const struct shelf_catalog *c)
{
	if (!c->state)
		return 0;
	if (c->set == SHELF_SET_TREE)
		set_retire(d, c->set_ref, c->level);
	if (c->set == SHELF_SET_SLOT)
		return slot_retire(d, c->set_ref,
				   SHELF_SLOT_KEY + (u32)c->count * 8,
				   c->set_generation);
	return 0;
}

/* Makes d->members the set of @c, in the record or in a slot. */
static int set_small(struct draft *d, struct shelf_catalog *c, u32 count)
{
	u32 bytes = SHELF_SLOT_KEY + count * 8;
	int error = 0;
	u8 *slot;

	c->count = count;
	c->level = 0;
	memset(c->members, 0, sizeof(c->members));
	if (count <= SHELF_INLINE_MEMBERS) {
		c->set = SHELF_SET_INLINE;
		memcpy(c->members, d->members, (size_t)count * 8);
		return 0;
	}
	c->set = SHELF_SET_SLOT;
	c->set_generation = d->generation;
	c->set_ref = slot_alloc(d, bytes, c->id, &error);
	if (!c->set_ref)
		return error;
	slot = arena_slot(&d->store->arena, c->set_ref);
	arena_put(slot + SHELF_SLOT_KEY, d->members, (size_t)count * 8);
	arena_zero(slot + bytes, slot_class_bytes(bytes) - bytes);
	return 0;
}

/* Builds fences over @top until one page is left, the set's root. */
static int set_crown(struct draft *d, struct shelf_catalog *c, struct fence_vec *top,
		     u8 level)
{
	int ret;

	while (top->count > 1) {
		struct fence_vec *up = &d->fences[++level];

		if (level > SHELF_SET_LEVELS)
			return -E2BIG;
		up->count = 0;
		ret = set_write_fences(d, c->id, level, top, up);
		if (ret)
			return ret;
		swap(*top, *up);
	}
	memset(c->members, 0, sizeof(c->members));
	c->set = SHELF_SET_TREE;
	c->set_generation = d->generation;
	c->set_ref = top->fence[0].page;
	c->level = level;
	return 0;
}

/* A tree whose root has one child is that child. */
static void set_lower(struct draft *d, struct shelf_catalog *c)
{
	while (c->level) {
		struct shelf_page_header *h = arena_page(&d->store->arena, c->set_ref);
		u32 child = ((struct shelf_fence *)(h + 1))->page;

		if (h->count > 1)
			break;
		draft_retire_page(d, c->set_ref);
		c->set_ref = child;
		c->level--;
	}
}

static int tree_edit(struct draft *d, struct shelf_catalog *c, struct set_edit *e)
{
	struct fence_vec *top = &d->fences[SHELF_SET_LEVELS + 1];
	struct shelf_fence root = { .first = SHELF_ID_MIN, .page = c->set_ref };
	u32 page;
	int ret;

	top->count = 0;
	ret = set_edit_page(d, c->id, &root, c->level, e, top);
	if (ret || !(e->added | e->removed | e->touched))
		return ret;
	c->count += e->added - e->removed;
	if (!c->count)
		return 0;
	ret = set_crown(d, c, top, c->level);
	if (ret)
		return ret;
	set_lower(d, c);
	if (c->count > TREE_MIN)
		return 0;
	page = c->set_ref;
	set_gather(&d->store->arena, page, c->level, d->members);
	set_retire(d, page, c->level);
	return set_small(d, c, (u32)c->count);
}

/* The same for a set that is no tree, and for one that begins anew. */
static int small_edit(struct draft *d, struct shelf_catalog *c, const s64 *members,
		      u32 n, struct set_edit *e)
{
	struct fence_vec *top = &d->fences[SHELF_SET_LEVELS + 1];
	struct merge m = merge_begin(members, n, e->edits, e->n);
	u64 count = merge_count(&m);
	u32 i;
	int ret;

	e->added = m.added;
	e->removed = m.removed;
	if (!(e->added | e->removed))
		return 0;
	m = merge_begin(members, n, e->edits, e->n);
	if (count <= SHELF_SLOT_MEMBERS) {
		for (i = 0; i < count; i++)
			merge_next(&m, &d->members[i]);
		return count ? set_small(d, c, (u32)count) : (c->count = 0, 0);
	}
	top->count = 0;
	ret = set_write_members(d, c->id, &m, count, top);
	if (ret)
		return ret;
	c->count = count;
	return set_crown(d, c, top, 0);
}

static int set_edit(struct draft *d, struct shelf_catalog *c,
		    const struct shelf_catalog *old, struct set_edit *e)
{
	const s64 *members = old->members;
	int ret;

	if (old->state && old->set == SHELF_SET_TREE)
		return tree_edit(d, c, e);
	if (old->state && old->set == SHELF_SET_SLOT)
		members = (s64 *)((u8 *)arena_slot(&d->store->arena, old->set_ref) +
				  SHELF_SLOT_KEY);
	ret = small_edit(d, c, members, old->state ? (u32)old->count : 0, e);
	if (ret || !(e->added | e->removed))
		return ret;
	return set_drop(d, old);
}

/*
 * Leaves out what a later delete undoes; returns whether there was one. Counts
 * deletes that find nothing. Members that a left out operation would not have
 * found are not counted: nobody has looked.
 */
static bool skip_deleted(struct draft *d, bool exists, const struct sort_item **ops,
			 u32 *n)
{
	u32 i, after = 0;

	for (i = 0; i < *n; i++) {
		u8 kind = item_op(&(*ops)[i])->kind;

		if (kind == SHELF_OP_CATALOG_ADD)
			exists = true;
		if (kind != SHELF_OP_CATALOG_DELETE)
			continue;
		d->report->absent += !exists;
		exists = false;
		after = i + 1;
	}
	*ops += after;
	*n -= after;
	return after;
}

static int catalog_edit(struct draft *d, struct shelf_record *r,
			const struct sort_item *ops, u32 n)
{
	struct shelf_catalog *c = (struct shelf_catalog *)r;
	struct shelf_catalog old = *c, base = *c;
	struct set_edit e = {};
	bool deleted = skip_deleted(d, old.state, &ops, &n);
	u32 edits;
	int ret;

	ret = edits_gather(d, ops, n, &edits);
	if (ret)
		return ret;
	e.edits = d->edits;
	e.n = edits;
	if (deleted) {
		ret = set_drop(d, &old);
		if (ret)
			return ret;
		base.state = 0;
		c->count = 0;
	}
	ret = set_edit(d, c, &base, &e);
	if (ret)
		return ret;
	guard_added(d, c->id, d->edits, edits);
	d->report->absent += edits - e.added - e.removed;
	if (!(e.added | e.removed) && !(deleted && old.state))
		return 0;
	if (c->count) {
		c->state = SHELF_PRESENT;
		c->generation = d->generation;
	} else {
		memset(c, 0, sizeof(*c));
	}
	arena_put_u64(&d->root->catalogs, d->root->catalogs + c->state - old.state);
	arena_put_u64(&d->root->memberships,
		      d->root->memberships + c->count - (old.state ? old.count : 0));
	return 1;
}

/* Moves a set's slot, if it is to be emptied where it is. */
static int slot_move(struct draft *d, struct shelf_catalog *c)
{
	const u8 *from = arena_slot(&d->store->arena, c->set_ref);
	struct shelf_catalog old = *c;

	if (!page_closed(&d->store->arena, slot_page(c->set_ref)))
		return 0;
	memcpy(d->members, from + SHELF_SLOT_KEY, c->count * sizeof(s64));
	return set_small(d, c, (u32)c->count) ?: set_drop(d, &old);
}

/* Moves the catalog's record, its slot, and the pages of members that ops name. */
static int catalog_touch(struct draft *d, struct shelf_catalog *c,
			 const struct sort_item *ops, u32 n)
{
	struct set_edit e = {};
	int ret = 0;

	if (!c->state)
		return 0;
	if (c->set == SHELF_SET_SLOT)
		ret = slot_move(d, c);
	if (c->set == SHELF_SET_TREE) {
		ret = edits_gather(d, ops, n, &e.n);
		e.edits = d->edits;
		if (!ret && e.n)	/* else the record alone is moved */
			ret = tree_edit(d, c, &e);
	}
	return ret ?: 1;
}

int catalog_change(struct draft *d, struct shelf_record *r,
		   const struct sort_item *ops, u32 n)
{
	if (d->trims)
		return catalog_touch(d, (struct shelf_catalog *)r, ops, n);
	return catalog_edit(d, r, ops, n);
}
