// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * One request and its answers. libnl makes the socket and the messages; they
 * are sent and received here, since libnl keeps the kernel's words for a
 * refusal, and which operation they are about, to itself.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>

#include "nltalk.h"

struct nl_msg *shelf_nl_request(struct shelf_nl *nl, __u8 cmd, int flags,
				size_t bytes)
{
	struct nl_msg *msg = nlmsg_alloc_size(bytes);

	if (!msg)
		return NULL;
	if (genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0,
			NLM_F_ACK | flags, cmd, SHELF_GENL_VERSION))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int wait_readable(int fd, int milliseconds)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do {
		n = poll(&p, 1, milliseconds);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* Only the kernel's word counts: any process may send to a netlink socket. */
static ssize_t receive_from_kernel(int fd, void *to, size_t bytes)
{
	struct sockaddr_nl from;
	socklen_t len;
	ssize_t n;

	do {
		len = sizeof(from);
		n = recvfrom(fd, to, bytes, 0, (struct sockaddr *)&from, &len);
	} while (n < 0 ? errno == EINTR : from.nl_pid);
	return n < 0 ? -errno : n;
}

int shelf_nl_receive(struct shelf_nl *nl, struct nl_sock *sock, int milliseconds,
		     struct shelf_error *err)
{
	int fd = nl_socket_get_fd(sock), ret;

	ret = wait_readable(fd, milliseconds);
	if (!ret)
		ret = (int)receive_from_kernel(fd, nl->answer,
					       sizeof(nl->answer));
	if (ret == -ETIMEDOUT)
		return shelf_fail(err, ret, "no answer from the kernel in time");
	if (ret < 0)
		return shelf_fail(err, ret, "receiving from the kernel: %s",
			       strerror(-ret));
	return ret;
}

/* Where the extended acknowledgment begins: behind the request, if echoed. */
static struct nlattr *extended_ack(struct nlmsghdr *h, int *len)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	int skip = sizeof(*e);

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += (int)(NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg));
	*len = nlmsg_datalen(h) - skip;
	return *len > 0 ? (struct nlattr *)((char *)nlmsg_data(h) + skip) : NULL;
}

#define NAME(a)	\
	[SHELF_A_##a] = #a
#define OP_NAME(a)	\
	[SHELF_OP_A_##a] = #a

static const char *const names[SHELF_A_MAX + 1] = {
	NAME(NAME), NAME(MAX_BYTES), NAME(BATCH_BYTES), NAME(QUARANTINE_MS),
	NAME(HASH_SEED), NAME(COOKIE), NAME(OP), NAME(EXPECT), NAME(OPS),
	NAME(NO_WAIT), NAME(LEASE_MS), NAME(LEASE_MAX_MS), NAME(PIN_BYTES),
};

static const char *const op_names[SHELF_OP_A_MAX + 1] = {
	OP_NAME(KIND), OP_NAME(PRODUCT), OP_NAME(PRICE), OP_NAME(STOCK),
	OP_NAME(FLAGS), OP_NAME(CURRENCY), OP_NAME(ATTRS), OP_NAME(CATALOG),
	OP_NAME(MEMBERS),
};

static const char *name_inside(struct nlattr *nest, const char *at)
{
	struct nlattr *attr;
	int rem;

	nla_for_each_nested(attr, nest, rem)
		if ((const char *)attr == at && nla_type(attr) <= SHELF_OP_A_MAX)
			return op_names[nla_type(attr)];
	return NULL;
}

/* Which attribute of the request lies at @offset, or NULL. */
static const char *name_at(const struct nlmsghdr *request, __u32 offset)
{
	const char *at = (const char *)request + offset;
	struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr(attr, request, GENL_HDRLEN, rem) {
		if ((const char *)attr + NLA_ALIGN(attr->nla_len) <= at)
			continue;
		if (nla_type(attr) == SHELF_A_OP && (const char *)attr != at)
			return name_inside(attr, at);
		return nla_type(attr) <= SHELF_A_MAX ? names[nla_type(attr)] :
						       NULL;
	}
	return NULL;
}

/* The words of a broken policy are netlink's own and don't name its attribute. */
static void name_attribute(struct shelf_error *err, struct nlattr **attrs,
			   const struct nlmsghdr *request)
{
	struct nlattr *offset = attrs[NLMSGERR_ATTR_OFFS];
	struct shelf_error words = *err;
	const char *name;

	if (!attrs[NLMSGERR_ATTR_POLICY] || !offset)
		return;
	name = name_at(request, nla_get_u32(offset));
	if (name)
		snprintf(err->message, sizeof(err->message), "%s: %.200s",
			 name, words.message);
}

/*
 * The kernel's words, without the index that newer kernels put before them:
 * that comes as the cookie, from all.
 */
static void take_words(struct shelf_error *err, struct nlattr **attrs)
{
	struct nlattr *cookie = attrs[NLMSGERR_ATTR_COOKIE];
	struct nlattr *words = attrs[NLMSGERR_ATTR_MSG];
	unsigned long long op;
	int skip = 0;

	if (words) {
		snprintf(err->message, sizeof(err->message), "%.*s",
			 nla_len(words), (const char *)nla_data(words));
		if (sscanf(err->message, "operation %llu: %n", &op, &skip) == 1 &&
		    skip)
			memmove(err->message, err->message + skip,
				strlen(err->message + skip) + 1);
	}
	if (cookie && nla_len(cookie) == sizeof(__u64)) {
		err->op = nla_get_u64(cookie);
		err->has_op = 1;
	}
}

static int take_refusal(struct nl_talk *t, struct nlmsghdr *h, int error,
			struct shelf_error *err)
{
	struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1] = { NULL };
	struct nlattr *first;
	int len;

	shelf_fail(err, error, "%s", strerror(-error));
	first = extended_ack(h, &len);
	if (err && first &&
	    !nla_parse(attrs, NLMSGERR_ATTR_MAX, first, len, NULL)) {
		take_words(err, attrs);
		name_attribute(err, attrs, t->request);
	}
	return error;
}

static int take_ack(struct nl_talk *t, struct nlmsghdr *h,
		    struct shelf_error *err)
{
	int error;

	if (nlmsg_datalen(h) < (int)sizeof(error))
		return shelf_fail(err, -EPROTO, "short acknowledgment");
	memcpy(&error, nlmsg_data(h), sizeof(error));
	if (!error) {
		t->acknowledged = true;
		return 0;
	}
	if (h->nlmsg_type == NLMSG_ERROR)
		return take_refusal(t, h, error, err);
	return shelf_fail(err, error, "%s", strerror(-error));
}

static int take_message(struct nl_talk *t, struct nlmsghdr *h,
			struct shelf_error *err)
{
	struct nlattr *attrs[SHELF_A_MAX + 1] = { NULL };

	/* An answer to somebody who stopped waiting for it. */
	if (h->nlmsg_seq != t->seq)
		return 0;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
		return take_ack(t, h, err);
	if (h->nlmsg_type < NLMSG_MIN_TYPE || !t->take)
		return 0;
	if (genlmsg_parse(h, 0, attrs, SHELF_A_MAX, NULL) < 0)
		return shelf_fail(err, -EPROTO, "malformed answer");
	t->taken = true;
	return t->take(nlmsg_data(h), attrs, t->arg, err);
}

static bool talk_over(const struct nl_talk *t)
{
	return t->acknowledged && (t->taken || !t->wants_result);
}

/* The result may come before the acknowledgment. */
static int talk_listen(struct shelf_nl *nl, struct nl_talk *t,
		       struct shelf_error *err)
{
	struct nlmsghdr *h;
	int left, ret;

	while (!talk_over(t)) {
		left = shelf_nl_receive(nl, nl->sock, nl->timeout_ms, err);
		if (left < 0)
			return left;
		h = (struct nlmsghdr *)nl->answer;
		for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			ret = take_message(t, h, err);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static int talk_send(struct shelf_nl *nl, const struct nlmsghdr *h,
		     struct shelf_error *err)
{
	ssize_t n;

	do {
		n = send(nl_socket_get_fd(nl->sock), h, h->nlmsg_len, 0);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return shelf_fail(err, -errno, "sending to the kernel: %s",
			     strerror(errno));
}

int shelf_nl_talk(struct shelf_nl *nl, struct nl_msg *msg, struct nl_talk *talk,
		  struct shelf_error *err)
{
	struct nl_talk plain = { .take = NULL };
	struct nl_talk *t = talk ? talk : &plain;
	int ret;

	nl_complete_msg(nl->sock, msg);
	t->request = nlmsg_hdr(msg);
	t->seq = t->request->nlmsg_seq;
	ret = talk_send(nl, t->request, err);
	if (!ret)
		ret = talk_listen(nl, t, err);
	t->request = NULL;
	nlmsg_free(msg);
	return ret;
}
