/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A fuzzer's input is a program: a head, and steps of eight bytes. A step that
 * makes many operations, or a tree of thousands of members, is as short as one that
 * makes one, so deep states are near, and whatever the bytes are, they are a program.
 *
 * Steps put together real netlink messages. RAW and MESSAGE take the bytes that
 * follow them in the input as they are, and FLIP spoils a byte of a message.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include "kernel.h"

enum step_kind {
	STEP_PUT,
	STEP_PATCH,
	STEP_DELETE,
	STEP_ADD,
	STEP_REMOVE,
	STEP_CATALOG_DELETE,
	STEP_COMMIT,
	STEP_SEND,
	STEP_ABORT,
	STEP_BATCH,		/* which one what follows is about */
	STEP_FAIL,		/* the n-th allocation from here on */
	STEP_PIN,
	STEP_UNPIN,
	STEP_HOLD,		/* a snapshot, without a pin */
	STEP_TRIM,
	STEP_CLOCK,
	STEP_GRACE,
	STEP_SET,
	STEP_ASK,		/* get, pins, trim, create, destroy */
	STEP_CLOSE,		/* the socket */
	STEP_FLIP,
	STEP_RAW,
	STEP_MESSAGE,
	STEP_SOURCE,
	STEP_KINDS
};

/*
 * @kind: modulo STEP_KINDS
 * @arg: fields, flags
 * @ids: how ids follow on each other: see id_of()
 * @size: of attributes
 * @n: how many, less one
 * @base: the first id; of a catalog, @arg says which
 */
struct step {
	u8 kind;
	u8 arg;
	u8 ids;
	u8 size;
	u16 n;
	s16 base;
};

struct program_head {
	u8 chunks;
	u8 quarantine;
	u8 pin_bytes;
	u8 flags;
};

/* Runs one input from an empty shelf to its end, and checks everything. */
void program_run(const u8 *data, size_t size);

/* The @i-th id of a step. */
s64 id_of(const struct step *s, u32 i);

#endif /* FUZZ_PROGRAM_H */
