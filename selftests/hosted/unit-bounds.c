// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P2, P8: a reader that walks garbage stays inside the arena, writes no more than
 * there is room for, and comes to an end.
 *
 * The arena is random bytes in which ids are planted that are then asked for, so
 * that lookups find records and go on with what these say. No memory is within
 * reach on either side of it, and it may be as small as one page: then whatever
 * leaves its page is a fault.
 *
 * Seen to fail without each of these in walk.h: the room of attributes in a slot;
 * that of page numbers there; the end of a data page; the caller's room;
 * SHELF_ATTRS_MAX; the bound on the count of an inline set, of a slot, of a set
 * page and of its fences; the modulo of a leaf's line and of a slot; the mask of a
 * node's index and of each page's address; the bounds on a chain and on a walk. In
 * scan.h: the room for a leaf; the bounds on nodes, slots and a shift; the limit that
 * libshelf sets a scan.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#include "../../kmod/many.h"
#include "../../tools/lib/shelf.h"

#define IDS		200U
#define ROUNDS		1500U
#define ENOUGH		200U
#define GENERATION	7U

#define GUARD_BELOW	(1UL << 20)	/* a leaf's line is found by XOR */
#define GUARD_ABOVE	(1UL << 37)	/* more than 2^32 fences */

static const u32 arena_pages[] = { 1, 2, 64 };

/* So a walk that goes on beyond as many pages goes round. */
#define ALL_WORDS	(64 * SHELF_PAGE_BYTES / 8)

/* Room for attributes and for members; the buffers are no larger. */
static const u32 rooms[] = { 1, 300, SHELF_ATTRS_MAX };
static const u32 copies[] = { 1, 100, 600 };

/**
 * struct garbage - a shelf whose every byte is garbage, and what asks for it
 * @control: the one page that is not
 * @s: as shelf_open() would fill it in
 * @ids: all of them planted
 */
struct garbage {
	u8 *arena;
	struct shelf_control control;
	struct shelf s;
	u64 random;
	s64 *ids;
	bool *has;
	u8 *attrs[ARRAY_SIZE(rooms)];
	s64 *members[ARRAY_SIZE(copies)];
};

/* What was found; a bound that was never reached would not have been tested. */
struct tally {
	u64 records[2];		/* products, catalogs */
	u64 attrs[2];		/* bytes, in slots and in data pages */
	u64 has[3];		/* by the form of the set */
	u64 copied[3];
};

static s64 below_64(struct garbage *g)
{
	return (s64)model_below(&g->random, 64) - 2;
}

/* Any bytes; or an id before them, so a record; or ids in it throughout. */
static void fill_line(struct garbage *g, u64 *line, u64 set_bits)
{
	struct shelf_catalog *c = (struct shelf_catalog *)line;
	u32 ids = (const u32[]){ 0, 1, 7 }[model_below(&g->random, 3)];
	u32 i;

	for (i = 0; i < 8; i++)
		line[i] = i < ids ? (u64)below_64(g) :
				    model_random(&g->random) | set_bits;
	if (ids)
		c->set %= 4;
}

/* In every third round most entries name nodes, so that walks are long. */
static void fill(struct garbage *g, u32 round)
{
	u64 bytes = (u64)arena_pages[round % ARRAY_SIZE(arena_pages)] * SHELF_PAGE_BYTES;
	u64 nodes = round / 3 % 3 ? 0 : 0xf0000000f0ULL;
	u64 at;
	u32 i;

	assert_int_equal(mprotect(g->arena, GUARD_ABOVE, PROT_NONE), 0);
	assert_int_equal(mprotect(g->arena, bytes, PROT_READ | PROT_WRITE), 0);
	for (at = 0; at < bytes; at += SHELF_LINE)
		fill_line(g, (u64 *)(g->arena + at), nodes);
	for (i = 0; i < IDS; i++)
		g->ids[i] = below_64(g);
	g->s.mask = bytes - SHELF_PAGE_BYTES;
	g->s.seed = round;
	g->control.current_word = (u64)GENERATION << SHELF_ROOT_BITS | round;
}

static void begin(struct garbage *g)
{
	u32 i;

	memset(g, 0, sizeof(*g));
	g->arena = mmap(NULL, GUARD_BELOW + GUARD_ABOVE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(g->arena != MAP_FAILED);
	g->arena += GUARD_BELOW;
	g->s = (struct shelf){ .fd = -1, .control = &g->control, .arena = g->arena };
	g->random = 7;
	g->ids = malloc(IDS * sizeof(*g->ids));
	g->has = malloc(SHELF_RING * sizeof(*g->has));
	for (i = 0; i < ARRAY_SIZE(rooms); i++)
		g->attrs[i] = malloc(rooms[i]);
	for (i = 0; i < ARRAY_SIZE(copies); i++)
		g->members[i] = malloc(copies[i] * sizeof(s64));
	alarm(60);		/* what does not end fails too */
}

static void end(struct garbage *g)
{
	u32 i;

	alarm(0);
	munmap(g->arena - GUARD_BELOW, GUARD_BELOW + GUARD_ABOVE);
	free(g->ids);
	free(g->has);
	for (i = 0; i < ARRAY_SIZE(rooms); i++)
		free(g->attrs[i]);
	for (i = 0; i < ARRAY_SIZE(copies); i++)
		free(g->members[i]);
}

static void try_attrs(struct garbage *g, const struct shelf_view *v,
		      const struct shelf_product *p, struct tally *t)
{
	u32 i, n;

	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		n = shelf_view_attrs(v, p, g->attrs[i], rooms[i]);
		assert_true(n <= rooms[i] && n <= p->attrs_len);
		t->attrs[p->attrs_len > SHELF_ATTRS_INLINE] += n;
	}
	/* More room than anything may fill. */
	n = shelf_view_attrs(v, p, g->attrs[i - 1], ~0U);
	assert_true(n <= SHELF_ATTRS_MAX);
}

static void try_product(struct garbage *g, const struct shelf_view *v,
			const struct shelf_record *r, struct tally *t)
{
	struct shelf_product p;

	if (!r)
		return;
	t->records[0]++;
	shelf_copy(&p, r, sizeof(p));
	try_attrs(g, v, &p, t);
	p.attrs_len %= SHELF_ATTRS_INLINE + 1;
	try_attrs(g, v, &p, t);
}

/* What all at once say is what each says, of garbage too. */
static void try_set(struct garbage *g, const struct shelf_view *v,
		    const struct shelf_catalog *c, u32 n, struct tally *t)
{
	bool more;
	u32 i, copied;

	shelf_has_many(v, c, (const __s64 *)g->ids, n, g->has);
	for (i = 0; i < n; i++) {
		assert_int_equal(g->has[i], shelf_catalog_has(v, c, g->ids[i]));
		t->has[c->set] += g->has[i];
	}
	for (i = 0; i < 2 * ARRAY_SIZE(copies); i++) {
		copied = shelf_catalog_copy(v, c, i % 2, g->ids[i],
					    (__s64 *)g->members[i / 2], copies[i / 2],
					    &more);
		assert_true(copied <= copies[i / 2]);
		t->copied[c->set] += copied;
	}
}

static void try_catalog(struct garbage *g, const struct shelf_view *v,
			const struct shelf_record *r, u32 n, struct tally *t)
{
	struct shelf_catalog *c;
	u32 set;

	if (!r)
		return;
	t->records[1]++;
	c = malloc(sizeof(*c));	/* where the sanitizer sees its end */
	shelf_copy(c, r, sizeof(*c));
	for (set = SHELF_SET_INLINE; set <= SHELF_SET_TREE; set++) {
		c->set = (u8)set;
		try_set(g, v, c, n, t);
	}
	free(c);
}

static __always_inline void take(void *arg, size_t i, const struct shelf_record *r)
{
	((const struct shelf_record **)arg)[i] = r;
}

static void try_view(struct garbage *g, const struct shelf_view *v, struct tally *t)
{
	const struct shelf_record *product[IDS], *catalog[IDS];
	const __s64 *ids = (const __s64 *)g->ids;
	u32 i;

	shelf_find_many(v, v->root->product_dir, SHELF_PRODUCT_DIR_BITS, ids, IDS, take,
			product);
	shelf_find_many(v, v->root->catalog_dir, SHELF_CATALOG_DIR_BITS, ids, IDS, take,
			catalog);
	for (i = 0; i < IDS; i++) {
		try_product(g, v, product[i], t);
		try_product(g, v, (const void *)shelf_view_product(v, ids[i]), t);
		if (i % 4)	/* the sets of one take as long as all of these */
			continue;
		try_catalog(g, v, catalog[i], 1 + i % SHELF_RING, t);
		try_catalog(g, v, (const void *)shelf_view_catalog(v, ids[i]), 1, t);
	}
}

static void test_views(void **state)
{
	static struct garbage g;
	struct tally t = { 0 };
	struct shelf_section c;
	u32 round, i;

	(void)state;
	begin(&g);
	for (round = 0; round < ROUNDS; round++) {
		fill(&g, round);
		shelf_begin(&g.s, &c);
		try_view(&g, &c.view, &t);
	}
	end(&g);
	for (i = 0; i < 2; i++)
		assert_true(t.records[i] > ENOUGH && t.attrs[i] > ENOUGH);
	for (i = 0; i < 3; i++)
		assert_true(t.has[i] > ENOUGH && t.copied[i] > ENOUGH);
}

/* The library's own calls: whatever a section finds, they come back. */
static void try_many(struct garbage *g, u64 *found)
{
	struct shelf_product *p = malloc(IDS * sizeof(*p));
	u8 *attrs = malloc(IDS * rooms[1]);
	bool *has = malloc(IDS * sizeof(*has));
	const __s64 *ids = (const __s64 *)g->ids;
	__u64 generation = 0;
	u32 i;

	found[0] += (u64)shelf_get_many(&g->s, ids, IDS, p, &generation);
	assert_int_equal(generation, GENERATION);
	found[1] += (u64)shelf_get_many_attrs(&g->s, ids, IDS, p, attrs, rooms[1], NULL);
	for (i = 0; i < IDS; i++)
		assert_true(!p[i].attrs_ref && p[i].attrs_len <= SHELF_ATTRS_MAX);
	for (i = 0; i < IDS; i += 10)
		found[2] += (u64)shelf_are_members(&g->s, ids[i], ids, IDS, has, NULL);
	free(p);
	free(attrs);
	free(has);
}

static void try_single(struct garbage *g, u64 *found)
{
	struct shelf_product p;
	__u64 count;
	u32 i, k;

	for (i = 0; i < IDS; i += 10) {
		struct shelf_cursor cursor = { .catalog = g->ids[i] };
		u32 pages = 0;

		found[0] += shelf_get_attrs(&g->s, g->ids[i], &p, g->attrs[2], rooms[2],
					    NULL) == 1;
		for (k = 0; k < IDS; k += 10)
			found[1] += shelf_is_member(&g->s, g->ids[i], g->ids[k]) == 1;
		found[2] += shelf_catalog_count(&g->s, g->ids[i], &count) == 1;
		while (shelf_catalog_next(&g->s, &cursor, (__s64 *)g->members[1],
					  copies[1]) > 0)
			assert_true(++pages < ALL_WORDS);
	}
}

static void test_calls(void **state)
{
	static struct garbage g;
	u64 many[3] = { 0 }, single[3] = { 0 };
	u32 round, i;

	(void)state;
	begin(&g);
	for (round = 0; round < ROUNDS; round++) {
		fill(&g, round);
		try_many(&g, many);
		try_single(&g, single);
	}
	end(&g);
	for (i = 0; i < 3; i++)
		assert_true(many[i] > ENOUGH && single[i] > ENOUGH);
}

/* A pin of it that stays valid, so that nothing but the garbage ends a scan. */
static u64 try_scan(struct garbage *g, bool catalogs, u32 room, u32 calls)
{
	const struct shelf_pin pin = {
		.view = { g->arena, g->s.mask, g->s.seed, (const void *)g->arena },
		.generation = GENERATION, .shelf = &g->s, .at = &g->control.oldest,
	};
	struct shelf_product *p = malloc(room * sizeof(*p));
	struct shelf_scan at = { .place = model_random(&g->random) };
	u64 found = 0;
	long n = 1;

	while (n > 0 && --calls) {	/* 0 are no end */
		n = catalogs ? shelf_pin_catalogs(&pin, &at, (void *)p, room) :
			       shelf_pin_products(&pin, &at, p, room);
		assert_true(n >= -EINVAL && n <= (long)room);
		found += n > 0 ? (u64)n : 0;
	}
	free(p);
	return found;
}

static void test_scans(void **state)
{
	static struct garbage g;
	u64 found[2] = { 0 };
	u32 round, i;

	(void)state;
	begin(&g);
	for (round = 0; round < ROUNDS; round++) {
		fill(&g, round);
		for (i = 0; i < 2; i++)
			found[i] += try_scan(&g, i, SHELF_LEAF_SLOTS + round % 100,
					     round % 100 ? 10 : 0);
	}
	end(&g);
	assert_true(found[0] > ENOUGH && found[1] > ENOUGH);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_scans),
	};

	UNIT_MAIN(tests, argc, argv);
}
