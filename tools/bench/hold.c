// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What holding on costs others: memory under a pin, memory after deletes, commits
 * and reads beside a reader that pins as much and as often as it can.
 *
 *   hold [--summary FILE] [--commits N] [--seconds N]
 *
 * pin.retained_ratio	one pin, N commits (10,000) of whole records, 1 % each: what
 *			it takes away in the end, as pages, per byte of its snapshot
 * pin.accounted_ratio	the same as the writer counts it
 * delete.memory_ratio	99 of 100 products deleted, then a trim: memory held
 *			beyond 8 MiB, per byte at the peak
 * hostile.commit_ratio, hostile.p999_ratio
 *			commits of 1 %, and sections of 16 lookups of another reader,
 *			beside the hostile one, and beside one that only reads in its
 *			place; windows take turns, a ratio is taken within a round
 * hostile.pinned_ratio	what it kept at most, per byte of the cap
 *
 * On the hosted twin, whose pins are those of the module's writer, taken by another
 * thread: a system call less, so more often.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shelf-map.h"

#define PRODUCTS	1000000ULL
#define DELTA		(PRODUCTS / 100)
#define WINDOW_NS	1000000000ULL
#define ROUNDS_MAX	400U
#define SAMPLES_MAX	4000000U
#define LOOKUPS		16U
#define IDS		(1U << 20)
#define USERS		(SHELF_PINS / SHELF_PINS_PER_USER)
/* Of the hostile reader's pins so many come and go all the time. */
#define RESTLESS	12U

static double used_bytes(const struct bench_shelf *s)
{
	const struct store *st = &s->hosted->store;

	return (double)((uint64_t)st->arena.chunks * CHUNK_PAGES - st->arena.free_pages) *
	       SHELF_PAGE_BYTES;
}

static double held_bytes(const struct bench_shelf *s)
{
	return (double)s->hosted->store.arena.chunks * SHELF_CHUNK_BYTES;
}

static void commit_delta(struct bench_shelf *s, uint64_t *seed, uint32_t version)
{
	struct batch b;
	uint64_t j;

	batch_init(&b, ~0ULL);
	for (j = 0; j < DELTA; j++)
		bench_shelf_rewrite(&b, bench_random(seed) % PRODUCTS, version);
	bench_shelf_commit(s, &b, NULL);
}

/* All that quarantine and pins keep no longer, now. */
static void settle(struct bench_shelf *s)
{
	struct store *st = &s->hosted->store;
	uint64_t quarantine = st->quarantine_ns;

	st->quarantine_ns = 0;
	store_reclaim(st);
	st->quarantine_ns = quarantine;
	store_reclaim(st);
}

static void retained(uint32_t commits)
{
	struct bench_shelf *s = bench_shelf_make(PRODUCTS, true);
	struct store *st = &s->hosted->store;
	double snapshot, with, without, accounted;
	struct pin pin = { 0 };
	uint64_t seed = 5;
	uint32_t i;

	settle(s);
	snapshot = used_bytes(s);
	st->pin_bytes = UINT64_MAX;
	st->lease_max_ns = UINT64_MAX / 2;
	if (store_pin(st, &pin, 0, UINT64_MAX / 2))
		bench_die("pin", "refused");
	for (i = 1; i <= commits; i++)
		commit_delta(s, &seed, i);
	settle(s);
	with = used_bytes(s);
	accounted = (double)st->retained_bytes;
	printf("one pin, %u commits of 1 %%: the writer says that it keeps %.1f MiB of %.1f\n",
	       commits, accounted / (1 << 20), snapshot / (1 << 20));
	if (store_unpin(st, &pin))
		bench_die("pin", "was revoked");
	settle(s);
	without = used_bytes(s);
	bench_figure("pin.retained_ratio", (with - without) / snapshot, "ratio");
	bench_figure("pin.accounted_ratio", accounted / snapshot, "ratio");
	bench_shelf_free(s);
}

static void deletes(void)
{
	struct bench_shelf *s = bench_shelf_make(PRODUCTS, true);
	double peak = held_bytes(s), after;
	uint64_t i, begin;
	u64 pages;
	const char *why;
	uint32_t commits;
	struct batch b;

	batch_init(&b, ~0ULL);
	for (i = 0; i < PRODUCTS; i++) {
		struct op op = { .kind = SHELF_OP_DELETE, .id = bench_id(i) };

		if (i % 100 && batch_add(&b, &op, NULL, &why))
			bench_die("batch", why);
	}
	bench_shelf_commit(s, &b, NULL);
	peak = held_bytes(s) > peak ? held_bytes(s) : peak;
	settle(s);
	begin = bench_now();
	if (hosted_trim(s->hosted, -1, &commits, &pages))
		bench_die("trim", "failed");
	after = held_bytes(s);
	printf("99 of 100 products deleted: %.0f MiB, after a trim of %u commits, %lu pages and %.0f ms %.0f MiB\n",
	       peak / (1 << 20), commits, (unsigned long)pages,
	       (double)(bench_now() - begin) / 1e6, after / (1 << 20));
	after -= 8 << 20;
	bench_figure("delete.memory_ratio", after > 0 ? after / peak : 0, "ratio");
	bench_shelf_free(s);
}

/**
 * struct neighbour - who runs beside what is measured
 * @hostile: pins; else reads, at full speed either way
 */
struct neighbour {
	pthread_t thread;
	struct bench_shelf *s;
	int cpu;
	atomic_bool hostile;
	atomic_bool stop;
	atomic_ulong pins;
	struct pin pin[SHELF_PINS];
	bool held[SHELF_PINS];
};

static int64_t *ids;
static uint64_t sink;

static void take(struct neighbour *n, unsigned int i)
{
	struct store *st = &n->s->hosted->store;

	if (n->held[i])
		store_unpin(st, &n->pin[i]);
	memset(&n->pin[i], 0, sizeof(n->pin[i]));
	n->pin[i].user = i % USERS;
	n->held[i] = !store_pin(st, &n->pin[i], 0, UINT64_MAX / 2);
	atomic_fetch_add(&n->pins, 1);
}

/* Whatever is revoked is pinned again; some come and go without that. */
static void pin_all(struct neighbour *n)
{
	unsigned int i;

	for (i = 0; i < SHELF_PINS; i++)
		if (i < RESTLESS || !n->held[i] || !READ_ONCE(n->pin[i].of))
			take(n, i);
}

static void let_all_go(struct neighbour *n)
{
	unsigned int i;

	for (i = 0; i < SHELF_PINS; i++)
		if (n->held[i])
			store_unpin(&n->s->hosted->store, &n->pin[i]);
	memset(n->held, 0, sizeof(n->held));
}

static void *neighbour_run(void *arg)
{
	struct neighbour *n = arg;
	uint64_t seed = 11;

	while (!atomic_load(&n->stop)) {
		bench_pin(n->cpu);
		if (atomic_load(&n->hostile)) {
			pin_all(n);
		} else {
			let_all_go(n);
			sink += bench_shelf.run(n->s, BENCH_RATE,
						ids + bench_random(&seed) % (IDS - 1024), 1024);
		}
	}
	let_all_go(n);
	return NULL;
}

static void neighbour_set(struct neighbour *n, int cpu, bool hostile)
{
	n->cpu = cpu;
	atomic_store(&n->hostile, hostile);
	usleep(50000);
}

/* The writer of the windows in which reads are measured. */
struct writer {
	pthread_t thread;
	struct bench_shelf *s;
	atomic_bool busy;
	atomic_bool idle;
	atomic_bool stop;
};

static void *writer_run(void *arg)
{
	struct writer *w = arg;
	uint64_t seed = 13;
	uint32_t version = 1;

	bench_pin(1);
	while (!atomic_load(&w->stop)) {
		atomic_store(&w->idle, !atomic_load(&w->busy));
		if (atomic_load(&w->idle))
			usleep(1000);
		else
			commit_delta(w->s, &seed, version++);
	}
	return NULL;
}

static void writer_set(struct writer *w, bool busy)
{
	atomic_store(&w->busy, busy);
	while (atomic_load(&w->idle) == busy)
		usleep(100);
}

/* Median ns of a commit of 1 %, without its staging. */
static double commit_window(struct bench_shelf *s, uint64_t *seed, uint32_t *version)
{
	static double ns[1024];
	uint64_t begin = bench_now(), at, j;
	unsigned int n = 0;
	struct batch b;

	while (n < 3 || (n < ARRAY_SIZE(ns) && bench_now() - begin < WINDOW_NS)) {
		batch_init(&b, ~0ULL);
		++*version;
		for (j = 0; j < DELTA; j++)
			bench_shelf_rewrite(&b, bench_random(seed) % PRODUCTS, *version);
		at = bench_now();
		bench_shelf_commit(s, &b, NULL);
		ns[n++] = (double)(bench_now() - at);
	}
	return bench_median(ns, n);
}

/* The 99.9th percentile of ns of 16 lookups. */
static double read_window(struct bench_shelf *s, uint64_t *seed)
{
	static double ns[SAMPLES_MAX];
	uint64_t begin = bench_now(), last = begin, now = begin;
	unsigned int n = 0;

	while (n < SAMPLES_MAX && now - begin < WINDOW_NS) {
		sink += bench_shelf.run(s, BENCH_RATE,
					ids + bench_random(seed) % (IDS - LOOKUPS), LOOKUPS);
		now = bench_now();
		ns[n++] = (double)(now - last);
		last = now;
	}
	bench_median(ns, n);
	return bench_quantile(ns, n, 0.999);
}

struct contest {
	struct bench_shelf *s;
	struct neighbour neighbour;
	struct writer writer;
	uint64_t seed;
	uint32_t version;
	double commit[2][ROUNDS_MAX];
	double p999[2][ROUNDS_MAX];
	double most_held;
};

static void contest_round(struct contest *c, unsigned int round)
{
	unsigned int i, k;
	double held;

	/* Now this one first, now that one. */
	for (i = 0; i < 2; i++) {
		k = (i + round) % 2;
		bench_pin(1);
		neighbour_set(&c->neighbour, 0, k);
		c->commit[k][round] = commit_window(c->s, &c->seed, &c->version);
		bench_pin(0);
		neighbour_set(&c->neighbour, 1, k);
		writer_set(&c->writer, true);
		c->p999[k][round] = read_window(c->s, &c->seed);
		writer_set(&c->writer, false);
		held = (double)c->s->hosted->store.retained_bytes;
		c->most_held = held > c->most_held ? held : c->most_held;
	}
}

/* Within a round, since the machine is another one in the next. */
static double round_ratio(double ns[2][ROUNDS_MAX], unsigned int rounds)
{
	static double ratio[ROUNDS_MAX];
	unsigned int i;

	for (i = 0; i < rounds; i++)
		ratio[i] = ns[1][i] / ns[0][i];
	return bench_median(ratio, rounds);
}

static void contest_report(struct contest *c, unsigned int rounds)
{
	const struct store *st = &c->s->hosted->store;
	double commit_ratio = round_ratio(c->commit, rounds);
	double p999_ratio = round_ratio(c->p999, rounds);
	double commit, p999;
	unsigned int k;

	for (k = 0; k < 2; k++) {
		commit = bench_median(c->commit[k], rounds);
		p999 = bench_median(c->p999[k], rounds);
		printf("%-24s commit %7.2f ms (p10 to p90 %.2f to %.2f), reads p99.9 %7.2f us (%.2f to %.2f)\n",
		       k ? "beside a hostile reader" : "beside an honest one",
		       commit / 1e6, bench_quantile(c->commit[k], rounds, 0.1) / 1e6,
		       bench_quantile(c->commit[k], rounds, 0.9) / 1e6, p999 / 1e3,
		       bench_quantile(c->p999[k], rounds, 0.1) / 1e3,
		       bench_quantile(c->p999[k], rounds, 0.9) / 1e3);
	}
	printf("%u rounds, %lu pins taken, %llu revoked; pins kept %.1f MiB at most of %.1f allowed, %.1f MiB held of %.1f\n",
	       rounds, atomic_load(&c->neighbour.pins), (unsigned long long)st->revocations,
	       c->most_held / (1 << 20), (double)st->pin_bytes / (1 << 20),
	       held_bytes(c->s) / (1 << 20), (double)st->control->max_bytes / (1 << 20));
	bench_figure("hostile.commit_ratio", commit_ratio, "ratio");
	bench_figure("hostile.p999_ratio", p999_ratio, "ratio");
	bench_figure("hostile.pinned_ratio", c->most_held / (double)st->pin_bytes, "ratio");
}

static void hostile(unsigned int seconds)
{
	static struct contest c;
	uint64_t begin = bench_now(), seed = 1, i;
	unsigned int round = 0;

	c.s = bench_shelf_make(PRODUCTS, true);
	c.seed = 17;
	c.neighbour.s = c.s;
	c.writer.s = c.s;
	atomic_store(&c.writer.idle, true);
	for (i = 0; i < IDS; i++)
		ids[i] = bench_id(bench_random(&seed) % PRODUCTS);
	if (pthread_create(&c.neighbour.thread, NULL, neighbour_run, &c.neighbour) ||
	    pthread_create(&c.writer.thread, NULL, writer_run, &c.writer))
		bench_die("threads", "can't be started");
	do {
		contest_round(&c, round++);
	} while (round < ROUNDS_MAX && bench_now() - begin < seconds * 1000000000ULL);
	contest_report(&c, round);
	atomic_store(&c.neighbour.stop, true);
	atomic_store(&c.writer.stop, true);
	pthread_join(c.neighbour.thread, NULL);
	pthread_join(c.writer.thread, NULL);
	settle(c.s);
	if (c.s->hosted->store.retained_bytes)
		bench_die("pins", "keep something though all are gone");
	bench_shelf_free(c.s);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "summary", required_argument, NULL, 's' },
		{ "commits", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 't' },
		{ }
	};
	unsigned int commits = 10000, seconds = 60;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			bench_summary(optarg);
		else if (c == 'c')
			commits = (unsigned int)strtoul(optarg, NULL, 0);
		else if (c == 't')
			seconds = (unsigned int)strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	ids = bench_memory(IDS * sizeof(*ids), true);
	if (commits)
		retained(commits);
	deletes();
	if (seconds)
		hostile(seconds);
	return 0;
}
