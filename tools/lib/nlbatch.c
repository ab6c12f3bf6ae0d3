// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Batches over generic netlink.
 *
 * Operations are packed into messages of up to MESSAGE_BYTES, which a socket's
 * default buffer takes. The kernel stages a message while it is being sent, so
 * its acknowledgment is there when send() returns: there is nothing to gain
 * from having several on their way.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nltalk.h"

/* As in struct shelf_nl_op. */
enum {
	FIELD_PRICE = 1,
	FIELD_STOCK = 2,
	FIELD_FLAGS = 4,
	FIELD_CURRENCY = 8,
	FIELD_ATTRS = 16,
	FIELD_NO_GAP = 32,
};

/* An operation without its attribute bytes or members, with room to spare. */
#define OP_BYTES	128U
#define HEAD_BYTES	64U
#define OP_DATA_BYTES	(SHELF_MEMBERS_MAX * sizeof(__s64))
#define MESSAGE_BYTES	(HEAD_BYTES + OP_BYTES + OP_DATA_BYTES)

static_assert(SHELF_ATTRS_MAX <= OP_DATA_BYTES, "the larger of the two");
static_assert(OP_BYTES + OP_DATA_BYTES <= 65535, "a nest's length has 16 bits");

/**
 * struct shelf_nl_batch - one batch
 * @msg: being put together, NULL: not begun
 * @used: bytes of it
 * @ops: added so far
 * @failed: what came first, if its error isn't 0
 */
struct shelf_nl_batch {
	struct shelf_nl *nl;
	__u64 cookie;
	struct nl_msg *msg;
	size_t used;
	__u64 ops;
	struct shelf_error failed;
};

static int batch_error(const struct shelf_nl_batch *b,
		       struct shelf_error *err)
{
	if (err)
		*err = b->failed;
	return b->failed.error;
}

static int batch_fail(struct shelf_nl_batch *b, int error, const char *words,
		      struct shelf_error *err)
{
	shelf_fail(&b->failed, error, "%s", words);
	b->failed.op = b->ops;
	b->failed.has_op = 1;
	return batch_error(b, err);
}

static struct nl_msg *batch_request(struct shelf_nl_batch *b, __u8 cmd,
				    size_t bytes)
{
	struct nl_msg *msg = shelf_nl_request(b->nl, cmd, 0, bytes);

	if (msg && nla_put_u64(msg, SHELF_A_COOKIE, b->cookie)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static void batch_free(struct shelf_nl_batch *b)
{
	nlmsg_free(b->msg);
	free(b);
}

static int take_cookie(const struct genlmsghdr *head, struct nlattr **attrs,
		       void *arg, struct shelf_error *err)
{
	__u64 *cookie = arg;

	if (head->cmd != SHELF_CMD_BATCH_BEGIN || !attrs[SHELF_A_COOKIE])
		return shelf_fail(err, -EPROTO, "begin: no cookie came back");
	*cookie = nla_get_u64(attrs[SHELF_A_COOKIE]);
	return 0;
}

static int begin(struct shelf_nl *nl, const char *name, __u64 *cookie,
		 struct shelf_error *err)
{
	struct nl_talk talk = {
		.take = take_cookie, .arg = cookie, .wants_result = true,
	};
	struct nl_msg *msg = shelf_nl_request(nl, SHELF_CMD_BATCH_BEGIN, 0,
					HEAD_BYTES + strlen(name) + 1);

	if (msg && !nla_put_string(msg, SHELF_A_NAME, name))
		return shelf_nl_talk(nl, msg, &talk, err);
	nlmsg_free(msg);
	return shelf_fail(err, -ENOMEM, "out of memory");
}

int shelf_nl_begin(struct shelf_nl *nl, const char *name,
		   struct shelf_nl_batch **out, struct shelf_error *err)
{
	struct shelf_nl_batch *b = calloc(1, sizeof(*b));
	int ret;

	if (!b)
		return shelf_fail(err, -ENOMEM, "out of memory");
	b->nl = nl;
	ret = begin(nl, name, &b->cookie, err);
	if (ret)
		free(b);
	else
		*out = b;
	return ret;
}

/* Sends what has been packed. */
static int flush(struct shelf_nl_batch *b, struct shelf_error *err)
{
	struct nl_msg *msg = b->msg;

	b->msg = NULL;
	b->used = 0;
	if (msg && shelf_nl_talk(b->nl, msg, NULL, &b->failed))
		return batch_error(b, err);
	return 0;
}

static bool on_source(const struct shelf_nl_op *op)
{
	return op->kind >= SHELF_OP_SEQUENCE;
}

static size_t op_data_bytes(const struct shelf_nl_op *op)
{
	if (on_source(op))
		return op->len;
	if (op->kind >= SHELF_OP_CATALOG_ADD)
		return op->len * sizeof(__s64);
	return op->fields & FIELD_ATTRS ? op->len : 0;
}

/* Room for @bytes more of one operation in the message. */
static int make_room(struct shelf_nl_batch *b, size_t bytes,
		     struct shelf_error *err)
{
	if (b->used + bytes > MESSAGE_BYTES && flush(b, err))
		return b->failed.error;
	if (!b->msg) {
		b->msg = batch_request(b, SHELF_CMD_BATCH_OPS, MESSAGE_BYTES);
		b->used = HEAD_BYTES;
	}
	if (!b->msg)
		return batch_fail(b, -ENOMEM, "out of memory", err);
	return 0;
}

static int put_s64(struct nl_msg *msg, int attr, __s64 value)
{
	return nla_put(msg, attr, sizeof(value), &value);
}

static int put_values(struct nl_msg *msg, const struct shelf_nl_op *op)
{
	unsigned int f = op->fields;
	int ret = put_s64(msg, SHELF_OP_A_PRODUCT, op->id);

	if (f & FIELD_PRICE)
		ret |= put_s64(msg, SHELF_OP_A_PRICE, op->price);
	if (f & FIELD_STOCK)
		ret |= put_s64(msg, SHELF_OP_A_STOCK, op->stock);
	if (f & FIELD_FLAGS)
		ret |= nla_put_u32(msg, SHELF_OP_A_FLAGS, op->flags);
	if (f & FIELD_CURRENCY)
		ret |= nla_put(msg, SHELF_OP_A_CURRENCY, 3, op->currency);
	if (f & FIELD_ATTRS)
		ret |= nla_put(msg, SHELF_OP_A_ATTRS, (int)op->len, op->data);
	return ret;
}

static int put_catalog(struct nl_msg *msg, const struct shelf_nl_op *op)
{
	int ret = put_s64(msg, SHELF_OP_A_CATALOG, op->id);

	if (op->kind == SHELF_OP_CATALOG_DELETE)
		return ret;
	return ret | nla_put(msg, SHELF_OP_A_MEMBERS,
			     (int)op_data_bytes(op), op->data);
}

static int put_source(struct nl_msg *msg, const struct shelf_nl_op *op)
{
	int ret = nla_put(msg, SHELF_OP_A_SOURCE, (int)op->len, op->data);

	if (op->kind == SHELF_OP_SEQUENCE)
		ret |= nla_put_u64(msg, SHELF_OP_A_FIRST, op->first);
	if (op->kind != SHELF_OP_SOURCE_DELETE)
		ret |= nla_put_u64(msg, SHELF_OP_A_LAST, op->last);
	if (op->fields & FIELD_NO_GAP)
		ret |= nla_put_flag(msg, SHELF_OP_A_NO_GAP);
	return ret;
}

static int put_op(struct nl_msg *msg, const struct shelf_nl_op *op)
{
	struct nlattr *nest = nla_nest_start(msg, SHELF_A_OP | NLA_F_NESTED);
	int ret;

	if (!nest)
		return -1;
	ret = nla_put_u8(msg, SHELF_OP_A_KIND, (__u8)op->kind);
	if (on_source(op))
		ret |= put_source(msg, op);
	else if (op->kind >= SHELF_OP_CATALOG_ADD)
		ret |= put_catalog(msg, op);
	else
		ret |= put_values(msg, op);
	return ret | nla_nest_end(msg, nest);
}

/* What the attributes can't even say; all else is for the kernel to judge. */
static const char *unspeakable(const struct shelf_nl_op *op, int *error)
{
	*error = -EINVAL;
	if (on_source(op) && op->len > SHELF_SOURCE_MAX)
		return "a source's name is 1 to 255 bytes";
	*error = -EMSGSIZE;
	if (op->kind >= SHELF_OP_CATALOG_ADD && op->len > SHELF_MEMBERS_MAX)
		return "more than 8000 members in one operation";
	if (op->kind < SHELF_OP_CATALOG_ADD && op->len > SHELF_ATTRS_MAX)
		return "more than 61440 attribute bytes";
	*error = -EINVAL;
	if (op->kind <= SHELF_OP_UNSPEC || op->kind > SHELF_OP_MAX)
		return "unknown kind of operation";
	return NULL;
}

int shelf_nl_add(struct shelf_nl_batch *b, const struct shelf_nl_op *op,
		 struct shelf_error *err)
{
	const char *words;
	int error;

	if (b->failed.error)
		return batch_error(b, err);
	words = unspeakable(op, &error);
	if (words)
		return batch_fail(b, error, words, err);
	error = make_room(b, OP_BYTES + op_data_bytes(op), err);
	if (error)
		return error;
	if (put_op(b->msg, op))
		return batch_fail(b, -EMSGSIZE, "it fits no message", err);
	b->used = nlmsg_hdr(b->msg)->nlmsg_len;
	b->ops++;
	return 0;
}

static int take_refused(struct nlattr **attrs, int error,
			struct shelf_error *err)
{
	struct nlattr *words = attrs[SHELF_A_MESSAGE];

	if (words)
		shelf_fail(err, error, "%.*s", nla_len(words),
			      (const char *)nla_data(words));
	else
		shelf_fail(err, error, "%s", strerror(-error));
	if (err && attrs[SHELF_A_OP_INDEX]) {
		err->op = nla_get_u64(attrs[SHELF_A_OP_INDEX]);
		err->has_op = 1;
	}
	return error;
}

/* @arg: struct shelf_result */
static int take_result(const struct genlmsghdr *head, struct nlattr **attrs,
		       void *arg, struct shelf_error *err)
{
	struct shelf_result *r = arg;
	__u32 error = attr_u32(attrs[SHELF_A_ERROR]);

	if (head->cmd != SHELF_CMD_BATCH_RESULT)
		return shelf_fail(err, -EPROTO, "commit: not a result");
	if (error)
		return take_refused(attrs, -(int)error, err);
	*r = (struct shelf_result){ 0 };
	r->repeated = attrs[SHELF_A_REPEATED];
	r->generation = attr_u64(attrs[SHELF_A_GENERATION]);
	r->ops = attr_u64(attrs[SHELF_A_OPS]);
	r->absent = attr_u64(attrs[SHELF_A_ABSENT]);
	r->pages = attr_u64(attrs[SHELF_A_PAGES]);
	r->products = attr_u64(attrs[SHELF_A_PRODUCTS]);
	r->catalogs = attr_u64(attrs[SHELF_A_CATALOGS]);
	r->memberships = attr_u64(attrs[SHELF_A_MEMBERSHIPS]);
	r->dangling = attr_u64(attrs[SHELF_A_DANGLES]);
	if (r->dangling && attrs[SHELF_A_MESSAGE])
		nla_strlcpy(r->warning, attrs[SHELF_A_MESSAGE], sizeof(r->warning));
	r->draft_ns = attr_u64(attrs[SHELF_A_DRAFT_NS]);
	r->publish_ns = attr_u64(attrs[SHELF_A_PUBLISH_NS]);
	r->grace_ns = attr_u64(attrs[SHELF_A_GRACE_NS]);
	return 0;
}

static int put_ends(struct nl_msg *msg, const struct shelf_nl_ends *e)
{
	int ret = e->expect ? nla_put_u64(msg, SHELF_A_EXPECT, *e->expect) : 0;

	if (e->no_wait)
		ret |= nla_put_flag(msg, SHELF_A_NO_WAIT);
	if (e->check)
		ret |= nla_put_flag(msg, SHELF_A_CHECK);
	if (e->max_change >= 0)
		ret |= nla_put_u32(msg, SHELF_A_MAX_CHANGE, (__u32)e->max_change);
	if (e->dangling >= 0)
		ret |= nla_put_u8(msg, SHELF_A_DANGLING, (__u8)e->dangling);
	return ret;
}

static int commit(struct shelf_nl_batch *b, const struct shelf_nl_ends *ends,
		  struct shelf_result *out, struct shelf_error *err)
{
	struct shelf_result own = { 0 };
	struct nl_talk talk = {
		.take = take_result, .arg = out ? out : &own,
		.wants_result = true,
	};
	struct nl_msg *msg = batch_request(b, SHELF_CMD_BATCH_COMMIT,
					   HEAD_BYTES + OP_BYTES);

	if (msg && !nla_put_u64(msg, SHELF_A_OPS, b->ops) && !put_ends(msg, ends))
		return shelf_nl_talk(b->nl, msg, &talk, err);
	nlmsg_free(msg);
	return shelf_fail(err, -ENOMEM, "out of memory");
}

int shelf_nl_commit(struct shelf_nl_batch *b, const struct shelf_nl_ends *ends,
		    struct shelf_result *out, struct shelf_error *err)
{
	int ret;

	if (b->failed.error || flush(b, err)) {
		ret = batch_error(b, err);
		shelf_nl_abort(b);
		return ret;
	}
	ret = commit(b, ends, out, err);
	/*
	 * The kernel has ended it, unless it never heard of the commit. To
	 * abort a batch that is no longer there does no harm.
	 */
	if (ret)
		shelf_nl_abort(b);
	else
		batch_free(b);
	return ret;
}

void shelf_nl_abort(struct shelf_nl_batch *b)
{
	struct nl_msg *msg;

	if (!b)
		return;
	msg = batch_request(b, SHELF_CMD_BATCH_ABORT, HEAD_BYTES + OP_BYTES);
	/* If it can't be sent, the batch goes with the socket. */
	if (msg)
		shelf_nl_talk(b->nl, msg, NULL, NULL);
	batch_free(b);
}
