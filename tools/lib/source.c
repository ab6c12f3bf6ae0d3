// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P6. How far the sources of batches have come.
 *
 * A source is found by the hash of its name, so what is found counts only if it has
 * that name. It is laid out as a product whose attributes are the name, and so read.
 */
#include "lookup.h"

struct source_arg {
	__s64 id;
	struct shelf_source *source;
	char *name;
	__u32 room;
};

static long source_once(const struct shelf_view *v, void *arg)
{
	struct source_arg *a = arg;
	const struct shelf_source *s = shelf_view_source(v, a->id);

	if (!s)
		return 0;
	shelf_copy(a->source, s, sizeof(*s));
	copy_attrs(v, (const struct shelf_product *)a->source, a->name, a->room);
	strip((struct shelf_product *)a->source);
	return 1;
}

static long ask(const struct shelf *s, const struct source_arg *a, __u64 *generation)
{
	struct shelf_ioc_get q = {
		.size = sizeof(q),
		.flags = SHELF_GET_SOURCE,
		.id = a->id,
		.attrs = (__u64)(uintptr_t)a->name,
		.attrs_size = a->room,
	};
	int ret = by_ioctl(s, SHELF_IOC_GET, &q);

	if (ret && ret != -ENOENT)
		return ret;
	if (!ret)
		memcpy(a->source, &q.product, sizeof(*a->source));
	if (generation)
		*generation = q.generation;
	return !ret;
}

int shelf_source(const struct shelf *s, const char *source, struct shelf_source *out,
		 __u64 *generation)
{
	size_t len = strlen(source);
	char name[SHELF_SOURCE_MAX];
	struct source_arg a = {
		shelf_source_id(source, len), out, name, sizeof(name),
	};
	long found;

	if (!len || len > SHELF_SOURCE_MAX)
		return -EINVAL;
	if (!optimistic(s, source_once, &a, generation, &found))
		found = ask(s, &a, generation);
	if (found == 1 && (out->name_len != len || memcmp(name, source, len)))
		found = 0;
	return (int)found;
}
