// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P3: many threads pin, walk and let go while commits go on, some with leases that are
 * over in the middle of a walk: an answer is of the pin's generation, or ESTALE.
 *
 * Not seen to fail without the grace period in pinned_take(), for which a walk would have
 * to be stopped in its middle for longer than emulation does: that is unit-pin's.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/dev.h"
#include "lib/pins.h"
#include "lib/world.h"
#include "lib/harness.h"

#define CHUNKS		64U
#define MS		1000000ULL

FIXTURE(pin_race)
{
	struct kit k;
	int fd;
};

FIXTURE_SETUP(pin_race)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .pin_bytes = CHUNKS * CHUNK,
	};

	ASSERT_EQ(0, world_make(&self->k, "pin_race", &settings));
	self->fd = self->k.fd;
}

FIXTURE_TEARDOWN(pin_race)
{
	kit_drop(&self->k);
}

/*
 * Many at once, beside a writer
 * =============================
 */
struct holder {
	const char *name;
	unsigned int seed;
	unsigned int pins;
	unsigned int refused;
	unsigned int wrong;
};

static bool holders_stop;

static unsigned int random_of(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

static unsigned int look_around(const struct shelf_pin *p, struct holder *h, void *buffer)
{
	__s64 id = 1 + random_of(&h->seed, WORLD_PRODUCTS);
	__s64 catalog = 1 + random_of(&h->seed, WORLD_CATALOGS);
	unsigned int wrong = 0;

	wrong += world_get(p->fd, p->token, p->generation, id, buffer) != 0;
	wrong += world_members(p->fd, p->token, p->generation, catalog, buffer) != 0;
	wrong += world_is_member(p->fd, p->token, p->generation, catalog, 3) != 0;
	return wrong + !shelf_pin_valid(p);
}

/*
 * False: this user has as many as may be. Those let go count until their grace period is
 * over, and on a busy machine that takes a while.
 */
static bool pin_one(const struct shelf *s, struct shelf_pin *p, struct holder *h)
{
	int ret = shelf_pin(s, 0, 0, p);

	h->refused += ret == -EDQUOT;
	h->wrong += ret && ret != -EDQUOT;
	h->pins += !ret;
	return !ret;
}

/* Up to 16 pins, some long, some short. */
static void *hold_pins(void *arg)
{
	struct shelf_pin pins[16] = { { .token = 0 } }, *p;
	void *buffer = malloc(WORLD_BUFFER);
	struct holder *h = arg;
	struct shelf *s;

	if (shelf_open(h->name, 0, &s)) {
		free(buffer);
		return NULL;
	}
	while (!__atomic_load_n(&holders_stop, __ATOMIC_RELAXED)) {
		p = &pins[random_of(&h->seed, 16)];
		if (!p->token && !pin_one(s, p, h))
			continue;
		world_wrong_at(p->generation, look_around(p, h, buffer));
		if (random_of(&h->seed, 4))
			continue;
		world_wrong_at(p->generation, world_wrong_in_place(p));
		h->wrong += shelf_unpin(p) != 0;
		p->token = 0;
	}
	shelf_close(s);
	free(buffer);
	return NULL;
}

TEST_F_TIMEOUT(pin_race, many_at_once, 240)
{
	__u64 until = now_ns() + 4000000000ULL;
	struct holder h[4] = { { .name = NULL } };
	unsigned int i, commits = 0, worlds;
	pthread_t thread[4];

	for (i = 0; i < 4; i++) {
		h[i] = (struct holder){ .name = self->k.name, .seed = i };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, hold_pins, &h[i]));
	}
	/* However slow the machine is. */
	while ((now_ns() < until || commits <= 10) && !world_put_no_wait(&self->k))
		commits++;
	__atomic_store_n(&holders_stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(0, h[i].wrong);
		EXPECT_LT(3, h[i].pins);
	}
	EXPECT_LT(10, commits);
	EXPECT_EQ(0, world_wrong_in_all(&worlds));
	EXPECT_LT(10, worlds);
	TH_LOG("%u commits, %u pins, %u refused", commits,
	       h[0].pins + h[1].pins + h[2].pins + h[3].pins,
	       h[0].refused + h[1].refused + h[2].refused + h[3].refused);
	EXPECT_EQ(0, value(&self->k, "revoked_pins"));
	EXPECT_TRUE(nothing_kept(&self->k));
}

/*
 * In the middle of walks
 * ======================
 */
struct walker {
	const char *name;
	unsigned int which;
	unsigned int right, revoked, odd;
};

static bool walkers_stop;

/* One answer, of a kind that is the walker's own for the most part. */
static int walk(int fd, const struct shelf_ioc_pin *q, unsigned int which, void *buffer)
{
	switch (which % 8) {
	case 0:
	case 1:
		return world_scan(fd, q->pin, q->generation, buffer);
	case 2:
	case 3:
		return world_get_many(fd, q->pin, q->generation, buffer);
	case 4:
	case 5:
		return world_members(fd, q->pin, q->generation, 6, buffer);
	case 6:
		return world_get(fd, q->pin, q->generation, 100, buffer);
	default:
		return world_scan_catalogs(fd, q->pin, q->generation, buffer);
	}
}

/* Walks until the pin is revoked. */
static void walk_pinned(struct walker *w, int fd, void *buffer)
{
	struct shelf_ioc_pin q;
	int ret = 0;

	if (pin_take(fd, 0, 1 * MS, &q)) {
		w->odd++;
		return;
	}
	while (!ret && !__atomic_load_n(&walkers_stop, __ATOMIC_RELAXED)) {
		ret = walk(fd, &q, w->which++, buffer);
		w->right += !ret;
	}
	world_wrong_at(q.generation, ret && ret != ESTALE);
	w->revoked += ret == ESTALE;
	ret = pin_drop(fd, q.pin);
	w->odd += ret && ret != -ESTALE;
}

static void *walk_on(void *arg)
{
	void *buffer = malloc(WORLD_BUFFER);
	struct walker *w = arg;
	int fd = dev_open(w->name, O_RDONLY);

	while (!__atomic_load_n(&walkers_stop, __ATOMIC_RELAXED))
		walk_pinned(w, fd, buffer);
	close(fd);
	free(buffer);
	return NULL;
}

#define WALKERS		6
#define COMMITS		300U		/* at least; and so many answers */
#define ANSWERS		2000U

static unsigned int answers(const struct walker *w)
{
	unsigned int i, n = 0;

	for (i = 0; i < WALKERS; i++)
		n += __atomic_load_n(&w[i].right, __ATOMIC_RELAXED);
	return n;
}

/* On a slow machine it takes longer. */
static bool walked_enough(const struct kit *k, const struct walker *w, unsigned int commits)
{
	return commits >= COMMITS && answers(w) >= ANSWERS && value(k, "revoked_pins") >= 200;
}

TEST_F_TIMEOUT(pin_race, revoked_in_a_walk, 240)
{
	__u64 until = now_ns() + 8000 * MS;
	struct walker w[WALKERS], sum = { 0 };
	unsigned int i, commits = 0, worlds;
	pthread_t thread[WALKERS];
	int ret = 0;

	for (i = 0; i < WALKERS; i++) {
		w[i] = (struct walker){ .name = self->k.name, .which = i };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, walk_on, &w[i]));
	}
	while ((now_ns() < until || !walked_enough(&self->k, w, commits)) && !ret) {
		ret = world_put_no_wait(&self->k);
		if (!(commits++ % 64))
			shelf_trim(self->k.name, 0, NULL, NULL);
	}
	__atomic_store_n(&walkers_stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < WALKERS; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		sum.right += w[i].right;
		sum.revoked += w[i].revoked;
		sum.odd += w[i].odd;
	}
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, world_wrong_in_all(&worlds));
	EXPECT_LT(40, worlds);
	EXPECT_EQ(0, sum.odd);
	EXPECT_LT(1000, sum.right);
	EXPECT_LT(100, sum.revoked);
	TH_LOG("%u commits, %u worlds, %u answers, %u revoked", commits, worlds, sum.right,
	       sum.revoked);
	EXPECT_TRUE(nothing_kept(&self->k));
}

TEST_HARNESS_MAIN
