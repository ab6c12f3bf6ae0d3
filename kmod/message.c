// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the family says: answers, results of commits, and events. Every
 * message is far smaller than the buffer it is put into, so that running out
 * of room is a bug; the exception is a dump, which goes on in the next one.
 */
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "shelf.h"

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, SHELF_A_PAD);
}

/* A setting that others may be changing, as whole milliseconds. */
#define put_ms(skb, attr, ns)						\
	nla_put_u32(skb, attr, (u32)div_u64(READ_ONCE(ns), NSEC_PER_MSEC))

/*
 * Sizes of the newest snapshot. What lies in the root is copied out of it
 * before the section ends, since the page may be reused after.
 */
static int put_root(struct sk_buff *skb, const struct shelf *s)
{
	const struct shelf_root *root;
	u64 generation, products, catalogs, memberships, sources;

	rcu_read_lock();
	root = rcu_dereference(s->store.root);
	generation = root->generation;
	products = root->products;
	catalogs = root->catalogs;
	memberships = root->memberships;
	sources = root->sources;
	rcu_read_unlock();

	if (put_u64(skb, SHELF_A_GENERATION, generation) ||
	    put_u64(skb, SHELF_A_PRODUCTS, products) ||
	    put_u64(skb, SHELF_A_CATALOGS, catalogs) ||
	    put_u64(skb, SHELF_A_MEMBERSHIPS, memberships) ||
	    put_u64(skb, SHELF_A_SOURCES, sources))
		return -EMSGSIZE;
	return 0;
}

static int put_settings(struct sk_buff *skb, const struct shelf *s)
{
	/* Pairs with trim_end(): whose trim is done finds no chunk that went back by it. */
	u64 trims_done = smp_load_acquire(&s->trims_done);
	u64 bytes = (u64)READ_ONCE(s->store.arena.chunks) << SHELF_CHUNK_SHIFT;

	if (nla_put_string(skb, SHELF_A_NAME, s->name) ||
	    put_u64(skb, SHELF_A_MAX_BYTES, s->store.control->max_bytes) ||
	    put_u64(skb, SHELF_A_BATCH_BYTES, READ_ONCE(s->batch_bytes)) ||
	    put_ms(skb, SHELF_A_QUARANTINE_MS, s->store.quarantine_ns) ||
	    put_ms(skb, SHELF_A_LEASE_MS, s->store.lease_ns) ||
	    put_ms(skb, SHELF_A_LEASE_MAX_MS, s->store.lease_max_ns) ||
	    put_u64(skb, SHELF_A_PIN_BYTES, READ_ONCE(s->store.pin_bytes)) ||
	    nla_put_u32(skb, SHELF_A_MAX_CHANGE, READ_ONCE(s->guards.max_change)) ||
	    nla_put_u8(skb, SHELF_A_DANGLING, READ_ONCE(s->guards.dangling)) ||
	    nla_put_u8(skb, SHELF_A_REQUIRE_EXPECT, READ_ONCE(s->require_expect)) ||
	    put_u64(skb, SHELF_A_BYTES, bytes) ||
	    put_u64(skb, SHELF_A_TRIMS_ASKED, atomic64_read(&s->trims_asked)) ||
	    put_u64(skb, SHELF_A_TRIMS_DONE, trims_done) ||
	    nla_put_u32(skb, SHELF_A_OPENS, atomic_read(&s->opens)))
		return -EMSGSIZE;
	return 0;
}

/* One NEW message. EMSGSIZE if @skb has no room left for it. */
int message_shelf(struct sk_buff *skb, const struct shelf *s, u32 portid,
		  u32 seq, int flags)
{
	void *head = genlmsg_put(skb, portid, seq, &shelf_genl, flags,
				 SHELF_CMD_NEW);

	if (!head)
		return -EMSGSIZE;
	if (put_settings(skb, s) || put_root(skb, s)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

static int put_pin(struct sk_buff *skb, const struct pin_info *pin)
{
	if (put_u64(skb, SHELF_A_GENERATION, pin->generation) ||
	    nla_put_u32(skb, SHELF_A_PID, pin->pid) ||
	    nla_put_string(skb, SHELF_A_COMM, pin->comm) ||
	    nla_put_u32(skb, SHELF_A_USER, pin->user) ||
	    put_u64(skb, SHELF_A_AGE_MS, div_u64(pin->age_ns, NSEC_PER_MSEC)) ||
	    put_u64(skb, SHELF_A_LEFT_MS, div_u64(pin->left_ns, NSEC_PER_MSEC)) ||
	    put_u64(skb, SHELF_A_BYTES, pin->bytes))
		return -EMSGSIZE;
	return 0;
}

/* One PIN message of a dump. EMSGSIZE if @skb has no room left for it. */
int message_pin(struct sk_buff *skb, const struct pin_info *pin, u32 portid, u32 seq)
{
	void *head = genlmsg_put(skb, portid, seq, &shelf_genl, NLM_F_MULTI,
				 SHELF_CMD_PIN);

	if (!head)
		return -EMSGSIZE;
	if (put_pin(skb, pin)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

static int put_source(struct sk_buff *skb, const struct source_info *source)
{
	if (nla_put(skb, SHELF_A_SOURCE, source->record.name_len, source->name) ||
	    put_u64(skb, SHELF_A_LAST, source->record.last) ||
	    put_u64(skb, SHELF_A_GENERATION, source->record.generation))
		return -EMSGSIZE;
	return 0;
}

/* One SOURCE message of a dump. EMSGSIZE if @skb has no room left for it. */
int message_source(struct sk_buff *skb, const struct source_info *source, u32 portid, u32 seq)
{
	void *head = genlmsg_put(skb, portid, seq, &shelf_genl, NLM_F_MULTI,
				 SHELF_CMD_SOURCE);

	if (!head)
		return -EMSGSIZE;
	if (put_source(skb, source)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

/* Answers a begin with the cookie. */
int message_cookie(struct genl_info *info, u64 cookie)
{
	struct sk_buff *reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *head;

	if (!reply)
		return -ENOMEM;
	head = genlmsg_put_reply(reply, info, &shelf_genl, 0,
				 SHELF_CMD_BATCH_BEGIN);
	if (WARN_ON_ONCE(!head || nla_put_u64_64bit(reply, SHELF_A_COOKIE,
						    cookie, SHELF_A_PAD))) {
		nlmsg_free(reply);
		return -EMSGSIZE;
	}
	genlmsg_end(reply, head);
	return genlmsg_reply(reply, info);
}

static int put_times(struct sk_buff *skb, const struct report *r)
{
	if (put_u64(skb, SHELF_A_DRAFT_NS, r->draft_ns) ||
	    put_u64(skb, SHELF_A_PUBLISH_NS, r->publish_ns) ||
	    put_u64(skb, SHELF_A_GRACE_NS, r->grace_ns))
		return -EMSGSIZE;
	return 0;
}

static int put_committed(struct sk_buff *skb, const struct report *r)
{
	if (put_u64(skb, SHELF_A_GENERATION, r->generation) ||
	    put_u64(skb, SHELF_A_OPS, r->ops) ||
	    put_u64(skb, SHELF_A_ABSENT, r->absent) ||
	    put_u64(skb, SHELF_A_PAGES, r->pages) ||
	    put_u64(skb, SHELF_A_PRODUCTS, r->products) ||
	    put_u64(skb, SHELF_A_CATALOGS, r->catalogs) ||
	    put_u64(skb, SHELF_A_MEMBERSHIPS, r->memberships))
		return -EMSGSIZE;
	return 0;
}

/* What the sender is told on top of what all are. */
static int put_notes(struct sk_buff *skb, const struct commit *c)
{
	const struct report *r = &c->report;

	if ((r->repeated && nla_put_flag(skb, SHELF_A_REPEATED)) ||
	    (c->batch.checks && nla_put_flag(skb, SHELF_A_CHECK)))
		return -EMSGSIZE;
	if (!r->dangling)
		return 0;
	return put_u64(skb, SHELF_A_DANGLES, r->dangling) ?:
	       nla_put_string(skb, SHELF_A_MESSAGE, r->message);
}

static int put_refused(struct sk_buff *skb, const struct report *r)
{
	if (nla_put_string(skb, SHELF_A_MESSAGE, r->message))
		return -EMSGSIZE;
	return r->has_op ? put_u64(skb, SHELF_A_OP_INDEX, r->op) : 0;
}

static int put_result(struct sk_buff *skb, const struct commit *c)
{
	const struct report *r = &c->report;

	if (put_u64(skb, SHELF_A_COOKIE, c->cookie) ||
	    nla_put_u32(skb, SHELF_A_ERROR, -r->error))
		return -EMSGSIZE;
	if (r->error)
		return put_refused(skb, r);
	return put_committed(skb, r) ?: put_times(skb, r) ?: put_notes(skb, c);
}

/*
 * Sends @skb, made by genlmsg_new(), as the answer to @c.
 *
 * A sender that lets its receive buffer fill up loses the answer: the worker
 * waits for nobody. @skb was made before the commit was queued, so that memory
 * can't be what it lacks.
 */
void message_result(struct sk_buff *skb, const struct commit *c)
{
	void *head = genlmsg_put(skb, c->portid, c->seq, &shelf_genl, 0,
				 SHELF_CMD_BATCH_RESULT);

	if (WARN_ON_ONCE(!head || put_result(skb, c))) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, head);
	genlmsg_unicast(&init_net, skb, c->portid);
}

static int put_event(struct sk_buff *skb, u8 cmd, const struct shelf *s,
		     const struct report *report)
{
	void *head = genlmsg_put(skb, 0, 0, &shelf_genl, 0, cmd);

	if (!head || nla_put_string(skb, SHELF_A_NAME, s->name))
		return -EMSGSIZE;
	if (report && put_committed(skb, report))
		return -EMSGSIZE;
	genlmsg_end(skb, head);
	return 0;
}

/* A hint: lost if memory is short. Who must not miss one polls the device. */
void netlink_event(u8 cmd, struct shelf *s, const struct report *report)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&shelf_genl, &init_net, 0))
		return;
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return;
	if (WARN_ON_ONCE(put_event(skb, cmd, s, report)))
		nlmsg_free(skb);
	else
		genlmsg_multicast(&shelf_genl, skb, 0, 0, GFP_KERNEL);
}
