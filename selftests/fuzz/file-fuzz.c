// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5, P8: adopting what a file holds. The input is damage to a file that has
 * everything in it: eight bytes each, a page of those in use, an offset, how, and a
 * value. Either it is refused, or all of it can be read, pages and slots add up, and
 * commits that delete some of it and then all, and trims, go on with it.
 *
 * Seen to fail with a node that has nothing, which was taken (node-of-nothing).
 */
#include "../hosted/account.h"
#include "../hosted/digest.h"
#include "../hosted/unhash.h"
#include "../../tools/lib/hosted.h"
#include "alloc.h"
#include "host.h"
#include "libfuzzer.h"

struct damage {
	u8 page;
	u8 how;
	u16 at;
	u32 value;
};

#define PRODUCTS	150U
#define CATALOGS	6U
#define PAGES		256U	/* more than are in use */

static u8 *arena;		/* the control page lies SHELF_MMAP_ARENA before */
static u8 good[PAGES][SHELF_PAGE_BYTES], control[2 * SHELF_PAGE_BYTES];
static u32 used_page[PAGES], used;

static struct store *const store = &host_shelf.store;

void host_staged(const struct commit *c)
{
	(void)c;
}

void host_done(const struct commit *c, int ret)
{
	(void)c;
	(void)ret;
}

void message_sent(const struct nlmsghdr *nlh, u32 portid)
{
	(void)nlh;
	(void)portid;
}

static void add(struct batch *b, u8 kind, s64 id, const void *data, u32 len)
{
	struct op op = { .kind = kind, .id = id, .len = len };
	const char *why;

	if (kind == SHELF_OP_PUT && len)
		op.fields = FIELD_ATTRS;
	if (batch_add(b, &op, data, &why))
		FAIL("%s", why);
}

static int commit(struct batch *b)
{
	struct report report;
	struct draft *d = draft_make(store, b, &report);

	batch_free(b);
	if (IS_ERR(d))
		return PTR_ERR(d);
	draft_publish(d);
	draft_retire(d);
	store_reclaim(store);
	return 0;
}

/* Some side by side in the trie, for nodes below nodes. */
static s64 product_id(u32 i)
{
	return i % 2 ? (s64)i : shelf_unhash((0x1235ULL << 48) + ((u64)i << 20), store->seed);
}

/* Each form of attributes and of sets. */
static void fill(struct batch *b)
{
	static const u32 count[CATALOGS] = { 1, 4, 5, 447, 1200, 3000 };
	static u8 attrs[9000];
	static s64 ids[3000];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		ids[i] = (s64)i * 3;
	for (i = 0; i < PRODUCTS; i++)
		add(b, SHELF_OP_PUT, product_id(i), attrs, i % 50 == 1 ? 9000 : i % 3 * 40);
	for (i = 0; i < CATALOGS; i++)
		add(b, SHELF_OP_CATALOG_ADD, i, ids, count[i]);
}

static void make_good(void)
{
	struct batch b;
	u32 page;

	host_begin(HOST_CHUNKS_MAX);
	batch_init(&b, U64_MAX);
	fill(&b);
	if (commit(&b))
		FAIL("no file to begin with");
	arena = (u8 *)store->control + SHELF_MMAP_ARENA;
	for (page = 0; page < CHUNK_PAGES; page++)
		if (page_meta(&store->arena, page)->kind != SHELF_KIND_FREE || !page) {
			if (used == PAGES || (page && page / CHUNK_PAGES))
				FAIL("too many pages");
			memcpy(good[used], arena + (size_t)page * SHELF_PAGE_BYTES,
			       SHELF_PAGE_BYTES);
			used_page[used++] = page;
		}
	memcpy(control, store->control, sizeof(control));
	host_end();
}

static void put_good(void)
{
	u32 i;

	memcpy(store->control, control, sizeof(control));
	for (i = 0; i < used; i++)
		memcpy(arena + (size_t)used_page[i] * SHELF_PAGE_BYTES, good[i],
		       SHELF_PAGE_BYTES);
}

/* The last of the numbers of pages is the control page. */
static void do_damage(const struct damage *d)
{
	u32 i = d->page % (used + 1), bytes = 1U << d->how % 4 % 3;
	u32 value, page = used_page[d->value % used];
	u8 *at = (u8 *)store->control;

	if (i < used)
		at = arena + (size_t)used_page[i] * SHELF_PAGE_BYTES;
	at += d->at % SHELF_PAGE_BYTES / bytes * bytes;

	/* Its bounds are hosted.c's to check, before it maps the file. */
	if (i == used && (at < (u8 *)&store->control->current_word ||
			  at >= (u8 *)&store->control->reserved2))
		return;
	memcpy(&value, at, bytes);
	switch (d->how / 4 % 4) {
	case 0:
		value = d->value;
		break;
	case 1:
		value ^= 1U << d->value % (8 * bytes);
		break;
	case 2:
		value = page << SHELF_TAG_BITS | (value & 255);	/* another entry's page */
		break;
	default:
		value += d->value % 5 - 2;
	}
	memcpy(at, &value, bytes);
}

/* What was taken is sound. */
static void use(void)
{
	struct shelf_view v;
	struct batch b;
	s64 i;

	store_view(store, &v);
	snapshot_digest(&v);
	store_account(store);
	if (store->generation >= SHELF_GENERATION_MAX - 1)
		return;
	batch_init(&b, U64_MAX);
	for (i = 0; i < PRODUCTS; i += 3)
		add(&b, SHELF_OP_DELETE, product_id((u32)i), NULL, 0);
	for (i = 0; i < CATALOGS; i++)
		add(&b, SHELF_OP_CATALOG_ADD, i, &i, 1);
	if (commit(&b))
		FAIL("a commit to what was adopted");
	store_account(store);
	batch_init(&b, U64_MAX);
	for (i = 0; i < PRODUCTS; i++)
		add(&b, SHELF_OP_DELETE, product_id((u32)i), NULL, 0);
	for (i = 0; i < CATALOGS; i++)
		add(&b, SHELF_OP_CATALOG_DELETE, i, NULL, 0);
	if (commit(&b))
		FAIL("a second commit to what was adopted");
	while (host_trim_step())
		;
	store_account(store);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct damage d;
	u32 before;
	int ret;

	if (!used)
		make_good();
	host_begin(HOST_CHUNKS_MAX);
	store_exit(store);
	put_good();
	for (; size >= sizeof(d); data += sizeof(d), size -= sizeof(d)) {
		memcpy(&d, data, sizeof(d));
		do_damage(&d);
	}
	memset(store, 0, sizeof(*store));
	if (store_prepare(store, (struct shelf_control *)(arena - SHELF_MMAP_ARENA)))
		FAIL("no memory");
	store->quarantine_ns = 0;
	before = fuzz_blocks();
	ret = store_adopt(store);
	if (!ret)
		use();
	else if (ret != -EINVAL || fuzz_blocks() > before + HOST_CHUNKS_MAX)
		FAIL("adopt: %d", ret);
	host_end();
	if (!ret)	/* it has written to other pages */
		memset(arena, 0, (size_t)HOST_CHUNKS_MAX << SHELF_CHUNK_SHIFT);
	return 0;
}
