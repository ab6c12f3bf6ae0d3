// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Generic netlink for one family and one thread: a message is checked as
 * genl_rcv_msg() and lib/nlattr.c (NL_VALIDATE_STRICT) check it and handed to its
 * command; what the family sends goes to message_sent().
 */
#include "kernel.h"

struct net init_net;
struct notifier_block *netlink_notifier;

/* The length that a type has, 0: any. */
static const u8 exact_len[] = {
	[NLA_U8] = 1, [NLA_U32] = 4, [NLA_U64] = 8, [NLA_S64] = 8,
};

static int bad(struct netlink_ext_ack *extack, const struct nlattr *a, int error,
	       const char *why)
{
	NL_SET_ERR_MSG_ATTR(extack, a, why);
	return error;
}

static int check_len(const struct nlattr *a, const struct nla_policy *p)
{
	int n = nla_len(a), within;

	switch (p->type) {
	case NLA_FLAG:
		return n ? -ERANGE : 0;
	case NLA_NUL_STRING:
		within = p->len ? min(n, p->len + 1) : n;
		if (!within || !memchr(nla_data(a), 0, (size_t)within))
			return -EINVAL;
		n -= !((const char *)nla_data(a))[n - 1];
		return p->len && n > p->len ? -ERANGE : 0;
	case NLA_BINARY:
		return p->len && n > p->len ? -ERANGE : 0;
	case NLA_NESTED:
		return n && n < NLA_HDRLEN ? -ERANGE : 0;
	default:
		return 0;
	}
}

static u64 value_of(const struct nlattr *a, const struct nla_policy *p)
{
	switch (p->type) {
	case NLA_U8:
		return nla_get_u8(a);
	case NLA_U32:
		return nla_get_u32(a);
	case NLA_BINARY:
		return (u64)nla_len(a);
	default:
		return nla_get_u64(a);
	}
}

static bool in_range(const struct nlattr *a, const struct nla_policy *p)
{
	struct netlink_range_validation r = { p->min, p->max };

	if (p->range)
		r = *p->range;
	else if (!p->min && !p->max)
		return true;
	if (!r.max)
		r.max = U64_MAX;
	return value_of(a, p) >= r.min && value_of(a, p) <= r.max;
}

static int validate(const struct nlattr *a, const struct nla_policy *p,
		    struct netlink_ext_ack *extack)
{
	bool nested = a->nla_type & NLA_F_NESTED;
	int ret;

	if (exact_len[p->type % ARRAY_SIZE(exact_len)] && p->type < ARRAY_SIZE(exact_len) &&
	    nla_len(a) != exact_len[p->type])
		return bad(extack, a, -EINVAL, "invalid attribute length");
	if (p->type == NLA_NESTED && !nested)
		return bad(extack, a, -EINVAL, "NLA_F_NESTED is missing");
	if (p->type != NLA_NESTED && p->type != NLA_UNSPEC && nested)
		return bad(extack, a, -EINVAL, "NLA_F_NESTED not expected");
	if (p->type == NLA_UNSPEC)
		return bad(extack, a, -EINVAL, "Unsupported attribute");
	ret = check_len(a, p);
	if (ret)
		return bad(extack, a, ret, "Attribute failed policy validation");
	return in_range(a, p) ? 0 : bad(extack, a, -ERANGE, "out of range");
}

int nla_parse(struct nlattr **tb, int maxtype, const struct nlattr *head, int len,
	      const struct nla_policy *policy, struct netlink_ext_ack *extack)
{
	const struct nlattr *a;
	int rem, ret;

	memset(tb, 0, sizeof(*tb) * (size_t)(maxtype + 1));
	nla_for_each_attr(a, head, len, rem) {
		if (!nla_type(a) || nla_type(a) > maxtype)
			return bad(extack, a, -EINVAL, "Unknown attribute type");
		ret = validate(a, &policy[nla_type(a)], extack);
		if (ret)
			return ret;
		tb[nla_type(a)] = (struct nlattr *)(uintptr_t)a;
	}
	if (rem <= 0)
		return 0;
	NL_SET_ERR_MSG(extack, "bytes leftover after parsing attributes");
	return -EINVAL;
}

int nla_parse_nested(struct nlattr **tb, int maxtype, const struct nlattr *nest,
		     const struct nla_policy *policy, struct netlink_ext_ack *extack)
{
	if (!(nest->nla_type & NLA_F_NESTED))
		return bad(extack, nest, -EINVAL, "NLA_F_NESTED is missing");
	return nla_parse(tb, maxtype, nla_data(nest), nla_len(nest), policy, extack);
}

/*
 * What is sent
 * ============
 */
struct sk_buff *nlmsg_new(int bytes)
{
	u32 room = NLMSG_ALIGN(NLMSG_HDRLEN + (u32)bytes);
	struct sk_buff *skb = kmalloc(sizeof(*skb) + room, GFP_KERNEL);

	if (!skb)
		return NULL;
	memset(skb, 0, sizeof(*skb));
	skb->room = room;
	return skb;
}

static void *skb_put(struct sk_buff *skb, u32 bytes)
{
	void *at = skb->bytes + skb->len;

	if (skb->room - skb->len < bytes)
		return NULL;
	memset(at, 0, bytes);
	skb->len += bytes;
	return at;
}

void *genlmsg_put(struct sk_buff *skb, u32 portid, u32 seq,
		  const struct genl_family *family, int flags, u8 cmd)
{
	struct nlmsghdr *nlh = skb_put(skb, NLMSG_HDRLEN + GENL_HDRLEN);

	if (!nlh)
		return NULL;
	*nlh = (struct nlmsghdr){ .nlmsg_flags = (u16)flags, .nlmsg_seq = seq,
				  .nlmsg_pid = portid };
	*(struct genlmsghdr *)NLMSG_DATA(nlh) = (struct genlmsghdr){
		.cmd = cmd, .version = (u8)family->version };
	return nlh;
}

int nla_put(struct sk_buff *skb, int type, int len, const void *data)
{
	struct nlattr *a = skb_put(skb, NLA_ALIGN(NLA_HDRLEN + (u32)len));

	if (!a)
		return -EMSGSIZE;
	a->nla_len = (u16)(NLA_HDRLEN + len);
	a->nla_type = (u16)type;
	memcpy(nla_data(a), data, (size_t)len);
	return 0;
}

int nla_put_u64_64bit(struct sk_buff *skb, int type, u64 value, int pad)
{
	if (skb->len % 8 == 0 && nla_put(skb, pad, 0, ""))
		return -EMSGSIZE;
	return nla_put(skb, type, sizeof(value), &value);
}

void genlmsg_cancel(struct sk_buff *skb, void *head)
{
	skb->len = (u32)((u8 *)head - skb->bytes);
}

void genlmsg_end(struct sk_buff *skb, void *head)
{
	((struct nlmsghdr *)head)->nlmsg_len = skb->len - (u32)((u8 *)head - skb->bytes);
}

int nlmsg_deliver(struct sk_buff *skb, u32 portid)
{
	message_sent((const struct nlmsghdr *)skb->bytes, portid);
	free(skb);
	return 0;
}

/*
 * What comes in
 * =============
 */
static const struct genl_ops *find_ops(const struct genl_family *family, u8 cmd)
{
	u32 i;

	for (i = 0; i < family->n_ops; i++)
		if (family->ops[i].cmd == cmd)
			return &family->ops[i];
	return NULL;
}

/* As a recvmsg() after the other would have it: message by message until one is empty. */
static int run_dump(const struct genl_ops *ops, struct netlink_callback *cb, u32 portid)
{
	const struct nlmsghdr *nlh;
	struct sk_buff *skb;
	int len = 1, rounds;

	for (rounds = 0; len > 0; rounds++) {
		WARN_ON(rounds > 1000);
		skb = nlmsg_new(GENLMSG_DEFAULT_SIZE);
		if (!skb)
			break;
		skb->portid = portid;
		cb->skb = skb;
		len = ops->dumpit(skb, cb);
		nlh = (const struct nlmsghdr *)skb->bytes;
		for (int rem = len; rem > 0; rem -= (int)NLMSG_ALIGN(nlh->nlmsg_len),
		     nlh = (const void *)((const u8 *)nlh + NLMSG_ALIGN(nlh->nlmsg_len)))
			message_sent(nlh, portid);
		free(skb);
	}
	return ops->done ? ops->done(cb) : 0;
}

static int dump_begin(const struct genl_ops *ops, const struct nlmsghdr *nlh, u32 portid,
		      struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ops->maxattr + 1];
	struct genl_dumpit_info data = { tb };
	struct netlink_callback cb = { .nlh = nlh, .extack = extack, .data = &data };
	int ret;

	if (!ops->dumpit)
		return -EOPNOTSUPP;
	ret = nla_parse(tb, (int)ops->maxattr, nlmsg_attrdata(nlh, GENL_HDRLEN),
			nlmsg_attrlen(nlh, GENL_HDRLEN), ops->policy, extack);
	if (!ret)
		ret = ops->start(&cb);
	return ret ? ret : run_dump(ops, &cb, portid);
}

/* As many attributes as the command knows, so that one more is out of bounds. */
static int run_command(const struct genl_ops *ops, const struct nlmsghdr *nlh, u32 portid,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ops->maxattr + 1];
	struct genl_info info = {
		.snd_seq = nlh->nlmsg_seq, .snd_portid = portid, .nlhdr = nlh,
		.attrs = tb, .extack = extack,
	};
	int ret;

	if (!ops->doit)
		return -EOPNOTSUPP;
	ret = nla_parse(tb, (int)ops->maxattr, nlmsg_attrdata(nlh, GENL_HDRLEN),
			nlmsg_attrlen(nlh, GENL_HDRLEN), ops->policy, extack);
	return ret ? ret : ops->doit(NULL, &info);
}

int genl_receive(const struct genl_family *family, const struct nlmsghdr *nlh,
		 u32 portid, struct netlink_ext_ack *extack)
{
	const struct genlmsghdr *g = NLMSG_DATA(nlh);
	u16 known = NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO, flags = nlh->nlmsg_flags;
	const struct genl_ops *ops;

	if (nlh->nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN)
		return -EINVAL;
	ops = find_ops(family, g->cmd);
	if (!ops)
		return -EOPNOTSUPP;
	if (g->reserved)
		return -EINVAL;
	if ((flags & NLM_F_DUMP) == NLM_F_DUMP)
		return dump_begin(ops, nlh, portid, extack);
	if (flags & ~known)
		return -EINVAL;
	return run_command(ops, nlh, portid, extack);
}
