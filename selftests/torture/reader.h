/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One reader, and how what it read is checked.
 */
#ifndef TORTURE_READER_H
#define TORTURE_READER_H

#include "torture.h"

#define LOOKUPS_MAX	256U
#define MANY_MAX	32U	/* that many of one with all of their attributes */
#define IDS_MAX		WORLD_MEMBERS

/*
 * A shelf as one way of reading shows it. The two ways are told apart, since an ioctl
 * finds the next root an instant before the mapping does.
 * @last: the generation seen last
 * @world: the batch seen last
 */
struct source {
	const struct shelf *s;
	bool by_ioctl;
	u64 last;
	struct world world;
};

/*
 * @weak: the library's own pin of a hosted shelf
 * @until_ns: when to end it; @lease_ns: when its lease is over
 */
struct held {
	bool used;
	bool weak;
	struct source *from;
	struct shelf_pin pin;
	u64 until_ns;
	u64 lease_ns;
	struct world world;
};

struct reader {
	int index;
	u64 random;
	struct tally *tally;
	struct source mapped;
	struct source ioctl;
	struct held held[PINS_EACH];
	/* what sections and calls copy out */
	u32 which[LOOKUPS_MAX];
	bool found[LOOKUPS_MAX];
	s64 ids[IDS_MAX];
	struct shelf_product product[SHELF_GET_MANY_MAX];
	struct shelf_catalog catalog[SHELF_LEAF_SLOTS];
	u8 attrs[MANY_MAX * WORLD_ATTRS];
};

/* What was true before a read began. */
struct moment {
	u64 generation;		/* acknowledged */
	u64 batch;		/* acknowledged */
	u64 oldest;
};

struct moment moment_begin(const struct source *from);
/* What a read saw, whole: false, and faults, if it can't have been that. */
bool saw_generation(struct reader *r, struct source *from, const struct moment *m,
		    u64 generation);
/*
 * The same of one that had the clock in it: whatever else it had is to be checked
 * against from->world now.
 */
bool saw_clock(struct reader *r, struct source *from, const struct moment *m,
	       u64 generation, u64 batch);

/* What a read brought, to be looked for in the states that it may be of. */
struct answer {
	bool (*same)(const struct world *w, const struct answer *a);
	u32 i;				/* product or catalog */
	bool found;
	const struct shelf_product *product;
	const u8 *attrs;		/* NULL: not asked for */
	const s64 *ids;			/* members */
	u32 place;			/* of the first */
	u32 n;
	const bool *has;
	u64 total;
	bool more;
	const struct shelf_ioc_info *info;
};

bool same_product(const struct world *w, const struct answer *a);
bool same_page(const struct world *w, const struct answer *a);
bool same_total(const struct world *w, const struct answer *a);
bool same_members(const struct world *w, const struct answer *a);
bool same_info(const struct world *w, const struct answer *a);

/* For reads without the clock: it is of some batch from that moment until now. */
void check_answer(struct reader *r, struct source *from, const struct moment *m,
		  const struct answer *a, const char *what);
/* A product, or with @p NULL that there is none, against a known state. */
bool check_product(struct reader *r, const struct world *w, u32 i,
		   const struct shelf_product *p, u64 generation);
bool check_attrs(struct reader *r, const struct world *w, u32 i, const u8 *attrs);

/* Counts validated reads, and how old the generation has become meanwhile. */
void count_reads(struct reader *r, const struct source *from, enum kind kind, u64 n,
		 u64 generation);
void refused(struct reader *r, const char *call, long ret);

/* Sleeps in the middle of a read, if the tormentor says so. */
static inline void stall(const struct reader *r)
{
	u32 ms = flag(&shared->nap_ms[r->index]);

	if (__builtin_expect(ms, 0)) {
		__atomic_store_n(&shared->nap_ms[r->index], 0, __ATOMIC_RELAXED);
		sleep_ms(ms);
	}
}

static inline u32 draw(struct reader *r, u32 n)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return (u32)((r->random >> 32) * n >> 32);
}

static inline s64 clock_id(void)
{
	return world_product_id(WORLD_CLOCK);
}

/* section.c */
void section_products(struct reader *r);
void section_catalogs(struct reader *r);
/* calls.c */
void calls(struct reader *r, struct source *from);
/* pinned.c */
void pinned(struct reader *r, struct source *from);
void pinned_drop_all(struct reader *r);
/* One of those that are held, or another; NULL: it could not be had. */
struct held *pin_any(struct reader *r);
void pin_drop(struct reader *r, struct held *h);
/* scan.c */
void scan(struct reader *r);

#endif /* TORTURE_READER_H */
