/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The pure part: arena, trees, batches, snapshots and pins. It knows no file, no
 * socket and, but for reclaim_lock, no lock. The kernel module and the hosted twin
 * both build it.
 *
 * One writer at a time: whoever calls a function here that takes a store or a
 * draft holds the store's write lock (shelf->commit_lock in the module, the
 * file lock in the hosted twin). Readers come in through walk.h, and through
 * store_pin() and store_unpin(), alone.
 *
 * Pages are named by number, never by pointer, in everything that lies in the
 * arena. Page 0 is never handed out and stays zero, so that a null reference
 * reads as "nothing here".
 */
#ifndef SHELF_CORE_H
#define SHELF_CORE_H

#include "arena.h"
#include "pin.h"

/**
 * struct retired - what one commit took out of the newest snapshot
 * @generation: the first that is without it
 * @grace: of the kernel readers that may still walk it
 * @since_ns: when it was retired, and its quarantine began
 */
struct retired {
	struct retired *next;
	u64 generation;
	u64 grace;
	u64 since_ns;
	struct page_list pages;
	struct slot_list slots;
};

/**
 * struct trim - how far a trim has got
 * @page: the pass has come down to it; 0: a pass is to begin
 * @staged: the page to which the batch at hand will bring it
 * @ops: staged in one batch, but for a page or two
 * @passes, @tries: over; begun for want of room
 * @moves: the batch at hand moves something
 * @again: another pass may find more to do when quarantine is over
 */
struct trim {
	u32 page;
	u32 staged;
	u32 ops;
	u32 passes;
	u32 tries;
	bool moves;
	bool again;
};

/**
 * struct store - one shelf's data
 * @control: the writer's view of the control page
 * @root: the newest snapshot; kernel readers hold rcu_read_lock()
 * @content: the last generation that is not just the one before, moved
 * @quarantine_ns: how long what was retired is left alone
 * @quarantine_bytes: beyond the larger of this and a quarter of what is live,
 *                    the longest retired is reused before its time
 * @first, @last: the quarantine, longest retired first
 * @reclaim_lock: oldest is raised, and pins come and go, under it; the innermost
 * @lease_ns, @lease_max_ns: how long a pin lasts that doesn't say, and at most
 * @pin_bytes: of what pins alone keep; beyond it the one that holds most goes
 * @retained_bytes: what pins alone keep
 * @revoked: if set, is told of each pin before it is revoked, under the lock
 * @trim: of whoever trims
 */
struct store {
	struct arena arena;
	struct shelf_control *control;
	struct shelf_root __rcu *root;
	u32 root_page;
	u64 generation;
	u64 content;
	u64 seed;
	u64 quarantine_ns;
	u64 quarantine_bytes;
	struct retired *first;
	struct retired *last;
	u64 quarantined_pages;
	u64 quarantined_slot_bytes;
	u64 draft_pages;
	u64 commits;
	u64 operations;
	u64 early_reuses;
	u64 reclaimed_pages;
	u64 reclaimed_slot_bytes;
	u64 returned_chunks;

	spinlock_t reclaim_lock;	/* pins against the writer, and oldest */
	struct pins *pins;
	u64 lease_ns;
	u64 lease_max_ns;
	u64 pin_bytes;
	u64 retained_bytes;
	u64 revocations;
	void (*revoked)(struct store *st, struct pin *p);

	struct trim trim;
};

/**
 * struct report - what came of a commit, for its sender
 * @error: negative errno; then @message says what, and @op which, if any
 * @repeated: it had been applied before, and nothing was changed
 * @products, @catalogs, @memberships: counts of the snapshot it made or would make
 * @dangling: members that it left without their product, if a guard counts them
 */
struct report {
	int error;
	bool has_op;
	bool repeated;
	u64 op;
	char message[120];
	u64 generation;
	u64 ops;
	u64 absent;
	u64 pages;
	u64 products;
	u64 catalogs;
	u64 memberships;
	u64 dangling;
	u64 draft_ns;
	u64 publish_ns;
	u64 grace_ns;
};

/* sort.c */
struct sort_item {
	u64 key;
	u64 value;
};

#define SORT_DIGIT_BITS	11
#define SORT_DIGITS	6

struct sorter {
	struct sort_item *spare;	/* as many as are sorted */
	u32 *counts;			/* SORT_DIGITS << SORT_DIGIT_BITS */
};

#define SORT_COUNTS	((size_t)SORT_DIGITS << SORT_DIGIT_BITS)

void sort_items(struct sorter *s, struct sort_item *items, u32 n);

/* batch.c */
#define FIELD_PRICE	BIT(0)
#define FIELD_STOCK	BIT(1)
#define FIELD_FLAGS	BIT(2)
#define FIELD_CURRENCY	BIT(3)
#define FIELD_ATTRS	BIT(4)
#define FIELD_NO_GAP	BIT(5)	/* of a sequence */

/**
 * struct op - one staged operation
 * @id: product, catalog, or hash of a source's name, which batch_add() sets
 * @index: position in the batch, from 0
 * @first, @last: sequence numbers
 * @kind: enum shelf_op_kind
 * @fields: FIELD_*: which of the following were given
 * @len: of @data: attribute bytes, or members (each 8 bytes), or bytes of a name
 */
struct op {
	s64 id;
	u64 index;
	union {
		s64 price;
		u64 first;
	};
	union {
		s64 stock;
		u64 last;
	};
	u32 flags;
	u8  currency[4];
	u32 len;
	u8  kind;
	u8  fields;
	u8  reserved[2];
	u8  data[] __aligned(8);
};

struct op_block {
	struct op_block *next;
	u32 used;
	u32 size;
	u8  bytes[] __aligned(8);
};

/* What an operation is on. */
enum map { MAP_PRODUCTS, MAP_CATALOGS, MAP_SOURCES, MAPS };

/**
 * struct guards - what a commit must not bring about
 * @max_change: by more per cent than this no count may change; 0: by any
 * @dangling: enum shelf_dangling, of members that name no product
 */
struct guards {
	u32 max_change;
	u8  dangling;
};

/**
 * struct batch - operations that become visible together
 * @trims: it changes nothing, but moves what it touches: trim.c's
 * @checks: it is drafted, but never published
 * @limit: most bytes it may take
 * @bytes: memory it takes
 * @map_ops: operations on each map
 */
struct batch {
	bool trims;
	bool checks;
	struct guards guards;
	struct op_block *first;
	struct op_block *last;
	u64 limit;
	u64 bytes;
	u64 ops;
	u32 map_ops[MAPS];
};

void batch_init(struct batch *b, u64 limit);
void batch_free(struct batch *b);
/*
 * Checks and stages one operation; @data are @op->len attribute bytes or
 * members. Returns 0 or a negative errno with *@why set to a constant string:
 * EINVAL, EMSGSIZE (attributes, members), EDQUOT (@limit), ENOMEM.
 */
int batch_add(struct batch *b, const struct op *op, const void *data,
	      const char **why);

/* Kinds of operations that nobody can send: they move what they name. */
#define OP_TOUCH		(SHELF_OP_MAX + 1)
#define OP_CATALOG_TOUCH	(SHELF_OP_MAX + 2)
#define OP_SOURCE_TOUCH		(SHELF_OP_MAX + 3)

/* @member: of the catalog, whose page is to move, or NULL. ENOMEM. */
int batch_touch(struct batch *b, u8 kind, s64 id, const s64 *member);

static inline enum map op_map(const struct op *op)
{
	if (op->kind < SHELF_OP_CATALOG_ADD || op->kind == OP_TOUCH)
		return MAP_PRODUCTS;
	if (op->kind < SHELF_OP_SEQUENCE || op->kind == OP_CATALOG_TOUCH)
		return MAP_CATALOGS;
	return MAP_SOURCES;
}

static inline size_t op_bytes(const struct op *op)
{
	size_t data = op_map(op) == MAP_CATALOGS ? (size_t)op->len * 8 : op->len;

	return sizeof(*op) + ALIGN(data, 8);
}

/* snapshot.c */

/* A page of a leaf's size for work in progress, and what is put together. */
struct leaf_item {
	u64 place;
	u64 hash;
	struct shelf_record record;
};

#define LEAF_OPS_MAX	192U
#define LEAF_ITEMS_MAX	(SHELF_LEAF_SLOTS + LEAF_OPS_MAX)

struct fence_vec {
	struct shelf_fence *fence;
	u32 count;
	u32 room;
};

/**
 * struct draft - the next snapshot while no reader can reach it
 * @trims: it only moves things, and is given up rather than anything reused early
 * @checks: it is dropped in the end, and given up rather than a pin revoked
 * @guards: of its batch
 * @dangling_member, @dangling_catalog: the first that guard.c has told of
 * @new_pages: pages it has taken
 * @new_slots: slots it has taken in pages that were there before
 * @retired: what it replaces; becomes an entry of the quarantine
 */
struct draft {
	struct store *store;
	u64 generation;
	bool trims;
	bool checks;
	const struct guards *guards;
	s64 dangling_member;
	s64 dangling_catalog;
	struct shelf_root *root;
	u32 root_page;
	struct page_list new_pages;
	struct slot_list new_slots;
	struct retired *retired;
	struct report *report;
	u64 pages_written;
	/* work space */
	struct sorter sorter;
	struct sort_item *items;
	u32 items_room;
	struct sort_item *edits;
	struct sort_item *edits_spare;
	u32 edits_room;
	struct shelf_record image[SHELF_LEAF_SLOTS + 1];
	struct leaf_item item[LEAF_ITEMS_MAX];
	struct leaf_item old[SHELF_LEAF_SLOTS];
	s64 members[SHELF_SET_PAGE_MEMBERS];
	struct fence_vec fences[SHELF_SET_LEVELS + 2];
};

/*
 * All bookkeeping, and settings at their defaults. The caller has zeroed @st and
 * filled the control page, which the pin page follows, but for the two words that
 * change. ENOMEM; store_exit() is due in either case.
 */
int store_prepare(struct store *st, struct shelf_control *control);
/* Makes it an empty store, generation 1. May sleep. ENOMEM, ENOSPC. */
int store_init(struct store *st);
/* Frees all bookkeeping; the chunks are the glue's. No pin is left. */
void store_exit(struct store *st);

/*
 * The next snapshot, where no reader can reach it, with all of a commit's checks
 * passed; or ERR_PTR, and no trace. Of a batch that checks it is to be dropped.
 */
struct draft *draft_make(struct store *st, const struct batch *b, struct report *report);
void draft_publish(struct draft *d);	/* cannot fail, allocates nothing */
void draft_retire(struct draft *d);	/* at once after it */
void draft_drop(struct draft *d);	/* never visible, so no grace period */

int draft_error(struct draft *d, const struct op *op, int error,
		const char *what);

/* trim.c */

enum trim_next { TRIM_STEP, TRIM_WAIT, TRIM_OVER };

/*
 * Stages what moves the next of what is to be emptied into @b, whose commit is as any
 * other, but for nothing if there are no operations in it. ENOMEM. The commit is
 * refused with ENOSPC if there is no room for so much beside what is there.
 */
int trim_stage(struct store *st, struct batch *b);
/*
 * What is next, when that came to @ret: another step; another pass, when all that is in
 * quarantine has left it; or nothing, but the same wait for memory to go back.
 */
enum trim_next trim_next(struct store *st, int ret);
/* Whether so much is free that it is worth a trim. */
bool trim_wanted(const struct store *st);

/* Any context. */
static inline u64 store_generation(const struct store *st)
{
	/*
	 * P1. Pairs with the release in draft_publish(): who is told of a
	 * generation finds it, or a newer one, behind the root.
	 */
	return smp_load_acquire(&st->control->current_word) >> SHELF_ROOT_BITS;
}

static inline void store_view(const struct store *st, struct shelf_view *v)
{
#ifdef __KERNEL__
	v->chunks = st->arena.chunk;
#else
	v->arena = (const u8 *)st->control + SHELF_MMAP_ARENA;
	v->mask = st->control->arena_bytes - SHELF_PAGE_BYTES;
#endif
	v->seed = st->seed;
	v->root = arena_page(&st->arena, st->root_page);
}

/* reclaim.c */
#define NS_PER_MS	1000000ULL
#define QUARANTINE_NS	(1000 * NS_PER_MS)
#define QUARANTINE_BYTES (64ULL << 20)
#define LEASE_NS	(60000 * NS_PER_MS)
#define LEASE_MAX_NS	(3600000 * NS_PER_MS)
#define GRACE_CHECK_NS	(4 * NS_PER_MS)	/* a grace period may be over by then */

/* There is more to give back, another time, so that a commit may come between. */
#define RECLAIM_MORE	1ULL
/*
 * Frees what has been in quarantine for long enough, gives back chunks, and ends
 * leases. Returns RECLAIM_MORE or nanoseconds until it is worth another call, 0: when
 * something has changed.
 */
u64 store_reclaim(struct store *st);
/* Whether something is in quarantine that was retired up to @generation. */
static inline bool store_quarantines(const struct store *st, u64 generation)
{
	return st->first && st->first->generation <= generation;
}

/*
 * Gets free pages, come what may, but for pins if it is to spare them: see there.
 * ENOSPC, ENOMEM. May wait.
 */
int store_refill(struct store *st, bool spares_pins);
u64 store_quarantine_bytes(const struct store *st);
u64 store_quarantine_budget(const struct store *st);

/* The glue's: nanoseconds of a monotonic clock, and of CLOCK_REALTIME. */
u64 store_clock(void);
u64 store_realtime(void);

static inline bool draft_owns(const struct draft *d, u32 page)
{
	return page_meta(&d->store->arena, page)->birth == d->generation;
}

/* table.c, directory.c, leaf.c, merge.c */

/* A product's or catalog's trie inside a draft's root. */
struct table {
	u32 *dir;
	u32 bits;
	u8  kind;
	/*
	 * Applies @n operations on one id to its record (state 0: absent; so
	 * it may become). Returns 1 if it changed, 0 if not, or an error.
	 */
	int (*change)(struct draft *d, struct shelf_record *r,
		      const struct sort_item *ops, u32 n);
};

/* @ops: key = place, value = struct op pointer; sorted by key, stable. */
int table_apply(struct draft *d, struct table *t, struct sort_item *ops, u32 n);
/* The leaf entry for a place, or 0, and how many bits its stretch shares. */
u32 table_find(const struct draft *d, const struct table *t, u64 place, u32 *depth);
int table_set(struct draft *d, struct table *t, u64 place, u32 depth, u32 entry);
void table_prune(struct draft *d, const struct table *t, u64 base, u32 depth);
void table_prune_empty(struct draft *d, const struct table *t, u64 place);
int table_merge(struct draft *d, struct table *t, u64 place, const u64 *next);

/* Writes a leaf of @n records; returns its entry, or 0 and *@error. */
u32 leaf_write(struct draft *d, u8 kind, const struct leaf_item *items, u32 n,
	       u64 place, u32 depth, u32 seed_hint, int *error);

/* The last place of a stretch whose places share the first @depth bits of @base. */
static inline u64 stretch_last(u64 base, u32 depth)
{
	return depth > 63 ? base : base | ~0ULL >> depth;
}

static inline const struct op *item_op(const struct sort_item *item)
{
	return (const struct op *)(uintptr_t)item->value;
}

/*
 * attrs.c: of a product's record, or of what is laid out like one. To write sets
 * attrs_ref, attrs_len and attrs_generation; to retire leaves them.
 */
bool attrs_equal(const struct arena *a, const struct shelf_product *p, const struct op *op);
int attrs_write(struct draft *d, struct shelf_product *p, const struct op *op);
int attrs_retire(struct draft *d, const struct shelf_product *p);
int attrs_touch(struct draft *d, struct shelf_product *p);

/* product.c, catalog.c, source.c */
int product_change(struct draft *d, struct shelf_record *r,
		   const struct sort_item *ops, u32 n);
int catalog_change(struct draft *d, struct shelf_record *r,
		   const struct sort_item *ops, u32 n);
int source_change(struct draft *d, struct shelf_record *r,
		  const struct sort_item *ops, u32 n);

/* guard.c: EDOM; tells the report. The draft is whole. */
int draft_guard(struct draft *d, const struct batch *b);
/* The catalog's set has had all of @edits applied. */
void guard_added(struct draft *d, s64 catalog, const struct sort_item *edits, u32 n);

/* What a snapshot has, for the report of who made it. */
static inline void report_counts(struct report *r, const struct shelf_root *root)
{
	r->products = root->products;
	r->catalogs = root->catalogs;
	r->memberships = root->memberships;
}

/*
 * P6. Whether the newest snapshot has all that the batch has, as its sequence
 * numbers say; then @report is its answer. The caller holds the write lock.
 */
bool batch_repeats(const struct store *st, const struct batch *b, struct report *report);

#endif /* SHELF_CORE_H */
