// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Writing a leaf: 63 lines, each a record, addressed by a hash of the id and
 * the leaf's seed, so that a reader that knows the directory entry knows the
 * line, and pays one miss.
 *
 * Home first: a line that is some record's home holds a record of that home. A
 * search begins at the home and follows next, so a line that is nobody's home
 * costs one look. What finds its home taken goes to the other line of the
 * 128-byte pair, which the hardware tends to bring along, or else anywhere.
 */
#include "core.h"

/*
 * Each seed places the records anew. More tries find a better one, with less
 * and less return: of 42 records in 63 lines 31 are at home with any seed, 35
 * with the best of 64, 36 with the best of all 240, at four times the time.
 */
#define SEED_TRIES	64U

#define EVEN_LINES	0x5555555555555555ULL

/* Bits of the other lines of their pairs. */
static u64 swap_pairs(u64 lines)
{
	return (lines & EVEN_LINES) << 1 | (lines >> 1 & EVEN_LINES);
}

/*
 * How good a seed is: a reader that looks up many at a time asks for the home
 * line first, one that looks up a single record for both lines of the pair. So
 * a point for each record at home, and one for each in its pair.
 */
static u32 seed_score(const struct leaf_item *items, u32 n, u32 seed)
{
	u64 once = 1, twice = 0;	/* line 0 is the header */
	u32 at_home, beside, i;

	for (i = 0; i < n; i++) {
		u64 line = 1ULL << shelf_home(items[i].hash, seed);

		twice |= once & line;
		once |= line;
	}
	at_home = hweight64(once);
	beside = hweight64(twice & ~swap_pairs(once));
	return 2 * at_home + beside;
}

static u32 best_seed(const struct leaf_item *items, u32 n, u32 hint)
{
	u32 best = hint, most = 0, try;

	/* Line 0 counts as one at home. */
	for (try = 0; try < SEED_TRIES && most < 2 * (n + 1); try++) {
		u32 seed = (hint + try) % SHELF_SEEDS;
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
	image[slot].next = image[home].next;
	image[home].next = (u8)slot;
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
