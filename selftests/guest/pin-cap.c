// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P4: pins keep no more than the shelf allows, of them the one that keeps most ends
 * first, and no commit fails for them, however full the shelf is.
 *
 * Seen to fail with the pin that holds least in holds_most(), and without pins_squeeze()
 * in reclaim_hard(). Without may_pin_again(), who pins again and again keeps a writer in
 * pins_squeeze() for ever.
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/dev.h"
#include "lib/pins.h"
#include "lib/world.h"
#include "lib/harness.h"

#define CHUNKS		64U
#define MS		1000000ULL
#define HOUR		(3600000 * MS)
#define SOON_MS		10000		/* a worker under emulation is slow */

FIXTURE(pin_cap)
{
	struct kit k;
	int fd;
};

FIXTURE_SETUP(pin_cap)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .pin_bytes = CHUNKS * CHUNK,
	};

	ASSERT_EQ(0, world_make(&self->k, "pin_cap", &settings));
	self->fd = self->k.fd;
}

FIXTURE_TEARDOWN(pin_cap)
{
	kit_drop(&self->k);
}

static int set_pin_bytes(const struct kit *k, __u64 bytes)
{
	const struct shelf_settings settings = { .quarantine_ms = -1, .pin_bytes = bytes };

	return shelf_set(k->name, &settings, NULL);
}

struct cap {
	struct shelf_ioc_pin most;	/* nothing of it is in the newest any more */
	struct shelf_ioc_pin some;
	struct shelf_ioc_pin none;	/* the newest */
	int fd[3];
};

static int cap_set_up(struct kit *k, struct cap *c)
{
	unsigned int i;
	int ret;

	for (i = 0; i < 3; i++)
		c->fd[i] = kit_open(k);
	ret = pin_take(c->fd[0], 0, HOUR, &c->most);
	ret = ret ?: put_worlds(k, 4);
	ret = ret ?: pin_take(c->fd[1], 0, HOUR, &c->some);
	ret = ret ?: put_worlds(k, 1);
	ret = ret ?: pin_take(c->fd[2], 0, HOUR, &c->none);
	return ret ?: (int)sysfs_await(k->name, "bytes_quarantined", 0);
}

TEST_F(pin_cap, most_goes_first)
{
	struct cap c;
	long long kept;

	ASSERT_EQ(0, cap_set_up(&self->k, &c));
	kept = value(&self->k, "bytes_pinned");
	ASSERT_EQ(0, set_pin_bytes(&self->k, kept));
	sleep_ms(100);
	EXPECT_EQ(3, value(&self->k, "pins"));
	ASSERT_EQ(0, set_pin_bytes(&self->k, kept - 1));
	EXPECT_TRUE(told(c.fd[0], SOON_MS));
	EXPECT_EQ(0, not_stale(c.fd[0], c.most.pin));
	sleep_ms(300);
	EXPECT_EQ(1, value(&self->k, "revoked_pins"));
	EXPECT_EQ(0, world_wrong_by_ioctl(c.fd[1], c.some.pin, c.some.generation));
	EXPECT_EQ(0, world_wrong_by_ioctl(c.fd[2], c.none.pin, c.none.generation));
	EXPECT_GT(kept / 2, value(&self->k, "bytes_pinned"));
	ASSERT_EQ(0, set_pin_bytes(&self->k, 1));
	EXPECT_TRUE(told(c.fd[1], SOON_MS));
	EXPECT_EQ(0, sysfs_await(self->k.name, "bytes_pinned", 0));
	EXPECT_EQ(0, world_wrong_by_ioctl(c.fd[2], c.none.pin, c.none.generation));
	EXPECT_EQ(2, value(&self->k, "revoked_pins"));
	close(c.fd[0]);
	close(c.fd[1]);
	close(c.fd[2]);
}

/* A small shelf of its own. */
static int small_shelf(struct kit *k, long long quarantine_ms)
{
	const struct shelf_settings settings = {
		.max_bytes = 2 * CHUNK, .quarantine_ms = quarantine_ms,
		.pin_bytes = SHELF_MAX_BYTES,
	};

	return world_make(k, "small", &settings);
}

#define FILLING		40

/* Each commit finds that the one before it is pinned, twice. */
static int fill_with_pins(struct kit *k, unsigned int *pinned)
{
	int ret = 0, fd[FILLING];
	unsigned int i;

	for (i = 0; i < FILLING && !ret; i++) {
		fd[i] = kit_open(k);
		*pinned += !pin_take(fd[i], 0, HOUR, NULL) && !pin_take(fd[i], 0, HOUR, NULL);
		ret = world_put(k);
	}
	while (i--)
		close(fd[i]);
	return ret;
}

TEST_F_TIMEOUT(pin_cap, nearly_full, 480)
{
	static const long long quarantines[] = { 0, 1000, 3600000 };
	unsigned int i, pinned;
	struct kit k;

	for (i = 0; i < ARRAY_SIZE(quarantines); i++) {
		ASSERT_EQ(0, small_shelf(&k, quarantines[i]));
		pinned = 0;
		EXPECT_EQ(0, fill_with_pins(&k, &pinned))
			TH_LOG("quarantine %lld", quarantines[i]);
		EXPECT_EQ(FILLING, pinned);
		EXPECT_LT(0, value(&k, "revoked_pins"));
		EXPECT_EQ(0, world_wrong_by_ioctl(k.fd, 0, WORLD_FIRST + FILLING));
		EXPECT_EQ(0, value(&k, "refused_batches"));
		kit_drop(&k);
	}
}

/*
 * Readers that mean no good
 * =========================
 *
 * They take pins of whatever generation they can still have, as fast as they can, and
 * so come between the end of a pin and the reuse of what it kept.
 */
struct pinner {
	const char *name;
	__u64 taken;
	bool stop;
};

static void *pin_all_the_time(void *arg)
{
	struct pinner *p = arg;
	int fd = dev_open(p->name, O_RDONLY);
	struct shelf_ioc_pin q;
	__u64 g;

	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
		for (g = dev_generation(fd); g >= WORLD_FIRST; g--)
			if (!pin_take(fd, g, HOUR, &q)) {
				__atomic_add_fetch(&p->taken, 1, __ATOMIC_RELAXED);
				pin_drop(fd, q.pin);
			}
	}
	close(fd);
	return NULL;
}

TEST_F_TIMEOUT(pin_cap, nearly_full_of_the_unkind, 480)
{
	pthread_t thread[2];
	struct pinner p = { 0 };
	unsigned int i, pinned = 0;
	struct kit k;

	ASSERT_EQ(0, small_shelf(&k, 0));
	p.name = k.name;
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, pin_all_the_time, &p));
	EXPECT_EQ(0, fill_with_pins(&k, &pinned));
	__atomic_store_n(&p.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	EXPECT_LT(FILLING, p.taken);
	EXPECT_LT(0, value(&k, "revoked_pins"));
	EXPECT_EQ(0, value(&k, "refused_batches"));
	EXPECT_TRUE(nothing_kept(&k));
	kit_drop(&k);
}

TEST_HARNESS_MAIN
