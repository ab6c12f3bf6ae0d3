/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What netlink.c, stage.c, decode.c and message.c use of the kernel, in user space,
 * so that a fuzzer's messages take the way that an administrator's take. What
 * shim.h has for the pure part is not here. Attributes are judged as
 * lib/nlattr.c does when it is strict; kernel.c has that.
 *
 * The Makefile makes headers with the kernel's names that include this one.
 */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <sys/types.h>

#include "../../tools/lib/shim.h"

#define SHELF_COMPAT_H		/* compat.h: see the end of this */

#define __percpu
#define __ro_after_init
#define __init
#define THIS_MODULE		NULL
#define MODULE_ALIAS_GENL_FAMILY(name)	static_assert(sizeof(name) > 1, "a name")
#define PAGE_SHIFT		12
#define TASK_COMM_LEN		16
#define NSEC_PER_MSEC		1000000L
#define SZ_64K			0x10000
#define div_u64(a, b)		((u64)(a) / (u64)(b))
#define __ffs(x)		((unsigned int)__builtin_ctzl(x))
#define lockdep_is_held(l)	1
#define WARN_ON(x)		({ if (x) abort(); false; })
#define WARN_ON_ONCE(x)		WARN_ON(x)

/* Lists, locks, counts: one thread, so most are nothing. */
struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

#define LIST_HEAD(name)		struct list_head name = { &(name), &(name) }

static inline void list_add(struct list_head *new, struct list_head *head)
{
	new->next = head->next;
	new->prev = head;
	head->next->prev = new;
	head->next = new;
}

static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}

static inline void list_move(struct list_head *entry, struct list_head *head)
{
	list_del(entry);
	list_add(entry, head);
}

#define list_empty(head)	((head)->next == (head))
#define container_of(p, type, member)					\
	((type *)((char *)(p) - offsetof(type, member)))
#define list_for_each_entry(pos, head, member)				\
	for (pos = container_of((head)->next, __typeof__(*pos), member);	\
	     &pos->member != (head);					\
	     pos = container_of(pos->member.next, __typeof__(*pos), member))
#define list_for_each_entry_safe(pos, n, head, member)			\
	for (pos = container_of((head)->next, __typeof__(*pos), member),	\
	     n = container_of(pos->member.next, __typeof__(*pos), member);	\
	     &pos->member != (head);					\
	     pos = n, n = container_of(n->member.next, __typeof__(*n), member))

/* A lock that is taken twice, or let go without, would be a bug. */
struct mutex {
	bool held;
};

#define DEFINE_MUTEX(name)	struct mutex name
#define mutex_init(m)		((m)->held = false)
#define mutex_destroy(m)	WARN_ON((m)->held)
#define mutex_lock(m)		do { WARN_ON((m)->held); (m)->held = true; } while (0)
#define mutex_unlock(m)		do { WARN_ON(!(m)->held); (m)->held = false; } while (0)

struct kref {
	int count;
};

#define kref_init(k)		((k)->count = 1)
#define kref_get(k)		((k)->count++)

static inline void kref_put(struct kref *k, void (*release)(struct kref *k))
{
	if (!--k->count)
		release(k);
}

typedef struct {
	s64 value;
} atomic64_t;

typedef struct {
	int value;
} atomic_t;

#define atomic_read(a)			((a)->value)
#define atomic64_read(a)		((a)->value)
#define atomic64_sub(n, a)		((a)->value -= (s64)(n))
#define atomic64_add_return(n, a)	((u64)((a)->value += (s64)(n)))
#define this_cpu_add(to, n)		((to) += (n))
#define rcu_read_lock()			do { } while (0)
#define rcu_read_unlock()		do { } while (0)
#define rcu_dereference(p)		(p)

struct work_struct {
	int unused;
};

struct delayed_work {
	int unused;
};

struct device {
	int unused;
};

typedef struct {
	int unused;
} wait_queue_head_t;

struct idr {
	int unused;
};

#define idr_get_next(idr, id)		((void)(idr), (void)(id), NULL)

typedef __s16 s16;
struct cred;
struct file;
struct vm_area_struct;

u64 get_random_u64(void);

/* Attributes, as net/netlink.h has them. */
enum {
	NLA_UNSPEC, NLA_U8, NLA_U32, NLA_U64, NLA_S64, NLA_FLAG, NLA_NUL_STRING,
	NLA_BINARY, NLA_NESTED,
};

struct netlink_range_validation {
	u64 min;
	u64 max;
};

/* @min, @max: of a value, or of the length of an NLA_BINARY, unless both are 0 */
struct nla_policy {
	u8 type;
	u16 len;
	u16 min;
	u16 max;
	const struct netlink_range_validation *range;
};

#define NLA_POLICY_RANGE(t, low, high)	{ .type = (t), .min = (low), .max = (high) }
#define NLA_POLICY_MAX(t, high)		NLA_POLICY_RANGE(t, 0, high)
#define NLA_POLICY_FULL_RANGE(t, r)	{ .type = (t), .range = (r) }
#define NLA_POLICY_EXACT_LEN(n)		NLA_POLICY_RANGE(NLA_BINARY, n, n)

struct netlink_ext_ack {
	const char *_msg;
	const struct nlattr *bad_attr;
	u64 cookie;
};

#define NL_SET_ERR_MSG(extack, msg)	((extack)->_msg = (msg))
#define NL_SET_BAD_ATTR(extack, attr)	((extack)->bad_attr = (attr))
#define NL_SET_ERR_MSG_ATTR(extack, attr, msg) do {			\
	NL_SET_ERR_MSG(extack, msg);					\
	NL_SET_BAD_ATTR(extack, attr);					\
} while (0)

static inline int nla_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

static inline void *nla_data(const struct nlattr *a)
{
	return (char *)(uintptr_t)a + NLA_HDRLEN;
}

static inline int nla_len(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

static inline bool nla_ok(const struct nlattr *a, int rem)
{
	return rem >= (int)sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= rem;
}

static inline struct nlattr *nla_next(const struct nlattr *a, int *rem)
{
	int n = NLA_ALIGN(a->nla_len);

	*rem -= n;
	return (struct nlattr *)((char *)(uintptr_t)a + n);
}

#define nla_for_each_attr(a, head, len, rem)				\
	for (a = (head), rem = (len); nla_ok(a, rem); a = nla_next(a, &(rem)))
#define nla_for_each_nested(a, nest, rem)				\
	nla_for_each_attr(a, nla_data(nest), nla_len(nest), rem)

static inline u64 nla_get_u64(const struct nlattr *a)
{
	u64 value;

	memcpy(&value, nla_data(a), sizeof(value));
	return value;
}

#define nla_get_s64(a)		((s64)nla_get_u64(a))
#define nla_get_u32(a)		(*(const u32 *)nla_data(a))
#define nla_get_u8(a)		(*(const u8 *)nla_data(a))
#define nla_get_flag(a)		((a) != NULL)
#define nla_strscpy(to, a, n)	snprintf(to, n, "%s", (const char *)nla_data(a))

int nla_parse(struct nlattr **tb, int maxtype, const struct nlattr *head, int len,
	      const struct nla_policy *policy, struct netlink_ext_ack *extack);
int nla_parse_nested(struct nlattr **tb, int maxtype, const struct nlattr *nest,
		     const struct nla_policy *policy, struct netlink_ext_ack *extack);

/* Messages. */
#define GENLMSG_DEFAULT_SIZE	((int)(4096 - NLMSG_HDRLEN))
#define nlmsg_attrlen(nlh, hdr)	((int)((nlh)->nlmsg_len - NLMSG_HDRLEN - NLMSG_ALIGN(hdr)))
#define nlmsg_attrdata(nlh, hdr)					\
	((struct nlattr *)((char *)(uintptr_t)(nlh) + NLMSG_HDRLEN + NLMSG_ALIGN(hdr)))
#define nlmsg_for_each_attr(a, nlh, hdr, rem)				\
	nla_for_each_attr(a, nlmsg_attrdata(nlh, hdr), nlmsg_attrlen(nlh, hdr), rem)

/* @bytes: one message, or a few of a dump */
struct sk_buff {
	u32 len;
	u32 room;
	u32 portid;
	u8 bytes[] __aligned(8);
};

struct genl_info {
	u32 snd_seq;
	u32 snd_portid;
	const struct nlmsghdr *nlhdr;
	struct nlattr **attrs;
	struct netlink_ext_ack *extack;
};

struct genl_dumpit_info {
	struct nlattr **attrs;
};

struct netlink_callback {
	struct sk_buff *skb;
	const struct nlmsghdr *nlh;
	struct netlink_ext_ack *extack;
	const struct genl_dumpit_info *data;
	long args[6];
};

#define NETLINK_CB(skb)		(*(skb))
#define genl_dumpit_info(cb)	((cb)->data)

struct genl_ops {
	int (*doit)(struct sk_buff *skb, struct genl_info *info);
	int (*start)(struct netlink_callback *cb);
	int (*dumpit)(struct sk_buff *skb, struct netlink_callback *cb);
	int (*done)(struct netlink_callback *cb);
	const struct nla_policy *policy;
	unsigned int maxattr;
	u8 cmd;
	u8 flags;
};

struct genl_multicast_group {
	const char *name;
	u8 flags;
};

#define GENL_MCAST_CAP_NET_ADMIN	1

struct genl_family {
	const char *name;
	unsigned int version;
	void *module;
	bool parallel_ops;
	const struct genl_ops *ops;
	unsigned int n_ops;
	unsigned int resv_start_op;
	const struct genl_multicast_group *mcgrps;
	unsigned int n_mcgrps;
};

#define genl_register_family(f)			((void)(f), 0)
#define genl_unregister_family(f)		((void)(f))
#define genl_has_listeners(f, net, group)	((void)(f), true)

struct sk_buff *nlmsg_new(int bytes);
void *genlmsg_put(struct sk_buff *skb, u32 portid, u32 seq,
		  const struct genl_family *family, int flags, u8 cmd);
int nla_put(struct sk_buff *skb, int type, int len, const void *data);
int nla_put_u64_64bit(struct sk_buff *skb, int type, u64 value, int pad);
void genlmsg_cancel(struct sk_buff *skb, void *head);
void genlmsg_end(struct sk_buff *skb, void *head);
/* Each takes the message over, and gives it to who runs this: message_sent(). */
int nlmsg_deliver(struct sk_buff *skb, u32 portid);

#define nla_put_u32(skb, type, v)	nla_put(skb, type, 4, &(u32){ v })
#define nla_put_u8(skb, type, v)	nla_put(skb, type, 1, &(u8){ v })
#define nla_put_flag(skb, type)		nla_put(skb, type, 0, "")
#define nla_put_string(skb, type, s)	nla_put(skb, type, (int)strlen(s) + 1, s)
#define genlmsg_new(bytes, gfp)		nlmsg_new(bytes)
#define nlmsg_free(skb)			free(skb)
#define genlmsg_put_reply(skb, info, f, flags, cmd)			\
	genlmsg_put(skb, (info)->snd_portid, (info)->snd_seq, f, flags, cmd)
#define genlmsg_reply(skb, info)	nlmsg_deliver(skb, (info)->snd_portid)
#define genlmsg_unicast(net, skb, port)	nlmsg_deliver(skb, port)
#define genlmsg_multicast(f, skb, port, group, gfp)	nlmsg_deliver(skb, 0)

/* What comes of one message: its errno, as its acknowledgment would tell. */
int genl_receive(const struct genl_family *family, const struct nlmsghdr *nlh,
		 u32 portid, struct netlink_ext_ack *extack);
/* The other way. */
void message_sent(const struct nlmsghdr *nlh, u32 portid);

/* The death of a socket. */
struct net {
	int unused;
};

struct netlink_notify {
	const struct net *net;
	u32 portid;
	int protocol;
};

struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long event, void *data);
};

extern struct net init_net;
extern struct notifier_block *netlink_notifier;

#define NETLINK_URELEASE	1
#define NOTIFY_DONE		0
#define net_eq(a, b)		((a) == (b))
#define netlink_register_notifier(nb)	(netlink_notifier = (nb), 0)
#define netlink_unregister_notifier(nb)	((void)(nb))

/* compat.h's, of 6.1. */
#define compat_dump_attrs(dump)		((dump)->attrs)

static inline void compat_extack_op(struct netlink_ext_ack *extack, u64 index,
				    const char *why)
{
	extack->_msg = why;
	extack->cookie = index;
}

/* trace.h's, of which one counts. */
#define SHELF_TRACE_H

extern int fuzz_objects;

static inline void trace_shelf_object(const char *name, const char *kind, int change)
{
	(void)name;
	(void)kind;
	fuzz_objects += change;
}

#endif /* FUZZ_KERNEL_H */
