/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Which line, or which message, an operation of a batch is of: there may be several
 * operations to one.
 */
#ifndef SHELF_MARKS_H
#define SHELF_MARKS_H

#include <linux/types.h>
#include <stddef.h>

struct mark {
	__u64 first_op;
	__u64 where;		/* as who adds it counts */
};

struct marks {
	struct mark *of;
	size_t n;
	size_t room;
};

/* In the order of operations; the one before ends here. */
void marks_add(struct marks *m, __u64 first_op, __u64 where);
/* The index of @op's; 0 if there are none. */
size_t marks_find(const struct marks *m, __u64 op);

#endif /* SHELF_MARKS_H */
