// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P3: a scan finds each record once, whatever their number and the room given, and
 * goes on from any place, in a later generation too, without passing over a record
 * that both have. P2: of what is damaged it comes to an end.
 *
 * Seen to fail with a leaf's records from before the cursor taken again; with the
 * stretch of a leaf's entry taken for the leaf's own; with a node's bits miscounted;
 * with a leaf begun for which there is no room; without validations on the way
 * through a revoked snapshot (by the alarm), and without a limit on a damaged one.
 */
#include <unistd.h>

#include "unit.h"

#include "../../kmod/scan.h"
#include "../../tools/lib/shelf.h"

#define MANY		100000U

/* Ids, with room for what a scan may bring too often. */
struct ids {
	s64 *id;
	size_t count;
	size_t room;
};

enum { PRODUCTS, CATALOGS, SCANNED };

static void add_id(struct ids *s, s64 id)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 1024;
		s->id = realloc(s->id, s->room * sizeof(*s->id));
	}
	s->id[s->count++] = id;
}

static int by_id(const void *a, const void *b)
{
	s64 x = *(const s64 *)a, y = *(const s64 *)b;

	return x < y ? -1 : x > y;
}

static void sort_ids(struct ids *s)
{
	if (s->count)
		qsort(s->id, s->count, sizeof(*s->id), by_id);
}

static void stage_id(struct batch *b, int map, s64 id)
{
	static const s64 member = 1;

	if (map == PRODUCTS)
		stage(b, SHELF_OP_PUT, id, FIELD_PRICE, id, NULL, 0);
	else
		stage(b, SHELF_OP_CATALOG_ADD, id, 0, 0, &member, 1);
}

static u32 scan_some(const struct shelf_view *v, int map, struct shelf_scan *at,
		     struct shelf_record *to, u32 room, u32 steps)
{
	return map == PRODUCTS ?
	       shelf_scan_copy(v, v->root->product_dir, SHELF_PRODUCT_DIR_BITS, at, to,
			       room, steps) :
	       shelf_scan_copy(v, v->root->catalog_dir, SHELF_CATALOG_DIR_BITS, at, to,
			       room, steps);
}

/* On from @at to the end, or @calls times. */
static void scan(const struct shelf_view *v, int map, struct shelf_scan *at, u32 room,
		 u32 steps, u32 calls, struct ids *found)
{
	/* Of this size, so that the sanitizer sees its end. */
	struct shelf_record *r = malloc(room * sizeof(*r));
	u32 n, i;

	while (!at->done && calls--) {
		u64 before = at->place;

		n = scan_some(v, map, at, r, room, steps);
		assert_true(n <= room);
		assert_true(at->done || at->place > before);
		for (i = 0; i < n; i++) {
			assert_int_equal(r[i].state, SHELF_PRESENT);
			assert_true(shelf_place(shelf_hash(r[i].id, v->seed)) >= before);
			add_id(found, r[i].id);
		}
	}
	free(r);
}

static void same_ids(struct ids *a, struct ids *b)
{
	sort_ids(a);
	sort_ids(b);
	assert_int_equal(a->count, b->count);
	if (a->count)
		assert_memory_equal(a->id, b->id, a->count * sizeof(*a->id));
}

static const u32 rooms[] = { SHELF_LEAF_SLOTS, SHELF_LEAF_SLOTS + 1, 200, 1024 };
static const u32 steps[] = { 1, 64, UINT32_MAX };

static void each_once(struct hosted *h, int map, struct ids *there)
{
	struct shelf_view v = hosted_view(h);
	struct ids found = { 0 };
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		for (k = 0; k < ARRAY_SIZE(steps); k++) {
			struct shelf_scan at = { 0 };

			found.count = 0;
			scan(&v, map, &at, rooms[i], steps[k], UINT32_MAX, &found);
			assert_true(at.done);
			same_ids(&found, there);
		}
	}
	free(found.id);
}

/* Ids side by side, far apart, and at both ends. */
static s64 nth_id(u32 i, u32 spread)
{
	static const s64 extreme[] = { INT64_MIN, INT64_MAX, INT64_MIN + 1, 0, -1 };

	if (spread == 2 && i < ARRAY_SIZE(extreme))
		return extreme[i];
	return spread ? (s64)(i * 0x9e3779b97f4a7c15ULL + 7) : (s64)i - 20;
}

static void test_each_once(void **state)
{
	static const u32 sizes[] = { 0, 1, 2, 59, 60, 61, 62, 120, 5000, MANY };
	u32 i, k, spread;
	int map;

	(void)state;
	for (i = 0; i < 3 * ARRAY_SIZE(sizes); i++) {
		u32 size = sizes[i / 3];

		spread = i % 3;
		for (map = 0; map < SCANNED; map++) {
			struct hosted *h = make(64 * MIB, 0);
			struct batch b = new_batch();
			struct ids there = { 0 };

			for (k = 0; k < size; k++) {
				add_id(&there, nth_id(k, spread));
				stage_id(&b, map, nth_id(k, spread));
			}
			must_commit(h, &b);
			each_once(h, map, &there);
			hosted_close(h);
			free(there.id);
		}
	}
}

/* From any place: what lies there or behind it. */
static void test_any_place(void **state)
{
	struct hosted *h = make(64 * MIB, 0);
	struct ids expected = { 0 }, found = { 0 };
	struct shelf_view v;
	u64 random = 5;
	u32 round, i;

	(void)state;
	put_range(h, -1000, 20000, 1);
	v = hosted_view(h);
	for (round = 0; round < 300; round++) {
		struct shelf_scan at = { .place = model_random(&random) };

		if (round % 3 == 0)	/* the place of a record, and its neighbours */
			at.place = shelf_place(shelf_hash(round, v.seed)) + round / 3 % 3 - 1;
		expected.count = 0;
		found.count = 0;
		for (i = 0; i < 20000; i++)
			if (shelf_place(shelf_hash((s64)i - 1000, v.seed)) >= at.place)
				add_id(&expected, (s64)i - 1000);
		scan(&v, PRODUCTS, &at, 1024, UINT32_MAX, UINT32_MAX, &found);
		same_ids(&found, &expected);
	}
	free(expected.id);
	free(found.id);
	hosted_close(h);
}

/* Ids 0 to 9999, in a set of bits. */
#define UNIVERSE	10000U

static void change(struct hosted *h, bool *there, u32 ops, u64 *random)
{
	u32 wanted = model_below(random, 3);	/* more, fewer, or both */
	struct batch b = new_batch();
	u32 i;

	for (i = 0; i < ops; i++) {
		u32 id = model_below(random, UNIVERSE);

		there[id] = wanted == 2 ? model_below(random, 2) : wanted;
		stage(&b, there[id] ? SHELF_OP_PUT : SHELF_OP_DELETE, id, 0, 0, NULL, 0);
	}
	must_commit(h, &b);
}

/*
 * A scan over two generations, @calls in the first one. Counts how often each is
 * found: once, if both have it, and at most once in any case.
 */
static void resume(struct hosted *h, bool *there, u32 room, u32 calls, u64 *random)
{
	static bool before[UNIVERSE];
	static u32 seen[UNIVERSE];
	struct shelf_view v = hosted_view(h);
	struct shelf_scan at = { 0 };
	struct ids found = { 0 };
	u32 i;

	memcpy(before, there, sizeof(before));
	memset(seen, 0, sizeof(seen));
	scan(&v, PRODUCTS, &at, room, UINT32_MAX, calls, &found);
	change(h, there, 1 + model_below(random, 6000), random);
	v = hosted_view(h);
	scan(&v, PRODUCTS, &at, room, UINT32_MAX, UINT32_MAX, &found);
	for (i = 0; i < found.count; i++)
		seen[found.id[i]]++;
	for (i = 0; i < UNIVERSE; i++) {
		assert_true(seen[i] <= (before[i] || there[i]));
		assert_true(seen[i] >= (before[i] && there[i]));
	}
	free(found.id);
}

static void test_resume(void **state)
{
	struct hosted *h = make(64 * MIB, 0);
	static bool there[UNIVERSE];
	u64 random = 11;
	u32 round;

	(void)state;
	for (round = 0; round < 300; round++)
		resume(h, there, rooms[round % ARRAY_SIZE(rooms)], model_below(&random, 100),
		       &random);
	hosted_close(h);
}

/*
 * A file in which one node hangs from itself, so that there are more stretches
 * than anybody lives to see.
 */
struct damaged {
	struct shelf_control control;
	struct shelf s;
	struct shelf_pin pin;
	struct shelf_product product[SHELF_LEAF_SLOTS];
};

/* @present: taken for a leaf, as it is in the end, it has records. */
static void damage(struct damaged *d, u32 bits, bool present)
{
	u64 bytes = 64 * SHELF_PAGE_BYTES;
	u8 *arena = aligned_alloc(SHELF_PAGE_BYTES, bytes);
	struct shelf_root *root = (struct shelf_root *)(arena + SHELF_PAGE_BYTES);
	u32 *node = (u32 *)(arena + 2 * SHELF_PAGE_BYTES), i;

	memset(arena, 0, bytes);
	for (i = 0; i < SHELF_NODE_ENTRIES; i++)	/* a page's number is masked */
		node[i] = (u32)present << 24 | 2 << SHELF_TAG_BITS | shelf_node_tag(bits);
	for (i = 0; i < ARRAY_SIZE(root->product_dir); i++)
		root->product_dir[i] = node[0];
	*d = (struct damaged){ .control.current_word = 5ULL << SHELF_ROOT_BITS | 1 };
	d->s = (struct shelf){
		.fd = -1, .flags = 1U << 31, .control = &d->control, .arena = arena,
		.mask = bytes - SHELF_PAGE_BYTES,
	};
	assert_int_equal(shelf_pin(&d->s, 0, 0, &d->pin), 0);
}

static long scan_damaged(struct damaged *d)
{
	struct shelf_scan at = { 0 };
	long n;

	do {
		n = shelf_pin_products(&d->pin, &at, d->product, SHELF_LEAF_SLOTS);
	} while (n > 0);
	return n;
}

/* Of the second least number of bits there are 2^21 stretches already. */
static void test_damaged(void **state)
{
	struct damaged d;
	u32 i;

	(void)state;
	alarm(60);
	for (i = 0; i < 2 * (SHELF_NODE_BITS - 1); i++) {
		damage(&d, 2 + i / 2, i % 2);
		assert_int_equal(scan_damaged(&d), -EINVAL);
		d.control.oldest = 6;
		assert_int_equal(scan_damaged(&d), -ESTALE);
		free((void *)d.s.arena);
	}
	alarm(0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_any_place),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_damaged),
	};

	UNIT_MAIN(tests, argc, argv);
}
