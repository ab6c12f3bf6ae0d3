/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the shelf has to hold, in tables that are quick to empty: a batch's
 * operations are done to them as they were staged, and undone if it fails.
 */
#ifndef FUZZ_ORACLE_H
#define FUZZ_ORACLE_H

#include "host.h"

/* Ids and members that may be named before the next reset; more is a FAIL(). */
#define ORACLE_PRODUCTS	4096U
#define ORACLE_CATALOGS	1024U
#define ORACLE_MEMBERS	32768U

void oracle_reset(void);

/* Does the batch; what was there comes back by oracle_undo(). */
void oracle_do(const struct batch *b);
void oracle_undo(void);

/* What came of the batch that was done last is what has to come of it. */
void oracle_check_result(const struct store *st, int ret, const struct report *r);

/* What the last batch named, and the totals; then all there is. */
void oracle_compare_touched(const struct store *st);
void oracle_compare(const struct store *st);

/* oracle-source.c, for oracle.c alone. Do: 1 if there was nothing to delete. */
void oracle_sources_reset(void);
void oracle_sources_begin(const struct batch *b);
u64 oracle_source_do(const struct op *op);
void oracle_sources_undo(void);
bool oracle_sources_repeat(void);
bool oracle_sources_refused(void);
void oracle_sources_compare(const struct shelf_view *v);

#endif /* FUZZ_ORACLE_H */
