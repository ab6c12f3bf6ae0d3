/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What is left of checkpoints, loaded into a new shelf and looked at.
 */
#ifndef CRASH_CHECKPOINT_H
#define CRASH_CHECKPOINT_H

#include <linux/types.h>

enum checkpoint_fault { CP_TORN, CP_OLD, CP_UNKNOWN, CP_FAULTS };

/**
 * struct checkpoints - of all directories that were looked at
 * @whole: checkpoints that were one state
 * @absent: there was none, nor had one been acknowledged
 * @left_whole, @left_refused: files of exports that had not ended
 */
struct checkpoints {
	unsigned int whole;
	unsigned int absent;
	unsigned int left_whole;
	unsigned int left_refused;
	unsigned int faults[CP_FAULTS];
};

extern const char *const checkpoint_fault_names[CP_FAULTS];

/*
 * @directory has the checkpoint and what exports left behind. @told: the generation of
 * the last checkpoint that was acknowledged, or 0; @applied: of the last batch. What is
 * wrong is counted and said, with @where.
 */
void checkpoints_check(struct checkpoints *c, const char *directory, __u64 told,
		       __u64 applied, const char *where);

#endif /* CRASH_CHECKPOINT_H */
