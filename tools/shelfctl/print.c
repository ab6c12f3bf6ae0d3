// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Records as lines of an apply file.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "../line/text.h"

/*
 * Whether apply would make the same bytes of it: an object, no white space
 * between its tokens, and as deep as it would be in its line.
 */
static bool is_attrs(const unsigned char *attrs, size_t n)
{
	char *line = xalloc(NULL, 2 * (n + 2), 1);
	json_t *v;
	bool is;

	line[0] = '[';
	memcpy(line + 1, attrs, n);
	line[n + 1] = ']';
	v = json_loadb(line, n + 2, ATTRS_PARSE, NULL);
	is = json_array_size(v) == 1 && json_is_object(json_array_get(v, 0)) &&
	     !memchr(attrs, 0, n) && scan_compact(line + n + 2, line, n + 2) == n + 2;
	json_decref(v);
	free(line);
	return is;
}

void print_attrs(FILE *to, const unsigned char *attrs, size_t n)
{
	char *text;

	if (is_attrs(attrs, n)) {
		fputs(",\"attrs\":", to);
		fwrite(attrs, 1, n, to);
		return;
	}
	text = base64_encode(attrs, n);
	fprintf(to, ",\"attrs_base64\":\"%s\"", text);
	free(text);
}

void print_put(FILE *to, const struct shelf_product *p, const unsigned char *attrs,
	       bool generation)
{
	fprintf(to, "{\"op\":\"put\",\"product\":%lld,\"price\":%lld,", p->id, p->price);
	if (p->currency[0])
		fprintf(to, "\"currency\":\"%.3s\",", (const char *)p->currency);
	fprintf(to, "\"stock\":%lld,\"flags\":%u", p->stock, p->flags);
	if (p->attrs_len)
		print_attrs(to, attrs, p->attrs_len);
	if (generation)
		fprintf(to, ",\"generation\":%llu", p->generation);
	fputs("}\n", to);
}

/* Printable ASCII, as a shelf has it. */
static void print_name(FILE *to, const char *name)
{
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			putc('\\', to);
		putc(*name, to);
	}
}

void print_source_delete(FILE *to, const char *name)
{
	fputs("{\"op\":\"delete\",\"source\":\"", to);
	print_name(to, name);
	fputs("\"}\n", to);
}

void print_source(FILE *to, const char *name, __u64 last, const __u64 *generation)
{
	fputs("{\"op\":\"source\",\"source\":\"", to);
	print_name(to, name);
	fprintf(to, "\",\"last\":%llu", last);
	if (generation)
		fprintf(to, ",\"generation\":%llu", *generation);
	fputs("}\n", to);
}

void print_add(FILE *to, const struct shelf_cursor *c, const __s64 *ids, long n,
	       bool generation)
{
	long i;

	fprintf(to, "{\"op\":\"add\",\"catalog\":%lld,\"products\":[", c->catalog);
	for (i = 0; i < n; i++)
		fprintf(to, i ? ",%lld" : "%lld", ids[i]);
	putc(']', to);
	if (generation)
		fprintf(to, ",\"total\":%llu,\"generation\":%llu", c->total, c->generation);
	fputs("}\n", to);
}
