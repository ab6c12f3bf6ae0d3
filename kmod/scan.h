/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * All records of a snapshot, leaf by leaf, in the order of their places. As in
 * walk.h, a mapped reader may be walking garbage: then what comes out is
 * garbage. The cursor only grows, but nodes that hang from each other may make
 * more stretches than can ever be looked at, so whoever may walk garbage looks at
 * so many at a time and then whether it still is what it was.
 */
#ifndef SHELF_SCAN_H
#define SHELF_SCAN_H

#include "walk.h"

#ifdef __cplusplus
extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"	/* as walk.h */
#endif

/*
 * A place to go on from: of any generation, since ids keep their places.
 * @looked: at how many stretches
 */
struct shelf_scan {
	__u64 place;
	__u64 looked;
	bool done;
};

/* The top table of what is to be scanned: @which is SHELF_SCAN_*, or 0: products. */
static inline const __u32 *shelf_scan_dir(const struct shelf_root *root, __u32 which,
					  __u32 *bits)
{
	switch (which) {
	case SHELF_SCAN_CATALOGS:
		*bits = SHELF_CATALOG_DIR_BITS;
		return root->catalog_dir;
	case SHELF_SCAN_SOURCES:
		*bits = SHELF_SOURCE_DIR_BITS;
		return root->source_dir;
	default:
		*bits = SHELF_PRODUCT_DIR_BITS;
		return root->product_dir;
	}
}

/*
 * The entry whose stretch @place lies in: of a leaf, or 0. @last is the stretch's
 * last place.
 */
static inline __u32 shelf_scan_entry(const struct shelf_view *v, const __u32 *dir,
				     __u32 bits, __u64 place, __u64 *last)
{
	__u32 entry = SHELF_LOAD(dir[shelf_prefix(place, bits)]);
	__u32 used = bits, level, depth;

	for (level = 1; level < SHELF_LEVELS; level++) {
		if (shelf_entry_tag(entry) < SHELF_TAG_NODE)
			break;
		depth = used;
		used += shelf_node_bits(entry);
		entry = SHELF_LOAD(*shelf_node_word(v, entry, place << (depth & 63)));
	}
	if (entry) {
		const struct shelf_page_header *leaf =
			(const struct shelf_page_header *)shelf_view_entry(v, entry);

		depth = SHELF_LOAD(leaf->level);
		used = depth < used ? depth : used;
	}
	*last = used > 63 ? place : place | ~0ULL >> used;
	return entry;
}

/*
 * The records of the next leaf that are at or behind @c->place, at most
 * SHELF_LEAF_SLOTS: pointers into the arena. Returns how many; 0 may be an empty
 * stretch, or the end: @c tells.
 */
static inline __u32 shelf_scan_next(const struct shelf_view *v, const __u32 *dir,
				    __u32 bits, struct shelf_scan *c,
				    const struct shelf_record **out)
{
	const struct shelf_record *leaf;
	__u32 entry, slot, n = 0;
	__u64 last;

	entry = shelf_scan_entry(v, dir, bits, c->place, &last);
	leaf = (const struct shelf_record *)shelf_view_entry(v, entry);
	for (slot = 1; entry && slot <= SHELF_LEAF_SLOTS; slot++) {
		__s64 id = SHELF_LOAD(leaf[slot].id);

		if (SHELF_LOAD(leaf[slot].state) &&
		    shelf_place(shelf_hash(id, v->seed)) >= c->place)
			out[n++] = &leaf[slot];
	}
	c->done = last == ~0ULL;
	c->place = last + 1;
	c->looked++;
	return n;
}

/*
 * Copies records until @room has no place for another leaf, or @steps stretches
 * have been looked at. @room is at least SHELF_LEAF_SLOTS.
 */
static inline __u32 shelf_scan_copy(const struct shelf_view *v, const __u32 *dir,
				    __u32 bits, struct shelf_scan *c,
				    struct shelf_record *to, __u32 room, __u32 steps)
{
	const struct shelf_record *found[SHELF_LEAF_SLOTS];
	__u32 done = 0, n, i;

	while (!c->done && steps-- && room - done >= SHELF_LEAF_SLOTS) {
		n = shelf_scan_next(v, dir, bits, c, found);
		for (i = 0; i < n; i++)
			shelf_copy(&to[done++], found[i], sizeof(*to));
	}
	return done;
}

#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

#endif /* SHELF_SCAN_H */
