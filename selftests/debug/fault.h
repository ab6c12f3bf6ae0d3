/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's fault injection, by count: the n-th thing that a thread asks for and
 * that can fail does: memory of all kinds, copies from and to user memory.
 */
#ifndef DEBUG_FAULT_H
#define DEBUG_FAULT_H

#include <stdbool.h>

/* Whose: the calling thread's, or that of the threads which do the module's works. */
enum fault_who {
	FAULT_SELF,
	FAULT_WORKER,
};

/* 0 or a negative errno: this kernel can't. */
int fault_setup(void);
int fault_arm(enum fault_who who, unsigned int nth);
/* True: the n-th failed. A negative errno if that can't be told. */
int fault_disarm(void);

#endif /* DEBUG_FAULT_H */
