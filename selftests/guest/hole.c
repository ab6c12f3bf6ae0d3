// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P2: memory that isn't there reads as zeros and never gives a signal; P1, P3:
 * once it is there, every mapping shows it, whatever was mapped in its place
 * before, in whichever process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/harness.h"

#define SMALL_CHUNKS	"/sys/module/shelf/parameters/small_chunks"
#define CHUNKS		12U
#define ARENA_BYTES	(16 * CHUNK)
#define COUNT		150U
#define ATTRS		60000U

FIXTURE(hole)
{
	struct kit k;
	void *control;
	void *arena;
};

/* @small: "Y": memory comes as pages of 4 KiB */
FIXTURE_VARIANT(hole)
{
	const char *small;
};

FIXTURE_VARIANT_ADD(hole, huge)
{
	.small = "N",
};

FIXTURE_VARIANT_ADD(hole, small)
{
	.small = "Y",
};

FIXTURE_SETUP(hole)
{
	ASSERT_EQ(0, write_file(SMALL_CHUNKS, variant->small));
	ASSERT_EQ(0, kit_make(&self->k, "hole", CHUNKS));
	ASSERT_EQ(ARENA_BYTES, self->k.arena_bytes);
	self->control = map_control(self->k.fd);
	self->arena = map_arena(self->k.fd, ARENA_BYTES);
	ASSERT_NE(MAP_FAILED, self->control);
	ASSERT_NE(MAP_FAILED, self->arena);
}

FIXTURE_TEARDOWN(hole)
{
	kit_drop(&self->k);
	EXPECT_EQ(0, write_file(SMALL_CHUNKS, "N"));
}

TEST_F(hole, reads_zeros)
{
	const size_t held = sysfs_value(self->k.name, "bytes");
	__u8 *a = self->arena;

	ASSERT_LE(CHUNK, held);
	EXPECT_TRUE(survives_reading(a, ARENA_BYTES));
	EXPECT_TRUE(all_zero(a + held, ARENA_BYTES - held));
	EXPECT_LE(16 - held / CHUNK, sysfs_value(self->k.name, "hole_faults"));
}

/* The largest reservation there can be, a page here and there. */
TEST_F(hole, reads_zeros_in_64_gib)
{
	const size_t pages = SHELF_MAX_BYTES / PAGE;
	struct kit big;
	size_t page;
	__u8 *a;
	int i;

	ASSERT_EQ(0, kit_make(&big, "big", SHELF_MAX_BYTES / CHUNK));
	a = map_arena(big.fd, SHELF_MAX_BYTES);
	EXPECT_NE(MAP_FAILED, a);
	EXPECT_TRUE(all_zero(a + SHELF_MAX_BYTES - CHUNK, CHUNK));
	for (i = 0; i < 2000 && a != MAP_FAILED; i++) {
		page = CHUNK / PAGE + random() % (pages - CHUNK / PAGE);
		EXPECT_TRUE(all_zero(a + page * PAGE, PAGE));
	}
	kit_drop(&big);
}

static bool fill(struct kit *k)
{
	return !put_products(k, 1, COUNT, ATTRS, 7) &&
	       sysfs_value(k->name, "bytes") > (long long)COUNT * ATTRS;
}

struct mappings {
	void *control;
	void *arena;
	int go;
};

static int read_all(void *arg)
{
	struct mappings *m = arg;
	struct shelf s = mapped_reader(m->control, m->arena);
	char c;

	touch(m->arena, ARENA_BYTES);
	if (m->go >= 0 && read(m->go, &c, 1) != 1)
		return 2;
	return count_wrong(&s, 1, COUNT, ATTRS, 7) != 0;
}

static pid_t start(int (*call)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(call(arg));
	return pid;
}

static int result(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Seen to fail with unmap_mapping_range() left out of arena_chunk_alloc(). */
TEST_F_TIMEOUT(hole, gives_way_in_every_mapping, 480)
{
	struct mappings m = { self->control, self->arena, -1 };
	struct mappings other = m;
	int go[2], second = kit_open(&self->k);
	pid_t before;

	ASSERT_LE(0, second);
	ASSERT_EQ(0, pipe(go));
	other.arena = map_arena(second, ARENA_BYTES);
	ASSERT_NE(MAP_FAILED, other.arena);
	touch(m.arena, ARENA_BYTES);
	touch(other.arena, ARENA_BYTES);
	m.go = go[0];
	before = start(read_all, &m);
	m.go = -1;
	sleep_ms(500);
	EXPECT_TRUE(fill(&self->k));
	EXPECT_EQ(1, write(go[1], "", 1));
	EXPECT_EQ(0, result(before));
	EXPECT_EQ(0, read_all(&m));
	EXPECT_EQ(0, read_all(&other));
	EXPECT_EQ(0, in_child(read_all, &m));
	EXPECT_EQ(0, in_child(read_all, &other));
	close(second);
}

/* By processes that have no right to write, and by way of PROT_NONE. */
TEST_F_TIMEOUT(hole, gives_way_under_other_protection, 480)
{
	struct mappings m = { self->control, self->arena, -1 };
	__u8 *a = self->arena;

	touch(a, ARENA_BYTES);
	ASSERT_EQ(0, mprotect(a, ARENA_BYTES, PROT_NONE));
	EXPECT_TRUE(fill(&self->k));
	EXPECT_FALSE(survives_reading(a, PAGE));
	ASSERT_EQ(0, mprotect(a, ARENA_BYTES, PROT_READ));
	EXPECT_EQ(0, read_all(&m));
}

/* Where the mapping lies, and how much there is of it, changed in between. */
TEST_F_TIMEOUT(hole, gives_way_after_mremap, 480)
{
	__u8 *place = mmap(NULL, 2 * ARENA_BYTES, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct mappings m = { self->control, NULL, -1 };

	ASSERT_NE(MAP_FAILED, place);
	place += -(size_t)place % CHUNK;
	touch(self->arena, ARENA_BYTES);
	m.arena = mremap(self->arena, ARENA_BYTES, ARENA_BYTES,
			 MREMAP_MAYMOVE | MREMAP_FIXED, place);
	ASSERT_EQ(place, m.arena);
	EXPECT_TRUE(fill(&self->k));
	EXPECT_EQ(0, read_all(&m));
}

/* Faults holes in, in ever new mappings, while they are being filled. */
static int read_while_growing(void *arg)
{
	struct kit *k = arg;
	void *a, *control = map_control(k->fd);
	__u64 n = 0, seen = 0;
	struct shelf s;

	while (n < 20 * 4) {	/* generation 1 is empty, each adds 4 */
		a = map_arena(k->fd, ARENA_BYTES);
		if (a == MAP_FAILED)
			return 2;
		touch(a, ARENA_BYTES);
		s = mapped_reader(control, a);
		n = (shelf_generation(&s) - 1) * 4;
		if (n != seen && count_wrong(&s, n - 3, 4, ATTRS, 9))
			return 1;
		seen = n;
		munmap(a, ARENA_BYTES);
	}
	return 0;
}

TEST_F_TIMEOUT(hole, is_filled_while_it_is_read, 480)
{
	pid_t readers[3];
	struct shelf s;
	unsigned int i;

	ASSERT_EQ(1, sysfs_value(self->k.name, "generation"));
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		readers[i] = start(read_while_growing, &self->k);
	for (i = 0; i < 20; i++) {
		touch(self->arena, ARENA_BYTES);
		EXPECT_EQ(0, put_products(&self->k, 1 + 4 * i, 4, ATTRS, 9));
	}
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		EXPECT_EQ(0, result(readers[i]));
	s = mapped_reader(self->control, self->arena);
	EXPECT_EQ(0, count_wrong(&s, 1, 80, ATTRS, 9));
}

/**
 * struct hammer - what the parent tells its children
 * @chunk: which chunk comes next
 * @stop: no more will come
 */
struct hammer {
	unsigned int chunk;
	bool stop;
};

#define KEPT	32

/* Do both show the same? What is changing meanwhile gets more than one look. */
static bool same_chunk(const __u64 *a, const __u64 *b)
{
	unsigned int page, tries;
	bool same = true;

	for (page = 0; page < CHUNK / PAGE && same; page++) {
		const size_t at = page * (PAGE / 8) + 1;

		same = false;
		for (tries = 0; tries < 100 && !same; tries++)
			same = SHELF_LOAD(a[at]) == SHELF_LOAD(b[at]);
	}
	return same;
}

static void *map_chunk(const struct kit *k, unsigned int chunk)
{
	return mmap(NULL, CHUNK, PROT_READ, MAP_SHARED, k->fd,
		    SHELF_MMAP_ARENA + chunk * CHUNK);
}

/* Faults the same hole in, again and again, until it is none any more. */
static unsigned int hammer_chunk(const struct kit *k, struct hammer *h)
{
	unsigned int chunk = __atomic_load_n(&h->chunk, __ATOMIC_ACQUIRE);
	unsigned int i, at = 0, stale = 0;
	void *kept[KEPT];

	for (i = 0; i < KEPT; i++)
		kept[i] = map_chunk(k, chunk);
	while (__atomic_load_n(&h->chunk, __ATOMIC_ACQUIRE) == chunk &&
	       !__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE)) {
		munmap(kept[at], CHUNK);
		kept[at] = map_chunk(k, chunk);
		touch(kept[at], PAGE);
		at = (at + 1) % KEPT;
	}
	for (i = 1; i < KEPT; i++) {
		stale += !same_chunk(kept[0], kept[i]);
		munmap(kept[i], CHUNK);
	}
	munmap(kept[0], CHUNK);
	return stale;
}

static int hammer(const struct kit *k, struct hammer *h)
{
	unsigned int stale = 0;

	while (!__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE))
		stale += hammer_chunk(k, h);
	return stale != 0;
}

/*
 * A fault that has seen the hole while the chunk comes. Seen to fail with the
 * zap before the change of the pointer in arena_chunk_alloc().
 */
TEST_F_TIMEOUT(hole, does_not_outlive_a_race, 480)
{
	struct hammer *h = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i, chunk;
	pid_t pid[3];
	int ret = 0;

	ASSERT_NE(MAP_FAILED, h);
	h->chunk = sysfs_value(self->k.name, "bytes") / CHUNK;
	for (i = 0; i < ARRAY_SIZE(pid); i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(hammer(&self->k, h));
	}
	for (i = 0; !ret && h->chunk < CHUNKS - 1; i++) {
		ret = put_products(&self->k, 1 + 8 * i, 8, ATTRS, 1);
		chunk = sysfs_value(self->k.name, "bytes") / CHUNK;
		__atomic_store_n(&h->chunk, chunk, __ATOMIC_RELEASE);
	}
	EXPECT_EQ(0, ret);
	__atomic_store_n(&h->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < ARRAY_SIZE(pid); i++)
		EXPECT_EQ(0, result(pid[i]));
}

static int touch_all(void *arena)
{
	touch(arena, ARENA_BYTES);
	return 0;
}

/*
 * A child faults for itself: had fork() copied entries of a hole, one copied
 * while the hole was filled could stay. Seen to fail on 6.12, whose fork()
 * copies huge entries, without VM_WIPEONFORK, and without arena_open(), which sets it
 * anew whoever has cleared it.
 */
TEST_F(hole, is_not_inherited)
{
	long long before, after;

	ASSERT_EQ(0, madvise(self->arena, ARENA_BYTES, MADV_KEEPONFORK));
	touch_all(self->arena);
	before = sysfs_value(self->k.name, "hole_faults");
	EXPECT_LT(0, before);
	EXPECT_EQ(0, in_child(touch_all, self->arena));
	after = sysfs_value(self->k.name, "hole_faults");
	EXPECT_EQ(2 * before, after);
}

/* One fault for a chunk that is one block, then none; else one for 16 pages. */
TEST_F(hole, faults_once)
{
	const size_t held = sysfs_value(self->k.name, "bytes");
	long long faults, huge;

	ASSERT_EQ(0, sysfs_value(self->k.name, "faults"));
	touch(self->arena, held);
	faults = sysfs_value(self->k.name, "faults");
	huge = sysfs_value(self->k.name, "huge_faults");
	if (variant->small[0] == 'Y') {
		EXPECT_EQ(0, huge);
		EXPECT_EQ(held / PAGE / 16, faults);
	} else {
		EXPECT_EQ(held / CHUNK, huge);
		EXPECT_EQ(held / CHUNK, faults);
	}
	touch(self->arena, held);
	EXPECT_EQ(faults, sysfs_value(self->k.name, "faults"));
}

TEST_HARNESS_MAIN
