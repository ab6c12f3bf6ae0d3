// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P5: ids, records, attributes and batches at their limits.
 */
#include "unit.h"

/* Sorting: stable, and right on either side of where the method changes. */
static void test_sort(void **state)
{
	static const u32 sizes[] = { 0, 1, 2, 64, 65, 1000, 100000 };
	u64 random = 1;
	u32 i, n, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct sort_item *items = calloc(sizes[i] + 1, sizeof(*items));
		struct sorter s = {
			calloc(sizes[i] + 1, sizeof(*items)),
			calloc(SORT_COUNTS, sizeof(u32)),
		};

		n = sizes[i];
		for (j = 0; j < n; j++)
			items[j] = (struct sort_item){
				model_random(&random) >> (j % 2 ? 0 : 52), j };
		sort_items(&s, items, n);
		for (j = 1; j < n; j++)
			assert_true(items[j - 1].key < items[j].key ||
				    (items[j - 1].key == items[j].key &&
				     items[j - 1].value < items[j].value));
		free(items);
		free(s.spare);
		free(s.counts);
	}
}

/* The place of a hash: ascending, and shared by at most two. */
static void test_place(void **state)
{
	static const u64 from[] = { 0, 1ULL << 62, 3ULL << 62, ~0ULL - 100000 };
	u32 i, j, same;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(from); i++) {
		for (j = 1, same = 0; j < 100000; j++) {
			u64 a = shelf_place(from[i] + j - 1);
			u64 b = shelf_place(from[i] + j);

			assert_true(a <= b);
			same = a == b ? same + 1 : 0;
			assert_true(same < 2);
		}
	}
}

/* Any int64 is an id, the extremes and those that look like nothing. */
static void test_extremes(void **state)
{
	static const s64 ids[] = { 0, -1, 1, INT64_MIN, INT64_MAX, 0x7fffffff };
	struct hosted *h = make(16 * MIB, 0);
	struct batch b = new_batch();
	u32 i;

	(void)state;
	assert_null(product(h, 0));
	assert_null(catalog(h, 0));
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		stage(&b, SHELF_OP_PUT, ids[i], FIELD_PRICE, ids[i], NULL, 0);
		stage(&b, SHELF_OP_CATALOG_ADD, ids[i], 0, 0, ids, ARRAY_SIZE(ids));
	}
	must_commit(h, &b);
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		struct shelf_view v = hosted_view(h);

		assert_non_null(product(h, ids[i]));
		assert_int_equal(product(h, ids[i])->price, ids[i]);
		assert_int_equal(catalog(h, ids[i])->count, ARRAY_SIZE(ids));
		assert_true(shelf_catalog_has(&v, catalog(h, ids[0]), ids[i]));
	}
	assert_null(product(h, 2));
	model_account(h);
	hosted_close(h);
}

/* Attributes at every length where their form changes, there and back. */
static void test_attrs(void **state)
{
	static const u32 lens[] = {
		0, 1, 8, 9, SHELF_ATTRS_INLINE, SHELF_ATTRS_INLINE + 1, 4096, 4097,
		SHELF_ATTRS_MAX, 3, SHELF_ATTRS_MAX, 0,
	};
	static u8 data[SHELF_ATTRS_MAX + 1], out[SHELF_ATTRS_MAX];
	struct hosted *h = make(16 * MIB, 0);
	struct op op = { .kind = SHELF_OP_PUT, .fields = FIELD_ATTRS };
	const char *why;
	u32 i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		struct batch b = new_batch();
		struct shelf_view v;

		for (j = 0; j < lens[i]; j++)
			data[j] = (u8)(i * 7 + j * 13);
		stage(&b, SHELF_OP_PUT, 5, FIELD_ATTRS, 0, data, lens[i]);
		must_commit(h, &b);
		v = hosted_view(h);
		assert_int_equal(product(h, 5)->attrs_len, lens[i]);
		assert_int_equal(shelf_view_attrs(&v, product(h, 5), out, sizeof(out)),
				 lens[i]);
		assert_memory_equal(out, data, lens[i]);
		model_account(h);
	}
	op.len = SHELF_ATTRS_MAX + 1;
	struct batch b = new_batch();

	assert_int_equal(batch_add(&b, &op, data, &why), -EMSGSIZE);
	hosted_close(h);
}

/*
 * What staging refuses, and with which error. Seen to fail with a length compared as
 * 16 bits.
 */
static void test_refusals(void **state)
{
	static const struct {
		struct op op;
		int error;
	} cases[] = {
		{ { .kind = 0 }, -EINVAL },
		{ { .kind = SHELF_OP_MAX + 1 }, -EINVAL },
		{ { .kind = SHELF_OP_CATALOG_ADD }, -EINVAL },
		{ { .kind = SHELF_OP_CATALOG_REMOVE }, -EINVAL },
		{ { .kind = SHELF_OP_CATALOG_ADD, .len = SHELF_MEMBERS_MAX + 1 }, -EMSGSIZE },
		/* And what 16 bits, or a sign, would take for less. */
		{ { .kind = SHELF_OP_CATALOG_ADD, .len = (1 << 16) + 1 }, -EMSGSIZE },
		{ { .kind = SHELF_OP_CATALOG_REMOVE, .len = U32_MAX }, -EMSGSIZE },
		{ { .kind = SHELF_OP_PUT, .fields = FIELD_ATTRS,
		    .len = SHELF_ATTRS_MAX + 1 }, -EMSGSIZE },
		{ { .kind = SHELF_OP_PUT, .fields = FIELD_ATTRS,
		    .len = (1 << 16) + 1 }, -EMSGSIZE },
		{ { .kind = SHELF_OP_PATCH, .fields = FIELD_ATTRS, .len = U32_MAX }, -EMSGSIZE },
		{ { .kind = SHELF_OP_DELETE, .fields = FIELD_PRICE }, -EINVAL },
		{ { .kind = SHELF_OP_DELETE, .len = 1 }, -EINVAL },
		{ { .kind = SHELF_OP_PUT, .len = 1 }, -EINVAL },
		{ { .kind = SHELF_OP_PUT, .fields = FIELD_CURRENCY, .currency = "eur" }, -EINVAL },
		{ { .kind = SHELF_OP_PUT, .fields = FIELD_CURRENCY, .currency = "EU" }, -EINVAL },
		{ { .kind = SHELF_OP_PUT, .fields = FIELD_CURRENCY, .currency = { 0, 'E' } },
		  -EINVAL },
		{ { .kind = SHELF_OP_PUT, .fields = FIELD_CURRENCY, .currency = { 0, 0, 'E' } },
		  -EINVAL },
		{ { .kind = SHELF_OP_PUT, .fields = FIELD_CURRENCY,
		    .currency = { 'E', 'U', 'R', 'O' } }, -EINVAL },
	};
	static s64 members[SHELF_MEMBERS_MAX + 1];
	struct batch b = new_batch();
	const char *why;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(batch_add(&b, &cases[i].op, members, &why),
				 cases[i].error);
		assert_non_null(why);
	}
	assert_int_equal(b.ops, 0);
	stage(&b, SHELF_OP_PUT, 1, FIELD_CURRENCY, 0, NULL, 0);	/* none is a currency */
	batch_free(&b);
	b.limit = sizeof(struct op) - 1;
	assert_int_equal(batch_add(&b, &(struct op){ .kind = SHELF_OP_DELETE }, NULL, &why),
			 -EDQUOT);
	b.limit = 2 * sizeof(struct op) - 1;
	stage(&b, SHELF_OP_DELETE, 1, 0, 0, NULL, 0);
	assert_int_equal(batch_add(&b, &(struct op){ .kind = SHELF_OP_DELETE }, NULL, &why),
			 -EDQUOT);
	batch_free(&b);
}

/* Operations on one id take effect in their order. */
static void test_order(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	struct batch b = new_batch();
	struct report report;
	s64 members[] = { 3, 1, 2, 1 };
	u32 i;

	(void)state;
	for (i = 0; i < 5000; i++)	/* many more than a leaf takes */
		stage(&b, SHELF_OP_PUT, 1, FIELD_PRICE, i, NULL, 0);
	stage(&b, SHELF_OP_PUT, 2, FIELD_PRICE | FIELD_ATTRS, 7, "abc", 3);
	stage(&b, SHELF_OP_PATCH, 2, FIELD_PRICE, 8, NULL, 0);
	stage(&b, SHELF_OP_PUT, 3, FIELD_PRICE, 1, NULL, 0);
	stage(&b, SHELF_OP_DELETE, 3, 0, 0, NULL, 0);
	stage(&b, SHELF_OP_DELETE, 4, 0, 0, NULL, 0);
	stage(&b, SHELF_OP_PUT, 4, FIELD_PRICE, 4, NULL, 0);
	stage(&b, SHELF_OP_CATALOG_ADD, 1, 0, 0, members, 4);
	stage(&b, SHELF_OP_CATALOG_REMOVE, 1, 0, 0, members, 1);
	stage(&b, SHELF_OP_CATALOG_ADD, 2, 0, 0, members, 4);
	stage(&b, SHELF_OP_CATALOG_DELETE, 2, 0, 0, NULL, 0);
	stage(&b, SHELF_OP_CATALOG_ADD, 2, 0, 0, members, 1);
	stage(&b, SHELF_OP_CATALOG_DELETE, 3, 0, 0, NULL, 0);
	stage(&b, SHELF_OP_CATALOG_DELETE, 3, 0, 0, NULL, 0);
	report = must_commit(h, &b);
	assert_int_equal(product(h, 1)->price, 4999);
	assert_int_equal(product(h, 2)->price, 8);
	assert_int_equal(product(h, 2)->attrs_len, 3);
	assert_null(product(h, 3));
	assert_int_equal(product(h, 4)->price, 4);
	assert_int_equal(catalog(h, 1)->count, 2);
	assert_int_equal(catalog(h, 2)->count, 1);
	assert_int_equal(report.absent, 4);	/* product 4, member 3, catalog 3 twice */
	model_account(h);
	hosted_close(h);
}

/* P5: a patch of what is not there refuses the whole batch, and says which. */
static void test_patch_absent(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	struct batch b = new_batch();
	struct report report;

	(void)state;
	put_range(h, 1, 10, 1);
	stage(&b, SHELF_OP_PUT, 1, FIELD_PRICE, 2, NULL, 0);
	stage(&b, SHELF_OP_PATCH, -77, FIELD_PRICE, 2, NULL, 0);
	assert_int_equal(commit(h, &b, &report), -ENOENT);
	assert_true(report.has_op);
	assert_int_equal(report.op, 1);
	assert_non_null(strstr(report.message, "product -77"));
	assert_int_equal(product(h, 1)->price, 1);
	assert_int_equal(h->store.generation, 2);
	model_account(h);
	hosted_close(h);
}

/* P5: a commit over the maximum is dropped whole, and a smaller one succeeds. */
static void test_full(void **state)
{
	struct hosted *h = make(4 * MIB, 0);
	struct batch b = new_batch();
	struct report report;
	u64 pages;
	u32 i;

	(void)state;
	put_range(h, 0, 5000, 1);
	model_account(h);
	pages = h->store.arena.pages[SHELF_KIND_PRODUCTS];
	for (i = 0; i < 100000; i++)
		stage(&b, SHELF_OP_PUT, i, FIELD_PRICE, 2, NULL, 0);
	assert_int_equal(commit(h, &b, &report), -ENOSPC);
	assert_non_null(strstr(report.message, "full"));
	assert_int_equal(h->store.root->products, 5000);
	assert_int_equal(h->store.arena.pages[SHELF_KIND_PRODUCTS], pages);
	for (i = 0; i < 5000; i++)
		assert_int_equal(product(h, i)->price, 1);
	model_account(h);
	put_range(h, 0, 100, 3);
	assert_int_equal(product(h, 99)->price, 3);
	hosted_close(h);
}

/* The last generation is the last: no wrap. */
static void test_generations_end(void **state)
{
	struct hosted *h = make(4 * MIB, 0);
	struct batch b = new_batch();
	struct report report;

	(void)state;
	h->store.generation = SHELF_GENERATION_MAX - 1;
	put_range(h, 0, 1, 1);
	stage(&b, SHELF_OP_DELETE, 0, 0, 0, NULL, 0);
	assert_int_equal(commit(h, &b, &report), -EOVERFLOW);
	assert_non_null(product(h, 0));
	hosted_close(h);
}

/* Undoes shelf_hash(), to make ids that collide. */
static u64 unshift(u64 x, u32 by)
{
	u64 y = x;
	u32 i;

	for (i = by; i < 64; i += by)
		y = x ^ y >> by;
	return y;
}

static u64 inverse(u64 odd)
{
	u64 x = odd;
	u32 i;

	for (i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

static s64 unhash(u64 hash)
{
	u64 x = unshift(hash, 32) * inverse(0xa0761d6478bd642fULL);

	x = unshift(x, 29) * inverse(0xd6e8feb86659fd93ULL);
	return (s64)(unshift(x, 32) ^ fixed_seed);
}

/*
 * Ids of neighbouring hashes: the trie must go down all of its levels, and two
 * of them that share a place must stay apart.
 */
static void test_collisions(void **state)
{
	static const u64 bases[] = { 0, 0x123456789abcdef0ULL, ~0ULL - 4096 };
	struct hosted *h = make(64 * MIB, 0);
	u32 i, k, n = 3000;

	(void)state;
	assert_int_equal(shelf_hash(unhash(12345), fixed_seed), 12345);
	for (k = 0; k < ARRAY_SIZE(bases); k++) {
		for (u32 step = 1; step < n; step *= 10) {
			struct batch b = new_batch();

			for (i = 0; i < n; i += step)
				stage(&b, SHELF_OP_PUT, unhash(bases[k] + i), FIELD_PRICE,
				      i + step, NULL, 0);
			must_commit(h, &b);
			model_account(h);
			for (i = 0; i < n; i += step)
				assert_int_equal(product(h, unhash(bases[k] + i))->price,
						 i + step);
		}
	}
	assert_null(product(h, unhash(bases[1] - 1)));
	for (k = 0; k < ARRAY_SIZE(bases); k++) {
		struct batch b = new_batch();

		for (i = 0; i < n; i++)
			stage(&b, SHELF_OP_DELETE, unhash(bases[k] + i), 0, 0, NULL, 0);
		must_commit(h, &b);
		model_account(h);
	}
	assert_int_equal(h->store.root->products, 0);
	hosted_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_attrs),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_patch_absent),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_generations_end),
		cmocka_unit_test(test_collisions),
	};

	UNIT_MAIN(tests, argc, argv);
}
