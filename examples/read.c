// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reads one product, with its attributes, and one catalog:
 *
 *	read SHELF PRODUCT CATALOG
 *
 * SHELF is a name, or hosted:PATH.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shelf/shelf.h>

static char attrs[SHELF_ATTRS_MAX];

static int print_product(const struct shelf *s, __s64 id)
{
	struct shelf_product p;
	__u64 generation;
	int ret = shelf_get_attrs(s, id, &p, attrs, sizeof(attrs), &generation);

	if (ret < 0)
		return ret;
	if (!ret) {
		printf("product %lld: none\n", id);
		return 0;
	}
	/* A price is in minor units; attributes are bytes, and no string. */
	printf("product %lld: price %lld %.3s stock %lld attrs %.*s (generation %llu)\n", id,
	       p.price, (const char *)p.currency, p.stock, (int)p.attrs_len, attrs, generation);
	return 0;
}

/*
 * A page at a time, as who shows them would. A commit may come between two pages; a pin
 * would keep them of one generation (see shelf_pin(3)).
 */
static int print_catalog(const struct shelf *s, __s64 id)
{
	struct shelf_cursor cursor = { .catalog = id };
	__s64 ids[64];
	long n, i;

	printf("catalog %lld:", id);
	while ((n = shelf_catalog_next(s, &cursor, ids, 64)) > 0)
		for (i = 0; i < n; i++)
			printf(" %lld", ids[i]);
	printf(n < 0 ? " none\n" : " (of %llu)\n", cursor.total);
	return n == -ENOENT ? 0 : (int)n;
}

int main(int argc, char **argv)
{
	struct shelf *s;
	int ret;

	if (argc != 4) {
		fprintf(stderr, "usage: read SHELF PRODUCT CATALOG\n");
		return 2;
	}
	ret = shelf_open(argv[1], 0, &s);
	if (!ret) {
		ret = print_product(s, strtoll(argv[2], NULL, 10));
		if (!ret)
			ret = print_catalog(s, strtoll(argv[3], NULL, 10));
		shelf_close(s);
	}
	if (ret)
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-ret));
	return ret != 0;
}
