// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl list, show, wait
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "document.h"
#include "guards.h"
#include "sources.h"
#include "values.h"

struct listed {
	struct document out;
	unsigned long count;
};

static int list_one(const struct shelf_listing *l, void *arg)
{
	struct listed *listed = arg;
	FILE *to = listed->out.to;

	if (!json_output) {
		printf("%s%s%s generation %llu products %llu catalogs %llu memberships %llu "
		       "bytes %llu max_bytes %llu opens %u\n", paint(stdout, PAINT_NAME),
		       l->name, paint(stdout, PAINT_END), l->generation,
		       l->products, l->catalogs, l->memberships, l->bytes,
		       l->max_bytes, l->opens);
		return 0;
	}
	fputs(listed->count++ ? ",{\"name\":" : "{\"name\":", to);
	put_string(to, l->name);
	fprintf(to, ",\"generation\":%llu,\"products\":%llu,\"catalogs\":%llu,"
		"\"memberships\":%llu,\"bytes\":%llu,\"max_bytes\":%llu,"
		"\"batch_bytes\":%llu,\"quarantine_ms\":%u,\"lease_ms\":%u,"
		"\"lease_max_ms\":%u,\"pin_bytes\":%llu,\"max_change\":%u,"
		"\"dangling\":\"%s\",\"require_expect\":%u,\"sources\":%llu,\"opens\":%u}",
		l->generation, l->products, l->catalogs, l->memberships, l->bytes,
		l->max_bytes, l->batch_bytes, l->quarantine_ms, l->lease_ms,
		l->lease_max_ms, l->pin_bytes, l->max_change, guards_dangling(l->dangling),
		l->require_expect, l->sources, l->opens);
	return 0;
}

int run_list(const struct args *a)
{
	struct shelf_error err;
	struct listed listed = { .count = 0 };
	int ret;

	if (a->words)
		return fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]);
	document_begin(&listed.out);
	fputs(",\"shelves\":[", listed.out.to);
	ret = shelf_list(list_one, &listed, &err);
	putc(']', listed.out.to);
	if (json_output && (listed.count || !ret))
		document_end(&listed.out, stdout);
	else
		document_drop(&listed.out);
	return ret ? fail(STATUS_REFUSED, ret, "%s", err.message) : STATUS_OK;
}

static void show_json(FILE *to, const struct shelf_ioc_info *i)
{
	fputs(",\"name\":", to);
	put_string(to, i->name);
	fprintf(to, ",\"generation\":%llu,\"oldest\":%llu,\"products\":%llu,"
		"\"catalogs\":%llu,\"memberships\":%llu,\"attrs_bytes\":%llu,"
		"\"max_bytes\":%llu,\"arena_bytes\":%llu,\"committed_ns\":%llu,"
		"\"abi\":%u", i->generation, i->oldest, i->products, i->catalogs,
		i->memberships, i->attrs_bytes, i->max_bytes, i->arena_bytes,
		i->committed_ns, i->abi);
}

static void show_text(const struct shelf_ioc_info *i)
{
	printf("name %s%s%s\ngeneration %llu\noldest %llu\nproducts %llu\n"
	       "catalogs %llu\nmemberships %llu\nattrs_bytes %llu\n"
	       "max_bytes %llu\narena_bytes %llu\ncommitted_ns %llu\nabi %u\n",
	       paint(stdout, PAINT_NAME), i->name, paint(stdout, PAINT_END),
	       i->generation, i->oldest, i->products, i->catalogs,
	       i->memberships, i->attrs_bytes, i->max_bytes, i->arena_bytes,
	       i->committed_ns, i->abi);
}

static void show_setting(FILE *to, const char *name, const char *value)
{
	if (!json_output) {
		fprintf(to, "%s %s\n", name, value);
		return;
	}
	fprintf(to, ",\"%s\":", name);
	if (isdigit((unsigned char)*value))
		fputs(value, to);
	else
		put_string(to, value);
}

/*
 * Settings, and what pins make of them: of the kernel's shelves, to whoever may
 * read sysfs, which takes no rights to the device.
 */
static void show_settings(FILE *to, const struct args *a)
{
	static const char *const file[] = {
		"batch_bytes", "quarantine_ms", "lease_ms", "lease_max_ms",
		"pin_bytes", "max_change", "dangling", "require_expect", "pins",
		"bytes_pinned", "revoked_pins", "early_reuses",
	};
	char value[SYSFS_VALUE];
	size_t i;

	for (i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		if (sysfs_value(a, file[i], value))
			show_setting(to, file[i], value);
}

static void show(const struct args *a, const struct shelf_ioc_info *i,
		 const struct sources *sources)
{
	struct document d;

	if (!json_output) {
		show_text(i);
		show_settings(stdout, a);
		sources_print(stdout, sources);
		return;
	}
	document_begin(&d);
	show_json(d.to, i);
	show_settings(d.to, a);
	sources_print(d.to, sources);
	document_end(&d, stdout);
}

/* Sources are read through a pin. */
static int show_open(const struct args *a, const struct shelf *s)
{
	struct sources sources = { 0 };
	struct shelf_ioc_info info;
	int ret = shelf_info(s, &info);

	/* Who has no pin left to take wants to see the rest all the more. */
	if (!ret && info.sources && sources_read(s, &sources, &info)) {
		note("%s: its sources can't be read: no pin, or it was revoked", a->shelf);
		sources.count = 0;
	}
	if (ret)
		ret = fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, strerror(-ret));
	else
		show(a, &info, &sources);
	sources_free(&sources);
	return ret;
}

int run_show(const struct args *a)
{
	struct shelf *s;
	int ret;

	if (a->words)
		return fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]);
	ret = open_shelf(a, &s);
	if (ret)
		return ret;
	ret = show_open(a, s);
	shelf_close(s);
	return ret;
}

static int wait_arguments(const struct args *a, __u64 *generation, __s64 *timeout_ns)
{
	const char *option = a->value[OPT_GENERATION];
	__u64 timeout = 0;
	__s64 awaited;

	if (a->words + !!option != 1)
		return fail(STATUS_USAGE, 0, "wait takes one GENERATION");
	if (args_id(option ? option : a->word[0], "GENERATION", &awaited))
		return STATUS_USAGE;
	if (awaited < 0)
		return fail(STATUS_USAGE, 0, "GENERATION is below 0");
	*generation = (__u64)awaited;
	if (args_seconds(a, OPT_TIMEOUT, &timeout))
		return STATUS_USAGE;
	*timeout_ns = a->value[OPT_TIMEOUT] ? (__s64)timeout : -1;
	return 0;
}

int run_wait(const struct args *a)
{
	__u64 generation = 0, now = 0;
	__s64 timeout_ns = -1;
	struct shelf *s;
	int ret = wait_arguments(a, &generation, &timeout_ns);

	if (!ret)
		ret = open_shelf(a, &s);
	if (ret)
		return ret;
	ret = shelf_wait(s, generation, timeout_ns, &now);
	shelf_close(s);
	if (ret == -ENODEV)
		return fail(STATUS_REFUSED, ret, "%s: destroyed meanwhile", a->shelf);
	if (ret == -ETIMEDOUT)
		return fail(STATUS_REFUSED, ret, "%s: generation %llu did not come in time",
			    a->shelf, generation);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, strerror(-ret));
	if (json_output)
		print_document("\"generation\":%llu", now);
	else
		printf("generation %llu\n", now);
	return STATUS_OK;
}
