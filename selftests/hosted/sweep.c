// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P3, P5: each allocation of everything fails once.
 *
 *   sweep [--seed N] [--batches N] [--failures N]
 *
 * Random batches of every kind and size go to a shelf. The first allocation of a
 * commit is made to fail, then the second, until none is left to fail, or the commit
 * did without one: each time the shelf must hold what it held, by a digest of all of
 * it, every page and slot must be free or reachable, and in the end the same batch
 * succeeds and the shelf is what the model says. One batch in four is committed at once
 * behind a failure anywhere in it.
 * Pins, trims, making, opening, adopting and reading shelves are swept likewise, these
 * with malloc() itself failing, wherever in the library.
 *
 * --failures: goes on until so many allocations have failed, however many batches
 * that takes.
 *
 * Seen to fail with: draft_drop() that keeps slots, or leaves pages marked as retired;
 * a draft that is published where it is to be dropped; attrs_change() that takes no
 * notice of attrs_retire()'s error; store_pin() or fence_push() that goes on without
 * memory; a half made file that stays.
 */
#include <getopt.h>
#include <limits.h>
#include <unistd.h>

#include "../../tools/lib/shelf.h"
#include "digest.h"
#include "model.h"

#define MIB	(1ULL << 20)
#define PINS	3U

/* The n-th call from here on fails; 0: none does. */
static long malloc_fail_in;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
	if (malloc_fail_in && --malloc_fail_in == 0)
		return NULL;
	return __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
	if (malloc_fail_in && --malloc_fail_in == 0)
		return NULL;
	return __real_calloc(n, bytes);
}

#define FAIL(...) do {							\
	fprintf(stderr, "sweep: " __VA_ARGS__);				\
	fputc('\n', stderr);						\
	abort();							\
} while (0)

/* What is swept. */
enum { COMMITS, PINNINGS, TRIMS, MAKINGS, FILES, OPENINGS, LIBRARY, KINDS };

static const char * const kind_name[KINDS] = {
	"commits", "pins", "trims", "shelves made", "files made", "files opened",
	"the library's calls",
};

/**
 * struct run - a shelf, what it has to hold, and what has been done to it
 * @survived: an allocation failed and the call did without
 */
struct run {
	u64 random;
	struct hosted *h;
	struct model *model;
	struct batch batch;
	struct report report;
	struct pin pin[PINS];
	u64 pinned[PINS];
	u32 pin_at;
	u64 digest;
	u64 word;
	u64 file;	/* the digest of what is at @path, if it is opened */
	char path[64];
	u64 batches;
	u64 failures[KINDS];
	u64 survived;
	long longest;
};

static u64 digest_of(const struct shelf_root *root, const struct hosted *h)
{
	struct shelf_view v = hosted_view(h);

	v.root = root;
	return snapshot_digest(&v);
}

static void remember(struct run *r)
{
	r->digest = digest_of(r->h->store.root, r->h);
	r->word = r->h->store.control->current_word;
}

static u64 file_digest(const struct run *r)
{
	struct hosted *h;
	u64 digest;

	if (hosted_open_writer(r->path, &h))
		FAIL("the file can't be opened any more");
	digest = digest_of(h->store.root, h);
	store_account(&h->store);
	hosted_close(h);
	return digest;
}

static void check_unchanged(struct run *r, int kind)
{
	if ((kind == OPENINGS || kind == LIBRARY) && file_digest(r) != r->file)
		FAIL("what failed has changed the file (%s)", kind_name[kind]);
	if (digest_of(r->h->store.root, r->h) != r->digest)
		FAIL("what failed has changed something (%s)", kind_name[kind]);
	if (kind == COMMITS && r->h->store.control->current_word != r->word)
		FAIL("a refused commit is visible");
	store_account(&r->h->store);
}

/*
 * One call, until no allocation of it is left to fail, or up to the @stop-th, behind
 * which it must succeed at once. Which can't be said of a commit that did without.
 */
static void sweep(struct run *r, int kind, long *fail_in, int (*attempt)(struct run *r),
		  long stop)
{
	long n;
	int ret;

	for (n = 1; n <= stop; n++) {
		bool failed;

		*fail_in = n;
		ret = attempt(r);
		failed = !*fail_in;
		*fail_in = 0;
		if (ret && (ret != -ENOMEM || !failed))
			FAIL("%s: %d at allocation %ld", kind_name[kind], ret, n);
		if (!failed)
			return;
		r->failures[kind]++;
		if (n > r->longest)
			r->longest = n;
		r->survived += !ret;
		if (!ret && kind == LIBRARY)
			r->file = file_digest(r);
		if (!ret && kind == COMMITS)
			return;
		check_unchanged(r, kind);
	}
	ret = attempt(r);
	if (ret)
		FAIL("%s: %d with nothing failing", kind_name[kind], ret);
}

/*
 * In a shelf's memory
 * ===================
 */
static int attempt_commit(struct run *r)
{
	int ret = hosted_commit(r->h, &r->batch, NULL, &r->report);

	if (ret && (!r->report.message[0] || r->report.error != ret))
		FAIL("commit: %d, and %d is said: %s", ret, r->report.error,
		     r->report.message);
	return ret;
}

/* From one operation to thousands, mostly few. */
static u32 batch_size(u64 *random)
{
	static const u32 size[] = { 1, 3, 10, 10, 40, 40, 40, 300, 300, 4000 };

	return size[model_below(random, ARRAY_SIZE(size))];
}

static void one_batch(struct run *r)
{
	long stop = model_below(&r->random, 4) ? LONG_MAX : 1 + model_below(&r->random, 12);
	struct shelf_view v;

	batch_init(&r->batch, 1ULL << 30);
	model_batch(r->model, &r->batch, batch_size(&r->random), &r->random);
	remember(r);
	sweep(r, COMMITS, &shim_fail_in, attempt_commit, stop);
	batch_free(&r->batch);
	v = hosted_view(r->h);
	if (r->batches++ % 8 == 0)
		model_compare(r->model, &v, &r->random);
	store_account(&r->h->store);
}

static int attempt_pin(struct run *r)
{
	struct pin *p = &r->pin[r->pin_at];
	int ret;

	if (p->token)
		return 0;
	ret = store_pin(&r->h->store, p, 0, 0);
	if (!ret)
		r->pinned[r->pin_at] = digest_of(p->root, r->h);
	return ret;
}

/* Pins come and go; one that was not revoked reads as it did. */
static void one_pin(struct run *r)
{
	struct pin *p;

	r->pin_at = model_below(&r->random, PINS);
	p = &r->pin[r->pin_at];
	if (!p->token) {
		remember(r);
		sweep(r, PINNINGS, &shim_fail_in, attempt_pin, LONG_MAX);
		return;
	}
	if (p->of && digest_of(p->root, r->h) != r->pinned[r->pin_at])
		FAIL("a pinned snapshot reads otherwise");
	store_unpin(&r->h->store, p);
	memset(p, 0, sizeof(*p));
}

/* Deletes first, or there is nothing to move. */
static void thin_out(struct run *r)
{
	u32 i;

	batch_init(&r->batch, 1ULL << 30);
	for (i = 0; i < MODEL_PRODUCTS; i++)
		if (model_below(&r->random, 4))
			model_delete(r->model, &r->batch, i);
	sweep(r, COMMITS, &shim_fail_in, attempt_commit, 1);
	batch_free(&r->batch);
}

static int attempt_trim(struct run *r)
{
	u32 commits;
	u64 pages;

	return hosted_trim(r->h, -1, &commits, &pages);
}

static void one_trim(struct run *r)
{
	remember(r);
	thin_out(r);
	remember(r);
	sweep(r, TRIMS, &shim_fail_in, attempt_trim, LONG_MAX);
	check_unchanged(r, TRIMS);
}

/*
 * Shelves that come and go
 * ========================
 */
static const u64 fixed_seed = 0x5eed;

static const struct hosted_config config = {
	.name = "sweep", .max_bytes = 16 * MIB, .quarantine_ms = 0, .seed = &fixed_seed,
};

static int attempt_make(struct run *r)
{
	struct hosted *h;
	int ret = hosted_create_memory(&config, &h);

	(void)r;
	if (!ret)
		hosted_close(h);
	return ret;
}

/* Who fails leaves no file, be it by the name that it has until it is a shelf. */
static int attempt_file(struct run *r)
{
	int ret = hosted_create_file(r->path, &config);
	char draft[128];

	snprintf(draft, sizeof(draft), "%s.%ld.0.new", r->path, (long)getpid());
	if (!access(draft, F_OK) || (ret && !access(r->path, F_OK)))
		FAIL("a file that could not be made is there");
	unlink(r->path);
	return ret;
}

static int attempt_open(struct run *r)
{
	struct hosted *h;
	int ret = hosted_open_writer(r->path, &h);

	if (!ret)
		hosted_close(h);
	return ret;
}

/* As an export reads. */
static int read_all(struct shelf *s)
{
	struct shelf_product p[SHELF_LEAF_SLOTS];
	struct shelf_scan at = { 0 };
	struct shelf_pin pin;
	int ret = shelf_pin(s, 0, 0, &pin);
	long n = 1;

	while (!ret && n > 0) {
		n = shelf_pin_products(&pin, &at, p, ARRAY_SIZE(p));
		ret = n < 0 ? (int)n : 0;
	}
	return ret ? ret : shelf_unpin(&pin);
}

static int write_some(struct shelf_writer *w)
{
	const struct shelf_change c = { .id = 7, .fields = SHELF_PRICE, .price = 7 };
	const __s64 member = 7;
	struct shelf_error err;
	struct shelf_batch *b;
	int ret = shelf_batch_begin(w, &b, &err);

	if (ret)
		return ret;
	ret = shelf_batch_put(b, &c, &err);
	if (!ret)
		ret = shelf_batch_add(b, 7, &member, 1, &err);
	if (!ret)
		return shelf_batch_commit(b, NULL, NULL, &err);
	shelf_batch_abort(b);
	return ret;
}

static int attempt_library(struct run *r)
{
	struct shelf_writer *w;
	struct shelf_error err;
	struct shelf *s;
	char name[80];
	int ret;

	snprintf(name, sizeof(name), "hosted:%s", r->path);
	ret = shelf_open(name, 0, &s);
	if (ret)
		return ret;
	ret = read_all(s);
	shelf_close(s);
	if (!ret)
		ret = shelf_writer_open(name, &w, &err);
	if (ret)
		return ret;
	ret = write_some(w);
	shelf_writer_close(w);
	return ret;
}

/* A file with everything in it. */
static void fill_file(struct run *r)
{
	u64 random = r->random;
	struct model *m = malloc(sizeof(*m));
	struct hosted *h;
	struct batch b;

	if (hosted_create_file(r->path, &config) || hosted_open_writer(r->path, &h))
		FAIL("no file");
	model_init(m, &random);
	batch_init(&b, 1ULL << 30);
	model_batch(m, &b, 2000, &random);
	if (hosted_commit(h, &b, NULL, &r->report))
		FAIL("%s", r->report.message);
	batch_free(&b);
	r->file = digest_of(h->store.root, h);
	hosted_close(h);
	model_free(m);
	free(m);
}

static void all_shelves(struct run *r)
{
	remember(r);
	sweep(r, MAKINGS, &shim_fail_in, attempt_make, LONG_MAX);
	sweep(r, MAKINGS, &malloc_fail_in, attempt_make, LONG_MAX);
	sweep(r, FILES, &shim_fail_in, attempt_file, LONG_MAX);
	sweep(r, FILES, &malloc_fail_in, attempt_file, LONG_MAX);
	fill_file(r);
	sweep(r, OPENINGS, &shim_fail_in, attempt_open, LONG_MAX);
	sweep(r, OPENINGS, &malloc_fail_in, attempt_open, LONG_MAX);
	sweep(r, LIBRARY, &malloc_fail_in, attempt_library, LONG_MAX);
	file_digest(r);
	unlink(r->path);
}

/*
 * A run
 * =====
 */
static void begin(struct run *r)
{
	r->model = malloc(sizeof(*r->model));
	if (hosted_create_memory(&config, &r->h))
		FAIL("no shelf");
	model_init(r->model, &r->random);
	if (model_below(&r->random, 2))
		r->h->store.pin_bytes = 128 << 10;
}

static void end(struct run *r)
{
	u32 i;

	for (i = 0; i < PINS; i++)
		store_unpin(&r->h->store, &r->pin[i]);
	memset(r->pin, 0, sizeof(r->pin));
	hosted_close(r->h);
	model_free(r->model);
	free(r->model);
}

static u64 failures(const struct run *r)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < KINDS; i++)
		n += r->failures[i];
	return n;
}

static void one_shelf(struct run *r, u64 batches, u64 failed)
{
	u32 i;

	begin(r);
	for (i = 0; i < 100 && (r->batches < batches || failures(r) < failed); i++) {
		one_batch(r);
		if (i % 3 == 0)
			one_pin(r);
		if (i % 50 == 25)
			one_trim(r);
	}
	all_shelves(r);
	end(r);
}

static int tell(const struct run *r)
{
	bool all = true;
	u32 i;

	for (i = 0; i < KINDS; i++) {
		printf("# %llu failures in %s\n", r->failures[i], kind_name[i]);
		all &= r->failures[i] > 0;
	}
	printf("# %llu batches, %llu failed allocations, up to %ld in one call, %llu done without\n",
	       r->batches, failures(r), r->longest, r->survived);
	printf("%s 1 - what can't be had changes nothing\n", all ? "ok" : "not ok");
	return !all;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "batches", required_argument, NULL, 'b' },
		{ "failures", required_argument, NULL, 'f' },
		{ 0 }
	};
	u64 seed = store_clock() | 1, batches = 1000, failed = 0;
	struct run r = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'b')
			batches = strtoull(optarg, NULL, 0);
		else if (c == 'f')
			failed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	printf("TAP version 13\n1..1\n# --seed %llu --batches %llu --failures %llu\n", seed,
	       batches, failed);
	fflush(stdout);
	r.random = seed;
	snprintf(r.path, sizeof(r.path), "/tmp/sweep.%ld.shelf", (long)getpid());
	while (r.batches < batches || failures(&r) < failed)
		one_shelf(&r, batches, failed);
	return tell(&r);
}
