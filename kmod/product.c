// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a batch does to one product. All operations on it are folded first, so
 * that attribute bytes are written once, and a record that ends up as it was is
 * not copied at all.
 */
#include "core.h"

/* Where the attribute bytes come from in the end. */
struct attrs_source {
	bool keep;
	const struct op *op;	/* or NULL: none */
};

static void set_fields(struct shelf_product *p, const struct op *op,
		       struct attrs_source *src)
{
	if (op->fields & FIELD_PRICE)
		p->price = op->price;
	if (op->fields & FIELD_STOCK)
		p->stock = op->stock;
	if (op->fields & FIELD_FLAGS)
		p->flags = op->flags;
	if (op->fields & FIELD_CURRENCY)
		memcpy(p->currency, op->currency, sizeof(p->currency));
	if (op->fields & FIELD_ATTRS) {
		src->keep = false;
		src->op = op->len ? op : NULL;
	}
}

static void clear_fields(struct shelf_product *p, struct attrs_source *src)
{
	p->price = 0;
	p->stock = 0;
	p->flags = 0;
	memset(p->currency, 0, sizeof(p->currency));
	src->keep = false;
	src->op = NULL;
}

static int fold_op(struct draft *d, struct shelf_product *p, const struct op *op,
		   struct attrs_source *src)
{
	switch (op->kind) {
	case SHELF_OP_PATCH:
		if (!p->state)
			return draft_error(d, op, -ENOENT, "no such product to patch");
		break;
	case SHELF_OP_DELETE:
		if (!p->state)
			d->report->absent++;
		clear_fields(p, src);
		p->state = 0;
		return 0;
	default:
		clear_fields(p, src);
		p->state = SHELF_PRESENT;
	}
	set_fields(p, op, src);
	return 0;
}

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

static bool attrs_equal(const struct arena *a, const struct shelf_product *p,
			const struct op *op)
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

static int attrs_retire(struct draft *d, const struct shelf_product *p)
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

static int attrs_write(struct draft *d, struct shelf_product *p, const struct op *op)
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

static int attrs_change(struct draft *d, struct shelf_product *p,
			const struct shelf_product *old, const struct attrs_source *src)
{
	int ret;

	if (src->keep || attrs_equal(&d->store->arena, old, src->op))
		return 0;
	p->attrs_len = 0;
	p->attrs_ref = 0;
	p->attrs_generation = d->generation;
	if (src->op) {
		ret = attrs_write(d, p, src->op);
		if (ret)
			return ret;
	}
	return attrs_retire(d, old);
}

static bool product_same(const struct shelf_product *a, const struct shelf_product *b)
{
	return a->price == b->price && a->stock == b->stock &&
	       a->flags == b->flags && a->attrs_ref == b->attrs_ref &&
	       a->attrs_len == b->attrs_len && a->state == b->state &&
	       !memcmp(a->currency, b->currency, sizeof(a->currency));
}

static int product_edit(struct draft *d, struct shelf_product *p,
			const struct sort_item *ops, u32 n)
{
	struct shelf_product old = *p;
	struct attrs_source src = { .keep = true };
	u32 i;
	int ret;

	for (i = 0; i < n; i++) {
		ret = fold_op(d, p, item_op(&ops[i]), &src);
		if (ret)
			return ret;
	}
	ret = attrs_change(d, p, &old, &src);
	if (ret)
		return ret;
	if (product_same(p, &old))
		return 0;
	arena_put_u64(&d->root->products, d->root->products + p->state - old.state);
	arena_put_u64(&d->root->attrs_bytes,
		      d->root->attrs_bytes + p->attrs_len - old.attrs_len);
	p->generation = d->generation;
	if (!p->state)
		memset(p, 0, sizeof(*p));
	return 1;
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

/* Moves the record, and its attributes if they are to. */
static int product_touch(struct draft *d, struct shelf_product *p)
{
	int ret = 0;

	if (!p->state)
		return 0;
	if (p->attrs_len && attrs_closed(&d->store->arena, p))
		ret = attrs_move(d, p);
	return ret ?: 1;
}

int product_change(struct draft *d, struct shelf_record *r,
		   const struct sort_item *ops, u32 n)
{
	if (d->trims)
		return product_touch(d, (struct shelf_product *)r);
	return product_edit(d, (struct shelf_product *)r, ops, n);
}
