/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How a snapshot is read. The same lines run in the kernel (under
 * rcu_read_lock()), in libshelf (over the mapping, optimistically) and in the
 * hosted twin, so there is one reader to test.
 *
 * A mapped reader may walk bytes that are being reused. Nothing it does with
 * them may go wrong before it validates: every offset is masked into the
 * reservation, every loop has a bound of its own, every length is clamped to
 * the page it is in. (P2, P8)
 *
 * C, and C++ as far as both agree, hence the casts, which have C's form: the only
 * one there is in both. C++ compilers are asked not to warn of it.
 */
#ifndef SHELF_WALK_H
#define SHELF_WALK_H

#ifdef __KERNEL__
#include <linux/string.h>
#include "uapi/shelf.h"
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "uapi/shelf.h"
#endif

#ifdef __cplusplus
extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#endif

/*
 * One load, not repeated and not torn. Sanitizers don't model fences, so in
 * their build each is an acquire load, which pairs with the release stores
 * that SHELF_TSAN makes of arena_put().
 */
#ifdef SHELF_TSAN
#define SHELF_LOAD(x)	__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define SHELF_IS(x, y)	(SHELF_LOAD(x) == (y))
#else
#define SHELF_LOAD(x)	(*(const volatile __typeof__(x) *)&(x))
/* What is only compared may be loaded again; the CPU loads and compares in one go. */
#define SHELF_IS(x, y)	((x) == (y))
#endif

static inline void shelf_copy(void *to, const void *from, size_t bytes)
{
#ifdef SHELF_TSAN
	__u8 *t = to;
	const __u8 *f = from;
	size_t i;

	for (i = 0; i < bytes; i++)
		t[i] = __atomic_load_n(&f[i], __ATOMIC_ACQUIRE);
#else
	memcpy(to, from, bytes);
#ifndef __KERNEL__
	/* So that the copy is what is looked at, not the source once more. */
	__asm__ volatile("" : : : "memory");
#endif
#endif
}

/**
 * struct shelf_view - one snapshot as its reader sees it
 */
struct shelf_view {
#ifdef __KERNEL__
	void *const *chunks;	/* kernel addresses of the arena's chunks */
#else
	const __u8 *arena;
	__u64 mask;		/* arena_bytes - SHELF_PAGE_BYTES */
#endif
	__u64 seed;
	const struct shelf_root *root;
};

static inline const void *shelf_view_page(const struct shelf_view *v, __u32 page)
{
#ifdef __KERNEL__
	const unsigned int shift = SHELF_CHUNK_SHIFT - SHELF_PAGE_SHIFT;

	return (const __u8 *)v->chunks[page >> shift] +
	       ((page & ((1U << shift) - 1)) << SHELF_PAGE_SHIFT);
#else
	return v->arena + (((__u64)page << SHELF_PAGE_SHIFT) & v->mask);
#endif
}

/* The page that a directory entry names. */
static inline const void *shelf_view_entry(const struct shelf_view *v, __u32 entry)
{
#ifdef __KERNEL__
	return shelf_view_page(v, entry >> SHELF_TAG_BITS);
#else
	return v->arena + (((__u64)entry << (SHELF_PAGE_SHIFT - SHELF_TAG_BITS)) & v->mask);
#endif
}

/*
 * A slot, and how many bytes its page has from there on. Real slots never
 * reach over their page's end; garbage may claim to.
 */
static inline const void *shelf_view_slot(const struct shelf_view *v, __u32 ref,
					  __u32 *room)
{
	__u32 offset = (ref % (SHELF_PAGE_BYTES / SHELF_SLOT_UNIT)) *
		       SHELF_SLOT_UNIT;

	*room = SHELF_PAGE_BYTES - offset;
	return (const __u8 *)shelf_view_page(v, ref / (SHELF_PAGE_BYTES /
						       SHELF_SLOT_UNIT)) + offset;
}

static inline __u64 shelf_mulhi(__u64 a, __u64 b)
{
	return (__u64)((__extension__ (unsigned __int128)a * b) >> 64);
}

/* A bijection, so that two ids never share a hash. */
static inline __u64 shelf_hash(__s64 id, __u64 seed)
{
	__u64 x = (__u64)id ^ seed;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 29;
	x *= 0xa0761d6478bd642fULL;
	x ^= x >> 32;
	return x;
}

/*
 * Where in the directory a hash lies: u(2 + u)/3 for u = hash / 2^64. The
 * density falls by half from one end to the other, so that leaves split at
 * different times and the load does not swing with powers of two. At most two
 * hashes share a place.
 */
static inline __u64 shelf_place(__u64 hash)
{
	return shelf_mulhi(hash, 0xaaaaaaaaaaaaaaaaULL +
				 shelf_mulhi(hash, 0x5555555555555555ULL));
}

/* The slot at which a record is looked for first: 0, the header, as well. */
static inline __u32 shelf_home(__u64 hash, __u32 seed)
{
	return (__u32)hash * seed >> 26;
}

/* The first @bits bits of a place, @bits from 1 to 32. */
static inline __u32 shelf_prefix(__u64 place, __u32 bits)
{
	return (__u32)(place >> (-bits & 63));
}

/*
 * A small node uses its first entries. All nodes begin at a page, so to keep
 * them from fighting over the same cache sets each turns its lines by a number
 * of its own; the lowest four bits come from the entry's tag, where a walk has
 * them beside that number.
 */
static inline __u32 shelf_node_index(__u32 page, __u32 index)
{
	return (index ^ (page << 4 | 15)) & (SHELF_NODE_ENTRIES - 1);
}

static inline __u32 shelf_entry_page(__u32 entry)
{
	return entry >> SHELF_TAG_BITS;
}

static inline __u32 shelf_entry_tag(__u32 entry)
{
	return entry & ((1U << SHELF_TAG_BITS) - 1);
}

static inline __u32 shelf_node_tag(__u32 bits)
{
	return (1U << SHELF_TAG_BITS) - bits;
}

/* How many bits the node takes that @entry names. */
static inline __u32 shelf_node_bits(__u32 entry)
{
	return -entry & ((1U << SHELF_TAG_BITS) - 1);
}

/* The word of a node, given by @entry, where @place is looked for. */
static inline const __u32 *shelf_node_word(const struct shelf_view *v, __u32 entry,
					   __u64 place)
{
	const __u32 *node = (const __u32 *)shelf_view_entry(v, entry);
	__u32 index = (__u32)(place >> (entry & 63));

	/* shelf_node_index() */
	return node + ((index ^ entry >> 4) & (SHELF_NODE_ENTRIES - 1));
}

/*
 * From an entry of the top table, of @bits bits, to that of @place's leaf. The
 * first node is taken out of the loop: nodes below it are for many millions.
 */
static inline __u32 shelf_walk(const struct shelf_view *v, __u32 entry, __u32 bits,
			       __u64 place)
{
	__u32 level;

	if (shelf_entry_tag(entry) < SHELF_TAG_NODE)
		return entry;
	place <<= bits;
	bits = shelf_node_bits(entry);
	entry = SHELF_LOAD(*shelf_node_word(v, entry, place));
	for (level = 2; level < SHELF_LEVELS; level++) {
		if (__builtin_expect(shelf_entry_tag(entry) < SHELF_TAG_NODE, 1))
			break;
		place <<= bits;
		bits = shelf_node_bits(entry);
		entry = SHELF_LOAD(*shelf_node_word(v, entry, place));
	}
	return entry;
}

/* What products and catalogs have in common: the ends of the line. */
struct shelf_record {
	__s64 id;
	__u64 generation;
	__u8  body[46];
	__u8  next;
	__u8  state;
};

/* What no compiler knows the value of, and so can't branch on piecemeal. */
#define SHELF_OPAQUE(x)	__asm__("" : "+r"(x))

/*
 * Another line of @r's leaf, its slot given XOR that of @r: a leaf is a page, and
 * pages lie at multiples of their size.
 */
static inline const struct shelf_record *
shelf_leaf_line(const struct shelf_record *r, __u32 turn)
{
	turn = turn % (SHELF_LEAF_SLOTS + 1) * SHELF_LINE;
	return (const struct shelf_record *)((uintptr_t)r ^ turn);
}

/* Along the chain from @r on. */
static inline const struct shelf_record *
shelf_find_from(const struct shelf_record *r, __s64 id)
{
	__u32 next, i;

	for (i = 0; i < SHELF_LEAF_SLOTS; i++) {
		if (SHELF_IS(r->id, id) && !SHELF_IS(r->state, 0))
			return r;
		next = SHELF_LOAD(r->next);
		if (!next)
			break;
		r = shelf_leaf_line(r, next);
	}
	return NULL;
}

/*
 * A record is at home, or where its home's chain goes next, or, seldom, further
 * along it. The choice between the first two is arithmetic: a branch would be a
 * guess that only a missed load can settle, and a CPU that guessed wrong throws
 * away the lookups that it had begun behind it.
 *
 * An empty line, and slot 0, the header, may look like the record of an id; its
 * state, 0, tells.
 */
static inline const struct shelf_record *
shelf_find_in(const struct shelf_record *home, __s64 id)
{
	__u32 turn = SHELF_LOAD(home->next);
	const struct shelf_record *r;

	turn = SHELF_IS(home->id, id) ? 0 : turn;
	SHELF_OPAQUE(turn);
	r = shelf_leaf_line(home, turn);
	if (__builtin_expect(SHELF_IS(r->id, id) && !SHELF_IS(r->state, 0), 1))
		return r;
	return shelf_find_from(home, id);
}

/* Where an id of @hash is looked for first, in the leaf that @entry names. */
static inline const struct shelf_record *
shelf_home_line(const struct shelf_view *v, __u32 entry, __u64 hash)
{
	const struct shelf_record *leaf =
		(const struct shelf_record *)shelf_view_entry(v, entry);

	return leaf + shelf_home(hash, shelf_entry_tag(entry));
}

static inline const struct shelf_record *
shelf_find(const struct shelf_view *v, const __u32 *dir, __u32 bits, __s64 id)
{
	__u64 hash = shelf_hash(id, v->seed);
	__u64 place = shelf_place(hash);
	__u32 entry = shelf_walk(v, SHELF_LOAD(dir[shelf_prefix(place, bits)]), bits, place);

	return shelf_find_in(shelf_home_line(v, entry, hash), id);
}

/* The product's record in the arena, or NULL. */
static inline const struct shelf_product *
shelf_view_product(const struct shelf_view *v, __s64 id)
{
	return (const struct shelf_product *)
	       shelf_find(v, v->root->product_dir, SHELF_PRODUCT_DIR_BITS, id);
}

/* The catalog's record in the arena, or NULL. */
static inline const struct shelf_catalog *
shelf_view_catalog(const struct shelf_view *v, __s64 id)
{
	return (const struct shelf_catalog *)
	       shelf_find(v, v->root->catalog_dir, SHELF_CATALOG_DIR_BITS, id);
}

static inline __s64 shelf_source_id(const void *name, size_t len)
{
	const __u8 *at = (const __u8 *)name;
	__u64 hash = SHELF_SOURCE_HASH;

	while (len--)
		hash = (hash ^ *at++) * SHELF_SOURCE_PRIME;
	return (__s64)hash;
}

/*
 * The record in the arena of a source whose name has this id, or NULL; it begins
 * as a product does whose attributes are the name.
 */
static inline const struct shelf_source *
shelf_view_source(const struct shelf_view *v, __s64 id)
{
	return (const struct shelf_source *)
	       shelf_find(v, v->root->source_dir, SHELF_SOURCE_DIR_BITS, id);
}

/*
 * The attribute bytes of a record (the reader's own copy of it) from @at on, as
 * far as they lie side by side: *@n of them, at most @room.
 */
static inline const void *shelf_attrs_run(const struct shelf_view *v,
					  const struct shelf_product *p,
					  __u32 at, __u32 room, __u32 *n)
{
	__u32 slot_room, page, left;
	const __u8 *slot = (const __u8 *)shelf_view_slot(v, p->attrs_ref, &slot_room);

	slot_room -= SHELF_SLOT_KEY;
	slot += SHELF_SLOT_KEY;
	if (p->attrs_len <= SHELF_ATTRS_INLINE) {
		left = at < slot_room ? slot_room - at : 0;
		*n = room < left ? room : left;
		return slot + at;
	}
	page = at / SHELF_PAGE_BYTES;
	if (page >= slot_room / 4) {
		*n = 0;
		return slot;
	}
	at %= SHELF_PAGE_BYTES;
	left = SHELF_PAGE_BYTES - at;
	*n = room < left ? room : left;
	page = SHELF_LOAD(((const __u32 *)(const void *)slot)[page]);
	return (const __u8 *)shelf_view_page(v, page) + at;
}

/*
 * Copies up to @room attribute bytes of a record (the reader's own copy of it)
 * and returns how many.
 */
static inline __u32 shelf_view_attrs(const struct shelf_view *v,
				     const struct shelf_product *p,
				     void *to, __u32 room)
{
	__u32 len = p->attrs_len < room ? p->attrs_len : room;
	__u32 done, n;

	if (len > SHELF_ATTRS_MAX)
		len = SHELF_ATTRS_MAX;
	for (done = 0; done < len; done += n) {
		const void *from = shelf_attrs_run(v, p, done, len - done, &n);

		if (!n)
			break;
		shelf_copy((__u8 *)to + done, from, n);
	}
	return done;
}

/* How many of @n ascending members are below @id, or, with @equal, up to it. */
static inline __u32 shelf_lower(const __s64 *members, __u32 n, __s64 id, bool equal)
{
	__u32 low = 0;

	while (n) {
		__u32 half = n / 2;
		__s64 m = SHELF_LOAD(members[low + half]);
		bool right = m < id || (equal && m == id);

		low = right ? low + half + 1 : low;
		n = right ? n - half - 1 : half;
	}
	return low;
}

/**
 * struct shelf_run - a stretch of a set's members that lie side by side
 */
struct shelf_run {
	const __s64 *members;
	__u32 count;
	bool last;	/* no member of the set is behind it */
};

/* Which fence's subtree holds @id. */
static inline __u32 shelf_fence_find(const struct shelf_fence *f, __u32 n, __s64 id)
{
	__u32 low = 0;

	while (n > 1) {
		__u32 half = n / 2;
		bool right = SHELF_LOAD(f[low + half].first) <= id;

		low = right ? low + half : low;
		n = right ? n - half : half;
	}
	return low;
}

/*
 * The members of a page of the tree that can hold @id. If the set has members
 * behind it, @next_first is the smallest of them.
 */
static inline struct shelf_run
shelf_tree_run(const struct shelf_view *v, __u32 page, __u32 level, __s64 id,
	       __s64 *next_first)
{
	struct shelf_run run = { NULL, 0, true };
	const struct shelf_page_header *h =
		(const struct shelf_page_header *)shelf_view_page(v, page);
	__u32 n;

	for (level %= SHELF_SET_LEVELS + 1; level; level--) {
		const struct shelf_fence *f = (const struct shelf_fence *)(h + 1);
		__u32 i;

		n = SHELF_LOAD(h->count);
		n = n < SHELF_SET_PAGE_FENCES ? n : SHELF_SET_PAGE_FENCES;
		i = shelf_fence_find(f, n, id);
		if (i + 1 < n) {
			*next_first = SHELF_LOAD(f[i + 1].first);
			run.last = false;
		}
		h = (const struct shelf_page_header *)
			shelf_view_page(v, SHELF_LOAD(f[i].page));
	}
	n = SHELF_LOAD(h->count);
	run.count = n < SHELF_SET_PAGE_MEMBERS ? n : SHELF_SET_PAGE_MEMBERS;
	run.members = (const __s64 *)(h + 1);
	return run;
}

/* The stretch of a catalog (the reader's own copy of its record) around @id. */
static inline struct shelf_run
shelf_catalog_run(const struct shelf_view *v, const struct shelf_catalog *c,
		  __s64 id, __s64 *next_first)
{
	struct shelf_run run = { NULL, 0, true };
	__u32 room;

	switch (c->set) {
	case SHELF_SET_INLINE:
		run.members = c->members;
		run.count = c->count < SHELF_INLINE_MEMBERS ?
			    (__u32)c->count : SHELF_INLINE_MEMBERS;
		return run;
	case SHELF_SET_SLOT:
		run.members = (const __s64 *)shelf_view_slot(v, c->set_ref, &room) + 1;
		room = room / 8 - 1;
		run.count = c->count < room ? (__u32)c->count : room;
		return run;
	default:
		return shelf_tree_run(v, c->set_ref, c->level, id, next_first);
	}
}

static inline bool shelf_catalog_has(const struct shelf_view *v,
				     const struct shelf_catalog *c, __s64 id)
{
	__s64 unused;
	struct shelf_run run = shelf_catalog_run(v, c, id, &unused);
	__u32 i = shelf_lower(run.members, run.count, id, false);

	return i < run.count && SHELF_LOAD(run.members[i]) == id;
}

/**
 * shelf_catalog_copy() - members in ascending order
 * @after: with @from_start false, only members above it
 * @more: set if members follow the last one copied
 *
 * Return: how many were copied, at most @room.
 */
static inline __u32 shelf_catalog_copy(const struct shelf_view *v,
				       const struct shelf_catalog *c,
				       bool from_start, __s64 after,
				       __s64 *ids, __u32 room, bool *more)
{
	bool equal = !from_start;
	__s64 id = from_start ? SHELF_ID_MIN : after;
	__u32 done = 0, pages;

	/* Every page but the first yields a member, so this is a bound. */
	for (pages = 0; pages <= room + 1; pages++) {
		__s64 next_first = 0;
		struct shelf_run run = shelf_catalog_run(v, c, id, &next_first);
		__u32 i = shelf_lower(run.members, run.count, id, equal);
		__u32 n = run.count - i;

		n = n < room - done ? n : room - done;
		shelf_copy(ids + done, run.members + i, (size_t)n * 8);
		done += n;
		*more = i + n < run.count || !run.last;
		if (!*more || done == room)
			break;
		id = next_first;
		equal = false;
	}
	return done;
}

#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

#endif /* SHELF_WALK_H */
