// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Staging: operations are checked and copied, one after the other, into blocks
 * of the sender's batch. Nothing here touches a shelf.
 */
#include "core.h"

#define BLOCK_BYTES	(128U << 10)

void batch_init(struct batch *b, u64 limit)
{
	memset(b, 0, sizeof(*b));
	b->limit = limit;
}

void batch_free(struct batch *b)
{
	struct op_block *block;

	while ((block = b->first)) {
		b->first = block->next;
		kvfree(block);
		cond_resched();
	}
	b->last = NULL;
	b->bytes = 0;
	b->ops = 0;
	memset(b->map_ops, 0, sizeof(b->map_ops));
}

static bool currency_valid(const u8 *c)
{
	int i;

	if (c[3])
		return false;
	if (!c[0] && !c[1] && !c[2])
		return true;
	for (i = 0; i < 3; i++)
		if (c[i] < 'A' || c[i] > 'Z')
			return false;
	return true;
}

static const char *change_wrong(const struct op *op)
{
	if (op->fields & FIELD_CURRENCY && !currency_valid(op->currency))
		return "currency is not three upper-case letters";
	if (op->len && !(op->fields & FIELD_ATTRS))
		return "attribute bytes without the attributes field";
	return NULL;
}

static const char *name_wrong(const u8 *name, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~')
			return "a source's name is not printable ASCII";
	return NULL;
}

static const char *source_wrong(const struct op *op, const void *name)
{
	if (!op->len || op->len > SHELF_SOURCE_MAX)
		return "a source's name is 1 to 255 bytes";
	if (op->kind != SHELF_OP_SOURCE_DELETE && op->last > S64_MAX)
		return "LAST is above 2^63 - 1";
	if (op->kind == SHELF_OP_SEQUENCE && op->last < op->first)
		return "LAST is below FIRST";
	return name_wrong(name, op->len);
}

/* What is wrong with an operation, or NULL. */
static const char *op_wrong(const struct op *op, const void *data, int *error)
{
	*error = -EINVAL;
	switch (op->kind) {
	case SHELF_OP_PUT:
	case SHELF_OP_PATCH:
		if (op->len > SHELF_ATTRS_MAX) {
			*error = -EMSGSIZE;
			return "more than 61440 attribute bytes";
		}
		return change_wrong(op);
	case SHELF_OP_DELETE:
	case SHELF_OP_CATALOG_DELETE:
		return op->len || op->fields ? "a delete takes an id alone" : NULL;
	case SHELF_OP_CATALOG_ADD:
	case SHELF_OP_CATALOG_REMOVE:
		if (op->len > SHELF_MEMBERS_MAX) {
			*error = -EMSGSIZE;
			return "more than 8000 members in one operation";
		}
		return op->len ? NULL : "no members";
	case SHELF_OP_SEQUENCE:
	case SHELF_OP_SOURCE:
	case SHELF_OP_SOURCE_DELETE:
		return source_wrong(op, data);
	default:
		return "unknown kind of operation";
	}
}

static struct op_block *block_with_room(struct batch *b, size_t bytes)
{
	struct op_block *block = b->last;
	size_t size = max_t(size_t, BLOCK_BYTES, sizeof(*block) + bytes);

	if (block && block->size - block->used >= bytes)
		return block;
	block = kvmalloc(size, DRAFT_GFP);
	if (!block)
		return NULL;
	block->next = NULL;
	block->used = 0;
	block->size = (u32)(size - sizeof(*block));
	if (b->last)
		b->last->next = block;
	else
		b->first = block;
	b->last = block;
	return block;
}

static int batch_append(struct batch *b, const struct op *op, const void *data)
{
	size_t bytes = op_bytes(op), data_bytes = bytes - sizeof(*op);
	struct op_block *block = block_with_room(b, bytes);
	struct op *to;

	if (!block)
		return -ENOMEM;
	to = (struct op *)(block->bytes + block->used);
	*to = *op;
	to->index = b->ops++;
	if (data_bytes) {
		size_t given = op_map(op) == MAP_CATALOGS ? data_bytes : op->len;

		memcpy(to->data, data, given);
		memset(to->data + given, 0, data_bytes - given);
	}
	block->used += (u32)bytes;
	b->bytes += bytes;
	b->map_ops[op_map(op)]++;
	return 0;
}

int batch_touch(struct batch *b, u8 kind, s64 id, const s64 *member)
{
	struct op op = { .kind = kind, .id = id, .len = member ? 1 : 0 };

	return batch_append(b, &op, member);
}

int batch_add(struct batch *b, const struct op *op, const void *data,
	      const char **why)
{
	size_t bytes = op_bytes(op);
	struct op named;
	int error;

	*why = op_wrong(op, data, &error);
	if (*why)
		return error;
	*why = "batch is over its limit of bytes";
	if (bytes > b->limit || b->bytes > b->limit - bytes ||
	    b->ops >= U32_MAX)
		return -EDQUOT;
	*why = "out of memory for the batch";
	if (op_map(op) != MAP_SOURCES)
		return batch_append(b, op, data);
	named = *op;
	named.id = shelf_source_id(data, op->len);
	return batch_append(b, &named, data);
}
