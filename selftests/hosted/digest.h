/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_DIGEST_H
#define SHELF_DIGEST_H

#include "../../kmod/core.h"

/*
 * A number for all that a snapshot holds, wherever it lies: every record but for its
 * refs, attribute byte and member, found by scans. So a trim leaves it alone. Aborts
 * if a scan does not find as many records as the root says.
 */
u64 snapshot_digest(const struct shelf_view *v);

/* Of bytes, from @digest on; not FNV, which takes a multiplication for each. */
u64 bytes_digest(u64 digest, const void *bytes, size_t n);

/* Of a record's attributes; 0 if it has none. */
u64 attrs_digest(const struct shelf_view *v, const struct shelf_product *p);

#endif /* SHELF_DIGEST_H */
