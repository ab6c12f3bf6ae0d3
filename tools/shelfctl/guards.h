/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELFCTL_GUARDS_H
#define SHELFCTL_GUARDS_H

#include "ctl.h"

/* --max-change and --dangling; below 0: not given. */
struct guards {
	int max_change;
	int dangling;
};

/* 0, or a status, having told. */
int guards_read(const struct args *a, struct guards *g);
int guards_require_expect(const struct args *a, int *out);
/* allow, warn or refuse; of another number, unknown. */
const char *guards_dangling(unsigned int what);
void guards_set(const struct guards *g, struct shelf_batch *b);

/* What one that only warns had to tell: as a note, unless it is to be JSON's; as JSON's. */
void guards_warn(const char *of, const struct shelf_result *r);
void guards_print(FILE *to, const struct shelf_result *r);

#endif /* SHELFCTL_GUARDS_H */
