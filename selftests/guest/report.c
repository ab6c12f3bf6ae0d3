// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Mapped lookups that a reader counts and reports (SHELF_OPEN_COUNT): each once,
 * whichever threads and processes they were of, apart from what the kernel counts
 * itself; and whoever can read may report, but nothing absurd (P8).
 *
 * Seen to fail with a child that reports what its parent counted (fork), with
 * counters of ended threads not added up (threads, threads_come_and_go, fork) or
 * begun with what memory held (the same, several_shelves), with counters that
 * the close of their shelf leaves as they are (threads), with reports at every
 * look at the clock (once_a_second) and without limits (what_is_refused).
 */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/harness.h"

#define PRODUCTS	100
#define CATALOG		7
#define NOBODY		65534

FIXTURE(report)
{
	struct kit k;
	struct shelf *s;
};

FIXTURE_SETUP(report)
{
	static const __s64 ids[] = { 0, 1, 2 };
	struct shelf_batch *b;

	ASSERT_EQ(0, kit_make(&self->k, "report", 4));
	ASSERT_EQ(0, put_products(&self->k, 0, PRODUCTS, 10, 1));
	ASSERT_EQ(0, shelf_batch_begin(self->k.w, &b, NULL));
	ASSERT_EQ(0, shelf_batch_add(b, CATALOG, ids, 3, NULL));
	ASSERT_EQ(0, shelf_batch_commit(b, NULL, NULL, NULL));
	ASSERT_EQ(0, shelf_open(self->k.name, SHELF_OPEN_COUNT, &self->s));
	ASSERT_TRUE(shelf_is_mapped(self->s));
}

FIXTURE_TEARDOWN(report)
{
	shelf_close(self->s);
	kit_drop(&self->k);
}

static long long reported(const struct kit *k, const char *what)
{
	char file[64];

	snprintf(file, sizeof(file), "reported_%s", what);
	return sysfs_value(k->name, file);
}

/* @count lookups, of which every second one finds. */
static void look(const struct shelf *s, unsigned int count)
{
	struct shelf_product p;
	unsigned int i;

	for (i = 0; i < count; i++)
		shelf_get(s, i % 2 ? PRODUCTS + i : i % PRODUCTS, &p);
}

static void close_it(struct shelf **s)
{
	shelf_close(*s);
	*s = NULL;
}

TEST_F(report, every_kind_of_lookup)
{
	struct shelf_cursor cursor = { .catalog = CATALOG };
	struct shelf_product p[4];
	__s64 ids[4] = { 1, 2, 3, -1 };
	__u8 attrs[16];
	bool has[4];

	look(self->s, 10);
	EXPECT_EQ(1, shelf_get_attrs(self->s, 1, p, attrs, 16, NULL));
	EXPECT_EQ(3, shelf_get_many(self->s, ids, 4, p, NULL));
	EXPECT_EQ(3, shelf_get_many_attrs(self->s, ids, 4, p, attrs, 4, NULL));
	EXPECT_EQ(2, shelf_are_members(self->s, CATALOG, ids, 4, has, NULL));
	EXPECT_EQ(1, shelf_is_member(self->s, CATALOG, 1));
	EXPECT_EQ(0, shelf_is_member(self->s, CATALOG, 9));
	EXPECT_EQ(2, shelf_catalog_next(self->s, &cursor, ids, 2));
	EXPECT_EQ(1, shelf_catalog_next(self->s, &cursor, ids, 2));
	shelf_count(self->s, 100, 50, 25);
	EXPECT_EQ(0, reported(&self->k, "lookups"));
	close_it(&self->s);
	EXPECT_EQ(10 + 1 + 4 + 4 + 4 + 2 + 100, reported(&self->k, "lookups"));
	EXPECT_EQ(5 + 1 + 3 + 3 + 2 + 1 + 50, reported(&self->k, "hits"));
	EXPECT_EQ(3 + 25, reported(&self->k, "members_read"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "lookups"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "hits"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "misses"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "members_read"));
}

TEST_F(report, a_count_is_no_member)
{
	__u64 count;

	EXPECT_EQ(1, shelf_catalog_count(self->s, CATALOG, &count));
	EXPECT_EQ(3, count);
	close_it(&self->s);
	EXPECT_EQ(0, reported(&self->k, "members_read"));
}

TEST_F(report, once_a_second)
{
	__u64 begun = now_ns(), seconds;
	long long now, last = 0, done = 0;
	unsigned int reports = 0;

	do {
		look(self->s, 500);
		done += 500;
		now = reported(&self->k, "lookups");
		reports += now != last;
		last = now;
		seconds = (now_ns() - begun) / 1000000000;
	} while (seconds < 4);
	EXPECT_LE(2, reports);
	EXPECT_GE(4, reports);
	EXPECT_GE(done, last);
	close_it(&self->s);
	EXPECT_EQ(done, reported(&self->k, "lookups"));
	EXPECT_EQ(done / 2, reported(&self->k, "hits"));
}

TEST_F(report, only_if_asked_to)
{
	struct shelf *s;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &s));
	look(s, 5000);
	shelf_count(s, 1, 1, 1);
	shelf_close(s);
	EXPECT_EQ(0, sysfs_value(self->k.name, "lookups"));
	ASSERT_EQ(0, shelf_open(self->k.name, SHELF_OPEN_IOCTL | SHELF_OPEN_COUNT, &s));
	look(s, 10);
	shelf_close(s);
	EXPECT_EQ(10, sysfs_value(self->k.name, "lookups"));
	close_it(&self->s);
	EXPECT_EQ(0, reported(&self->k, "lookups"));
	EXPECT_EQ(0, reported(&self->k, "hits"));
	EXPECT_EQ(0, reported(&self->k, "members_read"));
	EXPECT_EQ(-EINVAL, shelf_open(self->k.name, SHELF_OPEN_COUNT << 1, &s));
}

TEST_F(report, hosted_has_nobody_to_tell)
{
	const struct shelf_settings settings = {
		.max_bytes = SHELF_MIN_BYTES, .quarantine_ms = -1,
	};
	char name[64];
	struct shelf *s;

	snprintf(name, sizeof(name), "hosted:/tmp/%s", self->k.name);
	ASSERT_EQ(0, shelf_create(name, &settings, NULL));
	ASSERT_EQ(0, shelf_open(name, SHELF_OPEN_COUNT, &s));
	look(s, 5000);
	shelf_count(s, 1, 1, 1);
	shelf_close(s);
	EXPECT_EQ(0, shelf_destroy(name, NULL));
}

/* A thread that looks up, waits until the shelf was closed, and does it again. */
struct looker {
	struct shelf **s;
	unsigned int count;
	pthread_barrier_t *barrier;	/* or NULL: ends at once */
};

static void *look_on(void *arg)
{
	struct looker *l = arg;

	look(*l->s, l->count);
	if (!l->barrier)
		return NULL;
	pthread_barrier_wait(l->barrier);	/* done */
	pthread_barrier_wait(l->barrier);	/* closed, and opened anew */
	look(*l->s, l->count);
	return NULL;
}

TEST_F(report, threads)
{
	pthread_barrier_t barrier;
	struct looker ends = { &self->s, 1000, NULL };
	struct looker stays[3];
	pthread_t early, thread[3];
	unsigned int i;

	pthread_barrier_init(&barrier, NULL, 4);
	ASSERT_EQ(0, pthread_create(&early, NULL, look_on, &ends));
	ASSERT_EQ(0, pthread_join(early, NULL));
	for (i = 0; i < 3; i++) {
		stays[i] = (struct looker){ &self->s, 1U << i, &barrier };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, look_on, &stays[i]));
	}
	pthread_barrier_wait(&barrier);
	close_it(&self->s);
	EXPECT_EQ(1007, reported(&self->k, "lookups"));
	EXPECT_EQ(500 + 1 + 1 + 2, reported(&self->k, "hits"));
	ASSERT_EQ(0, shelf_open(self->k.name, SHELF_OPEN_COUNT, &self->s));
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	look(self->s, 20);
	close_it(&self->s);
	EXPECT_EQ(1007 + 7 + 20, reported(&self->k, "lookups"));
}

/* Threads come and go while others look up and report. */
static void *come_and_go(void *arg)
{
	struct looker l = { arg, 100, NULL };
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < 200; i++)
		if (pthread_create(&thread, NULL, look_on, &l) ||
		    pthread_join(thread, NULL))
			return arg;
	return NULL;
}

TEST_F(report, threads_come_and_go)
{
	pthread_t thread[3];
	unsigned int i, looked = 0;
	__u64 end = now_ns() + 2500000000ULL;
	void *bad;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, come_and_go, &self->s));
	for (; now_ns() < end; looked += 100)
		look(self->s, 100);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &bad));
		EXPECT_EQ(NULL, bad);
	}
	close_it(&self->s);
	EXPECT_EQ(looked + 3 * 200 * 100, reported(&self->k, "lookups"));
	EXPECT_EQ((looked + 3 * 200 * 100) / 2, reported(&self->k, "hits"));
}

TEST_F(report, several_shelves)
{
	struct shelf *s[4];
	struct kit other;
	unsigned int i, round;

	ASSERT_EQ(0, kit_make(&other, "report2", 2));
	for (round = 1; round <= 3; round++) {
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, shelf_open(i == 3 ? other.name : self->k.name,
						SHELF_OPEN_COUNT, &s[i]));
		for (i = 0; i < 4000; i++)
			look(s[i % 4], 1 + i % 4);
		for (i = 0; i < 4; i++)
			shelf_close(s[i]);
		EXPECT_EQ(round * 6000, reported(&self->k, "lookups"));
		EXPECT_EQ(round * 4000, reported(&other, "lookups"));
		EXPECT_EQ(0, reported(&other, "hits"));
	}
	kit_drop(&other);
}

static int look_and_close(void *arg)
{
	struct shelf **s = arg;

	look(*s, 10);
	shelf_close(*s);
	return 0;
}

/* Neither what the parent counted nor what its threads did is the child's. */
TEST_F(report, fork)
{
	pthread_barrier_t barrier;
	struct looker stays = { &self->s, 500, &barrier };
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, look_on, &stays));
	look(self->s, 100);
	pthread_barrier_wait(&barrier);
	EXPECT_EQ(0, in_child(look_and_close, &self->s));
	EXPECT_EQ(10, reported(&self->k, "lookups"));
	pthread_barrier_wait(&barrier);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	look(self->s, 1);
	EXPECT_EQ(0, in_child(look_and_close, &self->s));
	close_it(&self->s);
	EXPECT_EQ(10 + 100 + 2 * 500 + 1 + 10, reported(&self->k, "lookups"));
}

TEST_F(report, what_is_refused)
{
	const struct shelf_ioc_report right = {
		.size = sizeof(right), .lookups = 3, .hits = 2, .members = 1,
	};
	struct shelf_ioc_report q = right;
	__u64 *const number[] = { &q.lookups, &q.hits, &q.members };
	unsigned int i;

	for (i = 0; i < 32; i++, q = right) {
		q.flags = 1U << i;
		EXPECT_EQ(-EINVAL, ERRNO(ioctl(self->k.fd, SHELF_IOC_REPORT, &q)));
	}
	for (i = 0; i < ARRAY_SIZE(number); i++, q = right) {
		*number[i] = SHELF_REPORT_MAX + 1;
		EXPECT_EQ(-EINVAL, ERRNO(ioctl(self->k.fd, SHELF_IOC_REPORT, &q)));
		*number[i] = -1ULL;
		EXPECT_EQ(-EINVAL, ERRNO(ioctl(self->k.fd, SHELF_IOC_REPORT, &q)));
	}
	q.size = sizeof(q) - 1;
	EXPECT_EQ(-EINVAL, ERRNO(ioctl(self->k.fd, SHELF_IOC_REPORT, &q)));
	EXPECT_EQ(0, reported(&self->k, "lookups"));
	EXPECT_EQ(0, reported(&self->k, "hits"));
	EXPECT_EQ(0, reported(&self->k, "members_read"));
}

/* A report has no answer, so it may lie where none could be written. */
TEST_F(report, from_read_only_memory)
{
	static const struct shelf_ioc_report q = {
		.size = sizeof(q), .lookups = 3, .hits = 2, .members = 1,
	};

	EXPECT_EQ(0, ERRNO(ioctl(self->k.fd, SHELF_IOC_REPORT, &q)));
	EXPECT_EQ(3, reported(&self->k, "lookups"));
	EXPECT_EQ(2, reported(&self->k, "hits"));
	EXPECT_EQ(1, reported(&self->k, "members_read"));
}

static int report_most(void *arg)
{
	struct shelf_ioc_report q = {
		.size = sizeof(q), .lookups = SHELF_REPORT_MAX,
		.hits = SHELF_REPORT_MAX, .members = SHELF_REPORT_MAX,
	};

	return -ERRNO(ioctl(*(int *)arg, SHELF_IOC_REPORT, &q));
}

/* Who can read may report, and that is seen in reported_* alone. */
TEST_F(report, by_whoever_reads)
{
	EXPECT_EQ(0, as_user(NOBODY, report_most, &self->k.fd));
	EXPECT_EQ(0, report_most(&self->k.fd));
	EXPECT_EQ(2 * SHELF_REPORT_MAX, reported(&self->k, "lookups"));
	EXPECT_EQ(2 * SHELF_REPORT_MAX, reported(&self->k, "hits"));
	EXPECT_EQ(2 * SHELF_REPORT_MAX, reported(&self->k, "members_read"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "lookups"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "hits"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "misses"));
}

TEST_HARNESS_MAIN
