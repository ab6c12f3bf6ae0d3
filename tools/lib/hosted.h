/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The hosted twin: the pure part of the module in user space, over a file, a
 * memfd or plain memory. Internal to libshelf, its tests and benchmarks.
 *
 * Its one writer holds the file's lock. There is no RCU and no reader that it
 * would protect: all readers are mapped ones. Crash of the writer: the last
 * published snapshot stays readable, and the next writer finds again by a walk
 * from the root what is in use. P4 and P8 need the kernel.
 */
#ifndef SHELF_HOSTED_H
#define SHELF_HOSTED_H

#include "../../kmod/core.h"

struct hosted {
	struct store store;
	int fd;			/* -1: anonymous memory */
	int disk_error;		/* errno of the last chunk that was refused */
	u8 *base;		/* control page, then the arena at SHELF_MMAP_ARENA */
	u64 arena_bytes;
	u64 batch_bytes;
};

struct hosted_config {
	const char *name;
	u64 max_bytes;
	u64 batch_bytes;
	u64 quarantine_ms;
	const u64 *seed;
	bool huge_pages;	/* of anonymous memory */
};

int hosted_create_memory(const struct hosted_config *config, struct hosted **out);
int hosted_create_file(const char *path, const struct hosted_config *config);
/* EBUSY: another writer. EINVAL: not a shelf. */
int hosted_open_writer(const char *path, struct hosted **out);
void hosted_close(struct hosted *h);
/* The file open, checked to be a shelf and with its writer's lock. */
int hosted_lock(const char *path, int *fd, u64 *arena_bytes);

/* Drafts, publishes and retires; frees nothing of @b. */
int hosted_commit(struct hosted *h, const struct batch *b, const u64 *expect,
		  struct report *report);

/*
 * Makes the shelf denser and gives back what is free then, after its quarantine,
 * which it waits for, as long as @timeout_ns, or below 0 as it takes. Tells how many
 * commits moved how many pages. ENOMEM, ETIMEDOUT.
 */
int hosted_trim(struct hosted *h, s64 timeout_ns, u32 *commits, u64 *pages);

/*
 * Finds what the newest snapshot uses, after a restart. @st is prepared, with
 * the arena's bytes behind its control page at SHELF_MMAP_ARENA, as they are in
 * a file. EINVAL: not what a writer leaves; then no snapshot has been touched.
 */
int store_adopt(struct store *st);

#endif /* SHELF_HOSTED_H */
