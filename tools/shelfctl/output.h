/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Where an export goes: a file that is whole or not there, or standard output.
 */
#ifndef SHELFCTL_OUTPUT_H
#define SHELFCTL_OUTPUT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <xxhash.h>
#include <zstd.h>

/**
 * struct output
 * @to: what is printed here goes to @fd, through @hash and, if there is one, @zstd;
 *	NULL once it is closed
 * @line, @lines, @digest: for output_digest()
 * @name: for messages, and of the file in the end
 * @temp: what the file is called until it is whole; NULL: standard output
 * @start: where in a file it begins, or -1: what is written can't be taken back
 */
struct output {
	FILE *to;
	int fd;
	XXH3_state_t *hash;
	XXH3_state_t *line;
	__u64 lines;
	__u64 digest;
	ZSTD_CCtx *zstd;
	char *packed;		/* ZSTD_CStreamOutSize() bytes */
	const char *name;
	char *temp;
	off_t start;
};

/*
 * @file: NULL or "-" is standard output; a name that ends in .zst asks for @zstd, too.
 * Returns a status, having told.
 */
int output_open(struct output *o, const char *file, bool zstd);
/* errno of what went wrong with what has been written so far. */
int output_error(const struct output *o);
/* Tells of that and forgets it, so that main() doesn't tell again; a status. */
int output_broken(struct output *o, int error);
/* Takes all back and returns 1; 0: it can't be, by what the output is. */
int output_rewind(struct output *o);
/* XXH3 of all bytes, not packed, since the last output_rewind(), or of all. */
__u64 output_hash(struct output *o);
/*
 * The sum of the XXH3 of each of these lines but the first, without its newline: the
 * same whatever their order.
 */
__u64 output_digest(struct output *o);
/*
 * All of it is written. What goes to a file is on disk, and there under its name,
 * when this returns STATUS_OK. Returns a status, having told.
 */
int output_finish(struct output *o);
/* It isn't, and goes; after output_finish() nothing happens. */
void output_drop(struct output *o);

#endif /* SHELFCTL_OUTPUT_H */
