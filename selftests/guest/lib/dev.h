/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A small shelf, all of it, read by ioctl. Nothing of libshelf is used here
 * either.
 */
#ifndef GUEST_DEV_H
#define GUEST_DEV_H

#include <fcntl.h>
#include <stdbool.h>

#include "common.h"

int dev_open(const char *name, int flags);
__u64 dev_generation(int fd);

/* The price, or -1. */
__s64 dev_price(int fd, __s64 id);

/* How many of @count products from @first on there are, in one snapshot. */
int dev_count(int fd, __s64 first, __u32 count);

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

/* All zero if it can't be read. */
struct state state_of(int fd);
bool state_same(const struct state *a, const struct state *b);

/* How many references hold the module. */
int module_refs(void);

#endif /* GUEST_DEV_H */
