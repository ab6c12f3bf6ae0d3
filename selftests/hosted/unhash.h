/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * shelf_hash() backwards: ids that lie side by side in the trie, for tries that are
 * deep with few of them.
 */
#ifndef SHELF_UNHASH_H
#define SHELF_UNHASH_H

#include "../../kmod/walk.h"

/* Modulo 2^64: each round doubles the bits that are right. */
static inline __u64 inverse_of(__u64 odd)
{
	__u64 x = odd;
	int i;

	for (i = 0; i < 5; i++)
		x *= 2 - odd * x;
	return x;
}

static inline __s64 shelf_unhash(__u64 hash, __u64 seed)
{
	__u64 x = hash;

	x ^= x >> 32;
	x *= inverse_of(0xa0761d6478bd642fULL);
	x ^= x >> 29 ^ x >> 58;
	x *= inverse_of(0xd6e8feb86659fd93ULL);
	x ^= x >> 32;
	return (__s64)(x ^ seed);
}

#endif /* SHELF_UNHASH_H */
