// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Deletes give memory back: leaves and set pages merge, slabs are compacted, chunks
 * return; nobody's data changes (P1), pins keep theirs (P3), and a commit costs
 * what it did (P7).
 *
 * Seen to fail with: table_merge() left out; take_leaf() that forgets a record;
 * table_prune() left out; join_members() or join_fences() left out; attrs_move()
 * that leaves data pages where they are (it does not end); touch_set() left out;
 * arena_shrink() left out; chunk_return() of a chunk that isn't empty;
 * arena_reopen() left out of store_refill(), or slab_reopen() of arena_reopen();
 * touch_node() left out; a pass that begins anew with each step, that goes on past
 * what there was no room for, or that leaves sparse slabs in chunks that stay; a freed
 * slab that stays closed; chunks closed that are not the sparsest; a first pass that is
 * the last though slots are in quarantine.
 */
#include "unit.h"

static u8 blob[SHELF_ATTRS_MAX];

static u64 held(const struct hosted *h)
{
	return (u64)h->store.arena.chunks * SHELF_CHUNK_BYTES;
}

static u64 used_pages(const struct hosted *h)
{
	return (u64)h->store.arena.chunks * CHUNK_PAGES - h->store.arena.free_pages;
}

/* No chunk is there that what is in use could do without. */
static bool dense(const struct hosted *h)
{
	return held(h) <= used_pages(h) * SHELF_PAGE_BYTES * 5 / 4 + 2 * SHELF_CHUNK_BYTES;
}

/* Slabs that are emptied in chunks that stay: what is in slots needs no more. */
static bool slabs_dense(const struct hosted *h)
{
	const struct arena *a = &h->store.arena;

	return a->pages[SHELF_KIND_SLAB] * SHELF_PAGE_BYTES <=
	       a->slot_bytes * 5 / 4 + 300 * SHELF_PAGE_BYTES;
}

static void trim(struct hosted *h)
{
	u32 commits;
	u64 pages;

	assert_int_equal(hosted_trim(h, -1, &commits, &pages), 0);
	assert_true(commits < 1000);
}

static u32 attrs_len(s64 id)
{
	return id % 500 == 0 ? 9000 : (u32)(100 + id % 100);
}

static void put_with_attrs(struct hosted *h, s64 first, u32 n)
{
	struct batch b = new_batch();
	u32 i;

	for (i = 0; i < n; i++) {
		memset(blob, (int)(first + i), 8);
		stage(&b, SHELF_OP_PUT, first + i, FIELD_PRICE | FIELD_ATTRS, 5, blob,
		      attrs_len(first + i));
	}
	must_commit(h, &b);
}

static void delete_all_but(struct hosted *h, s64 n, s64 each)
{
	struct batch b = new_batch();
	s64 id;

	for (id = 0; id < n; id++)
		if (id % each)
			stage(&b, SHELF_OP_DELETE, id, 0, 0, NULL, 0);
	must_commit(h, &b);
}

static void must_have(struct hosted *h, s64 n, s64 each)
{
	static u8 attrs[SHELF_ATTRS_MAX];
	struct shelf_view v = hosted_view(h);
	s64 id;

	for (id = 0; id < n; id++) {
		const struct shelf_product *p = shelf_view_product(&v, id);

		assert_int_equal(!!p, !(id % each));
		if (!p)
			continue;
		assert_int_equal(shelf_view_attrs(&v, p, attrs, sizeof(attrs)),
				 attrs_len(id));
		assert_int_equal(attrs[0], (u8)id);
		assert_int_equal(attrs[8], 0);
	}
}

/* The delete alone leaves the trie as small as if it had never been larger. */
static void test_leaves_merge(void **state)
{
	static const u32 keep[] = { 1, 2, 3, 10, 100, 5000, 60000 };
	u64 small, large;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(keep); i++) {
		struct hosted *h = make(256 * MIB, 0);
		u32 n = (60000 + keep[i] - 1) / keep[i];
		struct batch b = new_batch();
		u32 id;

		for (id = 0; id < n; id++)
			stage(&b, SHELF_OP_PUT, (s64)id * keep[i], FIELD_PRICE, 1, NULL, 0);
		must_commit(h, &b);
		store_reclaim(&h->store);
		small = used_pages(h);
		hosted_close(h);

		h = make(256 * MIB, 0);
		put_range(h, 0, 60000, 1);
		delete_all_but(h, 60000, keep[i]);
		store_reclaim(&h->store);
		large = used_pages(h);
		model_account(h);
		assert_true(large <= small * 8 / 5 + 8);
		for (id = 0; id < 60000; id++)
			assert_int_equal(!!product(h, id), !(id % keep[i]));
		hosted_close(h);
	}
}

/* Deletes one by one, too, and what is put again is there again. */
static void test_one_by_one(void **state)
{
	struct hosted *h = make(64 * MIB, 0);
	struct batch b = new_batch();
	s64 id;

	(void)state;
	put_range(h, 0, 3000, 1);
	for (id = 0; id < 3000; id++) {
		stage(&b, SHELF_OP_DELETE, id * 1009 % 3000, 0, 0, NULL, 0);
		assert_true(must_commit(h, &b).pages <= 8);
		if (id % 100 == 0)
			model_account(h);
	}
	assert_int_equal(h->store.root->products, 0);
	assert_int_equal(used_pages(h) - h->store.quarantined_pages, 2);
	put_range(h, 0, 3000, 2);
	assert_int_equal(product(h, 17)->price, 2);
	model_account(h);
	hosted_close(h);
}

static void add_members(struct hosted *h, s64 catalog, s64 first, s64 n, s64 step)
{
	static s64 ids[SHELF_MEMBERS_MAX];
	struct batch b = new_batch();
	s64 at;
	u32 i;

	for (at = 0; at < n; at += i) {
		for (i = 0; i < SHELF_MEMBERS_MAX && at + i < n; i++)
			ids[i] = (first + at + i) * step;
		stage(&b, SHELF_OP_CATALOG_ADD, catalog, 0, 0, ids, i);
	}
	must_commit(h, &b);
}

/* What is left of a large set does not lie in as many pages as it did. */
static void test_set_pages_join(void **state)
{
	struct hosted *h = make(128 * MIB, 0);
	struct batch b = new_batch();
	static s64 ids[SHELF_MEMBERS_MAX];
	u64 before;
	s64 id;
	u32 n = 0;

	(void)state;
	add_members(h, 3, 0, 1000000, 1);
	before = used_pages(h);
	for (id = 0; id < 1000000; id++) {
		if (id % 100)
			ids[n++] = id;
		if (n == SHELF_MEMBERS_MAX || id == 999999) {
			stage(&b, SHELF_OP_CATALOG_REMOVE, 3, 0, 0, ids, n);
			n = 0;
		}
	}
	must_commit(h, &b);
	store_reclaim(&h->store);
	assert_int_equal(catalog(h, 3)->count, 10000);
	assert_in_range(before, 1985, 2010);
	/* 27 pages of 378, one of fences, root and leaf, what did not join. */
	assert_in_range(used_pages(h), 29, 38);
	model_account(h);
	hosted_close(h);
}

static u64 snapshot_hash(struct hosted *h)
{
	struct shelf_view v = hosted_view(h);
	u64 hash = 14695981039346656037ULL;
	static s64 ids[2000];
	bool more = true;
	s64 after = 0;
	u32 n, i;

	while (more) {
		const struct shelf_catalog *c = shelf_view_catalog(&v, 3);

		n = shelf_catalog_copy(&v, c, hash == 14695981039346656037ULL, after, ids,
				       2000, &more);
		for (i = 0; i < n; i++)
			hash = (hash ^ (u64)ids[i]) * 1099511628211ULL;
		after = n ? ids[n - 1] : after;
	}
	return hash;
}

/* The figure that the documentation gives, smaller: 99 of 100 are deleted. */
static void test_trim(void **state)
{
	struct hosted *h = make(512 * MIB, 0);
	u64 peak, hash, generation;
	s64 id;

	(void)state;
	put_with_attrs(h, 0, 100000);
	add_members(h, 3, 0, 100000, 7);
	for (id = 10; id < 3000; id++)
		add_members(h, id, 0, 2 + id % 200, id);
	peak = held(h);
	delete_all_but(h, 100000, 100);
	hash = snapshot_hash(h);
	generation = product(h, 500)->generation;
	trim(h);
	assert_true(held(h) <= peak / 20 + 8 * MIB);
	assert_true(dense(h) && slabs_dense(h));
	assert_true(h->store.content < h->store.generation);
	assert_int_equal(product(h, 500)->generation, generation);
	must_have(h, 100000, 100);
	assert_true(snapshot_hash(h) == hash);
	model_account(h);
	/* Nothing is left to be done, and what was given back comes again. */
	generation = h->store.generation;
	trim(h);
	assert_int_equal(h->store.generation, generation);
	put_with_attrs(h, 0, 100000);
	must_have(h, 100000, 1);
	model_account(h);
	hosted_close(h);
}

/* One step as a trim makes it, which must go on downwards. */
static enum trim_next step(struct hosted *h, u64 *ops)
{
	u32 from = h->store.trim.page;
	struct batch b = new_batch();
	enum trim_next next;

	assert_int_equal(trim_stage(&h->store, &b), 0);
	*ops += b.ops;
	if (b.ops)
		must_commit(h, &b);
	next = trim_next(&h->store, 0);
	if (next == TRIM_STEP)
		assert_true(h->store.trim.page && (!from || h->store.trim.page < from));
	return next;
}

/* Slots in quarantine are no reason to keep their slabs, nor chunks for these. */
static void test_trim_of_deleted(void **state)
{
	struct hosted *h = make(256 * MIB, 3600000);
	enum trim_next next;
	u64 ops = 0;

	(void)state;
	put_with_attrs(h, 1, 40000);
	delete_all_but(h, 40001, 50000);
	do {
		next = step(h, &ops);
	} while (next == TRIM_STEP);
	assert_int_equal(ops, 0);
	assert_int_equal(next, TRIM_WAIT);
	h->store.quarantine_ns = 0;
	trim(h);
	assert_true(held(h) <= 2 * SHELF_CHUNK_BYTES);
	model_account(h);
	hosted_close(h);
}

/* No step looks at what one before it has, though none of that is free yet. */
static void test_trim_goes_down(void **state)
{
	struct hosted *h = make(512 * MIB, 3600000);
	struct batch b = new_batch();
	enum trim_next next;
	u64 ops = 0;
	u32 page;

	(void)state;
	h->store.quarantine_bytes = UINT64_MAX;
	put_with_attrs(h, 0, 200000);
	delete_all_but(h, 200000, 4);
	next = step(h, &ops);
	assert_int_equal(next, TRIM_STEP);
	page = h->store.trim.page;
	assert_int_equal(trim_stage(&h->store, &b), 0);
	batch_free(&b);		/* no room for it, say */
	assert_int_equal(trim_next(&h->store, -ENOSPC), TRIM_STEP);
	assert_int_equal(h->store.trim.page, page);
	while (next == TRIM_STEP)
		next = step(h, &ops);
	assert_int_equal(next, TRIM_WAIT);
	assert_in_range(ops, 10000, 60000);
	must_have(h, 200000, 4);
	hosted_close(h);
}

/* Whatever lies in a chunk finds its way out, be its parents and children elsewhere. */
static void test_each_chunk_empties(void **state)
{
	struct hosted *h = make(512 * MIB, 0);
	const struct arena *a = &h->store.arena;
	u32 i, returned = 0;
	u64 ops = 0;

	(void)state;
	put_with_attrs(h, 0, 100000);
	add_members(h, 3, 0, 100000, 7);
	for (i = 1; i < 16; i++) {
		assert_non_null(a->meta[i]);
		arena_close(&h->store.arena, i);
		h->store.trim = (struct trim){ a->max_chunks * CHUNK_PAGES, .ops = 1000 };
		while (step(h, &ops) == TRIM_STEP)
			;
		store_reclaim(&h->store);
		returned += !a->meta[i];
	}
	assert_int_equal(returned, 15);
	must_have(h, 100000, 1);
	model_account(h);
	hosted_close(h);
}

/* With nodes, pages of large sets and of attributes among what moves. */
static void test_trim_all_kinds(void **state)
{
	struct hosted *h = make(512 * MIB, 0);

	(void)state;
	put_with_attrs(h, 0, 100000);
	add_members(h, 3, 0, 100000, 7);
	delete_all_but(h, 100000, 5);
	trim(h);
	assert_true(dense(h) && slabs_dense(h));
	assert_true(h->store.arena.pages[SHELF_KIND_NODE] > 100);
	must_have(h, 100000, 5);
	model_account(h);
	hosted_close(h);
}

/* P3: what a pin needs stays where it is, and its chunks with it. */
static void test_trim_beside_a_pin(void **state)
{
	struct hosted *h = make(512 * MIB, 0);
	struct shelf_view v;
	struct pin p = {};
	u64 peak;
	s64 id;

	(void)state;
	put_with_attrs(h, 0, 50000);
	peak = held(h);
	assert_int_equal(store_pin(&h->store, &p, 0, 0), 0);
	delete_all_but(h, 50000, 100);
	trim(h);
	assert_true(held(h) > peak / 2);
	v = hosted_view(h);
	v.root = p.root;
	for (id = 0; id < 50000; id++)
		assert_int_equal(shelf_view_product(&v, id)->price, 5);
	must_have(h, 50000, 100);
	model_account(h);
	assert_int_equal(store_unpin(&h->store, &p), 0);
	trim(h);
	assert_true(held(h) <= peak / 20 + 8 * MIB);
	must_have(h, 50000, 100);
	hosted_close(h);
}

/* A shelf at its cap is trimmed too, and commits go on while chunks are closed. */
static void test_trim_in_need(void **state)
{
	struct hosted *h = make(32 * MIB, 0);
	u32 round;

	(void)state;
	for (round = 0; round < 10; round++) {
		struct batch b = new_batch();

		put_with_attrs(h, 0, 60000);
		delete_all_but(h, 60000, 50);
		assert_int_equal(trim_stage(&h->store, &b), 0);
		batch_free(&b);		/* closed, and nothing moved */
		put_with_attrs(h, 0, 60000);
		must_have(h, 60000, 1);
		delete_all_but(h, 60000, 50);
		trim(h);
		must_have(h, 60000, 50);
		model_account(h);
	}
	hosted_close(h);
}

/* Whatever fails, nothing is lost, and it can be tried again. */
static void test_trim_fails(void **state)
{
	struct hosted *h = make(128 * MIB, 0);
	u32 commits, failures = 0;
	u64 pages;
	long n;
	int ret;

	(void)state;
	for (n = 1; n < 400; n += 1 + n / 10) {
		put_with_attrs(h, 0, 20000);
		delete_all_but(h, 20000, 40);
		shim_fail_in = n;
		ret = hosted_trim(h, -1, &commits, &pages);
		failures += ret == -ENOMEM;
		assert_true(!ret || ret == -ENOMEM);
		shim_fail_in = 0;
		must_have(h, 20000, 40);
		model_account(h);
	}
	assert_true(failures > 3);
	trim(h);
	must_have(h, 20000, 40);
	hosted_close(h);
}

/* The random shelves of the model, trimmed every now and then. */
static void test_trim_random(void **state)
{
	struct hosted *h = make(256 * MIB, 0);
	struct model *m = malloc(sizeof(*m));
	u64 random = 77;
	u32 i;

	(void)state;
	model_init(m, &random);
	for (i = 0; i < 60; i++) {
		struct batch b = new_batch();
		struct shelf_view v;

		model_batch(m, &b, model_below(&random, 3) ? 60 : 3000, &random);
		must_commit(h, &b);
		if (i % 2)
			trim(h);
		v = hosted_view(h);
		model_compare(m, &v, &random);
		trim(h);
		v = hosted_view(h);
		model_compare(m, &v, &random);
		model_account(h);
	}
	model_free(m);
	free(m);
	hosted_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaves_merge),
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_set_pages_join),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_trim_of_deleted),
		cmocka_unit_test(test_trim_goes_down),
		cmocka_unit_test(test_each_chunk_empties),
		cmocka_unit_test(test_trim_all_kinds),
		cmocka_unit_test(test_trim_beside_a_pin),
		cmocka_unit_test(test_trim_in_need),
		cmocka_unit_test(test_trim_fails),
		cmocka_unit_test(test_trim_random),
	};

	UNIT_MAIN(tests, argc, argv);
}
