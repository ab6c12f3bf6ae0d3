// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Guards, of shelves and of commits, as options.
 */
#include <string.h>

#include "guards.h"

static const char *const words[] = {
	[SHELF_DANGLING_ALLOW] = "allow",
	[SHELF_DANGLING_WARN] = "warn",
	[SHELF_DANGLING_REFUSE] = "refuse",
};

const char *guards_dangling(unsigned int what)
{
	return what <= SHELF_DANGLING_MAX ? words[what] : "unknown";
}

static int read_dangling(const char *value, int *out)
{
	int i;

	for (i = 0; value && i <= SHELF_DANGLING_MAX; i++) {
		if (strcmp(value, words[i]))
			continue;
		*out = i;
		return 0;
	}
	return value ? fail(STATUS_USAGE, 0, "--dangling is allow, warn or refuse, not %s",
			    value) : 0;
}

int guards_read(const struct args *a, struct guards *g)
{
	__u64 per_cent = 0;

	*g = (struct guards){ -1, -1 };
	if (args_u64(a, OPT_MAX_CHANGE, &per_cent) ||
	    read_dangling(a->value[OPT_DANGLING], &g->dangling))
		return STATUS_USAGE;
	if (per_cent > SHELF_CHANGE_MAX)
		return fail(STATUS_USAGE, 0, "--max-change is more than %u per cent",
			    SHELF_CHANGE_MAX);
	if (a->value[OPT_MAX_CHANGE])
		g->max_change = (int)per_cent;
	return 0;
}

int guards_require_expect(const struct args *a, int *out)
{
	const char *value = a->value[OPT_REQUIRE_EXPECT];

	if (!value)
		return 0;
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return fail(STATUS_USAGE, 0, "--require-expect is yes or no, not %s", value);
	*out = !strcmp(value, "yes");
	return 0;
}

void guards_set(const struct guards *g, struct shelf_batch *b)
{
	if (g->max_change >= 0)
		shelf_batch_max_change(b, (__u32)g->max_change);
	if (g->dangling >= 0)
		shelf_batch_dangling(b, (enum shelf_dangling)g->dangling);
}

void guards_warn(const char *of, const struct shelf_result *r)
{
	if (r->dangling && !json_output)
		note("%s: %s", of, r->warning);
}

void guards_print(FILE *to, const struct shelf_result *r)
{
	if (!r->dangling)
		return;
	fprintf(to, ",\"dangling\":%llu,\"warning\":", r->dangling);
	put_string(to, r->warning);
}
