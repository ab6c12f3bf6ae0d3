/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the benchmarks have in common: one set of data, one kind of work, and
 * windows that alternate between what is compared.
 *
 * A figure is a ratio of medians over windows taken side by side in one run;
 * machines are shared, and a lone absolute says little.
 */
#ifndef SHELF_BENCH_H
#define SHELF_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct bench_record - what is found under an id: the same for every map
 * @attrs: as in a catalogue, 100 to 172 of them; 136 on average
 *
 * The hot part is 64 bytes, as a shelf's record is.
 */
struct bench_record {
	int64_t id;
	int64_t price;
	int64_t stock;
	uint32_t flags;
	char currency[4];
	uint32_t attrs_len;
	uint8_t reserved[28];
	uint8_t attrs[];
};

#define BENCH_ATTRS_MAX	172U

/* Ids that are neither dense nor random: as a shop numbers its goods. */
static inline int64_t bench_id(uint64_t index)
{
	return (int64_t)(index * 7919 + 12345);
}

/* An id that no product has. */
static inline int64_t bench_absent_id(uint64_t index)
{
	return (int64_t)(index * 7919 + 12346);
}

/* Deterministic contents of product @index; @version: how often it was changed. */
void bench_fill(struct bench_record *r, uint64_t index, uint32_t version);

enum bench_work {
	BENCH_CHASE,	/* each id depends on the record found before */
	BENCH_RATE,	/* independent lookups, one call each */
	BENCH_MANY,	/* independent lookups by the peer's call for many, by 100 */
	BENCH_MISS,	/* as CHASE; nothing is found */
	BENCH_ATTRS,	/* as CHASE, with the first 8 attribute bytes */
	BENCH_WORKS
};

/**
 * struct bench_change - one product of a delta: what is put in place of it
 */
struct bench_change {
	uint64_t index;
	uint32_t version;
};

/**
 * struct bench_map - a way to keep products that can be compared with others
 * @make: @products records, indexes 0 to @products - 1, version 0. NULL if it
 *        can't be had here, with a reason printed to stderr
 * @run: looks @n ids up and returns the sum of price and stock (and of the
 *       first 8 attribute bytes, as one little-endian number, for ATTRS) of
 *       those found; BENCH_NOT_OFFERED if it has no such way. Dependent work
 *       adds to each id a number that is 0 and was computed from the record
 *       found before (price & bench_zero), so that the CPU can't run ahead.
 * @apply: one delta, as the map's own users would apply it: in one transaction
 *         if it has them. NULL if it can't be changed
 * @reader_begin, @reader_end: around all calls of @run by a thread other than
 *         the one that called @make, for maps that ask for it. May be NULL;
 *         reader_begin returns what is given to run and apply as @map there
 * @alien: another process answers; windows are shorter
 *
 * All of them are made and read in one process, over memory that the allocator
 * got with 2 MiB pages where the map has no wish of its own.
 */
struct bench_map {
	const char *name;
	const char *how;	/* one line: its fastest API and settings used */
	void *(*make)(uint64_t products);
	uint64_t (*run)(void *map, enum bench_work work, const int64_t *ids, size_t n);
	void (*apply)(void *map, const struct bench_change *changes, size_t n);
	void *(*reader_begin)(void *map);
	void (*reader_end)(void *reader);
	void (*free)(void *map);
	bool alien;
};

#define BENCH_NOT_OFFERED	UINT64_MAX
#define BENCH_BATCH		100U

/* Zero, but no compiler knows. Read once, before a loop. */
extern volatile uint64_t bench_zero_source;

/* Processor time doesn't matter: what a reader waits is what is measured. */
uint64_t bench_now(void);	/* ns */

uint64_t bench_random(uint64_t *state);

/* Anonymous memory, zeroed, with 2 MiB pages if @huge. Exits on failure. */
void *bench_memory(size_t bytes, bool huge);

/* Runs the calling thread on one CPU, 0 or 1. */
void bench_pin(int cpu);

double bench_median(double *values, size_t n);	/* sorts them */
double bench_quantile(const double *sorted, size_t n, double q);

/* Prints a figure and keeps it for the summary: name, value, unit, a line. */
void bench_figure(const char *name, double value, const char *unit);
/* Opened for append, so that several programs may write one summary. */
void bench_summary(const char *path);

void bench_die(const char *what, const char *why);

/* From peers/; ends with a NULL. */
extern const struct bench_map *const bench_peers[];

#ifdef __cplusplus
}
#endif

#endif /* SHELF_BENCH_H */
