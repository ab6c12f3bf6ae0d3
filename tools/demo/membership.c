// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdbool.h>
#include <stdlib.h>

#include "debian-catalogue.h"
#include "die.h"

static void link_name(struct catalogue *all, struct link_list *list,
		      const struct product *product, const char *kind,
		      const char *name)
{
	char *full = must_printf("%s:%s", kind, name);

	link_add(list, registry_claim(&all->catalogs, hash_name(full), full),
		 product);
	free(full);
}

/* Appends what the product is in at a revision: catalog_count() links. */
static void link_product(struct catalogue *all, struct link_list *list,
			 const struct product *product, enum revision revision)
{
	const struct package *package = product->at[revision];

	if (!package)
		return;
	link_add(list, all->package_catalog[revision], product);
	link_name(all, list, product, "section",
		  package->fields[FIELD_SECTION]);
	for (size_t i = 0; i < package->tag_count; i++)
		link_name(all, list, product, "tag", package->tags[i]);
}

size_t catalog_count(const struct package *package)
{
	return 2 + package->tag_count;	/* see link_product() */
}

static bool has_catalog(const struct link_list *list,
			const struct catalog *catalog)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->links[i].catalog == catalog)
			return true;
	return false;
}

/* Appends the links of one list that are not in the other. */
static void link_difference(struct link_list *difference,
			    const struct link_list *list,
			    const struct link_list *other)
{
	for (size_t i = 0; i < list->count; i++)
		if (!has_catalog(other, list->links[i].catalog))
			link_add(difference, list->links[i].catalog,
				 list->links[i].product);
}

static void change_product(struct catalogue *all, struct change *change,
			   const struct product *product)
{
	struct link_list old = { 0 }, new = { 0 };

	link_product(all, &old, product, REV_BASE);
	link_product(all, &new, product, REV_DELTA);
	link_difference(&change->removed, &old, &new);
	link_difference(&change->added, &new, &old);
	free(old.links);
	free(new.links);
}

void base_links(struct catalogue *all, struct change *change)
{
	link_add(&change->added, all->revision_catalog,
		 all->revision_product[REV_BASE]);
	for (size_t i = 0; i < all->products.count; i++)
		link_product(all, &change->added,
			     (struct product *)all->products.items[i],
			     REV_BASE);
	link_sort(&change->added);
}

void delta_links(struct catalogue *all, struct change *change)
{
	link_add(&change->removed, all->revision_catalog,
		 all->revision_product[REV_BASE]);
	link_add(&change->added, all->revision_catalog,
		 all->revision_product[REV_DELTA]);
	for (size_t i = 0; i < all->products.count; i++) {
		struct product *product =
			(struct product *)all->products.items[i];

		if (product->at[REV_DELTA])
			change_product(all, change, product);
	}
	link_sort(&change->removed);
	link_sort(&change->added);
}

void count_members(struct catalogue *all, const struct change *changes)
{
	const struct change *base = &changes[REV_BASE];
	const struct change *delta = &changes[REV_DELTA];

	for (size_t i = 0; i < base->added.count; i++)
		base->added.links[i].catalog->members[REV_BASE]++;
	for (size_t i = 0; i < all->catalogs.count; i++) {
		struct catalog *catalog =
			(struct catalog *)all->catalogs.items[i];

		catalog->members[REV_DELTA] = catalog->members[REV_BASE];
	}
	for (size_t i = 0; i < delta->removed.count; i++)
		delta->removed.links[i].catalog->members[REV_DELTA]--;
	for (size_t i = 0; i < delta->added.count; i++)
		delta->added.links[i].catalog->members[REV_DELTA]++;
}
