// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Turns this machine's Debian package indexes into two files of batches: the
 * release, and what its updates change. Documentation/demo.md has the mapping.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batchfile.h"
#include "debian-catalogue.h"
#include "debversion.h"
#include "die.h"

struct options {
	const char *base;
	const char *delta;
	struct index_list indexes;
};

static const struct { enum field field; const char *key; } attr_keys[] = {
	{ FIELD_PACKAGE, "name" },
	{ FIELD_VERSION, "version" },
	{ FIELD_SECTION, "section" },
	{ FIELD_PRIORITY, "priority" },
	{ FIELD_MAINTAINER, "maintainer" },
	{ FIELD_HOMEPAGE, "homepage" },
	{ FIELD_DEPENDS, "depends" },
	{ FIELD_DESCRIPTION, "description" },
	{ FIELD_FILENAME, "filename" },
};

/* Reading */

static void claim_markers(struct catalogue *all)
{
	struct registry *products = &all->products;
	struct registry *catalogs = &all->catalogs;

	all->revision_product[REV_BASE] =
		registry_claim(products, PRODUCT_REVISION_1, "#revision-1");
	all->revision_product[REV_DELTA] =
		registry_claim(products, PRODUCT_REVISION_2, "#revision-2");
	all->revision_catalog =
		registry_claim(catalogs, CATALOG_REVISION, "#revision");
	all->package_catalog[REV_BASE] =
		registry_claim(catalogs, CATALOG_PACKAGES_1, "#packages-1");
	all->package_catalog[REV_DELTA] =
		registry_claim(catalogs, CATALOG_PACKAGES_2, "#packages-2");
}

/* Of several versions in the same revision the highest stays. */
static void found_package(void *context, struct package *package)
{
	struct catalogue *all = context;
	const char *name = package->fields[FIELD_PACKAGE];
	struct product *product = registry_claim(&all->products,
						 hash_name(name), name);
	struct package **place = &product->at[all->reading];

	if (*place && debversion_compare((*place)->fields[FIELD_VERSION],
					 package->fields[FIELD_VERSION]) >= 0) {
		package_free(package);
		return;
	}
	package_free(*place);
	*place = package;
}

static void read_indexes(struct catalogue *all, const struct index_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		all->reading = list->files[i].revision;
		debindex_read(list->files[i].path, found_package, all);
	}
}

/* The security archive has no tags, which does not mean a package lost them. */
static void inherit_tags(struct package *package, const struct package *base)
{
	if (package->fields[FIELD_TAG])
		return;
	package->tag_count = base->tag_count;
	package->tags = must_calloc(base->tag_count + 1, sizeof(char *));
	for (size_t i = 0; i < base->tag_count; i++)
		package->tags[i] = must_printf("%s", base->tags[i]);
}

static void settle_product(struct catalogue *all, struct product *product)
{
	struct package *base = product->at[REV_BASE];
	struct package **delta = &product->at[REV_DELTA];

	all->packages[REV_BASE] += base != NULL;
	if (!*delta)
		return;
	if (!base) {
		all->new_packages++;
	} else if (debversion_compare(base->fields[FIELD_VERSION],
				      (*delta)->fields[FIELD_VERSION]) < 0) {
		inherit_tags(*delta, base);
	} else {
		package_free(*delta);
		*delta = NULL;
		all->not_newer++;
		return;
	}
	all->packages[REV_DELTA]++;
}

static void settle(struct catalogue *all)
{
	registry_sort(&all->products);
	for (size_t i = 0; i < all->products.count; i++)
		settle_product(all, (struct product *)all->products.items[i]);
	if (!all->packages[REV_BASE])
		die("the base has no packages");
}

/* Writing */

/* In every product, so that a reader can hold it against the catalogs. */
static void set_witness(json_t *attrs, enum revision revision, size_t catalogs)
{
	json_object_set_new(attrs, "rev", json_integer(revision + 1));
	json_object_set_new(attrs, "catalogs",
			    json_integer((json_int_t)catalogs));
}

static json_t *package_attrs(const struct package *package,
			     enum revision revision)
{
	json_t *attrs = json_object(), *tags = json_array();

	for (size_t i = 0; i < sizeof(attr_keys) / sizeof(*attr_keys); i++) {
		const char *value = package->fields[attr_keys[i].field];

		if (value)
			json_object_set_new(attrs, attr_keys[i].key,
					    json_string(value));
	}
	for (size_t i = 0; i < package->tag_count; i++)
		json_array_append_new(tags, json_string(package->tags[i]));
	json_object_set_new(attrs, "tags", tags);
	set_witness(attrs, revision, catalog_count(package));
	return attrs;
}

static void put_package(struct batch_file *file, const struct product *product,
			enum revision revision)
{
	const struct package *package = product->at[revision];

	if (!batch_put(file, product->named.id, package->size,
		       package->installed_size,
		       package_attrs(package, revision)))
		die_at(package->file, package->line,
		       "%s has more than %d bytes of attributes",
		       product->named.name, MAX_ATTRS);
}

static void put_marker(struct batch_file *file, const struct product *marker,
		       enum revision revision, size_t catalogs)
{
	json_t *attrs = json_object();

	json_object_set_new(attrs, "name", json_string("#revision"));
	set_witness(attrs, revision, catalogs);
	batch_put(file, marker->named.id, revision + 1, 0, attrs);
}

/* The base's marker leaves its catalog in the delta, but says so in time. */
static void put_markers(struct batch_file *file, const struct catalogue *all,
			enum revision revision)
{
	if (revision != REV_BASE)
		put_marker(file, all->revision_product[REV_BASE], revision, 0);
	put_marker(file, all->revision_product[revision], revision, 1);
}

static void write_batch(struct batch_file *file, const char *path,
			const struct catalogue *all, enum revision revision,
			const struct change *change)
{
	batch_open(file, path);
	put_markers(file, all, revision);
	for (size_t i = 0; i < all->products.count; i++) {
		const struct product *product =
			(const struct product *)all->products.items[i];

		if (product->at[revision])
			put_package(file, product, revision);
	}
	batch_remove(file, &change->removed);
	batch_add(file, &change->added);
	batch_close(file);
}

/* Summary */

static size_t catalogs_in_use(const struct catalogue *all,
			      enum revision revision, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < all->catalogs.count; i++) {
		const struct catalog *catalog =
			(const struct catalog *)all->catalogs.items[i];

		count += catalog->members[revision] &&
			 !strncmp(catalog->named.name, prefix, strlen(prefix));
	}
	return count;
}

static void print_catalogs(const struct catalogue *all, enum revision revision)
{
	printf("  catalogs      %zu: %zu sections, %zu tags, %zu markers\n",
	       catalogs_in_use(all, revision, ""),
	       catalogs_in_use(all, revision, "section:"),
	       catalogs_in_use(all, revision, "tag:"),
	       catalogs_in_use(all, revision, "#"));
}

static void print_lines(const struct batch_file *file)
{
	printf("  lines         %zu puts, %zu removes, %zu adds; %zu bytes\n",
	       file->puts, file->removes, file->adds, file->bytes);
}

static void print_summary(const struct catalogue *all,
			  const struct batch_file *files,
			  const struct change *changes)
{
	const struct change *base = &changes[REV_BASE];
	const struct change *delta = &changes[REV_DELTA];
	size_t members = base->added.count;

	printf("base %s\n", files[REV_BASE].path);
	printf("  packages      %zu\n", all->packages[REV_BASE]);
	print_catalogs(all, REV_BASE);
	printf("  memberships   %zu\n", members);
	print_lines(&files[REV_BASE]);
	printf("delta %s\n", files[REV_DELTA].path);
	printf("  packages      %zu: %zu new, %zu changed (%zu not newer)\n",
	       all->packages[REV_DELTA], all->new_packages,
	       all->packages[REV_DELTA] - all->new_packages, all->not_newer);
	printf("  memberships   %zu removed, %zu added, then %zu\n",
	       delta->removed.count, delta->added.count,
	       members - delta->removed.count + delta->added.count);
	print_catalogs(all, REV_DELTA);
	print_lines(&files[REV_DELTA]);
}

/* Options */

static const char usage[] =
	"Usage: debian-catalogue --base BASE.jsonl --delta DELTA.jsonl\n"
	"                        [--index base:FILE] [--index delta:FILE] ...\n"
	"\n"
	"Writes this machine's Debian package indexes as two files of batches:\n"
	"the release, and what its -updates and -security suites change.\n"
	"\n"
	"  -b, --base FILE   where to write the release\n"
	"  -d, --delta FILE  where to write the changes\n"
	"  -i, --index base:FILE, --index delta:FILE\n"
	"                    read this Packages file, compressed or not, instead\n"
	"                    of those that apt knows; may be repeated\n"
	"  -h, --help        print this\n";

static void usage_error(const char *problem)
{
	if (problem)
		note("%s", problem);
	fprintf(stderr, "Try `debian-catalogue --help`.\n");
	exit(2);
}

static void take_index(struct index_list *list, const char *value)
{
	if (!strncmp(value, "base:", 5) && value[5])
		index_list_add(list, REV_BASE, value + 5);
	else if (!strncmp(value, "delta:", 6) && value[6])
		index_list_add(list, REV_DELTA, value + 6);
	else
		usage_error("--index takes base:FILE or delta:FILE");
}

static void take_option(struct options *options, int option)
{
	switch (option) {
	case 'b':
		options->base = optarg;
		break;
	case 'd':
		options->delta = optarg;
		break;
	case 'i':
		take_index(&options->indexes, optarg);
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		usage_error(NULL);	/* getopt has said what */
	}
}

static void parse_options(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{ "base", required_argument, NULL, 'b' },
		{ "delta", required_argument, NULL, 'd' },
		{ "index", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "b:d:i:h", names, NULL)) >= 0)
		take_option(options, option);
	if (optind < argc)
		usage_error("unexpected argument");
	if (!options->base || !options->delta)
		usage_error("--base and --delta are both needed");
	if (!strcmp(options->base, options->delta))
		usage_error("--base and --delta must be two files");
}

static void catalogue_free(struct catalogue *all, struct change *changes)
{
	for (size_t i = 0; i < all->products.count; i++) {
		struct product *product =
			(struct product *)all->products.items[i];

		package_free(product->at[REV_BASE]);
		package_free(product->at[REV_DELTA]);
	}
	registry_free(&all->products);
	registry_free(&all->catalogs);
	for (int i = 0; i < REV_COUNT; i++) {
		free(changes[i].added.links);
		free(changes[i].removed.links);
	}
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct catalogue all = {
		.products.kind = "product",
		.products.item_size = sizeof(struct product),
		.catalogs.kind = "catalog",
		.catalogs.item_size = sizeof(struct catalog),
	};
	struct change changes[REV_COUNT] = { 0 };
	struct batch_file files[REV_COUNT];

	parse_options(&options, argc, argv);
	if (!options.indexes.count)
		aptsource_find(&options.indexes);
	claim_markers(&all);
	read_indexes(&all, &options.indexes);
	settle(&all);
	base_links(&all, &changes[REV_BASE]);
	delta_links(&all, &changes[REV_DELTA]);
	count_members(&all, changes);

	write_batch(&files[REV_BASE], options.base, &all, REV_BASE,
		    &changes[REV_BASE]);
	write_batch(&files[REV_DELTA], options.delta, &all, REV_DELTA,
		    &changes[REV_DELTA]);
	print_summary(&all, files, changes);

	catalogue_free(&all, changes);
	index_list_free(&options.indexes);
	return fflush(stdout) || ferror(stdout);
}
