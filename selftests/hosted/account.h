/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_ACCOUNT_H
#define SHELF_ACCOUNT_H

#include "../../kmod/core.h"

/*
 * Aborts unless every page and slot is free or part of the newest snapshot or of
 * a pinned one, and the bytes that each pinned one is said to keep are those that
 * it has and the newest has not. Ends the quarantine of all there is.
 */
void store_account(struct store *st);

#endif /* SHELF_ACCOUNT_H */
