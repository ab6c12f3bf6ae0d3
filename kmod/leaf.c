// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Writing a leaf: 63 lines, each a record, addressed by a hash of the id and
 * the leaf's seed, so that a reader that knows the directory entry knows the
 * line, and pays one miss.
 *
 * Home first: a line that is some record's home holds a record of that home,
 * but for line 0, which is the header and has only the chain. A search begins
 * at the home and follows next, so a line that is nobody's home costs one look.
 * What finds its home taken goes to the other line of the 128-byte pair, which
 * the hardware may bring along, or else anywhere.
 */
#include "core.h"

/*
 * Each seed places the records anew, and all are tried: of 42 records in 63
 * lines 31 are at home with any seed, 35 with the best of 64, 36 with the best
 * of all. More records at home are fewer second misses.
 */
#define SEED_TRIES	(SHELF_SEEDS / 2)	/* odd ones */

/* How many lines are homes, and so hold a record that is at home. */
static u32 seed_score(const struct leaf_item *items, u32 n, u32 seed)
{
	u64 homes = 0;
	u32 i;

	for (i = 0; i < n; i++)
		homes |= 1ULL << shelf_home(items[i].hash, seed);
	return hweight64(homes & ~1ULL);	/* line 0 is the header */
}

static u32 best_seed(const struct leaf_item *items, u32 n, u32 hint)
{
	u32 best = hint, most = 0, try;

	for (try = 0; try < SEED_TRIES && most < n; try++) {
		u32 seed = (hint + 2 * try) % SHELF_SEEDS | 1;
		u32 score = seed_score(items, n, seed);

		if (score > most) {
			most = score;
			best = seed;
		}
	}
	return best;
}

/* Links a record into its home's chain, at the next line if that is free. */
static void place_away(struct shelf_record *image, u64 *taken,
		       const struct leaf_item *item, u32 home)
{
	u32 slot = home ^ 1;

	if (*taken >> slot & 1)
		slot = __ffs64(~*taken);
	*taken |= 1ULL << slot;
	image[slot] = item->record;
	if (image[home].next)
		image[slot].next = (u8)(home ^ image[home].next ^ slot);
	else
		image[slot].next = 0;
	image[home].next = (u8)(home ^ slot);
}

static void place_all(struct shelf_record *image, const struct leaf_item *items,
		      u32 n, u32 seed)
{
	u64 taken = 1, away = 0;	/* line 0 is the header */
	u32 i;

	for (i = 0; i < n; i++) {
		u32 home = shelf_home(items[i].hash, seed);

		if (taken >> home & 1) {
			away |= 1ULL << i;
			continue;
		}
		taken |= 1ULL << home;
		image[home] = items[i].record;
		image[home].next = 0;
	}
	for (; away; away &= away - 1) {
		i = __ffs64(away);
		place_away(image, &taken, &items[i],
			   shelf_home(items[i].hash, seed));
	}
}

u32 leaf_write(struct draft *d, u8 kind, const struct leaf_item *items, u32 n,
	       u64 place, u32 depth, u32 seed_hint, int *error)
{
	u32 page = draft_alloc_page(d, kind, place, (u8)depth, error);
	u32 seed = best_seed(items, n, seed_hint);
	struct shelf_page_header h = {
		.kind = kind,
		.count = n,
		.birth = d->generation,
		.key = place,
		.level = (u8)depth,
		.seed = (u8)seed,
	};

	if (!page)
		return 0;
	memset(d->image, 0, sizeof(d->image));
	memcpy(d->image, &h, sizeof(h));
	place_all(d->image, items, n, seed);
	arena_put(arena_page(&d->store->arena, page), d->image, sizeof(d->image));
	return page << SHELF_TAG_BITS | seed;
}
