/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What top shows of two looks at the counters, as lines of text.
 */
#ifndef SHELFCTL_FRAME_H
#define SHELFCTL_FRAME_H

#include "values.h"

/**
 * struct look - all values of the shelves, at a moment
 * @ns: when, by clock_ns()
 */
struct look {
	struct values *shelf;
	size_t n;
	__s64 ns;
};

/*
 * Lines of up to @width characters. A single shelf is shown at length, with a bar for
 * each CPU. A shelf that was not there at @before has no rates.
 */
void frame_print(FILE *to, const struct look *before, const struct look *now, int width);

#endif /* SHELFCTL_FRAME_H */
