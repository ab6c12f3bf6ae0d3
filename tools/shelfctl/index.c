// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "index.h"

#define FIRST_ROOM	1024U

static __u32 *table_slot(const struct table *t, __s64 id)
{
	__u32 mask = 2 * t->room - 1;
	__u32 at = (__u32)shelf_hash(id, t->seed) & mask;

	while (t->slot[at] &&
	       *(const __s64 *)(t->entry + (t->slot[at] - 1) * t->size) != id)
		at = (at + 1) & mask;
	return &t->slot[at];
}

static void table_grow(struct table *t)
{
	__u32 i;

	if (t->room > UINT32_MAX / 4)
		exit(fail(STATUS_REFUSED, -E2BIG, "more than %u ids", t->room));
	t->room = t->room ? 2 * t->room : FIRST_ROOM;
	t->entry = xalloc(t->entry, t->room, t->size);
	free(t->slot);
	t->slot = xalloc(NULL, 2 * (size_t)t->room, sizeof(*t->slot));
	memset(t->slot, 0, 2 * (size_t)t->room * sizeof(*t->slot));
	for (i = 0; i < t->count; i++)
		*table_slot(t, *(const __s64 *)(t->entry + i * t->size)) = i + 1;
}

static void *table_take(struct table *t, __s64 id)
{
	__u32 *slot;
	void *entry;

	if (t->count == t->room)
		table_grow(t);
	slot = table_slot(t, id);
	if (*slot)
		return t->entry + (*slot - 1) * t->size;
	entry = t->entry + t->count * t->size;
	memset(entry, 0, t->size);
	*(__s64 *)entry = id;
	*slot = ++t->count;
	return entry;
}

static void table_empty(struct table *t)
{
	t->count = 0;
	if (t->slot)
		memset(t->slot, 0, 2 * (size_t)t->room * sizeof(*t->slot));
}

struct indexed_product *index_product(struct index *x, __s64 id)
{
	return table_take(&x->products, id);
}

struct indexed_catalog *index_catalog(struct index *x, __s64 id)
{
	return table_take(&x->catalogs, id);
}

struct indexed_source *index_source(struct index *x, const char *name)
{
	return table_take(&x->sources, shelf_source_id(name, strlen(name)));
}

XXH128_hash_t index_attrs(const struct index *x, const struct shelf_change *p)
{
	return XXH3_128bits_withSecret(p->attrs_len ? p->attrs : "", p->attrs_len, x->secret,
				       sizeof(x->secret));
}

static int take_again(struct full *f)
{
	struct index *x = (struct index *)f;

	table_empty(&x->products);
	table_empty(&x->catalogs);
	table_empty(&x->sources);
	x->members.count = 0;
	return 0;
}

static int take_product(struct full *f, const struct shelf_change *p)
{
	struct index *x = (struct index *)f;
	struct indexed_product *e = index_product(x, p->id);

	if (e->state)
		return -EEXIST;
	e->state = INDEX_HAD;
	e->price = p->price;
	e->stock = p->stock;
	e->flags = p->flags;
	memcpy(e->currency, p->currency, sizeof(e->currency));
	e->attrs = index_attrs(x, p);
	return 0;
}

static int take_catalog(struct full *f, __s64 id, const __s64 *members, size_t n)
{
	struct index *x = (struct index *)f;
	struct indexed_catalog *e = index_catalog(x, id);

	if (e->state)
		return -EEXIST;
	if (n > UINT32_MAX)
		return fail(STATUS_REFUSED, -E2BIG, "catalog %lld has more than %u members", id,
			    UINT32_MAX);
	e->state = INDEX_HAD;
	e->first = x->members.count;
	e->count = (__u32)n;
	members_add(&x->members, members, n);
	return 0;
}

static int take_source(struct full *f, const char *name, __u64 last)
{
	struct indexed_source *e = index_source((struct index *)f, name);

	if (e->state)
		return -EEXIST;
	e->state = INDEX_HAD;
	e->last = last;
	strcpy(e->name, name);
	return 0;
}

void index_init(struct index *x)
{
	__u64 seed[2];

	memset(x, 0, sizeof(*x));
	x->full = (struct full){ take_again, take_product, take_catalog, take_source };
	x->products.size = sizeof(struct indexed_product);
	x->catalogs.size = sizeof(struct indexed_catalog);
	x->sources.size = sizeof(struct indexed_source);
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed) ||
	    getrandom(x->secret, sizeof(x->secret), 0) != sizeof(x->secret))
		exit(fail(STATUS_REFUSED, -EIO, "no random numbers"));
	x->products.seed = seed[0];
	x->catalogs.seed = seed[1];
	x->sources.seed = seed[1];
}

void index_free(struct index *x)
{
	free(x->products.entry);
	free(x->products.slot);
	free(x->catalogs.entry);
	free(x->catalogs.slot);
	free(x->sources.entry);
	free(x->sources.slot);
	free(x->members.id);
}
