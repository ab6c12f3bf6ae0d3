// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "full.h"

#define SCAN_RECORDS	1024U

/* P3. Counts, since of a damaged file it might be less than all. */
struct scan {
	struct shelf_pin pin;
	struct full *full;
	__u64 products;
	__u64 catalogs;
	__u64 memberships;
	__u64 sources;
	struct members members;
	struct shelf_product product[SCAN_RECORDS];
	struct shelf_catalog catalog[SCAN_RECORDS];
	struct shelf_source source[SCAN_RECORDS];
	__s64 ids[LINE_IDS];
	unsigned char attrs[SHELF_ATTRS_MAX];
};

/* What a scan gave must not be taken for right before the pin was looked at. */
static int take_product(struct scan *s, const struct shelf_product *p)
{
	struct shelf_change c = {
		.id = p->id, .price = p->price, .stock = p->stock, .flags = p->flags,
		.attrs = s->attrs, .attrs_len = p->attrs_len,
	};
	long n = 0;

	if (p->attrs_len)
		n = shelf_pin_attrs(&s->pin, p, s->attrs, sizeof(s->attrs));
	if (n < 0)
		return (int)n;
	if (n != p->attrs_len)
		return -EINVAL;
	memcpy(c.currency, p->currency, sizeof(p->currency));
	s->products++;
	return s->full->product(s->full, &c);
}

static int take_products(struct scan *s)
{
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_products(&s->pin, &at, s->product, SCAN_RECORDS);
		for (i = 0; !ret && i < n; i++)
			ret = take_product(s, &s->product[i]);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

static int take_catalog(struct scan *s, __s64 id)
{
	struct shelf_cursor at = { .catalog = id };
	long n;

	s->members.count = 0;
	do {
		n = shelf_pin_members(&s->pin, &at, s->ids, LINE_IDS);
		if (n > 0)
			members_add(&s->members, s->ids, (size_t)n);
	} while (n > 0);
	if (n < 0 || !s->members.count)
		return n < 0 ? (int)n : -EINVAL;
	s->catalogs++;
	s->memberships += s->members.count;
	return s->full->catalog(s->full, id, s->members.id, s->members.count);
}

static int take_catalogs(struct scan *s)
{
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_catalogs(&s->pin, &at, s->catalog, SCAN_RECORDS);
		for (i = 0; !ret && i < n; i++)
			ret = take_catalog(s, s->catalog[i].id);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

static int take_source(struct scan *s, const struct shelf_source *source)
{
	char name[SHELF_SOURCE_MAX + 1];
	long n = shelf_pin_source_name(&s->pin, source, name);

	if (n < 0)
		return (int)n;
	if (n != source->name_len)
		return -EINVAL;
	s->sources++;
	return s->full->source(s->full, name, source->last);
}

static int take_sources(struct scan *s)
{
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_sources(&s->pin, &at, s->source, SCAN_RECORDS);
		for (i = 0; !ret && i < n; i++)
			ret = take_source(s, &s->source[i]);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

static int take_all(struct scan *s)
{
	struct shelf_ioc_info info;
	int ret = shelf_pin_info(&s->pin, &info);

	if (!ret)
		ret = take_products(s);
	if (!ret)
		ret = take_catalogs(s);
	if (!ret)
		ret = take_sources(s);
	if (!ret && !shelf_pin_valid(&s->pin))
		ret = -ESTALE;
	if (!ret && (s->products != info.products || s->catalogs != info.catalogs ||
		     s->memberships != info.memberships || s->sources != info.sources))
		ret = -EINVAL;
	return ret;
}

static int told(const char *name, const struct scan *s, int ret)
{
	if (ret >= 0)
		return ret;
	if (ret == -ESTALE) {
		note("%s: the pin of generation %llu was revoked after %llu products and %llu catalogs",
		     name, s->pin.generation, s->products, s->catalogs);
		return ret;
	}
	if (ret == -EINVAL || ret == -EEXIST)
		return fail(STATUS_REFUSED, ret,
			    "%s: damaged: what it holds is not what it says", name);
	return fail(STATUS_REFUSED, ret, "%s: %s", name, strerror(-ret));
}

int full_shelf_read(const struct shelf *shelf, const char *name, struct full *f,
		    __u64 *generation)
{
	struct scan *s = xalloc(NULL, 1, sizeof(*s));
	int ret;

	memset(s, 0, sizeof(*s));
	s->full = f;
	ret = shelf_pin(shelf, 0, 0, &s->pin);
	if (ret) {
		free(s);
		return fail(STATUS_REFUSED, ret, "%s: no pin: %s", name, strerror(-ret));
	}
	*generation = s->pin.generation;
	ret = told(name, s, take_all(s));
	shelf_unpin(&s->pin);
	free(s->members.id);
	free(s);
	return ret;
}
