/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the torture test's shelf holds: a function of the seed and of a batch's
 * number alone, so that writer and readers agree on it without a word.
 *
 * Batches are random: which products and catalogs one touches, and what it does to
 * each, is drawn from its number. Every WORLD_ERA-th puts all that there is, or
 * deletes it, and looks at nothing of before; so any state can be had by going on
 * from the last of these.
 *
 * Generations can't be counted by: a trim makes some too. So one product, the
 * clock, has the batch's number for a price, and is put by every batch.
 */
#ifndef TORTURE_WORLD_H
#define TORTURE_WORLD_H

#include "../../tools/lib/hosted.h"

#define WORLD_PRODUCTS	599U	/* a prime */
#define WORLD_CLOCK	WORLD_PRODUCTS
#define WORLD_RECORDS	(WORLD_PRODUCTS + 1)
#define WORLD_CATALOGS	11U	/* a prime */
#define WORLD_MEMBERS	4093U	/* of the largest catalog, and ids to choose from */
#define WORLD_ATTRS	20000U
#define WORLD_ERA	64U

/*
 * @price: the batch that last touched it
 * @attrs: of world_attrs()
 */
struct world_product {
	s64 price;
	s64 stock;
	u32 flags;
	u32 len;
	u32 attrs;
	u8 currency[4];
	bool present;
};

/*
 * Of the places 0 to M - 1, M a prime of the catalog's own, those are members
 * whose product with @turn, modulo M, lies in the @len numbers from @low on.
 */
struct world_catalog {
	u32 turn;
	u32 low;
	u32 len;
};

struct world {
	u64 batch;
	struct world_product product[WORLD_RECORDS];
	struct world_catalog catalog[WORLD_CATALOGS];
	u64 products;
	u64 attrs_bytes;
	u64 catalogs;
	u64 memberships;
};

/* Before all others, and before anything is forked. */
void world_init(u64 seed);

/* A zeroed world is the one before the first batch. */
typedef int (*world_emit)(void *arg, const struct op *op, const void *data);
/* The next batch: each of its operations goes to @emit. Returns what that does. */
int world_step(struct world *w, world_emit emit, void *arg);
/* The state as @batch left it, with as few steps as it takes. */
void world_seek(struct world *w, u64 batch);

s64 world_product_id(u32 i);
/* WORLD_RECORDS: nobody's. */
u32 world_product_of(s64 id);
s64 world_catalog_id(u32 c);
u32 world_catalog_of(s64 id);	/* WORLD_CATALOGS: nobody's */
const u8 *world_attrs(u32 at);

/* A generator whose state is one word. */
u32 world_below(u64 *state, u32 n);

/* How many places a catalog has, and the member id at one. */
u32 world_places(u32 c);
s64 world_member_id(u32 c, u32 place);
bool world_has(const struct world *w, u32 c, u32 place);

/* Members in ascending order: those at @place and behind it. */
struct world_walk {
	struct world_catalog of;
	u32 c;
	u32 places;
	u32 place;
	u32 at;
};

struct world_walk world_walk(const struct world *w, u32 c, u32 place);
bool world_next(struct world_walk *k, s64 *id);
/* The place behind that of a member's id. */
u32 world_behind(u32 c, s64 id);

#endif /* TORTURE_WORLD_H */
