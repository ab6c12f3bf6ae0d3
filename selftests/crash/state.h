/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * States of a shelf that are told by one number, so that whoever finds a shelf can
 * say which state it is, if it is one of them.
 *
 * Batch n makes state n of whatever there was, for it says something of every product
 * and catalog. No record of one state is as it was in the one before, and each is in
 * the digest, so of two states nothing can be mixed without being seen. Product 1, the
 * clock, is always there, and n is its price.
 */
#ifndef CRASH_STATE_H
#define CRASH_STATE_H

#include <stdio.h>

#include "../../tools/lib/shelf.h"

#define STATE_EMPTY	0ULL		/* a new shelf's */

/* How many products there are at most; the same wherever states are compared. */
extern unsigned int state_products;

/* The batch as lines that apply reads. Returns bytes, or -1. */
long state_write(FILE *to, __u64 n);
__u64 state_digest(__u64 n);

/**
 * struct found - what a shelf holds
 * @generation: of the snapshot that was read
 * @state: by its clock
 */
struct found {
	__u64 generation;
	__u64 state;
	__u64 digest;
};

/* Reads one snapshot to its end. 0 or a negative errno. */
int state_find(const char *shelf, struct found *f);

static inline bool state_is_whole(const struct found *f)
{
	return f->digest == state_digest(f->state);
}

#endif /* CRASH_STATE_H */
