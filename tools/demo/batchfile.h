/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Batches in JSON lines: one operation a line. */
#ifndef DEMO_BATCHFILE_H
#define DEMO_BATCHFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "debian-catalogue.h"

#define MAX_ATTRS	61440	/* bytes of JSON, of one product */

struct json_t;

struct batch_file {
	const char *path;
	FILE *out;
	size_t puts;		/* lines of each kind */
	size_t removes;
	size_t adds;
	size_t bytes;
};

void batch_open(struct batch_file *file, const char *path);
void batch_close(struct batch_file *file);

/* Takes over attrs; false, with nothing written, if they are too long. */
bool batch_put(struct batch_file *file, int64_t product, int64_t price,
	       int64_t stock, struct json_t *attrs);

/* The lists must be sorted. */
void batch_remove(struct batch_file *file, const struct link_list *list);
void batch_add(struct batch_file *file, const struct link_list *list);

#endif
