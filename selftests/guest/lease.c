// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P4: who pins holds no memory for longer than the lease. P3: a revoked pin says so
 * before a byte of its snapshot is reused, to mappings and in ioctls alike.
 *
 * Seen to fail with a token that stays in pin_end(); leases_check() that looks at pins
 * which keep nothing; without the wake-up in upkeep_end(); without the longest lease in
 * pin_lease_end(); and with POLLPRI of pins that are valid. Without may_pin_again(),
 * renewing prolongs.
 */
#include <errno.h>
#include <unistd.h>

#include "lib/pins.h"
#include "lib/world.h"
#include "lib/harness.h"

#define CHUNKS		64U
#define MS		1000000ULL
#define HOUR		(3600000 * MS)
#define SOON_MS		10000		/* a worker under emulation is slow */

FIXTURE(lease)
{
	struct kit k;
	int fd;
	const struct shelf_pins *page;
};

FIXTURE_SETUP(lease)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .pin_bytes = CHUNKS * CHUNK,
	};

	ASSERT_EQ(0, world_make(&self->k, "lease", &settings));
	self->fd = self->k.fd;
	self->page = pins_map(self->fd);
	ASSERT_NE(NULL, self->page);
}

FIXTURE_TEARDOWN(lease)
{
	kit_drop(&self->k);
}

static int set_lease_max(const struct kit *k, __u32 ms)
{
	const struct shelf_settings settings = { .quarantine_ms = -1, .lease_max_ms = ms };

	return shelf_set(k->name, &settings, NULL);
}

TEST_F(lease, over_is_revoked)
{
	const __u64 lease = 700 * MS;
	__u64 begun = now_ns(), took;
	struct shelf_ioc_pin q;

	ASSERT_EQ(0, pin_take(self->fd, 0, lease, &q));
	EXPECT_EQ(lease, q.lease_ns);
	ASSERT_EQ(0, world_put(&self->k));
	/* No commit comes to do it, and poll() is asleep. */
	EXPECT_TRUE(told(self->fd, SOON_MS));
	took = now_ns() - begun;
	EXPECT_LE(lease, took);
	EXPECT_GT(lease + 5000 * MS, took);
	EXPECT_FALSE(pin_shown(self->page, q.pin));
	EXPECT_EQ(0, pins_shown(self->page));
	EXPECT_EQ(0, not_stale(self->fd, q.pin));
	EXPECT_EQ(0, value(&self->k, "pins"));
	EXPECT_EQ(1, value(&self->k, "revoked_pins"));
	EXPECT_EQ(0, sysfs_await(self->k.name, "bytes_pinned", 0));
	EXPECT_TRUE(told(self->fd, 0));
	EXPECT_EQ(-ESTALE, pin_drop(self->fd, q.pin));
	EXPECT_FALSE(told(self->fd, 0));
	EXPECT_EQ(-EINVAL, pin_drop(self->fd, q.pin));
}

/* What is no longer valid may read as anything, but reading it does no harm. */
TEST_F(lease, reading_on_is_harmless)
{
	struct shelf_ioc_info info;
	struct shelf_product p;
	struct shelf_pin pin;
	unsigned int i;
	struct shelf *s;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &s));
	ASSERT_EQ(0, shelf_pin(s, 0, 100 * MS, &pin));
	EXPECT_EQ(0, world_wrong_in_place(&pin) && shelf_pin_valid(&pin));
	ASSERT_EQ(0, world_put(&self->k));
	EXPECT_TRUE(told(s->fd, SOON_MS));
	EXPECT_FALSE(shelf_pin_valid(&pin));
	EXPECT_FALSE(shelf_pin_check(&pin));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, world_put(&self->k));
		EXPECT_LT(0, world_wrong_in_place(&pin));
		EXPECT_LT(0, world_wrong(&pin));
		EXPECT_EQ(-ESTALE, shelf_pin_get(&pin, 1, &p, NULL, 0));
		EXPECT_EQ(-ESTALE, shelf_pin_info(&pin, &info));
	}
	EXPECT_EQ(-ESTALE, shelf_unpin(&pin));
	shelf_close(s);
}

/* Only what it costs to keep it ends a pin. */
TEST_F(lease, over_but_keeps_nothing)
{
	struct shelf_ioc_pin q;
	struct shelf_batch *b;

	ASSERT_EQ(0, pin_take(self->fd, 0, 1, &q));
	EXPECT_EQ(1, q.lease_ns);
	sleep_ms(200);
	ASSERT_EQ(0, set_lease_max(&self->k, 1));
	sleep_ms(200);
	EXPECT_TRUE(pin_shown(self->page, q.pin));
	EXPECT_FALSE(told(self->fd, 0));
	EXPECT_EQ(0, world_info(self->fd, q.pin, 2));
	ASSERT_EQ(0, shelf_batch_begin(self->k.w, &b, NULL));
	ASSERT_EQ(0, shelf_batch_commit(b, NULL, NULL, NULL));
	EXPECT_TRUE(told(self->fd, SOON_MS));
	EXPECT_EQ(-ESTALE, pin_drop(self->fd, q.pin));
}

/* In quarantine it would be there anyway. */
TEST_F(lease, over_in_quarantine)
{
	struct shelf_settings settings = { .quarantine_ms = 3600000 };
	struct shelf_ioc_pin q;

	ASSERT_EQ(0, shelf_set(self->k.name, &settings, NULL));
	ASSERT_EQ(0, pin_take(self->fd, 0, 1, &q));
	ASSERT_EQ(0, put_worlds(&self->k, 5));
	sleep_ms(300);
	EXPECT_EQ(0, world_wrong_by_ioctl(self->fd, q.pin, 2));
	EXPECT_EQ(0, value(&self->k, "bytes_pinned"));
	settings.quarantine_ms = 0;
	ASSERT_EQ(0, shelf_set(self->k.name, &settings, NULL));
	EXPECT_TRUE(told(self->fd, SOON_MS));
}

TEST_F(lease, only_the_one_that_is_over)
{
	struct shelf_ioc_pin stays, goes, other;
	int fd = kit_open(&self->k);

	ASSERT_EQ(0, pin_take(fd, 0, HOUR, &stays));
	ASSERT_EQ(0, pin_take(self->fd, 0, 500 * MS, &goes));
	ASSERT_EQ(0, world_put(&self->k));
	ASSERT_EQ(0, pin_take(fd, 0, HOUR, &other));
	ASSERT_EQ(0, put_worlds(&self->k, 4));
	EXPECT_TRUE(told(self->fd, SOON_MS));
	EXPECT_FALSE(pin_shown(self->page, goes.pin));
	EXPECT_FALSE(told(fd, 0));
	EXPECT_EQ(1, value(&self->k, "revoked_pins"));
	EXPECT_EQ(0, world_wrong_by_ioctl(fd, stays.pin, 2));
	EXPECT_EQ(0, world_wrong_by_ioctl(fd, other.pin, 3));
	close(fd);
	EXPECT_TRUE(nothing_kept(&self->k));
}

/* By name, when what it keeps has been kept for somebody else for long. */
TEST_F(lease, over_of_a_latecomer)
{
	int fd = kit_open(&self->k);
	struct shelf_ioc_pin q;

	ASSERT_EQ(0, pin_take(fd, 0, HOUR, NULL));
	ASSERT_EQ(0, put_worlds(&self->k, 2));
	EXPECT_EQ(0, sysfs_await(self->k.name, "bytes_quarantined", 0));
	ASSERT_EQ(0, pin_take(self->fd, 2, 200 * MS, &q));
	EXPECT_TRUE(told(self->fd, SOON_MS));
	EXPECT_FALSE(told(fd, 0));
	close(fd);
}

/*
 * The longest lease
 * =================
 */
TEST_F(lease, longer_than_any)
{
	const struct shelf_settings settings = { .quarantine_ms = -1, .lease_ms = 300 };
	struct shelf_ioc_pin q;

	ASSERT_EQ(0, pin_take(self->fd, 0, 0, &q));
	EXPECT_EQ(60000 * MS, q.lease_ns);
	ASSERT_EQ(0, pin_take(self->fd, 0, 2 * HOUR, &q));
	EXPECT_EQ(HOUR, q.lease_ns);
	ASSERT_EQ(0, shelf_set(self->k.name, &settings, NULL));
	ASSERT_EQ(0, pin_take(self->fd, 0, 0, &q));
	EXPECT_EQ(300 * MS, q.lease_ns);
	ASSERT_EQ(0, set_lease_max(&self->k, 200));
	ASSERT_EQ(0, pin_take(self->fd, 0, HOUR, &q));
	EXPECT_EQ(200 * MS, q.lease_ns);
	ASSERT_EQ(0, pin_take(self->fd, 0, 0, &q));
	EXPECT_EQ(200 * MS, q.lease_ns);
	ASSERT_EQ(0, world_put(&self->k));
	EXPECT_EQ(5, sysfs_await(self->k.name, "revoked_pins", 5));
}

/* What was granted before ends as well. */
TEST_F(lease, longest_is_shortened)
{
	struct shelf_ioc_pin q;

	ASSERT_EQ(0, pin_take(self->fd, 0, HOUR, &q));
	ASSERT_EQ(0, put_worlds(&self->k, 5));
	EXPECT_FALSE(told(self->fd, 300));
	EXPECT_EQ(0, world_wrong_by_ioctl(self->fd, q.pin, 2));
	ASSERT_EQ(0, set_lease_max(&self->k, 100));
	EXPECT_TRUE(told(self->fd, SOON_MS));
	EXPECT_EQ(0, not_stale(self->fd, q.pin));
	EXPECT_TRUE(nothing_kept(&self->k));
}

TEST_F(lease, not_of_what_cannot_change)
{
	const __u64 seed = 7;
	const struct shelf_settings larger = { .quarantine_ms = -1, .max_bytes = CHUNK };
	const struct shelf_settings sown = { .quarantine_ms = -1, .seed = &seed };
	const struct shelf_settings none = SHELF_SETTINGS_DEFAULT;

	EXPECT_EQ(-EINVAL, shelf_set(self->k.name, &larger, NULL));
	EXPECT_EQ(-EINVAL, shelf_set(self->k.name, &sown, NULL));
	EXPECT_EQ(-EINVAL, shelf_set(self->k.name, &none, NULL));
	EXPECT_EQ(60000, value(&self->k, "lease_ms"));
}

/* Each with a lease of its own, and one always there. Returns how long that went. */
static __u64 renew(int fd, __u64 generation, __u64 *tries)
{
	__u64 begun = now_ns(), pin = 0;
	struct shelf_ioc_pin q;

	while (now_ns() - begun < SOON_MS * MS) {
		if (pin_take(fd, generation, HOUR, &q))
			break;
		if (pin)
			pin_drop(fd, pin);
		pin = q.pin;
		++*tries;
	}
	if (pin)
		pin_drop(fd, pin);
	return now_ns() - begun;
}

TEST_F_TIMEOUT(lease, renewing_does_not_prolong, 240)
{
	__u64 took, tries = 0;

	ASSERT_EQ(0, set_lease_max(&self->k, 1000));
	ASSERT_EQ(0, pin_take(self->fd, 0, HOUR, NULL));
	ASSERT_EQ(0, world_put(&self->k));
	took = renew(self->fd, 2, &tries);
	EXPECT_LT(10, tries);
	EXPECT_LT(500 * MS, took);
	EXPECT_GT(6000 * MS, took);
	EXPECT_EQ(-ESTALE, pin_take(self->fd, 2, 0, NULL));
	EXPECT_TRUE(nothing_kept(&self->k));
}

TEST_HARNESS_MAIN
