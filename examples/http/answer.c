// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a shelf has, in JSON. Each answer is read in one section, so that all of it is
 * of one generation; it is written down once the section has been valid. A thread has
 * its buffers for good.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "answer.h"

#define TRIES	1000	/* a section is microseconds, and what it reads lasts a second */

static _Thread_local unsigned char attrs[SHELF_ATTRS_MAX];
static _Thread_local __s64 members[LIMIT_MAX];
static _Thread_local struct shelf_product products[LIMIT_MAX];

/* The record, or one whose state is 0. */
static void copy_product(const struct shelf_section *c, __s64 id, struct shelf_product *p)
{
	const struct shelf_product *at = shelf_view_product(&c->view, id);

	if (at)
		shelf_copy(p, at, sizeof(*p));
	else
		p->state = 0;
}

static void put_base64(FILE *to, const unsigned char *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;

	for (i = 0; i < n; i += 3) {
		size_t left = n - i;
		unsigned int b1 = left > 1 ? bytes[i + 1] : 0, b2 = left > 2 ? bytes[i + 2] : 0;

		putc(digits[bytes[i] >> 2], to);
		putc(digits[(bytes[i] << 4 & 0x30) | b1 >> 4], to);
		putc(left > 1 ? digits[(b1 << 2 & 0x3c) | b2 >> 6] : '=', to);
		putc(left > 2 ? digits[b2 & 0x3f] : '=', to);
	}
}

/* Attributes are any bytes: only what is JSON may stand in JSON as it is. */
static void put_attrs(FILE *to, const unsigned char *bytes, size_t n)
{
	const size_t flags = JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
	json_t *value = json_loadb((const char *)bytes, n, flags, NULL);

	fputs(value ? ",\"attrs\":" : ",\"attrs_base64\":\"", to);
	if (value) {
		fwrite(bytes, 1, n, to);
	} else {
		put_base64(to, bytes, n);
		putc('"', to);
	}
	json_decref(value);
}

/* The fields are called as in shelf(5). */
static void put_product(FILE *to, const struct shelf_product *p)
{
	fprintf(to, "{\"product\":%lld,\"price\":%lld,\"stock\":%lld,\"flags\":%u",
		p->id, p->price, p->stock, p->flags);
	if (p->currency[0])
		fprintf(to, ",\"currency\":\"%.3s\"", (const char *)p->currency);
	fprintf(to, ",\"generation\":%llu", p->generation);
}

static void put_members(FILE *to, const struct page *page, __u32 n)
{
	__u32 i;

	fputs(",\"products\":[", to);
	for (i = 0; i < n; i++) {
		if (i)
			putc(',', to);
		if (page->products && products[i].state) {
			put_product(to, &products[i]);
			putc('}', to);
		} else if (page->products) {
			fprintf(to, "{\"product\":%lld}", members[i]);
		} else {
			fprintf(to, "%lld", members[i]);
		}
	}
	putc(']', to);
}

static FILE *begin(struct answer *a)
{
	a->body = NULL;
	return open_memstream(&a->body, &a->len);
}

static int end(FILE *to, struct answer *a)
{
	bool failed = ferror(to);

	fputs("}\n", to);
	if (!fclose(to) && !failed)
		return 1;
	free(a->body);
	return -ENOMEM;
}

int answer_product(const struct shelf *s, __s64 id, struct answer *a)
{
	struct shelf_product p;
	struct shelf_section c;
	int tries = 0;
	__u32 n = 0;
	FILE *to;

	do {
		if (tries++ == TRIES)
			return -EAGAIN;
		shelf_begin(s, &c);
		copy_product(&c, id, &p);
		if (p.state)
			n = shelf_view_attrs(&c.view, &p, attrs, sizeof(attrs));
	} while (shelf_retry(s, &c));

	if (!p.state)
		return 0;
	to = begin(a);
	if (!to)
		return -ENOMEM;
	a->version = p.generation;
	a->generation = c.generation;
	put_product(to, &p);
	if (n)
		put_attrs(to, attrs, n);
	return end(to, a);
}

int answer_catalog(const struct shelf *s, __s64 id, const struct page *page,
		   struct answer *a)
{
	const struct shelf_catalog *at;
	struct shelf_catalog catalog;
	struct shelf_section c;
	bool more = false;
	int tries = 0;
	__u32 n = 0, i;
	FILE *to;

	do {
		if (tries++ == TRIES)
			return -EAGAIN;
		shelf_begin(s, &c);
		at = shelf_view_catalog(&c.view, id);
		if (!at)
			continue;
		shelf_copy(&catalog, at, sizeof(catalog));
		n = shelf_catalog_copy(&c.view, &catalog, page->from_start, page->after,
				       members, page->limit, &more);
		for (i = 0; page->products && i < n; i++)
			copy_product(&c, members[i], &products[i]);
	} while (shelf_retry(s, &c));

	if (!at)
		return 0;
	to = begin(a);
	if (!to)
		return -ENOMEM;
	/* Records change without their catalog. */
	a->version = page->products ? c.generation : catalog.generation;
	a->generation = c.generation;
	fprintf(to, "{\"catalog\":%lld,\"total\":%llu,\"generation\":%llu", id, catalog.count,
		catalog.generation);
	put_members(to, page, n);
	fprintf(to, ",\"more\":%s", more ? "true" : "false");
	return end(to, a);
}
