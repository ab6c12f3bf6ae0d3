// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The bytes that hang from a record: a slot of a slab, or, of more than
 * SHELF_ATTRS_INLINE bytes, a slot with the numbers of pages that hold them.
 */
#include "core.h"

/* Where byte @at of a product's attributes is, and how many follow it there. */
static void *attrs_at(const struct arena *a, const struct shelf_product *p, u32 at,
		      u32 *room)
{
	u8 *slot = (u8 *)arena_slot(a, p->attrs_ref) + SHELF_SLOT_KEY;

	*room = p->attrs_len - at;
	if (p->attrs_len <= SHELF_ATTRS_INLINE)
		return slot + at;
	*room = min(*room, SHELF_PAGE_BYTES - at % SHELF_PAGE_BYTES);
	return (u8 *)arena_page(a, ((u32 *)slot)[at / SHELF_PAGE_BYTES]) +
	       at % SHELF_PAGE_BYTES;
}

bool attrs_equal(const struct arena *a, const struct shelf_product *p, const struct op *op)
{
	u32 at, n;

	if (!op || p->attrs_len != op->len)
		return !op && !p->attrs_len;
	for (at = 0; at < op->len; at += n) {
		const void *bytes = attrs_at(a, p, at, &n);

		if (memcmp(bytes, op->data + at, n))
			return false;
	}
	return true;
}

static u32 attrs_pages(u32 len)
{
	return len > SHELF_ATTRS_INLINE ? DIV_ROUND_UP(len, SHELF_PAGE_BYTES) : 0;
}

static u32 attrs_slot_bytes(u32 len)
{
	u32 pages = attrs_pages(len);

	return SHELF_SLOT_KEY + (pages ? pages * 4 : len);
}

int attrs_retire(struct draft *d, const struct shelf_product *p)
{
	const u32 *page;
	u32 i;

	if (!p->attrs_len)
		return 0;
	page = (u32 *)((u8 *)arena_slot(&d->store->arena, p->attrs_ref) +
		       SHELF_SLOT_KEY);
	for (i = 0; i < attrs_pages(p->attrs_len); i++)
		draft_retire_page(d, page[i]);
	return slot_retire(d, p->attrs_ref, attrs_slot_bytes(p->attrs_len),
			   p->attrs_generation);
}

static int attrs_write_pages(struct draft *d, u8 *list, const struct op *op)
{
	const struct arena *a = &d->store->arena;
	u32 at, n, page, i = 0;
	int error;

	for (at = 0; at < op->len; at += n) {
		n = min(op->len - at, SHELF_PAGE_BYTES);
		page = draft_alloc_page(d, SHELF_KIND_DATA, (u64)op->id, 0, &error);
		if (!page)
			return error;
		arena_put(arena_page(a, page), op->data + at, n);
		arena_zero((u8 *)arena_page(a, page) + n, SHELF_PAGE_BYTES - n);
		arena_put(list + i++ * 4, &page, sizeof(page));
	}
	return 0;
}

int attrs_write(struct draft *d, struct shelf_product *p, const struct op *op)
{
	u32 bytes = attrs_slot_bytes(op->len);
	u32 tail = slot_class_bytes(bytes) - bytes;
	int error = 0;
	u32 ref = slot_alloc(d, bytes, op->id, &error);
	u8 *slot;

	if (!ref)
		return error;
	slot = (u8 *)arena_slot(&d->store->arena, ref);
	arena_zero(slot + bytes, tail);
	p->attrs_ref = ref;
	p->attrs_len = op->len;
	p->attrs_generation = d->generation;
	if (attrs_pages(op->len))
		return attrs_write_pages(d, slot + SHELF_SLOT_KEY, op);
	arena_put(slot + SHELF_SLOT_KEY, op->data, op->len);
	return 0;
}

static bool attrs_closed(const struct arena *a, const struct shelf_product *p)
{
	const u32 *page = (u32 *)((u8 *)arena_slot(a, p->attrs_ref) + SHELF_SLOT_KEY);
	bool closed = page_closed(a, slot_page(p->attrs_ref));
	u32 i;

	for (i = 0; i < attrs_pages(p->attrs_len); i++)
		closed |= page_closed(a, page[i]);
	return closed;
}

/* Writes those pages of a list anew that are to be emptied where they are. */
static int data_move(struct draft *d, s64 id, u32 *page, u32 n)
{
	struct arena *a = &d->store->arena;
	u32 i, to;
	int error;

	for (i = 0; i < n; i++) {
		if (!page_closed(a, page[i]))
			continue;
		to = draft_alloc_page(d, SHELF_KIND_DATA, (u64)id, 0, &error);
		if (!to)
			return error;
		arena_put(arena_page(a, to), arena_page(a, page[i]), SHELF_PAGE_BYTES);
		draft_retire_page(d, page[i]);
		arena_put_u32(&page[i], to);
	}
	return 0;
}

static int attrs_move(struct draft *d, struct shelf_product *p)
{
	u32 bytes = attrs_slot_bytes(p->attrs_len), old = p->attrs_ref;
	struct arena *a = &d->store->arena;
	int error = 0;
	u32 ref = slot_alloc(d, bytes, p->id, &error);

	if (!ref)
		return error;
	arena_put((u8 *)arena_slot(a, ref) + SHELF_SLOT_KEY,
		  (u8 *)arena_slot(a, old) + SHELF_SLOT_KEY,
		  slot_class_bytes(bytes) - SHELF_SLOT_KEY);
	error = data_move(d, p->id, (u32 *)((u8 *)arena_slot(a, ref) + SHELF_SLOT_KEY),
			  attrs_pages(p->attrs_len));
	if (error)
		return error;
	p->attrs_ref = ref;
	error = slot_retire(d, old, bytes, p->attrs_generation);
	p->attrs_generation = d->generation;
	return error;
}

/* Moves them if they lie in what is to be emptied. */
int attrs_touch(struct draft *d, struct shelf_product *p)
{
	if (!p->attrs_len || !attrs_closed(&d->store->arena, p))
		return 0;
	return attrs_move(d, p);
}
