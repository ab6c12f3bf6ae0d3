// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Guards of the module's commits, as settings of a shelf and of one commit, and commits
 * that only check: none of them changes a byte that a reader can see, makes an event, or
 * ends a pin.
 *
 * Seen to fail with a check that is published; with guards that SET forgets, or that a
 * commit's own do not take the place of; with a check that is counted as refused.
 */
#include <stdio.h>
#include <string.h>

#include "lib/common.h"
#include "lib/harness.h"

FIXTURE(guard)
{
	struct kit k;
	struct shelf *s;
};

FIXTURE_SETUP(guard)
{
	ASSERT_EQ(0, kit_make(&self->k, "guard", 4));
	ASSERT_EQ(0, shelf_open(self->k.name, 0, &self->s));
	ASSERT_TRUE(shelf_is_mapped(self->s));
	ASSERT_EQ(0, put_products(&self->k, 0, 100, 8, 1));
}

FIXTURE_TEARDOWN(guard)
{
	shelf_close(self->s);
	kit_drop(&self->k);
}

/* Guards of its own, below 0: none; and a member that has no product. */
struct send {
	int max_change;
	int dangling;
	bool check;
	const __u64 *expect;
	unsigned int deletes;
	struct shelf_result result;
	struct shelf_error err;
};

#define SEND	(struct send){ .max_change = -1, .dangling = -1 }

static int fill(struct shelf_batch *b, const struct send *s)
{
	const __s64 member = 50;
	unsigned int i;
	int ret = shelf_batch_add(b, 1, &member, 1, NULL);

	for (i = 0; !ret && i < s->deletes; i++)
		ret = shelf_batch_delete(b, 50 + i, NULL);
	return ret;
}

static int send_batch(struct kit *k, struct send *s)
{
	struct shelf_batch *b;
	int ret = shelf_batch_begin(k->w, &b, &s->err);

	if (ret)
		return ret;
	if (s->max_change >= 0)
		shelf_batch_max_change(b, (__u32)s->max_change);
	if (s->dangling >= 0)
		shelf_batch_dangling(b, (enum shelf_dangling)s->dangling);
	if (s->check)
		shelf_batch_check(b);
	ret = fill(b, s);
	if (!ret)
		return shelf_batch_commit(b, s->expect, &s->result, &s->err);
	shelf_batch_abort(b);
	return ret;
}

static int set_guards(const struct kit *k, int max_change, int dangling, int require_expect)
{
	struct shelf_settings settings = SHELF_SETTINGS_DEFAULT;

	settings.max_change = max_change;
	settings.dangling = dangling;
	settings.require_expect = require_expect;
	return shelf_set(k->name, &settings, NULL);
}

TEST_F(guard, of_a_shelf)
{
	struct send send = SEND;

	send.deletes = 21;
	ASSERT_EQ(0, set_guards(&self->k, 20, -1, -1));
	EXPECT_EQ(20, sysfs_value(self->k.name, "max_change"));
	EXPECT_EQ(-EDOM, send_batch(&self->k, &send));
	EXPECT_STREQ("products would go from 100 to 79, by 21 per cent; at most 20 are allowed",
		     send.err.message);
	EXPECT_EQ(1, sysfs_value(self->k.name, "refused_batches"));
	ASSERT_EQ(0, set_guards(&self->k, 21, SHELF_DANGLING_REFUSE, -1));
	EXPECT_EQ(-EDOM, send_batch(&self->k, &send));
	EXPECT_STREQ("1 members would name no product, the first: 50 of catalog 1",
		     send.err.message);
	EXPECT_EQ(2, shelf_generation(self->s));
	/* What the commit says holds in place of what the shelf says. */
	send.dangling = SHELF_DANGLING_WARN;
	send.max_change = 1;
	EXPECT_EQ(-EDOM, send_batch(&self->k, &send));
	send.max_change = 0;
	EXPECT_EQ(0, send_batch(&self->k, &send));
	EXPECT_EQ(3, send.result.generation);
	EXPECT_EQ(1, send.result.dangling);
	EXPECT_STREQ("1 members would name no product, the first: 50 of catalog 1",
		     send.result.warning);
	EXPECT_EQ(79, send.result.products);
	EXPECT_EQ(1, send.result.catalogs);
	EXPECT_EQ(1, send.result.memberships);
}

TEST_F(guard, expected)
{
	struct send send = SEND;
	__u64 expect = 2;

	ASSERT_EQ(0, set_guards(&self->k, -1, -1, 1));
	EXPECT_EQ(1, sysfs_value(self->k.name, "require_expect"));
	EXPECT_EQ(-EDOM, send_batch(&self->k, &send));
	EXPECT_STREQ("the shelf takes only commits that expect a generation", send.err.message);
	send.expect = &expect;
	EXPECT_EQ(0, send_batch(&self->k, &send));
	EXPECT_EQ(-ESTALE, send_batch(&self->k, &send));
	ASSERT_EQ(0, set_guards(&self->k, -1, -1, 0));
	send.expect = NULL;
	EXPECT_EQ(0, send_batch(&self->k, &send));
}

TEST_F(guard, out_of_range)
{
	struct send send = SEND;

	EXPECT_EQ(-EINVAL, set_guards(&self->k, SHELF_CHANGE_MAX + 1, -1, -1));
	EXPECT_EQ(-EINVAL, set_guards(&self->k, -1, SHELF_DANGLING_MAX + 1, -1));
	EXPECT_EQ(-EINVAL, set_guards(&self->k, -1, -1, 2));
	send.max_change = SHELF_CHANGE_MAX + 1;
	EXPECT_EQ(-EINVAL, send_batch(&self->k, &send));
	EXPECT_EQ(2, shelf_generation(self->s));
}

TEST_F(guard, check)
{
	struct send send = SEND;
	struct shelf_event event;
	struct shelf_events *events;
	__u64 expect = 1;
	unsigned int i;

	ASSERT_EQ(0, shelf_events_open(&events, NULL));
	send.check = true;
	send.deletes = 10;
	send.dangling = SHELF_DANGLING_WARN;
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, send_batch(&self->k, &send));
		ASSERT_EQ(2, send.result.generation);
		ASSERT_EQ(90, send.result.products);
		ASSERT_EQ(1, send.result.memberships);
		ASSERT_EQ(1, send.result.dangling);
		ASSERT_EQ(11, send.result.ops);
	}
	send.expect = &expect;
	EXPECT_EQ(-ESTALE, send_batch(&self->k, &send));
	EXPECT_EQ(51, sysfs_value(self->k.name, "checked_batches"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "refused_batches"));
	EXPECT_EQ(1, sysfs_value(self->k.name, "commits"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "bytes_draft"));
	EXPECT_EQ(2, shelf_generation(self->s));
	EXPECT_EQ(0, count_wrong(self->s, 0, 100, 8, 1));
	EXPECT_EQ(0, shelf_events_next(events, 0, &event, NULL));
	shelf_events_close(events);

	/* In earnest it comes to what was said. */
	send.check = false;
	send.expect = NULL;
	ASSERT_EQ(0, send_batch(&self->k, &send));
	EXPECT_EQ(3, send.result.generation);
	EXPECT_EQ(90, send.result.products);
}

/* A third of the shelf is kept by a pin, a third is live, and as much again is asked for. */
#define THIRD	800U

static int send_third(struct kit *k, bool check, struct shelf_error *err)
{
	struct shelf_batch *b;
	unsigned int i;
	int ret = shelf_batch_begin(k->w, &b, err);

	for (i = 0; !ret && i < THIRD; i++)
		ret = put_one(b, i, 3000, 3);
	if (check)
		shelf_batch_check(b);
	return ret ? ret : shelf_batch_commit(b, NULL, NULL, err);
}

TEST_F(guard, check_spares_pins)
{
	struct shelf_settings settings = SHELF_SETTINGS_DEFAULT;
	struct shelf_pin pin;
	struct shelf_error err;

	settings.quarantine_ms = 0;
	ASSERT_EQ(0, shelf_set(self->k.name, &settings, NULL));
	ASSERT_EQ(0, put_products(&self->k, 0, THIRD, 3000, 1));
	ASSERT_EQ(0, shelf_pin(self->s, 0, 0, &pin));
	ASSERT_EQ(0, put_products(&self->k, 0, THIRD, 3000, 2));
	EXPECT_EQ(-ENOSPC, send_third(&self->k, true, &err));
	EXPECT_NE(NULL, strstr(err.message, "a check spares them"));
	EXPECT_TRUE(shelf_pin_valid(&pin));
	EXPECT_EQ(0, sysfs_value(self->k.name, "revoked_pins"));
	EXPECT_EQ(0, send_third(&self->k, false, &err));
	EXPECT_FALSE(shelf_pin_valid(&pin));
	EXPECT_EQ(1, sysfs_value(self->k.name, "revoked_pins"));
	shelf_unpin(&pin);
}

TEST_HARNESS_MAIN
