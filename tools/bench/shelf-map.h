/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_BENCH_SHELF_MAP_H
#define SHELF_BENCH_SHELF_MAP_H

#include "../lib/hosted.h"
#include "../lib/shelf.h"
#include "bench.h"

struct bench_shelf {
	struct hosted *hosted;
	struct shelf reader;
};

struct bench_shelf *bench_shelf_make(uint64_t products, bool huge);
void bench_shelf_free(struct bench_shelf *s);
/* A put of product @index as bench_fill() makes it. */
void bench_shelf_put(struct batch *b, uint64_t index, uint32_t version);
/* Likewise, but its attributes change with the version too. */
void bench_shelf_rewrite(struct batch *b, uint64_t index, uint32_t version);
/* Commits and frees @b; exits if it is refused. @report may be NULL. */
void bench_shelf_commit(struct bench_shelf *s, struct batch *b, struct report *report);

/* sets.c: a commit that puts each product into a catalog, and what to do with it */
void bench_shelf_catalogs(struct bench_shelf *s, uint64_t products);
extern const struct bench_map bench_members, bench_pages;

extern const struct bench_map bench_shelf, bench_shelf_4k, bench_shelf_each;

#endif /* SHELF_BENCH_SHELF_MAP_H */
