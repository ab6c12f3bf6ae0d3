// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "debian-catalogue.h"
#include "die.h"

int64_t hash_name(const char *name)
{
	return (int64_t)XXH3_64bits(name, strlen(name));
}

static int compare_ids(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct named *registry_find(struct registry *registry, int64_t id)
{
	const struct named key = { .id = id };
	void *node = tfind(&key, &registry->tree, compare_ids);

	return node ? *(struct named **)node : NULL;
}

static struct named *registry_add(struct registry *registry, int64_t id,
				  const char *name)
{
	struct named *item = must_calloc(1, registry->item_size);

	item->id = id;
	item->name = must_printf("%s", name);
	if (!tsearch(item, &registry->tree, compare_ids))
		die("out of memory");
	registry->items = must_grow(registry->items, registry->count,
				    &registry->room, sizeof(*registry->items));
	registry->items[registry->count++] = item;
	return item;
}

void *registry_claim(struct registry *registry, int64_t id, const char *name)
{
	struct named *item = registry_find(registry, id);

	if (!item)
		return registry_add(registry, id, name);
	if (strcmp(item->name, name))
		die("\"%s\" and \"%s\" have the same %s id, %" PRId64,
		    item->name, name, registry->kind, id);
	return item;
}

static int compare_names(const void *a, const void *b)
{
	const struct named *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void registry_sort(struct registry *registry)
{
	qsort(registry->items, registry->count, sizeof(*registry->items),
	      compare_names);
}

static void free_item(void *item)
{
	struct named *named = item;

	free(named->name);
	free(named);
}

void registry_free(struct registry *registry)
{
	tdestroy(registry->tree, free_item);
	free(registry->items);
}

void link_add(struct link_list *list, struct catalog *catalog,
	      const struct product *product)
{
	list->links = must_grow(list->links, list->count, &list->room,
				sizeof(*list->links));
	list->links[list->count++] = (struct link) { catalog, product };
}

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;
	int ret = strcmp(x->catalog->named.name, y->catalog->named.name);

	return ret ? ret : strcmp(x->product->named.name,
				  y->product->named.name);
}

void link_sort(struct link_list *list)
{
	if (list->count)
		qsort(list->links, list->count, sizeof(*list->links),
		      compare_links);
}
