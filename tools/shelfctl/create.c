// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl create, destroy
 */
#include <string.h>

#include "ctl.h"

static int no_words(const struct args *a)
{
	return a->words ? fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]) : 0;
}

static int done(const struct args *a, const char *what)
{
	if (json_output) {
		printf("{\"%s\":", what);
		put_string(stdout, a->shelf);
		puts("}");
	}
	return STATUS_OK;
}

static int settings(const struct args *a, struct shelf_settings *s, __u64 *seed)
{
	__u64 ms = 0;

	if (no_words(a) || args_size(a, OPT_MAX_BYTES, &s->max_bytes) ||
	    args_size(a, OPT_BATCH_BYTES, &s->batch_bytes) ||
	    args_u64(a, OPT_QUARANTINE_MS, &ms) || args_u64(a, OPT_SEED, seed))
		return STATUS_USAGE;
	if (!a->value[OPT_MAX_BYTES])
		return fail(STATUS_USAGE, 0, "create needs --max-bytes");
	if (ms > 3600000)
		return fail(STATUS_USAGE, 0, "--quarantine-ms is more than an hour");
	if (a->value[OPT_BATCH_BYTES] && !s->batch_bytes)
		return fail(STATUS_USAGE, 0, "--batch-bytes is 0");
	if (a->value[OPT_QUARANTINE_MS])
		s->quarantine_ms = (long long)ms;
	if (a->value[OPT_SEED])
		s->seed = seed;
	return 0;
}

int run_create(const struct args *a)
{
	struct shelf_settings s = { .quarantine_ms = -1 };
	struct shelf_error err;
	__u64 seed;
	int ret;

	if (settings(a, &s, &seed))
		return STATUS_USAGE;
	ret = shelf_create(a->shelf, &s, &err);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, err.message);
	return done(a, "created");
}

int run_destroy(const struct args *a)
{
	struct shelf_error err;
	int ret;

	if (no_words(a))
		return STATUS_USAGE;
	ret = shelf_destroy(a->shelf, &err);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, err.message);
	return done(a, "destroyed");
}
