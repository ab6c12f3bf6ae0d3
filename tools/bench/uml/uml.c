// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The module beside the hosted twin, in one program under user-mode Linux, where
 * both run at the processor's own speed.
 *
 *   uml [SUMMARY.tsv]
 *
 * Both have the same products under the same hash seed, so the same pages in
 * the same places; the twin's are a file in tmpfs. Neither has 2 MiB pages there.
 * Windows alternate; a figure is the median of what pairs of windows give,
 * module by twin.
 *
 * What user-mode Linux makes expensive is kept out: a system call costs some 20
 * us, a fault 50. So all memory is touched before anything is timed, quarantine
 * is 0 so that commits go on in the same memory, and a commit is timed by its own
 * report, without staging. To a program the clock is a system call, one of which
 * lies between two readings: it is measured and taken off.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bench.h"
#include "../../lib/shelf.h"

#define PRODUCTS	100000U
#define PATCHES		1000U
#define LOOKUPS		2000U	/* half a millisecond: seldom cut by others' turns */
#define READ_PAIRS	2001U
#define COMMIT_PAIRS	301U
#define LOAD_PAIRS	21U
#define WARM_COMMITS	20U
#define STREAM		10000U
#define STREAM_WAITING	500U
#define PAIRS_MAX	2001U

static const char *const names[2] = { "bench", "hosted:/dev/shm/bench.shelf" };
static const char *const who[2] = { "module", "hosted twin" };

struct side {
	struct shelf_writer *w;
	struct shelf *s;
	double clock_ns;	/* what of draft_ns is the clock itself */
};

static double clock_ns;		/* what one reading costs */

static int64_t *ids;
static uint64_t seed = 1;

/* Work on one of the two; returns nanoseconds. */
typedef double (*window_fn)(struct side *side, uint64_t round);

static double chase(struct side *side, uint64_t round)
{
	uint64_t zero = bench_zero_source, at = round * LOOKUPS % PRODUCTS;
	struct shelf_product p = { 0 };
	uint64_t begin = bench_now(), i;

	for (i = at; i < at + LOOKUPS; i++)
		if (shelf_get(side->s, ids[i] + (int64_t)((uint64_t)p.price & zero), &p) != 1)
			bench_die("lookup", "a product is missing");
	return ((double)(bench_now() - begin) - clock_ns) / LOOKUPS;
}

static double independent(struct side *side, uint64_t round)
{
	uint64_t at = round * LOOKUPS % PRODUCTS;
	uint64_t begin = bench_now(), i;
	struct shelf_product p;

	for (i = at; i < at + LOOKUPS; i++)
		if (shelf_get(side->s, ids[i], &p) != 1)
			bench_die("lookup", "a product is missing");
	return ((double)(bench_now() - begin) - clock_ns) / LOOKUPS;
}

static struct shelf_batch *begin(struct side *side)
{
	struct shelf_batch *b;
	struct shelf_error err;

	if (shelf_batch_begin(side->w, &b, &err))
		bench_die("begin", err.message);
	return b;
}

/*
 * On a busy machine the module's worker, just woken, would have its turn before
 * it, and the twin, which has just staged a batch, behind it. So both sleep first.
 */
static double commit(struct side *side, struct shelf_batch *b)
{
	struct shelf_result result;
	struct shelf_error err;

	usleep(1000);
	if (shelf_batch_commit(b, NULL, &result, &err))
		bench_die("commit", err.message);
	return (double)result.draft_ns - side->clock_ns;
}

static double patch(struct side *side, uint64_t round)
{
	struct shelf_batch *b = begin(side);
	struct shelf_error err;
	uint64_t i;

	for (i = 0; i < PATCHES; i++) {
		struct shelf_change c = {
			.id = ids[(round * PATCHES + i) % PRODUCTS],
			.fields = SHELF_PRICE | SHELF_STOCK,
			.price = (int64_t)(round + i), .stock = (int64_t)i,
		};

		if (shelf_batch_patch(b, &c, &err))
			bench_die("patch", err.message);
	}
	return commit(side, b) / PATCHES;
}

static void clear(struct side *side)
{
	struct shelf_batch *b = begin(side);
	struct shelf_error err;
	uint64_t i;

	for (i = 0; i < PRODUCTS; i++)
		if (shelf_batch_delete(b, bench_id(i), &err))
			bench_die("delete", err.message);
	commit(side, b);
}

static double load(struct side *side, uint64_t round)
{
	static union {
		struct bench_record r;
		uint8_t room[sizeof(struct bench_record) + BENCH_ATTRS_MAX];
	} u;
	struct shelf_batch *b = begin(side);
	struct shelf_error err;
	uint64_t i;

	for (i = 0; i < PRODUCTS; i++) {
		struct shelf_change c = {
			.id = bench_id(i),
			.fields = SHELF_PRICE | SHELF_STOCK | SHELF_CURRENCY | SHELF_ATTRS,
			.currency = "EUR", .attrs = u.r.attrs,
		};

		bench_fill(&u.r, i, (uint32_t)round);
		c.price = u.r.price;
		c.stock = u.r.stock;
		c.attrs_len = u.r.attrs_len;
		if (shelf_batch_put(b, &c, &err))
			bench_die("put", err.message);
	}
	return commit(side, b) / PRODUCTS;
}

/* Into an empty shelf, whose memory is there from the load before. */
static double reload(struct side *side, uint64_t round)
{
	clear(side);
	return load(side, round);
}

static void make(struct side *side, const char *name, __u64 hash_seed)
{
	struct shelf_settings settings = { .max_bytes = 128 << 20, .seed = &hash_seed };
	struct shelf_error err;

	if (shelf_create(name, &settings, &err) ||
	    shelf_writer_open(name, &side->w, &err))
		bench_die(name, err.message);
	load(side, 0);
	if (shelf_open(name, 0, &side->s) || !shelf_is_mapped(side->s))
		bench_die(name, "can't be mapped");
}

/* So that all pages of readers and drafts are there. */
static void warm(struct side *side)
{
	uint64_t i;

	reload(side, 0);
	for (i = 0; i < WARM_COMMITS; i++)
		patch(side, i);
	for (i = 0; i < PRODUCTS / LOOKUPS; i++)
		independent(side, i);
}

/* From the return of one reading to that of the next: one call. */
static double clock_cost(void)
{
	double values[101];
	uint64_t now, then = bench_now();
	size_t i;

	for (i = 0; i < 101; i++) {
		now = bench_now();
		values[i] = (double)(now - then);
		then = now;
	}
	return bench_median(values, 101);
}

/* What pairs of windows gave; sorts it. */
static void print(const char *title, double *module, double *twin, double *ratio,
		  unsigned int n)
{
	double ours = bench_median(module, n), theirs = bench_median(twin, n);
	double both = bench_median(ratio, n);

	printf("%s, %u pairs of windows\n", title, n);
	printf("  medians          %s %.1f ns, %s %.1f ns\n", who[0], ours, who[1], theirs);
	ours = bench_quantile(module, n, 0.25);
	theirs = bench_quantile(twin, n, 0.25);
	printf("  lower quartiles  %s %.1f ns, %s %.1f ns: %.3f\n", who[0], ours, who[1],
	       theirs, ours / theirs);
	printf("  module by twin   %.3f, half of the pairs %.3f to %.3f, 80%% %.3f to %.3f\n",
	       both, bench_quantile(ratio, n, 0.25), bench_quantile(ratio, n, 0.75),
	       bench_quantile(ratio, n, 0.1), bench_quantile(ratio, n, 0.9));
}

static void compare(struct side *sides, const char *title, const char *name,
		    window_fn window, unsigned int pairs)
{
	static double ns[2][PAIRS_MAX], ratio[PAIRS_MAX];
	unsigned int i, side;

	for (i = 0; i < pairs; i++) {
		for (side = 0; side < 2; side++)
			ns[(side + i) % 2][i] = window(&sides[(side + i) % 2], i);
		ratio[i] = ns[0][i] / ns[1][i];
	}
	print(title, ns[0], ns[1], ratio, pairs);
	bench_figure(name, bench_median(ratio, pairs), "ratio");
}

/* Commits of one product a second, waiting for the grace period or not. */
static double stream_rate(struct side *side, unsigned int n, bool no_wait)
{
	uint64_t started = bench_now(), i;
	struct shelf_error err;

	for (i = 0; i < n; i++) {
		const struct shelf_change c = {
			.id = ids[i], .fields = SHELF_PRICE, .price = (int64_t)i,
		};
		struct shelf_batch *b = begin(side);

		if (shelf_batch_patch(b, &c, &err))
			bench_die("patch", err.message);
		if (no_wait)
			shelf_batch_no_wait(b);
		if (shelf_batch_commit(b, NULL, NULL, &err))
			bench_die("commit", err.message);
	}
	return n * 1e9 / (double)(bench_now() - started);
}

static void stream(struct side *module)
{
	double waiting = stream_rate(module, STREAM_WAITING, false);
	double not = stream_rate(module, STREAM, true);

	printf("commits of one product: %.0f a second, not waiting for grace periods %.0f\n",
	       waiting, not);
	bench_figure("uml.stream.waiting", waiting, "1/s");
	bench_figure("uml.stream.no_wait", not, "1/s");
	bench_figure("uml.stream.ratio", not / waiting, "ratio");
}

static void make_ids(void)
{
	uint64_t i, j;
	int64_t swap;

	ids = bench_memory(PRODUCTS * sizeof(*ids), false);
	for (i = 0; i < PRODUCTS; i++)
		ids[i] = bench_id(i);
	for (i = PRODUCTS - 1; i; i--) {
		j = bench_random(&seed) % (i + 1);
		swap = ids[i];
		ids[i] = ids[j];
		ids[j] = swap;
	}
}

/* The twin's heap, too, keeps what it has touched: a fault would be its alone. */
static void keep_heap(void)
{
	if (!mallopt(M_MMAP_MAX, 0) || !mallopt(M_TRIM_THRESHOLD, -1))
		bench_die("mallopt", "refused");
}

int main(int argc, char **argv)
{
	struct side sides[2] = { 0 };
	struct shelf_error err;
	int i;

	setlinebuf(stdout);
	keep_heap();
	if (argc > 1)
		bench_summary(argv[1]);
	make_ids();
	for (i = 0; i < 2; i++) {
		printf("%s: loading %u products\n", who[i], PRODUCTS);
		make(&sides[i], names[i], 0x5eed);
	}
	clock_ns = clock_cost();
	sides[1].clock_ns = clock_ns;
	printf("a reading of the clock costs %.0f ns, which is taken off\n", clock_ns);
	for (i = 0; i < 2; i++)
		warm(&sides[i]);

	compare(sides, "dependent lookup", "uml.read_ratio", chase, READ_PAIRS);
	compare(sides, "independent lookup", "uml.rate_ratio", independent, READ_PAIRS);
	compare(sides, "draft of 1,000 patches, for one", "uml.commit_ratio", patch,
		COMMIT_PAIRS);
	compare(sides, "draft of a load of 100,000 products, for one", "uml.load_ratio",
		reload, LOAD_PAIRS);
	stream(&sides[0]);

	for (i = 0; i < 2; i++) {
		shelf_close(sides[i].s);
		shelf_writer_close(sides[i].w);
		if (shelf_destroy(names[i], &err))
			bench_die("destroy", err.message);
	}
	return 0;
}
