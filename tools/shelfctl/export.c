// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl export: one snapshot as lines that apply reads, in constant memory.
 *
 * P3. The snapshot is pinned. If the pin is revoked, what has been written is of
 * one generation and right, but the rest of that generation is gone, so all is
 * taken back and begun anew: by cutting the file off, or in a pipe by a line that
 * tells apply to forget the lines before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "document.h"
#include "print.h"
#include "output.h"

#define SCAN_RECORDS	1024U
#define TRIES		5

/**
 * struct export - a shelf on its way out
 * @try: from 1
 * @products, @catalogs, @members, @sources: written of this snapshot
 */
struct export {
	const char *name;
	struct shelf *shelf;
	struct output out;
	struct shelf_pin pin;
	__s64 pinned_ns;
	__u64 lease_ns;
	__u64 tries;
	__u64 try;
	__u64 products;
	__u64 catalogs;
	__u64 members;
	__u64 sources;
	__u64 digest;
	struct shelf_product product[SCAN_RECORDS];
	struct shelf_catalog catalog[SCAN_RECORDS];
	struct shelf_source source[SCAN_RECORDS];
	__s64 ids[LINE_IDS];
	unsigned char attrs[SHELF_ATTRS_MAX];
};

static int export_product(struct export *e, const struct shelf_product *p)
{
	long n = 0;

	if (p->attrs_len)
		n = shelf_pin_attrs(&e->pin, p, e->attrs, sizeof(e->attrs));
	if (n < 0)
		return (int)n;
	if (n != p->attrs_len)
		return -EINVAL;		/* a damaged file */
	print_put(e->out.to, p, e->attrs, false);
	e->products++;
	return output_error(&e->out);
}

/*
 * Each call brings whole leaves, in the order of their places. Within a leaf the order
 * tells what has been where before, so it goes: of the same content under the same seed
 * come the same bytes.
 */
static int compare_products(const void *a, const void *b, void *seed)
{
	__u64 x = shelf_place(shelf_hash(((const struct shelf_product *)a)->id, *(__u64 *)seed));
	__u64 y = shelf_place(shelf_hash(((const struct shelf_product *)b)->id, *(__u64 *)seed));

	return (x > y) - (x < y);
}

static int compare_catalogs(const void *a, const void *b, void *seed)
{
	__u64 x = shelf_place(shelf_hash(((const struct shelf_catalog *)a)->id, *(__u64 *)seed));
	__u64 y = shelf_place(shelf_hash(((const struct shelf_catalog *)b)->id, *(__u64 *)seed));

	return (x > y) - (x < y);
}

static int export_products(struct export *e)
{
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_products(&e->pin, &at, e->product, SCAN_RECORDS);
		if (n > 0)
			qsort_r(e->product, (size_t)n, sizeof(e->product[0]),
				compare_products, &e->shelf->seed);
		for (i = 0; !ret && i < n; i++)
			ret = export_product(e, &e->product[i]);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

/* Of many members several lines, each of which is an operation. */
static int export_catalog(struct export *e, __s64 id)
{
	struct shelf_cursor at = { .catalog = id };
	int ret = 0;
	long n;

	do {
		n = shelf_pin_members(&e->pin, &at, e->ids, LINE_IDS);
		if (n <= 0)
			break;
		print_add(e->out.to, &at, e->ids, n, false);
		e->members += (__u64)n;
		ret = output_error(&e->out);
	} while (!ret);
	e->catalogs++;
	return ret ? ret : (int)n;
}

static int compare_sources(const void *a, const void *b)
{
	__s64 x = ((const struct shelf_source *)a)->id, y = ((const struct shelf_source *)b)->id;

	return (x > y) - (x < y);
}

static int export_source(struct export *e, const struct shelf_source *s)
{
	char name[SHELF_SOURCE_MAX + 1];
	long n = shelf_pin_source_name(&e->pin, s, name);

	if (n < 0)
		return (int)n;
	e->sources++;
	print_source(e->out.to, name, s->last, NULL);
	return output_error(&e->out);
}

/* P6. So that what is restored is where it was. */
static int export_sources(struct export *e)
{
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_sources(&e->pin, &at, e->source, SCAN_RECORDS);
		if (n > 0)
			qsort(e->source, (size_t)n, sizeof(e->source[0]), compare_sources);
		for (i = 0; !ret && i < n; i++)
			ret = export_source(e, &e->source[i]);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

static int export_catalogs(struct export *e)
{
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_catalogs(&e->pin, &at, e->catalog, SCAN_RECORDS);
		if (n > 0)
			qsort_r(e->catalog, (size_t)n, sizeof(e->catalog[0]),
				compare_catalogs, &e->shelf->seed);
		for (i = 0; !ret && i < n; i++)
			ret = export_catalog(e, e->catalog[i].id);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

/* Of a damaged file, or by an error of ours, it might be less than all. */
static int check_whole(const struct export *e, const struct shelf_ioc_info *info)
{
	return e->products == info->products && e->catalogs == info->catalogs &&
	       e->members == info->memberships && e->sources == info->sources ? 0 : -EINVAL;
}

static int export_snapshot(struct export *e)
{
	struct shelf_ioc_info info;
	int ret = shelf_pin_info(&e->pin, &info);

	if (!ret)
		ret = export_products(e);
	if (!ret)
		ret = export_catalogs(e);
	if (!ret)
		ret = export_sources(e);
	if (!ret)
		ret = check_whole(e, &info);
	if (!ret && !shelf_pin_valid(&e->pin))
		ret = -ESTALE;
	return ret;
}

/* Who pins the newest and is refused has met a limit. */
static int refused(const struct export *e, int ret)
{
	const char *why = strerror(-ret);

	if (ret == -EDQUOT)
		why = "this user has as many pins of it as may be";
	if (ret == -ENOSPC)
		why = "it has as many pins as may be";
	return fail(STATUS_REFUSED, ret, "%s: no pin: %s", e->name, why);
}

static const char *why_revoked(const struct export *e, char *buffer, size_t n)
{
	if (!e->pin.token)
		return "the file keeps nothing for pins, and a commit has reused some of it";
	if (clock_ns() - e->pinned_ns < (__s64)e->pin.lease_ns)
		return "pins kept more than the shelf allows, or than it had memory for";
	snprintf(buffer, n, "its lease of %.3f s is over", (double)e->pin.lease_ns / 1e9);
	return buffer;
}

static void tell_revoked(const struct export *e)
{
	char buffer[64];

	note("%s: the pin of generation %llu was revoked after %llu products and %llu catalogs: %s (try %llu of %llu)",
	     e->name, e->pin.generation, e->products, e->catalogs,
	     why_revoked(e, buffer, sizeof(buffer)), e->try, e->tries);
}

/* A mark of where the snapshot's lines begin, in the file or in the stream. */
static int mark_begin(struct export *e)
{
	int taken = e->try == 1 ? 1 : output_rewind(&e->out);

	if (taken < 0)
		return taken;
	fprintf(e->out.to, "{\"op\":\"%s\",\"generation\":%llu}\n",
		taken ? "begin" : "restart", e->pin.generation);
	return output_error(&e->out);
}

static int export_once(struct export *e)
{
	int ret;

	e->products = 0;
	e->catalogs = 0;
	e->members = 0;
	e->sources = 0;
	ret = mark_begin(e);
	if (!ret)
		ret = export_snapshot(e);
	if (ret == -ESTALE)
		tell_revoked(e);
	shelf_unpin(&e->pin);
	return ret;
}

/* On standard output half an export stays without its end, so apply refuses it. */
static int failed(struct export *e, int ret)
{
	if (ferror(e->out.to))
		return output_broken(&e->out, ret);
	output_rewind(&e->out);
	if (ret == -ESTALE)
		return fail(STATUS_REFUSED, ret, "%s: not exported", e->name);
	if (ret == -EINVAL)
		return fail(STATUS_REFUSED, ret,
			    "%s: damaged: what it holds is not what it says", e->name);
	return fail(STATUS_REFUSED, ret, "%s: %s", e->name, strerror(-ret));
}

static int export_all(struct export *e)
{
	int ret = -ESTALE;

	for (e->try = 1; ret == -ESTALE && e->try <= e->tries; e->try++) {
		ret = shelf_pin(e->shelf, 0, e->lease_ns, &e->pin);
		if (ret)
			return refused(e, ret);
		e->pinned_ns = clock_ns();
		ret = export_once(e);
	}
	if (ret)
		return failed(e, ret);
	e->digest = output_digest(&e->out);
	fprintf(e->out.to, "{\"op\":\"end\",\"digest\":\"%016llx\",\"hash\":\"%016llx\"}\n",
		e->digest, output_hash(&e->out));
	ret = output_error(&e->out);
	return ret ? output_broken(&e->out, ret) : output_finish(&e->out);
}

static void print_result(const struct export *e)
{
	if (json_output)
		print_document("\"generation\":%llu,\"products\":%llu,"
			       "\"catalogs\":%llu,\"memberships\":%llu,"
			       "\"digest\":\"%016llx\"",
			       e->pin.generation, e->products, e->catalogs, e->members,
			       e->digest);
	else
		printf("generation %llu products %llu catalogs %llu memberships %llu digest %016llx\n",
		       e->pin.generation, e->products, e->catalogs, e->members,
		       e->digest);
}

static int arguments(struct export *e, const struct args *a)
{
	if (a->words)
		return fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]);
	e->name = a->shelf;
	e->tries = TRIES;
	if (args_u64(a, OPT_TRIES, &e->tries) || args_seconds(a, OPT_LEASE, &e->lease_ns))
		return STATUS_USAGE;
	return e->tries ? 0 : fail(STATUS_USAGE, 0, "--tries is 0");
}

static int export_shelf(struct export *e, const struct args *a)
{
	int status = open_shelf(a, &e->shelf);

	if (status)
		return status;
	status = output_open(&e->out, a->value[OPT_OUTPUT],
			     a->value[OPT_ZSTD]);
	if (!status) {
		status = export_all(e);
		output_drop(&e->out);
	}
	shelf_close(e->shelf);
	return status;
}

int run_export(const struct args *a)
{
	struct export *e = xalloc(NULL, 1, sizeof(*e));
	int status;

	memset(e, 0, sizeof(*e));
	status = arguments(e, a);
	if (!status)
		status = export_shelf(e, a);
	if (!status && e->out.fd != STDOUT_FILENO)
		print_result(e);
	free(e);
	return status;
}
