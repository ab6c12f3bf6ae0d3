/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_BENCH_MACHINE_H
#define SHELF_BENCH_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct machine - loads to compare lookups with
 * @line: addresses of random lines of the very pages that lookups read, so
 *        that the same caches, translations and neighbours are at work; read
 *        in order, as ids are
 * @block: as many lines in one piece, all zero
 * @table: as many words as the shelf's directory has; all zero
 *
 * Indexes are computed by multiplication: a division would be most of what is
 * measured.
 */
struct machine {
	const uint64_t **line;
	uint64_t *block;
	uint64_t block_lines;
	uint32_t *table;
	uint64_t table_count;
};

/* One load whose place depends on the last one. */
uint64_t machine_miss(const struct machine *m, const int64_t *ids, size_t at, size_t n);
/*
 * Independent loads: of the line that an id's hash says, for no map can do with
 * less; and of lines whose addresses are known beforehand.
 */
uint64_t machine_load(const struct machine *m, const int64_t *ids, size_t at, size_t n);
uint64_t machine_known(const struct machine *m, const int64_t *ids, size_t at, size_t n);
/* Hash, a word of the table, a line that depends on it; and so on from there. */
uint64_t machine_floor(const struct machine *m, const int64_t *ids, size_t at, size_t n);

#endif /* SHELF_BENCH_MACHINE_H */
