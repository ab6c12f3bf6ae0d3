// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdio.h>
#include <string.h>

#include "doc.h"

/* A page is looked at for each of its cells, and a guest's files are far away. */
static FILE *page_open(const char *page)
{
	static struct {
		char page[64];
		char text[128 << 10];
		size_t bytes;
	} kept;
	FILE *f;

	if (strcmp(kept.page, page)) {
		f = fopen(page, "re");
		if (!f)
			return NULL;
		kept.bytes = fread(kept.text, 1, sizeof(kept.text), f);
		snprintf(kept.page, sizeof(kept.page), "%s", page);
		fclose(f);
	}
	return kept.bytes ? fmemopen(kept.text, kept.bytes, "r") : NULL;
}

static bool find_line(FILE *f, const char *begin, char line[DOC_CELL])
{
	while (fgets(line, DOC_CELL, f))
		if (!strncmp(line, begin, strlen(begin)))
			return true;
	return false;
}

/* The line of the column heads, which is followed by one of dashes. */
static bool find_heads(FILE *f, const char *heading, char line[DOC_CELL])
{
	char begin[64];

	snprintf(begin, sizeof(begin), "## %s\n", heading);
	return find_line(f, begin, line) && find_line(f, "| ", line);
}

static bool find_row(FILE *f, const char *heading, unsigned int row, char line[DOC_CELL])
{
	if (!find_heads(f, heading, line) || !fgets(line, DOC_CELL, f))
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

static bool line_cell(const char *line, unsigned int column, char cell[DOC_CELL])
{
	const char *at = line + 1;

	while (at && column--) {
		at = strchr(at, '|');
		at = at ? at + 1 : NULL;
	}
	if (!at || *at == '\n' || !*at)
		return false;
	take_cell(at, cell);
	return true;
}

bool doc_page_cell(const char *page, const char *heading, unsigned int row,
		   unsigned int column, char cell[DOC_CELL])
{
	FILE *f = page_open(page);
	char line[DOC_CELL];
	bool found = f && find_row(f, heading, row, line) && line_cell(line, column, cell);

	if (f)
		fclose(f);
	return found;
}

bool doc_page_head(const char *page, const char *heading, unsigned int column,
		   char cell[DOC_CELL])
{
	FILE *f = page_open(page);
	char line[DOC_CELL];
	bool found = f && find_heads(f, heading, line) && line_cell(line, column, cell);

	if (f)
		fclose(f);
	return found;
}

bool doc_cell(const char *heading, unsigned int row, unsigned int column,
	      char cell[DOC_CELL])
{
	return doc_page_cell("Documentation/abi.md", heading, row, column, cell);
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
