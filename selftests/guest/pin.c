// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P3: a pinned snapshot reads as it was, by mapping, libshelf and each ioctl,
 * whatever is committed meanwhile, and what it kept comes back.
 *
 * Seen to fail with pins_settle() that frees everything, and with retain_pages() that
 * hands nothing on to an older pin (both end in a panic: an ioctl walks what others
 * write) or keeps what is younger than its pin; without oldest in pinned_find(); and
 * with tokens that come again after a while.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/pins.h"
#include "lib/world.h"
#include "lib/harness.h"

#define CHUNKS		64U
#define HOUR_MS		3600000U

/* The lease is never over here, and nothing is left in quarantine. */
FIXTURE(pin)
{
	struct kit k;
	int fd;
};

FIXTURE_SETUP(pin)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .lease_ms = HOUR_MS, .pin_bytes = CHUNKS * CHUNK,
	};

	ASSERT_EQ(0, world_make(&self->k, "pin", &settings));
	self->fd = self->k.fd;
}

FIXTURE_TEARDOWN(pin)
{
	kit_drop(&self->k);
}

TEST_F(pin, reads_as_it_was)
{
	struct shelf_section section;
	struct shelf *mapped, *called;
	struct shelf_pin m, c;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &mapped));
	ASSERT_EQ(0, shelf_open(self->k.name, SHELF_OPEN_IOCTL, &called));
	ASSERT_EQ(0, shelf_pin(mapped, 0, 0, &m));
	ASSERT_EQ(0, shelf_pin(called, 0, 0, &c));
	EXPECT_EQ(2, m.generation);
	EXPECT_EQ(2, c.generation);
	EXPECT_EQ(HOUR_MS * 1000000ULL, m.lease_ns);
	shelf_begin(mapped, &section);
	EXPECT_FALSE(shelf_retry(mapped, &section));
	ASSERT_EQ(0, put_worlds(&self->k, 9));
	ASSERT_TRUE(settled(&self->k));
	EXPECT_EQ(11, value(&self->k, "oldest"));
	EXPECT_TRUE(shelf_retry(mapped, &section));
	EXPECT_EQ(0, world_wrong(&m));
	EXPECT_EQ(0, world_wrong_in_place(&m));
	EXPECT_EQ(0, world_wrong(&c));
	EXPECT_EQ(0, world_wrong_by_ioctl(mapped->fd, m.token, 2));
	EXPECT_EQ(0, world_wrong_by_ioctl(called->fd, c.token, 2));
	EXPECT_EQ(0, world_wrong_by_ioctl(self->fd, 0, 11));
	EXPECT_LT(0, value(&self->k, "bytes_pinned"));
	EXPECT_EQ(0, value(&self->k, "revoked_pins"));
	EXPECT_EQ(0, shelf_unpin(&m));
	EXPECT_FALSE(shelf_pin_valid(&m));
	EXPECT_EQ(0, world_wrong(&c));
	shelf_close(mapped);
	shelf_close(called);
	EXPECT_TRUE(nothing_kept(&self->k));
}

/* Another process, which got only the number of the root page. */
TEST_F(pin, reads_as_it_was_in_a_child)
{
	struct shelf *s;
	struct shelf_pin p;
	pid_t pid;
	int status;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &s));
	ASSERT_EQ(0, shelf_pin(s, 0, 0, &p));
	ASSERT_EQ(0, put_worlds(&self->k, 5));
	ASSERT_TRUE(settled(&self->k));
	pid = fork();
	if (!pid)
		_exit(world_wrong(&p) || world_wrong_in_place(&p));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, world_wrong(&p));
	shelf_close(s);
	EXPECT_TRUE(nothing_kept(&self->k));
}

/*
 * What is kept hangs on the newest pin that needs it and passes on to older ones:
 * whichever goes first, the others stay whole.
 */
#define SEVERAL		8

static void take_several(struct kit *k, struct shelf *s, struct shelf_pin *pins, int *ret)
{
	unsigned int i;

	for (i = 0; i < SEVERAL && !*ret; i++) {
		*ret = shelf_pin(s, 0, 0, &pins[i]);
		/* Some neighbours are pinned, and some two or three apart. */
		if (!*ret)
			*ret = put_worlds(k, 1 + i % 3);
	}
}

static unsigned int wrong_of_several(const struct shelf_pin *pins, unsigned int there)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < SEVERAL; i++) {
		if (!(there & 1U << i))
			continue;
		wrong += world_wrong_in_place(&pins[i]);
		wrong += world_wrong_by_ioctl(pins[i].fd, pins[i].token, pins[i].generation);
	}
	return wrong;
}

TEST_F_TIMEOUT(pin, several_generations, 480)
{
	static const unsigned int orders[][SEVERAL] = {
		{ 7, 6, 5, 4, 3, 2, 1, 0 }, { 0, 1, 2, 3, 4, 5, 6, 7 },
		{ 3, 4, 0, 7, 5, 1, 6, 2 },
	};
	struct shelf_pin pins[SEVERAL];
	unsigned int i, n, there;
	struct shelf *s;
	long long kept;
	int ret = 0;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &s));
	for (n = 0; n < ARRAY_SIZE(orders); n++) {
		take_several(&self->k, s, pins, &ret);
		ASSERT_EQ(0, ret);
		ASSERT_TRUE(settled(&self->k));
		there = (1U << SEVERAL) - 1;
		EXPECT_EQ(0, wrong_of_several(pins, there));
		for (i = 0; i < SEVERAL; i++) {
			kept = value(&self->k, "bytes_pinned");
			EXPECT_EQ(0, shelf_unpin(&pins[orders[n][i]]));
			there &= ~(1U << orders[n][i]);
			ASSERT_EQ(0, put_worlds(&self->k, i % 2));
			ASSERT_TRUE(settled(&self->k));
			sleep_ms(50);
			EXPECT_GE(kept, value(&self->k, "bytes_pinned"));
			EXPECT_EQ(0, wrong_of_several(pins, there));
		}
		EXPECT_TRUE(nothing_kept(&self->k));
	}
	shelf_close(s);
}

/* Round after round: what pins kept is not lost. */
TEST_F_TIMEOUT(pin, gives_everything_back, 240)
{
	long long live = 0, after = 0;
	unsigned int round, i;
	int fd;

	for (round = 0; round < 12; round++) {
		fd = kit_open(&self->k);
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(0, pin_take(fd, 0, 0, NULL));
			ASSERT_EQ(0, world_put(&self->k));
		}
		ASSERT_TRUE(settled(&self->k));
		EXPECT_LT(0, value(&self->k, "bytes_pinned"));
		close(fd);
		EXPECT_TRUE(nothing_kept(&self->k));
		after = value(&self->k, "bytes") - value(&self->k, "bytes_free");
		/* Slots lie now here, now there. */
		if (round == 1)
			live = after;
	}
	EXPECT_GE(live + live / 8, after);
	EXPECT_EQ(value(&self->k, "bytes_live"), after);
	EXPECT_EQ(0, value(&self->k, "revoked_pins"));
}

/*
 * By name
 * =======
 */
static int set_quarantine(const struct kit *k, long long ms)
{
	const struct shelf_settings settings = { .quarantine_ms = ms };

	return shelf_set(k->name, &settings, NULL);
}

TEST_F(pin, any_intact_generation)
{
	struct shelf_ioc_pin q[8];
	int fd = self->fd, other = kit_open(&self->k);
	__u64 g;

	ASSERT_EQ(0, set_quarantine(&self->k, HOUR_MS));
	ASSERT_EQ(0, put_worlds(&self->k, 7));
	EXPECT_EQ(2, value(&self->k, "oldest"));
	for (g = 2; g < 10; g += 2) {
		ASSERT_EQ(0, pin_take(fd, g, 0, &q[g - 2]));
		EXPECT_EQ(g, q[g - 2].generation);
	}
	EXPECT_EQ(-EINVAL, pin_take(fd, 10, 0, NULL));
	EXPECT_EQ(-EINVAL, pin_take(fd, SHELF_GENERATION_MAX, 0, NULL));
	ASSERT_EQ(0, set_quarantine(&self->k, 0));
	ASSERT_TRUE(settled(&self->k));
	EXPECT_EQ(9, value(&self->k, "oldest"));
	for (g = 2; g < 9; g++)
		EXPECT_EQ(g % 2 ? -ESTALE : 0, pin_take(other, g, 0, NULL));
	EXPECT_EQ(-ESTALE, pin_take(fd, 1, 0, NULL));
	for (g = 2; g < 10; g += 2) {
		EXPECT_EQ(0, world_wrong_by_ioctl(fd, q[g - 2].pin, g));
		EXPECT_EQ(0, pin_drop(fd, q[g - 2].pin));
	}
	/* They stay as long as there is a pin of theirs. */
	EXPECT_EQ(0, pin_take(fd, 2, 0, &q[0]));
	EXPECT_EQ(0, world_wrong_by_ioctl(fd, q[0].pin, 2));
	EXPECT_EQ(0, pin_drop(fd, q[0].pin));
	close(other);
	EXPECT_TRUE(nothing_kept(&self->k));
	EXPECT_EQ(-ESTALE, pin_take(fd, 2, 0, NULL));
}

/* Empty batches: generations that have nothing but a root of their own. */
static int commit_nothing(struct kit *k, unsigned int n)
{
	struct shelf_batch *b;
	int ret = 0;

	while (n-- && !ret) {
		ret = shelf_batch_begin(k->w, &b, NULL);
		if (ret)
			break;
		shelf_batch_no_wait(b);
		ret = shelf_batch_commit(b, NULL, NULL, NULL);
	}
	return ret;
}

/* Of the last 4096 generations the kernel knows the root, of others by pins. */
TEST_F_TIMEOUT(pin, none_that_is_forgotten, 480)
{
	ASSERT_EQ(0, set_quarantine(&self->k, HOUR_MS));
	ASSERT_EQ(0, pin_take(self->fd, 2, 0, NULL));
	ASSERT_EQ(0, commit_nothing(&self->k, 4100));
	EXPECT_EQ(2, value(&self->k, "oldest"));
	EXPECT_EQ(0, pin_take(self->fd, 2, 0, NULL));
	EXPECT_EQ(-ESTALE, pin_take(self->fd, 3, 0, NULL));
	EXPECT_EQ(-ESTALE, pin_take(self->fd, 4102 - 4096, 0, NULL));
	EXPECT_EQ(0, pin_take(self->fd, 4102 - 4095, 0, NULL));
	EXPECT_EQ(0, pin_take(self->fd, 4102, 0, NULL));
}

/*
 * Numbers
 * =======
 */
#define TOKENS		10000U

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* Exactly those are in the page that are held. */
static bool page_is_right(const struct shelf_pins *page, const __u64 *held, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (held[i] && !pin_shown(page, held[i]))
			return false;
	return pins_shown(page) == n;
}

TEST_F_TIMEOUT(pin, no_number_comes_twice, 240)
{
	const struct shelf_pins *page = pins_map(self->fd);
	__u64 *all = calloc(TOKENS, sizeof(*all)), held[24];
	unsigned int i, n = 0, wrong = 0, twice = 0;
	struct shelf_ioc_pin q;

	ASSERT_NE(NULL, page);
	for (i = 0; i < TOKENS; i++) {
		/* Now few are held, now many, and not the last one goes first. */
		while (n > i / 8 % ARRAY_SIZE(held)) {
			unsigned int at = (i * 7 + n) % n;

			wrong += pin_drop(self->fd, held[at]) != 0;
			wrong += pin_shown(page, held[at]);
			held[at] = held[--n];
		}
		wrong += pin_take(self->fd, 0, 0, &q) != 0 || !q.pin;
		all[i] = held[n++] = q.pin;
		wrong += i % 16 == 0 && !page_is_right(page, held, n);
	}
	EXPECT_EQ(0, wrong);
	qsort(all, TOKENS, sizeof(*all), compare);
	for (i = 1; i < TOKENS; i++)
		twice += all[i] == all[i - 1];
	EXPECT_EQ(0, twice);
	EXPECT_EQ(n, value(&self->k, "pins"));
}

TEST_HARNESS_MAIN
