/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Addresses to point a system call at. */
#ifndef FUZZ_PLACE_H
#define FUZZ_PLACE_H

#include "fuzz.h"

enum place {
	PLACE_GOOD, PLACE_END, PLACE_ODD, PLACE_FRESH, PLACE_NULL, PLACE_KERNEL,
	PLACE_TEXT, PLACE_HIGH, PLACE_BREACH, PLACE_UNMAPPED, PLACE_READONLY, PLACE_ROOM,
	PLACE_DEVICE, PLACES
};

extern const char *const place_names[];

/* Of each thread; -1: no memory. */
int places_init(void);
void places_exit(void);
/*
 * Where so many bytes begin, PLACE_END and PLACE_BREACH being before the end of what
 * can be written. @room is set to how many of them can be.
 */
void *place_at(const struct lane *l, __u64 place, size_t bytes, size_t *room);
/* Places of the same group may overlap. */
unsigned int place_group(__u64 place);
/* The beginning of PLACE_ROOM, where answers are, or NULL if @place is another. */
const __u64 *place_room(__u64 place, size_t *bytes);

#endif /* FUZZ_PLACE_H */
