// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdio.h>
#include <string.h>

#include "doc.h"

static bool find_line(FILE *f, const char *begin, char line[DOC_CELL])
{
	while (fgets(line, DOC_CELL, f))
		if (!strncmp(line, begin, strlen(begin)))
			return true;
	return false;
}

/* The row follows the line below the column heads. */
static bool find_row(FILE *f, const char *heading, unsigned int row, char line[DOC_CELL])
{
	char begin[64];

	snprintf(begin, sizeof(begin), "## %s\n", heading);
	if (!find_line(f, begin, line) || !find_line(f, "| ---", line))
		return false;
	do {
		if (!fgets(line, DOC_CELL, f) || line[0] != '|')
			return false;
	} while (row--);
	return true;
}

static void take_cell(const char *from, char *to)
{
	unsigned int depth = 0;

	for (; *from && *from != '|'; from++) {
		depth += *from == '(';
		if (!depth)
			*to++ = *from;
		depth -= *from == ')';
	}
	*to = 0;
}

bool doc_cell(const char *heading, unsigned int row, unsigned int column,
	      char cell[DOC_CELL])
{
	FILE *f = fopen("Documentation/abi.md", "re");
	char line[DOC_CELL];
	const char *at = f && find_row(f, heading, row, line) ? line + 1 : NULL;

	while (at && column--) {
		at = strchr(at, '|');
		at = at ? at + 1 : NULL;
	}
	if (at)
		take_cell(at, cell);
	if (f)
		fclose(f);
	return at;
}

bool doc_has(const char *heading, const char *name)
{
	char cell[DOC_CELL], *at, *rest;
	unsigned int row;

	for (row = 0; doc_cell(heading, row, 0, cell); row++)
		for_each_name(at, cell, rest)
			if (!strcmp(at, name))
				return true;
	return false;
}
