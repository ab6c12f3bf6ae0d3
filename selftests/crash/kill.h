/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Ways to kill shelfctl in the middle of an apply.
 */
#ifndef CRASH_KILL_H
#define CRASH_KILL_H

#include "tool.h"

/**
 * enum kill_way
 * @BY_TIME: after some time, from its start to behind its end
 * @BY_COMMIT: after some time, from the end of its input on, where the commit is
 * @BY_CALL: at the entry to or exit from one of its system calls but read()
 */
enum kill_way { BY_TIME, BY_COMMIT, BY_CALL, WAYS };

/* Measures, with batches that nobody kills, how much there is of each way. */
void kill_measure(void (*next_batch)(void), const char *file);
__u64 kill_extent(enum kill_way way);	/* nanoseconds, or stops */
/* Applies @file and kills that at @at of the way; it may have ended before. */
void kill_at(enum kill_way way, __u64 at, const char *file, struct told *told);
/* Which system calls it was killed in, how often, as comments. */
void kill_print_calls(void);

#endif /* CRASH_KILL_H */
