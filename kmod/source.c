// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P6. Sources of batches, and how far each has come: part of the snapshot, so that
 * what a batch changed and that it was applied are never seen apart.
 *
 * A record is laid out as a product's, with the source's name for its attributes,
 * and is found by the hash of that name. Two names of one hash can't both be there:
 * the second is refused.
 */
#include "core.h"

#define SAME(field, as)							\
	static_assert(offsetof(struct shelf_source, field) ==		\
		      offsetof(struct shelf_product, as))

static_assert(sizeof(struct shelf_source) == SHELF_LINE);
/* Names are written, moved and retired as attributes are. */
SAME(id, id);
SAME(last, price);
SAME(name_generation, attrs_generation);
SAME(name_ref, attrs_ref);
SAME(name_len, attrs_len);
SAME(next, next);
SAME(state, state);
static_assert(SHELF_SOURCE_MAX <= SHELF_ATTRS_INLINE);

static struct shelf_product *as_product(struct shelf_source *s)
{
	return (struct shelf_product *)s;
}

static int fold_sequence(struct draft *d, struct shelf_source *s, const struct op *op)
{
	if (s->state) {
		if (op->last <= s->last)
			return draft_error(d, op, -EILSEQ,
					   "this has been applied, but not all of the batch");
		if (op->first <= s->last)
			return draft_error(d, op, -EILSEQ,
					   "a part of its numbers has been applied");
		if (op->fields & FIELD_NO_GAP && op->first - 1 != s->last)
			return draft_error(d, op, -EILSEQ,
					   "there is a gap before its numbers");
	}
	s->last = op->last;
	s->state = SHELF_PRESENT;
	return 0;
}

static int fold_op(struct draft *d, struct shelf_source *s, const struct op *op)
{
	switch (op->kind) {
	case SHELF_OP_SEQUENCE:
		return fold_sequence(d, s, op);
	case SHELF_OP_SOURCE_DELETE:
		if (!s->state)
			d->report->absent++;
		s->last = 0;
		s->state = 0;
		return 0;
	default:
		s->last = op->last;
		s->state = SHELF_PRESENT;
		return 0;
	}
}

static bool named_so(const struct arena *a, struct shelf_source *s, const struct op *op)
{
	return attrs_equal(a, as_product(s), op);
}

/* All operations have the name of the first, which the record gets or has. */
static int check_names(struct draft *d, struct shelf_source *s,
		       const struct sort_item *ops, u32 n)
{
	const struct op *first = item_op(ops), *op;
	u32 i;

	for (i = 0; i < n; i++) {
		op = item_op(&ops[i]);
		if (op->len != first->len || memcmp(op->data, first->data, op->len) ||
		    (s->state && !named_so(&d->store->arena, s, op)))
			return draft_error(d, op, -EEXIST,
					   "the hash of its name is another source's");
	}
	return 0;
}

static int name_change(struct draft *d, struct shelf_source *s,
		       struct shelf_source *old, const struct op *op)
{
	if (s->state == old->state)
		return 0;
	if (s->state)
		return attrs_write(d, as_product(s), op);
	return attrs_retire(d, as_product(old));
}

static int source_edit(struct draft *d, struct shelf_source *s,
		       const struct sort_item *ops, u32 n)
{
	struct shelf_source old = *s;
	int ret = check_names(d, s, ops, n);
	u32 i;

	for (i = 0; i < n && !ret; i++)
		ret = fold_op(d, s, item_op(&ops[i]));
	if (!ret)
		ret = name_change(d, s, &old, item_op(ops));
	if (ret)
		return ret;
	if (s->state == old.state && s->last == old.last)
		return 0;
	arena_put_u64(&d->root->sources, d->root->sources + s->state - old.state);
	s->generation = d->generation;
	if (!s->state)
		memset(s, 0, sizeof(*s));
	return 1;
}

static int source_touch(struct draft *d, struct shelf_source *s)
{
	if (!s->state)
		return 0;
	return attrs_touch(d, as_product(s)) ?: 1;
}

int source_change(struct draft *d, struct shelf_record *r,
		  const struct sort_item *ops, u32 n)
{
	if (d->trims)
		return source_touch(d, (struct shelf_source *)r);
	return source_edit(d, (struct shelf_source *)r, ops, n);
}

/* Whether its numbers have been applied. */
static bool op_repeats(const struct store *st, const struct shelf_view *v,
		       const struct op *op)
{
	const struct shelf_source *s = shelf_view_source(v, op->id);
	struct shelf_source own;

	if (!s || op->last > s->last)
		return false;
	own = *s;
	return named_so(&st->arena, &own, op);
}

bool batch_repeats(const struct store *st, const struct batch *b, struct report *report)
{
	const struct op_block *block;
	struct shelf_view view;
	u32 at, sequences = 0;

	if (!b->map_ops[MAP_SOURCES])
		return false;
	store_view(st, &view);
	for (block = b->first; block; block = block->next) {
		for (at = 0; at < block->used;) {
			const struct op *op = (const struct op *)(block->bytes + at);

			at += (u32)op_bytes(op);
			if (op->kind != SHELF_OP_SEQUENCE)
				continue;
			if (!op_repeats(st, &view, op))
				return false;
			sequences++;
		}
		cond_resched();
	}
	if (!sequences)
		return false;
	*report = (struct report){ .repeated = true, .generation = st->generation };
	report_counts(report, view.root);
	return true;
}
