/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Lookups by the group: what one lookup would wait for, many ask for at once.
 * Each stage asks for the lines that the next one reads:
 *
 *   1. hash, and the top table's entry	asks for the node's word
 *   2. that word: leaf and home	asks for the home line
 *   3. the home line			asks for the next in its chain, if need be
 *   4. the record
 *
 * No stage branches on what the one before it has asked for, but the last, and
 * there the line has come.
 */
#ifndef SHELF_GROUP_H
#define SHELF_GROUP_H

#include "walk.h"

/*
 * A CPU keeps some 10 to 30 misses in flight, so a group has to be larger than
 * that; and its lines, one or two for each lookup, must stay in the first cache
 * until they are read. Measured by a hundred ids at a time over a million
 * products: groups of 8 take 1.5 times as long as of 64, 16 1.2, 32 1.1.
 */
#define SHELF_GROUP	64U

static inline void shelf_prefetch(const void *p)
{
	__builtin_prefetch(p);
}

/* Stages 1 and 2: where each id is at home, in @r. */
static inline void shelf_group_homes(const struct shelf_view *v, const __u32 *dir,
				     __u32 bits, const __s64 *ids, __u32 n,
				     const struct shelf_record **r)
{
	__u64 hash[SHELF_GROUP];
	__u32 top[SHELF_GROUP];
	__u32 i;

	for (i = 0; i < n; i++) {
		__u64 place;

		hash[i] = shelf_hash(ids[i], v->seed);
		place = shelf_place(hash[i]);
		top[i] = SHELF_LOAD(dir[shelf_prefix(place, bits)]);
		if (shelf_entry_tag(top[i]) >= SHELF_TAG_NODE)
			shelf_prefetch(shelf_node_word(v, top[i], place << bits));
	}
	for (i = 0; i < n; i++) {
		__u32 entry = shelf_walk(v, top[i], bits, shelf_place(hash[i]));
		const struct shelf_record *leaf =
			shelf_view_page(v, shelf_entry_page(entry));

		r[i] = leaf + shelf_home(hash[i], shelf_entry_tag(entry));
		shelf_prefetch(r[i]);
	}
}

/**
 * shelf_find_group() - the records of @n ids, at most SHELF_GROUP
 * @r: each the record or NULL
 */
static inline void shelf_find_group(const struct shelf_view *v, const __u32 *dir,
				    __u32 bits, const __s64 *ids, __u32 n,
				    const struct shelf_record **r)
{
	__u32 i;

	shelf_group_homes(v, dir, bits, ids, n, r);
	for (i = 0; i < n; i++) {
		__u32 next = SHELF_LOAD(r[i]->next);
		__u32 here = (SHELF_LOAD(r[i]->id) == ids[i]) | !next;

		SHELF_OPAQUE(here);
		r[i] = here ? r[i] : shelf_leaf_line(r[i], next);
		shelf_prefetch(r[i]);
	}
	for (i = 0; i < n; i++)
		r[i] = shelf_find_from(r[i], ids[i]);
}

#endif /* SHELF_GROUP_H */
