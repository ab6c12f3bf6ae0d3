// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl get: products and members, in the words of the apply file.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "text.h"

#define TRIES		1000

struct found {
	__s64 id;
	bool present;
	struct shelf_product product;
	unsigned char *attrs;
};

/* Escapes and control characters in UTF-8 would be obeyed by a terminal. */
static bool is_printable(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (text[i] == 0x7f || (i + 1 < n && (unsigned char)text[i] == 0xc2 &&
					(unsigned char)text[i + 1] < 0xa0))
			return false;
	return true;
}

/* The attributes as one line of JSON, or NULL if they are something else. */
static char *attrs_text(const struct found *f)
{
	size_t n = f->product.attrs_len;
	json_t *v = json_loadb((char *)f->attrs, n, ATTRS_PARSE | JSON_DECODE_ANY, NULL);
	char *text = NULL;

	if (v && !memchr(f->attrs, 0, n)) {
		text = xalloc(NULL, n + 1, 1);
		n = scan_compact(text, (char *)f->attrs, n);
		text[n] = 0;
	}
	json_decref(v);
	return text;
}

static void print_text(const struct found *f)
{
	const struct shelf_product *p = &f->product;
	char *text;

	printf("product %lld price %lld%s%.3s stock %lld flags 0x%x generation %llu",
	       p->id, p->price, p->currency[0] ? " " : "",
	       (const char *)p->currency, p->stock, p->flags, p->generation);
	text = p->attrs_len ? attrs_text(f) : NULL;
	if (text && is_printable(text, strlen(text))) {
		printf(" attrs %s", text);
	} else if (p->attrs_len) {
		free(text);
		text = base64_encode(f->attrs, p->attrs_len);
		printf(" attrs_base64 %s", text);
	}
	free(text);
	putchar('\n');
}

static int get_one(const struct shelf *s, struct found *f, __u64 *generation)
{
	int ret;

	f->attrs = xalloc(NULL, SHELF_ATTRS_MAX, 1);
	ret = shelf_get_attrs(s, f->id, &f->product, f->attrs, SHELF_ATTRS_MAX,
			      generation);
	f->present = ret == 1;
	if (ret == 1 && f->product.attrs_len) {
		f->attrs = xalloc(f->attrs, f->product.attrs_len, 1);
	} else {
		free(f->attrs);
		f->attrs = NULL;
	}
	return ret < 0 ? ret : 0;
}

/* Returns 1 if a commit came in between. */
static int get_pass(const struct shelf *s, struct found *f, size_t n)
{
	__u64 first = 0, generation;
	size_t i;
	int ret;

	for (i = 0; i < n; i++) {
		free(f[i].attrs);
		f[i].attrs = NULL;
		ret = get_one(s, &f[i], &generation);
		if (ret)
			return ret;
		if (i && generation != first)
			return 1;
		first = generation;
	}
	return 0;
}

/* All from one generation. */
static int get_all(const struct shelf *s, struct found *f, size_t n)
{
	int tries, ret = 1;

	for (tries = 0; tries < TRIES && ret == 1; tries++)
		ret = get_pass(s, f, n);
	return ret == 1 ? -EAGAIN : ret;
}

static int print_all(const struct found *f, size_t n)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!f[i].present)
			status = fail(STATUS_ABSENT, -ENOENT, "no product %lld", f[i].id);
		else if (json_output)
			print_put(stdout, &f[i].product, f[i].attrs, true);
		else
			print_text(&f[i]);
	}
	return status;
}

int run_product_get(const struct args *a)
{
	size_t n = (size_t)a->words, i;
	struct found *f;
	struct shelf *s = NULL;
	int status = STATUS_OK, ret;

	if (!n)
		return fail(STATUS_USAGE, 0, "product get needs an ID");
	f = xalloc(NULL, n, sizeof(*f));
	memset(f, 0, n * sizeof(*f));
	for (i = 0; i < n && !status; i++)
		status = args_id(a->word[i], "ID", &f[i].id);
	if (!status)
		status = open_shelf(a, &s);
	if (!status) {
		ret = get_all(s, f, n);
		status = ret ? fail(STATUS_REFUSED, ret, "%s: %s", a->shelf,
				    strerror(-ret)) : print_all(f, n);
		shelf_close(s);
	}
	for (i = 0; i < n; i++)
		free(f[i].attrs);
	free(f);
	return status;
}

static void print_members(const struct shelf_cursor *c, const __s64 *ids, long n,
			  bool first)
{
	long i;

	if (json_output) {
		print_add(stdout, c, ids, n, true);
		return;
	}
	if (first)
		printf("catalog %lld members %llu generation %llu\n", c->catalog,
		       c->total, c->generation);
	for (i = 0; i < n; i++)
		printf("%lld\n", ids[i]);
}

/* Pages may be of different generations; each line tells its own. */
static int print_catalog(const struct shelf *s, struct shelf_cursor *c, __u64 limit)
{
	__s64 *ids = xalloc(NULL, LINE_IDS, sizeof(*ids));
	bool first = true;
	long n = 0;

	while (limit) {
		n = shelf_catalog_next(s, c, ids, limit < LINE_IDS ? limit : LINE_IDS);
		if (n < 0 || (!n && !first) || (!n && json_output))
			break;
		print_members(c, ids, n, first);
		first = false;
		limit -= (__u64)n;
		if (!n)
			break;
	}
	free(ids);
	return n < 0 ? (int)n : 0;
}

static int catalog_arguments(const struct args *a, struct shelf_cursor *c,
			     __u64 *limit)
{
	if (a->words != 1)
		return fail(STATUS_USAGE, 0, "catalog get takes one ID");
	if (args_id(a->word[0], "ID", &c->catalog) || args_u64(a, OPT_LIMIT, limit))
		return STATUS_USAGE;
	if (!*limit)
		return fail(STATUS_USAGE, 0, "--limit is 0");
	if (!a->value[OPT_AFTER])
		return 0;
	c->started = true;
	return args_id(a->value[OPT_AFTER], "--after", &c->after);
}

int run_catalog_get(const struct args *a)
{
	struct shelf_cursor c = { 0 };
	__u64 limit = ~0ULL;
	struct shelf *s;
	int ret = catalog_arguments(a, &c, &limit);

	if (!ret)
		ret = open_shelf(a, &s);
	if (ret)
		return ret;
	ret = print_catalog(s, &c, limit);
	shelf_close(s);
	if (ret == -ENOENT)
		return fail(STATUS_ABSENT, ret, "no catalog %lld", c.catalog);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, strerror(-ret));
	return STATUS_OK;
}

int run_get(const struct args *a)
{
	const char *what = a->words ? a->word[0] : "";
	struct args rest = *a;

	if (strcmp(what, "catalog") && strcmp(what, "product"))
		return fail(STATUS_USAGE, 0, "get product or get catalog?");
	rest.word++;
	rest.words--;
	if (!strcmp(what, "catalog"))
		return run_catalog_get(&rest);
	if (a->value[OPT_AFTER] || a->value[OPT_LIMIT])
		return fail(STATUS_USAGE, 0, "--after and --limit are for catalogs");
	return run_product_get(&rest);
}
