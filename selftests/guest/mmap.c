// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P8: whatever is asked of mmap, mprotect, mremap, munmap and madvise, nobody
 * gets a byte to write or to execute, nor a page beyond the reservation, nor a
 * mapping that 2 MiB entries don't fit. P2: whatever they were asked, what is
 * still mapped reads without a signal.
 *
 * Seen to fail with VM_MAYWRITE not cleared in shelf_mmap() and writers let in, and with either
 * test of alignment left out, arena_may_split()'s and arena_mremap()'s.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/harness.h"

#define CHUNKS		8U
#define ARENA		SHELF_MMAP_ARENA
#define BYTES		(CHUNKS * CHUNK)
#define FIXED_BYTES	(BYTES + 2 * CHUNK)

FIXTURE(mmap)
{
	struct kit k;
	void *arena;
};

FIXTURE_SETUP(mmap)
{
	ASSERT_EQ(0, kit_make(&self->k, "mmap", CHUNKS));
	ASSERT_EQ(BYTES, self->k.arena_bytes);
	ASSERT_EQ(0, put_products(&self->k, 1, 100, 1000, 1));
	self->arena = map_arena(self->k.fd, BYTES);
	ASSERT_NE(MAP_FAILED, self->arena);
}

FIXTURE_TEARDOWN(mmap)
{
	kit_drop(&self->k);
}

/* The C library has an opinion of its own on offsets. */
static void *raw_mmap(void *at, size_t len, int prot, int flags, int fd, __u64 offset)
{
	return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, offset);
}

/* @error: what the kernel or we say; all of them are from before the mapping */
struct refusal {
	const char *what;
	__u64 offset;
	size_t len;
	int prot;
	int flags;
	int error;
};

#define R	PROT_READ
#define S	MAP_SHARED

static const struct refusal refusals[] = {
	{ "control, three pages", 0, 3 * PAGE, R, S, EINVAL },
	{ "control, a chunk", 0, CHUNK, R, S, EINVAL },
	{ "control and arena", 0, CHUNK + BYTES, R, S, EINVAL },
	{ "pins alone", PAGE, PAGE, R, S, EINVAL },
	{ "behind pins", 2 * PAGE, PAGE, R, S, EINVAL },
	{ "just before the arena", ARENA - PAGE, PAGE, R, S, EINVAL },
	{ "from before into the arena", ARENA - PAGE, CHUNK, R, S, EINVAL },
	{ "arena, no byte", ARENA, 0, R, S, EINVAL },
	{ "arena, one byte", ARENA, 1, R, S, EINVAL },
	{ "arena, one page", ARENA, PAGE, R, S, EINVAL },
	{ "arena, a chunk and a byte", ARENA, CHUNK + 1, R, S, EINVAL },
	{ "arena, a page less", ARENA, CHUNK - PAGE, R, S, EINVAL },
	{ "arena, a page off", ARENA + PAGE, CHUNK, R, S, EINVAL },
	{ "arena, a byte off", ARENA + 1, CHUNK, R, S, EINVAL },
	{ "arena, half a chunk off", ARENA + CHUNK / 2, CHUNK, R, S, EINVAL },
	{ "one chunk too many", ARENA, BYTES + CHUNK, R, S, EINVAL },
	{ "over the end", ARENA + BYTES - CHUNK, 2 * CHUNK, R, S, EINVAL },
	{ "at the end", ARENA + BYTES, CHUNK, R, S, EINVAL },
	{ "behind the end", ARENA + 2 * BYTES, CHUNK, R, S, EINVAL },
	{ "2^63", 1ULL << 63, CHUNK, R, S, EINVAL },
	{ "2^63 less a chunk", (1ULL << 63) - CHUNK, 2 * CHUNK, R, S, EINVAL },
	{ "LONG_MAX pages", (__u64)LONG_MAX & ~(PAGE - 1), CHUNK, R, S, EINVAL },
	{ "last chunk of 2^64", -CHUNK, CHUNK, R, S, EOVERFLOW },
	{ "to 2^64, nearly", -2 * CHUNK, CHUNK, R, S, EINVAL },
	{ "over 2^64", -CHUNK, 2 * CHUNK, R, S, EOVERFLOW },
	{ "over 2^64 to the arena", -CHUNK, 3 * CHUNK, R, S, EOVERFLOW },
	{ "2^40 bytes", ARENA, 1ULL << 40, R, S, EINVAL },
	{ "2^47 bytes", ARENA, 1ULL << 47, R, S, ENOMEM },
	{ "all bytes", ARENA, -PAGE, R, S, ENOMEM },
	{ "all bytes less a chunk", ARENA, -CHUNK, R, S, ENOMEM },
	{ "writable", ARENA, CHUNK, R | PROT_WRITE, S, EACCES },
	{ "only writable", ARENA, CHUNK, PROT_WRITE, S, EACCES },
	{ "executable", ARENA, CHUNK, R | PROT_EXEC, S, EACCES },
	{ "control, writable", 0, PAGE, R | PROT_WRITE, S, EACCES },
	{ "control, executable", 0, PAGE, R | PROT_EXEC, S, EACCES },
	{ "private", ARENA, CHUNK, R, MAP_PRIVATE, EINVAL },
	{ "private, writable", ARENA, CHUNK, R | PROT_WRITE, MAP_PRIVATE, EACCES },
	{ "pins, writable", 0, 2 * PAGE, R | PROT_WRITE, S, EACCES },
	{ "pins, executable", 0, 2 * PAGE, R | PROT_EXEC, S, EACCES },
	{ "pins, private", 0, 2 * PAGE, R, MAP_PRIVATE, EINVAL },
	{ "control, private", 0, PAGE, R, MAP_PRIVATE, EINVAL },
	{ "control, private, writable", 0, PAGE, R | PROT_WRITE, MAP_PRIVATE, EACCES },
	{ "neither shared nor private", ARENA, CHUNK, R, 0, EINVAL },
	{ "synchronous", ARENA, CHUNK, R, MAP_SHARED_VALIDATE | MAP_SYNC, EOPNOTSUPP },
	{ "growing down", ARENA, CHUNK, R, S | MAP_GROWSDOWN, EINVAL },
	{ "huge pages", ARENA, CHUNK, R, S | MAP_HUGETLB, EINVAL },
};

TEST_F(mmap, refuses)
{
	const struct refusal *r;
	void *at;

	for (r = refusals; r < refusals + ARRAY_SIZE(refusals); r++) {
		at = raw_mmap(NULL, r->len, r->prot, r->flags, self->k.fd, r->offset);
		EXPECT_EQ(MAP_FAILED, at)
			TH_LOG("%s: was mapped", r->what);
		EXPECT_EQ(r->error, errno)
			TH_LOG("%s: %s", r->what, strerror(errno));
	}
}

/* Each of these is right, and reads. */
static const struct refusal grants[] = {
	{ "control", 0, PAGE, R, S, 0 },
	{ "control, one byte", 0, 1, R, S, 0 },
	{ "control and pins", 0, 2 * PAGE, R, S, 0 },
	{ "control and pins, rounded up", 0, PAGE + 1, R, S, 0 },
	{ "arena, whole", ARENA, BYTES, R, S, 0 },
	{ "first chunk", ARENA, CHUNK, R, S, 0 },
	{ "a chunk, rounded up", ARENA, CHUNK - 1, R, S, 0 },
	{ "last chunk", ARENA + BYTES - CHUNK, CHUNK, R, S, 0 },
	{ "validated", ARENA, CHUNK, R, MAP_SHARED_VALIDATE, 0 },
	{ "populated", ARENA, BYTES, R, S | MAP_POPULATE, 0 },
	{ "locked", ARENA, CHUNK, R, S | MAP_LOCKED, 0 },
	{ "below 4 GiB", ARENA, CHUNK, R, S | MAP_32BIT, 0 },
	{ "control, populated", 0, 2 * PAGE, R, S | MAP_POPULATE | MAP_LOCKED, 0 },
};

TEST_F(mmap, grants)
{
	const struct refusal *r;
	void *at;

	for (r = grants; r < grants + ARRAY_SIZE(grants); r++) {
		at = raw_mmap(NULL, r->len, r->prot, r->flags, self->k.fd, r->offset);
		ASSERT_NE(MAP_FAILED, at)
			TH_LOG("%s: %s", r->what, strerror(errno));
		if (r->offset)
			EXPECT_EQ(0, (uintptr_t)at % CHUNK);
		EXPECT_TRUE(survives_reading(at, r->len));
		EXPECT_EQ(0, munmap(at, r->len));
	}
}

/* A place of FIXED_BYTES at a multiple of CHUNK where nothing is. */
static __u8 *free_place(void)
{
	void *at = mmap(NULL, FIXED_BYTES + CHUNK, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	munmap(at, FIXED_BYTES + CHUNK);
	return (__u8 *)(((uintptr_t)at + CHUNK - 1) & ~(CHUNK - 1));
}

TEST_F(mmap, insists_on_aligned_addresses)
{
	static const size_t off[] = { PAGE, CHUNK / 2, CHUNK - PAGE, CHUNK + PAGE };
	static const int how[] = { MAP_FIXED, MAP_FIXED_NOREPLACE };
	__u8 *place = free_place();
	unsigned int i;
	void *at;

	for (i = 0; i < 2 * ARRAY_SIZE(off); i++) {
		at = raw_mmap(place + off[i / 2], CHUNK, R, S | how[i % 2],
			      self->k.fd, ARENA);
		EXPECT_EQ(MAP_FAILED, at);
		EXPECT_EQ(EINVAL, errno);
	}
	at = raw_mmap(place + CHUNK, CHUNK, R, S | MAP_FIXED, self->k.fd, ARENA);
	EXPECT_EQ(place + CHUNK, at);
	/* What is only a hint may be any address. */
	at = raw_mmap(place + 3 * CHUNK + PAGE, CHUNK, R, S, self->k.fd, ARENA);
	EXPECT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, (uintptr_t)at % CHUNK);
	at = raw_mmap((void *)0x7fffffe00000, CHUNK, R, S, self->k.fd, ARENA);
	EXPECT_NE(MAP_FAILED, at);
}

/* Never makes what is only readable executable, either. */
TEST_F(mmap, is_not_executable_by_personality)
{
	ASSERT_NE(-1, personality(PER_LINUX | READ_IMPLIES_EXEC));
	EXPECT_EQ(MAP_FAILED, map_arena(self->k.fd, CHUNK));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, map_control(self->k.fd));
}

static const int stronger[] = {
	PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE | PROT_EXEC,
	PROT_EXEC, PROT_READ | PROT_EXEC,
};

/* How many ways there were to more rights; run in children, too. */
static int more_rights(void *at, size_t bytes)
{
	unsigned int i;
	int n = 0;

	for (i = 0; i < ARRAY_SIZE(stronger); i++) {
		n += mprotect(at, bytes, stronger[i]) != -1 || errno != EACCES;
		n += bytes > CHUNK && mprotect((__u8 *)at + CHUNK, CHUNK,
					       stronger[i]) != -1;
		n += syscall(SYS_pkey_mprotect, at, bytes, stronger[i], -1) != -1;
	}
	/* By way of nothing. */
	n += mprotect(at, bytes, PROT_NONE) != 0;
	n += mprotect(at, bytes, PROT_READ | PROT_WRITE) != -1;
	n += mprotect(at, bytes, PROT_READ) != 0;
	return n;
}

static int more_rights_arena(void *at)
{
	return more_rights(at, BYTES);
}

static int more_rights_control(void *at)
{
	return more_rights(at, PAGE);
}

/* The control page and the pin page behind it, or MAP_FAILED. */
static __u8 *map_pins(int fd)
{
	return mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, SHELF_MMAP_CONTROL);
}

static int more_rights_pins(void *at)
{
	return more_rights(at, 2 * PAGE) + more_rights_control((__u8 *)at + PAGE);
}

static int store(void *at)
{
	*(volatile __u64 *)at = 1;
	return 0;
}

TEST_F(mmap, never_becomes_writable)
{
	void *control = map_control(self->k.fd);
	__u8 *pins = map_pins(self->k.fd);
	void *place = free_place();
	void *moved;

	ASSERT_NE(MAP_FAILED, control);
	ASSERT_NE(MAP_FAILED, (void *)pins);
	EXPECT_EQ(0, more_rights_pins(pins));
	EXPECT_EQ(0, in_child(more_rights_pins, pins));
	EXPECT_EQ(256 + SIGSEGV, in_child(store, pins));
	EXPECT_EQ(256 + SIGSEGV, in_child(store, pins + PAGE));
	EXPECT_EQ(0, more_rights_arena(self->arena));
	EXPECT_EQ(0, more_rights_control(control));
	EXPECT_EQ(0, in_child(more_rights_arena, self->arena));
	EXPECT_EQ(0, in_child(more_rights_control, control));
	moved = mremap(self->arena, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	ASSERT_EQ(place, moved);
	EXPECT_EQ(0, more_rights_arena(moved));
	EXPECT_EQ(0, in_child(more_rights_arena, moved));
	EXPECT_EQ(256 + SIGSEGV, in_child(store, moved));
	EXPECT_EQ(256 + SIGSEGV, in_child(store, (__u8 *)moved + BYTES - PAGE));
	EXPECT_EQ(256 + SIGSEGV, in_child(store, control));
	EXPECT_TRUE(survives_reading(moved, BYTES));
}

/*
 * The kernel itself takes the right to write from mappings of a file that is
 * open for reading. There is no other way to open the device; if there were,
 * its mappings would still have to be read-only.
 *
 * Seen to fail with the check of FMODE_WRITE left out of shelf_open(), and in
 * more ways with VM_MAYWRITE not cleared in shelf_mmap().
 */
TEST_F(mmap, is_not_opened_for_writing)
{
	static const int how[] = { O_RDWR, O_WRONLY, O_RDWR | O_TRUNC | O_CREAT };
	char path[64];
	unsigned int i;
	void *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->k.fd);
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		fd = open(path, how[i], 0600);
		EXPECT_EQ(-1, fd);
		if (fd == -1) {
			EXPECT_EQ(EACCES, errno);
			continue;
		}
		at = map_arena(fd, BYTES);
		if (at != MAP_FAILED)
			EXPECT_EQ(0, more_rights_arena(at));
		close(fd);
	}
}

TEST_F(mmap, mremap_keeps_to_what_was_checked)
{
	const int move = MREMAP_MAYMOVE, fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
	void *a = self->arena, *place = free_place();
	__u8 *half = map_arena(self->k.fd, CHUNK);

	ASSERT_NE(MAP_FAILED, half);
	EXPECT_EQ(MAP_FAILED, mremap(half, CHUNK, 2 * CHUNK, move));
	EXPECT_EQ(MAP_FAILED, mremap(half, CHUNK, CHUNK + PAGE, 0));
	EXPECT_EQ(MAP_FAILED, mremap(a, BYTES, BYTES + CHUNK, move));
	EXPECT_EQ(MAP_FAILED, mremap(a, 0, CHUNK, move));
	EXPECT_EQ(MAP_FAILED, mremap(a, 0, BYTES, move));
	EXPECT_EQ(MAP_FAILED, mremap(a, BYTES, CHUNK + PAGE, 0));
	EXPECT_EQ(MAP_FAILED, mremap((__u8 *)a + PAGE, CHUNK, CHUNK, fixed, place));
	EXPECT_EQ(MAP_FAILED, mremap((__u8 *)a + CHUNK, PAGE, PAGE, fixed, place));
	EXPECT_EQ(MAP_FAILED, mremap(half, CHUNK, CHUNK, fixed, (__u8 *)place + PAGE));
	EXPECT_EQ(MAP_FAILED, mremap(half, CHUNK, CHUNK, fixed | MREMAP_DONTUNMAP, place));
	EXPECT_TRUE(survives_reading(half, CHUNK));
	EXPECT_TRUE(survives_reading(a, BYTES));
	EXPECT_EQ(place, mremap((__u8 *)a + CHUNK, CHUNK, CHUNK, fixed, place));
	EXPECT_TRUE(survives_reading(place, CHUNK));
	EXPECT_EQ(256 + SIGSEGV, in_child(store, place));
}

TEST_F(mmap, control_pages_do_not_grow)
{
	__u8 *control = map_control(self->k.fd), *pins = map_pins(self->k.fd);

	ASSERT_NE(MAP_FAILED, control);
	EXPECT_EQ(MAP_FAILED, mremap(control, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(control, 0, 2 * PAGE, MREMAP_MAYMOVE));
	EXPECT_TRUE(survives_reading(control, PAGE));
	ASSERT_NE(MAP_FAILED, (void *)pins);
	EXPECT_EQ(MAP_FAILED, mremap(pins, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(pins + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	EXPECT_TRUE(survives_reading(pins, 2 * PAGE));
	/* Either page alone stays what it is. */
	EXPECT_EQ(0, munmap(pins, PAGE));
	EXPECT_TRUE(survives_reading(pins + PAGE, PAGE));
	EXPECT_EQ(0, more_rights_control(pins + PAGE));
}

/* After each the rest still reads. */
TEST_F(mmap, unmaps_whole_chunks_only)
{
	static const size_t bad[][2] = {
		{ 0, PAGE }, { PAGE, PAGE }, { CHUNK - PAGE, 2 * PAGE },
		{ BYTES - PAGE, PAGE }, { CHUNK / 2, CHUNK }, { 0, BYTES - PAGE },
	};
	__u8 *a = self->arena;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-1, munmap(a + bad[i][0], bad[i][1]));
		EXPECT_EQ(-1, mprotect(a + bad[i][0], bad[i][1], PROT_NONE));
		EXPECT_EQ(MAP_FAILED, mmap(a + bad[i][0], bad[i][1], PROT_READ,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
					   -1, 0));
		EXPECT_TRUE(survives_reading(a, BYTES));
	}
	EXPECT_EQ(0, munmap(a + 2 * CHUNK, CHUNK));
	EXPECT_FALSE(survives_reading(a + 2 * CHUNK, PAGE));
	EXPECT_TRUE(survives_reading(a, 2 * CHUNK));
	EXPECT_TRUE(survives_reading(a + 3 * CHUNK, BYTES - 3 * CHUNK));
}

/* @error: -1 for whatever the kernel likes */
static const struct {
	const char *what;
	int advice;
	int error;
} advices[] = {
	{ "NORMAL", MADV_NORMAL, 0 },
	{ "DONTNEED", MADV_DONTNEED, EINVAL },
	{ "FREE", MADV_FREE, EINVAL },
	{ "REMOVE", MADV_REMOVE, EACCES },
	{ "WILLNEED", MADV_WILLNEED, -1 },
	{ "DONTDUMP", MADV_DONTDUMP, 0 },
	{ "DODUMP", MADV_DODUMP, EINVAL },
	{ "MERGEABLE", MADV_MERGEABLE, -1 },
	{ "UNMERGEABLE", MADV_UNMERGEABLE, -1 },
	{ "HUGEPAGE", MADV_HUGEPAGE, -1 },
	{ "NOHUGEPAGE", MADV_NOHUGEPAGE, -1 },
	{ "COLLAPSE", 25, EINVAL },
	{ "COLD", 20, EINVAL },
	{ "PAGEOUT", 21, EINVAL },
	{ "POPULATE_READ", 22, -1 },
	{ "POPULATE_WRITE", 23, -1 },
	{ "DONTNEED_LOCKED", 24, EINVAL },
	{ "WIPEONFORK", MADV_WIPEONFORK, EINVAL },
	{ "KEEPONFORK", MADV_KEEPONFORK, -1 },
	{ "DONTFORK", MADV_DONTFORK, 0 },
	{ "DOFORK", MADV_DOFORK, 0 },
};

TEST_F(mmap, takes_any_advice)
{
	__u8 *control = map_control(self->k.fd);
	struct shelf s = mapped_reader(control, self->arena);
	unsigned int i, part;
	size_t bytes;

	for (i = 0; i < 2 * ARRAY_SIZE(advices); i++) {
		part = i / ARRAY_SIZE(advices);
		bytes = part ? CHUNK : BYTES;
		errno = 0;
		madvise((__u8 *)self->arena + part * CHUNK, bytes,
			advices[i % ARRAY_SIZE(advices)].advice);
		if (advices[i % ARRAY_SIZE(advices)].error >= 0)
			EXPECT_EQ(advices[i % ARRAY_SIZE(advices)].error, errno)
				TH_LOG("%s", advices[i % ARRAY_SIZE(advices)].what);
		madvise(control, PAGE, advices[i % ARRAY_SIZE(advices)].advice);
		touch(self->arena, BYTES);
		EXPECT_EQ(0, count_wrong(&s, 1, 100, 1000, 1))
			TH_LOG("%s", advices[i % ARRAY_SIZE(advices)].what);
	}
	EXPECT_EQ(0, more_rights_arena(self->arena));
	EXPECT_EQ(0, more_rights_control(control));
}

/* What would split or fill it by other names. */
TEST_F(mmap, withstands_the_rest)
{
	__u8 *a = self->arena;
	unsigned long node = 1;
	unsigned char in_core[16];

	mlock(a, BYTES);
	mlock(a + PAGE, PAGE);
	munlock(a + PAGE, PAGE);
	msync(a, BYTES, MS_SYNC | MS_INVALIDATE);
	mincore(a, 16 * PAGE, in_core);
	EXPECT_EQ(-1, syscall(SYS_remap_file_pages, a, CHUNK, 0, 1, 0));
	syscall(SYS_mbind, a + PAGE, PAGE, 2, &node, 8UL, 0);
	syscall(SYS_mbind, a, BYTES, 2, &node, 8UL, 2);
	syscall(SYS_migrate_pages, 0, 8UL, &node, &node);
	posix_fadvise(self->k.fd, 0, 0, POSIX_FADV_WILLNEED);
	posix_fadvise(self->k.fd, 0, 0, POSIX_FADV_DONTNEED);
	EXPECT_NE(0, fallocate(self->k.fd, 0, 0, BYTES));
	EXPECT_NE(0, ftruncate(self->k.fd, 0));
	fsync(self->k.fd);
	sync();
	EXPECT_TRUE(survives_reading(a, BYTES));
	EXPECT_EQ(0, more_rights_arena(a));
}

TEST_HARNESS_MAIN
