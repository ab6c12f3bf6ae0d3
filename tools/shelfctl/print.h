/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELFCTL_PRINT_H
#define SHELFCTL_PRINT_H

#include "../line/line.h"
#include "ctl.h"

/*
 * print.c: the same the other way round, so that what apply makes of the lines is
 * what they were made of. @generation: with what apply ignores, for people.
 */
void print_put(FILE *to, const struct shelf_product *p, const unsigned char *attrs,
	       bool generation);
/* The member of the object, behind a comma. */
void print_attrs(FILE *to, const unsigned char *attrs, size_t n);
void print_source(FILE *to, const char *name, __u64 last, const __u64 *generation);
void print_source_delete(FILE *to, const char *name);
void print_add(FILE *to, const struct shelf_cursor *c, const __s64 *ids, long n,
	       bool generation);

/* printline.c: an operation as a line that apply reads */
void print_line(FILE *to, const struct line *op);

#endif /* SHELFCTL_PRINT_H */
