// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5: a commit, or a step of a trim, that finds no page or no memory changes
 * nothing, whichever it is that is missing: each page that it takes is the last one
 * once, and each allocation fails once. What is refused succeeds as soon as there is
 * room. And when a trim is wanted, and when it gives up.
 *
 * Seen to fail with: a dropped draft that keeps its slots, or slabs that are still in
 * their list; a node's page, or one of attributes that move, not looked at before it is
 * copied to; nor the second array of a catalog's edits; nor the table of pins.
 */
#include "unit.h"

#define PREFIX_BITS	13	/* of a place: a node below the top, and more */
#define CROWD		200U	/* ids that share them */
#define BIG		7	/* a catalog that is a tree of trees */
#define BIG_MEMBERS	130000

static u32 hidden[64 * CHUNK_PAGES];
static u32 hidden_count;

/* Takes all free pages away but @keep of those that a commit may take. */
static void hide(struct hosted *h, u32 keep)
{
	struct arena *a = &h->store.arena;
	u32 i;

	while (!arena_grow(&h->store))
		;
	for (i = 0; i < a->max_chunks; i++) {
		struct chunk_meta *chunk = a->meta[i];

		while (!chunk->closed && chunk->free.count > keep) {
			hidden[hidden_count] = chunk->free.head;
			arena_adopt_page(a, hidden[hidden_count++], SHELF_KIND_DATA, 0);
		}
		keep -= chunk->closed ? 0 : chunk->free.count;
	}
}

static void unhide(struct hosted *h)
{
	while (hidden_count)
		arena_free_page(&h->store.arena, hidden[--hidden_count]);
}

/* The @nth id of those whose places begin with the same bits, in an entry of their own. */
static s64 crowded(u64 prefix, u32 nth)
{
	static s64 next[4], ids[4][CROWD];
	static u32 have[4];

	while (have[prefix] <= nth) {
		s64 id = next[prefix]++ + 5000000;

		if (shelf_place(shelf_hash(id, fixed_seed)) >> (64 - PREFIX_BITS) == prefix << 4)
			ids[prefix][have[prefix]++] = id;
	}
	return ids[prefix][nth];
}

static void stage_crowd(struct batch *b, u8 kind, u64 prefix, u32 from, u32 to)
{
	for (; from < to; from++)
		stage(b, kind, crowded(prefix, from), 0, 0, NULL, 0);
}

static void stage_members(struct batch *b, u8 kind, s64 from, s64 to)
{
	s64 members[1000];
	u32 i;

	for (; from < to; from += ARRAY_SIZE(members)) {
		for (i = 0; i < ARRAY_SIZE(members); i++)
			members[i] = from + i;
		stage(b, kind, BIG, 0, 0, members, ARRAY_SIZE(members));
	}
}

/* Of everything something, in all of the arena that there will ever be. */
static struct hosted *make_full(struct model *m, u64 *random)
{
	struct hosted *h = make(64 * MIB, 0);
	struct batch b = new_batch();
	u32 i;

	model_init(m, random);
	for (i = 0; i < 4; i++) {
		model_batch(m, &b, 4000, random);
		must_commit(h, &b);
	}
	stage_crowd(&b, SHELF_OP_PUT, 0, 0, 150);
	stage_crowd(&b, SHELF_OP_PUT, 2, 0, 150);
	stage_members(&b, SHELF_OP_CATALOG_ADD, 0, BIG_MEMBERS);
	must_commit(h, &b);
	model_account(h);
	return h;
}

/* What an allocation that failed names as its page. */
static void must_be_zero(const struct hosted *h)
{
	static const u8 zeros[SHELF_PAGE_BYTES];

	assert_memory_equal(arena_page(&h->store.arena, 0), zeros, sizeof(zeros));
}

/* Tells whether it was refused; then it is forgotten, to the last page and slot. */
static bool refused(struct hosted *h, const struct batch *b, const struct model *m, int error)
{
	u64 generation = h->store.generation, hash = model_hash(m, h);
	struct report report;
	int ret = hosted_commit(h, b, NULL, &report);

	shim_fail_in = 0;
	unhide(h);
	if (!ret)
		return false;
	assert_int_equal(ret, error);
	assert_true(report.message[0]);
	assert_int_equal(h->store.generation, generation);
	assert_true(model_hash(m, h) == hash);
	model_account(h);
	must_be_zero(h);
	return true;
}

/* One more each time, until it is enough. Returns how many pages that was. */
static u32 sweep_pages(struct hosted *h, const struct batch *b, const struct model *m)
{
	u32 n = 0;

	do
		hide(h, n++);
	while (refused(h, b, m, -ENOSPC));
	return n;
}

static u32 sweep_memory(struct hosted *h, const struct batch *b, const struct model *m)
{
	u32 n = 0;

	do
		shim_fail_in = ++n;
	while (refused(h, b, m, -ENOMEM));
	return n;
}

/* Leaves that split into nodes, old and new, and that merge; sets that grow and shrink. */
static void stage_change(struct model *m, struct batch *b, u64 *random)
{
	model_batch(m, b, 800, random);
	stage_crowd(b, SHELF_OP_PUT, 0, 150, CROWD);
	stage_crowd(b, SHELF_OP_PUT, 1, 0, CROWD);
	stage_crowd(b, SHELF_OP_DELETE, 2, 0, 140);
	stage_members(b, SHELF_OP_CATALOG_REMOVE, BIG_MEMBERS - 59000, BIG_MEMBERS - 1000);
}

typedef u32 sweep_fn(struct hosted *h, const struct batch *b, const struct model *m);

/* The rest is what the model says, when what it does not know has gone. */
static void compare(struct hosted *h, const struct model *m, u64 *random)
{
	struct batch b = new_batch();
	struct shelf_view view;

	stage_crowd(&b, SHELF_OP_DELETE, 0, 0, CROWD);
	stage_crowd(&b, SHELF_OP_DELETE, 1, 0, CROWD);
	stage_crowd(&b, SHELF_OP_DELETE, 2, 0, CROWD);
	stage(&b, SHELF_OP_CATALOG_DELETE, BIG, 0, 0, NULL, 0);
	must_commit(h, &b);
	view = hosted_view(h);
	model_compare(m, &view, random);
	model_account(h);
}

static void sweep_commit(sweep_fn *sweep, u32 least)
{
	struct model *m = malloc(sizeof(*m)), *next;
	struct batch b = new_batch();
	u64 random = 4;
	struct hosted *h;

	h = make_full(m, &random);
	next = model_copy(m);
	stage_change(next, &b, &random);
	assert_in_range(sweep(h, &b, m), least, 100000);
	assert_int_equal(catalog(h, BIG)->count, BIG_MEMBERS - 58000);
	compare(h, next, &random);
	batch_free(&b);
	model_free(m);
	model_free(next);
	free(m);
	free(next);
	hosted_close(h);
}

static void test_commit_pages(void **state)
{
	(void)state;
	sweep_commit(sweep_pages, 100);
}

static void test_commit_memory(void **state)
{
	(void)state;
	sweep_commit(sweep_memory, 10);
}

/* A step of a trim, which takes from nobody, and its catalogs' and slots' memory. */
static void sweep_trim(sweep_fn *sweep, u32 least)
{
	struct model *m = malloc(sizeof(*m));
	struct batch b = new_batch();
	u64 random = 4;
	struct hosted *h;
	u32 i;

	h = make_full(m, &random);
	stage_change(m, &b, &random);
	must_commit(h, &b);
	for (i = 0; i < MODEL_PRODUCTS; i++)
		if (m->product[i].present && i % 3) {
			stage(&b, SHELF_OP_DELETE, m->id[i], 0, 0, NULL, 0);
			free(m->product[i].attrs);
			m->product[i] = (struct model_product){ 0 };
		}
	stage_members(&b, SHELF_OP_CATALOG_ADD, 0, BIG_MEMBERS);
	must_commit(h, &b);
	model_account(h);
	b = new_batch();
	for (i = 1; i < h->store.arena.max_chunks; i++)
		if (h->store.arena.meta[i])
			arena_close(&h->store.arena, i);
	h->store.trim = (struct trim){ i * CHUNK_PAGES, .ops = 100000 };
	while (!arena_grow(&h->store))
		;
	for (i = 1; shim_fail_in = i, trim_stage(&h->store, &b); i++)
		batch_free(&b);
	shim_fail_in = 0;
	assert_true(i > 1);
	store_reclaim(&h->store);
	assert_in_range(sweep(h, &b, m), least, 100000);
	compare(h, m, &random);
	batch_free(&b);
	model_free(m);
	free(m);
	hosted_close(h);
}

static void test_trim_pages(void **state)
{
	(void)state;
	sweep_trim(sweep_pages, 10);
}

static void test_trim_memory(void **state)
{
	(void)state;
	sweep_trim(sweep_memory, 8);
}

/* A shelf that can't be made leaves nothing behind; the leak sanitizer looks. */
static void test_create(void **state)
{
	struct hosted_config config = {
		.name = "unit", .max_bytes = 8 * MIB, .seed = &fixed_seed,
	};
	struct hosted *h;
	long n;
	int ret;

	(void)state;
	for (n = 1;; n++) {
		shim_fail_in = n;
		ret = hosted_create_memory(&config, &h);
		shim_fail_in = 0;
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
	}
	assert_in_range(n, 8, 100);
	model_account(h);
	hosted_close(h);
}

/* A trim that never comes to its end is stopped, as is one that finds no room. */
static void test_trim_stops(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	u32 i, passes = 0, tries = 0;

	(void)state;
	do
		h->store.trim.moves = true;
	while (trim_next(&h->store, 0) == TRIM_WAIT && ++passes < 1000);
	assert_in_range(passes, 2, 100);
	for (i = 0; i < 1000; i++) {
		enum trim_next next = trim_next(&h->store, -ENOSPC);

		if (next == TRIM_OVER)
			break;
		tries += next == TRIM_WAIT;
	}
	assert_in_range(tries, 2, 100);
	assert_in_range(i, tries, 999);
	hosted_close(h);
}

/* What upkeep asks: much of it free, and much for more than a small shelf. */
static void test_trim_wanted(void **state)
{
	struct hosted *small = make(4 * MIB, 0), *h = make(64 * MIB, 0);
	struct batch b = new_batch();
	s64 id;
	u32 i;

	(void)state;
	assert_false(trim_wanted(&small->store));
	put_range(h, 0, 200000, 1);
	assert_false(trim_wanted(&h->store));
	for (i = 0; i < 5; i++)
		assert_int_equal(arena_grow(&h->store), 0);
	assert_true(h->store.arena.free_pages > 4 * CHUNK_PAGES);
	assert_false(trim_wanted(&h->store));
	for (id = 1000; id < 200000; id++)
		stage(&b, SHELF_OP_DELETE, id, 0, 0, NULL, 0);
	must_commit(h, &b);
	store_reclaim(&h->store);
	assert_true(trim_wanted(&h->store));
	hosted_close(small);
	hosted_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_commit_pages),
		cmocka_unit_test(test_commit_memory),
		cmocka_unit_test(test_trim_pages),
		cmocka_unit_test(test_trim_memory),
		cmocka_unit_test(test_trim_stops),
		cmocka_unit_test(test_trim_wanted),
	};

	UNIT_MAIN(tests, argc, argv);
}
