// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl create, set, destroy, trim
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "document.h"
#include "guards.h"

static int no_words(const struct args *a)
{
	return a->words ? fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]) : 0;
}

static int done(const struct args *a, const char *what)
{
	struct document d;

	if (!json_output)
		return STATUS_OK;
	document_begin(&d);
	fprintf(d.to, ",\"%s\":", what);
	put_string(d.to, a->shelf);
	document_end(&d, stdout);
	return STATUS_OK;
}

/* What is there in struct shelf_settings as 0 for "not given" can't be 0. */
static int not_zero(const struct args *a, enum option o, __u64 value)
{
	return a->value[o] && !value ?
	       fail(STATUS_USAGE, 0, "--%s is 0", option_name(o)) : 0;
}

static int size_limit(const struct args *a, enum option o, __u64 *out)
{
	return args_size(a, o, out) || not_zero(a, o, *out) ? STATUS_USAGE : 0;
}

static int lease_limit(const struct args *a, enum option o, __u32 *out)
{
	__u64 ms = 0;

	if (args_u64(a, o, &ms) || not_zero(a, o, ms))
		return STATUS_USAGE;
	if (ms > SHELF_LEASE_MS_MAX)
		return fail(STATUS_USAGE, 0, "--%s is more than a week", option_name(o));
	*out = (__u32)ms;
	return 0;
}

static int quarantine(const struct args *a, long long *out)
{
	__u64 ms = 0;

	if (args_u64(a, OPT_QUARANTINE_MS, &ms))
		return STATUS_USAGE;
	if (ms > 3600000)
		return fail(STATUS_USAGE, 0, "--quarantine-ms is more than an hour");
	if (a->value[OPT_QUARANTINE_MS])
		*out = (long long)ms;
	return 0;
}

/* Those that can change. */
static int limits(const struct args *a, struct shelf_settings *s)
{
	struct guards g;

	if (no_words(a) || size_limit(a, OPT_BATCH_BYTES, &s->batch_bytes) ||
	    quarantine(a, &s->quarantine_ms) ||
	    lease_limit(a, OPT_LEASE_MS, &s->lease_ms) ||
	    lease_limit(a, OPT_LEASE_MAX_MS, &s->lease_max_ms) ||
	    size_limit(a, OPT_PIN_BYTES, &s->pin_bytes) || guards_read(a, &g) ||
	    guards_require_expect(a, &s->require_expect))
		return STATUS_USAGE;
	s->max_change = g.max_change;
	s->dangling = g.dangling;
	return 0;
}

static int settings(const struct args *a, struct shelf_settings *s, __u64 *seed)
{
	if (limits(a, s) || args_size(a, OPT_MAX_BYTES, &s->max_bytes) ||
	    args_u64(a, OPT_SEED, seed))
		return STATUS_USAGE;
	if (!a->value[OPT_MAX_BYTES])
		return fail(STATUS_USAGE, 0, "create needs --max-bytes");
	if (a->value[OPT_SEED])
		s->seed = seed;
	return 0;
}

int run_create(const struct args *a)
{
	struct shelf_settings s = SHELF_SETTINGS_DEFAULT;
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

int run_set(const struct args *a)
{
	struct shelf_settings s = SHELF_SETTINGS_DEFAULT;
	struct shelf_error err;
	int ret;

	if (limits(a, &s))
		return STATUS_USAGE;
	if (s.quarantine_ms < 0 && !s.batch_bytes && !s.lease_ms && !s.lease_max_ms &&
	    !s.pin_bytes && s.max_change < 0 && s.dangling < 0 && s.require_expect < 0)
		return fail(STATUS_USAGE, 0, "set what?");
	ret = shelf_set(a->shelf, &s, &err);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, err.message);
	return done(a, "set");
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

#define TRIM_NS		60000000000ULL

int run_trim(const struct args *a)
{
	struct shelf_trimmed t = { 0 };
	__u64 timeout_ns = TRIM_NS;
	struct shelf_error err;
	int ret;

	if (no_words(a) || args_seconds(a, OPT_TIMEOUT, &timeout_ns))
		return STATUS_USAGE;
	ret = shelf_trim(a->shelf, (__s64)timeout_ns, &t, &err);
	if (ret == -ETIMEDOUT)
		return fail(STATUS_REFUSED, ret,
			    "%s: not done after %.3g s: %llu bytes held before, %llu now",
			    a->shelf, (double)timeout_ns / 1e9, t.before, t.after);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, err.message);
	if (json_output)
		print_document("\"bytes_before\":%llu,\"bytes\":%llu", t.before, t.after);
	else
		printf("%llu bytes held before, %llu now\n", t.before, t.after);
	return STATUS_OK;
}
