// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl stats --format prometheus: text exposition, for node_exporter's collector
 * of text files. A family stands together, so families are the outer loop.
 */
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "values.h"

/**
 * struct metric - a value as it is called here
 * @value: what sysfs, or values.c, calls it
 * @name: rows of one family follow each other and have one @help
 * @label: more than the shelf, or NULL
 * @digits: of the fraction of its base unit
 */
struct metric {
	const char *value;
	const char *name;
	const char *help;
	const char *label;
	unsigned int digits;
};

#define STATE(s)	{ "bytes_" s, "shelf_state_bytes", "Memory by state.", \
			  "state=\"" s "\"", 0 }
#define KIND(k)		{ "bytes_" k, "shelf_kind_bytes", \
			  "Memory by kind, that in a draft or in quarantine included.", \
			  "kind=\"" k "\"", 0 }
#define PHASE(p)	{ "last_" p "_ns", "shelf_last_commit_seconds", \
			  "What the last commit took.", "phase=\"" p "\"", 9 }

/* What is named _total is a counter, all else a gauge. */
static const struct metric metrics[] = {
	{ "generation", "shelf_generation", "Newest generation.", NULL, 0 },
	{ "oldest", "shelf_oldest_generation", "Oldest generation that is intact.", NULL, 0 },
	{ "products", "shelf_products", "Products.", NULL, 0 },
	{ "catalogs", "shelf_catalogs", "Catalogs.", NULL, 0 },
	{ "memberships", "shelf_memberships", "Members of all catalogs.", NULL, 0 },
	{ "sources", "shelf_sources", "Sources of batches.", NULL, 0 },
	{ "bytes_attrs", "shelf_attributes_bytes", "Attributes of all products.", NULL, 0 },
	{ "attrs_bytes", "shelf_attributes_bytes", "Attributes of all products.", NULL, 0 },
	{ "max_bytes", "shelf_max_bytes", "Limit of memory.", NULL, 0 },
	{ "bytes", "shelf_held_bytes", "Memory held.", NULL, 0 },
	STATE("live"), STATE("free"), STATE("quarantined"), STATE("pinned"), STATE("draft"),
	KIND("products"), KIND("catalogs"), KIND("directory"), KIND("sets"), KIND("slabs"),
	KIND("data"),
	{ "commits", "shelf_commits_total", "Commits.", NULL, 0 },
	{ "operations", "shelf_operations_total", "Operations of these commits.", NULL, 0 },
	{ "refused_batches", "shelf_refused_batches_total", "Batches refused.", NULL, 0 },
	{ "repeated_batches", "shelf_repeated_batches_total",
	  "Batches acknowledged without effect, since they had been applied.", NULL, 0 },
	{ "checked_batches", "shelf_checked_batches_total", "Batches checked alone.", NULL, 0 },
	{ "aborted_batches", "shelf_aborted_batches_total", "Batches given up.", NULL, 0 },
	{ "staged_operations", "shelf_staged_operations_total", "Operations staged.", NULL, 0 },
	{ "refused_operations", "shelf_refused_operations_total",
	  "Messages of operations that were refused.", NULL, 0 },
	{ "lookups", "shelf_lookups_total", "Ids looked up by ioctl.", NULL, 0 },
	{ "hits", "shelf_lookup_hits_total", "Of these, found.", NULL, 0 },
	{ "misses", "shelf_lookup_misses_total", "Of these, not found.", NULL, 0 },
	{ "lookups_per_cpu", "shelf_cpu_lookups_total",
	  "Ids looked up by ioctl, by possible CPU in their order.", "cpu", 0 },
	{ "members_read", "shelf_members_read_total", "Catalog members read by ioctl.", NULL, 0 },
	{ "reported_lookups", "shelf_reported_lookups_total",
	  "Ids looked up in mappings, as readers say.", NULL, 0 },
	{ "reported_hits", "shelf_reported_lookup_hits_total",
	  "Of these, found, as readers say.", NULL, 0 },
	{ "reported_members_read", "shelf_reported_members_read_total",
	  "Catalog members read in mappings, as readers say.", NULL, 0 },
	{ "faults", "shelf_faults_total", "Page faults on the arena.", NULL, 0 },
	{ "huge_faults", "shelf_huge_faults_total", "Of these, that mapped 2 MiB.", NULL, 0 },
	{ "hole_faults", "shelf_hole_faults_total", "Of these, where no memory was.", NULL, 0 },
	{ "waits", "shelf_waits_total", "Waits for a generation.", NULL, 0 },
	{ "opens_total", "shelf_opens_total", "Opens.", NULL, 0 },
	{ "opens", "shelf_open_files", "Open files.", NULL, 0 },
	{ "early_reuses", "shelf_early_reuses_total",
	  "Commits reused before their quarantine was over.", NULL, 0 },
	{ "reclaimed_bytes", "shelf_reclaimed_bytes_total", "Pages that became free.", NULL, 0 },
	{ "trims", "shelf_trims_total", "Trims.", NULL, 0 },
	{ "returned_bytes", "shelf_returned_bytes_total", "Given back to the system.", NULL, 0 },
	PHASE("draft"), PHASE("publish"), PHASE("grace"),
	{ "committed_ns", "shelf_committed_timestamp_seconds", "When the last commit was.",
	  NULL, 9 },
	{ "batch_bytes", "shelf_batch_limit_bytes", "Limit of a batch.", NULL, 0 },
	{ "quarantine_ms", "shelf_quarantine_seconds", "Quarantine.", NULL, 3 },
	{ "lease_ms", "shelf_lease_seconds", "Lease of a pin that asks for none.", NULL, 3 },
	{ "lease_max_ms", "shelf_lease_max_seconds", "Longest lease of a pin.", NULL, 3 },
	{ "pin_bytes", "shelf_pin_limit_bytes", "Limit of what pins alone keep.", NULL, 0 },
	{ "max_change", "shelf_change_limit_ratio",
	  "By what part of itself a commit may change a count; 0: any.", NULL, 2 },
	{ "require_expect", "shelf_require_expect",
	  "Whether a commit has to expect a generation.", NULL, 0 },
	{ "pins", "shelf_pins", "Pins that are valid.", NULL, 0 },
	{ "revoked_pins", "shelf_revoked_pins_total", "Pins revoked.", NULL, 0 },
};

static bool is_counter(const char *name)
{
	size_t n = strlen(name);

	return n > 6 && !strcmp(name + n - 6, "_total");
}

static void print_label(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			putc('\\', to);
		if (*text == '\n')
			fputs("\\n", to);
		else
			putc(*text, to);
	}
}

static void print_head(FILE *to, const struct metric *m, const char *shelf)
{
	fprintf(to, "%s{shelf=\"", m->name);
	print_label(to, shelf);
	putc('"', to);
}

/* Without floating point: counters are exact, as far as who reads them is. */
static void print_number(FILE *to, __u64 value, unsigned int digits)
{
	__u64 unit = 1;
	unsigned int i;

	for (i = 0; i < digits; i++)
		unit *= 10;
	fprintf(to, "%llu", value / unit);
	if (digits)
		fprintf(to, ".%0*llu", (int)digits, value % unit);
	putc('\n', to);
}

/* A number for each CPU on one line. */
static void print_cpus(FILE *to, const struct metric *m, const char *shelf, const char *text)
{
	unsigned int cpu = 0;
	char *end;

	for (;; text = end) {
		__u64 value = strtoull(text, &end, 10);

		if (end == text)
			return;
		print_head(to, m, shelf);
		fprintf(to, ",cpu=\"%u\"} ", cpu++);
		print_number(to, value, m->digits);
	}
}

static void print_one(FILE *to, const struct metric *m, const struct values *v)
{
	const char *text = values_get(v, m->value);

	if (!text)
		return;
	if (m->label && !strcmp(m->label, "cpu")) {
		print_cpus(to, m, v->shelf, text);
		return;
	}
	print_head(to, m, v->shelf);
	fprintf(to, "%s%s} ", m->label ? "," : "", m->label ? m->label : "");
	print_number(to, strtoull(text, NULL, 10), m->digits);
}

static bool has_any(const struct values *v, size_t n, const char *value)
{
	while (n--)
		if (values_get(v++, value))
			return true;
	return false;
}

static void print_all(FILE *to, const struct values *v, size_t n)
{
	const char *last = "";
	const struct metric *m;
	size_t i;

	for (m = metrics; m < metrics + sizeof(metrics) / sizeof(metrics[0]); m++) {
		if (!has_any(v, n, m->value))
			continue;
		if (strcmp(last, m->name))
			fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
				is_counter(m->name) ? "counter" : "gauge");
		last = m->name;
		for (i = 0; i < n; i++)
			print_one(to, m, &v[i]);
	}
}

static int read_all(struct values **v, size_t *n)
{
	int ret = values_read_all(v, n);

	return ret ? fail(STATUS_REFUSED, ret, "%s: %s: is the shelf module loaded?",
			  sysfs_dir(), strerror(-ret)) : 0;
}

static int print_to(const char *file, const struct values *v, size_t n)
{
	struct output out;
	int status = output_open(&out, file, false);

	if (status)
		return status;
	print_all(out.to, v, n);
	status = output_finish(&out);
	output_drop(&out);
	return status;
}

int print_prometheus(const struct args *a)
{
	struct values one, *v = &one;
	size_t n = a->shelf ? 1 : 0, i;
	int status = a->shelf ? values_of(a, &one) : read_all(&v, &n);

	if (status)
		return status;
	status = print_to(a->value[OPT_OUTPUT], v, n);
	for (i = 0; i < n; i++)
		values_free(&v[i]);
	if (v != &one)
		free(v);
	return status;
}
