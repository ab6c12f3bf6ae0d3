// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl product get, get: products in the words of the apply file.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "../line/text.h"
#include "watch.h"

#define TRIES		1000

struct found {
	__s64 id;
	bool present;
	struct shelf_product product;
	unsigned char *attrs;
};

struct products {
	const char *name;
	struct shelf *shelf;
	struct found *found;
	size_t n;
	struct seen seen;
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

static void see(struct seen *seen, const struct found *f, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		XXH3_64bits_update(seen->hash, &f[i].present, sizeof(f[i].present));
		if (!f[i].present)
			continue;
		XXH3_64bits_update(seen->hash, &f[i].product, sizeof(f[i].product));
		XXH3_64bits_update(seen->hash, f[i].attrs, f[i].product.attrs_len);
	}
}

static int look(void *arg)
{
	struct products *p = arg;
	int ret = get_all(p->shelf, p->found, p->n);

	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", p->name, strerror(-ret));
	see(&p->seen, p->found, p->n);
	return seen_changed(&p->seen) ? print_all(p->found, p->n) : STATUS_OK;
}

static int get_products(const struct args *a, struct products *p)
{
	int status = open_shelf(a, &p->shelf);

	if (status)
		return status;
	p->name = a->shelf;
	seen_begin(&p->seen);
	status = a->value[OPT_WATCH] ? watch(a, p->shelf, look, p) : look(p);
	seen_end(&p->seen);
	shelf_close(p->shelf);
	return status;
}

int run_product_get(const struct args *a)
{
	struct products p = { .n = (size_t)a->words };
	int status = STATUS_OK;
	size_t i;

	if (!p.n)
		return fail(STATUS_USAGE, 0, "product get needs an ID");
	p.found = xalloc(NULL, p.n, sizeof(*p.found));
	memset(p.found, 0, p.n * sizeof(*p.found));
	for (i = 0; i < p.n && !status; i++)
		status = args_id(a->word[i], "ID", &p.found[i].id);
	if (!status)
		status = get_products(a, &p);
	for (i = 0; i < p.n; i++)
		free(p.found[i].attrs);
	free(p.found);
	return status;
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
