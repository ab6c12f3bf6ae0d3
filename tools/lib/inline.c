// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The inline functions of shelf.h and walk.h once more, as symbols, for
 * languages that can't include a header. See there.
 */
#include "shelf.h"

void shelf_section_begin(const struct shelf *s, struct shelf_section *c)
{
	shelf_begin(s, c);
}

bool shelf_section_retry(const struct shelf *s, const struct shelf_section *c)
{
	return shelf_retry(s, c);
}

const struct shelf_product *shelf_section_product(const struct shelf_section *c,
						  __s64 id)
{
	return shelf_view_product(&c->view, id);
}

__u32 shelf_section_attrs(const struct shelf_section *c,
			  const struct shelf_product *p, void *to, __u32 room)
{
	return shelf_view_attrs(&c->view, p, to, room);
}

const struct shelf_catalog *shelf_section_catalog(const struct shelf_section *c,
						  __s64 id)
{
	return shelf_view_catalog(&c->view, id);
}

const struct shelf_source *shelf_section_source(const struct shelf_section *c,
						const char *source)
{
	return shelf_view_source(&c->view, shelf_source_id(source, strlen(source)));
}

bool shelf_section_has(const struct shelf_section *c,
		       const struct shelf_catalog *catalog, __s64 product)
{
	return shelf_catalog_has(&c->view, catalog, product);
}

__u32 shelf_section_members(const struct shelf_section *c,
			    const struct shelf_catalog *catalog, bool from_start,
			    __s64 after, __s64 *ids, __u32 room, bool *more)
{
	return shelf_catalog_copy(&c->view, catalog, from_start, after, ids, room,
				  more);
}

bool shelf_mapped(const struct shelf *s)
{
	return shelf_is_mapped(s);
}

bool shelf_pin_is_valid(const struct shelf_pin *pin)
{
	return shelf_pin_valid(pin);
}
