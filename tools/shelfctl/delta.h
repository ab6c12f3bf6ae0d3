/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What makes one full state into another.
 */
#ifndef SHELFCTL_DELTA_H
#define SHELFCTL_DELTA_H

#include "index.h"

struct delta_counts {
	__u64 ops;
	__u64 put;
	__u64 patched;
	__u64 deleted;
	__u64 unchanged;	/* products */
	__u64 added;		/* members */
	__u64 removed;
	__u64 catalogs_deleted;
	__u64 sources;		/* set or forgotten */
};

/**
 * struct delta - from what is in @from to what it takes
 * @full: takes the other
 * @emit: an operation; returns 0 or a status, having told
 * @again: all operations are to be forgotten; the same
 * @sources: those go that the other does not have: it has some, or is a checkpoint
 */
struct delta {
	struct full full;
	struct index *from;
	int (*emit)(void *arg, const struct line *op);
	int (*again)(void *arg);
	void *arg;
	bool sources;
	struct delta_counts counts;
	struct members add;
	struct members remove;
};

/* The rest of @d is set by its owner, before or after. */
void delta_init(struct delta *d, struct index *from);
void delta_free(struct delta *d);
/* When all has been taken: what the other does not have goes. */
int delta_finish(struct delta *d);

/* "ops 7 put 1 ...", or as members of a JSON object. */
void delta_print(FILE *to, const struct delta_counts *c);

#endif /* SHELFCTL_DELTA_H */
