/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The disk that is cut off: a file system, and behind it what had been acknowledged.
 *
 * The marks go around page cache and file system, so in the disk's log they stand in
 * the order in which things happened, and each is older than whatever stands behind it.
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <linux/types.h>

#define DISK_FS_BYTES	(32ULL << 20)
#define DISK_MARK_BYTES	4096ULL
#define DISK_BYTES	(DISK_FS_BYTES + MARKS * DISK_MARK_BYTES)
#define DISK_MAGIC	0x6b72616d68736372ULL

/* apply was acknowledged; export -o was. */
enum mark_kind { MARK_APPLIED, MARK_CHECKPOINT, MARKS };

/* One a block; the generation that it was of. */
struct disk_mark {
	__u64 magic;
	__u64 generation;
};

/* Where its block begins on the disk. */
static inline __u64 mark_offset(enum mark_kind kind)
{
	return DISK_FS_BYTES + kind * DISK_MARK_BYTES;
}

#endif /* CRASH_DISK_H */
