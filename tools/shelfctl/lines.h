/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A file's lines, and whether they are all that was written: marks and hashes.
 */
#ifndef SHELFCTL_LINES_H
#define SHELFCTL_LINES_H

#include <xxhash.h>

#include "input.h"
#include "../line/line.h"
#include "ctl.h"

/**
 * struct lines
 * @line: the newest
 * @number: of it, from 1
 * @begun: line of a begin that no end has followed yet, or 0
 * @hash: of the lines from there, or from the last restart, on
 * @digest: of the operations among them
 * @whole: nothing but exports is taken
 * @hashed: and these with their hash
 * @exports: that have come to their end
 * @failed: called before anything is told; may be NULL
 */
struct lines {
	struct input in;
	struct line line;
	__u64 number;
	__u64 begun;
	XXH3_state_t *hash;
	__u64 digest;
	bool whole;
	bool hashed;
	__u64 exports;
	char *text;
	size_t room;
	void (*failed)(void *arg);
	void *arg;
};

/* Returns a status, having told. @name: "-" is standard input. */
int lines_open(struct lines *l, const char *name);
void lines_close(struct lines *l);

/*
 * 1: @l->line is an operation, or a begin or restart of which nothing is wrong; 0: this
 * was the file, and all of it; below 0: a negative status, having told.
 */
int lines_next(struct lines *l);

/* Tells what is wrong with line @number; STATUS_INPUT. */
int lines_wrong(struct lines *l, __u64 number, const char *why);

#endif /* SHELFCTL_LINES_H */
