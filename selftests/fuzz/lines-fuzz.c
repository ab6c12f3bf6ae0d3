// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5: the reader of apply's lines. Whatever the text is, it is refused with a
 * message and a column inside of it, or it is an operation; a put or an add that is
 * printed again is the same when it is read again, and is printed the same.
 *
 * Seen to fail with scan_space() that takes a blank for a token.
 */
#include <stdlib.h>
#include <string.h>

#include "../../tools/shelfctl/print.h"
#include "libfuzzer.h"

bool json_output;

void *xalloc(void *old, size_t n, size_t size)
{
	void *p = realloc(old, n * size + 1);

	if (!p)
		abort();
	return p;
}

#define FAIL(...) do {							\
	fprintf(stderr, "lines: " __VA_ARGS__);				\
	fputc('\n', stderr);						\
	abort();							\
} while (0)

/* NUL-terminated, and not a byte longer. */
static char *copy(const void *text, size_t n)
{
	char *line = xalloc(NULL, n + 1, 1);

	memcpy(line, text, n);
	line[n] = 0;
	return line;
}

static void check_error(const struct line_error *err, size_t n)
{
	if (!err->message[0] || !err->column || err->column > n + 1)
		FAIL("refused at column %zu of %zu: %s", err->column, n, err->message);
}

static void check_line(const struct line *l)
{
	if (l->kind < SHELF_OP_PUT || l->kind > LINE_END)
		FAIL("kind %u", l->kind);
	if (l->change.fields & SHELF_ATTRS && l->change.attrs_len > SHELF_ATTRS_MAX)
		FAIL("%u attribute bytes", l->change.attrs_len);
	if (l->kind != LINE_SET &&
	    (l->kind == SHELF_OP_CATALOG_ADD || l->kind == SHELF_OP_CATALOG_REMOVE) !=
	    (l->members_count > 0))
		FAIL("%zu members", l->members_count);
}

static char *print(const struct line *l, size_t *n)
{
	struct shelf_cursor at = { .catalog = l->change.id };
	struct shelf_product p = {
		.id = l->change.id, .price = l->change.price, .stock = l->change.stock,
		.flags = l->change.flags,
		.attrs_len = l->change.fields & SHELF_ATTRS ? l->change.attrs_len : 0,
	};
	char *text = NULL;
	FILE *to = open_memstream(&text, n);

	if (!to)
		abort();
	memcpy(p.currency, l->change.currency, sizeof(p.currency));
	if (l->kind == SHELF_OP_PUT)
		print_put(to, &p, l->change.attrs, false);
	else
		print_add(to, &at, l->members, (long)l->members_count, false);
	fclose(to);
	return text;
}

/* What is not given is 0, and printed; so only the values are compared. */
static bool same(const struct line *a, const struct line *b)
{
	const struct shelf_change *x = &a->change, *y = &b->change;
	size_t n = x->fields & SHELF_ATTRS ? x->attrs_len : 0;

	if (a->kind != b->kind || x->id != y->id || a->members_count != b->members_count ||
	    (a->members_count &&
	     memcmp(a->members, b->members, a->members_count * sizeof(a->members[0]))))
		return false;
	return x->price == y->price && x->stock == y->stock && x->flags == y->flags &&
	       !memcmp(x->currency, y->currency, sizeof(x->currency)) &&
	       n == (y->fields & SHELF_ATTRS ? y->attrs_len : 0) &&
	       (!n || !memcmp(x->attrs, y->attrs, n));
}

static void check_printed(const struct line *l)
{
	struct line again = { 0 };
	struct line_error err;
	size_t n, m;
	char *text = print(l, &n), *line, *twice;

	line = copy(text, n - 1);	/* without its newline */
	if (!line_parse(&again, line, n - 1, &err))
		FAIL("%s: %s", line, err.message);
	if (!same(l, &again))
		FAIL("read otherwise: %s", text);
	twice = print(&again, &m);
	if (n != m || memcmp(text, twice, n))
		FAIL("printed otherwise: %s%s", text, twice);
	line_free(&again);
	free(line);
	free(text);
	free(twice);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct line_error err = { 0 };
	struct line l = { 0 };
	char *text = copy(data, size);

	if (!line_parse(&l, text, size, &err)) {
		check_error(&err, size);
	} else {
		check_line(&l);
		if (l.kind == SHELF_OP_PUT || (l.kind == SHELF_OP_CATALOG_ADD &&
					       l.members_count <= LINE_IDS))
			check_printed(&l);
	}
	line_free(&l);
	free(text);
	return 0;
}
