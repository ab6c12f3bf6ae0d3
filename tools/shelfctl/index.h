/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a shelf or an export holds, so far as is needed to tell what differs from it:
 * ids and fields, but of attributes a hash. 48 bytes a product and 8 to 16 to find it,
 * 24 and as many a catalog, 8 a membership, and up to twice that while it grows.
 */
#ifndef SHELFCTL_INDEX_H
#define SHELFCTL_INDEX_H

#include "full.h"

#define INDEX_HAD	1U	/* in what was indexed */
#define INDEX_SEEN	2U	/* in what it is compared with */

/* Entries of any kind that begin with an id, in the order in which they came. */
struct table {
	char *entry;
	size_t size;		/* of an entry */
	__u32 count;
	__u32 room;
	__u32 *slot;		/* of entries, from 1; two for each that there is room for */
	__u64 seed;
};

struct indexed_product {
	__s64 id;
	__s64 price;
	__s64 stock;
	__u32 flags;
	char currency[3];
	__u8 state;
	XXH128_hash_t attrs;
};

struct indexed_catalog {
	__s64 id;
	size_t first;		/* of its members */
	__u32 count;
	__u8 state;
};

/* @id: shelf_source_id() of the name */
struct indexed_source {
	__s64 id;
	__u64 last;
	__u8 state;
	char name[SHELF_SOURCE_MAX + 1];
};

#define INDEX_SECRET	192

/**
 * struct index
 * @full: what it takes goes in here, with INDEX_HAD
 * @secret: what attributes are hashed with, so that nobody can make two that collide
 */
struct index {
	struct full full;
	struct table products;
	struct table catalogs;
	struct table sources;
	struct members members;
	unsigned char secret[INDEX_SECRET];
};

void index_init(struct index *x);
void index_free(struct index *x);
/* That of @id, made with state 0 unless there is one. It moves when another is made. */
struct indexed_product *index_product(struct index *x, __s64 id);
struct indexed_catalog *index_catalog(struct index *x, __s64 id);
struct indexed_source *index_source(struct index *x, const char *name);
XXH128_hash_t index_attrs(const struct index *x, const struct shelf_change *p);

static inline struct indexed_product *index_nth_product(const struct index *x, __u32 n)
{
	return (struct indexed_product *)x->products.entry + n;
}

static inline struct indexed_catalog *index_nth_catalog(const struct index *x, __u32 n)
{
	return (struct indexed_catalog *)x->catalogs.entry + n;
}

static inline struct indexed_source *index_nth_source(const struct index *x, __u32 n)
{
	return (struct indexed_source *)x->sources.entry + n;
}

#endif /* SHELFCTL_INDEX_H */
