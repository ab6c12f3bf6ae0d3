/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * JSON that a command prints as one object: with the number of its schema, and with
 * -p indented. Lines of data are none: apply reads them.
 */
#ifndef SHELFCTL_DOCUMENT_H
#define SHELFCTL_DOCUMENT_H

#include <stddef.h>
#include <stdio.h>

/* Changes when a member goes or means something else, not when one is added. */
#define DOCUMENT_SCHEMA	1

/**
 * struct document - an object that is being put together
 * @to: where its members are printed, each behind a comma
 */
struct document {
	FILE *to;
	char *text;
	size_t bytes;
};

void document_begin(struct document *d);
/* Prints it, and a newline. */
void document_end(struct document *d, FILE *out);
/* Or doesn't. */
void document_drop(struct document *d);
/* One of these members, on standard output. */
void print_document(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* SHELFCTL_DOCUMENT_H */
