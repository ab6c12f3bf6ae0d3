// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "digest.h"

#include "../../kmod/scan.h"

#define MIX	0x9fb21c651e98df25ULL

static u64 mix(u64 digest, u64 word)
{
	digest = (digest ^ word) * MIX;
	return digest ^ digest >> 32;
}

/* Four at a time: what is mixed waits for what was mixed before. */
static u64 lanes_digest(u64 digest, const u8 *from, size_t n)
{
	u64 lane[4] = { digest, 1, 2, 3 }, word[4];
	u32 i;

	for (; n; n -= sizeof(word), from += sizeof(word)) {
		memcpy(word, from, sizeof(word));
		for (i = 0; i < 4; i++)
			lane[i] = mix(lane[i], word[i]);
	}
	return mix(mix(mix(lane[0], lane[1]), lane[2]), lane[3]);
}

u64 bytes_digest(u64 digest, const void *bytes, size_t n)
{
	const u8 *from = bytes;
	size_t whole = n & ~31UL;
	u64 word;

	if (whole)
		digest = lanes_digest(digest, from, whole);
	for (from += whole, n -= whole; n >= sizeof(word);
	     n -= sizeof(word), from += sizeof(word)) {
		memcpy(&word, from, sizeof(word));
		digest = mix(digest, word);
	}
	for (word = n; n; n--)
		word = word << 8 | *from++;
	digest = (digest ^ word) * MIX;
	return digest ^ digest >> 29;
}

/* What is cut off is another number than what is whole. */
u64 attrs_digest(const struct shelf_view *v, const struct shelf_product *p)
{
	static u8 attrs[SHELF_ATTRS_MAX];
	u32 n;

	if (!p->attrs_len)
		return 0;
	n = shelf_view_attrs(v, p, attrs, sizeof(attrs));
	return n == p->attrs_len ? bytes_digest(0, attrs, n) : ~0ULL;
}

static u64 product_digest(const struct shelf_view *v, const struct shelf_product *p)
{
	const u64 fields[] = {
		(u64)p->id, p->generation, (u64)p->price, (u64)p->stock,
		p->flags, p->attrs_len, attrs_digest(v, p),
	};
	u64 digest = bytes_digest(1, fields, sizeof(fields));

	return bytes_digest(digest, p->currency, sizeof(p->currency));
}

static u64 source_digest(const struct shelf_view *v, const struct shelf_source *s)
{
	const u64 fields[] = {
		(u64)s->id, s->generation, s->last, s->name_len,
		attrs_digest(v, (const struct shelf_product *)s),
	};

	return bytes_digest(3, fields, sizeof(fields));
}

static u64 catalog_digest(const struct shelf_view *v, const struct shelf_catalog *c)
{
	const u64 fields[] = { (u64)c->id, c->generation, c->count };
	u64 digest = bytes_digest(2, fields, sizeof(fields));
	bool more = true;
	s64 page[512];
	u32 n = 0;

	while (more) {
		n = shelf_catalog_copy(v, c, !n, n ? page[n - 1] : 0, page,
				       ARRAY_SIZE(page), &more);
		digest = bytes_digest(digest, page, n * sizeof(page[0]));
		more &= n > 0;
	}
	return digest;
}

static u64 record_digest(const struct shelf_view *v, enum map map, const void *record)
{
	switch (map) {
	case MAP_PRODUCTS:
		return product_digest(v, record);
	case MAP_CATALOGS:
		return catalog_digest(v, record);
	default:
		return source_digest(v, record);
	}
}

/* The sum, since what comes first depends on the leaves. */
static u64 scan(const struct shelf_view *v, enum map map, const u32 *dir, u32 bits, u64 count)
{
	struct shelf_record r[2 * SHELF_LEAF_SLOTS];
	struct shelf_scan at = { 0 };
	u64 digest = 0, found = 0;
	u32 n, i;

	for (; !at.done; found += n) {
		n = shelf_scan_copy(v, dir, bits, &at, r, ARRAY_SIZE(r), 64);
		for (i = 0; i < n; i++)
			digest += record_digest(v, map, &r[i]);
	}
	if (found == count)
		return digest;
	fprintf(stderr, "digest: a scan finds %llu of %llu records of map %d\n", found,
		count, map);
	abort();
}

u64 snapshot_digest(const struct shelf_view *v)
{
	const struct shelf_root *r = v->root;
	const u64 totals[] = { r->products, r->catalogs, r->memberships, r->attrs_bytes };

	return bytes_digest(0, totals, sizeof(totals)) +
	       scan(v, MAP_PRODUCTS, r->product_dir, SHELF_PRODUCT_DIR_BITS, r->products) +
	       31 * scan(v, MAP_CATALOGS, r->catalog_dir, SHELF_CATALOG_DIR_BITS, r->catalogs) +
	       37 * scan(v, MAP_SOURCES, r->source_dir, SHELF_SOURCE_DIR_BITS, r->sources);
}
