/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Every interface of a shelf, used once, by whoever calls. */
#ifndef GUEST_ACTS_H
#define GUEST_ACTS_H

#include "wire.h"

#define ACT_NONE	(-1)	/* there is no descriptor to ask it of */
#define ACT_UNKNOWN	(-2)

/**
 * struct scene - what there is to act on
 * @name: a shelf with product 1; @victim: another, which may go
 * @path: its device
 * @fd: open, or -1: whoever acts has to open it, if they can
 * @roots: a socket that an administrator opened
 */
struct scene {
	const char *name;
	const char *victim;
	char path[128];
	int fd;
	struct wire roots;
};

/* By its name in Documentation/rights.md: 0, an errno, or ACT_NONE or ACT_UNKNOWN. */
int act(struct scene *s, const char *name);

#endif /* GUEST_ACTS_H */
