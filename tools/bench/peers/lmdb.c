// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * LMDB in shared memory: pages copied on write, readers in snapshots, as a shelf.
 *
 * "lmdb" takes one snapshot for all lookups of a call, "lmdb_txn" one for each
 * (and one for each hundred, where many are asked for at once).
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"

struct store {
	MDB_env *env;
	MDB_dbi dbi;
};

/* One for each thread that reads. */
struct reader {
	struct store *store;
	MDB_txn *txn;	/* reset, but within run() */
};

union room {
	struct bench_record record;
	uint8_t bytes[sizeof(struct bench_record) + BENCH_ATTRS_MAX];
};

static void must(int ret)
{
	if (ret)
		bench_die("lmdb", mdb_strerror(ret));
}

/* Nothing has a name once it is open, so nothing stays behind. */
static void open_env(struct store *s, uint64_t products)
{
	char dir[] = "/dev/shm/bench-lmdb-XXXXXX", file[64];

	if (!mkdtemp(dir))
		bench_die("lmdb", "no directory in /dev/shm");
	must(mdb_env_create(&s->env));
	must(mdb_env_set_mapsize(s->env, products * 1024 + (1UL << 30)));
	must(mdb_env_open(s->env, dir, MDB_WRITEMAP | MDB_NOSYNC | MDB_NOTLS |
			  MDB_NORDAHEAD | MDB_NOMEMINIT, 0600));
	snprintf(file, sizeof(file), "%s/data.mdb", dir);
	unlink(file);
	snprintf(file, sizeof(file), "%s/lock.mdb", dir);
	unlink(file);
	rmdir(dir);
}

static void put(MDB_txn *txn, MDB_dbi dbi, const struct bench_change *c, unsigned int flags)
{
	union room r;
	MDB_val key = { sizeof(r.record.id), &r.record.id };
	MDB_val value = { 0, &r };

	bench_fill(&r.record, c->index, c->version);
	value.mv_size = sizeof(r.record) + r.record.attrs_len;
	must(mdb_put(txn, dbi, &key, &value, flags));
}

static void load(struct store *s, uint64_t products)
{
	struct bench_change c = { 0, 0 };
	MDB_txn *txn;

	must(mdb_txn_begin(s->env, NULL, 0, &txn));
	must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &s->dbi));
	for (; c.index < products; c.index++)
		put(txn, s->dbi, &c, MDB_APPEND);
	must(mdb_txn_commit(txn));
}

static struct reader *reader_new(struct store *s)
{
	struct reader *r = malloc(sizeof(*r));

	r->store = s;
	must(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &r->txn));
	mdb_txn_reset(r->txn);
	return r;
}

static void *make(uint64_t products)
{
	struct store *s = malloc(sizeof(*s));

	open_env(s, products);
	load(s, products);
	return reader_new(s);
}

static inline const uint8_t *find(struct reader *r, int64_t id)
{
	MDB_val key = { sizeof(id), &id }, value;

	return mdb_get(r->txn, r->store->dbi, &key, &value) ? NULL : value.mv_data;
}

/* Values lie at even addresses only. */
static inline uint64_t load64(const uint8_t *at)
{
	uint64_t x;

	memcpy(&x, at, sizeof(x));
	return x;
}

static inline __attribute__((always_inline)) uint64_t
each(struct reader *reader, enum bench_work work, bool renew, const int64_t *ids, size_t n)
{
	const uint64_t zero = bench_zero_source;
	uint64_t sum = 0, carry = 0, used;
	const uint8_t *r;
	size_t i;

	for (i = 0; i < n; i++) {
		if (renew)
			must(mdb_txn_renew(reader->txn));
		r = find(reader, ids[i] + (int64_t)carry);
		if (r) {
			used = load64(r + offsetof(struct bench_record, price));
			sum += used + load64(r + offsetof(struct bench_record, stock));
			if (work == BENCH_ATTRS) {
				sum += load64(r + offsetof(struct bench_record, attrs));
				used += load64(r + offsetof(struct bench_record, attrs));
			}
			if (work == BENCH_CHASE || work == BENCH_ATTRS)
				carry = used & zero;
		}
		if (renew)
			mdb_txn_reset(reader->txn);
		/* What is not found yields no data to depend on, so the CPU is held up. */
		if (work == BENCH_MISS) {
			carry = r != NULL;
			__asm__ volatile("lfence" ::: "memory");
		}
	}
	return sum;
}

static inline __attribute__((always_inline)) uint64_t
look_up(struct reader *r, enum bench_work work, bool renew, const int64_t *ids, size_t n)
{
	switch (work) {
	case BENCH_CHASE:
		return each(r, BENCH_CHASE, renew, ids, n);
	case BENCH_RATE:
	case BENCH_MANY:
		return each(r, BENCH_RATE, renew, ids, n);
	case BENCH_MISS:
		return each(r, BENCH_MISS, renew, ids, n);
	case BENCH_ATTRS:
		return each(r, BENCH_ATTRS, renew, ids, n);
	default:
		return BENCH_NOT_OFFERED;
	}
}

static uint64_t run(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	struct reader *r = map;
	uint64_t sum;

	must(mdb_txn_renew(r->txn));
	sum = look_up(r, work, false, ids, n);
	mdb_txn_reset(r->txn);
	return sum;
}

static uint64_t run_txn(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	uint64_t sum = 0;
	size_t i;

	if (work != BENCH_MANY)
		return look_up(map, work, true, ids, n);
	for (i = 0; i < n; i += BENCH_BATCH)
		sum += run(map, work, ids + i, n - i < BENCH_BATCH ? n - i : BENCH_BATCH);
	return sum;
}

static void apply(void *map, const struct bench_change *changes, size_t n)
{
	struct store *s = ((struct reader *)map)->store;
	MDB_txn *txn;
	size_t i;

	must(mdb_txn_begin(s->env, NULL, 0, &txn));
	for (i = 0; i < n; i++)
		put(txn, s->dbi, &changes[i], 0);
	must(mdb_txn_commit(txn));
}

static void *reader_begin(void *map)
{
	return reader_new(((struct reader *)map)->store);
}

static void reader_end(void *reader)
{
	mdb_txn_abort(((struct reader *)reader)->txn);
	free(reader);
}

static void free_map(void *map)
{
	struct store *s = ((struct reader *)map)->store;

	reader_end(map);
	mdb_env_close(s->env);
	free(s);
}

const struct bench_map bench_lmdb = {
	.name = "lmdb",
	.how = "LMDB in /dev/shm, integer keys, appended, writable map, no sync; "
	       "mdb_get() in one transaction a window",
	.make = make,
	.run = run,
	.apply = apply,
	.reader_begin = reader_begin,
	.reader_end = reader_end,
	.free = free_map,
};

const struct bench_map bench_lmdb_txn = {
	.name = "lmdb_txn",
	.how = "the same with a transaction renewed for each lookup; many: for each hundred",
	.make = make,
	.run = run_txn,
	.apply = apply,
	.reader_begin = reader_begin,
	.reader_end = reader_end,
	.free = free_map,
};
