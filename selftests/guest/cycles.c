// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Lifetimes (P3, P8): the module is loaded, a shelf created, filled, read, destroyed,
 * the module unloaded, over and over, while readers on the other CPUs open whatever is
 * there, map it, read by both ways, and never ask whether it is going. CYCLES: how
 * often (10); SHELF_KO names the module's file, without which nothing is tried. Of each
 * lifetime all objects have gone before the module does (P4).
 *
 * Seen to fail (the kernel panics) without the reference of an open file on its shelf,
 * shelf_minor_get() in cdev.c; with one chunk that chunk_free() forgets.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/module.h"
#include "lib/objects.h"
#include "lib/harness.h"

#define READERS		2
#define PRODUCTS	100U
#define ATTRS		300U
#define SALT		7U
#define FIRST		1
#define NAME		"cycle"
#define SOON_MS		10000U

/* What the readers have done, in memory that is shared with them. */
struct tally {
	unsigned long opened[READERS];
	unsigned long read[READERS];
	unsigned long wrong[READERS];
};

FIXTURE(cycles)
{
	struct tally *tally;
	pid_t reader[READERS];
	const char *ko;
};

static void add(unsigned long *to, unsigned long n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELEASE);
}

/* A shelf is there before it has been filled. */
static void read_all(struct tally *t, int number, const struct shelf *s)
{
	unsigned int round;

	if (shelf_generation(s) < 2)
		return;
	for (round = 0; round < 3; round++)
		add(&t->wrong[number], count_wrong(s, FIRST, PRODUCTS, ATTRS, SALT));
	add(&t->read[number], 3 * PRODUCTS);
}

/* Mapped, and by ioctl. */
static void reader(struct tally *t, int number)
{
	static const unsigned int flags[] = { 0, SHELF_OPEN_IOCTL };
	struct shelf *s;
	unsigned int i;

	for (i = 0;; i++) {
		if (shelf_open(NAME, flags[i % 2], &s)) {
			usleep(1000);
			continue;
		}
		add(&t->opened[number], 1);
		read_all(t, number, s);
		shelf_close(s);
	}
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE_SETUP(cycles)
{
	int i;

	self->ko = getenv("SHELF_KO");
	self->tally = mmap(NULL, sizeof(*self->tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->tally);
	for (i = 0; i < READERS; i++) {
		self->reader[i] = fork();
		if (self->reader[i])
			continue;
		stay_on(i + 1);
		reader(self->tally, i);
	}
	stay_on(0);
}

static void end_readers(pid_t reader[READERS])
{
	int i;

	for (i = 0; i < READERS; i++) {
		if (reader[i] <= 0)
			continue;
		kill(reader[i], SIGKILL);
		waitpid(reader[i], NULL, 0);
		reader[i] = 0;
	}
}

FIXTURE_TEARDOWN(cycles)
{
	end_readers(self->reader);
	munmap(self->tally, sizeof(*self->tally));
	if (self->ko && access("/sys/module/shelf", F_OK))
		EXPECT_EQ(0, module_load(self->ko));
}

/* Each reader has opened it once more. */
static bool opened_anew(const struct tally *t)
{
	unsigned long before[READERS];
	unsigned int waited, i = 0;

	memcpy(before, t->opened, sizeof(before));
	for (waited = 0; waited < SOON_MS && i < READERS; waited++) {
		for (i = 0; i < READERS; i++)
			if (__atomic_load_n(&t->opened[i], __ATOMIC_ACQUIRE) == before[i])
				break;
		if (i < READERS)
			sleep_ms(1);
	}
	return i == READERS;
}

static int fill(struct kit *k)
{
	const struct shelf_settings settings = {
		.max_bytes = 2 * CHUNK, .quarantine_ms = -1,
	};
	int ret;

	*k = (struct kit) { .name = NAME, .fd = -1 };
	ret = shelf_create(NAME, &settings, NULL);
	if (ret)
		return ret;
	ret = shelf_writer_open(NAME, &k->w, NULL);
	return ret ? ret : put_products(k, FIRST, PRODUCTS, ATTRS, SALT);
}

TEST_F_TIMEOUT(cycles, while_it_is_read, 86400)
{
	const char *asked = getenv("CYCLES");
	unsigned int i, n = asked ? atoi(asked) : 10, uncounted = 0;
	struct objects o;
	struct kit k;

	if (!self->ko)
		SKIP(return, "SHELF_KO is not set");
	ASSERT_EQ(0, module_unload_soon());
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, module_load(self->ko));
		ASSERT_EQ(0, objects_begin());
		ASSERT_EQ(0, fill(&k));
		ASSERT_TRUE(opened_anew(self->tally))
			TH_LOG("cycle %u: the readers don't come", i);
		kit_drop(&k);
		ASSERT_EQ(0, objects_count(&o));
		EXPECT_LT(0, o.seen);
		ASSERT_TRUE(!o.left || o.dropped)
			TH_LOG("cycle %u: some objects are left", i);
		uncounted += !!o.dropped;
		ASSERT_EQ(0, objects_end());
		ASSERT_EQ(0, module_unload_soon());
		if (i % 500 == 499)
			TH_LOG("%u cycles", i + 1);
	}
	end_readers(self->reader);
	EXPECT_GT(2 + n / 20, uncounted);	/* one may be, of few */
	TH_LOG("%u cycles, of which the kernel did not count all of %u", n, uncounted);
	for (i = 0; i < READERS; i++) {
		TH_LOG("reader %u: %lu opens, %lu reads", i, self->tally->opened[i],
		       self->tally->read[i]);
		EXPECT_LE(n, self->tally->opened[i]);
		EXPECT_LT(0, self->tally->read[i]);
		EXPECT_EQ(0, self->tally->wrong[i]);
	}
}

TEST_HARNESS_MAIN
