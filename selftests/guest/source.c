// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P6: batches with sequence numbers take effect once in the module, over netlink, for
 * whoever sends them, side by side as well; what was applied is told alike by the
 * mapping, by ioctl, by a pin, by netlink and in sysfs.
 *
 * Seen to fail with a commit_check() that looks at EXPECT before it looks for repeats.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/common.h"
#include "lib/harness.h"

FIXTURE(source)
{
	struct kit k;
	struct shelf *mapped;
	struct shelf *called;
};

FIXTURE_SETUP(source)
{
	ASSERT_EQ(0, kit_make(&self->k, "source", 4));
	ASSERT_EQ(0, shelf_open(self->k.name, 0, &self->mapped));
	ASSERT_EQ(0, shelf_open(self->k.name, SHELF_OPEN_IOCTL, &self->called));
	ASSERT_TRUE(shelf_is_mapped(self->mapped));
}

FIXTURE_TEARDOWN(source)
{
	shelf_close(self->mapped);
	shelf_close(self->called);
	kit_drop(&self->k);
}

/* One put, and numbers. */
static int send_batch(struct shelf_writer *w, __s64 id, const char *source, __u64 first,
		      __u64 last, unsigned int flags, const __u64 *expect,
		      struct shelf_result *r, struct shelf_error *err)
{
	struct shelf_batch *b;
	int ret = shelf_batch_begin(w, &b, err);

	if (ret)
		return ret;
	ret = put_one(b, id, 8, (unsigned int)last);
	if (!ret)
		ret = shelf_batch_sequence(b, source, first, last, flags, err);
	if (!ret)
		return shelf_batch_commit(b, expect, r, err);
	shelf_batch_abort(b);
	return ret;
}

TEST_F(source, once)
{
	struct shelf_result r = { 0 };
	struct shelf_product p;
	struct shelf_source s;
	__u64 expect = 1, generation;

	ASSERT_EQ(0, send_batch(self->k.w, 1, "t/0", 0, 9, 0, &expect, &r, NULL));
	EXPECT_FALSE(r.repeated);
	EXPECT_EQ(2, r.generation);
	/* Once more, as who lost the answer does. */
	ASSERT_EQ(0, send_batch(self->k.w, 2, "t/0", 0, 9, 0, &expect, &r, NULL));
	EXPECT_TRUE(r.repeated);
	EXPECT_EQ(2, r.generation);
	EXPECT_EQ(0, r.ops);
	EXPECT_EQ(0, shelf_get(self->mapped, 2, &p));
	EXPECT_EQ(2, shelf_generation(self->mapped));
	EXPECT_EQ(1, sysfs_value(self->k.name, "commits"));
	EXPECT_EQ(1, sysfs_value(self->k.name, "repeated_batches"));
	EXPECT_EQ(0, sysfs_value(self->k.name, "refused_batches"));
	EXPECT_EQ(1, sysfs_value(self->k.name, "sources"));

	EXPECT_EQ(1, shelf_source(self->mapped, "t/0", &s, &generation));
	EXPECT_EQ(9, s.last);
	EXPECT_EQ(2, generation);
	EXPECT_EQ(1, shelf_source(self->called, "t/0", &s, &generation));
	EXPECT_EQ(9, s.last);
	EXPECT_EQ(2, s.generation);
	EXPECT_EQ(0, s.name_ref);
	EXPECT_EQ(0, shelf_source(self->called, "t/1", &s, NULL));
	EXPECT_EQ(-EINVAL, shelf_source(self->called, "", &s, NULL));
}

TEST_F(source, refused)
{
	struct shelf_result r;
	struct shelf_error err;

	ASSERT_EQ(0, send_batch(self->k.w, 1, "t/0", 0, 9, 0, NULL, &r, NULL));
	EXPECT_EQ(-EILSEQ, send_batch(self->k.w, 2, "t/0", 9, 10, 0, NULL, &r, &err));
	EXPECT_NE(NULL, strstr(err.message, "source t/0"));
	EXPECT_TRUE(err.has_op);
	EXPECT_EQ(1, err.op);
	EXPECT_EQ(-EILSEQ, send_batch(self->k.w, 2, "t/0", 11, 12, SHELF_NO_GAP, NULL, &r, &err));
	EXPECT_NE(NULL, strstr(err.message, "gap"));
	EXPECT_EQ(0, send_batch(self->k.w, 2, "t/0", 10, 12, SHELF_NO_GAP, NULL, &r, &err));
	EXPECT_EQ(-EINVAL, send_batch(self->k.w, 2, "t/0", 20, 19, 0, NULL, &r, &err));
	EXPECT_EQ(-EINVAL, send_batch(self->k.w, 2, "t\n", 0, 0, 0, NULL, &r, &err));
	EXPECT_EQ(2, sysfs_value(self->k.name, "refused_batches"));
	EXPECT_EQ(3, shelf_generation(self->mapped));
}

#define MANY	600U

static void name_many(unsigned int i, char name[SHELF_SOURCE_MAX + 1])
{
	unsigned int len = (unsigned int)sprintf(name, "topic-%u/", i);

	memset(name + len, 'x', i % (SHELF_SOURCE_MAX - len));
	name[len + i % (SHELF_SOURCE_MAX - len)] = 0;
}

static bool told[MANY];

static int take(const struct shelf_source_listing *l, void *arg)
{
	char name[SHELF_SOURCE_MAX + 1];
	unsigned int i;

	if (sscanf(l->source, "topic-%u/", &i) != 1 || i >= MANY || told[i])
		return -EBADMSG;
	name_many(i, name);
	if (strcmp(name, l->source) || l->last != i * 7ULL || l->generation != 2)
		return -EBADMSG;
	told[i] = true;
	++*(unsigned int *)arg;
	return 0;
}

static unsigned int count_pinned(struct shelf *s)
{
	struct shelf_source found[SHELF_LEAF_SLOTS];
	struct shelf_scan at = { 0 };
	unsigned int n = 0, id;
	struct shelf_pin pin;
	long got, i;

	if (shelf_pin(s, 0, 0, &pin))
		return 0;
	while ((got = shelf_pin_sources(&pin, &at, found, SHELF_LEAF_SLOTS)) > 0) {
		for (i = 0; i < got; i++) {
			char name[SHELF_SOURCE_MAX + 1], want[SHELF_SOURCE_MAX + 1];

			if (shelf_pin_source_name(&pin, &found[i], name) !=
			    found[i].name_len || sscanf(name, "topic-%u/", &id) != 1)
				continue;
			name_many(id, want);
			n += !strcmp(name, want) && found[i].last == id * 7ULL;
		}
	}
	shelf_unpin(&pin);
	return n;
}

/* More than fit into one message of a dump. */
TEST_F(source, many)
{
	char name[SHELF_SOURCE_MAX + 1];
	struct shelf_batch *b;
	unsigned int i, n = 0;

	ASSERT_EQ(0, shelf_batch_begin(self->k.w, &b, NULL));
	for (i = 0; i < MANY; i++) {
		name_many(i, name);
		ASSERT_EQ(0, shelf_batch_source(b, name, i * 7ULL, NULL));
	}
	ASSERT_EQ(0, shelf_batch_commit(b, NULL, NULL, NULL));
	EXPECT_EQ(MANY, sysfs_value(self->k.name, "sources"));
	memset(told, 0, sizeof(told));
	EXPECT_EQ(0, shelf_list_sources(self->k.name, take, &n, NULL));
	EXPECT_EQ(MANY, n);
	EXPECT_EQ(MANY, count_pinned(self->mapped));
	EXPECT_EQ(MANY, count_pinned(self->called));
	ASSERT_EQ(0, shelf_batch_begin(self->k.w, &b, NULL));
	for (i = 0; i < MANY; i++) {
		name_many(i, name);
		ASSERT_EQ(0, shelf_batch_source_delete(b, name, NULL));
	}
	ASSERT_EQ(0, shelf_batch_commit(b, NULL, NULL, NULL));
	EXPECT_EQ(0, sysfs_value(self->k.name, "sources"));
	EXPECT_EQ(0, count_pinned(self->mapped));
}

/* Two followers of one partition, each sure that it is the only one. */
#define ROUNDS	100U

struct follower {
	const char *name;
	unsigned int applied;
	unsigned int repeated;
	int error;
};

static void *follow(void *arg)
{
	struct follower *f = arg;
	struct shelf_writer *w;
	struct shelf_result r;
	unsigned int i;

	f->error = shelf_writer_open(f->name, &w, NULL);
	if (f->error)
		return NULL;
	for (i = 0; i < ROUNDS && !f->error; i++) {
		f->error = send_batch(w, 1 + i, "t/0", 2 * i, 2 * i + 1, SHELF_NO_GAP, NULL,
				      &r, NULL);
		f->applied += !f->error && !r.repeated;
		f->repeated += !f->error && r.repeated;
	}
	shelf_writer_close(w);
	return NULL;
}

TEST_F(source, side_by_side)
{
	struct follower f[2] = { { .name = self->k.name }, { .name = self->k.name } };
	struct shelf_source s;
	pthread_t thread[2];
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, follow, &f[i]));
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, f[0].error);
	EXPECT_EQ(0, f[1].error);
	EXPECT_EQ(ROUNDS, f[0].applied + f[1].applied);
	EXPECT_EQ(ROUNDS, f[0].repeated + f[1].repeated);
	EXPECT_EQ(1 + ROUNDS, shelf_generation(self->mapped));
	EXPECT_EQ(1, shelf_source(self->mapped, "t/0", &s, NULL));
	EXPECT_EQ(2 * ROUNDS - 1, s.last);
}

TEST_HARNESS_MAIN
