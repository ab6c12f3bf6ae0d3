// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What programs do to change an absl::flat_hash_map under readers:
 *
 *   rwlock   one lock around all, so that a delta appears at once
 *   sharded  32 maps with a mutex each, as in libraries of concurrent maps (it is
 *            cheaper than a rwlock, and rarely contended); a delta appears
 *            product by product
 *   swap     a changed copy of the whole map takes its place at once; readers
 *            take no lock, and announce when they hold no map any more
 *
 * Writers take turns. They prepare records before they lock anything.
 */
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include <pthread.h>
#include <sched.h>

#include <absl/container/flat_hash_map.h>

#include "peers.h"

namespace {

constexpr size_t line_bytes = 64;
constexpr unsigned int shard_bits = 5;
constexpr unsigned int readers_max = 64;

using table = absl::flat_hash_map<int64_t, bench_record *>;

/* What a reader takes along when it unlocks. */
struct taken {
	uint64_t price;
	uint64_t stock;
	uint64_t first;	/* 8 bytes of attributes, if they were asked for */
};

/* In whole lines, so that the hot bytes are one miss. */
bench_record *record_new(uint64_t index, uint32_t version)
{
	alignas(bench_record) uint8_t room[sizeof(bench_record) + BENCH_ATTRS_MAX];
	auto *r = reinterpret_cast<bench_record *>(room);

	bench_fill(r, index, version);
	size_t bytes = sizeof(*r) + r->attrs_len;
	void *at = aligned_alloc(line_bytes, (bytes + line_bytes - 1) & -line_bytes);

	if (!at)
		bench_die("locks", "no memory");
	return static_cast<bench_record *>(memcpy(at, r, bytes));
}

std::vector<bench_record *> records_new(const struct bench_change *changes, size_t n)
{
	std::vector<bench_record *> records(n);

	for (size_t i = 0; i < n; i++)
		records[i] = record_new(changes[i].index, changes[i].version);
	return records;
}

/* Leaves in @by what was there. */
void put(table &t, bench_record *&by)
{
	std::swap(t.find(by->id)->second, by);
}

void records_free(const std::vector<bench_record *> &records)
{
	for (auto *r : records)
		free(r);
}

void table_free(table &t)
{
	for (auto &v : t)
		free(v.second);
}

template <bool attrs> bool take(const table &t, int64_t id, taken &to)
{
	auto found = t.find(id);

	if (found == t.end())
		return false;
	const bench_record *r = found->second;

	to.price = static_cast<uint64_t>(r->price);
	to.stock = static_cast<uint64_t>(r->stock);
	if (attrs)
		memcpy(&to.first, r->attrs, sizeof(to.first));
	return true;
}

uint64_t take_many(const table &t, const int64_t *ids, size_t n)
{
	const bench_record *at[BENCH_BATCH];
	uint64_t sum = 0;
	size_t got = 0;

	for (size_t i = 0; i < n; i++)
		t.prefetch(ids[i]);
	for (size_t i = 0; i < n; i++) {
		auto found = t.find(ids[i]);

		if (found == t.end())
			continue;
		at[got] = found->second;
		__builtin_prefetch(at[got++]);
	}
	for (size_t i = 0; i < got; i++)
		sum += static_cast<uint64_t>(at[i]->price + at[i]->stock);
	return sum;
}

template <enum bench_work work, class map>
uint64_t each(map &m, const int64_t *ids, size_t n)
{
	const uint64_t zero = bench_zero_source;
	uint64_t sum = 0, carry = 0;

	for (size_t i = 0; i < n; i++) {
		taken r = {};
		bool found = m.template find<work == BENCH_ATTRS>(
			ids[i] + static_cast<int64_t>(carry), r);

		sum += r.price + r.stock + r.first;
		if (work == BENCH_CHASE || work == BENCH_ATTRS)
			carry = (r.price + r.first) & zero;
		/* What is not found yields no data to depend on, so the CPU is held up. */
		if (work == BENCH_MISS) {
			carry = found;
			__asm__ volatile("lfence" ::: "memory");
		}
	}
	return sum;
}

template <class map> uint64_t many(map &m, const int64_t *ids, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i += BENCH_BATCH)
		sum += m.find_many(ids + i, std::min<size_t>(n - i, BENCH_BATCH));
	return sum;
}

template <class map>
uint64_t look_up(map &m, enum bench_work work, const int64_t *ids, size_t n)
{
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

struct rw_lock {
	pthread_rwlock_t rw;

	/* The default kind keeps a writer waiting for as long as readers overlap. */
	rw_lock()
	{
		pthread_rwlockattr_t attr;

		pthread_rwlockattr_init(&attr);
		pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
		pthread_rwlock_init(&rw, &attr);
	}

	void read() { pthread_rwlock_rdlock(&rw); }
	void write() { pthread_rwlock_wrlock(&rw); }
	void unlock() { pthread_rwlock_unlock(&rw); }
};

struct rwlocked {
	rw_lock lock;
	table t;

	explicit rwlocked(uint64_t products)
	{
		t.reserve(products);
		for (uint64_t i = 0; i < products; i++)
			t[bench_id(i)] = record_new(i, 0);
	}

	~rwlocked() { table_free(t); }

	template <bool attrs> bool find(int64_t id, taken &to)
	{
		lock.read();
		bool found = take<attrs>(t, id, to);
		lock.unlock();
		return found;
	}

	uint64_t find_many(const int64_t *ids, size_t n)
	{
		lock.read();
		uint64_t sum = take_many(t, ids, n);
		lock.unlock();
		return sum;
	}

	uint64_t run(enum bench_work work, const int64_t *ids, size_t n)
	{
		return look_up(*this, work, ids, n);
	}

	void apply(const struct bench_change *changes, size_t n)
	{
		auto records = records_new(changes, n);

		lock.write();
		for (auto *&r : records)
			put(t, r);
		lock.unlock();
		records_free(records);
	}
};

struct sharded {
	struct alignas(line_bytes) shard {
		std::mutex lock;
		table t;
	};
	std::array<shard, 1U << shard_bits> shards;

	shard &of(int64_t id)
	{
		return shards[static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15U >> (64 - shard_bits)];
	}

	explicit sharded(uint64_t products)
	{
		for (auto &s : shards)
			s.t.reserve((products >> shard_bits) + (products >> (shard_bits + 4)));
		for (uint64_t i = 0; i < products; i++)
			of(bench_id(i)).t[bench_id(i)] = record_new(i, 0);
	}

	~sharded()
	{
		for (auto &s : shards)
			table_free(s.t);
	}

	template <bool attrs> bool find(int64_t id, taken &to)
	{
		shard &s = of(id);

		s.lock.lock();
		bool found = take<attrs>(s.t, id, to);
		s.lock.unlock();
		return found;
	}

	/* Nothing may be prefetched without the lock, so this is one by one. */
	uint64_t find_many(const int64_t *ids, size_t n)
	{
		return each<BENCH_RATE>(*this, ids, n);
	}

	uint64_t run(enum bench_work work, const int64_t *ids, size_t n)
	{
		return look_up(*this, work, ids, n);
	}

	void apply(const struct bench_change *changes, size_t n)
	{
		auto records = records_new(changes, n);

		for (auto *&r : records) {
			shard &s = of(r->id);

			s.lock.lock();
			put(s.t, r);
			s.lock.unlock();
		}
		records_free(records);
	}
};

struct swapped {
	/* When it began, by the epoch; 0 while it holds no map. */
	struct alignas(line_bytes) reader {
		std::atomic<uint64_t> since{0};
		std::atomic<bool> used{false};
		swapped *map;
	};

	std::atomic<table *> current;
	std::atomic<uint64_t> epoch{1};
	std::mutex writer;
	std::array<reader, readers_max> readers;

	explicit swapped(uint64_t products)
	{
		auto *t = new table;

		t->reserve(products);
		for (uint64_t i = 0; i < products; i++)
			(*t)[bench_id(i)] = record_new(i, 0);
		current.store(t);
	}

	~swapped()
	{
		table_free(*current.load());
		delete current.load();
	}

	/* Pairs with the release in apply(). A lookup sees what is newest. */
	const table &newest() { return *current.load(std::memory_order_acquire); }

	template <bool attrs> bool find(int64_t id, taken &to)
	{
		return take<attrs>(newest(), id, to);
	}

	uint64_t find_many(const int64_t *ids, size_t n)
	{
		return take_many(newest(), ids, n);
	}

	reader *reader_new()
	{
		for (auto &r : readers) {
			if (r.used.exchange(true))
				continue;
			r.map = this;
			return &r;
		}
		bench_die("swap", "too many readers");
		return nullptr;
	}

	/*
	 * Either wait() sees @since, or this reader sees the new map: it writes
	 * @since, then reads current; a writer writes current, then reads @since.
	 */
	uint64_t run(reader &r, enum bench_work work, const int64_t *ids, size_t n)
	{
		uint64_t sum;

		r.since.store(epoch.load());
		sum = look_up(*this, work, ids, n);
		r.since.store(0, std::memory_order_release);	/* pairs with wait() */
		return sum;
	}

	/* Until no reader has a map from before @now. */
	void wait(uint64_t now)
	{
		for (auto &r : readers)
			for (uint64_t since; (since = r.since.load()) && since < now;)
				sched_yield();
	}

	void apply(const struct bench_change *changes, size_t n)
	{
		auto records = records_new(changes, n);
		std::lock_guard<std::mutex> guard(writer);
		table *old = current.load();
		auto *t = new table(*old);

		for (auto *&r : records)
			put(*t, r);
		current.store(t);
		wait(epoch.fetch_add(1) + 1);
		delete old;
		records_free(records);
	}
};

template <class map> void *make(uint64_t products)
{
	return new map(products);
}

template <class map>
uint64_t run(void *p, enum bench_work work, const int64_t *ids, size_t n)
{
	return static_cast<map *>(p)->run(work, ids, n);
}

template <class map> void apply(void *p, const struct bench_change *changes, size_t n)
{
	static_cast<map *>(p)->apply(changes, n);
}

template <class map> void free_map(void *p)
{
	delete static_cast<map *>(p);
}

/* Of a swapped map, all that is handed out is readers. */
swapped::reader *reader_of(void *p)
{
	return static_cast<swapped::reader *>(p);
}

void *swap_make(uint64_t products)
{
	return (new swapped(products))->reader_new();
}

uint64_t swap_run(void *p, enum bench_work work, const int64_t *ids, size_t n)
{
	return reader_of(p)->map->run(*reader_of(p), work, ids, n);
}

void swap_apply(void *p, const struct bench_change *changes, size_t n)
{
	reader_of(p)->map->apply(changes, n);
}

void *swap_reader_begin(void *p)
{
	return reader_of(p)->map->reader_new();
}

void swap_reader_end(void *p)
{
	reader_of(p)->used.store(false);
}

void swap_free(void *p)
{
	delete reader_of(p)->map;
}

} /* namespace */

const struct bench_map bench_rwlock = {
	.name = "rwlock",
	.how = "absl map of pointers under a pthread rwlock that prefers writers; "
	       "many: one lock for 100, then as absl",
	.make = make<rwlocked>,
	.run = run<rwlocked>,
	.apply = apply<rwlocked>,
	.reader_begin = nullptr,
	.reader_end = nullptr,
	.free = free_map<rwlocked>,
	.alien = false,
};

const struct bench_map bench_sharded = {
	.name = "sharded",
	.how = "32 absl maps of pointers with a mutex each; many: one lock each",
	.make = make<sharded>,
	.run = run<sharded>,
	.apply = apply<sharded>,
	.reader_begin = nullptr,
	.reader_end = nullptr,
	.free = free_map<sharded>,
	.alien = false,
};

const struct bench_map bench_swap = {
	.name = "swap",
	.how = "absl map of pointers, copied whole and swapped; readers' epochs once a window; "
	       "many: as absl",
	.make = swap_make,
	.run = swap_run,
	.apply = swap_apply,
	.reader_begin = swap_reader_begin,
	.reader_end = swap_reader_end,
	.free = swap_free,
	.alien = false,
};
