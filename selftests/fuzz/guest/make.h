/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* How arguments are made up, for each kind of call; and what they mean to it. */
#ifndef FUZZ_MAKE_H
#define FUZZ_MAKE_H

#include "program.h"

void make_open(struct rng *r, struct call *c);
void make_slot(struct rng *r, struct call *c);
void make_slots(struct rng *r, struct call *c);
void make_read(struct rng *r, struct call *c);
void make_poll(struct rng *r, struct call *c);
void make_ioctl(struct rng *r, struct call *c);
void make_sysfs(struct rng *r, struct call *c);
void make_param(struct rng *r, struct call *c);
void make_mmap(struct rng *r, struct call *c);
void make_range(struct rng *r, struct call *c);
void make_touch(struct rng *r, struct call *c);
void make_socket(struct rng *r, struct call *c);
void make_send(struct rng *r, struct call *c);
void make_recv(struct rng *r, struct call *c);
void make_helper(struct rng *r, struct call *c);
void make_fail(struct rng *r, struct call *c);
void make_nap(struct rng *r, struct call *c);

/* Of a message: by command, as it should be. */
void make_message(struct rng *r, struct call *c, __u8 cmd);
void make_sound_ops(struct rng *r, struct call *c);
struct field *add_field(struct call *c, __u16 type, __u8 form, __u64 value);
__u64 some_id(struct rng *r);
__u64 some_source(struct rng *r);
__u64 some_place(struct rng *r);

/* send(): arguments behind socket and cookie. */
enum send_arg { SEND_CMD = 2, SEND_FLAGS, SEND_VERSION, SEND_SKEW, SEND_TIMES };
/* Bits of SEND_TIMES: nothing is received afterwards. */
#define SEND_DEAF	(1U << 31)

/* Of SHELF_IOC_INFO and those behind it: its struct. */
static const __u8 ioctl_size[] = {
	sizeof(struct shelf_ioc_info), sizeof(struct shelf_ioc_get),
	sizeof(struct shelf_ioc_get_many), sizeof(struct shelf_ioc_members),
	sizeof(struct shelf_ioc_is_member), sizeof(struct shelf_ioc_wait),
	sizeof(struct shelf_ioc_pin), sizeof(struct shelf_ioc_unpin),
	sizeof(struct shelf_ioc_report), sizeof(struct shelf_ioc_scan),
};
#define IOCTLS		(sizeof(ioctl_size))

/* ioctl(): arguments behind file and pin. */
enum ioctl_arg { IOCTL_CMD = 2, IOCTL_AT, IOCTL_SIZE, IOCTL_TAIL };

/* touch(): how. */
enum touch_how {
	TOUCH_LOAD, TOUCH_STORE, TOUCH_WRITE, TOUCH_READV, TOUCH_SPLICE, TOUCH_MINCORE,
	TOUCH_LOCK, TOUCH_SYNC, TOUCHES
};

/* fork(): as whom. */
enum who { WHO_SAME, WHO_USER, WHO_NET, WHO_FEW };

#endif /* FUZZ_MAKE_H */
