/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The log of a disk's writes, as QEMU's blklogwrites and Linux's dm-log-writes make it,
 * and what of the disk is left when its power fails somewhere in it.
 *
 * A disk keeps what had been written when a flush ended. Of what came after it any part
 * may be there: each write is, or isn't, or its first blocks are. A block, 4 KiB at a
 * multiple of that, is written at once; file systems rely on it: ext4's superblock has
 * one checksum for two sectors.
 */
#ifndef CRASH_LOG_H
#define CRASH_LOG_H

#include <linux/types.h>
#include <stddef.h>

/* How many writes and flushes there are. */
size_t log_open(const char *path);
/* The disk is as it was before the log began. */
void log_rewind(const char *base);
/* Power fails behind entry @at, which must not be before that of the last call. */
void log_cut(size_t at, const char *image);

/* As of the last log_cut(). */
__u64 log_mark(unsigned int kind);
/* Counted over all calls: writes that a flush had not followed, and what became of them. */
void log_print(void);

#endif /* CRASH_LOG_H */
