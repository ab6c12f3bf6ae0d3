/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * All that a shelf holds, or that a file says it should hold, item by item.
 */
#ifndef SHELFCTL_FULL_H
#define SHELFCTL_FULL_H

#include "lines.h"

/**
 * struct full - who takes it; the first member of what it belongs to
 * @again: what has been taken is to be forgotten
 * @product: all of a put; what is not given is 0
 * @catalog: all of its members, ascending, at least one
 * @source: how far it has come
 *
 * Each returns 0, a status, having told, or -EEXIST: it has had this one already.
 */
struct full {
	int (*again)(struct full *f);
	int (*product)(struct full *f, const struct shelf_change *p);
	int (*catalog)(struct full *f, __s64 id, const __s64 *members, size_t n);
	int (*source)(struct full *f, const char *name, __u64 last);
};

struct members {
	__s64 *id;
	size_t count;
	size_t room;
};

void members_add(struct members *m, const __s64 *ids, size_t n);
/* Ascending, each once. */
void members_sort(struct members *m);

/*
 * A file that is one export: puts and adds between a begin and an end. Memory is that
 * of its largest catalog. Open and read return a status, having told.
 *
 * @hashed: refuse an end without a hash
 */
struct full_file {
	struct lines lines;
	__s64 catalog;
	__u64 number;		/* of the catalog's last line */
	struct members members;
};

int full_file_open(struct full_file *file, const char *name, bool hashed);
int full_file_read(struct full_file *file, struct full *f);
void full_file_close(struct full_file *file);

/*
 * The newest snapshot of a shelf, pinned meanwhile. Returns a status, having told, or
 * -ESTALE, having told: the pin was revoked.
 */
int full_shelf_read(const struct shelf *s, const char *name, struct full *f,
		    __u64 *generation);

#endif /* SHELFCTL_FULL_H */
