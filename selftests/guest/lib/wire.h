/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The family spoken by hand, for tests that must be able to say what no
 * library would.
 *
 * Nothing of libshelf is used, so that it can't hide a fault of the module;
 * nor a name of libnl, which every test is linked with.
 */
#ifndef GUEST_WIRE_H
#define GUEST_WIRE_H

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>

#include "common.h"

#define WIRE_WAIT_S	20		/* a worker under emulation is slow */
#define WIRE_NO_ANSWER	ETIMEDOUT
#define WIRE_BYTES	(192U << 10)

/* @family: 0 if it isn't there; @events: number of the multicast group */
struct wire {
	int fd;
	__u32 port;
	__u32 seq;
	__u16 family;
	__u32 events;
};
struct msg {
	union {
		struct nlmsghdr head;
		__u8 bytes[WIRE_BYTES];
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
void msg_start(struct msg *m, const struct wire *nl, __u8 cmd);
struct genlmsghdr *msg_genl(struct msg *m);

/* Zeroes what pads, so that a test sends the same bytes each time. */
void msg_raw(struct msg *m, const void *data, size_t len);

/* The attribute, and padding behind it. */
void msg_attr(struct msg *m, int type, const void *data, size_t len);
void msg_u64(struct msg *m, int type, __u64 value);
void msg_string(struct msg *m, int type, const char *s);

/* Returns where the nest is, for msg_nest_end(). */
size_t msg_nest(struct msg *m, int type);
void msg_nest_end(struct msg *m, size_t at);

/*
 * Sending and receiving
 * =====================
 */
int wire_send(struct wire *nl, struct msg *m);

/* Takes one datagram. False: none came in time. @seq 0: of any request. */
bool wire_receive(struct wire *nl, __u32 seq, struct answer *a);

/* Sends and waits for the acknowledgment. Returns a->error. */
int wire_talk(struct wire *nl, struct msg *m, struct answer *a);
void wire_set_wait(struct wire *nl, int milliseconds);

/* Returns 0 or the errno of the refusal: ENOENT, no such family here. */
int wire_find_family(struct wire *nl);

/* A socket without the family. Returns 0 or errno. */
int wire_socket(struct wire *nl);
int wire_open(struct wire *nl);
void wire_close(struct wire *nl);
int wire_join_events(struct wire *nl);

/*
 * Shelves and batches; all return 0 or an errno
 * =============================================
 */
int wire_create(struct wire *nl, const char *name, __u64 max_bytes,
		__u64 batch_bytes, __u32 quarantine_ms);
int wire_destroy(struct wire *nl, const char *name);
int wire_begin(struct wire *nl, const char *name, __u64 *cookie);
void ops_start(struct msg *m, const struct wire *nl, __u64 cookie);
void op_product(struct msg *m, int kind, __s64 id, __s64 price);

/* A put with @len attribute bytes that follow from the id. */
void op_put_attrs(struct msg *m, __s64 id, size_t len);
void op_members(struct msg *m, int kind, __s64 catalog,
		__s64 first, size_t count);

/* One put in a message of its own. */
int wire_put(struct wire *nl, __u64 cookie, __s64 id, __s64 price);

/* @expect: NULL for none */
int wire_send_commit(struct wire *nl, __u64 cookie, const __u64 *expect);
int wire_commit(struct wire *nl, __u64 cookie, const __u64 *expect,
		struct answer *a);
int wire_abort(struct wire *nl, __u64 cookie, struct answer *a);

/* A whole batch of one put. Returns the generation, 0 on failure. */
__u64 wire_commit_one(struct wire *nl, const char *name, __s64 id,
		      __s64 price);

#endif /* GUEST_WIRE_H */
