// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Guards: a commit is refused, whole, that changes a count by more than it may or that
 * leaves members without their product; and checks: all of a commit but its effect.
 *
 * Seen to fail with: a guard that looks at all members and not at those that the batch
 * adds; one that counts twice what is added while its product is deleted; one without
 * the sweep behind deletes; a bound that is off by one; a check that is published, or
 * that revokes a pin.
 */
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"
#include "digest.h"
#include "../../tools/lib/shelf.h"

#define PRODUCTS	200
#define CATALOGS	6

static u64 random_state;

static u32 below(u32 n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(random_state >> 33) % n;
}

static u64 digest(struct hosted *h)
{
	struct shelf_view v = hosted_view(h);

	return snapshot_digest(&v);
}

static void add(struct batch *b, s64 catalog, s64 first, u32 n)
{
	s64 ids[SHELF_MEMBERS_MAX];
	u32 i;

	for (i = 0; i < n; i++)
		ids[i] = first + i;
	stage(b, SHELF_OP_CATALOG_ADD, catalog, 0, 0, ids, n);
}

static void delete_range(struct batch *b, s64 first, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		stage(b, SHELF_OP_DELETE, first + i, 0, 0, NULL, 0);
}

static struct batch guarded(u32 max_change, enum shelf_dangling dangling)
{
	struct batch b = new_batch();

	b.guards = (struct guards){ max_change, (u8)dangling };
	return b;
}

static void refused(struct hosted *h, struct batch *b, const char *words)
{
	u64 before = digest(h), generation = h->store.generation;
	struct report r;

	assert_int_equal(commit(h, b, &r), -EDOM);
	if (strcmp(r.message, words))
		print_message("%s\n", r.message);
	assert_string_equal(r.message, words);
	assert_int_equal(digest(h), before);
	assert_int_equal(h->store.generation, generation);
	store_account(&h->store);
}

static void test_change(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	struct batch b = guarded(1, SHELF_DANGLING_ALLOW);
	u32 i;

	(void)state;
	/* From nothing to anything. */
	for (i = 0; i < 1000; i++)
		stage(&b, SHELF_OP_PUT, i, 0, 0, NULL, 0);
	for (i = 0; i < 10; i++)
		add(&b, i, 0, 100);
	must_commit(h, &b);

	b = guarded(20, SHELF_DANGLING_ALLOW);
	delete_range(&b, 0, 200);
	must_commit(h, &b);
	b = guarded(20, SHELF_DANGLING_ALLOW);
	delete_range(&b, 200, 161);
	refused(h, &b, "products would go from 800 to 639, by 21 per cent; at most 20 are allowed");
	b = guarded(100, SHELF_DANGLING_ALLOW);
	for (i = 0; i < 801; i++)
		stage(&b, SHELF_OP_PUT, 5000 + i, 0, 0, NULL, 0);
	refused(h, &b,
		"products would go from 800 to 1601, by 101 per cent; at most 100 are allowed");
	b = guarded(10, SHELF_DANGLING_ALLOW);
	stage(&b, SHELF_OP_CATALOG_DELETE, 1, 0, 0, NULL, 0);
	must_commit(h, &b);
	b = guarded(11, SHELF_DANGLING_ALLOW);
	stage(&b, SHELF_OP_CATALOG_DELETE, 2, 0, 0, NULL, 0);
	refused(h, &b, "catalogs would go from 9 to 8, by 12 per cent; at most 11 are allowed");
	b = guarded(10, SHELF_DANGLING_ALLOW);
	add(&b, 2, 1000, 91);
	refused(h, &b,
		"memberships would go from 900 to 991, by 11 per cent; at most 10 are allowed");
	b = guarded(0, SHELF_DANGLING_ALLOW);
	delete_range(&b, 0, 1000);
	must_commit(h, &b);
	hosted_close(h);
}

static void test_dangling(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	struct batch b = guarded(0, SHELF_DANGLING_REFUSE);
	struct report r;

	(void)state;
	put_range(h, 0, 1000, 1);
	add(&b, 7, 990, 13);
	refused(h, &b, "3 members would name no product, the first: 1000 of catalog 7");
	/* In whatever order, what is there in the end counts. */
	b = guarded(0, SHELF_DANGLING_REFUSE);
	add(&b, 7, 999, 2);
	stage(&b, SHELF_OP_PUT, 1000, 0, 0, NULL, 0);
	must_commit(h, &b);
	b = guarded(0, SHELF_DANGLING_REFUSE);
	delete_range(&b, 999, 3);
	refused(h, &b, "2 members would name no product, the first: 999 of catalog 7");
	b = guarded(0, SHELF_DANGLING_REFUSE);
	delete_range(&b, 999, 2);
	stage(&b, SHELF_OP_CATALOG_DELETE, 7, 0, 0, NULL, 0);
	must_commit(h, &b);

	b = guarded(0, SHELF_DANGLING_WARN);
	add(&b, 8, 5000, 4);
	r = must_commit(h, &b);
	assert_int_equal(r.dangling, 4);
	assert_string_equal(r.message,
			    "4 members would name no product, the first: 5000 of catalog 8");
	/* They are no other batch's fault. */
	b = guarded(0, SHELF_DANGLING_REFUSE);
	add(&b, 8, 5000, 4);
	add(&b, 8, 10, 4);
	delete_range(&b, 500, 10);
	assert_int_equal(must_commit(h, &b).dangling, 0);
	hosted_close(h);
}

/* What is added and deleted by one batch, told of once. */
static void test_both(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	struct batch b = guarded(0, SHELF_DANGLING_WARN);
	const s64 twice[] = { 3, 3, 4 };

	(void)state;
	put_range(h, 0, 10, 1);
	stage(&b, SHELF_OP_DELETE, 3, 0, 0, NULL, 0);
	stage(&b, SHELF_OP_DELETE, 3, 0, 0, NULL, 0);
	stage(&b, SHELF_OP_CATALOG_ADD, 1, 0, 0, twice, 3);
	stage(&b, SHELF_OP_CATALOG_ADD, 1, 0, 0, twice, 3);
	assert_int_equal(must_commit(h, &b).dangling, 1);
	hosted_close(h);
}

/* A catalog of several pages, of fewer members than products go. */
static void test_pages(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	struct batch b = new_batch();

	(void)state;
	put_range(h, 0, 3000, 1);
	add(&b, 9, 0, 2000);
	must_commit(h, &b);
	b = guarded(0, SHELF_DANGLING_WARN);
	delete_range(&b, 0, 2999);
	assert_int_equal(must_commit(h, &b).dangling, 2000);
	hosted_close(h);
}

/*
 * Against what is obviously right
 * ===============================
 */
struct world {
	bool product[PRODUCTS];
	bool member[CATALOGS][PRODUCTS];
};

static u64 count_dangling(const struct world *was, const struct world *is)
{
	u64 n = 0;
	u32 c, p;

	for (c = 0; c < CATALOGS; c++)
		for (p = 0; p < PRODUCTS; p++)
			n += is->member[c][p] && !is->product[p] &&
			     !(was->member[c][p] && !was->product[p]);
	return n;
}

static void random_members(struct batch *b, struct world *w, u8 kind)
{
	u32 c = below(CATALOGS), n = 1 + below(below(2) ? 5 : 400), i;
	s64 ids[400];

	for (i = 0; i < n; i++) {
		ids[i] = below(PRODUCTS);
		w->member[c][ids[i]] = kind == SHELF_OP_CATALOG_ADD;
	}
	stage(b, kind, c, 0, 0, ids, n);
}

static void random_op(struct batch *b, struct world *w)
{
	u32 p = below(PRODUCTS), c = below(CATALOGS);

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		stage(b, SHELF_OP_PUT, p, 0, 0, NULL, 0);
		w->product[p] = true;
		break;
	case 3:
	case 4:
		stage(b, SHELF_OP_DELETE, p, 0, 0, NULL, 0);
		w->product[p] = false;
		break;
	case 5:
		random_members(b, w, SHELF_OP_CATALOG_REMOVE);
		break;
	case 6:
		stage(b, SHELF_OP_CATALOG_DELETE, c, 0, 0, NULL, 0);
		memset(w->member[c], 0, sizeof(w->member[c]));
		break;
	default:
		random_members(b, w, SHELF_OP_CATALOG_ADD);
	}
}

static void random_batch(struct hosted *h, struct world *w)
{
	enum shelf_dangling what = (enum shelf_dangling)below(3);
	struct batch b = guarded(0, what);
	u32 n = 1 + below(below(4) ? 6 : 120);
	struct world next = *w;
	struct report r;
	u64 wanted;

	while (n--)
		random_op(&b, &next);
	wanted = count_dangling(w, &next);
	if (what == SHELF_DANGLING_REFUSE && wanted) {
		assert_int_equal(commit(h, &b, &r), -EDOM);
	} else {
		r = must_commit(h, &b);
		*w = next;
	}
	assert_int_equal(r.dangling, what == SHELF_DANGLING_ALLOW ? 0 : wanted);
}

static void test_random(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	struct world w = { { 0 }, { { 0 } } };
	u32 i;

	(void)state;
	random_state = 42;
	for (i = 0; i < 4000; i++)
		random_batch(h, &w);
	store_account(&h->store);
	hosted_close(h);
}

/*
 * Checks
 * ======
 */
static void test_check(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	u64 before, generation, expect = 99;
	struct batch b = new_batch();
	struct report checked, r;

	(void)state;
	put_range(h, 0, 100, 1);
	before = digest(h);
	generation = h->store.generation;
	b.checks = true;
	delete_range(&b, 50, 100);
	add(&b, 1, 0, 3);
	assert_int_equal(hosted_commit(h, &b, NULL, &checked), 0);
	assert_int_equal(checked.generation, generation);
	assert_int_equal(checked.absent, 50);
	assert_int_equal(checked.products, 50);
	assert_int_equal(checked.memberships, 3);
	assert_int_equal(digest(h), before);
	assert_int_equal(h->store.generation, generation);
	assert_int_equal(h->store.draft_pages, 0);
	store_account(&h->store);
	assert_int_equal(hosted_commit(h, &b, &expect, &r), -ESTALE);
	b.guards.max_change = 49;
	assert_int_equal(hosted_commit(h, &b, NULL, &r), -EDOM);

	/* The same batch, in earnest, comes to what was said. */
	b.guards.max_change = 50;
	b.checks = false;
	assert_int_equal(hosted_commit(h, &b, NULL, &r), 0);
	assert_int_equal(r.generation, generation + 1);
	assert_int_equal(r.pages, checked.pages);
	assert_int_equal(r.absent, checked.absent);
	assert_int_equal(r.products, checked.products);
	assert_int_equal(r.catalogs, checked.catalogs);
	assert_int_equal(r.memberships, checked.memberships);
	batch_free(&b);
	hosted_close(h);
}

/* A pin keeps the half of a shelf that a batch would need. */
static void test_check_spares_pins(void **state)
{
	struct hosted *h = make(4 * MIB, 0);
	struct batch b = new_batch();
	struct pin pin = { 0 };
	struct report r;
	u32 i;

	(void)state;
	put_range(h, 0, 20000, 1);
	assert_int_equal(store_pin(&h->store, &pin, 0, 0), 0);
	put_range(h, 0, 20000, 2);
	for (i = 0; i < 20000; i++)
		stage(&b, SHELF_OP_PUT, i, FIELD_PRICE, 3, NULL, 0);
	b.checks = true;
	assert_int_equal(hosted_commit(h, &b, NULL, &r), -ENOSPC);
	assert_non_null(strstr(r.message, "a check spares them"));
	assert_non_null(pin.of);
	assert_int_equal(h->store.revocations, 0);
	b.checks = false;
	assert_int_equal(hosted_commit(h, &b, NULL, &r), 0);
	assert_int_equal(h->store.revocations, 1);
	store_unpin(&h->store, &pin);
	batch_free(&b);
	hosted_close(h);
}

/* Memory is short, whatever pins keep. */
static void test_check_without_memory(void **state)
{
	struct hosted *h = make(4 * MIB, 0);
	struct batch b = new_batch();
	struct pin pin = { 0 };
	struct report r;
	u32 pinned;

	(void)state;
	put_range(h, 0, 100, 1);
	stage(&b, SHELF_OP_DELETE, 1, 0, 0, NULL, 0);
	b.checks = true;
	for (pinned = 0; pinned < 2; pinned++) {
		shim_fail_in = 1;
		assert_int_equal(hosted_commit(h, &b, NULL, &r), -ENOMEM);
		assert_string_equal(r.message, "out of memory for the commit");
		assert_int_equal(!!h->store.retained_bytes, pinned);
		if (!pinned)
			assert_int_equal(store_pin(&h->store, &pin, 0, 0), 0);
		put_range(h, 0, 100, 2);
	}
	store_unpin(&h->store, &pin);
	batch_free(&b);
	hosted_close(h);
}

static struct shelf_batch *begin(struct shelf_writer *w)
{
	struct shelf_batch *b;
	const s64 member = 5;

	assert_int_equal(shelf_batch_begin(w, &b, NULL), 0);
	assert_int_equal(shelf_batch_add(b, 1, &member, 1, NULL), 0);
	return b;
}

static void test_library(void **state)
{
	struct shelf_settings settings = SHELF_SETTINGS_DEFAULT;
	const char *path = "unit-guard.shelf", *name = "hosted:unit-guard.shelf";
	struct shelf_result r = { 0 };
	struct shelf_error err;
	struct shelf_writer *w;
	struct shelf_batch *b;

	(void)state;
	unlink(path);
	settings.max_bytes = 4 * MIB;
	settings.dangling = SHELF_DANGLING_REFUSE;
	assert_int_equal(shelf_create(name, &settings, &err), -EOPNOTSUPP);
	settings.dangling = 3;
	assert_int_equal(shelf_create(name, &settings, &err), -EINVAL);
	settings.dangling = -1;
	assert_int_equal(shelf_create(name, &settings, &err), 0);
	assert_int_equal(shelf_writer_open(name, &w, &err), 0);

	b = begin(w);
	shelf_batch_dangling(b, SHELF_DANGLING_REFUSE);
	assert_int_equal(shelf_batch_commit(b, NULL, &r, &err), -EDOM);
	assert_string_equal(err.message,
			    "1 members would name no product, the first: 5 of catalog 1");
	b = begin(w);
	shelf_batch_max_change(b, SHELF_CHANGE_MAX + 1);
	assert_int_equal(shelf_batch_commit(b, NULL, &r, &err), -EINVAL);
	b = begin(w);
	shelf_batch_check(b);
	assert_int_equal(shelf_batch_commit(b, NULL, &r, &err), 0);
	assert_int_equal(r.generation, 1);
	assert_int_equal(r.memberships, 1);
	b = begin(w);
	shelf_batch_dangling(b, SHELF_DANGLING_WARN);
	assert_int_equal(shelf_batch_commit(b, NULL, &r, &err), 0);
	assert_int_equal(r.generation, 2);
	assert_int_equal(r.dangling, 1);
	assert_string_equal(r.warning, "1 members would name no product, the first: 5 of catalog 1");
	shelf_writer_close(w);
	unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_dangling),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_spares_pins),
		cmocka_unit_test(test_check_without_memory),
		cmocka_unit_test(test_library),
	};

	UNIT_MAIN(tests, argc, argv);
}
