// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "state.h"

#define CLOCK		1
#define CATALOGS	6
#define MEMBERS_MAX	2000U
#define TEXT_MAX	300U

unsigned int state_products = 2000;

/* What the digest of a record is made of; zeroed, for it has padding. */
struct product_key {
	__s64 id;
	__s64 price;
	__s64 stock;
	__u32 flags;
	__u32 attrs_len;
	char currency[4];
	unsigned char attrs[TEXT_MAX + 32];
};

static __u64 mix(__u64 x)
{
	x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ULL;
	return x ^ (x >> 32);
}

static __u64 draw(__s64 id, __u64 n)
{
	return mix(mix((__u64)id) + n);
}

static bool has_product(__s64 id, __u64 n)
{
	return id == CLOCK || draw(id, n) % 8;
}

static bool has_catalog(__s64 id, __u64 n)
{
	return ((__u64)id + n) % 5;
}

static struct product_key product_of(__s64 id, __u64 n)
{
	struct product_key p = { .id = id, .currency = "EUR" };
	__u64 r = draw(id, n);

	p.price = id == CLOCK ? (__s64)n : (__s64)(r >> 1);
	p.stock = (__s64)n;
	p.flags = (__u32)r;
	p.attrs_len = (__u32)snprintf((char *)p.attrs, sizeof(p.attrs), "{\"n\":\"%0*llu\"}",
				      (int)(r >> 32) % (int)TEXT_MAX, n);
	return p;
}

/* In the record, in a slot, in trees, and from each to the others. */
static __u32 members_of(__s64 id, __u64 n)
{
	static const __u32 counts[] = { 3, 40, 400, 600, 1500, MEMBERS_MAX };

	return counts[((__u64)id + n) % (sizeof(counts) / sizeof(counts[0]))];
}

static __s64 member_of(__s64 id, __u64 n, __u32 i)
{
	return (__s64)(n * 16 + (__u64)id + i * 7ULL);
}

static void write_catalog(FILE *to, __s64 id, __u64 n)
{
	__u32 count = members_of(id, n), i;

	fprintf(to, "{\"op\":\"delete\",\"catalog\":%lld}\n", id);
	if (!has_catalog(id, n))
		return;
	fprintf(to, "{\"op\":\"add\",\"catalog\":%lld,\"products\":[%lld", id,
		member_of(id, n, 0));
	for (i = 1; i < count; i++)
		fprintf(to, ",%lld", member_of(id, n, i));
	fputs("]}\n", to);
}

static void write_product(FILE *to, __s64 id, __u64 n)
{
	struct product_key p = product_of(id, n);

	if (has_product(id, n))
		fprintf(to, "{\"op\":\"put\",\"product\":%lld,\"price\":%lld,\"stock\":%lld,"
			"\"flags\":%u,\"currency\":\"%s\",\"attrs\":%s}\n", id, p.price, p.stock,
			p.flags, p.currency, (const char *)p.attrs);
	else
		fprintf(to, "{\"op\":\"delete\",\"product\":%lld}\n", id);
}

long state_write(FILE *to, __u64 n)
{
	__s64 id;

	for (id = 1; id <= (__s64)state_products; id++)
		write_product(to, id, n);
	for (id = 1; id <= CATALOGS; id++)
		write_catalog(to, id, n);
	return fflush(to) || ferror(to) ? -1 : ftell(to);
}

static __u64 digest_product(const struct product_key *p)
{
	return XXH3_64bits(p, sizeof(*p));
}

static __u64 digest_members(__s64 id, const __s64 *ids, size_t count)
{
	return XXH3_64bits_withSeed(ids, count * sizeof(*ids), (__u64)id);
}

__u64 state_digest(__u64 n)
{
	static __s64 ids[MEMBERS_MAX];
	struct product_key p;
	__u64 sum = 0;
	__s64 id;
	__u32 i;

	if (n == STATE_EMPTY)
		return 0;
	for (id = 1; id <= (__s64)state_products; id++) {
		p = product_of(id, n);
		sum += has_product(id, n) ? digest_product(&p) : 0;
	}
	for (id = 1; id <= CATALOGS; id++) {
		for (i = 0; i < members_of(id, n); i++)
			ids[i] = member_of(id, n, i);
		sum += has_catalog(id, n) ? digest_members(id, ids, members_of(id, n)) : 0;
	}
	return sum;
}

static int find_product(const struct shelf_pin *pin, const struct shelf_product *p,
			struct found *f)
{
	struct product_key k = {
		.id = p->id, .price = p->price, .stock = p->stock, .flags = p->flags,
		.attrs_len = p->attrs_len,
	};
	long n;

	memcpy(k.currency, p->currency, sizeof(k.currency));
	n = shelf_pin_attrs(pin, p, k.attrs, sizeof(k.attrs));
	if (n < 0)
		return (int)n;
	if (k.id == CLOCK)
		f->state = (__u64)k.price;
	f->digest += digest_product(&k);
	return 0;
}

static int find_products(const struct shelf_pin *pin, struct found *f)
{
	struct shelf_product products[SHELF_LEAF_SLOTS];
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_products(pin, &at, products, SHELF_LEAF_SLOTS);
		for (i = 0; !ret && i < n; i++)
			ret = find_product(pin, &products[i], f);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

/* One more than any state has room for: what is too many must not go unseen. */
static int find_members(const struct shelf_pin *pin, __s64 id, struct found *f)
{
	static __s64 ids[MEMBERS_MAX + 1];
	struct shelf_cursor at = { .catalog = id };
	size_t count = 0;
	long n;

	do {
		n = shelf_pin_members(pin, &at, ids + count, MEMBERS_MAX + 1 - count);
		count += n > 0 ? (size_t)n : 0;
	} while (n > 0 && count <= MEMBERS_MAX);
	f->digest += digest_members(id, ids, count);
	return n < 0 ? (int)n : 0;
}

static int find_catalogs(const struct shelf_pin *pin, struct found *f)
{
	struct shelf_catalog catalogs[SHELF_LEAF_SLOTS];
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_catalogs(pin, &at, catalogs, SHELF_LEAF_SLOTS);
		for (i = 0; !ret && i < n; i++)
			ret = find_members(pin, catalogs[i].id, f);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

int state_find(const char *name, struct found *f)
{
	struct shelf_pin pin;
	struct shelf *s;
	int ret = shelf_open(name, 0, &s);

	memset(f, 0, sizeof(*f));
	if (ret)
		return ret;
	ret = shelf_pin(s, 0, 0, &pin);
	if (!ret) {
		f->generation = pin.generation;
		ret = find_products(&pin, f);
		if (!ret)
			ret = find_catalogs(&pin, f);
		if (!ret && !shelf_pin_valid(&pin))
			ret = -ESTALE;
		shelf_unpin(&pin);
	}
	shelf_close(s);
	return ret;
}
