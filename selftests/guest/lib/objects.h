/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the module makes and what goes (P4), counted by its tracepoint shelf_object: as
 * selftests/guest/objects, for who loads and unloads it. While it counts, the module
 * can't be unloaded.
 */
#ifndef GUEST_OBJECTS_H
#define GUEST_OBJECTS_H

/* 0 or a negative errno. */
int objects_begin(void);
int objects_end(void);
/* How many came or went. */
long long objects_seen(void);
/* How many kinds there are of which some are left, a moment later; -1: unknown. */
int objects_left(void);

#endif /* GUEST_OBJECTS_H */
