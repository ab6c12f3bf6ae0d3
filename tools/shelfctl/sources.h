/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELFCTL_SOURCES_H
#define SHELFCTL_SOURCES_H

#include <stdio.h>

#include "../lib/shelf.h"

struct source {
	char name[SHELF_SOURCE_MAX + 1];
	__u64 last;
};

/* Of one generation; begin with zeros. */
struct sources {
	struct source *of;
	size_t count;
	size_t room;
};

/* And @info, of the same generation. 0 or a negative errno. */
int sources_read(const struct shelf *s, struct sources *l, struct shelf_ioc_info *info);
void sources_free(struct sources *l);
/* A line each, or as a member of a JSON object. */
void sources_print(FILE *to, const struct sources *l);

#endif /* SHELFCTL_SOURCES_H */
