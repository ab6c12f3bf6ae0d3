// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "document.h"

/* Not by fail(), which makes a document as well. */
static void no_memory(void)
{
	fputs("shelfctl: out of memory\n", stderr);
	exit(STATUS_REFUSED);
}

void document_begin(struct document *d)
{
	d->to = open_memstream(&d->text, &d->bytes);
	if (!d->to)
		no_memory();
	fprintf(d->to, "{\"schema\":%d", DOCUMENT_SCHEMA);
}

static void new_line(FILE *to, unsigned int depth)
{
	putc('\n', to);
	for (; depth; depth--)
		fputs("  ", to);
}

/* Behind the string that begins at @c. */
static const char *print_quoted(FILE *to, const char *c)
{
	do {
		if (*c == '\\')
			putc(*c++, to);
		putc(*c++, to);
	} while (*c != '"');
	putc(*c, to);
	return c + 1;
}

/*
 * Of text that is right and has no white space. To parse it would be to lose what
 * of a counter is above 2^63.
 */
static void print_indented(FILE *to, const char *c)
{
	unsigned int depth = 0;

	while (*c) {
		char now = *c;

		if (now == '"') {
			c = print_quoted(to, c);
			continue;
		}
		if ((now == '}' || now == ']') && c[-1] != '{' && c[-1] != '[')
			new_line(to, --depth);
		else if (now == '}' || now == ']')
			depth--;
		putc(now, to);
		if (now == ':')
			putc(' ', to);
		if (now == '{' || now == '[')
			depth++;
		if (now == ',' || ((now == '{' || now == '[') && c[1] != now + 2))
			new_line(to, depth);
		c++;
	}
}

void document_end(struct document *d, FILE *out)
{
	putc('}', d->to);
	if (fclose(d->to))
		no_memory();
	if (json_pretty)
		print_indented(out, d->text);
	else
		fputs(d->text, out);
	putc('\n', out);
	free(d->text);
}

void document_drop(struct document *d)
{
	fclose(d->to);
	free(d->text);
}

void print_document(const char *format, ...)
{
	struct document d;
	va_list args;

	document_begin(&d);
	putc(',', d.to);
	va_start(args, format);
	vfprintf(d.to, format, args);
	va_end(args);
	document_end(&d, stdout);
}
