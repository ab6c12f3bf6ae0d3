// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * liburcu's lock-free hash table with the QSBR flavour, whose readers pay least.
 *
 * A thread is online only within run() and apply(): going offline announces the
 * quiescent state, once for all lookups of a call, and one that waits for
 * something else between calls doesn't hold up grace periods.
 */
#define _LGPL_SOURCE	/* read side inline */
#include <stdlib.h>
#include <string.h>

#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>

#include "peers.h"

#define LINE_BYTES	64U

/* The node shares the line of id, price and stock. */
struct product {
	struct cds_lfht_node node;
	struct bench_record record;	/* attributes follow */
};

struct map {
	struct cds_lfht *table;
};

static __thread unsigned int registered;

static void thread_register(void)
{
	if (registered++)
		return;
	urcu_qsbr_register_thread();
	urcu_qsbr_thread_offline();
}

static void thread_unregister(void)
{
	if (!--registered)
		urcu_qsbr_unregister_thread();
}

static inline unsigned long hash(int64_t id)
{
	uint64_t x = (uint64_t)id * 0x9e3779b97f4a7c15U;

	return x ^ x >> 32;
}

static int match(struct cds_lfht_node *node, const void *id)
{
	return caa_container_of(node, struct product, node)->record.id == *(const int64_t *)id;
}

static struct product *product_new(uint64_t index, uint32_t version)
{
	uint64_t room[(sizeof(struct bench_record) + BENCH_ATTRS_MAX + 7) / 8];
	struct bench_record *r = (struct bench_record *)room;
	struct product *p;
	size_t bytes;

	bench_fill(r, index, version);
	bytes = offsetof(struct product, record) + sizeof(*r) + r->attrs_len;
	p = aligned_alloc(LINE_BYTES, (bytes + LINE_BYTES - 1) & -LINE_BYTES);
	if (!p)
		bench_die("lfht", "no memory");
	memcpy(&p->record, r, sizeof(*r) + r->attrs_len);
	cds_lfht_node_init(&p->node);
	return p;
}

/* A power of two with which chains are short: half of it to all of it used. */
static unsigned long buckets(uint64_t products)
{
	unsigned long n = 1;

	while (n < products)
		n *= 2;
	return n;
}

static void *make(uint64_t products)
{
	unsigned long size = buckets(products);
	struct map *m = malloc(sizeof(*m));
	uint64_t i;

	/* With a maximum the buckets are one array, which lookups find fastest. */
	m->table = cds_lfht_new_flavor(size, size, size, 0, &urcu_qsbr_flavor, NULL);
	if (!m->table)
		bench_die("lfht", "can't be made");
	thread_register();
	urcu_qsbr_thread_online();
	for (i = 0; i < products; i++)
		cds_lfht_add(m->table, hash(bench_id(i)), &product_new(i, 0)->node);
	urcu_qsbr_thread_offline();
	return m;
}

static inline const struct bench_record *find(struct map *m, int64_t id)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(m->table, hash(id), match, &id, &iter);
	node = cds_lfht_iter_get_node(&iter);
	return node ? &caa_container_of(node, struct product, node)->record : NULL;
}

static inline __attribute__((always_inline)) uint64_t
each(struct map *m, enum bench_work work, const int64_t *ids, size_t n)
{
	const uint64_t zero = bench_zero_source;
	uint64_t sum = 0, carry = 0, used, first;
	const struct bench_record *r;
	size_t i;

	for (i = 0; i < n; i++) {
		r = find(m, ids[i] + (int64_t)carry);
		/* What is not found yields no data to depend on, so the CPU is held up. */
		if (work == BENCH_MISS) {
			carry = r != NULL;
			__asm__ volatile("lfence" ::: "memory");
		}
		if (!r)
			continue;
		used = (uint64_t)r->price;
		sum += used + (uint64_t)r->stock;
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

static uint64_t run_online(struct map *m, enum bench_work work, const int64_t *ids, size_t n)
{
	switch (work) {
	case BENCH_CHASE:
		return each(m, BENCH_CHASE, ids, n);
	case BENCH_RATE:
	case BENCH_MANY:	/* neither a call for many nor a way to prefetch */
		return each(m, BENCH_RATE, ids, n);
	case BENCH_MISS:
		return each(m, BENCH_MISS, ids, n);
	case BENCH_ATTRS:
		return each(m, BENCH_ATTRS, ids, n);
	default:
		return BENCH_NOT_OFFERED;
	}
}

static uint64_t run(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	uint64_t sum;

	urcu_qsbr_thread_online();
	sum = run_online(map, work, ids, n);
	urcu_qsbr_thread_offline();
	return sum;
}

static struct product *replace(struct map *m, struct product *by)
{
	int64_t id = by->record.id;
	struct cds_lfht_iter iter;

	cds_lfht_lookup(m->table, hash(id), match, &id, &iter);
	if (cds_lfht_replace(m->table, &iter, hash(id), match, &id, &by->node))
		bench_die("lfht", "another writer");
	return caa_container_of(cds_lfht_iter_get_node(&iter), struct product, node);
}

/* One grace period for all: cheaper than a callback for each. */
static void apply(void *map, const struct bench_change *changes, size_t n)
{
	struct product **old = malloc(n * sizeof(struct product *));
	size_t i;

	thread_register();
	urcu_qsbr_thread_online();
	for (i = 0; i < n; i++)
		old[i] = replace(map, product_new(changes[i].index, changes[i].version));
	urcu_qsbr_thread_offline();
	urcu_qsbr_synchronize_rcu();
	for (i = 0; i < n; i++)
		free(old[i]);
	free(old);
	thread_unregister();
}

static void *reader_begin(void *map)
{
	thread_register();
	return map;
}

static void reader_end(void *reader)
{
	(void)reader;
	thread_unregister();
}

/* There are no readers any more, so no grace period is needed. */
static void free_map(void *map)
{
	struct map *m = map;
	struct cds_lfht_node *node;
	struct cds_lfht_iter iter;

	urcu_qsbr_thread_online();
	cds_lfht_for_each(m->table, &iter, node) {
		cds_lfht_del(m->table, node);
		free(caa_container_of(node, struct product, node));
	}
	urcu_qsbr_thread_offline();
	cds_lfht_destroy(m->table, NULL);
	thread_unregister();
	free(m);
}

const struct bench_map bench_lfht = {
	.name = "lfht",
	.how = "liburcu's cds_lfht, QSBR, fixed size, records in whole lines with their nodes; "
	       "many: one lookup each",
	.make = make,
	.run = run,
	.apply = apply,
	.reader_begin = reader_begin,
	.reader_end = reader_end,
	.free = free_map,
};
