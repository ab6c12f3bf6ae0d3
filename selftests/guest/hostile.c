// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P4: readers that pin as much and as often as they can, map everything and never
 * let go, under several users. Every commit succeeds, memory stays within the cap,
 * what pins keep within theirs, and another reader reads on.
 *
 *   HOSTILE_SECONDS=600 hostile	for longer than the ten seconds of a test run
 *
 * Tells commit times beside a run without them, processors kept as busy: under an
 * emulator that says little, and is not judged.
 *
 * Seen to fail with pins_check() that never looks at the cap (cap), and with
 * reclaim_hard() without pins_squeeze() (no_cap: commits are refused).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/harness.h"

#define COUNT		8000U
#define DELTA		400U
#define ATTRS		200U
#define USERS		3U
#define FILES		5U
#define COMMITS_MIN	60U
#define COMMITS_MAX	100000U

FIXTURE(hostile)
{
	struct kit k;
	pid_t pid[USERS];
	int *go;
};

FIXTURE_VARIANT(hostile)
{
	unsigned int chunks;
	__u64 pin_bytes;
};

FIXTURE_VARIANT_ADD(hostile, cap)
{
	.chunks = 12, .pin_bytes = 1ULL << 20,
};

/* Nothing but the shelf's memory is the limit, and that is short. */
FIXTURE_VARIANT_ADD(hostile, no_cap)
{
	.chunks = 3, .pin_bytes = 3 * CHUNK,
};

/* One pin more of a file, whatever becomes of it; says if there was room. */
static bool pin_once(int fd)
{
	struct shelf_ioc_pin q = { .size = sizeof(q), .lease_ns = ~0ULL };

	return !ioctl(fd, SHELF_IOC_PIN, &q);
}

/*
 * Pins until it is refused. What is revoked takes its place in the file until it is
 * unpinned, so that a file that has no room is thrown away now and then, but not
 * before the next one is open.
 */
static void hold_on(struct kit *k, int *fd, unsigned int round)
{
	unsigned int i = round % FILES;
	void *at;

	while (pin_once(fd[i]))
		;
	at = map_arena(fd[i], k->arena_bytes);
	if (at != MAP_FAILED)
		touch(at, k->arena_bytes);
	if (round % 7 == 6) {
		int next = kit_open(k);

		if (at != MAP_FAILED)
			munmap(at, k->arena_bytes);
		close(fd[i]);
		fd[i] = next;
	}
}

static int hostile(struct kit *k, uid_t uid, const int *go)
{
	unsigned int round = 0, i;
	int fd[FILES];

	for (i = 0; i < FILES; i++)
		fd[i] = kit_open(k);
	if (setuid(uid))
		return 2;
	for (;;) {
		if (__atomic_load_n(go, __ATOMIC_RELAXED))
			hold_on(k, fd, round++);
	}
}

FIXTURE_SETUP(hostile)
{
	const struct shelf_settings s = {
		.quarantine_ms = 20, .pin_bytes = variant->pin_bytes,
	};
	char path[64];
	unsigned int i;

	ASSERT_EQ(0, kit_make(&self->k, "hostile", variant->chunks));
	ASSERT_EQ(0, shelf_set(self->k.name, &s, NULL));
	snprintf(path, sizeof(path), "/dev/shelf/%s", self->k.name);
	ASSERT_EQ(0, chmod(path, 0644));
	ASSERT_EQ(0, put_products(&self->k, 0, COUNT, ATTRS, 1));
	self->go = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->go);
	for (i = 0; i < USERS; i++) {
		self->pid[i] = fork();
		if (!self->pid[i])
			_exit(hostile(&self->k, 1000 + i, self->go));
	}
}

FIXTURE_TEARDOWN(hostile)
{
	unsigned int i;

	for (i = 0; i < USERS; i++) {
		kill(self->pid[i], SIGKILL);
		waitpid(self->pid[i], NULL, 0);
	}
	EXPECT_EQ(0, sysfs_await(self->k.name, "pins", 0));
	EXPECT_EQ(0, sysfs_await(self->k.name, "bytes_pinned", 0));
	kit_drop(&self->k);
}

struct tally {
	__u64 ns[COMMITS_MAX];
	unsigned int commits;
	unsigned int refused;
	unsigned int wrong;
	long long most_pinned;
	long long most_held;
};

static int by_value(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static double median_ms(struct tally *t)
{
	qsort(t->ns, t->commits, sizeof(t->ns[0]), by_value);
	return t->commits ? t->ns[t->commits / 2] / 1e6 : 0;
}

static void look(struct kit *k, struct tally *t)
{
	long long pinned = sysfs_value(k->name, "bytes_pinned");
	long long held = sysfs_value(k->name, "bytes");

	t->most_pinned = pinned > t->most_pinned ? pinned : t->most_pinned;
	t->most_held = held > t->most_held ? held : t->most_held;
}

/* Commits of a part of the products, and a reader's look at them after each. */
static void run(struct kit *k, struct shelf *s, double seconds, struct tally *t)
{
	__u64 end = now_ns() + (__u64)(seconds * 1e9), begin;
	unsigned int first;

	while ((now_ns() < end || t->commits < COMMITS_MIN) && t->commits < COMMITS_MAX) {
		first = t->commits * DELTA % COUNT;
		begin = now_ns();
		t->refused += put_products(k, first, DELTA, ATTRS, t->commits) != 0;
		t->ns[t->commits++] = now_ns() - begin;
		t->wrong += count_wrong(s, first, 5, ATTRS, t->commits - 1);
		look(k, t);
	}
}

TEST_F_TIMEOUT(hostile, hurts_nobody, 1500)
{
	const char *seconds = getenv("HOSTILE_SECONDS");
	double half = seconds ? strtod(seconds, NULL) / 2 : 5;
	static struct tally without, with;
	struct shelf *s;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &s));
	run(&self->k, s, half, &without);
	__atomic_store_n(self->go, 1, __ATOMIC_RELAXED);
	run(&self->k, s, half, &with);
	EXPECT_EQ(0, without.refused + with.refused);
	EXPECT_EQ(0, without.wrong + with.wrong);
	EXPECT_LT(0, with.most_pinned);
	/* What one commit adds may be there before the cap is looked at. */
	EXPECT_GE(variant->pin_bytes + (2 << 20), with.most_pinned);
	EXPECT_GE(variant->chunks * CHUNK, with.most_held);
	EXPECT_LT(0, sysfs_value(self->k.name, "revoked_pins"));
	TH_LOG("%u commits of %.1f ms, %u of %.1f ms beside hostile readers; %lld pins revoked, %lld bytes kept at most",
	       without.commits, median_ms(&without), with.commits, median_ms(&with),
	       sysfs_value(self->k.name, "revoked_pins"), with.most_pinned);
	shelf_close(s);
}

TEST_HARNESS_MAIN
