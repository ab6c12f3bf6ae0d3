// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5: a message that is refused poisons its batch, what is committed is what was
 * sent, all of it, and each commit is answered once.
 *
 * A batch that got raw or spoilt bytes is `spoilt`: nobody knows what of it was
 * taken, so it is only looked at whether what is staged is within bounds.
 */
#include "sender.h"

#include "../hosted/digest.h"

#define BATCHES		3U
#define SOCKETS		2U
#define FLIPS		4U
#define MESSAGE_BYTES	(60U << 10)	/* of operations; the last one comes on top */

struct sender {
	u64 cookie;
	u32 portid;
	bool open;
	bool spoilt;
	bool poisoned;
	u64 ops;
	u64 digest;
};

static struct sender senders[BATCHES], *now;

/* The message at hand. */
static struct {
	u32 used;
	u64 ops;
	u64 digest;
	bool spoilt;
	u32 flips;
	u16 flip_at[FLIPS];
	u8 flip[FLIPS];
	u8 bytes[MESSAGE_BYTES + (70 << 10)] __aligned(8);
} msg;

/* What was answered last. */
static u64 answer_cookie, result_cookie;
static u32 result_error;
static bool result_repeated;
static bool answered;

/*
 * Messages out
 * ============
 */
static struct nlattr *put(int type, u32 len, const void *data)
{
	struct nlattr *a = (struct nlattr *)(msg.bytes + msg.used);
	u32 room = NLA_ALIGN(NLA_HDRLEN + len);

	if (sizeof(msg.bytes) - msg.used < room)
		FAIL("the message is too long");
	memset(a, 0, room);
	a->nla_len = (u16)(NLA_HDRLEN + len);
	a->nla_type = (u16)type;
	if (len)
		memcpy(nla_data(a), data, len);
	msg.used += room;
	return a;
}

static void put_u64(int type, u64 value)
{
	put(type, sizeof(value), &value);
}

static struct nlattr *nest_begin(void)
{
	return put(SHELF_A_OP | NLA_F_NESTED, 0, NULL);
}

static void nest_end(struct nlattr *nest)
{
	nest->nla_len = (u16)(msg.bytes + msg.used - (u8 *)nest);
}

static void message_begin(u8 cmd, u16 flags)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)msg.bytes;

	memset(msg.bytes, 0, NLMSG_HDRLEN + GENL_HDRLEN);
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	((struct genlmsghdr *)NLMSG_DATA(nlh))->cmd = cmd;
	msg.used = NLMSG_HDRLEN + GENL_HDRLEN;
	msg.ops = 0;
	msg.digest = 0;
	msg.spoilt = false;
}

/* In a block of its own size, so that a byte behind it is out of bounds. */
static int message_send(u32 portid, struct netlink_ext_ack *extack)
{
	struct nlmsghdr *nlh = malloc(msg.used);
	int ret = -EINVAL;
	u32 i;

	*extack = (struct netlink_ext_ack){ 0 };
	answered = false;
	((struct nlmsghdr *)msg.bytes)->nlmsg_len = msg.used;
	memcpy(nlh, msg.bytes, msg.used);
	for (i = 0; i < msg.flips; i++)
		((u8 *)nlh)[msg.flip_at[i] % msg.used] ^= msg.flip[i];
	if (nlh->nlmsg_len >= NLMSG_HDRLEN && nlh->nlmsg_len <= msg.used)
		ret = genl_receive(&shelf_genl, nlh, portid, extack);
	free(nlh);
	msg.used = 0;
	msg.flips = 0;
	return ret;
}

/* Of the operation at a place of its batch; a batch's is the sum. */
static u64 op_digest(u64 index, const struct op *op, const void *data)
{
	struct op head = *op;
	size_t bytes = op_map(op) == MAP_CATALOGS ? (size_t)op->len * 8 : op->len;
	u64 digest;

	head.index = index;
	memset(head.reserved, 0, sizeof(head.reserved));
	digest = bytes_digest(0, &head, sizeof(head));
	return bytes ? bytes_digest(digest, data, bytes) : digest;
}

static bool begin(void)
{
	struct netlink_ext_ack extack;
	int ret;

	if (now->open)
		return true;
	*now = (struct sender){ .portid = 1 + (u32)(now - senders) % SOCKETS };
	message_begin(SHELF_CMD_BATCH_BEGIN, 0);
	put(SHELF_A_NAME, sizeof(HOST_NAME), HOST_NAME);
	answer_cookie = 0;
	msg.flips = 0;
	ret = message_send(now->portid, &extack);
	if (ret && ret != -ENOMEM && ret != -EMFILE)
		FAIL("begin: %d", ret);
	if (!ret && !answer_cookie)
		FAIL("begin, and no cookie");
	now->cookie = answer_cookie;
	now->open = !ret;
	return now->open;
}

static void ops_begin(void)
{
	if (msg.used)
		return;
	message_begin(SHELF_CMD_BATCH_OPS, 0);
	put_u64(SHELF_A_COOKIE, now->cookie);
}

static void put_values(const struct op *op, const void *data)
{
	if (op->fields & FIELD_PRICE)
		put_u64(SHELF_OP_A_PRICE, (u64)op->price);
	if (op->fields & FIELD_STOCK)
		put_u64(SHELF_OP_A_STOCK, (u64)op->stock);
	if (op->fields & FIELD_FLAGS)
		put(SHELF_OP_A_FLAGS, sizeof(op->flags), &op->flags);
	if (op->fields & FIELD_CURRENCY)
		put(SHELF_OP_A_CURRENCY, 3, op->currency);
	if (op->fields & FIELD_ATTRS)
		put(SHELF_OP_A_ATTRS, op->len, data);
}

static void put_source(const struct op *op, const void *name)
{
	put(SHELF_OP_A_SOURCE, op->len, name);
	if (op->kind == SHELF_OP_SEQUENCE)
		put_u64(SHELF_OP_A_FIRST, op->first);
	if (op->kind != SHELF_OP_SOURCE_DELETE)
		put_u64(SHELF_OP_A_LAST, op->last);
	if (op->fields & FIELD_NO_GAP)
		put(SHELF_OP_A_NO_GAP, 0, "");
}

/* The nest of one more operation, if there is a message for it. */
static struct nlattr *op_begin(void)
{
	if (msg.used > MESSAGE_BYTES)
		sender_flush();
	if (!begin())
		return NULL;
	ops_begin();
	return nest_begin();
}

void sender_op(const struct op *op, const void *data)
{
	struct nlattr *nest = op_begin();

	if (!nest)
		return;
	put(SHELF_OP_A_KIND, 1, &op->kind);
	switch (op_map(op)) {
	case MAP_CATALOGS:
		put_u64(SHELF_OP_A_CATALOG, (u64)op->id);
		if (op->len)
			put(SHELF_OP_A_MEMBERS, op->len * 8, data);
		break;
	case MAP_SOURCES:
		put_source(op, data);
		break;
	default:
		put_u64(SHELF_OP_A_PRODUCT, (u64)op->id);
		put_values(op, data);
	}
	nest_end(nest);
	msg.digest += op_digest(now->ops + msg.ops++, op, data);
}

void sender_raw(const u8 *bytes, size_t n)
{
	struct nlattr *nest = op_begin();

	if (!nest)
		return;
	memcpy(msg.bytes + msg.used, bytes, n);
	memset(msg.bytes + msg.used + n, 0, NLA_ALIGNTO);
	nest->nla_len = (u16)(NLA_HDRLEN + n);
	msg.used += NLA_ALIGN((u32)n);
	msg.spoilt = true;
}

void sender_flip(u16 at, u8 bits)
{
	if (!msg.used || msg.flips == FLIPS || !bits)
		return;
	msg.flip_at[msg.flips] = at;
	msg.flip[msg.flips++] = bits;
	msg.spoilt = true;
}

static void refused(int ret, const struct netlink_ext_ack *extack)
{
	bool known = ret == -ENOMEM || ret == -EDQUOT ||
		     (ret == -ECANCELED && now->poisoned);

	if (!known)
		FAIL("operations: %d %s", ret, extack->_msg ? extack->_msg : "");
	if (!extack->_msg)
		FAIL("operations: %d, and no word", ret);
	now->poisoned = true;
}

void sender_flush(void)
{
	struct netlink_ext_ack extack;
	u64 ops = msg.ops, digest = msg.digest;
	bool spoilt = msg.spoilt;
	int ret;

	if (!msg.used)
		return;
	ret = message_send(now->portid, &extack);
	now->spoilt |= spoilt;
	if (now->spoilt)
		return;
	if (ret) {
		refused(ret, &extack);
		return;
	}
	now->ops += ops;
	now->digest += digest;
}

/*
 * Ends of batches
 * ===============
 */
static int expected(u8 flags)
{
	return now->poisoned || (flags & 24) == 24 ? -ECANCELED : 0;
}

static void put_expect(u8 flags)
{
	const struct store *st = &host_shelf.store;

	if (flags & 2)
		put_u64(SHELF_A_EXPECT, flags & 4 ? st->generation + 1 : st->content);
}

/* And whether it is a check. */
static void put_guards(u8 flags)
{
	u32 change = flags & 2 ? 10 : 100;
	u8 dangling = flags & 1 ? SHELF_DANGLING_WARN : SHELF_DANGLING_REFUSE;

	if (flags & 32)
		put(SHELF_A_CHECK, 0, NULL);
	if (flags & 64)
		put(SHELF_A_MAX_CHANGE, sizeof(change), &change);
	if (flags & 128)
		put(SHELF_A_DANGLING, sizeof(dangling), &dangling);
}

void sender_commit(u8 flags)
{
	struct netlink_ext_ack extack;
	int ret, want;

	sender_flush();
	if (!begin())
		return;
	want = expected(flags);
	message_begin(SHELF_CMD_BATCH_COMMIT, 0);
	put_u64(SHELF_A_COOKIE, now->cookie);
	put_expect(flags);
	if (flags & 8)
		put_u64(SHELF_A_OPS, now->ops + (flags >> 4 & 1));
	if (flags & 1)
		put(SHELF_A_NO_WAIT, 0, NULL);
	put_guards(flags);
	ret = message_send(now->portid, &extack);
	if (ret == -ENOMEM)	/* the one error after which it is still open */
		return;
	now->open = false;
	if (!now->spoilt && ret != want)
		FAIL("commit: %d, not %d", ret, want);
	if (!ret && (!answered || result_cookie != now->cookie))
		FAIL("a commit was not answered");
	/* What a repeat expects is not looked at: it was met when it was applied. */
	if (!ret && (flags & 6) == 6 && result_error != ESTALE && !result_repeated)
		FAIL("a commit upon a generation that isn't there: %u", result_error);
}

void sender_abort(void)
{
	struct netlink_ext_ack extack;
	int ret;

	sender_flush();
	if (!now->open)
		return;
	message_begin(SHELF_CMD_BATCH_ABORT, 0);
	put_u64(SHELF_A_COOKIE, now->cookie);
	ret = message_send(now->portid, &extack);
	if (ret && !now->spoilt)
		FAIL("abort: %d", ret);
	now->open = false;
}

void sender_close(u8 socket)
{
	struct netlink_notify notify = {
		.net = &init_net, .protocol = NETLINK_GENERIC,
		.portid = 1 + socket % SOCKETS,
	};
	u32 i;

	sender_flush();
	netlink_notifier->notifier_call(netlink_notifier, NETLINK_URELEASE, &notify);
	for (i = 0; i < BATCHES; i++)
		if (senders[i].portid == notify.portid)
			senders[i].open = false;
}

void sender_choose(u8 batch)
{
	sender_flush();
	now = &senders[batch % BATCHES];
}

/*
 * Other commands
 * ==============
 */
static void must(int ret, int want, const char *what)
{
	if (ret != want && ret != -ENOMEM)
		FAIL("%s: %d, not %d", what, ret, want);
}

void sender_set(u8 which, u16 value)
{
	struct netlink_ext_ack extack;
	u32 ms = value, lease = 1U + value, change = value % 200;
	u8 dangling = value % 3;

	sender_flush();
	message_begin(SHELF_CMD_SET, 0);
	put(SHELF_A_NAME, sizeof(HOST_NAME), HOST_NAME);
	if (which & 1)
		put(SHELF_A_QUARANTINE_MS, sizeof(ms), &ms);
	if (which & 2)
		put_u64(SHELF_A_PIN_BYTES, 1 + ((u64)value << 12));
	if (which & 4)
		put(SHELF_A_LEASE_MAX_MS, sizeof(lease), &lease);
	if (which & 8)
		put_u64(SHELF_A_BATCH_BYTES, SZ_64K + value);
	if (which & 16)
		put(SHELF_A_MAX_CHANGE, sizeof(change), &change);
	if (which & 32)
		put(SHELF_A_DANGLING, sizeof(dangling), &dangling);
	must(message_send(3, &extack), which & 63 ? 0 : -EINVAL, "set");
}

void sender_ask(u8 what)
{
	static const struct {
		u8 cmd;
		u16 flags;
		bool name;
		int want;
	} ask[] = {
		{ SHELF_CMD_GET, 0, true, 0 },
		{ SHELF_CMD_PINS, NLM_F_DUMP, true, 0 },
		{ SHELF_CMD_TRIM, 0, true, 0 },
		{ SHELF_CMD_GET, NLM_F_DUMP, false, 0 },
		{ SHELF_CMD_DESTROY, 0, true, -ENOENT },
		{ SHELF_CMD_GET, 0, false, -EINVAL },
		{ SHELF_CMD_CREATE, 0, true, -EINVAL },
		{ SHELF_CMD_PINS, 0, true, -EOPNOTSUPP },
	};
	u32 i = what % ARRAY_SIZE(ask);
	struct netlink_ext_ack extack;

	sender_flush();
	message_begin(ask[i].cmd, ask[i].flags);
	if (ask[i].name)
		put(SHELF_A_NAME, sizeof(HOST_NAME), HOST_NAME);
	must(message_send(3, &extack), ask[i].want, "ask");
}

void sender_message(u8 cmd, u16 n, const u8 *attrs, size_t bytes)
{
	struct netlink_ext_ack extack;

	sender_flush();
	message_begin(cmd % (SHELF_CMD_MAX + 2), n & 4 ? NLM_F_DUMP : 0);
	if (n & 1)
		put_u64(SHELF_A_COOKIE, now->cookie);
	if (n & 2)
		put(SHELF_A_NAME, sizeof(HOST_NAME), HOST_NAME);
	memcpy(msg.bytes + msg.used, attrs, bytes);
	msg.used += (u32)bytes;
	message_send(now->portid ? now->portid : 1, &extack);
	now->spoilt = true;
}

/*
 * Messages in
 * ===========
 */
static void check_shelf(struct nlattr **tb)
{
	const struct shelf_root *root = host_shelf.store.root;

	if (!tb[SHELF_A_NAME] || !tb[SHELF_A_PIN_BYTES] || !tb[SHELF_A_GENERATION] ||
	    nla_get_u64(tb[SHELF_A_GENERATION]) != host_shelf.store.generation ||
	    nla_get_u64(tb[SHELF_A_PRODUCTS]) != root->products ||
	    nla_get_u64(tb[SHELF_A_MEMBERSHIPS]) != root->memberships)
		FAIL("a shelf is told of wrongly");
}

static void take_result(struct nlattr **tb)
{
	if (answered || !tb[SHELF_A_COOKIE] || !tb[SHELF_A_ERROR])
		FAIL("answered twice, or without an error");
	answered = true;
	result_cookie = nla_get_u64(tb[SHELF_A_COOKIE]);
	result_error = nla_get_u32(tb[SHELF_A_ERROR]);
	result_repeated = tb[SHELF_A_REPEATED];
	if (result_error ? !tb[SHELF_A_MESSAGE] : !tb[SHELF_A_GRACE_NS] ||
	    nla_get_u64(tb[SHELF_A_GENERATION]) != host_shelf.store.generation)
		FAIL("a result of too few words");
}

/* All that a message may have; PAD is there for its length alone. */
void message_sent(const struct nlmsghdr *nlh, u32 portid)
{
	const struct genlmsghdr *g = NLMSG_DATA(nlh);
	struct nlattr *tb[SHELF_A_MAX + 1] = { NULL }, *a;
	int rem;

	(void)portid;
	nlmsg_for_each_attr(a, nlh, GENL_HDRLEN, rem) {
		if (nla_type(a) > SHELF_A_MAX || (nla_type(a) != SHELF_A_PAD && tb[nla_type(a)]))
			FAIL("attribute %d is unknown, or there twice", nla_type(a));
		tb[nla_type(a)] = a;
	}
	if (rem)
		FAIL("%d bytes behind the last attribute", rem);
	if (g->cmd == SHELF_CMD_BATCH_BEGIN)
		answer_cookie = nla_get_u64(tb[SHELF_A_COOKIE]);
	if (g->cmd == SHELF_CMD_BATCH_RESULT)
		take_result(tb);
	if (g->cmd == SHELF_CMD_NEW)
		check_shelf(tb);
}

/*
 * What is staged
 * ==============
 */
static void check_op(const struct op *op)
{
	static const struct {
		u32 len;
		u8 fields;
	} most[MAPS] = {
		[MAP_PRODUCTS] = { SHELF_ATTRS_MAX, 31 },
		[MAP_CATALOGS] = { SHELF_MEMBERS_MAX, 0 },
		[MAP_SOURCES] = { SHELF_SOURCE_MAX, FIELD_NO_GAP },
	};

	if (!op->kind || op->kind > SHELF_OP_MAX || op->len > most[op_map(op)].len ||
	    op->fields & ~most[op_map(op)].fields || op->currency[3])
		FAIL("operation %llu is staged, but none", op->index);
}

static struct sender *sender_of(const struct commit *c)
{
	u32 i;

	for (i = 0; i < BATCHES; i++)
		if (senders[i].cookie == c->cookie && senders[i].open)
			return &senders[i];
	FAIL("a commit of a batch that nobody has begun");
}

void sender_staged(const struct commit *c)
{
	const struct sender *s = sender_of(c);
	const struct op_block *block;
	u64 ops = 0, digest = 0;
	u32 at;

	for (block = c->batch.first; block; block = block->next) {
		for (at = 0; at < block->used;) {
			const struct op *op = (const struct op *)(block->bytes + at);

			at += (u32)op_bytes(op);
			check_op(op);
			digest += op_digest(op->index, op, op->data);
			if (op->index != ops++)
				FAIL("operation %llu is out of place", op->index);
		}
	}
	if (s->spoilt)
		return;
	if (s->poisoned)
		FAIL("a poisoned batch is committed");
	if (ops != s->ops)
		FAIL("%llu operations are staged, %llu were sent", ops, s->ops);
	if (digest != s->digest)
		FAIL("what is staged is not what was sent");
}

void sender_begin(void)
{
	memset(senders, 0, sizeof(senders));
	now = senders;
	msg.used = 0;
	msg.flips = 0;
	if (!netlink_notifier)
		netlink_init();
}
