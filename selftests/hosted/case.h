/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A case: batches that are written down, so that they can be run again with less of
 * them. What a seed makes is known before any of it is run.
 */
#ifndef SHELF_CASE_H
#define SHELF_CASE_H

#include "model.h"

#define CASE_PINS	5U

/* @data: attribute bytes or members, as @op.len says */
struct case_op {
	struct op op;
	void *data;
};

/**
 * struct case_batch - one commit, and what is done beside it
 * @fail_in: which allocation of it fails, 0: none
 * @pin: taken, or let go if it was taken; CASE_PINS: none
 * @look: the pinned snapshot that is compared
 */
struct case_batch {
	u32 fail_in;
	u32 pin;
	u32 look;
	u32 count;
	struct case_op *op;
};

struct test_case {
	u64 seed;
	u64 hash_seed;
	u32 quarantine_ms;
	u64 pin_bytes;		/* 0: as it is */
	u32 count;
	struct case_batch *batch;
};

struct tally {
	u64 commits;
	u64 failures;
	u64 revocations;
	u64 compared;	/* pinned snapshots */
	u64 ops;
};

void case_make(struct test_case *c, u64 seed, u32 batches);
void case_free(struct test_case *c);

/*
 * Runs it through the model and through the trees. Aborts where they differ. False:
 * it is no case, since it patches what isn't there.
 */
bool case_run(const struct test_case *c, struct tally *t);

/* The same in a process of its own, silently: whether that came to its end. */
bool case_passes(const struct test_case *c);

/* A process that ends by _exit() says here what it has leaked, and ends. */
void case_leaks(void);

/* shrink.c: leaves out and simplifies what can be, as long as it does not pass. */
void case_shrink(struct test_case *c);
/* As lines for `shelfctl apply`, a file for each batch. */
void case_print(const struct test_case *c);
/* How many operations. */
u64 case_size(const struct test_case *c);

#endif /* SHELF_CASE_H */
