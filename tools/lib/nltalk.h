/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One request and its answers: what netlink.c and nlbatch.c share.
 */
#ifndef SHELF_NLTALK_H
#define SHELF_NLTALK_H

#include <stdbool.h>
#include <stddef.h>

#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include "../../kmod/uapi/shelf.h"
#include "internal.h"
#include "netlink.h"

/* The largest message from the kernel: a part of a dump. */
#define NL_ANSWER_BYTES	65536

struct shelf_nl {
	struct nl_sock *sock;
	struct nl_sock *events;
	int family;
	int timeout_ms;
	char answer[NL_ANSWER_BYTES] __attribute__((aligned(8)));
};

/**
 * struct nl_talk - what is awaited
 * @take: called for each message of the family; other than 0 ends the talk
 *        with that value
 * @wants_result: not over with the acknowledgment, but when @take was called
 */
struct nl_talk {
	int (*take)(const struct genlmsghdr *head, struct nlattr **attrs,
		    void *arg, struct shelf_error *err);
	void *arg;
	bool wants_result;
	/* private */
	const struct nlmsghdr *request;
	__u32 seq;
	bool acknowledged;
	bool taken;
};

/* A new request of up to @bytes, or NULL. */
struct nl_msg *shelf_nl_request(struct shelf_nl *nl, __u8 cmd, int flags,
				size_t bytes);
/* Sends and frees @msg and waits for what is awaited. @talk may be NULL. */
int shelf_nl_talk(struct shelf_nl *nl, struct nl_msg *msg, struct nl_talk *talk,
		  struct shelf_error *err);
/*
 * Waits for a message from the kernel and receives it into nl->answer. Returns
 * its length, or ETIMEDOUT.
 */
int shelf_nl_receive(struct shelf_nl *nl, struct nl_sock *sock, int milliseconds,
		     struct shelf_error *err);

static inline __u64 attr_u64(struct nlattr *attr)
{
	return attr ? nla_get_u64(attr) : 0;
}

static inline __u8 attr_u8(struct nlattr *attr)
{
	return attr ? nla_get_u8(attr) : 0;
}

static inline __u32 attr_u32(struct nlattr *attr)
{
	return attr ? nla_get_u32(attr) : 0;
}

#endif /* SHELF_NLTALK_H */
