// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Whether a reader can tell that updates are being applied.
 *
 *   disturb [--rounds N] [--window MS] [--summary FILE] [--timeline FILE]
 *
 * A reader on one CPU takes the time of every 16 lookups, while a writer on the
 * other applies deltas of 0.1 to 100 per cent of a million products, without a
 * pause between them. Three kinds of window take turns: nobody writes; the
 * writer applies deltas to a second map of the same kind, which nobody reads
 * (the same traffic of memory, elsewhere); it applies them to the reader's map.
 * A window begins with a delta and lasts until one has been applied, or for 5 s.
 * Quantiles are of a window, figures medians over the windows of a kind. A
 * reader that waits for a lock takes few samples meanwhile, so quantiles say
 * little of it: the share of a window that went into slow samples, of more than
 * 100 us, is told beside them.
 *
 * Both are threads of one process, for only so does the hosted twin get pages
 * of 2 MiB here. The allocator keeps what is freed: to give it back would
 * interrupt the reader's CPU, whatever the map.
 */
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shelf-map.h"

#define PRODUCTS	1000000U
#define IDS		(1U << 20)
#define LOOKUPS		16U
#define SAMPLES_MAX	(1U << 22)
#define ROUNDS_MAX	101U
#define STEP_NS		10000000U	/* of the timeline */
#define WINDOW_NS_MAX	5000000000U
#define CONTEST_NS	40000000000U	/* then three rounds must do */
#define ROUNDS_MIN	3U

enum kind { IDLE, ELSEWHERE, HERE, KINDS };

static const char *const kind_names[KINDS] = { "idle", "elsewhere", "here" };

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define STALL_NS	100000.0f
#define QUANTILES	5U
#define STALLED		QUANTILES	/* per cent of the window */
#define VALUES		(QUANTILES + 1)
static const double quantiles[QUANTILES] = { 0.5, 0.99, 0.999, 0.9999, 1 };
static const char *const quantile_names[QUANTILES] = { "p50", "p99", "p999", "p9999", "max" };

/**
 * struct writer - the thread on the other CPU
 * @map: address of that to which it applies deltas; 0: it waits
 * @applied: how many it has
 * @busy: it is at it
 */
struct writer {
	pthread_t thread;
	const struct bench_map *ops;
	struct bench_change *changes;
	size_t count;
	atomic_uintptr_t map;
	atomic_ulong applied;
	atomic_bool busy;
	atomic_bool stop;
};

static float samples[SAMPLES_MAX];
static double sorted[SAMPLES_MAX];
static uint64_t sample_at[SAMPLES_MAX];
static int64_t *ids;
static uint64_t sink;

static void *writer_run(void *arg)
{
	struct writer *w = arg;
	uint64_t seed = 7;
	uint32_t version = 0;
	void *map;
	size_t i;

	bench_pin(1);
	while (!atomic_load(&w->stop)) {
		map = (void *)atomic_load(&w->map);
		atomic_store(&w->busy, map != NULL);
		if (!map) {
			usleep(20);
			continue;
		}
		version++;
		for (i = 0; i < w->count; i++)
			w->changes[i] = (struct bench_change){
				w->count == PRODUCTS ? i : bench_random(&seed) % PRODUCTS,
				version,
			};
		w->ops->apply(map, w->changes, w->count);
		atomic_fetch_add(&w->applied, 1);
	}
	return NULL;
}

/* Until the writer has seen it: neither a late delta nor an early idle. */
static void writer_set(struct writer *w, void *map)
{
	atomic_store(&w->map, (uintptr_t)map);
	while (atomic_load(&w->busy) != (map != NULL))
		__builtin_ia32_pause();
}

/*
 * Takes samples for @ns, and until the writer, if it is not NULL, has applied a
 * delta. Returns how many; ns of 16 lookups each.
 */
static uint32_t read_window(const struct bench_map *ops, void *reader, uint64_t ns,
			    struct writer *w, uint64_t *seed)
{
	unsigned long applied = w ? atomic_load(&w->applied) : 0;
	uint64_t begin = bench_now(), last = begin, now = begin;
	uint32_t n = 0;

	while (n < SAMPLES_MAX && now - begin < WINDOW_NS_MAX &&
	       (now - begin < ns || (w && atomic_load(&w->applied) == applied))) {
		size_t at = bench_random(seed) % (IDS - LOOKUPS);

		sink += ops->run(reader, BENCH_RATE, ids + at, LOOKUPS);
		now = bench_now();
		samples[n] = (float)(now - last);
		sample_at[n++] = last - begin;
		last = now;
	}
	return n;
}

static void window_quantiles(uint32_t n, double *q)
{
	double stalled = 0, all = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		sorted[i] = (double)samples[i];
		all += sorted[i];
		stalled += samples[i] > STALL_NS ? sorted[i] : 0;
	}
	q[STALLED] = 100 * stalled / all;
	bench_median(sorted, n);
	for (i = 0; i < QUANTILES; i++)
		q[i] = bench_quantile(sorted, n, quantiles[i]);
}

struct contest {
	const struct bench_map *ops;
	void *here;
	void *elsewhere;
	void *reader;
	struct writer writer;
};

static void contest_begin(struct contest *c, const struct bench_map *ops)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->here = ops->make(PRODUCTS);
	c->elsewhere = c->here ? ops->make(PRODUCTS) : NULL;
	if (!c->elsewhere)
		return;
	c->reader = ops->reader_begin ? ops->reader_begin(c->here) : c->here;
	c->writer.ops = ops;
	c->writer.changes = calloc(PRODUCTS, sizeof(*c->writer.changes));
	if (!c->writer.changes ||
	    pthread_create(&c->writer.thread, NULL, writer_run, &c->writer))
		bench_die("writer", "can't be started");
}

static void contest_end(struct contest *c)
{
	if (c->elsewhere) {
		atomic_store(&c->writer.stop, true);
		pthread_join(c->writer.thread, NULL);
		free(c->writer.changes);
		if (c->ops->reader_end)
			c->ops->reader_end(c->reader);
		c->ops->free(c->elsewhere);
	}
	if (c->here)
		c->ops->free(c->here);
}

static void *target(const struct contest *c, enum kind kind)
{
	return kind == IDLE ? NULL : kind == HERE ? c->here : c->elsewhere;
}

static const struct {
	const char *name;
	size_t count;
} deltas[] = {
	{ "01pct", PRODUCTS / 1000 }, { "1pct", PRODUCTS / 100 },
	{ "10pct", PRODUCTS / 10 }, { "100pct", PRODUCTS },
};

/* @prefix: "disturb" for us, "disturb.peer.NAME" for another. */
static void report(const char *prefix, const char *delta, double (*q)[VALUES][ROUNDS_MAX],
		   uint32_t rounds)
{
	double median[KINDS][VALUES];
	char name[96];
	unsigned int k, i;

	for (k = 0; k < KINDS; k++) {
		printf("  %-10s", kind_names[k]);
		for (i = 0; i < QUANTILES; i++) {
			median[k][i] = bench_median(q[k][i], rounds);
			printf(" %s %9.2f us", quantile_names[i], median[k][i] / 1000);
		}
		median[k][STALLED] = bench_median(q[k][STALLED], rounds);
		printf(" stalled %5.2f %%\n", median[k][STALLED]);
	}
	snprintf(name, sizeof(name), "%s.stalled.%s", prefix, delta);
	bench_figure(name, median[HERE][STALLED], "per cent");
	snprintf(name, sizeof(name), "%s.stalled.%s.idle", prefix, delta);
	bench_figure(name, median[IDLE][STALLED], "per cent");
	for (i = 0; i < QUANTILES; i++) {
		snprintf(name, sizeof(name), "%s.%s.%s", prefix, quantile_names[i], delta);
		bench_figure(name, median[HERE][i] / median[ELSEWHERE][i], "ratio");
		snprintf(name, sizeof(name), "%s.%s.%s.idle", prefix, quantile_names[i], delta);
		bench_figure(name, median[HERE][i] / median[IDLE][i], "ratio");
	}
}

static void contest_run(struct contest *c, const char *prefix, uint32_t rounds,
			uint64_t window_ns)
{
	static double q[KINDS][VALUES][ROUNDS_MAX];
	double one[VALUES];
	uint64_t seed = 3, begin;
	unsigned int d, k, i;
	uint32_t round, n;

	for (d = 0; d < ARRAY_SIZE(deltas); d++) {
		printf("%s, delta of %zu products, ns of %u lookups\n", c->ops->name,
		       deltas[d].count, LOOKUPS);
		c->writer.count = deltas[d].count;
		atomic_store(&c->writer.applied, 0);
		begin = bench_now();
		for (round = 0; round < rounds; round++) {
			if (round >= ROUNDS_MIN && bench_now() - begin > CONTEST_NS)
				break;
			for (k = 0; k < KINDS; k++) {
				writer_set(&c->writer, target(c, k));
				n = read_window(c->ops, c->reader, window_ns,
						k == IDLE ? NULL : &c->writer, &seed);
				writer_set(&c->writer, NULL);
				window_quantiles(n, one);
				for (i = 0; i < VALUES; i++)
					q[k][i][round] = one[i];
			}
		}
		printf("  %lu deltas applied, %u rounds\n",
		       atomic_load(&c->writer.applied), round);
		report(prefix, deltas[d].name, q, round);
	}
}

/* A line of the timeline: from sample @from on, all that end before @until. */
static uint32_t timeline_step(const struct contest *c, FILE *out, uint32_t from, uint32_t n,
			      uint64_t until, double seconds)
{
	double p99;
	uint32_t i, count;

	for (i = from; i < n && sample_at[i] < until; i++)
		sorted[i - from] = (double)samples[i];
	count = i - from;
	bench_median(sorted, count);
	p99 = bench_quantile(sorted, count, 0.99);
	fprintf(out, "%s\t%.3f\t%.0f\t%.3f\n", c->ops->name, seconds,
		count * LOOKUPS / (STEP_NS * 1e-9), count ? p99 / 1000 : 0);
	return i;
}

/* Lookups a second and p99 in steps of 10 ms; deltas from 1 s to 3 s of 4. */
static void timeline(struct contest *c, FILE *out)
{
	const uint32_t steps = 1000000000 / STEP_NS;
	uint64_t seed = 5;
	uint32_t i, n, at, part;

	c->writer.count = PRODUCTS / 10;
	for (part = 0; part < 4; part++) {
		writer_set(&c->writer, part == 1 || part == 2 ? c->here : NULL);
		n = read_window(c->ops, c->reader, 1000000000, NULL, &seed);
		for (i = 0, at = 0; i < steps; i++)
			at = timeline_step(c, out, at, n, (i + 1) * (uint64_t)STEP_NS,
					   part + i * (STEP_NS * 1e-9));
	}
	writer_set(&c->writer, NULL);
}

static void one_map(const struct bench_map *ops, uint32_t rounds, uint64_t window_ns,
		    FILE *times)
{
	static struct contest c;
	char prefix[64];

	contest_begin(&c, ops);
	if (c.elsewhere) {
		bench_pin(0);
		snprintf(prefix, sizeof(prefix), "disturb.peer.%s", ops->name);
		contest_run(&c, ops == &bench_shelf ? "disturb" : prefix, rounds, window_ns);
		if (times)
			timeline(&c, times);
	}
	contest_end(&c);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "window", required_argument, NULL, 'w' },
		{ "summary", required_argument, NULL, 's' },
		{ "timeline", required_argument, NULL, 't' },
		{ "only-shelf", no_argument, NULL, 'o' },
		{ }
	};
	const struct bench_map *const *peer = bench_peers;
	uint64_t window_ns = 200000000, seed = 1;
	uint32_t rounds = 9, i;
	FILE *times = NULL;
	bool peers = true;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			rounds = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'w')
			window_ns = strtoull(optarg, NULL, 0) * 1000000;
		else if (c == 's')
			bench_summary(optarg);
		else if (c == 'o')
			peers = false;
		else if (c == 't' && !times)
			times = fopen(optarg, "w");
		else
			return 2;
	}
	if (!rounds || rounds > ROUNDS_MAX)
		bench_die("--rounds", "from 1 to 101");
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
	ids = bench_memory(IDS * sizeof(*ids), true);
	for (i = 0; i < IDS; i++)
		ids[i] = bench_id(bench_random(&seed) % PRODUCTS);
	one_map(&bench_shelf, rounds, window_ns, times);
	for (; peers && *peer; peer++)
		if ((*peer)->apply)
			one_map(*peer, rounds, window_ns, times);
	if (times && fclose(times))
		bench_die("timeline", "can't be written");
	return sink == 42;	/* used, so not optimised out */
}
