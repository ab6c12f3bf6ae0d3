// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a shelf may be called and how large it may be (P8): a name is a file in
 * /dev and in /sys and a word on command lines, so that what is no plain name
 * is refused, with words, and makes nothing.
 *
 * Seen to fail: with what follows a NUL in NAME ignored (an embedded NUL), with
 * shelf_name_valid() always true (., .., -x, a/b and the like).
 */
#include "lib/dev.h"
#include "lib/wire.h"
#include "lib/harness.h"

#define NAME		"guest-names"
#define NAME_31		"abcdefghijklmnopqrstuvwxyz.01_-"

static struct msg msg;		/* too large for a stack */

static int count_shelves(struct wire *nl, int *shelves)
{
	struct answer a;

	msg_start(&msg, nl, SHELF_CMD_GET);
	msg.head.nlmsg_flags |= NLM_F_DUMP;
	wire_talk(nl, &msg, &a);
	*shelves = a.messages;
	return a.error;
}

FIXTURE(names)
{
	struct wire nl;
	int shelves;	/* somebody else's */
};

FIXTURE_SETUP(names)
{
	ASSERT_EQ(0, wire_open(&self->nl));
	wire_destroy(&self->nl, NAME);
	ASSERT_EQ(0, count_shelves(&self->nl, &self->shelves));
}

FIXTURE_TEARDOWN(names)
{
	wire_close(&self->nl);
}

static const struct {
	const char *why;
	int error;
	size_t len;
	const char *bytes;
} names[] = {
	{ "empty", EINVAL, 1, "" },
	{ "no bytes", EINVAL, 0, "" },
	{ "one byte", 0, 2, "x" },
	{ "31 bytes", 0, 32, NAME_31 },
	{ "32 bytes", EINVAL, 33, NAME_31 "x" },
	{ "32 bytes, no NUL", EINVAL, 32, NAME_31 "x" },
	{ "no NUL", EINVAL, 3, "abc" },
	{ ".", EINVAL, 2, "." },
	{ "..", EINVAL, 3, ".." },
	{ ".x", EINVAL, 3, ".x" },
	{ "x..", 0, 4, "x.." },
	{ "-x", EINVAL, 3, "-x" },
	{ "a/b", EINVAL, 4, "a/b" },
	{ "../x", EINVAL, 5, "../x" },
	{ "a!b", EINVAL, 4, "a!b" },
	{ "a space", EINVAL, 4, "a b" },
	{ "a newline", EINVAL, 3, "a\n" },
	{ "%s", EINVAL, 3, "%s" },
	{ "DEL", EINVAL, 3, "a\177" },
	{ "UTF-8", EINVAL, 4, "\303\274x" },
	{ "Latin-1", EINVAL, 3, "\374x" },
	{ "an embedded NUL", EINVAL, 4, "a\0b" },
	{ "two NULs", EINVAL, 3, "a\0" },
};

TEST_F_TIMEOUT(names, names, 240)
{
	struct answer a;
	int shelves;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		msg_start(&msg, &self->nl, SHELF_CMD_CREATE);
		msg_attr(&msg, SHELF_A_NAME, names[i].bytes, names[i].len);
		msg_u64(&msg, SHELF_A_MAX_BYTES, SHELF_MIN_BYTES);
		EXPECT_EQ(names[i].error, wire_talk(&self->nl, &msg, &a))
			TH_LOG("%s: %s", names[i].why, a.message);
		EXPECT_EQ(!a.error, !a.message[0]) TH_LOG("%s", names[i].why);
		EXPECT_EQ(!a.error, a.cmd == SHELF_CMD_NEW);
		EXPECT_STREQ(a.error ? "" : names[i].bytes, a.name);
		if (!a.error)
			EXPECT_EQ(0, wire_destroy(&self->nl, a.name));
		EXPECT_EQ(0, count_shelves(&self->nl, &shelves));
		EXPECT_EQ(self->shelves, shelves) TH_LOG("%s", names[i].why);
	}
}

TEST_F(names, exists)
{
	struct answer a;

	ASSERT_EQ(0, wire_create(&self->nl, NAME, SHELF_MIN_BYTES, 0, 0));
	ASSERT_EQ(2, wire_commit_one(&self->nl, NAME, 1, 1));
	msg_start(&msg, &self->nl, SHELF_CMD_CREATE);
	msg_string(&msg, SHELF_A_NAME, NAME);
	msg_u64(&msg, SHELF_A_MAX_BYTES, SHELF_MAX_BYTES);
	EXPECT_EQ(EEXIST, wire_talk(&self->nl, &msg, &a));
	EXPECT_NE('\0', a.message[0]);
	EXPECT_EQ(2, sysfs_value(NAME, "generation"));
	EXPECT_EQ(SHELF_MIN_BYTES, sysfs_value(NAME, "max_bytes"));
	EXPECT_EQ(0, wire_destroy(&self->nl, NAME));
	/* Free again at once, and empty. */
	EXPECT_EQ(0, wire_create(&self->nl, NAME, SHELF_MIN_BYTES, 0, 0));
	EXPECT_EQ(1, sysfs_value(NAME, "generation"));
	EXPECT_EQ(0, wire_destroy(&self->nl, NAME));
	EXPECT_EQ(ENOENT, wire_destroy(&self->nl, NAME));
}

static const struct {
	__u64 max_bytes;
	int error;
	__u64 is;
} sizes[] = {
	{ 0, ERANGE, 0 },
	{ 1, ERANGE, 0 },
	{ SHELF_MIN_BYTES - 1, ERANGE, 0 },
	{ SHELF_MIN_BYTES, 0, SHELF_MIN_BYTES },
	{ SHELF_MIN_BYTES + 1, 0, SHELF_MIN_BYTES + SHELF_CHUNK_BYTES },
	{ SHELF_MAX_BYTES - 1, 0, SHELF_MAX_BYTES },
	{ SHELF_MAX_BYTES, 0, SHELF_MAX_BYTES },
	{ SHELF_MAX_BYTES + 1, ERANGE, 0 },
	{ ~0ULL, ERANGE, 0 },
};

TEST_F(names, sizes)
{
	struct answer a;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		msg_start(&msg, &self->nl, SHELF_CMD_CREATE);
		msg_string(&msg, SHELF_A_NAME, NAME);
		msg_u64(&msg, SHELF_A_MAX_BYTES, sizes[i].max_bytes);
		EXPECT_EQ(sizes[i].error, wire_talk(&self->nl, &msg, &a))
			TH_LOG("%llu: %s", sizes[i].max_bytes, a.message);
		EXPECT_EQ(!a.error, !a.message[0]);
		EXPECT_EQ(sizes[i].is, a.value[SHELF_A_MAX_BYTES]);
		if (!a.error)
			EXPECT_EQ(2, wire_commit_one(&self->nl, NAME, 1, 1));
		EXPECT_EQ(a.error ? ENOENT : 0, wire_destroy(&self->nl, NAME));
	}
}

TEST_HARNESS_MAIN
