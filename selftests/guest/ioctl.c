// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1: what an ioctl answers is what a mapped reader finds in the same
 * generation, and what was written. P8: no answer holds a byte that nobody
 * wrote, a reference into the arena, or more than was asked for.
 *
 * Seen to fail with hide_refs() left empty, with it left out of scans, with
 * look_members() copying out as many ids as there is room for, with attrs_len
 * instead of the smaller of the two in attrs_wanted(), with get_bounced() left
 * out, and with it going on with the record of the first try.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/harness.h"

#define SALT		5U
#define MANY		4000U		/* products with ids from FIRST on */
#define FIRST		(-2000LL)	/* so 0 and -1 are among them */
#define BUFFER		(SHELF_ATTRS_MAX + 4096)

static const __s64 extremes[] = {
	INT64_MIN, INT64_MIN + 1, INT32_MIN, INT32_MAX, 1LL << 32, 1LL << 62,
	INT64_MAX - 1, INT64_MAX,
};

/* Around the sizes at which something changes: stack, slot classes, pages. */
static const __u32 lengths[] = {
	0, 1, 8, 15, 16, 17, 255, 256, 257, 1000, 3575, 3576, 3577, 4095, 4096,
	4097, 8192, 20000, SHELF_ATTRS_MAX - 1, SHELF_ATTRS_MAX,
};

#define ATTRS_FIRST	1000000LL	/* id of the product with lengths[0] */

/* Inline, slot, one page, two pages, a tree; the catalog's id is its size. */
static const __u32 sets[] = {
	1, 3, 4, 5, 100, SHELF_SLOT_MEMBERS, SHELF_SLOT_MEMBERS + 1, 503, 504, 505,
	1008, 1009, 30000,
};

static __s64 member(__u32 i)
{
	return (__s64)i * 3 - 3000;
}

static int put_catalogs(struct shelf_batch *b)
{
	static __s64 ids[30000];
	unsigned int i, n;
	int ret = 0;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		ids[i] = member(i);
	for (n = 0; n < ARRAY_SIZE(sets) && !ret; n++)
		ret = shelf_batch_add(b, sets[n], ids, sets[n], NULL);
	for (n = 0; n < ARRAY_SIZE(extremes) && !ret; n++)
		ret = shelf_batch_add(b, extremes[n], extremes,
				      ARRAY_SIZE(extremes), NULL);
	if (!ret)
		ret = shelf_batch_add(b, 0, ids, 1, NULL);
	return ret ? ret : shelf_batch_add(b, -1, ids, 10, NULL);
}

static int put_everything(struct kit *k)
{
	struct shelf_batch *b;
	unsigned int i;
	int ret = shelf_batch_begin(k->w, &b, NULL);

	if (ret)
		return ret;
	for (i = 0; i < MANY && !ret; i++)
		ret = put_one(b, FIRST + i, i % 300, SALT);
	for (i = 0; i < ARRAY_SIZE(extremes) && !ret; i++)
		ret = put_one(b, extremes[i], 64, SALT);
	for (i = 0; i < ARRAY_SIZE(lengths) && !ret; i++)
		ret = put_one(b, ATTRS_FIRST + i, lengths[i], SALT);
	if (!ret)
		ret = put_catalogs(b);
	if (ret) {
		shelf_batch_abort(b);
		return ret;
	}
	return shelf_batch_commit(b, NULL, NULL, NULL);
}

FIXTURE(ioctl)
{
	struct kit k;
	struct shelf *mapped;
	struct shelf *called;
	__u8 *attrs;
	__u8 *others;
};

FIXTURE_SETUP(ioctl)
{
	ASSERT_EQ(0, kit_make(&self->k, "ioctl", 16));
	ASSERT_EQ(0, put_everything(&self->k));
	ASSERT_EQ(0, shelf_open(self->k.name, 0, &self->mapped));
	ASSERT_EQ(0, shelf_open(self->k.name, SHELF_OPEN_IOCTL, &self->called));
	ASSERT_TRUE(shelf_is_mapped(self->mapped));
	ASSERT_FALSE(shelf_is_mapped(self->called));
	self->attrs = malloc(BUFFER);
	self->others = malloc(BUFFER);
}

FIXTURE_TEARDOWN(ioctl)
{
	shelf_close(self->mapped);
	shelf_close(self->called);
	kit_drop(&self->k);
}

/* All that can go wrong with one product, whether it is there or not. */
static bool agree(const struct shelf *a, const struct shelf *b, __s64 id,
		  void *to_a, void *to_b, __u32 room)
{
	struct shelf_product p, q;
	__u64 g, h;
	int ret;

	memset(&p, 0x11, sizeof(p));
	memset(&q, 0x22, sizeof(q));
	memset(to_a, 0x33, room + 16);
	memset(to_b, 0x33, room + 16);
	ret = shelf_get_attrs(a, id, &p, to_a, room, &g);
	if (ret != shelf_get_attrs(b, id, &q, to_b, room, &h) || g != h)
		return false;
	if (!ret)
		return true;
	return !memcmp(&p, &q, sizeof(p)) && !memcmp(to_a, to_b, room + 16) &&
	       p.id == id && !p.attrs_ref && !p.next && p.state == SHELF_PRESENT &&
	       attrs_match(to_a, id, p.attrs_len < room ? p.attrs_len : room, SALT);
}

TEST_F(ioctl, get_answers_as_mapped)
{
	unsigned int i, found = 0;
	struct shelf_product p;
	__s64 id;

	for (id = FIRST - 100; id < FIRST + MANY + 100; id++) {
		EXPECT_TRUE(agree(self->mapped, self->called, id, self->attrs,
				  self->others, 400))
			TH_LOG("id %lld", id);
		found += shelf_get(self->called, id, &p) == 1;
	}
	EXPECT_EQ(MANY, found);
	for (i = 0; i < ARRAY_SIZE(extremes); i++) {
		EXPECT_EQ(1, shelf_get(self->called, extremes[i], &p));
		EXPECT_TRUE(agree(self->mapped, self->called, extremes[i],
				  self->attrs, self->others, 400));
	}
}

TEST_F(ioctl, attributes_of_any_length)
{
	static const __u32 rooms[] = { 0, 1, 256, 257, 3577, 4096, SHELF_ATTRS_MAX };
	struct shelf_product p;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		ASSERT_EQ(1, shelf_get(self->called, ATTRS_FIRST + i, &p));
		EXPECT_EQ(lengths[i], p.attrs_len);
		for (j = 0; j < ARRAY_SIZE(rooms); j++)
			EXPECT_TRUE(agree(self->mapped, self->called,
					  ATTRS_FIRST + i, self->attrs,
					  self->others, rooms[j]))
				TH_LOG("%u bytes to %u", lengths[i], rooms[j]);
	}
}

/* Behind what was asked for and there is, nothing is touched. */
TEST_F(ioctl, attributes_stop_at_either_end)
{
	struct shelf_ioc_get q;
	unsigned int i;
	__u32 room;

	for (i = 0; i < 3 * ARRAY_SIZE(lengths); i++) {
		__u32 len = lengths[i / 3];

		room = i % 3 == 0 ? len / 2 : i % 3 == 1 ? len + 100 : UINT32_MAX;
		memset(self->attrs, 0xa5, BUFFER);
		q = (struct shelf_ioc_get){
			.size = sizeof(q), .id = ATTRS_FIRST + i / 3,
			.attrs = (uintptr_t)self->attrs, .attrs_size = room,
		};
		ASSERT_EQ(0, ioctl(self->k.fd, SHELF_IOC_GET, &q));
		EXPECT_EQ(len, q.product.attrs_len);
		len = len < room ? len : room;
		EXPECT_TRUE(attrs_match(self->attrs, q.id, len, SALT));
		memset(self->others, 0xa5, BUFFER);
		EXPECT_EQ(0, memcmp(self->attrs + len, self->others, BUFFER - len));
	}
}

/* The buffer's pages from the second on are not there, nor the first if @all. */
static bool right_after_fault(int fd, __s64 id, __u8 *buffer, size_t at, bool all)
{
	struct shelf_ioc_get q = {
		.size = sizeof(q), .id = id, .attrs = (uintptr_t)buffer + at,
		.attrs_size = SHELF_ATTRS_MAX,
	};
	size_t keep = all ? 0 : PAGE;

	madvise(buffer + keep, BUFFER - keep, MADV_DONTNEED);
	return !ioctl(fd, SHELF_IOC_GET, &q) && q.product.id == id &&
	       !q.product.attrs_ref && !q.product.next &&
	       attrs_match(buffer + at, id, q.product.attrs_len, q.product.stock);
}

static __u8 *buffer_make(void)
{
	return mmap(NULL, BUFFER, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST_F(ioctl, attributes_to_where_no_page_is)
{
	static const size_t offsets[] = { 0, 1, PAGE - 100, PAGE - 1, PAGE };
	__u8 *buffer = buffer_make();
	unsigned int i, j;

	ASSERT_NE(MAP_FAILED, buffer);
	for (i = 0; i < 2 * ARRAY_SIZE(lengths); i++)
		for (j = 0; j < ARRAY_SIZE(offsets); j++)
			EXPECT_TRUE(right_after_fault(self->k.fd, ATTRS_FIRST + i / 2,
						      buffer, offsets[j], i % 2))
				TH_LOG("%u bytes at %zu", lengths[i / 2], offsets[j]);
	munmap(buffer, BUFFER);
}

struct changer {
	struct kit *k;
	unsigned int commits;
	bool stop;
	int ret;
};

/* Salt and length of this product differ from commit to commit. */
static void *change(void *arg)
{
	struct changer *c = arg;
	struct shelf_batch *b;
	unsigned int i;

	for (i = 0; !c->ret && !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); i++) {
		c->ret = shelf_batch_begin(c->k->w, &b, NULL);
		if (!c->ret)
			c->ret = put_one(b, ATTRS_FIRST, 2800 + 500 * (i % 4), i);
		if (!c->ret)
			c->ret = shelf_batch_commit(b, NULL, NULL, NULL);
		__atomic_fetch_add(&c->commits, !c->ret, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A fault in the middle does not join the attributes of two generations. */
TEST_F(ioctl, attributes_of_one_generation_after_a_fault)
{
	struct changer c = { .k = &self->k };
	__u64 end = now_ns() + 3000000000ULL;
	__u8 *buffer = buffer_make();
	unsigned int wrong = 0;
	pthread_t thread;

	ASSERT_NE(MAP_FAILED, buffer);
	ASSERT_EQ(0, pthread_create(&thread, NULL, change, &c));
	while (now_ns() < end || __atomic_load_n(&c.commits, __ATOMIC_RELAXED) <= 20)
		wrong += !right_after_fault(self->k.fd, ATTRS_FIRST, buffer,
					    PAGE - 1000, false);
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, c.ret);
	EXPECT_EQ(0, wrong);
	munmap(buffer, BUFFER);
}

/* Absent ids in between, and the same one many times. */
static __s64 many_id(unsigned int i)
{
	return i % 7 == 0 ? 42 : i % 5 == 0 ? (__s64)i << 33 : FIRST + (__s64)i;
}

/* How many of @n answers to many_id() are not those to each of them alone. */
static unsigned int count_unlike(const struct shelf *s, const struct shelf_product *p,
				 unsigned int n)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < n; i++) {
		bool absent = i % 7 && i % 5 == 0;
		struct shelf_product one;
		int ret = shelf_get(s, many_id(i), &one);

		if (absent)
			one = (struct shelf_product){ .id = many_id(i) };
		wrong += ret != !absent || memcmp(&p[i], &one, sizeof(one)) ||
			 p[i].id != many_id(i) || p[i].state != (absent ? 0 : SHELF_PRESENT);
	}
	return wrong;
}

TEST_F(ioctl, get_many_answers_as_one)
{
	const unsigned int n = 3000, absent = n / 5 - (n + 34) / 35;
	struct shelf *s[] = { self->mapped, self->called };
	struct shelf_product *p = calloc(n, sizeof(*p));
	__s64 *ids = calloc(n, sizeof(*ids));
	__u64 generation;
	unsigned int i;

	for (i = 0; i < n; i++)
		ids[i] = many_id(i);
	for (i = 0; i < 2; i++) {
		memset(p, 0xa5, n * sizeof(*p));
		EXPECT_EQ(n - absent, shelf_get_many(s[i], ids, n, p, &generation));
		EXPECT_EQ(2, generation);
		EXPECT_EQ(0, count_unlike(self->mapped, p, n));
		EXPECT_EQ(0, count_unlike(self->called, p, n));
	}
	free(p);
	free(ids);
}

static const __u32 rooms[] = { 1, 2, 7, 500, 504, SHELF_PAGE_MEMBERS_MAX };

/* Walks a catalog by both readers; how many members, or -1. */
static long walk(struct shelf *a, struct shelf *b, __s64 catalog, __u32 room)
{
	struct shelf_cursor c = { .catalog = catalog }, d = c;
	__s64 x[SHELF_PAGE_MEMBERS_MAX], y[SHELF_PAGE_MEMBERS_MAX];
	long n, total = 0;

	do {
		n = shelf_catalog_next(a, &c, x, room);
		if (n != shelf_catalog_next(b, &d, y, room) || n < 0 ||
		    memcmp(x, y, n * sizeof(*x)) || c.total != d.total)
			return -1;
		total += n;
	} while (n);
	return total;
}

TEST_F_TIMEOUT(ioctl, members_answer_as_mapped, 240)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sets); i++)
		for (j = 0; j < ARRAY_SIZE(rooms); j++)
			if (sets[i] / rooms[j] < 2000)
				EXPECT_EQ(sets[i], walk(self->mapped, self->called,
							sets[i], rooms[j]));
	for (i = 0; i < ARRAY_SIZE(extremes); i++)
		EXPECT_EQ(ARRAY_SIZE(extremes),
			  walk(self->mapped, self->called, extremes[i], 3));
	EXPECT_EQ(1, walk(self->mapped, self->called, 0, 3));
	EXPECT_EQ(10, walk(self->mapped, self->called, -1, 3));
	EXPECT_EQ(-1, walk(self->mapped, self->called, 77, 3));
}

/* The cursor may be any number, not only a member. */
TEST_F(ioctl, members_after_anything)
{
	static __s64 ids[SHELF_PAGE_MEMBERS_MAX + 1];
	__s64 at;
	unsigned int i;

	for (i = 0; i < 600; i++) {
		__u32 behind;
		struct shelf_ioc_members q = {
			.size = sizeof(q), .flags = SHELF_MEMBERS_AFTER,
			.catalog = 30000, .ids = (uintptr_t)ids, .count = 1 + i % 9,
		};

		at = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX :
		     i == 2 ? member(29999) : i == 3 ? member(29998) :
		     (__s64)i * 151 - 3100;
		q.after = at;
		memset(ids, 0xa5, sizeof(ids));
		ASSERT_EQ(0, ioctl(self->k.fd, SHELF_IOC_MEMBERS, &q));
		behind = at < member(0) ? 0 : at >= member(29999) ? 30000 :
			 (at - member(0)) / 3 + 1;
		EXPECT_EQ(30000, q.total);
		EXPECT_EQ(30000 - behind < 1 + i % 9 ? 30000 - behind : 1 + i % 9,
			  q.count);
		EXPECT_EQ(behind + q.count < 30000, q.more);
		if (q.count)
			EXPECT_EQ(member(behind), ids[0]);
		EXPECT_EQ((__s64)0xa5a5a5a5a5a5a5a5ULL, ids[q.count]);
	}
}

TEST_F_TIMEOUT(ioctl, is_member_answers_as_mapped, 240)
{
	unsigned int i, n, wrong = 0;
	__s64 id;

	for (n = 0; n < ARRAY_SIZE(sets); n++)
		for (i = 0; i < 1000; i++) {
			bool is = i % 3 == 0 && i / 3 < sets[n];
			int has = shelf_is_member(self->called, sets[n],
						  (__s64)i - 3000);

			wrong += has != is;
			id = member(sets[n] - 1) - 20 + i % 40;
			wrong += shelf_is_member(self->called, sets[n], id) !=
				 shelf_is_member(self->mapped, sets[n], id);
		}
	EXPECT_EQ(0, wrong);
	for (i = 0; i < ARRAY_SIZE(extremes); i++)
		for (n = 0; n < ARRAY_SIZE(extremes); n++)
			EXPECT_EQ(1, shelf_is_member(self->called, extremes[i],
						     extremes[n]));
	EXPECT_EQ(0, shelf_is_member(self->called, 4, INT64_MIN));
	EXPECT_EQ(0, shelf_is_member(self->called, 30000, INT64_MAX));
	EXPECT_EQ(0, shelf_is_member(self->called, 777, 0));
}

/* The next of a scan, from where @q stands; -1: refused. */
static int scan_next(int fd, struct shelf_ioc_scan *q, void *records, __u32 flags)
{
	q->size = sizeof(*q);
	q->flags = flags;
	q->records = (uintptr_t)records;
	q->count = SHELF_GET_MANY_MAX;
	return ioctl(fd, SHELF_IOC_SCAN, q) ? -1 : (int)q->count;
}

TEST_F(ioctl, scan_of_products_as_mapped)
{
	static struct shelf_product got[SHELF_GET_MANY_MAX], p;
	struct shelf_ioc_scan q = { .cursor = 0 };
	int i, n, found = 0;

	do {
		n = scan_next(self->k.fd, &q, got, 0);
		ASSERT_LE(0, n);
		for (i = 0; i < n; i++) {
			EXPECT_EQ(1, shelf_get(self->mapped, got[i].id, &p));
			EXPECT_EQ(0, memcmp(&p, &got[i], sizeof(p)));
			EXPECT_EQ(0, got[i].attrs_ref | got[i].next);
		}
		found += n;
	} while (!q.done);
	EXPECT_EQ(MANY + ARRAY_SIZE(extremes) + ARRAY_SIZE(lengths), found);
}

/* Every byte, those of nothing too. */
static bool same_bytes(const void *a, const void *b, size_t n)
{
	return !memcmp(a, b, n);
}

TEST_F(ioctl, scan_of_catalogs_counts)
{
	static struct shelf_catalog got[SHELF_GET_MANY_MAX];
	struct shelf_ioc_scan q = { .cursor = 0 };
	int i, n, found = 0;
	__u64 count;

	do {
		n = scan_next(self->k.fd, &q, got, SHELF_SCAN_CATALOGS);
		ASSERT_LE(0, n);
		for (i = 0; i < n; i++) {
			const struct shelf_catalog told = {
				.id = got[i].id, .generation = got[i].generation,
				.count = got[i].count, .state = SHELF_PRESENT,
			};

			EXPECT_EQ(1, shelf_catalog_count(self->mapped, got[i].id, &count));
			EXPECT_EQ(count, got[i].count);
			EXPECT_TRUE(same_bytes(&told, &got[i], sizeof(told)));
		}
		found += n;
	} while (!q.done);
	EXPECT_EQ(ARRAY_SIZE(sets) + ARRAY_SIZE(extremes) + 2, found);
}

TEST_F(ioctl, info_is_complete)
{
	struct shelf_ioc_info q;
	size_t i;

	memset(&q, 0xa5, sizeof(q));
	q.size = sizeof(q);
	q.flags = 0;
	q.pin = 0;
	ASSERT_EQ(0, ioctl(self->k.fd, SHELF_IOC_INFO, &q));
	EXPECT_EQ(SHELF_ABI_VERSION, q.abi);
	EXPECT_EQ(0, q.dead);
	EXPECT_EQ(2, q.generation);
	EXPECT_EQ(MANY + ARRAY_SIZE(extremes) + ARRAY_SIZE(lengths), q.products);
	EXPECT_EQ(ARRAY_SIZE(sets) + ARRAY_SIZE(extremes) + 2, q.catalogs);
	EXPECT_EQ(sysfs_value(self->k.name, "memberships"), q.memberships);
	EXPECT_EQ(sysfs_value(self->k.name, "bytes_attrs"), q.attrs_bytes);
	EXPECT_EQ(sysfs_value(self->k.name, "max_bytes"), q.max_bytes);
	EXPECT_EQ(self->k.arena_bytes, q.arena_bytes);
	EXPECT_EQ(0, strcmp(self->k.name, q.name));
	for (i = strlen(q.name); i < sizeof(q.name); i++)
		EXPECT_EQ(0, q.name[i]);
}

/* What is absent is all zeros, but for what was asked. */
TEST_F(ioctl, absence_is_zeros)
{
	static const struct shelf_product none = { .id = 123456789 };
	struct shelf_ioc_members m = { .size = sizeof(m), .catalog = 123456789 };
	struct shelf_ioc_get q;
	__s64 ids[4];

	memset(&q, 0xa5, sizeof(q));
	q.size = sizeof(q);
	q.flags = 0;
	q.reserved = 0;
	q.pin = 0;
	q.id = none.id;
	EXPECT_EQ(-ENOENT, ERRNO(ioctl(self->k.fd, SHELF_IOC_GET, &q)));
	EXPECT_EQ(2, q.generation);
	EXPECT_EQ(0, memcmp(&none, &q.product, sizeof(none)));
	m.ids = (uintptr_t)ids;
	m.count = 4;
	m.more = 0xa5;
	m.total = 0xa5;
	EXPECT_EQ(-ENOENT, ERRNO(ioctl(self->k.fd, SHELF_IOC_MEMBERS, &m)));
	EXPECT_EQ(0, m.count);
	EXPECT_EQ(0, m.more);
	EXPECT_EQ(0, m.total);
	EXPECT_EQ(2, m.generation);
}

TEST_HARNESS_MAIN
