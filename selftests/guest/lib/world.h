/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A shelf whose whole content follows from its generation.
 *
 * A commit changes a quarter of the products and half of the catalogs, so that
 * neighbouring generations share pages and four apart nearly none. Attributes are
 * of all forms, up to the longest; sets too.
 */
#ifndef GUEST_WORLD_H
#define GUEST_WORLD_H

#include <stdbool.h>

#include "common.h"

#define WORLD_PRODUCTS	400		/* ids from 1 on */
#define WORLD_CATALOGS	6		/* ids from 1 on */
#define WORLD_FIRST	2ULL		/* the first generation that is one */

/* Which commit last changed a product or catalog, as of @generation. */
unsigned int world_salt(__s64 id, __u64 generation);
unsigned int world_catalog_salt(__s64 id, __u64 generation);
__u32 world_attrs_len(__s64 id);
__u32 world_count(__s64 catalog);
__s64 world_member(__u32 i, unsigned int salt);

/* A new shelf with generation WORLD_FIRST. */
int world_make(struct kit *k, const char *what, const struct shelf_settings *settings);
/* The next generation. Nobody else commits to this shelf, and nothing else. */
int world_put(struct kit *k);
int world_put_no_wait(struct kit *k);
int put_worlds(struct kit *k, unsigned int n);
/*
 * A shelf of which much is free trims itself, and so makes generations that are no
 * worlds; nor are the next three. Who reads while that may be notes what is wrong with
 * which generation, and asks when all is over: how much is with worlds, and how many of
 * these there were. Of one shelf at a time, up to 2^16 generations.
 */
void world_wrong_at(__u64 generation, unsigned int n);
unsigned int world_wrong_in_all(unsigned int *worlds);

/*
 * How much is not as it was: by libshelf, which maps or not as its shelf does; where
 * it lies in the mapping; and by each ioctl.
 */
unsigned int world_wrong(const struct shelf_pin *pin);
unsigned int world_wrong_in_place(const struct shelf_pin *pin);
unsigned int world_wrong_by_ioctl(int fd, __u64 pin, __u64 generation);

/*
 * Single answers by ioctl: -1 if wrong, 0 if right, else errno. @buffer of
 * WORLD_BUFFER bytes.
 */
#define WORLD_BUFFER	(1U << 17)
int world_get(int fd, __u64 pin, __u64 generation, __s64 id, void *buffer);
int world_get_many(int fd, __u64 pin, __u64 generation, void *buffer);
int world_members(int fd, __u64 pin, __u64 generation, __s64 catalog, void *buffer);
int world_is_member(int fd, __u64 pin, __u64 generation, __s64 catalog, __u32 i);
/* All of them, by as many calls as it takes. */
int world_scan(int fd, __u64 pin, __u64 generation, void *buffer);
int world_scan_catalogs(int fd, __u64 pin, __u64 generation, void *buffer);
int world_info(int fd, __u64 pin, __u64 generation);

#endif /* GUEST_WORLD_H */
