/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A file of lines, plain or packed by zstd, which its first bytes tell.
 */
#ifndef SHELFCTL_INPUT_H
#define SHELFCTL_INPUT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <zstd.h>

/*
 * What a packed file may ask of memory: a window, as much as zstd takes by default,
 * and a line. What is packed well may be long, and getline() keeps all of a line.
 */
#define INPUT_WINDOW_LOG	27
#define INPUT_LINE_MAX		(16U << 20)

/**
 * struct input
 * @lines: to be read; comes to its end, or to an error, for input_error() to tell of
 * @size: bytes of the file as it is, 0 if nobody knows
 * @taken: bytes of it that have been read
 * @frame: within one of zstd's frames, so this can't be the end
 * @why: it is not what it should be
 */
struct input {
	FILE *lines;
	const char *name;
	int fd;
	__u64 size;
	__u64 taken;
	ZSTD_DCtx *zstd;
	ZSTD_inBuffer in;
	bool looked;
	bool ended;
	bool frame;
	size_t line_bytes;
	const char *why;
	char *buffer;
};

/* A batch reads its own commands there: nobody else may. */
extern bool stdin_is_batch;

/* @name: "-" is standard input. Returns a status, having told. */
int input_open(struct input *in, const char *name);
void input_close(struct input *in);
/* 0 at the end of the file; else it tells what went wrong and returns a status. */
int input_error(const struct input *in);

#endif /* SHELFCTL_INPUT_H */
