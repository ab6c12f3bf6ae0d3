// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P8, P2: whatever offset, length, protection, flags, place and descriptor mmap() is
 * given, it maps what abi.md allows and refuses the rest with the error that abi.md
 * names; what was mapped can be read without a signal, shows what the shelf has there
 * and can't be written. refusal() is the kernel's and the device's rules, in their order.
 *
 * One walk takes every offset with every length, protection and type; another, by
 * `--seed N`, goes through all at random, most of what it takes being right.
 *
 * Seen to fail with the length left out of arena_range_ok(), with the address left out of
 * map_arena(), and, in a kernel with init_on_alloc=0, without __GFP_ZERO in CHUNK_GFP:
 * what was marked shows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/probe.h"
#include "lib/harness.h"

#define CHUNKS		6U
#define BYTES		(8 * CHUNK)	/* the reservation is a power of two */
#define HELD		(CHUNKS * CHUNK)
#define ARENA		SHELF_MMAP_ARENA
#define LEAST		100000U
#define RANDOM		20000U
#define TASK_END	((1ULL << 56) - PAGE)	/* no address space is larger */
#define LOW_BYTES	(1ULL << 30)	/* what MAP_32BIT has to give */
#define AWAY		((__u8 *)(1ULL << 44))	/* nothing is here, nor in 2^41 bytes behind */
#define UNKNOWN		(1 << 23)	/* a flag that nobody has */
#define PROTS		(PROT_READ | PROT_WRITE | PROT_EXEC)

static __u64 seed;

/* Where something begins or ends: in the file, and of numbers. */
static const __u64 borders[] = {
	0, PAGE, 2 * PAGE, ARENA, ARENA + CHUNK, ARENA + HELD, ARENA + BYTES - CHUNK,
	ARENA + BYTES, ARENA + 2 * BYTES, 1ULL << 32, 1ULL << 43, 1ULL << 63,
	(1ULL << 63) - PAGE, -(__u64)CHUNK, -(__u64)PAGE,
};

static const __s64 beside[] = {
	0, 1, -1, PAGE, -(__s64)PAGE, CHUNK, -(__s64)CHUNK, CHUNK / 2,
};

static const __u64 lengths[] = {
	PAGE, CHUNK, 2 * PAGE, BYTES, PAGE - 1, CHUNK - 1, BYTES - CHUNK, 2 * CHUNK,
	0, 1, PAGE + 1, 2 * PAGE + 1, 3 * PAGE, CHUNK - PAGE, CHUNK + 1, CHUNK + PAGE,
	BYTES - PAGE, BYTES + 1, BYTES + PAGE, BYTES + CHUNK, 1ULL << 40, 1ULL << 56,
	-(__u64)CHUNK, -(__u64)PAGE, 1 - (__u64)PAGE, -1ULL,
};

#define GOOD_LENGTHS	8U
/* To the very end of all numbers, and a page less and more. */
static const __s64 to_wrap[] = { 0, -(__s64)PAGE, PAGE };

static const int types[] = {
	MAP_SHARED, MAP_SHARED_VALIDATE, MAP_PRIVATE, 0, 4, 15,
};

static const int extras[] = {
	0, MAP_POPULATE, MAP_LOCKED, MAP_NORESERVE, MAP_32BIT, MAP_STACK, MAP_DENYWRITE,
	MAP_POPULATE | MAP_NONBLOCK, MAP_GROWSDOWN, MAP_HUGETLB, MAP_SYNC, UNKNOWN,
};

#define GOOD_EXTRAS	8U

/* PROT_SEM, and words of mprotect() that mmap() doesn't look at. */
static const int more_prots[] = { 0, 8, PROT_GROWSDOWN, PROT_GROWSUP };

static const struct spot {
	__u64 at;
	int flags;
	bool taken;
} spots[] = {
	{ 0, 0, false },
	{ (__u64)AWAY, 0, false },
	{ (__u64)AWAY + PAGE, 0, false },
	{ (__u64)AWAY + 3, 0, false },
	{ (__u64)AWAY, MAP_FIXED, false },
	{ (__u64)AWAY, MAP_FIXED_NOREPLACE, false },
	{ (__u64)AWAY + PAGE, MAP_FIXED, false },
	{ (__u64)AWAY + CHUNK / 2, MAP_FIXED, false },
	{ (__u64)AWAY + CHUNK - PAGE, MAP_FIXED_NOREPLACE, false },
	{ (__u64)AWAY + 3, MAP_FIXED, false },
	{ TASK_END, MAP_FIXED, false },
	{ TASK_END + PAGE, MAP_FIXED, false },
	{ -(__u64)PAGE, MAP_FIXED, false },
	{ (__u64)AWAY - CHUNK, MAP_FIXED_NOREPLACE, true },
};

enum { FD_DEVICE, FD_SECOND, FD_REOPENED, FD_PATH, FD_NONE, FDS };

/**
 * struct ask - one call
 * @which: of the descriptors
 */
struct ask {
	__u64 offset;
	__u64 len;
	int prot;
	int flags;
	const struct spot *spot;
	int which;
};

FIXTURE(mapping)
{
	struct kit k;
	struct sight now;
	struct sight was;
	int fd[FDS];
	bool noexec;
	__u64 memory;
	unsigned int asked;
	unsigned int granted;
	unsigned int wrong;
	__u64 began;
};

static bool open_all(int fd[FDS], const struct kit *k)
{
	char path[64], own[64];

	snprintf(path, sizeof(path), "/dev/shelf/%s", k->name);
	snprintf(own, sizeof(own), "/proc/self/fd/%d", k->fd);
	fd[FD_DEVICE] = k->fd;
	fd[FD_SECOND] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	fd[FD_REOPENED] = open(own, O_RDONLY | O_CLOEXEC);
	fd[FD_PATH] = open(path, O_PATH | O_CLOEXEC);
	fd[FD_NONE] = 999;
	return fd[FD_SECOND] >= 0 && fd[FD_REOPENED] >= 0 && fd[FD_PATH] >= 0;
}

FIXTURE_SETUP(mapping)
{
	const __u64 sown = 7;
	const struct shelf_settings settings = {
		.max_bytes = HELD, .quarantine_ms = 0, .seed = &sown,
	};
	struct statvfs fs;
	struct sysinfo info;

	self->began = now_ns();
	probe_init();
	ASSERT_LT(0, mark_memory());
	ASSERT_EQ(0, kit_make_as(&self->k, "mapping", &settings));
	ASSERT_EQ(BYTES, self->k.arena_bytes);
	ASSERT_EQ(0, put_products(&self->k, 1, 200, 20000, 1));
	ASSERT_TRUE(open_all(self->fd, &self->k));
	ASSERT_EQ(0, sight_map(&self->now, &self->k));
	ASSERT_TRUE(sight_copy(&self->was, &self->now));
	ASSERT_EQ(0, fstatvfs(self->k.fd, &fs));
	ASSERT_EQ(0, sysinfo(&info));
	self->noexec = fs.f_flag & ST_NOEXEC;
	self->memory = (info.totalram + info.totalswap) * (__u64)info.mem_unit;
	/* For MAP_FIXED_NOREPLACE. */
	ASSERT_NE(MAP_FAILED, mmap(AWAY - CHUNK, PAGE, PROT_NONE, MAP_PRIVATE | MAP_FIXED |
				   MAP_ANONYMOUS, -1, 0));
}

FIXTURE_TEARDOWN(mapping)
{
	struct shelf s = mapped_reader(self->now.control, self->now.arena);

	EXPECT_TRUE(sight_same(&self->now, &self->was));
	EXPECT_EQ(0, count_wrong(&s, 1, 200, 20000, 1));
	kit_drop(&self->k);
}

/*
 * The oracle
 * ==========
 */
static bool fixed(const struct ask *q)
{
	return q->spot->flags;
}

static int refused_place(const struct ask *q, __u64 len)
{
	__u64 at = q->spot->at, pad = q->offset >= ARENA ? CHUNK : 0;

	if (len > TASK_END)
		return -ENOMEM;
	if (!fixed(q))
		return q->flags & MAP_32BIT && len + pad > LOW_BYTES ? -ENOMEM : 0;
	if (at > TASK_END - len)
		return -ENOMEM;
	if (at % PAGE)
		return -EINVAL;
	return q->spot->taken ? -EEXIST : 0;
}

/* What the kernel says of flags and protections of a file that is open for reading. */
static int refused_kind(const struct ask *q, bool noexec)
{
	int type = q->flags & MAP_TYPE, strange = q->flags & (MAP_SYNC | UNKNOWN);
	bool strict = type == MAP_SHARED_VALIDATE, shared = strict || type == MAP_SHARED;

	if (!shared && type != MAP_PRIVATE)
		return -EINVAL;
	if (strict && (strange || q->spot->flags & MAP_FIXED_NOREPLACE))
		return -EOPNOTSUPP;
	if (shared && q->prot & PROT_WRITE)
		return -EACCES;
	if (noexec && q->prot & PROT_EXEC)
		return -EPERM;
	return q->flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

/* abi.md, section mmap. */
static int refused_by_device(const struct ask *q, __u64 len)
{
	__u64 from = q->offset - ARENA;

	if (q->prot & (PROT_WRITE | PROT_EXEC))
		return -EACCES;
	if ((q->flags & MAP_TYPE) == MAP_PRIVATE)
		return -EINVAL;
	if (!q->offset)
		return len <= 2 * PAGE ? 0 : -EINVAL;
	if (q->offset < ARENA || from % CHUNK || len % CHUNK)
		return -EINVAL;
	if (from >= BYTES || len > BYTES - from)
		return -EINVAL;
	return fixed(q) && q->spot->at % CHUNK ? -EINVAL : 0;
}

/* What can't be had is refused before the device is asked: private pages. */
static bool too_much(const struct ask *q, __u64 len, __u64 memory)
{
	return (q->flags & MAP_TYPE) == MAP_PRIVATE && q->prot & PROT_WRITE &&
	       !(q->flags & MAP_NORESERVE) && len > memory;
}

static int refusal(FIXTURE_DATA(mapping) *self, const struct ask *q)
{
	__u64 len = (q->len + PAGE - 1) & ~(PAGE - 1);
	int ret;

	if (q->offset % PAGE)
		return -EINVAL;
	if (q->which >= FD_PATH)
		return -EBADF;
	if (q->flags & MAP_HUGETLB || !q->len)
		return -EINVAL;
	if (!len)
		return -ENOMEM;
	ret = refused_place(q, len);
	if (ret)
		return ret;
	if (q->offset / PAGE > (-1ULL - len) / PAGE)
		return -EOVERFLOW;
	ret = refused_kind(q, self->noexec);
	if (ret)
		return ret;
	return too_much(q, len, self->memory) ? -ENOMEM : refused_by_device(q, len);
}

/*
 * What was mapped
 * ===============
 */
static unsigned int wrong_page(const struct sight *was, const struct ask *q,
			       __u8 *at, __u64 off)
{
	if (!(q->prot & PROT_READ))
		return readable(at + off);
	return !readable(at + off) || !page_same(was, at + off, q->offset + off);
}

/* Nor does what was asked for reach any further. */
static unsigned int wrong_mapping(FIXTURE_DATA(mapping) *self, const struct ask *q, __u8 *at)
{
	__u64 len = (q->len + PAGE - 1) & ~(PAGE - 1);
	unsigned int n = wrong_page(&self->was, q, at, 0);

	n += wrong_page(&self->was, q, at, len - PAGE);
	n += wrong_page(&self->was, q, at, walk_next(&seed) % (len / PAGE) * PAGE);
	n += q->offset >= ARENA && (uintptr_t)at % CHUNK;
	n += fixed(q) && (at != (void *)q->spot->at || mapped(at + len));
	n += !mprotect(at, len, PROT_READ | PROT_WRITE) || errno != EACCES;
	n += !mprotect(at, len, PROT_READ | PROT_EXEC);
	n += writable(at + len - PAGE);
	return n;
}

static void ask(FIXTURE_DATA(mapping) *self, const struct ask *q)
{
	int due = refusal(self, q);
	void *at = (void *)syscall(SYS_mmap, q->spot->at, q->len, q->prot,
				   q->flags | q->spot->flags, self->fd[q->which], q->offset);
	int got = at == MAP_FAILED ? -errno : 0;
	bool bad = got != due || (!got && wrong_mapping(self, q, at));

	self->asked++;
	if (!got) {
		self->granted++;
		munmap(at, q->len);
	}
	if (bad && self->wrong++ < 20)
		printf("# offset %#llx len %#llx prot %#x flags %#x at %#llx fd %d: %s, due %s\n",
		       q->offset, q->len, q->prot, q->flags | q->spot->flags,
		       (unsigned long long)q->spot->at, q->which,
		       got ? strerror(-got) : "mapped", due ? strerror(-due) : "mapped");
}

/*
 * The walks
 * =========
 */
#define OFFSETS	(ARRAY_SIZE(borders) * ARRAY_SIZE(beside))
#define LENGTHS	(ARRAY_SIZE(lengths) + ARRAY_SIZE(to_wrap))

static __u64 offset_of(unsigned int i)
{
	return borders[i / ARRAY_SIZE(beside)] + beside[i % ARRAY_SIZE(beside)];
}

static __u64 length_of(unsigned int i, __u64 offset)
{
	if (i < ARRAY_SIZE(lengths))
		return lengths[i];
	return to_wrap[i - ARRAY_SIZE(lengths)] - offset;
}

static void every_protection(FIXTURE_DATA(mapping) *self, __u64 offset, __u64 len)
{
	struct ask q = { .offset = offset, .len = len, .spot = spots };
	unsigned int type;

	for (q.prot = 0; q.prot <= PROTS; q.prot++) {
		for (type = 0; type < 3; type++) {
			q.flags = types[type];
			ask(self, &q);
		}
	}
}

static void every_range(FIXTURE_DATA(mapping) *self)
{
	unsigned int i, j;

	for (i = 0; i < OFFSETS; i++)
		for (j = 0; j < LENGTHS; j++)
			every_protection(self, offset_of(i), length_of(j, offset_of(i)));
}

/* One of @n, of the @good first of them as a rule. */
static unsigned int pick(unsigned int good, unsigned int n)
{
	__u64 r = walk_next(&seed);

	return (r >> 32) % ((r & 7) ? good : n);
}

static __u64 pick_offset(void)
{
	__u64 r = walk_next(&seed);

	if (r & 3)
		return r & 4 ? 0 : ARENA + (r >> 8) % (BYTES / CHUNK) * CHUNK;
	return offset_of((r >> 8) % OFFSETS);
}

static struct ask pick_ask(void)
{
	__u64 offset = pick_offset();

	return (struct ask){
		.offset = offset,
		.len = length_of(pick(GOOD_LENGTHS, LENGTHS), offset),
		.prot = pick(2, PROTS + 1) | more_prots[pick(2, ARRAY_SIZE(more_prots))],
		.flags = types[pick(2, ARRAY_SIZE(types))] |
			 extras[pick(GOOD_EXTRAS, ARRAY_SIZE(extras))],
		.spot = &spots[pick(6, ARRAY_SIZE(spots))],
		.which = pick(FD_PATH, FDS),
	};
}

static void told(FIXTURE_DATA(mapping) *self, const char *walk)
{
	printf("# %s: %u combinations, %u mapped, %u wrong, %llu ms\n", walk, self->asked,
	       self->granted, self->wrong, (now_ns() - self->began) / 1000000);
}

TEST_F_TIMEOUT(mapping, is_as_it_should_be, 1500)
{
	unsigned int i, granted;
	struct ask q;

	told(self, "begins");
	every_range(self);
	told(self, "every range");
	EXPECT_LT(100, self->granted);
	granted = self->granted;
	for (i = 0; i < RANDOM; i++) {
		q = pick_ask();
		ask(self, &q);
	}
	told(self, "and at random");
	EXPECT_LT(RANDOM / 20, self->granted - granted);
	EXPECT_EQ(0, self->wrong);
	EXPECT_LE(LEAST, self->asked);
}

int main(int argc, char **argv)
{
	seed = walk_seed(&argc, argv);
	return test_harness_run(argc, argv);
}
