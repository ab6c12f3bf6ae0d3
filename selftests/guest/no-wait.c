// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P4: commits that don't wait for the grace period, one after the other, never run out of
 * memory, in a shelf that has little; and their results say that they did not wait, as
 * those of others say that they did.
 *
 * Seen to fail with a commit_finish() that does not look at no_wait, and with one that
 * never waits (is_what_it_says, both).
 */
#include <stdlib.h>
#include <unistd.h>

#include "lib/world.h"
#include "lib/harness.h"

#define CHUNKS		4U
#define ROUNDS		25U
#define FAR_LONGER	5

FIXTURE(no_wait)
{
	struct kit k;
};

FIXTURE_VARIANT(no_wait)
{
	long long quarantine_ms;
	unsigned int commits;
};

FIXTURE_VARIANT_ADD(no_wait, none_in_quarantine)
{
	.quarantine_ms = 0, .commits = 10000,
};

FIXTURE_VARIANT_ADD(no_wait, quarantine)
{
	.quarantine_ms = 1000, .commits = 1000,
};

FIXTURE_SETUP(no_wait)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .quarantine_ms = variant->quarantine_ms,
	};

	ASSERT_EQ(0, world_make(&self->k, "no-wait", &settings));
}

FIXTURE_TEARDOWN(no_wait)
{
	kit_drop(&self->k);
}

static int commit_one(struct kit *k, __s64 id, unsigned int salt, bool no_wait,
		      struct shelf_result *result)
{
	struct shelf_batch *b;
	int ret = shelf_batch_begin(k->w, &b, NULL);

	if (ret)
		return ret;
	ret = put_one(b, id, 8, salt);
	if (ret) {
		shelf_batch_abort(b);
		return ret;
	}
	if (no_wait)
		shelf_batch_no_wait(b);
	return shelf_batch_commit(b, NULL, result, NULL);
}

/* Commits a second, or a negative errno. */
static long commit_many(struct kit *k, unsigned int n, bool no_wait, long long *most)
{
	__u64 begun = now_ns();
	long long bytes;
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		ret = commit_one(k, 1 + i % WORLD_PRODUCTS, i, no_wait, NULL);
		if (ret)
			return ret;
		if (i % 64)
			continue;
		bytes = sysfs_value(k->name, "bytes");
		if (bytes > *most)
			*most = bytes;
	}
	return (long)(n * 1000000000ULL / (now_ns() - begun));
}

TEST_F_TIMEOUT(no_wait, in_a_row, 960)
{
	long waiting, not_waiting;
	long long most = 0;

	waiting = commit_many(&self->k, 50, false, &most);
	not_waiting = commit_many(&self->k, variant->commits, true, &most);
	EXPECT_LT(0, waiting);
	EXPECT_LT(0, not_waiting);
	EXPECT_GE(CHUNKS * CHUNK, most);
	EXPECT_EQ(WORLD_FIRST + 50 + variant->commits,
		  sysfs_value(self->k.name, "generation"));
	TH_LOG("%ld commits a second, not waiting %ld; %lld KiB", waiting, not_waiting,
	       most >> 10);
}

static int by_value(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static __u64 median(__u64 ns[ROUNDS])
{
	qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
	return ns[ROUNDS / 2];
}

/* In turns, so that whatever else the machine does concerns both. */
TEST_F_TIMEOUT(no_wait, is_what_it_says, 480)
{
	__u64 ns[2][ROUNDS];
	struct shelf_result result;
	unsigned int i;

	for (i = 0; i < 2 * ROUNDS; i++) {
		ASSERT_EQ(0, commit_one(&self->k, 1, i, i % 2, &result));
		ns[i % 2][i / 2] = result.grace_ns;
		EXPECT_EQ(result.grace_ns, sysfs_value(self->k.name, "last_grace_ns"));
	}
	EXPECT_LT(FAR_LONGER * median(ns[1]), median(ns[0]));
	TH_LOG("grace period %llu us, not waiting %llu us", median(ns[0]) / 1000,
	       median(ns[1]) / 1000);
}

TEST_HARNESS_MAIN
