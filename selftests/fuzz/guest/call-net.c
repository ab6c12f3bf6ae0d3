// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Netlink: messages put together from attributes that may lie about themselves. The
 * shelf that is the witness is named by no command that may change anything.
 */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "make.h"
#include "place.h"

#define NESTS_MAX	8U

static struct wire *sock_slot(struct lane *l, __u64 slot)
{
	return &l->slots->sock[slot % SLOTS];
}

/* s = socket(what): bit 0: events are heard; bits 1 and 2: how much it can hold. */
long run_socket(struct lane *l, const struct call *c)
{
	struct wire *to = sock_slot(l, c->arg[0]), nl;
	int ret = wire_socket(&nl), bytes = 1 << (c->arg[1] & 2 ? 8 : 14), old;

	if (ret) {
		wire_close(&nl);
		return -ret;
	}
	nl.family = family.family;
	nl.events = family.events;
	if (c->arg[1] & 1)
		wire_join_events(&nl);
	if (c->arg[1] & 6)
		setsockopt(nl.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	old = __atomic_exchange_n(&to->fd, -1, __ATOMIC_ACQ_REL);
	if (old >= 0)
		close(old);
	*to = nl;
	return 0;
}

long run_shut(struct lane *l, const struct call *c)
{
	int fd = __atomic_exchange_n(&sock_slot(l, c->arg[0])->fd, -1, __ATOMIC_ACQ_REL);

	return fd < 0 ? -EBADF : ERRNO(close(fd));
}

/*
 * Putting together
 * ================
 */
static bool only_looks(__u64 cmd)
{
	return (cmd & 0xff) == SHELF_CMD_GET || (cmd & 0xff) == SHELF_CMD_PINS ||
	       (cmd & 0xff) == SHELF_CMD_SOURCES;
}

static const char *message_name(const struct lane *l, const struct call *c, __u64 n)
{
	n %= NAMES;
	if (n == NAME_WITNESS && !only_looks(c->arg[SEND_CMD]))
		n = 0;
	return name_of(l->slots->worker, n);
}

/* 1 to 127, none of which makes an address of the kernel's. */
static const void *bytes_make(struct lane *l, const struct field *f, size_t len)
{
	__u8 *to = l->image;
	size_t i;

	for (i = 0; i < len && i < sizeof(l->image); i++)
		to[i] = (__u8)(((f->value + i * 37) & 0x7f) | 1);
	return to;
}

static size_t room_in(const struct msg *m)
{
	return sizeof(m->bytes) - m->head.nlmsg_len - 64;
}

/* In pieces, since an attribute may have more than we keep at hand. */
static void put_bytes(struct lane *l, const struct field *f)
{
	size_t len = f->len % (SHELF_ATTRS_MAX + 16), done, n;
	struct msg *m = &l->message;
	const void *from = bytes_make(l, f, len);

	if (len > room_in(m))
		return;
	msg_attr(m, f->type, NULL, 0);
	for (done = 0; done < len; done += n) {
		n = len - done < sizeof(l->image) ? len - done : sizeof(l->image);
		msg_raw(m, from, n);
	}
}

static void put_ids(struct lane *l, const struct field *f, __u64 round)
{
	size_t n = f->len % (SHELF_MEMBERS_MAX + 4), i, have = 0;
	struct msg *m = &l->message;
	__s64 step = f->skew ? f->skew : 1;
	__u64 *id = (__u64 *)l->image;

	if (n * sizeof(*id) > room_in(m))
		return;
	msg_attr(m, f->type, NULL, 0);
	for (i = 0; i < n; i++) {
		id[have++] = f->value + i * (__u64)step + round;
		if (have < sizeof(l->image) / sizeof(*id) && i + 1 < n)
			continue;
		msg_raw(m, id, have * sizeof(*id));
		have = 0;
	}
}

static void put_field(struct lane *l, const struct call *c, const struct field *f,
		      __u64 round)
{
	static const size_t bytes[] = { 1, 2, 4, 8 };
	struct msg *m = &l->message;
	const char *name;
	__u64 v = f->value;

	switch (f->form) {
	case FORM_NAME:
		name = message_name(l, c, v);
		msg_attr(m, f->type, name, strlen(name) + 1);
		break;
	case FORM_BYTES:
		put_bytes(l, f);
		break;
	case FORM_IDS:
		put_ids(l, f, round);
		break;
	default:
		if (f->form == FORM_COOKIE)
			v = l->slots->cookie[v % SLOTS];
		if (f->form == FORM_GEN)
			v += l->slots->generation;
		if (f->type == SHELF_OP_A_PRODUCT || f->type == SHELF_OP_A_CATALOG)
			v += round;
		msg_attr(m, f->type, &v, bytes[f->form < FORM_U64 ? f->form : FORM_U64]);
	}
}

/* What the attribute at @at says of its length becomes wrong by so much. */
static void lie(struct msg *m, size_t at, const struct field *f)
{
	struct nlattr *attr = (struct nlattr *)(m->bytes + at);

	if (m->head.nlmsg_len > at && f->form != FORM_IDS)
		attr->nla_len += (__u16)f->skew;
}

static void seal(struct msg *m, size_t at)
{
	struct nlattr *attr = (struct nlattr *)(m->bytes + at);

	attr->nla_len = (__u16)(m->head.nlmsg_len - at);
	m->head.nlmsg_len = NLA_ALIGN(m->head.nlmsg_len);
}

/* The fields from @first on; true while there is room. */
static bool put_fields(struct lane *l, const struct call *c, unsigned int first,
		       __u64 round)
{
	const struct field *open[NESTS_MAX];
	size_t nest[NESTS_MAX], at;
	unsigned int i, depth = 0;
	struct msg *m = &l->message;

	for (i = first; i < c->fields && room_in(m) > (1 << 10); i++) {
		const struct field *f = &c->field[i];

		at = m->head.nlmsg_len;
		if (f->form == FORM_OPEN && depth < NESTS_MAX) {
			open[depth] = f;
			nest[depth++] = msg_nest(m, f->type);
		} else if (f->form == FORM_CLOSE && depth) {
			seal(m, nest[--depth]);
			lie(m, nest[depth], open[depth]);
		} else if (f->form < FORM_OPEN) {
			put_field(l, c, f, round);
			if (f->form == FORM_BYTES || f->form == FORM_IDS)
				seal(m, at);
			lie(m, at, f);
		}
	}
	while (depth)
		seal(m, nest[--depth]);
	return i == c->fields;
}

/* Once all, then the nests again and again. */
static void build(struct lane *l, const struct call *c)
{
	__u64 times = (c->arg[SEND_TIMES] & ~(__u64)SEND_DEAF) % 4096, round;
	unsigned int first;
	struct msg *m = &l->message;

	msg_start(m, &family, (__u8)c->arg[SEND_CMD]);
	m->head.nlmsg_flags = (__u16)c->arg[SEND_FLAGS];
	msg_genl(m)->version = (__u8)c->arg[SEND_VERSION];
	put_fields(l, c, 0, 0);
	for (first = 0; first < c->fields && c->field[first].form != FORM_OPEN; first++)
		;
	for (round = 1; round < times && first < c->fields; round++)
		if (!put_fields(l, c, first, round))
			break;
}

/*
 * What comes back
 * ===============
 */
static void mix(struct lane *l, __u64 value)
{
	l->news = (l->news ^ value) * 0x9e3779b97f4a7c15ULL;
}

static void take_attr(struct lane *l, __u64 slot, int cmd, const struct nlattr *a)
{
	int type = a->nla_type & NLA_TYPE_MASK;
	__u64 value;

	if (a->nla_len != NLA_HDRLEN + sizeof(value))
		return;
	memcpy(&value, (const __u8 *)a + NLA_HDRLEN, sizeof(value));
	if (type == SHELF_A_COOKIE && cmd == SHELF_CMD_BATCH_BEGIN)
		l->slots->cookie[slot % SLOTS] = value;
	if (type == SHELF_A_GENERATION)
		l->slots->generation = value;
	if (cmd == SHELF_CMD_BATCH_RESULT && type == SHELF_A_COOKIE)
		l->slots->awaited--;
	if (cmd == SHELF_CMD_BATCH_RESULT && type == SHELF_A_GENERATION)
		__atomic_fetch_add(&shared->commits, 1, __ATOMIC_RELAXED);
}

static void take_message(struct lane *l, __u64 slot, const struct nlmsghdr *h)
{
	const __u8 *at = (const __u8 *)h + NLMSG_HDRLEN + GENL_HDRLEN;
	const __u8 *end = (const __u8 *)h + h->nlmsg_len;
	int cmd = ((const struct genlmsghdr *)NLMSG_DATA(h))->cmd;

	mix(l, cmd);
	while (end - at >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)at;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > end - at)
			break;
		take_attr(l, slot, cmd, a);
		at += NLA_ALIGN(a->nla_len);
	}
}

/* The words of a refusal tell one from another. */
static long take_error(struct lane *l, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	const __u8 *at = (const __u8 *)h + NLMSG_LENGTH(sizeof(*e));
	const __u8 *end = (const __u8 *)h + h->nlmsg_len;

	if (h->nlmsg_flags & NLM_F_ACK_TLVS && end - at > NLA_HDRLEN + 24)
		mix(l, *(const __u64 *)(at + 16));
	return e->error;
}

/* Takes what is there, up to @most datagrams. The last acknowledgment's error. */
static long drain(struct lane *l, struct wire *nl, __u64 slot, unsigned int most)
{
	struct nlmsghdr *h;
	long ret = 0;
	ssize_t n;

	while (most-- && !stopped()) {
		n = recv(nl->fd, l->answer, sizeof(l->answer), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EBADF ? ret : -errno;
		for (h = (void *)l->answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_ERROR)
				ret = take_error(l, h);
			else if (h->nlmsg_type == nl->family)
				take_message(l, slot, h);
		}
	}
	return ret;
}

long run_send(struct lane *l, const struct call *c)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct wire *nl = sock_slot(l, c->arg[0]);
	struct msg *m = &l->message;
	size_t len;
	long ret;

	if (nl->fd < 0)
		return -EBADF;
	build(l, c);
	len = m->head.nlmsg_len;
	m->head.nlmsg_len += (__u32)c->arg[SEND_SKEW];
	m->head.nlmsg_seq = ++nl->seq;
	if (sendto(nl->fd, m->bytes, len, MSG_DONTWAIT, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	if (c->arg[SEND_TIMES] & SEND_DEAF)
		return 0;
	ret = drain(l, nl, c->arg[1], 8);
	if (!ret && c->arg[SEND_CMD] == SHELF_CMD_BATCH_COMMIT)
		l->slots->awaited++;
	return ret;
}

/* recv(s, c, ms): waits so long for the result of a commit, if there is one to come. */
long run_recv(struct lane *l, const struct call *c)
{
	struct wire *nl = sock_slot(l, c->arg[0]);
	unsigned int waited;
	__u8 byte;

	if (nl->fd < 0)
		return -EBADF;
	for (waited = 0; waited < c->arg[2] % 64 && l->slots->awaited > 0; waited++) {
		if (recv(nl->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0)
			break;
		sleep_ms(1);
	}
	return drain(l, nl, c->arg[1], 16);
}
