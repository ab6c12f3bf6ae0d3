/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The documentation's tables, so that no test has a list of its own. */
#ifndef GUEST_DOC_H
#define GUEST_DOC_H

#include <stdbool.h>

#define DOC_CELL	512

/*
 * A cell of the first table under "## @heading", without what it has in brackets.
 * False: there is no such row or column.
 */
bool doc_page_cell(const char *page, const char *heading, unsigned int row,
		   unsigned int column, char cell[DOC_CELL]);
bool doc_page_head(const char *page, const char *heading, unsigned int column,
		   char cell[DOC_CELL]);

/* Of Documentation/abi.md. */
bool doc_cell(const char *heading, unsigned int row, unsigned int column,
	      char cell[DOC_CELL]);
/* A row has @name among the names in its first column. */
bool doc_has(const char *heading, const char *name);

/* The names in a cell, which is overwritten. */
#define for_each_name(at, cell, rest)				\
	for ((at) = strtok_r(cell, ", ", &(rest)); (at);	\
	     (at) = strtok_r(NULL, ", ", &(rest)))

#endif /* GUEST_DOC_H */
