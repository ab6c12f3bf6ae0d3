// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Malformed, misplaced and oversized messages (P5, P8).
 *
 * P5: a malformed message leaves the last published generation intact, and one
 * refused operation refuses its whole batch. P8: no message of whatever shape
 * does more than be refused, with words that say why.
 *
 * Seen to fail: with the poisoning of a batch by a refused operation left out
 * of op_stage() (the batches of bad_ops and after_a_refusal commit what is left
 * of them); with what follows a NUL in NAME ignored (bad_messages destroys the
 * shelf); with a batch found by its cookie alone (cookies).
 */
#include <sys/socket.h>

#include "lib/dev.h"
#include "lib/wire.h"
#include "lib/harness.h"

#define NAME		"guest-netlink"
#define CUT		0x100	/* the bytes alone, no attribute */

static struct msg msg;		/* too large for a stack */

FIXTURE(shelf)
{
	struct wire nl;
	int fd;
	__u64 cookie;
	struct state before;
};

/* Something to lose: 20 products, two catalogs. */
static int fill(struct wire *nl)
{
	struct answer a;
	__u64 cookie;
	int ret = wire_begin(nl, NAME, &cookie);
	__s64 id;

	if (ret)
		return ret;
	ops_start(&msg, nl, cookie);
	for (id = 1; id <= 20; id++)
		op_put_attrs(&msg, id, (size_t)id * 100);
	op_members(&msg, SHELF_OP_CATALOG_ADD, 1, 1, 10);
	op_members(&msg, SHELF_OP_CATALOG_ADD, 2, 1, 1000);
	return wire_talk(nl, &msg, &a) ?: wire_commit(nl, cookie, NULL, &a);
}

FIXTURE_SETUP(shelf)
{
	ASSERT_EQ(0, wire_open(&self->nl));
	wire_destroy(&self->nl, NAME);
	ASSERT_EQ(0, wire_create(&self->nl, NAME, 16 << 20, 0, 0));
	ASSERT_EQ(0, fill(&self->nl));
	self->fd = dev_open(NAME, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->before = state_of(self->fd);
	ASSERT_EQ(20, self->before.products);
}

FIXTURE_TEARDOWN(shelf)
{
	EXPECT_EQ(0, wire_destroy(&self->nl, NAME));
	close(self->fd);
	wire_close(&self->nl);
}

/* Nothing has changed. */
#define EXPECT_SAME(self)						\
	do {								\
		struct state now = state_of((self)->fd);		\
									\
		EXPECT_TRUE(state_same(&(self)->before, &now));		\
	} while (0)

/*
 * Operations
 * ==========
 *
 * Each is a put, delete, add... written as a list of attributes, in which the
 * length is free. Values: what a good one would have, so that only what the
 * line is about is wrong with it.
 */
struct piece {
	int type;
	int len;
	const char *bytes;	/* NULL: one byte 1, then zeros */
};

#define KIND(k)		{ SHELF_OP_A_KIND, 1, k }
#define PUT		KIND("\1")
#define PATCH		KIND("\2")
#define DELETE		KIND("\3")
#define ADD		KIND("\4")
#define REMOVE		KIND("\5")
#define CATALOG_DELETE	KIND("\6")
#define PRODUCT		{ SHELF_OP_A_PRODUCT, 8, NULL }
#define CATALOG		{ SHELF_OP_A_CATALOG, 8, NULL }
#define MEMBERS(n)	{ SHELF_OP_A_MEMBERS, n, NULL }
#define PRICE		{ SHELF_OP_A_PRICE, 8, NULL }
#define ATTRS(n)	{ SHELF_OP_A_ATTRS, n, NULL }
#define CURRENCY(n, s)	{ SHELF_OP_A_CURRENCY, n, s }

struct bad_op {
	const char *why;
	int error;
	struct piece piece[5];
};

static const struct bad_op bad_ops[] = {
	{ "empty", EINVAL, { } },
	{ "cut in an attribute's header", EINVAL, { PUT, PRODUCT, { CUT, 2, NULL } } },
	{ "an attribute of length 3", EINVAL, { PUT, PRODUCT, { CUT, 4, "\3\0\4" } } },
	{ "an attribute beyond the nest", EINVAL,
	  { PUT, PRODUCT, { CUT, 8, "\x40\0\4\0\0\0\0" } } },
	{ "KIND missing", EINVAL, { PRODUCT } },
	{ "KIND of 2 bytes", EINVAL, { { SHELF_OP_A_KIND, 2, "\1" }, PRODUCT } },
	{ "KIND of 0 bytes", EINVAL, { { SHELF_OP_A_KIND, 0, NULL }, PRODUCT } },
	{ "KIND 0", ERANGE, { KIND("\0"), PRODUCT } },
	{ "KIND 10", ERANGE, { KIND("\12"), PRODUCT } },
	{ "KIND 255", ERANGE, { KIND("\377"), PRODUCT } },
	{ "KIND twice", EINVAL, { PUT, PUT, PRODUCT } },
	{ "PRODUCT missing in put", EINVAL, { PUT, PRICE } },
	{ "PRODUCT missing in patch", EINVAL, { PATCH, PRICE } },
	{ "PRODUCT missing in delete", EINVAL, { DELETE } },
	{ "PRODUCT twice", EINVAL, { PUT, PRODUCT, PRODUCT } },
	{ "PRODUCT of 4 bytes", EINVAL, { PUT, { SHELF_OP_A_PRODUCT, 4, NULL } } },
	{ "PRODUCT of 9 bytes", EINVAL, { PUT, { SHELF_OP_A_PRODUCT, 9, NULL } } },
	{ "PRODUCT as a nest", EINVAL,
	  { PUT, { SHELF_OP_A_PRODUCT | NLA_F_NESTED, 8, NULL } } },
	{ "PRICE of 4 bytes", EINVAL, { PUT, PRODUCT, { SHELF_OP_A_PRICE, 4, NULL } } },
	{ "STOCK of 7 bytes", EINVAL, { PUT, PRODUCT, { SHELF_OP_A_STOCK, 7, NULL } } },
	{ "FLAGS of 8 bytes", EINVAL, { PUT, PRODUCT, { SHELF_OP_A_FLAGS, 8, NULL } } },
	{ "CURRENCY of 2 bytes", ERANGE, { PUT, PRODUCT, CURRENCY(2, "EU") } },
	{ "CURRENCY of 4 bytes", ERANGE, { PUT, PRODUCT, CURRENCY(4, "EUR") } },
	{ "CURRENCY in lower case", EINVAL, { PUT, PRODUCT, CURRENCY(3, "eur") } },
	{ "CURRENCY with a digit", EINVAL, { PUT, PRODUCT, CURRENCY(3, "E1R") } },
	{ "CURRENCY half zero", EINVAL, { PATCH, PRODUCT, CURRENCY(3, "EU") } },
	{ "ATTRS of one byte too many", ERANGE, { PUT, PRODUCT, ATTRS(61441) } },
	{ "an operation of 64 KiB", ERANGE, { PUT, PRODUCT, ATTRS(65504) } },
	{ "an unknown attribute", EINVAL, { PUT, PRODUCT, { 99, 8, NULL } } },
	{ "attribute 0", EINVAL, { PUT, PRODUCT, { SHELF_OP_A_UNSPEC, 8, NULL } } },
	{ "PAD", EINVAL, { PUT, PRODUCT, { SHELF_OP_A_PAD, 0, NULL } } },
	{ "PRICE in a delete", EINVAL, { DELETE, PRODUCT, PRICE } },
	{ "CATALOG in a put", EINVAL, { PUT, PRODUCT, CATALOG } },
	{ "MEMBERS in a patch", EINVAL, { PATCH, PRODUCT, MEMBERS(8) } },
	{ "PRODUCT in an add", EINVAL, { ADD, CATALOG, MEMBERS(8), PRODUCT } },
	{ "ATTRS in a remove", EINVAL, { REMOVE, CATALOG, MEMBERS(8), ATTRS(1) } },
	{ "MEMBERS in a catalog's delete", EINVAL, { CATALOG_DELETE, CATALOG, MEMBERS(8) } },
	{ "CATALOG missing in an add", EINVAL, { ADD, MEMBERS(8) } },
	{ "CATALOG missing in a delete", EINVAL, { CATALOG_DELETE } },
	{ "MEMBERS missing", EINVAL, { ADD, CATALOG } },
	{ "no members", EINVAL, { ADD, CATALOG, MEMBERS(0) } },
	{ "members of 7 bytes", EINVAL, { ADD, CATALOG, MEMBERS(7) } },
	{ "members of 12 bytes", EINVAL, { REMOVE, CATALOG, MEMBERS(12) } },
	{ "8001 members", ERANGE, { ADD, CATALOG, MEMBERS(8001 * 8) } },
	{ "8001 members to remove", ERANGE, { REMOVE, CATALOG, MEMBERS(8001 * 8) } },
};

static void put_piece(struct msg *m, const struct piece *p)
{
	static __u8 bytes[1 << 16];

	memset(bytes, 0, sizeof(bytes));
	bytes[0] = 1;
	if (p->bytes)
		memcpy(bytes, p->bytes, (size_t)p->len);
	if (p->type == CUT)
		msg_raw(m, bytes, (size_t)p->len);
	else
		msg_attr(m, p->type, bytes, (size_t)p->len);
}

static void put_pieces(struct msg *m, const struct piece *piece, int n)
{
	size_t nest = msg_nest(m, SHELF_A_OP);

	for (; n && (piece->type || piece->len); piece++, n--)
		put_piece(m, piece);
	msg_nest_end(m, nest);
}

/* A good one, the bad one, a good one: the words name the second. */
static void send_bad_op(struct wire *nl, __u64 cookie, const struct bad_op *bad,
			struct answer *a)
{
	ops_start(&msg, nl, cookie);
	op_product(&msg, SHELF_OP_PUT, 1, 4711);
	put_pieces(&msg, bad->piece, 5);
	op_product(&msg, SHELF_OP_DELETE, 2, 0);
	wire_talk(nl, &msg, a);
}

TEST_F_TIMEOUT(shelf, bad_ops, 480)
{
	const struct bad_op *bad;
	struct answer a, committed;
	__u64 cookie;

	for (bad = bad_ops; bad < bad_ops + ARRAY_SIZE(bad_ops); bad++) {
		ASSERT_EQ(0, wire_begin(&self->nl, NAME, &cookie));
		send_bad_op(&self->nl, cookie, bad, &a);
		EXPECT_EQ(bad->error, a.error)
			TH_LOG("%s: %s", bad->why, a.message);
		EXPECT_NE('\0', a.message[0])
			TH_LOG("%s: refused without a word", bad->why);
		EXPECT_TRUE(a.has_op && a.op == 1) TH_LOG("%s", bad->why);
		EXPECT_EQ(ECANCELED, wire_commit(&self->nl, cookie, NULL, &committed))
			TH_LOG("%s: half a batch was committed", bad->why);
		EXPECT_NE('\0', committed.message[0]);
		EXPECT_SAME(self);
	}
}

/* What only looks bad. */
static const struct bad_op good_ops[] = {
	{ "60 KiB of ATTRS", 0, { PUT, PRODUCT, ATTRS(61440) } },
	{ "no ATTRS", 0, { PUT, PRODUCT, ATTRS(0) } },
	{ "8000 members", 0, { ADD, CATALOG, MEMBERS(8000 * 8) } },
	{ "no currency", 0, { PUT, PRODUCT, CURRENCY(3, "\0\0") } },
	{ "a patch of nothing", 0, { PATCH, PRODUCT } },
	{ "any order", 0, { CURRENCY(3, "EUR"), PRICE, PRODUCT, PUT } },
};

TEST_F(shelf, good_ops)
{
	const struct bad_op *good;
	struct answer a;
	__u64 cookie;

	for (good = good_ops; good < good_ops + ARRAY_SIZE(good_ops); good++) {
		ASSERT_EQ(0, wire_begin(&self->nl, NAME, &cookie));
		ops_start(&msg, &self->nl, cookie);
		put_pieces(&msg, good->piece, 5);
		EXPECT_EQ(0, wire_talk(&self->nl, &msg, &a))
			TH_LOG("%s: %s", good->why, a.message);
		EXPECT_EQ(0, wire_commit(&self->nl, cookie, NULL, &a))
			TH_LOG("%s: %s", good->why, a.message);
		EXPECT_EQ(1, a.value[SHELF_A_OPS]);
	}
}

/* Every way a batch can go on after one of its operations was refused. */
TEST_F(shelf, after_a_refusal)
{
	static const struct bad_op bad = { "", EINVAL, { PUT, PRICE } };
	struct answer a;
	__u64 cookie;

	ASSERT_EQ(0, wire_begin(&self->nl, NAME, &cookie));
	send_bad_op(&self->nl, cookie, &bad, &a);
	ASSERT_EQ(EINVAL, a.error);
	ops_start(&msg, &self->nl, cookie);
	op_product(&msg, SHELF_OP_DELETE, 3, 0);
	EXPECT_EQ(ECANCELED, wire_talk(&self->nl, &msg, &a));
	EXPECT_TRUE(strstr(a.message, "PRODUCT") && a.has_op && a.op == 1)
		TH_LOG("the first refusal is forgotten: %s", a.message);
	EXPECT_EQ(ECANCELED, wire_commit(&self->nl, cookie, NULL, &a));
	EXPECT_TRUE(strstr(a.message, "PRODUCT") && a.has_op && a.op == 1);
	EXPECT_EQ(ENOENT, wire_commit(&self->nl, cookie, NULL, &a));
	EXPECT_EQ(ENOENT, wire_put(&self->nl, cookie, 1, 1));
	EXPECT_SAME(self);
}

/*
 * A message that is refused before it comes to its batch can't poison it; for
 * that a commit can say of how many operations it should be.
 */
TEST_F(shelf, lost_message)
{
	struct answer a;
	__u64 cookie;

	ASSERT_EQ(0, wire_begin(&self->nl, NAME, &cookie));
	ASSERT_EQ(0, wire_put(&self->nl, cookie, 1, 4711));
	ops_start(&msg, &self->nl, cookie);
	op_product(&msg, SHELF_OP_DELETE, 2, 0);
	msg_u64(&msg, 200, 0);
	ASSERT_EQ(EINVAL, wire_talk(&self->nl, &msg, &a));
	msg_start(&msg, &self->nl, SHELF_CMD_BATCH_COMMIT);
	msg_u64(&msg, SHELF_A_COOKIE, cookie);
	msg_u64(&msg, SHELF_A_OPS, 2);
	EXPECT_EQ(ECANCELED, wire_talk(&self->nl, &msg, &a));
	EXPECT_NE('\0', a.message[0]);
	EXPECT_EQ(ENOENT, wire_commit(&self->nl, cookie, NULL, &a));
	EXPECT_SAME(self);
}

/*
 * Whole messages
 * ==============
 */
#define BARE		1U	/* without the NAME or COOKIE it should have */
#define WORDLESS	2U	/* refused by genetlink's core, which says nothing */
#define NO_HEADER	4U
#define HALF_HEADER	8U
#define RESERVED	16U
#define ODD_FLAG	32U
#define A_DUMP		64U

struct bad_message {
	const char *why;
	int cmd;
	int error;
	unsigned int flags;
	struct piece piece[2];
};

#define CREATE_		SHELF_CMD_CREATE
#define DESTROY_	SHELF_CMD_DESTROY
#define GET_		SHELF_CMD_GET
#define SET_		SHELF_CMD_SET
#define BEGIN_		SHELF_CMD_BATCH_BEGIN
#define OPS_		SHELF_CMD_BATCH_OPS
#define COMMIT_		SHELF_CMD_BATCH_COMMIT
#define ABORT_		SHELF_CMD_BATCH_ABORT
#define NONE_		{ SHELF_A_NAME, 5, "none" }
#define UNKNOWN_	{ 200, 8, NULL }
#define COOKIE_(n)	{ SHELF_A_COOKIE, n, NULL }

static const struct bad_message bad_messages[] = {
	{ "no family header", DESTROY_, EINVAL, NO_HEADER | WORDLESS, { } },
	{ "half a family header", COMMIT_, EINVAL, HALF_HEADER | WORDLESS, { } },
	{ "command 0", SHELF_CMD_UNSPEC, EOPNOTSUPP, WORDLESS, { } },
	{ "NEW", SHELF_CMD_NEW, EOPNOTSUPP, WORDLESS, { } },
	{ "BATCH_RESULT", SHELF_CMD_BATCH_RESULT, EOPNOTSUPP, WORDLESS, { } },
	{ "CREATED", SHELF_CMD_CREATED, EOPNOTSUPP, WORDLESS, { } },
	{ "DESTROYED", SHELF_CMD_DESTROYED, EOPNOTSUPP, WORDLESS, { } },
	{ "COMMITTED", SHELF_CMD_COMMITTED, EOPNOTSUPP, WORDLESS, { } },
	{ "command 14", SHELF_CMD_MAX + 1, EOPNOTSUPP, WORDLESS, { } },
	{ "command 255", 255, EOPNOTSUPP, WORDLESS, { } },
	{ "a dump of destroy", DESTROY_, EOPNOTSUPP, A_DUMP | WORDLESS, { } },
	/* 6.1 has no room for words about a dump. */
	{ "a dump with a name", GET_, EINVAL, A_DUMP | WORDLESS, { } },
	{ "reserved bits", DESTROY_, EINVAL, RESERVED, { } },
	{ "odd flags", DESTROY_, EINVAL, ODD_FLAG, { } },
	{ "NAME missing, create", CREATE_, EINVAL, BARE, { } },
	{ "NAME missing, destroy", DESTROY_, EINVAL, BARE, { } },
	{ "NAME missing, get", GET_, EINVAL, BARE, { } },
	{ "NAME missing, begin", BEGIN_, EINVAL, BARE, { } },
	{ "NAME without its NUL", DESTROY_, EINVAL, BARE,
	  { { SHELF_A_NAME, sizeof(NAME) - 1, NAME } } },
	{ "NAME and more behind its NUL", DESTROY_, EINVAL, BARE,
	  { { SHELF_A_NAME, sizeof(NAME) + 1, NAME "\0x" } } },
	{ "NAME of no shelf, destroy", DESTROY_, ENOENT, BARE, { NONE_ } },
	{ "NAME of no shelf, get", GET_, ENOENT, BARE, { NONE_ } },
	{ "NAME of no shelf, begin", BEGIN_, ENOENT, BARE, { NONE_ } },
	{ "a cut attribute header", DESTROY_, EINVAL, 0, { { CUT, 2, "\10" } } },
	{ "the same, commit", COMMIT_, EINVAL, 0, { { CUT, 2, "\10" } } },
	{ "an attribute of length 3", COMMIT_, EINVAL, 0, { { CUT, 4, "\3\0\7" } } },
	{ "an attribute beyond the end", OPS_, EINVAL, 0,
	  { { CUT, 8, "\377\377\10\200abc" } } },
	{ "an unknown attribute, destroy", DESTROY_, EINVAL, 0, { UNKNOWN_ } },
	{ "an unknown attribute, ops", OPS_, EINVAL, 0, { UNKNOWN_ } },
	{ "an unknown attribute, commit", COMMIT_, EINVAL, 0, { UNKNOWN_ } },
	{ "an attribute of answers", DESTROY_, EINVAL, 0,
	  { { SHELF_A_GENERATION, 8, NULL } } },
	{ "NAME in ops", OPS_, EINVAL, 0, { NONE_ } },
	{ "NAME in a commit", COMMIT_, EINVAL, 0, { NONE_ } },
	{ "MAX_BYTES in set", SET_, EINVAL, 0, { { SHELF_A_MAX_BYTES, 8, NULL } } },
	{ "COOKIE missing, ops", OPS_, EINVAL, BARE, { } },
	{ "COOKIE missing, commit", COMMIT_, EINVAL, BARE, { } },
	{ "COOKIE missing, abort", ABORT_, EINVAL, BARE, { } },
	{ "COOKIE of 4 bytes", COMMIT_, EINVAL, BARE, { COOKIE_(4) } },
	{ "COOKIE unknown, ops", OPS_, ENOENT, BARE, { COOKIE_(8) } },
	{ "COOKIE unknown, commit", COMMIT_, ENOENT, BARE, { COOKIE_(8) } },
	{ "COOKIE unknown, abort", ABORT_, ENOENT, BARE, { COOKIE_(8) } },
	{ "COOKIE 0", COMMIT_, ENOENT, BARE,
	  { { SHELF_A_COOKIE, 8, "\0\0\0\0\0\0\0" } } },
	{ "OP without the nested flag", OPS_, EINVAL, 0,
	  { { SHELF_A_OP, 8, "\5\0\2\0\3\0\0" } } },
	{ "EXPECT of 4 bytes", COMMIT_, EINVAL, 0, { { SHELF_A_EXPECT, 4, NULL } } },
	{ "SET of nothing", SET_, EINVAL, 0, { } },
	{ "BATCH_BYTES too small", SET_, ERANGE, 0,
	  { { SHELF_A_BATCH_BYTES, 8, "\377\377\0\0\0\0\0" } } },
	{ "BATCH_BYTES too large", SET_, ERANGE, 0,
	  { { SHELF_A_BATCH_BYTES, 8, "\1\0\0\0\20\0\0" } } },
	{ "QUARANTINE_MS too long", SET_, ERANGE, 0,
	  { { SHELF_A_QUARANTINE_MS, 4, "\377\377\377" } } },
	{ "QUARANTINE_MS of 8 bytes", SET_, EINVAL, 0,
	  { { SHELF_A_QUARANTINE_MS, 8, NULL } } },
};

static void put_bad_message(struct msg *m, const struct wire *nl, __u64 cookie,
			    const struct bad_message *bad)
{
	const struct piece *p;

	msg_start(m, nl, (__u8)bad->cmd);
	if (!(bad->flags & BARE) && bad->cmd >= SHELF_CMD_BATCH_OPS)
		msg_u64(m, SHELF_A_COOKIE, cookie);
	else if (!(bad->flags & BARE))
		msg_string(m, SHELF_A_NAME, NAME);
	for (p = bad->piece; p < bad->piece + 2 && p->len; p++)
		put_piece(m, p);
	if (bad->flags & NO_HEADER)
		m->head.nlmsg_len = NLMSG_HDRLEN;
	if (bad->flags & HALF_HEADER)
		m->head.nlmsg_len = NLMSG_HDRLEN + 2;
	msg_genl(m)->reserved = !!(bad->flags & RESERVED);
	if (bad->flags & ODD_FLAG)
		m->head.nlmsg_flags |= NLM_F_CREATE;
	if (bad->flags & A_DUMP)
		m->head.nlmsg_flags |= NLM_F_DUMP;
}

TEST_F_TIMEOUT(shelf, bad_messages, 480)
{
	const struct bad_message *bad;
	struct answer a;
	__u64 cookie;

	ASSERT_EQ(0, wire_begin(&self->nl, NAME, &cookie));
	ASSERT_EQ(0, wire_put(&self->nl, cookie, 1, 4711));
	for (bad = bad_messages; bad < bad_messages + ARRAY_SIZE(bad_messages); bad++) {
		put_bad_message(&msg, &self->nl, cookie, bad);
		EXPECT_EQ(bad->error, wire_talk(&self->nl, &msg, &a))
			TH_LOG("%s: %s", bad->why, a.message);
		EXPECT_TRUE(bad->flags & WORDLESS || a.message[0])
			TH_LOG("%s: refused without a word", bad->why);
		EXPECT_EQ(0, a.messages) TH_LOG("%s: answered", bad->why);
		EXPECT_SAME(self);
	}
	/* None of them was about this batch. */
	EXPECT_EQ(0, wire_commit(&self->nl, cookie, NULL, &a));
	EXPECT_EQ(1, a.value[SHELF_A_OPS]);
}

/* Longer than what was sent: netlink drops it unseen. The socket lives on. */
TEST_F(shelf, longer_than_sent)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct answer a = { 0 };
	__u64 cookie;

	msg_start(&msg, &self->nl, SHELF_CMD_DESTROY);
	msg_string(&msg, SHELF_A_NAME, NAME);
	msg.head.nlmsg_len += 64;
	ASSERT_LT(0, sendto(self->nl.fd, msg.bytes, msg.head.nlmsg_len - 64, 0,
			    (struct sockaddr *)&kernel, sizeof(kernel)));
	wire_set_wait(&self->nl, 200);
	EXPECT_FALSE(wire_receive(&self->nl, 0, &a));
	wire_set_wait(&self->nl, WIRE_WAIT_S * 1000);
	EXPECT_EQ(0, wire_begin(&self->nl, NAME, &cookie));
	EXPECT_SAME(self);
}

/* genetlink lets any version pass; it must not open another door. */
TEST_F(shelf, versions)
{
	static const __u8 version[] = { 0, 2, 255 };
	struct answer a;
	int i;

	for (i = 0; i < 3; i++) {
		msg_start(&msg, &self->nl, SHELF_CMD_DESTROY);
		msg_genl(&msg)->version = version[i];
		msg_u64(&msg, SHELF_A_MAX_BYTES, 8 << 20);
		EXPECT_EQ(EINVAL, wire_talk(&self->nl, &msg, &a));
		EXPECT_SAME(self);
	}
}

/*
 * Cookies
 * =======
 */
TEST_F(shelf, cookies)
{
	struct answer a;
	struct wire other;
	__u64 cookie;

	ASSERT_EQ(0, wire_open(&other));
	ASSERT_EQ(0, wire_begin(&self->nl, NAME, &cookie));
	EXPECT_EQ(ENOENT, wire_put(&other, cookie, 1, 4711));
	EXPECT_EQ(ENOENT, wire_commit(&other, cookie, NULL, &a));
	EXPECT_NE('\0', a.message[0]);
	EXPECT_EQ(ENOENT, wire_abort(&other, cookie, &a));
	EXPECT_EQ(0, wire_put(&self->nl, cookie, 1, 4711));
	EXPECT_EQ(0, wire_abort(&self->nl, cookie, &a));
	EXPECT_EQ(ENOENT, wire_abort(&self->nl, cookie, &a));
	EXPECT_EQ(ENOENT, wire_put(&self->nl, cookie, 1, 4711));
	EXPECT_EQ(ENOENT, wire_commit(&self->nl, cookie, NULL, &a));
	EXPECT_SAME(self);
	wire_close(&other);
}

TEST_F(shelf, commit_twice)
{
	struct answer a;
	__u64 cookie;

	ASSERT_EQ(0, wire_begin(&self->nl, NAME, &cookie));
	ASSERT_EQ(0, wire_put(&self->nl, cookie, 1, 4711));
	ASSERT_EQ(0, wire_commit(&self->nl, cookie, NULL, &a));
	EXPECT_EQ(self->before.generation + 1, a.value[SHELF_A_GENERATION]);
	EXPECT_EQ(4711, dev_price(self->fd, 1));
	self->before = state_of(self->fd);
	EXPECT_EQ(ENOENT, wire_commit(&self->nl, cookie, NULL, &a));
	EXPECT_NE('\0', a.message[0]);
	EXPECT_EQ(ENOENT, wire_put(&self->nl, cookie, 1, 5));
	EXPECT_EQ(ENOENT, wire_abort(&self->nl, cookie, &a));
	EXPECT_SAME(self);
}

TEST_HARNESS_MAIN
