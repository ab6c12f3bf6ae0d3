// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P7: nodes of the trie come for leaves and go with the last of them.
 *
 * Seen to fail with: table_prune_empty() left out of table_merge() (a node that has
 * nothing, and is lost with the next put); table_set() of blocks that are empty
 * (nodes for nothing).
 */
#include "unhash.h"
#include "unit.h"

#define PLACE	(0x1235ULL << 48)	/* in an upper half: what is before it is empty */

static s64 near(u32 i)
{
	return shelf_unhash(PLACE + ((u64)i << 20), fixed_seed);
}

static u64 nodes(const struct hosted *h)
{
	store_reclaim((struct store *)&h->store);
	return h->store.arena.pages[SHELF_KIND_NODE];
}

static void stage_near(struct batch *b, u8 kind, u32 first, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		stage(b, kind, near(first + i), 0, 0, NULL, 0);
}

/* Deletes of what is not there change nothing, be they as many and as close as they may. */
static void test_nothing_for_nothing(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = new_batch();

	(void)state;
	stage_near(&b, SHELF_OP_DELETE, 0, 5000);
	assert_int_equal(must_commit(h, &b).absent, 5000);
	assert_int_equal(nodes(h), 0);
	assert_int_equal(h->store.arena.pages[SHELF_KIND_PRODUCTS], 0);
	model_account(h);
	hosted_close(h);
}

/* A put in the same batch, behind, ends what is being widened. */
static void test_emptied_and_put(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = new_batch();
	s64 behind = shelf_unhash(PLACE + (1ULL << 50), fixed_seed);

	(void)state;
	stage_near(&b, SHELF_OP_PUT, 0, 2000);
	must_commit(h, &b);
	assert_true(nodes(h) > 1);
	stage_near(&b, SHELF_OP_DELETE, 0, 2000);
	stage(&b, SHELF_OP_PUT, behind, 0, 0, NULL, 0);
	must_commit(h, &b);
	model_account(h);
	assert_int_equal(nodes(h), 0);
	assert_non_null(product(h, behind));
	hosted_close(h);
}

/* What is beside is too full to join, so it is the node alone that goes. */
static void test_emptied_beside(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = new_batch();
	u64 before;
	u32 i;

	(void)state;
	for (i = 0; i < 200; i++)
		stage(&b, SHELF_OP_PUT, shelf_unhash((u64)(i * 37) << 50, fixed_seed), 0, 0,
		      NULL, 0);
	put_range(h, 0, 20000, 1);
	must_commit(h, &b);
	before = nodes(h);
	stage_near(&b, SHELF_OP_PUT, 0, 2000);
	must_commit(h, &b);
	assert_true(nodes(h) > before);
	stage_near(&b, SHELF_OP_DELETE, 0, 2000);
	must_commit(h, &b);
	model_account(h);
	stage_near(&b, SHELF_OP_PUT, 0, 1);
	must_commit(h, &b);
	model_account(h);
	assert_true(nodes(h) <= before + 1);
	hosted_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_for_nothing),
		cmocka_unit_test(test_emptied_and_put),
		cmocka_unit_test(test_emptied_beside),
	};

	UNIT_MAIN(tests, argc, argv);
}
