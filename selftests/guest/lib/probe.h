/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a mapping shows, looked at in process: a signal is an answer, and what lies
 * in the memory that the kernel hands out next is known.
 */
#ifndef GUEST_PROBE_H
#define GUEST_PROBE_H

#include "common.h"

/* Catches SIGSEGV and SIGBUS of the two calls below; a child inherits it. */
void probe_init(void);
/* Whether a load, or a store of what is there, goes through. */
bool readable(const void *at);
bool writable(void *at);
/* Whether there is a mapping, whatever its protection. */
bool mapped(const void *at);

/*
 * Fills up to half of what memory is free with a pattern of its own and gives it back; a
 * child keeps some. To be seen, the kernel must not zero what it hands out by itself
 * (init_on_alloc=0). Returns MiB filled, or a negative errno.
 */
int mark_memory(void);
/* Words of it, or that could be addresses of the kernel's. */
size_t alien_words(const void *at, size_t bytes);

/**
 * struct sight - all that a file's mappings may show, copied when it was right
 * @arena: of @bytes
 */
struct sight {
	__u8 *control;
	__u8 *arena;
	size_t bytes;
};

/* What @k shows now, in mappings that stay. */
int sight_map(struct sight *s, const struct kit *k);
/* A copy, which nothing can change. False: no memory. */
bool sight_copy(struct sight *to, const struct sight *from);
void sight_unmap(struct sight *s);
/* The same, but for the line of the control page that changes, and nothing alien. */
bool sight_same(const struct sight *a, const struct sight *b);
/* Whether a page at @at shows what a file has at @offset. */
bool page_same(const struct sight *s, const void *at, __u64 offset);

/* The next number of a random walk. */
__u64 walk_next(__u64 *seed);
/* Takes "--seed N" out of the arguments; prints and returns the seed. */
__u64 walk_seed(int *argc, char **argv);

#endif /* GUEST_PROBE_H */
