// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Whether every map that benchmarks compare with finds what it should, before
 * and after a change, and while one is made.
 *
 *   peers-check [NAME...]
 *
 * A reader asks for the changed products all the while, by the call for many.
 * Where that call sees one state, its sum is the old one or the new one.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define PRODUCTS	20000U
#define CHANGES		500U
#define LOOKUPS		2050U	/* the last batch is not full */
#define ALIEN_LOOKUPS	350U
#define DELTAS		20U

struct reader {
	const struct bench_map *map;
	void *at;
	atomic_uint version;	/* newest that may be seen */
	atomic_bool stop;
	uint64_t runs;
	uint64_t torn;
};

static const char *const work_names[BENCH_WORKS] = {
	[BENCH_CHASE] = "chase", [BENCH_RATE] = "rate", [BENCH_MANY] = "many",
	[BENCH_MISS] = "miss", [BENCH_ATTRS] = "attrs",
};

/* Those whose lookups of a batch come from one state, whole deltas apart. */
static const char *const whole[] = {
	"rwlock", "swap", "lmdb", "lmdb_txn", "redis", NULL
};

static struct bench_change changes[CHANGES];
static unsigned int tests, failures;

static void result(bool ok, const struct bench_map *m, const char *what)
{
	failures += !ok;
	printf("%s %u - %s: %s\n", ok ? "ok" : "not ok", ++tests, m->name, what);
	fflush(stdout);
}

static bool switches_whole(const struct bench_map *m)
{
	unsigned int i;

	for (i = 0; whole[i]; i++)
		if (!strcmp(whole[i], m->name))
			return true;
	return false;
}

/* Every 40th product is changed. */
static void set_version(uint32_t version)
{
	uint32_t i;

	for (i = 0; i < CHANGES; i++)
		changes[i] = (struct bench_change){ i * (PRODUCTS / CHANGES), version };
}

static uint64_t worth(enum bench_work work, uint64_t index)
{
	uint64_t room[(sizeof(struct bench_record) + BENCH_ATTRS_MAX + 7) / 8], first;
	struct bench_record *r = (struct bench_record *)room;

	if (work == BENCH_MISS)
		return 0;
	bench_fill(r, index, index % (PRODUCTS / CHANGES) ? 0 : changes[0].version);
	memcpy(&first, r->attrs, sizeof(first));
	return (uint64_t)(r->price + r->stock) + (work == BENCH_ATTRS ? first : 0);
}

static void check_work(const struct bench_map *m, void *at, enum bench_work work,
		       const char *when)
{
	uint32_t i, n = m->alien ? ALIEN_LOOKUPS : LOOKUPS;
	int64_t ids[LOOKUPS];
	uint64_t expected = 0, seed = 1, index;
	char what[64];

	for (i = 0; i < n; i++) {
		index = bench_random(&seed) % PRODUCTS;
		if (i % 10 == 0)
			index = changes[i % CHANGES].index;
		ids[i] = work == BENCH_MISS ? bench_absent_id(index) : bench_id(index);
		expected += worth(work, index);
	}
	snprintf(what, sizeof(what), "%s, %s", work_names[work], when);
	result(m->run(at, work, ids, n) == expected, m, what);
}

/* Some of those asked for are there, some are not. */
static void check_mixed(const struct bench_map *m, void *at, enum bench_work work)
{
	int64_t ids[BENCH_BATCH];
	uint64_t expected = 0;
	char what[64];
	uint32_t i;

	for (i = 0; i < BENCH_BATCH; i++) {
		ids[i] = i % 3 ? bench_id(i) : bench_absent_id(i);
		expected += i % 3 ? worth(work, i) : 0;
	}
	snprintf(what, sizeof(what), "%s, one in three absent", work_names[work]);
	result(m->run(at, work, ids, BENCH_BATCH) == expected, m, what);
}

static void check_works(const struct bench_map *m, void *at, const char *when)
{
	unsigned int work;

	for (work = 0; work < BENCH_WORKS; work++)
		check_work(m, at, work, when);
}

/* Prices rise by one with each version, and a hundred of them are asked for. */
static void *read_on(void *arg)
{
	struct reader *r = arg;
	void *at = r->map->reader_begin ? r->map->reader_begin(r->at) : r->at;
	int64_t ids[BENCH_BATCH];
	uint64_t base = 0, sum, first, last;
	uint32_t i;

	for (i = 0; i < BENCH_BATCH; i++) {
		uint64_t index = i * (PRODUCTS / CHANGES);

		ids[i] = bench_id(index);
		base += index % 10000 + index % 77;
	}
	for (; !atomic_load(&r->stop); r->runs++) {
		first = atomic_load(&r->version);
		sum = r->map->run(at, BENCH_MANY, ids, BENCH_BATCH) - base;
		last = atomic_load(&r->version);
		/* The last delta that was begun before may not be done. */
		r->torn += sum % BENCH_BATCH || sum / BENCH_BATCH > last ||
			   sum / BENCH_BATCH + 1 < first;
	}
	if (r->map->reader_end)
		r->map->reader_end(at);
	return NULL;
}

static void check_apply(const struct bench_map *m, void *at)
{
	struct reader r = { .map = m, .at = at };
	pthread_t thread;
	uint32_t version;

	if (pthread_create(&thread, NULL, read_on, &r))
		bench_die("thread", "can't be made");
	for (version = 1; version <= DELTAS; version++) {
		set_version(version);
		atomic_store(&r.version, version);
		m->apply(at, changes, CHANGES);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	printf("# %s: %lu reads meanwhile, %lu of a delta in part\n", m->name,
	       (unsigned long)r.runs, (unsigned long)r.torn);
	result(!switches_whole(m) || !r.torn, m, "a reader meanwhile");
}

static void check(const struct bench_map *m)
{
	void *at = m->make(PRODUCTS);

	if (!at) {
		printf("ok %u - %s # SKIP can't be had here\n", ++tests, m->name);
		return;
	}
	printf("# %s: %s\n", m->name, m->how);
	set_version(0);
	check_works(m, at, "as loaded");
	check_mixed(m, at, BENCH_CHASE);
	check_mixed(m, at, BENCH_MANY);
	if (m->apply) {
		check_apply(m, at);
		check_works(m, at, "changed");
	}
	m->free(at);
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const struct bench_map *const *peer;

	(void)argc;
	for (peer = bench_peers; *peer; peer++)
		if (wanted((*peer)->name, argv + 1))
			check(*peer);
	printf("1..%u\n", tests);
	return failures != 0;
}
