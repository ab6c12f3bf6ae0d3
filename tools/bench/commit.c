// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What commits cost on the hosted twin, natively: a bulk load through the
 * library, pages copied by a single patch against the shelf's size, and memory
 * at rest against payload.
 *
 *   commit [SUMMARY.tsv]
 *
 * The load is one batch: a million products of 64 + about 136 bytes, and a
 * million memberships in 100,000 operations of 10. Operations are counted as
 * staged, 1.1 million. Both staging and commit are timed, on one core, into a
 * file in shared memory, which begins empty each time.
 *
 * load.mops is by the clock on the wall, load.cpu_mops by the processor time of
 * the one thread: on a machine that others use the second is what to compare.
 */
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "../lib/hosted.h"
#include "../lib/shelf.h"

#define PRODUCTS	1000000U
#define ADDS		100000U
#define MEMBERS		10U
#define RUNS		5U

static const char *path = "/dev/shm/shelf-bench";
static char name[64];
static FILE *summary;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	unlink(path);
	exit(1);
}

static void figure(const char *what, double value, const char *unit)
{
	printf("%-24s %10.3f %s\n", what, value, unit);
	if (summary)
		fprintf(summary, "%s\t%.4g\t%s\n", what, value, unit);
}

static double now(void)
{
	return (double)store_clock() * 1e-9;
}

static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Ids that are neither dense nor random: as a shop numbers its goods. */
static s64 product_id(u32 i)
{
	return (s64)i * 7919 + 12345;
}

static void stage(struct shelf_batch *b, u32 products, u32 adds, u64 *payload)
{
	static char attrs[256];
	struct shelf_error err;
	s64 members[MEMBERS];
	u32 i, j;

	memset(attrs, 'a', sizeof(attrs));
	for (i = 0; i < products; i++) {
		struct shelf_change c = {
			.id = product_id(i),
			.fields = SHELF_PRICE | SHELF_STOCK | SHELF_CURRENCY | SHELF_ATTRS,
			.price = i % 10000, .stock = i % 77, .currency = "EUR",
			.attrs = attrs, .attrs_len = 100 + i % 73,
		};

		*payload += 64 + c.attrs_len;
		if (shelf_batch_put(b, &c, &err))
			die("put", err.message);
	}
	for (i = 0; i < adds; i++) {
		for (j = 0; j < MEMBERS; j++)
			members[j] = product_id((i * MEMBERS + j) % products);
		*payload += 8 * MEMBERS;
		if (shelf_batch_add(b, i % 5000, members, MEMBERS, &err))
			die("add", err.message);
	}
}

static struct shelf_writer *make(void)
{
	struct shelf_settings settings = {
		.max_bytes = 1ULL << 30, .quarantine_ms = -1,
	};
	struct shelf_writer *w;
	struct shelf_error err;

	unlink(path);
	if (shelf_create(name, &settings, &err) || shelf_writer_open(name, &w, &err))
		die(name, err.message);
	return w;
}

/* Loads a new shelf; returns seconds and, in @payload, its bytes. */
static double load(struct shelf_writer *w, u32 products, u32 adds, u64 *payload)
{
	struct shelf_result result;
	struct shelf_batch *b;
	struct shelf_error err;
	double begin = now();

	*payload = 0;
	if (shelf_batch_begin(w, &b, &err))
		die("begin", err.message);
	stage(b, products, adds, payload);
	if (shelf_batch_commit(b, NULL, &result, &err))
		die("commit", err.message);
	return now() - begin;
}

static u64 patch_one(struct shelf_writer *w, u32 i, s64 price)
{
	struct shelf_change c = {
		.id = product_id(i), .fields = SHELF_PRICE, .price = price,
	};
	struct shelf_result result;
	struct shelf_batch *b;
	struct shelf_error err;

	if (shelf_batch_begin(w, &b, &err) || shelf_batch_patch(b, &c, &err) ||
	    shelf_batch_commit(b, NULL, &result, &err))
		die("patch", err.message);
	return result.pages;
}

/* The most pages of a thousand patches all over the shelf. */
static void patches(struct shelf_writer *w, u32 products, const char *what)
{
	u64 most = 0, pages;
	u32 i;

	for (i = 0; i < 1000; i++) {
		pages = patch_one(w, (u32)((u64)i * 7907 % products), 100000 + i);
		most = pages > most ? pages : most;
	}
	figure(what, (double)most, "pages");
}

/* Bytes that the newest snapshot keeps, by a walk from its root. */
static u64 live_bytes(void)
{
	struct hosted *h;
	u64 bytes;

	if (hosted_open_writer(path, &h))
		die(path, "cannot open it again");
	bytes = ((u64)h->store.arena.chunks * CHUNK_PAGES - h->store.arena.free_pages) *
		SHELF_PAGE_BYTES;
	hosted_close(h);
	return bytes;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	double mops[RUNS], cpu[RUNS];
	struct shelf_writer *w;
	u64 payload = 0;
	u32 i;

	snprintf(name, sizeof(name), "hosted:%s", path);
	summary = argc > 1 ? fopen(argv[1], "w") : NULL;
	if (argc > 1 && !summary)
		die(argv[1], "cannot be written");

	for (i = 0; i < RUNS; i++) {
		w = make();
		cpu[i] = -cpu_now();
		mops[i] = (PRODUCTS + ADDS) / load(w, PRODUCTS, ADDS, &payload) / 1e6;
		cpu[i] = (PRODUCTS + ADDS) / (cpu[i] + cpu_now()) / 1e6;
		if (i + 1 < RUNS)
			shelf_writer_close(w);
	}
	qsort(mops, RUNS, sizeof(mops[0]), ascending);
	qsort(cpu, RUNS, sizeof(cpu[0]), ascending);
	printf("load: %u products, %u memberships, %u runs, %.2f to %.2f million a second\n",
	       PRODUCTS, ADDS * MEMBERS, RUNS, mops[0], mops[RUNS - 1]);
	figure("load.mops", mops[RUNS / 2], "Mops/s");
	figure("load.cpu_mops", cpu[RUNS / 2], "Mops/s");
	patches(w, PRODUCTS, "commit.1op.pages_1m");
	shelf_writer_close(w);
	figure("memory.rest_ratio", (double)live_bytes() / (double)payload, "ratio");

	w = make();
	load(w, 10000, 1000, &payload);
	patches(w, 10000, "commit.1op.pages_10k");
	shelf_writer_close(w);
	unlink(path);
	if (summary && fclose(summary))
		die(argv[1], "cannot be written");
	return 0;
}
