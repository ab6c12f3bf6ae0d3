// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A shelf as one of the maps that are compared: the hosted twin in anonymous
 * memory, which alone gets 2 MiB pages without hugetlbfs, read by the inline
 * functions that a program with a mapped shelf would use.
 */
#include <stdlib.h>
#include <string.h>

#include "shelf-map.h"

#define SECTION	16U

static inline __attribute__((always_inline)) uint64_t
look_up(const struct shelf *s, int64_t id, bool attrs, uint64_t *price)
{
	const struct shelf_product *p;
	struct shelf_section c;
	uint64_t sum, first;
	__u32 room;

	do {
		shelf_begin(s, &c);
		p = shelf_view_product(&c.view, id);
		sum = 0;
		if (p) {
			*price = (uint64_t)SHELF_LOAD(p->price);
			sum = *price + (uint64_t)SHELF_LOAD(p->stock);
			if (attrs) {
				const __u8 *slot = shelf_view_slot(&c.view, p->attrs_ref, &room);

				memcpy(&first, slot + SHELF_SLOT_KEY, sizeof(first));
				sum += first;
				*price ^= first;
			}
		}
	} while (shelf_retry(s, &c));
	return sum;
}

static uint64_t run_chase(const struct shelf *s, const int64_t *ids, size_t n, bool attrs)
{
	const uint64_t zero = bench_zero_source;
	uint64_t sum = 0, price = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += look_up(s, ids[i] + (int64_t)(price & zero), attrs, &price);
	return sum;
}

/* What is not found yields no data to depend on, so the CPU is held up. */
static uint64_t run_miss(const struct shelf *s, const int64_t *ids, size_t n)
{
	uint64_t sum = 0, price = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		sum += look_up(s, ids[i] + (int64_t)sum, false, &price);
		__asm__ volatile("lfence" ::: "memory");
	}
	return sum;
}

/* Sections of a few lookups: a request that needs several products. */
static uint64_t run_rate(const struct shelf *s, const int64_t *ids, size_t n)
{
	const struct shelf_product *p;
	struct shelf_section c;
	uint64_t sum = 0, part;
	size_t i, at, count;

	for (at = 0; at < n; at += count) {
		count = n - at < SECTION ? n - at : SECTION;
		do {
			shelf_begin(s, &c);
			for (i = 0, part = 0; i < count; i++) {
				p = shelf_view_product(&c.view, ids[at + i]);
				part += p ? (uint64_t)(p->price + p->stock) : 0;
			}
		} while (shelf_retry(s, &c));
		sum += part;
	}
	return sum;
}

/* A section for each. */
static uint64_t run_each(const struct shelf *s, const int64_t *ids, size_t n)
{
	uint64_t sum = 0, price = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += look_up(s, ids[i], false, &price);
	return sum;
}

static uint64_t run_many(const struct shelf *s, const int64_t *ids, size_t n)
{
	struct shelf_product products[BENCH_BATCH];
	uint64_t sum = 0;
	size_t i, j, count;

	for (i = 0; i < n; i += count) {
		count = n - i < BENCH_BATCH ? n - i : BENCH_BATCH;
		if (shelf_get_many(s, (const __s64 *)ids + i, count, products, NULL) < 0)
			bench_die("shelf", "get_many");
		for (j = 0; j < count; j++)
			sum += (uint64_t)(products[j].price + products[j].stock);
	}
	return sum;
}

static uint64_t run(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	const struct shelf *s = &((struct bench_shelf *)map)->reader;

	switch (work) {
	case BENCH_CHASE:
		return run_chase(s, ids, n, false);
	case BENCH_ATTRS:
		return run_chase(s, ids, n, true);
	case BENCH_RATE:
		return run_rate(s, ids, n);
	case BENCH_MANY:
		return run_many(s, ids, n);
	case BENCH_MISS:
		return run_miss(s, ids, n);
	default:
		return BENCH_NOT_OFFERED;
	}
}

static void put(struct batch *b, uint64_t index, uint32_t version, uint32_t attrs_version)
{
	struct {
		struct bench_record r;
		uint8_t attrs[BENCH_ATTRS_MAX];
	} p;
	struct op op = {
		.kind = SHELF_OP_PUT,
		.fields = FIELD_PRICE | FIELD_STOCK | FIELD_CURRENCY | FIELD_ATTRS,
	};
	const char *why;

	bench_fill(&p.r, index, version);
	p.r.attrs[0] ^= (uint8_t)attrs_version;
	op.id = p.r.id;
	op.price = p.r.price;
	op.stock = p.r.stock;
	memcpy(op.currency, p.r.currency, 4);
	op.len = p.r.attrs_len;
	if (batch_add(b, &op, p.attrs, &why))
		bench_die("shelf: batch", why);
}

void bench_shelf_put(struct batch *b, uint64_t index, uint32_t version)
{
	put(b, index, version, 0);
}

void bench_shelf_rewrite(struct batch *b, uint64_t index, uint32_t version)
{
	put(b, index, version, version);
}

void bench_shelf_commit(struct bench_shelf *s, struct batch *b, struct report *report)
{
	struct report own;

	if (hosted_commit(s->hosted, b, NULL, report ? report : &own))
		bench_die("shelf: commit", (report ? report : &own)->message);
	batch_free(b);
}

struct bench_shelf *bench_shelf_make(uint64_t products, bool huge)
{
	struct bench_shelf *s = calloc(1, sizeof(*s));
	struct hosted_config config = {
		.max_bytes = products * 800 + (256U << 20),
		.quarantine_ms = 1000,
		.huge_pages = huge,
	};
	struct batch b;
	uint64_t i;

	if (!s || hosted_create_memory(&config, &s->hosted))
		bench_die("shelf", "can't be made");
	s->reader.fd = -1;
	s->reader.control = (const struct shelf_control *)s->hosted->base;
	s->reader.arena = s->hosted->base + SHELF_MMAP_ARENA;
	s->reader.mask = s->hosted->arena_bytes - SHELF_PAGE_BYTES;
	s->reader.seed = s->reader.control->seed;
	batch_init(&b, ~0ULL);
	for (i = 0; i < products; i++)
		bench_shelf_put(&b, i, 0);
	bench_shelf_commit(s, &b, NULL);
	return s;
}

void bench_shelf_free(struct bench_shelf *s)
{
	hosted_close(s->hosted);
	free(s);
}

static void *make_huge(uint64_t products)
{
	return bench_shelf_make(products, true);
}

static void *make_small(uint64_t products)
{
	return bench_shelf_make(products, false);
}

static void apply(void *map, const struct bench_change *changes, size_t n)
{
	struct batch b;
	size_t i;

	batch_init(&b, ~0ULL);
	for (i = 0; i < n; i++)
		bench_shelf_put(&b, changes[i].index, changes[i].version);
	bench_shelf_commit(map, &b, NULL);
}

static void free_map(void *map)
{
	bench_shelf_free(map);
}

static uint64_t run_rate_each(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	if (work != BENCH_RATE)
		return BENCH_NOT_OFFERED;
	return run_each(&((struct bench_shelf *)map)->reader, ids, n);
}

const struct bench_map bench_shelf = {
	.name = "shelf",
	.how = "hosted twin, 2 MiB pages, inline lookups, sections of 16; get_many by 100",
	.make = make_huge, .run = run, .apply = apply, .free = free_map,
};

const struct bench_map bench_shelf_4k = {
	.name = "shelf_4k",
	.how = "the same with pages of 4 KiB",
	.make = make_small, .run = run, .apply = apply, .free = free_map,
};

const struct bench_map bench_shelf_each = {
	.name = "shelf_each",
	.how = "the same as shelf with a section for each lookup",
	.make = make_huge, .run = run_rate_each, .apply = apply, .free = free_map,
};
