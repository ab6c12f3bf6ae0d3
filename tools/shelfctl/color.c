// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A little colour for people: names, and where an error begins.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

enum color_when color_when;

static bool terminal_wants(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (!no || !no[0]) && term && term[0] && strcmp(term, "dumb");
}

/* Errors stay plain where standard output goes elsewhere: it may be both that do. */
static bool wanted(FILE *to)
{
	if (json_output || color_when == COLOR_NEVER)
		return false;
	return color_when == COLOR_ALWAYS ||
	       (terminal_wants() && isatty(STDOUT_FILENO) && isatty(fileno(to)));
}

const char *paint(FILE *to, enum paint what)
{
	static const char *const code[] = {
		[PAINT_END] = "\033[0m",
		[PAINT_NAME] = "\033[1m",
		[PAINT_ERROR] = "\033[31m",
	};

	return wanted(to) ? code[what] : "";
}

int color_choose(const char *when)
{
	static const char *const name[] = { "auto", "always", "never" };
	size_t i;

	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		if (!strcmp(when, name[i])) {
			color_when = (enum color_when)i;
			return 0;
		}
	}
	return fail(STATUS_USAGE, 0, "--color is auto, always or never: %s", when);
}
