/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Many lookups as a pipeline: what one lookup would wait for, all ask for ahead
 * of their turn. Each stage asks for the lines that a later one reads:
 *
 *   1. hash, and the top table's entry	asks for the node's word
 *   2. that word: leaf and home	asks for the home line
 *   3. the home line			asks for the next in its chain, if need be
 *   4. the record
 *
 * At any time each stage is at another id, so memory has work while the CPU has
 * some. No stage branches on a line that may not have come yet; the second may
 * wait for a node below a node, which only shelves of many millions have.
 */
#ifndef SHELF_MANY_H
#define SHELF_MANY_H

#ifndef __KERNEL__
#include <assert.h>
#endif
#include "walk.h"

/*
 * How far one stage is behind another. A CPU keeps some 10 to 30 misses in
 * flight: HOME is more than that, for each miss takes as long as that many
 * others take turns. Nodes are in a near cache mostly, and few records are
 * behind their home, so these two stages need less.
 */
#define SHELF_AHEAD_NODE	8U
#define SHELF_AHEAD_HOME	32U
#define SHELF_AHEAD_NEXT	8U
#define SHELF_AHEAD		(SHELF_AHEAD_NODE + SHELF_AHEAD_HOME + SHELF_AHEAD_NEXT)
#define SHELF_RING		64U	/* a power of two above SHELF_AHEAD */

static_assert(SHELF_RING > SHELF_AHEAD && !(SHELF_RING & (SHELF_RING - 1)),
	      "a turn of the ring is longer than the pipeline");

struct shelf_ring {
	__u64 hash[SHELF_RING];
	__u32 top[SHELF_RING];
	const struct shelf_record *r[SHELF_RING];
};

static inline void shelf_prefetch(const void *p)
{
	__builtin_prefetch(p);
}

static inline void shelf_ask_node(const struct shelf_view *v, const __u32 *dir,
				  __u32 bits, struct shelf_ring *ring, size_t at, __s64 id)
{
	__u64 hash = shelf_hash(id, v->seed);
	__u64 place = shelf_place(hash);
	__u32 top = SHELF_LOAD(dir[shelf_prefix(place, bits)]);

	ring->hash[at] = hash;
	ring->top[at] = top;
	if (shelf_entry_tag(top) >= SHELF_TAG_NODE)
		shelf_prefetch(shelf_node_word(v, top, place << bits));
}

static inline void shelf_ask_home(const struct shelf_view *v, __u32 bits,
				  struct shelf_ring *ring, size_t at)
{
	__u64 hash = ring->hash[at];
	__u32 entry = shelf_walk(v, ring->top[at], bits, shelf_place(hash));

	ring->r[at] = shelf_home_line(v, entry, hash);
	shelf_prefetch(ring->r[at]);
}

static inline void shelf_ask_next(struct shelf_ring *ring, size_t at, __s64 id)
{
	const struct shelf_record *home = ring->r[at];
	__u32 turn = SHELF_LOAD(home->next);

	turn = SHELF_IS(home->id, id) ? 0 : turn;
	SHELF_OPAQUE(turn);
	ring->r[at] = shelf_leaf_line(home, turn);
	shelf_prefetch(ring->r[at]);
}

/**
 * shelf_find_many() - the records of @n ids, in their order
 * @found: is given the index of each and its record in the arena, or NULL
 *
 * Always inlined, and @found with it.
 */
static __always_inline void
shelf_find_many(const struct shelf_view *v, const __u32 *dir, __u32 bits,
		const __s64 *ids, size_t n,
		void (*found)(void *arg, size_t index, const struct shelf_record *r),
		void *arg)
{
	struct shelf_ring ring;
	size_t i, at;

	for (i = 0; i < n + SHELF_AHEAD; i++) {
		if (i < n)
			shelf_ask_node(v, dir, bits, &ring, i % SHELF_RING, ids[i]);
		at = i - SHELF_AHEAD_NODE;
		if (at < n)
			shelf_ask_home(v, bits, &ring, at % SHELF_RING);
		at -= SHELF_AHEAD_HOME;
		if (at < n)
			shelf_ask_next(&ring, at % SHELF_RING, ids[at]);
		at -= SHELF_AHEAD_NEXT;
		if (at < n)
			found(arg, at, shelf_find_from(ring.r[at % SHELF_RING], ids[at]));
	}
}

/**
 * shelf_has_many() - whether a set has each of @n ids, at most SHELF_RING
 * @c: the reader's own copy of the catalog's record
 * @has: the answers
 *
 * The ids' searches take turns, a step each, and each asks for the member that
 * its next step compares with.
 */
static inline void shelf_has_many(const struct shelf_view *v,
				  const struct shelf_catalog *c,
				  const __s64 *ids, __u32 n, bool *has)
{
	struct shelf_run run[SHELF_RING];
	__u32 low[SHELF_RING], left[SHELF_RING];
	__u32 i, busy;
	__s64 unused;

	for (i = 0; i < n; i++) {
		run[i] = shelf_catalog_run(v, c, ids[i], &unused);
		low[i] = 0;
		left[i] = run[i].count;
		shelf_prefetch(run[i].members + left[i] / 2);
	}
	do {
		for (i = 0, busy = 0; i < n; i++) {
			__u32 half = left[i] / 2;
			bool right;

			if (!left[i])
				continue;
			right = SHELF_LOAD(run[i].members[low[i] + half]) < ids[i];
			low[i] += right ? half + 1 : 0;
			left[i] = right ? left[i] - half - 1 : half;
			shelf_prefetch(run[i].members + low[i] + left[i] / 2);
			busy |= left[i];
		}
	} while (busy);
	for (i = 0; i < n; i++)
		has[i] = low[i] < run[i].count &&
			 SHELF_LOAD(run[i].members[low[i]]) == ids[i];
}

#endif /* SHELF_MANY_H */
