// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

/* A worker has four shelves of its own, and two that all of them meet at. */
#define OWN	4U

static char own[WORKERS_MAX + 1][OWN][SHELF_NAME_MAX + 1];
static const char *const odd[NAMES] = {
	[4] = "fuzz.both", [5] = "fuzz.a-name-of-as-many-as-31-b.",
	[6] = "", [7] = "..", [8] = "-fuzz", [9] = "fuzz/x", [10] = "fuzz.\xc3\xa4",
	[11] = "fuzz.a-name-of-no-less-than-32-by", [12] = "fuzz.absent",
};
static const char *witness;
struct wire family;

void names_init(const char *name, const struct wire *of)
{
	unsigned int w, i;

	witness = name;
	family = *of;
	for (w = 0; w <= WORKERS_MAX; w++)
		for (i = 0; i < OWN; i++)
			snprintf(own[w][i], sizeof(own[w][i]), "fuzz.%u.%u", w, i);
}

const char *name_of(unsigned int worker, __u64 n)
{
	n %= NAMES;
	if (n == NAME_WITNESS)
		return witness;
	return n < OWN ? own[worker][n] : odd[n];
}

void names_destroy(unsigned int worker)
{
	unsigned int n;

	for (n = 0; n < NAME_WITNESS; n++)
		shelf_destroy(name_of(worker, n), NULL);
}
