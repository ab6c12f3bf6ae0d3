// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Guards: what a batch must not bring about, looked at when its draft is whole and
 * before anybody can see it. A batch is judged by what it changes: what was there
 * before it is not its fault.
 *
 * A member dangles if no product has its id. A batch makes one dangle when it adds it,
 * which catalog.c tells of, or when it deletes the product: only then are all catalogs
 * gone through.
 */
#include "idset.h"
#include "scan.h"

static int guard_error(struct draft *d)
{
	d->report->error = -EDOM;
	return -EDOM;
}

static int check_count(struct draft *d, const char *what, u64 was, u64 is)
{
	u64 by = is > was ? is - was : was - is, most = d->guards->max_change;

	/* What is there first is no change by so many per cent. */
	if (!most || !was || by * 100 <= most * was)
		return 0;
	snprintf(d->report->message, sizeof(d->report->message),
		 "%s would go from %llu to %llu, by %llu per cent; at most %llu are allowed",
		 what, was, is, DIV_ROUND_UP(by * 100, was), most);
	return guard_error(d);
}

static int check_counts(struct draft *d)
{
	const struct shelf_root *was = arena_page(&d->store->arena, d->store->root_page);

	return check_count(d, "products", was->products, d->root->products) ?:
	       check_count(d, "catalogs", was->catalogs, d->root->catalogs) ?:
	       check_count(d, "memberships", was->memberships, d->root->memberships);
}

static void views(const struct draft *d, struct shelf_view *was, struct shelf_view *is)
{
	store_view(d->store, was);
	*is = *was;
	is->root = d->root;
}

static bool had(const struct shelf_view *was, s64 catalog, s64 member)
{
	const struct shelf_catalog *c = shelf_view_catalog(was, catalog);

	return c && shelf_catalog_has(was, c, member);
}

static void tell(struct draft *d, s64 catalog, s64 member)
{
	if (d->report->dangling++)
		return;
	d->dangling_catalog = catalog;
	d->dangling_member = member;
}

/* Products have been applied before catalogs, so the draft has all of them. */
void guard_added(struct draft *d, s64 catalog, const struct sort_item *edits, u32 n)
{
	struct shelf_view was, is;
	u32 i;

	if (d->guards->dangling == SHELF_DANGLING_ALLOW)
		return;
	views(d, &was, &is);
	for (i = 0; i < n; i++) {
		s64 member = edit_member(&edits[i]);

		if (edits[i].value == EDIT_ADD && !shelf_view_product(&is, member) &&
		    !had(&was, catalog, member))
			tell(d, catalog, member);
		if (!(i % 1024))
			cond_resched();
	}
}

/* Ids that were a product's and are no more, in order, each once; to d->items. */
static u32 deleted(struct draft *d, const struct batch *b,
		   const struct shelf_view *was, const struct shelf_view *is)
{
	const struct op_block *block;
	u32 n = 0, out = 0, at, i;

	for (block = b->first; block; block = block->next) {
		for (at = 0; at < block->used;) {
			const struct op *op = (const struct op *)(block->bytes + at);

			at += (u32)op_bytes(op);
			if (op->kind == SHELF_OP_DELETE && !shelf_view_product(is, op->id) &&
			    shelf_view_product(was, op->id))
				d->items[n++] = (struct sort_item){
					(u64)op->id ^ MEMBER_SIGN, 0 };
		}
		cond_resched();
	}
	sort_items(&d->sorter, d->items, n);
	for (i = 0; i < n; i++)
		if (!out || d->items[out - 1].key != d->items[i].key)
			d->items[out++] = d->items[i];
	return out;
}

static bool is_deleted(const struct draft *d, u32 n, s64 id)
{
	u64 key = (u64)id ^ MEMBER_SIGN;
	u32 low = 0;

	while (n) {
		u32 half = n / 2;

		if (d->items[low + half].key < key) {
			low += half + 1;
			n -= half + 1;
		} else if (d->items[low + half].key > key) {
			n = half;
		} else {
			return true;
		}
	}
	return false;
}

/* Through all catalogs, for members whose product was deleted. */
struct sweep {
	struct draft *d;
	struct shelf_view was;
	struct shelf_view is;
	u32 n;			/* of d->items */
};

static void sweep_hit(struct sweep *s, const struct shelf_catalog *c, s64 id)
{
	/* What this batch has added was told of then. */
	if (had(&s->was, c->id, id))
		tell(s->d, c->id, id);
}

static void sweep_members(struct sweep *s, const struct shelf_catalog *c)
{
	s64 *members = s->d->members;
	bool more = true;
	u32 n = 0, i;

	while (more) {
		n = shelf_catalog_copy(&s->is, c, !n, n ? members[n - 1] : 0, members,
				       SHELF_SET_PAGE_MEMBERS, &more);
		for (i = 0; i < n; i++)
			if (is_deleted(s->d, s->n, members[i]))
				sweep_hit(s, c, members[i]);
		cond_resched();
	}
}

static void sweep_deleted(struct sweep *s, const struct shelf_catalog *c)
{
	u32 i;

	for (i = 0; i < s->n; i++) {
		s64 id = edit_member(&s->d->items[i]);

		if (shelf_catalog_has(&s->is, c, id))
			sweep_hit(s, c, id);
		if (!(i % 1024))
			cond_resched();
	}
}

/* Whichever of the two is less: its members, or what was deleted. */
static void sweep_catalog(struct sweep *s, const struct shelf_catalog *c)
{
	if (c->count < s->n)
		sweep_members(s, c);
	else
		sweep_deleted(s, c);
}

static void sweep_catalogs(struct draft *d, const struct batch *b)
{
	const struct shelf_record *leaf[SHELF_LEAF_SLOTS];
	struct shelf_scan cursor = { 0 };
	struct sweep s = { .d = d };
	u32 n, i;

	views(d, &s.was, &s.is);
	s.n = deleted(d, b, &s.was, &s.is);
	while (s.n && !cursor.done) {
		n = shelf_scan_next(&s.is, d->root->catalog_dir, SHELF_CATALOG_DIR_BITS,
				    &cursor, leaf);
		for (i = 0; i < n; i++)
			sweep_catalog(&s, (const struct shelf_catalog *)leaf[i]);
		cond_resched();
	}
}

static int check_dangling(struct draft *d, const struct batch *b)
{
	struct report *r = d->report;

	if (d->guards->dangling == SHELF_DANGLING_ALLOW)
		return 0;
	if (b->map_ops[MAP_PRODUCTS])
		sweep_catalogs(d, b);
	if (!r->dangling)
		return 0;
	snprintf(r->message, sizeof(r->message),
		 "%llu members would name no product, the first: %lld of catalog %lld",
		 r->dangling, (long long)d->dangling_member, (long long)d->dangling_catalog);
	return d->guards->dangling == SHELF_DANGLING_REFUSE ? guard_error(d) : 0;
}

int draft_guard(struct draft *d, const struct batch *b)
{
	return check_counts(d) ?: check_dangling(d, b);
}
