// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An operation as a line of an apply file.
 */
#include "print.h"

static void print_fields(FILE *to, const struct shelf_change *c)
{
	if (c->fields & SHELF_PRICE)
		fprintf(to, ",\"price\":%lld", c->price);
	if (c->fields & SHELF_CURRENCY)
		fprintf(to, ",\"currency\":\"%.3s\"", c->currency);
	if (c->fields & SHELF_STOCK)
		fprintf(to, ",\"stock\":%lld", c->stock);
	if (c->fields & SHELF_FLAGS)
		fprintf(to, ",\"flags\":%u", c->flags);
	if (c->fields & SHELF_ATTRS && c->attrs_len)
		print_attrs(to, c->attrs, c->attrs_len);
	else if (c->fields & SHELF_ATTRS)
		fputs(",\"attrs\":null", to);
}

static void print_product(FILE *to, const char *name, const struct line *op)
{
	fprintf(to, "{\"op\":\"%s\",\"product\":%lld", name, op->change.id);
	print_fields(to, &op->change);
	fputs("}\n", to);
}

static void print_catalog(FILE *to, const char *name, const struct line *op)
{
	size_t i;

	fprintf(to, "{\"op\":\"%s\",\"catalog\":%lld", name, op->change.id);
	for (i = 0; i < op->members_count; i++)
		fprintf(to, i ? ",%lld" : ",\"products\":[%lld", op->members[i]);
	fputs(i ? "]}\n" : "}\n", to);
}

static void print_numbers(FILE *to, const struct line *op)
{
	if (op->kind == SHELF_OP_SOURCE)
		print_source(to, op->source, op->last, NULL);
	else
		print_source_delete(to, op->source);
}

void print_line(FILE *to, const struct line *op)
{
	switch (op->kind) {
	case SHELF_OP_PUT:
		return print_product(to, "put", op);
	case SHELF_OP_PATCH:
		return print_product(to, "patch", op);
	case SHELF_OP_DELETE:
		return print_product(to, "delete", op);
	case SHELF_OP_CATALOG_ADD:
		return print_catalog(to, "add", op);
	case SHELF_OP_CATALOG_REMOVE:
		return print_catalog(to, "remove", op);
	case SHELF_OP_SOURCE:
	case SHELF_OP_SOURCE_DELETE:
		return print_numbers(to, op);
	default:
		return print_catalog(to, "delete", op);
	}
}
