// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Tables of open addressing; an entry counts if it has the number of this reset, so
 * that emptying them is adding one.
 */
#include "oracle.h"

#include "../hosted/digest.h"

/* @before: whether it was present when @batch began */
struct product {
	u32 reset;
	u32 batch;
	bool present;
	bool before;
	u8 currency[4];
	u32 flags;
	u32 len;
	s64 id;
	s64 price;
	s64 stock;
	u64 attrs;	/* digest */
};

/* @first: of its members, absent ones included, by @next */
struct catalog {
	u32 reset;
	u32 first;
	u64 count;
	s64 id;
};

struct member {
	u32 reset;
	u32 batch;
	u32 catalog;
	u32 next;
	bool present;
	bool before;
	s64 id;
};

#define PRODUCT_SLOTS	(4 * ORACLE_PRODUCTS)
#define CATALOG_SLOTS	(4 * ORACLE_CATALOGS)
#define MEMBER_SLOTS	(4 * ORACLE_MEMBERS)

static struct product products[PRODUCT_SLOTS];
static struct catalog catalogs[CATALOG_SLOTS];
static struct member members[MEMBER_SLOTS];
static u32 product_at[ORACLE_PRODUCTS], catalog_at[ORACLE_CATALOGS];
static u32 reset_number, product_count, catalog_count, member_count;

/* What there is in all. */
static u64 total_products, total_catalogs, total_members, total_attrs;
static u64 products_before, catalogs_before, members_before;

/* Number of the batch that is being done; never that of one before a reset. */
static u32 batch_number;
static struct guards guards;
static bool checks;

/* How to undo the last batch: products as they were, and members that turned. */
static struct {
	u32 slot;
	struct product old;
} product_undo[1 << 16];
static u32 member_undo[1 << 18];
static u32 product_undos, member_undos, touched_products;
static u32 touched_catalog[CATALOG_SLOTS], touched_catalogs;

/* Patches of what isn't there, by their indices, and deletes. */
static u64 refused[64], absent;
static u32 refusals;
static bool only_products;

static u32 slot_of(u64 id, u32 slots)
{
	id *= 0x9e3779b97f4a7c15ULL;
	return (u32)(id >> 32) & (slots - 1);
}

static u32 find_product(s64 id)
{
	u32 i = slot_of((u64)id, PRODUCT_SLOTS);

	for (; products[i].reset == reset_number; i = (i + 1) % PRODUCT_SLOTS)
		if (products[i].id == id)
			return i;
	if (product_count == ORACLE_PRODUCTS)
		FAIL("too many products for the oracle");
	product_at[product_count++] = i;
	products[i] = (struct product){ .reset = reset_number, .id = id };
	return i;
}

static u32 find_catalog(s64 id)
{
	u32 i = slot_of((u64)id, CATALOG_SLOTS);

	for (; catalogs[i].reset == reset_number; i = (i + 1) % CATALOG_SLOTS)
		if (catalogs[i].id == id)
			return i;
	if (catalog_count == ORACLE_CATALOGS)
		FAIL("too many catalogs for the oracle");
	catalog_at[catalog_count++] = i;
	catalogs[i] = (struct catalog){ .reset = reset_number, .id = id, .first = U32_MAX };
	return i;
}

static u32 find_member(u32 catalog, s64 id)
{
	u32 i = slot_of((u64)id * 31 + catalog, MEMBER_SLOTS);

	for (; members[i].reset == reset_number; i = (i + 1) % MEMBER_SLOTS)
		if (members[i].id == id && members[i].catalog == catalog)
			return i;
	if (++member_count > ORACLE_MEMBERS)
		FAIL("too many members for the oracle");
	members[i] = (struct member){ .reset = reset_number, .catalog = catalog, .id = id,
				      .next = catalogs[catalog].first };
	catalogs[catalog].first = i;
	return i;
}

void oracle_reset(void)
{
	reset_number++;
	product_count = 0;
	catalog_count = 0;
	member_count = 0;
	total_products = 0;
	total_catalogs = 0;
	total_members = 0;
	total_attrs = 0;
	product_undos = 0;
	member_undos = 0;
	touched_products = 0;
	touched_catalogs = 0;
	oracle_sources_reset();
}

/*
 * One operation
 * =============
 */
static void count_product(const struct product *p, int n)
{
	total_products += (u64)n * p->present;
	total_attrs += (u64)n * p->len;
}

static void clear_product(struct product *p)
{
	*p = (struct product){ .reset = reset_number, .id = p->id, .batch = p->batch,
			       .before = p->before };
}

static void set_fields(struct product *p, const struct op *op)
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
		p->len = op->len;
		p->attrs = op->len ? bytes_digest(0, op->data, op->len) : 0;
	}
}

static void do_product(const struct op *op)
{
	u32 i = find_product(op->id);
	struct product *p = &products[i];

	if (p->batch != batch_number) {
		p->batch = batch_number;
		p->before = p->present;
	}
	product_undo[product_undos].slot = i;
	product_undo[product_undos++].old = *p;
	count_product(p, -1);
	if (op->kind == SHELF_OP_PATCH && !p->present)
		refused[refusals++ % ARRAY_SIZE(refused)] = op->index;
	if (op->kind == SHELF_OP_DELETE)
		absent += !p->present;
	if (op->kind != SHELF_OP_PATCH)
		clear_product(p);
	if (op->kind != SHELF_OP_DELETE) {
		p->present = true;
		set_fields(p, op);
	}
	count_product(p, 1);
}

static void turn_member(u32 i)
{
	struct catalog *c = &catalogs[members[i].catalog];

	total_catalogs -= c->count > 0;
	members[i].present = !members[i].present;
	c->count += members[i].present ? 1 : -1ULL;
	total_members += members[i].present ? 1 : -1ULL;
	total_catalogs += c->count > 0;
}

static void set_member(u32 i, bool present)
{
	if (members[i].present == present)
		return;
	if (members[i].batch != batch_number) {
		members[i].batch = batch_number;
		members[i].before = members[i].present;
	}
	if (member_undos == ARRAY_SIZE(member_undo))
		FAIL("too many changes for the oracle");
	member_undo[member_undos++] = i;
	turn_member(i);
}

static void do_catalog(const struct op *op)
{
	const s64 *id = (const s64 *)op->data;
	u32 c = find_catalog(op->id), i;

	if (!touched_catalogs || touched_catalog[touched_catalogs - 1] != c)
		touched_catalog[touched_catalogs++ % CATALOG_SLOTS] = c;
	if (op->kind == SHELF_OP_CATALOG_DELETE)
		for (i = catalogs[c].first; i != U32_MAX; i = members[i].next)
			set_member(i, false);
	for (i = 0; i < op->len; i++)
		set_member(find_member(c, id[i]), op->kind == SHELF_OP_CATALOG_ADD);
}

void oracle_do(const struct batch *b)
{
	const struct op_block *block;
	u32 at;

	product_undos = 0;
	member_undos = 0;
	touched_catalogs = 0;
	refusals = 0;
	absent = 0;
	only_products = !b->map_ops[MAP_CATALOGS];
	batch_number++;
	guards = b->guards;
	checks = b->checks;
	products_before = total_products;
	catalogs_before = total_catalogs;
	members_before = total_members;
	oracle_sources_begin(b);
	if (b->map_ops[MAP_PRODUCTS] > ARRAY_SIZE(product_undo))
		FAIL("too many operations for the oracle");
	for (block = b->first; block; block = block->next) {
		for (at = 0; at < block->used;) {
			const struct op *op = (const struct op *)(block->bytes + at);

			at += (u32)op_bytes(op);
			if (op_map(op) == MAP_CATALOGS)
				do_catalog(op);
			else if (op_map(op) == MAP_SOURCES)
				absent += oracle_source_do(op);
			else
				do_product(op);
		}
	}
	touched_products = product_undos;
}

/* Entries stay, as absent ones: find_*() may have walked over them. */
void oracle_undo(void)
{
	oracle_sources_undo();
	while (member_undos)
		turn_member(member_undo[--member_undos]);
	while (product_undos) {
		struct product *p = &products[product_undo[--product_undos].slot];

		count_product(p, -1);
		*p = product_undo[product_undos].old;
		count_product(p, 1);
	}
}

static bool is_refused(u64 op)
{
	u32 i;

	if (refusals > ARRAY_SIZE(refused))
		return true;
	for (i = 0; i < refusals; i++)
		if (refused[i] == op)
			return true;
	return false;
}

/*
 * Guards
 * ======
 */
/* NULL if it was never named. */
static const struct product *known_product(s64 id)
{
	u32 i = slot_of((u64)id, PRODUCT_SLOTS);

	for (; products[i].reset == reset_number; i = (i + 1) % PRODUCT_SLOTS)
		if (products[i].id == id)
			return &products[i];
	return NULL;
}

static bool dangles(const struct member *m)
{
	const struct product *p = known_product(m->id);
	bool had = p && (p->batch == batch_number ? p->before : p->present);
	bool was = m->batch == batch_number ? m->before : m->present;

	return m->present && !(p && p->present) && !(was && !had);
}

static u64 count_dangling(void)
{
	u64 n = 0;
	u32 i, at;

	for (i = 0; i < catalog_count; i++)
		for (at = catalogs[catalog_at[i]].first; at != U32_MAX; at = members[at].next)
			n += dangles(&members[at]);
	return n;
}

static bool too_much(u64 before, u64 now)
{
	u64 by = now > before ? now - before : before - now;

	return guards.max_change && before && by * 100 > guards.max_change * before;
}

static void check_guards(int ret, const struct report *r)
{
	u64 dangling = guards.dangling == SHELF_DANGLING_ALLOW ? 0 : count_dangling();
	bool refuse = too_much(products_before, total_products) ||
		      too_much(catalogs_before, total_catalogs) ||
		      too_much(members_before, total_members) ||
		      (dangling && guards.dangling == SHELF_DANGLING_REFUSE);

	if (refuse != (ret == -EDOM))
		FAIL("guards: %d %s", ret, r->message);
	if (ret)
		return;
	if (r->dangling != dangling)
		FAIL("%llu members dangle, not %llu", r->dangling, dangling);
	if (r->products != total_products || r->catalogs != total_catalogs ||
	    r->memberships != total_members)
		FAIL("a result with other counts");
}

void oracle_check_result(const struct store *st, int ret, const struct report *r)
{
	if (ret != r->error)
		FAIL("the report's error is %d, not %d", r->error, ret);
	if (r->repeated != oracle_sources_repeat() || (r->repeated && ret))
		FAIL("repeated: %d, with %d", r->repeated, ret);
	if (r->repeated)
		return;
	if (!ret && oracle_sources_refused())
		FAIL("numbers that do not follow went through");
	if (ret == -EILSEQ && !oracle_sources_refused())
		FAIL("numbers that follow were refused: %s", r->message);
	if (!ret && refusals)
		FAIL("a patch of what is not there went through");
	if (!ret && only_products && r->absent != absent)
		FAIL("%llu deletes of nothing, not %llu", r->absent, absent);
	if (ret && !r->message[0])
		FAIL("refused with %d and no word", ret);
	if (ret == -ENOENT && !(r->has_op && is_refused(r->op)))
		FAIL("operation %llu was refused", r->op);
	if (!ret || ret == -EDOM)
		check_guards(ret, r);
	/* P4. Only what is really used up makes a commit fail. */
	if (ret == -ENOSPC && (st->first || (st->retained_bytes && !checks)))
		FAIL("full, but there is something to be had back");
	if (ret && ret != -ENOENT && ret != -ENOSPC && ret != -ESTALE && ret != -ENOMEM &&
	    ret != -EILSEQ && ret != -EDOM)
		FAIL("commit: %d %s", ret, r->message);
}

/*
 * Looking
 * =======
 */
static void compare_product(const struct shelf_view *v, const struct product *want)
{
	const struct shelf_product *p = shelf_view_product(v, want->id);

	if (!p != !want->present)
		FAIL("product %lld is %s", want->id, p ? "there" : "not there");
	if (!p)
		return;
	if (p->price != want->price || p->stock != want->stock ||
	    p->flags != want->flags || memcmp(p->currency, want->currency, 4))
		FAIL("product %lld: wrong fields", want->id);
	if (p->attrs_len != want->len || attrs_digest(v, p) != want->attrs)
		FAIL("product %lld: wrong attributes of %u bytes", want->id, want->len);
}

static bool has_member(u32 catalog, s64 id)
{
	u32 i = slot_of((u64)id * 31 + catalog, MEMBER_SLOTS);

	for (; members[i].reset == reset_number; i = (i + 1) % MEMBER_SLOTS)
		if (members[i].id == id && members[i].catalog == catalog)
			return members[i].present;
	return false;
}

static void compare_catalog(const struct shelf_view *v, u32 i)
{
	const struct shelf_catalog *c = shelf_view_catalog(v, catalogs[i].id);
	s64 page[512], last = 0;
	u64 count = 0;
	bool more = c;
	u32 n, j;

	if ((c ? c->count : 0) != catalogs[i].count)
		FAIL("catalog %lld has %llu of %llu", catalogs[i].id, c ? c->count : 0,
		     catalogs[i].count);
	while (more) {
		n = shelf_catalog_copy(v, c, !count, last, page, ARRAY_SIZE(page), &more);
		for (j = 0; j < n; j++, count++) {
			if (count && page[j] <= last)
				FAIL("catalog %lld: order", catalogs[i].id);
			last = page[j];
			if (!has_member(i, last))
				FAIL("catalog %lld: member %lld", catalogs[i].id, last);
		}
		if (more && !n)
			FAIL("catalog %lld: an empty page", catalogs[i].id);
	}
	if (count != catalogs[i].count)
		FAIL("catalog %lld: %llu members", catalogs[i].id, count);
}

static void compare_totals(const struct shelf_root *r)
{
	if (r->products != total_products || r->catalogs != total_catalogs ||
	    r->memberships != total_members || r->attrs_bytes != total_attrs)
		FAIL("totals: %llu/%llu products, %llu/%llu catalogs, %llu/%llu members, %llu/%llu bytes",
		     r->products, total_products, r->catalogs, total_catalogs,
		     r->memberships, total_members, r->attrs_bytes, total_attrs);
}

void oracle_compare_touched(const struct store *st)
{
	struct shelf_view v;
	u32 i;

	store_view(st, &v);
	compare_totals(v.root);
	oracle_sources_compare(&v);
	for (i = 0; i < touched_products; i++)
		compare_product(&v, &products[product_undo[i].slot]);
	for (i = 0; i < touched_catalogs && i < CATALOG_SLOTS; i++)
		compare_catalog(&v, touched_catalog[i]);
}

void oracle_compare(const struct store *st)
{
	struct shelf_view v;
	u32 i;

	store_view(st, &v);
	compare_totals(v.root);
	oracle_sources_compare(&v);
	for (i = 0; i < product_count; i++)
		compare_product(&v, &products[product_at[i]]);
	for (i = 0; i < catalog_count; i++)
		compare_catalog(&v, catalog_at[i]);
}
