// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Applying sorted operations to a trie, leaf by leaf, from left to right. Each
 * leaf is copied once, however many of its records change.
 *
 * If all that happens to a leaf is that records change, they keep their lines.
 * If records come or go, the leaf is put together anew, with a new seed, as one
 * leaf or as many as are needed; or, if few are left, together with what is beside
 * it (merge.c).
 */
#include "core.h"

/* One leaf, or empty stretch, of the trie and the operations that fall to it. */
struct region {
	u64 base;
	u32 depth;
	u32 entry;	/* of the leaf that is there, or 0 */
	u32 seed;
	bool changed;
	bool gone;	/* some of its records */
	struct sort_item *ops;
	u32 n;
	u32 ahead;	/* operations from @ops on, of this region and later ones */
	u32 old;	/* records in d->old not yet merged begin here */
	u32 olds;
};

/* The bits of the largest block at @pos that stays inside its region. */
static u32 block_depth(u64 pos, u64 base, u32 depth)
{
	return pos == base ? depth : 64 - __ffs64(pos);
}

static u32 ops_upto(const struct sort_item *ops, u32 n, u64 last)
{
	u32 low = 0;

	while (n) {
		u32 half = n / 2;

		if (ops[low + half].key <= last) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static u32 items_upto(const struct leaf_item *items, u32 n, u64 last)
{
	u32 i;

	for (i = 0; i < n && items[i].place <= last; i++)
		;
	return i;
}

static bool more_places_than(const struct sort_item *ops, u32 n, u32 limit)
{
	u32 places = 0, i;

	for (i = 0; i < n; i++)
		if ((!i || ops[i].key != ops[i - 1].key) && ++places > limit)
			return true;
	return false;
}

/*
 * How many operations, from the first on, are on the same id. Two ids may
 * share a place; then those of the first one are moved to the front.
 */
static u32 group_ops(struct draft *d, struct sort_item *ops, u32 n)
{
	struct sort_item *others = d->sorter.spare;
	s64 id = item_op(&ops[0])->id;
	u32 i, same = 0, other = 0;

	for (i = 0; i < n && ops[i].key == ops[0].key; i++) {
		if (item_op(&ops[i])->id == id)
			ops[same++] = ops[i];
		else
			others[other++] = ops[i];
	}
	memcpy(&ops[same], others, (size_t)other * sizeof(*ops));
	return same;
}

/*
 * Sorted by place, operations are met in an order that their memory knows
 * nothing of. Asking for those a few ahead hides most of the misses; the first
 * lines are the operation and the beginning of its attributes.
 */
static void ask_ahead(const struct sort_item *ops, u32 n)
{
	const u32 ahead = 12, lines = 3;
	const char *op;
	u32 i;

	if (n <= ahead)
		return;
	op = (const char *)item_op(&ops[ahead]);
	for (i = 0; i < lines; i++)
		prefetch(op + (size_t)i * SHELF_LINE);
}

static u32 image_find(const struct shelf_record *image, u64 hash, u32 seed, s64 id)
{
	u32 slot = shelf_home(hash, seed);

	while (!(image[slot].state && image[slot].id == id)) {
		if (!image[slot].next)
			return 0;
		slot ^= image[slot].next;
	}
	return slot;
}

/*
 * Changes records of the leaf's image where they lie, until an operation is on
 * an id that the leaf has not.
 */
static int change_in_place(struct draft *d, struct table *t, struct region *r)
{
	while (r->n) {
		u32 group = group_ops(d, r->ops, r->n);
		s64 id = item_op(r->ops)->id;
		u32 slot = image_find(d->image, shelf_hash(id, d->store->seed),
				      r->seed, id);
		u8 next;
		int ret;

		ask_ahead(r->ops, r->ahead);
		if (!slot)
			break;
		next = d->image[slot].next;
		ret = t->change(d, &d->image[slot], r->ops, group);
		if (ret < 0)
			return ret;
		r->changed |= ret;
		r->gone |= !d->image[slot].state;
		/* The chain goes on over a line whose record has gone, so
		 * that those behind it are still found where they lie.
		 */
		d->image[slot].next = next;
		r->ops += group;
		r->n -= group;
		r->ahead -= group;
	}
	return 0;
}

static int write_image(struct draft *d, struct table *t, const struct region *r)
{
	struct shelf_page_header *h = (struct shelf_page_header *)d->image;
	int error;
	u32 page = draft_alloc_page(d, t->kind, r->base, (u8)r->depth, &error);

	if (!page)
		return error;
	h->birth = d->generation;
	arena_put(arena_page(&d->store->arena, page), d->image, sizeof(d->image));
	return table_set(d, t, r->base, r->depth, page << SHELF_TAG_BITS | r->seed);
}

/* The image's records, by place: an insertion sort of at most 63. */
static void sort_image(struct draft *d, struct region *r)
{
	u32 slot, i, n = 0;

	for (slot = 1; slot <= SHELF_LEAF_SLOTS; slot++) {
		struct leaf_item item = { .record = d->image[slot] };

		if (!item.record.state)
			continue;
		item.hash = shelf_hash(item.record.id, d->store->seed);
		item.place = shelf_place(item.hash);
		for (i = n++; i && d->old[i - 1].place > item.place; i--)
			d->old[i] = d->old[i - 1];
		d->old[i] = item;
	}
	r->old = 0;
	r->olds = n;
}

/* The old record of an id, to be changed; an empty one if there is none. */
static struct shelf_record take_old(struct draft *d, const struct region *r, s64 id,
				    u64 place)
{
	struct shelf_record none = { .id = id };
	u32 i;

	for (i = r->old; i < r->olds && d->old[i].place == place; i++) {
		if (d->old[i].record.state && d->old[i].record.id == id) {
			none = d->old[i].record;
			d->old[i].record.state = 0;
			break;
		}
	}
	return none;
}

static void keep_olds(struct draft *d, struct region *r, u64 last, u32 *count)
{
	for (; r->old < r->olds && d->old[r->old].place <= last; r->old++)
		if (d->old[r->old].record.state)
			d->item[(*count)++] = d->old[r->old];
}

/*
 * Merges old records and operations up to @last into d->item; returns how many
 * there are. Two ids of one place may come out in either order.
 */
static int merge_block(struct draft *d, struct table *t, struct region *r, u64 last)
{
	u32 count = 0;

	while (r->n && r->ops[0].key <= last) {
		u64 place = r->ops[0].key;
		u32 group = group_ops(d, r->ops, r->n);
		s64 id = item_op(r->ops)->id;
		struct leaf_item item = { .place = place };
		int ret;

		ask_ahead(r->ops, r->ahead);
		if (place)
			keep_olds(d, r, place - 1, &count);
		item.hash = shelf_hash(id, d->store->seed);
		item.record = take_old(d, r, id, place);
		ret = t->change(d, &item.record, r->ops, group);
		if (ret < 0)
			return ret;
		r->changed |= ret;
		if (item.record.state)
			d->item[count++] = item;
		else
			r->gone |= ret;
		r->ops += group;
		r->n -= group;
		r->ahead -= group;
	}
	keep_olds(d, r, last, &count);
	return (int)count;
}

/*
 * Writes d->item as leaves of the block at @base of @depth bits, which has been
 * emptied: a node is made for a leaf and never for nothing.
 */
static int write_block(struct draft *d, struct table *t, const struct region *r,
		       u64 base, u32 depth, u32 count)
{
	const struct leaf_item *items = d->item;
	u64 end = stretch_last(base, depth), pos = base;

	for (;;) {
		u32 bits = block_depth(pos, base, depth), entry = 0, n;
		int ret = 0;

		while ((n = items_upto(items, count, stretch_last(pos, bits))) >
		       SHELF_LEAF_FULL)
			bits++;
		if (n)
			entry = leaf_write(d, t->kind, items, n, pos, bits,
					   r->seed, &ret);
		if (entry)
			ret = table_set(d, t, pos, bits, entry);
		if (ret)
			return ret;
		items += n;
		count -= n;
		if (stretch_last(pos, bits) == end)
			return 0;
		pos = stretch_last(pos, bits) + 1;
	}
}

/* Puts a region together anew, in blocks that fit the work space. */
static int rebuild(struct draft *d, struct table *t, struct region *r)
{
	u64 end = stretch_last(r->base, r->depth), pos = r->base;

	for (;;) {
		u32 bits = block_depth(pos, r->base, r->depth);
		int ret, count;

		while (more_places_than(r->ops,
					ops_upto(r->ops, r->n, stretch_last(pos, bits)),
					LEAF_OPS_MAX / 2))
			bits++;
		count = merge_block(d, t, r, stretch_last(pos, bits));
		if (count < 0)
			return count;
		if (bits == r->depth && !r->changed)
			return 0;
		ret = 0;
		if (pos == r->base && r->entry)
			ret = table_set(d, t, r->base, r->depth, 0);
		if (!ret)
			ret = write_block(d, t, r, pos, bits, (u32)count);
		if (ret || stretch_last(pos, bits) == end)
			return ret;
		/* What follows must be written, since this was. */
		r->changed = true;
		pos = stretch_last(pos, bits) + 1;
		cond_resched();
	}
}

static int region_apply(struct draft *d, struct table *t, struct region *r)
{
	int ret = 0;

	memset(d->image, 0, sizeof(d->image));
	if (r->entry) {
		memcpy(d->image,
		       arena_page(&d->store->arena, shelf_entry_page(r->entry)),
		       sizeof(d->image));
		r->seed = shelf_entry_tag(r->entry);
		ret = change_in_place(d, t, r);
		if (ret)
			return ret;
	}
	if (r->n || r->gone) {
		sort_image(d, r);
		ret = rebuild(d, t, r);
	} else if (r->changed) {
		ret = write_image(d, t, r);
	}
	if (!ret && r->changed && r->entry)
		draft_retire_page(d, shelf_entry_page(r->entry));
	return ret;
}

int table_apply(struct draft *d, struct table *t, struct sort_item *ops, u32 n)
{
	while (n) {
		struct region r = { .ops = ops, .ahead = n };
		u32 mine;
		int ret;

		r.entry = table_find(d, t, ops->key, &r.depth);
		r.base = ops->key & ~stretch_last(0, r.depth);
		mine = ops_upto(ops, n, stretch_last(r.base, r.depth));
		r.n = mine;
		ret = region_apply(d, t, &r);
		if (ret)
			return ret;
		ops += mine;
		n -= mine;
		if (r.gone)
			ret = table_merge(d, t, r.base, n ? &ops->key : NULL);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}
