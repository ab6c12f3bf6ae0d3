// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Catalogs: each product is in one of a hundred, by its id's hash, so that at a
 * million products a catalog has ten thousand members and is a tree.
 */
#include <stdlib.h>

#include "shelf-map.h"

#define CATALOGS	100U
#define PAGE		100U

static int64_t catalog_of(int64_t id)
{
	return (int64_t)shelf_mulhi(shelf_hash(id, 1), CATALOGS);
}

static void add_members(struct batch *b, int64_t catalog, const int64_t *ids, uint32_t n)
{
	struct op op = { .kind = SHELF_OP_CATALOG_ADD, .id = catalog, .len = n };
	const char *why;

	if (batch_add(b, &op, ids, &why))
		bench_die("catalogs", why);
}

void bench_shelf_catalogs(struct bench_shelf *s, uint64_t products)
{
	int64_t *ids = calloc(CATALOGS, SHELF_MEMBERS_MAX * sizeof(*ids));
	uint32_t count[CATALOGS] = { 0 };
	struct batch b;
	uint64_t i;

	if (!ids)
		bench_die("catalogs", "not enough memory");
	batch_init(&b, ~0ULL);
	for (i = 0; i < products; i++) {
		int64_t id = bench_id(i), c = catalog_of(id);
		int64_t *to = ids + c * SHELF_MEMBERS_MAX;

		to[count[c]++] = id;
		if (count[c] == SHELF_MEMBERS_MAX) {
			add_members(&b, c, to, count[c]);
			count[c] = 0;
		}
	}
	for (i = 0; i < CATALOGS; i++)
		if (count[i])
			add_members(&b, (int64_t)i, ids + i * SHELF_MEMBERS_MAX, count[i]);
	bench_shelf_commit(s, &b, NULL);
	free(ids);
}

static uint64_t members_single(const struct shelf *s, const int64_t *ids, size_t n)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += (uint64_t)shelf_is_member(s, catalog_of(ids[i]), ids[i]);
	return sum;
}

/* A hundred ids and one catalog, which has one in a hundred of them. */
static uint64_t members_many(const struct shelf *s, const int64_t *ids, size_t n)
{
	bool member[BENCH_BATCH];
	uint64_t sum = 0;
	size_t at, count;

	for (at = 0; at < n; at += count) {
		count = n - at < BENCH_BATCH ? n - at : BENCH_BATCH;
		sum += (uint64_t)shelf_are_members(s, catalog_of(ids[at]),
						   (const __s64 *)ids + at, count, member,
						   NULL);
	}
	return sum;
}

static uint64_t members_run(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	const struct shelf *s = &((struct bench_shelf *)map)->reader;

	if (work == BENCH_RATE)
		return members_single(s, ids, n);
	return work == BENCH_MANY ? members_many(s, ids, n) : BENCH_NOT_OFFERED;
}

/* From a cursor anywhere in its catalog. */
static uint64_t pages_run(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	const struct shelf *s = &((struct bench_shelf *)map)->reader;
	__s64 page[PAGE];
	uint64_t sum = 0;
	size_t i;

	if (work != BENCH_RATE)
		return BENCH_NOT_OFFERED;
	for (i = 0; i < n; i++) {
		struct shelf_cursor cursor = {
			.catalog = catalog_of(ids[i]), .after = ids[i], .started = true,
		};

		sum += (uint64_t)shelf_catalog_next(s, &cursor, page, PAGE);
	}
	return sum;
}

const struct bench_map bench_members = {
	.name = "member", .how = "is_member; are_members by 100", .run = members_run,
};

const struct bench_map bench_pages = {
	.name = "page", .how = "100 members from anywhere in a catalog", .run = pages_run,
};
