// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "objects.h"
#include "tracefs.h"

#define OBJECTS	TRACE_EVENTS "/shelf_object"
#define COUNT	"hist:keys=kind:vals=change"
#define TRIES	1000U		/* of 20 ms */

int objects_begin(void)
{
	int ret = trace_prepare();

	return ret ? ret : write_file(OBJECTS "/trigger", COUNT);
}

int objects_end(void)
{
	return write_file(OBJECTS "/trigger", "!" COUNT);
}

/* "Hits: 12" */
static bool total(const char *line, const char *name, unsigned long long *to)
{
	const char *at = strstr(line, name);

	if (at)
		*to = strtoull(at + strlen(name), NULL, 10);
	return at;
}

/* "{ kind: page } hitcount: 12  change: 0", then totals. */
static int look(struct objects *o, bool tell)
{
	FILE *f = fopen(OBJECTS "/hist", "re");
	unsigned long long change;
	char line[TRACE_LINE];
	bool whole = false;

	if (!f)
		return -errno;
	*o = (struct objects){ 0 };
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "{ kind:", 7)) {
			if (total(line, "change:", &change) && !change)
				continue;
			o->left++;
			if (tell)
				printf("# left: %s", line);
		} else if (!total(line, "Hits:", &o->seen)) {
			whole |= total(line, "Dropped:", &o->dropped);
		}
	}
	fclose(f);
	return whole ? 0 : -EPROTO;
}

/* What a worker frees takes a moment. */
int objects_count(struct objects *o)
{
	unsigned int tries;
	int ret = look(o, false);

	for (tries = 1; !ret && o->left && !o->dropped && tries <= TRIES; tries++) {
		sleep_ms(20);
		ret = look(o, tries == TRIES);
	}
	return ret;
}
