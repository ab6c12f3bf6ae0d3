// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The machine itself: what a lookup that does nothing but wait for memory
 * would cost.
 */
#include "../lib/shelf.h"
#include "bench.h"
#include "machine.h"

/* @after is 0, and this load can't begin before it is known. */
static inline uint64_t load_line(const struct machine *m, size_t at, uint64_t after,
				 uint64_t zero)
{
	return SHELF_LOAD(m->line[at][after]) & zero;
}

uint64_t machine_miss(const struct machine *m, const int64_t *ids, size_t at, size_t n)
{
	uint64_t last = 0;
	const uint64_t zero = bench_zero_source;
	size_t i;

	(void)ids;
	for (i = at; i < at + n; i++)
		last = load_line(m, i, last, zero);
	return last;
}

uint64_t machine_known(const struct machine *m, const int64_t *ids, size_t at, size_t n)
{
	uint64_t sum = 0;
	const uint64_t zero = bench_zero_source;
	size_t i;

	(void)ids;
	for (i = at; i < at + n; i++)
		sum += load_line(m, i, 0, zero);
	return sum;
}

uint64_t machine_load(const struct machine *m, const int64_t *ids, size_t at, size_t n)
{
	uint64_t sum = 0;
	size_t i;

	for (i = at; i < at + n; i++) {
		uint64_t line = shelf_mulhi(shelf_hash(ids[i], 0x5eed), m->block_lines);

		sum += SHELF_LOAD(m->block[line * SHELF_LINE / sizeof(*m->block)]);
	}
	return sum;
}

uint64_t machine_floor(const struct machine *m, const int64_t *ids, size_t at, size_t n)
{
	uint64_t last = 0;
	const uint64_t zero = bench_zero_source;
	size_t i;

	for (i = at; i < at + n; i++) {
		uint64_t hash = shelf_hash(ids[i] + (int64_t)last, 0x5eed);

		last = load_line(m, i, SHELF_LOAD(m->table[shelf_mulhi(hash, m->table_count)]),
				 zero);
	}
	return last;
}
