// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5: a writer goes on where the last one stopped, and refuses a file whose trie
 * is not what a writer leaves: a lookup there would find less than there is, and
 * a commit would follow it.
 *
 * Seen to fail without each of these in adopt.c: the look at slot 0's state and at
 * its chain; either bound on a chain's slots, and that on its steps; the lookup of
 * each record; the comparison of the entries that name one leaf; that of a leaf's count
 * with its records. And with an oldest
 * that forget_quarantine() leaves as it was (test_quarantine_is_told).
 */
#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

#define PRODUCTS	40000U	/* leaves enough for nodes below the top table */
#define CATALOGS	28U	/* one leaf, which fills its top table */

static char path[64] = "/tmp/unit-adopt-XXXXXX";

/* Something in the file, and what it is to be instead. */
struct damage {
	u64 at;
	u32 bytes;
	u32 value;
};

/* Where a leaf lies and where it has a chain of two or more. */
struct place {
	u64 root;
	u64 leaf;
	u32 home;	/* slot of the first in the chain */
	u32 next;	/* of the second */
};

static int open_and_close(void)
{
	struct hosted *h;
	int ret = hosted_open_writer(path, &h);

	if (!ret)
		hosted_close(h);
	return ret;
}

static u32 put(u64 at, u32 bytes, u32 value)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	u32 was = 0;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &was, bytes, (off_t)at), bytes);
	assert_int_equal(pwrite(fd, &value, bytes, (off_t)at), bytes);
	close(fd);
	return was;
}

/* Refused with it, and taken without. */
static void refused(const char *what, const struct damage *d, u32 n)
{
	u32 was[2], i;
	int ret;

	for (i = 0; i < n; i++)
		was[i] = put(d[i].at, d[i].bytes, d[i].value);
	ret = open_and_close();
	if (ret != -EINVAL)
		print_message("%s: %d\n", what, ret);
	assert_int_equal(ret, -EINVAL);
	while (i--)
		put(d[i].at, d[i].bytes, was[i]);
	assert_int_equal(open_and_close(), 0);
}

static u64 offset_of(u32 page)
{
	return SHELF_MMAP_ARENA + (u64)page * SHELF_PAGE_BYTES;
}

static u64 line(const struct place *p, u32 slot)
{
	return p->leaf + (u64)slot * SHELF_LINE;
}

static u64 next_of(const struct place *p, u32 slot)
{
	return line(p, slot) + offsetof(struct shelf_record, next);
}

/* The catalogs' leaf, which all entries of their top table name. */
static struct place find_place(struct hosted *h)
{
	u32 page = shelf_entry_page(h->store.root->catalog_dir[0]), slot;
	const struct shelf_record *leaf = arena_page(&h->store.arena, page);
	struct place p = { .root = offset_of(h->store.root_page), .leaf = offset_of(page) };

	for (slot = 1; slot <= SHELF_LEAF_SLOTS; slot++)
		if (leaf[slot].state && leaf[slot].next)
			p.home = slot;
	assert_true(p.home);
	assert_int_equal(leaf[0].next, 0);	/* or its chain would be cut by a test */
	p.next = p.home ^ leaf[p.home].next;
	return p;
}

static struct place make_file(void)
{
	struct hosted_config config = {
		.name = "unit", .max_bytes = 64 * MIB, .quarantine_ms = 0,
		.seed = &fixed_seed,
	};
	struct batch b = new_batch();
	const s64 member = 1;
	struct place p;
	struct hosted *h;
	s64 i;

	assert_int_equal(hosted_create_file(path, &config), 0);
	assert_int_equal(hosted_open_writer(path, &h), 0);
	put_range(h, 0, PRODUCTS, 1);
	for (i = 0; i < CATALOGS; i++)
		stage(&b, SHELF_OP_CATALOG_ADD, i, 0, 0, &member, 1);
	must_commit(h, &b);
	p = find_place(h);
	hosted_close(h);
	return p;
}

static int setup(void **state)
{
	static struct place p;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	p = make_file();
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

/* All of it is there, and a commit finds its place. */
static void test_goes_on(void **state)
{
	struct hosted *h;
	s64 i;

	(void)state;
	assert_int_equal(hosted_open_writer(path, &h), 0);
	for (i = 0; i < PRODUCTS; i++)
		assert_non_null(product(h, i));
	for (i = 0; i < CATALOGS; i++)
		assert_non_null(catalog(h, i));
	model_account(h);
	put_range(h, PRODUCTS, 1, 2);
	assert_int_equal(product(h, PRODUCTS)->price, 2);
	model_account(h);
	hosted_close(h);
}

static void test_chains(void **state)
{
	const struct place *p = *state;
	const struct damage header = { line(p, 0) + offsetof(struct shelf_record, state), 1, 1 };
	const struct damage by_header[2] = {
		{ next_of(p, p->home), 1, p->home }, { next_of(p, 0), 1, p->next },
	};
	const struct damage beyond = { next_of(p, p->home), 1, (p->home ^ p->next) | 64 };
	const struct damage round[2] = {
		{ next_of(p, p->home), 1, p->home ^ p->next },
		{ next_of(p, p->next), 1, p->home ^ p->next },
	};
	const struct damage header_beyond = { next_of(p, 0), 1, 64 };
	const struct damage cut = { next_of(p, p->home), 1, 0 };

	refused("a record in the header's place", &header, 1);
	refused("a chain by way of the header", by_header, 2);
	refused("a chain that leaves the leaf", &beyond, 1);
	refused("the header's chain, that leaves the leaf", &header_beyond, 1);
	refused("a chain that goes round", round, 2);
	refused("a record that no chain leads to", &cut, 1);
}

/* A merge takes leaves together by how many records they say they have. */
static void test_counts(void **state)
{
	const struct place *p = *state;
	const u64 count = p->leaf + offsetof(struct shelf_page_header, count);
	const struct damage none = { count, 4, 0 };
	const struct damage fewer = { count, 4, CATALOGS - 1 };
	const struct damage more = { count, 4, CATALOGS + 1 };

	refused("a leaf that says it is empty", &none, 1);
	refused("a leaf that says fewer than it has", &fewer, 1);
	refused("a leaf that says more", &more, 1);
}

static u32 get(u64 at)
{
	u32 was = put(at, sizeof(was), 0);

	put(at, sizeof(was), was);
	return was;
}

static void test_entries(void **state)
{
	const struct place *p = *state;
	u64 catalogs = p->root + offsetof(struct shelf_root, catalog_dir);
	u64 products = p->root + offsetof(struct shelf_root, product_dir);
	u32 leaf = get(catalogs), node = get(products);
	const struct damage empty = { catalogs + 4 * 77, 4, 0 };
	const struct damage seed = { catalogs, 4, leaf ^ 2 };
	const struct damage leaf_as_node = {
		catalogs, 4, (leaf & ~((1U << SHELF_TAG_BITS) - 1)) | shelf_node_tag(1),
	};
	const struct damage larger = { products, 4, node - 1 };
	const struct damage smaller = { products, 4, node + 1 };

	assert_true(shelf_entry_tag(node) >= SHELF_TAG_NODE);
	refused("one entry of a leaf's, empty", &empty, 1);
	refused("one entry of a leaf's, with another seed", &seed, 1);
	refused("a leaf taken for a node", &leaf_as_node, 1);
	refused("a node of one bit more", &larger, 1);
	refused("a node of one bit less", &smaller, 1);
}

/* P3: what the last writer had in quarantine is used at once, and readers are told. */
static void test_quarantine_is_told(void **state)
{
	const struct hosted_config config = { .max_bytes = 8 * MIB, .quarantine_ms = 3600000 };
	char other[sizeof(path) + 8];
	struct hosted *h;

	(void)state;
	snprintf(other, sizeof(other), "%s.other", path);
	assert_int_equal(hosted_create_file(other, &config), 0);
	assert_int_equal(hosted_open_writer(other, &h), 0);
	put_range(h, 0, 100, 1);
	put_range(h, 0, 100, 2);
	assert_true(h->store.control->oldest < 2);
	hosted_close(h);
	assert_int_equal(hosted_open_writer(other, &h), 0);
	assert_int_equal(h->store.generation, 3);
	assert_int_equal(h->store.control->oldest, 3);
	hosted_close(h);
	unlink(other);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_quarantine_is_told),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
