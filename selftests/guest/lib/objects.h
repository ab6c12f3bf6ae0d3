/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the module makes and what goes (P4), counted by its tracepoint shelf_object: as
 * selftests/guest/objects, for who loads and unloads it. While it counts, the module
 * can't be unloaded.
 */
#ifndef GUEST_OBJECTS_H
#define GUEST_OBJECTS_H

/**
 * struct objects - what was counted
 * @seen: how many came or went
 * @left: kinds of which some are left
 * @dropped: not counted. Where two CPUs come first with a kind the kernel has one wait for
 *	the other, but not for long: if the host stops that one meanwhile, it drops an
 *	event, and @left says nothing.
 */
struct objects {
	unsigned long long seen;
	unsigned long long dropped;
	unsigned int left;
};

/* 0 or a negative errno. */
int objects_begin(void);
int objects_end(void);
/* Waits for what is left to go, twenty seconds at most, and says what does not. */
int objects_count(struct objects *o);

#endif /* GUEST_OBJECTS_H */
