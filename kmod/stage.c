// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Staged batches: from begin to commit, abort or the death of the socket.
 *
 * P5: a batch belongs to the socket that began it and is named by a random
 * cookie. Nothing here touches a shelf's data. One refused operation poisons
 * the whole batch: what is staged is freed at once, and the commit is refused,
 * too, so that a sender that ignores refusals can't commit half a batch.
 *
 * Whoever ends a batch - commit, abort, the death of its socket, destroy -
 * first claims it under batches_lock. There is one winner, who then takes the
 * batch's own lock and so waits for operations that are just coming in.
 *
 * A queued batch stays in the table until it is answered: it still counts
 * against its socket and its shelf, which bounds what can be queued.
 */
#include <linux/random.h>
#include <net/genetlink.h>

#include "compat.h"
#include "shelf.h"
#include "trace.h"

#define STAGED_PER_SOCKET	64U

/**
 * struct staged - one batch
 * @link: in batches; under batches_lock
 * @ref: the table's, which passes to whoever claims it; of handlers at work
 * @claimed: somebody is ending it; under batches_lock
 * @orphan: its socket is gone, nobody wants the answer; under batches_lock
 * @lock: guards what follows
 * @closed: takes no more operations
 * @poison: why an operation was refused, constant text; NULL: none was
 * @poison_op: which
 * @answer: for the result, made before the commit is queued
 * @commit: has the batch, the shelf, the port and the cookie
 */
struct staged {
	struct list_head link;
	struct kref ref;
	bool claimed;
	bool orphan;
	struct mutex lock;	/* operations against whoever ends it */
	bool closed;
	const char *poison;
	u64 poison_op;
	struct sk_buff *answer;
	struct commit commit;
};

static DEFINE_MUTEX(batches_lock);	/* guards batches */
static LIST_HEAD(batches);		/* of all shelves */

/*
 * One staged batch
 * ================
 */
static void staged_release(struct kref *ref)
{
	struct staged *st = container_of(ref, struct staged, ref);

	mutex_destroy(&st->lock);
	trace_shelf_object(st->commit.shelf->name, "batch", -1);
	shelf_put(st->commit.shelf);
	kfree(st);
}

static void staged_put(struct staged *st)
{
	kref_put(&st->ref, staged_release);
}

static void ops_free(struct staged *st)
{
	struct commit *c = &st->commit;

	lockdep_assert_held(&st->lock);
	atomic64_sub(c->batch.bytes, &c->shelf->staged_bytes);
	batch_free(&c->batch);
}

/* The worker's last word on a commit. */
static void staged_done(struct commit *c)
{
	struct staged *st = container_of(c, struct staged, commit);
	bool orphan;

	/* First, so that whoever has the answer has room for a new batch. */
	mutex_lock(&batches_lock);
	list_del(&st->link);
	orphan = st->orphan;
	mutex_unlock(&batches_lock);
	if (orphan)
		nlmsg_free(st->answer);
	else
		message_result(st->answer, c);
	staged_put(st);
}

static struct staged *staged_alloc(struct shelf *s, u32 portid)
{
	struct staged *st = kzalloc(sizeof(*st), GFP_KERNEL_ACCOUNT);

	if (!st)
		return NULL;
	kref_init(&st->ref);
	mutex_init(&st->lock);
	batch_init(&st->commit.batch, READ_ONCE(s->batch_bytes));
	shelf_get(s);
	st->commit.shelf = s;
	st->commit.portid = portid;
	st->commit.done = staged_done;
	trace_shelf_object(s->name, "batch", 1);
	return st;
}

/* Ends a claimed batch that was not queued, and puts it. */
static void staged_end(struct staged *st)
{
	mutex_lock(&batches_lock);
	list_del(&st->link);
	mutex_unlock(&batches_lock);

	mutex_lock(&st->lock);
	st->closed = true;
	ops_free(st);
	mutex_unlock(&st->lock);
	staged_put(st);
}

/*
 * The table
 * =========
 */
static struct staged *find_locked(u32 portid, u64 cookie)
{
	struct staged *st;

	lockdep_assert_held(&batches_lock);
	list_for_each_entry(st, &batches, link)
		if (st->commit.cookie == cookie && st->commit.portid == portid)
			return st;
	return NULL;
}

/* An open batch with a reference, or NULL. */
static struct staged *staged_get(u32 portid, u64 cookie)
{
	struct staged *st;

	mutex_lock(&batches_lock);
	st = find_locked(portid, cookie);
	if (st && st->claimed)
		st = NULL;
	if (st)
		kref_get(&st->ref);
	mutex_unlock(&batches_lock);
	return st;
}

/* An open batch for the caller to end, or NULL. */
static struct staged *staged_claim(u32 portid, u64 cookie)
{
	struct staged *st;

	mutex_lock(&batches_lock);
	st = find_locked(portid, cookie);
	if (st && st->claimed)
		st = NULL;
	if (st)
		st->claimed = true;
	mutex_unlock(&batches_lock);
	return st;
}

/* Ends all that nobody else is ending: of @s, or of a socket if it is NULL. */
static void drop_matching(const struct shelf *s, u32 portid)
{
	struct staged *st, *next;
	LIST_HEAD(dropped);

	mutex_lock(&batches_lock);
	list_for_each_entry_safe(st, next, &batches, link) {
		if (s ? st->commit.shelf != s : st->commit.portid != portid)
			continue;
		if (!s)
			st->orphan = true;
		if (st->claimed)
			continue;
		st->claimed = true;
		list_move(&st->link, &dropped);
	}
	mutex_unlock(&batches_lock);

	list_for_each_entry_safe(st, next, &dropped, link) {
		shelf_count(st->commit.shelf, STAT_ABORTED_BATCHES, 1);
		staged_end(st);
	}
}

void netlink_drop_batches(struct shelf *s)
{
	drop_matching(s, 0);
}

void stage_port_closed(u32 portid)
{
	drop_matching(NULL, portid);
}

/* Every batch holds a shelf, and every shelf the module. */
void stage_exit(void)
{
	WARN_ON(!list_empty(&batches));
}

static u32 socket_batches(u32 portid)
{
	struct staged *st;
	u32 n = 0;

	list_for_each_entry(st, &batches, link)
		n += st->commit.portid == portid;
	return n;
}

static u64 new_cookie(u32 portid)
{
	u64 cookie;

	do {
		cookie = get_random_u64();
	} while (!cookie || find_locked(portid, cookie));
	return cookie;
}

/*
 * dead is looked at under the lock that netlink_drop_batches() takes after it
 * was set: a batch is either refused here or dropped there. Once it is in the
 * table it may be gone at any time, so this tells the cookie.
 */
static int staged_insert(struct staged *st, u64 *cookie,
			 struct netlink_ext_ack *extack)
{
	struct commit *c = &st->commit;
	int ret = 0;

	mutex_lock(&batches_lock);
	if (READ_ONCE(c->shelf->dead)) {
		NL_SET_ERR_MSG(extack, "the shelf was destroyed");
		ret = -ENODEV;
	} else if (socket_batches(c->portid) >= STAGED_PER_SOCKET) {
		NL_SET_ERR_MSG(extack, "this socket has 64 batches already");
		ret = -EMFILE;
	} else {
		*cookie = new_cookie(c->portid);
		c->cookie = *cookie;
		list_add(&st->link, &batches);
	}
	mutex_unlock(&batches_lock);
	return ret;
}

/*
 * Commands
 * ========
 */
static int begin(struct shelf *s, struct genl_info *info)
{
	struct staged *st = staged_alloc(s, info->snd_portid);
	u64 cookie;
	int ret;

	if (!st)
		return -ENOMEM;
	ret = staged_insert(st, &cookie, info->extack);
	if (ret) {
		staged_put(st);
		return ret;
	}
	ret = message_cookie(info, cookie);
	if (!ret)
		return 0;
	/* Nobody knows its cookie, so it would stay until the socket dies. */
	st = staged_claim(info->snd_portid, cookie);
	if (st)
		staged_end(st);
	return ret;
}

int stage_begin(struct sk_buff *skb, struct genl_info *info)
{
	struct shelf *s = netlink_shelf_get(info);
	int ret;

	if (IS_ERR(s))
		return PTR_ERR(s);
	ret = begin(s, info);
	shelf_put(s);
	return ret;
}

static int read_cookie(struct genl_info *info, u64 *cookie)
{
	if (!info->attrs[SHELF_A_COOKIE]) {
		NL_SET_ERR_MSG(info->extack, "COOKIE is missing");
		return -EINVAL;
	}
	*cookie = nla_get_u64(info->attrs[SHELF_A_COOKIE]);
	return 0;
}

static int no_batch(struct genl_info *info)
{
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[SHELF_A_COOKIE],
			    "this socket has no such open batch");
	return -ENOENT;
}

/* ECANCELED has this one meaning: part of the batch is missing. */
static int poisoned(const struct staged *st, struct genl_info *info)
{
	compat_extack_op(info->extack, st->poison_op, st->poison);
	return -ECANCELED;
}

/* Charged before it is staged, so that the shelf's limit is exact. */
static int op_add(struct staged *st, const struct op *op, const void *data,
		  const char **why)
{
	struct shelf *s = st->commit.shelf;
	u64 bytes = op_bytes(op);
	int ret = -EDQUOT;

	*why = "the shelf's staged batches are over their limit";
	if (atomic64_add_return(bytes, &s->staged_bytes) <=
	    2 * READ_ONCE(s->batch_bytes))
		ret = batch_add(&st->commit.batch, op, data, why);
	if (ret)
		atomic64_sub(bytes, &s->staged_bytes);
	return ret;
}

static int op_stage(struct staged *st, const struct nlattr *nest,
		    struct netlink_ext_ack *extack)
{
	struct op op = {};
	const void *data = NULL;
	const char *why;
	int ret;

	ret = op_decode(nest, &op, &data, &why, extack);
	if (!ret)
		ret = op_add(st, &op, data, &why);
	if (!ret)
		return 0;
	st->poison = why;
	st->poison_op = st->commit.batch.ops;
	if (!extack->bad_attr)
		NL_SET_BAD_ATTR(extack, nest);
	compat_extack_op(extack, st->poison_op, why);
	return ret;
}

static int ops_locked(struct staged *st, struct genl_info *info)
{
	u64 before = st->commit.batch.ops;
	struct nlattr *attr;
	int ret = 0, rem;

	lockdep_assert_held(&st->lock);

	if (st->closed)
		return no_batch(info);
	if (st->poison)
		return poisoned(st, info);
	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != SHELF_A_OP)
			continue;
		ret = op_stage(st, attr, info->extack);
		if (ret)
			break;
		cond_resched();
	}
	shelf_count(st->commit.shelf, STAT_STAGED_OPS,
		    st->commit.batch.ops - before);
	if (ret)
		ops_free(st);
	return ret;
}

int stage_ops(struct sk_buff *skb, struct genl_info *info)
{
	struct staged *st;
	u64 cookie;
	int ret;

	ret = read_cookie(info, &cookie);
	if (ret)
		return ret;
	st = staged_get(info->snd_portid, cookie);
	if (!st)
		return no_batch(info);
	mutex_lock(&st->lock);
	ret = ops_locked(st, info);
	mutex_unlock(&st->lock);
	if (ret)
		shelf_count(st->commit.shelf, STAT_REFUSED_OPS, 1);
	staged_put(st);
	return ret;
}

/*
 * OPS is how many operations the sender means to commit. It covers what can't
 * poison: a message that was refused before it came to its batch.
 */
static int check_whole(const struct staged *st, struct genl_info *info)
{
	const struct nlattr *ops = info->attrs[SHELF_A_OPS];

	if (st->poison)
		return poisoned(st, info);
	if (!ops || nla_get_u64(ops) == st->commit.batch.ops)
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, ops,
			    "the batch doesn't have as many operations");
	return -ECANCELED;
}

/* No operation comes in any more once this has returned. */
static int close_whole(struct staged *st, struct genl_info *info)
{
	const struct nlattr *expect = info->attrs[SHELF_A_EXPECT];
	struct commit *c = &st->commit;
	int ret;

	mutex_lock(&st->lock);
	st->closed = true;
	ret = check_whole(st, info);
	mutex_unlock(&st->lock);
	c->seq = info->snd_seq;
	c->has_expect = expect;
	c->no_wait = nla_get_flag(info->attrs[SHELF_A_NO_WAIT]);
	if (expect)
		c->expect = nla_get_u64(expect);
	c->batch.checks = nla_get_flag(info->attrs[SHELF_A_CHECK]);
	c->batch.guards.max_change = READ_ONCE(c->shelf->guards.max_change);
	c->batch.guards.dangling = READ_ONCE(c->shelf->guards.dangling);
	netlink_read_guards(info->attrs, &c->batch.guards);
	return ret;
}

static int commit_claimed(struct staged *st, struct genl_info *info)
{
	int ret = close_whole(st, info);

	if (!ret) {
		/* The worker's now, and maybe gone already. */
		shelf_commit_queue(&st->commit);
		return 0;
	}
	shelf_count(st->commit.shelf, STAT_REFUSED_BATCHES, 1);
	nlmsg_free(st->answer);
	staged_end(st);
	return ret;
}

/* Whatever comes of it, the batch is no longer open after, but for ENOMEM. */
int stage_commit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *answer;
	struct staged *st;
	u64 cookie;
	int ret;

	ret = read_cookie(info, &cookie);
	if (ret)
		return ret;
	answer = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!answer)
		return -ENOMEM;
	st = staged_claim(info->snd_portid, cookie);
	if (!st) {
		nlmsg_free(answer);
		return no_batch(info);
	}
	st->answer = answer;
	return commit_claimed(st, info);
}

int stage_abort(struct sk_buff *skb, struct genl_info *info)
{
	struct staged *st;
	u64 cookie;
	int ret;

	ret = read_cookie(info, &cookie);
	if (ret)
		return ret;
	st = staged_claim(info->snd_portid, cookie);
	if (!st)
		return no_batch(info);
	shelf_count(st->commit.shelf, STAT_ABORTED_BATCHES, 1);
	staged_end(st);
	return 0;
}
