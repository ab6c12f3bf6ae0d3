/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELFCTL_WATCH_H
#define SHELFCTL_WATCH_H

#include <xxhash.h>

#include "ctl.h"

/*
 * Calls @look, at once and with each new generation, until it returns something else
 * than STATUS_OK or STATUS_ABSENT or the shelf is destroyed. Returns a status, having
 * told.
 */
int watch(const struct args *a, const struct shelf *s, int (*look)(void *arg), void *arg);

/**
 * struct seen - whether what was looked at is what it was the last time
 * @hash: of what has been seen since then
 */
struct seen {
	XXH3_state_t *hash;
	bool any;
	__u64 last;
};

void seen_begin(struct seen *seen);
/* And begins anew. */
bool seen_changed(struct seen *seen);
void seen_end(struct seen *seen);

#endif /* SHELFCTL_WATCH_H */
