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

/* Moves the record, and its attributes if they are to. */
static int product_touch(struct draft *d, struct shelf_product *p)
{
	if (!p->state)
		return 0;
	return attrs_touch(d, p) ?: 1;
}

int product_change(struct draft *d, struct shelf_record *r,
		   const struct sort_item *ops, u32 n)
{
	if (d->trims)
		return product_touch(d, (struct shelf_product *)r);
	return product_edit(d, (struct shelf_product *)r, ops, n);
}
