/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_CLOCK_H
#define SHELF_CLOCK_H

#include <linux/types.h>
#include <time.h>

/* Monotonic. */
static inline __s64 clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__s64)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif /* SHELF_CLOCK_H */
