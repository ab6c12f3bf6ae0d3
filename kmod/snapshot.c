// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From one snapshot to the next.
 *
 * P1  All or nothing: a draft is reachable by nobody until draft_publish()
 *     stores one word, which names both maps.
 * P3  Reuse: what was replaced is only handed to reclaim.c.
 * P5  Whatever fails in a draft, draft_drop() gives back exactly what it took,
 *     and the published snapshot has not been touched.
 */
#include "core.h"

static_assert(sizeof(struct shelf_root) == SHELF_PAGE_BYTES);
static_assert(offsetof(struct shelf_root, source_dir) == 512);
static_assert(offsetof(struct shelf_root, catalog_dir) == 1024);
static_assert(offsetof(struct shelf_root, product_dir) == 2048);
static_assert(sizeof(struct shelf_record) == SHELF_LINE);
static_assert(sizeof(struct shelf_product) == SHELF_LINE);
static_assert(sizeof(struct shelf_catalog) == SHELF_LINE);
static_assert(sizeof(struct shelf_page_header) == SHELF_LINE);
/* In a leaf the rest of its line is zeros, but for slot 0's next. */
static_assert(offsetof(struct shelf_page_header, writer) == SHELF_LINE / 2);
/* table.c changes either kind of record by these alone. */
static_assert(offsetof(struct shelf_record, next) == offsetof(struct shelf_product, next));
static_assert(offsetof(struct shelf_record, next) == offsetof(struct shelf_catalog, next));
static_assert(offsetof(struct shelf_record, state) == offsetof(struct shelf_product, state));
static_assert(offsetof(struct shelf_record, state) == offsetof(struct shelf_catalog, state));
/* The two words that change have a line of their own. */
static_assert(offsetof(struct shelf_control, current_word) == SHELF_LINE);
static_assert(offsetof(struct shelf_control, oldest) == SHELF_LINE + 8);
static_assert(offsetof(struct shelf_control, name) == 2 * SHELF_LINE);

int draft_error(struct draft *d, const struct op *op, int error, const char *what)
{
	static const char * const of[] = { "product", "catalog" };
	struct report *r = d->report;

	r->error = error;
	r->has_op = true;
	r->op = op->index;
	if (op_map(op) == MAP_SOURCES)
		snprintf(r->message, sizeof(r->message), "%s: source %.*s", what,
			 (int)op->len, (const char *)op->data);
	else
		snprintf(r->message, sizeof(r->message), "%s: %s %lld", what,
			 of[op_map(op)], (long long)op->id);
	return error;
}

static void draft_free(struct draft *d)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(d->fences); i++)
		kvfree(d->fences[i].fence);
	kvfree(d->edits);
	kvfree(d->edits_spare);
	kvfree(d->items);
	kvfree(d->sorter.spare);
	kvfree(d->sorter.counts);
	kfree(d->retired);
	kvfree(d);
}

static struct draft *draft_new(struct store *st, u32 items)
{
	struct draft *d = kvzalloc(sizeof(*d), DRAFT_GFP);

	if (!d)
		return NULL;
	d->store = st;
	d->generation = st->generation + 1;
	d->items_room = items;
	d->retired = kzalloc(sizeof(*d->retired), DRAFT_GFP);
	d->items = kvmalloc_array(max(items, 1U), sizeof(*d->items), DRAFT_GFP);
	d->sorter.spare = kvmalloc_array(max(items, 1U), sizeof(*d->items), DRAFT_GFP);
	d->sorter.counts = kvmalloc_array(SORT_COUNTS, sizeof(u32), DRAFT_GFP);
	if (d->retired && d->items && d->sorter.spare && d->sorter.counts)
		return d;
	draft_free(d);
	return NULL;
}

/* The new root begins as a copy of the newest one. */
static int draft_root(struct draft *d)
{
	struct store *st = d->store;
	struct shelf_root *old;
	int error;

	d->root_page = draft_alloc_page(d, SHELF_KIND_ROOT, 0, 0, &error);
	if (!d->root_page)
		return error;
	d->root = arena_page(&st->arena, d->root_page);
	if (st->root_page) {
		old = arena_page(&st->arena, st->root_page);
		arena_put(d->root, old, sizeof(*old));
		draft_retire_page(d, st->root_page);
		return 0;
	}
	arena_zero(d->root, sizeof(*d->root));
	arena_put_u64(&d->root->magic, SHELF_ROOT_MAGIC);
	return 0;
}

static struct draft *draft_start(struct store *st, u32 items, const struct batch *b,
				 struct report *report)
{
	struct draft *d;
	int ret;

	if (st->generation >= SHELF_GENERATION_MAX)
		return ERR_PTR(-EOVERFLOW);
	d = draft_new(st, items);
	if (!d)
		return ERR_PTR(-ENOMEM);
	d->report = report;
	d->trims = b->trims;
	d->checks = b->checks;
	d->guards = &b->guards;
	/*
	 * P3. Pairs with the acquire fence in shelf_retry(): stores to reused
	 * pages come after the oldest that announced the reuse, also if that
	 * was stored by another thread, under the same lock, before.
	 */
	smp_wmb();
	ret = draft_root(d);
	if (!ret)
		return d;
	draft_drop(d);
	return ERR_PTR(ret);
}

/* @spared: a check has left alone what pins keep. */
static const char *error_text(int error, bool spared)
{
	switch (error) {
	case -ENOSPC:
		if (spared)
			return "the shelf is full, but for what pins keep, and a check spares them";
		return "the shelf is full: the commit needs more than its maximum of bytes";
	case -ENOMEM:
		return "out of memory for the commit";
	case -EOVERFLOW:
		return "generations are used up";
	default:
		return "the commit is too large";
	}
}

static void report_error(struct report *report, int error, bool spared)
{
	report->error = error;
	if (!report->message[0])
		snprintf(report->message, sizeof(report->message), "%s",
			 error_text(error, spared));
}

static struct draft *draft_begin(struct store *st, const struct batch *b,
				 struct report *report)
{
	struct draft *d;

	memset(report, 0, sizeof(*report));
	st->pins->squeeze = 0;
	d = draft_start(st, max3(b->map_ops[MAP_PRODUCTS], b->map_ops[MAP_CATALOGS],
				 b->map_ops[MAP_SOURCES]), b, report);
	if (IS_ERR(d))
		report_error(report, (int)PTR_ERR(d), b->checks && st->retained_bytes);
	return d;
}

/* The batch's operations on one map, by place and, on one id, in their order. */
static u32 gather(struct draft *d, const struct batch *b, enum map map)
{
	const struct op_block *block;
	u32 n = 0, at;

	for (block = b->first; block; block = block->next) {
		for (at = 0; at < block->used;) {
			const struct op *op = (const struct op *)(block->bytes + at);

			at += (u32)op_bytes(op);
			if (op_map(op) != map)
				continue;
			d->items[n++] = (struct sort_item){
				shelf_place(shelf_hash(op->id, d->store->seed)),
				(u64)(uintptr_t)op,
			};
		}
		cond_resched();
	}
	sort_items(&d->sorter, d->items, n);
	return n;
}

static void draft_stamp(struct draft *d)
{
	arena_put_u64(&d->root->generation, d->generation);
	arena_put_u64(&d->root->committed_ns, store_realtime());
}

static int draft_apply(struct draft *d, const struct batch *b)
{
	struct table tables[MAPS] = {
		[MAP_PRODUCTS] = { d->root->product_dir, SHELF_PRODUCT_DIR_BITS,
				   SHELF_KIND_PRODUCTS, product_change },
		[MAP_CATALOGS] = { d->root->catalog_dir, SHELF_CATALOG_DIR_BITS,
				   SHELF_KIND_CATALOGS, catalog_change },
		[MAP_SOURCES] = { d->root->source_dir, SHELF_SOURCE_DIR_BITS,
				  SHELF_KIND_SOURCES, source_change },
	};
	enum map map;
	int ret = 0;

	for (map = 0; map < MAPS && !ret; map++)
		if (b->map_ops[map])
			ret = table_apply(d, &tables[map], d->items, gather(d, b, map));
	if (!ret)
		ret = draft_guard(d, b);
	if (ret) {
		report_error(d->report, ret, d->checks && d->store->retained_bytes);
		return ret;
	}
	draft_stamp(d);
	report_counts(d->report, d->root);
	d->report->ops = b->trims ? 0 : b->ops;
	d->report->pages = d->pages_written;
	return 0;
}

struct draft *draft_make(struct store *st, const struct batch *b, struct report *report)
{
	struct draft *d = draft_begin(st, b, report);
	int ret;

	if (IS_ERR(d))
		return d;
	ret = draft_apply(d, b);
	if (!ret)
		return d;
	draft_drop(d);	/* never visible, so no grace period */
	return ERR_PTR(ret);
}

/*
 * Makes the draft the newest snapshot: nothing here can fail or allocates.
 */
void draft_publish(struct draft *d)
{
	struct store *st = d->store;

	d->retired->generation = d->generation;
	d->report->generation = d->generation;
	st->root_page = d->root_page;
	st->generation = d->generation;
	WRITE_ONCE(st->commits, st->commits + 1);
	WRITE_ONCE(st->operations, st->operations + d->report->ops);
	if (!d->trims)
		st->content = d->generation;
	WRITE_ONCE(st->draft_pages, 0);
	d->new_pages = (struct page_list){ 0 };
	/* Pairs with the address dependency in root_of(): there is a chunk behind it. */
	smp_store_release(&st->pins->roots[d->generation % ROOTS_KEPT], d->root_page);

	/* P1. Pairs with rcu_dereference() in shelf_view_rcu(). */
	rcu_assign_pointer(st->root, d->root);
	/* P1. Pairs with the load-acquire in shelf_begin(). */
	smp_store_release(&st->control->current_word,
			  d->generation << SHELF_ROOT_BITS | d->root_page);
}

/*
 * What a published draft replaced enters quarantine; frees the draft. The grace
 * period begins here, behind the root that replaced it.
 */
void draft_retire(struct draft *d)
{
	struct store *st = d->store;
	struct retired *r = d->retired;

	d->retired = NULL;
	r->grace = start_poll_synchronize_rcu();
	r->since_ns = store_clock();
	r->next = NULL;
	if (st->last)
		st->last->next = r;
	else
		st->first = r;
	st->last = r;
	WRITE_ONCE(st->quarantined_pages, st->quarantined_pages + r->pages.count);
	WRITE_ONCE(st->quarantined_slot_bytes,
		   st->quarantined_slot_bytes + r->slots.bytes);
	slot_list_free(NULL, &d->new_slots);
	draft_free(d);
}

void draft_drop(struct draft *d)
{
	struct arena *a = &d->store->arena;
	u32 page;

	slot_list_free(a, &d->new_slots);
	arena_keep_pages(a, &d->retired->pages);
	while ((page = d->new_pages.head)) {
		page_list_del(a, &d->new_pages, page);
		if (page_meta(a, page)->kind == SHELF_KIND_SLAB)
			slab_forget(a, page);
		arena_free_page(a, page);
		cond_resched();
	}
	WRITE_ONCE(d->store->draft_pages, 0);
	slot_list_free(NULL, &d->retired->slots);
	draft_free(d);
}

int store_prepare(struct store *st, struct shelf_control *control)
{
	int ret = arena_init(&st->arena, control->max_bytes);

	st->control = control;
	st->seed = control->seed;
	st->quarantine_ns = QUARANTINE_NS;
	st->quarantine_bytes = QUARANTINE_BYTES;
	st->lease_ns = LEASE_NS;
	st->lease_max_ns = LEASE_MAX_NS;
	st->pin_bytes = control->max_bytes / 2;
	return ret ? ret : pins_init(st, (struct shelf_pins *)
				     ((u8 *)control + SHELF_PAGE_BYTES));
}

int store_init(struct store *st)
{
	static const struct batch nothing;
	struct report report = { 0 };
	struct draft *d;

	d = draft_start(st, 0, &nothing, &report);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	draft_stamp(d);
	draft_publish(d);
	draft_retire(d);
	/* An empty shelf is generation 1; 0 means "none" to those who wait. */
	st->commits = 0;
	return 0;
}
