// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"

static void say(const char *format, va_list args)
{
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void note(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	say(format, args);
	va_end(args);
}

void die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	say(format, args);
	va_end(args);
	exit(1);
}

void die_at(const char *file, unsigned long line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%lu: ", file, line);
	va_start(args, format);
	say(format, args);
	va_end(args);
	exit(1);
}

static void *must(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

void *must_calloc(size_t count, size_t size)
{
	return must(calloc(count, size));
}

char *must_strndup(const char *text, size_t length)
{
	return must(strndup(text, length));
}

char *must_printf(const char *format, ...)
{
	va_list args;
	char *text;
	int ret;

	va_start(args, format);
	ret = vasprintf(&text, format, args);
	va_end(args);
	return must(ret < 0 ? NULL : text);
}

void *must_grow(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 16;
	return must(reallocarray(array, *room, size));
}
