/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Debian's packages as products, sections and debtags as catalogs. */
#ifndef DEMO_DEBIAN_CATALOGUE_H
#define DEMO_DEBIAN_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

#include "aptsource.h"
#include "debindex.h"

/* Ids that are not hashes; claimed first, so a hash that hits one is seen. */
enum {
	PRODUCT_REVISION_1 = 1,
	PRODUCT_REVISION_2 = 2,

	CATALOG_REVISION = 1,	/* holds the product of the revision in force */
	CATALOG_PACKAGES_1 = 2,	/* packages whose attrs say "rev": 1 */
	CATALOG_PACKAGES_2 = 3,	/* packages whose attrs say "rev": 2 */
};

struct named {
	int64_t id;
	char *name;
};

struct product {
	struct named named;
	struct package *at[REV_COUNT];	/* NULL if absent or unchanged */
};

struct catalog {
	struct named named;
	size_t members[REV_COUNT];
};

/* Ids and who has them. */
struct registry {
	const char *kind;	/* for messages */
	size_t item_size;	/* each begins with a struct named */
	void *tree;		/* by id */
	struct named **items;
	size_t count;
	size_t room;
};

/* XXH3_64bits of the name, seed 0, read as a signed number. */
int64_t hash_name(const char *name);

/* The item called name, new and zeroed if need be; dies if the id is another's. */
void *registry_claim(struct registry *registry, int64_t id, const char *name);
void registry_sort(struct registry *registry);	/* items by name */
void registry_free(struct registry *registry);

/* One product in one catalog. */
struct link {
	struct catalog *catalog;
	const struct product *product;
};

struct link_list {
	struct link *links;
	size_t count;
	size_t room;
};

void link_add(struct link_list *list, struct catalog *catalog,
	      const struct product *product);
void link_sort(struct link_list *list);	/* by catalog name, product name */

struct catalogue {
	struct registry products;
	struct registry catalogs;
	struct product *revision_product[REV_COUNT];
	struct catalog *revision_catalog;
	struct catalog *package_catalog[REV_COUNT];
	enum revision reading;	/* which revision found_package() is given */
	size_t packages[REV_COUNT];	/* in [REV_DELTA], those that change */
	size_t new_packages;
	size_t not_newer;
};

/* The memberships of one revision: what it adds, what it takes away. */
struct change {
	struct link_list added;
	struct link_list removed;
};

/* How many catalogs a package is in, its revision's own among them. */
size_t catalog_count(const struct package *package);

/* What the base and the delta change, sorted; claims the catalogs. */
void base_links(struct catalogue *all, struct change *change);
void delta_links(struct catalogue *all, struct change *change);

/* Fills in every catalog's members at either revision. */
void count_members(struct catalogue *all, const struct change *changes);

#endif
