/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Packages indexes: stanzas of "Field: value", separated by empty lines. */
#ifndef DEMO_DEBINDEX_H
#define DEMO_DEBINDEX_H

#include <stddef.h>
#include <stdint.h>

/* The fields that are kept; the others are read over. */
enum field {
	FIELD_PACKAGE,
	FIELD_VERSION,
	FIELD_SECTION,
	FIELD_PRIORITY,
	FIELD_MAINTAINER,
	FIELD_HOMEPAGE,
	FIELD_DEPENDS,
	FIELD_DESCRIPTION,	/* its first line */
	FIELD_FILENAME,
	FIELD_TAG,
	FIELD_SIZE,
	FIELD_INSTALLED_SIZE,
	FIELD_COUNT
};

struct package {
	const char *file;	/* borrowed from debindex_read()'s caller */
	unsigned long line;	/* where the stanza starts */
	char *fields[FIELD_COUNT];	/* NULL if absent; valid UTF-8 */
	char **tags;		/* sorted, groups expanded, no duplicates */
	size_t tag_count;
	int64_t size;		/* of the download, bytes */
	int64_t installed_size;	/* KiB; 0 if the index does not say */
};

typedef void (*package_fn)(void *context, struct package *package);

/*
 * Hands every package of an index to found(), which owns it from then on.
 * Package, Version, Section and Size must be there and well formed; anything
 * else dies with the file and the line.
 */
void debindex_read(const char *file, package_fn found, void *context);

void package_free(struct package *package);

#endif
