// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * get --watch: what is looked at again with each new generation.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "watch.h"

static int ended(const struct args *a, int ret)
{
	if (ret == -ENODEV)
		return fail(STATUS_REFUSED, ret, "%s: destroyed meanwhile", a->shelf);
	return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, strerror(-ret));
}

/* The generation is taken first: what comes while we look is looked at again. */
int watch(const struct args *a, const struct shelf *s, int (*look)(void *arg), void *arg)
{
	__u64 generation;
	int status, ret;

	do {
		generation = shelf_generation(s);
		status = look(arg);
		if (status && status != STATUS_ABSENT)
			return status;
		if (flush_out())
			return STATUS_OK;	/* main() tells */
		ret = shelf_wait(s, generation + 1, -1, NULL);
	} while (!ret);
	return ended(a, ret);
}

void seen_begin(struct seen *seen)
{
	*seen = (struct seen){ .hash = XXH3_createState() };
	if (!seen->hash)
		exit(fail(STATUS_REFUSED, -ENOMEM, "out of memory"));
	XXH3_64bits_reset(seen->hash);
}

bool seen_changed(struct seen *seen)
{
	__u64 now = XXH3_64bits_digest(seen->hash);
	bool changed = !seen->any || now != seen->last;

	seen->any = true;
	seen->last = now;
	XXH3_64bits_reset(seen->hash);
	return changed;
}

void seen_end(struct seen *seen)
{
	XXH3_freeState(seen->hash);
}
