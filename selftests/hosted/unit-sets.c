// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P7: sets through all their sizes, and what a small change costs.
 */
#include "unit.h"

static u64 walk_set(struct hosted *h, s64 id, s64 step)
{
	static s64 page[1000];
	struct shelf_view v = hosted_view(h);
	const struct shelf_catalog *c = catalog(h, id);
	s64 want = 0, after = 0;
	u64 total = 0;
	bool more = c;

	for (bool first = true; more; first = false) {
		u32 n = shelf_catalog_copy(&v, c, first, after, page, 1000, &more), i;

		for (i = 0; i < n; i++, want += step)
			assert_int_equal(page[i], want);
		after = page[n - 1];
		total += n;
	}
	return total;
}

static void add_range(struct hosted *h, u8 kind, s64 id, u32 first, u32 n, s64 step)
{
	struct batch b = new_batch();
	s64 members[SHELF_MEMBERS_MAX];
	u32 i = 0, k;

	while (i < n) {
		for (k = 0; k < SHELF_MEMBERS_MAX && i < n; i++, k++)
			members[k] = (s64)(first + i) * step;
		stage(&b, kind, id, 0, 0, members, k);
	}
	must_commit(h, &b);
}

/* A set through all its forms, up to a million members and down again. */
static void test_set_sizes(void **state)
{
	static const u32 sizes[] = {
		1, 4, 5, SHELF_SLOT_MEMBERS, SHELF_SLOT_MEMBERS + 1, 504, 505,
		20000, 130000, 1000000,
	};
	struct hosted *h = make(128 * MIB, 0);
	u32 i, have = 0;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		add_range(h, SHELF_OP_CATALOG_ADD, 9, have, sizes[i] - have, 3);
		have = sizes[i];
		assert_int_equal(catalog(h, 9)->count, have);
		assert_int_equal(walk_set(h, 9, 3), have);
		model_account(h);
	}
	assert_int_equal(catalog(h, 9)->set, SHELF_SET_TREE);
	assert_int_equal(catalog(h, 9)->level, 2);
	for (i = ARRAY_SIZE(sizes) - 1; i--;) {
		add_range(h, SHELF_OP_CATALOG_REMOVE, 9, sizes[i], have - sizes[i], 3);
		have = sizes[i];
		assert_int_equal(walk_set(h, 9, 3), have);
		model_account(h);
	}
	add_range(h, SHELF_OP_CATALOG_REMOVE, 9, 0, 1, 3);
	assert_null(catalog(h, 9));
	assert_int_equal(h->store.root->memberships, 0);
	model_account(h);
	hosted_close(h);
}

/* P7: one member of a million copies its page, its path, leaf and root. */
static void test_set_cost(void **state)
{
	struct hosted *h = make(128 * MIB, 0);
	struct batch b = new_batch();
	s64 id = 7;

	(void)state;
	add_range(h, SHELF_OP_CATALOG_ADD, 9, 0, 1000000, 2);
	stage(&b, SHELF_OP_CATALOG_ADD, 9, 0, 0, &id, 1);
	assert_in_range(must_commit(h, &b).pages, 1, 6);
	model_account(h);
	hosted_close(h);
}

/* P7: pages copied by one patch do not grow with the shelf. */
static void test_patch_cost(void **state)
{
	static const u32 sizes[] = { 100, 10000, 300000 };
	struct hosted *h = make(256 * MIB, 0);
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct batch b = new_batch();

		put_range(h, 0, sizes[i], 1);
		stage(&b, SHELF_OP_PATCH, 50, FIELD_PRICE, 2 + i, NULL, 0);
		assert_in_range(must_commit(h, &b).pages, 2, 4);
	}
	hosted_close(h);
}

/* An operation that changes nothing copies nothing but the root. */
static void test_no_change(void **state)
{
	struct hosted *h = make(64 * MIB, 0);
	struct batch b = new_batch();
	s64 members[3] = { 1, 2, 3 };

	(void)state;
	put_range(h, 0, 1000, 1);
	stage(&b, SHELF_OP_CATALOG_ADD, 1, 0, 0, members, 3);
	must_commit(h, &b);
	stage(&b, SHELF_OP_PUT, 5, FIELD_PRICE, 1, NULL, 0);
	stage(&b, SHELF_OP_DELETE, 5000, 0, 0, NULL, 0);
	stage(&b, SHELF_OP_CATALOG_ADD, 1, 0, 0, members, 3);
	assert_int_equal(must_commit(h, &b).pages, 1);
	assert_int_equal(product(h, 5)->generation, 2);
	hosted_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_sizes),
		cmocka_unit_test(test_set_cost),
		cmocka_unit_test(test_patch_cost),
		cmocka_unit_test(test_no_change),
	};

	UNIT_MAIN(tests, argc, argv);
}
