/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the library's files share and do not export.
 */
#ifndef LIBSHELF_INTERNAL_H
#define LIBSHELF_INTERNAL_H

#include <sys/types.h>

#include "shelf.h"

/* In struct shelf.flags: a file, so there is no ioctl to fall back on. */
#define SHELF_IS_HOSTED		(1U << 31)

static inline bool shelf_is_hosted(const struct shelf *s)
{
	return s->flags & SHELF_IS_HOSTED;
}

/* The path in "hosted:PATH", or NULL. */
const char *shelf_hosted_path(const char *name);

/*
 * count.c: begins to count, and sets SHELF_OPEN_COUNT in flags; reports what is
 * left and ends, if there is anything.
 */
int shelf_counts_begin(struct shelf *s);
void shelf_counts_end(struct shelf *s);

/* 0, or EINVAL (not a control page), or EPROTONOSUPPORT (another version). */
int shelf_check_control(const struct shelf_control *c);

/* mmap() at an address that is a multiple of SHELF_CHUNK_BYTES, or NULL and errno. */
void *shelf_map_aligned(size_t bytes, int prot, int flags, int fd, off_t offset);

/* What a snapshot of a hosted shelf tells; not validated. */
void shelf_info_hosted(const struct shelf *s, const struct shelf_view *v,
		       __u64 generation, struct shelf_ioc_info *info);

/* Fills @err, which may be NULL, and returns @error. */
int shelf_fail(struct shelf_error *err, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for what opening a hosted shelf as its writer was refused with. */
int shelf_fail_writer(struct shelf_error *err, int ret);

/*
 * As open(2), and never one of the first three descriptors, which a program may have been
 * started without: what is written to standard error would go into a shelf.
 */
int open_above(const char *path, int flags, int mode);

#endif /* LIBSHELF_INTERNAL_H */
