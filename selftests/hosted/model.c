// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <assert.h>

#include "model.h"

#define FAIL(...) do {							\
	fprintf(stderr, "model: " __VA_ARGS__);				\
	fprintf(stderr, "\n");						\
	abort();							\
} while (0)

struct shelf_view hosted_view(const struct hosted *h)
{
	return (struct shelf_view){
		.arena = h->base + SHELF_MMAP_ARENA,
		.mask = h->arena_bytes - SHELF_PAGE_BYTES,
		.seed = h->store.seed,
		.root = h->store.root,
	};
}

static int compare_ids(const void *a, const void *b)
{
	s64 x = *(const s64 *)a, y = *(const s64 *)b;

	return (x > y) - (x < y);
}

void model_init(struct model *m, u64 *random)
{
	static const s64 special[] = {
		INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX,
	};
	u32 i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < MODEL_PRODUCTS; i++)	/* near ones and far ones */
		m->id[i] = i < ARRAY_SIZE(special) ? special[i] :
			   i % 2 ? (s64)i * 3 : (s64)model_random(random);
	for (i = 0; i < MODEL_CATALOGS; i++)
		m->catalog_id[i] = i < ARRAY_SIZE(special) ? special[i] :
				   (s64)model_random(random);
	qsort(m->id, MODEL_PRODUCTS, sizeof(m->id[0]), compare_ids);
}

void model_free(struct model *m)
{
	u32 i;

	for (i = 0; i < MODEL_PRODUCTS; i++)
		free(m->product[i].attrs);
}

struct model *model_copy(const struct model *m)
{
	struct model *copy = malloc(sizeof(*copy));
	u32 i;

	*copy = *m;
	for (i = 0; i < MODEL_PRODUCTS; i++) {
		copy->product[i].attrs = malloc(m->product[i].len + 1);
		if (m->product[i].len)
			memcpy(copy->product[i].attrs, m->product[i].attrs,
			       m->product[i].len);
	}
	return copy;
}

static u32 random_len(u64 *random)
{
	static const u32 special[] = {
		0, 1, 7, 8, 9, SHELF_ATTRS_INLINE - 1, SHELF_ATTRS_INLINE,
		SHELF_ATTRS_INLINE + 1, 4095, 4096, 4097, 8192, SHELF_ATTRS_MAX,
	};

	if (model_below(random, 12))
		return model_below(random, 300);
	return special[model_below(random, ARRAY_SIZE(special))];
}

static void set_attrs(struct model_product *p, u64 *random)
{
	u32 i;

	free(p->attrs);
	p->len = random_len(random);
	p->attrs = malloc(p->len + 1);
	for (i = 0; i < p->len; i++)
		p->attrs[i] = (u8)model_random(random);
}

static void change_product(struct model *m, struct batch *b, u32 i, u64 *random)
{
	struct model_product *p = &m->product[i];
	struct op op = { .id = m->id[i], .kind = SHELF_OP_PUT };
	const char *why;

	if (p->present && model_below(random, 2))
		op.kind = SHELF_OP_PATCH;
	if (op.kind == SHELF_OP_PUT) {
		free(p->attrs);
		*p = (struct model_product){ .present = true };
	}
	op.fields = (u8)model_below(random, 32);
	if (op.fields & FIELD_PRICE)
		op.price = (s64)model_random(random);
	if (op.fields & FIELD_STOCK)
		op.stock = model_below(random, 3);
	if (op.fields & FIELD_FLAGS)
		op.flags = (u32)model_random(random);
	if (op.fields & FIELD_CURRENCY) {
		memcpy(op.currency, model_below(random, 2) ? "EUR" : "JPY", 4);
		memcpy(p->currency, op.currency, 4);
	}
	if (op.fields & FIELD_PRICE)
		p->price = op.price;
	if (op.fields & FIELD_STOCK)
		p->stock = op.stock;
	if (op.fields & FIELD_FLAGS)
		p->flags = op.flags;
	if (op.fields & FIELD_ATTRS) {
		if (model_below(random, 4) || !p->attrs)
			set_attrs(p, random);	/* else the same again */
		op.len = p->len;
	}
	if (batch_add(b, &op, p->attrs, &why))
		FAIL("put: %s", why);
}

void model_delete(struct model *m, struct batch *b, u32 i)
{
	struct op op = { .id = m->id[i], .kind = SHELF_OP_DELETE };
	const char *why;

	free(m->product[i].attrs);
	m->product[i] = (struct model_product){ 0 };
	if (batch_add(b, &op, NULL, &why))
		FAIL("delete: %s", why);
}

static void delete_catalog(struct model *m, struct batch *b, u32 i)
{
	struct op op = { .id = m->catalog_id[i], .kind = SHELF_OP_CATALOG_DELETE };
	const char *why;

	memset(&m->catalog[i], 0, sizeof(m->catalog[i]));
	if (batch_add(b, &op, NULL, &why))
		FAIL("catalog delete: %s", why);
}

/* Members in any order, some of them twice, few or many. */
static void change_catalog(struct model *m, struct batch *b, u32 i, u64 *random)
{
	struct model_catalog *c = &m->catalog[i];
	bool add = model_below(random, 5) > (c->count > 900 ? 2 : 1);
	struct op op = {
		.id = m->catalog_id[i],
		.kind = add ? SHELF_OP_CATALOG_ADD : SHELF_OP_CATALOG_REMOVE,
	};
	s64 members[700];
	const char *why;
	u32 j;

	op.len = 1 + model_below(random, model_below(random, 4) ? 6 : 700);
	for (j = 0; j < op.len; j++) {
		u32 k = model_below(random, MODEL_PRODUCTS);

		members[j] = m->id[k];
		c->count += add - c->member[k];
		c->member[k] = add;
	}
	for (j = 0, c->count = 0; j < MODEL_PRODUCTS; j++)
		c->count += c->member[j];
	if (batch_add(b, &op, members, &why))
		FAIL("members: %s", why);
}

void model_batch(struct model *m, struct batch *b, u32 ops, u64 *random)
{
	u32 n = 1 + model_below(random, ops);

	while (n--) {
		u32 i = model_below(random, MODEL_PRODUCTS);
		u32 c = model_below(random, MODEL_CATALOGS);
		u32 what = model_below(random, 100);

		if (what < 60)
			change_product(m, b, i, random);
		else if (what < 80)
			model_delete(m, b, i);
		else if (what < 98)
			change_catalog(m, b, c, random);
		else
			delete_catalog(m, b, c);
	}
}

static u32 index_of(const s64 *ids, u32 n, s64 id)
{
	u32 i = 0;

	while (i < n && ids[i] != id)
		i++;
	if (i == n)
		FAIL("%lld is none of the model's ids", id);
	return i;
}

static bool apply_change(struct model_product *p, const struct op *op, const void *data)
{
	if (op->kind == SHELF_OP_PATCH && !p->present)
		return false;
	if (op->kind == SHELF_OP_PUT) {
		free(p->attrs);
		*p = (struct model_product){ .present = true };
	}
	if (op->fields & FIELD_PRICE)
		p->price = op->price;
	if (op->fields & FIELD_STOCK)
		p->stock = op->stock;
	if (op->fields & FIELD_FLAGS)
		p->flags = op->flags;
	if (op->fields & FIELD_CURRENCY)
		memcpy(p->currency, op->currency, sizeof(p->currency));
	if (op->fields & FIELD_ATTRS) {
		free(p->attrs);
		p->len = op->len;
		p->attrs = malloc(p->len + 1);
		memcpy(p->attrs, data, p->len);
	}
	return true;
}

static void apply_members(const struct model *m, struct model_catalog *c,
			  const struct op *op, const s64 *members)
{
	bool add = op->kind == SHELF_OP_CATALOG_ADD;
	u32 i, k;

	for (i = 0; i < op->len; i++) {
		const s64 *at = bsearch(&members[i], m->id, MODEL_PRODUCTS, sizeof(m->id[0]),
					compare_ids);

		if (!at)
			FAIL("%lld is none of the model's ids", members[i]);
		k = (u32)(at - m->id);
		c->count += add - c->member[k];
		c->member[k] = add;
	}
}

bool model_apply(struct model *m, const struct op *op, const void *data)
{
	struct model_catalog *c;
	struct model_product *p;

	if (op_map(op) == MAP_PRODUCTS) {
		p = &m->product[index_of(m->id, MODEL_PRODUCTS, op->id)];
		if (op->kind != SHELF_OP_DELETE)
			return apply_change(p, op, data);
		free(p->attrs);
		*p = (struct model_product){ 0 };
		return true;
	}
	c = &m->catalog[index_of(m->catalog_id, MODEL_CATALOGS, op->id)];
	if (op->kind == SHELF_OP_CATALOG_DELETE)
		memset(c, 0, sizeof(*c));
	else
		apply_members(m, c, op, data);
	return true;
}

static void compare_product(const struct model *m, const struct shelf_view *v, u32 i)
{
	static _Thread_local u8 attrs[SHELF_ATTRS_MAX];
	const struct shelf_product *p = shelf_view_product(v, m->id[i]);
	const struct model_product *want = &m->product[i];

	if (!p != !want->present)
		FAIL("product %lld is %s", m->id[i], p ? "there" : "not there");
	if (!p)
		return;
	if (p->price != want->price || p->stock != want->stock ||
	    p->flags != want->flags || memcmp(p->currency, want->currency, 4))
		FAIL("product %lld: wrong fields", m->id[i]);
	if (p->attrs_len != want->len ||
	    shelf_view_attrs(v, p, attrs, sizeof(attrs)) != want->len ||
	    (want->len && memcmp(attrs, want->attrs, want->len)))
		FAIL("product %lld: wrong attributes of %u bytes", m->id[i], want->len);
}

static void compare_catalog(const struct model *m, const struct shelf_view *v, u32 i,
			    u64 *random)
{
	const struct shelf_catalog *c = shelf_view_catalog(v, m->catalog_id[i]);
	const struct model_catalog *want = &m->catalog[i];
	s64 page[64], after = 0;
	u32 k = 0, j, n, room;
	bool more = true;

	if (!c != !want->count || (c && c->count != want->count))
		FAIL("catalog %lld has %llu of %u", m->catalog_id[i],
		     c ? c->count : 0, want->count);
	if (!c)
		return;
	for (j = 0; j < MODEL_PRODUCTS; j++)
		if (shelf_catalog_has(v, c, m->id[j]) != want->member[j])
			FAIL("catalog %lld: member %lld", m->catalog_id[i], m->id[j]);
	for (bool first = true; more; first = false) {
		room = 1 + model_below(random, ARRAY_SIZE(page));
		n = shelf_catalog_copy(v, c, first, after, page, room, &more);
		if (n < room && more)
			FAIL("catalog %lld: short page", m->catalog_id[i]);
		for (j = 0; j < n; j++, k++) {
			while (k < MODEL_PRODUCTS && !want->member[k])
				k++;
			if (k == MODEL_PRODUCTS || m->id[k] != page[j])
				FAIL("catalog %lld: order", m->catalog_id[i]);
		}
		if (n)
			after = page[n - 1];
	}
	while (k < MODEL_PRODUCTS && !want->member[k])
		k++;
	if (k != MODEL_PRODUCTS)
		FAIL("catalog %lld: ends early", m->catalog_id[i]);
}

void model_compare(const struct model *m, const struct shelf_view *view, u64 *random)
{
	const struct shelf_view v = *view;
	u64 products = 0, catalogs = 0, memberships = 0, attrs = 0;
	u32 i;

	for (i = 0; i < MODEL_PRODUCTS; i++) {
		compare_product(m, &v, i);
		products += m->product[i].present;
		attrs += m->product[i].len;
	}
	for (i = 0; i < MODEL_CATALOGS; i++) {
		compare_catalog(m, &v, i, random);
		catalogs += m->catalog[i].count > 0;
		memberships += m->catalog[i].count;
	}
	if (v.root->products != products || v.root->catalogs != catalogs ||
	    v.root->memberships != memberships || v.root->attrs_bytes != attrs)
		FAIL("totals: %llu/%llu products, %llu/%llu catalogs, %llu/%llu members",
		     v.root->products, products, v.root->catalogs, catalogs,
		     v.root->memberships, memberships);
}

static u64 fnv(u64 hash, const void *data, size_t n)
{
	const u8 *p = data;

	while (n--)
		hash = (hash ^ *p++) * 0x100000001b3ULL;
	return hash;
}

u64 model_hash(const struct model *m, const struct hosted *h)
{
	static u8 attrs[SHELF_ATTRS_MAX];
	struct shelf_view v = hosted_view(h);
	u64 hash = fnv(0xcbf29ce484222325ULL, v.root, 64);
	s64 page[256], after;
	u32 i, n;

	for (i = 0; i < MODEL_PRODUCTS; i++) {
		const struct shelf_product *p = shelf_view_product(&v, m->id[i]);

		if (!p)
			continue;
		hash = fnv(hash, p, 56);
		hash = fnv(hash, attrs, shelf_view_attrs(&v, p, attrs, sizeof(attrs)));
	}
	for (i = 0; i < MODEL_CATALOGS; i++) {
		const struct shelf_catalog *c = shelf_view_catalog(&v, m->catalog_id[i]);
		bool more = c, first = true;

		for (after = 0; more; first = false) {
			n = shelf_catalog_copy(&v, c, first, after, page, 256, &more);
			hash = fnv(hash, page, (size_t)n * 8);
			after = n ? page[n - 1] : 0;
		}
	}
	return hash;
}
