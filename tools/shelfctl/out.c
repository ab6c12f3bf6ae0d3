// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Errors, and pieces of JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../line/text.h"
#include "ctl.h"
#include "document.h"

bool json_output;
bool json_pretty;
int refused_as = STATUS_REFUSED;

static int told_as(int status)
{
	return status == STATUS_REFUSED ? refused_as : status;
}

void put_string(FILE *to, const char *text)
{
	json_t *s = json_string(text);

	if (!s || json_dumpf(s, to, JSON_ENCODE_ANY))
		fputs("\"?\"", to);
	json_decref(s);
}

static const char *error_name(int error)
{
	const char *name = error ? strerrorname_np(-error) : NULL;

	return name ? name : "";
}

static void print_json(int status, int error, const char *message, const char *file,
		       __u64 line, size_t column)
{
	struct document d;

	document_begin(&d);
	fputs(",\"error\":{\"message\":", d.to);
	put_string(d.to, message);
	if (file) {
		fputs(",\"file\":", d.to);
		put_string(d.to, file);
		fprintf(d.to, ",\"line\":%llu", line);
	}
	if (column)
		fprintf(d.to, ",\"column\":%zu", column);
	if (error)
		fprintf(d.to, ",\"errno\":\"%s\"", error_name(error));
	fprintf(d.to, ",\"status\":%d}", status);
	document_end(&d, stderr);
}

int fail(int status, int error, const char *format, ...)
{
	char message[1024];
	va_list args;

	status = told_as(status);
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	make_plain(message);
	if (json_output)
		print_json(status, error, message, NULL, 0, 0);
	else
		fprintf(stderr, "%sshelfctl:%s %s\n", paint(stderr, PAINT_ERROR),
			paint(stderr, PAINT_END), message);
	return status;
}

void note(const char *format, ...)
{
	struct document d;
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	make_plain(message);
	if (!json_output) {
		fprintf(stderr, "shelfctl: %s\n", message);
		return;
	}
	document_begin(&d);
	fputs(",\"note\":{\"message\":", d.to);
	put_string(d.to, message);
	putc('}', d.to);
	document_end(&d, stderr);
}

static void print_place(const char *file, __u64 line, size_t column, const char *message)
{
	fprintf(stderr, "%s%s:%llu:", paint(stderr, PAINT_ERROR), file, line);
	if (column)
		fprintf(stderr, "%zu:", column);
	fprintf(stderr, "%s %s\n", paint(stderr, PAINT_END), message);
}

int fail_at(int status, int error, const char *file, __u64 line, size_t column,
	    const char *message)
{
	char plain[1024], name[4096];

	status = told_as(status);
	snprintf(plain, sizeof(plain), "%s", message);
	snprintf(name, sizeof(name), "%s", file);
	make_plain(plain);
	make_plain(name);
	if (json_output)
		print_json(status, error, plain, name, line, column);
	else
		print_place(name, line, column, plain);
	return status;
}

void *xalloc(void *old, size_t n, size_t size)
{
	void *new = reallocarray(old, n ? n : 1, size);

	if (!new)
		exit(fail(STATUS_REFUSED, -ENOMEM, "out of memory"));
	return new;
}

/* The first reason stays: later ones tell less. */
int flush_out(void)
{
	static int first;

	errno = 0;
	if (fflush(stdout) && !first)
		first = errno ? -errno : -EIO;
	return first;
}

bool is_hosted(const struct args *a)
{
	return a->shelf && !strncmp(a->shelf, "hosted:", 7);
}

int open_shelf(const struct args *a, struct shelf **out)
{
	int ret = shelf_open(a->shelf, 0, out);

	if (!ret)
		return 0;
	if (ret == -EINVAL)
		return fail(STATUS_REFUSED, ret, "%s: not a shelf", a->shelf);
	return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, strerror(-ret));
}
