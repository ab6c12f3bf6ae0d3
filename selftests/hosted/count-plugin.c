// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* A plugin with libshelf linked into it, for unit-count. */
#include "../../tools/lib/internal.h"

int count_once(int fd);

int count_once(int fd)
{
	struct shelf s = { .fd = fd };
	int ret = shelf_counts_begin(&s);

	if (ret)
		return ret;
	shelf_count(&s, 1, 1, 1);
	shelf_counts_end(&s);
	return 0;
}
