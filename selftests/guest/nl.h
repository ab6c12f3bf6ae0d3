/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The family spoken by hand, for tests that must be able to say what no
 * library would, and the whole of a small shelf read by ioctl.
 *
 * Nothing of libshelf is used, so that it can't hide a fault of the module.
 */
#ifndef GUEST_NL_H
#define GUEST_NL_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "common.h"

#define NL_WAIT_S	20		/* a worker under emulation is slow */
#define NL_NO_ANSWER	ETIMEDOUT
#define NL_BYTES	(192U << 10)

/* @family: 0 if it isn't there; @events: number of the multicast group */
struct nl {
	int fd;
	__u32 port;
	__u32 seq;
	__u16 family;
	__u32 events;
};

struct msg {
	union {
		struct nlmsghdr head;
		__u8 bytes[NL_BYTES];
	};
};

/**
 * struct answer - what came back
 * @error: errno, positive; 0: acknowledged
 * @message: the kernel's words: of an extack, or of a commit's result
 * @has_op, @op: the extack's cookie: index of the operation at fault
 * @cmd: of the last message of the family
 * @messages: how many of them
 * @value: its numbers, by SHELF_A_*; @name: its NAME
 */
struct answer {
	int error;
	bool acked;
	char message[200];
	bool has_op;
	__u64 op;
	int cmd;
	int messages;
	__u64 value[SHELF_A_MAX + 1];
	bool has[SHELF_A_MAX + 1];
	char name[SHELF_NAME_MAX + 1];
};

/*
 * Putting a message together
 * ==========================
 */
static inline void msg_start(struct msg *m, const struct nl *nl, __u8 cmd)
{
	struct genlmsghdr *genl = NLMSG_DATA(&m->head);

	memset(m->bytes, 0, NLMSG_HDRLEN + GENL_HDRLEN);
	m->head.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	m->head.nlmsg_type = nl->family;
	m->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	genl->cmd = cmd;
	genl->version = SHELF_GENL_VERSION;
}

static inline struct genlmsghdr *msg_genl(struct msg *m)
{
	return NLMSG_DATA(&m->head);
}

/* Zeroes what pads, so that a test sends the same bytes each time. */
static inline void msg_raw(struct msg *m, const void *data, size_t len)
{
	__u8 *to = m->bytes + m->head.nlmsg_len;

	if (m->head.nlmsg_len + len + NLA_ALIGNTO > sizeof(m->bytes))
		abort();
	memset(to, 0, NLA_ALIGN(len));
	if (len)
		memcpy(to, data, len);
	m->head.nlmsg_len += len;
}

/* The attribute, and padding behind it. */
static inline void msg_attr(struct msg *m, int type, const void *data, size_t len)
{
	struct nlattr attr = {
		.nla_len = (__u16)(NLA_HDRLEN + len), .nla_type = (__u16)type,
	};

	msg_raw(m, &attr, sizeof(attr));
	msg_raw(m, data, len);
	m->head.nlmsg_len = NLA_ALIGN(m->head.nlmsg_len);
}

static inline void msg_u64(struct msg *m, int type, __u64 value)
{
	msg_attr(m, type, &value, sizeof(value));
}

static inline void msg_u32(struct msg *m, int type, __u32 value)
{
	msg_attr(m, type, &value, sizeof(value));
}

static inline void msg_u8(struct msg *m, int type, __u8 value)
{
	msg_attr(m, type, &value, sizeof(value));
}

static inline void msg_string(struct msg *m, int type, const char *s)
{
	msg_attr(m, type, s, strlen(s) + 1);
}

/* Returns where the nest is, for msg_nest_end(). */
static inline size_t msg_nest(struct msg *m, int type)
{
	size_t at = m->head.nlmsg_len;

	msg_attr(m, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static inline void msg_nest_end(struct msg *m, size_t at)
{
	struct nlattr *nest = (struct nlattr *)(m->bytes + at);

	nest->nla_len = (__u16)(m->head.nlmsg_len - at);
	m->head.nlmsg_len = NLA_ALIGN(m->head.nlmsg_len);
}

/*
 * Sending and receiving
 * =====================
 */
static inline int nl_send(struct nl *nl, struct msg *m)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	m->head.nlmsg_seq = ++nl->seq;
	if (sendto(nl->fd, m->bytes, m->head.nlmsg_len, 0,
		   (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return errno;
	return 0;
}

static inline void attr_take(struct answer *a, const struct nlattr *attr)
{
	int type = attr->nla_type & NLA_TYPE_MASK;
	int len = attr->nla_len - NLA_HDRLEN;
	const char *data = (const char *)attr + NLA_HDRLEN;

	if (type > SHELF_A_MAX)
		return;
	a->has[type] = true;
	if (type == SHELF_A_NAME)
		snprintf(a->name, sizeof(a->name), "%.*s", len, data);
	else if (type == SHELF_A_MESSAGE)
		snprintf(a->message, sizeof(a->message), "%.*s", len, data);
	else if (len <= (int)sizeof(a->value[type]))
		memcpy(&a->value[type], data, len);
}

static inline void extack_take(struct answer *a, const struct nlattr *attr)
{
	int len = attr->nla_len - NLA_HDRLEN;
	const char *data = (const char *)attr + NLA_HDRLEN;

	switch (attr->nla_type & NLA_TYPE_MASK) {
	case NLMSGERR_ATTR_MSG:
		snprintf(a->message, sizeof(a->message), "%.*s", len, data);
		break;
	case NLMSGERR_ATTR_COOKIE:
		a->has_op = len == sizeof(a->op);
		if (a->has_op)
			memcpy(&a->op, data, sizeof(a->op));
		break;
	}
}

static inline void attrs_take(struct answer *a, const void *from, long len,
			      void (*take)(struct answer *, const struct nlattr *))
{
	const struct nlattr *attr = from;

	while (len >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN &&
	       attr->nla_len <= len) {
		take(a, attr);
		len -= NLA_ALIGN(attr->nla_len);
		attr = (const void *)((const char *)attr +
				      NLA_ALIGN(attr->nla_len));
	}
}

/* NETLINK_CAP_ACK is set: the refused message isn't echoed. */
static inline void ack_take(struct answer *a, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	size_t fixed = NLMSG_LENGTH(sizeof(*e));

	a->acked = true;
	a->error = -e->error;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		attrs_take(a, (const char *)h + fixed,
			   (long)h->nlmsg_len - (long)fixed, extack_take);
}

static inline void message_take(struct answer *a, const struct nlmsghdr *h)
{
	const struct genlmsghdr *genl = NLMSG_DATA(h);
	size_t fixed = NLMSG_HDRLEN + GENL_HDRLEN;

	a->cmd = genl->cmd;
	a->messages++;
	attrs_take(a, (const char *)h + fixed,
		   (long)h->nlmsg_len - (long)fixed, attr_take);
}

/* DONE of a dump carries an error of its own. */
static inline void done_take(struct answer *a, const struct nlmsghdr *h)
{
	a->acked = true;
	a->error = h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ?
		   -*(const int *)NLMSG_DATA(h) : 0;
}

/* Takes one datagram. False: none came in time. @seq 0: of any request. */
static inline bool nl_receive(struct nl *nl, __u32 seq, struct answer *a)
{
	static __u8 bytes[64 << 10] __attribute__((aligned(8)));
	const struct nlmsghdr *h = (const struct nlmsghdr *)bytes;
	ssize_t len;

	len = recv(nl->fd, bytes, sizeof(bytes), 0);
	if (len < 0)
		return false;
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (seq && h->nlmsg_seq != seq)
			continue;
		if (h->nlmsg_type == NLMSG_ERROR)
			ack_take(a, h);
		else if (h->nlmsg_type == NLMSG_DONE)
			done_take(a, h);
		else
			message_take(a, h);
	}
	return true;
}

/* Sends and waits for the acknowledgment. Returns a->error. */
static inline int nl_talk(struct nl *nl, struct msg *m, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	a->error = nl_send(nl, m);
	if (a->error)
		return a->error;
	while (!a->acked)
		if (!nl_receive(nl, nl->seq, a))
			return a->error = NL_NO_ANSWER;
	return a->error;
}

static inline void nl_set_wait(struct nl *nl, int milliseconds)
{
	struct timeval t = {
		.tv_sec = milliseconds / 1000,
		.tv_usec = milliseconds % 1000 * 1000,
	};

	setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

/*
 * Sockets
 * =======
 */
static inline void groups_take(struct nl *nl, const struct nlattr *groups)
{
	const char *p = (const char *)groups + NLA_HDRLEN;
	const char *end = (const char *)groups + groups->nla_len;

	/* One group, a nest in the nest: its number is the u32 in there. */
	for (p += NLA_HDRLEN; p + NLA_HDRLEN <= end;) {
		const struct nlattr *attr = (const struct nlattr *)p;

		if (attr->nla_type == CTRL_ATTR_MCAST_GRP_ID)
			memcpy(&nl->events, p + NLA_HDRLEN, sizeof(nl->events));
		p += NLA_ALIGN(attr->nla_len);
	}
}

static inline void family_take(struct nl *nl, const struct nlmsghdr *h)
{
	const char *p = (const char *)h + NLMSG_HDRLEN + GENL_HDRLEN;
	const char *end = (const char *)h + h->nlmsg_len;

	while (p + NLA_HDRLEN <= end) {
		const struct nlattr *attr = (const struct nlattr *)p;

		if ((attr->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_FAMILY_ID)
			memcpy(&nl->family, p + NLA_HDRLEN, sizeof(nl->family));
		if ((attr->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_MCAST_GROUPS)
			groups_take(nl, attr);
		p += NLA_ALIGN(attr->nla_len);
	}
}

/* Returns 0 or the errno of the refusal: ENOENT, no such family here. */
static inline int nl_find_family(struct nl *nl)
{
	static __u8 bytes[16 << 10] __attribute__((aligned(8)));
	struct nlmsghdr *h = (struct nlmsghdr *)bytes;
	static struct msg m;

	msg_start(&m, nl, CTRL_CMD_GETFAMILY);
	m.head.nlmsg_type = GENL_ID_CTRL;
	m.head.nlmsg_flags = NLM_F_REQUEST;
	msg_string(&m, CTRL_ATTR_FAMILY_NAME, SHELF_GENL_NAME);
	if (nl_send(nl, &m) || recv(nl->fd, bytes, sizeof(bytes), 0) < 0)
		return errno;
	if (h->nlmsg_type == NLMSG_ERROR)
		return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
	family_take(nl, h);
	return 0;
}

/* A socket without the family. Returns 0 or errno. */
static inline int nl_socket(struct nl *nl)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(own);
	int on = 1;

	memset(nl, 0, sizeof(*nl));
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (nl->fd < 0 ||
	    bind(nl->fd, (struct sockaddr *)&own, sizeof(own)) ||
	    getsockname(nl->fd, (struct sockaddr *)&own, &len) ||
	    setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)))
		return errno;
	nl->port = own.nl_pid;
	nl_set_wait(nl, NL_WAIT_S * 1000);
	return 0;
}

static inline int nl_open(struct nl *nl)
{
	int ret = nl_socket(nl);

	return ret ?: nl_find_family(nl);
}

static inline void nl_close(struct nl *nl)
{
	if (nl->fd >= 0)
		close(nl->fd);
	nl->fd = -1;
}

static inline int nl_join_events(struct nl *nl)
{
	return setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			  &nl->events, sizeof(nl->events)) ? errno : 0;
}

/*
 * Shelves and batches; all return 0 or an errno
 * =============================================
 */
static inline int nl_create(struct nl *nl, const char *name, __u64 max_bytes,
			    __u64 batch_bytes, __u32 quarantine_ms)
{
	static struct msg m;
	struct answer a;

	msg_start(&m, nl, SHELF_CMD_CREATE);
	msg_string(&m, SHELF_A_NAME, name);
	msg_u64(&m, SHELF_A_MAX_BYTES, max_bytes);
	if (batch_bytes)
		msg_u64(&m, SHELF_A_BATCH_BYTES, batch_bytes);
	msg_u32(&m, SHELF_A_QUARANTINE_MS, quarantine_ms);
	return nl_talk(nl, &m, &a);
}

static inline int nl_destroy(struct nl *nl, const char *name)
{
	static struct msg m;
	struct answer a;

	msg_start(&m, nl, SHELF_CMD_DESTROY);
	msg_string(&m, SHELF_A_NAME, name);
	return nl_talk(nl, &m, &a);
}

static inline int nl_begin(struct nl *nl, const char *name, __u64 *cookie)
{
	static struct msg m;
	struct answer a;

	msg_start(&m, nl, SHELF_CMD_BATCH_BEGIN);
	msg_string(&m, SHELF_A_NAME, name);
	nl_talk(nl, &m, &a);
	*cookie = a.value[SHELF_A_COOKIE];
	return a.error;
}

static inline void ops_start(struct msg *m, const struct nl *nl, __u64 cookie)
{
	msg_start(m, nl, SHELF_CMD_BATCH_OPS);
	msg_u64(m, SHELF_A_COOKIE, cookie);
}

static inline void op_product(struct msg *m, int kind, __s64 id, __s64 price)
{
	size_t nest = msg_nest(m, SHELF_A_OP);

	msg_u8(m, SHELF_OP_A_KIND, (__u8)kind);
	msg_u64(m, SHELF_OP_A_PRODUCT, (__u64)id);
	if (kind != SHELF_OP_DELETE)
		msg_u64(m, SHELF_OP_A_PRICE, (__u64)price);
	msg_nest_end(m, nest);
}

/* A put with @len attribute bytes that follow from the id. */
static inline void op_put_attrs(struct msg *m, __s64 id, size_t len)
{
	static __u8 bytes[SHELF_ATTRS_MAX];
	size_t nest = msg_nest(m, SHELF_A_OP);

	memset(bytes, (int)(id % 251), len);
	msg_u8(m, SHELF_OP_A_KIND, SHELF_OP_PUT);
	msg_u64(m, SHELF_OP_A_PRODUCT, (__u64)id);
	msg_u64(m, SHELF_OP_A_STOCK, (__u64)id * 3);
	msg_attr(m, SHELF_OP_A_ATTRS, bytes, len);
	msg_nest_end(m, nest);
}

static inline void op_members(struct msg *m, int kind, __s64 catalog,
			      __s64 first, size_t count)
{
	static __s64 ids[SHELF_MEMBERS_MAX + 1];
	size_t nest = msg_nest(m, SHELF_A_OP), i;

	for (i = 0; i < count; i++)
		ids[i] = first + (__s64)i;
	msg_u8(m, SHELF_OP_A_KIND, (__u8)kind);
	msg_u64(m, SHELF_OP_A_CATALOG, (__u64)catalog);
	msg_attr(m, SHELF_OP_A_MEMBERS, ids, count * sizeof(*ids));
	msg_nest_end(m, nest);
}

/* One put in a message of its own. */
static inline int nl_put(struct nl *nl, __u64 cookie, __s64 id, __s64 price)
{
	static struct msg m;
	struct answer a;

	ops_start(&m, nl, cookie);
	op_product(&m, SHELF_OP_PUT, id, price);
	return nl_talk(nl, &m, &a);
}

/* @expect: NULL for none */
static inline int nl_send_commit(struct nl *nl, __u64 cookie, const __u64 *expect)
{
	static struct msg m;

	msg_start(&m, nl, SHELF_CMD_BATCH_COMMIT);
	msg_u64(&m, SHELF_A_COOKIE, cookie);
	if (expect)
		msg_u64(&m, SHELF_A_EXPECT, *expect);
	return nl_send(nl, &m);
}

/*
 * Waits for the acknowledgment and the result, whichever comes first. Then
 * a->error is the commit's, wherever it was refused.
 */
static inline int nl_result(struct nl *nl, __u32 seq, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	while (!a->acked || (!a->error && a->cmd != SHELF_CMD_BATCH_RESULT))
		if (!nl_receive(nl, seq, a))
			return a->error = NL_NO_ANSWER;
	if (!a->error)
		a->error = (int)a->value[SHELF_A_ERROR];
	return a->error;
}

static inline int nl_commit(struct nl *nl, __u64 cookie, const __u64 *expect,
			    struct answer *a)
{
	int ret = nl_send_commit(nl, cookie, expect);

	if (!ret)
		return nl_result(nl, nl->seq, a);
	memset(a, 0, sizeof(*a));
	return a->error = ret;
}

static inline int nl_abort(struct nl *nl, __u64 cookie, struct answer *a)
{
	static struct msg m;

	msg_start(&m, nl, SHELF_CMD_BATCH_ABORT);
	msg_u64(&m, SHELF_A_COOKIE, cookie);
	return nl_talk(nl, &m, a);
}

/* A whole batch of one put. Returns the generation, 0 on failure. */
static inline __u64 nl_commit_one(struct nl *nl, const char *name, __s64 id,
				  __s64 price)
{
	struct answer a;
	__u64 cookie;

	if (nl_begin(nl, name, &cookie) || nl_put(nl, cookie, id, price) ||
	    nl_commit(nl, cookie, NULL, &a))
		return 0;
	return a.value[SHELF_A_GENERATION];
}

/*
 * Reading by ioctl
 * ================
 */
static inline int dev_open(const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shelf/%s", name);
	return open(path, flags | O_CLOEXEC);
}

static inline bool dev_info(int fd, struct shelf_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return !ioctl(fd, SHELF_IOC_INFO, info);
}

static inline __u64 dev_generation(int fd)
{
	struct shelf_ioc_info info;

	return dev_info(fd, &info) ? info.generation : 0;
}

/* 0, or errno */
static inline int dev_get(int fd, __s64 id, struct shelf_product *p, void *attrs,
			  __u32 room)
{
	struct shelf_ioc_get get = {
		.size = sizeof(get), .id = id, .attrs = (uintptr_t)attrs,
		.attrs_size = room,
	};

	if (ioctl(fd, SHELF_IOC_GET, &get))
		return errno;
	*p = get.product;
	return 0;
}

/* The price, or -1. */
static inline __s64 dev_price(int fd, __s64 id)
{
	struct shelf_product p = { 0 };

	return dev_get(fd, id, &p, NULL, 0) ? -1 : p.price;
}

/* How many of @count products from @first on there are, in one snapshot. */
static inline int dev_count(int fd, __s64 first, __u32 count)
{
	static struct shelf_product products[SHELF_GET_MANY_MAX];
	static __s64 ids[SHELF_GET_MANY_MAX];
	struct shelf_ioc_get_many many = {
		.size = sizeof(many), .ids = (uintptr_t)ids,
		.products = (uintptr_t)products, .count = count,
	};
	__u32 i;

	for (i = 0; i < count; i++)
		ids[i] = first + i;
	return ioctl(fd, SHELF_IOC_GET_MANY, &many) ? -1 : (int)many.found;
}

/**
 * struct state - all of a shelf that a reader can learn
 * @hash: over the products and catalogs of ids 0 to STATE_IDS - 1; the counts
 *        tell of any others
 */
struct state {
	__u64 generation;
	__u64 products;
	__u64 catalogs;
	__u64 memberships;
	__u64 attrs_bytes;
	__u64 hash;
};

#define STATE_IDS	256

static inline __u64 hash_bytes(__u64 hash, const void *data, size_t len)
{
	const __u8 *p = data;

	while (len--)
		hash = (hash ^ *p++) * 0x100000001b3ULL;
	return hash;
}

static inline __u64 hash_product(__u64 hash, int fd, __s64 id)
{
	static __u8 attrs[SHELF_ATTRS_MAX];
	struct shelf_product p;

	if (dev_get(fd, id, &p, attrs, sizeof(attrs)))
		return hash_bytes(hash, &id, sizeof(id));
	hash = hash_bytes(hash, &p, sizeof(p));
	return hash_bytes(hash, attrs, p.attrs_len);
}

/* No catalog of a test is larger than one answer. */
static inline __u64 hash_catalog(__u64 hash, int fd, __s64 id)
{
	static __s64 ids[SHELF_PAGE_MEMBERS_MAX];
	struct shelf_ioc_members members = {
		.size = sizeof(members), .catalog = id, .ids = (uintptr_t)ids,
		.count = SHELF_PAGE_MEMBERS_MAX,
	};

	if (ioctl(fd, SHELF_IOC_MEMBERS, &members))
		return hash_bytes(hash, &id, sizeof(id));
	hash = hash_bytes(hash, &members.total, sizeof(members.total));
	return hash_bytes(hash, ids, members.count * sizeof(*ids));
}

/* All zero if it can't be read. */
static inline struct state state_of(int fd)
{
	struct state s = { .hash = 0xcbf29ce484222325ULL };
	struct shelf_ioc_info info;
	__s64 id;

	if (!dev_info(fd, &info))
		return (struct state){ 0 };
	s.generation = info.generation;
	s.products = info.products;
	s.catalogs = info.catalogs;
	s.memberships = info.memberships;
	s.attrs_bytes = info.attrs_bytes;
	for (id = 0; id < STATE_IDS; id++) {
		s.hash = hash_product(s.hash, fd, id);
		s.hash = hash_catalog(s.hash, fd, id);
	}
	return s;
}

static inline bool state_same(const struct state *a, const struct state *b)
{
	return a->generation && !memcmp(a, b, sizeof(*a));
}

/* How many references hold the module. */
static inline int module_refs(void)
{
	FILE *f = fopen("/sys/module/shelf/refcnt", "re");
	int refs = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &refs) != 1)
		refs = -1;
	fclose(f);
	return refs;
}

#endif /* GUEST_NL_H */
