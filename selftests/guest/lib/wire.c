// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

void msg_start(struct msg *m, const struct wire *nl, __u8 cmd)
{
	struct genlmsghdr *genl = NLMSG_DATA(&m->head);

	memset(m->bytes, 0, NLMSG_HDRLEN + GENL_HDRLEN);
	m->head.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	m->head.nlmsg_type = nl->family;
	m->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	genl->cmd = cmd;
	genl->version = SHELF_GENL_VERSION;
}

struct genlmsghdr *msg_genl(struct msg *m)
{
	return NLMSG_DATA(&m->head);
}

void msg_raw(struct msg *m, const void *data, size_t len)
{
	__u8 *to = m->bytes + m->head.nlmsg_len;

	if (m->head.nlmsg_len + len + NLA_ALIGNTO > sizeof(m->bytes))
		abort();
	memset(to, 0, NLA_ALIGN(len));
	if (len)
		memcpy(to, data, len);
	m->head.nlmsg_len += len;
}

void msg_attr(struct msg *m, int type, const void *data, size_t len)
{
	struct nlattr attr = {
		.nla_len = (__u16)(NLA_HDRLEN + len), .nla_type = (__u16)type,
	};

	msg_raw(m, &attr, sizeof(attr));
	msg_raw(m, data, len);
	m->head.nlmsg_len = NLA_ALIGN(m->head.nlmsg_len);
}

void msg_u64(struct msg *m, int type, __u64 value)
{
	msg_attr(m, type, &value, sizeof(value));
}

static void msg_u32(struct msg *m, int type, __u32 value)
{
	msg_attr(m, type, &value, sizeof(value));
}

static void msg_u8(struct msg *m, int type, __u8 value)
{
	msg_attr(m, type, &value, sizeof(value));
}

void msg_string(struct msg *m, int type, const char *s)
{
	msg_attr(m, type, s, strlen(s) + 1);
}

size_t msg_nest(struct msg *m, int type)
{
	size_t at = m->head.nlmsg_len;

	msg_attr(m, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void msg_nest_end(struct msg *m, size_t at)
{
	struct nlattr *nest = (struct nlattr *)(m->bytes + at);

	nest->nla_len = (__u16)(m->head.nlmsg_len - at);
	m->head.nlmsg_len = NLA_ALIGN(m->head.nlmsg_len);
}

int wire_send(struct wire *nl, struct msg *m)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	m->head.nlmsg_seq = ++nl->seq;
	if (sendto(nl->fd, m->bytes, m->head.nlmsg_len, 0,
		   (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return errno;
	return 0;
}

static void attr_take(struct answer *a, const struct nlattr *attr)
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

static void extack_take(struct answer *a, const struct nlattr *attr)
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

static void attrs_take(struct answer *a, const void *from, long len,
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
static void ack_take(struct answer *a, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	size_t fixed = NLMSG_LENGTH(sizeof(*e));

	a->acked = true;
	a->error = -e->error;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		attrs_take(a, (const char *)h + fixed,
			   (long)h->nlmsg_len - (long)fixed, extack_take);
}

static void message_take(struct answer *a, const struct nlmsghdr *h)
{
	const struct genlmsghdr *genl = NLMSG_DATA(h);
	size_t fixed = NLMSG_HDRLEN + GENL_HDRLEN;

	a->cmd = genl->cmd;
	a->messages++;
	attrs_take(a, (const char *)h + fixed,
		   (long)h->nlmsg_len - (long)fixed, attr_take);
}

/* DONE of a dump carries an error of its own. */
static void done_take(struct answer *a, const struct nlmsghdr *h)
{
	a->acked = true;
	a->error = h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ?
		   -*(const int *)NLMSG_DATA(h) : 0;
}

bool wire_receive(struct wire *nl, __u32 seq, struct answer *a)
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

int wire_talk(struct wire *nl, struct msg *m, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	a->error = wire_send(nl, m);
	if (a->error)
		return a->error;
	while (!a->acked)
		if (!wire_receive(nl, nl->seq, a))
			return a->error = WIRE_NO_ANSWER;
	return a->error;
}

void wire_set_wait(struct wire *nl, int milliseconds)
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
static void groups_take(struct wire *nl, const struct nlattr *groups)
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

static void family_take(struct wire *nl, const struct nlmsghdr *h)
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

int wire_find_family(struct wire *nl)
{
	static __u8 bytes[16 << 10] __attribute__((aligned(8)));
	struct nlmsghdr *h = (struct nlmsghdr *)bytes;
	static struct msg m;

	msg_start(&m, nl, CTRL_CMD_GETFAMILY);
	m.head.nlmsg_type = GENL_ID_CTRL;
	m.head.nlmsg_flags = NLM_F_REQUEST;
	msg_string(&m, CTRL_ATTR_FAMILY_NAME, SHELF_GENL_NAME);
	if (wire_send(nl, &m) || recv(nl->fd, bytes, sizeof(bytes), 0) < 0)
		return errno;
	if (h->nlmsg_type == NLMSG_ERROR)
		return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
	family_take(nl, h);
	return 0;
}

int wire_socket(struct wire *nl)
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
	wire_set_wait(nl, WIRE_WAIT_S * 1000);
	return 0;
}

int wire_open(struct wire *nl)
{
	int ret = wire_socket(nl);

	return ret ?: wire_find_family(nl);
}

void wire_close(struct wire *nl)
{
	if (nl->fd >= 0)
		close(nl->fd);
	nl->fd = -1;
}

int wire_join_events(struct wire *nl)
{
	return setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			  &nl->events, sizeof(nl->events)) ? errno : 0;
}

int wire_create(struct wire *nl, const char *name, __u64 max_bytes,
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
	return wire_talk(nl, &m, &a);
}

int wire_destroy(struct wire *nl, const char *name)
{
	static struct msg m;
	struct answer a;

	msg_start(&m, nl, SHELF_CMD_DESTROY);
	msg_string(&m, SHELF_A_NAME, name);
	return wire_talk(nl, &m, &a);
}

int wire_begin(struct wire *nl, const char *name, __u64 *cookie)
{
	static struct msg m;
	struct answer a;

	msg_start(&m, nl, SHELF_CMD_BATCH_BEGIN);
	msg_string(&m, SHELF_A_NAME, name);
	wire_talk(nl, &m, &a);
	*cookie = a.value[SHELF_A_COOKIE];
	return a.error;
}

void ops_start(struct msg *m, const struct wire *nl, __u64 cookie)
{
	msg_start(m, nl, SHELF_CMD_BATCH_OPS);
	msg_u64(m, SHELF_A_COOKIE, cookie);
}

void op_product(struct msg *m, int kind, __s64 id, __s64 price)
{
	size_t nest = msg_nest(m, SHELF_A_OP);

	msg_u8(m, SHELF_OP_A_KIND, (__u8)kind);
	msg_u64(m, SHELF_OP_A_PRODUCT, (__u64)id);
	if (kind != SHELF_OP_DELETE)
		msg_u64(m, SHELF_OP_A_PRICE, (__u64)price);
	msg_nest_end(m, nest);
}

void op_put_attrs(struct msg *m, __s64 id, size_t len)
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

void op_members(struct msg *m, int kind, __s64 catalog,
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

int wire_put(struct wire *nl, __u64 cookie, __s64 id, __s64 price)
{
	static struct msg m;
	struct answer a;

	ops_start(&m, nl, cookie);
	op_product(&m, SHELF_OP_PUT, id, price);
	return wire_talk(nl, &m, &a);
}

int wire_send_commit(struct wire *nl, __u64 cookie, const __u64 *expect)
{
	static struct msg m;

	msg_start(&m, nl, SHELF_CMD_BATCH_COMMIT);
	msg_u64(&m, SHELF_A_COOKIE, cookie);
	if (expect)
		msg_u64(&m, SHELF_A_EXPECT, *expect);
	return wire_send(nl, &m);
}

/*
 * Waits for the acknowledgment and the result, whichever comes first. Then
 * a->error is the commit's, wherever it was refused.
 */
static int wire_result(struct wire *nl, __u32 seq, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	while (!a->acked || (!a->error && a->cmd != SHELF_CMD_BATCH_RESULT))
		if (!wire_receive(nl, seq, a))
			return a->error = WIRE_NO_ANSWER;
	if (!a->error)
		a->error = (int)a->value[SHELF_A_ERROR];
	return a->error;
}

int wire_commit(struct wire *nl, __u64 cookie, const __u64 *expect,
		struct answer *a)
{
	int ret = wire_send_commit(nl, cookie, expect);

	if (!ret)
		return wire_result(nl, nl->seq, a);
	memset(a, 0, sizeof(*a));
	return a->error = ret;
}

int wire_abort(struct wire *nl, __u64 cookie, struct answer *a)
{
	static struct msg m;

	msg_start(&m, nl, SHELF_CMD_BATCH_ABORT);
	msg_u64(&m, SHELF_A_COOKIE, cookie);
	return wire_talk(nl, &m, a);
}

__u64 wire_commit_one(struct wire *nl, const char *name, __s64 id,
		      __s64 price)
{
	struct answer a;
	__u64 cookie;

	if (wire_begin(nl, name, &cookie) || wire_put(nl, cookie, id, price) ||
	    wire_commit(nl, cookie, NULL, &a))
		return 0;
	return a.value[SHELF_A_GENERATION];
}
