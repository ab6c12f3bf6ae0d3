// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P2, P3, P5: readers against a writer that recycles memory as fast as it
 * can.
 *
 *   torture [--seconds N] [--readers N] [--seed N] [--max-bytes N] NAME
 *
 * NAME is a shelf that this program makes and removes: "hosted:PATH" or a
 * kernel shelf's name. It has no quarantine and little memory, so a page that
 * one commit retires is written by one of the next.
 *
 * The content of generation g is a function of g alone: each product's price,
 * stock and every attribute byte, and each catalog's members and their number.
 * So a reader can tell from one value which generation it has seen, and a
 * section that validates must show one generation, its own, everywhere:
 *
 *   torn     attribute bytes or members of one record are not of one generation
 *   mixed    two records, or the two maps, are of different generations
 *   stale    a record is not of the generation that the section began with
 *   backward a later section began with an earlier generation
 *   old      a section that began after an acknowledgment was of a generation
 *            before the acknowledged one
 *
 * Half of the readers are mapped, half ask by ioctl (kernel shelves only).
 *
 * Seen to fail with: retired_free() not raising oldest (torn and stale in the
 * first second); shelf_retry() always false (the same); draft_publish() storing
 * current_word before the catalogs are applied (mixed); shelf_get_many_attrs()
 * that does not validate (torn, stale), shelf_are_members() likewise (mixed), and
 * with what a refused try found added up (torn).
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/lib/shelf.h"

#define PRODUCTS	150
#define CATALOGS	6
#define READERS_MAX	64
#define ATTRS_ROOM	9000
#define IOCTL_MANY	16	/* more take longer than a commit */

static const __u64 catalog_sizes[CATALOGS] = { 1, 4, 5, 300, 700, 3000 };

enum fault { TORN, MIXED, STALE, BACKWARD, OLD, FAULTS };

static const char *const fault_names[FAULTS] = {
	"torn", "mixed", "stale", "backward", "old",
};

/* One line a reader, so that they don't disturb each other. */
struct tally {
	__u64 sections;
	__u64 retries;
	__u64 lookups;
	__u64 many;		/* answers with attributes of many */
	__u64 members;		/* that many at once were found to be */
	__u64 faults[FAULTS];
	char pad[64];
} __attribute__((aligned(64)));

struct shared {
	__u64 acknowledged;
	int stop;
	struct tally tally[READERS_MAX];
};

static struct shared *shared;

static __u64 next_random(__u64 *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static __s64 product_id(unsigned int i)
{
	return (__s64)i * 1000003 - 7;
}

/* Small attributes mostly; a few products have pages of them. */
static __u32 attrs_len(unsigned int i, __u64 g)
{
	return (__u32)(i % 50 == 7 ? 4000 + g % 5000 : (g * 13 + i) % 257);
}

static __u8 attrs_byte(unsigned int i, __u64 g)
{
	return (__u8)(g * 31 + i);
}

/* Members say their generation, so they all change with each. */
static __s64 member(__u64 g, __u64 j)
{
	return (__s64)(g << 16 | j);
}

static __u64 catalog_count(unsigned int c, __u64 g)
{
	return catalog_sizes[c] + g % (catalog_sizes[c] / 2 + 1);
}

static void fail(struct tally *t, enum fault what, __u64 want, __u64 got)
{
	if (!t->faults[what]++)
		printf("# %s: generation %llu, found %llu\n", fault_names[what],
		       (unsigned long long)want, (unsigned long long)got);
}

/* Called with what a validated section copied out. */
static void check_product(struct tally *t, unsigned int i, __u64 g,
			  const struct shelf_product *p, const __u8 *attrs, __u32 len)
{
	__u32 at;

	t->lookups++;
	if (p->stock != p->price + (__s64)i)
		fail(t, TORN, g, (__u64)p->stock);
	if ((__u64)p->price != g)
		fail(t, STALE, g, (__u64)p->price);
	if (len != attrs_len(i, (__u64)p->price))
		fail(t, TORN, g, len);
	for (at = 0; at < len; at++) {
		if (attrs[at] != attrs_byte(i, (__u64)p->price)) {
			fail(t, TORN, g, at);
			return;
		}
	}
}

static void check_members(struct tally *t, unsigned int c, __u64 g, const __s64 *ids,
			  __u64 first, __u64 n, __u64 total)
{
	__u64 j;

	t->lookups++;
	if (total != catalog_count(c, g))
		fail(t, MIXED, catalog_count(c, g), total);
	for (j = 0; j < n; j++) {
		if (ids[j] != member(g, first + j)) {
			fail(t, (ids[j] >> 16) == (__s64)g ? TORN : MIXED, g,
			     (__u64)ids[j] >> 16);
			return;
		}
	}
}

static void check_begin(struct tally *t, __u64 *last, __u64 acknowledged, __u64 g)
{
	if (g < *last)
		fail(t, BACKWARD, *last, g);
	if (g < acknowledged)
		fail(t, OLD, acknowledged, g);
	*last = g;
}

struct sample {
	struct shelf_product product[2];
	__u8 attrs[2][ATTRS_ROOM];
	__u32 len[2];
	bool found[2];
	struct shelf_catalog catalog;
	bool has_catalog;
	bool is_member;
	__s64 ids[2000];
	__u32 n;
};

/* Two products and a catalog, all copied out between begin and validate. */
static void take_sample(const struct shelf_view *v, const unsigned int *i,
			unsigned int c, __u64 g, struct sample *s)
{
	const struct shelf_product *p;
	const struct shelf_catalog *k = shelf_view_catalog(v, (__s64)c);
	bool more;
	int j;

	for (j = 0; j < 2; j++) {
		p = shelf_view_product(v, product_id(i[j]));
		s->found[j] = p;
		if (!p)
			continue;
		shelf_copy(&s->product[j], p, sizeof(*p));
		s->len[j] = shelf_view_attrs(v, &s->product[j], s->attrs[j], ATTRS_ROOM);
	}
	s->has_catalog = k;
	if (!k)
		return;
	shelf_copy(&s->catalog, k, sizeof(*k));
	s->n = shelf_catalog_copy(v, &s->catalog, true, 0, s->ids, 2000, &more);
	s->is_member = shelf_catalog_has(v, &s->catalog,
					 member(g, catalog_count(c, g) - 1));
}

static void read_mapped(const struct shelf *s, struct tally *t, __u64 *random)
{
	static struct sample sample;
	static __u64 last;
	__u64 acknowledged = __atomic_load_n(&shared->acknowledged, __ATOMIC_ACQUIRE);
	unsigned int i[2], c = (unsigned int)(next_random(random) % CATALOGS), j;
	struct shelf_section section;
	__u64 g;

	for (j = 0; j < 2; j++)
		i[j] = (unsigned int)(next_random(random) % PRODUCTS);
	shelf_begin(s, &section);
	g = section.generation;
	take_sample(&section.view, i, c, g, &sample);
	if (shelf_retry(s, &section)) {
		t->retries++;
		return;
	}
	t->sections++;
	check_begin(t, &last, acknowledged, g);
	for (j = 0; j < 2; j++) {
		if (sample.found[j])
			check_product(t, i[j], g, &sample.product[j],
				      sample.attrs[j], sample.len[j]);
		else
			fail(t, TORN, g, i[j]);
	}
	if (!sample.has_catalog || !sample.is_member)
		fail(t, TORN, g, c);
	check_members(t, c, g, sample.ids, 0, sample.n, sample.catalog.count);
}

/* The library's own calls, each of which answers from one generation. */
static void call_single(const struct shelf *s, struct tally *t, __u64 *random, __u64 *last)
{
	static __u8 attrs[ATTRS_ROOM];
	static __s64 ids[700];
	__u64 acknowledged = __atomic_load_n(&shared->acknowledged, __ATOMIC_ACQUIRE);
	unsigned int i = (unsigned int)(next_random(random) % PRODUCTS);
	struct shelf_cursor cursor = { .catalog = (__s64)(next_random(random) % CATALOGS) };
	struct shelf_product p;
	__u64 g = 0;
	long n;

	if (shelf_get_attrs(s, product_id(i), &p, attrs, ATTRS_ROOM, &g) != 1) {
		fail(t, TORN, 0, i);
		return;
	}
	t->sections++;
	check_begin(t, last, acknowledged, g);
	check_product(t, i, g, &p, attrs, p.attrs_len);
	n = shelf_catalog_next(s, &cursor, ids, 700);
	if (n <= 0)
		fail(t, TORN, g, (__u64)cursor.catalog);
	else
		check_members(t, (unsigned int)cursor.catalog, cursor.generation, ids,
			      0, (__u64)n, cursor.total);
}

/* EAGAIN is no fault of one who asks by ioctl: there it is many calls. */
static bool answered(const struct shelf *s, struct tally *t, long n)
{
	if (n == -EAGAIN && !shelf_is_mapped(s))
		t->retries++;
	else if (n < 0)
		fail(t, TORN, 0, (__u64)-n);
	return n >= 0;
}

static unsigned int draw_count(const struct shelf *s, __u64 *random)
{
	return 1 + (unsigned int)(next_random(random) %
				  (shelf_is_mapped(s) ? PRODUCTS : IOCTL_MANY));
}

static void call_many(const struct shelf *s, struct tally *t, __u64 *random, __u64 *last)
{
	static __u8 attrs[PRODUCTS][ATTRS_ROOM];
	__u64 acknowledged = __atomic_load_n(&shared->acknowledged, __ATOMIC_ACQUIRE);
	unsigned int first = (unsigned int)(next_random(random) % PRODUCTS);
	unsigned int n = draw_count(s, random), j;
	struct shelf_product many[PRODUCTS];
	__s64 want[PRODUCTS];
	__u64 g = 0;
	long found;

	for (j = 0; j < PRODUCTS; j++)
		want[j] = product_id((first + j) % PRODUCTS);
	if (shelf_get_many(s, want, PRODUCTS, many, &g) != PRODUCTS)
		fail(t, TORN, g, 0);
	check_begin(t, last, acknowledged, g);
	for (j = 0; j < PRODUCTS; j++)
		if ((__u64)many[j].price != g)
			fail(t, MIXED, g, (__u64)many[j].price);
	found = shelf_get_many_attrs(s, want, n, many, attrs, ATTRS_ROOM, &g);
	if (!answered(s, t, found))
		return;
	if (found != n)
		fail(t, TORN, g, (__u64)found);
	check_begin(t, last, acknowledged, g);
	for (j = 0; j < n; j++)
		check_product(t, (first + j) % PRODUCTS, g, &many[j], attrs[j],
			      many[j].attrs_len);
	t->many++;
}

/* Members of the newest generation and its neighbours, a few beyond the last. */
static void call_members(const struct shelf *s, struct tally *t, __u64 *random, __u64 *last)
{
	__u64 acknowledged = __atomic_load_n(&shared->acknowledged, __ATOMIC_ACQUIRE);
	unsigned int c = (unsigned int)(next_random(random) % CATALOGS);
	unsigned int n = draw_count(s, random), j;
	__u64 g = shelf_generation(s), size = catalog_sizes[c] * 3 / 2 + 2;
	__s64 want[PRODUCTS];
	bool has[PRODUCTS];
	long found, sum = 0;

	for (j = 0; j < n; j++)
		want[j] = member(g + next_random(random) % 3, next_random(random) % size);
	found = shelf_are_members(s, c, want, n, has, &g);
	if (!answered(s, t, found))
		return;
	check_begin(t, last, acknowledged, g);
	for (j = 0; j < n; j++) {
		bool is = (__u64)want[j] >> 16 == g &&
			  (__u64)(want[j] & 0xffff) < catalog_count(c, g);

		if (has[j] != is)
			fail(t, MIXED, g, (__u64)want[j] >> 16);
		sum += has[j];
	}
	if (sum != found)
		fail(t, TORN, g, (__u64)found);
	t->members += (__u64)sum;
}

static void read_calls(const struct shelf *s, struct tally *t, __u64 *random)
{
	static __u64 last;

	call_single(s, t, random, &last);
	call_many(s, t, random, &last);
	call_members(s, t, random, &last);
}

static int reader(const char *name, int index, __u64 seed, bool ioctl_only)
{
	struct tally *t = &shared->tally[index];
	__u64 random = seed + (__u64)index * 7919 + 1;
	struct shelf *s;
	int ret = shelf_open(name, ioctl_only ? SHELF_OPEN_IOCTL : 0, &s);

	if (ret) {
		printf("# reader %d: open: %s\n", index, strerror(-ret));
		return 1;
	}
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		if (shelf_is_mapped(s))
			read_mapped(s, t, &random);
		if (!shelf_is_mapped(s) || !(t->sections % 16))
			read_calls(s, t, &random);
	}
	shelf_close(s);
	return 0;
}

/* A hosted shelf has no ioctl. */
static void reader_exit(const char *name, int index, __u64 seed)
{
	bool hosted = !strncmp(name, "hosted:", 7);
	int status = reader(name, index, seed, index % 2 && !hosted);

	fflush(stdout);
	_exit(status);
}

static int put_products(struct shelf_batch *b, __u64 g, struct shelf_error *err)
{
	static __u8 attrs[ATTRS_ROOM];
	unsigned int i;
	int ret;

	for (i = 0; i < PRODUCTS; i++) {
		struct shelf_change c = {
			.id = product_id(i),
			.fields = SHELF_PRICE | SHELF_STOCK | SHELF_ATTRS,
			.price = (__s64)g,
			.stock = (__s64)g + (__s64)i,
			.attrs = attrs,
			.attrs_len = attrs_len(i, g),
		};

		memset(attrs, attrs_byte(i, g), c.attrs_len);
		ret = shelf_batch_put(b, &c, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int put_catalogs(struct shelf_batch *b, __u64 g, struct shelf_error *err)
{
	static __s64 ids[8000];
	unsigned int c;
	__u64 j, n;
	int ret;

	for (c = 0; c < CATALOGS; c++) {
		n = catalog_count(c, g);
		for (j = 0; j < n; j++)
			ids[j] = member(g, j);
		ret = shelf_batch_catalog_delete(b, (__s64)c, err);
		if (!ret)
			ret = shelf_batch_add(b, (__s64)c, ids, n, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int commit_generation(struct shelf_writer *w, __u64 g, struct shelf_error *err)
{
	struct shelf_result result;
	struct shelf_batch *b;
	int ret = shelf_batch_begin(w, &b, err);

	if (ret)
		return ret;
	ret = put_products(b, g, err);
	if (!ret)
		ret = put_catalogs(b, g, err);
	if (ret) {
		shelf_batch_abort(b);
		return ret;
	}
	ret = shelf_batch_commit(b, NULL, &result, err);
	if (!ret && result.generation != g) {
		snprintf(err->message, sizeof(err->message), "generation %llu, not %llu",
			 (unsigned long long)result.generation, (unsigned long long)g);
		return -EPROTO;
	}
	if (!ret)
		__atomic_store_n(&shared->acknowledged, g, __ATOMIC_RELEASE);
	return ret;
}

struct options {
	double seconds;
	int readers;
	__u64 seed;
	__u64 max_bytes;
	const char *name;
};

static int run(const struct options *o, __u64 *commits)
{
	struct shelf_error err = { 0 };
	struct shelf_writer *w;
	__u64 g = 2;		/* an empty shelf is generation 1 */
	double end;
	int i, ret = shelf_writer_open(o->name, &w, &err);

	if (!ret)
		ret = commit_generation(w, g, &err);
	if (ret) {
		printf("# writer: %s (%s)\n", err.message, strerror(-ret));
		return ret;
	}
	fflush(stdout);
	for (i = 0; i < o->readers; i++)
		if (!fork())
			reader_exit(o->name, i, o->seed);
	for (end = seconds_now() + o->seconds; !ret && seconds_now() < end;)
		ret = commit_generation(w, ++g, &err);
	if (ret)
		printf("# writer: %s (%s)\n", err.message, strerror(-ret));
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < o->readers; i++) {
		int status = 0;

		wait(&status);
		if (status)
			ret = -ECHILD;
	}
	shelf_writer_close(w);
	*commits = g - 1;
	return ret;
}

static bool report(const struct options *o, __u64 commits)
{
	struct tally sum = { 0 };
	bool good = true, worked;
	int i, f;

	for (i = 0; i < o->readers; i++) {
		sum.sections += shared->tally[i].sections;
		sum.retries += shared->tally[i].retries;
		sum.lookups += shared->tally[i].lookups;
		sum.many += shared->tally[i].many;
		sum.members += shared->tally[i].members;
		for (f = 0; f < FAULTS; f++)
			sum.faults[f] += shared->tally[i].faults[f];
	}
	printf("# commits %llu sections %llu retries %llu lookups %llu many %llu members %llu\n",
	       (unsigned long long)commits, (unsigned long long)sum.sections,
	       (unsigned long long)sum.retries, (unsigned long long)sum.lookups,
	       (unsigned long long)sum.many, (unsigned long long)sum.members);
	for (f = 0; f < FAULTS; f++) {
		printf("%s %d - %s 0\n", sum.faults[f] ? "not ok" : "ok", f + 1,
		       fault_names[f]);
		good &= !sum.faults[f];
	}
	/* A run without reads or without reuse has shown nothing. */
	worked = sum.sections && sum.many && sum.members && commits > 3;
	printf("%s %d - readers read and the writer wrote\n",
	       worked ? "ok" : "not ok", FAULTS + 1);
	return good && worked;
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "seconds", required_argument, NULL, 't' },
		{ "readers", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' },
		{ "max-bytes", required_argument, NULL, 'm' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 't')
			o->seconds = strtod(optarg, NULL);
		else if (c == 'r')
			o->readers = atoi(optarg);
		else if (c == 's')
			o->seed = strtoull(optarg, NULL, 0);
		else if (c == 'm')
			o->max_bytes = strtoull(optarg, NULL, 0);
		else
			exit(2);
	}
	if (optind != argc - 1 || o->readers < 1 || o->readers > READERS_MAX) {
		fputs("usage: torture [--seconds N] [--readers 1-64] [--seed N]\n"
		      "               [--max-bytes N] NAME\n", stderr);
		exit(2);
	}
	o->name = argv[optind];
}

int main(int argc, char **argv)
{
	struct options o = {
		.seconds = 10, .readers = 2, .max_bytes = 16 << 20,
		.seed = (__u64)time(NULL),
	};
	struct shelf_settings settings = { .quarantine_ms = 0 };
	struct shelf_error err = { 0 };
	__u64 commits = 0;
	bool good;
	int ret;

	parse(argc, argv, &o);
	settings.max_bytes = o.max_bytes;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	printf("TAP version 13\n1..%d\n# --seed %llu\n", FAULTS + 1,
	       (unsigned long long)o.seed);
	ret = shelf_create(o.name, &settings, &err);
	if (ret) {
		printf("Bail out! %s: %s\n", err.message, strerror(-ret));
		return 1;
	}
	ret = run(&o, &commits);
	good = report(&o, commits);
	if (shelf_destroy(o.name, &err))
		printf("# destroy: %s\n", err.message);
	return ret || !good;
}
