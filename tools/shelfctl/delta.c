// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "delta.h"

static int emit(struct delta *d, const struct line *op)
{
	d->counts.ops++;
	return d->emit(d->arg, op);
}

static unsigned int given(const struct shelf_change *p)
{
	return (p->price ? SHELF_PRICE : 0) | (p->stock ? SHELF_STOCK : 0) |
	       (p->flags ? SHELF_FLAGS : 0) | (p->currency[0] ? SHELF_CURRENCY : 0) |
	       (p->attrs_len ? SHELF_ATTRS : 0);
}

static unsigned int differing(const struct delta *d, const struct indexed_product *e,
			      const struct shelf_change *p)
{
	XXH128_hash_t attrs = index_attrs(d->from, p);

	return (p->price != e->price ? SHELF_PRICE : 0) |
	       (p->stock != e->stock ? SHELF_STOCK : 0) |
	       (p->flags != e->flags ? SHELF_FLAGS : 0) |
	       (memcmp(p->currency, e->currency, 3) ? SHELF_CURRENCY : 0) |
	       (XXH128_isEqual(attrs, e->attrs) ? 0 : SHELF_ATTRS);
}

static int put_product(struct delta *d, const struct shelf_change *p)
{
	struct line op = { .kind = SHELF_OP_PUT, .change = *p };

	op.change.fields = given(p);
	return emit(d, &op);
}

/* A line can't take a currency away from a product but by putting it anew. */
static int patch_product(struct delta *d, const struct shelf_change *p, unsigned int fields)
{
	struct line op = { .kind = SHELF_OP_PATCH, .change = *p };

	d->counts.patched++;
	if (fields & SHELF_CURRENCY && !p->currency[0])
		return put_product(d, p);
	op.change.fields = fields;
	return emit(d, &op);
}

static int take_product(struct full *f, const struct shelf_change *p)
{
	struct delta *d = (struct delta *)f;
	struct indexed_product *e = index_product(d->from, p->id);
	unsigned int fields;

	if (e->state & INDEX_SEEN)
		return -EEXIST;
	e->state |= INDEX_SEEN;
	if (!(e->state & INDEX_HAD)) {
		d->counts.put++;
		return put_product(d, p);
	}
	fields = differing(d, e, p);
	if (fields)
		return patch_product(d, p, fields);
	d->counts.unchanged++;
	return 0;
}

/* As many lines as an export would have. */
static int emit_members(struct delta *d, unsigned int kind, __s64 id, const __s64 *ids,
			size_t count)
{
	struct line op = { .kind = kind, .change.id = id };
	int status = 0;
	size_t at;

	for (at = 0; !status && at < count; at += op.members_count) {
		op.members = (__s64 *)ids + at;
		op.members_count = count - at < LINE_IDS ? count - at : LINE_IDS;
		status = emit(d, &op);
	}
	return status;
}

static int delete_catalog(struct delta *d, __s64 id)
{
	struct line op = { .kind = SHELF_OP_CATALOG_DELETE, .change.id = id };

	return emit(d, &op);
}

/* Both ascending, to @d->add and @d->remove. */
static void compare(struct delta *d, const __s64 *a, size_t a_count, const __s64 *b,
		    size_t b_count)
{
	size_t i = 0, j = 0;

	d->add.count = 0;
	d->remove.count = 0;
	while (i < a_count || j < b_count) {
		if (j == b_count || (i < a_count && a[i] < b[j]))
			members_add(&d->remove, &a[i++], 1);
		else if (i == a_count || b[j] < a[i])
			members_add(&d->add, &b[j++], 1);
		else
			i++, j++;
	}
}

/* Where less stays than goes, to delete it and to add what stays is less to say. */
static int change_catalog(struct delta *d, __s64 id, const __s64 *members, size_t n)
{
	int status;

	d->counts.added += d->add.count;
	d->counts.removed += d->remove.count;
	if (d->remove.count > n - d->add.count) {
		status = delete_catalog(d, id);
		return status ? status :
		       emit_members(d, SHELF_OP_CATALOG_ADD, id, members, n);
	}
	status = emit_members(d, SHELF_OP_CATALOG_REMOVE, id, d->remove.id, d->remove.count);
	return status ? status :
	       emit_members(d, SHELF_OP_CATALOG_ADD, id, d->add.id, d->add.count);
}

static int take_catalog(struct full *f, __s64 id, const __s64 *members, size_t n)
{
	struct delta *d = (struct delta *)f;
	struct indexed_catalog *e = index_catalog(d->from, id);

	if (e->state & INDEX_SEEN)
		return -EEXIST;
	e->state |= INDEX_SEEN;
	compare(d, d->from->members.id + e->first, e->count, members, n);
	return change_catalog(d, id, members, n);
}

static int source_line(struct delta *d, unsigned int kind, const char *name, __u64 last)
{
	struct line op = { .kind = kind, .last = last };

	strcpy(op.source, name);
	d->counts.sources++;
	return emit(d, &op);
}

static int take_source(struct full *f, const char *name, __u64 last)
{
	struct delta *d = (struct delta *)f;
	struct indexed_source *e = index_source(d->from, name);

	if (e->state & INDEX_SEEN)
		return -EEXIST;
	d->sources = true;
	e->state |= INDEX_SEEN;
	if (e->state & INDEX_HAD && e->last == last)
		return 0;
	return source_line(d, SHELF_OP_SOURCE, name, last);
}

static int take_again(struct full *f)
{
	struct delta *d = (struct delta *)f;
	__u32 i;

	for (i = 0; i < d->from->sources.count; i++)
		index_nth_source(d->from, i)->state &= INDEX_HAD;

	for (i = 0; i < d->from->products.count; i++)
		index_nth_product(d->from, i)->state &= INDEX_HAD;
	for (i = 0; i < d->from->catalogs.count; i++)
		index_nth_catalog(d->from, i)->state &= INDEX_HAD;
	memset(&d->counts, 0, sizeof(d->counts));
	return d->again(d->arg);
}

static int delete_products(struct delta *d)
{
	struct line op = { .kind = SHELF_OP_DELETE };
	int status = 0;
	__u32 i;

	for (i = 0; !status && i < d->from->products.count; i++) {
		const struct indexed_product *e = index_nth_product(d->from, i);

		if (e->state != INDEX_HAD)
			continue;
		op.change.id = e->id;
		d->counts.deleted++;
		status = emit(d, &op);
	}
	return status;
}

static int delete_catalogs(struct delta *d)
{
	int status = 0;
	__u32 i;

	for (i = 0; !status && i < d->from->catalogs.count; i++) {
		const struct indexed_catalog *e = index_nth_catalog(d->from, i);

		if (e->state != INDEX_HAD)
			continue;
		d->counts.catalogs_deleted++;
		d->counts.removed += e->count;
		status = delete_catalog(d, e->id);
	}
	return status;
}

/* A file that says nothing of sources leaves them alone. */
static int delete_sources(struct delta *d)
{
	int status = 0;
	__u32 i;

	for (i = 0; d->sources && !status && i < d->from->sources.count; i++) {
		const struct indexed_source *e = index_nth_source(d->from, i);

		if (e->state == INDEX_HAD)
			status = source_line(d, SHELF_OP_SOURCE_DELETE, e->name, 0);
	}
	return status;
}

int delta_finish(struct delta *d)
{
	int status = delete_products(d);

	if (!status)
		status = delete_catalogs(d);
	return status ? status : delete_sources(d);
}

void delta_init(struct delta *d, struct index *from)
{
	memset(d, 0, sizeof(*d));
	d->full = (struct full){ take_again, take_product, take_catalog, take_source };
	d->from = from;
}

void delta_free(struct delta *d)
{
	free(d->add.id);
	free(d->remove.id);
}

void delta_print(FILE *to, const struct delta_counts *c)
{
	fprintf(to, json_output ?
	       ",\"ops\":%llu,\"put\":%llu,\"patched\":%llu,\"deleted\":%llu,\"unchanged\":%llu,"
	       "\"members_added\":%llu,\"members_removed\":%llu,\"catalogs_deleted\":%llu,"
	       "\"sources\":%llu" :
	       "ops %llu put %llu patched %llu deleted %llu unchanged %llu members added %llu "
	       "removed %llu catalogs deleted %llu sources %llu",
	       c->ops, c->put, c->patched, c->deleted, c->unchanged, c->added, c->removed,
	       c->catalogs_deleted, c->sources);
}
