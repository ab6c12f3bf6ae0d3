/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the guest tests share: shelves with contents that can be foretold,
 * mappings of them, and children that may die.
 *
 * Helpers return 0 or a negative errno unless they say else, and never end the
 * test themselves.
 */
#ifndef GUEST_COMMON_H
#define GUEST_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../../../tools/lib/shelf.h"

/* The harness is not clean of these. */
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wclobbered"

#define CHUNK	((size_t)SHELF_CHUNK_BYTES)
#define PAGE	((size_t)SHELF_PAGE_BYTES)

/**
 * struct kit - a shelf of this test's own
 * @name: unique on this host
 * @fd: the device, open for reading
 * @w: connected for writing
 * @arena_bytes: size of the reservation
 */
struct kit {
	char name[SHELF_NAME_MAX + 1];
	int fd;
	struct shelf_writer *w;
	size_t arena_bytes;
};

int kit_make(struct kit *k, const char *what, unsigned int chunks);
int kit_make_as(struct kit *k, const char *what, const struct shelf_settings *settings);
/* Whatever of it there is; it may be destroyed or closed already. */
void kit_drop(struct kit *k);
int kit_destroy(const struct kit *k);
/* A new descriptor, or a negative errno. */
int kit_open(const struct kit *k);

/*
 * Contents that can be foretold
 * -----------------------------
 *
 * Everything about a product follows from its id and @salt.
 */
void attrs_fill(void *to, __s64 id, __u32 len, unsigned int salt);
bool attrs_match(const void *attrs, __s64 id, __u32 len, unsigned int salt);
int put_one(struct shelf_batch *b, __s64 id, __u32 attrs_len, unsigned int salt);
/* But for the attribute bytes. */
bool product_match(const struct shelf_product *p, __s64 id, __u32 attrs_len,
		   unsigned int salt);
/* One batch of @count products with ids from @first on. */
int put_products(struct kit *k, __s64 first, unsigned int count,
		 __u32 attrs_len, unsigned int salt);
/* How many of these products @s shows otherwise; @s must not be NULL. */
unsigned int count_wrong(const struct shelf *s, __s64 first, unsigned int count,
			 __u32 attrs_len, unsigned int salt);

/*
 * Mappings
 * --------
 */
/* MAP_FAILED and errno, as mmap(). */
void *map_arena(int fd, size_t bytes);
void *map_control(int fd);
/*
 * The reader over mappings made by hand. It has no descriptor: what it can't
 * read it can't ask for by ioctl either.
 */
struct shelf mapped_reader(const void *control, const void *arena);
/* Reads a word of each of @bytes' pages and ors them. */
__u64 touch(const void *at, size_t bytes);
bool all_zero(const void *at, size_t bytes);
/* Reads a word of each page in a child; false if a signal ended it. */
bool survives_reading(const void *at, size_t bytes);

/*
 * Elsewhere
 * ---------
 */
/* Runs @call in a child: its result (0 to 255), or 256 + the signal. */
int in_child(int (*call)(void *arg), void *arg);
int as_user(uid_t uid, int (*call)(void *arg), void *arg);
/* Decimal value of a file of the shelf in sysfs, or a negative errno. */
long long sysfs_value(const char *name, const char *file);
int write_file(const char *path, const char *text);
/* Returns @wanted in time, or what it was instead. */
long long sysfs_await(const char *name, const char *file, long long wanted);
void sleep_ms(unsigned int ms);
__u64 now_ns(void);

/* 0 or -errno of a call in the manner of the C library. */
#define ERRNO(call)	((call) == -1 ? -errno : 0)

#endif /* GUEST_COMMON_H */
