// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P2: what many lookups at once say is what each one says, whatever the number
 * and the order of ids, and whether they are there.
 *
 * Seen to fail with SHELF_RING at 32, below SHELF_AHEAD; with the chain not
 * followed; with the choice between the home line and the next turned round in the
 * pipeline; with the search for members off by one.
 */
#include "unit.h"

#include "../../tools/lib/shelf.h"

#define PRODUCTS	5000U
#define ROOM		300U
#define MANY		1000U

static const s64 sets[] = { 3, 300, 447, 448, 4000 };

static void fill(struct hosted *h)
{
	static u8 attrs[5000];
	static s64 members[5000];
	struct batch b = new_batch();
	u32 i, k;

	for (i = 0; i < PRODUCTS; i++) {
		memset(attrs, (int)i, sizeof(attrs));
		stage(&b, SHELF_OP_PUT, (s64)i * 3 - 60, FIELD_PRICE | FIELD_ATTRS, i, attrs,
		      i % 97 ? i % 400 : 4000 + i % 900);
	}
	for (k = 0; k < ARRAY_SIZE(sets); k++) {
		for (i = 0; i < sets[k]; i++)
			members[i] = (s64)i * 6 - 60;
		stage(&b, SHELF_OP_CATALOG_ADD, sets[k], 0, 0, members, (u32)sets[k]);
	}
	must_commit(h, &b);
}

static struct shelf reader_of(struct hosted *h)
{
	return (struct shelf){
		.fd = -1,
		.flags = 0,
		.control = (const struct shelf_control *)h->base,
		.arena = h->base + SHELF_MMAP_ARENA,
		.mask = h->arena_bytes - SHELF_PAGE_BYTES,
		.seed = h->store.control->seed,
	};
}

static u64 next_random(void)
{
	static u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Two in three are there. */
static void draw(s64 *ids, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		ids[i] = next_random() % 50 ? (s64)(next_random() % (PRODUCTS * 3)) - 60 :
					      (s64)next_random();
}

static void same(const struct shelf *s, const s64 *ids, size_t n)
{
	static struct shelf_product many[MANY], with[MANY], one;
	static u8 attrs[MANY][ROOM], own[ROOM];
	static u64 generation;
	long found = 0;
	size_t i;

	memset(attrs, 0xee, sizeof(attrs));
	assert_int_equal(shelf_get_many_attrs(s, (const __s64 *)ids, n, with, attrs, ROOM, NULL),
			 shelf_get_many(s, (const __s64 *)ids, n, many,
					(__u64 *)&generation));
	for (i = 0; i < n; i++) {
		memset(own, 0xee, sizeof(own));
		memset(&one, 0, sizeof(one));
		if (!shelf_get_attrs(s, ids[i], &one, own, ROOM, NULL))
			one.id = ids[i];
		else
			found++;
		assert_memory_equal(&one, &many[i], sizeof(one));
		assert_memory_equal(&one, &with[i], sizeof(one));
		assert_memory_equal(own, attrs[i], ROOM);
	}
	assert_int_equal(found, shelf_get_many(s, (const __s64 *)ids, n, many, NULL));
	if (n)
		assert_int_equal(generation, 2);
}

static const size_t counts[] = { 0, 1, 2, 7, 8, 9, 40, 47, 48, 49, 63, 64, 65, 128, 1000 };

static void test_products(void **state)
{
	struct hosted *h = make(64 * MIB, 0);
	struct shelf s = reader_of(h);
	static s64 ids[MANY];
	u32 i, round;

	(void)state;
	fill(h);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < ARRAY_SIZE(counts); i++) {
			draw(ids, counts[i]);
			same(&s, ids, counts[i]);
		}
	}
	hosted_close(h);
}

static void test_members(void **state)
{
	struct hosted *h = make(64 * MIB, 0);
	struct shelf s = reader_of(h);
	static s64 ids[MANY];
	static bool has[MANY];
	u32 i, k, round;
	size_t n;
	long found;

	(void)state;
	fill(h);
	for (round = 0; round < 5 * ARRAY_SIZE(counts); round++) {
		n = counts[round % ARRAY_SIZE(counts)];
		for (k = 0; k <= ARRAY_SIZE(sets); k++) {
			s64 catalog = k < ARRAY_SIZE(sets) ? sets[k] : 99;

			draw(ids, n);
			memset(has, 1, sizeof(has));
			found = shelf_are_members(&s, catalog, (const __s64 *)ids, n, has, NULL);
			for (i = 0; i < n; i++) {
				assert_int_equal(has[i], shelf_is_member(&s, catalog, ids[i]));
				found -= has[i];
			}
			assert_int_equal(found, 0);
		}
	}
	hosted_close(h);
}

/* From a shelf in which there is nothing, and of no ids. */
static void test_nothing(void **state)
{
	struct hosted *h = make(4 * MIB, 0);
	struct shelf s = reader_of(h);
	static s64 ids[MANY];
	static bool has[MANY];
	static struct shelf_product p[MANY];

	(void)state;
	draw(ids, MANY);
	same(&s, ids, 0);
	assert_int_equal(shelf_get_many(&s, (const __s64 *)ids, MANY, p, NULL), 0);
	assert_int_equal(shelf_are_members(&s, 3, (const __s64 *)ids, MANY, has, NULL), 0);
	hosted_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
