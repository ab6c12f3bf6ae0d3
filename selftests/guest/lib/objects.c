// SPDX-License-Identifier: GPL-2.0-only OR MIT
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

/*
 * "{ kind: page } hitcount: 12  change: 0", and "Hits: 12" at the end. @tell: of what
 * is left.
 */
static int look(long long *hits, bool tell)
{
	FILE *f = fopen(OBJECTS "/hist", "re");
	char line[TRACE_LINE];
	int left = 0;

	*hits = -1;
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "change:");

		if (!strncmp(line, "{ kind:", 7)) {
			bool some = !at || strtoll(at + 7, NULL, 10);

			left += some;
			if (some && tell)
				printf("# left: %s", line);
		} else if ((at = strstr(line, "Hits:")))
			*hits = strtoll(at + 5, NULL, 10);
	}
	fclose(f);
	return *hits < 0 ? -1 : left;
}

long long objects_seen(void)
{
	long long hits;

	look(&hits, false);
	return hits;
}

/* What a worker frees takes a moment. */
int objects_left(void)
{
	unsigned int tries;
	long long hits;
	int left = look(&hits, false);

	for (tries = 1; left && tries <= TRIES; tries++) {
		sleep_ms(20);
		left = look(&hits, tries == TRIES);
	}
	return left;
}
