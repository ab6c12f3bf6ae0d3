// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * std::unordered_map, what a C++ program has without asking for anything.
 *
 * It can't be changed under readers; locks.cc has what programs do about it.
 */
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "peers.h"

namespace {

constexpr size_t line_bytes = 64;

using map = std::unordered_map<int64_t, bench_record *>;

/* In whole lines, so that the hot bytes are one miss. */
bench_record *copy(const bench_record *r)
{
	size_t bytes = sizeof(*r) + r->attrs_len;
	void *at = aligned_alloc(line_bytes, (bytes + line_bytes - 1) & -line_bytes);

	if (!at)
		bench_die("std", "no memory");
	return static_cast<bench_record *>(memcpy(at, r, bytes));
}

void *make(uint64_t products)
{
	alignas(bench_record) uint8_t bytes[sizeof(bench_record) + BENCH_ATTRS_MAX];
	auto *r = reinterpret_cast<bench_record *>(bytes);
	auto *m = new map;

	m->reserve(products);
	for (uint64_t i = 0; i < products; i++) {
		bench_fill(r, i, 0);
		m->emplace(r->id, copy(r));
	}
	return m;
}

template <enum bench_work work> uint64_t each(const map &m, const int64_t *ids, size_t n)
{
	const uint64_t zero = bench_zero_source;
	uint64_t sum = 0, carry = 0;

	for (size_t i = 0; i < n; i++) {
		auto found = m.find(ids[i] + static_cast<int64_t>(carry));

		/* What is not found yields no data to depend on, so the CPU is held up. */
		if (work == BENCH_MISS) {
			carry = found != m.end();
			__asm__ volatile("lfence" ::: "memory");
		}
		if (found == m.end())
			continue;
		const bench_record *r = found->second;
		uint64_t used = static_cast<uint64_t>(r->price), first;

		sum += used + static_cast<uint64_t>(r->stock);
		if (work == BENCH_ATTRS) {
			memcpy(&first, r->attrs, sizeof(first));
			sum += first;
			used += first;
		}
		if (work == BENCH_CHASE || work == BENCH_ATTRS)
			carry = used & zero;
	}
	return sum;
}

/* There is no way to prefetch but of what was found. */
uint64_t many(const map &m, const int64_t *ids, size_t n)
{
	const bench_record *at[BENCH_BATCH];
	uint64_t sum = 0;
	size_t count, got;

	for (size_t i = 0; i < n; i += count) {
		count = std::min<size_t>(n - i, BENCH_BATCH);
		got = 0;
		for (size_t j = 0; j < count; j++) {
			auto found = m.find(ids[i + j]);

			if (found == m.end())
				continue;
			at[got] = found->second;
			__builtin_prefetch(at[got++]);
		}
		for (size_t j = 0; j < got; j++)
			sum += static_cast<uint64_t>(at[j]->price + at[j]->stock);
	}
	return sum;
}

uint64_t run(void *p, enum bench_work work, const int64_t *ids, size_t n)
{
	const map &m = *static_cast<map *>(p);

	switch (work) {
	case BENCH_CHASE:
		return each<BENCH_CHASE>(m, ids, n);
	case BENCH_RATE:
		return each<BENCH_RATE>(m, ids, n);
	case BENCH_MANY:
		return many(m, ids, n);
	case BENCH_MISS:
		return each<BENCH_MISS>(m, ids, n);
	case BENCH_ATTRS:
		return each<BENCH_ATTRS>(m, ids, n);
	default:
		return BENCH_NOT_OFFERED;
	}
}

void free_map(void *p)
{
	auto *m = static_cast<map *>(p);

	for (auto &v : *m)
		free(v.second);
	delete m;
}

} /* namespace */

const struct bench_map bench_std = {
	.name = "std",
	.how = "std::unordered_map of pointers to records in whole lines, reserve(); "
	       "many: find(), prefetch of the records, sum",
	.make = make,
	.run = run,
	.apply = nullptr,
	.reader_begin = nullptr,
	.reader_end = nullptr,
	.free = free_map,
	.alien = false,
};
