/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Pins taken by hand, and what a shelf says of them. */
#ifndef GUEST_PINS_H
#define GUEST_PINS_H

#include <stdbool.h>

#include "common.h"

/* @q may be NULL. */
int pin_take(int fd, __u64 generation, __u64 lease_ns, struct shelf_ioc_pin *q);
int pin_drop(int fd, __u64 pin);
/* The page of tokens, mapped, or NULL; it holds the file open. */
const struct shelf_pins *pins_map(int fd);
void pins_unmap(const struct shelf_pins *pins);
bool pin_shown(const struct shelf_pins *pins, __u64 pin);
unsigned int pins_shown(const struct shelf_pins *pins);
/* Whether a pin of this file was revoked, or is within @ms. */
bool told(int fd, int ms);
/* How many kinds of ioctl don't say that @pin of a world's first generation is gone. */
unsigned int not_stale(int fd, __u64 pin);

/* sysfs_value() of a shelf. */
long long value(const struct kit *k, const char *file);
/* Nothing is in quarantine any more. */
bool settled(const struct kit *k);
/* Nothing is pinned, and nothing is kept. */
bool nothing_kept(const struct kit *k);

#endif /* GUEST_PINS_H */
