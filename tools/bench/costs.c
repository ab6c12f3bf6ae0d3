// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a commit costs against the size of the shelf and of the batch.
 *
 *   costs [--summary FILE] [--table FILE]
 *
 * Patches of prices all over the shelf, committed on the hosted twin: time of
 * the draft and of publishing it, pages copied, and chunks that it had to add.
 * Staging is not in it: a sender does that, while nobody waits.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shelf-map.h"

#define RUNS_MAX	31U

struct cost {
	double ns;	/* median */
	double pages;	/* most */
	double added;	/* bytes, most */
};

static void stage(struct batch *b, uint64_t products, uint64_t ops, uint64_t *seed)
{
	const char *why;
	uint64_t i;

	batch_init(b, ~0ULL);
	for (i = 0; i < ops; i++) {
		uint64_t r = bench_random(seed);
		struct op op = {
			.kind = SHELF_OP_PATCH, .fields = FIELD_PRICE,
			.id = bench_id(ops == products ? i : r % products),
			.price = (int64_t)(r >> 32),
		};

		if (batch_add(b, &op, NULL, &why))
			bench_die("batch", why);
	}
}

static struct cost measure(struct bench_shelf *s, uint64_t products, uint64_t ops,
			   unsigned int runs)
{
	struct cost c = { 0 };
	double ns[RUNS_MAX];
	uint64_t seed = ops;
	unsigned int i;

	for (i = 0; i < runs; i++) {
		uint32_t chunks = s->hosted->store.arena.chunks;
		struct report r;
		struct batch b;
		double added;

		stage(&b, products, ops, &seed);
		bench_shelf_commit(s, &b, &r);
		ns[i] = (double)(r.draft_ns + r.publish_ns);
		c.pages = (double)r.pages > c.pages ? (double)r.pages : c.pages;
		added = (double)(s->hosted->store.arena.chunks - chunks) * SHELF_CHUNK_BYTES;
		c.added = added > c.added ? added : c.added;
	}
	c.ns = bench_median(ns, runs);
	return c;
}

static double live_bytes(const struct bench_shelf *s)
{
	const struct store *st = &s->hosted->store;

	return (double)(((uint64_t)st->arena.chunks * CHUNK_PAGES - st->arena.free_pages -
			 st->quarantined_pages) * SHELF_PAGE_BYTES -
			st->quarantined_slot_bytes);
}

static double payload(uint64_t products)
{
	double bytes = 0;
	uint64_t i;

	for (i = 0; i < products; i++)
		bytes += 64 + 100 + (double)(i % 73);
	return bytes;
}

/* Whole records anew, with their attributes: what churns memory most. */
static void churn(struct bench_shelf *s, uint64_t products)
{
	uint64_t seed = 99;
	unsigned int i;
	uint64_t j;

	for (i = 0; i < 100; i++) {
		struct batch b;

		batch_init(&b, ~0ULL);
		for (j = 0; j < products / 100; j++)
			bench_shelf_put(&b, bench_random(&seed) % products, i);
		bench_shelf_commit(s, &b, NULL);
	}
	bench_figure("memory.rest_ratio", live_bytes(s) / payload(products), "ratio");
	printf("  held besides, in quarantine: %.1f MiB\n",
	       (double)(s->hosted->store.quarantined_pages * SHELF_PAGE_BYTES +
			s->hosted->store.quarantined_slot_bytes) / (1 << 20));
}

static double one_size(uint64_t products, const char *name, FILE *table)
{
	struct bench_shelf *s = bench_shelf_make(products, true);
	double of_1k = 0;
	char figure[64];
	uint64_t ops;

	printf("%lu products, %.2f times the payload\n%10s %12s %10s %10s %10s\n",
	       (unsigned long)products, live_bytes(s) / payload(products), "patches",
	       "us", "ns each", "pages", "added MiB");
	for (ops = 1; ops <= products && ops <= 1000000; ops *= 10) {
		struct cost c = measure(s, products, ops, ops > 10000 ? 5 : RUNS_MAX);

		printf("%10lu %12.1f %10.0f %10.0f %10.1f\n", (unsigned long)ops, c.ns / 1000,
		       c.ns / (double)ops, c.pages, c.added / (1 << 20));
		fprintf(table, "%lu\t%lu\t%.1f\t%.0f\t%.0f\n", (unsigned long)products,
			(unsigned long)ops, c.ns / 1000, c.pages, c.added);
		fflush(NULL);
		if (ops == 1) {
			snprintf(figure, sizeof(figure), "commit.1op.pages_%s", name);
			bench_figure(figure, c.pages, "pages");
		}
		if (ops == 1000)
			of_1k = c.ns;
		if (products == 1000000 && ops == 10000)
			bench_figure("commit.1pct.mops", (double)ops * 1000 / c.ns, "Mops/s");
		if (products == 1000000 && ops == 1000000)
			bench_figure("commit.mops", (double)ops * 1000 / c.ns, "Mops/s");
	}
	fprintf(table, "\n\n");
	if (products == 1000000)
		churn(s, products);
	bench_shelf_free(s);
	return of_1k;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "summary", required_argument, NULL, 's' },
		{ "table", required_argument, NULL, 't' },
		{ }
	};
	FILE *table = NULL;
	double small, large;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			bench_summary(optarg);
		else if (c == 't' && !table)
			table = fopen(optarg, "w");
		else
			return 2;
	}
	if (!table)
		table = fopen("/dev/null", "w");
	if (!table)
		bench_die("table", "can't be written");
	bench_pin(0);
	one_size(10000, "10k", table);
	small = one_size(100000, "100k", table);
	one_size(1000000, "1m", table);
	large = one_size(10000000, "10m", table);
	bench_figure("commit.1k.ratio_10m_to_100k", large / small, "ratio");
	if (fclose(table))
		bench_die("table", "can't be written");
	return 0;
}
