// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Lookups: the machine, a shelf, and other maps, side by side.
 *
 *   reads [--products N]... [--rounds N] [--peers] [--summary FILE]
 *
 * In each round everything gets one window, in the same order; a ratio is taken
 * within a round, and the figure is the median of the rounds.
 */
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "shelf-map.h"

#define IDS		(1U << 21)
#define WINDOW		20000U
#define ALIEN_WINDOW	1000U
#define ROUNDS_MAX	1001U
#define COLUMNS_MAX	96U
#define ZIPF_EXPONENT	0.99

/**
 * struct column - one thing that is measured
 * @ns: per lookup, of each round
 */
struct column {
	char name[32];
	const struct bench_map *map;	/* NULL: the machine */
	void *at;
	enum bench_work work;
	uint64_t (*machine)(const struct machine *m, const int64_t *ids,
			    size_t at, size_t n);
	const int64_t *ids;
	uint32_t window;
	double ns[ROUNDS_MAX];
};

struct columns {
	struct column column[COLUMNS_MAX];
	uint32_t count;
	uint32_t rounds;
};

static uint64_t sink;

static const char *const work_names[BENCH_WORKS] = {
	[BENCH_CHASE] = "chase", [BENCH_RATE] = "rate", [BENCH_MANY] = "many",
	[BENCH_MISS] = "miss", [BENCH_ATTRS] = "attrs",
};

/* Random indexes; with @exponent as in Zipf's law, the popular ones anywhere. */
static int64_t *make_ids(uint64_t products, double exponent, int64_t (*id)(uint64_t))
{
	int64_t *ids = bench_memory(IDS * sizeof(*ids), true);
	double *cumulative = NULL, sum = 0;
	uint64_t seed = 1, low, high;
	uint64_t i;

	if (exponent > 0) {
		cumulative = malloc(products * sizeof(*cumulative));
		for (i = 0; i < products; i++)
			cumulative[i] = sum += pow((double)(i + 1), -exponent);
	}
	for (i = 0; i < IDS; i++) {
		uint64_t r = bench_random(&seed);

		if (cumulative) {
			double at = (double)(r >> 11) * 0x1p-53 * sum;

			for (low = 0, high = products - 1; low < high;)
				if (cumulative[(low + high) / 2] < at)
					low = (low + high) / 2 + 1;
				else
					high = (low + high) / 2;
			r = low * 0x9e3779b97f4a7c15ULL;
		}
		ids[i] = id(shelf_mulhi(r, products));
	}
	free(cumulative);
	return ids;
}

static int64_t present(uint64_t index)
{
	return bench_id(index);
}

static int64_t absent(uint64_t index)
{
	return bench_absent_id(index);
}

static struct column *add(struct columns *t, const char *name, const int64_t *ids)
{
	struct column *c = &t->column[t->count++];

	if (t->count > COLUMNS_MAX)
		bench_die(name, "too many columns");
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->ids = ids;
	c->window = WINDOW;
	return c;
}

static void add_machine(struct columns *t, const char *name, const int64_t *ids, void *at,
			uint64_t (*run)(const struct machine *m, const int64_t *ids,
					size_t at, size_t n))
{
	struct column *c = add(t, name, ids);

	c->at = at;
	c->machine = run;
}

static void add_map(struct columns *t, const char *prefix, const struct bench_map *map,
		    void *at, enum bench_work work, const int64_t *ids)
{
	char name[32];
	struct column *c;

	if (map->run(at, work, ids, BENCH_BATCH) == BENCH_NOT_OFFERED)
		return;
	snprintf(name, sizeof(name), "%.20s.%s", prefix, work_names[work]);
	c = add(t, name, ids);
	c->map = map;
	c->at = at;
	c->work = work;
	c->window = map->alien ? ALIEN_WINDOW : WINDOW;
}

static void window(struct column *c, uint32_t round)
{
	/* Elsewhere each time: who comes second must not find the lines warm. */
	static uint64_t seed = 1;
	size_t at = bench_random(&seed) % (IDS - c->window);
	uint64_t begin;

	begin = bench_now();
	sink += c->machine ? c->machine(c->at, c->ids, at, c->window) :
			     c->map->run(c->at, c->work, c->ids + at, c->window);
	c->ns[round] = (double)(bench_now() - begin) / c->window;
}

static void measure(struct columns *t)
{
	uint32_t round, i;

	for (i = 0; i < t->count; i++)	/* to warm up */
		window(&t->column[i], 0);
	for (round = 0; round < t->rounds; round++)
		for (i = 0; i < t->count; i++)
			window(&t->column[i], round);
}

static const struct column *find(const struct columns *t, const char *name)
{
	uint32_t i;

	for (i = 0; i < t->count; i++)
		if (!strcmp(t->column[i].name, name))
			return &t->column[i];
	return NULL;
}

/* Of each round's @a / @b the median. 0 if either is not there. */
static double ratio(const struct columns *t, const char *a, const char *b)
{
	const struct column *x = find(t, a), *y = find(t, b);
	static double r[ROUNDS_MAX];
	uint32_t i;

	if (!x || !y)
		return 0;
	for (i = 0; i < t->rounds; i++)
		r[i] = x->ns[i] / y->ns[i];
	return bench_median(r, t->rounds);
}

static void figure(const struct columns *t, const char *name, const char *a, const char *b)
{
	double value = ratio(t, a, b);

	if (value > 0)
		bench_figure(name, value, "ratio");
}

static void print(const struct columns *t)
{
	static double ns[ROUNDS_MAX];
	uint32_t i;

	printf("%-24s %10s %10s %10s %10s\n", "ns per lookup", "median", "p10", "p90",
	       "/ miss");
	for (i = 0; i < t->count; i++) {
		const struct column *c = &t->column[i];

		memcpy(ns, c->ns, sizeof(ns));
		printf("%-24s %10.1f", c->name, bench_median(ns, t->rounds));
		printf(" %10.1f %10.1f %10.2f\n", bench_quantile(ns, t->rounds, 0.1),
		       bench_quantile(ns, t->rounds, 0.9), ratio(t, c->name, "miss"));
	}
}

/* Bytes of entries in use below @dir; each node has a page, most not all of it. */
static uint64_t entry_bytes(const struct shelf_view *v, const __u32 *dir, uint32_t bits,
			    uint32_t turn)
{
	uint64_t bytes = 4ULL << bits;
	uint32_t i;

	for (i = 0; i < 1U << bits; i++) {
		uint32_t entry = dir[turn ? shelf_node_index(turn, i) : i];

		if (shelf_entry_tag(entry) >= SHELF_TAG_NODE)
			bytes += entry_bytes(v, shelf_view_page(v, shelf_entry_page(entry)),
					     shelf_node_bits(entry),
					     shelf_entry_page(entry));
	}
	return bytes;
}

static uint64_t dir_bytes(const struct bench_shelf *s)
{
	struct shelf_section c;

	shelf_begin(&s->reader, &c);
	return entry_bytes(&c.view, c.view.root->product_dir, SHELF_PRODUCT_DIR_BITS, 0);
}

static uint64_t leaf_bytes(const struct bench_shelf *s)
{
	return SHELF_PAGE_BYTES * s->hosted->store.arena.pages[SHELF_KIND_PRODUCTS];
}

/* Lines of random products. */
static void machine_make(struct machine *m, const struct bench_shelf *s, const int64_t *ids)
{
	uint64_t i, seed = 2, bytes = dir_bytes(s);
	struct shelf_section c;

	shelf_begin(&s->reader, &c);
	m->line = bench_memory(IDS * sizeof(*m->line), true);
	m->block_lines = leaf_bytes(s) / SHELF_LINE;
	m->block = bench_memory(leaf_bytes(s), true);
	for (i = 0; i < m->block_lines; i++)	/* or it would be one page of zeros */
		((volatile uint64_t *)m->block)[i * SHELF_LINE / sizeof(*m->block)] = 0;
	m->table_count = bytes / sizeof(*m->table);
	m->table = bench_memory(bytes, true);
	for (i = 0; i < m->table_count; i++)
		((volatile uint32_t *)m->table)[i] = 0;
	for (i = 0; i < IDS; i++)
		m->line[i] = (const uint64_t *)
			shelf_view_product(&c.view, ids[bench_random(&seed) % IDS]);
}

struct thread {
	pthread_t thread;
	pthread_barrier_t *barrier;
	const struct bench_shelf *shelf;
	const int64_t *ids;
	int cpu;
	double seconds;
};

#define THREAD_LOOKUPS	2000000U

static void *thread_run(void *arg)
{
	struct thread *t = arg;
	uint64_t begin;
	size_t done;

	bench_pin(t->cpu);
	pthread_barrier_wait(t->barrier);
	begin = bench_now();
	for (done = 0; done < THREAD_LOOKUPS; done += WINDOW)
		sink += bench_shelf.run((void *)t->shelf, BENCH_RATE,
					t->ids + done % (IDS - WINDOW), WINDOW);
	t->seconds = (double)(bench_now() - begin) * 1e-9;
	return NULL;
}

/* Lookups a second of @n threads together. */
static double threads_rate(const struct bench_shelf *s, const int64_t *ids, unsigned int n)
{
	pthread_barrier_t barrier;
	struct thread t[2];
	double rate = 0;
	unsigned int i;

	pthread_barrier_init(&barrier, NULL, n);
	for (i = 0; i < n; i++) {
		t[i] = (struct thread){
			.barrier = &barrier, .shelf = s, .ids = ids, .cpu = (int)i,
		};
		if (pthread_create(&t[i].thread, NULL, thread_run, &t[i]))
			bench_die("threads", "can't be made");
	}
	for (i = 0; i < n; i++) {
		pthread_join(t[i].thread, NULL);
		rate += THREAD_LOOKUPS / t[i].seconds;
	}
	pthread_barrier_destroy(&barrier);
	return rate;
}

static void rate_of_two(const struct bench_shelf *s, const int64_t *ids, uint32_t rounds)
{
	static double r[ROUNDS_MAX];
	uint32_t i;

	for (i = 0; i < rounds; i++)
		r[i] = threads_rate(s, ids, 2) / threads_rate(s, ids, 1);
	bench_figure("rate.two_threads", bench_median(r, rounds), "ratio");
}

static const char *millions(uint64_t products, const char *what)
{
	static char name[64];

	if (products % 1000000)
		snprintf(name, sizeof(name), "%s.%luk", what, (unsigned long)products / 1000);
	else
		snprintf(name, sizeof(name), "%s.%lum", what, (unsigned long)products / 1000000);
	return name;
}

static void figures(const struct columns *t, uint64_t products)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.ratio", millions(products, "latency"));
	figure(t, name, "shelf.chase", "miss");
	snprintf(name, sizeof(name), "%s.over_floor", millions(products, "latency"));
	figure(t, name, "shelf.chase", "floor");
	if (products != 1000000)
		return;
	figure(t, "latency.miss.ratio", "shelf.miss", "miss");
	figure(t, "rate.batched.ratio", "load", "shelf.many");
	figure(t, "rate.single.ratio", "load", "shelf.rate");
	figure(t, "rate.single.each.ratio", "load", "shelf_each.rate");
	figure(t, "latency.4k_over_2m", "shelf_4k.chase", "shelf.chase");
	figure(t, "latency.attrs_over_plain", "shelf.attrs", "shelf.chase");
}

static void peers_add(struct columns *t, uint64_t products, const int64_t *ids,
		      const int64_t *misses)
{
	const struct bench_map *const *peer;
	unsigned int work;
	void *at;

	for (peer = bench_peers; *peer; peer++) {
		printf("making %s: %s\n", (*peer)->name, (*peer)->how);
		fflush(stdout);
		at = (*peer)->make(products);
		if (!at)
			continue;
		for (work = 0; work < BENCH_WORKS; work++)
			add_map(t, (*peer)->name, *peer, at, work,
				work == BENCH_MISS ? misses : ids);
	}
}

static void peer_figures(const struct columns *t)
{
	const struct bench_map *const *peer;
	char name[64], theirs[64];

	for (peer = bench_peers; *peer; peer++) {
		snprintf(name, sizeof(name), "peer.%s.latency", (*peer)->name);
		snprintf(theirs, sizeof(theirs), "%s.chase", (*peer)->name);
		figure(t, name, theirs, "shelf.chase");
		snprintf(name, sizeof(name), "peer.%s.rate", (*peer)->name);
		snprintf(theirs, sizeof(theirs), "%s.rate", (*peer)->name);
		figure(t, name, theirs, "shelf.rate");
		snprintf(name, sizeof(name), "peer.%s.many", (*peer)->name);
		snprintf(theirs, sizeof(theirs), "%s.many", (*peer)->name);
		figure(t, name, theirs, "shelf.many");
	}
	figure(t, "peer.redis_pipelined.rate", "redis.many", "shelf.many");
}

static void size(uint64_t products, uint32_t rounds, bool peers)
{
	int64_t *ids = make_ids(products, 0, present);
	int64_t *zipf = make_ids(products, ZIPF_EXPONENT, present);
	int64_t *misses = make_ids(products, 0, absent);
	static struct columns t;
	struct bench_shelf *s, *small;
	struct machine m;
	unsigned int work;

	printf("\n%lu products\n", (unsigned long)products);
	t.count = 0;
	t.rounds = rounds;
	s = bench_shelf_make(products, true);
	small = bench_shelf_make(products, false);
	machine_make(&m, s, ids);
	printf("directory %.0f KiB, leaves %.1f MiB\n", (double)dir_bytes(s) / 1024,
	       (double)leaf_bytes(s) / (1 << 20));

	add_machine(&t, "miss", ids, &m, machine_miss);
	add_machine(&t, "floor", ids, &m, machine_floor);
	add_machine(&t, "load", ids, &m, machine_load);
	add_machine(&t, "load.known", ids, &m, machine_known);
	for (work = 0; work < BENCH_WORKS; work++)
		add_map(&t, "shelf", &bench_shelf, s, work, work == BENCH_MISS ? misses : ids);
	for (work = 0; work < BENCH_MISS; work++)
		add_map(&t, "zipf.shelf", &bench_shelf, s, work, zipf);
	bench_shelf_catalogs(s, products);
	add_map(&t, "member", &bench_members, s, BENCH_RATE, ids);
	add_map(&t, "member", &bench_members, s, BENCH_MANY, ids);
	add_map(&t, "page100", &bench_pages, s, BENCH_RATE, ids);
	add_map(&t, "shelf_each", &bench_shelf_each, s, BENCH_RATE, ids);
	add_map(&t, "shelf_4k", &bench_shelf_4k, small, BENCH_CHASE, ids);
	add_map(&t, "shelf_4k", &bench_shelf_4k, small, BENCH_RATE, ids);
	if (peers)
		peers_add(&t, products, ids, misses);
	measure(&t);
	print(&t);
	figures(&t, products);
	bench_figure(millions(products, "directory"), (double)dir_bytes(s) / 1024, "KiB");
	if (peers)
		peer_figures(&t);
	if (products == 1000000)
		rate_of_two(s, ids, rounds / 8 + 1);
	bench_shelf_free(small);
	bench_shelf_free(s);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "products", required_argument, NULL, 'n' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "peers", no_argument, NULL, 'p' },
		{ "summary", required_argument, NULL, 's' },
		{ }
	};
	uint64_t products[8];
	unsigned int i, sizes = 0;
	uint32_t rounds = 101;
	bool peers = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			if (sizes < 8)
				products[sizes++] = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			rounds = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'p':
			peers = true;
			break;
		case 's':
			bench_summary(optarg);
			break;
		default:
			return 2;
		}
	}
	if (!rounds || rounds > ROUNDS_MAX)
		bench_die("--rounds", "from 1 to 1001");
	bench_pin(0);
	if (!sizes)
		products[sizes++] = 1000000;
	for (i = 0; i < sizes; i++)
		size(products[i], rounds, peers);
	return sink == 42;	/* used, so not optimised out */
}
