// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P6: a batch that names its source's sequence numbers takes effect once. Repeats are
 * acknowledged and change nothing, what overlaps is refused, gaps if asked; the last
 * number applied is of the snapshot that it made, whichever one is read, and survives
 * trims, pins, failures and the writer.
 *
 * Seen to fail when batch_repeats() says no, or yes for a part; when fold_sequence() lets
 * through what overlaps; when trims know neither leaves nor names of sources; when the
 * name is not compared.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"
#include "digest.h"
#include "../../tools/lib/shelf.h"

static u64 random_state;

static u32 below(u32 n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(random_state >> 33) % n;
}

static int stage_source(struct batch *b, u8 kind, const char *name, u64 first, u64 last,
			u8 fields)
{
	struct op op = {
		.kind = kind, .first = first, .last = last, .fields = fields,
		.len = (u32)strlen(name),
	};
	const char *why;

	return batch_add(b, &op, name, &why);
}

static void sequence(struct batch *b, const char *name, u64 first, u64 last)
{
	assert_int_equal(stage_source(b, SHELF_OP_SEQUENCE, name, first, last, 0), 0);
}

static const struct shelf_source *source(struct hosted *h, const char *name)
{
	struct shelf_view v = hosted_view(h);

	return shelf_view_source(&v, shelf_source_id(name, strlen(name)));
}

static u64 digest(struct hosted *h)
{
	struct shelf_view v = hosted_view(h);

	return snapshot_digest(&v);
}

/* A batch of one put, from @name's @first to @last. */
static struct batch numbered(const char *name, u64 first, u64 last, s64 id)
{
	struct batch b = new_batch();

	stage(&b, SHELF_OP_PUT, id, FIELD_PRICE, (s64)last, NULL, 0);
	sequence(&b, name, first, last);
	return b;
}

static void refused(struct hosted *h, struct batch b, int error, const char *words)
{
	u64 before = digest(h), generation = h->store.generation;
	struct report r;

	assert_int_equal(commit(h, &b, &r), error);
	assert_non_null(strstr(r.message, words));
	assert_int_equal(digest(h), before);
	assert_int_equal(h->store.generation, generation);
}

static void test_once(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = numbered("topic/0", 5, 9, 1);
	struct report r = must_commit(h, &b);
	u64 generation = r.generation, before = digest(h);

	(void)state;
	assert_false(r.repeated);
	assert_int_equal(source(h, "topic/0")->last, 9);
	assert_int_equal(source(h, "topic/0")->generation, generation);
	assert_int_equal(h->store.root->sources, 1);

	/* Whatever else is in it: its numbers say that it is the same. */
	b = numbered("topic/0", 5, 9, 2);
	r = must_commit(h, &b);
	assert_true(r.repeated);
	assert_int_equal(r.generation, generation);
	assert_int_equal(r.ops, 0);
	b = numbered("topic/0", 0, 3, 2);
	assert_true(must_commit(h, &b).repeated);
	assert_int_equal(digest(h), before);
	assert_null(product(h, 2));

	refused(h, numbered("topic/0", 9, 12, 2), -EILSEQ, "a part of its numbers");
	b = numbered("topic/0", 10, 10, 3);
	assert_false(must_commit(h, &b).repeated);
	b = numbered("topic/0", 100, INT64_MAX, 4);
	assert_false(must_commit(h, &b).repeated);
	assert_int_equal(source(h, "topic/0")->last, INT64_MAX);
	store_account(&h->store);
	hosted_close(h);
}

static void test_expected(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	u64 expect = h->store.generation;
	struct batch b = numbered("s", 0, 0, 1);
	struct report r;

	(void)state;
	assert_int_equal(hosted_commit(h, &b, &expect, &r), 0);
	/* Its answer was lost: it comes again, and expects what it did then. */
	assert_int_equal(hosted_commit(h, &b, &expect, &r), 0);
	assert_true(r.repeated);
	batch_free(&b);
	b = numbered("s", 1, 1, 1);
	assert_int_equal(hosted_commit(h, &b, &expect, &r), -ESTALE);
	batch_free(&b);
	hosted_close(h);
}

static void test_gaps(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = new_batch();

	(void)state;
	/* Not known: there is nothing before it. */
	assert_int_equal(stage_source(&b, SHELF_OP_SEQUENCE, "s", 7, 8, FIELD_NO_GAP), 0);
	must_commit(h, &b);
	b = new_batch();
	assert_int_equal(stage_source(&b, SHELF_OP_SEQUENCE, "s", 10, 11, FIELD_NO_GAP), 0);
	refused(h, b, -EILSEQ, "there is a gap");
	b = new_batch();
	assert_int_equal(stage_source(&b, SHELF_OP_SEQUENCE, "s", 9, 11, FIELD_NO_GAP), 0);
	must_commit(h, &b);
	b = new_batch();
	sequence(&b, "s", 20, 20);
	must_commit(h, &b);
	assert_int_equal(source(h, "s")->last, 20);
	hosted_close(h);
}

static void test_several(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = numbered("a", 0, 4, 1);

	(void)state;
	sequence(&b, "b", 0, 9);
	must_commit(h, &b);
	b = numbered("a", 0, 4, 2);
	sequence(&b, "b", 10, 11);
	refused(h, b, -EILSEQ, "but not all of the batch: source a");
	b = numbered("a", 5, 5, 2);
	sequence(&b, "b", 0, 9);
	refused(h, b, -EILSEQ, "source b");
	b = numbered("b", 3, 3, 2);
	sequence(&b, "a", 1, 1);
	assert_true(must_commit(h, &b).repeated);
	/* One after the other in one batch. */
	b = numbered("a", 5, 5, 2);
	sequence(&b, "a", 6, 7);
	must_commit(h, &b);
	assert_int_equal(source(h, "a")->last, 7);
	store_account(&h->store);
	hosted_close(h);
}

/* Checkpoints say where a source was, and forget what is gone. */
static void test_set(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = numbered("a", 10, 20, 1);

	(void)state;
	must_commit(h, &b);
	b = new_batch();
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, "a", 0, 15, 0), 0);
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, "b", 0, 0, 0), 0);
	must_commit(h, &b);
	assert_int_equal(source(h, "a")->last, 15);
	assert_int_equal(source(h, "b")->last, 0);
	b = new_batch();
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE_DELETE, "a", 0, 0, 0), 0);
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE_DELETE, "c", 0, 0, 0), 0);
	assert_int_equal(must_commit(h, &b).absent, 1);
	assert_null(source(h, "a"));
	assert_int_equal(h->store.root->sources, 1);
	store_account(&h->store);
	hosted_close(h);
}

static void test_names(void **state)
{
	char name[SHELF_SOURCE_MAX + 2];
	struct batch b = new_batch();
	struct hosted *h = make(8 * MIB, 0);
	struct shelf_product p;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[SHELF_SOURCE_MAX + 1] = 0;
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, name, 0, 1, 0), -EINVAL);
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, "", 0, 1, 0), -EINVAL);
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, "a\nb", 0, 1, 0), -EINVAL);
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, "a\x7f", 0, 1, 0), -EINVAL);
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, "\xc3\xa4", 0, 1, 0), -EINVAL);
	assert_int_equal(stage_source(&b, SHELF_OP_SEQUENCE, "a", 2, 1, 0), -EINVAL);
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, "a", 0, 1ULL << 63, 0), -EINVAL);
	name[SHELF_SOURCE_MAX] = 0;
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, name, 0, 1, 0), 0);
	assert_int_equal(stage_source(&b, SHELF_OP_SOURCE, "~ ", 0, 2, 0), 0);
	must_commit(h, &b);
	memcpy(&p, source(h, name), sizeof(p));
	assert_int_equal(p.attrs_len, SHELF_SOURCE_MAX);
	assert_int_equal(source(h, "~ ")->last, 2);
	hosted_close(h);
}

/* Two names of one hash: as if FNV had one, in the writer's own batch. */
static void test_same_hash(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = numbered("one", 0, 5, 1);
	struct op *op;

	(void)state;
	must_commit(h, &b);
	b = new_batch();
	sequence(&b, "two", 0, 1);
	op = (struct op *)b.first->bytes;
	op->id = shelf_source_id("one", 3);
	refused(h, b, -EEXIST, "another source's: source two");
	hosted_close(h);
}

/*
 * Against an array: random batches of many sources beside products of the same ids as
 * their hashes, with pins, trims, and allocations that fail.
 */
#define SOURCES	200U

static struct { bool known; u64 last; } want[SOURCES];

static const char *name_of(u32 i)
{
	static char name[SHELF_SOURCE_MAX + 1];
	u32 len = 3 + i * 7 % (SHELF_SOURCE_MAX - 2);

	memset(name, 'a' + (int)(i % 26), len);
	name[len] = 0;
	name[0] = (char)('0' + i / 100);
	name[1] = (char)('0' + i / 10 % 10);
	name[2] = (char)('0' + i % 10);
	return name;
}

static void compare(struct hosted *h)
{
	u32 i, known = 0;

	for (i = 0; i < SOURCES; i++) {
		const struct shelf_source *s = source(h, name_of(i));

		assert_int_equal(!s, !want[i].known);
		known += want[i].known;
		if (s)
			assert_int_equal(s->last, want[i].last);
	}
	assert_int_equal(h->store.root->sources, known);
}

static void random_op(struct batch *b, u32 i)
{
	const char *name = name_of(i);
	u64 from = want[i].known ? want[i].last + 1 + below(3) : below(100);

	switch (below(6)) {
	case 0:
		stage_source(b, SHELF_OP_SOURCE_DELETE, name, 0, 0, 0);
		want[i].known = false;
		return;
	case 1:
		stage_source(b, SHELF_OP_SOURCE, name, 0, from, 0);
		want[i].last = from;
		break;
	default:
		want[i].last = from + below(5);
		sequence(b, name, from, want[i].last);
	}
	want[i].known = true;
	/* Its slot and the name's have the same key. */
	stage(b, SHELF_OP_PUT, shelf_source_id(name, strlen(name)), FIELD_ATTRS, 0,
	      name, (u32)strlen(name));
}

static void random_round(struct hosted *h)
{
	struct batch b = new_batch();
	u32 n = 1 + below(below(4) ? 4 : SOURCES);

	while (n--)
		random_op(&b, below(SOURCES));
	must_commit(h, &b);
	compare(h);
	if (!below(8)) {
		u32 commits;
		u64 pages, before = digest(h);

		assert_int_equal(hosted_trim(h, -1, &commits, &pages), 0);
		assert_int_equal(digest(h), before);
		store_account(&h->store);
	}
}

static void test_random(void **state)
{
	struct hosted *h = make(16 * MIB, 0);
	u64 seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) : (u64)time(NULL);
	u32 i;

	(void)state;
	print_message("seed %llu\n", seed);
	random_state = seed;
	memset(want, 0, sizeof(want));
	for (i = 0; i < 300; i++)
		random_round(h);
	store_account(&h->store);
	hosted_close(h);
}

static u32 chunk_of(struct hosted *h, const char *name)
{
	struct shelf_view v = hosted_view(h);

	return (u32)(((const u8 *)source(h, name) - v.arena) >> SHELF_CHUNK_SHIFT);
}

/* What has hardly anything left is emptied: names and leaves move, from behind all else. */
static void test_trim(void **state)
{
	struct hosted *h = make(64 * MIB, 0);
	struct batch b = new_batch();
	u64 pages, before;
	u32 commits, i;

	(void)state;
	for (i = 0; i < 200000; i++)
		stage(&b, SHELF_OP_PUT, i, FIELD_PRICE, 1, NULL, 0);
	for (i = 0; i < SOURCES; i++)
		stage_source(&b, SHELF_OP_SOURCE, name_of(i), 0, i, 0);
	must_commit(h, &b);
	assert_true(chunk_of(h, name_of(0)) > 2);
	b = new_batch();
	for (i = 0; i < 200000; i++)
		stage(&b, SHELF_OP_DELETE, i, 0, 0, NULL, 0);
	must_commit(h, &b);
	before = digest(h);
	assert_int_equal(hosted_trim(h, -1, &commits, &pages), 0);
	assert_int_equal(digest(h), before);
	store_account(&h->store);
	assert_true(chunk_of(h, name_of(7)) < 2);
	assert_true(h->store.arena.chunks <= 2);
	assert_int_equal(source(h, name_of(7))->last, 7);
	hosted_close(h);
}

/* Every allocation of a commit fails once. */
static void test_no_memory(void **state)
{
	struct hosted *h = make(8 * MIB, 0);
	struct batch b = numbered("a", 0, 4, 1);
	u64 before = digest(h);
	struct report r;
	long n = 0;
	int ret;

	(void)state;
	do {
		shim_fail_in = ++n;
		ret = hosted_commit(h, &b, NULL, &r);
		if (shim_fail_in)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(digest(h), before);
		store_account(&h->store);
	} while (ret);
	shim_fail_in = 0;
	assert_true(n > 3);
	assert_int_equal(ret, 0);
	assert_int_equal(source(h, "a")->last, 4);
	batch_free(&b);
	hosted_close(h);
}

/* By the symbols that other languages call. */
static void look_in_section(const struct shelf *s)
{
	const struct shelf_source *at;
	struct shelf_product as;
	struct shelf_section c;
	char name[8];

	shelf_section_begin(s, &c);
	at = shelf_section_source(&c, "topic/3");
	assert_non_null(at);
	assert_int_equal(at->last, 41);
	memcpy(&as, at, sizeof(as));
	assert_int_equal(shelf_section_attrs(&c, &as, name, sizeof(name)), 7);
	assert_memory_equal(name, "topic/3", 7);
	assert_null(shelf_section_source(&c, "topic/4"));
	assert_false(shelf_section_retry(s, &c));
}

/* The library's calls, and the next writer. */
static void test_library(void **state)
{
	char path[] = "/tmp/unit-source-XXXXXX", name[64], got[SHELF_SOURCE_MAX + 1];
	const struct hosted_config config = { .max_bytes = 4 * MIB };
	struct shelf_source found[SHELF_LEAF_SLOTS];
	struct shelf_scan at = { 0 };
	struct shelf_result result;
	struct shelf_source one;
	struct shelf_writer *w;
	struct shelf_batch *b;
	struct shelf_pin pin;
	struct shelf *s;
	int fd = mkstemp(path), i;

	(void)state;
	close(fd);
	unlink(path);
	assert_int_equal(hosted_create_file(path, &config), 0);
	snprintf(name, sizeof(name), "hosted:%s", path);
	for (i = 0; i < 2; i++) {
		assert_int_equal(shelf_writer_open(name, &w, NULL), 0);
		assert_int_equal(shelf_batch_begin(w, &b, NULL), 0);
		assert_int_equal(shelf_batch_delete(b, i, NULL), 0);
		assert_int_equal(shelf_batch_sequence(b, "topic/3", 0, 41, SHELF_NO_GAP, NULL), 0);
		assert_int_equal(shelf_batch_commit(b, NULL, &result, NULL), 0);
		assert_int_equal(result.repeated, i);
		shelf_writer_close(w);
	}
	assert_int_equal(shelf_open(name, 0, &s), 0);
	assert_int_equal(shelf_source(s, "topic/3", &one, NULL), 1);
	assert_int_equal(one.last, 41);
	assert_int_equal(shelf_source(s, "topic/4", &one, NULL), 0);
	assert_int_equal(shelf_source(s, "", &one, NULL), -EINVAL);
	look_in_section(s);
	assert_int_equal(shelf_pin(s, 0, 0, &pin), 0);
	assert_int_equal(shelf_pin_sources(&pin, &at, found, SHELF_LEAF_SLOTS), 1);
	assert_int_equal(shelf_pin_source_name(&pin, &found[0], got), 7);
	assert_string_equal(got, "topic/3");
	shelf_unpin(&pin);
	shelf_close(s);
	unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_same_hash),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_library),
	};

	UNIT_MAIN(tests, argc, argv);
}
