// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * absl::flat_hash_map, the fastest map that C++ programs commonly use: once of
 * pointers to records on the heap, once with the hot 64 bytes in the table; and
 * std::unordered_map, what they have without asking for anything.
 *
 * None can be changed under readers; locks.cc has what programs do about it.
 */
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include <absl/container/flat_hash_map.h>

#include "peers.h"

namespace {

constexpr size_t line_bytes = 64;

/* The hot bytes of a bench_record, and where its attributes are. */
struct inlined {
	int64_t id;
	int64_t price;
	int64_t stock;
	uint8_t rest[40];
	uint8_t *attrs;
};

static_assert(offsetof(inlined, attrs) == sizeof(bench_record), "the same hot bytes");

using pointers = absl::flat_hash_map<int64_t, bench_record *>;
using inlines = absl::flat_hash_map<int64_t, inlined>;
using standard = std::unordered_map<int64_t, bench_record *>;

struct buffer {
	alignas(bench_record) uint8_t bytes[sizeof(bench_record) + BENCH_ATTRS_MAX];

	bench_record *fill(uint64_t index)
	{
		auto *r = reinterpret_cast<bench_record *>(bytes);

		bench_fill(r, index, 0);
		return r;
	}
};

/* Whole lines, so that the hot bytes are one miss. */
void *lines(size_t bytes)
{
	void *at = aligned_alloc(line_bytes, (bytes + line_bytes - 1) & -line_bytes);

	if (!at)
		bench_die("tables", "no memory");
	return at;
}

template <class map> void put(map &m, const bench_record *r)
{
	size_t bytes = sizeof(*r) + r->attrs_len;

	m[r->id] = static_cast<bench_record *>(memcpy(lines(bytes), r, bytes));
}

void put(inlines &m, const bench_record *r)
{
	inlined &to = m[r->id];

	memcpy(&to, r, sizeof(*r));
	to.attrs = static_cast<uint8_t *>(memcpy(malloc(r->attrs_len), r->attrs, r->attrs_len));
}

template <class value> const bench_record *hot(const value &v)
{
	return v.second;
}

const inlined *hot(const inlines::value_type &v)
{
	return &v.second;
}

template <class map> void ask(const map &m, int64_t id)
{
	m.prefetch(id);
}

/* There is no way to prefetch but of what was found. */
void ask(const standard &, int64_t)
{
}

template <class record> uint64_t first8(const record *r)
{
	uint64_t first;

	memcpy(&first, r->attrs, sizeof(first));
	return first;
}

template <enum bench_work work, class map>
uint64_t each(const map &m, const int64_t *ids, size_t n)
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
		auto *r = hot(*found);
		uint64_t used = static_cast<uint64_t>(r->price);

		sum += used + static_cast<uint64_t>(r->stock);
		if (work == BENCH_ATTRS) {
			sum += first8(r);
			used += first8(r);
		}
		if (work == BENCH_CHASE || work == BENCH_ATTRS)
			carry = used & zero;
	}
	return sum;
}

template <class map> uint64_t many(const map &m, const int64_t *ids, size_t n)
{
	decltype(hot(*m.begin())) at[BENCH_BATCH];
	uint64_t sum = 0;
	size_t count, got;

	for (size_t i = 0; i < n; i += count) {
		count = std::min<size_t>(n - i, BENCH_BATCH);
		got = 0;
		for (size_t j = 0; j < count; j++)
			ask(m, ids[i + j]);
		for (size_t j = 0; j < count; j++) {
			auto found = m.find(ids[i + j]);

			if (found == m.end())
				continue;
			at[got] = hot(*found);
			__builtin_prefetch(at[got++]);
		}
		for (size_t j = 0; j < got; j++)
			sum += static_cast<uint64_t>(at[j]->price + at[j]->stock);
	}
	return sum;
}

template <class map>
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

template <class map> void *make(uint64_t products)
{
	auto *m = new map;
	buffer b;

	m->reserve(products);
	for (uint64_t i = 0; i < products; i++)
		put(*m, b.fill(i));
	return m;
}

template <class map> void free_map(void *p)
{
	auto *m = static_cast<map *>(p);

	for (auto &v : *m)
		free(v.second);
	delete m;
}

template <> void free_map<inlines>(void *p)
{
	auto *m = static_cast<inlines *>(p);

	for (auto &v : *m)
		free(v.second.attrs);
	delete m;
}

} /* namespace */

const struct bench_map bench_absl = {
	.name = "absl",
	.how = "flat_hash_map of pointers to records in whole lines, reserve(); "
	       "many: prefetch(), find(), sum",
	.make = make<pointers>,
	.run = run<pointers>,
	.apply = nullptr,
	.reader_begin = nullptr,
	.reader_end = nullptr,
	.free = free_map<pointers>,
	.alien = false,
};

const struct bench_map bench_absl_inline = {
	.name = "absl_inline",
	.how = "flat_hash_map with the hot 64 bytes in the table, reserve(); "
	       "many: prefetch(), find(), sum",
	.make = make<inlines>,
	.run = run<inlines>,
	.apply = nullptr,
	.reader_begin = nullptr,
	.reader_end = nullptr,
	.free = free_map<inlines>,
	.alien = false,
};

const struct bench_map bench_std = {
	.name = "std",
	.how = "std::unordered_map of pointers to records in whole lines, reserve(); "
	       "many: find(), prefetch of the records, sum",
	.make = make<standard>,
	.run = run<standard>,
	.apply = nullptr,
	.reader_begin = nullptr,
	.reader_end = nullptr,
	.free = free_map<standard>,
	.alien = false,
};
