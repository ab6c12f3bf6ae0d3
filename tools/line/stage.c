// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "line.h"

/* A catalog becomes what it says, whatever it was. */
static int stage_set(const struct line *l, struct shelf_batch *b, struct shelf_error *err)
{
	int ret = shelf_batch_catalog_delete(b, l->change.id, err);

	if (!ret && l->members_count)
		ret = shelf_batch_add(b, l->change.id, l->members, l->members_count, err);
	return ret;
}

int line_stage(const struct line *l, struct shelf_batch *b, struct shelf_error *err)
{
	switch (l->kind) {
	case SHELF_OP_PUT:
		return shelf_batch_put(b, &l->change, err);
	case SHELF_OP_PATCH:
		return shelf_batch_patch(b, &l->change, err);
	case SHELF_OP_DELETE:
		return shelf_batch_delete(b, l->change.id, err);
	case SHELF_OP_CATALOG_ADD:
		return shelf_batch_add(b, l->change.id, l->members, l->members_count, err);
	case SHELF_OP_CATALOG_REMOVE:
		return shelf_batch_remove(b, l->change.id, l->members, l->members_count, err);
	case SHELF_OP_SEQUENCE:
		return shelf_batch_sequence(b, l->source, l->first, l->last,
					    l->no_gap ? SHELF_NO_GAP : 0, err);
	case SHELF_OP_SOURCE:
		return shelf_batch_source(b, l->source, l->last, err);
	case SHELF_OP_SOURCE_DELETE:
		return shelf_batch_source_delete(b, l->source, err);
	case LINE_SET:
		return stage_set(l, b, err);
	default:
		return shelf_batch_catalog_delete(b, l->change.id, err);
	}
}

__u64 line_ops(const struct line *l)
{
	__u64 ops = (l->members_count + SHELF_MEMBERS_MAX - 1) / SHELF_MEMBERS_MAX;

	if (l->kind == LINE_SET)
		return ops + 1;
	return ops ? ops : 1;
}
