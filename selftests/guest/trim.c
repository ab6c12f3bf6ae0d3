// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P2, P3, P8: deletes give memory back, while readers have it mapped: what is
 * left reads as it did, a chunk that has gone reads as zeros, one that comes back
 * is never hidden behind them, and none of its pages has a second owner.
 *
 * Seen to fail without unmap_mapping_range() in arena_chunk_free() (comes_and_goes,
 * under_readers: foreign bytes), or in arena_chunk_alloc() (the same: zeros hide what
 * is there); with arena_shrink() or table_merge() that do nothing; with single pages
 * that go back while a file is open, or not when the last is closed; without
 * trim_due() (by_itself), or shrink_shelf() (when_the_host_asks); with trim_goes_on() that
 * does not look at quarantine (gives_back, waits_quarantine_out), only at its time
 * (waits_grace_out), or not after the last pass (waits_for_deleted); with a ticket done
 * by a trim that had begun before (serves_who_asks_late); and with EXPECT compared to the
 * newest generation, or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/harness.h"

#define SMALL_CHUNKS	"/sys/module/shelf/parameters/small_chunks"
#define CHUNKS		24U
#define ARENA_BYTES	(32 * CHUNK)
#define COUNT		50000U
#define KEEP		100U
#define ATTRS		300U
#define SALT		5U
#define PATIENCE_NS	(120 * 1000000000ULL)
/* Leaves that stay as wide as they were take four. */
#define LEFT		(3 * CHUNK)

FIXTURE(trim)
{
	struct kit k;
	void *control;
	__u8 *arena;
	struct shelf reader;
	long long peak;
};

FIXTURE_VARIANT(trim)
{
	const char *small;
};

FIXTURE_VARIANT_ADD(trim, huge)
{
	.small = "N",
};

FIXTURE_VARIANT_ADD(trim, small)
{
	.small = "Y",
};

/*
 * Blocks of 2 MiB for all of the shelf: what has run before may have left none, and then
 * chunks are single pages, which stay while a file is open.
 */
static void make_room(void)
{
	write_file("/proc/sys/vm/drop_caches", "3");
	write_file("/proc/sys/vm/compact_memory", "1");
}

FIXTURE_SETUP(trim)
{
	const struct shelf_settings quick = { .quarantine_ms = 50 };

	make_room();
	ASSERT_EQ(0, write_file(SMALL_CHUNKS, variant->small));
	ASSERT_EQ(0, kit_make(&self->k, "trim", CHUNKS));
	ASSERT_EQ(0, shelf_set(self->k.name, &quick, NULL));
	ASSERT_EQ(0, put_products(&self->k, 0, COUNT, ATTRS, SALT));
	self->control = map_control(self->k.fd);
	self->arena = map_arena(self->k.fd, ARENA_BYTES);
	ASSERT_NE(MAP_FAILED, self->control);
	ASSERT_NE(MAP_FAILED, self->arena);
	self->reader = mapped_reader(self->control, self->arena);
	touch(self->arena, ARENA_BYTES);
	self->peak = sysfs_value(self->k.name, "bytes");
	ASSERT_LT(10 * CHUNK, self->peak);
}

FIXTURE_TEARDOWN(trim)
{
	kit_drop(&self->k);
	EXPECT_EQ(0, write_file(SMALL_CHUNKS, "N"));
}

/* Single pages stay while a file is open. */
static bool is_small(const char *small)
{
	return small[0] == 'Y';
}

/* All but each @keep-th, or all: 0. */
static int delete_but(const struct kit *k, unsigned int keep)
{
	struct shelf_batch *b;
	unsigned int i;
	int ret = shelf_batch_begin(k->w, &b, NULL);

	if (ret)
		return ret;
	for (i = 0; i < COUNT && !ret; i++)
		if (!keep || i % keep)
			ret = shelf_batch_delete(b, i, NULL);
	if (!ret)
		return shelf_batch_commit(b, NULL, NULL, NULL);
	shelf_batch_abort(b);
	return ret;
}

static int thin_out(const struct kit *k)
{
	return delete_but(k, KEEP);
}

static unsigned int wrong_of_kept(const struct shelf *s)
{
	unsigned int i, wrong = 0;
	struct shelf_product p;

	for (i = 0; i < COUNT; i += KEEP)
		wrong += count_wrong(s, i, 1, ATTRS, SALT);
	for (i = 1; i < COUNT; i += 7 * KEEP)
		wrong += shelf_get(s, i, &p) != 0;
	return wrong;
}

static long long limit(long long peak)
{
	return peak * 3 / 100 + 8 * (1LL << 20);
}

/* Waits for what goes by itself: for a while, since a loaded emulator takes its time. */
static long long bytes_below(const char *name, long long wanted)
{
	__u64 begin = now_ns();
	long long bytes;

	while ((bytes = sysfs_value(name, "bytes")) > wanted && now_ns() - begin < PATIENCE_NS)
		sleep_ms(50);
	return bytes;
}

/* Of what nobody commits to. Single pages stay while a file is open. */
static bool left_much(const char *name, const char *small, const struct shelf_trimmed *t)
{
	long long waits = sysfs_value(name, "bytes_quarantined");

	if (!waits && (is_small(small) || t->after <= LEFT))
		return false;
	printf("# %llu held, %lld in quarantine\n", t->after, waits);
	return true;
}

TEST_F_TIMEOUT(trim, gives_back, 720)
{
	struct shelf_trimmed t;
	__u64 before;
	int ret;

	/* Faster than it would do by itself. */
	ASSERT_EQ(0, thin_out(&self->k));
	before = shelf_generation(&self->reader);
	ret = shelf_trim(self->k.name, -1, &t, NULL);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, wrong_of_kept(&self->reader));
	if (is_small(variant->small)) {
		EXPECT_LE(self->peak, sysfs_value(self->k.name, "bytes"));
		munmap(self->control, PAGE);
		munmap(self->arena, ARENA_BYTES);
		close(self->k.fd);
		EXPECT_GE(LEFT, bytes_below(self->k.name, LEFT));
		self->k.fd = kit_open(&self->k);
		self->control = map_control(self->k.fd);
		self->arena = map_arena(self->k.fd, ARENA_BYTES);
		self->reader = mapped_reader(self->control, self->arena);
		EXPECT_EQ(0, wrong_of_kept(&self->reader));
		return;
	}
	EXPECT_GE(LEFT, t.after)
		TH_LOG("%lld of %lld faults mapped 2 MiB",
		       sysfs_value(self->k.name, "huge_faults"),
		       sysfs_value(self->k.name, "faults"));
	EXPECT_LE(self->peak - (long long)t.after,
		  sysfs_value(self->k.name, "returned_bytes"));
	EXPECT_LT(before, shelf_generation(&self->reader));
	TH_LOG("held %lld, after a trim %llu", self->peak, t.after);
	EXPECT_EQ(0, put_products(&self->k, 1, 1, ATTRS, SALT));
}

/* Has the worker look, over and over. The first error. */
static int set_on(const char *name, const struct shelf_settings *settings)
{
	unsigned int times;
	int ret = 0;

	for (times = 0; times < 100 && !ret; times++) {
		ret = shelf_set(name, settings, NULL);
		sleep_ms(50);
	}
	return -ret;
}

/* Whatever hurries the worker, a trim is over when what it moved has left quarantine. */
TEST_F_TIMEOUT(trim, waits_quarantine_out, 720)
{
	const struct shelf_settings slow = { .quarantine_ms = 3000 };
	struct shelf_trimmed t;
	int status;
	__u64 begin;
	pid_t child;

	ASSERT_EQ(0, shelf_set(self->k.name, &slow, NULL));
	begin = now_ns();	/* it may trim itself as soon as there is reason to */
	ASSERT_EQ(0, thin_out(&self->k));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(set_on(self->k.name, &slow));
	EXPECT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
	EXPECT_LE(slow.quarantine_ms * 1000000ULL, now_ns() - begin);
	EXPECT_FALSE(left_much(self->k.name, variant->small, &t));
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, wrong_of_kept(&self->reader));
}

/* Nor is it before kernel readers have left what it moved, with no quarantine at all. */
TEST_F_TIMEOUT(trim, waits_grace_out, 720)
{
	const struct shelf_settings none = { .quarantine_ms = 0 };
	struct shelf_trimmed t;

	ASSERT_EQ(0, shelf_set(self->k.name, &none, NULL));
	ASSERT_EQ(0, thin_out(&self->k));
	ASSERT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
	EXPECT_FALSE(left_much(self->k.name, variant->small, &t));
	EXPECT_EQ(0, wrong_of_kept(&self->reader));
}

/*
 * With nothing to move there may be much in quarantine: slots, which keep slabs, and these
 * chunks, so that there is another pass; or pages alone, and the first is the last.
 */
TEST_F_TIMEOUT(trim, waits_for_deleted, 720)
{
	const struct shelf_settings slow = { .quarantine_ms = 5000 };
	struct shelf_trimmed t;

	ASSERT_EQ(0, shelf_set(self->k.name, &slow, NULL));
	ASSERT_EQ(0, delete_but(&self->k, 0));
	ASSERT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
	EXPECT_FALSE(left_much(self->k.name, variant->small, &t));
	ASSERT_EQ(0, put_products(&self->k, 0, COUNT, 0, SALT));
	ASSERT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
	ASSERT_EQ(0, delete_but(&self->k, 0));
	ASSERT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
	EXPECT_FALSE(left_much(self->k.name, variant->small, &t));
}

/* Who asks while a trim waits is served by another, for what it has deleted meanwhile. */
TEST_F_TIMEOUT(trim, serves_who_asks_late, 720)
{
	const struct shelf_settings slow = { .quarantine_ms = 5000 };
	struct shelf_trimmed t;

	ASSERT_EQ(0, shelf_set(self->k.name, &slow, NULL));
	ASSERT_EQ(0, put_products(&self->k, 0, COUNT / 10, ATTRS, SALT + 1));
	ASSERT_EQ(-ETIMEDOUT, shelf_trim(self->k.name, 0, &t, NULL));
	sleep_ms(500);	/* its first pass is over, and there is to be a second */
	ASSERT_EQ(0, delete_but(&self->k, 0));
	ASSERT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
	EXPECT_FALSE(left_much(self->k.name, variant->small, &t));
}

/* What only trims came after is what its sender knows. */
TEST_F_TIMEOUT(trim, expects_what_it_knows, 720)
{
	struct shelf_batch *b;
	struct shelf_trimmed t;
	__u64 known;

	ASSERT_EQ(0, thin_out(&self->k));
	known = shelf_generation(&self->reader);
	ASSERT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
	ASSERT_EQ(0, shelf_batch_begin(self->k.w, &b, NULL));
	ASSERT_EQ(0, shelf_batch_delete(b, 0, NULL));
	EXPECT_EQ(0, shelf_batch_commit(b, &known, NULL, NULL));
	ASSERT_EQ(0, shelf_batch_begin(self->k.w, &b, NULL));
	ASSERT_EQ(0, shelf_batch_delete(b, KEEP, NULL));
	EXPECT_EQ(-ESTALE, shelf_batch_commit(b, &known, NULL, NULL));
}

/* Nobody asks: two thirds and more are free. */
TEST_F_TIMEOUT(trim, by_itself, 720)
{
	if (is_small(variant->small))
		SKIP(return, "single pages stay while a file is open");
	ASSERT_EQ(0, thin_out(&self->k));
	EXPECT_GE(limit(self->peak), bytes_below(self->k.name, limit(self->peak)));
	EXPECT_LE(1, sysfs_await(self->k.name, "trims", 1));
	EXPECT_EQ(0, wrong_of_kept(&self->reader));
}

/* Half is free, which is nobody's business until the host is short of memory. */
TEST_F_TIMEOUT(trim, when_the_host_asks, 720)
{
	struct shelf_batch *b;
	unsigned int i, tries;

	if (is_small(variant->small))
		SKIP(return, "single pages stay while a file is open");
	ASSERT_EQ(0, shelf_batch_begin(self->k.w, &b, NULL));
	for (i = 0; i < COUNT / 2; i++)
		ASSERT_EQ(0, shelf_batch_delete(b, i, NULL));
	ASSERT_EQ(0, shelf_batch_commit(b, NULL, NULL, NULL));
	sleep_ms(1500);
	EXPECT_EQ(0, sysfs_value(self->k.name, "trims"));
	for (tries = 0; tries < 200 && !sysfs_value(self->k.name, "trims"); tries++) {
		ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "2"));
		sleep_ms(200);
	}
	EXPECT_LE(1, sysfs_value(self->k.name, "trims"));
	EXPECT_GE(self->peak * 3 / 4, bytes_below(self->k.name, self->peak * 3 / 4));
	EXPECT_EQ(0, count_wrong(&self->reader, COUNT / 2, COUNT / 2, ATTRS, SALT));
}

static unsigned int zero_chunks(const __u8 *arena)
{
	unsigned int zero = 0;
	size_t at;

	for (at = 0; at < ARENA_BYTES; at += CHUNK)
		zero += all_zero(arena + at, CHUNK);
	return zero;
}

/* Chunks that went and come back, in mappings that have seen both. */
TEST_F_TIMEOUT(trim, comes_and_goes, 1200)
{
	struct shelf_trimmed t;
	unsigned int round;
	long long held;

	for (round = 0; round < 2; round++) {
		touch(self->arena, ARENA_BYTES);
		ASSERT_EQ(0, thin_out(&self->k));
		ASSERT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
		held = sysfs_value(self->k.name, "bytes");
		if (!is_small(variant->small))
			EXPECT_GT(self->peak / 2, held);
		EXPECT_EQ(0, wrong_of_kept(&self->reader));
		EXPECT_TRUE(survives_reading(self->arena, ARENA_BYTES));
		/* Whichever went: where the shelf holds nothing there are zeros. */
		EXPECT_LE(ARENA_BYTES / CHUNK - held / CHUNK, zero_chunks(self->arena));
		ASSERT_EQ(0, put_products(&self->k, 0, COUNT, ATTRS, SALT));
		EXPECT_EQ(0, count_wrong(&self->reader, 0, COUNT, ATTRS, SALT));
		EXPECT_LE(held, sysfs_value(self->k.name, "bytes"));
	}
}

#define FOREIGN	0xe7

struct busy {
	struct shelf *s;
	__u8 *arena;
	int *stop;
};

/* No byte of who has the pages now is ever seen where the shelf had them. */
static bool shows(const __u8 *arena)
{
	size_t at, run;

	for (at = 0; at < ARENA_BYTES; at += PAGE) {
		for (run = 0; run < 64 && arena[at + 1024 + run] == FOREIGN; run++)
			;
		if (run == 64)
			return true;
	}
	return false;
}

/* Reads what is always there, and every page of the arena, all the time. */
static int read_on(void *arg)
{
	struct busy *b = arg;
	unsigned int wrong = 0;

	while (!__atomic_load_n(b->stop, __ATOMIC_ACQUIRE)) {
		wrong += count_wrong(b->s, 0, 1, ATTRS, SALT);
		wrong += count_wrong(b->s, 50 * KEEP, 1, ATTRS, SALT);
		wrong += shows(b->arena);
	}
	return wrong != 0;
}

/* Hands pages of the arena to a pipe, which would hold them if it got any. */
static int splice_on(void *arg)
{
	struct busy *b = arg;
	unsigned int got = 0, at = 0;
	int fd[2];

	if (pipe(fd))
		return 2;
	while (!__atomic_load_n(b->stop, __ATOMIC_ACQUIRE)) {
		struct iovec v = { b->arena + at * PAGE, PAGE };

		touch(v.iov_base, PAGE);
		got += vmsplice(fd[1], &v, 1, SPLICE_F_NONBLOCK) > 0;
		at = (at + 17) % (ARENA_BYTES / PAGE);
	}
	return got != 0;
}

/* Pages that went back are at once wanted by others; these show their own. */
static int fill_on(void *arg)
{
	struct busy *b = arg;
	const size_t bytes = 64 << 20;

	while (!__atomic_load_n(b->stop, __ATOMIC_ACQUIRE)) {
		__u8 *own = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (own == MAP_FAILED)
			return 2;
		memset(own, FOREIGN, bytes);
		munmap(own, bytes);
	}
	return 0;
}

static pid_t start(int (*call)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(call(arg));
	return pid;
}

TEST_F_TIMEOUT(trim, under_readers, 1200)
{
	int (*const calls[])(void *) = { read_on, splice_on, fill_on };
	int *stop = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct busy b = { &self->reader, self->arena, stop };
	struct shelf_trimmed t;
	unsigned int i, round;
	pid_t pid[3];
	int status;

	ASSERT_NE(MAP_FAILED, stop);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		pid[i] = start(calls[i], &b);
	for (round = 0; round < 2; round++) {
		touch(self->arena, ARENA_BYTES);
		EXPECT_EQ(0, thin_out(&self->k));
		EXPECT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
		EXPECT_FALSE(shows(self->arena));
		EXPECT_EQ(0, wrong_of_kept(&self->reader));
		EXPECT_EQ(0, put_products(&self->k, 0, COUNT, ATTRS, SALT));
	}
	*stop = 1;
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
	}
}

TEST_HARNESS_MAIN
